"""The queue: what is added, changed, moved and held, on both databases."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from newsletter.content.adding import add_posts
from newsletter.content.history import Editor
from newsletter.content.queue import Ahead, change_state, entries, move, places_of
from newsletter.database import Database
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category, Post, QueueEntry
from newsletter.schedule.categories import add_category, all_categories
from newsletter.states import EntryState, Mode
from tests.planning import MONDAY, TUESDAY, Town, database, shared_database, source, town
from tests.properties import tried

__all__ = ["database", "shared_database", "town"]

QUEUED, HELD, ISSUED, DROPPED = EntryState.QUEUED, EntryState.HELD, EntryState.ISSUED, EntryState.DROPPED
WAITING = (QUEUED, HELD)
EDITOR = Editor("ed", MONDAY)


@pytest.fixture
def advice(town: Town) -> Town:
    """A town with the categories `advice` and `letters`."""
    town.category("advice")
    town.category("letters", mode=Mode.SEQUENCE)
    return town


def line(town: Town, category: str = "advice", states: Iterable[EntryState] = WAITING) -> list[str]:
    """The slugs of a queue, in order."""
    with town.database.read() as session:
        place = session.exec(select(Category).where(Category.slug == category)).one()
        return [post.slug for _, post in entries(session, place, states)]


def stored(town: Town, slug: str) -> Post:
    with town.database.read() as session:
        return session.exec(select(Post).where(Post.slug == slug)).one()


def posts(town: Town) -> int:
    with town.database.read() as session:
        return len(session.exec(select(Post)).all())


def test_a_post_enters_every_category_it_names(advice: Town) -> None:
    """A post goes to the end of each queue of its front matter; others it names are reported."""
    advice.add(source("first", "advice"))
    (added,) = advice.add(source("second", "letters", "elsewhere", "advice"))
    assert added.queued == ["letters", "advice"]
    assert added.unknown == ["elsewhere"]
    assert line(advice) == ["first", "second"]
    assert line(advice, "letters") == ["second"]


def test_one_category_instead(advice: Town) -> None:
    """With a category named, the front matter has no say, and what it names is no matter."""
    (added,) = advice.add(source("first", "advice", "elsewhere"), only="letters")
    assert (added.queued, added.unknown) == (["letters"], [])
    assert line(advice) == []


def test_the_order_of_the_command_is_the_order_of_the_queue(advice: Town) -> None:
    """Files are queued as they are given, not by name or date."""
    advice.add(*(source(slug, "advice") for slug in ("c", "a", "b")))
    assert line(advice) == ["c", "a", "b"]


def test_posts_go_ahead_of_what_waits(advice: Town) -> None:
    """In their order, before everything or before one post; what waits already stays where it is."""
    advice.queue("a", "b", "c")
    advice.add(source("x", "advice"), source("b", "advice"), source("y", "advice"), ahead_of=Ahead())
    assert line(advice) == ["x", "y", "a", "b", "c"]
    advice.change("b", HELD)
    advice.add(source("z", "advice"), ahead_of=Ahead("b"))
    assert line(advice) == ["x", "y", "a", "z", "b", "c"]
    for other in ("nobody", "w"):
        with pytest.raises(QueueError, match=f"'{other}' does not wait in advice"):
            advice.add(source("w", "advice"), ahead_of=Ahead(other))
    assert line(advice) == ["x", "y", "a", "z", "b", "c"]


@pytest.mark.parametrize("names", [(), ("elsewhere",)])
def test_a_post_that_fits_nowhere(advice: Town, names: tuple[str, ...]) -> None:
    """The error names the file, what it asked for, and the categories there are."""
    said = rf"posts/x\.md: fits no category.*{names[0] if names else 'none'}.*advice, letters.*--category"
    with pytest.raises(QueueError, match=said):
        advice.add(source("x", *names))


def test_a_site_without_categories(town: Town) -> None:
    """Where there is no category at all, the error says how to make one."""
    with pytest.raises(QueueError, match="no category yet: `paperround category add`"):
        town.add(source("x", "advice"))


@pytest.mark.parametrize("extra", ["published: false\n", "draft: true\n"])
def test_what_is_not_published_is_not_queued(advice: Town, extra: str) -> None:
    """A draft stays at home, also with a category named."""
    with pytest.raises(QueueError, match=r"posts/x\.md: .*not published"):
        advice.add(source("x", "advice", extra=extra), only="advice")


def test_all_or_nothing(advice: Town) -> None:
    """One bad post among good ones keeps all of them out, and every bad one is named."""
    good, other = source("good", "advice"), source("other", "advice")
    with pytest.raises(QueueError, match=r"(?s)bad\.md: .*\n.*draft\.md: .*\nnothing was queued") as caught:
        advice.add(good, source("bad"), source("draft", "advice", extra="draft: true\n"), other)
    assert str(caught.value).count("\n") == 2
    assert posts(advice) == 0
    assert line(advice) == []


def test_adding_again_is_harmless(advice: Town) -> None:
    """The same file again, even twice in one command, changes nothing and says where the post stands."""
    file = source("x", "advice", "letters")
    advice.add(file)
    before = stored(advice, "x")
    advice.now = TUESDAY
    for added in advice.add(file, file):
        assert added.queued == []
        assert added.already == {"advice": QUEUED, "letters": QUEUED}
        assert not added.is_updated
    assert stored(advice, "x") == before
    assert line(advice) == ["x"]


def test_adding_again_finds_a_new_category(advice: Town) -> None:
    """A category that the front matter names since then gets the post; the others keep it where it was."""
    advice.add(source("x", "advice"), source("y", "advice"))
    (added,) = advice.add(source("x", "advice", "letters"))
    assert (added.queued, added.already, added.is_updated) == (["letters"], {"advice": QUEUED}, False)
    assert line(advice) == ["x", "y"]


def test_a_changed_file_updates_the_post(advice: Town) -> None:
    """New words are stored under the same place in the queue."""
    advice.add(source("x", "advice"), source("y", "advice"))
    advice.now = TUESDAY
    changed = source("x", "advice", words="Other words.", extra="title: New\n")
    (added,) = advice.add(changed)
    post = stored(advice, "x")
    assert added.is_updated
    assert (post.source, post.title, post.content_hash) == (changed.data, "New", changed.source.content_hash)
    assert post.read_at == TUESDAY
    assert line(advice) == ["x", "y"]


def test_a_moved_file_is_followed(advice: Town, tmp_path: Path) -> None:
    """A file that is no longer where it was is the same post, also with new words."""
    advice.site = tmp_path
    advice.add(source("x", "advice", path="old/x.md"))
    (added,) = advice.add(source("x", "advice", words="New words.", path="new/x.md"))
    assert (added.queued, added.is_updated) == ([], True)
    assert stored(advice, "x").path == "new/x.md"
    assert posts(advice) == 1


def test_what_a_file_name_says_is_learnt_anew(advice: Town, tmp_path: Path) -> None:
    """A title that comes from the file's name changes with it, though no byte of the file does."""
    advice.site = tmp_path
    advice.add(source("x", "advice", path="old-name.md"))
    file = source("x", "advice", path="new-name.md")
    (added,) = advice.add(file)
    post = stored(advice, "x")
    assert added.is_updated
    assert (post.title, post.content_hash) == ("New name", file.source.content_hash)


