"""A relay in a process of its own that tells what it accepted, whatever becomes of the sender.

Every message is written to standard output, a pipe to the test, before its 250 leaves: what
`Recorder.received` holds is what readers got, and no table of the sender's is asked. Messages whose
number lies in `unanswered` (counted from 0) are accepted too, but the reply never leaves: a sender killed
meanwhile cannot know of them.
"""

import asyncio
import os
import subprocess
import sys
from dataclasses import dataclass
from email import message_from_bytes
from itertools import count
from pathlib import Path
from threading import Condition, Thread
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

ROOT = Path(__file__).parent.parent.parent


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


class _Handler:
    def __init__(self, unanswered: range) -> None:
        self._unanswered = unanswered
        self._numbers = count()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        message_id = message_from_bytes(envelope.content.partition(b"\r\n\r\n")[0])["Message-ID"]
        os.write(1, "".join(f"{recipient} {message_id}\n" for recipient in envelope.rcpt_tos).encode())
        if next(self._numbers) in self._unanswered:
            await asyncio.Event().wait()  # until the sender is gone
        return "250 2.0.0 Recorded"


async def _serve(unanswered: range, port: int) -> None:
    handler = _Handler(unanswered)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="recorder.test", enable_SMTPUTF8=True, loop=loop),
        "127.0.0.1",
        port,
        reuse_address=True,
    )
    os.write(1, f"{server.sockets[0].getsockname()[1]}\n".encode())
    await server.serve_forever()


if __name__ == "__main__":
    start, stop, wanted_port = map(int, sys.argv[1:])
    asyncio.run(_serve(range(start, stop), wanted_port))
