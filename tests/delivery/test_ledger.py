"""The ledger on both databases: who may take a letter, what is written, what a crash leaves."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from newsletter.app import App
from newsletter.delivery.ledger import Ledger, Recorded
from newsletter.delivery.letters import LedgerLetters, has_work
from newsletter.delivery.outcome import Outcome, Stage, broken, replied
from newsletter.models import Attempt, Delivery, Issue, Owner, Receipt, Verdict
from newsletter.states import LEGAL, UNSENT, DeliveryState, IssueState
from subscribers.models import Subscriber, Subscription, SubscriptionState
from subscribers.subscriptions import Permission, leave
from tests.delivery.bigissue import SLOT, make_readers
from tests.delivery.claimer import Claimer
from tests.properties import tried

State = DeliveryState
DUE = datetime.fromisoformat(SLOT)

YES = replied(Stage.DOT, 250, "2.0.0 Ok")
NOT_NOW = replied(Stage.RCPT, 450, "4.2.1 Not now")
NEVER = replied(Stage.RCPT, 550, "5.1.1 Nobody")
NEVER_AT_DOT = replied(Stage.DOT, 554, "5.6.0 No")
NO_WORD = broken(Stage.DOT, "the relay closed the connection.")


def plan(site: App, readers: int) -> list[int]:
    """An issue to this many readers, due now; returns the ids of its deliveries."""
    make_readers(site, readers)
    site.clock.now = DUE  # type: ignore[attr-defined]  # the test's clock
    site.plan_due()
    with site.database.read() as session:
        return list(session.execute(select(col(Delivery.id)).order_by(col(Delivery.id))).scalars())


@contextmanager
def opened(site: App, *, resend: bool = True) -> Iterator[Ledger]:
    """A ledger of a process that ends in good order."""
    with site.database.writing_connection() as connection:
        ledger = Ledger(site.database, connection, resend_in_doubt=resend, now=site.clock())
        yield ledger
        ledger.close(site.clock())


@contextmanager
def dying(site: App) -> Iterator[Ledger]:
    """A ledger of a process that dies: its lock is gone, its books are as they were."""
    with site.database.writing_connection() as connection:
        ledger = Ledger(site.database, connection, resend_in_doubt=True, now=site.clock())
        yield ledger
        ledger._ownership.release()


def claim(ledger: Ledger, limit: int = 100, now: datetime = DUE) -> list[int]:
    return [delivery.id for delivery in ledger.claim(limit, now)]


def record(ledger: Ledger, delivery: int, outcome: Outcome, retry_at: datetime | None = None) -> None:
    ledger.settle([], [Recorded(delivery, 1, outcome, DUE, retry_at)])


def row(site: App, delivery: int) -> Delivery:
    with site.database.read() as session:
        return session.get_one(Delivery, delivery)


def expiry(site: App) -> datetime:
    """When the only issue's letters are stale."""
    with site.database.read() as session:
        return session.execute(select(col(Issue.expires_at))).scalar_one()


def states(site: App) -> dict[int, str]:
    with site.database.read() as session:
        found = select(col(Delivery.id), col(Delivery.state)).order_by(col(Delivery.id))
        return dict(session.execute(found).all())


def receipts(site: App) -> set[int]:
    """The deliveries whose readers hold a receipt."""
    with site.database.read() as session:
        held = select(col(Delivery.id)).join(
            Receipt,
            (col(Receipt.subscriber_id) == col(Delivery.subscriber_id))
            & (col(Receipt.letter_key) == col(Delivery.letter_key)),
        )
        return set(session.execute(held).scalars())


def attempts(site: App, delivery: int) -> list[Attempt]:
    with site.database.read() as session:
        found = select(Attempt).where(col(Attempt.delivery_id) == delivery).order_by(col(Attempt.id))
        return list(session.execute(found).scalars())


def say_goodbye(site: App, delivery: int) -> None:
    """The reader of a delivery leaves."""
    with site.database.write() as session:
        reader = session.get_one(Delivery, delivery).subscriber_id
        leave(session, reader, ["advice"], Permission("page"), LedgerLetters(), now=DUE)


# Claiming.


def test_a_letter_is_claimed_by_one_process_only(advice: App) -> None:
    """Two processes that claim at the same time share the letters out: all of them, none twice."""
    ids = plan(advice, 60)

    def take_all() -> list[int]:
        taken: list[int] = []
        with dying(advice) as ledger:
            while claimed := claim(ledger, 4):
                taken += claimed
        return taken

    with ThreadPoolExecutor(3) as pool:
        shares = [share.result() for share in [pool.submit(take_all) for _ in range(3)]]
    assert sorted(delivery for share in shares for delivery in share) == ids


