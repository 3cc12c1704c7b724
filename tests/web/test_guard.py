"""Who asks, and how often: pure, with the time passed in."""

from collections import Counter
from ipaddress import ip_network

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.web.forms import BODY_OCTETS, read_form
from newsletter.web.guard import Cap, client_of, is_of_a_person, networks

TRUSTED = networks(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6, 198.51.100.1, 10.1.2.3"], "198.51.100.1"),
        ("127.0.0.1", ["6.6.6.6", "198.51.100.1,10.1.2.3"], "198.51.100.1"),
        ("::ffff:127.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
        ("127.0.0.1", ["[2001:db8:1:2:3:4:5:6]:4711"], "2001:db8:1:2::/64"),
        ("127.0.0.1", ["10.1.2.3"], "10.1.2.3"),
        ("127.0.0.1", ["6.6.6.6, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["6.6.6.6, "], "127.0.0.1"),
        ("", ["6.6.6.6"], ""),
    ],
)
def test_the_visitor_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    peer: str, forwarded: list[str], client: str
) -> None:
    """What stands left of the visitor is their own claim; a peer that is not named claims in vain."""
    assert client_of(peer, forwarded, TRUSTED) == client


@given(st.text(), st.lists(st.text()))
def test_whatever_a_header_says_somebody_is_counted(peer: str, forwarded: list[str]) -> None:
    """No header breaks it, and none changes who an untrusted peer is."""
    assert isinstance(client_of("127.0.0.1", forwarded, TRUSTED), str)
    assert client_of(peer, forwarded, ()) == client_of(peer, [], ())


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
def test_a_household_is_one_by_its_first_64_bits(one: object, other: object) -> None:
    """IPv6 addresses count as one exactly if they share a /64."""
    are_near = ip_network(f"{one}/64", strict=False) == ip_network(f"{other}/64", strict=False)
    are_ipv4 = "::ffff:" in f"{one} {other}"
    assert (client_of(str(one), [], ()) == client_of(str(other), [], ())) == are_near or are_ipv4


@given(
    st.integers(1, 4),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 30)), max_size=60),
)
def test_no_window_holds_more_than_the_cap(limit: int, steps: list[tuple[str, int]]) -> None:
    """Of one key no more than the limit pass in any window; who waits as long as they are told passes."""
    cap, now = Cap(limit, 60), 0
    passed: list[tuple[str, int]] = []
    for key, pause in steps:
        now += pause
        wait = cap.wait(key, now)
        recent = Counter(one for one, at in passed if at > now - 60)
        assert (wait == 0) == (recent[key] < limit)
        assert 0 <= wait <= 60
        if wait == 0:
            passed.append((key, now))
        else:
            assert sum(1 for one, at in passed if one == key and at > now + wait - 60) < limit


def test_what_is_counted_is_bounded() -> None:
    """However many ask, only so many are remembered, and those who ask often are not forgotten for others."""
    cap = Cap(1, 3600, keys=100)
    for number in range(10_000):
        assert cap.wait(f"{number}", number) == 0
        assert cap.wait("often", number) == (0 if number == 0 or number % 3600 == 0 else 3600 - number % 3600)
    assert len(cap) == 100
    assert cap.wait("9999", 9_999) > 0
    assert cap.wait("0", 9_999) == 0


@pytest.mark.parametrize(
    ("age", "is_person"),
    [(None, False), (-5, False), (1.9, False), (2, True), (86_400, True), (86_401, False)],
)
def test_a_person_takes_a_while_and_comes_back_the_same_day(age: float | None, is_person: bool) -> None:
    """Two seconds to a day."""
    assert is_of_a_person(age) is is_person


@given(st.binary(max_size=400), st.text(max_size=80))
def test_no_body_breaks_the_reader(body: bytes, content_type: str) -> None:
    """Whatever is posted is fields of single lines, without what a database or a page cannot hold."""
    for kind in (content_type, f"multipart/form-data; boundary={content_type}", "multipart/form-data"):
        for name, values in read_form(body, kind).items():
            for text in (name, *values):
                text.encode()
                assert not any(ord(char) < 32 for char in text)


@pytest.mark.parametrize("kind", ["multipart/mixed; boundary=b{}", "message/rfc822"])
def test_parts_in_parts_are_no_form(kind: str) -> None:
    """As many as fit into a body neither break the reader nor hold up those who wait behind it."""
    inner = "".join(
        f"Content-Type: {kind.format(number)}\r\n\r\n" + (f"--b{number}\r\n" if "{}" in kind else "")
        for number in range(1, 3000)
    )
    body = f"--b0\r\n{inner}"[:BODY_OCTETS].encode()
    assert read_form(body, "multipart/form-data; boundary=b0") == {}


@given(
    st.lists(
        st.tuples(
            st.from_regex("[a-z_]+", fullmatch=True),
            st.text(st.characters(exclude_categories=["C", "Z"])),
        ),
        max_size=5,
    )
)
def test_both_encodings_say_the_same(fields: list[tuple[str, str]]) -> None:
    """A form reads alike, whichever way the browser sends it."""
    plain = httpx.Request("POST", "http://x", data=_grouped(fields))
    parts = httpx.Request("POST", "http://x", files=[(name, (None, value)) for name, value in fields])
    read = [read_form(one.read(), one.headers.get("content-type", "")) for one in (plain, parts)]
    assert read == [_grouped(fields)] * 2


def _grouped(fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in fields:
        grouped.setdefault(name, []).append(value)
    return grouped
