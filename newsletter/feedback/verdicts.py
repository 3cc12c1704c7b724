"""Verdicts: what is found out about letters, written down with its evidence, judged, and acted upon.

Evidence is a refusal while a letter was sent (written by `newsletter.delivery.ledger`) or a report that came
in later (written here). Both are judged by `newsletter.feedback.scoring`, one reader in one transaction with
the reader held first: so each verdict is judged once, by whoever comes first, however often it is begun. What
was written and not judged, since the process died in between, whoever comes next judges.

A report is believed for its token alone: one that names an address, and no letter by a token of ours, is kept
and not acted upon. May surprise: a letter that is not on record as sent keeps its state whatever a report
says, and the report counts all the same.

Locks are taken in one order: reader, subscriptions, letters, the chain of consents.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, or_, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.delivery.bounces import fault_of_class
from newsletter.delivery.evidence import REMOTE_LIMIT, probe_topic
from newsletter.delivery.letters import LedgerLetters
from newsletter.errors import NotFoundError, QueueError
from newsletter.feedback import probes
from newsletter.feedback.reports import Report, ReportKind, Traces
from newsletter.feedback.scoring import (
    STRIKES,
    Finding,
    History,
    PastLetter,
    PastProbe,
    Standing,
    Step,
    stand,
)
from newsletter.feedback.writing import Writer
from newsletter.models import Delivery, InboundMessage, Note, Probe, Verdict
from newsletter.receipts import release_receipts
from newsletter.settings import BouncesSection
from newsletter.states import BounceClass, DeliveryState, Effect, VerdictKind
from subscribers.address import parse_address
from subscribers.base import Clock
from subscribers.consent import is_erased
from subscribers.models import LIVE, Subscriber, Subscription, SuppressionReason
from subscribers.suppression import Suppressions
from subscribers.tokens import Purpose, TokenSigner

_KINDS = {
    ReportKind.FAILED: VerdictKind.BOUNCE,
    ReportKind.DELAYED: VerdictKind.DELAY,
    ReportKind.DELIVERED: VerdictKind.DELIVERED,
    ReportKind.COMPLAINT: VerdictKind.COMPLAINT,
}
_MOST = 200
"""Verdicts about one reader that are looked back upon."""
_STATUS_LIMIT = 16
_GONE = "(erased)"
_FAILED = "A report says that it did not arrive."
_TAKEN = "A report shows that it was taken."
_ON_THE_WIRE = DeliveryState.SENDING
_TOLD = {
    VerdictKind.BOUNCE: "did not arrive",
    VerdictKind.DELAY: "is late",
    VerdictKind.DELIVERED: "has arrived",
    VerdictKind.COMPLAINT: "was complained about",
}
_DONE = {
    Effect.NONE: "nothing is held against its reader",
    Effect.STRIKE: "it counts against its reader, together with others",
    Effect.PROBE: "its reader is asked by a letter of its own whether letters arrive",
    Effect.SUPPRESSED: "its reader is written to no more",
}


class Judged(NamedTuple):
    """A verdict that was judged just now."""

    id: int
    subscriber_id: int
    delivery_id: int | None
    probe_id: int | None
    kind: str
    bounce_class: str | None
    status: str
    effect: str


class Heard(NamedTuple):
    """What became of a report."""

    told: str
    judged: tuple[Judged, ...] = ()
    distrusts_us: str = ""
    """The domain whose mail system refused the letter for policy, if so it was."""


class _Named(NamedTuple):
    """What a report is about: a letter, or a probe."""

    subscriber_id: int
    delivery_id: int | None = None
    probe_id: int | None = None

    def __str__(self) -> str:
        return f"probe {self.probe_id}" if self.delivery_id is None else f"delivery {self.delivery_id}"

    def is_of(self) -> ColumnElement[bool]:
        """That a verdict is about the same."""
        if self.delivery_id is None:
            return col(Verdict.probe_id) == self.probe_id
        return col(Verdict.delivery_id) == self.delivery_id


class Judge:
    """Hears reports, and judges verdicts."""

    def __init__(
        self,
        database: Database,
        rules: BouncesSection,
        suppressions: Suppressions,
        writer: Writer,
        signer: TokenSigner,
        clock: Clock,
    ) -> None:
        self._database = database
        self._rules = rules
        self._suppressions = suppressions
        self._writer = writer
        self._signer = signer
        self._clock = clock

    # What was found out, and is not judged yet

    def judge_new(self) -> list[Judged]:
        """Judge all that is not judged. Raises DatabaseError, and TemplateError if no probe can be made."""
        unjudged = col(Verdict.judged_at).is_(None)
        with self._database.read() as session:
            if session.exec(select(Verdict.id).where(unjudged).limit(1)).first() is None:
                return []
        judged = self._wave_through()
        with self._database.read() as session:
            readers = session.exec(select(Verdict.subscriber_id).where(unjudged).distinct()).all()
        for reader_id in sorted(readers):
            with self._database.write() as session:
                judged += self._judge(session, _held(session, reader_id))
        return judged

    def _wave_through(self) -> list[Judged]:
        """Judge at once what never counts, however much of it there is."""
        kind, bounce_class = col(Verdict.kind), col(Verdict.bounce_class)
        counts_never = or_(
            kind.in_([VerdictKind.DELAY, VerdictKind.DELIVERED]),
            (kind == VerdictKind.BOUNCE) & bounce_class.not_in(STRIKES),
        )
        with self._database.write() as session:
            rows = session.scalars(
                update(Verdict)
                .where(col(Verdict.judged_at).is_(None), counts_never)
                .values(judged_at=self._clock(), effect=Effect.NONE)
                .returning(Verdict)
            )
            return [_judged(one) for one in rows]

    def _judge(self, session: Session, reader: Subscriber) -> list[Judged]:
        """Judge what is new about a reader, who is held, and act upon it."""
        new = session.exec(
            select(Verdict)
            .where(Verdict.subscriber_id == reader.id, col(Verdict.judged_at).is_(None))
            .order_by(col(Verdict.id))
        ).all()
        now = self._clock()
        effects = dict.fromkeys((one.id for one in new), Effect.NONE)
        for one in new:
            if one.kind == VerdictKind.COMPLAINT and not _is_on_record(session, one.delivery_id):
                end_for_complaint(session, reader, one, self._suppressions, now)
                effects[one.id] = Effect.SUPPRESSED
        strikes = [one.id for one in new if one.kind == VerdictKind.BOUNCE and one.bounce_class in STRIKES]
        if strikes and not is_erased(reader):
            standing = stand(_history(session, reader.id), self._rules, now)
            effect = self._act(session, reader, standing, now)
            effects |= {
                number: Effect.STRIKE if effect is Effect.NONE and number in standing.verdicts else effect
                for number in strikes
            }
        for one in new:
            one.judged_at, one.effect = now, effects[one.id]
            session.add(one)
        session.flush()
        return [_judged(one) for one in new]

    def _act(self, session: Session, reader: Subscriber, standing: Standing, now: datetime) -> Effect:
        if standing.step is Step.SUPPRESS:
            self._suppressions.suppress(
                session,
                parse_address(reader.address),
                SuppressionReason.BOUNCED,
                LedgerLetters(),
                source="bounce",
                now=now,
            )
            return Effect.SUPPRESSED
        if standing.step is Step.PROBE and _is_written_to(session, reader.id):
            probes.ask(session, self._writer, reader, now)
            return Effect.PROBE
        return Effect.NONE

    # Reports

    def hear(self, session: Session, held: InboundMessage, report: Report, token: str) -> Heard | None:
        """Write down and judge what a report says; None where it names no letter of ours.

        `token` is that of the address it came to, "" if there is none.
        """
        named = self._named(session, token, report.traces)
        if named is None:
            return None
        reader = _held(session, named.subscriber_id)
        session.exec(
            select(Subscription.id)
            .where(Subscription.subscriber_id == reader.id)
            .order_by(col(Subscription.id))
            .with_for_update()
        ).all()
        if (before := _reported_before(session, named, held)) is not None:
            return Heard(f"{named} was reported so before, by message {before}")
        verdict = _verdict(named, held, report, is_anonymous=is_erased(reader))
        session.add(verdict)
        session.flush()
        if named.delivery_id is not None:
            said = _GONE if is_erased(reader) else report.diagnostic or report.status
            _settle_letter(session, named.delivery_id, report, said, self._clock())
        if is_erased(reader):
            _blank(session, held.id)
        judged = self._judge(session, reader)
        mine = next(one for one in judged if one.id == verdict.id)
        why = ", ".join(filter(None, [verdict.bounce_class, verdict.status]))
        told = f"{named} {_TOLD[VerdictKind(verdict.kind)]}{f' ({why})' if why else ''}"
        is_distrust = report.bounce_class is BounceClass.POLICY and not is_erased(reader)
        domain = reader.address.rpartition("@")[2].lower() if is_distrust else ""
        return Heard(f"{told}: {_DONE[Effect(mine.effect)]}", tuple(judged), domain)

    def knows(self, session: Session, report: Report) -> bool:
        """Whether a report names a letter of ours."""
        return self._named(session, "", report.traces) is not None

    def _named(self, session: Session, token: str, traces: Traces) -> _Named | None:
        """What a report is about, by the first token in it that we made, and made for something that went."""
        for bounce in (token, *traces.bounce_tokens):
            if (probe := self._read(session, Probe, Purpose.PROBE, bounce)) is not None:
                return _Named(probe.subscriber_id, probe_id=probe.id)
            if found := self._letter(session, Purpose.BOUNCE, bounce):
                return found
        others = [
            *((Purpose.MESSAGE, one.partition("@")[0]) for one in traces.message_ids),
            *((Purpose.LEAVE, one) for one in traces.leave_tokens),
        ]
        letters = (self._letter(session, purpose, one) for purpose, one in others)
        return next((one for one in letters if one), None)

    def _letter(self, session: Session, purpose: Purpose, token: str) -> _Named | None:
        letter = self._read(session, Delivery, purpose, token)
        if letter is None or not (letter.attempts or letter.state == _ON_THE_WIRE):
            return None
        return _Named(letter.subscriber_id, delivery_id=letter.id)

    def _read(self, session: Session, table: type[Any], purpose: Purpose, token: str) -> Any:
        number = self._signer.read(purpose, token)
        return session.get(table, number) if number else None


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
    reader = _held(session, letter.subscriber_id)
    if _is_on_record(session, delivery_id):
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


def _held(session: Session, reader_id: int) -> Subscriber:
    """A reader, held against whoever else judges, suppresses or subscribes them."""
    theirs = select(Subscriber).where(Subscriber.id == reader_id).with_for_update(key_share=True)
    return session.exec(theirs.execution_options(populate_existing=True)).one()


def _is_on_record(session: Session, delivery_id: int | None) -> bool:
    """Whether a letter was complained about before."""
    complained = select(Delivery.complained_at).where(Delivery.id == delivery_id)
    return session.exec(complained).first() is not None


def _is_written_to(session: Session, reader_id: int) -> bool:
    live = select(Subscription.id).where(
        Subscription.subscriber_id == reader_id, col(Subscription.state).in_(LIVE)
    )
    return session.exec(live.limit(1)).first() is not None


def _reported_before(session: Session, named: _Named, held: InboundMessage) -> int | None:
    """The message by which the same report came another way."""
    same = (
        select(InboundMessage.id)
        .join(Verdict, col(Verdict.inbound_id) == col(InboundMessage.id))
        .where(InboundMessage.identity == held.identity, named.is_of())
    )
    return session.exec(same.limit(1)).first()


def _verdict(named: _Named, held: InboundMessage, report: Report, *, is_anonymous: bool) -> Verdict:
    is_bounce = report.kind is ReportKind.FAILED
    return Verdict(
        **named._asdict(),
        kind=_KINDS[report.kind],
        bounce_class=(report.bounce_class or BounceClass.UNCLEAR) if is_bounce else None,
        at=held.received_at,
        inbound_id=held.id,
        status=report.status[:_STATUS_LIMIT],
        diagnostic="" if is_anonymous else report.diagnostic or report.feedback_type,
        remote=report.remote[:REMOTE_LIMIT],
    )


def _settle_letter(session: Session, delivery_id: int, report: Report, said: str, now: datetime) -> None:
    """Have a letter's state be what a report shows: it did not arrive, or it had been taken after all.

    Only of those that have gone, or may have: with the others somebody is busy.
    """
    known = [DeliveryState.IN_DOUBT]
    if report.kind is ReportKind.FAILED:
        known.append(DeliveryState.SENT)
        fault = fault_of_class(report.bounce_class or BounceClass.UNCLEAR)
        values: dict[str, Any] = {"state": DeliveryState.BOUNCED, "fault": fault, "reply": said or _FAILED}
    else:
        taken_at = func.coalesce(col(Delivery.doubted_at), now)
        values = {"state": DeliveryState.SENT, "sent_at": taken_at, "fault": None, "reply": _TAKEN}
    changed = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state).in_(known))
        .values(**values)
        .returning(col(Delivery.id))
    )
    release_receipts(session.connection(), list(changed.scalars()))


def _blank(session: Session, message_id: int) -> None:
    """Keep nothing of what names somebody who was erased."""
    nobody = {"content": None, "sender": "", "subject": _GONE, "message_id": ""}
    session.execute(update(InboundMessage).where(col(InboundMessage.id) == message_id).values(**nobody))


def _judged(verdict: Verdict) -> Judged:
    assert verdict.effect is not None  # noqa: S101  # it is judged
    return Judged(
        verdict.id,
        verdict.subscriber_id,
        verdict.delivery_id,
        verdict.probe_id,
        verdict.kind,
        verdict.bounce_class,
        verdict.status,
        verdict.effect,
    )


def _history(session: Session, reader_id: int) -> History:
    """What is known of a reader, as far as it may count."""
    verdicts = session.exec(
        select(Verdict)
        .where(Verdict.subscriber_id == reader_id)
        .order_by(col(Verdict.id).desc())
        .limit(_MOST)
    ).all()
    strikes = [one for one in verdicts if one.kind == VerdictKind.BOUNCE and one.bounce_class in STRIKES]
    late = {one.delivery_id for one in verdicts if one.kind == VerdictKind.DELAY}
    ended = [one.judged_at for one in verdicts if one.effect == Effect.SUPPRESSED and one.judged_at]
    asked = session.exec(select(Probe).where(Probe.subscriber_id == reader_id)).all()
    topics = [probe_topic(probe.id) for probe in asked]
    sent = dict(
        session.exec(
            select(Note.topic, Note.sent_at).where(
                col(Note.topic).in_(topics), col(Note.sent_at).is_not(None)
            )
        ).all()
    )
    return History(
        letters=list(_letters(session, reader_id, strikes, late)),
        probes=[
            PastProbe(
                sent.get(topic) or probe.asked_at,
                _findings(one for one in strikes if one.probe_id == probe.id),
                is_sent=topic in sent,
            )
            for probe, topic in zip(asked, topics, strict=True)
        ],
        suppressed_at=max(ended, default=None),
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
    theirs = sql_select(
        col(Delivery.id), col(Delivery.state), col(Delivery.sent_at), col(Delivery.doubted_at)
    ).where(col(Delivery.subscriber_id) == reader_id, col(Delivery.id) >= min(by_letter))
    for number, state, sent_at, doubted_at in session.execute(theirs):
        # One that stands as sent was sent anew since it came back.
        is_sent = state == DeliveryState.SENT
        findings = () if is_sent else _findings(by_letter.get(number, ()))
        at = sent_at or doubted_at or max((one.at for one in findings), default=None)
        if at is not None:
            yield PastLetter(at, is_sent and number not in late, findings)


def _findings(verdicts: Iterable[Verdict]) -> tuple[Finding, ...]:
    return tuple(Finding(one.id, one.at, BounceClass(one.bounce_class or "")) for one in verdicts)
