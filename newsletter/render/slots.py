"""The slots of a letter, header and body alike: the one place that says what differs from reader to reader.

All else is the edition's, and is encoded once (`newsletter.render.message`).
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from newsletter.render.headers import Mailbox, mailbox_field, plain_field, uri_field


class Reader(NamedTuple):
    """What one copy of a letter is given: whom it is for, its identity, and its way out."""

    mailbox: Mailbox
    message_id: str
    unsubscribe_url: str
    preferences_url: str
    leave_address: str = ""
    """Where a mail leaves, if mail comes in."""


def header_fields(reader: Reader) -> bytes:
    """The slots of the header: whole fields."""
    fields = mailbox_field("To", reader.mailbox) + plain_field("Message-ID", f"<{reader.message_id}>")
    by_mail = [f"mailto:{reader.leave_address}?subject=unsubscribe"] if reader.leave_address else []
    fields += uri_field("List-Unsubscribe", reader.unsubscribe_url, *by_mail)
    if reader.unsubscribe_url.startswith("https://"):  # RFC 8058 §3.1: one-click is for HTTPS only
        fields += plain_field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    return fields.encode("utf-8")


class Slot(StrEnum):
    """A place in the body, named in ASCII letters."""

    ADDRESS = "address"
    UNSUBSCRIBE_URL = "unsubscribeurl"
    PREFERENCES_URL = "preferencesurl"


def body_values(reader: Reader) -> dict[Slot, str]:
    """What stands at the slots of the body, as plain text."""
    return {
        Slot.ADDRESS: reader.mailbox.address,
        Slot.UNSUBSCRIBE_URL: reader.unsubscribe_url,
        Slot.PREFERENCES_URL: reader.preferences_url,
    }


@dataclass(frozen=True, slots=True)
class Slots:
    """What templates see at the slots of the body.

    When an edition is compiled these are sentinels, later replaced reader by reader; `paperround render`
    fills in examples instead.
    """

    address: str
    unsubscribe_url: str
    preferences_url: str


def sentinel_slots(key: str) -> Slots:
    """Slots to render an edition with: markers of ASCII letters and digits that its key makes unguessable."""
    return Slots(
        address=sentinel(key, Slot.ADDRESS),
        unsubscribe_url=sentinel(key, Slot.UNSUBSCRIBE_URL),
        preferences_url=sentinel(key, Slot.PREFERENCES_URL),
    )


def sentinel(key: str, slot: Slot) -> str:
    """The marker of one slot in the rendering that has this key."""
    return f"slot{hashlib.sha256(f'{key}/{slot}'.encode()).hexdigest()[:24]}{slot}"
