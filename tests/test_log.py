"""The record for machines: whole lines, no persons in it, and never in the way."""

import io
import json
import os
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.outcome import Stage, broken, replied
from newsletter.log import PUBLIC, Event, Log, open_log
from newsletter.settings import Settings
from tests.conftest import GIVEN

NOW = datetime(2026, 1, 6, 8, 0, 0, 123456, UTC)


def clock() -> datetime:
    return NOW


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def of(tmp_path: Path, **log: str) -> Settings:
    return Settings.model_validate({"site": GIVEN, "log": log}).in_folder(tmp_path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "letters.jsonl"


@pytest.fixture
def log(path: Path) -> Log:
    path.parent.mkdir()
    return Log(path, clock, is_debug=False)


def test_there_is_no_log_unless_it_is_asked_for(tmp_path: Path) -> None:
    """Nothing is opened and nothing written where `to` is empty."""
    assert open_log(of(tmp_path), clock) is None


def test_every_event_is_one_that_can_be() -> None:
    """A letter's are the states that a try can lead to, and its reader's complaint; all are documented."""
    replies = {replied(stage, code, "").state for stage in Stage for code in range(200, 600)}
    states = replies | {broken(stage, "").state for stage in Stage}
    of_letters = {f"letter.{state}" for state in states} | {Event.LETTER_COMPLAINED, Event.LETTER_JUDGED}
    assert {event for event in Event if event.startswith("letter.")} == of_letters
    text = (Path(__file__).parent.parent / "docs" / "delivery.md").read_text(encoding="utf-8")
    table = text.partition("| events | |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z_]+\.[a-z_]+)`", table)) == set(Event)


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    """Time in UTC, level, event and fields, in a file of the site; what is None is left out."""
    log = open_log(of(tmp_path, to="letters.jsonl"), clock)
    assert log is not None
    log.write(Event.LETTER_SENT, issue=7, delivery=3, code=250, fault=None, retry_at=NOW + timedelta(hours=1))
    log.write(Event.RELAY_DOWN, relay="smtp.example.org:587")
    log.close()
    assert lines(tmp_path / "letters.jsonl") == [
        {
            "time": "2026-01-06T08:00:00.123Z",
            "level": "info",
            "event": "letter.sent",
            "issue": 7,
            "delivery": 3,
            "code": 250,
            "retry_at": "2026-01-06T09:00:00.123Z",
        },
        {
            "time": "2026-01-06T08:00:00.123Z",
            "level": "warning",
            "event": "relay.down",
            "relay": "smtp.example.org:587",
        },
    ]


def test_nothing_of_a_person_is_written_unless_debug_asks_for_it(tmp_path: Path) -> None:
    """Only fields that are known to say nothing of anybody; debug has them all."""
    told = {"delivery": 3, "address": "ann@example.org", "reply": "550 no such user", "anything": 1}
    for level, fields in (("info", {"delivery": 3}), ("debug", told)):
        log = open_log(of(tmp_path, to=level, level=level), clock)
        assert log is not None
        log.write(Event.LETTER_BOUNCED, **told)
        log.close()
        (record,) = lines(tmp_path / level)
        assert {name: record[name] for name in record.keys() - {"time", "level", "event"}} == fields
        assert log.is_debug is (level == "debug")


@given(st.lists(st.dictionaries(st.sampled_from(sorted(PUBLIC)), st.text() | st.integers() | st.none())))
def test_whatever_is_recorded_is_a_line_each(records: list[dict[str, Any]]) -> None:
    """Line breaks, lone surrogates and control characters included; nothing at all writes nothing."""
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        Log(None, clock, is_debug=False).write_all([{"event": Event.LETTER_SENT, **one} for one in records])
    written = stream.getvalue()
    assert written.isascii()
    assert written.count("\n") == len(records)
    for line, record in zip(written.splitlines(), records, strict=True):
        assert json.loads(line).items() >= {k: v for k, v in record.items() if v is not None}.items()


