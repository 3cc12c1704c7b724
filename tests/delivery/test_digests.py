"""Digests in the ledger: who leaves, what is stopped, what fails, on both databases."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlmodel import Session, col, select

from newsletter.backup.quiet import quieten
from newsletter.delivery.audit import audit
from newsletter.delivery.issues import Retried, cancel, pause, resume, retry_failed
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.letters import has_work
from newsletter.feedback.complained import record_complaint
from newsletter.models import Delivery, DigestPost, Edition, Issue
from newsletter.receipts import release_receipts
from newsletter.schedule.categories import find_category, remove_category
from newsletter.states import DIGEST, IssueKind
from subscribers.address import parse_address
from subscribers.models import Consent, ConsentAction, Subscription, SubscriptionState
from subscribers.subscriptions import find_subscriber
from tests.orders import SUPPRESSIONS
from tests.planning import TUESDAY, WEEK, Town, database, shared_database, town

__all__ = ["database", "shared_database", "town"]

MORNING, EVENING = TUESDAY, TUESDAY + timedelta(hours=10)
DAY = timedelta(days=1)


@pytest.fixture
def day(town: Town) -> Town:
    """Advice in the morning and news in the evening, for Ann who wants one letter and Bo who wants both."""
    town.category("advice")
    town.category("news", cadence="weekly tue 18:00")
    for slug in ("advice", "news"):
        town.queue(f"{slug}-1", f"{slug}-2", category=slug)
        town.subscribe("ann", "bo", category=slug)
    town.wish("ann", "daily")
    return town


@pytest.fixture
def made(day: Town) -> Town:
    """The digest is made and has not gone."""
    day.plan(MORNING)
    day.plan(EVENING)
    assert shown(day) == [("queued", "advice-1 news-1")]
    return day


def do(town: Town, change: Callable[[Session], object]) -> None:
    with town.database.write() as session:
        change(session)


def look(town: Town) -> None:
    """As a sender does after a while: what has ended is recorded, and the books are sound."""
    with town.database.writing_connection() as connection:
        ledger = Ledger(town.database, connection, resend_in_doubt=True, now=EVENING)
        ledger.finish(EVENING)
        ledger.close(EVENING)
    sound(town)


def sound(town: Town) -> None:
    with town.database.read() as session:
        assert audit(session) == []


def shown(town: Town) -> list[tuple[str, str]]:
    """(state, posts) of each digest, oldest first."""
    with town.database.read() as session:
        found = session.exec(
            select(Delivery.state, Edition.subject)
            .join(Edition, col(Edition.id) == col(Delivery.edition_id))
            .where(Delivery.category == DIGEST)
            .order_by(col(Delivery.id))
        )
        return [tuple(row) for row in found]


def number_of(town: Town, kind: IssueKind, *, last: bool = False) -> int:
    with town.database.read() as session:
        ids = session.exec(select(Issue.id).where(Issue.kind == kind).order_by(col(Issue.id))).all()
        return ids[-1 if last else 0]


def is_finished(town: Town, issue_id: int) -> bool:
    with town.database.read() as session:
        return session.get_one(Issue, issue_id).finished_at is not None


def end(town: Town, state: str) -> None:
    """Have all digests that are queued end in a state."""
    with town.database.write() as session:
        ids = session.exec(select(Delivery.id).where(Delivery.category == DIGEST, Delivery.state == "queued"))
        numbers = ids.all()
        session.execute(update(Delivery).where(col(Delivery.id).in_(numbers)).values(state=state))
        release_receipts(session.connection(), numbers)


def test_an_issue_is_not_over_while_its_posts_are_to_go(day: Town) -> None:
    """Until the digest has gone its issue can be stopped; then it has come to its end."""
    sent = update(Delivery).values(state="sent", sent_at=MORNING)
    day.plan(MORNING)
    do(day, lambda session: session.execute(sent))
    look(day)
    first = number_of(day, IssueKind.SLOT)
    assert not is_finished(day, first)
    day.plan(EVENING)
    look(day)
    assert not is_finished(day, first)
    do(day, lambda session: session.execute(sent))
    look(day)
    assert is_finished(day, first)


def test_what_is_cancelled_is_taken_out_of_digests_that_are_made(made: Town) -> None:
    """A wrong post comes in none that has not gone, and its readers have the rest."""
    first = number_of(made, IssueKind.SLOT)
    do(made, lambda session: cancel(session, first, "wrong"))
    look(made)
    assert is_finished(made, first)
    made.plan(EVENING)
    assert shown(made) == [("cancelled", "advice-1 news-1"), ("queued", "news-1")]
    look(made)


def test_what_is_cancelled_is_taken_out(day: Town) -> None:
    """A cancelled issue's posts come in no digest, and its reader has the rest."""
    day.plan(MORNING)
    first = number_of(day, IssueKind.SLOT)
    do(day, lambda session: cancel(session, first, "wrong"))
    look(day)
    assert is_finished(day, first)
    day.plan(EVENING)
    assert shown(day) == []
    assert [row.post for row in day.letters() if row.reader == "ann"] == ["news-1"]


