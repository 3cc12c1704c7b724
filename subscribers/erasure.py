"""Erasing a person from the tables of people: nobody writes to them, their records go, their row is blanked.

What stays: that there was somebody, a keyed hash of each address so that nobody writes to it again, and the
links of their consent records in the chain. Letters and mail are erased by `newsletter.privacy.erasure`; it
says when each of these steps is to be done. Each is harmless if done again.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session

from subscribers.address import Address
from subscribers.consent import blank_address, erase_records
from subscribers.models import Subscriber, SuppressionReason
from subscribers.ports import OpenLetters
from subscribers.suppression import Suppressions


def stop_person(
    session: Session,
    addresses: Iterable[Address],
    suppressions: Suppressions,
    letters: OpenLetters,
    *,
    source: str,
    now: datetime,
) -> None:
    """Write to a person no more, under any of their addresses; letters on their way are stopped."""
    for address in addresses:
        suppressions.suppress(session, address, SuppressionReason.ERASED, letters, source=source, now=now)


def blank_person(session: Session, subscriber: Subscriber, *, source: str, now: datetime) -> None:
    """Take away what is known of a reader; their row keeps its number."""
    erase_records(session, subscriber.id, source=source, now=now)
    blank = blank_address(subscriber.id)
    subscriber.address = subscriber.address_key = blank
    subscriber.name = subscriber.timezone = subscriber.frequency = subscriber.weekly_cap = None
    session.add(subscriber)
    session.flush()
