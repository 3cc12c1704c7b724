"""The detectors of flufl.bounce: what old and rare mail systems write, as Mailman has met it over the years.

Promises: nothing raises, and the time is bounded, whatever text is given: detectors see at most LINES lines
of LINE_CHARACTERS each, in a message of at most PARTS parts that is built here. Python's email parser, which
the library's users call, is not used.
"""

import logging
from collections.abc import Sequence
from email.message import Message

LINES = 400
LINE_CHARACTERS = 300
PARTS = 8


def detect(
    fields: dict[str, str], texts: Sequence[tuple[str, str, str]]
) -> tuple[frozenset[str], frozenset[str]]:
    """The addresses a report says a letter has not reached yet, and those it never will.

    `fields` is the header, as far as detectors look at it; `texts` are the parts: the media type, the
    description and the text of each.
    """
    from flufl.bounce import all_failures  # it takes as long to load as all else that reads reports

    # It tells each detector's name, and the whole trace of each one that breaks, to whoever listens.
    logging.getLogger("flufl.bounce").disabled = True
    message = Message()
    for name, value in fields.items():
        message[name] = _ascii(value)
    if len(texts) == 1:
        _fill(message, *texts[0])
    else:
        message["Content-Type"] = "multipart/mixed"
        for kind, description, text in texts[:PARTS]:
            part = Message()
            _fill(part, kind, description, text)
            message.attach(part)
    try:
        delayed, failed = all_failures(message)
    except Exception:
        return frozenset(), frozenset()
    return _addresses(delayed), _addresses(failed)


def _fill(part: Message, kind: str, description: str, text: str) -> None:
    part["Content-Type"] = _ascii(kind)
    if description:
        part["Content-Description"] = _ascii(description)
    lines = (line[:LINE_CHARACTERS] for line in text.split("\n", LINES)[:LINES])
    part.set_payload(_ascii("\n".join(lines)))


def _ascii(text: str) -> str:
    """A text no detector stumbles over: they work on octets of ASCII."""
    return text.encode("ascii", "replace").decode()


def _addresses(found: frozenset[bytes]) -> frozenset[str]:
    return frozenset(address.decode("ascii", "replace") for address in found if b"@" in address)
