"""`paperround db` as it is typed."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery, Issue
from newsletter.states import DeliveryState, IssueState
from tests.conftest import Cli, subscribe, write_post


@pytest.fixture
def folder(advice: App, cli: Cli) -> Path:
    """A site with one issue that waits to go out."""
    folder = advice.settings.folder
    subscribe(advice, "ann@example.org")
    post = write_post(folder / "posts", "2026-01-06-first")
    assert cli("--site", folder, "queue", "add", post).returncode == 0
    advice.clock.advance(days=2)  # type: ignore[attr-defined]  # the test's own clock
    advice.plan_due()
    advice.database.close()
    return folder


@pytest.fixture
def sqlite_only(advice: App) -> None:
    """What concerns files; tests/backup has PostgreSQL."""
    if not advice.database.is_sqlite:
        pytest.skip("on SQLite only")


@pytest.mark.usefixtures("sqlite_only")
def test_a_backup_says_what_it_lacks(folder: Path, cli: Cli, tmp_path: Path) -> None:
    """The files to keep beside it are named; a second backup of the name is refused with 1."""
    done = cli("--site", folder, "db", "backup", tmp_path / "copy")
    assert done.returncode == 0
    for name in ("secret.key", "paperround.toml", "theme.toml"):
        assert str(folder / name) in done.stderr
    assert "media" not in done.stderr
    again = cli("--site", folder, "db", "backup", tmp_path / "copy")
    assert (again.returncode, "there already" in again.stderr) == (1, True)


@pytest.mark.usefixtures("sqlite_only")
def test_a_restoration_says_what_waits(folder: Path, advice: App, cli: Cli, tmp_path: Path) -> None:
    """The paused issue and the held posts are named with the commands that decide them."""
    cli("--site", folder, "db", "backup", tmp_path / "copy")
    done = cli("--site", folder, "db", "restore", tmp_path / "copy")
    assert done.returncode == 0, done.stderr
    assert "before-restore-" in done.stderr
    assert "Paused, because their letters may have gone out since: issue 1." in done.stderr
    assert "advice has had a slot since: 0 queued posts held." in done.stderr
    with advice.database.read() as session:
        assert session.execute(select(col(Issue.state))).scalar_one() == IssueState.PAUSED


def test_check_ends_with_1_at_a_broken_promise(folder: Path, advice: App, cli: Cli) -> None:
    """A sound database ends with 0; a broken promise is named with its rows, also as JSON."""
    assert cli("--site", folder, "db", "check").returncode == 0
    with advice.database.write() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT))
    done = cli("--site", folder, "db", "check")
    assert (done.returncode, done.stdout) == (1, "broken: what is sent says when; not so: delivery 1\n")
    found = json.loads(cli("--site", folder, "db", "check", "--json").stdout)
    assert found == {
        "damage": [],
        "broken": [{"promise": "what is sent says when", "table": "delivery", "count": 1, "ids": [1]}],
    }


def test_check_without_the_key_tells_all_else(folder: Path, advice: App, cli: Cli) -> None:
    """Whether standing orders are obeyed cannot be told then: it does not end with 0."""
    with advice.database.write() as session:
        session.execute(update(Delivery).values(state=DeliveryState.SENT))
    (folder / "secret.key").unlink()
    done = cli("--site", folder, "db", "check")
    assert (done.returncode, done.stdout) == (1, "broken: what is sent says when; not so: delivery 1\n")
    assert "standing orders are obeyed cannot be told" in done.stderr
    assert "secret.key" in done.stderr


@pytest.mark.usefixtures("sqlite_only")
def test_check_of_a_damaged_database(folder: Path, advice: App, cli: Cli) -> None:
    """Damage is told in SQLite's words, with 1."""
    path = advice.database.path
    assert path is not None
    octets = bytearray(path.read_bytes())
    octets[4096 * 6 : 4096 * 8] = bytes(4096 * 2)
    path.write_bytes(octets)
    done = cli("--site", folder, "db", "check")
    assert done.returncode == 1
    assert done.stdout.startswith("damaged: ")
