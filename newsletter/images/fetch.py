"""Fetches a picture from the web, and nothing else from anywhere else.

Promises: no request goes to an address that is not public. Every address a name stands for is checked, and
the connection is made to the checked address itself, so that a name that changes its mind in between gains
nothing; each redirect is treated as a new address would be. TLS is verified. The time-out is for the whole
transfer, from the name to the last byte, and no more than `MAX_BYTES` ever enter memory. No proxy of the
environment is used, no cookie or credential is sent, and what a server calls its content is not believed:
whether it is a picture shows when it is decoded.

Fails with `ImageError` for all that can go wrong on the way.

May surprise: a URL may name a port of its own, but of those below 1024 only 80 and 443, for the others
belong to services that a picture's address has no business with. A name with one public and one private
address is refused altogether.
"""

import io
import queue
import socket
import ssl
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from threading import Thread
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from newsletter.images import MAX_BYTES
from newsletter.images.addresses import Address, is_public
from newsletter.images.errors import ImageError

TIMEOUT_SECONDS = 20.0
MAX_REDIRECTS = 5

_PORTS = {"http": 80, "https": 443}
_URL_CHARS = "/%:@!$&'()*+,;=~-._?"  # what stays as it is written (RFC 3986 section 3.3)
_HEADERS = {"User-Agent": "Paperround", "Accept": "image/*", "Accept-Encoding": "identity"}


def fetch(
    url: str,
    *,
    allows: Callable[[Address], bool] = is_public,
    tls: ssl.SSLContext | None = None,
    seconds: float = TIMEOUT_SECONDS,
) -> bytes:
    """Give the bytes that stand at an http(s) URL.

    Args:
        url: an absolute address.
        allows: says of an address whether it may be connected to.
        tls: whom to trust; by default whom the system trusts.
        seconds: how long all of it may take.

    Raises:
        ImageError: there is nothing to be had at this address, or it may not be asked for.
    """
    return _Transfer(url, allows, tls, seconds).run()


