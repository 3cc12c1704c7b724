"""STANDARDS 12 to 20, and HTML's own grammar, on whole messages as a reader gets them."""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import pairwise
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

import html5lib
import pytest

from newsletter.content.language import direction_of
from newsletter.render.edition import Made, Occasion
from newsletter.render.headers import Mailbox
from newsletter.render.letter import Letter
from newsletter.render.message import compile_message
from newsletter.render.slots import Reader, sentinel_slots
from tests.render import reading
from tests.render.gallery import BLOG_URL, SLOTS, letters, maker, render, trap_letters

KEY = "0123456789abcdef" * 4


@dataclass(frozen=True)
class Received:
    """A letter as its reader has it: the message parsed, and both of its parts."""

    letter: Letter
    message: EmailMessage
    text: str
    html: str

    @functools.cached_property
    def read(self) -> reading.Letter:
        return reading.Letter(self.html)

    @property
    def bodies(self) -> list[Element]:
        """What the posts hold."""
        return [body for post in self.letter.posts for body in post.document.bodies]


def _received(letter: Letter) -> Received:
    message = message_from_bytes(_sent(letter), policy=policy.default)
    assert isinstance(message, EmailMessage)
    text, html = (str(part.get_content()).replace("\r\n", "\n") for part in message.iter_parts())  # type: ignore[attr-defined]
    return Received(letter, message, text, html)


def _sent(letter: Letter) -> bytes:
    rendering = render(letter, sentinel_slots(KEY))
    compiled = compile_message(
        KEY,
        rendering.subject,
        rendering.text,
        rendering.html,
        maker().envelope(Occasion("advice", "Good advice", issue_id=1), Made(letter, letter, ())),
        datetime(2026, 3, 3, 8, tzinfo=UTC),
    )
    reader = Reader(
        Mailbox("", SLOTS.address), "id@example.org", SLOTS.unsubscribe_url, SLOTS.preferences_url
    )
    return compiled.splice(reader)


@functools.cache
def received() -> dict[str, Received]:
    """Every letter, sent and received."""
    return {name: _received(letter) for name, letter in (letters() | trap_letters()).items()}


def grammar(one: Received) -> list[object]:
    """HTML that parses without an error (HTML 13.2); what stands in conditional comments is no part of it."""
    parser = html5lib.HTMLParser()
    parser.parse(one.html)
    return [(place, error) for place, error, _ in parser.errors]


def alternatives(one: Received) -> list[object]:
    """12: multipart/alternative, text first, HTML last, both in UTF-8, and nothing the parser had to mend."""
    parts = [(part.get_content_type(), part.get_content_charset()) for part in one.message.walk()]
    wanted = [("multipart/alternative", None), ("text/plain", "utf-8"), ("text/html", "utf-8")]
    return [*(() if parts == wanted else parts), *one.message.defects]


def links(one: Received) -> list[object]:
    """13: every link of the HTML, and the way out, stands in the text."""
    return [link for link in [*one.read.links, SLOTS.unsubscribe_url] if link not in one.text]


def size(one: Received) -> list[object]:
    """14: decoded HTML below 102,000 bytes, with a visible link to unsubscribe."""
    found: list[object] = [size] if (size := len(one.html.encode())) >= 102_000 else []
    has_way_out = SLOTS.unsubscribe_url in one.read.links and "unsubscribe" in one.read.text.lower()
    return found if has_way_out else [*found, "no visible way out"]


def style(one: Received) -> list[object]:
    """15: `<style>` of at most 16 KB, and nothing fetched for it."""
    found: list[object] = [size] if (size := len(one.read.style.encode())) > 16_384 else []
    return [*found, *re.findall(r"@import|@font-face|url\(", one.html)]


def language(one: Received) -> list[object]:
    """16: a real language and its direction; right-to-left reaches the styles of sections and columns."""
    wanted = (one.letter.lang, direction_of(one.letter.lang))
    root = (one.read.root.get("lang"), one.read.root.get("dir"))
    found: list[object] = [] if root == wanted else [root]
    posts = {direction_of(post.lang) for post in one.letter.posts}
    posts |= {said for body in one.bodies for node in body.iter() if (said := node.get("dir"))}
    other = {"ltr": "rtl", "rtl": "ltr"}[wanted[1]]
    return [*found, other] if posts == {wanted[1]} and f"direction:{other}" in one.html else found


def alternative_texts(one: Received) -> list[object]:
    """17: an alternative text on every image; only the posts' own tables are not marked as layout."""
    found: list[object] = [image for image in one.read.images if image.get("alt") is None]
    data = [table for table in one.read.tables if table.get("role") != "presentation"]
    return (
        found if len(data) <= sum(len(list(body.iter("table"))) for body in one.bodies) else [*found, *data]
    )


