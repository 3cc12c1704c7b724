"""A slot whose post or template is broken: it waits for the mend, and goes late or is skipped."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from newsletter.content.history import Editor
from newsletter.errors import ContentError, PaperroundError, TemplateError
from newsletter.models import REASON_LIMIT, Edition, FailedSlot, Issue, Post
from newsletter.render.edition import Occasion
from newsletter.schedule.categories import find_category, remove_category
from newsletter.schedule.due import Mending, slots_to_decide
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.timetable import Slot
from newsletter.states import EntryState
from tests.planning import MONDAY, TUESDAY, WEEK, Town, database, plain_edition, shared_database, town

__all__ = ["database", "shared_database", "town"]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SLOT = "2026-01-06T08:00"


class Press:
    """Makes editions, except of posts that are broken."""

    def __init__(self, *broken: str, error: PaperroundError | None = None) -> None:
        self.broken = set(broken)
        self.error = error or TemplateError("unexpected '}'", path="issue.mjml.j2", line=3)

    def __call__(self, occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        if self.broken & {post.slug for post in posts}:
            raise self.error
        return plain_edition(occasion, posts, now)


@pytest.fixture
def press() -> Press:
    """`a` is broken."""
    return Press("a")


@pytest.fixture
def waiting(town: Town, press: Press) -> Town:
    """A weekly category whose first post, `a`, is broken; `b` waits behind it."""
    town.make_edition = press
    town.category()
    town.queue("a", "b")
    town.subscribe("ann")
    return town


def told(town: Town, at: datetime) -> list[tuple[str, str]]:
    """What a pass said of each slot."""
    return [
        (issue.slot, "failed" if isinstance(issue, PlanFailure) else str(issue.state))
        for issue in town.plan(at)
    ]


def reasons(town: Town) -> dict[str, str]:
    with town.database.read() as session:
        return {issue.slot: issue.reason for issue in session.exec(select(Issue)) if issue.reason}


def test_a_failed_slot_goes_late_once_it_is_mended(waiting: Town, press: Press) -> None:
    """However often it was tried; and the next slot has the next post, as if nothing had been."""
    for hours in (0, 1, 30, 47):
        assert told(waiting, TUESDAY + hours * HOUR) == [(SLOT, "failed")]
    press.broken.clear()
    assert told(waiting, TUESDAY + 48 * HOUR) == [(SLOT, "planned")]
    assert told(waiting, TUESDAY + WEEK) == [("2026-01-13T08:00", "planned")]
    assert [(row.slot, row.post) for row in waiting.letters()] == [(SLOT, "a"), ("2026-01-13T08:00", "b")]


def test_a_failed_slot_is_skipped_after_a_while_with_its_error(waiting: Town, press: Press) -> None:
    """The reason is the error's first line; the post stays at the head of the queue, for the next slot."""
    press.error = TemplateError("unexpected '}'\nmore of it", path="issue.mjml.j2", line=3)
    assert told(waiting, TUESDAY) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + 48 * HOUR + timedelta(seconds=1)) == [(SLOT, "skipped")]
    assert reasons(waiting) == {SLOT: "could not be made: issue.mjml.j2:3: unexpected '}'"}
    press.broken.clear()
    assert told(waiting, TUESDAY + WEEK) == [("2026-01-13T08:00", "planned")]
    assert [row.post for row in waiting.letters()] == ["a"]


def test_the_wait_begins_when_the_slot_was_first_tried(waiting: Town, press: Press) -> None:
    """A slot that is caught up late has the whole of it; the catching up has its own limit."""
    waiting.catch_up, waiting.patience = 24 * HOUR, 2 * HOUR
    assert told(waiting, TUESDAY + 24 * HOUR) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + 26 * HOUR) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + 27 * HOUR) == [(SLOT, "skipped")]


