"""SMTP, stage by stage: against a server that does as told, and against a real neighbour."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.session import TIME_LIMITS, Offers
from newsletter.delivery.smtp import Habits, SMTPTransport
from newsletter.delivery.transport import Commit, Letter, OneByOne
from newsletter.errors import RelayError
from newsletter.settings import RelaySection, TLSMode
from newsletter.states import DeliveryState
from tests.contract.transport import (
    ANOTHER,
    LETTER,
    Behaviour,
    OtherSide,
    Running,
    TransportContract,
    allow,
    refuse,
    run,
)
from tests.delivery.neighbour import PASSWORD, USER, Neighbour
from tests.delivery.scripted import EOF, RESET, ScriptedServer
from tests.delivery.sender import Sender

both_modes = pytest.mark.parametrize("offers", [(), ("PIPELINING",)], ids=["one at a time", "pipelined"])
VERBS = {Stage.MAIL: "MAIL", Stage.RCPT: "RCPT", Stage.DATA: "DATA", Stage.DOT: "."}
STAGES = list(VERBS)
BEFORE_THE_BODY = [Stage.MAIL, Stage.RCPT, Stage.DATA]
INTERNATIONAL = Letter(LETTER.return_path, "иван@xn--e1afmkfd.example", "To: иван\r\n\r\nHi\r\n".encode())


def impatient(**seconds: float) -> dict[Stage, float]:
    """The standard's time limits but for these."""
    return TIME_LIMITS | {Stage[name]: limit for name, limit in seconds.items()}


def smtp_to(
    port: int,
    *,
    tls: TLSMode = TLSMode.NONE,
    host: str = "127.0.0.1",
    habits: Habits | None = None,
    time_limits: dict[Stage, float] = TIME_LIMITS,
    **more: object,
) -> SMTPTransport:
    relay = RelaySection.model_validate({"host": host, "port": port, "tls": tls, **more})
    return SMTPTransport(
        relay,
        password=relay.login_password(),
        helo_name="sender.test",
        habits=habits,
        time_limits=time_limits,
    )


def transport_to(port: int, **more: Any) -> OneByOne:
    return OneByOne(smtp_to(port, **more))


Steps = Callable[[OneByOne, ScriptedServer], Awaitable[None]]


def converse(steps: Steps, *offers: str) -> ScriptedServer:
    """Run steps on a connected transport; returns the server for a look at what it saw."""
    server = ScriptedServer(*offers)

    async def scenario() -> None:
        async with server:
            transport = transport_to(server.port)
            await transport.connect()
            try:
                await steps(transport, server)
            finally:
                await transport.close()

    run(scenario)
    return server


def outcome_of(
    letter: Letter = LETTER, commit: Commit = allow, *offers: str, **replies: bytes
) -> Outcome | None:
    """What one letter comes to when the server's replies (`DOT` for the message) are these."""
    found: list[Outcome | None] = []

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.replies |= {"." if verb == "DOT" else verb: reply for verb, reply in replies.items()}
        found.append(await transport.send(letter, commit))

    converse(steps, *offers)
    return found[0]


class TestSMTP(TransportContract):
    """SMTP keeps every promise of a transport."""

    offers: ClassVar[tuple[str, ...]] = ()
    _SCRIPTS: ClassVar = {
        Behaviour.ACCEPTS: {},
        Behaviour.DEFERS_READER: {"RCPT": b"450 4.2.1 Not now\r\n"},
        Behaviour.DEFERS_MESSAGE: {".": b"452 4.3.1 Full\r\n"},
        Behaviour.BOUNCES_READER: {"RCPT": b"550 5.1.1 Nobody\r\n"},
        Behaviour.BOUNCES_MESSAGE: {".": b"554 5.6.0 Never\r\n"},
        Behaviour.LOSES_REPLY: {".": EOF},
        Behaviour.LOSES_CONNECTION: {"MAIL": RESET},
        Behaviour.ABSENT: {},
    }

    def running(self, behaviour: Behaviour) -> Running:
        """A scripted server that behaves so."""
        return self._running(behaviour)

    @asynccontextmanager
    async def _running(self, behaviour: Behaviour) -> AsyncIterator[tuple[OneByOne, OtherSide]]:
        scripts = self._SCRIPTS

        class Other(ScriptedServer):
            @property
            def behaviour(self) -> Behaviour:
                return self._behaviour

            @behaviour.setter
            def behaviour(self, value: Behaviour) -> None:
                self._behaviour = value
                self.replies = dict(scripts[value])

        async with Other(*self.offers) as other:
            other.behaviour = behaviour
            port = 1 if behaviour is Behaviour.ABSENT else other.port  # nothing listens on tcpmux
            yield transport_to(port), other


