"""Who has claimed what: a process is alive exactly as long as it holds its lock.

Every sending process has an Owner row and a lock named after it: flock on a file beside a SQLite
database, a session advisory lock on PostgreSQL, held by the very connection that keeps the books, so that
a process that lost its lock cannot write either. Only an owner whose lock can be taken is judged dead;
no clock and no heartbeat is asked.
"""

import fcntl
import os
import socket
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Protocol

from sqlalchemy import Connection, insert, select, text
from sqlmodel import col

from newsletter.database import Database
from newsletter.models import Owner

_LOCK_CLASS = 7309452
"""First half of PostgreSQL's two-part advisory lock key; the second is the owner's id."""


class Others(NamedTuple):
    """Who else is among the owners that have not ended in good order."""

    living: list[int]
    dead: list[int]


def others(database: Database, connection: Connection, own: int | None = None) -> Others:
    """The owners besides `own`, by whether their locks are held."""
    open_ones = select(col(Owner.id)).where(col(Owner.ended_at).is_(None))
    found = Others([], [])
    for owner in connection.execute(open_ones.order_by(col(Owner.id))).scalars().all():
        if owner != own:
            lock = _lock_of(database, connection, owner)
            (found.dead if lock.take() else found.living).append(owner)
            lock.release()
    return found


class Ownership:
    """This process's place among the owners of a database."""

    def __init__(self, database: Database, connection: Connection, now: datetime) -> None:
        self._database = database
        self._connection = connection
        # The lock is taken before the row can be seen: nobody ever sees an owner without its lock.
        row = connection.execute(
            insert(Owner)
            .values(host=socket.gethostname()[:255], pid=os.getpid(), started_at=now)
            .returning(col(Owner.id))
        )
        self.id: int = row.scalar_one()
        self._lock = _lock_of(database, connection, self.id)
        try:
            if not self._lock.take():
                raise RuntimeError(f"the lock of the new owner {self.id} is already taken")
            connection.commit()
        except BaseException:
            # The id may be given out again: a lock that outlived its row would shut its next holder out.
            with suppress(Exception):
                self.release()
            raise

    def others(self) -> Others:
        """The other owners."""
        return others(self._database, self._connection, self.id)

    def release(self) -> None:
        """Give up the lock."""
        if self._database.is_sqlite:
            self._lock.release()  # before a row that is undone has its number given out again
        try:
            self._connection.rollback()  # what failed before must not keep the lock
        finally:
            self._lock.release()
        self._connection.commit()


class _Lock(Protocol):
    """The lock of one owner."""

    def take(self) -> bool:
        """Take it, unless somebody has it."""

    def release(self) -> None:
        """Give it up, if it was taken."""


def _lock_of(database: Database, connection: Connection, owner: int) -> _Lock:
    return _FileLock(database, owner) if database.is_sqlite else _AdvisoryLock(connection, owner)


class _FileLock:
    def __init__(self, database: Database, owner: int) -> None:
        assert database.path is not None  # noqa: S101  # SQLite in a file
        folder = database.path.with_name(database.path.name + "-owners")
        folder.mkdir(exist_ok=True)
        self._path = folder / f"{owner}.lock"
        self._file: int | None = None

    def take(self) -> bool:
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._close()
            return False
        except OSError:
            self._close()
            raise
        return True

    def release(self) -> None:
        if self._file is not None:
            self._path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        assert self._file is not None  # noqa: S101  # it was opened
        os.close(self._file)
        self._file = None


class _AdvisoryLock:
    def __init__(self, connection: Connection, owner: int) -> None:
        self._connection = connection
        # ids beyond 31 bits wrap: two owners would have to be 2^31 starts apart to meet
        self._parameters = {"class": _LOCK_CLASS, "owner": owner & 0x7FFFFFFF}
        self._is_taken = False

    def take(self) -> bool:
        self._is_taken = self._call("pg_try_advisory_lock")
        return self._is_taken

    def release(self) -> None:
        if self._is_taken:
            self._is_taken = False
            self._call("pg_advisory_unlock")

    def _call(self, function: str) -> bool:
        call = text(f"SELECT {function}(:class, :owner)")
        return bool(self._connection.execute(call, self._parameters).scalar())
