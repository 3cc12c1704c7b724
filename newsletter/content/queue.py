"""The queue: which posts wait in which category, in which order.

Adding is all or nothing and safe to repeat: a post is known by its slug, the same file again changes
nothing, a changed file updates the post wherever it has not gone out, and a file that moved is followed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import exists, func, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.post import PostSource
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, EditionPost, Post, QueueEntry, Receipt
from newsletter.receipts import displace
from newsletter.states import EntryState, Mode
from subscribers.models import Subscription

_LONGEST_SLUG = 200


@dataclass(frozen=True, slots=True)
class Ahead:
    """A place in a queue: ahead of a post that waits, or of everything."""

    of: str | None = None
    """The post's slug."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A post as read from disk: its bytes, what they say, and the path to remember."""

    source: PostSource
    data: bytes
    stored_path: str
    warnings: tuple[str, ...] = ()
    """What its editor should know, each one sentence."""


@dataclass(slots=True)
class Added:
    """What adding one file did."""

    slug: str
    title: str
    queued: list[str] = field(default_factory=list)
    """Categories whose queue it entered."""
    already: dict[str, EntryState] = field(default_factory=dict)
    """Categories that had it, and where it stands there."""
    unknown: list[str] = field(default_factory=list)
    """Categories in its front matter that the site does not have."""
    is_updated: bool = False
    """Whether the stored post was changed by this file."""


def add_posts(
    session: Session,
    files: Sequence[SourceFile],
    categories: Sequence[Category],
    *,
    only: Category | None,
    site: Path,
    now: datetime,
    ahead_of: Ahead | None = None,
) -> list[Added]:
    """Queue posts, in the order given: at the end, or `ahead_of` what waits there.

    `only` puts them all into one category. What waited before keeps its place. Raises QueueError naming every
    post that fits no category, or the one that does not wait; nothing is kept then.
    """
    problems: list[str] = []
    added = []
    named: dict[str, str] = {}
    for file in files:
        try:
            other = named.setdefault(file.source.slug, file.stored_path)
            if other != file.stored_path:
                raise QueueError(_slug_taken(file, other))
            added.append(_add_post(session, file, categories, only=only, site=site, now=now))
        except QueueError as error:
            problems.append(str(error))
    if problems:
        raise QueueError("\n".join([*problems, "nothing was queued"]))
    if ahead_of is not None:
        for category in [only] if only else categories:
            queued = [one.slug for one in added if category.slug in one.queued]
            _put_ahead(session, category, queued, ahead_of)
    return added


def _put_ahead(session: Session, category: Category, slugs: Sequence[str], ahead_of: Ahead) -> None:
    """Have posts that wait at the end of a queue wait ahead instead, in their order."""
    if not slugs:
        return
    waiting = waiting_entries(session, category)
    new = [entry for entry, post in waiting if post.slug in slugs]
    others = [(entry, post) for entry, post in waiting if post.slug not in slugs]
    place = 0 if ahead_of.of is None else _place_of(category, others, ahead_of.of)
    _put_in_order([*(entry for entry, _ in others[:place]), *new, *(entry for entry, _ in others[place:])])


def _place_of(category: Category, waiting: Sequence[tuple[QueueEntry, Post]], slug: str) -> int:
    """At what place (from 0) a post waits. Raises QueueError if it does not."""
    for place, (_, post) in enumerate(waiting):
        if post.slug == slug:
            return place
    raise QueueError(f"{slug!r} does not wait in {category.slug}; `paperround queue list` shows what does")


def _slug_taken(file: SourceFile, other: str) -> str:
    return (
        f"{file.stored_path}: {other} is called {file.source.slug!r} too; give one of them another `slug:` "
        f"in its front matter"
    )


