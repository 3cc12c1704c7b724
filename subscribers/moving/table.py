"""A file as a table: rows of cells, each with the line where it begins.

Any delimiter and encoding, any line ends, quotes, and line breaks between quotes. A row that is no CSV is
told, and reading goes on with the line after its first: a forgotten quotation mark costs its own row. Text is
decoded and cut into lines by blocks, never one by one, and no more than a few blocks are held: a file of a
gigabyte, or a line of one, takes no more memory than a short one.
"""

import codecs
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from subscribers.moving.columns import is_telling
from subscribers.moving.source import CsvError, NotPeopleError, Source

Row = tuple[int, list[str], str]
"""A row's first line, its cells, and what is wrong with it, "" for a sound one."""

_BLOCK = 2**16
_HEAD = 2**16
_PROOF = 2**20
_LONGEST_LINE = 1_000_000
_SHOWN = 1000
_SAMPLE = 50
_DELIMITERS = (",", ";", "\t", "|")
_CONTROLS = bytes({*range(32)} - {*b"\t\n\v\f\r"})
_FEW = 10
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NO_DELIMITER = "\x1f"
"""No text has it: each line is one cell."""
_MAILBOX = re.compile(
    r"""(?:"(?:[^"\\]|\\.)*+"|[^<>,;\t|"@]*)\s*<[^<>\s]+@[^<>\s]+>|[^<>,;\t|"@\s]+@[^<>,;\t|"@\s]+"""
)
_MOSTLY = 0.8
_LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")
_UNFINISHED = "unexpected end of data"
_SWALLOWED = "rows in a cell"


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written."""

    encoding: str
    delimiter: str
    quotes: bool = True
    spaced: bool = False
    """Whether a space follows the delimiters, and is none of the cells'."""
    skipped: int = 0
    """Rows that are none of the table."""

    def options(self) -> dict[str, Any]:
        """For `csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "quoting": csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE,
            "skipinitialspace": self.spaced,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A file and how it is written."""

    source: Source
    form: Form
    sample: tuple[list[str], ...]
    """Its first rows, blank ones left out."""

    def rows(self, *, header: bool) -> Iterator[Row]:
        """Every row that is not blank, after the header if there is one, filled up to its width."""
        width = len(self.sample[0]) if self.sample else 0
        rows = _records(self.source, self.form, width)
        for _ in range(self.form.skipped + header):
            next(rows, None)
        return rows


def look_at(source: Source, *, encoding: str | None, delimiter: str | None) -> Table:
    """Find out how a file is written. Raises CsvError where nobody can tell."""
    encoding = proved_encoding(source, encoding)
    with opened(source) as file:
        head = codecs.getincrementaldecoder(encoding)("replace").decode(file.read(_HEAD))
    head = head.removeprefix("\ufeff")
    head = head[: _line_end(head)] or head
    if not head.strip():
        raise NotPeopleError(f"{source.shown}: is empty")
    if delimiter is None and _are_mailboxes(head):
        form = Form(encoding, _NO_DELIMITER, quotes=False)
    else:
        form = _form(head, encoding, _one_delimiter(delimiter))
    rows = list(islice(_records(source, form, None), form.skipped, form.skipped + _SAMPLE))
    if not rows:
        raise NotPeopleError(f"{source.shown}: has no rows")
    line, _, problem = rows[0]
    if problem:
        raise CsvError(f"{source.shown}:{line}: {problem}")
    return Table(source, form, tuple(cells for _, cells, problem in rows if not problem))


def _are_mailboxes(head: str) -> bool:
    """Whether lines are mailboxes as in a mail's header, `Ann <ann@example.org>`: commas are their own."""
    lines = [line.strip() for line in head.splitlines() if line.strip()][:_SAMPLE]
    fitting = [line for line in lines if len(line) < _SHOWN and _MAILBOX.fullmatch(line)]
    return len(fitting) >= _MOSTLY * len(lines) and any(line.endswith(">") for line in fitting)


