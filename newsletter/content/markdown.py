"""Markdown, as blogs really hold it, to a tree of clean elements.

Promises: `to_tree` gives a `<div>` of block elements made of `TAGS` only, well-formed, with web and mail
links only, whatever came in. Words of ordinary prose appear once each, in order. What looks like a tag and
is none (`<Some Company>`) is text.

Fails with `ContentError` where a text is larger or deeper than prose can be: Python-Markdown takes more
than linear time in the length of one paragraph and in their number, so both are limited.

May surprise: raw HTML follows CommonMark section 4.6 (a block of it ends at a blank line, so Markdown
between `<figure>` tags is Markdown) where Python-Markdown would leave it literal. WordPress's `[caption]`
and `[code]` are understood, `# heading` needs its space as in CommonMark, attribute lists need kramdown's
colon (`{: …}`), `h1` becomes `h2` since the letter's title is its only h1, and links to a place on the same
page are plain text, for a letter has no such places.
"""

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from string import punctuation
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element, SubElement

import nh3
from markdown import Markdown
from markdown.blockprocessors import HashHeaderProcessor
from markdown.extensions import Extension
from markdown.extensions.attr_list import AttrListTreeprocessor
from markdown.extensions.footnotes import FootnoteExtension
from markdown.inlinepatterns import (
    IMAGE_LINK_RE,
    IMAGE_REFERENCE_RE,
    LINK_RE,
    REFERENCE_RE,
    ImageInlineProcessor,
    ImageReferenceInlineProcessor,
    InlineProcessor,
    LinkInlineProcessor,
    ReferenceInlineProcessor,
    ShortImageReferenceInlineProcessor,
    ShortReferenceInlineProcessor,
    SimpleTagInlineProcessor,
)
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString

from newsletter.errors import ContentError

MAX_BLOCKS = 20_000
"""Paragraphs, list items, headings and the like in one post."""
MAX_BLOCK_CHARS = 100_000
"""Characters between two blank lines: a long table or list."""
MAX_TEXT_CHARS = 20_000
"""Characters of one paragraph or list item."""
MAX_URL_CHARS = 4_096
"""Characters of a link's address and title; a longer one is left as text."""
MAX_DEPTH = 50
"""Elements inside elements; what is nested deeper is flattened."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = frozenset({"img", "br", "hr"})
_CONTAINERS = frozenset({"div", "blockquote"})  # hold blocks only: stray text in them becomes a paragraph
_TEXT_BLOCKS = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "pre", "dt"})  # hold text only
_PARTS = frozenset({"ul", "ol", "li", "dl", "dd", "figure", "figcaption"})
_TABLE_PARTS = frozenset({"table", "thead", "tbody", "tr", "th", "td"})
_BLOCKS = _CONTAINERS | _TEXT_BLOCKS | _PARTS | _TABLE_PARTS | {"hr"}
_SPACELESS = _CONTAINERS | (_TABLE_PARTS - {"td", "th"}) | {"ul", "ol", "dl", "figure"}  # hold elements
_INLINE = _words("a abbr br cite code del em img ins span strong sub sup")
TAGS = _BLOCKS | _INLINE
"""Every tag that a tree may hold."""

CLASSES = frozenset({"said", "narration"})
"""Marks an editor may set on a block (`{: .said}`); `newsletter.content.threads` obeys and removes them."""

_RENAMED = {
    **dict.fromkeys(["b"], "strong"),
    **dict.fromkeys(["i", "var", "dfn"], "em"),
    **dict.fromkeys(["s", "strike"], "del"),
    **dict.fromkeys(["tt", "kbd", "samp"], "code"),
    **dict.fromkeys(_words("address article aside center details footer header main nav section"), "div"),
    "u": "ins",
    "h1": "h2",
    "summary": "p",
    "caption": "p",
    "tfoot": "tbody",
}
_ATTRIBUTES = {
    **{tag: {"dir", "lang"} for tag in (TAGS | _RENAMED.keys()) - _VOID},
    **{tag: {"dir", "lang", "class"} for tag in ("p", "ul", "ol", "blockquote")},
    "a": {"href", "title"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "dir", "lang", "class"},
    "td": {"align", "colspan", "rowspan", "dir", "lang"},
    "th": {"align", "colspan", "rowspan", "dir", "lang"},
}
_VALUES: dict[str, Callable[[str], object]] = {
    "dir": re.compile(r"ltr|rtl|auto").fullmatch,
    "lang": re.compile(r"[A-Za-z0-9-]{2,35}").fullmatch,
    "align": re.compile(r"left|center|right").fullmatch,
    "class": CLASSES.__contains__,
    **dict.fromkeys(["width", "height", "start", "colspan", "rowspan"], re.compile(r"[0-9]{1,5}").fullmatch),
}

# XML 1.0 section 2.2 allows no other characters than these and CR, which does not survive section 2.11; lone
# surrogates are not characters at all.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DATA_IMAGE = re.compile(r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]+", re.IGNORECASE)


def to_tree(markdown: str, *, base_url: str | None) -> Element:
    """Read Markdown (CommonMark as far as Python-Markdown goes, tables, footnotes, definition lists).

    Args:
        markdown: the body of a post.
        base_url: the address that relative links and images are resolved against (RFC 3986 section 5),
            best the post's own; None leaves them as they are.

    Raises:
        ContentError: one of the limits above is exceeded.
    """
    text = markdown.replace("\r\n", "\n").replace("\r", "\n")
    text = _DATA_IMAGE.sub("data:,", _NOT_XML.sub("", text))
    try:
        html = _tame(_converter().convert(text))
    except RecursionError as error:
        raise ContentError("lists or quotes are nested too deeply to be read") from error
    builder = _TreeBuilder(base_url)
    builder.feed(_sanitised(html))
    builder.close()
    return builder.root


def plain(element: Element) -> str:
    """Give an element's text: white space collapsed, its blocks divided by blank lines, images left out."""
    runs: list[str] = [""]

    def visit(node: Element) -> None:
        if node.tag in _BLOCKS:
            runs.append("")
        runs[-1] += " " if node.tag == "br" else node.text or ""
        for child in node:
            visit(child)
            runs[-1] += child.tail or ""
        if node.tag in _BLOCKS:
            runs.append("")

    visit(element)
    return "\n\n".join(filter(None, (" ".join(run.split()) for run in runs)))


