"""Mailman 3: what `mailman members LIST` prints, Postorius' CSV of addresses, and the roster of its REST API.

The first two hold no more than names and addresses, in which everybody is taken for a member who wants mail;
`mailman members --nomail enabled` prints only those. The roster says who does, and of which list.
"""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, mailbox, name_of
from subscribers.moving.columns import Columns
from subscribers.moving.entries import ReadEntry, text_of
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool

_DELIVERY = {
    "enabled": (SubscriptionState.ACTIVE, None),
    "by_user": (SubscriptionState.PAUSED, None),
    "unknown": (SubscriptionState.PAUSED, None),
    "by_moderator": (SubscriptionState.LEFT, None),
    "by_bounces": (SubscriptionState.LEFT, SuppressionReason.BOUNCED),
}


def _reader(columns: Columns, source: Source) -> ReadRow:
    email = columns.places["email"]
    memberships = (Membership(PurePath(source.part).stem, SubscriptionState.ACTIVE),)

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        return Newcomer(line, address, called, memberships, file=source.part)

    return read


def _entry_reader(source: Source) -> ReadEntry:
    def read(number: int, entry: dict[str, Any]) -> Newcomer:
        address, called = mailbox(text_of(entry, "email"))
        delivery = text_of(entry, "delivery_status")
        if delivery not in _DELIVERY:
            raise RowError(f"{delivery[:40]!r} is no delivery status that Mailman has")
        state, suppress = _DELIVERY[delivery]
        memberships: tuple[Membership, ...] = ()
        if text_of(entry, "role") == "member":  # and not an owner, a moderator or one who has only written
            memberships = (Membership(text_of(entry, "list_id")[:200], state),)
        name = name_of(text_of(entry, "display_name")) or called
        return Newcomer(number, address, name, memberships, suppress=suppress, file=source.part)

    return read


TOOL = Tool(
    "mailman",
    lambda names: not names,
    _reader,
    caveat=(
        "A list of addresses does not say who turned delivery off. Print those who did not: "
        "mailman members --nomail enabled LIST"
    ),
)
ENTRIES = _entry_reader
"""For the roster."""


def has_entry(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a JSON file is a membership of Mailman's."""
    return {"email", "list_id", "role"} <= entry.keys()
