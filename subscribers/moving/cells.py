"""What single cells mean: addresses, names, moments, yes and no. Pure; every cell has an answer."""

import re
import unicodedata
from binascii import Error as Base64Error
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from functools import cache
from zoneinfo import available_timezones

from subscribers.address import Address, AddressError, parse_address

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NAME_LIMIT = 200
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) ([+-]\d{4})(?: \S+)?")
_SECONDS = re.compile(r"(\d{10})(?:\d{3})?(?:\.\d+)?")
_YEAR_FIRST = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})((?: \d\d:\d\d(?::\d\d)?)?)")
_DAY_FIRST = re.compile(r"(\d{1,2})([./])(\d{1,2})\2(\d{4})(?: (\d\d):(\d\d)(?::(\d\d))?)?")
_NAMED = re.compile(
    r"(?:[A-Z][a-z]{2,8},? )?(?:(\d{1,2})[ -]([A-Z][a-z]{2})[a-z]*|([A-Z][a-z]{2})[a-z]* (\d{1,2}))[, -]{1,2}"
    r"(\d{4})(?:,? (\d\d):(\d\d)(?::(\d\d))?(?: ([+-]\d{4}|GMT|UTC))?)?"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_YEARS = range(1970, 2200)
_WITHOUT_SPACE = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_YES = "true t yes y 1 on x ja j oui o si sí sim s да так tak evet igen ano はい 是"
_NO = "false f no n 0 off nein non não нет ні nie hayır nem ne いいえ 否"
_ANSWERS = {word: yes for words, yes in ((_YES, True), (_NO, False)) for word in words.split()}


class RowError(ValueError):
    """Why a row is nobody to take over."""


def safe(text: str) -> str:
    """A cell's text, as one that no spreadsheet runs. Undone by `meant`, whatever the text."""
    return f"'{text}" if text.lstrip("'").startswith(_FORMULA) else text


def meant(cell: str) -> str:
    """What a cell says, without the apostrophe that keeps spreadsheets from running it."""
    return cell[1:] if cell[:1] == "'" and cell.lstrip("'").startswith(_FORMULA) else cell


def key_of(name: str) -> str:
    """A name without what people write in this way or that: case, accents, hyphens, blanks."""
    folded = unicodedata.normalize("NFKD", meant(name)[:100]).casefold()
    return unicodedata.normalize("NFC", "".join(char for char in folded if char.isalnum()))


def mailbox(cell: str) -> tuple[Address, str | None]:
    """An address, bare or as `Ann <ann@example.org>`, and the name that came with it. Raises RowError."""
    text = meant(cell).strip()
    called = None
    if text[-1:] == ">":
        before, angle, inside = text[:-1].rpartition("<")
        if angle:
            text, called = inside, name_of(_unquoted(before.strip()))
    try:
        return parse_address(text), called
    except AddressError as error:
        raise RowError(str(error)) from None


def _unquoted(name: str) -> str:
    """A display name (RFC 5322 §3.2.4, RFC 2047) as people read it."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    if "=?" in name:
        try:
            return str(make_header(decode_header(name)))
        except (ValueError, LookupError, MessageError, Base64Error):
            return name
    return name


def name_of(cell: str) -> str | None:
    """A name on one line. Controls and line breaks go; the joiners of Persian and Indic names stay.

    Raises RowError for what is no name but rows that a forgotten quotation mark has made one cell.
    """
    text = meant(cell)
    if not text.isprintable():
        if "\n" in text and "@" in text:
            raise RowError("a name has lines with addresses in it: is a quotation mark missing?")
        text = "".join(char if char.isprintable() or char in "\u200c\u200d" else " " for char in text)
    return " ".join(text.split())[:_NAME_LIMIT].rstrip() or None


def full_name(first: str, last: str) -> str | None:
    """Of two cells, in the order that the script has."""
    if _WITHOUT_SPACE.fullmatch(first.strip()) and _WITHOUT_SPACE.fullmatch(last.strip()):
        return name_of(last.strip() + first.strip())
    return name_of(f"{meant(first)} {meant(last)}")


def moment(cell: str) -> datetime | None:
    """A point in time, in UTC where no zone is named. None for what is none, or may be read in two ways."""
    text = meant(cell).strip()
    if not text:
        return None
    text = text.removesuffix(" UTC").removesuffix(" GMT")
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        try:
            read = datetime.fromisoformat(_as_iso(text))
        except ValueError:
            return None
    if read.year not in range(_YEARS.start - 1, _YEARS.stop + 1):  # what has no UTC is far from any year here
        return None
    at = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    return at if at.year in _YEARS else None


def _as_iso(text: str) -> str:
    """Other ways of writing times: Go's, with points or with strokes, in seconds, with names of months.

    With points the day is first; with strokes the year, or else the day is what can be no month.
    """
    if found := _GO_TIME.match(text):
        return found[1] + found[2]
    if found := _SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(found[1]), UTC).isoformat()
    if found := _YEAR_FIRST.fullmatch(text):
        return f"{found[1]}-{found[2]:0>2}-{found[3]:0>2}{found[4]}"
    if found := _DAY_FIRST.fullmatch(text):
        day, stroke, month, year, *time = found.groups(default="00")
        if stroke == "/" and int(month) > len(_MONTHS):
            day, month = month, day
        if stroke == "." or int(day) > len(_MONTHS):
            return f"{year}-{month:0>2}-{day:0>2} {':'.join(time)}"
    if (found := _NAMED.fullmatch(text)) and (name := found[2] or found[3]) in _MONTHS:
        hour, minute, second, offset = found.groups(default="00")[5:]
        month, day = str(_MONTHS.index(name) + 1), found[1] or found[4]
        shift = offset if offset[0] in "+-" else ""
        return f"{found[5]}-{month:0>2}-{day:0>2} {hour}:{minute}:{second}{shift}"
    return ""


def truth(cell: str) -> bool | None:
    """Yes or no, in several languages; None where it is neither."""
    return _ANSWERS.get(meant(cell).strip().lower())


def zone(cell: str) -> str | None:
    """An IANA zone, None for what is none."""
    text = meant(cell).strip()
    return text if text in _zones() else None


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
