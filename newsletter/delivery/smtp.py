"""SMTP to a relay: aiosmtplib opens, secures and logs in; the transactions are ours.

aiosmtplib does the part where mistakes are security holes (connect, STARTTLS or implicit TLS with checked
certificates, AUTH), then its transport is handed to this module's reader. The order of a transaction is
the promise: MAIL, RCPT, DATA, the relay's 354, `commit()`, and only then the message. Refused by
`commit()` after 354, the connection is closed without a dot: nothing was sent (RFC 5321 §4.1.1.4).

Time limits are those of RFC 5321 §4.5.3.2. A relay that does not speak SMTP counts as a lost connection.
Whatever else cuts a transaction short (a cancelled task, books that cannot be kept) cuts the connection too.
"""

import asyncio
import re
import socket
from contextlib import suppress
from typing import cast

import aiosmtplib

from newsletter.delivery.outcome import Outcome, Stage, broken, replied, unreachable_address
from newsletter.delivery.transport import Commit, Letter
from newsletter.errors import RelayError
from newsletter.settings import RelaySection, TLSMode, is_loopback
from newsletter.states import DeliveryState

_CONNECT_SECONDS = 30.0
_SECONDS = {Stage.MAIL: 300.0, Stage.RCPT: 300.0, Stage.DATA: 120.0, Stage.DOT: 600.0}
_QUIT_SECONDS = 5.0
_REPLY_OCTETS = 64 * 1024
"""A reply longer than this is not SMTP; RFC 5321 §4.5.3.1.5 allows 512 a line."""
_REPLY_LINE = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?")


class _Broken(Exception):  # noqa: N818  # never leaves this module: it carries a loss to where it is read
    """The connection is lost or no longer makes sense."""


