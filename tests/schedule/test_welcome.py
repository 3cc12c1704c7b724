"""Welcome letters: whoever has just joined gets one, at once and once."""

from dataclasses import replace
from datetime import timedelta
from threading import Thread

from newsletter.database import Database
from newsletter.models import Post
from newsletter.schedule.archive import entries_of
from newsletter.schedule.categories import find_category
from newsletter.schedule.welcome import set_welcome
from newsletter.states import Mode
from subscribers.address import parse_address
from subscribers.subscriptions import Permission, Person, join
from tests.orders import SUPPRESSIONS
from tests.planning import MONDAY, TUESDAY, WEEK, Town, another, database, shared_database, summary, town

__all__ = ["database", "shared_database", "town"]

MINUTE = timedelta(minutes=1)


def welcome(town: Town, slug: str | None = "hello") -> None:
    """Have newcomers to `advice` get a post, or nothing any more."""
    with town.database.write() as session:
        if slug is not None:
            post = Post(
                slug=slug, path="hello.md", title=slug, source=b"Hi", content_hash="", read_at=town.now
            )
            session.add(post)
            session.flush()
        set_welcome(session, find_category(session, "advice"), slug, now=town.now)


def test_whoever_joins_is_welcomed_once(town: Town) -> None:
    """At the next pass, not at a slot; not who was there before, nor a second time after coming back."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    town.subscribe("old")
    town.now = MONDAY + MINUTE
    welcome(town)
    town.subscribe("ann", "bo")
    town.subscribe("pending", confirmed=False)
    assert [summary(issue)[2:] for issue in town.plan(town.now)] == [("planned", ("hello",), 2)]
    assert town.plan(town.now + MINUTE) == []
    town.leave("ann")
    town.now = MONDAY + 3 * MINUTE
    town.subscribe("ann", "cleo")
    town.plan(town.now)
    town.plan(TUESDAY)
    town.plan(TUESDAY + WEEK)
    assert town.given_to("old") == ["a", "b"]
    assert town.given_to("bo") == town.given_to("cleo") == ["hello", "a", "b"]
    assert town.given_to("pending") == []


def test_who_was_imported_has_not_just_joined(town: Town) -> None:
    """A list that comes from another tool is not greeted."""
    town.category()
    welcome(town)
    with town.database.write() as session:
        person, permission = Person(parse_address("ann@example.org")), Permission("import", confirmed=True)
        join(session, person, "advice", permission, SUPPRESSIONS, renew=False, now=town.now)
    assert town.plan(town.now + MINUTE) == []


def test_no_welcome_any_more(town: Town) -> None:
    """What was taken back is sent to nobody; a new one is for those who join after it."""
    town.category()
    welcome(town)
    town.subscribe("ann")
    welcome(town, None)
    assert town.plan(town.now) == []
    town.now += MINUTE
    welcome(town, "again")
    town.subscribe("bo")
    assert [summary(issue)[3:] for issue in town.plan(town.now)] == [(("again",), 1)]


def test_two_planners_welcome_once(town: Town, database: Database) -> None:
    """However many passes there are at once, nobody is greeted twice and nobody is forgotten."""
    town.category()
    welcome(town)
    names = [f"r{number}" for number in range(20)]
    town.subscribe(*names)
    towns = [replace(town, database=another(database)) for _ in range(3)]
    threads = [
        Thread(target=own.plan, args=(town.now + number * MINUTE,)) for number, own in enumerate(towns)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for own in towns:
        own.database.close()
    assert sorted(row.reader for row in town.letters()) == sorted(names)


def test_an_archive_does_not_repeat_welcomes(town: Town) -> None:
    """The list of what went out has the letters of slots only."""
    town.category()
    town.queue("a")
    welcome(town)
    for minute in range(3):
        town.now = MONDAY + minute * MINUTE
        town.subscribe(f"r{minute}")
        town.plan(town.now)
    town.plan(TUESDAY)
    with town.database.read() as session:
        shown = entries_of(session, find_category(session, "advice"), limit=10)
    assert [entry.slug for entry in shown] == ["a"]


def test_a_welcome_takes_no_post_out_of_the_archive(town: Town) -> None:
    """A post of the sequence that newcomers get as their welcome, too, stays where its slot put it."""
    town.category(mode=Mode.SEQUENCE)
    town.queue("a", "b")
    town.subscribe("old")
    town.plan(TUESDAY)
    town.now = TUESDAY + MINUTE
    with town.database.write() as session:
        set_welcome(session, find_category(session, "advice"), "a", now=town.now)
    town.subscribe("ann")
    assert [summary(issue)[3] for issue in town.plan(town.now)] == [("a",)]
    with town.database.read() as session:
        assert [entry.slug for entry in entries_of(session, find_category(session, "advice"), limit=9)] == [
            "a"
        ]
