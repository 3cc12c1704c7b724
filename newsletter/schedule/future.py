"""What slots will come to: readers counted by what they have had, and their letters chosen ahead.

Readers who subscribe to the same categories and have had the same posts get the same letters: one of them
stands for all. So a forecast costs a count of the subscriptions, and then the choices themselves. Posts that
wait in one queue only concern nobody outside of it: the readers of such a category are counted by themselves.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Subquery, case, exists, func, null
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.readiness import Waiting as Queue
from newsletter.models import Category, DigestPost, Displaced, EditionPost, Post, QueueEntry
from newsletter.schedule.apart import coming_of
from newsletter.schedule.categories import line_of
from newsletter.schedule.choice import PostIds, letter_for, offered, posts_of_issue, why_empty
from newsletter.schedule.cohorts import cohorts_of
from newsletter.schedule.digests import Digest, moment_of
from newsletter.schedule.readers import (
    has_a_wish,
    has_wishes,
    ids_in,
    is_active,
    is_displaced,
    posts_had,
    queue_of,
    told_subscription,
    waits_for_digest,
)
from newsletter.schedule.telling import days_of_letters, parse_kept, parse_wish, posts_kept, told_wish
from newsletter.schedule.timetable import Slot
from newsletter.schedule.wishes import (
    EVERY_ISSUE,
    Coming,
    Departure,
    Kept,
    Reader,
    Standing,
    Waiting,
    Wish,
    departure,
    digest_of,
    gets,
    in_order,
    parse_standing,
    week_of,
)
from newsletter.states import EntryState, Mode
from subscribers.models import LIVE, Subscriber, Subscription, SubscriptionState

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """Readers of whom one stands for all: what they subscribe to, and what they have had of what waits there.

    Of those who have a wish also the local days of their letters, as far as a week may count them, and the
    posts that wait for a digest.
    """

    standing: Standing
    had: frozenset[int]
    wish: Wish = EVERY_ISSUE
    letters: tuple[date, ...] = ()
    kept: frozenset[Kept] = frozenset()

    def as_reader(self, slot: Slot) -> Reader:
        """What a departure of posts of a slot follows from."""
        waiting = None
        if self.kept:
            ready_at, first = min((one.ready_at, one.slot) for one in self.kept)
            waiting = Waiting(date.fromisoformat(first[:10]), ready_at <= slot.due_at)
        return Reader(self.wish, self.standing, self.letters, waiting)

    def with_letter(self, day: date) -> "Kind":
        """After a letter of a local day; of no concern where nothing counts them."""
        if self.wish.cap is None:
            return self
        # A slot of the week before may be still to come, in a zone where it is that yet.
        since = week_of(day)[0] - _WEEK
        return replace(self, letters=(*sorted([*(one for one in self.letters if one >= since), day]),))


class Given(NamedTuple):
    """What a slot came to: its posts, who has them, how many of those by a digest, and why if nobody has."""

    posts: tuple[Post, ...] = ()
    readers: int = 0
    in_digests: int = 0
    reason: str = ""


class Passing(NamedTuple):
    """A slot that passes, what else is to come, and when posts may go that have no place in its week."""

    category: Category
    slot: Slot
    later: Sequence[Coming]
    days: Sequence[Departure]


def future_of(
    session: Session,
    categories: Sequence[Category],
    usual: Wish,
    now: datetime,
    reader: int | None = None,
) -> "Future":
    """What is to come in these categories: for all readers, or for one, by their number."""
    queues = {category.slug: line_of(session, category) for category in categories}
    every = {category.slug: category for category in session.exec(select(Category))}
    wishes = has_wishes(session, usual)
    waiting = _posts_that_wait(session) if wishes else {}
    if reader is not None:
        which = col(Subscription.subscriber_id) == reader
        kinds = _kinds_with_wishes(session, categories, which, usual, now)
        return Future(queues, [kinds], every, waiting, has_wishes=wishes, is_of_one=True)
    parts = []
    plain: ColumnElement[bool] | None = None
    if wishes:
        wishing = exists().where(col(Subscriber.id) == col(Subscription.subscriber_id), has_a_wish(usual))
        parts.append(_kinds_with_wishes(session, categories, wishing, usual, now))
        plain = ~wishing
    if usual == EVERY_ISSUE:
        parts += [_kinds_of(session, part, plain) for part in _that_share(categories, queues)]
    return Future(queues, parts, every, waiting, has_wishes=wishes)


def _posts_that_wait(session: Session) -> dict[int, Post]:
    posts = sql_select(col(DigestPost.post_id)).where(waits_for_digest())
    return {post.id: post for post in session.exec(select(Post).where(col(Post.id).in_(posts)))}


class Future:
    """Queues and readers, run forward slot by slot."""

    def __init__(
        self,
        queues: Mapping[str, Queue],
        parts: Iterable[Counter[Kind]],
        categories: Mapping[str, Category],
        waiting: Mapping[int, Post],
        *,
        has_wishes: bool,
        is_of_one: bool = False,
    ) -> None:
        """`queues` by category; `parts` are the readers of categories that share no post with others.

        `waiting` are the posts that wait for digests. Where there `is_of_one` reader only, their letters are
        told instead of whole issues.
        """
        self.has_wishes = has_wishes
        self._is_of_one = is_of_one
        self._queues = dict(queues)
        self._parts = list(parts)
        self._categories = categories
        self._posts = {post.id: post for queue in queues.values() for _, post in queue} | dict(waiting)

    def pass_slot(self, passing: Passing) -> Given:
        """Let a slot pass."""
        category, slot = passing.category, passing.slot
        waiting, day = self._queues[category.slug], slot.local.date()
        offer = offered(category, waiting, slot.key)
        letters: Counter[PostIds] = Counter()
        has_readers, in_digests = False, 0
        for number, part in enumerate(self._parts):
            if any(gets(kind.standing, category.slug, day) for kind in part):
                has_readers = True
                self._parts[number], given, kept = _give(part, passing, offer)
                letters += given
                in_digests += kept
        issued = posts_of_issue(category, offer, letters)
        if category.mode == Mode.BROADCAST:
            self._queues[category.slug] = [(entry, post) for entry, post in waiting if post.id not in issued]
        reason = why_empty(waiting, offer, has_readers=has_readers)
        if self._is_of_one:
            issued = next(iter(letters), ())
        return Given(tuple(self._posts[post] for post in issued), letters.total(), in_digests, reason)

    def next_ready(self) -> datetime | None:
        """When the next digest may go."""
        return min((one.ready_at for part in self._parts for kind in part for one in kind.kept), default=None)

    def digests(self, now: datetime, later: Sequence[Coming]) -> list[Digest]:
        """Make the digests that are ready `now`."""
        going: dict[str, Counter[tuple[Kept, ...]]] = {}
        for number, part in enumerate(self._parts):
            after: Counter[Kind] = Counter()
            for kind, readers in part.items():
                after[_made(kind, readers, going, now, later)] += readers
            self._parts[number] = after
        return [self._digest(slot, going[slot], now) for slot in sorted(going)]

    def _digest(self, slot: str, letters: Counter[tuple[Kept, ...]], now: datetime) -> Digest:
        priorities = {slug: category.priority for slug, category in self._categories.items()}
        together = in_order({one for letter in letters for one in letter}, priorities)
        posts = dict.fromkeys(one.post for one in together)
        zone, due_at = moment_of(slot, letters, now)
        return Digest(slot, zone, due_at, tuple(self._posts[post] for post in posts), letters.total())


def _made(
    kind: Kind,
    readers: int,
    going: dict[str, Counter[tuple[Kept, ...]]],
    now: datetime,
    later: Sequence[Coming],
) -> Kind:
    """Readers after their digest, which joins those that are `going` by their slot, if there is one."""
    if not any(one.ready_at <= now for one in kind.kept):
        return kind
    slot, waits_for = digest_of(Reader(kind.wish, kind.standing), kind.kept, later, now)
    if waits_for is None:
        going.setdefault(slot, Counter())[tuple(kind.kept)] += readers
        return replace(kind, kept=frozenset()).with_letter(date.fromisoformat(slot[:10]))
    longer = (
        one._replace(slot=waits_for.key, timezone=waits_for.timezone, ready_at=waits_for.due_at)
        if one.ready_at <= now
        else one
        for one in kind.kept
    )
    return replace(kind, kept=frozenset(longer))


def _give(
    part: Counter[Kind], passing: Passing, offer: PostIds
) -> tuple[Counter[Kind], Counter[PostIds], int]:
    """Readers as they are after a slot, how many got each letter, and how many of them by a digest."""
    after: Counter[Kind] = Counter()
    letters: Counter[PostIds] = Counter()
    in_digests = 0
    day = passing.slot.local.date()
    for kind, readers in part.items():
        posts: PostIds = ()
        if gets(kind.standing, passing.category.slug, day):
            posts = letter_for(kind.had, offer, passing.category.posts_per_issue)
        if not posts:
            after[kind] += readers
            continue
        letters[posts] += readers
        given = replace(kind, had=kind.had.union(posts))
        when = _departure(kind, passing)
        if when is None:
            given = given.with_letter(day)
        else:
            in_digests += readers
            slug, key = passing.category.slug, passing.slot.key
            kept = (
                Kept(when.slot, when.ready_at, when.timezone, slug, key, place, post)
                for place, post in enumerate(posts)
            )
            given = replace(given, kept=kind.kept.union(kept))
        after[given] += readers
    return after, letters, in_digests


def _departure(kind: Kind, passing: Passing) -> Departure | None:
    if kind.wish == EVERY_ISSUE and not kind.kept:
        return None
    coming = coming_of(passing.category, passing.slot)
    return departure(kind.as_reader(passing.slot), coming, passing.later, passing.days)


def _that_share(categories: Sequence[Category], queues: Mapping[str, Queue]) -> list[list[Category]]:
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


def _kinds_of(session: Session, part: Sequence[Category], plain: ColumnElement[bool] | None) -> Counter[Kind]:
    """The readers of categories that share posts, or of a single one; only the `plain` subscriptions."""
    category = part[0]
    if len(part) > 1 or (category.mode == Mode.BROADCAST and _has_gone_out(session, category)):
        return _kinds_by_receipts(session, part, plain)
    is_paused = col(Subscription.state) == SubscriptionState.PAUSED
    theirs = is_active(category)
    if plain is not None:
        is_paused, theirs = is_paused & plain, theirs & plain
    paused = _kinds_by_receipts(session, part, is_paused)
    if category.mode == Mode.SEQUENCE:
        return paused + _kinds_by_cohorts(session, category, theirs)
    readers = session.exec(select(func.count()).select_from(Subscription).where(theirs)).one()
    return paused + Counter({Kind(_only(category), frozenset()): readers})


def _only(category: Category) -> Standing:
    return frozenset([(category.slug, None)])


def _has_gone_out(session: Session, category: Category) -> bool:
    """Whether somebody may have had a post that waits here."""
    waiting = queue_of(category).where(col(QueueEntry.state) == EntryState.QUEUED)
    found = select(EditionPost.post_id).where(col(EditionPost.post_id).in_(waiting)).limit(1)
    return session.exec(found).first() is not None


def _kinds_by_cohorts(session: Session, category: Category, theirs: ColumnElement[bool]) -> Counter[Kind]:
    """The readers of a sequence; those in no cohort by their receipts."""
    cohort: Any = col(Subscription.cohort_id)
    is_lost: ColumnElement[bool] = cohort.is_(None)
    if session.exec(select(Displaced.id).limit(1)).first() is not None:
        is_lost = is_lost | is_displaced()
        cohort = case((is_lost, null()), else_=cohort)
    counts = sql_select(cohort.label("cohort"), func.count()).where(theirs).group_by("cohort")
    sizes = {row[0]: row[1] for row in session.execute(counts)}
    had = cohorts_of(session, category)
    kinds: Counter[Kind] = Counter()
    for number, size in sizes.items():
        if number is not None:
            kinds[Kind(_only(category), had[number])] += size
    if None in sizes:
        kinds += _kinds_by_receipts(session, [category], theirs & is_lost)
    return kinds


def _kinds_by_receipts(
    session: Session, categories: Sequence[Category], which: ColumnElement[bool] | None = None
) -> Counter[Kind]:
    """The readers of categories, as their receipts say; only of `which` subscriptions."""
    theirs = _standings(categories, which)
    had = posts_had(theirs.c.reader, queue_of(*categories)).label("had")
    each = sql_select(theirs.c.standing, had).subquery()
    rows = sql_select(each.c.standing, each.c.had, func.count()).group_by(each.c.standing, each.c.had)
    kinds: Counter[Kind] = Counter()
    for standing, posts, readers in session.execute(rows):
        kinds[Kind(parse_standing(standing), ids_in(posts))] += readers
    return kinds


def _standings(categories: Sequence[Category], which: ColumnElement[bool] | None) -> Subquery:
    """Readers by their numbers, and what they subscribe to of these categories."""
    slugs = [category.slug for category in categories]
    wanted = col(Subscription.category).in_(slugs) & col(Subscription.state).in_(LIVE)
    return (
        sql_select(
            col(Subscription.subscriber_id).label("reader"),
            func.aggregate_strings(told_subscription(), " ").label("standing"),
        )
        .where(wanted if which is None else wanted & which)
        .group_by(col(Subscription.subscriber_id))
        .subquery()
    )


def _kinds_with_wishes(
    session: Session,
    categories: Sequence[Category],
    which: ColumnElement[bool],
    usual: Wish,
    now: datetime,
) -> Counter[Kind]:
    """Readers with all that their letters follow from."""
    theirs = _standings(categories, which)
    monday, _ = week_of((now - _DAY).date())  # some zones are a day behind
    each = (
        sql_select(
            theirs.c.standing,
            posts_had(theirs.c.reader, queue_of(*categories)).label("had"),
            told_wish().label("wish"),
            days_of_letters(monday, usual).label("letters"),
            posts_kept().label("kept"),
        )
        .join(Subscriber, col(Subscriber.id) == theirs.c.reader)
        .subquery()
    )
    columns = (each.c.standing, each.c.had, each.c.wish, each.c.letters, each.c.kept)
    kinds: Counter[Kind] = Counter()
    for standing, had, told, letters, kept, readers in session.execute(
        sql_select(*columns, func.count()).group_by(*columns)
    ):
        wish = parse_wish(told, usual)
        days = sorted(map(date.fromisoformat, letters.split())) if wish.cap else ()
        posts = frozenset(map(parse_kept, filter(None, kept.split(";"))))
        kinds[Kind(parse_standing(standing), ids_in(had), wish, tuple(days), posts)] += readers
    return kinds
