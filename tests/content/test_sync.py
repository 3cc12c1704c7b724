"""A folder and the queue in step: whatever is done to the folder between two looks, on both databases."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import SQLModel, col, select

from newsletter.content.adding import SourceFile
from newsletter.content.approval import approve
from newsletter.content.history import Action, latest_events
from newsletter.content.post import parse_post, read_bytes
from newsletter.content.queue import places_of, waiting_entries
from newsletter.content.sync import Change, Standing
from newsletter.content.synced import FLOOD, Orders, Outcome, Syncer
from newsletter.database import Database
from newsletter.errors import ContentError, QueueError
from newsletter.models import Category, Post, QueueEntry
from newsletter.schedule.categories import find_category, remove_category
from newsletter.states import EntryState
from tests.planning import MONDAY, Town, database, empty, shared_database, source, town
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]

QUEUED, HELD, ISSUED, DROPPED = EntryState.QUEUED, EntryState.HELD, EntryState.ISSUED, EntryState.DROPPED
PROPOSED = EntryState.PROPOSED
TODAY = date(2026, 1, 5)
LONG_AGO_NS = 1_700_000_000_000_000_000
NOW_NS = 1_800_000_000_000_000_000


@dataclass
class Blog:
    """A folder, and the site that keeps in step with it."""

    town: Town
    folder: Path
    now_ns: int = NOW_NS
    ticks: int = 0
    reads: list[str] = field(default_factory=list)
    """The files that were read to the end."""

    def write(
        self,
        path: str,
        *,
        categories: str = "advice",
        day: date | str | None = TODAY,
        words: str = "Some words.",
        extra: str = "",
    ) -> None:
        dated = f"date: {day}\n" if day else ""
        self.raw(path, f"---\ncategories: [{categories}]\n{dated}{extra}---\n\n{words}\n".encode())

    def raw(self, path: str, data: bytes) -> None:
        """A file of these bytes, its time another one than any before."""
        place = self.folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        self.ticks += 1
        os.utime(place, ns=(LONG_AGO_NS, LONG_AGO_NS + self.ticks * 10_000_000_000))

    def move(self, old: str, new: str) -> None:
        (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / old).rename(self.folder / new)

    def remove(self, path: str) -> None:
        (self.folder / path).unlink()

    def syncer(self) -> Syncer:
        return Syncer(
            self.town.database,
            site=self.town.site,
            folder=self.folder,
            stored=str(self.folder),
            read=self.read,
            clock=lambda: self.town.now,
            file_clock=lambda: self.now_ns,
            actor="cron",
            needs_approval=self.town.needs_approval,
        )

    def read(self, path: Path) -> SourceFile:
        self.reads.append(path.relative_to(self.folder).as_posix())
        data = read_bytes(path)
        return SourceFile(parse_post(data, path), data, str(path))

    def sync(self, **orders: Any) -> Outcome:
        """A run that succeeds, as a dry one had said beforehand; after it there is nothing to do."""
        before = dump(self.town.database)
        trial = self.syncer().sync(Orders(**orders, is_dry=True))
        assert dump(self.town.database) == before
        outcome = self.syncer().sync(Orders(**orders))
        assert outcome.problems == ()
        assert (trial.changes, trial.problems) == (outcome.changes, ())
        after = dump(self.town.database)
        again = self.syncer().sync(Orders(**orders))
        assert told(again) == []
        assert dump(self.town.database) == after
        return outcome

    def refused(self, **orders: Any) -> tuple[str, ...]:
        """What a run names that changes nothing."""
        before = dump(self.town.database)
        outcome = self.syncer().sync(Orders(**orders))
        assert outcome.problems
        assert dump(self.town.database) == before
        return outcome.problems

    def stands(self, slug: str, category: str = "advice") -> EntryState | None:
        with self.town.database.read() as session:
            places = {place.slug: entry.state for entry, place in places_of(session, slug)}
        return EntryState(places[category]) if category in places else None

    def line(self, category: str = "advice") -> list[str]:
        """What waits, in order."""
        with self.town.database.read() as session:
            waiting = waiting_entries(session, find_category(session, category))
            return [post.slug for _, post in waiting]

    def issue(self, slug: str) -> None:
        """Have a post go out in `advice`."""
        with self.town.database.write() as session:
            for entry, place in places_of(session, slug):
                if place.slug == "advice":
                    entry.state = ISSUED


def dump(database: Database) -> dict[str, list[Any]]:
    """All that the database holds of posts, queues and folders."""
    with database.read() as session:
        return {
            table.name: sorted(map(tuple, session.execute(select(*table.columns))), key=repr)
            for table in SQLModel.metadata.sorted_tables
            if table.name in ("post", "queue_entry", "queue_event", "synced_folder", "synced_file")
        }


def told(outcome: Outcome) -> list[Change]:
    return [change for change in outcome.changes if change.is_worth_telling]


@pytest.fixture
def blog(town: Town, tmp_path: Path) -> Blog:
    """An empty folder, and a site with the categories `advice` and `letters`."""
    town.site = tmp_path / "site"
    town.category("advice")
    town.category("letters")
    folder = tmp_path / "blog"
    folder.mkdir()
    return Blog(town, folder)


def test_new_posts_are_queued_in_the_order_of_their_days(blog: Blog) -> None:
    """By date, then by path; what has no date comes last; later ones go to the end, however old."""
    blog.write("c.md", day="2026-01-02")
    blog.write("undated.md", day=None)
    blog.write("b/z.md", day="2026-01-03")
    blog.write("a/y.md", day="2026-01-03", categories="letters, advice, elsewhere")
    blog.write("2026-01-01-x.md", day=None)
    blog.sync()
    assert blog.line() == ["x", "c", "y", "z", "undated"]
    assert blog.line("letters") == ["y"]
    blog.write("older.md", day="2025-01-01")
    (change,) = blog.sync().changes
    assert (change.slug, change.queued, change.is_newcomer) == ("older", ("advice",), True)
    assert blog.line()[-1] == "older"


def test_a_bundle_and_a_section(blog: Blog) -> None:
    """Hugo's `name/index.md` is a post, its `_index.md` none; what is hidden or made by programs neither."""
    blog.write("content/first/index.md")
    blog.write("content/_index.md")
    blog.write("content/public/policy.md")
    for place in (".git", "node_modules", "public", "themes/paper", "archetypes", "_site"):
        blog.raw(f"{place}/no.md", b"---\ntitle: {{ .Name }}\n---\n")
    blog.sync()
    assert blog.line() == ["first", "policy"]