def test_a_failed_slot_waits_also_where_nothing_is_caught_up(waiting: Town, press: Press) -> None:
    """`catch_up_hours = 0` is about downtime; and with no patience the next pass skips it."""
    waiting.catch_up = timedelta()
    assert told(waiting, TUESDAY) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + HOUR) == [(SLOT, "failed")]
    waiting.patience = timedelta()
    assert told(waiting, TUESDAY + 2 * HOUR) == [(SLOT, "skipped")]


def test_the_next_slot_takes_over_from_one_that_failed(waiting: Town, press: Press) -> None:
    """It is tried itself, with the same post; both are said, and never do two letters go at once."""
    waiting.patience = 30 * DAY
    assert told(waiting, TUESDAY) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + WEEK) == [(SLOT, "skipped"), ("2026-01-13T08:00", "failed")]
    assert reasons(waiting)[SLOT].startswith("could not be made: issue.mjml.j2:3")
    press.broken.clear()
    assert told(waiting, TUESDAY + WEEK + HOUR) == [("2026-01-13T08:00", "planned")]
    assert [row.post for row in waiting.letters()] == ["a"]


def test_a_slot_that_failed_does_not_hold_up_others(waiting: Town, press: Press) -> None:
    """Another category's slots go meanwhile, and so does another post once the broken one is held."""
    waiting.category("other")
    waiting.queue("c", category="other")
    assert told(waiting, TUESDAY) == [(SLOT, "failed"), (SLOT, "planned")]
    waiting.change("a", EntryState.HELD)
    assert told(waiting, TUESDAY + HOUR) == [(SLOT, "planned")]
    assert [(row.category, row.post) for row in waiting.letters()] == [("advice", "b")]


def test_a_day_that_is_skipped_takes_nothing_over(waiting: Town, press: Press) -> None:
    """A slot on which nothing goes does not end the wait of the one before."""
    slots = [Slot(datetime(2026, 1, 6, 8), TUESDAY), Slot(datetime(2026, 1, 7, 8), TUESDAY + DAY, "May Day")]  # noqa: DTZ001
    failed = {SLOT: Mending(TUESDAY + 2 * DAY, "broken")}
    decided = slots_to_decide(slots, TUESDAY + DAY, timedelta(), failed)
    assert [slot.left_out for slot in decided] == ["", "May Day"]


def test_the_plan_shows_a_failed_slot_as_it_will_be_treated(waiting: Town, press: Press) -> None:
    """While it waits it is to go; afterwards it is skipped, and the plan says why."""
    waiting.plan(TUESDAY)
    (first, *_) = waiting.planner.upcoming(TUESDAY + HOUR, TUESDAY + WEEK)
    assert (first.slot, first.state) == (SLOT, "planned")
    (first, *_) = waiting.planner.upcoming(TUESDAY + 3 * DAY, TUESDAY + WEEK)
    assert (first.slot, first.state) == (SLOT, "skipped")
    assert "issue.mjml.j2:3" in first.reason


@pytest.mark.parametrize("words", ["", "\n", "x" * 10_000, "nul \0 and \x1b[2J", "שגיאה " * 90, "\ud800"])
def test_any_error_can_be_a_reason(waiting: Town, press: Press, words: str) -> None:
    """Empty, long, hostile, foreign: it is kept, cut to the room there is."""
    press.error = ContentError(words)
    assert told(waiting, TUESDAY) == [(SLOT, "failed")]
    assert told(waiting, TUESDAY + 3 * DAY) == [(SLOT, "skipped")]
    reason = reasons(waiting)[SLOT]
    assert reason.startswith("could not be made: ")
    assert len(reason) <= REASON_LIMIT
    assert not any(ord(char) < 32 for char in reason)


def test_the_last_error_is_the_one_that_counts(waiting: Town, press: Press) -> None:
    """A slot that fails for another reason says that one; its wait is not begun anew."""
    waiting.plan(TUESDAY)
    press.error = ContentError("the picture is gone", path="posts/a.md", line=9)
    waiting.plan(TUESDAY + 40 * HOUR)
    assert told(waiting, TUESDAY + 49 * HOUR) == [(SLOT, "skipped")]
    assert reasons(waiting)[SLOT] == "could not be made: posts/a.md:9: the picture is gone"


