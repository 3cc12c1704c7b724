"""A SQLite database copied while others write, and replaced while nobody does.

The copy is made by SQLite's online backup in one read transaction: a snapshot, whatever is written meanwhile,
and no writer waits for it. It is one file, without a log beside it.

The database is replaced in place, by the same means the other way round and in one transaction: a crash at
any moment leaves the old content or the new one, and a process that opens the file meanwhile waits and then
sees the new one. (A file renamed over an open database would share its log by name with the old one.)
Only a file that SQLite cannot read at all is set aside by renaming it.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from newsletter.database import LOCKED, UNSOUND, code_of
from newsletter.errors import DatabaseError
from newsletter.files import open_regular

_BUSY_SECONDS = 2.0
"""How long to wait for a writer that may just be finishing."""

_FAULTS_SHOWN = 20

_MAGIC = b"SQLite format 3\0"


def snapshot(source: Path, target: Path) -> str:
    """Copy a database into an empty file and check the copy; returns the revision of its tables.

    Raises DatabaseError if the source cannot be read or is not sound, or the target cannot be written.
    """
    _refuse_other_files(source)
    with _explained(source), closing(_open(source)) as reading, closing(_open(target, "rw")) as writing:
        reading.backup(writing)
        _fold_log(writing)
    return _revision(target, named=source)


def damage(path: Path) -> list[str]:
    """What is wrong with a database in itself, while others may use it. Raises DatabaseError."""
    with _explained(path), closing(_open(path, "rw")) as connection:
        return _faults(connection)


def _faults(connection: sqlite3.Connection) -> list[str]:
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_FAULTS_SHOWN})")]
    except sqlite3.DatabaseError as error:
        if code_of(error) not in UNSOUND:
            raise
        return [str(error)]
    return [] if found == ["ok"] else found


def settle(path: Path) -> None:
    """Make a database that nobody uses one file, without a log beside it."""
    with _explained(path), closing(_open(path, "rw")) as connection:
        _fold_log(connection)


def _fold_log(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = DELETE").fetchone()


def _revision(path: Path, *, named: Path) -> str:
    """The revision of a sound database of ours. Raises DatabaseError, which calls the file `named`."""
    with _explained(named), closing(_open(path)) as connection:
        if faults := _faults(connection):
            raise DatabaseError(
                f"{named} is damaged ({'; '.join(faults)}); it was not used. Take another backup"
            )
        found = connection.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone()
        row = found and connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if not row:
        raise DatabaseError(f"{named} is a SQLite database, but none of Paperround's; it was not used")
    return str(row[0])


def replace(path: Path, new: Path, kept: Path) -> bool:
    """Put the content of `new` in the place of the database at `path`, which is kept under another name.

    Returns whether there was anything to keep. Raises DatabaseError if another process has it open.
    """
    if path.exists() and path.stat().st_size:
        try:
            _replace_content(path, new, kept)
        except sqlite3.DatabaseError as error:
            if code_of(error) not in UNSOUND:
                raise DatabaseError(_told(error, path)) from error
        else:
            return True
    had_one = _set_aside(path, kept)
    new.rename(path)
    return had_one


def _replace_content(path: Path, new: Path, kept: Path) -> None:
    with closing(_open(path, "rw")) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE").fetchone()
        _fold_log(connection)  # needs that nobody else has it open
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")  # the lock stays until the connection is closed
        kept.touch(mode=0o600, exist_ok=False)
        try:
            with closing(_open(kept, "rw")) as copy:
                connection.backup(copy)
            with closing(_open(new)) as content:
                content.backup(connection)
        except BaseException:
            kept.unlink()  # the database itself is as it was
            raise


def _set_aside(path: Path, kept: Path) -> bool:
    """Rename what is there, its log first: one that stayed behind would be played into the new database."""
    had_one = False
    for companion in ("-wal", "-shm", "-journal", ""):
        there = Path(f"{path}{companion}")
        if there.exists():
            there.rename(f"{kept}{companion}")
            had_one = True
    return had_one


def _refuse_other_files(path: Path) -> None:
    try:
        with open_regular(path) as file:
            start = file.read(len(_MAGIC))
    except OSError as error:
        raise DatabaseError(f"{path} cannot be read: {error.strerror}") from error
    if start != _MAGIC:
        raise DatabaseError(f"{path} is no SQLite database; it was not used")


def _open(path: Path, mode: str = "ro") -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.resolve()))}?mode={mode}",
        uri=True,
        timeout=_BUSY_SECONDS,
        isolation_level=None,
    )


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise DatabaseError(_told(error, path)) from error


def _told(error: sqlite3.Error, path: Path) -> str:
    message, code = str(error), code_of(error)
    if code in LOCKED:
        return f"another process uses {path}; nothing was changed. Stop `paperround run` (and timers) first"
    if code == sqlite3.SQLITE_FULL:
        return f"there is no room for another copy of {path} ({message}); nothing was changed. Make room"
    return f"{path} cannot be copied: {message}"
