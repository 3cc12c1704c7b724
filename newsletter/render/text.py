"""A post's tree as plain text, for the part of a message that any reader can show.

Promises: it says what the HTML says, in the same order, and holds every link; lines are at most `width`
columns, wide East Asian characters counting two; only a URL or an address may be longer, because a broken
one is useless. Lines are fixed, not RFC 3676 `format=flowed`, which should not be joined with
quoted-printable.

It does not fail. Elements nested deeper than `MAX_DEPTH` lose their markup and keep their text.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from xml.etree.ElementTree import Element

from newsletter.content.tree import Block, Document, Speaker, Thread, Turn
from newsletter.render.html import MAX_DEPTH

MAX_WIDTH = 78
"""RFC 5322, section 2.1.1: lines should be no longer."""

_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _HEADINGS | {
    *("blockquote", "dd", "div", "dl", "dt", "figcaption", "figure", "hr", "li", "ol", "p", "pre"),
    *("table", "tbody", "td", "th", "thead", "tr", "ul"),
}
_MARKS = {"code": "`", "del": "~~", "em": "_", "strong": "*"}  # what plain-text mail has always used
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ADDRESS = re.compile(r"[!-~]{1,64}@[!-~]{1,255}")
_SPACES = re.compile(r"[ \t\n\r\f]+")
_HARD_BREAK = "\v"  # stands for <br> until lines are wrapped; `_NOT_TEXT` keeps it out of the text itself
_GLUE = "\x1f"  # stands for a space at which no line breaks, before a link's number

Lines = list[str]


def to_text(source: Element | Document, width: int = MAX_WIDTH, *, speakers: Sequence[Speaker] = ()) -> str:
    """Write a document, or one block element of it, in lines of `width` columns, ending in its links.

    A turn is its speaker's name, what `speakers` tell of them, the time and a colon on a line of their own,
    then its words set in by two.
    """
    writer = _Writer({speaker.name: speaker for speaker in speakers})
    if isinstance(source, Document):
        blocks = [block for part in source.blocks for block in _part(writer, part, width)]
    else:
        blocks = writer.blocks(source, width)
    if writer.links:
        blocks.append(["Links:", *(f"[{number}] {url}" for url, number in writer.links.items())])
    return "\n\n".join("\n".join(line.rstrip() for line in block) for block in blocks)


def plain_words(element: Element) -> str:
    """The words of `element` with one space between any two, and nothing that marks or links them."""
    pieces: list[str] = []
    ahead: list[Element | str] = [element]
    while ahead:
        item = ahead.pop()
        if isinstance(item, str):
            pieces.append(item)
        else:
            pieces += [" " if item.tag in _BLOCKS or item.tag == "br" else "", item.text or ""]
            for child in reversed(item):
                ahead += [child.tail or "", child]
    return " ".join(_clean("".join(pieces)).split())


def wrap(text: str, width: int = MAX_WIDTH) -> Lines:
    """Break `text` into lines of `width` columns at most; longer words are cut, but no URL or address."""
    lines: Lines = []
    for paragraph in text.split(_HARD_BREAK):
        line, columns = "", 0
        for word in _words(paragraph, width):
            length = len(word) if word.isascii() else _columns(word)
            if line and columns + 1 + length <= width:
                line, columns = f"{line} {word}", columns + 1 + length
            else:
                lines += [line] if line else []
                line, columns = word, length
        lines.append(line)
    return [line.replace(_GLUE, " ") for line in lines]


def underline(text: str, mark: str, width: int = MAX_WIDTH) -> Lines:
    """`text` as a heading: wrapped, with a line of `mark` below it as long as its longest line."""
    lines = wrap(text, width)
    return [*lines, mark * max(map(_columns, lines))]


def _part(writer: "_Writer", part: Block, width: int) -> Iterator[Lines]:
    """The blocks of a prose or a thread."""
    if isinstance(part, Thread):
        for turn in part.turns:
            said = _joined(writer.blocks(turn.body, width - 2))
            yield [*wrap(f"{writer.byline(turn)}:", width), *_prefixed(said, "  ")]
    else:
        yield from writer.blocks(part.body, width)


@dataclass
class _Writer:
    """Writes blocks; `links` are the URLs met so far and their numbers, in order."""

    speakers: Mapping[str, Speaker] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)

    def blocks(self, element: Element, width: int, depth: int = 0) -> list[Lines]:
        """The paragraphs, lists and so on in `element`, each as its lines."""
        if depth >= MAX_DEPTH:
            return _paragraph(_clean("".join(element.itertext())), width)
        blocks: list[Lines] = []
        loose = _clean(element.text)  # text that stands beside blocks makes a paragraph of its own
        for child in element:
            if child.tag in _BLOCKS:
                blocks += _paragraph(loose, width)
                blocks += self._block(child, width, depth + 1)
                loose = _clean(child.tail)
            else:
                loose += self._inline(child, depth + 1) + _clean(child.tail)
        return blocks + _paragraph(loose, width)

    def byline(self, turn: Turn) -> str:
        """Who speaks: `Ann Lee, coach, 10:42`, with the number of their link."""
        known = self.speakers.get(turn.speaker, Speaker(turn.speaker))
        name = f"{_clean(turn.speaker).strip()}{self._reference(known.link)}"
        facts = ("author" if known.is_author else None, known.role, turn.time)
        return ", ".join([name, *(_clean(fact).strip() for fact in facts if fact)])

    def _block(self, element: Element, width: int, depth: int) -> list[Lines]:
        match element.tag:
            case "blockquote":
                blocks = self._nested(element, "> ", width, depth)
            case "dd":
                blocks = self._nested(element, "    ", width, depth)
            case "ul":
                blocks = self._list(element, ["* "] * len(element), width, depth)
            case "ol":
                blocks = self._list(element, [f"{number}. " for number in _numbers(element)], width, depth)
            case "pre":
                blocks = _verbatim(element, width)
                if marks := "".join(self._reference(link.get("href")) for link in element.iter("a")):
                    blocks += _paragraph(marks.replace(_GLUE, " "), width)
            case "hr":
                blocks = [["* * *"]]
            case "table":
                blocks = self._table(element, width, depth)
            case tag if tag in _HEADINGS:
                heading = self._inline(element, depth).strip(f" {_HARD_BREAK}")
                blocks = [underline(heading, "-", width)] if heading else []
            case _:
                blocks = self.blocks(element, width, depth)
        return blocks

    def _nested(self, element: Element, prefix: str, width: int, depth: int) -> list[Lines]:
        """Blocks set in by `prefix`, as long as that leaves room to read."""
        if width - len(prefix) < MAX_WIDTH // 2:
            return self.blocks(element, width, depth)
        lines = _joined(self.blocks(element, width - len(prefix), depth))
        if prefix == "> ":  # marks stand together, `>> text`: `> > text` is one level to RFC 3676
            return [[f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines]]
        return [_prefixed(lines, prefix)]

    def _list(self, element: Element, marks: Lines, width: int, depth: int) -> list[Lines]:
        lines = [line for block in _paragraph(_clean(element.text), width) for line in block]
        spaced = any(child.tag == "p" for item in element for child in item)
        for item, mark in zip(element, marks, strict=True):
            indent = " " * len(mark) if width - len(mark) >= MAX_WIDTH // 2 else ""
            blocks = self.blocks(item, width - len(mark), depth + 1)
            blocks += _paragraph(_clean(item.tail), width - len(mark))
            text = _joined(blocks) if spaced else [line for block in blocks for line in block]
            first, *rest = text or [""]
            lines += [""] if lines and spaced else []
            lines += [mark + first, *_prefixed(rest, indent)]
        return [lines] if lines else []

    def _table(self, element: Element, width: int, depth: int) -> list[Lines]:
        """Aligned columns where they fit, else a line for each cell."""
        rows = [[" ".join(self._inline(cell, depth).split()) for cell in row] for row in _rows(element)]
        rows = [row for row in rows if any(row)]
        if not rows:
            return self.blocks(element, width, depth)
        widths = [max(map(_columns, column)) for column in zip_longest(*rows, fillvalue="")]
        if sum(widths) + 3 * (len(widths) - 1) <= width:
            lines = [
                " | ".join(
                    cell + " " * (room - _columns(cell)) for cell, room in zip(row, widths, strict=False)
                )
                for row in rows
            ]
            if element.find(".//th") is not None:
                lines.insert(1, "-+-".join("-" * room for room in widths))
            return [lines]
        return [
            [
                line
                for number, cell in enumerate(row)
                for line in _hanging(wrap(cell, width - 2), "- " if number == 0 else "  ")
            ]
            for row in rows
        ]

    def _inline(self, element: Element, depth: int) -> str:
        """The text of `element` on one line, except for hard breaks."""
        if depth >= MAX_DEPTH:
            return _clean("".join(element.itertext()))
        text = _clean(element.text)
        for child in element:
            gap = " " if child.tag in _BLOCKS else ""
            text += gap + self._inline(child, depth + 1) + gap + _clean(child.tail)
        match element.tag:
            case "br":
                text = _HARD_BREAK
            case "img":
                alt = _clean(element.get("alt")).strip()
                text = f"[Image: {alt}]{self._reference(element.get('src'))}" if alt else ""
            case "a":
                text = self._link(text, element.get("href"))
            case "sup" if text.strip().isalnum():
                text = f"^{text}"  # 10^3, which is not 103
            case tag:
                text = _marked(text, _MARKS.get(tag, ""))
        return text

    def _link(self, text: str, href: str | None) -> str:
        if not href or text.strip() == href:
            return text
        reference = self._reference(href)
        return text if text.endswith(reference) else text + reference

    def _reference(self, url: str | None) -> str:
        url = _clean(url).strip()
        return f"{_GLUE}[{self.links.setdefault(url, len(self.links) + 1)}]" if url else ""


def _rows(table: Element) -> Iterator[Element]:
    """The rows of a table, without those of tables in its cells."""
    for child in table:
        if child.tag == "tr":
            yield child
        elif child.tag in {"thead", "tbody"}:
            yield from child.iterfind("tr")


def _clean(text: str | None) -> str:
    """Text with white space collapsed as in HTML, without characters that text cannot hold."""
    return _SPACES.sub(" ", _NOT_TEXT.sub("", (text or "").replace(_HARD_BREAK, " ")))


def _marked(text: str, mark: str) -> str:
    """`text` between two `mark`s, which stand against the words."""
    words = text.strip(f" {_HARD_BREAK}")
    return text.replace(words, f"{mark}{words}{mark}", 1) if mark and words else text


def _paragraph(text: str, width: int) -> list[Lines]:
    """`text` as a block, or none where there is nothing to say."""
    text = text.strip(f" {_HARD_BREAK}{_GLUE}")
    return [wrap(text, width)] if text else []


def _verbatim(element: Element, width: int) -> list[Lines]:
    """Code as it is, set in by four; only a line that would be too long is cut."""
    code = _NOT_TEXT.sub("", "".join(element.itertext())).replace(_HARD_BREAK, " ").strip("\n")
    lines = [piece for line in code.expandtabs(4).split("\n") for piece in _cut(line, width - 4)]
    return [_prefixed(lines, "    ")] if code.strip() else []


def _numbers(element: Element) -> Iterable[int]:
    """The numbers of an ordered list's items."""
    start = element.get("start", "1")
    first = int(start) if re.fullmatch(r"[0-9]{1,6}", start) else 1
    return range(first, first + len(element))


