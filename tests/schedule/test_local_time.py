"""Letters at the slot's wall-clock time in each reader's own zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from newsletter.database import Database
from newsletter.models import Delivery, Issue
from newsletter.schedule.planned import PlannedIssue
from newsletter.schedule.timetable import EASTERNMOST, WESTERNMOST
from newsletter.states import Mode
from subscribers.models import Subscriber
from tests.planning import MONDAY, TUESDAY, WEEK, Town, database, empty, shared_database, town

__all__ = ["database", "shared_database", "town"]

ZONES = sorted(available_timezones())


def dues(town: Town) -> dict[str, datetime]:
    """When each reader's letter is due, by their name."""
    with town.database.read() as session:
        rows = session.exec(
            select(Subscriber.address, Delivery.due_at).join(
                Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id)
            )
        )
        return {address.partition("@")[0]: due for address, due in rows}


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zones=st.lists(st.sampled_from(ZONES), min_size=1, max_size=5),
    cadence=st.sampled_from(["weekly tue 08:00", "weekly sun 02:30", "daily 00:00"]),
    week=st.integers(0, 52),
    mode=st.sampled_from(Mode),
)
def test_each_letter_is_due_by_its_readers_clock(
    database: Database, zones: list[str], cadence: str, week: int, mode: Mode
) -> None:
    """In whatever zone a reader lives, the letter is due at the slot's wall-clock time there.

    An hour that a zone's clocks skip is the same distance after the gap; none is due before it is planned.
    """
    empty(database)
    town = Town(database, now=MONDAY + week * WEEK)
    town.category(cadence=cadence, mode=mode, local_time=True)
    town.queue("a")
    for number, zone in enumerate(zones):
        town.subscribe(f"r{number}")
        town.live(f"r{number}", zone)
    [issue] = town.planner.upcoming(town.now, town.now + WEEK)[:1]
    assert [planned.readers for planned in town.plan(issue.due_at) if isinstance(planned, PlannedIssue)] == [
        len(zones)
    ]
    slot = datetime.fromisoformat(issue.slot)
    assert issue.due_at == slot.replace(tzinfo=EASTERNMOST)
    for name, due in dues(town).items():
        zone = ZoneInfo(zones[int(name[1:])])
        assert due == slot.replace(tzinfo=zone).astimezone(UTC)
        assert issue.due_at <= due <= slot.replace(tzinfo=WESTERNMOST)


def test_a_zone_that_is_not_known_is_the_categorys(town: Town) -> None:
    """Who has said no zone, or one that is not known, gets the letter by the category's clock."""
    town.category(timezone="Europe/Berlin", local_time=True)
    town.queue("a")
    town.subscribe("ann", "bo", "cleo")
    town.live("bo", "Mars/Olympus")
    town.live("cleo", "America/New_York")
    town.plan(TUESDAY)
    berlin = datetime(2026, 1, 6, 7, tzinfo=UTC)
    assert dues(town) == {"ann": berlin, "bo": berlin, "cleo": datetime(2026, 1, 6, 13, tzinfo=UTC)}


def test_an_issue_lasts_until_the_last_zone_has_had_it(town: Town) -> None:
    """Its letters become stale so long after the last of them was due, and none goes before the others."""
    town.category(local_time=True)
    town.queue("a")
    town.subscribe("ann")
    town.canary_every = 2
    town.plan(TUESDAY - timedelta(hours=14))
    with town.database.read() as session:
        issue = session.exec(select(Issue)).one()
    assert issue.expires_at == TUESDAY + timedelta(hours=12 + 120)
    assert issue.canary_every is None


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("change", range(-30, 30, 6))
def test_changing_the_clock_while_the_world_goes_through_a_slot(town: Town, first: bool, change: int) -> None:
    """Whenever a category's clock changes, each slot has one issue and each reader one letter of it."""
    town.category(local_time=first)
    town.queue("a", "b", "c", "d")
    town.subscribe("ann")
    slots = range(-7 * 24, 15 * 24, 7 * 24)
    for hours in range(-96, 14 * 24, 6):
        if hours % 24 and all(abs(hours - slot) > 30 for slot in slots):
            continue  # whatever the clock, nothing is due: a pass a day will do
        if hours == change:
            town.change_category("advice", local_time=not first)
        town.now = TUESDAY + WEEK + timedelta(hours=hours)
        town.plan(town.now)
    planned = [slot for _, slot, state in town.issues() if state == "planned"]
    assert planned == sorted(set(planned))
    assert len(planned) >= 2
    assert [row.slot for row in town.letters()] == planned