def test_a_copy_is_the_same_post(advice: Town, tmp_path: Path) -> None:
    """The same words at another place are no clash: it is the post, and the newer place is kept."""
    advice.site = tmp_path
    (tmp_path / "x.md").touch()
    advice.add(source("x", "advice", path="x.md"))
    (added,) = advice.add(source("x", "advice", path="copy/x.md"))
    assert not added.is_updated
    assert stored(advice, "x").path == "copy/x.md"


def test_two_posts_of_one_name(advice: Town, tmp_path: Path) -> None:
    """A second post of the same slug is refused with both files named, and the first stays as it was."""
    advice.site = tmp_path
    (tmp_path / "one.md").touch()
    advice.add(source("x", "advice", path="one.md"))
    clash = source("x", "advice", words="Quite another.", path="two.md")
    with pytest.raises(QueueError, match=r"two\.md: one\.md is called 'x' too.*`slug:`"):
        advice.add(clash)
    assert stored(advice, "x").path == "one.md"
    with pytest.raises(QueueError, match=r"b\.md: a\.md is called 'y' too") as caught:
        advice.add(source("y", "advice", path="a.md"), source("y", "advice", words="Other.", path="b.md"))
    assert str(caught.value).count("\n") == 1
    assert posts(advice) == 1


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (source("x" * 201, "advice"), "its slug has 201 characters, more than the 200 allowed"),
        (
            source("x", "advice", path="posts/b\udce9.md"),
            r"'posts/b\\udce9\.md': the file's name is not UTF-8",
        ),
    ],
)
def test_names_that_no_database_takes(advice: Town, file: object, said: str) -> None:
    """A name that is too long, or whose bytes are no text, is refused alike on both databases."""
    with pytest.raises(QueueError, match=said):
        advice.add(file)  # type: ignore[arg-type]  # a SourceFile, which mypy cannot see in a table


