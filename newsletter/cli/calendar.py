"""The plan as a calendar for a terminal: a grid for each month, its weeks as rows, Monday first.

Pure: what comes goes in, lines of text come out, none wider than asked for. Weekdays on which nothing ever
goes are narrow, so that the others have room; where even those would be too narrow it is an agenda, a day
after the other. May surprise: each slot stands on its own category's local day.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, NamedTuple

from newsletter.cli.output import cell, count_of, padded, width_of
from newsletter.states import IssueState

if TYPE_CHECKING:
    from newsletter.schedule.planned import PlannedIssue

_DAY = timedelta(days=1)
_WEEK = range(7)
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)

_LEAST = 20
"""Columns that there are at least: a terminal with fewer breaks lines."""
_GRID_FROM = 60
"""Columns below which there is no grid."""
_QUIET, _NARROWEST, _WIDEST = 5, 11, 34
"""Columns of a weekday: of one with no slot, and of the others at least and at most."""
_INDENT = 8
"""What stands before a slot in the agenda: `Tue 13  `."""


class Style:
    """What a terminal is told of how a text looks (ECMA-48)."""

    PLAIN = ""
    STRONG = "1"
    FAINT = "2"
    SLOT = "36"
    GAP = "1;33"


class Line(NamedTuple):
    """One line of a cell."""

    text: str
    style: str = Style.PLAIN


@dataclass(frozen=True, slots=True)
class Entry:
    """One slot as it is shown; `gap` says what it is where nothing goes, and `what` then why."""

    at: datetime
    category: str
    what: str = ""
    who: str = ""
    gap: str = ""


def entries_of(coming: Iterable["PlannedIssue"], *, with_readers: bool) -> list[Entry]:
    """What a plan shows of each of its slots."""
    return [_entry(issue, with_readers=with_readers) for issue in coming]


def _entry(issue: "PlannedIssue", *, with_readers: bool) -> Entry:
    at, category = datetime.fromisoformat(issue.slot), cell(issue.category)
    if issue.state == IssueState.SKIPPED:
        return Entry(at, category, cell(issue.reason), gap="! skipped")
    if not issue.posts:
        return Entry(at, category, gap="! runs dry")
    who = [count_of(issue.readers, "reader")] if with_readers else []
    who += [f"{len(issue.posts)} posts"] if len(issue.posts) > 1 else []
    return Entry(at, category, cell(issue.posts[0].title), ", ".join(who))


def calendar_of(entries: Sequence[Entry], first: date, last: date, *, width: int, colour: bool) -> list[str]:
    """The lines of a calendar from one day to another, and of what lies beside them.

    No line is wider than `width`, or than the least there is to write on.
    """
    width = max(width, _LEAST)
    in_order = sorted(entries, key=lambda one: (one.at, one.category))
    by_day = {day: list(group) for day, group in groupby(in_order, lambda one: one.at.date())}
    first, last = min([first, *by_day]), max([last, *by_day])
    widths = _widths(by_day, width)
    pen = _Pen(colour)
    if widths is None:
        return list(_agenda(by_day, width, pen))
    return [line for month in _months(first, last) for line in _grid(month, by_day, widths, pen)]


def _widths(by_day: Mapping[date, object], width: int) -> list[int] | None:
    """The columns of each weekday, None where there is too little room for a grid."""
    busy = sorted({day.weekday() for day in by_day})
    room = width - len(_WEEK) - 1 - _QUIET * (len(_WEEK) - len(busy))
    if not busy or width < _GRID_FROM or room // len(busy) < _NARROWEST:
        return None
    each, over = divmod(min(room, _WIDEST * len(busy)), len(busy))
    wide = {weekday: each + (place < over) for place, weekday in enumerate(busy)}
    return [wide.get(weekday, _QUIET) for weekday in _WEEK]


def _months(first: date, last: date) -> Iterator[list[date]]:
    """The days from one to another, by months."""
    days = (first + _DAY * number for number in range((last - first).days + 1))
    for _, month in groupby(days, lambda day: (day.year, day.month)):
        yield list(month)


class _Pen:
    """Writes texts in a style, or without any."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def write(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colour and style and text.strip() else text


