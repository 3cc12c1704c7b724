"""Pictures from the web: real servers on loopback, which only a test's own policy lets a request reach."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Event, Thread
from typing import Any

import pytest
import trustme

from newsletter.images import fetch as fetching
from newsletter.images.addresses import is_public
from newsletter.images.errors import ImageError
from newsletter.images.fetch import fetch

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: text/html\r\n\r\nPNG"


def is_loopback(address: Any) -> bool:
    return address == ip_address("127.0.0.1")


@contextmanager
def serving(
    answer: Callable[[str], bytes | None], *, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[str]]]:
    """A server's (root, requests); `answer` gives what to send for a path, None to say nothing at all."""
    requests: list[str] = []
    over = Event()

    def serve(connection: socket.socket) -> None:
        try:
            wire = tls.wrap_socket(connection, server_side=True) if tls else connection
            with wire, wire.makefile("rb") as lines:
                head = "".join(line.decode() for line in iter(lines.readline, b"\r\n"))
                requests.append(head)
                reply = answer(head.split(" ")[1])
                if reply is None:
                    over.wait(20)
                else:
                    wire.sendall(reply)
        except OSError:
            connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            Thread(target=serve, args=[connection], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://localhost:{listener.getsockname()[1]}", requests
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def resolve_to(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> None:
    """Make every look-up give the next of these lists of addresses, and the last one ever after."""
    left = list(answers)

    def look_up(_host: str, port: int, **_: Any) -> list[Any]:
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture(autouse=True)
def only_ipv4(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, ["127.0.0.1"])


def test_a_picture_is_fetched() -> None:
    """The bytes come as they are; the request carries no cookie, and quotes what no address may hold."""
    with serving(lambda _: OK) as (root, requests):
        assert fetch(f"{root}/ä b.png?w=1&x=\r\n#top", allows=is_loopback) == b"PNG"
    first, *headers = requests[0].splitlines()
    assert first == "GET /%C3%A4%20b.png?w=1&x= HTTP/1.1"
    assert {line.split(":")[0] for line in headers} == {"Host", "User-Agent", "Accept", "Accept-Encoding"}


def test_this_computer_is_not_asked() -> None:
    """Unless a policy says otherwise, no request reaches loopback, by any name."""
    with serving(lambda _: OK) as (root, requests):
        with pytest.raises(ImageError, match=r"127\.0\.0\.1, which is no public address"):
            fetch(f"{root}/a.png")
        assert requests == []


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:4700::1111", True),
        ("::ffff:93.184.216.34", True),
        ("64:ff9b::5db8:d822", True),
        *(
            (address, False)
            for address in [
                "0.0.0.0",
                "10.0.0.1",
                "100.64.0.1",
                "127.8.9.1",
                "169.254.169.254",
                "172.31.0.1",
                "192.0.0.8",
                "192.168.1.1",
                "198.18.0.1",
                "203.0.113.9",
                "224.0.0.1",
                "239.1.1.1",
                "240.0.0.1",
                "255.255.255.255",
                "::",
                "::1",
                "::7f00:1",
                "::ffff:127.0.0.1",
                "::ffff:10.0.0.1",
                "64:ff9b::7f00:1",
                "64:ff9b::a9fe:a9fe",
                "64:ff9b:1::1",
                "fe80::1",
                "fe80::1%eth0",
                "fc00::1",
                "fd12::1",
                "fec0::1",
                "ff02::1",
                "ff0e::1",
                "2001::1",
                "2001:db8::1",
                "2002:7f00:1::1",
                "3fff::1",
                "100::1",
            ]
        ),
    ],
)
def test_public_addresses(address: str, expected: bool) -> None:
    """Only what anybody can reach is public, also where IPv6 carries IPv4."""
    assert is_public(ip_address(address)) is expected