def test_a_dropped_post_comes_back_at_the_end(advice: Town) -> None:
    """Dropping takes a post out; adding it again queues it last, and once."""
    advice.add(*(source(slug, "advice") for slug in "abc"))
    advice.change("a", DROPPED)
    assert line(advice) == ["b", "c"]
    (added,) = advice.add(source("a", "advice"))
    assert (added.queued, added.already) == (["advice"], {})
    assert line(advice) == ["b", "c", "a"]
    assert line(advice, states=EntryState) == ["b", "c", "a"]


def test_what_has_gone_out_is_not_queued_again(advice: Town) -> None:
    """A post that was issued stays so, whatever is added later."""
    advice.queue("x")
    advice.plan(TUESDAY)
    (added,) = advice.add(source("x", "advice", words="Second thoughts."))
    assert (added.queued, added.already, added.is_updated) == ([], {"advice": ISSUED}, True)
    assert line(advice) == []


def test_a_change_is_made_wherever_it_can_be(advice: Town) -> None:
    """Without a category, holding means every queue; with one, that one; and nothing to hold is an error."""
    advice.add(source("x", "advice", "letters"))

    def change(category: str | None, now_in: EntryState, to: EntryState) -> list[str]:
        with advice.database.write() as session:
            places = {place.slug: place for place in all_categories(session)}
            place = places[category] if category else None
            return change_state(session, "x", place, now_in=[now_in], to=to, editor=advice.editor)

    assert change("letters", QUEUED, HELD) == ["letters"]
    assert change(None, QUEUED, HELD) == ["advice"]
    assert change(None, HELD, QUEUED) == ["advice", "letters"]
    with pytest.raises(QueueError, match="'x' is queued in advice; only what is held can"):
        change("advice", HELD, QUEUED)
    advice.category("third")
    with pytest.raises(QueueError, match="'x' is in no such queue"):
        change("third", QUEUED, HELD)


def test_a_post_that_is_not_there(advice: Town) -> None:
    """A name that nobody has is said to be unknown, and where to look."""
    with advice.database.read() as session, pytest.raises(NotFoundError, match="`paperround queue list`"):
        places_of(session, "x")
    advice.add(source("x", "letters"))
    with pytest.raises(QueueError, match="'x' does not wait in advice"):
        advice.move("x", 1)


def test_posts_that_were_queued_at_one_moment(advice: Town) -> None:
    """Two processes may give posts the same position; moving one puts it where it was asked, for good."""
    advice.queue("a", "b", "c")
    with advice.database.write() as session:
        for entry in session.exec(select(QueueEntry)):
            entry.position = 1
    assert line(advice) == ["a", "b", "c"]
    advice.move("c", 1)
    assert line(advice) == ["c", "a", "b"]
    advice.move("a", 3)
    assert line(advice) == ["c", "b", "a"]


@pytest.mark.parametrize("place", [0, -1, 3])
def test_a_place_that_is_not_there(advice: Town, place: int) -> None:
    """The error says which places there are."""
    advice.queue("a", "b")
    with pytest.raises(QueueError, match=f"places 1 to 2, not {place}"):
        advice.move("a", place)


# Random work on two queues, against lists in memory.

SLUGS = "abcde"
PLACES = ("advice", "letters")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from(SLUGS), st.sets(st.sampled_from(PLACES), min_size=1)),
        st.tuples(st.just("add next"), st.sampled_from(SLUGS), st.sampled_from(PLACES)),
        st.tuples(
            st.sampled_from([f"add before {slug}" for slug in SLUGS]),
            st.sampled_from(SLUGS),
            st.sampled_from(PLACES),
        ),
        st.tuples(
            st.sampled_from(["hold", "release", "drop"]), st.sampled_from(SLUGS), st.sampled_from(PLACES)
        ),
        st.tuples(st.just("move"), st.sampled_from(SLUGS), st.integers(1, 5)),
        st.tuples(st.just("issue"), st.sampled_from(PLACES), st.none()),
    ),
    max_size=20,
)
CHANGES = {"hold": ((QUEUED,), HELD), "release": ((HELD,), QUEUED), "drop": ((QUEUED, HELD), DROPPED)}


