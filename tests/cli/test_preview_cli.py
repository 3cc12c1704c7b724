"""`paperround preview` as a process of its own: what it says, and that it ends when it is told to."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.conftest import Cli, write_post

_OPENER = build_opener(ProxyHandler({}))


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A post in a folder that is no site."""
    monkeypatch.chdir(tmp_path)
    return write_post(tmp_path, "2026-01-02-first")


@contextmanager
def running(*arguments: object, **environment: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The command at work, and the address that it told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "preview", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+/", told)
        assert address is not None, told + process.stderr.read()
        yield process, address[0]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_stop(post: Path, number: signal.Signals) -> None:
    """The address is told on standard error; Ctrl-C ends it with 0, though a page be connected."""
    with running(post.name) as (process, address):
        page = _OPENER.open(address).read().decode()
        since = re.search(r"/changes\?since=\w+", page)
        assert "A title" in page
        assert since is not None
        with _OPENER.open(_OPENER.open(address).url + since[0]) as events:
            assert events.readline().startswith(b"retry: ")
            process.send_signal(number)
            said, complained = process.communicate(timeout=60)
        assert (process.returncode, said, complained) == (0, "", "")


def test_the_browser_is_opened_only_on_request(post: Path) -> None:
    """`--open` hands the address to the browser that the system names; without it nothing is opened."""
    browser = {"BROWSER": "echo %s"}
    for option in ([], ["--open"]):
        with running(post, *option, **browser) as (process, address):
            assert process.stdout is not None
            if option:
                assert process.stdout.readline() == f"{address}\n"
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == ("", "")


def test_a_port_of_one_s_own(post: Path, cli: Cli) -> None:
    """`--port` is where it serves; one that is taken is told, with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("preview", post, "--port", port)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"paperround: the preview cannot be served at 127.0.0.1:{port}: ")
    assert done.stderr.endswith("; name another --port, or none for any free one\n")
    with running(post, "--port", str(port)) as (_, address):
        assert address == f"http://127.0.0.1:{port}/"


def test_what_cannot_be_shown(post: Path, cli: Cli) -> None:
    """A file that is not there is an error at once, a port that is none is a matter of usage."""
    done = cli("preview", post.with_name("missing.md"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("missing.md: there is no such file\n")
    assert cli("preview", post, "--port", "70000").returncode == 2
