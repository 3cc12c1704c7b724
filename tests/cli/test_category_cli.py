"""`paperround category` at work."""

import json

import pytest

from newsletter.app import App
from tests.conftest import Cli, Done, subscribe, write_post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; the listings and the errors are read on both."""


def category(site: App, cli: Cli, *arguments: str) -> Done:
    return cli("--site", site.settings.folder, "category", *arguments)


def test_a_new_category_takes_what_is_not_given_from_the_settings(site: App, cli: Cli) -> None:
    """Title from the slug, the rest from [categories]; when it goes out is said, and what to do next."""
    done = category(site, cli, "add", "career-advice")
    assert (done.returncode, done.stdout) == (0, "")
    first, following = done.stderr.splitlines()
    assert first.startswith("career-advice: weekly tue 08:00 UTC, broadcast; next slot 2")
    assert following.startswith("Next: paperround queue add FILE...; paperround subscriber add ADDRESS")
    shown = json.loads(category(site, cli, "show", "career-advice", "--json").stdout)
    assert (shown["title"], shown["cadence"], shown["timezone"]) == (
        "Career advice",
        "weekly tue 08:00",
        "UTC",
    )
    assert first.endswith(f"next slot {shown['next_slot']}.")


def test_a_new_category_takes_what_is_given(site: App, cli: Cli) -> None:
    """Every option reaches the category, the cadence in its canonical spelling."""
    options = (
        "--title",
        "Letters  & more",
        "--cadence",
        "MONTHLY  first MON 09:00",
        "--timezone",
        "Asia/Tokyo",
    )
    assert category(site, cli, "add", "letters", *options, "--mode", "sequence").returncode == 0
    shown = json.loads(category(site, cli, "show", "letters", "--json").stdout)
    assert shown.pop("next_slot").endswith("T09:00")
    assert shown == {
        "slug": "letters",
        "title": "Letters & more",
        "cadence": "monthly first mon 09:00",
        "timezone": "Asia/Tokyo",
        "mode": "sequence",
        "queued": 0,
        "readers": 0,
    }


def test_editing_changes_what_is_given_and_nothing_else(advice: App, cli: Cli) -> None:
    """A new title leaves the cadence alone, and the answer shows what holds now."""
    before = json.loads(category(advice, cli, "show", "advice", "--json").stdout)
    done = category(advice, cli, "edit", "advice", "--title", "Better advice")
    assert done.stderr.startswith("advice: weekly tue 08:00 UTC, broadcast; next slot ")
    assert json.loads(category(advice, cli, "show", "advice", "--json").stdout) == before | {
        "title": "Better advice"
    }
    done = category(advice, cli, "edit", "advice", "--timezone", "Europe/Berlin", "--mode", "sequence")
    assert done.stderr.startswith("advice: weekly tue 08:00 Europe/Berlin, sequence; next slot ")


def test_a_removed_category_keeps_what_it_has_sent(advice: App, cli: Cli) -> None:
    """Its issues stay on record and it is said so; one that has sent nothing is forgotten."""
    path = write_post(advice.settings.folder / "posts", "p")
    assert cli("--site", advice.settings.folder, "queue", "add", path).returncode == 0
    subscribe(advice, "ann@example.org")
    assert cli("--site", advice.settings.folder, "tick", "--at", "2026-01-06T08:00:00Z").returncode == 0
    assert category(advice, cli, "add", "empty").returncode == 0
    assert category(advice, cli, "remove", "empty").stderr == "empty was removed.\n"
    done = category(advice, cli, "remove", "advice")
    assert done.stderr == "advice was removed; its issues and deliveries stay on record.\n"
    assert json.loads(category(advice, cli, "list", "--json").stdout) == []
    assert len(json.loads(cli("--site", advice.settings.folder, "issue", "list", "--json").stdout)) == 1
