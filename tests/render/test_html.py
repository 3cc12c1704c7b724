"""The HTML of single elements: styles inline, hard cases of mail clients covered."""

from xml.etree import ElementTree as ET

import pytest

from newsletter.render.html import MAX_DEPTH, heading_levels, to_html
from newsletter.render.theme import DEFAULT_THEME
from tests.render.samples import tree


def html(inner: str, direction: str = "ltr") -> str:
    """`inner` as prose."""
    return to_html(tree(inner), DEFAULT_THEME, DEFAULT_THEME.prose, direction=direction)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "width", "style"),
    [
        ("width='1024'", "536", "width:536px"),
        ("width='264' height='9'", "264", "width:264px"),
        ("", "536", "width:auto"),
        ("width='100%'", "536", "width:auto"),
        ("width='0'", "536", "width:auto"),
        ("width='" + "9" * 5000 + "'", "536", "width:auto"),
    ],
)
def test_images_fit_the_letter(attributes: str, width: str, style: str) -> None:
    """Outlook gets a width attribute of 536 at most; elsewhere no picture is enlarged or distorted."""
    written = html(f"<p><img src='https://e.example/a.png' alt='' {attributes}/></p>")
    assert f' width="{width}"' in written
    assert f"{style};max-width:100%;height:auto" in written
    assert ' alt=""' in written
    assert "height=" not in written


@pytest.mark.parametrize("source", ["https://e.example/a.svg", "https://e.example/A.SVG?v=2", "https://["])
def test_a_picture_mail_cannot_show_is_a_link(source: str) -> None:
    """SVG, which Gmail does not show, and an address that is broken are linked by its alternative text."""
    written = html(f"<p><img src='{source}' alt='A plan'/></p>")
    assert "<img" not in written
    assert f'<a href="{source}"' in written
    assert ">A plan</a>" in written


@pytest.mark.parametrize("source", ["data:image/png;base64,AAAA", "cid:1", ""])
def test_a_picture_from_nowhere_leaves_its_words(source: str) -> None:
    """A picture with no address on the web leaves its alternative text."""
    assert html(f"<p><img src='{source}' alt='A plan'/></p>").endswith(">A plan</p>")


def test_long_words_can_break() -> None:
    """URLs and endless words get places to break, and copying them gives the word unchanged."""
    written = html("<p>https://e.example/a/very/long/path/to/somewhere?and=more " + "x" * 100 + "</p>")
    assert max(map(len, written.replace("<wbr />", " ").split("<p")[1].split(">", 1)[1].split())) <= 20
    assert "x" * 100 in written.replace("<wbr />", "")
    assert "x" * 100 in html(f"<pre>{'x' * 100}</pre>")  # white-space:pre-wrap breaks it


def test_code_keeps_its_lines() -> None:
    """Line breaks of code survive the compiler, which drops text that is only line breaks."""
    written = html("<pre><code>a\n\n  <em>b</em>\n<em>c</em></code></pre>")
    assert "a&#10;&#10;  <em>b</em>&#10;<em>c</em>" in written
    assert 'role="presentation"' in written
    assert "white-space:pre-wrap" in written


def test_quotes_stand_behind_a_bar_on_a_cell() -> None:
    """A quotation's bar and padding are on a table cell, where Outlook draws them, three deep at most."""
    written = html("<blockquote><p>a</p></blockquote>")
    assert "border-left:3px solid" in written.split("<td")[1]
    deep = html("<blockquote>" * 5 + "<p>a</p>" + "</blockquote>" * 5)
    assert deep.count("<blockquote") == 5
    assert deep.count("border-left") == 3


def test_direction_turns_sides_around() -> None:
    """From right to left, bars, indents and cells change sides; a part in the other direction does not."""
    written = html("<blockquote><p>a</p></blockquote><ul><li>b</li></ul>", "rtl")
    assert "border-right:3px" in written
    assert "margin:0 26px 0px 0" in written
    assert "left" not in written
    part = html("<div dir='ltr'><ul><li>b</li></ul></div>", "rtl")
    assert '<div dir="ltr" style="direction:ltr;text-align:left">' in part
    assert "margin:0 0 0px 26px" in part


def test_only_listed_markup_is_written() -> None:
    """Unlisted tags leave their text, unlisted attributes leave nothing."""
    element = tree(
        "<p onclick='x()' style='color:red' class='y'>a<script>b</script></p><iframe src='https://e.example/'>c</iframe>"
        "<a href='https://e.example/' target='_blank' onmouseover='z()'>d</a>"
    )
    written = to_html(element, DEFAULT_THEME, DEFAULT_THEME.prose)
    for gone in ("onclick", "red", "script", "iframe", "target", "onmouseover", "class"):
        assert gone not in written
    assert "".join(ET.fromstring(f"<x>{written}</x>").itertext()) == "abcd"


def test_nesting_is_bounded() -> None:
    """However deep elements nest, their words are written and the markup stays shallow."""
    element = deepest = ET.Element("div")
    for number in range(5000):
        deepest = ET.SubElement(deepest, "em")
        deepest.text = f"w{number} "
    written = to_html(element, DEFAULT_THEME, DEFAULT_THEME.prose)
    assert written.count("<em>") < MAX_DEPTH
    assert "w4999" in written


def test_control_characters_are_left_out() -> None:
    """Characters that XML cannot hold, lone surrogates among them, do not reach the compiler."""
    element = ET.Element("p", {"lang": "en\x00"})
    element.text = "a\x00b\x1bc\ud800d\ufffee"
    written = to_html(element, DEFAULT_THEME, DEFAULT_THEME.prose)
    assert written.endswith(">abcde</p>")
    assert 'lang="en"' in written


@pytest.mark.parametrize(
    ("written", "below", "levels"),
    [
        ("3 3 4 3", 1, [2, 2, 3, 2]),
        ("4 2 3", 1, [2, 2, 3]),
        ("2 6 3", 1, [2, 3, 3]),
        ("2 3 4 5 6", 2, [3, 4, 5, 6, 6]),
    ],
)
def test_heading_levels(written: str, below: int, levels: list[int]) -> None:
    """Headings nest under their title without gaps, and siblings stay siblings, across a post's blocks."""
    bodies = [tree(f"<h{level}>x</h{level}>") for level in written.split()]
    assert list(heading_levels(bodies, below=below).values()) == levels
