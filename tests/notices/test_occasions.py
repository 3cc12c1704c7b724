"""What there is to tell the editor, and when it is told again. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.notices.occasions import (
    Distrust,
    Dry,
    Failure,
    Halt,
    Occasion,
    Queue,
    Standing,
    Told,
    changes,
    occasions,
)
from newsletter.states import Mode, NoticeKind

SLOT = datetime(2026, 12, 3, 8)  # noqa: DTZ001  # slots are wall-clock times
LATER = SLOT + timedelta(weeks=1)
QUEUE = Queue(
    slug="advice",
    title="Advice",
    mode=Mode.BROADCAST,
    waiting=2,
    newest=7,
    has_readers=True,
    last_filled=SLOT,
    first_bare=LATER,
    dry=None,
)
DRY = replace(QUEUE, waiting=0, last_filled=None, first_bare=LATER, dry=Dry(12, SLOT))
FAILURE = Failure(
    "advice",
    "Advice",
    SLOT,
    ZoneInfo("Europe/Berlin"),
    "posts/a.md:3: no text",
    datetime(2026, 12, 5, 7, tzinfo=UTC),
    post="a",
)
HALT = Halt(12, "advice", "Advice", "First steps", "of the first 10 letters 2 bounced: more than 5 %")

DISTRUST = Distrust(12, ("example.net", "example.com"), 7, "550 5.7.1 We do not trust you")


def of(*queues: Queue, low: int = 3) -> list[Occasion]:
    return occasions(Standing(queues=queues), low)


class Book:
    """A book of notices without a table."""

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}

    def look(self, now: Sequence[Occasion]) -> list[str]:
        """What is told at this look, by topic."""
        news, over = changes(self.told, now)
        for topic in over:
            self.told[topic] = self.told[topic]._replace(is_open=False)
        for one, number in news:
            assert one.topic not in self.told or number == self.told[one.topic].number + 1
            self.told[one.topic] = Told(number, is_open=True)
        return [one.topic for one, _ in news]


# What is told.


def test_a_queue_with_few_posts_says_after_which_slot_it_runs_dry() -> None:
    """With how many posts are left, when the last goes, which slot stays empty, and what to do."""
    (low,) = of(QUEUE)
    assert (low.kind, low.category, low.subject) == (
        NoticeKind.LOW,
        "advice",
        "Advice runs dry after 3 December",
    )
    assert low.text == (
        "Advice has 2 posts left; the last goes out on Thursday, 3 December 2026, 08:00. The slot after "
        "that, on Thursday, 10 December 2026, 08:00, stays empty unless you queue more:\n\n"
        "    paperround queue add FILE... --category advice"
    )
    (dry,) = of(replace(QUEUE, waiting=0, last_filled=None))
    assert dry.subject == "Advice has run dry"
    assert "Its next slot, on Thursday, 10 December 2026, 08:00, stays empty" in dry.text
    assert "has 1 post left; it goes out on" in of(replace(QUEUE, waiting=1))[0].text


@pytest.mark.parametrize(
    "queue",
    [
        replace(QUEUE, waiting=3),
        replace(QUEUE, waiting=100),
        replace(QUEUE, mode=Mode.SEQUENCE),
        replace(QUEUE, first_bare=None),
        replace(QUEUE, waiting=0, newest=None, last_filled=None),
    ],
    ids=["filled", "full", "never used up", "ends before it runs dry", "has not begun"],
)
def test_a_queue_that_lasts_is_nothing_to_tell(queue: Queue) -> None:
    """Nor is one whose category ends before, that nothing is taken from, or that nobody has begun to fill."""
    assert of(queue) == []


@given(st.integers(0, 200), st.integers(0, 100))
def test_a_queue_is_low_below_the_number_that_was_set(waiting: int, low: int) -> None:
    """Fewer posts than that, and 0 is never."""
    assert bool(of(replace(QUEUE, waiting=waiting), low=low)) is (waiting < low)


def test_an_empty_slot_is_told_where_somebody_may_miss_it() -> None:
    """A category without readers has disappointed nobody."""
    kinds = [one.kind for one in of(DRY)]
    assert kinds == [NoticeKind.EMPTY, NoticeKind.LOW]
    assert of(DRY)[0].subject == "Advice had nothing to send on 3 December"
    assert [one.kind for one in of(replace(DRY, has_readers=False))] == [NoticeKind.LOW]


def test_a_sequence_says_that_its_readers_have_had_all() -> None:
    """It is not used up: whoever joins begins at the first."""
    (end,) = of(replace(DRY, mode=Mode.SEQUENCE, waiting=5))
    assert end.subject == "Advice: its readers have had every post"
    assert "Whoever joins still begins at the first." in end.text


def test_a_failed_slot_says_what_is_wrong_until_when_it_waits_and_what_else_can_be_done() -> None:
    """The error's first line as it is, the instant in the category's own zone, and the post to hold."""
    (failed,) = occasions(Standing(failures=[replace(FAILURE, error="posts/a.md:3: no text\nmore")]), 0)
    assert failed.subject == "Advice could not go out on 3 December"
    assert "\n\n    posts/a.md:3: no text\n\n" in failed.text
    assert "If it is still so on Saturday, 5 December 2026, 08:00, or when the next slot comes" in failed.text
    assert failed.text.endswith("    paperround queue hold a")


def test_a_halted_issue_says_why_and_what_to_do() -> None:
    """With its number, its subject, and both ways out."""
    (halted,) = occasions(Standing(halts=[HALT]), 0)
    assert (halted.subject, halted.issue_id) == ("Issue 12 of Advice is halted: First steps", 12)
    assert "2 bounced: more than 5 %." in halted.text
    assert "    paperround issue resume 12\n    paperround issue cancel 12" in halted.text


def test_the_most_urgent_comes_first() -> None:
    """What keeps letters from readers now, before what will; categories in their order."""
    other = replace(DRY, slug="other")
    found = occasions(Standing([DRY, other], [FAILURE], [HALT]), 3)
    assert [one.topic.partition(":")[0] for one in found] == [
        "failed",
        "halted",
        "empty",
        "empty",
        "low",
        "low",
    ]
    assert [one.category for one in found[2:]] == ["advice", "other", "advice", "other"]


HOSTILE = st.text(max_size=300) | st.text(
    st.sampled_from("a \0\r\n\t\x1b\x85\u2028\u2029\u202e\u2066\u200fא🙂"), max_size=300
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_words_of_others_get_out_of_their_place(title: str, heading: str, error: str) -> None:
    """Whatever a title, a subject or an error is: no line break, nothing that turns the text, not long."""
    dry = replace(DRY, title=title)
    standing = Standing(
        [replace(QUEUE, title=title), dry, replace(dry, mode=Mode.SEQUENCE)],
        [replace(FAILURE, title=title, error=error)],
        [replace(HALT, title=title, heading=heading, reason=error)],
        distrust=Distrust(4, (title, heading), 7, error),
    )
    queues = [QUEUE, DRY, replace(DRY, mode=Mode.SEQUENCE)]
    plain = occasions(Standing(queues, [FAILURE], [HALT], distrust=DISTRUST), 3)
    for one, other in zip(occasions(standing, 3), plain, strict=True):
        assert len(one.subject) <= 250
        assert not set(one.subject + one.text) & set("\0\r\t\x1b\x85\u2028\u2029\u202e\u2066\u200f")
        assert "\n" not in one.subject
        assert one.text.count("\n") == other.text.count("\n")


def test_distrust_says_by_whom_and_in_which_words() -> None:
    """How many letters, whose mail systems, what was said of the latest, and where to look."""
    (told,) = occasions(Standing(distrust=DISTRUST), 3)
    assert told.kind is NoticeKind.DISTRUSTED
    assert told.subject == "12 letters were refused for policy, by example.net and others"
    for words in ("example.net, example.com", "550 5.7.1 We do not trust you", "delivery show 7", "doctor"):
        assert words in told.text
    (silent,) = occasions(Standing(distrust=replace(DISTRUST, domains=("a.example",), words="")), 3)
    assert silent.subject.endswith("by a.example")
    assert "no reason given" in silent.text


# When it is told again.


def crossings(counts: Sequence[int], low: int) -> Iterator[bool]:
    """At which of these looks a queue has come below `low`."""
    was_low = False
    for waiting in counts:
        yield waiting < low and not was_low
        was_low = waiting < low


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 5))
def test_a_low_queue_is_told_once_a_crossing(counts: list[int], low: int) -> None:
    """Again only once it was at or above the number in between, however it goes up and down below that."""
    book = Book()
    told = [bool(book.look(of(replace(QUEUE, waiting=waiting), low=low))) for waiting in counts]
    assert told == list(crossings(counts, low))


@given(st.lists(st.sampled_from(["went", "empty", "skipped"]), max_size=40))
def test_empty_slots_are_told_once_until_something_has_gone(slots: list[str]) -> None:
    """An editor who leaves a category dry on purpose is not told every week."""
    book, dry, told = Book(), None, []
    for number, state in enumerate(slots):
        if state == "went":
            dry = None
        elif state == "empty":
            dry = dry or Dry(number, SLOT)
        told.append(bool(book.look(of(replace(DRY, dry=dry), low=0))))
    before = ["went", *(state for state in slots if state != "skipped")]
    runs = sum(1 for last, this in pairwise(before) if (last, this) == ("went", "empty"))
    assert sum(told) == runs


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=40))
def test_the_end_of_a_sequence_is_told_once_for_all_its_posts(looks: list[tuple[bool, int]]) -> None:
    """A newcomer who gets letters in between changes nothing; a post that is added does."""
    book = Book()
    told = []
    for is_dry, newest in looks:
        queue = replace(DRY, mode=Mode.SEQUENCE, newest=newest, dry=DRY.dry if is_dry else None)
        told += book.look(of(queue))
    assert sorted(told) == sorted({f"empty:advice:post {newest}" for is_dry, newest in looks if is_dry})


@given(st.lists(st.sampled_from([None, "a.md:1: x", "a.md:1: y", "a.md:2: x", "at 0x7f3a", "at 0x9b1"])))
def test_a_failed_slot_is_told_once_for_each_place_that_is_wrong(errors: list[str | None]) -> None:
    """However often it fails and whatever changes in an error's words; another place is news."""
    book, told = Book(), []
    for error in errors:
        failures = [replace(FAILURE, error=error)] if error else []
        told += book.look(occasions(Standing(failures=failures), 3))
    assert len(told) == len({error.replace("0x7f3a", "0x9b1")[:6] for error in errors if error})


@given(st.lists(st.booleans()))
def test_distrust_is_told_each_time(days: list[bool]) -> None:
    """However many letters are refused meanwhile: again only after it was over."""
    book = Book()
    told = [
        bool(book.look(occasions(Standing(distrust=replace(DISTRUST, number=3 + n) if one else None), 3)))
        for n, one in enumerate(days)
    ]
    assert told == [one and not before for before, one in zip([False, *days], days, strict=False)]


@given(st.lists(st.booleans()))
def test_a_halt_is_told_each_time(halts: list[bool]) -> None:
    """An issue that is resumed and halted again is told again; while it stands it is not."""
    book = Book()
    told = [bool(book.look(occasions(Standing(halts=[HALT] if one else []), 3))) for one in halts]
    assert told == [one and not before for before, one in zip([False, *halts], halts, strict=False)]
