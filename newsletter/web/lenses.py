"""A letter's HTML as different mail clients show it. Pure; what comes in is HTML that was written here.

The colour scheme is set by the letter's own rules: those for the dark are made to hold always, or never,
whatever the machine of who looks prefers.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from html import escape, unescape

_STYLE = re.compile(r"(<style\b[^>]*>)(.*?)(</style>)", re.DOTALL)
_SCHEME = re.compile(r"@media\s*\(\s*prefers-color-scheme\s*:\s*dark\s*\)")
_BOTH = re.compile(r"(color-schemes?\s*:\s*)light\s+dark")
_META = re.compile(r'(<meta name="(?:supported-)?color-schemes?" content=")light dark"')
_IMAGE = re.compile(r"""<img\b(?:[^<>"']|"[^"]*"|'[^']*')*+>""")
_SOURCE = re.compile(r'(\ssrc=")([^"]*)"')
_SOURCES = re.compile(r'\s(?:src|srcset)="[^"]*"')
_HEAD = re.compile(r"<head\b[^>]*>")
_NO_IMAGES = (
    "<style>img{box-sizing:border-box;width:auto !important;border:1px solid #8c8c8c !important;padding:6px;"
    "background:#ececec;color:#3a3a3a !important;font:13px/1.4 sans-serif;overflow:hidden}</style>"
)
"""A grey box with the image's words. Its own width goes, for without a picture it would widen the letter."""


class Lens(StrEnum):
    """How a letter is looked at."""

    LIGHT = "light"
    DARK = "dark"
    NO_IMAGES = "no-images"
    NO_STYLE = "no-style"


def seen_through(html: str, lens: Lens) -> str:
    """The letter as a client of this kind shows it; its links open beside it, not inside its frame."""
    html = _in_scheme(html, "dark" if lens is Lens.DARK else "light")
    added = '<base target="_blank">'
    if lens is Lens.NO_IMAGES:
        html = _IMAGE.sub(lambda tag: _SOURCES.sub("", tag[0]), html)
        added += _NO_IMAGES
    elif lens is Lens.NO_STYLE:
        html = _STYLE.sub("", html)
    return _HEAD.sub(lambda head: head[0] + added, html, count=1)


def pictures_of(html: str) -> dict[str, None]:
    """The addresses of the letter's pictures, each once, in order."""
    found = (_SOURCE.search(tag[0]) for tag in _IMAGE.finditer(html))
    return dict.fromkeys(unescape(source[2]) for source in found if source)


def with_pictures(html: str, addresses: Mapping[str, str]) -> str:
    """The letter with pictures at other addresses: from `src` as it stands in the letter to the new one."""

    def moved(source: re.Match[str]) -> str:
        address = addresses.get(unescape(source[2]))
        return source[0] if address is None else f'{source[1]}{escape(address)}"'

    return _IMAGE.sub(lambda tag: _SOURCE.sub(moved, tag[0]), html)


def _in_scheme(html: str, scheme: str) -> str:
    media = "@media all" if scheme == "dark" else "@media not all"

    def style(found: re.Match[str]) -> str:
        rules = _BOTH.sub(rf"\g<1>{scheme}", _SCHEME.sub(media, found[2]))
        return found[1] + rules + found[3]

    return _META.sub(rf'\g<1>{scheme}"', _STYLE.sub(style, html))
