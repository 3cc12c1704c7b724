"""Signed letters: anybody can check them with what our DNS record says, and nobody can change them."""

import re
import smtplib
from base64 import b64decode, b64encode
from collections.abc import Callable
from email import message_from_string, policy
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from dkim import DKIM, DKIMException
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.delivery.dkim import DkimKey, DkimSigner, DnsRecord
from newsletter.delivery.dkim_keys import load_keys, load_signer, make_key, signing_domain
from newsletter.errors import SettingsError
from newsletter.render.message import compile_message
from newsletter.settings import Settings
from tests.mailserver import MailServer
from tests.render.test_message import CASES, DATE, ENVELOPE, KEY, SLOTS, Case, reader

RSA = DkimKey("2026a", generate_private_key(65537, 2048))
ED25519 = DkimKey("2026e", Ed25519PrivateKey.generate())
KEYS = [RSA, ED25519]
SIGNER = DkimSigner("example.org", KEYS)
BOTH = (True, True)
NEITHER = (False, False)

RSA_768 = """-----BEGIN PRIVATE KEY-----
MIIB5gIBADANBgkqhkiG9w0BAQEFAASCAdAwggHMAgEAAmEAsZId09D5+sUz55yd
ZjFmN8Estxt/6r+qzyGN9PbwCRlgXG86Irklm8UyInZlcIvVsPHSvbz552+VFDPW
gQBjqalcaGKe1TbAZIUGFy96f4h3EP+Ow7/q0Z+o1ZXxUrmHAgMBAAECYQCRPnlT
Vq4CpudL3dkJTALWPBY9OCsrctdeUY3x/0Jbzvv436nn2RWgEm5trfZPVrB3Y9Sp
LyXBejwqAAYPEhOqeqTZWgC3YvFTuwc3UwBhZJUm7F6fQmodzdXpOxkYSdECMQDr
g4BSjax1KjZv7fxu7h905uPZBHZ+aV1aNz9v3RJbqT+/atKq152lta0cLrYMlnMC
MQDBBFKkoF1iYLxKL3HLlURKFf/GpVoG9MXCB0Y3o5fYqVNmxv7EJ6q5ZUzAUrHp
d50CMQCd+1ZHClYXOjvOFXxyBTYAuyk4WHAMGC3Q6KKbLVa1OfFTPBsZEw3jLN10
vDjOdNUCMQC9GxAhLODxbtdrU3qJPHBQqacUJ5LBt/U8+UWJY6V058jHrHWVF0wE
IkSFNUAL/l0CMCeUpTUs7JnpnCFUBhhHaMUi0ZBB0yf7DoflPsWvm3xfeXIfrP/q
kHbq9jMy1oMVJA==
-----END PRIVATE KEY-----
"""


def dns(*records: DnsRecord) -> Callable[..., bytes | None]:
    """A DNS in which there is nothing but these records."""
    known = {f"{record.name}.".encode(): record.value.encode() for record in records}
    return lambda name, timeout=5: known.get(name)


OURS = dns(*(key.record("example.org") for key in KEYS))


def verified(message: bytes, look_up: Callable[..., bytes | None] = OURS) -> tuple[bool, ...]:
    """What dkimpy says to each of the message's signatures, as it is asked to check a thousand senders'."""
    found = []
    for index in range(len(re.findall(rb"^DKIM-Signature:", message, re.MULTILINE))):
        try:
            found.append(bool(DKIM(message).verify(index, dnsfunc=look_up)))
        except DKIMException:
            found.append(False)
    return tuple(found)


def letter(signer: DkimSigner | None = SIGNER) -> bytes:
    """A reader's copy, the quickest there is."""
    words = f"Some  words.\n.\nTo {SLOTS.address}: {SLOTS.unsubscribe_url} {SLOTS.preferences_url}\n"
    message = compile_message(KEY, "A  subject — with folds " * 6, words, words, ENVELOPE, DATE)
    return message.splice(reader("bo@example.net", "Bo Ek"), signer.seal(message.fields) if signer else None)


LETTER = letter()
FIELDS_END = LETTER.index(b"\r\nTo: ") + 2
"""Where the signatures end and what they sign begins."""


