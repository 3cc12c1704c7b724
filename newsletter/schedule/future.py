"""What slots will come to: readers counted by what they have had, and their letters chosen ahead.

Readers who subscribe to the same categories and have had the same posts get the same letters: one of them
stands for all. So a forecast costs a count of the subscriptions, and then the choices themselves. Posts that
wait in one queue only concern nobody outside of it: the readers of such a category are counted by themselves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Text, case, cast, func, null
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.readiness import Waiting
from newsletter.models import Category, Displaced, EditionPost, Post, QueueEntry
from newsletter.schedule.categories import line_of
from newsletter.schedule.choice import PostIds, letter_for, offered, posts_of_issue, why_empty
from newsletter.schedule.cohorts import cohorts_of
from newsletter.schedule.readers import ids_in, is_active, is_displaced, posts_had, queue_of
from newsletter.schedule.timetable import Slot
from newsletter.states import EntryState, Mode
from subscribers.models import Subscription, SubscriptionState


@dataclass(frozen=True, slots=True)
class Kind:
    """Readers of whom one stands for all: what they subscribe to, and what they have had of what waits there.

    A category goes with the day from which it has letters for them, None where that is now.
    """

    categories: frozenset[tuple[str, date | None]]
    had: frozenset[int]

    def gets(self, category: Category, day: date) -> bool:
        """Whether a slot of the category on a local day is for them."""
        return any(
            slug == category.slug and (since is None or since <= day) for slug, since in self.categories
        )


def future_of(session: Session, categories: Sequence[Category], reader: int | None = None) -> "Future":
    """What is to come in these categories: for all readers, or for one, by their number."""
    queues = {category.slug: line_of(session, category) for category in categories}
    if reader is not None:
        which = col(Subscription.subscriber_id) == reader
        return Future(queues, [_kinds_by_receipts(session, categories, which)], is_of_one=True)
    return Future(queues, [_kinds_of(session, part) for part in _that_share(categories, queues)])


class Future:
    """Queues and readers, run forward slot by slot."""

    def __init__(
        self, queues: Mapping[str, Waiting], parts: Iterable[Counter[Kind]], *, is_of_one: bool = False
    ) -> None:
        """`queues` by category; `parts` are the readers of categories that share no post with others.

        Where there `is_of_one` reader only, their letters are told instead of whole issues.
        """
        self._is_of_one = is_of_one
        self._queues = dict(queues)
        self._parts = list(parts)

    def pass_slot(self, category: Category, slot: Slot) -> tuple[tuple[Post, ...], int, str]:
        """Let a slot pass: its posts in their order, how many readers it has, and why if it has none."""
        waiting, day = self._queues[category.slug], slot.local.date()
        offer = offered(category, waiting, slot.key)
        letters: Counter[PostIds] = Counter()
        has_readers = False
        for number, part in enumerate(self._parts):
            if any(kind.gets(category, day) for kind in part):
                has_readers = True
                self._parts[number], given = _give(part, category, day, offer)
                letters += given
        issued = posts_of_issue(category, offer, letters)
        if category.mode == Mode.BROADCAST:
            self._queues[category.slug] = [(entry, post) for entry, post in waiting if post.id not in issued]
        posts = {post.id: post for _, post in waiting}
        reason = why_empty(waiting, offer, has_readers=has_readers)
        if self._is_of_one:
            issued = next(iter(letters), ())
        return tuple(posts[post] for post in issued), letters.total(), reason


def _give(
    part: Counter[Kind], category: Category, day: date, offer: PostIds
) -> tuple[Counter[Kind], Counter[PostIds]]:
    """Readers as they are after a slot, and how many got each letter."""
    after: Counter[Kind] = Counter()
    letters: Counter[PostIds] = Counter()
    for kind, readers in part.items():
        posts: PostIds = ()
        if kind.gets(category, day):
            posts = letter_for(kind.had, offer, category.posts_per_issue)
        if posts:
            letters[posts] += readers
            after[Kind(kind.categories, kind.had.union(posts))] += readers
        else:
            after[kind] += readers
    return after, letters


def _that_share(categories: Sequence[Category], queues: Mapping[str, Waiting]) -> list[list[Category]]:
    """Categories in parts: those that share a post that waits, also by way of others, are in one."""
    parts: list[tuple[list[Category], set[int]]] = []
    for category in categories:
        together, posts = [category], {post.id for _, post in queues[category.slug]}
        apart = []
        for part in parts:
            if part[1] & posts:
                together, posts = part[0] + together, part[1] | posts
            else:
                apart.append(part)
        parts = [*apart, (together, posts)]
    return [members for members, _ in parts]


def _kinds_of(session: Session, part: Sequence[Category]) -> Counter[Kind]:
    """The readers of categories that share posts, or of a single one."""
    category = part[0]
    if len(part) > 1 or (category.mode == Mode.BROADCAST and _has_gone_out(session, category)):
        return _kinds_by_receipts(session, part)
    is_paused = col(Subscription.state) == SubscriptionState.PAUSED
    paused = _kinds_by_receipts(session, part, is_paused)
    if category.mode == Mode.SEQUENCE:
        return paused + _kinds_by_cohorts(session, category)
    readers = session.exec(select(func.count()).select_from(Subscription).where(is_active(category))).one()
    return paused + Counter({Kind(_only(category), frozenset()): readers})


def _only(category: Category) -> frozenset[tuple[str, date | None]]:
    return frozenset([(category.slug, None)])


def _has_gone_out(session: Session, category: Category) -> bool:
    """Whether somebody may have had a post that waits here."""
    waiting = queue_of(category).where(col(QueueEntry.state) == EntryState.QUEUED)
    found = select(EditionPost.post_id).where(col(EditionPost.post_id).in_(waiting)).limit(1)
    return session.exec(found).first() is not None


def _kinds_by_cohorts(session: Session, category: Category) -> Counter[Kind]:
    """The readers of a sequence; those in no cohort by their receipts."""
    cohort: Any = col(Subscription.cohort_id)
    is_lost: ColumnElement[bool] = cohort.is_(None)
    if session.exec(select(Displaced.id).limit(1)).first() is not None:
        is_lost = is_lost | is_displaced()
        cohort = case((is_lost, null()), else_=cohort)
    counts = sql_select(cohort.label("cohort"), func.count()).where(is_active(category)).group_by("cohort")
    sizes = {row[0]: row[1] for row in session.execute(counts)}
    had = cohorts_of(session, category)
    kinds: Counter[Kind] = Counter()
    for number, size in sizes.items():
        if number is not None:
            kinds[Kind(_only(category), had[number])] += size
    if None in sizes:
        kinds += _kinds_by_receipts(session, [category], is_active(category) & is_lost)
    return kinds


def _kinds_by_receipts(
    session: Session, categories: Sequence[Category], which: ColumnElement[bool] | None = None
) -> Counter[Kind]:
    """The readers of categories, as their receipts say; only of `which` subscriptions."""
    slugs = [category.slug for category in categories]
    wanted = col(Subscription.category).in_(slugs) & col(Subscription.state).in_(
        [SubscriptionState.ACTIVE, SubscriptionState.PAUSED]
    )
    since = cast(func.coalesce(cast(col(Subscription.paused_until), Text), ""), Text)
    subscription = col(Subscription.category) + "@" + since
    theirs = (
        sql_select(
            col(Subscription.subscriber_id).label("reader"),
            func.aggregate_strings(subscription, " ").label("categories"),
        )
        .where(wanted if which is None else wanted & which)
        .group_by(col(Subscription.subscriber_id))
        .subquery()
    )
    had = posts_had(theirs.c.reader, queue_of(*categories)).label("had")
    each = sql_select(theirs.c.categories, had).subquery()
    rows = sql_select(each.c.categories, each.c.had, func.count()).group_by(each.c.categories, each.c.had)
    kinds: Counter[Kind] = Counter()
    for subscriptions, posts, readers in session.execute(rows):
        kinds[Kind(frozenset(map(_subscription, subscriptions.split())), ids_in(posts))] += readers
    return kinds


def _subscription(text: str) -> tuple[str, date | None]:
    slug, _, since = text.partition("@")
    return slug, date.fromisoformat(since) if since else None
