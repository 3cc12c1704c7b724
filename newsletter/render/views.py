"""What templates see of a post: plain values, and bodies that are markup already.

Promises: all markup comes from `newsletter.render.html`, which writes listed tags only and escapes all text.
"""

import datetime
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element

from markupsafe import Markup

from newsletter.content.language import Direction, direction_of
from newsletter.content.tree import Block, Form, Speaker, Thread, Turn
from newsletter.render.html import heading_levels, to_html
from newsletter.render.letter import LetterPost
from newsletter.render.theme import Face, Theme


@dataclass(frozen=True, slots=True)
class TurnView:
    """One turn: its words, and the time as the post has it."""

    html: Markup
    time: str | None


@dataclass(frozen=True, slots=True)
class GroupView:
    """Consecutive turns of one speaker. `colour` is its place among the theme's speakers.

    `accent` is the speaker's own colour (`#rrggbb`) where the post's front matter gives one, for use instead
    of the theme's accent; `avatar` is an absolute address of a picture. `is_letter` tells a letter from the
    answer to it.
    """

    speaker: str
    initials: str
    colour: int
    turns: tuple[TurnView, ...]
    role: str | None = None
    link: str | None = None
    accent: str | None = None
    avatar: str | None = None
    is_author: bool = False
    is_letter: bool = False


@dataclass(frozen=True, slots=True)
class BlockView:
    """A prose, whose `html` it holds, or a thread, whose `groups` it holds, set in its `form`."""

    html: Markup | None = None
    groups: tuple[GroupView, ...] = ()
    form: Form = Form.TALK


@dataclass(frozen=True, slots=True)
class PostView:
    """One post as templates see it; `level` is that of its title's heading, `text` its plain-text body.

    `continue_url` is where the rest of the post is, if this is only its beginning. `section` is the title of
    the category whose posts begin with this one, in a letter with posts of several.
    """

    title: str
    lang: str
    direction: Direction
    author: str | None
    date: datetime.date | None
    url: str | None
    level: int
    blocks: tuple[BlockView, ...]
    text: str
    continue_url: str | None = None
    section: str | None = None


def initials_of(name: str) -> str:
    """One or two letters for a name: of its first word and its last."""
    letters = [
        next((character for character in unicodedata.normalize("NFC", word) if character.isalnum()), "")
        for word in name.split()
    ]
    letters = [letter for letter in letters if letter]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


def view_of(post: LetterPost, theme: Theme, *, level: int, text: str, continue_url: str | None) -> PostView:
    """A post set in `theme`, its title's heading at `level`."""
    maker = _Maker(post, theme, level)
    return PostView(
        title=post.title,
        lang=post.lang,
        direction=maker.direction,
        author=post.author,
        date=post.date,
        url=post.url,
        level=level,
        blocks=tuple(map(maker.block, post.document.blocks)),
        text=text,
        continue_url=continue_url,
        section=post.section,
    )


class _Maker:
    """Sets the blocks of one post."""

    def __init__(self, post: LetterPost, theme: Theme, level: int) -> None:
        self.direction = direction_of(post.lang)
        self._theme = theme
        self._levels = heading_levels(post.document.bodies, below=level)
        self._described = {speaker.name: speaker for speaker in post.speakers}
        names = dict.fromkeys(turn.speaker for thread in post.document.threads for turn in thread.turns)
        self._colours = {name: number % len(theme.light.speakers) for number, name in enumerate(names)}

    def block(self, block: Block) -> BlockView:
        """A prose or a thread."""
        if not isinstance(block, Thread):
            return BlockView(html=self._markup(block.body, self._theme.prose))
        runs = groupby(block.turns, key=lambda turn: (turn.speaker, turn.is_letter))
        groups = (
            self._group(name, turns, block.form, is_letter=is_letter) for (name, is_letter), turns in runs
        )
        return BlockView(groups=tuple(groups), form=block.form)

    def _face(self, form: Form, *, is_letter: bool) -> Face:
        if form is Form.TALK:
            return self._theme.speech
        return self._theme.letter if is_letter else self._theme.prose

    def _group(self, name: str, turns: Iterable[Turn], form: Form, *, is_letter: bool) -> GroupView:
        face = self._face(form, is_letter=is_letter)
        known = self._described.get(name, Speaker(name))
        return GroupView(
            speaker=" ".join(name.split()),
            initials=initials_of(name),
            colour=self._colours[name],
            turns=tuple(TurnView(self._markup(turn.body, face), turn.time) for turn in turns),
            role=known.role,
            link=known.link,
            accent=known.colour,
            avatar=known.avatar,
            is_author=known.is_author,
            is_letter=is_letter,
        )

    def _markup(self, body: Element, face: Face) -> Markup:
        # to_html writes only listed tags and escapes all text, which is what makes this safe.
        return Markup(to_html(body, self._theme, face, direction=self.direction, levels=self._levels))  # noqa: S704
