"""Which slots a post can be kept for: those of the timetable, to come, at which something may go."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import select

from newsletter.database import Database
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category
from newsletter.schedule.categories import find_category, remove_category, set_last_day, skip_days
from newsletter.schedule.pins import check_slot
from newsletter.schedule.timetable import SLOT_FORMAT, timetable_of
from tests.planning import MONDAY, TUESDAY, Town, database, empty, shared_database, town

__all__ = ["database", "shared_database", "town"]


def pin(town: Town, text: str, category: str = "advice") -> str:
    with town.database.write() as session:
        return check_slot(session, find_category(session, category), text, town.now)


def test_a_slot_of_the_timetable_is_taken(town: Town) -> None:
    """Soon or years ahead, in the category's own zone."""
    town.category()
    town.category("far", timezone="Pacific/Kiritimati", cadence="daily 23:30")
    for text in ("2026-01-06T08:00", "2031-06-03T08:00"):
        assert pin(town, text) == text
    assert pin(town, "2026-01-05T23:30", "far") == "2026-01-05T23:30"


NO_SLOTS = ["", "soon", "2026-01-06", "2026-01-06 08:00", "2026-1-6T8:00", "2026-01-06T08:00Z"]
NO_SLOTS += ["0001-01-02T08:00", "٢٠٢٦-01-06T08:00", "x" * 999]


@pytest.mark.parametrize("text", NO_SLOTS)
def test_what_is_no_slot_is_told(town: Town, text: str) -> None:
    """With an example of one."""
    town.category()
    with pytest.raises(QueueError, match="is not a slot such as 2026-12-01T08:00"):
        pin(town, text)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("2026-01-07T08:00", "2026-01-13T08:00"),  # another day
        ("2026-01-06T08:01", "2026-01-13T08:00"),
        ("2025-12-30T08:00", "2026-01-06T08:00"),  # before the category was made
        ("1970-01-06T08:00", "2026-01-06T08:00"),
        ("9999-12-28T08:00", "2026-01-06T08:00"),  # nobody means that
    ],
)
def test_a_slot_that_there_is_not_names_the_next_one(town: Town, text: str, instead: str) -> None:
    """From the day that was meant on, or from now on where that is out of reach."""
    town.category()
    said = f"^advice has no slot {text} to come; from there on it has {instead}$"
    with pytest.raises(QueueError, match=said):
        pin(town, text)


def test_slots_that_nothing_goes_at(town: Town) -> None:
    """One that is over, one that was decided by a trial, a skipped day, and one after the last day."""
    town.category()
    with town.database.write() as session:
        category = find_category(session, "advice")
        skip_days(session, category, {date(2026, 1, 20): "Winter break"}, now=MONDAY)
        set_last_day(session, category, date(2026, 1, 27))
    with pytest.raises(QueueError, match="nothing goes at 2026-01-20T08:00 in advice: Winter break"):
        pin(town, "2026-01-20T08:00")
    with pytest.raises(QueueError, match=r"no slot 2026-02-03T08:00 to come$"):
        pin(town, "2026-02-03T08:00")
    town.plan(TUESDAY)
    with pytest.raises(QueueError, match="is decided: `paperround issue list`"):
        pin(town, "2026-01-06T08:00")
    town.now = TUESDAY
    with pytest.raises(QueueError, match="no slot 2026-01-06T08:00 to come; from there on it has 2026-01-13"):
        pin(town, "2026-01-06T08:00")


def test_a_category_that_was_removed_meanwhile(town: Town) -> None:
    """Its slots are nobody's any more."""
    category = town.category()
    with town.database.write() as session:
        remove_category(session, find_category(session, "advice"), editor=town.editor)
    with town.database.read() as session, pytest.raises(NotFoundError, match="just been removed"):
        check_slot(session, category, "2026-01-06T08:00", MONDAY)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cadence=st.sampled_from(["daily 02:30", "weekly tue,sun 00:00,23:59", "monthly last sun 02:30"]),
    zone=st.sampled_from(["Europe/Berlin", "Pacific/Kiritimati", "America/New_York", "UTC"]),
    now=st.datetimes(datetime(2026, 1, 5), datetime(2026, 12, 31)),  # noqa: DTZ001
    ahead=st.integers(0, 40),
    slip=st.sampled_from([0, 0, 1, 60]),
)
def test_exactly_the_slots_to_come_are_taken(
    database: Database, cadence: str, zone: str, now: datetime, ahead: int, slip: int
) -> None:
    """In any zone, also where clocks change: what the timetable gives is taken, a minute beside it is not."""
    empty(database)
    town = Town(database)
    town.category(cadence=cadence, timezone=zone)
    town.now = now.replace(tzinfo=MONDAY.tzinfo)
    with database.read() as session:
        timetable = timetable_of(session, session.exec(select(Category)).one())
    coming = [slot for _, slot in zip(range(ahead + 60), timetable.slots(town.now), strict=False)]
    text = (coming[ahead].local + timedelta(minutes=slip)).strftime(SLOT_FORMAT)
    if any(slot.key == text and slot.due_at > town.now for slot in coming):
        assert pin(town, text) == text
    else:
        with pytest.raises(QueueError, match="has no slot"):
            pin(town, text)
