"""What may go at a slot, and in which order; on entries that no database has seen."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.readiness import ready, terms
from newsletter.models import Post, QueueEntry
from newsletter.states import WAITING, EntryState

DAYS = [date(2026, 2, 26) + timedelta(days=number) for number in range(5)]
"""Across the end of a month."""
SLOTS = [f"{day}T{hour}" for day in DAYS for hour in ("00:00", "23:59")]
days = st.none() | st.sampled_from(DAYS)
slots = st.sampled_from(SLOTS)

Pair = tuple[QueueEntry, Post]


def pair(number: int = 0, **values: object) -> Pair:
    given = {"state": EntryState.QUEUED, **values}
    entry = QueueEntry(
        id=number,
        category_id=1,
        post_id=number,
        position=number,
        added_at=datetime(2026, 1, 1, tzinfo=UTC),
        **given,
    )
    post = Post(
        id=number,
        slug=f"p{number}",
        path="",
        title="",
        source=b"",
        content_hash="",
        read_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return entry, post


@st.composite
def queues(draw: st.DrawFn) -> list[Pair]:
    """Entries in any state, with any dates and pins."""
    terms = st.tuples(st.sampled_from(list(EntryState)), days, days, st.none() | slots)
    return [
        pair(number, state=state, not_before=first, not_after=last, pinned_to=slot)
        for number, (state, first, last, slot) in enumerate(draw(st.lists(terms, max_size=12)))
    ]


def numbers(pairs: list[Pair]) -> list[int]:
    return [entry.id for entry, _ in pairs]


@given(queues(), slots)
def test_what_is_pinned_to_the_slot_goes_first_and_the_others_keep_their_order(
    queue: list[Pair], slot: str
) -> None:
    """What goes is part of the queue: those of this very slot, then the others, each in the queue's order."""
    able = ready(queue, slot)
    pinned = [one for one in able if one[0].pinned_to == slot]
    others = [one for one in able if one[0].pinned_to != slot]
    assert numbers(able) == numbers(pinned) + numbers(others)
    for part in (pinned, others):
        assert numbers(part) == sorted(numbers(part))
    assert len(set(numbers(able))) == len(able)
    assert set(numbers(able)) <= set(numbers(queue))


@given(queues(), slots)
def test_each_post_is_judged_by_its_own_terms(queue: list[Pair], slot: str) -> None:
    """Whether a post may go depends on nobody else's terms, and what is left out has a reason."""
    able = numbers(ready(queue, slot))
    day = slot[:10]
    for one in queue:
        entry = one[0]
        reasons = [
            entry.state != EntryState.QUEUED,
            entry.not_before is not None and day < str(entry.not_before),
            entry.not_after is not None and day > str(entry.not_after),
            entry.pinned_to is not None and slot < entry.pinned_to,
        ]
        assert (entry.id in able) == (not any(reasons))
        assert (ready([one], slot) == [one]) == (entry.id in able)


@given(days, days, st.none() | slots)
def test_a_post_has_one_span_of_time(first: date | None, last: date | None, slot: str | None) -> None:
    """Over the slots to come a post is not ready, then ready, then never again: it does not come and go."""
    one = pair(not_before=first, not_after=last, pinned_to=slot)
    able = [bool(ready([one], key)) for key in SLOTS]
    changes = sum(before != after for before, after in pairwise(able))
    assert changes <= 2
    assert changes < 2 or not able[0]


@given(queues(), slots)
def test_a_pin_that_has_passed_is_none(queue: list[Pair], slot: str) -> None:
    """A post whose slot went by without it goes as if it had never been pinned."""
    late = [one for one in queue if one[0].pinned_to is None or one[0].pinned_to < slot]
    freed = [
        pair(entry.id, state=entry.state, not_before=entry.not_before, not_after=entry.not_after)
        for entry, _ in late
    ]
    assert numbers(ready(late, slot)) == numbers(ready(freed, slot))


def test_both_days_are_within() -> None:
    """A post may go on the day from which on it may, and on the day it expires; not a minute outside."""
    one = pair(not_before=date(2026, 2, 26), not_after=date(2026, 2, 27))
    answers = {
        "2026-02-25T23:59": False,
        "2026-02-26T00:00": True,
        "2026-02-27T23:59": True,
        "2026-02-28T00:00": False,
    }
    assert {key: bool(ready([one], key)) for key in answers} == answers


@given(queues(), slots)
def test_terms_say_what_still_matters(queue: list[Pair], slot: str) -> None:
    """A post without words may go; one that has expired says so and nothing else; no other word is idle."""
    for entry, post in queue:
        if entry.state not in WAITING:
            continue
        waits = pair(entry.id, not_before=entry.not_before, not_after=entry.not_after)[0]
        waits.pinned_to = entry.pinned_to
        said = terms(entry, slot)
        is_able = bool(ready([(waits, post)], slot))
        assert is_able or said
        assert ("from" in said) <= (not is_able)
        assert (said == "expired") == (entry.not_after is not None and str(entry.not_after) < slot[:10])
        assert said == "expired" or all(words in terms(entry) for words in said.split(", "))


def test_all_terms_in_words() -> None:
    """Without a time everything that was said is told, also what is over; with one, what is still to come."""
    both = pair(not_before=date(2026, 3, 1), not_after=date(2026, 3, 31), pinned_to="2026-03-03T08:00")[0]
    assert terms(pair()[0]) == ""
    assert terms(both) == "from 2026-03-01, until 2026-03-31, at 2026-03-03T08:00"
    assert terms(both, "2026-03-03T08:00") == "until 2026-03-31, at 2026-03-03T08:00"
    assert terms(both, "2026-03-03T08:01") == "until 2026-03-31"
    assert terms(both, "2026-04-01T00:00") == "expired"
