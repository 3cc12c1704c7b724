"""A real SMTP server of somebody else's making (aiosmtpd), in a thread, with TLS and logins."""

from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from newsletter.delivery.transport import Letter
from tests.mailserver import LoopbackServer

USER, PASSWORD = "paper", "round, ünd sö"


class Neighbour(LoopbackServer):
    """`options` are aiosmtpd's; `implicit` wraps the whole connection in `tls_context`."""

    def __init__(self, *, implicit: bool = False, **options: Any) -> None:
        self.accepted: list[Letter] = []
        self.was_secure: list[bool] = []
        self.mail_options: list[list[str]] = []
        context = options.pop("tls_context") if implicit else None
        ours = {"hostname": "neighbour.test", "authenticator": self._authenticate}
        super().__init__(implicit=context, **ours | options)

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
