"""The ways mail comes in, and what they have in common.

Every entrance hands each message to the inbox, whole, before it says to anybody that it has it: a mail server
gets its 250, a pipe its exit code 0, and a mailbox its mark only after `keep` has returned. Handling is none
of its business. Whatever way a message came, its lines end in CRLF, so that the inbox knows it again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from newsletter.feedback.inbox import Kept
from newsletter.feedback.reading import read_mail
from newsletter.feedback.route import Route, RouteVerb, read_route


class Entrance(StrEnum):
    """By which way a message came in."""

    LMTP = "lmtp"
    SMTP = "smtp"
    PIPE = "pipe"
    IMAP = "imap"
    MAILDIR = "maildir"
    MBOX = "mbox"


class Keeper(Protocol):
    """Where messages are kept: the inbox."""

    def keep(self, content: bytes, *, entrance: str, recipient: str | None, return_path: str | None) -> Kept:
        """Keep a message; on return it is on disk. Raises DatabaseError."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """To which of our addresses a message went, and what that says of it."""

    recipient: str
    verb: RouteVerb


@dataclass(frozen=True, slots=True)
class OurAddresses:
    """Which mail is ours."""

    inbound: str
    bounce: str

    def takes(self, recipient: str) -> bool:
        """Whether an envelope's recipient is an address of ours."""
        return self._route([recipient]) is not None

    def addressed(self, content: bytes) -> Addressed | None:
        """Where a message went, by its header, None if to none of our addresses. Never raises."""
        recipients = read_mail(content, None).recipients
        route = self._route(recipients)
        if route is None:
            return None
        return Addressed(next(one for one in recipients if self._route([one]) == route), route.verb)

    def _route(self, recipients: Sequence[str]) -> Route | None:
        return read_route(recipients, inbound_address=self.inbound, bounce_address=self.bounce)


Report = Callable[[Exception], None]
"""Told of what goes wrong with an entrance, once each time that it begins to; mail waits where it is."""


def with_crlf(content: bytes) -> bytes:
    """A message whose lines end in CRLF (RFC 5322 §2.3), however they did."""
    breaks = content.count(b"\r\n")
    if breaks == content.count(b"\n") == content.count(b"\r"):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
