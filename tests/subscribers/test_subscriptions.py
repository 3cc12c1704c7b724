"""Joining and leaving, and the evidence of it, on both databases."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlmodel import Session, select

from newsletter.database import Database
from subscribers.address import parse_address
from subscribers.arrivals import Joined
from subscribers.models import Consent, Subscriber
from subscribers.subscriptions import (
    Permission,
    Person,
    all_subscribers,
    consents_of,
    find_subscriber,
    join,
    join_many,
    leave,
    subscriptions_of,
)
from tests.conftest import MONDAY
from tests.orders import SUPPRESSIONS

CONFIRMED = Permission("cli", evidence="she wrote to us", confirmed=True)
ASKED = Permission("import", evidence="readers.csv")
LATER = MONDAY + timedelta(days=1)


@dataclass
class Letters:
    """Letters under way, as `leave` knows them."""

    withdrawn: list[tuple[int, str]] = field(default_factory=list)
    suppressed: list[tuple[int, str]] = field(default_factory=list)
    error: Exception | None = None

    def withdraw(self, session: Session, subscriber_id: int, category: str, reason: str) -> int:
        """Note it, or fail as a database would."""
        if self.error:
            raise self.error
        self.withdrawn.append((subscriber_id, category))
        return 1

    def suppress(self, session: Session, subscriber_id: int, reason: str) -> int:
        """Note it."""
        self.suppressed.append((subscriber_id, reason))
        return 1


def person(address: str, name: str | None = None) -> Person:
    """Somebody."""
    return Person(parse_address(address), name)


def joined(
    database: Database, *addresses: str, permission: Permission = CONFIRMED, renew: bool = False
) -> list[Joined]:
    """Let people join `advice`, in a transaction of its own."""
    with database.write() as session:
        return join_many(
            session,
            [person(address) for address in addresses],
            "advice",
            permission,
            SUPPRESSIONS,
            renew=renew,
            now=MONDAY,
        )


def left(database: Database, address: str, letters: Letters, *categories: str) -> list[str]:
    """Let somebody leave, a day later."""
    with database.write() as session:
        subscriber = find_subscriber(session, parse_address(address))
        assert subscriber is not None
        permission = Permission("page", evidence="delivery 7")
        return leave(session, subscriber.id, categories or ("advice",), permission, letters, now=LATER)


def states(database: Database) -> dict[str, dict[str, str]]:
    """Every reader's subscriptions."""
    with database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


def record(database: Database) -> list[tuple[Any, ...]]:
    """The whole consent record, in order."""
    with database.read() as session:
        rows = session.exec(select(Consent).order_by(Consent.id)).all()  # type: ignore[arg-type]
        return [(row.id, row.category, row.action, row.source, row.evidence, row.at) for row in rows]


def test_joining_twice_is_joining_once(database: Database) -> None:
    """The second time nothing changes: one reader, one subscription, one consent record with its evidence."""
    assert joined(database, "Ann@example.org") == [Joined.ADDED]
    assert joined(database, "ann@example.org") == [Joined.ALREADY]
    assert joined(database, "ANN@example.org", renew=True) == [Joined.ALREADY]
    assert states(database) == {"Ann@example.org": {"advice": "active"}}
    assert [row[1:] for row in record(database)] == [("advice", "granted", "cli", "she wrote to us", MONDAY)]


def test_leaving_twice_is_leaving_once(database: Database) -> None:
    """Leaving ends the subscription and withdraws its letters; leaving again does neither."""
    joined(database, "ann@example.org")
    letters = Letters()
    assert left(database, "ann@example.org", letters) == ["advice"]
    assert left(database, "ann@example.org", letters) == []
    assert states(database) == {"ann@example.org": {"advice": "left"}}
    assert letters.withdrawn == [(1, "advice")]
    assert [row[2:] for row in record(database)] == [
        ("granted", "cli", "she wrote to us", MONDAY),
        ("withdrawn", "page", "delivery 7", LATER),
    ]


