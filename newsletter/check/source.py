"""A post as it was written: its images, links, headings and raw tags, each with its place in the file.

The letter's tree no longer knows lines; this reads the Markdown itself. Promises: what stands in code, in
comments or behind a backslash is none of these; every place is exact; linear time; never fails.

May surprise: it reads less Markdown than the letter's own reader does. What it does not recognise is passed
over, for a finding that is wrong costs more trust than one that is missing.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import unescape


@dataclass(frozen=True, slots=True)
class Image:
    """An image: `alt` is None where there is none, `target` its address as written."""

    offset: int
    alt: str | None
    target: str
    is_decorative: bool


@dataclass(frozen=True, slots=True)
class Link:
    """A link: `text` is what a reader sees of it, the alternative texts of its images among it.

    `text` is None where it stands elsewhere, as with `[1]: https://…`.
    """

    offset: int
    text: str | None
    target: str
    has_image: bool = False


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading and its text, markup included."""

    offset: int
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Tag:
    """An opening tag of raw HTML, its name and attributes' names in lower case; it ends before `end`."""

    offset: int
    end: int
    name: str
    attributes: Mapping[str, str]


# No piece may hold the character that begins the next try, or a line of openings costs its length squared;
# possessive repeats (`++`) keep what fails from being tried in another way.
_TAG = re.compile(r"""<([A-Za-z][A-Za-z0-9:-]{0,30}+)((?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+)>""")
_ATTRIBUTE = re.compile(
    r"""([A-Za-z_:@][\w:.-]*+)(?:[ \t\n]*+=[ \t\n]*+(?:"([^"]*+)"|'([^']*+)'|([^ \t\n"'>]++)))?"""
)
_LINK_END = re.compile(r"</a\s*>", re.IGNORECASE)
_ADDRESS = (
    r"""\([ \t\n]*+(?:<(?P<angled>[^<>\n]*+)>|(?P<bare>"""
    r"""(?:\{\{[^{}\n]*+\}\}|\{%[^%\n]*+%\}|[^()\s<>{]++|\{|\([^()\s<>]*+\))*+))"""
    r"""(?:[ \t\n]++(?:"[^"\n]*+"|'[^'\n]*+'))?[ \t\n]*+\)"""
)
_REFERENCE = r"(?:\[(?P<label>[^\[\]\n]{0,200}+)\])"
_ATTRIBUTES = r"(?:[ ]?\{:(?P<attributes>[^}\n]*+)\})?"
_LINE = r"(?:[^\[\]\n]++|\n(?![ \t]*+\n))*+"
_IMAGE = re.compile(rf"!\[(?P<text>{_LINE})\](?:{_ADDRESS}|{_REFERENCE}){_ATTRIBUTES}")
_LINK = re.compile(
    r"(?<!!)\[(?P<text>(?:[^\[\]\n]++|\n(?![ \t]*+\n)|!?\[[^\[\]\n]*+\](?:\([^()\n]*+\))?)*+)\]"
    rf"(?:{_ADDRESS}|{_REFERENCE})"
)
_DEFINITION = re.compile(r"^ {0,3}\[([^\[\]\n^][^\[\]\n]{0,200})\]:[ \t]*<?([^\s<>]++)", re.MULTILINE)
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^\s<>]++)>", re.IGNORECASE)
_MARKUP = re.compile(r"!?\[([^\[\]]*+)\](?:\([^()]*+\))?(?:\{:[^}\n]*+\})?|<[^<>]*+>")

_FENCE = re.compile(r"([ >]*+)(`{3,}+(?=[^`]*$)|~{3,}+)")
_LIST_ITEM = re.compile(r" {0,3}(?:[-+*]|\d{1,9}[.)])[ \t]")
_HIDDEN = re.compile(
    r"<!--|<(pre|code|script|style|textarea)\b[^<>]*+>|\[(code|sourcecode)\b[^\[\]]*+\]"
    r"|\{%-?\s{0,9}(raw|highlight|comment)\b[^%]*+%\}",
    re.IGNORECASE,
)
_ESCAPE = re.compile(r"\\[!-/:-@\[-`{-~]")
_TICKS = re.compile(r"`+|\n[ \t]*+(?=\n)")
_ATX = re.compile(r"[ ]{0,3}(?:>[ ]?)*+(#{1,6})(?![^ \t])(.*)")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_NO_TITLE = re.compile(r"\s*(?:[<>|#-]|\d+[.)] |[*+] |$)|    ")