class TestPipelinedSMTP(TestSMTP):
    """So it does with PIPELINING."""

    offers = ("PIPELINING",)


@both_modes
def test_a_transaction_is_mail_rcpt_data_and_the_message(offers: tuple[str, ...]) -> None:
    """The whole conversation, word for word, for two letters on one connection."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        await transport.send(LETTER, allow)
        await transport.send(ANOTHER, allow)

    server = converse(steps, *offers)
    assert server.commands == [
        "EHLO sender.test",
        f"MAIL FROM:<{LETTER.return_path}>",
        f"RCPT TO:<{LETTER.recipient}>",
        "DATA",
        f"MAIL FROM:<{ANOTHER.return_path}>",
        f"RCPT TO:<{ANOTHER.recipient}>",
        "DATA",
        "QUIT",
    ]
    assert server.accepted == [LETTER, ANOTHER]
    assert server.connections == 1


@both_modes
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [421, 450, 451, 452, 500, 550, 552, 554])
def test_a_refusal_at_each_stage_is_kept_with_its_words(
    stage: Stage, code: int, offers: tuple[str, ...]
) -> None:
    """Stage, code, enhanced status and text are the server's; the state is RFC 5321's."""
    status = f"{code // 100}.9.9"
    verb = "DOT" if stage is Stage.DOT else VERBS[stage]
    outcome = outcome_of(
        LETTER, allow, *offers, **{verb: f"{code}-{status} Some\r\n{code} {status} words\r\n".encode()}
    )
    assert outcome is not None
    assert (outcome.stage, outcome.code, outcome.enhanced_status) == (stage, code, status)
    assert outcome.reply == f"{status} Some\n{status} words"
    lasting = code >= 500 and stage is not Stage.MAIL and not (stage is Stage.RCPT and code == 552)
    assert outcome.state is (DeliveryState.BOUNCED if lasting else DeliveryState.DEFERRED)


@both_modes
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("code", [421, 451, 550])
def test_after_a_refusal_the_next_letter_goes(stage: Stage, code: int, offers: tuple[str, ...]) -> None:
    """On the same connection after RSET; after 421, which announces its end, on a new one."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.replies[VERBS[stage]] = f"{code} No\r\n".encode()
        await transport.send(LETTER, allow)
        del server.replies[VERBS[stage]]
        assert transport.is_usable == (code != 421)
        if not transport.is_usable:
            await transport.connect()
        outcome = await transport.send(ANOTHER, allow)
        assert outcome is not None
        assert outcome.state is DeliveryState.SENT

    server = converse(steps, *offers)
    assert server.accepted == [ANOTHER]
    assert server.connections == (2 if code == 421 else 1)
    assert ("RSET" in server.commands) == (code != 421 and stage is not Stage.DOT)


