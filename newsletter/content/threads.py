"""Conversations in posts: which paragraphs are whose.

Promises: `read_document` divides a post's top-level blocks into prose and threads, in reading order,
without losing or repeating a block. A paragraph that is one bold name alone (`**Name**`, `**Name:**`) opens
a turn, which ends at the next such line, a heading, or `---`. A post with a single such line has no threads.

Fails with `ContentError` where `newsletter.content.markdown` does.

May surprise: doubt is narration, since the worst error is to put words into someone's mouth. A block inside
a turn that names its own speaker is taken for narration and ends the turn, with a warning for the editor.
Explicit marks win over guesses: `{: .said}` under a block keeps it in the turn, `{: .narration}` takes it out
without a warning or a rule.
"""

import re
import unicodedata
from copy import copy
from itertools import groupby
from typing import TypedDict
from xml.etree.ElementTree import Element

from newsletter.content.html import plain
from newsletter.content.markdown import to_tree
from newsletter.content.post import PostSource
from newsletter.content.tree import Block, Document, Prose, Thread, Turn
from newsletter.errors import ContentError

MAX_NAME_WORDS = 5

_PARTICLES = {"al", "bar", "ben", "bin", "da", "de", "del", "della", "der", "di", "dos", "du", "el", "ibn"}
_PARTICLES |= {"la", "le", "ten", "ter", "van", "von", "y"}
_INITIAL = re.compile(r"\b(?:\w|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr)\.")
_SENTENCE_MARKS = re.compile(r"[.!?,;:…。！？，、；：]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_HEADINGS = ("h2", "h3", "h4", "h5", "h6")


class OutlinedTurn(TypedDict):
    """One turn: who, and the plain text of what they said."""

    speaker: str
    text: str


class OutlinedThread(TypedDict):
    """One thread of an outline."""

    title: str | None
    turns: list[OutlinedTurn]


class Outline(TypedDict):
    """Who says what, ready for JSON."""

    threads: list[OutlinedThread]


def read_document(markdown: str, *, base_url: str | None = None) -> Document:
    """Read a post's body; `base_url` is as for `newsletter.content.markdown.to_tree`.

    Raises:
        ContentError: the text is larger or deeper than can be read.
    """
    blocks = list(to_tree(markdown, base_url=base_url))
    speakers = [_speaker(block) for block in blocks]
    if sum(speaker is not None for speaker in speakers) < 2:
        speakers = [None] * len(blocks)
    reader = _Reader()
    for block, speaker in zip(blocks, speakers, strict=True):
        reader.read(block, speaker)
    return reader.document()


def document_of(source: PostSource, *, base_url: str | None = None) -> Document:
    """Read the body of a post; as `read_document`, with the post's file and line in its errors."""
    try:
        return read_document(source.markdown, base_url=base_url)
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
                "turns": [{"speaker": turn.speaker, "text": plain(turn.body)} for turn in thread.turns],
            }
            for thread in document.threads
        ]
    }


class _Reader:
    """Takes a post's blocks one by one, and knows at every moment whose turn it is, if anyone's."""

    def __init__(self) -> None:
        self._parts: list[Element | Turn] = []
        self._warnings: list[str] = []
        self._speaker: str | None = None
        self._said: list[Element] = []  # in the open turn, below its speaker line

    def read(self, block: Element, speaker: str | None) -> None:
        """Take the next block; `speaker` is whom it announces, if it is a speaker line."""
        mark = block.get("class")
        for node in block.iter():
            node.attrib.pop("class", None)
        if speaker is not None and mark is None:
            self._end_turn()
            self._parts.append(block)  # until something is said below it
            self._speaker = speaker
        elif self._speaker is None or mark == "narration" or _divides(block):
            self._narrate(block)
        elif mark != "said" and _names(block, self._speaker):
            self._warnings.append(
                f"“{_beginning(block)}” was read as narration, because it names its speaker, "
                f"{self._speaker}: write {{: .said}} under it if they said it, {{: .narration}} if not"
            )
            self._narrate(block)
        else:
            self._said += _with_quotes(block)

    def document(self) -> Document:
        """Give what was read."""
        self._end_turn()
        blocks: list[Block] = []
        title = None
        for is_turn, run in groupby(self._parts, lambda part: isinstance(part, Turn)):
            parts = list(run)
            if is_turn:
                turns = tuple(part for part in parts if isinstance(part, Turn))
                blocks.append(Thread(title, turns))
                continue
            elements = [part for part in parts if isinstance(part, Element)]
            blocks.append(Prose(_div(elements)))
            headings = [element for element in elements if element.tag in _HEADINGS]
            title = plain(headings[-1]) if headings else title
        return Document(tuple(blocks), tuple(self._warnings))

    def _narrate(self, block: Element) -> None:
        self._end_turn()
        self._parts.append(block)

    def _end_turn(self) -> None:
        if self._speaker is not None and self._said:
            self._parts[-1] = Turn(self._speaker, _div(self._said))
        elif self._speaker is not None:
            self._warnings.append(f"“{self._speaker}” is a speaker line, but no words of theirs follow it")
        self._speaker, self._said = None, []


