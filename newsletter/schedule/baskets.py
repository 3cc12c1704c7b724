"""What waits for readers whose digest is ready: told in one text a reader, and looked at once for all alike.

`ready_baskets` fills two tables of the session's own: `KEPT` has every post that waits for such a reader, as
it was at that moment, `BASKETS` what each of them has. May surprise: the posts are held until the transaction
ends, so that who leaves meanwhile is seen to have left, or finds the digest made.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Text, and_, case, func, insert, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from newsletter.models import DigestPost, Issue
from newsletter.schedule.readers import standing_of, waits_for_digest
from newsletter.schedule.scratch import scratch_table
from newsletter.schedule.telling import parse_kept, parse_wish, told_post, told_wish
from newsletter.schedule.wishes import Coming, Kept, Reader, Wish, digest_of, parse_standing
from subscribers.base import UTCDateTime
from subscribers.models import Key, Subscriber

KEPT = scratch_table(
    "kept_post",
    Column("id", Key, primary_key=True),
    Column("subscriber_id", Key, index=True),
    Column("post_id", Key),
    Column("due_at", UTCDateTime),
    Column("told", Text),
)
"""The posts of readers for whom a digest is ready, as they were when that was looked at."""

BASKETS = scratch_table(
    "basket",
    Column("subscriber_id", Key, primary_key=True),
    Column("due_at", UTCDateTime),
    Column("basket", Text),
)


@dataclass(frozen=True, slots=True)
class Basket:
    """What waits for some readers, of whom one stands for all."""

    text: str
    kept: tuple[Kept, ...]
    readers: int


def ready_baskets(
    session: Session, later: Sequence[Coming], usual: Wish, now: datetime
) -> dict[str, list[Basket]]:
    """What goes, by its slot; what has to wait longer is told so."""
    _fill(session, now)
    counts = sql_select(BASKETS.c.basket, func.count()).group_by(BASKETS.c.basket)
    going: dict[str, list[Basket]] = defaultdict(list)
    for text, readers in session.execute(counts).all():
        reader, kept = _parse(text, usual)
        slot, waits_for = digest_of(reader, kept, later, now)
        if waits_for is None:
            going[slot].append(Basket(text, kept, readers))
        else:
            _put_off(session, text, waits_for, now)
    return going


def _fill(session: Session, now: datetime) -> None:
    ready = sql_select(col(DigestPost.subscriber_id)).where(
        col(DigestPost.ready_at) <= now, waits_for_digest()
    )
    theirs = and_(waits_for_digest(), col(DigestPost.subscriber_id).in_(ready))
    # What is taken along before its time has no say in when the letter is due.
    reader = col(DigestPost.subscriber_id)
    due_at = case((col(DigestPost.ready_at) <= now, col(DigestPost.due_at)))
    rows = (
        sql_select(col(DigestPost.id), reader, col(DigestPost.post_id), due_at, told_post())
        .join(Issue, col(Issue.id) == col(DigestPost.issue_id))
        .where(theirs)
        .order_by(col(DigestPost.id))
        .with_for_update(of=DigestPost)
    )
    session.execute(insert(KEPT).from_select(["id", "subscriber_id", "post_id", "due_at", "told"], rows))
    posts = (
        sql_select(
            KEPT.c.subscriber_id,
            func.max(KEPT.c.due_at).label("due_at"),
            func.aggregate_strings(KEPT.c.told, ";").label("posts"),
        )
        .group_by(KEPT.c.subscriber_id)
        .subquery()
    )
    basket = told_wish() + "|" + standing_of(col(Subscriber.id)) + "|" + posts.c.posts
    baskets = sql_select(posts.c.subscriber_id, posts.c.due_at, basket).join(
        Subscriber, col(Subscriber.id) == posts.c.subscriber_id
    )
    session.execute(insert(BASKETS).from_select(["subscriber_id", "due_at", "basket"], baskets))


def _parse(text: str, usual: Wish) -> tuple[Reader, tuple[Kept, ...]]:
    told, standing, posts = text.split("|")
    reader = Reader(parse_wish(told, usual), parse_standing(standing))
    return reader, tuple(map(parse_kept, posts.split(";")))


def _put_off(session: Session, basket: str, until: Coming, now: datetime) -> None:
    """Have posts wait for a slot that has come up meanwhile."""
    if until.due_at <= now:
        return  # it is being decided
    theirs = sql_select(KEPT.c.id).join(BASKETS, BASKETS.c.subscriber_id == KEPT.c.subscriber_id)
    session.execute(
        update(DigestPost)
        .where(
            col(DigestPost.id).in_(theirs.where(BASKETS.c.basket == basket)), col(DigestPost.ready_at) <= now
        )
        .values(slot=until.key, timezone=until.timezone, ready_at=until.due_at)
        .execution_options(synchronize_session=False)
    )
