"""What `upcoming` says is what `plan_due` then does, and both what the rules say."""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from newsletter.content.queue import entries, waiting_entries
from newsletter.database import Database
from newsletter.errors import QueueError
from newsletter.models import Category, Post, Receipt
from newsletter.schedule.cadence import due_at, parse_cadence, parse_zone, slots_between
from newsletter.schedule.categories import all_categories, find_category
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.states import EntryState, Mode
from subscribers.models import Subscriber, Subscription, SubscriptionState
from tests.planning import (
    MONDAY,
    TUESDAY,
    WEEK,
    Town,
    another,
    database,
    empty,
    rows,
    shared_database,
    source,
    summary,
    town,
)
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)

CADENCES = (
    ("weekly tue 08:00", "UTC"),
    ("weekly tue 08:00", "UTC"),
    ("weekly tue 09:00", "Europe/Berlin"),  # the same instant in winter
    ("every 2 weeks thu 18:30", "America/New_York"),
    ("0 7 * * mon,wed,sat", "Asia/Tokyo"),
)
END = MONDAY + 3 * WEEK


@dataclass(frozen=True)
class Stream:
    """A category: its mode and rule, how many posts a letter has, and with which of its posts it begins."""

    mode: Mode
    rule: tuple[str, str]
    most: int
    start: int


@dataclass(frozen=True)
class Site:
    """A small site: where each post is queued and each reader subscribes, and who has paused until when."""

    categories: tuple[Stream, ...]
    posts: tuple[frozenset[int], ...]
    readers: tuple[frozenset[int], ...]
    held: frozenset[int]
    paused: dict[int, int]

    def build(self, town: Town) -> None:
        for number, stream in enumerate(self.categories):
            cadence, zone = stream.rule
            town.category(f"c{number}", mode=stream.mode, cadence=cadence, timezone=zone, posts=stream.most)
        for number, places in enumerate(self.posts):
            if wanted := [f"c{place}" for place in self._among(places)]:
                town.add(source(f"p{number}", *wanted))
                if number in self.held:
                    town.change(f"p{number}", EntryState.HELD)
        for place, stream in enumerate(self.categories):
            if (queue := self.queue(place)) and stream.start:
                town.start(f"c{place}", f"p{queue[stream.start % len(queue)]}")
        for number, places in enumerate(self.readers):
            for place in self._among(places):
                town.subscribe(f"r{number}", category=f"c{place}")
            if number in self.paused and self._among(places):
                town.pause(f"r{number}", until=self._until(number))

    def _among(self, places: frozenset[int]) -> list[int]:
        return [place for place in sorted(places) if place < len(self.categories)]

    def _until(self, reader: int) -> date:
        return (MONDAY + self.paused[reader] * DAY).date()

    def queue(self, place: int) -> list[int]:
        """The posts that may go in a category."""
        return [post for post, places in enumerate(self.posts) if place in places and post not in self.held]

    def expected(self, start: datetime, end: datetime) -> list[tuple[str, str, str, tuple[str, ...], int]]:
        """What the rules of the two modes come to, told one reader at a time."""
        queues = {place: self.queue(place) for place in range(len(self.categories))}
        for place, stream in enumerate(self.categories):
            if stream.mode is Mode.SEQUENCE and queues[place]:
                queues[place] = queues[place][stream.start % len(queues[place]) :]
        has: set[tuple[int, int]] = set()
        agenda = []
        for place, stream in enumerate(self.categories):
            cadence, zone = parse_cadence(stream.rule[0]), parse_zone(stream.rule[1])
            anchor = start.astimezone(zone).date()
            slots = slots_between(cadence, zone, start, end, anchor=anchor)
            agenda += [(due_at(slot, zone), place, slot) for slot in slots]
        told = []
        for _, place, slot in sorted(agenda):
            queue, most = queues[place], self.categories[place].most
            broadcast = self.categories[place].mode is Mode.BROADCAST
            offer = queue[:most] if broadcast else queue
            if broadcast:
                queues[place] = queue[most:]
            gets: dict[int, list[int]] = {}
            for reader, places in enumerate(self.readers):
                is_paused = reader in self.paused and slot.date() < self._until(reader)
                lacked = [post for post in offer if (reader, post) not in has][:most]
                if place in places and not is_paused and lacked:
                    gets[reader] = lacked
            has |= {(reader, post) for reader, posts in gets.items() for post in posts}
            given = {post for posts in gets.values() for post in posts}
            sent = offer if broadcast else [post for post in offer if post in given]
            slugs = tuple(f"p{post}" for post in sent)
            state = "planned" if sent else "empty"
            told.append((f"c{place}", f"{slot:%Y-%m-%dT%H:%M}", state, slugs, len(gets)))
        return told


