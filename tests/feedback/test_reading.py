"""Mails read: what programs make of them, what is automatic, and any octets at all."""

import time
from contextlib import suppress
from email.header import Header
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.feedback.mime import DEPTH
from newsletter.feedback.reading import (
    REFERENCES_CHARACTERS,
    SUBJECT_CHARACTERS,
    TEXT_CHARACTERS,
    Mail,
    read_mail,
)
from tests.feedback.mails import MACHINES, PEOPLE, Sample, header, machine, on_the_wire, plain

SAMPLES = [sample.content for sample in PEOPLE] + list(MACHINES.values())

TRACES = [
    b"Return-Path: <another@path.example>\r\n",
    b"Received: from a.example by b.example;\r\n\tMon, 5 Jan 2026 10:00:00 +0000\r\n",
    b"Delivered-To: somebody@else.example\r\n",
    b"X-Spam-Status: No, score=-1.0\r\n",
    b"X-Original-To: advice@news.example\r\n",
    b"DKIM-Signature: v=1; a=rsa-sha256; d=a.example; s=s;\r\n\tb=abc\r\n",
    b"Authentication-Results: mx.news.example; dkim=pass\r\n",
]

MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["cut", "double", "put", "swap"]),
        st.integers(0, 10_000),
        st.integers(1, 300),
        st.one_of(
            st.binary(max_size=20),
            st.sampled_from(
                [b"\r\n", b"\n\n", b"=?utf-8?q?", b"--", b'"', b"<", b"\0", b"\xff\xfe", b"> ", b"\r"]
            ),
        ),
    ),
    max_size=6,
)


def mutated(content: bytes, mutations: list[tuple[str, int, int, bytes]]) -> bytes:
    """A mail after accidents."""
    for kind, place, length, octets in mutations:
        start = place % (len(content) + 1)
        end = start + length
        piece = content[start:end]
        middle = {"cut": b"", "double": piece * 2, "put": octets + piece, "swap": piece[::-1]}[kind]
        content = content[:start] + middle + content[end:]
    return content


def is_clean(text: str, *, lines: bool = False) -> bool:
    """Whether a text can be written to any database, and into a header if it is one line."""
    text.encode("utf-8")
    return not any(ord(letter) < 32 and letter not in ("\n\t" if lines else "") for letter in text)


def check(mail: Mail) -> None:
    """What is true of each mail, whatever it was read from."""
    assert all(map(is_clean, (mail.message_id, mail.references, mail.sender, mail.sender_name, mail.subject)))
    assert is_clean(mail.text, lines=True)
    assert is_clean(mail.automatic)
    assert len(mail.text) <= TEXT_CHARACTERS
    assert len(mail.subject) <= SUBJECT_CHARACTERS
    assert len(mail.references) <= REFERENCES_CHARACTERS
    assert len(mail.message_id) <= 500
    assert f"{mail.message_id}{mail.references}".isascii()
    assert len(mail.identity) == 64
    assert all("@" in address and is_clean(address) for address in mail.recipients)


@pytest.mark.parametrize("sample", PEOPLE, ids=lambda sample: sample.name)
def test_people_are_read_as_they_wrote(sample: Sample) -> None:
    """Of each program's mail there remains what the person wrote; nobody takes it for a machine's."""
    mail = read_mail(sample.content, None)
    assert (mail.text, mail.sender, mail.sender_name, mail.subject, mail.automatic) == (
        sample.text,
        sample.sender,
        sample.sender_name,
        sample.subject,
        "",
    )


@pytest.mark.parametrize("name", MACHINES)
def test_machines_are_known(name: str) -> None:
    """A machine's mail says by which of its fields it is known, in one line."""
    assert read_mail(MACHINES[name], "someone@reader.example" if "null" not in name else None).automatic


def test_the_null_path_is_known_from_the_envelope_and_else_from_the_message() -> None:
    """The envelope's path counts where it is known; Return-Path alone may be anybody's."""
    body = plain("hello\n")
    null = body.replace(b"Return-Path: <dana@reader.example>", b"Return-Path: <>")
    assert read_mail(body, "").automatic == "Return-Path: <>"
    assert read_mail(null, None).automatic == "Return-Path: <>"
    assert read_mail(null, "dana@reader.example").automatic == ""
    assert read_mail(body, "bounces+7@reader.example").automatic == "Return-Path: bounces+7@reader.example"


