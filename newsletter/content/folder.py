"""The posts of a folder: a blog of Jekyll's or Hugo's, or any folder of Markdown files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

_SUFFIXES = (".md", ".markdown")
_SKIPPED = ("_site", "_includes", "_layouts", "_data", "node_modules")
_SKIPPED_BESIDE_CONTENT = ("archetypes", "layouts", "public", "themes")
"""Of a Hugo site, which is known by its `content`; within that a section may have any name."""
_SECTION = "_index"
"""The name, without suffix, of what Hugo shows above a list of posts."""


def posts_in(folder: Path, on_error: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """The posts under a folder, in no order; not what is hidden, made by programs, or lies elsewhere.

    A folder that cannot be looked into is passed over, and `on_error` is told.
    """
    root = folder.resolve()
    for place, folders, files in os.walk(folder, onerror=on_error):
        is_hugo_site = place == str(folder) and "content" in folders
        skipped = (*_SKIPPED, *(_SKIPPED_BESIDE_CONTENT if is_hugo_site else ()))
        folders[:] = [name for name in folders if not name.startswith(".") and name not in skipped]
        for name in files:
            path = Path(place, name)
            if _is_post(name) and _is_inside(path, root):
                yield path


def _is_post(name: str) -> bool:
    path = Path(name)
    return path.suffix.lower() in _SUFFIXES and not name.startswith(".") and path.stem != _SECTION


def _is_inside(path: Path, root: Path) -> bool:
    """Whether a file lies where it seems to: a symbolic link may lead anywhere."""
    try:
        return not path.is_symlink() or path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a link that leads to itself: whoever opens it will say so
        return True
