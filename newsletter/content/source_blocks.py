"""Code and raw HTML in Markdown: found in one pass over the lines and taken out of Markdown's way.

Promises: linear time, and no line lost. Raw HTML follows CommonMark section 4.6 (a block of it ends at a
blank line, so Markdown between `<figure>` tags is Markdown) where Python-Markdown would leave it literal;
fenced code (section 4.5) is found inside lists and quotes too; WordPress's `[caption]` and `[code]` are
understood.

Fails with `ContentError` where a text is larger than prose can be: Python-Markdown takes more than linear
time in the length of one paragraph and in their number, so both are limited.
"""

import re
from html import escape

from markdown.blockprocessors import HashHeaderProcessor
from markdown.preprocessors import Preprocessor

from newsletter.content.html import words
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


_FENCE = re.compile(r"(?P<lead>[ >]*)(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_SHORTCODE = re.compile(r" {0,3}\[(?:source)?code\b[^\]]*\]", re.IGNORECASE)
_SHORTCODE_END = re.compile(r"\[/(?:source)?code\]", re.IGNORECASE)
_CAPTION = re.compile(r"\[caption\b[^\]\[]*\](.*?)\[/caption\]", re.IGNORECASE)
_CAPTIONED = re.compile(
    r"\s*(\[?!\[[^\]]*\]\([^)]*\)(?:\{:[^}]*\})?(?:\]\([^)]*\)(?:\{:[^}]*\})?)?"
    r"|(?:<a\b[^>]*>)?\s*<img\b[^>]*>\s*(?:</a>)?)?(.*)",
    re.IGNORECASE,
)
_HTML_BLOCK_TAGS = words(
    """
    address article aside audio blockquote body caption center col colgroup dd details dialog dir
    div dl dt embed fieldset figcaption figure footer form frame frameset h1 h2 h3 h4 h5 h6 head
    header hr html iframe legend li link main menu menuitem meta nav noframes noscript object ol
    optgroup option p param pre script search section style summary table tbody td tfoot th thead
    title tr track ul video
    """
)
_HTML_BLOCK = re.compile(rf" {{0,3}}</?({'|'.join(sorted(_HTML_BLOCK_TAGS))})(?=[\s/>]|$)", re.IGNORECASE)
_VERBATIM = ("pre", "script", "style")  # CommonMark section 4.6, kind 1: ends at its closing tag
_FIGURE_TAG = re.compile(r"(</?fig(?:ure|caption)\b[^<>]*>)", re.IGNORECASE)
_RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-+) *")
_LONE_ATTRIBUTES = re.compile(r" {0,3}\{:[^}]*\} *")


class SourceBlocks(Preprocessor):
    """One pass over the lines, in linear time, that takes code and raw HTML out of Markdown's way.

    What it takes is stashed, and restored in the output; where it stood is a paragraph of its own.
    """

    def run(self, lines: list[str]) -> list[str]:
        self._lines = lines
        self._out: list[str] = []
        self._last = dict.fromkeys(("-->", "[/code]", *(f"</{tag}" for tag in _VERBATIM)), -1)
        for number, line in enumerate(lines):
            if len(line) > MAX_BLOCK_CHARS:
                raise _too_long(line)
            if "[/" in line or "</" in line or "-->" in line:
                lower = line.lower().replace("[/sourcecode]", "[/code]")
                self._last.update({mark: number for mark in self._last if mark in lower})
        at = 0
        while at < len(lines):
            at = (
                self._fenced_code(at)
                or self._shortcode(at)
                or self._comment(at)
                or self._html(at)
                or self._prose(at)
            )
        self._check_size()
        return self._out

    def _fenced_code(self, at: int) -> int | None:
        """CommonMark section 4.5, inside lists and quotes too."""
        found = _FENCE.match(self._lines[at])
        if not found:
            return None
        lead, mark, code = found["lead"], found["mark"], []
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
        self._stash(f"<pre><code>{escape(chr(10).join(code))}</code></pre>", lead)
        return at

    def _shortcode(self, at: int) -> int | None:
        """WordPress's `[code]…[/code]`."""
        found = _SHORTCODE.match(self._lines[at])
        if not found or self._last["[/code]"] < at:
            return None
        code, line = [], self._lines[at][found.end() :]
        while not (end := _SHORTCODE_END.search(line)):
            code.append(line)
            at += 1
            if at > self._last["[/code]"]:
                break
            line = self._lines[at]
        if end:
            code.append(line[: end.start()])
            self._lines[at] = line[end.end() :]
        self._stash(f"<pre><code>{escape(chr(10).join(code).strip(chr(10)))}</code></pre>")
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

    def _html(self, at: int) -> int | None:
        """CommonMark section 4.6; `<figure>` and `<figcaption>` let Markdown in without blank lines too."""
        found = _HTML_BLOCK.match(self._lines[at])
        if not found:
            return None
        start, closing = at, f"</{found[1].lower()}"
        if found[1].lower() in _VERBATIM and self._last[closing] >= at:
            while closing not in self._lines[at].lower():
                at += 1
            at += 1
        else:
            while at < len(self._lines) and self._lines[at].strip():
                at += 1
        raw = "\n".join(self._lines[start:at])
        for piece in _FIGURE_TAG.split(raw):
            if _HTML_BLOCK.match(piece.lstrip()):
                self._stash(piece)
            elif piece.strip():
                self._out += ["", *(line.lstrip() for line in piece.split("\n") if line.strip()), ""]
        return at

    def _prose(self, at: int) -> int:
        line = self._lines[at]
        after_blank = at == 0 or not self._lines[at - 1].strip()
        if "[caption" in line and len(line) <= MAX_TEXT_CHARS and line.lstrip(" ")[:1] != ">":
            self._captions(line)
        elif after_blank and _LONE_ATTRIBUTES.fullmatch(line):
            pass
        elif _UNDERLINE.fullmatch(line) and not after_blank:
            self._out += [line, ""]
        elif (line.startswith("#") and Heading.RE.match(line)) or _RULE.fullmatch(line):
            # A block of many headings would be split over and over again.
            self._out += ["", line, ""]
        else:
            self._out.append(line)
        return at + 1

    def _captions(self, line: str) -> None:
        pieces = _CAPTION.split(line)  # prose, caption, prose, caption, …, prose
        for index, piece in enumerate(pieces):
            if index % 2 == 0:
                self._out.append(piece)
                continue
            found = _CAPTIONED.fullmatch(piece)
            image, caption = (found[1] or "", found[2]) if found else ("", piece)
            self._stash("<figure>")
            self._out.append(image)
            self._stash("<figcaption>")
            self._out.append(caption.strip())
            self._stash("</figcaption>")
            self._stash("</figure>")

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
