"""What comes back about letters: put to the right kind, class and letter."""

import base64
import quopri
from collections.abc import Callable

import flufl.bounce
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.feedback.reports import ReportKind, Traces, read_report
from newsletter.states import BounceClass
from subscribers.tokens import Purpose
from tests.feedback.returned import (
    BOUNCE,
    HEADER,
    LEAVE,
    LETTER,
    MESSAGE,
    NUMBER,
    PATH,
    READER,
    SAMPLES,
    SIGNER,
    Sample,
    arf,
    dsn,
    filled,
    final,
    plain,
)

NAMES = sorted(SAMPLES)


@pytest.mark.parametrize("name", NAMES)
def test_each_system_is_understood(name: str) -> None:
    """Kind, class, recipient and letter of a report as each system writes it."""
    sample = SAMPLES[name]
    report = read_report(sample.content, sample.return_path)
    found = Sample(
        sample.content,
        report.kind,
        report.bounce_class,
        sample.return_path,
        sample.tokens,
        report.recipient,
        report.feedback_type,
    )
    assert found == sample
    if sample.tokens:
        assert [SIGNER.read(Purpose.BOUNCE, token) for token in report.traces.bounce_tokens] == [NUMBER]


@pytest.mark.parametrize("name", [name for name in NAMES if SAMPLES[name].kind is not ReportKind.OTHER])
def test_a_report_is_one_also_where_its_envelope_is_lost(name: str) -> None:
    """A mailbox read by IMAP may not tell the return path."""
    sample = SAMPLES[name]
    report = read_report(sample.content, None)
    assert (report.kind, report.bounce_class) == (sample.kind, sample.bounce_class)


def test_all_that_is_ours_is_found() -> None:
    """The tokens of return path, Message-ID and ways to leave, each once, and each verifiable."""
    report = read_report(SAMPLES["postfix: unknown"].content, "")
    assert report.traces.bounce_tokens == (BOUNCE,)
    assert report.traces.message_ids == (f"{MESSAGE}@news.example",)
    assert report.traces.leave_tokens == (LEAVE,)


def test_a_report_says_what_it_knows() -> None:
    """Status, diagnostic in one line, and who refused the letter."""
    report = read_report(SAMPLES["gmail: unknown, in two versions"].content, "")
    assert report.status == "5.1.1"
    assert report.diagnostic.startswith("550-5.1.1 The email account that you tried to reach does not exist.")
    assert "\n" not in report.diagnostic
    assert report.remote.startswith("mx.reader.example.")


HANDED_ON: dict[str, Callable[[str], str]] = {
    "shouted": str.upper,
    "quoted-printable": lambda text: (
        "Content-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(text.encode()).decode()
    ),
    "base64": lambda text: (
        "Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(text.encode()).decode()
    ),
    "folded": lambda text: text.replace("<", "\n\t<"),
    "quoted": lambda text: "".join(f"> {line}\n" for line in text.splitlines()),
    "broken into short lines": lambda text: "\n".join(text[n : n + 30] for n in range(0, len(text), 30)),
    "quoted-printable without saying so": lambda text: quopri.encodestring(text.encode()).decode(),
    "percent-encoded": lambda text: text.replace("+", "%2B").replace("/u/", "%2Fu%2F"),
}
"""What mail systems make of a letter they return."""


@pytest.mark.parametrize("way", HANDED_ON)
@pytest.mark.parametrize("kind", ["message/rfc822", "text/plain"])
def test_traces_survive_what_systems_do_to_letters(way: str, kind: str) -> None:
    """However a letter comes back, it can be told which it was."""
    returned = HANDED_ON[way](HEADER)
    # What is encoded brings the field that says so, and what is not an empty line of its own.
    back = returned if returned.startswith("Content-Transfer-Encoding") else f"\n{returned}"
    content = f"""\
From: MAILER-DAEMON@mx.reader.example
Subject: failure
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

It could not be delivered: user unknown

--b
Content-Type: {kind}
{back}
--b--
"""
    traces = read_report(content.encode(), "").traces
    assert [SIGNER.read(Purpose.BOUNCE, one) for one in traces.bounce_tokens] == [NUMBER]
    assert SIGNER.read(Purpose.MESSAGE, traces.message_ids[0].partition("@")[0]) == NUMBER
    assert [SIGNER.read(Purpose.LEAVE, one) for one in traces.leave_tokens] == [NUMBER]