class _Transfer:
    """One picture's way here; what it raises names the address that stands in the post."""

    def __init__(
        self, url: str, allows: Callable[[Address], bool], tls: ssl.SSLContext | None, seconds: float
    ) -> None:
        self._url = url
        self._allows = allows
        self._tls = tls
        self._seconds = seconds
        self._deadline = _Deadline(seconds)

    def run(self) -> bytes:
        here = self._url
        try:
            for _ in range(MAX_REDIRECTS + 1):
                answer = self._get(here)
                if isinstance(answer, bytes):
                    return answer
                here = urljoin(here, answer)
        except ImageError:  # is a ValueError too
            raise
        except TimeoutError as error:
            raise self._error(
                f"has not arrived within {self._seconds:g} seconds: see that the address works, and try again"
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise self._error(
                f"is kept by a server that cannot prove who it is ({error.verify_message}): "
                f"mend its certificate, or name another address"
            ) from error
        except OSError as error:
            raise self._error(
                f"cannot be fetched ({error.strerror or error}): see that the address works, and try again"
            ) from error
        except (HTTPException, ValueError) as error:  # ValueError: a redirect to what is no address
            raise self._error("cannot be fetched: its server does not speak HTTP as it should") from error
        raise self._error(f"is redirected more than {MAX_REDIRECTS} times: name the address it ends at")

    def _error(self, why: str) -> ImageError:
        return ImageError(self._url, why)

    def _get(self, url: str) -> bytes | str:
        """What stands at `url`, or where it says to look instead."""
        parts, host, port = self._checked(url)
        with self._connected(parts.scheme, host, port) as connected:
            connection = HTTPConnection(host, port)
            connection.default_port = _PORTS[parts.scheme]
            connection.sock = _Wire(connected, self._deadline)
            query = f"?{quote(parts.query, safe=_URL_CHARS)}" if parts.query else ""
            connection.request("GET", (quote(parts.path, safe=_URL_CHARS) or "/") + query, headers=_HEADERS)
            response = connection.getresponse()
            if response.status in {301, 302, 303, 307, 308} and (location := response.getheader("Location")):
                return location.encode("latin-1").decode("utf-8", "replace")  # http.client reads Latin-1
            if response.status != HTTPStatus.OK:
                raise self._error(_refusal(response.status))
            return self._body(response)

    def _checked(self, url: str) -> tuple[SplitResult, str, int]:
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").encode("idna").decode("ascii")
            port = _PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        except ValueError as error:  # UnicodeError is one
            raise self._error(f"is at no address that can be understood ({error}): mend it") from error
        if parts.scheme not in _PORTS or not host:
            raise self._error("is not at an http or https address: put it on the web, or beside the post")
        if parts.username is not None or parts.password is not None:
            raise self._error("has a user name in its address, which readers would see: leave it out")
        if port not in _PORTS.values() and port < 1024:
            raise self._error(f"is at port {port}, which is not the web's: only 80, 443 and above 1023 are")
        return parts, host, port

    def _connected(self, scheme: str, host: str, port: int) -> socket.socket:
        """A connection to the first of a host's addresses that answers; none is tried unless all may be."""
        addresses = self._resolved(host, port)
        for _, address in addresses:
            number = ip_address(address[0])
            if not self._allows(number):
                raise self._error(f"is at {number}, which is no public address: put it beside the post")
        failure = OSError("no address answers")
        for tried, (family, address) in enumerate(addresses):
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.settimeout(self._deadline.left() / (len(addresses) - tried))
                connection.connect(address)
                if scheme == "http":
                    return connection
                connection.settimeout(self._deadline.left())
                context = self._tls or ssl.create_default_context()
                return context.wrap_socket(connection, server_hostname=host)
            except OSError as error:
                connection.close()
                failure = error
        raise failure

    def _resolved(self, host: str, port: int) -> list[tuple[int, Any]]:
        """(family, socket address) of a host; in a thread, because nothing else ends a slow look-up."""
        answers: queue.SimpleQueue[list[tuple[int, Any]] | OSError] = queue.SimpleQueue()

        def look_up() -> None:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                answers.put([(family, address) for family, _, _, _, address in found])
            except OSError as error:
                answers.put(error)
            except ValueError:  # a label that is empty or too long
                answers.put(OSError("there is no such host"))

        Thread(target=look_up, daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline.left())
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _body(self, response: HTTPResponse) -> bytes:
        if response.getheader("Content-Encoding", "identity").lower() != "identity":
            raise self._error("is sent compressed, though it was not asked for so: see to its server")
        announced = response.length
        body = bytearray()
        while len(body) <= MAX_BYTES and (announced is None or announced <= MAX_BYTES):
            piece = response.read(65_536)
            if not piece:
                if announced is not None and len(body) != announced:
                    raise self._error(f"ends after {len(body):,} of {announced:,} bytes: try again")
                return bytes(body)
            body += piece
        raise self._error(f"is larger than {MAX_BYTES // 1_000_000} MB: make it smaller")


def _refusal(status: int) -> str:
    if status in {404, 410}:
        return f"does not exist (its server answers {status}): mend the address"
    if status in {401, 403}:
        return f"is not for everyone (its server answers {status}): put it beside the post instead"
    return f"cannot be fetched (its server answers {status}): see that the address works, and try again"


class _Deadline:
    """A point in time that all of a transfer's waits share."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, more than 0.

        Raises:
            TimeoutError: there are none.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Wire:
    """A socket as `http.client` wants one, that waits no longer than the deadline, however often it waits."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.left())
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Receiving(self._socket, self._deadline))

    def close(self) -> None:
        """Leave the socket open: its response is read after `http.client` is done with it."""


class _Receiving(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._socket.settimeout(self._deadline.left())
        return self._socket.recv_into(buffer)
