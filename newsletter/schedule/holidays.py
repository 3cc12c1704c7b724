"""Holidays from a calendar's file (RFC 5545): the local dates its events touch, and what they are called.

What a file says is taken once, for the years ahead, so that no slot depends on a file that moved.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from newsletter.errors import CalendarError
from newsletter.files import open_regular

_MOST_OCTETS = 2 * 2**20
_WITHIN_A_DAY = frozenset({"SECONDLY", "MINUTELY", "HOURLY", "BYHOUR", "BYMINUTE", "BYSECOND"})
"""What a rule has whose event comes more than once a day: there might be millions of them."""
_LONGEST = timedelta(days=366)
_DAY = timedelta(days=1)


def read_holidays(path: Path, zone: ZoneInfo, first: date, last: date) -> dict[date, str]:
    """The days from `first` to `last` that have an event, with its summary; recurring ones each time.

    An event at a time of day counts for the dates that it has in `zone`. Raises CalendarError.
    """
    found: dict[date, str] = {}
    try:
        for event in _events(_read(path), first, last):
            begins = _local_date(event["DTSTART"].dt, zone)
            name = " ".join(str(event.get("SUMMARY", "")).split())[:120]
            for day in _days(event, begins, zone):
                if first <= day <= last:
                    found.setdefault(day, name)
    except CalendarError:
        raise
    except Exception as error:  # whatever it is that the libraries stumble over
        raise CalendarError(f"{path}: this calendar cannot be read: {_said(error)}") from error
    if not found:
        raise CalendarError(f"{path}: there is no event in it from {first} to {last}")
    return dict(sorted(found.items()))


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            data = file.read(_MOST_OCTETS + 1)
    except OSError as error:
        raise CalendarError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) > _MOST_OCTETS:
        raise CalendarError(f"{path}: is larger than {_MOST_OCTETS // 2**20} MB: no list of holidays is")
    if b"BEGIN:VCALENDAR" not in data.upper():
        raise CalendarError(f"{path}: is not a calendar's file: it has no BEGIN:VCALENDAR (RFC 5545)")
    return data


def _events(data: bytes, first: date, last: date) -> list[Any]:
    """The occurrences within these dates, and a day around them for zones."""
    import recurring_ical_events  # type: ignore[import-untyped]  # it has no types
    from icalendar import Calendar

    calendar: Any = Calendar.from_ical(data)
    for event in calendar.walk("VEVENT"):
        for rule in _rules(event):
            if not _WITHIN_A_DAY.isdisjoint({*rule, *rule.get("FREQ", [])}):
                name = f"{event.get('SUMMARY', 'without a name')!s:.80}"
                raise ValueError(f"the event {name} recurs within a day, as no holiday does")
    found = recurring_ical_events.of(calendar).between(first - _DAY, last + 2 * _DAY)
    return sorted(found, key=lambda event: str(event["DTSTART"].dt))


def _rules(event: Any) -> list[Any]:
    rules = event.get("RRULE", [])
    return rules if isinstance(rules, list) else [rules]


def _local_date(instant: date | datetime, zone: ZoneInfo) -> date:
    if not isinstance(instant, datetime):
        return instant
    return (instant.astimezone(zone) if instant.tzinfo else instant).date()


def _days(event: Any, begins: date, zone: ZoneInfo) -> Iterator[date]:
    """The dates that an event touches; its end is where it is over (RFC 5545 section 3.6.1)."""
    end = event["DTEND"].dt if "DTEND" in event else begins
    ends = _local_date(end, zone) - (timedelta() if isinstance(end, datetime) else _DAY)
    ends = min(max(ends, begins), begins + _LONGEST)
    return (begins + number * _DAY for number in range((ends - begins).days + 1))


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
