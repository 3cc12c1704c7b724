"""A line: one connection at work, and the two letters it may have under way.

It stands between a transport and the pass it serves: it knows which delivery each word of the relay's is
about, asks leave before any content goes, and ends once. What `leave` raises is for the journal that called
it; nothing else here raises.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol

from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.relays import Relay
from newsletter.delivery.transport import Letter, Transport


class Desk(Protocol):
    """Where a line gets its letters and hands in what came of them."""

    @property
    def is_stopping(self) -> bool:
        """Whether no further letter is to be begun."""
        ...

    def ask_leave(self, delivery: ClaimedDelivery, answer: Callable[[bool], None]) -> None:
        """Ask whether a letter may go; `answer` is called when that it goes is on disk."""
        ...

    def next_letter(self, line: "Line") -> Letter | None:
        """Take the next letter for a line, and compose it. Never raises."""
        ...

    def came_of(self, line: "Line", delivery: ClaimedDelivery, outcome: Outcome) -> None:
        """An outcome; an idle line may be given its next letter at once."""
        ...

    def not_allowed(self, line: "Line", delivery: ClaimedDelivery) -> None:
        """A letter did not get leave. Never raises."""
        ...

    def take_back(self, delivery: ClaimedDelivery) -> None:
        """A letter does not go now after all."""
        ...

    def lost(self, line: "Line", untried: ClaimedDelivery | None, outcome: Outcome) -> None:
        """The relay ended the connection; of the untried letter it had said nothing."""
        ...

    def ended(self, line: "Line") -> None:
        """A line that was open takes no more letters."""
        ...


class Line:
    """One connection at work."""

    def __init__(self, desk: Desk, relay: Relay, transport: Transport, *, is_pipelined: bool) -> None:
        self.relay = relay
        self.transport = transport
        self.proposed: ClaimedDelivery | None = None
        self.released: ClaimedDelivery | None = None
        self.is_open = False
        self.was_pipelined = is_pipelined
        """Whether commands went in groups here, if the relay offers that."""
        self.was_of_use = False
        """Whether the relay has decided about a letter here."""
        self.ended = asyncio.Event()
        self._desk = desk

    @property
    def is_idle(self) -> bool:
        """Whether it could take a letter at once."""
        return self.is_open and self.proposed is None and self.released is None

    def asked(self) -> None:
        """The relay is ready for a letter's content."""
        assert self.proposed is not None  # noqa: S101  # a transport asks for what was proposed
        if self._desk.is_stopping:
            self.stop()
        else:
            self._desk.ask_leave(self.proposed, self.leave)

    def stop(self) -> None:
        """Begin nothing more: only a letter whose content is out is waited for."""
        if self.released is None and self.proposed is not None:
            delivery, self.proposed = self.proposed, None
            self._cut()
            self._desk.take_back(delivery)
        elif self.is_idle:
            self.end()

    def leave(self, is_given: bool) -> None:
        """The journal's answer: the content goes, and the next letter behind it; or the connection is cut."""
        delivery, self.proposed = self.proposed, None
        assert delivery is not None  # noqa: S101  # leave was asked for it, and not withdrawn
        if is_given:
            self.released = delivery
            following = self._desk.next_letter(self)
            self.transport.release(following)
        else:
            self._cut()
            self._desk.not_allowed(self, delivery)

    def _cut(self) -> None:
        """Leave without the content that the relay waits for."""
        self.transport.abandon()
        self.end()

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """What came of a letter."""
        if outcome.stage is Stage.DOT:
            delivery, self.released = self.released, None
        else:
            delivery, self.proposed = self.proposed, None
        assert delivery is not None  # noqa: S101  # it was given to the transport
        if outcome.code is not None and outcome.code != 421:
            self.was_of_use = True
        self._desk.came_of(self, delivery, outcome)

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """The relay ended the connection."""
        delivery, self.proposed = self.proposed, None
        self._desk.lost(self, delivery, outcome)
        self.end()

    def end(self) -> None:
        """Take no more letters."""
        self.ended.set()
        if self.is_open:
            self.is_open = False
            self._desk.ended(self)