class SMTPTransport:
    """One connection to the relay."""

    def __init__(self, relay: RelaySection, *, password: str = "", helo_name: str | None = None) -> None:
        self._relay = relay
        self._password = password
        self._helo_name = helo_name or socket.gethostname() or "localhost"
        self._client: aiosmtplib.SMTP | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried on this connection."""
        return self._writer is not None

    async def connect(self) -> None:
        """Open, secure and log in. Raises RelayError with what to look at."""
        relay = self._relay
        place = f"the relay {relay.host}:{relay.port}"
        implicit = relay.tls is TLSMode.IMPLICIT or (relay.tls is TLSMode.AUTO and relay.port == 465)
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=implicit,
            start_tls=False,
            local_hostname=self._helo_name,
            timeout=_CONNECT_SECONDS,
        )
        try:
            await client.connect()
            if not implicit:
                await self._start_tls(client)
            if relay.user:
                await client.login(relay.user, self._password)
            else:
                await client.ehlo()
            self._take_over(client)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise RelayError(
                f"{place} refused the login of {relay.user!r} ({error.code} {error.message}); see user and "
                f"password in [relay]. Every letter stays queued"
            ) from error
        except (aiosmtplib.SMTPException, OSError, UnicodeError) as error:
            raise RelayError(f"{place} cannot be used: {error}. Every letter stays queued") from error
        finally:
            if not self.is_usable:
                client.close()

    async def _start_tls(self, client: aiosmtplib.SMTP) -> None:
        """STARTTLS as the settings ask (RFC 3207); only a relay on this machine may lack it under `auto`."""
        mode = self._relay.tls
        if mode is TLSMode.NONE:
            return
        await client.ehlo()
        if not client.supports_extension("starttls"):
            if mode is TLSMode.AUTO and is_loopback(self._relay.host):
                return
            raise aiosmtplib.SMTPException(
                'it offers no STARTTLS; set tls = "implicit" if it listens with TLS, or "none" to do without'
            )
        # A certificate for "localhost" is nobody's to give; loopback needs no identity check.
        checked = not (mode is TLSMode.AUTO and is_loopback(self._relay.host))
        await client.starttls(validate_certs=checked)
        await client.ehlo()

    def _take_over(self, client: aiosmtplib.SMTP) -> None:
        """Give the open transport to a stream reader of our own."""
        transport = client.transport
        assert transport is not None  # noqa: S101  # it has just connected
        loop = asyncio.get_running_loop()
        self._client = client  # its extensions are asked for later
        self._reader = asyncio.StreamReader(limit=_REPLY_OCTETS, loop=loop)
        protocol = asyncio.StreamReaderProtocol(self._reader, loop=loop)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        self._writer = asyncio.StreamWriter(
            cast("asyncio.WriteTransport", transport), protocol, self._reader, loop
        )

    async def _reply(self, stage: Stage) -> tuple[int, str]:
        """Read one reply, of one or more lines (RFC 5321 §4.2.1)."""
        assert self._reader is not None  # noqa: S101  # connected
        lines: list[str] = []
        octets = 0
        try:
            async with asyncio.timeout(_SECONDS.get(stage, _QUIT_SECONDS)):
                while True:
                    raw = await self._reader.readuntil(b"\n")
                    octets += len(raw)
                    found = _REPLY_LINE.fullmatch(raw.decode("utf-8", "replace").rstrip())
                    if found is None or octets > _REPLY_OCTETS:
                        raise _Broken(f"the relay answered {raw[:60]!r}, which is not an SMTP reply")
                    lines.append(found[3] or "")
                    if found[2] != "-":
                        return int(found[1]), "\n".join(lines)
        except TimeoutError:
            raise _Broken("the relay did not answer in time") from None
        except asyncio.LimitOverrunError:
            raise _Broken("the relay's answer does not end") from None
        except (asyncio.IncompleteReadError, OSError) as error:
            detail = f": {error}" if isinstance(error, OSError) else ""
            raise _Broken(f"the relay closed the connection{detail}") from None

    async def _command(self, stage: Stage, line: bytes) -> tuple[int, str]:
        self._write(line + b"\r\n")
        return await self._reply(stage)

    def _write(self, octets: bytes) -> None:
        assert self._writer is not None  # noqa: S101  # connected
        if self._writer.is_closing():  # uvloop would raise RuntimeError
            raise _Broken("the relay closed the connection")
        self._writer.write(octets)

    def _mail_options(self, letter: Letter) -> bytes | None:
        """MAIL parameters for this letter, None if the relay cannot take it (RFC 1870, 6152, 6531)."""
        assert self._client is not None  # noqa: S101  # connected
        offers = self._client.supports_extension
        options = b" SIZE=%d" % len(letter.content) if offers("size") else b""
        # Bodies are quoted-printable: an octet beyond ASCII is part of somebody's address.
        if not (letter.return_path + letter.recipient).isascii() or not letter.content.isascii():
            if not offers("smtputf8"):
                return None
            options += b" SMTPUTF8"
            if offers("8bitmime"):
                options += b" BODY=8BITMIME"
        return options

    async def send(self, letter: Letter, commit: Commit) -> Outcome | None:
        """One mail transaction (RFC 5321 §3.3); None if `commit()` refused the letter."""
        stage = Stage.MAIL
        try:
            options = self._mail_options(letter)
            if options is None:
                return unreachable_address("The relay takes no addresses beyond ASCII (SMTPUTF8).")
            commands = (
                (Stage.MAIL, b"MAIL FROM:<%s>%s" % (letter.return_path.encode(), options), 2),
                (Stage.RCPT, b"RCPT TO:<%s>" % letter.recipient.encode(), 2),
                (Stage.DATA, b"DATA", 3),
            )
            for stage, line, go_on in commands:
                code, text = await self._command(stage, line)
                if code // 100 != go_on:
                    return await self._refused(stage, code, text)
            if not await commit():
                self._abandon()
                return None
            stage = Stage.DOT
            self._write(letter.content + b".\r\n")
            code, text = await self._reply(stage)
        except _Broken as error:
            self._abandon()
            return broken(stage, f"{error}.")
        except BaseException:
            self._abandon()
            raise
        outcome = replied(stage, code, text)
        if code == 421 or outcome.state is DeliveryState.IN_DOUBT:
            self._abandon()
        return outcome

    async def _refused(self, stage: Stage, code: int, text: str) -> Outcome:
        """Read a refusal, and leave the connection ready for the next letter, or closed."""
        outcome = replied(stage, code, text)
        if code == 421:
            self._abandon()
            return outcome
        try:
            if (await self._command(Stage.MAIL, b"RSET"))[0] != 250:
                self._abandon()
        except _Broken:
            self._abandon()
        return outcome

    def _abandon(self) -> None:
        """Cut the connection at once, whatever is on its way."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = self._reader = self._client = None

    async def close(self) -> None:
        """QUIT, wait a moment for the answer, and close."""
        if self._writer is None:
            return
        try:
            with suppress(_Broken):
                await self._command(Stage.CONNECT, b"QUIT")
        finally:
            self._abandon()
