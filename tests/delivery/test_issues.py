"""An issue in a person's hands, on both databases: paused, resumed, cancelled, tried again, ended."""

from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from sqlalchemy import Connection, event
from sqlmodel import Session, col, select

from newsletter.backup.quiet import quieten
from newsletter.database import Database
from newsletter.delivery.canary import review
from newsletter.delivery.issues import (
    Retried,
    cancel,
    clear,
    letters_by_state,
    pause,
    resume,
    retry_failed,
)
from newsletter.delivery.ledger import Ledger
from newsletter.delivery.letters import has_work, resolve
from newsletter.delivery.watching import look
from newsletter.errors import NotFoundError, QueueError
from newsletter.feedback.complained import record_complaint
from newsletter.models import Delivery, EditionPost, Post, Receipt
from newsletter.states import UNSENT, DeliveryState, Fault, IssueState
from subscribers.address import parse_address
from subscribers.models import Subscription, SuppressionReason
from tests import issues
from tests.orders import SUPPRESSIONS
from tests.planning import TUESDAY, WEEK, Town, another, database, shared_database, town

__all__ = ["database", "shared_database", "town"]

State = DeliveryState
DAY = timedelta(days=1)
UNFINISHED = set(State) - set(UNSENT) - {State.SENT}


def do(database: Database, change: Callable[[Session], object]) -> None:
    with database.write() as session:
        change(session)


def end_what_ended(database: Database) -> list[int]:
    """As a sender does it."""
    with database.writing_connection() as connection:
        ledger = Ledger(database, connection, resend_in_doubt=True, now=TUESDAY)
        finished = ledger.finish(TUESDAY)
        ledger.close(TUESDAY)
    return finished


def retried(database: Database, issue_id: int, *, everything: bool = False) -> Retried:
    with database.write() as session:
        return retry_failed(
            database, session, issue_id, also_readers_fault=everything, now=TUESDAY + WEEK, expiry=DAY
        )


def has_due(database: Database) -> bool:
    with database.read() as session:
        return has_work(session, TUESDAY, resend_in_doubt=True)


def test_a_paused_issue_keeps_its_letters_and_goes_on(town: Town) -> None:
    """Pausing and resuming touch no letter; what was paused for long has time again."""
    issue_id = issues.plan_issue(town, 3)
    assert has_due(town.database)
    do(town.database, lambda session: pause(session, issue_id, "a wrong link"))
    row = issues.issue(town.database, issue_id)
    assert (row.state, row.reason) == (IssueState.PAUSED, "a wrong link")
    assert not has_due(town.database)
    assert end_what_ended(town.database) == []

    later = row.expires_at + WEEK
    do(town.database, lambda session: resume(session, issue_id, now=later, expiry=DAY))
    row = issues.issue(town.database, issue_id)
    assert (row.state, row.reason, row.expires_at) == (IssueState.PLANNED, "", later + DAY)
    assert issues.states(town.database, issue_id) == ["queued"] * 3
    assert has_due(town.database)


def test_resuming_soon_takes_no_time_away(town: Town) -> None:
    """An expiry that is later than the new one stays."""
    issue_id = issues.plan_issue(town, 1)
    before = issues.issue(town.database, issue_id).expires_at
    do(town.database, lambda session: pause(session, issue_id, ""))
    do(town.database, lambda session: resume(session, issue_id, now=TUESDAY, expiry=DAY))
    assert issues.issue(town.database, issue_id).expires_at == before


def by_its_share(database: Database, issue_id: int) -> None:
    issues.put(database, issues.letters_of(database, issue_id)[:1], State.BOUNCED)
    with database.write() as session:
        review(session.connection(), TUESDAY, wait=DAY, limit_percent=5)


def by_a_person(database: Database, issue_id: int) -> None:
    do(database, lambda session: pause(session, issue_id, "by hand"))


def by_letters_that_cannot_be_made(database: Database, issue_id: int) -> None:
    with database.writing_connection() as connection:
        ledger = Ledger(database, connection, resend_in_doubt=True, now=TUESDAY)
        ledger.halt(issue_id, "no such theme")
        ledger.close(TUESDAY)


def by_a_restoration(database: Database, issue_id: int) -> None:
    with database.write() as session:
        assert quieten(session.connection(), TUESDAY).issues == (issue_id,)