def _joined(blocks: list[Lines]) -> Lines:
    """All blocks' lines, with a blank one between blocks."""
    return [line for number, block in enumerate(blocks) for line in ([""] if number else []) + block]


def _prefixed(lines: Lines, prefix: str) -> Lines:
    return [prefix + line if line else line for line in lines]


def _hanging(lines: Lines, mark: str) -> Lines:
    return [(mark if number == 0 else " " * len(mark)) + line for number, line in enumerate(lines)]


def _words(text: str, width: int) -> Iterator[str]:
    """Words of `text`, those too long for a line in pieces; a no-break space is part of its word."""
    for word in text.split(" "):
        if not word:
            continue
        if len(word) * 2 <= width or "://" in word or word.startswith("mailto:") or _ADDRESS.fullmatch(word):
            yield word  # short enough if every character were wide, or useless in pieces
        else:
            yield from _cut(word, width)


def _cut(text: str, width: int) -> Iterator[str]:
    """`text` in pieces of at most `width` columns, cut after a space where there is one."""
    if _columns(text) <= width:
        yield text
        return
    piece, columns = "", 0
    for character in text:
        length = _columns(character)
        if piece and columns + length > width:
            head, _, rest = piece.rpartition(" ")
            if not head.strip():
                head, rest = piece, ""
            yield head
            piece, columns = rest, _columns(rest)
        piece += character
        columns += length
    yield piece


def _columns(text: str) -> int:
    """The columns `text` takes in a fixed-width font (Unicode Standard Annex 11)."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