def test_a_batch_is_one_write(log: Log, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many records: two processes that share a file never mix their lines."""
    writes: list[bytes] = []
    monkeypatch.setattr(os, "write", lambda file, data: writes.append(data) or len(data))
    log.write_all([{"event": Event.LETTER_SENT, "delivery": n} for n in range(1000)])
    log.write_all([])
    assert [data.count(b"\n") for data in writes] == [1000]
    log.close()


def test_a_file_that_was_moved_away_is_made_anew(log: Log, path: Path) -> None:
    """As logrotate does it, by renaming or by removing."""
    log.write(Event.LETTER_SENT, delivery=1)
    path.rename(path.with_suffix(".1"))
    log.write(Event.LETTER_SENT, delivery=2)
    path.unlink()
    log.write(Event.LETTER_SENT, delivery=3)
    log.write(Event.LETTER_SENT, delivery=4)
    log.close()
    assert [record["delivery"] for record in lines(path.with_suffix(".1"))] == [1]
    assert [record["delivery"] for record in lines(path)] == [3, 4]


def test_threads_share_the_file_that_is_open(log: Log, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes while another opens the file waits for it, and nobody's line is lost."""
    opened: list[object] = []
    met, real = Barrier(2, timeout=0.2), os.open

    def slow(*arguments: Any) -> int:
        opened.append(arguments)
        with suppress(BrokenBarrierError):
            met.wait()  # for another thread that would be opening it as well
        return real(*arguments)

    monkeypatch.setattr(os, "open", slow)
    threads = [Thread(target=log.write, args=(Event.LETTER_SENT,), kwargs={"delivery": n}) for n in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert len(opened) == 1
    assert {record["delivery"] for record in lines(path)} == {1, 2}


def test_a_folder_that_vanished_is_told_once_and_comes_back(
    log: Log, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is recorded meanwhile is lost, nothing is raised; a second outage is told again."""
    log.write(Event.LETTER_SENT, delivery=1)
    for outage in (1, 2):
        path.unlink()
        path.parent.rmdir()
        log.write(Event.LETTER_SENT, delivery=2)
        log.write(Event.LETTER_SENT, delivery=3)
        assert capsys.readouterr().err == (
            f"paperround: the log {path} cannot be written (No such file or directory): records are lost "
            f"until it can; letters go on, and the ledger has them all\n"
        )
        path.parent.mkdir()
        log.write(Event.LETTER_SENT, delivery=10 + outage)
        assert [record["delivery"] for record in lines(path)] == [10 + outage]
    log.close()


def test_a_full_disk_costs_its_records_and_no_others(
    log: Log, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a line may be left of what did not fit; the next record begins on a line of its own."""
    real, room = os.write, [10]

    def full(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        written = real(file, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        log.write(Event.LETTER_SENT, delivery=1)
        log.write(Event.LETTER_SENT, delivery=2)
    assert capsys.readouterr().err.count("No space left on device") == 1
    log.write(Event.LETTER_SENT, delivery=3)
    log.close()
    half, whole = path.read_text("ascii").splitlines()
    assert (len(half), json.loads(whole)["delivery"]) == (10, 3)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_disk_that_is_always_full(capsys: pytest.CaptureFixture[str]) -> None:
    """The kernel's own full device: told once, never raised."""
    log = Log(Path("/dev/full"), clock, is_debug=False)
    log.write(Event.LETTER_SENT, delivery=1)
    log.write(Event.LETTER_SENT, delivery=2)
    log.close()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_pipe_that_nobody_reads_holds_nothing_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither opening nor writing waits for a reader."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    log = Log(pipe, clock, is_debug=False)
    log.write(Event.LETTER_SENT, delivery=1)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    log.write_all([{"event": Event.LETTER_SENT, "delivery": n} for n in range(10_000)])
    log.write_all([{"event": Event.LETTER_SENT, "delivery": n} for n in range(10_000)])
    os.close(reader)
    log.write(Event.LETTER_SENT, delivery=1)
    log.close()
    assert "cannot be written" in capsys.readouterr().err


def test_standard_error_may_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon without one goes on."""
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stderr", gone)
    Log(None, clock, is_debug=False).write(Event.PASS_ENDED, sent=1)
