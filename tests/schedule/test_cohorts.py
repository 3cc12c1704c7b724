"""Cohorts: what they remember agrees with the receipts, whatever changes those."""

from datetime import datetime

from sqlmodel import func, select

from newsletter.content.queue import entries
from newsletter.models import Cohort, Displaced
from newsletter.schedule.categories import find_category
from newsletter.schedule.cohorts import cohorts_of, settle
from newsletter.states import EntryState, Mode
from subscribers.models import Subscription
from tests.planning import TUESDAY, WEEK, Town, database, shared_database, source, summary, town

__all__ = ["database", "shared_database", "town"]


def plan_as_told(town: Town, at: datetime) -> None:
    """Plan, and see that what is told beforehand by cohorts alone is what comes."""
    told = [summary(issue) for issue in town.planner.upcoming(at, at)]
    assert [summary(issue) for issue in town.plan(at)] == told


def test_a_letter_that_ended_unsent_is_made_up_for(town: Town) -> None:
    """A reader of a sequence whose letter bounced gets its post again at the next slot, and then goes on."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    town.lose("ann")
    plan_as_told(town, TUESDAY + WEEK)
    plan_as_told(town, TUESDAY + 2 * WEEK)
    assert town.given_to("ann") == ["a", "a", "b"]
    assert town.given_to("bo") == ["a", "b", "c"]


def test_what_another_category_gave_is_passed_over(town: Town) -> None:
    """A post that a reader got by a broadcast is not in their way in a sequence; nobody else notices."""
    town.category("news", cadence="weekly mon 08:00")
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c")
    town.subscribe("ann", "bo")
    town.subscribe("ann", category="news")
    town.plan(TUESDAY)
    town.add(source("b", "news"), only="news")
    town.plan(TUESDAY + WEEK - WEEK / 7)
    plan_as_told(town, TUESDAY + WEEK)
    assert town.given_to("ann") == ["a", "b", "c"]
    assert town.given_to("bo") == ["a", "b"]


def test_a_post_is_queued_that_some_have_had(town: Town) -> None:
    """Who had a post before it came into a sequence does not get it there."""
    town.category("news", cadence="weekly mon 08:00")
    town.category(mode=Mode.SEQUENCE)
    town.queue("a")
    town.queue("x", category="news")
    town.subscribe("ann", "bo")
    town.subscribe("ann", category="news")
    town.plan(TUESDAY)
    town.plan(TUESDAY + WEEK)
    town.add(source("x", "advice"), only="advice")
    town.queue("b")
    plan_as_told(town, TUESDAY + 2 * WEEK)
    assert town.given_to("ann") == ["x", "a", "b"]
    assert town.given_to("bo") == ["a", "x"]


def test_a_broadcast_between_is_not_forgotten(town: Town) -> None:
    """What readers get otherwise while a sequence is a broadcast counts when it is a sequence again."""
    town.category("news", cadence="weekly mon 08:00")
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c")
    town.subscribe("ann")
    town.subscribe("ann", category="news")
    town.plan(TUESDAY)
    town.change_category("advice", mode=Mode.BROADCAST)
    town.add(source("b", "news"), only="news")
    town.plan(TUESDAY + WEEK - WEEK / 7)
    town.change_category("advice", mode=Mode.SEQUENCE)
    plan_as_told(town, TUESDAY + WEEK)
    assert town.given_to("ann") == ["a", "b", "c"]


def test_cohorts_are_as_few_as_places(town: Town) -> None:
    """Who joins at different times and reaches the same place is in one cohort, and nobody is displaced."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c")
    for week in range(8):
        town.subscribe(f"reader{week}")
        town.plan(TUESDAY + week * WEEK)
    town.plan(TUESDAY + 8 * WEEK)
    with town.database.write() as session:
        category = find_category(session, "advice")
        settle(session, category)
        posts = [post.id for _, post in entries(session, category, (EntryState.QUEUED,))]
        had = cohorts_of(session, category)
        assert sorted(map(len, had.values())) == [2, 3]
        assert had.keys() == set(session.exec(select(Subscription.cohort_id)))
        assert set().union(*had.values()) == set(posts)
        assert session.exec(select(func.count()).select_from(Displaced)).one() == 0


def test_cohorts_that_are_wrong_are_found_again(town: Town) -> None:
    """Where cohorts do not agree with the receipts, as after a hand in the tables, receipts count."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    with town.database.write() as session:
        for cohort in session.exec(select(Cohort)):
            cohort.had = ""
            session.add(cohort)
    town.plan(TUESDAY + WEEK)
    assert town.given_to("ann") == town.given_to("bo") == ["a", "b"]
