"""The chain of consent records: it is whole after whatever happens, and shows whoever meddled with it."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update
from sqlmodel import Session, col, select

from newsletter.database import Database
from subscribers.address import parse_address
from subscribers.consent import (
    Verified,
    blank_address,
    commitment_of,
    erase_records,
    head,
    verify,
    wording_hash,
)
from subscribers.models import Consent, ConsentAction, ConsentLink, Subscriber, Wording
from subscribers.subscriptions import Permission, Person, find_subscriber, join, join_many, leave
from tests.conftest import MONDAY
from tests.orders import SUPPRESSIONS
from tests.subscribers.test_subscriptions import Letters

WORDS = "I ask for it."
CONFIRMED = Permission(
    "page",
    evidence="a button",
    confirmed=True,
    details=json.dumps({"confirmation": {"wording": wording_hash(WORDS)}}),
)


def add(database: Database, *addresses: str, category: str = "advice") -> None:
    """Each in a transaction of their own, agreeing to a text that is kept."""
    with database.write() as session:
        row = database.insert(Wording).values(hash=wording_hash(WORDS), text=WORDS, first_at=MONDAY)
        session.execute(row.on_conflict_do_nothing(index_elements=["hash"]))
    for address in addresses:
        with database.write() as session:
            join(
                session,
                Person(parse_address(address)),
                category,
                CONFIRMED,
                SUPPRESSIONS,
                renew=True,
                now=MONDAY,
            )


def verified(database: Database, noted: str | None = None) -> Verified:
    with database.read() as session:
        return verify(session, noted)


def test_every_record_is_in_the_chain_as_it_is_written(database: Database) -> None:
    """Joining, leaving and importing leave a chain without a gap, which can be verified each time."""
    assert verified(database) == Verified(0, 0, 0, "", ())
    add(database, "ann@example.org", "bo@example.org")
    first = verified(database)
    assert (first.records, first.flaws) == (2, ())
    with database.write() as session:
        people = [Person(parse_address(f"r{n}@example.org")) for n in range(50)]
        join_many(session, people, "advice", CONFIRMED, SUPPRESSIONS, renew=False, now=MONDAY)
        ann = find_subscriber(session, parse_address("ann@example.org"))
        assert ann
        leave(session, ann.id, ["advice"], Permission("one-click"), Letters(), now=MONDAY)
    second = verified(database, noted=first.head)
    assert (second.records, second.flaws) == (53, ())
    assert second.head != first.head
    with database.read() as session:
        numbers = session.exec(select(ConsentLink.number).order_by(col(ConsentLink.number))).all()
        assert list(numbers) == list(range(1, 54))
        last = session.exec(select(Consent).order_by(col(Consent.id).desc()).limit(1)).one()
        assert (last.action, last.address) == (ConsentAction.WITHDRAWN, "ann@example.org")


def test_what_is_rolled_back_leaves_no_link(database: Database) -> None:
    """A transaction that fails adds nothing to the chain, and the next one goes on from where it was."""
    add(database, "ann@example.org")

    def fail() -> None:
        with database.write() as session:
            person = Person(parse_address("bo@example.org"))
            join(session, person, "advice", CONFIRMED, SUPPRESSIONS, renew=True, now=MONDAY)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    add(database, "cy@example.org")
    found = verified(database)
    assert (found.records, found.flaws) == (2, ())


def change(field: str, value: object) -> Callable[[Session], None]:
    def do(session: Session) -> None:
        session.execute(update(Consent).where(col(Consent.id) == 2).values({field: value}))

    return do


def take_away(session: Session) -> None:
    session.execute(delete(Consent).where(col(Consent.id) == 2))


def take_away_with_link(session: Session) -> None:
    take_away(session)
    session.execute(delete(ConsentLink).where(col(ConsentLink.consent_id) == 2))


def slip_in(session: Session) -> None:
    session.execute(
        insert(Consent).values(
            subscriber_id=1,
            category="advice",
            action="granted",
            source="cli",
            evidence="",
            at=MONDAY,
            address="ann@example.org",
            salt="0" * 32,
        )
    )


def swap(session: Session) -> None:
    """Two records change places in the chain."""
    session.execute(update(ConsentLink).where(col(ConsentLink.number) == 1).values(consent_id=99))
    session.execute(update(ConsentLink).where(col(ConsentLink.number) == 2).values(consent_id=1))
    session.execute(update(ConsentLink).where(col(ConsentLink.number) == 1).values(consent_id=2))


def cover_up(session: Session) -> None:
    """A record is changed and its own link made to fit."""
    change("evidence", "she said yes")(session)
    session.expire_all()
    consent = session.get_one(Consent, 2)
    session.execute(
        update(ConsentLink).where(col(ConsentLink.consent_id) == 2).values(commitment=commitment_of(consent))
    )


def change_the_words(session: Session) -> None:
    """What somebody agreed to is another text now; no record is touched."""
    session.execute(update(Wording).values(text="I ask for everything."))


def take_the_words_away(session: Session) -> None:
    session.execute(delete(Wording))


def slip_in_an_unreadable_erasure(session: Session) -> None:
    slip_in(session)
    session.execute(
        update(Consent).where(col(Consent.source) == "cli").values(action="erased", details="no JSON")
    )


@pytest.mark.parametrize(
    "meddle",
    [
        change("evidence", "she said yes"),
        change("address", "mallory@example.org"),
        change("category", "other"),
        change("action", "withdrawn"),
        change("source", "cli"),
        change("at", MONDAY - timedelta(days=400)),
        change("details", "{}"),
        change("salt", "f" * 32),
        change("subscriber_id", 1),
        take_away,
        take_away_with_link,
        slip_in,
        swap,
        cover_up,
        change_the_words,
        take_the_words_away,
        slip_in_an_unreadable_erasure,
    ],
)
def test_tampering_shows(database: Database, meddle: Callable[[Session], None]) -> None:
    """Whatever of a record is changed, and whatever is taken away or slipped in, `verify` finds it."""
    add(database, "ann@example.org", "bo@example.org", "cy@example.org")
    assert verified(database).flaws == ()
    with database.write() as session:
        meddle(session)
    assert verified(database).flaws


def test_a_chain_written_anew_is_shown_by_a_hash_noted_before(database: Database) -> None:
    """Who rewrites every link passes for sound, but not beside the last hash that somebody noted."""
    add(database, "ann@example.org", "bo@example.org")
    noted = verified(database).head
    with database.write() as session:
        session.execute(delete(ConsentLink))
        session.execute(delete(Consent))
    add(database, "ann@example.org", category="other")
    assert verified(database).flaws == ()
    (flaw,) = verified(database, noted).flaws
    assert noted in flaw.problem


def test_an_erased_person_leaves_links_and_no_record(database: Database) -> None:
    """The chain holds without the erased records, and nobody can pass off another deletion as an erasure."""
    add(database, "ann@example.org", "bo@example.org")
    add(database, "ann@example.org", category="other")
    with database.write() as session:
        ann = find_subscriber(session, parse_address("ann@example.org"))
        assert ann
        assert erase_records(session, ann.id, source="page", now=MONDAY) == 2
        ann.address_key = blank_address(ann.id)
    found = verified(database)
    assert (found.records, found.erased, found.flaws) == (2, 2, ())
    with database.write() as session:
        remains = session.exec(select(Consent).where(Consent.subscriber_id == ann.id)).one()
        assert (remains.action, remains.address) == (ConsentAction.ERASED, "")
        assert json.loads(remains.details or "")["links"] == [1, 3]
        session.execute(delete(Consent).where(col(Consent.id) == 2))
    assert [flaw.number for flaw in verified(database).flaws] == [2]


def test_an_erasure_of_somebody_who_is_still_here_hides_nothing(database: Database) -> None:
    """Whoever writes a false erasure, with a right link, and takes the record away, is found out."""
    add(database, "ann@example.org", "bo@example.org")
    noted = verified(database).head
    with database.write() as session:
        bo = find_subscriber(session, parse_address("bo@example.org"))
        assert bo
        erase_records(session, bo.id, source="page", now=MONDAY)
    found = verified(database, noted)
    assert [flaw.number for flaw in found.flaws] == [3, 2]
    with database.write() as session:
        session.get_one(Subscriber, bo.id).address_key = blank_address(bo.id)
    found = verified(database, noted)
    assert (found.records, found.erased, found.erased_since, found.flaws) == (2, 1, 1, ())


_TEXTS = st.text(st.characters(exclude_categories=[]), max_size=40)


@given(_TEXTS, _TEXTS, _TEXTS, st.none() | _TEXTS, st.integers(1, 2**63))
def test_a_commitment_is_that_of_a_json_list(
    address: str, category: str, evidence: str, details: str | None, reader: int
) -> None:
    """However it is put together: links of before are verified by it, and links of now by older programs."""
    consent = Consent(
        subscriber_id=reader,
        category=category,
        action="granted",
        source="import",
        evidence=evidence,
        at=MONDAY,
        address=address,
        details=details,
        salt="s",
    )
    said = [reader, address, category, "granted", "import", evidence, MONDAY.isoformat(), details]
    written = json.dumps(said, ensure_ascii=True, separators=(",", ":"))
    assert commitment_of(consent) == sha256(f"s{written}".encode()).hexdigest()


def test_many_at_once_make_one_chain(database: Database) -> None:
    """Writers that commit at the same moment stand one after the other in the chain, without a gap."""

    def work(number: int) -> None:
        add(database, f"r{number}@example.org", "shared@example.org")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(24)))
    found = verified(database)
    assert (found.records, found.flaws) == (25, ())


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60), min_size=1, max_size=5
    )
)
def test_any_evidence_is_verified_as_it_was_written(database: Database, evidence: list[str]) -> None:
    """Whatever text is recorded, the database gives it back so that its commitment still fits."""
    with database.write() as session:
        for number, text in enumerate(evidence):
            permission = Permission("cli", evidence=text, confirmed=True, details=text)
            person = Person(parse_address(f"r{number}@example.org"))
            join(session, person, "advice", permission, SUPPRESSIONS, renew=True, now=MONDAY)
    found = verified(database)
    assert found.flaws == ()
    with database.read() as session:
        assert head(session)
