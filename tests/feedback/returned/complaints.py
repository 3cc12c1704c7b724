"""What providers send of readers who called a letter spam."""
# ruff: noqa: E501 - a line of a report is as long as its system made it

from tests.feedback.returned.letter import COMPLAINT, LETTER, OTHER, PATH, READER, sample


def arf(
    feedback_type: str,
    *,
    returned: str = "{letter}",
    fields: str = "",
    sender: str = "feedback@arf.provider.example",
) -> str:
    """A feedback report."""
    return f"""\
From: <{sender}>
To: fbl@news.example
Subject: FW: First steps
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="arf_1"

--arf_1
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report for an email message received from IP 192.0.2.20.

--arf_1
Content-Type: message/feedback-report

Feedback-Type: {feedback_type}
User-Agent: Provider-Feedback/1.0
Version: 1
{fields}Source-IP: 192.0.2.20

--arf_1
Content-Type: message/rfc822
Content-Disposition: inline

{returned}
--arf_1--
"""


sample("arf: abuse", arf("abuse", fields="Original-Rcpt-To: <{reader}>\n"), COMPLAINT, return_path="b@arf.provider.example", feedback_type="abuse")  # fmt: skip
sample(
    "arf: redacted",
    arf(
        "abuse",
        fields="Original-Mail-From: <letters+bounce.hidden@news.example>\nOriginal-Rcpt-To: <8f3a91c2@reader.example>\n",
        returned=LETTER.replace(READER, "8f3a91c2@reader.example").replace(PATH, "redacted@news.example"),
    ),
    COMPLAINT,
    tokens=False,
    recipient="8f3a91c2@reader.example",
    feedback_type="abuse",
)
sample("arf: opt-out", arf("opt-out"), COMPLAINT, feedback_type="opt-out")
sample("arf: not spam", arf("not-spam"), OTHER, feedback_type="not-spam")
sample("arf: authentication", arf("auth-failure"), OTHER, feedback_type="auth-failure")
sample(
    "jmrp: the message alone",
    """\
From: staff@hotmail.example
To: fbl@news.example
Subject: complaint about message from 192.0.2.20
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="jmrp"

--jmrp
Content-Type: message/rfc822

X-HmXmrOriginalRecipient: <{reader}>
{letter}
--jmrp--
""",
    COMPLAINT,
    return_path="staff@hotmail.example",
    feedback_type="abuse",
)
