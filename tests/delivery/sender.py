"""Letters down one connection as the dispatcher sends them, each proposed behind the one before."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.transport import Letter


class Connection(Protocol):
    """What it asks of a connection: an SMTP session, or a transport."""

    @property
    def is_usable(self) -> bool: ...

    def propose(self, letter: Letter) -> None: ...

    def release(self, following: Letter | None) -> None: ...


class Sender:
    """A listener that sends what is `waiting`, and keeps what it is told."""

    def __init__(self, letters: Iterable[Letter]) -> None:
        self.waiting = deque(letters)
        self.outcomes: list[tuple[Letter, Outcome]] = []
        self.untried: list[Letter] = []
        self.losses: list[Outcome] = []
        self.ended = asyncio.Event()
        """Set when nothing is under way any more."""
        self._connection: Connection | None = None
        self._under_way = 0

    def begin(self, connection: Connection) -> None:
        """Propose the first letter."""
        self._connection = connection
        self.ended.clear()
        self._propose()

    @property
    def states(self) -> list[str]:
        """What came of each letter, in the order it was told."""
        return [str(outcome.state) for _, outcome in self.outcomes]

    def asked(self) -> None:
        """The relay is ready for the content."""
        assert self._connection is not None
        following = self.waiting.popleft() if self.waiting else None
        self._under_way += following is not None
        self._connection.release(following)

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """What came of a letter."""
        assert not self.losses, "the loss comes last"
        self.outcomes.append((letter, outcome))
        self._under_way -= 1
        assert self._connection is not None
        if self._connection.is_usable and not self._under_way:
            self._propose()
        if not self._under_way:
            self.ended.set()

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """The relay ended the connection."""
        assert not self.losses, "the loss comes once"
        assert outcome.stage is Stage.MAIL
        self.losses.append(outcome)
        if untried is not None:
            self.untried.append(untried)
        self._under_way = 0
        self.ended.set()

    def _propose(self) -> None:
        assert self._connection is not None
        if self.waiting:
            self._under_way += 1
            self._connection.propose(self.waiting.popleft())
        else:
            self.ended.set()
