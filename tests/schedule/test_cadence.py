"""What cadences promise: which slots there are, when each falls due, and errors that can be acted upon."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from time import perf_counter
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import CadenceError
from newsletter.schedule.cadence import (
    Cadence,
    change_takes_effect,
    due_at,
    due_slots,
    parse_cadence,
    parse_zone,
    slots_between,
)

ANCHOR = date(2026, 1, 1)  # a Thursday
ZONES = sorted(available_timezones())
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def wall(text: str) -> datetime:
    """A naive local time."""
    return datetime.fromisoformat(text)


def utc(text: str) -> datetime:
    """An instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first_slots(text: str, after: str, count: int) -> list[str]:
    """The first slots after a local time, as text."""
    slots = parse_cadence(text).slots(wall(after), anchor=ANCHOR)
    return [slot.isoformat(" ", "minutes") for slot in islice(slots, count)]


@cache
def transitions(zone: str) -> list[datetime]:
    """The instants, to the minute, at which this zone's offset changes from 2016 to 2036."""
    found = []
    week, end = utc("2016-01-01"), utc("2036-01-01")

    def offset(instant: datetime) -> timedelta | None:
        return instant.astimezone(ZoneInfo(zone)).utcoffset()

    while week < end:
        low, high = week, week + timedelta(days=7)
        if offset(low) != offset(high):
            while high - low > timedelta(minutes=1):
                middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
                low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
            found.append(high)
        week += timedelta(days=7)
    return found


# What hypothesis draws: every form of cadence, every zone, and instants that crowd around clock changes.

clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
days = st.sampled_from(DAYS)
weeks_of_month = st.sampled_from(["first", "second", "third", "fourth", "last"])
crons = st.builds(
    "{} {} {} {} {}".format,
    st.sampled_from(["0", "*/15", "7,59", "0-30/10"]),
    st.sampled_from(["*", "2", "1-3", "*/7", "0,23"]),
    st.sampled_from(["*", "1", "29", "31,1", "*/2"]),
    st.sampled_from(["*", "jan-dec", "2,mar", "*/5"]),
    st.sampled_from(["*", "mon-fri", "fri-sun", "0", "7", "*/3"]),
)
texts = st.one_of(
    st.builds("daily {}".format, clocks),
    st.builds("weekly {} {}".format, days, clocks),
    st.builds("every {} weeks {} {}".format, st.integers(1, 52), days, clocks),
    st.builds("monthly {} {}".format, st.integers(1, 28) | st.just("last"), clocks),
    st.builds("monthly {} {} {}".format, weeks_of_month, days, clocks),
    crons,
)
lists = st.lists(days, min_size=1, max_size=3).map(",".join)
texts = st.one_of(
    texts,
    st.builds("weekly {} {},{}".format, lists, clocks, clocks),
    st.builds("every {} weeks {} {}".format, st.integers(1, 52), lists, clocks),
    st.builds("{} and {}".format, texts, texts),
)
cadences = texts.map(parse_cadence)
dates = st.dates(date(2015, 1, 1), date(2037, 1, 1))
minutes = st.integers(0, 20 * 365 * 24 * 60).map(lambda n: utc("2016-01-01") + timedelta(minutes=n))


