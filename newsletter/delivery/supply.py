"""Where a pass gets its letters: claimed page by page, prepared, in hand, and each composed as it goes.

Memory is flat: a few pages of claims, and the editions in use, are all that is held. Whatever is in hand when
the pass ends, the ledger gives back on closing. Letters of an issue that cannot be composed are given back
and the issue is halted, so that the others go on.

What the ledger raises comes through, as DatabaseError; what comes up while nobody asks is told to `failed`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from newsletter.database import Database
from newsletter.delivery.composer import Composer
from newsletter.delivery.hand import Hand
from newsletter.delivery.ledger import ClaimedDelivery, Ledger
from newsletter.delivery.pace import Limits
from newsletter.delivery.transport import Letter
from newsletter.errors import ContentError
from subscribers.base import Clock

_PAGE = 500
"""Letters claimed at once."""
_MOST_IN_HAND = 4 * _PAGE
"""With several relays, the letters of a slow one pile up to this."""
_SHORTEST_WAIT = 0.001
_ASK_SECONDS = 1.0
"""How often the ledger is asked for more, once it had none, while letters in hand wait for their pace."""


@dataclass(frozen=True)
class Reports:
    """Whom a supply tells what nobody has asked for."""

    arrived: Callable[[], None]
    """Letters have come in hand."""
    halted: Callable[[int, str], None]
    """An issue was halted, and why."""
    failed: Callable[[Exception], None]


class Supply:
    """The letters of one pass. Relays go by their places in `weights`; `is_up` says which can be used."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        composer: Composer,
        *,
        weights: Sequence[int],
        is_up: Callable[[int], bool],
        limits: Limits,
        clock: Clock,
        monotonic: Callable[[], float],
        reports: Reports,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._composer = composer
        self._is_up = is_up
        self._clock = clock
        self._now = monotonic
        self._reports = reports
        self._pace = limits.pace
        self._hand = Hand(weights, limits.domains)
        self._preparing = 0
        """Letters that are claimed and not in hand yet."""
        self._stopped: set[int] = set()
        """Issues that were found stopped, and none of whose letters was claimed since."""
        self._ask_again_at = 0.0
        """From when on the ledger may have more to claim."""
        self._is_over = False

    @property
    def has_letters(self) -> bool:
        """Whether there are letters that are not on their way yet."""
        return self._preparing > 0 or len(self._hand) > 0

    @property
    def is_preparing(self) -> bool:
        """Whether letters will come in hand by themselves."""
        return self._preparing > 0

    def ready(self, relay: int) -> int:
        """How many letters a relay could take now; claims some if there are none."""
        now = self._now()
        if not self._hand.ready(relay, self._is_up, now):
            self._replenish()
        return self._hand.ready(relay, self._is_up, now)

    def seconds_to_wait(self) -> float | None:
        """Until when letters in hand wait for their pace; None if nothing waits for that."""
        if not len(self._hand):
            return None
        moments = [self._hand.next_ready_at(), self._pace.ready_at() if self._pace else None]
        waits = [moment - self._now() for moment in moments if moment is not None]
        return max(*waits, _SHORTEST_WAIT) if waits else None

    def take(self, relay: int) -> tuple[ClaimedDelivery, Letter] | None:
        """The next letter for a relay, None if there is none that may go by it now."""
        while (delivery := self._take(relay)) is not None:
            try:
                return delivery, self._composer(delivery)
            except ContentError as error:
                self._halt(delivery, str(error))
        return None

    def put_back(self, delivery: ClaimedDelivery) -> None:
        """Take a letter back that was not tried after all; it comes first."""
        self._hand.put_back(delivery)

    def give_up(self, issue_id: int) -> None:
        """An issue was stopped: its letters go back."""
        self._stopped.add(issue_id)
        self._give_back(self._hand.drop(issue_id))

    def ask_again(self) -> None:
        """The ledger has more letters than it had."""
        self._ask_again_at = 0.0

    async def close(self) -> None:
        """The pass is over: nothing more is claimed or told."""
        self._is_over = True
        await self._composer.close()

    def _replenish(self) -> None:
        """Claim another page, unless enough are on their way into hand."""
        now = self._now()
        if self._is_over or now < self._ask_again_at or self._preparing > _PAGE:
            return
        if self._hand.holds_enough(_MOST_IN_HAND):
            return
        with self._database.explained():
            letters = self._ledger.claim(_PAGE, self._clock())
        if len(letters) < _PAGE:
            self._ask_again_at = now + _ASK_SECONDS
        self._stopped -= {letter.issue_id for letter in letters}
        at_once = self._composer.prepare(letters, self._prepared)
        self._preparing += len(letters) - len(at_once)
        self._hand.put(at_once)

    def _prepared(self, letters: Sequence[ClaimedDelivery]) -> None:
        """Letters that were in preparation may go; the next page is claimed before these are used up."""
        self._preparing -= len(letters)
        try:
            self._hand.put(letter for letter in letters if letter.issue_id not in self._stopped)
            self._give_back([letter for letter in letters if letter.issue_id in self._stopped])
            self._replenish()
        except Exception as error:
            self._reports.failed(error)
        self._reports.arrived()

    def _take(self, relay: int) -> ClaimedDelivery | None:
        now = self._now()
        if self._pace is not None and now < self._pace.ready_at():
            return None
        delivery = self._hand.take(relay, self._is_up, now)
        if delivery is None:
            self._replenish()
            delivery = self._hand.take(relay, self._is_up, now)
        if delivery is not None and self._pace is not None:
            self._pace.take(now)
        self._give_back_put_off()
        return delivery

    def _give_back_put_off(self) -> None:
        if letters := self._hand.put_off():
            now = self._clock()
            with self._database.explained():
                self._ledger.put_off(
                    [(letter.id, now + timedelta(seconds=max(seconds, 0.0))) for letter, seconds in letters]
                )

    def _give_back(self, letters: Sequence[ClaimedDelivery]) -> None:
        now = self._clock()
        with self._database.explained():
            self._ledger.put_off([(letter.id, now) for letter in letters])

    def _halt(self, delivery: ClaimedDelivery, reason: str) -> None:
        """Pause an issue for a person to look at."""
        with self._database.explained():
            self._ledger.halt(delivery.issue_id, reason)
        self._give_back([delivery])
        self.give_up(delivery.issue_id)
        self._reports.halted(delivery.issue_id, reason)
