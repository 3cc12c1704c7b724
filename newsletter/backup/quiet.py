"""What a restored database must not do by itself: send again what went out after the backup was made.

A backup remembers promises as they stood then. Letters it calls queued, slots it calls undecided and posts it
calls waiting may all have gone out since, and the database that knew is gone. So nothing of the kind moves
until a person has said so:

- every issue with letters that have not ended, or with posts for a digest that has been due since, is paused:
  `issue resume` or `issue cancel`;
- where a category had a slot since, the slots up to now are let go, and the posts that wait in its queue are
  held: `queue drop` those that went out, `queue release` the others.

The tables of an older backup are brought up to date first. A second run changes nothing more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select, update
from sqlmodel import Session, col

from newsletter.content.history import Action, Editor, record
from newsletter.content.queue import entries
from newsletter.delivery.issues import pausing
from newsletter.delivery.letters import UNFINISHED
from newsletter.models import Attempt, Category, Delivery, DigestPost, Issue
from newsletter.schedule.categories import streams_of
from newsletter.states import EntryState, IssueKind, IssueState

_ACTOR = "db restore"
"""Who holds posts here, in the history of their queue."""


@dataclass(frozen=True, slots=True)
class Quieted:
    """What was stopped."""

    last_entry: datetime | None
    """When the backup remembers doing something last, None if it never did."""
    issues: tuple[int, ...]
    """Paused."""
    categories: tuple[tuple[str, int], ...]
    """Those with a slot since, each with the number of posts now held."""


def quieten(connection: Connection, now: datetime) -> Quieted:
    """Stop all that may have happened since; the caller commits."""
    last_entry = _last_entry(connection)
    paused = _pause_issues(connection, last_entry, now)
    return Quieted(last_entry, paused, tuple(_hold_queues(connection, now)))


def _last_entry(connection: Connection) -> datetime | None:
    times = [
        connection.execute(select(func.max(column))).scalar()
        for column in (col(Issue.planned_at), col(Attempt.at))
    ]
    return max((time for time in times if time is not None), default=None)


def _pause_issues(connection: Connection, last_entry: datetime | None, now: datetime) -> tuple[int, ...]:
    if last_entry is None:
        return ()  # no slot was ever decided
    reason = (
        f"restored from a backup that ends at {last_entry:%Y-%m-%d %H:%M} UTC: letters may have gone since"
    )
    unfinished = select(col(Delivery.issue_id)).where(col(Delivery.state).in_(UNFINISHED))
    in_digests = select(col(DigestPost.issue_id)).where(
        col(DigestPost.letter_key).is_(None), col(DigestPost.ready_at) <= now
    )
    paused = connection.execute(
        update(Issue)
        .where(
            col(Issue.state) == IssueState.PLANNED,
            col(Issue.id).in_(unfinished) | col(Issue.id).in_(in_digests),
        )
        .values(**pausing(reason))
        .returning(col(Issue.id))
    )
    return tuple(sorted(paused.scalars()))


def _hold_queues(connection: Connection, now: datetime) -> list[tuple[str, int]]:
    held = []
    latest = select(func.max(col(Issue.due_at))).where(
        col(Issue.category_id) == col(Category.id), col(Issue.kind) == IssueKind.SLOT
    )
    found = connection.execute(select(col(Category.id), latest.scalar_subquery()))
    decided: dict[int, datetime | None] = dict(found.all())
    with Session(connection) as session:
        for category, timetable in streams_of(session):
            last = decided[category.id]
            coming = timetable.slots(last or timetable.begins_at)
            first = next((slot for slot in coming if slot.due_at != last), None)
            if first is None or first.due_at > now:
                continue
            waiting = entries(session, category, (EntryState.QUEUED,))
            for entry, post in waiting:
                entry.state = EntryState.HELD
                record(session, Editor(_ACTOR, now), Action.HELD, category.slug, post.slug)
            category.slots_from = now
            session.flush()
            held.append((category.slug, len(waiting)))
    return held
