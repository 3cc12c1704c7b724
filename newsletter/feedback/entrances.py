"""The ways mail comes in, and what they have in common.

Every entrance hands each message to the inbox, whole, before it says to anybody that it has it: a mail server
gets its 250, a pipe its exit code 0, and a mailbox its mark only after `keep` has returned. Handling is none
of its business. Whatever way a message came, its lines end in CRLF, so that the inbox knows it again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Entrance(StrEnum):
    """By which way a message came in."""

    LMTP = "lmtp"
    SMTP = "smtp"
    PIPE = "pipe"
    IMAP = "imap"
    MAILDIR = "maildir"
    MBOX = "mbox"


class Kept(Protocol):
    """A message that is on disk."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def is_new(self) -> bool:
        """Whether it had not been kept before."""


class Keeper(Protocol):
    """Where messages are kept: the inbox."""

    def keep(self, content: bytes, *, entrance: str, recipient: str | None, return_path: str | None) -> Kept:
        """Keep a message; on return it is on disk. Raises DatabaseError and MessageTooLargeError."""


@dataclass(frozen=True, slots=True)
class Ours:
    """Whose mail this is: the verb of one of our addresses, "" for the plain one, None for none of ours."""

    of_recipient: Callable[[str], str | None]
    """By an envelope's recipient."""
    of_header: Callable[[bytes], str | None]
    """By a message's header."""


Report = Callable[[Exception], None]
"""Told of what goes wrong with an entrance, once each time that it begins to; mail waits where it is."""


def with_crlf(content: bytes) -> bytes:
    """A message whose lines end in CRLF (RFC 5322 §2.3), however they did."""
    breaks = content.count(b"\r\n")
    if breaks == content.count(b"\n") == content.count(b"\r"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
