"""A category's timetable: its slots, with those that are left out, and the instant at which each falls due.

Where readers get their letters by their own clocks, a slot falls due when the first of them can have it: at
its wall-clock time in the easternmost zone. A day that is skipped has its slots all the same: they are
decided, as skipped, so that every gap has its reason. After the last day there are none. Pure, but for
`timetable_of`, which reads one from the database.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from newsletter.errors import CadenceError
from newsletter.models import Category, SkippedDay
from newsletter.schedule.cadence import Cadence, due_at, due_slots, parse_cadence, parse_zone

SLOT_FORMAT = "%Y-%m-%dT%H:%M"
"""How a slot is written: local wall-clock time."""

EASTERNMOST, WESTERNMOST = ZoneInfo("Etc/GMT-14"), ZoneInfo("Etc/GMT+12")
"""The zones in which a wall-clock time comes first and last. (POSIX counts to the west: GMT-14 is UTC+14.)"""

_LONGEST_GAP = timedelta(days=2)
"""More than a slot and one that falls due after it can be out of step, where clocks change."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One slot: its local wall-clock time, and when that falls due. `left_out` says why nothing goes then."""

    local: datetime
    due_at: datetime
    left_out: str = ""

    @property
    def key(self) -> str:
        """What its issue is known by."""
        return self.local.strftime(SLOT_FORMAT)


@dataclass(frozen=True)
class Timetable:
    """All that a category's slots follow from.

    `zone` is where slots fall due. `anchor` is the local date from which `every 2 weeks` counts; no slot is
    due before `begins_at`, and none lies after the local date `last_day`. `skipped` gives what the local
    dates that are skipped are called.
    """

    cadence: Cadence
    zone: ZoneInfo
    anchor: date
    begins_at: datetime
    last_day: date | None = None
    skipped: Mapping[date, str] = field(default_factory=dict)

    def slots(self, start: datetime) -> Iterator[Slot]:
        """The slots that fall due at or after the instant `start`, ascending by that and then by slot."""
        coming = due_slots(self.cadence, self.zone, max(start, self.begins_at), anchor=self.anchor)
        if self.last_day is not None:
            last = self.last_day
            in_sight = takewhile(lambda pair: pair[1].date() - last <= _LONGEST_GAP, coming)
            coming = (pair for pair in in_sight if pair[1].date() <= last)
        return (Slot(slot, due, self._left_out(slot.date())) for due, slot in coming)

    def _left_out(self, day: date) -> str:
        if day not in self.skipped:
            return ""
        return self.skipped[day] or "this day is skipped"

    def first_from(self, start: datetime) -> Slot | None:
        """The first slot at or after an instant at which something may go."""
        return next((slot for slot in self.slots(start) if not slot.left_out), None)

    def next_after(self, slot: Slot) -> Slot | None:
        """The next slot on which something may go."""
        coming = self.slots(slot.due_at)
        return next((other for other in coming if other.local > slot.local and not other.left_out), None)

    def days_after_week(self, slot: Slot) -> list[Slot]:
        """A slot's time on each day of the two weeks after its own, but for those that are skipped."""
        day = slot.local.date()
        monday = day + timedelta(days=7 - day.weekday())
        days = [monday + timedelta(days=number) for number in range(14)]
        kept = [one for one in days if one not in self.skipped] or days[:1]
        moments = (datetime.combine(one, slot.local.time()) for one in kept)
        return [Slot(local, due_at(local, self.zone)) for local in moments]


def due_for(slot: Slot, category: Category, zone_name: str) -> datetime:
    """When a letter of a slot is due for a reader in a zone: in none that is known, by the category's."""
    return by_clock(slot.local, zone_name, category.timezone) if category.local_time else slot.due_at


def by_clock(local: datetime, zone_name: str, otherwise: str) -> datetime:
    """When it is a local time in a zone; in none that is known, in the other one."""
    try:
        zone = parse_zone(zone_name or otherwise)
    except CadenceError:
        zone = parse_zone(otherwise)
    return due_at(local, zone)


def latest_due(slot: Slot, category: Category) -> datetime:
    """When the last letter of a slot is due."""
    return due_at(slot.local, WESTERNMOST) if category.local_time else slot.due_at


def timetable_of(session: Session, category: Category) -> Timetable:
    """The timetable of a category."""
    skipped = session.exec(select(SkippedDay).where(col(SkippedDay.category_id) == category.id))
    zone = parse_zone(category.timezone)
    return Timetable(
        cadence=parse_cadence(category.cadence),
        zone=EASTERNMOST if category.local_time else zone,
        anchor=category.created_at.astimezone(zone).date(),
        begins_at=category.slots_from,
        last_day=category.last_day,
        skipped={one.day: one.name for one in skipped},
    )
