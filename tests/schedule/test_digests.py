"""One person, one letter: digests of a day, week or month, and at most so many letters a week."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlmodel import col, select

from newsletter.errors import ContentError
from newsletter.models import Delivery, Edition, Issue, Post
from newsletter.render.edition import Occasion
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.wishes import Wish
from newsletter.states import EntryState, Mode
from subscribers.models import Frequency, Subscriber
from tests.planning import (
    MONDAY,
    TUESDAY,
    WEEK,
    Town,
    database,
    plain_edition,
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


def test_a_week_is_counted_from_its_letters(town: Town) -> None:
    """Also where it is looked at in its middle: what has gone has had its place."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", cap=1)
    town.plan(MORNING)
    assert run(town, MORNING + HOUR, MONDAY + WEEK + DAY)[-1] == (
        "digest", "2026-01-12T18:00", "planned", ("n1",), 1
    )  # fmt: skip


def test_what_is_taken_along_goes_at_once(town: Town) -> None:
    """A post that was kept for Monday is in Sunday's letter, if there is a place for one after all."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.category("extra", cadence="weekly sun 08:00")
    town.queue("x1", category="extra")
    town.subscribe("ann", category="extra")
    town.wish("ann", cap=1)
    run(town, MONDAY, EVENING)
    town.wish("ann", cap=2)
    sunday = TUESDAY + 5 * DAY
    assert run(town, EVENING + HOUR, sunday)[-1] == ("digest", "2026-01-11T08:00", "planned", ("x1", "n1"), 1)
    with town.database.read() as session:
        due = session.exec(select(Delivery.due_at).where(Delivery.category == "digest")).one()
    assert due == sunday


def test_a_digest_waits_for_a_slot_that_comes_up_meanwhile(collected: Town) -> None:
    """A category that its reader has joined since the morning is in the evening's letter too."""
    collected.now = MORNING + HOUR
    collected.category("late", cadence="weekly tue 20:00")
    collected.queue("l1", category="late")
    collected.subscribe("ann", category="late")
    done = run(collected, MORNING + HOUR, EVENING + 3 * HOUR)
    assert done[-1] == ("digest", "2026-01-06T20:00", "planned", ("a1", "l1", "n1"), 1)
    assert len(letters_of(collected, "ann")) == 1


def test_a_letter_that_never_arrived_has_had_no_place(town: Town) -> None:
    """The week's one letter was refused: the next one goes at its time."""
    two_streams(town)
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", cap=1)
    town.plan(MORNING)
    town.lose("ann")
    assert run(town, MORNING + HOUR, EVENING) == [("news", "2026-01-06T18:00", "planned", ("n1",), 1)]
    assert ("news", "2026-01-06T18:00", ["n1"]) in letters_of(town, "ann")


