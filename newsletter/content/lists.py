"""Lists as CommonMark reads them, written as Python-Markdown wants them: four columns a level.

Promises: `aligned` is pure and total, keeps every word, and takes time linear in the text. What an item holds
is told from its content's column (CommonMark section 5.2), in quotes, definitions and footnotes too. Where
Python-Markdown reads two blocks as one, a blank line divides them. Lines outside lists stay as they are.

May surprise: a marker two columns to the right of an item's own is nested in it, though CommonMark asks for
three under `1.`; one up to seven columns to the right still is, and no code. A list needs a blank line above
it, as in kramdown, unless it stands in an item. Only `1.` may begin a numbered list right below an item's
text, so that a year at the beginning of a line is none. A blank line ends no quote. Code and raw HTML must
have been taken out before.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

MAX_CONTAINERS = 100
"""Lists, quotes and notes inside each other; markers deeper than that are left to Python-Markdown."""

_ITEM = re.compile(r"(?:[-*+]|(?P<number>\d{1,9})\.)(?:(?P<gap> +)(?=\S)| *$)")
_MARKER = re.compile(r"[ >]*(?:[-*+]|[0-9]{1,9}\.|:|\[\^)")  # what any of these may begin with
_NOTE = re.compile(r"(?::[ ]{1,3}|\[\^[^\]]*\]: *)(?=\S)")
_HEADING = re.compile(r"#{1,6} ")
_STASHED = "\x02"
_LEVEL = " " * 4  # what Python-Markdown's items, definitions and footnotes are indented by


def aligned(lines: Iterable[str]) -> list[str]:
    """Indent what is in lists by four columns a level; tabs must have been expanded."""
    lines = list(lines)
    if not any(map(_MARKER.match, lines)):
        return lines
    lists = _Lists()
    for line in lines:
        lists.read(line)
    return lists.out


class _Container(NamedTuple):
    """A block that holds blocks; its columns count from where the quote around it begins."""

    kind: str
    """`quote`, `note` (a definition or a footnote), `ul` or `ol`."""
    mark: str
    column: int = 0
    """Of its marker."""
    content: int = 0
    """From which column on lines belong to it."""

    @property
    def is_item(self) -> bool:
        return self.kind in ("ul", "ol")

    @property
    def lead(self) -> str:
        """What each line in it after the first begins with."""
        return self.mark if self.kind == "quote" else _LEVEL

    @property
    def limit(self) -> int:
        """The column from which on a marker in it is none."""
        return max(self.content + 4, self.column + 8 if self.is_item else 0)


_QUOTE = _Container("quote", "> ")


class _Place(NamedTuple):
    """How far a line has been read."""

    start: int
    """Where the content of the innermost quote begins."""
    column: int
    """Of the first character after it that is no space."""

    @property
    def at(self) -> int:
        return self.start + self.column


class _Line:
    """A line, and what could begin at a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        bare = text.rstrip(" ")
        self._rule = bare[-1:]
        self._rule_from = len(bare.rstrip(self._rule + " ")) if self._rule in ("-", "*", "_") else len(text)

    def place(self, start: int) -> _Place:
        column = 0
        while self.text.startswith(" ", start + column):
            column += 1
        return _Place(start, column)

    def is_rule(self, place: _Place) -> bool:
        """CommonMark section 4.1."""
        return place.at >= self._rule_from and self.text.count(self._rule, place.at) >= 3

    def item(self, place: _Place) -> re.Match[str] | None:
        """A list marker (CommonMark section 5.2), as far as Python-Markdown knows them."""
        return None if self.is_rule(place) else _ITEM.match(self.text, place.at)

    def in_quote(self, place: _Place) -> _Place | None:
        """The place after a quote's mark, if there is one (CommonMark section 5.1)."""
        if not self.text.startswith(">", place.at):
            return None
        return self.place(place.at + 1 + self.text.startswith(" ", place.at + 1))

    def is_single(self, place: _Place) -> bool:
        """Whether the rest is a block of one line: a heading or a rule."""
        return self.is_rule(place) or _HEADING.match(self.text, place.at) is not None


