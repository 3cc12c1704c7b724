"""When a deferred letter comes back."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from newsletter.delivery.retry import next_attempt

NOW = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
CAP = timedelta(hours=3)
LUCK = st.floats(0, 1, exclude_max=True)


def delay(attempts: int, luck: float = 0.0) -> timedelta:
    return next_attempt(attempts, NOW, luck=luck) - NOW


@given(st.integers(1, 100), LUCK, LUCK)
def test_each_delay_exceeds_the_last_up_to_the_cap(attempts: int, luck: float, other: float) -> None:
    """Whatever the jitter, a letter waits longer each time, until the delays are as long as they get."""
    if delay(attempts) < CAP:
        assert delay(attempts, luck) < delay(attempts + 1, other)
    else:
        assert delay(attempts + 1) == delay(attempts) == CAP


@given(st.integers(1, 10_000), LUCK)
def test_jitter_adds_at_most_a_fifth(attempts: int, luck: float) -> None:
    """A letter is never early, and never late by more than a fifth of its delay."""
    assert delay(attempts) <= delay(attempts, luck) <= delay(attempts) * 1.2


@given(LUCK, LUCK)
def test_two_retries_fall_into_the_first_hour(luck: float, other: float) -> None:
    """RFC 5321 §4.5.4.1 asks for it, and greylisting lets the second try in."""
    assert delay(1, luck) + delay(2, other) <= timedelta(hours=1)


def test_lucky_letters_spread() -> None:
    """Letters deferred at one moment do not all come back at one moment."""
    assert len({delay(1, luck / 10) for luck in range(10)}) == 10