def contrast(one: Received) -> list[object]:
    """18: a contrast of 4.5:1 by inline styles alone; one h1, first, and no level skipped."""
    found: list[object] = [pair for pair in one.read.colours if reading.contrast(*pair) < 4.5]
    levels = one.read.headings
    found += [pair for pair in pairwise(levels) if pair[1] - pair[0] > 1]
    return found if levels[:1] == [1] and levels.count(1) == 1 else [*found, levels]


def hosts(one: Received) -> list[object]:
    """19: no `data:`, SVG, script or form; no host but those of the site and of what its posts refer to."""
    letter = one.letter
    own = [letter.base_url, BLOG_URL, SLOTS.unsubscribe_url, letter.web_url, letter.archive_url]
    own += [letter.previous.url if letter.previous else None, *(post.url for post in letter.posts)]
    own += [address for post in letter.posts for who in post.speakers for address in (who.link, who.avatar)]
    own += [node.get(name) for body in one.bodies for node in body.iter() for name in ("href", "src")]
    declared = {urlsplit(address or "").hostname for address in own} | {None}
    found: list[object] = [
        *(one.read.tags & {"script", "form", "input", "svg", "link", "iframe", "object", "video", "base"})
    ]
    found += [address for address in one.read.addresses if urlsplit(address).hostname not in declared]
    found += [
        address for address in one.read.addresses if re.match(r"\s*(data|javascript|vbscript):", address)
    ]
    return found


def tokens(one: Received) -> list[object]:
    """20: the postal address in both parts, and nothing left over of a template, an escape or a slot."""
    words = " ".join("".join(body.itertext()) for body in one.bodies)
    shown = (" ".join(one.read.text.split()), " ".join(one.text.split()))
    address = " ".join(one.letter.postal_address.split())
    found: list[object] = [part[-200:] for part in shown if address not in part]
    left = re.findall(r"\{\{|\{%|\\u\{|slot[0-9a-f]{24}", one.html + one.text)
    return found + [token for token in left if token not in words]


_ALL = (grammar, alternatives, links, size, style, language, alternative_texts, contrast, hosts, tokens)
CHECKS: dict[str, Callable[[Received], list[object]]] = {check.__name__: check for check in _ALL}

_END = "</body>"
_FAULTS = (
    ("grammar", _END, "<p><b>x</p></body>"),
    ("grammar", _END, "<table><p>x</p></table></body>"),
    ("grammar", _END, '<p title="a" title="b">&nosuch;</p></body>'),
    ("links", _END, '<a href="https://elsewhere.example/">x</a></body>'),
    ("size", _END, f"<p>{'x' * 102_000}</p></body>"),
    ("size", SLOTS.unsubscribe_url.replace("&", "&amp;"), "https://news.example.org/"),
    ("style", "</style>", f"{'p {} ' * 4_000}</style>"),
    ("style", "</style>", '@import "https://news.example.org/x.css";</style>'),
    ("language", 'lang="en"', 'lang="und"'),
    ("language", _END, '<p style="direction:rtl">x</p></body>'),
    ("alternative_texts", _END, '<img src="https://fold.example/a.png"></body>'),
    ("alternative_texts", 'role="presentation"', ""),
    ("contrast", _END, '<p style="color:#999999;background-color:#ffffff">x</p></body>'),
    ("contrast", _END, "<h1>x</h1></body>"),
    ("contrast", _END, "<h6>x</h6></body>"),
    ("hosts", _END, '<img src="https://elsewhere.example/a.png" alt=""></body>'),
    ("hosts", _END, '<a href="data:text/html,x">x</a></body>'),
    ("hosts", _END, "<form></form></body>"),
    ("tokens", "12 Mill Lane", ""),
    ("tokens", _END, "{{ left }}</body>"),
    ("tokens", _END, f"{sentinel_slots(KEY).address}</body>"),
)


@pytest.mark.parametrize("check", CHECKS)
def test_every_letter_passes(check: str) -> None:
    """Each of the checks finds nothing in any letter."""
    found = {name: CHECKS[check](one) for name, one in received().items()}
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(("check", "old", "new"), _FAULTS, ids=[fault[0] for fault in _FAULTS])
def test_each_check_sees_its_fault(check: str, old: str, new: str) -> None:
    """A letter with that fault in its HTML is found out."""
    one = received()["SAMPLE"]
    assert old in one.html
    assert CHECKS[check](replace(one, html=one.html.replace(old, new))) != []


def test_one_of_the_letters_is_cut() -> None:
    """The checks have seen a letter that is continued on the web, and its text is whole."""
    rendering = render(letters()["the beginning of a longer one"], SLOTS)
    assert rendering.is_cut
    assert "Continue on the web" in reading.Letter(rendering.html).text
    assert rendering.text.count("Speaker") == 400


def test_a_message_put_together_wrongly_is_found_out() -> None:
    """Parts in the wrong order, or a part more, are not what check 12 asks for."""
    one = received()["SAMPLE"]
    text, html = one.message.iter_parts()
    one.message.set_payload([html, text])
    try:
        assert alternatives(one) != []
    finally:
        one.message.set_payload([text, html])
    assert alternatives(one) == []