def test_a_removed_category_forgets_what_failed(waiting: Town, press: Press) -> None:
    """It can be removed though it never sent anything, and begins anew if it is added again."""
    waiting.plan(TUESDAY)
    with waiting.database.write() as session:
        remove_category(session, find_category(session, "advice"), editor=Editor("ed", TUESDAY))
        assert session.exec(select(FailedSlot)).all() == []
    assert waiting.plan(TUESDAY + DAY) == []


def test_a_failure_is_no_one_s_if_the_category_has_just_gone(waiting: Town, press: Press) -> None:
    """Removed between the attempt and its record: nothing is written, and nothing else is wrong."""

    def remove_then_fail(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        raise press.error

    waiting.make_edition = remove_then_fail
    planner = waiting.planner
    note = planner._note_failure

    def late(*given: object) -> None:
        with waiting.database.write() as session:
            remove_category(session, find_category(session, "advice"), editor=Editor("ed", TUESDAY))
        note(*given)  # type: ignore[arg-type]

    planner._note_failure = late  # type: ignore[method-assign]
    assert [type(one) for one in planner.plan_due(TUESDAY)] == [PlanFailure]
    assert waiting.issues() == []


@given(
    st.lists(st.tuples(st.integers(-60, 2), st.booleans(), st.integers(-3, 3)), max_size=12).map(
        lambda found: sorted(found, key=lambda one: one[0])
    ),
    st.integers(0, 60),
)
def test_every_due_slot_is_tried_or_skipped_with_a_reason(
    found: list[tuple[int, bool, int]], catch_up: int
) -> None:
    """Whatever failed: all that is due is decided, and only the newest is tried, while it waits."""
    slots = [
        Slot(MONDAY.replace(tzinfo=None) + n * HOUR, TUESDAY + age * HOUR)
        for n, (age, *_) in enumerate(found)
    ]
    failed = {
        slot.key: Mending(TUESDAY + left * HOUR, "broken")
        for slot, (_, has_failed, left) in zip(slots, found, strict=True)
        if has_failed
    }
    decided = slots_to_decide(slots, TUESDAY, catch_up * HOUR, failed)
    due = [slot for slot in slots if slot.due_at <= TUESDAY]
    assert [replace(slot, left_out="") for slot in decided] == due
    newest = max((slot.due_at for slot in due), default=None)
    for slot in decided:
        waits = failed.get(slot.key)
        in_time = waits.until >= TUESDAY if waits else TUESDAY - slot.due_at <= catch_up * HOUR
        assert (slot.left_out == "") is (slot.due_at == newest and in_time)
        if slot.left_out:
            assert (slot.left_out == "broken") is (waits is not None)


@pytest.mark.parametrize("cadence", ["daily 08:00", "weekly tue 08:00", "0 */6 * * *"])
def test_no_slot_vanishes_whatever_breaks_and_is_mended(town: Town, cadence: str) -> None:
    """Hours of passes over a press that breaks and is mended: each slot comes to one end, in its order."""
    press = Press()
    town.make_edition = press
    town.category(cadence=cadence)
    town.queue(*"abcdefghijklmnop")
    town.subscribe("ann")
    said: dict[str, str] = {}
    for hours in range(0, 24 * 9, 5):
        press.broken = set("abcdefghijklmnop") if (hours // 30) % 3 else set()
        for issue in town.plan(MONDAY + hours * HOUR):
            if isinstance(issue, PlannedIssue):
                assert issue.slot not in said
                said[issue.slot] = str(issue.state)
    assert list(said) == sorted(said)
    assert [(slot, state) for _, slot, state in town.issues()] == list(said.items())
    posts = [row.post for row in sorted(town.letters(), key=lambda row: row.slot)]
    assert posts == list("abcdefghijklmnop")[: len(posts)]
    assert {"planned", "skipped", "empty"} >= set(said.values()) >= {"planned"}
