"""`paperround subscriber show`, `dossier`, `erase`, `subscribe`, `unsubscribe` and `orders` at work."""

import json
import stat
from pathlib import Path

import pytest

from newsletter.app import App
from subscribers.address import parse_address
from subscribers.models import SuppressionReason
from subscribers.subscriptions import find_subscriber
from tests.cli.test_subscriber_cli import states, subscriber
from tests.conftest import Cli, subscribe
from tests.orders import suppress
from tests.web.conftest import Issue, issue

__all__ = ["issue"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; the listings and the errors are read on both."""

ANN, BO = "ann@example.org", "bo@example.org"


def give_order(site: App, address: str, reason: SuppressionReason) -> None:
    with site.database.write() as session:
        suppress(site, session, address, reason)


def test_a_reason_is_asked_for_and_kept(advice: App, cli: Cli) -> None:
    """Coming, going and coming back: each is on the record with what was said."""
    reasons = ["asked at the fair", "asked by phone", "wrote again"]
    words = ["subscribe", "unsubscribe", "subscribe"]
    said = []
    for word, reason in zip(words, reasons, strict=True):
        category = ("--category", "advice") if word == "subscribe" else ()
        done = subscriber(advice, cli, word, ANN, *category, "--reason", reason)
        assert done.returncode == 0
        said.append(done.stderr)
    assert said == [f"{ANN} gets letters of advice.\n", f"{ANN} left advice.\n", said[0]]
    shown = json.loads(subscriber(advice, cli, "show", ANN, "--json").stdout)
    assert [one["evidence"] for one in shown["consents"]] == reasons
    assert [one["action"] for one in shown["consents"]] == ["granted", "withdrawn", "granted"]
    assert subscriber(advice, cli, "subscribe", BO, "--category", "advice").returncode == 2


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_an_order_is_taken_back_by_its_own_reason_alone(
    advice: App, cli: Cli, reason: SuppressionReason
) -> None:
    """No other way to subscribe gets past it; the refusal says what would."""
    subscribe(advice, ANN)
    give_order(advice, ANN, reason)
    join = ("subscribe", ANN, "--category", "advice", "--reason", "wrote again")
    others = [other for other in SuppressionReason if other != reason]
    tries = [join, ("add", ANN, "--category", "advice", "--confirmed")]
    tries += [(*join, "--despite", other) for other in others]
    for attempt in tries:
        refused = subscriber(advice, cli, *attempt)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"paperround: {ANN} is not to be written to ({reason}, ")
        assert refused.stderr.endswith(f"--despite {reason}\n")
        assert "active" not in states(advice, cli).values()
    assert subscriber(advice, cli, *join, "--despite", reason).returncode == 0
    assert states(advice, cli) == {ANN: "active"}
    shown = json.loads(subscriber(advice, cli, "show", ANN, "--json").stdout)
    assert shown["consents"][-1]["evidence"] == "wrote again"


def test_for_good_is_also_for_strangers(advice: App, cli: Cli) -> None:
    """Nobody with the address becomes a reader by a slip; the order is counted, and not whose it is."""
    subscribe(advice, ANN)
    for address, told in ((ANN, "left advice and is"), (BO, "is")):
        done = subscriber(advice, cli, "unsubscribe", address, "--for-good", "--reason", "wrote to us")
        assert done.stderr == f"{address} {told} not to be written to any more.\n"
    assert subscriber(advice, cli, "add", BO, "--category", "advice", "--confirmed").returncode == 1
    (row,) = json.loads(subscriber(advice, cli, "orders", "--json").stdout)
    assert (row["reason"], row["addresses"]) == ("asked", 2)
    shown = subscriber(advice, cli, "show", BO).stdout
    assert "write no more: asked, 2026-" in shown
    assert "nothing but this order" in shown


def test_a_name_turns_no_line_around(issue: Issue, cli: Cli) -> None:
    """Marks of direction in what a stranger has called themselves do not reach a terminal."""
    with issue.site.database.write() as session:
        found = find_subscriber(session, parse_address(ANN))
        assert found
        found.name = "Ann\u202egro.elpmaxe"
    shown = subscriber(issue.site, cli, "show", ANN).stdout
    assert "Ann gro.elpmaxe" in shown
    assert "\u202e" not in shown


def test_all_that_is_held_is_in_one_file(issue: Issue, cli: Cli, tmp_path: Path) -> None:
    """JSON, that only whoever asked for it can read; of a stranger too, who may have written."""
    issue.send()
    file = tmp_path / "ann.json"
    file.write_text("an older one, " * 10_000)
    file.chmod(0o644)
    done = subscriber(issue.site, cli, "dossier", ANN, "--output", file)
    assert (done.returncode, done.stdout) == (0, "")
    held = json.loads(file.read_text(encoding="utf-8"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert held == json.loads(subscriber(issue.site, cli, "dossier", ANN).stdout)
    assert held["person"]["address"] == ANN
    assert len(held["letters"]) == len(held["consents"]) == 1
    fresh = tmp_path / "fresh.json"
    assert subscriber(issue.site, cli, "dossier", "zoe@example.org", "--output", fresh).returncode == 0
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    assert json.loads(fresh.read_text())["person"] is None


def test_who_is_erased_is_shown_as_that_and_stays_out(issue: Issue, cli: Cli, tmp_path: Path) -> None:
    """Check 40: by the hash alone; twice is harmless; the letter that waited does not go, nor an import."""
    said = subscriber(issue.site, cli, "erase", "ANN@example.org")
    assert said.returncode == 0
    assert said.stderr.startswith("ANN@example.org is erased")
    assert issue.send() == [BO]
    shown = json.loads(subscriber(issue.site, cli, "show", ANN, "--json").stdout)
    assert (shown["id"], shown["order"]["reason"]) == (None, "erased")
    assert subscriber(issue.site, cli, "erase", ANN).returncode == 0
    assert subscriber(issue.site, cli, "add", ANN, "--category", "advice", "--confirmed").returncode == 1
    file = tmp_path / "moved.csv"
    file.write_text(f"email,name\n{ANN},Ann\nnew@example.org,New\n", encoding="utf-8")
    moved = ("import", file, "--category", "advice", "--confirmed")
    assert subscriber(issue.site, cli, *moved).returncode == 0
    assert states(issue.site, cli).keys() == {BO, "new@example.org"}
