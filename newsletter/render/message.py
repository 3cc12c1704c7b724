"""An edition compiled once, and spliced into one message a reader (RFC 5322, RFC 2045, RFC 8058).

`compile_message` encodes everything that all readers share into static segments; a reader's message is
those segments joined with the values of its slots (`newsletter.render.slots`).
"""

import html
import json
import re
from base64 import encodebytes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from newsletter.render.headers import (
    Mailbox,
    date_field,
    list_id_field,
    mailbox_field,
    plain_field,
    text_field,
    uri_field,
)
from newsletter.render.quoted_printable import SOFT_BREAK, encode
from newsletter.render.slots import Reader, Slot, body_values, header_fields, sentinel

_MARKUP = re.compile("[&<>\"']")
"""What `html.escape` changes."""

Seal = Callable[[bytes, bytes], bytes]
"""Makes signature fields from a copy's own header fields and its body."""


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
    archive_url: str | None = None
    web_url: str | None = None
    pictures: tuple[str, ...] = ()
    """File names of the pictures within the message."""
    leave_address: str = ""
    """Where a mail to it with a token leaves; empty where mail does not come in."""

    def to_json(self) -> str:
        """For the edition's `headers` column."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "Envelope":
        """Back from the edition's `headers` column."""
        data = json.loads(text)
        data["sender"] = Mailbox(**data["sender"])
        data["reply_to"] = Mailbox(**data["reply_to"]) if data["reply_to"] else None
        data["pictures"] = tuple(data.get("pictures", ()))
        return cls(**data)


class Share(NamedTuple):
    """What one copy has of its own; all else is its edition's."""

    fields: bytes
    """Header fields, and the signature before them."""
    values: Sequence[bytes]
    """The values of the body's slots, encoded, in their order."""


def _segments(text: str, key: str) -> list[bytes | Slot]:
    """Encode a body part, with its slots standing between soft line breaks."""
    by_sentinel = {sentinel(key, slot): slot for slot in Slot}
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
    """An edition ready to be spliced: header fields all readers share, and the body in segments."""

    fields: bytes
    body: tuple[bytes, ...]
    """Segments, one of them empty at the place of each slot."""
    text_places: tuple[tuple[int, Slot], ...]
    html_places: tuple[tuple[int, Slot], ...]

    def splice(self, reader: Reader, seal: Seal | None = None) -> bytes:
        """One reader's message: CRLF throughout, no line over 998 octets, no line that starts with a dot.

        `seal`, made for this edition's `fields`, signs it; its fields come first.
        """
        return self.joined(self.share_of(reader, seal))

    def share_of(self, reader: Reader, seal: Seal | None = None) -> Share:
        """What one reader's message has of its own."""
        given = body_values(reader)
        text = {slot: encode(value) for slot, value in given.items()}
        values = [text[slot] for _, slot in self.text_places]
        values += [
            encode(html.escape(given[slot])) if _MARKUP.search(given[slot]) else text[slot]
            for _, slot in self.html_places
        ]
        fields = header_fields(reader)
        if seal is not None:
            fields = seal(fields, b"".join(self._filled(values))) + fields
        return Share(fields, values)

    def joined(self, share: Share) -> bytes:
        """The message of the reader whose share this is."""
        return b"".join([share.fields, self.fields, b"\r\n", *self._filled(share.values)])

    def _filled(self, values: Sequence[bytes]) -> list[bytes]:
        segments = list(self.body)
        for (place, _), value in zip(self.text_places + self.html_places, values, strict=True):
            segments[place] = value
        return segments


def _part_head(boundary: bytes, subtype: bytes) -> bytes:
    return (
        b"--" + boundary + b"\r\nContent-Type: text/" + subtype + b"; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )


def content_id(file_name: str) -> str:
    """The Content-ID of a picture in a message (RFC 2392), without its brackets."""
    return f"{file_name}@pictures.invalid"


def _picture(boundary: bytes, file_name: str, data: bytes) -> bytes:
    """A picture within the message (RFC 2387, RFC 2392)."""
    kind = {"jpg": "jpeg"}.get(file_name.rpartition(".")[2], file_name.rpartition(".")[2])
    fields = (
        plain_field("Content-Type", f"image/{kind}")
        + plain_field("Content-Transfer-Encoding", "base64")
        + plain_field("Content-ID", f"<{content_id(file_name)}>")
        + plain_field("Content-Disposition", f"inline; filename={file_name}")
    )
    encoded = encodebytes(data).replace(b"\n", b"\r\n")
    return b"--" + boundary + b"\r\n" + fields.encode("ascii") + b"\r\n" + encoded + b"\r\n"


def compile_message(
    key: str,
    subject: str,
    text: str,
    html_text: str,
    envelope: Envelope,
    date: datetime,
    pictures: Mapping[str, bytes] | None = None,
) -> CompiledMessage:
    """Compile an edition that was rendered with `sentinel_slots(key)`.

    `pictures` holds the files that the envelope names: they go with the HTML (RFC 2387), after the text
    (RFC 2046 section 5.1.4).
    """
    boundary = f"=_{key[:32]}"  # "=_" cannot occur in quoted-printable (RFC 2045 §6.7)
    fields = [
        mailbox_field("From", envelope.sender),
        mailbox_field("Reply-To", envelope.reply_to) if envelope.reply_to else "",
        text_field("Subject", subject),
        date_field(date),
        list_id_field(envelope.list_title, envelope.list_id),
        uri_field("List-Help", f"mailto:{envelope.help_address}?subject=help"),
        uri_field("List-Owner", f"mailto:{envelope.owner_address}"),
        uri_field("List-Archive", envelope.archive_url) if envelope.archive_url else "",
        uri_field("Archived-At", envelope.web_url) if envelope.web_url else "",
        plain_field("List-Post", "NO"),
        plain_field("Feedback-ID", envelope.feedback_id),
        plain_field("MIME-Version", "1.0"),
        plain_field("Content-Type", f'multipart/alternative;\r\n boundary="{boundary}"'),
    ]
    marker = boundary.encode("ascii")
    html_head, end = b"\r\n" + _part_head(marker, b"html"), b"\r\n--" + marker + b"--\r\n"
    if pictures:
        inner = marker + b"_r"
        html_head = (
            b"\r\n--" + marker + b'\r\nContent-Type: multipart/related; type="text/html";\r\n boundary="'
            + inner + b'"\r\n\r\n' + _part_head(inner, b"html")
        )  # fmt: skip
        parts = [_picture(inner, name, data) for name, data in pictures.items()]
        end = b"\r\n" + b"".join(parts) + b"--" + inner + b"--\r\n" + end
    text_pieces, html_pieces = _segments(text, key), _segments(html_text, key)
    before_html = [_part_head(marker, b"plain"), *text_pieces, html_head]
    body = [*before_html, *html_pieces, end]
    return CompiledMessage(
        fields="".join(fields).encode("utf-8"),
        body=tuple(b"" if isinstance(piece, Slot) else piece for piece in body),
        text_places=_places(text_pieces, 1),
        html_places=_places(html_pieces, len(before_html)),
    )


def _places(pieces: list[bytes | Slot], first: int) -> tuple[tuple[int, Slot], ...]:
    return tuple((place, piece) for place, piece in enumerate(pieces, first) if isinstance(piece, Slot))
