"""The books without a timer: one commit a turn of the event loop.

Connections report outcomes and ask leave to send; whatever came in during one turn of the event loop is
written in one transaction, and then everyone who asked is answered. So a commit is shared when many
connections are busy and never waited for when one is alone, and at most one message a connection is
unaccounted for at any moment. Once the books could not be kept they stay shut: nothing more is let go.
"""

import asyncio
from collections.abc import Callable

from newsletter.delivery.ledger import Recorded

Settle = Callable[[list[int], list[Recorded]], set[int]]
"""`Ledger.settle`, with whatever explains its errors around it."""
Answer = Callable[[bool], None]


class Journal:
    """Gathers a turn's entries and settles them together."""

    def __init__(
        self, settle: Settle, *, settled: Callable[[], None], failed: Callable[[Exception], None]
    ) -> None:
        """`settled` is called after each commit and its answers; `failed` once, if that cannot be done."""
        self._settle = settle
        self._settled = settled
        self._failed = failed
        self._asked: dict[int, Answer] = {}
        self._outcomes: list[Recorded] = []
        self._scheduled = False
        self._is_shut = False

    def ask(self, delivery_id: int, answer: Answer) -> None:
        """Ask leave to send a letter; `answer` is called when it is on disk."""
        self._asked[delivery_id] = answer
        self._schedule()

    def withdraw(self, delivery_id: int) -> None:
        """Ask no more: the connection is gone."""
        self._asked.pop(delivery_id, None)

    def record(self, recorded: Recorded) -> None:
        """Write an outcome; on disk before `settled` is next called."""
        self._outcomes.append(recorded)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self._is_shut:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        asked, outcomes = self._asked, self._outcomes
        self._asked, self._outcomes = {}, []
        try:
            allowed = self._settle(list(asked), outcomes)
        except Exception as error:  # told to whoever waits for the end of the pass
            self._shut(error)
            return
        failures = []
        for delivery_id, answer in asked.items():
            try:
                answer(delivery_id in allowed)
            except Exception as error:  # the others have leave, and it is on disk: they go
                failures.append(error)
        if failures:
            self._shut(failures[0])
        else:
            self._settled()

    def _shut(self, error: Exception) -> None:
        self._is_shut = True
        self._failed(error)
