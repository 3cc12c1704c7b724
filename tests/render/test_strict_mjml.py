"""The MJML we write is MJML: the compiler we use checks nothing, npm's own does."""

import pytest

from tests.node_tools import compile_strictly
from tests.render.gallery import renderings, trap_renderings

_FRAME = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"


def test_every_letter_is_valid_mjml() -> None:
    """npm's mjml compiles each letter in strict mode, without a complaint."""
    every = renderings() | trap_renderings()
    compiled = compile_strictly(rendering.mjml for rendering in every.values())
    complaints = {name: answer.errors for name, answer in zip(every, compiled, strict=True) if answer.errors}
    assert complaints == {}
    assert all("</html>" in answer.html for answer in compiled)


def test_what_is_no_mjml_is_complained_of() -> None:
    """An attribute, a value, a place or a component that MJML does not know is named with its line."""
    wrong = {
        '<mj-text\nfont-wait="bold">x</mj-text>': "font-wait",
        '<mj-text color="blu">x</mj-text>': "blu",
        "<mj-column>x</mj-column>": "mj-column cannot be used inside mj-column",
        "<mj-txt>x</mj-txt>": "mj-txt",
    }
    sources = [_FRAME.format("<mj-text>x</mj-text>"), *map(_FRAME.format, wrong)]
    sound, *answers = compile_strictly(sources)
    assert sound.errors == ()
    for answer, complaint in zip(answers, wrong.values(), strict=True):
        assert complaint in "".join(answer.errors)
        assert answer.errors[0].startswith("line 1, ")
        assert answer.html == ""


@pytest.mark.parametrize("source", ["", "<mjml>", "no markup"])
def test_what_cannot_be_read_at_all_is_an_answer_too(source: str) -> None:
    """One bad source stops no batch."""
    bad, good = compile_strictly([source, _FRAME.format("<mj-text>x</mj-text>")])
    assert bad.errors
    assert not good.errors