def test_what_is_paused_waits(day: Town) -> None:
    """A paused issue's posts come in no digest until it is resumed, and then by themselves."""
    day.plan(MORNING)
    first = number_of(day, IssueKind.SLOT)
    do(day, lambda session: pause(session, first, "look"))
    day.plan(EVENING)
    look(day)
    assert [row.post for row in day.letters() if row.reader == "ann"] == ["news-1"]
    do(day, lambda session: resume(session, first, now=EVENING, expiry=DAY))
    day.plan(EVENING + DAY)
    assert shown(day) == [("queued", "advice-1")]
    sound(day)


def test_a_digest_that_was_cancelled_is_not_made_again(made: Town) -> None:
    """Its posts are given up, as with any issue; another digest of that time has a minute of its own."""
    digest = number_of(made, IssueKind.DIGEST)
    do(made, lambda session: cancel(session, digest, "wrong"))
    look(made)
    assert shown(made) == [("cancelled", "advice-1 news-1")]
    assert made.plan(EVENING + DAY) == []


@pytest.mark.parametrize("state", ["bounced", "expired"])
def test_what_has_failed_is_tried_again(made: Town, state: str) -> None:
    """A digest that ended unsent gives its posts back, and a person has it tried again."""
    end(made, state)
    sound(made)
    digest = number_of(made, IssueKind.DIGEST)
    with made.database.write() as session:
        retried = retry_failed(
            made.database, session, digest, also_readers_fault=True, now=EVENING, expiry=DAY
        )
    assert retried == Retried(1, 0)
    assert shown(made) == [("queued", "advice-1 news-1")]
    sound(made)


def test_what_has_failed_is_not_tried_again_for_who_has_left(made: Town) -> None:
    """Whoever has left one of its categories is left out."""
    end(made, "bounced")
    made.leave("ann", "news")
    digest = number_of(made, IssueKind.DIGEST)
    with made.database.write() as session:
        retried = retry_failed(
            made.database, session, digest, also_readers_fault=True, now=EVENING, expiry=DAY
        )
    assert retried == Retried(0, 1)
    sound(made)


def test_a_reader_who_left_as_it_was_made_has_the_rest(made: Town) -> None:
    """A planner that did not see them leave owes them a letter: it ends when it asks to go."""
    with made.database.write() as session:  # what leaving does, to a planner's rows not there yet
        person = find_subscriber(session, parse_address("ann@example.org"))
        assert person is not None
        gone = (col(Subscription.subscriber_id) == person.id) & (col(Subscription.category) == "news")
        session.execute(update(Subscription).where(gone).values(state=SubscriptionState.LEFT))
    with made.database.writing_connection() as connection:
        ledger = Ledger(made.database, connection, resend_in_doubt=True, now=EVENING)
        claimed = [letter.id for letter in ledger.claim(100, EVENING)]
        allowed = ledger.settle(claimed, [])
        ledger.close(EVENING)
    assert len(claimed) - len(allowed) == 1
    made.plan(EVENING)
    assert shown(made) == [("cancelled", "advice-1 news-1"), ("queued", "advice-1")]


