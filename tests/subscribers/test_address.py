"""What is an address, and when two of them are one reader."""

import unicodedata
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers import address as address_module
from subscribers.address import Address, AddressError, parse_address, readable_address

_DOMAIN = "\u4f8b\u3048.\u30c6\u30b9\u30c8"

TAKEN = {
    # text: (given, key)
    "Ann@Example.ORG": ("Ann@example.org", "ann@example.org"),
    "  ann@example.org\n": ("ann@example.org", "ann@example.org"),
    "Info@example.org": ("Info@example.org", "info@example.org"),
    "a.b+c_d-e@mail.example.org": ("a.b+c_d-e@mail.example.org",) * 2,
    "!#$%&'*+/=?^_`{|}~-@example.org": ("!#$%&'*+/=?^_`{|}~-@example.org",) * 2,
    "ann@localhost": ("ann@localhost",) * 2,
    "ann@office.test": ("ann@office.test",) * 2,
    "ann@bücher.example": ("ann@xn--bcher-kva.example",) * 2,
    "ann@BÜCHER.example": ("ann@xn--bcher-kva.example",) * 2,
    "ann@xn--bcher-kva.example": ("ann@xn--bcher-kva.example",) * 2,
    "ann@XN--BCHER-KVA.Example": ("ann@xn--bcher-kva.example",) * 2,
    f"ann@{_DOMAIN}": ("ann@xn--r8jz45g.xn--zckzah",) * 2,
    "ann@faß.example": ("ann@xn--fa-hia.example",) * 2,
    "ann@example\u3002org": ("ann@example.org",) * 2,
    "Åsa@example.org": ("Åsa@example.org", "åsa@example.org"),
    "A\u030asa@example.org": ("Åsa@example.org", "åsa@example.org"),
    "用户@例え.テスト": ("用户@xn--r8jz45g.xn--zckzah",) * 2,
    "a" * 64 + "@example.org": ("a" * 64 + "@example.org",) * 2,
}

REFUSED = (
    "",
    "   ",
    "ann",
    "@example.org",
    "ann@",
    "ann@@example.org",
    "ann@b@example.org",
    "Ann Lee <ann@example.org>",
    "<ann@example.org>",
    '"ann" <ann@example.org>',
    "ann@example.org (Ann)",
    "ann@example.org, bo@example.org",
    "ann@example.org;bo@example.org",
    "ann@example.org\r\nBcc: all@example.org",
    "ann\r\n@example.org",
    "ann@example.org\x00",
    "an\x00n@example.org",
    "an\x7fn@example.org",
    "an\x1bn@example.org",
    "an\u202en@example.org",
    "an\u200bn@example.org",
    "\ufeffann@example.org",
    "an\ud800n@example.org",
    "ann lee@example.org",
    '"ann lee"@example.org',
    ".ann@example.org",
    "ann.@example.org",
    "an..n@example.org",
    "ann@example..org",
    "ann@.example.org",
    "ann@example.org.",
    "ann@-example.org",
    "ann@exa_mple.org",
    "ann@exa mple.org",
    "ann@xn--a.example",
    "ann@[127.0.0.1]",
    "ann@[IPv6:::1]",
    "ann\uff20example.org",
    "mailto:ann@example.org?subject=x",
    "a" * 65 + "@example.org",
    "a@" + "b" * 64 + ".org",
    "a@" + "b." * 125 + "example",
)


@pytest.mark.parametrize("text", TAKEN)
def test_addresses_that_are_taken(text: str) -> None:
    """Letters go to the local part as given; the key folds case; both hold the domain in A-labels."""
    address = parse_address(text)
    assert (address.given, address.key) == TAKEN[text]


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:40])
def test_what_is_no_address(text: str) -> None:
    """Anything but one bare address is refused, in a short printable line that quotes it."""
    with pytest.raises(AddressError, match="is not an email address") as refusal:
        parse_address(text)
    assert len(str(refusal.value)) < 400
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ann@example.org", "ann@example.org"),
        ("ANN@EXAMPLE.ORG", "ann@example.org"),
        ("ann@bücher.example", "Ann@xn--bcher-kva.example"),
        ("ÅSA@example.org", "a\u030asa@example.org"),
        ("σοφός@example.org", "ΣΟΦΌΣ@example.org"),
    ],
)
def test_one_reader(one: str, other: str) -> None:
    """Addresses that differ in case, normalisation or the writing of the domain are one reader."""
    assert parse_address(one).key == parse_address(other).key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ann@example.org", "ann@example.com"),
        ("ann@example.org", "ann+letters@example.org"),
        ("ann@example.org", "a.nn@example.org"),
        ("ann@faß.example", "ann@fass.example"),
        ("o@example.org", "ö@example.org"),
        ("sam@example.org", "\u017fam@example.org"),
        ("strasse@example.org", "straße@example.org"),
        ("office@example.org", "o\ufb03ce@example.org"),
    ],
)
def test_two_readers(one: str, other: str) -> None:
    """What a mailbox provider may well tell apart stays apart: tags, dots, accents, ß and ss, ligatures."""
    assert parse_address(one).key != parse_address(other).key


