"""Standing orders not to write to an address, kept by a keyed hash of it.

So an address can be erased and still not be written to (GDPR 17): whoever has the database alone cannot tell
whose hash it is, nor try all addresses out, for the key lies elsewhere.
"""

import hashlib
from datetime import datetime

from sqlmodel import Session

from subscribers.address import Address
from subscribers.models import Suppression, SuppressionReason


class Suppressions:
    """Asks and adds, under one secret key."""

    def __init__(self, key: bytes) -> None:
        # Hashed first, as whatever is longer would not fit, and apart from tokens, as its purpose is another.
        self._key = hashlib.blake2b(key, digest_size=64, person=b"suppression").digest()

    def hash_of(self, address: Address) -> str:
        """What is kept of an address: keyed BLAKE2b (RFC 7693 §2.9) of its folded form, in hexadecimal."""
        return hashlib.blake2b(address.key.encode(), digest_size=32, key=self._key).hexdigest()

    def find(self, session: Session, address: Address) -> Suppression | None:
        """The order about an address, if there is one."""
        return session.get(Suppression, self.hash_of(address))

    def add(self, session: Session, address: Address, reason: SuppressionReason, now: datetime) -> None:
        """Write to this address no more; an order that stands already stays, with its reason and day."""
        if self.find(session, address) is None:
            session.add(Suppression(address_hash=self.hash_of(address), reason=reason, at=now))
