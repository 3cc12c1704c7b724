"""Backups of a site's database and their restoration, on either kind of database.

Promises: a backup is one consistent moment, checked before it gets its name, and never written over another
file. A restoration leaves the old content or the new one, whole; what it replaced is kept; and it sends
nothing by itself that may have gone out since the backup (see `newsletter.backup.quiet`).

Fails with DatabaseError, which says what to do; then nothing has been changed. A failure after a PostgreSQL
database was replaced leaves it marked: no process uses it until a restoration has run to its end.

May surprise: secret.key, paperround.toml, keys for DKIM, media/ and the site's own templates are not in the
database, and so not in its backup.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.backup import postgresql, sqlite
from newsletter.backup.files import beside, publish, refuse_existing
from newsletter.backup.quiet import Quieted, quieten
from newsletter.database import Database
from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD
from newsletter.migrations.run import is_known, upgrade


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration came to."""

    revision: str
    """Of the backup's tables, before they were brought up to date."""
    kept: Path | None
    """Where what was replaced lies now, None if there was nothing."""
    quieted: Quieted


def back_up(database: Database, file: Path) -> str:
    """Copy the database into a new file while others use it; returns the revision of its tables."""
    refuse_existing(file)
    if database.path is not None and not database.path.exists():
        raise DatabaseError(f"there is no database {database.path} yet; there is nothing to back up")
    with beside(file) as temporary:
        if database.path is not None:
            found = sqlite.snapshot(database.path, temporary)
        else:
            postgresql.dump(database, temporary)
            found = postgresql.revision(temporary)
        publish(temporary, file)
    return found


def restore(database: Database, file: Path, *, folder: Path, now: datetime) -> Restored:
    """Put a backup in the place of the database; `folder` is where a replaced PostgreSQL database is kept."""
    if database.path is not None:
        return _restore_sqlite(database.path, file, now)
    return _restore_postgresql(database, file, folder, now)


def _restore_sqlite(path: Path, file: Path, now: datetime) -> Restored:
    kept = _kept(path, now)
    with beside(path) as temporary:
        found = sqlite.snapshot(file, temporary)
        _refuse_unknown(found, file)
        made = Database(f"sqlite:///{temporary}")
        try:
            quieted = _made_current(made, now)
        finally:
            made.close()
        sqlite.settle(temporary)
        was_there = sqlite.replace(path, temporary, kept)
    return Restored(found, kept if was_there else None, quieted)


def _restore_postgresql(database: Database, file: Path, folder: Path, now: datetime) -> Restored:
    found = postgresql.revision(file)
    _refuse_unknown(found, file)
    database.close()
    postgresql.refuse_company(database)
    database.close()  # not even we may be connected
    kept = _kept(folder / "paperround.pgdump", now)
    was_there = database.version() is not None
    database.close()
    if was_there:
        back_up(database, kept)
    postgresql.put_back(database, file, folder)
    quieted = _made_current(database, now, is_marked=True)
    return Restored(found, kept if was_there else None, quieted)


def _made_current(database: Database, now: datetime, *, is_marked: bool = False) -> Quieted:
    """Bring restored tables up to date and make them quiet, in one transaction: nobody sees less of it."""
    with database.reshaping() as connection:
        if is_marked:
            postgresql.unmark(connection)
        upgrade(connection, "head")
        return quieten(connection, now)


def _kept(path: Path, now: datetime) -> Path:
    kept = path.with_name(f"{path.name}.before-restore-{now:%Y%m%dT%H%M%SZ}")
    refuse_existing(kept)
    return kept


def _refuse_unknown(found: str, file: Path) -> None:
    if not is_known(found):
        raise DatabaseError(
            f"{file} has the tables of revision {found!r}, and this program knows none beyond "
            f"{HEAD}: restore it with the program that made it, or a newer one"
        )
