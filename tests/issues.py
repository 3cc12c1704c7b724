"""An issue whose letters a test puts into the states it wants, as a sender would have left them."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from newsletter.database import Database
from newsletter.models import Attempt, Delivery, Issue, Owner, Receipt
from newsletter.states import DeliveryState, Fault
from tests.planning import TUESDAY, Town


def plan_issue(town: Town, readers: int, *, category: str = "advice") -> int:
    """An issue of one post to so many readers; returns its number."""
    town.category(category)
    town.queue(f"post-{category}", category=category)
    town.subscribe(*(f"reader{place}" for place in range(readers)), category=category)
    (planned,) = town.plan(TUESDAY)
    issue_id = getattr(planned, "issue_id", None)
    assert issue_id is not None
    return int(issue_id)


def letters_of(database: Database, issue_id: int) -> list[int]:
    """Their numbers, ascending."""
    with database.read() as session:
        found = select(col(Delivery.id)).where(col(Delivery.issue_id) == issue_id)
        return list(session.execute(found.order_by(col(Delivery.id))).scalars())


def put(database: Database, ids: Iterable[int], state: DeliveryState, **values: Any) -> None:
    """Put letters into a state."""
    with database.write() as session:
        changed = update(Delivery).where(col(Delivery.id).in_(list(ids)))
        session.execute(changed.values(state=state, **values))


def bounce(database: Database, letter: int, fault: Fault | None = None) -> None:
    """Let a letter bounce as a sender does: on record, its receipt given back."""
    put(database, [letter], DeliveryState.BOUNCED, fault=fault, attempts=1)
    with database.write() as session:
        owner = Owner(host="here", pid=1, started_at=TUESDAY)
        session.add(owner)
        session.flush()
        tried = Attempt(
            delivery_id=letter,
            owner_id=owner.id,
            at=TUESDAY,
            outcome=DeliveryState.BOUNCED,
            stage="RCPT",
            code=550,
            reply="no",
        )
        session.add(tried)
        drop_receipt(session, letter)


def drop_receipt(session: Session, letter: int) -> None:
    """Take the receipt of a letter away."""
    found = session.get_one(Delivery, letter)
    for receipt in session.execute(select(Receipt)).scalars():
        if (receipt.subscriber_id, receipt.letter_key) == (found.subscriber_id, found.letter_key):
            session.delete(receipt)


def receipts(database: Database) -> set[tuple[int, str]]:
    """(subscriber, letter key) of every receipt."""
    with database.read() as session:
        return {(one.subscriber_id, one.letter_key) for one in session.execute(select(Receipt)).scalars()}


def states(database: Database, issue_id: int) -> list[str]:
    """The states of an issue's letters, in the order of their numbers."""
    with database.read() as session:
        found = select(col(Delivery.state)).where(col(Delivery.issue_id) == issue_id)
        return list(session.execute(found.order_by(col(Delivery.id))).scalars())


def issue(database: Database, issue_id: int) -> Issue:
    """The row."""
    with database.read() as session:
        return session.get_one(Issue, issue_id)


def change_issue(database: Database, issue_id: int, **values: Any) -> None:
    """Set columns of an issue."""
    with database.write() as session:
        session.execute(update(Issue).where(col(Issue.id) == issue_id).values(**values))


def fill(database: Database, issue_id: int, number: int) -> None:
    """Make an issue large: as many letters again, each of a reader of their own, in few statements."""
    from subscribers.models import Subscriber, Subscription

    with database.write() as session:
        like = session.execute(select(Delivery).where(col(Delivery.issue_id) == issue_id)).scalars().first()
        assert like is not None
        first = 10_000_000
        people = range(first, first + number)
        address: Callable[[int], str] = lambda n: f"r{n}@d{n % 40}.example"  # noqa: E731
        rows = [
            {"id": n, "address": address(n), "address_key": address(n), "created_at": TUESDAY} for n in people
        ]
        session.execute(insert(Subscriber), rows)
        session.execute(
            insert(Subscription),
            [
                {"subscriber_id": n, "category": like.category, "state": "active", "since": TUESDAY}
                for n in people
            ],
        )
        post = session.execute(select(Receipt.post_id)).scalars().first()
        session.execute(
            insert(Receipt),
            [{"subscriber_id": n, "post_id": post, "letter_key": like.letter_key} for n in people],
        )
        row = like.model_dump(exclude={"id", "subscriber_id"})
        session.execute(insert(Delivery), [{**row, "subscriber_id": n} for n in people])
