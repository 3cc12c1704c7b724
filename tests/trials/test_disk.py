"""A disk that is really full, at every moment of an issue."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.states import DeliveryState
from tests.delivery.bigissue import (
    doubtful_attempts,
    issues,
    make_readers,
    states,
    tick,
    tick_until_done,
    twice,
)
from tests.delivery.recorder import Recorder

pytestmark = pytest.mark.trial

READERS = 500
ROOM = [0, 16, 64, 128, 256, 512, 1024, 2048]
"""Kilobytes left on the disk, from one attempt to the next."""


@pytest.fixture
def database_url(tmp_path: Path, sqlite_template: Path) -> Iterator[str]:
    """A database on a disk of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs mount")
    shutil.copy(sqlite_template, disk / "test.db")
    yield f"sqlite:///{disk}/test.db"
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def leave_room(disk: Path, kilobytes: int) -> None:
    """Fill the disk up to this."""
    filler = disk / "filler"
    filler.unlink(missing_ok=True)
    free = shutil.disk_usage(disk).free - kilobytes * 1024
    filler.write_bytes(b"x" * max(free, 0))


def test_a_disk_that_is_full_again_and_again_loses_nobody(advice: App) -> None:
    """Each time one clear message; what goes twice is on record as in doubt; in the end all have theirs."""
    readers = make_readers(advice, READERS)
    assert advice.database.path is not None
    disk = advice.database.path.parent
    failures = 0
    with Recorder() as relay:
        for kilobytes in ROOM:
            leave_room(disk, kilobytes)
            ended = tick(advice, **relay.environment)
            if ended.code:
                failures += 1
                assert ended.err.startswith("paperround: "), ended.err
                assert "full" in ended.err or "No space left" in ended.err, ended.err
                assert ended.err.count("\n") == 1, ended.err
        assert failures >= 3
        (disk / "filler").unlink()
        tick_until_done(advice, **relay.environment)
        assert {one.recipient for one in relay.received} == readers
        assert twice(relay.received) <= set(doubtful_attempts(advice))
        assert len(relay.received) <= READERS + advice.settings.relay.connections * failures
        assert issues(advice) == 1
        assert states(advice) == {DeliveryState.SENT: READERS}
