"""The tables' history: what the migrations make is what the models say, and no path loses or doubles it."""

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Boolean, Connection, Date, Integer, LargeBinary, Table, func, inspect, select, text
from sqlmodel import SQLModel

import newsletter.models
import subscribers.models
from newsletter.database import Database
from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD
from newsletter.migrations.run import config
from subscribers.base import UTCDateTime

__all__ = ["newsletter", "subscribers"]

TABLES = SQLModel.metadata.sorted_tables
SCRIPTS = ScriptDirectory.from_config(config())


@pytest.fixture
def new(database: Database) -> Database:
    """A database that nothing was ever made in."""
    if database.is_sqlite:
        assert database.path is not None
        database.close()
        database.path.unlink()
    else:
        with database.write() as session:
            session.execute(text("DROP SCHEMA public CASCADE"))
            session.execute(text("CREATE SCHEMA public"))
    return database


def structure(connection: Connection) -> dict[str, Any]:
    """All that the database itself says about its tables, in an order that does not matter."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": [
                (column["name"], repr(column["type"]), column["nullable"], column["default"])
                for column in inspector.get_columns(table)
            ],
            "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
            "unique": sorted(
                (found["name"] or "", found["column_names"])
                for found in inspector.get_unique_constraints(table)
            ),
            "foreign keys": sorted(
                (key["constrained_columns"], key["referred_table"], key["referred_columns"], key["options"])
                for key in inspector.get_foreign_keys(table)
            ),
            "indexes": sorted(
                (index["name"] or "", index["column_names"], bool(index["unique"]))
                for index in inspector.get_indexes(table)
            ),
            "checks": inspector.get_check_constraints(table),
        }
        for table in inspector.get_table_names()
        if table != "alembic_version"
    }


def structure_of(database: Database) -> dict[str, Any]:
    with database.engine.connect() as connection:
        return structure(connection)


def fill(database: Database) -> None:
    """A row in every table, each pointing at row 1 of the others."""
    with database.write() as session:
        for table in TABLES:
            session.execute(table.insert().values({column.name: sample(column) for column in table.columns}))


def sample(column: Any) -> Any:
    if isinstance(column.type, UTCDateTime):
        return datetime(2026, 1, 1, tzinfo=UTC)
    if isinstance(column.type, Date):
        return date(2026, 1, 1)
    if isinstance(column.type, LargeBinary):
        return b"x"
    if isinstance(column.type, Boolean):
        return True
    return 1 if isinstance(column.type, Integer) else "x"


def in_no_order(found: dict[str, Any]) -> dict[str, Any]:
    """A structure without the order of columns: one that was taken out and put back is the last."""
    return {name: {**table, "columns": sorted(table["columns"])} for name, table in found.items()}


def count(database: Database, table: Table) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(table)).scalar_one()


def test_head_is_the_newest_migration() -> None:
    """The revision that the program asks for is the last of one linear history that begins with nothing."""
    history = list(SCRIPTS.walk_revisions())
    assert SCRIPTS.get_heads() == [HEAD]
    assert SCRIPTS.get_bases() == [history[-1].revision]
    assert history[-1].down_revision is None
    assert [script.down_revision for script in history[:-1]] == [script.revision for script in history[1:]]


def test_every_migration_says_what_it_is_for() -> None:
    """Each migration has a docstring, and its file is named by its revision."""
    for script in SCRIPTS.walk_revisions():
        assert script.doc
        assert Path(script.path).name.startswith(f"{script.revision}_")


def test_migrated_tables_are_those_of_the_models(database: Database) -> None:
    """Alembic, comparing types and defaults too, finds nothing to add, drop or change."""
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, SQLModel.metadata) == []


def test_migrated_tables_equal_fresh_ones(database: Database, new: Database) -> None:
    """Columns, keys, constraints and indexes, names and all, are those that the models would make."""
    with new.engine.begin() as connection:
        SQLModel.metadata.create_all(connection)
        fresh = structure(connection)
        SQLModel.metadata.drop_all(connection)
    database.upgrade()
    migrated = structure_of(database)
    assert set(migrated) == {table.name for table in TABLES}
    for name, table in fresh.items():
        assert migrated[name] == table


def test_down_and_up_again_with_data(database: Database) -> None:
    """Every migration can be taken back and made again with rows in every table, and leaves nothing."""
    fill(database)
    for script in SCRIPTS.walk_revisions():
        before = in_no_order(structure_of(database))
        assert all(count(database, table) == 1 for table in TABLES if table.name in before)
        database.downgrade(script.down_revision or "base")
        database.upgrade(script.revision)
        assert in_no_order(structure_of(database)) == before
        database.downgrade(script.down_revision or "base")
    assert structure_of(database) == {}


def test_what_went_out_before_keeps_a_web_version(database: Database) -> None:
    """Editions made before posts were kept with them take over their posts' path and source."""
    fill(database)
    post = SQLModel.metadata.tables["post"]
    kept = SQLModel.metadata.tables["edition_post"]
    with database.write() as session:
        session.execute(post.update().values(path="posts/a.md", source=b"As it is."))
    database.downgrade("0001")
    database.upgrade()
    with database.read() as session:
        assert session.execute(select(kept.c.path, kept.c.source)).all() == [("posts/a.md", b"As it is.")]


