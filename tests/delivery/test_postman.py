"""The postman: short letters go out, whatever the relay makes of a null return path, and are never lost."""

from collections.abc import Iterator

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlmodel import select

from newsletter.app import App
from newsletter.models import Note
from newsletter.states import NoteState
from tests.conftest import Clock
from tests.feedback.conftest import Correspondence, post
from tests.mailserver import MailServer

__all__ = ["post"]

HELP = b"From: ann@example.org\r\nSubject: help\r\nMessage-ID: <1@x>\r\n\r\n"


class Choosy(MailServer):
    """A relay that says something of its own to MAIL or RCPT."""

    refuses_null = False
    to_recipients = ""

    async def handle_MAIL(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses_null and address in ("", "<>"):
            return "501 5.1.7 Invalid MAIL FROM address provided"
        envelope.mail_from = address
        return "250 2.1.0 Ok"

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.to_recipients:
            return self.to_recipients
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Choosy]:
    with Choosy() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def answering(relay: Choosy, post: Correspondence) -> App:
    """A site that has an answer to send."""
    post.receive(HELP, "news@example.org")
    post.site.handle_inbound()
    return post.site


def send(site: App) -> list[str]:
    with site.open_relays() as relays:
        return [one.state for one in site.post_notes(relays)]


def note_of(site: App) -> Note:
    with site.database.read() as session:
        return session.exec(select(Note)).one()


def test_answers_have_the_null_return_path(answering: App, relay: Choosy) -> None:
    """STANDARDS check 29: what cannot be delivered comes back to nobody."""
    assert send(answering) == ["sent"]
    (taken,) = relay.accepted
    assert taken.mail_from.strip("<>") == ""
    assert note_of(answering).state == NoteState.SENT


def test_a_relay_that_takes_no_null_path_is_given_another(answering: App, relay: Choosy) -> None:
    """Amazon's says 501: the answer goes out all the same, with the address for bounces."""
    relay.refuses_null = True
    assert send(answering) == ["sent"]
    assert [one.mail_from for one in relay.accepted] == ["news@example.org"]


def test_what_is_refused_for_good_is_not_tried_again(answering: App, relay: Choosy, clock: Clock) -> None:
    """The reply stays on record."""
    relay.to_recipients = "550 5.1.1 No such user"
    assert send(answering) == ["bounced"]
    clock.advance(days=1)
    assert send(answering) == []
    assert "5.1.1 No such user" in (note_of(answering).reply or "")


def test_what_is_put_off_is_tried_again_until_it_is_stale(
    answering: App, relay: Choosy, clock: Clock
) -> None:
    """With the same octets each time, for three days."""
    relay.to_recipients = "451 4.7.1 Greylisted"
    first = note_of(answering).message
    states = []
    for _ in range(60):
        states += send(answering)
        clock.advance(hours=4)
    assert set(states[:-1]) == {"queued"}
    assert states[-1] == "expired"
    assert note_of(answering).message == first
    assert relay.accepted == []


def test_a_note_that_is_taken_is_nobody_elses(answering: App, relay: Choosy) -> None:
    """Two processes that look at the same moment do not both send it."""
    with answering.open_relays() as relays:
        answering.post_notes(relays)
        answering.post_notes(relays)
    assert len(relay.accepted) == 1
