"""The letters in hand: each goes once, by its relay, and none waits for another domain's pace."""

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from newsletter.delivery.hand import Hand
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.delivery.pace import DomainPaces

DOMAINS = ["gmail.com", "gmx.de", "example.org", "slow.example"]
RATES = {"gmail.com": 60, "slow.example": 1, "gmx.de": 6000}


def letter(number: int, domain: str = "example.org", issue: int = 1) -> ClaimedDelivery:
    return ClaimedDelivery(number, 1, f"reader{number}@{domain}", None, 0, issue)


def up(_: int) -> bool:
    return True


def take_all(hand: Hand, relay: int, now: float = 0.0, is_up: Any = up) -> list[ClaimedDelivery]:
    """What a relay gets until there is no more for it."""
    taken = []
    while (one := hand.take(relay, is_up, now)) is not None:
        taken.append(one)
    return taken


class HandMachine(RuleBasedStateMachine):
    """Any order of putting, taking, putting back, dropping and putting off."""

    @initialize(weights=st.lists(st.integers(0, 3), min_size=1, max_size=3), rates=st.booleans())
    def begin(self, weights: list[int], rates: bool) -> None:
        self.domains = DomainPaces(RATES if rates else {})
        self.hand = Hand(weights, self.domains)
        self.is_up = [True] * len(weights)
        self.relays = len(weights)
        self.now = 0.0
        self.inside: set[int] = set()
        self.outside: dict[int, ClaimedDelivery] = {}
        self.numbers = 0

    @rule(domains=st.lists(st.sampled_from(DOMAINS), max_size=150), issue=st.integers(1, 2))
    def put(self, domains: list[str], issue: int) -> None:
        letters = [letter(self.numbers + place, domain, issue) for place, domain in enumerate(domains)]
        self.numbers += len(letters)
        self.inside |= {one.id for one in letters}
        self.hand.put(letters)

    @rule(relay=st.integers(0, 2), most=st.integers(1, 200))
    def take(self, relay: int, most: int) -> None:
        for _ in range(most):
            one = self.hand.take(relay % self.relays, self.is_up.__getitem__, self.now)
            if one is None:
                break
            self.inside.remove(one.id)  # KeyError: it went twice
            self.outside[one.id] = one
            assert self.domains.resting_until(one.domain, self.now) is None

    @precondition(lambda self: self.outside)
    @rule(place=st.integers(0, 1000))
    def put_back(self, place: int) -> None:
        number = sorted(self.outside)[place % len(self.outside)]
        self.hand.put_back(self.outside.pop(number))
        self.inside.add(number)

    @rule(issue=st.integers(1, 2))
    def drop(self, issue: int) -> None:
        dropped = self.hand.drop(issue)
        assert {one.issue_id for one in dropped} <= {issue}
        self.leaves([one.id for one in dropped])

    @rule()
    def put_off(self) -> None:
        letters = self.hand.put_off()
        assert all(seconds > 0 for _, seconds in letters)
        self.leaves([one.id for one, _ in letters])
        assert self.hand.put_off() == []

    def leaves(self, numbers: list[int]) -> None:
        assert len(numbers) == len(set(numbers))
        assert self.inside.issuperset(numbers)
        self.inside.difference_update(numbers)

    @rule(relay=st.integers(0, 2))
    def turns(self, relay: int) -> None:
        self.is_up[relay % self.relays] = not self.is_up[relay % self.relays]

    @rule(domain=st.sampled_from(DOMAINS))
    def refuses(self, domain: str) -> None:
        self.domains.refused_for_policy(domain, f"{self.now}@{domain}", self.now)

    @rule(seconds=st.floats(0, 700))
    def passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def waiting_is_bounded(self) -> None:
        waiting = self.hand._waiting if hasattr(self, "hand") else {}
        assert all(1 <= len(letters) <= 50 for letters in waiting.values())

    def teardown(self) -> None:
        if not hasattr(self, "hand"):
            return
        for _ in range(1000):
            self.now += 700
            for relay in range(self.relays):
                self.take(relay, 10_000)
            self.put_off()
            if not len(self.hand):
                break
        assert not self.inside, "letters were lost"


