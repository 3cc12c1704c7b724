"""The whole round by email, as a reader makes it: join, confirm by a reply, read an issue, leave by a mail.

Once with a real Postfix that hands mail over by LMTP and delivers what we send, and once with a mailbox at a
real Dovecot, which is all that some sites have. Every step goes through real programs.
"""

import re
import signal
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

import pytest

from newsletter.app import App
from subscribers.address import parse_address
from subscribers.consent import verify
from subscribers.subscriptions import consents_of, find_subscriber, subscriptions_of
from tests.conftest import Paperround
from tests.delivery.bigissue import queue_post
from tests.dovecot import PASSWORD, USER, running_dovecot
from tests.mailserver import MailServer
from tests.postfix import Postfix
from tests.running import Running
from tests.trials.test_postfix_inbound import drained, free_port, set_up

pytestmark = pytest.mark.trial

READER, PLAIN, JOIN = "bo@example.net", "advice@example.org", "advice+join.advice@example.org"


ANSWER = """Yes, thank you!

On Mon, 5 Jan 2026 at 10:00, Test letters <advice@example.org> wrote:
> If it was not you, do nothing. No letters, never.

Sent from my phone
"""


@pytest.fixture(autouse=True)
def _address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that readers may write to."""
    monkeypatch.setenv("PAPERROUND_DOORS__BY_EMAIL", "true")
    monkeypatch.setenv("PAPERROUND_SITE__INBOUND_ADDRESS", PLAIN)
    monkeypatch.setenv("PAPERROUND_SITE__EDITOR", "editor@example.net")
    monkeypatch.setenv("PAPERROUND_SITE__LISTEN", "127.0.0.1:0")


def written(to: str, subject: str, text: str = "") -> bytes:
    """A mail as the reader's program writes it."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = f"Bo Reader <{READER}>", to, subject
    mail["Message-ID"] = f"<{time.monotonic_ns()}@phone.example.net>"
    mail.set_content(text)
    return mail.as_bytes()


class Reader:
    """Somebody who writes by `send` and reads what `mailbox` has."""

    def __init__(self, send: Callable[[str, bytes], None], mailbox: Callable[[], list[bytes]]) -> None:
        self._send = send
        self._mailbox = mailbox
        self._read: set[bytes] = set()

    def write(self, to: str, subject: str = "", text: str = "") -> None:
        self._send(to, written(to, subject, text))

    def next_letter(self) -> EmailMessage:
        """The one letter that comes next."""
        end = time.monotonic() + 90
        while not (new := self.new_letters()):
            assert time.monotonic() < end, "nothing has come"
            time.sleep(0.1)  # a real neighbour is at work
        (letter,) = new
        return letter

    def new_letters(self) -> list[EmailMessage]:
        found = [one for one in self._mailbox() if one not in self._read]
        self._read |= set(found)
        mails = [message_from_bytes(one, policy=policy.default) for one in found]
        return [one for one in mails if isinstance(one, EmailMessage)]


@contextmanager
def running(site: App, said: str, **environment: str) -> Iterator[None]:
    """`paperround run`, from when its entrance is open to its orderly end."""
    with Running(site, "run", **environment) as ours:
        assert "is running" in ours.until(said)
        yield
        ours.tell(signal.SIGTERM)
        assert ours.end() == 0, ours.said


def next_slot(weeks: int = 0) -> str:
    """A moment after the category's next slot, or a later one."""
    now = datetime.now(UTC)
    day = now + timedelta(days=(1 - now.weekday()) % 7 or 7, weeks=weeks)
    return f"{day:%Y-%m-%d}T08:05:00Z"


def states(site: App) -> dict[str, str]:
    with site.database.read() as session:
        reader = find_subscriber(session, parse_address(READER))
        return {one.category: one.state for one in subscriptions_of(session, reader.id)} if reader else {}


