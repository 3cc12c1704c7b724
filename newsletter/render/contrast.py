"""Whether text can be read on what is behind it: WCAG 2.2, 1.4.3 (text) and 1.4.11 (parts of the interface).

Colours are `#rrggbb`. Pure; fails with ValueError for what is no such colour.
"""

from dataclasses import asdict
from typing import NamedTuple

from newsletter.render.theme import Palette

TEXT = 4.5
"""What text needs (1.4.3)."""
LARGE = 3.0
"""What large text (24 px, or 18.5 px in bold) and the edges of controls need (1.4.3, 1.4.11)."""


class Pair(NamedTuple):
    """Something of a letter on what may lie behind it; both named by their keys in a theme file."""

    name: str
    text: str
    behind: str
    needs: float = TEXT

    @property
    def ratio(self) -> float:
        return contrast_ratio(self.text, self.behind)


def contrast_ratio(text: str, behind: str) -> float:
    """The contrast ratio of two colours, from 1 to 21 (WCAG 2.2, "contrast ratio")."""
    lighter, darker = sorted((_luminance(text), _luminance(behind)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def ink_on(background: str) -> str:
    """Black or white, whichever reads better on `background`: one of them always has more than 4.5:1."""
    return max("#ffffff", "#000000", key=lambda ink: contrast_ratio(ink, background))


def pairs(palette: Palette) -> tuple[Pair, ...]:
    """Every pair of colours in which a letter or a page shows something."""
    grounds = {"page": palette.page, "paper": palette.paper, "shade": palette.shade}
    grounds |= {f"speakers[{n}].bubble": speaker.bubble for n, speaker in enumerate(palette.speakers)}
    texts = {"ink": palette.ink, "muted": palette.muted, "link": palette.link}
    plain = [
        Pair(f"{name} on {ground}", text, behind)
        for name, text in texts.items()
        for ground, behind in grounds.items()
    ]
    voices = [
        Pair(f"speakers[{n}].accent on paper, and paper on it", speaker.accent, palette.paper)
        for n, speaker in enumerate(palette.speakers)
    ]
    code = [
        Pair(f"code.{name} on shade", colour, palette.shade) for name, colour in asdict(palette.code).items()
    ]
    controls = [
        Pair("on_accent on accent", palette.on_accent, palette.accent),
        Pair("accent on paper", palette.accent, palette.paper, LARGE),
    ]
    return (*plain, *voices, *code, *controls)


def _luminance(colour: str) -> float:
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
