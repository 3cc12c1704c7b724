"""`paperround consent` at work."""

import json
import re

import pytest
from sqlalchemy import update

from newsletter.app import App
from subscribers.models import Consent
from tests.conftest import Cli, subscribe
from tests.feedback.conftest import Correspondence, post

__all__ = ["post"]

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_verify_prints_the_last_hash_and_is_told_of_meddling(advice: App, cli: Cli) -> None:
    """A sound chain ends with 0 and its hash; a record that was changed with 1, by its number."""
    folder = advice.settings.folder
    empty = cli("--site", folder, "consent", "verify")
    assert (empty.returncode, empty.stdout) == (0, "0 records: as it was written\n")
    subscribe(advice, "ann@example.org", "bo@example.org")
    done = cli("--site", folder, "consent", "verify")
    found = re.fullmatch(r"2 records: as it was written\nthe last hash: ([0-9a-f]{64})\n", done.stdout)
    assert found
    subscribe(advice, "cy@example.org")
    again = cli("--site", folder, "consent", "verify", "--noted", found[1].upper(), "--json")
    told = json.loads(again.stdout)
    assert (again.returncode, told["records"], told["is_sound"], told["flaws"]) == (0, 3, True, [])
    wrong = cli("--site", folder, "consent", "verify", "--noted", "0" * 64)
    assert wrong.returncode == 1
    assert "is not in the chain" in wrong.stdout
    with advice.database.write() as session:
        session.execute(update(Consent).where(Consent.id == 2).values(evidence="yes"))
    meddled = cli("--site", folder, "consent", "verify")
    assert meddled.returncode == 1
    assert meddled.stdout == ("link 2: record 2 is not as it was written\n3 records: NOT as it was written\n")


def test_export_shows_all_that_can_be_asked_for(post: Correspondence, cli: Cli) -> None:
    """What was asked, by which words, when, where, and how it was confirmed; with its place in the chain."""
    post.write("news+join.advice@example.org")
    (asked,) = post.new_mail()
    post.write(str(asked["Reply-To"].addresses[0].addr_spec), "Yes please")
    done = cli("--site", post.site.settings.folder, "consent", "export", "Ann@example.org")
    told = json.loads(done.stdout)
    (record,) = told["consents"]
    assert told["address"] == "ann@example.org"
    assert (record["action"], record["source"], record["chain"]["number"]) == ("granted", "email", 1)
    words = told["wordings"][record["details"]["confirmation"]["wording"]]
    assert words.startswith("Please confirm: letters of Good advice\n")
    assert record["details"]["confirmation"]["message_id"] == asked["Message-ID"]
