"""Hugo's shortcodes: what each of its own stands for. A blog's own shortcodes are known only to the blog.

Promises: `shortcode` gives what a letter shows instead, or None. May surprise: the address of a page that is
named by its file (`ref`, `relref`) is a guess that says so.
"""

import re
from collections.abc import Callable

from newsletter.content.tags import Tag, Written, code, embed, figure, image, language_of, vimeo, youtube

PAIRED = frozenset({"highlight"})
"""Shortcodes that enclose something, up to `{{< /name >}}`."""

_USER = re.compile(r"@?(\w{1,30})")
_NUMBER = re.compile(r"[0-9]{1,25}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,50}")


def shortcode(tag: Tag) -> Written | None:
    """What a shortcode, `{{< name … >}}` or `{{% name … %}}`, stands for."""
    meaning = _MEANINGS.get(tag.name)
    return meaning(tag) if meaning else None


def _figure(tag: Tag) -> Written | None:
    named = tag.arguments.named
    if not named.get("src"):
        return None
    shown = image(named["src"], named.get("alt", ""), link=named.get("link", ""))
    heading = f"**{named['title']}**" if named.get("title") else ""
    texts = (heading, named.get("caption", ""), named.get("attr", ""))
    return Written(figure(shown, " ".join(filter(None, texts)), tag.lead))


def _video(player: Callable[[str, str], str | None]) -> Callable[[Tag], Written | None]:
    def meaning(tag: Tag) -> Written | None:
        html = player(_id(tag), tag.arguments.named.get("title", ""))
        return Written(html) if html else None

    return meaning


def _post_on_x(tag: Tag) -> Written | None:
    number, by = _NUMBER.fullmatch(_id(tag)), _USER.fullmatch(tag.arguments.named.get("user", ""))
    return Written(embed(f"https://x.com/{by[1] if by else 'i/web'}/status/{number[0]}")) if number else None


def _instagram(tag: Tag) -> Written | None:
    post = _ID.fullmatch(_id(tag))
    return Written(embed(f"https://www.instagram.com/p/{post[0]}/")) if post else None


def _gist(tag: Tag) -> Written | None:
    parts = tag.arguments.others[:2]
    is_gist = len(parts) == 2 and all(map(_ID.fullmatch, parts))
    return Written(embed("https://gist.github.com/" + "/".join(parts))) if is_gist else None


def _highlight(tag: Tag) -> Written:
    return Written(code(tag.body, language_of([tag.arguments.first]), tag.lead))


def _id(tag: Tag) -> str:
    return tag.arguments.named.get("id", tag.arguments.first)


def _page(tag: Tag) -> Written | None:
    path, _, place = tag.arguments.named.get("path", tag.arguments.first).partition("#")
    path = re.sub(r"(?:/?_?index)?\.(?:md|markdown|html)$", "", path)
    if not path or " " in path:
        return None
    address = path.rstrip("/") + "/" + (f"#{place}" if place else "")
    return Written(
        address,
        f"names a page by its file: the letter links to {address}; write the address if it is another",
    )


_MEANINGS: dict[str, Callable[[Tag], Written | None]] = {
    "figure": _figure,
    "youtube": _video(youtube),
    "vimeo": _video(vimeo),
    **dict.fromkeys(["tweet", "twitter", "x"], _post_on_x),
    "instagram": _instagram,
    "gist": _gist,
    "highlight": _highlight,
    **dict.fromkeys(["ref", "relref"], _page),
}
