"""Cadences: which slots a category has, and the instant at which each falls due. Pure.

A slot is a naive wall-clock datetime in the category's zone, and every slot has exactly one due instant,
an aware UTC datetime. Where the clocks go back, a wall time that exists twice means the first; where
they go forward, one that does not exist means the same distance after the gap, so 02:30 falls due at
03:30 (PEP 495, fold=0). What may surprise: dues therefore need not ascend with their slots at a gap,
and may coincide there; the functions below order by due, then slot, and lose and repeat none.

Text that is no cadence or zone raises `CadenceError`, which says why and what may be written. The
calendar ends with 9999-12-30, and nothing falls due before 0001-01-03, so that no instant overflows.
"""

import calendar
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache
from heapq import heappop, heappush, merge
from itertools import groupby, takewhile
from zoneinfo import ZoneInfo, available_timezones

from newsletter.errors import CadenceError

__all__ = [
    "Cadence",
    "Cron",
    "Daily",
    "MonthlyOnDate",
    "MonthlyOnWeekday",
    "Several",
    "Weekly",
    "change_takes_effect",
    "due_at",
    "due_slots",
    "parse_cadence",
    "parse_zone",
    "slots_between",
]

_FORMS = (
    "a cadence is written as one of: daily 07:00 | weekly tue 08:00 | every 2 weeks tue 08:00 | "
    "monthly first mon 09:00 (first to fourth, or last) | monthly 15 09:00 (1 to 28, or last) | "
    "0 8 * * tue,fri (cron: minute, hour, day of month, month, day of week); a week may have several days "
    "(weekly tue,fri 08:00), a day several times (07:00,18:00), and `and` joins rules: "
    "weekly tue 08:00 and weekly fri 18:00"
)
_LONGEST_TEXT = 200
_DAY = timedelta(days=1)  # every UTC offset is shorter than this (datetime.utcoffset)
_EARLIEST = datetime(1, 1, 3, tzinfo=UTC)

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = {name: number for number, day in enumerate(_DAYS) for name in (day, day[:3])}
_WEEKS_OF_MONTH = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
_MONTH_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Cadence(ABC):
    """A rule of due slots, made by `parse_cadence`.

    `str()` gives the canonical text, which parses to an equal cadence.
    """

    @abstractmethod
    def slots(self, after: datetime, *, anchor: date) -> Iterator[datetime]:
        """The slots strictly later than `after`, ascending, without end (but see the calendar's).

        All are naive local times. `anchor` is a local date in the week that `every N weeks` counts
        from; weeks begin on Monday, and every other cadence ignores it.
        """


@dataclass(frozen=True)
class Several(Cadence):
    """The slots of two or more `rules`, each once."""

    rules: tuple[Cadence, ...]

    def slots(self, after: datetime, *, anchor: date) -> Iterator[datetime]:
        """The slots of all of them."""
        in_order = merge(*(rule.slots(after, anchor=anchor) for rule in self.rules))
        return (slot for slot, _ in groupby(in_order))

    def __str__(self) -> str:
        return " and ".join(map(str, self.rules))


@dataclass(frozen=True)
class _Rule(Cadence):
    """On its days, at its `times` (ascending, never empty)."""

    times: tuple[time, ...]

    @abstractmethod
    def days(self, first: date, *, anchor: date) -> Iterator[date]:
        """The days that have slots, from `first` on, ascending."""

    def slots(self, after: datetime, *, anchor: date) -> Iterator[datetime]:
        """All its times on all its days."""
        for day in self.days(after.date(), anchor=anchor):
            for at in self.times:
                slot = datetime.combine(day, at)
                if slot > after:
                    yield slot


@dataclass(frozen=True)
class Daily(_Rule):
    """Every day."""

    def days(self, first: date, *, anchor: date) -> Iterator[date]:
        return _every(1, first.toordinal())

    def __str__(self) -> str:
        return f"daily {_clock(self)}"


