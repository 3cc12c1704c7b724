"""Replies out of a stream of octets."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.delivery.replies import REPLY_OCTETS, NotSMTPError, ReplyParser

Replies = list[tuple[int, bytes]]

WORDS = st.binary(max_size=20).map(lambda octets: octets.replace(b"\n", b"").rstrip())
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(WORDS, min_size=1, max_size=4)), max_size=6)


def written(replies: Iterable[tuple[int, list[bytes]]]) -> bytes:
    """The octets of replies (RFC 5321 §4.2.1): each line but the last has a hyphen behind the code."""
    return b"".join(
        b"".join(b"%d-%s\r\n" % (code, line) for line in lines[:-1]) + b"%d %s\r\n" % (code, lines[-1])
        for code, lines in replies
    )


def cut(octets: bytes, places: Iterable[int]) -> list[bytes]:
    """The octets in pieces."""
    edges = [0, *sorted(place % (len(octets) + 1) for place in places), len(octets)]
    return [octets[start:end] for start, end in pairwise(edges)]


def read(pieces: Iterable[bytes]) -> tuple[Replies, str | None]:
    """What a parser makes of them: the replies, and why it gave up if it did."""
    parser, replies = ReplyParser(), []
    try:
        for piece in pieces:
            for reply in parser.feed(piece):
                replies.append(reply)  # noqa: PERF402  # those before an error count
    except NotSMTPError as error:
        return replies, str(error)
    return replies, None


@given(REPLIES, st.lists(st.integers(0), max_size=9))
@example([(250, [b"a", b"b"]), (354, [b""])], list(range(30)))
def test_replies_are_the_same_however_they_are_cut_up(
    replies: list[tuple[int, list[bytes]]], places: list[int]
) -> None:
    """Codes and lines come out as they were written, in whatever pieces the network brings them."""
    expected = [(code, b"\n".join(lines)) for code, lines in replies]
    assert read(cut(written(replies), places)) == (expected, None)


@given(st.binary(max_size=300), st.lists(st.integers(0), max_size=9))
@example(b"250 Ok\r\n25", [3, 5, 9])
@example(b"250-Ok\r\nno\r\n250 Ok\r\n", [8, 9])
def test_any_octets_are_read_alike_however_they_are_cut_up(octets: bytes, places: list[int]) -> None:
    """The same replies, and the same trouble, for whole chunks and for pieces."""
    assert read(cut(octets, places)) == read([octets])


@given(
    REPLIES, st.sampled_from([b"garbage\r\n", b"\r\n", b"2500 Ok\r\n", b"199 Ok\r\n", b"600 Ok\r\n", b"25"])
)
def test_replies_before_trouble_count(replies: list[tuple[int, list[bytes]]], trouble: bytes) -> None:
    """What was said before the relay stopped to make sense is said, in the same chunk too."""
    found, why = read([written(replies) + trouble])
    assert found == [(code, b"\n".join(lines)) for code, lines in replies]
    assert (why is None) == (b"\n" not in trouble)


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"250\r\n", (250, b"")),
        (b"250 \r\n", (250, b"")),
        (b"250\n", (250, b"")),
        (b"250 Ok\n", (250, b"Ok")),
        (b"250-\r\n250\r\n", (250, b"\n")),
        (b"250 a\rb\r\n", (250, b"a\rb")),
        (b"250  two spaces \t\r\n", (250, b" two spaces")),
        (b"250-first\r\n550 last\r\n", (550, b"first\nlast")),
    ],
)
def test_lines_at_the_edge_of_the_standard(octets: bytes, reply: tuple[int, bytes]) -> None:
    """A bare code and a bare LF are understood; the last line's code counts."""
    assert read([octets]) == ([reply], None)


@pytest.mark.parametrize("start", [b"250 ", b"250-", b""])
@pytest.mark.parametrize("size", [16, 4096, 10**6])
def test_a_line_that_does_not_end_is_given_up(start: bytes, size: int) -> None:
    """No more than a reply's octets, and one chunk, are ever kept."""
    chunks = -(-REPLY_OCTETS // size)
    assert read([start, *[b"x" * size] * (chunks - 1)]) == ([], None)
    replies, why = read([start, *[b"x" * size] * (chunks + 1)])
    assert replies == []
    assert why is not None
    assert "does not end" in why


@pytest.mark.parametrize("line", [b"250-\r\n", b"250-" + b"x" * 500 + b"\r\n"])
@pytest.mark.parametrize("at_once", [1, 10_000])
def test_lines_that_do_not_end_are_given_up(line: bytes, at_once: int) -> None:
    """A reply of endless lines is none."""
    replies, why = read([line * at_once] * (REPLY_OCTETS // len(line) // at_once + 1))
    assert replies == []
    assert why is not None
    assert "does not end" in why


def test_the_limit_is_a_replys_and_not_the_connections() -> None:
    """A hundred thousand letters on one connection are no endless reply; one of nearly the limit is read."""
    parser = ReplyParser()
    long = b"250 " + b"x" * (REPLY_OCTETS - 6) + b"\r\n"
    for _ in range(5):
        [(code, text)] = parser.feed(long)
        assert (code, len(text)) == (250, REPLY_OCTETS - 6)
    count = sum(len(list(parser.feed(b"250 Ok\r\n" * 1000))) for _ in range(100))
    assert count == 100_000
