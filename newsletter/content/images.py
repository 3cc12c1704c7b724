"""Images that a post names and nobody may find: a warning for its editor, long before a reader sees a gap.

Only what is sure is said: images at a web address, and those whose address a site generator has yet to make
(`{{ site.url }}/…`), are passed over, and so is code. It never raises, whatever the post says.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from newsletter.content.post import PostSource

# No piece may hold the character that begins the next try, or a line of openings costs its length squared.
_IMAGE = re.compile(
    r"!\[[^\[\]\n]{0,500}\]\([ \t]*<?([^()\s<>]{1,2000})"
    r"|<img\b[^<>\n]{0,2000}?\ssrc=(?:\"([^\"<>\n]{1,2000})\"|'([^'<>\n]{1,2000})')"
)
_FENCE = re.compile(r" {0,3}(```|~~~)")
_LEVELS_UP = 6


def missing_images(source: PostSource) -> Iterator[tuple[int, str]]:
    """(line of the file, target) of images that lie neither beside the post nor in a folder above it.

    Where no folder above the post has the first part of a site-absolute path (`/assets/…`), the blog is
    elsewhere and nothing can be said.
    """
    folders = list(source.path.resolve().parents)[:_LEVELS_UP]
    for number, target in _images(source):
        path = _local_path(target)
        if path and not _is_found(path, folders):
            yield number, target


def site_images(source: PostSource) -> list[tuple[int, str]]:
    """(line of the file, target) of images whose address begins at the root of the blog (`/assets/…`)."""
    return [(number, target) for number, target in _images(source) if re.match(r"/(?!/)", target)]


def _images(source: PostSource) -> Iterator[tuple[int, str]]:
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


def _is_found(path: str, folders: list[Path]) -> bool:
    relative = path.lstrip("/")
    if not path.startswith("/"):
        return _is_file(folders[0], relative)
    roots = [folder for folder in folders if _is_folder(folder, relative.partition("/")[0])]
    return not roots or any(_is_file(folder, relative) for folder in roots)


# Not Path's own: those raise for a name that is too long, or holds a NUL, where these say no.
def _is_file(folder: Path, name: str) -> bool:
    return os.path.isfile(f"{folder}/{name}")  # noqa: PTH113


def _is_folder(folder: Path, name: str) -> bool:
    return os.path.isdir(f"{folder}/{name}")  # noqa: PTH112
