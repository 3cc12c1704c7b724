"""Code and raw HTML in Markdown: found in one pass over the lines and taken out of Markdown's way.

Promises: linear time, and no line lost. Raw HTML follows CommonMark section 4.6 (a block of it ends at a
blank line, so Markdown between `<figure>` tags is Markdown) where Python-Markdown would leave it literal;
fenced code (section 4.5) is found inside lists and quotes too. kramdown's attribute lists below a block
(`{: .said by="Ann"}`), or on the line before it, go to the block, whatever it is.

Fails with `ContentError` where a text is larger than prose can be: Python-Markdown takes more than linear
time in the length of one paragraph and in their number, so both are limited.
"""

import re
from html import escape

from markdown.blockprocessors import HashHeaderProcessor
from markdown.preprocessors import Preprocessor

from newsletter.content.html import words
from newsletter.content.lists import aligned
from newsletter.content.tags import language_of, read_arguments
from newsletter.errors import ContentError

MAX_BLOCKS = 20_000
"""Paragraphs, list items, headings and the like in one post."""
MAX_BLOCK_CHARS = 100_000
"""Characters between two blank lines (a long table or list), and of any one line."""
MAX_TEXT_CHARS = 20_000
"""Characters of one paragraph or list item."""


class Heading(HashHeaderProcessor):
    """An ATX heading (CommonMark section 4.2) needs a space after its `#`: `#1 in my list` is prose."""

    RE = re.compile(r"(?:^|\n)(?P<level>#{1,6})(?P<header>(?:[ ][^\n#]*(?:#+[^\n#]+)*)?)#*(?:\n|$)")


_MARKER = re.compile(r" *(?:[-*+]|\d{1,9}\.) ")
_FENCE = re.compile(r"(?P<lead>[ >]*(?:(?:[-*+]|\d{1,9}\.) +)?)(?P<mark>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_HTML_BLOCK_TAGS = words(
    """
    address article aside audio blockquote body caption center col colgroup dd details dialog dir
    div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head
    header hr html iframe legend li link main math menu menuitem meta nav noframes noscript object ol
    optgroup option p param pre script search section style summary svg table tbody td tfoot th thead
    title tr track ul video
    """
)
_HTML_BLOCK = re.compile(rf" {{0,3}}</?({'|'.join(sorted(_HTML_BLOCK_TAGS))})(?=[\s/>]|$)", re.IGNORECASE)
_VERBATIM = ("pre", "script", "style", "svg", "math")  # as CommonMark section 4.6, kind 1: to the closing tag
_EMBEDDED = ("audio", "iframe", "script", "video")  # become links: each stands for itself
_FIGURE_TAG = re.compile(r"(</?fig(?:ure|caption)\b[^<>]*>)", re.IGNORECASE)
_OPEN_TAG = re.compile(
    r"(</?(?:address|article|aside|blockquote|center|details|div|section|summary)\b[^<>]*>)", re.IGNORECASE
)
_LETS_MARKDOWN_IN = re.compile(r"<[^<>]*\smarkdown=[\"']?(?:1|block|span)", re.IGNORECASE)
_DEEP_QUOTE = re.compile(r"((?: {0,3}>){100})(?: {0,3}>)+")
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+) *")
_ATTRIBUTES = re.compile(r"(?P<lead> {0,3}(?:>[ >]*)?)\{:(?P<list>[^}]*)\} *")
_FIRST_ITEM = re.compile(r" {0,3}(?:[-*+]|1[.)])[ \t]+\S.{0,100}")
_TASK = re.compile(r"([ >]*(?:[-*+]|\d{1,9}[.)])[ \t]+)\[([ xX])\](?=[ \t])")


