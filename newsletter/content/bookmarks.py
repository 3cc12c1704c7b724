"""Bookmarks: cards that a blog's editor (Ghost's, Medium's) made of another page, read as one card.

Promises: every word of the bookmark is kept, its title as the link and the rest below it.
"""

from xml.etree.ElementTree import Element, SubElement

from newsletter.content.html import VOID, words

_CLASSES = words("kg-bookmark-card graf--mixtapeEmbed")


def is_bookmark(classes: list[str]) -> bool:
    """Whether an element of these classes is a bookmark."""
    return not _CLASSES.isdisjoint(classes)


class Bookmark:
    """Collects the words of a bookmark, from its opening tag to its closing one."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._depth = 1
        self._href = ""

    def start(self, tag: str, href: str | None) -> None:
        """Take an opening tag, and the address if it is a link's."""
        self._href = self._href or href or ""
        self._depth += tag not in VOID

    def end(self) -> bool:
        """Take a closing tag, and say whether it is the bookmark's own."""
        self._depth -= 1
        return self._depth == 0

    def elements(self) -> list[Element]:
        """The card; a paragraph if there is no link, nothing if there are no words either."""
        pieces = [piece for piece in (" ".join(piece.split()) for piece in self.pieces) if piece]
        if not self._href:
            paragraph = Element("p")
            paragraph.text = " ".join(pieces)
            return [paragraph] if pieces else []
        title, *rest = pieces or [self._href]
        card = Element("figure", {"data-card": "page"})
        SubElement(card, "a", {"href": self._href}).text = title
        if rest:
            SubElement(card, "figcaption").text = " · ".join(rest)
        return [card]