@dataclass(frozen=True)
class Weekly(_Rule):
    """Some weekdays (0 is Monday; ascending), in the anchor's week and every `every` weeks on both sides."""

    weekdays: tuple[int, ...]
    every: int = 1

    def days(self, first: date, *, anchor: date) -> Iterator[date]:
        period, start = 7 * self.every, first.toordinal()
        monday = anchor.toordinal() - anchor.weekday()
        of_each = (_every(period, start + (monday + day - start) % period) for day in self.weekdays)
        return merge(*of_each)

    def __str__(self) -> str:
        rhythm = "weekly" if self.every == 1 else f"every {self.every} weeks"
        return f"{rhythm} {','.join(_DAYS[day][:3] for day in self.weekdays)} {_clock(self)}"


class _ByMonth(_Rule):
    """A cadence whose days are found month by month."""

    @abstractmethod
    def _in_month(self, year: int, month: int) -> Iterable[int]:
        """The days of this month that have slots, ascending."""

    def days(self, first: date, *, anchor: date) -> Iterator[date]:
        for months in range(first.year * 12 + first.month - 1, (date.max.year + 1) * 12):
            year, month = months // 12, months % 12 + 1
            for number in self._in_month(year, month):
                day = date(year, month, number)
                if first <= day < date.max:
                    yield day


@dataclass(frozen=True)
class MonthlyOnDate(_ByMonth):
    """One date of every month: `day` from 1 to 28, or -1 for the last."""

    day: int

    def _in_month(self, year: int, month: int) -> Iterable[int]:
        length = calendar.monthrange(year, month)[1]
        return (self.day if self.day > 0 else length,)

    def __str__(self) -> str:
        return f"monthly {self.day if self.day > 0 else 'last'} {_clock(self)}"


@dataclass(frozen=True)
class MonthlyOnWeekday(_ByMonth):
    """The first (`week` 0) to fourth (3) or the last (-1) of a weekday (0 is Monday) in every month."""

    week: int
    weekday: int

    def _in_month(self, year: int, month: int) -> Iterable[int]:
        first_weekday, length = calendar.monthrange(year, month)
        earliest = 1 + (self.weekday - first_weekday) % 7
        return (range(earliest, length + 1, 7)[self.week],)

    def __str__(self) -> str:
        week = next(name for name, number in _WEEKS_OF_MONTH.items() if number == self.week)
        return f"monthly {week} {_DAYS[self.weekday][:3]} {_clock(self)}"


@dataclass(frozen=True)
class Cron(_ByMonth):
    """A cron expression, after crontab(5): days of the week count from 0, Sunday.

    If `either`, a day needs to match only one of `days_of_month` and `days_of_week`, as where neither
    field contains `*`; otherwise both. `expression` is the text in lower case, singly spaced.
    """

    expression: str
    days_of_month: frozenset[int]
    months: frozenset[int]
    days_of_week: frozenset[int]
    either: bool

    def _in_month(self, year: int, month: int) -> Iterable[int]:
        if month not in self.months:
            return
        match = any if self.either else all
        first_weekday, length = calendar.monthrange(year, month)
        for day in range(1, length + 1):
            # monthrange counts weekdays from Monday = 0, cron from Sunday = 0, and `day` from 1.
            if match((day in self.days_of_month, (first_weekday + day) % 7 in self.days_of_week)):
                yield day

    def __str__(self) -> str:
        return self.expression


def parse_cadence(text: str) -> Cadence:
    """Read a cadence such as `weekly tue 08:00`; letter case and the amount of white space do not matter.

    Weekdays and months are English names, whole or their first three letters; times are on the 24-hour
    clock; several weekdays or times stand in a list with commas, several rules with `and` between them.
    Raises CadenceError, saying what is wrong and listing the forms, also for a cron expression
    that can never fall due.
    """
    _check_length(text)
    rules: list[list[str]] = [[]]
    for word in text.lower().split():
        if word == "and":
            rules.append([])
        else:
            rules[-1].append(word)
    distinct = tuple(dict.fromkeys(map(_rule, rules)))
    cadence = distinct[0] if len(distinct) == 1 else Several(distinct)
    _check_length(str(cadence))  # it is kept as that, and read again
    return cadence


def _check_length(text: str) -> None:
    if len(text) > _LONGEST_TEXT:
        raise _refusal(f"{text[:20]!r}… is {len(text)} characters long, where {_LONGEST_TEXT} are allowed")