@both_modes
@pytest.mark.parametrize("reset", [b"451 No\r\n", EOF, RESET, b"what\r\n"])
def test_a_connection_that_cannot_be_reset_is_not_used_again(reset: bytes, offers: tuple[str, ...]) -> None:
    """If RSET fails the refusal still stands, and the next letter gets a new connection."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.replies |= {"RCPT": b"550 5.1.1 Nobody\r\n", "RSET": reset}
        outcome = await transport.send(LETTER, allow)
        assert outcome is not None
        assert outcome.state is DeliveryState.BOUNCED
        outcome = await transport.send(ANOTHER, allow)
        assert outcome is not None
        assert (outcome.state, outcome.code) == (DeliveryState.DEFERRED, None)
        assert not transport.is_usable
        server.replies.clear()
        await transport.connect()
        await transport.send(ANOTHER, allow)

    assert converse(steps, *offers).accepted == [ANOTHER]


@both_modes
@pytest.mark.parametrize("loss", [EOF, RESET])
@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_lost_at_each_stage(stage: Stage, loss: bytes, offers: tuple[str, ...]) -> None:
    """Before the body it puts the letter off; after the dot it leaves a doubt; there is no code to show."""
    verb = "DOT" if stage is Stage.DOT else VERBS[stage]
    outcome = outcome_of(LETTER, allow, *offers, **{verb: loss})
    assert outcome is not None
    expected = DeliveryState.IN_DOUBT if stage is Stage.DOT else DeliveryState.DEFERRED
    assert (outcome.state, outcome.stage, outcome.code) == (expected, stage, None)
    assert outcome.reply.startswith("the relay closed the connection")


@both_modes
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\r\n",
        b"25\r\n",
        b"2500 Ok\r\n",
        b"999 Ok\r\n",
        b"150 Ok\r\n",
        b"+OK\r\n",
        "٢٥٠ Ok\r\n".encode(),  # digits, but not SMTP's
        b"\xff\xfe\x00\r\n",
        b"250-Ok\r\nand so on\r\n",
    ],
)
def test_what_is_no_smtp_counts_as_a_lost_connection(
    stage: Stage, garbage: bytes, offers: tuple[str, ...]
) -> None:
    """Garbage is no answer: the letter is put off, or in doubt, and the connection is given up."""
    verb = "DOT" if stage is Stage.DOT else VERBS[stage]

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.replies["." if verb == "DOT" else verb] = garbage
        outcome = await transport.send(LETTER, allow)
        assert outcome is not None
        expected = DeliveryState.IN_DOUBT if stage is Stage.DOT else DeliveryState.DEFERRED
        assert (outcome.state, outcome.code) == (expected, None)
        assert "is not an SMTP reply" in outcome.reply
        assert not transport.is_usable

    converse(steps, *offers)


@both_modes
@pytest.mark.parametrize("endless", [b"250 " + b"x" * 300_000, b"250-x\r\n" * 40_000, b"250-\r\n" * 40_000])
@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DOT])
def test_an_answer_without_end_is_given_up(stage: Stage, endless: bytes, offers: tuple[str, ...]) -> None:
    """Neither an endless line nor endless lines fill the memory or hold the connection."""
    outcome = outcome_of(LETTER, allow, *offers, **{"DOT" if stage is Stage.DOT else "RCPT": endless})
    assert outcome is not None
    assert outcome.code is None
    assert len(outcome.reply) < 200


@settings(max_examples=30)
@given(st.sampled_from([(), ("PIPELINING",)]), st.sampled_from(STAGES), st.binary(max_size=200))
def test_no_bytes_whatever_make_it_stumble(offers: tuple[str, ...], stage: Stage, noise: bytes) -> None:
    """Whatever a server says, the letter has an outcome, and only a 2yz line after the dot is a yes."""
    verb = "DOT" if stage is Stage.DOT else VERBS[stage]
    found: list[Outcome | None] = []

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.replies["." if verb == "DOT" else verb] = noise
        server.after["." if verb == "DOT" else verb] = EOF
        found.append(await transport.send(LETTER, allow))

    converse(steps, *offers)
    assert found[0] is not None
    if found[0].state is DeliveryState.SENT:
        assert noise.startswith(b"2")


@pytest.mark.parametrize("stage", STAGES)
def test_a_relay_that_does_not_answer_is_not_waited_for_for_ever(stage: Stage) -> None:
    """Each command has its time limit; silence after it is a lost connection."""

    async def scenario() -> None:
        async with ScriptedServer() as server:
            transport = transport_to(server.port, time_limits=impatient(**{stage.name: 0.01}))
            await transport.connect()
            server.replies[VERBS[stage]] = b""
            outcome = await transport.send(LETTER, allow)
            assert outcome is not None
            expected = DeliveryState.IN_DOUBT if stage is Stage.DOT else DeliveryState.DEFERRED
            assert (outcome.state, outcome.reply) == (expected, "the relay did not answer in time.")

    run(scenario)


@both_modes
@pytest.mark.parametrize("code", [250, 251, 252])
def test_any_2yz_takes_the_recipient(code: int, offers: tuple[str, ...]) -> None:
    """The first digit decides (RFC 5321 §4.2.1): 251 will forward, 252 cannot verify, both take it."""
    outcome = outcome_of(LETTER, allow, *offers, RCPT=f"{code} So be it\r\n".encode())
    assert outcome is not None
    assert outcome.state is DeliveryState.SENT


@both_modes
@pytest.mark.parametrize("loss", [EOF, RESET])
def test_a_kept_connection_that_was_closed_meanwhile_says_so_at_mail(
    loss: bytes, offers: tuple[str, ...]
) -> None:
    """A relay may close an idle connection in any way; the next letter finds out before anything is sent."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        server.after["."] = loss
        await transport.send(LETTER, allow)
        await server.end_of_sessions()
        while transport.is_usable:
            await asyncio.sleep(0)  # until this side has heard of it
        outcome = await transport.send(ANOTHER, allow)
        assert outcome is not None
        assert (outcome.state, outcome.stage, outcome.code) == (DeliveryState.DEFERRED, Stage.MAIL, None)
        assert not transport.is_usable
        await transport.connect()
        await transport.send(ANOTHER, allow)

    assert converse(steps, *offers).accepted == [LETTER, ANOTHER]


