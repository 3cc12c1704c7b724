"""Bringing the people of a file in: in batches, each in one transaction with how far it has come.

The file is read two or three times, never held. The first time nothing is written: it is found out whether it
can be read to its end, and what is in it. Then whoever left there, or must not be written to, comes in; and
only then the others, so that a refusal wins wherever it stands in the file.

Killed at any moment and begun again, an import goes on behind its last batch, and comes to what one run would
have come to. Two that import one file at once are told apart by the database: the second gives up.

May surprise: an import never ends or renews a subscription. It gives orders not to write, though, as the
other tool has them, and an order ends whatever there is.
"""

import gc
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from sqlmodel import Session, col, select

from subscribers.arrivals import Arrival, Arrived, Joined, Tie, foresee, known_among, take_in
from subscribers.base import Clock
from subscribers.errors import PaperroundError
from subscribers.models import LIVE, ImportRun, SubscriptionState, SuppressionReason
from subscribers.moving.look import Export
from subscribers.moving.people import BadRow, Membership, Newcomer
from subscribers.ports import OpenLetters
from subscribers.suppression import Suppressions

_AT_ONCE = 5000
"""People in one transaction: the more the quicker, and the longer others wait on SQLite."""
_EVIDENCE_LIMIT = 1000
_SOURCE = "import"


class ImportStoppedError(PaperroundError):
    """Another process brings this file in."""


class Stage(StrEnum):
    """What an import is about."""

    REFUSALS = "refusals"
    """Those who left, and those not to be written to."""
    OTHERS = "others"


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
_WEIGHT = {
    SubscriptionState.PENDING: 0,
    SubscriptionState.ACTIVE: 1,
    SubscriptionState.PAUSED: 2,
    SubscriptionState.SUPPRESSED: 3,
    SubscriptionState.LEFT: 4,
}
"""Of several lists that are one category here, the weightiest state counts: no refusal is lost."""


@dataclass(frozen=True)
class Wanted:
    """A file, and what is to become of its people."""

    export: Export
    name: str
    """What the file is called in the evidence."""
    places: Mapping[str, str | None]
    """The category of each of its lists; None for one that is left out."""
    confirmed: bool
    """Whether the operator holds the consent of those whom the file calls active."""

    @cached_property
    def told(self) -> str:
        """What the details of every consent begin with."""
        return f'"tool":{quoted(self.export.tool)},"file":{quoted(self.name)}'

    def fingerprint(self) -> str:
        """By which the same import is known again."""
        rest = [self.export.fingerprint(), self.export.tool, self.export.header, dict(self.places)]
        return sha256(json.dumps([*rest, self.confirmed], sort_keys=True).encode()).hexdigest()


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