class _Lists:
    """The blocks that are open after a line, and what Python-Markdown has been given so far."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._open: list[_Container] = []
        self._after_blank = True
        self._run_depth: int | None = None
        """How many containers the items are in that the run of lines began with; None: it began with text."""

    def read(self, text: str) -> None:
        if not text.strip(" >"):
            self.out.append(text)
            self._after_blank = True
            return
        line = _Line(text)
        place, matched = self._match(line)
        place, new = self._begun(line, place, matched)
        if new or self._after_blank or self._is_single(line, place, matched):
            self._divide(matched, new, is_empty=not line.text[place.at :].strip())
            self._write(line, place, new)
        else:
            self._write_text(line, place, matched)

    def _match(self, line: _Line) -> tuple[_Place, int]:
        """Tell how many of the open containers a line stands in."""
        place, around = line.place(0), _QUOTE
        for number, container in enumerate(self._open):
            if container.kind == "quote":
                inner = line.in_quote(place) if place.column < around.content + 4 else None
                if inner is None:
                    return place, number
                place = inner
            elif place.column < container.content:
                is_nested = container.is_item and place.column >= container.column + 2
                if not is_nested or not line.item(place):
                    return place, number
            around = container
        return place, len(self._open)

    def _begun(self, line: _Line, place: _Place, matched: int) -> tuple[_Place, list[_Container]]:
        """The containers that begin in a line, and what follows their markers."""
        new: list[_Container] = []
        around = self._open[matched - 1] if matched else _QUOTE
        while matched + len(new) < MAX_CONTAINERS and place.column < around.limit:
            if inner := line.in_quote(place):
                around, place = _QUOTE, inner
            elif (item := line.item(place)) and ((new and item["gap"]) or self._may_begin(item, matched)):
                around, place = _item(item, place)
            elif note := _NOTE.match(line.text, place.at):
                # Its first line may begin anywhere: its columns count from where the others begin.
                content = around.content + 4
                around = _Container("note", note[0], place.column, content)
                place = _Place(note.end() - content, content)
            else:
                break
            new.append(around)
        return place, new

    def _may_begin(self, item: re.Match[str], matched: int) -> bool:
        """Whether a marker begins an item, or is text of the paragraph above it."""
        beside = self._open[matched] if matched < len(self._open) else _QUOTE  # ends where the item begins
        if beside.kind == _kind(item):
            return True
        if self._after_blank or not item["gap"]:
            return bool(item["gap"])
        in_list = beside.is_item or (matched > 0 and self._open[matched - 1].is_item)
        return in_list and item["number"] in (None, "1")

    def _is_single(self, line: _Line, place: _Place, matched: int) -> bool:
        around = self._open[matched - 1] if matched else _QUOTE
        in_list = any(container.is_item for container in self._open)
        return in_list and place.column < around.content + 4 and line.is_single(place)

    def _divide(self, matched: int, new: Sequence[_Container], *, is_empty: bool) -> None:
        """End the containers that a block does not stand in, and what Python-Markdown would join it to."""
        depth = next((number for number, container in enumerate(new, matched) if container.is_item), None)
        in_list = any(container.is_item for container in (*self._open, *new))
        joins = (
            depth == matched
            and not is_empty  # an empty item, too, underlines a heading
            and self._run_depth is not None
            and depth >= self._run_depth
            and (matched == len(self._open) or self._open[matched].kind == new[0].kind)
        )
        if not self._after_blank and in_list and not joins:
            self._add_blank()
        if self._after_blank:
            self._run_depth = depth
        del self._open[matched:]

    def _add_blank(self) -> None:
        self.out.append("")
        self._after_blank = True

    def _write(self, line: _Line, place: _Place, new: Sequence[_Container]) -> None:
        """Write a line that begins a block."""
        written = lead = "".join(container.lead for container in self._open)
        before = _QUOTE
        for container in new:
            if container.kind == "quote" and before.is_item:
                # A quote that began in its item's first line would end there.
                self.out += [written, ""]
                self._run_depth = None
                written = lead
            written += container.mark
            lead += container.lead
            before = container
        self._open += new
        if any(container.is_item for container in self._open):
            self.out.append(written + self._indent(line, place, new) + line.text[place.at :])
        else:
            self.out.append(line.text)
        self._after_blank = False
        if not new and self._is_single(line, place, len(self._open)):
            self._add_blank()

    def _indent(self, line: _Line, place: _Place, new: Sequence[_Container]) -> str:
        """The spaces before a block that are its own: code has four and more."""
        inside = self._open[-1]
        if (new and inside.kind != "quote") or line.text.startswith(_STASHED, place.at):
            return ""
        return " " * (place.column - inside.content)

    def _write_text(self, line: _Line, place: _Place, matched: int) -> None:
        """Write another line of a paragraph."""
        written = line.text
        if any(container.is_item for container in self._open):
            # What looks like a marker goes so far to the right that Python-Markdown sees none.
            is_marker = line.item(place) is not None
            inside = self._open if is_marker else self._open[:matched]
            lead = "".join(container.lead for container in inside) + _LEVEL * is_marker
            written = lead + line.text[place.at :]
        self.out.append(written)


def _item(marker: re.Match[str], place: _Place) -> tuple[_Container, _Place]:
    mark, gap = marker[0].rstrip(), len(marker["gap"] or " ")
    content = place.column + len(mark) + (gap if gap <= 4 else 1)
    after = _Place(place.start, place.column + len(marker[0]))
    return _Container(_kind(marker), mark + " ", place.column, content), after


def _kind(marker: re.Match[str]) -> str:
    return "ol" if marker["number"] else "ul"