@pytest.mark.parametrize(
    "address",
    [
        PATH,
        PATH.upper(),
        f'"letters+bounce.{BOUNCE}"@news.example',
        f"SRS0=x7Qz=AB=news.example=letters+bounce.{BOUNCE}@forwarder.example",
        f"prvs=123456789a=letters+bounce.{BOUNCE}@news.example",
        f"letters%2Bbounce.{BOUNCE}@news.example",
    ],
)
@pytest.mark.parametrize("field", ["To", "Delivered-To", "X-Original-To", "Original-Recipient"])
def test_the_return_path_tells_the_letter_also_where_it_was_rewritten(address: str, field: str) -> None:
    """A report that returns nothing is known by whom it came to (check 36)."""
    content = f"From: <>\n{field}: {address}\nSubject: failure notice\n\nnot delivered: user unknown\n"
    report = read_report(content.encode(), "")
    assert report.traces.bounce_tokens == (BOUNCE,)
    assert report.kind is ReportKind.FAILED


def test_an_envelope_id_tells_the_letter() -> None:
    """RFC 3461 §4.4: an envelope's name comes back as xtext."""
    reporting = f"Reporting-MTA: dns; mx\nOriginal-Envelope-Id: letters+2Bbounce.{BOUNCE}+40news.example"
    content = (
        dsn(final("5.1.1"), reporting=reporting).replace("{letter}", "").replace("{path}", "x@news.example")
    )
    assert read_report(filled(content).encode(), "").traces.bounce_tokens == (BOUNCE,)


