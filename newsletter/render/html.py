"""A post's tree as HTML that mail clients show well.

Promises: the result is well-formed XHTML in double-quoted attributes, so that it can stand inside MJML;
it holds every word of the tree once and in order, and nothing of the tree but listed tags and
attributes; every style is inline, because some clients drop `<style>`; and what Outlook for Windows
ignores on other elements (padding, borders) is set on table cells. Layout tables are
`role="presentation"`, headings skip no level, and long words can break. Classes add nothing by daylight: they
are what `email/style.mjml.j2` takes hold of in the dark.

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
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from newsletter.content.cards import KINDS
from newsletter.content.language import Direction
from newsletter.render.highlight import highlight
from newsletter.render.theme import Face, Theme

MAX_DEPTH = 64
"""Elements below this depth lose their markup, in HTML and in plain text."""

_MAX_QUOTE_BARS = 3  # deeper quotations keep their element and lose their indent: phones are narrow

_ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "a": ("href", "title"),
    "abbr": ("title",),
    "li": ("value",),
    "ol": ("start",),
    "td": ("align", "colspan", "rowspan"),
    "th": ("align", "colspan", "rowspan"),
}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_PLAIN = frozenset({"abbr", "cite", "del", "em", "ins", "strong", "tbody"})  # need no style
_PHRASES = frozenset({"a", "abbr", "cite", "code", "del", "em", "ins", "span", "strong", "sub", "sup"})
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
    in_head: bool = False
    amid_words: bool = False
    scope: str = ""

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
            "thead": self._head,
            "tr": self._row,
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
    def _small(self) -> str:
        small = self.theme.small
        return f"font-family:{small.font};font-size:{small.size}px;line-height:{small.leading}"

    @cached_property
    def _corners(self) -> str:
        """Of panels; at most 8 px, for they stand inside of others."""
        radius = min(self.theme.shape.radius, 8)
        return f"border-radius:{radius}px;" if radius else ""

    @cached_property
    def _styles(self) -> Mapping[str, str]:
        """Inline styles of elements that need nothing else; `{below}` is a margin with a gap below."""
        return {
            "p": "margin:{below}",
            "dl": "margin:{below}",
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
            self._tagged(tag, element, place, style.format(below=f"0 0 {gap}px" if gap else "0"))
        elif tag in _PLAIN or element.get("dir") or element.get("lang"):
            self._tagged(tag if tag in _PLAIN or tag == "span" else "div", element, place)
        else:
            self._content(element, place)

    def _content(self, element: Element, place: _Place) -> None:
        amid_words = (element.tag in _PHRASES and place.amid_words) or _has_words(element)
        inside = replace(place, depth=place.depth + 1, amid_words=amid_words)
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
        if direction := _direction(element):
            place = replace(place, direction=direction)
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
        size = round(self.face.size * {1: 1.7, 2: 1.36, 3: 1.15}.get(level, 1.0))
        top = self._gap // 2
        style = (
            f"margin:{top}px 0 {gap // 2}px;font-family:{self.theme.heading.font};font-size:{size}px;"
            "line-height:1.3;font-weight:bold"
        )
        self._tagged(f"h{level}", element, place, style)

    def _link(self, element: Element, place: _Place, _gap: int) -> None:
        if element.get("href"):
            self._tagged("a", element, place, f"color:{self.theme.light.link};text-decoration:underline")
        else:
            self._content(element, place)

    def _quote(self, element: Element, place: _Place, gap: int) -> None:
        place = replace(place, direction=_direction(element) or place.direction)
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
            style=f"padding:14px 16px;{self._corners}background-color:{shade};color:{ink};{type_}",
        )
        style = f"margin:0;white-space:pre-wrap;word-break:break-word;{type_}"
        code = element[0] if len(element) == 1 and not (element.text or "").strip() else element
        language = element.get("data-language") or code.get("data-language")
        if language and not len(code) and not (element is not code and (code.tail or "").strip()):
            self._open("pre", style=style)
            self._highlighted(code.text or "", language, inside)
            self.out.append("</pre>")
        else:
            self._tagged("pre", element, inside, style)
        self.out.append("</td></tr></table></div>")

    def _highlighted(self, code: str, language: str, place: _Place) -> None:
        """Code in the theme's colours."""
        for kind, text in highlight(code, language):
            if kind:
                self._open("span", class_=kind, style=f"color:{getattr(self.theme.light.code, kind)}")
            self._text(text, place)
            if kind:
                self.out.append("</span>")

    def _code(self, element: Element, place: _Place, _gap: int) -> None:
        if place.in_pre:
            self._tagged("code", element, place, f"font-family:{self.theme.code_font}")
        else:
            corners = "border-radius:3px" if self.theme.shape.radius else ""
            style = f"font-family:{self.theme.code_font};font-size:88%;padding:1px 4px;{corners}".rstrip(";")
            colours = f"color:{self.theme.light.ink};background-color:{self.theme.light.shade}"
            self._tagged("code", element, place, f"{style};{colours}", class_="ink shade", dir="ltr")

    def _list(self, element: Element, place: _Place, gap: int) -> None:
        # The indent is a margin, not a padding: Outlook's bullets hang outside of a list without one.
        # Some blogs turn the items instead of their list; bullets hang on the items' side all the same.
        gap = self._gap // 3 if element.tag == "dd" else gap
        turned = _direction(element) or (len(element) and _direction(element[0])) or place.direction
        indent = replace(place, direction=turned).indent(gap, 26)
        self._tagged(element.tag, element, place, f"margin:{indent};padding:0")

    def _rule(self, _element: Element, _place: _Place, _gap: int) -> None:
        style = f"margin:{self._gap * 2}px 0;border:0;border-top:1px solid {self.theme.light.rule};height:1px"
        self._open("hr", class_="rule", style=style, end=" />")

    def _figure(self, element: Element, place: _Place, gap: int) -> None:
        if element.get("data-card"):
            self._card(element, place, gap)
        else:
            self._tagged("div", element, place, f"margin:{self._gap // 3}px 0 {gap}px")

    def _card(self, element: Element, place: _Place, gap: int) -> None:
        """What a letter cannot show, such as a video: its kind and a link to it, in a frame."""
        light = self.theme.light
        self._open("div", style=f"margin:0 0 {gap}px")
        self.out.append(
            _LAYOUT.replace("><tr>", ' style="border-collapse:separate"><tr>')
        )  # or corners are square
        self._open(
            "td",
            class_="ink shade rule",
            bgcolor=light.shade,
            style=f"padding:14px 18px;border:1px solid {light.rule};{self._corners}"
            f"background-color:{light.shade};{self._type};font-weight:bold",
        )
        if (kind := element.get("data-card", "")) in KINDS:
            style = f"{self._small};font-weight:normal;color:{light.muted}"
            self._open("div", class_="muted", lang="en", style=style)
            self.out.append(f"{kind.capitalize()}</div>")
        self._content(element, place)
        self.out.append("</td></tr></table></div>")

    def _caption(self, element: Element, place: _Place, _gap: int) -> None:
        style = f"margin:8px 0 0;{self._small};font-weight:normal;color:{self.theme.light.muted}"
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
        width, height = _size(element, self.face.measure)
        # With a size of its own a picture is never enlarged. Without, only Outlook for Windows needs a width,
        # for it obeys no max-width: a photograph of 3,000 pixels would tear the letter as wide as itself. So
        # a picture that stands alone gets the measure, and one amid words, which is small, gets nothing.
        shown = width or (0 if place.amid_words else self.face.measure)
        # A picture that is blocked is laid out as text of its width: only a percentage makes that narrower.
        narrow = f"width:100%;max-width:{width}px" if width else "width:auto;max-width:100%"
        amid = f"width:{f'{width}px' if width else 'auto'};max-width:100%"
        size = amid if place.amid_words else f"display:block;{narrow}"
        self._open(
            "img",
            src=source,
            width=str(shown or ""),
            height=str(height or ""),
            # The type is what an alt is set in, with images off.
            style=f"{size};height:auto;border:0;{self._small};color:{self.theme.light.muted}",
            class_="muted",
            end="",
        )
        self.out.append(f' alt="{_attribute(alt)}" />')

    def _table(self, element: Element, place: _Place, gap: int) -> None:
        # A table of many columns scrolls where a client can, and its words stay whole.
        self._open("div", style=f"margin:0 0 {gap}px;overflow-x:auto")
        self._open("table", width="100%", cellpadding="0", cellspacing="0", border="0")
        self._content(element, place)
        self.out.append("</table></div>")

    def _head(self, element: Element, place: _Place, _gap: int) -> None:
        self._tagged("thead", element, replace(place, in_head=True))

    def _row(self, element: Element, place: _Place, _gap: int) -> None:
        # A heading is for its column where nothing but headings stands beside it, else for its row.
        is_head = place.in_head or all(cell.tag == "th" for cell in element)
        self._tagged("tr", element, replace(place, scope="col" if is_head else "row"))

    def _cell(self, element: Element, place: _Place, _gap: int) -> None:
        head = element.tag == "th"
        aligned = element.get("align", "")
        align = aligned if aligned in {"left", "center", "right"} else place.start
        line = f"{2 if head else 1}px solid {self.theme.light.rule}"
        style = (
            f"{self._type};font-size:{self.face.size - 1}px;padding:8px;border-bottom:{line};"
            f"text-align:{align};vertical-align:top;word-break:normal"
        )
        place = replace(place, in_head=False)
        scope = place.scope if head else ""
        self._tagged(element.tag, element, place, style, class_="ink rule", scope=scope)


