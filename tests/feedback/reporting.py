"""Reports about letters that really went out: as a mail system or a provider would send them back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count
from threading import Event

import pytest

from newsletter.app import SendReport
from newsletter.delivery.reports import verdicts_of
from newsletter.feedback.handler import Handled
from newsletter.models import Delivery, Verdict
from subscribers.address import parse_address
from subscribers.subscriptions import find_subscriber
from tests.conftest import Clock, subscribe
from tests.delivery.bigissue import queue_post
from tests.feedback.conftest import Correspondence

ANN = "ann@example.org"
_NUMBERS = count(1)


@dataclass(frozen=True)
class Returned:
    """A letter as its reader's mail system has it."""

    content: bytes

    @property
    def message(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def path(self) -> str:
        """Its return path."""
        return str(self.message["Return-Path"]).strip("<>")

    @property
    def header(self) -> bytes:
        """Its header, without the return path that final delivery has put on top."""
        return self.content.partition(b"\r\n\r\n")[0].partition(b"\r\n")[2] + b"\r\n"

    def without(self, *fields: str) -> "Returned":
        """As it is when a provider has taken fields out."""
        message = self.message
        for name in fields:
            del message[name]
        return Returned(message.as_bytes(policy=policy.SMTP))


def failure(
    letter: Returned,
    status: str,
    said: str = "",
    *,
    action: str = "failed",
    recipient: str = ANN,
) -> bytes:
    """A delivery status notification (RFC 3464) about a letter."""
    number = next(_NUMBERS)
    return b"\r\n".join(
        [
            b"From: MAILER-DAEMON@mx.example.net",
            b"To: " + letter.path.encode(),
            b"Subject: Undelivered Mail Returned to Sender",
            b"Date: Tue, 06 Jan 2026 08:00:05 +0000",
            f"Message-ID: <{number}@mx.example.net>".encode(),
            b"Auto-Submitted: auto-replied",
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"',
            b"",
            b"--=_b",
            b"Content-Type: text/plain",
            b"",
            b"This is the mail system at mx.example.net.",
            b"--=_b",
            b"Content-Type: message/delivery-status",
            b"",
            b"Reporting-MTA: dns; mx.example.net",
            b"",
            f"Final-Recipient: rfc822; {recipient}".encode(),
            f"Action: {action}".encode(),
            f"Status: {status}".encode(),
            f"Diagnostic-Code: smtp; 550 {status} {said}".encode(),
            b"--=_b",
            b"Content-Type: text/rfc822-headers",
            b"",
            letter.header,
            b"--=_b--",
            b"",
        ]
    )


def complaint(letter: Returned) -> bytes:
    """A feedback report (RFC 5965) that names no address (RFC 6590)."""
    return b"\r\n".join(
        [
            b"From: feedback@provider.example",
            b"To: news@example.org",
            b"Subject: Complaint",
            b"Date: Tue, 06 Jan 2026 09:00:05 +0000",
            f"Message-ID: <{next(_NUMBERS)}@provider.example>".encode(),
            b"MIME-Version: 1.0",
            b'Content-Type: multipart/report; report-type=feedback-report; boundary="=_b"',
            b"",
            b"--=_b",
            b"Content-Type: text/plain",
            b"",
            b"This is an email abuse report.",
            b"--=_b",
            b"Content-Type: message/feedback-report",
            b"",
            b"Feedback-Type: abuse",
            b"User-Agent: Provider/1",
            b"Version: 1",
            b"Original-Rcpt-To: redacted-7cf4@provider.example",
            b"--=_b",
            b"Content-Type: message/rfc822",
            b"",
            letter.content,
            b"--=_b--",
            b"",
        ]
    )


@dataclass
class Newsroom:
    """A weekly letter, its readers, and what comes back of it."""

    post: Correspondence
    clock: Clock
    _issues: int = 0
    _seen: dict[str, int] = field(default_factory=dict)

    def issue(self, *, judge: bool = True) -> SendReport:
        """A week goes by, and the next letter goes out."""
        self._issues += 1
        site = self.post.site
        queue_post(site, f"post{self._issues}")
        self.clock.advance(days=1 if self._issues == 1 else 7, hours=8 if self._issues == 1 else 0)
        site.plan_due()
        return self.send(judge=judge)

    def send(self, *, judge: bool = True) -> SendReport:
        """Send what is due."""
        site = self.post.site
        with site.open_relays() as relays:
            report = site.send_due(relays, Event())
        if judge:
            site.judge_new()
        return report

    def letters(self, address: str = ANN) -> list[Returned]:
        """What has come to a mailbox since it was last looked into."""
        folder = self.post.site.settings.sandbox_folder / address
        paths = sorted(folder.glob("*.eml")) if folder.is_dir() else []
        seen = self._seen.get(address, 0)
        self._seen[address] = len(paths)
        return [Returned(path.read_bytes()) for path in paths[seen:]]

    def letter(self, address: str = ANN) -> Returned:
        """The one that has come."""
        (one,) = self.letters(address)
        return one

    def report(self, content: bytes, to: str, return_path: str = "") -> Handled:
        """A report comes in; returns what became of it."""
        self.post.receive(content, to, return_path)
        (handled,) = self.post.run()
        return handled

    def verdicts(self, address: str = ANN) -> list[Verdict]:
        with self.post.site.database.read() as session:
            reader = find_subscriber(session, parse_address(address))
            return verdicts_of(session, reader.id) if reader else []

    def effects(self, address: str = ANN) -> list[str | None]:
        return [one.effect for one in self.verdicts(address)]

    def delivery(self, number: int) -> Delivery:
        with self.post.site.database.read() as session:
            return session.get_one(Delivery, number)

    def order(self, address: str = ANN) -> str | None:
        """Why an address is not written to, if it is not."""
        site = self.post.site
        with site.database.read() as session:
            found = site.suppressions.find(session, parse_address(address))
            return found.reason if found else None


@pytest.fixture
def newsroom(post: Correspondence, clock: Clock) -> Newsroom:
    """A newsroom with one reader."""
    subscribe(post.site, ANN)
    return Newsroom(post, clock)


Make = Callable[[Returned], bytes]