def _add_post(
    session: Session,
    file: SourceFile,
    categories: Sequence[Category],
    *,
    only: Category | None,
    site: Path,
    now: datetime,
) -> Added:
    source = file.source
    _check_names(file)
    if not source.published:
        raise QueueError(
            f"{file.stored_path}: this post says that it is not published; take `published: false` or "
            f"`draft: true` out of its front matter first, or `paperround queue drop` it"
        )
    report = Added(slug=source.slug, title=source.title)
    if only is not None:
        wanted = [only]
    else:
        by_slug = {category.slug: category for category in categories}
        wanted = [by_slug[name] for name in source.categories if name in by_slug]
        report.unknown = [name for name in source.categories if name not in by_slug]
        if not wanted:
            raise QueueError(_no_category(file, by_slug))
    post = _store_post(session, file, report, site=site, now=now)
    for category in wanted:
        entry = session.exec(
            select(QueueEntry).where(QueueEntry.category_id == category.id, QueueEntry.post_id == post.id)
        ).one_or_none()
        if entry is None:
            entry = QueueEntry(category_id=category.id, post_id=post.id, position=0, state="", added_at=now)
            _displace_who_had(session, category, post)
        elif entry.state != EntryState.DROPPED:
            report.already[category.slug] = EntryState(entry.state)
            continue
        entry.state = EntryState.QUEUED
        entry.position = _end_of_queue(session, category)
        session.add(entry)
        session.flush()
        report.queued.append(category.slug)
    return report


def _displace_who_had(session: Session, category: Category, post: Post) -> None:
    """Have the cohorts of a sequence found anew for readers who have had a post by another category."""
    has_gone_out = select(EditionPost.post_id).where(EditionPost.post_id == post.id).limit(1)
    if category.mode != Mode.SEQUENCE or session.exec(has_gone_out).first() is None:
        return
    had = exists().where(
        col(Receipt.subscriber_id) == col(Subscription.subscriber_id), col(Receipt.post_id) == post.id
    )
    readers = sql_select(col(Subscription.subscriber_id)).where(
        col(Subscription.category) == category.slug, had
    )
    displace(session.connection(), readers)


def _check_names(file: SourceFile) -> None:
    """Refuse names that a file may have and a database may not."""
    if len(file.source.slug) > _LONGEST_SLUG:
        raise QueueError(
            f"{file.stored_path}: its slug has {len(file.source.slug)} characters, more than the "
            f"{_LONGEST_SLUG} allowed; give it a shorter `slug:` in its front matter"
        )
    try:
        file.stored_path.encode()
    except UnicodeEncodeError:
        raise QueueError(f"{file.stored_path!a}: the file's name is not UTF-8; rename it") from None


def _no_category(file: SourceFile, known: Iterable[str]) -> str:
    names = ", ".join(file.source.categories) or "none"
    here = ", ".join(known)
    advice = (
        f"this site has: {here}. Name one with --category, or in the front matter"
        if here
        else "this site has no category yet: `paperround category add`"
    )
    return f"{file.stored_path}: fits no category here (it names: {names}); {advice}"


def _store_post(session: Session, file: SourceFile, report: Added, *, site: Path, now: datetime) -> Post:
    source = file.source
    post = session.exec(select(Post).where(Post.slug == source.slug)).one_or_none()
    if post is None:
        post = Post(
            slug=source.slug,
            path=file.stored_path,
            title=source.title,
            source=file.data,
            content_hash=source.content_hash,
            read_at=now,
        )
    elif _is_another(post, file, site):
        raise QueueError(_slug_taken(file, post.path))
    elif (post.path, post.source) != (file.stored_path, file.data):
        report.is_updated = post.content_hash != source.content_hash
        post.path, post.source, post.read_at = file.stored_path, file.data, now
        # Not from the bytes alone: a title and a date may come from the file's name.
        post.title, post.content_hash = source.title, source.content_hash
    session.add(post)
    session.flush()
    return post