def tags(message: bytes) -> list[dict[str, str]]:
    """The tags of each signature."""
    parsed = message_from_string(message.decode(), policy=policy.compat32)
    fields = [re.sub(r"\s", "", str(field)) for field in parsed.get_all("DKIM-Signature", [])]
    return [dict(tag.split("=", 1) for tag in field.split(";")) for field in fields]


@given(CASES)
@settings(max_examples=40)
def test_every_letter_can_be_verified(case: Case) -> None:
    """STANDARDS 8: for any letter and reader dkimpy finds both signatures good, by the records we print."""
    message = compile_message(KEY, case.subject, case.text, case.html, case.envelope, DATE, case.pictures)
    signed = message.splice(case.reader, SIGNER.seal(message.fields))
    assert verified(signed) == BOTH
    assert signed.endswith(b"\r\n" + case.spliced)
    assert SIGNER.signed(case.spliced) == signed
    assert max(map(len, signed.removesuffix(case.spliced).split(b"\r\n"))) <= 78


@given(CASES)
def test_a_body_is_in_its_canonical_form(case: Case) -> None:
    """RFC 6376 §3.4.4: relaxed canonicalisation would change nothing, so that none is needed."""
    body = case.spliced.partition(b"\r\n\r\n")[2]
    assert Relaxed.canonicalize_body(body) == body


def test_a_letter_survives_the_way_through_a_relay() -> None:
    """As a real SMTP server has received it, with a trace field on top, a letter is still good."""
    with MailServer() as relay, smtplib.SMTP("127.0.0.1", relay.port) as client:
        client.sendmail("ann@example.org", ["bo@example.net"], LETTER)
    (accepted,) = relay.accepted
    assert verified(b"Received: from a by b\r\n\tfor <c>; now\r\n" + accepted.content) == BOTH


def test_what_a_signature_says() -> None:
    """STANDARDS 8 and 9: rsa-sha256 first, Ed25519 second; From's domain; no l=; all that counts is in h=."""
    first, second = tags(LETTER)
    for found, key, algorithm in ((first, RSA, "rsa-sha256"), (second, ED25519, "ed25519-sha256")):
        assert found.keys() == {"v", "a", "c", "d", "s", "h", "bh", "b"}
        assert (found["v"], found["a"], found["c"]) == ("1", algorithm, "relaxed/relaxed")
        assert (found["d"], found["s"]) == ("example.org", key.selector)
        signed = found["h"].split(":")
        assert (signed.count("from"), signed.count("subject")) == (2, 2)
        header = message_from_string(LETTER.decode(), policy=policy.compat32).keys()
        there = {name.lower() for name in header} - {"dkim-signature"}
        assert set(signed) == there
        assert {"list-unsubscribe", "list-unsubscribe-post", "list-id", "feedback-id"} <= there
        assert {"to", "date", "message-id", "mime-version", "content-type"} <= there
        assert len(signed) == len(there) + 2


def test_a_letter_that_is_tried_again_has_the_same_bytes() -> None:
    """Another process, with the keys read anew, signs the same letter with the same octets."""
    assert letter(DkimSigner("example.org", KEYS)) == LETTER
    assert LETTER[FIELDS_END:] == letter(None)


@given(st.integers(FIELDS_END, len(LETTER) - 1), st.integers(0, 7))
@settings(max_examples=250)
def test_a_changed_bit_is_found_out(place: int, bit: int) -> None:
    """Any visible octet of header or body: but for a field name's case, nothing can be changed unseen."""
    octet = LETTER[place]
    changed = LETTER[:place] + bytes([octet ^ 1 << bit]) + LETTER[place + 1 :]
    if octet <= 32 or (changed.lower() == LETTER.lower() and is_in_a_field_name(place)):
        return  # white space may be folded anew, which "relaxed" is for
    assert verified(changed) == NEITHER


