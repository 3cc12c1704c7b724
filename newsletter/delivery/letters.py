"""The life of letters as others change it: a reader leaves, a category ends, a person decides.

What a sending process does to the letters it has claimed is in `newsletter.delivery.ledger`. Both keep one
rule: a letter that ends unsent gives its receipt back, unless an earlier try may have reached the reader.
"""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, case, exists, select, update
from sqlmodel import Session, col

from newsletter.delivery.digests import (
    is_in_letter,
    is_subscribed,
    keep_rest,
    take_out_waiting,
)
from newsletter.models import Delivery, DigestPost, Issue
from newsletter.receipts import give_back_receipts
from newsletter.states import DIGEST, OPEN, DeliveryState, IssueState

UNFINISHED = (*OPEN, DeliveryState.SENDING, DeliveryState.IN_DOUBT)
"""States of letters that somebody has still to see to."""

UNTRIED = (DeliveryState.QUEUED, DeliveryState.CLAIMED, DeliveryState.SENDING)
"""States of letters that wait for their first reply, or for another one after a person asked for it."""


def has_work(
    session: Session, now: datetime, *, resend_in_doubt: bool, canary_wait: timedelta = timedelta()
) -> bool:
    """Whether a sending pass would find anything; `canary_wait` as in `newsletter.delivery.canary`.

    That is letters due, a first share to be judged, or an issue whose end is not recorded yet; who has died,
    `newsletter.delivery.ownership` knows. A pass asks for passwords and keys: none is to begin for nothing.
    """
    state, is_due = col(Delivery.state), col(Delivery.due_at) <= now
    planned, cancelled = _is(IssueState.PLANNED), _is(IssueState.CANCELLED)
    canary_every, canary_done_at = col(Issue.canary_every), col(Issue.canary_done_at)
    goes_first = canary_every.is_(None) | (col(Delivery.id) % canary_every == 0)
    untried = exists().where(
        col(Delivery.issue_id) == col(Issue.id), state.in_(UNTRIED), col(Delivery.id) % canary_every == 0
    )
    is_to_judge = canary_every.is_not(None) & (
        (canary_done_at.is_(None) & ~untried) | (canary_done_at <= now - canary_wait)
    )
    letters = [
        planned & (state == DeliveryState.QUEUED) & is_due & goes_first,
        planned & (state == DeliveryState.DEFERRED) & is_due & goes_first,
    ]
    if resend_in_doubt:
        is_fresh = col(Issue.expires_at) > now
        letters.append(planned & (state == DeliveryState.IN_DOUBT) & is_due & goes_first & is_fresh)
    # One kind at a time: each is a walk along the index that stops at the first letter.
    wanted = [
        select(col(Issue.id))
        .join(Delivery, col(Delivery.issue_id) == col(Issue.id))
        .where(col(Issue.finished_at).is_(None), kind)
        for kind in letters
    ]
    wanted.append(select(col(Issue.id)).where(is_over()))
    # Whose letters were not all ended: whoever cancelled it has died over that.
    wanted.append(select(col(Issue.id)).where(cancelled, col(Issue.finished_at).is_(None)))
    wanted.append(select(col(Issue.id)).where(planned, col(Issue.finished_at).is_(None), is_to_judge))
    return any(session.execute(kind.limit(1)).first() is not None for kind in wanted)


def _is(state: IssueState) -> ColumnElement[bool]:
    return col(Issue.state) == state


def is_over() -> ColumnElement[bool]:
    """That an issue has come to its end, or has been brought to it, and this is not recorded yet.

    It has not while its posts are to go in digests.
    """
    unfinished = exists().where(col(Delivery.issue_id) == col(Issue.id), col(Delivery.state).in_(UNFINISHED))
    in_digests = exists().where(col(DigestPost.issue_id) == col(Issue.id), _is_still_to_go()).correlate(Issue)
    return (
        col(Issue.finished_at).is_(None)
        & col(Issue.state).in_([IssueState.PLANNED, IssueState.CANCELLED])
        & ~unfinished
        & ~in_digests
    )


def _is_still_to_go() -> ColumnElement[bool]:
    """That a post waits for its digest, or is in one that has not come to its end."""
    unfinished = exists().where(is_in_letter(), col(Delivery.state).in_(UNFINISHED)).correlate(DigestPost)
    return col(DigestPost.letter_key).is_(None) | unfinished


