"""Images that a post names and nobody may find: a warning for its editor, long before a reader sees a gap."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from newsletter.content.post import PostSource

_IMAGE = re.compile(
    r"!\[[^\]\n]{0,500}\]\(\s*<?([^)\s>]{1,2000})|<img\b[^>\n]{0,2000}?\bsrc=[\"']([^\"'\n]{1,2000})"
)
_LEVELS_UP = 6


def missing_images(source: PostSource) -> Iterator[tuple[int, str]]:
    """(line of the file, target) of images that lie neither beside the post nor in a folder above it.

    Where no folder above the post has the first part of a site-absolute path (`/assets/…`), the blog is
    elsewhere and nothing can be said.
    """
    for number, line in enumerate(source.markdown.splitlines(), start=source.body_line):
        for match in _IMAGE.finditer(line):
            target = match[1] or match[2]
            parts = urlsplit(target)
            if (
                not parts.scheme
                and not parts.netloc
                and parts.path
                and not _is_found(parts.path, source.path)
            ):
                yield number, target


def _is_found(path: str, post: Path) -> bool:
    relative = unquote(path).lstrip("/")
    if "\0" in relative:
        return False
    folders = list(post.resolve().parents)[:_LEVELS_UP]
    if not path.startswith("/"):
        return (folders[0] / relative).is_file()
    roots = [folder for folder in folders if (folder / relative.partition("/")[0]).is_dir()]
    return not roots or any((folder / relative).is_file() for folder in roots)
