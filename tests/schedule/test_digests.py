"""One person, one letter: digests of a day, week or month, and at most so many letters a week."""

from datetime import date, datetime, timedelta

import pytest
from sqlmodel import col, select

from newsletter.models import Delivery, Edition
from newsletter.schedule.planner import PlannedIssue
from newsletter.schedule.wishes import Wish
from newsletter.states import EntryState, Mode
from subscribers.models import Frequency
from tests.planning import (
    MONDAY,
    TUESDAY,
    WEEK,
    Town,
    database,
    shared_database,
    summary,
    town,
)

__all__ = ["database", "shared_database", "town"]

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MORNING, EVENING = TUESDAY, TUESDAY + 10 * HOUR
DAILY = Wish(Frequency.DAILY)


def two_streams(town: Town, *, advice: int = 5, news: int = 5) -> None:
    """Advice on Tuesday morning and news on Tuesday evening."""
    town.category("advice", priority=advice)
    town.category("news", cadence="weekly tue 18:00", priority=news)
    town.queue("a1", "a2", "a3", category="advice")
    town.queue("n1", "n2", "n3", category="news")


def run(town: Town, start: datetime, end: datetime) -> list[tuple[str, str, str, tuple[str, ...], int]]:
    """Plan at each instant at which something is foretold; what is done is what was foretold."""
    foretold = town.planner.upcoming(start, end)
    done = [issue for at in sorted({one.due_at for one in foretold}) for issue in town.plan(at)]
    assert [summary(issue) for issue in done] == [summary(issue) for issue in foretold]
    assert [one.in_digests for one in done if isinstance(one, PlannedIssue)] == [
        one.in_digests for one in foretold
    ]
    return [summary(issue) for issue in done]


def letters_of(town: Town, reader: str) -> list[tuple[str, str, list[str]]]:
    """(category, slot, posts) of each of a reader's letters that stand, oldest first."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in sorted(town.letters(), key=lambda row: row.slot):
        if row.reader == reader:
            found.setdefault((row.category, row.slot), []).append(row.post)
    return [(category, slot, sorted(posts)) for (category, slot), posts in found.items()]


def test_slots_of_a_day_make_one_letter(town: Town) -> None:
    """Who wants a letter a day has both slots' posts in the evening; who does not has two letters."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", "bo", category=category)
    town.wish("ann", "daily")
    assert run(town, MONDAY, EVENING) == [
        ("advice", "2026-01-06T08:00", "planned", ("a1",), 2),
        ("news", "2026-01-06T18:00", "planned", ("n1",), 2),
        ("digest", "2026-01-06T18:00", "planned", ("a1", "n1"), 1),
    ]
    assert letters_of(town, "ann") == [("digest", "2026-01-06T18:00", ["a1", "n1"])]
    assert letters_of(town, "bo") == [
        ("advice", "2026-01-06T08:00", ["a1"]),
        ("news", "2026-01-06T18:00", ["n1"]),
    ]


def test_what_has_nothing_to_merge_with_is_an_ordinary_letter(town: Town) -> None:
    """Where all want digests, who subscribes to one category has its letters at their time."""
    town.usual = DAILY
    two_streams(town)
    town.subscribe("ann", "bo")
    town.subscribe("ann", category="news")
    assert run(town, MONDAY, EVENING) == [
        ("advice", "2026-01-06T08:00", "planned", ("a1",), 2),
        ("news", "2026-01-06T18:00", "planned", ("n1",), 1),
        ("digest", "2026-01-06T18:00", "planned", ("a1", "n1"), 1),
    ]
    assert letters_of(town, "bo") == [("advice", "2026-01-06T08:00", ["a1"])]


def test_slots_at_one_instant_make_one_letter(town: Town) -> None:
    """Also where the times are the same, and whatever order they are decided in."""
    town.usual = DAILY
    for category in ("advice", "news"):
        town.category(category)
        town.queue(f"{category}-1", category=category)
        town.subscribe("ann", category=category)
    assert run(town, MONDAY, MORNING)[-1] == (
        "digest", "2026-01-06T08:00", "planned", ("advice-1", "news-1"), 1
    )  # fmt: skip
    assert len(letters_of(town, "ann")) == 1


def test_posts_stand_by_the_priority_of_their_categories(town: Town) -> None:
    """The most important category comes first in a digest."""
    two_streams(town, news=1)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", "daily")
    assert run(town, MONDAY, EVENING)[-1][3] == ("n1", "a1")


def test_a_last_slot_with_nothing_lets_the_digest_go(town: Town) -> None:
    """A digest goes at its day's last slot, also where that is empty."""
    two_streams(town)
    for post in ("n1", "n2", "n3"):
        town.change(post, EntryState.HELD)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", "daily")
    assert run(town, MONDAY, EVENING)[1:] == [
        ("news", "2026-01-06T18:00", "empty", (), 0),
        ("digest", "2026-01-06T18:00", "planned", ("a1",), 1),
    ]


