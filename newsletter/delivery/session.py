"""One SMTP session after its greeting: transactions in pipelined groups (RFC 5321 §3.3, RFC 2920).

The content of a letter, its dot, and MAIL, RCPT and DATA of the next one go in one write, so a letter costs
one round trip. Groups end at DATA, replies are matched to commands one by one, and all are looked at. Where
PIPELINING is not offered, or has turned out not to work, commands go one at a time.

The order of a transaction is the promise: the relay's 354, `release()`, and only then the content. After
`abandon()` the connection is cut without a dot: nothing was sent (RFC 5321 §4.1.1.4).

Time limits are those of RFC 5321 §4.5.3.2, a reply. A relay that does not speak SMTP counts as lost.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from newsletter.delivery.outcome import Outcome, Stage, broken, replied, too_big, unreachable_address
from newsletter.delivery.replies import NotSMTPError, ReplyParser
from newsletter.delivery.transport import Letter, Listener
from newsletter.states import DeliveryState

TIME_LIMITS = {
    Stage.CONNECT: 300.0,  # the greeting, EHLO, AUTH and RSET
    Stage.MAIL: 300.0,
    Stage.RCPT: 300.0,
    Stage.DATA: 120.0,
    Stage.DOT: 600.0,
}
"""Seconds to wait for the reply to each command."""

_FAREWELL_SECONDS = 5.0
"""For the answer to QUIT: nothing hangs on it."""
_SIZE_DIGITS = 20
"""RFC 1870 §3."""
_ENVID_CHARS = 100
"""RFC 3461 §4.4."""

_XTEXT = {
    octet: chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}"
    for octet in range(256)
}


@dataclass(frozen=True, slots=True)
class Offers:
    """What the relay's last EHLO offered, as far as it is of use here."""

    pipelining: bool = False
    size: int | None = None
    """The largest message in octets (RFC 1870): 0 for no limit, None if SIZE is not offered."""
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False

    @classmethod
    def of(cls, extensions: Mapping[str, str]) -> "Offers":
        """Read the extensions by their keywords in lower case, with their parameters."""
        size = extensions.get("size")
        return cls(
            pipelining="pipelining" in extensions,
            size=None if size is None else _octets(size),
            eight_bit_mime="8bitmime" in extensions,
            smtputf8="smtputf8" in extensions,
            dsn="dsn" in extensions,
        )


def _octets(size: str) -> int:
    """SIZE's parameter; 0, no limit, where it is left out or is no number."""
    return int(size) if size.isascii() and size.isdigit() and len(size) <= _SIZE_DIGITS else 0


class Habits:
    """What was learnt of a relay, for all connections to it. Instants are the event loop's."""

    _MEMORY_SECONDS = 3600.0

    def __init__(self) -> None:
        self._one_at_a_time_until = 0.0

    def may_pipeline(self, now: float) -> bool:
        """Whether commands may go in groups, if it offers that: not while it is known to lose its place."""
        return now >= self._one_at_a_time_until

    def lost_its_place(self, now: float) -> None:
        """Its answers to a group made no sense, or stopped to come: for an hour commands go one at a time."""
        self._one_at_a_time_until = now + self._MEMORY_SECONDS