@st.composite
def zoned_instants(draw: st.DrawFn) -> tuple[ZoneInfo, datetime]:
    """A zone, and an instant that lies within hours of one of its clock changes where it has any."""
    name = draw(st.sampled_from(ZONES))
    changes = transitions(name)
    near = st.builds(
        lambda change, offset: change + timedelta(minutes=offset),
        st.sampled_from(changes or [utc("2026-03-29 01:00")]),
        st.integers(-300, 300),
    )
    return ZoneInfo(name), draw(near | minutes)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("daily 07:00", "2026-02-27 07:00", ["2026-02-28 07:00", "2026-03-01 07:00"]),
        ("weekly tue 08:00", "2026-01-05 12:00", ["2026-01-06 08:00", "2026-01-13 08:00"]),
        ("weekly tue 08:00", "2026-01-06 07:59", ["2026-01-06 08:00", "2026-01-13 08:00"]),
        ("weekly tue 08:00", "2026-01-06 08:00", ["2026-01-13 08:00"]),
        ("weekly fri,tue 08:00", "2026-01-06 08:00", ["2026-01-09 08:00", "2026-01-13 08:00"]),
        ("daily 18:00,07:00", "2026-01-06 08:00", ["2026-01-06 18:00", "2026-01-07 07:00"]),
        ("weekly tue 08:00 and weekly fri 18:00", "2026-01-01", ["2026-01-02 18:00", "2026-01-06 08:00"]),
        ("daily 08:00 and weekly tue 08:00", "2026-01-06 07:00", ["2026-01-06 08:00", "2026-01-07 08:00"]),
        ("every 2 weeks mon,thu 08:00", "2025-12-31", ["2026-01-01 08:00", "2026-01-12 08:00"]),
        # The anchor's week began on Monday 29 December; the second week after it on 12 January.
        ("every 2 weeks tue 08:00", "2026-01-01 00:00", ["2026-01-13 08:00", "2026-01-27 08:00"]),
        ("every 2 weeks thu 08:00", "2026-01-01 00:00", ["2026-01-01 08:00", "2026-01-15 08:00"]),
        ("every 3 weeks sun 08:00", "2025-12-01 00:00", ["2025-12-14 08:00", "2026-01-04 08:00"]),
        ("monthly first mon 09:00", "2026-06-01 08:00", ["2026-06-01 09:00", "2026-07-06 09:00"]),
        ("monthly fourth sun 09:00", "2026-02-01 00:00", ["2026-02-22 09:00", "2026-03-22 09:00"]),
        ("monthly last fri 09:00", "2026-01-30 09:00", ["2026-02-27 09:00", "2026-03-27 09:00"]),
        ("monthly 15 09:00", "2026-12-20 00:00", ["2027-01-15 09:00"]),
        ("monthly last 09:00", "2028-01-31 09:00", ["2028-02-29 09:00", "2028-03-31 09:00"]),
        ("0 8 * * 2", "2026-01-01 00:00", ["2026-01-06 08:00", "2026-01-13 08:00"]),
        (
            "30,0 8-9 1 jan *",
            "2026-01-01 08:00",
            ["2026-01-01 08:30", "2026-01-01 09:00", "2026-01-01 09:30"],
        ),
        ("5-59/25 */12 * * *", "2026-01-01 00:30", ["2026-01-01 00:55", "2026-01-01 12:05"]),
        ("0 0 29 2 *", "2026-01-01 00:00", ["2028-02-29 00:00", "2032-02-29 00:00"]),
        ("0 0 29 2 *", "2096-03-01 00:00", ["2104-02-29 00:00"]),
        # Either field matches where both are restricted, both must where one holds a star (crontab(5)).
        ("0 0 13 * fri", "2026-01-08 12:00", ["2026-01-09 00:00", "2026-01-13 00:00", "2026-01-16 00:00"]),
        ("0 0 */12 * fri", "2026-01-01 12:00", ["2026-02-13 00:00", "2026-03-13 00:00"]),
        ("0 0 30 2 mon", "2026-01-01 00:00", ["2026-02-02 00:00", "2026-02-09 00:00"]),
        ("0 0 * * fri-sun", "2026-01-01 00:00", ["2026-01-02 00:00", "2026-01-03 00:00", "2026-01-04 00:00"]),
        ("0 0 * * sun-sun", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-11 00:00"]),
        ("0 0 * * sun-mon", "2026-01-01 00:00", ["2026-01-04 00:00", "2026-01-05 00:00", "2026-01-11 00:00"]),
    ],
)
def test_each_form_has_the_slots_a_calendar_shows(text: str, after: str, expected: list[str]) -> None:
    """Every form gives the slots that one finds by hand in a calendar."""
    assert first_slots(text, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Weekly TUESDAY 8:00", "weekly tue 08:00"),
        ("every 1 week tue 08:00", "weekly tue 08:00"),
        ("  EVERY 02 weeks\tsunday 23:59\n", "every 2 weeks sun 23:59"),
        ("monthly LAST friday 00:00", "monthly last fri 00:00"),
        ("monthly 07 9:05", "monthly 7 09:05"),
        ("0  8 * JAN-Mar  Tue", "0 8 * jan-mar tue"),
    ],
)
def test_one_cadence_has_one_spelling(written: str, canonical: str) -> None:
    """Case, long names, white space and leading zeros do not outlive parsing."""
    assert str(parse_cadence(written)) == canonical