def test_a_monthly_digest(town: Town) -> None:
    """It has all posts of the month, and goes at the last slot of it."""
    town.category(mode=Mode.SEQUENCE)
    town.queue(*(f"p{number}" for number in range(10)))
    town.subscribe("ann", "bo")
    town.wish("ann", "monthly")
    done = run(town, MONDAY, MONDAY + 8 * WEEK)
    assert [one for one in done if one[0] == "digest"] == [
        ("digest", "2026-01-27T08:00", "planned", ("p0", "p1", "p2", "p3"), 1),
        ("digest", "2026-02-24T08:00", "planned", ("p4", "p5", "p6", "p7"), 1),
    ]
    assert len(letters_of(town, "bo")) == 8


def test_a_weekly_digest(town: Town) -> None:
    """It has all posts of the week, from Monday to Sunday."""
    town.category(cadence="weekly mon,wed,sun 08:00")
    town.queue(*(f"p{number}" for number in range(6)))
    town.subscribe("ann")
    town.wish("ann", "weekly")
    run(town, MONDAY, MONDAY + 2 * WEEK - HOUR)
    assert letters_of(town, "ann") == [
        ("digest", "2026-01-11T08:00", ["p0", "p1", "p2"]),
        ("digest", "2026-01-18T08:00", ["p3", "p4", "p5"]),
    ]


def test_what_is_over_the_cap_comes_next_week(town: Town) -> None:
    """One letter a week: the second one comes on Monday at its time, and takes the place of the third."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", cap=1)
    run(town, MONDAY, MONDAY + 3 * WEEK)
    assert letters_of(town, "ann") == [
        ("advice", "2026-01-06T08:00", ["a1"]),
        ("digest", "2026-01-12T18:00", ["n1"]),
        ("digest", "2026-01-19T08:00", ["a2", "n2"]),
    ]


def test_priority_decides_whose_letter_is_moved(town: Town) -> None:
    """The less important morning waits for the evening's letter, and comes in it."""
    two_streams(town, news=1)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", cap=1)
    run(town, MONDAY, MONDAY + 2 * WEEK)
    assert letters_of(town, "ann") == [
        ("digest", "2026-01-06T18:00", ["a1", "n1"]),
        ("digest", "2026-01-13T18:00", ["a2", "n2"]),
    ]


def test_a_cap_that_is_not_reached_changes_nothing(town: Town) -> None:
    """Two letters a week where at most two are wanted."""
    town.usual = Wish(Frequency.ISSUE, 2)
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    run(town, MONDAY, EVENING)
    assert letters_of(town, "ann") == [
        ("advice", "2026-01-06T08:00", ["a1"]),
        ("news", "2026-01-06T18:00", ["n1"]),
    ]


@pytest.fixture
def collected(town: Town) -> Town:
    """Ann has this morning's post waiting for the evening's digest."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", "daily")
    run(town, MONDAY, MORNING)
    assert town.letters() == []
    return town


def test_who_leaves_has_nothing_of_it(collected: Town) -> None:
    """What waits of a category that its reader leaves is given up, the rest comes."""
    collected.leave("ann", "advice")
    run(collected, MORNING + HOUR, EVENING)
    assert letters_of(collected, "ann") == [("news", "2026-01-06T18:00", ["n1"])]


def test_who_leaves_one_of_a_digests_categories_has_the_rest_anew(collected: Town) -> None:
    """A digest that has not gone ends, and another one has what its reader still wants."""
    run(collected, MORNING + HOUR, EVENING)
    collected.leave("ann", "advice")
    assert run(collected, EVENING, EVENING) == [("digest", "2026-01-06T18:00", "planned", ("n1",), 1)]
    with collected.database.read() as session:
        letters = session.exec(select(Delivery).order_by(col(Delivery.id))).all()
        shown = [session.get_one(Edition, letter.edition_id).subject for letter in letters]
    assert [(letter.state, words) for letter, words in zip(letters, shown, strict=True)] == [
        ("cancelled", "a1 n1"),
        ("queued", "n1"),
    ]
    collected.leave("ann", "news")
    assert run(collected, EVENING, TUESDAY + 2 * WEEK)[0][0] == "advice"
    assert {row.post for row in collected.letters()} == {"a1", "n1"}


def test_who_pauses_has_nothing_meanwhile(collected: Town) -> None:
    """Nor what had been waiting."""
    collected.pause("ann", until=date(2026, 1, 20))
    run(collected, MORNING + HOUR, MONDAY + 2 * WEEK)
    assert collected.letters() == []


def test_a_reader_of_the_plan_sees_their_letters(collected: Town, town: Town) -> None:
    """For one reader the plan has digests instead of the slots that are merged in them."""
    with town.database.read() as session:
        [number] = session.connection().exec_driver_sql("SELECT id FROM subscriber").scalars()
    coming = town.planner.upcoming(MORNING + HOUR, TUESDAY + WEEK + 12 * HOUR, reader=number)
    assert [summary(one) for one in coming] == [
        ("digest", "2026-01-06T18:00", "planned", ("a1", "n1"), 1),
        ("digest", "2026-01-13T18:00", "planned", ("a2", "n2"), 1),
    ]
