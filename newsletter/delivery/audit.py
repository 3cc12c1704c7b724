"""What must be true of the ledger at any moment, each as a statement that finds what breaks it.

The database's own keys carry most promises; these are the ones between rows that no key can. Each statement
sees one moment, so that the audit may run while letters go out. It reads and changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Select, Table, and_, exists, func, or_, select
from sqlmodel import Session, SQLModel, col

import subscribers.models
from newsletter.models import Attempt, Delivery, DigestPost, Edition, Issue, Owner, QueueEntry, Receipt
from newsletter.receipts import WAITING_KEY
from newsletter.states import UNSENT, DeliveryState, EntryState, IssueState
from subscribers.address import Address
from subscribers.models import LIVE, Subscriber, Subscription, SubscriptionState, Suppression
from subscribers.suppression import Suppressions

__all__ = ["SHOWN", "Violation", "audit", "audit_orders", "disagreements", "subscribers"]

SHOWN = 20
"""Row numbers listed of a violation at most."""

_AT_ONCE = 1000
"""Subscriptions that are looked at together."""

_OBEYED = "nobody is subscribed whom a standing order says not to write to"
_AWAITED = "a suppressed subscription has the standing order that it waits for"
_IN_HAND = (DeliveryState.CLAIMED, DeliveryState.SENDING)
_STOPPED = (DeliveryState.CANCELLED, DeliveryState.SUPPRESSED)
_TO_SEND = (DeliveryState.QUEUED, *_IN_HAND, DeliveryState.DEFERRED)


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that is broken: in which table, how often, and by which rows."""

    promise: str
    table: str
    count: int
    ids: tuple[int, ...]
    """The first of them, by number."""


def promises() -> Iterator[tuple[str, Select[Any]]]:
    """Each promise with the statement that finds the numbers of the rows that break it."""
    yield from _references()
    states: tuple[tuple[Any, Any, Any], ...] = (
        (Delivery, Delivery.state, DeliveryState),
        (Issue, Issue.state, IssueState),
        (QueueEntry, QueueEntry.state, EntryState),
        (Subscription, Subscription.state, SubscriptionState),
    )
    for table, state, known in states:
        name = table.__table__.name.replace("_", " ")
        yield (
            f"every {name} is in a state that there is",
            select(table.id).where(col(state).not_in(list(known))),
        )
    state, delivery = col(Delivery.state), select(col(Delivery.id))
    yield (
        "what is sent says when",
        delivery.where(state == DeliveryState.SENT, col(Delivery.sent_at).is_(None)),
    )
    ended = exists().where(col(Owner.id) == col(Delivery.owner_id), col(Owner.ended_at).is_not(None))
    yield (
        "what is claimed or being sent is in the hands of a process that has not ended",
        delivery.where(state.in_(_IN_HAND), or_(col(Delivery.owner_id).is_(None), ended)),
    )
    tries = select(col(Attempt.delivery_id), func.count().label("number")).group_by(col(Attempt.delivery_id))
    tried = tries.subquery()
    counted, on_record = col(Delivery.attempts), func.coalesce(tried.c.number, 0)
    yield (
        "every attempt that a letter counts is on record",
        delivery.outerjoin(tried, tried.c.delivery_id == col(Delivery.id)).where(
            # A try whose letter somebody ended meanwhile is on record, and decided nothing.
            or_(counted > on_record, and_(counted < on_record, state.not_in(_STOPPED)))
        ),
    )
    receipt = exists().where(
        col(Receipt.subscriber_id) == col(Delivery.subscriber_id),
        col(Receipt.letter_key) == col(Delivery.letter_key),
    )
    yield (
        "a letter that ended unsent, beyond doubt, leaves its reader no receipt",
        delivery.where(state.in_(UNSENT), col(Delivery.doubted_at).is_(None), receipt),
    )
    yield (
        "an edition belongs to the issue of its letters",
        delivery.join(Edition, col(Edition.id) == col(Delivery.edition_id)).where(
            col(Edition.issue_id) != col(Delivery.issue_id)
        ),
    )
    unfinished = exists().where(col(Delivery.issue_id) == col(Issue.id), state.in_(_TO_SEND))
    yield (
        "an issue that is finished has no letter left to send",
        select(col(Issue.id)).where(col(Issue.finished_at).is_not(None), unfinished),
    )
    receipt_of_post = exists().where(
        col(Receipt.subscriber_id) == col(DigestPost.subscriber_id),
        col(Receipt.post_id) == col(DigestPost.post_id),
        col(Receipt.letter_key) == WAITING_KEY,
    )
    yield (
        "a post that waits for a digest is its reader's",
        select(col(DigestPost.id)).where(col(DigestPost.letter_key).is_(None), ~receipt_of_post),
    )
    post_of_receipt = exists().where(
        col(DigestPost.subscriber_id) == col(Receipt.subscriber_id),
        col(DigestPost.post_id) == col(Receipt.post_id),
        col(DigestPost.letter_key).is_(None),
    )
    yield (
        "what a reader is to have by a digest waits for it",
        select(col(Receipt.subscriber_id)).where(col(Receipt.letter_key) == WAITING_KEY, ~post_of_receipt),
    )
    letters = exists().where(col(Delivery.issue_id) == col(Issue.id))
    yield (
        "a slot that was empty or skipped has no letters",
        select(col(Issue.id)).where(col(Issue.state).in_([IssueState.EMPTY, IssueState.SKIPPED]), letters),
    )


