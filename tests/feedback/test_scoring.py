"""How verdicts are counted: once is enough where nobody is there; else by the reader's own letters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.feedback.scoring import (
    SOFT,
    STRIKES,
    Finding,
    History,
    PastLetter,
    PastProbe,
    Standing,
    Step,
    stand,
)
from newsletter.settings import BouncesSection
from newsletter.states import BounceClass

RULES = BouncesSection()
BEGIN = datetime(2026, 1, 6, 8, tzinfo=UTC)
DAY = timedelta(days=1)

SOFT_CLASSES = st.sampled_from(sorted(SOFT))
NEVER_COUNTED = st.sampled_from(sorted(set(BounceClass) - STRIKES))


def letter(at: datetime, *classes: BounceClass, after: timedelta = timedelta()) -> PastLetter:
    """A letter that came back for these reasons so long after, or one that went well."""
    numbers = count(int((at - BEGIN) / timedelta(minutes=1)) * 10 + 1)
    findings = tuple(Finding(next(numbers), at + after, one) for one in classes)
    return PastLetter(at, is_taken=not classes, findings=findings)


def letters(every: timedelta, fate: Sequence[BounceClass | None]) -> list[PastLetter]:
    """Letters at a cadence, each with why it came back, None if it did not."""
    return [letter(BEGIN + place * every, *(() if why is None else (why,))) for place, why in enumerate(fate)]


def standing(history: Sequence[PastLetter], *, later: timedelta = timedelta()) -> Standing:
    """As the last letter's verdict is judged."""
    return stand(History(history), RULES, max(one.at for one in history) + later)


@given(before=st.lists(SOFT_CLASSES | NEVER_COUNTED | st.none(), max_size=6))
def test_a_dead_address_is_suppressed_at_once(before: list[BounceClass | None]) -> None:
    """Whatever went before, one report that nobody is there is enough."""
    history = letters(timedelta(weeks=1), [*before, BounceClass.DEAD])
    found = standing(history)
    assert found == Standing(Step.SUPPRESS, (history[-1].findings[0].number,))


@given(st.lists(st.sampled_from(sorted(STRIKES)), min_size=1, max_size=6))
def test_what_went_to_an_address_of_before_counts_for_nothing(before: list[BounceClass]) -> None:
    """Whatever comes back of it, and however late: a reader is known by the address they have."""
    history = letters(DAY, before)
    moved_at = history[-1].at + DAY / 2
    assert stand(History(history, address_since=moved_at), RULES, moved_at + DAY) == Standing(Step.NOTHING)
    anew = letter(moved_at + DAY, BounceClass.DEAD)
    standing_anew = stand(History([*history, anew], address_since=moved_at), RULES, moved_at + DAY)
    assert standing_anew == Standing(Step.SUPPRESS, (anew.findings[0].number,))


@pytest.mark.parametrize("every", [DAY, timedelta(weeks=1), timedelta(days=30)])
def test_a_mailbox_disabled_twice_is_suppressed(every: timedelta) -> None:
    """The second letter that finds a mailbox disabled is one too many, at any cadence; the first is not."""
    assert standing(letters(every, [BounceClass.DISABLED])).step is Step.NOTHING
    assert standing(letters(every, [BounceClass.DISABLED] * 2)).step is Step.SUPPRESS
    recovered = letters(every, [BounceClass.DISABLED, None, None, None, BounceClass.DISABLED])
    assert standing(recovered).step is Step.NOTHING


def test_two_letters_of_one_day_are_one_strike() -> None:
    """A mailbox over its limit says so to every letter of that hour: that is one finding."""
    morning, evening = letter(BEGIN, BounceClass.DISABLED), letter(BEGIN + DAY / 2, BounceClass.DISABLED)
    assert standing([morning, evening]).step is Step.NOTHING
    assert len(standing([morning, evening]).verdicts) == 1


@pytest.mark.parametrize(("every", "needed"), [(1, 15), (2, 8), (7, 3), (14, 3), (30, 3), (91, 3)])
@given(why=SOFT_CLASSES)
def test_soft_strikes_scale_to_the_cadence(every: int, needed: int, why: BounceClass) -> None:
    """A mailbox that is full for two weeks, and three letters, is probed; never sooner, at any cadence."""
    for number in range(1, needed):
        assert standing(letters(every * DAY, [why] * number)).step is Step.NOTHING
    assert standing(letters(every * DAY, [why] * needed)).step is Step.PROBE


@pytest.mark.parametrize("every", [1, 7, 30])
@given(data=st.data())
def test_two_letters_in_a_row_that_went_well_wipe_the_slate(every: int, data: st.DataObject) -> None:
    """Whoever's mailbox takes two letters of three is never asked, however long that goes on."""
    fate: list[BounceClass | None] = []
    for _ in range(data.draw(st.integers(1, 12))):
        fate += [data.draw(SOFT_CLASSES), None, None]
        fate += [None] * data.draw(st.integers(0, 2))
    fate += [None, None, data.draw(SOFT_CLASSES)]
    assert standing(letters(every * DAY, fate)).step is Step.NOTHING


@pytest.mark.parametrize("every", [7, 30])
def test_one_that_went_well_between_does_not(every: int) -> None:
    """A mailbox that takes every second letter is about as good as none."""
    full = BounceClass.FULL
    assert standing(letters(every * DAY, [full, None, full, None, full])).step is Step.PROBE


