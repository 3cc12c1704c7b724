"""The rows that cannot be read, written so that they can be mended and imported as the file that they are of.

Each stands below its own file's header, behind its line and what is wrong with it. Of a folder or an archive
a folder is written, with a file for each that has such rows and under its name, which may say what its people
are. Entries of an API's answer are written as JSON.
"""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from subscribers.errors import PaperroundError
from subscribers.moving.cells import safe
from subscribers.moving.look import ENTRY, Export
from subscribers.moving.people import BadRow

Write = Callable[[BadRow], None]


class RejectsError(PaperroundError, ValueError):
    """Rows that cannot be read cannot be written there."""


@contextmanager
def rejects(export: Export, into: Path) -> Iterator[Write]:
    """Write bad rows to a file, or to a folder of files. Raises RejectsError, and OSError."""
    if export.files and into.is_file():
        raise RejectsError(f"{into}: is a file, but the rows come from several: name a folder")
    if export.files:
        into.mkdir(exist_ok=True)
    with ExitStack() as opened:
        writers: dict[str, Write] = {}

        def begin(part: str) -> Write:
            path = into / _name_of(part, export.files) if part else into
            out = opened.enter_context(path.open("w", encoding="utf-8", newline=""))
            header = export.headers[part]
            if header == (ENTRY,):
                return opened.enter_context(_entries(out))
            return _rows(out, header)

        def write(row: BadRow) -> None:
            if row.file not in writers:
                writers[row.file] = begin(row.file)
            writers[row.file](row)

        if not export.files:
            writers[""] = begin("")
        yield write


def _name_of(part: str, parts: Sequence[str]) -> str:
    """What a file is called in one folder: its name, with those of its folders where another has the same."""
    name = Path(part).name
    is_shared = sum(Path(one).name == name for one in parts) > 1
    return part.replace("/", "_") if is_shared else name


def _rows(out: TextIO, header: tuple[str, ...]) -> Write:
    rows = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    rows.writerow(["line", "problem", *header])

    def write(row: BadRow) -> None:
        rows.writerow([row.line, safe(row.problem), *map(safe, row.cells)])

    return write


@contextmanager
def _entries(out: TextIO) -> Iterator[Write]:
    """A list of the entries, each with what is wrong with it."""
    before = "["

    def write(row: BadRow) -> None:
        nonlocal before
        entry = json.loads(row.cells[0])
        told = {"problem": row.problem, **(entry if isinstance(entry, dict) else {"entry": entry})}
        out.write(f"{before}\n{json.dumps(told, ensure_ascii=False)}")
        before = ","

    yield write
    out.write("[]\n" if before == "[" else "\n]\n")
