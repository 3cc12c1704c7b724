"""Standing orders that a database of before may not obey.

Every way in asks for orders now. A site may have rows of a program that did not, or that somebody has written
past it, and orders act through those rows alone.
"""

from datetime import datetime

from newsletter.database import Database
from newsletter.delivery.audit import disagreements
from newsletter.delivery.letters import LedgerLetters
from subscribers.models import SuppressionReason
from subscribers.suppression import Suppressions


def obey_orders(database: Database, suppressions: Suppressions, now: datetime) -> int:
    """Stop all that is sent against an order; returns how many readers it was. Raises DatabaseError."""
    with database.read() as session:
        found = {one.address for one in disagreements(session, suppressions) if one.is_live}
    for address in sorted(found, key=lambda one: one.key):
        with database.write() as session:
            order = suppressions.find(session, address)
            if order is not None:
                reason = SuppressionReason(order.reason)
                suppressions.suppress(session, address, reason, LedgerLetters(), source="upgrade", now=now)
    return len(found)
