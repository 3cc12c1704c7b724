"""Bringing the people of a file in: in batches, each in one transaction with how far it has come.

The file is read two or three times, never held. The first time nothing is written: it is found out whether it
can be read to its end, and what is in it. Then whoever left there, or must not be written to, comes in; and
only then the others, so that a refusal wins wherever it stands in the file. As what somebody comes in is told
by `subscribers.moving.coming`.

Killed at any moment and begun again, an import goes on behind its last batch, and comes to what one run would
have come to. Two that import one file at once are told apart by the database: the second gives up.

May surprise: an import never ends or renews a subscription. It gives orders not to write, though, as the
other tool has them, and an order ends whatever there is.
"""

import gc
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from subscribers.arrivals import Arrived, Joined, Tie, foresee, known_among, take_in
from subscribers.base import Clock
from subscribers.errors import PaperroundError
from subscribers.models import ImportRun, SubscriptionState, SuppressionReason
from subscribers.moving.coming import AT_ONCE, SOURCE, Coming, Stage, Wanted, batches
from subscribers.moving.look import Export
from subscribers.moving.people import BadRow
from subscribers.moving.source import CsvError
from subscribers.ports import OpenLetters
from subscribers.suppression import Suppressions


class ImportStoppedError(PaperroundError):
    """Another process brings this file in."""


class Outcome(StrEnum):
    """What came of one person and one category."""

    ACTIVE = "active"
    PENDING = "pending"
    PAUSED = "paused"
    LEFT = "left"
    """Left there: here too, from the beginning."""
    CONFIRMED = "confirmed"
    """Had asked here, and has letters now."""
    ALREADY = "already"
    HAD_LEFT = "had_left"
    """Has left here, and stays out."""
    SUPPRESSED = "suppressed"
    """Is not to be written to, by an order that was here, or that the file gives."""
    DIFFERS = "differs"
    """Has letters here, and left or paused there: that goes on."""


_ANSWERS = {
    Joined.RENEWED: Outcome.CONFIRMED,
    Joined.ALREADY: Outcome.ALREADY,
    Joined.REFUSED_LEFT: Outcome.HAD_LEFT,
    Joined.SUPPRESSED: Outcome.SUPPRESSED,
    Joined.DIFFERS: Outcome.DIFFERS,
}


@dataclass(slots=True)
class Contents:
    """What a file holds."""

    people: int = 0
    bad: int = 0
    first_bad: list[BadRow] = field(default_factory=list)
    states: Counter[tuple[str, SubscriptionState]] = field(default_factory=Counter)
    """How many are on a list in a state."""
    suppressed: Counter[SuppressionReason] = field(default_factory=Counter)
    unlisted: int = 0
    """Who is on no list."""

    @property
    def rows(self) -> int:
        """How many there are, bad ones among them."""
        return self.people + self.bad

    @property
    def lists(self) -> Counter[str]:
        """How many are on each list."""
        found: Counter[str] = Counter()
        for (name, _), count in self.states.items():
            found[name] += count
        return found

    @property
    def stages(self) -> list[Stage]:
        """What there is to do."""
        over = {SubscriptionState.LEFT, SubscriptionState.SUPPRESSED}
        states = {state for _, state in self.states}
        has_refusals = bool(self.suppressed) or not over.isdisjoint(states)
        return [Stage.REFUSALS] * has_refusals + [Stage.OTHERS] * bool(states - over)


@dataclass(slots=True)
class Counts:
    """What came of the rows so far."""

    new: int = 0
    """People who had not been known."""
    orders: int = 0
    """Rows that gave an order not to write."""
    outcomes: dict[str, Counter[Outcome]] = field(default_factory=dict)
    """By category."""

    def written(self) -> str:
        """As `read` reads it."""
        return json.dumps({"new": self.new, "orders": self.orders, "outcomes": self.outcomes})

    @staticmethod
    def read(text: str) -> "Counts":
        """What `written` wrote."""
        told = json.loads(text)
        outcomes = {
            category: Counter({Outcome(name): count for name, count in found.items()})
            for category, found in told["outcomes"].items()
        }
        return Counts(told["new"], told["orders"], outcomes)


Write = Callable[[], AbstractContextManager[Session]]
"""Opens a writing transaction."""


@dataclass(frozen=True, slots=True)
class Here:
    """Where people are brought to."""

    write: Write
    read: Write
    suppressions: Suppressions
    letters: OpenLetters
    clock: Clock


_FIRST_BAD = 20
_MOST_LISTS = 10_000


