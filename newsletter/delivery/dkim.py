"""DKIM: signatures that prove a letter is its domain's own (RFC 6376, RFC 8301, RFC 8463).

Promises: every header field of a letter is signed, From and Subject so that none can be added (§8.15), and
the whole body (no `l=`), relaxed/relaxed, with RSA-SHA256 and, if there is a key for it, Ed25519 beside it.
Signing draws no chance number and tells no time, so a letter that is tried again has the same bytes; only
a change of keys changes them.

Light to import: copyists sign (`newsletter.delivery.copyist`). May surprise: a body is hashed as it is.
Paperround's bodies are written so that relaxed canonicalisation (§3.4.4) changes nothing; others' may not be
given to `seal`.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from newsletter.errors import SettingsError
from newsletter.render.message import Seal

_STRING_OCTETS = 255
"""What one string of a TXT record holds (RFC 1035 §3.3.14)."""
_LONGEST_NAME = 253
"""Of a name as it is written; on the wire it has two octets more (RFC 1035 §2.3.4)."""
_LINE = 72
_WHITE_SPACE = re.compile(rb"(?:(?:\r\n)?[ \t])+")
_OVERSIGNED = (b"from", b"subject")


@dataclass(frozen=True, slots=True)
class DnsRecord:
    """The TXT record that publishes a key (RFC 6376 §3.6)."""

    name: str
    value: str

    @property
    def zone_line(self) -> str:
        """The record as a zone file has it: the value in strings of at most 255 octets."""
        places = range(0, len(self.value), _STRING_OCTETS)
        strings = " ".join(f'"{self.value[at : at + _STRING_OCTETS]}"' for at in places)
        return f"{self.name}. IN TXT ( {strings} )"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and the selector its public half is published under."""

    selector: str
    private: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)

    def __reduce__(self) -> tuple[Callable[[str, bytes], "DkimKey"], tuple[str, bytes]]:
        """For another process of the sender's, by `pickle`."""
        return _restored, (
            self.selector,
            self.private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        )

    @property
    def kind(self) -> str:
        """As the tags k= of the record and a= of a signature name it."""
        return "rsa" if isinstance(self.private, RSAPrivateKey) else "ed25519"

    @property
    def bits(self) -> int:
        """Its length."""
        return self.private.key_size if isinstance(self.private, RSAPrivateKey) else 256

    def sign(self, data: bytes) -> bytes:
        """The signature of canonicalised header fields."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(data, PKCS1v15(), hashes.SHA256())
        return self.private.sign(sha256(data).digest())  # RFC 8463 §3

    def record(self, domain: str) -> DnsRecord:
        """What the DNS has to say, so that others can check signatures."""
        public = self.private.public_key()
        if self.kind == "rsa":
            octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            octets = public.public_bytes(Encoding.Raw, PublicFormat.Raw)  # RFC 8463 §4
        value = f"v=DKIM1; k={self.kind}; p={b64encode(octets).decode('ascii')}"
        return DnsRecord(record_name(self.selector, domain), value)


def _restored(selector: str, octets: bytes) -> DkimKey:
    private = load_der_private_key(octets, password=None)
    assert isinstance(private, RSAPrivateKey | Ed25519PrivateKey)  # noqa: S101  # it came from a DkimKey
    return DkimKey(selector, private)


class DkimSigner:
    """Signs letters of one domain, with an RSA key and perhaps an Ed25519 key after it."""

    def __init__(self, domain: str, keys: Sequence[DkimKey]) -> None:
        self._domain = domain
        self._keys = tuple(keys)
        self._opening = lru_cache(64)(self._write_opening)

    def __reduce__(self) -> tuple[type["DkimSigner"], tuple[str, tuple[DkimKey, ...]]]:
        """For another process of the sender's, by `pickle`."""
        return DkimSigner, (self._domain, self._keys)

    def seal(self, shared: bytes) -> Seal:
        """What signs the letters of an edition, its shared header fields canonicalised once.

        Given a letter's own header fields, which stand before the shared ones, and its body, it makes a
        DKIM-Signature field for each key.
        """
        shared_names, shared_lines = _relaxed(shared)

        def sign(fields: bytes, body: bytes) -> bytes:
            names, lines = _relaxed(fields)
            names, lines = names + shared_names, lines + shared_lines
            body_hash = b64encode(sha256(body).digest())
            return b"".join([self._field(key, names, lines, body_hash) for key in self._keys])

        return sign

    def signed(self, message: bytes) -> bytes:
        """A whole message of ours with its signature, as `CompiledMessage.splice` makes it with a seal."""
        header, _, body = message.partition(b"\r\n\r\n")
        return self.seal(header + b"\r\n")(b"", body) + message

    def _field(self, key: DkimKey, names: tuple[bytes, ...], lines: bytes, body_hash: bytes) -> bytes:
        value = self._opening(key, names) + body_hash + b";\r\n b="
        # §3.7: itself, with an empty b= and no line end; each of its folds is one space, as relaxed has it.
        signature = key.sign(lines + b"dkim-signature:" + value.replace(b"\r\n", b""))
        return b"DKIM-Signature: " + value + _folded(b64encode(signature)) + b"\r\n"

    def _write_opening(self, key: DkimKey, names: tuple[bytes, ...]) -> bytes:
        """The tags before the body's hash; h= folded before a colon's next name, where it may be."""
        lines, line = [], b" h="
        for name in (*names, *_OVERSIGNED):
            if len(line) + len(name) > _LINE:
                lines.append(line)
                line = b" "
            line += name + b":"
        tags = f"v=1; a={key.kind}-sha256; c=relaxed/relaxed;\r\n d={self._domain}; s={key.selector};\r\n"
        return tags.encode("ascii") + b"\r\n".join([*lines, line[:-1]]) + b";\r\n bh="


def _relaxed(fields: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Header fields canonicalised (RFC 6376 §3.4.2): their names, and the lines to be hashed."""
    parts = [line.partition(b":") for line in _WHITE_SPACE.sub(b" ", fields).split(b"\r\n")[:-1]]
    names = tuple([name.strip().lower() for name, _, _ in parts])
    lines = [name + b":" + part[2].strip(b" ") + b"\r\n" for name, part in zip(names, parts, strict=True)]
    return names, b"".join(lines)


def _folded(signature: bytes) -> bytes:
    return b"\r\n ".join([signature[at : at + _LINE] for at in range(0, len(signature), _LINE)])


def record_name(selector: str, domain: str) -> str:
    """The name of a key's record (RFC 6376 §3.6.2.1). Raises SettingsError if the DNS cannot have it."""
    name = f"{selector}._domainkey.{domain}"
    if len(name) > _LONGEST_NAME:
        raise SettingsError(
            f"the key's record would have a name of {len(name)} characters, and the DNS has none of more "
            f"than {_LONGEST_NAME} (RFC 1035): choose a shorter selector than {selector}"
        )
    return name
