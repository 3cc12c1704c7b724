"""A mail that came in about a letter of ours: what it says became of it, why, and which letter it means.

Promises: `read_report` is pure and never raises, whatever octets it is given, and takes time in proportion to
them. What answers by itself is no report, also where it comes without a return path or quotes one; nor is
what a person writes about failures.

Evidence counts in this order: the fields of a delivery status (RFC 3464) or a feedback report (RFC 5965),
what the detectors of flufl.bounce find, and the words of the report.

May surprise: nothing here is verified. A report may be forged, and says for which letter it is only by tokens
that `subscribers.tokens` must read. Of several recipients the one the letter names counts; else one that
failed before one that is waited for, and that before one that was reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from newsletter.delivery.bounces import class_of
from newsletter.feedback.anatomy import Anatomy, read_anatomy, traces_in
from newsletter.feedback.autoreplies import AUTOREPLY_FIELDS, AWAY, is_challenge, is_reply
from newsletter.feedback.complaints import (
    is_complaint,
    is_feedback_report,
    is_sent_as_one,
    read_feedback,
    told_in_text,
)
from newsletter.feedback.detectors import detect
from newsletter.feedback.dsn import (
    DIAGNOSTIC_CHARACTERS,
    Status,
    codes_in,
    read_status_lines,
    read_statuses,
)
from newsletter.feedback.machines import Sender, read_sender
from newsletter.feedback.mailboxes import read_mailboxes
from newsletter.feedback.mime import Part, one_line, raw_text, with_newlines
from newsletter.feedback.oldbounces import Words, addresses_in, own_words, said_about
from newsletter.feedback.traces import Traces
from newsletter.states import BounceClass

__all__ = ["Report", "ReportKind", "Traces", "read_report"]

_OWN_FIELDS = ("to", "delivered-to", "x-original-to", "envelope-to")


class ReportKind(StrEnum):
    """What a report says became of a letter."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"  # or handed on to a system that gives no reports
    COMPLAINT = "complaint"
    OTHER = "other"  # an automatic reply, or no report at all


_KINDS = (
    ("fail", ReportKind.FAILED),
    ("error", ReportKind.FAILED),  # so says OpenSMTPD
    ("delay", ReportKind.DELAYED),
    ("deliver", ReportKind.DELIVERED),
    ("relay", ReportKind.DELIVERED),
    ("expand", ReportKind.DELIVERED),
)
"""By what the action of a delivery status begins with."""
_CLASS_KINDS = {"5": ReportKind.FAILED, "4": ReportKind.DELAYED, "2": ReportKind.DELIVERED}
"""By the class of its status, where no action is told."""
_IMPORTANCE = (ReportKind.FAILED, ReportKind.DELAYED, ReportKind.DELIVERED)


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, in texts of one line."""

    kind: ReportKind
    bounce_class: BounceClass | None = None
    """Why the letter failed; None if it did not."""
    status: str = ""
    """The enhanced status code that decided; "" if there is none."""
    diagnostic: str = ""
    """What the other side said; at most 2000 characters."""
    recipient: str = ""
    """Whom the letter was for, as the report writes it; "" if it does not."""
    remote: str = ""
    """The system that refused it, or else the one that reports; "" if neither is named."""
    feedback_type: str = ""
    """Of a complaint, in lower case: `abuse`."""
    traces: Traces = field(default_factory=Traces)


def read_report(content: bytes, return_path: str | None) -> Report:
    """Read a message. `return_path` is its envelope's sender: "" the null path, None if it is not known."""
    anatomy = read_anatomy(with_newlines(content))
    sender = read_sender(anatomy.message, return_path)
    if sender.is_system and _wraps_a_report(anatomy):
        within = read_anatomy(anatomy.returned[0].content)
        anatomy = replace(within, header=f"{anatomy.header}\n{within.header}")
        sender = read_sender(anatomy.message, return_path)
    found = _complaint(anatomy, sender) or _status_report(anatomy, sender) or _words_report(anatomy, sender)
    return replace(found, traces=traces_in(anatomy))