def cancel_letters(session: Session, which: ColumnElement[bool], reply: str) -> int:
    """End the letters that nothing of is on the wire, in the order of their ids; returns how many."""
    session.flush()
    return cancel_open(session.connection(), which, reply)


def cancel_in_digests(session: Session, which: ColumnElement[bool], reply: str) -> int:
    """Take posts of digests out, `which` is of `DigestPost`; returns how many digests end for that.

    What else was in those waits for others. What waits by itself is looked at first: a digest that is being
    made of it is there then, and ends.
    """
    session.flush()
    return cancel_open_digests(session.connection(), which, reply)


def cancel_open_digests(connection: Connection, which: ColumnElement[bool], reply: str) -> int:
    """`cancel_in_digests` on a connection."""
    take_out_waiting(connection, which)
    holding = exists().where(is_in_letter(), which).correlate(Delivery)
    digests = (col(Delivery.category) == DIGEST) & holding
    return cancel_open(connection, digests, reply, keeps=is_subscribed() & ~which)


def cancel_open(
    connection: Connection,
    which: ColumnElement[bool],
    reply: str,
    *,
    keeps: ColumnElement[bool] | None = None,
    end: DeliveryState = DeliveryState.CANCELLED,
) -> int:
    """`cancel_letters` on a connection; of digests, the posts that `keeps` is true of wait for another.

    They come to an `end`: that they were cancelled, or that a standing order forbids them.
    """
    can_end = col(Delivery.state).in_([*OPEN, DeliveryState.IN_DOUBT])
    open_ones = (
        select(col(Delivery.id))
        .where(which, can_end)
        .order_by(col(Delivery.id))
        .with_for_update()
        .cte("open_ones")
    )
    cancelled = connection.execute(
        update(Delivery)
        .where(col(Delivery.id).in_(select(open_ones.c.id)), can_end)
        .values(state=end, reply=reply)
        .returning(col(Delivery.id))  # SQLite does not count the rows of an UPDATE that begins with WITH
    )
    number = len(cancelled.all())
    if keeps is not None:
        keep_rest(connection, which, keeps)
    give_back_receipts(connection, which)
    return number


def resolve(session: Session, delivery_id: int, *, is_sent: bool, now: datetime, expiry: timedelta) -> bool:
    """Settle a letter in doubt by a person's word: it has arrived, or it is to go again.

    False if it is not in doubt. The doubtful attempt stays on record. What is to go again has `expiry` for
    it, however old its issue is.
    """
    if is_sent:
        values = {"state": DeliveryState.SENT, "sent_at": now, "reply": "Said by a person to have arrived."}
    else:
        values = {
            "state": DeliveryState.QUEUED,
            "due_at": now,
            "owner_id": None,
            "doubted_at": None,
            "fault": None,
        }
    changed = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state) == DeliveryState.IN_DOUBT)
        .values(**values)
        .returning(col(Delivery.issue_id))
    )
    issue_id = changed.scalar()
    if issue_id is not None and not is_sent:
        reopen = {"expires_at": at_least(now + expiry), "finished_at": None}
        session.execute(update(Issue).where(col(Issue.id) == issue_id).values(**reopen))
    return issue_id is not None


def at_least(instant: datetime) -> ColumnElement[datetime]:
    """An issue's expiry, no sooner than `instant`."""
    return case((col(Issue.expires_at) < instant, instant), else_=col(Issue.expires_at))


class LedgerLetters:
    """`subscribers.ports.OpenLetters` on the ledger."""

    def withdraw(self, session: Session, subscriber_id: int, category: str, reason: str) -> int:
        """Cancel a reader's letters of a category that are not on the wire; their ledger says why."""
        theirs = (col(Delivery.subscriber_id) == subscriber_id) & (col(Delivery.category) == category)
        posts = (col(DigestPost.subscriber_id) == subscriber_id) & (col(DigestPost.category) == category)
        return cancel_letters(session, theirs, reason) + cancel_in_digests(session, posts, reason)

    def suppress(self, session: Session, subscriber_id: int, reason: str) -> int:
        """End a reader's letters that are not on the wire, and posts that wait, by a standing order."""
        session.flush()
        connection = session.connection()
        take_out_waiting(connection, col(DigestPost.subscriber_id) == subscriber_id)
        theirs = col(Delivery.subscriber_id) == subscriber_id
        return cancel_open(connection, theirs, reason, end=DeliveryState.SUPPRESSED)
