"""Clean elements from HTML of any quality.

Promises: `html_to_tree` gives a `<div>` of block elements made of `newsletter.content.html.TAGS` only,
well-formed, with web and mail links only, whatever came in. What looks like a tag and is none
(`<Some Company>`) is text, and an address in text is a link (GFM section 6.9). Embedded players become cards
(see `newsletter.content.cards`); deep nesting is flattened; tables that only lay out a page are undone; code
loses the colours and line numbers of a highlighter and keeps its language. It never fails and takes linear
time.

May surprise: links to a place on the same page are plain text, for a letter has no such places.
"""

import re
from html import unescape
from itertools import pairwise
from xml.etree.ElementTree import Element, SubElement

from newsletter.content.addresses import addresses
from newsletter.content.attributes import clean, web_address
from newsletter.content.bookmarks import Bookmark, is_bookmark
from newsletter.content.cards import make_cards
from newsletter.content.html import (
    BLOCKS,
    CONTAINERS,
    MARKED,
    PARTS,
    RENAMED,
    SPACELESS,
    TABLE_PARTS,
    TAGS,
    VOID,
    append,
    is_empty,
    sanitised,
    without_illegal,
    words,
)
from newsletter.content.layouts import undo_layouts
from newsletter.content.tags import language_of
from newsletter.content.taming import tame

_GUTTERS = words("lineno linenos linenodiv rouge-gutter gutter line-numbers-rows lnt")
_FORMATTING = TAGS - BLOCKS - VOID - {"a"}  # a link may hold blocks, and stays one

# What `sanitised` writes: tags in lower case, values between double quotes.
_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: [a-z-]+="[^"]*")*)>')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')


def html_to_tree(html: str, *, base_url: str | None) -> Element:
    """Clean a piece of HTML; `base_url` is as for `newsletter.content.markdown.read_markdown`."""
    builder = _TreeBuilder(base_url)
    builder.feed(sanitised(tame(html)))
    undo_layouts(builder.root)
    make_cards(builder.root)
    return builder.root


