"""From a claimed delivery to the letter that goes on the wire.

Everything in a letter follows from its frozen edition, the reader's row and the delivery's id, so a retry has
the same envelope, Message-ID and bytes (RFC 5321 §4.5.4.1, RFC 6647).
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.database import Database
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.transport import Letter
from newsletter.models import Edition
from newsletter.render.edition import compiled
from newsletter.render.headers import Mailbox
from newsletter.render.message import CompiledMessage, Envelope, Reader, Seal
from subscribers.tokens import Purpose, TokenSigner

if TYPE_CHECKING:
    from newsletter.delivery.dkim import DkimSigner

_EDITIONS_KEPT = 32

TEST_DELIVERY = 0
"""What the links of a test letter name: there is no delivery of this number."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """An edition in use: compiled, with what its letters' identities are made of."""

    message: CompiledMessage
    seal: Seal | None
    base_url: str
    sender_domain: str
    bounce_address: str


class Composer:
    """Splices letters, signed if there is a `dkim`; the editions in use are compiled once and kept."""

    def __init__(
        self, database: Database, signer: TokenSigner, media_folder: Path, dkim: "DkimSigner | None" = None
    ) -> None:
        self._database = database
        self._signer = signer
        self._media_folder = media_folder
        self._dkim = dkim
        self._edition = lru_cache(_EDITIONS_KEPT)(self._load)

    def _load(self, edition_id: int) -> _Prepared:
        with self._database.read() as session:
            edition = session.get_one(Edition, edition_id)
        message, envelope = compiled(edition, self._media_folder), Envelope.from_json(edition.headers)
        return _Prepared(
            message=message,
            seal=self._dkim.seal(message.fields) if self._dkim else None,
            base_url=envelope.base_url,
            sender_domain=envelope.sender.domain,
            bounce_address=envelope.bounce_address,
        )

    def __call__(self, delivery: ClaimedDelivery) -> Letter:
        """The letter of one delivery."""
        edition, signer, number = self._edition(delivery.edition_id), self._signer, delivery.id
        reader = Reader(
            mailbox=Mailbox(delivery.name or "", delivery.address),
            message_id=f"{signer.sign(Purpose.MESSAGE, number)}@{edition.sender_domain}",
            unsubscribe_url=unsubscribe_url(edition.base_url, signer, number),
            preferences_url=preferences_url(edition.base_url, signer, number),
        )
        return Letter(
            return_path=return_path(edition.bounce_address, signer, number),
            recipient=delivery.address,
            content=edition.message.splice(reader, edition.seal),
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
