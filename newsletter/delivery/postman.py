"""Short letters on their way: confirmations, answers, readers' letters for the editor, notices.

They are outside of any issue, its ledger and its pace, on a connection of their own, with little patience:
readers' letters never wait for them. A row of `note` is a promise that one goes out. Who sends takes it first
for a while, so that two processes do not both, and marks it as on the wire before its body goes: what is
ended before that does not go, and who ends it knows what may still arrive. May surprise: if the process dies
between the relay's answer and our record, it is sent once more, with the same Message-ID.

Answers and confirmations have the null return path (RFC 3834 §3.3, RFC 5321 §4.5.5): what cannot be delivered
comes back to nobody, and no program answers it. A relay that takes no such path is given the address for
bounces, which answers nothing either. A probe has a path of its own: whether it comes back is all it
asks.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, select, update
from sqlmodel import Session, col

from newsletter.database import Database
from newsletter.delivery.dkim_keys import load_signer
from newsletter.delivery.evidence import verdict_of_probe
from newsletter.delivery.outcome import Outcome, Stage, printable
from newsletter.delivery.relays import Relay
from newsletter.delivery.retry import next_attempt
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.transport import Letter, OneByOne
from newsletter.errors import RelayError, SettingsError
from newsletter.models import Note
from newsletter.settings import Settings
from newsletter.states import DeliveryState, NoteKind, NoteState
from subscribers.base import Clock

_SECONDS = 60.0
"""For one letter, from connecting to its answer."""
_AT_ONCE = 100
_ON_WIRE_FOR = timedelta(seconds=2 * _SECONDS)
"""Longer than one may take from its mark to the record of its answer."""
_TAKEN_FOR = timedelta(minutes=15)
"""Longer than that many letters may take at their slowest, as a rule."""

Told = Callable[[int, Outcome | None, str], None]
"""Which letter, what came of it if a relay could be asked, and what was said."""
Answered = Callable[[int, Outcome | None], None]
"""Which letter, and what one relay made of it; None if it may go no more."""
MayGo = Callable[[int], bool]
"""Which letter is about to go: it does if that is true."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of one note that was tried."""

    note_id: int
    kind: str
    state: str
    reply: str


def post_due(database: Database, settings: Settings, relays: Sequence[Relay], clock: Clock) -> list[Posted]:
    """Send what is due, a hundred at most. A relay that refuses is no error. Raises DatabaseError."""
    with database.read() as session:
        if session.execute(_due(clock()).limit(1)).first() is None:
            return []
    with database.write() as session:
        notes = _take(session, clock())
    posted: list[Posted] = []

    def record(place: int, outcome: Outcome | None, said: str) -> None:
        with database.write() as session:
            posted.append(_record(session, notes[place], outcome, said, clock()))

    def put_on_the_wire(place: int) -> bool:
        with database.write() as session:
            return _put_on_the_wire(session, notes[place].id, clock())

    letters = [Letter(note.return_path, note.recipient, note.message or b"") for note in notes]
    _send(settings, relays, letters, record, put_on_the_wire)
    return posted


def _due(now: datetime) -> Select[int]:
    is_due = (col(Note.state) == NoteState.QUEUED) & (col(Note.retry_at) <= now)
    return select(col(Note.id)).where(is_due).order_by(col(Note.retry_at), col(Note.id))


def _take(session: Session, now: datetime) -> list[Note]:
    """The notes that are due, for this process alone until they are due again."""
    due = _due(now).limit(_AT_ONCE).with_for_update(skip_locked=True).cte("due")
    is_due = (col(Note.state) == NoteState.QUEUED) & (col(Note.retry_at) <= now)
    taken = session.scalars(
        update(Note)
        .where(col(Note.id).in_(select(due.c.id)), is_due)
        .values(attempts=col(Note.attempts) + 1, retry_at=now + _TAKEN_FOR)
        .returning(Note)
        .execution_options(populate_existing=True)
    ).all()
    return sorted(taken, key=lambda note: note.id)


def _put_on_the_wire(session: Session, note_id: int, now: datetime) -> bool:
    """Mark a note as on the wire, if it is still to go."""
    marked = session.execute(
        update(Note)
        .where(col(Note.id) == note_id, col(Note.state) == NoteState.QUEUED)
        .values(on_wire_until=now + _ON_WIRE_FOR)
        .returning(col(Note.id))
    )
    return marked.first() is not None


