"""A PostgreSQL database copied and put back by PostgreSQL's own tools, which know every version's ways.

`pg_dump` copies our tables in one snapshot, while others write. To put them back, one transaction drops our
tables, has `pg_restore`'s script make them anew, makes sure that nobody else is connected, and marks them, so
that no process of ours uses them before they are quiet (see `newsletter.backup.quiet`). A failure anywhere
before its end leaves everything as it was; other programs' tables in the same database are not touched.

The password travels in the environment, never in a list of arguments that others on the machine can read.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import newsletter.models  # its tables, and those of subscribers, join one metadata
import subscribers.models
from newsletter.backup.files import beside
from newsletter.database import Database
from newsletter.errors import DatabaseError
from newsletter.files import open_regular

__all__ = [
    "NOT_VOUCHED_FOR",
    "dump",
    "newsletter",
    "put_back",
    "refuse_company",
    "revision",
    "subscribers",
    "unmark",
]

_MAGIC = b"PGDMP"
_MARK = "restoring:"
"""Before the revision, while restored tables are not quiet yet: no program knows such a revision."""
_COMPANY = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
    "AND backend_type = 'client backend'"
)
ALONE = (
    # What the server shows of its sessions is frozen at the first look within a transaction.
    f"DO $$ BEGIN PERFORM pg_stat_clear_snapshot(); IF EXISTS (SELECT {_COMPANY}) THEN "
    f"RAISE EXCEPTION 'in company' USING ERRCODE = 'object_in_use'; END IF; END $$;"
)
"""A statement that fails if anybody else is connected by now."""
_CODE = re.compile(r": ([0-9A-Z]{5}): ")
_IN_COMPANY = ("55006", "55P03")
"""object_in_use, which is `ALONE`'s, and lock_not_available."""
_UNKNOWN_SETTING = "42704"
"""undefined_object: a newer pg_restore sets what an older server does not know."""
NOT_VOUCHED_FOR = """
SELECT 'the constraint ' || conname || ' is not validated' FROM pg_constraint
WHERE NOT convalidated AND connamespace = current_schema()::regnamespace
UNION ALL
SELECT 'the index ' || relname || ' is not valid' FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace
"""
"""A query for what the server itself says it cannot promise."""
_IN_USE = (
    "another process is connected to the database; nothing was changed. Stop `paperround run` (and timers)"
)


def dump(database: Database, target: Path) -> None:
    """Write our tables into a file. Raises DatabaseError."""
    tables = (f"--table={name}" for name in _tables())
    _run(
        [_found("pg_dump"), "--format=custom", "--no-owner", "--no-privileges", *tables, f"--file={target}"],
        database,
    )


def refuse_company(database: Database) -> None:
    """Raise DatabaseError if anybody else is connected."""
    with database.read() as session:
        if session.execute(text(f"SELECT 1 {_COMPANY} LIMIT 1")).first() is not None:
            raise DatabaseError(_IN_USE)


def revision(file: Path) -> str:
    """The revision of the tables in a backup. Raises DatabaseError if it is none of ours."""
    try:
        with open_regular(file) as opened:
            start = opened.read(len(_MAGIC))
    except OSError as error:
        raise DatabaseError(f"{file} cannot be read: {error.strerror}") from error
    if start != _MAGIC:
        raise DatabaseError(f"{file} is no backup of a PostgreSQL database; it was not used")
    unpack = [_found("pg_restore"), "--data-only", "--table=alembic_version", "--file=-", str(file)]
    found = re.search(
        r"^COPY \S*alembic_version \(version_num\) FROM stdin;\n(.+)\n\\\.", _run(unpack), re.MULTILINE
    )
    if found is None:
        raise DatabaseError(f"{file} is a PostgreSQL backup, but none of Paperround's; it was not used")
    return found[1]


def put_back(database: Database, file: Path, folder: Path) -> None:
    """Replace our tables by those of a backup; they are marked until `unmark`. Works in `folder`.

    Raises DatabaseError; then nothing was changed.
    """
    tables = ", ".join(f'"{name}"' for name in _tables())
    before = (
        f"SET client_min_messages = warning; SET lock_timeout = '2s'; "
        f"DROP TABLE IF EXISTS {tables} CASCADE; {ALONE}"
    )
    # The script leaves no search path behind.
    mark = f"UPDATE alembic_version SET version_num = '{_MARK}' || version_num"  # noqa: S608  # our own words
    after = f"RESET search_path; {mark}; {ALONE}"
    with beside(folder / "restore.sql") as script:
        _run([_found("pg_restore"), "--no-owner", "--no-privileges", f"--file={script}", str(file)])
        # Verbose: errors come with their codes.
        psql = [_found("psql"), "--no-psqlrc", "--quiet", "--output=/dev/null", "--set=ON_ERROR_STOP=1"]
        psql.append("--set=VERBOSITY=verbose")
        steps = [f"--command={before}", f"--file={script}", f"--command={after}"]
        _run([*psql, "--single-transaction", *steps], database)


def unmark(connection: Connection) -> None:
    """Say that restored tables may be used."""
    connection.execute(
        text(f"UPDATE alembic_version SET version_num = substr(version_num, {len(_MARK) + 1})")  # noqa: S608
    )


def _tables() -> list[str]:
    return [*SQLModel.metadata.tables, "alembic_version"]


def _connection(database: Database) -> tuple[str, dict[str, str]]:
    """The argument that names the database, and the environment with its password."""
    _, given = database.engine.dialect.create_connect_args(database.engine.url)
    given = {key: value for key, value in given.items() if isinstance(value, str | int)}
    password = given.pop("password", None)
    return f"--dbname={make_conninfo(**given)}", {"PGPASSWORD": str(password)} if password else {}


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise DatabaseError(
            f"{program} is not on the PATH: install PostgreSQL's client programs, of the server's version or "
            f"a newer one (Debian: postgresql-client)"
        )
    return path


def _run(command: list[str], database: Database | None = None) -> str:
    environment = os.environ | {"LC_ALL": "C"}  # the programs' own words are read below
    if database is not None:
        argument, password = _connection(database)
        command, environment = [*command, argument], environment | password
    done = subprocess.run(  # noqa: S603  # arguments of our own making
        command, capture_output=True, text=True, errors="replace", check=False, env=environment
    )
    if done.returncode:
        raise DatabaseError(_explain(Path(command[0]).name, " ".join(done.stderr.split())[-500:]))
    return done.stdout


def _explain(program: str, told: str) -> str:
    """What a program's failure means: by its own words, and by the codes of a server of any language."""
    found = _CODE.search(told)
    code = found[1] if found else ""
    if "version mismatch" in told or "unsupported version" in told or code == _UNKNOWN_SETTING:
        return (
            f"{program} and the server or the backup are of versions that do not fit ({told}): install "
            f"PostgreSQL's client programs, of the server's version or a newer one"
        )
    if code in _IN_COMPANY:
        return _IN_USE
    return f"{program} failed: {told}"
