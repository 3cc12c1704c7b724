"""Categories: the streams of a site, each with its cadence and zone.

A category that has sent anything keeps its history when it is removed, so that adding it again cannot send
the same slot twice; one that has not is forgotten whole.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import delete, func
from sqlmodel import Session, col, select

from newsletter.content.history import Action, Editor, record
from newsletter.content.queue import waiting_entries
from newsletter.delivery.letters import cancel_in_digests, cancel_letters
from newsletter.errors import CalendarError, NotFoundError, QueueError
from newsletter.models import Category, Delivery, DigestPost, FailedSlot, Issue, Post, QueueEntry, SkippedDay
from newsletter.schedule.cadence import change_takes_effect, parse_cadence, parse_zone
from newsletter.schedule.cohorts import disband
from newsletter.schedule.timetable import Timetable, timetable_of
from newsletter.states import DIGEST, EntryState, IssueKind, Mode
from subscribers.models import Subscription, SubscriptionState

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SLUG_LIMIT = 60


class Stream(NamedTuple):
    """A category as it was read, with its timetable."""

    category: Category
    timetable: Timetable

    def next_day(self, now: datetime) -> date | None:
        """The local date of its next slot, None if there is none to come."""
        coming = self.timetable.first_from(now)
        return coming.local.date() if coming else None


class Removed(NamedTuple):
    """What removing a category came to."""

    has_history: bool
    """Whether there are issues that stay on record."""
    cancelled: int
    """Letters that were owed and will not go."""


def check_slug(slug: str) -> str:
    """A category's slug: it becomes part of List-Id, of web addresses and of mail addresses."""
    if slug == DIGEST:
        raise QueueError(f"{slug!r} cannot name a category: letters of several categories are called so")
    if not _SLUG.fullmatch(slug) or len(slug) > _SLUG_LIMIT:
        raise QueueError(
            f"{slug!r} cannot name a category: use up to {_SLUG_LIMIT} lower-case letters a-z and digits, "
            f"in words joined by -"
        )
    return slug


def all_categories(session: Session) -> list[Category]:
    """The categories that go out, by slug."""
    return list(
        session.exec(select(Category).where(col(Category.ended_at).is_(None)).order_by(col(Category.slug)))
    )


def streams_of(session: Session) -> list[Stream]:
    """The categories that go out, by slug, with their timetables."""
    return [Stream(category, timetable_of(session, category)) for category in all_categories(session)]


def find_category(session: Session, slug: str) -> Category:
    """The category of this name. Raises NotFoundError, listing those there are."""
    found = session.exec(
        select(Category).where(Category.slug == slug, col(Category.ended_at).is_(None))
    ).one_or_none()
    if found is None:
        known = ", ".join(category.slug for category in all_categories(session))
        raise NotFoundError(
            f"there is no category {slug!r} here; there are: {known}"
            if known
            else f"there is no category {slug!r} here, nor any other yet: `paperround category add`"
        )
    return found


