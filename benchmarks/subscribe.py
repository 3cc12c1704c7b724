"""What asking for letters on the page costs, beside a bare FastAPI endpoint that does one SQLite insert.

    python benchmarks/subscribe.py [--requests N] [--connections C] [--confirmations M] [--rounds R] [--json]

Each of N different people posts the form once, over C connections that are kept open, to

    ours        the pages of a site as `paperround run` serves them, with every cap on: each poster comes from
                a network address of their own, which a trusted proxy names; the form's stamp is checked, the
                request is written and committed, and the page that says so is rendered
    bare        the yardstick: FastAPI, one endpoint that reads the address out of the form, inserts it into a
                SQLite database and commits, and answers `ok`; one thread, one connection, the same journal

in turn, in processes of their own; medians of R rounds. Then M people press the button of their confirmation,
all at once over C connections, and are counted: `lost` are those who are not subscribed then. Whoever is not
answered with 200 ends the benchmark with 1, and so do counts that differ.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from sending.figures import tell
from sending.processes import HERE, HOST, BenchmarkError, end_orderly, run

_SERVED = HERE.parent / "subscribing" / "served.py"
_FORM = "application/x-www-form-urlencoded"


def _network(number: int) -> str:
    """A network address for each poster."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def _post(path: str, body: str, number: int) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {_FORM}\r\n"
        f"X-Forwarded-For: {_network(number)}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def _one_connection(port: int, messages: Iterator[bytes]) -> None:
    """Send what is left to be sent, one after the other, each once the answer before has come."""
    reader, writer = await asyncio.open_connection(HOST, port)
    for message in messages:
        writer.write(message)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise BenchmarkError(f"somebody is answered {head.splitlines()[0].decode()!r}")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def _all_at_once(port: int, messages: Sequence[bytes], connections: int) -> float:
    """Seconds until all are answered."""
    left = iter(messages)
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_one_connection(port, left))
    return time.perf_counter() - began


@contextmanager
def _serving(what: str, folder: Path) -> Iterator[int]:
    """The port of one of the two."""
    with subprocess.Popen(
        [sys.executable, str(_SERVED), what, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as server:
        try:
            said = server.stdout.readline().strip() if server.stdout else ""
            if not said.isdecimal():
                raise BenchmarkError(f"{what} does not start")
            yield int(said)
        finally:
            server.communicate(timeout=30)


def measure(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """So many rounds; which of the two goes first changes."""
    site = folder / "site"
    made = json.loads(run([sys.executable, _SERVED, "make", site, given.confirmations], limit=300).output)

    def load(what: str, number: int) -> float:
        forms = [
            urlencode(
                {
                    "email": f"reader{number}-{one}@example.net",
                    "category": "advice",
                    "name": "",
                    "frequency": "",
                    "zone": "",
                    "remarks": "",
                    "lang": "en",
                    "stamp": made["stamp"],
                }
            )
            for one in range(given.requests)
        ]
        messages = [_post("/subscribe", form, one) for one, form in enumerate(forms)]
        place = site if what == "ours" else folder / f"bare{number}"
        with _serving(what, place) as port:
            asyncio.run(_all_at_once(port, messages[: given.connections], given.connections))  # warm
            took = asyncio.run(_all_at_once(port, messages, given.connections))
        requests: int = given.requests
        return requests / took

    rates: dict[str, list[float]] = {"ours": [], "bare": []}
    for number in range(given.rounds):
        for what in ("ours", "bare") if number % 2 else ("bare", "ours"):
            rates[what].append(load(what, number))
    presses = [_post(f"/confirm/{token}", "", one) for one, token in enumerate(made["tokens"])]
    with _serving("ours", site) as port:
        took = asyncio.run(_all_at_once(port, presses, given.connections))
    counted = json.loads(run([sys.executable, _SERVED, "count", site], limit=300).output)
    asked = given.confirmations + given.rounds * (given.requests + min(given.connections, given.requests))
    if counted["requests"] != asked or counted["flaws"]:
        raise BenchmarkError(f"{asked} people asked; the database says {counted}")
    ours, bare = median(rates["ours"]), median(rates["bare"])
    return {
        "rate": round(ours, 1),
        "yardstick": "bare FastAPI, one INSERT",
        "yardstick_rate": round(bare, 1),
        "ratio": round(ours / bare, 3),
        "confirmations": given.confirmations,
        "confirmed": counted["confirmed"],
        "lost": given.confirmations - counted["confirmed"],
        "confirm_rate": round(given.confirmations / took, 1),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--confirmations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if min(given.requests, given.connections, given.confirmations, given.rounds) < 1:
        parser.error("at least 1 request, 1 connection, 1 confirmation and 1 round")
    end_orderly()
    try:
        with tempfile.TemporaryDirectory(prefix="paperround-subscribe-") as name:
            figures = measure(Path(name), given)
    except* BenchmarkError as errors:
        sys.exit(f"subscribe.py: {errors.exceptions[0]}")
    figures = {"requests": given.requests, "connections": given.connections, **figures}
    tell(figures, as_json=given.json)


if __name__ == "__main__":
    main()
