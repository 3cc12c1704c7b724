"""The look of a letter, read from a theme file: colours by daylight and in the dark, type, shapes, logo.

Mail clients honour inline styles above all else, so that these values reach both the templates and the
HTML writer. A site's `theme.toml` names the built-in theme it starts from and what it changes; anything in
it that is not understood is a `ThemeError` with file, line and what to write instead.

Promises: colours are `#rrggbb`, the one form that Outlook's `bgcolor` reads too; sizes are CSS pixels; a
font stack holds no character that ends a style or an attribute in double quotes. Whether the colours can
be read is for `newsletter.render.contrast` to say.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from newsletter.errors import ThemeError
from newsletter.files import open_regular
from newsletter.render.builtin import builtin_templates

FILE_NAME = "theme.toml"
BUILT_IN = ("paper", "press")

WIDTH = 600
"""The widest a letter gets."""
MARGIN = 32
"""Beside its text."""
AVATAR = 48
"""What an avatar and the gap after it take."""
PADDING = 16
"""Beside the words of a turn."""
PANEL = 24
"""Beside the words of a letter inside the letter."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """The colours of one voice: `accent` for its name and initials, `bubble` behind its words."""

    accent: str
    bubble: str


@dataclass(frozen=True, slots=True)
class Code:
    """Colours of highlighted code, one for each of `newsletter.render.highlight`'s kinds."""

    keyword: str
    name: str
    string: str
    number: str
    comment: str
    mark: str


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours for one colour scheme: `page` lies around the `paper` that the letter is written on.

    `ink` is for text, `muted` for what accompanies it, `shade` stands behind code, cards and letters;
    `accent` is the ground of buttons and bands, `on_accent` the text on it. Speakers take their colours in
    order of appearance, beginning again after the last.
    """

    page: str
    paper: str
    ink: str
    muted: str
    link: str
    rule: str
    shade: str
    accent: str
    on_accent: str
    speakers: tuple[Speaker, ...]
    code: Code


@dataclass(frozen=True, slots=True)
class Face:
    """How a run of text is set: font stack, size and leading; `measure` is the width it has at most."""

    font: str
    size: int
    leading: float
    measure: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What is round and what is ruled; the keys of `[shape]` in a theme file."""

    radius: int
    turns: Literal["bubble", "rule"]
    avatars: Literal["round", "square"]
    masthead: Literal["plain", "band"]
    align: Literal["start", "center"]


@dataclass(frozen=True, slots=True)
class Logo:
    """The picture in the masthead. `src` is an `https:` address, or a path from the site's folder."""

    src: str
    alt: str
    width: int


@dataclass(frozen=True, slots=True)
class Theme:
    """All that templates know about looks.

    `prose` is for posts and answers, `speech` for turns of a talk, `letter` for a letter inside the letter,
    `small` for what is around them; `heading` gives the title's size.
    """

    light: Palette
    dark: Palette
    prose: Face
    speech: Face
    letter: Face
    small: Face
    heading: Face
    code_font: str
    shape: Shape
    logo: Logo | None = None


def load_theme(site_folder: Path | None) -> Theme:
    """The theme of a site: its `theme.toml` over the built-in theme that it names, else "paper".

    Raises ThemeError.
    """
    path = site_folder / FILE_NAME if site_folder else None
    if path is None or not path.exists():
        return _theme(_built_in("paper"))
    text = _read(path)
    given = _parse(text, path)
    base = given.pop("base", "paper")
    if base not in BUILT_IN:
        raise ThemeError(
            f"base is {base!r}; write one of {', '.join(map(repr, BUILT_IN))}",
            path=path,
            line=_line_of(text, ("base",)),
        )
    try:
        merged = _merged(_built_in(base), given)
        return _theme(merged, site_folder)
    except _MistakeError as mistake:
        line = _line_of(text, mistake.keys)
        raise ThemeError(f"{'.'.join(mistake.keys)} {mistake.message}", path=path, line=line) from None


def theme_hash(theme: Theme) -> str:
    """SHA-256, in hexadecimal, of all that a theme says."""
    return sha256(json.dumps(asdict(theme), sort_keys=True).encode()).hexdigest()