def test_claims_come_oldest_first_and_within_the_limit(advice: App) -> None:
    """What has waited longest goes first; a deferred letter that is due again goes before new ones."""
    ids = plan(advice, 5)
    with advice.database.write() as session:
        for place, minutes in enumerate((3, 1, 2, 5, 4)):
            due = DUE - timedelta(minutes=minutes)
            session.execute(update(Delivery).where(col(Delivery.id) == ids[place]).values(due_at=due))
        session.execute(update(Delivery).where(col(Delivery.id) == ids[1]).values(state=State.DEFERRED))
    with opened(advice) as ledger:
        assert claim(ledger, 1) == [ids[1]]
        assert sorted(claim(ledger, 2)) == sorted([ids[3], ids[4]])
        assert sorted(claim(ledger)) == sorted([ids[0], ids[2]])
        assert claim(ledger) == []


def test_what_is_not_due_or_stale_or_not_waiting_is_not_claimed(advice: App) -> None:
    """Only letters that are owed now can be taken."""
    ids = plan(advice, 12)
    due, early, *others = ids
    with advice.database.write() as session:
        later = DUE + timedelta(seconds=1)
        session.execute(update(Delivery).where(col(Delivery.id) == early).values(due_at=later))
        settled = [state for state in State if state not in (State.QUEUED, State.DEFERRED, State.IN_DOUBT)]
        for delivery, state in zip(others, settled, strict=False):
            session.execute(update(Delivery).where(col(Delivery.id) == delivery).values(state=state))
    with opened(advice) as ledger:
        expected = {due, *others[len(settled) :]}
        assert set(claim(ledger)) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"state": IssueState.PAUSED},
        {"state": IssueState.CANCELLED},
        {"expires_at": DUE},
        {"due_at": DUE + timedelta(seconds=1)},
        {"finished_at": DUE},
    ],
)
def test_only_issues_that_go_out_now_are_claimed_from(advice: App, change: dict[str, Any]) -> None:
    """Paused, cancelled, stale, early or finished, an issue's letters are left alone."""
    ids = plan(advice, 2)
    with opened(advice) as ledger, advice.database.write() as session:
        issue_id = session.execute(select(col(Issue.id))).scalar_one()
        session.execute(update(Issue).where(col(Issue.id) == issue_id).values(**change))
        session.commit()
        assert claim(ledger) == []
        session.execute(
            update(Issue)
            .where(col(Issue.id) == issue_id)
            .values(
                state=IssueState.PLANNED, expires_at=DUE + timedelta(days=1), due_at=DUE, finished_at=None
            )
        )
        session.commit()
        assert claim(ledger) == ids


def test_a_first_share_is_claimed_alone(advice: App) -> None:
    """While an issue has a first share, only the letters whose number it divides can be taken."""
    ids = plan(advice, 6)
    with advice.database.write() as session:
        session.execute(update(Issue).values(canary_every=3))
    with opened(advice) as ledger:
        assert claim(ledger) == [delivery for delivery in ids if delivery % 3 == 0]


@pytest.mark.parametrize(
    ("state", "left"), [(IssueState.PAUSED, State.QUEUED), (IssueState.CANCELLED, State.CANCELLED)]
)
def test_stopping_an_issue_stops_letters_that_were_claimed(
    advice: App, state: IssueState, left: State
) -> None:
    """Once an issue is stopped no claimed letter of it gets leave: it waits with it, or ends with it."""
    ids = plan(advice, 3)
    with opened(advice) as ledger:
        claim(ledger)
        assert ledger.settle(ids[:1], []) == {ids[0]}
        with advice.database.write() as session:
            session.execute(update(Issue).values(state=state))
        assert ledger.settle(ids[1:2], []) == set()
        assert states(advice) == {ids[0]: State.SENDING, ids[1]: left, ids[2]: State.CLAIMED}
    assert receipts(advice) == (set(ids) if left is State.QUEUED else {ids[0], ids[2]})


def test_letters_are_put_off_untried(advice: App) -> None:
    """Given back by the one who claimed them, they are due later, with no try counted; others' stay."""
    ids = plan(advice, 2)
    later = DUE + timedelta(minutes=10)
    with opened(advice) as ledger:
        claim(ledger, limit=1)
        ledger.put_off([(ids[0], later), (ids[1], later)])
        assert [(row(advice, i).state, row(advice, i).due_at, row(advice, i).attempts) for i in ids] == [
            (State.QUEUED, later, 0),
            (State.QUEUED, DUE, 0),
        ]


