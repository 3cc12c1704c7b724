"""Files that come into being whole or not at all, and never in the place of another."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from newsletter.errors import DatabaseError

_COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite keeps beside a file it works on."""


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new, empty file in the same folder that only its owner may read; gone at the end, if still there.

    Raises DatabaseError if the folder cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise DatabaseError(f"{path.parent}: nothing can be written there ({error.strerror})") from error
    try:
        yield temporary
    finally:
        for companion in _COMPANIONS:
            Path(f"{temporary}{companion}").unlink(missing_ok=True)


def refuse_existing(path: Path) -> None:
    """Raise DatabaseError if there is something of this name already."""
    if path.exists() or path.is_symlink():
        raise DatabaseError(
            f"{path} is there already; nothing was written. Give another name, or move it away"
        )


def publish(temporary: Path, path: Path) -> None:
    """Give a finished file its name, durably. Raises DatabaseError if something else has taken the name."""
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)  # unlike a rename, refuses a name that is taken
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError:  # a file system without links
        refuse_existing(path)
        temporary.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make names in a folder last through a power cut, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
