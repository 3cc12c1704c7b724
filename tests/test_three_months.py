"""Three months are loaded on a Sunday: what `plan` says then is what thirteen weeks of `tick` do."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.conftest import GIVEN, Cli, write_post

TODAY = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
SUNDAY = TODAY + timedelta(days=6 - TODAY.weekday())
"""This week's: what a site's categories begin with is the clock's, which is real here."""


def day(weeks: int, days: int = 2) -> str:
    """A day so many weeks after that Sunday, a Tuesday if nothing is said."""
    return str((SUNDAY + timedelta(weeks=weeks, days=days)).date())


def make_site(cli: Cli, site: Path) -> None:
    """A broadcast and a course, posts that stand in both, and readers of one, the other and both."""
    given = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    say(cli, site.parent, "init", site, *given)
    say(
        cli, site, "category", "add", "advice", "--cadence", "weekly tue 08:00", "--timezone", "Europe/Berlin"
    )
    course = ("--cadence", "weekly mon,thu 07:00", "--mode", "sequence", "--posts", "2", "--local-time")
    say(cli, site, "category", "add", "course", *course)
    for number in range(1, 13):
        write_post(site / "posts", f"2029-12-{number:02}-p{number}", title=f"Post {number}")
    files = sorted((site / "posts").glob("*.md"))
    say(cli, site, "queue", "add", *files[:11], "--category", "advice")
    say(cli, site, "queue", "add", *files[6:], "--category", "course")
    say(cli, site, "queue", "edit", "p3", "--not-before", day(9), "--category", "advice")
    say(cli, site, "queue", "edit", "p5", "--slot", f"{day(2)}T08:00", "--category", "advice")
    say(cli, site, "queue", "hold", "p4")
    say(cli, site, "category", "skip", "advice", day(5), "--name", "Winter break")
    for name, category in (("ann", "advice"), ("ann", "course"), ("bo", "advice"), ("cleo", "course")):
        say(cli, site, "subscriber", "add", f"{name}@example.org", "--category", category, "--confirmed")
    say(cli, site, "subscriber", "edit", "cleo@example.org", "--timezone", "America/Los_Angeles")


def say(cli: Cli, site: Path, *arguments: object) -> str:
    """Run a command on the site, which must end well; returns what it prints."""
    noun = arguments if arguments[0] == "init" else ("--site", site, *arguments)
    done = cli(*noun)
    assert done.returncode == 0, done.stderr
    return done.stdout


def plan_of(cli: Cli, site: Path, *options: str) -> list[dict[str, Any]]:
    """What `plan` says of the three months."""
    said = say(cli, site, "plan", "--weeks", "13", "--at", SUNDAY.isoformat(), "--json", *options)
    rows: list[dict[str, Any]] = json.loads(said)
    return rows


def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """What the plan and the list of issues both say of a slot."""
    return {key: row[key] for key in ("category", "slot", "state", "reason")}


def test_what_is_loaded_goes_out_as_planned(cli: Cli, tmp_path: Path) -> None:
    """Slots, states, reasons and readers come as told, and so do each reader's letters; nothing else does."""
    site = tmp_path / "site"
    make_site(cli, site)
    plan = plan_of(cli, site)
    assert {row["state"] for row in plan} == {"planned", "skipped", "empty"}
    names = ("ann", "bo", "cleo")
    theirs = {name: plan_of(cli, site, "--reader", f"{name}@example.org") for name in names}
    for due in sorted({row["due_at"] for row in plan}):
        say(cli, site, "tick", "--at", due)
    say(cli, site, "tick", "--at", (SUNDAY + timedelta(weeks=13, days=2)).isoformat())
    issues = json.loads(say(cli, site, "issue", "list", "--json"))
    until = max(row["due_at"] for row in plan)
    done = [outcome(row) for row in issues if row["due_at"] <= until]
    assert sorted(done, key=str) == sorted((outcome(row) for row in plan), key=str)
    letters = json.loads(say(cli, site, "delivery", "list", "--json"))
    assert {letter["state"] for letter in letters} == {"sent"}
    assert len(letters) == sum(row["readers"] for row in plan) == sum(map(len, theirs.values()))
    for name, rows in theirs.items():
        subjects = sorted(row["subject"] for row in letters if row["address"].startswith(name))
        assert subjects == sorted(map(subject_of, rows))
    assert [row["slot"] for row in plan if row["posts"] == ["p5"]] == [f"{day(2)}T08:00"]


def subject_of(row: dict[str, Any]) -> str:
    """What the letter of a plan's row is called."""
    first, *others = row["posts"]
    title = f"Post {first.removeprefix('p')}"
    return f"{title} and {len(others)} more" if others else title
