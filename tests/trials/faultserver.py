"""A relay that does as it ought to, but for what a test has it do wrong, and when.

Transactions are counted from 0 as their MAIL comes, over all connections; a fault names its transaction, or
None for all of them and for what comes before the first. What the server took responsibility for is on
record even if its reply never left.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count, cycle
from threading import Thread
from types import TracebackType
from typing import Self

from tests.delivery.recorder import MESSAGE_ID, Received


class Act(Enum):
    """What a server can do besides talking."""

    CLOSE = "closes the connection"
    SILENCE = "says nothing more, and keeps the connection"
    DRIP = "answers an octet at a time, and never to the end"
    FORGET = "forgets what it was told behind the command that it is answering"


@dataclass(frozen=True)
class Fault:
    """At this stage (a verb, `.` for the message, "" for the greeting) it does this instead of agreeing."""

    stage: str
    does: tuple[bytes | Act, ...]
    transaction: int | None = None


_AGREES = {
    "": b"220 faults.test ESMTP\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go on\r\n",
    ".": b"250 2.0.0 Taken\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
    "STARTTLS": b"220 2.0.0 Ready\r\n",
}


class FaultServer:
    """`with FaultServer(faults) as relay:` runs it in a thread of its own; STARTTLS leads to `tls`."""

    def __init__(self, faults: Sequence[Fault] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self._faults = {(fault.stage, fault.transaction): fault.does for fault in faults}
        self._transactions = count()
        starttls = b"250-STARTTLS\r\n" if tls else b""
        offers = b"250-faults.test\r\n" + starttls + b"250-PIPELINING\r\n250 8BITMIME\r\n"
        self._agrees = _AGREES | {"EHLO": offers}
        self.tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self.received: list[Received] = []
        self.recipients: dict[int, str] = {}
        """By transaction, whom it was for."""

    @property
    def environment(self) -> dict[str, str]:
        """What makes a site use this relay."""
        return {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(self.port)}

    def __enter__(self) -> Self:
        self._thread.start()
        serving = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(10)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            self._server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _Conversation(self, reader, writer).hold()
        except (ConnectionError, EOFError, ssl.SSLError):
            pass
        finally:
            writer.transport.abort()

    def does(self, stage: str, transaction: int | None) -> tuple[bytes | Act, ...]:
        """What is done at a stage: the transaction's own fault, everybody's, or what ought to be done."""
        every = self._faults.get((stage, None), (self._agrees.get(stage, b"502 5.5.1 What?\r\n"),))
        return self._faults.get((stage, transaction), every)

    def begin(self) -> int:
        """Number a transaction."""
        return next(self._transactions)


class _Conversation:
    def __init__(
        self, server: FaultServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._rest = b""
        self._transaction: int | None = None
        self._is_over = False

    async def hold(self) -> None:
        await self._at("")
        while not self._is_over:
            command = await self._until(b"\r\n")
            verb = command[:4].decode().upper() if command[:8].upper() != b"STARTTLS" else "STARTTLS"
            if verb == "MAIL":
                self._transaction = self._server.begin()
            elif verb == "RCPT" and self._transaction is not None:
                recipient = command.partition(b"<")[2].partition(b">")[0].decode()
                self._server.recipients[self._transaction] = recipient
            done = await self._at(verb)
            if verb == "DATA" and done.startswith(b"354"):
                await self._take_content()
            elif verb == "STARTTLS" and done.startswith(b"220") and self._server.tls is not None:
                await self._writer.start_tls(self._server.tls)
            self._is_over |= verb == "QUIT"

    async def _take_content(self) -> None:
        content = await self._until(b"\r\n.\r\n")
        assert self._transaction is not None
        does = self._server.does(".", self._transaction)
        found = MESSAGE_ID.search(content)
        # It has it, whether the sender learns of that or not; only a refusal in full says otherwise.
        if found and not (isinstance(does[0], bytes) and does[0][:1] in b"45"):
            recipient = self._server.recipients[self._transaction]
            self._server.received.append(Received(recipient, found[1].decode()))
        await self._at(".")

    async def _until(self, end: bytes) -> bytes:
        while end not in self._rest:
            data = await self._reader.read(2**16)
            if not data:
                raise EOFError
            self._rest += data
        taken, _, self._rest = self._rest.partition(end)
        return taken

    async def _at(self, stage: str) -> bytes:
        """Do what is to be done at a stage; returns what was said."""
        does = self._server.does(stage, self._transaction)
        for step in does:
            if isinstance(step, bytes):
                self._writer.write(step)
                await self._writer.drain()
            elif step is Act.CLOSE:
                raise EOFError
            elif step is Act.FORGET:
                self._rest = b""
            elif step is Act.SILENCE:
                while await self._reader.read(2**16):
                    pass
                raise EOFError
            else:
                for octet in cycle(b"250-and\r\n"):
                    self._writer.write(bytes([octet]))
                    await self._writer.drain()
                    await asyncio.sleep(0.1)
        return b"".join(step for step in does if isinstance(step, bytes))