def test_a_claim_brings_what_is_needed_to_send(advice: App) -> None:
    """Address as first given, edition, tries so far."""
    plan(advice, 1)
    with opened(advice) as ledger:
        (claimed,) = ledger.claim(1, DUE)
    found = row(advice, claimed.id)
    assert (claimed.address, claimed.domain, claimed.edition_id, claimed.issue_id, claimed.attempts) == (
        "reader0@example.net",
        "example.net",
        found.edition_id,
        found.issue_id,
        0,
    )


@pytest.mark.parametrize("resend", [True, False])
def test_the_site_says_whether_a_letter_in_doubt_is_sent_again(advice: App, resend: bool) -> None:
    """resend: it is claimed as soon as it is due, before anything else; hold: it waits for a person."""
    ids = plan(advice, 2)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids, [])
        record(ledger, ids[1], NO_WORD, retry_at=DUE + timedelta(minutes=5))
        record(ledger, ids[0], YES)
    soon = DUE + timedelta(minutes=5)
    with advice.database.read() as session:
        assert not has_work(session, DUE, resend_in_doubt=resend)
        assert has_work(session, soon, resend_in_doubt=resend) is resend
    with opened(advice, resend=resend) as ledger:
        assert claim(ledger, now=soon - timedelta(seconds=1)) == []
        assert claim(ledger, now=soon) == ([ids[1]] if resend else [])


def test_a_doubt_is_not_resent_for_ever(advice: App) -> None:
    """Once stale, a letter whose replies keep getting lost stays in doubt and is left alone."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle([delivery], [])
        record(ledger, delivery, NO_WORD, retry_at=DUE + timedelta(minutes=5))
    expires = expiry(advice)
    with advice.database.read() as session:
        assert not has_work(session, expires, resend_in_doubt=True)
    with opened(advice) as ledger:
        assert claim(ledger, now=expires) == []
        assert ledger.expire(expires, most=100) == 0
    assert states(advice) == {delivery: State.IN_DOUBT}


def test_a_doubt_is_not_forgotten_when_a_claim_comes_back(advice: App) -> None:
    """Claimed again and handed back untried, or by a dead process, a letter is as doubtful as before."""
    ids = plan(advice, 2)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids, [])
        for delivery in ids:
            record(ledger, delivery, NO_WORD, retry_at=DUE)
    with opened(advice) as ledger:
        assert claim(ledger, 1) == ids[:1]
    with dying(advice) as dead:
        claim(dead)
    with opened(advice, resend=False) as ledger:
        ledger.recover(DUE)
        assert states(advice) == dict.fromkeys(ids, State.IN_DOUBT)
        assert claim(ledger) == []
    say_goodbye(advice, ids[0])
    assert states(advice)[ids[0]] == State.CANCELLED
    assert receipts(advice) == set(ids)  # it may have arrived: nobody is given the post a second time


# Settling.


def test_leave_to_send_is_on_record_before_it_is_given(advice: App) -> None:
    """What may go is `sending` for every other connection to see, by the time the answer is there."""
    ids = plan(advice, 3)
    with opened(advice) as ledger:
        claim(ledger)
        assert ledger.settle(ids[:2], []) == set(ids[:2])
        assert states(advice) == {ids[0]: State.SENDING, ids[1]: State.SENDING, ids[2]: State.CLAIMED}


@pytest.mark.parametrize(
    ("outcome", "is_sending", "retry_at"),
    [
        (YES, True, None),
        (NEVER_AT_DOT, True, None),
        (NO_WORD, True, DUE + timedelta(minutes=5)),
        (NOT_NOW, False, DUE + timedelta(minutes=5)),
        (NEVER, False, None),
    ],
)
def test_an_outcome_is_recorded_with_its_words(
    advice: App, outcome: Outcome, is_sending: bool, retry_at: datetime | None
) -> None:
    """State, time, reply and next try on the letter; the try itself on a row of its own."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        if is_sending:
            ledger.settle([delivery], [])
        record(ledger, delivery, outcome, retry_at)
        owner = ledger.owner_id
    found = row(advice, delivery)
    assert (found.state, found.attempts) == (outcome.state, 1)
    assert found.reply == (outcome.reply if outcome.code is None else f"{outcome.code} {outcome.reply}")
    assert found.due_at == (retry_at or DUE)
    assert found.sent_at == (DUE if outcome is YES else None)
    (attempt,) = attempts(advice, delivery)
    assert (attempt.outcome, attempt.stage, attempt.code, attempt.reply, attempt.at, attempt.owner_id) == (
        outcome.state,
        outcome.stage,
        outcome.code,
        outcome.reply,
        DUE,
        owner,
    )
    assert attempt.enhanced_status == outcome.enhanced_status


