"""`paperround run` and `tick` as processes of their own, and what by the real clock is due to them."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

import pytest

from newsletter.app import App
from newsletter.schedule.categories import add_category
from newsletter.states import Mode

QUICK = (
    "import newsletter.cli.run as run; run.PLAN_SECONDS = run.SEND_SECONDS = 0.2; "
    "from newsletter.delivery.relays import Breaker; Breaker._FIRST_SECONDS = 0.2; "
    "from newsletter.cli.main import main; main()"
)
"""The command line, with less patience between two looks at what is due and at a relay that is down."""


ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For what has nothing to do with the kind of database."""


class Running:
    """A command at work, and what it has said so far on both channels."""

    def __init__(self, site: App, *command: str, **environment: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", QUICK, "--site", str(site.settings.folder), *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | environment,
        )
        self.said: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def until(self, text: str) -> str:
        """Read on to the line with this text."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not said in: {''.join(self.said)}")

    def tell(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> int:
        """Read what is left and wait; the exit code, or minus the signal."""
        assert self._process.stdout is not None
        self.said += self._process.stdout
        return self._process.wait()


def add_due_category(site: App) -> None:
    """The category `advice`, whose slot was an hour ago by the real clock, and will be again tomorrow."""
    slot = datetime.now(UTC) - timedelta(hours=1)
    with site.database.write() as session:
        add_category(
            session,
            "advice",
            title="Advice",
            cadence=f"daily {slot:%H:%M}",
            timezone="UTC",
            mode=Mode.BROADCAST,
            now=slot - timedelta(hours=2),
        )