def test_a_farewell_that_is_cut_off_still_closes() -> None:
    """Cancelled while it waits for the answer to QUIT, the connection is closed all the same."""

    async def scenario() -> None:
        async with ScriptedServer() as server:
            server.replies["QUIT"] = b""
            transport = transport_to(server.port)
            await transport.connect()
            closing = asyncio.create_task(transport.close())
            while "QUIT" not in server.commands:
                await asyncio.sleep(0)
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            assert not transport.is_usable

    run(scenario)


async def fail() -> bool:
    """The books cannot be kept."""
    raise LookupError


async def be_cancelled() -> bool:
    """The task ends while the books are asked."""
    raise asyncio.CancelledError


@both_modes
@pytest.mark.parametrize("commit", [refuse, fail, be_cancelled])
def test_without_leave_the_message_is_never_ended(commit: Commit, offers: tuple[str, ...]) -> None:
    """Refused after 354, the connection is closed: no dot, no QUIT, not an octet of the letter follows."""
    server = ScriptedServer(*offers)

    async def scenario() -> None:
        async with server:
            transport = transport_to(server.port)
            await transport.connect()
            with suppress(LookupError, asyncio.CancelledError):
                assert await transport.send(LETTER, commit) is None
            assert not transport.is_usable
            await transport.close()
            await server.end_of_sessions()

    run(scenario)
    assert server.commands[-1] == "DATA"
    assert server.accepted == []
    assert server.cut_short == [b""]


@pytest.mark.parametrize(
    ("offers", "options"),
    [
        ((), ""),
        (("SIZE",), f" SIZE={len(LETTER.content)}"),
        (("SIZE 1000000", "8BITMIME", "SMTPUTF8", "PIPELINING"), f" SIZE={len(LETTER.content)}"),
        (("8BITMIME", "SMTPUTF8"), ""),
    ],
)
def test_mail_options_are_used_only_where_offered_and_needed(offers: tuple[str, ...], options: str) -> None:
    """SIZE wherever it is offered; a plain letter asks for nothing more."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        await transport.send(LETTER, allow)

    assert f"MAIL FROM:<{LETTER.return_path}>{options}" in converse(steps, *offers).commands


@pytest.mark.parametrize(
    "letter",
    [
        INTERNATIONAL,
        Letter("новости@example.org", LETTER.recipient, LETTER.content),
        Letter(LETTER.return_path, LETTER.recipient, INTERNATIONAL.content),
    ],
)
def test_addresses_beyond_ascii_go_where_smtputf8_is_offered(letter: Letter) -> None:
    """In envelope or header, they are announced at MAIL (RFC 6531) and arrive as they are."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        await transport.send(letter, allow)

    server = converse(steps, "SMTPUTF8", "8BITMIME")
    assert server.accepted == [letter]
    assert f"MAIL FROM:<{letter.return_path}> SMTPUTF8 BODY=8BITMIME" in server.commands


@pytest.mark.parametrize("offers", [(), ("8BITMIME",)])
def test_addresses_beyond_ascii_bounce_where_smtputf8_is_not_offered(offers: tuple[str, ...]) -> None:
    """The relay can never take such a letter: it is refused, by name of the lack, before a word is said."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        outcome = await transport.send(INTERNATIONAL, allow)
        assert outcome is not None
        assert (outcome.state, outcome.enhanced_status) == (DeliveryState.BOUNCED, "5.6.7")
        assert "SMTPUTF8" in outcome.reply
        assert transport.is_usable

    assert converse(steps, *offers).commands == ["EHLO sender.test", "QUIT"]


def test_8bitmime_is_not_asked_for_where_it_is_not_offered() -> None:
    """A server that offers SMTPUTF8 without 8BITMIME, against RFC 6531, is not sent what it did not offer."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        await transport.send(INTERNATIONAL, allow)

    commands = converse(steps, "SMTPUTF8").commands
    assert f"MAIL FROM:<{INTERNATIONAL.return_path}> SMTPUTF8" in commands


# Several letters on one connection, each proposed behind the one before


BATCH = [LETTER._replace(recipient=f"r{number}@example.net") for number in range(3)]


async def send_batch(transport: SMTPTransport, letters: list[Letter]) -> Sender:
    """Send letters as far as one connection takes them."""
    sender = Sender(letters)
    await transport.connect(sender)
    sender.begin(transport)
    await sender.ended.wait()
    await transport.close()
    return sender


