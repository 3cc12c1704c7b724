"""What came of one try, as a value; and the pure reading of SMTP replies.

The first digit of the reply code decides what happens next (RFC 5321 §4.2.1); the enhanced status code
(RFC 3463) says why. A refusal of MAIL is about the sender, not the reader: it is never held against them,
only tried again. A reply to the message itself that is neither yes nor no leaves it in doubt. `Fault` says
whose fault a refusal is: policy (x.7.x), the message and the way there never count against a reader.
"""

import re
from enum import StrEnum
from typing import NamedTuple

from newsletter.delivery.bounces import class_of, class_of_reason, fault_of_class
from newsletter.states import BounceClass, DeliveryState, Fault

REPLY_LIMIT = 2000
"""Characters of a reply that are kept."""

_ENHANCED = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}(?!\S)")

_UNCLEAR_BY_SUBJECT = {1: Fault.ADDRESS, 2: Fault.MAILBOX}
"""Where a reason says what is concerned and no more (5.1.0, 5.2.0)."""
_FOR_ALL_LETTERS = frozenset(
    {
        500,  # the command is not known,
        502,  # or not implemented,
        503,  # or not expected now
        521,  # the host takes no mail at all (RFC 7504)
        555,  # the parameters are not known, which are the same for all
    }
)
_AFTER_MAIL = dict.fromkeys(_FOR_ALL_LETTERS, Fault.RELAY)
_AT_RCPT = {
    **_AFTER_MAIL,
    501: Fault.ADDRESS,  # its syntax
    504: Fault.RELAY,  # a parameter; also said of addresses that lack a part of their domain
    550: Fault.ADDRESS,
    551: Fault.ADDRESS,
    553: Fault.ADDRESS,
    556: Fault.ADDRESS,  # its domain takes no mail (RFC 7504)
    452: Fault.MAILBOX,
    552: Fault.MAILBOX,
}
"""By the codes of RFC 5321 §4.2.3. Others mean policy: 530 asks for a login, and 554, which gives no further
reason, is what relays say to those whom they have listed.
"""
_ABOUT_A_READER = (BounceClass.DEAD, BounceClass.DISABLED, BounceClass.FULL)


class Stage(StrEnum):
    """The command a reply answers; `.` is the end of the message, and all that comes after its release."""

    CONNECT = "CONNECT"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "."


class Outcome(NamedTuple):
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
        found = _ENHANCED.match(self.reply)
        return found[0] if found else None

    @property
    def fault(self) -> Fault | None:
        """Whose fault it is; None if the letter was taken."""
        if self.state is DeliveryState.SENT:
            return None
        return fault_of(self.stage, self.code, self.enhanced_status)

    @property
    def bounce_class(self) -> BounceClass | None:
        """Why it was refused, as a report would be read too; None if the letter was taken.

        At MAIL no reader has been named: what would be about one is about the sender.
        """
        if self.state is DeliveryState.SENT:
            return None
        found = class_of(self.code, self.enhanced_status, self.reply)
        return BounceClass.POLICY if self.stage is Stage.MAIL and found in _ABOUT_A_READER else found

    @property
    def is_distrust(self) -> bool:
        """Whether the sender is refused, or whatever the relay is given, and not this letter alone.

        Greylisting (RFC 6647) says 4.7.1 to each newcomer, and takes the letter at its second try.
        """
        # Where a reason is given, it has to be of the protocol's own (x.5.x).
        reason = self.enhanced_status
        if self.code in _FOR_ALL_LETTERS and (reason is None or reason.split(".")[1] == "5"):
            return True
        is_greylisting = self.code != 421 and self.enhanced_status in ("4.7.0", "4.7.1")
        return self.fault is Fault.POLICY and not is_greylisting

    @property
    def eases_off(self) -> bool:
        """Whether the relay asks for less at once: 421, or a passing refusal for policy (4.7.x)."""
        return self.code == 421 or (
            self.state is DeliveryState.DEFERRED and (self.enhanced_status or "").startswith("4.7.")
        )


def fault_of(stage: Stage, code: int | None, enhanced_status: str | None) -> Fault:
    """Whose fault a refusal is, by its reason (RFC 3463 and the IANA registry of enhanced status codes).

    Where a reply gives no reason, its code does, as RFC 5321 §4.2.3 has it; at MAIL all are about the sender.
    """
    if enhanced_status is not None:
        _, subject, detail = map(int, enhanced_status.split("."))
        bounce_class = class_of_reason((subject, detail))
        fault = fault_of_class(bounce_class)
        if bounce_class is BounceClass.UNCLEAR:
            fault = _UNCLEAR_BY_SUBJECT.get(subject, fault)
        if stage is Stage.MAIL and fault in (Fault.ADDRESS, Fault.MAILBOX):
            return Fault.POLICY
        return fault
    if code is None or (code < 500 and not (code == 452 and stage is Stage.RCPT)):
        return Fault.RELAY
    if stage is Stage.MAIL:
        return Fault.POLICY
    if stage is Stage.RCPT:
        return _AT_RCPT.get(code, Fault.POLICY)
    return _AFTER_MAIL.get(code, Fault.MESSAGE)


def printable(text: str) -> str:
    """The text in a form that any database and terminal takes: no control characters, and not too long."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() or char == "\n" else "?" for char in text)
    return text if len(text) <= REPLY_LIMIT else text[:REPLY_LIMIT] + "…"


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
    return Outcome(state, stage, code, printable(text))


def _means_452(stage: Stage, code: int) -> bool:
    """A 552 to RCPT means "too many recipients" and is to be read as 452 (RFC 5321 §4.5.3.1.10)."""
    return stage is Stage.RCPT and code == 552


def broken(stage: Stage, what: str) -> Outcome:
    """Read the loss of a connection: before the body a 451, then a doubt (RFC 5321 §3.8, RFC 1047)."""
    state = DeliveryState.IN_DOUBT if stage is Stage.DOT else DeliveryState.DEFERRED
    return Outcome(state, stage, None, printable(what))


def unreachable_address(what: str) -> Outcome:
    """The relay can never take this address (RFC 6531 §3.5 gives 5.6.7 for one it cannot write)."""
    return Outcome(DeliveryState.BOUNCED, Stage.RCPT, None, f"5.6.7 {what}")


def too_big(size: int, limit: int) -> Outcome:
    """The relay has announced that it takes no message of this size (RFC 1870 §6.1 gives 5.3.4)."""
    words = f"5.3.4 The letter has {size} octets, and the relay takes {limit} (SIZE)."
    return Outcome(DeliveryState.BOUNCED, Stage.MAIL, None, words)
