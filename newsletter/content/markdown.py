"""Markdown, as blogs really hold it, to a tree of clean elements.

Promises: words of ordinary prose appear once each, in order; what comes out is what
`newsletter.content.html` lets through. Fails with `ContentError` where a text is larger than prose can be.

May surprise: `# heading` needs its space as in CommonMark, attribute lists need kramdown's colon (`{: …}`),
and raw HTML and code are found as `newsletter.content.source_blocks` says.
"""

import re
import threading
from string import punctuation
from typing import cast
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
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
from markdown.treeprocessors import InlineProcessor as InlineTreeprocessor
from markdown.treeprocessors import Treeprocessor
from markdown.util import AtomicString, Registry

from newsletter.content.addresses import RUN, address_length
from newsletter.content.html import without_illegal
from newsletter.content.shortcodes import expand
from newsletter.content.source_blocks import MAX_TEXT_CHARS, Heading, SourceBlocks, quoted
from newsletter.content.taming import SHOWS_NOTHING
from newsletter.content.tree import Doubt
from newsletter.content.tree_builder import html_to_tree
from newsletter.errors import ContentError

MAX_URL_CHARS = 4_096
"""Characters of a link's address and title; a longer one is left as text."""

_DATA_IMAGE = re.compile(r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/=]+", re.IGNORECASE)


def read_markdown(markdown: str, *, base_url: str | None) -> tuple[Element, tuple[Doubt, ...]]:
    """Read Markdown (CommonMark as far as Python-Markdown goes, tables, footnotes, definition lists).

    Args:
        markdown: the body of a post.
        base_url: the address that relative links and images are resolved against (RFC 3986 section 5),
            best the post's own; None leaves them as they are.

    Returns:
        The tree, and what its editor should know of tags that a letter cannot carry out.

    Raises:
        ContentError: one of the limits above is exceeded.
    """
    text = markdown.replace("\r\n", "\n").replace("\r", "\n")
    text = _DATA_IMAGE.sub("data:,", without_illegal(text))
    text, doubts = expand(text, base_url=base_url)
    return html_to_tree(_html(text), base_url=base_url), doubts


def to_tree(markdown: str, *, base_url: str | None) -> Element:
    """The tree that `read_markdown` gives, without the doubts."""
    return read_markdown(markdown, base_url=base_url)[0]


_kept = threading.local()


def _html(markdown: str) -> str:
    # A converter is dear to make and holds state: each thread keeps its own, and none that failed.
    converter: Markdown = getattr(_kept, "converter", None) or _converter()
    _kept.converter = None
    try:
        html = converter.reset().convert(markdown)
    except RecursionError as error:
        raise ContentError("lists or quotes are nested too deeply to be read") from error
    _kept.converter = converter
    return html


def _converter() -> Markdown:
    return Markdown(
        extensions=["tables", "sane_lists", "def_list", FootnoteExtension(BACKLINK_TEXT=""), _Blog()],
        extension_configs={"tables": {"use_align_attribute": True}},
    )


class _Blog(Extension):
    """What blogs need beyond Python-Markdown: see the module's docstring."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  Python-Markdown's name
        md.ESCAPED_CHARS = list(punctuation)  # CommonMark section 2.4
        md.block_level_elements = [*md.block_level_elements, "data"]
        md.preprocessors.deregister("html_block")
        md.preprocessors.register(SourceBlocks(md), "source_blocks", 20)
        md.parser.blockprocessors.register(Heading(md.parser), "hashheader", 70)
        for name, kind, pattern, priority in _LINKS:
            bounded = type(kind.__name__, (_BoundedScan, kind), {})
            md.inlinePatterns.register(bounded(pattern, md), name, priority)
        md.inlinePatterns.register(_Nothing(SHOWS_NOTHING, md), "nothing", 95)
        md.inlinePatterns.register(_BareAddress(RUN, md), "bare_address", 85)
        md.inlinePatterns.register(SimpleTagInlineProcessor(r"(~~)([^~\n]+)~~", "del"), "deleted", 65)
        md.treeprocessors.register(_Texts(md), "texts", 25)
        md.treeprocessors.register(_Alternatives(md), "alternatives", 15)
        md.treeprocessors.register(_KramdownAttributes(md), "attr_list", 8)


class _Nothing(InlineProcessor):
    """What shows nothing: see `newsletter.content.taming`."""

    def handleMatch(  # type: ignore[override]  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[str, int, int]:
        return "", m.start(0), m.end(0)


class _BareAddress(InlineProcessor):
    """Keeps emphasis out of an address in the text; `newsletter.content.html` makes a link of it."""

    def handleMatch(  # type: ignore[override]  # noqa: N802
        self, m: re.Match[str], data: str
    ) -> tuple[Element | None, int | None, int | None]:
        length = address_length(m[0])
        if not length:
            return None, None, None
        address = Element("span")
        address.text = AtomicString(m[0][:length])
        return address, m.start(0), m.start(0) + length


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


class _Alternatives(Treeprocessor):
    """The alternative text of a picture is the plain text of its description (CommonMark section 6.4)."""

    def __init__(self, md: Markdown) -> None:
        super().__init__(md)
        self._emphasis = InlineTreeprocessor(md)
        self._emphasis.inlinePatterns = Registry()
        # All else in a description was read with the text around it.
        for name in filter(md.inlinePatterns.__contains__, ("em_strong", "em_strong2", "deleted")):
            pattern = cast("InlineTreeprocessor", md.inlinePatterns[name])
            self._emphasis.inlinePatterns.register(pattern, name, 0)

    def run(self, root: Element) -> None:
        for picture in root.iter("img"):
            described = picture.get("alt", "")
            if any(mark in described for mark in "*_~"):
                holder = Element("div")
                SubElement(holder, "p").text = described
                picture.set("alt", "".join(self._emphasis.run(holder).itertext()))


class _Texts(Treeprocessor):
    """Refuses a paragraph too long to look for emphasis and links in; spares the search in one without."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.text and not isinstance(element.text, AtomicString):
                element.text = _checked(element.text)
            if element.tail and not isinstance(element.tail, AtomicString):
                element.tail = _checked(element.tail)


_MARK = re.compile(r"[\\`\[<&*_~\x02]|://|  \n")


def _checked(text: str) -> str:
    if len(text) > MAX_TEXT_CHARS:
        raise ContentError(
            f"the paragraph that begins {quoted(text)} has {len(text):,} characters, more than "
            f"the {MAX_TEXT_CHARS:,} allowed: divide it by blank lines"
        )
    return text if _MARK.search(text) else AtomicString(text)
