"""Erasing a person from the tables of people: their row is blanked and keeps its number, their records go.

What stays: that there was somebody, a keyed hash of the address so that nobody writes to it again, and the
links of their consent records in the chain. Letters and mail are erased by `newsletter.privacy.erasure`.
"""

from datetime import datetime

from sqlalchemy import delete, or_
from sqlmodel import Session, col, select

from subscribers.address import parse_address
from subscribers.consent import blank_address, erase_records
from subscribers.models import Request, Subscriber, Subscription, SubscriptionState, SuppressionReason
from subscribers.ports import OpenLetters
from subscribers.subscriptions import keys_of
from subscribers.suppression import Suppressions


def erase_person(
    session: Session,
    subscriber: Subscriber,
    suppressions: Suppressions,
    letters: OpenLetters,
    *,
    source: str,
    now: datetime,
) -> None:
    """Erase a person; letters on their way are stopped, and none is written to the address again."""
    held = session.exec(
        select(Subscription)
        .where(Subscription.subscriber_id == subscriber.id)
        .order_by(col(Subscription.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for subscription in held:
        subscription.state, subscription.since = SubscriptionState.LEFT, now
        subscription.paused_until = subscription.cohort_id = None
        session.add(subscription)
        session.flush()
        letters.withdraw(session, subscriber.id, subscription.category, "The reader was erased.")
    suppressions.add(session, parse_address(subscriber.address), SuppressionReason.ERASED, now)
    theirs = or_(
        col(Request.address_key).in_(keys_of(session, subscriber)),
        col(Request.subscriber_id) == subscriber.id,
    )
    session.execute(delete(Request).where(theirs))
    erase_records(session, subscriber.id, source=source, now=now)
    blank = blank_address(subscriber.id)
    subscriber.address = subscriber.address_key = blank
    subscriber.name = subscriber.timezone = subscriber.frequency = subscriber.weekly_cap = None
    session.add(subscriber)
    session.flush()
