"""The mail that came in: kept before it is acknowledged, handled once, never lost.

Every entrance calls `Inbox.keep`; on return the message is on disk. The same mail to the same address is kept
once, whichever way and however often it comes: what counts is what its sender wrote, not the trace that mail
systems put on top. Mail that nobody can handle is set aside with the reason, and waits for a person.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, exists, func, update
from sqlmodel import Session, col, select

from newsletter.database import Database, batched
from newsletter.errors import NotFoundError
from newsletter.feedback.reading import Mail, read_mail
from newsletter.models import InboundMessage, Verdict
from newsletter.states import GONE, Effect, InboundState
from subscribers.address import readable_address
from subscribers.base import Clock

EVIDENCE_OCTETS = 64 * 2**10
"""Of an old report that counted so much is kept."""
_AT_ONCE = 500
"""Ids in one IN list: below every driver's limit of parameters."""
LARGEST = 25 * 2**20
"""Octets of a message that is taken: as much as large mailbox providers take."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A message on disk, and whether it is new."""

    id: int
    is_new: bool


class Inbox:
    """What entrances put messages into."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep(self, content: bytes, *, entrance: str, recipient: str | None, return_path: str | None) -> Kept:
        """Keep a message; it is on disk when this returns. Raises DatabaseError.

        `recipient` and `return_path` are the envelope's (RFC 5321 §2.3.1), where the entrance knows it.
        """
        mail = _read(content, return_path)
        to = _storable((recipient or "").strip().casefold())[:320]
        row = self._database.insert(InboundMessage).values(
            identity=mail.identity,
            recipient=to,
            return_path=None if return_path is None else _storable(return_path)[:320],
            entrance=entrance,
            content=content,
            octets=len(content),
            message_id=_storable(mail.message_id),
            sender=_storable(_key(mail.sender))[:320],
            subject=_storable(mail.subject),
            received_at=self._clock(),
            state=InboundState.NEW,
            attempts=0,
        )
        once = row.on_conflict_do_nothing(index_elements=["identity", "recipient"])
        with self._database.write() as session:
            new = session.execute(once.returning(col(InboundMessage.id))).scalar_one_or_none()
            if new is not None:
                return Kept(new, is_new=True)
            before = select(InboundMessage.id).where(
                InboundMessage.identity == mail.identity, InboundMessage.recipient == to
            )
            return Kept(session.exec(before).one(), is_new=False)


def _key(sender: str) -> str:
    """What an address is known by, so that what somebody wrote is found with the rest of what is theirs."""
    address = readable_address(sender)
    return address.key if address else sender.casefold()


def _storable(text: str) -> str:
    """Text as both databases take it: without NUL, and without octets that were no text."""
    return text.encode("utf-8", "replace").decode().replace("\0", "")


def _read(content: bytes, return_path: str | None) -> Mail:
    """The mail; of one that cannot be read, enough to keep it: its handler says what is wrong with it."""
    try:
        return read_mail(content, return_path)
    except Exception:  # whatever hostile octets break, they are not to be lost for it
        return replace(read_mail(b"", return_path), identity=sha256(content).hexdigest())


def messages(session: Session, state: InboundState | None = None) -> Iterator[InboundMessage]:
    """What came in, oldest first, one at a time."""
    statement = select(InboundMessage).order_by(col(InboundMessage.id)).execution_options(yield_per=100)
    if state is not None:
        statement = statement.where(InboundMessage.state == state)
    yield from session.exec(statement)


def message(session: Session, number: int) -> InboundMessage:
    """One of them. Raises NotFoundError."""
    if found := session.get(InboundMessage, number):
        return found
    raise NotFoundError(f"no message {number} came in; `paperround inbound list` shows those that did")


def retry(session: Session, number: int) -> bool:
    """Handle a message once more that was set aside, or a report that nothing was made of.

    False if it is neither, or its content is kept no more.
    """
    is_unplaced = (col(InboundMessage.state) == InboundState.REPORT) & ~is_evidence()
    changed = session.execute(
        update(InboundMessage)
        .where(
            col(InboundMessage.id) == number,
            (col(InboundMessage.state) == InboundState.ASIDE) | is_unplaced,
            col(InboundMessage.content).is_not(None),
        )
        .values(state=InboundState.NEW, attempts=0, taken_until=None, outcome=None, handled_at=None)
        .returning(col(InboundMessage.id))
    )
    return changed.first() is not None


def blank(session: Session, messages: Collection[int]) -> None:
    """Keep nothing of what these messages said, and of who wrote them: somebody was erased."""
    nobody = {"content": None, "sender": "", "return_path": None, "subject": GONE, "message_id": ""}
    for ids in batched(sorted(messages), _AT_ONCE):
        some = col(InboundMessage.id).in_(ids)
        session.execute(update(InboundMessage).where(some).values(outcome=GONE, **nobody))


def is_evidence(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    """That a verdict rests on a message; or one of those `which` says."""
    return exists().where(col(Verdict.inbound_id) == col(InboundMessage.id), *which)


def forget_old(session: Session, now: datetime, *, keep_days: int) -> int:
    """Let go of what old messages said: those that were handled. Returns how many.

    Of a report that counted against its reader, or is still to be judged, the beginning stays for as long as
    its verdict does; of all others that keeps its own few words.
    """
    content = col(InboundMessage.content)
    may_count = col(Verdict.effect).is_(None) | (col(Verdict.effect) != Effect.NONE)
    is_kept = is_evidence(may_count)
    is_old = (
        (col(InboundMessage.received_at) <= now - timedelta(days=keep_days))
        & col(InboundMessage.state).in_([InboundState.DONE, InboundState.REPORT])
        & content.is_not(None)
    )
    is_long = func.length(content) > EVIDENCE_OCTETS
    cut = func.substr(content, 1, EVIDENCE_OCTETS)
    session.execute(update(InboundMessage).where(is_old, is_long, is_kept).values(content=cut))
    changed = session.execute(
        update(InboundMessage).where(is_old, ~is_kept).values(content=None).returning(col(InboundMessage.id))
    )
    return len(changed.all())
