"""What is known of a reader, out of the database, as `newsletter.feedback.scoring` wants it."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.delivery.evidence import probe_topic
from newsletter.feedback.scoring import STRIKES, Finding, History, PastLetter, PastProbe
from newsletter.models import Attempt, Delivery, Note, Probe, Verdict
from newsletter.states import BounceClass, DeliveryState, Effect, VerdictKind
from subscribers.models import Subscriber
from subscribers.subscriptions import address_since

_MOST = 200
"""Verdicts about one reader that are looked back upon."""
_IN_HAND = timedelta(hours=1)
"""For so long after a change of address a letter may still go that was in hand before it, to the old one."""


def history_of(session: Session, reader: Subscriber) -> History:
    """What is known of a reader, as far as it may count."""
    verdicts = session.exec(
        select(Verdict)
        .where(Verdict.subscriber_id == reader.id)
        .order_by(col(Verdict.id).desc())
        .limit(_MOST)
    ).all()
    strikes = [one for one in verdicts if one.kind == VerdictKind.BOUNCE and one.bounce_class in STRIKES]
    late = {one.delivery_id for one in verdicts if one.kind == VerdictKind.DELAY}
    ended = [one.judged_at for one in verdicts if one.effect == Effect.SUPPRESSED and one.judged_at]
    since = address_since(session, reader)
    written = select(Probe).where(Probe.subscriber_id == reader.id)
    if since is not None:  # one that was written before went to the address before, whenever it went
        written = written.where(col(Probe.asked_at) > since)
    asked = session.exec(written).all()
    topics = [probe_topic(probe.id) for probe in asked]
    sent = dict(
        session.exec(
            select(Note.topic, Note.sent_at).where(
                col(Note.topic).in_(topics), col(Note.sent_at).is_not(None)
            )
        ).all()
    )
    return History(
        letters=list(_letters(session, reader.id, strikes, late)),
        probes=[
            PastProbe(
                sent.get(topic) or probe.asked_at,
                _findings(one for one in strikes if one.probe_id == probe.id),
                is_sent=topic in sent,
            )
            for probe, topic in zip(asked, topics, strict=True)
        ],
        suppressed_at=max(ended, default=None),
        address_since=since + _IN_HAND if since else None,
    )


def _letters(
    session: Session, reader_id: int, strikes: Sequence[Verdict], late: set[int | None]
) -> Iterable[PastLetter]:
    """A reader's letters from the first one on that has a strike."""
    by_letter: dict[int, list[Verdict]] = {}
    for one in strikes:
        if one.delivery_id is not None:
            by_letter.setdefault(one.delivery_id, []).append(one)
    if not by_letter:
        return
    tried_at = (
        sql_select(func.max(col(Attempt.at))).where(col(Attempt.delivery_id) == col(Delivery.id))
    ).scalar_subquery()
    theirs = sql_select(
        *(col(Delivery.id), col(Delivery.state)),
        func.coalesce(col(Delivery.sent_at), col(Delivery.doubted_at), tried_at),
    ).where(col(Delivery.subscriber_id) == reader_id, col(Delivery.id) >= min(by_letter))
    for number, state, went_at in session.execute(theirs):
        # One that stands as sent was sent anew since it came back.
        is_sent = state == DeliveryState.SENT
        findings = () if is_sent else _findings(by_letter.get(number, ()))
        at = went_at or max((one.at for one in findings), default=None)
        if at is not None:
            yield PastLetter(at, is_sent and number not in late, findings)


def _findings(verdicts: Iterable[Verdict]) -> tuple[Finding, ...]:
    return tuple(Finding(one.id, one.at, BounceClass(one.bounce_class or "")) for one in verdicts)
