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
from subscribers.moving.table import opened, proved_encoding

ReadEntry = Callable[[int, dict[str, Any]], Newcomer]
"""An entry, given its number from 1, as a person. Raises RowError for one who is not to be taken over."""

_START = re.compile(r'\ufeff?\s*(?:\[|\{.*?"(?:results|entries|data)"\s*:\s*\[)', re.DOTALL)
_BETWEEN = re.compile(r"[\s,]*")
_BLOCK = 2**16
_LONGEST_ENTRY = 2**20


def is_json(source: Source) -> bool:
    """Whether a file begins as JSON does."""
    with opened(source) as file:
        return file.read(200).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def entries(source: Source) -> Iterator[tuple[int, Any, str]]:
    """Each entry with its number from 1 and its text. Raises CsvError where it is no JSON, or breaks off."""
    proved_encoding(source, "utf-8")
    decoder = json.JSONDecoder()
    decode = codecs.getincrementaldecoder("utf-8")().decode
    with opened(source) as file:
        text = decode(file.read(_BLOCK))
        start = _START.match(text)
        if start is None:
            raise NotPeopleError(f"{source.shown}: is JSON without a list of people in it")
        text = text[start.end() :]
        place, number, ended = 0, 1, False
        while True:
            found = _BETWEEN.match(text, place)
            place = found.end() if found else place
            if text[place : place + 1] == "]":
                return
            try:
                entry, end = decoder.raw_decode(text, place)
            except (ValueError, RecursionError):
                if ended or len(text) - place > _LONGEST_ENTRY:
                    raise CsvError(
                        f"{source.shown}: entry {number}: is no JSON from here on; is the file whole?"
                    ) from None
                more = file.read(_BLOCK)
                ended = not more
                text, place = text[place:] + decode(more, ended), 0
                continue
            yield number, entry, text[place:end]
            number, place = number + 1, end


def text_of(entry: dict[str, Any], key: str) -> str:
    """A text of an entry; "" where there is none, or something else."""
    value = entry.get(key)
    return value if isinstance(value, str) else ""
