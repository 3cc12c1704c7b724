"""Listings: a table for people, one JSON document for programs, and nothing else on standard output."""

import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app import App
from newsletter.cli.output import Progress, cell, count_of, fitted, print_rows, tally
from tests.conftest import Cli, subscribe, write_post

DUE = "2026-01-06T08:00:00Z"


@pytest.fixture
def busy(advice: App, cli: Cli) -> App:
    """A site with something in every listing: an issue that went out, a post that waits, three readers."""
    for name in ("first", "second"):
        path = write_post(advice.settings.folder / "posts", name, title=f"The {name} שלום")
        assert cli("--site", advice.settings.folder, "queue", "add", path).returncode == 0
    subscribe(advice, "ann@example.org", "bo@example.org")
    subscribe(advice, "cy@example.org", confirmed=False)
    assert cli("--site", advice.settings.folder, "tick", "--at", DUE).returncode == 0
    return advice


def document(cli: Cli, site: App, *command: str) -> Any:
    """What a command prints with --json, which has to be one document."""
    done = cli("--site", site.settings.folder, *command, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_every_listing_and_every_show_has_one_document(busy: App, cli: Cli) -> None:
    """Each prints one JSON document, of the objects and keys that scripts are promised."""
    category = document(cli, busy, "category", "list")
    assert category == [document(cli, busy, "category", "show", "advice")]
    assert (category[0]["slug"], category[0]["queued"], category[0]["readers"]) == ("advice", 1, 2)

    waiting = document(cli, busy, "queue", "list")
    assert [(row["category"], row["place"], row["slug"], row["state"]) for row in waiting] == [
        ("advice", 1, "second", "queued")
    ]
    everything = document(cli, busy, "queue", "list", "--all", "--category", "advice")
    assert [(row["slug"], row["state"]) for row in everything] == [("first", "issued"), ("second", "queued")]
    assert document(cli, busy, "queue", "show", "first")["categories"] == {"advice": "issued"}
    done = [(row["slug"], row["action"]) for row in document(cli, busy, "queue", "history")]
    assert done == [("first", "added"), ("second", "added"), ("first", "issued")]

    issues = document(cli, busy, "issue", "list")
    assert issues[0] == document(cli, busy, "issue", "show", str(issues[0]["id"]))
    assert (issues[0]["slot"], issues[0]["posts"]) == ("2026-01-06T08:00", ["first"])
    assert (issues[0]["due_at"], issues[0]["deliveries"]) == (DUE, {"sent": 2})

    deliveries = document(cli, busy, "delivery", "list")
    assert [(row["address"], row["state"], row["attempts"]) for row in deliveries] == [
        ("ann@example.org", "sent", 1),
        ("bo@example.org", "sent", 1),
    ]
    assert document(cli, busy, "delivery", "list", "--state", "bounced") == []
    assert document(cli, busy, "delivery", "list", "--state", "sent", "--issue", "1") == deliveries
    one = document(cli, busy, "delivery", "show", str(deliveries[0]["id"]))
    assert [(attempt["stage"], attempt["code"]) for attempt in one["tries"]] == [(".", 250)]

    readers = document(cli, busy, "subscriber", "list", "--category", "advice")
    assert [(row["address"], row["subscriptions"]) for row in readers] == [
        ("ann@example.org", {"advice": "active"}),
        ("bo@example.org", {"advice": "active"}),
        ("cy@example.org", {"advice": "pending"}),
    ]
    shown = document(cli, busy, "subscriber", "show", "ann@example.org")
    assert [consent["action"] for consent in shown["consents"]] == ["granted"]


def test_the_plan_is_a_list_with_an_object_a_slot(busy: App, cli: Cli) -> None:
    """`plan --json`: category, slot, posts and readers of each slot, in the order of their dues."""
    slots = document(cli, busy, "plan", "--weeks", "2", "--at", "2026-01-06T09:00:00Z")
    told = [(slot["category"], slot["slot"], slot["posts"], slot["readers"]) for slot in slots]
    assert told == [("advice", "2026-01-13T08:00", ["second"], 2), ("advice", "2026-01-20T08:00", [], 0)]
    done = cli("--site", busy.settings.folder, "plan", "--weeks", "2", "--at", "2026-01-06T09:00:00Z")
    assert done.stdout.splitlines() == [
        "slot              timezone  category  posts   readers  reason",
        "2026-01-13T08:00  UTC       advice    second  2",
        "2026-01-20T08:00  UTC       advice            0        empty: nothing is queued",
    ]


def test_a_sequence_is_planned_reader_by_reader(busy: App, cli: Cli) -> None:
    """In sequence mode one slot may carry several posts: each reader's own next one."""
    folder = busy.settings.folder
    add = ("category", "add", "course", "--mode", "sequence", "--cadence", "daily 07:00")
    assert cli("--site", folder, *add).returncode == 0
    posts = [write_post(folder / "posts", f"lesson-{n}") for n in (1, 2)]
    assert cli("--site", folder, "queue", "add", *posts, "--category", "course").returncode == 0
    subscribe(busy, "dee@example.org", category="course")
    slots = document(cli, busy, "plan", "--weeks", "1")
    told = [
        (slot["posts"], slot["readers"], slot["reason"]) for slot in slots if slot["category"] == "course"
    ]
    assert told[:3] == [
        (["lesson-1"], 1, ""),
        (["lesson-2"], 1, ""),
        ([], 0, "nothing is queued that a reader lacks"),
    ]


def test_an_empty_listing_is_an_empty_list_and_says_what_to_do(site: App, cli: Cli) -> None:
    """Where there is nothing, --json prints [] and people are told on standard error what to type."""
    for noun, told in (
        ("category", "No category yet: paperround category add SLUG --title TITLE"),
        ("queue", "No category yet: paperround category add SLUG --title TITLE"),
        ("issue", "No issue yet: `paperround plan` shows what comes"),
        ("delivery", "No delivery yet: `paperround plan`"),
        ("subscriber", "No reader yet: paperround subscriber add ADDRESS --category SLUG"),
    ):
        assert document(cli, site, noun, "list") == []
        done = cli("--site", site.settings.folder, noun, "list")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{told}\n")


def test_a_table_has_a_line_a_row(busy: App, cli: Cli) -> None:
    """In a pipe nothing is cut, no line ends in spaces, and other scripts come out as they are."""
    done = cli("--site", busy.settings.folder, "queue", "list", "--all")
    assert done.stdout.splitlines() == [
        "category  place  slug    title            state   when",
        "advice    1      first   The first שלום   issued",
        "advice    2      second  The second שלום  queued",
    ]
    assert done.stderr == ""


def test_one_thing_is_shown_a_value_a_line(busy: App, cli: Cli) -> None:
    """`show` writes names and values below each other; a delivery with each try at it."""
    done = cli("--site", busy.settings.folder, "delivery", "show", "1")
    values = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line]
    assert ["state", "sent"] in values
    assert ["stage", "end of the letter"] in values
    done = cli("--site", busy.settings.folder, "issue", "show", "1")
    assert "deliveries   2 sent" in done.stdout
    done = cli("--site", busy.settings.folder, "subscriber", "show", "cy@example.org")
    assert "subscriptions  advice (pending)" in done.stdout
    assert "requested" in done.stdout