@pytest.mark.parametrize(
    ("stop", "is_by_its_share"),
    [
        (by_its_share, True),
        (by_a_person, False),
        (by_letters_that_cannot_be_made, False),
        (by_a_restoration, False),
    ],
)
def test_who_paused_decides_what_resuming_means(
    town: Town, stop: Callable[[Database, int], None], is_by_its_share: bool
) -> None:
    """Halted by its first share: the rest goes. Paused for any other reason: the share is waited for anew."""
    issue_id = issues.plan_issue(town, 2)
    issues.change_issue(town.database, issue_id, canary_every=1, canary_done_at=TUESDAY)
    stop(town.database, issue_id)
    row = issues.issue(town.database, issue_id)
    assert (row.state, bool(row.reason)) == (IssueState.PAUSED, True)
    with town.database.read() as session:
        assert look(session, issue_id).is_halted is is_by_its_share
    do(town.database, lambda session: resume(session, issue_id, now=TUESDAY, expiry=DAY))
    row = issues.issue(town.database, issue_id)
    expected = (None, TUESDAY) if is_by_its_share else (1, None)
    assert (row.canary_every, row.canary_done_at) == expected


def test_a_share_that_was_taken_well_stays_so_over_a_pause(town: Town) -> None:
    """The others are on their way: pausing them is no reason to judge anew, and no halt by the share."""
    issue_id = issues.plan_issue(town, 1)
    issues.change_issue(town.database, issue_id, canary_every=None, canary_done_at=TUESDAY)
    by_a_person(town.database, issue_id)
    with town.database.read() as session:
        assert not look(session, issue_id).is_halted
    assert issues.issue(town.database, issue_id).canary_done_at == TUESDAY


def test_a_cancelled_issue_ends_but_for_what_is_on_the_wire(town: Town) -> None:
    """Letters that can be stopped are, receipts given back; the others finish, and the issue with them."""
    issue_id = issues.plan_issue(town, 5)
    _, claimed, sending, deferred, doubtful = issues.letters_of(town.database, issue_id)
    issues.put(town.database, [claimed], State.CLAIMED)
    issues.put(town.database, [sending], State.SENDING)
    issues.put(town.database, [deferred], State.DEFERRED, due_at=TUESDAY + DAY)
    issues.put(town.database, [doubtful], State.IN_DOUBT, doubted_at=TUESDAY)
    do(town.database, lambda session: cancel(session, issue_id, "a wrong link"))
    with town.database.write() as session:
        assert clear(session.connection()) == 4
        assert clear(session.connection()) == 0
    assert issues.states(town.database, issue_id) == ["cancelled"] * 2 + ["sending"] + ["cancelled"] * 2
    assert len(issues.receipts(town.database)) == 2, "what may have arrived keeps its receipt"
    assert end_what_ended(town.database) == []

    issues.put(town.database, [sending], State.DEFERRED)  # the relay's answer: not now
    assert end_what_ended(town.database) == [issue_id]
    assert issues.states(town.database, issue_id) == ["cancelled"] * 5
    row = issues.issue(town.database, issue_id)
    assert (row.state, row.reason, row.finished_at) == (IssueState.CANCELLED, "a wrong link", TUESDAY)
    assert not has_due(town.database)


def test_clearing_up_after_many_letters_holds_nobody_up(town: Town) -> None:
    """A sender that finds a large cancelled issue commits after each few thousand letters."""
    issue_id = issues.plan_issue(town, 1)
    issues.fill(town.database, issue_id, 4500)
    do(town.database, lambda session: cancel(session, issue_id, ""))
    onlooker, seen = another(town.database), set[int]()

    def look_on(connection: Connection) -> None:
        with onlooker.read() as session:
            seen.add(letters_by_state(session, issue_id).get(State.CANCELLED, 0))

    event.listen(town.database.engine, "commit", look_on)
    assert end_what_ended(town.database) == [issue_id]
    event.remove(town.database.engine, "commit", look_on)
    onlooker.close()
    assert seen >= {2000, 4000, 4501}


def test_a_process_that_dies_while_it_cancels_leaves_the_rest_to_the_sender(town: Town) -> None:
    """Nothing more goes from the moment the issue is cancelled, and the next pass clears up."""
    issue_id = issues.plan_issue(town, 2)
    do(town.database, lambda session: cancel(session, issue_id, ""))
    assert end_what_ended(town.database) == [issue_id]
    assert issues.states(town.database, issue_id) == ["cancelled"] * 2
    assert issues.receipts(town.database) == set()


