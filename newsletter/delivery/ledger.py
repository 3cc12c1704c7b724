"""The ledger: which letter is owed to whom, and every change of that, as set-based statements.

Each method is one transaction on the ledger's own connection, and each change names the state it comes
from (see `newsletter.states`), so two processes can run the same method without harm. A letter that ends
unsent gives its receipt back: the reader has not had the post. A refusal leaves a verdict beside its attempt,
which is judged later.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import wraps
from operator import attrgetter
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Text,
    and_,
    case,
    exists,
    func,
    insert,
    inspect,
    or_,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from newsletter.database import Database, batched
from newsletter.delivery import canary, issues
from newsletter.delivery.canary import CanaryVerdict
from newsletter.delivery.copies import Copy
from newsletter.delivery.digests import is_subscribed, keep_rest
from newsletter.delivery.evidence import (
    class_of_expiry,
    class_of_refusal,
    verdict_of_last_attempt,
)
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.ownership import Ownership
from newsletter.delivery.statements import (
    BEFORE_THE_CLAIM,
    CLAIM,
    CLAIM_SHARE,
    OPEN_ISSUES,
    add_attempt,
    come_to,
    in_hand,
    is_active,
    issue_state,
    mark_sending,
    put_off,
    unless_erased,
)
from newsletter.models import Attempt, Delivery, Issue, Owner
from newsletter.receipts import release_receipts
from newsletter.states import UNSENT, DeliveryState, IssueState
from subscribers.address import ERASED_DOMAIN
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber

Given = ParamSpec("Given")
Result = TypeVar("Result")

_LEFT = "Stopped before it went."
_LEFT_IN_DOUBT = "Not sent again, as its reader has left or it was stopped; it may have arrived before."
_DIED = "The sending process died before the reply was recorded."


class ClaimedDelivery(NamedTuple):
    """A delivery this process has claimed, with what is needed to send it."""

    id: int
    edition_id: int
    address: str
    name: str | None
    attempts: int
    issue_id: int
    copy: Copy | None = None
    """What its letter has of its own, where that was made ahead."""
    losses: int = 0
    """Connections that were lost in this pass before the relay said a word of it."""

    @property
    def domain(self) -> str:
        """The address's domain in lower case, by which letters are paced."""
        return self.address.rpartition("@")[2].lower()


class Recorded(NamedTuple):
    """An outcome to be written; `retry_at` is when a deferred letter is due again, `relay` who said it."""

    delivery_id: int
    issue_id: int
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
    senders: int = 1
    """How many processes are sending, this one among them."""


