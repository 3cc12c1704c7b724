"""Spliced messages: each is what rendering it alone would have given."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_string, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.render.headers import Mailbox, clean
from newsletter.render.message import CompiledMessage, Envelope, compile_message, content_id
from newsletter.render.slots import Reader, sentinel_slots

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
DATE = datetime(2026, 1, 6, 8, tzinfo=UTC)
PREFERENCES = "https://news.example.org/preferences/token"


def reader(address: str = "a@example.org", name: str = "") -> Reader:
    return Reader(Mailbox(name, address), "id@example.org", URL, PREFERENCES)


def compiled(text: str, html_text: str) -> CompiledMessage:
    return compile_message(KEY, "A subject", text, html_text, ENVELOPE, DATE)


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
ATOMS = st.text("abcXYZ019!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=31) | st.text(
    st.characters(codec="utf-8", categories=("Ll", "Lo", "Lu", "Nd")), min_size=1, max_size=15
)
DOMAINS = st.sampled_from(
    ["example.org", "xn--e1afmkfd.xn--p1ai", "a" * 63 + ".example", ".".join(["b" * 60] * 3) + ".example"]
)
ADDRESSES = st.builds("{}@{}".format, st.lists(ATOMS, min_size=1, max_size=2).map(".".join), DOMAINS)
NAMES = (
    st.text(max_size=80)
    | st.text(st.sampled_from('\r\n\0"\\<>,;:=?()@ abcé漢\u2028'), max_size=120)
    | st.sampled_from(
        ["", "Ann Lee", "=?utf-8?q?x?=", "x@y.example", "A\r\nBcc: eve@example.org", "a" * 5000]
    )
    | st.sampled_from(["a, " * 2000, "é" * 2000, "漢 " * 2000, '\\"' * 800])
)
URLS = st.sampled_from(
    ["https://news.example.org", "https://" + "long." * 30 + "example/..", "http://127.0.0.1"]
)
READERS = st.builds(
    lambda address, name, base: Reader(
        Mailbox(name, address), "id@example.org", f"{base}/u/{'a' * 36}", f"{base}/preferences/{'b' * 36}"
    ),
    ADDRESSES,
    NAMES,
    URLS,
)
PICTURES = st.dictionaries(
    st.sampled_from(["0a.jpg", "1b.png", "2c.gif"]), st.binary(max_size=200), max_size=3
)
ON_THE_WEB = replace(
    ENVELOPE,
    reply_to=Mailbox("Editor", "editor@example.org"),
    archive_url=f"https://news.example.org/archive/{'a' * 100}",
    web_url="https://news.example.org/issues/1/a",
)
ENVELOPES = st.sampled_from([ENVELOPE, ON_THE_WEB])


@dataclass(frozen=True)
class Case:
    """An edition and one of its readers."""

    reader: Reader
    text: str
    html: str
    subject: str
    envelope: Envelope
    pictures: dict[str, bytes]

    @property
    def spliced(self) -> bytes:
        """The reader's copy."""
        compiled = compile_message(
            KEY, self.subject, self.text, self.html, self.envelope, DATE, self.pictures
        )
        return compiled.splice(self.reader)


ALL_SLOTS = f"{SLOTS.address} {SLOTS.unsubscribe_url} {SLOTS.preferences_url}"
AWKWARD = Case(
    reader=Reader(
        Mailbox('"Ann" <a@b>', "o'hara&sons=?@example.org"),
        "id@example.org",
        "https://news.example.org/a'b&c/u/token",
        "https://news.example.org/a'b&c/preferences/token",
    ),
    text=ALL_SLOTS,
    html=ALL_SLOTS,
    subject="A subject",
    envelope=ON_THE_WEB,
    pictures={"0a.jpg": b"picture"},
)
CASES = st.builds(Case, READERS, WORDS, WORDS, st.text(max_size=120), ENVELOPES, PICTURES)


def filled(words: str, to: Reader, escape: Callable[[str], str]) -> str:
    """A body with the reader's values in it, put there before anything is encoded."""
    words = words.replace(SLOTS.address, escape(to.mailbox.address))
    words = words.replace(SLOTS.unsubscribe_url, escape(to.unsubscribe_url))
    return words.replace(SLOTS.preferences_url, escape(to.preferences_url))


def written_alone(case: Case) -> EmailMessage:
    """The reader's message made by the standard library for them alone, and parsed."""
    message = EmailMessage(policy=policy.SMTP)
    message.set_content(filled(case.text, case.reader, str), cte="quoted-printable")
    words = filled(case.html, case.reader, html.escape)
    message.add_alternative(words, subtype="html", cte="quoted-printable")
    for name, data in case.pictures.items():
        (_, shown) = message.iter_parts()
        kind = {"jpg": "jpeg"}.get(name[3:], name[3:])
        assert isinstance(shown, EmailMessage)
        shown.add_related(
            data, "image", kind, cid=f"<{content_id(name)}>", filename=name, disposition="inline"
        )
    return parsed(message.as_bytes())


