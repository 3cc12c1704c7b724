"""Approval: what is proposed waits in its place, and what was approved is the text that was read."""

from dataclasses import replace

import pytest
from sqlmodel import select

import newsletter.database
from newsletter.content.adding import add_posts
from newsletter.content.approval import approve, proposed
from newsletter.content.history import Editor
from newsletter.content.queue import places_of, waiting_entries
from newsletter.database import Database
from newsletter.errors import DatabaseError, NotFoundError, QueueError
from newsletter.models import Category, QueueEntry
from newsletter.schedule.categories import all_categories, find_category
from newsletter.states import EntryState
from tests.planning import MONDAY, TUESDAY, Town, another, database, shared_database, source, town

__all__ = ["database", "shared_database", "town"]

QUEUED, HELD, PROPOSED = EntryState.QUEUED, EntryState.HELD, EntryState.PROPOSED
BO = Editor("Bo", TUESDAY)


@pytest.fixture
def advice(town: Town) -> Town:
    """A town that asks for approval, with the categories `advice` and `letters`."""
    town.category("advice")
    town.category("letters")
    town.needs_approval = True
    return town


def line(town: Town, category: str = "advice") -> list[tuple[str, str]]:
    with town.database.read() as session:
        place = session.exec(select(Category).where(Category.slug == category)).one()
        return [(post.slug, entry.state) for entry, post in waiting_entries(session, place)]


def entry(town: Town, slug: str, category: str = "advice") -> QueueEntry:
    with town.database.read() as session:
        return next(one for one, place in places_of(session, slug) if place.slug == category)


def let_go(town: Town, *slugs: str, category: str | None = None) -> dict[str, list[str]]:
    with town.database.write() as session:
        place = find_category(session, category) if category else None
        return approve(session, slugs, place, editor=BO)


def test_what_is_added_is_proposed_in_its_place(advice: Town) -> None:
    """It stands where it would without approval, can be moved and gone ahead of, and keeps its place."""
    advice.queue("a", "b", "c")
    assert line(advice) == [("a", PROPOSED), ("b", PROPOSED), ("c", PROPOSED)]
    advice.move("c", 1)
    assert let_go(advice, "a", "c") == {"a": ["advice"], "c": ["advice"]}
    assert line(advice) == [("c", QUEUED), ("a", QUEUED), ("b", PROPOSED)]


def test_who_approved_and_when_is_kept(advice: Town) -> None:
    """In each category where it was proposed, or in the one that is named."""
    advice.add(source("x", "advice", "letters"))
    assert let_go(advice, "x", category="letters") == {"x": ["letters"]}
    assert (entry(advice, "x").approved_by, entry(advice, "x").state) == (None, PROPOSED)
    found = entry(advice, "x", "letters")
    assert (found.approved_by, found.approved_at, found.state) == ("Bo", TUESDAY, QUEUED)


def test_what_waits_for_no_approval_is_named_and_nothing_is_approved(advice: Town) -> None:
    """All or nothing: where each stands is said, and a name that nobody has is an error too."""
    advice.queue("a", "b", "c")
    let_go(advice, "b", "c")
    advice.change("c", HELD)
    with pytest.raises(
        QueueError, match=r"'b' is queued in advice; .*\n'c' is held in advice; .*\nnothing was approved"
    ):
        let_go(advice, "a", "b", "c")
    with pytest.raises(NotFoundError, match="no post 'z'"):
        let_go(advice, "a", "z")
    assert line(advice)[0] == ("a", PROPOSED)


def test_a_proposed_post_is_not_released_or_held_but_can_be_dropped(advice: Town) -> None:
    """Neither is a way round approval; the error says what is."""
    advice.queue("a")
    for to in (QUEUED, HELD):
        with pytest.raises(QueueError, match=r"'a' is proposed in advice; .*`paperround queue approve a`"):
            advice.change("a", to)
    assert line(advice) == [("a", PROPOSED)]


