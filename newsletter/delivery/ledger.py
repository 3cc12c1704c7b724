"""The ledger: which letter is owed to whom, and every change of that, as set-based statements.

Each method is one transaction on the ledger's own connection, and each change names the state it comes
from (see `newsletter.states`), so two processes can run the same method without harm. A letter that ends
unsent gives its receipt back: the reader has not had the post.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlmodel import Session, col

from newsletter.database import Database, batched
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.ownership import Ownership
from newsletter.models import Attempt, Delivery, Owner, Receipt
from newsletter.states import OPEN, UNSENT, DeliveryState
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber, Subscription, SubscriptionState

_BATCH = 500
"""Ids in one IN list: below every driver's limit of parameters."""


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery this process has claimed, with what is needed to send it."""

    id: int
    edition_id: int
    address: str
    name: str | None
    attempts: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """An outcome to be written; `retry_at` is when a deferred letter is due again."""

    delivery_id: int
    outcome: Outcome
    at: datetime
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Recovered:
    """What dead processes left behind: letters given back, and those nobody can be sure of, by name."""

    requeued: int
    in_doubt: tuple[tuple[int, str], ...]
    """(delivery id, address)"""


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


class Ledger:
    """The books of one sending process, on a connection of its own."""

    def __init__(
        self, database: Database, connection: Connection, *, resend_in_doubt: bool, now: datetime
    ) -> None:
        self._connection = connection
        self._ownership = Ownership(database, connection, now)
        self._claimable = [DeliveryState.DEFERRED, DeliveryState.QUEUED]
        if resend_in_doubt:
            self._claimable.insert(0, DeliveryState.IN_DOUBT)

    @property
    def owner_id(self) -> int:
        """The Owner row under which this process claims."""
        return self._ownership.id

    def recover(self, now: datetime) -> Recovered:
        """Take over from dead processes: their claims go back, their `sending` letters are in doubt."""
        connection = self._connection
        dead = self._ownership.dead_owners()
        requeued, doubtful = 0, []
        if dead:
            owned = col(Delivery.owner_id).in_(dead)
            requeued = connection.execute(
                update(Delivery)
                .where(owned, col(Delivery.state) == DeliveryState.CLAIMED)
                .values(state=DeliveryState.QUEUED, owner_id=None)
            ).rowcount
            rows = connection.execute(
                update(Delivery)
                .where(owned, col(Delivery.state) == DeliveryState.SENDING)
                .values(
                    state=DeliveryState.IN_DOUBT,
                    due_at=now,
                    attempts=col(Delivery.attempts) + 1,
                    reply="The sending process died before the reply was recorded.",
                )
                .returning(col(Delivery.id), col(Delivery.owner_id), col(Delivery.subscriber_id))
            ).all()
            if rows:
                connection.execute(
                    insert(Attempt), [_lost_attempt(row.id, row.owner_id, now) for row in rows]
                )
                people = select(col(Subscriber.id), col(Subscriber.address)).where(
                    col(Subscriber.id).in_([row.subscriber_id for row in rows])
                )
                addresses = {row.id: row.address for row in connection.execute(people)}
                doubtful = [(row.id, addresses[row.subscriber_id]) for row in rows]
            connection.execute(update(Owner).where(col(Owner.id).in_(dead)).values(ended_at=now))
        connection.commit()
        return Recovered(requeued, tuple(doubtful))

    def expire(self, now: datetime) -> int:
        """End letters that were put off for so long that they are stale."""
        rows = self._connection.execute(
            update(Delivery)
            .where(
                col(Delivery.state).in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]),
                col(Delivery.expires_at) <= now,
            )
            .values(state=DeliveryState.EXPIRED)
            .returning(col(Delivery.id))
        ).all()
        _release_receipts(self._connection, [row.id for row in rows])
        self._connection.commit()
        return len(rows)

    def claim(self, limit: int, now: datetime) -> list[ClaimedDelivery]:
        """Take up to `limit` due letters that nobody else has and that are not stale."""
        taken: list[int] = []
        for state in self._claimable:
            # One state at a time: each is a walk along the index, oldest first.
            due = (
                select(col(Delivery.id))
                .where(
                    col(Delivery.state) == state,
                    col(Delivery.due_at) <= now,
                    col(Delivery.expires_at) > now,
                )
                .order_by(col(Delivery.due_at), col(Delivery.id))
                .limit(limit - len(taken))
                .with_for_update(skip_locked=True)
                .cte(
                    "due"
                )  # read once; as a subquery PostgreSQL may read it anew for each row, past the limit
            )
            claimed = (
                update(Delivery)
                .where(col(Delivery.id).in_(select(due.c.id)), col(Delivery.state) == state)
                .values(state=DeliveryState.CLAIMED, owner_id=self.owner_id)
                .returning(col(Delivery.id))
            )
            taken += self._connection.execute(claimed).scalars()
            if len(taken) >= limit:
                break
        rows = self._connection.execute(_claimed_rows(taken)).all() if taken else []
        self._connection.commit()
        return [ClaimedDelivery(*row) for row in rows]

    def settle(self, sending: Sequence[int], outcomes: Sequence[Recorded]) -> set[int]:
        """Write outcomes, and mark letters as `sending`; returns those of `sending` that may go.

        A letter may not go if its reader left or the claim is gone. One commit for all of it: this is the
        journal, and it is written before any of the bodies it lets go.
        """
        allowed: set[int] = set()
        if outcomes:
            self._record(outcomes)
        if sending:
            is_active = exists().where(
                col(Subscription.subscriber_id) == col(Delivery.subscriber_id),
                col(Subscription.category) == col(Delivery.category),
                col(Subscription.state) == SubscriptionState.ACTIVE,
            )
            marked = (
                update(Delivery)
                .where(
                    col(Delivery.id).in_(sending),
                    col(Delivery.state) == DeliveryState.CLAIMED,
                    col(Delivery.owner_id) == self.owner_id,
                    is_active,
                )
                .values(state=DeliveryState.SENDING)
                .returning(col(Delivery.id))
            )
            allowed = set(self._connection.execute(marked).scalars())
            if refused := [delivery for delivery in sending if delivery not in allowed]:
                self._cancel_refused(refused)
        self._connection.commit()
        return allowed

    def _record(self, outcomes: Sequence[Recorded]) -> None:
        connection = self._connection
        owner = self.owner_id
        attempts = [_attempt(recorded, owner) for recorded in outcomes]
        connection.execute(insert(Attempt), attempts)
        change = (
            update(Delivery)
            .where(
                col(Delivery.id) == bindparam("b_id"),
                col(Delivery.owner_id) == owner,
                col(Delivery.state) == bindparam("b_from"),
            )
            .values(
                state=bindparam("b_state"),
                due_at=func.coalesce(bindparam("b_due", type_=UTCDateTime()), col(Delivery.due_at)),
                sent_at=bindparam("b_sent"),
                reply=bindparam("b_reply"),
                attempts=col(Delivery.attempts) + 1,
            )
        )
        connection.execute(change, [_change(recorded) for recorded in outcomes])
        _release_receipts(connection, [r.delivery_id for r in outcomes if r.outcome.state in UNSENT])

    def _cancel_refused(self, refused: Sequence[int]) -> None:
        """The reader has left since this letter was claimed: it ends here."""
        rows = self._connection.execute(
            update(Delivery)
            .where(
                col(Delivery.id).in_(refused),
                col(Delivery.owner_id) == self.owner_id,
                col(Delivery.state) == DeliveryState.CLAIMED,
            )
            .values(state=DeliveryState.CANCELLED)
            .returning(col(Delivery.id))
        ).scalars()
        _release_receipts(self._connection, list(rows))

    def close(self, now: datetime) -> None:
        """End in good order: what is still claimed goes back, and the lock is given up come what may."""
        try:
            self._give_back(now)
        finally:
            self._ownership.release()

    def _give_back(self, now: datetime) -> None:
        self._connection.rollback()
        self._connection.execute(
            update(Delivery)
            .where(col(Delivery.owner_id) == self.owner_id, col(Delivery.state) == DeliveryState.CLAIMED)
            .values(state=DeliveryState.QUEUED, owner_id=None)
        )
        # A letter that is still `sending` was cut off: the next process finds it as from a dead owner.
        unsure = exists().where(
            col(Delivery.owner_id) == self.owner_id, col(Delivery.state) == DeliveryState.SENDING
        )
        self._connection.execute(
            update(Owner).where(col(Owner.id) == self.owner_id, ~unsure).values(ended_at=now)
        )
        self._connection.commit()


def resolve(session: Session, delivery_id: int, *, is_sent: bool, now: datetime, expiry: timedelta) -> bool:
    """Settle a letter in doubt by a person's word: it has arrived, or it is to go again.

    False if it is not in doubt. The doubtful attempt stays on record.
    """
    if is_sent:
        values = {"state": DeliveryState.SENT, "sent_at": now, "reply": "Said by a person to have arrived."}
    else:
        values = {"state": DeliveryState.QUEUED, "due_at": now, "expires_at": now + expiry, "owner_id": None}
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
        rows = session.execute(
            update(Delivery)
            .where(
                col(Delivery.subscriber_id) == subscriber_id,
                col(Delivery.category) == category,
                col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT]),
            )
            .values(state=DeliveryState.CANCELLED)
            .returning(col(Delivery.id))
        ).all()
        _release_receipts(session.connection(), [row.id for row in rows])
        return len(rows)


def _claimed_rows(ids: Sequence[int]) -> Select[*tuple[Any, ...]]:
    return (
        select(
            col(Delivery.id),
            col(Delivery.edition_id),
            col(Subscriber.address),
            col(Subscriber.name),
            col(Delivery.attempts),
            col(Delivery.expires_at),
        )
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(col(Delivery.id).in_(ids))
        .order_by(col(Delivery.id))
    )


def _attempt(recorded: Recorded, owner: int) -> dict[str, Any]:
    outcome = recorded.outcome
    return {
        "delivery_id": recorded.delivery_id,
        "owner_id": owner,
        "at": recorded.at,
        "outcome": outcome.state,
        "stage": outcome.stage,
        "code": outcome.code,
        "enhanced_status": outcome.enhanced_status,
        "reply": outcome.reply,
    }


def _lost_attempt(delivery: int, owner: int, now: datetime) -> dict[str, Any]:
    what = "The sending process died before the reply was recorded."
    return _attempt(Recorded(delivery, Outcome(DeliveryState.IN_DOUBT, Stage.DOT, None, what), now), owner)


def _change(recorded: Recorded) -> dict[str, Any]:
    outcome = recorded.outcome
    reply = outcome.reply if outcome.code is None else f"{outcome.code} {outcome.reply}"
    return {
        "b_id": recorded.delivery_id,
        "b_from": DeliveryState.SENDING if outcome.stage is Stage.DOT else DeliveryState.CLAIMED,
        "b_state": outcome.state,
        "b_due": recorded.retry_at,
        "b_sent": recorded.at if outcome.state is DeliveryState.SENT else None,
        "b_reply": reply,
    }


def _release_receipts(connection: Connection, deliveries: Sequence[int]) -> None:
    """Give back the receipts of those letters that have ended unsent."""
    letter = tuple_(col(Receipt.subscriber_id), col(Receipt.letter_key))
    for ids in batched(deliveries, _BATCH):
        ended = select(col(Delivery.subscriber_id), col(Delivery.letter_key)).where(
            col(Delivery.id).in_(ids), col(Delivery.state).in_(UNSENT)
        )
        connection.execute(delete(Receipt).where(letter.in_(ended)))
