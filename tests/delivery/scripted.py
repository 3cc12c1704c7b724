"""A small SMTP server that says and does what a test tells it, at each stage."""

import asyncio
import socket
import struct
from contextlib import AbstractAsyncContextManager
from ssl import SSLContext
from types import TracebackType
from typing import Self

from newsletter.delivery.transport import Letter

EOF = b"(the connection is closed)"
"""In place of a reply: close the connection."""
RESET = b"(the connection is reset)"
"""In place of a reply: reset the connection, as a host does that has been restarted."""

_DEFAULTS = {
    "": b"220 scripted.test ESMTP\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go on\r\n",
    ".": b"250 2.0.0 Taken\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
    "STARTTLS": b"220 2.0.0 Ready\r\n",
}


class ScriptedServer(AbstractAsyncContextManager["ScriptedServer"]):
    """Runs in the event loop of the test.

    `replies` may be changed at any time: bytes to send for a command (`.` for the message, the empty string
    for the greeting), or EOF or RESET. `after` does the same to a connection once the reply is out.
    """

    def __init__(self, *offers: str, tls: SSLContext | None = None, implicit: bool = False) -> None:
        self.offers = offers
        self.replies: dict[str, bytes] = {}
        self.after: dict[str, bytes] = {}
        self.commands: list[str] = []
        self.accepted: list[Letter] = []
        self.connections = 0
        self.cut_short: list[bytes] = []
        """What came of messages whose dot never came."""
        self._tls = tls
        self._implicit = implicit
        self._sessions: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        # The backlog takes what a test opens at once.
        listening = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = listening.getsockname()[1]
        context = self._tls if self._implicit else None
        self._server = await asyncio.start_server(self._serve, sock=listening, ssl=context, limit=2**20)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for session in list(self._sessions):
            session.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)

    async def end_of_sessions(self) -> None:
        """Wait until every connection is over."""
        if self._sessions:
            await asyncio.wait(self._sessions)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        session = asyncio.current_task()
        assert session is not None
        self._sessions.add(session)
        self.connections += 1
        try:
            if await self._answer("", writer):
                await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._sessions.discard(session)
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        return_path = recipient = ""
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.commands.append(command)
            verb = command.split()[0].upper()
            if verb == "MAIL":
                return_path = _path(command)
            elif verb == "RCPT":
                recipient = _path(command)
            if not await self._answer(verb, writer):
                return
            if verb == "STARTTLS" and self._tls is not None:
                await writer.start_tls(self._tls)
            if verb == "DATA" and self._reply(verb).startswith(b"354"):
                content = await self._body(reader)
                if not content:  # a lone dot, after a refusal (RFC 2920 §3.1)
                    await self._act(b"554 5.5.1 No valid recipients\r\n", writer)
                    continue
                if self._reply(".").startswith((b"2", EOF, RESET)):
                    self.accepted.append(Letter(return_path, recipient, content))
                if not await self._answer(".", writer):
                    return
            if verb == "QUIT":
                return

    async def _body(self, reader: asyncio.StreamReader) -> bytes:
        lines: list[bytes] = []
        while (line := await reader.readline()) != b".\r\n":
            lines.append(line)
            if not line.endswith(b"\n"):
                self.cut_short.append(b"".join(lines))
                raise asyncio.IncompleteReadError(b"", None)
        return b"".join(lines)

    def _reply(self, verb: str) -> bytes:
        if verb == "EHLO" and verb not in self.replies:
            lines = ("scripted.test", *self.offers)
            separators = "-" * (len(lines) - 1) + " "
            return "".join(
                f"250{sep}{line}\r\n" for sep, line in zip(separators, lines, strict=True)
            ).encode()
        return self.replies.get(verb, _DEFAULTS.get(verb, b"502 5.5.1 What?\r\n"))

    async def _answer(self, verb: str, writer: asyncio.StreamWriter) -> bool:
        """Say what is to be said; False if the connection is over."""
        return await self._act(self._reply(verb), writer) and (
            verb not in self.after or await self._act(self.after[verb], writer)
        )

    async def _act(self, reply: bytes, writer: asyncio.StreamWriter) -> bool:
        if reply == RESET:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            return False
        if reply == EOF:
            return False
        writer.write(reply)
        await writer.drain()
        return True


def _path(command: str) -> str:
    return command.partition("<")[2].partition(">")[0]
