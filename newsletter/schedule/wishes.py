"""What readers wish: one letter of each issue, a digest of a day, week or month, at most so many a week.

Pure, and one rule for planning and for foretelling. A slot gives a reader posts; `departure` says when they
go. With a digest that is the last slot of its period in one of the reader's categories; where nothing else is
to come there is nothing to merge, and the posts go by themselves. Over the weekly cap they wait for a letter
of a more important category that is to come this week, else for the next week: its first day, or, where
that week's places are all kept for such categories, the first slot that has one. Whatever waits is taken
along by the next letter that may go, so that nothing is lost and nothing waits much longer than a week.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import nsmallest
from typing import NamedTuple

from subscribers.models import Frequency

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)

HORIZON = timedelta(days=35)
"""How far ahead of a slot others matter to it: more than a month, and more than the week after it."""


class Wish(NamedTuple):
    """What a reader wishes: how often, and how many letters a week at most (None: any number)."""

    frequency: Frequency = Frequency.ISSUE
    cap: int | None = None


EVERY_ISSUE = Wish()


def wish_of(frequency: str | None, weekly_cap: int | None, usual: Wish) -> Wish:
    """A reader's wish, as their row has it. A digest of a week or more needs no cap: it is one letter."""
    chosen = Frequency(frequency) if frequency else usual.frequency
    if chosen in (Frequency.WEEKLY, Frequency.MONTHLY):
        return Wish(chosen)
    return Wish(chosen, usual.cap if weekly_cap is None else weekly_cap or None)


Standing = frozenset[tuple[str, date | None]]
"""The categories that a reader subscribes to, each with the day from which it has letters, None for now."""


def gets(standing: Standing, category: str, day: date) -> bool:
    """Whether a slot of a category on a local day is for a reader."""
    return any(slug == category and (since is None or since <= day) for slug, since in standing)


def parse_standing(text: str) -> Standing:
    """Categories as a statement tells them (see `newsletter.schedule.readers.standing_of`)."""
    return frozenset(map(_subscription, text.split()))


def _subscription(text: str) -> tuple[str, date | None]:
    slug, _, since = text.partition("@")
    return slug, date.fromisoformat(since) if since else None


class Coming(NamedTuple):
    """A slot that is to be decided yet, in the order in which slots are."""

    due_at: datetime
    category: str
    key: str
    priority: int
    timezone: str = "UTC"
    local_time: bool = False

    @property
    def day(self) -> date:
        """Its local date."""
        return date.fromisoformat(self.key[:10])


class Departure(NamedTuple):
    """When posts that wait are to go: as a slot is written, and the instant of that.

    With `local_time` the letter is due at that time by each reader's own clock, `timezone` being for those
    whose zone is not known.
    """

    slot: str
    ready_at: datetime
    timezone: str = "UTC"
    local_time: bool = False

    @property
    def day(self) -> date:
        """Its local date."""
        return date.fromisoformat(self.slot[:10])


class Kept(NamedTuple):
    """A post that waits for a reader's digest: when that goes, and which slot gave it, at which place."""

    slot: str
    ready_at: datetime
    timezone: str
    category: str
    given: str
    place: int
    post: int


class Waiting(NamedTuple):
    """Posts that wait for a reader: the local day on which the first of them go, and whether that is now."""

    day: date
    is_ready: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """What a departure follows from, besides the slots: a reader's wish, and what they have.

    `letters` are the local days of those they have in the slot's week and after, where a cap counts them.
    """

    wish: Wish
    standing: Standing
    letters: tuple[date, ...] = ()
    waiting: Waiting | None = None


def week_of(day: date) -> tuple[date, date]:
    """The week of a day: its Monday, and the one after."""
    monday = day - day.weekday() * _DAY
    return monday, monday + _WEEK


