"""Welcome letters: a category's own post for those who have just joined, at once and not at a slot.

Each is an issue of its kind, named by the minute in which it was planned, so that two planners make one; a
receipt sees to it that nobody is welcomed twice, not even after leaving and coming back. Who was imported has
not just joined, nor has who joined before there was a welcome.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.models import Category, Issue, Post, Receipt
from newsletter.receipts import displace
from newsletter.render.edition import Occasion
from newsletter.schedule.cadence import parse_zone
from newsletter.schedule.editions import MakeEdition, write_edition
from newsletter.schedule.picker import CHOSEN, SCRATCH, GroupLetter, give_to
from newsletter.schedule.readers import is_active
from newsletter.schedule.scratch import scratch_tables
from newsletter.schedule.timetable import SLOT_FORMAT, Timetable
from newsletter.states import IssueKind, IssueState
from subscribers.models import Consent, ConsentAction, Subscription

_OVERLAP = timedelta(hours=1)
"""How long a subscription may take from its instant to its commit, and still be seen."""


def set_welcome(session: Session, category: Category, slug: str | None, *, now: datetime) -> None:
    """Have whoever joins from now on get the post of this name at once; with None, nothing."""
    post = session.exec(select(Post).where(Post.slug == slug)).one() if slug else None
    category.welcome_post_id = post.id if post else None
    category.welcome_from = now if post else None
    session.add(category)


class Welcome(NamedTuple):
    """A welcome letter that was written: its issue, the minute that names it, and how many readers it has."""

    issue_id: int
    minute: datetime
    post: Post
    readers: int


def is_owed(session: Session, category: Category) -> bool:
    """Whether somebody is to be welcomed."""
    if category.welcome_post_id is None:
        return False
    theirs = select(Subscription.id).where(_newcomers(session, category)).limit(1)
    return session.exec(theirs).first() is not None


def write_welcome(
    session: Session,
    database: Database,
    make_edition: MakeEdition,
    category: Category,
    timetable: Timetable,
    *,
    now: datetime,
    expiry: timedelta,
) -> Welcome | None:
    """Owe the welcome letter to all who have just joined; None if another planner has this minute.

    Raises MovedError, and what `make_edition` does.
    """
    minute = now.astimezone(parse_zone(category.timezone)).replace(tzinfo=None)
    post = session.get_one(Post, category.welcome_post_id)
    issue_id = _take_minute(session, database, category, minute, now, expiry)
    if issue_id is None:
        return None
    coming = timetable.first_from(now)
    occasion = Occasion(
        category=category.slug,
        title=category.title,
        slot=minute,
        issue_id=issue_id,
        next_date=coming.local.date() if coming else None,
    )
    edition_id = write_edition(session, make_edition, occasion, [post], now)
    rows = sql_select(col(Subscription.subscriber_id)).where(_newcomers(session, category))
    with scratch_tables(session, *SCRATCH):
        letter = GroupLetter((post.id,), edition_id)
        readers = give_to(session, database, category, rows, letter, issue_id=issue_id, now=now)
        displace(session.connection(), sql_select(CHOSEN.c.subscriber_id))  # the post may stand in its queue
    return Welcome(issue_id, minute, post, readers)


def _take_minute(
    session: Session,
    database: Database,
    category: Category,
    minute: datetime,
    now: datetime,
    expiry: timedelta,
) -> int | None:
    issue = database.insert(Issue).values(
        category_id=category.id,
        kind=IssueKind.WELCOME,
        slot=minute.strftime(SLOT_FORMAT),
        due_at=now,
        state=IssueState.PLANNED,
        reason="",
        note="",
        planned_at=now,
        expires_at=now + expiry,
    )
    keys = ["category_id", "kind", "slot"]
    taken: int | None = session.execute(
        issue.on_conflict_do_nothing(index_elements=keys).returning(col(Issue.id))
    ).scalar_one_or_none()
    return taken


def _newcomers(session: Session, category: Category) -> ColumnElement[bool]:
    """The subscriptions of those who are to be welcomed; looked for from the last welcome on."""
    last = session.exec(
        select(func.max(Issue.planned_at)).where(
            Issue.category_id == category.id, Issue.kind == IssueKind.WELCOME
        )
    ).one()
    begin = category.welcome_from
    since = col(Subscription.since)
    was_given = exists().where(
        col(Receipt.subscriber_id) == col(Subscription.subscriber_id),
        col(Receipt.post_id) == category.welcome_post_id,
    )
    joined = exists().where(
        col(Consent.subscriber_id) == col(Subscription.subscriber_id),
        col(Consent.category) == category.slug,
        col(Consent.action) == ConsentAction.GRANTED,
        col(Consent.source) != "import",
        col(Consent.at) == since,
    )
    first = max(begin, last - _OVERLAP) if begin and last else begin
    return is_active(category) & (since >= first) & ~was_given & joined
