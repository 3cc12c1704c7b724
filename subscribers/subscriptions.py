"""Joining and leaving categories, each with its consent record, in the caller's transaction.

Joining twice and leaving twice are harmless. Somebody who left stays out of imports: only a request made
for that one person (`renew=True`) brings them back.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import func, or_
from sqlmodel import Session, col, select

from subscribers.address import Address, parse_address
from subscribers.arrivals import Arrival, Joined, Tie, take_in
from subscribers.consent import is_erased, record
from subscribers.models import Consent, ConsentAction, Subscriber, Subscription, SubscriptionState
from subscribers.ports import OpenLetters
from subscribers.suppression import Suppressions


def addresses_of(session: Session, subscriber: Subscriber) -> list[Address]:
    """A person's address, and those they had before unless they are another's now."""
    given = {consent.address for consent in consents_of(session, subscriber.id) if consent.address}
    before = {address.key: address for address in map(parse_address, sorted(given))}
    taken = session.exec(select(Subscriber.address_key).where(col(Subscriber.address_key).in_(before)))
    for key in {*taken, subscriber.address_key}:
        before.pop(key, None)
    return [parse_address(subscriber.address), *before.values()]


def who_had(session: Session, address: Address) -> list[Subscriber]:
    """Readers who have another address now, and this one before, by what they consented to."""
    spelled = {address.given, address.key}
    had = select(Consent.subscriber_id).where(
        or_(col(Consent.address).in_(spelled), func.lower(col(Consent.address)) == address.key)
    )
    found = select(Subscriber).where(col(Subscriber.id).in_(had), col(Subscriber.address_key) != address.key)
    return list(session.exec(found.order_by(col(Subscriber.id))))


def address_since(session: Session, subscriber: Subscriber) -> datetime | None:
    """Since when a person's letters go to the address they have now; None if they never had another."""
    since: datetime | None = None
    for consent in reversed(consents_of(session, subscriber.id)):
        if consent.address and parse_address(consent.address).key != subscriber.address_key:
            return since
        since = consent.at
    return None


def consents_of(session: Session, subscriber_id: int) -> list[Consent]:
    """A reader's consent record, oldest first."""
    found = select(Consent).where(Consent.subscriber_id == subscriber_id)
    return list(session.exec(found.order_by(col(Consent.id))))


def all_subscribers(
    session: Session, category: str | None = None
) -> Iterator[tuple[Subscriber, dict[str, str]]]:
    """Every reader with their subscriptions' states by category, oldest first, one at a time.

    With a category, only those who subscribe to it, and only that subscription. Nobody who was erased.
    """
    statement = (
        select(Subscriber, Subscription)
        .join(Subscription, col(Subscription.subscriber_id) == col(Subscriber.id))
        .order_by(col(Subscriber.id), col(Subscription.category))
        .execution_options(yield_per=1000)
    )
    if category is not None:
        statement = statement.where(Subscription.category == category)
    for _, rows in groupby(session.exec(statement), key=lambda row: row[0].id):
        pairs = list(rows)
        if is_erased(pairs[0][0]):
            continue
        yield pairs[0][0], {subscription.category: subscription.state for _, subscription in pairs}


@dataclass(frozen=True, slots=True)
class Permission:
    """Where consent came from: the door, what it knows, and whether the person has confirmed."""

    source: str
    evidence: str = ""
    confirmed: bool = False
    details: str | None = None
    """As `Consent.details`."""

    def consent(
        self, action: ConsentAction, subscription: Subscription, address: str, now: datetime
    ) -> Consent:
        """The record of it."""
        return Consent(
            subscriber_id=subscription.subscriber_id,
            category=subscription.category,
            action=action,
            source=self.source,
            evidence=self.evidence,
            at=now,
            address=address,
            details=self.details,
        )


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to be subscribed."""

    address: Address
    name: str | None = None


def find_subscriber(session: Session, address: Address, *, is_held: bool = False) -> Subscriber | None:
    """The reader with this address, if there is one; held against change, if that is wanted.

    Readers are held so everywhere that rows may be written which name them: who holds a letter, and writes
    down what came of it, would else wait for whoever holds its reader, and waits for the letter.
    """
    found = select(Subscriber).where(Subscriber.address_key == address.key)
    if is_held:
        found = found.with_for_update(key_share=True).execution_options(populate_existing=True)
    return session.exec(found).one_or_none()


def held_subscriber(session: Session, subscriber_id: int) -> Subscriber:
    """A reader, held against whoever else judges, suppresses or subscribes them."""
    theirs = select(Subscriber).where(Subscriber.id == subscriber_id).with_for_update(key_share=True)
    return session.exec(theirs.execution_options(populate_existing=True)).one()


def subscriptions_of(session: Session, subscriber_id: int) -> list[Subscription]:
    """All of a reader's subscriptions, whatever their state, by category."""
    found = select(Subscription).where(Subscription.subscriber_id == subscriber_id)
    return list(session.exec(found.order_by(col(Subscription.category))))


def join_many(
    session: Session,
    people: Sequence[Person],
    category: str,
    permission: Permission,
    suppressions: Suppressions,
    *,
    renew: bool,
    now: datetime,
) -> list[Joined]:
    """Subscribe people to a category, in a few statements for all of them; pending until confirmed.

    Nobody whom there is a standing order about.

    A pending subscription becomes active when the new permission is a confirmed one. Answers in the
    order of `people`; one who is named twice is `ALREADY` the second time.
    """
    state = SubscriptionState.ACTIVE if permission.confirmed else SubscriptionState.PENDING
    ties = (Tie(category, state, permission.source, permission.evidence, permission.details),)
    arrivals = [Arrival(person.address, ties, person.name) for person in people]
    return [answer for (answer,) in take_in(session, arrivals, suppressions, renew=renew, now=now).answers]


def join(
    session: Session,
    person: Person,
    category: str,
    permission: Permission,
    suppressions: Suppressions,
    *,
    renew: bool,
    now: datetime,
) -> Joined:
    """Subscribe one person; see `join_many`."""
    return join_many(session, [person], category, permission, suppressions, renew=renew, now=now)[0]


def grant_again(
    session: Session, address: Address, categories: Collection[str], permission: Permission, *, now: datetime
) -> None:
    """Write down that somebody who is subscribed has agreed once more."""
    reader = find_subscriber(session, address)
    for held in subscriptions_of(session, reader.id) if reader else ():
        if reader and held.category in categories:
            record(session, permission.consent(ConsentAction.GRANTED, held, reader.address, now))


def leave(
    session: Session,
    subscriber_id: int,
    categories: Iterable[str],
    permission: Permission,
    letters: OpenLetters,
    *,
    now: datetime,
) -> list[str]:
    """End subscriptions and stop the letters under way; returns the categories that were really left."""
    left = []
    for category in categories:
        subscription = session.exec(
            select(Subscription)
            .where(Subscription.subscriber_id == subscriber_id, Subscription.category == category)
            .with_for_update()
            .execution_options(populate_existing=True)  # as it is under the lock, not as it was read before
        ).one_or_none()
        if subscription is None or subscription.state == SubscriptionState.LEFT:
            continue
        subscription.state = SubscriptionState.LEFT
        subscription.since = now
        session.add(subscription)
        reader = session.get_one(Subscriber, subscriber_id)
        record(session, permission.consent(ConsentAction.WITHDRAWN, subscription, reader.address, now))
        session.flush()
        letters.withdraw(session, subscriber_id, category, "The reader left.")
        left.append(category)
    return left