def walk(
    site: App,
    reader: Reader,
    keep_running: Callable[[], "contextmanager[None]"],  # type: ignore[type-arg]
    tick: Callable[[str], None],
) -> None:
    """The whole round, and what the operator can show of it afterwards."""
    with keep_running():
        reader.write(JOIN)
        asked = reader.next_letter()
        assert states(site) == {}
        assert asked["Auto-Submitted"] == "auto-replied"
        reply_to = str(asked["Reply-To"].addresses[0].addr_spec)
        reader.write(reply_to, f"Re: {asked['Subject']}", ANSWER)
        welcome = reader.next_letter()
        assert states(site) == {"advice": "active"}
        assert parsedate_to_datetime(str(welcome["Date"])).tzinfo is not None
    queue_post(site)
    tick(next_slot())
    issue = reader.next_letter()
    assert issue["Subject"] == "A title"
    (leave,) = re.findall(r"<mailto:([^?>]+)\?subject=unsubscribe>", str(issue["List-Unsubscribe"]))
    with keep_running():
        reader.write(leave, "unsubscribe")
        assert "Good advice" in str(reader.next_letter()["Subject"])
        assert states(site) == {"advice": "left"}
    queue_post(site, "two")
    tick(next_slot(weeks=1))
    assert reader.new_letters() == []
    with site.database.read() as session:
        found = find_subscriber(session, parse_address(READER))
        assert found
        records = consents_of(session, found.id)
        assert [(one.action, one.source) for one in records] == [("granted", "email"), ("withdrawn", "email")]
        assert verify(session).flaws == ()


def ticking(site: App, paperround: Paperround) -> Callable[[str], None]:
    """`paperround tick` at a moment."""

    def tick(at: str) -> None:
        done = paperround("--site", site.settings.folder, "tick", "--at", at)
        assert done.returncode == 0, done.stderr

    return tick


def test_with_a_real_postfix(advice: App, paperround: Paperround, monkeypatch: pytest.MonkeyPatch) -> None:
    """Postfix takes the reader's mail, hands it over by LMTP, and delivers all that we send."""
    here = f"127.0.0.1:{free_port()}"
    with set_up("transport", here=here) as postfix:
        for name, value in postfix.environment.items():
            monkeypatch.setenv(name, value)

        def send(to: str, mail: bytes) -> None:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
                client.sendmail(READER, [to], mail)

        tick = ticking(advice, paperround)

        def tick_and_deliver(at: str) -> None:
            tick(at)
            drained(postfix)

        walk(
            advice,
            Reader(send, lambda: mailbox_of(postfix)),
            lambda: running(advice, "mail comes in at", PAPERROUND_INBOUND__LISTEN=here),
            tick_and_deliver,
        )


def mailbox_of(postfix: Postfix) -> list[bytes]:
    """What was delivered to the reader; the editor's mail lies in the same place."""
    return [mail for mail in postfix.mailbox if f"\nDelivered-To: {READER}\n".encode() in b"\n" + mail]


def test_with_a_mailbox_at_a_real_dovecot(
    advice: App, paperround: Paperround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader's mail lies in a mailbox that `run` watches; nothing is deleted there."""
    with running_dovecot() as dovecot, MailServer() as relay:
        environment = relay.environment | {
            "SSL_CERT_FILE": str(dovecot.bundle),
            "PAPERROUND_IMAP__HOST": "localhost",
            "PAPERROUND_IMAP__PORT": str(dovecot.implicit_port),
            "PAPERROUND_IMAP__TLS": "implicit",
            "PAPERROUND_IMAP__USER": USER,
            "PAPERROUND_IMAP__PASSWORD": PASSWORD,
            "PAPERROUND_IMAP__POLL_SECONDS": "1",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        tick = ticking(advice, paperround)
        assert paperround("--site", advice.settings.folder, "tick").returncode == 0  # it looks in first
        walk(
            advice,
            Reader(
                lambda _, mail: dovecot.deliver(mail),
                lambda: [one.content for one in relay.accepted if one.recipient == READER],
            ),
            lambda: running(advice, "is running"),
            tick,
        )
        assert len(dovecot.flags()) == 3