class PostText:
    """The Markdown of a post, `first_line` being the line of the file that it begins at."""

    def __init__(self, markdown: str, first_line: int) -> None:
        self.markdown = markdown
        self._first_line = first_line
        self._breaks = [found.start() for found in re.finditer("\n", markdown)]
        self.prose = _without_code(markdown)
        """The same text with spaces for what is code, a comment or escaped: every place stays the same."""

    def line_at(self, offset: int) -> int:
        """The line of the file that a place of the Markdown lies in."""
        return self._first_line + bisect_right(self._breaks, offset - 1)

    def line_of(self, words: str, start: int = 0) -> tuple[int, int]:
        """The line of some words of the post, whatever markup stands between them, and the place after them.

        They are looked for from the place `start`, then from the beginning. Where they are nowhere, it is the
        line of `start`.
        """
        text, offsets = self._words
        wanted = " ".join(re.findall(r"\w+", words)[:8])
        at = text.find(f" {wanted}", self._index_from(start))
        if at < 0:
            at = text.find(f" {wanted}")
        if not wanted or at < 0:
            return self.line_at(start), start
        offset = offsets[bisect_right(offsets, at + 1, key=lambda pair: pair[1]) - 1][0]
        return self.line_at(offset), offset + 1

    def _index_from(self, start: int) -> int:
        _, offsets = self._words
        place = bisect_right(offsets, start - 1, key=lambda pair: pair[0])
        return offsets[place][1] - 1 if place < len(offsets) else len(self._words[0])

    @cached_property
    def _words(self) -> tuple[str, list[tuple[int, int]]]:
        """The words alone, a space before each, and for each its place in the Markdown and in these."""
        pieces: list[str] = []
        offsets: list[tuple[int, int]] = []
        length = 0
        for found in re.finditer(r"\w+", self.markdown):
            offsets.append((found.start(), length + 1))
            pieces.append(f" {found[0]}")
            length += len(found[0]) + 1
        return "".join(pieces), offsets

    @cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The opening tags of raw HTML, in order."""
        return tuple(
            Tag(
                found.start(),
                found.end(),
                found[1].lower(),
                _attributes(self.markdown[found.start(2) : found.end(2)]),
            )
            for found in _TAG.finditer(self.prose)
        )

    @cached_property
    def images(self) -> tuple[Image, ...]:
        """The images, in order."""
        return tuple(sorted((*self._markdown_images(), *self._html_images()), key=lambda image: image.offset))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """The links, in order."""
        links = (*self._markdown_links(), *self._html_links(), *self._definition_links(), *self._autolinks())
        return tuple(sorted(links, key=lambda link: link.offset))

    @cached_property
    def headings(self) -> tuple[Heading, ...]:
        """The headings, in order."""
        found = (*self._markdown_headings(), *self._html_headings())
        return tuple(sorted(found, key=lambda heading: heading.offset))

    @cached_property
    def _definitions(self) -> dict[str, str]:
        return {_label(found[1]): found[2] for found in _DEFINITION.finditer(self.prose)}

    def _target(self, found: re.Match[str]) -> str | None:
        """The address of an image or link; None for a reference that nothing defines."""
        if found["label"] is not None:
            return self._definitions.get(_label(found["label"] or found["text"]))
        group = "bare" if found["angled"] is None else "angled"
        return unescape(self._written(found, group))

    def _written(self, found: re.Match[str], group: str) -> str:
        return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", self.markdown[found.start(group) : found.end(group)])

    def _markdown_images(self) -> Iterator[Image]:
        for found in _IMAGE.finditer(self.prose):
            target = self._target(found)
            if target is not None:
                attributes = _attributes(found["attributes"] or "")
                alt = self._written(found, "text").strip() or attributes.get("alt") or None
                yield Image(found.start(), alt, target, _is_decorative(attributes))

    def _html_images(self) -> Iterator[Image]:
        for tag in self.tags:
            if tag.name == "img":
                alt = tag.attributes.get("alt", "").strip() or None
                yield Image(tag.offset, alt, tag.attributes.get("src", ""), _is_decorative(tag.attributes))

    def _markdown_links(self) -> Iterator[Link]:
        for found in _LINK.finditer(self.prose):
            target = self._target(found)
            if target is not None and not found["text"].startswith("^"):
                yield self._link(found.start(), found.start("text"), found.end("text"), target)

    def _html_links(self) -> Iterator[Link]:
        for tag in self.tags:
            if tag.name == "a" and "href" in tag.attributes:
                end = _LINK_END.search(self.prose, tag.end)
                if not end:
                    return
                yield self._link(tag.offset, tag.end, end.start(), tag.attributes["href"])

    def _link(self, offset: int, start: int, end: int, target: str) -> Link:
        inner = self.markdown[start:end]
        alts = " ".join(_attributes(tag).get("alt", "") for tag in re.findall(r"<img\b[^<>]*+>", inner))
        text = " ".join(unescape(" ".join((_MARKUP.sub(r"\1", inner), alts))).split())
        return Link(offset, text, target, has_image="![" in inner or "<img" in inner.lower())

    def _definition_links(self) -> Iterator[Link]:
        for found in _DEFINITION.finditer(self.prose):
            yield Link(found.start(), None, found[2])

    def _autolinks(self) -> Iterator[Link]:
        for found in _AUTOLINK.finditer(self.prose):
            yield Link(found.start(), found[1], found[1])

    def _markdown_headings(self) -> Iterator[Heading]:
        offset, above = 0, ""
        written = self.markdown.split("\n")
        for number, line in enumerate(self.prose.split("\n")):
            if heading := _ATX.fullmatch(line):
                text = written[number][heading.start(2) :]
                yield Heading(offset, len(heading[1]), text.strip(" \t#"))
            elif (under := _SETEXT.fullmatch(line)) and not _NO_TITLE.match(above):
                text = written[number - 1]
                yield Heading(offset - len(text) - 1, 1 if under[1][0] == "=" else 2, text.strip())
            above = "" if heading else line
            offset += len(line) + 1

    def _html_headings(self) -> Iterator[Heading]:
        for tag in self.tags:
            if re.fullmatch("h[1-6]", tag.name):
                end = self.prose.find("</", tag.end, tag.end + 10_000)
                inner = self.markdown[tag.end : end].strip() if end >= 0 else "?"
                is_whole = self.markdown.startswith(f"</{tag.name}", end)
                yield Heading(tag.offset, int(tag.name[1]), inner if is_whole else inner or "?")


def _label(text: str) -> str:
    return " ".join(text.split()).casefold()


def _attributes(text: str) -> dict[str, str]:
    """The attributes of a tag, or of kramdown's `{: …}`."""
    return {
        found[1].lower(): unescape(found[2] or found[3] or found[4] or "")
        for found in _ATTRIBUTE.finditer(text)
    }


