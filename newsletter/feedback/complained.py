"""What follows from a complaint, whether a provider reports it or a person says so."""

from datetime import datetime

from sqlalchemy import update
from sqlmodel import Session, col, select

from newsletter.delivery.letters import LedgerLetters
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Delivery, Verdict
from newsletter.states import Effect, VerdictKind
from subscribers.address import parse_address
from subscribers.consent import is_erased
from subscribers.models import Subscriber, SuppressionReason
from subscribers.subscriptions import held_subscriber
from subscribers.suppression import Suppressions


def record_complaint(
    session: Session, delivery_id: int, suppressions: Suppressions, *, now: datetime
) -> tuple[bool, list[str]]:
    """Note that a letter's reader reported it as unwanted, as a person says, and write to them no more.

    Returns whether that is news, and the categories that were left by it. What is on record already changes
    nothing, also where the reader has subscribed anew since. Raises NotFoundError, and QueueError for a
    letter that was never tried.
    """
    letter = session.get(Delivery, delivery_id)
    if letter is None:
        raise NotFoundError(f"there is no delivery {delivery_id}; `paperround delivery list` shows them")
    if not letter.attempts:
        raise QueueError(f"delivery {delivery_id} has not gone out: nobody can have complained of it")
    reader = held_subscriber(session, letter.subscriber_id)
    if is_on_record(session, delivery_id):
        return False, []
    verdict = Verdict(
        subscriber_id=reader.id,
        delivery_id=delivery_id,
        kind=VerdictKind.COMPLAINT,
        at=now,
        diagnostic="Said by a person.",
        judged_at=now,
        effect=Effect.SUPPRESSED,
    )
    session.add(verdict)
    session.flush()
    return True, end_for_complaint(session, reader, verdict, suppressions, now)


def end_for_complaint(
    session: Session, reader: Subscriber, verdict: Verdict, suppressions: Suppressions, now: datetime
) -> list[str]:
    """Write to a reader, who is held, no more; returns the categories they have left by it."""
    left: list[str] = []
    if not is_erased(reader):
        about = f"delivery {verdict.delivery_id}" if verdict.delivery_id else f"probe {verdict.probe_id}"
        report = f", by message {verdict.inbound_id}" if verdict.inbound_id else ""
        left = suppressions.suppress(
            session,
            parse_address(reader.address),
            SuppressionReason.COMPLAINED,
            LedgerLetters(),
            source="complaint",
            evidence=f"{about}{report}",
            now=now,
        )
    session.execute(
        update(Delivery)
        .where(col(Delivery.id) == verdict.delivery_id, col(Delivery.complained_at).is_(None))
        .values(complained_at=verdict.at)
    )
    return left


def is_on_record(session: Session, delivery_id: int | None) -> bool:
    """Whether a letter was complained about before."""
    complained = select(Delivery.complained_at).where(Delivery.id == delivery_id)
    return session.exec(complained).first() is not None
