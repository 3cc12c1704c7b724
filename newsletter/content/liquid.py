"""Liquid, as Jekyll's blogs hold it: what each tag and output stands for. Nothing is evaluated.

Promises: `tag` and `output` give what a letter shows instead, or None for what only the blog's own templates
know. May surprise: a blog's permalinks are its own secret, so the address of a post that is named by its file
is a guess (`/2024/05/31/name.html`, as Jekyll makes it where a post has no category) and says so.
"""

import re
from collections.abc import Callable

from newsletter.content.tags import Tag, Written, code, embed, language_of, vimeo, youtube

PAIRED = frozenset({"raw", "highlight", "comment"})
"""Tags that enclose something, up to `{% endNAME %}`."""

_POST = re.compile(r"/?((?:[^/\s]+/)*)(\d{4})-(\d{1,2})-(\d{1,2})-([^/\s]+)")
_MARKDOWN = re.compile(r"\.(?:md|markdown|mkd)$")
_QUOTED = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)')""")
_ADDRESS_FILTER = re.compile(
    r"""\s*(?:relative_url|absolute_url|prepend:\s*(?:site\.(?:baseurl|url)|["']["']))\s*"""
)
_GIST = re.compile(r"[A-Za-z0-9-]{1,40}/[0-9a-f]{5,40}|[0-9a-f]{5,40}")


def tag(tag: Tag) -> Written | None:
    """What a tag, `{% name … %}`, stands for."""
    meaning = _MEANINGS.get(tag.name)
    return meaning(tag) if meaning else None


def output(text: str, *, origin: str) -> Written | None:
    """What an output, `{{ text }}`, stands for; `origin` is the blog's address without a path, if known."""
    text = text.strip(" \t\n-")
    if text == "site.baseurl":
        return Written("")
    if text == "site.url":
        return Written(origin)
    value, *filters = text.split("|")
    path = _QUOTED.fullmatch(value.rstrip())
    if not path or not filters or not all(map(_ADDRESS_FILTER.fullmatch, filters)):
        return None
    address = path[1] or path[2] or ""
    return Written(address if "://" in address else "/" + address.lstrip("/"))


def _raw(tag: Tag) -> Written:
    return Written(tag.body)


def _comment(_: Tag) -> Written:
    return Written("")


def _highlight(tag: Tag) -> Written:
    return Written(code(tag.body, language_of([tag.arguments.first]), tag.lead))


def _video(player: Callable[[str, str], str | None]) -> Callable[[Tag], Written | None]:
    def meaning(tag: Tag) -> Written | None:
        html = player(tag.arguments.first, tag.arguments.named.get("title", ""))
        return Written(html) if html else None

    return meaning


def _gist(tag: Tag) -> Written | None:
    found = _GIST.fullmatch(tag.arguments.first)
    return Written(embed(f"https://gist.github.com/{found[0]}")) if found else None


def _post_url(tag: Tag) -> Written | None:
    return _post(tag.arguments.first)


def _link(tag: Tag) -> Written | None:
    return _page(tag.arguments.first)


def _post(name: str) -> Written | None:
    found = _POST.fullmatch(name)
    if not found:
        return None
    folders, year, month, day, title = found.groups()
    address = f"/{folders}{year}/{month:0>2}/{day:0>2}/{_MARKDOWN.sub('', title)}.html"
    return Written(
        address,
        f"names a post by its file: the letter links to {address}, which is right only if the blog keeps to "
        "Jekyll's own permalinks and the post has no category; write the address if it is another",
    )


def _page(path: str) -> Written | None:
    path = path.lstrip("/")
    if not path:
        return None
    if path.startswith("_posts/"):
        return _post(path.removeprefix("_posts/"))
    if not _MARKDOWN.search(path):
        return Written(f"/{path}")
    address = f"/{_MARKDOWN.sub('', path.lstrip('_'))}.html"
    return Written(
        address,
        f"names a page by its file: the letter links to {address}; write the address if it is another",
    )


_MEANINGS: dict[str, Callable[[Tag], Written | None]] = {
    "raw": _raw,
    "comment": _comment,
    "highlight": _highlight,
    "post_url": _post_url,
    "link": _link,
    "youtube": _video(youtube),
    "vimeo": _video(vimeo),
    "gist": _gist,
}
