"""Who gets which post at a slot: set-based statements, so that the cost grows with the rows written.

`choose` fills a temporary table with (subscriber, post); receipts and deliveries are written from there, and
a simulation counts there. Receipts of the real table and imagined ones are looked up alike.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    FromClause,
    MetaData,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
)
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel, col, select

from newsletter.models import Category, Edition, EditionPost, Post, QueueEntry, Receipt
from newsletter.states import DeliveryState, EntryState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Key, Subscription, SubscriptionState

Rows = Select[*tuple[Any, ...]]
"""A SELECT whose rows are used inside the database."""


def _temporary_table(name: str, *columns: Column[int]) -> Table:
    """A table of one session's own; in a MetaData of its own, so that no migration makes it."""
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"])


CHOSEN = _temporary_table("chosen", Column("subscriber_id", Key, primary_key=True), Column("post_id", Key))
"""Who gets which post at a slot. Receipts are written from here, because a statement that looks receipts up
for each reader while it adds to them is quadratic wherever PostgreSQL took the table for a small one."""

SIMULATED = _temporary_table(
    "simulated_receipt",
    Column("subscriber_id", Key, primary_key=True),
    Column("post_id", Key, primary_key=True),
)
"""Receipts that `upcoming` imagines."""

WRITTEN: Sequence[FromClause] = (SQLModel.metadata.tables["receipt"],)
SIMULATING = (*WRITTEN, SIMULATED)


@contextmanager
def temporary(session: Session, *tables: Table) -> Iterator[None]:
    """Tables for a while; an exception leaves them to the rollback."""
    for table in tables:
        table.create(session.connection(), checkfirst=False)
    yield
    for table in tables:
        table.drop(session.connection(), checkfirst=False)


def letter_key(issue_id: int) -> str:
    """What makes an issue's letter one, whoever gets it."""
    return f"issue:{issue_id}"


def choose(
    session: Session,
    category: Category,
    queue: Sequence[Post],
    receipts: Sequence[FromClause],
    reader: int | None = None,
) -> tuple[tuple[Post, ...], int]:
    """Fill `CHOSEN` with the active readers who are to get a post, each with theirs; or with one `reader`.

    Returns the posts, in the queue's order, and the number of readers. The queue must not be empty.
    """
    is_broadcast = category.mode == Mode.BROADCAST
    rows = _lacking(category, queue[0], receipts) if is_broadcast else _first_lacking(category, receipts)
    if reader is not None:
        rows = rows.where(col(Subscription.subscriber_id) == reader)
    session.execute(delete(CHOSEN))
    session.execute(insert(CHOSEN).from_select(["subscriber_id", "post_id"], rows))
    session.execute(delete(CHOSEN).where(CHOSEN.c.post_id.is_(None)))
    counts = sql_select(CHOSEN.c.post_id, func.count().label("readers")).group_by(CHOSEN.c.post_id)
    readers = {row.post_id: row.readers for row in session.execute(counts)}
    # Not from `queue`: a post that was queued since it was read may have been chosen too.
    posts = queue[:1] if is_broadcast else _chosen_posts(session, category)
    return tuple(posts), sum(readers.values())


def _chosen_posts(session: Session, category: Category) -> Sequence[Post]:
    """The posts in `CHOSEN`, in the queue's order."""
    return session.exec(
        select(Post)
        .join(QueueEntry, col(QueueEntry.post_id) == col(Post.id))
        .where(
            col(QueueEntry.category_id) == category.id,
            col(Post.id).in_(sql_select(CHOSEN.c.post_id).distinct()),
        )
        .order_by(col(QueueEntry.position), col(QueueEntry.id))
    ).all()


def _lacking(category: Category, post: Post, receipts: Sequence[FromClause]) -> Rows:
    """Each active reader who has no receipt for a post, with the post."""
    return sql_select(col(Subscription.subscriber_id), literal(post.id)).where(
        _is_active(category), *_no_receipt(post.id, receipts)
    )


def _first_lacking(category: Category, receipts: Sequence[FromClause]) -> Rows:
    """Each active reader, with the lowest-placed queued post they have no receipt for, or NULL.

    A walk along the queue for each reader, up to that post.
    """
    first = (
        sql_select(col(QueueEntry.post_id))
        .where(
            col(QueueEntry.category_id) == category.id,
            col(QueueEntry.state) == EntryState.QUEUED,
            *_no_receipt(col(QueueEntry.post_id), receipts),
        )
        .order_by(col(QueueEntry.position), col(QueueEntry.id))
        .limit(1)
        .correlate(Subscription)
        .scalar_subquery()
    )
    return sql_select(col(Subscription.subscriber_id), first).where(_is_active(category))


def _is_active(category: Category) -> ColumnElement[bool]:
    return and_(
        col(Subscription.category) == category.slug,
        col(Subscription.state) == SubscriptionState.ACTIVE,
    )


def _no_receipt(post_id: Any, receipts: Sequence[FromClause]) -> Iterator[ColumnElement[bool]]:
    """That a subscription's reader has no receipt for the post in any of these tables."""
    for table in receipts:
        had = exists().where(
            table.c.subscriber_id == col(Subscription.subscriber_id), table.c.post_id == post_id
        )
        yield ~had.correlate(Subscription, QueueEntry)


def owed_deliveries(slug: str, issue_id: int, due_at: datetime) -> Rows:
    """The deliveries that the receipts of `CHOSEN` call for, by the names of the ledger's columns.

    Only those with this letter's key: another category's letter may have come first meanwhile.
    """
    return (
        sql_select(
            CHOSEN.c.subscriber_id,
            literal(issue_id).label("issue_id"),
            col(EditionPost.edition_id),
            literal(slug).label("category"),
            col(Receipt.letter_key),
            literal(DeliveryState.QUEUED.value).label("state"),
            literal(due_at, UTCDateTime()).label("due_at"),
            literal(0).label("attempts"),
        )
        .select_from(CHOSEN)
        .join(
            Receipt,
            (col(Receipt.subscriber_id) == CHOSEN.c.subscriber_id)
            & (col(Receipt.post_id) == CHOSEN.c.post_id)
            & (col(Receipt.letter_key) == letter_key(issue_id)),
        )
        .join(EditionPost, col(EditionPost.post_id) == CHOSEN.c.post_id)
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .where(col(Edition.issue_id) == issue_id)
        .order_by(CHOSEN.c.subscriber_id)
    )
