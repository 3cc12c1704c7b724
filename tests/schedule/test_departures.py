"""When posts go: the rule for wishes, without a database."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest

from newsletter.schedule.wishes import Coming, Departure, Reader, Waiting, Wish, departure, wish_of
from subscribers.models import Frequency

MONDAY = date(2026, 1, 5)
DAYS = [
    Departure(f"2026-01-{day}T08:00", datetime(2026, 1, day, 8, tzinfo=UTC))
    for day in range(12, 26)
    if day != 13
]
"""The days after the week; the 13th is skipped."""
STANDING = frozenset((slug, None) for slug in ("low", "mid", "high", "top"))
PRIORITY = {"top": 1, "high": 2, "mid": 3, "low": 4}


def slot(category: str, day: int, hour: int = 8) -> Coming:
    """A slot of January 2026, in UTC."""
    at = datetime(2026, 1, day, hour, tzinfo=UTC)
    return Coming(at, category, f"{at:%Y-%m-%dT%H:%M}", PRIORITY[category])


def goes(
    wish: Wish, now: Coming, *later: Coming, letters: Sequence[int] = (), waiting: Waiting | None = None
) -> str:
    """The slot at which posts of a slot go, "" for at once and alone; `letters` by days of January."""
    had = tuple(date(2026, 1, day) for day in letters)
    reader = Reader(wish, STANDING, had, waiting)
    when = departure(reader, now, sorted(later), DAYS)
    return when.slot if when else ""


ONE, TWO = Wish(cap=1), Wish(cap=2)


def test_a_place_is_kept_for_a_more_important_category() -> None:
    """And what waits goes with the first letter for which there is a place, not with one that is moved."""
    assert goes(ONE, slot("low", 6), slot("high", 7)) == "2026-01-07T08:00"
    assert goes(ONE, slot("low", 6), slot("high", 7), slot("top", 8)) == "2026-01-08T08:00"
    assert goes(TWO, slot("low", 6), slot("high", 7), slot("top", 8)) == "2026-01-07T08:00"
    assert goes(TWO, slot("low", 6), slot("high", 7)) == ""
    assert goes(ONE, slot("high", 6), slot("low", 7)) == ""
    assert goes(ONE, slot("high", 6), slot("high", 7)) == ""


def test_a_full_week_sends_on_to_the_next() -> None:
    """To its first moment, or where its places are kept to the first slot that has one."""
    assert goes(ONE, slot("low", 8), letters=[5]) == "2026-01-12T08:00"
    assert goes(ONE, slot("low", 8), slot("high", 14), letters=[5]) == "2026-01-14T08:00"
    assert goes(ONE, slot("low", 8), slot("high", 14), slot("top", 15), letters=[5]) == "2026-01-15T08:00"
    assert goes(TWO, slot("low", 8), slot("high", 14), letters=[5, 6]) == "2026-01-12T08:00"
    assert goes(ONE, slot("low", 8), slot("high", 20), letters=[5]) == "2026-01-12T08:00"


def test_a_day_that_has_a_letter_is_not_free() -> None:
    """Where the next week has begun elsewhere: another day of it, or the week after where it is full."""
    assert goes(TWO, slot("low", 11), letters=[5, 6, 12]) == "2026-01-14T08:00"
    assert goes(ONE, slot("low", 11), letters=[5, 12]) == "2026-01-19T08:00"
    assert goes(ONE, slot("low", 11), slot("high", 20), letters=[5, 12]) == "2026-01-20T08:00"
    assert goes(ONE, slot("low", 11), letters=[5, 12, 19]) == "2026-01-25T08:00"


def test_what_joins_a_letter_needs_no_place() -> None:
    """What goes now, or today, takes along what this slot gives."""
    ready, later = Waiting(MONDAY, is_ready=True), Waiting(date(2026, 1, 6), is_ready=False)
    assert goes(ONE, slot("low", 6), slot("high", 7), waiting=ready) == "2026-01-06T08:00"
    assert goes(ONE, slot("low", 6), slot("high", 7), waiting=later) == "2026-01-07T08:00"
    daily = Wish(Frequency.DAILY, 1)
    assert goes(daily, slot("low", 6), slot("high", 7), waiting=later) == "2026-01-06T08:00"
    assert goes(daily, slot("low", 6), slot("high", 6, 18), letters=[5], waiting=later) == "2026-01-06T18:00"


def test_what_waits_is_taken_along() -> None:
    """A letter for which there is a place has all that waits, whatever time it was kept for."""
    assert goes(ONE, slot("low", 6), waiting=Waiting(date(2026, 1, 12), is_ready=False)) == "2026-01-06T08:00"
    assert (
        goes(Wish(), slot("low", 6), waiting=Waiting(date(2026, 1, 27), is_ready=False)) == "2026-01-06T08:00"
    )


def test_a_category_that_a_reader_does_not_have_is_nothing_to_them() -> None:
    """Neither to wait for, nor to keep a place for; one that is paused until then is."""
    reader = Reader(Wish(Frequency.DAILY), frozenset({("low", None), ("high", date(2026, 1, 7))}))
    now = slot("low", 6)
    assert departure(reader, now, [slot("high", 6, 18)], DAYS) is None
    assert departure(reader, now, [slot("mid", 6, 18)], DAYS) is None
    wednesday = departure(reader, slot("low", 7), [slot("high", 7, 18)], DAYS)
    assert wednesday is not None
    assert wednesday.slot == "2026-01-07T18:00"


@pytest.mark.parametrize(
    ("frequency", "day", "same"), [("daily", 6, True), ("daily", 7, False), ("weekly", 11, True),
                                   ("weekly", 12, False), ("monthly", 31, True), ("issue", 6, False)]
)  # fmt: skip
def test_a_period_has_one_letter(frequency: str, day: int, same: bool) -> None:
    """Posts wait for another slot of their day, their week from Monday to Sunday, their month."""
    then = slot("high", day, 18)
    assert goes(wish_of(frequency, None, Wish()), slot("low", 6), then) == (then.key if same else "")


def test_a_wish_is_the_readers_before_it_is_the_sites() -> None:
    """No cap is a wish too; a digest of a week has none."""
    site = Wish(Frequency.DAILY, 2)
    assert wish_of(None, None, site) == site
    assert wish_of("issue", 0, site) == Wish(Frequency.ISSUE, None)
    assert wish_of("issue", None, site) == Wish(Frequency.ISSUE, 2)
    assert wish_of("weekly", 1, site) == Wish(Frequency.WEEKLY, None)
