"""An edition compiled once, and spliced into one message a reader (RFC 5322, RFC 2045, RFC 8058).

`compile_message` encodes everything that all readers share into static segments; a reader's message is
those segments joined with a few header fields and the values of the body's slots. `Slot` is the one
place that says which slots there are.
"""

import hashlib
import html
import json
import re
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from newsletter.render.headers import (
    Mailbox,
    date_field,
    list_id_field,
    mailbox_field,
    plain_field,
    text_field,
    uri_field,
)
from newsletter.render.letter import Slots
from newsletter.render.quoted_printable import SOFT_BREAK, encode


class Slot(StrEnum):
    """A place in the body that differs from reader to reader."""

    ADDRESS = "address"
    UNSUBSCRIBE_URL = "unsubscribeurl"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an edition's header needs besides the letter itself; frozen with it, so that retries are alike."""

    sender: Mailbox
    reply_to: Mailbox | None
    list_id: str
    list_title: str
    base_url: str
    bounce_address: str
    owner_address: str
    help_address: str
    feedback_id: str

    def to_json(self) -> str:
        """For the edition's `headers` column."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Envelope":
        """Back from the edition's `headers` column."""
        data = json.loads(text)
        data["sender"] = Mailbox(**data["sender"])
        data["reply_to"] = Mailbox(**data["reply_to"]) if data["reply_to"] else None
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Reader:
    """What one copy of a letter is given: whom it is for, its identity, and its way out."""

    mailbox: Mailbox
    message_id: str
    unsubscribe_url: str


def sentinel_slots(key: str) -> Slots:
    """Slots to render an edition with: markers of ASCII letters and digits that its key makes unguessable."""
    return Slots(address=_sentinel(key, Slot.ADDRESS), unsubscribe_url=_sentinel(key, Slot.UNSUBSCRIBE_URL))


def _sentinel(key: str, slot: Slot) -> str:
    return f"slot{hashlib.sha256(f'{key}/{slot}'.encode()).hexdigest()[:24]}{slot}"


def _segments(text: str, key: str) -> list[bytes | Slot]:
    """Encode a body part, with its slots standing between soft line breaks."""
    by_sentinel = {_sentinel(key, slot): slot for slot in Slot}
    pieces = re.split(f"({'|'.join(by_sentinel)})", text)
    out: list[bytes | Slot] = []
    for index, piece in enumerate(pieces):
        if slot := by_sentinel.get(piece):
            out.append(slot)
            continue
        encoded = encode(piece)
        before = SOFT_BREAK if index > 0 else b""
        after = SOFT_BREAK if index < len(pieces) - 1 else b""
        out.append(before + encoded + after)
    return out


@dataclass(frozen=True, slots=True)
class CompiledMessage:
    """An edition ready to be spliced: header fields all readers share, and both bodies in segments."""

    header: bytes
    text: tuple[bytes | Slot, ...]
    html: tuple[bytes | Slot, ...]
    boundary: bytes

    def splice(self, reader: Reader) -> bytes:
        """One reader's message: CRLF throughout, no line over 998 octets, no line that starts with a dot."""
        values = {Slot.ADDRESS: reader.mailbox.address, Slot.UNSUBSCRIBE_URL: reader.unsubscribe_url}
        text_values = {slot: encode(value) for slot, value in values.items()}
        html_values = {slot: encode(html.escape(value)) for slot, value in values.items()}
        parts = [_reader_fields(reader), self.header]
        parts += [text_values[piece] if isinstance(piece, Slot) else piece for piece in self.text]
        parts.append(_part_head(self.boundary, b"html"))
        parts += [html_values[piece] if isinstance(piece, Slot) else piece for piece in self.html]
        parts.append(b"\r\n--" + self.boundary + b"--\r\n")
        return b"".join(parts)


def _reader_fields(reader: Reader) -> bytes:
    fields = mailbox_field("To", reader.mailbox) + plain_field("Message-ID", f"<{reader.message_id}>")
    fields += uri_field("List-Unsubscribe", reader.unsubscribe_url)
    if reader.unsubscribe_url.startswith("https://"):  # RFC 8058 §3.1: one-click is for HTTPS only
        fields += plain_field("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
    return fields.encode("utf-8")


def _part_head(boundary: bytes, subtype: bytes) -> bytes:
    return (
        b"\r\n--" + boundary + b"\r\nContent-Type: text/" + subtype + b"; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def compile_message(
    key: str, subject: str, text: str, html_text: str, envelope: Envelope, date: datetime
) -> CompiledMessage:
    """Compile an edition that was rendered with `sentinel_slots(key)`."""
    boundary = f"=_{key[:32]}"  # "=_" cannot occur in quoted-printable (RFC 2045 §6.7)
    fields = [
        mailbox_field("From", envelope.sender),
        mailbox_field("Reply-To", envelope.reply_to) if envelope.reply_to else "",
        text_field("Subject", subject),
        date_field(date),
        list_id_field(envelope.list_title, envelope.list_id),
        uri_field("List-Help", f"mailto:{envelope.help_address}?subject=help"),
        uri_field("List-Owner", f"mailto:{envelope.owner_address}"),
        plain_field("List-Post", "NO"),
        plain_field("Feedback-ID", envelope.feedback_id),
        plain_field("MIME-Version", "1.0"),
        plain_field("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    ]
    marker = boundary.encode("ascii")
    header = "".join(fields).encode("utf-8") + _part_head(marker, b"plain")
    return CompiledMessage(header, tuple(_segments(text, key)), tuple(_segments(html_text, key)), marker)
