"""What readers' letters follow from, told by statements in one text a reader, and read again.

So a statement groups the readers of whom the same is true, and one decision serves them all. Each function
that tells is a column for a statement about `Subscriber`; beside it is the one that reads.
"""

from datetime import UTC, date, datetime
from functools import reduce

from sqlalchemy import ColumnElement, Text, case, cast, func
from sqlalchemy import select as sql_select
from sqlmodel import col

from newsletter.models import Delivery, DigestPost, Issue
from newsletter.schedule.readers import waits_for_digest
from newsletter.schedule.wishes import Kept, Wish, wish_of
from newsletter.states import UNSENT, IssueKind
from subscribers.models import Subscriber


def told_wish() -> ColumnElement[str]:
    """A subscriber's own wish, as `parse_wish` reads it."""
    cap = func.coalesce(cast(col(Subscriber.weekly_cap), Text), "")
    return func.coalesce(col(Subscriber.frequency), "") + ":" + cap


def parse_wish(told: str, usual: Wish) -> Wish:
    """What a reader wishes; `usual` is what they have who wish nothing."""
    frequency, _, cap = told.partition(":")
    return wish_of(frequency or None, int(cap) if cap else None, usual)


def days_of_letters(since: date, usual: Wish) -> ColumnElement[str]:
    """The local days of a subscriber's letters of slots from one on, with spaces between.

    Only where a cap counts them: `usual` is what readers have who wish nothing.
    """
    days = (
        sql_select(func.aggregate_strings(func.substr(col(Issue.slot), 1, 10), " "))
        .join_from(Delivery, Issue, col(Issue.id) == col(Delivery.issue_id))
        .where(
            col(Delivery.subscriber_id) == col(Subscriber.id),
            col(Delivery.state).not_in(UNSENT),
            col(Issue.kind).in_([IssueKind.SLOT, IssueKind.DIGEST]),
            col(Issue.slot) >= since.isoformat(),
        )
        .correlate(Subscriber)
        .scalar_subquery()
    )
    told = func.coalesce(days, "")
    return told if usual.cap else case((col(Subscriber.weekly_cap) > 0, told), else_="")


def posts_kept() -> ColumnElement[str]:
    """The posts that wait for a subscriber's digest, as `parse_kept` reads them, with semicolons between."""
    found = (
        sql_select(func.aggregate_strings(told_post(), ";"))
        .join_from(DigestPost, Issue, col(Issue.id) == col(DigestPost.issue_id))
        .where(col(DigestPost.subscriber_id) == col(Subscriber.id), waits_for_digest())
        .correlate(Subscriber)
        .scalar_subquery()
    )
    return func.coalesce(found, "")


def told_post() -> ColumnElement[str]:
    """A post that waits and its slot's issue as one text."""
    columns = (
        col(DigestPost.slot), col(DigestPost.ready_at), col(DigestPost.timezone), col(DigestPost.category),
        col(Issue.slot),
        col(DigestPost.place), col(DigestPost.post_id),
    )  # fmt: skip
    words: list[ColumnElement[str]] = [cast(column, Text) for column in columns]
    return reduce(lambda text, word: text + "," + word, words)


def parse_kept(text: str) -> Kept:
    """A post that waits, as statements tell it."""
    slot, ready_at, zone, category, given, place, post = text.split(",")
    return Kept(slot, parse_instant(ready_at), zone, category, given, int(place), int(post))


def parse_instant(text: str) -> datetime:
    """An instant as a database writes it: SQLite has no zones, and PostgreSQL says its own."""
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