def test_what_waits_for_approval_waits_on(database: Database) -> None:
    """An older program, which knows no approval, finds it held; nothing else is."""
    fill(database)
    queue = SQLModel.metadata.tables["queue_entry"]
    for state, older in (("proposed", "held"), ("queued", "queued")):
        with database.write() as session:
            session.execute(queue.update().values(state=state))
        database.downgrade("0004")
        with database.read() as session:
            assert session.execute(text("SELECT state FROM queue_entry")).all() == [(older,)]
        database.upgrade()


def test_upgrading_again_changes_nothing(database: Database) -> None:
    """`db upgrade` on tables that are current keeps every row."""
    fill(database)
    before = structure_of(database)
    database.upgrade()
    database.ensure_current()
    assert structure_of(database) == before
    assert all(count(database, table) == 1 for table in TABLES)


def test_a_new_site_makes_its_tables(new: Database) -> None:
    """Nothing need be run by hand before first use."""
    assert new.version() is None
    new.ensure_current()
    assert new.version() == HEAD


UPGRADE = """
import sys
from newsletter.database import Database
import newsletter.migrations.run
database = Database(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
database.ensure_current()
print(database.version(), flush=True)
"""


def test_processes_that_meet_on_a_new_site(new: Database, database_url: str) -> None:
    """Whoever comes second waits, and finds the tables made."""
    new.close()
    command = [sys.executable, "-c", UPGRADE, database_url]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert answers == [(f"{HEAD}\n", "")] * 2
    assert set(structure_of(new)) == {table.name for table in TABLES}


def set_version(database: Database, revision: str) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


@pytest.mark.parametrize("revision", ["0000", "9999"])
def test_tables_of_another_version_are_refused(database: Database, revision: str) -> None:
    """A program does not touch tables that it was not made for, and says which command helps."""
    set_version(database, revision)
    with pytest.raises(DatabaseError, match=f"revision {revision}.*needs {HEAD}.*`paperround db upgrade`"):
        database.ensure_current()
    assert database.version() == revision


def test_upgrading_a_newer_programs_tables_is_refused(database: Database) -> None:
    """`db upgrade` by an older program says so, and changes nothing."""
    set_version(database, "9999")
    with pytest.raises(DatabaseError, match="newer program"):
        database.upgrade()
    assert database.version() == "9999"


def test_an_upgrade_is_whole_or_not_at_all(new: Database) -> None:
    """Where somebody else's table is in the way, none of ours is made."""
    with new.write() as session:
        session.execute(text("CREATE TABLE delivery (id integer)"))
    with pytest.raises(DatabaseError, match=r"delivery.* already exists"):
        new.ensure_current()
    assert set(structure_of(new)) == {"delivery"}


def test_an_erratum_outlives_a_way_down(database: Database) -> None:
    """One in the very minute of a slot stays an issue where the tables know of slots only, and no slot's."""
    fill(database)
    with database.write() as session:
        session.execute(text("UPDATE issue SET slot = '2026-01-06T08:00', kind = 'slot', corrects = NULL"))
        session.execute(
            text(
                "INSERT INTO issue (id, category_id, kind, slot, due_at, state, reason, planned_at,"
                " expires_at, corrects, note) SELECT 2, category_id, 'erratum', slot, due_at, state, reason,"
                " planned_at, expires_at, 1, '' FROM issue"
            )
        )
    database.downgrade("0004")
    with database.read() as session:
        found = session.execute(text("SELECT slot FROM issue ORDER BY id")).scalars().all()
    assert found == ["2026-01-06T08:00", "2026-01-06 08:00"]
    database.upgrade()
