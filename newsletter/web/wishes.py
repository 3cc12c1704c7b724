"""What a reader wishes otherwise than it is, by the form of their preferences.

Pure. A form says what it showed beside each field, and a wish is only what comes back otherwise than it was
shown: so an old form, and one that a machine posts as it stands, wish nothing that their reader did not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.web.forms import Fields, first
from newsletter.web.subscribe import errors_in_wishes
from subscribers.models import Subscriber

CAPS = ("1", "2", "3", "5", "7")
WEEKS = ("2", "4", "8", "12", "26")
RESUME = "resume"
NO_CAP = "0"
_CAPS_ALLOWED = frozenset(map(str, range(101)))
"""Also those that a page does not offer: the command line may have set one."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A reader's row, as the fields of a form have it."""

    name: str
    zone: str
    frequency: str
    cap: str


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a form wishes otherwise than it was shown; None for what it leaves as it is."""

    leave: tuple[str, ...] = ()
    join: tuple[str, ...] = ()
    name: str | None = None
    zone: str | None = None
    frequency: str | None = None
    cap: str | None = None
    pause: str | None = None


def standing_of(row: Subscriber) -> Standing:
    """A reader's row for a form."""
    cap = "" if row.weekly_cap is None else str(row.weekly_cap)
    return Standing(row.name or "", row.timezone or "", row.frequency or "", cap)


def read_wishes(fields: Fields, held: Sequence[str], others: Sequence[str]) -> Wishes:
    """What a form says, of the categories that are held now and of those that could be."""
    unticked = set(fields.get("shown", [])) - set(fields.get("keep", []))
    ticked = fields.get("join", [])
    return Wishes(
        leave=tuple(slug for slug in held if slug in unticked),
        join=tuple(slug for slug in others if slug in ticked),
        name=_changed(fields, "name"),
        zone=_changed(fields, "zone"),
        frequency=_changed(fields, "frequency"),
        cap=_changed(fields, "cap"),
        pause=first(fields, "pause") or None,
    )


def _changed(fields: Fields, name: str) -> str | None:
    """The value of a field that comes back otherwise than it was shown."""
    if name not in fields or f"{name}_shown" not in fields:
        return None
    value = first(fields, name)
    return value if value != first(fields, f"{name}_shown") else None


def errors_in(wishes: Wishes) -> dict[str, str]:
    """What is wrong with them: the field, and the key of the words for it."""
    errors = errors_in_wishes(wishes.name or "", wishes.frequency or "", wishes.zone or "")
    if wishes.cap and wishes.cap not in _CAPS_ALLOWED:
        errors["cap"] = "choice"
    if wishes.pause not in (None, RESUME, *WEEKS):
        errors["pause"] = "choice"
    return errors


def fulfil(row: Subscriber, wishes: Wishes) -> bool:
    """Change a reader's row; whether anything was."""
    before = (row.name, row.timezone, row.frequency, row.weekly_cap)
    if wishes.name is not None:
        row.name = wishes.name or None
    if wishes.zone is not None:
        row.timezone = wishes.zone or None
    if wishes.frequency is not None:
        row.frequency = wishes.frequency or None
    if wishes.cap is not None:
        row.weekly_cap = int(wishes.cap) if wishes.cap else None
    return (row.name, row.timezone, row.frequency, row.weekly_cap) != before


def typed(stands: Standing, wishes: Wishes | None) -> Standing:
    """What the fields hold: what was typed, where that is to be put right, else what is so."""
    if wishes is None:
        return stands
    return Standing(
        stands.name if wishes.name is None else wishes.name,
        stands.zone if wishes.zone is None else wishes.zone,
        stands.frequency if wishes.frequency is None else wishes.frequency,
        stands.cap if wishes.cap is None else wishes.cap,
    )
