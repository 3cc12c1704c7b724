"""Quoted-printable that survives every mail system, and whose pieces can be joined."""

import quopri
import re

from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.render.quoted_printable import SOFT_BREAK, encode, encode_any

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=400)
AWKWARD = st.text(st.sampled_from(" .=\n-aé\u00a0\t"), max_size=400)


def decoded(encoded: bytes) -> str:
    return quopri.decodestring(encoded).decode("utf-8").replace("\r\n", "\n")


@given(TEXT | AWKWARD)
@example("a" * 75 + " " + "b" * 80)
@example(". " * 100)
def test_what_is_encoded_is_decoded_again(text: str) -> None:
    """Any text comes back as it was, line by line."""
    assert decoded(encode(text)) == text


@given(TEXT | AWKWARD)
def test_no_line_is_longer_than_76_octets(text: str) -> None:
    """RFC 2045 §6.7 (5): lines of at most 76 octets, soft break included."""
    assert max(map(len, encode(text).split(b"\r\n"))) <= 76


@given(TEXT | AWKWARD)
def test_data_and_dkim_leave_it_alone(text: str) -> None:
    """No line begins with a dot, ends with white space, or holds two spaces together."""
    for line in encode(text).split(b"\r\n"):
        assert not line.startswith(b".")
        assert not re.search(rb"[ \t](=?)\Z", line)
        assert b"  " not in line
        assert not line.startswith(b" ")


@given(st.lists(TEXT | AWKWARD, min_size=1, max_size=6))
def test_pieces_encoded_apart_join_at_soft_breaks(pieces: list[str]) -> None:
    """Joined at soft line breaks, pieces decode to their text put together: that is how slots are spliced."""
    assert decoded(SOFT_BREAK.join(map(encode, pieces))) == "".join(pieces)


@given(st.text(max_size=200))
def test_bare_line_ends_become_crlf(text: str) -> None:
    """RFC 5321 §2.3.8: no CR without LF, no LF without CR."""
    without_pairs = encode(text).replace(b"\r\n", b"")
    assert b"\r" not in without_pairs
    assert b"\n" not in without_pairs


VISIBLE = st.builds(
    lambda start, times, end: start * times + end,
    st.text("abcXYZ019!~/:?&-_", min_size=1, max_size=3),
    st.integers(0, 160),
    st.text("ab./=", max_size=9),
)


@given(VISIBLE | TEXT | AWKWARD)
@example("a" * 75)
@example("a" * 75 + ".")
@example("a" * 76)
@example("a" * 150 + ".b")
@example(".")
@example("." + "a" * 80)
@example("=" * 80)
def test_the_quick_way_writes_what_the_whole_way_writes(text: str) -> None:
    """Addresses and URLs are encoded in one step; the bytes are those of octet by octet."""
    assert encode(text) == encode_any(text)
