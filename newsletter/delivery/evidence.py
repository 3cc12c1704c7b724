"""Refusals while a letter is sent, as verdicts: what was said of it that may count against its reader.

They are written with the outcome, in its transaction, and judged afterwards with what reports say
(`newsletter.feedback.verdicts`). A letter that goes well costs nothing here.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import Executable, exists, func, insert, literal_column, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from newsletter.database import Given
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.statements import unless_erased
from newsletter.models import Attempt, Delivery, Note, Probe, Verdict
from newsletter.states import BounceClass, Fault, VerdictKind

REMOTE_LIMIT = 255

PROBE = "probe "
"""What the topic of the note begins with that carries a probe; then comes its number."""
_ABOUT_A_READER = (Stage.RCPT, Stage.DOT)


def class_of_refusal(outcome: Outcome) -> BounceClass:
    """Why a letter was refused for good. Where words leave it open, it is the stage that tells.

    Of what is said to all letters alike none is held against a reader.
    """
    found = outcome.bounce_class or BounceClass.UNCLEAR
    if found is not BounceClass.UNCLEAR:
        return found
    if outcome.is_distrust or outcome.fault is Fault.POLICY:
        return BounceClass.POLICY
    return BounceClass.CONTENT if outcome.fault is Fault.MESSAGE else BounceClass.UNCLEAR


def class_of_expiry(last: Outcome) -> BounceClass | None:
    """Why a letter was put off until it was stale, by its last try.

    None where nothing was said of its reader: the relay itself was away, or busy.
    """
    if last.code in (None, 421) or last.stage not in _ABOUT_A_READER:
        return None
    found = class_of_refusal(last)
    return None if found is BounceClass.UNCLEAR and last.fault is Fault.RELAY else found


def probe_topic(probe_id: int) -> str:
    """What the note is about that carries a probe."""
    return f"{PROBE}{probe_id}"


def verdict_of_probe(session: Session, note: Note, outcome: Outcome, *, is_over: bool, now: datetime) -> None:
    """Write down that a probe was refused for good, or `is_over` for being put off too long, with a verdict.

    What the relay says without a reason may be its own trouble: a probe does not fail for that.
    """
    bounce_class = class_of_expiry(outcome) if is_over else class_of_refusal(outcome)
    probe = session.get(Probe, int(note.topic.removeprefix(PROBE)))
    if probe is None or bounce_class in (None, BounceClass.UNCLEAR):
        return
    probe.failed_at = now
    session.add(probe)
    session.add(
        Verdict(
            subscriber_id=probe.subscriber_id,
            probe_id=probe.id,
            kind=VerdictKind.BOUNCE,
            bounce_class=bounce_class,
            at=now,
            status=outcome.enhanced_status or "",
            diagnostic=outcome.words,
        )
    )


def verdict_of_last_attempt(given: Given) -> Executable:
    """Write a verdict about a letter: of a class, by its last try, with its words."""
    tries = aliased(Attempt)
    newest = select(func.max(col(tries.id))).where(col(tries.delivery_id) == col(Delivery.id))
    values: dict[Any, Any] = {
        Verdict.subscriber_id: col(Delivery.subscriber_id),
        Verdict.delivery_id: col(Delivery.id),
        Verdict.kind: literal_column(f"'{VerdictKind.BOUNCE}'"),
        Verdict.bounce_class: given["bounce_class"],
        Verdict.at: col(Attempt.at),
        Verdict.attempt_id: col(Attempt.id),
        Verdict.status: func.coalesce(col(Attempt.enhanced_status), literal_column("''")),
        Verdict.diagnostic: unless_erased(given["words"]),
        Verdict.remote: func.coalesce(col(Attempt.relay), literal_column("''")),
    }
    # Not two of one try: a letter that is to go again may end by the same one.
    is_new = ~exists().where(col(Verdict.attempt_id) == col(Attempt.id)).correlate(Attempt)
    return insert(Verdict).from_select(
        [column.key for column in values],
        select(*values.values())
        .select_from(Delivery)
        .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
        .where(
            col(Delivery.id) == given["id"],
            col(Attempt.id) == newest.correlate(Delivery).scalar_subquery(),
            is_new,
        ),
    )