@pytest.mark.parametrize(
    "field",
    [
        "Auto-Submitted: no",
        "auto-submitted: NO (by hand)",
        "X-Auto-Response-Suppress: All",
        "Precedence: first-class",
        "X-Mailer: Autoreply",
        "Sender: Dana <dana@reader.example>",
    ],
)
def test_what_people_send_too_is_no_proof(field: str) -> None:
    """Fields that people's programs write as well leave a mail a person's."""
    assert read_mail(machine("hello\n", "Subject: Hello", field), None).automatic == ""


def test_recipients_are_those_of_delivery_first() -> None:
    """What the mail system noted is more trusted than what the sender wrote; each stands once."""
    content = (
        b'Cc: =?utf-8?q?=C3=84?= <cc@a.example>\nTo: "x, y" <to@a.example>, '
        b"Group: one@a.example, two@a.example;\n"
        b"Envelope-To: envelope@a.example\nDelivered-To: TO@a.example\n"
        b"X-Original-To: original+join.x@a.example\n\n"
    )
    assert read_mail(content, None).recipients == (
        "original+join.x@a.example",
        "TO@a.example",
        "envelope@a.example",
        "one@a.example",
        "two@a.example",
        "cc@a.example",
    )


def test_an_answer_refers_to_the_conversation() -> None:
    """References ends with the mail itself, keeps the first of a long conversation, and is bounded."""
    chain = " ".join(f"<{number}@a.example>" for number in range(200))
    mail = read_mail(f"Message-ID: <me@a.example>\nReferences: {chain}\n\n".encode(), None)
    assert mail.references.split()[0] == "<0@a.example>"
    assert mail.references.split()[-2:] == ["<199@a.example>", "<me@a.example>"]
    assert len(mail.references) <= REFERENCES_CHARACTERS
    alone = read_mail(b"Message-ID: <me@a.example>\nIn-Reply-To: <one@a.example>\n\n", None)
    assert alone.references == "<one@a.example> <me@a.example>"
    assert read_mail(b"Message-ID: broken\r X: y\nReferences: <a b> > <\n\n", None).references == ""


@given(st.binary(max_size=600), st.none() | st.text(max_size=20))
@example(b"", None)
@example(b"\n", "")
@example(b"Content-Type: multipart/mixed; boundary=b\n\n--b--", None)
@example(b"Content-Type: text/plain; charset=utf-7\n\n+2AA-", None)
@example(b"Content-Type: text/html\n\n&#" + b"9" * 5000, None)
@example(b"Content-Type: text/plain; charset=idna\n\n\xff", None)
@example(b"Content-Type: text/plain; a*" + b"9" * 50 + b"=b\n\n", None)
def test_any_octets_are_a_mail(content: bytes, return_path: str | None) -> None:
    """No octets raise; they are read alike each time, and what is read is clean."""
    mail = read_mail(content, return_path)
    check(mail)
    assert read_mail(content, return_path) == mail


@given(st.sampled_from(SAMPLES), MUTATIONS)
def test_damaged_mails_are_mails(content: bytes, mutations: list[tuple[str, int, int, bytes]]) -> None:
    """Mails that were cut, doubled or spoilt anywhere are read without an error, and cleanly."""
    check(read_mail(mutated(content, mutations), None))


@given(st.sampled_from(SAMPLES), st.lists(st.sampled_from(TRACES)), st.sampled_from([b"\r\n", b"\n", b"\r"]))
def test_the_same_mail_has_the_same_identity_by_any_way(
    content: bytes, traces: list[bytes], ending: bytes
) -> None:
    """What mail systems note on the way, and how lines end, does not make it another mail."""
    another = b"".join(traces) + content
    another = another.replace(b"\r\n", ending) + ending * len(traces)
    if ending == b"\n":
        another = b"From dana@reader.example Mon Jan  5 10:00:00 2026\n" + another
    assert read_mail(another, None).identity == read_mail(content, "").identity


@given(st.sampled_from(SAMPLES), st.integers(0), st.sampled_from([b"x", b"\n\n.", b"\xff"]))
def test_another_body_is_another_mail(content: bytes, place: int, octets: bytes) -> None:
    """Octets put anywhere into the body change the identity."""
    head, _, body = content.partition(b"\r\n\r\n")
    cut = place % len(body.rstrip())
    changed = head + b"\r\n\r\n" + body[:cut] + octets + body[cut:]
    assert read_mail(changed, None).identity != read_mail(content, None).identity