@pytest.mark.parametrize("field", ["In-Reply-To: ", "references:\n  <other@reader.example>\n\t"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_what_a_message_answers_is_no_trace(field: str, is_wrapped: bool) -> None:
    """Any answer names the letter that it answers: that shows nothing of what became of the letter."""
    answering = f"{field}<{MESSAGE}@news.example>\nAuto-Submitted"
    content = dsn(final("5.1.1")).replace("{letter}", "").replace("{path}", "x@news.example")
    answer = filled(content.replace("Auto-Submitted", answering))
    if is_wrapped:
        answer = f"""\
From: MAILER-DAEMON@filter.reader.example
{answering}: auto-generated
Subject: found suspicious
Content-Type: multipart/mixed; boundary="wrapped"

--wrapped
Content-Type: message/rfc822

{answer}
--wrapped--
"""
    report = read_report(answer.encode(), "")
    assert (report.kind, report.traces.message_ids) == (ReportKind.FAILED, ())


@given(st.sampled_from(["4.4.7", "5.1.1", "5.2.2", "4.0.0", ""]), st.sampled_from(NAMES))
def test_a_delay_is_no_failure(status: str, name: str) -> None:
    """Action: delayed counts for nothing, whatever status and words stand beside it (check 36)."""
    words = SAMPLES[name].content.decode("utf-8", "replace").replace("\n--", "\n- -")
    fields = final(status, "smtp; 550 5.1.1 User unknown", "delayed")
    content = filled(dsn(fields, f"permanent failure\n{words}"))
    report = read_report(content.encode(), "")
    assert (report.kind, report.bounce_class) == (ReportKind.DELAYED, None)


@pytest.mark.parametrize("action", ["Failed", "failed (bad address)", "failure", "error", ""])
def test_a_failure_is_one_however_it_is_spelt(action: str) -> None:
    """Systems write the action in ways of their own, or leave it out."""
    content = filled(dsn(final("5.1.1", "smtp; 550 5.1.1 unknown", action)))
    assert read_report(content.encode(), "").kind is ReportKind.FAILED


def test_the_more_specific_code_counts() -> None:
    """The status and the code within the diagnostic may differ: the one that says why is taken."""
    for status, diagnostic, expected in [
        ("5.0.0", "smtp; 550 5.1.1 no", ("5.1.1", BounceClass.DEAD)),
        ("5.1.1", "smtp; 550 5.7.1 no", ("5.7.1", BounceClass.POLICY)),
        ("5.1.1", "smtp; 550 5.0.0 no", ("5.1.1", BounceClass.DEAD)),
        ("5.4.7", "smtp; 452 4.2.2 no", ("4.2.2", BounceClass.FULL)),
        ("4.4.7", "smtp; 450 4.3.0 no", ("4.4.7", BounceClass.ROUTING)),
        ("5.1.0", "smtp; 5.1.0 - Unknown address error 550-'5.2.1 off'", ("5.2.1", BounceClass.DISABLED)),
    ]:
        report = read_report(filled(dsn(final(status, diagnostic))).encode(), "")
        assert (report.status, report.bounce_class) == expected


def test_a_letters_own_words_decide_nothing() -> None:
    """A letter about full mailboxes and spam fails for what its report says."""
    assert "mailbox is full" in LETTER
    for name in ("qmail: no mailbox", "exim: unknown", "sendmail: of old, one part"):
        assert read_report(SAMPLES[name].content, "").bounce_class is BounceClass.DEAD


@pytest.mark.parametrize(
    "feedback_type", ["abuse", "fraud", "virus", "other", "opt-out", "unsubscribe", "new"]
)
def test_a_complaint_is_one_with_redacted_addresses(feedback_type: str) -> None:
    """Who it is, the letter's own tokens say (check 38, RFC 6590); any type we do not know is one."""
    returned = LETTER.replace(READER, "redacted@reader.example").replace(PATH, "redacted@news.example")
    content = filled(arf(feedback_type, returned=returned)).encode()
    report = read_report(content, "feedback@provider.example")
    assert (report.kind, report.feedback_type) == (ReportKind.COMPLAINT, feedback_type)
    assert report.traces.message_ids == (f"{MESSAGE}@news.example",)
    assert report.traces.leave_tokens == (LEAVE,)


def alone(sender: str, subject: str, text: str = "", fields: str = "") -> bytes:
    """A mail with our letter, and nothing else but these words."""
    written = f"--b\nContent-Type: text/plain\n\n{text}\n" if text else ""
    return filled(f"""\
From: {sender}
To: fbl@news.example
Subject: {subject}
{fields}Content-Type: multipart/mixed; boundary="b"

{written}--b
Content-Type: message/rfc822

{LETTER}
--b--
""").encode()


@pytest.mark.parametrize("name", ["staff", "postmaster", "info", "abuse", "spam"])
@pytest.mark.parametrize(
    ("subject", "text", "fields"),
    [
        ("Fwd: complaint about message from 192.0.2.20", "", ""),
        ("AW: First steps", "Our filter marked this as spam, what is it?", ""),
        ("spam report", "", f"In-Reply-To: <{MESSAGE}@news.example>\n"),
        ("Is this yours?", "It was reported as spam by a colleague.", ""),
    ],
)
def test_a_person_who_hands_our_letter_on_does_not_complain(
    name: str, subject: str, text: str, fields: str
) -> None:
    """Providers send complaints by names that people have, too: who answers, or writes, is a person."""
    content = alone(f"{name}@reader.example", subject, text, fields)
    assert read_report(content, f"{name}@reader.example").kind is ReportKind.OTHER
    assert read_report(alone("staff@hotmail.example", "spam report"), "x@y.example").kind is (
        ReportKind.COMPLAINT
    )


def test_a_feedback_report_that_a_person_sends_on_is_none() -> None:
    """Only a report by itself is one: what somebody attached or forwarded was about anybody's letter."""
    report = filled(arf("abuse"))
    inner = report[report.index("Content-Type: multipart/report") :]
    person = (
        'From: Kim <kim@reader.example>\nSubject: Fwd: abuse\nContent-Type: multipart/mixed; boundary="p"\n'
    )
    forwarded = f"{person}\n--p\nContent-Type: text/plain\n\nlook\n--p\n{inner}\n--p--\n"
    part = report.split("--arf_1\n")[2]
    attached = f"{person}\n--p\nContent-Type: text/plain\n\nlook\n--p\n{part}\n--p--\n"
    for content in (forwarded, attached):
        assert read_report(content.encode(), "kim@reader.example").kind is ReportKind.OTHER
    by_machine = attached.replace("Subject: Fwd: ", "Auto-Submitted: auto-generated\nSubject: ")
    assert read_report(by_machine.encode(), "kim@reader.example").kind is ReportKind.COMPLAINT


WRITTEN = [
    ("Nedoručitelná zpráva", "Zprávu nebylo možné doručit. {reader}: uživatel neexistuje", BounceClass.DEAD),
    ("Kézbesíthetetlen levél", "{reader}: a címzett postafiókja megtelt", BounceClass.FULL),
    ("İleti teslim edilemedi", "{reader}: kullanıcı bulunamadı", BounceClass.DEAD),
    ("Leveransfel", "{reader}: brevlådan är full", BounceClass.FULL),
    ("郵件無法傳遞", "{reader} 帳號不存在", BounceClass.DEAD),
    ("Mesaj nelivrat", "{reader}: utilizator necunoscut", BounceClass.DEAD),
    ("Αποτυχία παράδοσης", "{reader}: άγνωστος χρήστης", BounceClass.DEAD),
    ("Echec de la remise", "{reader}: utilisateur inconnu", BounceClass.DEAD),
    (
        "Mail failed",
        "{reader}: 550 no one here\nNo further delivery attempts will be made.",
        BounceClass.DEAD,
    ),
    ("配信不能", "アドレスが見つからないため{reader}に配信できませんでした。", BounceClass.DEAD),
    ("Non recapitabile", "{reader}: l'indirizzo non è stato trovato", BounceClass.DEAD),
    ("Kan inte levereras", "{reader}: e-postadressen hittades inte", BounceClass.DEAD),
    ("未传递", "{reader} 找不到您输入的电子邮件地址", BounceClass.DEAD),
    ("Doručení bylo zpožděno", "Zpráva pro {reader} zatím nebyla doručena.", None),
    ("A kézbesítés késik", "{reader}: a kiszolgáló tovább próbálkozik", None),
    ("Teslimat gecikti", "{reader} adresine iletiniz henüz teslim edilemedi.", None),
    ("投递延迟通知", "您发给 {reader} 的邮件尚未送达，系统将继续尝试投递。", None),
    ("메일 전송 지연", "{reader}: 아직 전달되지 않았습니다. 계속 재시도합니다.", None),
    ("Warning", "The mail to {reader} waits in the queue. We'll keep trying for 5 days.", None),
]
"""Subjects and words of reports, and the class of those that tell of a failure."""


@pytest.mark.parametrize(("subject", "words", "bounce_class"), WRITTEN)
def test_reports_are_understood_in_many_languages(
    subject: str, words: str, bounce_class: BounceClass | None
) -> None:
    """Systems tell failures and delays in the language of their people."""
    content = filled(plain(words, sender="MAILER-DAEMON@mx.reader.example", subject=subject))
    report = read_report(content.encode(), "")
    kind = ReportKind.FAILED if bounce_class else ReportKind.DELAYED
    assert (report.kind, report.bounce_class) == (kind, bounce_class)


def test_codes_tell_a_failure_in_a_language_that_we_do_not_know() -> None:
    """A system that returns the letter with a code for good says enough."""
    words = "Ujumbe wako kwa {reader} umerudi: 550 5.1.1 hayupo\n\n--- original message ---\n{letter}"
    content = filled(plain(words, sender="MAILER-DAEMON@mx.reader.example", subject="Ujumbe"))
    report = read_report(content.encode(), "")
    assert (report.kind, report.bounce_class) == (ReportKind.FAILED, BounceClass.DEAD)


DAMAGED = {
    "another boundary": ('; boundary="a"', "Content-Type: message/rfc822\n\n{letter}"),
    "no boundary": ("", "Content-Type: message/rfc822\n\n{letter}"),
    "a semicolon forgotten": (' boundary="b"', "Content-Type: message/rfc822\n\n{letter}"),
    "no header of a part": ('; boundary="b"', "{letter}"),
    "no line between the headers": ('; boundary="b"', "Content-Type: message/rfc822\n{letter}"),
    "a letter as a file": (
        '; boundary="b"',
        "Content-Type: application/octet-stream; name=letter.eml\n\n{letter}",
    ),
}
"""What systems get wrong about parts: the parameters of the multipart, and the part that is the letter."""


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_parts_are_found(damage: str) -> None:
    """A multipart is read by what divides it, and the letter is known by its header."""
    parameters, returned = DAMAGED[damage]
    content = f"""\
From: MAILER-DAEMON@mx.reader.example
To: letters@news.example
Subject: Returned mail
Content-Type: multipart/mixed{parameters}

--b
Content-Type: text/plain

{{reader}}: user unknown

--b
{returned}
--b--
"""
    report = read_report(filled(content).encode(), "")
    assert (report.kind, report.bounce_class) == (ReportKind.FAILED, BounceClass.DEAD)
    assert [SIGNER.read(Purpose.BOUNCE, one) for one in report.traces.bounce_tokens] == [NUMBER]
    assert SIGNER.read(Purpose.MESSAGE, report.traces.message_ids[0].partition("@")[0]) == NUMBER


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("Mail could not be delivered", ReportKind.FAILED),
        ("Fwd: Mail could not be delivered", ReportKind.OTHER),
        ("What is this?", ReportKind.OTHER),
    ],
)
def test_a_filter_of_any_name_is_known_by_what_it_returns(subject: str, kind: ReportKind) -> None:
    """It says so in the subject, quotes the refusal and returns the letter; a person hands on or asks."""
    content = f"""\
From: "InterScan" <imss@reader.example>
To: letters@news.example
Subject: {subject}
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

RCPT TO:<{READER}>
550 5.1.1 <{READER}>... user unknown

--b
Content-Type: message/rfc822

{LETTER}
--b--
"""
    report = read_report(filled(content).encode(), "imss@reader.example")
    assert (report.kind, report.bounce_class) == (kind, BounceClass.DEAD if kind == "failed" else None)


