"""Dates and pins at work: what the planner takes at each slot, and what it says beforehand."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from newsletter.content.dates import Dates
from newsletter.content.history import latest_events
from newsletter.database import Database
from newsletter.models import Edition, Post, QueueEntry
from newsletter.render.edition import Occasion
from newsletter.schedule.planned import PlannedIssue
from newsletter.states import EntryState, Mode
from tests.planning import (
    TUESDAY,
    WEEK,
    Town,
    database,
    empty,
    plain_edition,
    shared_database,
    source,
    town,
)
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]

WEEKS = 4
SLOTS = [(TUESDAY + number * WEEK).strftime("%Y-%m-%dT%H:%M") for number in range(WEEKS)]
DAYS = [TUESDAY.date() + timedelta(days=number) for number in range(-2, 7 * WEEKS, 3)]


def issued(town: Town) -> list[tuple[str, str]]:
    """(slot, post) of all that was planned, slot after slot."""
    found = []
    for number in range(WEEKS):
        for one in town.plan(TUESDAY + number * WEEK):
            assert isinstance(one, PlannedIssue)
            found += [(one.slot, post.slug) for post in one.posts]
    return found


def foretold(town: Town) -> list[tuple[str, str]]:
    coming = town.planner.upcoming(town.now, TUESDAY + (WEEKS - 1) * WEEK)
    return [(one.slot, post.slug) for one in coming for post in one.posts]


def test_each_slot_takes_what_may_go_then(town: Town) -> None:
    """Pinned to the slot, else the first that is allowed and has not expired; nobody's place is lost."""
    town.category()
    town.add(source("late", "advice"), dates={"not_before": date(2026, 1, 14)})
    town.add(source("old", "advice"), dates={"not_after": date(2026, 1, 5)})
    town.queue("a", "b")
    town.add(source("fixed", "advice"), dates={"pinned_to": SLOTS[1]})
    expected = [*zip(SLOTS, ("a", "fixed", "late", "b"), strict=True)]
    assert foretold(town) == expected
    assert issued(town) == expected


def test_what_may_not_go_leaves_its_slot_empty(town: Town) -> None:
    """Where everything that waits is for later, or expired, the slot stays empty and the posts wait on."""
    town.category()
    town.add(source("late", "advice"), dates={"not_before": date(2026, 1, 14)})
    assert issued(town) == [(SLOTS[2], "late")]
    assert [state for _, _, state in town.issues()] == ["empty", "empty", "planned", "empty"]


def test_a_pin_whose_slot_was_missed_is_none(town: Town) -> None:
    """What was pinned to a slot that was found too late goes in its turn."""
    town.category()
    town.queue("a")
    town.add(source("fixed", "advice"), dates={"pinned_to": SLOTS[0]})
    town.plan(TUESDAY + timedelta(days=3))
    assert issued(town) == [(SLOTS[1], "a"), (SLOTS[2], "fixed")]


def test_the_local_date_counts(town: Town) -> None:
    """A day is the category's own: a slot at 8 on Tuesday in Kiritimati is due on Monday in UTC."""
    town.category(timezone="Pacific/Kiritimati")
    town.add(source("x", "advice"), dates={"not_before": date(2026, 1, 6), "not_after": date(2026, 1, 6)})
    (issue,) = town.plan(TUESDAY - timedelta(hours=14))
    assert isinstance(issue, PlannedIssue)
    assert [post.slug for post in issue.posts] == ["x"]


def test_proposed_posts_do_not_go(town: Town) -> None:
    """What nobody has approved waits, in either mode."""
    town.category()
    town.category("letters", mode=Mode.SEQUENCE)
    town.subscribe("ann", category="letters")
    town.needs_approval = True
    town.add(source("x", "advice", "letters"))
    assert issued(town) == []


def test_a_letter_promises_the_next_one_only_if_there_is_one(town: Town) -> None:
    """The date of the next letter is told if something may go then, wherever that stands in the queue."""
    told: list[tuple[str, date | None]] = []

    def make(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        told.append((posts[0].slug, occasion.next_date))
        return plain_edition(occasion, posts, now)

    town.make_edition = make
    town.category()
    town.add(source("second", "advice"), dates={"not_before": date(2026, 1, 13)})
    town.queue("first")
    town.plan(TUESDAY)
    town.add(source("short", "advice"), dates={"not_after": date(2026, 1, 13)})
    issued(town)
    assert told == [("first", date(2026, 1, 13)), ("second", None)]


def test_what_goes_out_is_on_record(town: Town) -> None:
    """The planner writes down which post it took at which slot; a sequence takes nothing out of its queue."""
    town.category()
    town.category("letters", mode=Mode.SEQUENCE)
    town.subscribe("ann", category="letters")
    town.add(source("x", "advice", "letters"))
    issued(town)
    with town.database.read() as session:
        (event,) = [one for one in latest_events(session, limit=9) if one.action == "issued"]
    assert (event.actor, event.category, event.post, event.detail) == ("planner", "advice", "x", SLOTS[0])
    assert event.at == TUESDAY


terms = st.fixed_dictionaries(
    {},
    optional={
        "not_before": st.sampled_from(DAYS),
        "not_after": st.sampled_from(DAYS),
        "pinned_to": st.sampled_from(SLOTS),
    },
)


@tried(30, quickly=10)
@given(st.lists(terms, max_size=6), st.integers(0, 5))
def test_whatever_was_said_is_kept(database: Database, queue: list[dict[str, Any]], held: int) -> None:
    """At any terms: the plan comes true, nothing goes outside its days or before its slot, nothing twice.

    A slot is empty only if nothing that waits could have gone.
    """
    empty(database)
    town = Town(database)
    town.category()
    posts = {f"p{number}": values for number, values in enumerate(queue)}
    town.queue(*posts)
    with database.write() as session:
        for entry, slug in session.exec(select(QueueEntry, Post.slug).join(Post)):
            for name, value in posts[slug].items():
                setattr(entry, name, value)
    if f"p{held}" in posts:
        town.change(f"p{held}", EntryState.HELD)
        del posts[f"p{held}"]
    expected = foretold(town)
    gone = issued(town)
    assert gone == expected
    assert len({slug for _, slug in gone}) == len({slot for slot, _ in gone}) == len(gone)
    at = {slug: slot for slot, slug in gone}
    taken = dict(gone)
    for slug, said in posts.items():
        able = [slot for slot in SLOTS if may_go(said, slot)]
        assert at.get(slug) in [*able, None]
        if slug not in at:
            assert all(slot in taken for slot in able)


def may_go(said: Dates, slot: str) -> bool:
    day = slot[:10]
    first, last, pin = said.get("not_before"), said.get("not_after"), said.get("pinned_to")
    return (
        (first is None or str(first) <= day)
        and (last is None or day <= str(last))
        and (pin is None or pin <= slot)
    )
