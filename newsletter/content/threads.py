"""Conversations in posts: which words are whose.

Promises: `read_document` divides a post's top-level blocks into prose and threads, in reading order, without
losing or repeating a block. Who begins to speak is told by `newsletter.content.speaking`: a turn that a
speaker line opens ends at the next speaker, a heading, or `---`; one that a label opens goes on as long as
the same conversation does. Letters and their answers are told by `newsletter.content.letters`.

Fails with `ContentError` where `newsletter.content.markdown` does.

May surprise: doubt is narration, since the worst error is to put words into someone's mouth. A block inside
a turn that names its own speaker is taken for narration and ends the turn, and so are the paragraphs below
the last label; the document's doubts say so to its editor. Explicit marks, kramdown's attribute lists, win
over guesses and do not show on a blog:

- `{: .speaker}` under a line: it names who speaks below it, however it is written;
- `{: .said}` under a block: it belongs to the turn above; `{: .said by="Ann Lee"}`: to Ann Lee;
- `{: .narration}` under a block: it is nobody's turn, and ends the one above.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TypedDict
from xml.etree.ElementTree import Element

from newsletter.content.html import append, plain
from newsletter.content.letters import HEADINGS, div, parties, read_letters
from newsletter.content.markdown import read_markdown
from newsletter.content.post import PostSource
from newsletter.content.speaking import Announcement, cast_of, lines_of, mentions, unbelieved
from newsletter.content.tree import Block, Document, Doubt, Form, Prose, Speaker, Thread, Turn
from newsletter.errors import ContentError


class OutlinedTurn(TypedDict):
    """One turn: who, and the plain text of what they said."""

    speaker: str
    time: str | None
    text: str


class OutlinedThread(TypedDict):
    """One thread of an outline."""

    title: str | None
    form: Form
    turns: list[OutlinedTurn]


class Outline(TypedDict):
    """Who says what, ready for JSON."""

    threads: list[OutlinedThread]


def read_document(
    markdown: str,
    *,
    base_url: str | None = None,
    title: str = "",
    speakers: Sequence[Speaker] = (),
    author: str | None = None,
) -> Document:
    """Read a post's body.

    Args:
        markdown: the body.
        base_url: as for `newsletter.content.markdown.read_markdown`.
        title: the post's; names in it are evidence of who speaks.
        speakers: who speaks, as far as the front matter says.
        author: the post's author, who answers the letters in it.

    Raises:
        ContentError: the text is larger or deeper than can be read.
    """
    tree, doubts = read_markdown(markdown, base_url=base_url)
    blocks = list(_unwrapped(tree))
    cast = cast_of(blocks, title=title, speakers=speakers, author=author)
    reader = _Reader()
    for block in blocks:
        reader.read(block, cast.announced(block))
    parts, more = reader.parts()
    has_turns = any(isinstance(part, Turn) for part in parts)
    read: list[tuple[Element | Turn, Form]] = []
    for is_turn, run in groupby(parts, lambda part: isinstance(part, Turn)):
        if is_turn:
            read += [(part, Form.TALK) for part in run]
            continue
        elements = [part for part in run if isinstance(part, Element)]
        letters = read_letters(elements, parties(speakers, author), only_named=has_turns)
        read += [(part, Form.LETTER) for part in letters]
    return Document(tuple(_blocks(read)), (*doubts, *cast.doubts, *more))


def document_of(source: PostSource, *, base_url: str | None = None) -> Document:
    """Read the body of a post; as `read_document`, with the post's file and line in its errors."""
    try:
        return read_document(
            source.markdown,
            base_url=base_url,
            title=source.title,
            speakers=source.speakers,
            author=source.author,
        )
    except ContentError as error:
        line = _line_of(str(error), source)
        raise ContentError(str(error), path=source.path, line=line) from error