@pytest.mark.parametrize("text", ["a" * 10_000_000 + "@example.org", "a@" + "ü" * 1_000_000, "@" * 10_000])
def test_a_huge_text_is_refused_unread(text: str) -> None:
    """What is longer than any address could be costs no parsing."""
    with pytest.raises(AddressError, match="far too long") as refusal:
        parse_address(text)
    assert len(str(refusal.value)) < 200


def test_which_addresses_are_beyond_ascii() -> None:
    """Only a local part beyond ASCII needs SMTPUTF8 (RFC 6531); a domain is written in A-labels."""
    assert not parse_address("åsa@example.org").given.isascii()
    assert parse_address("ann@bücher.example").given.isascii()


def test_an_address_that_grows_beyond_a_path_is_refused() -> None:
    """The limit of RFC 5321 §4.5.3.1.3 holds for what is sent: the domain in A-labels."""
    labels = ".".join(["ä"] * 22)
    assert len(parse_address(f"{'ü' * 39}@{labels}").given.encode()) == 254
    with pytest.raises(AddressError, match="too long"):
        parse_address(f"{'ü' * 40}@{labels}")


_letters = st.characters(categories=("L", "N", "M", "S", "P", "Z", "C"))
_local = st.text(st.one_of(st.sampled_from("abcXYZ019.+-_'İßςΐ"), _letters), min_size=1, max_size=70)


@given(_local, st.sampled_from(["example.org", "Bücher.example", "ß.example", "localhost"]))
def test_every_address_is_settled(local: str, domain: str) -> None:
    """Whatever is taken: fits its column, is normalised, safe in a header, and parses to itself again."""
    try:
        address = parse_address(f"{local}@{domain}")
    except AddressError:
        return
    assert len(address.given) <= 320
    assert len(address.key) <= 320
    assert len(address.given.encode()) <= 254
    assert unicodedata.is_normalized("NFC", address.given)
    assert not any(char.isspace() or ord(char) < 33 or char in '\x7f<>,;:"()[]\\' for char in address.given)
    assert parse_address(address.given) == address
    assert address.given.rpartition("@")[2].isascii()


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """No text makes the parser fail in another way."""
    with suppress(AddressError):
        assert "@" in parse_address(text).given


@given(st.from_regex(r"[a-z]{1,20}(\.[a-z]{1,20})?", fullmatch=True), st.data())
def test_letter_case_never_makes_another_reader(local: str, data: st.DataObject) -> None:
    """Any mixture of upper and lower case in either half is the same reader, and is written to as given."""
    flips = data.draw(st.lists(st.booleans(), min_size=len(local), max_size=len(local)))
    mixed = "".join(char.upper() if flip else char for char, flip in zip(local, flips, strict=True))
    address = parse_address(f"{mixed}@EXAMPLE.org")
    assert address.key == f"{local}@example.org"
    assert address.given == f"{mixed}@example.org"


def long_way(text: str) -> Address | None:
    """What email-validator makes of a text."""
    try:
        return address_module._parsed(text.strip())
    except AddressError:
        return None


_plain_locals = st.from_regex(r"[a-zA-Z0-9_+'.-]{1,70}", fullmatch=True)
_plain_domains = st.from_regex(r"[a-zA-Z0-9.-]{1,70}", fullmatch=True)
_near = st.text(st.sampled_from("abXY09_+'.-@ \n\tß\u0130\u212a\u0660\u2024\uff0e\xad\x00"), max_size=40)


@given(st.one_of(st.builds("{}@{}".format, _plain_locals, _plain_domains), _near, st.emails()))
def test_the_short_way_says_what_the_long_way_says(text: str) -> None:
    """Whatever is read without email-validator is what it would have said, to the letter."""
    assert readable_address(text) == long_way(text)


@pytest.mark.parametrize("text", [*TAKEN, *REFUSED], ids=lambda text: ascii(text)[:40])
def test_the_short_way_agrees_about_every_sample(text: str) -> None:
    """As above, of all that is listed in this file."""
    assert readable_address(text) == long_way(text)


def test_ordinary_addresses_go_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the tests above would say nothing, and an import would take an hour."""
    monkeypatch.setattr(address_module, "_parsed", lambda text: pytest.fail(f"the long way: {text}"))
    ordinary = ("ann@example.org", "Ann.Lee+news@Mail-1.example.co.uk", "o'brien_7@localhost", "a@b.c")
    assert [parse_address(text).given for text in ordinary] == [
        "ann@example.org",
        "Ann.Lee+news@mail-1.example.co.uk",
        "o'brien_7@localhost",
        "a@b.c",
    ]


@pytest.mark.parametrize("text", ["erased-7@erased.invalid", "ann@ERASED.Invalid", " x@erased.invalid"])
def test_nobody_takes_the_place_of_who_was_erased(text: str) -> None:
    """What stands there for their address is refused: else an import could meet it, or pose as it."""
    with pytest.raises(AddressError, match="stands for somebody who was erased"):
        parse_address(text)
    assert parse_address("ann@not-erased.invalid").key == "ann@not-erased.invalid"
