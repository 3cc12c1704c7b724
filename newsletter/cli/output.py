"""Printing: tables that fit a terminal and are whole in a pipe, JSON, and diagnostics."""

import json
import re
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from itertools import accumulate, takewhile
from types import TracebackType
from typing import Annotated, Any
from unicodedata import category, east_asian_width

import typer

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey: a server's reply, quoted, must not move the cursor, nor turn a line around."""
_GAP = "  "
_NARROWEST = 8
_PROGRESS_SECONDS = 0.2

NO_CATEGORY = "No category yet: paperround category add SLUG --title TITLE"

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def plain(value: Any) -> Any:
    """A value as JSON has it; instants are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value


def print_json(document: Any) -> None:
    """One document on standard output."""
    print(as_json_text(document))


def as_json_text(document: Any) -> str:
    """A document as it is printed."""
    return json.dumps(document, ensure_ascii=False, indent=2, default=plain)


def print_rows(
    rows: Sequence[dict[str, Any]], columns: Sequence[str], *, empty: str, is_whole: bool = False
) -> None:
    """A table of some columns: cut to fit a terminal unless it is to be whole, never cut in a pipe."""
    if not rows:
        note(empty)
        return
    lines = [[name.replace("_", " ") for name in columns]]
    lines += ([cell(row[name]) for name in columns] for row in rows)
    widths = [max(width_of(line[place]) for line in lines) for place in range(len(columns))]
    if sys.stdout.isatty() and not is_whole:
        widths = fitted(widths, shutil.get_terminal_size().columns)
    for line in lines:
        print(_GAP.join(map(padded, line, widths)).rstrip())


def fitted(widths: Sequence[int], room: int) -> list[int]:
    """The widths of a table's columns, the widest cut until all have room or none can give any more."""
    widths = list(widths)
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - room
    while excess > 0 and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
        excess -= 1
    return widths


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes: two for wide characters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if category(char) in ("Mn", "Me", "Cf") else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def padded(text: str, width: int) -> str:
    """A text in so many columns, cut with an ellipsis where it went on."""
    if width_of(text) > width:
        kept = takewhile(
            lambda pair: pair[1] < width, zip(text, accumulate(map(width_of, text)), strict=True)
        )
        text = "".join(char for char, _ in kept) + "…"
    return text + " " * (width - width_of(text))


def cell(value: Any) -> str:
    """A value on one line, without what a terminal would obey."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(cell, value))
    return " ".join(_CONTROL.sub(" ", str(plain(value))).split())


def print_record(record: dict[str, Any]) -> None:
    """One thing's values, a line each."""
    width = max(map(len, record))
    for key, value in record.items():
        print(f"{key.replace('_', ' '):<{width}}  {cell(value)}".rstrip())


def print_verbatim(text: str) -> None:
    """Somebody else's text, line by line, without what a terminal would obey."""
    for line in text.splitlines():
        print(_CONTROL.sub("?", line.expandtabs()).rstrip())


def count_of(number: int, thing: str) -> str:
    """`1 reader`, `2 readers`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def tally(counts: Mapping[Any, int]) -> str:
    """`2 deferred, 40 sent`."""
    return ", ".join(f"{count} {str(state).replace('_', ' ')}" for state, count in sorted(counts.items()))


class Progress(AbstractContextManager["Progress"]):
    """A line on the terminal that is written over as work goes on; nothing in a pipe."""

    def __init__(self) -> None:
        self._shown_at = 0.0
        self._width = 0

    def __call__(self, text: str) -> None:
        """Show how far it has got, a few times a second at most."""
        now = time.monotonic()
        if is_terminal() and now - self._shown_at >= _PROGRESS_SECONDS:
            self._shown_at = now
            self._write(text)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._width:
            self._write("")
            sys.stderr.write("\r")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text:<{self._width}}")
        sys.stderr.flush()
        self._width = len(text)


def is_terminal() -> bool:
    """Whether a person reads the diagnostics."""
    return sys.stderr.isatty()


def note(message: str) -> None:
    """A diagnostic, on standard error."""
    print(_CONTROL.sub(lambda found: "\n" if found[0] == "\n" else " ", message), file=sys.stderr)
