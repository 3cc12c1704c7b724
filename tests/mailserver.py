"""A relay for tests: a real SMTP server on loopback that remembers what it accepted."""

import asyncio
import socket
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from ssl import SSLContext
from threading import Thread
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Accepted:
    """A message the server said 250 to."""

    mail_from: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed


class LoopbackServer:
    """aiosmtpd in a thread of its own, with the subclass as its handler; `options` are aiosmtpd's.

    `implicit` is the TLS that wraps the whole connection, if any.
    """

    def __init__(self, *, implicit: SSLContext | None = None, **options: Any) -> None:
        self._implicit = implicit
        self._options = options
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        self._thread.start()
        serving = self._loop.create_server(
            lambda: SMTP(self, loop=self._loop, **self._options), sock=self._socket, ssl=self._implicit
        )
        self._server = asyncio.run_coroutine_threadsafe(serving, self._loop).result(timeout=10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def end() -> None:
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()


class MailServer(LoopbackServer):
    """`with MailServer() as server:` runs it; `server.accepted` is what it took."""

    def __init__(self) -> None:
        super().__init__(hostname="relay.test", enable_SMTPUTF8=True)
        self.accepted: list[Accepted] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            self.accepted.append(Accepted(envelope.mail_from or "", recipient, envelope.content))
        return "250 2.0.0 Accepted"

    @property
    def environment(self) -> dict[str, str]:
        """What makes a site use this server as its relay."""
        return {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(self.port)}
