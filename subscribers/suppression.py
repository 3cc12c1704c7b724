"""Standing orders not to write to an address, kept by a keyed hash of it.

So an address can be erased and still not be written to (GDPR 17): whoever has the database alone cannot tell
whose hash it is, nor try all addresses out, for the key lies elsewhere.

An order acts through what statements can see without the key: the reader's subscriptions come into a state
that no letter is planned or sent for, and the letters under way end. So nobody who has an order has an active
subscription; joining and suppressing hold each other off, also about an address that nobody has yet.
"""

import hashlib
from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from subscribers.address import Address
from subscribers.consent import record
from subscribers.models import (
    LIVE,
    Consent,
    ConsentAction,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.ports import OpenLetters, bulk_of

_WEIGHT = {
    SuppressionReason.BOUNCED: 0,
    SuppressionReason.ASKED: 1,
    SuppressionReason.COMPLAINED: 2,
    SuppressionReason.ERASED: 3,
}
"""An order gives way to a weightier one alone."""
_ENDED = {
    SuppressionReason.BOUNCED: "Letters to this reader come back.",
    SuppressionReason.ASKED: "The reader asked not to be written to.",
    SuppressionReason.COMPLAINED: "The reader complained.",
    SuppressionReason.ERASED: "The reader was erased.",
}
"""What the ledger says of the letters that an order stops."""
_BATCH = 500
"""Hashes in one IN list: below every driver's limit of parameters."""


class Suppressions:
    """Asks, orders and lifts, under one secret key."""

    def __init__(self, key: bytes) -> None:
        # Hashed first, as whatever is longer would not fit, and apart from tokens, as its purpose is another.
        self._key = hashlib.blake2b(key, digest_size=64, person=b"suppression").digest()

    def hash_of(self, address: Address) -> str:
        """What is kept of an address: keyed BLAKE2b (RFC 7693 §2.9) of its folded form, in hexadecimal."""
        return hashlib.blake2b(address.key.encode(), digest_size=32, key=self._key).hexdigest()

    def find(self, session: Session, address: Address) -> Suppression | None:
        """The order about an address, if there is one."""
        return session.get(Suppression, self.hash_of(address), populate_existing=True)

    def among(self, session: Session, addresses: Iterable[Address]) -> set[str]:
        """The keys of those of these addresses that there is an order about."""
        if session.execute(select(col(Suppression.address_hash)).limit(1)).first() is None:
            return set()
        keys = {self.hash_of(address): address.key for address in addresses}
        hashes, found = list(keys), set()
        for start in range(0, len(hashes), _BATCH):
            some = col(Suppression.address_hash).in_(hashes[start : start + _BATCH])
            rows = session.execute(select(col(Suppression.address_hash)).where(some)).scalars()
            found |= {keys[one] for one in rows}
        return found

    def suppress(
        self,
        session: Session,
        address: Address,
        reason: SuppressionReason,
        letters: OpenLetters,
        *,
        source: str,
        evidence: str = "",
        now: datetime,
    ) -> list[str]:
        """Write to this address no more, whoever has it, if anybody; letters on their way are stopped.

        Returns the categories that end, or wait, for it. Who only cannot be reached has not withdrawn their
        consent: should the order be lifted, they are subscribed as before. All others have left. An order
        that stands already stays, with its reason and day, unless this one is weightier.
        """
        subscriber = hold_address(session, address, now)
        self._keep(session, address, reason, now)
        if subscriber is None:
            return []
        has_left = reason != SuppressionReason.BOUNCED
        stopped = []
        for held in _subscriptions_of(session, subscriber.id):
            if held.state == SubscriptionState.LEFT or (not has_left and held.state not in LIVE):
                continue
            held.state = SubscriptionState.LEFT if has_left else SubscriptionState.SUPPRESSED
            held.since, held.cohort_id = now, None
            if has_left:
                held.paused_until = None
            session.add(held)
            stopped.append(held.category)
            if has_left and reason != SuppressionReason.ERASED:  # whose records are to go
                withdrawn = Consent(
                    subscriber_id=subscriber.id,
                    category=held.category,
                    action=ConsentAction.WITHDRAWN,
                    source=source,
                    evidence=evidence[:1000],
                    at=now,
                    address=subscriber.address,
                )
                record(session, withdrawn)
        session.flush()
        letters.suppress(session, subscriber.id, _ENDED[reason])
        return stopped

    def keep_many(
        self, session: Session, orders: Iterable[tuple[Address, SuppressionReason]], now: datetime
    ) -> None:
        """Give orders about people who have none, and nothing that is active, and whom the caller holds."""
        weightiest: dict[str, SuppressionReason] = {}
        for address, reason in orders:
            key = self.hash_of(address)
            weightiest[key] = max(weightiest.get(key, reason), reason, key=_WEIGHT.__getitem__)
        if weightiest:
            bulk = bulk_of(session)
            at = bulk.instant(now)
            rows = [(key, reason, at) for key, reason in sorted(weightiest.items())]
            bulk.inserts(Suppression, "address_hash", "reason", "at").run(session.connection(), rows)

    def lift(
        self,
        session: Session,
        address: Address,
        reasons: Collection[SuppressionReason],
        *,
        now: datetime,
    ) -> SuppressionReason | None:
        """Take back an order that was given for one of these reasons; returns which, None if there is none.

        Whose letters came back has them again.
        """
        subscriber = hold_address(session, address, now)
        order = self.find(session, address)
        if order is None or order.reason not in reasons:
            return None
        reason = SuppressionReason(order.reason)
        session.delete(order)
        for held in _subscriptions_of(session, subscriber.id) if subscriber else ():
            if held.state == SubscriptionState.SUPPRESSED:
                go_on(held, now)
                session.add(held)
        session.flush()
        return reason

    def _keep(self, session: Session, address: Address, reason: SuppressionReason, now: datetime) -> None:
        order = self.find(session, address)
        if order is None:
            order = Suppression(address_hash=self.hash_of(address), reason=reason, at=now)
        elif _WEIGHT[SuppressionReason(order.reason)] < _WEIGHT[reason]:
            order.reason, order.at = reason, now
        session.add(order)
        session.flush()


def go_on(held: Subscription, now: datetime) -> None:
    """Have a suppressed subscription be what it was: active, or paused, and then until that is over."""
    held.state = SubscriptionState.PAUSED if held.paused_until else SubscriptionState.ACTIVE
    held.since = now


def hold_address(session: Session, address: Address, now: datetime) -> Subscriber | None:
    """Whoever has an address, held against change; where nobody has, the address itself.

    It is taken and given back within the transaction: whoever joins by it meanwhile waits for that, by the
    unique key, and then sees the order.
    """
    theirs = (
        select_rows(Subscriber)
        .where(Subscriber.address_key == address.key)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    while (subscriber := session.exec(theirs).one_or_none()) is None:
        try:
            with session.begin_nested():
                taken = Subscriber(address=address.given, address_key=address.key, created_at=now)
                session.add(taken)
                session.flush()
                session.execute(delete(Subscriber).where(col(Subscriber.id) == taken.id))
                session.expunge(taken)
        except IntegrityError:
            continue  # somebody has joined by it at this very moment
        return None
    return subscriber


def _subscriptions_of(session: Session, subscriber_id: int) -> list[Subscription]:
    """A reader's subscriptions, held against change. Subscriptions go before letters, whoever locks both."""
    return list(
        session.exec(
            select_rows(Subscription)
            .where(Subscription.subscriber_id == subscriber_id)
            .order_by(col(Subscription.id))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    )
