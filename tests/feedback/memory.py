"""An inbox that forgets: what entrances are tried with where nothing hangs on the database."""

from dataclasses import dataclass, field
from hashlib import sha256
from threading import Condition, Event

from newsletter.errors import DatabaseError
from newsletter.feedback.entrances import OurAddresses
from newsletter.feedback.inbox import Kept


@dataclass(frozen=True)
class Message:
    """What it was handed."""

    content: bytes
    entrance: str
    recipient: str | None
    return_path: str | None


@dataclass
class MemoryInbox:
    """Keeps each message once a recipient, by its bytes."""

    messages: list[Message] = field(default_factory=list)
    error: Exception | None = None
    """Raised instead of keeping anything."""
    may_keep: Event = field(default_factory=Event)
    """Set unless a test wants it to take its time."""
    asked: Event = field(default_factory=Event)
    """Set once it was asked to keep something."""
    changed: Condition = field(default_factory=Condition)

    def __post_init__(self) -> None:
        self.may_keep.set()
        self._numbers: dict[tuple[bytes, str | None], int] = {}

    def keep(self, content: bytes, *, entrance: str, recipient: str | None, return_path: str | None) -> Kept:
        self.asked.set()
        assert self.may_keep.wait(timeout=60)
        if self.error is not None:
            raise self.error
        key = (sha256(content).digest(), recipient)
        is_new = key not in self._numbers
        if is_new:
            with self.changed:
                self.messages.append(Message(content, entrance, recipient, return_path))
                self._numbers[key] = len(self.messages)
                self.changed.notify_all()
        return Kept(self._numbers[key], is_new)

    def until(self, number: int) -> list[Message]:
        """Wait until it holds so many messages."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= number, timeout=60), self.messages
            assert len(self.messages) == number
            return self.messages


LOCKED = DatabaseError("the database is locked by another process")


OURS = OurAddresses("advice@example.org", "advice@example.org")