def is_in_a_field_name(place: int) -> bool:
    """Whether an octet of the letter stands before a header field's colon."""
    names = re.finditer(rb"^[\w-]+:", LETTER.partition(b"\r\n\r\n")[0], re.MULTILINE)
    return any(name.start() <= place < name.end() for name in names)


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("octet", [0, 31, 63])
def test_a_changed_signature_is_found_out(index: int, octet: int) -> None:
    """A bit of one signature makes that one worthless, and leaves the other good."""
    field = re.findall(rb" b=((?:[^\r]|\r\n )+)", LETTER)[index]
    signature = bytearray(b64decode(re.sub(rb"\s", b"", field)))
    signature[octet] ^= 1
    assert verified(LETTER.replace(field, b64encode(signature))) == (index != 0, index != 1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"To: ", b"From: Eve <eve@example.org>\r\nTo: "),
        (b"MIME-Version", b"Subject: Another\r\nMIME-Version"),
        (b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", b""),
        (b"List-Unsubscribe: <https://news.", b"List-Unsubscribe: <https://news2."),
        (b"List-Post: NO\r\n", b"list-post: yes\r\n"),
        (b"--\r\n", b"--\r\nmore\r\n"),
    ],
)
def test_what_is_added_or_taken_is_found_out(old: bytes, new: bytes) -> None:
    """A second From or Subject (§8.15), a field less, a line more: neither signature is good any more."""
    assert old in LETTER
    assert verified(LETTER.replace(old, new)) == NEITHER


def test_relays_may_write_the_header_anew() -> None:
    """Other folds, other case of names, spaces more: what "relaxed" forgives is forgiven."""
    head, _, rest = LETTER.partition(b"Feedback-ID: ")
    changed = head.replace(b"List-Post: NO", b"LIST-POST:\r\n \t NO  ") + b"feedback-id:" + rest
    assert verified(changed) == BOTH


def test_another_key_is_no_key() -> None:
    """With another key in the DNS under the same name, or none, nothing is good."""
    others = [DkimKey(RSA.selector, generate_private_key(65537, 2048))]
    others.append(DkimKey(ED25519.selector, Ed25519PrivateKey.generate()))
    assert verified(LETTER, dns(*(key.record("example.org") for key in others))) == NEITHER
    assert verified(LETTER, dns(*(key.record("example.com") for key in KEYS))) == NEITHER
    assert verified(LETTER, dns(RSA.record("example.org"))) == (True, False)


@pytest.mark.parametrize(("bits", "strings"), [(1024, 1), (2048, 2), (4096, 3), (None, 1)])
def test_a_record_fits_a_zone_file(tmp_path: Path, bits: int | None, strings: int) -> None:
    """RFC 1035 §3.3.14: strings of at most 255 octets, which put together are the value."""
    record = DkimKey("sel", make_key(tmp_path / "new.pem", bits)).record("example.org")
    found = re.fullmatch(r"sel\._domainkey\.example\.org\. IN TXT \( (.*) \)", record.zone_line)
    assert found is not None
    pieces = re.findall(r'"([^"]*)"', found[1])
    assert "".join(pieces) == record.value
    assert len(pieces) == strings
    assert max(map(len, pieces)) <= 255


def site(folder: Path, sender: str = "ann@example.org", **chosen: str) -> Settings:
    """The settings of a site in a folder, with these in [dkim]."""
    given = {
        "name": "Test letters",
        "from": f"Ann <{sender}>",
        "base_url": "https://news.example.org",
        "postal_address": "1 Main Street",
    }
    return Settings.model_validate({"site": given, "dkim": chosen}).in_folder(folder)


def test_the_keys_of_a_site_sign(tmp_path: Path) -> None:
    """Made, named in the settings and read again: what they sign is good by their own records."""
    make_key(tmp_path / "dkim.pem", 1024)
    make_key(tmp_path / "other.pem", None)
    chosen = site(tmp_path, selector="a", ed25519_selector="b", ed25519_key_file="other.pem")
    signer = load_signer(chosen)
    assert signer is not None
    records = [key.record(signing_domain(chosen)) for key in load_keys(chosen)]
    assert verified(letter(signer), dns(*records)) == BOTH
    without = load_signer(site(tmp_path, selector="a"))
    assert without is not None
    assert verified(letter(without), dns(*records)) == (True,)


def test_without_a_selector_nothing_is_signed(tmp_path: Path) -> None:
    """A site that has not asked for signatures needs no key."""
    assert load_signer(site(tmp_path)) is None