def test_many_outcomes_and_marks_are_one_transaction(advice: App) -> None:
    """A turn's entries are settled together, each by itself."""
    ids = plan(advice, 6)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids[:3], [])
        turn = [
            Recorded(ids[0], 1, YES, DUE),
            Recorded(ids[1], 1, NEVER_AT_DOT, DUE),
            Recorded(ids[3], 1, NEVER, DUE),
        ]
        assert ledger.settle(ids[4:], turn) == set(ids[4:])
        expected = [State.SENT, State.BOUNCED, State.SENDING, State.BOUNCED, State.SENDING, State.SENDING]
        assert [states(advice)[delivery] for delivery in ids] == expected
        assert receipts(advice) == {ids[0], ids[2], ids[4], ids[5]}


def test_a_letter_of_somebody_else_is_not_touched(advice: App) -> None:
    """Neither leave to send nor outcome changes a row that another process has claimed."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as mine, opened(advice) as other:
        claim(other)
        assert mine.settle([delivery], []) == set()
        record(mine, delivery, NEVER)
        assert (row(advice, delivery).state, row(advice, delivery).owner_id) == (
            State.CLAIMED,
            other.owner_id,
        )
        assert receipts(advice) == {delivery}


# Leaving.


@pytest.mark.parametrize("state", [State.QUEUED, State.CLAIMED, State.DEFERRED, State.HELD, State.IN_DOUBT])
def test_leaving_cancels_what_is_not_on_the_wire(advice: App, state: State) -> None:
    """A reader who leaves gets nothing that can still be stopped, and holds no receipt for it."""
    leaver, stayer = plan(advice, 2)
    with opened(advice) as ledger:
        claim(ledger)
        with advice.database.write() as session:
            session.execute(update(Delivery).values(state=state))
        say_goodbye(advice, leaver)
        assert states(advice) == {leaver: State.CANCELLED, stayer: state}
        assert receipts(advice) == {stayer}
        assert leaver not in ledger.settle([leaver, stayer], [])


@pytest.mark.parametrize("state", [State.SENDING, State.SENT, State.BOUNCED])
def test_leaving_changes_nothing_that_has_gone(advice: App, state: State) -> None:
    """What is on the wire or at its end stays what it is."""
    (delivery,) = plan(advice, 1)
    with advice.database.write() as session:
        session.execute(update(Delivery).values(state=state))
    say_goodbye(advice, delivery)
    assert states(advice) == {delivery: state}


def test_one_who_left_gets_nothing_though_the_letter_was_written_afterwards(advice: App) -> None:
    """A planner that saw the reader just before they left owes them a letter: it ends when it asks to go."""
    leaver, stayer = plan(advice, 2)
    with advice.database.write() as session:  # what leaving does, to a planner's row not there yet
        reader = session.get_one(Delivery, leaver).subscriber_id
        gone = update(Subscription).where(col(Subscription.subscriber_id) == reader)
        session.execute(gone.values(state=SubscriptionState.LEFT))
    with opened(advice) as ledger:
        claim(ledger)
        assert ledger.settle([leaver, stayer], []) == {stayer}
    assert states(advice)[leaver] == State.CANCELLED
    assert receipts(advice) == {stayer}


def test_a_reader_who_is_just_leaving_is_waited_for(advice: App) -> None:
    """Row locks put leaving and sending in order: the letter asks while the leave is not committed yet."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        with ThreadPoolExecutor(1) as pool:
            with advice.database.write() as session:
                reader = session.get_one(Delivery, delivery).subscriber_id
                leave(session, reader, ["advice"], Permission("page"), LedgerLetters(), now=DUE)
                answer = pool.submit(ledger.settle, [delivery], [])
            assert answer.result() == set()
    assert states(advice) == {delivery: State.CANCELLED}