@both_modes
@pytest.mark.parametrize("loss", [EOF, RESET])
@pytest.mark.parametrize("stage", STAGES)
def test_a_connection_lost_among_letters_settles_each_once(
    stage: Stage, loss: bytes, offers: tuple[str, ...]
) -> None:
    """Check 28 over TCP: sent, in doubt, put off or untried; a second connection takes those not tried."""

    class Failing(ScriptedServer):
        async def _answer(self, verb: str, writer: asyncio.StreamWriter) -> bool:
            settled = 2 if stage is Stage.DOT else 1
            if verb == VERBS[stage] and self.connections == 1 and len(self.accepted) == settled:
                return await self._act(loss, writer)
            return await super()._answer(verb, writer)

    async def scenario() -> None:
        async with Failing(*offers) as server:
            first = await send_batch(smtp_to(server.port), BATCH)
            assert len(first.losses) == 1
            ends = {Stage.MAIL: [], Stage.DOT: ["in_doubt"]}.get(stage, ["deferred"])
            assert first.states == ["sent", *ends]
            rest = [*first.untried, *first.waiting]
            assert [letter for letter, _ in first.outcomes] + rest == BATCH
            second = await send_batch(smtp_to(server.port), rest)
            assert second.states == ["sent"] * len(rest)
            put_off = BATCH[1:2] if ends == ["deferred"] else []
            assert server.accepted == [letter for letter in BATCH if letter not in put_off]

    run(scenario)


@pytest.mark.parametrize("forgets", ["envelope", "behind the content"])
def test_pipelining_that_fails_is_given_up_for_the_next_connection(forgets: str) -> None:
    """A relay that drops what follows in a group ends one connection; then commands go one at a time.

    No letter is lost, and none goes twice.
    """

    class Forgetful(ScriptedServer):
        """Drops what has come already behind a command (or only behind a message's content)."""

        async def _answer(self, verb: str, writer: asyncio.StreamWriter) -> bool:
            if verb == "." or (verb in ("MAIL", "RCPT") and forgets == "envelope"):
                self.reader._buffer.clear()  # type: ignore[attr-defined]  # all that one write brought
            return await super()._answer(verb, writer)

        async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.reader = reader
            await super()._converse(reader, writer)

    async def scenario() -> None:
        habits = Habits()
        async with Forgetful("PIPELINING") as server:
            limits = impatient(RCPT=0.05) if forgets == "envelope" else impatient(MAIL=0.5)
            first = await send_batch(smtp_to(server.port, habits=habits, time_limits=limits), BATCH)
            assert not habits.may_pipeline(asyncio.get_running_loop().time())
            assert first.states == ([] if forgets == "envelope" else ["sent"])
            rest = [
                letter for letter in BATCH if (letter, "sent") not in zip(BATCH, first.states, strict=False)
            ]
            second = await send_batch(smtp_to(server.port, habits=habits), rest)
            assert second.states == ["sent"] * len(rest)
            assert server.accepted == BATCH

    run(scenario)


def test_pipelining_that_works_is_kept() -> None:
    """A relay that hangs up is no reason to go one at a time."""

    async def scenario() -> None:
        habits = Habits()
        async with ScriptedServer("PIPELINING") as server:
            server.after["."] = EOF
            sender = await send_batch(smtp_to(server.port, habits=habits), BATCH)
            assert sender.states == ["sent"]
            assert len(sender.untried) + len(sender.waiting) == 2
            assert habits.may_pipeline(asyncio.get_running_loop().time())

    run(scenario)


@both_modes
def test_a_relay_that_does_not_read_is_not_waited_for_for_ever(offers: tuple[str, ...]) -> None:
    """With the network's buffers full, the time limit of the message's end still counts."""

    class Deaf(ScriptedServer):
        async def _body(self, reader: asyncio.StreamReader) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    async def scenario() -> None:
        async with Deaf(*offers) as server:
            large = LETTER._replace(content=LETTER.content + b"x" * 70 + b"\r\n" * 10_000_000)
            transport = smtp_to(server.port, time_limits=impatient(DOT=0.05))
            sender = await send_batch(transport, [large, ANOTHER])
            assert sender.states == ["in_doubt"]
            assert sender.untried == [ANOTHER]

    run(scenario)


@both_modes
def test_a_connection_lost_while_leave_is_asked_is_told_and_nothing_went(offers: tuple[str, ...]) -> None:
    """The books take their time, and the relay does not: the letter is put off, not in doubt."""

    async def steps(transport: OneByOne, server: ScriptedServer) -> None:
        async def slow() -> bool:
            while transport.is_usable:
                await asyncio.sleep(0)
            return True

        server.after["DATA"] = EOF
        outcome = await transport.send(LETTER, slow)
        assert outcome is not None
        assert (outcome.state, outcome.stage, outcome.code) == (DeliveryState.DEFERRED, Stage.DATA, None)

    assert converse(steps, *offers).accepted == []


