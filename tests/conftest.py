"""What tests share: a database of each kind, a site of one's own, and the command line.

Tests that touch the database run twice, on SQLite and on a real PostgreSQL (pgserver's, else the one on
the PATH). Each begins with an empty database: a copy of a SQLite file that was migrated once, or a PostgreSQL
database that was emptied behind the test before.
"""

import functools
import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
import typer
from hypothesis import settings as hypothesis_settings
from jinja2 import Environment
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.default import DefaultDialect

import newsletter.database
import newsletter.delivery.audit
import newsletter.render.languages
from newsletter.app import App, open_app
from newsletter.cli.main import main
from newsletter.database import Database
from newsletter.schedule.categories import add_category
from newsletter.site import make_site
from newsletter.states import Mode
from subscribers.address import parse_address
from subscribers.subscriptions import Permission, Person, join_many
from tests.postgres import Lender, make_folder, new_postgres, remove_folder

hypothesis_settings.register_profile("ci", deadline=None, print_blob=True)
hypothesis_settings.register_profile("thorough", hypothesis_settings.get_profile("ci"))
hypothesis_settings.load_profile("ci")

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday at midnight: the clock of every site of a test begins here."""

HOLIDAYS = (
    "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//example//EN\nBEGIN:VEVENT\nUID:1\nDTSTART;VALUE=DATE:20250101\n"
    "RRULE:FREQ=YEARLY\nSUMMARY:New Year\nEND:VEVENT\nEND:VCALENDAR\n"
)
"""A calendar's file."""
GIVEN = {
    "name": "Test letters",
    "from": "Ann Lee <ann@example.org>",
    "base_url": "https://news.example.org",
    "postal_address": "1 Main Street, 12345 Sampletown",
}

POST = """---
title: {title}
date: 2026-01-02
categories: [advice]
---

{text}
"""

careful_sqlite = newsletter.database._sqlite_engine
"""An engine of SQLite as the program makes it."""


class Clock:
    """A clock that a test sets."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> datetime:
        """Move on, by `timedelta`'s words; returns the new time."""
        self.now += timedelta(**by)
        return self.now


def pytest_configure(config: pytest.Config) -> None:
    """Before any worker starts, say where the run's PostgreSQL is to lie.

    Sites of tests tell nobody that their queue is low, unless that is what is tested: others count letters.
    What Python compiles is kept, even where it otherwise is not: the program is started a hundred times.
    """
    os.environ["PAPERROUND_QUEUE__LOW"] = "0"
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if not hasattr(config, "workerinput"):
        make_folder()


def pytest_unconfigure(config: pytest.Config) -> None:
    """After the last worker, clear it away."""
    if not hasattr(config, "workerinput"):
        remove_folder()


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays to the end: it would look at it again in every test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Turn a skip for want of a program into a failure in CI."""
    report = yield
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = str(report.longrepr[-1]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "needs " in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped in CI, where it must run: {reason}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _compiled_once() -> Iterator[None]:
    """Keep what is compiled for one site, templates and statements, for the sites of all other tests.

    Sites' environments are alike (`newsletter.render.templates`), and Jinja knows a template by its source,
    name and file. An engine's dialects are alike if they are of one kind and mark parameters in one way.
    The audit's promises are the same at any time, and so are the words of a language's file.
    """
    promises = tuple(newsletter.delivery.audit.promises())
    compile_template = Environment.compile
    templates: dict[tuple[Any, ...], CodeType] = {}
    statements: dict[Any, Any] = {}
    languages: dict[tuple[Path, bytes], dict[str, Any]] = {}
    read_language = newsletter.render.languages._read

    def compile_once(
        self: Environment, source: str, name: str | None = None, filename: str | None = None
    ) -> CodeType:
        key = (source, name, filename)
        if key not in templates:
            templates[key] = compile_template(self, source, name, filename)
        return templates[key]

    def read_once(path: Path) -> dict[str, Any]:
        try:
            key = path, path.read_bytes()
        except OSError:
            return read_language(path)
        if key not in languages:
            languages[key] = read_language(path)
        return languages[key]

    def make_engine(*given: Any, **options: Any) -> Engine:
        engine = create_engine(*given, **options)
        engine.update_execution_options(compiled_cache=statements)
        return engine

    def kind(dialect: DefaultDialect) -> tuple[type, str]:
        return type(dialect), dialect.paramstyle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        patch.setattr("newsletter.database.create_engine", make_engine)
        patch.setattr("newsletter.delivery.audit.promises", lambda: promises)
        patch.setattr("newsletter.render.languages._read", read_once)
        patch.setattr(DefaultDialect, "__hash__", lambda self: hash(kind(self)))
        patch.setattr(
            DefaultDialect,
            "__eq__",
            lambda self, other: isinstance(other, DefaultDialect) and kind(self) == kind(other),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """SQLite waits for no disk in this process, as the tests' PostgreSQL does not (`tests/postgres.py`)."""

    def make_engine(url: Any) -> Engine:
        engine = careful_sqlite(url)
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("newsletter.database._sqlite_engine", make_engine)
        yield


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    return path


