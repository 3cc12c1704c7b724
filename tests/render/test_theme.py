"""Theme files: the built-in ones are readable and differ, a site's is read strictly and explained."""

import contextlib
import dataclasses
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import ThemeError
from newsletter.render.builtin import builtin_templates
from newsletter.render.contrast import LARGE, TEXT, contrast_ratio, ink_on, pairs
from newsletter.render.theme import BUILT_IN, DEFAULT_THEME, Logo, Palette, Theme, load_theme, theme_hash


def site(folder: Path, text: str) -> Path:
    """A site's folder with a theme file."""
    (folder / "theme.toml").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(params=BUILT_IN)
def built_in(request: pytest.FixtureRequest, tmp_path: Path) -> Theme:
    """Each theme that came with the program."""
    return load_theme(site(tmp_path, f'base = "{request.param}"'))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_pair_of_colours_is_readable(built_in: Theme, scheme: str) -> None:
    """In both built-in themes, by daylight and in the dark, all that is shown has the contrast it needs."""
    found = pairs(getattr(built_in, scheme))
    assert {pair.needs for pair in found} == {TEXT, LARGE}
    assert {pair: pair.ratio for pair in found if pair.ratio < pair.needs} == {}


def test_pairs_name_every_colour() -> None:
    """No colour of a palette escapes the table, but lines, which carry no meaning of their own."""
    tell = {field: f"#0000{number:02x}" for number, field in enumerate(_plain(DEFAULT_THEME.light))}
    palette = dataclasses.replace(DEFAULT_THEME.light, **tell)  # type: ignore[arg-type]
    used = {colour for pair in pairs(palette) for colour in (pair.text, pair.behind)}
    assert {name for name, colour in tell.items() if colour not in used} == {"rule"}
    assert {voice.bubble for voice in palette.speakers} | {voice.accent for voice in palette.speakers} <= used
    assert set(dataclasses.asdict(palette.code).values()) <= used


def _plain(palette: Palette) -> list[str]:
    return [
        field.name for field in dataclasses.fields(palette) if isinstance(getattr(palette, field.name), str)
    ]


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#1f5a8c", "#1f5a8c", 1.0)],
)
def test_contrast_ratio(one: str, other: str, ratio: float) -> None:
    """The ratio is WCAG's, whichever colour comes first."""
    assert contrast_ratio(one, other) == contrast_ratio(other, one) == pytest.approx(ratio, abs=0.005)


@given(st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
def test_ink_can_be_read_on_any_colour(colour: str) -> None:
    """Initials on a colour that a post's author chose are readable, whatever the colour."""
    assert contrast_ratio(ink_on(colour), colour) >= TEXT


def test_speakers_have_colours_of_their_own(built_in: Theme) -> None:
    """No two speakers of a theme share a colour, and both schemes know the same number of them."""
    for palette in (built_in.light, built_in.dark):
        assert len({speaker.accent for speaker in palette.speakers}) == len(palette.speakers)
    assert len(built_in.light.speakers) == len(built_in.dark.speakers)


def test_built_in_themes_differ_in_more_than_colour() -> None:
    """The two themes share no shape, and not the face of their headlines."""
    paper, press = (
        tomllib.loads((builtin_templates() / "themes" / f"{name}.toml").read_text(encoding="utf-8"))
        for name in BUILT_IN
    )
    assert all(paper["shape"][key] != press["shape"][key] for key in paper["shape"])
    assert paper["type"]["headings"] != press["type"]["headings"]


def test_a_site_without_a_theme_has_paper(tmp_path: Path) -> None:
    """No site, no file and an empty file all mean the default."""
    assert load_theme(None) == load_theme(tmp_path) == load_theme(site(tmp_path, "")) == DEFAULT_THEME


def test_a_site_changes_what_it_names_and_keeps_the_rest(tmp_path: Path) -> None:
    """One file overrides single keys of the base it names, in capitals or not."""
    changes = '[shape]\nradius = 4\n[light]\naccent = "#0B5394"\n[light.code]\nname = "#000000"\n'
    press = load_theme(site(tmp_path, 'base = "press"'))
    ours = load_theme(site(tmp_path, f'base = "press"\n{changes}'))
    assert (ours.shape.radius, ours.shape.turns) == (4, press.shape.turns)
    assert (ours.light.accent, ours.light.paper) == ("#0b5394", press.light.paper)
    assert (ours.light.code.name, ours.light.code.string) == ("#000000", press.light.code.string)
    assert ours.dark == press.dark


def test_a_logo_is_an_address_or_a_file_of_the_site(tmp_path: Path) -> None:
    """A logo has words and a width; its picture is on the web, or lies in the site's folder."""
    (tmp_path / "logo.png").touch()
    for src in ("https://e.example/logo.png", "logo.png"):
        theme = load_theme(site(tmp_path, f'[logo]\nsrc = "{src}"\nalt = "Ours"\nwidth = 120\n'))
        assert theme.logo == Logo(src, "Ours", 120)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[light]\n\naccnt = '#000000'", 3, "light.accnt is not known; did you mean accent?"),
        ("[ligt]", 1, "ligt is not known; did you mean light?"),
        ("nonsense = 1", 1, "nonsense is not known; known: shape, type, light, dark, logo, base"),
        ("base = 'peper'", 1, "base is 'peper'; write one of 'paper', 'press'"),
        ("base = 3", 1, "base is 3"),
        ("[light]\nink = 'black'", 2, "light.ink is 'black', which is no colour; write it as #rrggbb"),
        ("[dark]\npage='#12345'", 2, "dark.page is '#12345', which is no colour"),
        ("light.ink = 7", 1, "light.ink must be text in quotes"),
        ("[shape]\nradius = '12'", 2, "shape.radius must be a whole number of pixels from 0 to 40"),
        ("[shape]\nradius = true", 2, "shape.radius must be a whole number"),
        ("[shape]\nturns = 'balloon'", 2, "shape.turns is 'balloon'; write one of 'bubble', 'rule'"),
        ("shape = 1", 1, "shape is a table in a theme"),
        ("[shape.radius]\nx = 1", 1, "shape.radius is no table in a theme"),
        ("[light]\nspeakers = []", 2, "light.speakers must be a list such as"),
        ("[light]\nspeakers = [{accent='#000000'}]", 2, "light.speakers.bubble is '', which is no colour"),
        ("[light]\nspeakers = [{acent='#000000'}]", 2, "did you mean accent?"),
        ("[type]\ntext = 'Georgia, \"x;y\"'", 2, "type.text holds 'x;y', which is no font's name"),
        ("[type]\ntext = ''", 2, "type.text holds '', which is no font's name"),
        ("[logo]\nsrc = 'https://e.example/a.png'\nwidth = 9", 1, "logo.alt is missing"),
        ("[logo]\nalt = 'a'\nsrc = 'none.png'", 3, "logo.src names none.png, which is not a file"),
        ("[logo]\nalt = 'a'\nsrc = 'javascript:x'", 3, "logo.src must be an https address or a path"),
        ("[logo]\nalt = 'a'\nsrc = 'https://e.example/a'", 1, "logo.width must be a whole number"),
        (
            "[light]\nspeakers = [{accent='#000000', bubble='#ffffff'}]",
            2,
            "light.speakers are 1 in light and 6 in dark",
        ),
        ("x = \ny = 1", 1, "is not TOML"),
    ],
)
def test_a_mistake_is_explained_at_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    """Whatever is not understood names file and line, and what to write instead."""
    with pytest.raises(ThemeError, match=re.escape(says)) as caught:
        load_theme(site(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'theme.toml'}:{line}: ")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x=" + b"[" * 100_000, b"x=" + b"9" * 5000])
