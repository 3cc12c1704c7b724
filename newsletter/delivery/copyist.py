"""A copyist: a process that makes copies for a sender, and does nothing else.

    python -m newsletter.delivery.copyist

It speaks over a socket that is its standard input: first it is given what signs, then jobs; each is answered
in its turn. It opens no file and no database, holds no lock, and ends with the sender, however that ends. All
frames are a length and a pickle: both ends are the same program, of one user.
"""

import pickle
import signal
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from newsletter.delivery.copies import Copy, Master, make_copy
from newsletter.render.message import Seal
from subscribers.tokens import TokenSigner

if TYPE_CHECKING:
    from newsletter.delivery.dkim import DkimSigner

HEAD = struct.Struct("!I")
"""Octets of the pickle that follows."""


class Signers(NamedTuple):
    """What makes copies out of masters."""

    tokens: TokenSigner
    dkim: "DkimSigner | None"

    def seal(self, master: Master) -> Seal | None:
        """What signs the copies of a master."""
        return self.dkim.seal(master.message.fields) if self.dkim else None


class Job(NamedTuple):
    """Copies of one edition to be made. Those who give jobs know which editions a copyist knows."""

    edition: int
    master: Master | None
    """Where the edition is new to the copyist."""
    forget: list[int]
    """Editions that no job will be about before they are brought again."""
    readers: list[tuple[int, str, str | None]]
    """Delivery, address and name."""


def framed(value: object) -> bytes:
    """A frame."""
    pickled = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return HEAD.pack(len(pickled)) + pickled


def opened(pickled: bytes) -> Any:
    """What a frame held."""
    return pickle.loads(pickled)  # noqa: S301  # from the process that started this one, or that this one started


def _frames(stream: BinaryIO) -> Iterator[Any]:
    """What the sender says, until it is gone, be it in the middle of a word."""
    while len(head := stream.read(HEAD.size)) == HEAD.size:
        (octets,) = HEAD.unpack(head)
        if len(pickled := stream.read(octets)) < octets:
            return
        yield opened(pickled)


def _answer(job: Job, signers: Signers, known: dict[int, tuple[Master, Seal | None]]) -> list[Copy]:
    for edition in job.forget:
        del known[edition]
    if job.master is not None:
        known[job.edition] = (job.master, signers.seal(job.master))
    master, seal = known[job.edition]
    return [
        make_copy(master, seal, signers.tokens, number=number, address=address, name=name)
        for number, address, name in job.readers
    ]


def main() -> None:
    """Serve until the sender is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the sender says when to end
    known: dict[int, tuple[Master, Seal | None]] = {}
    with socket.socket(fileno=0) as sender, sender.makefile("rb") as stream, suppress(ConnectionError):
        frames = _frames(stream)
        for signers in islice(frames, 1):
            for job in frames:
                sender.sendall(framed(_answer(job, signers, known)))


if __name__ == "__main__":
    main()
