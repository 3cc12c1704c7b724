"""The engine, its sessions, and the few statements two databases spell differently.

This is the only place that knows a dialect. `read()` and `write()` give a Session in one transaction
each; on SQLite a writing transaction takes the write lock at once (BEGIN IMMEDIATE), because upgrading a
read to a write fails at once where waiting would have served. What the driver raises leaves here as a
DatabaseError that says what to do.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    ARRAY,
    URL,
    ColumnElement,
    Connection,
    Engine,
    Executable,
    any_,
    bindparam,
    create_engine,
    event,
    exc,
    func,
    inspect,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel

from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD
from subscribers.base import UTCDateTime
from subscribers.consent import is_unsealed, seal
from subscribers.ports import bring_along

BUSY_SECONDS = 10
"""How long a writer waits for another one before it gives up."""
_SCRUB_SECONDS = 2
"""How long a moment without readers is waited for."""

_WRITING = "paperround_writing"

_CONSENTS_LOCK = 7309454
"""PostgreSQL's advisory lock for the end of the chain of consents."""

_SQLITE = "sqlite:///"
_BETWEEN, _QUOTED_COMMA = "\0", '","'


class Database:
    """One site's database. Cheap to make; nothing is opened before first use."""

    def __init__(self, url: str) -> None:
        """`sqlite:///FILE` or `postgresql://…`. Raises DatabaseError for what is neither."""
        parsed = _parse(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        # A password can stand in the query too, so that is not shown.
        self.name = (
            parsed.database
            if self.is_sqlite
            else parsed.set(drivername="postgresql", query={}).render_as_string()
        )
        self.path = Path(parsed.database) if self.is_sqlite and parsed.database else None
        self._turn = Lock()
        self._statements: dict[Hashable, ForMany] = {}
        self.engine = _sqlite_engine(parsed) if self.is_sqlite else _postgresql_engine(parsed)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; nothing it does is kept."""
        with (
            self.explained(),
            Session(self.engine, expire_on_commit=False, info=bring_along(self)) as session,
        ):
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one transaction: committed at the end, rolled back on any exception."""
        with (
            self._in_turn(),
            self.explained(),
            self.writing_connection() as connection,
            Session(connection, expire_on_commit=False, info=bring_along(self)) as session,
        ):
            yield session
            if is_unsealed(session):
                self._hold_consents(session)
                seal(session)
            session.commit()
            connection.commit()

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread of this process write after the other to SQLite, which lets one write at a time.

        Whoever waits for SQLite itself looks again now and then, and in a crowd may look in vain until its
        patience ends. Other processes are still waited for so.
        """
        has_turn = self.is_sqlite and self._turn.acquire(timeout=BUSY_SECONDS)
        try:
            yield
        finally:
            if has_turn:
                self._turn.release()

    def _hold_consents(self, session: Session) -> None:
        """Keep others from the end of the chain of consents until the transaction ends.

        Taken last, with every other lock held already: so nobody waits for each other in a circle.
        """
        if not self.is_sqlite:  # where a writing transaction is alone anyway
            session.flush()
            session.execute(text(f"SELECT pg_advisory_xact_lock({_CONSENTS_LOCK})"))

    @contextmanager
    def writing_connection(self) -> Iterator[Connection]:
        """A connection whose transactions are writing ones from their first statement."""
        with self.engine.connect().execution_options(**{_WRITING: True}) as connection:
            yield connection

    def insert(self, table: type[SQLModel]) -> Any:
        """An INSERT of this dialect, which has `on_conflict_do_nothing` and `returning` on both."""
        dialect: Any = sqlite if self.is_sqlite else postgresql
        return dialect.insert(table)

    def updates(self, make: "Callable[[Given], Executable]", **types: Any) -> "ForMany":
        """An UPDATE for many rows: `make` is given the values of one, by these names and types."""
        return self._compiled((make, *types), lambda: ForMany(self.engine, make, types))

    def inserts(self, table: type[SQLModel], *names: str, unless_there: str | None = None) -> "ForMany":
        """An INSERT of many rows into these columns of a table; none for what is there already, by a key."""
        columns: Any = inspect(table).columns
        types = {name: columns[name].type for name in names}

        def make(given: Given) -> Executable:
            to: Any = self.insert(table)
            rows: Any = (
                to.values(given)
                if self.is_sqlite
                else to.from_select(names, select(*given.values()), include_defaults=False)
            )
            if unless_there:
                rows = rows.on_conflict_do_nothing(index_elements=[unless_there])
            statement: Executable = rows
            return statement

        return self._compiled((table, unless_there, *names), lambda: ForMany(self.engine, make, types))

    def _compiled(self, what: Hashable, make: "Callable[[], ForMany]") -> "ForMany":
        if what not in self._statements:
            self._statements[what] = make()
        return self._statements[what]

    def numbers(self, connection: Connection, table: type[SQLModel], count: int) -> Sequence[int]:
        """So many ids for rows of a table, for a writing transaction."""
        if self.is_sqlite:  # which counts on from the greatest, and lets one write at a time
            last = connection.execute(select(func.coalesce(func.max(_id_of(table)), 0))).scalar_one()
            return range(last + 1, last + 1 + count)
        sequence = func.pg_get_serial_sequence(inspect(table).local_table.name, "id")
        drawn = select(func.nextval(sequence).label("id")).select_from(func.generate_series(1, count))
        numbers = select(func.array_agg(drawn.subquery().c.id))
        return sorted(connection.execute(numbers).scalar_one())

    def is_among(self, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
        """That a column is one of these texts or whole numbers: one parameter, however many they are."""
        if self.is_sqlite:
            is_one: ColumnElement[bool] = column.in_(
                select(func.json_each(json.dumps(values)).table_valued("value").c.value)
            )
        else:
            is_one = column == any_(bindparam(None, values, type_=ARRAY(column.type)))
        return is_one

    @contextmanager
    def in_one_trip(self, connection: Connection) -> Iterator[None]:
        """Send what is run within, and a commit, to the server without waiting for each answer.

        Results are there at the end. On SQLite there is no way to save.
        """
        driver_error: Any = self.engine.dialect.loaded_dbapi.Error
        try:
            if self.is_sqlite:
                yield
            else:
                driver: Any = connection.connection.driver_connection
                with driver.pipeline():
                    yield
        except (driver_error, exc.DBAPIError) as error:
            with suppress(
                driver_error, exc.SQLAlchemyError
            ):  # where the connection is gone, so is what was done
                # After a commit that failed SQLAlchemy has no transaction to roll back; the server still has.
                connection.connection.rollback()
            if isinstance(error, exc.DBAPIError):
                raise
            raise exc.DBAPIError.instance(None, None, error, driver_error) from error

    @cached_property
    def instant(self) -> Callable[[datetime | None], Any]:
        """An instant as the driver takes it, for `many`."""
        dialect = self.engine.dialect
        kind: Any = UTCDateTime().dialect_impl(dialect)
        process = kind.bind_processor(dialect) or (lambda value: value)
        # PostgreSQL is given arrays as text: what stands in many rows need be written once.
        return process if self.is_sqlite else lambda value: None if value is None else str(process(value))

    def version(self) -> str | None:
        """The revision of the tables that are there, None where there are none."""
        with self.explained(), self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

    def ensure_current(self) -> None:
        """Make the tables of a new site; refuse tables of another version.

        Raises DatabaseError that says what to do: `paperround db upgrade`, or a newer program.
        """
        if (found := self.version()) == HEAD:
            return
        if found is None:
            self.upgrade()
            return
        raise self.wrong_version(found)

    def wrong_version(self, found: str | None) -> DatabaseError:
        """The error that says what to do with tables of this revision."""
        return DatabaseError(
            f"the database {self.name} has the tables of revision {found or 'none'}, this program needs "
            f"{HEAD}: run `paperround db upgrade` (or the newer program, if the database is ahead)"
        )

    def upgrade(self, revision: str = "head") -> None:
        """Run the migrations up to a revision. Raises DatabaseError if the tables are a newer program's."""
        from newsletter.migrations.run import is_known, upgrade

        if (found := self.version()) is not None and not is_known(found):
            raise self.wrong_version(found)
        with self.reshaping() as connection:
            upgrade(connection, revision)

    def downgrade(self, revision: str) -> None:
        """Run the migrations down to a revision."""
        from newsletter.migrations.run import downgrade

        with self.reshaping() as connection:
            downgrade(connection, revision)

    @contextmanager
    def reshaping(self) -> Iterator[Connection]:
        """A connection in one transaction that may change the tables themselves; committed at the end."""
        with self.explained(), self.writing_connection() as connection:
            if self.is_sqlite:
                # A table that is changed is made anew and the old one dropped, whatever refers to it (it
                # still does). Within a transaction SQLite would not hear of it.
                connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
            with connection.begin():
                yield connection
            if self.is_sqlite:
                connection.connection.cursor().execute("PRAGMA foreign_keys = ON")

    def scrub(self) -> None:
        """Empty SQLite's log, which still holds what was deleted; it needs a moment without readers for that.

        Without one all stays until the log is begun anew, or the last process ends.
        """
        if self.is_sqlite:
            connection = self.engine.raw_connection()
            try:
                cursor = connection.cursor()
                cursor.execute(f"PRAGMA busy_timeout = {_SCRUB_SECONDS * 1000}")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
            finally:
                connection.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the driver raises into a DatabaseError."""
        try:
            yield
        except exc.IntegrityError as error:
            raise DatabaseError(
                f"the database {self.name} has been changed by somebody else at this very moment "
                f"({' '.join(str(error.orig).split())}); nothing was changed. Try again"
            ) from error
        except exc.DBAPIError as error:
            raise DatabaseError(explain(error, str(self.name))) from error


Given = Mapping[str, Any]
"""The values of one row, as parts of a statement."""


class ForMany:
    """A statement compiled once, and run for many rows without SQLAlchemy's work a row.

    A row is a tuple in the order of `types`. SQLite is given one row after the other, which costs it least;
    PostgreSQL all of them at once, as arrays, which saves it a round trip and the work of a statement a row.
    Constants are to be literals. Values are whole numbers, text, None, or instants as `Database.instant`
    makes them.
    """

    def __init__(self, engine: Engine, make: Callable[[Given], Executable], types: Mapping[str, Any]) -> None:
        self._is_one_by_one = engine.dialect.name == "sqlite"
        self._driver_error: Any = engine.dialect.loaded_dbapi.Error
        if self._is_one_by_one:
            dialect: Any = engine.dialect
            given: Given = {name: bindparam(f"given_{name}", type_=kind) for name, kind in types.items()}
        else:
            make_dialect: Any = type(engine.dialect)
            dialect = make_dialect(paramstyle="format")  # parameters by place, as SQLite's are
            arrays = [bindparam(f"given_{name}", type_=ARRAY(kind)) for name, kind in types.items()]
            given = dict(func.unnest(*arrays).table_valued(*types, name="given").render_derived().c.items())
        statement: Any = make(given)
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        # Rows go to the driver as they are where the statement has its values in their order.
        order = [list(types).index(name.removeprefix("given_")) for name in compiled.positiontup]
        self._arranged = None if order == list(range(len(types))) else itemgetter(*order)

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Callable[[], int]:
        """Run it for these rows, in the connection's transaction, and within `Database.in_one_trip`.

        How many rows it changed can be asked once that has ended.
        """
        if not connection.in_transaction():
            connection.begin()
        cursor = connection.connection.cursor()
        arranged = rows if self._arranged is None else list(map(self._arranged, rows))
        try:
            if self._is_one_by_one:
                cursor.executemany(self._sql, arranged)
            else:
                cursor.execute(self._sql, list(map(_array, zip(*arranged, strict=True))))
        except self._driver_error as error:
            raise exc.DBAPIError.instance(None, None, error, self._driver_error) from error
        return lambda: int(cursor.rowcount)


def _id_of(table: type[SQLModel]) -> Any:
    columns: Any = inspect(table).columns
    return columns["id"]


def _array(values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads one (its manual, §8.15.2). The driver looks at each value four times."""
    try:
        # Texts, as most columns are, all at once; what no text has stands between them.
        joined = _BETWEEN.join(values)
    except TypeError:
        return f"{{{','.join([_element(value) for value in values])}}}"
    if joined.count(_BETWEEN) != len(values) - 1:
        raise ValueError("a text with a NUL cannot be kept")
    return f'{{"{_escaped(joined).replace(_BETWEEN, _QUOTED_COMMA)}"}}'


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int):
        return str(value)
    return f'"{_escaped(str(value))}"'


