"""Mailchimp: the ZIP of an audience's export, with a CSV for each state, or these files.

The state is in the file's name, and for those who left or were cleaned in its columns too. Times are in UTC.
Tags stand for lists beside the audience itself, whose name is nowhere in the export. Who never subscribed,
but only bought something, is on no list.
"""

import csv
import re

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import full_name, mailbox, meant, moment, name_of, zone
from subscribers.moving.columns import Columns, texts
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import CsvError, Source
from subscribers.moving.tool import ReadRow, Tool

_IN_NAME = re.compile(r"(?<![a-z])(subscribed|unsubscribed|cleaned|nonsubscribed|transactional)(?![a-z])")
_EVIDENCE = ("optin_time", "optin_ip", "confirm_time", "confirm_ip", "unsub_reason", "unsub_reason_other")
_BY_COLUMN = {"unsub_time": "unsubscribed", "clean_time": "cleaned"}
_COMPLAINT = re.compile("spam|abuse|complain", re.IGNORECASE)


def _kind(columns: Columns, source: Source) -> str:
    names = columns.named()
    told = next((kind for column, kind in _BY_COLUMN.items() if column in names), "")
    found = _IN_NAME.search(source.name.lower())
    named = found[1] if found else ""
    if named and told and named != told:
        raise CsvError(
            f"{source.shown}: its name says {named}, but its columns are those of who was {told}; give it "
            f"back the name that it had, such as {told}_email_audience_export.csv"
        )
    if not told and not named:
        raise CsvError(
            f"{source.shown}: is Mailchimp's, but its name does not say if these are subscribed, "
            f"unsubscribed, cleaned or nonsubscribed; give it back the name that it had"
        )
    return told or named


def _reader(columns: Columns, source: Source) -> ReadRow:
    kind = _kind(columns, source)
    named, places = columns.named(), columns.places
    email = places["email"]
    name, first, last = (places.get(role) for role in ("name", "first_name", "last_name"))
    opted, confirmed = named.get("optin_time"), named.get("confirm_time")
    ended = {"unsubscribed": named.get("unsub_time"), "cleaned": named.get("clean_time")}.get(kind)
    tags, timezone, reason = named.get("tags"), named.get("timezone"), named.get("unsub_reason")
    evidence = {key: named[key] for key in _EVIDENCE if key in named}

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        if name is not None:
            called = name_of(cells[name]) or called
        parts = ("" if place is None else cells[place] for place in (first, last))
        confirmed_at = None if confirmed is None else moment(cells[confirmed])
        joined = (None if opted is None else moment(cells[opted])) or confirmed_at
        suppress = None
        if kind == "cleaned":
            suppress = SuppressionReason.BOUNCED
        elif kind == "unsubscribed" and reason is not None and _COMPLAINT.search(cells[reason]):
            suppress = SuppressionReason.COMPLAINED
        memberships: tuple[Membership, ...] = ()
        if kind in ("subscribed", "unsubscribed", "cleaned"):
            state = SubscriptionState.ACTIVE if kind == "subscribed" else SubscriptionState.LEFT
            at = moment(cells[ended]) if ended is not None else confirmed_at or joined
            on = _tags(cells[tags]) if tags is not None else []
            memberships = tuple(Membership(one, state, at) for one in ["", *on])
        return Newcomer(
            line,
            address,
            called or full_name(*parts),
            memberships,
            joined,
            zone(cells[timezone]) if timezone is not None else None,
            suppress=suppress,
            evidence=dict(texts(evidence, cells)),
            file=source.part,
        )

    return read


def _tags(cell: str) -> list[str]:
    """The tags of a cell, which is a row of CSV itself."""
    text = meant(cell).strip()
    if not text:
        return []
    names = (" ".join(tag.split())[:200] for tag in next(csv.reader([text], skipinitialspace=True), []))
    return list(dict.fromkeys(name for name in names if name))


def _is_it(names: frozenset[str]) -> bool:
    return {"leid", "euid"} <= names and bool({"optin_time", "unsub_time", "clean_time"} & names)


TOOL = Tool(
    "mailchimp",
    _is_it,
    _reader,
    # Its confirm_time alone is of whom somebody has added.
    has_confirmed=lambda told: bool(told.get("optin_time") and told.get("confirm_time")),
    claims=lambda name: _IN_NAME.search(name.lower()) is not None,
)
