"""Spliced messages: each is what rendering it alone would have given."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_string, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.headers import Mailbox
from newsletter.render.message import (
    CompiledMessage,
    Envelope,
    Reader,
    compile_message,
    sentinel_slots,
)

KEY = "0123456789abcdef" * 4
SLOTS = sentinel_slots(KEY)
ENVELOPE = Envelope(
    sender=Mailbox("Ann Lee", "ann@example.org"),
    reply_to=None,
    list_id="advice.news.example.org",
    list_title="News: Advice",
    base_url="https://news.example.org",
    bounce_address="ann@example.org",
    owner_address="ann@example.org",
    help_address="ann@example.org",
    feedback_id="issue1:advice:newsletter:pr0123456789",
)
URL = "https://news.example.org/u/token"
PREFERENCES = "https://news.example.org/preferences/token"


def reader(address: str = "a@example.org", name: str = "") -> Reader:
    return Reader(Mailbox(name, address), "id@example.org", URL, PREFERENCES)


def compiled(text: str, html: str) -> CompiledMessage:
    return compile_message(KEY, "A subject", text, html, ENVELOPE, datetime(2026, 1, 6, 8, tzinfo=UTC))


def parsed(content: bytes) -> EmailMessage:
    # As text: bytes beyond ASCII in an address (RFC 6532) are more than the parser of bytes takes.
    message = message_from_string(content.decode("utf-8"), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, subtype: str) -> str:
    found = message.get_body((subtype,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n").removesuffix("\n")


PROSE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")) | st.just("\n"), max_size=300
)
WORDS = st.lists(
    PROSE
    | st.sampled_from([SLOTS.address, SLOTS.unsubscribe_url, SLOTS.preferences_url, "\n.\n", " . ", "  "]),
    max_size=12,
).map("".join)
ADDRESSES = st.sampled_from(
    ["ann@example.org", "o'hara+x&y@example.org", "иван@xn--e1afmkfd.xn--p1ai", "a" * 64 + "@example.org"]
)


@given(WORDS, WORDS, ADDRESSES, st.text(max_size=80))
def test_a_spliced_message_reads_as_if_it_were_written_alone(
    text: str, html: str, address: str, name: str
) -> None:
    """For any body, name and address: parsed, both parts hold the words with the slots filled in."""
    message = parsed(compiled(text, html).splice(reader(address, name)))
    assert message.defects == []
    escaped = address.replace("&", "&amp;").replace("'", "&#x27;")
    for subtype, written, shown in (("plain", text, address), ("html", html, escaped)):
        wanted = written.replace(SLOTS.address, shown).replace(SLOTS.unsubscribe_url, URL)
        wanted = wanted.replace(SLOTS.preferences_url, PREFERENCES)
        assert part(message, subtype) == wanted.removesuffix("\n")
    assert [a.addr_spec for a in message["To"].addresses] == [address]


@given(WORDS, WORDS, ADDRESSES)
def test_the_bytes_are_fit_for_any_relay(text: str, html: str, address: str) -> None:
    """STANDARDS 3 and 4: CRLF only, lines below 998 octets, 7 bits, and no line that needs dot-stuffing."""
    content = compiled(text, html).splice(reader(address))
    body = content.partition(b"\r\n\r\n")[2]
    assert body.isascii()
    assert content.isascii() or not address.isascii()
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert not re.search(rb"^\.", content, re.MULTILINE)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.endswith(b"\r\n")


def test_one_click_is_offered_over_https_only() -> None:
    """RFC 8058 §3.1 asks for HTTPS: a trial site on http:// has the link and not the one-click."""
    message = parsed(
        compiled("text", "html").splice(replace(reader(), unsubscribe_url="http://localhost/u/t"))
    )
    assert message["List-Unsubscribe"] == "<http://localhost/u/t>"
    assert message["List-Unsubscribe-Post"] is None


def test_a_post_that_holds_a_slot_by_chance_is_not_filled() -> None:
    """The markers depend on the edition's key, so no author can write one: another key's stays as it is."""
    other = sentinel_slots("f" * 64).unsubscribe_url
    message = parsed(compiled(other, other).splice(reader()))
    assert part(message, "plain") == other


def test_the_envelope_survives_its_way_through_the_database() -> None:
    """An edition's header settings come back as they were stored."""
    with_reply = Envelope(
        **{**{f: getattr(ENVELOPE, f) for f in ENVELOPE.__slots__}, "reply_to": Mailbox("É", "e@example.org")}
    )
    for envelope in (ENVELOPE, with_reply):
        assert Envelope.from_json(envelope.to_json()) == envelope


@pytest.mark.parametrize("reply_to", [None, Mailbox("Editor", "editor@example.org")])
def test_reply_to_is_there_only_if_it_was_asked_for(reply_to: Mailbox | None) -> None:
    """Answers go to From unless the site says otherwise."""
    envelope = Envelope(**{**{f: getattr(ENVELOPE, f) for f in ENVELOPE.__slots__}, "reply_to": reply_to})
    made = compile_message(KEY, "S", "t", "h", envelope, datetime(2026, 1, 6, tzinfo=UTC))
    message = parsed(made.splice(reader()))
    assert (message["Reply-To"] is not None) == (reply_to is not None)
