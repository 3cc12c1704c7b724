"""The evidence of consent: append-only records in a chain of hashes, so that tampering shows.

A record is written with `record`, in the transaction of what it is evidence of. At the end of that
transaction `seal` adds a link for each: a commitment (SHA-256 of the record and its salt), and the hash of it
and the link before. Who changes, takes away or slips in a record must change every link after it, and then
the last hash, which `paperround consent verify` prints, is another than the one noted before.

To erase a person is to delete their records, payload and salt, and to leave the links: the chain still holds,
and a record of its own says which were erased.
"""

import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from sqlalchemy import delete
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from subscribers.address import ERASED_DOMAIN
from subscribers.models import Consent, ConsentAction, ConsentLink, Subscriber, Wording
from subscribers.ports import bulk_of

_UNSEALED = "paperround_unsealed_consents"
_AT_ONCE = 1000
_MOST_FLAWS = 20
_SALT_BYTES = 16

Evidence = tuple[int, str, str, str, str, str, str | None]
"""A record but for its time: whose, their address, category, action, source, evidence and details."""

_RECORD = (
    *("id", "subscriber_id", "address", "category", "action", "source", "evidence", "details"),
    *("at", "salt"),
)


def record(session: Session, consent: Consent) -> None:
    """Write a record down; it is sealed as the transaction ends (see `newsletter.database`)."""
    consent.salt = secrets.token_hex(_SALT_BYTES)
    session.add(consent)
    session.info.setdefault(_UNSEALED, []).append(consent)


def record_many(session: Session, records: Sequence[Evidence], now: datetime) -> None:
    """Write many records down, each as `record` does one, in their order."""
    if not records:
        return
    session.flush()
    bulk, connection = bulk_of(session), session.connection()
    at, written_at = bulk.instant(now), now.astimezone(UTC).isoformat()
    salts = secrets.token_hex(_SALT_BYTES * len(records))
    rows, sealed = [], []
    width = 2 * _SALT_BYTES
    for place, number in enumerate(bulk.numbers(connection, Consent, len(records))):
        said = records[place]
        salt = salts[place * width : (place + 1) * width]
        rows.append((number, *said, at, salt))
        sealed.append((number, _commitment(salt, said, written_at)))
    bulk.inserts(Consent, *_RECORD).run(connection, rows)
    session.info.setdefault(_UNSEALED, []).extend(sealed)


def is_unsealed(session: Session) -> bool:
    """Whether this transaction has written records that are not in the chain yet."""
    return bool(session.info.get(_UNSEALED))


def seal(session: Session) -> None:
    """Put this transaction's records at the end of the chain.

    The caller holds whatever keeps others from doing so at the same time, until it has committed.
    """
    session.flush()
    last = head(session)
    number, previous = (last.number, last.hash) if last else (0, "")
    links = []
    for one in session.info.pop(_UNSEALED, ()):
        number += 1
        consent_id, commitment = (one.id, commitment_of(one)) if isinstance(one, Consent) else one
        previous = _chained(previous, commitment)
        links.append((number, consent_id, commitment, previous))
    inserts = bulk_of(session).inserts(ConsentLink, "number", "consent_id", "commitment", "hash")
    inserts.run(session.connection(), links)


def head(session: Session) -> ConsentLink | None:
    """The chain's last link, None where nobody has consented to anything."""
    return session.exec(select(ConsentLink).order_by(col(ConsentLink.number).desc()).limit(1)).first()


def commitment_of(consent: Consent) -> str:
    """SHA-256, in hexadecimal, of a record behind its salt."""
    said = (
        *(consent.subscriber_id, consent.address, consent.category, consent.action, consent.source),
        *(consent.evidence, consent.details),
    )
    return _commitment(consent.salt, said, consent.at.astimezone(UTC).isoformat())


def _commitment(salt: str, said: Evidence, at: str) -> str:
    """The hash of the salt and a JSON list in ASCII, without spaces: `said`, the time before its details.

    Put together by hand, since a JSON encoder takes several times as long over a list.
    """
    subscriber_id, address, category, action, source, evidence, details = said
    told = "null" if details is None else quoted(details)
    written = f"[{subscriber_id},{quoted(address)},{_alike(category, action, source, evidence)},"
    return sha256(f'{salt}{written}"{at}",{told}]'.encode()).hexdigest()


@lru_cache(maxsize=64)
def _alike(*texts: str) -> str:
    """What many records of one time have in common."""
    return ",".join(map(quoted, texts))


def _chained(previous: str, commitment: str) -> str:
    return sha256(f"{previous}{commitment}".encode()).hexdigest()


def wording_hash(text: str) -> str:
    """The version of a text."""
    return sha256(text.encode()).hexdigest()


def details_of(consent: Consent) -> dict[str, Any]:
    """A record's details as they can be looked into; none where they are no JSON object."""
    try:
        details = json.loads(consent.details or "{}")
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}


def wordings_of(details: dict[str, Any]) -> set[str]:
    """The versions of the texts that a record's details name: on the form, in the letter, by the button."""
    letter = details.get("confirmation") or {}
    named = (details.get("wording"), letter.get("wording"), details.get("confirmed_wording"))
    return {version for version in named if version}


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something in the chain that is not as it was written."""

    number: int
    """The link it shows at; 0 where none tells."""
    problem: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What looking through the chain came to."""

    records: int
    erased: int
    erased_since: int
    """How many of those before the hash that was noted were erased after it."""
    head: str
    """The last hash: to be noted elsewhere, and given to `verify` another time."""
    flaws: tuple[Flaw, ...]


