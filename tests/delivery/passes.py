"""Passes of the sender against relays in the same event loop, whose time jumps: nobody waits for anything."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event
from types import TracebackType
from typing import Any, Self, TypeVar

from newsletter.app import App
from newsletter.delivery.composer import Composer
from newsletter.delivery.dispatcher import Dispatcher, Tally
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.pace import Limits
from newsletter.delivery.relays import Relay
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.upkeep import Upkeep
from newsletter.log import Log
from newsletter.settings import RelaySection, TLSMode
from tests.conftest import subscribe
from tests.delivery.bigissue import SLOT, queue_post

DUE = datetime.fromisoformat(SLOT)
EOF = b"(the connection is closed)"
SILENCE = b"(nothing is said)"
"""In place of a reply."""
_YES = {"MAIL": b"250 2.1.0 Ok", "RCPT": b"250 2.1.5 Ok", "DATA": b"354 Go on", ".": b"250 2.0.0 Taken"}

Result = TypeVar("Result")


class _Jumping(selectors.DefaultSelector):
    """Where nothing happens before the next timer, the time jumps there."""

    instant = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        events = super().select(0) or super().select(0.0005)  # what is just crossing the loopback
        if not events:
            self.instant += timeout
        return events


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop that begins at 0 and never waits."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.instant


def jumping(scenario: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a scenario in such a loop."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(scenario())


def clock() -> datetime:
    """The sites' time, which begins when the first issue is due."""
    return DUE + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass
class Transaction:
    """One letter as a relay saw it."""

    number: int
    """Counted from 0 over all connections."""
    connection: int
    recipient: str = ""
    content: bytes = b""
    replies: dict[str, bytes] = field(default_factory=dict)
    """What was said to each command, and EOF."""
    at: float = 0.0
    """When its content was answered."""

    @property
    def is_accepted(self) -> bool:
        return self.replies.get(".", b"").startswith(b"2")

    @property
    def is_swallowed(self) -> bool:
        """Whether the content came and the reply never left."""
        return self.replies.get(".") == EOF


Says = Callable[[str, Transaction], bytes | None]
"""The reply to a command within a transaction, EOF, SILENCE, or None for yes."""


class BufferingRelay(AbstractAsyncContextManager["BufferingRelay"]):
    """A relay that answers what came together together (RFC 2920 §3.2), and hangs up at one reader's RCPT.

    What it had to say until then is lost with the connection.
    """

    def __init__(self, poison: str) -> None:
        self._poison = f"RCPT TO:<{poison}>".encode()
        self.recipients: list[str] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.relay = Relay(RelaySection(host="127.0.0.1", port=port, tls=TLSMode.NONE, connections=2))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(b"220 here\r\n")
        rest, recipient, takes_content = b"", "", False
        while data := await reader.read(2**16):
            rest, replies = rest + data, b""
            while b"\r\n" in rest:
                end = b"\r\n.\r\n" if takes_content else b"\r\n"
                if end not in rest:
                    break
                taken, _, rest = rest.partition(end)
                if taken.startswith(self._poison):
                    writer.transport.abort()
                    return
                if takes_content:
                    self.recipients.append(recipient)
                elif taken.startswith(b"RCPT"):
                    recipient = taken.partition(b"<")[2].partition(b">")[0].decode()
                takes_content = taken == b"DATA"
                replies += self._reply(taken)
            writer.write(replies)
        writer.close()

    def _reply(self, command: bytes) -> bytes:
        if command.startswith(b"EHLO"):
            return b"250-here\r\n250 PIPELINING\r\n"
        return b"354 Go on\r\n" if command == b"DATA" else b"250 2.0.0 Ok\r\n"


