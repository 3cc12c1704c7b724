"""The parts of a report, by what they are: its words, its fields, and the letter that it returns.

Promises: no octets raise, and time grows with their length. However messages nest in messages, a few of them
are opened, and what is beyond the limits of `newsletter.feedback.mime` is left unread.
"""

import re
from dataclasses import dataclass, replace

from newsletter.feedback.complaints import REPORT_TYPE, is_feedback_report
from newsletter.feedback.dsn import STATUS_TYPES
from newsletter.feedback.mailboxes import read_mailboxes
from newsletter.feedback.markup import text_of_html
from newsletter.feedback.mime import (
    Part,
    body_octets,
    body_text,
    decode_words,
    decoded,
    leaves,
    raw_text,
    read_part,
    with_newlines,
)
from newsletter.feedback.oldbounces import is_letter, own_words
from newsletter.feedback.traces import Traces, find_traces

_RETURNED_TYPES = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    "text/rfc822",
)
_RECEIPT_TYPES = ("message/disposition-notification", "message/global-disposition-notification")
_RETURNED = 5
"""Messages within a report that are opened, however they nest."""
_HEADER_OCTETS = 100_000
_ANSWERED = re.compile(
    r"^(?:in-reply-to|references)[ \t]*:[^\n]*+(?:\n[ \t][^\n]*+)*+", re.IGNORECASE | re.MULTILINE
)
"""The fields that name what a message answers: of our letters any answer to them does."""
_TEXT_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The parts of a report, by what they are."""

    message: Part
    header: str
    """Of the message itself, without what it answers."""
    statuses: tuple[Part, ...]
    feedback: tuple[Part, ...]
    """Of a feedback report, or at the top level of another message: further within it is handed on."""
    texts: tuple[tuple[str, str, str], ...]
    """Media type, description and text of what is to be read."""
    returned: tuple[Part, ...]
    """The letter that came back, and what stands within."""
    is_receipt: bool
    """Whether somebody's program tells that they have read or deleted a mail (RFC 8098)."""

    @property
    def subject(self) -> str:
        """The report's own subject."""
        return decode_words(self.message.text_of("subject"))

    @property
    def returns_a_letter(self) -> bool:
        """Whether a letter comes back, and nothing says what became of it."""
        return not self.statuses and (bool(self.returned) or own_words(self.text) != self.text)

    @property
    def addressee(self) -> str:
        """Whom the returned letter was for, by its own header; "" if that is not told."""
        fields = (value for message in self.returned for value in message.fields.get("to", ()))
        boxes = (box for value in fields for box in read_mailboxes(raw_text(value)))
        return next((box.address for box in boxes if box), "")

    @property
    def text(self) -> str:
        """What is to be read: the plain text, HTML where there is none."""
        plain = [text for kind, _, text in self.texts if kind == "text/plain"]
        return "\n".join(plain if "".join(plain).strip() else (text for _, _, text in self.texts))


def read_anatomy(content: bytes) -> Anatomy:
    """The parts of a message whose lines end with \\n alone."""
    message = read_part(content)
    statuses: list[Part] = []
    feedback: list[Part] = []
    texts: list[tuple[str, str, str]] = []
    returned: list[Part] = []
    is_receipt = False
    is_report = is_feedback_report(message)
    length = 0
    for part, inside in leaves(message):
        kind = part.content_type.name
        if kind in STATUS_TYPES:
            statuses.append(part)
        elif kind == REPORT_TYPE:
            if is_report or len(inside) <= 1:
                feedback.append(part)
        elif kind in _RETURNED_TYPES or _is_saved_letter(part):
            returned += _messages_in(part, _RETURNED - len(returned))
        elif kind in _RECEIPT_TYPES:
            is_receipt = True
        elif _is_text(part) and length < _TEXT_CHARACTERS:
            text = body_text(part)
            text = text_of_html(text) if kind == "text/html" else text
            kind = "text/html" if kind == "text/html" else "text/plain"
            if texts and is_letter(text) and len(returned) < _RETURNED:
                returned += _messages_in(part, 1)  # the letter's header, attached as a text
                continue
            texts.append((kind, part.text_of("content-description"), text[:_TEXT_CHARACTERS]))
            length += len(text)
    return Anatomy(
        message=message,
        header=_ANSWERED.sub("", decoded(content[: min(message.start, _HEADER_OCTETS)], "")),
        statuses=tuple(statuses),
        feedback=tuple(feedback),
        texts=tuple(texts),
        returned=tuple(returned),
        is_receipt=is_receipt,
    )


def _is_text(part: Part) -> bool:
    """Whether a part is to be read; so is a multipart that nothing divides."""
    return part.content_type.name in ("text/plain", "text/html") or part.content_type.main == "multipart"


def _is_saved_letter(part: Part) -> bool:
    """Whether a part is a message in a file, whatever type it is said to have."""
    return part.file_name.lower().endswith(".eml")


def _messages_in(part: Part, most: int) -> list[Part]:
    """The message in a part, and those within it, as far as `most` of them."""
    found: list[Part] = []
    waiting = [part]
    while waiting and len(found) < most:
        message = read_part(with_newlines(body_octets(waiting.pop()).lstrip(b"\r\n")))
        found.append(message)
        waiting += [leaf for leaf, _ in leaves(message) if leaf.content_type.name in _RETURNED_TYPES]
    return found


@dataclass(frozen=True, slots=True)
class Texts:
    """All that can be read in a message, whatever it is encoded in, by how much its place can be trusted."""

    envelope: tuple[str, ...]
    """Its header, and what reports note of the letter's envelope."""
    returned: tuple[str, ...]
    """The letters within, as they came back."""
    words: tuple[str, ...]
    """Its own words, and those of the letters within."""


def texts_in(anatomy: Anatomy) -> Texts:
    """What can be read in a message."""
    returned: list[str] = []
    bodies: list[str] = []
    for message in anatomy.returned:
        returned.append(decoded(message.content[:_HEADER_OCTETS], ""))
        bodies += [body_text(leaf) for leaf, _ in leaves(message) if leaf.content_type.main == "text"]
    noted = (decoded(body_octets(part), "") for part in (*anatomy.statuses, *anatomy.feedback))
    words = (text for _, _, text in anatomy.texts)
    return Texts((anatomy.header, *noted), tuple(returned), (*words, *bodies))


def traces_in(anatomy: Anatomy) -> Traces:
    """What of ours stands in a report.

    A letter of somebody else's may answer one of ours, or quote it: what comes back of that is not ours.
    """
    is_theirs = bool(anatomy.returned) and _is_of_others(anatomy.returned[0])
    ours = texts_in(replace(anatomy, returned=()) if is_theirs else anatomy)
    theirs = texts_in(replace(anatomy, texts=())) if is_theirs else Texts((), (), ())
    return find_traces(
        envelope=ours.envelope,
        returned=[_ANSWERED.sub("", text) for text in ours.returned],
        words=[_ANSWERED.sub("", text) for text in ours.words],
        others=(*theirs.returned, *theirs.words),
    )


def _is_of_others(message: Part) -> bool:
    """Whether a letter that came back is none of ours: ours answer nothing."""
    return "in-reply-to" in message.fields or "references" in message.fields
