"""Joining and leaving categories, each with its consent record, in the caller's transaction.

Joining twice and leaving twice are harmless. Somebody who left stays out of imports: only a request made
for that one person (`renew=True`) brings them back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from subscribers.address import Address, parse_address
from subscribers.consent import record
from subscribers.models import Consent, ConsentAction, Subscriber, Subscription, SubscriptionState
from subscribers.ports import OpenLetters
from subscribers.suppression import Suppressions


class Joined(StrEnum):
    """What came of a request to join."""

    ADDED = "added"
    ALREADY = "already"
    RENEWED = "renewed"
    REFUSED_LEFT = "left"
    """They left before, and nobody asked for this one person to come back."""
    SUPPRESSED = "suppressed"
    """There is a standing order not to write to them."""


def keys_of(session: Session, subscriber: Subscriber) -> set[str]:
    """What a person's address is known by, and those they had before unless they are another's now."""
    given = {consent.address for consent in consents_of(session, subscriber.id) if consent.address}
    before = {parse_address(address).key for address in given} - {subscriber.address_key}
    others = session.exec(select(Subscriber.address_key).where(col(Subscriber.address_key).in_(before)))
    return (before - set(others)) | {subscriber.address_key}


def consents_of(session: Session, subscriber_id: int) -> list[Consent]:
    """A reader's consent record, oldest first."""
    found = select(Consent).where(Consent.subscriber_id == subscriber_id)
    return list(session.exec(found.order_by(col(Consent.id))))


def all_subscribers(
    session: Session, category: str | None = None
) -> Iterator[tuple[Subscriber, dict[str, str]]]:
    """Every reader with their subscriptions' states by category, oldest first, one at a time.

    With a category, only those who subscribe to it, and only that subscription.
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
    """The reader with this address, if there is one; held against change, if that is wanted."""
    found = select(Subscriber).where(Subscriber.address_key == address.key)
    if is_held:
        found = found.with_for_update().execution_options(populate_existing=True)
    return session.exec(found).one_or_none()


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
    subscribers = _find_or_add(session, people, suppressions, now)
    ids = [subscriber.id for subscriber in subscribers.values()]
    # Locked in one order: who leaves at this very moment is seen to have left, and two imports do not
    # wait for each other in a circle.
    held = (
        select(Subscription)
        .where(col(Subscription.subscriber_id).in_(ids), Subscription.category == category)
        .order_by(col(Subscription.id))
        .with_for_update()
    )
    subscriptions = {found.subscriber_id: found for found in session.exec(held)}
    answers = []
    for person in people:
        if person.address.key not in subscribers:
            answers.append(Joined.SUPPRESSED)
            continue
        subscriber_id = subscribers[person.address.key].id
        existing = subscriptions.get(subscriber_id)
        answer = _answer(existing, permission, renew=renew)
        if answer in (Joined.ADDED, Joined.RENEWED):
            subscription = existing or Subscription(
                subscriber_id=subscriber_id, category=category, state="", since=now
            )
            subscriptions[subscriber_id] = subscription
            _settle(session, subscription, person.address.given, permission, now)
        answers.append(answer)
    session.flush()
    return answers


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


def _find_or_add(
    session: Session, people: Sequence[Person], suppressions: Suppressions, now: datetime
) -> dict[str, Subscriber]:
    """The rows of all who may be written to, by address key; a name is learnt where there was none."""
    keys = {person.address.key for person in people}
    subscribers = _held_by_key(session, keys)
    added: dict[str, Subscriber] = {}
    for person in people:
        subscriber = subscribers.get(person.address.key) or added.get(person.address.key)
        if subscriber is None:
            added[person.address.key] = Subscriber(
                address=person.address.given, address_key=person.address.key, name=person.name, created_at=now
            )
        elif person.name and not subscriber.name:
            subscriber.name = person.name
    try:
        with session.begin_nested():
            session.add_all(added.values())
    except IntegrityError:
        # Somebody else has added one of them at this very moment: look again, one waits for the other now.
        return _find_or_add(session, people, suppressions, now)
    # Looked at only now: an order that is given at this very moment has been waited for.
    refused = suppressions.among(session, [person.address for person in people])
    for key in refused & added.keys():
        session.delete(added[key])
    session.flush()
    return {key: found for key, found in (subscribers | added).items() if key not in refused}


def _held_by_key(session: Session, keys: Iterable[str]) -> dict[str, Subscriber]:
    """Those who are known, held: who subscribes twice at once does so one after the other."""
    known = (
        select(Subscriber)
        .where(col(Subscriber.address_key).in_(keys))
        .order_by(col(Subscriber.id))
        .with_for_update(key_share=True)
    )
    return {subscriber.address_key: subscriber for subscriber in session.exec(known)}


def _answer(existing: Subscription | None, permission: Permission, *, renew: bool) -> Joined:
    if existing is None:
        return Joined.ADDED
    if existing.state == SubscriptionState.LEFT:
        return Joined.RENEWED if renew else Joined.REFUSED_LEFT
    if existing.state == SubscriptionState.PENDING and permission.confirmed:
        return Joined.RENEWED
    if existing.state in (SubscriptionState.PAUSED, SubscriptionState.SUPPRESSED) and renew:
        return Joined.RENEWED
    return Joined.ALREADY


def _settle(
    session: Session, subscription: Subscription, address: str, permission: Permission, now: datetime
) -> None:
    subscription.state = SubscriptionState.ACTIVE if permission.confirmed else SubscriptionState.PENDING
    subscription.since = now
    subscription.cohort_id = subscription.paused_until = None
    session.add(subscription)
    action = ConsentAction.GRANTED if permission.confirmed else ConsentAction.REQUESTED
    record(session, permission.consent(action, subscription, address, now))


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
