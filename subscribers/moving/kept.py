"""Everybody we have, as our export tells of them: one at a time, each with one subscription."""

from collections.abc import Iterator, Mapping

from sqlmodel import Session, col, select

from subscribers.address import Address
from subscribers.consent import details_of, is_erased
from subscribers.models import (
    Consent,
    ConsentAction,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.moving.paperround import TOOL
from subscribers.moving.people import Membership, Newcomer
from subscribers.suppression import Suppressions

_AT_ONCE = 500
_AGREED = (ConsentAction.REQUESTED, ConsentAction.GRANTED)


def everybody(
    session: Session, suppressions: Suppressions, category: str | None = None
) -> Iterator[Newcomer]:
    """Readers, oldest first, once for each of their subscriptions; with a category, only that one.

    The consent told of is the last that was given, or asked for where none was.
    """
    last = 0
    after = select(Subscriber).order_by(col(Subscriber.id)).limit(_AT_ONCE)
    while readers := session.exec(after.where(col(Subscriber.id) > last)).all():
        kept = {reader.id: reader for reader in readers if not is_erased(reader)}
        yield from _told(session, suppressions, kept, category)
        last = readers[-1].id
        session.expunge_all()


def _told(
    session: Session, suppressions: Suppressions, readers: Mapping[int, Subscriber], category: str | None
) -> Iterator[Newcomer]:
    held = select(Subscription).where(col(Subscription.subscriber_id).in_(readers))
    if category is not None:
        held = held.where(Subscription.category == category)
    by_reader = (col(Subscription.subscriber_id), col(Subscription.category))
    consents = _consents(session, readers)
    hashes = {key: suppressions.hash_of(_address(reader)) for key, reader in readers.items()}
    orders = select(Suppression).where(col(Suppression.address_hash).in_(set(hashes.values())))
    reasons = {order.address_hash: SuppressionReason(order.reason) for order in session.exec(orders)}
    for one in session.exec(held.order_by(*by_reader)):
        reader = readers[one.subscriber_id]
        yield Newcomer(
            0,
            _address(reader),
            reader.name,
            (Membership(one.category, SubscriptionState(one.state), one.since, one.paused_until),),
            reader.created_at,
            reader.timezone,
            reader.frequency,
            reader.weekly_cap,
            reasons.get(hashes[reader.id]),
            consents.get((reader.id, one.category), {}),
        )


def _consents(session: Session, readers: Mapping[int, Subscriber]) -> dict[tuple[int, str], dict[str, str]]:
    """What is told of consent, by reader and category."""
    about = col(Consent.subscriber_id).in_(readers)
    last: dict[tuple[int, str], dict[str, str]] = {}
    for consent in session.exec(select(Consent).where(about).order_by(col(Consent.id))):
        told = _evidence(consent)
        if told is not None:
            key = (consent.subscriber_id, consent.category)
            if key not in last or told.get("action") == ConsentAction.GRANTED:
                last[key] = told
    return last


def _address(subscriber: Subscriber) -> Address:
    return Address(subscriber.address, subscriber.address_key)


def _evidence(consent: Consent) -> dict[str, str] | None:
    """What a record tells of consent, None where it is of something else.

    One that came from our own export tells what that told: to move once more loses nothing.
    """
    imported = details_of(consent).get("imported") or {}
    if imported.get("tool") == TOOL.name and "told" in imported:
        return dict(imported["told"])
    if consent.action not in _AGREED:
        return None
    told = {
        "action": consent.action,
        "source": consent.source,
        "at": consent.at.isoformat(),
        "evidence": consent.evidence,
    }
    return {key: text for key, text in told.items() if text}