def test_a_file_that_is_no_text_or_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    """Bytes that are not UTF-8, TOML nested without end, endless numbers are errors that name the file."""
    (tmp_path / "theme.toml").write_bytes(data)
    with pytest.raises(ThemeError, match=r"theme\.toml"):
        load_theme(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder in the file's place is an error."""
    (tmp_path / "theme.toml").mkdir()
    with pytest.raises(ThemeError, match="cannot be read"):
        load_theme(tmp_path)


@pytest.mark.parametrize(
    ("written", "stack"),
    [
        ("Georgia, serif", "Georgia,serif"),
        ("'Times New Roman'", "'Times New Roman'"),
        ('"Noto Sans", -apple-system', "'Noto Sans',-apple-system"),
        ("Noto Sans Hebrew", "'Noto Sans Hebrew'"),
        ("思源黑体", "'思源黑体'"),
    ],
)
def test_fonts_are_written_for_style_attributes(tmp_path: Path, written: str, stack: str) -> None:
    """Names get single quotes where they need any, whatever quotes they had."""
    assert load_theme(site(tmp_path, f"[type]\ntext = '''{written}'''")).prose.font == stack


@given(st.text(st.sampled_from("ab Z'\"<>&;:{}\\/,-é汉\n\0"), max_size=12))
def test_a_font_stack_ends_no_attribute(tmp_path_factory: pytest.TempPathFactory, written: str) -> None:
    """No stack that is taken holds what ends a style, an attribute in double quotes or a tag."""
    folder = tmp_path_factory.mktemp("site")
    quoted = "".join(f"\\u{ord(character):04x}" for character in written)
    try:
        stack = load_theme(site(folder, f'[type]\ntext = "{quoted}"')).prose.font
    except ThemeError:
        return
    assert not set(stack) & set('"<>&;:{}\\/\n\0')
    assert stack.count("'") % 2 == 0


@given(st.recursive(st.integers() | st.text() | st.booleans(), lambda inner: st.lists(inner, max_size=2)))
def test_any_value_is_a_theme_or_an_explained_error(value: object) -> None:
    """Whatever stands at a key, reading it gives a theme or the one error that is explained."""
    from newsletter.render.theme import _built_in, _merged, _MistakeError, _theme

    base = _built_in("paper")
    for table, key in (
        ("light", "ink"),
        ("light", "speakers"),
        ("shape", "radius"),
        ("type", "text"),
        ("", "light"),
    ):
        given = {table: {key: value}} if table else {key: value}
        with contextlib.suppress(_MistakeError):
            hash(_theme(_merged(base, given)))


def test_hash_follows_every_value(tmp_path: Path) -> None:
    """The same theme has the same hash, and any change another one."""
    assert theme_hash(load_theme(None)) == theme_hash(DEFAULT_THEME)
    changes = ["base = 'press'", "[light]\nink = '#000000'", "[type]\ntitle_size = 30", "[shape]\nradius = 1"]
    changes.append("[logo]\nsrc='https://e.example/l.png'\nalt='L'\nwidth=40")
    hashes = {theme_hash(load_theme(site(tmp_path, change))) for change in ["", *changes]}
    assert len(hashes) == len(changes) + 1
