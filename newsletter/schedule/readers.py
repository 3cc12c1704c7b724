"""Readers as statements ask for them: whom letters of a category go to, and which posts they have had."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, exists, func, or_, select, true
from sqlmodel import Session, col

from newsletter.models import Category, DigestPost, Displaced, Issue, QueueEntry, Receipt
from newsletter.schedule.wishes import EVERY_ISSUE, Wish
from newsletter.states import IssueState
from subscribers.models import LIVE, Subscriber, Subscription, SubscriptionState

Rows = Select[*tuple[Any, ...]]
"""A SELECT whose rows are used inside the database."""


def is_active(category: Category) -> ColumnElement[bool]:
    """That letters of the category go to a subscription."""
    return and_(
        col(Subscription.category) == category.slug,
        col(Subscription.state) == SubscriptionState.ACTIVE,
    )


def is_displaced() -> ColumnElement[bool]:
    """That the cohort of a subscription is not to be believed any more (see `newsletter.receipts`)."""
    return exists().where(col(Displaced.subscriber_id) == col(Subscription.subscriber_id))


def told_subscription() -> ColumnElement[str]:
    """A category, and until when it is paused, as `newsletter.schedule.wishes.parse_standing` reads them."""
    until = cast(func.coalesce(cast(col(Subscription.paused_until), Text), ""), Text)
    return col(Subscription.category) + "@" + until


def standing_of(reader: Any) -> ColumnElement[str]:
    """What a subscriber subscribes to; `reader` is a column with their id."""
    theirs = (
        select(func.aggregate_strings(told_subscription(), " "))
        .where(
            col(Subscription.subscriber_id) == reader,
            col(Subscription.state).in_(LIVE),
        )
        .correlate_except(Subscription)
        .scalar_subquery()
    )
    return func.coalesce(theirs, "")


def waits_for_digest() -> ColumnElement[bool]:
    """That a post waits for its digest, and may go: its issue has not been stopped."""
    issue_state = (
        select(col(Issue.state))
        .where(col(Issue.id) == col(DigestPost.issue_id))
        .correlate(DigestPost)
        .scalar_subquery()
    )
    return and_(col(DigestPost.letter_key).is_(None), issue_state == IssueState.PLANNED)


def has_a_wish(usual: Wish) -> ColumnElement[bool]:
    """That a subscriber's letters are not simply one of each issue, or that posts wait for them."""
    if usual != EVERY_ISSUE:
        return true()
    waits = exists().where(col(DigestPost.subscriber_id) == col(Subscriber.id), waits_for_digest())
    return or_(col(Subscriber.frequency).is_not(None), col(Subscriber.weekly_cap).is_not(None), waits)


def has_wishes(session: Session, usual: Wish) -> bool:
    """Whether there is a reader of whom `has_a_wish` holds."""
    if usual != EVERY_ISSUE:
        return True
    wishing = or_(col(Subscriber.frequency).is_not(None), col(Subscriber.weekly_cap).is_not(None))
    for found in (
        select(col(Subscriber.id)).where(wishing),
        select(col(DigestPost.id)).where(waits_for_digest()),
    ):
        if session.execute(found.limit(1)).first() is not None:
            return True
    return False


def queue_of(*categories: Category) -> Select[Any]:
    """The ids of all posts that stand in the queues of categories, whatever became of them."""
    ids = [category.id for category in categories]
    return select(col(QueueEntry.post_id)).where(col(QueueEntry.category_id).in_(ids))


def posts_had(reader: Any, posts: Select[Any]) -> ColumnElement[str]:
    """Which of these posts a subscriber has a receipt for, as `ids_in` reads it.

    `reader` is a column with the subscriber's id, `posts` selects ids of posts.
    """
    theirs = (
        select(func.aggregate_strings(cast(col(Receipt.post_id), Text), " "))
        .where(col(Receipt.subscriber_id) == reader, col(Receipt.post_id).in_(posts))
        .correlate_except(Receipt)
        .scalar_subquery()
    )
    return func.coalesce(theirs, "")


def ids_in(text: str) -> frozenset[int]:
    """Ids that stand in one text with spaces between."""
    return frozenset(map(int, text.split()))
