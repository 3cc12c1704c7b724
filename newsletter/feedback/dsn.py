"""Delivery status notifications (RFC 3464, 6533), and the codes in what mail systems say.

Promises: no octets raise, and time grows with their length. Fields are read where systems leave out or add
empty lines, spaces and comments; what is not there reads as "".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.content.html import words
from newsletter.delivery.bounces import how_telling
from newsletter.feedback.mime import (
    Part,
    body_octets,
    decode_words,
    one_line,
    raw_text,
    read_part,
    with_newlines,
)

STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
DIAGNOSTIC_CHARACTERS = 2000
_BLOCKS = 50
_FIELDS = words(
    """
    action diagnostic-code final-recipient original-envelope-id original-recipient remote-mta reporting-mta
    status x-actual-recipient x-supplementary-info
    """
)
_RECIPIENT_FIELDS = ("original-recipient", "final-recipient", "x-actual-recipient")
_TYPED = re.compile(r"[\w-]{1,30}\s*;\s*")
_UTF_8_HEX = re.compile(r"\\x\{([0-9a-fA-F]{1,6})\}")
_STATUS = re.compile(r"(?<![\w.])([245]\.[0-7]\.[0-9]{1,3})(?!\w|\.\w)")
_ENHANCED = re.compile(r"(?<![\w.])([45]\.[0-7]\.[0-9]{1,3})(?!\w|\.\w)")
_CODE = re.compile(r"(?<![\w.:/#@-])([45][0-5][0-9])(?=[\s-]|#)")


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a letter to one recipient, as a system reports it."""

    action: str
    """In lower case: `failed`, `delayed`, `delivered`, `relayed`, `expanded`; "" where none is told."""
    code: int | None
    """The reply code within the diagnostic."""
    status: str
    """The enhanced status code that says most, of the field and of the diagnostic."""
    diagnostic: str
    recipient: str
    remote: str


def read_statuses(part: Part) -> list[Status]:
    """The statuses of a part of one of STATUS_TYPES, one for each recipient."""
    content = with_newlines(body_octets(part))
    blocks: list[Part] = []
    place = 0
    while place < len(content) and len(blocks) < _BLOCKS:
        block = read_part(content, place, kept=_FIELDS)
        if block.fields:
            blocks.append(block)
        # What is neither field nor empty line is passed over.
        place = block.start if block.start > place else _next_line(content, place)
    reporting = next((mta for block in blocks if (mta := _typed(block, "reporting-mta"))), "")
    return [_status(block, reporting) for block in blocks if _is_about_a_recipient(block)]


def read_status_lines(text: str) -> list[Status]:
    """The statuses in a text that holds such fields as lines, where a system made one text of all parts."""
    start = text.lower().find("final-recipient:")
    if start < 0:
        return []
    octets = text[start:].encode("utf-8", "replace")
    return read_statuses(Part({}, octets, 0, len(octets)))


def codes_in(text: str) -> tuple[int | None, str]:
    """The reply code and the enhanced status code of a refusal; of several the first that tells why."""
    code = _CODE.search(text)
    found = _ENHANCED.findall(text)
    return int(code[1]) if code else None, most_telling(found)


def most_telling(statuses: Sequence[str]) -> str:
    """The first of the enhanced status codes that say most; "" if there is none."""
    return max(statuses, key=how_telling, default="")


def _next_line(content: bytes, place: int) -> int:
    found = content.find(b"\n", place)
    return len(content) if found < 0 else found + 1


def _is_about_a_recipient(block: Part) -> bool:
    return any(name in block.fields for name in (*_RECIPIENT_FIELDS, "action", "status"))


def _status(block: Part, reporting: str) -> Status:
    told = [one_line(decode_words(raw_text(value))) for value in block.fields.get("diagnostic-code", ())]
    told = told or [one_line(decode_words(block.text_of("x-supplementary-info")))]
    diagnostic = " ".join(_TYPED.sub("", one, count=1) if _TYPED.match(one) else one for one in told)
    code, said = codes_in(diagnostic)
    field = _STATUS.search(block.text_of("status"))
    return Status(
        action=block.text_of("action").partition("(")[0].strip().lower(),
        code=code,
        status=most_telling([one for one in (said, field[1] if field else "") if one]),
        diagnostic=diagnostic[:DIAGNOSTIC_CHARACTERS].strip(),
        recipient=next((one for name in _RECIPIENT_FIELDS if (one := _recipient(block, name))), ""),
        remote=_typed(block, "remote-mta") or reporting,
    )


def _typed(block: Part, name: str) -> str:
    """A field's value without the type before it: `dns; mx.example.org`."""
    return _TYPED.sub("", one_line(block.text_of(name)), count=1)[:300]


def _recipient(block: Part, name: str) -> str:
    """The address of a recipient, "" if the field holds none."""
    value = decode_words(_typed(block, name))
    value = _UTF_8_HEX.sub(lambda found: _character(int(found[1], 16)), value)
    # RFC 3461 §4: what Original-Recipient was made of is xtext, and some systems copy it undecoded.
    value = value.replace("+2B", "+").replace("+3D", "=").strip("<> ")
    return value if "@" in value else ""


def _character(number: int) -> str:
    return one_line(chr(number)) if number < 0x110000 else ""
