"""Header fields that every mail system reads alike."""

from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.render.headers import (
    Mailbox,
    any_mailbox_field,
    clean,
    list_id_field,
    mailbox_field,
    parse_mailbox,
    text_field,
    uri_field,
)
from subscribers.address import AddressError

ANY_TEXT = st.text(max_size=300)
HOSTILE = st.text(st.sampled_from('\r\n\0"\\<>,;:=?()@ abcé漢\u2028'), max_size=120)


def parsed(fields: str) -> EmailMessage:
    message = message_from_bytes(fields.encode("utf-8") + b"\r\nbody\r\n", policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def display_name(message: EmailMessage) -> str:
    """The name in To. The older parser reads it: the newer keeps the space between two encoded-words of a
    phrase, which RFC 2047 §6.2 says is not there."""
    raw = message_from_bytes(message.as_bytes(), policy=policy.compat32)["To"]
    return str(make_header(decode_header(parseaddr(str(raw).replace("\n", ""))[0])))


@given(ANY_TEXT | HOSTILE)
@example("Bcc: eve@example.org\r\nBcc: eve@example.org")
@example("=?utf-8?q?already_encoded?=")
def test_any_subject_is_one_field_and_reads_back(text: str) -> None:
    """Whatever the title, one Subject comes of it, nothing else, and it decodes to the title on one line."""
    field = text_field("Subject", text)
    message = parsed(field)
    assert message.keys() == ["Subject"]
    assert " ".join(str(message["Subject"]).split()) == " ".join(
        clean(text).encode("utf-8", "replace").decode().split()
    )


@given(ANY_TEXT | HOSTILE)
def test_any_name_is_one_mailbox(name: str) -> None:
    """Whatever a reader is called, To holds exactly their address, and their name as it is read."""
    message = parsed(mailbox_field("To", Mailbox(name, "ann@example.org")))
    assert message.keys() == ["To"]
    addresses: tuple[Address, ...] = message["To"].addresses
    assert [address.addr_spec for address in addresses] == ["ann@example.org"]
    wanted = clean(name).encode("utf-8", "replace").decode()
    assert " ".join(display_name(message).split()) == " ".join(wanted.split())


@given(ANY_TEXT | HOSTILE | st.text("abcXYZ019 -_'", max_size=80), st.text("ab.é", min_size=1, max_size=60))
@example("=?utf-8?q?x?=", "a")
@example("Ann " + "b" * 55, "a")
@example("Ann " + "b" * 54, "a")
@example("Ann ", "a")
@example(" Ann", "a")
@example("Ann  Lee", "a")
@example("Ann\n", "a")
def test_the_quick_way_to_a_mailbox_is_the_same_as_the_whole(name: str, local: str) -> None:
    """A short plain name is written in one step; the field is that which all the rules give."""
    mailbox = Mailbox(name, f"{local}@example.org")
    assert mailbox_field("To", mailbox) == any_mailbox_field("To", mailbox)


@given(ANY_TEXT | HOSTILE)
@example("a, " * 1000)
@example('\\"' * 500)
def test_fields_are_ascii_and_fold_at_78(text: str) -> None:
    """Fields are 7-bit, no line passes 998 octets, and encoded-words stay below RFC 2047's 75."""
    for field in (text_field("Subject", text), mailbox_field("From", Mailbox(text, "a@example.org"))):
        assert field.isascii()
        assert field.endswith("\r\n")
        for line in field.split("\r\n"):
            assert len(line) <= 998
            assert all(len(word) <= 75 for word in line.split(" ") if word.startswith("=?"))


def test_an_address_in_a_list_field_is_never_folded_or_encoded() -> None:
    """RFC 2369: a URI stays whole however long; a field with several folds after a comma only."""
    uris = ["https://news.example.org/u/" + "a" * 300, "mailto:leave@example.org"]
    assert uri_field("List-Unsubscribe", *uris) == (f"List-Unsubscribe: <{uris[0]}>,\r\n <{uris[1]}>\r\n")


@pytest.mark.parametrize(
    ("title", "field"),
    [
        ("Advice", "List-Id: Advice <advice.news.example.org>\r\n"),
        ("News: Advice", 'List-Id: "News: Advice" <advice.news.example.org>\r\n'),
        ('Say "hi"', 'List-Id: "Say \\"hi\\"" <advice.news.example.org>\r\n'),
    ],
)
def test_a_list_phrase_with_specials_is_quoted(title: str, field: str) -> None:
    """RFC 2919 §2: the phrase before the identifier is quoted when it has to be."""
    assert list_id_field(title, "advice.news.example.org") == field


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("ann@example.org", "", "ann@example.org"),
        ("Ann Lee <ann@example.org>", "Ann Lee", "ann@example.org"),
        ('"Lee, Ann" <ann@example.org>', "Lee, Ann", "ann@example.org"),
        ("Żółć <ann@bücher.example>", "Żółć", "ann@xn--bcher-kva.example"),
    ],
)
def test_a_mailbox_is_read(text: str, name: str, address: str) -> None:
    """The forms in which people write a mailbox."""
    assert parse_mailbox(text) == Mailbox(name, address)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Ann",
        "a@example.org, b@example.org",
        "A <a@example.org>, B <b@example.org>",
        "A <a@example.org> <b@example.org>",
        "Ann Lee ann@example.org",
        "Lee, Ann <ann@example.org>",
    ],
)
def test_what_is_not_one_mailbox_is_refused(text: str) -> None:
    """Gmail asks for one address in From: two, or none, are an error."""
    with pytest.raises(AddressError):
        parse_mailbox(text)
