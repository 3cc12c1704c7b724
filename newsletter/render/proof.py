"""What a post becomes, complete, for eyes before it goes out.

Promises: a proof's HTML, text and header are those of its `message`, which is made the way every issue's
is: rendered with marks in the reader's places, compiled, spliced. Nothing is sent.

Fails with `ContentError`, `TemplateError` and `ThemeError`, as planning an issue of the post would. May
surprise: where the site takes pictures, making a proof takes them.
"""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from email import policy
from email.parser import BytesHeaderParser
from functools import cached_property
from itertools import islice, takewhile

from newsletter.content.html import plain
from newsletter.content.post import PostSource
from newsletter.content.tree import Block, Document, Form, Thread
from newsletter.render.edition import EditionMaker, Occasion
from newsletter.render.headers import Mailbox
from newsletter.render.message import compile_message
from newsletter.render.pictures import read_pictures, shown_in
from newsletter.render.renderer import preheader_of, render_letter
from newsletter.render.slots import Reader, Slots, sentinel_slots
from newsletter.settings import Settings
from subscribers.tokens import TOKEN_LENGTH

_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_DOUBTS_PLACED = 100
"""Doubts that are looked for in the text; a post with more has other troubles."""
_BEGINNING = 40
"""Characters of a passage that tell whether it is there."""
_ENDING = 8
"""Words that tell where a letter is cut."""
_MISSES = 5
"""Passages in a row that are not there, after which none is: one alone may just be written otherwise."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A turn, or a block of narration (no speaker); `doubts` are about its words."""

    words: str
    speaker: str | None = None
    time: str | None = None
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """A thread, whose `form` it has, or a run of narration between threads."""

    form: Form | None
    title: str | None
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Proof:
    """A post as one reader would be sent it. `is_cut` says that the HTML is only its beginning."""

    source: PostSource
    document: Document
    subject: str
    preheader: str
    mjml: str
    html: str
    text: str
    message: bytes
    is_cut: bool

    @property
    def header(self) -> str:
        """The message's header as it is on the wire."""
        return self.message.partition(b"\r\n\r\n")[0].decode("utf-8").replace("\r\n", "\n")

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """(name, value) of each header field, unfolded and decoded (RFC 5322, RFC 2047)."""
        header = BytesHeaderParser(policy=policy.default).parsebytes(self.message)
        return tuple((name, " ".join(str(value).split())) for name, value in header.items())

    @cached_property
    def html_bytes(self) -> int:
        """The size of the decoded HTML, which Gmail counts."""
        return len(self.html.encode())

    @cached_property
    def style_bytes(self) -> int:
        """The size of what stands in `<style>`, which Gmail counts by itself."""
        return sum(len(found[1].encode()) for found in _STYLE.finditer(self.html))

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """Who says what, in reading order, with each doubt at the first words that it is about."""
        waiting = {doubt.message: _words(doubt.words).rstrip("…") for doubt in self.document.doubts}
        waiting = dict(list(waiting.items())[:_DOUBTS_PLACED])
        return tuple(_section(block, waiting) for block in self.document.blocks)

    @property
    def doubts_elsewhere(self) -> tuple[str, ...]:
        """Doubts about words that are in no passage, such as a shortcode that was taken out."""
        placed = {doubt for section in self.sections for one in section.passages for doubt in one.doubts}
        return tuple(str(doubt) for doubt in self.document.doubts if doubt.message not in placed)

    @cached_property
    def cut_after(self) -> str:
        """The last words of the post that the HTML still has, where it is cut; empty where it is not."""
        if not self.is_cut:
            return ""
        # Without white space, which markup may add and take away.
        shown = "".join(html.unescape(_TAG.sub("", self.html)).split())
        preview = "".join(self.preheader.split())  # hidden at the top, and not the post itself
        last, place, missed = "", max(0, shown.find(preview)) + len(preview), 0
        for passage in (one for section in self.sections for one in section.passages if one.words):
            letters = "".join(passage.words.split())
            found = shown.find(letters[:_BEGINNING], place)
            missed = 0 if found >= 0 else missed + 1
            if missed > _MISSES:
                break
            if found >= 0:
                pairs = zip(letters, shown[found:], strict=False)
                length = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
                last, place = _letters_of(passage.words, length), found + length
        return " ".join(last.split()[-_ENDING:])


