"""Standing orders: who has one is not written to, whatever else is asked; nobody can read whose it is."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Barrier, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.models import Verdict
from newsletter.states import VerdictKind
from subscribers.address import parse_address
from subscribers.arrivals import Joined
from subscribers.models import Subscriber, Subscription, SuppressionReason
from subscribers.pauses import pause
from subscribers.subscriptions import Person, consents_of, find_subscriber, join
from subscribers.suppression import Suppressions
from tests.orders import SUPPRESSIONS
from tests.planning import shared_database
from tests.properties import tried
from tests.subscribers.test_subscriptions import CONFIRMED, Letters, joined, left

__all__ = ["shared_database"]

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ANN = parse_address("ann@example.org")
NUMBERS = count()
BOUNCED, ASKED, COMPLAINED, ERASED = (
    SuppressionReason.BOUNCED,
    SuppressionReason.ASKED,
    SuppressionReason.COMPLAINED,
    SuppressionReason.ERASED,
)


def ordered(database: Database, reason: SuppressionReason, address: str = "ann@example.org") -> list[str]:
    """Give an order; returns the categories that it stopped."""
    with database.write() as session:
        return SUPPRESSIONS.suppress(
            session, parse_address(address), reason, Letters(), source="cli", evidence="why", now=NOW
        )


def states(database: Database) -> dict[str, str]:
    with database.read() as session:
        rows = session.exec(
            select(Subscriber.address, Subscription.state).join(
                Subscription, col(Subscription.subscriber_id) == col(Subscriber.id)
            )
        )
        return dict(rows.all())


@pytest.mark.parametrize("reason", list(SuppressionReason))
def test_nobody_with_an_order_can_join(database: Database, reason: SuppressionReason) -> None:
    """Known or not, however it is spelt, and no row of theirs is left by the try."""
    joined(database, "bo@example.org")
    ordered(database, reason)
    assert joined(database, "ANN@example.org", "bo@example.org", renew=True) == [
        Joined.SUPPRESSED,
        Joined.ALREADY,
    ]
    assert states(database) == {"bo@example.org": "active"}
    with database.read() as session:
        assert find_subscriber(session, ANN) is None


@pytest.mark.parametrize(
    ("reason", "state"),
    [(BOUNCED, "suppressed"), (ASKED, "left"), (COMPLAINED, "left"), (ERASED, "left")],
)
def test_what_an_order_does_to_subscriptions(
    database: Database, reason: SuppressionReason, state: str
) -> None:
    """Who cannot be reached has not withdrawn; who asks or complains has. All their letters are stopped."""
    joined(database, "ann@example.org", "bo@example.org")
    letters = Letters()
    with database.write() as session:
        stopped = SUPPRESSIONS.suppress(session, ANN, reason, letters, source="cli", now=NOW)
    assert stopped == ["advice"]
    assert states(database) == {"ann@example.org": state, "bo@example.org": "active"}
    assert [number for number, _ in letters.suppressed] == [1]
    assert ordered(database, reason) == []


def test_who_was_not_reached_is_subscribed_again_once_the_order_is_lifted(database: Database) -> None:
    """As before; who had left meanwhile stays out, and an order for another reason stands."""
    joined(database, "ann@example.org")
    joined(database, "bo@example.org")
    ordered(database, BOUNCED)
    ordered(database, BOUNCED, "bo@example.org")
    left(database, "bo@example.org", Letters())
    for address in ("ann@example.org", "bo@example.org"):
        with database.write() as session:
            assert SUPPRESSIONS.lift(session, parse_address(address), [ASKED], now=NOW) is None
            assert SUPPRESSIONS.lift(session, parse_address(address), [BOUNCED], now=NOW) is BOUNCED
            assert SUPPRESSIONS.lift(session, parse_address(address), [BOUNCED], now=NOW) is None
    assert states(database) == {"ann@example.org": "active", "bo@example.org": "left"}


def test_who_had_paused_is_paused_again(database: Database) -> None:
    """Until the same day: an order because letters come back changes nothing of what they wished."""
    joined(database, "ann@example.org")
    until = date(2026, 6, 1)
    with database.write() as session:
        assert pause(session, 1, ["advice"], Letters(), until=until) == ["advice"]
    ordered(database, BOUNCED)
    assert states(database) == {"ann@example.org": "suppressed"}
    with database.write() as session:
        SUPPRESSIONS.lift(session, ANN, [BOUNCED], now=NOW)
    with database.read() as session:
        (held,) = session.exec(select(Subscription)).all()
        assert (held.state, held.paused_until) == ("paused", until)


@tried(100, quickly=25)
@given(st.lists(st.sampled_from(list(SuppressionReason)), min_size=1, max_size=5))
def test_the_weightiest_order_stands(shared_database: Database, reasons: list[SuppressionReason]) -> None:
    """With the day on which it was first given; and nobody who has one is active."""
    weights = [BOUNCED, ASKED, COMPLAINED, ERASED]
    address = parse_address(f"reader{next(NUMBERS)}@example.org")
    joined(shared_database, address.given)
    for day, reason in enumerate(reasons):
        with shared_database.write() as session:
            at = NOW + timedelta(days=day)
            SUPPRESSIONS.suppress(session, address, reason, Letters(), source="cli", now=at)
    with shared_database.read() as session:
        order = SUPPRESSIONS.find(session, address)
    assert order is not None
    heaviest = max(reasons, key=weights.index)
    assert (order.reason, order.at) == (heaviest, NOW + timedelta(days=reasons.index(heaviest)))
    assert states(shared_database)[address.given] != "active"


def test_an_order_is_known_by_its_key_alone(database: Database) -> None:
    """Another key does not find it; nothing of the address stands in the table; spelling does not matter."""
    ordered(database, ASKED, "Ann@bücher.example")
    with database.read() as session:
        assert SUPPRESSIONS.among(session, [parse_address("ann@BÜCHER.example"), ANN]) == {
            "ann@xn--bcher-kva.example"
        }
        other = Suppressions(b"another key")
        assert other.find(session, parse_address("ann@bücher.example")) is None


def test_whoever_joins_while_an_order_is_given_is_not_written_to(database: Database) -> None:
    """Whichever is first, and whether or not the address is known: nobody with an order ends up active."""
    for turn in range(12):
        address = parse_address(f"reader{turn}@example.org")
        if turn % 2:
            joined(database, address.given)
        both = Barrier(2)

        def suppress(session: Session, address: object = address) -> None:
            SUPPRESSIONS.suppress(session, address, BOUNCED, Letters(), source="cli", now=NOW)  # type: ignore[arg-type]

        def subscribe(session: Session, address: object = address) -> None:
            person = Person(address)  # type: ignore[arg-type]
            join(session, person, "advice", CONFIRMED, SUPPRESSIONS, renew=True, now=NOW)

        def done(what: Callable[[Session], None], both: Barrier = both) -> None:
            both.wait()
            with database.write() as session:
                what(session)

        threads = [Thread(target=done, args=[what]) for what in (suppress, subscribe)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with database.read() as session:
        people = session.exec(select(Subscriber)).all()
        ordered_ones = SUPPRESSIONS.among(session, [parse_address(one.address) for one in people])
        assert ordered_ones == {one.address_key for one in people}
    assert "active" not in states(database).values()


def test_a_withdrawal_is_on_the_record(database: Database) -> None:
    """By which door it came, and on what evidence; who only cannot be reached has withdrawn nothing."""
    joined(database, "ann@example.org", "bo@example.org")
    ordered(database, COMPLAINED)
    ordered(database, BOUNCED, "bo@example.org")
    with database.read() as session:
        records = [
            [(one.action, one.source, one.evidence) for one in consents_of(session, number)]
            for number in (1, 2)
        ]
    assert records[0][1:] == [("withdrawn", "cli", "why")]
    assert records[1][1:] == []


def test_who_holds_a_reader_does_not_hold_up_what_is_written_about_them(database: Database) -> None:
    """An erasure holds its reader, and waits for a letter; who holds that writes a verdict about them."""
    if database.is_sqlite:
        pytest.skip("one writes at a time there")
    joined(database, "ann@example.org")
    with database.write() as session:
        reader = find_subscriber(session, ANN, is_held=True)
        assert reader is not None
        with database.write() as other:
            other.execute(text("SET LOCAL lock_timeout = 500"))
            other.add(Verdict(subscriber_id=reader.id, kind=VerdictKind.DELAY, at=NOW))
