"""Reading a post takes time in proportion to its length, whatever opens in it and is never closed."""

import time
from contextlib import suppress

import pytest

from newsletter.content.html import words
from newsletter.content.threads import read_document
from newsletter.errors import ContentError

OPENINGS = words(
    """
    {{ {% {{< {%raw%} {::comment} {: [caption [code] [gallery] [[code]] <figure> <!-- <!- ![ [ ]( [^1] <
    <div> <svg> <math> <video> <pre> <span>a</span> <br><br> http:// https://a.example/b ** _ ` ``` > >> - 1.
    | # \\ & $ {:.said} <table><tr><td><p>a</p>
    """
)
SIZES = (50_000, 200_000)
SHAPES = {"line": "", "lines": "\n", "paragraphs": "\n\n"}
MOST = 10
"""Times as long for four times the text: linear is 4, 6 where memory is slow, and quadratic is 16."""
LEAST_SECONDS = 0.02
"""Below this a clock says more of the machine than of the text."""


def seconds(text: str) -> float:
    """The best of three readings; a refusal is an answer too."""
    times = []
    for _ in range(3):
        began = time.process_time()
        with suppress(ContentError):
            read_document(text, base_url="https://b.example/posts/1")
        times.append(time.process_time() - began)
    return max(min(times), LEAST_SECONDS)


def of_size(piece: str, size: int) -> str:
    """A text of about `size` characters made of one piece."""
    return piece * (size // len(piece))


@pytest.mark.trial
@pytest.mark.parametrize("opening", sorted(OPENINGS))
@pytest.mark.parametrize("shape", SHAPES)
def test_four_times_the_text_takes_four_times_as_long(opening: str, shape: str) -> None:
    """Each opening, repeated in one line, in lines and in paragraphs, is read or refused in linear time."""
    small, large = (seconds(of_size(opening + SHAPES[shape], size)) for size in SIZES)
    assert large / small <= MOST


@pytest.mark.trial
@pytest.mark.parametrize("opening", sorted(OPENINGS))
def test_long_paragraphs_take_linear_time(opening: str) -> None:
    """Many paragraphs, each nearly as long as one may be, are read in linear time."""
    paragraph = f"word {of_size(opening, 15_000)} word\n\n"
    small, large = (seconds(of_size(paragraph, size)) for size in SIZES)
    assert large / small <= MOST
