"""The first share of an issue: judged by what came of it, when all of it was tried."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.database import Database
from newsletter.delivery.canary import CanaryVerdict, Share, explain, judge, review
from newsletter.models import Delivery
from newsletter.schedule.planned import PlannedIssue
from newsletter.states import DeliveryState, Fault, IssueState, Mode
from tests import issues
from tests.planning import TUESDAY, WEEK, Town, database, shared_database, town

__all__ = ["database", "shared_database", "town"]

State = DeliveryState
WAIT = timedelta(minutes=30)
EVERY = 3
READERS = 30

counts = st.integers(0, 10**9)


def review_at(database: Database, now: datetime, limit_percent: int = 10) -> list[CanaryVerdict]:
    with database.write() as session:
        return review(session.connection(), now, wait=WAIT, limit_percent=limit_percent)


@pytest.fixture
def issue_id(town: Town) -> int:
    """An issue of which every third letter is in the first share."""
    planned = issues.plan_issue(town, READERS)
    issues.change_issue(town.database, planned, canary_every=EVERY)
    return planned


def first_share(database: Database, issue_id: int) -> list[int]:
    return [letter for letter in issues.letters_of(database, issue_id) if letter % EVERY == 0]


def canary_of(database: Database, issue_id: int) -> tuple[str, int | None, datetime | None]:
    row = issues.issue(database, issue_id)
    return row.state, row.canary_every, row.canary_done_at


@pytest.mark.parametrize("state", [State.QUEUED, State.CLAIMED, State.SENDING])
def test_nothing_is_judged_while_one_of_the_share_is_untried(town: Town, issue_id: int, state: State) -> None:
    """However bad the others are, and whatever the letters outside the share do."""
    *share, last = first_share(town.database, issue_id)
    issues.put(town.database, share, State.BOUNCED)
    issues.put(town.database, [last], state)
    assert review_at(town.database, TUESDAY) == []
    assert canary_of(town.database, issue_id) == (IssueState.PLANNED, EVERY, None)


def test_a_share_that_was_taken_well_lets_the_others_go_after_the_wait(town: Town, issue_id: int) -> None:
    """The wait counts from when the last was first seen to be tried; then the issue goes to everybody."""
    issues.put(town.database, first_share(town.database, issue_id), State.SENT)
    assert review_at(town.database, TUESDAY) == []
    assert review_at(town.database, TUESDAY + WAIT / 2) == []
    assert canary_of(town.database, issue_id) == (IssueState.PLANNED, EVERY, TUESDAY)
    assert review_at(town.database, TUESDAY + WAIT) == [CanaryVerdict(issue_id, has_passed=True)]
    assert canary_of(town.database, issue_id) == (IssueState.PLANNED, None, TUESDAY)
    assert review_at(town.database, TUESDAY + WAIT) == []


@pytest.mark.parametrize("when", [timedelta(0), WAIT / 2, WAIT], ids=["at once", "meanwhile", "at the end"])
@pytest.mark.parametrize(
    "bad",
    [
        {"state": State.BOUNCED, "fault": Fault.POLICY},
        {"state": State.DEFERRED},
        {"state": State.SENT, "complained_at": TUESDAY},
    ],
    ids=["bounces", "deferrals", "complaints"],
)
def test_a_share_that_was_taken_badly_halts_the_issue_and_says_why(
    town: Town, issue_id: int, bad: dict[str, object], when: timedelta
) -> None:
    """At once, when that is known at once; refusals for the sender's sake count too."""
    share = first_share(town.database, issue_id)
    issues.put(town.database, share, State.SENT)
    if when:
        assert review_at(town.database, TUESDAY) == []
    issues.put(town.database, share[:2], **bad)  # type: ignore[arg-type]  # columns
    (verdict,) = review_at(town.database, TUESDAY + when)
    assert (verdict.issue_id, verdict.has_passed) == (issue_id, False)
    row = issues.issue(town.database, issue_id)
    assert (row.state, row.reason) == (IssueState.PAUSED, verdict.reason)
    assert row.reason.startswith(f"of the first {len(share)} letters 2 ")
    assert review_at(town.database, TUESDAY + WAIT) == []


def test_a_deferred_letter_that_went_in_the_end_is_no_longer_held_against_the_issue(
    town: Town, issue_id: int
) -> None:
    """What counts is how the share stands when it is looked at."""
    share = first_share(town.database, issue_id)
    issues.put(town.database, share, State.SENT)
    issues.put(town.database, share[:1], State.DEFERRED)
    assert review_at(town.database, TUESDAY) == [], "one in ten is within the limit"
    assert review_at(town.database, TUESDAY, limit_percent=10) == []
    issues.put(town.database, share[:1], State.SENT)
    assert [v.has_passed for v in review_at(town.database, TUESDAY + WAIT, limit_percent=1)] == [True]


def test_a_letter_that_goes_again_during_the_wait_does_not_hold_it_up(town: Town, issue_id: int) -> None:
    """A share that has been tried stays so, though one of its letters is under way once more."""
    share = first_share(town.database, issue_id)
    issues.put(town.database, share, State.SENT)
    assert review_at(town.database, TUESDAY) == []
    issues.put(town.database, share[:1], State.CLAIMED)
    assert [verdict.has_passed for verdict in review_at(town.database, TUESDAY + WAIT)] == [True]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("readers", [1, 2, 3, 7, 19])
