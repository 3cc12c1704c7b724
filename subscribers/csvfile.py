"""Readers as CSV (RFC 4180): in with a header `email,name`, out with what they subscribe to.

What goes out can come in again: a file with a column `state`, as ours have, gives only the people whose
subscription is active. Cells that a spreadsheet would run as a formula are written with an apostrophe
before them, and read without it. Files are read line by line, so their size does not matter.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TextIO

from subscribers.address import AddressError, parse_address
from subscribers.errors import PaperroundError
from subscribers.models import Subscriber, SubscriptionState
from subscribers.subscriptions import Person

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAME_LIMIT = 200
_LINE_LIMIT = 1_000_000


class CsvError(PaperroundError, ValueError):
    """A CSV file cannot be read."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is nobody to subscribe, and why. `line` is its first one."""

    line: int
    problem: str


def read_people(path: Path) -> Iterator[Person | BadRow]:
    """The people of a file, row by row, bad rows in their place. Raises CsvError if it is no such file."""
    row_begins = 1
    try:
        # Bytes that are no UTF-8 become surrogates, so that `_lines` can say in which line they are.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.reader(_lines(file, path), strict=True)
            columns = _columns([cell.strip().lower() for cell in next(reader, [])], path)
            row_begins = reader.line_num + 1
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield _person(row, columns, row_begins)
                row_begins = reader.line_num + 1
    except csv.Error as error:
        raise CsvError(f"{path}:{row_begins}: is not CSV from here on: {error}") from error
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror}") from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, each sound and of a size that cannot fill the memory."""
    for number in count(1):
        line = file.readline(_LINE_LIMIT)
        if len(line) == _LINE_LIMIT:
            raise CsvError(f"{path}:{number}: is not CSV: this line has {_LINE_LIMIT:,} characters or more")
        try:
            line.encode()
        except UnicodeEncodeError:
            raise CsvError(f"{path}:{number}: is not UTF-8; save the file as UTF-8") from None
        if not line:
            return
        yield line


def _columns(header: list[str], path: Path) -> dict[str, int]:
    """Where each column is; the first of a name counts."""
    if "email" not in header:
        raise CsvError(
            f"{path}:1: needs a header with a column `email` (and `name`, if you like), separated by commas"
        )
    return {name: header.index(name) for name in header}


def _person(row: list[str], columns: dict[str, int], line: int) -> Person | BadRow:
    cells = {name: _meant(row[place]) for name, place in columns.items() if place < len(row)}
    state = cells.get("state", "").strip().lower() or SubscriptionState.ACTIVE
    try:
        address = parse_address(cells.get("email", ""))
    except AddressError as error:
        return BadRow(line, str(error))
    if state != SubscriptionState.ACTIVE:
        return BadRow(line, f"{address.given} is {state!r} and not active, by the column `state`")
    # Controls, surrogates and line breaks go; the joiners that Persian and Indic names are spelt with stay.
    name = "".join(
        char if char.isprintable() or char in "\u200c\u200d" else " " for char in cells.get("name", "")
    )
    return Person(address, " ".join(name.split())[:_NAME_LIMIT].rstrip() or None)


def write_subscriptions(out: TextIO, people: Iterable[tuple[Subscriber, dict[str, str]]]) -> None:
    """A row a subscription: email, name, category, state."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["email", "name", "category", "state"])
    for subscriber, subscriptions in people:
        for category, state in subscriptions.items():
            writer.writerow([_safe(subscriber.address), _safe(subscriber.name or ""), category, state])


def _safe(text: str) -> str:
    """A cell's text, as one that no spreadsheet runs. Undone by `_meant`, whatever the text."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def _meant(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA) else cell
