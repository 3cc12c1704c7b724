"""The runner only ticks: at once, again and again, through errors, until it is told to stop."""

from threading import Event, Thread

import pytest

from newsletter.errors import DatabaseError
from newsletter.schedule.runner import Job, Runner

LONG = 3600.0
SHORT = 0.01


def run_until_set(stop: Event, jobs: dict[str, Job], every: float) -> list[Exception]:
    """Run jobs until one of them stops it; returns what was reported."""
    reported: list[Exception] = []
    Runner({name: (job, every) for name, job in jobs.items()}, report=reported.append).run_until(stop)
    return reported


def test_every_job_runs_at_once() -> None:
    """What is due when the runner starts does not wait for an interval to pass."""
    stop, planned, sent = Event(), Event(), Event()

    def send() -> None:
        sent.set()
        planned.wait()
        stop.set()

    run_until_set(stop, {"plan": planned.set, "send": send}, every=LONG)
    assert planned.is_set()
    assert sent.is_set()


@pytest.mark.parametrize("error", [DatabaseError("locked"), OSError(28, "No space left on device")])
def test_an_error_is_reported_and_the_next_tick_comes(error: Exception) -> None:
    """A tick that fails is told, each time, and does not end the runner."""
    stop = Event()
    ticks: list[int] = []

    def fail() -> None:
        ticks.append(len(ticks))
        if len(ticks) == 3:
            stop.set()
        raise error

    assert run_until_set(stop, {"send": fail}, every=SHORT)[:3] == [error] * 3


def test_a_long_job_neither_overlaps_itself_nor_holds_up_the_other() -> None:
    """Sending a large issue goes on once, while planning ticks beside it."""
    stop = Event()
    sends: list[int] = []
    plans: list[int] = []

    def send() -> None:
        sends.append(1)
        stop.wait()

    def plan() -> None:
        plans.append(1)
        if len(plans) == 10:
            stop.set()

    run_until_set(stop, {"send": send, "plan": plan}, every=SHORT)
    assert len(plans) >= 10
    assert sends == [1]


def test_told_to_stop_it_waits_for_the_job_at_work() -> None:
    """The letters in flight are finished before `run` returns."""
    stop, at_work, may_end = Event(), Event(), Event()
    finished: list[str] = []

    def send() -> None:
        at_work.set()
        may_end.wait()
        finished.append("job")

    def drive() -> None:
        run_until_set(stop, {"send": send}, every=LONG)
        finished.append("runner")

    thread = Thread(target=drive)
    thread.start()
    at_work.wait()
    stop.set()
    may_end.set()
    thread.join()
    assert finished == ["job", "runner"]
