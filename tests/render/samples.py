"""Letters and trees to render. Run as a module, this writes the golden files anew:

python -m tests.render.samples

The posts in `posts` carry every form that the reader of posts knows: `forms.md` those of prose,
`conversations.md` and `letters.md` those of exchanges, `hebrew.md` what reads from right to left.
"""

import datetime
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from hypothesis import strategies as st

from newsletter.content.post import read_post
from newsletter.content.tree import Block, Document, Prose, Thread, Turn
from newsletter.render.edition import EditionMaker, Occasion
from newsletter.render.letter import Letter, LetterPost, Neighbour, Rendering
from newsletter.render.renderer import render_letter
from newsletter.render.slots import Slots
from newsletter.render.templates import template_environment
from newsletter.render.theme import DEFAULT_THEME, FILE_NAME, Theme, load_theme
from newsletter.settings import Settings
from tests.conftest import GIVEN

GOLDEN = Path(__file__).parent / "golden"

SLOTS = Slots(
    address="READERADDRESS0001", unsubscribe_url="UNSUBSCRIBEURL0002", preferences_url="PREFERENCESURL0003"
)


def tree(inner: str) -> ET.Element:
    """A body, as the content reader would give it."""
    return ET.fromstring(f"<div>{inner}</div>")


def prose(inner: str) -> Document:
    """A document of one prose."""
    return Document((Prose(tree(inner)),))


def post(document: Document, title: str = "A title", lang: str = "en") -> LetterPost:
    """A post with nothing but a title and a body."""
    return LetterPost(title=title, document=document, lang=lang)


def letter(*posts: LetterPost, lang: str = "en") -> Letter:
    """A letter of a made-up site."""
    return Letter(
        site_name="Field & Fold",
        postal_address="Field & Fold\n12 Mill Lane\nLittle Wick AB1 2CD",
        category_title="Work, kindly",
        issue_date=datetime.date(2026, 3, 3),
        posts=posts,
        lang=lang,
        base_url="https://fold.example/",
    )


def render(*posts: LetterPost, lang: str = "en") -> Rendering:
    """A letter of these posts, rendered with the built-in templates and theme."""
    return render_letter(template_environment(None), DEFAULT_THEME, letter(*posts, lang=lang), SLOTS)


ADVICE = Document(
    (
        Prose(
            tree(
                "<p>Rosa asked on our <a href='https://forum.example/t/12?a=1&amp;b=2'>forum</a>"
                " how to say no.</p>"
                "<h3>The question</h3>"
            )
        ),
        Thread(
            "The question",
            (
                Turn("Rosa Lind", tree("<p>How do I turn down work <em>politely</em>?</p>")),
                Turn("Tom", tree("<blockquote><p>turn down work</p></blockquote><p>Early, and once.</p>")),
                Turn(
                    "Tom",
                    tree("<p>And thank them.</p><ul><li>Say what you can do.</li><li>Say when.</li></ul>"),
                ),
                Turn("Rosa Lind", tree("<p>Thank you!</p>")),
            ),
        ),
        Prose(
            tree(
                "<h3>What we took from it</h3>"
                "<figure><img src='https://fold.example/desk.png' alt='A tidy desk' width='900'/>"
                "<figcaption>Rosa’s desk, in <a href='https://forum.example/t/12?a=1&amp;b=2'>her thread</a>"
                "</figcaption></figure>"
                "<table><thead><tr><th>Ask</th><th>Answer</th></tr></thead>"
                "<tbody><tr><td>Today?</td><td>No</td></tr></tbody></table>"
                "<pre><code>if asked:\n    breathe()\n</code></pre><hr/>"
                "<p>Write to <a href='mailto:us@fold.example'>us</a>.</p>"
            )
        ),
    )
)

SAMPLE = LetterPost(
    title="A kind “no”",
    document=ADVICE,
    lang="en",
    author="Mia Fold",
    date=datetime.date(2026, 2, 28),
    url="https://fold.example/a-kind-no/",
)

HEBREW = LetterPost(
    title="מכתב קצר",
    document=Document(
        (
            Prose(tree("<p>שלום לכולם.</p><blockquote><p>ציטוט</p></blockquote><ul><li>אחת</li></ul>")),
            Thread(None, (Turn("דנה לוי", tree("<p>מה שלומך?</p>")), Turn("רון", tree("<p>טוב.</p>")))),
        )
    ),
    lang="he",
)


def _read(name: str) -> LetterPost:
    """One of the posts in `posts`, read as those of a site are."""
    maker = EditionMaker(Settings.model_validate({"site": GIVEN}), None)
    source = read_post(Path(__file__).parent / "posts" / f"{name}.md")
    return maker.letter(Occasion("work", "Work, kindly"), [source]).letter.posts[0]


FORMS, CONVERSATIONS, LETTERS, HEBREW_TALK = map(_read, ("forms", "conversations", "letters", "hebrew"))

WORK, NOTES = "Work, kindly", "Notes <from> the field & beyond"
"""Sections of digests."""

