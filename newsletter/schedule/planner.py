"""From a slot to its issue: who gets which post, written in one transaction.

What is due is decided by pure functions of the cadence and of the slots already decided; who gets what is
decided by the database in set-based statements, so that the cost grows with the rows written. Everything
is keyed: a second planner, or the same one after a crash, finds the issue there and does nothing.

May surprise: an issue holds its category's row until it is written, so that a category is never changed or
removed half-way through; a post that a template cannot show holds its slot back for every reader.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile

from sqlalchemy import update
from sqlmodel import Session, col

from newsletter.content.history import PLANNER, Action, Editor, record
from newsletter.content.readiness import Waiting
from newsletter.database import Database
from newsletter.delivery.outcome import printable
from newsletter.errors import ContentError, PaperroundError, TemplateError
from newsletter.models import (
    Category,
    FailedSlot,
    Issue,
    QueueEntry,
)
from newsletter.render.edition import Occasion
from newsletter.schedule.apart import Offered, coming_of, departures_of, set_apart
from newsletter.schedule.archive import before_post
from newsletter.schedule.categories import Stream, line_of, locked, streams_of
from newsletter.schedule.choice import PostIds, goes_on, letter_for, offered, posts_of_issue, why_empty
from newsletter.schedule.cohorts import advance, disband, settle
from newsletter.schedule.digests import is_any_ready, write_digests
from newsletter.schedule.due import failed_slots, slots_to_decide, undecided
from newsletter.schedule.editions import MakeEdition, write_edition
from newsletter.schedule.foretelling import foretold
from newsletter.schedule.future import Given, future_of
from newsletter.schedule.picker import SCRATCH, GroupLetter, MovedError, choose, give
from newsletter.schedule.planned import PlanFailure, PlannedIssue, decided, of_written
from newsletter.schedule.readers import has_wishes
from newsletter.schedule.scratch import scratch_tables
from newsletter.schedule.timetable import Slot, due_for, latest_due, timetable_of
from newsletter.schedule.welcome import is_owed, write_welcome
from newsletter.schedule.wishes import EVERY_ISSUE, HORIZON, Coming, Wish
from newsletter.states import DIGEST, EntryState, IssueKind, IssueState, Mode
from subscribers.pauses import resume_due

_TRIES = 3
"""How often others may come first before the cohorts are doubted."""


class Planner:
    """Plans the slots of one site's categories."""

    def __init__(
        self,
        database: Database,
        make_edition: MakeEdition,
        *,
        base_url: str,
        catch_up: timedelta,
        patience: timedelta,
        expiry: timedelta,
        canary_every: int | None = None,
        usual: Wish = EVERY_ISSUE,
    ):
        """`patience` is how long a slot whose post or template is broken waits for the mend.

        `canary_every` k gives an issue's letters whose number k divides a start before the others. An issue
        of fewer letters has as many for its k: of n numbers in a row n divides one. `usual` is what readers
        have who wish nothing else.
        """
        self._database = database
        self._make_edition = make_edition
        self._base_url = base_url
        self._catch_up = catch_up
        self._patience = patience
        self._expiry = expiry
        self._canary_every = canary_every
        self._usual = usual

    def plan_due(self, now: datetime) -> list[PlannedIssue | PlanFailure]:
        """Decide every slot due by `now`, welcome newcomers, make digests that are ready.

        Safe to run beside itself and to repeat.

        A slot whose post or template is broken is reported, and stays due: it goes out once that is mended,
        unless that takes too long or the next slot comes first, which has the same post then.
        """
        with self._database.read() as session:
            streams = streams_of(session)
            work = [(stream, self._due(session, stream, now)) for stream in streams]
            newcomers = [stream for stream in streams if is_owed(session, stream.category)]
            later = self._later(session, work, now) if has_wishes(session, self._usual) else None
        found = ((slot.due_at, stream, slot) for stream, slots in work for slot in slots)
        planned = []
        for _, stream, slot in sorted(found, key=lambda item: (item[0], item[1].category.slug)):
            if later is not None:
                later = [
                    other
                    for other in later
                    if (other.category, other.key) != (stream.category.slug, slot.key)
                ]
            planned.append(self._decide(stream, slot, later, now))
        planned += [self._welcome(stream, now) for stream in newcomers]
        return [*(issue for issue in planned if issue is not None), *self._write_digests(now)]

    def _later(
        self, session: Session, work: Sequence[tuple[Stream, Sequence[Slot]]], now: datetime
    ) -> list[Coming]:
        """The slots to come, of those due now the ones in `work`."""
        coming: list[Coming] = []
        for stream, due in work:
            slots = [*due, *self._until(session, stream, now, now + HORIZON)]
            coming += self._coming(session, stream, slots)
        return sorted(coming)

    def _coming(self, session: Session, stream: Stream, slots: Sequence[Slot]) -> list[Coming]:
        """A category's slots as readers' wishes look at them.

        Neither one that is left out nor one that has failed keeps a letter waiting.
        """
        failed = failed_slots(session, stream.category, self._patience)
        return [
            coming_of(stream.category, slot) for slot in slots if not slot.left_out and slot.key not in failed
        ]

    def _until(self, session: Session, stream: Stream, now: datetime, until: datetime) -> list[Slot]:
        """The category's slots after `now`, up to an instant."""
        coming = takewhile(lambda slot: slot.due_at <= until, undecided(session, *stream, now))
        return [slot for slot in coming if slot.due_at > now]

    def _write_digests(self, now: datetime) -> list[PlannedIssue | PlanFailure]:
        """Make the digests that are ready."""
        with self._database.read() as session:
            if not is_any_ready(session, now):
                return []
        with self._database.write() as session:
            work = [(stream, self._due(session, stream, now)) for stream in streams_of(session)]
            digests = write_digests(
                session,
                self._database,
                self._make_edition,
                later=self._later(session, work, now),
                usual=self._usual,
                now=now,
                expiry=self._expiry,
                patience=self._patience,
            )
        return [of_written(digest) for digest in digests]

    def _welcome(self, stream: Stream, now: datetime) -> PlannedIssue | PlanFailure | None:
        """Write the letter for those who have just joined; None if another planner was first."""
        try:
            with self._database.write() as session:
                category = locked(session, stream.category)
                if category is None or not is_owed(session, category):
                    return None
                done = write_welcome(
                    session,
                    self._database,
                    self._make_edition,
                    category,
                    stream.timetable,
                    now=now,
                    expiry=self._expiry,
                )
        except MovedError:
            return None  # the next pass looks anew
        except (ContentError, TemplateError) as error:
            return PlanFailure(stream.category.slug, "welcome", error)
        if done is None:
            return None
        slot = Slot(done.minute, now)
        return decided(category, slot, Given((done.post,), done.readers), done.issue_id)

    def _due(self, session: Session, stream: Stream, now: datetime) -> list[Slot]:
        """The category's slots up to `now`, and what is to be done with them."""
        failed = failed_slots(session, stream.category, self._patience)
        return slots_to_decide(undecided(session, *stream, now), now, self._catch_up, failed)

    def _decide(
        self, stream: Stream, slot: Slot, later: Sequence[Coming] | None, now: datetime
    ) -> PlannedIssue | PlanFailure | None:
        """Write what becomes of one slot; None if another planner was first or the category has changed.

        `later` are the slots to come, None where no reader's letter can wait for them.
        """
        tries = 0
        while True:
            try:
                if not slot.left_out:
                    self._prepare(stream.category, slot, afresh=tries >= _TRIES)
                with self._database.write() as session:
                    return self._write_issue(session, stream, slot, later, now)
            except MovedError:
                tries += 1
            except (ContentError, TemplateError) as error:
                self._note_failure(stream.category, slot, error, now)
                return PlanFailure(stream.category.slug, slot.key, error)

    def _prepare(self, category: Category, slot: Slot, *, afresh: bool) -> None:
        """Put the readers in order, by itself: whoever leaves meanwhile need not wait for the issue.

        `afresh` believes no cohort: those of a category that do not agree with the receipts are found again.
        """
        with self._database.write() as session:
            if afresh:
                disband(session, category)
            resume_due(session, category.slug, slot.local.date())
            settle(session, category)

    def _note_failure(self, read: Category, slot: Slot, error: PaperroundError, now: datetime) -> None:
        """Remember what holds a slot back, and since when."""
        with self._database.write() as session:
            category = locked(session, read)
            if category is None:
                return
            words = printable(str(error))
            failure = self._database.insert(FailedSlot).values(
                category_id=category.id, slot=slot.key, failed_at=now, error=words
            )
            keys = ["category_id", "slot"]
            session.execute(failure.on_conflict_do_update(index_elements=keys, set_={"error": words}))

    def _write_issue(
        self, session: Session, read: Stream, slot: Slot, later: Sequence[Coming] | None, now: datetime
    ) -> PlannedIssue | None:
        category = locked(session, read.category)
        if category is None or timetable_of(session, category) != read.timetable:
            return None  # no slot of it any more: the next pass reads the category anew
        issue_id = self._insert_issue(session, category, slot, now)
        if issue_id is None:
            return None
        come_to = Given()
        if not slot.left_out:
            stream = Stream(category, read.timetable)
            come_to = self._write_letters(session, stream, slot, later, issue_id, now)
        planned = decided(category, slot, come_to, issue_id)
        session.execute(
            update(Issue)
            .where(col(Issue.id) == issue_id)
            .values(
                state=planned.state,
                reason=planned.reason,
                canary_every=self._first_share(category, planned.readers - planned.in_digests),
                finished_at=None if planned.readers else now,
            )
        )
        return planned

    def _first_share(self, category: Category, readers: int) -> int | None:
        """None also where readers have their own clocks: nobody's letter waits for the westernmost zone."""
        if self._canary_every is None or category.local_time or not readers:
            return None
        return min(self._canary_every, readers)

    def _insert_issue(self, session: Session, category: Category, slot: Slot, now: datetime) -> int | None:
        """Take the slot; None if it is taken. What it comes to is written when it is known."""
        statement = (
            self._database.insert(Issue)
            .values(
                category_id=category.id,
                kind=IssueKind.SLOT,
                slot=slot.key,
                due_at=slot.due_at,
                state=IssueState.PLANNED,
                reason="",
                planned_at=now,
                expires_at=max(now, latest_due(slot, category)) + self._expiry,
            )
            .on_conflict_do_nothing(index_elements=["category_id", "kind", "slot"])
            .returning(col(Issue.id))
        )
        issue_id: int | None = session.execute(statement).scalar_one_or_none()
        return issue_id

    def _write_letters(
        self,
        session: Session,
        stream: Stream,
        slot: Slot,
        later: Sequence[Coming] | None,
        issue_id: int,
        now: datetime,
    ) -> Given:
        """Write who gets what."""
        category = stream.category
        waiting = line_of(session, category)
        posts = {post.id: post for _, post in waiting}
        offer, most = offered(category, waiting, slot.key), category.posts_per_issue
        if not offer:
            return Given(reason=why_empty(waiting, offer, has_readers=True))
        if category.mode == Mode.BROADCAST:
            taken = [(entry, post) for entry, post in waiting if post.id in offer]
            _issue_entries(session, taken, issue_id, category, slot, now)
        with scratch_tables(session, *SCRATCH):
            groups = choose(session, category, offer)
            found = {group: letter_for(group.had, offer, most) for group in groups}
            letters = {group: letter for group, letter in found.items() if letter}
            # The whole of a broadcast comes first, whoever lacks it: it is what the archive shows.
            whole = offer if category.mode == Mode.BROADCAST else ()
            # The others by their places: a letter names that of the post before, which may be of this issue.
            others = sorted({*letters.values()} - {whole}, key=lambda letter: [*map(offer.index, letter)])
            editions = {
                shown: self._write_edition(session, stream, slot, issue_id, shown, waiting, offer, now)
                for shown in filter(None, [whole, *others])
            }
            given = {group: GroupLetter(letter, editions[letter]) for group, letter in letters.items()}
            due = partial(due_for, slot, category)
            in_digests = 0
            if later is not None:
                days = departures_of(*stream, slot)
                offered_now = Offered(slot, days, later, self._usual)
                in_digests = set_apart(session, category, offered_now, [group.number for group in given])
            give(session, self._database, category, given, issue_id=issue_id, due=due)
        if category.mode == Mode.SEQUENCE:
            advance(session, {group.number: letter for group, letter in letters.items()})
        readers = sum(group.readers for group in letters)
        issued = posts_of_issue(category, offer, letters.values())
        reason = why_empty(waiting, offer, has_readers=bool(groups))
        return Given(tuple(posts[post] for post in issued), readers, in_digests, reason)

    def _write_edition(
        self,
        session: Session,
        stream: Stream,
        slot: Slot,
        issue_id: int,
        shown: PostIds,
        waiting: Waiting,
        offer: PostIds,
        now: datetime,
    ) -> int:
        """Write what readers are shown of these posts of a queue; returns the edition's id."""
        category, following = stream.category, stream.timetable.next_after(slot)
        goes = (pair for pair in waiting if pair[0].state == EntryState.QUEUED or pair[1].id in offer)
        order = {post.id: post for _, post in goes}
        posts, above = [order[post] for post in shown], list(order)[: list(order).index(shown[0])]
        previous = before_post(session, category, order[above[-1]] if above else None)
        is_next = following is not None and goes_on(category, waiting, following.key, offer, shown)
        occasion = Occasion(
            category=category.slug,
            title=category.title,
            slot=slot.local,
            issue_id=issue_id,
            previous=previous.neighbour(self._base_url) if previous else None,
            next_date=following.local.date() if following and is_next else None,
        )
        return write_edition(session, self._make_edition, occasion, posts, now)

    def upcoming(self, now: datetime, until: datetime, *, reader: int | None = None) -> list[PlannedIssue]:
        """What every slot up to `until` will come to, if nothing changes; writes nothing.

        For one `reader`, by their number, what it comes to for them: the slots at which they get a letter.
        Who gets what is decided as `plan_due` does. Slots already missed at `now` come first, as `plan_due`
        would treat them.
        """
        with self._database.read() as session:
            streams = streams_of(session)
            future = future_of(session, [stream.category for stream in streams], self._usual, now, reader)
            horizon = until + HORIZON if future.has_wishes else until
            agenda: list[tuple[Slot, Stream]] = []
            coming: list[Coming] = []
            for stream in streams:
                slots = [*self._due(session, stream, now), *self._until(session, stream, now, horizon)]
                agenda += [(slot, stream) for slot in slots]
                if future.has_wishes:
                    coming += self._coming(session, stream, slots)
        agenda.sort(key=lambda item: (item[0].due_at, item[1].category.slug))
        told = list(foretold(future, agenda, sorted(coming), now, until))
        if reader is None:
            return told
        # What they have by a digest is told with that.
        return [one for one in told if one.category == DIGEST or one.readers > one.in_digests]


def _issue_entries(
    session: Session, taken: Waiting, issue_id: int, category: Category, slot: Slot, now: datetime
) -> None:
    """Take posts out of a broadcast queue; raises if one was held or dropped in the meantime."""
    ids = [entry.id for entry, _ in taken]
    result = session.execute(
        update(QueueEntry)
        .where(col(QueueEntry.id).in_(ids), col(QueueEntry.state) == EntryState.QUEUED)
        .values(state=EntryState.ISSUED, issue_id=issue_id)
    )
    if result.rowcount != len(ids):  # type: ignore[attr-defined]  # a CursorResult, as for every UPDATE
        raise MovedError
    for _, post in taken:
        record(session, Editor(PLANNER, now), Action.ISSUED, category.slug, post.slug, slot.key)