def test_a_digest_in_doubt_keeps_its_posts(made: Town) -> None:
    """What may have arrived is not made anew when its reader leaves a category."""
    doubt = {"state": "in_doubt", "doubted_at": EVENING}
    do(
        made,
        lambda session: session.execute(
            update(Delivery).where(col(Delivery.category) == DIGEST).values(doubt)
        ),
    )
    made.leave("ann", "news")
    made.plan(EVENING + DAY)
    assert shown(made) == [("cancelled", "advice-1 news-1")]


def test_a_category_that_is_removed_leaves_digests(made: Town) -> None:
    """Digests with its posts end, and what else was in them comes."""
    do(made, lambda session: remove_category(session, find_category(session, "news"), editor=made.editor))
    made.plan(EVENING + DAY)
    assert shown(made) == [("cancelled", "advice-1 news-1"), ("queued", "advice-1")]
    look(made)


def test_a_category_that_is_removed_leaves_what_waits(day: Town) -> None:
    """Posts of it that wait for a digest are given up."""
    day.plan(MORNING)
    do(day, lambda session: remove_category(session, find_category(session, "advice"), editor=day.editor))
    look(day)
    day.plan(EVENING)
    assert shown(day) == []
    assert [row.post for row in day.letters() if row.reader == "ann"] == ["news-1"]


def test_who_leaves_twice_and_comes_back_has_nothing_twice(made: Town) -> None:
    """Posts of a digest that ended long ago do not come to life with the next one that ends."""
    made.leave("ann", "news")
    made.plan(EVENING)
    made.subscribe("ann", category="news")
    made.leave("ann", "advice")
    sound(made)
    made.plan(EVENING + DAY)
    assert shown(made) == [("cancelled", "advice-1 news-1"), ("cancelled", "advice-1")]
    with made.database.read() as session:
        waiting = session.exec(select(DigestPost.id).where(col(DigestPost.letter_key).is_(None)))
        assert waiting.all() == []


def test_a_complaint_leaves_all_categories_of_a_digest(made: Town) -> None:
    """And each has its evidence."""
    do(
        made,
        lambda session: session.execute(update(Delivery).values(state="sent", sent_at=EVENING, attempts=1)),
    )
    with made.database.write() as session:
        letter = session.exec(select(Delivery.id).where(Delivery.category == DIGEST)).one()
        assert record_complaint(session, letter, SUPPRESSIONS, now=EVENING) == (True, ["advice", "news"])
    with made.database.read() as session:
        withdrawn = select(Consent.category).where(Consent.action == ConsentAction.WITHDRAWN)
        assert sorted(session.exec(withdrawn)) == ["advice", "news"]


def test_a_restored_digest_waits_for_a_person(day: Town) -> None:
    """Posts that were ready since the backup may have gone: their issue is paused."""
    day.plan(MORNING)
    first = number_of(day, IssueKind.SLOT)
    with day.database.writing_connection() as connection:
        assert first in quieten(connection, EVENING).issues
        connection.commit()
    day.plan(EVENING + DAY)
    assert shown(day) == []
    do(day, lambda session: resume(session, first, now=EVENING, expiry=WEEK))
    day.plan(EVENING + DAY)
    assert shown(day) == [("queued", "advice-1")]


def test_a_sender_has_work_with_a_digest_as_with_any_letter(made: Town) -> None:
    """A digest is looked for, claimed and let go like others."""
    do(
        made,
        lambda session: session.execute(
            update(Delivery).where(col(Delivery.category) != DIGEST).values(state="sent", sent_at=EVENING)
        ),
    )
    with made.database.read() as session:
        assert has_work(session, EVENING, resend_in_doubt=True)
    with made.database.writing_connection() as connection:
        ledger = Ledger(made.database, connection, resend_in_doubt=True, now=EVENING)
        [letter] = ledger.claim(10, EVENING)
        assert ledger.settle([letter.id], []) == {letter.id}
        ledger.close(EVENING)
