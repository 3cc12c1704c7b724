"""The seam where mail leaves: what a transport promises, whatever it speaks.

A transport announces its point of no return: it awaits `commit()` before it writes anything that could
make the other side accept the message. If `commit()` says False the letter must not go, and the transport
leaves no trace of it. After True, no outcome but the other side's word may be reported; a lost reply is
`broken(Stage.DOT, …)`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from newsletter.delivery.outcome import Outcome

Commit = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message and its envelope (RFC 5321 §2.3.1)."""

    return_path: str
    recipient: str
    content: bytes
    """Header and body: CRLF ends every line, and no line begins with a dot."""


class Transport(Protocol):
    """One connection to a relay, used for letters one after the other."""

    async def connect(self) -> None:
        """Open the connection, or open it again after it was lost.

        Raises RelayError if the relay cannot be used at all.
        """
        ...

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried on this connection."""
        ...

    async def send(self, letter: Letter, commit: Commit) -> Outcome | None:
        """Try one letter on an open connection; None if `commit()` refused it.

        What `commit()` raises comes through, and the letter does not go.
        """
        ...

    async def close(self) -> None:
        """Take leave politely, if there is anything open; never raises."""
        ...
