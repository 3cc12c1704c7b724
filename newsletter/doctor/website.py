"""Whether the site's own pages answer at base_url, as a reader's mail program would ask them.

What is asked for is the page of a test letter's unsubscribe link, and the same with a forged token: only a
site with the same secret key answers the first with 200 and the second with 404. Asking changes nothing.
"""

import socket
import ssl
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import urlsplit

from newsletter.delivery.copies import TEST_DELIVERY, unsubscribe_url
from newsletter.doctor.findings import Finding, error, ok, warning
from newsletter.doctor.relay import FEW_DAYS, days_left
from newsletter.settings_values import is_loopback
from subscribers.base import Clock
from subscribers.tokens import TokenSigner

_SECONDS = 4.0
"""For each step of a request: connecting, the handshake, each piece of the answer."""
MOST_SKEW = 60
"""Seconds by which clocks may differ before that is told."""


class _Answer(NamedTuple):
    status: int
    location: str
    date: str
    days: int | None
    """Until the certificate ends."""


def check_website(base_url: str, listen: str, signer: TokenSigner, clock: Clock) -> Iterator[Finding]:
    """Ask twice, and compare the answers with those of our own pages."""
    subject = f"pages at {base_url}"
    url = unsubscribe_url(base_url, signer, TEST_DELIVERY)
    start = f"see that `paperround run` is running, and that the web server passes {base_url} on to {listen}"
    try:
        answer = _ask(url, _SECONDS)
        forged = _ask(url[:-1] + ("a" if url[-1] != "a" else "b"), _SECONDS)
    except ssl.SSLCertVerificationError as fault:
        yield error(subject, f"the certificate is not valid: {fault.verify_message}", "renew or replace it")
        return
    except TimeoutError:
        yield warning(subject, "no answer from here in time", f"try it from another network; {start}")
        return
    except socket.gaierror:
        host = urlsplit(base_url).hostname
        yield error(subject, "its host has no address", f"{host}. IN A ADDRESS-OF-THIS-MACHINE")
        return
    except (OSError, HTTPException, ValueError) as fault:
        yield error(subject, f"they cannot be reached: {str(fault)[:200] or type(fault).__name__}", start)
        return
    yield from _judged(subject, answer, forged, start)
    if answer.days is not None and answer.days < FEW_DAYS:
        yield warning(subject, f"the certificate ends in {answer.days} days", "see why it is not renewed")
    if not is_loopback(urlsplit(base_url).hostname or ""):
        yield from skew(answer.date, base_url, clock())


def _judged(subject: str, answer: _Answer, forged: _Answer, start: str) -> Iterator[Finding]:
    if (answer.status, forged.status) == (200, 404):
        yield ok(subject, "they answer, and know this site's links")
    elif 300 <= answer.status < 400:
        yield error(
            subject,
            f"it sends the reader on to {answer.location[:200]!r}: one-click unsubscribing forbids that "
            f"(RFC 8058)",
            "set base_url to where it leads, or let the web server answer there itself",
        )
    elif answer.status >= 500:
        yield error(
            subject, f"the web server there has nothing behind it (it answers {answer.status})", start
        )
    else:
        yield error(
            subject,
            f"what answers there ({answer.status}) is another site, or this one with another secret key: "
            f"readers' unsubscribe links do not work",
            start,
        )


def skew(date: str, source: str, now: datetime) -> Iterator[Finding]:
    """Whether our clock is far from an HTTP Date (RFC 9110 §6.6.1)."""
    try:
        seconds = (now - parsedate_to_datetime(date)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return
    yield from clocks_apart(seconds, f"the web server of {source}")


def clocks_apart(seconds: float, source: str) -> Iterator[Finding]:
    """A difference between our clock and another one, ours minus theirs, where it is too large.

    That two agree proves nothing: they may be one, on this very machine (see `machine.check_clock`).
    """
    if abs(seconds) > MOST_SKEW:
        side = "ahead of" if seconds > 0 else "behind"
        yield warning(
            "clock", f"it is {abs(seconds):.0f} seconds {side} that of {source}", "timedatectl set-ntp true"
        )


def _ask(url: str, seconds: float) -> _Answer:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        HTTPSConnection(host, parts.port, timeout=seconds, context=ssl.create_default_context())
        if parts.scheme == "https"
        else HTTPConnection(host, parts.port, timeout=seconds)
    )
    try:
        connection.connect()
        days = days_left(connection.sock) if isinstance(connection.sock, ssl.SSLSocket) else None
        connection.request("GET", parts.path, headers={"User-Agent": "Paperround", "Connection": "close"})
        response = connection.getresponse()
        return _Answer(
            response.status, response.getheader("Location", ""), response.getheader("Date", ""), days
        )
    finally:
        connection.close()
