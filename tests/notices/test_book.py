"""The book of notices: noticed once by whoever looks, over when it is over, mailed by one at a time."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Thread

import pytest
from sqlmodel import select

from newsletter.content.history import Editor
from newsletter.database import Database
from newsletter.delivery import issues as hand
from newsletter.errors import TemplateError
from newsletter.models import Edition, Issue, Notice, Post
from newsletter.notices.book import Thresholds, all_notices, close_over, look, record, take
from newsletter.render.edition import Occasion
from newsletter.schedule.categories import edit_category, find_category, remove_category, set_last_day
from newsletter.states import EntryState, IssueState, Mode
from tests import issues
from tests.planning import TUESDAY, WEEK, Town, another, database, shared_database, town

__all__ = ["database", "shared_database", "town"]

HOUR = timedelta(hours=1)
THRESHOLDS = Thresholds(low=3, patience=48 * HOUR)


def told(town: Town, at: datetime, *halted: int) -> list[str]:
    """What a look finds to tell."""
    return named(town, look(town.database, at, THRESHOLDS, halted))


def named(town: Town, notices: Sequence[Notice]) -> list[str]:
    """Topics, with the slot of an empty issue in place of its number, which differs by database."""
    with town.database.read() as session:
        slots = {f"issue {issue.id}": issue.slot[:10] for issue in session.exec(select(Issue))}
    heads = [notice.topic.rpartition(":") for notice in notices]
    return [
        f"{head}:{slots[tail]}" if head.startswith("empty") and tail in slots else f"{head}:{tail}"
        for head, _, tail in heads
    ]


def passed(town: Town, at: datetime) -> list[str]:
    """What is found to tell by a whole pass of the planner, as `App.plan_due` makes it."""
    close_over(town.database, at, THRESHOLDS)
    town.plan(at)
    return told(town, at)


def standing(town: Town) -> dict[str, bool]:
    """By subject, whether it is still so."""
    with town.database.read() as session:
        return {notice.topic: notice.over_at is None for notice in all_notices(session)}


def broken_edition(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
    raise TemplateError("unexpected '}'", path="issue.mjml.j2", line=3)


# Queues.


def test_a_queue_that_runs_low_is_told_at_each_crossing(town: Town) -> None:
    """Not while it stays low; again after it was filled up, also where a slot came before anybody looked."""
    town.category()
    town.subscribe("ann")
    assert passed(town, town.now) == []
    town.queue("a", "b", "c")
    assert passed(town, TUESDAY - HOUR) == []
    assert passed(town, TUESDAY) == ["low:advice"]
    assert passed(town, TUESDAY + HOUR) == []
    town.queue("d")  # three again, of which the next slot takes one at once
    assert passed(town, TUESDAY + WEEK) == ["low:advice"]
    assert passed(town, TUESDAY + 2 * WEEK) == []
    with town.database.read() as session:
        assert [(one.topic, one.number) for one in all_notices(session)] == [
            ("low:advice", 1),
            ("low:advice", 2),
        ]
        assert "runs dry after 20 January" in all_notices(session)[0].subject


def test_held_posts_do_not_count(town: Town) -> None:
    """They do not go; releasing them fills the queue up again."""
    town.category()
    town.queue("a", "b", "c")
    assert told(town, town.now) == []
    town.change("b", EntryState.HELD)
    assert told(town, town.now) == ["low:advice"]
    town.change("b", EntryState.QUEUED)
    assert told(town, town.now) == []
    assert standing(town) == {"low:advice": False}


def test_a_category_that_ends_before_its_queue_does_is_not_low(town: Town) -> None:
    """Two posts are enough for the two slots that are left; for the three of another day they are not."""
    town.category()
    town.queue("a", "b")
    with town.database.write() as session:
        set_last_day(session, find_category(session, "advice"), (TUESDAY + WEEK).date())
    assert told(town, town.now) == []
    with town.database.write() as session:
        set_last_day(session, find_category(session, "advice"), (TUESDAY + 2 * WEEK).date())
    assert told(town, town.now) == ["low:advice"]


def test_nothing_is_told_of_a_category_that_was_removed(town: Town) -> None:
    """What was told of it is over."""
    town.category()
    town.queue("a", "b")
    town.subscribe("ann")
    passed(town, TUESDAY)
    with town.database.write() as session:
        remove_category(session, find_category(session, "advice"), editor=Editor("ed", TUESDAY))
    assert passed(town, TUESDAY + WEEK) == []
    assert not any(standing(town).values())


def test_slots_that_stay_empty_are_told_once(town: Town) -> None:
    """Whoever leaves a category dry on purpose is not told each week; once something has gone, it is news."""
    town.category()
    town.subscribe("ann")
    first, *later = [passed(town, TUESDAY + week * WEEK) for week in range(4)]
    assert first == ["empty:advice:2026-01-06"]
    assert later == [[], [], []]
    town.queue("a")
    assert passed(town, TUESDAY + 4 * WEEK) == ["low:advice"]
    assert passed(town, TUESDAY + 5 * WEEK) == ["empty:advice:2026-02-10"]
    assert passed(town, TUESDAY + 6 * WEEK) == []


def test_days_that_are_skipped_are_no_empty_slots_and_end_no_run_of_them(town: Town) -> None:
    """Slots found too late are not empty either."""
    town.category()
    town.subscribe("ann")
    assert passed(town, TUESDAY) == ["empty:advice:2026-01-06"]
    assert passed(town, TUESDAY + 2 * WEEK - 24 * HOUR) == []
    assert [state for *_, state in town.issues()] == ["empty", "skipped"]
    assert passed(town, TUESDAY + 2 * WEEK) == []


def test_a_category_without_readers_has_no_empty_slots(town: Town) -> None:
    """Nobody got nothing. With its first reader it is told once, also in the midst of a run."""
    town.category()
    town.subscribe("ann", confirmed=False)
    assert passed(town, TUESDAY) == []
    town.subscribe("bo")
    assert passed(town, TUESDAY + WEEK) == ["empty:advice:2026-01-06"]


def test_the_end_of_a_sequence_is_told_once_until_something_is_added(town: Town) -> None:
    """Newcomers who work through it in between change nothing."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a")
    town.subscribe("ann")
    assert passed(town, TUESDAY) == []
    (end,) = passed(town, TUESDAY + WEEK)
    assert end.startswith("empty:advice:post ")
    town.subscribe("bo")
    assert passed(town, TUESDAY + 2 * WEEK) == []
    assert passed(town, TUESDAY + 3 * WEEK) == []
    town.queue("b")
    assert passed(town, TUESDAY + 4 * WEEK) == []
    (again,) = passed(town, TUESDAY + 5 * WEEK)
    assert again != end


