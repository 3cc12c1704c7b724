"""Readers as CSV (RFC 4180): in with a header `email,name`, out with what they subscribe to.

Cells that a spreadsheet would run as a formula are written with an apostrophe before them, and read
without it.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from subscribers.address import AddressError, parse_address
from subscribers.base import PaperroundError
from subscribers.models import Subscriber
from subscribers.subscriptions import Person

_FORMULA = ("=", "+", "-", "@", "\t")
_NAME_LIMIT = 200


class CsvError(PaperroundError, ValueError):
    """A CSV file cannot be read."""


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that names nobody, and why."""

    line: int
    problem: str


def read_people(path: Path) -> Iterator[Person | BadRow]:
    """The people of a file, row by row, bad rows in their place. Raises CsvError if it is no such file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip().lower() for cell in next(reader, [])]
            if "email" not in header:
                raise CsvError(f"{path}:1: needs a header with a column `email` (and `name`, if you like)")
            columns = (header.index("email"), header.index("name") if "name" in header else None)
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield _person(row, *columns, reader.line_num)
    except UnicodeDecodeError as error:
        raise CsvError(
            f"{path}: is not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise CsvError(f"{path}:{reader.line_num}: is not CSV: {error}") from error
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror}") from error


def _person(row: list[str], email: int, name: int | None, line: int) -> Person | BadRow:
    if len(row) <= email:
        return BadRow(line, "has no email")
    try:
        address = parse_address(row[email].removeprefix("'"))
    except AddressError as error:
        return BadRow(line, str(error))
    given = row[name] if name is not None and len(row) > name else ""
    clean = " ".join("".join(c if c.isprintable() else " " for c in given.removeprefix("'")).split())
    return Person(address, clean[:_NAME_LIMIT] or None)


def write_subscriptions(out: TextIO, people: Iterable[tuple[Subscriber, dict[str, str]]]) -> None:
    """A row a subscription: email, name, category, state."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["email", "name", "category", "state"])
    for subscriber, subscriptions in people:
        for category, state in subscriptions.items():
            writer.writerow([_cell(subscriber.address), _cell(subscriber.name or ""), category, state])


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
