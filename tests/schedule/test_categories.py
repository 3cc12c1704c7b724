"""Categories: made, changed, removed and made again, on both databases."""

from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.errors import CadenceError, NotFoundError, QueueError
from newsletter.models import Category, Delivery, Issue, QueueEntry, Receipt
from newsletter.schedule.categories import (
    Removed,
    active_readers,
    all_categories,
    edit_category,
    find_category,
    remove_category,
    set_last_day,
    set_start,
    skip_days,
)
from newsletter.schedule.planned import PlannedIssue
from newsletter.schedule.welcome import is_owed, set_welcome
from newsletter.states import EntryState, Mode
from tests.planning import MONDAY, TUESDAY, WEEK, Town, database, empty, shared_database, summary, town
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]


def edit(town: Town, slug: str = "advice", **changes: str) -> Category:
    with town.database.write() as session:
        category = find_category(session, slug)
        edit_category(session, category, **changes, now=town.now)  # type: ignore[arg-type]
        return category


def remove(town: Town, slug: str = "advice") -> Removed:
    with town.database.write() as session:
        return remove_category(session, find_category(session, slug), editor=town.editor)


def slots(town: Town, *, weeks: int) -> list[str]:
    """What the coming weeks' slots are said to be."""
    return [planned.slot for planned in town.planner.upcoming(town.now, town.now + weeks * WEEK)]


def test_a_new_category_is_kept_as_it_will_be_read(town: Town) -> None:
    """Cadence and zone are stored in their canonical spelling."""
    town.category(cadence="  Weekly TUESDAY 8:00 ", timezone="Europe/Berlin", mode=Mode.SEQUENCE)
    with town.database.read() as session:
        (category,) = all_categories(session)
    assert (category.cadence, category.timezone) == ("weekly tue 08:00", "Europe/Berlin")
    assert (category.mode, category.slots_from, category.ended_at) == ("sequence", MONDAY, None)


def test_two_of_one_name(town: Town) -> None:
    """A second category of the same name is refused, with the command that was meant."""
    town.category()
    with pytest.raises(QueueError, match="a category 'advice' already: `paperround category edit advice`"):
        town.category(cadence="daily 07:00")
    assert find(town).cadence == "weekly tue 08:00"


def find(town: Town, slug: str = "advice") -> Category:
    with town.database.read() as session:
        return find_category(session, slug)


@pytest.mark.parametrize(
    "slug", ["", "Advice", "a b", "-a", "a-", "a--b", "a_b", "é", "a.b", "a" * 61, "a\n"]
)
def test_a_name_that_cannot_be_an_address(town: Town, slug: str) -> None:
    """A slug goes into List-Id and addresses, so it is letters, digits and single hyphens."""
    with pytest.raises(QueueError, match="cannot name a category"):
        town.category(slug)


@pytest.mark.parametrize("slug", ["a", "career-advice", "2026", "a" * 60])
def test_names_that_can(town: Town, slug: str) -> None:
    """Any such name up to the limit is taken."""
    assert town.category(slug).slug == slug


@pytest.mark.parametrize("wrong", [{"cadence": "weekly blue 08:00"}, {"timezone": "Mars/Base"}])
def test_an_impossible_rule_changes_nothing(town: Town, wrong: dict[str, str]) -> None:
    """A cadence or zone that cannot be is refused when a category is made and when it is changed."""
    with pytest.raises(CadenceError):
        town.category(**wrong)
    town.category()
    with pytest.raises(CadenceError):
        edit(town, title="New", **wrong)
    assert (find(town).title, find(town).slots_from) == ("advice", MONDAY)


def test_a_category_that_is_not_there(town: Town) -> None:
    """The error lists those there are, or says how to make the first."""
    with pytest.raises(NotFoundError, match="nor any other yet: `paperround category add`"):
        find(town, "x")
    town.category("b")
    town.category("a")
    with pytest.raises(NotFoundError, match="no category 'x' here; there are: a, b"):
        find(town, "x")


def test_readers_are_the_active_ones(town: Town) -> None:
    """Those who have yet to confirm, and those who left, are not counted."""
    town.category()
    town.subscribe("ann", "bo", "cleo")
    town.subscribe("dan", confirmed=False)
    town.leave("bo")
    with town.database.read() as session:
        assert active_readers(session, "advice") == 2


# Changing.


def test_title_and_mode_change_at_once(town: Town) -> None:
    """What has nothing to do with time moves no slot."""
    town.category()
    town.plan(TUESDAY)
    town.now = TUESDAY
    category = edit(town, title="New", mode=Mode.SEQUENCE)
    assert (category.title, category.mode, category.slots_from) == ("New", "sequence", MONDAY)


