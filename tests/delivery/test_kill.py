"""kill -9 in the middle of an issue, judged by the relay's record."""

from newsletter.app import App
from newsletter.states import DeliveryState
from tests.delivery.bigissue import (
    SLOT,
    doubtful_attempts,
    make_readers,
    start_paperround,
    states,
    tick_until_done,
    twice,
)
from tests.delivery.recorder import Recorder

CONNECTIONS = 5
FIXED = {"PAPERROUND_RELAY__CONNECTIONS": str(CONNECTIONS)}
"""As many as it opens at first: each of them is held up, and none is added."""


def test_a_killed_sender_leaves_nobody_out_and_only_what_was_in_flight_goes_twice(advice: App) -> None:
    """Killed with a letter accepted but unanswered on each connection: those go twice, by name."""
    readers = make_readers(advice, 500)
    cut = range(200, 200 + CONNECTIONS)
    with Recorder(unanswered=cut) as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment, **FIXED)
        relay.wait_for(cut.stop)
        sender.kill()
        sender.communicate()
        in_flight = {one.recipient for one in relay.received[cut.start :]}
        named = tick_until_done(advice, **relay.environment)
        assert {one.recipient for one in relay.received} == readers
        assert twice(relay.received) == in_flight
        assert len(relay.received) == len(readers) + CONNECTIONS
        assert sorted(named) == sorted(doubtful_attempts(advice)) == sorted(in_flight)
        assert states(advice) == {DeliveryState.SENT: len(readers)}


def test_with_hold_a_killed_sender_sends_nothing_twice(advice: App) -> None:
    """With in_doubt = "hold" the letters in flight wait for a person; everybody has one, nobody two."""
    readers = make_readers(advice, 100)
    cut = range(40, 40 + CONNECTIONS)
    with Recorder(unanswered=cut) as relay:
        environment = relay.environment | FIXED | {"PAPERROUND_DELIVERY__IN_DOUBT": "hold"}
        sender = start_paperround(advice, "tick", "--at", SLOT, **environment)
        relay.wait_for(cut.stop)
        sender.kill()
        sender.communicate()
        named = tick_until_done(advice, **environment)
        assert {one.recipient for one in relay.received} == readers
        assert len(relay.received) == len(readers)
        assert set(named) == {one.recipient for one in relay.received[cut.start : cut.stop]}
        assert states(advice) == {DeliveryState.SENT: 95, DeliveryState.IN_DOUBT: 5}