class _MistakeError(Exception):
    """Something wrong with one key of a theme file."""

    def __init__(self, keys: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.keys, self.message = keys, message


def _read(path: Path) -> str:
    try:
        with open_regular(path) as file:
            return file.read().decode("utf-8-sig")
    except OSError as error:
        raise ThemeError(f"cannot be read: {error.strerror}", path=path) from error
    except UnicodeDecodeError:
        raise ThemeError("is not UTF-8; save it as UTF-8", path=path) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line ([0-9]+)", str(error))
        raise ThemeError(f"is not TOML: {error}", path=path, line=int(line[1]) if line else None) from None
    except (RecursionError, ValueError):  # Python reads no number of thousands of digits
        raise ThemeError(
            "is not TOML that can be read: it is nested too deeply, or a number has thousands of digits",
            path=path,
        ) from None


@cache
def _built_in(name: str) -> Mapping[str, Any]:
    path = builtin_templates() / "themes" / f"{name}.toml"
    return _parse(_read(path), path)


_LOGO = {"src": "", "alt": "", "width": 0}


def _merged(base: Mapping[str, Any], given: Mapping[str, Any], keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """`base` with what is `given` in its place; a table is merged key by key, anything else replaced."""
    merged = dict(base)
    known = {**base, "logo": _LOGO} if not keys else base
    for key, value in given.items():
        here = (*keys, key)
        if key not in known:
            raise _MistakeError(here, _unknown(key, known, at_top=not keys))
        if isinstance(known[key], Mapping) != isinstance(value, Mapping):
            kind = "a table" if isinstance(known[key], Mapping) else "no table"
            raise _MistakeError(here, f"is {kind} in a theme; see templates/themes/paper.toml")
        merged[key] = _merged(known[key], value, here) if isinstance(value, Mapping) else value
    return merged


def _unknown(key: str, known: Mapping[str, Any], *, at_top: bool) -> str:
    names = [*known, "base"] if at_top else [*known]
    close = get_close_matches(key, names, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(names)}"
    return f"is not known; {hint}"


def _theme(data: Mapping[str, Any], folder: Path | None = None) -> Theme:
    """Read a whole theme's values. Raises _MistakeError."""
    faces, shape = _Table(data["type"], ("type",)), _Table(data["shape"], ("shape",))
    inner = WIDTH - 2 * MARGIN
    text, size = faces.fonts("text"), faces.number("text_size", 14, 24)
    light, dark = (_palette(_Table(data[scheme], (scheme,))) for scheme in ("light", "dark"))
    if len(light.speakers) != len(dark.speakers):
        counts = f"{len(light.speakers)} in light and {len(dark.speakers)} in dark"
        raise _MistakeError(("light", "speakers"), f"are {counts}; give both as many")
    return Theme(
        light=light,
        dark=dark,
        prose=Face(text, size, 1.65, inner),
        speech=Face(
            faces.fonts("speech"), faces.number("speech_size", 14, 24), 1.55, inner - AVATAR - 2 * PADDING
        ),
        letter=Face(text, size, 1.65, inner - 2 * PANEL),
        small=Face(faces.fonts("labels"), 14, 1.55, inner),
        heading=Face(faces.fonts("headings"), faces.number("title_size", 22, 56), 1.2, inner),
        code_font=faces.fonts("code"),
        shape=Shape(
            radius=shape.number("radius", 0, 40),
            turns=shape.one_of("turns", "bubble", "rule"),
            avatars=shape.one_of("avatars", "round", "square"),
            masthead=shape.one_of("masthead", "plain", "band"),
            align=shape.one_of("align", "start", "center"),
        ),
        logo=_logo(_Table(data["logo"], ("logo",)), folder) if "logo" in data else None,
    )


def _palette(table: "_Table") -> Palette:
    plain = ("page", "paper", "ink", "muted", "link", "rule", "shade", "accent", "on_accent")
    speakers = tuple(
        Speaker(accent=voice.colour("accent"), bubble=voice.colour("bubble"))
        for voice in table.tables("speakers", ("accent", "bubble"))
    )
    code = _Table(table.values["code"], (*table.keys, "code"))
    return Palette(
        **{name: table.colour(name) for name in plain},
        speakers=speakers,
        code=Code(**{name: code.colour(name) for name in code.values}),
    )


def _logo(table: "_Table", folder: Path | None) -> Logo:
    src, alt = table.text("src"), table.text("alt")
    if not alt.strip():
        raise _MistakeError(
            ("logo", "alt"), "is missing; write the words that the logo shows, for who cannot see it"
        )
    if not re.match(r"https?://[^\s/]", src):
        if not src.strip() or ":" in src:
            raise _MistakeError(("logo", "src"), "must be an https address or a path from the site's folder")
        if folder is None or not _is_file(folder / src):
            raise _MistakeError(("logo", "src"), f"names {src}, which is not a file in the site's folder")
    return Logo(src=src, alt=alt, width=table.number("width", 16, WIDTH - 2 * MARGIN))


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


_COLOUR = re.compile(r"#[0-9a-f]{6}")
_FAMILY = re.compile(r"[\w-]+(?: [\w-]+)*")
_BARE = re.compile(r"-?[a-z][a-z-]*|[A-Z][A-Za-z]*")  # needs no quotes


@dataclass(frozen=True, slots=True)
class _Table:
    """One table of a theme file, whose values are read as what they should be. Each raises _MistakeError."""

    values: Mapping[str, Any]
    keys: tuple[str, ...]

    def text(self, name: str) -> str:
        value = self.values.get(name, "")
        if not isinstance(value, str):
            raise self._wrong(name, "must be text in quotes")
        return value

    def colour(self, name: str) -> str:
        value = self.text(name).lower()
        if not _COLOUR.fullmatch(value):
            raise self._wrong(name, f"is {value!r}, which is no colour; write it as #rrggbb, such as #1f5a8c")
        return value

    def number(self, name: str, least: int, most: int) -> int:
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._wrong(name, f"must be a whole number of pixels from {least} to {most}")
        return value

    def one_of(self, name: str, *choices: str) -> Any:
        value = self.text(name)
        if value not in choices:
            raise self._wrong(name, f"is {value!r}; write one of {', '.join(map(repr, choices))}")
        return value

    def fonts(self, name: str) -> str:
        """A font stack, its names in single quotes where they need any (CSS Fonts 4, section 3.1)."""
        families = [family.strip().strip("'\"").strip() for family in self.text(name).split(",")]
        for family in families:
            if not _FAMILY.fullmatch(family):
                raise self._wrong(
                    name, f"holds {family!r}, which is no font's name; write names with commas between"
                )
        return ",".join(family if _BARE.fullmatch(family) else f"'{family}'" for family in families)

    def tables(self, name: str, known: tuple[str, ...]) -> Iterator["_Table"]:
        value = self.values[name]
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, 'must be a list such as [{ accent = "#1f5a8c", bubble = "#eaf1f7" }]')
        for item in value:
            for key in item:
                if key not in known:
                    raise self._wrong(
                        name, f"holds {key}, which {_unknown(key, dict.fromkeys(known), at_top=False)}"
                    )
            yield _Table(item, (*self.keys, name))

    def _wrong(self, name: str, message: str) -> _MistakeError:
        return _MistakeError((*self.keys, name), message)


def _line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """The line that gives a value to `keys`, or to the nearest key around it."""
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[+\s*([\w.\"' -]+?)\s*\]", line):
            table = path = _keys(header[1])
        elif key := re.match(r"\s*([\w.\"' -]+?)\s*=", line):
            path = (*table, *_keys(key[1]))
        else:
            continue
        if path == keys[: len(path)] and (best is None or len(path) > best[0]):
            best = len(path), number
    return best[1] if best else None


def _keys(dotted: str) -> tuple[str, ...]:
    return tuple(key.strip().strip("'\"") for key in dotted.split("."))


DEFAULT_THEME = load_theme(None)
"""For who has no site: "paper"."""
