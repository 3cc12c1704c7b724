"""WordPress's shortcodes, as its exports leave them: what each one stands for.

Promises: `shortcode` gives what a letter shows instead, or None for what only looks like a shortcode
(`[code]` that nothing closes). A gallery without its pictures is left out, and says so.
"""

import re

from newsletter.content.tags import Tag, Written, code, embed, figure, language_of, vimeo, youtube

LANGUAGES = frozenset(
    """
    actionscript3 bash c clojure coldfusion cpp csharp css delphi diff erlang fsharp go groovy html
    java javascript js json julia jscript kotlin latex matlab objc perl php plain powershell python
    r ruby rust scala shell sql swift text typescript vb xml yaml
    """.split()  # noqa: SIM905  a list of a word a line says no more
)
"""Languages whose names are shortcodes for code: `[python]…[/python]`."""

PROSE = frozenset({"caption", "gallery", "embed", "audio", "video"})
"""Shortcodes that may enclose prose, up to `[/name]`."""

PAIRED = LANGUAGES | PROSE | {"code", "sourcecode"}
"""Shortcodes that may enclose something, up to `[/name]`."""

NAMES = PAIRED | {"youtube", "vimeo"}
"""Every shortcode that is understood; other words in brackets are text."""

_PICTURE = re.compile(
    r"\s*(\[?!\[[^\]]*\]\([^)]*\)(?:\{:[^}]*\})?(?:\]\([^)]*\)(?:\{:[^}]*\})?)?"
    r"|(?:<a\b[^>]*>)?\s*<img\b[^>]*>\s*(?:</a>)?)?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_MEDIA = ("src", "mp3", "mp4", "m4a", "ogg", "wav", "m4v", "webm", "ogv")
_ADDRESS = re.compile(r"https?://[^\s\[\]<>\"']+")


def shortcode(tag: Tag, *, is_closed: bool) -> Written | None:
    """What a shortcode stands for; `is_closed` says that `[/name]` was found, and `tag.body` is before it."""
    named = tag.arguments.named
    match tag.name:
        case "caption" if is_closed:
            picture = _PICTURE.fullmatch(tag.body)
            shown, words = (picture[1] or "", picture[2]) if picture else ("", tag.body)
            return Written(figure(shown, f"{named.get('caption', '')} {words}".strip(), tag.lead))
        case "gallery":
            return _gallery(tag, is_closed=is_closed)
        case "embed" | "audio" | "video" | "youtube" | "vimeo":
            return _player(tag)
        case _ if is_closed:
            given = named.get("language") or named.get("lang") or tag.text.strip(" =")
            language = tag.name if tag.name in LANGUAGES else language_of([given])
            return Written(code(tag.body, language, tag.lead))
        case _:
            return None


def _gallery(tag: Tag, *, is_closed: bool) -> Written | None:
    if is_closed and tag.body.strip():
        return Written(tag.body)
    if not tag.text.strip() and tag.lead is None:
        return None  # a word in brackets, in a sentence
    return Written(
        "",
        "stands for pictures that the post does not hold: the letter leaves them out; put the pictures in "
        "the post to show them",
    )


def _player(tag: Tag) -> Written | None:
    named = tag.arguments.named
    given = next((named[name] for name in _MEDIA if name in named), "") or f"{tag.text} {tag.body}"
    address = _ADDRESS.search(given)
    if address:
        return Written(embed(address[0], named.get("title", "")))
    first = tag.arguments.first
    player = {"youtube": youtube, "vimeo": vimeo}.get(tag.name)
    if player and first:
        html = player(first)
        return Written(html) if html else None
    if given.startswith("/") and not given.startswith("//"):
        return Written(embed(given.strip(), named.get("title", "")))
    return None