AWAY = st.sampled_from(
    [
        ("Automatic reply: First steps", ""),
        ("Out of Office", "I will be back on Monday."),
        ("Re: First steps", "I am out of the office."),
        ("Auto: First steps", "Thank you for your message, which we have received."),
        ("Abwesend", "Ich bin nicht im Büro."),
        ("Absence", "Je suis absente jusqu'à lundi."),
        ("New address", "I have changed my address, mail to the old one is not delivered."),
    ]
)


@given(
    AWAY,
    st.sampled_from(NAMES),
    st.sampled_from(["", None, READER]),
    st.sampled_from(["", "Auto-Submitted: auto-replied\n", "Precedence: junk\n", "X-Autoreply: yes\n"]),
)
def test_what_answers_by_itself_is_never_a_failure(
    away: tuple[str, str], name: str, return_path: str | None, fields: str
) -> None:
    """With or without a return path and marks, and whatever it quotes."""
    quoted = SAMPLES[name].content.decode("utf-8", "replace").replace("\r\n", "\n> ")
    content = filled(
        plain(f"{away[1]}\n\n> {quoted}", sender=f"Ann <{READER}>", subject=away[0], fields=fields)
    )
    assert read_report(content.encode(), return_path).kind is ReportKind.OTHER


@given(st.binary(max_size=2000), st.sampled_from([None, "", READER]))
@example(
    b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n--b--", ""
)
@example(b"Content-Type: message/rfc822\n\n" * 50, "")
@example(b"From: <>\nFeedback-Type", "")
def test_no_octets_raise(content: bytes, return_path: str | None) -> None:
    """Anything at all is read as something."""
    report = read_report(content, return_path)
    assert (report.bounce_class is not None) == (report.kind is ReportKind.FAILED)