def test_what_names_no_category_here_is_remembered(blog: Blog) -> None:
    """It is told once and not opened again, whatever it lacks; a category made later picks it up."""
    blog.write("other.md", categories="news")
    blog.raw("index.md", b"---\nlayout: home\ndate: soon\n---\n")
    assert [change.standing for change in blog.sync().changes] == [Standing.ELSEWHERE] * 2
    blog.town.category("news")
    with opened(blog.folder) as files:
        (change,) = blog.syncer().sync(Orders()).changes
    assert (change.slug, change.queued) == ("other", ("news",))
    assert files == {"other.md"}
    assert blog.line("news") == ["other"]


def test_a_category_that_ends_and_begins_again(blog: Blog) -> None:
    """Its posts come back with it."""
    blog.write("x.md")
    blog.sync()
    with blog.town.database.write() as session:
        remove_category(session, find_category(session, "advice"), editor=blog.town.editor)
    blog.sync()
    blog.town.category("advice")
    blog.sync()
    assert blog.line() == ["x"]


@pytest.mark.parametrize(
    ("path", "extra", "standing"),
    [
        ("x.md", "draft: true\n", Standing.DRAFT),
        ("x.md", "published: false\n", Standing.DRAFT),
        ("_drafts/x.md", "", Standing.DRAFT),
        ("x.md", "date: 2026-01-06\n", Standing.FUTURE),
    ],
)
def test_what_is_not_published_is_told_and_not_queued(
    blog: Blog, path: str, extra: str, standing: Standing
) -> None:
    """Whatever text it has, if any; it is queued once it is published, and withdrawn when it is no more."""
    blog.write(path, extra=extra, words="")
    (change,) = blog.sync().changes
    assert (change.standing, change.is_news, change.queued) == (standing, True, ())
    blog.remove(path)
    blog.write("x.md")
    assert blog.sync().changes[0].queued == ("advice",)
    blog.remove("x.md")
    blog.write(path, extra=extra, words="" if standing is not Standing.FUTURE else "Words.")
    (change,) = blog.sync().changes
    assert (change.standing, change.dropped) == (standing, ("advice",))
    assert blog.stands("x") is DROPPED
    blog.remove(path)
    blog.write("x.md")
    assert blog.sync().changes[0].queued == ("advice",)
    assert blog.stands("x") is QUEUED


