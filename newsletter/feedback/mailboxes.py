"""Mailboxes in the fields of a stranger's mail (RFC 5322 §3.4), as far as they can be read.

Promises: no text raises. An address is what stands in angle brackets, or alone; never what a display name, a
quoted string or a comment pretends to be. What is no bare `local@domain` is left out.
"""

import re
from dataclasses import dataclass

from newsletter.feedback.mime import decode_words, one_line

MAILBOXES = 200
"""Mailboxes of one field that are read."""
_ADDRESS = 320
"""Characters of the longest address: 64, the @ and 255 (RFC 5321 §4.5.3.1)."""
_NAME = 200
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*+"?+|<[^<>]*+>?+|[(),;:\\]|[^"<(),;:\\]++', re.DOTALL)
_ONE = re.compile(
    r'(?:[^\s@"<>()\[\],;:\\\x00-\x1f\x7f]+|"(?:[^"\\\x00-\x1f\x7f]|\\.)*+")@[^\s@"<>(),;:\\\x00-\x1f\x7f]+'
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, which may be empty, and an address as it was written."""

    name: str
    address: str


def read_mailboxes(text: str) -> list[Mailbox | None]:
    """The mailboxes of a field, None for each that cannot be read; names decoded."""
    found: list[Mailbox | None] = []
    words: list[str] = []
    angles: list[str] = []
    depth = 0  # of comments

    def end() -> None:
        if words or angles:
            found.append(_mailbox(words, angles))
        words.clear()
        angles.clear()

    for match in _PIECE.finditer(text):
        piece = match[0]
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif depth or piece == "\\":
            continue
        elif piece in ",;":
            end()
            if len(found) >= MAILBOXES:
                return found
        elif piece == ":":
            # What stood here names a group.
            words.clear()
        elif piece.startswith("<"):
            angles.append(piece[1:].removesuffix(">").strip())
        elif piece.strip():
            words.append(piece)
    end()
    return found


def _mailbox(words: list[str], angles: list[str]) -> Mailbox | None:
    """One mailbox of its words and what stood in angle brackets."""
    if len(angles) > 1:
        return None
    # A source route before the address (RFC 5322 §4.4) is long out of use.
    address = angles[0].rpartition(":")[2] if angles else "".join(words).strip()
    if len(address) > _ADDRESS or not _ONE.fullmatch(address):
        return None
    name = "".join(_unquoted(word) for word in words) if angles else ""
    return Mailbox(one_line(decode_words(name))[:_NAME].strip(), address)


def _unquoted(word: str) -> str:
    """A quoted string's content, or the word as it is."""
    return re.sub(r"\\(.)", r"\1", word[1:].removesuffix('"')) if word.startswith('"') else word
