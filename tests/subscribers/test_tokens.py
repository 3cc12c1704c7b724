"""Tokens: what we made reads back, and nothing else reads as anything."""

import hashlib
import re
from base64 import b32encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.tokens import Purpose, TokenSigner

SIGNER = TokenSigner(b"a key for tests, thirty-two octets")
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

numbers = st.integers(min_value=0, max_value=2**48 - 1)
purposes = st.sampled_from(Purpose)


@given(purposes, numbers)
def test_round_trip(purpose: Purpose, number: int) -> None:
    """A token reads as the number it was made for, also in upper case, and needs no escaping anywhere."""
    token = SIGNER.sign(purpose, number)
    assert re.fullmatch(r"[a-z2-7]{36}", token)
    assert SIGNER.read(purpose, token) == number
    assert SIGNER.read(purpose, token.upper()) == number


@given(purposes, numbers, st.binary(max_size=100))
def test_a_token_is_the_number_and_its_mac(purpose: Purpose, number: int, key: bytes) -> None:
    """The number and 128 bits of keyed BLAKE2b in base32, as the standard library makes them, for any key."""
    raw = number.to_bytes(6, "big")
    short = key if len(key) <= 64 else hashlib.blake2b(key).digest()
    mac = hashlib.blake2b(raw, digest_size=16, key=short, person=purpose.encode()).digest()
    wanted = b32encode(raw + mac).decode("ascii").rstrip("=").lower()
    assert TokenSigner(key).sign(purpose, number) == wanted


@given(purposes, purposes, numbers)
def test_a_token_serves_one_purpose(made_for: Purpose, used_for: Purpose, number: int) -> None:
    """A token is worthless for any purpose but its own."""
    expected = number if made_for is used_for else None
    assert SIGNER.read(used_for, SIGNER.sign(made_for, number)) == expected


@given(numbers)
def test_a_token_of_another_key_is_worthless(number: int) -> None:
    """Another site's token, or one from before the key was changed, reads as nothing."""
    assert SIGNER.read(Purpose.LEAVE, TokenSigner(b"another").sign(Purpose.LEAVE, number)) is None


@given(numbers, st.integers(1, 31))
def test_a_damaged_token_is_worthless(number: int, change: int) -> None:
    """Any change of any character, the bits that base32 leaves over included, makes a token worthless."""
    token = SIGNER.sign(Purpose.LEAVE, number)
    for place, char in enumerate(token):
        other = ALPHABET[ALPHABET.index(char) ^ change]
        assert SIGNER.read(Purpose.LEAVE, token[:place] + other + token[place + 1 :]) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda token: token[:-1],
        lambda token: token + "a",
        lambda token: token + "=",
        lambda token: token[:-1] + "=",
        lambda token: "=" * 36,
        lambda token: f" {token}",
        lambda token: token + "\n",
        lambda token: token[:-1] + "ſ",
        lambda token: token[:-1] + "1",
        lambda token: token * 100_000,
        lambda token: "",
    ],
)
def test_a_token_cut_or_padded_is_worthless(damage: "object") -> None:
    """Only the whole token counts, with nothing before or after it."""
    assert callable(damage)
    assert SIGNER.read(Purpose.LEAVE, damage(SIGNER.sign(Purpose.LEAVE, 7))) is None


@given(
    purposes,
    st.one_of(st.text(), st.text(min_size=36, max_size=36), st.text(ALPHABET, min_size=36, max_size=36)),
)
def test_no_text_is_a_token(purpose: Purpose, text: str) -> None:
    """Whatever else is given reads as nothing, and never fails."""
    assert SIGNER.read(purpose, text) is None


def test_the_key_does_not_show() -> None:
    """A signer in a log or a traceback does not tell its key."""
    assert "key for tests" not in repr(SIGNER)
