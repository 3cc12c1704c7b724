"""Sends what is due: a few connections, each taking the next claimed letter, one outcome a letter.

A pass ends when nothing more is due, when it is told to stop (letters in flight are finished), or when no
connection to the relay can be had (everything untried stays queued). Memory is flat: one page of claims
and the editions in use are all that is held.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event

from newsletter.database import Database
from newsletter.delivery.journal import Journal
from newsletter.delivery.ledger import ClaimedDelivery, Ledger, Recorded
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.retry import next_attempt
from newsletter.delivery.transport import Letter, Transport
from newsletter.errors import RelayError
from newsletter.states import DeliveryState
from subscribers.base import Clock

_CLAIMS_PER_CONNECTION = 20


@dataclass
class Tally:
    """What a pass did: letters by the state they came to."""

    states: Counter[DeliveryState] = field(default_factory=Counter)
    refusals: dict[DeliveryState, str] = field(default_factory=dict)
    """By state, the relay's first reply that led to it; for `sent` there is none."""
    relay_error: RelayError | None = None
    """Why letters were left untried, if the relay could not be used."""


class Dispatcher:
    """One pass over what is due.

    `compose` makes a delivery's letter from its edition; `progress` is told after each.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        *,
        compose: Callable[[ClaimedDelivery], Letter],
        transport: Callable[[], Transport],
        connections: int,
        clock: Clock,
        stop: Event,
        progress: Callable[[Tally], None],
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._compose = compose
        self._transport = transport
        self._connections = connections
        self._clock = clock
        self._stop = stop
        self._progress = progress
        self._journal = Journal(self._settle)
        self._page: deque[ClaimedDelivery] = deque()
        self._errors: list[RelayError] = []
        self._tally = Tally()

    async def send_due(self) -> Tally:
        """Send until nothing is due; what is claimed and untried then, the ledger gives back on closing.

        Raises DatabaseError if the books cannot be kept: then nothing goes.
        """
        try:
            async with asyncio.TaskGroup() as connections:
                for _ in range(self._connections):
                    connections.create_task(self._connection())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
        if self._page and self._errors:
            self._tally.relay_error = self._errors[0]
        return self._tally

    def _settle(self, sending: list[int], outcomes: list[Recorded]) -> set[int]:
        with self._database.explained():
            return self._ledger.settle(sending, outcomes)

    def _next(self) -> ClaimedDelivery | None:
        """The next letter to try, from the page in hand or a newly claimed one."""
        if self._stop.is_set():
            return None
        if not self._page:
            with self._database.explained():
                self._page.extend(
                    self._ledger.claim(self._connections * _CLAIMS_PER_CONNECTION, self._clock())
                )
        return self._page.popleft() if self._page else None

    async def _connection(self) -> None:
        """Send letter after letter over one connection, opened when there is something to send."""
        transport = self._transport()
        try:
            while (delivery := self._next()) is not None:
                try:
                    await self._send(delivery, transport)
                except RelayError as error:
                    self._page.appendleft(delivery)
                    self._errors.append(error)
                    return
        finally:
            await transport.close()

    async def _send(self, delivery: ClaimedDelivery, transport: Transport) -> None:
        """Try one letter and record what came of it."""
        letter = self._compose(delivery)
        reused = transport.is_usable
        if not reused:
            await transport.connect()
        outcome = await transport.send(letter, lambda: self._journal.sending(delivery.id))
        if reused and outcome is not None and _was_idle_too_long(outcome) and not transport.is_usable:
            await transport.connect()
            outcome = await transport.send(letter, lambda: self._journal.sending(delivery.id))
        if outcome is None:
            self._tally.states[DeliveryState.CANCELLED] += 1
        else:
            await self._journal.record(self._recorded(delivery, outcome))
            self._tally.states[outcome.state] += 1
            if outcome.state is not DeliveryState.SENT:
                self._tally.refusals.setdefault(outcome.state, outcome.words)
        self._progress(self._tally)

    def _recorded(self, delivery: ClaimedDelivery, outcome: Outcome) -> Recorded:
        now = self._clock()
        retry_at = None
        if outcome.state in (DeliveryState.DEFERRED, DeliveryState.IN_DOUBT):
            retry_at = next_attempt(delivery.attempts + 1, now, luck=random.random())  # noqa: S311  # jitter
        return Recorded(delivery.id, outcome, now, retry_at)


def _was_idle_too_long(outcome: Outcome) -> bool:
    """Whether a kept connection turned out closed at the next letter's MAIL: no word about the letter."""
    return outcome.stage is Stage.MAIL and (outcome.code is None or outcome.code == 421)
