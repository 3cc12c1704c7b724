"""A rendered letter against the rules it is judged by: size, links, language, contrast, structure, hosts."""

import datetime
import re
from itertools import pairwise
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, given, settings

from newsletter.content.language import direction_of
from newsletter.content.tree import Document, Prose, Thread, Turn
from newsletter.errors import ContentError
from newsletter.render.letter import LetterPost, Rendering
from newsletter.render.renderer import preheader_of, render_letter, subject_of
from newsletter.render.templates import template_environment
from newsletter.render.theme import DEFAULT_THEME
from newsletter.render.views import initials_of
from tests.render import reading
from tests.render.samples import (
    ADVICE,
    GOLDEN,
    HEBREW,
    SAMPLE,
    SLOTS,
    documents,
    golden,
    letter,
    post,
    prose,
    render,
    tree,
)

LETTERS = {
    "one post": render(SAMPLE),
    "two posts": render(SAMPLE, post(prose("<h5>Deep</h5><p>x</p><h6>Deeper</h6>"), "Second")),
    "right to left": render(HEBREW, lang="he"),
    "another language in it": render(SAMPLE, HEBREW),
}

GOLDEN_LETTERS = dict(golden())

every_letter = pytest.mark.parametrize("name", LETTERS)


@pytest.mark.parametrize(("name", "rendering"), GOLDEN_LETTERS.items(), ids=GOLDEN_LETTERS)
def test_golden_letters(name: str, rendering: Rendering) -> None:
    """Letters' bytes change only when someone means them to; see samples.py for how to accept a change."""
    assert rendering.html + "\n" == (GOLDEN / f"{name}.html").read_text(encoding="utf-8")
    assert rendering.text == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_golden_letter_is_made() -> None:
    """No file is left of a letter that is no more."""
    assert {path.stem for path in GOLDEN.iterdir()} == set(GOLDEN_LETTERS)


def test_rendering_is_deterministic() -> None:
    """The same letter gives the same bytes."""
    assert render(SAMPLE) == render(SAMPLE)


@every_letter
def test_text_part_repeats_every_link(name: str) -> None:
    """Every link of the HTML, the unsubscribe link too, stands in the plain text."""
    rendering = LETTERS[name]
    links = reading.Letter(rendering.html).links
    assert SLOTS.unsubscribe_url in links
    assert [link for link in links if link not in rendering.text] == []


@every_letter
def test_small_enough_with_a_visible_way_out(name: str) -> None:
    """HTML stays far below the 102,000 bytes at which Gmail clips, and shows an unsubscribe link."""
    html = LETTERS[name].html
    assert len(html.encode()) < 40_000
    assert re.search(rf'<a href="{SLOTS.unsubscribe_url}"[^>]*>Unsubscribe</a>', html)
    assert "Unsubscribe" in reading.Letter(html).text


def test_a_long_conversation_fits() -> None:
    """A hundred turns of a paragraph each stay below the size at which Gmail clips."""
    turns = tuple(Turn(f"Speaker {n % 7}", tree("<p>" + "word " * 40 + "</p>")) for n in range(100))
    assert len(render(post(Document((Thread(None, turns),)))).html.encode()) < 102_000


@every_letter
def test_style_is_small_and_not_needed(name: str) -> None:
    """`<style>` stays below Gmail's 16 KB, and every table in a post says its type and colour."""
    html = LETTERS[name].html
    assert len(reading.Letter(html).style.encode()) < 16_000
    assert "@import" not in html
    assert "@font-face" not in html
    for table in re.findall(r'<table role="presentation"[^>]*><tr>.*?</td>', html):
        assert "font-family:" in table, table
        assert re.search(r"[^-]color:#", table), table


@pytest.mark.parametrize("lang", ["en", "he", "de-CH", "ar-EG"])
def test_language_and_direction(lang: str) -> None:
    """The letter says its language and direction, and right-to-left reaches sections, columns and text."""
    html = render(LetterPost("T", HEBREW.document, lang), lang=lang).html
    root = reading.Letter(html).root
    assert (root["lang"], root["dir"]) == (lang, direction_of(lang))
    other = "ltr" if direction_of(lang) == "rtl" else "rtl"
    assert f"direction:{direction_of(lang)}" in html
    assert f"direction:{other}" not in html
    assert ("text-align:right" in html) == (direction_of(lang) == "rtl")
    assert ("border-right:3px" in html) == (direction_of(lang) == "rtl")