# Markdown to HTML


def _converter() -> Markdown:
    # One for each text: a converter keeps state (references, footnotes) and is not safe between threads.
    return Markdown(
        extensions=["tables", "sane_lists", "def_list", FootnoteExtension(BACKLINK_TEXT=""), _Blog()],
        extension_configs={"tables": {"use_align_attribute": True}},
    )


class _Blog(Extension):
    """What blogs need beyond Python-Markdown: see the module's docstring."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  Python-Markdown's name
        md.ESCAPED_CHARS = list(punctuation)  # CommonMark section 2.4
        md.preprocessors.deregister("html_block")
        md.preprocessors.register(_SourceBlocks(md), "source_blocks", 20)
        md.parser.blockprocessors.register(_Heading(md.parser), "hashheader", 70)
        for name, kind, pattern, priority in _LINKS:
            bounded = type(kind.__name__, (_BoundedScan, kind), {})
            md.inlinePatterns.register(bounded(pattern, md), name, priority)
        md.inlinePatterns.register(_BrokenComment(r"<!-[^<>-][^<>]*>", md), "broken_comment", 95)
        md.inlinePatterns.register(SimpleTagInlineProcessor(r"(~~)([^~\n]+)~~", "del"), "deleted", 65)
        md.treeprocessors.register(_TextLimit(md), "text_limit", 25)
        md.treeprocessors.register(_KramdownAttributes(md), "attr_list", 8)


class _Heading(HashHeaderProcessor):
    """An ATX heading (CommonMark section 4.2) needs a space after its `#`: `#1 in my list` is prose."""

    RE = re.compile(r"(?:^|\n)(?P<level>#{1,6})(?P<header>(?:[ ][^\n#]*(?:#+[^\n#]+)*)?)#*(?:\n|$)")


class _BrokenComment(InlineProcessor):
    """A comment that a blog's export mangled (`<!- wp:paragraph ->`) shows nothing."""

    def handleMatch(  # type: ignore[override]  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[str, int, int]:
        return "", m.start(0), m.end(0)


class _BoundedScan(LinkInlineProcessor):
    """Links whose text and address are looked for nearby only: to the end of the text is quadratic."""

    def getText(self, data: str, index: int) -> tuple[str, int, bool]:  # noqa: N802
        depth = 1
        for found in _BRACKETS.finditer(data, index):
            depth += 1 if found[0] == "[" else -1
            if depth == 0:
                return data[index : found.start()], found.end(), True
            if depth > 8:
                break
        return "", index, False

    def getLink(self, data: str, index: int) -> tuple[str, str | None, int, bool]:  # noqa: N802
        near = data[: index + MAX_URL_CHARS]
        return super().getLink(near, index) if ")" in near[index:] else ("", None, index, False)


_BRACKETS = re.compile(r"[\[\]]")
_LINKS: tuple[tuple[str, type[LinkInlineProcessor], str, int], ...] = (
    ("reference", ReferenceInlineProcessor, REFERENCE_RE, 170),
    ("link", LinkInlineProcessor, LINK_RE, 160),
    ("image_link", ImageInlineProcessor, IMAGE_LINK_RE, 150),
    ("image_reference", ImageReferenceInlineProcessor, IMAGE_REFERENCE_RE, 140),
    ("short_reference", ShortReferenceInlineProcessor, REFERENCE_RE, 130),
    ("short_image_ref", ShortImageReferenceInlineProcessor, IMAGE_REFERENCE_RE, 125),
)


class _KramdownAttributes(AttrListTreeprocessor):
    """Attribute lists as kramdown has them, `{: …}`; other braces (Liquid's, say) are text."""

    # The stubs call these final; the class looks them up on itself so that they can be replaced.
    BASE_RE = r"\{:[ ]*([^\}\n ][^\n]*)\}"  # type: ignore[misc]
    HEADER_RE = re.compile(rf"[ ]+(?:{BASE_RE}|\{{\#([^\}}\n ]+)\}})[ ]*$")  # type: ignore[misc]
    BLOCK_RE = re.compile(rf"\n[ ]*{BASE_RE}[ ]*$")  # type: ignore[misc]
    INLINE_RE = re.compile(rf"^{BASE_RE}")  # type: ignore[misc]

    def assign_attrs(self, elem: Element, attrs_string: str | None, *, strict: bool = False) -> str:
        # None: a heading's `{#anchor}`, which a letter has no use for.
        return super().assign_attrs(elem, attrs_string, strict=strict) if attrs_string else ""


class _TextLimit(Treeprocessor):
    """Refuses a paragraph too long to look for emphasis and links in."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            for text in (element.text, element.tail):
                if text and len(text) > MAX_TEXT_CHARS and not isinstance(text, AtomicString):
                    raise ContentError(
                        f"the paragraph that begins {_quoted(text)} has {len(text):,} characters, more than "
                        f"the {MAX_TEXT_CHARS:,} allowed: divide it by blank lines"
                    )


_FENCE = re.compile(r"(?P<lead>[ >]*)(?P<mark>`{3,}(?=[^`]*$)|~{3,})")
_SHORTCODE = re.compile(r" {0,3}\[(?:source)?code\b[^\]]*\]", re.IGNORECASE)
_SHORTCODE_END = re.compile(r"\[/(?:source)?code\]", re.IGNORECASE)
_CAPTION = re.compile(r"\[caption\b[^\]\[]*\](.*?)\[/caption\]", re.IGNORECASE)
_CAPTIONED = re.compile(
    r"\s*(\[?!\[[^\]]*\]\([^)]*\)(?:\{:[^}]*\})?(?:\]\([^)]*\)(?:\{:[^}]*\})?)?"
    r"|(?:<a\b[^>]*>)?\s*<img\b[^>]*>\s*(?:</a>)?)?(.*)",
    re.IGNORECASE,
)
_HTML_BLOCK_TAGS = _words(
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


class _SourceBlocks(Preprocessor):
    """One pass over the lines, in linear time, that takes code and raw HTML out of Markdown's way.

    What it takes is stashed, and restored in the output; where it stood is a paragraph of its own.
    """

    def run(self, lines: list[str]) -> list[str]:
        self._lines = lines
        self._out: list[str] = []
        self._last = dict.fromkeys(("-->", "[/code]", *(f"</{tag}" for tag in _VERBATIM)), -1)
        for number, line in enumerate(lines):
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
        elif (line.startswith("#") and _Heading.RE.match(line)) or _RULE.fullmatch(line):
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
                raise ContentError(
                    f"the text near {_quoted(line)} goes on for more than {MAX_BLOCK_CHARS:,} characters: "
                    "divide it by blank lines"
                )
            if blocks > MAX_BLOCKS:
                raise ContentError(
                    f"the text has more than {MAX_BLOCKS:,} paragraphs: make several posts of it"
                )


def _quoted(text: str) -> str:
    return f"“{' '.join(text[:40].split())}”"


# HTML to a tree

_HTML_TAGS = _words(
    """
    a abbr acronym address applet area article aside audio b base basefont bdi bdo big blink
    blockquote body br button canvas caption center cite code col colgroup data datalist dd del
    details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form frame
    frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li
    link main map mark marquee menu meta meter nav nobr noscript object ol optgroup option output p
    param picture pre progress q rp rt ruby s samp search section select slot small source span
    strike strong style sub summary sup table tbody td tfoot th thead time tr track tt u ul var
    video wbr o:p
    """
)
# Tags without an end, or whose end may be left out: they do not count as depth.
_UNENDED = _words(
    """
    area base basefont br col embed frame hr img input li link meta p param source track wbr dd dt
    option optgroup rp rt tbody td tfoot th thead tr
    """
)
# HTML's "formatting elements" (WHATWG 13.2.4.3) are reopened in every paragraph that follows an unclosed one,
# but at most three alike: without attributes they are alike, and cannot multiply a hostile post.
_FORMATTING = _words("b big code em font i nobr s small strike strong tt u")
_EMBEDS = frozenset({"iframe", "video", "audio", "embed", "source"})
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]*)([^<>]*)>?|<(?=[!?])")
_SRC = re.compile(r"""\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_LINK_START = re.compile(r"https?://|/(?=[^/])|//", re.IGNORECASE)


def _tame(html: str) -> str:
    """Make HTML harmless to the HTML parser's speed, and what is no HTML visible.

    Words that only look like tags become text, embedded players become links, nesting stays under
    `MAX_DEPTH`; an opening `<script>` or comment that nothing closes does not swallow what follows.
    """
    for opening, closing in (("<!--", "-->"), ("<script", "</script"), ("<style", "</style")):
        html = _cut(html, opening, closing)
    depth = 0

    def tame(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2] is None:
            return "<" if html.startswith("<!-", tag.start()) else "&lt;"
        slash, name, rest = tag[1], tag[2].lower(), tag[3]
        if name not in _HTML_TAGS:
            return "&lt;" + tag[0][1:]
        if name in _EMBEDS:
            source = _SRC.search(rest)
            url = (source[1] or source[2] or source[3] or "").strip().replace('"', "&quot;") if source else ""
            return f' <a href="{url}">{url}</a> ' if _LINK_START.match(url) and not slash else ""
        if name not in _UNENDED:
            depth = max(0, depth - 1) if slash else depth + 1
            if depth + bool(slash) > MAX_DEPTH:
                return ""
        return f"<{slash}{name}>" if name in _FORMATTING else tag[0]

    return _TAG.sub(tame, html)


def _cut(html: str, opening: str, closing: str) -> str:
    """Remove what stands between two marks, in any case of letters; an opening without a closing is text."""
    lower, at = html.lower(), 0
    kept: list[str] = []
    if len(lower) != len(html):  # a few capitals have longer lower cases: then only these marks' own spelling
        lower = html
    while (start := lower.find(opening, at)) >= 0:
        end = lower.find(closing, start + len(opening))
        if end < 0:
            return "".join(kept) + html[at:start] + html[start:].replace(html[start : start + len(opening)],
                                                                         escape(opening))  # fmt: skip
        kept.append(html[at:start])
        close = lower.find(">", end)
        at = close + 1 if close >= 0 else len(html)
    return "".join(kept) + html[at:]


def _sanitised(html: str) -> str:
    return nh3.clean(
        html,
        tags=set(TAGS | _RENAMED.keys()),
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto", "tel"},
        link_rel=None,
    )


class _TreeBuilder(HTMLParser):
    """Builds the tree from sanitised, hence well-nested, HTML.

    A tag that may not stand where it does is passed through: its content goes to the element around it.
    """

    def __init__(self, base_url: str | None) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("div")
        self._base_url = base_url
        self._open: list[tuple[str, Element]] = [("", self.root)]
        self._paragraph: Element | None = None  # holds the stray text of a container

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = _RENAMED.get(tag, tag)
        around = self._open[-1][1]
        if name in _BLOCKS:
            self._divide()
        attributes = self._attributes(name, {key: value or "" for key, value in attrs})
        if name not in _VOID and not self._stands(name, around, attributes):
            self._open.append((tag, around))
            return
        if name == "img" and "src" not in attributes:
            self.handle_data(attributes["alt"])
            return
        parent = around if name in _BLOCKS else self._inside()
        element = SubElement(parent, name, attributes)
        if name not in _VOID:
            self._open.append((tag, element))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID or len(self._open) == 1:
            return
        is_block = _RENAMED.get(tag, tag) in _BLOCKS
        if is_block and self._open[-1][1].tag in _CONTAINERS:
            self._divide()
        _, element = self._open.pop()
        around = self._open[-1][1]
        if is_block:
            self._divide()
        if element is not around and element.tag not in _TABLE_PARTS and _is_empty(element):
            del (around if is_block else self._inside())[-1]

    def close(self) -> None:
        super().close()
        self._divide()

    def handle_data(self, data: str) -> None:
        text = _NOT_XML.sub("", data)
        if text.strip() or self._paragraph is not None or self._open[-1][1].tag not in _SPACELESS:
            _append(self._inside(), text)

    @staticmethod
    def _stands(name: str, around: Element, attributes: dict[str, str]) -> bool:
        if name == "div":
            return bool(attributes) and around.tag in _CONTAINERS
        if name == "p" and around.tag in ("figure", "figcaption"):
            return False
        if name in _BLOCKS:
            return around.tag in _CONTAINERS | _PARTS | _TABLE_PARTS
        return bool(attributes) if name == "span" else name != "a" or "href" in attributes

    def _inside(self) -> Element:
        """Give the element that text goes to."""
        around = self._open[-1][1]
        if around.tag not in _CONTAINERS:
            return around
        if self._paragraph is None:
            self._paragraph = SubElement(around, "p")
        return self._paragraph

    def _divide(self) -> None:
        """End the run of text before or after a block, also where the block's tag is passed through."""
        around = self._open[-1][1]
        if around.tag in _CONTAINERS:
            if self._paragraph is not None and _is_empty(self._paragraph):
                del around[-1]
            self._paragraph = None
            return
        text = around[-1].tail if len(around) else around.text
        if around.tag not in _SPACELESS and (text or "").strip():
            _append(around, "\n")

    def _attributes(self, name: str, given: dict[str, str]) -> dict[str, str]:
        kept: dict[str, str] = {}
        for key, value in given.items():
            text = _NOT_XML.sub("", value)
            if key in ("href", "src"):
                url = self._url(
                    text, ("http", "https") if key == "src" else ("http", "https", "mailto", "tel")
                )
                kept |= {key: url} if url else {}
            elif key not in _VALUES or _VALUES[key](text):
                kept[key] = text
        return {"alt": "", **kept} if name == "img" else kept

    def _url(self, url: str, schemes: tuple[str, ...]) -> str | None:
        """Resolve an address; None for a scheme that is not allowed, a place on the page, or nonsense."""
        url = re.sub(r"[\t\n\r]", "", url.strip()).replace(" ", "%20")
        if not url or url.startswith("#"):
            return None
        try:
            url = urljoin(self._base_url, url) if self._base_url else url
            scheme = urlsplit(url).scheme
        except ValueError:
            return None
        return url if scheme in schemes or (not scheme and not self._base_url) else None


def _append(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def _is_empty(element: Element) -> bool:
    return not len(element) and not (element.text or "").strip() and element.tag not in _VOID
