"""The database as the rest of the program is promised it, on both kinds."""

import re
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, exc, func, insert, literal, select, text
from sqlmodel import Session

import newsletter.database
from newsletter.database import BUSY_SECONDS, Database, batched, explain
from newsletter.errors import DatabaseError, NotFoundError
from newsletter.models import Owner
from subscribers.base import UTCDateTime
from subscribers.models import Subscriber
from tests.conftest import careful_sqlite
from tests.planning import another, database, shared_database

__all__ = ["database", "shared_database"]

NOW = datetime(2026, 1, 5, tzinfo=UTC)

instants = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001  # hypothesis asks for naive bounds
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.builds(timezone, st.timedeltas(timedelta(hours=-23), timedelta(hours=23))),
)


def make_owner(session: Session, host: str = "here") -> None:
    session.execute(insert(Owner).values(host=host, pid=1, started_at=NOW))


def owners(database: Database) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(Owner)).scalar_one()


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),  # FULL
        ("foreign_keys", 1),
        ("busy_timeout", BUSY_SECONDS * 1000),
    ],
)
def test_every_sqlite_connection_is_a_careful_one(
    tmp_path: Path,
    sqlite_template: Path,
    pragma: str,
    value: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What keeps the books safe is set per connection, so each one has it, readers and writers alike."""
    monkeypatch.setattr("newsletter.database._sqlite_engine", careful_sqlite)
    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    with database.engine.connect() as first, database.engine.connect() as second:
        for connection in (first, second):
            assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value
    database.close()


def test_what_is_written_stays(database: Database) -> None:
    """A writing transaction is committed at its end, also one that another session reads at once."""
    with database.write() as session:
        make_owner(session)
        assert owners(database) == 0
    assert owners(database) == 1


@pytest.mark.parametrize("error", [NotFoundError("x"), RuntimeError("x"), KeyboardInterrupt()])
def test_any_exception_takes_everything_back(database: Database, error: BaseException) -> None:
    """Nothing half-done is ever kept, whatever ended the transaction; and the next one is clean."""

    def fail() -> None:
        with database.write() as session:
            make_owner(session)
            raise error

    with pytest.raises(type(error)):
        fail()
    assert owners(database) == 0
    with database.write() as session:
        make_owner(session)
    assert owners(database) == 1


def test_nothing_a_reading_session_does_is_kept(database: Database) -> None:
    """A read is a read, whatever is called in it."""
    with database.read() as session:
        make_owner(session)
    assert owners(database) == 0


def test_a_sqlite_writer_has_the_lock_from_its_first_statement(tmp_path: Path, sqlite_template: Path) -> None:
    """A read in a writing transaction keeps other writers out (BEGIN IMMEDIATE), and readers not."""
    path = tmp_path / "x.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")
    with database.write() as session:
        session.execute(text("SELECT 1"))
        assert owners(database) == 0
        other = sqlite3.connect(path, timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        other.close()
    with database.read() as reader:
        reader.execute(text("SELECT 1"))
        with database.write() as session:
            make_owner(session)
    assert owners(database) == 1
    database.close()


def test_writers_wait_for_each_other(database: Database) -> None:
    """Two threads that read, then write what they read plus one, lose no step."""
    with database.write() as session:
        make_owner(session)

    def count_up() -> None:
        for _ in range(10):
            with database.write() as session:
                owner = session.execute(select(Owner).with_for_update()).scalar_one()
                owner.pid += 1

    threads = [threading.Thread(target=count_up) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.execute(select(Owner.pid)).scalar_one() == 21


def test_a_locked_database_is_said_to_be(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that waited in vain hears who is in the way and that nothing was changed."""
    monkeypatch.setattr(newsletter.database, "BUSY_SECONDS", 0)
    impatient = another(database)
    with database.write() as session:
        make_owner(session)

    def lock() -> None:
        with impatient.write() as other:
            if not impatient.is_sqlite:  # to PostgreSQL, 0 means for ever
                other.execute(text("SET LOCAL lock_timeout = 20"))
            other.execute(select(Owner).with_for_update()).one()

    with database.write() as session:
        session.execute(select(Owner).with_for_update()).one()
        with pytest.raises(DatabaseError, match=r"locked by another process.*this was not done"):
            lock()
    lock()
    impatient.close()


def test_a_broken_promise_is_said_to_be_somebody_elses_change(database: Database) -> None:
    """What a unique key refuses is a race lost: trying again is the advice."""

    def add_twice() -> None:
        with database.write() as session:
            for _ in range(2):
                person = {"address": "a@b.c", "address_key": "a@b.c", "created_at": NOW}
                session.execute(insert(Subscriber).values(person))

    with pytest.raises(DatabaseError, match=r"changed by somebody else.*nothing was changed\. Try again"):
        add_twice()
    with database.read() as session:
        assert session.execute(select(func.count()).select_from(Subscriber)).scalar_one() == 0


def no_folder(folder: Path) -> Database:
    return Database(f"sqlite:///{folder}/none/x.db")


def a_folder(folder: Path) -> Database:
    return Database(f"sqlite:///{folder}")


def no_database(folder: Path) -> Database:
    (folder / "x.db").write_bytes(b"This is a letter and no database." * 100)
    return Database(f"sqlite:///{folder}/x.db")


def damaged(folder: Path) -> Database:
    path = folder / "x.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(data)
    return database


def no_server(folder: Path) -> Database:
    return Database(f"postgresql://ann:s3cret@/x?host={folder}&password=s3cret")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (no_folder, r"x\.db cannot be opened"),
        (a_folder, r"cannot be opened"),
        (no_database, r"x\.db is not a sound SQLite database"),
        (damaged, r"x\.db is not a sound SQLite database.*backup"),
        (no_server, r"^the database postgresql://ann:\*\*\*@/x cannot be used: .*No such file"),
    ],
)
def test_a_database_that_cannot_be_used_says_why(
    tmp_path: Path, make: Callable[[Path], Database], says: str
) -> None:
    """Each way a database can be out of reach is one sentence, which shows no password."""
    database = make(tmp_path)
    with pytest.raises(DatabaseError, match=says) as caught:
        database.ensure_current()
    assert "s3cret" not in str(caught.value)
    database.close()


