"""The statements of a sender's turn, in SQL that both databases take: claiming, letting go, coming to an end.

Those that are run for many rows have their constants as literals (see `newsletter.database.ForMany`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Text,
    and_,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    true,
    update,
)
from sqlmodel import col

from newsletter.database import Given
from newsletter.models import Attempt, Delivery, DigestPost, Issue
from newsletter.states import DIGEST, GONE, DeliveryState, IssueState
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber, Subscription, SubscriptionState


def _literal(value: str) -> Any:
    """A constant of ours within the SQL, for statements that are run for many rows."""
    return literal_column(f"'{value}'")


BEFORE_THE_CLAIM = case(
    (col(Delivery.doubted_at).is_not(None), _literal(DeliveryState.IN_DOUBT)),
    (col(Delivery.fault).is_not(None), _literal(DeliveryState.DEFERRED)),
    else_=_literal(DeliveryState.QUEUED),
)
"""The state of a claimed letter once nobody has it any more: what the last try led to, if there was one."""


def in_hand(state: DeliveryState) -> ColumnElement[bool]:
    """Letters that some process has: looked for along the index, however long the history."""
    unfinished = select(col(Issue.id)).where(col(Issue.finished_at).is_(None))
    return and_(col(Delivery.issue_id).in_(unfinished), col(Delivery.state) == state)


def is_active() -> ColumnElement[bool]:
    """That a letter's reader is still subscribed: in a digest, to the category of each post."""
    return or_(
        exists().where(_is_active_in(col(Delivery.category))),
        and_(
            col(Delivery.category) == _literal(DIGEST),
            ~exists().where(
                col(DigestPost.subscriber_id) == col(Delivery.subscriber_id),
                col(DigestPost.letter_key) == col(Delivery.letter_key),
                ~exists().where(_is_active_in(col(DigestPost.category))).correlate(Delivery, DigestPost),
            ),
        ),
    )


def _is_active_in(category: Any) -> ColumnElement[bool]:
    return and_(
        col(Subscription.subscriber_id) == col(Delivery.subscriber_id),
        col(Subscription.category) == category,
        col(Subscription.state) == _literal(SubscriptionState.ACTIVE),
    )


def issue_state() -> Any:
    """The state of a letter's issue. Not an EXISTS: PostgreSQL would begin with all letters of the issue."""
    return (
        select(col(Issue.state))
        .where(col(Issue.id) == col(Delivery.issue_id))
        .correlate(Delivery)
        .scalar_subquery()
    )


def _is_claimed(given: Given) -> ColumnElement[bool]:
    """That a letter is in the hands of this owner, and untried."""
    return and_(
        col(Delivery.id) == given["id"],
        col(Delivery.owner_id) == given["owner"],
        col(Delivery.state) == _literal(DeliveryState.CLAIMED),
    )


def mark_sending(given: Given) -> Executable:
    """Let a letter go, if its reader is still there and its issue still goes out."""
    return (
        update(Delivery)
        .where(
            _is_claimed(given),
            is_active(),
            issue_state() == _literal(IssueState.PLANNED),
        )
        .values(state=_literal(DeliveryState.SENDING))
    )


def put_off(given: Given) -> Executable:
    """Give a claimed letter back untried, to be due later."""
    return (
        update(Delivery)
        .where(_is_claimed(given))
        .values(state=BEFORE_THE_CLAIM, owner_id=null(), due_at=given["due_at"])
    )


def add_attempt(given: Given) -> Executable:
    """Write down a try of a letter, without what was said once the letter has lost its words."""
    # Held: whoever takes the words away at this moment is waited for, or waits until this is written down.
    letter = select(col(Delivery.reply)).where(col(Delivery.id) == given["delivery_id"])
    theirs = letter.with_for_update(key_share=True).scalar_subquery()
    values = {**given, "reply": unless_erased(given["reply"], reply=theirs)}
    return insert(Attempt).from_select(list(values), select(*values.values()), include_defaults=False)


def unless_erased(words: Any, *, reply: Any = None) -> Any:
    """What is said of a letter; nothing of it if its words were taken away, since its reader was erased.

    `reply` is what the letter has now, if that is not at hand.
    """
    now = col(Delivery.reply) if reply is None else reply
    return case((now == _literal(GONE), _literal(GONE)), else_=words)


def come_to(given: Given) -> Executable:
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
            reply=unless_erased(given["reply"]),
            fault=given["fault"],
            attempts=col(Delivery.attempts) + literal_column("1"),
        )
    )


OPEN_ISSUES = (
    select(col(Issue.id), col(Issue.canary_every))
    .where(
        col(Issue.state) == IssueState.PLANNED,
        col(Issue.finished_at).is_(None),
        col(Issue.due_at) <= bindparam("now", type_=UTCDateTime()),
        col(Issue.expires_at) > bindparam("now", type_=UTCDateTime()),
    )
    .order_by(col(Issue.due_at), col(Issue.id))
)
"""Issues that go out `now`, and which of their letters go first."""


def _of_reader(column: Any) -> Any:
    return (
        select(column)
        .where(col(Subscriber.id) == col(Delivery.subscriber_id))
        .correlate(Delivery)
        .scalar_subquery()
    )


def _claim(share: ColumnElement[bool]) -> Executable:
    """Claim at `most` so many letters of a share of an `issue` that were in the state `was`, for an `owner`.

    Returned is what ClaimedDelivery has, in the order of its fields. Built once: it is run every 500 letters.
    """
    state = bindparam("was", type_=Text())
    due = (
        select(col(Delivery.id))
        .where(
            col(Delivery.issue_id) == bindparam("issue"),
            col(Delivery.state) == state,
            col(Delivery.due_at) <= bindparam("now", type_=UTCDateTime()),
            share,
        )
        .order_by(col(Delivery.due_at), col(Delivery.id))
        .limit(bindparam("most", type_=BigInteger()))
        .with_for_update(skip_locked=True)
        .cte("due")  # read once; as a subquery PostgreSQL may read it anew for each row, past the limit
    )
    return (
        update(Delivery)
        .where(col(Delivery.id).in_(select(due.c.id)), col(Delivery.state) == state)
        .values(state=DeliveryState.CLAIMED, owner_id=bindparam("owner"))
        .returning(
            col(Delivery.id),
            col(Delivery.edition_id),
            _of_reader(col(Subscriber.address)),
            _of_reader(col(Subscriber.name)),
            col(Delivery.attempts),
            col(Delivery.issue_id),
        )
    )


CLAIM = _claim(true())
CLAIM_SHARE = _claim(col(Delivery.id) % bindparam("every") == literal_column("0"))
