"""What the site stands on: its database, the disk below it, its key, the machine's clock."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select, text

from newsletter.database import Database
from newsletter.doctor.findings import Finding, error, ok, warning
from newsletter.doctor.website import clocks_apart
from newsletter.errors import DatabaseError, SettingsError
from newsletter.migrations import HEAD
from newsletter.settings import Settings
from subscribers.base import Clock

_TIMEX = 512
"""Bytes for a struct timex, all zero: more than it has anywhere."""
_TIME_ERROR = 5
"""The clock is not synchronised (STA_UNSYNC)."""
_GIB = 1 << 30
_LITTLE_SHARE = 0.10
_LITTLE = _GIB
_NOTHING = 100 << 20
_LARGE_LOG = 256 << 20
"""Bytes of a write-ahead log that somebody keeps from being folded in."""
_NETWORK = {
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "fuse.sshfs",
    "fuse.glusterfs",
    "lustre",
}


def check_key(settings: Settings) -> Iterator[Finding]:
    """Whether the secret key can be read, by us alone."""
    subject = f"secret key {settings.site.secret_key_file}"
    try:
        settings.secret_key()
    except SettingsError as fault:
        yield error(subject, str(fault), "see the line above")
    else:
        yield ok(subject, "it can be read, by its owner alone")


def check_zones() -> Iterator[Finding]:
    """Whether there is a database of time zones."""
    try:
        ZoneInfo("Europe/Berlin")
    except ZoneInfoNotFoundError:
        yield error("time zones", "there is no database of time zones", "pip install tzdata")
    else:
        yield ok("time zones", "there is a database of them")


def check_clock() -> Iterator[Finding]:
    """Whether the kernel knows of something that keeps the clock right."""
    yield clock_kept(_kernel_clock())


def clock_kept(state: int | None) -> Finding:
    """What the kernel's state of the clock comes to, None if it would not say (adjtimex(2))."""
    if state is None:
        return ok("clock", "whether it is kept right cannot be seen here")
    if state == _TIME_ERROR:
        return warning("clock", "the kernel knows of nothing that keeps it right", "timedatectl set-ntp true")
    return ok("clock", "it is kept right, as the kernel knows")


def _kernel_clock() -> int | None:
    """The state that adjtimex returns when asked to change nothing, None where that is not to be had."""
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX)))
    except (OSError, AttributeError):  # not on Linux
        return None
    return state if state >= 0 else None  # a sandbox may forbid it


def check_database(database: Database, clock: Clock) -> Iterator[Finding]:
    """Whether the database answers, has our tables and is sound; nothing is made or changed."""
    subject = f"database {database.name}"
    if database.path is not None and not database.path.exists():
        yield warning(subject, "there is none yet", "paperround tick")
        return
    try:
        found = database.version()
        if found != HEAD:
            shown = f"those of revision {found}" if found else "not there"
            yield error(subject, f"its tables are {shown}; {HEAD} is needed", "paperround db upgrade")
            return
        faults = _quick_check(database) if database.is_sqlite else []
        if not database.is_sqlite:
            yield from _server_clock(database, clock)
    except DatabaseError as fault:
        yield error(subject, str(fault), "paperround db check")
        return
    if faults:
        yield error(subject, f"it is damaged: {'; '.join(faults)}", "paperround db restore FILE")
    else:
        yield ok(subject, f"it answers, its tables are at revision {HEAD}")
    if database.path is not None:
        yield from check_files(database.path, Path("/proc/self/mounts"))


def _quick_check(database: Database) -> list[str]:
    with database.read() as session:
        found = [str(row[0]) for row in session.execute(text("PRAGMA quick_check(3)"))]
    return [] if found == ["ok"] else found


def _server_clock(database: Database, clock: Clock) -> Iterator[Finding]:
    with database.read() as session:
        theirs = session.execute(select(func.clock_timestamp())).scalar_one()
    yield from clocks_apart((clock() - theirs).total_seconds(), "the database server")


def check_files(path: Path, mounts: Path) -> Iterator[Finding]:
    """A SQLite database's log, and the kind of file system it lies on."""
    subject = f"database {path}"
    log = Path(f"{path}-wal")
    if log.exists() and (size := log.stat().st_size) > _LARGE_LOG:
        yield warning(
            subject,
            f"its log {log.name} has grown to {_size(size)}: some process has been reading for very long",
            f"lsof {log}",
        )
    kind = file_system(path, mounts)
    if kind in _NETWORK:
        yield warning(
            subject,
            f"it lies on a network file system ({kind}), whose locks SQLite cannot rely on",
            "move it to a disk of this machine, or use PostgreSQL (database.url)",
        )


def file_system(path: Path, mounts: Path) -> str:
    """The type of the file system a path lies on, by the machine's table of mounts; empty if unknown."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return ""
    folders = {str(path.resolve()), *map(str, path.resolve().parents)}
    found = (line.split(" ") for line in lines)
    fitting = [
        (len(words[1]), place, words[2])
        for place, words in enumerate(found)
        if words[1:2] and words[2:] and words[1].replace("\\040", " ") in folders
    ]
    return max(fitting)[2] if fitting else ""


def check_disks(folders: list[Path]) -> Iterator[Finding]:
    """The room left on the disks that these folders lie on, each disk once."""
    seen: set[int] = set()
    for folder in folders:
        there = next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))
        device = os.stat(there).st_dev  # noqa: PTH116  # Path.stat is the same
        if device in seen:
            continue
        seen.add(device)
        usage = shutil.disk_usage(there)
        yield room(there, usage.free, usage.total)


def room(folder: Path, free: int, total: int) -> Finding:
    """What so much room on a disk comes to, in bytes."""
    subject, found = f"disk of {folder}", f"{_size(free)} of {_size(total)} are free"
    if free < _NOTHING:
        return error(
            subject, f"{found}: sending stops when nothing can be recorded", f"du -xh {folder} | sort -h"
        )
    if free < _LITTLE or free < total * _LITTLE_SHARE:
        return warning(subject, found, f"du -xh {folder} | sort -h")
    return ok(subject, found)


def _size(octets: int) -> str:
    return f"{octets / _GIB:.1f} GiB" if octets >= _GIB else f"{octets / (1 << 20):.0f} MiB"
