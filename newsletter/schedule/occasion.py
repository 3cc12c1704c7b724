"""What a post would go out as if its turn came next: asked of the site's database, which is left as it is.

A site whose database has not been made yet, and a post whose categories the site does not have, fall back
on what the post itself says.
"""

from datetime import date, datetime, timedelta

from sqlalchemy import func
from sqlmodel import Session, col, select

from newsletter.content.post import PostSource
from newsletter.content.queue import entries
from newsletter.database import Database
from newsletter.models import Issue
from newsletter.render.edition import Occasion
from newsletter.render.proof import usual_occasion
from newsletter.schedule.archive import before_post
from newsletter.schedule.categories import all_categories, last_due
from newsletter.schedule.timetable import Timetable, timetable_of
from newsletter.settings import Settings
from newsletter.states import EntryState

_MOMENT = timedelta(microseconds=1)


def occasion_of(settings: Settings, source: PostSource, now: datetime) -> Occasion:
    """The first of the post's categories that the site has, and its next slot. Raises DatabaseError."""
    database = Database(settings.database_url)
    try:
        if not _is_made(database):
            return usual_occasion(source)
        with database.read() as session:
            return _occasion(session, source, settings.site.base_url, now) or usual_occasion(source)
    finally:
        database.close()


def _is_made(database: Database) -> bool:
    """Whether there is anything to ask. Raises DatabaseError for the tables of another version."""
    if database.path is not None and not database.path.exists():
        return False  # SQLite would make the file
    if database.version() is None:
        return False
    database.ensure_current()
    return True


def _occasion(session: Session, source: PostSource, base_url: str, now: datetime) -> Occasion | None:
    categories = {category.slug: category for category in all_categories(session)}
    category = next((categories[slug] for slug in source.categories if slug in categories), None)
    if category is None:
        return None
    queue = [post for _, post in entries(session, category, (EntryState.QUEUED,))]
    place = next((number for number, post in enumerate(queue) if post.slug == source.slug), len(queue))
    previous = before_post(session, category, queue[place - 1] if place else None)
    slot, following = _coming(timetable_of(session, category), now, last_due(session, category))
    return Occasion(
        category=category.slug,
        title=category.title,
        slot=slot,
        issue_id=(session.exec(select(func.max(col(Issue.id)))).one() or 0) + 1,
        previous=previous.neighbour(base_url) if previous else None,
        next_date=following if place < len(queue) - 1 else None,
    )


def _coming(
    timetable: Timetable, now: datetime, last: datetime | None
) -> tuple[datetime | None, date | None]:
    """The next slot that is due after `last`, and the day of the one after it."""
    slot = timetable.first_from(max(now, last + _MOMENT) if last else now)
    following = timetable.next_after(slot) if slot else None
    return slot.local if slot else None, following.local.date() if following else None
