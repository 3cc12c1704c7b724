"""The language of a post that names none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.language import language_of


@pytest.mark.parametrize(
    ("text", "site", "language"),
    [
        ("An English text", "en", "en"),
        ("Ein deutscher Text", "de", "de"),
        ("שלום לכולם וברוכים הבאים, hello", "en", "he"),
        ("سلام به همه", "fa", "fa"),
        ("سلام به همه", "en", "ar"),
        ("Всем привет", "en", "ru"),
        ("Всім привіт", "uk-UA", "uk-UA"),
        ("皆さんこんにちは", "en", "ja"),
        ("大家好", "en", "zh"),
        ("大家好", "zh-Hant", "zh-Hant"),
        ("1234 !?", "sv", "sv"),
        ("", "sv", "sv"),
    ],
)
def test_a_text_has_the_site_s_language_unless_its_script_says_otherwise(
    text: str, site: str, language: str
) -> None:
    """A script that the site's language is not written in gives the likeliest language of that script."""
    assert language_of(text, site) == language


@given(st.text())
def test_any_text_has_a_language(text: str) -> None:
    """Whatever is in it, and without an error."""
    assert language_of(text, "en").isascii()
