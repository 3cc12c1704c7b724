"""The ledger's promises: kept by every site there is, and each one noticed when it is broken."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import col

from newsletter.database import Database
from newsletter.delivery.audit import SHOWN, Violation, audit, audit_orders, promises
from newsletter.delivery.letters import LedgerLetters
from newsletter.models import Attempt, Delivery, Edition, Issue, Owner, QueueEntry
from newsletter.privacy.orders import obey_orders
from newsletter.states import DeliveryState, IssueState
from subscribers.address import parse_address
from subscribers.models import Subscription, SubscriptionState, Suppression, SuppressionReason
from subscribers.suppression import Suppressions
from tests.orders import SUPPRESSIONS
from tests.planning import TUESDAY, WEEK, Town, database, shared_database, town

__all__ = ["database", "shared_database", "town"]


@pytest.fixture
def sent(town: Town) -> Town:
    """Two issues: one planned for two readers, one for a slot with nothing queued."""
    town.category()
    town.queue("one")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    town.plan(TUESDAY + WEEK)
    return town


def look(database: Database) -> list[Violation]:
    with database.read() as session:
        return audit(session)


def test_a_site_at_work_keeps_every_promise(sent: Town) -> None:
    """After planning, and with nothing at all, no promise is broken."""
    assert look(sent.database) == []
    names = [promise for promise, _ in promises()]
    assert len(set(names)) == len(names)


def owner(connection: Connection, *, ended: bool) -> int:
    values = {"host": "here", "pid": 1, "started_at": TUESDAY, "ended_at": TUESDAY if ended else None}
    return connection.execute(insert(Owner).values(**values).returning(col(Owner.id))).scalar_one()


def unknown_state(connection: Connection) -> None:
    connection.execute(update(Delivery).values(state="lost"))


def unknown_entry(connection: Connection) -> None:
    connection.execute(update(QueueEntry).values(state="lost"))


def unknown_subscription(connection: Connection) -> None:
    connection.execute(update(Subscription).values(state="lost"))


def sent_without_time(connection: Connection) -> None:
    connection.execute(update(Delivery).values(state=DeliveryState.SENT))


def claimed_by_nobody(connection: Connection) -> None:
    connection.execute(update(Delivery).values(state=DeliveryState.CLAIMED))


def claimed_by_an_ended(connection: Connection) -> None:
    ended = owner(connection, ended=True)
    connection.execute(update(Delivery).values(state=DeliveryState.SENDING, owner_id=ended))


def attempt_not_counted(connection: Connection) -> None:
    for letter in connection.execute(select(col(Delivery.id))).scalars().all():
        values = {"delivery_id": letter, "owner_id": owner(connection, ended=True), "at": TUESDAY}
        words = {"outcome": DeliveryState.DEFERRED, "stage": "MAIL", "reply": ""}
        connection.execute(insert(Attempt).values(**values, **words))


def attempt_lost(connection: Connection) -> None:
    connection.execute(update(Delivery).values(attempts=1))


def receipt_kept(connection: Connection) -> None:
    connection.execute(update(Delivery).values(state=DeliveryState.BOUNCED))


def foreign_edition(connection: Connection) -> None:
    empty = select(col(Issue.id)).where(col(Issue.state) == IssueState.EMPTY).scalar_subquery()
    connection.execute(update(Edition).values(issue_id=empty))


def finished_too_soon(connection: Connection) -> None:
    connection.execute(
        update(Issue).where(col(Issue.state) == IssueState.PLANNED).values(finished_at=TUESDAY)
    )


def skipped_with_letters(connection: Connection) -> None:
    connection.execute(update(Issue).values(state=IssueState.SKIPPED))


@pytest.mark.parametrize(
    ("damage", "promise", "table", "count"),
    [
        (unknown_state, "every delivery is in a state that there is", "delivery", 2),
        (unknown_entry, "every queue entry is in a state that there is", "queue_entry", 1),
        (sent_without_time, "what is sent says when", "delivery", 2),
        (claimed_by_nobody, "what is claimed or being sent is in the hands of", "delivery", 2),
        (claimed_by_an_ended, "what is claimed or being sent is in the hands of", "delivery", 2),
        (attempt_not_counted, "every attempt that a letter counts is on record", "delivery", 2),
        (attempt_lost, "every attempt that a letter counts is on record", "delivery", 2),
        (
            receipt_kept,
            "a letter that ended unsent, beyond doubt, leaves",
            "delivery",
            2,
        ),
        (foreign_edition, "an edition belongs to the issue of its letters", "delivery", 2),
        (finished_too_soon, "an issue that is finished has no letter left to send", "issue", 1),
        (skipped_with_letters, "a slot that was empty or skipped has no letters", "issue", 1),
        (unknown_subscription, "every subscription is in a state that there is", "subscription", 2),
    ],
)
def test_each_broken_promise_is_named_with_its_rows(
    sent: Town, damage: Callable[[Connection], None], promise: str, table: str, count: int
) -> None:
    """The damage, and only it, is found."""
    with sent.database.write() as session:
        damage(session.connection())
    (found,) = look(sent.database)
    assert found.promise.startswith(promise)
    assert (found.table, found.count, len(found.ids)) == (table, count, count)


def test_a_doubtful_letter_may_keep_its_receipt(sent: Town) -> None:
    """What may have reached the reader ends unsent with its receipt, and that is no violation."""
    with sent.database.write() as session:
        session.execute(update(Delivery).values(state=DeliveryState.EXPIRED, doubted_at=TUESDAY))
    assert look(sent.database) == []


def test_letters_of_nobody_are_found_and_the_list_has_an_end(sent: Town) -> None:
    """Rows whose reader was taken out by hand are counted whole and listed in part."""
    database = sent.database
    sent.subscribe(*(f"reader{number}" for number in range(30)))
    sent.queue("two")
    sent.plan(TUESDAY + 2 * WEEK)
    if not database.is_sqlite:
        pytest.skip("PostgreSQL's own keys forbid it, also to its owner")
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("DELETE FROM subscriber WHERE address LIKE 'reader%'")
        raw.execute("PRAGMA foreign_keys = ON")
    found = {violation.promise: violation for violation in look(database)}
    lost = found["the subscriber_id of every delivery is there"]
    assert (lost.count, len(lost.ids)) == (30, SHOWN)
    assert list(lost.ids) == sorted(lost.ids)


def orders(town: Town, under: Suppressions = SUPPRESSIONS) -> dict[str, int]:
    """How many subscriptions break which promise about orders."""
    with town.database.read() as session:
        return {violation.promise: violation.count for violation in audit_orders(session, under)}


def test_whoever_is_not_to_be_written_to_is_subscribed_to_nothing(sent: Town) -> None:
    """An order that stands beside a live subscription is found, and one that ended it is not."""
    ann = parse_address("ann@example.org")
    with sent.database.write() as session:
        SUPPRESSIONS.suppress(
            session, ann, SuppressionReason.BOUNCED, LedgerLetters(), source="cli", now=TUESDAY
        )
    assert orders(sent) == {}
    with sent.database.write() as session:
        session.execute(update(Subscription).values(state=SubscriptionState.ACTIVE))
    assert orders(sent) == {"nobody is subscribed whom a standing order says not to write to": 1}


def test_whoever_waits_for_an_order_to_be_lifted_has_one(sent: Town) -> None:
    """Who would wait for ever is found: the order is gone, or was given under another secret key."""
    with sent.database.write() as session:
        for name in ("ann", "bo"):
            address = parse_address(f"{name}@example.org")
            SUPPRESSIONS.suppress(
                session, address, SuppressionReason.BOUNCED, LedgerLetters(), source="cli", now=TUESDAY
            )
    assert orders(sent) == {}
    lost = "a suppressed subscription has the standing order that it waits for"
    assert orders(sent, Suppressions(b"another key")) == {lost: 2}
    with sent.database.write() as session:
        session.execute(delete(Suppression))
    assert orders(sent) == {lost: 2}


def test_an_upgrade_obeys_the_orders_that_an_older_program_did_not(sent: Town) -> None:
    """Who was subscribed against an order is subscribed no more, and their letters are stopped."""
    ann = parse_address("ann@example.org")
    with sent.database.write() as session:
        SUPPRESSIONS.suppress(
            session, ann, SuppressionReason.ERASED, LedgerLetters(), source="cli", now=TUESDAY
        )
        session.execute(update(Subscription).values(state=SubscriptionState.ACTIVE))
        session.execute(update(Delivery).values(state=DeliveryState.QUEUED))
    assert obey_orders(sent.database, SUPPRESSIONS, TUESDAY) == 1
    assert orders(sent) == {}
    assert obey_orders(sent.database, SUPPRESSIONS, TUESDAY) == 0
    with sent.database.read() as session:
        assert sorted(session.execute(select(col(Subscription.state))).scalars()) == ["active", "left"]
        assert sorted(session.execute(select(col(Delivery.state))).scalars()) == ["queued", "suppressed"]
