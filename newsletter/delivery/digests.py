"""Posts taken out of digests: a reader leaves one of the categories, or a slot's issue is cancelled.

What still waits is taken out by itself. A digest that is made and has not gone ends, and what else was in it
waits for a new one, which the planner makes at its next look. May surprise: posts that wait are held before
they are looked at, so that no digest is being made of them meanwhile.
"""

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select, tuple_, update
from sqlmodel import Session, col

from newsletter.database import batched
from newsletter.models import Delivery, DigestPost, Receipt
from newsletter.receipts import WAITING_KEY, displace
from newsletter.states import DIGEST, DeliveryState
from subscribers.models import Subscription, SubscriptionState

_BATCH = 500
"""Ids in one IN list: below every driver's limit of parameters."""


def is_subscribed() -> ColumnElement[bool]:
    """That the reader of a digest's post still subscribes to its category."""
    return exists().where(
        col(Subscription.subscriber_id) == col(DigestPost.subscriber_id),
        col(Subscription.category) == col(DigestPost.category),
        col(Subscription.state) == SubscriptionState.ACTIVE,
    )


def is_in_letter() -> ColumnElement[bool]:
    """That a post is in a letter."""
    return and_(
        col(DigestPost.subscriber_id) == col(Delivery.subscriber_id),
        col(DigestPost.letter_key) == col(Delivery.letter_key),
    )


def categories_of(session: Session, letter: Delivery) -> list[str]:
    """The categories by which a letter came: those of its posts, where it is a digest."""
    if letter.category != DIGEST:
        return [letter.category]
    theirs = select(col(DigestPost.category)).where(
        col(DigestPost.subscriber_id) == letter.subscriber_id, col(DigestPost.letter_key) == letter.letter_key
    )
    return sorted(session.execute(theirs.distinct()).scalars())


def take_out_waiting(connection: Connection, which: ColumnElement[bool]) -> int:
    """Give up posts that wait for their digest, as if no slot had given them; returns how many."""
    waiting = and_(which, col(DigestPost.letter_key).is_(None))
    held = select(col(DigestPost.id)).where(waiting).order_by(col(DigestPost.id)).with_for_update().subquery()
    number = int(connection.execute(select(func.count()).select_from(held)).scalar_one())
    if number:
        post = tuple_(col(Receipt.subscriber_id), col(Receipt.post_id))
        given = select(col(DigestPost.subscriber_id), col(DigestPost.post_id)).where(waiting)
        displace(connection, select(col(DigestPost.subscriber_id)).where(waiting).distinct())
        connection.execute(delete(Receipt).where(post.in_(given), col(Receipt.letter_key) == WAITING_KEY))
        connection.execute(delete(DigestPost).where(waiting))
    return number


def keep_rest(connection: Connection, letters: ColumnElement[bool], keeps: ColumnElement[bool]) -> None:
    """Have posts of digests that were cancelled wait again, those that `keeps` is true of.

    To be called before the receipts of the letters are given back: a post without one is not in them any
    more. A letter that may have arrived keeps its posts.
    """
    cancelled = exists().where(
        letters,
        is_in_letter(),
        col(Delivery.category) == DIGEST,
        col(Delivery.state) == DeliveryState.CANCELLED,
        col(Delivery.doubted_at).is_(None),
    )
    has_receipt = exists().where(
        col(Receipt.subscriber_id) == col(DigestPost.subscriber_id),
        col(Receipt.post_id) == col(DigestPost.post_id),
        col(Receipt.letter_key) == col(DigestPost.letter_key),
    )
    rest = select(col(DigestPost.id)).where(cancelled, has_receipt, keeps).order_by(col(DigestPost.id))
    ids = connection.execute(rest.with_for_update()).scalars().all()
    for some in batched(ids, _BATCH):
        these = col(DigestPost.id).in_(some)
        posts = select(col(DigestPost.subscriber_id), col(DigestPost.post_id)).where(these)
        given = tuple_(col(Receipt.subscriber_id), col(Receipt.post_id)).in_(posts)
        connection.execute(update(Receipt).where(given).values(letter_key=WAITING_KEY))
        connection.execute(update(DigestPost).where(these).values(letter_key=None))
