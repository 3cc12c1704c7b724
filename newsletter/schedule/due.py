"""Which slots are to be decided, and which of them are too late: caught up, or skipped with their reason.

What is due follows from the timetable and from the slots already decided, so that nothing is lost or doubled
by a silence, a clock that jumps, or a change of the cadence.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.models import REASON_LIMIT, Category, FailedSlot, Issue
from newsletter.schedule.timetable import SLOT_FORMAT, Slot, Timetable
from newsletter.states import IssueKind

_DAY = timedelta(days=1)
"""More than any zone is away from UTC."""


class Mending(NamedTuple):
    """A slot that has failed, and waits for the mend."""

    until: datetime
    reason: str
    """Why it is skipped, if that takes too long."""


_NONE_FAILED: Mapping[str, Mending] = {}


def slots_to_decide(
    undecided: Iterable[Slot],
    now: datetime,
    catch_up: timedelta,
    failed: Mapping[str, Mending] = _NONE_FAILED,
) -> list[Slot]:
    """What to do with the slots due by `now`, of which nothing was decided yet, oldest first.

    Of several missed ones only the newest is caught up, and only if it is not older than `catch_up`, or, if
    it is among the `failed` by its key, no longer than that waits; two that share an instant, as they may
    where clocks go forward, are both the newest. Those on days that are skipped do not count.
    """

    def is_in_time(slot: Slot) -> bool:
        waiting = failed.get(slot.key)
        return now <= (waiting.until if waiting else slot.due_at + catch_up)

    def why_not(slot: Slot) -> str:
        waiting = failed.get(slot.key)
        return waiting.reason if waiting else f"found {_ago(now - slot.due_at)} late"

    due_now = list(takewhile(lambda slot: slot.due_at <= now, undecided))
    newest = max((slot.due_at for slot in due_now if not slot.left_out), default=now)
    return [
        slot
        if slot.left_out or (slot.due_at == newest and is_in_time(slot))
        else replace(slot, left_out=why_not(slot))
        for slot in due_now
    ]


def failed_slots(session: Session, category: Category, patience: timedelta) -> dict[str, Mending]:
    """A category's slots that have failed, by their keys, and how long they wait."""
    found = session.exec(select(FailedSlot).where(FailedSlot.category_id == category.id))
    return {one.slot: Mending(one.failed_at + patience, _why_skipped(one.error)) for one in found}


def _why_skipped(error: str) -> str:
    first_line, _, _ = error.partition("\n")
    return f"could not be made: {first_line}"[:REASON_LIMIT]


def undecided(session: Session, category: Category, timetable: Timetable, now: datetime) -> Iterator[Slot]:
    """Every slot that has no issue, ascending, from the last one decided by `now` on."""
    is_its_slot = (col(Issue.category_id) == category.id) & (col(Issue.kind) == IssueKind.SLOT)
    last = session.exec(
        select(func.max(col(Issue.due_at))).where(is_its_slot, col(Issue.due_at) <= now)
    ).one()
    # Slots may share a due instant where clocks go forward, so the last one's instant is looked at again.
    start = max(category.slots_from, last) if last else category.slots_from
    # By slot and not by instant: a category that came back in another zone has the same wall clock again.
    decided = set(
        session.exec(
            select(col(Issue.slot)).where(
                is_its_slot,
                col(Issue.slot) >= (start - _DAY).strftime(SLOT_FORMAT),
            )
        )
    )
    return (slot for slot in timetable.slots(start) if slot.key not in decided)


def _ago(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
