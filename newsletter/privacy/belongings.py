"""What is somebody's: by which rows, and which words, a person is known here.

Asked by whoever tells a person all that is held about them, and by whoever erases it, so that both find the
same. A person is whoever has an address, or had it before; somebody may have asked for something, or written,
who never became a reader.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, exists, false, literal, or_, select
from sqlmodel import Session, col

from newsletter.delivery.evidence import PROBE
from newsletter.feedback.anatomy import read_anatomy, texts_in
from newsletter.feedback.mime import with_newlines
from newsletter.feedback.writing import INBOUND, OLD_ADDRESS, REQUEST
from newsletter.models import InboundMessage, Note, Probe, Verdict
from newsletter.states import InboundState
from subscribers.address import Address
from subscribers.models import Request, Subscriber
from subscribers.subscriptions import addresses_of


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is one person's."""

    addresses: tuple[Address, ...]
    """Theirs, that of now first, if they have one."""
    subscriber_id: int | None

    @property
    def keys(self) -> frozenset[str]:
        """What their addresses are known by."""
        return frozenset(address.key for address in self.addresses)

    @property
    def are_requests(self) -> ColumnElement[bool]:
        """That a request is theirs, be it about an address which is not theirs yet."""
        asked: ColumnElement[bool] = col(Request.address_key).in_(self.keys)
        return or_(asked, self._is_of(Request.subscriber_id))

    @property
    def are_messages(self) -> ColumnElement[bool]:
        """That a mail that came in was written by them."""
        return or_(
            col(InboundMessage.sender).in_(self.keys), col(InboundMessage.return_path).in_(self._spellings)
        )

    @property
    def are_notes(self) -> ColumnElement[bool]:
        """That a short letter went to them: also to an address which is not theirs yet."""
        topic, request, probe = col(Note.topic), col(Request.id), col(Probe.id)
        return or_(
            col(Note.recipient_key).in_(self.keys),
            topic.in_(select(_topic(REQUEST, request)).where(self.are_requests)),
            topic.in_(select(_topic(REQUEST, request, OLD_ADDRESS)).where(self.are_requests)),
            topic.in_(select(_topic(PROBE, probe)).where(self._is_of(Probe.subscriber_id))),
        )

    @property
    def are_notes_about_mail(self) -> ColumnElement[bool]:
        """That a short letter is about a mail of theirs: an answer, or what the editor got of it."""
        written = select(_topic(INBOUND, col(InboundMessage.id))).where(self.are_messages)
        return col(Note.topic).in_(written)

    def reports_that_name_them(self, session: Session, *, after: int = 0) -> tuple[list[int], int]:
        """Reports that nothing rests upon and that hold one of their addresses; and the last looked at.

        `after` is that of an earlier look. What a verdict about somebody else rests on stays as it is.
        """
        is_evidence = exists().where(col(Verdict.inbound_id) == col(InboundMessage.id))
        unplaced = (
            select(col(InboundMessage.id), col(InboundMessage.content))
            .where(
                col(InboundMessage.id) > after,
                col(InboundMessage.state) == InboundState.REPORT,
                col(InboundMessage.content).is_not(None),
                ~is_evidence,
            )
            .order_by(col(InboundMessage.id))
            .execution_options(yield_per=20)
        )
        named = re.compile(self.pattern, re.IGNORECASE)
        found = []
        for number, content in session.execute(unplaced):
            after = number
            if any(map(named.search, _texts(content))):
                found.append(number)
        return found, after

    @property
    def pattern(self) -> str:
        """A regular expression for their addresses in a text: one that ends in theirs is another's."""
        return rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, self._spellings))})(?![\w-]|\.\w)"

    def _is_of(self, column: Any) -> ColumnElement[bool]:
        """That something is of this reader; never, if they are none: rows of nobody are not theirs."""
        return col(column) == self.subscriber_id if self.subscriber_id is not None else false()

    @property
    def _spellings(self) -> list[str]:
        """Their addresses as they are compared, and as they were given."""
        return sorted({spelled for address in self.addresses for spelled in (address.key, address.given)})


def belongings_of(session: Session, address: Address, subscriber: Subscriber | None) -> Belongings:
    """What is whose who has an address, and is this reader, if they are one."""
    if subscriber is None:
        return Belongings((address,), None)
    return Belongings(tuple(addresses_of(session, subscriber)), subscriber.id)


def _texts(content: bytes) -> Iterator[str]:
    """A message as it came, and what can be read in it."""
    yield content.decode("utf-8", "replace")
    texts = texts_in(read_anatomy(with_newlines(content)))
    yield from (*texts.envelope, *texts.returned, *texts.words)


def _topic(begins: str, number: Any, ends: str = "") -> Any:
    """What a short letter is about, in SQL."""
    return literal(begins) + cast(number, Text) + literal(ends)
