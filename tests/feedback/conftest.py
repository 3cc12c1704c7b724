"""What tests of inbound mail share: a site that is written to, and what people find in their mailboxes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from itertools import count

import pytest

from newsletter.app import App, open_app
from newsletter.feedback.handler import Handled
from subscribers.address import parse_address
from subscribers.subscriptions import find_subscriber, subscriptions_of

_NUMBERS = count(1)


@dataclass
class Correspondence:
    """A site, and the people who write to it and read what it answers."""

    site: App
    _read: dict[str, int] = field(default_factory=dict)

    def receive(self, content: bytes, recipient: str | None, return_path: str | None = None) -> None:
        """A message comes in, and is not handled yet."""
        self.site.inbox.keep(content, entrance="lmtp", recipient=recipient, return_path=return_path)

    def write(
        self,
        to: str,
        text: str = "",
        *,
        sender: str = "Ann Lee <ann@example.org>",
        subject: str = "",
        return_path: str | None = None,
        **fields: str,
    ) -> list[Handled]:
        """Somebody writes; returns what became of it. Answers go out."""
        mail = EmailMessage(policy=policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Message-ID"] = f"<{next(_NUMBERS)}@client.example>"
        mail["Date"] = "Mon, 05 Jan 2026 10:00:00 +0000"
        for name, value in fields.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(text)
        address = sender.partition("<")[2].rstrip(">") or sender
        self.receive(mail.as_bytes(), to, address if return_path is None else return_path)
        return self.run()

    def run(self) -> list[Handled]:
        """Handle what came in, and send what is due."""
        handled = self.site.handle_inbound()
        with self.site.open_relays() as relays:
            self.site.post_notes(relays)
        return handled

    def new_mail(self, address: str = "ann@example.org") -> list[EmailMessage]:
        """What has come to an address since it was last looked at."""
        folder = self.site.settings.sandbox_folder / address
        paths = sorted(folder.glob("*.eml")) if folder.is_dir() else []
        seen = self._read.get(address, 0)
        self._read[address] = len(paths)
        found = [message_from_bytes(path.read_bytes(), policy=policy.default) for path in paths[seen:]]
        return [one for one in found if isinstance(one, EmailMessage)]

    def subscriptions(self, address: str = "ann@example.org") -> dict[str, str]:
        """What somebody subscribes to."""
        with self.site.database.read() as session:
            reader = find_subscriber(session, parse_address(address))
            held = subscriptions_of(session, reader.id) if reader else []
            return {one.category: one.state for one in held}


@pytest.fixture
def post(advice: App, monkeypatch: pytest.MonkeyPatch) -> Iterator[Correspondence]:
    """A site with `advice`, to which readers write at news@example.org."""
    monkeypatch.setenv("PAPERROUND_DOORS__BY_EMAIL", "true")
    monkeypatch.setenv("PAPERROUND_SITE__INBOUND_ADDRESS", "news@example.org")
    monkeypatch.setenv("PAPERROUND_SITE__EDITOR", "editor@example.org")
    correspondence = Correspondence(open_app(advice.settings.folder, advice.clock))
    yield correspondence
    correspondence.site.close()
