"""listmonk: the CSV of its subscribers page, and what its API says of subscribers, as JSON.

Only the JSON says who is on which list, and who has left one. In the CSV somebody who left every list is
`enabled` as before, unless it was exported from a list's page for one state. On a list with a single opt-in
listmonk writes to unconfirmed members as well.
"""

import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, mailbox, moment, name_of
from subscribers.moving.columns import Columns
from subscribers.moving.entries import ReadEntry, text_of
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool

_STATUSES: Mapping[str, tuple[SubscriptionState | None, SuppressionReason | None]] = {
    "enabled": (None, None),
    "disabled": (SubscriptionState.LEFT, None),
    "blocklisted": (SubscriptionState.LEFT, SuppressionReason.ASKED),
    "blacklisted": (SubscriptionState.LEFT, SuppressionReason.ASKED),  # before 1.0
}
_ON_A_LIST = {
    "confirmed": SubscriptionState.ACTIVE,
    "unconfirmed": SubscriptionState.PENDING,
    "unsubscribed": SubscriptionState.LEFT,
}
_TELLING = re.compile(r"opt.?in|consent|confirm|(?:^|[_ -])ip$", re.IGNORECASE)
_MOST_LISTS = 1000


def _status(text: str) -> tuple[SubscriptionState | None, SuppressionReason | None]:
    found = _STATUSES.get(text.strip().lower())
    if found is None:
        raise RowError(f"{text.strip()[:40]!r} is no status that listmonk has")
    return found


def _reader(columns: Columns, source: Source) -> ReadRow:
    named = columns.named()
    email, name, status, created = (named[one] for one in ("email", "name", "status", "created_at"))
    usual = PurePath(source.part).stem

    def read(line: int, cells: list[str]) -> Newcomer:
        state, suppress = _status(cells[status])
        address, called = mailbox(cells[email])
        return Newcomer(
            line,
            address,
            name_of(cells[name]) or called,
            (Membership(usual, state or SubscriptionState.ACTIVE),),
            moment(cells[created]),
            suppress=suppress,
            file=source.part,
        )

    return read


def _entry_reader(source: Source) -> ReadEntry:
    def read(number: int, entry: dict[str, Any]) -> Newcomer:
        overall, suppress = _status(text_of(entry, "status"))
        address, called = mailbox(text_of(entry, "email"))
        lists = entry.get("lists")
        lists = lists if isinstance(lists, list) else []
        evidence: dict[str, str] = {}
        memberships = []
        for one in lists[:_MOST_LISTS]:
            if not isinstance(one, dict):
                raise RowError("has a list that is none")
            memberships.append(_membership(one, overall))
            meta = one.get("subscription_meta")
            if isinstance(meta, dict):
                evidence |= {
                    f"{memberships[-1].list}: {key}": str(value) for key, value in meta.items() if value
                }
        attributes = entry.get("attribs")
        if isinstance(attributes, dict):
            evidence |= {
                key: str(value) for key, value in attributes.items() if value and _TELLING.search(key)
            }
        return Newcomer(
            number,
            address,
            name_of(text_of(entry, "name")) or called,
            tuple(memberships),
            moment(text_of(entry, "created_at")),
            suppress=suppress,
            evidence=evidence,
            file=source.part,
        )

    return read


def _membership(one: dict[str, Any], overall: SubscriptionState | None) -> Membership:
    status = text_of(one, "subscription_status").strip().lower()
    if status not in _ON_A_LIST:
        raise RowError(f"{status[:40]!r} is no status that a list of listmonk has")
    state = _ON_A_LIST[status]
    if state is SubscriptionState.PENDING and text_of(one, "optin") == "single":
        state = SubscriptionState.ACTIVE
    since = moment(text_of(one, "subscription_updated_at")) or moment(text_of(one, "subscription_created_at"))
    return Membership(" ".join(text_of(one, "name").split())[:200], overall or state, since)


TOOL = Tool(
    "listmonk",
    lambda names: {"uuid", "email", "name", "attributes", "status", "created_at"} <= names,
    _reader,
    caveat=(
        "listmonk's CSV does not say who left a list, nor who is on which. Take the JSON of its API instead: "
        "curl -u USER:TOKEN 'https://YOUR.LISTMONK/api/subscribers?per_page=all' > subscribers.json"
    ),
    is_misleading=True,
)
ENTRIES = _entry_reader
"""For the JSON."""


def has_entry(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of a JSON file is a subscriber of listmonk's."""
    return {"uuid", "email", "status", "lists"} <= entry.keys()