def _rule(words: list[str]) -> Cadence:
    match words:
        case ["daily", at]:
            return Daily(_times(at))
        case ["weekly", day, at]:
            return Weekly(_times(at), _weekdays(day))
        case ["every", count, "week" | "weeks", day, at]:
            return Weekly(_times(at), _weekdays(day), _weeks(count))
        case ["monthly", day, at]:
            return MonthlyOnDate(_times(at), _day_of_month(day))
        case ["monthly", week, day, at]:
            return MonthlyOnWeekday(_times(at), _week_of_month(week), _weekday(day))
        case [first, *_] if first[0] in "*0123456789":
            return _cron(words)
        case []:
            raise _refusal("the cadence is empty")
        case _:
            raise _refusal(f"{' '.join(words)!r} has none of the known forms")


def parse_zone(name: str) -> ZoneInfo:
    """The IANA time zone of this exact name, such as `Europe/Berlin`.

    Raises CadenceError, with the names that come close, for any other. Only listed names are looked up,
    so none reaches the file system as a path, and neither the machine's own `localtime` nor the
    leap-second zones under `right/` are taken.
    """
    zones = _zone_names()
    if name in zones:
        return ZoneInfo(name)
    shown = repr(name if len(name) <= 40 else name[:40] + "…")
    close = _close_zones(name)
    hint = f"did you mean {' or '.join(close)}?" if close else "write a name such as Europe/Berlin or UTC"
    raise CadenceError(f"{shown} is not a time zone; {hint}")


def due_at(slot: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a slot falls due: of two the first, of none the one after the gap."""
    return slot.replace(tzinfo=zone, fold=0).astimezone(UTC)


def due_slots(
    cadence: Cadence, zone: ZoneInfo, start: datetime, *, anchor: date
) -> Iterator[tuple[datetime, datetime]]:
    """Every (due, slot) with a due at or after the instant `start`, ascending, without end."""
    start = max(start, _EARLIEST)
    waiting: list[tuple[datetime, datetime]] = []
    for slot in cadence.slots(start.astimezone(UTC).replace(tzinfo=None) - _DAY, anchor=anchor):
        # This slot and all later ones are due later than this, so whatever is due by then may go.
        settled = slot.replace(tzinfo=UTC) - _DAY
        while waiting and waiting[0][0] <= settled:
            yield heappop(waiting)
        due = due_at(slot, zone)
        if due >= start:
            heappush(waiting, (due, slot))
    yield from sorted(waiting)


def slots_between(
    cadence: Cadence, zone: ZoneInfo, start: datetime, end: datetime, *, anchor: date
) -> list[datetime]:
    """The slots whose dues lie in [start, end), two instants, ordered by due and then by slot."""
    coming = due_slots(cadence, zone, start, anchor=anchor)
    return [slot for _, slot in takewhile(lambda pair: pair[0] < end, coming)]


def change_takes_effect(
    old: Cadence, zone: ZoneInfo, now: datetime, *, anchor: date, last_due: datetime | None
) -> datetime:
    """The instant from which a category that leaves `old` and `zone` has the new cadence's slots.

    `last_due` is the due of the last slot that was handled: the period it began runs on to the due of the
    old cadence's next slot, which is where the new one takes over. Where there was none, or the period is
    over, that is `now`.
    """
    if last_due is None:
        return now
    coming = due_slots(old, zone, last_due, anchor=anchor)
    return max(now, next((due for due, _ in coming if due > last_due), now))


def _every(days: int, start: int) -> Iterator[date]:
    """Dates so many days apart, from the one with the proleptic ordinal `start` to the calendar's end."""
    return map(date.fromordinal, range(start, date.max.toordinal(), days))


def _clock(rule: _Rule) -> str:
    return ",".join(f"{at:%H:%M}" for at in rule.times)


def _refusal(reason: str) -> CadenceError:
    return CadenceError(f"{reason}; {_FORMS}")


def _number(text: str, low: int, high: int) -> int | None:
    """The value of plain decimal digits within bounds, else None."""
    value = int(text) if text.isascii() and text.isdigit() else -1
    return value if low <= value <= high else None


def _times(text: str) -> tuple[time, ...]:
    return tuple(sorted({_time(one) for one in text.split(",")}))


def _time(text: str) -> time:
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    if found is None:
        raise _refusal(f"{text!r} is not a time such as 08:00")
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        raise _refusal(f"there is no time {text}: the day runs from 00:00 to 23:59")
    return time(hour, minute)


def _weekdays(text: str) -> tuple[int, ...]:
    return tuple(sorted({_weekday(one) for one in text.split(",")}))


def _weekday(text: str) -> int:
    if text not in _WEEKDAYS:
        raise _refusal(f"{text!r} is not a day of the week such as tue or tuesday")
    return _WEEKDAYS[text]


def _weeks(text: str) -> int:
    weeks = _number(text, 1, 52)
    if weeks is None:
        raise _refusal(f"{text!r} is not a number of weeks from 1 to 52")
    return weeks


def _week_of_month(text: str) -> int:
    if text not in _WEEKS_OF_MONTH:
        raise _refusal(f"{text!r} is none of {', '.join(_WEEKS_OF_MONTH)}")
    return _WEEKS_OF_MONTH[text]


def _day_of_month(text: str) -> int:
    day = -1 if text == "last" else _number(text, 1, 28)
    if day is None:
        raise _refusal(f"{text!r} is not a day that every month has: 1 to 28, or last")
    return day


@dataclass(frozen=True)
class _Field:
    """One field of a cron expression: its name and the numbers and names it may hold."""

    name: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)

    def read(self, text: str) -> set[int]:
        """The values of a comma-separated list of items."""
        return {value for item in text.split(",") for value in self._item(item)}

    def _item(self, item: str) -> range:
        span, slash, step = item.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = self.low, self.high
        else:
            low = self._value(first, item)
            high = self._value(last, item) if dash else low
        if self is _DAY_OF_WEEK and low > high == 0:
            high = 7  # a range may end with Sunday as well as begin with it
        if low > high:
            raise self._refusal(item, "runs backwards")
        if not slash:
            return range(low, high + 1)
        if span != "*" and not dash:
            raise self._refusal(item, "steps without a range")
        every = _number(step, 1, self.high)
        if every is None:
            raise self._refusal(item, f"needs a step from 1 to {self.high}")
        return range(low, high + 1, every)

    def _value(self, text: str, item: str) -> int:
        value = self.names.get(text, _number(text, self.low, self.high))
        if value is None:
            known = "numbers or names" if self.names else "numbers"
            raise self._refusal(item, f"is not made of {known} from {self.low} to {self.high}")
        return value

    def _refusal(self, item: str, fault: str) -> CadenceError:
        return _refusal(f"{item!r}, in the cron expression's {self.name}, {fault}")


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
_DAY_OF_MONTH = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, {n: i for i, m in enumerate(_MONTHS, 1) for n in (m, m[:3])})
_DAY_OF_WEEK = _Field("day of week", 0, 7, {name: (day + 1) % 7 for name, day in _WEEKDAYS.items()})


