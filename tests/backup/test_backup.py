"""Backups: made while others write, put back whole, and quiet afterwards; on both kinds of database."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from newsletter.backup import postgresql
from newsletter.backup.copies import back_up, restore
from newsletter.backup.soundness import damage, require_current
from newsletter.content.history import latest_events
from newsletter.database import Database
from newsletter.delivery.issues import resume
from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD
from newsletter.models import Category, Delivery, Issue, QueueEntry
from newsletter.states import DeliveryState, EntryState, IssueState
from subscribers.models import Subscriber
from tests.planning import MONDAY, TUESDAY, WEEK, Town
from tests.postgres import copied_postgres

LATER = TUESDAY + timedelta(hours=4)


@pytest.fixture(autouse=True)
def client_programs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's client programs of the server's version, first on the PATH."""
    if "postgresql" not in request.node.name and "postgresql_site" not in request.fixturenames:
        return
    request.getfixturevalue("postgres_template")
    try:
        import pgserver
    except ImportError:
        if shutil.which("pg_dump") is None:
            pytest.skip("needs pg_dump")
        return
    programs = Path(pgserver.__file__).parent / "pginstall" / "bin"
    monkeypatch.setenv("PATH", str(programs), prepend=os.pathsep)


@pytest.fixture
def site(database: Database) -> Town:
    """Two weekly categories with two readers and two posts each; nothing is planned yet."""
    town = Town(database)
    for category in ("advice", "letters"):
        town.category(category)
        town.queue(f"{category}-1", f"{category}-2", category=category)
        town.subscribe("ann", "bo", category=category)
    return town


def put_back(database: Database, file: Path, now: datetime = LATER) -> str:
    """Restore with no connection of our own left, as a command of its own would."""
    database.close()
    restored = restore(database, file, folder=file.parent, now=now)
    assert restored.kept is not None
    assert restored.kept.exists()
    return restored.revision


def content(database: Database) -> dict[str, int]:
    with database.read() as session:
        return {
            table.__tablename__: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (Subscriber, Category, QueueEntry, Issue, Delivery)
        }


def states(database: Database) -> tuple[dict[str, str], dict[str, str]]:
    """Each category's issue and the state of its queue."""
    with database.read() as session:
        issues = select(col(Category.slug), col(Issue.state)).join(
            Issue, col(Issue.category_id) == col(Category.id)
        )
        entries = select(col(Category.slug), func.min(col(QueueEntry.state))).join(
            QueueEntry, col(QueueEntry.category_id) == col(Category.id)
        )
        return (
            dict(session.execute(issues).all()),
            dict(session.execute(entries.group_by(col(Category.slug))).all()),
        )


def test_a_backup_taken_back_is_the_database_it_was(site: Town, database: Database, tmp_path: Path) -> None:
    """What came after the backup is gone, what was there is there, and the replaced database is kept."""
    file = tmp_path / "backup"
    assert back_up(database, file) == HEAD
    before = content(database)
    site.subscribe("cleo")
    assert put_back(database, file, now=MONDAY) == HEAD
    assert content(database) == before
    assert damage(database) == []
    kept = next(tmp_path.glob("*.before-restore-*"))
    put_back(database, kept, now=MONDAY + timedelta(seconds=1))
    assert content(database) == before | {"subscriber": before["subscriber"] + 1}
    assert not list(tmp_path.glob(".*"))


def test_a_backup_is_for_its_owner_alone_and_replaces_nothing(site: Town, tmp_path: Path) -> None:
    """The file holds personal data; one that is there already stays as it is."""
    file = tmp_path / "backup"
    back_up(site.database, file)
    assert file.stat().st_mode & 0o777 == 0o600
    octets = file.read_bytes()
    with pytest.raises(DatabaseError, match="is there already; nothing was written"):
        back_up(site.database, file)
    assert file.read_bytes() == octets
    with pytest.raises(DatabaseError, match="nothing can be written there"):
        back_up(site.database, tmp_path / "nowhere" / "backup")


def test_a_backup_is_one_moment_while_another_process_writes(
    site: Town, database: Database, database_url: str, tmp_path: Path
) -> None:
    """Each transaction of a busy writer is in the backup whole or not at all, and the writer goes on."""
    started, stop, failures = Event(), Event(), list[Exception]()

    def write() -> None:
        other = Town(Database(database_url))
        number = 0
        try:
            while not stop.is_set():
                other.subscribe(f"a{number}", f"b{number}", f"c{number}")
                number += 1
                if number == 3:
                    started.set()
        except Exception as error:
            failures.append(error)
        finally:
            started.set()
            other.database.close()

    writer = Thread(target=write)
    writer.start()
    try:
        started.wait(30)
        for number in range(3):
            back_up(database, tmp_path / f"backup{number}")
    finally:
        stop.set()
        writer.join()
    assert failures == []
    for number in range(3):
        put_back(database, tmp_path / f"backup{number}", now=MONDAY + timedelta(seconds=number))
        readers = content(database)["subscriber"] - 2
        assert readers >= 9
        assert readers % 3 == 0