def verify(session: Session, noted: str | None = None) -> Verified:
    """Look through the whole chain, one record at a time; `noted` is a hash that must be in it.

    A record holds only the hashes of the texts that somebody agreed to, so these are looked at as well. Of
    flaws, the first twenty are told.
    """
    erased, flaws = _erased(session)
    records = missing = number = 0
    noted_at: int | None = None
    previous = ""
    named: set[str] = set()
    for link, consent in _links(session):
        number += 1
        if link.number != number:
            flaws.append(Flaw(number, f"the next link is {link.number}: those between were taken away"))
            number = link.number
        elif link.hash != _chained(previous, link.commitment):
            flaws.append(Flaw(number, "its hash does not follow from the link before"))
        if consent is not None:
            records += 1
            if commitment_of(consent) != link.commitment:
                flaws.append(Flaw(number, f"record {consent.id} is not as it was written"))
            named |= wordings_of(details_of(consent))
        elif number in erased:
            missing += 1
        else:
            flaws.append(Flaw(number, f"record {link.consent_id} is gone, and no erasure names it"))
        previous = link.hash
        noted_at = number if previous == noted else noted_at
        if len(flaws) >= _MOST_FLAWS:
            break
    flaws += _without_link(session)
    flaws += _wrong_wordings(session, named)
    if noted is not None and noted_at is None:
        flaws.append(Flaw(0, f"the hash {noted} is not in the chain: it was written anew, or cut off, since"))
    since = sum(link <= (noted_at or 0) < by for link, by in erased.items())
    return Verified(records, missing, since, previous, tuple(flaws[:_MOST_FLAWS]))


def blank_address(subscriber_id: int) -> str:
    """What stands in the place of an erased person's address: nobody can have it."""
    return f"erased-{subscriber_id}@{ERASED_DOMAIN}"


def is_erased(subscriber: Subscriber) -> bool:
    """Whether this row is what is left of somebody."""
    return subscriber.address_key == blank_address(subscriber.id)


def _links(session: Session) -> Iterator[tuple[ConsentLink, Consent | None]]:
    rows: Any = session.execute(
        sql_select(ConsentLink, Consent)
        .join(Consent, col(Consent.id) == col(ConsentLink.consent_id), isouter=True)
        .order_by(col(ConsentLink.number))
        .execution_options(yield_per=_AT_ONCE)
    )
    yield from rows


def _without_link(session: Session) -> list[Flaw]:
    """Records that were slipped in."""
    loose = session.exec(
        select(Consent.id)
        .where(
            ~sql_select(col(ConsentLink.number))
            .where(col(ConsentLink.consent_id) == col(Consent.id))
            .exists()
        )
        .order_by(col(Consent.id))
        .limit(_MOST_FLAWS)
    )
    return [Flaw(0, f"record {one} is not in the chain") for one in loose]


def _wrong_wordings(session: Session, named: set[str]) -> list[Flaw]:
    """Texts that people agreed to and that are others now, or gone."""
    kept = {one.hash: wording_hash(one.text) for one in session.exec(select(Wording))}
    changed = sorted(version for version, is_now in kept.items() if is_now != version)
    gone = sorted(named - kept.keys())
    return [Flaw(0, f"the wording {version} is not as it was written") for version in changed] + [
        Flaw(0, f"the wording {version} is gone, and records name it") for version in gone
    ]


def _erased(session: Session) -> tuple[dict[int, int], list[Flaw]]:
    """The links whose records were erased, each with the link of the erasure that names it; and false ones.

    An erasure is believed only of somebody who is gone: else it would be a way to hide a record.
    """
    rows = session.execute(
        sql_select(Consent, col(ConsentLink.number), Subscriber)
        .join(ConsentLink, col(ConsentLink.consent_id) == col(Consent.id))
        .join(Subscriber, col(Subscriber.id) == col(Consent.subscriber_id))
        .where(col(Consent.action) == ConsentAction.ERASED)
        .order_by(col(ConsentLink.number))
    )
    erased: dict[int, int] = {}
    false = []
    for erasure, number, subscriber in rows:
        if is_erased(subscriber):
            erased |= {link: number for link in details_of(erasure).get("links", ()) if link not in erased}
        else:
            false.append(Flaw(number, f"record {erasure.id} says that somebody was erased who is still here"))
    return erased, false


def erase_records(session: Session, subscriber_id: int, *, source: str, now: datetime) -> int:
    """Delete a person's records, and write one that names their links instead; returns how many."""
    theirs = col(Consent.subscriber_id) == subscriber_id
    numbers = session.exec(
        select(ConsentLink.number)
        .join(Consent, col(Consent.id) == col(ConsentLink.consent_id))
        .where(theirs, col(Consent.action) != ConsentAction.ERASED)
        .order_by(col(ConsentLink.number))
    ).all()
    record(
        session,
        Consent(
            subscriber_id=subscriber_id,
            category="",
            action=ConsentAction.ERASED,
            source=source,
            at=now,
            details=json.dumps({"links": list(numbers)}),
        ),
    )
    session.flush()  # before the others go: SQLite would give its number to the next record
    session.execute(delete(Consent).where(theirs, col(Consent.action) != ConsentAction.ERASED))
    return len(numbers)