@pytest.fixture(scope="session")
def postgres_template() -> str:
    """The URL of a migrated PostgreSQL database, to be copied; one server for all of a run's workers."""
    url = new_postgres(f"template_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}")
    database = Database(url)
    database.upgrade()
    database.close()
    return url


@pytest.fixture(scope="session")
def postgres_lender(postgres_template: str) -> Lender:
    """Lends migrated, empty PostgreSQL databases."""
    return Lender(postgres_template)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database: each test runs on both kinds."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    with request.getfixturevalue("postgres_lender").lent() as url:
        yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated, empty database of each kind."""
    made = Database(database_url)
    yield made
    made.close()


@pytest.fixture
def clock() -> Clock:
    """The clock of `site`."""
    return Clock()


@pytest.fixture
def site(tmp_path: Path, database_url: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A site on each kind of database, its relay the sandbox, its clock in the test's hand."""
    folder = tmp_path / "site"
    make_site(folder, GIVEN)
    monkeypatch.setenv("PAPERROUND_DATABASE__URL", database_url)
    app = open_app(folder, clock)
    yield app
    app.database.close()


@pytest.fixture
def advice(site: App) -> App:
    """A site with the weekly category `advice`, due on Tuesdays at 08:00 UTC."""
    with site.database.write() as session:
        add_category(
            session,
            "advice",
            title="Good advice",
            cadence="weekly tue 08:00",
            timezone="UTC",
            mode=Mode.BROADCAST,
            now=site.clock(),
        )
    return site


def subscribe(site: App, *addresses: str, category: str = "advice", confirmed: bool = True) -> None:
    """Make confirmed readers of a category."""
    people = [Person(parse_address(address)) for address in addresses]
    permission = Permission("cli", confirmed=confirmed)
    with site.database.write() as session:
        join_many(session, people, category, permission, site.suppressions, renew=True, now=site.clock())


def write_post(folder: Path, name: str, *, title: str = "A title", text: str = "Some words.") -> Path:
    """A small post file for the category `advice`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(POST.format(title=title, text=text), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


Cli = Callable[..., Done]


_get_command = functools.cache(typer.main.get_command)
"""A process that runs many commands need not look at the signatures of them all for each."""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cli]:
    """Runs the command line in this process, which is quick: `cli("queue", "list")`."""
    monkeypatch.setattr("typer.main.get_command", _get_command)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["paperround", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        return Done(int(left.value.code or 0), captured.out, captured.err)

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


Paperround = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def paperround() -> Paperround:
    """Runs the real command line in a process of its own: `paperround("queue", "list", cwd=…)`."""

    def run(*arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "newsletter", *map(str, arguments)]
        defaults: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 100}
        return subprocess.run(command, check=False, **defaults | options)

    return run
