"""The ledger: which letter is owed to whom, and every change of that, as set-based statements.

Each method is one transaction on the ledger's own connection, and each change names the state it comes
from (see `newsletter.states`), so two processes can run the same method without harm. A letter that ends
unsent gives its receipt back: the reader has not had the post.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Executable,
    Select,
    Text,
    and_,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)
from sqlmodel import col

from newsletter.database import Database, Given
from newsletter.delivery import canary, issues
from newsletter.delivery.canary import CanaryVerdict
from newsletter.delivery.letters import release_receipts
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.ownership import Ownership
from newsletter.models import Attempt, Delivery, Issue, Owner
from newsletter.states import UNSENT, DeliveryState, IssueState
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber, Subscription, SubscriptionState

_REASON = 200
"""Characters of an issue's reason."""
_LEFT = "Stopped before it went."
_DIED = "The sending process died before the reply was recorded."


class ClaimedDelivery(NamedTuple):
    """A delivery this process has claimed, with what is needed to send it."""

    id: int
    edition_id: int
    address: str
    name: str | None
    attempts: int
    issue_id: int

    @property
    def domain(self) -> str:
        """The address's domain in lower case, by which letters are paced."""
        return self.address.rpartition("@")[2].lower()


class Recorded(NamedTuple):
    """An outcome to be written; `retry_at` is when a deferred letter is due again, `relay` who said it."""

    delivery_id: int
    outcome: Outcome
    at: datetime
    retry_at: datetime | None = None
    relay: str | None = None


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
        self._database = database
        self._last_instant: tuple[datetime | None, Any] = (None, None)
        self._mark_sending = database.updates(_mark_sending, id=BigInteger(), owner=BigInteger())
        self._add_attempts = database.inserts(Attempt, *_ATTEMPT)
        words, instant = Text(), UTCDateTime()
        self._come_to = database.updates(
            _come_to,
            state=words, due_at=instant, sent_at=instant, doubted_at=instant, reply=words, fault=words,
            id=BigInteger(), owner=BigInteger(), **{"from": words},
        )  # fmt: skip

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
                .where(owned, _in_hand(DeliveryState.SENDING))
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
        return self._connection.execute(
            update(Delivery)
            .where(owned, _in_hand(DeliveryState.CLAIMED))
            .values(state=_BEFORE_THE_CLAIM, owner_id=None)
        ).rowcount

    def expire(self, now: datetime) -> int:
        """End the letters of issues that have been put off for so long that they are stale."""
        stale = select(col(Issue.id)).where(
            col(Issue.state) == IssueState.PLANNED,
            col(Issue.finished_at).is_(None),
            col(Issue.expires_at) <= now,
        )
        rows = self._connection.execute(
            update(Delivery)
            .where(
                col(Delivery.issue_id).in_(stale),
                col(Delivery.state).in_([DeliveryState.QUEUED, DeliveryState.DEFERRED]),
            )
            .values(state=DeliveryState.EXPIRED)
            .returning(col(Delivery.id))
        ).all()
        release_receipts(self._connection, [row.id for row in rows])
        self._connection.commit()
        return len(rows)

    def claim(self, limit: int, now: datetime) -> list[ClaimedDelivery]:
        """Take up to `limit` due letters that nobody else has, of issues that go out now, oldest first."""
        taken: list[ClaimedDelivery] = []
        for issue_id, canary_every in self._connection.execute(_open_issues(now)).all():
            for state in self._claimable:
                if len(taken) < limit:
                    # One state at a time: each is a walk along the index, oldest first.
                    taken += self._claim_some(issue_id, state, canary_every, limit - len(taken), now)
        self._connection.commit()
        return taken

    def _claim_some(
        self, issue_id: int, state: DeliveryState, canary_every: int | None, limit: int, now: datetime
    ) -> list[ClaimedDelivery]:
        due = (
            select(col(Delivery.id))
            .where(
                col(Delivery.issue_id) == issue_id,
                col(Delivery.state) == state,
                col(Delivery.due_at) <= now,
                col(Delivery.id) % canary_every == 0 if canary_every else true(),
            )
            .order_by(col(Delivery.due_at), col(Delivery.id))
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")  # read once; as a subquery PostgreSQL may read it anew for each row, past the limit
        )
        claimed = (
            update(Delivery)
            .where(col(Delivery.id).in_(select(due.c.id)), col(Delivery.state) == state)
            .values(state=DeliveryState.CLAIMED, owner_id=self.owner_id)
            .returning(*_CLAIMED)
        )
        rows = self._connection.execute(claimed).all()
        return sorted([ClaimedDelivery(*row) for row in rows], key=attrgetter("id"))

    def review(self, now: datetime, *, wait: timedelta, limit_percent: int) -> list[CanaryVerdict]:
        """Judge the first shares of issues that can be judged (see `newsletter.delivery.canary`)."""
        verdicts = canary.review(self._connection, now, wait=wait, limit_percent=limit_percent)
        self._connection.commit()
        return verdicts

    def halt(self, issue_id: int, reason: str) -> None:
        """Pause an issue whose letters cannot be made."""
        self._connection.execute(
            update(Issue)
            .where(col(Issue.id) == issue_id, col(Issue.state) == IssueState.PLANNED)
            .values(state=IssueState.PAUSED, reason=reason[:_REASON])
        )
        self._connection.commit()

    def finish(self, now: datetime) -> list[int]:
        """Close the issues all of whose letters have come to an end; returns them."""
        finished = issues.finish(self._connection, now)
        self._connection.commit()
        return finished

    def put_off(self, letters: Sequence[tuple[int, datetime]]) -> None:
        """Give claimed letters back untried, to be due later."""
        for delivery_id, due_at in sorted(letters):
            self._connection.execute(
                update(Delivery)
                .where(
                    col(Delivery.id) == delivery_id,
                    col(Delivery.owner_id) == self.owner_id,
                    col(Delivery.state) == DeliveryState.CLAIMED,
                )
                .values(state=_BEFORE_THE_CLAIM, owner_id=None, due_at=due_at)
            )
        self._connection.commit()

    def settle(self, sending: Sequence[int], outcomes: Sequence[Recorded]) -> set[int]:
        """Write outcomes, and mark letters as `sending`; returns those of `sending` that may go.

        A letter may not go if its reader left, its issue was stopped, or the claim is gone. One commit for
        all of it: this is the journal, and it is written before any of the bodies it lets go.
        """
        # In the order of their ids, as all who lock several letters do: no two wait for each other.
        outcomes = sorted(outcomes, key=attrgetter("delivery_id"))
        rows = [(delivery, self.owner_id) for delivery in sorted(sending)]
        with self._database.in_one_trip(self._connection):
            if outcomes:
                self._record(outcomes)
            marked = self._mark_sending.run(self._connection, rows) if rows else lambda: 0
            self._connection.commit()
        if marked() == len(rows):
            return set(sending)
        allowed = self._marked(sending)
        self._let_go([delivery for delivery in sending if delivery not in allowed])
        self._connection.commit()
        return allowed

    def _record(self, outcomes: Sequence[Recorded]) -> None:
        owner, instant = self.owner_id, self._instant
        attempts, changes = [], []
        for recorded in outcomes:
            outcome, delivery_id, at = recorded.outcome, recorded.delivery_id, instant(recorded.at)
            # Plain strings: the driver looks twice at members of an enumeration.
            state, stage, enhanced = outcome.state.value, outcome.stage.value, outcome.enhanced_status
            attempts.append(
                (delivery_id, owner, at, state, stage, outcome.code, enhanced, outcome.reply, recorded.relay)
            )
            changes.append(
                (
                    state,
                    instant(recorded.retry_at),
                    at if outcome.state is DeliveryState.SENT else None,
                    at if outcome.state is DeliveryState.IN_DOUBT else None,
                    outcome.words,
                    outcome.fault.value if outcome.fault else None,
                    delivery_id,
                    owner,
                    _SENDING if outcome.stage is Stage.DOT else _CLAIMED_STATE,
                )
            )
        self._add_attempts.run(self._connection, attempts)
        self._come_to.run(self._connection, changes)
        if unsent := [r.delivery_id for r in outcomes if r.outcome.state in UNSENT]:
            release_receipts(self._connection, unsent)

    def _instant(self, value: datetime | None) -> Any:
        """An instant as the driver takes it; the outcomes of a turn share theirs."""
        if value is not self._last_instant[0]:
            self._last_instant = (value, self._database.instant(value)) if value else (None, None)
        return self._last_instant[1]

    def _marked(self, sending: Sequence[int]) -> set[int]:
        """Which of these letters are marked as `sending`, where not all are."""
        found = self._connection.execute(
            select(col(Delivery.id)).where(
                col(Delivery.id).in_(sending),
                col(Delivery.owner_id) == self.owner_id,
                col(Delivery.state) == DeliveryState.SENDING,
            )
        )
        return set(found.scalars())

    def _let_go(self, refused: Sequence[int]) -> None:
        """Letters that may not go after all: of a paused issue they wait, else they end here."""
        ours = and_(
            col(Delivery.id).in_(refused),
            col(Delivery.owner_id) == self.owner_id,
            col(Delivery.state) == DeliveryState.CLAIMED,
        )
        paused = select(col(Issue.id)).where(col(Issue.state) == IssueState.PAUSED)
        self._hand_back(and_(ours, col(Delivery.issue_id).in_(paused), _is_active()))
        rows = self._connection.execute(
            update(Delivery)
            .where(ours)
            .values(state=DeliveryState.CANCELLED, reply=_LEFT)
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
        unsure = exists().where(col(Delivery.owner_id) == self.owner_id, _in_hand(DeliveryState.SENDING))
        self._connection.execute(
            update(Owner).where(col(Owner.id) == self.owner_id, ~unsure).values(ended_at=now)
        )
        self._connection.commit()


_ATTEMPT = (
    "delivery_id", "owner_id", "at", "outcome", "stage", "code", "enhanced_status", "reply", "relay",
)  # fmt: skip

_SENDING, _CLAIMED_STATE = DeliveryState.SENDING.value, DeliveryState.CLAIMED.value

_BEFORE_THE_CLAIM = case(
    (col(Delivery.doubted_at).is_(None), DeliveryState.QUEUED), else_=DeliveryState.IN_DOUBT
)
"""The state of a claimed letter once nobody has it any more."""


def _in_hand(state: DeliveryState) -> ColumnElement[bool]:
    """Letters that some process has: looked for along the index, however long the history."""
    unfinished = select(col(Issue.id)).where(col(Issue.finished_at).is_(None))
    return and_(col(Delivery.issue_id).in_(unfinished), col(Delivery.state) == state)


def _literal(value: str) -> Any:
    """A constant of ours within the SQL, for statements that are run for many rows."""
    return literal_column(f"'{value}'")


def _is_active() -> ColumnElement[bool]:
    """That a letter's reader is still subscribed."""
    return exists().where(
        col(Subscription.subscriber_id) == col(Delivery.subscriber_id),
        col(Subscription.category) == col(Delivery.category),
        col(Subscription.state) == _literal(SubscriptionState.ACTIVE),
    )


def _issue_state() -> Any:
    """The state of a letter's issue. Not an EXISTS: PostgreSQL would begin with all letters of the issue."""
    return (
        select(col(Issue.state))
        .where(col(Issue.id) == col(Delivery.issue_id))
        .correlate(Delivery)
        .scalar_subquery()
    )


def _mark_sending(given: Given) -> Executable:
    """Let a letter go, if its reader is still there and its issue still goes out."""
    return (
        update(Delivery)
        .where(
            col(Delivery.id) == given["id"],
            col(Delivery.owner_id) == given["owner"],
            col(Delivery.state) == _literal(DeliveryState.CLAIMED),
            _is_active(),
            _issue_state() == _literal(IssueState.PLANNED),
        )
        .values(state=_literal(DeliveryState.SENDING))
    )


def _come_to(given: Given) -> Executable:
    """Write what a letter came to, if it is in the state from which it can have come."""
    return (
        update(Delivery)
        .where(
            col(Delivery.id) == given["id"],
            col(Delivery.owner_id) == given["owner"],
            col(Delivery.state) == given["from"],
        )
        .values(
            state=given["state"],
            due_at=func.coalesce(given["due_at"], col(Delivery.due_at)),
            sent_at=given["sent_at"],
            doubted_at=func.coalesce(given["doubted_at"], col(Delivery.doubted_at)),
            reply=given["reply"],
            fault=given["fault"],
            attempts=col(Delivery.attempts) + literal_column("1"),
        )
    )


def _open_issues(now: datetime) -> Select[*tuple[Any, ...]]:
    """Issues that go out now, and which of their letters go first."""
    return (
        select(col(Issue.id), col(Issue.canary_every))
        .where(
            col(Issue.state) == IssueState.PLANNED,
            col(Issue.finished_at).is_(None),
            col(Issue.due_at) <= now,
            col(Issue.expires_at) > now,
        )
        .order_by(col(Issue.due_at), col(Issue.id))
    )


def _of_reader(column: Any) -> Any:
    return (
        select(column)
        .where(col(Subscriber.id) == col(Delivery.subscriber_id))
        .correlate(Delivery)
        .scalar_subquery()
    )


_CLAIMED = (
    col(Delivery.id),
    col(Delivery.edition_id),
    _of_reader(col(Subscriber.address)),
    _of_reader(col(Subscriber.name)),
    col(Delivery.attempts),
    col(Delivery.issue_id),
)
"""What a claim brings, in the order of ClaimedDelivery's fields."""


def _lost_attempt(delivery: int, owner: int, now: datetime) -> dict[str, Any]:
    return {
        "delivery_id": delivery,
        "owner_id": owner,
        "relay": None,
        "at": now,
        "outcome": DeliveryState.IN_DOUBT,
        "stage": Stage.DOT,
        "code": None,
        "enhanced_status": None,
        "reply": _DIED,
    }
