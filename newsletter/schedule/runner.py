"""Keeps a site going: plans and sends at short intervals until told to stop.

APScheduler only ticks; the truth is the database, so nothing is lost when it is late, stopped or run
twice. Planning and sending tick apart, so that a long issue does not delay another category's slot. The
first tick comes at once. What a tick raises is handed to `report`, and the next tick comes all the same.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Event

from apscheduler.schedulers.background import BackgroundScheduler

from newsletter.errors import PaperroundError
from newsletter.listening import wait_for

Job = Callable[[], None]


class Runner:
    """Runs jobs side by side, each never more than once at a time."""

    def __init__(
        self,
        jobs: dict[str, tuple[Job, float]],
        *,
        report: Callable[[PaperroundError | OSError], None],
    ) -> None:
        """By name, each job and the seconds between two of its starts."""
        # A job that is still at work when its next tick comes is normal here, not worth a warning.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._report = report
        self._stop = Event()
        self._scheduler = BackgroundScheduler(timezone="UTC")
        for name, (job, every) in jobs.items():
            self._scheduler.add_job(
                self._guarded,
                "interval",
                [job],
                seconds=every,
                id=name,
                max_instances=1,
                coalesce=True,
                next_run_time=datetime.now(UTC),
                misfire_grace_time=None,
            )

    def _guarded(self, job: Job) -> None:
        if self._stop.is_set():
            return
        try:
            job()
        except (PaperroundError, OSError) as error:
            self._report(error)

    def run_until(self, stop: Event) -> None:
        """Tick until `stop` is set, then wait for the jobs at work."""
        self._stop = stop
        self._scheduler.start()
        try:
            wait_for(stop)
        finally:
            stop.set()
            self._scheduler.shutdown(wait=True)
