"""Programs that are started, watched and ended: how long one took, what it used, and Postfix's own two.

Everything listens on loopback only. Whatever takes longer than its limit, ends with another code than 0 or is
not installed raises BenchmarkError, in one line. This module must stay light: Linux counts the memory of the
starting process into a started one's peak.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import IO

HERE = Path(__file__).parent
HOST = "127.0.0.1"
_START_SECONDS = 20

Command = Sequence[object]
"""A program and its arguments; whatever they are, their `str` is given."""


class BenchmarkError(Exception):
    """Why there are no figures, in one line."""


def end_orderly() -> None:
    """Let SIGTERM end a benchmark as Ctrl-C does: what it has started ends too."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)


def find_tool(name: str, package: str) -> str:
    """A program's path, also where only root looks. Raises BenchmarkError that names Debian's package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        raise BenchmarkError(f"{name} is not installed: it is in Debian's package {package}")
    return found


@dataclass(frozen=True)
class Ended:
    """What one run of a program came to. Its peak memory is the sum of the peaks of all its processes."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    output: str


def run(command: Command, *, limit: float, environment: Mapping[str, str] | None = None) -> Ended:
    """Run a program to its end. Raises BenchmarkError if that is not 0, or later than `limit` seconds."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        with _started(command, environment, out.fileno(), err.fileno()) as process:
            timer = threading.Timer(limit, _kill, (process.pid,))
            timer.start()
            helpers = _Helpers(process.pid)
            try:
                _, status, usage = os.wait4(process.pid, 0)
            finally:
                timer.cancel()
                helpers.stop()
            took = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            late = f"longer than {limit:.0f} s" if took >= limit else f"exit code {process.returncode}"
            raise BenchmarkError(f"{_name(command)}: {late}: {_last_line(_all(err) or _all(out))}")
        return Ended(
            took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024 + helpers.peak_mb, _all(out)
        )


class _Helpers:
    """Watches the processes that a program starts: the kernel keeps no sum of their memory."""

    _SECONDS = 0.2

    def __init__(self, program: int) -> None:
        self._program = program
        self._peaks: dict[str, int] = {}
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._look)
        self._watch.start()

    @property
    def peak_mb(self) -> float:
        """The sum of their peaks."""
        return sum(self._peaks.values()) / 1024

    def stop(self) -> None:
        self._stopped.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._stopped.wait(self._SECONDS):
            with suppress(OSError):
                children = Path(f"/proc/{self._program}/task/{self._program}/children").read_text()
                for child in children.split():
                    status = Path(f"/proc/{child}/status").read_text()
                    if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
                        self._peaks[child] = max(self._peaks.get(child, 0), int(found[1]))


@contextmanager
def _started(
    command: Command, environment: Mapping[str, str] | None, out: int, err: int
) -> "Iterator[subprocess.Popen[bytes]]":
    """A program in a session of its own, so that Ctrl-C reaches us alone; killed if it runs on at the end."""
    # A signal between the start and the `try` would leave the program behind, so it has to wait. (The program
    # begins with the same signals held back; it is ended by one that cannot be.)
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    process = subprocess.Popen(
        [str(word) for word in command],
        env=os.environ | (environment or {}),
        stdin=subprocess.DEVNULL,
        stdout=out,
        stderr=err,
        start_new_session=True,
    )
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        yield process
    finally:
        if process.returncode is None:
            _kill(process.pid)
            process.wait()


def _kill(group: int) -> None:
    """End a program and whatever it started."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _all(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _name(command: Command) -> str:
    """What a person would call it."""
    words = [str(word) for word in command]
    if words[0] != sys.executable:
        return Path(words[0]).name
    return " ".join(words[2:]) if words[1] == "-m" else Path(words[1]).name


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1][:300]


@dataclass(frozen=True)
class Sink:
    """A running `smtp-sink`: takes every message and forgets it."""

    port: int
    _counters: Path

    def accepted(self) -> tuple[int, int]:
        """Its own count of messages, and of sessions (its first one was ours, to see that it listens)."""
        # It writes the line anew after each message; the last one holds.
        found = re.findall(rb"sess=(\d+) quit=\d+ mesg=(\d+)", self._counters.read_bytes()[-4096:])
        if not found:
            raise BenchmarkError("smtp-sink -c printed no counters: this version's differ")
        sessions, messages = found[-1]
        return int(messages), int(sessions) - 1


@contextmanager
def sink() -> Iterator[Sink]:
    """A sink of one's own on a free port. It counts into a file, which costs either side 2 % at 1 KB."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    command = [find_tool("smtp-sink", "postfix"), "-c", *user, f"{HOST}:{port}", "256"]
    with tempfile.NamedTemporaryFile() as out, _started(command, None, out.fileno(), out.fileno()) as process:
        _wait_for(port, process, out.name)
        yield Sink(port, Path(out.name))


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError as error:
            if process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
                continue
            said = _last_line(Path(log).read_text("utf-8", "replace"))
            raise BenchmarkError(f"smtp-sink does not listen: {said}") from error
        else:
            return


@contextmanager
def proxy(
    to_port: int, *, delay_ms: float = 0, authority: Path | None = None, limit: float = _START_SECONDS
) -> Iterator[int]:
    """The port of a proxy before a sink: it delays either way, or speaks TLS by an authority it writes."""
    with tempfile.TemporaryDirectory(prefix="paperround-proxy-") as folder:
        ready, log = Path(folder, "port"), Path(folder, "log")
        command = [sys.executable, HERE / "proxy.py", str(to_port), ready, "--delay-ms", str(delay_ms)]
        command += ["--authority", authority] if authority else []
        with log.open("wb") as out, _started(command, None, out.fileno(), out.fileno()) as process:
            deadline = time.monotonic() + limit
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise BenchmarkError(f"the proxy does not start: {_last_line(log.read_text())}")
                time.sleep(0.01)
            yield int(ready.read_text())


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of the database `bench`, which is yet to be made, on a PostgreSQL of our own."""
    with subprocess.Popen(
        [sys.executable, str(HERE / "postgres.py"), str(folder / "postgres")],
        env=os.environ | {"XDG_RUNTIME_DIR": str(folder)},  # pgserver keeps a lock there
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            said = server.stdout.readline().strip() if server.stdout else ""
            if not said.startswith("postgresql://"):
                raise BenchmarkError(f"PostgreSQL does not start: {said}")
            head, _, query = said.partition("?")
            yield f"{head.rpartition('/')[0]}/bench?{query}"
        finally:
            server.communicate(timeout=_START_SECONDS)  # its input ends, and with it the server
