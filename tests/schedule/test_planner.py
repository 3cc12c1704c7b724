"""From slots to letters: who gets what, once, whatever happens in between."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, func
from sqlmodel import Session, col, select

import newsletter.database
import newsletter.schedule.planner
from newsletter.app import App
from newsletter.database import Database
from newsletter.delivery import reports
from newsletter.errors import DatabaseError, QueueError
from newsletter.models import Category, Delivery, Edition, EditionPost, Issue, Post, Receipt
from newsletter.render.edition import Occasion
from newsletter.render.letter import Neighbour
from newsletter.schedule.archive import find_shown
from newsletter.schedule.categories import (
    Stream,
    all_categories,
    edit_category,
    find_category,
    line_of,
    remove_category,
)
from newsletter.schedule.due import slots_to_decide
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.timetable import Slot, timetable_of
from newsletter.states import EntryState, IssueState, Mode
from tests.conftest import Clock, subscribe
from tests.planning import (
    BASE_URL,
    MONDAY,
    TUESDAY,
    WEEK,
    LetterRow,
    Town,
    another,
    database,
    plain_edition,
    rows,
    shared_database,
    source,
    summary,
    town,
)

__all__ = ["database", "shared_database", "town"]

HOUR = timedelta(hours=1)


def planned(town: Town, at: datetime) -> list[tuple[str, str, str, tuple[str, ...], int]]:
    """What a pass did, in words."""
    return [summary(issue) for issue in town.plan(at)]


def stream_of(town: Town, category: Category) -> Stream:
    """A category with its timetable, as a planner reads it."""
    with town.database.read() as session:
        return Stream(category, timetable_of(session, category))


# Which slots are decided, and how. Pure.


@pytest.mark.parametrize(
    ("ages", "catch_up", "skipped"),
    [
        ([], 48, []),
        ([0], 48, [False]),
        ([0], 0, [False]),
        ([1], 0, [True]),
        ([48], 48, [False]),
        ([49], 48, [True]),
        ([-1], 48, []),
        ([24, 0], 48, [True, False]),
        ([96, 72, 49], 48, [True, True, True]),
        ([72, 24, -24], 48, [True, False]),
        ([24, 24], 48, [False, False]),
        ([48, 24, 24], 48, [True, False, False]),
    ],
)
def test_only_the_newest_missed_slot_is_caught_up(
    ages: list[int], catch_up: int, skipped: list[bool]
) -> None:
    """Of slots so many hours old, all but the newest are skipped, and that one too if it is too old."""
    slots = [Slot(datetime(2026, 1, 1) + i * HOUR, TUESDAY - age * HOUR) for i, age in enumerate(ages)]  # noqa: DTZ001
    decided = slots_to_decide(slots, TUESDAY, catch_up * HOUR)
    assert [bool(slot.left_out) for slot in decided] == skipped
    assert [replace(slot, left_out="") for slot in decided] == slots[: len(skipped)]


@given(
    st.lists(st.tuples(st.integers(-500, 500), st.sampled_from(["", "May Day"])), max_size=20).map(sorted),
    st.integers(0, 300),
)
def test_every_due_slot_is_decided_once(found: list[tuple[int, str]], catch_up: int) -> None:
    """Whatever was missed, no slot is lost or repeated, and what goes out is the newest and not too old.

    Slots on days that are skipped are decided as that, and are never the newest.
    """
    slots = [
        Slot(datetime(2026, 1, 1) + i * HOUR, TUESDAY + hours * HOUR, name)  # noqa: DTZ001
        for i, (hours, name) in enumerate(found)
    ]
    decided = slots_to_decide(iter(slots), TUESDAY, catch_up * HOUR)
    due = [slot for slot in slots if slot.due_at <= TUESDAY]
    assert [(slot.due_at, slot.local) for slot in decided] == [(slot.due_at, slot.local) for slot in due]
    assert all(now.left_out == slot.left_out for now, slot in zip(decided, due, strict=True) if slot.left_out)
    going = {slot.due_at for slot in decided if not slot.left_out}
    newest = max((slot.due_at for slot in due if not slot.left_out), default=None)
    late = newest is None or TUESDAY - newest > catch_up * HOUR
    assert going == (set() if late else {newest})


def test_a_slot_is_known_by_its_wall_clock() -> None:
    """The key of an issue has no zone and no seconds, so that daylight saving cannot make two of it."""
    assert Slot(datetime(2026, 12, 1, 8), TUESDAY).key == "2026-12-01T08:00"  # noqa: DTZ001


# Who gets what.


def test_everyone_gets_the_head_of_the_queue(town: Town) -> None:
    """A broadcast goes to each active reader once, and the next slot sends the next post."""
    town.category()
    town.queue("a", "b")
    town.subscribe("ann", "bo")
    assert planned(town, TUESDAY - HOUR) == []
    assert planned(town, TUESDAY) == [("advice", "2026-01-06T08:00", "planned", ("a",), 2)]
    town.subscribe("cleo")
    assert planned(town, TUESDAY + WEEK) == [("advice", "2026-01-13T08:00", "planned", ("b",), 3)]
    assert [town.given_to(name) for name in ("ann", "bo", "cleo")] == [["a", "b"], ["a", "b"], ["b"]]


def test_each_reader_of_a_sequence_goes_at_their_own_place(town: Town) -> None:
    """A newcomer starts at the first post; one issue has an edition for each post that somebody gets."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c")
    town.subscribe("ann")
    town.plan(TUESDAY)
    town.subscribe("bo")
    assert planned(town, TUESDAY + WEEK) == [("advice", "2026-01-13T08:00", "planned", ("a", "b"), 2)]
    town.subscribe("cleo")
    town.plan(TUESDAY + 2 * WEEK)
    assert town.given_to("ann") == ["a", "b", "c"]
    assert town.given_to("bo") == ["a", "b"]
    assert town.given_to("cleo") == ["a"]


