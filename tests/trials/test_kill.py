"""Processes killed, stopped and doubled in the middle of 5,000 letters, judged by the relay's record.

Where the kills fall is drawn from a seed, which a failure prints; PAPERROUND_TRIAL_SEED=NUMBER draws the same
letters again. At which statement of the sender's a kill falls is the machine's to choose.
"""

import json
import os
import random
import signal
import sys
from datetime import datetime, timedelta

import pytest

from newsletter.app import App
from newsletter.schedule.categories import add_category
from newsletter.states import DeliveryState, Mode
from subscribers.base import system_clock
from tests.delivery.bigissue import (
    SLOT,
    doubtful_attempts,
    end_of,
    issues,
    make_readers,
    paperround,
    start_paperround,
    states,
    tick,
    tick_until_done,
    twice,
)
from tests.delivery.recorder import Recorder

pytestmark = pytest.mark.trial

READERS = 5_000
SEED = int(os.environ.get("PAPERROUND_TRIAL_SEED") or random.randrange(10**6))

IN_DOUBT = ("delivery", "list", "--state", "in_doubt", "--json")

on_both = pytest.mark.parametrize(
    ("database_url", "crashes"),
    [("sqlite", 15), ("postgresql", 5)],
    indirect=["database_url"],
    ids=["sqlite", "postgresql"],
)
"""With the two trials that use it: forty kills in four sends."""


def kill_at_random(site: App, relay: Recorder, crashes: int, **environment: str) -> None:
    """Start the sender again and again, each time killed somewhere in its share of what is left."""
    sys.stdout.write(f"PAPERROUND_TRIAL_SEED={SEED}\n")
    chance = random.Random(SEED)
    for crash in range(crashes):
        here = len(relay.received)
        share = (READERS - here) // (crashes - crash + 1)
        sender = start_paperround(site, "tick", "--at", SLOT, **relay.environment, **environment)
        relay.wait_for(here + chance.randint(1, share))
        sender.kill()
        sender.communicate()
        assert len({one.recipient for one in relay.received}) < READERS, "killed too late to prove anything"


@on_both
def test_killed_again_and_again_it_leaves_nobody_out(advice: App, crashes: int) -> None:
    """Every reader has it; twice at most one a connection and crash, each on record as in doubt."""
    readers = make_readers(advice, READERS)
    with Recorder() as relay:
        kill_at_random(advice, relay, crashes)
        tick_until_done(advice, **relay.environment)
        assert {one.recipient for one in relay.received} == readers
        assert issues(advice) == 1
        doubtful = doubtful_attempts(advice)
        assert twice(relay.received) <= set(doubtful)
        assert len(relay.received) - READERS <= len(doubtful) <= advice.settings.relay.connections * crashes
        assert states(advice) == {DeliveryState.SENT: READERS}


@on_both
def test_killed_again_and_again_with_hold_it_sends_nothing_twice(advice: App, crashes: int) -> None:
    """Nobody has two; who has none is listed as in doubt, by name, and waits for a person."""
    readers = make_readers(advice, READERS)
    with Recorder() as relay:
        kill_at_random(advice, relay, crashes, PAPERROUND_DELIVERY__IN_DOUBT="hold")
        tick_until_done(advice, **relay.environment, PAPERROUND_DELIVERY__IN_DOUBT="hold")
        got = [one.recipient for one in relay.received]
        listed = [row["address"] for row in json.loads(paperround(advice, *IN_DOUBT).out)]
        assert len(got) == len(set(got))
        assert readers - set(got) <= set(listed)
        assert sorted(listed) == sorted(doubtful_attempts(advice))
        assert len(listed) <= advice.settings.relay.connections * crashes
        assert states(advice) == {
            DeliveryState.SENT: READERS - len(listed),
            DeliveryState.IN_DOUBT: len(listed),
        }