_AMONG_OTHERS: dict[str, Any] = {
    "web_url": "https://fold.example/issues/12/a-hedge",
    "archive_url": "https://fold.example/archive/work",
    "previous": Neighbour("“Why not <both>?” & other questions", "https://fold.example/issues/11/why"),
    "next_date": datetime.date(2026, 3, 10),
}


def digest(*posts: tuple[str, LetterPost], lang: str = "en") -> Letter:
    """A digest of posts, each after its section's heading."""
    shown = tuple(replace(post, section=section) for section, post in posts)
    return replace(
        letter(*shown, lang=lang),
        category_title="Digest",
        web_url="https://fold.example/issues/12/a-hedge~0123456789",
    )


def golden() -> Iterator[tuple[str, Rendering]]:
    """The letters whose bytes are kept, by the names of their files."""
    paper, press = DEFAULT_THEME, _press()
    issue = replace(letter(LETTERS, CONVERSATIONS), **_AMONG_OTHERS)
    for name, theme, shown in (
        ("letter", paper, letter(SAMPLE)),
        ("forms", paper, letter(FORMS)),
        ("conversations", paper, letter(CONVERSATIONS)),
        ("press", press, issue),
        ("hebrew", paper, letter(HEBREW_TALK, lang="he")),
        ("digest", paper, digest((WORK, SAMPLE), (WORK, post(prose("<p>More.</p>"))), (NOTES, HEBREW))),
    ):
        yield name, render_letter(template_environment(None), theme, shown, SLOTS)


def _press() -> Theme:
    """The other built-in theme."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE_NAME).write_text('base = "press"', encoding="utf-8")
        return load_theme(Path(folder))


class _Words:
    """Hands out words that no two places share."""

    def __init__(self) -> None:
        self.count = 0

    def next(self, noise: str) -> str:
        self.count += 1
        return f" w{self.count}x {noise} "


NOISE = st.sampled_from(
    (
        *(
            "",
            "",
            "",
            "</mj-text>",
            "<script>alert(1)</script>",
            "{{ 7*7 }}",
            "{% raw %}",
            "&nbsp;",
            "]]>",
            "<!--",
        ),
        *(
            "\u00a0\u200f",
            "e\u0301 \\",
            "\x00\x1b\x0b",
            "\n",
            "-- ",
            "> ",
            "From ",
            '"quoted"',
            "a" * 120,
            "漢字" * 60,
        ),
    )
)

_INLINE = ("a", "strong", "em", "code", "del", "span", "sup", "cite", "abbr")


@st.composite
def documents(draw: st.DrawFn) -> Document:
    """Documents of every kind of block, whose words are `w1x`, `w2x`, … in reading order."""
    words = _Words()

    def inline(element: ET.Element) -> None:
        element.text = words.next(draw(NOISE))
        for tag in draw(st.lists(st.sampled_from(_INLINE), max_size=2)):
            child = ET.SubElement(
                element, tag, {"href": f"https://e.example/{words.count}"} if tag == "a" else {}
            )
            child.text = words.next(draw(NOISE))
            child.tail = words.next("")

    def block(parent: ET.Element, depth: int) -> None:
        kinds = ["p", "h2", "h4", "pre", "table", "loose"]
        kind = draw(st.sampled_from(kinds if depth > 2 else [*kinds, "blockquote", "ul", "ol", "dl", "div"]))
        if kind == "table":
            table = ET.SubElement(ET.SubElement(parent, "table"), "tbody")
            columns = draw(st.integers(1, 3))
            for cell in ("th", "td"):
                row = ET.SubElement(table, "tr")
                for _ in range(columns):
                    inline(ET.SubElement(row, cell))
        elif kind == "dl":
            description = ET.SubElement(parent, "dl")
            inline(ET.SubElement(description, "dt"))
            inline(ET.SubElement(description, "dd"))
        elif kind in {"ul", "ol"}:
            items = ET.SubElement(parent, kind)
            for _ in range(draw(st.integers(1, 2))):
                block(ET.SubElement(items, "li"), depth + 1)
        elif kind in {"blockquote", "div"}:
            block(ET.SubElement(parent, kind), depth + 1)
        elif kind == "loose":
            inline(ET.SubElement(parent, "span"))
        else:
            inline(ET.SubElement(parent, kind))

    def body() -> ET.Element:
        element = ET.Element("div")
        for _ in range(draw(st.integers(1, 3))):
            block(element, 0)
        return element

    def part() -> Block:
        if draw(st.booleans()):
            return Prose(body())
        names = draw(st.lists(st.sampled_from(["Ann", "Bo Li", "רון", "<b>"]), min_size=1, max_size=3))
        return Thread(None, tuple(Turn(name, body()) for name in names))

    return Document(tuple(part() for _ in range(draw(st.integers(1, 3)))))


if __name__ == "__main__":
    for name, rendering in golden():
        (GOLDEN / f"{name}.html").write_text(rendering.html + "\n", encoding="utf-8")
        (GOLDEN / f"{name}.txt").write_text(rendering.text, encoding="utf-8")