def no_news(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
    """A template that cannot show news, nor a digest with any."""
    if "news" in (occasion.category, *occasion.sections):
        raise ContentError("posts/n1.md: cannot be shown")
    return plain_edition(occasion, posts, now)


def test_a_slot_that_fails_keeps_no_digest_waiting(collected: Town) -> None:
    """What cannot be made comes later, by itself; the digest goes at its time."""
    collected.make_edition = no_news
    failed, digest = collected.plan(EVENING)
    assert isinstance(failed, PlanFailure)
    assert summary(digest) == ("digest", "2026-01-06T18:00", "planned", ("a1",), 1)
    collected.make_edition = plain_edition
    assert [summary(one) for one in collected.plan(EVENING + HOUR)] == [
        ("news", "2026-01-06T18:00", "planned", ("n1",), 1)
    ]


def test_what_is_late_is_foretold_as_it_will_come(collected: Town) -> None:
    """Slots that are overdue are decided before digests that are ready are made."""
    late = EVENING + HOUR
    foretold = collected.planner.upcoming(late, late)
    assert [summary(one) for one in foretold] == [
        ("news", "2026-01-06T18:00", "planned", ("n1",), 1),
        ("digest", "2026-01-06T18:00", "planned", ("a1", "n1"), 1),
    ]
    assert [summary(one) for one in collected.plan(late)] == [summary(one) for one in foretold]


def test_weeks_of_several_zones_have_their_number_of_letters(town: Town) -> None:
    """Where Monday's slot of one category comes before Sunday's of another."""
    town.category("east", cadence="weekly wed,sun,mon 08:00", timezone="Asia/Tokyo")
    town.category("west", cadence="weekly sun 23:30", timezone="America/New_York")
    town.queue(*(f"e{number}" for number in range(9)), category="east")
    town.queue("w1", "w2", "w3", category="west")
    for category in ("east", "west"):
        town.subscribe("ann", category=category)
    town.wish("ann", "daily", 1)
    run(town, MONDAY, MONDAY + 3 * WEEK)
    days = [date.fromisoformat(slot[:10]) for _, slot, _ in letters_of(town, "ann")]
    assert [day.isocalendar().week for day in days] == [1, 2, 3, 4, 5]


def test_a_slot_that_has_failed_is_foretold_as_it_will_come(collected: Town) -> None:
    """No letter of its day waits for it; once it is mended it comes by itself."""
    collected.make_edition = no_news
    collected.plan(EVENING)
    collected.category("late", cadence="weekly tue 20:00")
    collected.queue("l1", category="late")
    collected.subscribe("ann", category="late")
    collected.make_edition = plain_edition
    assert run(collected, EVENING + HOUR, EVENING + 2 * HOUR)[0] == (
        "news", "2026-01-06T18:00", "planned", ("n1",), 1
    )  # fmt: skip


def test_a_digest_that_cannot_be_made_is_reported_and_stays(collected: Town) -> None:
    """It holds no other one back, and goes once that is mended."""
    collected.subscribe("bo", category="advice")
    collected.subscribe("bo", category="news")
    collected.wish("bo", "daily")

    def fails_for_ann(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        if occasion.category == "digest" and len(posts) > 1:
            raise ContentError("templates/email/issue.mjml.j2: cannot be shown")
        return plain_edition(occasion, posts, now)

    collected.make_edition = fails_for_ann
    of_news, failed = collected.plan(EVENING)
    assert summary(of_news) == ("news", "2026-01-06T18:00", "planned", ("n1",), 2)
    assert isinstance(failed, PlanFailure)
    assert (failed.category, failed.slot) == ("digest", "2026-01-06T18:00")
    assert letters_of(collected, "bo") == [("news", "2026-01-06T18:00", ["n1"])]
    collected.make_edition = plain_edition
    assert [summary(one) for one in collected.plan(EVENING + HOUR)] == [
        ("digest", "2026-01-06T18:00", "planned", ("a1", "n1"), 1)
    ]


def test_a_post_that_cannot_be_shown_is_given_up_in_the_end(collected: Town) -> None:
    """After as long as a slot waits for the mend: the others go, and no empty issue stays."""

    def fails(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        if occasion.category == "digest" and "a1" in [post.slug for post in posts]:
            raise ContentError("posts/a1.md: cannot be shown")
        return plain_edition(occasion, posts, now)

    collected.make_edition = fails
    _, failed = collected.plan(EVENING)
    assert isinstance(failed, PlanFailure)
    assert [kind for _, _, kind in collected.issues()] == ["planned", "planned"]
    late = EVENING + collected.patience
    [failed] = collected.plan(late)
    assert isinstance(failed, PlanFailure)
    assert [summary(one) for one in collected.plan(late)] == [
        ("digest", "2026-01-06T18:00", "planned", ("n1",), 1)
    ]
    assert letters_of(collected, "ann") == [("digest", "2026-01-06T18:00", ["n1"])]


def test_a_digest_for_a_local_slot_with_nothing_comes_by_the_readers_clock(town: Town) -> None:
    """It waits for the slot as its letter would, and not for when that is in the east."""
    town.category("advice", cadence="weekly thu 08:00", timezone="Europe/Berlin", local_time=True)
    town.category("news", cadence="weekly tue 10:00", timezone="America/New_York")
    town.queue("n1", category="news")
    for category in ("advice", "news"):
        town.subscribe("ann", category=category)
    town.wish("ann", "weekly")
    town.live("ann", "America/New_York")
    digest = run(town, MONDAY, MONDAY + WEEK)[-1]
    assert digest == ("digest", "2026-01-08T08:00", "planned", ("n1",), 1)
    with town.database.read() as session:
        due = session.exec(select(Delivery.due_at)).one()
    assert due == datetime(2026, 1, 8, 13, tzinfo=UTC)


def test_a_time_that_is_two_instants_is_told_as_the_one_that_goes(town: Town) -> None:
    """Posts kept for Monday, 08:00, in Tokyo and in New York: the first take the others along."""
    town.category("east", cadence="weekly tue 08:00", timezone="Asia/Tokyo")
    town.category("west", cadence="weekly mon,wed 08:00", timezone="America/New_York")
    town.queue("e1", "e2", category="east")
    town.queue("w1", "w2", "w3", "w4", category="west")
    for category in ("east", "west"):
        town.subscribe("ann", category=category)
    town.wish("ann", cap=1)
    run(town, MONDAY, MONDAY + 2 * WEEK)
    with town.database.read() as session:
        early = session.exec(
            select(Delivery.id)
            .join(Issue, col(Issue.id) == col(Delivery.issue_id))
            .where(Issue.due_at > Delivery.due_at)
        )
        assert early.all() == []


def test_each_reader_has_the_digest_by_their_own_clock(town: Town) -> None:
    """Where categories go at each reader's time, the digest is due when its last slot is that."""
    town.category("advice", local_time=True)
    town.category("news", cadence="weekly tue 18:00", local_time=True)
    for category in ("advice", "news"):
        town.queue(f"{category}-1", category=category)
        town.subscribe("ann", "cho", category=category)
    town.usual = DAILY
    town.live("cho", "Asia/Seoul")
    assert [one[0] for one in run(town, MONDAY, TUESDAY + DAY)] == ["advice", "news", "digest"]
    with town.database.read() as session:
        found = session.exec(
            select(Subscriber.address, Delivery.due_at).join(
                Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
            )
        )
        dues = dict(iter(found))
    assert dues["ann@example.org"] == EVENING
    assert dues["cho@example.org"] == EVENING - 9 * HOUR


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
