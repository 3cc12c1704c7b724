"""What a post is made of, once read: prose, and threads of turns.

HTML and plain text are both written from this tree, so that they cannot say different things. The
leaves are `xml.etree` elements of sanitised HTML: only the tags and attributes that
`newsletter.content.html` lets through, well-formed, links and images already absolute.
"""

from dataclasses import dataclass
from enum import StrEnum
from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Prose:
    """A run of ordinary text. `body` is a `<div>` whose children are block elements."""

    body: Element


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's contribution. `body` is a `<div>` like `Prose`'s; it never holds the speaker line.

    `time` is what the speaker line said of the time, as written. `is_letter` tells a letter that somebody
    wrote from the answer to it.
    """

    speaker: str
    body: Element
    time: str | None = None
    is_letter: bool = False


class Form(StrEnum):
    """How an exchange was held, and so how it is set: short turns by turns, or letters and their answers."""

    TALK = "talk"
    LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Thread:
    """An exchange inside a post. `title` is the text of the heading it stands under, if there is one.

    The heading itself stays in the prose before the thread; the title is for outlines.
    """

    title: str | None
    turns: tuple[Turn, ...]
    form: Form = Form.TALK


Block = Prose | Thread


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something a post's editor should know: one sentence, and the words of the post that it is about."""

    message: str
    words: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class Document:
    """A post's body in reading order, and what was doubtful in reading it."""

    blocks: tuple[Block, ...]
    doubts: tuple[Doubt, ...] = ()

    @property
    def threads(self) -> tuple[Thread, ...]:
        """The conversations, in reading order."""
        return tuple(block for block in self.blocks if isinstance(block, Thread))

    @property
    def bodies(self) -> tuple[Element, ...]:
        """Every element that holds text, in reading order."""
        return tuple(
            body
            for block in self.blocks
            for body in ([turn.body for turn in block.turns] if isinstance(block, Thread) else [block.body])
        )


@dataclass(frozen=True, slots=True)
class Speaker:
    """What a post's front matter says of one speaker.

    `role` is a few words shown beside the name, `link` and `avatar` are addresses as written, `colour` is
    `#rrggbb`. `labels` are other words that announce them in the post (`Q`). `is_author` marks the post's
    author; `has_permission` says that the speaker has agreed to be quoted.
    """

    name: str
    role: str | None = None
    link: str | None = None
    colour: str | None = None
    avatar: str | None = None
    labels: tuple[str, ...] = ()
    is_author: bool = False
    has_permission: bool = False
