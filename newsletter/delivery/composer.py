"""From claimed deliveries to the letters that go on the wire.

The editions in use are compiled once and kept. Copies are made where they are needed; where many are to be
signed and the machine has cores to spare, by copyists ahead of that. Either way they are the same.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.database import Database
from newsletter.delivery.copies import Master, Shelf, make_copy
from newsletter.delivery.copyist import Signers
from newsletter.delivery.copyists import Copyists, Ready, Task, spare_cores
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.transport import Letter
from newsletter.errors import ContentError
from newsletter.models import Edition
from newsletter.render.edition import compiled
from newsletter.render.message import Envelope, Seal
from subscribers.tokens import TokenSigner

if TYPE_CHECKING:
    from newsletter.delivery.dkim import DkimSigner

_JOB = 50
"""Copies made at a time."""
_MANY = 500
"""From so many letters on, starting copyists is worth its while."""
_MOST_COPYISTS = 2
"""Each takes some 30 MB: with two of them a pass stays below 150."""

_EDITION = attrgetter("edition_id")


class Composer:
    """Makes the letters of one pass, signed if there is a `dkim`."""

    def __init__(
        self, database: Database, signer: TokenSigner, media_folder: Path, dkim: "DkimSigner | None" = None
    ) -> None:
        self._database = database
        self._media_folder = media_folder
        self._signers = Signers(signer, dkim)
        self._shelf = Shelf()
        self._editions: dict[int, tuple[Master, Seal | None]] = {}
        self._latest: int | None = None
        self._prepared = 0
        self._copyists: Copyists | None = None

    def _edition(self, edition_id: int) -> tuple[Master, Seal | None]:
        if edition_id == self._latest:  # as a rule, and asked for each letter
            return self._editions[edition_id]
        found = self._editions.get(edition_id)
        if found is None:
            found = self._editions[edition_id] = self._load(edition_id)
        for away in self._shelf.take(edition_id, found[0].octets):
            del self._editions[away]
        self._latest = edition_id
        return found

    def _load(self, edition_id: int) -> tuple[Master, Seal | None]:
        with self._database.read() as session:
            edition = session.get_one(Edition, edition_id)
        envelope = Envelope.from_json(edition.headers)
        master = Master(
            message=compiled(edition, self._media_folder),
            base_url=envelope.base_url,
            sender_domain=envelope.sender.domain,
            bounce_address=envelope.bounce_address,
            leave_address=envelope.leave_address,
        )
        return master, self._signers.seal(master)

    def __call__(self, delivery: ClaimedDelivery) -> Letter:
        """The letter of one delivery. Raises ContentError if its edition cannot be had."""
        master, seal = self._edition(delivery.edition_id)
        copy = delivery.copy or make_copy(
            master,
            seal,
            self._signers.tokens,
            number=delivery.id,
            address=delivery.address,
            name=delivery.name,
        )
        return Letter(copy.return_path, delivery.address, master.message.joined(copy.share))

    def prepare(self, deliveries: Sequence[ClaimedDelivery], ready: Ready) -> Sequence[ClaimedDelivery]:
        """Begin with these letters; to be called within the event loop, with the same `ready` each time.

        Returns those that are to be composed where they are needed; of the others `ready` is told later.
        """
        self._prepared += len(deliveries)
        if not self._has_copyists(ready):
            return deliveries
        not_handed_out: list[ClaimedDelivery] = []
        for edition, letters in groupby(sorted(deliveries, key=_EDITION), key=_EDITION):
            not_handed_out += self._hand_out(edition, list(letters))
        return not_handed_out

    def _has_copyists(self, ready: Ready) -> bool:
        # A copy that is not signed costs less than to have it brought.
        is_worth_it = self._signers.dkim is not None and self._prepared > _MANY
        if self._copyists is None and is_worth_it and (cores := spare_cores()) > 0:
            self._copyists = Copyists(min(cores, _MOST_COPYISTS), self._signers, ready)
        return self._copyists is not None and self._copyists.are_there

    def _hand_out(self, edition: int, letters: list[ClaimedDelivery]) -> Sequence[ClaimedDelivery]:
        """Give letters to the copyists; returns those of an edition that cannot be had."""
        assert self._copyists is not None  # noqa: S101  # they are there
        try:
            master, _ = self._edition(edition)
        except ContentError:
            return letters  # who composes the first of them is told
        for start in range(0, len(letters), _JOB):
            self._copyists.give(Task(edition, master, letters[start : start + _JOB]))
        return ()

    async def close(self) -> None:
        """Send the copyists away, if there are any."""
        if self._copyists is not None:
            await self._copyists.close()