@given(texts)
def test_the_canonical_text_parses_to_the_same_cadence(text: str) -> None:
    """Nothing is lost when a cadence is stored as text and read again."""
    cadence = parse_cadence(text)
    assert parse_cadence(str(cadence)) == cadence
    assert str(parse_cadence(str(cadence))) == str(cadence)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the cadence is empty"),
        (" \t", "the cadence is empty"),
        ("weekly", "'weekly' has none of the known forms"),
        ("fortnightly tue 08:00", "'fortnightly tue 08:00' has none of the known forms"),
        ("every 2 months tue 08:00", "'every 2 months tue 08:00' has none of the known forms"),
        ("@weekly", "'@weekly' has none of the known forms"),
        ("weekly tue 25:00", "there is no time 25:00"),
        ("daily 24:00", "there is no time 24:00"),
        ("daily 12:60", "there is no time 12:60"),
        ("daily 8pm", "'8pm' is not a time"),
        ("daily ٠٨:٠٠", "'٠٨:٠٠' is not a time"),
        ("weekly dienstag 08:00", "'dienstag' is not a day of the week"),
        ("weekly tue,die 08:00", "'die' is not a day of the week"),
        ("weekly tue, 08:00", "'' is not a day of the week"),
        ("daily 07:00,7pm", "'7pm' is not a time"),
        ("weekly tue 08:00 and", "the cadence is empty"),
        ("weekly tue 08:00 and often", "'often' has none of the known forms"),
        ("weekly tue 08:00 and and daily 07:00", "the cadence is empty"),
        ("every 0 weeks tue 08:00", "'0' is not a number of weeks from 1 to 52"),
        ("every 53 weeks tue 08:00", "'53' is not a number of weeks from 1 to 52"),
        ("every ² weeks tue 08:00", "'²' is not a number of weeks"),
        ("monthly fifth mon 09:00", "'fifth' is none of first, second, third, fourth, last"),
        ("monthly 29 09:00", "'29' is not a day that every month has"),
        ("monthly -1 09:00", "'-1' is not a day that every month has"),
        ("0 8 * *", "a cron expression has five fields, and '0 8 * *' has 4"),
        ("0 0 8 * * 2", "has 6"),
        ("60 8 * * *", "'60', in the cron expression's minute, is not made of numbers from 0 to 59"),
        ("0 24 * * *", "'24', in the cron expression's hour,"),
        ("0 8 0 * *", "'0', in the cron expression's day of month,"),
        ("0 8 * 13 *", "'13', in the cron expression's month, is not made of numbers or names from 1 to 12"),
        ("0 8 * tue *", "'tue', in the cron expression's month,"),
        ("0 8 * * 8", "'8', in the cron expression's day of week,"),
        ("0 8 * * fri#2", "'fri#2', in the cron expression's day of week,"),
        ("0 8, * * *", "'', in the cron expression's hour,"),
        ("0 8-9-10 * * *", "'8-9-10', in the cron expression's hour,"),
        ("0 *-9 * * *", "'*-9', in the cron expression's hour,"),
        ("0 22-2 * * *", "'22-2', in the cron expression's hour, runs backwards"),
        ("5-0 * * * *", "'5-0', in the cron expression's minute, runs backwards"),
        ("5/15 * * * *", "'5/15', in the cron expression's minute, steps without a range"),
        ("*/0 * * * *", "'*/0', in the cron expression's minute, needs a step from 1 to 59"),
        ("*/90 * * * *", "'*/90', in the cron expression's minute, needs a step from 1 to 59"),
        ("*/ * * * *", "'*/', in the cron expression's minute, needs a step"),
        ("0 8 30 2 *", "0 8 30 2 * never falls due: day 30 is in none of its months"),
        ("0 8 31 2,apr,6,9,11 */2", "never falls due: day 31"),
    ],
)
def test_an_error_says_what_is_wrong_and_lists_the_forms(text: str, reason: str) -> None:
    """Whoever mistypes a cadence learns which word is at fault and what may be written."""
    with pytest.raises(CadenceError) as caught:
        parse_cadence(text)
    assert reason in str(caught.value)
    assert "every 2 weeks tue 08:00 | monthly first mon 09:00" in str(caught.value)