class ControlledRelay(AbstractAsyncContextManager["ControlledRelay"]):
    """A relay whose every word is the test's; runs in the loop of the test."""

    def __init__(self, says: Says = lambda verb, transaction: None, *, pipelining: bool = True) -> None:
        self._says = says
        self._offers = ["8BITMIME", *(["PIPELINING"] if pipelining else [])]
        self._sessions: set[asyncio.Task[None]] = set()
        self.transactions: list[Transaction] = []
        self.connections = 0
        self.open_now = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=2**20)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.die()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    def die(self) -> None:
        """Close every connection and take no more."""
        self._server.close()
        for session in self._sessions:
            session.cancel()

    def relay(self, connections: int = 4, weight: int = 1) -> Relay:
        """How it is reached."""
        section = RelaySection(
            host="127.0.0.1", port=self.port, tls=TLSMode.NONE, connections=connections, weight=weight
        )
        return Relay(section)

    @property
    def accepted(self) -> list[Transaction]:
        """The letters it took, in the order in which it said so."""
        return sorted((one for one in self.transactions if one.is_accepted), key=lambda one: one.at)

    @property
    def recipients(self) -> list[str]:
        """Who has a letter."""
        return sorted(one.recipient for one in self.accepted)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        number, self.connections, self.open_now = self.connections, self.connections + 1, self.open_now + 1
        try:
            writer.write(b"220 controlled.test ESMTP\r\n")
            await self._converse(reader, writer, number)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open_now -= 1
            self._sessions.discard(session)
            writer.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int
    ) -> None:
        now: Transaction | None = None
        while line := (await reader.readline()).decode():
            verb = line.split()[0]
            if verb == "MAIL":
                now = Transaction(len(self.transactions), connection)
                self.transactions.append(now)
            elif verb == "RCPT" and now is not None:
                now.recipient = line.partition("<")[2].partition(">")[0]
            if verb == "EHLO":
                writer.write("".join(f"250-{offer}\r\n" for offer in self._offers).encode() + b"250 HELP\r\n")
            elif verb not in _YES or now is None:
                writer.write(b"221 2.0.0 Bye\r\n" if verb == "QUIT" else b"250 2.0.0 Ok\r\n")
            elif not await self._answer(verb, now, reader, writer):
                return
            if verb == "QUIT":
                return

    async def _answer(
        self, verb: str, now: Transaction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Say what is to be said to a command, and to the content behind DATA; False to close."""
        refused = any(not reply.startswith((b"2", b"3")) for reply in now.replies.values())
        if verb == "DATA" and refused:
            writer.write(b"503 5.5.1 Nobody to send it to\r\n")
            return True
        reply = self._says(verb, now) or _YES[verb]
        now.replies[verb] = reply
        now.at = asyncio.get_running_loop().time()
        if reply == EOF:
            await writer.drain()
            return False
        if reply == SILENCE:
            return True
        if verb == "." and not self._server.is_serving():
            now.replies[verb] = EOF  # it died meanwhile
            return False
        writer.write(reply + b"\r\n")
        if verb == "DATA" and reply.startswith(b"354"):
            now.content = await reader.readuntil(b"\r\n.\r\n")
            return await self._answer(".", now, reader, writer)
        return not reply.startswith(b"421")


def plan_for(site: App, addresses: Sequence[str]) -> None:
    """An issue to these readers, due at the beginning of time."""
    subscribe(site, *addresses)
    queue_post(site)
    site.clock.now = DUE  # type: ignore[attr-defined]  # the test's clock
    site.plan_due()


async def one_pass(
    site: App,
    *relays: Relay,
    limits: Limits | None = None,
    stop: Event | None = None,
    log: Log | None = None,
) -> Tally:
    """One pass of the sender as `App.send_due` makes it, by the loop's time."""
    delivery, limits = site.settings.delivery, limits or Limits()
    composer = Composer(site.database, site.signer, site.settings.media_folder)
    with site.database.writing_connection() as connection:
        ledger = Ledger(site.database, connection, resend_in_doubt=True, now=clock())
        try:
            upkeep = Upkeep(
                ledger,
                limits,
                clock,
                canary_wait=timedelta(minutes=delivery.canary_wait_minutes),
                canary_limit_percent=delivery.canary_limit_percent,
                tell_recovered=lambda recovered: None,
            )
            tally = await Dispatcher(
                site.database,
                ledger,
                relays,
                composer=composer,
                upkeep=upkeep,
                transport=lambda relay: SMTPTransport(relay.section, habits=relay.habits),
                limits=limits,
                clock=clock,
                monotonic=asyncio.get_running_loop().time,
                stop=stop or Event(),
                progress=lambda tally: None,
                log=log,
            ).send_due()
            ledger.finish(clock())
        finally:
            ledger.close(clock())
    return tally
