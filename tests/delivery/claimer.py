"""A sending process for tests: claims letters, marks one as `sending`, and waits to be ended.

`python -m tests.delivery.claimer URL INSTANT NUMBER` prints the claimed ids, those marked first, and reads
standard input: a line lets it end in good order, a signal does not.
"""

import subprocess
import sys
from datetime import datetime
from typing import Self

from newsletter.database import Database
from newsletter.delivery.ledger import Ledger
from tests.delivery.recorder import ROOT


class Claimer:
    """That process, seen from the test."""

    def __init__(self, url: str, now: datetime, number: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.delivery.claimer", url, now.isoformat(), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.sending, *self.claimed = map(int, self._process.stdout.readline().split())

    def __enter__(self) -> Self:
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def end(self) -> None:
        """Let it close its books."""
        self._process.communicate("\n")

    def __exit__(self, *_: object) -> None:
        self.kill()


def main(url: str, instant: str, number: str) -> None:
    """Claim, mark the first, wait."""
    database, now = Database(url), datetime.fromisoformat(instant)
    with database.writing_connection() as connection:
        ledger = Ledger(database, connection, resend_in_doubt=True, now=now)
        claimed = [delivery.id for delivery in ledger.claim(int(number), now)]
        ledger.settle(claimed[:1], [])
        sys.stdout.write(f"{' '.join(map(str, claimed))}\n")
        sys.stdout.flush()
        sys.stdin.readline()
        ledger.close(now)


if __name__ == "__main__":
    main(*sys.argv[1:])
