"""What comes back of letters, through the running program on both databases: judged, kept, acted upon."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import func, update
from sqlmodel import select

from newsletter.app import open_app
from newsletter.delivery.relays import Relay
from newsletter.feedback.inbox import EVIDENCE_OCTETS, message
from newsletter.feedback.probes import ask
from newsletter.models import Delivery, Issue, Notice, Probe, Receipt, Verdict
from newsletter.privacy.dossier import dossier
from newsletter.settings import RelaySection, TLSMode
from newsletter.states import DeliveryState, InboundState
from subscribers.address import parse_address
from subscribers.models import RequestKind, Subscriber, SuppressionReason
from subscribers.requests import Answer, Asked, Door
from subscribers.subscriptions import find_subscriber
from subscribers.tokens import Purpose
from tests.conftest import Cli, Clock, subscribe
from tests.feedback.reporting import ANN, Newsroom, complaint, failure, newsroom
from tests.mailserver import MailServer
from tests.orders import erase
from tests.running import ON_SQLITE

__all__ = ["newsroom"]

BO = "bo@example.org"
NEWS = "news@example.org"
BOUNCES = "news+bounce@example.org"


class Refusing(MailServer):
    """A mail server that says the same of every recipient."""

    def __init__(self, reply: str) -> None:
        super().__init__()
        self.reply = reply

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return self.reply

    @property
    def relay(self) -> Relay:
        return Relay(RelaySection(host="127.0.0.1", port=self.port, tls=TLSMode.NONE))


def said(newsroom: Newsroom, reply: str) -> None:
    """The next issue goes out by a relay that says this of every recipient."""
    with pytest.MonkeyPatch.context() as patch, Refusing(reply) as server:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        patch.setenv("PAPERROUND_RELAY__TLS", "none")
        elsewhere = open_app(newsroom.post.site.settings.folder, newsroom.clock)
        before, newsroom.post.site = newsroom.post.site, elsewhere
        newsroom.issue()
        newsroom.post.site = before
        elsewhere.close()


# Whose it is, and what it says (checks 36 to 38 of the standards).


def test_a_report_is_put_to_its_letter_by_its_token(newsroom: Newsroom) -> None:
    """Whatever address a report names: the return path it came to says whose letter it was."""
    newsroom.issue()
    letter = newsroom.letter()
    handled = newsroom.report(
        failure(letter, "5.1.1", "User unknown", recipient="someone.else@rewritten.example"), letter.path
    )
    assert (
        handled.result.outcome == "delivery 1 did not arrive (dead, 5.1.1): its reader is written to no more"
    )
    (verdict,) = newsroom.verdicts()
    assert (verdict.kind, verdict.bounce_class, verdict.effect) == ("bounce", "dead", "suppressed")
    assert (verdict.delivery_id, verdict.status, verdict.remote) == (1, "5.1.1", "mx.example.net")
    assert "User unknown" in verdict.diagnostic
    assert newsroom.order() == SuppressionReason.BOUNCED
    assert newsroom.post.subscriptions() == {"advice": "suppressed"}
    bounced = newsroom.delivery(1)
    assert (bounced.state, bounced.fault) == ("bounced", "address")
    newsroom.issue()
    assert newsroom.letters() == []


def test_a_delay_is_no_bounce(newsroom: Newsroom) -> None:
    """`Action: delayed` is kept, and changes nothing for the reader or the letter."""
    newsroom.issue()
    letter = newsroom.letter()
    newsroom.report(failure(letter, "4.4.1", "No answer yet", action="delayed"), letter.path)
    (verdict,) = newsroom.verdicts()
    assert (verdict.kind, verdict.bounce_class, verdict.effect) == ("delay", None, "none")
    assert newsroom.delivery(1).state == DeliveryState.SENT
    assert newsroom.post.subscriptions() == {"advice": "active"}


@pytest.mark.parametrize(
    ("status", "words", "bounce_class"),
    [
        ("5.7.1", "Message rejected due to local policy", "policy"),
        ("5.7.26", "Unauthenticated email is not accepted", "policy"),
        ("5.3.4", "Message too big for system", "content"),
        ("5.6.0", "Message content rejected", "content"),
    ],
)
@ON_SQLITE
def test_policy_and_content_are_never_held_against_a_reader(
    newsroom: Newsroom, status: str, words: str, bounce_class: str
) -> None:
    """Six letters in a row are refused for our own sake: the reader stays, and is not probed."""
    for _ in range(6):
        newsroom.issue()
        letter = newsroom.letter()
        newsroom.report(failure(letter, status, words), letter.path)
    assert {(one.bounce_class, one.effect) for one in newsroom.verdicts()} == {(bounce_class, "none")}
    assert newsroom.post.subscriptions() == {"advice": "active"}
    assert newsroom.order() is None


@pytest.mark.parametrize("kept", ["List-Unsubscribe", "Message-ID"])
@pytest.mark.parametrize("to", [NEWS, BOUNCES])
def test_a_complaint_without_an_address_ends_everything_at_once(
    newsroom: Newsroom, kept: str, to: str
) -> None:
    """A redacted feedback report says by a token whose letter it was: they get no more of anything."""
    newsroom.issue()
    traces = {"Return-Path", "List-Unsubscribe", "Message-ID", "To", "List-Unsubscribe-Post"} - {kept}
    letter = newsroom.letter().without(*traces)
    if kept == "Message-ID":
        letter = type(letter)(letter.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    newsroom.report(complaint(letter), to, "bounce@provider.example")
    (verdict,) = newsroom.verdicts()
    assert (verdict.kind, verdict.effect) == ("complaint", "suppressed")
    assert newsroom.order() == SuppressionReason.COMPLAINED
    assert newsroom.post.subscriptions() == {"advice": "left"}
    assert newsroom.delivery(1).complained_at == newsroom.clock()


# What is not believed.


@pytest.mark.parametrize("forged", ["address", "token", "purpose", "unknown", "unsent"])
def test_a_forged_report_is_kept_and_not_acted_upon(newsroom: Newsroom, forged: str) -> None:
    """Whoever knows an address, or makes a token up, suppresses nobody; the report is kept."""
    newsroom.issue()
    signer = newsroom.post.site.signer
    to = {
        "address": BOUNCES,
        "token": f"news+bounce.{'a' * len(signer.sign(Purpose.BOUNCE, 1))}@example.org",
        "purpose": f"news+bounce.{signer.sign(Purpose.LEAVE, 1)}@example.org",
        "unknown": f"news+bounce.{signer.sign(Purpose.BOUNCE, 99)}@example.org",
        "unsent": f"news+bounce.{signer.sign(Purpose.BOUNCE, 1)}@example.org",
    }[forged]
    if forged == "unsent":  # as after an older backup was restored
        with newsroom.post.site.database.write() as session:
            session.execute(update(Delivery).values(state="queued", attempts=0))
    bare = newsroom.letter().without("Return-Path", "Message-ID", "List-Unsubscribe")
    letter = type(bare)(bare.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    handled = newsroom.report(failure(letter, "5.1.1").replace(b"To: None", b"To: news@example.org"), to)
    assert handled.result.state == InboundState.REPORT
    assert "by no token of ours" in handled.result.outcome
    assert newsroom.verdicts() == []
    assert newsroom.post.subscriptions() == {"advice": "active"}


def test_an_automatic_reply_is_no_bounce(newsroom: Newsroom) -> None:
    """Somebody who is away, and whose program writes to the return path, keeps their letters."""
    newsroom.issue()
    header = b"From: ann@example.org\r\nAuto-Submitted: auto-replied\r\nSubject: Out of office\r\n\r\n"
    handled = newsroom.report(header + b"I am back on Monday.\r\n", newsroom.letter().path)
    assert handled.result.state == InboundState.DONE
    assert handled.result.outcome.startswith("not a report: ")
    assert newsroom.verdicts() == []


@pytest.mark.parametrize("way", ["again", "another address"])
def test_the_same_report_twice_is_one_verdict(newsroom: Newsroom, way: str) -> None:
    """A report that is replayed, or comes by two ways, is judged once."""
    newsroom.issue()
    letter = newsroom.letter()
    content = failure(letter, "5.2.2", "Mailbox full")
    newsroom.report(content, letter.path)
    newsroom.post.receive(content, letter.path if way == "again" else NEWS, "")
    again = newsroom.post.run()
    assert [one.result.outcome for one in again] == (
        [] if way == "again" else ["delivery 1 was reported so before, by message 1"]
    )
    assert newsroom.effects() == ["strike"]


# By the reply of a relay, and by a report.


@pytest.mark.parametrize(
    ("status", "words", "effect"),
    [
        ("5.1.1", "No such user here", "suppressed"),
        ("5.2.1", "The mailbox is disabled", "strike"),
        ("5.2.2", "Mailbox full", "strike"),
        ("5.7.1", "Rejected by policy", "none"),
    ],
)
def test_a_reply_and_a_report_count_the_same(
    newsroom: Newsroom, status: str, words: str, effect: str
) -> None:
    """What a relay refuses at once, and what it takes and sends back, come to the same verdict."""
    said(newsroom, f"550 {status} {words}")
    (at_once,) = newsroom.verdicts()
    subscribe(newsroom.post.site, BO)
    newsroom.issue()
    letter = newsroom.letter(BO)
    newsroom.report(failure(letter, status, words), letter.path)
    (later,) = newsroom.verdicts(BO)
    assert (at_once.bounce_class, at_once.effect) == (later.bounce_class, later.effect)
    assert (at_once.status, at_once.effect) == (status, effect)
    assert at_once.attempt_id is not None
    assert newsroom.order() == newsroom.order(BO)


def test_a_letter_that_was_put_off_until_it_was_stale_counts(newsroom: Newsroom, clock: Clock) -> None:
    """A mailbox that was full all the time is a strike; that our relay was away is not."""
    said(newsroom, "452 4.2.2 Mailbox full")
    assert newsroom.verdicts() == []
    clock.advance(days=6)
    newsroom.send()
    assert newsroom.delivery(1).state == DeliveryState.EXPIRED
    assert [(one.bounce_class, one.effect) for one in newsroom.verdicts()] == [("full", "strike")]
    clock.advance(days=-6)
    said(newsroom, "451 4.3.0 Try again later")
    clock.advance(days=6)
    newsroom.send()
    assert newsroom.delivery(2).state == DeliveryState.EXPIRED
    assert len(newsroom.verdicts()) == 1


# Over time.


def fill(newsroom: Newsroom, weeks: int) -> None:
    """So many letters that find the mailbox full."""
    for _ in range(weeks):
        newsroom.issue()
        for letter in newsroom.letters():
            if letter.message["List-Unsubscribe"]:
                newsroom.report(failure(letter, "5.2.2", "Mailbox full"), letter.path)


def told_of_probes(newsroom: Newsroom) -> list[object]:
    """When each probe came back, by what is told of its reader."""
    with newsroom.post.site.database.read() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        return [
            one["failed_at"] for one in dossier(session, reader, newsroom.post.site.suppressions)["probes"]
        ]


def test_a_probe_that_comes_back_ends_it(newsroom: Newsroom) -> None:
    """Three full weeks, and a letter of its own asks; when that comes back, too, nothing more is written."""
    fill(newsroom, 2)
    assert newsroom.effects() == ["strike", "strike"]
    fill(newsroom, 1)
    assert newsroom.effects() == ["strike", "strike", "probe"]
    probe = newsroom.letter()
    assert probe.message["Subject"] == "Do our letters still reach you?"
    assert probe.path.startswith("news+bounce.")
    assert newsroom.order() is None
    handled = newsroom.report(failure(probe, "5.2.2", "Mailbox full"), probe.path)
    assert handled.result.outcome.startswith("probe 1 did not arrive (full, 5.2.2): its reader is written")
    assert told_of_probes(newsroom) == [newsroom.clock()]
    assert newsroom.order() == SuppressionReason.BOUNCED
    newsroom.issue()
    assert newsroom.letters() == []


def test_a_probe_that_comes_through_wipes_the_slate(newsroom: Newsroom) -> None:
    """One that does not come back: it takes three more full weeks until the next."""
    fill(newsroom, 3)
    assert len(newsroom.letters()) == 1
    assert told_of_probes(newsroom) == [None]
    fill(newsroom, 2)
    assert newsroom.effects()[3:] == ["strike", "strike"]
    fill(newsroom, 1)
    assert newsroom.effects()[5:] == ["probe"]
    assert newsroom.post.subscriptions() == {"advice": "active"}
    with newsroom.post.site.database.read() as session:
        assert session.execute(select(func.count()).select_from(Probe)).scalar_one() == 2


def test_a_probe_that_is_refused_at_once_ends_it(newsroom: Newsroom) -> None:
    """A relay that refuses the probe itself says the same as a report of it."""
    site = newsroom.post.site
    fill(newsroom, 2)
    newsroom.issue()
    letter = newsroom.letter()
    newsroom.post.receive(failure(letter, "5.2.2", "Mailbox full"), letter.path, "")
    site.handle_inbound()
    with Refusing("550 5.1.1 No such user") as server:
        site.post_notes([server.relay])
    site.judge_new()
    assert newsroom.effects() == ["strike", "strike", "probe", "suppressed"]
    assert told_of_probes(newsroom) == [newsroom.clock()]
    assert newsroom.order() == SuppressionReason.BOUNCED


@ON_SQLITE
def test_a_probe_that_is_refused_for_policy_says_nothing(newsroom: Newsroom) -> None:
    """Our own bad name is no answer to whether letters reach a reader."""
    fill(newsroom, 2)
    newsroom.issue()
    letter = newsroom.letter()
    newsroom.post.receive(failure(letter, "5.2.2", "Mailbox full"), letter.path, "")
    newsroom.post.site.handle_inbound()
    with Refusing("550 5.7.1 Blocked by policy") as server:
        newsroom.post.site.post_notes([server.relay])
    newsroom.post.site.judge_new()
    assert newsroom.effects() == ["strike", "strike", "probe", "none"]
    assert newsroom.order() is None


@ON_SQLITE
def test_a_mailbox_that_is_full_now_and_then_is_left_in_peace(newsroom: Newsroom) -> None:
    """Every third letter comes back, time after time: nobody is asked anything."""
    for _ in range(5):
        fill(newsroom, 1)
        for _ in range(2):
            newsroom.issue()
            newsroom.letter()
    assert set(newsroom.effects()) == {"strike"}


@ON_SQLITE
def test_whoever_has_left_is_not_probed(newsroom: Newsroom) -> None:
    """A reader without a subscription is not written to, to see whether they can be."""
    fill(newsroom, 2)
    newsroom.issue()
    letter = newsroom.letter()
    with newsroom.post.site.database.write() as session:
        newsroom.post.site.suppressions.suppress(
            session,
            parse_address(ANN),
            SuppressionReason.ASKED,
            newsroom.post.site.letters,
            source="cli",
            now=newsroom.clock(),
        )
    newsroom.report(failure(letter, "5.2.2", "Mailbox full"), letter.path)
    assert newsroom.effects()[-1] == "strike"
    assert newsroom.letters() == []


# Crashes, and two at once.


def test_what_was_written_and_not_judged_is_judged_later(
    newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between a refusal and its judgement leaves it to the next, which judges it once."""
    monkeypatch.setattr("newsletter.app.App.judge_new", lambda self: [])
    said(newsroom, "550 5.1.1 No such user")
    monkeypatch.undo()
    assert newsroom.effects() == [None]
    assert newsroom.order() is None
    with ThreadPoolExecutor(4) as pool:
        judge = newsroom.post.site.judge
        done = list(pool.map(lambda _: [one for some in judge.judge_new() for one in some], range(4)))
    assert [len(one) for one in sorted(done, key=len)] == [0, 0, 0, 1]
    assert newsroom.effects() == ["suppressed"]
    assert newsroom.order() == SuppressionReason.BOUNCED


