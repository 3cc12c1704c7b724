"""HTML of any quality, to a tree of clean elements.

Promises: `html_to_tree` gives a `<div>` of block elements made of `TAGS` only, well-formed, with web and
mail links only, whatever came in. What looks like a tag and is none (`<Some Company>`) is text. Embedded
players become links; what is nested deeper than `MAX_DEPTH` is flattened; never fails.

May surprise: `h1` becomes `h2`, since the letter's title is its only h1, and links to a place on the same
page are plain text, for a letter has no such places.
"""

import re
from collections.abc import Callable
from html import escape
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit
from xml.etree.ElementTree import Element, SubElement

import nh3

MAX_DEPTH = 50
"""Elements inside elements; what is nested deeper is flattened."""


def words(text: str) -> frozenset[str]:
    """A set of the words of a text: for lists of tags."""
    return frozenset(text.split())


_VOID = frozenset({"img", "br", "hr"})
_CONTAINERS = frozenset({"div", "blockquote"})  # hold blocks only: stray text in them becomes a paragraph
_TEXT_BLOCKS = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "pre", "dt"})  # hold text only
_PARTS = frozenset({"ul", "ol", "li", "dl", "dd", "figure", "figcaption"})
_TABLE_PARTS = frozenset({"table", "thead", "tbody", "tr", "th", "td"})
_BLOCKS = _CONTAINERS | _TEXT_BLOCKS | _PARTS | _TABLE_PARTS | {"hr"}
_SPACELESS = _CONTAINERS | (_TABLE_PARTS - {"td", "th"}) | {"ul", "ol", "dl", "figure"}  # hold elements
_INLINE = words("a abbr br cite code del em img ins span strong sub sup")
TAGS = _BLOCKS | _INLINE
"""Every tag that a tree may hold."""

CLASSES = frozenset({"said", "narration"})
"""Marks an editor may set on a block (`{: .said}`); `newsletter.content.threads` obeys and removes them."""

_RENAMED = {
    **dict.fromkeys(["b"], "strong"),
    **dict.fromkeys(["i", "var", "dfn"], "em"),
    **dict.fromkeys(["s", "strike"], "del"),
    **dict.fromkeys(["tt", "kbd", "samp"], "code"),
    **dict.fromkeys(words("address article aside center details footer header main nav section"), "div"),
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


def html_to_tree(html: str, *, base_url: str | None) -> Element:
    """Clean a piece of HTML; `base_url` is as for `newsletter.content.markdown.to_tree`."""
    builder = _TreeBuilder(base_url)
    builder.feed(_sanitised(_tame(html)))
    builder.close()
    return builder.root


def without_illegal(text: str) -> str:
    """Text without the characters that XML does not allow."""
    return _NOT_XML.sub("", text)


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


_HTML_TAGS = words(
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
_UNENDED = words(
    """
    area base basefont br col embed frame hr img input li link meta p param source track wbr dd dt
    option optgroup rp rt tbody td tfoot th thead tr
    """
)
_EMBEDS = frozenset({"iframe", "video", "audio", "embed", "source"})
_TAG = re.compile(r"<(/?)([A-Za-z][^\s/<>]*)([^<>]*)>?|<(?=[!?])")
_SRC = re.compile(r"""\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
_LINK_START = re.compile(r"https?://|/(?=[^/])|//", re.IGNORECASE)


def _tame(html: str) -> str:
    """Make HTML harmless to the HTML parser's speed, and what is no HTML visible.

    Words that only look like tags become text, embedded players become links, and nesting stays under
    `MAX_DEPTH` (an unclosed tag deepens it for good, for HTML reopens it in every paragraph). An opening
    `<script>` or comment that nothing closes does not swallow what follows.
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
        return tag[0]

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
