"""Highlighted code: not a character more or less, few pieces, and never a guess."""

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render import highlight as module
from newsletter.render.highlight import LONGEST, highlight

CODE = st.text(
    st.sampled_from("ab1 \t\r\n'\"#/*<>{}()=+-$@\\é汉\0") | st.characters(exclude_categories=["Cs"])
)


@given(
    code=CODE,
    language=st.sampled_from(["python", "js", "html", "sql", "console", "r", "yaml", "diff", "c++"]),
)
def test_no_character_is_lost_or_added(code: str, language: str) -> None:
    """The pieces joined are the code, line breaks of any kind and control characters included."""
    assert "".join(text for _, text in highlight(code, language)) == code


@given(code=CODE)
def test_neighbours_differ(code: str) -> None:
    """No piece could have been part of the one before it."""
    assert all(one != other for (one, _), (other, _) in pairwise(highlight(code, "python")))


def test_kinds() -> None:
    """What a reader of code looks for is told apart; white space goes with what is before it."""
    assert highlight("@d\ndef f(x=3):  # why\n    return 'a'", "Python") == [
        ("mark", "@d\n"),
        ("keyword", "def "),
        ("name", "f"),
        (None, "(x="),
        ("number", "3"),
        (None, "):  "),
        ("comment", "# why\n    "),
        ("keyword", "return "),
        ("string", "'a'"),
    ]


@pytest.mark.parametrize("language", ["", "no such language", "text", "../../x", "pytho"])
def test_a_language_is_never_guessed(language: str) -> None:
    """A name that is not known, or says that there is no language, gives plain code."""
    assert highlight("def f(): pass", language) == [(None, "def f(): pass")]


def test_long_code_is_plain() -> None:
    """Beyond the limit nothing is coloured, and at it everything still is."""
    assert highlight("x = 1\n" * (LONGEST // 6), "python") != [(None, "x = 1\n" * (LONGEST // 6))]
    assert len(highlight("x = 1\n" * (LONGEST // 6 + 1), "python")) == 1


def test_a_lexer_that_stumbles_leaves_plain_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lexer's fault, or its loss of a character, costs the colours and nothing else."""

    class Lossy:
        def get_tokens_unprocessed(self, code: str) -> list[tuple[int, str, str]]:
            if "!" in code:
                raise ZeroDivisionError
            return [(0, "Token.Keyword", code[1:])]

    monkeypatch.setattr(module, "_lexer", lambda _language: Lossy())
    assert highlight("abc", "python") == [(None, "abc")]
    assert highlight("abc!", "python") == [(None, "abc!")]


def test_pygments_is_loaded_for_code_alone() -> None:
    """Rendering a letter without code in a language does not pay for Pygments."""
    program = (
        "import sys; from newsletter.render.html import to_html; "
        "from newsletter.render.theme import DEFAULT_THEME; from xml.etree.ElementTree import XML; "
        "to_html(XML('<pre><code>x</code></pre>'), DEFAULT_THEME, DEFAULT_THEME.prose); "
        "assert 'pygments' not in sys.modules, 'loaded'"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