words = st.sampled_from(
    [
        *("daily", "weekly", "every", "2", "weeks", "monthly", "first", "last", "tue", "sun", "08:00"),
        *("0", "15", "*", "*/2", "1-5", "2,3", "30", "feb", "/", "-", ","),
    ]
)


@settings(deadline=1000, max_examples=500)
@given(st.text() | st.lists(words, max_size=6).map(" ".join) | st.text("0123456789*/-, ", max_size=30))
def test_any_text_is_a_cadence_that_falls_due_or_an_error(text: str) -> None:
    """No text crashes or stalls the parser, and none is accepted that never has a slot."""
    try:
        cadence = parse_cadence(text)
    except CadenceError:
        return
    assert next(cadence.slots(wall("2026-01-01"), anchor=ANCHOR))


@pytest.mark.parametrize("text", ["x", "0,", "0 ", "weekly ", "9", "1-"])
def test_a_huge_text_is_refused_at_once(text: str) -> None:
    """A megabyte of anything is refused in less than a second, by an error that does not repeat it."""
    began = perf_counter()
    for parse in (parse_cadence, parse_zone):
        with pytest.raises(CadenceError) as caught:
            parse(text * (1_000_000 // len(text)))
        assert len(str(caught.value)) < 500
    assert perf_counter() - began < 1


@given(cadences, st.datetimes(wall("2016-01-01"), wall("2036-01-01")), dates)
def test_slots_ascend_and_can_be_resumed_anywhere(cadence: Cadence, after: datetime, anchor: date) -> None:
    """Slots are later than `after`, strictly ascend, and go on from any of them as if never interrupted."""
    slots = list(islice(cadence.slots(after, anchor=anchor), 12))
    assert len(slots) == 12
    assert all(earlier < later for earlier, later in pairwise([after, *slots]))
    assert list(islice(cadence.slots(slots[3], anchor=anchor), 8)) == slots[4:]


@given(st.integers(1, 52), st.integers(0, 6), st.datetimes(wall("1990-01-01"), wall("2090-01-01")), dates)
def test_every_n_weeks_counts_from_the_anchors_week(
    every: int, weekday: int, after: datetime, anchor: date
) -> None:
    """Slots fall in the anchor's week and in each n-th one from it, on either side, and in no other."""
    cadence = parse_cadence(f"every {every} weeks {DAYS[weekday]} 08:00")
    first, second = islice(cadence.slots(after, anchor=anchor), 2)
    monday = anchor - timedelta(days=anchor.weekday())
    assert (first.date() - timedelta(days=weekday) - monday).days % (7 * every) == 0
    assert first - after <= timedelta(weeks=every)
    assert second - first == timedelta(weeks=every)


@st.composite
def cron_fields(draw: st.DrawFn, low: int, high: int, names: list[str]) -> tuple[str, set[int]]:
    """A cron field and the values it stands for; `names` are those of the values from `low` on."""

    def write(value: int) -> str:
        return draw(st.sampled_from([str(value), *names[value - low : value - low + 1]]))

    values: set[int] = set()
    items = []
    for _ in range(draw(st.integers(1, 3))):
        first, last = sorted(draw(st.tuples(st.integers(low, high), st.integers(low, high))))
        step = draw(st.integers(1, high))
        item, found = draw(
            st.sampled_from(
                [
                    (write(first), range(first, first + 1)),
                    (f"{write(first)}-{write(last)}", range(first, last + 1)),
                    (f"{write(first)}-{write(last)}/{step}", range(first, last + 1, step)),
                    (f"*/{step}", range(low, high + 1, step)),
                    ("*", range(low, high + 1)),
                ]
            )
        )
        items.append(item)
        values.update(found)
    return ",".join(items), values


@given(cron_fields(1, 31, []), cron_fields(1, 12, MONTHS), cron_fields(0, 7, ["sun", *DAYS[:6]]), dates)
def test_cron_days_are_those_that_match_one_by_one(
    day_of_month: tuple[str, set[int]],
    month: tuple[str, set[int]],
    weekday: tuple[str, set[int]],
    first: date,
) -> None:
    """The days of a cron expression are those that crontab(5)'s rule picks when each day is asked."""

    def matches(day: date) -> bool:
        by_date = day.day in day_of_month[1]
        by_weekday = bool({day.isoweekday(), day.isoweekday() % 7} & weekday[1])
        starred = "*" in day_of_month[0] + weekday[0]
        return day.month in month[1] and (by_date and by_weekday if starred else by_date or by_weekday)

    expected = [day for n in range(1500) if matches(day := first + timedelta(days=n))]
    text = f"0 8 {day_of_month[0]} {month[0]} {weekday[0]}"
    if min(day_of_month[1]) > max(monthrange(2024, n)[1] for n in month[1]) and not expected:
        with pytest.raises(CadenceError, match="never falls due"):
            parse_cadence(text)
        return
    cadence = parse_cadence(text)
    slots = cadence.slots(datetime.combine(first, wall("2026-01-01").time()), anchor=ANCHOR)
    assert [slot.date() for slot in islice(slots, len(expected))] == expected


@given(cron_fields(0, 59, []), cron_fields(0, 23, []))
def test_cron_times_are_every_hour_with_every_minute(
    minute: tuple[str, set[int]], hour: tuple[str, set[int]]
) -> None:
    """On a day of its own, a cron expression has a slot at each of its minutes in each of its hours."""
    expected = [(h, m) for h in sorted(hour[1]) for m in sorted(minute[1])]
    cadence = parse_cadence(f"{minute[0]} {hour[0]} * * *")
    slots = cadence.slots(wall("2025-12-31 23:59"), anchor=ANCHOR)
    assert [(slot.hour, slot.minute) for slot in islice(slots, len(expected))] == expected


@pytest.mark.parametrize(
    "text", ["0 0 29 2 *", "0 0 29 2 */6", "every 52 weeks sun 23:59", "monthly last 09:00"]
)
def test_rare_slots_are_found_cheaply(text: str) -> None:
    """Even the rarest cadence is followed for millennia, to the calendar's end, in a moment."""
    began = perf_counter()
    slots = list(parse_cadence(text).slots(wall("2026-01-01"), anchor=ANCHOR))
    assert slots[-1].year > 9900
    assert perf_counter() - began < 5


@pytest.mark.parametrize(
    ("zone", "slot", "due"),
    [
        ("Europe/Berlin", "2026-03-29 01:59", "2026-03-29 00:59"),
        ("Europe/Berlin", "2026-03-29 02:30", "2026-03-29 01:30"),  # shown as 03:30
        ("Europe/Berlin", "2026-03-29 03:00", "2026-03-29 01:00"),
        ("Europe/Berlin", "2026-10-25 02:30", "2026-10-25 00:30"),  # and not 01:30
        ("Europe/Berlin", "2026-10-25 03:00", "2026-10-25 02:00"),
        ("America/New_York", "2026-03-08 02:30", "2026-03-08 07:30"),
        ("America/New_York", "2026-11-01 01:30", "2026-11-01 05:30"),
        ("Australia/Lord_Howe", "2026-10-04 02:15", "2026-10-03 15:45"),  # a gap of half an hour
        ("Australia/Lord_Howe", "2026-04-05 01:45", "2026-04-04 14:45"),
        ("Pacific/Apia", "2011-12-29 08:00", "2011-12-29 18:00"),
        ("Pacific/Apia", "2011-12-30 08:00", "2011-12-30 18:00"),  # a day that never was there
        ("Pacific/Apia", "2011-12-31 08:00", "2011-12-30 18:00"),
    ],
)
def test_a_slot_is_due_at_the_first_such_time_or_as_long_after_the_gap(
    zone: str, slot: str, due: str
) -> None:
    """A repeated wall time means the first, a missing one the same distance after the gap."""
    assert due_at(wall(slot), ZoneInfo(zone)) == utc(due)
    assert due_at(wall(slot).replace(fold=1), ZoneInfo(zone)) == utc(due)
    assert due_at(wall(slot), ZoneInfo(zone)).tzinfo is UTC


@settings(max_examples=500, deadline=None)
@given(zoned_instants(), st.integers(1, 180))
def test_a_slot_has_one_due_which_its_zone_shows_unless_it_was_skipped(
    zoned: tuple[ZoneInfo, datetime], step: int
) -> None:
    """A due reads as its slot, the first time that its zone does; dues ascend, save from inside a gap."""
    zone, instant = zoned
    slot = instant.astimezone(zone).replace(tzinfo=None, fold=0)
    due = due_at(slot, zone)
    offsets = [
        (instant + timedelta(hours=h)).astimezone(zone).utcoffset() or timedelta() for h in range(-30, 31)
    ]
    readings = [
        slot.replace(tzinfo=UTC) - offset
        for offset in offsets
        if (slot.replace(tzinfo=UTC) - offset).astimezone(zone).replace(tzinfo=None) == slot
    ]
    assert due == min(readings)
    earlier = slot - timedelta(minutes=step)
    shown = due_at(earlier, zone).astimezone(zone).replace(tzinfo=None)
    if shown == earlier:
        assert due_at(earlier, zone) < due
    else:  # the clocks skipped it
        gap = shown - earlier
        assert gap > timedelta()
        assert (due_at(earlier, zone) - gap).astimezone(zone).replace(tzinfo=None) == earlier - gap


@settings(max_examples=500, deadline=None)
@given(cadences, zoned_instants(), st.integers(0, 14_400), st.integers(0, 14_400), dates)
def test_splitting_an_interval_neither_loses_nor_repeats_a_slot(
    cadence: Cadence, zoned: tuple[ZoneInfo, datetime], before: int, after: int, anchor: date
) -> None:
    """Two adjoining intervals have the slots of their union, in order: ticks may come whenever they come."""
    zone, middle = zoned
    start, end = middle - timedelta(minutes=before), middle + timedelta(minutes=after)
    whole = slots_between(cadence, zone, start, end, anchor=anchor)
    assert whole == [
        *slots_between(cadence, zone, start, middle, anchor=anchor),
        *slots_between(cadence, zone, middle, end, anchor=anchor),
    ]
    assert whole == sorted(set(whole), key=lambda slot: (due_at(slot, zone), slot))
    assert set(whole) == set(_slots_near(cadence, zone, start, end, anchor))


def _slots_near(
    cadence: Cadence, zone: ZoneInfo, start: datetime, end: datetime, anchor: date
) -> Iterator[datetime]:
    """The slots due in an interval, found by trying all from days before it to days after it."""
    margin = timedelta(days=3)
    for slot in cadence.slots(start.replace(tzinfo=None) - margin, anchor=anchor):
        if slot > end.replace(tzinfo=None) + margin:
            return
        if start <= due_at(slot, zone) < end:
            yield slot


def test_slots_out_of_step_with_their_dues_are_ordered_by_due() -> None:
    """At a gap slots change places, and those that fall due together stay in calendar order."""
    slots = slots_between(
        parse_cadence("*/30 1-3 * * *"),
        ZoneInfo("Europe/Berlin"),
        utc("2026-03-29 00:30"),
        utc("2026-03-29 02:00"),
        anchor=ANCHOR,
    )
    assert [f"{slot:%H:%M}" for slot in slots] == ["01:30", "02:00", "03:00", "02:30", "03:30"]


def test_a_day_that_a_zone_skipped_keeps_its_slot() -> None:
    """Samoa had no 30 December 2011: that day's slot falls due with the next day's, and is not lost."""
    slots = slots_between(
        parse_cadence("daily 08:00"),
        ZoneInfo("Pacific/Apia"),
        utc("2011-12-29 18:00"),
        utc("2011-12-31 18:00"),
        anchor=ANCHOR,
    )
    assert [slot.day for slot in slots] == [29, 30, 31]


def test_an_interval_holds_its_start_and_not_its_end() -> None:
    """A slot due at the very instant that parts two intervals belongs to the later one."""
    cadence, due, second = parse_cadence("weekly tue 08:00"), utc("2026-01-06 08:00"), timedelta(seconds=1)
    assert slots_between(cadence, ZoneInfo("UTC"), due, due + second, anchor=ANCHOR) == [
        wall("2026-01-06 08:00")
    ]
    assert slots_between(cadence, ZoneInfo("UTC"), due - second, due, anchor=ANCHOR) == []
    assert slots_between(cadence, ZoneInfo("UTC"), due + second, due - second, anchor=ANCHOR) == []


@pytest.mark.parametrize("spoken_in", ["Pacific/Kiritimati", "America/New_York"])
def test_an_instant_is_the_same_in_whatever_zone_it_is_given(spoken_in: str) -> None:
    """Only the instants of an interval count, not the zone that they are expressed in."""
    cadence, zone = parse_cadence("0 * * * *"), ZoneInfo("Etc/GMT+12")
    start, end = utc("2026-01-06 08:00"), utc("2026-01-08 08:00")
    elsewhere = [instant.astimezone(ZoneInfo(spoken_in)) for instant in (start, end)]
    slots = slots_between(cadence, zone, start, end, anchor=ANCHOR)
    assert len(slots) == 48
    assert slots_between(cadence, zone, *elsewhere, anchor=ANCHOR) == slots


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "Africa/Monrovia"])
@pytest.mark.parametrize(
    "text", ["daily 00:00", "daily 23:59", "weekly sun 23:59", "monthly last 23:59", "0 */5 * * *"]
)
def test_the_ends_of_the_calendar_are_no_trap(zone: str, text: str) -> None:
    """The first and the last instants that a datetime holds are as good as any other."""
    cadence, first, last = (
        parse_cadence(text),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
    )
    due, slot = next(due_slots(cadence, ZoneInfo(zone), first, anchor=date.max))
    assert due_at(slot, ZoneInfo(zone)) == due
    coming = list(due_slots(cadence, ZoneInfo(zone), utc("9999-10-01"), anchor=date.min))
    assert coming == sorted(coming)
    assert len(coming) >= 2
    assert slots_between(cadence, ZoneInfo(zone), last, last, anchor=ANCHOR) == []


