"""Erasing a person: from the tables of people, from the ledger's words, from the mail they wrote and got.

The ledger keeps that a letter was owed and what became of it, and loses what names its reader: replies and
reports repeat addresses. What they wrote and got under an address that they had before goes, too. One
transaction: who is erased is planned for and sent to no more once it is committed.

A letter whose body was on the wire at that moment cannot be called back. `wait_for_the_wire` waits for its
relay's answer, and takes that answer's words away as well; only then is the erasure to be acknowledged.
"""

import re
import time
from collections.abc import Callable, Collection
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from newsletter.database import Database
from newsletter.delivery.letters import LedgerLetters
from newsletter.delivery.ownership import others
from newsletter.models import Attempt, Delivery, InboundMessage, Note, Verdict
from newsletter.states import DeliveryState, InboundState, NoteState
from subscribers.address import Address
from subscribers.erasure import erase_person, erase_requests
from subscribers.models import Subscriber, SuppressionReason
from subscribers.subscriptions import find_subscriber, keys_of
from subscribers.suppression import Suppressions

_GONE = "(erased)"
_LOOK_EVERY = 0.05
"""Seconds. A relay answers in less, as a rule."""


def erase_address(
    session: Session, address: Address, suppressions: Suppressions, *, source: str, now: datetime
) -> int | None:
    """Erase whoever has an address; returns their subscriber's number, None where it is no reader's.

    Requests, and mail that somebody wrote who never became a reader, go too; the address is not written to
    again, whosever it is.
    """
    subscriber = find_subscriber(session, address, is_held=True)
    if subscriber is not None:
        erase(session, subscriber, suppressions, source=source, now=now)
        return subscriber.id
    suppressions.suppress(session, address, SuppressionReason.ERASED, LedgerLetters(), source=source, now=now)
    erase_requests(session, {address.key}, None)
    _erase_mail(session, {address.key})
    return None


def erase(
    session: Session, subscriber: Subscriber, suppressions: Suppressions, *, source: str, now: datetime
) -> None:
    """Erase all that is held about a person, but a keyed hash of the address."""
    keys = keys_of(session, subscriber)
    erase_person(session, subscriber, suppressions, LedgerLetters(), source=source, now=now)
    _erase_words(session, subscriber.id)
    _erase_mail(session, keys)


def wait_for_the_wire(
    database: Database,
    subscriber_id: int,
    *,
    seconds: float,
    wait: Callable[[float], object] = time.sleep,
    now: Callable[[], float] = time.monotonic,
) -> int:
    """Wait until no letter to somebody who was erased is on the wire; returns how many still are after that.

    What a process that has died left `sending` is not waited for: nobody will answer any more.
    """
    until = now() + seconds
    while (number := _on_the_wire(database, subscriber_id)) and now() < until:
        wait(_LOOK_EVERY)
    with database.write() as session:
        _erase_words(session, subscriber_id)
    return number


def _on_the_wire(database: Database, subscriber_id: int) -> int:
    with database.read() as session:
        found = select(col(Delivery.owner_id)).where(
            col(Delivery.subscriber_id) == subscriber_id, col(Delivery.state) == DeliveryState.SENDING
        )
        owners = session.execute(found).scalars().all()
        living = others(database, session.connection()).living if owners else []
    return sum(owner in living for owner in owners)


def _erase_words(session: Session, subscriber_id: int) -> None:
    """Take away what relays and reports said of their letters."""
    theirs = select(col(Delivery.id)).where(col(Delivery.subscriber_id) == subscriber_id)
    session.execute(update(Attempt).where(col(Attempt.delivery_id).in_(theirs)).values(reply=_GONE))
    has_reply = (col(Delivery.subscriber_id) == subscriber_id) & col(Delivery.reply).is_not(None)
    session.execute(update(Delivery).where(has_reply).values(reply=_GONE))
    judged = col(Verdict.subscriber_id) == subscriber_id
    reports = select(col(Verdict.inbound_id)).where(judged, col(Verdict.inbound_id).is_not(None))
    _blank(session, session.scalars(reports).all())
    session.execute(update(Verdict).where(judged).values(diagnostic=_GONE, remote=""))


def _erase_mail(session: Session, keys: Collection[str]) -> None:
    """Take away what was written from, and to, these addresses, and reports that nobody could place."""
    wrote = or_(col(InboundMessage.sender).in_(keys), col(InboundMessage.return_path).in_(keys))
    passed_on = session.scalars(select(col(InboundMessage.id)).where(wrote)).all()
    _blank(session, [*passed_on, *_reports_that_name(session, keys)])
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
        "return_path": "",
    }
    session.execute(update(Note).where(got).values(**nobody))


def _blank(session: Session, messages: Collection[int | None]) -> None:
    if not messages:
        return
    blank = {"content": None, "sender": "", "return_path": "", "subject": _GONE, "message_id": ""}
    session.execute(
        update(InboundMessage).where(col(InboundMessage.id).in_(messages)).values(outcome=_GONE, **blank)
    )


def _reports_that_name(session: Session, keys: Collection[str]) -> list[int]:
    """Reports about no letter that we know of, in which one of these addresses stands."""
    unplaced = (
        select(col(InboundMessage.id), col(InboundMessage.content))
        .where(col(InboundMessage.state) == InboundState.REPORT, col(InboundMessage.content).is_not(None))
        .execution_options(yield_per=20)
    )
    addresses = "|".join(re.escape(key) for key in sorted(keys))
    # An address that ends in this one is another's.
    named = re.compile(rf"(?<![\w.+-])(?:{addresses})(?![\w-]|\.\w)".encode(), re.IGNORECASE)
    return [number for number, content in session.execute(unplaced) if named.search(content)]
