"""A mailbox whose server does as it likes: nothing is lost, nothing is stuck. (The real one is in trials.)"""

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from newsletter.database import Database
from newsletter.errors import EntranceError
from newsletter.feedback.imap import WatchedFolder, Wiring, is_older, pause_after
from newsletter.settings import ImapSection
from tests.conftest import MONDAY, Clock
from tests.feedback.memory import LOCKED, OURS, MemoryInbox

SECTION = ImapSection(host="imap.example.org", user="advice@example.org", password="")
JOIN = "advice+join.career@example.org"


def mail(number: int, to: str = JOIN) -> bytes:
    return f"To: {to}\r\nMessage-ID: <{number}@example.net>\r\n\r\nhello\r\n".encode()


@dataclass
class Server:
    """As much of IMAPClient as is used, and a mailbox behind it."""

    mails: dict[int, bytes] = field(default_factory=dict)
    arrived: dict[int, datetime] = field(default_factory=dict)
    validity: int = 7
    next_uid: int = 1
    broken: dict[int, Exception] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    fetched: list[int] = field(default_factory=list)
    is_writable: bool = True
    says_next: bool = True

    def arrive(self, *mails: bytes, at: datetime = MONDAY) -> None:
        for one in mails:
            self.mails[self.next_uid], self.arrived[self.next_uid] = one, at
            self.next_uid += 1

    def select_folder(self, folder: str) -> dict[bytes, Any]:
        said: dict[bytes, Any] = {b"UIDVALIDITY": self.validity}
        said |= {b"UIDNEXT": self.next_uid} if self.says_next else {}
        return said | ({b"READ-WRITE": True} if self.is_writable else {})

    def folder_status(self, folder: str, what: list[str]) -> dict[bytes, int]:
        return {b"UIDNEXT": self.next_uid}

    def search(self, criteria: list[Any]) -> list[int]:
        if criteria[0] == "SINCE":
            return [uid for uid in self.mails if self.arrived[uid].date() >= criteria[1]]
        first = int(criteria[1].partition(":")[0])
        return [uid for uid in self.mails if uid >= first] or list(self.mails)[-1:]

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        (uid,) = uids
        if uid in self.broken:
            raise self.broken[uid]
        if uid not in self.mails:
            return {}
        content = self.mails[uid]
        if items == ["BODY.PEEK[]"]:
            self.fetched.append(uid)
            return {uid: {b"BODY[]": content}}
        header = content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        facts = {b"RFC822.SIZE": len(content), b"INTERNALDATE": self.arrived[uid]}
        return {uid: {**facts, b"BODY[HEADER]<0>": header}}

    def add_flags(self, uids: list[int], flags: list[bytes], *, silent: bool) -> None:
        assert (flags, silent) == ([rb"\Seen"], True)
        self.seen |= set(uids)


@dataclass
class Trial:
    """A server, the inbox it is copied to, and what was reported."""

    database: Database
    clock: Clock = field(default_factory=Clock)
    server: Server = field(default_factory=Server)
    inbox: MemoryInbox = field(default_factory=MemoryInbox)
    troubles: list[Exception] = field(default_factory=list)

    def __post_init__(self) -> None:
        wiring = Wiring(self.database, self.inbox, OURS, self.clock, 10_000, self.troubles.append)
        self.folder = WatchedFolder(SECTION, "", wiring)
        self.look()

    def look(self) -> None:
        client: Any = self.server
        self.folder.look(client)

    @property
    def kept(self) -> list[bytes]:
        return [message.content for message in self.inbox.messages]


@pytest.fixture
def trial(database: Database) -> Trial:
    """A mailbox that was looked at for the first time, empty."""
    return Trial(database)


def test_only_what_is_new_and_ours_is_fetched(trial: Trial) -> None:
    """Also where a look finds nothing new, and SEARCH gives the last message all the same."""
    trial.server.arrive(mail(1), mail(2, "cleo@example.org"), mail(3, "advice@example.org"))
    for _ in range(3):
        trial.look()
    assert trial.kept == [mail(1), mail(3, "advice@example.org")]
    assert (trial.server.fetched, trial.server.seen) == ([1, 3], {1})


@pytest.mark.parametrize(
    "error", [IMAPClientError("FETCH failed: NO [SERVERBUG]"), IMAPClient.AbortError("EOF"), OSError("reset")]
)
def test_a_message_that_cannot_be_fetched_holds_nothing_up_for_long(trial: Trial, error: Exception) -> None:
    """It is tried five times, told once, and what is behind it is kept; it is not asked for again."""
    trial.server.arrive(mail(1), mail(2), mail(3))
    trial.server.broken[2] = error
    for _ in range(4):
        with pytest.raises(EntranceError):
            trial.look()
    assert (trial.kept, trial.troubles) == ([mail(1)], [])
    for _ in range(3):
        with suppress(EntranceError):  # where the connection is gone by it, the next one goes on
            trial.look()
    assert trial.kept == [mail(1), mail(3)]
    (told_once,) = trial.troubles
    assert str(told_once).startswith(
        "message 2 in the folder INBOX of advice@example.org at imap.example.org:993"
    )


