"""The letter that comes back, and how reports about it are put together.

`{letter}` stands for it, whole, `{header}` for its header alone, `{path}` for the return path it went out with,
`{reader}` for whom it was for.
"""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from dataclasses import dataclass

from newsletter.feedback.reports import ReportKind
from newsletter.states import BounceClass
from subscribers.tokens import Purpose, TokenSigner

SIGNER = TokenSigner(b"a key for the letters that come back")
NUMBER = 4711
BOUNCE, MESSAGE, LEAVE = (
    SIGNER.sign(one, NUMBER) for one in (Purpose.BOUNCE, Purpose.MESSAGE, Purpose.LEAVE)
)
READER = "ann.lee@reader.example"
PATH = f"letters+bounce.{BOUNCE}@news.example"

HEADER = f"""\
Return-Path: <{PATH}>
Received: from relay.news.example (relay.news.example [192.0.2.20])
\tby mx.reader.example with ESMTPS id 4Q2wX1; Mon,  5 Jan 2026 09:00:03 +0000
From: Advice <advice@news.example>
To: Ann Lee <{READER}>
Subject: First steps, and why a plan may be delayed while you are out of office
Date: Mon, 05 Jan 2026 09:00:00 +0000
Message-ID: <{MESSAGE}@news.example>
List-Id: Advice <advice.news.example>
List-Unsubscribe: <https://news.example/u/{LEAVE}>,
 <mailto:advice+leave.{LEAVE}@news.example>
List-Unsubscribe-Post: List-Unsubscribe=One-Click
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
"""
LETTER = f"""\
{HEADER}
Dear Ann,

when your mailbox is full and the user unknown, this letter is spam. It says so for a reason:
what stands in a letter is no word about what became of it.

Leave: https://news.example/u/{LEAVE}
"""


@dataclass(frozen=True)
class Sample:
    """A report, and what is to be read in it."""

    content: bytes
    kind: ReportKind
    bounce_class: BounceClass | None = None
    return_path: str | None = ""
    tokens: bool = True
    """Whether it says which letter it is about."""
    recipient: str = READER
    feedback_type: str = ""


SAMPLES: dict[str, Sample] = {}
FAILED, DELAYED, DELIVERED, COMPLAINT, OTHER = ReportKind
DEAD, DISABLED, FULL, ROUTING, UNCLEAR, POLICY, CONTENT = BounceClass


def filled(text: str) -> str:
    for name, value in {"letter": LETTER, "header": HEADER, "path": PATH, "reader": READER}.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def sample(
    name: str,
    text: str,
    kind: ReportKind,
    bounce_class: BounceClass | None = None,
    *,
    return_path: str | None = "",
    tokens: bool = True,
    recipient: str = READER,
    feedback_type: str = "",
    charset: str = "utf-8",
) -> None:
    """Adds one, with the line ends of SMTP."""
    content = filled(text.lstrip("\n")).encode(charset).replace(b"\n", b"\r\n")
    assert name not in SAMPLES
    SAMPLES[name] = Sample(content, kind, bounce_class, return_path, tokens, recipient, feedback_type)


def dsn(
    fields: str,
    words: str = "Your message could not be delivered.",
    *,
    sender: str = "Mail Delivery System <MAILER-DAEMON@mx.reader.example>",
    subject: str = "Undelivered Mail Returned to Sender",
    reporting: str = "Reporting-MTA: dns; mx.reader.example",
    returned: str = "message/rfc822",
    status_type: str = "message/delivery-status",
    boundary: str = "4Q2wX1.1767603603/mx.reader.example",
) -> str:
    """A delivery status notification in three parts."""
    back = "{header}" if "headers" in returned else "{letter}"
    return f"""\
From: {sender}
To: {{path}}
Subject: {subject}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="{boundary}"

This is a MIME-encapsulated message.

--{boundary}
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

{words}

--{boundary}
Content-Description: Delivery report
Content-Type: {status_type}

{reporting}
Arrival-Date: Mon,  5 Jan 2026 09:00:03 +0000 (UTC)

{fields}

--{boundary}
Content-Description: Undelivered Message
Content-Type: {returned}

{back}
--{boundary}--
"""


def plain(words: str, *, sender: str, subject: str, fields: str = "") -> str:
    """A mail of one part."""
    return f"""\
From: {sender}
To: <{{path}}>
Subject: {subject}
Date: Mon, 05 Jan 2026 09:01:00 +0000
{fields}MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

{words}
"""


def final(
    status: str, diagnostic: str = "", action: str = "failed", recipient: str = "rfc822; {reader}"
) -> str:
    lines = [f"Final-Recipient: {recipient}", f"Action: {action}", f"Status: {status}"]
    return "\n".join(lines + ([f"Diagnostic-Code: {diagnostic}"] if diagnostic else []))
