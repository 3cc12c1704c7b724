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
from contextlib import contextmanager
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
