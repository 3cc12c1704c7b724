"""Letters in a real browser, judged by axe: light and dark, on a phone and on a desk."""

import pytest

from tests.node_tools import EACH_ONCE, VIEWS, View, axe_violations
from tests.render.gallery import renderings, trap_renderings

NOT_FOR_MAIL = {
    # Mail clients show a letter inside a page of their own, which has the landmarks; they drop or neutralise
    # `<main>` and `<nav>` in it (caniemail, html5 semantics). The letter is one `role="article"`.
    "landmark-one-main",
    "region",
}


def test_letters_have_no_violation() -> None:
    """axe finds nothing wrong with a letter of each kind, in light and dark, at 375 and 700 pixels."""
    pages = {name: renderings()[name].html for name in ("FORMS", "HEBREW_TALK", "a digest")}
    assert axe_violations(pages, disabled=NOT_FOR_MAIL, views=EACH_ONCE) == []


@pytest.mark.trial
def test_no_letter_has_a_violation_however_it_is_looked_at() -> None:
    """Nor with any other, in light and dark, each on a phone and on a desk."""
    pages = {name: rendering.html for name, rendering in renderings().items()}
    assert axe_violations(pages, disabled=NOT_FOR_MAIL) == []


@pytest.mark.trial
def test_letters_of_a_blog_full_of_traps_have_no_violation() -> None:
    """Nor with letters in which every form stands that blogs are known for."""
    pages = {name: rendering.html for name, rendering in trap_renderings().items()}
    assert axe_violations(pages, disabled=NOT_FOR_MAIL) == []


def test_violations_are_found() -> None:
    """A missing alternative text, low contrast, in the dark too, and a small target are each named."""
    broken = """
        <!doctype html><html lang="en"><meta name="color-scheme" content="light dark"><title>Broken</title>
        <style>.fades { color: #111; background: #fff }
        @media (prefers-color-scheme: dark) { .fades { background: #222 } }
        @media (max-width: 400px) { .target { display: inline-block; width: 9px; height: 9px } }</style>
        <main><h1>Broken</h1>
        <p class="fades">Seen by day.</p><img src="https://fold.example/a.png">
        <p><a class="target" href="#a" aria-label="A"></a><a class="target" href="#b" aria-label="B"></a></p>
        </main>
    """
    found = axe_violations({"broken": broken})
    assert [line for line in found if "image-alt" in line and "broken, light, 375 px" in line]
    assert {line.split(": ")[0] for line in found if "color-contrast" in line} == {
        f"broken, {view.scheme}, {view.width} px" for view in VIEWS if view.scheme == "dark"
    }
    assert {line.split(": ")[0] for line in found if "target-size" in line} == {
        f"broken, {view.scheme}, {view.width} px" for view in VIEWS if view.width == 375
    }


def test_a_rule_can_be_left_out() -> None:
    """`disabled` takes a rule away and no other."""
    page = '<!doctype html><html lang="en"><title>T</title><h1>T</h1><p><img src="a.png"></p>'
    found = axe_violations({"page": page}, disabled=NOT_FOR_MAIL, views=[View("light", 375)])
    assert [line.split(": ")[1] for line in found] == ["image-alt"]
    assert axe_violations({"page": page}, disabled=NOT_FOR_MAIL | {"image-alt"}) == []