def test_a_deferred_letter_of_one_who_left_ends_at_the_next_try(advice: App) -> None:
    """Left while the letter was on the wire and put off: it is not tried again."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle([delivery], [])
        say_goodbye(advice, delivery)
        record(ledger, delivery, replied(Stage.DOT, 451, "later"), retry_at=DUE)
        assert claim(ledger) == [delivery]
        assert ledger.settle([delivery], []) == set()
    assert states(advice) == {delivery: State.CANCELLED}
    assert receipts(advice) == set()


def test_a_word_that_comes_too_late_does_not_bring_a_letter_back(advice: App) -> None:
    """Cancelled while the relay refused the recipient, the letter stays so; the try is on record."""
    (delivery,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        say_goodbye(advice, delivery)
        record(ledger, delivery, NOT_NOW, retry_at=DUE + timedelta(minutes=5))
    assert states(advice) == {delivery: State.CANCELLED}
    assert [attempt.code for attempt in attempts(advice, delivery)] == [450]


# The end of letters.


def test_stale_letters_expire_and_give_their_receipts_back(advice: App) -> None:
    """Queued or deferred for too long, a letter ends; what is claimed, on the wire or in doubt does not."""
    ids = plan(advice, 5)
    kept = [State.CLAIMED, State.SENDING, State.IN_DOUBT]
    with advice.database.write() as session:
        for delivery, state in zip(ids, [State.QUEUED, State.DEFERRED, *kept], strict=True):
            session.execute(update(Delivery).where(col(Delivery.id) == delivery).values(state=state))
    expires = expiry(advice)
    with opened(advice) as ledger:
        assert ledger.expire(expires - timedelta(seconds=1), most=100) == 0
        assert ledger.expire(expires, most=100) == 2
        assert ledger.expire(expires, most=100) == 0
    assert [states(advice)[delivery] for delivery in ids] == [State.EXPIRED, State.EXPIRED, *kept]
    assert receipts(advice) == set(ids[2:])


def test_stale_letters_end_a_few_at_a_time(advice: App) -> None:
    """However many there are, no more are ended at once than is asked for, the oldest first."""
    ids = plan(advice, 5)
    expires = expiry(advice)
    with opened(advice) as ledger:
        for ended in ([*ids[:2]], [*ids[:4]], ids):
            ledger.expire(expires, most=2)
            assert [delivery for delivery, state in states(advice).items() if state == State.EXPIRED] == ended
            assert receipts(advice) == set(ids) - set(ended)


# Failures.


def test_what_fails_leaves_the_books_open_for_answers(advice: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that fails beside letters on the wire is undone: their answers are recorded then."""
    ids = plan(advice, 3)

    def fail(connection: Connection, *_: object) -> None:
        connection.execute(text("SELECT nothing FROM nowhere"))

    with opened(advice) as ledger:
        assert claim(ledger, 1) == ids[:1]
        ledger.settle(ids[:1], [])
        with monkeypatch.context() as patched:
            patched.setattr("newsletter.delivery.ledger.release_receipts", fail)
            with pytest.raises(DBAPIError):
                ledger.expire(expiry(advice), most=10)
        assert states(advice)[ids[1]] == State.QUEUED
        record(ledger, ids[0], YES)
    assert states(advice) == {ids[0]: State.SENT, ids[1]: State.QUEUED, ids[2]: State.QUEUED}


# Crashes.


def test_a_dead_process_is_taken_over_from(advice: App) -> None:
    """Its untried claims are queued again; what was on the wire is in doubt, by name and on record."""
    ids = plan(advice, 5)
    with dying(advice) as dead:
        claim(dead, 4)
        dead.settle(ids[:2], [])
    later = DUE + timedelta(hours=1)
    with opened(advice) as ledger:
        recovered = ledger.recover(later)
        assert recovered.requeued == 2
        assert set(recovered.in_doubt) == {(ids[0], "reader0@example.net"), (ids[1], "reader1@example.net")}
        assert [states(advice)[delivery] for delivery in ids] == [State.IN_DOUBT] * 2 + [State.QUEUED] * 3
        assert row(advice, ids[0]).due_at == later
        (attempt,) = attempts(advice, ids[0])
        assert (attempt.outcome, attempt.stage, attempt.code, attempt.owner_id) == (
            State.IN_DOUBT,
            Stage.DOT,
            None,
            dead.owner_id,
        )
        assert row(advice, ids[0]).attempts == 1
        assert row(advice, ids[2]).attempts == 0
        assert attempts(advice, ids[2]) == []
        again = ledger.recover(later)
        assert (again.requeued, again.in_doubt) == (0, ())
    assert receipts(advice) == set(ids)