def test_leaving_what_one_never_joined_is_nothing(database: Database) -> None:
    """A category without a subscription is passed over, and no evidence is made up."""
    joined(database, "ann@example.org")
    letters = Letters()
    assert left(database, "ann@example.org", letters, "letters", "advice") == ["advice"]
    assert letters.withdrawn == [(1, "advice")]
    assert len(record(database)) == 2


def test_leaving_one_category_leaves_the_others(database: Database) -> None:
    """Subscriptions end one by one, and one reader's leaving touches nobody else."""
    joined(database, "ann@example.org", "bo@example.org")
    with database.write() as session:
        join(session, person("ann@example.org"), "letters", CONFIRMED, SUPPRESSIONS, renew=False, now=MONDAY)
    left(database, "ann@example.org", Letters())
    assert states(database) == {
        "ann@example.org": {"advice": "left", "letters": "active"},
        "bo@example.org": {"advice": "active"},
    }


def test_an_import_does_not_revive_who_left(database: Database) -> None:
    """Only a request for this one person brings them back; an import never does, confirmed or not."""
    joined(database, "ann@example.org")
    left(database, "ann@example.org", Letters())
    before = record(database)
    assert joined(database, "ann@example.org", "ann@example.org") == [Joined.REFUSED_LEFT] * 2
    assert joined(database, "Ann@example.org", permission=ASKED) == [Joined.REFUSED_LEFT]
    assert states(database) == {"ann@example.org": {"advice": "left"}}
    assert record(database) == before
    assert joined(database, "ann@example.org", renew=True) == [Joined.RENEWED]
    assert states(database) == {"ann@example.org": {"advice": "active"}}


def test_who_comes_back_unconfirmed_is_pending(database: Database) -> None:
    """A new request without confirmation gives no letters, even to one who once had them."""
    joined(database, "ann@example.org")
    left(database, "ann@example.org", Letters())
    assert joined(database, "ann@example.org", permission=ASKED, renew=True) == [Joined.RENEWED]
    assert states(database) == {"ann@example.org": {"advice": "pending"}}


def test_pending_is_not_active(database: Database) -> None:
    """A request is recorded as requested; its confirmation makes it active and is recorded as granted."""
    assert joined(database, "ann@example.org", permission=ASKED) == [Joined.ADDED]
    assert joined(database, "ann@example.org", permission=ASKED, renew=True) == [Joined.ALREADY]
    assert states(database) == {"ann@example.org": {"advice": "pending"}}
    assert joined(database, "ann@example.org") == [Joined.RENEWED]
    assert states(database) == {"ann@example.org": {"advice": "active"}}
    assert [row[2:5] for row in record(database)] == [
        ("requested", "import", "readers.csv"),
        ("granted", "cli", "she wrote to us"),
    ]


def test_an_unconfirmed_request_takes_nothing_from_who_is_active(database: Database) -> None:
    """Asking again without confirmation does not turn letters off."""
    joined(database, "ann@example.org")
    assert joined(database, "ann@example.org", permission=ASKED, renew=True) == [Joined.ALREADY]
    assert states(database) == {"ann@example.org": {"advice": "active"}}


def test_one_who_is_pending_can_leave(database: Database) -> None:
    """A request can be taken back before it is confirmed."""
    joined(database, "ann@example.org", permission=ASKED)
    assert left(database, "ann@example.org", Letters()) == ["advice"]
    assert joined(database, "ann@example.org") == [Joined.REFUSED_LEFT]


def test_a_batch_may_name_somebody_twice(database: Database) -> None:
    """In one batch, spellings of one address are one reader, known by the first; answers keep their order."""
    batch = [
        "Ann@example.org",
        "bo@example.org",
        "ann@EXAMPLE.org",
        "bo@example.org",
        "cy@bücher.example",
        "cy@xn--bcher-kva.example",
    ]
    assert joined(database, *batch) == [
        Joined.ADDED,
        Joined.ADDED,
        Joined.ALREADY,
        Joined.ALREADY,
        Joined.ADDED,
        Joined.ALREADY,
    ]
    assert list(states(database)) == ["Ann@example.org", "bo@example.org", "cy@xn--bcher-kva.example"]
    assert len(record(database)) == 3