@given(
    st.lists(st.integers(0, 200), min_size=1, max_size=8),
    st.integers(1, 300),
)
def test_a_table_fits_or_gives_all_it_can(widths: list[int], room: int) -> None:
    """No column grows; the table fits, or no column is wider than the narrowest there may be."""
    narrowed = fitted(widths, room)
    assert all(new <= old for new, old in zip(narrowed, widths, strict=True))
    gaps = 2 * (len(widths) - 1)
    assert sum(narrowed) + gaps <= room or max(narrowed) <= 8
    if sum(widths) + gaps <= room:
        assert narrowed == widths


def test_a_terminal_gets_what_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a terminal long cells are cut with an ellipsis, wide characters counted as two."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "20")
    rows = [{"id": 1, "a_title": "日本語日本語日本語"}, {"id": 12345678901, "a_title": "e\u0301" * 10}]
    print_rows(rows, ("id", "a_title"), empty="")
    assert capsys.readouterr().out.splitlines() == [
        "id         a title",
        "1          日本語日…",
        "12345678…  " + "e\u0301" * 8 + "…",
    ]


@given(st.text())
def test_no_cell_can_command_a_terminal(text: str) -> None:
    """Whatever a value is, it is shown on one line and has no control character."""
    shown = cell(text)
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)
    assert cell(shown) == shown


def test_counts_read_as_people_say_them() -> None:
    """One reader, two readers; states in words."""
    assert (count_of(1, "reader"), count_of(0, "reader")) == ("1 reader", "0 readers")
    assert tally({"sent": 2, "in_doubt": 1}) == "1 in doubt, 2 sent"


def test_progress_is_for_terminals_and_leaves_no_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a pipe nothing is written; on a terminal one line is written over, and is gone at the end."""
    with Progress() as progress:
        progress("1 sent")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("newsletter.cli.output.is_terminal", lambda: True)
    with Progress() as progress:
        progress("1 sent")
        progress("2 sent")  # within the same moment: not worth showing
    assert capsys.readouterr().err == "\r1 sent\r      \r"
