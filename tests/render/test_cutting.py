"""Letters that are too long for Gmail: where they are cut, and that nothing is lost by it."""

import datetime
from copy import deepcopy
from email import message_from_bytes, policy
from html import escape
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.tree import Document, Prose, Thread, Turn
from newsletter.render.cutting import beginning, size_of
from newsletter.render.headers import Mailbox
from newsletter.render.letter import Letter, LetterPost, Rendering
from newsletter.render.message import Envelope, compile_message
from newsletter.render.renderer import MAX_HTML_BYTES, render_letter
from newsletter.render.slots import Reader, Slots, sentinel_slots
from newsletter.render.templates import template_environment
from newsletter.render.theme import load_theme
from tests.conftest import MONDAY
from tests.render.samples import post, prose, tree

BASE_URL = "https://news." + "x" * 180 + ".example.org"
WEB_URL = f"{BASE_URL}/issues/7/first"
# The longest that there are: an address of 254 octets (RFC 5321 §4.5.3.1.3), all of it escaped in HTML, and
# links with their tokens.
SLOTS = Slots(
    address="'" * 64 + "@" + "x" * 185 + ".org",
    unsubscribe_url=f"{BASE_URL}/u/{'a' * 36}",
    preferences_url=f"{BASE_URL}/preferences/{'a' * 36}",
)
HEADINGS = {"h2", "h3", "h4", "h5", "h6"}

words = st.text("abc ", min_size=1, max_size=8).filter(str.strip)
leaves = st.builds(
    lambda tag, text: f"<{tag}>{text}</{tag}>",
    st.sampled_from(["p", "pre", "h2", "h3", "figure"]),
    words,
)
items = st.lists(st.builds("<li><p>{}</p></li>".format, words), min_size=1, max_size=4).map("".join)
rows = st.lists(st.builds("<tr><td>{}</td></tr>".format, words), min_size=1, max_size=4).map("".join)
tables = st.builds("<table><thead><tr><th>{}</th></tr></thead><tbody>{}</tbody></table>".format, words, rows)
lists = st.builds("<{0}>{1}</{0}>".format, st.sampled_from(["ul", "ol"]), items)
terms = st.builds("<dl><dt>{}</dt><dd><p>{}</p></dd></dl>".format, words, words)
blocks = st.recursive(
    leaves | lists | tables | terms,
    lambda inner: st.lists(inner, min_size=1, max_size=3).map(
        lambda inside: f"<blockquote>{''.join(inside)}</blockquote>"
    ),
    max_leaves=6,
)
bodies = st.lists(blocks, min_size=1, max_size=5).map(lambda inside: tree("".join(inside)))
threads = st.lists(st.builds(Turn, st.just("Ann"), bodies), min_size=1, max_size=3).map(
    lambda turns: Thread(None, tuple(turns))
)
documents = st.lists(st.builds(Prose, bodies) | threads, min_size=1, max_size=4).map(
    lambda made: Document(tuple(made))
)


def leaf_texts(document: Document) -> list[str]:
    """What cannot be divided (paragraphs, items, rows, code), in order, as XML."""
    whole = {"p", "pre", "h2", "h3", "figure", "li", "tr", "dt"}

    def of(element: ET.Element) -> list[str]:
        if element.tag in whole:
            return [ET.tostring(element, encoding="unicode")]
        return [text for child in element for text in of(child)]

    return [text for body in document.bodies for text in of(body)]


def last_tag(document: Document) -> str:
    """The tag of the last thing in a document."""
    last = document.bodies[-1]
    while len(last) and last.tag not in {"li", "tr"}:
        last = last[-1]
    return last.tag


@given(documents, st.integers(0, 40))
def test_a_beginning_is_a_beginning(document: Document, size: int) -> None:
    """It holds the first blocks, each whole, at most as many as asked for, and no heading at its end."""
    before = deepcopy([ET.tostring(body) for body in document.bodies])
    kept = beginning(document, size)
    texts = leaf_texts(kept)
    assert texts == leaf_texts(document)[: len(texts)]
    if size >= size_of(document):
        assert kept == document
    else:
        assert size_of(kept) <= size
        assert not kept.bodies or last_tag(kept) not in {*HEADINGS, "dt", "th"}
    assert all(len(body) for body in kept.bodies)
    assert all(thread.turns for thread in kept.threads)
    assert [ET.tostring(body) for body in document.bodies] == before


