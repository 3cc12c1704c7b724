"""What is said of the rendered letter, of a site's templates and of a theme's colours."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from newsletter.check.check import Checker
from newsletter.check.contrast import check_theme
from newsletter.check.features import features_of
from newsletter.check.findings import Severity
from newsletter.check.letter import GRACEFUL
from newsletter.check.support import load_support
from newsletter.render.templates import builtin_templates
from newsletter.render.theme import DEFAULT_THEME
from newsletter.settings import Settings
from tests.conftest import GIVEN

POST = b"---\ntitle: T\nspeakers: [Ann, Bo]\n---\nWords, and [a link](https://example.org).\n\n**Ann**\n\nHow?\n\n**Bo**\n\nSo.\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site's folder with templates of its own: as yet, those that came with Paperround."""
    target = tmp_path / "templates" / "email"
    target.mkdir(parents=True)
    for path in (builtin_templates() / "email").glob("*.j2"):
        (target / path.name).write_bytes(path.read_bytes())
    return tmp_path


def findings(site: Path) -> list[tuple[str, int, str]]:
    checker = Checker.for_site(Settings.model_validate({"site": GIVEN}), site, date(2026, 1, 5))
    return [
        (finding.path.name, finding.line, finding.rule)
        for finding in checker.check_post(POST, Path("a-post.md"))
    ]


def test_the_built_in_templates_use_what_fails_gracefully(site: Path) -> None:
    """Every feature in them that a major client lacks has its reason written down."""
    assert findings(site) == []


def test_a_feature_that_clients_lack_is_found_in_the_site_s_template(site: Path) -> None:
    """The finding is at the template's own file and line."""
    path = site / "templates" / "email" / "issue.mjml.j2"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('style="margin:0', 'style="position:absolute;margin:0', 1), encoding="utf-8")
    line = path.read_text(encoding="utf-8").split("position:absolute")[0].count("\n") + 1
    assert ("issue.mjml.j2", line, "client-support") in findings(site)


def test_a_template_that_fails_is_a_finding(site: Path) -> None:
    """At its file and line, and the rest of the post is still looked at."""
    (site / "templates" / "email" / "issue.txt.j2").write_text(
        "one\n{{ nothing_of_that_name }}", encoding="utf-8"
    )
    assert findings(site) == [("issue.txt.j2", 2, "template")]


def test_a_language_that_cannot_be_used_is_a_finding(site: Path) -> None:
    """Named once, at its file, however many posts there are."""
    path = site / "templates" / "languages" / "nl.toml"
    path.parent.mkdir()
    path.write_text('name = "Nederlands"\ndirection = "ltr"\n', encoding="utf-8")
    checker = Checker.for_site(Settings.model_validate({"site": GIVEN}), site, date(2026, 1, 5))
    assert checker.check_site() == []
    path.write_text("hello = Dag", encoding="utf-8")
    (found,) = checker.check_site()
    assert (found.path, found.rule, found.severity) == (path, "language", Severity.ERROR)
    assert "is not TOML" in found.why
    assert findings(site) == []


def test_features_are_read_from_tags_attributes_and_css() -> None:
    """By the data's own names."""
    found = features_of(
        "<style>@media (prefers-color-scheme:dark){a:hover{color:red}} b::before{gap:1rem}</style>"
        "<!-- <video> --><h2 align=left style='display:flex;width:calc(1px + 2vw)'>x</h2><svg></svg>"
    )
    assert {
        *("css-at-media", "css-at-media-prefers-color-scheme", "css-pseudo-class-hover"),
        *(
            "css-pseudo-element-before",
            "css-gap",
            "css-unit-rem",
            "html-h1-h6",
            "html-align",
            "css-display-flex",
        ),
        *("css-unit-calc", "css-unit-vw", "html-svg", "css-width"),
    } <= found.keys()
    assert "html-video" not in found


def test_the_data_says_what_is_known_of_clients() -> None:
    """A family where all of it lacks a feature, its platforms else; reasons are for known features."""
    support = load_support()
    assert any(name.startswith("Outlook") for name in support.lacking("html-video"))
    assert support.lacking("html-p") == ()
    assert support.lacking("css-no-such-thing") == ()
    assert support.verdicts.keys() >= GRACEFUL.keys()
    assert {len(verdicts) for verdicts in support.verdicts.values()} == {len(support.clients)}


def test_a_theme_is_looked_at_in_light_and_dark() -> None:
    """The built-in theme is sound; a pale ink is found in the scheme that has it."""
    assert list(check_theme(DEFAULT_THEME, Path("theme.toml"))) == []
    pale = replace(DEFAULT_THEME, dark=replace(DEFAULT_THEME.dark, muted="#555555"))
    found = list(check_theme(pale, Path("theme.toml")))
    assert found
    assert all("in [dark], muted on " in finding.why for finding in found)
