"""What is asked for by whoever may not have the address, until who has it says yes.

From is forgeable, and anybody can type anybody's address into a form. So a request changes nothing: it is one
row, the same for an address we know and one we do not. A letter goes to the address, and what was asked for
happens when that is answered, by button or by reply, as often as it is (the second time changes nothing).

May surprise: a request's number is random, for it stands in the link: a row that was deleted never lends its
number to another's request.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete
from sqlmodel import Session, col, select

from subscribers.address import Address, parse_address
from subscribers.consent import record
from subscribers.models import (
    LIVE,
    ConsentAction,
    Frequency,
    Request,
    RequestKind,
    RequestState,
    Subscriber,
    SubscriptionState,
)
from subscribers.pauses import pause, resume
from subscribers.ports import OpenLetters
from subscribers.subscriptions import (
    Permission,
    Person,
    find_subscriber,
    held_subscriber,
    join,
    leave,
    subscriptions_of,
)
from subscribers.suppression import Suppressions, go_on, hold_address

_NUMBER_BITS = 47
"""Six octets of a token, without its sign."""


class Door(StrEnum):
    """By which a person asks, and by which they confirm."""

    PAGE = "page"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody asked for, and where. `wording` is the version of the text that they were shown."""

    kind: RequestKind
    address: Address
    door: Door
    place: str
    wording: str
    language: str
    categories: tuple[str, ...] = ()
    name: str | None = None
    timezone: str | None = None
    frequency: Frequency | None = None
    weeks: int | None = None
    subscriber_id: int | None = None
    in_reply_to: str | None = None
    thread: str | None = None


class Answer(StrEnum):
    """What came of answering a confirmation."""

    DONE = "done"
    ALREADY = "already"
    """It was confirmed before: nothing was changed by this."""
    EXPIRED = "expired"
    REFUSED = "refused"
    """Whoever has the address had said no, or there is a standing order not to write to it."""
    TAKEN = "taken"
    """The address is another reader's already."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A request that was answered, what came of that, and whose it is now."""

    request: Request
    answer: Answer
    subscriber_id: int | None


def ask(session: Session, asked: Asked, *, now: datetime, days: int) -> Request:
    """Write a request down, to be confirmed within some days. Whose address it is makes no difference."""
    request = Request(
        id=secrets.randbits(_NUMBER_BITS),
        kind=asked.kind,
        address=asked.address.given,
        address_key=asked.address.key,
        mailbox=asked.address.mailbox,
        domain=asked.address.domain,
        categories=" ".join(asked.categories),
        name=asked.name,
        timezone=asked.timezone,
        frequency=asked.frequency,
        weeks=asked.weeks,
        subscriber_id=asked.subscriber_id,
        language=asked.language,
        door=asked.door,
        place=asked.place,
        wording=asked.wording,
        in_reply_to=asked.in_reply_to,
        thread=asked.thread,
        asked_at=now,
        expires_at=now + timedelta(days=days),
        state=RequestState.NEW,
    )
    session.add(request)
    return request


def find_request(session: Session, number: int) -> Request | None:
    """The request of this number, if it was not purged."""
    return session.get(Request, number)


def categories_of(request: Request) -> tuple[str, ...]:
    """The slugs that a request names."""
    return tuple(request.categories.split())


def confirm(
    session: Session,
    number: int,
    letters: OpenLetters,
    suppressions: Suppressions,
    *,
    by: Door,
    evidence: str,
    now: datetime,
    shown: str | None = None,
    only: Sequence[str] | None = None,
) -> Confirmed | None:
    """Do what was asked for, as whoever has the address has confirmed it; None if there is no such request.

    `evidence` says how, `shown` is the version of the text that they saw as they did. `only` are the
    categories that there still are. Harmless if done again.
    """
    request = _held(session, number)
    if request is None:
        return None
    answer = _standing(request, now)
    if answer is not None:
        return Confirmed(request, answer, _whose(session, request))
    permission = Permission(
        request.door,
        _told(request, by, evidence)[:1000],
        confirmed=True,
        details=_details(request, by, shown, now),
    )
    wanted = [slug for slug in categories_of(request) if only is None or slug in only]
    subscriber_id = _whose(session, request)
    if request.kind == RequestKind.ADDRESS:
        answer = _move(session, request, permission, suppressions, now)
        if answer is not Answer.DONE:
            return Confirmed(request, answer, subscriber_id)
    elif request.kind == RequestKind.JOIN:
        subscriber_id = _join(session, request, wanted, permission, suppressions, now)
    elif subscriber_id is not None:
        _change(session, request, subscriber_id, wanted, permission, letters, now)
    request.state = RequestState.CONFIRMED
    request.confirmed_at = now
    session.add(request)
    session.flush()
    return Confirmed(request, Answer.DONE, subscriber_id)


def refuse(session: Session, number: int, *, now: datetime) -> bool:
    """Whoever has the address says no: the request comes to nothing. False if it is not open."""
    request = _held(session, number)
    if request is None or _standing(request, now) is not None:
        return False
    request.state = RequestState.REFUSED
    session.add(request)
    return True


