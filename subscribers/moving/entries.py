"""What an API answered with, kept as JSON: an object or a list, and the people in it, one after the other.

No more than one of them is held at a time.
"""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from subscribers.moving.people import Newcomer
from subscribers.moving.source import CsvError, NotPeopleError, Source
from subscribers.moving.table import marked_encoding, opened, proved_encoding

ReadEntry = Callable[[int, dict[str, Any]], Newcomer]
"""An entry, given its number from 1, as a person. Raises RowError for one who is not to be taken over."""

_START = re.compile(r'(?:\[|\{.*?"(?:results|entries|data)"\s*:\s*\[)', re.DOTALL)
_BETWEEN = re.compile(r"[\ufeff\s,]*")
_END = re.compile(r"\]")
_BLOCK = 2**16
_LONGEST_ENTRY = 2**20


def is_json(source: Source) -> bool:
    """Whether a file begins as JSON does."""
    with opened(source) as file:
        head = file.read(200)
    text = codecs.getincrementaldecoder(marked_encoding(head) or "utf-8")("replace").decode(head)
    return text.removeprefix("\ufeff").lstrip()[:1] in ("{", "[")


def entries(source: Source) -> Iterator[tuple[int, Any, str]]:
    """Each entry with its number from 1 and its text, of all answers that stand in the file.

    Raises CsvError where it is no JSON, breaks off, or says itself that there are more than it holds.
    """
    text = _Text(source)
    number = total = 0
    while opening := text.take(_START, ahead=_BLOCK):
        while not text.take(_END):
            number += 1
            entry, written = text.value(f"entry {number}")
            yield number, entry, written
        total = max(total, _total(text.rest_of(opening)))
    if not number and not text.has_been_read:
        raise NotPeopleError(f"{source.shown}: is JSON without a list of people in it")
    if not text.is_at_end:
        raise CsvError(f"{source.shown}: is no JSON behind entry {number}; is the file whole?")
    if total > number:
        raise CsvError(
            f"{source.shown}: says itself that there are {total:,}, but holds {number:,}: ask for all of "
            f"them, or put the answers for all pages into it, one after the other"
        )


def _total(answer: Any) -> int:
    """How many entries there are, by an answer that may be one page of several; 0 where it does not say."""
    found = [answer, answer.get("data")] if isinstance(answer, dict) else []
    totals = [one.get(key) for one in found if isinstance(one, dict) for key in ("total", "total_size")]
    return max((total for total in totals if isinstance(total, int)), default=0)


class _Text:
    """The JSON of a file, of which no more is held than what is looked at."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._blocks = _blocks(source)
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._place = 0
        self._ended = False
        self.has_been_read = False
        """Whether anything has been taken."""

    def take(self, pattern: re.Pattern[str], *, ahead: int = 1) -> str:
        """What comes next, if it is this, behind blanks and commas; else "". So much is looked at."""
        self._skip(ahead)
        found = pattern.match(self._text, self._place)
        if found is None:
            return ""
        self._place, self.has_been_read = found.end(), True
        return found[0]

    def value(self, what: str) -> tuple[Any, str]:
        """The value that comes next, and its text."""
        self._skip(1)
        value, end = self._read("", what)
        text = self._text[self._place : end]
        self._place = end
        return value, text

    def rest_of(self, opening: str) -> Any:
        """An answer whose list, opened so, has just ended, without that list."""
        if opening == "[":
            return []
        begun = f"{opening}]"
        value, end = self._read(begun, "what is behind the last entry")
        self._place = end - len(begun)
        return value

    @property
    def is_at_end(self) -> bool:
        """Whether nothing follows."""
        self._skip(1)
        return self._place == len(self._text)

    def _read(self, begun: str, what: str) -> tuple[Any, int]:
        """A value of which this much came before, and where it ends, counted from there."""
        while True:
            try:
                if not begun:
                    return self._decoder.raw_decode(self._text, self._place)
                value, end = self._decoder.raw_decode(begun + self._text[self._place :])
                return value, end + self._place
            except (ValueError, RecursionError):
                if self._ended or len(self._text) - self._place > _LONGEST_ENTRY:
                    raise CsvError(
                        f"{self._source.shown}: {what}: is no JSON from here on; is the file whole?"
                    ) from None
                self._more()

    def _skip(self, needed: int) -> None:
        """Pass blanks and commas by, and hold as many characters as are needed, if there are so many."""
        while True:
            found = _BETWEEN.match(self._text, self._place)
            self._place = found.end() if found else self._place
            if self._ended or len(self._text) - self._place >= needed:
                return
            self._more()

    def _more(self) -> None:
        block = next(self._blocks, None)
        self._ended = block is None
        self._text, self._place = self._text[self._place :] + (block or ""), 0


def _blocks(source: Source) -> Iterator[str]:
    """The text of a file, by pieces."""
    decode = codecs.getincrementaldecoder(proved_encoding(source, None))().decode
    with opened(source) as file:
        while block := file.read(_BLOCK):
            yield decode(block)
        yield decode(b"", True)


def text_of(entry: dict[str, Any], key: str) -> str:
    """A text of an entry; "" where there is none, or something else."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""
