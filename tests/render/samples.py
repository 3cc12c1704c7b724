"""Letters and trees to render. Run as a module, this writes the golden files anew:

python -m tests.render.samples
"""

import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from hypothesis import strategies as st

from newsletter.content.tree import Block, Document, Prose, Thread, Turn
from newsletter.render.letter import Letter, LetterPost, Rendering, Slots
from newsletter.render.renderer import render_letter
from newsletter.render.templates import template_environment

GOLDEN = Path(__file__).parent / "golden"

SLOTS = Slots(address="READERADDRESS0001", unsubscribe_url="UNSUBSCRIBEURL0002")


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
    """A letter of these posts, rendered with the built-in templates."""
    return render_letter(template_environment(None), letter(*posts, lang=lang), SLOTS)


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
    rendering = render(SAMPLE)
    (GOLDEN / "letter.html").write_text(rendering.html + "\n", encoding="utf-8")
    (GOLDEN / "letter.txt").write_text(rendering.text, encoding="utf-8")