def contents(message: EmailMessage) -> list[tuple[object, ...]]:
    """Every part, in order: what it is and what is in it."""
    found: list[tuple[object, ...]] = []
    for each in message.walk():
        assert isinstance(each, EmailMessage)
        content: object = None
        if not each.is_multipart():
            content = each.get_content()
        if isinstance(content, str):
            content = content.replace("\r\n", "\n").removesuffix("\n")
        kind = (each.get_content_type(), each.get_content_charset(), each.get_content_disposition())
        found.append((*kind, each.get_filename(), each["Content-ID"], content))
    return found


def on_one_line(text: str) -> str:
    """As a header field is read: cleaned, and what UTF-8 cannot hold replaced."""
    return " ".join(clean(text).encode("utf-8", "replace").decode().split())


def wanted_fields(case: Case) -> list[tuple[str, str]]:
    """Every header field but To, which `recipient` reads."""
    envelope, to = case.envelope, case.reader
    one_click = to.unsubscribe_url.startswith("https://")
    fields = [
        ("Message-ID", f"<{to.message_id}>"),
        ("List-Unsubscribe", f"<{to.unsubscribe_url}>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click" if one_click else None),
        ("From", str(envelope.sender)),
        ("Reply-To", str(envelope.reply_to) if envelope.reply_to else None),
        ("Subject", on_one_line(case.subject)),
        ("Date", "Tue, 06 Jan 2026 08:00:00 +0000"),
        ("List-Id", f'"{envelope.list_title}" <{envelope.list_id}>'),
        ("List-Help", f"<mailto:{envelope.help_address}?subject=help>"),
        ("List-Owner", f"<mailto:{envelope.owner_address}>"),
        ("List-Archive", f"<{envelope.archive_url}>" if envelope.archive_url else None),
        ("Archived-At", f"<{envelope.web_url}>" if envelope.web_url else None),
        ("List-Post", "NO"),
        ("Feedback-ID", envelope.feedback_id),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="=_{KEY[:32]}"'),
    ]
    return [(name, value) for name, value in fields if value is not None]


def recipient(content: bytes) -> tuple[str, str]:
    """The name and address in To. The older parser reads the name: the newer keeps the space between two
    encoded-words of a phrase, which RFC 2047 §6.2 says is not there."""
    (address,) = parsed(content)["To"].addresses
    raw = str(message_from_string(content.decode("utf-8"), policy=policy.compat32)["To"])
    name = str(make_header(decode_header(parseaddr(raw.replace("\r\n", "").replace("\n", ""))[0])))
    return " ".join(name.split()), address.addr_spec


@given(CASES)
@example(AWKWARD)
def test_a_spliced_message_reads_as_if_it_were_written_alone(case: Case) -> None:
    """For any body, pictures, name and address: header and parts are those of a message made for it."""
    message = parsed(case.spliced)
    assert message.defects == []
    assert contents(message) == contents(written_alone(case))
    assert message.keys()[0] == "To"
    assert recipient(case.spliced) == (on_one_line(case.reader.mailbox.name), case.reader.mailbox.address)
    fields = [(name, " ".join(str(value).split())) for name, value in message.items()[1:]]
    assert fields == wanted_fields(case)


@given(CASES)
def test_the_bytes_are_fit_for_any_relay(case: Case) -> None:
    """STANDARDS 3 and 4: CRLF only, lines below 998 octets, 7 bits, and no line that needs dot-stuffing.

    The header has more than 7 bits only for an address that has (RFC 6532).
    """
    content = case.spliced
    assert content.partition(b"\r\n\r\n")[2].isascii()
    assert content.isascii() == case.reader.mailbox.address.isascii()
    assert b"\r" not in content.replace(b"\r\n", b"")
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert not re.search(rb"^\.", content, re.MULTILINE)
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.endswith(b"\r\n")


@given(CASES)
def test_the_header_is_what_mail_providers_ask_for(case: Case) -> None:
    """STANDARDS 1, 2, 5, 6, 7, 10 and 11: each field once, one way out, and no URI folded or encoded."""
    fields = [one.partition(b":") for one in re.split(rb"\r\n(?! )", case.spliced.partition(b"\r\n\r\n")[0])]
    values = {name.decode(): value.strip().decode() for name, _, value in fields}
    assert len(values) == len(fields)
    assert {"From", "To", "Subject", "Date", "Message-ID", "List-Id"} <= set(values)
    assert len(values["Message-ID"]) <= 500
    assert re.fullmatch(r"<https?://[^<>\s]+>", values["List-Unsubscribe"])
    if values["List-Unsubscribe"].startswith("<https:"):
        assert values["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert values["List-Post"] == "NO"
    for name, value in values.items():
        if name.startswith("List-") or name == "Archived-At":
            assert "=?" not in value
            assert "\r\n" not in value


def test_one_click_is_offered_over_https_only() -> None:
    """RFC 8058 §3.1 asks for HTTPS: a trial site on http:// has the link and not the one-click."""
    message = parsed(
        compiled("text", "html").splice(reader()._replace(unsubscribe_url="http://localhost/u/t"))
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
