"""`paperround issue` and `paperround delivery complained`: a hand on what goes out."""

import json
from typing import Any

import pytest
from sqlalchemy import Connection, update
from sqlmodel import col

import newsletter.delivery.issues
from newsletter.app import App
from newsletter.models import Delivery
from newsletter.states import DeliveryState, Fault, IssueState
from tests import issues
from tests.conftest import Cli, Done
from tests.planning import TUESDAY, Town

State = DeliveryState


@pytest.fixture
def issue_id(site: App) -> int:
    """An issue to four readers: two letters sent, two waiting."""
    planned = issues.plan_issue(Town(site.database), 4)
    issues.put(site.database, issues.letters_of(site.database, planned)[:2], State.SENT, attempts=1)
    return planned


@pytest.fixture
def run(site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """A command on the site, which keeps a log."""
    monkeypatch.setenv("PAPERROUND_LOG__TO", "log.jsonl")
    return lambda *arguments: cli("--site", site.settings.folder, *arguments)


def logged(site: App) -> list[dict[str, Any]]:
    """What was recorded, without the times."""
    text = (site.settings.folder / "log.jsonl").read_text("utf-8")
    return [{k: v for k, v in json.loads(line).items() if k != "time"} for line in text.splitlines()]


def said(done: Done) -> str:
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def test_an_issue_is_paused_and_resumed(site: App, issue_id: int, run: Cli) -> None:
    """Each says what it did in numbers and what comes next; `issue show` has the reason."""
    assert said(run("issue", "pause", issue_id, "--reason", "a wrong link")) == (
        "Issue 1 is paused: 2 queued, 2 sent. `paperround issue resume 1`\n"
    )
    shown = json.loads(run("issue", "show", issue_id, "--json").stdout)
    assert (shown["state"], shown["reason"]) == ("paused", "a wrong link")
    assert "paused: a wrong link" in run("issue", "list").stdout
    assert said(run("issue", "resume", issue_id)) == (
        "Issue 1 goes on with the next `tick` or `run`: 2 queued, 2 sent.\n"
    )
    again = run("issue", "resume", issue_id)
    assert (again.returncode, again.stderr) == (
        1,
        "paperround: issue 1 is going out and cannot be resumed; nothing changed\n",
    )
    assert [record["event"] for record in logged(site)] == ["issue.paused", "issue.resumed"]


def test_an_issue_that_went_out_is_finished(site: App, issue_id: int, run: Cli) -> None:
    """Said so to people, once its last letter has come to its end; its state stays what scripts know."""
    assert " planned " in run("issue", "list").stdout
    issues.put(site.database, issues.letters_of(site.database, issue_id), State.SENT)
    with site.database.write() as session:
        newsletter.delivery.issues.finish(session.connection(), TUESDAY)
    assert " finished " in run("issue", "list").stdout
    assert json.loads(run("issue", "list", "--json").stdout)[0]["state"] == "planned"


def test_an_issue_is_cancelled(site: App, issue_id: int, run: Cli) -> None:
    """What was not sent never will be, and the issue has come to its end."""
    assert said(run("issue", "cancel", issue_id)) == (
        "Issue 1 is cancelled; 2 letters will not go: 2 cancelled, 2 sent.\n"
    )
    shown = json.loads(run("issue", "show", issue_id, "--json").stdout)
    assert (shown["state"], shown["reason"], shown["deliveries"]) == (
        "cancelled",
        "by hand",
        {"cancelled": 2, "sent": 2},
    )
    assert shown["finished_at"] is not None
    assert run("issue", "cancel", issue_id).returncode == 1
    assert logged(site) == [
        {"level": "info", "event": "issue.cancelled", "issue": 1, "letters": 2},
        {"level": "info", "event": "issue.finished", "issue": 1},
    ]


def test_an_issue_that_ends_meanwhile_is_on_record_too(site: App, issue_id: int, run: Cli) -> None:
    """Whoever finds that an issue has come to its end logs it, whichever it is."""
    other = issues.plan_issue(Town(site.database), 1, category="letters")
    issues.put(site.database, issues.letters_of(site.database, other), State.SENT)
    said(run("issue", "cancel", issue_id))
    ended = [record["issue"] for record in logged(site) if record["event"] == "issue.finished"]
    assert ended == [issue_id, other]


def test_letters_that_a_sender_has_in_hand_are_counted_among_the_cancelled(
    site: App, issue_id: int, run: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is quicker to end them, and whether they are ended yet: none of them will go."""
    claimed = issues.letters_of(site.database, issue_id)[-1]
    clear = newsletter.delivery.issues.clear

    def outrun(connection: Connection) -> int:
        clear(connection)  # as the sender did meanwhile, but for what it claimed just then
        connection.execute(
            update(Delivery).where(col(Delivery.id) == claimed).values(state=DeliveryState.CLAIMED)
        )
        return 0

    monkeypatch.setattr(newsletter.delivery.issues, "clear", outrun)
    assert said(run("issue", "cancel", issue_id)) == (
        "Issue 1 is cancelled; 2 letters will not go: 1 cancelled, 1 claimed, 2 sent.\n"
    )
    assert logged(site)[0]["letters"] == 2


def test_a_large_issue_is_cancelled_to_its_last_letter(site: App, issue_id: int, run: Cli) -> None:
    """Also where its letters are more than are ended at one time."""
    issues.fill(site.database, issue_id, 4500)
    assert said(run("issue", "cancel", issue_id)).startswith("Issue 1 is cancelled; 4502 letters will not go")
    assert issues.issue(site.database, issue_id).finished_at is not None


def test_failed_letters_are_tried_again(site: App, issue_id: int, run: Cli) -> None:
    """Without --all only those that failed for no fault of the reader's; those left out are counted."""
    first, second, third, fourth = issues.letters_of(site.database, issue_id)
    for letter, fault in ((first, Fault.POLICY), (second, Fault.ADDRESS), (third, Fault.POLICY)):
        issues.bounce(site.database, letter, fault)
    issues.put(site.database, [fourth], State.SENT)
    Town(site.database).leave("reader2")
    assert said(run("issue", "retry-failed", issue_id)) == (
        "1 letter of issue 1 to be sent again; 1 left out: the reader has left, or has the post by "
        "another letter.\n"
    )
    assert issues.states(site.database, issue_id) == ["queued", "bounced", "bounced", "sent"]
    assert "1 letter of issue 1" in said(run("issue", "retry-failed", issue_id, "--all"))
    assert logged(site)[0] == {
        "level": "info",
        "event": "issue.retried",
        "issue": 1,
        "letters": 1,
        "left_out": 1,
    }


@pytest.mark.parametrize("reason", ["x" * 201, "two\nlines", "\udcff"])
def test_a_reason_is_one_line_that_fits(issue_id: int, run: Cli, reason: str) -> None:
    """Anything else is a usage error, and nothing changes."""
    assert run("issue", "pause", issue_id, "--reason", reason).returncode == 2
    assert run("issue", "pause", issue_id, "--reason", "ü" * 200).returncode == 0


@pytest.mark.parametrize("command", ["pause", "resume", "cancel", "retry-failed", "watch", "show"])
def test_an_issue_that_is_not_there(site: App, run: Cli, command: str) -> None:
    """Is named, with where to look."""
    done = run("issue", command, 999)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("paperround: there is no issue 999; `paperround issue list` shows")


def test_a_complaint_is_recorded_once(site: App, issue_id: int, run: Cli) -> None:
    """The reader has left, by `complaint`, and the ledger says when; a second time changes nothing."""
    letter = issues.letters_of(site.database, issue_id)[0]
    assert said(run("delivery", "complained", letter)) == (
        f"The complaint about delivery {letter} is on record. Its reader has left advice.\n"
    )
    shown = json.loads(run("delivery", "show", letter, "--json").stdout)
    assert shown["complained_at"] is not None
    consents = json.loads(run("subscriber", "show", "reader0@example.org", "--json").stdout)["consents"]
    assert (consents[-1]["action"], consents[-1]["source"]) == ("withdrawn", "complaint")
    assert "on record already" in said(run("delivery", "complained", letter))
    assert run("delivery", "complained", 999).returncode == 1
    assert [record["event"] for record in logged(site)] == ["letter.complained"]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"canary_every": None}, None),
        ({"canary_every": 20}, "first share"),
        ({"canary_every": 20, "canary_done_at": TUESDAY}, "waiting"),
        ({"canary_every": 20, "canary_done_at": TUESDAY, "state": IssueState.PAUSED}, "halted"),
        ({"canary_every": 20, "state": IssueState.PAUSED}, "first share"),
        ({"canary_done_at": TUESDAY}, "over"),
    ],
)
def test_where_the_first_share_stands(
    site: App, issue_id: int, run: Cli, values: dict[str, Any], told: str | None
) -> None:
    """`issue show` says it, and when the issue expires."""
    issues.change_issue(site.database, issue_id, **values)
    shown = json.loads(run("issue", "show", issue_id, "--json").stdout)
    assert (shown["canary"], shown["finished_at"]) == (told, None)
    assert shown["expires_at"] == "2026-01-11T08:00:00Z"


def test_the_ledger_is_listed_as_the_same_document_however_long(site: App, issue_id: int, run: Cli) -> None:
    """What is printed a row at a time is the JSON that printing all at once would give."""
    issues.bounce(site.database, issues.letters_of(site.database, issue_id)[0], Fault.POLICY)
    text = run("delivery", "list", "--json").stdout
    rows = json.loads(text)
    assert text == json.dumps(rows, ensure_ascii=False, indent=2) + "\n"
    assert [(row["state"], row["fault"]) for row in rows] == [
        ("bounced", "policy"),
        ("sent", None),
        ("queued", None),
        ("queued", None),
    ]
    assert run("delivery", "list", "--state", "held", "--json").stdout == "[]\n"
    shown = json.loads(run("delivery", "show", rows[0]["id"], "--json").stdout)
    assert [(one["outcome"], one["relay"]) for one in shown["tries"]] == [("bounced", None)]