def test_a_full_disk_is_said_to_be(tmp_path: Path, sqlite_template: Path) -> None:
    """A database that can grow no more says to make room, and keeps what it had."""
    path = tmp_path / "x.db"
    path.write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{path}")

    def fill() -> None:
        with database.write() as session:
            session.execute(text("PRAGMA max_page_count = 1"))
            for _ in range(100):
                make_owner(session, host="x" * 250)

    with pytest.raises(DatabaseError, match=r"disk of the database .* is full.*Make room"):
        fill()
    assert owners(database) == 0
    database.close()


@pytest.mark.parametrize(
    ("driver_error", "says"),
    [
        (psycopg.errors.DeadlockDetected("Verklemmung entdeckt"), "gave way to another process"),
        (psycopg.errors.LockNotAvailable("storniere Anfrage"), "locked by another process"),
        (psycopg.errors.DiskFull("konnte Datei nicht erweitern"), "is full or failing .*Make room"),
        (psycopg.errors.UndefinedTable('Relation "disk is full" existiert nicht'), "refused a statement"),
        (psycopg.OperationalError("keine Verbindung"), "cannot be used: keine Verbindung"),
    ],
)
def test_the_language_of_a_server_does_not_matter(driver_error: psycopg.Error, says: str) -> None:
    """What happened is known by its code; the server's words are only repeated."""
    error = exc.DBAPIError.instance(None, None, driver_error, psycopg.Error)
    assert isinstance(error, exc.DBAPIError)
    assert re.search(says, explain(error, "x"))


