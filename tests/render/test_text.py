"""Plain text: structure that survives without markup, and lines that fit."""

import time
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.tree import Document, Prose, Speaker, Thread, Turn
from newsletter.render.text import to_text, underline, wrap
from tests.render.samples import tree


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("<h2>Head</h2><p>Body</p>", "Head\n----\n\nBody"),
        ("<p>one<br/>two<br/><br/>three</p>", "one\ntwo\n\nthree"),
        ("<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>", "* a\n* b\n  * c"),
        ("<ol start='9'><li><p>a</p></li><li><p>b</p><p>c</p></li></ol>", "9. a\n\n10. b\n\n    c"),
        ("<dl><dt>Term</dt><dd>Meaning</dd></dl>", "Term\n\n    Meaning"),
        ("<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>", "> a\n>\n>> b"),
        ("<pre><code>x = 1\n\n  y\n</code></pre>", "    x = 1\n\n      y"),
        ("<p>a</p><hr/><p>b</p>", "a\n\n* * *\n\nb"),
        ("<p><em>a</em> <strong>b </strong><code>c</code> <del>d</del></p>", "_a_ *b* `c` ~~d~~"),
        ("<p>10<sup>3</sup> and H<sub>2</sub>O</p>", "10^3 and H2O"),
        (
            "<table><tr><th>A</th><th>Bee</th></tr><tr><td>one</td><td>2</td></tr></table>",
            "A   | Bee\n----+----\none | 2",
        ),
        ("loose<p>a</p>text", "loose\n\na\n\ntext"),
        ("<p>漢字</p><h3>漢</h3>", "漢字\n\n漢\n--"),
        ("<p> </p><ul></ul><table></table><pre> </pre><h2> </h2>", ""),
    ],
)
def test_forms(inner: str, text: str) -> None:
    """Each kind of block has its customary plain form."""
    assert to_text(tree(inner)) == text


def test_links_are_numbered_and_listed() -> None:
    """Links are numbered, one number for each URL; a link that is its URL stays as it is."""
    text = to_text(
        tree(
            "<p><a href='https://a.example/'>One</a>, <a href='https://b.example/'>two</a>,"
            " <a href='https://a.example/'>one again</a>, <a href='https://c.example/x'>https://c.example/x</a>.</p>"
        )
    )
    body, links = text.split("\n\nLinks:\n")
    assert " ".join(body.split()) == "One [1], two [2], one again [1], https://c.example/x."
    assert links == "[1] https://a.example/\n[2] https://b.example/"


def test_images_are_their_alternative_text() -> None:
    """An image is its alt and its address; a decorative one is nothing, though a link around it stays."""
    text = to_text(
        tree(
            "<p><img src='https://e.example/a.png' alt='A desk'/></p>"
            "<p><img src='https://e.example/b.png' alt=''/></p>"
            "<p><a href='https://e.example/'><img src='https://e.example/c.png' alt=''/></a></p>"
        )
    )
    body, links = text.split("\n\nLinks:\n")
    assert body == "[Image: A desk] [1]\n\n[2]"
    assert links == "[1] https://e.example/a.png\n[2] https://e.example/"


def test_turns_are_told_apart_from_narration() -> None:
    """A turn is a name and a colon, then words set in; narration after it is not anyone's."""
    thread = Thread(
        None,
        (Turn("Ann", tree("<blockquote><p>Why?</p></blockquote><p>So.</p>")), Turn("Bo", tree("<p>Ah.</p>"))),
    )
    document = Document((thread, Prose(tree("<p>They agreed.</p>"))))
    assert to_text(document) == "Ann:\n  > Why?\n\n  So.\n\nBo:\n  Ah.\n\nThey agreed."


@pytest.mark.parametrize(
    ("speaker", "time", "byline"),
    [
        (Speaker("Ann Lee"), None, "Ann Lee:"),
        (Speaker("Ann Lee"), "10:42", "Ann Lee, 10:42:"),
        (Speaker("Ann Lee", role="coach", is_author=True), "10:42", "Ann Lee, author, coach, 10:42:"),
        (Speaker("Ann Lee", role="coach", link="https://ann.example/"), None, "Ann Lee [1], coach:"),
        (Speaker("Bo", role="nobody here", link="https://bo.example/"), None, "Ann Lee:"),
    ],
)
def test_a_turn_says_who_speaks(speaker: Speaker, time: str | None, byline: str) -> None:
    """Name, author, role and time stand before the words, and the number of the speaker's link."""
    document = Document((Thread(None, (Turn("Ann Lee", tree("<p>So.</p>"), time),)),))
    links = f"\n\nLinks:\n[1] {speaker.link}" if "[1]" in byline else ""
    assert to_text(document, speakers=[speaker]) == f"{byline}\n  So.{links}"


@given(text=st.text(max_size=400), width=st.integers(20, 78))
def test_lines_fit(text: str, width: int) -> None:
    """No line is longer than asked, and no character but white space and controls is lost."""
    element = ET.Element("p")
    element.text = text
    written = to_text(element, width)
    assert all(len(line) <= width for line in written.split("\n") if "://" not in line)


def test_long_urls_stay_whole() -> None:
    """A URL longer than a line is not cut, whatever else is."""
    url = "https://e.example/" + "x" * 200
    assert url in to_text(tree(f"<p>See {url} or {'y' * 200}</p>")).split("\n")
    assert "y" * 78 in to_text(tree(f"<p>{'y' * 200}</p>")).split("\n")


def test_wide_characters_count_two() -> None:
    """Chinese, written without spaces, is cut at 78 columns and not at 78 characters."""
    assert [len(line) for line in wrap("漢" * 60)] == [39, 21]
    assert underline("漢字", "=") == ["漢字", "===="]


def test_a_table_too_wide_gives_a_line_for_each_cell() -> None:
    """A table that does not fit is written cell by cell, one block for each row."""
    wide = "word " * 12
    text = to_text(
        tree(f"<table><tr><td>{wide}</td><td>{wide}</td></tr><tr><td>{wide}</td><td>b</td></tr></table>")
    )
    assert text.count("- word") == 2
    assert text.endswith("\n  b")
    assert all(len(line) <= 78 for line in text.split("\n"))


@pytest.mark.parametrize("tag", ["blockquote", "ul", "em", "table", "div", "a"])
def test_deep_nesting_is_quick_and_loses_no_word(tag: str) -> None:
    """Thousands of nested elements neither crash nor take long, and no word is lost."""
    element = deepest = ET.Element("div")
    for number in range(5000):
        deepest = ET.SubElement(deepest, tag)
        deepest.text = f"w{number}x "
    began = time.perf_counter()
    text = to_text(element)
    assert time.perf_counter() - began < 2
    assert text.split().count("w4999x") + text.count("w4999x_") == 1
    assert all(len(line) <= 78 for line in text.split("\n"))


@pytest.mark.parametrize("before", range(70, 80))
def test_a_number_stays_with_its_link(before: int) -> None:
    """A link's number never begins a line, and what holds it together does not show."""
    text = to_text(
        tree(f"<p>{'x' * (before // 2)} {'y' * (before // 2)} <a href='https://e.example/'>me@e</a></p>")
    )
    body, _ = text.split("\n\nLinks:")
    assert "me@e [1]" in body
