"""Files that a site or a person names: read so that nobody waits, and put in place whole.

A named pipe is opened when somebody writes to it, perhaps never, and a device may give bytes without end; a
program that was told to stop would not get to hear it. Only regular files, and links to such, are read here.
"""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """A regular file, to be read. Raises OSError, also where it is anything else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "not a regular file", str(path))


@contextmanager
def put_in_place(path: Path, *, is_private: bool = False) -> Iterator[BinaryIO]:
    """A new file, to be written: whole and on the disk it takes its place, or what was there stays.

    A private one is its owner's alone to read, whatever was there before. What is no regular file, as a pipe
    or a device, is written as it comes. Raises OSError.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    draft = path.with_name(f".{secrets.token_hex(8)}")
    try:
        with open(draft, "xb", opener=_private if is_private else None) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists() and not is_private:
            draft.chmod(stat.S_IMODE(path.stat().st_mode))
        draft.replace(path)
    except OSError as error:
        if error.filename == str(draft):
            error.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
