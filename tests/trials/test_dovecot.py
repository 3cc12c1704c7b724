"""A real Dovecot: mail to us is copied from a mailbox as it arrives, and nothing else happens to it."""

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from queue import Queue
from typing import Any

import pytest

from newsletter.app import App
from newsletter.database import Database
from newsletter.errors import EntranceError, MessageTooLargeError
from newsletter.feedback import imap
from newsletter.feedback.imap import MailboxEntrance, WatchedFolder, Wiring
from newsletter.settings import ImapSection
from subscribers.base import system_clock
from tests.delivery.bigissue import paperround
from tests.dovecot import PASSWORD, USER, WITHOUT_IDLE, Dovecot, running_dovecot
from tests.feedback.memory import LOCKED, OURS, MemoryInbox
from tests.running import ON_SQLITE, Running

pytestmark = [pytest.mark.trial, ON_SQLITE]

SEEN = {rb"\Seen"}


def mail(number: int, to: str = "advice+join.career-advice@example.org", more: bytes = b"") -> bytes:
    """A message that can be told from others."""
    return b"From: bo@example.net\r\nTo: %s\r\nMessage-ID: <%d@example.net>\r\n\r\nhello\r\n%s" % (
        to.encode(),
        number,
        more,
    )


@pytest.fixture
def dovecot(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    """A server; the parameter is more of its configuration."""
    with running_dovecot(more=getattr(request, "param", "")) as running:
        yield running


@pytest.fixture
def inbox() -> MemoryInbox:
    return MemoryInbox()


@pytest.fixture
def troubles() -> "Queue[Exception]":
    """What was reported."""
    return Queue()


@pytest.fixture
def wiring(database: Database, inbox: MemoryInbox, troubles: "Queue[Exception]") -> Wiring:
    return Wiring(database, inbox, OURS, system_clock, 1 << 20, troubles.put)


def section(dovecot: Dovecot, **settings: Any) -> ImapSection:
    return ImapSection.model_validate(
        {
            "host": "localhost",
            "port": dovecot.implicit_port,
            "tls": "implicit",
            "user": USER,
            "password": PASSWORD,
            "poll_seconds": 1,
            **settings,
        }
    )


Watch = Callable[..., AbstractContextManager[MailboxEntrance]]


@pytest.fixture
def watch(dovecot: Dovecot, wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> Watch:
    """Watches the mailbox from the moment that it has been looked at for the first time."""
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.bundle))
    monkeypatch.setattr(imap, "_FIRST_PAUSE", 0.1)

    @contextmanager
    def watching(**settings: Any) -> Iterator[MailboxEntrance]:
        chosen = section(dovecot, **settings)
        look(chosen, wiring)
        with MailboxEntrance(chosen, wiring) as entrance:
            yield entrance

    return watching


def look(chosen: ImapSection, wiring: Wiring) -> None:
    """One look, as `paperround tick` does it."""
    folder = WatchedFolder(chosen, PASSWORD, wiring)
    with folder.opened() as client:
        folder.look(client)


@pytest.mark.parametrize("dovecot", ["", WITHOUT_IDLE], indirect=True, ids=["IDLE", "polling"])
def test_mail_that_arrives_is_kept(dovecot: Dovecot, watch: Watch, inbox: MemoryInbox) -> None:
    """By IDLE, and by polling; what was there before is let be, and so is mail to others.

    What says by its address what is wanted is marked as read; a letter to the plain address is not.
    """
    dovecot.deliver(mail(1), mail(2))
    with watch():
        dovecot.deliver(mail(3), mail(4, "cleo@example.org"))
        inbox.until(1)
        dovecot.deliver(mail(5, "advice@example.org"), mail(6))
        kept = inbox.until(3)
    assert [message.content for message in kept] == [mail(3), mail(5, "advice@example.org"), mail(6)]
    assert {(message.entrance, message.return_path) for message in kept} == {("imap", None)}
    assert [message.recipient for message in kept] == [
        "advice+join.career-advice@example.org",
        "advice@example.org",
        "advice+join.career-advice@example.org",
    ]
    assert dovecot.flags() == [set(), set(), SEEN, set(), set(), SEEN]
    fetched = re.findall(r"hdr_count=\d+ hdr_bytes=\d+ body_count=(\d+)", dovecot.log)
    assert sum(map(int, fetched)) == 3  # nobody else's letter was read