def purge(session: Session, now: datetime, *, keep_days: int) -> list[int]:
    """Delete requests that expired unconfirmed, and those long done; returns their numbers.

    Those that were confirmed stay `keep_days` more, so that their link still answers; what they were evidence
    of is on the consent record.
    """
    is_over = col(Request.expires_at) <= now
    is_done = col(Request.state) == RequestState.CONFIRMED
    is_old = col(Request.expires_at) <= now - timedelta(days=keep_days)
    gone = session.execute(delete(Request).where(is_over & (~is_done | is_old)).returning(col(Request.id)))
    return list(gone.scalars())


def _held(session: Session, number: int) -> Request | None:
    """The request, held against change: two who confirm at once are one after the other."""
    return session.exec(
        select(Request)
        .where(Request.id == number)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _standing(request: Request, now: datetime) -> Answer | None:
    """Why a request cannot be confirmed now, None if it can."""
    if request.state == RequestState.CONFIRMED:
        return Answer.ALREADY
    if request.state == RequestState.REFUSED:
        return Answer.REFUSED
    return Answer.EXPIRED if request.expires_at <= now else None


def _whose(session: Session, request: Request) -> int | None:
    if request.subscriber_id is not None:
        return request.subscriber_id
    found = find_subscriber(session, parse_address(request.address))
    return found.id if found else None


def _told(request: Request, by: Door, evidence: str) -> str:
    asked = f"asked {request.asked_at:%Y-%m-%d %H:%M} UTC by {request.door} ({request.place})"
    return f"{asked}; confirmed by {by} ({evidence})"


def _details(request: Request, by: Door, shown: str | None, now: datetime) -> str:
    """All that can be shown a year later, as `Consent.details`."""
    details = {
        "kind": request.kind,
        "asked_at": request.asked_at.isoformat(),
        "asked_by": request.door,
        "asked_at_place": request.place,
        "wording": request.wording,
        "confirmation": {
            "message_id": request.letter_id,
            "sha256": request.letter_hash,
            "wording": request.letter_wording,
            "written_at": request.posted_at.isoformat() if request.posted_at else None,
        },
        "confirmed_at": now.isoformat(),
        "confirmed_by": by,
        "confirmed_wording": shown,
    }
    return json.dumps(details, sort_keys=True)


def _join(
    session: Session,
    request: Request,
    wanted: Sequence[str],
    permission: Permission,
    suppressions: Suppressions,
    now: datetime,
) -> int | None:
    person = Person(parse_address(request.address), request.name)
    for slug in wanted:
        join(session, person, slug, permission, suppressions, renew=True, now=now)
    subscriber = find_subscriber(session, person.address)
    if subscriber is None:
        return None
    subscriber.timezone = request.timezone or subscriber.timezone
    subscriber.frequency = request.frequency or subscriber.frequency
    session.add(subscriber)
    return subscriber.id


def _change(
    session: Session,
    request: Request,
    subscriber_id: int,
    wanted: Sequence[str],
    permission: Permission,
    letters: OpenLetters,
    now: datetime,
) -> None:
    held = [found.category for found in subscriptions_of(session, subscriber_id)]
    named = wanted or held
    if request.kind in (RequestKind.LEAVE, RequestKind.STOP):
        gone = held if request.kind == RequestKind.STOP else named
        leave(session, subscriber_id, gone, permission, letters, now=now)
    elif request.kind == RequestKind.PAUSE:
        until = now.date() + timedelta(weeks=request.weeks or 1)
        pause(session, subscriber_id, named, letters, until=until)
    elif request.kind == RequestKind.RESUME:
        resume(session, subscriber_id, named)
    elif request.kind == RequestKind.FREQUENCY:
        subscriber = session.get_one(Subscriber, subscriber_id)
        subscriber.frequency = request.frequency
        session.add(subscriber)


def _move(
    session: Session, request: Request, permission: Permission, suppressions: Suppressions, now: datetime
) -> Answer:
    """Write to a reader under the new address from now on, unless there is an order, or it is another's."""
    address = parse_address(request.address)
    other = hold_address(session, address, now)
    # Looked at only now: an order that is given at this very moment has been waited for.
    if suppressions.find(session, address):
        return Answer.REFUSED
    if other is not None and other.id != request.subscriber_id:
        return Answer.TAKEN
    assert request.subscriber_id is not None  # noqa: S101  # who asks for it is a reader
    reader = held_subscriber(session, request.subscriber_id)
    reader.address, reader.address_key = address.given, address.key
    session.add(reader)
    for held in subscriptions_of(session, reader.id):
        if held.state == SubscriptionState.SUPPRESSED:  # there was an order about the address before
            go_on(held, now)
            session.add(held)
        if held.state in LIVE:
            record(session, permission.consent(ConsentAction.GRANTED, held, address.given, now))
    return Answer.DONE
