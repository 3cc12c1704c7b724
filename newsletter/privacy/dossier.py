"""All that is held about one person, as one JSON value: their dossier.

Given to the person themselves, so it has no secret of anybody else, and no token.
"""

from base64 import b64encode
from typing import Any

from sqlmodel import Session, col, select

from newsletter.models import Attempt, Delivery, Edition, InboundMessage, Note, Probe, Verdict
from newsletter.privacy.belongings import Belongings, belongings_of
from subscribers.address import Address, parse_address
from subscribers.consent import details_of, wordings_of
from subscribers.models import ConsentLink, Request, Subscriber, Wording
from subscribers.subscriptions import consents_of, find_subscriber, subscriptions_of
from subscribers.suppression import Suppressions


def dossier_of(session: Session, address: Address, suppressions: Suppressions) -> dict[str, Any]:
    """Everything about whoever has an address, each part oldest first.

    Somebody may have asked for something, or written, who never became a reader.
    """
    subscriber = find_subscriber(session, address)
    if subscriber is not None:
        return dossier(session, subscriber, suppressions)
    return {
        "person": None,
        "order": _order(session, address, suppressions),
        **_correspondence(session, belongings_of(session, address, None)),
    }


def dossier(session: Session, subscriber: Subscriber, suppressions: Suppressions) -> dict[str, Any]:
    """Everything about a reader, also under addresses that they had before."""
    address = parse_address(subscriber.address)
    return {
        "person": _told(subscriber),
        "order": _order(session, address, suppressions),
        "subscriptions": [_told(one, "cohort_id") for one in subscriptions_of(session, subscriber.id)],
        **consent_record(session, subscriber),
        "letters": _letters(session, subscriber),
        "verdicts": _verdicts(session, subscriber),
        "probes": [
            _told(one, "subscriber_id")
            for one in session.exec(
                select(Probe).where(Probe.subscriber_id == subscriber.id).order_by(col(Probe.id))
            )
        ],
        **_correspondence(session, belongings_of(session, address, subscriber)),
    }


def _order(session: Session, address: Address, suppressions: Suppressions) -> dict[str, Any] | None:
    """The standing order not to write to them, if there is one."""
    order = suppressions.find(session, address)
    return _told(order) if order else None


def _correspondence(session: Session, theirs: Belongings) -> dict[str, Any]:
    """What was asked for, written and answered."""
    requests = session.exec(select(Request).where(theirs.are_requests).order_by(col(Request.asked_at)))
    messages = session.exec(
        select(InboundMessage).where(theirs.are_messages).order_by(col(InboundMessage.id))
    )
    answers = session.exec(select(Note).where(theirs.are_notes).order_by(col(Note.id)))
    return {
        "requests": [_told(one, "id", "subscriber_id") for one in requests],
        "messages_from_you": [_with_octets(one, "content", "identity") for one in messages],
        "answers_to_you": [_told(one, "message") for one in answers],  # which holds links that act
    }


def consent_record(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """The evidence of a person's consent, with the words they agreed to and its place in the chain."""
    consents = consents_of(session, subscriber.id)
    ids = [one.id for one in consents]
    links = {
        link.consent_id: link
        for link in session.exec(select(ConsentLink).where(col(ConsentLink.consent_id).in_(ids)))
    }
    records = []
    versions: set[str] = set()
    for consent in consents:
        details = details_of(consent)
        versions |= wordings_of(details)
        link = links.get(consent.id)
        chain = link.model_dump(include={"number", "commitment", "hash"}) if link else None
        records.append({**_told(consent, "details"), "details": details, "chain": chain})
    wordings = session.exec(select(Wording).where(col(Wording.hash).in_(versions)))
    return {"consents": records, "wordings": {one.hash: one.text for one in wordings}}


def _letters(session: Session, subscriber: Subscriber) -> list[dict[str, Any]]:
    rows = session.exec(
        select(Delivery, col(Edition.subject))
        .join(Edition, col(Edition.id) == col(Delivery.edition_id))
        .where(Delivery.subscriber_id == subscriber.id)
        .order_by(col(Delivery.id))
    ).all()
    tries: dict[int, list[dict[str, Any]]] = {}
    attempts = (
        select(Attempt)
        .join(Delivery, col(Delivery.id) == col(Attempt.delivery_id))
        .where(Delivery.subscriber_id == subscriber.id)
        .order_by(col(Attempt.id))
    )
    for attempt in session.exec(attempts):
        tries.setdefault(attempt.delivery_id, []).append(_told(attempt, "owner_id", "delivery_id"))
    return [
        {**_told(one, "owner_id", "fault"), "subject": subject, "attempts": tries.get(one.id, [])}
        for one, subject in rows
    ]


def _verdicts(session: Session, subscriber: Subscriber) -> list[dict[str, Any]]:
    """What was found out about their letters, with the reports that say so."""
    rows = session.exec(
        select(Verdict, InboundMessage)
        .join(InboundMessage, col(InboundMessage.id) == col(Verdict.inbound_id), isouter=True)
        .where(Verdict.subscriber_id == subscriber.id)
        .order_by(col(Verdict.id))
    )
    return [
        {
            **_told(verdict, "subscriber_id"),
            "report": _with_octets(report, "content", "identity") if report else None,
        }
        for verdict, report in rows
    ]


def _with_octets(row: Any, octets: str, *left_out: str) -> dict[str, Any]:
    """A row's values with a message as text, or in base64 (RFC 4648 §4) where it is none."""
    content: bytes | None = getattr(row, octets)
    try:
        message = {"message": content.decode() if content is not None else None}
    except UnicodeDecodeError:
        message = {"message_base64": b64encode(content or b"").decode()}
    return _told(row, octets, *left_out) | message


def _told(row: Any, *left_out: str) -> dict[str, Any]:
    """A row's values, without what is about us and not about the person."""
    told: dict[str, Any] = row.model_dump(exclude=set(left_out))
    return told