def test_told_to_stop_it_finishes_what_is_in_flight_and_says_where_it_stands(advice: App) -> None:
    """SIGTERM: no letter in doubt, the rest queued, said on leaving; the next tick sends it."""
    readers = make_readers(advice, READERS)
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment)
        relay.wait_for(READERS // 4)
        sender.send_signal(signal.SIGTERM)
        ended = end_of(sender)
        stopped_at = len(relay.received)
        assert stopped_at < READERS
        assert ended.code == 1
        assert "letters in flight are finished first" in ended.err
        assert "Stopped. Issue 1 of advice:" in ended.err
        assert str(READERS - stopped_at) in ended.err.replace(",", "")
        assert states(advice) == {
            DeliveryState.SENT: stopped_at,
            DeliveryState.QUEUED: READERS - stopped_at,
        }
        assert tick(advice, **relay.environment).code == 0
        assert {one.recipient for one in relay.received} == readers
        assert len(relay.received) == READERS


def test_two_ticks_at_once_share_the_work(advice: App) -> None:
    """Started at the same moment before anything is planned: one issue, nobody left out, nobody twice."""
    readers = make_readers(advice, READERS)
    with Recorder() as relay:
        both = [start_paperround(advice, "tick", "--at", SLOT, **relay.environment) for _ in range(2)]
        ended = [end_of(sender) for sender in both]
        assert [(one.code, one.err) for one in ended] == [(0, "")] * 2
        assert issues(advice) == 1
        assert {one.recipient for one in relay.received} == readers
        assert len(relay.received) == READERS
        assert states(advice) == {DeliveryState.SENT: READERS}


def test_a_tick_beside_a_live_run(site: App) -> None:
    """cron's `tick` and a `run` at work share one issue; a killed `tick` is taken over from."""
    with site.database.write() as session:
        add_category(
            session,
            "advice",
            title="Good advice",
            cadence="daily 07:00",
            timezone="UTC",
            mode=Mode.BROADCAST,
            now=system_clock() - timedelta(days=1, minutes=1),
        )
    readers = make_readers(site, READERS)
    with Recorder() as relay:
        environment = relay.environment | {"PAPERROUND_SITE__LISTEN": "127.0.0.1:0"}
        running = start_paperround(site, "run", **environment)
        relay.wait_for(READERS // 10)
        beside = start_paperround(site, "tick", **environment)
        doomed = start_paperround(site, "tick", **environment)
        relay.wait_for(READERS // 2)
        doomed.kill()
        doomed.communicate()
        assert end_of(beside).code == 0
        while set(states(site)) != {DeliveryState.SENT}:
            assert tick(site, **environment).code == 0
        running.send_signal(signal.SIGTERM)
        ended = end_of(running)
        assert ended.code == 0
        assert "Stopped. Nothing is waiting to be sent." in ended.err
        assert "Traceback" not in ended.err
        assert {one.recipient for one in relay.received} == readers
        assert twice(relay.received) <= set(doubtful_attempts(site))
        assert len(doubtful_attempts(site)) <= site.settings.relay.connections


def test_a_relay_killed_in_the_middle_keeps_the_rest_queued(advice: App) -> None:
    """The pass ends with the reason; with the relay back all have theirs, and few are in doubt."""
    readers = make_readers(advice, READERS)
    later = (datetime.fromisoformat(SLOT) + timedelta(hours=1)).isoformat()
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment)
        relay.wait_for(READERS // 4)
        relay.kill()
        ended = end_of(sender)
    assert ended.code == 1
    *refusals, reason = ended.err.splitlines()
    assert reason.startswith(f"paperround: the relay 127.0.0.1:{relay.port} cannot be used")
    # What became of the letters that were in flight is quoted, a line for each state they came to.
    assert {line.partition(",")[0] for line in refusals} <= {"in doubt", "deferred"}
    assert all(", the first of them: the relay " in line for line in refusals)
    most = advice.settings.relay.connections
    assert states(advice)[DeliveryState.QUEUED] >= READERS - len(relay.received) - most
    with Recorder(port=relay.port) as back:
        ended = end_of(start_paperround(advice, "tick", "--at", later, **back.environment))
        assert (ended.code, ended.err) == (0, "")
        received = relay.received + back.received
    assert {one.recipient for one in received} == readers
    assert twice(received) <= set(doubtful_attempts(advice))
    assert len(doubtful_attempts(advice)) <= advice.settings.relay.connections
    assert states(advice) == {DeliveryState.SENT: READERS}
