"""Requests: they change nothing, are confirmed once, expire, and meet no race that loses one."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest
from sqlmodel import col, select

from newsletter.database import Database
from subscribers.address import parse_address
from subscribers.consent import verify, wording_hash
from subscribers.models import (
    Consent,
    Frequency,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SuppressionReason,
    Wording,
)
from subscribers.requests import Answer, Asked, Confirmed, Door, ask, confirm, find_request, purge, refuse
from subscribers.subscriptions import find_subscriber
from tests.conftest import MONDAY
from tests.orders import SUPPRESSIONS
from tests.subscribers.test_subscriptions import Letters, joined

LATER = MONDAY + timedelta(hours=1)
ON_THE_FORM, BY_THE_BUTTON = wording_hash("I ask for it."), wording_hash("I do want it.")


def asked(
    database: Database, address: str = "ann@example.org", kind: RequestKind = RequestKind.JOIN, **more: object
) -> int:
    """A request for `advice`."""
    given: dict[str, object] = {"categories": ("advice",), "language": "en", "wording": ON_THE_FORM} | more
    with database.write() as session:
        for text in ("I ask for it.", "I do want it."):
            row = database.insert(Wording).values(hash=wording_hash(text), text=text, first_at=MONDAY)
            session.execute(row.on_conflict_do_nothing(index_elements=["hash"]))
        what = Asked(
            kind=kind,
            address=parse_address(address),
            door=Door.PAGE,
            place="https://news.example.org/subscribe",
            **given,  # type: ignore[arg-type]
        )
        return ask(session, what, now=MONDAY, days=7).id


def confirmed(database: Database, number: int, now: datetime = LATER) -> Confirmed | None:
    with database.write() as session:
        return confirm(
            session,
            number,
            Letters(),
            SUPPRESSIONS,
            by=Door.PAGE,
            evidence="the button",
            now=now,
            shown=BY_THE_BUTTON,
        )


def subscriptions(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = session.exec(
            select(Subscriber.address, Subscription.category, Subscription.state).join(
                Subscription, col(Subscription.subscriber_id) == col(Subscriber.id)
            )
        )
        return {f"{address} {category}": state for address, category, state in rows}


def test_a_request_is_a_row_and_nothing_else(database: Database) -> None:
    """Nobody becomes a reader by it, known or not, and no evidence comes of it."""
    asked(database)
    asked(database, "other@example.org")
    with database.read() as session:
        assert session.exec(select(Subscriber)).all() == []
        assert session.exec(select(Consent)).all() == []


def test_confirming_does_what_was_asked_for(database: Database) -> None:
    """All categories, name, zone and frequency, with a record for each that says how it came about."""
    number = asked(
        database,
        categories=("advice", "letters"),
        name="Ann Lee",
        timezone="Europe/Berlin",
        frequency=Frequency.WEEKLY,
    )
    done = confirmed(database, number)
    assert done
    assert done.answer is Answer.DONE
    with database.read() as session:
        reader = find_subscriber(session, parse_address("ann@example.org"))
        assert reader
        assert (reader.name, reader.timezone, reader.frequency) == ("Ann Lee", "Europe/Berlin", "weekly")
        records = session.exec(select(Consent).order_by(col(Consent.id))).all()
        assert [(one.category, one.action, one.source) for one in records] == [
            ("advice", "granted", "page"),
            ("letters", "granted", "page"),
        ]
        details = json.loads(records[0].details or "")
        assert (details["wording"], details["confirmed_wording"]) == (ON_THE_FORM, BY_THE_BUTTON)
        assert details["confirmed_at"] == LATER.isoformat()
        assert verify(session).flaws == ()


def test_a_second_confirmation_changes_nothing(database: Database) -> None:
    """However often the button is pressed, also by a scanner that presses all."""
    number = asked(database)
    answers = [confirmed(database, number) for _ in range(3)]
    assert [one.answer for one in answers if one] == [Answer.DONE, Answer.ALREADY, Answer.ALREADY]
    with database.read() as session:
        assert len(session.exec(select(Consent)).all()) == 1


def test_what_has_expired_or_was_refused_is_not_confirmed(database: Database) -> None:
    """And what is not there is None."""
    late, refused = asked(database), asked(database, "bo@example.org")
    with database.write() as session:
        assert refuse(session, refused, now=LATER)
        assert not refuse(session, refused, now=LATER)
        assert not refuse(session, 12345, now=LATER)
    after = MONDAY + timedelta(days=7)
    answers = [confirmed(database, late, after), confirmed(database, refused), confirmed(database, 12345)]
    assert [one and one.answer for one in answers] == [Answer.EXPIRED, Answer.REFUSED, None]
    assert subscriptions(database) == {}


def test_unconfirmed_requests_are_purged_and_confirmed_ones_later(database: Database) -> None:
    """Who did not answer is forgotten at once; a link that was used answers for some weeks more."""
    asked(database)
    done = asked(database, "bo@example.org")
    confirmed(database, done)
    after = MONDAY + timedelta(days=7)
    with database.write() as session:
        assert purge(session, after - timedelta(seconds=1), keep_days=30) == []
        assert len(purge(session, after, keep_days=30)) == 1
        assert find_request(session, done) is not None
        assert len(purge(session, after + timedelta(days=30), keep_days=30)) == 1
        assert session.exec(select(Request)).all() == []


def test_an_address_moves_only_where_nobody_else_is(database: Database) -> None:
    """The reader keeps everything; an address that is another reader's is not taken."""
    joined(database, "ann@example.org", "bo@example.org")
    with database.read() as session:
        ann = find_subscriber(session, parse_address("ann@example.org"))
        assert ann
    free = asked(database, "new@example.org", RequestKind.ADDRESS, subscriber_id=ann.id, categories=())
    taken = asked(database, "Bo@example.org", RequestKind.ADDRESS, subscriber_id=ann.id, categories=())
    answers = [confirmed(database, number) for number in (free, taken)]
    assert [one and one.answer for one in answers] == [Answer.DONE, Answer.TAKEN]
    assert subscriptions(database) == {"new@example.org advice": "active", "bo@example.org advice": "active"}


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_an_address_with_an_order_is_not_moved_to(database: Database, reason: SuppressionReason) -> None:
    """Nobody comes by it otherwise than by joining; the reader keeps the address they have."""
    joined(database, "ann@example.org")
    number = asked(database, "new@example.org", RequestKind.ADDRESS, subscriber_id=1, categories=())
    with database.write() as session:
        SUPPRESSIONS.suppress(
            session, parse_address("New@example.org"), reason, Letters(), source="cli", now=LATER
        )
    done = confirmed(database, number)
    assert done
    assert done.answer is Answer.REFUSED
    assert subscriptions(database) == {"ann@example.org advice": "active"}


