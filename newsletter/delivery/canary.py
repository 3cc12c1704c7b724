"""The first share of an issue: whether it was taken well enough for the rest to follow.

While `Issue.canary_every` is k, a sender takes only letters whose number k divides. `review` watches these
until the last was tried and a while longer, and then lets the others go or halts the issue and says why.
A letter that stands deferred counts as taken badly, and so does one that was refused for the sender's sake:
that is what a first share is for. May surprise: a share of few letters is halted by a single one, and a
share whose readers have all left before it went is made larger, so that the issue is tried on somebody.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select, update
from sqlmodel import col

from newsletter.delivery.issues import pausing
from newsletter.delivery.letters import UNTRIED
from newsletter.models import Delivery, Issue
from newsletter.states import DeliveryState, IssueState

_TRIED = (
    DeliveryState.SENT,
    DeliveryState.BOUNCED,
    DeliveryState.DEFERRED,
    DeliveryState.IN_DOUBT,
    DeliveryState.EXPIRED,
)


@dataclass(frozen=True, slots=True)
class Share:
    """What the letters of a first share came to. Each counts once: `complained` ones were sent."""

    tried: int
    bounced: int = 0
    deferred: int = 0
    complained: int = 0


@dataclass(frozen=True, slots=True)
class CanaryVerdict:
    """An issue whose first share has been judged."""

    issue_id: int
    has_passed: bool
    reason: str = ""
    """Why it was halted."""


def judge(share: Share, limit_percent: int) -> bool:
    """Whether no more than `limit_percent` of a share was taken badly. A share of nobody was."""
    return (share.bounced + share.deferred + share.complained) * 100 <= limit_percent * share.tried


def explain(issue_id: int, share: Share, limit_percent: int) -> str:
    """Why a share halts its issue, in a sentence of at most 200 characters."""
    told = [
        f"{share.bounced} bounced",
        f"{share.deferred} {_were(share.deferred)} deferred",
        f"{share.complained} {_were(share.complained)} complained about",
    ]
    numbers = (share.bounced, share.deferred, share.complained)
    bad = [words for words, number in zip(told, numbers, strict=True) if number]
    listed = " and ".join(filter(None, [", ".join(bad[:-1]), bad[-1]]))
    if share.tried == 1:
        came_to = f"the first letter {listed.removeprefix('1 ')}"
    else:
        came_to = f"of the first {share.tried} letters {listed}"
    sentence = f"{came_to}: more than {limit_percent} %"
    if share.complained >= max(share.bounced, share.deferred):
        return sentence
    state = DeliveryState.BOUNCED if share.bounced >= share.deferred else DeliveryState.DEFERRED
    return f"{sentence}; see `paperround delivery list --issue {issue_id} --state {state}`"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def review(
    connection: Connection, now: datetime, *, wait: timedelta, limit_percent: int
) -> list[CanaryVerdict]:
    """Judge the first shares that can be judged; part of the caller's transaction.

    A share that is within the limit has `wait` after its last first try for bounces and complaints to come
    in. Costs one small statement where no issue has a first share; else it reads that share.
    """
    watched = select(col(Issue.id), col(Issue.canary_every), col(Issue.canary_done_at)).where(
        col(Issue.finished_at).is_(None),
        col(Issue.state) == IssueState.PLANNED,
        col(Issue.canary_every).is_not(None),
    )
    issues = connection.execute(watched.order_by(col(Issue.id))).all()
    return [
        verdict
        for issue in issues
        for verdict in _review_one(connection, issue, now, wait=wait, limit_percent=limit_percent)
    ]


def _review_one(
    connection: Connection,
    issue: Row[*tuple[Any, ...]],
    now: datetime,
    *,
    wait: timedelta,
    limit_percent: int,
) -> Iterator[CanaryVerdict]:
    theirs = col(Delivery.issue_id) == issue.id
    is_first = theirs & (col(Delivery.id) % issue.canary_every == 0)
    if issue.canary_done_at is None and _is_any_untried(connection, is_first):
        return
    share = _share(connection, is_first)
    if not share.tried and _is_any_untried(connection, theirs):
        larger = _larger(connection, theirs, issue.canary_every)
        _settle(connection, issue, canary_every=larger, canary_done_at=None)
        return
    has_passed = judge(share, limit_percent)
    since = issue.canary_done_at or now
    if has_passed and share.tried and now < since + wait:
        if issue.canary_done_at is None:
            _settle(connection, issue, canary_done_at=now)
        return
    if has_passed:
        changed = _settle(connection, issue, canary_done_at=since, canary_every=None)
        reason = ""
    else:
        reason = explain(issue.id, share, limit_percent)
        changed = _settle(connection, issue, **pausing(reason, judged_at=since))
    if changed:
        yield CanaryVerdict(issue.id, has_passed, reason)


def _larger(connection: Connection, theirs: ColumnElement[bool], every: int) -> int:
    """The largest number up to `every` that divides one of the letters that wait; 1 divides them all."""
    shares = ((k, theirs & (col(Delivery.id) % k == 0)) for k in range(every, 1, -1))
    return next((k for k, share in shares if _is_any_untried(connection, share)), 1)


def _is_any_untried(connection: Connection, which: ColumnElement[bool]) -> bool:
    untried = exists().where(which, col(Delivery.state).in_(UNTRIED))
    return bool(connection.execute(select(untried)).scalar())


def _share(connection: Connection, is_first: ColumnElement[bool]) -> Share:
    """Only letters that were tried are read: while the others wait, that is the share and nothing else."""
    counted = (
        select(col(Delivery.state), func.count(), func.count(col(Delivery.complained_at)))
        .where(is_first, col(Delivery.state).in_(_TRIED))
        .group_by(col(Delivery.state))
    )
    letters = {state: (number, complained) for state, number, complained in connection.execute(counted)}
    numbers = {state: number for state, (number, _) in letters.items()}
    return Share(
        tried=sum(numbers.values()),
        bounced=numbers.get(DeliveryState.BOUNCED, 0),
        deferred=numbers.get(DeliveryState.DEFERRED, 0),
        complained=sum(
            complained
            for state, (_, complained) in letters.items()
            if state not in (DeliveryState.BOUNCED, DeliveryState.DEFERRED)
        ),
    )


def _settle(connection: Connection, issue: Row[*tuple[Any, ...]], **values: Any) -> bool:
    """Change an issue whose first share nobody else has judged, or changed, meanwhile."""
    changed = connection.execute(
        update(Issue)
        .where(
            col(Issue.id) == issue.id,
            col(Issue.state) == IssueState.PLANNED,
            col(Issue.canary_every) == issue.canary_every,
        )
        .values(**values)
        .returning(col(Issue.id))
    )
    return changed.first() is not None