def _is_another(post: Post, file: SourceFile, site: Path) -> bool:
    """Whether this is another post of the same slug, and not the same one, changed, moved or copied."""
    if post.corrects is not None:
        return True  # an erratum, whatever became of the file it was read from
    if post.path == file.stored_path or post.content_hash == file.source.content_hash:
        return False
    try:
        return (site / post.path).exists()
    except OSError:  # a folder that this user may not look into
        return False


def _end_of_queue(session: Session, category: Category) -> int:
    last = session.exec(
        select(func.max(QueueEntry.position)).where(QueueEntry.category_id == category.id)
    ).one()
    return (last or 0) + 1


def entries(
    session: Session, category: Category, states: Iterable[EntryState]
) -> list[tuple[QueueEntry, Post]]:
    """A category's queue with its posts, in order, limited to some states."""
    statement = (
        select(QueueEntry, Post)
        .join(Post, col(Post.id) == col(QueueEntry.post_id))
        .where(QueueEntry.category_id == category.id, col(QueueEntry.state).in_(list(states)))
        .order_by(col(QueueEntry.position), col(QueueEntry.id))
    )
    return list(session.exec(statement))


def waiting_entries(session: Session, category: Category) -> list[tuple[QueueEntry, Post]]:
    """What waits in a category, in order: what goes, and what is held back."""
    return entries(session, category, (EntryState.QUEUED, EntryState.HELD))


def places_of(session: Session, slug: str) -> list[tuple[QueueEntry, Category]]:
    """Where a post stands in every category. Raises NotFoundError if no post has this slug."""
    post = session.exec(select(Post).where(Post.slug == slug)).one_or_none()
    if post is None:
        raise NotFoundError(f"there is no post {slug!r} here; `paperround queue list` shows those there are")
    statement = (
        select(QueueEntry, Category)
        .join(Category, col(Category.id) == col(QueueEntry.category_id))
        .where(QueueEntry.post_id == post.id)
        .order_by(col(Category.slug))
    )
    return list(session.exec(statement))


def change_state(
    session: Session, slug: str, category: Category | None, *, now_in: Sequence[EntryState], to: EntryState
) -> list[str]:
    """Hold, release or drop a post: in one category, or wherever it stands in one of the states `now_in`.

    Returns the categories where it changed. Raises QueueError if there is none.
    """
    changed = []
    places = [
        (entry, place)
        for entry, place in places_of(session, slug)
        if category is None or place.id == category.id
    ]
    for entry, place in places:
        # A conditional update: the planner may be issuing this very post.
        result = session.execute(
            update(QueueEntry)
            .where(col(QueueEntry.id) == entry.id, col(QueueEntry.state).in_(list(now_in)))
            .values(state=to)
        )
        if result.rowcount:  # type: ignore[attr-defined]  # a CursorResult, which Session.execute does not say
            changed.append(place.slug)
    if not changed:
        stands = ", ".join(f"{entry.state} in {place.slug}" for entry, place in places) or "in no such queue"
        raise QueueError(f"{slug!r} is {stands}; only what is {' or '.join(now_in)} can be changed so")
    return changed


def move(session: Session, slug: str, category: Category, place: int) -> None:
    """Put a waiting post at a place (from 1) among those that wait in the category."""
    waiting = waiting_entries(session, category)
    index = _place_of(category, waiting, slug)
    if not 1 <= place <= len(waiting):
        raise QueueError(f"{category.slug} has places 1 to {len(waiting)}, not {place}")
    order = [entry for entry, _ in waiting]
    order.insert(place - 1, order.pop(index))
    _put_in_order(order)


def _put_in_order(entries: Sequence[QueueEntry]) -> None:
    """Give waiting entries their own positions anew, in this order."""
    positions = sorted(entry.position for entry in entries)
    for entry, position in zip(entries, _ascending(positions), strict=True):
        entry.position = position


def _ascending(positions: Sequence[int]) -> list[int]:
    """The same positions, made strictly ascending, so that ids no longer decide."""
    result: list[int] = []
    for position in positions:
        result.append(position if not result or position > result[-1] else result[-1] + 1)
    return result
