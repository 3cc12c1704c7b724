"""A post: one Markdown file with its front matter, read and checked once.

Promises: a `PostSource` is complete and clean. Its title is one line, its dates are dates, its categories
and tags are slugs, its body has text, and its content hash names everything a letter made from it shows.

Fails with `ContentError` (file and line) for a file that cannot be read, is no UTF-8 text, is too large or
empty, and for front matter of the wrong kind.

May surprise: a date with a time zone keeps the calendar day that was written. Jekyll's own conventions
hold: `categories` as a string is split at spaces, `category` is one name, and a file name may carry the
date and the slug (`2024-05-31-name.md`).
"""

import codecs
import hashlib
import json
import re
import shlex
import unicodedata
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from newsletter.content.frontmatter import FrontMatter, Value, split
from newsletter.content.html import plain
from newsletter.content.markdown import to_tree
from newsletter.content.speakers import read_speakers
from newsletter.content.tree import Speaker
from newsletter.errors import ContentError
from newsletter.files import open_regular

MAX_POST_BYTES = 2_000_000
MAX_TITLE_CHARS = 300

_DAY = timedelta(days=1)
_SECOND = date.min + _DAY
"""The first day that has one before it."""
_NULLS = {"", "~", "null", "Null", "NULL"}  # YAML 1.1: the ways to write nothing
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:(?:[Tt]|\s+)\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(?:[Zz]|[A-Z]{3,5}|[+-]\d{1,2}:?(?:\d{2})?)?)?"
)
_FILE_NAME = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})-(.+)")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # RFC 5646 section 2.1, in outline
_ATX = re.compile(r" {0,3}#{1,6}[ \t]+(\S.*?)[ \t]*#*[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})[ \t]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_UTF16_OR_32 = (
    codecs.BOM_UTF16_LE,
    codecs.BOM_UTF16_BE,
    codecs.BOM_UTF32_BE,
)  # the first begins UTF-32 LE too


@dataclass(frozen=True, slots=True)
class PostHead:
    """What the front matter and the file's name say of whether and where a post goes out."""

    slug: str
    day: date | None
    expires: date | None
    """The last day on which it may go out."""
    published: bool
    categories: tuple[str, ...]
    problem: str = ""
    """Why nothing but `categories` is to be believed; empty where all is well."""


@dataclass(frozen=True, slots=True)
class PostSource:
    """One Markdown source. `body_line` is the line of the file at which `markdown` starts.

    `url` is the post's own absolute address, from front matter only. `content_hash` is the SHA-256, in
    hexadecimal, of all that a letter shows; moving or re-dating the file on disk does not change it. It may
    go out from `not_before` on, and on `expires` for the last time.
    """

    path: Path
    slug: str
    title: str
    not_before: date | None
    expires: date | None
    date: date | None
    categories: tuple[str, ...]
    tags: tuple[str, ...]
    lang: str | None
    author: str | None
    summary: str | None
    published: bool
    url: str | None
    speakers: tuple[Speaker, ...]
    markdown: str
    body_line: int
    content_hash: str


def read_post(path: Path) -> PostSource:
    """Read the post at `path`.

    Raises:
        ContentError: there is no such file, or it is not a post.
    """
    return parse_post(read_bytes(path), path)


