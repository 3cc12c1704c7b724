"""A file of readers and a site, and what is timed on them: `bring.py fill|ours|bare FOLDER ROWS`.

`fill` makes the file, and the site with one category and nobody in it. `ours` brings everybody in, as
`paperround subscriber import FILE --category advice --confirmed` does once it has started: it reads the file
through, then brings its people in. `bare` is the yardstick: it reads the same file with `csv.reader`, and
inserts the same rows, with texts as long, into the same tables with the same keys and indexes, in one
transaction: `executemany` on SQLite, `COPY` on PostgreSQL. Whose rows come twice it knows by their place.
Both print the seconds it took, and how many rows the four tables have then. `verify` looks through the chain
of consents. The database is the site's, or the one that `PAPERROUND_DATABASE__URL` names.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from newsletter.app import App, open_app
from newsletter.schedule.categories import add_category
from newsletter.site import make_site
from newsletter.states import Mode
from subscribers.consent import verify
from subscribers.moving.coming import Wanted
from subscribers.moving.importing import Here, bring_in, finish, look_through
from subscribers.moving.look import open_export

FILE = "readers.csv"
_GIVEN = {
    "name": "Sample letters",
    "from": "Ann Lee <ann@example.org>",
    "base_url": "https://news.example.org",
    "postal_address": "1 Main Street, 12345 Sampletown",
}
_TWICE = 100
"""One of so many rows is of somebody who was in the file before, written otherwise."""
_AT_ONCE = 10_000
_TABLES = {
    "subscriber": ("id", "address", "address_key", "name", "created_at"),
    "subscription": ("id", "subscriber_id", "category", "state", "since"),
    "consent": (
        *("id", "subscriber_id", "category", "action", "source", "evidence", "at", "address", "details"),
        "salt",
    ),
    "consent_link": ("number", "consent_id", "commitment", "hash"),
}
_SALT, _HASH = "0" * 32, "0" * 64


def people(rows: int) -> Iterator[tuple[str, str, str]]:
    """Addresses in no order, as in a list that grew over years."""
    for number in range(rows):
        one = number - _TWICE // 2 if number % _TWICE == _TWICE - 1 else number
        spread = one * 2_654_435_761 % 2**32
        address = f"reader.{spread:x}@mail{spread % 997}.example.net"
        day = f"20{10 + one % 15}-{1 + one % 12:02}-{1 + one % 28:02}T{one % 24:02}:{one % 60:02}:00+00:00"
        yield address if one == number else address.upper(), f"Reader Number {one}", day


def fill(folder: Path, rows: int) -> None:
    """Make what both begin with."""
    make_site(folder, _GIVEN)
    app = open_app(folder)
    with app.database.write() as session:
        words = {"title": "Advice", "cadence": "weekly tue 08:00", "timezone": "UTC"}
        add_category(session, "advice", **words, mode=Mode.BROADCAST, now=app.clock())
    app.close()
    with (folder / FILE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["email", "name", "created_at"])
        writer.writerows(people(rows))


def ours(app: App) -> None:
    """What the command does."""
    export = open_export(app.settings.folder / FILE)
    contents = look_through(export, lambda _: None, lambda _: None)
    wanted = Wanted(export, FILE, dict.fromkeys(contents.lists, "advice"), confirmed=True)
    database = app.database
    here = Here(database.write, database.read, app.suppressions, app.letters, app.clock)
    run, _ = bring_in(wanted, contents, here, lambda _: None)
    finish(run, here)


def bare(app: App) -> None:
    """Parse and insert."""
    put = _by_executemany if app.database.is_sqlite else _by_copy
    now = app.clock().strftime("%Y-%m-%d %H:%M:%S.%f" + ("" if app.database.is_sqlite else "+00:00"))
    with (
        (app.settings.folder / FILE).open(encoding="utf-8", newline="") as file,
        app.database.writing_connection() as connection,
        connection.begin(),
    ):
        rows = csv.reader(file)
        next(rows)
        once = (row for place, row in enumerate(rows) if place % _TWICE != _TWICE - 1)
        number = 1
        while batch := list(islice(once, _AT_ONCE)):
            numbered = list(enumerate(batch, start=number))
            number += len(batch)
            put(connection, "subscriber", ((n, r[0], r[0], r[1], r[2]) for n, r in numbered))
            put(connection, "subscription", ((n, n, "advice", "active", now) for n, _ in numbered))
            put(connection, "consent", (_consent(n, r, now) for n, r in numbered))
            put(connection, "consent_link", ((n, n, _HASH, _HASH) for n, _ in numbered))


def _consent(number: int, row: list[str], now: str) -> tuple[Any, ...]:
    details = (
        f'{{"imported":{{"tool":"csv","file":"{FILE}","line":{number},"state":"active",'
        f'"created_at":"{row[2]}"}}}}'
    )
    return number, number, "advice", "granted", "import", FILE, now, row[0], details, _SALT


def _by_executemany(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    names = _TABLES[table]
    marks = ", ".join("?" for _ in names)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"
    connection.connection.cursor().executemany(statement, rows)


def _by_copy(connection: Connection, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    cursor: Any = connection.connection.cursor()
    with cursor.copy(f"COPY {table} ({', '.join(_TABLES[table])}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


@contextmanager
def timed(app: App) -> Iterator[None]:
    """Print how long it took and what there is then."""
    began = time.perf_counter()
    yield
    took = time.perf_counter() - began
    with app.database.read() as session:
        counts = {
            table: session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in _TABLES
        }
    print(json.dumps({"seconds": took, "counts": counts}))


def main() -> None:
    """Read the command line and do one thing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("fill", "ours", "bare", "verify"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("rows", type=int)
    given = parser.parse_args()
    if given.what == "fill":
        fill(given.folder, given.rows)
        return
    app = open_app(given.folder)
    if given.what == "verify":
        with app.database.read() as session:
            print(json.dumps({"flaws": len(verify(session).flaws)}))
        return
    does: dict[str, Callable[[App], None]] = {"ours": ours, "bare": bare}
    app.database.ensure_current()
    with timed(app):
        does[given.what](app)
    app.close()


if __name__ == "__main__":
    main()