def test_a_process_that_ends_in_good_order_leaves_nothing_to_recover(advice: App) -> None:
    """Closing the books gives claims back as they were, with no try counted, and ends the owner."""
    ids = plan(advice, 3)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids[:1], [])
        record(ledger, ids[0], YES)
    assert states(advice) == {ids[0]: State.SENT, ids[1]: State.QUEUED, ids[2]: State.QUEUED}
    given_back = row(advice, ids[1])
    assert (given_back.owner_id, given_back.due_at, given_back.attempts) == (None, DUE, 0)
    with advice.database.read() as session:
        assert session.execute(select(col(Owner.ended_at))).scalars().all() == [DUE]
    with opened(advice) as ledger:
        assert ledger.recover(DUE).requeued == 0


def test_a_letter_cut_off_on_the_wire_is_found_though_the_books_were_closed(advice: App) -> None:
    """An error in the middle closes the books with letters `sending`: the next process has them in doubt."""
    ids = plan(advice, 2)
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids[:1], [])
    assert states(advice) == {ids[0]: State.SENDING, ids[1]: State.QUEUED}
    with opened(advice) as ledger:
        assert [delivery for delivery, _ in ledger.recover(DUE).in_doubt] == [ids[0]]


def test_a_live_process_is_left_alone_and_a_killed_one_is_not(advice: App, database_url: str) -> None:
    """Two real processes: while one lives its letters are its own; killed, it is taken over from at once."""
    ids = plan(advice, 6)
    with Claimer(database_url, DUE, 3) as living, Claimer(database_url, DUE, 2) as doomed:
        with opened(advice) as ledger:
            recovered = ledger.recover(DUE)
            assert (recovered.requeued, recovered.in_doubt, recovered.senders) == (0, (), 3)
            assert len(claim(ledger)) == 1
            doomed.kill()
            # The lock goes with the process; PostgreSQL hears of its end a moment later.
            while not (recovered := ledger.recover(DUE)).requeued:
                pass
            assert [delivery for delivery, _ in recovered.in_doubt] == [doomed.sending]
            assert (recovered.requeued, recovered.senders) == (1, 2)
            assert states(advice)[living.sending] == State.SENDING
            assert {states(advice)[delivery] for delivery in living.claimed} == {State.CLAIMED}
        living.end()
    assert states(advice)[living.sending] == State.SENDING
    with opened(advice) as ledger:
        assert [delivery for delivery, _ in ledger.recover(DUE).in_doubt] == [living.sending]
    assert sorted(states(advice)) == ids


# Every change, in any order.


@dataclass
class Walk:
    """Two processes and some readers, and what may happen to them."""

    site: App
    ids: list[int]
    ledgers: list[Ledger]
    now: datetime = DUE
    hands: list[list[int]] = field(default_factory=lambda: [[], []])
    """What each process believes it has claimed."""
    wire: list[list[int]] = field(default_factory=lambda: [[], []])

    def claim(self, which: int, place: int) -> None:
        self.hands[which] += claim(self.ledgers[which], 1 + place % 3, self.now)

    def mark(self, which: int, place: int) -> None:
        asked, self.hands[which] = self.hands[which][:2], self.hands[which][2:]
        self.wire[which] += self.ledgers[which].settle(asked, [])

    def hear(self, which: int, place: int) -> None:
        outcome = (YES, NEVER_AT_DOT, NO_WORD, replied(Stage.DOT, 451, "later"))[place % 4]
        self._record(which, self.wire[which][:1], outcome)
        del self.wire[which][:1]

    def refused(self, which: int, place: int) -> None:
        self._record(which, self.hands[which][:1], (NEVER, NOT_NOW)[place % 2])
        del self.hands[which][:1]

    def _record(self, which: int, ids: list[int], outcome: Outcome) -> None:
        retry_at = self.now + timedelta(minutes=5) if outcome.state not in (State.SENT, *UNSENT) else None
        if ids:
            self.ledgers[which].settle([], [Recorded(ids[0], 1, outcome, self.now, retry_at)])

    def depart(self, which: int, place: int) -> None:
        say_goodbye(self.site, self.ids[place % len(self.ids)])

    def die(self, which: int, place: int) -> None:
        self.ledgers[which]._ownership.release()
        self._start_again(which)

    def close(self, which: int, place: int) -> None:
        self.ledgers[which].close(self.now)
        self._start_again(which)

    def _start_again(self, which: int) -> None:
        old = self.ledgers[which]
        self.ledgers[which] = Ledger(self.site.database, old._connection, resend_in_doubt=True, now=self.now)
        self.hands[which], self.wire[which] = [], []

    def recover(self, which: int, place: int) -> None:
        self.ledgers[which].recover(self.now)

    def expire(self, which: int, place: int) -> None:
        self.ledgers[which].expire(self.now, most=100)

    def wait(self, which: int, place: int) -> None:
        self.now += timedelta(hours=(1, 30)[place % 2])