def _escaped(text: str) -> str:
    if "\\" in text or '"' in text:
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return text


def _parse(url: str) -> URL:
    if url.startswith(_SQLITE):
        # Not make_url: a folder's name may hold a question mark.
        return URL.create("sqlite", database=url.removeprefix(_SQLITE))
    try:
        return make_url(url).set(drivername="postgresql+psycopg")
    except (ValueError, exc.ArgumentError):
        # The address is not repeated: there may be a password in it.
        raise DatabaseError(
            "the setting database.url is no address of a database; write sqlite:///FILE or "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ in the password"
        ) from None


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """Slices of at most `size`, for IN lists that must stay below a driver's limit of parameters."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


DEADLOCK = frozenset({"40P01"})
LOCKED = frozenset({"55P03", sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
FULL = frozenset({"53100", "58030", sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})
UNWRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})
UNSOUND = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


def code_of(error: BaseException | None) -> str | int | None:
    """By what a driver's error is known, whatever the server's language; None where there is no code.

    That is PostgreSQL's SQLSTATE (its manual, appendix A), or SQLite's primary result code.
    """
    state: str | None = getattr(error, "sqlstate", None)
    number: int | None = getattr(error, "sqlite_errorcode", None)
    return state if number is None else number & 0xFF


def explain(error: exc.DBAPIError, name: str) -> str:
    """Say in one sentence what a driver's error means and what to do."""
    message = " ".join(str(error.orig).split())
    code = code_of(error.orig)
    if code in DEADLOCK:
        return f"the database {name} gave way to another process at this moment; this was not done. Try again"
    if code in LOCKED:
        return (
            f"the database {name} is locked by another process, also after a wait of {BUSY_SECONDS} "
            f"seconds; this was not done. Try again, or find who holds it"
        )
    if code in FULL:
        return f"the disk of the database {name} is full or failing ({message}); this was not done. Make room"
    if code in UNWRITABLE:
        return f"the database {name} cannot be opened for writing ({message}); see its folder's permissions"
    if code in UNSOUND:
        return f"{name} is not a sound SQLite database ({message}); restore it from a backup"
    fault = "cannot be used" if isinstance(error, exc.OperationalError) else "refused a statement"
    return f"the database {name} {fault}: {message}"


def _keep_a_log(cursor: Any) -> None:
    """Turn on write-ahead logging, which lasts with the file.

    Of two processes that meet on a new file SQLite refuses one at once, whatever the busy timeout: both read
    already, and waiting for each other would never end.
    """
    patience = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if code_of(error) not in LOCKED or time.monotonic() > patience:
                raise
            time.sleep(0.01)
        else:
            return


def _sqlite_engine(url: Any) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        _keep_a_log(cursor)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA secure_delete = ON")  # who is erased is in no free page either
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writing = connection.get_execution_options().get(_WRITING, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine


def _postgresql_engine(url: Any) -> Engine:
    # What the driver would print of a lost connection is raised as well, and explained.
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)
    return create_engine(
        url,
        pool_pre_ping=True,
        connect_args={"connect_timeout": BUSY_SECONDS, "options": f"-c lock_timeout={BUSY_SECONDS}s"},
    )
