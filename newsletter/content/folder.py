"""The posts of a folder."""

import os
from collections.abc import Iterator
from pathlib import Path

_SUFFIXES = (".md", ".markdown")
_SKIPPED = ("_site", "node_modules")


def posts_in(folder: Path) -> Iterator[Path]:
    """The posts under a folder, in no order; not what is hidden, or made or fetched by programs."""
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _SKIPPED]
        for name in files:
            if name.lower().endswith(_SUFFIXES) and not name.startswith("."):
                yield Path(place, name)
