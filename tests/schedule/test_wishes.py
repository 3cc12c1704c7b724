"""Whatever readers wish: nothing is lost, nothing comes twice, and the plan says what comes when."""

from collections.abc import Mapping
from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st
from sqlmodel import col, select

from newsletter.database import Database
from newsletter.delivery.audit import audit
from newsletter.models import DigestPost
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.wishes import EVERY_ISSUE, Wish, is_in_period, week_of, wish_of
from newsletter.states import DIGEST, Mode
from subscribers.models import Frequency
from tests.planning import MONDAY, WEEK, Town, database, empty, shared_database, summary
from tests.properties import tried
from tests.schedule.test_foretelling import CADENCES, CHANGES, SECOND, Change, Site, Stream, apply, sites

__all__ = ["database", "shared_database"]

END = MONDAY + 5 * WEEK

frequencies = st.sampled_from([None, *Frequency])
caps = st.sampled_from([None, None, 0, 1, 2])
wishes = st.lists(st.tuples(frequencies, caps), min_size=4, max_size=4)
usuals = st.sampled_from([EVERY_ISSUE, EVERY_ISSUE, Wish(Frequency.DAILY), Wish(Frequency.ISSUE, 1)])
priorities = st.lists(st.integers(1, 3), min_size=3, max_size=3)


def build(
    town: Town, site: Site, wished: list[tuple[Frequency | None, int | None]], first: list[int]
) -> None:
    """A site whose readers wish something, and whose categories are of different importance."""
    site.build(town)
    for number in range(len(site.categories)):
        town.change_category(f"c{number}", priority=first[number])
    for number, places in enumerate(site.readers):
        if any(place < len(site.categories) for place in places):
            town.wish(f"r{number}", *wished[number])


def done_of(planned: list[PlannedIssue | PlanFailure]) -> list[tuple[tuple[object, ...], int]]:
    return [(summary(one), one.in_digests) for one in planned if isinstance(one, PlannedIssue)]


def days_by_reader(town: Town) -> Mapping[str, list[date]]:
    """The local day of each letter that a reader has."""
    days: dict[str, set[tuple[date, str, str]]] = {}
    for row in town.letters():
        letter = (date.fromisoformat(row.slot[:10]), row.slot, row.category)
        days.setdefault(row.reader, set()).add(letter)
    return {reader: sorted(day for day, _, _ in letters) for reader, letters in days.items()}


OFTEN = Site(
    categories=(Stream(Mode.BROADCAST, CADENCES[4], most=1, start=0),),
    posts=(frozenset({0}),) * 6,
    readers=(frozenset({0}),) * 3,
    held=frozenset(),
    paused={},
)
"""Three letters a week, which is more than some wish."""


@tried(60, quickly=6)
@given(site=sites, wished=wishes, usual=usuals, first=priorities)
@example(
    site=OFTEN,
    wished=[(None, 1), (Frequency.WEEKLY, None), (None, None), (None, None)],
    usual=EVERY_ISSUE,
    first=[1, 1, 1],
)
def test_whatever_is_wished_comes_as_foretold(
    database: Database,
    site: Site,
    wished: list[tuple[Frequency | None, int | None]],
    usual: Wish,
    first: list[int],
) -> None:
    """Slots give what they gave without wishes; letters are as many as is wished; the plan says all of it."""
    empty(database)
    town = Town(database, usual=usual)
    build(town, site, wished, first)
    foretold = town.planner.upcoming(MONDAY, END)
    slots = [summary(one) for one in foretold if one.category != DIGEST]
    assert slots == site.expected(MONDAY, END)
    dues = sorted({one.due_at for one in foretold})
    done: list[PlannedIssue | PlanFailure] = []
    for due in dues:
        if due == dues[len(dues) // 2]:
            rest = town.planner.upcoming(due - SECOND, END)
            assert done_of([*done, *rest]) == done_of([*foretold])
        done += town.plan(due)
    assert done_of(done) == done_of([*foretold])
    for reader, days in days_by_reader(town).items():
        frequency, cap = wished[int(reader[1:])]
        wish = wish_of(frequency, cap, usual)
        for day in days:
            if wish.frequency != Frequency.ISSUE:
                assert sum(is_in_period(wish.frequency, day, other) for other in days) == 1
            if wish.cap is not None:
                assert sum(week_of(day) == week_of(other) for other in days) <= wish.cap
    with database.read() as session:
        late = select(DigestPost).where(col(DigestPost.letter_key).is_(None), col(DigestPost.ready_at) <= END)
        assert session.exec(late).all() == []


def change_wishes(town: Town, change: Change, names: list[str]) -> None:
    """What readers and editors may do besides: other wishes, another importance, another cadence."""
    what, one, other = change
    slug, reader = names[one % len(names)], f"r{other % 4}"
    with town.database.read() as session:
        is_there = any(reader in town.readers(session, name) for name in names)
    match what:
        case "wish" if is_there:
            town.wish(reader, [None, *Frequency][one % 5], [None, 0, 1, 2][other % 4])
        case "priority":
            town.change_category(slug, priority=1 + other % 3)
        case "cadence":
            town.change_category(slug, cadence=CADENCES[other % len(CADENCES)][0])
        case "usual":
            town.usual = [EVERY_ISSUE, Wish(Frequency.DAILY), Wish(Frequency.ISSUE, 1)][other % 3]
        case _:
            apply(town, change, names, town.now)


@tried(80, quickly=8)
@given(
    site=sites,
    wished=wishes,
    usual=usuals,
    changes=st.lists(
        st.tuples(
            st.sampled_from([*CHANGES, *["wish", "priority", "cadence", "usual"] * 2]),
            st.integers(0, 11),
            st.integers(0, 11),
        ),
        min_size=1,
        max_size=12,
    ),
)
def test_whatever_changes_digests_come_as_foretold(
    database: Database,
    site: Site,
    wished: list[tuple[Frequency | None, int | None]],
    usual: Wish,
    changes: list[Change],
) -> None:
    """Whoever changes their mind about what, the plan stays true, and nothing waits beyond its time."""
    empty(database)
    town = Town(database, usual=usual)
    build(town, site, wished, [2, 1, 3])
    names = [f"c{number}" for number in range(len(site.categories))]
    step = (END - MONDAY) / (len(changes) + 1)
    at = MONDAY
    for number, change in enumerate([None, *changes]):
        if change is not None:
            town.now = at
            change_wishes(town, change, names)
        until = MONDAY + (number + 1) * step
        foretold = town.planner.upcoming(at, until)
        done: list[PlannedIssue | PlanFailure] = []
        for due in sorted({max(one.due_at, at) for one in foretold}):
            done += town.plan(due)
            town.letters()  # which looks into the books, too
        assert done_of(done) == done_of([*foretold])
        with database.read() as session:
            waits = select(DigestPost).where(
                col(DigestPost.letter_key).is_(None), col(DigestPost.ready_at) <= until - SECOND
            )
            assert session.exec(waits).all() == []
            assert audit(session) == []
        at = until