@pytest.mark.parametrize("state", list(State))
def test_an_issue_ends_with_its_last_letter(town: Town, state: State) -> None:
    """Each state of its last letter holds the end up or does not; the end is recorded once."""
    issue_id = issues.plan_issue(town, 2)
    first, last = issues.letters_of(town.database, issue_id)
    issues.put(town.database, [first], State.SENT)
    issues.put(town.database, [last], state)
    ended = [] if state in UNFINISHED else [issue_id]
    assert end_what_ended(town.database) == ended
    assert end_what_ended(town.database) == []
    finished_at = issues.issue(town.database, issue_id).finished_at
    assert finished_at == (TUESDAY if ended else None)


def test_an_end_that_was_not_recorded_is_work(town: Town) -> None:
    """A sender killed before it recorded the end is followed by one that does."""
    issue_id = issues.plan_issue(town, 1)
    issues.put(town.database, issues.letters_of(town.database, issue_id), State.SENT)
    assert has_due(town.database)
    end_what_ended(town.database)
    assert not has_due(town.database)


def test_a_finished_issue_is_not_looked_at(town: Town) -> None:
    """What a pass costs does not grow with the issues there have been."""
    issue_id = issues.plan_issue(town, 1)
    issues.change_issue(town.database, issue_id, finished_at=TUESDAY)
    assert not has_due(town.database)


@pytest.mark.parametrize(
    ("state", "due", "resend", "found"),
    [
        (State.QUEUED, TUESDAY, True, True),
        (State.QUEUED, TUESDAY + DAY, True, False),
        (State.DEFERRED, TUESDAY, True, True),
        (State.DEFERRED, TUESDAY + DAY, True, False),
        (State.CLAIMED, TUESDAY, True, False),
        (State.SENDING, TUESDAY, True, False),
        (State.IN_DOUBT, TUESDAY, True, True),
        (State.IN_DOUBT, TUESDAY, False, False),
        (State.HELD, TUESDAY, True, False),
    ],
)
def test_what_a_pass_would_find(town: Town, state: State, due: object, resend: bool, found: bool) -> None:
    """Letters that are due and nobody has; what others have in hand starts no pass while they live."""
    issue_id = issues.plan_issue(town, 1)
    issues.put(town.database, issues.letters_of(town.database, issue_id), state, due_at=due)
    with town.database.read() as session:
        assert has_work(session, TUESDAY, resend_in_doubt=resend) is found


@pytest.mark.parametrize(
    ("state", "due", "done_at", "found"),
    [
        (State.QUEUED, TUESDAY, None, True),
        (State.QUEUED, TUESDAY + DAY, None, False),  # put off: it waits for its pace
        (State.SENT, TUESDAY, None, True),  # tried: the wait is to begin, or the share to be judged
        (State.DEFERRED, TUESDAY + DAY, None, True),
        (State.DEFERRED, TUESDAY + DAY, TUESDAY, False),
        (State.CANCELLED, TUESDAY, None, True),  # nobody was tried: the share is to be made larger
        (State.SENT, TUESDAY, TUESDAY, False),
        (State.SENT, TUESDAY, TUESDAY - DAY, True),
    ],
)
def test_what_a_pass_would_find_of_a_first_share(
    town: Town, state: State, due: datetime, done_at: datetime | None, found: bool
) -> None:
    """While it waits, for its pace, a retry or late bounces, nothing starts a pass; then one thing does."""
    issue_id = issues.plan_issue(town, 9)
    share = [letter for letter in issues.letters_of(town.database, issue_id) if letter % 3 == 0]
    issues.change_issue(town.database, issue_id, canary_every=3, canary_done_at=done_at)
    issues.put(town.database, share, state, due_at=due)
    before = issues.issue(town.database, issue_id)
    with town.database.read() as session:
        assert has_work(session, TUESDAY, resend_in_doubt=True, canary_wait=DAY) is found
    with town.database.write() as session:
        review(session.connection(), TUESDAY, wait=DAY, limit_percent=100)
    is_claimable = state is State.QUEUED and due == TUESDAY
    assert (issues.issue(town.database, issue_id) != before) is (found and not is_claimable)


def test_what_a_cancelled_issue_still_owes_is_work(town: Town) -> None:
    """The process that was clearing it up has died: a pass does it, also where no other letter is due."""
    issue_id = issues.plan_issue(town, 1)
    do(town.database, lambda session: cancel(session, issue_id, ""))
    assert has_due(town.database)
    end_what_ended(town.database)
    assert not has_due(town.database)


