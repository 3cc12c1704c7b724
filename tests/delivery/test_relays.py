"""What is learnt of a relay: how many connections do it good, and whether it is up."""

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.relays import Breaker, Concurrency, Relay
from newsletter.settings import RelaySection

MOST = st.integers(1, 200)


def rounds(concurrency: Concurrency, number: int) -> list[int]:
    """How many connections there are after each of so many rounds that go well."""
    after = []
    for _ in range(number):
        for _ in range(concurrency.wanted):
            concurrency.went_well()
        after.append(concurrency.wanted)
    return after


@given(MOST)
def test_connections_grow_by_one_a_round_up_to_the_limit(most: int) -> None:
    """It begins with a few, so that a small issue opens no more."""
    concurrency = Concurrency(most)
    first = concurrency.wanted
    assert first == min(5, most)
    assert rounds(concurrency, 250) == [min(first + number, most) for number in range(1, 251)]


@given(MOST)
def test_connections_halve_at_most_once_a_round(most: int) -> None:
    """What the connections that were open then are told as well counts once; told again, it halves again."""
    concurrency = Concurrency(most)
    rounds(concurrency, 200)
    for _ in range(10):
        before = concurrency.wanted
        for _ in range(before):
            concurrency.ease_off()
            assert concurrency.wanted == max(1, before // 2)
        concurrency.went_well()  # the round is over


@given(MOST, st.lists(st.sampled_from(["well", "off", "refused"]), max_size=300))
def test_there_is_always_one_connection_and_never_one_too_many(most: int, words: list[str]) -> None:
    """Whatever the relay says; and `went_well` tells of each that is to be opened."""
    concurrency = Concurrency(most)
    for word in words:
        before = concurrency.wanted
        if word == "well":
            assert concurrency.went_well() == (concurrency.wanted == before + 1)
        elif word == "off":
            concurrency.ease_off()
            assert concurrency.wanted in (before, max(1, before // 2))
        else:
            concurrency.take_at_most(before - 1)
            assert concurrency.wanted == max(1, before - 1)
        assert 1 <= concurrency.wanted <= most


def test_a_relay_that_wants_no_more_connections_is_not_soon_asked_again() -> None:
    """The one that it refused is tried again after dozens of rounds, not at once."""
    concurrency = Concurrency(20)
    concurrency.take_at_most(3)
    after = rounds(concurrency, 60)
    assert after[:50] == [3] * 50
    assert 4 in after


def trip(breaker: Breaker, now: float, *, losses: int = 3) -> None:
    assert [breaker.lost(now) for _ in range(losses)] == [False] * (losses - 1) + [True]


def test_a_relay_is_left_alone_longer_each_time_up_to_a_cap() -> None:
    """Each probe that fails trips it at once; the delays double from 5 seconds to 5 minutes."""
    breaker, now, delays = Breaker(), 100.0, []
    trip(breaker, now)
    for _ in range(20):
        opened = now
        while breaker.is_open(now):
            now += 1.0
        delays.append(now - opened)
        assert breaker.is_probing
        trip(breaker, now, losses=1)
    assert delays == [5, 10, 20, 40, 80, 160] + [300] * 14


@given(st.integers(0, 12), st.floats(0, 1e6))
def test_one_letter_taken_closes_it(trips: int, now: float) -> None:
    """However long the relay was down, all is forgotten with the first success."""
    breaker = Breaker()
    for _ in range(trips):
        breaker.trip(now)
    assert breaker.went_well() == (trips > 0)
    assert not breaker.is_open(now)
    assert not breaker.is_probing
    trip(breaker, now)
    assert breaker.is_open(now + 4.9)
    assert not breaker.is_open(now + 5.1)


@given(st.lists(st.sampled_from(["lost", "policy", "well"]), max_size=100))
def test_it_opens_only_for_failures_in_a_row(words: list[str]) -> None:
    """Three connections lost, or ten letters refused for policy, with no letter taken between them."""
    breaker, losses, refusals = Breaker(), 0, 0
    for now, word in enumerate(words):
        instant = now * 1000.0  # it is never open when the next thing happens
        was_probing = breaker.is_probing
        if word == "well":
            breaker.went_well()
            losses = refusals = 0
            continue
        losses, refusals = losses + (word == "lost"), refusals + (word == "policy")
        opened = breaker.lost(instant) if word == "lost" else breaker.refused_for_policy(instant)
        due = (losses >= 3 or was_probing) if word == "lost" else refusals >= 10
        assert opened == due == breaker.is_open(instant)
        if opened:
            losses = refusals = 0


def test_what_comes_in_while_it_is_open_does_not_lengthen_it() -> None:
    """The other connections of a relay that died tell nothing new."""
    breaker = Breaker()
    trip(breaker, 0.0)
    assert not any(breaker.lost(1.0) or breaker.refused_for_policy(1.0) for _ in range(50))
    assert not breaker.is_open(5.0)


def test_a_relay_that_was_down_is_probed_by_one_connection() -> None:
    """None while it is left alone, then one, then as many as before."""
    relay = Relay(RelaySection(host="relay.example", connections=20))
    assert relay.wanted(0.0) == 5
    relay.breaker.trip(0.0)
    assert (relay.wanted(4.0), relay.wanted(5.0)) == (0, 1)
    relay.breaker.went_well()
    assert relay.wanted(5.0) == 5