def test_an_issue_of_few_letters_has_a_first_share_of_one(town: Town, readers: int, mode: Mode) -> None:
    """Where fewer letters than one in so many are owed, whatever their numbers and however many posts."""
    town.canary_every = 20
    town.category(mode=mode)
    town.queue("one", "two")
    for at, added in ((TUESDAY, readers // 2), (TUESDAY + WEEK, readers - readers // 2)):
        town.subscribe(*(f"reader{at.day}-{place}" for place in range(added)))
        (planned,) = town.plan(at)
    assert isinstance(planned, PlannedIssue)
    assert planned.issue_id is not None
    assert planned.readers == readers
    every = issues.issue(town.database, planned.issue_id).canary_every
    assert every is not None
    letters = issues.letters_of(town.database, planned.issue_id)
    assert len([letter for letter in letters if letter % every == 0]) == 1


def test_a_share_whose_readers_have_left_is_made_larger(town: Town, issue_id: int) -> None:
    """Not taken well because nobody got it: it goes to others first, and they are waited for."""
    issues.put(town.database, first_share(town.database, issue_id), State.CANCELLED)
    assert review_at(town.database, TUESDAY) == []
    assert canary_of(town.database, issue_id) == (IssueState.PLANNED, EVERY - 1, None)
    share = [letter for letter in issues.letters_of(town.database, issue_id) if letter % (EVERY - 1) == 0]
    issues.put(town.database, share, State.BOUNCED)
    assert [verdict.has_passed for verdict in review_at(town.database, TUESDAY)] == [False]


def test_an_issue_whose_readers_have_all_left_waits_for_nobody(town: Town, issue_id: int) -> None:
    """No letter, nothing to be tried: its end can be recorded."""
    issues.put(town.database, issues.letters_of(town.database, issue_id), State.CANCELLED)
    assert review_at(town.database, TUESDAY) == [CanaryVerdict(issue_id, has_passed=True)]
    assert canary_of(town.database, issue_id) == (IssueState.PLANNED, None, TUESDAY)


@pytest.mark.parametrize(
    "values",
    [{"state": IssueState.PAUSED}, {"state": IssueState.CANCELLED}, {"finished_at": TUESDAY}],
    ids=["paused", "cancelled", "finished"],
)
def test_only_an_issue_that_goes_out_is_judged(town: Town, issue_id: int, values: dict[str, object]) -> None:
    """A pause or a cancellation stands, whatever its first share did."""
    issues.put(town.database, first_share(town.database, issue_id), State.BOUNCED)
    issues.change_issue(town.database, issue_id, **values)
    before = issues.issue(town.database, issue_id)
    assert review_at(town.database, TUESDAY) == []
    assert issues.issue(town.database, issue_id) == before


@given(st.builds(Share, tried=counts), st.integers(1, 100))
def test_a_share_without_a_fault_passes(share: Share, limit: int) -> None:
    """Of any size, nobody included."""
    assert judge(share, limit)


@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 100),
)
def test_a_share_fails_above_the_limit_and_only_there(
    good: int, bounced: int, deferred: int, complained: int, limit: int
) -> None:
    """Exactly at the limit it passes; the three kinds weigh the same."""
    bad = bounced + deferred + complained
    share = Share(good + bad, bounced, deferred, complained)
    assert judge(share, limit) is (bad <= limit * (good + bad) / 100)
    assert judge(share, 100)


@given(counts, counts, counts, counts, st.integers(1, 100))
def test_the_reason_fits_its_column_and_names_what_happened(
    issue_id: int, bounced: int, deferred: int, complained: int, limit: int
) -> None:
    """At most 200 characters whatever the numbers; what did not happen is not mentioned."""
    share = Share(bounced + deferred + complained + 1, bounced, deferred, complained)
    if not bounced + deferred + complained:
        return
    reason = explain(issue_id, share, limit)
    assert len(reason) <= 200 == Delivery.__table__.metadata.tables["issue"].c.reason.type.length  # type: ignore[attr-defined]
    for number, word in ((bounced, " bounced"), (deferred, " deferred"), (complained, " complained")):
        assert (word in reason.partition("; see")[0]) is bool(number)


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (
            Share(500, 62, 3, 1),
            "of the first 500 letters 62 bounced, 3 were deferred and 1 was complained about: more than 5 %; "
            "see `paperround delivery list --issue 7 --state bounced`",
        ),
        (
            Share(20, 0, 2, 0),
            "of the first 20 letters 2 were deferred: more than 5 %; "
            "see `paperround delivery list --issue 7 --state deferred`",
        ),
        (
            Share(1, 0, 1, 0),
            "the first letter was deferred: more than 5 %; "
            "see `paperround delivery list --issue 7 --state deferred`",
        ),
        (Share(1, 0, 0, 1), "the first letter was complained about: more than 5 %"),
        (Share(20, 0, 0, 2), "of the first 20 letters 2 were complained about: more than 5 %"),
    ],
)
def test_the_reason_is_a_sentence(share: Share, told: str) -> None:
    """What a person reads in `issue list`."""
    assert explain(7, share, 5) == told