def test_a_restored_database_sends_nothing_by_itself(site: Town, database: Database, tmp_path: Path) -> None:
    """Letters that were under way are paused, and the slots and posts since the backup wait for a person."""
    site.queue("advice-3")
    site.plan(TUESDAY)
    with database.write() as session:
        advice = select(col(Category.id)).where(col(Category.slug) == "advice")
        theirs = select(col(Issue.id)).where(col(Issue.category_id).in_(advice))
        done = {"state": DeliveryState.SENT, "sent_at": TUESDAY}
        session.execute(update(Delivery).where(col(Delivery.issue_id).not_in(theirs)).values(**done))
    back_up(database, tmp_path / "backup")
    database.close()
    restored = restore(database, tmp_path / "backup", folder=tmp_path, now=TUESDAY + timedelta(hours=1))
    issues, queues = states(database)
    assert issues == {"advice": IssueState.PAUSED, "letters": IssueState.PLANNED}
    assert EntryState.HELD not in queues.values()
    assert restored.quieted.last_entry == TUESDAY
    assert len(restored.quieted.issues) == 1
    with database.read() as session:
        reason = session.execute(
            select(col(Issue.reason)).where(col(Issue.state) == IssueState.PAUSED)
        ).scalar_one()
    assert reason.startswith("restored from a backup that ends at 2026-01-06 08:00 UTC")

    # A week later a slot has passed that the backup knows nothing of.
    database.close()
    later = TUESDAY + WEEK + timedelta(hours=1)
    again = restore(database, tmp_path / "backup", folder=tmp_path, now=later)
    assert dict(again.quieted.categories) == {"advice": 2, "letters": 1}
    with database.read() as session:
        held = [(one.actor, one.category, one.post) for one in latest_events(session, limit=3)]
        assert {one.action for one in latest_events(session, limit=3)} == {"held"}
    posts = [("advice", "advice-2"), ("advice", "advice-3"), ("letters", "letters-2")]
    assert held == [("db restore", *names) for names in posts]
    assert [(p.category, p.state) for p in site.plan(later)] == []
    following = site.plan(TUESDAY + 2 * WEEK)
    assert {planned.state for planned in following} == {IssueState.EMPTY}


def test_without_the_quiet_the_same_would_have_gone_again(site: Town, database: Database) -> None:
    """The planner does plan the slot that the test above finds silent: the silence is the restoration's."""
    site.plan(TUESDAY)
    assert {planned.state for planned in site.plan(TUESDAY + WEEK + timedelta(hours=1))} == {
        IssueState.PLANNED
    }


def test_restoring_waits_for_nobody_to_use_the_database(
    site: Town, database: Database, database_url: str, tmp_path: Path
) -> None:
    """While another process has the database open, nothing is changed and the error says what to stop."""
    back_up(database, tmp_path / "backup")
    site.subscribe("cleo")
    before = content(database)
    database.close()
    other = Database(database_url)
    with other.read() as session:
        session.execute(select(col(Subscriber.id)))
    with pytest.raises(DatabaseError, match=r"another process.*Stop `paperround run`"):
        restore(database, tmp_path / "backup", folder=tmp_path, now=LATER)
    other.close()
    assert content(database) == before


_OLDER = """
INSERT INTO category (id, slug, title, cadence, timezone, mode, created_at, slots_from)
VALUES (1, 'advice', 'Advice', 'weekly tue 08:00', 'UTC', 'broadcast', :at, :at);
INSERT INTO subscriber (id, address, address_key, created_at)
VALUES (1, 'a@example.org', 'a@example.org', :at);
INSERT INTO issue (id, category_id, slot, due_at, state, reason, planned_at)
VALUES (1, 1, '2026-01-06T08:00', :at, 'planned', '', :at);
INSERT INTO edition (id, key, issue_id, subject, html, text, headers, rendered_at)
VALUES (1, 'key', 1, '', '', '', '{}', :at);
INSERT INTO delivery (id, subscriber_id, issue_id, edition_id, category, letter_key, state, due_at,
expires_at, attempts) VALUES (1, 1, 1, 1, 'advice', 'issue:1', 'queued', :at, :at, 0)
"""


def test_an_older_backup_is_brought_up_to_date(database: Database, tmp_path: Path) -> None:
    """A backup made before an upgrade of the program serves, is as quiet as any other, and can go on."""
    database.downgrade("0002")
    with database.write() as session:
        for statement in _OLDER.split(";"):
            session.execute(text(statement), {"at": "2026-01-06 08:00:00+00:00"})
    assert back_up(database, tmp_path / "backup") == "0002"
    assert put_back(database, tmp_path / "backup") == "0002"
    require_current(database)
    assert set(states(database)[0].values()) == {IssueState.PAUSED}
    with database.write() as session:
        resume(session, 1, now=LATER, expiry=WEEK)
    assert set(states(database)[0].values()) == {IssueState.PLANNED}


