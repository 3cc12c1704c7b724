"""SMTP to a relay: aiosmtplib opens, secures and logs in; the transactions are ours.

aiosmtplib does the part where mistakes are security holes (connect, STARTTLS or implicit TLS with checked
certificates, AUTH), then its transport is handed to `newsletter.delivery.session`.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

import aiosmtplib

from newsletter.delivery.outcome import Stage
from newsletter.delivery.session import TIME_LIMITS, Offers, Session
from newsletter.delivery.transport import Letter, Listener
from newsletter.errors import RelayError
from newsletter.settings import RelaySection, TLSMode, is_loopback

_CONNECT_SECONDS = 30.0


@dataclass
class Habits:
    """What was learnt of a relay, for all connections to it."""

    pipelining_fails: bool = False
    """It offers PIPELINING, and loses its place: commands go one at a time."""


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
        self._learn()
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
            self._take_over(client, listener)
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

    def _take_over(self, client: aiosmtplib.SMTP, listener: Listener) -> None:
        """Give the open transport to a session of our own."""
        transport = client.transport
        assert transport is not None  # noqa: S101  # it has just connected
        offers = Offers.of(client.esmtp_extensions)
        if self._habits.pipelining_fails:
            offers = replace(offers, pipelining=False)
        self._session = Session(offers, listener, self._time_limits)
        transport.set_protocol(self._session)
        self._session.connection_made(transport)

    def _learn(self) -> None:
        if self._session is not None and self._session.lost_track and self._session.offers.pipelining:
            self._habits.pipelining_fails = True

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
        self._learn()
        if self._session is not None:
            await self._session.quit()