def test_a_doubt_is_sent_again_however_old_its_issue(town: Town) -> None:
    """`resolve` as not arrived gives the issue time again; as arrived it leaves it alone."""
    issue_id = issues.plan_issue(town, 2)
    again, arrived = issues.letters_of(town.database, issue_id)
    issues.put(town.database, [again, arrived], State.IN_DOUBT, doubted_at=TUESDAY)
    late = issues.issue(town.database, issue_id).expires_at + WEEK
    issues.change_issue(town.database, issue_id, finished_at=TUESDAY)
    before = issues.issue(town.database, issue_id)
    do(town.database, lambda s: resolve(s, arrived, is_sent=True, now=late, expiry=DAY))
    assert issues.issue(town.database, issue_id) == before
    do(town.database, lambda s: resolve(s, again, is_sent=False, now=late, expiry=DAY))
    row = issues.issue(town.database, issue_id)
    assert (row.finished_at, row.expires_at) == (None, late + DAY)
    assert issues.states(town.database, issue_id) == ["queued", "sent"]


def test_what_failed_for_no_fault_of_the_readers_goes_again(town: Town) -> None:
    """Refusals of the sender, the letter and the way, and what expired; with `all` the addresses too."""
    faults = [None, Fault.POLICY, Fault.MESSAGE, Fault.RELAY, Fault.ADDRESS, Fault.MAILBOX]
    issue_id = issues.plan_issue(town, len(faults) + 2)
    *failed, expired, sent = issues.letters_of(town.database, issue_id)
    for letter, fault in zip(failed, faults, strict=True):
        issues.bounce(town.database, letter, fault)
    issues.bounce(town.database, expired)
    issues.put(town.database, [expired], State.EXPIRED)
    issues.put(town.database, [sent], State.SENT)
    before = issues.issue(town.database, issue_id).expires_at
    assert end_what_ended(town.database) == [issue_id]

    assert retried(town.database, issue_id) == Retried(queued=5, left_out=0)
    row = issues.issue(town.database, issue_id)
    assert (row.finished_at, row.state) == (None, IssueState.PLANNED)
    assert row.expires_at == max(before, TUESDAY + WEEK + DAY)
    assert issues.states(town.database, issue_id) == ["queued"] * 4 + ["bounced"] * 2 + ["queued", "sent"]
    assert len(issues.receipts(town.database)) == 6
    reopened = issues.issue(town.database, issue_id)
    assert retried(town.database, issue_id) == Retried(queued=0, left_out=0)
    assert issues.issue(town.database, issue_id) == reopened
    assert retried(town.database, issue_id, everything=True) == Retried(queued=2, left_out=0)
    assert len(issues.receipts(town.database)) == 8


def test_nobody_is_sent_what_they_have_or_do_not_want(town: Town) -> None:
    """A reader who left, or has the post by another letter, is left out of another try and counted."""
    issue_id = issues.plan_issue(town, 3)
    letters = issues.letters_of(town.database, issue_id)
    for letter in letters:
        issues.bounce(town.database, letter, Fault.POLICY)
    town.leave("reader0")
    with town.database.write() as session:
        other = session.get_one(Delivery, letters[1])
        post = session.exec(select(Post.id)).one()
        session.add(Receipt(subscriber_id=other.subscriber_id, post_id=post, letter_key="issue:999"))
        theirs = (other.subscriber_id, "issue:999")
        mine = session.get_one(Delivery, letters[2])
        again = (mine.subscriber_id, mine.letter_key)
    assert retried(town.database, issue_id) == Retried(queued=1, left_out=2)
    assert issues.states(town.database, issue_id) == ["bounced", "bounced", "queued"]
    assert issues.receipts(town.database) == {theirs, again}


def test_a_letter_of_two_posts_goes_again_whole_or_not_at_all(town: Town) -> None:
    """Where another letter brought one of its posts, the receipt of the other one stays free."""
    issue_id = issues.plan_issue(town, 2)
    town.queue("another")
    letters = issues.letters_of(town.database, issue_id)
    for letter in letters:
        issues.bounce(town.database, letter, Fault.POLICY)
    with town.database.write() as session:
        first, second = session.exec(select(Post).order_by(col(Post.id)))
        ours, theirs = (session.get_one(Delivery, letter) for letter in letters)
        session.add(EditionPost(edition_id=ours.edition_id, place=1, post_id=second.id, path="", source=b""))
        session.add(Receipt(subscriber_id=theirs.subscriber_id, post_id=second.id, letter_key="issue:999"))
        expected = {(ours.subscriber_id, post.id, ours.letter_key) for post in (first, second)}
        expected.add((theirs.subscriber_id, second.id, "issue:999"))
    assert retried(town.database, issue_id) == Retried(queued=1, left_out=1)
    with town.database.read() as session:
        found = session.exec(select(Receipt.subscriber_id, Receipt.post_id, Receipt.letter_key))
        assert {tuple(row) for row in found} == expected


