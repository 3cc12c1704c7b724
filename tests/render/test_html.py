"""The HTML of single elements: styles inline, hard cases of mail clients covered."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from newsletter.content.cards import KINDS
from newsletter.render.html import MAX_DEPTH, heading_levels, to_html
from newsletter.render.theme import DEFAULT_THEME
from tests.render.samples import tree


def html(inner: str, direction: str = "ltr") -> str:
    """`inner` as prose."""
    return to_html(tree(inner), DEFAULT_THEME, DEFAULT_THEME.prose, direction=direction)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attributes", "width", "height", "style"),
    [
        ("width='1072' height='600'", "536", "300", "width:100%;max-width:536px"),
        ("width='264' height='9'", "264", "9", "width:100%;max-width:264px"),
        ("width='1024'", "536", None, "width:100%;max-width:536px"),
        ("height='9'", "536", None, "width:auto;max-width:100%"),
        ("", "536", None, "width:auto;max-width:100%"),
        ("width='100%'", "536", None, "width:auto;max-width:100%"),
        ("width='0'", "536", None, "width:auto;max-width:100%"),
        ("width='" + "9" * 5000 + "'", "536", None, "width:auto;max-width:100%"),
    ],
)
def test_pictures_fit_the_letter(attributes: str, width: str, height: str | None, style: str) -> None:
    """A picture is at most as wide as the text, in proportion, and is enlarged nowhere that obeys a style."""
    picture = ET.fromstring(html(f"<p><img src='https://e.example/a.png' alt='' {attributes}/></p>"))[0]
    assert (picture.get("width"), picture.get("height"), picture.get("alt")) == (width, height, "")
    assert f"{style};height:auto" in picture.get("style", "")


@pytest.mark.parametrize(
    ("inner", "width"),
    [
        ("<p>Hello {}</p>", None),
        ("<p>{} hello</p>", None),
        ("<p><em>Hello</em>{}</p>", None),
        ("<p><a href='https://e.example/'>{} hello</a></p>", None),
        ("<p><em>{}</em> hello</p>", None),
        ("<li>Hello<p>{}</p></li>", "536"),
        ("<p><a href='https://e.example/'>{}</a></p>", "536"),
        ("<figure>{}<figcaption>Hello</figcaption></figure>", "536"),
    ],
)
def test_outlook_enlarges_no_picture_amid_words(inner: str, width: str | None) -> None:
    """Of unknown size, a picture gets a width for Outlook only where it stands alone, as photographs do."""
    element = tree(inner.format("<img src='https://e.example/a.png' alt='b'/>"))
    written = ET.fromstring("<x>" + to_html(element, DEFAULT_THEME, DEFAULT_THEME.prose) + "</x>")
    picture = written.find(".//img")
    assert picture is not None
    assert picture.get("width") == width


def test_alternative_texts_are_set_to_be_read() -> None:
    """With images off, an alternative text has a face, a size and a colour for both schemes."""
    written = html("<p><img src='https://e.example/a.png' alt='A plan'/></p>")
    small = DEFAULT_THEME.small
    assert f"font-family:{small.font};font-size:{small.size}px" in written
    assert f"color:{DEFAULT_THEME.light.muted}" in written
    assert 'class="muted"' in written


@pytest.mark.parametrize("kind", KINDS)
def test_a_card_says_what_it_leads_to(kind: str) -> None:
    """A card is one cell with a border, whose words are its kind and its link: no picture is needed."""
    written = ET.fromstring(
        html(f"<figure data-card='{kind}'><a href='https://e.example/v'>A talk</a></figure>")
    )
    assert "".join(written.itertext()) == f"{kind.capitalize()}A talk"
    cell = written.find(".//td")
    assert cell is not None
    assert "border:1px solid" in cell.get("style", "")


def test_captions_may_hold_paragraphs() -> None:
    """A caption of several paragraphs keeps them apart, and its links."""
    written = html(
        "<figure><img src='https://e.example/a.png' alt='a'/><figcaption><p>One</p><p>Two "
        "<a href='https://e.example/'>b</a></p></figcaption></figure>"
    )
    assert "One</p><p" in written
    assert '<a href="https://e.example/"' in written


@pytest.mark.parametrize(
    ("inner", "scopes"),
    [
        ("<thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>c</td></tr></tbody>", ["col", "col"]),
        ("<thead><tr><td>a</td><th>b</th></tr></thead>", ["col"]),
        ("<tbody><tr><th>a</th><td>b</td></tr></tbody>", ["row"]),
        ("<tbody><tr><th>a</th><th>b</th></tr><tr><th>c</th><td>d</td></tr></tbody>", ["col", "col", "row"]),
    ],
)
def test_headings_of_tables_have_a_scope(inner: str, scopes: list[str]) -> None:
    """A heading cell says whether it is for its column or its row (WCAG 2.2, 1.3.1)."""
    written = ET.fromstring(html(f"<table>{inner}</table>"))
    assert [cell.get("scope") for cell in written.iter("th")] == scopes
    assert not [cell for cell in written.iter("td") if cell.get("scope")]


def test_code_with_a_language_has_colours() -> None:
    """Code is coloured by inline styles, with classes for the dark, and loses no character."""
    code = "def f():\n\n    return 1  # é\n"
    written = html(f"<pre data-language='python'><code>{code}</code></pre>")
    assert f'<span class="keyword" style="color:{DEFAULT_THEME.light.code.keyword}">def </span>' in written
    assert "".join(ET.fromstring(written).itertext()) == code
    for plain in ("<pre><code>def f</code></pre>", "<pre data-language='x'><code>def f</code></pre>"):
        assert "<span" not in html(plain)


def test_code_that_holds_elements_keeps_them() -> None:
    """Where code has links in it, they matter more than colours."""
    written = html("<pre data-language='python'><code>import <a href='https://e.example/'>x</a></code></pre>")
    assert '<a href="https://e.example/"' in written
    assert "".join(ET.fromstring(written).itertext()) == "import x"


def test_square_themes_have_no_round_corners() -> None:
    """A radius of 0 leaves no corner round."""
    square = replace(DEFAULT_THEME, shape=replace(DEFAULT_THEME.shape, radius=0))
    element = tree(
        "<pre>a</pre><p><code>b</code></p><figure data-card='page'><a href='https://e/'>c</a></figure>"
    )
    assert "border-radius" in to_html(element, DEFAULT_THEME, DEFAULT_THEME.prose)
    assert "border-radius" not in to_html(element, square, square.prose)


@pytest.mark.parametrize("source", ["https://e.example/a.svg", "https://e.example/A.SVG?v=2", "https://["])
def test_a_picture_mail_cannot_show_is_a_link(source: str) -> None:
    """SVG, which Gmail does not show, and an address that is broken are linked by its alternative text."""
    written = html(f"<p><img src='{source}' alt='A plan'/></p>")
    assert "<img" not in written
    assert f'<a href="{source}"' in written
    assert ">A plan</a>" in written


@pytest.mark.parametrize("source", ["data:image/png;base64,AAAA", "desk.png", ""])
def test_a_picture_from_nowhere_leaves_its_words(source: str) -> None:
    """A picture with no address on the web leaves its alternative text."""
    assert html(f"<p><img src='{source}' alt='A plan'/></p>").endswith(">A plan</p>")


def test_a_picture_in_the_message_is_shown() -> None:
    """A picture that travels with the message (RFC 2392) is a picture."""
    assert 'src="cid:desk@e.example"' in html("<p><img src='cid:desk@e.example' alt='A desk'/></p>")


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


@pytest.mark.parametrize(
    ("inner", "side"),
    [
        ("<ul dir='rtl'><li>a</li></ul>", "margin:0 26px 0px 0"),
        ("<ul><li dir='rtl'>a</li></ul>", "margin:0 26px 0px 0"),
        ("<blockquote dir='rtl'><p>a</p></blockquote>", "border-right:3px"),
    ],
)
def test_a_block_in_another_direction_turns_its_own_sides(inner: str, side: str) -> None:
    """A list or quotation from right to left has its indent and bar on the right, wherever it stands."""
    written = html(inner)
    assert side in written
    assert "left" not in written.replace("text-align:left", "")


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