@settings(max_examples=40)
@given(documents)
def test_beginnings_grow_block_by_block(document: Document) -> None:
    """One block more is never fewer words, and what is missing from the room is headings alone."""
    previous: list[str] = []
    for size in range(size_of(document) + 1):
        texts = leaf_texts(beginning(document, size))
        assert texts[: len(previous)] == previous
        assert all(
            text.startswith(("<h2", "<h3", "<dt", "<tr><th"))
            for text in leaf_texts(document)[len(texts) : size]
        )
        previous = texts


@pytest.mark.parametrize(
    ("inner", "size", "left"),
    [
        ("<p>one</p><h2>two</h2><h3>three</h3><p>four</p>", 3, "<p>one</p>"),
        ("<p>one</p><blockquote><h2>two</h2><p>three</p></blockquote>", 2, "<p>one</p>"),
        ("<p>one</p><dl><dt>two</dt><dd><p>three</p></dd></dl>", 2, "<p>one</p>"),
        ("<ol start='3'><li>one</li><li>two</li></ol>", 1, '<ol start="3"><li>one</li></ol>'),
        (
            "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr><tr><td>c</td></tr></tbody></table>",
            2,
            "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
        ),
    ],
)
def test_where_a_cut_goes(inner: str, size: int, left: str) -> None:
    """Between items and rows, and before the heading, term or table head that announces what is gone."""
    (body,) = beginning(prose(inner), size).bodies
    assert ET.tostring(body, encoding="unicode") == f"<div>{left}</div>"


def test_a_turn_that_only_has_a_heading_left_goes() -> None:
    """A speaker is not shown with nothing but the heading of what they said."""
    turns = (Turn("Ann", tree("<p>one</p>")), Turn("Bo", tree("<h3>two</h3><p>three</p>")))
    (thread,) = beginning(Document((Thread(None, turns),)), 2).threads
    assert [turn.speaker for turn in thread.turns] == ["Ann"]


def whole(*posts: LetterPost, web_url: str | None = WEB_URL) -> Letter:
    """A letter of these posts."""
    return Letter(
        site_name="Field & Fold",
        postal_address="12 Mill Lane",
        category_title="Work, kindly",
        issue_date=datetime.date(2026, 3, 3),
        posts=posts,
        lang="en",
        base_url=BASE_URL,
        web_url=web_url,
    )


def made(*posts: LetterPost, web_url: str | None = WEB_URL) -> Rendering:
    """Their letter, rendered for the reader with the longest address there may be."""
    environment, theme = template_environment(None), load_theme(None)
    return render_letter(environment, theme, whole(*posts, web_url=web_url), SLOTS)


def counted(number: int, pattern: str = "<p>word{} and some others that go with it.</p>") -> str:
    return "".join(map(pattern.format, range(number)))


HUGE = {
    "paragraphs": counted(3000),
    "turns": "",
    "one list": f"<ul>{counted(3000, '<li>word{} and others</li>')}</ul>",
    "one table": f"<table><tbody>{counted(3000, '<tr><td>word{}</td><td>other</td></tr>')}</tbody></table>",
    "one code block": f"<pre>{counted(20_000, 'word{} ')}</pre>",
    "too large a first block": f"<p>{counted(20_000, 'word{} ')}</p><p>The rest.</p>",
    "letters of four bytes": counted(3000, "<p>word{} 𝔞𝔟𝔠𝔡𝔢𝔣𝔤𝔥𝔦𝔧</p>"),
}


@pytest.mark.parametrize("name", HUGE)
def test_a_huge_post_fits(name: str) -> None:
    """Below what Gmail shows, one way to go on, and the text part as whole as it may be."""
    document = prose(HUGE[name])
    if name == "turns":
        said = (Turn(f"Speaker {number % 7}", tree(f"<p>word{number}</p>")) for number in range(1500))
        document = Document((Thread(None, tuple(said)),))
    rendering = made(post(document))
    assert len(rendering.html.encode()) < MAX_HTML_BYTES
    assert rendering.is_cut
    assert rendering.html.count("Continue on the web") == 1
    (after,) = rendering.html.split("Continue on the web")[:1]
    assert f'href="{WEB_URL}"' in after[after.rindex("<a ") :]
    assert SLOTS.unsubscribe_url in rendering.html
    if "block" not in name:
        assert "word20<" in rendering.html or "word20 " in rendering.html
        assert len(rendering.html.encode()) > MAX_HTML_BYTES * 0.9  # as much as there is room for


