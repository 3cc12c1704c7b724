"""Templates are found, overridden, guarded and hashed."""

import datetime
from pathlib import Path

import pytest

from newsletter.errors import TemplateError
from newsletter.render.builtin import builtin_templates
from newsletter.render.renderer import render_letter
from newsletter.render.templates import (
    long_date,
    render_template,
    template_environment,
    templates_hash,
)
from newsletter.render.theme import DEFAULT_THEME
from tests.render.samples import SAMPLE, SLOTS, letter


def write(folder: Path, name: str, source: str) -> Path:
    """Put a template into a site's folder."""
    path = folder / "email" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def test_builtin_templates_are_there() -> None:
    """The letter's two templates came with the program."""
    assert (builtin_templates() / "email" / "issue.mjml.j2").is_file()
    assert (builtin_templates() / "email" / "issue.txt.j2").is_file()


def test_a_site_overrides_one_template_and_keeps_the_rest(tmp_path: Path) -> None:
    """A file of the same name replaces the built-in one; others still come from the program."""
    write(tmp_path, "issue.txt.j2", "Ours: {{ subject }} & {{ slots.unsubscribe_url }}")
    rendering = render_letter(template_environment(tmp_path), DEFAULT_THEME, letter(SAMPLE), SLOTS)
    assert rendering.text == f"Ours: A kind “no” & {SLOTS.unsubscribe_url}"
    assert "Mia Fold" in rendering.html


def test_a_folder_that_is_not_there_overrides_nothing(tmp_path: Path) -> None:
    """A site need not have a templates folder."""
    environment = template_environment(tmp_path / "none")
    assert render_letter(environment, DEFAULT_THEME, letter(SAMPLE), SLOTS).subject == "A kind “no”"


@pytest.mark.parametrize(
    ("name", "shown"), [("x.mjml.j2", "&lt;b&gt;"), ("x.html.j2", "&lt;b&gt;"), ("x.txt.j2", "<b>")]
)
def test_escaping_follows_the_file_name(tmp_path: Path, name: str, shown: str) -> None:
    """Markup templates escape values; plain text leaves them."""
    write(tmp_path, name, "{{ value }}")
    assert render_template(template_environment(tmp_path), f"email/{name}", {"value": "<b>"}) == shown


def test_values_are_never_evaluated(tmp_path: Path) -> None:
    """Template code in a value is text."""
    write(tmp_path, "x.txt.j2", "{{ value }}")
    environment = template_environment(tmp_path)
    assert render_template(environment, "email/x.txt.j2", {"value": "{{ 7*7 }}"}) == "{{ 7*7 }}"


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("one\n{{ subjet }}", 2, "'subjet' is undefined"),
        ("one\ntwo\n{% if %}", 3, "Expected"),
        ("{{ 1 // 0 }}", 1, "ZeroDivisionError"),
        ("\n{{ ''.__class__.__mro__ }}", 2, "unsafe"),
        ("{{ letter.posts.append(1) }}", 1, "no attribute"),
        ("{% include 'email/none.j2' %}", None, "no template email/none.j2"),
    ],
)
def test_a_broken_template_is_named_with_its_line(
    tmp_path: Path, source: str, line: int | None, says: str
) -> None:
    """Errors name the file and line, whether Jinja or an expression fails, and the sandbox holds."""
    path = write(tmp_path, "issue.txt.j2", source)
    with pytest.raises(TemplateError, match=says) as caught:
        render_letter(template_environment(tmp_path), DEFAULT_THEME, letter(SAMPLE), SLOTS)
    if line is not None:
        assert str(caught.value).startswith(f"{path}:{line}: ")


def test_a_template_that_is_not_text_is_refused(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 are an error in rendering and in hashing."""
    write(tmp_path, "issue.txt.j2", "").write_bytes(b"\xff\xfe")
    environment = template_environment(tmp_path)
    with pytest.raises(TemplateError):
        render_letter(environment, DEFAULT_THEME, letter(SAMPLE), SLOTS)
    with pytest.raises(TemplateError, match="UTF-8"):
        templates_hash(environment)


def test_hash_follows_what_is_used(tmp_path: Path) -> None:
    """The hash changes with any email template in use, and with nothing else in the folder."""
    plain = templates_hash(template_environment(None))
    assert templates_hash(template_environment(tmp_path)) == plain
    (tmp_path / "notes.txt").write_text("not a template", encoding="utf-8")
    assert templates_hash(template_environment(tmp_path)) == plain
    same = (builtin_templates() / "email" / "issue.txt.j2").read_text(encoding="utf-8")
    write(tmp_path, "issue.txt.j2", same)
    assert templates_hash(template_environment(tmp_path)) == plain
    write(tmp_path, "issue.txt.j2", same + "!")
    assert templates_hash(template_environment(tmp_path)) != plain


def test_dates_do_not_follow_the_locale() -> None:
    """A date is written out in English, and as ISO 8601 in languages whose words we do not know."""
    day = datetime.date(2026, 12, 31)
    assert long_date(day, "en-GB") == "Thursday, 31 December 2026"
    assert long_date(day, "he") == "2026-12-31"
