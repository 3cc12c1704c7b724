"""Standing orders not to write, under a key for tests and given to a site, and erasures."""

import time
from collections.abc import Callable

from sqlmodel import Session

from newsletter.app import App
from newsletter.privacy.erasure import Erased, erase_for_good
from subscribers.address import parse_address
from subscribers.models import SuppressionReason
from subscribers.suppression import Suppressions

SUPPRESSIONS = Suppressions(b"a key for tests")


def suppress(site: App, session: Session, address: str, reason: SuppressionReason) -> list[str]:
    """Write to an address no more."""
    return site.suppressions.suppress(
        session, parse_address(address), reason, site.letters, source="cli", now=site.clock()
    )


def erase(
    site: App,
    whom: str | int,
    *,
    seconds: float = 0,
    wait: Callable[[float], object] = time.sleep,
    ticks: Callable[[], float] = time.monotonic,
) -> Erased:
    """Erase whoever has an address, or a reader by their number."""
    return erase_for_good(
        site.database,
        parse_address(whom) if isinstance(whom, str) else whom,
        site.suppressions,
        source="page",
        clock=site.clock,
        seconds=seconds,
        wait=wait,
        ticks=ticks,
    )