def test_its_term_goes_with_a_post(blog: Blog) -> None:
    """Hugo's days are those of its place in the queue, from the first run on and wherever it waits."""
    blog.write("x.md", extra="publishDate: 2026-02-01\nexpiryDate: 2026-03-01\n")
    (change,) = blog.sync().changes
    assert (change.standing, change.queued, change.terms) == (
        Standing.DUE,
        ("advice",),
        "from 2026-02-01, until 2026-02-28",
    )
    blog.write("x.md", extra="publishdate: 2026-02-02\nexpirydate: 2026-03-01\n")
    (change,) = told(blog.sync())
    assert (change.is_updated, change.dated) == (False, ("advice",))
    blog.town.edit("x", {"not_before": None, "not_after": date(2026, 1, 31)})
    blog.write("x.md", words="Other words.", extra="publishDate: 2026-02-02\nexpiryDate: 2026-03-01\n")
    assert blog.sync().changes[0].dated == ()  # what the editor said since wins
    with blog.town.database.read() as session:
        (entry,) = session.exec(select(QueueEntry))
        assert (entry.not_before, entry.not_after) == (None, date(2026, 1, 31))
    blog.write("x.md", extra="publishDate: 2026-02-03\nexpiryDate: 2026-03-01\n")
    assert blog.refused() == ("'x' cannot go: it is to wait until 2026-02-03, and expires on 2026-01-31",)
    assert blog.refused(is_dry=True) == blog.refused()


def test_what_has_expired_does_not_enter_a_queue(blog: Blog) -> None:
    """After its last day, in each category's zone; what waits stays for the editor to decide on."""
    blog.town.category("tokyo", timezone="Asia/Tokyo")
    blog.town.now = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
    blog.write("x.md", categories="advice, tokyo", extra="expires: 2026-01-05\n")
    assert blog.sync().changes[0].queued == ("advice",)
    blog.write("old.md", extra="expires: 2026-01-04\n")
    (change,) = blog.sync().changes
    assert (change.standing, change.is_news, change.queued) == (Standing.EXPIRED, True, ())
    blog.town.now += timedelta(days=1)
    assert told(blog.sync()) == []
    assert blog.stands("x") is QUEUED
    blog.write("old.md", extra="expires: 2026-02-01\n")
    assert blog.sync().changes[0].queued == ("advice",)


def test_approval_holds(blog: Blog) -> None:
    """What enters or comes back is proposed, and so is an approved text that changes; held stays held."""
    blog.town.needs_approval = True
    for name in ("x", "y", "z"):
        blog.write(f"{name}.md")
    assert [change.state for change in blog.sync().changes] == [PROPOSED] * 3
    with blog.town.database.write() as session:
        approve(session, ["x", "y"], None, editor=blog.town.editor)
    assert [blog.stands(slug) for slug in "xyz"] == [QUEUED, QUEUED, PROPOSED]
    blog.town.change("y", HELD)
    for name in ("x", "y", "z"):
        blog.write(f"{name}.md", words="Other words.")
    changes = blog.sync().changes
    assert [(change.slug, change.withdrawn) for change in changes] == [
        ("x", ("advice",)),
        ("y", ()),
        ("z", ()),
    ]
    assert [blog.stands(slug) for slug in "xyz"] == [PROPOSED, HELD, PROPOSED]
    with blog.town.database.write() as session:
        approve(session, ["x"], None, editor=blog.town.editor)
    for name in ("y", "z"):
        blog.remove(f"{name}.md")
    assert [change.dropped for change in blog.sync().changes] == [("advice",)] * 2
    for name in ("y", "z"):
        blog.write(f"{name}.md", words="Other words.")
    assert [(change.state, change.held) for change in blog.sync().changes] == [(PROPOSED, ())] * 2
    assert [blog.stands(slug) for slug in "xyz"] == [QUEUED, PROPOSED, PROPOSED]


def test_every_change_is_on_record(blog: Blog) -> None:
    """With who ran it and when, as what an editor does by hand; what changes nothing is not."""
    blog.write("x.md")
    blog.sync()
    blog.town.change("x", HELD)
    blog.write("x.md", words="Other words.", extra="expires: 2026-02-01\n")
    blog.sync()
    blog.write("x.md", extra="draft: true\n")
    blog.sync()
    blog.write("x.md")
    blog.sync()
    with blog.town.database.read() as session:
        events = latest_events(session, limit=100)
    assert [(event.actor, event.action, event.category, event.post) for event in events] == [
        (actor, action, "advice", "x")
        for actor, action in [
            ("cron", Action.ADDED),
            (blog.town.editor.name, Action.HELD),
            ("cron", Action.UPDATED),
            ("cron", Action.EDITED),
            ("cron", Action.DROPPED),
            ("cron", Action.ADDED),
            ("cron", Action.HELD),
        ]
    ]
    assert {event.at for event in events} == {blog.town.now}


def test_a_day_comes(blog: Blog) -> None:
    """A post is queued on its day, by the clock of each category's own zone, though nobody touched it."""
    blog.town.category("tokyo", timezone="Asia/Tokyo")
    blog.write("x.md", day="2026-01-06", categories="advice, tokyo")
    assert blog.sync().changes[0].standing is Standing.FUTURE
    blog.town.now = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
    assert blog.sync().changes[0].queued == ("tokyo",)
    blog.town.now = datetime(2026, 1, 6, 0, 0, tzinfo=UTC)
    assert blog.sync().changes[0].queued == ("advice",)