class Unsuitable(Exception):  # noqa: N818  # never leaves this module: it carries an outcome to where it is told
    """The relay can not take this letter, as it has said itself."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reply)
        self.outcome = outcome


def envelope(letter: Letter, offers: Offers) -> tuple[bytes, bytes]:
    """The MAIL and RCPT commands of a letter, with parameters that are offered and needed.

    SIZE (RFC 1870), BODY and SMTPUTF8 (RFC 6152, 6531), RET, ENVID, NOTIFY and ORCPT (RFC 3461). Raises
    Unsuitable.
    """
    size = len(letter.content)
    if offers.size and size > offers.size:
        raise Unsuitable(too_big(size, offers.size))
    mail = b"MAIL FROM:<%s>" % letter.return_path.encode()
    rcpt = b"RCPT TO:<%s>" % letter.recipient.encode()
    if offers.size is not None:
        mail += b" SIZE=%d" % size
    # Bodies are quoted-printable: an octet beyond ASCII is part of somebody's address.
    if not (mail.isascii() and rcpt.isascii() and letter.content.isascii()):
        if not offers.smtputf8:
            raise Unsuitable(unreachable_address("The relay takes no addresses beyond ASCII (SMTPUTF8)."))
        mail += b" SMTPUTF8 BODY=8BITMIME" if offers.eight_bit_mime else b" SMTPUTF8"
    elif offers.dsn:
        envid = _xtext(letter.return_path)
        mail += b" RET=HDRS ENVID=" + envid if 0 < len(envid) <= _ENVID_CHARS else b" RET=HDRS"
        rcpt += b" NOTIFY=FAILURE ORCPT=rfc822;" + _xtext(letter.recipient)
    return mail + b"\r\n", rcpt + b"\r\n"


def _xtext(text: str) -> bytes:
    """RFC 3461 §4."""
    if text.isprintable() and " " not in text:
        return text.replace("+", "+2B").replace("=", "+3D").encode("ascii")
    return text.translate(_XTEXT).encode("ascii")


class Session(asyncio.Protocol):
    """Transactions on a connection that is open, secured and logged in."""

    def __init__(
        self,
        offers: Offers,
        listener: Listener,
        time_limits: Mapping[Stage, float] = TIME_LIMITS,
        habits: Habits | None = None,
    ) -> None:
        self.offers = offers
        self._listener = listener
        self._time_limits = time_limits
        self._habits = habits or Habits()
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._parser = ReplyParser()
        self._awaited: deque[Stage] = deque()
        """The commands whose replies have not come; CONNECT stands for RSET and QUIT."""
        self._unsent: deque[tuple[Stage, bytes]] = deque()
        """Commands that wait for the reply before them."""
        self._proposed: Letter | None = None
        self._released: Letter | None = None
        """The letter whose content is out and whose reply has not come."""
        self._heard = False
        """Whether the relay has answered a command of the proposed letter's."""
        self._refusal: Outcome | None = None
        self._is_asked = False
        self._needs_reset = False
        self._deadline = 0.0
        """When the oldest command that waits for its reply has waited too long."""
        self._alarm: asyncio.TimerHandle | None = None
        self._farewell: asyncio.Future[None] | None = None
        self.lost_track = False
        """Whether the relay's answers to a pipelined group stopped making sense or stopped to come."""

    @property
    def is_usable(self) -> bool:
        """Whether another letter can be tried here."""
        return self._transport is not None and not self._transport.is_closing()

    # What the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the open connection over."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """The other side has gone."""
        self._lose(f"the relay closed the connection{f': {error}' if error else ''}")

    def data_received(self, data: bytes) -> None:
        """Match replies to commands, and act on each."""
        is_answered = False
        try:
            for code, text in self._parser.feed(data):
                if self._transport is None:  # abandoned meanwhile
                    return
                self._replied(code, text)
                is_answered = True
        except NotSMTPError as error:
            self._lose_track(str(error))
        if is_answered and self._awaited:  # a part of a reply gains it no time
            self._set_deadline()

    # What the user of the session says

    def propose(self, letter: Letter) -> None:
        """Ask for a letter to be taken."""
        assert self._transport is not None  # noqa: S101  # else nobody would be told what came of it
        self._flush(self._envelope_of(letter), alone=letter.is_alone)

    def release(self, following: Letter | None) -> None:
        """Write the content that was asked for, and right behind it the envelope of the next letter."""
        letter = self._proposed
        assert letter is not None  # noqa: S101  # the listener was asked
        assert self._is_asked  # noqa: S101
        self._proposed, self._released, self._is_asked = None, letter, False
        content = letter.content
        if b"\r\n." in content or content.startswith(b"."):
            content = _stuffed(content)
        commands: list[tuple[Stage, bytes]] = [(Stage.DOT, content + b".\r\n")]
        if following is not None and not following.is_alone:
            commands += self._envelope_of(following)
        self._flush(commands)
        if following is not None and following.is_alone:
            self._flush(self._envelope_of(following), alone=True)

    def abandon(self) -> None:
        """Cut the connection, whatever is on its way; the listener is told nothing."""
        transport, self._transport = self._transport, None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if transport is not None:
            transport.abort()
        if self._farewell is not None and not self._farewell.done():
            self._farewell.set_result(None)

    async def quit(self) -> None:
        """QUIT, wait a moment for the answer, and close."""
        if not self.is_usable:
            self.abandon()
            return
        self._farewell = self._loop.create_future()
        self._flush([(Stage.CONNECT, b"QUIT\r\n")])
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_FAREWELL_SECONDS, self._time_limits[Stage.CONNECT])):
                    await self._farewell
        finally:
            self.abandon()

    # How it works

    def _envelope_of(self, letter: Letter) -> list[tuple[Stage, bytes]]:
        """The commands that propose a letter; none for one that the relay cannot take, which is answered."""
        try:
            mail, rcpt = envelope(letter, self.offers)
        except Unsuitable as error:
            self._proposed, self._refusal = letter, error.outcome
            self._loop.call_soon(self._tell_refusal)
            return []
        self._proposed, self._heard, self._refusal = letter, False, None
        commands = [(Stage.MAIL, mail), (Stage.RCPT, rcpt), (Stage.DATA, b"DATA\r\n")]
        if self._needs_reset:
            self._needs_reset = False
            commands.insert(0, (Stage.CONNECT, b"RSET\r\n"))
        return commands

    def _flush(self, commands: list[tuple[Stage, bytes]], *, alone: bool = False) -> None:
        """Write commands: all at once; or one by one, if each waits for the reply to the last."""
        if not commands:
            return
        if not self.is_usable:  # uvloop would raise RuntimeError; connection_lost is on its way
            self._await(stage for stage, _ in commands)
            return
        assert self._transport is not None  # noqa: S101  # usable
        if self.offers.pipelining and not alone:
            self._transport.write(b"".join([octets for _, octets in commands]))
            self._await(stage for stage, _ in commands)
        else:
            self._unsent.extend(commands)
            if not self._awaited:
                self._send_next()

    def _send_next(self) -> None:
        if self._unsent and self._transport is not None:
            stage, octets = self._unsent.popleft()
            self._transport.write(octets)
            self._await((stage,))

    def _await(self, stages: Iterable[Stage]) -> None:
        is_first = not self._awaited
        self._awaited.extend(stages)
        if is_first:
            self._set_deadline()

    def _set_deadline(self) -> None:
        """Give the oldest command that waits its time from now."""
        limit = self._time_limits[self._awaited[0]]
        self._deadline = self._loop.time() + limit
        if self._alarm is None or self._alarm.when() > self._deadline:
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm = self._loop.call_at(self._deadline, self._ring)

    def _ring(self) -> None:
        """Look whether the time is up; the alarm is set for the first deadline there was, and moves on."""
        self._alarm = None
        if not self._awaited or self._transport is None:
            return
        if self._loop.time() < self._deadline:
            self._alarm = self._loop.call_at(self._deadline, self._ring)
            return
        self._lose_track("the relay did not answer in time")

    def _replied(self, code: int, raw: bytes) -> None:
        """Act on the reply to the oldest command that waits for one."""
        if not self._awaited:
            if (
                400 <= code < 500
            ):  # 421, as RFC 5321 §3.8 has it, or in other words that it is tired of waiting
                self._lose(f"the relay closed: {_text(raw)}")
            else:
                self._lose_track(f"the relay said {code} {_text(raw)} unasked")
            return
        stage = self._awaited.popleft()
        if stage is Stage.DOT:
            self._content_answered(code, raw)
        elif stage is Stage.CONNECT:
            self._reset_answered(code, raw)
        else:
            self._envelope_answered(stage, code, raw)
        if self._unsent and not self._awaited:
            self._send_next()

    def _reset_answered(self, code: int, raw: bytes) -> None:
        if self._farewell is not None:
            self.abandon()
        elif code == 421:
            self._closing(Stage.MAIL, _text(raw))
        elif code != 250:
            self._lose(f"the relay answered {code} {_text(raw)} to RSET")

    def _content_answered(self, code: int, raw: bytes) -> None:
        letter = self._released
        if letter is None:  # a lone dot after a refusal: nothing of it counts (RFC 2920 §3.1)
            if code == 421:
                self._lose("the relay ended the session")
            else:
                self._end_refused()
            return
        outcome = replied(Stage.DOT, code, _text(raw))
        if code == 421:
            self._lose("the relay ended the session after a message", verdict=outcome)
        elif outcome.state is DeliveryState.IN_DOUBT:
            self._lose_track("the relay's answer to a message is none", verdict=outcome)
        else:
            self._released = None
            self._listener.answered(letter, outcome)

    def _envelope_answered(self, stage: Stage, code: int, raw: bytes) -> None:
        """The reply to MAIL, RCPT or DATA; the first refusal of the three is the one that counts."""
        if code == 421:
            self._closing(stage, _text(raw))
            return
        self._heard = True
        goes_on = code // 100 == (3 if stage is Stage.DATA else 2)
        if not goes_on and self._refusal is None:
            self._refusal = replied(stage, code, _text(raw))
            self._unsent.clear()
        if self._refusal is None:
            if stage is Stage.DATA:
                self._is_asked = True
                self._listener.asked()
        elif stage is Stage.DATA and goes_on:
            self._flush([(Stage.DOT, b".\r\n")])
        elif not self._awaited:
            self._end_refused()

    def _closing(self, stage: Stage, text: str) -> None:
        """421 (RFC 5321 §3.8): about this letter only if RCPT or DATA drew it and nothing else did before."""
        outcome = replied(stage, 421, text)
        if stage is not Stage.MAIL and self._refusal is None:
            self._refusal = outcome
        self._lose("the relay ended the session", counts_as=outcome if stage is Stage.MAIL else None)

    def _end_refused(self) -> None:
        self._needs_reset = True
        self._tell_refusal()

    def _tell_refusal(self) -> None:
        if self._transport is None:  # lost, and told, or abandoned
            return
        letter, outcome = self._proposed, self._refusal
        self._proposed = self._refusal = None
        if letter is not None and outcome is not None:
            self._listener.answered(letter, outcome)

    def _lose_track(self, what: str, verdict: Outcome | None = None) -> None:
        """End because what the relay says makes no sense any more, or does not come."""
        if self._transport is not None:
            self.lost_track = True
            if self.offers.pipelining:
                self._habits.lost_its_place(self._loop.time())
            self._lose(what, verdict=verdict)

    def _lose(self, what: str, *, verdict: Outcome | None = None, counts_as: Outcome | None = None) -> None:
        """End on the other side's account: a released letter is in doubt, a proposed one a 451 at most.

        `verdict` is the relay's last word on the released letter, `counts_as` what the loss itself is.
        """
        if self._transport is None:
            return
        waiting_for = self._awaited[0] if self._awaited else Stage.MAIL
        released, proposed, refusal = self._released, self._proposed, self._refusal
        # Once its content is asked for, a letter has no part in a loss; before, it may have caused it, unless
        # the group it came in is the suspect.
        may_be_the_cause = self._heard and not self._is_asked
        group_failed = self.lost_track and self.offers.pipelining
        is_concerned = refusal is not None or (may_be_the_cause and not group_failed)
        self._released = self._proposed = self._refusal = None
        self.abandon()
        if released is not None:
            self._listener.answered(released, verdict or broken(Stage.DOT, f"{what}."))
        if proposed is not None and is_concerned:
            stage = waiting_for if waiting_for in (Stage.MAIL, Stage.RCPT, Stage.DATA) else Stage.DATA
            self._listener.answered(proposed, refusal or broken(stage, f"{what}."))
            proposed = None
        if self._farewell is None:  # else this side has ended it
            self._listener.lost(proposed, counts_as or broken(Stage.MAIL, f"{what}."))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _stuffed(content: bytes) -> bytes:
    """Double each dot that begins a line (RFC 5321 §4.5.2)."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
