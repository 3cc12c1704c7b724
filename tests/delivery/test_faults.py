"""Faults of the machine while an issue goes out: one clear message, nothing half-written, and on it goes."""

import os
import resource
import subprocess
import sys

import pytest

from newsletter import database as database_module
from newsletter.app import App
from newsletter.states import DeliveryState
from tests.conftest import Cli
from tests.delivery.bigissue import (
    SLOT,
    doubtful_attempts,
    issues,
    make_readers,
    states,
    tick,
    tick_until_done,
    twice,
)
from tests.delivery.recorder import ROOT, Recorder
from tests.delivery.test_dispatcher import locked


def test_a_locked_database_is_one_message(
    advice: App, cli: Cli, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds the lock `tick` waits its time, says so in one line, and leaves with 1."""
    readers = make_readers(advice, 3)
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 1)
    with locked(database_url) as lock:
        lock()
        done = cli("--site", advice.settings.folder, "tick", "--at", SLOT)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("paperround: the database ")
    assert "locked by another process" in done.stderr
    assert done.stderr.count("\n") == 1
    assert issues(advice) == 0
    with Recorder() as relay:
        assert tick(advice, **relay.environment).code == 0
        assert {one.recipient for one in relay.received} == readers


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kilobytes", [40, 160, 400])
def test_a_full_disk_is_one_message_and_no_letter_is_lost(advice: App, kilobytes: int) -> None:
    """No room to plan, to claim, or between letters: it says so, and with room again all get theirs."""
    readers = make_readers(advice, 60)
    with Recorder() as relay:
        full = tick_with_files_up_to(advice, kilobytes, relay)
        assert full.returncode == 1
        assert full.stderr.startswith("paperround: the disk of the database ")
        assert "Make room" in full.stderr
        assert full.stderr.count("\n") == 1
        got = len(relay.received)
        assert got < len(readers)
        tick_until_done(advice, **relay.environment)
        assert {one.recipient for one in relay.received} == readers
        assert twice(relay.received) <= set(doubtful_attempts(advice))
        assert len(relay.received) <= len(readers) + advice.settings.relay.connections
        assert issues(advice) == 1
        assert states(advice) == {DeliveryState.SENT: len(readers)}


def tick_with_files_up_to(site: App, kilobytes: int, relay: Recorder) -> "subprocess.CompletedProcess[str]":
    """`tick` on a machine where no file can grow beyond this."""
    limit = kilobytes * 1024
    return subprocess.run(
        [sys.executable, "-m", "newsletter", "--site", site.settings.folder, "tick", "--at", SLOT],
        env=os.environ | relay.environment,
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
