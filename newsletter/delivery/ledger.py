"""The ledger: which letter is owed to whom, and every change of that, as set-based statements.

Each method is one transaction on the ledger's own connection, and each change names the state it comes
from (see `newsletter.states`), so two processes can run the same method without harm. A letter that ends
unsent gives its receipt back: the reader has not had the post.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
    update,
)
from sqlmodel import col

from newsletter.database import Database
from newsletter.delivery.letters import release_receipts
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.ownership import Ownership
from newsletter.models import Attempt, Delivery, Owner
from newsletter.states import UNSENT, DeliveryState
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber, Subscription, SubscriptionState

_DIED = "The sending process died before the reply was recorded."


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
            requeued = self._hand_back(owned)
            rows = connection.execute(
                update(Delivery)
                .where(owned, col(Delivery.state) == DeliveryState.SENDING)
                .values(
                    state=DeliveryState.IN_DOUBT,
                    due_at=now,
                    doubted_at=now,
                    attempts=col(Delivery.attempts) + 1,
                    reply=_DIED,
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

    def _hand_back(self, owned: ColumnElement[bool]) -> int:
        """Unclaim letters: queued again, or in doubt again where an earlier try left them so."""
        before = case(
            (col(Delivery.doubted_at).is_(None), DeliveryState.QUEUED), else_=DeliveryState.IN_DOUBT
        )
        return self._connection.execute(
            update(Delivery)
            .where(owned, col(Delivery.state) == DeliveryState.CLAIMED)
            .values(state=before, owner_id=None)
        ).rowcount

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
        release_receipts(self._connection, [row.id for row in rows])
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
        # In the order of their ids, as all who lock several letters do: no two wait for each other.
        sending = sorted(sending)
        allowed: set[int] = set()
        if outcomes:
            self._record(sorted(outcomes, key=lambda recorded: recorded.delivery_id))
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
                doubted_at=func.coalesce(
                    bindparam("b_doubted", type_=UTCDateTime()), col(Delivery.doubted_at)
                ),
                reply=bindparam("b_reply"),
                attempts=col(Delivery.attempts) + 1,
            )
        )
        connection.execute(change, [_change(recorded) for recorded in outcomes])
        release_receipts(connection, [r.delivery_id for r in outcomes if r.outcome.state in UNSENT])

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
        release_receipts(self._connection, list(rows))

    def close(self, now: datetime) -> None:
        """End in good order: what is still claimed goes back, and the lock is given up come what may."""
        try:
            self._give_back(now)
        finally:
            self._ownership.release()

    def _give_back(self, now: datetime) -> None:
        self._connection.rollback()
        self._hand_back(col(Delivery.owner_id) == self.owner_id)
        # A letter that is still `sending` was cut off: the next process finds it as from a dead owner.
        unsure = exists().where(
            col(Delivery.owner_id) == self.owner_id, col(Delivery.state) == DeliveryState.SENDING
        )
        self._connection.execute(
            update(Owner).where(col(Owner.id) == self.owner_id, ~unsure).values(ended_at=now)
        )
        self._connection.commit()


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
    return _attempt(Recorded(delivery, Outcome(DeliveryState.IN_DOUBT, Stage.DOT, None, _DIED), now), owner)


def _change(recorded: Recorded) -> dict[str, Any]:
    outcome = recorded.outcome
    return {
        "b_id": recorded.delivery_id,
        "b_from": DeliveryState.SENDING if outcome.stage is Stage.DOT else DeliveryState.CLAIMED,
        "b_state": outcome.state,
        "b_due": recorded.retry_at,
        "b_sent": recorded.at if outcome.state is DeliveryState.SENT else None,
        "b_doubted": recorded.at if outcome.state is DeliveryState.IN_DOUBT else None,
        "b_reply": outcome.words,
    }