def _record(session: Session, note: Note, outcome: Outcome | None, said: str, now: datetime) -> Posted:
    """Write down what came of a note; `outcome` is None where no relay could be asked."""
    state, values = NoteState.QUEUED, {}
    if outcome is not None and outcome.state is DeliveryState.SENT:
        state, values = NoteState.SENT, {"sent_at": now}
    elif outcome is not None and outcome.state is DeliveryState.BOUNCED:
        state = NoteState.BOUNCED
    else:
        retry_at = next_attempt(note.attempts, now, luck=random.random())  # noqa: S311  # spreads load only
        state = NoteState.EXPIRED if retry_at >= note.expires_at else NoteState.QUEUED
        values = {"retry_at": retry_at}
    changed = session.execute(
        update(Note)
        .where(col(Note.id) == note.id, col(Note.state) == NoteState.QUEUED)
        .values(state=state, reply=said, on_wire_until=None, **values)
        .returning(col(Note.id))
    )
    has_failed = state in (NoteState.BOUNCED, NoteState.EXPIRED) and changed.first() is not None
    if has_failed and outcome is not None and note.kind == NoteKind.PROBE:
        verdict_of_probe(session, note, outcome, is_over=state is NoteState.EXPIRED, now=now)
    return Posted(note.id, note.kind, state, said)


def forget_sent(session: Session, now: datetime, *, keep_days: int) -> None:
    """Let go of what old notes said; that they were sent stays."""
    is_old = (col(Note.state) != NoteState.QUEUED) & (col(Note.written_at) <= now - timedelta(days=keep_days))
    session.execute(update(Note).where(is_old, col(Note.message).is_not(None)).values(message=None))


def send_one(settings: Settings, relays: Sequence[Relay], letter: Letter) -> tuple[bool, str]:
    """Give one letter to the first relay that takes it; whether one did, and what was said.

    Never raises because of a relay, a password or a key: all that is an answer.
    """
    answers: list[tuple[bool, str]] = []

    def told(_: int, outcome: Outcome | None, said: str) -> None:
        answers.append((outcome is not None and outcome.state is DeliveryState.SENT, said))

    _send(settings, relays, [letter], told, lambda _: True)
    return answers[0]


def _send(
    settings: Settings, relays: Sequence[Relay], letters: Sequence[Letter], told: Told, may_go: MayGo
) -> None:
    """Try letters at each relay in turn until one takes them; each that may go is told of once."""
    try:
        signer = load_signer(settings)
    except SettingsError as error:
        for place in range(len(letters)):
            told(place, None, printable(str(error)))
        return
    if signer:
        letters = [letter._replace(content=signer.signed(letter.content)) for letter in letters]
    waiting, refused = dict(enumerate(letters)), dict[int, Outcome]()

    def answered(place: int, outcome: Outcome | None) -> None:
        if outcome is None:
            del waiting[place]  # whoever has ended it has written that down
        elif outcome.state is DeliveryState.SENT:
            del waiting[place]
            told(place, outcome, outcome.words)
        else:
            refused[place] = outcome

    why = "every relay is down and left alone for a while"
    for relay in relays:
        if waiting and not relay.breaker.is_open(time.monotonic()):
            why = _ask(settings, relay, dict(waiting), answered, may_go) or why
    for place in waiting:
        outcome = refused.get(place)
        told(place, outcome, outcome.words if outcome else why)


def _ask(
    settings: Settings, relay: Relay, letters: dict[int, Letter], answered: Answered, may_go: MayGo
) -> str | None:
    """Try letters at one relay; why it could not be asked, if it could not."""
    try:
        asyncio.run(_try(settings, relay, letters, answered, may_go))
    except TimeoutError:
        return f"the relay {relay.name} did not answer within {_SECONDS:.0f} seconds"
    except (RelayError, SettingsError) as error:
        return printable(str(error))
    return None


async def _try(
    settings: Settings, relay: Relay, letters: dict[int, Letter], answered: Answered, may_go: MayGo
) -> None:
    """Try each once, on a connection of their own. Raises RelayError, SettingsError and TimeoutError."""
    section = relay.section
    password = section.login_password() if section.user else ""
    transport = OneByOne(SMTPTransport(section, password=password, helo_name=settings.sender.domain))
    try:
        for place, letter in letters.items():
            async with asyncio.timeout(_SECONDS):
                outcome = await _send_on(transport, letter, place, may_go)
                if outcome and not letter.return_path and _is_refused_for_its_path(outcome):
                    named = letter._replace(return_path=settings.bounce_address)
                    outcome = await _send_on(transport, named, place, may_go)
            answered(place, outcome)
    finally:
        async with asyncio.timeout(_SECONDS):
            await transport.close()


async def _send_on(transport: OneByOne, letter: Letter, place: int, may_go: MayGo) -> Outcome | None:
    """What came of a letter; None if it may go no more."""

    async def commit() -> bool:
        return may_go(place)

    if not transport.is_usable:
        await transport.connect()
    return await transport.send(letter, commit)


def _is_refused_for_its_path(outcome: Outcome) -> bool:
    """Whether a relay takes no null return path: some services want one of the addresses they know."""
    return outcome.stage is Stage.MAIL and outcome.code is not None and outcome.code >= 500