def test_a_changed_text_is_taken_over(blog: Blog) -> None:
    """Where it waits and for those who come later; where it has gone out is said. A new tag is no change."""
    blog.write("x.md", categories="advice, letters")
    blog.sync()
    blog.issue("x")
    blog.write("x.md", categories="advice, letters", words="Other words.")
    (change,) = blog.sync().changes
    assert (change.is_updated, change.issued, change.queued) == (True, ("advice",), ())
    with blog.town.database.read() as session:
        assert b"Other words." in session.exec(select(Post)).one().source
    blog.write("x.md", categories="advice, letters", words="Other words.", extra="tags: [a]\n")
    assert told(blog.sync()) == []


def test_changed_categories(blog: Blog) -> None:
    """A post enters what it names now and is dropped from what it names no more, where it waits there."""
    blog.write("x.md", categories="advice")
    blog.sync()
    blog.write("x.md", categories="letters")
    (change,) = blog.sync().changes
    assert (change.queued, change.dropped) == (("letters",), ("advice",))
    blog.write("x.md", categories="letters, advice")
    assert blog.sync().changes[0].queued == ("advice",)
    blog.issue("x")
    blog.write("x.md", categories="letters")
    assert told(blog.sync()) == []
    assert blog.stands("x") is ISSUED


def test_what_the_front_matter_does_not_name_is_the_editors(blog: Blog) -> None:
    """A post that was put into another category by hand stays there, also when its categories change."""
    blog.write("x.md")
    blog.sync()
    blog.town.add(blog.read(blog.folder / "x.md"), only="letters")
    blog.write("x.md", extra="title: New\n")
    blog.sync()
    assert (blog.stands("x"), blog.stands("x", "letters")) == (QUEUED, QUEUED)


@pytest.mark.parametrize("new", ["2026/x.md", "2026-01-05-y.md", "2026/other.md"])
def test_a_moved_file_is_followed(blog: Blog, new: str) -> None:
    """To another folder or under another name: its place, its hold and its history go with it."""
    blog.write("x.md")
    blog.write("z.md")
    blog.sync()
    blog.town.change("x", HELD)
    blog.move("x.md", new)
    (change,) = blog.sync().changes
    assert (change.slug, change.moved_from, change.path) == ("x", "x.md", new)
    assert change.is_updated == (new != "2026/x.md")  # its title is made of its name
    with blog.town.database.read() as session:
        assert session.exec(select(Post.title).where(Post.slug == "x")).one() == (
            parse_post(read_bytes(blog.folder / new), blog.folder / new).title
        )
    assert blog.line() == ["x", "z"]
    assert blog.stands("x") is HELD
    blog.write(new, words="New words.")
    (change,) = blog.sync().changes
    assert (change.slug, change.is_updated) == ("x", True)


def test_a_renamed_post_is_not_sent_again(blog: Blog) -> None:
    """What has gone out under another name does not enter the queue anew, not even by way of a branch."""
    blog.write("x.md")
    blog.sync()
    blog.issue("x")
    for old, new in (("x.md", "y.md"), ("y.md", "x.md"), ("x.md", "z.md")):
        blog.move(old, new)
        blog.sync()
    assert blog.line() == []
    blog.write("z.md", extra="slug: quite-another\n", words="Changed.")
    blog.sync()
    assert blog.line() == []


def test_a_deleted_file(blog: Blog) -> None:
    """Its post is dropped wherever it waits, and comes back with the file; what has gone out stays."""
    blog.write("x.md", categories="advice, letters")
    blog.write("y.md")
    blog.sync()
    blog.issue("x")
    blog.remove("x.md")
    (change,) = blog.sync().changes
    assert (change.standing, change.dropped) == (Standing.GONE, ("letters",))
    assert (blog.stands("x"), blog.stands("x", "letters")) == (ISSUED, DROPPED)
    blog.write("elsewhere/x.md", categories="advice, letters")
    blog.sync()
    assert (blog.stands("x"), blog.stands("x", "letters")) == (ISSUED, QUEUED)


def test_the_editors_last_word_stands(blog: Blog) -> None:
    """What was dropped because its file said so, put back by hand, and dropped by hand, stays dropped."""
    blog.write("x.md", categories="advice, letters")
    blog.sync()
    blog.write("x.md", categories="letters")
    blog.sync()
    blog.town.add(blog.read(blog.folder / "x.md"), only="advice")
    blog.sync()
    blog.town.change("x", DROPPED)
    blog.write("x.md", categories="advice, letters")
    blog.sync()
    assert (blog.stands("x"), blog.stands("x", "letters")) == (DROPPED, DROPPED)


