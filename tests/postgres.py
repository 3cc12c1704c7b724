"""A real PostgreSQL for the tests: pgserver's own, or the one installed on this machine.

The process that starts the tests makes the server's folder and clears it away; the first worker that
needs a database starts the server there. It listens on a socket in that folder and on no network, and
waits for no disk: no test asks what is left after the machine itself has failed.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

_VARIABLE = "PAPERROUND_TEST_POSTGRES"
_servers: list[object] = []
"""pgserver stops a server when no process holds it any more."""


def make_folder() -> None:
    """Make the run's folder; workers inherit its name."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="paperround-pg-")


def remove_folder() -> None:
    """Stop what still runs there and clear it away."""
    folder = Path(os.environ.pop(_VARIABLE))
    if (folder / "installed" / "postmaster.pid").exists():
        stop = ["pg_ctl", "-D", str(folder / "installed"), "-m", "immediate", "stop"]
        subprocess.run(stop, check=False, capture_output=True)
    shutil.rmtree(folder, ignore_errors=True)


def postgres_url() -> str:
    """The URL of the server's `postgres` database."""
    folder = Path(os.environ[_VARIABLE])
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if "XDG_RUNTIME_DIR" not in os.environ:  # pgserver asks for it at import
            runtime = folder / "runtime"
            runtime.mkdir(mode=0o700, exist_ok=True)
            os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        try:
            import pgserver
        except ImportError:
            return _installed_server(folder / "installed")
        server = pgserver.get_server(folder / "pgserver")
        _servers.append(server)
        url = str(server.get_uri())
        _tell(url, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
        return url


def new_postgres(name: str) -> str:
    """Make an empty database on the run's server; returns its URL."""
    url = postgres_url()
    _tell(url, f"CREATE DATABASE {name}")
    return _with_database(url, name)


_SHAPE = """
SELECT 'relation', oid::bigint, 0, '' FROM pg_class WHERE oid >= 16384
UNION ALL SELECT 'column', attrelid::bigint, attnum, xmin::text FROM pg_attribute WHERE attrelid >= 16384
UNION ALL SELECT 'constraint', oid::bigint, 0, xmin::text FROM pg_constraint WHERE oid >= 16384
UNION ALL SELECT 'trigger', oid::bigint, 0, xmin::text FROM pg_trigger
UNION ALL SELECT 'function', oid::bigint, 0, xmin::text FROM pg_proc WHERE oid >= 16384
UNION ALL SELECT 'setting', setdatabase::bigint, 0, setconfig::text FROM pg_db_role_setting
UNION ALL SELECT 'revision', 0, 0, version_num FROM alembic_version
ORDER BY 1, 2, 3
"""
"""What a database consists of, but for its rows: whatever is made anew or changed has another line."""

_CLEAR = """
DO $$
DECLARE one name;
BEGIN
  PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
  SET LOCAL session_replication_role = replica;  -- no row asks what refers to it
  FOR one IN SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0
  LOOP EXECUTE format('DELETE FROM %I', one); END LOOP;
  PERFORM setval(format('%I', sequencename)::regclass, 1, false)
    FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""
"""Whoever is still connected goes, and every row; numbers begin with 1 again."""

_TABLES = """
SELECT string_agg(quote_ident(relname), ', ') FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > 0
"""
"""Those with anything in their files: a test fills few."""


class Lender:
    """Lends a database to one test after the other, which is emptied in between.

    To make one costs the server more than most tests do. A test that changes tables is its last borrower.
    """

    def __init__(self, template: str) -> None:
        self._template = template
        self._copying = ExitStack()
        self._url: str | None = None
        self._shape: list[tuple[object, ...]] = []

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of a migrated, empty database."""
        if self._url is None:
            self._url = self._copying.enter_context(copied_postgres(self._template))
            self._shape = _shape(self._url)
        yield self._url
        try:
            is_as_it_was = _emptied(self._url) == self._shape
        except psycopg.Error:
            is_as_it_was = False
        if not is_as_it_was:
            self._url = None
            self._copying.close()


@contextmanager
def copied_postgres(template: str) -> Iterator[str]:
    """The URL of a database of one's own, copied from one that nobody uses, and dropped at the end."""
    server = _with_database(template, "postgres")
    original = template.partition("?")[0].rpartition("/")[2]
    name = f"test_{uuid4().hex}"
    _tell(server, f"CREATE DATABASE {name} TEMPLATE {original}")
    try:
        yield _with_database(template, name)
    finally:
        _tell(server, f"DROP DATABASE {name} WITH (FORCE)")


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def _tell(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def _shape(url: str) -> list[tuple[object, ...]]:
    """What a database consists of."""
    with psycopg.connect(url) as connection:
        return connection.execute(_SHAPE).fetchall()


def _emptied(url: str) -> list[tuple[object, ...]]:
    """Empty a database, its files too: rows lie in their order, as in a new one. What it then consists of."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_CLEAR)
        ((tables,),) = connection.execute(_TABLES).fetchall()
        connection.execute(f"VACUUM {tables}")
        return connection.execute(_SHAPE).fetchall()


def _installed_server(folder: Path) -> str:
    """Start the PostgreSQL on the PATH, which refuses to run as root."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs PostgreSQL: pgserver has none for this Python, and initdb is not on the PATH")
    if os.geteuid() == 0:
        pytest.skip("needs pgserver to run PostgreSQL as root")
    if not (folder / "postmaster.pid").exists():
        init = ["initdb", "-A", "trust", "-U", "postgres", "-D", str(folder)]
        subprocess.run(init, check=True, capture_output=True)
        options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        start = ["pg_ctl", "-w", "-D", str(folder), "-o", options, "-l", str(folder / "log"), "start"]
        subprocess.run(start, check=True, capture_output=True)
    return f"postgresql://postgres@/postgres?host={folder}"