MOVES: list[Callable[[Walk, int, int], None]] = [
    Walk.claim,
    Walk.mark,
    Walk.hear,
    Walk.refused,
    Walk.depart,
    Walk.die,
    Walk.close,
    Walk.recover,
    Walk.expire,
    Walk.wait,
]


@tried(40, quickly=15)
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 1), st.integers(0, 11)), max_size=40))
@example([(move, 0, 2) for move in (Walk.claim, Walk.mark, Walk.hear, Walk.wait, Walk.claim, Walk.close)])
def test_every_change_is_legal_in_whatever_order_things_happen(
    walked: "tuple[App, Rows]", moves: list[tuple[Callable[[Walk, int, int], None], int, int]]
) -> None:
    """Two processes claim, send, die and recover beside readers who leave: each change is in LEGAL."""
    site, rows = walked
    rows.restore(site)
    with site.database.writing_connection() as one, site.database.writing_connection() as two:
        ledgers = [
            Ledger(site.database, connection, resend_in_doubt=True, now=DUE) for connection in (one, two)
        ]
        walk = Walk(site, rows.ids, ledgers)
        before = states(site)
        for move, which, place in moves:
            move(walk, which, place)
            after = states(site)
            for delivery, state in after.items():
                was = State(before[delivery])
                assert state == was or State(state) in LEGAL[was], f"{move.__name__}: {was} to {state}"
            before = after
            assert receipts(site) == {delivery for delivery, state in after.items() if state not in UNSENT}
            assert not set(walk.wire[0]) & set(walk.wire[1])
        with site.database.read() as session:
            tries = select(func.count()).select_from(Attempt)
            counted = session.execute(select(func.sum(col(Delivery.attempts)))).scalar_one()
            # A letter cancelled under an open transaction keeps the record of it, uncounted.
            assert counted <= session.execute(tries).scalar_one()
        for ledger in walk.ledgers:
            ledger._ownership.release()


@dataclass
class Rows:
    """The rows of a planned issue, to begin again with."""

    ids: list[int]
    deliveries: list[dict[str, Any]]
    receipts: list[dict[str, Any]]

    def restore(self, site: App) -> None:
        with site.database.write() as session:
            session.execute(delete(Verdict))
            session.execute(delete(Attempt))
            session.execute(delete(Delivery))
            session.execute(delete(Receipt))
            session.execute(update(Owner).values(ended_at=DUE))
            session.execute(update(Subscription).values(state=SubscriptionState.ACTIVE))
            session.execute(insert(Delivery), self.deliveries)
            session.execute(insert(Receipt), self.receipts)


@pytest.fixture
def walked(advice: App) -> tuple[App, Rows]:
    """A planned issue to six readers, and its rows."""
    ids = plan(advice, 6)
    with advice.database.read() as session:
        deliveries = [found.model_dump() for found in session.execute(select(Delivery)).scalars()]
        receipts = [found.model_dump() for found in session.execute(select(Receipt)).scalars()]
        assert session.execute(select(func.count()).select_from(Subscriber)).scalar_one() == 6
    return advice, Rows(ids, deliveries, receipts)