@given(
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 300), st.binary(max_size=30)), max_size=6),
)
def test_damaged_reports_do_not_raise(name: str, damages: list[tuple[int, int, bytes]]) -> None:
    """Pieces lost, repeated and overwritten: what is read is in one line, short, and fit to be kept."""
    content = SAMPLES[name].content
    for place, length, octets in damages:
        content = content[:place] + octets + content[place + length :]
    report = read_report(content, "")
    for text in (report.status, report.diagnostic, report.recipient, report.remote, report.feedback_type):
        assert "\n" not in text
        assert len(text) <= 2000
        text.encode()


def test_a_detector_that_breaks_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """flufl.bounce raises what its detectors raise; our words decide then."""

    def broken(message: object) -> None:
        raise TypeError(message)

    monkeypatch.setattr(flufl.bounce, "all_failures", broken)
    report = read_report(SAMPLES["qmail: no mailbox"].content, "")
    assert (report.kind, report.bounce_class) == (ReportKind.FAILED, BounceClass.DEAD)


def test_the_detectors_find_what_our_words_do_not() -> None:
    """A system that names the address in a form of its own, and says nothing else."""
    content = filled(
        plain(
            "This is the deliver program at mx.reader.example.\n\n{reader}\n\n- a copy",
            sender="MAILER-DAEMON@mx.reader.example",
            subject="Note",
        )
    )
    report = read_report(content.encode(), "")
    assert (report.kind, report.recipient) == (ReportKind.FAILED, READER)


