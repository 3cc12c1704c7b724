"""What is somebody's: by which rows, and which words, a person is known here.

Asked by whoever tells a person all that is held about them, and by whoever erases it, so that both find the
same. A person is whoever has an address, or had it before; somebody may have asked for something, or written,
who never became a reader.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, false, literal, or_, select
from sqlmodel import Session, col

from newsletter.database import batched
from newsletter.delivery.evidence import PROBE
from newsletter.feedback.anatomy import read_anatomy, texts_in
from newsletter.feedback.inbox import is_evidence
from newsletter.feedback.mime import with_newlines
from newsletter.feedback.writing import INBOUND, OLD_ADDRESS, REQUEST
from newsletter.models import InboundMessage, Note, Probe
from newsletter.states import InboundState
from subscribers.address import Address, spellings_of
from subscribers.models import Request, Subscriber
from subscribers.subscriptions import addresses_of

_AT_ONCE = 500
"""Topics in one IN list: below every driver's limit of parameters."""


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
            col(InboundMessage.sender).in_(self.keys), col(InboundMessage.return_path).in_(self.spellings)
        )

    @property
    def are_notes(self) -> ColumnElement[bool]:
        """That a short letter went to them: also to an address which is not theirs yet."""
        topic, request, probe = col(Note.topic), col(Request.id), col(Probe.id)
        return or_(
            col(Note.recipient_key).in_(self.keys),
            topic.in_(select(_topic(REQUEST, request)).where(self.are_requests)),
            topic.in_(
                # Whoever else wants to have one of their addresses is warned at another's.
                select(_topic(REQUEST, request, OLD_ADDRESS)).where(self._is_of(Request.subscriber_id))
            ),
            topic.in_(select(_topic(PROBE, probe)).where(self._is_of(Probe.subscriber_id))),
        )

    def notes_about(self, messages: Sequence[int]) -> Iterator[ColumnElement[bool]]:
        """That a short letter is about one of these mails: an answer, or what the editor got of it."""
        for numbers in batched(messages, _AT_ONCE):
            yield col(Note.topic).in_([f"{INBOUND}{number}" for number in numbers])

    def reports_that_name_them(self, session: Session, *, handled_since: datetime | None = None) -> list[int]:
        """Reports that nothing rests upon and that hold one of their addresses.

        What a verdict about somebody else rests on stays as it is. They are read one at a time: each may be
        as large as a mail can be.
        """
        unplaced = select(col(InboundMessage.id)).where(
            col(InboundMessage.state).in_([InboundState.REPORT, InboundState.ASIDE]),
            col(InboundMessage.content).is_not(None),
            ~is_evidence(),
        )
        if handled_since is not None:
            unplaced = unplaced.where(col(InboundMessage.handled_at) >= handled_since)
        named = re.compile(self.pattern, re.IGNORECASE)
        return [
            number
            for number in session.scalars(unplaced).all()
            if any(map(named.search, _texts(_content_of(session, number))))
        ]

    @property
    def pattern(self) -> str:
        """A regular expression for their addresses in a text: one that ends in theirs is another's."""
        return rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, self.spellings))})(?![\w-]|\.\w)"

    def _is_of(self, column: Any) -> ColumnElement[bool]:
        """That something is of this reader; never, if they are none: rows of nobody are not theirs."""
        return col(column) == self.subscriber_id if self.subscriber_id is not None else false()

    @property
    def spellings(self) -> list[str]:
        """How their addresses may be written."""
        return sorted({spelled for address in self.addresses for spelled in spellings_of(address)})


def belongings_of(session: Session, address: Address, subscriber: Subscriber | None) -> Belongings:
    """What is whose who has an address, and is this reader, if they are one."""
    if subscriber is None:
        return Belongings((address,), None)
    return Belongings(tuple(addresses_of(session, subscriber)), subscriber.id)


def _content_of(session: Session, number: int) -> bytes:
    content = select(col(InboundMessage.content)).where(col(InboundMessage.id) == number)
    return session.execute(content).scalar_one() or b""


def _texts(content: bytes) -> Iterator[str]:
    """A message as it came, and what can be read in it."""
    yield content.decode("utf-8", "replace")
    texts = texts_in(read_anatomy(with_newlines(content)))
    yield from (*texts.envelope, *texts.returned, *texts.words)


def _topic(begins: str, number: Any, ends: str = "") -> Any:
    """What a short letter is about, in SQL."""
    return literal(begins) + cast(number, Text) + literal(ends)
