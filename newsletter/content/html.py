"""The HTML that a tree may hold: its elements and attributes, and the text in them.

Promises: `sanitised` lets through what is listed here and nothing else, well nested, whatever comes in; it
never fails. `plain` gives the words of a tree.

May surprise: `h1` becomes `h2`, since the letter's title is its only h1.
"""

import re
from xml.etree.ElementTree import Element

import nh3


def words(text: str) -> frozenset[str]:
    """A set of the words of a text: for lists of tags."""
    return frozenset(text.split())


VOID = frozenset({"img", "br", "hr"})
CONTAINERS = frozenset({"div", "blockquote"})  # hold blocks only: stray text in them becomes a paragraph
TEXT_BLOCKS = frozenset({"p", "h2", "h3", "h4", "h5", "h6", "pre", "dt"})  # hold text only
PARTS = frozenset({"ul", "ol", "li", "dl", "dd", "figure", "figcaption"})
TABLE_PARTS = frozenset({"table", "thead", "tbody", "tr", "th", "td"})
BLOCKS = CONTAINERS | TEXT_BLOCKS | PARTS | TABLE_PARTS | {"hr"}
SPACELESS = CONTAINERS | (TABLE_PARTS - {"td", "th"}) | {"ul", "ol", "dl", "figure"}  # hold elements only
_INLINE = words("a abbr br cite code del em img ins span strong sub sup")
TAGS = BLOCKS | _INLINE
"""Every tag that a tree may hold."""

CLASSES = frozenset({"said", "narration", "speaker"})
"""Marks an editor may set on a block (`{: .said}`); `newsletter.content.threads` obeys and removes them."""

MAX_NAME_CHARS = 200
"""Characters of `data-by`, which names a block's speaker (`{: .said by="Ann Lee"}`)."""

MARKED = words("p ul ol blockquote dl pre table figure h2 h3 h4 h5 h6")
"""What an editor may mark, with `CLASSES` and with the name of who said it (`data-by`)."""

RENAMED = {
    **dict.fromkeys(["b"], "strong"),
    **dict.fromkeys(["i", "var", "dfn"], "em"),
    **dict.fromkeys(["s", "strike"], "del"),
    **dict.fromkeys(["tt", "kbd", "samp"], "code"),
    **dict.fromkeys(words("address article aside center details footer header main nav section"), "div"),
    "mark": "strong",
    "u": "ins",
    "h1": "h2",
    "summary": "p",
    "caption": "p",
    "tfoot": "tbody",
}
"""Tags that are read as another one."""

ATTRIBUTES: dict[str, set[str]] = {
    **{tag: {"dir", "lang"} for tag in TAGS - VOID},
    **{tag: {"dir", "lang", "class", "data-by"} for tag in MARKED},
    "a": {"href", "title", "data-embed"},
    "abbr": {"title"},
    "img": {"src", "alt", "title", "width", "height"},
    "ol": {"start", "dir", "lang", "class", "data-by"},
    "pre": {"dir", "lang", "class", "data-by", "data-language"},
    "td": {"align", "colspan", "rowspan", "dir", "lang"},
    "th": {"align", "colspan", "rowspan", "dir", "lang"},
}
"""Every attribute that a tree may hold, by tag."""

# What is read of HTML, and is more than the tree holds.
_READ = {
    **{tag: {*ATTRIBUTES.get(RENAMED.get(tag, tag), ()), "class"} for tag in TAGS | RENAMED.keys()},
    "img": {*ATTRIBUTES["img"], "data-src", "data-lazy-src", "data-original"},
    "data": {"class", "data-by", "data-next", "dir", "lang"},
}
_READ_TAGS = set(_READ)
_SCHEMES = {"http", "https", "mailto", "tel"}

# XML 1.0 section 2.2 allows no other characters than these and CR, which does not survive section 2.11; lone
# surrogates are not characters at all.
_NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def without_illegal(text: str) -> str:
    """Text without the characters that XML does not allow."""
    return _NOT_XML.sub("", text)


def plain(element: Element) -> str:
    """Give an element's text: white space collapsed, its blocks divided by blank lines, images left out."""
    runs: list[str] = [""]

    def visit(node: Element) -> None:
        if node.tag in BLOCKS:
            runs.append("")
        runs[-1] += " " if node.tag == "br" else node.text or ""
        for child in node:
            visit(child)
            runs[-1] += child.tail or ""
        if node.tag in BLOCKS:
            runs.append("")

    visit(element)
    return "\n\n".join(filter(None, (" ".join(run.split()) for run in runs)))


def sanitised(html: str) -> str:
    """HTML of what is listed above; elements that are not leave their text."""
    return nh3.clean(
        html,
        tags=_READ_TAGS,
        attributes=_READ,
        url_schemes=_SCHEMES,
        link_rel=None,
    )


def append(parent: Element, text: str) -> None:
    """Add text at the end of an element."""
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def is_empty(element: Element) -> bool:
    """Whether an element shows nothing."""
    if len(element) or element.tag in VOID:
        return False
    text = (element.text or "").strip()
    return not text or (element.tag == "p" and _MORE.fullmatch(text) is not None)


_MORE = re.compile(r"<!-{1,2}\s*(?:more|nextpage)\b[^<>]{0,100}>")  # WordPress's mark, escaped by an export
