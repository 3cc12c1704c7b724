"""The look of a letter: its colours by daylight and in the dark, and its faces of type.

Mail clients honour inline styles above all else, so that these values reach both the templates and the
HTML writer. Every pair of text and background is tested to hold WCAG 2.2's contrast of 4.5:1 (1.4.3).
Colours are written `#rrggbb`, the one form that Outlook's `bgcolor` reads too; sizes are CSS pixels.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Speaker:
    """The colours of one voice: `accent` for its name and initials, `bubble` behind its words."""

    accent: str
    bubble: str


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours for one colour scheme: `page` lies around the `paper` that the letter is written on.

    `ink` is for text, `muted` for what accompanies it, `shade` stands behind code. Speakers take their
    colours in order of appearance, beginning again after the last.
    """

    page: str
    paper: str
    ink: str
    muted: str
    link: str
    rule: str
    shade: str
    speakers: tuple[Speaker, ...]


@dataclass(frozen=True, slots=True)
class Face:
    """How a run of text is set: font stack, size and leading; `measure` is the width it has at most."""

    font: str
    size: int
    leading: float
    measure: int


@dataclass(frozen=True, slots=True)
class Theme:
    """All a template knows about looks: two palettes, and faces for prose, speech and what is around them."""

    light: Palette
    dark: Palette
    prose: Face
    speech: Face
    small: Face
    code_font: str


_SANS = "-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"

DEFAULT_THEME = Theme(
    light=Palette(
        page="#f3f0e9",
        paper="#fffefb",
        ink="#26221c",
        muted="#665e52",
        link="#1f5a8c",
        rule="#d9d1c2",
        shade="#f4f0e7",
        speakers=(
            Speaker(accent="#1f5a8c", bubble="#eaf1f7"),
            Speaker(accent="#2b6244", bubble="#eaf3ec"),
            Speaker(accent="#7a3b69", bubble="#f6edf4"),
            Speaker(accent="#855012", bubble="#f9f0e0"),
            Speaker(accent="#48566a", bubble="#eef0f3"),
            Speaker(accent="#9a3b2f", bubble="#faeeeb"),
        ),
    ),
    dark=Palette(
        page="#121110",
        paper="#1b1a18",
        ink="#e9e4da",
        muted="#aba396",
        link="#93c4ea",
        rule="#4a463f",
        shade="#282621",
        speakers=(
            Speaker(accent="#93c4ea", bubble="#1f2a33"),
            Speaker(accent="#95d0aa", bubble="#1f2c24"),
            Speaker(accent="#dca8d0", bubble="#2e2330"),
            Speaker(accent="#e3b876", bubble="#30281b"),
            Speaker(accent="#b6c2d2", bubble="#262a31"),
            Speaker(accent="#f0a99c", bubble="#33231f"),
        ),
    ),
    prose=Face(font="Georgia,'Times New Roman',serif", size=18, leading=1.65, measure=536),
    speech=Face(font=_SANS, size=16, leading=1.55, measure=456),
    small=Face(font=_SANS, size=14, leading=1.55, measure=536),
    code_font="Menlo,Consolas,'Courier New',monospace",
)
