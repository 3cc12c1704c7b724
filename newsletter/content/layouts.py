"""Tables that only lay out a page, undone: what they hold stands in their place, in reading order.

Promises: pure but for the tree that it changes; no word is lost; a table of data stays.
"""

from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from newsletter.content.html import BLOCKS, CONTAINERS, TABLE_PARTS, is_empty


def undo_layouts(root: Element) -> None:
    """Put in their place what is in tables that only lay out: that hold tables, or one cell of blocks."""
    if root.find(".//table") is None:
        return
    for parent in [node for node in root.iter() if node.tag in CONTAINERS]:
        parent[:] = _without_layouts(parent)
    for parent in [node for node in root.iter() if node.find("table") is not None]:
        parent[:] = _with_captions_above(parent)


def _without_layouts(blocks: Iterable[Element]) -> Iterator[Element]:
    for block in blocks:
        if block.tag == "table" and _is_layout(block):
            yield from _without_layouts(_content_of(block))
        else:
            yield block


def _with_captions_above(blocks: Iterable[Element]) -> Iterator[Element]:
    """What a table holds beside its rows, such as a caption, stands above it."""
    for block in blocks:
        others = [part for part in block if part.tag not in TABLE_PARTS] if block.tag == "table" else []
        for other in others:
            block.remove(other)
            yield other
        yield block


def _is_layout(table: Element) -> bool:
    cells = [cell for cell in table.iter() if cell.tag in ("td", "th")]
    filled = [cell for cell in cells if len(cell) or (cell.text or "").strip()]
    holds_table = any(cell.find("table") is not None for cell in cells)
    return holds_table or (len(filled) == 1 and any(child.tag in BLOCKS for child in filled[0]))


def _content_of(table: Element) -> list[Element]:
    """The blocks of a table's outermost cells, their stray text in paragraphs."""
    blocks: list[Element] = []
    for node in table:
        if node.tag not in TABLE_PARTS:
            blocks.append(node)
        elif node.tag not in ("td", "th"):
            blocks += _content_of(node)
        else:
            blocks += _blocks_of(node)
    return blocks


def _blocks_of(cell: Element) -> list[Element]:
    """The blocks of a cell; what stands between them becomes paragraphs."""
    blocks: list[Element] = []
    paragraph = Element("p")
    paragraph.text = cell.text
    for child in [*cell, None]:
        if child is not None and child.tag not in BLOCKS:
            paragraph.append(child)
            continue
        if not is_empty(paragraph):
            blocks.append(paragraph)
        paragraph = Element("p")
        if child is not None:
            paragraph.text, child.tail = child.tail, None
            blocks.append(child)
    return blocks
