"""The copyists at work for one pass: processes on other cores that make copies ahead of the connections.

Python runs on one core a process. Of what a letter costs, making its copy is the part that needs nobody else;
with a signature it is the largest. Whatever becomes of a copyist, no letter hangs on it: what it had in hand
is given back unmade, and is made where it is needed.

Everything here happens in the event loop that was running when they were engaged.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

from newsletter.delivery.copies import Master, Shelf
from newsletter.delivery.copyist import HEAD, Job, Signers, framed, opened
from newsletter.delivery.ledger import ClaimedDelivery

_AHEAD = 2
"""Jobs that a copyist has at a time, so that it need not wait for the next."""
_PATIENCE_SECONDS = 10.0
"""For one job, which takes some 20 ms: whoever takes longer has stopped."""
_PROGRAM = "from newsletter.delivery.copyist import main; main()"


class Task(NamedTuple):
    """Letters of one edition, to be made copies of."""

    edition: int
    master: Master
    letters: Sequence[ClaimedDelivery]


Ready = Callable[[Sequence[ClaimedDelivery]], None]
"""Told of letters that may go: with their copies, or without, if those are to be made elsewhere."""


def spare_cores() -> int:
    """How many cores the machine has besides the one that sending takes."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (usable or 1) - 1


class Copyists:
    """A few of them, with one pile of tasks."""

    def __init__(
        self, number: int, signers: Signers, ready: Ready, *, patience: float = _PATIENCE_SECONDS
    ) -> None:
        """Engage so many. Where no process can be started there are fewer, or none."""
        self._ready = ready
        self._patience = patience
        self._pile: asyncio.Queue[Task] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._desks = {loop.create_task(self._keep(signers)) for _ in range(number)}
        for desk in self._desks:
            desk.add_done_callback(self._is_vacant)

    @property
    def are_there(self) -> bool:
        """Whether anybody is at work."""
        return bool(self._desks)

    def give(self, task: Task) -> None:
        """Have copies made; `ready` is told."""
        self._pile.put_nowait(task)

    async def close(self) -> None:
        """Send all away; nothing more is told."""
        for desk in self._desks:
            desk.remove_done_callback(self._is_vacant)
            desk.cancel()
        await asyncio.gather(*self._desks, return_exceptions=True)

    def _is_vacant(self, desk: "asyncio.Task[None]") -> None:
        self._desks.discard(desk)
        while not self._desks and not self._pile.empty():
            self._ready(self._pile.get_nowait().letters)

    async def _keep(self, signers: Signers) -> None:
        """See one copyist from its start to its end."""
        under_way: deque[Task] = deque()
        try:
            async with _engaged() as (reader, writer):
                writer.write(framed(signers))
                await self._work(reader, writer, under_way)
        except Exception:  # whatever it is: the letters are made elsewhere, or that says why not
            while under_way:
                self._ready(under_way.popleft().letters)

    async def _work(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, under_way: deque[Task]
    ) -> None:
        known = Shelf()
        while True:
            if not under_way or (len(under_way) < _AHEAD and not self._pile.empty()):
                task = await self._pile.get()
                under_way.append(task)
                writer.write(framed(_job(task, known)))
                await writer.drain()
                continue
            async with asyncio.timeout(self._patience):
                (octets,) = HEAD.unpack(await reader.readexactly(HEAD.size))
                copies = opened(await reader.readexactly(octets))
            letters = under_way.popleft().letters
            self._ready([letter._replace(copy=copy) for letter, copy in zip(letters, copies, strict=True)])


@asynccontextmanager
async def _engaged() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A copyist's process, to be spoken with; killed at the end. Raises OSError."""
    ours, theirs = socket.socketpair()
    try:
        with theirs:
            # Ctrl-C on the terminal is for the sender, who finishes what is in flight: a session of its own.
            process = subprocess.Popen(  # noqa: S603  # this program; it takes no time worth waiting
                [sys.executable, "-P", "-c", _PROGRAM], stdin=theirs.fileno(), start_new_session=True
            )
    except OSError:
        ours.close()
        raise
    try:
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    finally:
        process.kill()
        process.wait()


def _job(task: Task, known: Shelf) -> Job:
    """A task as a job for a copyist who has these editions at hand."""
    is_new = task.edition not in known
    forget = known.take(task.edition, task.master.octets)
    readers = [(letter.id, letter.address, letter.name) for letter in task.letters]
    return Job(task.edition, task.master if is_new else None, forget, readers)
