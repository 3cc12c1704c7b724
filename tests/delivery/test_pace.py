"""How fast letters go, with the time in the test's hand."""

from bisect import bisect_left
from itertools import pairwise
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.pace import DomainPaces, Pace

RATES = st.integers(1, 5000)
DOMAINS = st.sampled_from(["gmail.com", "gmx.de", "example.org"])
REST_SECONDS = 600


def greedy(pace: Pace, gaps: list[float], start: float) -> list[float]:
    """When letters go that are tried in vain and again at once, with a break now and then."""
    went, now = [], start
    for gap in gaps:
        now = max(now + gap, pace.ready_at())
        assert pace.take(now)
        went.append(now)
    return went


@given(
    RATES, st.lists(st.one_of(st.just(0.0), st.floats(0, 90)), min_size=1, max_size=400), st.floats(0, 1e6)
)
def test_no_minute_has_more_letters_than_are_allowed(rate: int, gaps: list[float], start: float) -> None:
    """Whatever breaks there are between them: in no minute, wherever it begins, do more go."""
    went = greedy(Pace(rate), gaps, start)
    for place, instant in enumerate(went):
        assert bisect_left(went, instant + 60 - 1e-6) - place <= rate


@given(RATES, st.integers(2, 5), st.lists(st.integers(1, 30), min_size=1, max_size=20), st.floats(0, 1e6))
def test_several_senders_each_take_an_even_share(
    rate: int, senders: int, runs: list[int], start: float
) -> None:
    """None has more of any minute, whatever it was told before of how many they are; alone, it has it all."""
    pace = Pace(rate)
    pace.share_among(senders + 1)
    pace.share_among(senders)
    went = greedy(pace, [gap for letters in runs for gap in [70.0, *[0.0] * letters]], start)
    for place, instant in enumerate(went):
        assert bisect_left(went, instant + 60 - 1e-6) - place <= ceil(rate / senders)
    pace.share_among(1)
    again = greedy(pace, [0.0] * 10, went[-1] + 1000)
    assert again[-1] - again[0] <= 9 * 61 / rate + 1e-6


@given(RATES, st.floats(0, 1e6))
def test_bookings_outlive_the_other_senders(rate: int, now: float) -> None:
    """A letter that is put off while others send is not due later for that: they may be gone by then."""
    alone, shared = Pace(rate), Pace(rate, senders=3)
    assert [shared.book(5, now) for _ in range(10)][-1] <= [alone.book(5, now) for _ in range(10)][-1] + 1e-3


@given(RATES, st.floats(0, 1e6))
def test_a_burst_is_at_most_a_second_s_worth(rate: int, now: float) -> None:
    """After any rest a second's worth goes at once, at least one letter; then the next has to wait."""
    pace = Pace(rate)
    burst = 0
    while pace.take(now):
        burst += 1
    assert max(1, rate // 61 - 1) <= burst <= max(1, rate // 60 + 1)
    assert now < pace.ready_at() <= now + max(60 / rate, 61 / rate) + 1e-6


@given(RATES)
def test_who_always_has_a_letter_gets_nearly_all_that_is_allowed(rate: int) -> None:
    """The limit is used, not just kept: within two percent over ten minutes, and a letter."""
    went = greedy(Pace(rate), [0.0] * (rate * 10 if rate < 100 else 1000), 0.0)
    assert len(went) >= went[-1] / 60 * rate * 0.98 - 1


@given(RATES, st.lists(st.integers(0, 50), min_size=2, max_size=100), st.floats(0, 1e6))
def test_booked_letters_come_one_after_the_other(rate: int, before: list[int], now: float) -> None:
    """Slots lie as far apart as the rate asks, none in the past and none among those that wait in hand."""
    pace = Pace(rate)
    slots = [pace.book(letters, now) for letters in before]
    assert slots[0] >= now + before[0] * 60 / rate - 1e-6
    assert all(later - earlier >= 60 / rate - 1e-6 for earlier, later in pairwise(slots))


def test_a_rate_is_each_domain_s_own() -> None:
    """A domain that is named has its rate, any other that of "*", and one has no part in another's."""
    domains = DomainPaces({"gmail.com": 60, "*": 1})
    assert [domains.take("gmail.com", now) for now in (0, 0)] == [True, False]
    assert domains.ready_at("gmail.com") == 1
    for other in ("gmx.de", "example.org"):
        assert [domains.take(other, now) for now in (0, 59)] == [True, False]
        assert domains.ready_at(other) == 60
    assert not domains.are_idle


@given(DOMAINS, st.floats(0, 1e6))
def test_a_domain_without_a_rate_is_not_paced(domain: str, now: float) -> None:
    """Without "*" only those that are named wait, and the others leave nothing behind."""
    domains = DomainPaces({"slow.example": 1})
    assert all(domains.take(domain, now) for _ in range(100))
    assert domains.ready_at(domain) == 0
    assert domains.book(domain, 3, now) == now
    assert not domains._paces
    assert DomainPaces({}).are_idle


@given(st.lists(st.tuples(DOMAINS, st.sampled_from(["ann", "bo", "cleo"]), st.booleans()), max_size=60))
def test_three_readers_who_are_refused_in_a_row_are_one_too_many(words: list[tuple[str, str, bool]]) -> None:
    """Counted for each domain alone, forgotten when it takes a letter; then it is left alone for a while."""
    domains = DomainPaces({})
    in_a_row: dict[str, set[str]] = {}
    for now, (domain, name, is_taken) in enumerate(words):
        if is_taken:
            domains.taken_well(domain)
            in_a_row.pop(domain, None)
            continue
        in_a_row.setdefault(domain, set()).add(name)
        rests = domains.refused_for_policy(domain, f"{name}@{domain}", float(now))
        assert rests == (len(in_a_row[domain]) == 3)
        if rests:
            del in_a_row[domain]
            assert not domains.are_idle
            assert domains.resting_until(domain, now) == now + REST_SECONDS


def test_a_domain_rests_for_as_long_as_is_said() -> None:
    """Until the instant, and not after it."""
    domains = DomainPaces({})
    assert [domains.refused_for_policy("gmail.com", f"{name}@gmail.com", 5.0) for name in "abc"] == [
        False,
        False,
        True,
    ]
    assert domains.resting_until("gmail.com", 5.0 + REST_SECONDS - 1) == 5.0 + REST_SECONDS
    assert domains.resting_until("gmx.de", 6.0) is None
    assert domains.resting_until("gmail.com", 5.0 + REST_SECONDS) is None
    assert domains.are_idle