def test_a_sequence_that_has_ended_goes_on_when_it_grows(town: Town) -> None:
    """Who has had everything gets nothing until a post is added, and then that one."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a")
    town.subscribe("ann", "bo")
    town.plan(TUESDAY)
    (nothing,) = town.plan(TUESDAY + WEEK)
    assert isinstance(nothing, PlannedIssue)
    assert (nothing.state, nothing.reason) == (IssueState.EMPTY, "nothing is queued that a reader lacks")
    town.queue("b")
    town.subscribe("cleo")
    assert planned(town, TUESDAY + 2 * WEEK) == [("advice", "2026-01-20T08:00", "planned", ("a", "b"), 3)]
    assert town.given_to("ann") == ["a", "b"]


def test_a_sequence_keeps_to_the_order_of_its_queue(town: Town) -> None:
    """What is moved to the front or released goes to those who lack it next; what is held goes to nobody."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "x", "c")
    town.change("a", EntryState.HELD)
    town.subscribe("ann")
    town.plan(TUESDAY)
    town.move("c", 1)
    town.plan(TUESDAY + WEEK)
    town.change("a", EntryState.QUEUED)
    town.plan(TUESDAY + 2 * WEEK)
    assert town.given_to("ann") == ["b", "c", "a"]


def test_a_held_post_lets_the_next_one_pass(town: Town) -> None:
    """Holding the head of a broadcast queue sends the second post; released, it is next again."""
    town.category()
    town.queue("a", "b", "c")
    town.subscribe("ann")
    town.change("a", EntryState.HELD)
    town.plan(TUESDAY)
    town.change("a", EntryState.QUEUED)
    town.plan(TUESDAY + WEEK)
    town.change("c", EntryState.DROPPED)
    assert [state for *_, state in town.issues()] == ["planned", "planned"]
    assert planned(town, TUESDAY + 2 * WEEK)[0][2] == "empty"
    assert town.given_to("ann") == ["b", "a"]


@pytest.mark.parametrize("modes", [(a, b) for a in Mode for b in Mode])
def test_a_post_in_two_categories_reaches_a_person_once(town: Town, modes: tuple[Mode, Mode]) -> None:
    """Whichever category comes first gives the post; the other passes over those who have it."""
    town.category("one", mode=modes[0])
    town.category("two", mode=modes[1], cadence="weekly wed 08:00")
    town.add(source("a", "one", "two"))
    for category, names in (("one", ("ann", "bo")), ("two", ("bo", "cleo"))):
        town.subscribe(*names, category=category)
    town.plan(TUESDAY)
    town.plan(TUESDAY + timedelta(days=1))
    slots = {"one": "2026-01-06T08:00", "two": "2026-01-07T08:00"}
    expected = [("one", "ann"), ("one", "bo"), ("two", "cleo")]
    assert town.letters() == [LetterRow(c, slots[c], name, "a") for c, name in expected]


