"""Buttondown: the CSV of its subscribers. Tags stand for lists beside the newsletter itself.

Its columns are the fields of its API, under the names they have had or those of its dashboard.
"""

import json
from contextlib import suppress
from typing import Any

from subscribers.models import SubscriptionState, SuppressionReason
from subscribers.moving.cells import RowError, mailbox, meant, moment, name_of
from subscribers.moving.columns import Columns, texts
from subscribers.moving.people import Membership, Newcomer
from subscribers.moving.source import Source
from subscribers.moving.tool import ReadRow, Tool

_TYPES = {
    **dict.fromkeys(
        ("regular", "premium", "paid", "trialed", "gifted", "churning", "past_due", "paused"),
        (SubscriptionState.ACTIVE, None),  # `paused` is their payment; letters go on
    ),
    **dict.fromkeys(
        ("unactivated", "unpaid", "churned", "upcoming"), (SubscriptionState.PENDING, None)
    ),  # of a newsletter that is for those who pay
    **dict.fromkeys(
        ("unsubscribed", "removed", "spammy", "blocked", "malformed", "disabled"),
        (SubscriptionState.LEFT, None),
    ),
    "undeliverable": (SubscriptionState.LEFT, SuppressionReason.BOUNCED),
    "complained": (SubscriptionState.LEFT, SuppressionReason.COMPLAINED),
}
_TYPE = ("type", "subscriber_type", "status")
_CREATED = ("creation_date", "subscription date")
_ENDED = ("unsubscription_date", "unsubscription date")
_EVIDENCE = ("ip_address", "ip address", "source", "referrer_url", "referrer url", "utm_source")


def _is_it(names: frozenset[str]) -> bool:
    return (
        not names.isdisjoint(("email", "email_address"))
        and not names.isdisjoint(_TYPE)
        and not names.isdisjoint(_CREATED)
        and not names.isdisjoint(("tags", "metadata", "notes"))
    )


def _reader(columns: Columns, source: Source) -> ReadRow:
    named = columns.named()

    def first_of(*names: str) -> int | None:
        return next((named[name] for name in names if name in named), None)

    email = columns.places["email"]
    kind = next(named[name] for name in _TYPE if name in named)
    name, created, ended = first_of("name"), first_of(*_CREATED), first_of(*_ENDED)
    tags, metadata = first_of("tags"), first_of("metadata")
    evidence = {key: named[key] for key in _EVIDENCE if key in named}

    def read(line: int, cells: list[str]) -> Newcomer:
        address, called = mailbox(cells[email])
        word = cells[kind].strip().lower().replace(" ", "_")
        if word not in _TYPES:
            raise RowError(f"{word[:40]!r} is no type of subscriber that Buttondown has")
        state, reason = _TYPES[word]
        joined = moment(cells[created]) if created is not None else None
        since = joined
        if state is SubscriptionState.LEFT:
            since = moment(cells[ended]) if ended is not None else None
        about = _object(cells[metadata]) if metadata is not None else {}
        given = cells[name] if name is not None else ""
        lists = ["", *(_tags(cells[tags]) if tags is not None else [])]
        return Newcomer(
            line,
            address,
            name_of(given) or name_of(str(about.get("name") or "")) or called,
            tuple(Membership(one, state, since) for one in lists),
            joined,
            suppress=reason,
            evidence=dict(texts(evidence, cells)),
            file=source.part,
        )

    return read


def _object(cell: str) -> dict[str, Any]:
    with suppress(ValueError, RecursionError):
        found = json.loads(meant(cell) or "{}")
        return found if isinstance(found, dict) else {}
    return {}


def _tags(cell: str) -> list[str]:
    """Tags as a list of JSON, or with commas between them."""
    text = meant(cell).strip()
    tags: list[Any] = text.split(",")
    if text.startswith("["):
        with suppress(ValueError, RecursionError):
            tags = json.loads(text)
    return list(dict.fromkeys(name for tag in tags if (name := " ".join(str(tag).split())[:200])))


TOOL = Tool("buttondown", _is_it, _reader)