def test_the_text_stays_whole() -> None:
    """A post that is too long as HTML and not as text is whole in the text part."""
    rendering = made(post(prose(counted(3000, "<p>word{}</p>"))))
    assert rendering.is_cut
    assert all(f"word{number}\n" in rendering.text for number in range(3000))
    assert "Continue on the web" not in rendering.text


def test_a_text_as_large_is_cut_too() -> None:
    """Text that would be as large as Gmail allows is cut where the HTML is, and says where it goes on."""
    rendering = made(post(prose(counted(6000))))
    assert len(rendering.text.encode()) < MAX_HTML_BYTES
    assert rendering.text.count(f"Continue on the web: {WEB_URL}") == 1


def test_of_several_posts_each_has_a_way_on() -> None:
    """What does not fit any more is cut post by post; a post that is whole has no such link."""
    posts = [
        post(prose(counted(number)), title) for number, title in ((50, "One"), (3000, "Two"), (50, "Three"))
    ]
    rendering = made(*posts)
    assert len(rendering.html.encode()) < MAX_HTML_BYTES
    first, second, third = (part.split("</h2>")[1] for part in rendering.html.split("<h2")[1:])  # fmt: skip
    assert [part.count("Continue on the web") for part in (first, second, third)] == [0, 1, 1]
    assert "word49 " in first
    assert "word0 " not in third


def test_a_letter_that_fits_is_not_cut() -> None:
    """The limit costs nothing to those who keep it, and headings at the end stay there."""
    rendering = made(post(prose(counted(50) + "<h2>The end</h2>")))
    assert not rendering.is_cut
    assert "The end" in rendering.html
    assert "Continue on the web" not in rendering.html + rendering.text


def test_without_a_web_version_the_blog_has_the_rest() -> None:
    """A letter that has no page of its own goes on where its post lives."""
    document = prose(counted(3000))
    blog = LetterPost("A title", document, "en", url="https://fold.example/post")
    assert 'href="https://fold.example/post"' in made(blog, web_url=None).html


def test_a_reader_s_copy_is_below_the_limit() -> None:
    """The letter as it is sent, with the longest address in it, decoded from the message (STANDARDS 13)."""
    key = "k" * 64
    edition = render_letter(
        template_environment(None), load_theme(None), whole(post(prose(counted(3000)))), sentinel_slots(key)
    )
    sender = Mailbox("Ann", "ann@example.org")
    envelope = Envelope(
        sender,
        None,
        "x.example.org",
        "x",
        BASE_URL,
        sender.address,
        sender.address,
        sender.address,
        "1:2:3:4",
    )
    message = compile_message(key, edition.subject, edition.text, edition.html, envelope, MONDAY)
    links = (SLOTS.unsubscribe_url, SLOTS.preferences_url)
    copy = message.splice(Reader(Mailbox("", SLOTS.address), "id@example.org", *links))
    body = message_from_bytes(copy, policy=policy.default).get_body(("html",))
    assert body is not None
    html = body.get_content()
    assert len(html.encode()) < MAX_HTML_BYTES
    assert escape(SLOTS.address) in html


@settings(max_examples=8)
@given(st.integers(1, 4000), st.integers(1, 40))
def test_every_length_fits(number: int, length: int) -> None:
    """Whatever the number of paragraphs and their length, the HTML is below the limit."""
    assert len(made(post(prose(counted(number, f"<p>{'w ' * length}</p>")))).html.encode()) < MAX_HTML_BYTES


def test_the_tree_is_not_changed() -> None:
    """A letter that is cut can be shown whole on the web afterwards."""
    document = prose(counted(3000))
    before = ET.tostring(document.bodies[0])
    made(post(document))
    assert ET.tostring(document.bodies[0]) == before