class SourceBlocks(Preprocessor):
    """One pass over the lines, in linear time, that takes code and raw HTML out of Markdown's way.

    What it takes is stashed, and restored in the output; where it stood is a paragraph of its own.
    """

    def run(self, lines: list[str]) -> list[str]:
        self._lines = lines
        self._out: list[str] = []
        self._last = dict.fromkeys(("-->", *(f"</{tag}" for tag in _VERBATIM)), -1)
        for number, line in enumerate(lines):
            if line.lstrip(" ").startswith(">"):  # nobody reads a hundredth level
                line = lines[number] = _DEEP_QUOTE.sub(r"\1", line)  # noqa: PLW2901
            if len(line) > MAX_BLOCK_CHARS:
                raise _too_long(line)
            if "</" in line or "-->" in line:
                lower = line.lower()
                self._last.update({mark: number for mark in self._last if mark in lower})
        at = 0
        while at < len(lines):
            at = (
                self._fenced_code(at)
                or self._comment(at)
                or self._attributes(at)
                or self._html(at)
                or self._prose(at)
            )
        self._out = aligned(self._out)
        self._check_size()
        return self._out

    def _fenced_code(self, at: int) -> int | None:
        """CommonMark section 4.5, inside lists and quotes too."""
        found = _FENCE.match(self._lines[at])
        if not found:
            return None
        first, mark, code = found["lead"], found["mark"], []
        lead = re.sub(r"[^ >]", " ", first)  # below a list marker code begins at its content's column
        at += 1
        while at < len(self._lines):
            line = self._lines[at]
            if ">" in lead and not line.startswith(lead.rstrip()):
                break  # the quote has ended, and the code with it
            line = line[len(lead) :] if line.startswith(lead) else line.lstrip(" >" if ">" in lead else " ")
            at += 1
            if line.startswith(mark) and not line.strip().strip(mark[0]):
                break
            code.append(line)
        info = found["info"].strip(" \t{}")
        language = language_of(re.split(r"[\s{,:]", info, maxsplit=1)[:1])
        marked = f' data-language="{language}"' if language else ""
        self._stash(f"<pre{marked}><code>{escape(chr(10).join(code))}</code></pre>", first)
        return at

    def _comment(self, at: int) -> int | None:
        line = self._lines[at]
        if not line.lstrip(" ").startswith("<!--") or line.startswith("    ") or self._last["-->"] < at:
            return None
        line = line.lstrip(" ")[4:]
        while "-->" not in line:
            at += 1
            if at > self._last["-->"]:
                return at
            line = self._lines[at]
        rest = line.partition("-->")[2]
        self._lines[at] = rest
        return at if rest.strip() else at + 1

    def _attributes(self, at: int) -> int | None:
        """A line that is only kramdown's attribute list: for the block above, or else for the one below."""
        found = _ATTRIBUTES.fullmatch(self._lines[at]) if "{:" in self._lines[at] else None
        if not found:
            return None
        values = read_arguments(found["list"])
        if values.first == "toc":
            self._drop_list()
            return at + 1
        classes = [word[1:] for word in values.others if word.startswith(".")]
        written = {
            "class": " ".join([*classes, values.named.get("class", values.named.get(":class", ""))]),
            "data-by": values.named.get("by", values.named.get("data-by", "")),
            "lang": values.named.get("lang", ""),
            "dir": values.named.get("dir", ""),
            "data-next": "next" if self._follows_blank(at) else "",
        }
        marks = "".join(f' {name}="{escape(value)}"' for name, value in written.items() if value)
        self._stash(f"<data{marks}></data>", found["lead"])
        return at + 1

    def _drop_list(self) -> None:
        """Leave out the item (`* TOC`) that kramdown puts a table of contents in the place of."""
        if self._out and _FIRST_ITEM.fullmatch(self._out[-1]):
            self._out.pop()

    def _html(self, at: int) -> int | None:
        """CommonMark section 4.6; figures, and tags that say `markdown="1"`, let Markdown in at once."""
        found = _HTML_BLOCK.match(self._lines[at])
        if not found:
            return None
        start, closing = at, f"</{found[1].lower()}"
        indent = " " * (len(found[0]) - len(found[0].lstrip()))
        if found[1].lower() in _VERBATIM and self._last[closing] >= at:
            while closing not in self._lines[at].lower():
                at += 1
            at += 1
        else:
            while at < len(self._lines) and self._lines[at].strip() and not self._ends_item(at, indent):
                at += 1
        raw = "\n".join(self._lines[start:at])
        inside = _OPEN_TAG if _LETS_MARKDOWN_IN.match(raw.lstrip()) else _FIGURE_TAG
        for piece in inside.split(raw):
            if found := _HTML_BLOCK.match(piece.lstrip()):
                self._stash(f"<div>{piece}</div>" if found[1].lower() in _EMBEDDED else piece, indent)
            elif piece.strip():
                self._out += ["", *(indent + line.lstrip() for line in piece.split("\n") if line.strip()), ""]
        return at

    def _ends_item(self, at: int, indent: str) -> bool:
        """Whether a line begins the list item after one whose content was indented so far."""
        found = _MARKER.match(self._lines[at]) if indent else None
        return found is not None and not found[0].startswith(indent)

    def _prose(self, at: int) -> int:
        line = self._lines[at]
        after_blank = self._follows_blank(at)
        if "[" in line:
            line = _TASK.sub(lambda task: task[1] + ("☐" if task[2] == " " else "☑"), line)
        if _UNDERLINE.fullmatch(line) and not after_blank:
            self._out += [line, ""]
        elif (line.startswith("#") and Heading.RE.match(line)) or _RULE.fullmatch(line):
            # A block of many headings would be split over and over again.
            self._out += ["", line, ""]
        else:
            self._out.append(line)
        return at + 1

    def _follows_blank(self, at: int) -> bool:
        return at == 0 or not self._lines[at - 1].strip(" >")

    def _stash(self, html: str, lead: str = "") -> None:
        # Blank lines end no list or quote: what follows with the same lead joins it again.
        self._out += ["", lead + self.md.htmlStash.store(html), ""]

    def _check_size(self) -> None:
        blocks = chars = 0
        for line in self._out:
            blocks += not chars and bool(line.strip())
            chars = chars + len(line) + 1 if line.strip() else 0
            if chars > MAX_BLOCK_CHARS:
                raise _too_long(line)
            if blocks > MAX_BLOCKS:
                raise ContentError(
                    f"the text has more than {MAX_BLOCKS:,} paragraphs: make several posts of it"
                )


def _too_long(line: str) -> ContentError:
    return ContentError(
        f"the text near {quoted(line)} goes on for more than {MAX_BLOCK_CHARS:,} characters: "
        "divide it by blank lines"
    )


def quoted(text: str) -> str:
    """The beginning of a text, to name it in an error."""
    return f"“{' '.join(text[:40].split())}”"