def read_bytes(path: Path) -> bytes:
    """Read a post's file; at most `MAX_POST_BYTES` of it ever enter memory.

    Raises:
        ContentError: there is no such file, or it is none that can be read, or it is too large.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_POST_BYTES + 1)
            size = file.seek(0, 2)
    except IsADirectoryError as error:
        raise ContentError("is a directory: name the post's file inside it", path=path) from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise _unreadable(error, path) from error
    if size > MAX_POST_BYTES:
        raise _too_large(size, path)
    return data


def parse_post(data: bytes, path: Path) -> PostSource:
    """Make a post of a file's bytes; `path` gives the file name conventions and is named in errors.

    Raises:
        ContentError: the bytes are not a post.
    """
    if len(data) > MAX_POST_BYTES:
        raise _too_large(len(data), path)
    front = split(_decode(data, path), path)
    fields = _Fields(front, path)
    if not front.body.strip():
        raise ContentError("the post has no text", path=path, line=front.body_line)
    name_date, name = _from_file_name(path)
    slug = _slug(fields, name, path)
    title = fields.title() or _first_heading(front.body) or _readable(name)
    author, lang, url = fields.author(), fields.language(), fields.url()
    speakers = fields.speakers(author)
    summary = fields.text("summary") or fields.text("description") or fields.text("excerpt")
    day = fields.day("date") or name_date
    not_before, expires = fields.term()
    told = [asdict(speaker) for speaker in speakers]
    shown = [title, author, day and day.isoformat(), lang, summary, url, told, front.body]
    return PostSource(
        path=path,
        slug=slug,
        title=title,
        not_before=not_before,
        expires=expires,
        date=day,
        categories=fields.names("categories", "category"),
        tags=fields.names("tags", "tag"),
        lang=lang,
        author=author,
        summary=summary,
        published=fields.is_published(),
        url=url,
        speakers=speakers,
        markdown=front.body,
        body_line=front.body_line,
        content_hash=hashlib.sha256(json.dumps(shown).encode()).hexdigest(),
    )


def parse_head(data: bytes, path: Path) -> PostHead:
    """Read what a file says above its text, which may be unfinished or missing.

    A folder holds files that are none of ours: what is wrong below `categories` is a value, for whoever wants
    the post.

    Raises:
        ContentError: not even its categories can be read.
    """
    fields = _Fields(split(_decode(data, path), path), path)
    categories = fields.names("categories", "category")
    name_date, name = _from_file_name(path)
    try:
        _, expires = fields.term()
        return PostHead(
            slug=_slug(fields, name, path),
            day=fields.day("date") or name_date,
            expires=expires,
            published=fields.is_published(),
            categories=categories,
        )
    except ContentError as error:
        return PostHead(slugify(name), name_date, None, True, categories, str(error))


def slugify(text: str) -> str:
    """Write a name as categories are compared: NFC, lower case, `-` for all that is no letter or digit.

    Letters of every script stay, with their combining marks. The result may be empty; applying it twice
    changes nothing.
    """
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
    kept = [
        char if char.isalnum() or unicodedata.category(char)[0] == "M" else "-"
        for char in text
        if unicodedata.category(char) != "Cf"  # joiners and direction marks divide no words
    ]
    return re.sub("-+", "-", "".join(kept)).strip("-")


def _unreadable(error: OSError | ValueError, path: Path) -> ContentError:
    if isinstance(error, FileNotFoundError):
        return ContentError("there is no such file", path=path)
    return ContentError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path=path)


def _too_large(size: int, path: Path) -> ContentError:
    return ContentError(f"has {size:,} bytes, more than the {MAX_POST_BYTES:,} a post may have", path=path)


def _decode(data: bytes, path: Path) -> str:
    """Decode UTF-8, or say what the file is instead and how to mend it."""
    if data.startswith(_UTF16_OR_32):
        raise ContentError(
            f"is UTF-16 or UTF-32, not UTF-8; mend it with: {_iconv('UTF-16', path)}", path=path
        )
    if (nul := data.find(b"\0")) >= 0:
        raise ContentError("is a binary file, not a text", path=path, line=data.count(b"\n", 0, nul) + 1)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        encoding = _guess_encoding(data)
        raise ContentError(
            f"is not UTF-8 (byte 0x{data[error.start]:02x}); it may be {encoding}; "
            f"mend it with: {_iconv(encoding.upper(), path)}",
            path=path,
            line=data.count(b"\n", 0, error.start) + 1,
        ) from None


def _iconv(encoding: str, path: Path) -> str:
    old, new = shlex.quote(str(path)), shlex.quote(f"{path}.utf8")
    return f"iconv -f {encoding} -t UTF-8 {old} > {new} && mv {new} {old}"


def _guess_encoding(data: bytes) -> str:
    """Guess which Windows code page bytes are in, by how their high letters stand together.

    Western text has them singly among ASCII letters. Hebrew (windows-1255) and Cyrillic (windows-1251)
    have whole words of them, and Hebrew has no letters at the places of Russian capitals and ы, ь, э, ю, я.
    """
    high = re.findall(rb"[\xc0-\xff]+", data)
    in_words = b"".join(run for run in high if len(run) > 1)
    if len(in_words) * 2 < sum(map(len, high)) or not in_words:
        return "windows-1252"
    return "windows-1251" if re.search(rb"[\xc0-\xdf\xfb-\xff]", in_words) else "windows-1255"


def _slug(fields: "_Fields", name: str, path: Path) -> str:
    slug = slugify(fields.text("slug") or name)
    if not slug:
        raise ContentError("no slug can be made of the file name: give one in the front matter", path=path)
    return slug


def _from_file_name(path: Path) -> tuple[date | None, str]:
    """Take Jekyll's date and slug from a file name; for Hugo's `name/index.md` the folder's name."""
    stem = path.parent.name if path.stem == "index" and path.parent.name else path.stem
    dated = _FILE_NAME.fullmatch(stem)
    day = _as_date(dated[1]) if dated else None
    return (day, dated[2]) if dated and day else (None, stem)


def _as_date(text: str) -> date | None:
    found = _DATE.fullmatch(text.strip())
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _readable(name: str) -> str:
    words = _one_line(name.replace("-", " ").replace("_", " "))[:MAX_TITLE_CHARS] or name
    return words[:1].upper() + words[1:]


def _one_line(text: str) -> str:
    """Collapse white space and drop control characters (Unicode category Cc)."""
    return "".join(char for char in " ".join(text.split()) if unicodedata.category(char) != "Cc")