@pytest.mark.parametrize("verb", ["EHLO", "AUTH"])
def test_a_relay_that_hangs_up_before_the_first_letter_is_a_clear_error_or_a_loss(verb: str) -> None:
    """Whichever is heard first, the hanging up or the first letter: nobody waits for ever."""

    async def scenario() -> None:
        async with ScriptedServer("AUTH PLAIN") as server:
            server.replies["AUTH"] = b"235 2.7.0 Welcome\r\n"
            server.after[verb] = EOF
            sender = Sender([LETTER])
            transport = smtp_to(server.port, user=USER, password=SecretStr(PASSWORD))
            why = ""
            try:
                await transport.connect(sender)
            except RelayError as error:
                why = str(error)
            else:
                sender.begin(transport)
                await sender.ended.wait()
            assert "cannot be used" in why or sender.untried == [LETTER]
            assert not transport.is_usable

    run(scenario)


def refused_connection(server: ScriptedServer, **more: object) -> str:
    """Why a transport cannot be connected to a server; it must leave no connection open."""
    message = ""

    async def scenario() -> None:
        nonlocal message
        async with server:
            transport = transport_to(server.port, **more)  # type: ignore[arg-type]
            with pytest.raises(RelayError) as raised:
                await transport.connect()
            assert not transport.is_usable
            message = str(raised.value)
            await server.end_of_sessions()  # the server sees that nothing stays open

    run(scenario)
    return message