def usual_occasion(source: PostSource) -> Occasion:
    """What a post's own front matter says it would go out as."""
    slug = source.categories[0] if source.categories else "advice"
    return Occasion(slug, slug.replace("-", " ").capitalize())


def example_reader(settings: Settings) -> Reader:
    """Somebody who does not exist, with links as long as real ones that lead nowhere."""
    token = "example".ljust(TOKEN_LENGTH, "0")  # base32 has no 0
    base = settings.site.base_url
    return Reader(
        mailbox=Mailbox("", "reader@example.com"),
        message_id=f"{token}@{settings.sender.domain}",
        unsubscribe_url=f"{base}/u/{token}",
        preferences_url=f"{base}/preferences/{token}",
    )


def make_proof(
    maker: EditionMaker, source: PostSource, occasion: Occasion, reader: Reader, now: datetime
) -> Proof:
    """The letter that `reader` would get of a post on its own.

    Raises ContentError, TemplateError or ThemeError.
    """
    # Pictures are looked for beside the post, wherever the site's own folder is.
    made = maker.letter(occasion, [replace(source, path=source.path.absolute())])
    document = made.letter.posts[0].document
    key = source.content_hash
    slots = sentinel_slots(key)
    rendering = render_letter(maker.environment, maker.theme, made.letter, slots)
    message = compile_message(
        key,
        rendering.subject,
        rendering.text,
        rendering.html,
        maker.envelope(occasion, made),
        now,
        read_pictures(maker.settings.media_folder, shown_in(rendering.html, made.pictures)),
    )
    return Proof(
        source=source,
        document=document,
        subject=rendering.subject,
        preheader=preheader_of(document),
        mjml=_filled(rendering.mjml, slots, reader, html.escape),
        html=_filled(rendering.html, slots, reader, html.escape),
        text=_filled(rendering.text, slots, reader, str),
        message=message.splice(reader),
        is_cut=rendering.is_cut,
    )


def _filled(text: str, slots: Slots, reader: Reader, escape: Callable[[str], str]) -> str:
    """As `CompiledMessage.splice` fills in a reader's places."""
    values = {
        slots.address: reader.mailbox.address,
        slots.unsubscribe_url: reader.unsubscribe_url,
        slots.preferences_url: reader.preferences_url,
    }
    for mark, value in values.items():
        text = text.replace(mark, escape(value))
    return text


def _letters_of(text: str, count: int) -> str:
    """The beginning of a text that has so many characters besides white space."""
    places = (place for place, character in enumerate(text) if not character.isspace())
    return text[: next(islice(places, count, None), len(text))].rstrip()


def _section(block: Block, waiting: dict[str, str]) -> Section:
    """One block; the doubts that its words are about are taken out of `waiting`."""
    if isinstance(block, Thread):
        turns = (
            Passage(words, turn.speaker, turn.time, _placed(words, waiting))
            for turn in block.turns
            for words in [_words(plain(turn.body))]
        )
        return Section(block.form, block.title, tuple(turns))
    narration = (
        Passage(words, doubts=_placed(words, waiting)) for words in map(_words, map(plain, block.body))
    )
    return Section(None, None, tuple(narration))


def _placed(words: str, waiting: dict[str, str]) -> tuple[str, ...]:
    found = tuple(message for message, about in waiting.items() if about in words)
    for message in found:
        del waiting[message]
    return found


def _words(text: str) -> str:
    return " ".join(text.split())
