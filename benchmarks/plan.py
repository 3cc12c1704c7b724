"""What planning one slot costs, beside a bare INSERT … SELECT of the rows that it comes to.

    python benchmarks/plan.py [--mode MODE] [--readers N] [--posts N] [--rounds R] [--postgres] [--json]

One category, whose slot is due. In a sequence the readers are spread evenly over all places of a queue of so
many posts, with the receipts of what they have had; in a broadcast everybody has had ten. With digests two
broadcasts are due together, and everybody has one letter of both. Timed, each on a
fresh copy of that database, in a process of its own and in turn with the others, so that whatever else
the machine does falls on all alike:

    slot        what `paperround tick` does to plan it: choosing, rendering, receipts, deliveries, the commit
    bare        the yardstick: the same receipts and deliveries into the same tables with the same indexes,
                by one INSERT … SELECT each from a table that has the rows ready, in one transaction
    plan        `paperround plan --weeks 8`, before the slot is planned

Printed are medians of R rounds, and of the slot's peak memory the highest. Starting Python is not timed. The
cohorts of a sequence's readers are found beforehand, as the slots before would have done; that is timed as
`settle`. The databases lie below TMPDIR: with a million readers over a hundred posts some 10 GB.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from sending.figures import tell
from sending.processes import HERE, BenchmarkError, Ended, end_orderly, postgres, run

_SITE = HERE.parent / "planning" / "site.py"
_DATABASE = "PAPERROUND_DATABASE__URL"


@dataclass(frozen=True)
class Bench:
    """A filled site, of whose database copies are made."""

    folder: Path
    given: argparse.Namespace
    url: str | None

    def do(self, what: str, url: str | None = None, folder: Path | None = None) -> tuple[float, int, Ended]:
        """Seconds, letters, and what the process used."""
        environment = {_DATABASE: url} if url else {}
        given = self.given
        command = [sys.executable, _SITE, what, folder or self.folder, given.mode, given.readers, given.posts]
        ended = run(command, limit=600 + given.readers / 200, environment=environment)
        said = json.loads(ended.output or "{}")
        return said.get("seconds", 0.0), said.get("letters", 0), ended

    def on_a_copy(self, work: Callable[[str | None, Path], None]) -> None:
        """Do something to a copy of the database, which is then thrown away."""
        if self.url is None:
            with tempfile.TemporaryDirectory(prefix="copy-", dir=self.folder.parent) as name:
                copy = Path(name, "site")
                shutil.copytree(self.folder, copy)
                os.sync()
                work(None, copy)
        else:
            copied = self.url.replace("/bench?", "/copy?")
            _psql(self.url, "CREATE DATABASE copy TEMPLATE bench", "CHECKPOINT")
            try:
                work(copied, self.folder)
            finally:
                _psql(self.url, "DROP DATABASE copy")


def _psql(url: str, *statements: str) -> None:
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """So many rounds; which of the two goes first changes."""
    seconds: dict[str, list[float]] = {"slot": [], "bare": [], "plan": []}
    peaks: list[float] = []
    letters: set[int] = set()

    def ours(url: str | None, folder: Path) -> None:
        foreseen, first, _ = bench.do("foresee", url, folder)
        took, written, ended = bench.do("slot", url, folder)
        seconds["plan"].append(foreseen)
        seconds["slot"].append(took)
        peaks.append(ended.peak_rss_mb)
        letters.update((first, written))

    def other(url: str | None, folder: Path) -> None:
        took, written, _ = bench.do("bare", url, folder)
        seconds["bare"].append(took)
        letters.add(written)

    for number in range(rounds):
        for work in (ours, other) if number % 2 else (other, ours):
            bench.on_a_copy(work)
    if letters != {bench.given.readers}:
        raise BenchmarkError(f"letters for {bench.given.readers} readers: {sorted(letters)}")
    slot, bare, plan = (median(seconds[name]) for name in ("slot", "bare", "plan"))
    return {
        "slot_seconds": round(slot, 3),
        "yardstick": "INSERT … SELECT",
        "yardstick_seconds": round(bare, 3),
        "ratio": round(slot / bare, 2),
        "us_per_reader": round(slot / bench.given.readers * 1e6, 2),
        "plan_weeks_8_seconds": round(plan, 3),
        "plan_to_slot": round(plan / slot, 3),
        "peak_rss_mb": round(max(peaks), 1),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mode", choices=("broadcast", "sequence", "digest"), default="sequence")
    parser.add_argument("--readers", type=int, default=100_000)
    parser.add_argument("--posts", type=int, default=100, help="how long the queue is")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if given.readers < 1 or given.rounds < 1 or given.posts < 12:
        parser.error("at least 1 reader, 1 round and 12 posts")
    end_orderly()
    try:
        with tempfile.TemporaryDirectory(prefix="paperround-plan-") as name, ExitStack() as stack:
            folder = Path(name)
            url = None
            if given.postgres:
                url = stack.enter_context(postgres(folder))
                _psql(url, "CREATE DATABASE bench")
            bench = Bench(folder / "site", given, url)
            bench.do("fill", url)
            settled, _, _ = bench.do("settle", url) if given.mode == "sequence" else (0.0, 0, None)
            figures = measure(bench, given.rounds)
    except BenchmarkError as error:
        sys.exit(f"plan.py: {error}")
    figures = {
        "mode": given.mode,
        "database": "postgresql" if given.postgres else "sqlite",
        "readers": given.readers,
        "posts": given.posts,
        **figures,
        "settle_seconds": round(settled, 3),
    }
    tell(figures, as_json=given.json)


if __name__ == "__main__":
    main()
