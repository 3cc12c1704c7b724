"""What a pass sees to besides its letters, at its start and every few seconds after that.

It takes over from processes that have died, learns who else sends, ends letters that have become stale, and
judges first shares. An issue to a hundred thousand readers takes a while: none of this waits for its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from newsletter.delivery.canary import CanaryVerdict
from newsletter.delivery.ledger import Ledger, Recovered
from newsletter.delivery.pace import Limits
from subscribers.base import Clock

_STALE = 2000
"""Letters ended at once: connections are not to wait for long meanwhile."""


class Findings(NamedTuple):
    """What was seen to."""

    recovered: Recovered
    expired: int
    is_more_stale: bool
    """Whether it is to be done again at once, since there are more letters to end."""
    verdicts: list[CanaryVerdict]

    @property
    def has_letters(self) -> bool:
        """Whether there may be letters to claim that there were not before."""
        has_taken_over = self.recovered.requeued > 0 or bool(self.recovered.in_doubt)
        return has_taken_over or any(verdict.has_passed for verdict in self.verdicts)


@dataclass(frozen=True, slots=True)
class Upkeep:
    """Keeps up one pass's `ledger` and `limits`."""

    ledger: Ledger
    limits: Limits
    clock: Clock
    canary_wait: timedelta
    canary_limit_percent: int
    tell_recovered: Callable[[Recovered], None]
    """Told at once, once it is on disk: what comes after may fail."""

    def __call__(self) -> Findings:
        """Do all of it. Raises what the ledger raises."""
        now = self.clock()
        recovered = self.ledger.recover(now)
        self.tell_recovered(recovered)
        self.limits.share_among(recovered.senders)
        expired = self.ledger.expire(now, most=_STALE)
        verdicts = self.ledger.review(now, wait=self.canary_wait, limit_percent=self.canary_limit_percent)
        return Findings(recovered, expired, expired == _STALE, verdicts)
