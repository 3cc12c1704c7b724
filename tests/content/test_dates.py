"""When a queued post may go: what its file says, what its editor says, and what is refused."""

from datetime import date

import pytest
from sqlmodel import SQLModel, select

from newsletter.content.dates import Dates, date_entry, local_time
from newsletter.content.queue import places_of
from newsletter.content.readiness import terms
from newsletter.errors import NotFoundError, QueueError
from newsletter.models import Category
from newsletter.states import EntryState
from tests.planning import MONDAY, TUESDAY, Town, database, shared_database, source, town

__all__ = ["database", "shared_database", "town"]

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
SLOT = "2026-03-03T08:00"
QUEUE = SQLModel.metadata.tables["queue_entry"]
SAID = f"not_before: {FIRST}\nexpires: {LAST}\n"


@pytest.fixture
def advice(town: Town) -> Town:
    """A town with the categories `advice` and `letters`."""
    town.category("advice")
    town.category("letters")
    return town


def said(town: Town, slug: str) -> dict[str, str]:
    """A post's terms in each category."""
    with town.database.read() as session:
        return {place.slug: terms(entry) for entry, place in places_of(session, slug)}


def test_a_file_says_when_it_may_go(advice: Town) -> None:
    """Its dates hold in every category that it enters, and the report repeats them."""
    (added,) = advice.add(source("x", "advice", "letters", extra=SAID))
    assert added.terms == "from 2026-03-01, until 2026-03-31"
    assert said(advice, "x") == dict.fromkeys(["advice", "letters"], added.terms)


def test_the_command_wins_over_the_file(advice: Town) -> None:
    """What the command names is taken, also where it is that there is no such day; the rest is the file's."""
    advice.add(source("x", "advice", extra=SAID), dates={"not_before": date(2026, 3, 9)})
    advice.add(source("y", "advice", extra=SAID), dates={"not_after": None})
    assert said(advice, "x") == {"advice": "from 2026-03-09, until 2026-03-31"}
    assert said(advice, "y") == {"advice": "from 2026-03-01"}


def test_adding_again_leaves_what_was_said_since(advice: Town) -> None:
    """A file that says what it said before does not overrule its editor, whatever else of it has changed."""
    advice.add(source("x", "advice", extra=SAID))
    advice.edit("x", {"not_before": None})
    for words in ("Some words.", "Other words."):
        (added,) = advice.add(source("x", "advice", extra=SAID, words=words))
        assert added.dated == []
        assert said(advice, "x") == {"advice": "until 2026-03-31"}


def test_a_file_that_says_another_day_is_followed(advice: Town) -> None:
    """Wherever it waits, and where its text has not changed; what it says as before stays as it was made."""
    advice.add(source("x", "advice", "letters", extra=SAID))
    advice.edit("x", {"not_before": None}, "letters")
    (added,) = advice.add(source("x", "advice", extra=SAID.replace("03-31", "04-30")), only="advice")
    assert (added.is_updated, added.dated) == (False, ["advice", "letters"])
    assert said(advice, "x") == {"advice": "from 2026-03-01, until 2026-04-30", "letters": "until 2026-04-30"}
    (added,) = advice.add(source("x", "advice"))
    assert said(advice, "x") == {"advice": "", "letters": ""}


def test_adding_again_with_dates_is_saying_them(advice: Town) -> None:
    """A post that waits already gets what the command names, once."""
    advice.queue("x")
    for dated in (["advice"], []):
        (added,) = advice.add(source("x", "advice"), dates={"pinned_to": SLOT})
        assert (added.queued, added.dated) == ([], dated)
    assert said(advice, "x") == {"advice": f"at {SLOT}"}


def test_a_post_that_comes_back_has_the_terms_it_comes_with(advice: Town) -> None:
    """What was said of it before it was dropped is forgotten."""
    advice.add(source("x", "advice"), dates={"not_before": FIRST, "pinned_to": SLOT})
    advice.change("x", EntryState.DROPPED)
    advice.add(source("x", "advice"), dates={"not_after": LAST})
    assert said(advice, "x") == {"advice": "until 2026-03-31"}