def test_post_in_another_direction_keeps_its_own() -> None:
    """A Hebrew post in an English letter reads from right to left, and the letter around it does not."""
    html = LETTERS["another language in it"].html
    assert reading.Letter(html).root["dir"] == "ltr"
    assert "direction:rtl" in html
    assert '<div lang="he" dir="rtl">' in html


@every_letter
def test_alternative_texts_and_layout_roles(name: str) -> None:
    """Every image has an alt, and every table without header cells is marked as layout."""
    read = reading.Letter(LETTERS[name].html)
    assert all(image.get("alt") is not None for image in read.images)
    data = LETTERS[name].html.count("<th ") > 0
    unmarked = [table for table in read.tables if table.get("role") != "presentation"]
    assert len(unmarked) == (1 if data else 0)


@every_letter
def test_contrast_of_what_is_rendered(name: str) -> None:
    """Each text has a contrast of 4.5:1 with its background, by inline styles alone."""
    colours = reading.Letter(LETTERS[name].html).colours
    assert len(colours) >= 5
    assert [pair for pair in colours if reading.contrast(*pair) < 4.5] == []


@every_letter
def test_headings_skip_no_level(name: str) -> None:
    """There is one h1, first, and no heading is more than one level below the one before it."""
    levels = reading.Letter(LETTERS[name].html).headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(levels))


@every_letter
def test_no_foreign_hosts_scripts_or_pictures_mail_cannot_show(name: str) -> None:
    """A letter refers to nothing but what its posts and site refer to, and holds no script, form or SVG."""
    read = reading.Letter(LETTERS[name].html)
    assert not read.tags & {"script", "form", "input", "svg", "link", "iframe", "object", "video"}
    hosts = {urlsplit(address).hostname for address in read.addresses}
    assert hosts <= {None, "fold.example", "forum.example"}
    assert "data:" not in LETTERS[name].html
    assert "fonts.googleapis" not in LETTERS[name].html


@every_letter
def test_postal_address_and_reason(name: str) -> None:
    """Both parts show the postal address line by line and why the reader gets it; no token is left."""
    rendering = LETTERS[name]
    read = " ".join(reading.Letter(rendering.html).text.split())
    text = " ".join(rendering.text.split())
    for part in (read, text):
        assert "Field & Fold 12 Mill Lane Little Wick AB1 2CD" in part
        assert f"You get this because {SLOTS.address} subscribed to Work, kindly at Field & Fold." in part
        assert "{{" not in part
        assert "{%" not in part


@every_letter
def test_slots_stand_only_in_text_and_links(name: str) -> None:
    """The reader's address is text, once in each part; the way out is a link, once in each part."""
    rendering = LETTERS[name]
    assert rendering.html.count(SLOTS.address) == 1
    assert f"<bdi>{SLOTS.address}</bdi>" in rendering.html
    assert rendering.html.count(SLOTS.unsubscribe_url) == 1
    assert f'href="{SLOTS.unsubscribe_url}"' in rendering.html
    assert rendering.text.count(SLOTS.address) == rendering.text.count(SLOTS.unsubscribe_url) == 1


def test_a_conversation_says_who_speaks_in_words() -> None:
    """Each speaker's name is text before what they say; consecutive turns of one share an avatar."""
    html = render(post(ADVICE)).html
    read = " ".join(reading.Letter(html).text.split())
    assert re.search(
        r"Rosa Lind How do I turn down work politely\? Tom turn down work Early, and once\. And thank them\."
        r" Say what you can do\. Say when\. Rosa Lind Thank you!",
        read,
    )
    assert html.count('aria-hidden="true"') == 3
    assert [*re.findall(r'class="turn-(\d)"', html)] == ["0", "1", "1", "0"]


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(document=documents())
def test_every_word_once_and_in_order(document: Document) -> None:
    """HTML and text hold each word of a post once and in order, whatever stands beside it."""
    rendering = render(post(document))
    expected = re.findall(r"w\d+x", "".join("".join(body.itertext()) for body in _bodies(document)))
    read = reading.Letter(rendering.html)
    assert re.findall(r"w\d+x", read.text) == expected
    assert re.findall(r"w\d+x", rendering.text) == expected
    assert not read.tags & {"script", "mj-text"}
    assert "49" not in re.sub(r"w\d+x|/\d+", "", read.text.replace("w49x", ""))
    assert [link for link in read.links if link not in rendering.text] == []
    assert [line for line in rendering.text.split("\n") if len(line) > 78 and "://" not in line] == []
    assert [pair for pair in read.colours if reading.contrast(*pair) < 4.5] == []


