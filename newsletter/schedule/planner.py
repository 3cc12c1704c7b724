"""From a slot to its issue: who gets which post, written in one transaction.

What is due is decided by pure functions of the cadence and of the slots already decided; who gets what is
decided by the database in set-based statements, so that the cost grows with the rows written. Everything
is keyed: a second planner, or the same one after a crash, finds the issue there and does nothing.

May surprise: an issue holds its category's row until it is written, so that a category is never changed or
removed half-way through; a post that a template cannot show holds its slot back for every reader.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile

from sqlalchemy import (
    func,
    insert,
    literal,
    update,
)
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.content.queue import entries
from newsletter.database import Database
from newsletter.errors import ContentError, PaperroundError, TemplateError
from newsletter.models import Category, Delivery, Edition, EditionPost, Issue, Post, QueueEntry, Receipt
from newsletter.render.edition import Occasion
from newsletter.schedule.archive import before_post
from newsletter.schedule.categories import Stream, locked, streams_of
from newsletter.schedule.picker import (
    CHOSEN,
    SIMULATED,
    SIMULATING,
    WRITTEN,
    choose,
    letter_key,
    owed_deliveries,
    temporary,
)
from newsletter.schedule.timetable import SLOT_FORMAT, Slot, timetable_of
from newsletter.states import EntryState, IssueState, Mode

MakeEdition = Callable[[Occasion, Sequence[Post], datetime], Edition]
"""`EditionMaker.make`: renders an issue's posts, in one edition."""


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


_DAY = timedelta(days=1)
"""More than any zone is away from UTC."""


class _QueueMovedError(Exception):
    """The chosen entry changed between the choice and the transaction: choose again."""


def slots_to_decide(undecided: Iterable[Slot], now: datetime, catch_up: timedelta) -> list[Slot]:
    """What to do with the slots due by `now`, of which nothing was decided yet, oldest first.

    Of several missed ones only the newest is caught up, and only if it is not older than `catch_up`; two that
    share an instant, as they may where clocks go forward, are both the newest. Those on days that are skipped
    do not count.
    """
    due_now = list(takewhile(lambda slot: slot.due_at <= now, undecided))
    newest = max((slot.due_at for slot in due_now if not slot.left_out), default=now)
    return [
        slot
        if slot.left_out or (slot.due_at == newest and now - newest <= catch_up)
        else replace(slot, left_out=f"found {_ago(now - slot.due_at)} late")
        for slot in due_now
    ]