# Failed slots.


def test_a_failed_slot_is_told_once_and_over_when_it_has_gone(town: Town) -> None:
    """However often it is tried; the words say which post to hold."""
    town.category()
    town.queue("a", "b", "c", "d")
    town.subscribe("ann")
    sound = town.make_edition
    town.make_edition = broken_edition
    (failed,) = passed(town, TUESDAY)
    assert failed.startswith("failed:advice:2026-01-06T08:00:")
    assert passed(town, TUESDAY + HOUR) == []
    with town.database.read() as session:
        (notice,) = all_notices(session)
    assert "    issue.mjml.j2:3: unexpected '}'" in notice.text
    assert "paperround queue hold a" in notice.text
    town.make_edition = sound
    assert passed(town, TUESDAY + 2 * HOUR) == []
    assert standing(town) == {failed: False}


def test_a_failed_slot_that_is_skipped_is_over_and_the_next_is_news(town: Town) -> None:
    """Each slot that cannot go out is told; its own end was foretold."""
    town.category()
    town.queue("a", "b", "c")
    town.make_edition = broken_edition
    (failed,) = passed(town, TUESDAY)
    assert passed(town, TUESDAY + 49 * HOUR) == []
    assert standing(town) == {failed: False}
    (following,) = passed(town, TUESDAY + WEEK)
    assert following.startswith("failed:advice:2026-01-13T08:00:")


def test_a_failed_slot_that_is_no_slot_any_more_is_over(town: Town) -> None:
    """Its category goes out at other times now."""
    town.category()
    town.queue("a", "b", "c")
    town.make_edition = broken_edition
    (failed,) = passed(town, TUESDAY)
    with town.database.write() as session:
        category = find_category(session, "advice")
        edit_category(session, category, cadence="weekly fri 09:00", now=TUESDAY + HOUR)
    assert passed(town, TUESDAY + 2 * HOUR) == []
    assert standing(town) == {failed: False}


# Halted issues.


@pytest.fixture
def issue_id(town: Town) -> int:
    """An issue to ten readers, its queue told to be low."""
    planned = issues.plan_issue(town, 10)
    told(town, TUESDAY)
    return planned