def test_the_server_may_go_and_come_back(
    dovecot: Dovecot, watch: Watch, inbox: MemoryInbox, troubles: "Queue[Exception]"
) -> None:
    """A restart is told once, and what arrived meanwhile is kept."""
    with watch():
        dovecot.deliver(mail(1))
        inbox.until(1)
        dovecot.stop()
        assert re.fullmatch(
            r"the mail server localhost:\d+ cannot be used: .+", str(troubles.get(timeout=60))
        )
        dovecot.start()
        dovecot.deliver(mail(2))
        inbox.until(2)
    assert dovecot.flags() == [SEEN, SEEN]


def test_a_mailbox_that_is_numbered_anew(
    dovecot: Dovecot, watch: Watch, wiring: Wiring, inbox: MemoryInbox
) -> None:
    """What arrived while nobody looked is kept, what was kept is known, and old mail does not flood in.

    Also where the server has forgotten when the old mail came: it says so itself.
    """
    long_ago = datetime.now(UTC) - timedelta(days=400)
    dovecot.deliver(mail(1), at=long_ago)
    with watch():
        dovecot.deliver(mail(2))
        inbox.until(1)
    dated = b"Date: Mon, 3 Feb 2025 10:00:00 +0000\r\n"
    dovecot.deliver(dated + mail(3), mail(4))
    dovecot.number_anew()
    look(section(dovecot), wiring)
    assert [message.content for message in inbox.messages] == [mail(2), mail(4)]
    dovecot.deliver(mail(5))
    look(section(dovecot), wiring)
    assert [message.content for message in inbox.messages] == [mail(2), mail(4), mail(5)]
    assert dovecot.flags() == [set(), SEEN, set(), SEEN, SEEN]


def test_a_large_message_is_left_there(
    dovecot: Dovecot, watch: Watch, wiring: Wiring, inbox: MemoryInbox, troubles: "Queue[Exception]"
) -> None:
    """30 MB: told with its size, not fetched, and what comes behind it is kept."""
    chosen = section(dovecot)
    with watch():
        dovecot.deliver(mail(1, more=b"x" * 998 + b"\r\n"), mail(2, more=(b"x" * 998 + b"\r\n") * 30_000))
        assert isinstance(told := troubles.get(timeout=60), MessageTooLargeError)
        dovecot.deliver(mail(3))
        kept = inbox.until(2)
    assert re.fullmatch(
        rf"message 2 in the folder INBOX of {USER} at localhost:\d+ has 30,000,\d\d\d bytes, more than "
        r"max_message_bytes in \[inbound\]; it is left there",
        str(told),
    )
    assert kept[1].content == mail(3)
    look(chosen, wiring)
    assert (len(inbox.messages), troubles.empty()) == (2, True)
    assert dovecot.flags() == [SEEN, set(), SEEN]


def test_what_cannot_be_kept_stays_to_be_kept(
    dovecot: Dovecot, watch: Watch, inbox: MemoryInbox, troubles: "Queue[Exception]"
) -> None:
    """A database that is locked is told once; the message waits, unmarked, and is kept once it can be."""
    with watch():
        inbox.error = LOCKED
        dovecot.deliver(mail(1))
        assert troubles.get(timeout=60) is LOCKED
        assert dovecot.flags() == [set()]
        inbox.error = None
        inbox.until(1)
    assert dovecot.flags() == [SEEN]
    assert troubles.empty()


