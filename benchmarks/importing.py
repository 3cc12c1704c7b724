"""What bringing readers in from a file costs, beside a bare CSV parse and bulk insert of the same rows.

    python benchmarks/importing.py [--rows N] [--rounds R] [--postgres] [--json]

A CSV file of so many readers with names and dates, in no order; one row of a hundred is of somebody who was
there before. Timed, each into an empty site of its own, in a process of its own and in turn, so that whatever
else the machine does falls on both alike:

    ours        what `paperround subscriber import FILE --category advice --confirmed` does once it has
                started: the file is read through, then its people come in, validated, each once, with their
                consent and its link in the chain, in batches that are committed with how far it has come
    bare        the yardstick: `csv.reader`, and the same rows into the same tables with the same indexes, in
                one transaction, by `executemany` on SQLite and by COPY on PostgreSQL

Printed are medians of R rounds, and the highest peak memory of ours, for all rows and for 10,000 (or as many
as there are). The chain of consents must be whole and the tables must have as many rows, or there are no
figures. The databases lie below TMPDIR: for a million readers some 2 GB.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from sending.figures import tell
from sending.processes import HERE, BenchmarkError, Ended, end_orderly, postgres, run

_BRING = HERE.parent / "moving" / "bring.py"
_DATABASE = "PAPERROUND_DATABASE__URL"
_FEW = 10_000


def _do(what: str, folder: Path, rows: int, url: str | None) -> tuple[dict[str, Any], Ended]:
    environment = {_DATABASE: url} if url else {}
    command = [sys.executable, _BRING, what, folder, rows]
    ended = run(command, limit=600 + rows / 200, environment=environment)
    return json.loads(ended.output or "{}"), ended


@contextmanager
def _empty_site(url: str | None, rows: int) -> Iterator[Path]:
    """A site with the file and nobody in it."""
    if url:
        _psql(url, "CREATE DATABASE bench")
    try:
        with tempfile.TemporaryDirectory(prefix="paperround-import-") as name:
            folder = Path(name, "site")
            _do("fill", folder, rows, url)
            yield folder
    finally:
        if url:
            _psql(url, "DROP DATABASE bench")


def _psql(url: str, statement: str) -> None:
    from sqlalchemy import create_engine, make_url, text

    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg", database="postgres"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def measure(url: str | None, rows: int, rounds: int) -> dict[str, Any]:
    """So many rounds; which of the two goes first changes."""
    seconds: dict[str, list[float]] = {"ours": [], "bare": []}
    peaks: list[float] = []
    counts: list[dict[str, int]] = []
    for number in range(rounds):
        for what in ("ours", "bare") if number % 2 else ("bare", "ours"):
            with _empty_site(url, rows) as folder:
                said, ended = _do(what, folder, rows, url)
                seconds[what].append(said["seconds"])
                counts.append(said["counts"])
                if what == "ours":
                    peaks.append(ended.peak_rss_mb)
                    flaws = _do("verify", folder, rows, url)[0]["flaws"]
                    if flaws:
                        raise BenchmarkError(f"the chain of consents has {flaws} flaws")
    if any(one != counts[0] for one in counts):
        raise BenchmarkError(f"the tables do not have the same rows: {counts}")
    with _empty_site(url, min(rows, _FEW)) as folder:
        _, few = _do("ours", folder, rows, url)
    ours, bare = median(seconds["ours"]), median(seconds["bare"])
    return {
        "readers": counts[0]["subscriber"],
        "seconds": round(ours, 3),
        "us_per_row": round(ours / rows * 1e6, 1),
        "yardstick": "csv.reader and bulk insert",
        "yardstick_seconds": round(bare, 3),
        "ratio": round(ours / bare, 2),
        "peak_rss_mb": round(max(peaks), 1),
        "few": min(rows, _FEW),
        "few_peak_rss_mb": round(few.peak_rss_mb, 1),
    }


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    if min(given.rows, given.rounds) < 1:
        parser.error("at least 1 row and 1 round")
    end_orderly()
    try:
        with tempfile.TemporaryDirectory(prefix="paperround-import-pg-") as name, ExitStack() as stack:
            url = stack.enter_context(postgres(Path(name))) if given.postgres else None
            figures = measure(url, given.rows, given.rounds)
    except BenchmarkError as error:
        sys.exit(f"importing.py: {error}")
    database = "postgresql" if given.postgres else "sqlite"
    figures = {"database": database, "rows": given.rows, "rounds": given.rounds, **figures}
    tell(figures, as_json=given.json)


if __name__ == "__main__":
    main()
