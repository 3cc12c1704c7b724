"""Refreshing what is known of mail clients, from a server of the test's own."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from newsletter.check.refresh import CLIENTS, DATA, distil, refresh
from newsletter.errors import PaperroundError

FAMILIES = {client.partition(".")[0] for client in CLIENTS}
PLATFORMS = {client.partition(".")[2] for client in CLIENTS}
WHOLE = {
    "last_update_date": "2026-01-02 03:04:05 +0000",
    "nicenames": {
        "family": {name: name.title() for name in FAMILIES},
        "platform": {name: name.title() for name in PLATFORMS},
    },
    "data": [
        {
            "slug": "html-thing",
            "title": "<thing>",
            "category": "html",
            "stats": {"gmail": {"ios": {"2019-01": "n", "2024-01": "a #1"}}},
        },
        {"slug": "amp", "title": "AMP", "category": "others", "stats": {}},
    ],
}

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A web server on this machine that answers with given bytes."""
    servers: list[HTTPServer] = []

    def start(body: bytes) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/api/data.json"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_the_newest_verdict_of_each_client_is_kept(serve: Serve, tmp_path: Path) -> None:
    """One letter a client, unknown where the data has none; features only."""
    target = tmp_path / "caniemail.json"
    refresh(serve(json.dumps(WHOLE).encode()), target)
    kept = json.loads(target.read_text(encoding="utf-8"))
    assert kept["date"] == "2026-01-02"
    assert list(kept["clients"]) == list(CLIENTS)
    ((title, verdicts),) = kept["features"].values()
    assert title == "<thing>"
    assert verdicts == "".join("a" if client == "gmail.ios" else "u" for client in CLIENTS)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"data": 1}'])
def test_what_is_no_such_data_changes_nothing(serve: Serve, tmp_path: Path, body: bytes) -> None:
    """The file stays as it was."""
    target = tmp_path / "caniemail.json"
    target.write_text("before", encoding="utf-8")
    with pytest.raises(PaperroundError, match="not the data"):
        refresh(serve(body), target)
    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["before"]


def test_a_refusal_is_one_line() -> None:
    """As a command it ends with 1 and says why, and leaves the data alone."""
    before = DATA.read_bytes()
    command = [sys.executable, "-m", "newsletter.check.refresh", "http://127.0.0.1:9/data.json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "cannot be fetched" in done.stderr
    assert DATA.read_bytes() == before


def test_what_came_with_paperround_is_as_refreshing_writes_it() -> None:
    """The file has its source, date and licence beside it."""
    kept = json.loads(DATA.read_text(encoding="utf-8"))
    assert kept["source"].startswith("https://www.caniemail.com/")
    assert list(kept["clients"]) == list(CLIENTS)
    assert len(kept["features"]) > 250
    assert "MIT License" in (DATA.parent / "CANIEMAIL-LICENSE.txt").read_text(encoding="utf-8")
    assert json.loads(distil(json.dumps(WHOLE).encode())).keys() == kept.keys()