def _form(head: str, encoding: str, delimiter: str | None) -> Form:
    skipped = 0
    if head[:4].lower() == "sep=" and head[5:6] in ("\r", "\n"):  # for Excel
        delimiter, skipped = delimiter or head[4], 1
        head = head[4:].partition("\n")[2]
    delimiter = delimiter or max(_DELIMITERS, key=lambda one: _likelihood(head, one))
    first = next((row for row in _sampled(head, delimiter) if any(row)), [])
    spaced = len(first) > 1 and all(cell.startswith(" ") for cell in first[1:])
    return Form(encoding, delimiter, spaced=spaced, skipped=skipped)


def _likelihood(head: str, delimiter: str) -> tuple[bool, float, int]:
    rows = [row for row in _sampled(head, delimiter) if any(cell.strip() for cell in row)]
    if not rows:
        return (False, 0.0, 0)
    width = len(rows[0])
    alike = sum(len(row) == width for row in rows) / len(rows)
    return (any(is_telling(cell.strip()) for cell in rows[0]), alike if width > 1 else 0.0, width)


def _sampled(head: str, delimiter: str) -> Iterator[list[str]]:
    rows = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
    try:
        yield from islice(rows, _SAMPLE)
    except csv.Error:
        return


def _one_delimiter(given: str | None) -> str | None:
    if given is None:
        return None
    one = {"tab": "\t", "\\t": "\t"}.get(given.lower(), given)
    if len(one) != 1 or one in '"\r\n':
        raise CsvError(f"{given!r} is no delimiter: give one character, such as ';', or tab")
    return one


def marked_encoding(head: bytes) -> str | None:
    """What the mark at a text's beginning says (Unicode §23.8), None where there is no mark."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), None)


def proved_encoding(source: Source, given: str | None) -> str:
    """The encoding that all of a file is in, by its mark or by trying. Raises CsvError for none."""
    with opened(source) as file:
        head = file.read(_HEAD)
    encoding = marked_encoding(head) or ("utf-8" if given is None else given)
    try:
        b"-".decode(encoding, "ignore")
        decoder = codecs.getincrementaldecoder(encoding)()
    except (LookupError, ValueError):
        raise CsvError(f"{encoding!r} is no encoding; try utf-8, cp1252 or cp1251") from None
    if encoding == "utf-8" and len(head) - len(head.translate(None, _CONTROLS)) > _FEW + len(head) // 20:
        raise NotPeopleError(
            f"{source.shown}: is no text; save a spreadsheet as CSV, and say --encoding utf-16-le for a "
            f"text in UTF-16 that does not say so itself"
        )

    with opened(source) as file:
        line, ended = 1, False
        while not ended:
            block = file.read(_PROOF)
            ended = not block
            whole = decoder.getstate()[0] + block
            try:
                line += _line_ends(decoder.decode(block, ended))
            except UnicodeDecodeError as error:
                line += _line_ends(whole[: error.start].decode(encoding, "replace"))
                raise CsvError(_not_in(source, line, encoding, whole, error.start)) from None
            except UnicodeError as error:  # no octet's fault: a mark that has to be there is missing
                raise CsvError(f"{source.shown}: is not {encoding.upper()}: {error}") from None
    return encoding


def _line_ends(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n")


def _not_in(source: Source, line: int, encoding: str, block: bytes, place: int) -> str:
    """What is wrong with a text's encoding, and what it would say in others."""
    around = block[max(place - 12, 0) : place + 12].replace(b"\r", b"\n").split(b"\n")
    excerpt = next((part for part in around if any(byte > 127 for byte in part)), b"")
    readings = [
        f"as {other} it says {excerpt.decode(other, 'replace')!r}"
        for other in ("cp1252", "cp1251")
        if other != encoding
    ]
    return (
        f"{source.shown}:{line}: is not {encoding.upper()}; say what it is with --encoding "
        f"({', '.join(readings)}), or save the file as UTF-8"
    )