def _speaker(block: Element) -> str | None:
    """Give the name that a block announces: a paragraph of one bold name and nothing else."""
    if block.tag != "p" or len(block) != 1 or block[0].tag != "strong" or (block.text or "").strip():
        return None
    name = unicodedata.normalize("NFC", plain(block[0]))
    after = (block[0].tail or "").strip()
    if after not in ("", ":", "："):
        return None
    name = name if after else name.removesuffix(":").removesuffix("：").rstrip()
    return name if _is_name(name) and block.find(".//img") is None else None


def _is_name(text: str) -> bool:
    """Tell a name from a bold remark: few words, capitals where the script has them, no sentence marks."""
    words = text.split()
    if not 1 <= len(words) <= MAX_NAME_WORDS or not text[0].isalpha():
        return False
    if _SENTENCE_MARKS.search(_INITIAL.sub("", text)):
        return False
    return not any(word[0].islower() and word not in _PARTICLES for word in words[1:])


def _divides(block: Element) -> bool:
    """Tell whether a block is, or wraps, what ends a turn. A quote may hold anything."""
    if block.tag == "blockquote":
        return False
    return any(node.tag in (*_HEADINGS, "hr") or _speaker(node) is not None for node in block.iter())


def _names(block: Element, speaker: str) -> bool:
    """Tell whether a block names `speaker`: in full, or by a part of three letters or more.

    Latin names are matched as whole words. In scripts that attach prepositions or cases to a name, or write
    no spaces, a name inside a longer word counts too. Quotes and code are other people's words.
    """
    if block.tag in ("blockquote", "pre", "figure"):
        return False
    own = "\n".join(plain(part) for part in _with_quotes(block) if part.tag != "blockquote")
    parts = [part for part in re.findall(r"[^\W\d_]+", speaker) if len(part) >= 3]
    return any(_mentions(unicodedata.normalize("NFC", own), name) for name in (speaker, *parts))


def _mentions(text: str, name: str) -> bool:
    whole_word = rf"(?<!\w){re.escape(name)}(?!\w)"
    return re.search(whole_word, text) is not None if _LATIN.match(name) else name in text


def _with_quotes(block: Element) -> list[Element]:
    """Divide a paragraph whose lines begin with an escaped `>` into quotes and the speaker's own lines."""
    if block.tag != "p" or not (block.text or "").lstrip().startswith(">"):
        return [block]
    pieces: list[Element] = []
    quoting: bool | None = None
    for line in _lines(block):
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


def _lines(paragraph: Element) -> list[Element]:
    """Divide a paragraph at its line breaks, `<br>` or plain, outside inline markup."""
    lines = [Element("p", paragraph.attrib)]

    def write(text: str | None) -> None:
        first, *others = (text or "").split("\n")
        _add_text(lines[-1], first)
        for other in others:
            lines.append(Element("p", paragraph.attrib))
            lines[-1].text = other

    write(paragraph.text)
    for child in paragraph:
        if child.tag == "br":
            lines.append(Element("p", paragraph.attrib))
        else:
            bare = copy(child)
            bare.tail = None
            lines[-1].append(bare)
        write(child.tail)
    return [line for line in lines if len(line) or (line.text or "").strip()]


def _extend(paragraph: Element, line: Element) -> None:
    """Add a line's content to a paragraph, after a plain line break."""
    _add_text(paragraph, ("\n" if len(paragraph) or paragraph.text else "") + (line.text or ""))
    paragraph.extend(line)


def _add_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def _div(blocks: list[Element]) -> Element:
    body = Element("div")
    body.extend(blocks)
    return body


def _beginning(block: Element) -> str:
    text = " ".join(plain(block).split())
    return text if len(text) <= 60 else text[:60].rsplit(" ", 1)[0] + "…"
