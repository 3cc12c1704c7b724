"""The files that somebody names: one, a folder of them, an archive, or what comes through a pipe.

Each can be read again and again, from its beginning. Nothing is unpacked to disk: a file of an archive is
unpacked as it is read, and one that would be beyond measure is refused.
"""

import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from subscribers.errors import PaperroundError

_ZIP, _GZIP = b"PK\x03\x04", b"\x1f\x8b"
_ENDINGS = (".csv", ".txt", ".tsv", ".json")
_MOST_MEMBERS = 200_000
_MOST_BYTES = 16 * 2**30
_SAFE_BYTES = 64 * 2**20
_MOST_RATIO = 200
"""CSV shrinks to a tenth or a thirtieth; a bomb to a thousandth."""


class CsvError(PaperroundError, ValueError):
    """A file of people cannot be read."""


class NotPeopleError(CsvError):
    """A file has no people in it. Among many files, such a one is no mistake."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file."""

    shown: str
    """As errors call it."""
    name: str
    """Without the folders."""
    part: str
    """Its name in the folder or the archive; "" where it is a file of its own."""
    open: Callable[[], IO[bytes]]


def sources(path: Path) -> list[Source]:
    """The files that a path stands for, by name; `-` is standard input.

    Raises CsvError where there is none to read.
    """
    path = Path("/dev/stdin") if path == Path("-") else path
    try:
        kind = path.stat().st_mode
        if stat.S_ISDIR(kind):
            return _in_folder(path)
        if stat.S_ISFIFO(kind):
            return [_from_pipe(path)]
        if not stat.S_ISREG(kind):
            raise CsvError(f"{path}: is neither a file nor a folder")
        if _magic(path) == _ZIP:
            return _in_archive(path)
        if _magic(path).startswith(_GZIP):
            raise CsvError(f"{path}: is compressed; unpack it first: gunzip {path}")
    except OSError as error:
        raise CsvError(f"{path}: cannot be read: {error.strerror or error}") from error
    return [_alone(path)]


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4)


def _alone(path: Path, part: str = "") -> Source:
    return Source(str(path), path.name, part, lambda: path.open("rb"))


def _in_folder(folder: Path) -> list[Source]:
    found = [path for path in sorted(folder.iterdir()) if _is_candidate(path.name) and path.is_file()]
    if not found:
        raise CsvError(f"{folder}: holds no file that ends in {', '.join(_ENDINGS)}")
    return [_alone(path, path.name) for path in found]


def _from_pipe(path: Path) -> Source:
    """What comes through a pipe comes once, and is kept in a file that goes with the last who may read it."""
    kept = tempfile.NamedTemporaryFile(prefix="paperround-")  # noqa: SIM115
    with path.open("rb") as pipe:
        shutil.copyfileobj(pipe, kept)
    kept.flush()
    magic = _magic(Path(kept.name))
    if magic == _ZIP or magic.startswith(_GZIP):
        raise CsvError(f"{path}: what comes through the pipe is packed; write it to a file, and name that")
    return Source(str(path), path.name, "", lambda: Path(kept.name).open("rb"))


def _in_archive(path: Path) -> list[Source]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise CsvError(f"{path}: is a damaged archive ({error}); download it again") from error
    names = {member.filename for member in members}
    if "[Content_Types].xml" in names or "content.xml" in names:
        raise CsvError(f"{path}: is a spreadsheet program's own file; save it there as CSV, in UTF-8")
    if len(members) > _MOST_MEMBERS:
        raise CsvError(f"{path}: holds {len(members):,} files; take out those with the people, into a folder")
    chosen = [member for member in members if _is_candidate(member.filename) and not member.is_dir()]
    if not chosen:
        held = ", ".join(sorted(names)[:5]) or "nothing"
        raise CsvError(f"{path}: holds no file that ends in {', '.join(_ENDINGS)}, but {held}")
    for member in chosen:
        _check(path, member)
    return [_member(path, member) for member in sorted(chosen, key=lambda member: member.filename)]


def _check(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse what could not be read, or not in this life."""
    shown = f"{path}: {member.filename}"
    if member.flag_bits & 1:
        raise CsvError(f"{shown}: is locked by a password; unpack the archive into a folder, and name that")
    ratio = member.file_size / max(member.compress_size, 1)
    if member.file_size > _MOST_BYTES or (member.file_size > _SAFE_BYTES and ratio > _MOST_RATIO):
        raise CsvError(
            f"{shown}: would be {member.file_size:,} bytes, from {member.compress_size:,}, which is no list "
            f"of people; if you know that it is, unpack the archive into a folder, and name that"
        )


def _member(path: Path, member: zipfile.ZipInfo) -> Source:
    def opened() -> IO[bytes]:
        return zipfile.ZipFile(path).open(member)

    return Source(f"{path}: {member.filename}", Path(member.filename).name, member.filename, opened)


def _is_candidate(name: str) -> bool:
    parts = Path(name).parts
    return name.lower().endswith(_ENDINGS) and not any(part.startswith((".", "__MACOSX")) for part in parts)