def test_two_who_ask_for_another_try_queue_each_letter_once(town: Town) -> None:
    """Beside each other, two of them share the letters out, and no receipt is taken twice."""
    issue_id = issues.plan_issue(town, 20)
    for letter in issues.letters_of(town.database, issue_id):
        issues.bounce(town.database, letter, Fault.POLICY)
    start, came_to = Barrier(2), []

    def ask(own: Database) -> None:
        start.wait()
        came_to.append(retried(own, issue_id).queued)
        own.close()

    threads = [Thread(target=ask, args=(another(town.database),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came_to) == [0, 20]
    assert len(issues.receipts(town.database)) == 20


@pytest.mark.parametrize(
    ("act", "verb"),
    [
        (lambda s, i: pause(s, i, ""), "paused"),
        (lambda s, i: resume(s, i, now=TUESDAY, expiry=DAY), "resumed"),
        (lambda s, i: cancel(s, i, ""), "cancelled"),
    ],
    ids=["pause", "resume", "cancel"],
)
def test_what_cannot_be_done_is_said_and_not_done(
    town: Town, act: Callable[[Session, int], None], verb: str
) -> None:
    """An issue in the wrong state, at its end, or not there: one sentence, and nothing changes."""
    issue_id = issues.plan_issue(town, 1)
    with pytest.raises(NotFoundError, match="there is no issue 999"), town.database.write() as session:
        act(session, 999)
    wrong = {
        "paused": [("is paused", {"state": IssueState.PAUSED})],
        "resumed": [("is going out", {"state": IssueState.PLANNED})],
        "cancelled": [("is skipped", {"state": IssueState.SKIPPED})],
    }[verb]
    wrong.append(("is cancelled", {"state": IssueState.CANCELLED}))
    wrong.append(("has gone out to its last letter", {"state": IssueState.PLANNED, "finished_at": TUESDAY}))
    for words, values in wrong:
        issues.change_issue(town.database, issue_id, **values)
        before = issues.issue(town.database, issue_id)
        with pytest.raises(QueueError, match=f"{words} and cannot be {verb}"):
            do(town.database, lambda session: act(session, issue_id))
        assert issues.issue(town.database, issue_id) == before


def test_what_was_cancelled_is_not_tried_again(town: Town) -> None:
    """A cancelled issue stays so."""
    issue_id = issues.plan_issue(town, 1)
    do(town.database, lambda session: cancel(session, issue_id, ""))
    with pytest.raises(QueueError, match="is cancelled and cannot be tried again"):
        retried(town.database, issue_id)


def test_a_complaint_ends_the_subscription_once(town: Town) -> None:
    """It is on record with when, the reader has left, and a second one does not undo a new subscription."""
    issue_id = issues.plan_issue(town, 1)
    (letter,) = issues.letters_of(town.database, issue_id)
    with pytest.raises(QueueError, match="has not gone out"), town.database.write() as session:
        record_complaint(session, letter, SUPPRESSIONS, now=TUESDAY)
    with pytest.raises(NotFoundError), town.database.write() as session:
        record_complaint(session, 999, SUPPRESSIONS, now=TUESDAY)
    issues.put(town.database, [letter], State.SENT, attempts=1)
    with town.database.write() as session:
        assert record_complaint(session, letter, SUPPRESSIONS, now=TUESDAY) == (True, ["advice"])
    reader = parse_address("reader0@example.org")
    with town.database.write() as session:
        SUPPRESSIONS.lift(session, reader, [SuppressionReason.COMPLAINED], now=TUESDAY)
    town.subscribe("reader0")
    with town.database.write() as session:
        assert record_complaint(session, letter, SUPPRESSIONS, now=TUESDAY + WEEK) == (False, [])
    with town.database.read() as session:
        assert session.get_one(Delivery, letter).complained_at == TUESDAY
        assert session.exec(select(Subscription.state)).all() == ["active"]