@contextmanager
def _few_collections() -> Iterator[None]:
    """Have Python look more seldom for garbage in circles.

    A batch is a hundred thousand objects that all stay until it is done: looking through them again and again
    for what could go takes a third of the time.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@_few_collections()
def look_through(
    export: Export, on_bad: Callable[[BadRow], None], progress: Callable[[int], None]
) -> Contents:
    """Read a file to its end. Raises CsvError where it cannot be."""
    found = Contents()
    for row in export.rows():
        if isinstance(row, BadRow):
            found.bad += 1
            if len(found.first_bad) < _FIRST_BAD:
                found.first_bad.append(row)
            on_bad(row)
            continue
        found.people += 1
        if found.people % AT_ONCE == 0:
            progress(found.people)
        for held in row.memberships:
            found.states[held.list, held.state] += 1
        if len(found.states) > _MOST_LISTS:
            raise CsvError(
                f"the file names more than {_MOST_LISTS:,} lists, which are none; if the column holds "
                f'something else, say --column list=""'
            )
        if not row.memberships:
            found.unlisted += 1
        if row.suppress:
            found.suppressed[row.suppress] += 1
    return found


@_few_collections()
def try_out(wanted: Wanted, contents: Contents, here: Here, progress: Callable[[int], None]) -> Counts:
    """What would come of an import, as things are now. Who is in the file twice may be counted twice."""
    counts = Counts()
    for stage in contents.stages:
        for done, batch in batches(wanted, contents.rows, stage, 0):
            with here.read() as session:
                came = foresee(session, [one.arrival for one in batch], here.suppressions)
            _count(counts, batch, came)
            progress(done)
    return counts


@_few_collections()
def bring_in(
    wanted: Wanted, contents: Contents, here: Here, progress: Callable[[int], None]
) -> tuple[ImportRun, Counts]:
    """Bring everybody in, going on where an earlier run of the same import was stopped.

    The run is open until `finish`, so that what came of it is told once more by whoever did not come to that.
    Raises ImportStoppedError where another process imports this file at this moment, and CsvError where it
    is not the one any more that was looked through.
    """
    fingerprint = wanted.fingerprint()
    run = _begun(wanted, fingerprint, here, contents.stages)
    for stage in contents.stages:
        if contents.stages.index(stage) < contents.stages.index(Stage(run.stage)):
            continue
        done = run.done if stage == run.stage else 0
        for done, batch in batches(wanted, contents.rows, stage, done):  # noqa: B020
            run = _bring_batch(run, stage, done, batch, here)
            progress(done)
    return run, Counts.read(run.counts)


def finish(run: ImportRun, here: Here) -> None:
    """Close a run that has been told: the next import of the file begins anew."""
    with here.write() as session:
        _held(session, run).finished_at = here.clock()


def _begun(wanted: Wanted, fingerprint: str, here: Here, stages: Sequence[Stage]) -> ImportRun:
    """The run that was stopped, or a new one."""
    with here.write() as session:
        ours = select(ImportRun).where(ImportRun.fingerprint == fingerprint)
        run = session.exec(ours.where(col(ImportRun.finished_at).is_(None))).one_or_none()
        if run is None:
            run = ImportRun(
                fingerprint=fingerprint,
                file=wanted.name,
                tool=wanted.export.tool,
                begun_at=here.clock(),
                stage=stages[0] if stages else Stage.OTHERS,
                done=0,
                counts=Counts().written(),
            )
            session.add(run)
            session.flush()
    return run


def _held(session: Session, run: ImportRun) -> ImportRun:
    """The run, held until the transaction ends. Raises ImportStoppedError if it is not where it was left."""
    held = session.exec(select(ImportRun).where(ImportRun.id == run.id).with_for_update()).one()
    if (held.stage, held.done, held.finished_at) != (run.stage, run.done, None):
        raise ImportStoppedError(
            f"{run.file} is imported by another process at this moment, which goes on; this one has stopped"
        )
    return held


def _bring_batch(run: ImportRun, stage: Stage, done: int, batch: Sequence[Coming], here: Here) -> ImportRun:
    batch, stopped = _stop_letters(batch, here)
    with here.write() as session:
        held = _held(session, run)
        now = here.clock()
        came = take_in(session, [one.arrival for one in batch], here.suppressions, renew=False, now=now)
        for one in batch:
            if one.suppress and one.arrival.ties and one.arrival.address.key not in stopped | came.new:
                # Who came by another way at this very moment, or is not here for an order of before.
                _suppress(session, one, one.suppress, here, now)
        strangers = [
            (one.arrival.address, one.suppress)
            for one in batch
            if one.suppress and one.arrival.address.key in came.new
        ]
        here.suppressions.keep_many(session, strangers, now)
        counts = Counts.read(held.counts)
        _count(counts, batch, came)
        held.stage, held.done, held.counts = stage, done, counts.written()
        session.add(held)
    return held


def _stop_letters(batch: Sequence[Coming], here: Here) -> tuple[Sequence[Coming], set[str]]:
    """Give the orders about people who are here, or come to nothing, each in a transaction of its own.

    Who has letters on their way is held with them, and two such would wait for the sender in a circle.
    Returns the batch, in which whoever has a weightier order has left, and who is here.
    """
    ordered = {one.arrival.address.key for one in batch if one.suppress is not None}
    if not ordered:
        return batch, ordered
    with here.read() as session:
        known = known_among(session, ordered)
    settled = []
    for one in batch:
        coming = one
        if one.suppress is not None and (not one.arrival.ties or one.arrival.address.key in known):
            with here.write() as session:
                _suppress(session, one, one.suppress, here, here.clock())
                order = here.suppressions.find(session, one.arrival.address)
            if order is not None and order.reason != SuppressionReason.BOUNCED:
                coming = one._replace(arrival=one.arrival._replace(ties=tuple(map(_left, one.arrival.ties))))
        settled.append(coming)
    return settled, known


def _left(tie: Tie) -> Tie:
    is_left = tie.state == SubscriptionState.LEFT
    return tie if is_left else tie._replace(state=SubscriptionState.LEFT, since=None, until=None)


def _suppress(session: Session, one: Coming, reason: SuppressionReason, here: Here, now: datetime) -> None:
    address = one.arrival.address
    here.suppressions.suppress(
        session, address, reason, here.letters, source=SOURCE, evidence=one.evidence, now=now
    )


def _count(counts: Counts, batch: Iterable[Coming], came: Arrived) -> None:
    counts.new += len(came.new)
    counts.orders += sum(one.suppress is not None for one in batch)
    tally = Counter(
        (tie.category, tie.state, answer if one.suppress is None else Joined.SUPPRESSED)
        for one, answers in zip(batch, came.answers, strict=True)
        for tie, answer in zip(one.arrival.ties, answers, strict=True)
    )
    for (category, state, answer), count in tally.items():
        outcome = Outcome(state) if answer is Joined.ADDED else _ANSWERS[answer]
        counts.outcomes.setdefault(category, Counter())[outcome] += count