def test_a_rule_that_stays_moves_nothing(town: Town) -> None:
    """Giving the cadence it already has is no change, however it is spelt."""
    town.category()
    town.plan(TUESDAY)
    town.now = TUESDAY
    assert edit(town, cadence="weekly TUESDAY 8:00", timezone="UTC").slots_from == MONDAY


def test_a_change_waits_for_the_period_to_end(town: Town) -> None:
    """After Tuesday's issue a daily cadence begins next Tuesday; before any issue it begins now."""
    town.category()
    assert edit(town, cadence="weekly wed 08:00").slots_from == MONDAY
    edit(town, cadence="weekly tue 08:00")
    town.plan(TUESDAY)
    town.now = TUESDAY + timedelta(hours=1)
    assert edit(town, cadence="daily 08:00").slots_from == TUESDAY + WEEK
    assert slots(town, weeks=1) == ["2026-01-13T08:00"]


def test_a_change_of_mind_waits_no_longer(town: Town) -> None:
    """Changing a cadence that has yet to begin leaves the day on which the next one begins."""
    town.category()
    town.plan(TUESDAY)
    town.now = TUESDAY + timedelta(hours=1)
    for cadence in ("daily 08:00", "monthly 1 08:00", "weekly wed 08:00"):
        assert edit(town, cadence=cadence).slots_from == TUESDAY + WEEK
    assert slots(town, weeks=2) == ["2026-01-14T08:00"]


def test_another_zone_is_a_change_too(town: Town) -> None:
    """The same wall clock elsewhere does not make a second issue of the same day."""
    town.category(timezone="Europe/Berlin")
    town.now = TUESDAY
    town.plan(town.now)
    edit(town, timezone="America/New_York")
    town.plan(TUESDAY + timedelta(hours=12))
    assert town.issues() == [("advice", "2026-01-06T08:00", "empty")]


