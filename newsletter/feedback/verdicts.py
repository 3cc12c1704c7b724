"""Verdicts: what is found out about letters, written down with its evidence, judged, and acted upon.

Evidence is a refusal while a letter was sent (written by `newsletter.delivery.ledger`) or a report that came
in later (written here). Both are judged by `newsletter.feedback.scoring`, one reader in one transaction with
the reader held first: so each verdict is judged once, by whoever comes first, however often it is begun. What
was written and not judged, since the process died in between, whoever comes next judges.

A report is believed for its token alone: one that names an address, and no letter by a token of ours, is kept
and not acted upon. May surprise: a letter that is not on record as sent keeps its state whatever a report
says, and the report counts all the same.

Locks are taken in one order by all who handle mail, confirm, judge and erase: messages, requests, readers,
subscriptions, letters, the chain of consents.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import func, or_, update
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.delivery.bounces import fault_of_class
from newsletter.delivery.evidence import REMOTE_LIMIT
from newsletter.delivery.letters import LedgerLetters
from newsletter.feedback import probes
from newsletter.feedback.complained import end_for_complaint, is_on_record
from newsletter.feedback.histories import history_of
from newsletter.feedback.inbox import blank
from newsletter.feedback.naming import Named, named_by
from newsletter.feedback.reports import Report, ReportKind
from newsletter.feedback.scoring import STRIKES, Standing, Step, stand
from newsletter.feedback.writing import Writer
from newsletter.models import Delivery, InboundMessage, Probe, Verdict
from newsletter.receipts import release_receipts
from newsletter.settings import BouncesSection
from newsletter.states import GONE, BounceClass, DeliveryState, Effect, VerdictKind
from subscribers.address import parse_address
from subscribers.base import Clock
from subscribers.consent import is_erased
from subscribers.models import LIVE, Subscriber, Subscription, SuppressionReason
from subscribers.subscriptions import held_subscriber
from subscribers.suppression import Suppressions
from subscribers.tokens import TokenSigner

_KINDS = {
    ReportKind.FAILED: VerdictKind.BOUNCE,
    ReportKind.DELAYED: VerdictKind.DELAY,
    ReportKind.DELIVERED: VerdictKind.DELIVERED,
    ReportKind.COMPLAINT: VerdictKind.COMPLAINT,
}
_PORTION = 500
"""Verdicts that are waved through in one transaction."""
_IS_NEW = col(Verdict.judged_at).is_(None)
_STATUS_LIMIT = 16
_FAILED = "A report says that it did not arrive."
_TAKEN = "A report shows that it was taken."
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
    distrusted_at: str = ""
    """The address whose mail system refused the letter for policy, if so it was."""


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

    def judge_new(self) -> Iterator[list[Judged]]:
        """Judge all that is not judged, in portions, as far as they are taken.

        Raises DatabaseError, and TemplateError if no probe can be made.
        """
        yield from self._wave_through()
        with self._database.read() as session:
            readers = session.exec(select(Verdict.subscriber_id).where(_IS_NEW).distinct()).all()
        for reader_id in sorted(readers):
            with self._database.write() as session:
                judged = self._judge(session, held_subscriber(session, reader_id))
            yield judged

    def _wave_through(self) -> Iterator[list[Judged]]:
        """Judge at once what never counts, however much of it there is."""
        kind, bounce_class = col(Verdict.kind), col(Verdict.bounce_class)
        counts_never = or_(
            kind.in_([VerdictKind.DELAY, VerdictKind.DELIVERED]),
            (kind == VerdictKind.BOUNCE) & bounce_class.not_in(STRIKES),
        )
        new = select(Verdict.id).where(_IS_NEW, counts_never).order_by(col(Verdict.id)).limit(_PORTION)
        last = 0
        while True:
            with self._database.read() as session:
                numbers = session.exec(new.where(col(Verdict.id) > last)).all()
            if not numbers:
                return
            last = numbers[-1]
            with self._database.write() as session:
                rows = session.scalars(
                    update(Verdict)
                    .where(col(Verdict.id).in_(numbers), _IS_NEW)
                    .values(judged_at=self._clock(), effect=Effect.NONE)
                    .returning(Verdict)
                )
                judged = [_judged(one) for one in rows]
            yield judged

    def _judge(self, session: Session, reader: Subscriber) -> list[Judged]:
        """Judge what is new about a reader, who is held, and act upon it."""
        new = session.exec(
            select(Verdict).where(Verdict.subscriber_id == reader.id, _IS_NEW).order_by(col(Verdict.id))
        ).all()
        now = self._clock()
        effects = dict.fromkeys((one.id for one in new), Effect.NONE)
        for one in new:
            if one.kind == VerdictKind.COMPLAINT and not is_on_record(session, one.delivery_id):
                end_for_complaint(session, reader, one, self._suppressions, now)
                effects[one.id] = Effect.SUPPRESSED
        strikes = [one.id for one in new if one.kind == VerdictKind.BOUNCE and one.bounce_class in STRIKES]
        if strikes and not is_erased(reader):
            standing = stand(history_of(session, reader), self._rules, now)
            effect = self._act(session, reader, standing, now)
            for number in standing.verdicts:
                if number in effects:
                    effects[number] = Effect.STRIKE if effect is Effect.NONE else effect
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
        named = named_by(session, self._signer, token, report.traces)
        if named is None:
            return None
        reader = held_subscriber(session, named.subscriber_id)
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
            said = GONE if is_erased(reader) else report.diagnostic or report.status
            _settle_letter(session, named.delivery_id, report, said, self._clock())
        elif report.kind is ReportKind.FAILED:
            probe = session.get_one(Probe, named.probe_id)
            probe.failed_at = probe.failed_at or held.received_at
            session.add(probe)
        if is_erased(reader):
            blank(session, [held.id])
        judged = self._judge(session, reader)
        mine = next(one for one in judged if one.id == verdict.id)
        why = ", ".join(filter(None, [verdict.bounce_class, verdict.status]))
        told = f"{named} {_TOLD[VerdictKind(verdict.kind)]}{f' ({why})' if why else ''}"
        is_distrust = report.bounce_class is BounceClass.POLICY and not is_erased(reader)
        distrusted_at = reader.address if is_distrust else ""
        return Heard(f"{told}: {_DONE[Effect(mine.effect)]}", tuple(judged), distrusted_at)

    def knows(self, session: Session, report: Report) -> bool:
        """Whether a report names a letter of ours."""
        return named_by(session, self._signer, "", report.traces) is not None


def _is_written_to(session: Session, reader_id: int) -> bool:
    live = select(Subscription.id).where(
        Subscription.subscriber_id == reader_id, col(Subscription.state).in_(LIVE)
    )
    return session.exec(live.limit(1)).first() is not None


def _reported_before(session: Session, named: Named, held: InboundMessage) -> int | None:
    """The message by which the same report came another way."""
    same = (
        select(InboundMessage.id)
        .join(Verdict, col(Verdict.inbound_id) == col(InboundMessage.id))
        .where(InboundMessage.identity == held.identity, named.is_of())
    )
    return session.exec(same.limit(1)).first()


def _verdict(named: Named, held: InboundMessage, report: Report, *, is_anonymous: bool) -> Verdict:
    is_bounce = report.kind is ReportKind.FAILED
    return Verdict(
        **named._asdict(),
        kind=_KINDS[report.kind],
        bounce_class=(report.bounce_class or BounceClass.UNCLEAR) if is_bounce else None,
        at=held.received_at,
        inbound_id=held.id,
        status=report.status[:_STATUS_LIMIT],
        diagnostic=GONE if is_anonymous else report.diagnostic or report.feedback_type,
        remote="" if is_anonymous else report.remote[:REMOTE_LIMIT],
    )


def _settle_letter(session: Session, delivery_id: int, report: Report, said: str, now: datetime) -> None:
    """Have a letter's state be what a report shows: it did not arrive, or it had been taken after all.

    Only of those that have gone, or may have: with the others somebody is busy.
    """
    known = [DeliveryState.IN_DOUBT]
    if report.kind is ReportKind.FAILED:
        known.append(DeliveryState.SENT)
        fault = fault_of_class(report.bounce_class or BounceClass.UNCLEAR)
        values: dict[str, Any] = {
            "state": DeliveryState.BOUNCED,
            "doubted_at": None,
            "fault": fault,
            "reply": said or _FAILED,
        }
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
