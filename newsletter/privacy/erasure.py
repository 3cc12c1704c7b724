"""Erasing a person: from the tables of people, from the ledger's words, from the mail they wrote and got.

Three steps, each of them harmless if done again. First, all that is under way to them is stopped, and no more
is planned: a standing order for each address they have or had. Then what is on the wire at that moment is
waited for, since it cannot be called back. Then all that names them is taken away, and only then is the
erasure to be acknowledged. Whoever is interrupted in between asks again: the person is found as before.

The ledger keeps that a letter was owed and what became of it, and loses what names its reader: replies and
reports repeat addresses. May surprise: what a relay says after all this (it was not waited for any longer) is
written down without its words (`newsletter.delivery.statements.unless_erased`).

Locks are taken in the order that `newsletter.feedback.verdicts` tells; the key of a reader is changed last.
"""

import re
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select, update
from sqlmodel import Session, col

from newsletter.database import Database
from newsletter.delivery.letters import LedgerLetters
from newsletter.delivery.ownership import others
from newsletter.errors import NotFoundError
from newsletter.feedback.inbox import blank
from newsletter.feedback.writing import forget_notes
from newsletter.models import Attempt, Delivery, InboundMessage, Note, Notice, Verdict
from newsletter.privacy.belongings import Belongings, belongings_of
from newsletter.states import GONE, DeliveryState, InboundState, NoteState
from subscribers.address import Address, parse_address
from subscribers.base import Clock
from subscribers.consent import is_erased
from subscribers.erasure import blank_person, stop_person
from subscribers.models import Request, RequestState, Subscriber
from subscribers.subscriptions import find_subscriber, held_subscriber
from subscribers.suppression import Suppressions

_LOOK_EVERY = 0.05
"""Seconds. A relay answers in less, as a rule."""


class Erased(NamedTuple):
    """That a person is erased."""

    subscriber_id: int | None
    """None where they were no reader."""
    on_the_wire: int
    """How many letters may still arrive, since no relay has answered for them yet."""


def erase_for_good(
    database: Database,
    whom: Address | int,
    suppressions: Suppressions,
    *,
    source: str,
    clock: Clock,
    seconds: float,
    wait: Callable[[float], object] = time.sleep,
    ticks: Callable[[], float] = time.monotonic,
) -> Erased:
    """Erase all that is held about whoever has an address, or about a reader by their number.

    What is on the wire is waited for so many `seconds`. Whose address it is or not, it is not written to
    again. Raises DatabaseError, and NotFoundError for a number that no reader has.
    """
    theirs = None
    while theirs is None:
        with database.write() as session:
            theirs = _stop(session, whom, suppressions, source=source, now=clock())
    until = ticks() + seconds
    while ticks() < until and _is_waited_for(database, theirs, clock()):
        wait(_LOOK_EVERY)
    looked_at = clock()
    with database.read() as session:
        reports = theirs.reports_that_name_them(session)
    with database.write() as session:
        left = len(_letters_on_the_wire(session, theirs)) + _notes_on_the_wire(session, theirs, clock())
        reports += theirs.reports_that_name_them(session, handled_since=looked_at)
        _take_away(session, theirs, reports, source=source, now=clock())
    database.scrub()
    return Erased(theirs.subscriber_id, left)


# Stopping


def _stop(
    session: Session, whom: Address | int, suppressions: Suppressions, *, source: str, now: datetime
) -> Belongings | None:
    """Have nothing more be planned for them, and nothing go that has not gone.

    None if they have come, gone or moved at this very moment: then it is to be done again.
    """
    found = _found(session, whom)
    theirs = belongings_of(session, *found)
    _end_mail(session, theirs)
    # They are deleted with all else: by their numbers whoever was interrupted finds their letters again.
    is_open = col(Request.state).in_([RequestState.NEW, RequestState.ASKED])
    session.execute(update(Request).where(theirs.are_requests, is_open).values(state=RequestState.REFUSED))
    stop_person(session, theirs.addresses, suppressions, LedgerLetters(), source=source, now=now)
    session.expire_all()
    if belongings_of(session, *_found(session, whom)) != theirs:
        session.rollback()
        return None
    _end_notes(session, theirs, now)
    return theirs


def _found(session: Session, whom: Address | int) -> tuple[Address, Subscriber | None]:
    """An address, and the reader who has it, if there is one."""
    if not isinstance(whom, int):
        return whom, find_subscriber(session, whom)
    subscriber = session.get(Subscriber, whom)
    if subscriber is None or is_erased(subscriber):
        raise NotFoundError(f"there is no reader {whom}")
    return parse_address(subscriber.address), subscriber


