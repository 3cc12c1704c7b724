"""`paperround issue watch`: an issue's progress, as the ledger changes."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from newsletter.app import App
from newsletter.cli.watch import View, as_line, as_picture, as_record, tell
from newsletter.delivery.watching import DomainRow, Pace, Snapshot
from newsletter.states import DeliveryState, IssueState
from subscribers.base import system_clock
from tests import issues
from tests.conftest import Cli
from tests.planning import TUESDAY, Town

State = DeliveryState


@pytest.fixture
def issue_id(site: App) -> int:
    """An issue to four readers, nothing of it sent."""
    return issues.plan_issue(Town(site.database), 4)


@contextmanager
def watching(site: App, issue_id: int, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "newsletter", "--site", str(site.settings.folder)]
    process = subprocess.Popen(
        [*command, "issue", "watch", str(issue_id), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def test_each_change_is_a_line_until_the_end(site: App, issue_id: int) -> None:
    """With --json, at once and flushed: what is sent, by state and domain; 0 when the issue is finished."""
    first, second, *rest = issues.letters_of(site.database, issue_id)
    with watching(site, issue_id, "--json") as process:
        assert process.stdout is not None
        began = json.loads(process.stdout.readline())
        assert (began["issue"], began["letters"], began["waiting"]) == (issue_id, {"queued": 4}, 4)
        assert (began["over"], began["eta_seconds"], began["domains"]) == (False, None, [])

        issues.put(site.database, [first], State.SENT)
        issues.put(site.database, [second], State.DEFERRED)
        changed = json.loads(process.stdout.readline())
        if changed["letters"].get("deferred") is None:  # seen between the two
            changed = json.loads(process.stdout.readline())
        assert changed["letters"] == {"deferred": 1, "queued": 2, "sent": 1}
        assert changed["rate"] > 0
        assert changed["eta_seconds"] is not None

        issues.put(site.database, [second, *rest], State.SENT)
        issues.change_issue(site.database, issue_id, finished_at=TUESDAY)
        *_, last = process.stdout
        out = json.loads(last)
        assert (out["over"], out["letters"], out["waiting"]) == (True, {"sent": 4}, 0)
        assert out["domains"] == [{"domain": "example.org", "sent": 4, "deferred": 0, "bounced": 0}]
        assert process.wait() == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_an_interrupt_leaves_it_at_once(site: App, issue_id: int) -> None:
    """Ctrl-C ends it with no complaint, and the issue is as it was."""
    with watching(site, issue_id, "--json") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(
    ("values", "code", "told"),
    [
        ({"finished_at": TUESDAY}, 0, "finished"),
        ({"state": IssueState.PAUSED, "reason": "a wrong link"}, 0, "paused: a wrong link"),
        ({"state": IssueState.CANCELLED, "reason": "by hand"}, 0, "cancelled: by hand"),
        ({"state": IssueState.SKIPPED, "reason": "found 50 hours late"}, 0, "skipped: found 50 hours late"),
        (
            {"state": IssueState.PAUSED, "reason": "bad", "canary_every": 2, "canary_done_at": TUESDAY},
            1,
            "paused: bad",
        ),
    ],
)
def test_it_ends_with_the_issue(
    site: App, issue_id: int, cli: Cli, values: dict[str, object], code: int, told: str
) -> None:
    """One line in a pipe; 1 only if the issue was halted by its first share."""
    issues.change_issue(site.database, issue_id, **values)
    done = cli("--site", site.settings.folder, "issue", "watch", issue_id)
    assert (done.returncode, done.stdout, done.stderr) == (code, f"issue 1: {told}; 4 queued\n", "")


def test_a_terminal_has_a_picture(
    site: App, issue_id: int, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drawn over while it goes, whole at the end."""
    letters = issues.letters_of(site.database, issue_id)
    issues.put(site.database, letters[:3], State.SENT)
    issues.put(site.database, letters[3:], State.BOUNCED)
    issues.change_issue(site.database, issue_id, finished_at=TUESDAY)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    done = cli("--site", site.settings.folder, "issue", "watch", issue_id)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Issue 1 of advice: finished" in done.stdout
    assert "example.org" in done.stdout
    assert "100 %" in done.stdout


