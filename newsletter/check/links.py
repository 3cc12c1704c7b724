"""Rules on links: that they lead somewhere from a letter, and say where."""

import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from newsletter.check.findings import Severity
from newsletter.check.post import Findings, Post, shortened
from newsletter.check.source import Link

_VAGUE = frozenset(
    {
        *("here", "click here", "this", "this link", "link", "read more", "more", "see here"),
        *("hier", "ici", "aquí", "aqui", "qui", "здесь", "тут", "כאן", "פה", "לחצו כאן", "اضغط هنا", "هنا"),
        *("こちら", "ここ", "这里", "點這裡"),
    }
)
"""What says nothing when a screen reader lists a page's links."""
_MAILBOX = re.compile(r"[^\s@,]+@[^\s@,]+\.[^\s@,]+")
_BARE = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_LIQUID_POST = re.compile(r"\{%-?\s*post_url\s+[\"']?([^\s\"'%]+)[\"']?\s*-?%\}")
_LIQUID_LINK = re.compile(r"\{%-?\s*link\s+[\"']?([^\s\"'%{}]+)[\"']?\s*-?%\}")
_HOST_WITHOUT_SCHEME = re.compile(r"www\.|https?:?/(?!/)|https?//", re.IGNORECASE)
_PAGE_ENDINGS = frozenset({"", ".html", ".htm", ".php", ".asp", ".aspx", ".xml"})
"""What a site generator makes, which need not be a file beside the post."""
_POST_ENDINGS = (".md", ".markdown")
_FILE_ENDING = re.compile(r"\.(?=[a-z0-9]{1,8}$)\d*[a-z][a-z0-9]*")
_OWN_MACHINE = ("localhost", "127.0.0.1", "0.0.0.0", "::1")  # noqa: S104  addresses to warn of
_LEVELS_UP = 6


def check_links(post: Post) -> Findings:
    """Addresses, and the purpose of each link by its text (WCAG 2.2, 2.4.4)."""
    for link in post.text.links:
        fault = _fault(post.path, re.sub(r"[\t\n\r]", "", link.target.strip()))
        if fault:
            yield post.finding(link.offset, *fault)
        elif link.text is not None:
            yield from _text(post, link)


def _text(post: Post, link: Link) -> Findings:
    text = link.text or ""
    bare = "".join(c for c in text.casefold() if unicodedata.category(c)[0] not in "PS").strip()
    if not text and not link.has_image:  # an image without words is a finding of its own
        yield post.finding(
            link.offset,
            "link-empty",
            Severity.ERROR,
            f"the link to {shortened(link.target)} has no text: nobody can see it or know where it leads",
            "write its text, or remove it",
        )
    elif bare in _VAGUE:
        yield post.finding(
            link.offset,
            "link-vague",
            Severity.NOTE,
            f"the link text “{shortened(text)}” says nothing of where it leads when it is read alone",
            "let the text name what is there",
        )
    elif _BARE.fullmatch(text):
        yield post.finding(
            link.offset,
            "link-bare",
            Severity.NOTE,
            f"the link’s text is its address, {shortened(text)}, which is read out letter by letter",
            "let the text name what is there",
        )


class _Fault(NamedTuple):
    """What is wrong with where a link leads, as a finding has it."""

    rule: str
    severity: Severity
    why: str
    mend: str


def _broken(why: str, mend: str = "correct its address") -> _Fault:
    return _Fault("link-broken", Severity.ERROR, why, mend)


def _fault(post: Path, target: str) -> _Fault | None:
    if "{{" in target or "{%" in target:
        return _liquid(post, target)
    if not target:
        return _broken("this link has no address", "write one, or remove the link")
    if target.startswith("#"):
        why = f"a letter has no places to go to: the link to {shortened(target)} becomes plain text"
        return _Fault(
            "link-fragment", Severity.NOTE, why, "link to the place on the blog, if readers need it"
        )
    try:
        parts = urlsplit(target)
    except ValueError:
        return _broken(f"{shortened(target)} is no address", "correct it")
    judge = _SCHEMES.get(parts.scheme.lower())
    return judge(parts) if judge else _relative(post, target, parts)


def _liquid(post: Path, target: str) -> _Fault | None:
    """A link to another post, as Jekyll writes it; what else Liquid makes cannot be judged."""
    found = _LIQUID_POST.fullmatch(target) or _LIQUID_LINK.fullmatch(target)
    if not found:
        return None
    names = [f"_posts/{found[1]}{ending}" for ending in _POST_ENDINGS]
    is_missing = _blog_lacks(post, [*names, found[1]])
    return (
        _broken(f"there is no post {shortened(found[1])} on the blog", "correct its name")
        if is_missing
        else None
    )


def _web(parts: SplitResult) -> _Fault | None:
    shown = shortened(parts.geturl())
    if not parts.hostname:
        return _broken(f"{shown} names no site")
    if parts.hostname in _OWN_MACHINE:
        why = f"{shown} leads to the reader’s own machine"
        return _Fault("link-local", Severity.WARNING, why, "link to the page’s address on the web")
    return None


def _mail(parts: SplitResult) -> _Fault | None:
    """A `mailto:` (RFC 6068), whose addresses may be left out where it has a subject or text."""
    addresses = [unquote(address).strip() for address in parts.path.split(",")]
    if all(map(_MAILBOX.fullmatch, addresses)) or (not parts.path and parts.query):
        return None
    return _broken(f"{shortened(parts.geturl())} is no mailbox", "write it as mailto:name@example.org")


_SCHEMES: Mapping[str, Callable[[SplitResult], _Fault | None]] = {
    "http": _web,
    "https": _web,
    "mailto": _mail,
    "tel": lambda _: None,
}


def _relative(post: Path, target: str, parts: SplitResult) -> _Fault | None:
    shown = shortened(target)
    if _HOST_WITHOUT_SCHEME.match(target):
        return _broken(f"{shown} would be a page of the blog, not another site", "begin it with https://")
    if parts.scheme:
        why = f"mail has no links of the kind {shortened(parts.scheme)}: the letter drops this one"
        return _Fault("link-scheme", Severity.ERROR, why, "link to a web page, or remove the link")
    path = unquote(parts.path)
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122  Path would refuse what is no path
    if parts.netloc or ending in _PAGE_ENDINGS or not _FILE_ENDING.fullmatch(ending):
        return None
    if _blog_lacks(post, [path[1:]]) if path.startswith("/") else not _is_file(post.parent, path):
        return _broken(f"there is no {shown} on the blog")
    if ending in _POST_ENDINGS:
        why = f"{shown} is a post’s file, which readers cannot open"
        return _Fault("link-to-source", Severity.WARNING, why, "link to the post’s address on the blog")
    return None


def _blog_lacks(post: Path, names: list[str]) -> bool:
    """Whether a blog that is there has none of these files; a blog that is elsewhere cannot be judged."""
    folders = list(post.resolve().parents)[:_LEVELS_UP]
    top = names[0].partition("/")[0]
    roots = [folder for folder in folders if _is_folder(folder, top)]
    return bool(roots) and not any(_is_file(root, name) for root in roots for name in names)


# Not Path's own: those raise for a name that is too long, or holds a NUL, where these say no.
def _is_file(folder: Path, name: str) -> bool:
    return os.path.isfile(f"{folder}/{name}")  # noqa: PTH113


def _is_folder(folder: Path, name: str) -> bool:
    return os.path.isdir(f"{folder}/{name}")  # noqa: PTH112