def _line_of(message: str, source: PostSource) -> int:
    """The line of the words that a message quotes, else the first of the body."""
    quoted = re.search("“([^”]+)", message)
    beginning = quoted[1][:20].rstrip("…") if quoted else ""
    lines = enumerate(source.markdown.split("\n"), start=source.body_line)
    found = (number for number, line in lines if beginning and " ".join(line.split()).startswith(beginning))
    return next(found, source.body_line)


def outline(document: Document) -> Outline:
    """Say who says what in a document, its prose left out. Paragraphs are divided by blank lines."""
    return {
        "threads": [
            {
                "title": thread.title,
                "form": thread.form,
                "turns": [
                    {"speaker": turn.speaker, "time": turn.time, "text": plain(turn.body)}
                    for turn in thread.turns
                ],
            }
            for thread in document.threads
        ]
    }


def _blocks(parts: Sequence[tuple[Element | Turn, Form]]) -> Iterator[Block]:
    """Join what stands together: turns to threads, everything else to prose."""
    title = None
    for (is_turn, form), run in groupby(parts, lambda part: (isinstance(part[0], Turn), part[1])):
        if is_turn:
            yield Thread(title, tuple(part for part, _ in run if isinstance(part, Turn)), form)
            continue
        elements = [part for part, _ in run if isinstance(part, Element)]
        yield Prose(div(elements))
        headings = [element for element in elements if element.tag in HEADINGS]
        title = plain(headings[-1]) if headings else title


class _Reader:
    """Takes a post's blocks one by one, and knows at every moment whose turn it is, if anyone's."""

    def __init__(self) -> None:
        self._parts: list[Element | Turn] = []
        self._doubts: list[Doubt] = []
        self._open: Announcement | None = None
        self._said: list[Element] = []  # in the open turn
        self._going_on: list[Element] = []  # what was believed to be part of a turn, for it lay within a talk
        self._pending: list[Element] = []  # below a label's own words: theirs if the conversation goes on

    def read(self, block: Element, announced: list[Announcement]) -> None:
        """Take the next block, and whom it announces."""
        mark, by = block.get("class"), block.get("data-by")
        for node in block.iter():
            node.attrib.pop("class", None)
            node.attrib.pop("data-by", None)
        if mark == "speaker":
            self._begin(block, announced[0] if announced else _marked(block))
        elif mark == "said" and by:
            self._say(block, by)
        elif announced and mark is None:
            for announcement in announced:
                self._begin(block if len(announced) == 1 else None, announcement)
        elif self._open is None or mark == "narration" or _divides(block):
            self._narrate(block)
        elif mark == "said":
            self._said += [*self._pending, *_with_quotes(block)]
            self._pending = []
        elif _names(block, self._open.name):
            self._doubt(
                block,
                f"was read as narration, because it names its speaker, {self._open.name}: "
                "write {: .said} under it if they said it, {: .narration} if not",
            )
            self._narrate(block)
        elif other := unbelieved(block, plain_too=self._open.is_label):
            self._doubt(
                block,
                f"was read as narration, because of “{other}”: name it under `speakers:` if it speaks, "
                f"write {{: .said}} under it if {self._open.name} does",
            )
            self._narrate(block)
        elif self._open.is_label:
            self._pending += _with_quotes(block)
        else:
            self._said += _with_quotes(block)

    def parts(self) -> tuple[list[Element | Turn], list[Doubt]]:
        """Give what was read, and what was doubtful."""
        self._end_turn()
        if self._going_on:
            count = len(self._going_on)
            others = f" and {count - 1} more paragraphs" if count > 1 else ""
            self._doubt(
                self._going_on[0],
                f"{others}, without a label between those that have one, were read as going on: "
                "write {: .narration} under what nobody said",
            )
        return self._parts, self._doubts

    def _begin(self, line: Element | None, announcement: Announcement) -> None:
        """Open a turn; its line stands for it until something is said below it."""
        if self._open is not None:  # the conversation goes on, and what stood between was part of it
            self._going_on += self._pending
            self._said += self._pending
            self._pending = []
        self._end_turn()
        if line is None:
            line = Element("p")
            line.text = f"{announcement.name}:"
        self._parts.append(line)
        self._open = announcement
        self._said = [part for words in announcement.words for part in _with_quotes(words)]

    def _say(self, block: Element, name: str) -> None:
        """Take a block that says itself whose it is; it may be quoted on the blog."""
        words = list(block) if block.tag == "blockquote" else _with_quotes(block)
        if self._open is not None and self._open.name == name:
            self._said += [*self._pending, *words]
            self._pending = []
            return
        self._end_turn()
        self._parts.append(Turn(name, div(words)))

    def _narrate(self, block: Element) -> None:
        self._end_turn()
        self._parts.append(block)

    def _end_turn(self) -> None:
        if self._open is not None and self._said:
            self._parts[-1] = Turn(self._open.name, div(self._said), self._open.time)
        elif self._open is not None:
            message = f"“{self._open.name}” is a speaker line, but no words of theirs follow it"
            self._doubts.append(Doubt(message, self._open.name))
        if self._pending and self._open is not None:
            self._doubt(
                self._pending[0],
                f"was read as narration, because nothing says that {self._open.name} goes on: "
                "write {: .said} under it if they do, {: .narration} if not",
            )
            self._parts += self._pending
        self._open, self._said, self._pending = None, [], []

    def _doubt(self, block: Element, what: str) -> None:
        beginning = _beginning(block)
        self._doubts.append(Doubt(f"“{beginning}” {what}", beginning))