def test_the_domains_are_told_apart(site: App) -> None:
    """By what follows the last @, whatever its case; those with the most letters first, ten at most."""
    town = Town(site.database)
    issue_id = issues.plan_issue(town, 1)
    issues.fill(site.database, issue_id, 70)
    letters = issues.letters_of(site.database, issue_id)
    issues.put(site.database, letters, State.SENT)
    from newsletter.delivery.watching import domains
    from subscribers.models import Subscriber

    with site.database.write() as session:
        person = session.get_one(Subscriber, 10_000_000)
        person.address = '"a@b"@D1.example'
        found = domains(session, issue_id)
    assert len(found) == 10
    assert found[0] == DomainRow("d1.example", 3, 0, 0)
    assert {row.sent for row in found[1:]} == {2}


def view(letters: dict[str, int], pace: Pace | None = None, domain: str = "example.org") -> View:
    snapshot = Snapshot(7, "advice", IssueState.PLANNED, "", False, False, letters)
    return View(snapshot, pace or Pace(), [DomainRow(domain, 1, 2, 3)])


def test_the_rate_and_what_is_left_are_told() -> None:
    """In a line and in a record; not before anything is known."""
    letters = {"queued": 3600, "sent": 100}
    moving = Pace().after(0.0, 0).after(10.0, 100)
    assert as_line(view(letters)) == "issue 7: going out; 3600 queued, 100 sent"
    assert as_line(view({})) == "issue 7: going out"
    assert as_line(view(letters, moving)) == (
        "issue 7: going out; 3600 queued, 100 sent; 10 letters/s, 0:06:00 to go"
    )
    record = as_record(view(letters, moving), datetime(2026, 1, 6, tzinfo=UTC))
    assert (record["rate"], record["eta_seconds"]) == (10.0, 360)


def test_what_has_not_changed_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    """Time that passes is no change; each change is."""
    moving = Pace().after(0.0, 0).after(1.0, 5)
    seen = [view({"queued": 2}), view({"queued": 2}, moving), view({"queued": 1, "sent": 1}, moving)]
    for as_json in (False, True):
        last = tell(iter(seen), system_clock, as_json=as_json)
        assert last.letters == {"queued": 1, "sent": 1}
        assert len(capsys.readouterr().out.splitlines()) == 2


@given(
    st.dictionaries(st.sampled_from([str(state) for state in State]), st.integers(0, 10**9)),
    st.text(),
    st.integers(1, 200),
)
def test_a_picture_can_be_drawn_of_anything(letters: dict[str, int], domain: str, width: int) -> None:
    """Any numbers on any terminal; a domain is text, no markup and nothing a terminal would obey."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(as_picture(view(letters, Pace().after(0.0, 0).after(1.0, 5), domain=f"[b]{domain}")))
    assert isinstance(console.file, io.StringIO)
    assert not set(console.file.getvalue()) & {chr(number) for number in range(32) if number != 10}


@given(st.floats(0.1, 10**5), st.floats(0.05, 30), st.integers(2, 100))
def test_a_steady_pace_is_told_as_it_is(rate: float, every: float, looks: int) -> None:
    """At any rate and however often it is looked at; what is left takes as long as it takes."""
    pace = Pace()
    for look in range(looks):
        pace = pace.after(look * every, int(look * every * rate))
    span = pace.seen[-1][0] - pace.seen[0][0]
    assert pace.rate == pytest.approx(rate, abs=1 / span + 1e-6)
    assert len(pace.seen) <= 2 + 15 / every + 1
    if pace.rate:
        assert pace.seconds_for(1000) == pytest.approx(1000 / pace.rate)
    assert pace.seconds_for(0) == 0


@given(st.lists(st.tuples(st.floats(0, 100), st.integers(0, 10**6))))
def test_a_pace_is_never_negative(steps: list[tuple[float, int]]) -> None:
    """Nor is what is left, when letters are queued anew or the time stands still."""
    pace, now = Pace(), 0.0
    for step, tried in steps:
        now += step
        pace = pace.after(now, tried)
        assert pace.rate >= 0
        left = pace.seconds_for(5)
        assert left is None or left >= 0


def test_what_was_long_ago_does_not_count() -> None:
    """After a rest of minutes the rate is that of the last seconds."""
    pace = Pace().after(0.0, 0).after(10.0, 10_000)
    for second in range(11, 60):
        pace = pace.after(float(second), 10_000)
    assert pace.rate == 0
    assert pace.seconds_for(1) is None
