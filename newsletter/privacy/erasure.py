"""Erasing a person: from the tables of people, from the ledger's words, from the mail they wrote and got.

The ledger keeps that a letter was owed and what became of it, and loses what names its reader: replies repeat
addresses. What they wrote and got under an address that they had before goes, too. One transaction: who is
erased gets nothing after it.
"""

from datetime import datetime

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from newsletter.delivery.letters import LedgerLetters
from newsletter.models import Attempt, Delivery, InboundMessage, Note
from newsletter.states import NoteState
from subscribers.erasure import erase_person
from subscribers.models import Subscriber
from subscribers.subscriptions import keys_of
from subscribers.suppression import Suppressions

_GONE = "(erased)"


def erase(
    session: Session, subscriber: Subscriber, suppressions: Suppressions, *, source: str, now: datetime
) -> None:
    """Erase all that is held about a person, but a keyed hash of the address."""
    keys = keys_of(session, subscriber)
    erase_person(session, subscriber, suppressions, LedgerLetters(), source=source, now=now)
    theirs = select(col(Delivery.id)).where(col(Delivery.subscriber_id) == subscriber.id)
    session.execute(update(Attempt).where(col(Attempt.delivery_id).in_(theirs)).values(reply=_GONE))
    has_reply = (col(Delivery.subscriber_id) == subscriber.id) & col(Delivery.reply).is_not(None)
    session.execute(update(Delivery).where(has_reply).values(reply=_GONE))
    wrote = or_(col(InboundMessage.sender).in_(keys), col(InboundMessage.return_path).in_(keys))
    passed_on = session.scalars(select(col(InboundMessage.id)).where(wrote)).all()
    blank = {"content": None, "sender": "", "return_path": "", "subject": _GONE, "message_id": ""}
    session.execute(update(InboundMessage).where(wrote).values(outcome=_GONE, **blank))
    got = col(Note.recipient_key).in_(keys) | col(Note.topic).in_(f"inbound {one}" for one in passed_on)
    unsent = got & (col(Note.state) == NoteState.QUEUED)
    session.execute(update(Note).where(unsent).values(state=NoteState.EXPIRED))
    nobody = {
        "recipient": "",
        "recipient_key": "",
        "mailbox": "",
        "domain": "",
        "subject": _GONE,
        "message": None,
        "reply": None,
    }
    session.execute(update(Note).where(got).values(**nobody))