def _end_mail(session: Session, theirs: Belongings) -> None:
    """Have nobody answer, pass on or look at what they wrote."""
    waits = col(InboundMessage.state).in_([InboundState.NEW, InboundState.ASIDE, InboundState.LETTER])
    session.execute(update(InboundMessage).where(theirs.are_messages, waits).values(state=InboundState.DONE))


def _end_notes(session: Session, theirs: Belongings, now: datetime) -> None:
    """End the short letters to them that nothing of is on the wire."""
    waits = col(Note.state) == NoteState.QUEUED
    is_free = or_(col(Note.on_wire_until).is_(None), col(Note.on_wire_until) <= now)
    ended = update(Note).where(theirs.are_notes, waits, is_free)
    session.execute(ended.values(state=NoteState.EXPIRED, message=None))


# Waiting


def _is_waited_for(database: Database, theirs: Belongings, now: datetime) -> bool:
    """Whether somebody will still answer for what is on the wire; a process that has died will not."""
    with database.read() as session:
        if _notes_on_the_wire(session, theirs, now):
            return True
        owners = _letters_on_the_wire(session, theirs)
        return bool(owners) and not set(owners).isdisjoint(others(database, session.connection()).living)


def _letters_on_the_wire(session: Session, theirs: Belongings) -> Sequence[int | None]:
    """Who has them in hand, one for each letter."""
    letters = select(col(Delivery.owner_id)).where(
        col(Delivery.subscriber_id) == theirs.subscriber_id, col(Delivery.state) == DeliveryState.SENDING
    )
    return session.execute(letters).scalars().all()


def _notes_on_the_wire(session: Session, theirs: Belongings, now: datetime) -> int:
    is_going = (col(Note.state) == NoteState.QUEUED) & (col(Note.on_wire_until) > now)
    notes = select(func.count()).select_from(Note).where(theirs.are_notes, is_going)
    return int(session.execute(notes).scalar_one())


# Taking away


def _take_away(
    session: Session, theirs: Belongings, reports: list[int], *, source: str, now: datetime
) -> None:
    """Take away all that names them; the row that a person is known by comes last.

    It is what others wait for who write down what came of a letter, with that letter in hand.
    """
    _take_mail(session, theirs, reports)
    _take_from_notices(session, theirs)
    if theirs.subscriber_id is not None:
        subscriber = held_subscriber(session, theirs.subscriber_id)
        _take_words(session, theirs.subscriber_id)
        if not is_erased(subscriber):
            blank_person(session, subscriber, source=source, now=now)


def _take_words(session: Session, subscriber_id: int) -> None:
    """Take away what relays and reports said of their letters, and will say of those on the wire."""
    is_theirs = col(Delivery.subscriber_id) == subscriber_id
    in_order = select(col(Delivery.id)).where(is_theirs).order_by(col(Delivery.id))
    session.execute(in_order.with_for_update(key_share=True)).all()
    has_words = or_(col(Delivery.reply).is_not(None), col(Delivery.state) == DeliveryState.SENDING)
    session.execute(update(Delivery).where(is_theirs, has_words).values(reply=GONE))
    letters = select(col(Delivery.id)).where(is_theirs)
    session.execute(update(Attempt).where(col(Attempt.delivery_id).in_(letters)).values(reply=GONE))
    judged = col(Verdict.subscriber_id) == subscriber_id
    reports = select(col(Verdict.inbound_id)).where(judged, col(Verdict.inbound_id).is_not(None))
    blank(session, [number for number in session.scalars(reports) if number is not None])
    session.execute(update(Verdict).where(judged).values(diagnostic=GONE, remote=""))


def _take_mail(session: Session, theirs: Belongings, reports: list[int]) -> None:
    """Take away what was asked and written by them, to them, and for them, and reports that name them."""
    _end_mail(session, theirs)
    wrote = session.scalars(select(col(InboundMessage.id)).where(theirs.are_messages)).all()
    about = [*theirs.notes_about(wrote), theirs.are_notes]
    blank(session, [*wrote, *reports])
    for which in about:
        forget_notes(session, which)
    session.execute(delete(Request).where(theirs.are_requests))


def _take_from_notices(session: Session, theirs: Belongings) -> None:
    """Take their addresses out of what the editor was told."""
    named = re.compile(theirs.pattern, re.IGNORECASE)
    texts = (col(Notice.subject), col(Notice.text), col(Notice.reply))
    domains = {spelled.rpartition("@")[2].lower() for spelled in theirs.spellings}
    holds = [func.lower(text).contains(f"@{domain}", autoescape=True) for text in texts for domain in domains]
    for notice in session.scalars(select(Notice).where(or_(*holds))):
        notice.subject, notice.text = (named.sub(GONE, one) for one in (notice.subject, notice.text))
        notice.reply = None if notice.reply is None else named.sub(GONE, notice.reply)
        session.add(notice)