weekly = st.builds(
    "weekly {} {:02}:00".format,
    st.sampled_from(("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
    st.integers(0, 23),
)
edits = st.lists(
    st.tuples(
        st.integers(1, 200),
        weekly,
        st.sampled_from(("UTC", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati")),
    ),
    max_size=5,
)


@tried(20, quickly=8)
@given(edits=edits)
def test_no_week_has_two_issues(database: Database, edits: list[tuple[int, str, str]]) -> None:
    """However often a weekly category's day, hour and zone are changed, its issues are a week apart."""
    empty(database)
    town = Town(database)
    town.category()
    for hours, cadence, zone in [*edits, (600, "daily 08:00", "UTC")]:
        end = town.now + timedelta(hours=hours)
        while town.now < end:
            town.now = min(end, town.now + timedelta(hours=40))
            town.plan(town.now)
        edit(town, cadence=cadence, timezone=zone)
    with database.read() as session:
        dues = sorted(session.exec(select(Issue.due_at)))
    assert len(dues) >= 2
    assert all(later - earlier >= WEEK for earlier, later in pairwise(dues))


# Removing.


def test_a_category_that_sent_nothing_is_forgotten(town: Town) -> None:
    """Without an issue there is no history to keep; what waited in its queue is gone with it."""
    town.category()
    town.queue("a", "b")
    assert remove(town) == Removed(has_history=False, cancelled=0)
    with town.database.read() as session:
        assert session.exec(select(Category)).all() == []
        assert session.exec(select(QueueEntry)).all() == []


def test_history_outlives_the_category(town: Town) -> None:
    """What went out stays on record; what waits, is held or was dropped leaves the queue; no slot comes."""
    town.category()
    town.queue("a", "b", "c", "d")
    town.change("c", EntryState.HELD)
    town.change("d", EntryState.DROPPED)
    town.plan(TUESDAY)
    town.now = TUESDAY + WEEK
    assert remove(town).has_history
    with town.database.read() as session:
        assert all_categories(session) == []
        assert [entry.state for entry in session.exec(select(QueueEntry))] == ["issued"]
    assert town.plan(town.now) == []
    assert slots(town, weeks=3) == []
    assert town.issues() == [("advice", "2026-01-06T08:00", "planned")]


def test_letters_of_a_removed_category_do_not_go(town: Town) -> None:
    """What is not on the wire is cancelled, with its receipt; what is, and what went, stays as it is."""
    town.category()
    town.category("other")
    town.queue("a")
    town.queue("b", category="other")
    readers = ("ann", "bo", "cleo", "dan", "eve", "finn")
    town.subscribe(*readers)
    town.subscribe(*readers, category="other")
    town.plan(TUESDAY)
    before = ("sent", "sending", "in_doubt", "claimed", "deferred")
    with town.database.write() as session:
        for row, state in zip(deliveries(session, "advice"), before, strict=False):
            row.state = state
    assert remove(town) == Removed(has_history=True, cancelled=4)
    with town.database.read() as session:
        mine, others = deliveries(session, "advice"), deliveries(session, "other")
        receipts = session.exec(select(Receipt.subscriber_id, Receipt.letter_key)).all()
    assert [row.state for row in mine] == ["sent", "sending", *["cancelled"] * 4]
    assert {row.reply for row in mine[2:]} == {"The category was removed."}
    assert {row.state for row in others} == {"queued"}
    kept = [(row.subscriber_id, row.letter_key) for row in (*mine[:2], *others)]
    assert sorted(tuple(receipt) for receipt in receipts) == sorted(kept)


def deliveries(session: Session, category: str) -> list[Delivery]:
    found = select(Delivery).where(Delivery.category == category)
    return list(session.exec(found.order_by(col(Delivery.id))))


def test_a_category_that_comes_back_repeats_no_slot(town: Town) -> None:
    """Added again on the day of its issue, with the same hour anywhere, it goes out the next week."""
    for zone in ("UTC", "UTC", "America/New_York", "Pacific/Honolulu"):
        town.category(timezone=zone)
        town.now = max(town.now, TUESDAY)
        town.plan(TUESDAY + timedelta(hours=23))
        assert town.issues() == [("advice", "2026-01-06T08:00", "empty")]
        # Nor does the forecast say that it would.
        assert slots(town, weeks=1)[:1] in ([], ["2026-01-13T08:00"])
        remove(town)


def test_readers_and_old_posts_of_a_category_that_comes_back(town: Town) -> None:
    """Its readers are there still, and what it has sent is not queued again."""
    town.category()
    town.subscribe("ann")
    town.queue("a", "b")
    town.plan(TUESDAY)
    town.now = TUESDAY + timedelta(days=1)
    remove(town)
    town.category()
    town.queue("a", "b")
    (issue,) = town.plan(TUESDAY + WEEK)
    assert isinstance(issue, PlannedIssue)
    assert ([post.slug for post in issue.posts], issue.readers) == (["b"], 1)


def test_a_category_that_somebody_else_has_removed(town: Town) -> None:
    """Changing or removing what has just gone says so, instead of bringing it back."""
    category = town.category()
    remove(town)
    for work in (
        lambda session: remove_category(session, category, editor=town.editor),
        lambda session: edit_category(session, category, title="New", now=town.now),
    ):
        with town.database.read() as session, pytest.raises(NotFoundError, match="just been removed"):
            work(session)


def test_a_category_that_comes_back_begins_anew(town: Town) -> None:
    """Its history stays; its last day, days to skip, start and welcome were the old one's."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    town.subscribe("ann")
    town.plan(TUESDAY)
    with town.database.write() as session:
        category = find_category(session, "advice")
        set_start(session, category, "b")
        set_welcome(session, category, "a", now=TUESDAY)
        set_last_day(session, category, date(2026, 1, 7))
        skip_days(session, category, {date(2026, 1, 13): "Old"}, now=TUESDAY)
        remove_category(session, category, editor=town.editor)
    town.now = TUESDAY + WEEK / 7
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    told = town.planner.upcoming(town.now, TUESDAY + 2 * WEEK)
    assert [summary(issue)[1:4] for issue in told] == [
        ("2026-01-13T08:00", "planned", ("a",)),  # what was cancelled with the category is lacked again
        ("2026-01-20T08:00", "planned", ("b",)),
    ]
    with town.database.read() as session:
        assert not is_owed(session, find_category(session, "advice"))


def test_a_sequence_keeps_its_beginning_when_that_is_dropped(town: Town) -> None:
    """What stood above the start is for nobody, also when the start itself waits no more."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c", "d")
    town.subscribe("ann")
    town.start("advice", "c")
    town.change("c", EntryState.DROPPED)
    told = town.planner.upcoming(MONDAY, TUESDAY + WEEK)
    assert [summary(issue)[2:4] for issue in told] == [("planned", ("d",)), ("empty", ())]


def reasons(town: Town, at: datetime = TUESDAY) -> dict[str, str]:
    """Why slots stayed empty, by category."""
    return {issue.category: issue.reason for issue in town.plan(at) if isinstance(issue, PlannedIssue)}


def test_an_empty_slot_says_why(town: Town) -> None:
    """That nothing waits, what keeps what waits, that all have had it, or that nobody is there."""
    town.category("dry")
    town.category("held")
    town.queue("a", category="held")
    town.change("a", EntryState.HELD)
    town.category("course", mode=Mode.SEQUENCE)
    town.queue("b", category="course")
    told = {issue.category: issue.reason for issue in town.planner.upcoming(MONDAY, TUESDAY)}
    assert told == {
        "dry": "nothing is queued",
        "held": "nothing that waits may go: 1 held",
        "course": "nobody is there to get it",
    }
    assert reasons(town) == told
    town.subscribe("ann", category="course")
    town.plan(TUESDAY + WEEK)
    assert reasons(town, TUESDAY + 2 * WEEK)["course"] == "nothing is queued that a reader lacks"
