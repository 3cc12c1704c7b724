"""Why a letter did not arrive, out of what the other side said: one reading for replies and for reports.

Promises: pure, never raises, and takes time in proportion to what it reads of a text, whatever stands there.
A passing refusal (4yz, 4.y.z) never makes an address dead.

The enhanced status code (RFC 3463 and the IANA registry) decides where it says something. Words decide where
there is no code, where it is one that says nothing (5.0.0, 5.3.0, a bare 550), and where it is known to lie:
relays give 5.1.1 to any 550, also to one that names a blocklist or a mailbox over its quota. Nothing that is
said with x.7.x counts against a reader, not even "no such user".

May surprise: without a stage nothing is known of what was refused. Whoever knows that MAIL was, asks
`newsletter.delivery.outcome`, which holds no refusal of the sender against a reader.
"""

import re

from newsletter.delivery.wordings import class_of_words
from newsletter.states import BounceClass, Fault

_BY_REASON = {
    (1, 1): BounceClass.DEAD,
    (1, 2): BounceClass.DEAD,
    (1, 3): BounceClass.DEAD,
    (1, 6): BounceClass.DEAD,
    (1, 7): BounceClass.POLICY,  # the sender's address
    (1, 8): BounceClass.POLICY,
    (1, 10): BounceClass.DEAD,
    (2, 1): BounceClass.DISABLED,
    (2, 2): BounceClass.FULL,
    (2, 3): BounceClass.CONTENT,  # too long for the mailbox
    (3, 4): BounceClass.CONTENT,  # too big for the system
    (7, 13): BounceClass.DEAD,  # the account is disabled
    (7, 17): BounceClass.DEAD,  # the mailbox has changed hands (RFC 7293)
}
_BY_SUBJECT = {4: BounceClass.ROUTING, 6: BounceClass.CONTENT, 7: BounceClass.POLICY}
_BY_CODE = {
    421: BounceClass.ROUTING,  # the service is not there
    530: BounceClass.POLICY,
    534: BounceClass.POLICY,
    535: BounceClass.POLICY,
    551: BounceClass.DEAD,  # the user is not here
    552: BounceClass.FULL,
    556: BounceClass.DEAD,  # the domain takes no mail (RFC 7504)
    571: BounceClass.POLICY,
}
"""Codes that say something by themselves (RFC 5321 §4.2.3, 4954, 7504), unless words say more."""
_FAULTS = {
    BounceClass.DEAD: Fault.ADDRESS,
    BounceClass.DISABLED: Fault.MAILBOX,
    BounceClass.FULL: Fault.MAILBOX,
    BounceClass.ROUTING: Fault.RELAY,
    BounceClass.UNCLEAR: Fault.RELAY,
    BounceClass.POLICY: Fault.POLICY,
    BounceClass.CONTENT: Fault.MESSAGE,
}

_STATUS = re.compile(r"[245]\.([0-9]{1,3})\.([0-9]{1,3})")
_POLICY = 7
"""The subject of codes about rules (RFC 3463 §3.8)."""
_MILDER = {
    BounceClass.DEAD: (BounceClass.FULL, BounceClass.DISABLED),
    BounceClass.DISABLED: (BounceClass.FULL,),
}
"""What words may say in spite of a code that means more."""
_NO_DOMAIN = (1, 2)
_HIDING = ((4, 0), (4, 5), (4, 7))
"""A relay's own "expired", "congestion" and "routing" at large: the reason is what the other side said."""


def class_of(code: int | None, enhanced_status: str | None, text: str) -> BounceClass:
    """Why, by the reply code, the enhanced status code (both None where none is known) and what was said.

    `text` is what the other side said, or what a report says in plain words; it may be empty.
    """
    reason = _reason(enhanced_status)
    told = class_of_reason(reason)
    is_passing = "4" in ((enhanced_status or "")[:1], str(code or "")[:1])
    if told in (BounceClass.FULL, BounceClass.CONTENT):
        return told
    said, is_distrust = class_of_words(text)
    if is_distrust:
        return said
    if said in _MILDER.get(told, ()) and reason[0] != _POLICY:
        return said  # so answer some who know no other code; a reader is not lost for it
    if told is BounceClass.POLICY:
        return told
    if (
        told is BounceClass.UNCLEAR
        or (reason in _HIDING and said is not BounceClass.UNCLEAR)
        or (is_passing and told is BounceClass.DISABLED)
    ):
        told = said
    if told is BounceClass.UNCLEAR and enhanced_status is None:
        told = _BY_CODE.get(code or 0, BounceClass.UNCLEAR)
    return _passing(reason, said) if is_passing and told is BounceClass.DEAD else told


def _passing(reason: tuple[int, int], said: BounceClass) -> BounceClass:
    """What the refusal of an address means that may be taken at another time."""
    if said in (BounceClass.POLICY, BounceClass.ROUTING):
        return said
    return BounceClass.ROUTING if reason in (_NO_DOMAIN, *_HIDING) else BounceClass.UNCLEAR


def class_of_reason(reason: tuple[int, int]) -> BounceClass:
    """Why, by the subject and detail of an enhanced status code alone."""
    return _BY_REASON.get(reason) or _BY_SUBJECT.get(reason[0], BounceClass.UNCLEAR)


def how_telling(enhanced_status: str) -> int:
    """How much an enhanced status code says by itself: 2 why, 1 what may hide more, 0 nothing."""
    reason = _reason(enhanced_status)
    if class_of_reason(reason) is BounceClass.UNCLEAR:
        return 0
    return 1 if reason in _HIDING else 2


def fault_of_class(bounce_class: BounceClass) -> Fault:
    """Whose fault a failure of a class is. What nobody gives a reason for is held against no reader."""
    return _FAULTS[bounce_class]


def _reason(enhanced_status: str | None) -> tuple[int, int]:
    """Subject and detail, (0, 0) where there are none to be read."""
    found = _STATUS.fullmatch(enhanced_status or "")
    return (int(found[1]), int(found[2])) if found else (0, 0)
