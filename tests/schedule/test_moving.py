"""A cadence, a zone, a clock or a mode that changes within a week: no second letter, and no silent gap."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from newsletter.database import Database
from newsletter.models import Issue
from newsletter.schedule.planned import PlannedIssue
from newsletter.states import Mode
from tests.planning import MONDAY, WEEK, Town, database, empty, shared_database
from tests.properties import tried

__all__ = ["database", "shared_database"]

HOUR = timedelta(hours=1)
CLOCKS = 27 * HOUR
"""By how much an instant may differ where the wall clock is the same: all zones, and daylight saving."""
WEEKS, PASSES = 5, 14
"""How long it goes on, and how often a week somebody plans."""

changes = st.one_of(
    st.fixed_dictionaries(
        {
            "cadence": st.builds(
                "weekly {} {:02}:30".format,
                st.sampled_from(["mon", "tue", "thu", "sun"]),
                st.sampled_from([0, 2, 8, 23]),
            )
        }
    ),
    st.fixed_dictionaries(
        {"timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Pacific/Kiritimati"])}
    ),
    st.fixed_dictionaries({"local_time": st.booleans()}),
    st.fixed_dictionaries({"mode": st.sampled_from(Mode)}),
)


@tried(15, quickly=4)
@given(
    moves=st.lists(st.tuples(st.integers(1, WEEKS * PASSES), changes), max_size=5).map(
        lambda found: sorted(found, key=lambda move: move[0])
    ),
    start=st.sampled_from([MONDAY, MONDAY + 10 * WEEK, MONDAY + 42 * WEEK]),  # with clock changes, too
)
def test_a_week_has_one_letter_whatever_is_moved(
    database: Database, moves: list[tuple[int, dict[str, object]]], start: datetime
) -> None:
    """An issue of a weekly category comes a week after the one before at the earliest.

    And at the latest within a week from then, or from the last change, which says when the next one is. To
    nobody goes a post twice.
    """
    empty(database)
    town = Town(database, now=start)
    town.category(cadence="weekly tue 08:00")
    town.queue(*(f"p{number}" for number in range(WEEKS + 4)))
    town.subscribe("ann", "bo")
    town.live("bo", "America/Los_Angeles")
    waiting, moved = list(moves), []
    for step in range(WEEKS * PASSES):
        town.now = start + step * WEEK / PASSES
        while waiting and waiting[0][0] <= step:
            town.change_category("advice", **waiting.pop(0)[1])
            moved.append(town.now)
        for issue in town.plan(town.now):
            assert isinstance(issue, PlannedIssue)
    town.letters()  # which looks into the books
    with database.read() as session:
        issues = session.exec(select(Issue).order_by(col(Issue.due_at))).all()
    assert {issue.state for issue in issues} <= {"planned"}
    for before, after in pairwise(issues):
        assert after.due_at - before.due_at >= WEEK - CLOCKS
        last_move = max((at for at in moved if at <= after.due_at), default=before.due_at)
        assert after.due_at - max(before.due_at + WEEK, last_move) < WEEK + CLOCKS
