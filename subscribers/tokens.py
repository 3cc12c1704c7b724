"""Tokens that prove a link came from us: a purpose, a number, and a MAC.

A token is the base32 of the number (6 bytes) and the first 128 bits of an HMAC-SHA-256 over purpose and
number. It is bound to its purpose, needs no table, and survives mail systems that fold case. A number
has one token a purpose: one that is forged or damaged, if only in the bits that base32 leaves over, reads
as None, and nothing more is said.
"""

import base64
import binascii
import hashlib
import hmac
from enum import StrEnum

_NUMBER_BYTES = 6
_MAC_BYTES = 16
TOKEN_LENGTH = -(-(_NUMBER_BYTES + _MAC_BYTES) * 8 // 5)
"""Characters of every token."""


class Purpose(StrEnum):
    """What a token may be used for; a token for one purpose is worthless for another."""

    LEAVE = "leave"
    BOUNCE = "bounce"
    MESSAGE = "message"
    PREFERENCES = "preferences"


class TokenSigner:
    """Makes and reads tokens under one secret key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, purpose: Purpose, number: int) -> str:
        """A token of lower-case letters and digits for the row `number`."""
        raw = number.to_bytes(_NUMBER_BYTES, "big")
        mac = hmac.digest(self._key, purpose.encode() + b"\0" + raw, hashlib.sha256)[:_MAC_BYTES]
        return base64.b32encode(raw + mac).decode("ascii").rstrip("=").lower()

    def read(self, purpose: Purpose, token: str) -> int | None:
        """The number a token was made for, or None if we did not make it for this purpose."""
        if len(token) != TOKEN_LENGTH or not token.isascii():
            return None
        try:
            raw = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
        except binascii.Error:
            return None
        number = int.from_bytes(raw[:_NUMBER_BYTES], "big")
        return number if hmac.compare_digest(token.lower(), self.sign(purpose, number)) else None