@pytest.mark.parametrize(
    ("verb", "reply", "words"),
    [
        ("", b"421 4.3.2 Overloaded\r\n", "Overloaded"),
        ("", b"554 5.7.1 Not you\r\n", "Not you"),
        ("", EOF, "Unexpected EOF"),
        ("", b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0"),
        ("EHLO", b"502 5.5.1 No\r\n", "No"),
        ("EHLO", b"421 4.3.2 Later\r\n", "Later"),
        ("EHLO", EOF, ""),
    ],
)
def test_a_relay_that_refuses_to_talk_is_named_with_its_words(verb: str, reply: bytes, words: str) -> None:
    """Refusals before the first letter are about the relay: which, and what it said."""
    server = ScriptedServer()
    server.replies[verb] = reply
    message = refused_connection(server)
    assert message.startswith(f"the relay 127.0.0.1:{server.port} cannot be used: ")
    assert words in message


@pytest.mark.parametrize("verb", ["", "EHLO", "AUTH"])
def test_what_a_relay_says_of_itself_can_be_shown(verb: str) -> None:
    """Octets beyond UTF-8 and terminal controls in its words come out harmless."""
    server = ScriptedServer("AUTH PLAIN")
    server.replies[verb] = b"535 5.7.8 \x1b[2J\xff\xfe No\r\n"
    message = refused_connection(server, user=USER, password=SecretStr(PASSWORD))
    assert message.isprintable()
    assert "[2J" in message
    message.encode()


def test_a_relay_that_offers_no_starttls_is_refused_unless_it_is_this_machine() -> None:
    """`starttls` insists on protection; `auto` does without only on loopback; the message says so."""
    message = refused_connection(ScriptedServer(), tls=TLSMode.STARTTLS)
    assert "offers no STARTTLS" in message
    assert 'tls = "implicit"' in message

    async def steps() -> None:
        async with ScriptedServer() as server:
            transport = transport_to(server.port, tls=TLSMode.AUTO)
            await transport.connect()
            await transport.close()

    run(steps)


@pytest.mark.parametrize("host", ["a..b", "x" * 300, "no-such-host.invalid"])
def test_a_host_that_cannot_be_found_is_named(host: str) -> None:
    """A mistyped host name is a RelayError with that name, however wrong it is."""

    async def scenario() -> None:
        with pytest.raises(RelayError, match="cannot be used") as raised:
            await transport_to(587, host=host).connect()
        assert host in str(raised.value)

    run(scenario)


def test_a_host_that_does_not_answer_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes no connection and refuses none has a time limit of its own."""
    monkeypatch.setattr("newsletter.delivery.smtp._CONNECT_SECONDS", 0.05)

    async def scenario() -> None:
        with ExitStack() as sockets:
            busy = sockets.enter_context(socket.socket())
            busy.bind(("127.0.0.1", 0))
            busy.listen(0)  # whose queue is full at once
            for _ in range(4):
                caller = sockets.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(busy.getsockname())
            with pytest.raises(RelayError, match="cannot be used: it does not answer"):
                await transport_to(busy.getsockname()[1]).connect()

    run(scenario)


# A real neighbour: logins and TLS.


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority for one afternoon."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine trusts that authority, as an operator's own would be: by OpenSSL's variable."""
    bundle = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def send_one(transport: OneByOne, letter: Letter = LETTER) -> Outcome:
    found: list[Outcome | None] = []

    async def scenario() -> None:
        await transport.connect()
        try:
            found.append(await transport.send(letter, allow))
        finally:
            await transport.close()

    run(scenario)
    assert found[0] is not None
    return found[0]


def why_not(transport: OneByOne) -> str:
    async def scenario() -> str:
        try:
            with pytest.raises(RelayError) as raised:
                await transport.connect()
            assert not transport.is_usable
        finally:
            await transport.close()
        return str(raised.value)

    return run(scenario)


@pytest.mark.parametrize("letter", [LETTER, INTERNATIONAL])
def test_a_real_server_gets_the_letter_as_it_is(letter: Letter) -> None:
    """aiosmtpd takes it: its reply is recorded, envelope and bytes are ours."""
    with Neighbour(enable_SMTPUTF8=True) as server:
        outcome = send_one(transport_to(server.port), letter)
    assert (outcome.code, outcome.reply) == (250, "2.0.0 Taken by the neighbour")
    assert server.accepted == [letter]


def test_a_real_server_without_smtputf8_is_not_asked_for_it() -> None:
    """The reader's letter bounces for a reason; the relay is not troubled."""
    with Neighbour(enable_SMTPUTF8=False) as server:
        assert send_one(transport_to(server.port), INTERNATIONAL).enhanced_status == "5.6.7"
    assert server.accepted == []


@pytest.mark.parametrize("mode", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
@pytest.mark.usefixtures("trusted")
def test_tls_with_a_trusted_certificate(authority: trustme.CA, mode: TLSMode) -> None:
    """STARTTLS and implicit TLS carry whole letters, logged in, and the server saw them protected."""
    implicit = mode is TLSMode.IMPLICIT
    with Neighbour(
        tls_context=server_tls(authority, "localhost"), implicit=implicit, auth_require_tls=not implicit
    ) as server:
        transport = transport_to(
            server.port, host="localhost", tls=mode, user=USER, password=SecretStr(PASSWORD)
        )
        large = Letter(LETTER.return_path, LETTER.recipient, LETTER.content + b"More words.\r\n" * 40_000)
        assert send_one(transport, large).state is DeliveryState.SENT
    assert server.accepted == [large]
    if implicit:
        assert server.was_secure == [True]


@both_modes
@pytest.mark.parametrize("mode", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
@pytest.mark.usefixtures("trusted")
def test_letters_go_by_groups_over_tls(authority: trustme.CA, mode: TLSMode, offers: tuple[str, ...]) -> None:
    """Three letters, one of a megabyte, on one protected connection, with PIPELINING and without."""
    large = LETTER._replace(content=LETTER.content + b"More words, .\r\n" * 80_000)
    letters = [BATCH[0], large, BATCH[2]]

    async def scenario() -> None:
        implicit = mode is TLSMode.IMPLICIT
        tls = server_tls(authority, "localhost")
        async with ScriptedServer(*offers, "STARTTLS", tls=tls, implicit=implicit) as server:
            sender = await send_batch(smtp_to(server.port, host="localhost", tls=mode), letters)
            assert sender.states == ["sent"] * 3
            assert server.accepted == letters
            assert server.commands[-1] == "QUIT"

    run(scenario)


@pytest.mark.parametrize("injected", [b"", b"250-injected\r\n250-PIPELINING\r\n250 SIZE 1\r\n"])
@pytest.mark.usefixtures("trusted")
def test_only_what_is_said_under_tls_counts(authority: trustme.CA, injected: bytes) -> None:
    """Checks 21 and 22: EHLO again after STARTTLS; its offers alone are used; login and letters come after.

    What somebody slips in behind the word to begin TLS is not heard (RFC 3207 §6).
    """

    class TwoFaced(ScriptedServer):
        def _reply(self, verb: str) -> bytes:
            if verb == "EHLO" and "STARTTLS" in self.commands:
                return b"250-scripted.test\r\n250-DSN\r\n250 AUTH PLAIN\r\n"
            return super()._reply(verb)

    async def scenario() -> None:
        tls = server_tls(authority, "localhost")
        async with TwoFaced("STARTTLS", "PIPELINING", "SIZE 10", "SMTPUTF8", tls=tls) as server:
            server.replies |= {"STARTTLS": b"220 Go on\r\n" + injected, "AUTH": b"235 2.7.0 Welcome\r\n"}
            transport = smtp_to(
                server.port,
                host="localhost",
                tls=TLSMode.STARTTLS,
                user=USER,
                password=SecretStr(PASSWORD),
            )
            sender = await send_batch(transport, [LETTER])
            assert sender.states == ["sent"]
            assert transport.offers == Offers(dsn=True)
            verbs = [command.split()[0] for command in server.commands]
            assert verbs == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]

    run(scenario)


@pytest.mark.parametrize("mode", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
@pytest.mark.usefixtures("trusted")
def test_a_certificate_for_somebody_else_is_refused(authority: trustme.CA, mode: TLSMode) -> None:
    """A trusted authority is not enough: the name must be the relay's."""
    context = server_tls(authority, "elsewhere.example")
    with Neighbour(tls_context=context, implicit=mode is TLSMode.IMPLICIT) as server:
        message = why_not(transport_to(server.port, host="localhost", tls=mode))
    assert "certificate" in message.lower()
    assert server.accepted == []


@pytest.mark.parametrize("mode", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
def test_a_certificate_of_an_unknown_authority_is_refused(authority: trustme.CA, mode: TLSMode) -> None:
    """Whoever asks for TLS gets it checked, on this machine too."""
    context = server_tls(authority, "localhost")
    with Neighbour(tls_context=context, implicit=mode is TLSMode.IMPLICIT) as server:
        message = why_not(transport_to(server.port, host="localhost", tls=mode))
    assert "certificate" in message.lower()


def test_auto_takes_what_protection_a_relay_on_this_machine_has(authority: trustme.CA) -> None:
    """A local relay with a made-up certificate is used with STARTTLS: loopback needs no identity check."""
    with Neighbour(tls_context=server_tls(authority, "whatever.example"), require_starttls=True) as server:
        assert send_one(transport_to(server.port, tls=TLSMode.AUTO)).state is DeliveryState.SENT


def test_a_server_that_waits_for_tls_is_not_waited_for_without_it(authority: trustme.CA) -> None:
    """tls = "none" on an implicit-TLS port: nobody speaks first, so the time limit ends it."""
    with Neighbour(tls_context=server_tls(authority, "localhost"), implicit=True) as server:
        assert "Timed out" in why_not(transport_to(server.port, time_limits=impatient(CONNECT=0.1)))


def test_a_plain_server_is_no_tls_server() -> None:
    """tls = "implicit" on a plain port is a clear error."""
    with Neighbour() as server:
        assert "cannot be used" in why_not(transport_to(server.port, tls=TLSMode.IMPLICIT))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # without TLS, on loopback
def test_a_login_that_is_right_is_used() -> None:
    """User and password, beyond ASCII too, open a relay that asks for them."""
    with Neighbour(auth_required=True, auth_require_tls=False) as server:
        transport = transport_to(server.port, user=USER, password=SecretStr(PASSWORD))
        assert send_one(transport).state is DeliveryState.SENT


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # without TLS, on loopback
def test_a_login_that_is_refused_names_the_user_and_not_the_password() -> None:
    """Who was refused, what the relay said, where to look; the secret stays secret."""
    with Neighbour(auth_required=True, auth_require_tls=False) as server:
        message = why_not(transport_to(server.port, user=USER, password=SecretStr("wrong-secret")))
    assert f"refused the login of {USER!r} (535" in message
    assert "[relay]" in message
    assert "wrong-secret" not in message


@pytest.mark.parametrize("mode", [TLSMode.STARTTLS, TLSMode.IMPLICIT])
@pytest.mark.usefixtures("trusted")
def test_a_login_refused_over_tls_ends_at_once(authority: trustme.CA, mode: TLSMode) -> None:
    """Neither the relay nor the event loop waits for a TLS farewell once there is nothing to send."""
    implicit = mode is TLSMode.IMPLICIT
    tls = server_tls(authority, "localhost")
    with Neighbour(tls_context=tls, implicit=implicit, auth_require_tls=not implicit) as server:
        wrong = SecretStr("wrong-secret")
        message = why_not(transport_to(server.port, host="localhost", tls=mode, user=USER, password=wrong))
    assert "refused the login" in message


def test_a_relay_without_logins_says_so() -> None:
    """A user for a relay that knows none is a mistake in the settings, told as one."""
    with Neighbour(authenticator=None, auth_require_tls=True) as server:
        assert "AUTH" in why_not(transport_to(server.port, user=USER, password=SecretStr(PASSWORD)))


@pytest.mark.filterwarnings("ignore:Requiring AUTH")  # without TLS, on loopback
def test_a_relay_that_wants_a_login_and_gets_none_only_defers() -> None:
    """530 at MAIL is about the sender: no reader bounces for it."""
    with Neighbour(auth_required=True, auth_require_tls=False) as server:
        outcome = send_one(transport_to(server.port))
    assert (outcome.state, outcome.stage, outcome.code) == (DeliveryState.DEFERRED, Stage.MAIL, 530)


@pytest.fixture(autouse=True)
def _no_real_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer's machine trusts is no part of a test."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
