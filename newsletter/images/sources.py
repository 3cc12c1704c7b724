"""Where a picture that a post names is to be had: in a file of its blog, or on the web.

A path beside the post, and one from the root of the blog (`/assets/…`), are looked up on disk, and so is an
address of the blog itself: what is at hand need not be fetched. The blog's root is the nearest folder above
the post that looks like one (a repository, a generator's configuration), else the folder above the post's;
it is never the home folder or one above that. Nothing outside of it is ever named, by no way: neither `..`
nor a symbolic link.

`locate` fails with `ImageError`. The warnings (`missing_images`, `site_images`) never raise, whatever the
post says, and only say what is sure: images at a web address, and those whose address a site generator has
yet to make (`{{ site.url }}/…`), are passed over, and so is code.
"""

import os
import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from newsletter.content.post import PostSource
from newsletter.images.errors import ImageError

# No piece may hold the character that begins the next try, or a line of openings costs its length squared.
_IMAGE = re.compile(
    r"!\[[^\[\]\n]{0,500}\]\([ \t]*<?([^()\s<>]{1,2000})"
    r"|<img\b[^<>\n]{0,2000}?\ssrc=(?:\"([^\"<>\n]{1,2000})\"|'([^'<>\n]{1,2000})')"
)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_LEVELS_UP = 6
_ROOT_MARKS = (
    ".git",
    "_config.toml",
    "_config.yaml",
    "_config.yml",
    "_posts",
    "config.toml",
    "hugo.toml",
    "hugo.yaml",
    "mkdocs.yml",
    "paperround.toml",
)


def locate(target: str, post_path: Path, base_url: str | None) -> Path | str | None:
    """Give the file of a picture, or else its http(s) address; None if it has neither.

    Args:
        target: what the post calls it, as written or made absolute.
        post_path: the post's file, which need not be there any longer.
        base_url: the address that relative ones are resolved against; None where the blog has none.

    Raises:
        ImageError: it is named by something else than a path or a web address, or lies outside of the blog.
    """
    try:
        parts = urlsplit(target)
        absolute = urljoin(base_url or "", target)
    except ValueError as error:
        raise ImageError(target, f"is at no address that can be understood ({error}): mend it") from error
    if "{{" in target or "{%" in target:
        raise ImageError(target, "has template code in its address: write the address itself")
    if parts.scheme == "data":
        raise ImageError(target, "is written into the post: save it as a file beside the post")
    if parts.scheme not in {"", "http", "https"}:
        raise ImageError(
            target, f"is named by {parts.scheme}:, not by a path or a web address: put it beside the post"
        )
    folders = _blog_folders(post_path.parent)
    for path in _paths_on_blog(target, base_url):
        if found := _find(path, folders):
            return found
    if absolute.startswith("//"):
        return f"https:{absolute}"
    return absolute if absolute.startswith(("http://", "https://")) else None


def missing_images(source: PostSource) -> Iterator[tuple[int, str]]:
    """(line of the file, target) of images that lie neither beside the post nor in a folder above it.

    Where no folder above the post has the first part of a site-absolute path (`/assets/…`), the blog is
    elsewhere and nothing can be said.
    """
    folders = _blog_folders(source.path.parent)
    is_found = cache(lambda path: _is_found(path, folders))
    for number, target in image_lines(source):
        path = _local_path(target)
        if path and not is_found(path):
            yield number, target


def site_images(source: PostSource) -> list[tuple[int, str]]:
    """(line of the file, target) of images whose address begins at the root of the blog (`/assets/…`)."""
    return [(number, target) for number, target in image_lines(source) if re.match(r"/(?!/)", target)]


def image_lines(source: PostSource) -> Iterator[tuple[int, str]]:
    """(line of the file, target) of every image outside fenced code."""
    fence = ""
    for number, line in enumerate(source.markdown.split("\n"), start=source.body_line):
        mark = _FENCE.match(line)
        if mark and fence in ("", mark[1]):
            fence = "" if fence else mark[1]
        elif not fence:
            for image in _IMAGE.finditer(line):
                yield number, image[1] or image[2] or image[3]


def _local_path(target: str) -> str:
    """The path of an image on the blog itself; empty for one elsewhere."""
    if "{{" in target or "{%" in target:
        return ""
    try:
        parts = urlsplit(target)
    except ValueError:  # no address at all, such as http://[
        return ""
    return "" if parts.scheme or parts.netloc else unquote(parts.path)


def _paths_on_blog(target: str, base_url: str | None) -> Iterator[str]:
    """The paths, beside the post or from the blog's root, that a target may mean on disk.

    An absolute address has lost how it was written, and a blog's root may be a folder of its site
    (`https://ann.example/blog/`): so each folder that it shares with the post's address may be left out.
    """
    if path := _local_path(target):
        yield path
        return
    here, base = urlsplit(target), urlsplit(base_url or "")
    if not here.netloc or here.netloc != base.netloc:
        return
    folder = base.path.rpartition("/")[0] + "/"
    if here.path.startswith(folder):
        yield unquote(here.path[len(folder) :])
    shared = 0
    for part in [*folder.split("/")[1:-1], None]:
        yield unquote(here.path[shared:])
        if part is None or not here.path.startswith(f"/{part}/", shared):
            return
        shared += len(part) + 1


@lru_cache(maxsize=256)  # a blog stays where it is while a program runs, and its posts stand together
def _blog_folders(posts: Path) -> list[Path]:
    """The folder of posts and those above it, up to the root of the blog."""
    resolved = posts.resolve()
    own, *above = [resolved, *resolved.parents][:_LEVELS_UP]
    home = Path(os.path.expanduser("~"))  # noqa: PTH111  (Path.home raises where there is none)
    folders = [own, *takewhile(lambda folder: not home.is_relative_to(folder), above)]
    for number, folder in enumerate(folders, start=1):
        if any(_exists(folder, mark) for mark in _ROOT_MARKS):
            return folders[:number]
    return folders[:2]


def _find(path: str, folders: list[Path]) -> Path | None:
    """The file at a path beside the post or, if it begins with `/`, in any folder above it.

    Raises:
        ImageError: the path leads outside of the blog.
    """
    for folder in folders if path.startswith("/") else folders[:1]:
        try:
            place = (folder / path.lstrip("/")).resolve()
        except (OSError, RuntimeError, ValueError):  # a name that is too long, a circle of links, a NUL
            continue
        if not place.is_relative_to(folders[-1]):
            raise ImageError(path, f"lies outside of the blog ({folders[-1]}): put it beside the post")
        if os.path.isfile(place):  # noqa: PTH113  (see `_exists`)
            return place
    return None


def _is_found(path: str, folders: list[Path]) -> bool:
    first = path.lstrip("/").partition("/")[0]
    if path.startswith("/") and not any(_exists(folder, first) for folder in folders):
        return True
    try:
        return _find(path, folders) is not None
    except ImageError:
        return False


def _exists(folder: Path, name: str) -> bool:
    # Not Path's own, which raises for a name that is too long, or holds a NUL, where this says no.
    return os.path.exists(f"{folder}/{name}")  # noqa: PTH110