def place_lists(
    lists: Iterable[str], named: Mapping[str, str], usual: str | None, slugs: Collection[str]
) -> dict[str, str | None]:
    """The category of each list that one can be told for; None for a list that is left out.

    What is said of a list by name comes first, then what is said of all; else a list that is called as a
    category goes there.
    """
    places: dict[str, str | None] = {}
    for name in lists:
        if name in named:
            places[name] = named[name] or None
        elif usual is not None:
            places[name] = usual
        elif name in slugs:
            places[name] = name
    return places


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
        if found.people % _AT_ONCE == 0:
            progress(found.people)
        for held in row.memberships:
            found.states[held.list, held.state] += 1
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
        for done, batch in _batches(wanted, stage, 0):
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
    Raises ImportStoppedError where another process imports this file at this moment.
    """
    fingerprint = wanted.fingerprint()
    run = _begun(wanted, fingerprint, here, contents.stages)
    for stage in contents.stages:
        if contents.stages.index(stage) < contents.stages.index(Stage(run.stage)):
            continue
        done = run.done if stage == run.stage else 0
        for done, batch in _batches(wanted, stage, done):  # noqa: B020
            run = _bring_batch(run, stage, done, batch, here)
            progress(done)
    return run, Counts.read(run.counts)


def finish(run: ImportRun, here: Here) -> None:
    """Close a run that has been told: the next import of the file begins anew."""
    with here.write() as session:
        _held(session, run).finished_at = here.clock()


class _Coming(NamedTuple):
    """Somebody of a batch."""

    arrival: Arrival
    suppress: SuppressionReason | None
    evidence: str


def _batches(wanted: Wanted, stage: Stage, done: int) -> Iterator[tuple[int, list[_Coming]]]:
    """Those whom a stage is about, behind the first `done` rows; with each batch, the rows done after it."""
    batch: list[_Coming] = []
    ordered: dict[str, tuple[SuppressionReason, bool]] = {}
    people = (row for row in wanted.export.rows() if isinstance(row, Newcomer))
    number = done
    for number, row in enumerate(islice(people, done, None), start=done + 1):
        coming = _coming(wanted, stage, row)
        if coming is None:
            continue
        if coming.suppress is not None:
            how = (coming.suppress, bool(coming.arrival.ties))
            if ordered.setdefault(coming.arrival.address.key, how) != how:
                # One order after the other, as if the file had been cut here anyway.
                yield number - 1, batch
                batch, ordered = [], {}
        batch.append(coming)
        if len(batch) == _AT_ONCE:
            yield number, batch
            batch, ordered = [], {}
    if batch:
        yield number, batch


def _coming(wanted: Wanted, stage: Stage, row: Newcomer) -> _Coming | None:
    """A row as somebody who arrives, if the stage is about them."""
    suppress = row.suppress
    strongest: dict[str, Membership] = {}
    for held in row.memberships:
        if held.state == SubscriptionState.SUPPRESSED and suppress is None:
            suppress = SuppressionReason.BOUNCED  # nothing else leads there
        category = wanted.places[held.list]
        if category is not None:
            before = strongest.get(category)
            if before is None or _WEIGHT[before.state] < _WEIGHT[held.state]:
                strongest[category] = held
    is_refused = suppress is not None
    about = {
        category: held
        for category, held in strongest.items()
        if (is_refused or held.state == SubscriptionState.LEFT) == (stage is Stage.REFUSALS)
    }
    if not about and not (is_refused and stage is Stage.REFUSALS):
        return None
    told = _evidence(wanted.name, row.evidence)
    ties = tuple(_tie(wanted, row, suppress, category, held, told) for category, held in about.items())
    known = (row.name, row.timezone, row.frequency, row.weekly_cap, row.created_at)
    arrival = Arrival(row.address, ties, *known, has_order=is_refused)
    return _Coming(arrival, suppress, told)


def _tie(
    wanted: Wanted,
    row: Newcomer,
    suppress: SuppressionReason | None,
    category: str,
    held: Membership,
    told: str,
) -> Tie:
    state = held.state
    if suppress is not None:
        if suppress != SuppressionReason.BOUNCED:
            state = SubscriptionState.LEFT
        elif state in LIVE:
            state = SubscriptionState.SUPPRESSED
    elif state in LIVE and not (wanted.confirmed or _is_confirmed(wanted.export.tool, row.evidence)):
        state = SubscriptionState.PENDING
    is_same = state == held.state
    since = held.since if is_same else None
    return Tie(
        category, state, _SOURCE, told, _details(wanted, row, held), since, held.until if is_same else None
    )


def _is_confirmed(tool: str, evidence: Mapping[str, str]) -> bool:
    """Whether the other tool itself has kept that this person confirmed.

    Mailchimp's confirm_time alone is of whom somebody has added.
    """
    if tool == "mailchimp":
        return bool(evidence.get("optin_time") and evidence.get("confirm_time"))
    return tool == "paperround" and evidence.get("action") == "granted"


def _evidence(name: str, told: Mapping[str, str]) -> str:
    """What a person reads on the record."""
    if not told:
        return name
    text = "; ".join([name, *(f"{key}: {text}" for key, text in told.items())])
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:_EVIDENCE_LIMIT]


def _details(wanted: Wanted, row: Newcomer, held: Membership) -> str:
    """What the file said, as `Consent.details`. Put together by hand: an encoder takes much longer."""
    said = [wanted.told]
    if row.file:
        said.append(f'"part":{quoted(row.file)}')
    said.append(f'"line":{row.line}')
    if held.list:
        said.append(f'"list":{quoted(held.list)}')
    said.append(f'"state":"{held.state}"')
    if held.since is not None:
        said.append(f'"since":"{held.since.isoformat()}"')
    if row.created_at is not None:
        said.append(f'"created_at":"{row.created_at.isoformat()}"')
    if row.suppress is not None:
        said.append(f'"suppressed":"{row.suppress}"')
    if row.evidence:
        said.append(f'"told":{json.dumps(dict(row.evidence))}')
    return f'{{"imported":{{{",".join(said)}}}}}'


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


def _bring_batch(run: ImportRun, stage: Stage, done: int, batch: Sequence[_Coming], here: Here) -> ImportRun:
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


def _stop_letters(batch: Sequence[_Coming], here: Here) -> tuple[Sequence[_Coming], set[str]]:
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


def _suppress(session: Session, one: _Coming, reason: SuppressionReason, here: Here, now: datetime) -> None:
    address = one.arrival.address
    here.suppressions.suppress(
        session, address, reason, here.letters, source=_SOURCE, evidence=one.evidence, now=now
    )


def _count(counts: Counts, batch: Iterable[_Coming], came: Arrived) -> None:
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