@ON_SQLITE
def test_what_never_counts_is_judged_in_portions(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who refuses a whole issue for policy leaves a verdict a reader: they are never all in hand."""
    names = ["bo@one.example", "cleo@two.example"]
    subscribe(newsroom.post.site, *names)
    monkeypatch.setattr("newsletter.app.App.judge_new", lambda self: [])
    said(newsroom, "550 5.7.1 Blocked by policy")
    monkeypatch.setattr("newsletter.feedback.verdicts._PORTION", 2)
    judged = list(newsroom.post.site.judge.judge_new())
    assert [len(portion) for portion in judged] == [2, 1]
    assert {one.effect for portion in judged for one in portion} == {"none"}
    assert [newsroom.effects(name) for name in names] == [["none"]] * 2
    assert list(newsroom.post.site.judge.judge_new()) == []


def test_a_lifted_order_is_not_given_again_for_old_letters(newsroom: Newsroom, clock: Clock) -> None:
    """Whoever is written to again by a person's word begins anew, whatever was reported before."""
    said(newsroom, "550 5.1.1 No such user")
    clock.advance(days=1)
    with newsroom.post.site.database.write() as session:
        reasons = [SuppressionReason.BOUNCED]
        newsroom.post.site.suppressions.lift(session, parse_address(ANN), reasons, now=clock())
    fill(newsroom, 1)
    assert newsroom.effects() == ["suppressed", "strike"]
    assert newsroom.post.subscriptions() == {"advice": "active"}


def test_a_letter_that_arrived_at_last_does_not_count(newsroom: Newsroom) -> None:
    """What was refused, and went well when a person had it sent again, has gone well."""
    said(newsroom, "550 5.2.1 The mailbox is disabled")
    with newsroom.post.site.database.write() as session:
        session.execute(update(Delivery).values(state="queued", fault=None))
        session.execute(update(Issue).values(finished_at=None))
    newsroom.send()
    assert newsroom.delivery(1).state == DeliveryState.SENT
    said(newsroom, "550 5.2.1 The mailbox is disabled")
    assert newsroom.effects() == ["strike", "strike"]
    assert newsroom.order() is None


@ON_SQLITE
def test_a_report_counts_whatever_the_time_is_elsewhere(newsroom: Newsroom, clock: Clock) -> None:
    """Clocks of who sends and who takes mail in may differ: no report is too quick to count."""
    newsroom.issue()
    letter = newsroom.letter()
    clock.advance(seconds=-5)
    newsroom.report(failure(letter, "5.1.1", "No such user"), letter.path)
    assert newsroom.order() == SuppressionReason.BOUNCED


# Somebody who has another address now.


def moved(newsroom: Newsroom, address: str) -> None:
    """Ann has her letters sent to another address."""
    site = newsroom.post.site
    with site.database.write() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        asked = Asked(
            kind=RequestKind.ADDRESS,
            address=parse_address(address),
            door=Door.PAGE,
            place="/preferences",
            wording="w1",
            language="en",
            subscriber_id=reader.id,
        )
        number = site.doors.ask(session, asked).id
    with site.database.write() as session:
        confirmed = site.doors.confirm(session, number, by=Door.PAGE, evidence="the button")
        assert confirmed
        assert confirmed.answer is Answer.DONE


def test_a_letter_that_was_in_hand_when_they_moved_is_not_held_against_the_new_address(
    newsroom: Newsroom, clock: Clock
) -> None:
    """It went a little later, to the old one all the same."""
    clock.advance(days=1)
    moved(newsroom, "new@example.org")
    moved_at = clock()
    with newsroom.post.site.database.write() as session:  # as it stood when the letter was taken in hand
        session.execute(update(Subscriber).values(address=ANN))
    newsroom.issue()
    with newsroom.post.site.database.write() as session:
        session.execute(update(Subscriber).values(address="new@example.org"))
        session.execute(update(Delivery).values(sent_at=moved_at + timedelta(minutes=10)))
    letter = newsroom.letter()
    newsroom.report(failure(letter, "5.1.1", "No such user"), letter.path)
    assert newsroom.effects("new@example.org") == ["none"]


@pytest.mark.parametrize("way", ["sent", "sending", "refused"])
def test_what_went_to_an_address_of_before_is_not_held_against_the_new_one(
    newsroom: Newsroom, clock: Clock, way: str
) -> None:
    """A late report that the old mailbox is gone is on record; one about the new one counts."""
    if way == "refused":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("newsletter.app.App.judge_new", lambda self: [])
            said(newsroom, "550 5.1.1 No such user")
    else:
        newsroom.issue()
    clock.advance(days=1)
    moved(newsroom, "new@example.org")
    clock.advance(days=1)
    if way == "refused":
        newsroom.post.site.judge_new()
    else:
        if way == "sending":  # and nobody has written down how it ended
            with newsroom.post.site.database.write() as session:
                session.execute(update(Delivery).values(state="sending", sent_at=None))
        letter = newsroom.letter()
        newsroom.report(failure(letter, "5.1.1", "No such user"), letter.path)
    assert [(one.bounce_class, one.effect) for one in newsroom.verdicts("new@example.org")] == [
        ("dead", "none")
    ]
    assert newsroom.order("new@example.org") is None
    assert newsroom.post.subscriptions("new@example.org") == {"advice": "active"}
    newsroom.issue()
    letter = newsroom.letter("new@example.org")
    newsroom.report(failure(letter, "5.1.1", "No such user"), letter.path)
    assert newsroom.order("new@example.org") == SuppressionReason.BOUNCED


def test_a_probe_to_an_address_of_before_is_none_to_the_new_one(newsroom: Newsroom, clock: Clock) -> None:
    """However late it goes: it was written to the old one."""
    site = newsroom.post.site
    with site.database.write() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        probe = ask(session, site.writer, reader, clock())
        verdict = {"subscriber_id": reader.id, "probe_id": probe.id, "kind": "bounce", "bounce_class": "dead"}
    clock.advance(days=1)
    moved(newsroom, "new@example.org")
    clock.advance(hours=1)
    newsroom.post.run()
    assert len(newsroom.post.new_mail(ANN)) == 1
    with site.database.write() as session:
        session.add(Verdict(at=clock(), status="5.1.1", diagnostic="no such user", **verdict))
    site.judge_new()
    assert newsroom.effects("new@example.org") == ["none"]
    assert newsroom.order("new@example.org") is None


@ON_SQLITE
def test_a_complaint_is_the_persons_wherever_their_letters_go(newsroom: Newsroom, clock: Clock) -> None:
    """Who has called a letter spam, and has another address now, is written to no more."""
    newsroom.issue()
    letter = newsroom.letter()
    clock.advance(days=1)
    moved(newsroom, "new@example.org")
    newsroom.report(complaint(letter), NEWS, "bounce@provider.example")
    assert newsroom.order("new@example.org") == SuppressionReason.COMPLAINED


# The letter's own row.


def test_a_report_gives_the_post_back(newsroom: Newsroom) -> None:
    """A letter that came back has given its reader nothing: in a sequence they get the post anew."""
    newsroom.issue()
    letter = newsroom.letter()
    with newsroom.post.site.database.read() as session:
        assert session.execute(select(func.count()).select_from(Receipt)).scalar_one() == 1
    newsroom.report(failure(letter, "5.2.2", "Mailbox full"), letter.path)
    with newsroom.post.site.database.read() as session:
        assert session.execute(select(func.count()).select_from(Receipt)).scalar_one() == 0


@pytest.mark.parametrize(
    ("state", "action", "becomes"),
    [
        ("in_doubt", "failed", "bounced"),
        ("sent", "failed", "bounced"),
        ("in_doubt", "delayed", "sent"),
        ("in_doubt", "delivered", "sent"),
        ("sent", "delivered", "sent"),
        ("queued", "failed", "queued"),
        ("sending", "failed", "sending"),
        ("bounced", "delivered", "bounced"),
    ],
)
def test_a_report_settles_a_doubt(newsroom: Newsroom, state: str, action: str, becomes: str) -> None:
    """It shows that a letter had been taken; what somebody is busy with stays as it is.

    One that has not arrived, also after a doubt, has given its reader nothing.
    """
    newsroom.issue()
    letter = newsroom.letter()
    with newsroom.post.site.database.write() as session:
        values = {"state": state, "sent_at": None if state != "sent" else newsroom.clock()}
        session.execute(update(Delivery).values(**values, doubted_at=newsroom.clock()))
    status = {"failed": "5.2.2", "delayed": "4.4.1", "delivered": "2.0.0"}[action]
    newsroom.report(failure(letter, status, action=action), letter.path)
    found = newsroom.delivery(1)
    assert found.state == becomes
    assert (found.sent_at is not None) == (state == "sent" or becomes == "sent")
    has_come_back = (becomes, action) == ("bounced", "failed")
    assert (found.doubted_at is None) == has_come_back
    with newsroom.post.site.database.read() as session:
        assert session.execute(select(func.count()).select_from(Receipt)).scalar_one() == (not has_come_back)


# Evidence.


def test_the_evidence_outlives_other_mail(newsroom: Newsroom, clock: Clock) -> None:
    """A report that a verdict rests on is kept, its beginning at least; one that names no letter is not."""
    newsroom.issue()
    letter = newsroom.letter()
    content = failure(letter, "5.2.2", "Mailbox full") + b"x" * 200_000
    newsroom.report(content, letter.path)
    stray = failure(type(letter)(b"Return-Path: <news+bounce@example.org>\r\nSubject: x\r\n\r\n"), "5.1.1")
    newsroom.report(stray, BOUNCES)
    clock.advance(days=31)
    newsroom.post.site.forget()
    with newsroom.post.site.database.read() as session:
        assert message(session, 1).content == content[:EVIDENCE_OCTETS]
        assert message(session, 2).content is None


@pytest.mark.parametrize("waits", [False, True])
def test_a_report_that_counted_for_nothing_is_forgotten_as_other_mail_is(
    newsroom: Newsroom, clock: Clock, waits: bool
) -> None:
    """A delay and a refusal for policy keep their verdict and its words; until it is judged, the report."""
    newsroom.issue()
    letter = newsroom.letter()
    newsroom.report(failure(letter, "4.4.1", "No answer yet", action="delayed"), letter.path)
    newsroom.report(failure(letter, "5.7.1", "Blocked by policy"), letter.path)
    if waits:
        with newsroom.post.site.database.write() as session:
            session.execute(update(Verdict).values(judged_at=None, effect=None))
    clock.advance(days=31)
    newsroom.post.site.forget()
    with newsroom.post.site.database.read() as session:
        assert [message(session, number).content is not None for number in (1, 2)] == [waits, waits]
    assert ["Blocked by policy" in one.diagnostic for one in newsroom.verdicts()] == [False, True]


def test_of_somebody_who_was_erased_nothing_is_kept(newsroom: Newsroom) -> None:
    """A report that comes in later counts for the letter, and leaves no word about its reader."""
    newsroom.issue()
    letter = newsroom.letter()
    site = newsroom.post.site
    with site.database.write() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        number = reader.id
    erase(site, ANN)
    newsroom.report(failure(letter, "5.1.1", f"{ANN} is unknown"), letter.path)
    with site.database.read() as session:
        verdict = session.exec(select(Verdict).where(Verdict.subscriber_id == number)).one()
        assert (verdict.diagnostic, verdict.remote, verdict.effect) == ("(erased)", "", "none")
        held = message(session, 1)
        assert (held.content, held.state) == (None, "report")
        dumped = " ".join(str(row.model_dump()) for row in [held, verdict, session.get_one(Delivery, 1)])
        assert ANN not in dumped


@ON_SQLITE
def test_delivery_show_has_the_whole_report(newsroom: Newsroom, cli: Cli) -> None:
    """What came back stands below the attempts, word by word, and cannot move a terminal's cursor."""
    newsroom.issue()
    letter = newsroom.letter()
    content = failure(letter, "5.1.1", "gone \x1b[2J away") + b"x\r\n" * 30_000
    newsroom.report(content, letter.path)
    folder = newsroom.post.site.settings.folder
    shown = cli("--site", folder, "delivery", "show", 1)
    assert shown.returncode == 0
    told = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    for words in ("class dead", "effect suppressed", "said by mx.example.net", "message 1"):
        assert words in told
    assert "gone ?[2J away" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert shown.stdout.count("\nx") == 30_000
    found = json.loads(cli("--site", folder, "delivery", "show", 1, "--json").stdout)["verdicts"]
    assert found[0]["report"].encode() == content
    told = json.loads(cli("--site", folder, "inbound", "show", 1, "--json").stdout)
    assert (told["delivery"], told["effect"]) == (1, "suppressed")


# Our own name.


def test_refusals_of_one_readers_letters_are_their_own(newsroom: Newsroom, clock: Clock) -> None:
    """Three reports within a day about one reader's letters: the domain's other readers get theirs."""
    site = newsroom.post.site
    newsroom.issue()
    newsroom.issue()
    newsroom.issue()
    for letter in newsroom.letters():
        newsroom.report(failure(letter, "5.7.1", "We do not trust 192.0.2.1"), letter.path)
    assert [one.bounce_class for one in newsroom.verdicts()] == ["policy"] * 3
    assert site._limits.domains.are_idle
    site.plan_due()
    with site.database.read() as session:
        assert session.exec(select(Notice)).all() == []


def test_refusals_for_policy_are_told_and_their_domain_is_left_alone(
    newsroom: Newsroom, clock: Clock
) -> None:
    """Three reports that a provider does not trust us: the editor is told once, until a day went without."""
    site = newsroom.post.site
    names = [f"reader{number}@provider.example" for number in range(3)]
    subscribe(site, *names)
    newsroom.issue()
    for name in names:
        letter = newsroom.letter(name)
        newsroom.report(failure(letter, "5.7.1", "We do not trust 192.0.2.1"), letter.path)
    assert not site._limits.domains.are_idle
    for _ in range(2):
        site.plan_due()
        with site.database.read() as session:
            (notice,) = session.exec(select(Notice)).all()
    assert (notice.kind, notice.over_at) == ("distrusted", None)
    assert "3 letters were refused for policy, by provider.example" in notice.subject
    assert "We do not trust 192.0.2.1" in notice.text
    assert "paperround delivery show" in notice.text
    clock.advance(days=1, seconds=1)
    site.plan_due()
    with site.database.read() as session:
        assert session.exec(select(Notice.over_at)).one() is not None