_ANSWER = """\
From: Fay Editor <fay@advice.example>
To: ann@advice.example
Cc: carl@elsewhere.example
Subject: Re: Your letter
Message-ID: <1234@client.example>
In-Reply-To: {ours}
References: {ours}

As you wrote: https://advice.example/u/{leave}
"""


@pytest.mark.parametrize("returned", ["message/rfc822", "text/plain"])
def test_what_comes_back_of_an_answer_is_not_about_the_letter_that_it_answers(returned: str) -> None:
    """An editor's mail to somebody did not arrive: it names our letter, and quotes it, and is none."""
    ours = f"<{SIGNER.sign(Purpose.MESSAGE, 7)}@advice.example>"
    answer = _ANSWER.format(ours=ours, leave=SIGNER.sign(Purpose.LEAVE, 7) if "rfc822" in returned else "x")
    report = f"""\
From: MAILER-DAEMON@mx.example
To: ann@advice.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; carl@elsewhere.example
Action: failed
Status: 5.1.1

--b
Content-Type: {returned}

{answer}
--b--
"""
    found = read_report(report.replace("\n", "\r\n").encode(), "")
    assert found.kind is ReportKind.FAILED
    assert found.traces == Traces()


def test_a_reader_whose_program_answers_with_the_letter_is_no_mail_system() -> None:
    """Whatever they have it say."""
    answer = """\
From: Ann <ann@reader.example>
To: advice@advice.example
Subject: Your mail
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

User unknown here since I left. Delivery failed: 550 5.1.1

--b
Content-Type: message/rfc822

From: Letters <advice@advice.example>
To: ann@reader.example
Subject: A letter

Words.
--b--
"""
    assert read_report(answer.replace("\n", "\r\n").encode(), "").kind is ReportKind.OTHER
