"""When a queued post may go, as its editor says: from a day, until a day, at one slot.

What is said on the command line wins over the post's front matter. A slot is kept for one post of a category.
Whether a category has such a slot is for `newsletter.schedule.pins` to say.
"""

from datetime import date, datetime
from typing import TypedDict
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from newsletter.content.history import Action, Editor, record
from newsletter.content.post import PostSource
from newsletter.content.queue import change_entry, places_of
from newsletter.content.readiness import terms
from newsletter.errors import QueueError
from newsletter.models import Category, Post, QueueEntry
from newsletter.states import WAITING


class Dates(TypedDict, total=False):
    """What is said of when a post may go, by the names of `QueueEntry`; None takes back what was said."""

    not_before: date | None
    not_after: date | None
    pinned_to: str | None


def said_by(source: PostSource) -> Dates:
    """What a post's front matter says."""
    return {"not_before": source.not_before, "not_after": source.expires}


def said_anew(source: PostSource, before: PostSource) -> Dates:
    """What a post's front matter says otherwise than it did: what it still says may be overruled since."""
    now, then = said_by(source), said_by(before)
    anew: Dates = {}
    if now["not_before"] != then["not_before"]:
        anew["not_before"] = now["not_before"]
    if now["not_after"] != then["not_after"]:
        anew["not_after"] = now["not_after"]
    return anew


def local_time(category: Category, now: datetime) -> str:
    """The wall-clock time in a category's zone, written as slots are."""
    local = now.astimezone(ZoneInfo(category.timezone))
    return local.replace(tzinfo=None).isoformat(timespec="minutes")


def check_dates(session: Session, category: Category, slug: str, dates: Dates, now: datetime) -> None:
    """Refuse what can never be, and a slot that is another post's. Raises QueueError."""
    first, last, slot = dates.get("not_before"), dates.get("not_after"), dates.get("pinned_to")
    if first is not None and last is not None and last < first:
        raise QueueError(f"{slug!r} cannot go: it is to wait until {first}, and expires on {last}")
    if slot is None or slot < local_time(category, now):
        return
    day = slot.partition("T")[0]
    if first is not None and day < first.isoformat():
        raise QueueError(f"{slug!r} cannot go at {slot}: it is to wait until {first}")
    if last is not None and last.isoformat() < day:
        raise QueueError(f"{slug!r} cannot go at {slot}: it expires on {last}")
    other = session.exec(
        select(Post.slug)
        .join(QueueEntry, col(QueueEntry.post_id) == col(Post.id))
        .where(
            QueueEntry.category_id == category.id,
            QueueEntry.pinned_to == slot,
            col(QueueEntry.state).in_(WAITING),
            Post.slug != slug,
        )
    ).first()
    if other is not None:
        raise QueueError(
            f"{slot} of {category.slug} is kept for {other!r}: name another slot, or "
            f"`paperround queue edit {other} --category {category.slug} --slot never` first"
        )


def date_entry(
    session: Session, entry: QueueEntry, category: Category, slug: str, dates: Dates, editor: Editor
) -> bool:
    """Say anew when a waiting post may go; whether that made a difference.

    Raises QueueError for what cannot be, and where the post has just gone.
    """
    before: Dates = {
        "not_before": entry.not_before,
        "not_after": entry.not_after,
        "pinned_to": entry.pinned_to,
    }
    if (after := before | dates) == before:
        return False
    check_dates(session, category, slug, after, editor.now)
    if not change_entry(session, entry, WAITING, **dates):
        raise QueueError(f"{slug!r} has just left the queue of {category.slug}")
    record(session, editor, Action.EDITED, category.slug, slug, terms(entry) or "at any time")
    return True


def edit(
    session: Session, slug: str, category: Category | None, dates: Dates, *, editor: Editor
) -> dict[str, str]:
    """Say anew when a post may go, in one category or wherever it waits: these, and its terms there in words.

    Raises QueueError if it waits nowhere, and for what cannot be.
    """
    waiting = [
        (entry, place)
        for entry, place in places_of(session, slug)
        if entry.state in WAITING and (category is None or place.id == category.id)
    ]
    if not waiting:
        where = f"in {category.slug}" if category else "in any queue"
        raise QueueError(
            f"{slug!r} does not wait {where}: `paperround queue show {slug}` says where it stands"
        )
    for entry, place in waiting:
        date_entry(session, entry, place, slug, dates, editor)
    return {place.slug: terms(entry) for entry, place in waiting}
