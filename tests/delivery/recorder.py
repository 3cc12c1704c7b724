"""A relay in a process of its own that tells what it accepted, whatever becomes of it or of the sender.

Every message is written to standard output, a pipe to the test, before its 250 leaves: what
`Recorder.received` holds is what readers got, and no table of the sender's is asked. The kernel keeps what
is in the pipe, so that SIGKILL takes nothing of it. It offers PIPELINING and answers as fast as any sender
asks. Messages whose number lies in `unanswered` (counted from 0) are accepted too, but the reply never
leaves: a sender killed meanwhile cannot know of them.
"""

import asyncio
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Self, cast

ROOT = Path(__file__).parent.parent.parent

MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_ANSWERS = {
    b"EHLO": b"250-recorder.test\r\n250-PIPELINING\r\n250-SIZE 0\r\n"
    b"250-8BITMIME\r\n250-DSN\r\n250 SMTPUTF8\r\n",
    b"MAIL": b"250 2.1.0 Ok\r\n",
    b"RCPT": b"250 2.1.5 Ok\r\n",
    b"DATA": b"354 Go on\r\n",
    b"RSET": b"250 2.0.0 Ok\r\n",
    b"QUIT": b"221 2.0.0 Bye\r\n",
}


@dataclass(frozen=True)
class Received:
    """A message the relay took responsibility for."""

    recipient: str
    message_id: str


class Recorder:
    """`with Recorder() as relay:` runs it; `port` 0 takes a free one."""

    def __init__(self, *, unanswered: range = range(0), port: int = 0) -> None:
        self._arguments = [str(unanswered.start), str(unanswered.stop), str(port)]
        self._changed = Condition()
        self._has_ended = False
        self.received: list[Received] = []

    @property
    def environment(self) -> dict[str, str]:
        """What makes a site use this relay."""
        return {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(self.port)}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.delivery.recorder", *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._changed:
                self.received.append(Received(*line.split()))
                self._changed.notify_all()
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def wait_for(self, number: int) -> None:
        """Return as soon as this many messages were accepted."""
        with self._changed:
            reached = self._changed.wait_for(lambda: len(self.received) >= number or self._has_ended, 60)
            assert reached, f"only {len(self.received)} of {number} messages came"
            assert len(self.received) >= number, "the relay has ended"

    def kill(self) -> None:
        """SIGKILL; what it had accepted stays known."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self._process.stdout is not None
        self._process.stdout.close()


class _Conversation(asyncio.Protocol):
    """One connection; however its commands are cut up or run together, each is answered once."""

    def __init__(self, numbers: "count[int]", unanswered: range) -> None:
        self._numbers = numbers
        self._unanswered = unanswered
        self._rest = bytearray()
        self._recipient = b""
        self._takes_content = False
        self._is_mute = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(b"220 recorder.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._rest += data
        replies = b""
        while not self._is_mute:
            end = b"\r\n.\r\n" if self._takes_content else b"\r\n"
            place = self._rest.find(end)
            if place < 0:
                break
            taken = bytes(self._rest[:place])
            del self._rest[: place + len(end)]
            replies += self._keep(taken) if self._takes_content else self._answer(taken)
        self._transport.write(replies)

    def _answer(self, command: bytes) -> bytes:
        verb = command[:4].upper()
        if verb == b"RCPT":
            self._recipient = command.partition(b"<")[2].partition(b">")[0]
        self._takes_content = verb == b"DATA"
        return _ANSWERS.get(verb, b"502 5.5.1 What?\r\n")

    def _keep(self, content: bytes) -> bytes:
        self._takes_content = False
        found = MESSAGE_ID.search(content)
        os.write(1, b"%s %s\n" % (self._recipient, found[1] if found else b"-"))
        self._is_mute = next(self._numbers) in self._unanswered
        return b"" if self._is_mute else b"250 2.0.0 Recorded\r\n"


async def _serve(unanswered: range, port: int) -> None:
    numbers = count()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Conversation(numbers, unanswered), "127.0.0.1", port, reuse_address=True
    )
    os.write(1, f"{server.sockets[0].getsockname()[1]}\n".encode())
    await server.serve_forever()


if __name__ == "__main__":
    start, stop, wanted_port = map(int, sys.argv[1:])
    asyncio.run(_serve(range(start, stop), wanted_port))