def test_an_issue_that_its_first_share_has_halted_is_told_by_whoever_looks(town: Town, issue_id: int) -> None:
    """No process has to have seen it happen; it is over when a person lets it go on or ends it."""
    issues.change_issue(
        town.database,
        issue_id,
        state=IssueState.PAUSED,
        reason="2 bounced",
        canary_every=2,
        canary_done_at=TUESDAY,
    )
    assert told(town, TUESDAY) == [f"halted:issue {issue_id}"]
    assert told(town, TUESDAY + HOUR) == []
    with town.database.write() as session:
        hand.resume(session, issue_id, now=TUESDAY, expiry=WEEK)
    assert told(town, TUESDAY + 2 * HOUR) == []
    assert standing(town)[f"halted:issue {issue_id}"] is False


def test_an_issue_whose_letters_cannot_be_made_is_told_each_time(town: Town, issue_id: int) -> None:
    """It is named by who halted it, stands as long as it is paused, and is told again after a vain resume."""
    topic = f"halted:issue {issue_id}"
    for _ in range(2):
        with town.database.write() as session:
            hand.pause(session, issue_id, "the picture x.png is gone")
        assert told(town, TUESDAY, issue_id) == [topic]
        assert told(town, TUESDAY, issue_id) == []
        assert told(town, TUESDAY) == []
        assert standing(town)[topic] is True
        with town.database.write() as session:
            hand.resume(session, issue_id, now=TUESDAY, expiry=WEEK)
        assert told(town, TUESDAY) == []


def test_an_issue_that_a_person_paused_is_nothing_to_tell(town: Town, issue_id: int) -> None:
    """They know."""
    with town.database.write() as session:
        hand.pause(session, issue_id, "by hand")
    assert told(town, TUESDAY) == []


# Several at once, and what is mailed.


def test_several_who_look_at_once_notice_a_thing_once(town: Town, database: Database) -> None:
    """Four processes; each crossing has one row."""
    town.category()
    town.queue("a", "b", "c")
    towns = [replace(town, database=another(database)) for _ in range(4)]
    found: list[str] = []
    for _ in range(3):
        town.change("a", EntryState.HELD)
        threads = [Thread(target=lambda own=own: found.extend(told(own, TUESDAY))) for own in towns]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        town.change("a", EntryState.QUEUED)
        assert told(town, TUESDAY) == []
    for own in towns:
        own.database.close()
    assert found == ["low:advice"] * 3


@pytest.fixture
def low(town: Town) -> Town:
    """Two notices that wait to be mailed: an empty slot, and before it a queue that is low."""
    town.category("other")
    town.queue("a", "b", category="other")
    assert told(town, town.now) == ["low:other"]
    town.category("advice", cadence="weekly mon 08:00")
    town.subscribe("ann")
    assert passed(town, town.now + 8 * HOUR) == ["empty:advice:2026-01-05"]
    return town


def test_the_most_urgent_is_taken_first_and_by_one_only(low: Town) -> None:
    """Who comes second finds nothing, until the first has had its while; each while is longer."""
    assert named(low, take(low.database, TUESDAY)) == ["empty:advice:2026-01-05", "low:other"]
    assert take(low.database, TUESDAY) == []
    now, waits = TUESDAY, []
    while len(waits) < 6:
        now += timedelta(minutes=5)
        if take(low.database, now):
            waits.append(now - TUESDAY)
    minutes = [5, 25, 70, 160, 340, 520]
    assert waits == [timedelta(minutes=one) for one in minutes]


def test_two_who_take_at_once_share_it_out(low: Town, database: Database) -> None:
    """Both may find it; one of them gets it."""
    others = [another(database) for _ in range(4)]
    taken: list[str] = []
    threads = [Thread(target=lambda own=own: taken.extend(named(low, take(own, TUESDAY)))) for own in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in others:
        own.close()
    assert sorted(taken) == ["empty:advice:2026-01-05", "low:other"]


def test_what_is_over_or_was_mailed_is_not_mailed(low: Town) -> None:
    """A queue that was filled before its notice could go is no news; what went stays as it was recorded."""
    low.queue("c", "d", category="other")
    assert told(low, TUESDAY - HOUR) == []
    (empty,) = take(low.database, TUESDAY)
    record(low.database, [empty.id], "250 2.0.0 Ok", TUESDAY)
    record(low.database, [empty.id], "451 no", None)
    assert take(low.database, TUESDAY + WEEK) == []
    with low.database.read() as session:
        kept = session.exec(select(Notice).where(Notice.id == empty.id)).one()
    assert (kept.reply, kept.sent_at, kept.attempts) == ("250 2.0.0 Ok", TUESDAY, 1)


def test_a_look_changes_nothing_where_nothing_has(low: Town) -> None:
    """A site of many looks has no more rows for it, and takes no lock for writing."""
    with low.database.write() as session:
        session.exec(select(Issue)).all()
        assert told(low, TUESDAY - HOUR) == []
