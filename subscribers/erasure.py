"""Erasing a person from the tables of people: their row is blanked and keeps its number, their records go.

What stays: that there was somebody, a keyed hash of the address so that nobody writes to it again, and the
links of their consent records in the chain. Letters and mail are erased by `newsletter.privacy.erasure`.
"""

from datetime import datetime

from sqlalchemy import delete, or_
from sqlmodel import Session, col

from subscribers.address import parse_address
from subscribers.consent import blank_address, erase_records
from subscribers.models import Request, Subscriber, SuppressionReason
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
    address = parse_address(subscriber.address)
    suppressions.suppress(session, address, SuppressionReason.ERASED, letters, source=source, now=now)
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