@given(st.lists(NEVER_COUNTED | st.none(), min_size=1, max_size=30), st.integers(1, 40))
def test_policy_and_content_never_count(fate: list[BounceClass | None], every: int) -> None:
    """Whatever is refused for the sender's sake or the letter's, the reader stands as before."""
    assert standing(letters(every * DAY, fate)) == Standing(Step.NOTHING)


@given(
    st.lists(st.sampled_from(sorted(BounceClass)) | st.none(), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 80), NEVER_COUNTED), max_size=8),
)
def test_what_never_counts_changes_no_standing(
    fate: list[BounceClass | None], further: list[tuple[int, BounceClass]]
) -> None:
    """With or without letters refused for policy in between, all stands as it did."""
    history = letters(timedelta(weeks=1), fate)
    others = [letter(BEGIN + days * DAY + DAY / 3, why) for days, why in further]
    now = BEGIN + 100 * DAY
    assert stand(History(history + others), RULES, now) == stand(History(history), RULES, now)


@given(st.lists(st.sampled_from(sorted(BounceClass)) | st.none(), max_size=12), st.randoms())
def test_the_order_in_which_reports_come_does_not_matter(
    fate: list[BounceClass | None], random: Random
) -> None:
    """A standing follows from the letters, in whatever order they are looked at."""
    history = letters(timedelta(weeks=1), fate)
    shuffled = random.sample(history, len(history))
    now = BEGIN + 100 * DAY
    assert stand(History(shuffled), RULES, now) == stand(History(history), RULES, now)


def test_reports_that_take_five_days_are_waited_for() -> None:
    """Where servers report after five days, younger daily letters have not gone well yet."""
    late = [letter(BEGIN + day * DAY, BounceClass.FULL, after=5 * DAY) for day in range(15)]
    on_their_way = [letter(BEGIN + day * DAY) for day in range(15, 20)]
    assert stand(History(late + on_their_way), RULES, BEGIN + 19 * DAY).step is Step.PROBE
    assert stand(History(late + on_their_way), RULES, BEGIN + 25 * DAY).step is Step.NOTHING


def test_a_letter_that_is_late_has_not_gone_well() -> None:
    """A report of a delay neither counts against a reader nor for them."""
    full = BounceClass.FULL
    weekly = letters(timedelta(weeks=1), [full, full, None, None, full])
    late = [one if one.findings else PastLetter(one.at, is_taken=False) for one in weekly]
    assert standing(weekly).step is Step.NOTHING
    assert standing(late).step is Step.PROBE


def test_while_a_probe_is_under_way_there_is_no_other() -> None:
    """Further strikes meanwhile are counted and change nothing; a mailbox that is gone still counts."""
    weekly = letters(timedelta(weeks=1), [BounceClass.FULL] * 4)
    probe = PastProbe(weekly[2].at)
    now = weekly[3].at - DAY / 2
    assert stand(History(weekly, [probe]), RULES, now).step is Step.NOTHING
    gone = [*weekly[:3], letter(weekly[2].at + DAY, BounceClass.DEAD)]
    assert stand(History(gone, [probe]), RULES, now).step is Step.SUPPRESS


@given(st.sampled_from(sorted(BounceClass)))
def test_a_probe_that_comes_back_suppresses(why: BounceClass) -> None:
    """For whatever may count; a refusal of the sender or of what it says does not."""
    probe = PastProbe(BEGIN, (Finding(9, BEGIN + DAY, why),))
    found = stand(History(probes=[probe]), RULES, BEGIN + 2 * DAY)
    assert found == (Standing(Step.SUPPRESS, (9,)) if why in STRIKES else Standing(Step.NOTHING))
    assert stand(History(probes=[probe]), RULES, BEGIN + 8 * DAY) == Standing(Step.NOTHING)


def test_a_probe_that_came_through_wipes_the_slate() -> None:
    """After its days only letters count that went after it: a second probe takes as much as the first."""
    weekly = letters(timedelta(weeks=1), [BounceClass.FULL] * 6)
    probe = PastProbe(weekly[2].at + DAY)
    steps = [stand(History(weekly[:n], [probe]), RULES, weekly[n - 1].at + 2 * DAY).step for n in (4, 5, 6)]
    assert steps == [Step.NOTHING, Step.NOTHING, Step.PROBE]


def test_a_probe_that_never_left_says_nothing() -> None:
    """Where the relay was down for its days, nobody has been asked: it is asked anew."""
    weekly = letters(timedelta(weeks=1), [BounceClass.FULL] * 4)
    unsent = PastProbe(weekly[2].at + DAY, is_sent=False)
    assert stand(History(weekly, [unsent]), RULES, weekly[3].at + 2 * DAY).step is Step.PROBE


def test_what_led_to_suppression_counts_once() -> None:
    """Somebody whose order was lifted begins anew: no old strike counts, and no late report."""
    dead = letter(BEGIN, BounceClass.DEAD, after=3 * DAY)
    lifted = History([dead, letter(BEGIN + 9 * DAY, BounceClass.FULL)], suppressed_at=BEGIN + DAY)
    assert stand(lifted, RULES, BEGIN + 9 * DAY).step is Step.NOTHING