def test_a_message_that_has_gone_is_no_fault(trial: Trial) -> None:
    """Its owner deletes it between the search and the fetch."""
    trial.server.arrive(mail(1), mail(2))
    search = trial.server.search

    def search_and_delete(criteria: list[Any]) -> list[int]:
        found = search(criteria)
        trial.server.mails.pop(1, None)
        return found

    trial.server.search = search_and_delete  # type: ignore[method-assign]
    trial.look()
    assert (trial.kept, trial.troubles) == ([mail(2)], [])


def test_a_locked_database_is_no_fault_of_a_message(trial: Trial) -> None:
    """However often: it waits, and is not stepped over."""
    trial.server.arrive(mail(1))
    trial.inbox.error = LOCKED
    for _ in range(20):
        with pytest.raises(type(LOCKED)):
            trial.look()
    trial.inbox.error = None
    trial.look()
    assert (trial.kept, trial.troubles) == ([mail(1)], [])


def test_a_large_message_is_told_once(trial: Trial) -> None:
    """With its size, and not fetched; a large one to somebody else is nobody's business."""
    trial.server.arrive(mail(1) + b"x" * 20_000, mail(2, "cleo@example.org") + b"x" * 20_000)
    trial.look()
    trial.look()
    (told,) = trial.troubles
    assert "has 20,0" in str(told)
    assert trial.server.fetched == []


def test_odd_servers(database: Database) -> None:
    """One says UIDNEXT only when asked, the folder of one can only be read, one has no lasting numbers."""
    trial = Trial(database, server=Server(says_next=False, is_writable=False))
    trial.server.arrive(mail(1))
    trial.look()
    assert (trial.kept, trial.server.seen) == ([mail(1)], set())
    trial.server.select_folder = lambda folder: {b"UIDNEXT": 1}  # type: ignore[method-assign]
    with pytest.raises(EntranceError, match="has no numbers that last"):
        trial.look()


@pytest.mark.parametrize("days_away", [0, 30])
def test_new_numbers_lose_nothing_and_flood_nothing_in(trial: Trial, days_away: int) -> None:
    """However long nobody looked; a crash in the middle begins again."""
    old = mail(1)
    trial.server.arrive(old, at=MONDAY - timedelta(days=400))
    trial.look()
    trial.inbox.messages.clear()  # as if it had been there from the first
    trial.clock.advance(days=10)
    trial.look()
    trial.clock.advance(days=days_away)
    trial.server.validity, trial.server.next_uid = 8, 1
    trial.server.mails.clear()
    now = trial.clock()
    trial.server.arrive(old, at=MONDAY - timedelta(days=400))
    trial.server.arrive(
        b"Date: Mon, 3 Feb 2025 10:00:00 +0000\r\n" + mail(9), at=now
    )  # its arrival is forgotten
    trial.server.arrive(mail(2), mail(3), at=now)
    trial.server.broken[4] = IMAPClientError("later")
    with pytest.raises(EntranceError):
        trial.look()
    trial.server.broken.clear()
    trial.look()
    assert trial.kept == [mail(2), mail(3)]
    trial.server.arrive(mail(4), at=now)
    trial.look()
    assert trial.kept == [mail(2), mail(3), mail(4)]


def test_what_was_done_with_is_not_looked_at_by_another_process_again(trial: Trial) -> None:
    """Two may look side by side: neither moves the mark back."""
    trial.server.arrive(mail(1))
    mark = trial.folder._mark(7, 1)
    trial.server.arrive(mail(2))
    trial.look()
    trial.folder._record(mark, last_uid=1)
    assert trial.folder._mark(7, 1).last_uid == 2


@given(st.binary(max_size=200), st.datetimes(timezones=st.just(UTC)))
def test_any_header_can_be_judged(header: bytes, arrived: datetime) -> None:
    """By its date or without."""
    since = MONDAY
    assert is_older(header, arrived, since) or arrived >= since


@pytest.mark.parametrize(
    ("date", "is_old"),
    [
        (b"Mon, 5 Jan 2026 00:00:01 +0000", False),
        (b"Sun, 4 Jan 2026 23:59:59 -0000", True),
        (b"Mon, 5 Jan 2026 00:00:01 +0100", True),
        (b"yesterday", False),
        (b"Mon, 99 Jan 2026 00:00:01 +9999", False),
        (b"=?utf-8?q?x?=", False),
    ],
)
def test_a_message_tells_its_age(date: bytes, is_old: bool) -> None:
    """Where its Date can be read; else the server's counts alone."""
    assert is_older(b"Date: " + date + b"\r\n\r\n", MONDAY, MONDAY) is is_old


def test_pauses_grow() -> None:
    """Up to five minutes."""
    assert [pause_after(failures) for failures in (1, 2, 3, 7, 1000)] == [5, 10, 20, 300, 300]
