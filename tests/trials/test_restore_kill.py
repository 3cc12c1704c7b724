"""A restoration killed at any moment leaves the old database or the new one, whole."""

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from newsletter.backup.copies import back_up
from newsletter.backup.soundness import damage
from newsletter.database import Database
from subscribers.models import Subscriber
from tests.planning import Town

RESTORE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from newsletter.backup.copies import restore
from newsletter.database import Database
print("go", flush=True)
path = Path(sys.argv[1])
restore(Database(f"sqlite:///{path}"), Path(sys.argv[2]), folder=path.parent, now=datetime.now(UTC))
"""


def readers(path: Path) -> int:
    database = Database(f"sqlite:///{path}")
    assert damage(database) == []
    with database.read() as session:
        found = session.execute(select(func.count()).select_from(Subscriber)).scalar_one()
    database.close()
    return found


@pytest.mark.trial
def test_a_restoration_killed_at_any_moment_is_whole_or_undone(sqlite_template: Path, tmp_path: Path) -> None:
    """Of forty restorations, killed at forty moments, each leaves one of the two, sound."""
    path = tmp_path / "before.db"
    shutil.copy(sqlite_template, path)
    town = Town(Database(f"sqlite:///{path}"))
    town.category()
    town.subscribe(*(f"reader{number}" for number in range(3000)))
    back_up(town.database, tmp_path / "backup")
    town.subscribe("one-more")
    town.database.close()
    chance, found = random.Random(4), list[int]()
    whole = 0.0
    for number in range(41):
        folder = tmp_path / str(number)
        folder.mkdir()
        live = Path(shutil.copy(path, folder / "live.db"))
        process = subprocess.Popen(
            [sys.executable, "-c", RESTORE, live, tmp_path / "backup"], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        try:
            # The first is let alone, to see how long one takes here; the second is killed at once.
            process.wait(None if number == 0 else chance.uniform(0, whole) if number > 1 else 0)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
        whole = whole or time.monotonic() - began
        process.stdout.close()
        found.append(readers(live))
        shutil.rmtree(folder)
    assert set(found) == {3000, 3001}
