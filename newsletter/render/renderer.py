"""A letter, rendered: its subject, MJML, HTML and plain text.

Promises: the same letter, slots and templates give the same bytes; a reader's slots stand only in text
and in links. Fails with `TemplateError` when a template cannot be filled or compiled, and with
`ContentError` for a letter without posts.

Templates see plain values: `letter` and `slots` as they are, `subject`, `preheader`, `direction`, `theme`,
and `posts`, each a `PostView` whose bodies are markup already.
"""

import datetime
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element

from jinja2 import Environment
from markupsafe import Markup

from newsletter.content.tree import Block, Document, Thread, Turn
from newsletter.errors import ContentError
from newsletter.render.html import Direction, heading_levels, to_html
from newsletter.render.letter import Letter, LetterPost, Rendering, Slots
from newsletter.render.mjml import compile_mjml
from newsletter.render.templates import render_template
from newsletter.render.text import plain_words, to_text
from newsletter.render.theme import DEFAULT_THEME, Face, Theme

_RTL_LANGUAGES = frozenset(
    (
        "ar",
        "arc",
        "ckb",
        "dv",
        "fa",
        "he",
        "iw",
        "ji",
        "nqo",
        "pnb",
        "prs",
        "ps",
        "sd",
        "syr",
        "ug",
        "ur",
        "yi",
    )
)
_RTL_SCRIPTS = frozenset(("adlm", "arab", "hebr", "nkoo", "rohg", "syrc", "thaa"))
_PREHEADER_LENGTH = 110  # what the longest inbox previews show


@dataclass(frozen=True, slots=True)
class GroupView:
    """Consecutive turns of one speaker. `colour` is its place among the theme's speakers."""

    speaker: str
    initials: str
    colour: int
    turns: tuple[Markup, ...]


@dataclass(frozen=True, slots=True)
class BlockView:
    """A prose, whose `html` it holds, or a thread, whose `groups` it holds."""

    html: Markup | None = None
    groups: tuple[GroupView, ...] = ()


@dataclass(frozen=True, slots=True)
class PostView:
    """One post as templates see it; `level` is that of its title's heading, `text` its plain-text body."""

    title: str
    lang: str
    direction: Direction
    author: str | None
    date: datetime.date | None
    url: str | None
    level: int
    blocks: tuple[BlockView, ...]
    text: str


def render_letter(environment: Environment, letter: Letter, slots: Slots) -> Rendering:
    """Render `letter` with the templates of `environment` and the values in `slots`."""
    if not letter.posts:
        raise ContentError("a letter needs at least one post; queue one for this category")
    level = 1 if len(letter.posts) == 1 else 2
    subject = subject_of(letter.posts)
    values = {
        "letter": letter,
        "slots": slots,
        "subject": subject,
        "preheader": preheader_of(letter.posts[0].document),
        "direction": direction_of(letter.lang),
        "theme": DEFAULT_THEME,
        "posts": [_view(post, level, DEFAULT_THEME) for post in letter.posts],
    }
    mjml = render_template(environment, "email/issue.mjml.j2", values)
    text = render_template(environment, "email/issue.txt.j2", values)
    return Rendering(subject=subject, mjml=mjml, html=compile_mjml(mjml), text=text)


def subject_of(posts: Sequence[LetterPost]) -> str:
    """The first title, on one line and without control characters, and how many posts follow it."""
    title = one_line(posts[0].title)
    return title if len(posts) == 1 else f"{title} and {len(posts) - 1} more"


def preheader_of(document: Document) -> str:
    """The first words of a post, for the inbox's preview; true because they are its own."""
    words = next(filter(None, map(plain_words, _bodies(document))), "")
    if len(words) <= _PREHEADER_LENGTH:
        return words
    whole, space, _ = words[: _PREHEADER_LENGTH + 1].rpartition(" ")
    return (whole if space else words[:_PREHEADER_LENGTH]) + "…"


def direction_of(lang: str) -> Direction:
    """The direction of a BCP 47 language tag: by its script where it names one, else by its language."""
    language, *subtags = re.split("[-_]", lang.lower())
    script = next((subtag for subtag in subtags if len(subtag) == 4 and subtag.isalpha()), None)
    right_to_left = language in _RTL_LANGUAGES if script is None else script in _RTL_SCRIPTS
    return "rtl" if right_to_left else "ltr"


def initials_of(name: str) -> str:
    """One or two letters for a name: of its first word and its last."""
    letters = [
        next((character for character in unicodedata.normalize("NFC", word) if character.isalnum()), "")
        for word in name.split()
    ]
    letters = [letter for letter in letters if letter]
    return "".join(letters[:1] + letters[1:][-1:]).upper() or "?"


def one_line(text: str) -> str:
    """`text` without line breaks, control characters and lone surrogates."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)
    return re.sub(" {2,}", " ", "".join(kept)).strip()


def _bodies(document: Document) -> Iterator[Element]:
    """All the elements of a document that hold its text, in reading order."""
    for block in document.blocks:
        if isinstance(block, Thread):
            yield from (turn.body for turn in block.turns)
        else:
            yield block.body


def _view(post: LetterPost, level: int, theme: Theme) -> PostView:
    direction = direction_of(post.lang)
    levels = heading_levels(_bodies(post.document), below=level)
    speakers = dict.fromkeys(turn.speaker for thread in post.document.threads for turn in thread.turns)
    colours = {name: number % len(theme.light.speakers) for number, name in enumerate(speakers)}

    def markup(body: Element, face: Face) -> Markup:
        # to_html writes only listed tags and escapes all text, which is what makes this safe.
        return Markup(to_html(body, theme, face, direction=direction, levels=levels))  # noqa: S704

    def group(speaker: str, turns: Iterable[Turn]) -> GroupView:
        said = tuple(markup(turn.body, theme.speech) for turn in turns)
        return GroupView(one_line(speaker), initials_of(speaker), colours[speaker], said)

    def block(part: Block) -> BlockView:
        if isinstance(part, Thread):
            runs = groupby(part.turns, key=lambda turn: turn.speaker)
            return BlockView(groups=tuple(group(speaker, turns) for speaker, turns in runs))
        return BlockView(html=markup(part.body, theme.prose))

    return PostView(
        title=one_line(post.title),
        lang=post.lang,
        direction=direction,
        author=post.author,
        date=post.date,
        url=post.url,
        level=level,
        blocks=tuple(map(block, post.document.blocks)),
        text=to_text(post.document),
    )
