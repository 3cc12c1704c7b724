"""An issue in a person's hands: paused, resumed, cancelled, its failures tried again; and its end.

Each function is part of the caller's transaction, names the state it changes from, and can run beside a
sender and beside itself. A sender looks at the issue's state as it lets each letter go, so a change of
that one row takes effect with the next letter, however many there are. May surprise: `cancel` leaves the
letters to `clear`, which ends a few at a time, so that nobody waits for 100,000 of them; a process that dies
between the two leaves the rest to the next pass of a sender.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, case, exists, func, or_, select, update
from sqlmodel import Session, col

from newsletter.database import Database
from newsletter.delivery.digests import is_in_letter
from newsletter.delivery.letters import at_least, cancel_open, cancel_open_digests, is_over
from newsletter.delivery.statements import is_active
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import REASON_LIMIT, Delivery, DigestPost, EditionPost, Issue, Receipt
from newsletter.receipts import give_back_receipts
from newsletter.states import OPEN, DeliveryState, Fault, IssueState

_CLEARED_AT_ONCE = 2000
"""Letters in one step of clearing a cancelled issue: a sender that waits for it hardly notices."""

_READERS_FAULTS = (Fault.ADDRESS, Fault.MAILBOX)


class Stopped(NamedTuple):
    """An issue of which no further letter goes."""

    issue_id: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Retried:
    """What asking for another try came to."""

    queued: int
    left_out: int
    """Letters whose readers have left, or have got the post by another letter."""


def pause(session: Session, issue_id: int, reason: str) -> None:
    """Let no further letter of an issue go. Raises NotFoundError, QueueError."""
    _change(session, issue_id, (IssueState.PLANNED,), "paused", **pausing(reason))


def pausing(reason: str, *, judged_at: datetime | None = None) -> dict[str, Any]:
    """What an issue that goes out is changed to when it is paused, whoever pauses it.

    Only its first share's own halt says when the share was `judged_at`; `is_halted` tells by that. Paused for
    any other reason, a share that was waited for is waited for anew after `resume`.
    """
    waits_for_its_share = col(Issue.canary_every).is_not(None)
    done_at = case((waits_for_its_share, judged_at), else_=col(Issue.canary_done_at))
    return {"state": IssueState.PAUSED, "reason": reason[:REASON_LIMIT], "canary_done_at": done_at}


def is_halted(issue: Issue) -> bool:
    """Whether an issue is paused because its first share was not taken well."""
    is_judged = issue.canary_every is not None and issue.canary_done_at is not None
    return issue.state == IssueState.PAUSED and is_judged


def resume(session: Session, issue_id: int, *, now: datetime, expiry: timedelta) -> None:
    """Let a paused issue go on, with `expiry` for it. Raises NotFoundError, QueueError.

    One that its first share has halted goes to everybody: a person has judged.
    """
    _change(
        session,
        issue_id,
        (IssueState.PAUSED,),
        "resumed",
        state=IssueState.PLANNED,
        reason="",
        expires_at=at_least(now + expiry),
        canary_every=case((col(Issue.canary_done_at).is_(None), col(Issue.canary_every)), else_=None),
    )


def cancel(session: Session, issue_id: int, reason: str) -> None:
    """End an issue; what is on the wire still finishes. Raises NotFoundError, QueueError."""
    stoppable = (IssueState.PLANNED, IssueState.PAUSED)
    _change(session, issue_id, stoppable, "cancelled", state=IssueState.CANCELLED, reason=reason)


def _change(session: Session, issue_id: int, states: Sequence[IssueState], verb: str, **values: Any) -> None:
    """Change an unfinished issue that is in one of these states; say why not, where it is not."""
    changed = session.execute(
        update(Issue)
        .where(col(Issue.id) == issue_id, col(Issue.state).in_(states), col(Issue.finished_at).is_(None))
        .values(**values)
        .returning(col(Issue.id))
        .execution_options(synchronize_session=False)
    )
    if changed.first() is None:
        raise _refusal(session, issue_id, verb)


def _refusal(session: Session, issue_id: int, verb: str) -> Exception:
    found = session.get(Issue, issue_id, populate_existing=True)
    if found is None:
        return NotFoundError(f"there is no issue {issue_id}; `paperround issue list` shows those there are")
    if found.finished_at is not None and found.state == IssueState.PLANNED:
        stands = "has gone out to its last letter"
    else:
        stands = "is going out" if found.state == IssueState.PLANNED else f"is {found.state}"
    return QueueError(f"issue {issue_id} {stands} and cannot be {verb}; nothing changed")


def going(session: Session) -> set[int]:
    """The issues that go out, or will when they are due."""
    planned = select(col(Issue.id)).where(
        col(Issue.state) == IssueState.PLANNED, col(Issue.finished_at).is_(None)
    )
    return set(session.execute(planned).scalars())


def stopped(session: Session, issue_ids: Collection[int]) -> list[Stopped]:
    """Which of these issues somebody has paused or cancelled."""
    found = select(col(Issue.id), col(Issue.state), col(Issue.reason)).where(
        col(Issue.id).in_(issue_ids), col(Issue.state).in_([IssueState.PAUSED, IssueState.CANCELLED])
    )
    return [Stopped(*row) for row in session.execute(found.order_by(col(Issue.id)))]


def clear(connection: Connection) -> int:
    """End a few of the letters that cancelled issues still owe; returns how many, 0 once there are none.

    To be committed each time. Letters that were on the wire and were put off are among them.
    """
    owed = (
        select(col(Delivery.id))
        .join(Issue, col(Issue.id) == col(Delivery.issue_id))
        .where(
            col(Issue.state) == IssueState.CANCELLED,
            col(Issue.finished_at).is_(None),
            col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT]),
        )
        .limit(_CLEARED_AT_ONCE)
    )
    ids = connection.execute(owed).scalars().all()
    if not ids:
        return _clear_digests(connection)
    return cancel_open(connection, col(Delivery.id).in_(ids), "The issue was cancelled.")


def _clear_digests(connection: Connection) -> int:
    """Take a few posts of cancelled issues out of the digests that they are to go in; returns how many."""
    can_end = col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT])
    in_hand = exists().where(is_in_letter(), can_end).correlate(DigestPost)
    owed = (
        select(col(DigestPost.id))
        .join(Issue, col(Issue.id) == col(DigestPost.issue_id))
        .where(
            col(Issue.state) == IssueState.CANCELLED,
            col(Issue.finished_at).is_(None),
            col(DigestPost.letter_key).is_(None) | in_hand,
        )
        .limit(_CLEARED_AT_ONCE)
    )
    ids = connection.execute(owed).scalars().all()
    if ids:
        cancel_open_digests(connection, col(DigestPost.id).in_(ids), "An issue of its posts was cancelled.")
    return len(ids)


def finish(connection: Connection, now: datetime) -> list[int]:
    """Record the end of the issues that have come to it; returns them, to be logged. First comes `clear`."""
    # Locked first, looked at again then: a letter may be queued anew at this very moment.
    over = connection.execute(
        select(col(Issue.id)).where(is_over()).order_by(col(Issue.id)).with_for_update()
    )
    if not (ids := over.scalars().all()):
        return []
    ended = (
        update(Issue)
        .where(col(Issue.id).in_(ids), is_over())
        .values(finished_at=now)
        .returning(col(Issue.id))
    )
    return sorted(connection.execute(ended).scalars())


def retry_failed(
    database: Database,
    session: Session,
    issue_id: int,
    *,
    also_readers_fault: bool,
    now: datetime,
    expiry: timedelta,
) -> Retried:
    """Queue an issue's failed letters again, with `expiry` for it. Raises NotFoundError, QueueError.

    Those are the expired ones, and those that bounced for no fault of the reader's; with
    `also_readers_fault` also the others that bounced. The attempts stay on record.
    """
    connection = session.connection()
    # Locked before its letters: nobody can record its end meanwhile.
    state = select(col(Issue.state)).where(col(Issue.id) == issue_id).with_for_update()
    if connection.execute(state).scalar() not in (IssueState.PLANNED, IssueState.PAUSED):
        raise _refusal(session, issue_id, "tried again")
    fault = col(Delivery.fault)
    has_bounced = col(Delivery.state) == DeliveryState.BOUNCED
    if not also_readers_fault:
        has_bounced &= or_(fault.is_(None), fault.not_in(_READERS_FAULTS))
    failed = (col(Delivery.issue_id) == issue_id) & (
        has_bounced | (col(Delivery.state) == DeliveryState.EXPIRED)
    )
    locked = select(col(Delivery.id)).where(failed).order_by(col(Delivery.id)).with_for_update()
    connection.execute(select(func.count()).select_from(locked.subquery()))
    posts = select(col(Delivery.subscriber_id), col(EditionPost.post_id), col(Delivery.letter_key)).join(
        EditionPost, col(EditionPost.edition_id) == col(Delivery.edition_id)
    )
    connection.execute(
        database.insert(Receipt)
        .from_select(
            ["subscriber_id", "post_id", "letter_key"],
            posts.where(failed, is_active()).order_by(col(Delivery.subscriber_id), col(EditionPost.post_id)),
        )
        .on_conflict_do_nothing()
    )
    # Only with its receipts: one that has failed since then waits for the next time it is asked for.
    queued = connection.execute(
        update(Delivery)
        .where(failed, is_active(), ~_lacks_a_receipt())
        .values(state=DeliveryState.QUEUED, due_at=now, owner_id=None, fault=None)
    ).rowcount
    left_out = connection.execute(select(func.count()).select_from(Delivery).where(failed)).scalar_one()
    give_back_receipts(connection, failed)
    if queued:
        reopened = update(Issue).where(col(Issue.id) == issue_id)
        connection.execute(reopened.values(expires_at=at_least(now + expiry), finished_at=None))
    return Retried(queued, left_out)


def _lacks_a_receipt() -> ColumnElement[bool]:
    """That a letter has a post which its reader is not to have by it: another letter brought it."""
    receipt = exists().where(
        col(Receipt.post_id) == col(EditionPost.post_id),
        col(Receipt.subscriber_id) == col(Delivery.subscriber_id),
        col(Receipt.letter_key) == col(Delivery.letter_key),
    )
    return exists().where(
        col(EditionPost.edition_id) == col(Delivery.edition_id),
        ~receipt.correlate(EditionPost, Delivery),
    )


def letters_by_state(session: Session, issue_id: int) -> dict[str, int]:
    """How many of an issue's letters are in each state: one walk along the index."""
    counted = (
        select(col(Delivery.state), func.count())
        .where(col(Delivery.issue_id) == issue_id)
        .group_by(col(Delivery.state))
    )
    return {row[0]: row[1] for row in session.execute(counted)}
