"""What a post is made of, once read: prose, and threads of turns.

HTML and plain text are both written from this tree, so that they cannot say different things. The
leaves are `xml.etree` elements of sanitised HTML: only the tags and attributes that
`newsletter.content.html` lets through, well-formed, links and images already absolute.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Prose:
    """A run of ordinary text. `body` is a `<div>` whose children are block elements."""

    body: Element


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's contribution. `body` is a `<div>` like `Prose`'s; it never holds the speaker line."""

    speaker: str
    body: Element


@dataclass(frozen=True, slots=True)
class Thread:
    """An exchange inside a post. `title` is the text of the heading it stands under, if there is one.

    The heading itself stays in the prose before the thread; the title is for outlines.
    """

    title: str | None
    turns: tuple[Turn, ...]


Block = Prose | Thread


@dataclass(frozen=True, slots=True)
class Document:
    """A post's body in reading order; `warnings` are things its editor should know, each one sentence."""

    blocks: tuple[Block, ...]
    warnings: tuple[str, ...] = ()

    @property
    def threads(self) -> tuple[Thread, ...]:
        """The conversations, in reading order."""
        return tuple(block for block in self.blocks if isinstance(block, Thread))
