"""Attributes of elements: which values a tree may hold, and addresses resolved.

Promises: pure and total. What is not a value of its attribute is left out; an address has one of the schemes
that letters know, or none where there is nothing to resolve it against.
"""

import re
from collections.abc import Callable
from urllib.parse import urljoin, urlsplit

from newsletter.content.html import ATTRIBUTES, CLASSES, MAX_NAME_CHARS, without_illegal

_WEB = frozenset({"http", "https"})
_LINKED = _WEB | {"mailto", "tel"}
_LAZY = ("data-src", "data-lazy-src", "data-original")
_VALUES: dict[str, Callable[[str], object]] = {
    "dir": re.compile(r"ltr|rtl|auto").fullmatch,
    "lang": re.compile(r"[A-Za-z0-9-]{2,35}").fullmatch,
    "align": re.compile(r"left|center|right").fullmatch,
    "data-language": re.compile(r"[a-z0-9+#._-]{1,30}").fullmatch,
    **dict.fromkeys(["width", "height", "start", "colspan", "rowspan"], re.compile(r"[0-9]{1,5}").fullmatch),
}


def clean(name: str, given: dict[str, str], base_url: str | None) -> dict[str, str]:
    """The attributes that element `name` of a tree keeps of those given."""
    if not given:
        return {"alt": ""} if name == "img" else {}
    if name == "img":
        given = {"alt": "", **given, "src": _picture(given)}
    kept: dict[str, str] = {}
    allowed = ATTRIBUTES.get(name, set())
    for key, value in given.items():
        if key in allowed and (text := _value(key, without_illegal(value), base_url)) is not None:
            kept[key] = text
    return kept


def _value(key: str, text: str, base_url: str | None) -> str | None:
    """An attribute's value as a tree holds it; None for what is none."""
    if key in ("href", "src"):
        return web_address(text, base_url, _LINKED if key == "href" else _WEB)
    if key == "class":
        return next((word for word in text.split() if word in CLASSES), None)
    if key == "data-by":
        return " ".join(text.split())[:MAX_NAME_CHARS] or None
    return text if key not in _VALUES or _VALUES[key](text) else None


def _picture(given: dict[str, str]) -> str:
    """The address of a picture; lazy loaders keep it elsewhere, and a placeholder in its place."""
    source = given.get("src", "")
    if source.strip().lower().startswith(("http", "/")):
        return source
    return next(filter(None, map(given.get, _LAZY)), source)


def web_address(url: str, base_url: str | None, schemes: frozenset[str] = _WEB) -> str | None:
    """Resolve an address; None for a scheme that is not allowed, a place on the page, or nonsense."""
    url = re.sub(r"[\t\n\r]", "", url.strip()).replace(" ", "%20")
    if not url or url.startswith("#"):
        return None
    try:
        url = urljoin(base_url, url) if base_url else url
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    return url if scheme in schemes or (not scheme and not base_url) else None
