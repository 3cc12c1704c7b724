"""A short letter outside of any issue as a message (RFC 5322): to the editor, or to one person.

It says that no person wrote it (RFC 3834 §5), so that no other program answers. Promises: CRLF ends every
line, none is longer than 998 octets, all is 7-bit, and the same note has the same bytes.
"""

import re
from base64 import encodebytes
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from newsletter.render.headers import (
    Mailbox,
    clean,
    date_field,
    mailbox_field,
    plain_field,
    text_field,
    words_field,
)
from newsletter.render.quoted_printable import encode

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")
_MOST_REFERENCES = 20
COLUMNS = 72
"""So that no line of text is broken once more as it is encoded."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a short letter says, to whom, and what it answers."""

    sender: Mailbox
    recipient: Mailbox
    subject: str
    date: datetime
    message_id: str
    """Without its angle brackets."""
    text: str
    html: str | None = None
    reply_to: Mailbox | None = None
    in_reply_to: str = ""
    """The Message-ID of what it answers, as that had it."""
    references: str = ""
    auto_submitted: str = "auto-generated"
    """Or `auto-replied`, for an answer to a mail (RFC 3834 §5.1)."""
    attachment: bytes | None = None
    """A message as it came in."""


def note_id(kind: str, topic: str, domain: str) -> str:
    """A Message-ID, without its brackets, that is the same whenever the same is written about."""
    return f"{kind}-{sha256(topic.encode()).hexdigest()[:32]}@{domain}"


def compose(note: Note) -> bytes:
    """The message, header and body."""
    fields = [
        mailbox_field("From", note.sender),
        mailbox_field("To", note.recipient),
        mailbox_field("Reply-To", note.reply_to) if note.reply_to else "",
        text_field("Subject", clean(note.subject)),
        date_field(note.date),
        plain_field("Message-ID", f"<{note.message_id}>"),
        *_thread(note),
        plain_field("Auto-Submitted", note.auto_submitted),
        plain_field("MIME-Version", "1.0"),
    ]
    head, body = _content(note)
    return "".join(fields).encode() + head + b"\r\n" + body


def _thread(note: Note) -> list[str]:
    """In-Reply-To and References (RFC 5322 §3.6.4), of what is sound in them: they came from outside."""
    answered = _MESSAGE_ID.findall(note.in_reply_to)[:1]
    before = [one for one in _MESSAGE_ID.findall(note.references) if one not in answered]
    path = [*before[-_MOST_REFERENCES:], *answered]
    fields = [words_field("In-Reply-To", answered)] if answered else []
    return [*fields, words_field("References", path)] if path else fields


def _content(note: Note) -> tuple[bytes, bytes]:
    """The fields that say what the body is, and the body."""
    head, body = _part("plain", note.text)
    if note.html is not None:
        head, body = _multipart("alternative", note, [(head, body), _part("html", note.html)])
    if note.attachment is not None:
        head, body = _multipart("mixed", note, [(head, body), _attached(note.attachment)])
    return head, body


def _part(subtype: str, text: str) -> tuple[bytes, bytes]:
    fields = plain_field("Content-Type", f"text/{subtype}; charset=utf-8")
    return (fields + plain_field("Content-Transfer-Encoding", "quoted-printable")).encode(), encode(text)


def _multipart(subtype: str, note: Note, parts: Sequence[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    # "=_" cannot occur in quoted-printable (RFC 2045 §6.7), nor in base64 with a letter behind it.
    boundary = f"=_{sha256(f'{note.message_id} {subtype}'.encode()).hexdigest()[:32]}"
    marker = b"--" + boundary.encode()
    body = b"".join(marker + b"\r\n" + head + b"\r\n" + content + b"\r\n" for head, content in parts)
    fields = plain_field("Content-Type", f'multipart/{subtype};\r\n boundary="{boundary}"')
    return fields.encode(), body + marker + b"--\r\n"


def _attached(message: bytes) -> tuple[bytes, bytes]:
    """A whole message as a file: as message/rfc822 it could not be encoded (RFC 2046 §5.2.1)."""
    fields = [
        plain_field("Content-Type", 'application/octet-stream; name="letter.eml"'),
        plain_field("Content-Disposition", 'attachment; filename="letter.eml"'),
        plain_field("Content-Transfer-Encoding", "base64"),
    ]
    return "".join(fields).encode(), encodebytes(message).replace(b"\n", b"\r\n")
