"""When a queued post may go: from a day on, until a day, or kept for one slot. Pure.

Days are compared with a slot's own local date and pins with its name, so that no time zone has a say. What
may surprise: a post whose slot has passed without it is pinned no more and waits in its place, and one that
has expired stays in the queue for somebody to decide on.
"""

from collections.abc import Sequence
from datetime import date

from newsletter.models import Post, QueueEntry
from newsletter.states import EntryState

Waiting = Sequence[tuple[QueueEntry, Post]]
"""What waits in one queue, in its order."""


def ready(entries: Waiting, slot_key: str) -> list[tuple[QueueEntry, Post]]:
    """Those that may go at a slot, in the order in which they would: what is pinned to it, then the others.

    `entries` are those of one queue, in its order; what does not wait, or waits for somebody, is left out.
    """
    day = _day_of(slot_key)
    able = [pair for pair in entries if _may_go(pair[0], slot_key, day)]
    return sorted(able, key=lambda pair: pair[0].pinned_to != slot_key)


def _may_go(entry: QueueEntry, slot_key: str, day: date) -> bool:
    return (
        entry.state == EntryState.QUEUED
        and (entry.not_before is None or entry.not_before <= day)
        and (entry.not_after is None or day <= entry.not_after)
        and (entry.pinned_to is None or entry.pinned_to <= slot_key)
    )


def terms(entry: QueueEntry, since: str | None = None) -> str:
    """When a post may go, in words.

    Everything that was said of it; or only what still matters `since` a local wall-clock time, written as
    slots are.
    """
    day = _day_of(since) if since is not None else date.min
    if entry.not_after is not None and entry.not_after < day:
        return "expired"
    said = []
    if entry.not_before is not None and (since is None or entry.not_before > day):
        said.append(f"from {entry.not_before}")
    if entry.not_after is not None:
        said.append(f"until {entry.not_after}")
    if entry.pinned_to is not None and (since is None or entry.pinned_to >= since):
        said.append(f"at {entry.pinned_to}")
    return ", ".join(said)


def _day_of(slot_key: str) -> date:
    return date.fromisoformat(slot_key.partition("T")[0])
