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
from pathlib import Path

from sqlalchemy import Connection, insert, select, text
from sqlmodel import col

from newsletter.database import Database
from newsletter.models import Owner

_LOCK_CLASS = 7309452
"""First half of PostgreSQL's two-part advisory lock key; the second is the owner's id."""


class Ownership:
    """This process's place among the owners of a database."""

    def __init__(self, database: Database, connection: Connection, now: datetime) -> None:
        self._database = database
        self._connection = connection
        self._file: int | None = None
        # The lock is taken before the row can be seen: nobody ever sees an owner without its lock.
        row = connection.execute(
            insert(Owner)
            .values(host=socket.gethostname()[:255], pid=os.getpid(), started_at=now)
            .returning(col(Owner.id))
        )
        self.id: int = row.scalar_one()
        try:
            if not self._try_lock(self.id, keep=True):
                raise RuntimeError(f"the lock of the new owner {self.id} is already taken")
            connection.commit()
        except BaseException:
            # The id may be given out again: a lock that outlived its row would shut its next holder out.
            with suppress(Exception):
                self.release()
            raise

    def dead_owners(self) -> list[int]:
        """Owners that did not end in good order and hold no lock any more."""
        open_ones = select(col(Owner.id)).where(col(Owner.ended_at).is_(None), col(Owner.id) != self.id)
        found = self._connection.execute(open_ones).scalars().all()
        return [owner for owner in found if self._try_lock(owner, keep=False)]

    def release(self) -> None:
        """Give up the lock."""
        if self._database.is_sqlite:
            if self._file is not None:
                self._lock_path(self.id).unlink(missing_ok=True)
                os.close(self._file)
                self._file = None
        else:
            self._connection.rollback()  # what failed before must not keep the lock
            self._connection.execute(text("SELECT pg_advisory_unlock_all()"))
            self._connection.commit()

    def _lock_path(self, owner: int) -> Path:
        assert self._database.path is not None  # noqa: S101  # SQLite in a file
        folder = self._database.path.with_name(self._database.path.name + "-owners")
        folder.mkdir(exist_ok=True)
        return folder / f"{owner}.lock"

    def _try_lock(self, owner: int, *, keep: bool) -> bool:
        if not self._database.is_sqlite:
            call = "SELECT pg_try_advisory_lock(:class, :owner)"
            # ids beyond 31 bits wrap: two owners would have to be 2^31 starts apart to meet
            parameters = {"class": _LOCK_CLASS, "owner": owner & 0x7FFFFFFF}
            taken = bool(self._connection.execute(text(call), parameters).scalar())
            if taken and not keep:
                self._connection.execute(
                    text(call.replace("try_advisory_lock", "advisory_unlock")), parameters
                )
            return taken
        path = self._lock_path(owner)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        if keep:
            self._file = file
        else:
            path.unlink(missing_ok=True)
            os.close(file)
        return True
