"""A real PostgreSQL for the tests: pgserver's own, or the one installed on this machine."""

import fcntl
import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest


def postgres_url(factory: pytest.TempPathFactory) -> str:
    """The URL of a server's `postgres` database; the first worker of a run starts it for all.

    It keeps its files and its socket in the run's temporary folder, and listens on no network.
    """
    # With xdist every worker has a folder below the run's; the server lies in the run's own.
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    os.environ.setdefault("XDG_RUNTIME_DIR", str(shared))  # pgserver asks for it at import
    try:
        import pgserver
    except ImportError:
        return _installed_server(shared / "pg")
    with (shared / "pg.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = pgserver.get_server(shared / "pgserver")
        _KEEP.append(server)
        return str(server.get_uri())


_KEEP: list[object] = []
"""Servers stop when nobody holds them."""


def _installed_server(folder: Path) -> str:
    """Start the PostgreSQL on the PATH, which refuses to run as root."""
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("needs PostgreSQL: pgserver has none for this Python, and initdb is not on the PATH")
    if getpass.getuser() == "root":
        pytest.skip("needs pgserver to run PostgreSQL as root")
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "postmaster.pid").exists():
            subprocess.run(
                ["initdb", "-A", "trust", "-U", "postgres", "-D", folder], check=True, capture_output=True
            )
            options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
            subprocess.run(
                ["pg_ctl", "-w", "-D", folder, "-o", options, "-l", folder / "log", "start"],
                check=True,
                capture_output=True,
            )
    return f"postgresql://postgres@/postgres?host={folder}"