def test_a_cadence_that_is_too_long_once_it_is_written_out_is_refused() -> None:
    """What can be stored can be read again: the limit holds for the canonical text too."""
    text = "daily " + ",".join(f"1:{minute:02}" for minute in range(38))
    assert len(text) < 200
    with pytest.raises(CadenceError, match="characters long, where 200 are allowed"):
        parse_cadence(text)


@pytest.mark.parametrize(
    ("now", "last_due", "expected"),
    [
        ("2026-01-08 12:00", None, "2026-01-08 12:00"),  # nothing has gone out
        ("2026-01-08 12:00", "2026-01-06 07:00", "2026-01-13 07:00"),  # within the period
        ("2026-01-06 07:00", "2026-01-06 07:00", "2026-01-13 07:00"),  # at its very beginning
        ("2026-01-13 07:00", "2026-01-06 07:00", "2026-01-13 07:00"),  # at its very end
        ("2026-02-01 00:00", "2026-01-06 07:00", "2026-02-01 00:00"),  # long after
        ("2026-03-25 00:00", "2026-03-24 07:00", "2026-03-31 06:00"),  # a period that summer time shortens
    ],
)
def test_a_changed_cadence_starts_after_the_current_period(
    now: str, last_due: str | None, expected: str
) -> None:
    """The old cadence's period is finished first: nobody hears twice in a week that promised one letter."""
    instant = change_takes_effect(
        parse_cadence("weekly tue 08:00"),
        ZoneInfo("Europe/Berlin"),
        utc(now),
        anchor=ANCHOR,
        last_due=None if last_due is None else utc(last_due),
    )
    assert instant == utc(expected)


