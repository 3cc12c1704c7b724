"""What of ours stands in a report: the tokens of a letter's return path, Message-ID and ways to leave.

Promises: no text raises, and time grows with its length. Tokens are found whatever mail systems did to what
holds them: case folded, the plus or the slash encoded, lines broken in the midst of a word, or a forwarder's
address written around ours (SRS, BATV).

May surprise: nothing is verified. What looks like a token of ours is named; whether it is one, and for which
letter, `subscribers.tokens` knows.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from subscribers.tokens import TOKEN_LENGTH

SOURCE_CHARACTERS = 200_000
"""Characters of one text that are searched."""
_MOST = 20
"""Tokens of a kind that are kept."""
_TOKEN = f"([a-z2-7]{{{TOKEN_LENGTH}}})"
_PLUS = r"(?:\+2b|=2b|%2b|\+)"
_DOT = r"(?:=2e|%2e|\.)"
_BOUNCE = re.compile(rf"{_PLUS}bounce{_DOT}{_TOKEN}(?![a-z0-9])")
_MESSAGE_ID = re.compile(
    rf"(?<![a-z0-9.+=_-]){_TOKEN}(?:@|=40|%40)([a-z0-9](?:[a-z0-9.-]{{0,253}}[a-z0-9])?)"
)
_LEAVE = re.compile(rf"(?:(?:/|%2f|_)u(?:/|%2f|_)|{_PLUS}leave{_DOT}){_TOKEN}(?![a-z0-9])")
_LINE_BREAK = re.compile(r"=?\n[>\s]*+")


@dataclass(frozen=True, slots=True)
class Traces:
    """What of ours stands in a report, most trusted first, in lower case. Nothing is verified."""

    bounce_tokens: tuple[str, ...] = ()
    """Of addresses `…+bounce.TOKEN@…`."""
    message_ids: tuple[str, ...] = ()
    """`TOKEN@domain`: what may be a Message-ID of ours, that of the returned letter first."""
    leave_tokens: tuple[str, ...] = ()
    """Of `…/u/TOKEN` and `…+leave.TOKEN@…`."""


def find_traces(
    *, envelope: Iterable[str], returned: Iterable[str], words: Iterable[str], others: Iterable[str] = ()
) -> Traces:
    """The traces in a report.

    `envelope` is to whom the report came, and what it notes of the letter's envelope; `returned` the letter
    as it came back; `words` all else. Of `others` it is sure that they are no letter of ours: only return
    paths are looked for there.
    """
    around, back, rest = (list(map(_searchable, texts)) for texts in (envelope, returned, words))
    return Traces(
        bounce_tokens=_first(_BOUNCE, around + back + rest + list(map(_searchable, others))),
        message_ids=_first(_MESSAGE_ID, back + around + rest),
        leave_tokens=_first(_LEAVE, back + rest + around),
    )


def _searchable(text: str) -> str:
    """The text in lower case, as its lines are and again with all of them joined."""
    lowered = text[:SOURCE_CHARACTERS].lower()
    return f"{lowered}\n{_LINE_BREAK.sub('', lowered)}"


def _first(pattern: re.Pattern[str], texts: Iterable[str]) -> tuple[str, ...]:
    """What the groups of a pattern hold, each once, in order; joined by @ where there are two."""
    found: dict[str, None] = {}
    for text in texts:
        for match in pattern.finditer(text):
            found.setdefault("@".join(match.groups()))
            if len(found) == _MOST:
                return tuple(found)
    return tuple(found)