TestHand = HandMachine.TestCase
TestHand.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(1, 10**9))
def test_shares_follow_the_weights(weights: list[int], first: int) -> None:
    """Of ten thousand letters in a row each relay gets its part, give or take one in a hundred of them."""
    hand = Hand(weights, DomainPaces({}))
    hand.put(letter(number) for number in range(first, first + 10_000))
    shares = [len(take_all(hand, relay)) for relay in range(len(weights))]
    assert sum(shares) == 10_000
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - 10_000 * weight / sum(weights)) < 100


@given(st.lists(st.integers(0, 9), min_size=2, max_size=4), st.lists(st.integers(1, 10**9), max_size=50))
def test_a_letter_goes_by_the_same_relay_each_time(weights: list[int], numbers: list[int]) -> None:
    """Whatever else is in hand: greylisting knows the host that it has put off."""
    homes: dict[int, set[int]] = {number: set() for number in numbers}
    for batch in ([number] for number in homes), [list(homes)]:
        hand = Hand(weights, DomainPaces({}))
        for some in batch:
            hand.put(map(letter, some))
        for relay in range(len(weights)):
            for one in take_all(hand, relay):
                homes[one.id].add(relay)
    assert all(len(relays) == 1 for relays in homes.values())


def test_a_relay_of_weight_0_serves_only_while_others_are_down() -> None:
    """It gets none of the letters while the others are up, and those of the one that is not."""
    hand = Hand([1, 1, 0], DomainPaces({}))
    hand.put(map(letter, range(100)))
    assert take_all(hand, 2) == []
    instead = take_all(hand, 2, is_up=lambda relay: relay != 0)
    left = take_all(hand, 1)
    assert take_all(hand, 0) == []
    assert Counter(one.id for one in instead + left) == Counter(range(100))
    assert 30 < len(instead) < 70


def test_a_letter_that_was_put_back_comes_first() -> None:
    """It has waited longest."""
    hand = Hand([1], DomainPaces({}))
    hand.put(map(letter, range(3)))
    first = hand.take(0, up, 0.0)
    assert first is not None
    hand.put_back(first)
    assert take_all(hand, 0) == list(map(letter, range(3)))


def test_letters_of_a_paced_domain_hold_up_nobody_else() -> None:
    """Thousands of them before the others: the others go at once, and few of them stay in hand."""
    hand = Hand([1], DomainPaces({"slow.example": 1}))
    hand.put(letter(number, "slow.example") for number in range(3000))
    hand.put(map(letter, range(3000, 3100)))
    taken = take_all(hand, 0)
    assert [one.id for one in taken] == [0, *range(3000, 3100)]
    assert len(hand) == 50
    put_off = hand.put_off()
    assert [one.id for one, _ in put_off] == list(range(51, 3000))
    assert [round(seconds / 60) for _, seconds in put_off] == list(range(51, 3000))
    assert hand.next_ready_at() == 60
    assert [one.id for one in take_all(hand, 0, 60.0)] == [1]


def test_thousands_of_paced_domains_leave_room_in_hand() -> None:
    """However many domains there are, what waits for them is bounded: others can still be claimed."""
    hand = Hand([1], DomainPaces({"*": 1}))
    for start in range(0, 30_000, 500):
        hand.put(letter(number, f"domain{number % 3000}.example") for number in range(start, start + 500))
        take_all(hand, 0)
    assert len(hand) == 1000
    assert len(hand.put_off()) == 30_000 - 3000 - 1000


def test_letters_that_wait_are_put_off_when_their_domain_is_left_alone() -> None:
    """A domain that refuses for policy gets none of those that waited for its pace either."""
    domains = DomainPaces({"slow.example": 60})
    hand = Hand([1], domains)
    hand.put(letter(number, "slow.example") for number in range(10))
    assert len(take_all(hand, 0)) == 1
    for name in ("ann", "bo", "cleo"):
        domains.refused_for_policy("slow.example", f"{name}@slow.example", 0.0)
    assert take_all(hand, 0, 5.0) == []
    assert [(one.id, seconds) for one, seconds in hand.put_off()] == [
        (number, 595) for number in range(1, 10)
    ]
    assert len(hand) == 0
