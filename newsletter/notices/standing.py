"""How the site stands, as far as the editor is to be told: read from the database, a few small statements.

Everything follows from rows that outlive the process, so it does not matter which process looks, or when; but
for issues whose letters cannot be made, which look like any other that was paused: those are named.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import case, exists, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.queue import entries
from newsletter.models import (
    Category,
    Edition,
    FailedSlot,
    InboundMessage,
    Issue,
    QueueEntry,
    Verdict,
)
from newsletter.notices.occasions import Distrust, Dry, Failure, Halt, Queue, Standing, Waiting
from newsletter.schedule.cadence import parse_zone
from newsletter.schedule.categories import Stream, active_readers, streams_of
from newsletter.schedule.timetable import SLOT_FORMAT
from newsletter.states import BounceClass, EntryState, InboundState, IssueState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber

_MOMENT = timedelta(microseconds=1)
_MOST_HALTS = 100
_A_DAY = timedelta(days=1)
_FEW_REFUSALS = 3
"""As many as have a domain left alone (see `newsletter.delivery.pace`)."""
_MOST_REFUSALS = 1000
"""The latest of them say by which domains."""
_MOST_DOMAINS = 3


def standing(
    session: Session, now: datetime, *, low: int, patience: timedelta, halted: Collection[int]
) -> Standing:
    """How the site stands. A queue with fewer than `low` posts is low; a slot that failed waits `patience`.

    `halted` are issues known to have been halted, besides those that their first share has.
    """
    streams = streams_of(session)
    return Standing(
        queues=list(_queues(session, streams, now, low)),
        failures=list(_failures(session, patience)),
        halts=list(_halts(session, halted)),
        mail=_mail(session),
        distrust=_distrust(session, now),
    )


def _queues(session: Session, streams: Collection[Stream], now: datetime, low: int) -> Iterator[Queue]:
    """Dates and readers are asked for only where they will be told: a site is looked at often."""
    category_id = col(QueueEntry.category_id)
    is_waiting = col(QueueEntry.state) == EntryState.QUEUED
    counted = sql_select(
        category_id, func.count(case((is_waiting, 1))), func.max(col(QueueEntry.id))
    ).group_by(category_id)
    queued = {row[0]: (row[1], row[2]) for row in session.execute(counted)}
    decided = _decided(session)
    for category, timetable in streams:
        waiting, newest = queued.get(category.id, (0, None))
        last, went = decided.get(category.id, (None, None))
        slots: list[datetime] = []
        if waiting < low and category.mode == Mode.BROADCAST:
            coming = timetable.slots(max(now, last + _MOMENT) if last else now)
            slots = list(islice((slot.local for slot in coming if not slot.left_out), waiting + 1))
        dry = _dry(session, category, went) if last != went else None
        yield Queue(
            slug=category.slug,
            title=category.title,
            mode=category.mode,
            waiting=waiting,
            newest=newest,
            last_filled=slots[waiting - 1] if 0 < waiting <= len(slots) else None,
            first_bare=slots[waiting] if waiting < len(slots) else None,
            dry=dry,
            has_readers=dry is not None and active_readers(session, category.slug) > 0,
        )


def _decided(session: Session) -> dict[int, tuple[datetime, datetime | None]]:
    """By category, when the last slot was due that was decided, and the last at which something went."""
    went = col(Issue.state).not_in([IssueState.EMPTY, IssueState.SKIPPED])
    due = col(Issue.due_at)
    category_id = col(Issue.category_id)
    last = sql_select(category_id, func.max(due), func.max(case((went, due)), type_=UTCDateTime())).group_by(
        category_id
    )
    return {row[0]: (row[1], row[2]) for row in session.execute(last)}


def _dry(session: Session, category: Category, went: datetime | None) -> Dry | None:
    """The empty slots since something went out last; days that were skipped do not count."""
    empty = select(Issue).where(Issue.category_id == category.id, Issue.state == IssueState.EMPTY)
    if went is not None:
        empty = empty.where(Issue.due_at > went)
    first = session.exec(empty.order_by(col(Issue.due_at), col(Issue.slot)).limit(1)).one_or_none()
    return Dry(first.id, _local(first.slot)) if first else None


def _failures(session: Session, patience: timedelta) -> Iterator[Failure]:
    """Slots that failed and are not decided yet; a timetable that was changed since has them no more."""
    is_decided = exists().where(
        col(Issue.category_id) == col(FailedSlot.category_id), col(Issue.slot) == col(FailedSlot.slot)
    )
    found = session.exec(
        select(FailedSlot, Category)
        .join(Category, col(Category.id) == col(FailedSlot.category_id))
        .where(
            col(Category.ended_at).is_(None),
            col(FailedSlot.failed_at) >= col(Category.slots_from),
            ~is_decided,
        )
        .order_by(col(FailedSlot.failed_at), col(Category.slug))
    )
    for failed, category in found:
        yield Failure(
            slug=category.slug,
            title=category.title,
            slot=_local(failed.slot),
            zone=parse_zone(category.timezone),
            error=failed.error,
            until=failed.failed_at + patience,
            post=_next_post(session, category),
        )


def _next_post(session: Session, category: Category) -> str:
    if category.mode != Mode.BROADCAST:
        return ""
    waiting = entries(session, category, (EntryState.QUEUED,))
    return waiting[0][1].slug if waiting else ""


def _halts(session: Session, halted: Collection[int]) -> Iterator[Halt]:
    by_its_share = col(Issue.canary_every).is_not(None) & col(Issue.canary_done_at).is_not(None)
    found = session.exec(
        select(Issue, Category)
        .join(Category, col(Category.id) == col(Issue.category_id))
        .where(
            col(Issue.state) == IssueState.PAUSED,
            col(Issue.finished_at).is_(None),
            by_its_share | col(Issue.id).in_(halted),
        )
        .order_by(col(Issue.id))
        .limit(_MOST_HALTS)
    ).all()
    for issue, category in found:
        first = select(Edition.subject).where(Edition.issue_id == issue.id).order_by(col(Edition.id)).limit(1)
        heading = session.exec(first).one_or_none() or ""
        yield Halt(issue.id, category.slug, category.title, heading, issue.reason)


def _mail(session: Session) -> Waiting | None:
    waiting = col(InboundMessage.state).in_([InboundState.ASIDE, InboundState.LETTER])
    number, first = session.execute(
        sql_select(func.count(), func.min(col(InboundMessage.id))).where(waiting)
    ).one()
    if not number:
        return None
    return Waiting(number, first, session.get_one(InboundMessage, first).outcome or "")


def _distrust(session: Session, now: datetime) -> Distrust | None:
    """What was refused for policy in the last day, if it is more than now and then happens to everybody."""
    lately = (col(Verdict.bounce_class) == BounceClass.POLICY) & (col(Verdict.at) > now - _A_DAY)
    number, readers = session.execute(
        sql_select(func.count(), func.count(col(Verdict.subscriber_id).distinct())).where(lately)
    ).one()
    if readers < _FEW_REFUSALS:
        return None
    latest = session.execute(
        sql_select(col(Verdict.delivery_id), col(Verdict.diagnostic), col(Subscriber.address))
        .join(Subscriber, col(Subscriber.id) == col(Verdict.subscriber_id))
        .where(lately)
        .order_by(col(Verdict.at).desc(), col(Verdict.id).desc())
        .limit(_MOST_REFUSALS)
    ).all()
    domains = Counter(row.address.rpartition("@")[2].lower() for row in latest)
    names = tuple(domain for domain, _ in domains.most_common(_MOST_DOMAINS))
    return Distrust(number, names, latest[0].delivery_id, latest[0].diagnostic)


def _local(slot: str) -> datetime:
    return datetime.strptime(slot, SLOT_FORMAT)  # noqa: DTZ007  # a slot is wall-clock time
