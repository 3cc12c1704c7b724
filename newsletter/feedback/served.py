"""The listener of `paperround run`: mail that a mail server hands over by LMTP (RFC 2033) or SMTP.

A message has its 250 only once it is kept; whatever goes wrong before that is answered with 451, so that the
sender keeps the message and tries again (what was kept and could not be acknowledged is known when it comes a
second time). Only our own addresses are taken, nothing is ever passed on, and nobody's words are obeyed: a
message ends at CRLF.CRLF and nowhere else, so a bare LF smuggles nothing in.

May surprise: DATA is read here and not by aiosmtpd, which keeps every line as an object of its own (a
message of empty lines took eighty times its size), keeps a line without an end for ever, and answers what is
too large once, where LMTP wants an answer for each recipient. What all messages under way may take together
is limited (`_ROOM`); who finds no room is told to come again.
"""

import asyncio
import collections
import contextlib
import errno
import logging
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.errors import EntranceError
from newsletter.feedback.entrances import Entrance, Keeper, OurAddresses, Report, with_crlf
from newsletter.listening import ListeningThread, Loop
from newsletter.settings import InboundSection
from newsletter.settings_values import UNIX

_MOST_SESSIONS = 50
"""Postfix opens twenty to one destination."""
_MOST_RECIPIENTS = 100
"""Of one message; RFC 5321 §4.5.3.1.8 asks for so many."""
_IDLE_SECONDS = 300.0
"""RFC 5321 §4.5.3.2.7. A message on its way must bring `_PACE` bytes in that time."""
_PACE = 64 << 10
_ROOM = 4
"""How many messages of the largest size may be on their way at once."""
_LONGEST_LINE = 64 << 10
"""Bytes that are read in one piece; of a longer line, a piece at a time."""
_LONGEST_COMMAND = 2048
"""Return paths with tokens of several hands in them are long."""
_GRACE_SECONDS = 5.0
"""How long messages that are being kept may take when the program is to end."""
_PATH = re.compile(
    r"""\s*<(?:@[^<>:\s]+:)?                     # a source route is ignored (RFC 5321 §3.6.1)
    ((?:"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*"|[^"<>\x00-\x20\x7f])*)
    >(?:\s+(.*))?$""",
    re.VERBOSE,
)
_SIZE = re.compile(r"\sSIZE=(\d{1,30})(?:\s|$)", re.IGNORECASE)

_TOO_LARGE = "552 5.3.4 The message is larger than what is taken here"
_NO_ROOM = "452 4.3.1 Too much mail is on its way at this moment; please try again later"
_NOT_NOW = "451 4.3.0 It cannot be kept at this moment; please try again later"


class _Desk:
    """What all sessions share: whose mail is taken, who keeps it, how much is on its way."""

    def __init__(
        self, keeper: Keeper, ours: OurAddresses, entrance: Entrance, largest: int, report: Report
    ) -> None:
        self.largest = largest
        self.sessions = 0
        self.busy: set[asyncio.Future[None]] = set()
        """One for each message that is being kept and answered."""
        self._room = largest * _ROOM
        self._keeper = keeper
        self._ours = ours
        self._entrance = entrance
        self._report = report
        self._is_in_trouble = False
        # One thread: a database of one writer is not written to any faster by several.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keeping")

    async def handle_EHLO(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what RFC 2033 §5 asks for, besides what aiosmtpd does."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", *responses[1:]]

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take any sender whose address can be written down."""
        if not _is_text(address):
            return "553 5.1.7 The sender's address is not UTF-8"
        envelope.mail_from = address
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take mail to our own addresses."""
        if not _is_text(address) or not self._ours.takes(address):
            return "550 5.1.1 Nobody here has that address"
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients; send the rest apart"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_exception(self, error: Exception) -> str:
        """Let nobody lose a message by a fault of ours."""
        self._report(error)
        return _NOT_NOW

    def take_room(self, octets: int) -> bool:
        """Whether there is room for so many bytes more; they are taken, then."""
        if octets > self._room:
            return False
        self._room -= octets
        return True

    def give_room(self, octets: int) -> None:
        """Give back what was taken."""
        self._room += octets

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """While this lasts, who wants to end waits a little."""
        done = asyncio.get_running_loop().create_future()
        self.busy.add(done)
        try:
            yield
        finally:
            self.busy.discard(done)
            done.set_result(None)

    async def keep(self, content: bytes, envelope: Envelope) -> list[str]:
        """Keep a message for each of its recipients; the reply for each."""
        loop = asyncio.get_running_loop()
        return_path = "" if envelope.mail_from == "<>" else str(envelope.mail_from)
        return [
            await loop.run_in_executor(self._thread, self._keep, content, recipient, return_path)
            for recipient in envelope.rcpt_tos
        ]

    def _keep(self, content: bytes, recipient: str, return_path: str) -> str:
        try:
            kept = self._keeper.keep(
                with_crlf(content), entrance=self._entrance, recipient=recipient, return_path=return_path
            )
        except Exception as error:  # whatever it is, the sender still has the message
            if not self._is_in_trouble:
                self._report(error)
            self._is_in_trouble = True
            return _NOT_NOW
        self._is_in_trouble = False
        return f"250 2.0.0 Kept{'' if kept.is_new else ' before'} as message {kept.id}"

    async def finish(self) -> None:
        """Let messages that are being kept be acknowledged, if that takes no longer than it should."""
        if self.busy:
            await asyncio.wait(self.busy, timeout=_GRACE_SECONDS)

    def close(self) -> None:
        """Wait for what is being written."""
        self._thread.shutdown(wait=True)