@pytest.mark.parametrize("state", [HELD, DROPPED])
def test_the_editors_word_stands(blog: Blog, state: EntryState) -> None:
    """What was held or dropped by hand stays so, though its file changes, moves, goes and comes back."""
    blog.write("x.md")
    blog.write("y.md")
    blog.sync()
    blog.town.change("x", state)
    blog.write("x.md", words="Other words.")
    blog.sync()
    blog.move("x.md", "b/x.md")
    blog.sync()
    blog.remove("b/x.md")
    blog.sync()
    blog.write("x.md")
    blog.sync()
    blog.write("x.md", extra="draft: true\n")
    blog.sync()
    blog.write("x.md")
    blog.sync()
    assert blog.stands("x") is state


def test_queued_by_hand_before(blog: Blog) -> None:
    """A first run takes over what was added or dropped by hand, also from a copy elsewhere."""
    blog.write("x.md")
    blog.write("y.md", day="2027-01-01")
    blog.write("z.md", extra="draft: true\n")
    for name in ("x", "y"):
        blog.town.add(blog.read(blog.folder / f"{name}.md"))
    blog.town.add(source("z", "advice", path=str(blog.folder / "z.md")))
    copy = blog.town.site / "c.md"
    blog.write("c.md")
    copy.parent.mkdir()
    shutil.copy(blog.folder / "c.md", copy)
    data = read_bytes(copy)
    blog.town.add(SourceFile(parse_post(data, copy), data, "c.md"))
    blog.town.change("x", DROPPED)
    outcome = blog.sync()
    assert [(change.slug, change.moved_from) for change in told(outcome)] == [("c", "c.md"), ("z", None)]
    assert [blog.stands(slug) for slug in "xyzc"] == [DROPPED, QUEUED, DROPPED, QUEUED]


def test_a_flood_is_refused(blog: Blog) -> None:
    """Years of old posts do not come by surprise: a day is asked for, which holds for later runs too."""
    for number in range(FLOOD + 1):
        blog.write(f"{number}.md", day=date(2020, 1, 1) + timedelta(days=number))
    before = dump(blog.town.database)
    said = r"21 posts would enter .* dated 2020-01-01 to 2020-01-21; nothing was changed\. Say --since DAY"
    with pytest.raises(QueueError, match=said):
        blog.syncer().sync(Orders())
    assert dump(blog.town.database) == before
    outcome = blog.sync(since=date(2020, 1, 20))
    assert blog.line() == ["19", "20"]
    assert sum(change.standing is Standing.OLD for change in outcome.changes) == 19
    blog.write("0.md", day="2020-01-01", words="A slip mended.")
    assert told(blog.sync()) == []
    blog.write("late.md", day="2020-01-02")
    blog.sync()
    assert blog.line() == ["19", "20"]
    blog.sync(takes_all=True)
    assert len(blog.line()) == FLOOD + 2


def test_twenty_posts_are_no_flood(blog: Blog) -> None:
    """As many as may come at once come without a word, also at a first run."""
    for number in range(FLOOD):
        blog.write(f"{number}.md")
    blog.sync()
    assert len(blog.line()) == FLOOD


def test_a_folder_that_lost_everything(blog: Blog) -> None:
    """A disk that is not mounted deletes nothing, unless that is said to be meant."""
    with pytest.raises(ContentError, match="no such folder"):
        Blog(blog.town, blog.folder / "ghost").syncer().sync(Orders())
    blog.sync()
    blog.write("x.md")
    blog.sync()
    blog.remove("x.md")
    before = dump(blog.town.database)
    with pytest.raises(ContentError, match=r"blog: there is no post .* were 1; .*--really"):
        blog.syncer().sync(Orders())
    assert dump(blog.town.database) == before
    blog.sync(may_be_empty=True)
    assert blog.line() == []


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


