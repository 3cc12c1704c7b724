"""What is somebody's: by which rows, and which words, a person is known here.

Asked by whoever tells a person all that is held about them, and by whoever erases it, so that both find the
same. A person is whoever has an address, or had it before; somebody may have asked for something, or written,
who never became a reader.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, or_, select
from sqlmodel import Session, col

from newsletter.delivery.evidence import probe_topic
from newsletter.feedback.anatomy import read_anatomy, texts_in
from newsletter.feedback.mime import with_newlines
from newsletter.feedback.writing import topics_of
from newsletter.models import InboundMessage, Note, Probe, Verdict
from newsletter.states import InboundState
from subscribers.address import Address
from subscribers.models import Request, Subscriber
from subscribers.subscriptions import addresses_of


@dataclass(frozen=True, slots=True)
class Belongings:
    """What is one person's, also of what was deleted since they were looked for."""

    addresses: tuple[Address, ...]
    """Theirs, that of now first, if they have one."""
    subscriber_id: int | None
    topics: frozenset[str]
    """What short letters were about that went elsewhere: to a new address which is not theirs yet."""

    @property
    def keys(self) -> frozenset[str]:
        """What their addresses are known by."""
        return frozenset(address.key for address in self.addresses)

    @property
    def are_requests(self) -> ColumnElement[bool]:
        """That a request is theirs."""
        return _are_requests(self.keys, self.subscriber_id)

    @property
    def are_messages(self) -> ColumnElement[bool]:
        """That a mail that came in was written by them."""
        written = {spelled for address in self.addresses for spelled in (address.key, address.given)}
        return or_(col(InboundMessage.sender).in_(self.keys), col(InboundMessage.return_path).in_(written))

    @property
    def are_notes(self) -> ColumnElement[bool]:
        """That a short letter went to them, or for them."""
        topic = col(Note.topic)
        return or_(col(Note.recipient_key).in_(self.keys), topic.in_(sorted(self.topics)))

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
        return rf"(?<![\w.+-])(?:{'|'.join(map(re.escape, sorted(self.keys)))})(?![\w-]|\.\w)"


def belongings_of(session: Session, address: Address, subscriber: Subscriber | None) -> Belongings:
    """What is whose who has an address, and is this reader, if they are one."""
    if subscriber is None:
        return Belongings((address,), None, frozenset(_topics(session, {address.key}, None)))
    addresses = tuple(addresses_of(session, subscriber))
    keys = {one.key for one in addresses}
    return Belongings(addresses, subscriber.id, frozenset(_topics(session, keys, subscriber.id)))


def _texts(content: bytes) -> Iterator[str]:
    """A message as it came, and what can be read in it."""
    yield content.decode("utf-8", "replace")
    texts = texts_in(read_anatomy(with_newlines(content)))
    yield from (*texts.envelope, *texts.returned, *texts.words)


def _topics(session: Session, keys: Iterable[str], subscriber_id: int | None) -> Iterable[str]:
    requests = select(col(Request.id)).where(_are_requests(keys, subscriber_id))
    for number in session.scalars(requests):
        yield from topics_of(number)
    for number in session.scalars(select(col(Probe.id)).where(col(Probe.subscriber_id) == subscriber_id)):
        yield probe_topic(number)


def _are_requests(keys: Iterable[str], subscriber_id: int | None) -> ColumnElement[bool]:
    asked: ColumnElement[bool] = col(Request.address_key).in_(keys)
    return asked if subscriber_id is None else or_(asked, col(Request.subscriber_id) == subscriber_id)
