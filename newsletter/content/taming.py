"""HTML of any quality, made harmless to an HTML parser, and what is no HTML made visible.

Promises: `tame` is pure, total and linear. Words that only look like tags become text; comments, scripts
and styles vanish, and where nothing closes one it swallows nothing; embedded pages and players become links,
drawn pictures (SVG) their titles, formulas (MathML) their words; what ruby says beside a character follows it
in brackets; nesting stays under `MAX_DEPTH`.
"""

import re
from collections.abc import Callable

from newsletter.content.html import words

MAX_DEPTH = 50
"""Elements inside elements; what is nested deeper is flattened."""

_HTML_TAGS = words(
    """
    a abbr acronym address applet area article aside audio b base basefont bdi bdo big blink
    blockquote body br button canvas caption center cite code col colgroup data datalist dd del
    details dfn dialog dir div dl dt em embed fieldset figcaption figure font footer form frame
    frameset h1 h2 h3 h4 h5 h6 head header hgroup hr html i iframe img input ins kbd label legend li
    link main map mark marquee menu meta meter nav nobr noscript object ol optgroup option output p
    param picture pre progress q rp rt ruby s samp search section select slot small source span
    strike strong sub summary sup table tbody td tfoot th thead time tr track tt u ul var
    video wbr o:p
    """
)
# Tags without an end, or whose end may be left out: they do not count as depth.
_UNENDED = words(
    """
    area base basefont br col embed frame hr img input li link meta p param source track wbr dd dt
    option optgroup rp rt tbody td tfoot th thead tr
    """
)
_EMBEDS = frozenset({"iframe", "video", "audio", "embed", "source"})
SHOWS_NOTHING = r"<!(?:-[^<>-]|(?i:doctype))[^<>]*>"
"""`<!doctype html>`, and a comment that a blog's export mangled (`<!- more ->`)."""

_TAG = re.compile(rf"<(/?)([A-Za-z][^\s/<>]*)([^<>]*)>?|{SHOWS_NOTHING}|<(?=[!?])")
_PAIR = {
    name: re.compile(rf"""\s{name}\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
    for name in ("src", "data-src", "title", "alttext")
}
# What `<rt>` says ends at its end tag or, as HTML allows, at the next part of the ruby or with it.
_GLOSS = re.compile(
    r"(?P<bracket><rp\b[^<>]*>[^<]*(?:</rp\s*>\s*)?)?<rt\b[^<>]*>(?P<reading>[^<]*)(?=</?r)", re.IGNORECASE
)
_LINK_START = re.compile(r"https?://|/(?=[^/])|//", re.IGNORECASE)


def tame(html: str) -> str:
    """Give HTML that a parser reads in linear time, as its writer meant it."""
    lower = html.lower()
    for opening, closing, shown in _REPLACED:
        if opening in lower:
            html = _replaced(html, opening, closing, shown)
    if "<rt" in lower:
        html = _GLOSS.sub(_gloss, html)
    depth = 0

    def tamed(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2] is None:
            return "" if tag[0].endswith(">") else "&lt;"
        slash, name, rest = tag[1], tag[2].lower(), tag[3]
        if name not in _HTML_TAGS:
            return "&lt;" + tag[0][1:]
        if name in _EMBEDS:
            return "" if slash or name == "source" else _embedded(rest, name)
        if name == "noscript":  # what is in it would be read as text
            return ""
        if name not in _UNENDED:
            # An unclosed tag deepens the text for good: HTML opens it again in every paragraph.
            depth = max(0, depth - 1) if slash else depth + 1
            if depth + bool(slash) > MAX_DEPTH:
                return ""
        return tag[0]

    return _TAG.sub(tamed, html)


def _gloss(ruby: re.Match[str]) -> str:
    """The reading beside a character, in the brackets that `<rp>` would hold."""
    reading = ruby["reading"].strip()
    return ruby[0] if ruby["bracket"] or not reading else f" ({reading})"


def _embedded(attributes: str, name: str) -> str:
    """A link in the place of an embedded page, marked `data-embed`."""
    source = _value_of("src", attributes) or _value_of("data-src", attributes)
    if not _LINK_START.match(source):
        return ""
    return f' <a href="{source}" data-embed="{name}">{_value_of("title", attributes) or source}</a> '


def _value_of(name: str, attributes: str) -> str:
    """An attribute's value, safe between double quotes and as text."""
    found = _PAIR[name].search(attributes)
    value = (found[1] or found[2] or found[3] or "").strip() if found else ""
    return value.replace('"', "&quot;").replace("<", "&lt;")


def _replaced(html: str, opening: str, closing: str, shown: Callable[[str], str]) -> str:
    """Put what is shown in the place of elements, their tags in any case; one that nothing closes stays."""
    lower, at = html.lower(), 0
    if len(lower) != len(html):  # a few capitals have longer lower cases: then only tags in lower case
        lower = html
    pieces: list[str] = []
    while (start := lower.find(opening, at)) >= 0:
        end = lower.find(closing, start + len(opening))
        if end < 0:
            break
        close = lower.find(">", end) + 1 or len(html)
        pieces += [html[at:start], shown(html[start:close])]
        at = close
    return "".join(pieces) + html[at:]


def _nothing(_: str) -> str:
    return ""


def _script(element: str) -> str:
    """A link for the one script that stands for words, a gist's; nothing for any other."""
    start = _TAG.match(element)
    is_gist = start is not None and _value_of("src", start[3] or "").startswith("https://gist.github.com/")
    return _embedded(start[3], "script") if start and is_gist else ""


def _player(element: str) -> str:
    """A link for `<video>` or `<audio>`, without what they show where they cannot play."""
    name = element[1:6].lower()
    tags = (tag for tag in _TAG.finditer(element) if (tag[2] or "").lower() in (name, "source"))
    return next(filter(None, (_embedded(tag[3], name) for tag in tags)), "")


def _title_of(drawing: str) -> str:
    found = re.search(r"<title[^<>]*>([^<]*)</title", drawing, re.IGNORECASE)
    return found[1] if found else ""


def _formula(element: str) -> str:
    """What a formula says of itself: its alternative text, its TeX, or else its parts."""
    start = _TAG.match(element)
    written = _value_of("alttext", start[3] or "") if start else ""
    tex = re.search(r"<annotation\s[^<>]*tex[^<>]*>([^<]*)<", element, re.IGNORECASE)
    parts = _replaced(element, "<annotation", "</annotation", _nothing)
    return written or (tex[1] if tex else " ".join(_TAG.sub(" ", parts).split()))


_REPLACED: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("<!--", "-->", _nothing),
    ("<script", "</script", _script),
    ("<style", "</style", _nothing),
    ("<svg", "</svg", _title_of),
    ("<math", "</math", _formula),
    ("<video", "</video", _player),
    ("<audio", "</audio", _player),
)
