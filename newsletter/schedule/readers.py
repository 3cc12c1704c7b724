"""Readers as statements ask for them: whom letters of a category go to, and which posts they have had."""

from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, cast, exists, func, select
from sqlmodel import col

from newsletter.models import Category, Displaced, QueueEntry, Receipt
from subscribers.models import Subscription, SubscriptionState

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
