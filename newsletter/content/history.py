"""The history of the queues: who did what to which post, and when.

Rows are only ever added, in the transaction of the change itself, so that neither is there without the other.
They name categories and posts by their slugs, and outlive both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from newsletter.models import QueueEvent

PLANNER = "planner"
"""The actor where a post went out at its slot."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Who changes a queue, and when."""

    name: str
    now: datetime


class Action(StrEnum):
    """What can be done to a post in a queue."""

    ADDED = "added"
    PROPOSED = "proposed"  # added, or changed, and in need of approval
    APPROVED = "approved"
    UPDATED = "updated"  # its text changed
    EDITED = "edited"  # when it may go
    MOVED = "moved"
    HELD = "held"
    RELEASED = "released"
    DROPPED = "dropped"
    ISSUED = "issued"


def record(
    session: Session, editor: Editor, action: Action, category: str, post: str, detail: str = ""
) -> None:
    """Remember what was just done to a post in a category's queue, both by their slugs."""
    session.add(
        QueueEvent(
            at=editor.now, actor=editor.name, category=category, post=post, action=action, detail=detail
        )
    )


def latest_events(
    session: Session, *, limit: int, category: str | None = None, post: str | None = None
) -> Sequence[QueueEvent]:
    """The newest of what happened, the newest last."""
    statement = select(QueueEvent).order_by(col(QueueEvent.id).desc()).limit(limit)
    if category is not None:
        statement = statement.where(QueueEvent.category == category)
    if post is not None:
        statement = statement.where(QueueEvent.post == post)
    return session.exec(statement).all()[::-1]
