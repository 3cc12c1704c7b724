"""One reader's copy of an edition: its envelope, and its share of the message.

Everything in a copy follows from its frozen edition, the reader's row and the delivery's number, so a retry
has the same envelope, Message-ID and bytes (RFC 5321 §4.5.4.1, RFC 6647), whichever process makes it.

Pure, and light to import: processes that do nothing else make copies too (`newsletter.delivery.copyist`).
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.render.headers import Mailbox
from newsletter.render.message import CompiledMessage, Seal, Share
from newsletter.render.slots import Reader
from subscribers.tokens import Purpose, TokenSigner

_OCTETS_AT_HAND = 16 * 2**20

TEST_DELIVERY = 0
"""What the links of a test letter name: there is no delivery of this number."""


@dataclass(frozen=True, slots=True)
class Master:
    """An edition in use: compiled, with what its copies' identities are made of."""

    message: CompiledMessage
    base_url: str
    sender_domain: str
    bounce_address: str
    leave_address: str = ""

    @property
    def octets(self) -> int:
        """How much memory it takes, more or less."""
        return len(self.message.fields) + sum(map(len, self.message.body))


class Shelf:
    """Which masters are at hand. May surprise: the last one stays, however large."""

    def __init__(self, most: int = _OCTETS_AT_HAND) -> None:
        """`most` octets in all: editions with pictures in them can have megabytes each."""
        self._most = most
        self._sizes: OrderedDict[int, int] = OrderedDict()

    def __contains__(self, edition: int) -> bool:
        return edition in self._sizes

    def take(self, edition: int, octets: int) -> list[int]:
        """Use one; returns those that are to be put away for it, the longest unused first."""
        self._sizes[edition] = octets
        self._sizes.move_to_end(edition)
        away = []
        while len(self._sizes) > 1 and sum(self._sizes.values()) > self._most:
            away.append(self._sizes.popitem(last=False)[0])
        return away


class Copy(NamedTuple):
    """What a copy has of its own."""

    return_path: str
    share: Share


def make_copy(
    master: Master, seal: Seal | None, signer: TokenSigner, *, number: int, address: str, name: str | None
) -> Copy:
    """The copy of delivery `number`, for a reader; `seal`, made for the master's fields, signs it."""
    reader = Reader(
        mailbox=Mailbox(name or "", address),
        message_id=f"{signer.sign(Purpose.MESSAGE, number)}@{master.sender_domain}",
        unsubscribe_url=unsubscribe_url(master.base_url, signer, number),
        preferences_url=preferences_url(master.base_url, signer, number),
        leave_address=leave_address(master.leave_address, signer, number) if master.leave_address else "",
    )
    return Copy(return_path(master.bounce_address, signer, number), master.message.share_of(reader, seal))


def unsubscribe_url(base_url: str, signer: TokenSigner, delivery_id: int) -> str:
    """The address that ends the subscription a letter was sent for."""
    return f"{base_url}/u/{signer.sign(Purpose.LEAVE, delivery_id)}"


def preferences_url(base_url: str, signer: TokenSigner, delivery_id: int) -> str:
    """The address where a letter's reader sees and changes all that they get."""
    return f"{base_url}/preferences/{signer.sign(Purpose.PREFERENCES, delivery_id)}"


def return_path(bounce_address: str, signer: TokenSigner, delivery_id: int) -> str:
    """A return path of its own for each letter, so that a failure report names it (VERP)."""
    return _extended(bounce_address, "bounce", signer.sign(Purpose.BOUNCE, delivery_id))


def leave_address(inbound_address: str, signer: TokenSigner, delivery_id: int) -> str:
    """The address to which a mail ends the subscription a letter was sent for."""
    return _extended(inbound_address, "leave", signer.sign(Purpose.LEAVE, delivery_id))


def _extended(address: str, verb: str, token: str) -> str:
    """An address of ours that `newsletter.feedback.route` reads; this is light to import, and much used."""
    local, _, domain = address.rpartition("@")
    return f"{local}+{verb}.{token}@{domain}"
