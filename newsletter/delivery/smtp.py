"""SMTP to a relay: aiosmtplib opens, secures and logs in; the transactions are ours.

aiosmtplib does the part where mistakes are security holes (connect, STARTTLS or implicit TLS with checked
certificates, AUTH), then its transport is handed to `newsletter.delivery.session`.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

import aiosmtplib

from newsletter.delivery.outcome import Stage, printable
from newsletter.delivery.session import TIME_LIMITS, Habits, Offers, Session
from newsletter.delivery.transport import Letter, Listener
from newsletter.errors import RelayError
from newsletter.settings import RelaySection, TLSMode

_CONNECT_SECONDS = 30.0
"""For TCP, shared by the host's addresses; the greeting has its time apart (`TIME_LIMITS`)."""


class SMTPTransport:
    """One connection to the relay."""

    def __init__(
        self,
        relay: RelaySection,
        *,
        password: str = "",
        helo_name: str | None = None,
        habits: Habits | None = None,
        time_limits: Mapping[Stage, float] = TIME_LIMITS,
    ) -> None:
        self._relay = relay
        self._password = password
        self._helo_name = helo_name or socket.gethostname() or "localhost"
        self._habits = habits or Habits()
        self._time_limits = time_limits
        self._session: Session | None = None

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried on this connection."""
        return self._session is not None and self._session.is_usable

    @property
    def offers(self) -> Offers | None:
        """What the relay offers, once connected."""
        return self._session.offers if self._session else None

    async def connect(self, listener: Listener) -> None:
        """Open, secure and log in. Raises RelayError with what to look at."""
        self.abandon()  # whatever may still be heard of an earlier connection
        relay = self._relay
        place = f"the relay {relay.host}:{relay.port}"
        implicit = relay.is_implicit_tls
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            use_tls=implicit,
            start_tls=False,
            local_hostname=self._helo_name,
            timeout=self._time_limits[Stage.CONNECT],
        )
        try:
            await client.connect(sock=await _dial(relay.host, relay.port))
            if not implicit:
                await self._start_tls(client)
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
            if relay.user:
                await client.login(relay.user, self._password)
            self._take_over(client, listener)
        except aiosmtplib.SMTPAuthenticationError as error:
            raise RelayError(
                f"{place} refused the login of {relay.user!r} ({error.code} {printable(error.message)}); see "
                f"user and password in {relay.table}"
            ) from error
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise RelayError(f"{place} cannot be used: {printable(str(error))}") from error
        finally:
            if not self.is_usable:
                _cut(client)

    async def _start_tls(self, client: aiosmtplib.SMTP) -> None:
        """STARTTLS as the settings ask (RFC 3207); only a relay on this machine may lack it under `auto`."""
        if self._relay.tls is TLSMode.NONE:
            return
        await client.ehlo()
        if not client.supports_extension("starttls"):
            if self._relay.is_lenient:
                return
            raise aiosmtplib.SMTPException(
                'it offers no STARTTLS; set tls = "implicit" if it listens with TLS, or "none" to do without'
            )
        # A certificate for "localhost" is nobody's to give; loopback needs no identity check.
        await client.starttls(validate_certs=not self._relay.is_lenient)  # and forget what was offered before

    def _take_over(self, client: aiosmtplib.SMTP, listener: Listener) -> None:
        """Give the open transport to a session of our own."""
        transport = client.transport
        if transport is None or transport.is_closing():  # its loss has been told to aiosmtplib
            raise aiosmtplib.SMTPServerDisconnected("it closed the connection before the first letter")
        offers = Offers.of(client.esmtp_extensions)
        if not self._habits.may_pipeline(asyncio.get_running_loop().time()):
            offers = replace(offers, pipelining=False)
        self._session = Session(offers, listener, self._time_limits, self._habits)
        transport.set_protocol(self._session)
        self._session.connection_made(transport)

    def propose(self, letter: Letter) -> None:
        """Ask the relay to take a letter: MAIL, RCPT, DATA."""
        self._open_session.propose(letter)

    def release(self, following: Letter | None) -> None:
        """Let the content go that was asked for, and propose the letter that follows."""
        self._open_session.release(following)

    @property
    def _open_session(self) -> Session:
        assert self._session is not None  # noqa: S101  # connected
        return self._session

    def abandon(self) -> None:
        """Cut the connection at once."""
        if self._session is not None:
            self._session.abandon()

    async def close(self) -> None:
        """QUIT, wait a moment for the answer, and close."""
        if self._session is not None:
            await self._session.quit()


def _cut(client: aiosmtplib.SMTP) -> None:
    """Close without a farewell: under TLS that would be waited for, by nobody."""
    transport = cast("asyncio.WriteTransport | None", client.transport)
    client.close()
    if transport is not None:
        transport.abort()


async def _dial(host: str, port: int) -> socket.socket:
    """Connect to the first of a host's addresses that answers. Raises OSError or UnicodeError."""
    loop = asyncio.get_running_loop()
    addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("its name has no address")
    for family, kind, protocol, _, address in addresses:
        try:
            async with asyncio.timeout(_CONNECT_SECONDS / len(addresses)):
                return await _connected(socket.socket(family, kind, protocol), address)
        except TimeoutError:
            failure = TimeoutError("it does not answer")
        except OSError as error:
            failure = error
    raise failure


async def _connected(dialled: socket.socket, address: tuple[object, ...]) -> socket.socket:
    """The socket, connected; closed if that fails."""
    dialled.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(dialled, address)
    except BaseException:
        dialled.close()
        raise
    return dialled