def _direction(element: Element) -> Direction | None:
    """The direction that an element says it has."""
    match element.get("dir", "").lower():
        case "ltr":
            return "ltr"
        case "rtl":
            return "rtl"
    return None


def _has_words(block: Element) -> bool:
    """Whether a block says something itself, beside its pictures and what stands in blocks inside it."""
    return bool((block.text or "").strip()) or any(
        (child.tail or "").strip() or child.tag in _PHRASES - {"a"} for child in block
    )


def _size(image: Element, measure: int) -> tuple[int, int]:
    """The width and height to show a picture at, in CSS pixels, in proportion; 0 for what is not known."""
    known = [_PIXELS.fullmatch(image.get(side, "")) for side in ("width", "height")]
    width, height = (int(side[0]) if side else 0 for side in known)
    if width <= measure:
        return width, height if width else 0
    return measure, round(height * measure / width)


def _attribute(value: str) -> str:
    """`value` for a place between double quotes; `compile_mjml` sees to characters outside of ASCII."""
    # Apostrophes stay as they are: styles have many, and in double quotes they end nothing.
    return escape(_SPACES.sub(" ", _NOT_XML.sub("", value)), quote=False).replace('"', "&quot;")


def _is_shown_by_mail(source: str) -> bool:
    """Whether mail clients show this picture: Gmail shows neither SVG nor `data:` (caniemail).

    `cid:` names a part of the message itself (RFC 2392).
    """
    try:
        url = urlsplit(source)
    except ValueError:
        return False
    return url.scheme in {"cid", "http", "https"} and not url.path.lower().endswith((".svg", ".svgz"))