def _wraps_a_report(anatomy: Anatomy) -> bool:
    """Whether all there is stands in a message within: so some filters pass on what they find suspicious."""
    if anatomy.statuses or anatomy.feedback or not anatomy.returned:
        return False
    return anatomy.returned[0].content_type.name == "multipart/report"


def _complaint(anatomy: Anatomy, sender: Sender) -> Report | None:
    """The report of a reader's provider; None if it is none."""
    recipient = remote = ""
    is_report = is_feedback_report(anatomy.message)
    if anatomy.feedback and (is_report or sender.is_machine):
        feedback_type, recipient, remote = read_feedback(anatomy.feedback[0])
    elif is_report:
        feedback_type = told_in_text(anatomy.text) or "abuse"
    elif anatomy.returns_a_letter and is_sent_as_one(anatomy.message, sender, anatomy.subject, anatomy.text):
        feedback_type = "abuse"
    else:
        return None
    kind = ReportKind.COMPLAINT if is_complaint(feedback_type) else ReportKind.OTHER
    recipient = recipient or anatomy.addressee
    return Report(kind, recipient=recipient, remote=remote, feedback_type=feedback_type)


def _status_report(anatomy: Anatomy, sender: Sender) -> Report | None:
    """The report that delivery statuses make; None if there are none, or a person has attached them."""
    if not sender.is_system and anatomy.message.content_type.name != "multipart/report":
        return None
    told = [status for part in anatomy.statuses for status in read_statuses(part)]
    if not told and sender.is_system:
        # Some gateways make one text of all parts.
        told = read_status_lines(anatomy.text)
    kinds = [(kind, status) for status in told if (kind := _kind(status))]
    if not kinds:
        return None
    addressee = anatomy.addressee
    # A letter of ours is for one person: others are those to whom a system of theirs handed it on.
    theirs = [one for one in kinds if one[1].recipient.lower() == addressee.lower()]
    kind, status = min(theirs or kinds, key=lambda one: _IMPORTANCE.index(one[0]))
    words = own_words(anatomy.text)
    report = Report(
        kind,
        status=status.status,
        diagnostic=status.diagnostic or said_about(words, status.recipient)[:DIAGNOSTIC_CHARACTERS],
        recipient=status.recipient or addressee,
        remote=status.remote,
    )
    if kind is not ReportKind.FAILED:
        return report
    return _classified(report, status.code, said_about(words, status.recipient), words)


def _kind(status: Status) -> ReportKind | None:
    """What became of a letter by the action, else by the class of the status; None if neither says."""
    for beginning, kind in _KINDS:
        if status.action.startswith(beginning):
            return kind
    return _CLASS_KINDS.get(status.status[:1])


def _classified(report: Report, code: int | None, *texts: str) -> Report:
    """A failure with its class: by codes and diagnostic, else by the first text that tells."""
    bounce_class = class_of(code, report.status or None, report.diagnostic)
    status = report.status
    for text in texts:
        if bounce_class is not BounceClass.UNCLEAR:
            break
        said_code, said_status = codes_in(text)
        bounce_class = class_of(said_code or code, said_status or report.status or None, text)
        status = said_status or status
    return replace(report, bounce_class=bounce_class, status=status)


def _words_report(anatomy: Anatomy, sender: Sender) -> Report:
    """What the words of a report make of it, and the detectors of flufl.bounce."""
    text = own_words(anatomy.text)
    words = Words(anatomy.subject, text)
    if _is_reply(anatomy, words, sender):
        return Report(ReportKind.OTHER)
    parts = [(kind, name, own_words(one)) for kind, name, one in anatomy.texts]
    delayed, failed = detect(_header_for_detectors(anatomy.message), parts)
    if not sender.is_machine and not failed and not anatomy.returns_a_letter:
        return Report(ReportKind.OTHER)
    if words.is_late:
        kind = ReportKind.DELAYED
    elif failed or words.fails or (anatomy.returns_a_letter and codes_in(text)[1].startswith("5")):
        kind = ReportKind.FAILED  # codes tell it in a language that we do not know
    elif delayed:
        kind = ReportKind.DELAYED
    elif words.arrived:
        kind = ReportKind.DELIVERED
    else:
        return Report(ReportKind.OTHER)
    recipient = next(_recipients(anatomy, text, failed | delayed), "")
    if not anatomy.returns_a_letter and recipient.lower() in _own_addresses(anatomy.message):
        return Report(
            ReportKind.OTHER
        )  # it says that we do not get our mail: so do those who want a password
    said = said_about(text, recipient)
    code, status = codes_in(said)
    report = Report(kind, status=status, diagnostic=said[:DIAGNOSTIC_CHARACTERS], recipient=recipient)
    # A subject holds the letter's own as a rule; with a code in it, it is the other side's words.
    texts = (text, words.subject) if codes_in(words.subject)[1] else (text,)
    return _classified(report, code, *texts) if kind is ReportKind.FAILED else report