def _first_heading(body: str) -> str | None:
    """Give the plain text of the first heading outside fenced code, underlined or after `#`."""
    fence, above = "", ""
    for line in body.split("\n"):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            heading = _ATX.fullmatch(line[: MAX_TITLE_CHARS + 1])
            text = heading[1] if heading else above if _UNDERLINE.fullmatch(line) else ""
            if text and len(text) <= MAX_TITLE_CHARS:
                return _one_line(plain(to_tree(text, base_url=None))) or None
        above = line.strip()
    return None


class _Fields:
    """Front matter by meaning: each method gives a clean value or a `ContentError` at the key's line."""

    def __init__(self, front: FrontMatter, path: Path) -> None:
        self._front = front
        self._path = path

    def text(self, key: str) -> str | None:
        """Give a string on one line; None where the key is missing or says nothing."""
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._error(key, "must be a text")
        return _one_line(value) or None

    def title(self) -> str | None:
        title = self.text("title")
        if title and len(title) > MAX_TITLE_CHARS:
            raise self._error(
                "title", f"has {len(title)} characters, more than the {MAX_TITLE_CHARS} allowed"
            )
        return title

    def day(self, key: str) -> date | None:
        text = self.text(key)
        day = _as_date(text) if text else None
        if text and day is None:
            raise self._error(key, f"is {text[:40]!r}, which is no date: write it as YYYY-MM-DD")
        return day

    def term(self) -> tuple[date | None, date | None]:
        """From which day to which the post may go out; on Hugo's `expiryDate` it is gone already."""
        first = self.day(self._said_by("not_before", "publishDate", "publishdate"))
        key = self._said_by("expires", "expiryDate", "expirydate")
        last = self.day(key)
        if last is not None and key != "expires":
            last = max(last, _SECOND) - _DAY
        if first is not None and last is not None and last < first:
            raise self._error(key, f"leaves no day: the post may go out from {first} on")
        return first, last

    def is_published(self) -> bool:
        return self.flag("published", default=True) and not self.flag("draft", default=False)

    def flag(self, key: str, *, default: bool) -> bool:
        text = self.text(key)
        if text is None:
            return default
        if text.lower() not in _BOOLEANS:
            raise self._error(key, f"is {text[:40]!r}: write true or false")
        return _BOOLEANS[text.lower()]

    def language(self) -> str | None:
        text = (self.text("lang") or "").replace("_", "-")
        if text and not _LANGUAGE.fullmatch(text):
            raise self._error(
                "lang", f"is {text[:40]!r}, which is no language tag (BCP 47), such as en or pt-BR"
            )
        return text or None

    def url(self) -> str | None:
        """Give the post's own address; a `permalink` that is a path or a pattern says none."""
        url = self.text("canonical_url")
        if url is not None and not _is_web_address(url):
            raise self._error("canonical_url", "must be an absolute http or https address")
        permalink = self._value("permalink")
        if url is None and isinstance(permalink, str) and _is_web_address(permalink):
            return permalink
        return url

    def author(self) -> str | None:
        key = "author" if self._value("author") is not None else "authors"
        value = self._value(key)
        entries = value if isinstance(value, list) else [] if value is None else [value]
        names = [entry.get("name") if isinstance(entry, dict) else entry for entry in entries]
        if not all(isinstance(name, str) for name in names):
            raise self._error(key, "must be a name, a list of names, or a mapping with `name`")
        return ", ".join(filter(None, (_one_line(str(name)) for name in names))) or None

    def speakers(self, author: str | None) -> tuple[Speaker, ...]:
        try:
            return read_speakers(self._value("speakers"), author)
        except ValueError as error:
            raise self._error("speakers", str(error)) from error

    def names(self, plural: str, singular: str) -> tuple[str, ...]:
        """Give the slugs of `plural` (list or string) and `singular` (list or one name), each once."""
        single = self._value(singular)
        names = [*self._listed(plural), *([single] if isinstance(single, str) else self._listed(singular))]
        return tuple(dict.fromkeys(filter(None, map(slugify, names))))

    def _listed(self, key: str) -> list[str]:
        value = self._value(key)
        if isinstance(value, str):
            return value.split(",") if "," in value else value.split()
        if isinstance(value, dict):
            raise self._error(key, "must be a list of names")
        names = [name for name in value or [] if isinstance(name, str)]
        if len(names) < len(value or []):
            raise self._error(key, "must be a list of names, without lists or mappings inside")
        return [name for name in names if name not in _NULLS]

    def _said_by(self, *keys: str) -> str:
        """Give the first of these keys that says anything, else the last."""
        return next((key for key in keys if self._value(key) is not None), keys[-1])

    def _value(self, key: str) -> Value | None:
        value = self._front.values.get(key)
        return None if isinstance(value, str) and value in _NULLS else value

    def _error(self, key: str, problem: str) -> ContentError:
        return ContentError(f"`{key}` {problem}", path=self._path, line=self._front.lines.get(key))


def _is_web_address(text: str) -> bool:
    return re.fullmatch(r"https?://[^\s/]\S*", text, re.IGNORECASE) is not None
