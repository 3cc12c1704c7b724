"""What every transport promises, as tests to inherit.

A transport's own test class descends from `TransportContract` and gives it the other side: something real
that behaves as told, in the event loop of the test. The promises are those of
`newsletter.delivery.transport`.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from enum import Enum, auto
from typing import Protocol, TypeVar

import pytest
import uvloop

from newsletter.delivery.outcome import Stage
from newsletter.delivery.transport import Letter, OneByOne
from newsletter.errors import RelayError
from newsletter.states import DeliveryState

Result = TypeVar("Result")

LETTER = Letter(
    "news+bounce.abc@example.org",
    "Reader@example.net",
    b"From: news@example.org\r\nTo: Reader@example.net\r\nSubject: One\r\n\r\nSome words.\r\n\r\nMore.\r\n",
)
ANOTHER = Letter("news+bounce.def@example.org", "other@example.net", LETTER.content.replace(b"One", b"Two"))


class Behaviour(Enum):
    """How the other side takes letters."""

    ACCEPTS = auto()
    DEFERS_READER = auto()  # a passing refusal of the recipient
    DEFERS_MESSAGE = auto()  # a passing refusal of the message itself
    BOUNCES_READER = auto()
    BOUNCES_MESSAGE = auto()
    LOSES_REPLY = auto()  # accepts the message; its word never arrives
    LOSES_CONNECTION = auto()  # goes away before there is a message
    ABSENT = auto()


class OtherSide(Protocol):
    """What the tests ask of the other side."""

    behaviour: Behaviour
    """May be changed between letters."""
    accepted: list[Letter]
    """What it took responsibility for, in order."""


Running = AbstractAsyncContextManager[tuple[OneByOne, OtherSide]]


async def allow() -> bool:
    """Leave to send."""
    return True


async def refuse() -> bool:
    """No leave: the reader has gone."""
    return False


def run(scenario: Callable[[], Awaitable[Result]]) -> Result:
    """Run a scenario in the event loop that production uses."""

    async def main() -> Result:
        async with asyncio.timeout(60):
            return await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


class TransportContract(ABC):
    """Inherit, name the class Test…, and give `running`."""

    @abstractmethod
    def running(self, behaviour: Behaviour) -> Running:
        """A transport that is not yet connected, and the other side it leads to."""

    def test_an_accepted_letter_is_sent_as_it_is(self) -> None:
        """A yes is `sent`, with the other side's word; envelope and bytes arrive unchanged."""

        async def scenario() -> None:
            async with self.running(Behaviour.ACCEPTS) as (transport, other):
                await transport.connect()
                outcome = await transport.send(LETTER, allow)
                assert outcome is not None
                assert (outcome.state, outcome.stage) == (DeliveryState.SENT, Stage.DOT)
                assert outcome.reply
                assert other.accepted == [LETTER]
                await transport.close()

        run(scenario)

    def test_leave_is_asked_once_and_before_anything_could_arrive(self) -> None:
        """`commit()` is the point of no return: when it is asked the other side has nothing."""

        async def scenario() -> None:
            async with self.running(Behaviour.ACCEPTS) as (transport, other):
                seen: list[int] = []

                async def commit() -> bool:
                    seen.append(len(other.accepted))
                    return True

                await transport.connect()
                await transport.send(LETTER, commit)
                await transport.send(ANOTHER, commit)
                assert seen == [0, 1]
                await transport.close()

        run(scenario)

    def test_a_letter_without_leave_leaves_no_trace(self) -> None:
        """Refused by `commit()` nothing is accepted, then or as the connection ends; the next letter goes."""

        async def scenario() -> None:
            async with self.running(Behaviour.ACCEPTS) as (transport, other):
                await transport.connect()
                assert await transport.send(LETTER, refuse) is None
                if not transport.is_usable:
                    await transport.connect()
                outcome = await transport.send(ANOTHER, allow)
                assert outcome is not None
                assert outcome.state is DeliveryState.SENT
                await transport.close()
                assert other.accepted == [ANOTHER]

        run(scenario)

    def test_what_the_books_raise_comes_through_and_the_letter_does_not_go(self) -> None:
        """An error in `commit()` is its caller's to handle; closing afterwards does not let the letter go."""

        async def scenario() -> None:
            async with self.running(Behaviour.ACCEPTS) as (transport, other):

                async def fail() -> bool:
                    raise LookupError("the books")

                await transport.connect()
                with pytest.raises(LookupError, match="the books"):
                    await transport.send(LETTER, fail)
                await transport.close()
                assert other.accepted == []

        run(scenario)

    def test_a_letter_cut_off_while_it_waits_for_leave_does_not_go(self) -> None:
        """Cancelled between question and answer, the transport sends nothing more of the letter."""

        async def scenario() -> None:
            async with self.running(Behaviour.ACCEPTS) as (transport, other):
                asked = asyncio.Event()

                async def wait() -> bool:
                    asked.set()
                    await asyncio.Event().wait()
                    return True

                await transport.connect()
                sending = asyncio.create_task(transport.send(LETTER, wait))
                await asked.wait()
                sending.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await sending
                await transport.close()
                assert other.accepted == []

        run(scenario)

    @pytest.mark.parametrize(
        ("behaviour", "state"),
        [
            (Behaviour.DEFERS_READER, DeliveryState.DEFERRED),
            (Behaviour.DEFERS_MESSAGE, DeliveryState.DEFERRED),
            (Behaviour.BOUNCES_READER, DeliveryState.BOUNCED),
            (Behaviour.BOUNCES_MESSAGE, DeliveryState.BOUNCED),
        ],
    )
    def test_a_refusal_is_a_value_and_the_next_letter_goes(
        self, behaviour: Behaviour, state: DeliveryState
    ) -> None:
        """A no comes back with the other side's word, and concerns only its own letter."""

        async def scenario() -> None:
            async with self.running(behaviour) as (transport, other):
                await transport.connect()
                outcome = await transport.send(LETTER, allow)
                assert outcome is not None
                assert outcome.state is state
                assert outcome.code is not None
                assert outcome.reply
                other.behaviour = Behaviour.ACCEPTS
                if not transport.is_usable:
                    await transport.connect()
                await transport.send(ANOTHER, allow)
                assert other.accepted == [ANOTHER]
                await transport.close()

        run(scenario)

    def test_a_lost_reply_is_a_doubt(self) -> None:
        """After leave was given, silence is neither yes nor no: `in_doubt`, without a code."""

        async def scenario() -> None:
            async with self.running(Behaviour.LOSES_REPLY) as (transport, other):
                await transport.connect()
                outcome = await transport.send(LETTER, allow)
                assert outcome is not None
                assert (outcome.state, outcome.stage, outcome.code) == (
                    DeliveryState.IN_DOUBT,
                    Stage.DOT,
                    None,
                )
                assert other.accepted == [LETTER]
                assert not transport.is_usable
                await transport.close()

        run(scenario)

    def test_a_connection_lost_early_only_defers_and_can_be_had_again(self) -> None:
        """Lost before leave was asked, the letter is deferred; `connect()` opens the same transport anew."""

        async def scenario() -> None:
            async with self.running(Behaviour.LOSES_CONNECTION) as (transport, other):
                await transport.connect()
                outcome = await transport.send(LETTER, refuse)
                assert outcome is not None
                assert (outcome.state, outcome.code) == (DeliveryState.DEFERRED, None)
                assert not transport.is_usable
                other.behaviour = Behaviour.ACCEPTS
                await transport.connect()
                await transport.send(LETTER, allow)
                assert other.accepted == [LETTER]
                await transport.close()

        run(scenario)

    def test_nobody_there_is_an_error_and_no_outcome(self) -> None:
        """A relay that cannot be reached is a RelayError that says so: no letter is to blame."""

        async def scenario() -> None:
            async with self.running(Behaviour.ABSENT) as (transport, _):
                with pytest.raises(RelayError, match="cannot be used"):
                    await transport.connect()
                assert not transport.is_usable
                await transport.close()

        run(scenario)

    @pytest.mark.parametrize("behaviour", [Behaviour.ACCEPTS, Behaviour.LOSES_CONNECTION])
    def test_taking_leave_never_raises(self, behaviour: Behaviour) -> None:
        """`close()` is fine before a connection, on one, on a lost one, and twice."""

        async def scenario() -> None:
            async with self.running(behaviour) as (transport, _):
                await transport.close()
                await transport.connect()
                await transport.close()
                await transport.close()
                assert not transport.is_usable

        run(scenario)
