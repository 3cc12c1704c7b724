"""Pauses: a reader who wants no letters of a category for a while, and gets them again by themselves.

A pause is no leaving: consent stays. What a broadcast sends meanwhile is missed, a sequence goes on where the
reader was.
"""

from collections.abc import Iterable
from datetime import date

from sqlalchemy import func, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from subscribers.models import LIVE, Subscription, SubscriptionState
from subscribers.ports import OpenLetters


def pause(
    session: Session, subscriber_id: int, categories: Iterable[str], letters: OpenLetters, *, until: date
) -> list[str]:
    """Pause subscriptions until a day, and stop the letters under way; returns those that are paused.

    One that is paused already has the new end.
    """
    paused = []
    for category in categories:
        subscription = _held(session, subscriber_id, category, LIVE)
        if subscription is None:
            continue
        subscription.state = SubscriptionState.PAUSED
        subscription.paused_until = until
        session.add(subscription)
        session.flush()
        letters.withdraw(session, subscriber_id, category, "The reader wants no letters for a while.")
        paused.append(category)
    return paused


def resume(session: Session, subscriber_id: int, categories: Iterable[str]) -> list[str]:
    """End pauses now; returns the categories that letters come of again."""
    resumed = []
    for category in categories:
        subscription = _held(session, subscriber_id, category, (SubscriptionState.PAUSED,))
        if subscription is not None:
            subscription.state = SubscriptionState.ACTIVE
            subscription.paused_until = None
            subscription.cohort_id = None
            session.add(subscription)
            resumed.append(category)
    session.flush()
    return resumed


def resume_due(session: Session, category: str, day: date) -> None:
    """End the pauses in a category that are over on a day."""
    over = (
        (col(Subscription.category) == category)
        & (col(Subscription.state) == SubscriptionState.PAUSED)
        & (col(Subscription.paused_until) <= day)
    )
    held = select(Subscription.id).where(over).order_by(col(Subscription.id)).with_for_update().subquery()
    session.execute(sql_select(func.count()).select_from(held))
    session.execute(
        update(Subscription)
        .where(over)
        .values(state=SubscriptionState.ACTIVE, paused_until=None, cohort_id=None)
        .execution_options(synchronize_session=False)
    )


def _held(
    session: Session, subscriber_id: int, category: str, states: Iterable[SubscriptionState]
) -> Subscription | None:
    """A subscription in one of these states, held against change until the transaction ends."""
    return session.exec(
        select(Subscription)
        .where(
            Subscription.subscriber_id == subscriber_id,
            Subscription.category == category,
            col(Subscription.state).in_(list(states)),
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
