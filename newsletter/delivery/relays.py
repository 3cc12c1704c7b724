"""What is known of each relay as letters go: whether it is up, and how many connections do it good.

Pure; instants are seconds on a clock that only goes forward. It outlives a pass, so that a relay that was
down is not asked every second, and one that was pressed begins gently.
"""

from dataclasses import dataclass, field

from newsletter.delivery.session import Habits
from newsletter.errors import RelayError
from newsletter.settings import RelaySection

_LONG = 50
"""Rounds of letters."""


class Concurrency:
    """How many connections to keep: one more for every round that goes well, half when told to ease off.

    As TCP does (RFC 5681 §3.1): growth is by one a round of as many letters as there are connections, so a
    small issue opens few.
    """

    _FIRST = 5
    """Postfix's initial_destination_concurrency."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.wanted = min(self._FIRST, most)
        self._credit = 0
        self._told = 0
        """Answers still to come from the connections that were open when it was last told to ease off."""

    def went_well(self) -> bool:
        """A letter was answered; True if there is to be one more connection."""
        if self._told:
            self._told -= 1
        if self.wanted >= self._most:
            return False
        self._credit += 1
        if self._credit < self.wanted:
            return False
        self._credit = 0
        self.wanted += 1
        return True

    def ease_off(self) -> None:
        """The relay asks for less; what the connections then open are told as well counts once."""
        self._credit = min(self._credit, 0)
        if self._told:
            self._told -= 1
        else:
            self._told = self.wanted
            self.wanted = max(1, self.wanted // 2)

    def take_at_most(self, connections: int) -> None:
        """The relay refused to be connected to once more: it is long before it is asked again."""
        self.wanted = max(1, connections)
        self._credit = -_LONG * self.wanted


class Breaker:
    """Leaves a relay alone that is down: longer after each try that fails, until one goes well.

    Nothing that happens while it is open counts against any reader.
    """

    _TOLERATED = 3
    """Connections lost in a row that were of no use, and no letter taken, until the relay counts as down."""
    _TOLERATED_REFUSALS = 10
    """Letters refused for policy in a row: it is us whom the relay does not trust."""
    _FIRST_SECONDS = 5.0
    _LONGEST_SECONDS = 300.0

    def __init__(self) -> None:
        self._losses = 0
        self._refusals = 0
        self._trips = 0
        self._open_until: float | None = None

    def is_open(self, now: float) -> bool:
        """Whether the relay is to be left alone now."""
        return self._open_until is not None and now < self._open_until

    @property
    def is_probing(self) -> bool:
        """Whether it was down, and one connection is to find out whether it still is."""
        return self._open_until is not None

    def went_well(self) -> bool:
        """The relay took a letter; True if it had been down."""
        was_down = self._open_until is not None
        self._losses = self._refusals = self._trips = 0
        self._open_until = None
        return was_down

    def lost(self, now: float) -> bool:
        """A connection was lost that was of no use; True if the relay counts as down now."""
        if self.is_open(now):
            return False
        self._losses += 1
        if self._losses < self._TOLERATED and not self.is_probing:
            return False
        self.trip(now)
        return True

    def refused_for_policy(self, now: float) -> bool:
        """A letter was refused for policy (x.7.x); True if the relay counts as down now."""
        if self.is_open(now):
            return False
        self._refusals += 1
        if self._refusals < self._TOLERATED_REFUSALS:
            return False
        self.trip(now)
        return True

    def trip(self, now: float) -> None:
        """The relay is down."""
        self._losses = self._refusals = 0
        self._open_until = now + min(self._FIRST_SECONDS * 2**self._trips, self._LONGEST_SECONDS)
        self._trips = min(self._trips + 1, 10)


@dataclass
class Relay:
    """One relay and what is known of it."""

    section: RelaySection
    habits: Habits = field(default_factory=Habits)
    breaker: Breaker = field(default_factory=Breaker)
    concurrency: Concurrency = field(init=False)
    error: RelayError | None = None
    """Why it was last found to be down."""

    def __post_init__(self) -> None:
        self.concurrency = Concurrency(self.section.connections)

    @property
    def name(self) -> str:
        """HOST:PORT."""
        return self.section.name

    def wanted(self, now: float) -> int:
        """How many connections to have."""
        if self.breaker.is_open(now):
            return 0
        return 1 if self.breaker.is_probing else self.concurrency.wanted
