"""Standing orders not to write: under a key for tests, and given to a site."""

from sqlmodel import Session

from newsletter.app import App
from subscribers.address import parse_address
from subscribers.models import SuppressionReason
from subscribers.suppression import Suppressions

SUPPRESSIONS = Suppressions(b"a key for tests")


def suppress(site: App, session: Session, address: str, reason: SuppressionReason) -> list[str]:
    """Write to an address no more."""
    return site.suppressions.suppress(
        session, parse_address(address), reason, site.letters, source="cli", now=site.clock()
    )
