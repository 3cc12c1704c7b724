"""From a slot to its issue: who gets which post, written in one transaction.

What is due is decided by pure functions of the cadence and of the slots already decided; who gets what is
decided by the database in set-based statements, so that the cost grows with the rows written. Everything
is keyed: a second planner, or the same one after a crash, finds the issue there and does nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import Select, exists, func, insert, literal, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.queue import entries
from newsletter.database import Database
from newsletter.errors import ContentError, PaperroundError, TemplateError
from newsletter.models import Category, Delivery, Edition, EditionPost, Issue, Post, QueueEntry, Receipt
from newsletter.schedule.cadence import due_slots
from newsletter.schedule.categories import all_categories, anchor_of, cadence_of, zone_of
from newsletter.states import DeliveryState, EntryState, IssueState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Subscription, SubscriptionState

SLOT_FORMAT = "%Y-%m-%dT%H:%M"
"""How a slot is written: local wall-clock time."""

MakeEdition = Callable[[Category, datetime, int, Sequence[Post], datetime], Edition]
"""`EditionMaker.make`: renders an issue's posts, in one edition."""


@dataclass(frozen=True, slots=True)
class DueSlot:
    """One slot of a category; `is_skipped` if it is too late to be caught up."""

    slot: datetime
    due_at: datetime
    is_skipped: bool = False

    @property
    def key(self) -> str:
        """What the issue is known by."""
        return self.slot.strftime(SLOT_FORMAT)


@dataclass(frozen=True, slots=True)
class PlannedIssue:
    """What a slot came to, or will come to."""

    category: str
    slot: str
    timezone: str
    due_at: datetime
    state: IssueState
    posts: tuple[Post, ...]
    readers: int
    reason: str = ""
    issue_id: int | None = None


@dataclass(frozen=True, slots=True)
class PlanFailure:
    """A slot that could not be written, and why; it stays due."""

    category: str
    slot: str
    error: PaperroundError


Rows = Select[*tuple[Any, ...]]
"""A SELECT whose rows are used inside the database."""


class _QueueMovedError(Exception):
    """The chosen entry changed between the choice and the transaction: choose again."""


def slots_to_decide(
    coming: Iterator[tuple[datetime, datetime]], decided: set[str], now: datetime, catch_up: timedelta
) -> list[DueSlot]:
    """Which of the slots due by `now` are still to be decided, oldest first.

    Of several missed ones only the newest is caught up, and only if it is not older than `catch_up`.
    `coming` gives (due, slot), ascending.
    """
    missed = [
        DueSlot(slot, due)
        for due, slot in takewhile(lambda pair: pair[0] <= now, coming)
        if slot.strftime(SLOT_FORMAT) not in decided
    ]
    return [
        DueSlot(m.slot, m.due_at, is_skipped=m is not missed[-1] or now - m.due_at > catch_up) for m in missed
    ]