def locked(session: Session, category: Category) -> Category | None:
    """The category as it is now, held against change until the transaction ends; None if it was removed."""
    return session.exec(
        select(Category)
        .where(Category.id == category.id, col(Category.ended_at).is_(None))
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one_or_none()


def add_category(
    session: Session, slug: str, *, title: str, cadence: str, timezone: str, mode: Mode, now: datetime
) -> Category:
    """Make a category. Raises QueueError if there is one of this name already."""
    check_slug(slug)
    category = session.exec(select(Category).where(Category.slug == slug)).one_or_none()
    if category is not None and category.ended_at is None:
        raise QueueError(
            f"there is a category {slug!r} already: `paperround category edit {slug}` changes it"
        )
    if category is None:
        category = Category(
            slug=slug, title="", cadence="", timezone="", mode=mode, created_at=now, slots_from=now
        )
    category.title = title
    category.cadence = str(parse_cadence(cadence))
    category.timezone = parse_zone(timezone).key
    category.mode = mode
    category.slots_from = now
    # One that comes back begins anew, whatever was said of it before.
    category.ended_at = category.welcome_from = None
    category.last_day = None
    category.start_post_id = category.welcome_post_id = None
    category.priority = 5
    session.add(category)
    session.flush()
    session.execute(delete(SkippedDay).where(col(SkippedDay.category_id) == category.id))
    return category


def edit_category(
    session: Session,
    category: Category,
    *,
    title: str | None = None,
    cadence: str | None = None,
    timezone: str | None = None,
    mode: Mode | None = None,
    posts_per_issue: int | None = None,
    local_time: bool | None = None,
    priority: int | None = None,
    now: datetime,
) -> None:
    """Change what is given.

    A new cadence, zone or clock begins after the current period, so that none has two issues.
    """
    _hold(session, category)
    if title is not None:
        category.title = title
    if posts_per_issue is not None:
        category.posts_per_issue = posts_per_issue
    if priority is not None:
        category.priority = priority
    if mode is not None and mode != category.mode:
        category.mode = mode
        disband(session, category)  # a broadcast keeps no cohorts: they would be out of date after it
    wanted = (
        str(parse_cadence(cadence)) if cadence else category.cadence,
        parse_zone(timezone).key if timezone else category.timezone,
        category.local_time if local_time is None else local_time,
    )
    if wanted != (category.cadence, category.timezone, category.local_time):
        # A change that waits to take effect is replaced: until then the period is still the one before it.
        if category.slots_from <= now:
            last = last_due(session, category)
            old = timetable_of(session, category)
            category.slots_from = change_takes_effect(
                old.cadence, old.zone, now, anchor=old.anchor, last_due=last
            )
        category.cadence, category.timezone, category.local_time = wanted
    session.add(category)


def set_start(session: Session, category: Category, slug: str | None) -> None:
    """Have a sequence begin with a post that waits in its queue; with None, with the first.

    Readers are given none of the posts above it any more. Raises QueueError for a post that does not wait.
    """
    _hold(session, category)
    if slug is None:
        category.start_post_id = None
    else:
        waiting = {post.slug: post.id for _, post in waiting_entries(session, category)}
        if slug not in waiting:
            raise QueueError(
                f"{slug!r} does not wait in {category.slug}; `paperround queue list` shows what does"
            )
        category.start_post_id = waiting[slug]
    session.add(category)


def line_of(session: Session, category: Category) -> list[tuple[QueueEntry, Post]]:
    """What waits in a category and is for readers: in a sequence, from the place of its start on.

    Also where the start itself waits no more.
    """
    waiting = waiting_entries(session, category)
    if category.mode == Mode.BROADCAST or category.start_post_id is None:
        return waiting
    start = session.exec(
        select(QueueEntry).where(
            QueueEntry.category_id == category.id, QueueEntry.post_id == category.start_post_id
        )
    ).one_or_none()
    if start is None:
        return waiting
    first = (start.position, start.id)
    return [(entry, post) for entry, post in waiting if (entry.position, entry.id) >= first]


def set_last_day(session: Session, category: Category, day: date | None) -> None:
    """Have no slots after this local date; with None there is no end."""
    _hold(session, category)
    category.last_day = day
    session.add(category)


def skip_days(
    session: Session, category: Category, days: Mapping[date, str], *, calendar: str = "", now: datetime
) -> None:
    """Leave out the slots on these local dates, which are called so.

    Those of a `calendar` replace all that came from one before, and leave alone what somebody has named.
    Raises CalendarError for days that are over.
    """
    _hold(session, category)
    today = now.astimezone(parse_zone(category.timezone)).date()
    if over := [day for day in days if day < today]:
        raise CalendarError(f"{over[0]} is over: what it had is decided")
    theirs = col(SkippedDay.category_id) == category.id
    if calendar:
        session.execute(delete(SkippedDay).where(theirs, col(SkippedDay.calendar) != ""))
        named = set(session.exec(select(col(SkippedDay.day)).where(theirs)))
        days = {day: name for day, name in days.items() if day not in named}
    else:
        session.execute(delete(SkippedDay).where(theirs, col(SkippedDay.day).in_(days)))
    session.add_all(
        SkippedDay(category_id=category.id, day=day, name=name, calendar=calendar)
        for day, name in days.items()
    )
    session.flush()


def keep_days(session: Session, category: Category, days: Sequence[date]) -> None:
    """Have slots on these local dates after all. Raises CalendarError if one of them is not skipped."""
    _hold(session, category)
    theirs = (col(SkippedDay.category_id) == category.id) & col(SkippedDay.day).in_(days)
    known = set(session.exec(select(col(SkippedDay.day)).where(theirs)))
    if unknown := [day for day in days if day not in known]:
        raise CalendarError(
            f"{category.slug} does not skip {unknown[0]}; `paperround category show {category.slug}` lists "
            f"the days it does"
        )
    session.execute(delete(SkippedDay).where(theirs))


def remove_category(session: Session, category: Category, *, editor: Editor) -> Removed:
    """Take a category out of service: from now on nothing of it is sent.

    Posts that wait in its queue are dropped from it, and letters that are not on the wire are cancelled;
    subscriptions stay as they are and receive nothing.
    """
    _hold(session, category)
    disband(session, category)
    for _, post in waiting_entries(session, category):
        record(session, editor, Action.DROPPED, category.slug, post.slug, "the category was removed")
    has_history = session.exec(select(func.count()).where(Issue.category_id == category.id)).one() > 0
    waiting = delete(QueueEntry).where(
        col(QueueEntry.category_id) == category.id, col(QueueEntry.state) != EntryState.ISSUED
    )
    session.execute(waiting)
    session.execute(delete(FailedSlot).where(col(FailedSlot.category_id) == category.id))
    cancelled = 0
    if has_history:
        issues = select(Issue.id).where(Issue.category_id == category.id)
        why = "The category was removed."
        cancelled = cancel_letters(session, col(Delivery.issue_id).in_(issues), why)
        cancelled += cancel_in_digests(session, col(DigestPost.category) == category.slug, why)
        category.ended_at = editor.now
        session.add(category)
    else:
        session.execute(delete(SkippedDay).where(col(SkippedDay.category_id) == category.id))
        session.delete(category)
    return Removed(has_history, cancelled)


def _hold(session: Session, category: Category) -> None:
    """Keep the planner and other editors away from a category until the transaction ends."""
    if locked(session, category) is None:
        raise NotFoundError(f"the category {category.slug!r} has just been removed")


def last_due(session: Session, category: Category) -> datetime | None:
    """When the last of its slots that were decided fell due."""
    return session.exec(
        select(func.max(Issue.due_at)).where(Issue.category_id == category.id, Issue.kind == IssueKind.SLOT)
    ).one()


def active_readers(session: Session, slug: str) -> int:
    """How many subscriptions a category has that letters go to."""
    return session.exec(
        select(func.count()).where(
            Subscription.category == slug, Subscription.state == SubscriptionState.ACTIVE
        )
    ).one()
