"""The posts of a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".md", ".markdown")
_SKIPPED = ("_site", "node_modules")


def posts_in(folder: Path) -> Iterator[Path]:
    """The posts under a folder, in no order; not what is hidden, made by programs, or lies elsewhere."""
    root = folder.resolve()
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for name in files:
            path = Path(place, name)
            if name.lower().endswith(_SUFFIXES) and not name.startswith(".") and _is_inside(path, root):
                yield path


def _is_inside(path: Path, root: Path) -> bool:
    """Whether a file lies where it seems to: a symbolic link may lead anywhere."""
    return not path.is_symlink() or path.resolve().is_relative_to(root)
