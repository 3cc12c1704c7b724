"""A post's tree as HTML that mail clients show well.

Promises: the result is well-formed XHTML in double-quoted attributes, so that it can stand inside MJML;
it holds every word of the tree once and in order, and nothing of the tree but listed tags and
attributes; every style is inline, because some clients drop `<style>`; and what Outlook for Windows
ignores on other elements (padding, borders) is set on table cells. Layout tables are
`role="presentation"`, headings skip no level, and long words can break.

It does not fail. Tags that are not listed lose their markup and keep their text, elements nested deeper
than `MAX_DEPTH` are written as plain text (the MJML compiler is recursive, and overflows its stack
instead of raising), and characters that XML cannot hold are left out. What may surprise: line breaks
inside `<pre>` are written `&#10;`, because the compiler drops text that is only line breaks.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Literal
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from newsletter.render.theme import Face, Theme

Direction = Literal["ltr", "rtl"]

MAX_DEPTH = 64
"""Elements below this depth lose their markup, in HTML and in plain text."""

_MAX_QUOTE_BARS = 3  # deeper quotations keep their element and lose their indent: phones are narrow

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "a": ("href", "title"),
    "abbr": ("title",),
    "li": ("value",),
    "ol": ("start",),
    "td": ("align", "colspan", "rowspan"),
    "th": ("align", "colspan", "rowspan", "scope"),
}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_PLAIN = frozenset({"abbr", "cite", "del", "em", "ins", "strong", "thead", "tbody", "tr"})  # need no style
_LAYOUT = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"><tr>'

_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")  # XML 1.0, section 2.2
_SPACES = re.compile(r"[ \t\n\r\f]+")
_LONG_WORD = re.compile(r"[!-~]{25,}")  # ASCII only: elsewhere a break may split a letter from its marks
_PIECE = re.compile(r".{6,16}?[-/?&=#.,:;_%+]|.{1,16}")
_PIXELS = re.compile(r"[1-9][0-9]{0,4}")
_BREAK = "\0"  # stands for <wbr> until the text is escaped; XML text cannot hold it otherwise


def heading_levels(bodies: Iterable[Element], *, below: int) -> dict[Element, int]:
    """Levels for the headings of one post, so that they nest under level `below` and skip none (WCAG 1.3.1).

    Headings that are siblings in the post stay siblings: a post whose headings are all `h3` gets `h2`
    throughout below a title of level 1.
    """
    levels: dict[Element, int] = {}
    open_levels: list[int] = []
    for body in bodies:
        for element in body.iter():
            if element.tag in _HEADINGS:
                written = int(element.tag[1])
                while open_levels and open_levels[-1] >= written:
                    open_levels.pop()
                open_levels.append(written)
                levels[element] = min(below + len(open_levels), 6)
    return levels


def to_html(
    body: Element,
    theme: Theme,
    face: Face,
    *,
    direction: Direction = "ltr",
    levels: Mapping[Element, int] | None = None,
) -> str:
    """Write `body` (a block element of a `Document`) for mail, set in `face`.

    `direction` is that of the text around it; `levels` gives headings other levels than their tags do.
    """
    writer = _Writer(theme, face, levels or {})
    writer.element(body, _Place(direction), last=True)
    return "".join(writer.out)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree the writer is."""

    direction: Direction
    depth: int = 0
    quotes: int = 0
    in_pre: bool = False

    @property
    def start(self) -> str:
        return "right" if self.direction == "rtl" else "left"

    def indent(self, gap: int, start: int) -> str:
        """The four lengths of a margin or padding with `gap` below and `start` where lines begin."""
        return f"0 {start}px {gap}px 0" if self.direction == "rtl" else f"0 0 {gap}px {start}px"


