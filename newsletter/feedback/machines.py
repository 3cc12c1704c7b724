"""Who sent what came in: a mail system, another machine, or a person; by what the mail says itself.

May surprise: none of it is proof. Mail systems send failures by names that people have as well (admin,
noreply), and with a return path; people's programs answer without one. So this says what may be, and the
words of a mail decide.
"""

import re
from dataclasses import dataclass

from newsletter.feedback.mailboxes import read_mailboxes
from newsletter.feedback.mime import Part, decode_words, raw_text

_SYSTEM_LOCAL = re.compile(
    r"""(?: mailer[-_.]?daemon | mail[-_.]?daemon | mail[-_.]?(?:delivery|system) | mdaemon | mmdf | smtp
      | mta | microsoftexchange\w* | double-bounce | bounces? | delivery )(?:[+-].*)?""",
    re.IGNORECASE | re.VERBOSE,
)
_SYSTEM_NAME = re.compile(
    r"""\b(?: mail(?:er)?\ ?deliver | delivery\ (?:sub)?system | mailer.?daemon | mail\ (?:system|daemon)
      | microsoft\ (?:exchange|outlook) | mail\ router )""",
    re.IGNORECASE | re.VERBOSE,
)
_MACHINE_LOCAL = re.compile(
    r"""(?:^|[-_.])(?: ndr | dsn | (?:sys)?admin\w* | (?:do)?-?no[-_.]?t?-?reply | system
      | service | server | gateways? | \w*gw\d* | anti-?virus | mail\w* | smtp\w* | mx\d* | notifications?
      | alerts? | exchange )(?:$|[-_.\d])""",
    re.IGNORECASE | re.VERBOSE,
)
_POSTMASTER_LOCAL = re.compile(r"(?:^|[-_.])post[-_.]?master(?:$|[-_.\d])", re.IGNORECASE)
_POSTMASTER_NAME = re.compile(
    r"\b(?:post ?master|mail administrator|system ?administrator|e-?mail system|administra\w+ de[lu]? syst)",
    re.IGNORECASE,
)
_ANSWERS = re.compile(
    r"\s*(?:re|aw|sv|antw|fwd?|wg|tr|rv|vs|odp|отв|回复|答复)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
_LONGEST_LOCAL = 64


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent a mail. Each of the three says less than the one before."""

    is_system: bool
    """A mail system, by a name of its own; or by one that people have as well, on mail nobody wrote."""
    is_machine: bool
    """A mail system, or whatever sent it without a return path or says that nobody wrote it."""
    may_be_machine: bool
    """As above, or a postmaster or the like who may have written by hand."""
    is_answer: bool
    """An answer to a mail or one handed on, by its subject."""


def read_sender(message: Part, return_path: str | None) -> Sender:
    """Who sent a message; `return_path` is its envelope's sender, None if only its Return-Path is known."""
    path = return_path if return_path is not None else message.text_of("return-path")
    path = path.strip().removeprefix("<").removesuffix(">").strip()
    is_known = return_path is not None or "return-path" in message.fields
    is_null = path == "" and is_known
    senders = [raw_text(value) for value in message.fields.get("from", ())]
    addresses = [box.address for text in senders for box in read_mailboxes(text) if box]
    names = [(one.rpartition("@")[0] or one)[:_LONGEST_LOCAL] for one in (*addresses, path)]
    marked = message.text_of("auto-submitted").lower()
    is_automatic = (
        is_null
        or (marked != "" and not marked.startswith("no"))
        or message.content_type.name == "multipart/report"
    )
    is_answer = _ANSWERS.match(decode_words(message.text_of("subject"))) is not None
    shown = [decode_words(text[:1000]) for text in senders]
    is_postmaster = any(map(_POSTMASTER_LOCAL.search, names)) or any(map(_POSTMASTER_NAME.search, shown))
    may_be_machine = is_postmaster or any(map(_MACHINE_LOCAL.search, names))
    is_system = (
        any(map(_SYSTEM_LOCAL.fullmatch, names))
        or any(map(_SYSTEM_NAME.search, shown))
        or (not addresses and (is_null or bool(senders)))
        or "x-failed-recipients" in message.fields
        or (may_be_machine and is_automatic)
        # They report more than they write.
        or (is_postmaster and not is_known and not is_answer)
    )
    is_machine = is_system or is_automatic
    may_be_machine = is_machine or (may_be_machine and not is_answer)
    return Sender(is_system, is_machine, may_be_machine, is_answer)