@pytest.mark.parametrize(
    "url", ["postgresql://ann:s3cret@host:port/x", "postgresql:/", "postgresql://ann:s3cret@h:1:2/x"]
)
def test_what_is_no_address_is_refused_without_repeating_it(url: str) -> None:
    """A slip in database.url is said to be one; a password in it is not shown."""
    with pytest.raises(DatabaseError, match=r"database\.url") as caught:
        Database(url)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("name", ["with space", "what?", "50%20", "a#b", "a;b", "дом", "?mode=ro"])
def test_any_folder_may_hold_a_database(tmp_path: Path, name: str) -> None:
    """A folder's name is no part of an address's grammar."""
    folder = tmp_path / name
    folder.mkdir()
    database = Database(f"sqlite:///{folder}/x.db")
    database.ensure_current()
    database.close()
    assert database.path == folder / "x.db"
    assert database.path.is_file()
    assert database.name == str(database.path)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(instants, min_size=1, max_size=5))
def test_instants_come_back_as_they_went(database: Database, values: list[datetime]) -> None:
    """An instant keeps its microseconds, comes back in UTC, and sorts in the database as in Python."""
    with database.read() as session:
        for value in values:
            session.execute(insert(Owner).values(host="x", pid=1, started_at=value))
        found = session.execute(select(Owner.started_at).order_by(Owner.started_at)).scalars().all()
        later = session.execute(
            select(func.count()).select_from(Owner).where(Owner.started_at > values[0])
        ).scalar_one()
    assert found == sorted(values)
    assert all(value.tzinfo is UTC for value in found)
    assert later == sum(value > values[0] for value in values)


ODD = st.sampled_from(["NULL", "", "{}", '"', "\\", '\\"', "a,b", " a ", "\n", "'", "%s", "漢\u2028"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            ODD | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50),
            st.integers(-(2**31), 2**31 - 1),
            instants,
            st.none() | instants,
        ),
        max_size=5,
    )
)
def test_many_rows_are_written_as_they_are(
    database: Database, rows: list[tuple[str, int, datetime, datetime | None]]
) -> None:
    """Whatever stands in a text, and where nothing stands: what comes back is what was given."""
    columns = ("host", "pid", "started_at", "ended_at")
    write = database.inserts(Owner, *columns)
    given_rows = [(host, pid, database.instant(at), database.instant(end)) for host, pid, at, end in rows]
    with database.writing_connection() as connection:
        connection.execute(text("DELETE FROM owner"))
        with database.in_one_trip(connection):
            changed = write.run(connection, given_rows) if rows else lambda: 0
        assert changed() == len(rows)
        found = connection.execute(
            select(*(getattr(Owner, name) for name in columns)).order_by(Owner.id)
        ).all()
        connection.rollback()
    assert list(map(tuple, found)) == rows


def test_no_instant_stays_none(database: Database) -> None:
    """An instant that is not there is not there on either side."""
    with database.read() as session:
        assert session.execute(select(literal(None, UTCDateTime()))).scalar_one() is None


def test_naive_times_are_refused(database: Database) -> None:
    """A forgotten zone fails at once."""
    naive = datetime(2026, 1, 5)  # noqa: DTZ001  # what is refused
    with pytest.raises(exc.StatementError, match="naive"), database.write() as session:
        session.execute(insert(Owner).values(host="x", pid=1, started_at=naive))
    with database.read() as session, pytest.raises(exc.StatementError, match="naive"):
        session.execute(select(Owner).where(Owner.started_at < naive))


@given(st.lists(st.integers()), st.integers(1, 10))
def test_batches_hold_everything_in_order(items: list[int], size: int) -> None:
    """No item is lost or repeated, and no batch is empty or too large."""
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(1 <= len(batch) <= size for batch in batches)


def test_a_crowd_of_writers_takes_turns(tmp_path: Path, sqlite_template: Path) -> None:
    """Threads of one process never meet SQLite's lock: without its patience, none of them is refused."""
    path = tmp_path / "crowd.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")

    @event.listens_for(database.engine, "connect")
    def _impatient(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA busy_timeout = 0")

    def one_more(number: int) -> None:
        with database.write() as session:
            make_owner(session, str(number))

    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(one_more, range(160)))
    assert owners(database) == 160
    database.close()
