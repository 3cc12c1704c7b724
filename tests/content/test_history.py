"""The history of the queues: every change has its row, and the rows tell the whole story."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, col, select

from newsletter.content.approval import approve
from newsletter.content.history import Action, Editor, latest_events, record
from newsletter.database import Database
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Post, QueueEntry
from newsletter.schedule.categories import find_category, remove_category
from newsletter.states import EntryState
from tests.planning import TUESDAY, WEEK, Town, database, empty, shared_database, source, town
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]


def told(town: Town, **only: str) -> list[tuple[str, str, str, str]]:
    """(category, post, action, detail), the oldest first."""
    with town.database.read() as session:
        events = latest_events(session, limit=1000, **only)  # type: ignore[arg-type]  # names only
        return [(one.category, one.post, one.action, one.detail) for one in events]


def test_every_change_has_its_row(town: Town) -> None:
    """In order, by category and post, with what was said; who and when is the editor's."""
    town.category()
    town.queue("a", "b")
    town.add(source("a", "advice", words="Better."))
    town.edit("b", {"pinned_to": "2026-01-13T08:00"})
    town.edit("b", {"pinned_to": None})
    town.move("b", 1)
    town.change("a", EntryState.HELD)
    town.change("a", EntryState.QUEUED)
    town.change("a", EntryState.DROPPED)
    town.needs_approval = True
    town.queue("a")
    with town.database.write() as session:
        approve(session, ["a"], None, editor=Editor("Bo", TUESDAY))
    town.add(source("a", "advice", words="Best."))
    town.plan(TUESDAY)
    assert [(post, action, detail) for _, post, action, detail in told(town)] == [
        ("a", "added", ""),
        ("b", "added", ""),
        ("a", "updated", ""),
        ("b", "edited", "at 2026-01-13T08:00"),
        ("b", "edited", "at any time"),
        ("b", "moved", "from place 2 to 1"),
        ("a", "held", ""),
        ("a", "released", ""),
        ("a", "dropped", ""),
        ("a", "proposed", ""),
        ("a", "approved", ""),
        ("a", "updated", ""),
        ("a", "proposed", "its text has changed"),
        ("b", "issued", "2026-01-06T08:00"),
    ]
    with town.database.read() as session:
        (approved,) = [one for one in latest_events(session, limit=99) if one.action == "approved"]
    assert (approved.actor, approved.at) == ("Bo", TUESDAY)


def test_what_changes_nothing_leaves_no_row(town: Town) -> None:
    """The same file again, the place or the dates that it has: nothing was done."""
    town.category()
    town.queue("a", "b")
    before = told(town)
    town.queue("a")
    town.move("a", 1)
    town.edit("a", {"not_before": None})
    assert told(town) == before


def test_what_is_undone_is_not_told(town: Town) -> None:
    """A command that fails leaves no row of what it had begun."""
    town.category()
    town.queue("a")
    with pytest.raises(QueueError):
        town.add(source("b", "advice"), source("c"))
    assert told(town) == [("advice", "a", "added", "")]


def test_history_outlives_category_and_post(town: Town) -> None:
    """A removed category drops what waits in it, and its history is still there by name."""
    town.category()
    town.queue("a", "b")
    town.change("b", EntryState.HELD)
    with town.database.write() as session:
        remove_category(session, find_category(session, "advice"), editor=town.editor)
    assert told(town, category="advice")[-2:] == [
        ("advice", "a", "dropped", "the category was removed"),
        ("advice", "b", "dropped", "the category was removed"),
    ]


def test_the_newest_are_told_oldest_first(town: Town) -> None:
    """A limit leaves out the oldest; a post or a category leaves out the others."""
    with town.database.write() as session:
        for number in range(5):
            category, post = f"c{number % 2}", f"p{number % 3}"
            record(session, town.editor, Action.ADDED, category, post, str(number))
    with town.database.read() as session:

        def numbers(**only: Any) -> list[str]:
            return [one.detail for one in latest_events(session, **only)]

        assert numbers(limit=2) == ["3", "4"]
        assert numbers(limit=9, category="c0") == ["0", "2", "4"]
        assert numbers(limit=9, post="p1") == ["1", "4"]
        assert numbers(limit=1, category="c1", post="p0") == ["3"]


STANDS = {
    Action.ADDED: "queued",
    Action.PROPOSED: "proposed",
    Action.APPROVED: "queued",
    Action.HELD: "held",
    Action.RELEASED: "queued",
    Action.DROPPED: "dropped",
    Action.ISSUED: "issued",
}
"""How a post stands after each action that is about that."""

steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "change", "approve", "hold", "release", "drop", "ask", "plan"]),
        st.sampled_from("abc"),
    ),
    max_size=15,
)


@tried(25, quickly=10)
@given(steps)
def test_the_rows_tell_how_every_post_stands(database: Database, steps: list[tuple[str, str]]) -> None:
    """Whatever is done, in vain or not: read from the start, the history is the queue's state."""
    empty(database)
    town = Town(database)
    town.category()
    town.category("letters")
    week = 0
    for number, (verb, slug) in enumerate(steps):
        if verb == "ask":
            town.needs_approval = not town.needs_approval
        elif verb == "plan":
            town.plan(TUESDAY + week * WEEK)
            week += 1
        else:
            with suppress(QueueError, NotFoundError):
                do(town, verb, slug, number)
    stands = {
        (category, post): STANDS[Action(action)]
        for category, post, action, _ in told(town)
        if Action(action) in STANDS
    }
    with database.read() as session:
        assert stands == states(session)


def do(town: Town, verb: str, slug: str, number: int) -> None:
    if verb in ("add", "change"):
        town.add(source(slug, "advice", "letters", words="Words." if verb == "add" else f"Words {number}."))
    elif verb == "approve":
        with town.database.write() as session:
            approve(session, [slug], None, editor=town.editor)
    else:
        states = {"hold": EntryState.HELD, "release": EntryState.QUEUED, "drop": EntryState.DROPPED}
        town.change(slug, states[verb])


def states(session: Session) -> dict[tuple[str, str], str]:
    found = (
        select(Category.slug, Post.slug, QueueEntry.state)
        .select_from(QueueEntry)
        .join(Category, col(Category.id) == col(QueueEntry.category_id))
        .join(Post, col(Post.id) == col(QueueEntry.post_id))
    )
    return {(category, post): state for category, post, state in session.exec(found)}