def _is_reply(anatomy: Anatomy, words: Words, sender: Sender) -> bool:
    """Whether a mail without a delivery status answers automatically, or is a person's."""
    if AWAY.match(words.subject) or _is_by_its_reader(anatomy):
        return True
    # It returns the letter, and says of it what a mail system says.
    returns_it_refused = anatomy.returns_a_letter and words.fails
    tells_a_failure = words.fails_by_subject or codes_in(words.text)[1] or returns_it_refused
    said_as_reply = is_reply(f"{words.subject}. {words.text}")
    if sender.is_system:
        # Programs tell that a mail was read, and some that they could not file it.
        is_receipt = anatomy.is_receipt and not words.fails
        # Whoever has left says "undeliverable" too, in answer to the letter, and has nothing to show for it.
        is_answer = "in-reply-to" in anatomy.message.fields and not anatomy.returns_a_letter
        says_by_itself = not tells_a_failure or (is_answer and not codes_in(words.text)[1])
        return is_receipt or is_challenge(words.text) or (said_as_reply and says_by_itself)
    if anatomy.is_receipt or any(name in anatomy.message.fields for name in AUTOREPLY_FIELDS):
        return True
    if not sender.is_machine:
        is_refused = returns_it_refused and codes_in(words.text)[1].startswith("5")
        if sender.may_be_machine:
            return not (words.fails_by_subject or is_refused)
        # No person says so in the subject, quotes the refusal, and returns the letter.
        return sender.is_answer or not (words.fails_by_subject and is_refused)
    # A return path is missing from answers too, and what they say about an address sounds like a failure.
    return said_as_reply or not tells_a_failure


def _is_by_its_reader(anatomy: Anatomy) -> bool:
    """Whether whoever a returned letter was for answers by a program.

    Some mail systems write by their names, too, but do not say of themselves that they answer.
    """
    writers = read_mailboxes(anatomy.message.text_of("from"))
    is_marked = "auto-submitted" in anatomy.message.fields
    return is_marked and any(box and box.address.lower() == anatomy.addressee.lower() for box in writers)


def _header_for_detectors(message: Part) -> dict[str, str]:
    names = ("from", "subject", "x-mailer", "x-failed-recipients")
    return {name: one_line(message.text_of(name)) for name in names if name in message.fields}


def _recipients(anatomy: Anatomy, text: str, detected: frozenset[str]) -> Iterator[str]:
    """Whom the letter was for, by the surest sign first."""
    for value in anatomy.message.fields.get("x-failed-recipients", ()):
        yield from (box.address for box in read_mailboxes(raw_text(value)) if box)
    yield from sorted(detected)
    # Reports name the sender too. Whom they came to is of the same domain, and so may a reader be.
    ours = {domain for name in _OWN_FIELDS for domain in _domains(anatomy.message, name)}
    yield from (one for one in addresses_in(text) if one.rpartition("@")[2].lower() not in ours)
    if address := anatomy.addressee:
        yield address
    yield from addresses_in(text)


def _own_addresses(message: Part) -> set[str]:
    """Whom a mail came to."""
    values = (value for name in _OWN_FIELDS for value in message.fields.get(name, ()))
    return {box.address.lower() for value in values for box in read_mailboxes(raw_text(value)) if box}


def _domains(message: Part, name: str) -> Iterator[str]:
    for value in message.fields.get(name, ()):
        yield from (box.address.rpartition("@")[2].lower() for box in read_mailboxes(raw_text(value)) if box)
