"""Our own export, out and in: a row a subscription, with all that is known of the reader and their consent.

What is written is read back the same. Files of before, with email, name, category and state, are read too.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import TextIO, TypeVar

from subscribers.models import Frequency, SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, mailbox, meant, moment, name_of, safe, zone
from subscribers.moving.columns import Columns
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool

T = TypeVar("T")

CONSENT = ("action", "source", "at", "evidence")
"""What a newcomer's evidence holds of the last consent, in columns `consent_action` and so on."""
HEADER = (
    *("email", "name", "category", "state", "since", "paused_until"),
    *("created_at", "timezone", "frequency", "weekly_cap", "suppressed"),
    *(f"consent_{key}" for key in CONSENT),
)
_HIGHEST_CAP = 1000
_LEAST = {"email", "category", "state"}


def write_people(out: TextIO, people: Iterable[Newcomer]) -> None:
    """A row for each membership, and one without for who has none."""
    usual = csv.writer(out, lineterminator="\n")
    # A carriage return alone ends a row for whoever reads it, but is not quoted by Python before 3.13.
    quoted = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    usual.writerow(HEADER)
    for one in people:
        for row in _rows(one):
            writer = quoted if any("\r" in cell for cell in row) else usual
            writer.writerow(row)


def _rows(one: Newcomer) -> Iterator[list[str]]:
    who = [safe(one.address.given), safe(one.name or "")]
    about = [
        _written(one.created_at),
        *(safe(text or "") for text in (one.timezone, one.frequency)),
        "" if one.weekly_cap is None else str(one.weekly_cap),
        one.suppress or "",
        *(safe(one.evidence.get(key, "")) for key in CONSENT),
    ]
    for held in one.memberships:
        until = held.until.isoformat() if held.until else ""
        yield [*who, safe(held.list), held.state, _written(held.since), until, *about]
    if not one.memberships:
        yield [*who, "", "", "", "", *about]


def _written(at: datetime | None) -> str:
    return at.astimezone(UTC).isoformat() if at else ""


def _reader(columns: Columns, source: Source) -> ReadRow:
    named = columns.named()
    email, category, state = (named[one] for one in ("email", "category", "state"))
    name = named.get("name")
    optional = {key: named[key] for key in HEADER[4:] if key in named}

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        told = {key: text for key, place in optional.items() if (text := meant(cells[place]))}
        listed, word = meant(cells[category]).strip(), cells[state].strip().lower()
        memberships: tuple[Membership, ...] = ()
        if listed or word:
            memberships = (
                Membership(
                    listed,
                    _understood("state", word, SubscriptionState),
                    _read(told, "since", _moment),
                    _read(told, "paused_until", date.fromisoformat),
                ),
            )
        return Newcomer(
            line,
            address,
            (name_of(cells[name]) if name is not None else None) or called,
            memberships,
            _read(told, "created_at", _moment),
            _read(told, "timezone", _zone),
            _read(told, "frequency", Frequency),
            _read(told, "weekly_cap", _cap),
            _read(told, "suppressed", SuppressionReason),
            {key: told[f"consent_{key}"] for key in CONSENT if f"consent_{key}" in told},
            source.part,
        )

    return read


def _read(told: Mapping[str, str], key: str, how: Callable[[str], T]) -> T | None:
    return _understood(key, told[key], how) if key in told else None


def _understood(key: str, text: str, how: Callable[[str], T]) -> T:
    """A cell as what it must be. Raises RowError: we write no others, so somebody else has."""
    try:
        return how(text.strip())
    except ValueError:
        hint = "; if this is no export of ours, say --from csv" if key == "state" else ""
        raise RowError(f"{key} is {text[:40]!r}, which is none{hint}") from None


def _moment(text: str) -> datetime:
    return _there(moment(text))


def _zone(text: str) -> str:
    return _there(zone(text))


def _cap(text: str) -> int:
    number = int(text)
    return _there(number if 0 <= number <= _HIGHEST_CAP else None)


def _there(value: T | None) -> T:
    if value is None:
        raise ValueError
    return value


def _is_it(names: frozenset[str]) -> bool:
    return _LEAST <= names <= {*HEADER, "line", "problem"} or {*HEADER} <= names


TOOL = Tool("paperround", _is_it, _reader, has_confirmed=lambda told: told.get("action") == "granted")
