"""Sets a letter's pictures into a post's tree. Pure: trees are shared, so what changes is a copy.

May surprise: a picture that its post itself gives 1 × 1, or less, is left out whatever it is, because all it
does is count readers. What a left-out picture leaves empty (its paragraph, its link) goes with it.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from newsletter.content.tree import Block, Document, Prose, Turn

_MAY_BE_EMPTY = {"td", "th"}  # a table without one would be another table


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a reader's program finds a picture, and the CSS px it is shown at."""

    address: str
    width: int
    height: int


def place_pictures(document: Document, pictures: Mapping[str, Placed | None]) -> Document:
    """Give the document with its pictures in place.

    Args:
        document: is left as it is.
        pictures: by `src` as it stands in the tree; None leaves one out, and one that is not named stays.

    A width that the post gives is kept where it is smaller than the picture's, and the height follows.
    """
    return replace(document, blocks=tuple(_block(block, pictures) for block in document.blocks))


def _block(block: Block, pictures: Mapping[str, Placed | None]) -> Block:
    if isinstance(block, Prose):
        return replace(block, body=_body(block.body, pictures))
    return replace(block, turns=tuple(_turn(turn, pictures) for turn in block.turns))


def _turn(turn: Turn, pictures: Mapping[str, Placed | None]) -> Turn:
    return replace(turn, body=_body(turn.body, pictures))


def _body(body: Element, pictures: Mapping[str, Placed | None]) -> Element:
    if not any(_is_left_out(image, pictures) or image.get("src") in pictures for image in body.iter("img")):
        return body
    copy = deepcopy(body)
    left_out = {image for image in copy.iter("img") if _is_left_out(image, pictures)}
    for image in copy.iter("img"):
        if image not in left_out and (placed := pictures.get(image.get("src", ""))):
            _place(image, placed)
    if left_out:
        for element in reversed(list(copy.iter())):  # what is inside comes before what is around it
            _leave_out(element, left_out)
    return copy


def _is_left_out(image: Element, pictures: Mapping[str, Placed | None]) -> bool:
    is_pixel = {image.get("width"), image.get("height")} <= {"0", "1"}
    return is_pixel or pictures.get(image.get("src", ""), image) is None


def _place(image: Element, placed: Placed) -> None:
    written = image.get("width", "")
    asked = int(written) if written.isdecimal() else 0
    width = min(asked or placed.width, placed.width)
    image.set("src", placed.address)
    image.set("width", str(width))
    image.set("height", str(max(1, round(placed.height * width / placed.width))))


def _leave_out(parent: Element, left_out: set[Element]) -> None:
    """Take children out, and `parent` too if nothing else is in it; the text between them stays."""
    kept = [child for child in parent if child not in left_out]
    if len(kept) == len(parent):
        return
    runs = [[parent.text or ""]]
    for child in parent:
        if child not in left_out:
            runs.append([])
        runs[-1].append(child.tail or "")
    parent[:] = kept
    parent.text, *tails = ("".join(run) or None for run in runs)
    for child, tail in zip(kept, tails, strict=True):
        child.tail = tail
    if not kept and not (parent.text or "").strip() and parent.tag not in _MAY_BE_EMPTY:
        left_out.add(parent)
