"""The books without a timer: one commit a turn of the event loop.

Connections report outcomes and ask leave to send; whatever came in during one turn of the event loop is
written in one transaction, then everyone is answered. So a commit is shared when many connections are
busy and never waited for when one is alone, and at most one message a connection is unaccounted for at
any moment. Once the books could not be kept they stay shut: nothing more is let go.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from newsletter.delivery.ledger import Recorded

Settle = Callable[[list[int], list[Recorded]], set[int]]
"""`Ledger.settle`, with whatever explains its errors around it."""


class Journal:
    """Gathers a turn's entries and settles them together."""

    def __init__(self, settle: Settle) -> None:
        self._settle = settle
        self._sending: dict[int, asyncio.Future[bool]] = {}
        self._outcomes: list[tuple[Recorded, asyncio.Future[None]]] = []
        self._scheduled = False
        self._failure: Exception | None = None

    async def sending(self, delivery_id: int) -> bool:
        """Ask leave to write a letter's body; the answer is on disk when it comes."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._sending[delivery_id] = future
        self._schedule()
        return await future

    async def record(self, recorded: Recorded) -> None:
        """Write an outcome; on disk when this returns."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._outcomes.append((recorded, future))
        self._schedule()
        await future

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._scheduled = False
        sending, outcomes = self._sending, self._outcomes
        self._sending, self._outcomes = {}, []
        allowed: set[int] = set()
        if self._failure is None:
            try:
                allowed = self._settle(list(sending), [recorded for recorded, _ in outcomes])
            except Exception as error:  # handed to everyone who waits
                self._failure = error
        if self._failure is not None:
            waiting: list[asyncio.Future[Any]] = [*sending.values(), *(done for _, done in outcomes)]
            for future in waiting:
                if not future.done():
                    future.set_exception(self._failure)
            return
        for delivery_id, answer in sending.items():
            if not answer.done():
                answer.set_result(delivery_id in allowed)
        for _, done in outcomes:
            if not done.done():
                done.set_result(None)