def is_in_period(frequency: Frequency, day: date, other: date) -> bool:
    """Whether two local days have one digest; for letters of each issue, whether they are the same."""
    match frequency:
        case Frequency.MONTHLY:
            return (day.year, day.month) == (other.year, other.month)
        case Frequency.WEEKLY:
            return week_of(day) == week_of(other)
    return day == other


def last_in_period(reader: Reader, day: date, later: Iterable[Coming]) -> Coming | None:
    """The last slot to come for a reader whose posts go in one digest with those of a day."""
    if reader.wish.frequency == Frequency.ISSUE:
        return None
    theirs = (
        slot
        for slot in later
        if is_in_period(reader.wish.frequency, day, slot.day)
        and gets(reader.standing, slot.category, slot.day)
    )
    return max(theirs, default=None)


def departure(
    reader: Reader, slot: Coming, later: Sequence[Coming], days: Sequence[Departure]
) -> Departure | None:
    """When the posts that a slot gives to a reader go, None for at once and by themselves.

    `later` are the other slots to come, in their order; `days` are the moments of the two weeks after the
    slot's at which its posts may go otherwise, one a day.
    """
    # What joins a letter that goes anyway needs no place of its own.
    joins = _goes_with(reader, slot)
    if not joins and (moved := _moved(reader, slot, later, days)) is not None:
        last = last_in_period(reader, moved.day, later)
        return _at(last) if last is not None and last.due_at > moved.ready_at else moved
    last = last_in_period(reader, slot.day, later)
    if last is None and reader.waiting is None:
        return None
    return _at(slot if last is None else max(slot, last))


def _goes_with(reader: Reader, slot: Coming) -> bool:
    """Whether a digest that a slot's posts may join goes now, or within the slot's period."""
    if reader.waiting is None:
        return False
    if reader.wish.frequency == Frequency.ISSUE:
        return reader.waiting.is_ready
    return is_in_period(reader.wish.frequency, reader.waiting.day, slot.day)


def _at(slot: Coming) -> Departure:
    return Departure(slot.key, slot.due_at, slot.timezone, slot.local_time)


def _moved(
    reader: Reader, slot: Coming, later: Sequence[Coming], days: Sequence[Departure]
) -> Departure | None:
    """When posts go for which the slot's week has no place, None where it has one."""
    if reader.wish.cap is None:
        return None
    first = [
        other
        for other in later
        if other.priority < slot.priority and gets(reader.standing, other.category, other.day)
    ]
    monday, _ = week_of(slot.day)
    for week in (monday, monday + _WEEK, monday + 2 * _WEEK):
        end = week + _WEEK
        places = reader.wish.cap - sum(week <= day < end for day in reader.letters)
        kept_for = [other for other in first if week <= other.day < end]
        if len(kept_for) < places:
            if week == monday:
                return None
            free = (when for when in days if week <= when.day < end and when.day not in reader.letters)
            if (when := next(free, None)) is not None:
                return when
        elif places > 0:
            return _first_with_a_place(kept_for, places)
    return days[-1]


def _first_with_a_place(slots: Iterable[Coming], places: int) -> Departure:
    """The first of the most important slots, as many as there are places."""
    kept_for = nsmallest(places, slots, key=lambda slot: (slot.priority, slot))
    return _at(min(kept_for))


def digest_of(
    reader: Reader, kept: Iterable[Kept], later: Iterable[Coming], now: datetime
) -> tuple[str, Coming | None]:
    """The slot of the digest for which some of these posts are ready `now`, and what it has to wait for.

    As a rule that is nothing: a slot may have come up meanwhile, or is being decided by somebody else.
    """
    _, newest = max((one.ready_at, one.slot) for one in kept if one.ready_at <= now)
    return newest, last_in_period(reader, date.fromisoformat(newest[:10]), later)


def in_order(kept: Iterable[Kept], priorities: Mapping[str, int]) -> tuple[Kept, ...]:
    """The posts of a digest as they stand in it: by their categories, the most important first."""
    return tuple(
        sorted(kept, key=lambda one: (priorities[one.category], one.category, one.given, one.place, one.post))
    )
