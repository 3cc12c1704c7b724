"""The reports of a real Postfix about letters of ours: each is put to its letter, kind and class."""

from email import message_from_bytes
from smtplib import SMTP

import pytest

from newsletter.feedback.reports import ReportKind, read_report
from newsletter.states import BounceClass
from subscribers.tokens import Purpose, TokenSigner
from tests.postfix import running_postfix

pytestmark = pytest.mark.trial

SIGNER = TokenSigner(b"a key for the letters that come back")
TRANSPORTS = {
    "dead.test": "error:5.1.1 user unknown",
    "generic.test": "error:5.0.0 no such user here",
    "full.test": "error:5.2.2 mailbox full",
    "off.test": "error:5.2.1 mailbox disabled",
    "policy.test": "error:5.7.1 blocked using lists.test",
    "large.test": "error:5.3.4 message too big",
    "late.test": "retry:4.2.2 mailbox full",
    "closed.test": "smtp:[127.0.0.1]:1",
}
CLASSES = [
    BounceClass.DEAD,
    BounceClass.DEAD,
    BounceClass.FULL,
    BounceClass.DISABLED,
    BounceClass.POLICY,
    BounceClass.CONTENT,
    BounceClass.FULL,
    BounceClass.ROUTING,
]
MAIN = """\
maximal_queue_lifetime = 0
smtpd_reject_unlisted_recipient = no
transport_maps = inline:{{ {} }}
""".format(", ".join(f"{{ {domain} = {way} }}" for domain, way in TRANSPORTS.items()))


def letter(number: int, reader: str) -> bytes:
    lines = [
        "From: Advice <advice@example.net>",
        f"To: <{reader}>",
        "Subject: First steps",
        f"Message-ID: <{SIGNER.sign(Purpose.MESSAGE, number)}@example.net>",
        f"List-Unsubscribe: <https://example.net/u/{SIGNER.sign(Purpose.LEAVE, number)}>",
        "",
        "Dear reader",
    ]
    return "\r\n".join(lines).encode()


def test_each_report_names_its_letter_and_why() -> None:
    """Failures by each reason, what was given up for lack of time, and one that arrived."""
    readers = [f"ann@{domain}" for domain in TRANSPORTS] + ["bo@example.net"]
    with running_postfix(main=MAIN) as postfix, SMTP("127.0.0.1", postfix.port) as relay:
        for number, reader in enumerate(readers):
            path = f"letters+bounce.{SIGNER.sign(Purpose.BOUNCE, number)}@example.net"
            notify = ["NOTIFY=SUCCESS,FAILURE"]
            relay.sendmail(path, [reader], letter(number, reader), rcpt_options=notify)
        postfix.deliver()
        reports = [read_report(content, None) for content in postfix.mailbox]
        kept = [message_from_bytes(content)["subject"] for content in postfix.mailbox]
    found = {
        SIGNER.read(Purpose.BOUNCE, report.traces.bounce_tokens[0]): report
        for report in reports
        if report.kind is not ReportKind.OTHER
    }
    assert kept.count("First steps") == 1  # the one that arrived
    assert [(found[number].kind, found[number].bounce_class) for number in range(len(readers))] == [
        *((ReportKind.FAILED, bounce_class) for bounce_class in CLASSES),
        (ReportKind.DELIVERED, None),
    ]
    for number, reader in enumerate(readers):
        assert found[number].recipient == reader
        assert found[number].traces.message_ids == (f"{SIGNER.sign(Purpose.MESSAGE, number)}@example.net",)