@contextmanager
def opened(source: Source) -> Iterator[IO[bytes]]:
    """A file to read; whatever goes wrong with it comes out as CsvError."""
    try:
        with source.open() as file:
            yield file
    except OSError as error:
        raise CsvError(f"{source.shown}: cannot be read: {error.strerror or error}") from error
    except UnicodeError as error:
        raise CsvError(f"{source.shown}: has changed while it was read; start again") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise CsvError(f"{source.shown}: cannot be unpacked ({error}); unpack it into a folder") from error


def _records(source: Source, form: Form, width: int | None) -> Iterator[Row]:
    """The rows of a file, blank ones left out; with a width, filled up to it, and refused beyond it."""
    decode = codecs.getincrementaldecoder(form.encoding)().decode
    options = form.options()
    first, text, ended = 1, "", False
    with opened(source) as file:
        while not ended:
            block = file.read(_BLOCK)
            ended = not block
            text += decode(block, ended)
            if first == 1:
                text = text.removeprefix("\ufeff")
            cut = len(text) if ended else _line_end(text)
            if not cut and len(text) > _LONGEST_LINE:
                yield first, [text[:_SHOWN]], f"is a line of more than {_LONGEST_LINE:,} characters"
                end = None
                while end is None and not ended:
                    block = file.read(_BLOCK)
                    ended = not block
                    text = text[-1:] + decode(block, ended)
                    end = _LINE_END.search(text)
                first, text = first + 1, text[end.end() :] if end else ""
                continue
            lines, text = list(io.StringIO(text[:cut], newline="")), text[cut:]
            place = 0
            while place < len(lines):
                begins = place
                reader = csv.reader(map(lines.__getitem__, range(place, len(lines))), strict=True, **options)
                try:
                    for row in reader:
                        if place + reader.line_num - begins > 1 and _swallows(row, form.delimiter):
                            raise csv.Error(_SWALLOWED)  # as the reader does of others
                        if len(row) == width and row[0] >= "!":  # whatever begins with no blank
                            yield first + begins, row, ""
                        elif any(cell.strip() for cell in row):
                            is_last = ended and place + reader.line_num == len(lines)
                            breaks_off = is_last and lines[-1][-1] not in "\r\n"
                            yield first + begins, row, _fit(row, width, breaks_off=breaks_off)
                        begins = place + reader.line_num
                    place = begins
                except csv.Error as error:
                    rest = "".join(lines[begins:]) if str(error) == _UNFINISHED and not ended else ""
                    if 0 < len(rest) < _LONGEST_LINE:
                        lines, text = lines[:begins], rest + text
                        break
                    yield first + begins, [lines[begins].rstrip("\r\n")], _reason(error)
                    place = begins + 1
            first += len(lines)


def _swallows(row: list[str], delimiter: str) -> bool:
    """Whether a cell has lines that are other people's rows: two stray quotation marks make one of them."""
    lines = (line for cell in row if "@" in cell for line in cell.splitlines()[1:])
    return any("@" in line and delimiter in line for line in lines)


def _fit(row: list[str], width: int | None, *, breaks_off: bool) -> str:
    """Fill a row up to the width of the header; what is wrong with it, if anything."""
    if width is None:
        return ""
    if any(cell.strip() for cell in row[width:]):
        return (
            f"has {len(row)} cells, and the first row {width}: is a cell with a delimiter in it not quoted?"
        )
    if len(row) < width:
        row.extend([""] * (width - len(row)))
        return "breaks off, and so does the file: is it whole?" if breaks_off else ""
    return ""


def _reason(error: csv.Error) -> str:
    told = str(error)
    if told == _SWALLOWED:
        return "has a cell with other people's rows in it: is a quotation mark missing, or one too many?"
    if told == _UNFINISHED:
        return "is not CSV: a quotation mark is opened and never closed"
    if "field limit" in told:
        return (
            f"is not CSV: a cell has more than {csv.field_size_limit():,} characters; is a quote not closed?"
        )
    return "is not CSV: a closing quotation mark has text behind it"


def _line_end(text: str) -> int:
    """Where the last whole line ends; a carriage return at the very end may be half of one."""
    return max(text.rfind("\n"), text.rfind("\r", 0, max(len(text) - 1, 0))) + 1
