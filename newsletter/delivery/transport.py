"""The seam where mail leaves: what a transport promises, whatever it speaks.

A connection is driven by what it tells its listener. A letter is proposed; when the other side asks for its
content, the listener is told and nothing goes until it says `release` (then the content goes, and right
behind it the proposal of the letter that follows) or `abandon` (then it is as if the letter had never been
proposed). After `release` no outcome but the other side's word may be reported; a lost reply is
`broken(Stage.DOT, …)`. So at most one letter a connection can be in doubt.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from newsletter.delivery.outcome import Outcome, Stage, broken

Commit = Callable[[], Awaitable[bool]]


class Letter(NamedTuple):
    """One message and its envelope (RFC 5321 §2.3.1)."""

    return_path: str
    recipient: str
    content: bytes
    """Header and body: CRLF ends every line."""
    is_alone: bool = False
    """Whether to wait for every answer before the next word, also where words could go in groups."""


class Listener(Protocol):
    """Who uses a connection. It is told from within the event loop, and may answer at once."""

    def asked(self) -> None:
        """The other side is ready for the content of the letter proposed: `release` or `abandon`."""
        ...

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """What came of a letter. If it was refused before its content went, another may be proposed."""
        ...

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """The connection has ended on the other side; it comes last, and once a connection.

        `untried` is the letter proposed of which nothing was said; `outcome` is what it counts as where such
        a loss counts.
        """
        ...


class Transport(Protocol):
    """One connection to a relay, used for letters one after the other."""

    async def connect(self, listener: Listener) -> None:
        """Open the connection, or open it again after it was lost.

        Raises RelayError if the relay cannot be used at all.
        """
        ...

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried on this connection."""
        ...

    def propose(self, letter: Letter) -> None:
        """Ask the other side to take a letter; on an open connection with no letter proposed."""
        ...

    def release(self, following: Letter | None) -> None:
        """Let the content go that was asked for, and propose the letter that follows."""
        ...

    def abandon(self) -> None:
        """Cut the connection at once: a letter whose content was asked for does not go. Never raises."""
        ...

    async def close(self) -> None:
        """Take leave politely, if there is anything open; never raises."""
        ...


class OneByOne:
    """A transport for a few letters, each waited for before the next."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._told: asyncio.Future[Outcome | None] | None = None

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried on this connection."""
        return self._transport.is_usable

    async def connect(self) -> None:
        """Open the connection, or open it again. Raises RelayError."""
        await self._transport.connect(self)

    async def send(self, letter: Letter, commit: Commit) -> Outcome | None:
        """Try one letter on an open connection; None if `commit()`, asked before it goes, said no.

        What `commit()` raises comes through, and the letter does not go.
        """
        if not self.is_usable:
            return broken(Stage.MAIL, "the relay closed the connection.")
        try:
            outcome = await self._next_word(lambda: self._transport.propose(letter))
            if outcome is not None:
                return outcome
            if not await commit():
                self._transport.abandon()
                return None
            if not self._transport.is_usable:
                return broken(Stage.DATA, "the relay closed the connection.")
            return await self._next_word(lambda: self._transport.release(None))
        except BaseException:
            self._transport.abandon()
            raise

    async def close(self) -> None:
        """Take leave politely, if there is anything open; never raises."""
        await self._transport.close()

    async def _next_word(self, act: Callable[[], None]) -> Outcome | None:
        """What the transport tells next: None if it asks for the content."""
        self._told = asyncio.get_running_loop().create_future()
        act()
        return await self._told

    def _tell(self, outcome: Outcome | None) -> None:
        if self._told is not None and not self._told.done():
            self._told.set_result(outcome)

    def asked(self) -> None:
        """The transport's word, as Listener."""
        self._tell(None)

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """The transport's word, as Listener."""
        self._tell(outcome)

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """The transport's word, as Listener."""
        self._tell(outcome)