def test_an_empty_batch_is_nothing(database: Database) -> None:
    """Nobody to subscribe is no error."""
    assert joined(database) == []


def test_a_name_is_learnt_once(database: Database) -> None:
    """A name fills an empty one, from the same batch too, and never replaces one that is there."""
    with database.write() as session:
        batch = [
            person("ann@example.org"),
            person("ann@example.org", "Ann"),
            person("ann@example.org", "Other"),
        ]
        join_many(session, batch, "advice", CONFIRMED, SUPPRESSIONS, renew=False, now=MONDAY)
    with database.write() as session:
        join(
            session,
            person("ann@example.org", "Third"),
            "letters",
            CONFIRMED,
            SUPPRESSIONS,
            renew=False,
            now=LATER,
        )
    with database.read() as session:
        subscriber = find_subscriber(session, parse_address("ANN@example.org"))
        assert subscriber is not None
        assert (subscriber.name, subscriber.created_at) == ("Ann", MONDAY)
        assert [held.since for held in subscriptions_of(session, subscriber.id)] == [MONDAY, LATER]


def test_consent_is_only_ever_added_to(database: Database) -> None:
    """Through every change of mind, each record stays as it was written; ids and times ascend."""
    written: list[tuple[Any, ...]] = []
    for change in (
        lambda: joined(database, "ann@example.org", permission=ASKED),
        lambda: joined(database, "ann@example.org"),
        lambda: left(database, "ann@example.org", Letters()),
        lambda: joined(database, "ann@example.org", renew=True),
        lambda: left(database, "ann@example.org", Letters()),
    ):
        change()
        found = record(database)
        assert found[:-1] == written
        assert len(found) == len(written) + 1
        written = found
    with database.read() as session:
        assert [consent.action for consent in consents_of(session, 1)] == [
            "requested",
            "granted",
            "withdrawn",
            "granted",
            "withdrawn",
        ]


def test_letters_are_withdrawn_in_the_same_transaction(database: Database) -> None:
    """If the letters cannot be stopped, the reader has not left: both happen, or neither."""
    joined(database, "ann@example.org")
    before = record(database)
    with pytest.raises(RuntimeError, match="stop"):
        left(database, "ann@example.org", Letters(error=RuntimeError("stop")))
    assert states(database) == {"ann@example.org": {"advice": "active"}}
    assert record(database) == before


def test_leaving_looks_again_under_the_lock(database: Database) -> None:
    """One who left meanwhile, after this transaction had read them, is not recorded as leaving twice."""
    joined(database, "ann@example.org")
    letters = Letters()
    with Session(database.engine) as stale:
        [read_before] = subscriptions_of(stale, 1)
        assert read_before.state == "active"
        if database.is_sqlite:
            stale.rollback()  # SQLite would refuse the write: its readers see one moment only
        left(database, "ann@example.org", letters)
        assert leave(stale, 1, ["advice"], Permission("cli"), letters, now=LATER) == []
    assert len(letters.withdrawn) == 1


def test_readers_are_listed_one_at_a_time_in_order(database: Database) -> None:
    """A listing gives each reader once with all their subscriptions, or those of one category only."""
    with database.write() as session:
        for category in ("letters", "advice"):
            batch = [person(f"reader{number}@example.org") for number in range(600)]
            join_many(session, batch, category, CONFIRMED, SUPPRESSIONS, renew=False, now=MONDAY)
    with database.read() as session:
        rows = [(found.address, held) for found, held in all_subscribers(session)]
        assert rows[0] == ("reader0@example.org", {"advice": "active", "letters": "active"})
        assert [address for address, _ in rows] == [f"reader{number}@example.org" for number in range(600)]
        assert {tuple(held) for _, held in all_subscribers(session, "letters")} == {("letters",)}
        assert list(all_subscribers(session, "nothing")) == []


def test_nobody_is_found_under_a_strange_address(database: Database) -> None:
    """Looking for an address that nobody has finds nobody."""
    joined(database, "ann@example.org")
    with database.read() as session:
        assert find_subscriber(session, parse_address("bo@example.org")) is None
        assert len(session.exec(select(Subscriber)).all()) == 1