def _is_decorative(attributes: Mapping[str, str]) -> bool:
    """Whether an image is said to say nothing (WAI-ARIA 1.2, `presentation` and `aria-hidden`)."""
    return attributes.get("role") in ("presentation", "none") or attributes.get("aria-hidden") == "true"


def _without_code(markdown: str) -> str:
    text = _without_hidden(_without_code_blocks(markdown))
    text = _ESCAPE.sub("  ", text)
    return _without_code_spans(text)


def _without_code_blocks(markdown: str) -> str:
    """Blank what is fenced or indented (CommonMark sections 4.4 and 4.5)."""
    lines: list[str] = []
    mark, is_after_blank, is_in_list, is_code = "", True, False, False
    for line in markdown.split("\n"):
        fence = _FENCE.match(line)
        if mark:
            bare = line.strip(" >\t")
            lines.append(" " * len(line))
            if bare.startswith(mark) and not bare.strip(mark[0]):
                mark = ""
            continue
        is_indented = line.startswith(("    ", "\t"))
        if fence and not (is_indented and not is_in_list):
            mark = fence[2]
            lines.append(" " * len(line))
            continue
        if line.strip():
            if not is_indented:
                is_in_list = bool(_LIST_ITEM.match(line)) or (is_in_list and not is_after_blank)
            is_code = is_indented and not is_in_list and (is_after_blank or is_code)
        lines.append(" " * len(line) if is_code else line)
        is_after_blank = not line.strip()
    return "\n".join(lines)


def _without_hidden(text: str) -> str:
    """Blank comments, and what elements and shortcodes for code hold; an opening without an end is text."""
    lower = text.lower() if len(text.lower()) == len(text) else text
    kept: list[str] = []
    unclosed: set[str] = set()
    at = 0
    while found := _HIDDEN.search(text, at):
        tag, shortcode, liquid = found.groups()
        closing = (
            f"</{tag}" if tag else f"[/{shortcode}]" if shortcode else f"end{liquid}" if liquid else "-->"
        )
        closing = closing.lower()
        end = -1 if closing in unclosed else lower.find(closing, found.end())
        start = found.end() if tag else found.start()
        if end < 0:
            unclosed.add(closing)
            kept.append(text[at : found.end()])
            at = found.end()
            continue
        if liquid:
            end = text.find("}", end) + 1 or len(text)
        elif not tag:
            end += len(closing)
        kept += (text[at:start], re.sub("[^\n]", " ", text[start:end]))
        at = end
    return "".join(kept) + text[at:]


def _without_code_spans(text: str) -> str:
    """Blank what stands between two runs of as many backticks in one paragraph (CommonMark section 6.1)."""
    runs = [(found.start(), found.end(), found[0][0] == "\n") for found in _TICKS.finditer(text)]
    closers: dict[int, int] = {}
    following: dict[int, int] = {}  # length of a run: the next run of that length, seen from behind
    for number in range(len(runs) - 1, -1, -1):
        start, end, is_break = runs[number]
        if is_break:
            following.clear()
        else:
            closers[number] = following.get(end - start, -1)
            following[end - start] = number
    kept: list[str] = []
    at = number = 0
    while number < len(runs):
        closer = closers.get(number, -1)
        if closer >= 0:
            start, end = runs[number][0], runs[closer][1]
            kept += (text[at:start], re.sub("[^\n]", " ", text[start:end]))
            at, number = end, closer
        number += 1
    return "".join(kept) + text[at:]