class _Session(SMTP):
    """One connection."""

    command_size_limit = _LONGEST_COMMAND
    # All sessions share them, and aiosmtpd empties them at each new connection.
    command_size_limits = collections.defaultdict(lambda: _LONGEST_COMMAND)  # noqa: RUF012  # its way
    line_length_limit = _LONGEST_LINE

    def __init__(self, desk: _Desk, hostname: str, loop: Loop) -> None:
        super().__init__(
            desk,
            hostname=hostname,
            ident="Paperround",
            enable_SMTPUTF8=True,
            data_size_limit=desk.largest,
            timeout=_IDLE_SECONDS,
            loop=loop,
        )
        self._desk = desk

    async def _handle_client(self) -> None:
        """Serve until the other side goes; how it goes is of no interest."""
        desk = self._desk
        desk.sessions += 1
        try:
            if desk.sessions > _MOST_SESSIONS:
                await self.push("421 4.3.2 Too many connections; please try again later")
                self._writer.close()
            else:
                await super()._handle_client()
        except OSError:
            self._writer.close()
        finally:
            desk.sessions -= 1

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """A path and its parameters (RFC 5321 §4.1.2); the null path is `<>`. The standard library's parser
        of addresses in headers, which aiosmtpd uses, fails on some of what may come.
        """
        found = _PATH.match(arg)
        return (found[1] or "<>", found[2] or "") if found else (None, None)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802  # aiosmtpd's name
        """Refuse at once what says of itself that it is too large."""
        said = _SIZE.search(arg or "")
        if said and int(said[1]) > self._desk.largest:
            await self.push(_TOO_LARGE)
        else:
            await super().smtp_MAIL(arg)

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        """Take a message, and answer once it is kept."""
        envelope = self.envelope
        assert envelope is not None  # noqa: S101  # there is one from the first moment
        recipients = envelope.rcpt_tos
        if not recipients:
            await self.push("503 5.5.1 There is no recipient yet")
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        await self.push("354 End with <CR><LF>.<CR><LF>")
        content = bytearray()
        try:
            refusal = await self._read(content)
            with self._desk.at_work():
                self._reset_timeout()
                replies = (
                    [refusal] * len(recipients)
                    if refusal
                    else await self._desk.keep(bytes(content), envelope)
                )
                self.envelope = Envelope()
                await self.push("\r\n".join(self._replies(replies)))
        finally:
            self._desk.give_room(len(content))

    async def _read(self, content: bytearray) -> str:
        """Read a message to its end into `content`, dots undoubled (RFC 5321 §4.5.2); the refusal, or "".

        What is refused is read to its end as well, and forgotten.
        """
        refusal, is_at_start, unheard = "", True, 0
        while True:
            try:
                piece = await self._reader.readuntil(b"\r\n")
                is_whole = True
            except asyncio.LimitOverrunError as overrun:
                piece = await self._reader.read(overrun.consumed)
                is_whole = False
            if is_at_start and piece == b".\r\n":
                return refusal
            if is_at_start and piece.startswith(b"."):
                piece = piece[1:]
            is_at_start = is_whole
            unheard += len(piece)
            if unheard > _PACE:
                self._reset_timeout()
                unheard = 0
            if not refusal:
                if len(content) + len(piece) > self._desk.largest:
                    refusal = _TOO_LARGE
                elif not self._desk.take_room(len(piece)):
                    refusal = _NO_ROOM
            if refusal:
                self._desk.give_room(len(content))
                content.clear()
            else:
                content += piece

    def _replies(self, replies: list[str]) -> list[str]:
        """Of the replies for each recipient, what is said: the worst, for all of them."""
        return [max(replies)]  # 250 < 451 < 452 < 552