def _whole_or_not_at_all(
    method: "Callable[Concatenate[Ledger, Given], Result]",
) -> "Callable[Concatenate[Ledger, Given], Result]":
    """A method that is undone where it fails: what is on the wire has still to be recorded."""

    @wraps(method)
    def done(self: "Ledger", /, *args: Given.args, **kwargs: Given.kwargs) -> Result:
        try:
            return method(self, *args, **kwargs)
        except BaseException:
            with suppress(SQLAlchemyError):  # where the connection is gone, so is what was done
                self._connection.rollback()
            raise

    return done


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
        self._mark_sending = database.updates(mark_sending, id=BigInteger(), owner=BigInteger())
        columns = inspect(Attempt).columns
        self._add_attempts = database.updates(add_attempt, **{name: columns[name].type for name in _ATTEMPT})
        words, instant = Text(), UTCDateTime()
        self._put_off = database.updates(put_off, due_at=instant, id=BigInteger(), owner=BigInteger())
        self._come_to = database.updates(
            come_to,
            state=words, due_at=instant, sent_at=instant, doubted_at=instant, reply=words, fault=words,
            id=BigInteger(), owner=BigInteger(), **{"from": words},
        )  # fmt: skip
        self._add_verdicts = database.updates(
            verdict_of_last_attempt, id=BigInteger(), bounce_class=words, words=words
        )

    @property
    def owner_id(self) -> int:
        """The Owner row under which this process claims."""
        return self._ownership.id

    @_whole_or_not_at_all
    def recover(self, now: datetime) -> Recovered:
        """Take over from dead processes: their claims go back, their `sending` letters are in doubt."""
        connection = self._connection
        living, dead = self._ownership.others()
        requeued, doubtful = 0, []
        if dead:
            owned = col(Delivery.owner_id).in_(dead)
            requeued = self._hand_back(owned)
            rows = connection.execute(
                update(Delivery)
                .where(owned, in_hand(DeliveryState.SENDING))
                .values(
                    state=DeliveryState.IN_DOUBT,
                    due_at=now,
                    doubted_at=now,
                    attempts=col(Delivery.attempts) + 1,
                    reply=unless_erased(_DIED),
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
        return Recovered(requeued, tuple(doubtful), senders=len(living) + 1)

    def _hand_back(self, owned: ColumnElement[bool]) -> int:
        """Unclaim letters: queued again, or in doubt again where an earlier try left them so."""
        return self._connection.execute(
            update(Delivery)
            .where(owned, in_hand(DeliveryState.CLAIMED))
            .values(state=BEFORE_THE_CLAIM, owner_id=None)
        ).rowcount

    @_whole_or_not_at_all
    def expire(self, now: datetime, most: int) -> int:
        """End up to `most` letters of issues that have been put off for so long that they are stale."""
        stale = (
            self._connection.execute(
                select(col(Issue.id)).where(
                    col(Issue.state) == IssueState.PLANNED,
                    col(Issue.finished_at).is_(None),
                    col(Issue.expires_at) <= now,
                )
            )
            .scalars()
            .all()
        )
        if not stale:
            self._connection.commit()
            return 0
        can_end = col(Delivery.state).in_([DeliveryState.QUEUED, DeliveryState.DEFERRED])
        some = (
            select(col(Delivery.id))
            .where(col(Delivery.issue_id).in_(stale), can_end)
            .order_by(col(Delivery.id))
            .limit(most)
            .with_for_update(skip_locked=True)  # connections wait meanwhile, and it is done again soon
            .cte("some")
        )
        rows = self._connection.execute(
            update(Delivery)
            .where(col(Delivery.id).in_(select(some.c.id)), can_end)
            .values(state=DeliveryState.EXPIRED)
            .returning(col(Delivery.id))
        ).all()
        expired = [row.id for row in rows]
        self._judge_expired(expired)
        release_receipts(self._connection, expired)
        self._connection.commit()
        return len(rows)

    def _judge_expired(self, expired: Sequence[int]) -> None:
        """Write verdicts about letters that were refused until they were stale."""
        for ids in batched(expired, _BATCH):
            newest = (
                select(func.max(col(Attempt.id)))
                .where(col(Attempt.delivery_id).in_(ids))
                .group_by(col(Attempt.delivery_id))
            )
            last = [
                (row.delivery_id, _deferred(row.stage, row.code, row.reply))
                for row in self._connection.execute(_TRIES.where(col(Attempt.id).in_(newest)))
            ]
            told = [
                (delivery, bounce_class.value, outcome.words)
                for delivery, outcome in last
                if (bounce_class := class_of_expiry(outcome)) is not None
            ]
            if told:
                self._add_verdicts.run(self._connection, told)

    @_whole_or_not_at_all
    def claim(self, limit: int, now: datetime) -> list[ClaimedDelivery]:
        """Take up to `limit` due letters that nobody else has, of issues that go out now, oldest first."""
        taken: list[ClaimedDelivery] = []
        for issue_id, canary_every in self._connection.execute(OPEN_ISSUES, {"now": now}).all():
            for state in self._claimable:
                if len(taken) < limit:
                    # One state at a time: each is a walk along the index, oldest first.
                    given = {
                        "issue": issue_id,
                        "was": state,
                        "now": now,
                        "every": canary_every,
                        "most": limit - len(taken),
                        "owner": self.owner_id,
                    }
                    rows = self._connection.execute(CLAIM_SHARE if canary_every else CLAIM, given)
                    taken += sorted([ClaimedDelivery(*row) for row in rows], key=attrgetter("id"))
        erased = [letter.id for letter in taken if letter.address.endswith(f"@{ERASED_DOMAIN}")]
        if erased:  # left in doubt by a process that died, after they were erased
            self._let_go(erased)
            taken = [letter for letter in taken if letter.id not in erased]
        self._connection.commit()
        return taken

    @_whole_or_not_at_all
    def review(self, now: datetime, *, wait: timedelta, limit_percent: int) -> list[CanaryVerdict]:
        """Judge the first shares of issues that can be judged (see `newsletter.delivery.canary`)."""
        verdicts = canary.review(self._connection, now, wait=wait, limit_percent=limit_percent)
        self._connection.commit()
        return verdicts

    @_whole_or_not_at_all
    def halt(self, issue_id: int, reason: str) -> None:
        """Pause an issue whose letters cannot be made."""
        self._connection.execute(
            update(Issue)
            .where(col(Issue.id) == issue_id, col(Issue.state) == IssueState.PLANNED)
            .values(**issues.pausing(reason))
        )
        self._connection.commit()

    @_whole_or_not_at_all
    def finish(self, now: datetime) -> list[int]:
        """Close the issues all of whose letters have come to an end; returns them."""
        while issues.clear(self._connection):
            self._connection.commit()
        finished = issues.finish(self._connection, now)
        self._connection.commit()
        return finished

    def put_off(self, letters: Sequence[tuple[int, datetime]]) -> None:
        """Give claimed letters back untried, to be due later."""
        rows = [(self._instant(due_at), delivery, self.owner_id) for delivery, due_at in sorted(letters)]
        with self._database.in_one_trip(self._connection):
            if rows:
                self._put_off.run(self._connection, rows)
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
        self._come_to.run(self._connection, changes)
        self._add_attempts.run(self._connection, attempts)
        if unsent := [recorded for recorded in outcomes if recorded.outcome.state in UNSENT]:
            self._add_verdicts.run(self._connection, [_refusal(recorded) for recorded in unsent])
            release_receipts(self._connection, [recorded.delivery_id for recorded in unsent])

    def _instant(self, value: datetime | None) -> Any:
        """An instant as the driver takes it; the outcomes of a turn share theirs."""
        if value is None:
            return None
        if value is not self._last_instant[0]:
            self._last_instant = (value, self._database.instant(value))
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
        """Letters that may not go after all: those of readers and issues that are no more end here."""
        ours = and_(
            col(Delivery.id).in_(refused),
            col(Delivery.owner_id) == self.owner_id,
            col(Delivery.state) == DeliveryState.CLAIMED,
        )
        # Looked at again: between the refusal and now an issue may have been resumed, a reader come back.
        is_over = or_(~is_active(), issue_state() == IssueState.CANCELLED)
        reply = case((col(Delivery.doubted_at).is_not(None), _LEFT_IN_DOUBT), else_=_LEFT)
        rows = self._connection.execute(
            update(Delivery)
            .where(ours, is_over)
            .values(state=DeliveryState.CANCELLED, reply=unless_erased(reply))
            .returning(col(Delivery.id))
        )
        ended = list(rows.scalars())
        of_readers = col(Delivery.id).in_(ended) & (issue_state() != IssueState.CANCELLED)
        keep_rest(self._connection, of_readers, is_subscribed())
        release_receipts(self._connection, ended)
        self._hand_back(ours)

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
        unsure = exists().where(col(Delivery.owner_id) == self.owner_id, in_hand(DeliveryState.SENDING))
        self._connection.execute(
            update(Owner).where(col(Owner.id) == self.owner_id, ~unsure).values(ended_at=now)
        )
        self._connection.commit()


_ATTEMPT = (
    "delivery_id", "owner_id", "at", "outcome", "stage", "code", "enhanced_status", "reply", "relay",
)  # fmt: skip

_TRIES = select(col(Attempt.delivery_id), col(Attempt.stage), col(Attempt.code), col(Attempt.reply))

_BATCH = 500
"""Ids in one IN list: below every driver's limit of parameters."""

_SENDING, _CLAIMED_STATE = DeliveryState.SENDING.value, DeliveryState.CLAIMED.value


def _refusal(recorded: Recorded) -> tuple[int, str, str]:
    outcome = recorded.outcome
    return recorded.delivery_id, class_of_refusal(outcome).value, outcome.words


def _deferred(stage: str, code: int | None, reply: str) -> Outcome:
    return Outcome(DeliveryState.DEFERRED, Stage(stage), code, reply)


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