def test_what_is_held_when_its_text_changes_stays_held(advice: Town) -> None:
    """Approval of others does not undo a hold; once it is released the new text waits for approval."""
    advice.queue("a")
    let_go(advice, "a")
    advice.change("a", HELD)
    (added,) = advice.add(source("a", "advice", words="Other words."), only="advice")
    assert added.withdrawn == []
    assert line(advice) == [("a", HELD)]
    advice.change("a", QUEUED)
    assert line(advice) == [("a", PROPOSED)]
    let_go(advice, "a")
    assert line(advice) == [("a", QUEUED)]


def test_another_text_is_proposed_again(advice: Town) -> None:
    """Wherever it has not gone out; who approved the old text is forgotten there."""
    advice.add(source("x", "advice", "letters"))
    let_go(advice, "x")
    (added,) = advice.add(source("x", "advice", words="Other words."), only="advice")
    assert added.withdrawn == ["advice", "letters"]
    assert added.already == {"advice": PROPOSED}
    for category in ("advice", "letters"):
        found = entry(advice, "x", category)
        assert (found.state, found.approved_by, found.approved_at) == (PROPOSED, None, None)


def test_a_text_that_changes_while_it_is_approved(
    advice: Town, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever approves the text of a moment ago waits for the new one to be there: it cannot slip through."""
    monkeypatch.setattr(newsletter.database, "BUSY_SECONDS", 1)
    advice.queue("x")
    other = replace(advice, database=another(database))
    file = source("x", "advice", words="Other words.")
    with advice.database.write() as session:
        add_posts(
            session,
            [file],
            all_categories(session),
            only=None,
            site=advice.site,
            editor=advice.editor,
            needs_approval=True,
        )
        with pytest.raises(DatabaseError):
            let_go(other, "x")
    assert line(advice) == [("x", PROPOSED)]
    other.database.close()


def test_the_same_text_stays_approved(advice: Town) -> None:
    """Adding the same file again, moved or with another day to go, asks nobody anew."""
    advice.queue("x")
    let_go(advice, "x")
    for file in (
        source("x", "advice"),
        source("x", "advice", path="elsewhere/x.md"),
        source("x", "advice", extra="expires: 2030-01-01\n"),
    ):
        (added,) = advice.add(file)
        assert added.withdrawn == []
    assert line(advice) == [("x", QUEUED)]


def test_what_has_gone_out_stays_so(advice: Town) -> None:
    """A changed text does not bring back what was sent, and its approval stays on record."""
    advice.queue("x")
    let_go(advice, "x")
    advice.plan(TUESDAY)
    (added,) = advice.add(source("x", "advice", words="Other words."))
    assert (added.withdrawn, entry(advice, "x").state) == ([], "issued")
    assert entry(advice, "x").approved_by == "Bo"


def test_a_site_that_asks_no_more(advice: Town) -> None:
    """Without the setting a changed text goes on, and what is proposed still waits for somebody's word."""
    advice.queue("a", "b")
    let_go(advice, "a")
    advice.needs_approval = False
    advice.add(
        source("a", "advice", words="New."), source("b", "advice", words="New."), source("c", "advice")
    )
    assert line(advice) == [("a", QUEUED), ("b", PROPOSED), ("c", QUEUED)]


def test_a_post_that_comes_back_is_proposed_anew(advice: Town) -> None:
    """An approval does not outlive the post's place in the queue."""
    advice.queue("a")
    let_go(advice, "a")
    advice.change("a", EntryState.DROPPED)
    advice.queue("a")
    assert (entry(advice, "a").state, entry(advice, "a").approved_by) == (PROPOSED, None)


def test_all_that_is_proposed(advice: Town) -> None:
    """Each once, in the order of the queues."""
    advice.add(source("x", "letters"), source("y", "letters", "advice"), source("z", "letters"))
    let_go(advice, "z")
    with advice.database.read() as session:
        assert proposed(session, all_categories(session)) == ["y", "x"]
        assert proposed(session, [find_category(session, "letters")]) == ["x", "y"]
    assert advice.now == MONDAY