some = st.frozensets(st.integers(0, 2))
streams = st.builds(
    Stream,
    mode=st.sampled_from(Mode),
    rule=st.sampled_from(CADENCES),
    most=st.sampled_from([1, 1, 2, 3]),
    start=st.sampled_from([0, 0, 1, 3]),
)
sites = st.builds(
    Site,
    categories=st.lists(streams, min_size=1, max_size=3).map(tuple),
    posts=st.lists(some, max_size=6).map(tuple),
    readers=st.lists(some, max_size=4).map(tuple),
    held=st.frozensets(st.integers(0, 4), max_size=1),
    paused=st.dictionaries(st.integers(0, 3), st.integers(0, 20), max_size=2),
)


@tried(25, quickly=7)
@given(site=sites)
def test_what_is_foretold_comes_to_pass(database: Database, site: Site) -> None:
    """For any small site, `upcoming` says what `plan_due` then does, and both what the rules say.

    Also half-way, when some have had something; and to foretell changes nothing.
    """
    empty(database)
    town = Town(database)
    site.build(town)
    foretold = town.planner.upcoming(MONDAY, END)
    told = [summary(issue) for issue in foretold]
    assert told == site.expected(MONDAY, END)
    with database.read() as session:
        numbers = session.execute(select(Subscriber.id, Subscriber.address)).all()
    letters = {
        (address, issue.category, issue.slot, post.slug)
        for number, address in numbers
        for issue in town.planner.upcoming(MONDAY, END, reader=number)
        for post in issue.posts
    }
    done: list[PlannedIssue | PlanFailure] = []
    dues = sorted({issue.due_at for issue in foretold})
    for due in dues:
        if due == dues[len(dues) // 2]:
            rest = town.planner.upcoming(due - SECOND, END)
            assert [summary(issue) for issue in rest] == told[len(done) :]
        done += town.plan(due)
    assert [summary(issue) for issue in done] == told
    given = town.letters()
    assert {(f"{row.reader}@example.org", row.category, row.slot, row.post) for row in given} == letters
    assert len({(row.reader, row.category, row.slot) for row in given}) == sum(i.readers for i in foretold)


@dataclass
class Rules:
    """The rules of the two modes, told one reader at a time from what the tables say."""

    categories: dict[str, Category]
    queues: dict[str, list[str]]
    readers: dict[str, dict[str, date | None]]
    """By category, who subscribes, and until when they have paused."""
    has: set[tuple[str, str]]
    given: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def of(cls, town: Town) -> "Rules":
        with town.database.read() as session:
            categories = {category.slug: category for category in all_categories(session)}
            queues = {}
            for slug, category in categories.items():
                standing = entries(session, category, tuple(EntryState))
                order = [post.id for _, post in standing]
                is_sequence = category.mode == Mode.SEQUENCE and category.start_post_id in order
                first = order.index(category.start_post_id) if is_sequence else 0
                goes = [post.slug for entry, post in standing[first:] if entry.state == EntryState.QUEUED]
                queues[slug] = goes
            readers: dict[str, dict[str, date | None]] = {slug: {} for slug in categories}
            subscriptions = session.exec(
                select(Subscriber.address, Subscription)
                .join(Subscription, col(Subscription.subscriber_id) == col(Subscriber.id))
                .where(Subscription.state != SubscriptionState.LEFT)
            )
            for address, subscription in subscriptions:
                readers[subscription.category][address.partition("@")[0]] = subscription.paused_until
            receipts = session.exec(
                select(Subscriber.address, Post.slug)
                .join(Receipt, col(Receipt.subscriber_id) == col(Subscriber.id))
                .join(Post, col(Post.id) == col(Receipt.post_id))
            )
            has = {(address.partition("@")[0], post) for address, post in receipts}
        return cls(categories, queues, readers, has)

    def pass_slot(self, slug: str, day: date) -> None:
        """Give everybody what is theirs."""
        category, queue = self.categories[slug], self.queues[slug]
        most = category.posts_per_issue
        offer = queue[:most] if category.mode == Mode.BROADCAST else queue
        for reader, until in self.readers[slug].items():
            if until is None or until <= day:
                lacked = [post for post in offer if (reader, post) not in self.has][:most]
                self.given |= {(reader, post) for post in lacked}
        self.has |= self.given


Change = tuple[str, int, int]
CHANGES = (
    "add",
    "hold",
    "release",
    "drop",
    "move",
    "join",
    "leave",
    "pause",
    "unsent",
    "mode",
    "posts",
    "start",
    "share",
)


def apply(  # a case each
    town: Town, change: Change, names: list[str], at: datetime
) -> None:
    """Do what an editor, a reader or a relay may do at any time, if it can be done now."""
    what, one, other = change
    town.now = at
    slug, reader = names[one % len(names)], f"r{other % 4}"
    with town.database.read() as session:
        waiting = [post.slug for _, post in waiting_entries(session, find_category(session, slug))]
        members = set(town.readers(session, slug))
    post = waiting[other % len(waiting)] if waiting else ""
    match what:
        case "add":
            town.queue(f"new{one}-{other}", category=slug)
        case "share" if post:
            town.add(source(post, slug), only=names[other % len(names)])
        case "hold" | "release" | "drop" if post:
            to = {"hold": EntryState.HELD, "release": EntryState.QUEUED, "drop": EntryState.DROPPED}[what]
            with suppress(QueueError):  # it is that already
                town.change(post, to)
        case "move" if post:
            town.move(post, 1, slug)
        case "join":
            town.subscribe(reader, category=slug)
        case "leave" if reader in members:
            town.leave(reader, slug)
        case "pause" if reader in members:
            town.pause(reader, until=(at + (one % 15) * DAY).date())
        case "unsent":
            town.lose(reader)
        case "mode":
            town.change_category(slug, mode=list(Mode)[other % 2])
        case "posts":
            town.change_category(slug, posts_per_issue=1 + other % 3)
        case "start" if post:
            town.start(slug, post)
        case _:
            pass


@tried(40, quickly=7)
@given(
    site=sites,
    changes=st.lists(
        st.tuples(st.sampled_from(CHANGES), st.integers(0, 11), st.integers(0, 11)), min_size=1, max_size=12
    ),
)
def test_whatever_changes_what_is_foretold_from_then_on_comes_to_pass(
    database: Database, site: Site, changes: list[Change]
) -> None:
    """Whatever editors, readers and relays do, nobody gets a post twice, and the plan stays true."""
    empty(database)
    town = Town(database)
    site.build(town)
    names = [f"c{number}" for number in range(len(site.categories))]
    step = (END - MONDAY) / (len(changes) + 1)
    at = MONDAY
    for number, change in enumerate([None, *changes]):
        if change is not None:
            apply(town, change, names, at)
        until = MONDAY + (number + 1) * step
        foretold = [summary(issue) for issue in town.planner.upcoming(at, until)]
        done: list[PlannedIssue | PlanFailure] = []
        for due in sorted({issue.due_at for issue in town.planner.upcoming(at, until)}):
            rules = Rules.of(town)
            planned = town.plan(due)
            for issue in planned:
                assert isinstance(issue, PlannedIssue)
                rules.pass_slot(issue.category, date.fromisoformat(issue.slot[:10]))
            done += planned
            # It also looks into the books: one receipt for each post of each letter that stands.
            assert {(row.reader, row.post) for row in town.letters()} >= rules.given
            assert rules.given >= {
                (row.reader, row.post)
                for row in town.letters()
                if (row.category, row.slot) in {(issue.category, issue.slot) for issue in planned}
            }
        assert [summary(issue) for issue in done] == foretold
        at = until


@pytest.mark.parametrize("mode", Mode)
def test_foretelling_begins_with_what_was_missed(town: Town, mode: Mode) -> None:
    """Slots that a pass now would skip or catch up come first, as they would then be treated."""
    town.category(mode=mode)
    town.queue("a", "b")
    town.subscribe("ann")
    now = TUESDAY + WEEK + HOUR
    foretold = town.planner.upcoming(now, TUESDAY + 3 * WEEK)
    assert [summary(issue)[1:3] for issue in foretold] == [
        ("2026-01-06T08:00", "skipped"),
        ("2026-01-13T08:00", "planned"),
        ("2026-01-20T08:00", "planned"),
        ("2026-01-27T08:00", "empty"),
    ]
    done = [*town.plan(now), *town.plan(TUESDAY + 2 * WEEK), *town.plan(TUESDAY + 3 * WEEK)]
    assert [(summary(issue), issue.reason) for issue in done if isinstance(issue, PlannedIssue)] == [
        (summary(issue), issue.reason) for issue in foretold
    ]


def test_foretelling_stands_in_nobodys_way(town: Town, database: Database) -> None:
    """A forecast needs no lock: it is made while another process writes, and writes nothing itself."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a")
    town.subscribe("ann")
    before = rows(database)
    other = another(database)
    with other.write() as session:
        find_category(session, "advice").title = "New"
        session.flush()
        assert len(town.planner.upcoming(MONDAY, TUESDAY + WEEK)) == 2
    other.close()
    assert rows(database) == before
