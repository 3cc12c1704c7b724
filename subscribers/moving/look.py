"""Which tool wrote a file, and the people in it.

A folder or an archive stands for the files in it that are one tool's: what else is in it is left alone, and
named. Whether a file is sound is found out before its first person is given, as far as that can be: its
encoding all through, its columns, and what it must say of everybody's state.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from subscribers.moving import (
    anycsv,
    buttondown,
    ghost,
    listmonk,
    mailchimp,
    mailman,
    paperround,
    substack,
)
from subscribers.moving.cells import RowError
from subscribers.moving.columns import Columns, check_that_no_refusal_is_overlooked, columns_of
from subscribers.moving.entries import ReadEntry, entries, is_json
from subscribers.moving.people import BadRow, Newcomer
from subscribers.moving.source import CsvError, NotPeopleError, Source, sources
from subscribers.moving.table import Table, look_at, opened
from subscribers.moving.tool import ReadRow, Tool

_TOOLS = (
    paperround.TOOL,
    mailchimp.TOOL,
    listmonk.TOOL,
    substack.TOOL,
    ghost.TOOL,
    buttondown.TOOL,
    mailman.TOOL,
    anycsv.TOOL,
)
ENTRY = "entry"
"""The one cell of a bad entry of an API's answer: all of it, in JSON."""
_API = ((listmonk.TOOL.name, listmonk), (mailman.TOOL.name, mailman))
TOOLS = tuple(tool.name for tool in _TOOLS)
"""The names of the tools, to be chosen from."""
_LOOKED_AT = 20
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class _Part:
    """One file, and whose it is."""

    source: Source
    tool: str
    header: tuple[str, ...]
    rows: Callable[[], Iterator[Newcomer | BadRow]]
    reading: str
    """How it is read: the same file, read otherwise, is another one."""
    columns: Columns | None = None
    """Of a table without a known form."""
    caveat: str = ""
    are_addresses: bool = False
    """Whether there is nothing in it but one address a line."""


class _Asked(NamedTuple):
    """What somebody says of the files."""

    tool: str | None
    columns: Sequence[tuple[str, str]]
    ignored: Collection[str]
    delimiter: str | None
    encoding: str | None


class Export:
    """The people of a tool: who they are, and what it says of them."""

    def __init__(self, parts: Sequence[_Part], skipped: Sequence[str]) -> None:
        self._parts = parts
        self.tool = parts[0].tool
        """Who wrote it: `paperround`, `listmonk`, `mailchimp` …; `csv` where that is not known."""
        self.has_confirmed = next(one.has_confirmed for one in _TOOLS if one.name == self.tool)
        """Whether that has kept itself, by what it tells of a person, that they confirmed."""
        self.headers = {part.source.part: part.header for part in parts}
        """Of each file, "" where there is one only, the names of the cells of a bad row."""
        self.files = tuple(part.source.part for part in parts if part.source.part)
        """Those of a folder or an archive that are read."""
        self.skipped = tuple(skipped)
        """Those that are not."""
        self.caveat = next((part.caveat for part in parts if part.caveat), "")
        """What the tool's file cannot say, and what to do about it."""
        self.columns = parts[0].columns
        """Which columns are what, of a table of no known form; of the first such file."""

    def rows(self) -> Iterator[Newcomer | BadRow]:
        """Everybody, in the files' order, always the same. Raises CsvError where it cannot go on."""
        for part in self._parts:
            yield from part.rows()

    def fingerprint(self) -> str:
        """SHA-256 of all of it, and of how it is read."""
        found = hashlib.sha256()
        for part in self._parts:
            found.update(f"{part.source.part}\0{part.reading}\0".encode())
            with opened(part.source) as file:
                while block := file.read(_BLOCK):
                    found.update(block)
        return found.hexdigest()


