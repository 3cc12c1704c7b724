"""Slots that a post can be kept for: those that a category's timetable has, and that are still to come."""

from datetime import UTC, datetime, timedelta
from itertools import takewhile

from sqlmodel import Session, col, select

from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Issue
from newsletter.schedule.categories import locked
from newsletter.schedule.timetable import SLOT_FORMAT, Slot, Timetable, timetable_of

_AROUND = timedelta(days=2)
"""More than a slot's wall-clock time and its due can be apart."""
_MOMENT = timedelta(microseconds=1)
_FARTHEST = timedelta(days=3653)
"""How far ahead a slot may be: a slip of a century would be kept for nobody."""


def check_slot(session: Session, category: Category, text: str, now: datetime) -> str:
    """The name of a slot that is to come, and that something may go at. Raises QueueError for any other.

    Holds the category until the transaction ends, so that its slot is still there when it is taken.
    """
    wanted = _parsed(text)
    held = locked(session, category)
    if held is None:
        raise NotFoundError(f"the category {category.slug!r} has just been removed")
    timetable = timetable_of(session, held)
    slot = _slot_at(timetable, wanted, now)
    if slot is None:
        raise QueueError(f"{category.slug} has no slot {text} to come{_instead(timetable, wanted, now)}")
    if slot.left_out:
        raise QueueError(f"nothing goes at {text} in {category.slug}: {slot.left_out}")
    decided = select(Issue.id).where(Issue.category_id == category.id, col(Issue.slot) == slot.key)
    if session.exec(decided).first() is not None:
        raise QueueError(
            f"what goes at {text} in {category.slug} is decided: `paperround issue list` shows it"
        )
    return slot.key


def _parsed(text: str) -> datetime:
    try:
        wanted = datetime.strptime(text, SLOT_FORMAT)  # noqa: DTZ007  # a slot is wall-clock time
    except ValueError:
        raise QueueError(f"{text!r} is not a slot such as 2026-12-01T08:00") from None
    if wanted.strftime(SLOT_FORMAT) != text:
        raise QueueError(f"{text!r} is not a slot such as 2026-12-01T08:00")
    return wanted


def _slot_at(timetable: Timetable, wanted: datetime, now: datetime) -> Slot | None:
    """The slot of this name that falls due after `now`, if the timetable has it."""
    around = wanted.replace(tzinfo=UTC)
    if not now - _AROUND < around < now + _FARTHEST:
        return None
    coming = timetable.slots(max(now, around - _AROUND))
    near = takewhile(lambda slot: slot.due_at < around + _AROUND, coming)
    return next((slot for slot in near if slot.local == wanted and slot.due_at > now), None)


def _instead(timetable: Timetable, wanted: datetime, now: datetime) -> str:
    """The slot that comes next from there, in words."""
    around = wanted.replace(tzinfo=UTC)
    start = around if now < around < now + _FARTHEST else now + _MOMENT
    following = timetable.first_from(start)
    return f"; from there on it has {following.key}" if following else ""