@settings(deadline=None)
@given(cadences, zoned_instants(), st.integers(0, 14_400), dates)
def test_a_change_never_reaches_back_and_waits_for_one_slot_at_most(
    old: Cadence, zoned: tuple[ZoneInfo, datetime], elapsed: int, anchor: date
) -> None:
    """A change takes effect now, or at the first due of the old cadence since the last, and never sooner."""
    zone, last_due = zoned
    now = last_due + timedelta(minutes=elapsed)
    instant = change_takes_effect(old, zone, now, anchor=anchor, last_due=last_due)
    moment = timedelta(microseconds=1)
    skipped = slots_between(old, zone, last_due + moment, instant, anchor=anchor)
    assert instant >= now
    assert all(due_at(slot, zone) <= now for slot in skipped)
    if instant > now:
        assert skipped == []
        assert slots_between(old, zone, instant, instant + moment, anchor=anchor)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    """A zone is found by its exact name."""
    assert parse_zone(name).key == name


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Europe/Berln", "'Europe/Berln' is not a time zone; did you mean Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("utc", "did you mean UTC"),
        ("utc\0", r"'utc\x00' is not a time zone; did you mean UTC"),
        ("right/Europe/Berlin", "Europe/Berlin"),
        ("", "'' is not a time zone; write a name such as Europe/Berlin or UTC"),
        ("../../etc/passwd", "write a name such as"),
        ("/etc/localtime", "is not a time zone"),
        ("localtime", "is not a time zone"),
        ("Europe", "is not a time zone"),
        ("zone.tab", "is not a time zone"),
        ("\ud800", r"'\ud800' is not a time zone"),
    ],
)
def test_a_name_that_is_no_zone_is_refused_with_those_that_come_close(name: str, hint: str) -> None:
    """A misspelt zone is answered with the right one; paths, folders and control characters with an error."""
    with pytest.raises(CadenceError) as caught:
        parse_zone(name)
    assert hint in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text(max_size=60) | st.sampled_from([zone for zone in ZONES if zone != "localtime"]))
def test_any_name_is_a_zone_or_an_error(name: str) -> None:
    """No name crashes the search for a zone."""
    if name in ZONES:
        assert parse_zone(name).key == name
    else:
        with pytest.raises(CadenceError):
            parse_zone(name)