def test_an_issue_that_is_resumed_at_the_wrong_moment_loses_nobody(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused leave while it was paused, looked at when it goes on again: its letters wait for their turn."""
    ids = plan(advice, 3)
    pause = update(Issue).values(state=IssueState.PAUSED)
    resume = update(Issue).values(state=IssueState.PLANNED)
    with opened(advice) as ledger:
        claim(ledger)
        with advice.database.write() as session:
            session.execute(pause)
        look = ledger._marked

        def meanwhile(sending: list[int]) -> set[int]:
            ledger._connection.commit()
            with advice.database.write() as session:
                session.execute(resume)
            return look(sending)

        monkeypatch.setattr(ledger, "_marked", meanwhile)
        assert ledger.settle(ids, []) == set()
        assert set(states(advice).values()) == {State.QUEUED}
        assert claim(ledger) == ids
    assert receipts(advice) == set(ids)


def test_a_deferred_letter_that_is_given_back_untried_stays_deferred(advice: App) -> None:
    """It has been tried: `delivery list --state deferred` has it, also after a stop between claim and try."""
    first, second = plan(advice, 2)
    with opened(advice) as ledger:
        claim(ledger)
        record(ledger, first, replied(Stage.RCPT, 450, "4.2.1 later"), retry_at=DUE)
        assert claim(ledger, 1) == [first]
    assert states(advice) == {first: State.DEFERRED, second: State.QUEUED}
    with opened(advice) as ledger:
        assert claim(ledger) == [first, second]
        ledger.put_off([(first, DUE), (second, DUE + timedelta(hours=1))])
    assert states(advice) == {first: State.DEFERRED, second: State.QUEUED}
    assert row(advice, second).due_at == DUE + timedelta(hours=1)


# Verdicts.


def verdicts(site: App) -> list[tuple[int | None, str | None, str, int | None]]:
    """(delivery, class, words, attempt) of each."""
    with site.database.read() as session:
        found = select(Verdict).order_by(col(Verdict.delivery_id), col(Verdict.id))
        rows = session.execute(found).scalars()
        return [(one.delivery_id, one.bounce_class, one.diagnostic, one.attempt_id) for one in rows]


def test_a_refusal_leaves_a_verdict_beside_its_attempt(advice: App) -> None:
    """Of whatever is refused for good, and of nothing else; its words are those of the relay."""
    ids = plan(advice, 5)
    outcomes = [YES, NEVER, NOT_NOW, NEVER_AT_DOT, replied(Stage.RCPT, 550, '5.7.1 {Bl\\o"cked}, NULL')]
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(
            [one for one, outcome in zip(ids, outcomes, strict=True) if outcome.stage is Stage.DOT], []
        )
        ledger.settle([], [Recorded(one, 1, what, DUE) for one, what in zip(ids, outcomes, strict=True)])
    newest = {one: attempts(advice, one)[-1].id for one in ids}
    assert verdicts(advice) == [
        (ids[1], "dead", "550 5.1.1 Nobody", newest[ids[1]]),
        (ids[3], "content", "554 5.6.0 No", newest[ids[3]]),
        (ids[4], "policy", '550 5.7.1 {Bl\\o"cked}, NULL', newest[ids[4]]),
    ]


def test_what_is_said_to_every_letter_is_held_against_nobody(advice: App) -> None:
    """A relay that knows no command, or asks for a login, has said nothing of any reader."""
    ids = plan(advice, 3)
    replies = [
        replied(Stage.RCPT, 503, "Bad sequence"),
        replied(Stage.RCPT, 554, "No"),
        replied(Stage.DOT, 550, "No"),
    ]
    with opened(advice) as ledger:
        claim(ledger)
        ledger.settle(ids[2:], [])
        ledger.settle([], [Recorded(one, 1, what, DUE) for one, what in zip(ids, replies, strict=True)])
    assert [one[1] for one in verdicts(advice)] == ["policy", "policy", "content"]


@pytest.mark.parametrize(
    ("last", "bounce_class"),
    [
        (replied(Stage.RCPT, 452, "4.2.2 Full"), "full"),
        (replied(Stage.RCPT, 450, "4.4.1 No answer from host"), "routing"),
        (replied(Stage.RCPT, 450, "4.2.0 Mailbox busy"), "unclear"),
        (replied(Stage.RCPT, 450, "4.7.1 Greylisted"), "policy"),
        (replied(Stage.RCPT, 450, "4.1.1 Unknown for now"), "unclear"),
        (replied(Stage.RCPT, 451, "4.3.0 Try again"), None),
        (replied(Stage.RCPT, 421, "4.4.2 Timeout"), None),
        (replied(Stage.MAIL, 451, "4.7.1 Not you"), None),
        (broken(Stage.RCPT, "the relay closed the connection."), None),
    ],
)
def test_a_letter_that_expires_is_judged_by_its_last_try(
    advice: App, last: Outcome, bounce_class: str | None
) -> None:
    """Where something was said of its reader; that our own relay was away is no word about them."""
    (letter,) = plan(advice, 1)
    with opened(advice) as ledger:
        claim(ledger)
        record(ledger, letter, last, DUE)
        for _ in range(2):  # once more, by the same try
            with advice.database.write() as session:
                session.execute(update(Delivery).values(state=State.DEFERRED))
            assert ledger.expire(expiry(advice), 10) == 1
    assert [one[1] for one in verdicts(advice)] == ([bounce_class] if bounce_class else [])
