"""The life of letters as others change it: a reader leaves, a category ends, a person decides.

What a sending process does to the letters it has claimed is in `newsletter.delivery.ledger`. Both keep one
rule: a letter that ends unsent gives its receipt back, unless an earlier try may have reached the reader.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, or_, select, tuple_, update
from sqlmodel import Session, col

from newsletter.database import batched
from newsletter.models import Delivery, Receipt
from newsletter.states import OPEN, UNSENT, DeliveryState

_BATCH = 500
"""Ids in one IN list: below every driver's limit of parameters."""


def has_work(session: Session, now: datetime, *, resend_in_doubt: bool) -> bool:
    """Whether a sending pass would find anything: letters due, or claims a dead process may have left."""
    state = col(Delivery.state)
    is_due = col(Delivery.due_at) <= now
    wanted = [
        state.in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]) & is_due,
        state.in_([DeliveryState.CLAIMED, DeliveryState.SENDING]),
    ]
    if resend_in_doubt:
        wanted.append((state == DeliveryState.IN_DOUBT) & is_due & (col(Delivery.expires_at) > now))
    return session.execute(select(col(Delivery.id)).where(or_(*wanted)).limit(1)).first() is not None


def cancel_letters(session: Session, which: ColumnElement[bool], reply: str) -> int:
    """End the letters that nothing of is on the wire, in the order of their ids; returns how many."""
    open_ones = (
        select(col(Delivery.id))
        .where(which, col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT]))
        .order_by(col(Delivery.id))
        .with_for_update()
        .cte("open_ones")
    )
    cancelled = session.execute(
        update(Delivery)
        .where(
            col(Delivery.id).in_(select(open_ones.c.id)),
            col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT]),
        )
        .values(state=DeliveryState.CANCELLED, reply=reply)
    )
    _give_back_receipts(session.connection(), which)
    return int(cancelled.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE


def resolve(session: Session, delivery_id: int, *, is_sent: bool, now: datetime, expiry: timedelta) -> bool:
    """Settle a letter in doubt by a person's word: it has arrived, or it is to go again.

    False if it is not in doubt. The doubtful attempt stays on record.
    """
    if is_sent:
        values = {"state": DeliveryState.SENT, "sent_at": now, "reply": "Said by a person to have arrived."}
    else:
        values = {
            "state": DeliveryState.QUEUED,
            "due_at": now,
            "expires_at": now + expiry,
            "owner_id": None,
            "doubted_at": None,
        }
    changed = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state) == DeliveryState.IN_DOUBT)
        .values(**values)
        .returning(col(Delivery.id))
    )
    return changed.first() is not None


class LedgerLetters:
    """`subscribers.ports.OpenLetters` on the ledger."""

    def withdraw(self, session: Session, subscriber_id: int, category: str) -> int:
        """Cancel a reader's letters of a category that are not on the wire."""
        theirs = (col(Delivery.subscriber_id) == subscriber_id) & (col(Delivery.category) == category)
        return cancel_letters(session, theirs, "The reader left.")


def release_receipts(connection: Connection, deliveries: Sequence[int]) -> None:
    """Give back the receipts of those of these letters that have ended unsent."""
    for ids in batched(deliveries, _BATCH):
        _give_back_receipts(connection, col(Delivery.id).in_(ids))


def _give_back_receipts(connection: Connection, which: ColumnElement[bool]) -> None:
    letter = tuple_(col(Receipt.subscriber_id), col(Receipt.letter_key))
    ended = select(col(Delivery.subscriber_id), col(Delivery.letter_key)).where(
        which, col(Delivery.state).in_(UNSENT), col(Delivery.doubted_at).is_(None)
    )
    connection.execute(delete(Receipt).where(letter.in_(ended)))