def open_export(
    path: Path,
    *,
    tool: str | None = None,
    columns: Sequence[tuple[str, str]] = (),
    ignored: Collection[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Export:
    """Look at a file and say whose it is. Raises CsvError where that cannot be told, or it cannot be read.

    `columns` says what (see `columns.FIELDS`) is in which columns, by their names; `ignored` are to be passed
    by.
    """
    asked = _Asked(tool, columns, ignored, delimiter, encoding)
    if tool is not None and tool not in TOOLS:
        raise CsvError(f"{tool!r} is no tool whose files are known here; there are {', '.join(TOOLS)}")
    parts, skipped = [], []
    for source in sources(path):
        found = _part(source, asked)
        if found is None:
            skipped.append(source)
        else:
            parts.append(found)
    named = {part.tool for part in parts} - {anycsv.TOOL.name}
    if len(named) > 1:
        raise CsvError(
            f"{path}: holds files of {' and '.join(sorted(named))}; name the files one by one, or say with "
            f"--from whose are meant"
        )
    if named:
        # A list of Mailman's on which nobody has a name is one of addresses alone.
        kept = [p for p in parts if p.tool in named or (named == {mailman.TOOL.name} and p.are_addresses)]
        skipped += [part.source for part in parts if part not in kept]
        parts = kept
    # Several files that are nobody's by their columns: `--from csv` would make readers of who left.
    unknown = [part.source for part in parts] if len(parts) > 1 and not named else []
    _check_that_none_is_missed(named or TOOLS, [*skipped, *unknown])
    if len(parts) > 1 and not named and tool is None:
        names = ", ".join(part.source.part for part in parts[:5])
        raise CsvError(
            f"{path}: holds several files with addresses, of no tool that is known here ({names}); name "
            f"one of them, or say --from csv if each is a list of readers"
        )
    if not parts:
        names = ", ".join(source.part for source in skipped[:5])
        raise CsvError(f"{path}: holds no file of people, only {names}")
    return Export(parts, [source.part for source in skipped])


def _check_that_none_is_missed(named: Collection[str], skipped: Sequence[Source]) -> None:
    """Refuse an export if a file is left out that is the tool's by its name: who left may be in it."""
    for tool in _TOOLS:
        missed = [source for source in skipped if tool.name in named and tool.claims(source.name)]
        if missed:
            raise CsvError(
                f"{missed[0].shown}: is {tool.name}'s by its name, but not by its columns; export it "
                f"anew, or take it away if nobody is in it"
            )


def _part(source: Source, asked: _Asked) -> _Part | None:
    """A file and whose it is; None for one of many that is no file of people."""
    try:
        if is_json(source):
            return _of_api(source, asked.tool)
        return _of_table(source, asked)
    except NotPeopleError:
        if source.part:
            return None
        raise


def _of_table(source: Source, asked: _Asked) -> _Part:
    table = look_at(source, encoding=asked.encoding, delimiter=asked.delimiter)
    columns = columns_of(table.sample, source.shown, asked.columns, asked.ignored)
    chosen = _whose(source, table, columns, asked)
    is_known = chosen is not anycsv.TOOL
    if is_known and (asked.columns or asked.ignored):
        raise CsvError(
            f"{source.shown}: is {chosen.name}'s, of known columns; leave --column and --ignore out, or say "
            f"--from csv"
        )
    if not is_known:
        check_that_no_refusal_is_overlooked(columns, table.sample[1:], source.shown)
    header = bool(columns.header)
    return _Part(
        source,
        chosen.name,
        columns.header or columns.called(len(table.sample[0])),
        partial(_people, table, chosen.reader(columns, source), header=header),
        repr((table.form, columns)),
        None if is_known else columns,
        chosen.caveat,
        are_addresses=not header and len(table.sample[0]) == 1,
    )


def _whose(source: Source, table: Table, columns: Columns, asked: _Asked) -> Tool:
    """The tool that wrote a table. Raises CsvError where that has to be said by a person."""
    names = frozenset(columns.named())
    fitting = [one for one in _TOOLS if one.is_it(names) and asked.tool in (None, one.name)]
    if not fitting:
        raise NotPeopleError(
            f"{source.shown}:1: is none of {asked.tool}'s, by its columns "
            f"({', '.join(columns.header) or 'none'}); leave --from out to have it looked at, or say "
            f"--from csv"
        )
    chosen = fitting[0]
    if asked.tool is None and chosen is mailman.TOOL and table.form.quotes:
        return anycsv.TOOL  # addresses alone may be anybody's
    if asked.tool is None and chosen.is_misleading:
        raise CsvError(f"{source.shown}: {chosen.caveat}. Or say --from {chosen.name} to take it as it is")
    return chosen


def _people(table: Table, read: ReadRow, *, header: bool) -> Iterator[Newcomer | BadRow]:
    part = table.source.part
    for line, cells, problem in table.rows(header=header):
        if problem:
            yield BadRow(line, problem, tuple(cells), part)
            continue
        try:
            person = read(line, cells)
        except RowError as error:
            yield BadRow(line, str(error), tuple(cells), part)
        else:
            yield person


def _of_api(source: Source, tool: str | None) -> _Part:
    # Some, since one may be damaged.
    some = [entry for _, entry, _ in islice(entries(source), _LOOKED_AT)]
    for name, module in _API:
        is_it = any(isinstance(entry, dict) and module.has_entry(entry) for entry in some)
        if is_it and tool in (None, name):
            rows = partial(_members, source, module.ENTRIES(source))
            return _Part(source, name, (ENTRY,), rows, "")
    raise NotPeopleError(
        f"{source.shown}: is JSON, but no answer of an API that is known here with people in it"
    )


def _members(source: Source, read: ReadEntry) -> Iterator[Newcomer | BadRow]:
    for number, entry, text in entries(source):
        try:
            if not isinstance(entry, dict):
                raise RowError("is no object")
            person = read(number, entry)
        except RowError as error:
            yield BadRow(number, str(error), (text,), source.part)
        else:
            yield person
