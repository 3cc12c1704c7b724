"""The site's DKIM keys: made, found and checked before anything is signed with them.

Fails with `SettingsError`: a key that is missing, open to others, of the wrong kind or too short, or a domain
that is not the sender's. A key is never overwritten.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from newsletter.delivery.dkim import DkimKey, DkimSigner, record_name
from newsletter.errors import SettingsError
from newsletter.files import open_regular
from newsletter.settings import Settings

LEAST_BITS = 1024
"""The shortest RSA key that may sign (RFC 8301 §3.2)."""


def signing_domain(settings: Settings) -> str:
    """The d= of signatures: aligned with From (RFC 9989), or DMARC would count them for nothing.

    Raises SettingsError.
    """
    sender = settings.sender.domain.lower()
    domain = settings.dkim.domain or sender
    if domain == sender or ("." in domain and sender.endswith(f".{domain}")):
        return domain
    raise SettingsError(
        f"dkim.domain is {domain}, and the From address is at {sender}: a signature proves a letter only if "
        f"its domain is that of From, or one above it. Leave dkim.domain empty to sign for {sender}"
    )


def load_keys(settings: Settings) -> tuple[DkimKey, ...]:
    """The keys that letters are signed with, none if no selector is set. Raises SettingsError."""
    chosen = settings.dkim
    if not chosen.selector:
        if chosen.ed25519_selector:
            raise SettingsError(
                "dkim.ed25519_selector is set and dkim.selector is not: many mail providers cannot check "
                "Ed25519, so it only goes with an RSA key (RFC 8463)"
            )
        return ()
    keys = [DkimKey(chosen.selector, _rsa_key(settings.folder / chosen.key_file))]
    if chosen.ed25519_selector:
        if chosen.ed25519_selector.lower() == chosen.selector.lower():
            raise SettingsError(
                f"dkim.selector and dkim.ed25519_selector are both {chosen.selector}: two records of one "
                f"name would hide each other"
            )
        keys.append(DkimKey(chosen.ed25519_selector, _ed25519_key(settings.folder / chosen.ed25519_key_file)))
    for key in keys:
        record_name(key.selector, signing_domain(settings))
    return tuple(keys)


def load_signer(settings: Settings) -> DkimSigner | None:
    """What signs the site's letters, None if they are not signed here. Raises SettingsError."""
    keys = load_keys(settings)
    return DkimSigner(signing_domain(settings), keys) if keys else None


def make_key(path: Path, bits: int | None) -> RSAPrivateKey | Ed25519PrivateKey:
    """Write a new key to a new file that its owner alone can read: RSA, or Ed25519 if `bits` is None.

    Raises SettingsError; a file that is there is never touched.
    """
    private = Ed25519PrivateKey.generate() if bits is None else generate_private_key(65537, bits)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(pem)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise SettingsError(
            "there is a file of this name, and a key is never overwritten: the DNS may know it. Move it "
            "away, or name another file in [dkim]",
            path=path,
        ) from None
    except OSError as error:
        raise SettingsError(f"the key cannot be written: {error.strerror}", path=path) from None
    return private


def _rsa_key(path: Path) -> RSAPrivateKey:
    key = _private_key(path)
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError("this is not an RSA key: name the file of one in dkim.key_file", path=path)
    if key.key_size < LEAST_BITS:
        raise SettingsError(
            f"the key has {key.key_size} bits, and no mail provider accepts fewer than {LEAST_BITS} (RFC "
            f"8301): make a new one with `paperround dkim keygen`",
            path=path,
        )
    return key


def _ed25519_key(path: Path) -> Ed25519PrivateKey:
    key = _private_key(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            "this is not an Ed25519 key: name the file of one in dkim.ed25519_key_file", path=path
        )
    return key


def _private_key(path: Path) -> object:
    try:
        with open_regular(path) as file:
            pem, mode = file.read(), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise SettingsError(
            f"the DKIM key cannot be read ({error.strerror}): `paperround dkim keygen` makes one, or empty "
            f"the selector in [dkim] to send unsigned",
            path=path,
        ) from None
    if mode & 0o077:
        raise SettingsError(f"the DKIM key can be read by others: chmod 600 {path}", path=path)
    try:
        return load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingsError(
            f"the key is protected by a password that nobody is there to type: write it without one, as "
            f"`openssl pkey -in {path.name}` does",
            path=path,
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError("this is not a private key in PEM (RFC 7468)", path=path) from None