def test_what_has_gone_out_keeps_its_terms(advice: Town) -> None:
    """Adding with other dates changes nothing of a post that went, and editing says that it does not wait."""
    advice.queue("x")
    advice.plan(TUESDAY)
    (added,) = advice.add(source("x", "advice", extra=SAID), dates={"not_after": LAST})
    assert (added.dated, said(advice, "x")) == ([], {"advice": ""})
    for category, where in (("advice", "in advice"), (None, "in any queue")):
        with pytest.raises(QueueError, match=rf"'x' does not wait {where}: `paperround queue show x`"):
            advice.edit("x", {"not_after": LAST}, category)
    with pytest.raises(NotFoundError, match="no post 'y'"):
        advice.edit("y", {"not_after": LAST})


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ({"not_before": LAST, "not_after": FIRST}, "to wait until 2026-03-31, and expires on 2026-03-01"),
        (
            {"not_before": date(2026, 3, 4), "pinned_to": SLOT},
            "at 2026-03-03T08:00: .* wait until 2026-03-04",
        ),
        ({"not_after": date(2026, 3, 2), "pinned_to": SLOT}, "at 2026-03-03T08:00: it expires on 2026-03-02"),
    ],
)
def test_what_can_never_be_is_refused(advice: Town, dates: Dates, problem: str) -> None:
    """Whether it is said at once or bit by bit, when adding or later; and what stood before stays."""
    with pytest.raises(QueueError, match=rf"(?s)'x' cannot go.*{problem}.*nothing was queued"):
        advice.add(source("x", "advice"), dates=dates)
    advice.queue("x")
    *earlier, (name, value) = dates.items()
    advice.edit("x", dict(earlier))  # type: ignore[arg-type]  # some of a TypedDict's items
    before = said(advice, "x")
    with pytest.raises(QueueError, match=problem):
        advice.edit("x", {name: value})  # type: ignore[misc]  # one of a TypedDict's items
    assert said(advice, "x") == before


def test_a_day_of_its_slot_is_no_contradiction(advice: Town) -> None:
    """A post may go at a slot of the first day on which it may, and of the last."""
    advice.add(
        source("x", "advice"),
        dates={"not_before": date(2026, 3, 3), "not_after": date(2026, 3, 3), "pinned_to": SLOT},
    )
    assert said(advice, "x")["advice"].endswith(f"at {SLOT}")


def test_a_slot_is_one_post_s(advice: Town) -> None:
    """Who has it is named; another category's slot is another one, and a post that left has none."""
    advice.add(source("x", "advice"), dates={"pinned_to": SLOT})
    with pytest.raises(QueueError, match=rf"{SLOT} of advice is kept for 'x': .* --slot never` first"):
        advice.add(source("y", "advice"), dates={"pinned_to": SLOT})
    advice.add(source("y", "letters"), dates={"pinned_to": SLOT})
    advice.queue("z")
    advice.change("x", EntryState.HELD)
    with pytest.raises(QueueError, match="is kept for 'x'"):
        advice.edit("z", {"pinned_to": SLOT})
    advice.change("x", EntryState.DROPPED)
    assert advice.edit("z", {"pinned_to": SLOT}) == {"advice": f"at {SLOT}"}


def test_a_slot_that_has_passed_stands_in_no_way(advice: Town) -> None:
    """A pin of the past contradicts nothing that is said later."""
    advice.add(source("x", "advice"), dates={"pinned_to": "2026-01-06T08:00"})
    advice.now = TUESDAY.replace(minute=1)
    assert advice.edit("x", {"not_before": FIRST}) == {"advice": "from 2026-03-01, at 2026-01-06T08:00"}


def test_a_post_that_goes_at_this_moment(advice: Town) -> None:
    """Where the planner has taken it meanwhile, what is said of it is refused and not kept."""
    advice.queue("x")

    with advice.database.write() as session:
        entry, place = places_of(session, "x")[0]
        session.connection().execute(QUEUE.update().values(state=EntryState.ISSUED))
        with pytest.raises(QueueError, match="'x' has just left the queue of advice"):
            date_entry(session, entry, place, "x", {"not_after": LAST}, advice.editor)
    assert said(advice, "x") == {"advice": ""}


def test_wall_clocks_are_the_category_s(advice: Town) -> None:
    """The time that slots are compared with is that of the category's zone."""
    advice.category("far", timezone="Pacific/Kiritimati")
    with advice.database.read() as session:
        found = {place.slug: local_time(place, MONDAY) for place in session.exec(select(Category))}
    assert found == {"advice": "2026-01-05T00:00", "letters": "2026-01-05T00:00", "far": "2026-01-05T14:00"}
