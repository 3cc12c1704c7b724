"""All that is held about one person, as one JSON value: their dossier.

Given to the person themselves, so it has no secret of anybody else, and no token.
"""

from typing import Any

from sqlalchemy import or_
from sqlmodel import Session, col, select

from newsletter.models import Attempt, Delivery, Edition, InboundMessage, Note
from subscribers.consent import details_of, wordings_of
from subscribers.models import ConsentLink, Request, Subscriber, Wording
from subscribers.subscriptions import consents_of, keys_of, subscriptions_of


def dossier(session: Session, subscriber: Subscriber) -> dict[str, Any]:
    """Everything about a person, each part oldest first; also under addresses that they had before."""
    keys = keys_of(session, subscriber)
    return {
        "person": _told(subscriber, "cohort_id"),
        "subscriptions": [_told(one, "cohort_id") for one in subscriptions_of(session, subscriber.id)],
        **consent_record(session, subscriber),
        "requests": [
            _told(one, "id")
            for one in session.exec(
                select(Request)
                .where(
                    or_(
                        col(Request.address_key).in_(keys),
                        col(Request.subscriber_id) == subscriber.id,
                    )
                )
                .order_by(col(Request.asked_at))
            )
        ],
        "letters": _letters(session, subscriber),
        "messages_from_you": [
            _told(one, "content", "identity")
            for one in session.exec(
                select(InboundMessage)
                .where(col(InboundMessage.sender).in_(keys))
                .order_by(col(InboundMessage.id))
            )
        ],
        "answers_to_you": [
            _told(one, "message")
            for one in session.exec(
                select(Note).where(col(Note.recipient_key).in_(keys)).order_by(col(Note.id))
            )
        ],
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


def _told(row: Any, *left_out: str) -> dict[str, Any]:
    """A row's values, without what is about us and not about the person."""
    told: dict[str, Any] = row.model_dump(exclude=set(left_out))
    return told