def _grid(
    month: Sequence[date], by_day: Mapping[date, Sequence[Entry]], widths: Sequence[int], pen: _Pen
) -> Iterator[str]:
    yield pen.write(_month_name(month[0]).center(sum(widths) + len(_WEEK) + 1).rstrip(), Style.STRONG)
    yield _rule(widths, "┌┬┐", pen)
    yield _row([Line(name, Style.FAINT) for name in _WEEKDAYS], widths, pen)
    for _, week in groupby(month, lambda day: day.toordinal() - day.weekday()):
        yield _rule(widths, "├┼┤", pen)
        days = {day.weekday(): day for day in week}
        cells = [
            _cell(days[weekday], by_day.get(days[weekday], ()), width - 1) if weekday in days else []
            for weekday, width in enumerate(widths)
        ]
        for lines in zip_longest(*cells, fillvalue=Line("")):
            yield _row(lines, widths, pen)
    yield _rule(widths, "└┴┘", pen)
    yield ""


def _month_name(day: date) -> str:
    return f"{_MONTHS[day.month - 1]} {day.year}"


def _rule(widths: Sequence[int], joints: str, pen: _Pen) -> str:
    line = joints[1].join("─" * width for width in widths)
    return pen.write(f"{joints[0]}{line}{joints[2]}", Style.FAINT)


def _row(lines: Sequence[Line], widths: Sequence[int], pen: _Pen) -> str:
    edge = pen.write("│", Style.FAINT)
    written = (
        " " + pen.write(padded(line.text, width - 1), line.style)
        for line, width in zip(lines, widths, strict=True)
    )
    return edge + edge.join(written) + edge


def _cell(day: date, entries: Sequence[Entry], width: int) -> list[Line]:
    lines = [Line(str(day.day), Style.STRONG if entries else Style.FAINT)]
    for number, entry in enumerate(entries):
        lines += [Line("")] if number else []
        lines += _told(entry, width)
    return lines


def _told(entry: Entry, width: int) -> Iterator[Line]:
    """A slot in so many columns."""
    time = f"{entry.at:%H:%M}"
    head = f"{time} {entry.category}"
    # Where the name would hardly begin beside the time it has a line of its own.
    heads = [head] if width >= len(time) + _NARROWEST or width_of(head) <= width else [time, entry.category]
    yield from (Line(_cut(text, width), Style.SLOT) for text in heads)
    if entry.gap:
        yield Line(_cut(entry.gap, width), Style.GAP)
    for text in _wrapped(entry.what, width):
        yield Line(text)
    if entry.who:
        yield Line(_cut(entry.who, width), Style.FAINT)


def _agenda(by_day: Mapping[date, Sequence[Entry]], width: int, pen: _Pen) -> Iterator[str]:
    for _, month in groupby(by_day, lambda day: (day.year, day.month)):
        days = list(month)
        yield pen.write(_month_name(days[0]), Style.STRONG)
        for day in days:
            name = f"{_WEEKDAYS[day.weekday()]} {day.day:>2}"
            for entry in by_day[day]:
                for text, style in _told(entry, width - _INDENT):
                    yield name.ljust(_INDENT) + pen.write(text, style)
                    name = ""
        yield ""


def _wrapped(text: str, width: int) -> Iterator[str]:
    """A text on two lines at most, the second one cut."""
    words = text.split()
    taken = 1
    while taken < len(words) and width_of(" ".join(words[: taken + 1])) <= width:
        taken += 1
    for line in filter(None, (words[:taken], words[taken:])):
        yield _cut(" ".join(line), width)


def _cut(text: str, width: int) -> str:
    """A text that fits, with an ellipsis where it went on."""
    return padded(text, width).rstrip()