def _cron(words: list[str]) -> Cron:
    if len(words) != 5:
        raise _refusal(f"a cron expression has five fields, and {' '.join(words)!r} has {len(words)}")
    minute, hour, day_of_month, month, day_of_week = words
    hours, minutes = sorted(_HOUR.read(hour)), sorted(_MINUTE.read(minute))
    cron = Cron(
        times=tuple(time(h, m) for h in hours for m in minutes),
        expression=" ".join(words),
        days_of_month=frozenset(_DAY_OF_MONTH.read(day_of_month)),
        months=frozenset(_MONTH.read(month)),
        days_of_week=frozenset(day % 7 for day in _DAY_OF_WEEK.read(day_of_week)),
        either="*" not in day_of_month and "*" not in day_of_week,
    )
    if not cron.either and min(cron.days_of_month) > max(_MONTH_LENGTHS[m - 1] for m in cron.months):
        raise _refusal(f"{cron} never falls due: day {min(cron.days_of_month)} is in none of its months")
    return cron


@cache
def _zone_names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime"})


def _close_zones(name: str) -> list[str]:
    """Up to three zones whose name, or city alone, resembles this."""
    zones = {zone.rpartition("/")[2].lower(): zone for zone in sorted(_zone_names())}
    zones |= {zone.lower(): zone for zone in _zone_names()}
    close = get_close_matches(name.lower(), zones, n=3)
    return list(dict.fromkeys(zones[key] for key in close))
