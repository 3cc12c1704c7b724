"""A letter, rendered: its subject, MJML, HTML and plain text; and its web version.

Promises: the same letter, slots, theme and templates give the same bytes; a reader's slots stand only in text
and in links; decoded HTML stays below what Gmail shows. Fails with `TemplateError` when a template cannot be
filled or compiled, and with `ContentError` for a letter without posts.

Templates see plain values: `letter` and `slots` as they are, `subject`, `preheader`, `direction`, `theme`,
and `posts`, each a `PostView` whose bodies are markup already.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from jinja2 import Environment

from newsletter.content.language import direction_of
from newsletter.content.tree import Document
from newsletter.errors import ContentError
from newsletter.render.cutting import beginning, size_of
from newsletter.render.letter import Letter, LetterPost, Neighbour, Rendering
from newsletter.render.mjml import compile_mjml
from newsletter.render.slots import Slots
from newsletter.render.templates import render_template
from newsletter.render.text import plain_words, to_text
from newsletter.render.theme import Theme
from newsletter.render.views import PostView, view_of

MAX_HTML_BYTES = 102_000
"""What Gmail shows of a letter's decoded HTML before it clips it (hteumeuleu/email-bugs 41)."""
_READER_BYTES = 3_000
"""What a reader's longest possible address and links may add to an edition."""
_PREHEADER_LENGTH = 110  # what the longest inbox previews show


def render_letter(environment: Environment, theme: Theme, letter: Letter, slots: Slots) -> Rendering:
    """Render `letter` with the templates of `environment`, in `theme`, and the values in `slots`.

    A letter whose HTML would be too large is cut and continued on the web; its text stays whole unless it
    would be as large.
    """
    press = _Press(environment, theme, letter, slots)
    views = press.views(letter.posts)
    mjml, html = press.html(views)
    is_cut = not _fits(html)
    if is_cut:
        posts, mjml, html = _cut(press, len(html.encode()))
        is_long = sum(len(view.text.encode()) for view in views) > MAX_HTML_BYTES
        views = press.views(posts) if is_long else views
    text = press.fill("email/issue.txt.j2", views)
    return Rendering(subject=press.subject, mjml=mjml, html=html, text=text, is_cut=is_cut)


def render_web(
    environment: Environment,
    theme: Theme,
    letter: Letter,
    *,
    site: object,
    feed_url: str,
    newer: Neighbour | None,
    older: Neighbour | None,
) -> str:
    """The letter's page on the web, whole and for anybody; `site` is what pages are told of the site."""
    press = _Press(environment, theme, letter, None)
    around = {"site": site, "feed_url": feed_url, "newer": newer, "older": older}
    return press.fill("web/issue.html.j2", press.views(letter.posts), around)


def render_bodies(environment: Environment, theme: Theme, letter: Letter) -> str:
    """The posts of a letter alone, as HTML for readers of feeds."""
    press = _Press(environment, theme, letter, None)
    return press.fill("web/bodies.html.j2", press.views(letter.posts)).strip()


def subject_of(posts: Sequence[LetterPost]) -> str:
    """The first title, on one line and without control characters, and how many posts follow it."""
    title = one_line(posts[0].title)
    return title if len(posts) == 1 else f"{title} and {len(posts) - 1} more"


def preheader_of(document: Document) -> str:
    """The first words of a post, for the inbox's preview; true because they are its own."""
    return _preview(next(filter(None, map(plain_words, document.bodies)), ""))


def _preview(words: str) -> str:
    if len(words) <= _PREHEADER_LENGTH:
        return words
    whole, space, _ = words[: _PREHEADER_LENGTH + 1].rpartition(" ")
    return (whole if space else words[:_PREHEADER_LENGTH]) + "…"


def one_line(text: str) -> str:
    """`text` without line breaks, control characters and lone surrogates."""
    kept = (" " if unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} else c for c in text)
    return re.sub(" {2,}", " ", "".join(kept)).strip()


@dataclass(frozen=True, slots=True)
class _Post:
    """A post as far as it is shown: whole, or its beginning."""

    post: LetterPost
    is_cut: bool


class _Press:
    """What all renderings of one letter share."""

    def __init__(self, environment: Environment, theme: Theme, letter: Letter, slots: Slots | None) -> None:
        if not letter.posts:
            raise ContentError("a letter needs at least one post; queue one for this category")
        self.letter = letter
        self._environment = environment
        self._theme = theme
        erratum, subject = letter.erratum, subject_of(letter.posts)
        self.subject = f"Correction: {subject}" if erratum else subject
        said = _preview(erratum.note) if erratum else ""
        self._values = {
            "letter": letter,
            "slots": slots,
            "subject": self.subject,
            "preheader": said or preheader_of(letter.posts[0].document),
            "direction": direction_of(letter.lang),
            "theme": theme,
        }

    def views(self, posts: Sequence[LetterPost | _Post]) -> list[PostView]:
        """Posts as templates see them."""
        level = 1 if len(posts) == 1 else 2
        views, section = [], None
        for post in posts:
            shown = post if isinstance(post, _Post) else _Post(post, is_cut=False)
            begins = shown.post.section != section
            section = shown.post.section
            views.append(self._view(shown.post, level, is_cut=shown.is_cut, begins_section=begins))
        return views

    def _view(self, post: LetterPost, level: int, *, is_cut: bool, begins_section: bool) -> PostView:
        url = (self.letter.web_url or post.url or self.letter.base_url) if is_cut else None
        text = to_text(post.document, speakers=post.speakers)
        section = one_line(post.section) if post.section and begins_section else None
        clean = replace(post, title=one_line(post.title), section=section)
        return view_of(clean, self._theme, level=level, text=text, continue_url=url)

    def fill(self, template: str, posts: Sequence[PostView], more: Mapping[str, Any] | None = None) -> str:
        """A template, filled."""
        return render_template(self._environment, template, {**self._values, "posts": posts, **(more or {})})

    def html(self, posts: Sequence[PostView]) -> tuple[str, str]:
        """(MJML, HTML) of the letter with these posts."""
        mjml = self.fill("email/issue.mjml.j2", posts)
        return mjml, compile_mjml(mjml)


def _fits(html: str) -> bool:
    return len(html.encode()) <= MAX_HTML_BYTES - _READER_BYTES


def _cut(press: _Press, whole: int) -> tuple[list[_Post], str, str]:
    """The most of a letter's posts that fits, with its MJML and HTML; `whole` is the size of all in bytes.

    Found by halving, from where bytes are spread evenly.
    """
    posts = press.letter.posts
    least, most = 0, sum(size_of(post.document) for post in posts)
    best = _first(posts, 0)
    mjml, html = press.html(press.views(best))
    middle = most * MAX_HTML_BYTES // whole
    while most - least > 1:
        middle = min(max(middle, least + 1), most - 1)
        tried = _first(posts, middle)
        tried_mjml, tried_html = press.html(press.views(tried))
        if _fits(tried_html):
            least, best, mjml, html = middle, tried, tried_mjml, tried_html
        else:
            most = middle
        middle = (least + most) // 2
    return best, mjml, html


def _first(posts: Sequence[LetterPost], size: int) -> list[_Post]:
    """The first `size` blocks of all posts together."""
    kept = []
    for post in posts:
        whole = size_of(post.document)
        is_cut = whole > size
        document = beginning(post.document, size) if is_cut else post.document
        kept.append(_Post(replace(post, document=document), is_cut))
        size = max(0, size - whole)
    return kept
