"""Every letter there is to look at: samples, real posts where they are at hand, and a blog full of traps.

What holds for letters is tested on all of these. A post added to `tests.render.samples` is one of them.
"""

import datetime
import functools
import itertools
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from newsletter.content.post import read_post
from newsletter.content.tree import Document, Form, Prose, Speaker, Thread, Turn
from newsletter.render.edition import EditionMaker, Occasion
from newsletter.render.letter import Letter, LetterPost, Neighbour, Rendering
from newsletter.render.renderer import render_letter
from newsletter.render.slots import Slots
from newsletter.render.templates import template_environment
from newsletter.render.theme import DEFAULT_THEME
from newsletter.settings import Settings
from tests.conftest import GIVEN
from tests.render import samples
from tests.trials.jekyll_blog import TRAPS, Kind, make_blog

ROOT = Path(__file__).parents[2]
REAL_POSTS = sorted(
    path
    for folder in ("newsletter/demo/posts", "../shared/seed", "../shared/corpus")
    for path in (ROOT / folder).glob("*.md")
)

SLOTS = Slots(
    "reader@example.net",
    "https://news.example.org/u/token?a=1&b=2",
    "https://news.example.org/preferences/token",
)
"""What one reader's copy holds in its places."""

BLOG_URL = "https://blog.example.org"

_DESCRIBED = (
    Speaker("Mara Voss", role="asks", link="https://example.org/mara", colour="#7a3b69", labels=("Q",)),
    Speaker("Ilan Peretz", role="editor", avatar="https://example.org/ilan.png", is_author=True),
)


@functools.cache
def letters() -> dict[str, Letter]:
    """The samples' letters and the real posts', by a name to be read in a failure."""
    return dict(_of_samples()) | _of_posts(REAL_POSTS)


@functools.cache
def trap_letters() -> dict[str, Letter]:
    """Letters of a blog's posts in which each of its traps stands, several to a post."""
    with tempfile.TemporaryDirectory() as folder:
        sound = (post.path for post in make_blog(Path(folder)) if post.kind is Kind.SOUND)
        return _of_posts(itertools.islice(sound, len(TRAPS)))


@functools.cache
def renderings() -> dict[str, Rendering]:
    """Each of `letters` as one reader gets it."""
    return {name: render(letter, SLOTS) for name, letter in letters().items()}


@functools.cache
def trap_renderings() -> dict[str, Rendering]:
    """Each of `trap_letters` as one reader gets it."""
    return {name: render(letter, SLOTS) for name, letter in trap_letters().items()}


def render(letter: Letter, slots: Slots) -> Rendering:
    """A letter with the built-in templates."""
    return render_letter(template_environment(None), DEFAULT_THEME, letter, slots)


def maker() -> EditionMaker:
    """Of the site that all real posts are sent by."""
    return EditionMaker(Settings.model_validate({"site": {**GIVEN, "blog_url": BLOG_URL}}), None)


def _of_samples() -> Iterator[tuple[str, Letter]]:
    posts = {name: value for name, value in vars(samples).items() if isinstance(value, LetterPost)}
    for name, post in posts.items():
        yield name, samples.letter(post, lang=post.lang)
    yield "several posts", samples.letter(*posts.values())
    yield (
        "an issue among others",
        replace(
            samples.letter(*posts.values()),
            web_url="https://news.example.org/issues/work/12/",
            archive_url="https://news.example.org/issues/work/",
            previous=Neighbour(
                "“Why not <both>?” & other questions", "https://news.example.org/issues/work/11/"
            ),
            next_date=datetime.date(2026, 3, 10),
        ),
    )
    work, notes = samples.WORK, samples.NOTES
    yield "a digest", samples.digest((work, samples.SAMPLE), (work, samples.FORMS), (notes, samples.HEBREW))
    yield "a digest of one", samples.digest((notes, samples.SAMPLE))
    said = [
        Turn(speaker.name, samples.tree("<p>Why?</p><blockquote><p>Because.</p></blockquote>"), time="10:42")
        for speaker in _DESCRIBED
    ]
    for form in Form:
        document = Document((Prose(samples.tree("<p>They talked.</p>")), Thread(None, tuple(said), form)))
        post = replace(samples.post(document), speakers=_DESCRIBED)
        yield f"described speakers, {form}", samples.letter(post)
    long = [
        Turn(f"Speaker {number % 9}", samples.tree("<p>" + "word " * 40 + "</p>")) for number in range(100)
    ]
    for name, turns in (("a long conversation", long), ("the beginning of a longer one", long * 4)):
        yield name, samples.letter(samples.post(Document((Thread(None, tuple(turns)),))))


def _of_posts(paths: Iterable[Path]) -> dict[str, Letter]:
    occasion = Occasion("advice", "Good advice")
    return {path.stem: maker().letter(occasion, [read_post(path)]).letter for path in paths}
