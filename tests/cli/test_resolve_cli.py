"""`paperround delivery resolve`: a person decides what nobody else can know."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.delivery.ledger import Ledger
from newsletter.site import POSTS_FOLDER
from tests.conftest import Cli, Clock, subscribe, write_post

HOLD = "PAPERROUND_DELIVERY__IN_DOUBT"
SLOT = "2026-01-06T08:00:00Z"


@pytest.fixture
def in_doubt(advice: App, clock: Clock, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site that holds letters in doubt and has one, number 1: its sender died after the message."""
    monkeypatch.setenv(HOLD, "hold")
    folder = advice.settings.folder
    subscribe(advice, "ann@example.org")
    post = write_post(folder / POSTS_FOLDER, "first")
    assert cli("--site", folder, "queue", "add", post).returncode == 0
    clock.advance(days=1, hours=8)
    advice.plan_due()
    with advice.database.writing_connection() as connection:
        dying = Ledger(advice.database, connection, resend_in_doubt=False, now=clock())
        dying.claim(10, clock())
        dying.settle([1], [])
        dying._ownership.release()
    assert cli("--site", folder, "tick", "--at", SLOT).returncode == 0
    return folder


def shown(cli: Cli, folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli("--site", folder, "delivery", "show", 1, "--json").stdout)
    return found


def test_a_letter_that_arrived_counts_as_sent(in_doubt: Path, cli: Cli) -> None:
    """Held until then, it is sent by a person's word; the doubtful attempt stays on record."""
    assert shown(cli, in_doubt)["state"] == "in_doubt"
    done = cli("--site", in_doubt, "delivery", "resolve", 1, "--as", "sent")
    assert (done.returncode, done.stderr) == (0, "Delivery 1 to ann@example.org counts as sent.\n")
    letter = shown(cli, in_doubt)
    assert (letter["state"], letter["reply"]) == ("sent", "Said by a person to have arrived.")
    assert [attempt["outcome"] for attempt in letter["tries"]] == ["in_doubt"]  # type: ignore[attr-defined]  # JSON
    assert not list((in_doubt / "sandbox").rglob("*.eml"))


def test_a_letter_that_did_not_arrive_goes_again(in_doubt: Path, cli: Cli) -> None:
    """However old the issue is by then, it goes with the next tick."""
    assert cli("--site", in_doubt, "delivery", "resolve", 1, "--as", "again").returncode == 0
    assert shown(cli, in_doubt)["state"] == "queued"
    now = datetime.now(UTC) + timedelta(minutes=1)
    assert cli("--site", in_doubt, "tick", "--at", now.isoformat()).returncode == 0
    assert shown(cli, in_doubt)["state"] == "sent"
    assert len(list((in_doubt / "sandbox").rglob("*.eml"))) == 1


def test_only_a_doubt_can_be_decided(in_doubt: Path, cli: Cli) -> None:
    """A letter that is settled stays as it is; a word that is no decision is a usage error."""
    assert cli("--site", in_doubt, "delivery", "resolve", 1, "--as", "maybe").returncode == 2
    assert cli("--site", in_doubt, "delivery", "resolve", 2, "--as", "sent").returncode == 1
    assert cli("--site", in_doubt, "delivery", "resolve", 1, "--as", "sent").returncode == 0
    done = cli("--site", in_doubt, "delivery", "resolve", 1, "--as", "again")
    assert (done.returncode, done.stderr) == (
        1,
        "paperround: delivery 1 is sent, not in doubt; nothing changed\n",
    )
