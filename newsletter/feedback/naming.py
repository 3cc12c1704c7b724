"""Which letter or probe of ours a report names, by the first token in it that we made.

Promises: nothing but a token of ours leads to a letter, and only to one that went, or may have.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement
from sqlmodel import Session, col

from newsletter.feedback.traces import Traces
from newsletter.models import Delivery, Probe, Verdict
from newsletter.states import DeliveryState
from subscribers.tokens import Purpose, TokenSigner

_ON_THE_WIRE = DeliveryState.SENDING


class Named(NamedTuple):
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


def named_by(session: Session, signer: TokenSigner, token: str, traces: Traces) -> Named | None:
    """What a report is about, that came to an address with `token`, "" for none; None if that is nothing."""
    return next(_all_named(session, signer, token, traces), None)


def _all_named(session: Session, signer: TokenSigner, token: str, traces: Traces) -> Iterator[Named]:
    """All that is named, the surest first."""
    for bounce in (token, *traces.bounce_tokens):
        if (probe := _read(session, signer, Probe, Purpose.PROBE, bounce)) is not None:
            yield Named(probe.subscriber_id, probe_id=probe.id)
        yield from _letter(session, signer, Purpose.BOUNCE, bounce)
    for one in traces.message_ids:
        yield from _letter(session, signer, Purpose.MESSAGE, one.partition("@")[0])
    for one in traces.leave_tokens:
        yield from _letter(session, signer, Purpose.LEAVE, one)


def _letter(session: Session, signer: TokenSigner, purpose: Purpose, token: str) -> Iterator[Named]:
    letter = _read(session, signer, Delivery, purpose, token)
    if letter is not None and (letter.attempts or letter.state == _ON_THE_WIRE):
        yield Named(letter.subscriber_id, delivery_id=letter.id)


def _read(session: Session, signer: TokenSigner, table: type[Any], purpose: Purpose, token: str) -> Any:
    number = signer.read(purpose, token)
    return session.get(table, number) if number else None