@pytest.mark.parametrize("name", ["From", "To", "Subject", "Date", "Message-ID"])
def test_another_author_subject_or_day_is_another_mail(name: str) -> None:
    """Each field that the sender wrote counts, and none can take another's place."""
    content = plain("hello\n")
    field = next(line for line in content.split(b"\r\n") if line.startswith(f"{name}:".encode()))
    identities = {
        read_mail(changed, None).identity
        for changed in (
            content,
            content.replace(field, field + b"x"),
            content.replace(field + b"\r\n", b""),
            content.replace(field, field + b"\r\n" + field),
        )
    }
    assert len(identities) == 4
    assert read_mail(content.replace(field, field.replace(b": ", b":\r\n\t")), None) == read_mail(
        content, None
    )


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["C", "Zs", "Zl", "Zp"]), min_size=1, max_size=80
    ),
    st.sampled_from(["utf-8", "utf-16", "iso-8859-1", "koi8-r", "gb18030", "iso-2022-jp"]),
)
@example("Â¡", "iso-8859-1")
def test_subjects_are_read_as_python_writes_them(text: str, charset: str) -> None:
    """A subject in encoded words of any charset, folded, comes out as it went in.

    But for Latin-1 that is UTF-8 as well: that is what it then is, as a rule, under a false name.
    """
    try:
        written = Header(text, charset, header_name="Subject").encode()
        octets = text.encode(charset)
    except (UnicodeError, LookupError):
        return
    if text.isascii():
        return
    if charset == "iso-8859-1":
        with suppress(UnicodeDecodeError):
            text = octets.decode("utf-8").replace("\ufeff", "")
    assert read_mail(f"Subject: {written}\n\n".encode("ascii"), None).subject == text


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=200),
    st.sampled_from(["base64", "quoted-printable", "8bit"]),
    st.booleans(),
)
def test_bodies_are_read_as_python_writes_them(word: str, encoding: str, is_html: bool) -> None:
    """A body in any transfer encoding, alone or beside its HTML, comes out as it went in."""
    message = EmailMessage()
    message["From"] = "dana@reader.example"
    message.set_content(f"Word {word}\n", cte=encoding)
    if is_html:
        message.add_alternative("<p>Another</p>", subtype="html")
    assert read_mail(message.as_bytes(), None).text == f"Word {word}"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("fifty megabytes", header("Content-Type: text/plain").encode() + b"word " * 10_000_000),
        ("a hundred thousand fields", b"X-A: b\n" * 100_000 + plain("hello\n")),
        (
            "ten thousand parts, each in the one before",
            b"".join(
                b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(10_000)
            ),
        ),
        (
            "ten thousand parts next to each other",
            b'Content-Type: multipart/mixed; boundary="b"\n\n'
            + b"--b\nContent-Type: text/plain\n\nx\n" * 10_000,
        ),
        ("messages in messages", b"Content-Type: message/rfc822\n\n" * 10_000),
        ("one field of ten megabytes", b"Subject: " + b"=?utf-8?q?a?= " * 700_000 + b"\n\nx"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bombs_are_read_in_no_time(name: str, content: bytes) -> None:
    """What is huge, deep or endless takes a few seconds of a slow machine at most, and is a mail."""
    began = time.process_time()
    check(read_mail(content, None))
    assert time.process_time() - began < 10, name


def test_parts_are_opened_to_a_depth_that_no_program_reaches() -> None:
    """What stands deeper is left unread, so that a long message is not gone through for each of its parts."""

    def nested(depth: int) -> bytes:
        heads = (b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(depth))
        return b"".join(heads) + b"\nunsubscribe\n"

    assert read_mail(nested(10), None).text == "unsubscribe"
    assert read_mail(nested(DEPTH + 1), None).text == ""


def test_text_is_found_behind_a_large_attachment() -> None:
    """An attachment does not hide what the person wrote below it."""
    attachment = b"Content-Type: image/png\n\n" + b"A" * 5_000_000 + b"\n"
    head = b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n'
    assert (
        read_mail(on_the_wire(head + attachment + b"--b\n\nunsubscribe\n--b--\n"), None).text == "unsubscribe"
    )
