"""`paperround category` at work."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from newsletter.app import App
from tests.conftest import HOLIDAYS, Cli, Done, subscribe, write_post

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
        "posts_per_issue": 1,
        "start": None,
        "welcome": None,
        "local_time": False,
        "priority": 5,
        "queued": 0,
        "readers": 0,
        "last_day": None,
        "skipped_days": [],
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


def test_days_are_skipped_and_taken_back(advice: App, cli: Cli) -> None:
    """By day, by span and from a calendar's file; what holds is shown, and the plan gives the reason."""
    assert category(advice, cli, "edit", "advice", "--cadence", "daily 08:00").returncode == 0
    today = datetime.now(UTC).date()
    first, second, third, later = (str(today + timedelta(days=number)) for number in (2, 3, 4, 6))
    done = category(advice, cli, "skip", "advice", f"{first}..{third}", later, "--name", "Rest")
    assert (done.returncode, done.stdout) == (0, "")
    calendar = advice.settings.folder / "holidays.ics"
    calendar.write_text(HOLIDAYS, "utf-8")
    done = category(advice, cli, "holidays", "advice", str(calendar))
    assert done.returncode == 0
    assert re.match(r"1[01] days, the first of them 20\d\d-01-01 New Year\.\n", done.stderr)
    assert category(advice, cli, "unskip", "advice", second).returncode == 0
    shown = json.loads(category(advice, cli, "show", "advice", "--json").stdout)["skipped_days"]
    assert [day for day in shown if "Rest" in day] == [f"{first} Rest", f"{third} Rest", f"{later} Rest"]
    plan = cli("--site", advice.settings.folder, "plan", "--weeks", "1", "--json")
    reasons = {row["slot"]: (row["state"], row["reason"]) for row in json.loads(plan.stdout)}
    assert reasons[f"{third}T08:00"] == ("skipped", "Rest")
    assert reasons[f"{second}T08:00"][0] in ("empty", "skipped")  # it may be New Year


def test_a_category_has_a_last_day(advice: App, cli: Cli) -> None:
    """Set, shown and taken away again."""
    assert category(advice, cli, "edit", "advice", "--last-day", "2030-06-30").returncode == 0
    assert json.loads(category(advice, cli, "show", "advice", "--json").stdout)["last_day"] == "2030-06-30"
    plan = cli("--site", advice.settings.folder, "plan", "--at", "2030-06-20T00:00:00Z", "--json")
    assert plan.returncode == 0, plan.stderr
    assert [row["slot"] for row in json.loads(plan.stdout)][-1] == "2030-06-25T08:00"
    assert category(advice, cli, "edit", "advice", "--last-day", "never").returncode == 0
    assert json.loads(category(advice, cli, "show", "advice", "--json").stdout)["last_day"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("skip", "advice", "tomorrow"), "'tomorrow' is not a day such as 2026-12-24"),
        (("skip", "advice", "2030-02-01..2030-01-01"), "is not a span of up to a year"),
        (("skip", "advice", "2030-02-01..2039-01-01"), "is not a span of up to a year"),
        (("skip", "advice", "2000-01-01"), "2000-01-01 is over: what it had is decided"),
        (("unskip", "advice", "2030-01-01"), "advice does not skip 2030-01-01"),
        (("edit", "advice", "--last-day", "soon"), "'soon' is not a day"),
        (("holidays", "advice", "none.ics"), "none.ics: cannot be read: No such file"),
    ],
)
def test_days_that_cannot_be(advice: App, cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    """Each mistake is named, and nothing is changed by it."""
    done = category(advice, cli, *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert json.loads(category(advice, cli, "show", "advice", "--json").stdout)["skipped_days"] == []


def test_how_readers_get_their_posts_is_said(site: App, cli: Cli) -> None:
    """Posts a letter, the clock and a sequence's start are told when they are set, and can be taken back."""
    options = ("--mode", "sequence", "--posts", "3", "--local-time")
    told = category(site, cli, "add", "course", *options).stderr.splitlines()[0]
    assert told.startswith(
        "course: weekly tue 08:00 by each reader's clock, sequence, 3 posts a letter; next"
    )
    for name in ("a", "b"):
        write_post(site.settings.folder / "posts", f"2026-01-01-{name}", title=name)
    posts = [site.settings.folder / "posts" / f"2026-01-01-{name}.md" for name in ("a", "b")]
    cli("--site", site.settings.folder, "queue", "add", *posts, "--category", "course")
    told = category(site, cli, "edit", "course", "--start", "b", "--one-time", "--posts", "1").stderr
    assert told.startswith("course: weekly tue 08:00 UTC, sequence from b on; next slot ")
    assert "from" not in category(site, cli, "edit", "course", "--start", "first").stderr


def test_newcomers_are_welcomed(site: App, cli: Cli) -> None:
    """A post becomes the welcome, whoever joins gets it with the next pass, and it can be taken back."""
    folder = site.settings.folder
    category(site, cli, "add", "course", "--mode", "sequence")
    write_post(folder / "posts", "2026-01-01-hello", title="Hello")
    told = category(site, cli, "edit", "course", "--welcome", str(folder / "posts" / "2026-01-01-hello.md"))
    assert "sequence, welcome by hello; next slot" in told.stderr
    cli("--site", folder, "subscriber", "add", "ann@example.org", "--category", "course", "--confirmed")
    assert "for 1 reader: Hello\n1 sent" in cli("--site", folder, "tick").stdout
    assert "welcome" not in category(site, cli, "edit", "course", "--welcome", "none").stderr


@pytest.mark.parametrize(
    "words", [("skip", "advice", "9999-12-01..9999-12-31"), ("edit", "advice", "--last-day", "9999-12-31")]
)
def test_the_last_days_there_are(advice: App, cli: Cli, words: tuple[str, ...]) -> None:
    """A calendar ends with the year 9999: its days can be named all the same."""
    done = category(advice, cli, *words)
    assert (done.returncode, done.stderr[:8]) == (0, "advice: ")
