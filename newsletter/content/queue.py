"""The queue: which posts wait in which category, in which order.

A post keeps its place while it waits, whether it is to go, is held, or waits for approval. Every change is on
record with who made it, and is refused where the planner has issued the post meanwhile.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import case, update
from sqlmodel import Session, col, select

from newsletter.content.history import Action, Editor, record
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Post, QueueEntry
from newsletter.states import WAITING, EntryState

_ACTIONS = {
    EntryState.HELD: Action.HELD,
    EntryState.QUEUED: Action.RELEASED,
    EntryState.DROPPED: Action.DROPPED,
}


@dataclass(frozen=True, slots=True)
class Ahead:
    """A place in a queue: ahead of a post that waits, or of everything."""

    of: str | None = None
    """The post's slug."""


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
    """What waits in a category, in order: what goes, what is held back, and what is to be approved."""
    return entries(session, category, WAITING)


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


def only_place(session: Session, slug: str) -> Category:
    """The one category in whose queue a post waits. Raises QueueError if there is none, or more than one."""
    waiting = [category for entry, category in places_of(session, slug) if entry.state in WAITING]
    if not waiting:
        raise QueueError(f"{slug!r} waits in no queue: `paperround queue show {slug}` says where it stands")
    if len(waiting) > 1:
        names = ", ".join(category.slug for category in waiting)
        raise QueueError(f"{slug!r} waits in {names}: name one of them with --category")
    return waiting[0]


def change_entry(
    session: Session, entry: QueueEntry, now_in: Collection[EntryState], **values: object
) -> bool:
    """Change an entry if it is in one of these states; the planner may be issuing this very post."""
    result = session.execute(
        update(QueueEntry)
        .where(col(QueueEntry.id) == entry.id, col(QueueEntry.state).in_(list(now_in)))
        .values(**values)
    )
    return bool(result.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE


def change_places(
    session: Session,
    slug: str,
    category: Category | None,
    *,
    now_in: Sequence[EntryState],
    action: Action,
    editor: Editor,
    **values: object,
) -> list[str]:
    """Change a post's entry: in one category, or wherever it stands in one of the states `now_in`.

    Returns the categories where it changed. Raises QueueError if there is none.
    """
    changed = []
    places = [
        (entry, place)
        for entry, place in places_of(session, slug)
        if category is None or place.id == category.id
    ]
    for entry, place in places:
        if change_entry(session, entry, now_in, **values):
            session.refresh(entry)  # what is released may be proposed instead
            done = Action.PROPOSED if entry.state == EntryState.PROPOSED else action
            record(session, editor, done, place.slug, slug)
            changed.append(place.slug)
    if not changed:
        raise QueueError(_cannot(slug, places, now_in))
    return changed


def _cannot(slug: str, places: Sequence[tuple[QueueEntry, Category]], now_in: Sequence[EntryState]) -> str:
    stands = ", ".join(f"{entry.state} in {place.slug}" for entry, place in places) or "in no such queue"
    said = f"{slug!r} is {stands}; only what is {' or '.join(now_in)} can be changed so"
    if any(entry.state == EntryState.PROPOSED for entry, _ in places):
        said += f"; what is proposed waits for `paperround queue approve {slug}`"
    return said


def change_state(
    session: Session,
    slug: str,
    category: Category | None,
    *,
    now_in: Sequence[EntryState],
    to: EntryState,
    editor: Editor,
    needs_approval: bool = False,
) -> list[str]:
    """Hold, release or drop a post: in one category, or wherever it stands in one of the states `now_in`.

    Where it `needs_approval`, what is released without one is proposed. Returns the categories where it
    changed. Raises QueueError if there is none.
    """
    state: object = to
    if to is EntryState.QUEUED and needs_approval:
        state = case((col(QueueEntry.approved_at).is_(None), EntryState.PROPOSED), else_=to)
    action = _ACTIONS[to]
    return change_places(session, slug, category, now_in=now_in, action=action, editor=editor, state=state)


def move(session: Session, slug: str, category: Category, place: int, *, editor: Editor) -> None:
    """Put a waiting post at a place (from 1) among those that wait in the category."""
    waiting = waiting_entries(session, category)
    index = _place_of(category, waiting, slug)
    if not 1 <= place <= len(waiting):
        raise QueueError(f"{category.slug} has places 1 to {len(waiting)}, not {place}")
    order = [entry for entry, _ in waiting]
    order.insert(place - 1, order.pop(index))
    _put_in_order(order)
    if place != index + 1:
        record(session, editor, Action.MOVED, category.slug, slug, f"from place {index + 1} to {place}")


def put_ahead(session: Session, category: Category, slugs: Sequence[str], ahead_of: Ahead) -> None:
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