@dataclass
class _Writer:
    """Collects the pieces of one body's HTML in `out`."""

    theme: Theme
    face: Face
    levels: Mapping[Element, int]

    def __post_init__(self) -> None:
        self.out: list[str] = []
        self._special: Mapping[str, Callable[[Element, _Place, int], None]] = {
            "a": self._link,
            "blockquote": self._quote,
            "br": lambda *_: self.out.append("<br />"),
            "code": self._code,
            "dd": self._list,
            "figcaption": self._caption,
            "figure": self._figure,
            "hr": self._rule,
            "img": self._image,
            "ol": self._list,
            "pre": self._pre,
            "table": self._table,
            "td": self._cell,
            "th": self._cell,
            "ul": self._list,
        }

    @cached_property
    def _gap(self) -> int:
        return round(self.face.size * 0.95)

    @cached_property
    def _type(self) -> str:
        """Outlook's cells do not inherit type from what they stand in."""
        face = self.face
        return (
            f"font-family:{face.font};font-size:{face.size}px;line-height:{face.leading};"
            f"color:{self.theme.light.ink}"
        )

    @cached_property
    def _styles(self) -> Mapping[str, str]:
        """Inline styles of elements that need nothing else; `{gap}` is the space below a block."""
        return {
            "p": "margin:0 0 {gap}px",
            "dl": "margin:0 0 {gap}px",
            "dt": "margin:0;font-weight:bold",
            "li": f"margin:0 0 {self._gap // 3}px",
            "sup": "font-size:75%;line-height:0",
            "sub": "font-size:75%;line-height:0",
        }

    def element(self, element: Element, place: _Place, *, last: bool) -> None:
        """Write one element without its tail; `last` is true where nothing follows that needs a space."""
        tag = element.tag
        gap = 0 if last else self._gap
        if place.depth >= MAX_DEPTH:
            self._text("".join(element.itertext()), place)
        elif special := self._special.get(tag):
            special(element, place, gap)
        elif tag in _HEADINGS:
            self._heading(element, place, gap)
        elif style := self._styles.get(tag):
            self._tagged(tag, element, place, style.format(gap=gap))
        elif tag in _PLAIN or element.get("dir") or element.get("lang"):
            self._tagged(tag if tag in _PLAIN or tag == "span" else "div", element, place)
        else:
            self._content(element, place)

    def _content(self, element: Element, place: _Place) -> None:
        inside = replace(place, depth=place.depth + 1)
        self._text(element.text, inside)
        final = len(element) - 1
        for number, child in enumerate(element):
            self.element(child, inside, last=number == final and not (child.tail or "").strip())
            self._text(child.tail, inside)

    def _text(self, text: str | None, place: _Place) -> None:
        if not text:
            return
        text = _NOT_XML.sub("", text)
        if place.in_pre:
            text = escape(text, quote=False).replace("\r\n", "\n").replace("\n", "&#10;")
        else:
            text = _LONG_WORD.sub(lambda word: _BREAK.join(_PIECE.findall(word[0])), _SPACES.sub(" ", text))
            text = escape(text, quote=False).replace(_BREAK, "<wbr />")
        self.out.append(text)

    def _tagged(self, tag: str, element: Element, place: _Place, style: str = "", **more: str) -> None:
        """Write `element` as `tag`, with what its attributes say about language and direction."""
        attributes = {name: element.get(name, "") for name in _ATTRIBUTES.get(element.tag, ())}
        attributes |= {"lang": element.get("lang", ""), **more}
        direction = element.get("dir", "").lower()
        if direction in {"ltr", "rtl"}:
            place = replace(place, direction="rtl" if direction == "rtl" else "ltr")
            attributes["dir"] = direction
            style = ";".join(filter(None, (style, f"direction:{direction};text-align:{place.start}")))
        self._open(tag, **attributes, style=style)
        self._content(element, place)
        self.out.append(f"</{tag}>")

    def _open(self, tag: str, *, end: str = ">", **attributes: str) -> None:
        """Write a start tag; attributes with no value are left out."""
        written = "".join(
            f' {name.rstrip("_")}="{_attribute(value)}"' for name, value in attributes.items() if value
        )
        self.out.append(f"<{tag}{written}{end}")

    def _heading(self, element: Element, place: _Place, gap: int) -> None:
        level = self.levels.get(element, int(element.tag[1]))
        size = round(self.face.size * {1: 1.7, 2: 1.3, 3: 1.15}.get(level, 1.0))
        top = self._gap // 2
        style = f"margin:{top}px 0 {gap // 2}px;font-size:{size}px;line-height:1.3;font-weight:bold"
        self._tagged(f"h{level}", element, place, style)

    def _link(self, element: Element, place: _Place, _gap: int) -> None:
        if element.get("href"):
            self._tagged("a", element, place, f"color:{self.theme.light.link};text-decoration:underline")
        else:
            self._content(element, place)

    def _quote(self, element: Element, place: _Place, gap: int) -> None:
        self._open("blockquote", style=f"margin:0 0 {gap}px;padding:0")
        if place.quotes < _MAX_QUOTE_BARS:
            inside = replace(place, quotes=place.quotes + 1)
            bar = f"border-{place.start}:3px solid {self.theme.light.rule}"
            self.out.append(_LAYOUT)
            self._tagged(
                "td", element, inside, f"{bar};padding:{place.indent(0, 16)};{self._type}", class_="ink rule"
            )
            self.out.append("</tr></table>")
        else:
            self._content(element, place)
        self.out.append("</blockquote>")

    def _pre(self, element: Element, place: _Place, gap: int) -> None:
        # Code runs from left to right in every language.
        inside = replace(place, in_pre=True, direction="ltr")
        type_ = f"font-family:{self.theme.code_font};font-size:14px;line-height:1.5"
        self._open("div", style=f"margin:0 0 {gap}px")
        self.out.append(_LAYOUT)
        shade, ink = self.theme.light.shade, self.theme.light.ink
        self._open(
            "td",
            class_="ink shade",
            dir="ltr",
            align="left",
            bgcolor=shade,
            style=f"padding:14px 16px;border-radius:6px;background-color:{shade};color:{ink};{type_}",
        )
        self._tagged("pre", element, inside, f"margin:0;white-space:pre-wrap;word-break:break-word;{type_}")
        self.out.append("</td></tr></table></div>")

    def _code(self, element: Element, place: _Place, _gap: int) -> None:
        if place.in_pre:
            self._tagged("code", element, place, f"font-family:{self.theme.code_font}")
        else:
            style = f"font-family:{self.theme.code_font};font-size:88%;padding:1px 4px;border-radius:3px"
            colours = f"color:{self.theme.light.ink};background-color:{self.theme.light.shade}"
            self._tagged("code", element, place, f"{style};{colours}", class_="ink shade", dir="ltr")

    def _list(self, element: Element, place: _Place, gap: int) -> None:
        # The indent is a margin, not a padding: Outlook's bullets hang outside of a list without one.
        gap = self._gap // 3 if element.tag == "dd" else gap
        self._tagged(element.tag, element, place, f"margin:{place.indent(gap, 26)};padding:0")

    def _rule(self, _element: Element, _place: _Place, _gap: int) -> None:
        style = f"margin:{self._gap * 2}px 0;border:0;border-top:1px solid {self.theme.light.rule};height:1px"
        self._open("hr", class_="rule", style=style, end=" />")

    def _figure(self, element: Element, place: _Place, gap: int) -> None:
        self._tagged("div", element, place, f"margin:{self._gap // 3}px 0 {gap}px")

    def _caption(self, element: Element, place: _Place, _gap: int) -> None:
        small = self.theme.small
        type_ = f"font-family:{small.font};font-size:{small.size}px;line-height:{small.leading}"
        style = f"margin:6px 0 0;{type_};color:{self.theme.light.muted}"
        self._tagged("div", element, place, style, class_="muted")

    def _image(self, element: Element, place: _Place, _gap: int) -> None:
        source, alt = element.get("src", ""), element.get("alt", "")
        if not _is_shown_by_mail(source):
            if source.startswith(("http://", "https://")) and alt:
                link = Element("a", {"href": source})
                link.text = alt
                self._link(link, place, 0)
            else:
                self._text(alt, place)
            return
        # Outlook for Windows obeys the attribute alone; elsewhere the style keeps a picture from being
        # enlarged when its own width is not known.
        known = _PIXELS.fullmatch(element.get("width", ""))
        width = min(int(known[0]), self.face.measure) if known else 0
        style = f"width:{f'{width}px' if width else 'auto'};max-width:100%;height:auto;border:0"
        self.out.append(f'<img src="{_attribute(source)}" alt="{_attribute(alt)}"')
        self.out.append(f' width="{width or self.face.measure}" style="{style}" />')

    def _table(self, element: Element, place: _Place, gap: int) -> None:
        # A table of many columns scrolls where a client can, and its words stay whole.
        self._open("div", style=f"margin:0 0 {gap}px;overflow-x:auto")
        self._open("table", width="100%", cellpadding="0", cellspacing="0", border="0")
        self._content(element, place)
        self.out.append("</table></div>")

    def _cell(self, element: Element, place: _Place, _gap: int) -> None:
        head = element.tag == "th"
        aligned = element.get("align", "")
        align = aligned if aligned in {"left", "center", "right"} else place.start
        line = f"{2 if head else 1}px solid {self.theme.light.rule}"
        style = (
            f"{self._type};font-size:{self.face.size - 1}px;padding:8px;border-bottom:{line};"
            f"text-align:{align};vertical-align:top;word-break:normal"
        )
        self._tagged(element.tag, element, place, style, class_="ink rule")


def _attribute(value: str) -> str:
    """`value` for a place between double quotes; `compile_mjml` sees to characters outside of ASCII."""
    return escape(_SPACES.sub(" ", _NOT_XML.sub("", value)))


def _is_shown_by_mail(source: str) -> bool:
    """Whether mail clients show this picture: Gmail shows neither SVG nor `data:` (caniemail)."""
    try:
        url = urlsplit(source)
    except ValueError:
        return False
    return url.scheme in {"http", "https"} and not url.path.lower().endswith((".svg", ".svgz"))
