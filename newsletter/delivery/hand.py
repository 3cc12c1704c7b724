"""The letters in hand: claimed, not yet tried, each on its way to a relay.

A letter's relay follows from its number and the relays' weights, so that shares are kept whatever the
relays' speeds, and a retry takes the way of the first try (RFC 6647: greylisting knows the sender's host).
While a relay is down its letters go by the others. Letters whose domain's pace is used up wait aside; of
those only a few are kept, the others are to be put off in the ledger, so that memory stays flat and one
domain never holds up the rest.

Pure; instants are seconds on a clock that only goes forward.
"""

from bisect import bisect
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.pace import DomainPaces

_WAITING_LETTERS = 50
"""How many of one domain's letters wait in hand for its pace."""
_WAITING_IN_ALL = 1000
"""How many letters wait in hand: there must be room for those of domains that are at ease."""


class Hand:
    """Letters by the relay they go by."""

    def __init__(self, weights: Sequence[int], domains: DomainPaces) -> None:
        """`weights` of the relays, in their order; a relay of weight 0 serves only while others are down."""
        self._home = _homes(weights)
        self._domains = domains
        self._letters: list[deque[ClaimedDelivery]] = [deque() for _ in weights]
        self._waiting: dict[str, deque[ClaimedDelivery]] = {}
        self._put_off: list[tuple[ClaimedDelivery, float]] = []

    def __len__(self) -> int:
        return sum(map(len, self._letters)) + sum(map(len, self._waiting.values()))

    def ready(self, relay: int, is_up: Callable[[int], bool], now: float) -> int:
        """How many letters a relay could take now."""
        waited = sum(self._domains.ready_at(domain) <= now for domain in self._waiting)
        return waited + sum(len(self._letters[source]) for source in self._sources(relay, is_up))

    def holds_enough(self, most: int) -> bool:
        """Whether no more letters are to be claimed now."""
        return len(self) >= most

    def put(self, letters: Iterable[ClaimedDelivery]) -> None:
        """Take newly claimed letters in hand."""
        for letter in letters:
            self._letters[self._home(letter.id)].append(letter)

    def put_back(self, letter: ClaimedDelivery) -> None:
        """Take a letter back that was not tried after all; it comes first."""
        self._letters[self._home(letter.id)].appendleft(letter)

    def drop(self, issue_id: int) -> list[ClaimedDelivery]:
        """Let go of the letters of one issue; returns them."""
        dropped = []
        for letters in [*self._letters, *self._waiting.values()]:
            dropped += [letter for letter in letters if letter.issue_id == issue_id]
            kept = [letter for letter in letters if letter.issue_id != issue_id]
            letters.clear()
            letters.extend(kept)
        self._waiting = {domain: letters for domain, letters in self._waiting.items() if letters}
        return dropped

    def take(self, relay: int, is_up: Callable[[int], bool], now: float) -> ClaimedDelivery | None:
        """The next letter for a relay, None if there is none that may go by it now."""
        if self._waiting and (letter := self._waited_enough(relay, is_up, now)) is not None:
            return letter
        for source in self._sources(relay, is_up):
            letters = self._letters[source]
            while letters:
                letter = letters.popleft()
                if self._domains.are_idle or self._may_go(letter, now):
                    return letter
        return None

    def _sources(self, relay: int, is_up: Callable[[int], bool]) -> list[int]:
        """Whose letters a relay takes: its own, then those of relays that are down."""
        if len(self._letters) == 1:
            return [0]
        others = [other for other in range(len(self._letters)) if other != relay and not is_up(other)]
        return [relay, *others]

    def _may_go(self, letter: ClaimedDelivery, now: float) -> bool:
        """Whether a letter's domain takes it now; if not, it waits in hand or is put off."""
        domain = letter.domain
        until = self._domains.resting_until(domain, now)
        if until is not None:
            self._put_off.append((letter, until - now))
            return False
        waiting = len(self._waiting.get(domain, ()))
        if not waiting and self._domains.take(domain, now):
            return True
        if waiting >= _WAITING_LETTERS or sum(map(len, self._waiting.values())) >= _WAITING_IN_ALL:
            self._put_off.append((letter, self._domains.book(domain, waiting, now) - now))
        else:
            self._waiting.setdefault(domain, deque()).append(letter)
        return False

    def _waited_enough(self, relay: int, is_up: Callable[[int], bool], now: float) -> ClaimedDelivery | None:
        sources = self._sources(relay, is_up)
        for domain, letters in list(self._waiting.items()):
            until = self._domains.resting_until(domain, now)
            if until is not None:
                self._put_off += [(letter, until - now) for letter in self._waiting.pop(domain)]
            elif self._home(letters[0].id) in sources and self._domains.take(domain, now):
                letter = letters.popleft()
                if not letters:
                    del self._waiting[domain]
                return letter
        return None

    def next_ready_at(self) -> float | None:
        """When the next letter that waits for its domain's pace may go, None if none waits."""
        return min((self._domains.ready_at(domain) for domain in self._waiting), default=None)

    def put_off(self) -> list[tuple[ClaimedDelivery, float]]:
        """Letters to be given back to the ledger, and for how many seconds; each is told once."""
        letters, self._put_off = self._put_off, []
        return letters


def _homes(weights: Sequence[int]) -> Callable[[int], int]:
    """Which relay a letter of a given number goes by, when all are up."""
    if len(weights) == 1 or not any(weights):
        return lambda _: 0
    bounds = list(accumulate(weights))
    return lambda number: bisect(bounds, number * 2654435761 % 2**32 * bounds[-1] >> 32)
