"""Whether a database is sound in itself, before anybody asks what its ledger says.

SQLite reads every page and index (`integrity_check`); PostgreSQL keeps watch over its own pages, and says
which constraints and indexes it does not vouch for. Nothing is made or changed.
"""

from sqlalchemy import text

from newsletter.backup import postgresql, sqlite
from newsletter.database import Database
from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD


def require_current(database: Database) -> None:
    """Raise DatabaseError unless there is a database with this program's tables."""
    if database.path is not None and not database.path.exists():
        raise DatabaseError(f"there is no database {database.path} yet; the first `paperround tick` makes it")
    if (found := database.version()) != HEAD:
        raise database.wrong_version(found)


def damage(database: Database) -> list[str]:
    """What is wrong with the database itself, in its own words."""
    if database.path is not None:
        return sqlite.damage(database.path)
    with database.read() as session:
        return [str(row[0]) for row in session.execute(text(postgresql.NOT_VOUCHED_FOR))]
