"""The built-in colours are readable, by daylight and in the dark."""

import pytest

from newsletter.render.theme import DEFAULT_THEME, Palette
from tests.render.reading import contrast


@pytest.mark.parametrize("palette", [DEFAULT_THEME.light, DEFAULT_THEME.dark], ids=["light", "dark"])
def test_every_pair_of_colours_is_readable(palette: Palette) -> None:
    """Each text colour has a contrast of 4.5:1 with each background that it may stand on."""
    plain = [palette.page, palette.paper, palette.shade, *(speaker.bubble for speaker in palette.speakers)]
    pairs = [(text, behind) for text in (palette.ink, palette.muted, palette.link) for behind in plain]
    pairs += [(speaker.accent, palette.paper) for speaker in palette.speakers]
    assert {pair: contrast(*pair) for pair in pairs if contrast(*pair) < 4.5} == {}


def test_speakers_have_colours_of_their_own() -> None:
    """No two speakers of a theme share a colour, and both schemes know the same speakers."""
    for palette in (DEFAULT_THEME.light, DEFAULT_THEME.dark):
        assert len({speaker.accent for speaker in palette.speakers}) == len(palette.speakers)
    assert len(DEFAULT_THEME.light.speakers) == len(DEFAULT_THEME.dark.speakers)
