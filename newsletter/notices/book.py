"""The table of notices: what came about, when it was over, and what was mailed.

A topic's first time, its second and so on have one row each, whoever finds them: the key (topic, number) is
unique. A notice is mailed at least once, unless it is over before: who mails it takes it first for a while.
May surprise: if that process dies between the relay's answer and our record, it is mailed once more, with the
same Message-ID.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.delivery.retry import next_attempt
from newsletter.models import Notice
from newsletter.notices.occasions import Changes, Told, changes, occasions
from newsletter.notices.standing import standing
from newsletter.states import NoticeKind

_MOST_AT_ONCE = 50
"""Notices in one email."""


class Thresholds(NamedTuple):
    """From when on there is something to tell."""

    low: int
    """A queue with fewer posts is low."""
    patience: timedelta
    """How long a failed slot waits for the mend."""


def look(
    database: Database, now: datetime, thresholds: Thresholds, halted: Collection[int] = ()
) -> list[Notice]:
    """Compare how the site stands with what was noticed before; write down, and return, what is new.

    `halted` are issues that were halted just now. Safe beside itself: what is on record is read before how
    the site stands, so that nobody takes for new what another has just seen to be over.
    """
    news, over = _compared(database, now, thresholds, halted)
    if not news and not over:
        return []
    written: list[Notice] = []
    with database.write() as session:
        _close(session, over, now)
        for occasion, number in news:
            notice = database.insert(Notice).values(
                topic=occasion.topic,
                number=number,
                kind=occasion.kind,
                category=occasion.category,
                issue_id=occasion.issue_id,
                subject=occasion.subject,
                text=occasion.text,
                noticed_at=now,
                retry_at=now,
                attempts=0,
            )
            once = notice.on_conflict_do_nothing(index_elements=["topic", "number"])
            new_id = session.execute(once.returning(col(Notice.id))).scalar_one_or_none()
            if new_id is not None:
                written.append(session.get_one(Notice, new_id))
    return written


def close_over(database: Database, now: datetime, thresholds: Thresholds) -> None:
    """See only to what is over: to be done before slots are planned.

    A slot may take at once what was queued since the last pass, and nobody would have seen the queue full.
    """
    with database.read() as session:
        is_any_open = session.exec(select(Notice.id).where(col(Notice.over_at).is_(None)).limit(1)).first()
    if is_any_open is None:
        return
    _, over = _compared(database, now, thresholds, ())
    if over:
        with database.write() as session:
            _close(session, over, now)


def _compared(database: Database, now: datetime, thresholds: Thresholds, halted: Collection[int]) -> Changes:
    with database.read() as session:
        told = _told(session)
        known = [*halted, *_open_halts(session)]
        stands = standing(session, now, halted=known, **thresholds._asdict())
    return changes(told, occasions(stands, thresholds.low))


def _told(session: Session) -> dict[str, Told]:
    counted = sql_select(
        col(Notice.topic), func.max(col(Notice.number)), func.count() - func.count(col(Notice.over_at))
    ).group_by(col(Notice.topic))
    return {topic: Told(number, is_open=still > 0) for topic, number, still in session.execute(counted)}


def _open_halts(session: Session) -> Sequence[int]:
    """Issues that were known to be halted: they are until they are resumed."""
    is_open = col(Notice.over_at).is_(None) & (col(Notice.kind) == NoticeKind.HALTED)
    return session.execute(sql_select(col(Notice.issue_id)).where(is_open)).scalars().all()


def _close(session: Session, topics: Sequence[str], now: datetime) -> None:
    if topics:
        is_open = col(Notice.topic).in_(topics) & col(Notice.over_at).is_(None)
        session.execute(update(Notice).where(is_open).values(over_at=now))


def take(database: Database, now: datetime) -> list[Notice]:
    """Take what is to be mailed now, so that nobody else does for a while; the most urgent comes first.

    The while is longer after each try. A process that dies over it leaves it to whoever comes afterwards.
    """
    with database.read() as session:
        due = select(Notice).where(*_is_due(now)).order_by(col(Notice.id)).limit(_MOST_AT_ONCE)
        found = session.exec(due).all()
    if not found:
        return []
    taken: list[Notice] = []
    with database.write() as session:
        for notice in found:
            until = next_attempt(notice.attempts + 1, now, luck=0.0)
            mine = session.execute(
                update(Notice)
                .where(col(Notice.id) == notice.id, *_is_due(now))
                .values(attempts=col(Notice.attempts) + 1, retry_at=until)
                .returning(col(Notice.id))
            )
            if mine.first() is not None:
                taken.append(notice)
    order = list(NoticeKind)
    return sorted(taken, key=lambda notice: order.index(NoticeKind(notice.kind)))


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        col(Notice.sent_at).is_(None),
        col(Notice.over_at).is_(None),
        col(Notice.retry_at) <= now,
    )


def record(database: Database, ids: Collection[int], reply: str, sent_at: datetime | None) -> None:
    """Write down what came of a try; `sent_at` None if it was in vain."""
    with database.write() as session:
        session.execute(
            update(Notice)
            .where(col(Notice.id).in_(ids), col(Notice.sent_at).is_(None))
            .values(reply=reply, sent_at=sent_at)
        )


def all_notices(session: Session) -> list[Notice]:
    """Every notice, oldest first."""
    return list(session.exec(select(Notice).order_by(col(Notice.id))))
