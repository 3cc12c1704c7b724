"""Mail that lies in a Maildir or an mbox, one message at a time, for `paperround inbound replay`.

Nothing there is changed. Memory stays flat: a folder is read name by name, an mbox line by line and a line
piece by piece, and what is larger than may be kept is passed over, not read in. The standard library's
`mailbox` is no help with what strangers may have written: it makes an mbox that is missing, reads a line
however long it is, and notes the places of all messages before it gives the first.

May surprise: in an mbox a message begins at a line `From …` with a time in it that follows an empty line or
nothing (RFC 4155); one `>` is taken from lines `>From `, `>>From ` and so on, as the format mboxrd wants it.
A line that was written with its `>` into an mbox of another kind loses that. Content-Length is not believed.
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from newsletter.feedback.entrances import Entrance
from newsletter.files import open_regular

_PIECE = 64 << 10
"""Bytes of a line that are read at once."""
_BEGINNING = re.compile(rb"From \S.*\d:\d\d")
_QUOTED = re.compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class Found:
    """A message, or what stands in its place where it is too large or cannot be read."""

    entrance: Entrance
    place: str
    """Its file, or the line of an mbox at which it begins."""
    content: bytes | None
    problem: str = ""


def read_folder(path: Path, *, largest: int) -> Iterator[Found]:
    """The messages there, in the order of their names or places. Raises OSError for what is no mail."""
    if path.is_dir():
        if not (path / "cur").is_dir() or not (path / "new").is_dir():
            raise OSError(errno.EINVAL, "is no Maildir: there is no cur and new in it", str(path))
        yield from _read_maildir(path, largest)
    else:
        with open_regular(path) as file:
            yield from _read_mbox(path, file, largest)


def _read_maildir(path: Path, largest: int) -> Iterator[Found]:
    """The files of a Maildir, by name: those begin with the time of delivery."""
    names = sorted(
        (entry.name, sub)
        for sub in ("cur", "new")
        for entry in os.scandir(path / sub)
        if entry.name[0] != "."
    )
    for name, sub in names:
        file = path / sub / name
        try:
            with open_regular(file) as opened:
                content = opened.read(largest + 1)
        except OSError as error:
            yield Found(Entrance.MAILDIR, str(file), None, error.strerror or str(error))
            continue
        yield _found(Entrance.MAILDIR, str(file), content, largest)


def _read_mbox(path: Path, file: BinaryIO, largest: int) -> Iterator[Found]:
    """The messages of an mbox. Raises OSError if it does not begin like one."""
    content, begun_at, number = bytearray(), 0, 0
    is_at_start = was_empty = True
    while piece := file.readline(_PIECE):
        number += is_at_start
        if is_at_start and was_empty and _BEGINNING.match(piece):
            if begun_at:
                yield _found_in(path, begun_at, content, largest)
            content.clear()
            begun_at = number
            while not piece.endswith(b"\n") and (piece := file.readline(_PIECE)):
                pass
            was_empty = False
            continue
        if not begun_at:
            raise OSError(errno.EINVAL, "is no mbox: it does not begin with a line From", str(path))
        if is_at_start:
            was_empty = piece in (b"\n", b"\r\n")
            if _QUOTED.match(piece):
                piece = piece[1:]
        is_at_start = piece.endswith(b"\n")
        if len(content) <= largest:
            content += piece
    if begun_at:
        yield _found_in(path, begun_at, content, largest)


def _found_in(path: Path, line: int, content: bytearray, largest: int) -> Found:
    """A message of an mbox, without the empty line behind it."""
    ending = b"\r\n" if content.endswith(b"\r\n") else b"\n"
    if content.endswith(ending * 2):
        del content[-len(ending) :]
    return _found(Entrance.MBOX, f"{path}:{line}", bytes(content), largest)


def _found(entrance: Entrance, place: str, content: bytes, largest: int) -> Found:
    if len(content) > largest:
        return Found(entrance, place, None, f"it is larger than {largest:,} bytes (max_message_bytes)")
    return Found(entrance, place, content)
