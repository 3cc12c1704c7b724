"""Whether a relay can be used as the sender uses it: reached, trusted, logged in to; and what it offers."""

import asyncio
import smtplib
import ssl
import time
from collections.abc import Iterator

from newsletter.delivery.outcome import Outcome
from newsletter.delivery.session import Offers
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.transport import Letter
from newsletter.doctor.findings import Finding, error, ok, warning
from newsletter.errors import RelayError
from newsletter.settings import RelaySection, TLSMode
from newsletter.settings_values import is_loopback

_SECONDS = 8.0
_PROBE_SECONDS = 3.0
FEW_DAYS = 14
"""Days that a certificate should have left: automatic renewal would have come by then."""
_EXTENSIONS = {
    "pipelining": ("PIPELINING", "sending is several times slower without"),
    "eight_bit_mime": ("8BITMIME", ""),
    "smtputf8": ("SMTPUTF8", "addresses beyond ASCII cannot be reached without"),
    "dsn": ("DSN", ""),
}


class _Silent:
    """Nothing is sent on a connection that is only tried."""

    def asked(self) -> None:
        """Never."""

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """Never."""

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """What matters has been learnt by then."""


def check_relay(relay: RelaySection, password: str, helo_name: str) -> Iterator[Finding]:
    """Connect as the sender does, and look at the certificate."""
    subject = f"relay {relay.name}"
    try:
        offers = asyncio.run(_connect(relay, password, helo_name))
    except RelayError as fault:
        yield error(subject, str(fault), f"see host, port, tls, user and password in {relay.table}")
        return
    except TimeoutError:
        yield error(
            subject,
            f"no answer within {_SECONDS:.0f} seconds",
            f"see that nothing (a firewall, the network's operator) blocks port {relay.port}; 587 and 465 "
            f"are for sending, 25 is often blocked",
        )
        return
    login = f"logged in as {relay.user}" if relay.user else "reached, without login"
    offered = [name for key, (name, _) in _EXTENSIONS.items() if getattr(offers, key)]
    if offers.size is not None:
        offered.append(f"SIZE {offers.size}" if offers.size else "SIZE")
    yield ok(subject, f"{login}; offers {', '.join(offered) or 'no extension of use'}")
    missing = [name for key, (name, why) in _EXTENSIONS.items() if why and not getattr(offers, key)]
    if missing:
        why = "; ".join(why for key, (_, why) in _EXTENSIONS.items() if why and not getattr(offers, key))
        yield warning(
            subject, f"it does not offer {', '.join(missing)}: {why}", "ask its operator to offer them"
        )
    yield from _certificate(relay, subject)


async def _connect(relay: RelaySection, password: str, helo_name: str) -> Offers:
    transport = SMTPTransport(relay, password=password, helo_name=helo_name)
    async with asyncio.timeout(_SECONDS):
        await transport.connect(_Silent())
    offers = transport.offers
    assert offers is not None  # noqa: S101  # it has just connected
    await transport.close()
    return offers


def _certificate(relay: RelaySection, subject: str) -> Iterator[Finding]:
    """How long the certificate lasts, where the sender checks it; a relay that will not say is let be."""
    if relay.tls is TLSMode.NONE:
        if not is_loopback(relay.host):
            yield warning(
                subject, "letters and password travel in the open", f'tls = "auto" in {relay.table}'
            )
        return
    if relay.is_lenient:
        return
    context = ssl.create_default_context()
    try:
        if relay.is_implicit_tls:
            client: smtplib.SMTP = smtplib.SMTP_SSL(
                relay.host, relay.port, timeout=_PROBE_SECONDS, context=context
            )
        else:
            client = smtplib.SMTP(relay.host, relay.port, timeout=_PROBE_SECONDS)
            client.starttls(context=context)
        with client:
            assert isinstance(client.sock, ssl.SSLSocket)  # noqa: S101  # TLS has just begun
            days = days_left(client.sock)
    except (OSError, smtplib.SMTPException, ValueError):
        return
    if days < FEW_DAYS:
        yield warning(subject, f"its certificate ends in {days} days", "tell its operator, or renew it")


def days_left(secured: ssl.SSLSocket) -> int:
    """Whole days until the certificate of the other side ends. Raises ValueError if that cannot be read."""
    ends = str((secured.getpeercert() or {}).get("notAfter", ""))
    return int((ssl.cert_time_to_seconds(ends) - time.time()) // 86_400)
