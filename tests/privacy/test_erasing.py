"""What an erasure reaches: short letters on the wire, words of relays, notices, addresses of before."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SMTPSession
from sqlalchemy import make_url, update
from sqlmodel import select

from newsletter.app import App
from newsletter.delivery.ledger import Ledger, Recorded
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.models import Attempt, Delivery, InboundMessage, Note, Notice, Verdict
from newsletter.privacy.dossier import dossier
from newsletter.privacy.erasure import Erased
from newsletter.states import DeliveryState, NoteState
from subscribers.address import parse_address
from subscribers.models import Request, RequestKind, RequestState, SuppressionReason
from subscribers.requests import Asked, Door
from subscribers.subscriptions import find_subscriber
from tests.conftest import Cli, Clock, subscribe
from tests.delivery.bigissue import SLOT, queue_post
from tests.delivery.claimer import Claimer
from tests.feedback.conftest import Correspondence, post
from tests.feedback.reporting import Newsroom, failure, newsroom
from tests.mailserver import MailServer
from tests.orders import erase
from tests.privacy.test_privacy import ANN, NEWS, everything, reader
from tests.running import ON_SQLITE

__all__ = ["newsroom", "post"]

BO, CY, NEW = "bo@example.org", "cy@example.org", "ann@new.example"


class Slow(MailServer):
    """A relay that answers for a body once it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.has_body = threading.Event()
        self.may_answer = threading.Event()

    async def handle_DATA(self, server: SMTP, session: SMTPSession, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        self.has_body.set()
        await server.loop.run_in_executor(None, self.may_answer.wait, 30)
        return await super().handle_DATA(server, session, envelope)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    with Slow() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server
        server.may_answer.set()


def ask_for_help(post: Correspondence, *addresses: str) -> None:
    """Somebody writes, and an answer waits to be sent."""
    for address in addresses:
        post.receive(f"From: {address}\r\nSubject: help\r\nMessage-ID: <{address}>\r\n\r\n".encode(), NEWS)
    post.site.handle_inbound()


def sending(site: App) -> threading.Thread:
    """Somebody else sends what is due."""

    def send() -> None:
        with site.open_relays() as relays:
            site.post_notes(relays)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_short_letter_on_the_wire_is_waited_for(relay: Slow, post: Correspondence) -> None:
    """The erasure is acknowledged once the relay has answered, and nothing is left of the letter then."""
    ask_for_help(post, ANN)
    thread = sending(post.site)
    assert relay.has_body.wait(30)
    erased = erase(
        post.site,
        ANN,
        seconds=30,
        wait=lambda seconds: relay.may_answer.set() or threading.Event().wait(seconds),
    )
    thread.join()
    assert (len(relay.accepted), erased) == (1, Erased(None, 0))
    with post.site.database.read() as session:
        assert ANN not in everything(session)
        assert session.exec(select(Note)).one().state == NoteState.SENT


def test_of_one_that_is_not_waited_for_any_longer_nothing_comes_back(
    relay: Slow, post: Correspondence
) -> None:
    """It may still arrive, and that is said; what the relay says afterwards is not written down."""
    ask_for_help(post, ANN)
    thread = sending(post.site)
    assert relay.has_body.wait(30)
    assert erase(post.site, ANN) == (None, 1)
    relay.may_answer.set()
    thread.join()
    with post.site.database.read() as session:
        assert ANN not in everything(session)
        note = session.exec(select(Note)).one()
        assert (note.state, note.reply) == (NoteState.EXPIRED, None)


def test_a_short_letter_that_is_taken_and_not_gone_is_stopped(relay: Slow, post: Correspondence) -> None:
    """A process has a hundred of them in hand: whoever is erased meanwhile gets none."""
    ask_for_help(post, BO, ANN)
    thread = sending(post.site)
    assert relay.has_body.wait(30)
    assert erase(post.site, ANN) == (None, 0)
    relay.may_answer.set()
    thread.join()
    assert [one.recipient for one in relay.accepted] == [BO]


def asked_to_move(post: Correspondence, number: int, *, is_confirmed: bool) -> None:
    with post.site.database.write() as session:
        asked = Asked(
            kind=RequestKind.ADDRESS,
            address=parse_address(NEW),
            door=Door.PAGE,
            place="the preferences page",
            wording="",
            language="en",
            subscriber_id=number,
        )
        request = post.site.doors.ask(session, asked).id
    post.site.doors.post()
    if is_confirmed:
        with post.site.database.write() as session:
            post.site.doors.confirm(session, request, by=Door.PAGE, evidence="the button")


def number_of(site: App, address: str = ANN) -> int:
    with site.database.read() as session:
        return reader(session, address).id


def test_who_wants_to_move_is_erased_at_the_new_address_too(post: Correspondence) -> None:
    """The letter that asks the new address does not go, and is in the dossier before."""
    subscribe(post.site, ANN)
    asked_to_move(post, number_of(post.site), is_confirmed=False)
    with post.site.database.read() as session:
        told = dossier(session, reader(session), post.site.suppressions)
    assert {one["recipient"] for one in told["answers_to_you"]} == {ANN, NEW}
    erase(post.site, ANN)
    post.run()
    assert (post.new_mail(ANN), post.new_mail(NEW)) == ([], [])
    with post.site.database.read() as session:
        assert "ann@" not in everything(session)


def test_an_interrupted_erasure_forgets_nothing_of_whom_it_has_stopped(post: Correspondence) -> None:
    """The next one finds the letters to the new address again, and takes them away."""
    subscribe(post.site, ANN)
    asked_to_move(post, number_of(post.site), is_confirmed=False)
    with post.site.database.write() as session:
        session.execute(update(Note).values(on_wire_until=post.site.clock() + timedelta(hours=1)))

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase(post.site, ANN, seconds=5, wait=interrupted)
    with post.site.database.read() as session:
        assert session.exec(select(Request)).one().state == RequestState.REFUSED
    assert erase(post.site, ANN).on_the_wire == 2
    with post.site.database.read() as session:
        assert "ann@" not in everything(session)


def test_a_mail_that_nobody_has_read_yet_waits_for_nobody(post: Correspondence) -> None:
    """It goes with the rest, and is not set aside for the editor as one that says nothing."""
    post.receive(
        f"From: {ANN}\r\nSubject: hello\r\nMessage-ID: <1@x>\r\n\r\nI am Ann\r\n".encode(), NEWS, ANN
    )
    erase(post.site, ANN)
    assert post.run() == []
    with post.site.database.read() as session:
        held = session.exec(select(InboundMessage)).one()
        assert (held.state, held.content) == ("done", None)


def test_nothing_of_other_strangers_goes(post: Correspondence) -> None:
    """What somebody asked for who is no reader is theirs by the address alone."""
    for address in (ANN, BO):
        post.write("news+join.advice@example.org", sender=address)
    erase(post.site, ANN)
    with post.site.database.read() as session:
        assert session.exec(select(Request)).one().address_key == BO
    (asked,) = post.new_mail(BO)
    post.write(str(asked["Reply-To"].addresses[0].addr_spec), sender=BO)
    assert post.subscriptions(BO) == {"advice": "active"}


def test_of_a_request_that_comes_to_nothing_no_address_stays(post: Correspondence, clock: Clock) -> None:
    """Whoever asked cannot be told any more from its letters: they are forgotten with it."""
    subscribe(post.site, ANN)
    asked_to_move(post, number_of(post.site), is_confirmed=False)
    post.run()
    clock.advance(days=60)
    with post.site.database.write() as session:
        assert post.site.doors.purge(session) == 1
    with post.site.database.read() as session:
        assert NEW not in everything(session)
        assert {one.state for one in session.exec(select(Note))} == {NoteState.SENT}


def test_nobody_writes_to_an_address_of_before(post: Correspondence, cli: Cli) -> None:
    """It has an order of its own. Whoever names it alone is told how its reader is erased."""
    subscribe(post.site, ANN)
    asked_to_move(post, number_of(post.site), is_confirmed=True)
    folder = post.site.settings.folder
    said = cli("--site", folder, "subscriber", "erase", ANN)
    assert said.returncode != 0
    assert f"subscriber erase {NEW}" in said.stderr
    assert cli("--site", folder, "subscriber", "erase", NEW).returncode == 0
    with post.site.database.read() as session:
        orders = [post.site.suppressions.find(session, parse_address(one)) for one in (ANN, NEW)]
    assert [order and order.reason for order in orders] == [SuppressionReason.ERASED] * 2


def test_what_a_relay_says_after_the_erasure_is_not_written_down(advice: App, clock: Clock) -> None:
    """Of a letter on the wire that was not waited for, and of one that was refused before its body went."""
    subscribe(advice, CY, BO)
    queue_post(advice)
    clock.now = datetime.fromisoformat(SLOT)
    advice.plan_due()
    with advice.database.writing_connection() as connection:
        ledger = Ledger(advice.database, connection, resend_in_doubt=False, now=clock.now)
        letters = {one.address: one for one in ledger.claim(10, clock.now)}
        ledger.settle([letters[CY].id], [])
        assert erase(advice, CY).on_the_wire == 1
        assert erase(advice, BO).on_the_wire == 0
        for address, stage in ((CY, Stage.DOT), (BO, Stage.RCPT)):
            reply = f"550 5.1.1 <{address}>: no such user"
            outcome = Outcome(DeliveryState.BOUNCED, stage, 550, reply)
            letter = letters[address]
            ledger.settle([], [Recorded(letter.id, letter.issue_id, outcome, clock.now)])
        ledger.close(clock.now)
    with advice.database.read() as session:
        assert {one.reply for one in session.exec(select(Attempt))} == {"(erased)"}
        assert {one.diagnostic for one in session.exec(select(Verdict))} == {"(erased)"}
        assert {one.state for one in session.exec(select(Delivery))} == {"bounced", "suppressed"}
        text = everything(session)
    assert CY not in text
    assert BO not in text


def test_evidence_about_others_stays_whole(newsroom: Newsroom) -> None:
    """A report that counted against somebody else stays, whoever else it names; one about nobody goes."""
    site = newsroom.post.site
    newsroom.issue()
    letter = newsroom.letter()
    newsroom.report(failure(letter, "5.1.1", f"unknown; postmaster is {BO}"), letter.path)
    unplaced = EmailMessage()
    unplaced["From"], unplaced["To"], unplaced["Subject"] = "mailer-daemon@x.example", NEWS, "Undeliverable"
    unplaced["Message-ID"] = "<unplaced@x.example>"
    unplaced.set_content(f"Your message could not be delivered: {BO}: 550 5.1.1 User unknown", cte="base64")
    newsroom.post.receive(unplaced.as_bytes(), NEWS, "")
    newsroom.post.run()
    erase(site, BO)
    with site.database.read() as session:
        kept, gone = session.exec(select(InboundMessage).order_by("id")).all()
    assert BO.encode() in (kept.content or b"")
    assert (gone.content, gone.state) == (None, "report")


def test_notices_lose_the_address(advice: App) -> None:
    """What else the editor was told stays; an address that ends in this one is another's."""
    subscribe(advice, ANN)
    text = f"Refused: <Ann@Example.org>, and mary{ANN}."
    with advice.database.write() as session:
        now = advice.clock()
        session.add(
            Notice(topic="x", number=1, kind="x", subject=ANN, text=text, noticed_at=now, retry_at=now)
        )
    erase(advice, ANN)
    with advice.database.read() as session:
        notice = session.exec(select(Notice)).one()
        assert (notice.subject, notice.text) == ("(erased)", f"Refused: <(erased)>, and mary{ANN}.")
        assert find_subscriber(session, parse_address(ANN)) is None


def test_a_notice_loses_an_address_beyond_ascii(advice: App) -> None:
    """However its letters are written."""
    address = "Ärger@bücher.example"
    with advice.database.write() as session:
        now = advice.clock()
        text = f"Refused: {address}, ärger@bücher.example, ärger@xn--bcher-kva.example"
        session.add(
            Notice(topic="x", number=1, kind="x", subject="", text=text, noticed_at=now, retry_at=now)
        )
    erase(advice, address)
    with advice.database.read() as session:
        assert session.exec(select(Notice)).one().text == "Refused: (erased), (erased), (erased)"


def test_a_mail_that_was_set_aside_waits_for_nobody(post: Correspondence) -> None:
    """There is nothing left in it to look at."""
    mail = f"From: {ANN}\r\nSubject: hi\r\nMessage-ID: <1@x>\r\n\r\nI am Ann\r\n"
    post.receive(mail.encode(), "somebody@else.example", ANN)
    post.run()
    with post.site.database.read() as session:
        assert session.exec(select(InboundMessage)).one().state == "aside"
    erase(post.site, ANN)
    with post.site.database.read() as session:
        assert session.exec(select(InboundMessage)).one().state == "done"


def test_a_report_that_comes_late_keeps_no_erased_address(post: Correspondence) -> None:
    """One that was not read yet, or comes only then: it is about nobody."""
    report = EmailMessage()
    report["From"], report["To"], report["Subject"] = "mailer-daemon@x.example", NEWS, "Undeliverable"
    report["Message-ID"] = "<late@x.example>"
    report.set_content(f"Your message could not be delivered: {BO}: 550 5.1.1 User unknown")
    post.receive(report.as_bytes(), NEWS, "")
    erase(post.site, BO)
    post.run()
    with post.site.database.read() as session:
        assert session.exec(select(InboundMessage)).one().state == "report"
        assert BO not in everything(session)


def test_a_dossier_tells_nobody_who_else_wants_their_address(post: Correspondence) -> None:
    """Somebody has mistyped their new one. Who has it is not told whose it was, and the other is warned."""
    subscribe(post.site, BO)
    subscribe(post.site, NEW)
    asked_to_move(post, number_of(post.site, BO), is_confirmed=False)
    with post.site.database.read() as session:
        told = dossier(session, reader(session, NEW), post.site.suppressions)
    assert BO not in repr(told)
    assert [one["recipient"] for one in told["answers_to_you"]] == [NEW]
    assert all("subscriber_id" not in one for one in told["requests"])
    erase(post.site, NEW)
    post.run()
    assert len(post.new_mail(BO)) == 1


@ON_SQLITE
def test_the_files_of_the_database_lose_the_address_too(post: Correspondence) -> None:
    """Not only its rows: also free pages and the log, while the program goes on."""
    subscribe(post.site, ANN)
    post.write(NEWS, "help", sender=ANN)
    erase(post.site, ANN)
    database = Path(make_url(post.site.settings.database_url).database or "")
    files = list(database.parent.glob(f"{database.name}*"))
    assert len(files) > 1
    assert all(ANN.encode() not in file.read_bytes() for file in files)


def test_what_a_process_that_died_left_is_not_sent_to_nobody(advice: App, clock: Clock) -> None:
    """Whoever takes over finds a letter in doubt whose reader is erased: it goes to no address again."""
    subscribe(advice, CY)
    queue_post(advice)
    clock.now = datetime.fromisoformat(SLOT)
    advice.plan_due()
    with Claimer(advice.settings.database_url, clock.now, 1) as sender:
        sender.kill()
    assert erase(advice, CY).on_the_wire == 1
    pause = threading.Event()
    for _ in range(100):  # PostgreSQL may need a moment to see it gone
        with advice.database.writing_connection() as connection:
            ledger = Ledger(advice.database, connection, resend_in_doubt=True, now=clock.now)
            ledger.recover(clock.now)
            assert ledger.claim(10, clock.now) == []
            ledger.close(clock.now)
        with advice.database.read() as session:
            letter = session.exec(select(Delivery)).one()
        if letter.state != "sending" or pause.wait(0.05):
            break
    assert (letter.state, letter.reply) == ("cancelled", "(erased)")