class Planner:
    """Plans the slots of one site's categories."""

    def __init__(
        self,
        database: Database,
        make_edition: MakeEdition,
        *,
        base_url: str,
        catch_up: timedelta,
        expiry: timedelta,
        canary_every: int | None = None,
    ):
        """`canary_every` k gives an issue's letters whose number k divides a start before the others.

        An issue of fewer letters has as many for its k: of n numbers in a row n divides one.
        """
        self._database = database
        self._make_edition = make_edition
        self._base_url = base_url
        self._catch_up = catch_up
        self._expiry = expiry
        self._canary_every = canary_every

    def plan_due(self, now: datetime) -> list[PlannedIssue | PlanFailure]:
        """Decide every slot due by `now`. Safe to run beside itself and to repeat.

        A slot whose post or template is broken is reported, and stays due: it goes out once that is mended.
        """
        with self._database.read() as session:
            streams = streams_of(session)
            work = [(stream, self._due(session, stream, now)) for stream in streams]
        found = ((slot.due_at, stream, slot) for stream, slots in work for slot in slots)
        planned = [
            self._decide(stream, slot, now)
            for _, stream, slot in sorted(found, key=lambda item: (item[0], item[1].category.slug))
        ]
        return [issue for issue in planned if issue is not None]

    def _due(self, session: Session, stream: Stream, now: datetime) -> list[Slot]:
        """The category's slots up to `now`, and what is to be done with them."""
        return slots_to_decide(_undecided(session, stream, now), now, self._catch_up)

    def _decide(self, stream: Stream, slot: Slot, now: datetime) -> PlannedIssue | PlanFailure | None:
        """Write what becomes of one slot; None if another planner was first or the category has changed."""
        while True:
            try:
                with self._database.write() as session:
                    return self._write_issue(session, stream, slot, now)
            except _QueueMovedError:
                continue
            except (ContentError, TemplateError) as error:
                return PlanFailure(stream.category.slug, slot.key, error)

    def _write_issue(self, session: Session, read: Stream, slot: Slot, now: datetime) -> PlannedIssue | None:
        category = locked(session, read.category)
        if category is None or timetable_of(session, category) != read.timetable:
            return None  # no slot of it any more: the next pass reads the category anew
        issue_id = self._insert_issue(session, category, slot, now)
        if issue_id is None:
            return None
        posts: tuple[Post, ...] = ()
        readers = 0
        if not slot.left_out:
            with temporary(session, CHOSEN):
                queue = entries(session, category, (EntryState.QUEUED,))
                posts = self._write_receipts(session, category, issue_id, queue)
                queued = [post for _, post in queue]
                stream = Stream(category, read.timetable)
                self._write_editions(session, stream, slot, issue_id, posts, queued, now)
                readers = self._write_deliveries(session, category, slot, issue_id)
        planned = _decided(category, slot, posts, readers, issue_id)
        session.execute(
            update(Issue)
            .where(col(Issue.id) == issue_id)
            .values(
                state=planned.state,
                reason=planned.reason,
                canary_every=min(self._canary_every, readers) if self._canary_every and readers else None,
                finished_at=None if planned.readers else now,
            )
        )
        return planned

    def _insert_issue(self, session: Session, category: Category, slot: Slot, now: datetime) -> int | None:
        """Take the slot; None if it is taken. What it comes to is written when it is known."""
        statement = (
            self._database.insert(Issue)
            .values(
                category_id=category.id,
                slot=slot.key,
                due_at=slot.due_at,
                state=IssueState.PLANNED,
                reason="",
                planned_at=now,
                expires_at=now + self._expiry,
            )
            .on_conflict_do_nothing(index_elements=["category_id", "slot"])
            .returning(col(Issue.id))
        )
        issue_id: int | None = session.execute(statement).scalar_one_or_none()
        return issue_id

    def _write_receipts(
        self, session: Session, category: Category, issue_id: int, queued: Sequence[tuple[QueueEntry, Post]]
    ) -> tuple[Post, ...]:
        """Choose, and give receipts in subscriber order; returns the posts of this issue in their order."""
        if not queued:
            return ()
        if category.mode == Mode.BROADCAST:
            _issue_entry(session, queued[0][0], issue_id)
        posts, _ = choose(session, category, [post for _, post in queued], WRITTEN)
        rows = sql_select(*CHOSEN.c, literal(letter_key(issue_id))).order_by(CHOSEN.c.subscriber_id)
        session.execute(
            self._database.insert(Receipt)
            .from_select(["subscriber_id", "post_id", "letter_key"], rows)
            .on_conflict_do_nothing()
        )
        return posts

    def _write_editions(
        self,
        session: Session,
        stream: Stream,
        slot: Slot,
        issue_id: int,
        posts: Sequence[Post],
        queue: Sequence[Post],
        now: datetime,
    ) -> None:
        category, following = stream.category, stream.timetable.next_after(slot)
        for post in posts:
            place = _place(post, queue)
            previous = before_post(session, category, queue[:place])
            occasion = Occasion(
                category=category.slug,
                title=category.title,
                slot=slot.local,
                issue_id=issue_id,
                previous=previous.neighbour(self._base_url) if previous else None,
                next_date=following.local.date() if following and place < len(queue) - 1 else None,
            )
            edition = self._make_edition(occasion, [post], now)
            session.add(edition)
            session.flush()
            session.add(
                EditionPost(
                    edition_id=edition.id, place=0, post_id=post.id, path=post.path, source=post.source
                )
            )
        session.flush()

    def _write_deliveries(self, session: Session, category: Category, slot: Slot, issue_id: int) -> int:
        owed = owed_deliveries(category.slug, issue_id, slot.due_at)
        columns = [str(column.key) for column in owed.selected_columns]
        # The number of an INSERT's rows is kept only on request.
        written = session.execute(
            insert(Delivery).from_select(columns, owed), execution_options={"preserve_rowcount": True}
        )
        return int(written.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every INSERT

    def upcoming(self, now: datetime, until: datetime, *, reader: int | None = None) -> list[PlannedIssue]:
        """What every slot up to `until` will come to, if nothing changes; keeps nothing.

        For one `reader`, by their number, what it comes to for them: the slots at which they get a letter.
        Who gets what is worked out as `plan_due` does, with receipts in a table of this session's own. Slots
        already missed at `now` come first, as `plan_due` would treat them.
        """
        with self._database.read() as session, temporary(session, CHOSEN, SIMULATED):
            streams = streams_of(session)
            simulation = _Simulation(session, [stream.category for stream in streams])
            agenda: list[tuple[Slot, Category]] = []
            for stream in streams:
                later = takewhile(lambda slot: slot.due_at <= until, _undecided(session, stream, now))
                slots = [*self._due(session, stream, now), *(slot for slot in later if slot.due_at > now)]
                agenda += [(slot, stream.category) for slot in slots]
            agenda.sort(key=lambda item: (item[0].due_at, item[1].slug))
            coming = [simulation.decide(category, slot, reader) for slot, category in agenda]
            return [issue for issue in coming if reader is None or issue.readers]


class _Simulation:
    """The queues run forward: receipts go to a temporary table, issued posts are struck off here."""

    def __init__(self, session: Session, categories: Sequence[Category]) -> None:
        self._session = session
        self._queues = {
            category.slug: [post for _, post in entries(session, category, (EntryState.QUEUED,))]
            for category in categories
        }

    def decide(self, category: Category, slot: Slot, reader: int | None) -> PlannedIssue:
        """What the slot will come to, for all readers or for one."""
        queue = self._queues[category.slug]
        if slot.left_out or not queue:
            return _decided(category, slot, (), 0)
        posts, readers = choose(self._session, category, queue, SIMULATING, reader)
        if category.mode == Mode.BROADCAST:
            del queue[0]
        # Who had a post need be remembered only where a queue will ask for it again.
        waiting = {post.id for queue in self._queues.values() for post in queue}
        if any(post.id in waiting for post in posts):
            self._session.execute(
                insert(SIMULATED).from_select(["subscriber_id", "post_id"], sql_select(CHOSEN))
            )
        return _decided(category, slot, posts, readers)


def _place(post: Post, queue: Sequence[Post]) -> int:
    """Where a post stands; at the end if it was queued since the queue was read."""
    return next((number for number, other in enumerate(queue) if other.id == post.id), len(queue))


def _undecided(session: Session, stream: Stream, now: datetime) -> Iterator[Slot]:
    """Every slot that has no issue, ascending, from the last one decided by `now` on."""
    category = stream.category
    last = session.exec(
        select(func.max(col(Issue.due_at))).where(
            col(Issue.category_id) == category.id, col(Issue.due_at) <= now
        )
    ).one()
    # Slots may share a due instant where clocks go forward, so the last one's instant is looked at again.
    start = max(category.slots_from, last) if last else category.slots_from
    # By slot and not by instant: a category that came back in another zone has the same wall clock again.
    decided = set(
        session.exec(
            select(col(Issue.slot)).where(
                col(Issue.category_id) == category.id,
                col(Issue.slot) >= (start - _DAY).strftime(SLOT_FORMAT),
            )
        )
    )
    return (slot for slot in stream.timetable.slots(start) if slot.key not in decided)


def _decided(
    category: Category,
    slot: Slot,
    posts: tuple[Post, ...],
    readers: int,
    issue_id: int | None = None,
) -> PlannedIssue:
    if slot.left_out:
        state, reason = IssueState.SKIPPED, slot.left_out
    elif posts:
        state, reason = IssueState.PLANNED, ""
    elif category.mode == Mode.BROADCAST:
        state, reason = IssueState.EMPTY, "nothing is queued"
    else:
        state, reason = IssueState.EMPTY, "nothing is queued that a reader lacks"
    return PlannedIssue(
        category.slug, slot.key, category.timezone, slot.due_at, state, posts, readers, reason, issue_id
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
