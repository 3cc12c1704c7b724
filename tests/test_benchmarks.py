"""The benchmarks of sending and planning measure what they say, and give no figures where counts differ."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.conftest import Done

ROOT = Path(__file__).parent.parent
READERS = 50
FIELDS = {
    *("readers", "size", "message_bytes", "connections", "sessions", "rate", "yardstick", "yardstick_rate"),
    *("ratio", "peak_rss_mb", "cpu_seconds", "seconds", "start_seconds", "rounds"),
}


@pytest.fixture
def smtp_sink() -> str:
    """Where Postfix's smtp-sink is."""
    found = shutil.which("smtp-sink", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        pytest.skip("needs smtp-sink (Debian's package postfix)")
    return found


def start_benchmark(*arguments: object, **environment: str) -> "subprocess.Popen[str]":
    """`benchmarks/send.py`, one round for a few readers."""
    few = ["--readers", READERS, "--rounds", 1]
    command = [sys.executable, ROOT / "benchmarks" / "send.py", *few, *arguments]
    return subprocess.Popen(
        [str(word) for word in command],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def benchmark(*arguments: object, **environment: str) -> Done:
    """The same, to its end."""
    process = start_benchmark(*arguments, **environment)
    out, err = process.communicate(timeout=110)
    return Done(process.returncode, out, err)


def replace_sink(folder: Path, script: str) -> str:
    """A PATH on which `smtp-sink` is a shell script."""
    sink = folder / "smtp-sink"
    sink.write_text(f"#!/bin/sh\n{script}\n")
    sink.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.trial
def test_the_whole_harness_measures_a_small_issue(smtp_sink: str) -> None:
    """Fifty readers, once: one object with every figure, nothing on standard error."""
    ran = benchmark("--size", 1000, "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    result = json.loads(ran.stdout)
    assert result.keys() >= FIELDS
    assert (result["readers"], result["size"], len(result["rounds"])) == (READERS, 1000, 1)
    assert result["yardstick"] == "smtp-source -d"
    assert 1000 <= result["message_bytes"] < 2000
    assert 1 <= result["sessions"] <= result["connections"]
    assert min(result[name] for name in ("rate", "yardstick_rate", "ratio", "peak_rss_mb", "cpu_seconds")) > 0


@pytest.mark.trial
def test_counts_that_differ_give_no_figures(smtp_sink: str, tmp_path: Path) -> None:
    """A relay that says it took one message fewer: one line that names every count, and exit code 1."""
    counters = f"sess=6 quit=6 mesg={READERS - 1}"
    path = replace_sink(tmp_path, f"printf '{counters}\\r'\nexec {smtp_sink} \"$@\" > /dev/null")
    ran = benchmark("--size", 1000, "--json", PATH=path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        f"send.py: the counts do not agree: {READERS} readers; the relay took {READERS - 1} messages and 0 "
        f"more from a second tick; the ledger has {READERS} of {READERS} sent\n"
    )


def is_at_work(number: int) -> bool:
    """Whether a relay of this number still runs: it may be dead and not buried, or the number another's."""
    try:
        process = psutil.Process(number)
        return process.name() == "smtp-sink" and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.trial
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_it_finds_nothing_left(smtp_sink: str, tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM while a relay is running: that ends too, and the temporary site is gone."""
    started, temporary = tmp_path / "started", tmp_path / "temporary"
    os.mkfifo(started)
    temporary.mkdir()
    path = replace_sink(tmp_path, f'echo $$ > {started}\nexec {smtp_sink} "$@"')
    process = start_benchmark("--size", 1000, PATH=path, TMPDIR=str(temporary))
    sink = int(started.read_text())  # waits for the relay to be started
    process.send_signal(number)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 128 + number
    assert not is_at_work(sink)
    assert list(temporary.iterdir()) == []


def test_a_missing_tool_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not installed says which Debian package it is in."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from sending.processes import BenchmarkError, find_tool

    with pytest.raises(BenchmarkError, match=r"no-such-sink is not installed: .* package postfix"):
        find_tool("no-such-sink", "postfix")


@pytest.mark.parametrize("delay_ms", [0, 3])
def test_the_proxy_keeps_every_byte_in_its_order(monkeypatch: pytest.MonkeyPatch, delay_ms: int) -> None:
    """A megabyte written in pieces of many sizes comes back from an echo beyond the proxy as it was."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from sending.processes import proxy

    content = b"".join(number.to_bytes(4, "big") for number in range(1 << 18))
    with socket.create_server(("127.0.0.1", 0)) as server:
        echoing = threading.Thread(target=echo, args=(server, len(content)))
        echoing.start()
        with (
            proxy(server.getsockname()[1], delay_ms=delay_ms) as port,
            socket.create_connection(("127.0.0.1", port), timeout=30) as client,
        ):
            writing = threading.Thread(target=write, args=(client, content))
            writing.start()
            with client.makefile("rb") as replies:
                assert replies.read(len(content)) == content
                assert replies.read() == b""
            writing.join()
        echoing.join()


def write(client: socket.socket, content: bytes) -> None:
    """Write it in pieces of 1, 2, 3, … octets."""
    start, size = 0, 1
    while start < len(content):
        client.sendall(content[start : start + size])
        start, size = start + size, size + 1


def echo(server: socket.socket, length: int) -> None:
    """Give so many octets back, and hang up."""
    connection, _ = server.accept()
    with connection:
        while length:
            data = connection.recv(1 << 16)
            connection.sendall(data)
            length -= len(data)


@pytest.mark.trial
@pytest.mark.parametrize(
    ("variant", "yardstick"),
    [
        (["--rivals"], "smtp-source -d"),
        (["--tls"], "aiosmtplib sendmail"),
        (["--delay-ms", 5, "--connections", 3], "aiosmtplib sendmail"),
        (["--dkim"], "openssl speed rsa2048"),
        (["--postgres"], "the same on SQLite"),
        (["--memory"], "the same for 1 readers"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_variant_measures(smtp_sink: str, variant: list[object], yardstick: str) -> None:
    """Each variant sends to all readers and has its own yardstick; a letter of 30,000 octets is that long."""
    ran = benchmark("--json", *variant)
    assert (ran.returncode, ran.stderr) == (0, "")
    result = json.loads(ran.stdout)
    assert result["yardstick"] == yardstick
    assert abs(result["message_bytes"] - 30_000) <= 300
    assert result["rate"] > 0
    assert result["yardstick_rate"] > 0


@pytest.mark.trial
@pytest.mark.parametrize("mode", ["broadcast", "sequence", "digest"])
def test_planning_is_measured(mode: str) -> None:
    """The slot, the yardstick and the plan agree on the letters, and each has its seconds."""
    command = [sys.executable, ROOT / "benchmarks" / "plan.py", "--mode", mode, "--readers", "300"]
    done = subprocess.run(
        [*command, "--posts", "12", "--rounds", "1", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["mode"], figures["readers"]) == (mode, 300)
    assert min(figures[name] for name in ("slot_seconds", "yardstick_seconds", "ratio", "peak_rss_mb")) > 0


@pytest.mark.trial
def test_subscribing_is_measured_and_loses_nobody() -> None:
    """A few requests and confirmations, once: every figure, and everybody who confirmed is a reader."""
    command = [sys.executable, ROOT / "benchmarks" / "subscribe.py", "--requests", "60"]
    done = subprocess.run(
        [*command, "--connections", "20", "--confirmations", "100", "--rounds", "1", "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["confirmed"], figures["lost"]) == (100, 0)
    assert min(figures[name] for name in ("rate", "yardstick_rate", "ratio", "confirm_rate")) > 0


@pytest.mark.trial
@pytest.mark.parametrize("database", [[], ["--postgres"]], ids=["sqlite", "postgresql"])
def test_importing_is_measured(database: list[str]) -> None:
    """A few readers, once: every figure, the same rows by both ways, and a whole chain."""
    command = [sys.executable, ROOT / "benchmarks" / "importing.py", "--rows", "400", "--rounds", "1"]
    done = subprocess.run(
        [*command, *database, "--json"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["rows"], figures["readers"]) == (400, 396)
    assert min(figures[name] for name in ("seconds", "yardstick_seconds", "ratio", "peak_rss_mb")) > 0
