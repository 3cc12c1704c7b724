"""A real SMTP server of somebody else's making (aiosmtpd), in a thread, with TLS and logins."""

import asyncio
import socket
from threading import Thread
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from newsletter.delivery.transport import Letter

USER, PASSWORD = "paper", "round, ünd sö"


class Neighbour:
    """`options` are aiosmtpd's; `implicit` wraps the whole connection in `tls_context`."""

    def __init__(self, *, implicit: bool = False, **options: Any) -> None:
        self.accepted: list[Letter] = []
        self.was_secure: list[bool] = []
        self.mail_options: list[list[str]] = []
        self._implicit = options.pop("tls_context") if implicit else None
        self._options = {"hostname": "neighbour.test", "authenticator": self._authenticate} | options
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
    ) -> AuthResult:
        right = given.login.decode() == USER and given.password.decode() == PASSWORD
        return AuthResult(success=right, handled=right)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            self.accepted.append(Letter(envelope.mail_from or "", recipient, envelope.content))
        self.was_secure.append(server.transport.get_extra_info("sslcontext") is not None)
        self.mail_options.append(envelope.mail_options)
        return "250 2.0.0 Taken by the neighbour"

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
