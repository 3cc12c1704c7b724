"""Real posts, where they are at hand: they render, fit, and say the same in both parts."""

from itertools import pairwise
from pathlib import Path

import pytest

from newsletter.content.post import read_post
from newsletter.content.threads import read_document
from newsletter.render.letter import LetterPost
from tests.render import reading
from tests.render.samples import render

ROOT = Path(__file__).parents[2]
POSTS = sorted(
    path
    for folder in ("newsletter/demo/posts", "../shared/seed", "../shared/corpus")
    for path in (ROOT / folder).glob("*.md")
)


@pytest.mark.parametrize("path", POSTS, ids=lambda path: path.stem[:24].encode("ascii", "replace").decode())
def test_a_real_post_makes_a_sound_letter(path: Path) -> None:
    """Its HTML is below 102,000 bytes, its links are all in the text, and its text lines fit."""
    source = read_post(path)
    lang = source.lang or "en"
    document = read_document(source.markdown, base_url="https://fold.example/")
    rendering = render(LetterPost(source.title, document, lang), lang=lang)
    read = reading.Letter(rendering.html)
    assert len(rendering.html.encode()) < 102_000
    assert [link for link in read.links if link not in rendering.text] == []
    assert [line for line in rendering.text.split("\n") if len(line) > 78 and "://" not in line] == []
    assert [pair for pair in read.colours if reading.contrast(*pair) < 4.5] == []
    assert read.headings[0] == 1
    assert all(lower - upper <= 1 for upper, lower in pairwise(read.headings))
    assert not read.tags & {"script", "form", "iframe", "svg"}
    assert "\\u{" not in rendering.html