@dataclass
class Model:
    """A queue as a list: what waits, in order, and what is gone."""

    waiting: list[str] = field(default_factory=list)
    state: dict[str, EntryState] = field(default_factory=dict)

    def add(self, slug: str, place: int | None = None) -> None:
        if self.state.get(slug, DROPPED) is DROPPED:
            self.state[slug] = QUEUED
            self.waiting.insert(len(self.waiting) if place is None else place, slug)

    def can_add_before(self, slug: str, other: str) -> bool:
        return self.state.get(slug, DROPPED) is not DROPPED or other in self.waiting

    def change(self, slug: str, now_in: tuple[EntryState, ...], to: EntryState) -> bool:
        if self.state.get(slug) not in now_in:
            return False
        self.state[slug] = to
        if to not in WAITING:
            self.waiting.remove(slug)
        return True

    def move(self, slug: str, place: int) -> bool:
        if slug not in self.waiting or place > len(self.waiting):
            return False
        self.waiting.remove(slug)
        self.waiting.insert(place - 1, slug)
        return True

    def head(self) -> str | None:
        return next((slug for slug in self.waiting if self.state[slug] is QUEUED), None)


def apply(session: Session, places: dict[str, Category], models: dict[str, Model], step: tuple) -> None:  # type: ignore[type-arg]
    """One piece of work on both; whether it can be done must be agreed on."""
    verb, what, where = step
    if verb == "add":
        file = source(what, *where)
        add_posts(session, [file], list(places.values()), only=None, site=Path("none"), editor=EDITOR)
        for name in where:
            models[name].add(what)
    elif verb.startswith("add"):
        model, other = models[where], verb.removeprefix("add before ")
        ahead_of = Ahead(None if verb == "add next" else other)
        done = verb == "add next" or model.can_add_before(what, other)
        if not done:  # an attempt in vain leaves nothing behind: the transaction is the caller's to undo
            return
        add_posts(
            session,
            [source(what, where)],
            list(places.values()),
            only=places[where],
            site=Path("none"),
            editor=EDITOR,
            ahead_of=ahead_of,
        )
        model.add(what, 0 if verb == "add next" or other not in model.waiting else model.waiting.index(other))
    elif verb == "issue":
        head = entries(session, places[what], [QUEUED])[:1]
        assert [post.slug for _, post in head] == [slug for slug in [models[what].head()] if slug]
        for entry, post in head:
            entry.state = ISSUED
            session.flush()
            models[what].change(post.slug, (QUEUED,), ISSUED)
    elif verb == "move":
        done = models["advice"].move(what, where)
        expect(done, lambda: move(session, what, places["advice"], where, editor=EDITOR))
    else:
        now_in, to = CHANGES[verb]
        done = models[where].change(what, now_in, to)
        expect(done, lambda: change_state(session, what, places[where], now_in=now_in, to=to, editor=EDITOR))


def expect(done: bool, work: object) -> None:
    assert callable(work)
    if done:
        work()
        return
    with pytest.raises((QueueError, NotFoundError)):
        work()


@tried(60, quickly=20)
@given(steps=operations)
def test_any_work_keeps_order_and_membership(database: Database, steps: list[tuple]) -> None:  # type: ignore[type-arg]
    """Whatever is added, held, released, dropped, moved and issued, each queue is what a list would be.

    A post is in a queue at most once, keeps its place when held, and no work changes another's order.
    """
    with database.read() as session:
        places = {
            name: add_category(
                session,
                name,
                title=name,
                cadence="daily 08:00",
                timezone="UTC",
                mode=Mode.BROADCAST,
                now=MONDAY,
            )
            for name in PLACES
        }
        models = {name: Model() for name in PLACES}
        for step in steps:
            apply(session, places, models, step)
            session.flush()
            for name, model in models.items():
                found = entries(session, places[name], EntryState)
                assert {post.slug: entry.state for entry, post in found} == model.state
                assert len(found) == len(model.state)
                waiting = [(post.slug, entry.state) for entry, post in found if entry.state in WAITING]
                assert waiting == [(slug, model.state[slug]) for slug in model.waiting]