def test_one_private_address_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address of a name is checked before the first is tried."""
    resolve_to(monkeypatch, ["127.0.0.1", "10.0.0.1"])
    with serving(lambda _: OK) as (root, requests):
        with pytest.raises(ImageError, match=r"10\.0\.0\.1"):
            fetch(root, allows=is_loopback)
        assert requests == []


def test_a_name_that_changes_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checked address is the one that is connected to: a name is looked up once."""
    resolve_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    with serving(lambda _: OK) as (root, _):
        assert fetch(root, allows=is_loopback) == b"PNG"


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n".encode()


def test_redirects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five are followed, relative ones too, and no more."""
    with serving(lambda path: OK if path == "/5" else redirect(f"{int(path[1:]) + 1}")) as (root, requests):
        assert fetch(f"{root}/0", allows=is_loopback) == b"PNG"
        assert len(requests) == 6
        with pytest.raises(ImageError, match="redirected more than 5 times"):
            fetch(f"{root}/6", allows=is_loopback)


@pytest.mark.parametrize(
    "to",
    [
        "http://127.0.0.2:8080/",
        "file:///etc/passwd",
        "http://h:25/",
        "http://[::1/",
        "gopher://h/",
        "http://",
    ],
)
def test_a_redirect_is_checked_as_an_address_is(monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """No redirect leads where an address in a post may not."""
    resolve_to(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    with serving(lambda _: redirect(to)) as (root, _), pytest.raises(ImageError):
        fetch(root, allows=is_loopback)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/a",
        "http:///a",
        "http://a:b@h/",
        "http://h:22/",
        "http://h:x/",
        "http://[x/",
        f"http://{'a' * 64}.b/",
    ],
)
def test_addresses_that_are_none(url: str) -> None:
    """An address of another kind, with a password, or at another service's port is refused unasked."""
    with pytest.raises(ImageError):
        fetch(url, allows=lambda _: pytest.fail("looked up"))


HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "does not exist"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "not for everyone"),
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", "answers 503"),
        (HEAD + b"Content-Length: 9\r\n\r\nPNG", "ends after 3 of 9 bytes"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\nPNG", "does not speak HTTP"),
        (HEAD + b"Content-Encoding: gzip\r\n\r\nPNG", "compressed"),
        (HEAD + b"Content-Length: 99999999999\r\n\r\n", "larger than"),
        (HEAD + b"\r\n" + b"x" * 5_001, "larger than"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5_001 + b"0\r\n\r\n", "larger than"),
        (b"220 mail ready\r\n", "does not speak HTTP"),
        (HEAD + b"X: " + b"y" * 70_000, "does not speak HTTP"),
        (b"", "cannot be fetched"),
    ],
)
def test_answers_that_are_no_picture(monkeypatch: pytest.MonkeyPatch, answer: bytes, why: str) -> None:
    """Each failure of a server is a clear error; size is capped while reading, whatever was announced."""
    monkeypatch.setattr(fetching, "MAX_BYTES", 5_000)
    with serving(lambda _: answer) as (root, _), pytest.raises(ImageError, match=why):
        fetch(root, allows=is_loopback)


def test_silence_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that says nothing is left when the time is over."""
    with serving(lambda _: None) as (root, _), pytest.raises(ImageError, match=r"within 0\.3 seconds"):
        fetch(root, allows=is_loopback, seconds=0.3)


def test_a_drip_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is that of the whole transfer: bytes that keep coming do not lengthen it."""
    clock = iter(range(1_000_000))
    monkeypatch.setattr(fetching.time, "monotonic", lambda: next(clock) / 10)
    endless = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 400_000
    with serving(lambda _: endless) as (root, _), pytest.raises(ImageError, match="within 5 seconds"):
        fetch(root, allows=is_loopback, seconds=5)


def test_tls_is_verified() -> None:
    """A server whose certificate is trusted is read; any other is not, and is told why."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    with serving(lambda _: OK, tls=server) as (root, _):
        assert fetch(root, allows=is_loopback, tls=client) == b"PNG"
        with pytest.raises(ImageError, match="cannot prove who it is"):
            fetch(root, allows=is_loopback)
        with pytest.raises(ImageError, match="cannot prove who it is"):
            fetch(root.replace("localhost", "other.example"), allows=is_loopback, tls=client)
