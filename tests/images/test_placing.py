"""Pictures set into a document: addresses and sizes, and what is left out."""

from copy import deepcopy
from xml.etree import ElementTree

import pytest

from newsletter.content.tree import Document, Prose, Thread, Turn
from newsletter.images.placing import Placed, place_pictures

PICTURES = {"a.png": Placed("https://n.example/a.jpg", 400, 200), "spy.gif": None}


def placed(html: str) -> str:
    body = ElementTree.fromstring(f"<div>{html}</div>")
    before = deepcopy(body)
    document = place_pictures(Document((Prose(body), Thread(None, (Turn("Ann", body),)))), PICTURES)
    assert ElementTree.tostring(body) == ElementTree.tostring(before), "the tree that was given is left alone"
    prose, turn = (ElementTree.tostring(body, encoding="unicode") for body in document.bodies)
    assert prose == turn
    return prose.removeprefix("<div>").removesuffix("</div>").replace("<div />", "")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (
            '<img src="a.png" alt="A" />',
            '<img src="https://n.example/a.jpg" alt="A" width="400" height="200" />',
        ),
        (
            '<img src="a.png" width="100" height="9" />',
            '<img src="https://n.example/a.jpg" width="100" height="50" />',
        ),
        ('<img src="a.png" width="900" />', '<img src="https://n.example/a.jpg" width="400" height="200" />'),
        ('<img src="b.png" width="7" />', '<img src="b.png" width="7" />'),
        ('<p>One <img src="spy.gif" /> two <em>x</em></p>', "<p>One  two <em>x</em></p>"),
        ('<p><em>x</em><img src="spy.gif" /> end</p>', "<p><em>x</em> end</p>"),
        ('<p>Words</p><p><a href="/"><img src="spy.gif" /></a></p>', "<p>Words</p>"),
        ('<p><img src="b.png" width="1" height="1" /></p>', ""),
        (
            '<p>x<img src="b.png" width="1" height="90" /></p>',
            '<p>x<img src="b.png" width="1" height="90" /></p>',
        ),
        (
            '<table><tr><td><img src="spy.gif" /></td><td>x</td></tr></table>',
            "<table><tr><td /><td>x</td></tr></table>",
        ),
    ],
)
def test_placing(html: str, expected: str) -> None:
    """A picture gets its address and size; a pixel goes, with what it leaves empty, and no word does."""
    assert placed(html) == expected


def test_bodies_without_pictures_are_shared() -> None:
    """Nothing is copied that does not change."""
    body = ElementTree.fromstring('<div><p>Words</p><img src="b.png" /></div>')
    assert place_pictures(Document((Prose(body),)), PICTURES).bodies[0] is body


def test_many_pixels_are_no_trouble() -> None:
    """Pictures left out of one paragraph cost no more than their number."""
    assert placed("<p>" + 'x<img src="spy.gif" />' * 50_000 + "</p>") == f"<p>{'x' * 50_000}</p>"