class _TreeBuilder:
    """Builds the tree from sanitised, hence well-nested, HTML.

    A tag that may not stand where it does is passed through: its content goes to the element around it.
    """

    def __init__(self, base_url: str | None) -> None:
        self.root = Element("div")
        self._base_url = base_url
        self._open: list[tuple[str, Element]] = [("", self.root)]
        self._paragraph: Element | None = None  # holds the stray text of a container
        self._skipped: list[str] = []  # open tags of a line-number gutter
        self._bookmark: Bookmark | None = None
        self._languages: dict[int, str] = {}  # of the code in an open tag, by its place in `_open`
        self._next_marks: dict[str, str] = {}  # for the next block
        self._parts: dict[Element, Element] = {}  # a part of a divided paragraph, to the part before it

    def feed(self, html: str) -> None:
        """Build from the whole of a text that `sanitised` wrote."""
        at = 0
        for tag in _TAG.finditer(html):
            if tag.start() > at:
                self._text(unescape(html[at : tag.start()]))
            at = tag.end()
            if tag[1]:
                self._end(tag[2])
            else:
                given = {name: unescape(value) for name, value in _ATTRIBUTE.findall(tag[3])}
                self._start(tag[2], given)
        self._text(unescape(html[at:]))
        self._divide()

    def _start(self, tag: str, given: dict[str, str]) -> None:
        classes = given.get("class", "").split()
        if self._skipped or (tag not in VOID and not _GUTTERS.isdisjoint(classes)):
            self._skipped += [] if tag in VOID else [tag]
        elif self._bookmark:
            self._bookmark.start(tag, clean("a", given, self._base_url).get("href") if tag == "a" else None)
        elif self._open[-1][1].tag in CONTAINERS and is_bookmark(classes) and RENAMED.get(tag, tag) in BLOCKS:
            self._divide()
            self._bookmark = Bookmark()
        else:
            self._begin(tag, given, classes)

    def _begin(self, tag: str, given: dict[str, str], classes: list[str]) -> None:
        """Add an element, or pass its tag through."""
        name = RENAMED.get(tag, tag)
        if name in BLOCKS or tag == "data":
            self._end_formatting()
            self._divide()
        around = self._open[-1][1]
        if tag == "data":
            self._mark(around, given)
        if name in ("pre", "div", "figure", "code"):
            self._note_language(name, given, classes)
        attributes = clean(name, given, self._base_url)
        if name in VOID:
            self._add_void(name, around, attributes)
        elif self._stands(name, around, attributes):
            self._open.append((tag, self._add(name, around, attributes)))
        else:
            self._open.append((tag, around))

    def _add(self, name: str, around: Element, attributes: dict[str, str]) -> Element:
        if self._next_marks and name in MARKED and around.tag in CONTAINERS:
            attributes = {**self._next_marks, **attributes}
            self._next_marks = {}
        return SubElement(around if name in BLOCKS else self._inside(), name, attributes)

    def _add_void(self, name: str, around: Element, attributes: dict[str, str]) -> None:
        if name == "img" and "src" not in attributes:
            self._text(attributes["alt"])
        elif self._shows(name, around, attributes):
            self._add(name, around, attributes)

    def _shows(self, name: str, around: Element, attributes: dict[str, str]) -> bool:
        """Whether a picture, a rule or a line break is more than the end of what stands before it."""
        if name == "img":
            return not _repeats(self._paragraph if around.tag in CONTAINERS else around, attributes)
        if name == "hr":
            return self._stands(name, around, attributes)
        return not self._begins_paragraph() and not self._ends_paragraph()

    def _end(self, tag: str) -> None:
        if tag in VOID or (len(self._open) == 1 and not self._bookmark and not self._skipped):
            return
        if self._skipped:
            self._skipped.pop()
            return
        if self._bookmark:
            if self._bookmark.end():
                self._open[-1][1].extend(self._bookmark.elements())
                self._bookmark = None
            return
        self._languages.pop(len(self._open), None)
        is_block = RENAMED.get(tag, tag) in BLOCKS
        if is_block and self._open[-1][1].tag in CONTAINERS:
            self._divide()
        _, element = self._open.pop()
        around = self._open[-1][1]
        if is_block:
            self._divide()
        if element.tag == "pre":
            _trim_end(element)
        if element is not around and element.tag not in TABLE_PARTS and is_empty(element):
            del (around if is_block else self._inside())[-1]

    def _text(self, data: str) -> None:
        if self._skipped:
            return
        text = without_illegal(data)
        if self._bookmark:
            self._bookmark.pieces.append(text)
        elif text.strip() or self._paragraph is not None or self._open[-1][1].tag not in SPACELESS:
            self._write(self._inside(), text)

    def _write(self, parent: Element, text: str) -> None:
        """Append text, its addresses as links, except in links and code."""
        if "://" not in text or any(tag in ("a", "code", "pre") for tag, _ in self._open):
            append(parent, text)
            return
        at = 0
        for start, end in addresses(text):
            url = web_address(text[start:end], self._base_url)
            if url:
                append(parent, text[at:start])
                SubElement(parent, "a", {"href": url}).text = text[start:end]
                at = end
        append(parent, text[at:])

    def _mark(self, around: Element, given: dict[str, str]) -> None:
        """Set an attribute list's marks on the block before it, or keep them for the next one."""
        marks = clean("p", given, self._base_url)
        if "data-next" in given:
            self._next_marks = marks
            return
        block = around[-1] if len(around) and around[-1].tag in MARKED else None
        while block is not None:
            block.attrib.update(marks)
            block = self._parts.pop(block, None)

    def _note_language(self, name: str, given: dict[str, str], classes: list[str]) -> None:
        """Keep the language of code (`class="language-x"`, `class="brush: x"`) for its `<pre>`."""
        named = [word for word in classes if word.startswith(("language-", "lang-"))]
        if "brush:" in given.get("class", "").replace(" :", ":"):
            named = given["class"].partition("brush:")[2].replace(";", " ").split()
        language = language_of(named[:1])
        if name == "code":
            block = self._open[-1][1]
            if block.tag == "pre" and language:
                block.attrib.setdefault("data-language", language)
        elif name == "pre":
            language = language or next(reversed(self._languages.values()), "")
            if language and "data-language" not in given:
                given["data-language"] = language
        elif language:
            self._languages[len(self._open) + 1] = language

    def _begins_paragraph(self) -> bool:
        """Whether nothing stands before here in a paragraph: a line break there is only a gap."""
        around = self._open[-1][1]
        if around.tag in CONTAINERS:
            return self._paragraph is None
        return around.tag == "p" and not len(around) and not (around.text or "").strip()

    def _ends_paragraph(self) -> bool:
        """Begin another paragraph at the second line break of two."""
        around = self._open[-1][1]
        paragraph = self._paragraph if around.tag in CONTAINERS else around
        if paragraph is None or paragraph.tag != "p" or not len(paragraph):
            return False
        if paragraph[-1].tag != "br" or (paragraph[-1].tail or "").strip():
            return False
        del paragraph[-1]
        if paragraph is self._paragraph:
            self._divide()
            return True
        if is_empty(paragraph):
            return True
        _, parent = self._open[-2]
        self._open[-1] = (self._open[-1][0], SubElement(parent, "p", dict(paragraph.attrib)))
        self._parts[self._open[-1][1]] = paragraph
        return True

    @staticmethod
    def _stands(name: str, around: Element, attributes: dict[str, str]) -> bool:
        if name == "data":
            return False
        if name == "div":
            return bool(attributes) and around.tag in CONTAINERS
        if name == "p" and around.tag in ("figure", "figcaption"):
            return False
        if name in BLOCKS:
            return around.tag in CONTAINERS | PARTS | TABLE_PARTS
        return bool(attributes) if name == "span" else name != "a" or "href" in attributes

    def _inside(self) -> Element:
        """Give the element that text goes to."""
        around = self._open[-1][1]
        if around.tag not in CONTAINERS:
            return around
        if self._paragraph is None:
            self._paragraph = SubElement(around, "p")
        return self._paragraph

    def _end_formatting(self) -> None:
        """End the formatting of a container's stray text before a block: nothing closed `<b>`, say."""
        place = len(self._open)
        while self._open[place - 1][1].tag in _FORMATTING:
            place -= 1
        container, inline = self._open[place - 1][1], self._open[place:]
        if container.tag not in CONTAINERS or self._paragraph is None:
            return
        holders = [self._paragraph, *(element for _, element in inline)]
        for parent, element in reversed(list(pairwise(holders))):
            if element is not parent and is_empty(element):
                parent.remove(element)
        self._open[place:] = [(tag, container) for tag, _ in inline]

    def _divide(self) -> None:
        """End the run of text before or after a block, also where the block's tag is passed through."""
        around = self._open[-1][1]
        if around.tag in CONTAINERS:
            if self._paragraph is not None and is_empty(self._paragraph):
                del around[-1]
            self._paragraph = None
            return
        text = around[-1].tail if len(around) else around.text
        if around.tag not in SPACELESS and (text or "").strip():
            append(around, "\n")


def _trim_end(code: Element) -> None:
    """Take away the blank lines that a highlighter leaves below code."""
    node = code
    while len(node):
        node[-1].tail = (node[-1].tail or "").rstrip() or None
        if node[-1].tail:
            return
        node = node[-1]
    node.text = (node.text or "").rstrip()


def _repeats(around: Element | None, attributes: dict[str, str]) -> bool:
    """Whether a picture is the one before it: lazy loaders write it again in `<noscript>`."""
    before = around[-1] if around is not None and len(around) else None
    return (
        before is not None
        and before.tag == "img"
        and before.get("src") == attributes["src"]
        and not (before.tail or "").strip()
    )
