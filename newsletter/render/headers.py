"""Header fields, written so that every mail system reads them alike (RFC 5322, 2047, 2369).

Python's own folding puts encoded-words into long List-* addresses and runs them together in subjects
(cpython#85725, cpython#144156), so fields are folded here: text as encoded-words of at most 75 octets,
addresses never encoded and never folded inside. A line break can not get into a field: callers' text is
cleaned of control characters first.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from subscribers.address import AddressError, parse_address

_ENCODED_WORD_OCTETS = 45  # 60 characters of base64 and 12 of "=?utf-8?b??=": below RFC 2047's 75
_LINE = 78
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+\Z")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/^_`{|}~-]+)*")
"""A phrase of atoms that needs neither cleaning nor encoding: no "=?" can stand in it."""
_LONGEST_WORD = 900
"""Characters of a word that cannot be folded: with a field's name it stays below RFC 5322's 998."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name and an address (RFC 5322 §3.4). The name may be empty."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The part after the @, in A-labels."""
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        return format_mailbox(self.name, self.address)


def clean(text: str) -> str:
    """Text on one line: control characters and line breaks become single spaces."""
    return " ".join(_CONTROL.sub(" ", text).split())


def parse_mailbox(text: str) -> Mailbox:
    """Read `Name <address>`, `"Name" <address>` or a bare address; exactly one. Raises AddressError."""
    match = re.fullmatch(r"\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^<>\"]*?))\s*<([^<>]*)>\s*", text)
    if match is None:
        return Mailbox("", parse_address(text).given)
    name = re.sub(r"\\(.)", r"\1", match[1]) if match[1] is not None else match[2]
    if "@" in name or ("," in name and match[1] is None):
        raise AddressError(f"{text!r} is not one mailbox: write it as Name <address>")
    return Mailbox(clean(name), parse_address(match[3]).given)


def _encoded_words(text: str) -> list[str]:
    """RFC 2047 encoded-words, each whole characters, each at most 75 octets."""
    words, chunk = [], b""
    for char in text:
        octets = char.encode("utf-8", "replace")
        if len(chunk) + len(octets) > _ENCODED_WORD_OCTETS:
            words.append(chunk)
            chunk = b""
        chunk += octets
    words.append(chunk)
    return [f"=?utf-8?b?{b64encode(word).decode('ascii')}?=" for word in words]


def _fold(name: str, words: list[str]) -> str:
    """Join words with single spaces, folding before a word that would pass column 78."""
    line, lines = f"{name}:", []
    for word in words:
        if len(line) + 1 + len(word) > _LINE and line.strip() and not line.endswith(":"):
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _needs_encoding(text: str) -> bool:
    return not text.isascii() or "=?" in text or any(len(word) > _LONGEST_WORD for word in text.split(" "))


def text_field(name: str, text: str) -> str:
    """An unstructured field, such as Subject."""
    text = clean(text)
    return _fold(name, _encoded_words(text) if _needs_encoding(text) else text.split(" "))


def _phrase(text: str) -> list[str]:
    """A display name as the words of a phrase: atoms, a quoted-string, or encoded-words (RFC 5322 §3.2.5)."""
    if _needs_encoding(text):
        return _encoded_words(text)
    if _ATOMS.match(text):
        return text.split(" ")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return [f'"{escaped}"'] if len(escaped) <= _LONGEST_WORD else _encoded_words(text)


def format_mailbox(name: str, address: str) -> str:
    """`Name <address>` on one line, the name quoted or encoded as needed."""
    return " ".join(_mailbox_words(name, address))


def _mailbox_words(name: str, address: str) -> list[str]:
    cleaned = clean(name)
    return [*_phrase(cleaned), f"<{address}>"] if cleaned else [address]


def mailbox_field(name: str, mailbox: Mailbox) -> str:
    """An address field with one mailbox, such as From or To."""
    if not mailbox.name:
        return plain_field(name, mailbox.address)
    line = f"{name}: {mailbox.name} <{mailbox.address}>"
    if len(line) <= _LINE and _PLAIN_NAME.fullmatch(mailbox.name):
        return line + "\r\n"
    return any_mailbox_field(name, mailbox)


def any_mailbox_field(name: str, mailbox: Mailbox) -> str:
    """What `mailbox_field` writes, by way of every rule, for any name."""
    return _fold(name, _mailbox_words(mailbox.name, mailbox.address))


def list_id_field(title: str, list_id: str) -> str:
    """List-Id (RFC 2919): an optional phrase and the identifier."""
    return _fold("List-Id", [*_phrase(clean(title)), f"<{list_id}>"])


def uri_field(name: str, *uris: str) -> str:
    """A List-* field of URIs in angle brackets (RFC 2369 §2): folded only after a comma, never encoded."""
    return f"{name}: " + ",\r\n ".join(f"<{uri}>" for uri in uris) + "\r\n"


def words_field(name: str, words: list[str]) -> str:
    """A field of words already in their form on the wire, folded between them."""
    return _fold(name, words)


def plain_field(name: str, value: str) -> str:
    """A field whose value is already in its form on the wire."""
    return f"{name}: {value}\r\n"


def date_field(instant: datetime) -> str:
    """The Date field (RFC 5322 §3.6.1), in UTC."""
    return plain_field("Date", format_datetime(instant.astimezone(UTC)))
