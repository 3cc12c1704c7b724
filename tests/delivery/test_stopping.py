"""An issue in a person's hands while a sender is at it: pause, resume and cancel act with the next letter."""

from collections import Counter
from collections.abc import Callable
from threading import Event

from sqlalchemy import select
from sqlmodel import Session, col

from newsletter.app import App
from newsletter.delivery.dispatcher import Tally
from newsletter.delivery.issues import cancel, clear, pause, resume
from newsletter.delivery.pace import Limits
from newsletter.models import Issue
from newsletter.states import DeliveryState
from tests.delivery.passes import (
    SILENCE,
    ControlledRelay,
    Transaction,
    asyncio,
    clock,
    jumping,
    one_pass,
    plan_for,
)
from tests.delivery.test_ledger import receipts
from tests.delivery.test_passes import ON_SQLITE, letters, readers, states, tries

State = DeliveryState
CONNECTIONS = 4
READERS = 60
STOPPED_AT = 20
"""The letter whose content the relay has when a person acts."""


def change(site: App, act: Callable[[Session, int], object]) -> None:
    with site.database.write() as session:
        act(session, session.execute(select(col(Issue.id))).scalar_one())


def let_go_on(site: App) -> None:
    change(site, lambda session, issue: resume(session, issue, now=clock(), expiry=site.planner._expiry))


def stopping(site: App, act: Callable[[Session, int], object]) -> ControlledRelay:
    """A relay in the middle of whose work a person does something to the issue, once."""

    def says(verb: str, transaction: Transaction) -> None:
        if verb == "." and len(relay.accepted) == STOPPED_AT and not done.is_set():
            done.set()
            change(site, act)

    done = Event()
    relay = ControlledRelay(says)
    return relay


def test_a_paused_issue_stops_with_the_next_letter_and_resumes_with_the_rest(advice: App) -> None:
    """At most one more letter a connection arrives, untried ones are untouched; then exactly the rest."""
    plan_for(advice, readers(READERS))
    server = stopping(advice, lambda session, issue: pause(session, issue, "a wrong link"))

    async def scenario() -> tuple[Tally, int, int]:
        async with server:
            relay = server.relay(CONNECTIONS)
            tally = await one_pass(advice, relay)
            sent, connections = len(server.accepted), server.connections
            assert states(advice) == {State.SENT: sent, State.QUEUED: READERS - sent}
            assert (await one_pass(advice, relay)).states == {}
            let_go_on(advice)
            await one_pass(advice, relay)
            return tally, sent, connections

    tally, sent, connections = jumping(scenario)
    assert STOPPED_AT < sent <= STOPPED_AT + CONNECTIONS
    assert tally.states == {State.SENT: sent}
    assert tally.relay_error is None
    assert connections <= 2 * CONNECTIONS, "letters of a stopped issue were tried one by one"
    assert server.recipients == readers(READERS)
    assert Counter(attempt.outcome for attempt in tries(advice)) == {State.SENT: READERS}


def test_a_cancelled_issue_ends_with_what_was_in_flight(advice: App) -> None:
    """At most one more letter a connection arrives; the others end, and give their receipts back."""
    plan_for(advice, readers(READERS))
    server = stopping(advice, lambda session, issue: cancel(session, issue, "a wrong link"))

    async def scenario() -> Tally:
        async with server:
            relay = server.relay(CONNECTIONS)
            tally = await one_pass(advice, relay)
            assert (await one_pass(advice, relay)).states == {}
            return tally

    tally = jumping(scenario)
    sent = len(server.accepted)
    assert STOPPED_AT < sent <= STOPPED_AT + CONNECTIONS
    assert tally.states[State.SENT] == sent
    assert tally.states[State.CANCELLED] <= CONNECTIONS
    assert states(advice) == {State.SENT: sent, State.CANCELLED: READERS - sent}
    assert len(set(server.recipients)) == sent
    assert receipts(advice) == {one.id for one in letters(advice).values() if one.state == State.SENT}
    with advice.database.read() as session:
        assert session.execute(select(col(Issue.finished_at))).scalar_one() is not None


@ON_SQLITE
def test_pausing_and_resuming_again_and_again_loses_nobody(advice: App) -> None:
    """Every few letters, with passes between: each reader has one letter in the end."""
    plan_for(advice, readers(READERS))
    pauses = set(range(5, READERS, 7))

    def says(verb: str, transaction: Transaction) -> None:
        if verb == "." and len(server.accepted) in pauses:
            pauses.remove(len(server.accepted))
            change(advice, lambda session, issue: pause(session, issue, ""))
            if len(pauses) % 2:
                let_go_on(advice)  # before a sender has even seen it

    server = ControlledRelay(says)

    async def scenario() -> int:
        async with server:
            for passes in range(1, 50):
                await one_pass(advice, server.relay(CONNECTIONS))
                if not states(advice)[State.QUEUED]:
                    return passes
                let_go_on(advice)
        return 0

    assert 2 <= jumping(scenario) <= 10
    assert server.recipients == readers(READERS)


@ON_SQLITE
def test_a_letter_that_waits_for_its_pace_is_stopped_too(advice: App) -> None:
    """Paused while its letters wait in hand, an issue gives them back, and the pass is over."""
    plan_for(advice, readers(20))

    async def scenario() -> tuple[Tally, float, int]:
        async with ControlledRelay() as server:
            passing = asyncio.create_task(one_pass(advice, server.relay(), limits=Limits(per_minute=6)))
            await asyncio.sleep(45)
            before = len(server.accepted)
            change(advice, lambda session, issue: cancel(session, issue, ""))
            with advice.database.write() as session:
                clear(session.connection())
            tally = await passing
            assert len(server.accepted) == before
            return tally, asyncio.get_running_loop().time(), before

    tally, ended_at, sent = jumping(scenario)
    assert tally.states[State.SENT] == sent == 5
    assert ended_at < 45 + 11, "it waited for letters that were not to go"
    assert states(advice) == {State.SENT: 5, State.CANCELLED: 15}


def test_stopping_does_not_wait_for_answers_to_envelopes(advice: App) -> None:
    """A relay that does not answer MAIL has nothing in flight: the pass ends at once, and nothing counts."""
    plan_for(advice, readers(READERS))
    stop = Event()

    def says(verb: str, transaction: Transaction) -> bytes | None:
        if transaction.number < STOPPED_AT:
            return None
        stop.set()
        return SILENCE

    async def scenario() -> float:
        async with ControlledRelay(says) as server:
            began = asyncio.get_running_loop().time()
            tally = await one_pass(advice, server.relay(CONNECTIONS), stop=stop)
            assert tally.states == {State.SENT: len(server.accepted)}
            return asyncio.get_running_loop().time() - began

    assert jumping(scenario) < 10
    assert set(states(advice)) == {State.SENT, State.QUEUED}
    assert len(tries(advice)) == states(advice)[State.SENT]