class Planner:
    """Plans the slots of one site's categories."""

    def __init__(
        self, database: Database, make_edition: MakeEdition, *, catch_up: timedelta, expiry: timedelta
    ):
        self._database = database
        self._make_edition = make_edition
        self._catch_up = catch_up
        self._expiry = expiry

    def plan_due(self, now: datetime) -> list[PlannedIssue | PlanFailure]:
        """Decide every slot due by `now`. Safe to run beside itself and to repeat.

        A slot whose post or template is broken is reported, and stays due: it goes out once that is mended.
        """
        with self._database.read() as session:
            work = [(category, self._due(session, category, now)) for category in all_categories(session)]
        found = ((slot.due_at, category, slot) for category, slots in work for slot in slots)
        planned = [
            self._decide(category, slot, now)
            for _, category, slot in sorted(found, key=lambda item: (item[0], item[1].slug))
        ]
        return [issue for issue in planned if issue is not None]

    def _due(self, session: Session, category: Category, now: datetime) -> list[DueSlot]:
        """The category's undecided slots up to `now`."""
        last = session.exec(
            select(func.max(col(Issue.due_at))).where(
                col(Issue.category_id) == category.id, col(Issue.due_at) <= now
            )
        ).one()
        start = max(category.slots_from, last) if last else category.slots_from
        # Slots may share a due instant where clocks go forward, so the last one's instant is looked at again.
        decided = session.exec(
            select(col(Issue.slot)).where(col(Issue.category_id) == category.id, col(Issue.due_at) >= start)
        )
        coming = due_slots(cadence_of(category), zone_of(category), start, anchor=anchor_of(category))
        return slots_to_decide(coming, set(decided), now, self._catch_up)

    def _decide(self, category: Category, slot: DueSlot, now: datetime) -> PlannedIssue | PlanFailure | None:
        """Write what becomes of one slot; None if another planner was first."""
        while True:
            try:
                with self._database.write() as session:
                    return self._write_issue(session, category, slot, now)
            except _QueueMovedError:
                continue
            except (ContentError, TemplateError) as error:
                return PlanFailure(category.slug, slot.key, error)

    def _write_issue(
        self, session: Session, category: Category, slot: DueSlot, now: datetime
    ) -> PlannedIssue | None:
        posts = [] if slot.is_skipped else self._candidates(session, category)
        if slot.is_skipped:
            state, reason = IssueState.SKIPPED, f"found {_ago(now - slot.due_at)} late"
        elif posts:
            state, reason = IssueState.PLANNED, ""
        else:
            state, reason = IssueState.EMPTY, "nothing is queued"
        issue_id = self._insert_issue(session, category, slot, state, reason, now)
        if issue_id is None:
            return None
        readers = self._write_letters(session, category, slot, issue_id, posts, now) if posts else 0
        return PlannedIssue(
            category=category.slug,
            slot=slot.key,
            timezone=category.timezone,
            due_at=slot.due_at,
            state=state,
            posts=tuple(post for _, post in posts),
            readers=readers,
            reason=reason,
            issue_id=issue_id,
        )

    def _candidates(self, session: Session, category: Category) -> list[tuple[QueueEntry, Post]]:
        """The posts this slot may send: the queue's head, or in sequence mode every post someone lacks."""
        queued = entries(session, category, (EntryState.QUEUED,))
        if category.mode == Mode.BROADCAST:
            return queued[:1]
        wanted = set(
            session.execute(sql_select(_next_unread(category.slug, 1).c.post_id).distinct()).scalars()
        )
        return [(entry, post) for entry, post in queued if post.id in wanted]

    def _insert_issue(
        self,
        session: Session,
        category: Category,
        slot: DueSlot,
        state: IssueState,
        reason: str,
        now: datetime,
    ) -> int | None:
        statement = (
            self._database.insert(Issue)
            .values(
                category_id=category.id,
                slot=slot.key,
                due_at=slot.due_at,
                state=state,
                reason=reason,
                planned_at=now,
            )
            .on_conflict_do_nothing(index_elements=["category_id", "slot"])
            .returning(col(Issue.id))
        )
        issue_id: int | None = session.execute(statement).scalar_one_or_none()
        return issue_id

    def _write_letters(
        self,
        session: Session,
        category: Category,
        slot: DueSlot,
        issue_id: int,
        posts: Sequence[tuple[QueueEntry, Post]],
        now: datetime,
    ) -> int:
        """Editions, then receipts in subscriber order, then deliveries; returns the number of readers."""
        for entry, post in posts:
            edition = self._make_edition(category, slot.slot, issue_id, [post], now)
            session.add(edition)
            session.flush()
            session.add(EditionPost(edition_id=edition.id, place=0, post_id=post.id))
            if category.mode == Mode.BROADCAST:
                _issue_entry(session, entry, issue_id)
        session.flush()
        letter_key = f"issue:{issue_id}"
        if category.mode == Mode.BROADCAST:
            chosen = _lacking(category.slug, posts[0][1].id)
        else:
            unread = _next_unread(category.slug, 1)
            offered = [post.id for _, post in posts]
            chosen = sql_select(unread.c.subscriber_id, unread.c.post_id).where(unread.c.post_id.in_(offered))
        rows = chosen.add_columns(literal(letter_key)).order_by("subscriber_id")
        session.execute(
            self._database.insert(Receipt)
            .from_select(["subscriber_id", "post_id", "letter_key"], rows)
            .on_conflict_do_nothing()
        )
        owed = _owed(category.slug, issue_id, letter_key, slot.due_at, now + self._expiry)
        columns = [str(column.key) for column in owed.selected_columns]
        written = session.execute(insert(Delivery).from_select(columns, owed))
        return int(written.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every INSERT

    def upcoming(self, now: datetime, until: datetime) -> list[PlannedIssue]:
        """What every slot up to `until` will come to, if nothing changes; writes nothing.

        The same statements that write the issues are asked to count. Slots already missed at `now` come
        first, as `plan_due` would treat them.
        """
        with self._database.read() as session:
            simulations = [_Simulation(session, category) for category in all_categories(session)]
            agenda = []
            for simulation in simulations:
                category = simulation.category
                agenda += [
                    (slot.due_at, category.slug, slot, simulation)
                    for slot in self._due(session, category, now)
                ]
                coming = due_slots(
                    cadence_of(category),
                    zone_of(category),
                    max(category.slots_from, now),
                    anchor=anchor_of(category),
                )
                agenda += [
                    (due, category.slug, DueSlot(slot, due), simulation)
                    for due, slot in takewhile(lambda pair: pair[0] <= until, coming)
                    if due > now
                ]
            agenda.sort(key=lambda item: item[:2])
            given: list[tuple[str, int]] = []
            return [simulation.decide(slot, given) for _, _, slot, simulation in agenda]


class _Simulation:
    """One category's queue, run forward without writing."""

    def __init__(self, session: Session, category: Category) -> None:
        self._session = session
        self.category = category
        self._queue = [post for _, post in entries(session, category, (EntryState.QUEUED,))]
        self._round = 0

    def decide(self, slot: DueSlot, given: list[tuple[str, int]]) -> PlannedIssue:
        """What the slot will come to; `given` are the broadcasts simulated so far, and grows by this one."""
        if slot.is_skipped:
            return self._planned(slot, IssueState.SKIPPED, (), 0, "too late to be caught up")
        posts, readers = (
            self._broadcast(given) if self.category.mode == Mode.BROADCAST else self._sequence(given)
        )
        if not posts:
            return self._planned(slot, IssueState.EMPTY, (), 0, "nothing is queued")
        return self._planned(slot, IssueState.PLANNED, posts, readers)

    def _broadcast(self, given: list[tuple[str, int]]) -> tuple[tuple[Post, ...], int]:
        if not self._queue:
            return (), 0
        post = self._queue.pop(0)
        earlier = [slug for slug, post_id in given if post_id == post.id]
        lacking = _lacking(self.category.slug, post.id, earlier)
        readers = self._session.execute(sql_select(func.count()).select_from(lacking.subquery())).scalar_one()
        given.append((self.category.slug, post.id))
        return (post,), readers

    def _sequence(self, given: list[tuple[str, int]]) -> tuple[tuple[Post, ...], int]:
        self._round += 1
        unread = _next_unread(self.category.slug, self._round, given)
        counts = self._session.execute(
            sql_select(unread.c.post_id, func.count()).group_by(unread.c.post_id)
        ).all()
        readers = {post_id: count for post_id, count in counts}
        return tuple(post for post in self._queue if post.id in readers), sum(readers.values())

    def _planned(
        self, slot: DueSlot, state: IssueState, posts: tuple[Post, ...], readers: int, reason: str = ""
    ) -> PlannedIssue:
        category = self.category
        return PlannedIssue(
            category.slug, slot.key, category.timezone, slot.due_at, state, posts, readers, reason
        )


def _active(slug: str) -> Any:
    return (col(Subscription.category) == slug) & (col(Subscription.state) == SubscriptionState.ACTIVE)


def _lacking(slug: str, post_id: int, also_given_to: Sequence[str] = ()) -> Rows:
    """(subscriber_id, post_id) of the category's active readers who have no receipt for the post.

    `also_given_to` are categories whose readers count as having it, for simulations.
    """
    had = exists().where(
        col(Receipt.subscriber_id) == col(Subscription.subscriber_id), col(Receipt.post_id) == post_id
    )
    statement: Rows = sql_select(
        col(Subscription.subscriber_id).label("subscriber_id"), literal(post_id).label("post_id")
    ).where(_active(slug), ~had)
    if also_given_to:
        others = sql_select(col(Subscription.subscriber_id)).where(
            col(Subscription.category).in_(also_given_to),
            col(Subscription.state) == SubscriptionState.ACTIVE,
        )
        statement = statement.where(col(Subscription.subscriber_id).not_in(others))
    return statement


def _next_unread(slug: str, nth: int, given: Sequence[tuple[str, int]] = ()) -> Any:
    """(subscriber_id, post_id) of each active reader's `nth` queued post without a receipt, as a subquery."""
    had = exists().where(
        col(Receipt.subscriber_id) == col(Subscription.subscriber_id),
        col(Receipt.post_id) == col(QueueEntry.post_id),
    )
    statement = (
        sql_select(
            col(Subscription.subscriber_id).label("subscriber_id"),
            col(QueueEntry.post_id).label("post_id"),
            func.row_number()
            .over(
                partition_by=col(Subscription.subscriber_id),
                order_by=(col(QueueEntry.position), col(QueueEntry.id)),
            )
            .label("nth"),
        )
        .select_from(Subscription)
        .join(Category, col(Category.slug) == col(Subscription.category))
        .join(
            QueueEntry,
            (col(QueueEntry.category_id) == col(Category.id)) & (col(QueueEntry.state) == EntryState.QUEUED),
        )
        .where(_active(slug), ~had)
    )
    for other, post_id in given:
        readers = sql_select(col(Subscription.subscriber_id)).where(_active(other)).correlate(None)
        statement = statement.where(
            (col(QueueEntry.post_id) != post_id) | col(Subscription.subscriber_id).not_in(readers)
        )
    numbered = statement.subquery()
    return sql_select(numbered.c.subscriber_id, numbered.c.post_id).where(numbered.c.nth == nth).subquery()


def _owed(slug: str, issue_id: int, letter_key: str, due_at: datetime, expires_at: datetime) -> Rows:
    """The deliveries that this letter's receipts call for, by the names of the ledger's columns."""
    return (
        sql_select(
            col(Receipt.subscriber_id),
            literal(issue_id).label("issue_id"),
            col(EditionPost.edition_id),
            literal(slug).label("category"),
            col(Receipt.letter_key),
            literal(DeliveryState.QUEUED.value).label("state"),
            literal(due_at, UTCDateTime()).label("due_at"),
            literal(expires_at, UTCDateTime()).label("expires_at"),
            literal(0).label("attempts"),
        )
        .select_from(Subscription)
        .join(Receipt, col(Receipt.subscriber_id) == col(Subscription.subscriber_id))
        .join(EditionPost, col(EditionPost.post_id) == col(Receipt.post_id))
        .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
        .where(_active(slug), col(Receipt.letter_key) == letter_key, col(Edition.issue_id) == issue_id)
        .order_by(col(Receipt.subscriber_id))
    )


def _issue_entry(session: Session, entry: QueueEntry, issue_id: int) -> None:
    """Take a post out of a broadcast queue; raises if it was held or dropped in the meantime."""
    taken = session.execute(
        update(QueueEntry)
        .where(col(QueueEntry.id) == entry.id, col(QueueEntry.state) == EntryState.QUEUED)
        .values(state=EntryState.ISSUED, issue_id=issue_id)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE
        raise _QueueMovedError


def _ago(age: timedelta) -> str:
    hours = int(age.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"
