"""The dark scheme of letters and of their web versions, as CSS rules by class.

What is written (`dark_inks`) and what is behind it (`dark_grounds`) are apart because Outlook.com takes
them apart: it marks what it has recoloured by `data-ogsc` and `data-ogsb`, which go in `prefix`. Every rule
is `!important`, for it overrules an inline style.

Pure, and kept for every theme: a site renders thousands of letters with one.
"""

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache

from markupsafe import Markup

from newsletter.render.theme import Theme

_Rule = tuple[tuple[str, ...], str, str]  # selectors, property, colour


@cache
def dark_inks(theme: Theme, prefix: str = "") -> Markup:
    """The colours of text and lines."""
    dark = theme.dark
    rules: list[_Rule] = [
        ((".ink", ".ink > div"), "color", dark.ink),
        ((".muted", ".muted > div", ".ink > .muted"), "color", dark.muted),
        (("a",), "color", dark.link),
        (("a.ink",), "color", dark.ink),
        (("a.on-band", ".button a"), "color", dark.on_accent),
        ((".rule", ".rule > p"), "border-color", dark.rule),
        ((".bar",), "border-color", dark.accent),
    ]
    for number, speaker in enumerate(dark.speakers):
        rules.append(((f".accent-{number}",), "color", dark.paper))
        rules.append(((f".name-{number}", f"a.name-{number}"), "color", speaker.accent))
        if theme.shape.turns == "rule":
            rules.append(((f".turn-{number}",), "border-color", speaker.accent))
    rules += [((f".{kind}",), "color", colour) for kind, colour in asdict(dark.code).items()]
    return _sheet(rules, prefix)


@cache
def dark_grounds(theme: Theme, prefix: str = "") -> Markup:
    """The colours behind."""
    dark = theme.dark
    rules: list[_Rule] = [
        ((".page", ".foot", ".foot > table", ".on-page"), "background", dark.page),
        ((".paper", ".paper > table", ".on-paper"), "background", dark.paper),
        ((".shade",), "background-color", dark.shade),
        ((".band", ".band > table", ".on-band", ".button td", ".button a"), "background", dark.accent),
    ]
    for number, speaker in enumerate(dark.speakers):
        rules.append(((f".accent-{number}",), "background-color", speaker.accent))
        if theme.shape.turns == "bubble":
            rules.append(((f".turn-{number}",), "background-color", speaker.bubble))
    return _sheet(rules, prefix)


def _sheet(rules: Iterable[_Rule], prefix: str) -> Markup:
    lines = (
        f"{','.join(prefix + selector for selector in selectors)} {{ {name}:{colour} !important }}"
        for selectors, name, colour in rules
    )
    return Markup("\n".join(lines))  # noqa: S704  # selectors are ours, and a theme's colours are colours