def _unwrapped(tree: Element) -> Iterator[Element]:
    """The blocks of a tree; those of a `<div>` that only sets language or direction take these over."""
    for block in tree:
        if block.tag != "div":
            yield block
            continue
        for inner in _unwrapped(block):
            for key in ("dir", "lang"):
                if (value := block.get(key)) and key not in inner.attrib:
                    inner.set(key, value)
            yield inner


def _marked(block: Element) -> Announcement:
    """A line that the author marked as naming a speaker."""
    name = " ".join(plain(block).split()).rstrip(":： ")
    return Announcement(name or "?", None, (), is_label=False)


def _divides(block: Element) -> bool:
    """Tell whether a block is, or wraps, what ends a turn. A quote may hold anything."""
    if block.tag == "blockquote":
        return False
    return any(node.tag in (*HEADINGS, "hr") for node in block.iter())


def _names(block: Element, speaker: str) -> bool:
    """Tell whether a block names `speaker`. Quotes and code are other people's words."""
    if block.tag in ("blockquote", "pre", "figure"):
        return False
    own = "\n".join(plain(part) for part in _with_quotes(block) if part.tag != "blockquote")
    return mentions(own, speaker)


def _with_quotes(block: Element) -> list[Element]:
    """Divide a paragraph whose lines begin with an escaped `>` into quotes and the speaker's own lines."""
    if block.tag != "p" or not (block.text or "").lstrip().startswith(">"):
        return [block]
    pieces: list[Element] = []
    quoting: bool | None = None
    for line in lines_of(block):
        text = (line.text or "").lstrip()
        if (quotes := text.startswith(">")) is not quoting:
            quoting = quotes
            pieces.append(Element("blockquote") if quotes else Element("p", block.attrib))
        line.text = text[1:].lstrip() if quotes else text
        if quotes:
            pieces[-1].append(line)
        else:
            _extend(pieces[-1], line)
    return pieces


def _extend(paragraph: Element, line: Element) -> None:
    """Add a line's content to a paragraph, after a plain line break."""
    append(paragraph, ("\n" if len(paragraph) or paragraph.text else "") + (line.text or ""))
    paragraph.extend(line)


def _beginning(block: Element) -> str:
    text = " ".join(plain(block).split())
    return text if len(text) <= 60 else text[:60].rsplit(" ", 1)[0] + "…"