@pytest.mark.parametrize("mode", Mode)
def test_only_active_readers_are_written_to(town: Town, mode: Mode) -> None:
    """Who has not confirmed, who left, and who reads something else, gets nothing."""
    town.category(mode=mode)
    town.category("other")
    town.queue("a")
    town.subscribe("ann", "left")
    town.subscribe("pending", confirmed=False)
    town.subscribe("pending", "elsewhere", category="other")
    town.leave("left")
    assert planned(town, TUESDAY)[0] == ("advice", "2026-01-06T08:00", "planned", ("a",), 1)
    assert [row.reader for row in town.letters()] == ["ann"]


def test_who_left_and_came_back_gets_what_they_have_not_had(town: Town) -> None:
    """Leaving before a letter went gives its post back: it comes again, once, after a return."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    town.subscribe("ann")
    town.plan(TUESDAY)
    town.leave("ann")
    town.subscribe("ann")
    town.plan(TUESDAY + WEEK)
    assert [row.post for row in town.letters()] == ["a", "a"]
    with town.database.read() as session:
        assert session.exec(select(Delivery.state).order_by(col(Delivery.id))).all() == [
            "cancelled",
            "queued",
        ]


def test_two_posts_with_the_same_words(advice: App) -> None:
    """Posts that differ in nothing but their name may go out in one issue, each to its readers."""
    with advice.database.write() as session:
        find_category(session, "advice").mode = Mode.SEQUENCE
    site = Town(advice.database, make_edition=advice.editions.make)
    site.add(*(source(slug, "advice", extra="title: The same\n") for slug in ("a", "b")))
    site.subscribe("ann")
    site.plan(TUESDAY)
    site.subscribe("bo")
    (issue,) = site.plan(TUESDAY + WEEK)
    assert isinstance(issue, PlannedIssue)
    assert [post.slug for post in issue.posts] == ["a", "b"]


def test_a_letter_is_due_at_its_slot_and_expires(town: Town) -> None:
    """Each delivery is due when its slot was, also when that is past, and stale after the time allowed."""
    town.category()
    town.queue("a")
    town.subscribe("ann")
    late = TUESDAY + 5 * HOUR
    town.plan(late)
    with town.database.read() as session:
        delivery, issue = session.exec(select(Delivery)).one(), session.exec(select(Issue)).one()
    assert (delivery.due_at, issue.expires_at) == (TUESDAY, late + timedelta(hours=120))
    assert (delivery.state, delivery.attempts, delivery.letter_key[:6]) == ("queued", 0, "issue:")


# What an edition is made with.


def occasions(town: Town, *, issues: int) -> dict[tuple[str, str], Occasion]:
    """What the maker was told for each slot's day and post, of so many weekly issues."""
    told: dict[tuple[str, str], Occasion] = {}

    def note(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        assert occasion.slot is not None
        told[f"{occasion.slot:%m-%d}", posts[0].slug] = occasion
        return plain_edition(occasion, posts, now)

    noting = replace(town, make_edition=note)
    for week in range(issues):
        noting.plan(TUESDAY + week * WEEK)
    return told


def web_version(occasion: Occasion, slug: str) -> Neighbour:
    """An earlier letter of one post, as a later one names it."""
    return Neighbour(slug, f"{BASE_URL}/issues/{occasion.issue_id}/{slug}")


def test_a_letter_is_told_its_slot(town: Town) -> None:
    """The maker is given the category, the issue and the wall-clock slot that its letter is of."""
    town.category()
    town.queue("a")
    town.subscribe("ann")
    (occasion,) = occasions(town, issues=1).values()
    with town.database.read() as session:
        issue = session.exec(select(Issue)).one()
    assert (occasion.category, occasion.title, occasion.issue_id) == ("advice", "advice", issue.id)
    assert f"{occasion.slot:%Y-%m-%dT%H:%M}" == issue.slot


def test_a_broadcast_follows_what_went_out_last(town: Town) -> None:
    """Before the first issue stands none; a slot without a post and a held post do not stand between two."""
    town.category()
    town.queue("a", "x", "b")
    town.subscribe("ann")
    town.change("x", EntryState.HELD)
    told = occasions(town, issues=3)
    town.queue("c")
    town.change("x", EntryState.DROPPED)
    told |= occasions(town, issues=4)
    first, second, third = told["01-06", "a"], told["01-13", "b"], told["01-27", "c"]
    assert first.previous is None
    assert second.previous == web_version(first, "a")
    assert third.previous == web_version(second, "b")


def test_a_broadcast_knows_no_other_category(town: Town) -> None:
    """What another category sent last is not what went before."""
    town.category("other", cadence="weekly mon 08:00")
    town.category()
    town.add(source("o", "other"), source("a", "advice"))
    town.subscribe("ann", category="other")
    town.subscribe("ann")
    town.plan(MONDAY + 8 * HOUR)
    assert occasions(town, issues=1)["01-06", "a"].previous is None


def test_a_letter_of_a_sequence_follows_the_post_above(town: Town) -> None:
    """Each post of an issue has its own predecessor, as that one went out last: be it in this very issue."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "x", "c")
    town.change("x", EntryState.HELD)
    town.subscribe("ann")
    told = occasions(town, issues=2)
    town.subscribe("bo")
    told |= occasions(town, issues=3)
    assert [key for key in sorted(told) if key[0] == "01-20"] == [("01-20", "a"), ("01-20", "c")]
    assert told["01-06", "a"].previous is told["01-20", "a"].previous is None
    assert told["01-13", "b"].previous == web_version(told["01-06", "a"], "a")
    assert told["01-20", "c"].previous == web_version(told["01-13", "b"], "b")
    told |= occasions(town, issues=4)
    assert told["01-27", "b"].previous == web_version(told["01-20", "a"], "a")
    town.subscribe("cleo")
    town.plan(TUESDAY + 4 * WEEK)
    town.subscribe("dan")
    told |= occasions(town, issues=6)
    assert told["02-10", "b"].previous == web_version(told["02-10", "a"], "a")


@pytest.mark.parametrize("mode", Mode)
def test_the_next_date_is_told_while_something_waits(town: Town, mode: Mode) -> None:
    """A letter names the day of the slot after it, and none when it is the last of its queue."""
    town.category(mode=mode)
    town.queue("a", "b", "x", "c")
    town.change("x", EntryState.DROPPED)
    town.subscribe("ann")
    told = occasions(town, issues=3)
    assert [occasion.next_date for _, occasion in sorted(told.items())] == [
        date(2026, 1, 13),
        date(2026, 1, 20),
        None,
    ]


def test_an_edition_keeps_the_posts_it_was_made_of(town: Town) -> None:
    """The web version shows the words that went out, also when the post is changed later."""
    town.category()
    town.add(source("a", "advice", words="As it was."))
    town.subscribe("ann")
    with town.database.read() as session:
        before = session.exec(select(Post)).one()
    town.plan(TUESDAY)
    with town.database.write() as session:
        post = session.get_one(Post, before.id)
        post.path, post.source = "elsewhere.md", b"Changed."
    with town.database.read() as session:
        kept = session.exec(select(EditionPost)).one()
        assert (kept.place, kept.post_id, kept.path, kept.source) == (
            0,
            before.id,
            "posts/a.md",
            before.source,
        )
        issue = session.exec(select(Issue)).one()
        shown = find_shown(session, issue.id, "a")
    assert b"As it was." in kept.source
    assert shown is not None
    assert shown.sources == (("a", "posts/a.md", before.source),)


# Time.


def test_an_empty_slot_is_recorded_once(town: Town) -> None:
    """A slot without a post is said once; a post that is queued a minute later waits for the next."""
    town.category()
    (empty_issue,) = town.plan(TUESDAY)
    assert isinstance(empty_issue, PlannedIssue)
    assert (empty_issue.state, empty_issue.reason) == (IssueState.EMPTY, "nothing is queued")
    town.queue("a")
    assert town.plan(TUESDAY + HOUR) == []
    assert town.issues() == [("advice", "2026-01-06T08:00", "empty")]


def test_missed_slots(town: Town) -> None:
    """After weeks of silence the newest slot goes out if it is young enough, and the others are said."""
    town.category()
    town.queue("a", "b")
    town.subscribe("ann")
    first, second, third = town.plan(TUESDAY + 2 * WEEK + 40 * HOUR)
    assert [summary(issue)[2] for issue in (first, second, third)] == ["skipped", "skipped", "planned"]
    assert isinstance(first, PlannedIssue)
    assert first.reason == "found 15 days late"
    (fourth,) = town.plan(TUESDAY + 3 * WEEK + 50 * HOUR)
    assert isinstance(fourth, PlannedIssue)
    assert (fourth.state, fourth.reason) == (IssueState.SKIPPED, "found 2 days late")
    assert town.given_to("ann") == ["a"]


def test_planning_again_is_harmless(town: Town) -> None:
    """A second pass at the same time, and one each minute until the next slot, does nothing."""
    town.category()
    town.category("two", mode=Mode.SEQUENCE)
    town.add(source("a", "advice", "two"), source("b", "advice", "two"))
    for category in ("advice", "two"):
        town.subscribe("ann", "bo", category=category)
    assert len(town.plan(TUESDAY)) == 2
    before = town.letters()
    for minutes in (0, 1, 60 * 24 * 7 - 1):
        assert town.plan(TUESDAY + timedelta(minutes=minutes)) == []
    assert town.letters() == before


def test_a_clock_that_jumps_back_plans_nothing_twice(town: Town) -> None:
    """Whatever the clock says in between, each slot is decided once."""
    town.category(cadence="daily 08:00")
    town.queue(*"abcdef")
    town.subscribe("ann")
    for days in (3, 0, 4, 1, 3, 4, 5):
        town.plan(TUESDAY + timedelta(days=days))
    slots = [slot for _, slot, _ in town.issues()]
    assert slots == [f"2026-01-{day:02}T08:00" for day in (5, 6, 7, 8, 9, 10, 11)]
    assert town.given_to("ann") == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("start", "dues"),
    [
        # In the night to 25 October 2026, 02:30 comes twice; to 29 March, not at all.
        (datetime(2026, 10, 24, tzinfo=UTC), ["10-24T00:30", "10-25T00:30", "10-26T01:30"]),
        (datetime(2026, 3, 28, tzinfo=UTC), ["03-28T01:30", "03-29T01:30", "03-30T00:30"]),
    ],
)
def test_daylight_saving_neither_doubles_nor_loses_a_slot(
    town: Town, start: datetime, dues: list[str]
) -> None:
    """02:30 in Berlin goes out once in the long night, at the first of two; at 03:30 in the short one."""
    town.now = start
    town.category(cadence="daily 02:30", timezone="Europe/Berlin")
    town.queue(*"abcd")
    town.subscribe("ann")
    found = []
    for quarter in range(4 * 72):
        if quarter % 4 and quarter % 96 > 16:
            continue  # of the day an hourly look will do
        at = start + quarter * timedelta(minutes=15)
        found += [(issue, at) for issue in town.plan(at) if isinstance(issue, PlannedIssue)]
    assert [f"{at:%m-%dT%H:%M}" for _, at in found] == dues
    assert all(issue.due_at == at for issue, at in found)
    assert [issue.slot for issue, _ in found] == [f"2026-{due[:5]}T02:30" for due in dues]
    assert town.given_to("ann") == ["a", "b", "c"]


def test_two_slots_at_one_instant(town: Town) -> None:
    """Where clocks go forward two slots may fall due together: both go, and were foretold."""
    start = datetime(2026, 3, 29, tzinfo=UTC)
    town.now = start
    town.category(cadence="30 2,3 * * *", timezone="Europe/Berlin")
    town.queue("a", "b")
    town.subscribe("ann")
    foretold = [summary(issue) for issue in town.planner.upcoming(start, start + 2 * HOUR)]
    assert planned(town, start + 2 * HOUR) == foretold
    assert [slot for _, slot, *_ in foretold] == ["2026-03-29T02:30", "2026-03-29T03:30"]
    assert town.given_to("ann") == ["a", "b"]


# What may go wrong.


def test_a_broken_template_holds_its_slot_back(advice: App, clock: Clock) -> None:
    """The slot stays due, nothing of it is written, other categories go; after the mend it goes too."""
    site = Town(advice.database, make_edition=advice.editions.make)
    site.category("other")
    site.queue("a")
    subscribe(advice, "ann@example.org")
    broken = advice.settings.folder / "templates" / "email" / "issue.mjml.j2"
    broken.parent.mkdir(parents=True)
    broken.write_text("<mjml>{% if %}</mjml>")
    clock.now = TUESDAY
    failure, other = advice.plan_due()
    assert isinstance(failure, PlanFailure)
    assert (failure.category, failure.slot) == ("advice", "2026-01-06T08:00")
    assert "issue.mjml.j2:1" in str(failure.error)
    assert summary(other)[:3] == ("other", "2026-01-06T08:00", "empty")
    assert site.letters() == []
    assert site.issues() == [("other", "2026-01-06T08:00", "empty")]
    broken.unlink()
    (mended,) = advice.plan_due()
    assert summary(mended) == ("advice", "2026-01-06T08:00", "planned", ("a",), 1)
    assert [row.reader for row in site.letters()] == ["ann"]


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("mode", Mode)
def test_a_crash_at_any_statement_leaves_nothing_half_done(town: Town, mode: Mode) -> None:
    """Wherever planning ends, a slot is decided wholly or not at all, and the next pass does what is left."""
    town.category(mode=mode)
    town.queue("a", "b")
    town.subscribe("ann", "bo")
    before, decided = rows(town.database), []
    left = 0

    def count_down(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Crash

    event.listen(town.database.engine, "before_cursor_execute", count_down)
    try:
        for number in range(100):
            left = number
            try:
                town.plan(TUESDAY)
            except Crash:
                left = 1_000_000
                after = rows(town.database)
                if after != before:
                    decided.append(after)
                    break
            else:
                break
    finally:
        left = 1_000_000
        event.remove(town.database.engine, "before_cursor_execute", count_down)
    assert number > 10
    assert decided
    assert town.plan(TUESDAY) == []
    assert rows(town.database) == decided[0]
    assert town.issues() == [("advice", "2026-01-06T08:00", "planned")]
    assert town.given_to("ann") == town.given_to("bo") == ["a"]


def test_a_post_that_is_held_at_the_last_moment(
    town: Town, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold that was accepted keeps the post in, and one that came too late is refused."""
    town.category()
    town.queue("a", "b")
    town.subscribe("ann")
    monkeypatch.setattr(newsletter.database, "BUSY_SECONDS", 1)
    editor = replace(town, database=another(database))
    was_held: list[bool] = []

    def then_hold(session: Session, category: Category) -> Any:
        found = line_of(session, category)
        if not was_held:
            was_held.append(accepted(lambda: editor.change("a", EntryState.HELD)))
        return found

    monkeypatch.setattr(newsletter.schedule.planner, "line_of", then_hold)
    town.plan(TUESDAY)
    # SQLite has one writer: there an editor waits, in vain here.
    assert was_held == [not database.is_sqlite]
    assert town.given_to("ann") == (["b"] if was_held[0] else ["a"])
    if not was_held[0]:
        with pytest.raises(QueueError, match="'a' is issued in advice"):
            editor.change("a", EntryState.HELD)
    editor.database.close()


def test_a_post_that_is_queued_at_the_last_moment(
    town: Town, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queued while a sequence chooses, a post goes out now or at the next slot: it is never lost."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a")
    town.subscribe("ann")
    town.plan(TUESDAY)
    monkeypatch.setattr(newsletter.database, "BUSY_SECONDS", 1)
    editor = replace(town, database=another(database))
    was_queued: list[bool] = []

    def then_queue(session: Session, category: Category) -> Any:
        found = line_of(session, category)
        if not was_queued:
            was_queued.append(accepted(lambda: editor.queue("b")))
        return found

    monkeypatch.setattr(newsletter.schedule.planner, "line_of", then_queue)
    town.plan(TUESDAY + timedelta(weeks=1))
    if not was_queued[0]:
        editor.queue("b")
    town.plan(TUESDAY + timedelta(weeks=2))
    assert town.given_to("ann") == ["a", "b"]
    editor.database.close()


def accepted(work: Callable[[], None]) -> bool:
    try:
        work()
    except DatabaseError:
        return False
    return True


def test_a_category_that_changes_before_its_issue_is_written(town: Town) -> None:
    """A slot found by an older reading of a category that was since removed or changed is left alone."""
    kept, gone = stream_of(town, town.category("kept")), stream_of(town, town.category("gone"))
    slot = Slot(datetime(2026, 1, 6, 8), TUESDAY)  # noqa: DTZ001
    with town.database.write() as session:
        remove_category(session, find_category(session, "gone"), editor=town.editor)
        edit_category(session, find_category(session, "kept"), cadence="weekly wed 08:00", now=MONDAY)
    assert town.planner._decide(kept, slot, None, TUESDAY) is None
    assert town.planner._decide(gone, slot, None, TUESDAY) is None
    assert town.issues() == []


def test_a_planner_that_comes_second(town: Town, database: Database) -> None:
    """While one planner writes an issue another waits for it, and then finds nothing to do."""
    category = stream_of(town, town.category())
    town.queue("a", "b")
    town.subscribe("ann", "bo")
    slot = Slot(datetime(2026, 1, 6, 8), TUESDAY)  # noqa: DTZ001
    second = replace(town, database=another(database))
    answers: list[object] = []
    thread = Thread(target=lambda: answers.append(second.planner._decide(category, slot, None, TUESDAY)))

    def and_meanwhile(*arguments: Any) -> Edition:
        thread.start()
        return plain_edition(*arguments)

    first = replace(town, make_edition=and_meanwhile)
    assert planned(first, TUESDAY) == [("advice", "2026-01-06T08:00", "planned", ("a",), 2)]
    thread.join()
    second.database.close()
    assert answers == [None]
    assert town.given_to("ann") == town.given_to("bo") == ["a"]


def test_two_planners_at_once(town: Town, database: Database) -> None:
    """Two that plan the same slots of categories that share posts and readers make one letter of each."""
    names = [f"reader{number}" for number in range(30)]
    for slug, mode, order in (("one", Mode.BROADCAST, names), ("two", Mode.SEQUENCE, names[::-1])):
        town.category(slug, mode=mode)
        town.subscribe(*order, category=slug)
    town.add(*(source(slug, "one", "two") for slug in "abc"))
    towns = [replace(town, database=another(database)) for _ in range(2)]
    found: list[PlannedIssue | PlanFailure] = []

    def run(own: Town) -> None:
        for week in range(4):
            found.extend(own.plan(TUESDAY + week * WEEK))

    threads = [Thread(target=run, args=(own,)) for own in towns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in towns:
        own.database.close()
    assert len(found) == len({summary(issue)[:2] for issue in found}) == 8
    rows = town.letters()
    assert len({(row.reader, row.post) for row in rows}) == len(rows) == 3 * len(names)


def test_posts_and_receipts_are_never_read_by_the_thousand(town: Town) -> None:
    """The statements of a pass are as many for a hundred readers as for one."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b", "c", "d")
    town.subscribe("ann")
    event.listen(town.database.engine, "before_cursor_execute", note)
    counts = []
    for week in range(4):
        statements.clear()
        town.plan(TUESDAY + week * WEEK)
        counts.append(len(statements))
        if week == 2:
            town.subscribe(*(f"reader{number}" for number in range(100)))
    event.remove(town.database.engine, "before_cursor_execute", note)
    # Two slots at which only the place of an old reader moves; newcomers, however many, are found a cohort.
    assert counts[1] == counts[2]
    assert counts[3] <= counts[0] + 8  # the fourth issue has two editions, and looks at the post before
    with town.database.read() as session:
        assert session.exec(select(func.count()).select_from(Receipt)).one() == 104
        assert {post.slug for post in session.exec(select(Post))} == {"a", "b", "c", "d"}
        assert len(all_categories(session)) == 1


def test_a_post_is_told_once_however_its_readers_got_it(town: Town) -> None:
    """An issue whose readers have different letters, as some had one of its posts, lists each post once."""
    town.category("first", cadence="weekly mon 08:00")
    town.category("second", posts=2)
    town.add(source("a", "second"), source("b", "first", "second"))
    town.subscribe("ann", "bo", category="second")
    town.subscribe("bo", category="first")
    town.plan(TUESDAY)
    with town.database.read() as session:
        told = {report.category: report.posts for report in reports.issues(session)}
    assert told == {"first": ("b",), "second": ("a", "b")}
    assert sorted((row.reader, row.post) for row in town.letters()) == [
        ("ann", "a"),
        ("ann", "b"),
        ("bo", "a"),
        ("bo", "b"),
    ]