class _LMTPSession(_Session, LMTP):
    """One connection, where each recipient has a reply of its own."""

    async def check_helo_needed(self, helo: str = "LHLO") -> bool:
        """Ask for the greeting that LMTP has."""
        return bool(await super().check_helo_needed("LHLO"))

    def _replies(self, replies: list[str]) -> list[str]:
        return replies


class ServedEntrance(AbstractContextManager["ServedEntrance"]):
    """The running listener. Entering it raises EntranceError if its address cannot be had."""

    def __init__(
        self, section: InboundSection, keeper: Keeper, ours: OurAddresses, *, hostname: str, report: Report
    ) -> None:
        """`hostname` is what it calls itself; port 0 is any that is free."""
        logging.getLogger("mail.log").setLevel(logging.CRITICAL)  # aiosmtpd's: strangers' words
        self._listen = section.listen
        self._hostname = hostname
        self._is_lmtp = section.protocol == "lmtp"
        entrance = Entrance.LMTP if self._is_lmtp else Entrance.SMTP
        self._desk = _Desk(keeper, ours, entrance, section.max_message_bytes, report)
        self.address = ""
        """Where it listens, once it does."""

    def __enter__(self) -> Self:
        try:
            self._socket = _listening(self._listen)
        except OSError as error:
            raise EntranceError(
                f"mail cannot come in at {self._listen}: {error.strerror or error}; see listen in [inbound]"
            ) from error
        self.address = _address(self._listen, self._socket)
        kind = _LMTPSession if self._is_lmtp else _Session
        self._listening = ListeningThread(
            "entrance", self._socket, lambda loop: kind(self._desk, self._hostname, loop)
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close(self._desk.finish)
        self._desk.close()
        if self._listen.startswith(UNIX):
            Path(self._listen.removeprefix(UNIX)).unlink(missing_ok=True)


def _listening(listen: str) -> socket.socket:
    """A socket that listens there. Raises OSError."""
    if listen.startswith(UNIX):
        return _listening_file(Path(listen.removeprefix(UNIX)))
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family)


def _listening_file(path: Path) -> socket.socket:
    """A socket's file, in the place of one that a dead process has left.

    Everybody on this machine may connect, as they may to a port of it; who may not is said by the folder.
    """
    listening = socket.socket(socket.AF_UNIX)
    try:
        try:
            listening.bind(str(path))
        except OSError as taken:
            if taken.errno != errno.EADDRINUSE or not _is_left_over(path):
                raise
            path.unlink()
            listening.bind(str(path))
        path.chmod(0o666)
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def _is_left_over(path: Path) -> bool:
    """Whether it is a socket at which nobody listens."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX) as asking:
        try:
            asking.connect(str(path))
        except ConnectionRefusedError:
            return True
    return False


def _address(listen: str, listening: socket.socket) -> str:
    """Where it listens, as it is written in settings."""
    if listen.startswith(UNIX):
        return listen
    return f"{listen.rpartition(':')[0]}:{listening.getsockname()[1]}"


def _is_text(address: str) -> bool:
    """Whether an address can be written down: aiosmtpd passes on bytes that are no UTF-8, as surrogates."""
    return address.isprintable()
