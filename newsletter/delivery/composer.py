"""From a claimed delivery to the letter that goes on the wire.

Everything in a letter follows from its frozen edition, the reader's row and the delivery's id, so a retry has
the same envelope, Message-ID and bytes (RFC 5321 §4.5.4.1, RFC 6647).
"""

from functools import lru_cache
from pathlib import Path

from newsletter.database import Database
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.transport import Letter
from newsletter.models import Edition
from newsletter.render.edition import compiled
from newsletter.render.headers import Mailbox
from newsletter.render.message import CompiledMessage, Envelope, Reader
from subscribers.tokens import Purpose, TokenSigner

_EDITIONS_KEPT = 32

TEST_DELIVERY = 0
"""What the links of a test letter name: there is no delivery of this number."""


class Composer:
    """Splices letters; the editions in use are compiled once and kept."""

    def __init__(self, database: Database, signer: TokenSigner, media_folder: Path) -> None:
        self._database = database
        self._signer = signer
        self._media_folder = media_folder
        self._edition = lru_cache(_EDITIONS_KEPT)(self._load)

    def _load(self, edition_id: int) -> tuple[CompiledMessage, Envelope]:
        with self._database.read() as session:
            edition = session.get_one(Edition, edition_id)
        return compiled(edition, self._media_folder), Envelope.from_json(edition.headers)

    def __call__(self, delivery: ClaimedDelivery) -> Letter:
        """The letter of one delivery."""
        message, envelope = self._edition(delivery.edition_id)
        token = self._signer.sign(Purpose.MESSAGE, delivery.id)
        reader = Reader(
            mailbox=Mailbox(delivery.name or "", delivery.address),
            message_id=f"{token}@{envelope.sender.domain}",
            unsubscribe_url=unsubscribe_url(envelope.base_url, self._signer, delivery.id),
            preferences_url=preferences_url(envelope.base_url, self._signer, delivery.id),
        )
        return Letter(
            return_path=return_path(envelope.bounce_address, self._signer, delivery.id),
            recipient=delivery.address,
            content=message.splice(reader),
        )


def unsubscribe_url(base_url: str, signer: TokenSigner, delivery_id: int) -> str:
    """The address that ends the subscription a letter was sent for."""
    return f"{base_url}/u/{signer.sign(Purpose.LEAVE, delivery_id)}"


def preferences_url(base_url: str, signer: TokenSigner, delivery_id: int) -> str:
    """The address where a letter's reader sees and changes all that they get."""
    return f"{base_url}/preferences/{signer.sign(Purpose.PREFERENCES, delivery_id)}"


def return_path(bounce_address: str, signer: TokenSigner, delivery_id: int) -> str:
    """A return path of its own for each letter, so that a failure report names it (VERP)."""
    local, _, domain = bounce_address.rpartition("@")
    return f"{local}+bounce.{signer.sign(Purpose.BOUNCE, delivery_id)}@{domain}"
