"""What came of one try, as a value; and the pure reading of SMTP replies.

The first digit of the reply code decides what happens next (RFC 5321 §4.2.1); the enhanced status code
(RFC 3463) says why and is kept beside it. A refusal of MAIL is about the sender, not the reader: it is
never held against them, only tried again. A reply to the message itself that is neither yes nor no leaves
it in doubt.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from newsletter.states import DeliveryState

REPLY_LIMIT = 2000
"""Characters of a reply that are kept."""


class Stage(StrEnum):
    """The command a reply answers; `.` is the end of the message, and all that comes after `commit()`."""

    CONNECT = "CONNECT"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one try led to. `code` is None where no reply came; `reply` is then what happened instead."""

    state: DeliveryState
    stage: Stage
    code: int | None
    reply: str

    @property
    def words(self) -> str:
        """The reply with its code, as it is shown to people."""
        return self.reply if self.code is None else f"{self.code} {self.reply}"

    @property
    def enhanced_status(self) -> str | None:
        """The enhanced status code at the start of the reply's text (RFC 2034 §4), if there is one."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?!\S)", self.reply)
        return found[1] if found else None


def _printable(text: str) -> str:
    cleaned = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return cleaned if len(cleaned) <= REPLY_LIMIT else cleaned[:REPLY_LIMIT] + "…"


def replied(stage: Stage, code: int, text: str) -> Outcome:
    """Read a reply to one of a message's commands."""
    if stage is Stage.DOT and 200 <= code < 300:
        state = DeliveryState.SENT
    elif 500 <= code < 600 and stage is not Stage.MAIL and not _means_452(stage, code):
        state = DeliveryState.BOUNCED
    elif stage is Stage.DOT and not 400 <= code < 500:
        state = DeliveryState.IN_DOUBT
    else:
        state = DeliveryState.DEFERRED
    return Outcome(state, stage, code, _printable(text))


def _means_452(stage: Stage, code: int) -> bool:
    """A 552 to RCPT means "too many recipients" and is to be read as 452 (RFC 5321 §4.5.3.1.10)."""
    return stage is Stage.RCPT and code == 552


def broken(stage: Stage, what: str) -> Outcome:
    """Read the loss of a connection: before the body a 451, then a doubt (RFC 5321 §3.8, RFC 1047)."""
    state = DeliveryState.IN_DOUBT if stage is Stage.DOT else DeliveryState.DEFERRED
    return Outcome(state, stage, None, _printable(what))


def unreachable_address(what: str) -> Outcome:
    """The relay can never take this address (RFC 6531 §3.5 gives 5.6.7 for one it cannot write)."""
    return Outcome(DeliveryState.BOUNCED, Stage.RCPT, None, f"5.6.7 {what}")
