"""Erasing a person from the tables of people: their row is blanked and keeps its number, their records go.

What stays: that there was somebody, a keyed hash of the address so that nobody writes to it again, and the
links of their consent records in the chain. Letters and mail are erased by `newsletter.privacy.erasure`.
"""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, delete, or_
from sqlmodel import Session, col

from subscribers.address import parse_address
from subscribers.consent import blank_address, erase_records, is_erased
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
    """Erase a person; letters on their way are stopped, and none is written to the address again.

    Harmless if done again.
    """
    if is_erased(subscriber):
        return
    address = parse_address(subscriber.address)
    suppressions.suppress(session, address, SuppressionReason.ERASED, letters, source=source, now=now)
    erase_requests(session, keys_of(session, subscriber), subscriber.id)
    erase_records(session, subscriber.id, source=source, now=now)
    blank = blank_address(subscriber.id)
    subscriber.address = subscriber.address_key = blank
    subscriber.name = subscriber.timezone = subscriber.frequency = subscriber.weekly_cap = None
    session.add(subscriber)
    session.flush()


def erase_requests(session: Session, keys: Collection[str], subscriber_id: int | None) -> None:
    """Delete what was asked for by whoever has these addresses, or is this reader."""
    asked: ColumnElement[bool] = col(Request.address_key).in_(keys)
    if subscriber_id is not None:
        asked = or_(asked, col(Request.subscriber_id) == subscriber_id)
    session.execute(delete(Request).where(asked))