def test_a_crash_after_keeping_fetches_it_again(dovecot: Dovecot, wiring: Wiring, inbox: MemoryInbox) -> None:
    """A message is kept before it is recorded as done, and the inbox knows it the second time."""
    chosen = section(dovecot, host="localhost", port=dovecot.port, tls="auto")
    look(chosen, wiring)
    dovecot.deliver(mail(1))
    folder = WatchedFolder(chosen, PASSWORD, wiring)

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    folder._record = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt), folder.opened() as client:
        folder.look(client)
    look(chosen, wiring)
    assert [message.content for message in inbox.messages] == [mail(1)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"password": "wrong"},
            r"refused the login of 'ann@example\.org' \(.*[Aa]uthentication failed.*\); see user",
        ),
        (
            {"folder": "Newsletter/Ünbekannt"},
            r"the folder Newsletter/Ünbekannt of .* cannot be opened \(.+\); see",
        ),
        ({"tls": "starttls"}, "cannot be used: .+"),
        (
            {"host": "127.0.0.1"},
            "cannot be used: .*(IP address mismatch|certificate is not valid).*127.0.0.1",
        ),
    ],
)
def test_what_is_wrong_is_said(
    dovecot: Dovecot, wiring: Wiring, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    """The login, the folder, TLS on the wrong port, another host's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.bundle))
    monkeypatch.setattr(imap, "_SECONDS", 3.0)
    chosen = section(dovecot, **settings)
    folder = WatchedFolder(chosen, chosen.login_password(), wiring)
    with pytest.raises(EntranceError, match=said), folder.opened() as client:
        folder.look(client)


def test_a_certificate_of_nobody_is_refused(dovecot: Dovecot, wiring: Wiring) -> None:
    """Before any password is said."""
    with pytest.raises(EntranceError, match=r"self.signed certificate|unable to get local issuer"):
        look(section(dovecot), wiring)
    assert "Login" not in dovecot.log


def test_starttls(dovecot: Dovecot, wiring: Wiring, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password, which is not ASCII, goes through a connection that was secured."""
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot.bundle))
    look(section(dovecot, port=dovecot.port, tls="starttls"), wiring)
    assert re.search(r"Login: user=<ann@example.org>.*\bTLS\b", dovecot.log)


def test_ending_is_quick_while_nothing_happens(
    dovecot: Dovecot, watch: Watch, troubles: "Queue[Exception]"
) -> None:
    """Who waits for news of a mailbox is woken."""
    began = datetime.now(UTC)
    with watch():
        pass
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    assert troubles.empty()


def test_run_and_tick_take_mail_in(advice: App, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real program: `run` at once, `tick` what came since; the doctor is content; what fails is told."""
    for name, value in {
        "SSL_CERT_FILE": str(dovecot.bundle),
        "PAPERROUND_SITE__LISTEN": "127.0.0.1:0",
        "PAPERROUND_SITE__INBOUND_ADDRESS": "advice@example.org",
        "PAPERROUND_IMAP__HOST": "localhost",
        "PAPERROUND_IMAP__PORT": str(dovecot.implicit_port),
        "PAPERROUND_IMAP__TLS": "implicit",
        "PAPERROUND_IMAP__USER": USER,
        "PAPERROUND_IMAP__PASSWORD_COMMAND": f"echo {PASSWORD}",
    }.items():
        monkeypatch.setenv(name, value)
    assert paperround(advice, "tick").code == 0  # the first look
    with Running(advice, "run") as ours:
        said = ours.until("is running")
        assert f"mail comes in from INBOX of {USER} at localhost:{dovecot.implicit_port}" in said
        dovecot.deliver(mail(1, "advice+join.advice@example.org"))
        assert ours.until("inbound 1: ").startswith("inbound 1: join")
        ours.tell(signal.SIGTERM)
        assert ours.end() == 0
    dovecot.deliver(mail(2, "advice+help@example.org"))
    ended = paperround(advice, "tick")
    assert (ended.code, "inbound 2: help" in ended.out) == (0, True)
    assert f"ok: mailbox {USER} at localhost" in paperround(advice, "doctor").out
    dovecot.stop()
    ended = paperround(advice, "tick")
    assert (ended.code, "the mail server localhost" in ended.err) == (1, True)