@pytest.mark.parametrize(
    ("sender", "domain", "wanted"),
    [
        ("ann@example.org", "", "example.org"),
        ("ann@News.Example.org", "", "news.example.org"),
        ("ann@news.example.org", "example.org", "example.org"),
        ("ann@bücher.example", "", "xn--bcher-kva.example"),
        ("ann@example.org", "example.com", None),
        ("ann@example.org", "news.example.org", None),
        ("ann@badexample.org", "example.org", None),
        ("ann@example.org", "org", None),
    ],
)
def test_the_signing_domain_is_that_of_from(
    tmp_path: Path, sender: str, domain: str, wanted: str | None
) -> None:
    """STANDARDS 8: d= is From's domain or one above it; any other is refused, with both named."""
    chosen = site(tmp_path, sender, domain=domain)
    if wanted is not None:
        assert signing_domain(chosen) == wanted
        return
    with pytest.raises(SettingsError, match=re.escape(domain)):
        signing_domain(chosen)


def pem(private: Any, password: bytes | None = None) -> str:
    """A private key as a file has it."""
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return str(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection), "ascii")


PUBLIC = RSA.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        (None, 0o600, "dkim.pem: the DKIM key cannot be read (No such file or directory)"),
        ("", 0o600, "dkim.pem: this is not a private key in PEM"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", 0o600, "not a private key"),
        ("x" * 100_000, 0o600, "dkim.pem: this is not a private key in PEM"),
        (PUBLIC, 0o600, "dkim.pem: this is not a private key in PEM"),
        (pem(RSA.private, b"secret"), 0o600, "dkim.pem: the key is protected by a password"),
        (pem(ED25519.private), 0o600, "dkim.pem: this is not an RSA key"),
        (pem(ec_key(SECP256R1())), 0o600, "dkim.pem: this is not an RSA key"),
        (RSA_768, 0o600, "dkim.pem: the key has 768 bits"),
        (pem(RSA.private), 0o640, "dkim.pem: the DKIM key can be read by others: chmod 600"),
        (pem(RSA.private), 0o604, "dkim.pem: the DKIM key can be read by others: chmod 600"),
    ],
)
def test_a_key_that_cannot_sign_is_named(tmp_path: Path, text: str | None, mode: int, words: str) -> None:
    """STANDARDS 9: too short, of another kind, open to others, unreadable: each said, with the file."""
    path = tmp_path / "dkim.pem"
    if text is not None:
        path.write_text(text, "ascii")
        path.chmod(mode)
    with pytest.raises(SettingsError, match=re.escape(words)) as raised:
        load_signer(site(tmp_path, selector="a"))
    assert str(path) in str(raised.value)


def test_a_folder_is_no_key(tmp_path: Path) -> None:
    """What cannot be read as a file is said to be so."""
    with pytest.raises(SettingsError, match="Is a directory"):
        load_signer(site(tmp_path, selector="a", key_file="."))


def test_ed25519_goes_with_rsa_only(tmp_path: Path) -> None:
    """STANDARDS 9: alone it is refused, and so are an RSA key in its place and a name for both."""
    for name in ("dkim.pem", "dkim-ed25519.pem"):
        make_key(tmp_path / name, 1024)
    with pytest.raises(SettingsError, match=r"dkim\.selector is not"):
        load_signer(site(tmp_path, ed25519_selector="b"))
    with pytest.raises(SettingsError, match=r"dkim-ed25519\.pem: this is not an Ed25519 key"):
        load_signer(site(tmp_path, selector="a", ed25519_selector="b"))
    with pytest.raises(SettingsError, match="hide each other"):
        load_signer(site(tmp_path, selector="a", ed25519_selector="A"))


def test_a_key_is_its_owners_and_is_never_overwritten(tmp_path: Path) -> None:
    """A new file is readable by its owner alone; one that is there stays as it is, also a link."""
    path = tmp_path / "dkim.pem"
    make_key(path, 1024)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    (tmp_path / "link.pem").symlink_to(tmp_path / "elsewhere.pem")
    for there in (path, tmp_path / "link.pem"):
        with pytest.raises(SettingsError, match=re.escape(f"{there}: there is a file of this name")):
            make_key(there, 1024)
    assert path.read_bytes() == before
    assert not (tmp_path / "elsewhere.pem").exists()
    with pytest.raises(SettingsError, match="the key cannot be written: No such file or directory"):
        make_key(tmp_path / "no" / "dkim.pem", None)


def test_keys_do_not_show() -> None:
    """A key in a log or a traceback does not tell what it is."""
    assert "private" not in repr(RSA)
