"""Complaints: feedback reports (RFC 5965), and the forms that some providers send instead.

A reader's provider says that they took a letter for spam, or asked to have no more. Addresses may be redacted
(RFC 6590): who it is, the letter's own tokens say. Reports on authentication (RFC 6591), and that a reader
took a letter out of the spam folder, are no complaints. Nor is what a person has attached or handed on: it
says that somebody complained, and not of whom.
"""

import re

from newsletter.content.html import words
from newsletter.feedback.machines import Sender
from newsletter.feedback.mailboxes import read_mailboxes
from newsletter.feedback.mime import Part, body_octets, one_line, read_part, with_newlines

REPORT_TYPE = "message/feedback-report"
_REPORT = "feedback-report"
_ANSWERS = ("in-reply-to", "references")
_NO_COMPLAINTS = words("not-spam not_spam auth-failure dmarc dkim")
_FIELDS = words("feedback-type original-rcpt-to removal-recipient reporting-mta")
_OF_A_PROVIDER = re.compile(
    r"""(?: scomp | jmrp | fbl | arf | feedback | complaints? | (?:do-?)?no-?reply )\b
      | [^@]*@(?:abuse|arf|fbl|feedback|reports?)\.""",
    re.IGNORECASE | re.VERBOSE,
)
_OF_PEOPLE_TOO = re.compile(r"(?:staff|abuse|spam|junk|reports?|postmaster)\b", re.IGNORECASE)
_SAYS_COMPLAINT = re.compile(
    r"""complaint\ about\ message | feedback\ loop | email\ feedback | spam\ complaint | spamcop
      | (?:abuse|spam|junk|feedback|complaint)\ (?:e?-?mail\ )?(?:report|notif|feedback)
      | (?:reported|marked|flagged)\ (?:\w+\ ){0,2}(?:as\ )?(?:spam|junk)""",
    re.IGNORECASE | re.VERBOSE,
)


_TYPE_LINE = re.compile(r"^Feedback-Type:[ \t]*([\w-]{1,100})", re.IGNORECASE | re.MULTILINE)


def is_feedback_report(message: Part) -> bool:
    """Whether a message says of itself that it is a feedback report."""
    return message.content_type.parameters.get("report-type", "").lower() == _REPORT


def read_feedback(part: Part) -> tuple[str, str, str]:
    """Of a part of REPORT_TYPE: the type of feedback, and the recipient and reporting system, or ""."""
    content = with_newlines(body_octets(part)).lstrip(b"\n")
    fields = read_part(content, kept=_FIELDS)
    recipients = (fields.text_of(name) for name in ("original-rcpt-to", "removal-recipient"))
    recipient = next((one for one in map(_address, recipients) if one), "")
    remote = one_line(fields.text_of("reporting-mta")).rpartition(";")[2].strip()
    return one_line(fields.text_of("feedback-type")).lower()[:100] or "abuse", recipient, remote


def told_in_text(text: str) -> str:
    """The type of feedback in a report whose fields stand in a part of another type; "" if there is none."""
    found = _TYPE_LINE.search(text)
    return found[1].lower() if found else ""


def is_complaint(feedback_type: str) -> bool:
    """Whether feedback of a type says that a reader wants no more; what is unknown to us does."""
    return feedback_type not in _NO_COMPLAINTS


def is_sent_as_one(message: Part, sender: Sender, subject: str, text: str) -> bool:
    """Whether a mail that returns a letter is a complaint by its words alone, sent by a provider.

    Providers write by names that people have as well. People write something, or answer, or hand on.
    """
    if sender.is_answer or any(name in message.fields for name in _ANSWERS):
        return False
    addresses = [box.address for box in read_mailboxes(message.text_of("from")) if box]
    is_by_nobody = sender.is_machine or not text.strip()
    if not (
        any(map(_OF_A_PROVIDER.match, addresses))
        or (is_by_nobody and any(map(_OF_PEOPLE_TOO.match, addresses)))
    ):
        return False
    return any(map(_SAYS_COMPLAINT.search, (subject, text[:1000])))


def _address(value: str) -> str:
    boxes = read_mailboxes(value.rpartition(";")[2])
    return boxes[0].address if boxes and boxes[0] else ""
