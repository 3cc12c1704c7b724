"""The beginning of a document that is too long for a letter.

Gmail clips a letter after some 102,000 bytes of HTML and hides what follows, the way out included, so a long
post is cut before that and continued on the web. Promises: a cut goes between blocks (paragraphs, list items,
table rows, code), never inside one; what is kept is whole and in order, and does not end with a heading of
what is cut away. Trees are shared and never changed.
"""

from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from newsletter.content.tree import Block, Document, Prose, Thread, Turn

_CONTAINERS = frozenset({"div", "blockquote", "ul", "ol", "dl", "table", "thead", "tbody", "dd"})
_ANNOUNCING = frozenset({"h2", "h3", "h4", "h5", "h6", "thead", "dt"})


def size_of(document: Document) -> int:
    """How many blocks a document can be cut between."""
    return sum(_size(body) for body in document.bodies)


def beginning(document: Document, size: int) -> Document:
    """The first `size` blocks of a document; a heading that a cut would leave at the end goes too."""
    if size >= size_of(document):
        return document
    left = [size]
    blocks = tuple(kept for block in document.blocks if (kept := _block(block, left)) is not None)
    return replace(document, blocks=_without_last_heading(blocks))


def _size(element: Element) -> int:
    return sum(map(_size, element)) if _is_divided(element) else 1


def _is_divided(element: Element) -> bool:
    return element.tag in _CONTAINERS and len(element) > 0 and not (element.text or "").strip()


def _block(block: Block, left: list[int]) -> Block | None:
    if isinstance(block, Prose):
        body = _kept(block.body, left)
        return Prose(body) if body is not None else None
    turns = tuple(_turns(block, left))
    return replace(block, turns=turns) if turns else None


def _turns(thread: Thread, left: list[int]) -> Iterator[Turn]:
    for turn in thread.turns:
        body = _kept(turn.body, left)
        if body is not None:
            yield replace(turn, body=body)


def _kept(element: Element, left: list[int]) -> Element | None:
    """As much of an element as there is room for; the same element where that is all of it."""
    if not left[0]:
        return None
    if not _is_divided(element):
        left[0] -= 1
        return element
    size = _size(element)
    if size <= left[0]:
        left[0] -= size
        return element
    children = (_kept(child, left) for child in element)
    return _with(element, [child for child in children if child is not None])


def _without_last_heading(blocks: tuple[Block, ...]) -> tuple[Block, ...]:
    while blocks:
        *before, last = blocks
        trimmed = _trimmed_block(last)
        if trimmed is not None:
            return (*before, trimmed)
        blocks = tuple(before)
    return blocks


def _trimmed_block(block: Block) -> Block | None:
    if isinstance(block, Prose):
        body = _trimmed(block.body)
        return replace(block, body=body) if body is not None else None
    turns = list(block.turns)
    while turns:
        turn = turns.pop()
        if (body := _trimmed(turn.body)) is not None:
            return replace(block, turns=(*turns, replace(turn, body=body)))
    return None


def _trimmed(element: Element) -> Element | None:
    """An element without what, at its end, only announces what follows; None if nothing else is in it."""
    if element.tag in _ANNOUNCING:
        return None
    if not _is_divided(element):
        return element
    children = list(element)
    while children:
        if (trimmed := _trimmed(children.pop())) is not None:
            return _with(element, [*children, trimmed])
    return None


def _with(element: Element, children: list[Element]) -> Element:
    """An element with other children."""
    other = Element(element.tag, element.attrib)
    other.tail = element.tail
    other.extend(children)
    return other
