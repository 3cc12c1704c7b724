"""What a reader's program makes of a letter's HTML: its words, links, images, tables and colours."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"br", "hr", "img", "link", "meta", "wbr"})
_COLOUR = re.compile(r"(?:^|;)color:(#[0-9a-f]{6})")
_BACKGROUND = re.compile(r"(?:^|;)background-color:(#[0-9a-f]{6})")


@dataclass(frozen=True)
class _Open:
    tag: str
    colour: str
    background: str
    shown: bool


@dataclass
class Letter(HTMLParser):
    """A letter's HTML, read with no help from `<style>`: only inline styles count."""

    source: str
    pieces: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    images: list[dict[str, str | None]] = field(default_factory=list)
    tables: list[dict[str, str | None]] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    colours: set[tuple[str, str]] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    addresses: list[str] = field(default_factory=list)
    style: str = ""
    title: str = ""
    root: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()
        self._open = [_Open("", "#000000", "#ffffff", shown=True)]
        self.feed(self.source)
        self.close()

    @property
    def text(self) -> str:
        """All that is shown, hidden parts and decoration for the eye left out."""
        return "".join(self.pieces)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        style = (attributes.get("style") or "").replace("background:#", "background-color:#")
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "background"}]
        if tag == "html":
            self.root = attributes
        if tag == "a":
            self.links.append(attributes.get("href") or "")
        if tag == "img":
            self.images.append(attributes)
        if tag == "table":
            self.tables.append(attributes)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in {
            "a",
            "abbr",
            "bdi",
            "cite",
            "code",
            "del",
            "em",
            "ins",
            "span",
            "strong",
            "sub",
            "sup",
            "wbr",
        }:
            self.pieces.append(" ")
        if tag in _VOID:
            return
        outer = self._open[-1]
        colour, background = _COLOUR.search(style), _BACKGROUND.search(style)
        self._open.append(
            _Open(
                tag,
                colour[1] if colour else outer.colour,
                background[1] if background else outer.background,
                shown=outer.shown
                and tag not in {"head", "style", "title"}
                and "display:none" not in style
                and attributes.get("aria-hidden") != "true",
            )
        )

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
            self._open.pop()

    def handle_data(self, data: str) -> None:
        inside = self._open[-1]
        if inside.tag == "style":
            self.style += data
        if inside.tag == "title":
            self.title += data
        if inside.shown:
            self.pieces.append(data)
        if data.strip() and inside.tag not in {"style", "title"} and not _is_preview(self._open):
            self.colours.add((inside.colour, inside.background))


def _is_preview(opened: list[_Open]) -> bool:
    """Whether this is the preheader: hidden although no tag or decoration hides it."""
    return len(opened) == 4 and not opened[-1].shown


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two `#rrggbb` colours (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