def make_dangling(path: Path) -> None:
    path.symlink_to(path.parent / "nothing")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "yaml": (lambda p: p.write_text("---\ntitle: a: b\n---\nHi"), r"p\.md:2: the front matter cannot be"),
    "date": (
        lambda p: p.write_text("---\ncategory: advice\ndate: soon\n---\nHi"),
        r"p\.md:3: `date` is 'soon'",
    ),
    "no text": (lambda p: p.write_text("---\ncategory: advice\n---\n"), r"p\.md:4: the post has no text"),
    "huge": (lambda p: p.write_bytes(b"x" * 2_000_001), r"p\.md: has 2,000,001 bytes, more than"),
    "encoding": (lambda p: p.write_bytes(b"\xff\xe0\xe1"), r"p\.md:1: is not UTF-8"),
    "pipe": (make_pipe, r"p\.md: cannot be read: not a regular file"),
    "loop": (make_loop, r"p\.md: cannot be read: Too many levels of symbolic links"),
    "dangling": (make_dangling, r"p\.md: cannot be read: No such file"),
    "taken": (
        lambda p: p.write_text("---\ncategory: advice\nslug: x\n---\nHi"),
        r"p\.md: .*x\.md is called 'x'",
    ),
    "long": (
        lambda p: p.write_text(f"---\ncategory: advice\nslug: {'x' * 201}\n---\nHi"),
        r"p\.md: its slug has",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_taken_is_named_and_nothing_changes(blog: Blog, kind: str) -> None:
    """One bad file keeps everything as it was, the others' changes too; each is named with its place."""
    blog.write("x.md")
    blog.write("y.md")
    blog.sync()
    blog.write("new.md", words="New words.")
    blog.remove("y.md")
    make, said = BROKEN[kind]
    make(blog.folder / "p.md")
    blog.raw("q.md", b"---\n[\n---\n")
    problems = blog.refused()
    assert [bool(re.search(said, problem)) for problem in problems] in ([True, False], [False, True])
    blog.remove("p.md")
    blog.remove("q.md")
    blog.sync()
    assert blog.line() == ["x", "new"]


def test_a_name_that_is_not_utf_8(blog: Blog) -> None:
    """It is shown as far as it can be, and refused."""
    (blog.folder / os.fsdecode(b"caf\xe9.md")).write_text("Hi")
    (problem,) = blog.refused()
    assert re.fullmatch(r"'.*caf\\udce9\.md': the file's name is not UTF-8; rename it", problem)


def test_a_name_without_end(blog: Blog) -> None:
    """A path that no table has room for is named, with its length."""
    blog.write("/".join(["d" * 200] * 5) + "/x.md")
    (problem,) = blog.refused()
    assert problem.endswith("/x.md: its name has 1,009 bytes, more than the 1,000 allowed")


def test_a_folder_that_cannot_be_looked_into(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in it is not taken for deleted."""
    blog.write("a/x.md")
    blog.sync()
    scan = os.scandir

    def refuse(place: str) -> Any:
        if str(place).endswith("/a"):
            raise PermissionError(13, "Permission denied", place)
        return scan(place)

    monkeypatch.setattr(os, "scandir", refuse)
    (problem,) = blog.refused()
    assert problem == f"{blog.folder}/a: cannot be looked into: Permission denied"


def test_links_lead_nowhere_else(blog: Blog, tmp_path: Path) -> None:
    """A link to a folder above it, or to a file elsewhere, is passed over."""
    blog.write("x.md")
    (blog.folder / "loop").symlink_to(blog.folder)
    (tmp_path / "secret.md").write_text("---\ncategory: advice\n---\nHi")
    (blog.folder / "y.md").symlink_to(tmp_path / "secret.md")
    blog.sync()
    assert blog.line() == ["x"]


def test_two_files_of_one_slug(blog: Blog) -> None:
    """That matters only where both are to go out: nothing else needs a name of its own."""
    blog.write("2025-01-01-weekly.md", day=None)
    blog.write("2026-01-01-weekly.md", day=None, words="Others.")
    assert "is called 'weekly' too" in blog.refused()[0]
    blog.sync(since=date(2026, 1, 1))
    assert blog.line() == ["weekly"]
    blog.write("2025-01-01-weekly.md", day=None, words="Mended.")
    assert told(blog.sync()) == []
    with blog.town.database.read() as session:
        assert session.exec(select(Post)).one().path.endswith("/2026-01-01-weekly.md")


def test_a_file_that_takes_anothers_place(blog: Blog) -> None:
    """The one that was there is gone, and may come back at another place under its own name."""
    blog.write("1.md", extra="slug: a\n")
    blog.write("2.md", extra="slug: b\n")
    blog.sync()
    blog.move("2.md", "1.md")
    assert [(change.slug, change.standing) for change in blog.sync().changes] == [("b", "due"), ("a", "gone")]
    blog.write("3.md", extra="slug: a\n", words="Back again.")
    assert blog.sync().changes[0].queued == ("advice",)
    assert blog.line() == ["b", "a"]


def test_a_post_queued_by_hand_keeps_its_file(blog: Blog) -> None:
    """At a first run it is not given to an older file that has its name."""
    blog.write("2020-01-01-weekly.md", day=None)
    blog.write("2026-01-01-weekly.md", day=None, words="Others.")
    blog.town.add(blog.read(blog.folder / "2026-01-01-weekly.md"))
    assert told(blog.sync(since=date(2026, 1, 1))) == []
    assert blog.line() == ["weekly"]


def test_two_folders_do_not_pull_at_one_post(blog: Blog, tmp_path: Path) -> None:
    """What was taken from one folder and then from another is the other's, until that loses it."""
    other = Blog(blog.town, tmp_path / "other", ticks=1000)
    blog.write("x.md")
    blog.write("keep.md")
    blog.sync()
    other.write("x.md")
    other.sync()
    for each in (blog, other, blog):
        assert told(each.sync()) == []
    blog.remove("x.md")
    blog.sync()
    assert "x" in blog.line()
    other.remove("x.md")
    other.sync(may_be_empty=True)
    assert "x" not in blog.line()
    other.write("keep.md")
    other.sync()
    blog.remove("keep.md")
    blog.sync(may_be_empty=True)
    assert blog.line() == ["keep"]


WATCHERS: list[list[str]] = []
"""Whoever wants to know which files are opened: a hook cannot be taken away again."""


def note_opened(event: str, arguments: tuple[Any, ...]) -> None:
    if WATCHERS and event == "open" and isinstance(arguments[0], str | Path):
        WATCHERS[-1].append(str(arguments[0]))


sys.addaudithook(note_opened)


@contextmanager
def opened(folder: Path) -> Iterator[set[str]]:
    """The files of a folder that are opened meanwhile."""
    found: set[str] = set()
    WATCHERS.append([])
    try:
        yield found
    finally:
        paths = map(Path, WATCHERS.pop())
        found |= {str(path.relative_to(folder)) for path in paths if path.is_relative_to(folder)}


def test_a_thousand_unchanged_posts_are_not_opened(blog: Blog) -> None:
    """A second run looks at names, sizes and times only, whatever became of the posts, and writes nothing."""
    for number in range(1000):
        kind = number % 5
        blog.write(
            f"{kind}/{number}.md",
            categories="elsewhere" if kind == 4 else "advice",
            day=["2019-01-01", "2026-01-01", "2030-01-01", TODAY, TODAY][kind],
            extra="draft: true\n" if kind == 3 else "",
        )
    with opened(blog.folder) as files:
        blog.syncer().sync(Orders(since=TODAY))
    assert len(files) == 1000
    before = dump(blog.town.database)
    with opened(blog.folder) as files:
        outcome = blog.syncer().sync(Orders())
    assert (files, outcome.changes) == (set(), ())
    assert dump(blog.town.database) == before
    blog.write("0/0.md", day=TODAY)
    with opened(blog.folder) as files:
        assert [change.slug for change in blog.syncer().sync(Orders()).changes] == ["0"]
    assert files == {"0/0.md"}


@pytest.mark.parametrize("age_ns", [-5_000_000_000, 0, 1_999_999_999])
def test_a_change_within_a_tick_of_the_clock_is_seen(blog: Blog, age_ns: int) -> None:
    """A file that was as new as the look at it is opened again, though its size and time are the same."""
    blog.write("x.md", words="One.")
    os.utime(blog.folder / "x.md", ns=(NOW_NS, NOW_NS))
    blog.now_ns = NOW_NS + age_ns
    blog.syncer().sync(Orders())
    blog.write("x.md", words="Two.")
    os.utime(blog.folder / "x.md", ns=(NOW_NS, NOW_NS))
    blog.now_ns = NOW_NS + 60_000_000_000
    (change,) = blog.syncer().sync(Orders()).changes
    assert change.is_updated
    with opened(blog.folder) as files:
        blog.syncer().sync(Orders())
    assert files == set()


def test_a_file_that_changes_under_our_hands(blog: Blog) -> None:
    """Where the text is another one than was decided on, everything is looked at anew."""
    blog.write("x.md")
    syncer = blog.syncer()

    def read(path: Path) -> SourceFile:
        if not blog.reads:
            blog.write("x.md", extra="draft: true\n")
        return blog.read(path)

    outcome = replace(syncer, read=read).sync(Orders())
    assert [change.standing for change in outcome.changes] == [Standing.DRAFT]
    assert blog.line() == []


def test_a_queue_that_changes_under_our_hands(blog: Blog) -> None:
    """What an editor says while files are read is heeded; where it never ends, nothing is done."""
    blog.write("x.md")
    blog.write("y.md")
    blog.sync()
    blog.write("x.md", extra="draft: true\n")
    blog.write("y.md", words="Others.")

    def hold_first(path: Path) -> SourceFile:
        if blog.stands("x") is QUEUED:
            blog.town.change("x", HELD)
        return blog.read(path)

    replace(blog.syncer(), read=hold_first).sync(Orders())
    blog.write("x.md")
    (change,) = blog.sync().changes
    assert change.held == ("advice",)

    def change_always(path: Path) -> SourceFile:
        blog.town.change("y", HELD if blog.stands("y") is QUEUED else QUEUED)
        return blog.read(path)

    blog.write("y.md", words="Yet others.")
    with pytest.raises(QueueError, match="again and again"):
        replace(blog.syncer(), read=change_always).sync(Orders())


def test_two_runs_at_once(blog: Blog) -> None:
    """Both have decided before either writes: each post is queued once, and one of them has nothing to do."""
    for name in "abcd":
        blog.write(f"{name}.md")
    meeting = Barrier(2, timeout=30)
    outcomes = []

    def run() -> None:
        met = False

        def read(path: Path) -> SourceFile:
            nonlocal met
            if not met:
                met = True
                meeting.wait()
            return blog.read(path)

        outcomes.append(replace(blog.syncer(), read=read).sync(Orders()))

    threads = [Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(told(outcome)) for outcome in outcomes) == [0, 4]
    assert blog.line() == ["a", "b", "c", "d"]
    with blog.town.database.read() as session:
        assert len(session.exec(select(QueueEntry)).all()) == 4


CATEGORIES = ("advice", "letters")
slugs = st.sampled_from(["a", "b"])
writes = st.tuples(
    st.just("write"),
    slugs,
    st.sampled_from(["", "", "sub/", "_drafts/"]),
    st.sampled_from(["advice", "advice, letters", "news, letters", "news"]),
    st.sampled_from([None, TODAY, TODAY, TODAY + timedelta(days=2)]),
    st.sampled_from(["", "", "", "draft: true\n", "published: false\n"]),
    st.sampled_from(["Words.", "Others."]),
)
by_hand = st.tuples(st.sampled_from(["hold", "hold", "drop", "issue"]), slugs)
edits = st.one_of(
    writes, writes, writes, writes, by_hand, st.tuples(st.just("remove"), slugs), st.tuples(st.just("day"))
)


@dataclass
class Wanted:
    """What should wait, told from the folder alone and from what the editor did by hand."""

    blog: Blog
    held: set[tuple[str, str]] = field(default_factory=set)
    over: set[tuple[str, str]] = field(default_factory=set)
    """Dropped by hand, or gone out."""

    def edit(self, kind: str, slug: str = "", *rest: Any) -> None:
        blog = self.blog
        if kind == "day":
            blog.town.now += timedelta(days=1)
        elif kind in ("write", "remove"):
            for path in list(blog.folder.rglob(f"{slug}.md")):
                path.unlink()
            if kind == "write":
                place, categories, day, extra, words = rest
                words = f"{slug}: {words}"
                blog.write(f"{place}{slug}.md", categories=categories, day=day, extra=extra, words=words)
        else:
            self.by_hand(kind, slug)

    def by_hand(self, kind: str, slug: str) -> None:
        with self.blog.town.database.read() as session:
            if session.exec(select(Post).where(Post.slug == slug)).first() is None:
                return
        for name in CATEGORIES:
            state = self.blog.stands(slug, name)
            if state not in (QUEUED, HELD) or (kind == "issue" and state is HELD):
                continue
            to = {"hold": HELD, "drop": DROPPED, "issue": ISSUED}[kind]
            with self.blog.town.database.write() as session:
                for entry, place in places_of(session, slug):
                    if place.slug == name:
                        entry.state = to
            (self.held if kind == "hold" else self.over).add((slug, name))

    def waiting(self) -> dict[tuple[str, str], tuple[EntryState, str, bytes]]:
        """By post and category: its state, its file and what that says."""
        found = {}
        for path in self.blog.folder.rglob("*.md"):
            post = parse_post(path.read_bytes(), path)
            is_out = post.date is None or post.date <= self.blog.town.now.date()
            if post.published and is_out and path.parent.name != "_drafts":
                for name in set(post.categories) & set(CATEGORIES):
                    if (post.slug, name) not in self.over:
                        state = HELD if (post.slug, name) in self.held else QUEUED
                        found[post.slug, name] = (state, str(path), path.read_bytes())
        return found


@tried(50, quickly=8)
@given(st.lists(st.lists(edits, min_size=1, max_size=2), min_size=6, max_size=10))
def test_whatever_is_done_to_a_folder(town: Town, rounds: list[list[tuple[Any, ...]]]) -> None:
    """After each run there waits what the folder says, less what an editor or a slot has taken."""
    empty(town.database)
    town.now = MONDAY
    with tempfile.TemporaryDirectory() as folder:
        town.site = Path(folder, "site")
        for name in CATEGORIES:
            town.category(name)
        blog = Blog(town, Path(folder, "blog"))
        blog.folder.mkdir()
        wanted = Wanted(blog)
        for steps in rounds:
            for step in steps:
                wanted.edit(*step)
            blog.sync(may_be_empty=True)
            with town.database.read() as session:
                rows = session.exec(
                    select(Post, Category.slug, QueueEntry.state)
                    .select_from(QueueEntry)
                    .join(Post, col(Post.id) == col(QueueEntry.post_id))
                    .join(Category, col(Category.id) == col(QueueEntry.category_id))
                )
                waiting = {
                    (post.slug, name): (state, post.path, post.source)
                    for post, name, state in rows
                    if state in (QUEUED, HELD)
                }
            assert waiting == wanted.waiting()
