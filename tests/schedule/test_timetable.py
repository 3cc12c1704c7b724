"""Timetables: which slots a category has, which of them are left out, and where they end."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from newsletter.schedule.cadence import due_slots, parse_cadence
from newsletter.schedule.categories import Stream, keep_days, set_last_day, skip_days
from newsletter.schedule.planned import PlannedIssue
from newsletter.schedule.timetable import Timetable, timetable_of
from tests.planning import MONDAY, TUESDAY, WEEK, Town, database, shared_database, town

__all__ = ["database", "shared_database", "town"]

RULES = ("daily 07:00,18:00", "weekly tue,fri 08:00", "every 2 weeks mon 02:30", "0 0,23 * * *")
ZONES = ("UTC", "Europe/Berlin", "Pacific/Apia", "America/Sao_Paulo", "Asia/Tehran")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
DAYS = st.dates(date(2026, 1, 1), date(2026, 12, 31))
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


@given(
    st.sampled_from(RULES),
    st.sampled_from(ZONES),
    st.none() | DAYS,
    st.dictionaries(DAYS, st.sampled_from(["", "May Day"]), max_size=40),
)
def test_a_timetable_leaves_out_days_and_ends(
    rule: str, zone: str, last_day: date | None, skipped: dict[date, str]
) -> None:
    """It has the cadence's slots up to its last day, each once; on skipped days they say why nothing goes."""
    cadence, own = parse_cadence(rule), ZoneInfo(zone)
    timetable = Timetable(cadence, own, START.date(), START, last_day, skipped)
    slots = list(takewhile(lambda slot: slot.due_at < END, timetable.slots(START - WEEK)))
    every = takewhile(lambda pair: pair[0] < END, due_slots(cadence, own, START, anchor=START.date()))
    expected = [(due, at) for due, at in every if last_day is None or at.date() <= last_day]
    assert [(slot.due_at, slot.local) for slot in slots] == expected
    assert {slot.local.date() for slot in slots if slot.left_out} == {
        slot.local.date() for slot in slots if slot.local.date() in skipped
    }
    going = [slot for slot in slots if not slot.left_out]
    if going:
        assert timetable.first_from(START) == going[0]
    for slot, following in list(pairwise(sorted(going, key=lambda slot: slot.local)))[:20]:
        assert timetable.next_after(slot) == following


def test_a_timetable_without_a_last_day_has_no_end() -> None:
    """Years of slots can be asked for; with a last day there is nothing after it, however long one waits."""
    timetable = Timetable(parse_cadence("daily 07:00"), ZoneInfo("UTC"), START.date(), START)
    assert len(list(islice(timetable.slots(START), 5000))) == 5000
    ended = Timetable(timetable.cadence, timetable.zone, timetable.anchor, START, last_day=date(2026, 1, 3))
    assert [slot.key for slot in ended.slots(START)] == [f"2026-01-0{day}T07:00" for day in (1, 2, 3)]
    assert ended.first_from(END) is None


def test_a_post_waits_over_a_skipped_day(town: Town) -> None:
    """The slot is decided, as skipped and by its name; what would have gone goes at the next one."""
    category = town.category()
    town.queue("a")
    town.subscribe("ann")
    with town.database.write() as session:
        skip_days(session, category, {TUESDAY.date(): "Epiphany"}, now=MONDAY)
    foretold = town.planner.upcoming(MONDAY, MONDAY + 2 * WEEK)
    done = [*town.plan(TUESDAY), *town.plan(TUESDAY + WEEK)]
    expected = [("2026-01-06T08:00", "skipped", "Epiphany", 0), ("2026-01-13T08:00", "planned", "", 1)]
    for found in (foretold, done):
        issues = [one for one in found if isinstance(one, PlannedIssue)]
        assert [(one.slot, str(one.state), one.reason, one.readers) for one in issues] == expected


def test_a_skipped_day_is_no_missed_slot(town: Town) -> None:
    """After some days of silence the newest slot that was to go is caught up, not a holiday after it."""
    category = town.category(cadence="daily 08:00")
    town.queue("a")
    town.subscribe("ann")
    with town.database.write() as session:
        skip_days(session, category, {TUESDAY.date() + DAY: "Epiphany"}, now=MONDAY)
    done = [one for one in town.plan(TUESDAY + 30 * HOUR) if isinstance(one, PlannedIssue)]
    assert [(one.slot, str(one.state)) for one in done][-2:] == [
        ("2026-01-06T08:00", "planned"),
        ("2026-01-07T08:00", "skipped"),
    ]


def test_after_the_last_day_nothing_is_decided(town: Town) -> None:
    """A category that has ended is silent, and goes on where it is told to."""
    category = town.category()
    with town.database.write() as session:
        set_last_day(session, category, TUESDAY.date())
    assert len(town.plan(TUESDAY + 5 * WEEK)) == 1
    with town.database.write() as session:
        set_last_day(session, category, None)
    assert len(town.plan(TUESDAY + 5 * WEEK)) == 5


def test_a_day_that_is_skipped_at_the_last_moment(town: Town) -> None:
    """A planner that has read the timetable before writes nothing for a day that is skipped meanwhile."""
    category = town.category()
    town.queue("a")
    with town.database.read() as session:
        stream = Stream(category, timetable_of(session, category))
    with town.database.write() as session:
        skip_days(session, category, {TUESDAY.date(): "Epiphany"}, now=MONDAY)
    slot = stream.timetable.first_from(MONDAY)
    assert slot is not None
    assert town.planner._decide(stream, slot, None, TUESDAY) is None
    assert town.issues() == []
    with town.database.write() as session:
        keep_days(session, category, [TUESDAY.date()])
    decided = town.planner._decide(stream, slot, None, TUESDAY)
    assert isinstance(decided, PlannedIssue)
    assert decided.state == "planned"


def test_a_calendar_replaces_the_one_before_and_no_day_that_somebody_named(town: Town) -> None:
    """Read anew, holidays are those of the newer file; a day skipped by hand stays as it was called."""
    category = town.category()
    first, second, third = (MONDAY.date() + number * DAY for number in range(3))
    with town.database.write() as session:
        skip_days(session, category, {first: "by hand"}, now=MONDAY)
        skip_days(session, category, {first: "One", second: "Two"}, calendar="a.ics", now=MONDAY)
        assert timetable_of(session, category).skipped == {first: "by hand", second: "Two"}
        skip_days(session, category, {first: "One", third: "Three"}, calendar="b.ics", now=MONDAY)
        assert timetable_of(session, category).skipped == {first: "by hand", third: "Three"}