def _bodies(document: Document) -> list[Element]:
    return [
        body
        for block in document.blocks
        for body in ([block.body] if isinstance(block, Prose) else [turn.body for turn in block.turns])
    ]


def test_hostile_values_are_inert_everywhere() -> None:
    """Markup and template code in titles, names and settings come out as the text they are."""
    attack = '"></mj-title><script>alert(1)</script>{{ 7*7 }}{% for %}\u00a0\\'
    hostile = LetterPost(
        title=attack,
        document=Document((Thread(None, (Turn(attack, tree("<p>x</p>")),)),)),
        lang="en",
        author=attack,
        url="https://fold.example/?q=" + attack,
    )
    rendering = render(hostile)
    read = reading.Letter(rendering.html)
    assert "script" not in read.tags
    assert read.title == attack
    assert read.text.count("{{ 7*7 }}{% for %}") == 3
    assert "\\u{" not in rendering.html
    assert hostile.url in read.links


def test_a_letter_without_posts_is_refused() -> None:
    """An empty letter is an error that says what to do."""
    with pytest.raises(ContentError, match="at least one post"):
        render_letter(template_environment(None), DEFAULT_THEME, letter(), SLOTS)


@pytest.mark.parametrize(
    ("titles", "subject"),
    [
        (["Plain"], "Plain"),
        (["Two\r\nBcc: x@y.example\x00lines"], "Two Bcc: x@y.example lines"),
        (["First", "Second"], "First and 1 more"),
        (["First", "Second", "Third"], "First and 2 more"),
        (["\u2028 Wide\tspaces  here "], "Wide spaces here"),
    ],
)
def test_subject(titles: list[str], subject: str) -> None:
    """The subject is the first title on one line, with the number of posts after it."""
    assert subject_of([post(prose("<p>x</p>"), title) for title in titles]) == subject


@pytest.mark.parametrize(
    ("inner", "preheader"),
    [
        ("<p>Hello <em>wor</em>ld,<br/>dear</p><p>reader</p>", "Hello world, dear reader"),
        ("<figure><img src='https://e.example/a.png' alt='no'/></figure><p>First.</p>", "First."),
        ("<p>" + "many words " * 40 + "</p>", "many words " * 9 + "many words…"),
        ("<p>" + "漢" * 200 + "</p>", "漢" * 110 + "…"),
        ("<hr/>", ""),
    ],
)
def test_preheader_is_the_first_words(inner: str, preheader: str) -> None:
    """The inbox's preview is the post's own beginning, cut between words."""
    assert preheader_of(prose(inner)) == preheader


@pytest.mark.parametrize(
    ("lang", "direction"),
    [
        ("en", "ltr"),
        ("he", "rtl"),
        ("he-IL", "rtl"),
        ("AR", "rtl"),
        ("ar_EG", "rtl"),
        ("ur-Latn", "ltr"),
        ("az-Arab-IR", "rtl"),
        ("yi", "rtl"),
        ("art", "ltr"),
        ("", "ltr"),
    ],
)
def test_direction_follows_language_and_script(lang: str, direction: str) -> None:
    """A language tag's script decides its direction, else its language does."""
    assert direction_of(lang) == direction


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Ann Lee", "AL"),
        ("ann", "A"),
        ("Ana María de la Cruz", "AC"),
        ("(Bob) O’Hara", "BO"),
        ("e\u0301lan", "É"),
        ("דנה לוי", "דל"),
        ("🙂", "?"),
        ("", "?"),
    ],
)
def test_initials(name: str, initials: str) -> None:
    """Initials are one or two letters, whatever the name."""
    assert initials_of(name) == initials


def test_dates_are_written_out_where_the_words_are_known() -> None:
    """An English letter writes its date out; others give it as ISO 8601."""
    assert "Tuesday, 3 March 2026" in render(SAMPLE).text
    assert "2026-03-03" in render(HEBREW, lang="he").text
    assert letter(SAMPLE).issue_date == datetime.date(2026, 3, 3)