def test_a_newer_programs_backup_is_refused(site: Town, database: Database, tmp_path: Path) -> None:
    """Tables of a revision that this program does not know are not put in place of those it does."""
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    back_up(database, tmp_path / "backup")
    with database.write() as session:
        session.execute(text(f"UPDATE alembic_version SET version_num = '{HEAD}'"))
    database.close()
    with pytest.raises(DatabaseError, match="'9999', and this program knows none beyond"):
        restore(database, tmp_path / "backup", folder=tmp_path, now=LATER)
    require_current(database)


def foreign_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files that are no backup of ours, and what is said of them."""
    yield folder / "missing", "cannot be read: No such file"
    yield folder, "cannot be read: Is a directory"
    (folder / "empty").touch()
    yield folder / "empty", "is no"
    (folder / "text").write_text("Dear reader")
    yield folder / "text", "is no"
    with closing(sqlite3.connect(folder / "other")) as other:
        other.execute("CREATE TABLE recipe (id INTEGER)")
    yield folder / "other", "none of Paperround's|is no backup"
    (folder / "cut").write_bytes((folder / "backup").read_bytes()[:5000])
    yield folder / "cut", "damaged|malformed|pg_restore failed|is no|none of"
    octets = bytearray((folder / "backup").read_bytes())
    octets[4096 * 2 : 4096 * 4] = bytes(4096 * 2)
    (folder / "bitten").write_bytes(octets)
    yield folder / "bitten", "damaged|malformed|pg_restore failed|is no|none of"


def test_what_is_no_backup_of_ours_is_refused(site: Town, database: Database, tmp_path: Path) -> None:
    """Missing, empty, foreign, truncated and damaged files are named, and change nothing."""
    back_up(database, tmp_path / "backup")
    before = content(database)
    for file, told in foreign_files(tmp_path):
        database.close()
        with pytest.raises(DatabaseError, match=told):
            restore(database, file, folder=tmp_path, now=LATER)
    assert content(database) == before
    assert not list(tmp_path.glob(".*"))


@pytest.fixture
def sqlite_site(sqlite_template: Path, tmp_path: Path) -> Iterator[Town]:
    """A site on SQLite with one reader."""
    path = tmp_path / "live.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    town = Town(database)
    town.category()
    town.subscribe("ann")
    yield town
    database.close()


@pytest.mark.parametrize("ruin", ["gone", "text", "zeroed"])
def test_a_lost_or_ruined_sqlite_database_is_replaced(sqlite_site: Town, tmp_path: Path, ruin: str) -> None:
    """A restoration serves also when there is nothing sound to replace; a log left over is not played in."""
    path = sqlite_site.database.path
    assert path is not None
    back_up(sqlite_site.database, tmp_path / "backup")
    sqlite_site.subscribe("bo")
    shutil.copy(f"{path}-wal", tmp_path / "log")
    sqlite_site.database.close()
    shutil.copy(tmp_path / "log", f"{path}-wal")
    if ruin == "gone":
        path.unlink()
    else:
        path.write_bytes(
            b"Dear reader, " * 1000 if ruin == "text" else path.read_bytes()[:100] + bytes(50_000)
        )
    restored = restore(sqlite_site.database, tmp_path / "backup", folder=tmp_path, now=LATER)
    assert content(sqlite_site.database)["subscriber"] == 1
    assert damage(sqlite_site.database) == []
    assert restored.kept is not None
    assert (restored.kept.exists()) is (ruin != "gone")


def test_a_restored_sqlite_database_survives_a_full_disk(sqlite_site: Town, tmp_path: Path) -> None:
    """When the new content does not fit, the old one stays."""
    database = sqlite_site.database
    back_up(database, tmp_path / "backup")
    sqlite_site.subscribe("bo")
    database.close()
    program = (
        "import resource, sys; from pathlib import Path; from datetime import datetime, UTC\n"
        "from newsletter.database import Database; from newsletter.backup.copies import restore\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "restore(Database(sys.argv[1]), Path(sys.argv[2]), folder=Path('.'), now=datetime.now(UTC))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{database.path}", tmp_path / "backup"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "DatabaseError" in done.stderr, done.stderr
    assert content(database)["subscriber"] == 2


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            "pg_dump: error: aborting because of server version mismatch",
            "install PostgreSQL's client programs",
        ),
        (
            "pg_dump: error: connection to server failed: FATAL: no such role",
            "pg_dump failed: .*no such role",
        ),
        ("FEHLER:  55P03: storniere Anfrage wegen Zeitüberschreitung", "another process is connected"),
        ("FEHLER:  42704: unbekannter Konfigurationsparameter", "install PostgreSQL's client programs"),
        ("FEHLER:  42601: in company, lock timeout, unsupported", "pg_dump failed: FEHLER: 42601"),
    ],
)
def test_what_pg_dump_says_is_explained(
    told: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client of the wrong version says which to install; anything else is repeated; no file is left."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho '{told}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(DatabaseError, match=expected):
        back_up(Database("postgresql://ann:secret@localhost/letters"), tmp_path / "backup")
    assert list(tmp_path.iterdir()) == [program.parent]


def test_postgresqls_programs_speak_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the user's language, what they say of versions is what we know."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$LC_ALL" = C ] && echo "server version mismatch" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(DatabaseError, match="install PostgreSQL's client programs"):
        back_up(Database("postgresql://ann@localhost/letters"), tmp_path / "backup")


def test_a_restoration_waits_for_no_lock_for_long(postgresql_site: Town, tmp_path: Path) -> None:
    """A table that somebody else reads is not waited for; the server's words for that do not matter."""
    database = postgresql_site.database
    back_up(database, tmp_path / "backup")
    with database.engine.connect() as connection:
        connection.execute(text("LOCK TABLE subscriber"))
        with pytest.raises(DatabaseError, match="another process is connected"):
            postgresql.put_back(database, tmp_path / "backup", tmp_path)


