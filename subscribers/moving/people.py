"""What a file says of people, whichever tool wrote it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import NamedTuple

from subscribers.address import Address
from subscribers.models import SubscriptionState, SuppressionReason


class Membership(NamedTuple):
    """One tie of a person to a list of the other tool."""

    list: str
    """The list's name there; "" where the file has only one."""
    state: SubscriptionState
    """What the file says, or the nearest to it that sends no letter more than it allows."""
    since: datetime | None = None
    """When it came into that state, as the file says."""
    until: date | None = None
    """Of a paused one: the day from which they have letters again."""


class Newcomer(NamedTuple):
    """A person, as one row of a file tells of them. The same person may come in many rows."""

    line: int
    """The first line of their row, in `file`."""
    address: Address
    name: str | None = None
    memberships: tuple[Membership, ...] = ()
    """None for one who is known there but on no list (a buyer, a moderator): nobody's reader."""
    created_at: datetime | None = None
    timezone: str | None = None
    frequency: str | None = None
    weekly_cap: int | None = None
    suppress: SuppressionReason | None = None
    """Why the other tool writes to them no more, to any list."""
    evidence: Mapping[str, str] = MappingProxyType({})
    """Of their consent, as the other tool tells it: opted in when, confirmed when, from where."""
    file: str = ""
    """Which file of a folder or an archive; "" where the export is one file."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is nobody to take over, why, and what stood in it."""

    line: int
    problem: str
    cells: tuple[str, ...] = ()
    file: str = ""
    """As of a newcomer."""
