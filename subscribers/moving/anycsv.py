"""Any CSV of people, with whatever columns can be found in it.

Somebody is active if nothing in the row says otherwise; what may say so, and is not understood, makes a bad
row: who had left there must not be written to because we did not know the word.
"""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from subscribers.models import SubscriptionState
from subscribers.moving.cells import RowError, full_name, key_of, mailbox, meant, moment, name_of, truth, zone
from subscribers.moving.columns import STANDINGS, Columns, texts
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.standings import SEVERITY, is_refusal, is_subscribing, standing
from subscribers.moving.tool import ReadRow, Tool

_MARKS = frozenset(STANDINGS) - {"state"}
"""Columns whose cells may say when."""


def _reader(columns: Columns, source: Source) -> ReadRow:
    places = columns.places
    email = places["email"]
    name, first, last = (places.get(role) for role in ("name", "first_name", "last_name"))
    lists, since = places.get("list"), places.get("since")
    created, timezone = places.get("created_at"), places.get("timezone")
    dated = {role: places[role] for role in ("since", "created_at") if role in places}
    told = columns.evidence
    others = [(name, place, is_subscribing(key_of(name))) for name, place in columns.unused]
    usual = PurePath(source.part).stem
    plainly = (Membership(usual, SubscriptionState.ACTIVE),)

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        if name is not None:
            called = name_of(cells[name]) or called
        if first is not None or last is not None:
            parts = ("" if place is None else cells[place] for place in (first, last))
            called = called or full_name(*parts)
        state, suppress = SubscriptionState.ACTIVE, None
        at = moment(cells[since]) if since is not None else None
        for role, place in columns.standings:
            found, reason = standing(role, cells[place])
            suppress = suppress or reason
            if SEVERITY.index(found) > SEVERITY.index(state):
                state = found
                at = moment(cells[place]) or (None if role in _MARKS else at)
        for column, place, says_no in others:
            if cells[place] and is_refusal(cells[place], says_no=says_no):
                raise RowError(
                    f"{column!r} says {cells[place].strip()!r}: are they to be written to? Say what it is "
                    f'with --column left="{column}", or --ignore "{column}"'
                )
        if state is SubscriptionState.ACTIVE and at is None and lists is None:
            memberships: tuple[Membership, ...] = plainly
        else:
            on = _names(cells[lists]) if lists is not None else []
            if not columns.are_lists_said:
                _check_that_these_are_lists(on)
            memberships = tuple(Membership(one, state, at) for one in on or [usual])
        return Newcomer(
            line,
            address,
            called,
            memberships,
            moment(cells[created]) if created is not None else None,
            zone(cells[timezone]) if timezone is not None else None,
            suppress=suppress,
            evidence=_evidence(columns, told, dated, cells) if told or dated else {},
            file=source.part,
        )

    return read


def _names(cell: str) -> list[str]:
    """The lists that a cell names, each once."""
    text = meant(cell).replace(";", ",").replace("|", ",")
    return list(dict.fromkeys(one for part in text.split(",") if (one := " ".join(part.split())[:200])))


def _check_that_these_are_lists(names: Sequence[str]) -> None:
    for name in names:
        if truth(name) is not None or is_refusal(name, says_no=False):
            raise RowError(
                f'{name!r} is no list\'s name; say what its column is, with --column state="NAME" or '
                f'--column list="NAME"'
            )


def _evidence(
    columns: Columns, told: Mapping[str, int], dated: Mapping[str, int], cells: list[str]
) -> dict[str, str]:
    """What is told of consent, and the dates that nobody could read, so that they are not lost."""
    found = dict(texts(told, cells))
    for role, place in dated.items():
        if (text := cells[place].strip()) and moment(text) is None:
            found[columns.header[place] if columns.header else role] = meant(text)
    return found


TOOL = Tool("csv", lambda names: True, _reader)