def test_a_missing_pg_dump_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PostgreSQL's client programs the error names them."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatabaseError, match="pg_dump is not on the PATH: install"):
        back_up(Database("postgresql://ann@localhost/letters"), tmp_path / "backup")


def test_a_password_is_in_no_list_of_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others on the machine can read a command's arguments; pg_dump gets the password by its environment."""
    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "$@ / $PGPASSWORD" >&2\nexit 1\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    with pytest.raises(DatabaseError) as caught:
        back_up(Database("postgresql://ann:it%27s%20me@localhost/letters"), tmp_path / "backup")
    arguments, _, password = str(caught.value).partition(" / ")
    assert password == "it's me"
    assert "it's me" not in arguments


@pytest.fixture
def postgresql_site(postgres_template: str) -> Iterator[Town]:
    """A site with one reader, in a PostgreSQL database of its own."""
    with copied_postgres(postgres_template) as url:
        town = Town(Database(url))
        town.category()
        town.subscribe("ann")
        yield town
        town.database.close()


def test_who_comes_while_tables_are_put_back_undoes_it(postgresql_site: Town, tmp_path: Path) -> None:
    """Whether anybody is connected is asked again within the transaction, which is then rolled back."""
    database = postgresql_site.database
    back_up(database, tmp_path / "backup")
    postgresql_site.subscribe("bo")
    with database.read() as session:  # somebody else, as psql sees it
        session.execute(text("SELECT 1"))
        with pytest.raises(DatabaseError, match="another process is connected"):
            postgresql.put_back(database, tmp_path / "backup", tmp_path)
    assert content(database)["subscriber"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup"]


def test_who_comes_after_the_first_look_is_seen_at_the_second(postgresql_site: Town) -> None:
    """Both looks are within one transaction, for which the server freezes what it shows of its sessions."""
    database = postgresql_site.database
    database.close()
    look = text(postgresql.ALONE)
    with database.engine.connect() as connection:
        connection.execute(look)
        with database.engine.connect(), pytest.raises(DBAPIError, match="in company"):
            connection.execute(look)


def test_tables_put_back_are_used_by_nobody_until_they_are_quiet(
    postgresql_site: Town, tmp_path: Path
) -> None:
    """A restoration that dies before its end leaves tables that all refuse; another one mends it."""
    database = postgresql_site.database
    back_up(database, tmp_path / "backup")
    database.close()
    postgresql.put_back(database, tmp_path / "backup", tmp_path)
    for use in (database.ensure_current, database.upgrade):
        with pytest.raises(DatabaseError, match=f"revision restoring:{HEAD}"):
            use()
    assert put_back(database, tmp_path / "backup") == HEAD
    database.ensure_current()


def test_other_programs_tables_in_the_database_stay(postgresql_site: Town, tmp_path: Path) -> None:
    """A backup has our tables only, and putting it back touches no other."""
    database = postgresql_site.database
    with database.write() as session:
        session.execute(text("CREATE TABLE recipe (id INTEGER); INSERT INTO recipe VALUES (7)"))
    back_up(database, tmp_path / "backup")
    with database.write() as session:
        session.execute(text("INSERT INTO recipe VALUES (8)"))
    put_back(database, tmp_path / "backup")
    with database.read() as session:
        assert list(session.execute(text("SELECT id FROM recipe ORDER BY id")).scalars()) == [7, 8]
