"""Who of a file comes in, as what, and with which consent on record.

Pure: the rows of a file are put into batches of people who arrive, for each of the two stages of an import.

May surprise: somebody may stand in a file several times, and only an order and what it does are kept apart;
the rest is settled by whoever takes the batch in (`subscribers.arrivals`).
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from itertools import islice
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from subscribers.arrivals import Arrival, Tie
from subscribers.models import LIVE, SubscriptionState, SuppressionReason
from subscribers.moving.look import Export
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import CsvError

AT_ONCE = 5000
"""People in one transaction: the more the quicker, and the longer others wait on SQLite."""
SOURCE = "import"
"""Of a consent that came by a file."""
_EVIDENCE_LIMIT = 1000
_WEIGHT = {
    SubscriptionState.PENDING: 0,
    SubscriptionState.ACTIVE: 1,
    SubscriptionState.PAUSED: 2,
    SubscriptionState.SUPPRESSED: 3,
    SubscriptionState.LEFT: 4,
}
"""Of several lists that are one category here, the weightiest state counts: no refusal is lost."""


class Stage(StrEnum):
    """What an import is about."""

    REFUSALS = "refusals"
    """Those who left, and those not to be written to."""
    OTHERS = "others"


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
        rest = [self.export.fingerprint(), self.export.tool, dict(self.places)]
        return sha256(json.dumps([*rest, self.confirmed], sort_keys=True).encode()).hexdigest()


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


class Coming(NamedTuple):
    """Somebody of a batch."""

    arrival: Arrival
    suppress: SuppressionReason | None
    evidence: str


def batches(wanted: Wanted, rows: int, stage: Stage, done: int) -> Iterator[tuple[int, list[Coming]]]:
    """Those whom a stage is about, behind the first `done` rows; with each batch, the rows done after it.

    Raises CsvError at the end of a file that has not as many rows as it had.
    """
    batch: list[Coming] = []
    refused: dict[str, tuple[SuppressionReason | None, bool]] = {}
    number = done
    for number, row in enumerate(islice(wanted.export.rows(), done, None), start=done + 1):
        coming = _coming(wanted, stage, row) if isinstance(row, Newcomer) else None
        if coming is None:
            continue
        if stage is Stage.REFUSALS:
            key, how = coming.arrival.address.key, (coming.suppress, bool(coming.arrival.ties))
            if refused.setdefault(key, how) != how:
                # One refusal after the other, as if the file had been cut here anyway.
                yield number - 1, batch
                batch, refused = [], {key: how}
        batch.append(coming)
        if len(batch) == AT_ONCE:
            yield number, batch
            batch, refused = [], {}
    if batch:
        yield number, batch
    if number != rows:
        raise CsvError(f"{wanted.name} has changed while it was read; import it again, once it is whole")


def _coming(wanted: Wanted, stage: Stage, row: Newcomer) -> Coming | None:
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
    return Coming(arrival, suppress, told)


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
    elif state in LIVE and not (wanted.confirmed or wanted.export.has_confirmed(row.evidence)):
        state = SubscriptionState.PENDING
    is_same = state == held.state
    since = held.since if is_same else None
    return Tie(
        category, state, SOURCE, told, _details(wanted, row, held), since, held.until if is_same else None
    )


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