def audit(session: Session) -> list[Violation]:
    """Every promise that is broken."""
    found = []
    for promise, statement in promises():
        number = statement.selected_columns[0]
        count = session.execute(select(func.count()).select_from(statement.subquery())).scalar_one()
        if count:
            ids = session.execute(statement.order_by(number).limit(SHOWN)).scalars()
            table = number.table.name
            found.append(Violation(promise, table, count, tuple(ids)))
    return found


class Disagreement(NamedTuple):
    """A subscription and the orders about its reader, which say different things."""

    subscription_id: int
    address: Address
    is_live: bool
    """It is not to be; else it waits for an order to be lifted that there is not."""


def audit_orders(session: Session, suppressions: Suppressions) -> list[Violation]:
    """Whether standing orders not to write are obeyed, and whoever waits for one to be lifted has one."""
    found: dict[str, list[int]] = {_OBEYED: [], _AWAITED: []}
    for one in disagreements(session, suppressions):
        found[_OBEYED if one.is_live else _AWAITED].append(one.subscription_id)
    return [
        Violation(promise, "subscription", len(numbers), tuple(numbers[:SHOWN]))
        for promise, numbers in found.items()
        if numbers
    ]


def disagreements(session: Session, suppressions: Suppressions) -> Iterator[Disagreement]:
    """Subscriptions that standing orders speak against, and those that wait for one that there is not.

    Orders are kept by a hash under the site's secret key, so no statement can ask this of all at once. Under
    another key nobody has an order any more: then those who wait are the ones that are found.
    """
    held = (
        select(
            col(Subscription.id),
            col(Subscription.state),
            col(Subscriber.address),
            col(Subscriber.address_key),
        )
        .join(Subscriber, col(Subscriber.id) == col(Subscription.subscriber_id))
        .where(col(Subscription.state).in_([*LIVE, SubscriptionState.SUPPRESSED]))
        .order_by(col(Subscription.id))
        .execution_options(yield_per=_AT_ONCE)
    )
    for rows in session.execute(held).partitions():
        people = [(number, state, Address(given, key)) for number, state, given, key in rows]
        ordered = suppressions.among(session, [address for _, _, address in people])
        for number, state, address in people:
            is_live = state != SubscriptionState.SUPPRESSED
            if is_live == (address.key in ordered) and _is_so(
                session, number, state, suppressions.hash_of(address)
            ):
                yield Disagreement(number, address, is_live)


def _is_so(session: Session, number: int, state: str, address_hash: str) -> bool:
    """Whether a subscription and the order about its reader disagree at one moment, not only between two."""
    has_order = exists().where(col(Suppression.address_hash) == address_hash)
    disagrees = ~has_order if state == SubscriptionState.SUPPRESSED else has_order
    asked = select(col(Subscription.id)).where(
        col(Subscription.id) == number, col(Subscription.state) == state, disagrees
    )
    return session.execute(asked).first() is not None


def _references() -> Iterator[tuple[str, Select[Any]]]:
    """Every foreign key names a row that is there, also after a repair by hand."""
    for table in SQLModel.metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda key: key.parent.name):
            target = key.column.table.alias()
            there = exists().where(target.c[key.column.name] == key.parent)
            yield (
                f"the {key.parent.name} of every {table.name.replace('_', ' ')} is there",
                select(_number(table)).where(and_(key.parent.is_not(None), ~there)),
            )


def _number(table: Table) -> Column[Any]:
    """The column by which a row is named: its id, else the first of its key."""
    return next(iter(table.primary_key.columns))
