"""`plan --calendar`: every slot on its day, straight at any width, and gaps that one sees."""

import re
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.app import App
from newsletter.cli import plan
from newsletter.cli.calendar import Entry, calendar_of
from newsletter.cli.output import cell, width_of
from tests.conftest import Cli, subscribe, write_post

GOLDEN = """\
                           February 2026
┌─────┬──────────────┬─────┬─────────────┬─────┬─────┬─────────────┐
│ Mon │ Tue          │ Wed │ Thu         │ Fri │ Sat │ Sun         │
├─────┼──────────────┼─────┼─────────────┼─────┼─────┼─────────────┤
│ 16  │ 17           │ 18  │ 19          │ 20  │ 21  │ 22          │
│     │ 08:00        │     │ 18:30       │     │     │             │
│     │ career-advice│     │ good-questi…│     │     │             │
│     │ 在雨中散步的…│     │ First steps │     │     │             │
│     │ 7 readers    │     │ 12 readers  │     │     │             │
│     │              │     │             │     │     │             │
│     │ 12:00 b      │     │             │     │     │             │
│     │ ! runs dry   │     │             │     │     │             │
├─────┼──────────────┼─────┼─────────────┼─────┼─────┼─────────────┤
│ 23  │ 24           │ 25  │ 26          │ 27  │ 28  │             │
│     │ 08:00        │     │             │     │     │             │
│     │ career-advice│     │             │     │     │             │
│     │ ! skipped    │     │             │     │     │             │
│     │ Winter break │     │             │     │     │             │
└─────┴──────────────┴─────┴─────────────┴─────┴─────┴─────────────┘

                             March 2026
┌─────┬──────────────┬─────┬─────────────┬─────┬─────┬─────────────┐
│ Mon │ Tue          │ Wed │ Thu         │ Fri │ Sat │ Sun         │
├─────┼──────────────┼─────┼─────────────┼─────┼─────┼─────────────┤
│     │              │     │             │     │     │ 1           │
│     │              │     │             │     │     │ 09:00 שבת   │
│     │              │     │             │     │     │ שלום עולם   │
│     │              │     │             │     │     │ ועוד מילים …│
│     │              │     │             │     │     │ 1 reader, 2…│
└─────┴──────────────┴─────┴─────────────┴─────┴─────┴─────────────┘
"""

ENTRIES = [
    Entry(datetime.fromisoformat("2026-02-24T08:00"), "career-advice", "Winter break", gap="! skipped"),
    Entry(datetime.fromisoformat("2026-02-17T12:00"), "b", gap="! runs dry"),
    Entry(datetime.fromisoformat("2026-02-17T08:00"), "career-advice", "在雨中散步的人们", "7 readers"),
    Entry(datetime.fromisoformat("2026-02-19T18:30"), "good-questions", "First steps", "12 readers"),
    Entry(
        datetime.fromisoformat("2026-03-01T09:00"), "שבת", "שלום עולם ועוד מילים רבות", "1 reader, 2 posts"
    ),
]
FIRST, LAST = date(2026, 2, 16), date(2026, 3, 1)


def test_a_calendar_looks_so() -> None:
    """Weeks are rows from Monday on, quiet days are narrow, and columns are straight in any script."""
    assert "\n".join(calendar_of(ENTRIES, FIRST, LAST, width=68, colour=False)) == GOLDEN


def test_a_narrow_one_is_an_agenda() -> None:
    """Below what a grid needs: a day after the other."""
    assert calendar_of(ENTRIES[1:3], FIRST, LAST, width=30, colour=False) == [
        "February 2026",
        "Tue 17  08:00 career-advice",
        "        在雨中散步的人们",
        "        7 readers",
        "        12:00 b",
        "        ! runs dry",
        "",
    ]


texts = st.text(st.one_of(st.characters(), st.sampled_from("שמ在雨🙂 é")), max_size=60).map(cell)
entries = st.lists(
    st.builds(
        Entry,
        st.datetimes(datetime(2026, 1, 1), datetime(2026, 4, 1)),  # noqa: DTZ001  # slots are local
        texts,
        texts,
        st.sampled_from(["", "1 reader", "1000000 readers, 12 posts"]),
        st.sampled_from(["", "! skipped", "! runs dry"]),
    ),
    max_size=12,
)
FOUR_WEEKDAYS = [datetime(2026, 1, day) for day in (1, 2, 3, 4)]  # noqa: DTZ001  # slots are local


@given(entries, st.integers(1, 240))
def test_no_line_is_wider_than_the_terminal(found: list[Entry], width: int) -> None:
    """And in the grid none is narrower than the others; 20 columns there always are."""
    lines = calendar_of(found, FIRST, LAST, width=width, colour=False)
    assert all(width_of(line) <= max(width, 20) for line in lines)
    assert len({width_of(line) for line in lines if line[:1] in tuple("│┌├└")}) <= 1


@given(entries, st.integers(20, 240))
@example(
    found=[
        Entry(FOUR_WEEKDAYS[0], "c", "w", "", "! runs dry"),
        *(Entry(at, "c", "w") for at in FOUR_WEEKDAYS),
    ],
    width=63,
)
def test_every_slot_is_there_once(found: list[Entry], width: int) -> None:
    """At its time, on its day, with its mark where nothing goes."""
    found = [Entry(one.at, "c", "w", one.who, one.gap) for one in found]
    shown = "\n".join(calendar_of(found, FIRST, LAST, width=width, colour=False))
    assert sorted(re.findall(r"\d\d:\d\d", shown)) == sorted(f"{one.at:%H:%M}" for one in found)
    for gap in ("! skipped", "! runs dry"):
        assert shown.count(gap) == sum(one.gap == gap for one in found)


@given(entries, st.integers(20, 160))
def test_colour_changes_no_character(found: list[Entry], width: int) -> None:
    """What a terminal is told of colour comes and goes around the same text."""
    coloured = calendar_of(found, FIRST, LAST, width=width, colour=True)
    stripped = [re.sub(r"\x1b\[[\d;]*m", "", line) for line in coloured]
    assert stripped == calendar_of(found, FIRST, LAST, width=width, colour=False)


def test_the_plan_as_a_calendar(
    advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is as wide as the terminal is, 80 columns in a pipe; for one reader it does not count readers."""
    folder = advice.settings.folder
    monkeypatch.delenv("COLUMNS", raising=False)
    path = write_post(folder / "posts", "first", title="First steps")
    assert cli("--site", folder, "queue", "add", path).returncode == 0
    subscribe(advice, "ann@example.org")

    def shown(*more: str) -> str:
        done = cli("--site", folder, "plan", "--calendar", "--weeks", "2", *more)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    at = ("--at", "2026-01-05T00:00:00Z")
    whole = shown(*at)
    for words in ("January 2026", "│ 08:00 advice", "│ First steps", "│ 1 reader ", "│ ! runs dry"):
        assert words in whole
    assert "\x1b" not in whole
    mine = shown(*at, "--reader", "ann@example.org")
    assert "First steps" in mine
    assert "1 reader" not in mine
    assert "runs dry" not in mine
    monkeypatch.setenv("COLUMNS", "40")
    assert shown(*at).startswith("January 2026\nTue  6  08:00 advice\n")


@pytest.mark.parametrize(("environment", "expected"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colour_is_for_terminals(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And for those whose owners have not asked for none."""
    told: list[Any] = []
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(
        "newsletter.cli.calendar.calendar_of", lambda *_, colour, **__: told.append(colour) or []
    )
    plan._draw([], FIRST, FIRST + timedelta(days=7), with_readers=True)
    assert told == [expected]
