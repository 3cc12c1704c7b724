"""The MJML compiler, and the traps in it that Paperround covers."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import TemplateError
from newsletter.render.mjml import compile_mjml


def document(inner: str, title: str = "T") -> str:
    """MJML around `inner`, three lines above it."""
    return (
        f"<mjml><mj-head><mj-title>{title}</mj-title></mj-head><mj-body><mj-section>\n<mj-column><mj-text>\n\n"
        f"{inner}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )


@given(
    value=st.text(
        st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=30
    )
)
def test_attributes_come_out_as_they_went_in(value: str) -> None:
    """No character of an attribute is mangled: not no-break spaces, nor joiners, marks or backslashes."""
    compiled = compile_mjml(document(f'<a href="{html.escape(value)}">x</a>', title=html.escape(value)))
    written = re.search(r'<a href="([^"]*)">', compiled)
    labelled = re.search(r'aria-label="([^"]*)"', compiled)
    assert written is not None
    assert html.unescape(written[1]) == value
    assert labelled is None or html.unescape(labelled[1]).strip() == value.strip()


def test_text_keeps_its_characters() -> None:
    """Text is left in UTF-8: references would triple the size of a Hebrew letter."""
    assert "שלום\u00a0עולם" in compile_mjml(document("שלום\u00a0עולם"))


@pytest.mark.parametrize("broken", ["<p>", "a < b", "</mj-text>", "]]>", "<br></br>"])
def test_malformed_mjml_is_a_template_error(broken: str) -> None:
    """What is not well-formed is refused with a sentence that says so and what to do."""
    with pytest.raises(TemplateError, match=r"well-formed MJML.*close every element"):
        compile_mjml(document(broken))


def test_error_shows_the_line() -> None:
    """An error shows the line of the MJML, counted in characters and not in bytes."""
    with pytest.raises(TemplateError, match=r"in line 4 of the MJML: <p>ééé</p></b>"):
        compile_mjml(document("<p>ééé</p></b>"))


def test_no_font_is_fetched() -> None:
    """Named fonts of MJML's defaults load nothing from other hosts."""
    assert "googleapis" not in compile_mjml(document("x"))