def test_whoever_moves_while_an_order_is_given_is_not_written_to(database: Database) -> None:
    """Whichever is first: nobody with an order ends up active."""
    turns = range(12)
    joined(database, *(f"old{turn}@example.org" for turn in turns))
    numbers = [
        asked(database, f"new{turn}@example.org", RequestKind.ADDRESS, subscriber_id=turn + 1, categories=())
        for turn in turns
    ]

    def order(turn: int) -> None:
        address = parse_address(f"new{turn}@example.org")
        with database.write() as session:
            SUPPRESSIONS.suppress(
                session, address, SuppressionReason.ASKED, Letters(), source="cli", now=LATER
            )

    for turn, number in enumerate(numbers):
        both = Barrier(2)

        def at_once(what: Callable[[int], object], given: int, both: Barrier = both) -> None:
            both.wait()
            what(given)

        with ThreadPoolExecutor(2) as pool:
            moving = pool.submit(at_once, lambda given: confirmed(database, given), number)
            pool.submit(at_once, order, turn).result()
            moving.result()
    found = subscriptions(database)
    assert len(found) == len(turns)
    for whose, state in found.items():
        assert state == ("left" if whose.startswith("new") else "active"), whose


def test_only_categories_that_there_still_are_are_joined(database: Database) -> None:
    """A category that was removed since is left out."""
    number = asked(database, categories=("advice", "gone"))
    with database.write() as session:
        confirm(
            session, number, Letters(), SUPPRESSIONS, by=Door.EMAIL, evidence="", now=LATER, only=["advice"]
        )
    assert subscriptions(database) == {"ann@example.org advice": "active"}


@pytest.mark.parametrize("many", [24])
def test_confirmations_at_one_moment_lose_none(database: Database, many: int) -> None:
    """Of one link, of several links of one new person, and of many people: each counts once, none fails."""
    same = asked(database, "same@example.org")
    person = [asked(database, "person@example.org", categories=(f"c{n}",)) for n in range(many // 3)]
    people = [asked(database, f"r{n}@example.org") for n in range(many // 3)]
    numbers = [same] * (many // 3) + person + people
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: confirmed(database, number), numbers))
    counted = [one.answer for one in answers if one]
    assert counted.count(Answer.DONE) == 1 + len(person) + len(people)
    assert counted.count(Answer.ALREADY) == many // 3 - 1
    assert set(subscriptions(database).values()) == {"active"}
    assert len(subscriptions(database)) == 1 + len(person) + len(people)
    with database.read() as session:
        found = verify(session)
        assert (found.records, found.flaws) == (1 + len(person) + len(people), ())
