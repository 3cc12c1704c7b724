"""Subscribing, changing and leaving wholly by email, on both databases, with a real sandbox for answers."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from email.message import EmailMessage
from hashlib import sha256

import pytest
from sqlmodel import col, select

from newsletter.app import open_app
from newsletter.delivery.relays import Relay
from newsletter.feedback import handler
from newsletter.feedback.inbox import message, messages, retry
from newsletter.models import InboundMessage, Note
from newsletter.settings import RelaySection, TLSMode
from newsletter.states import InboundState, NoteState
from subscribers.address import parse_address
from subscribers.consent import verify, wording_hash
from subscribers.models import (
    Consent,
    Request,
    RequestKind,
    Subscriber,
    Subscription,
    SuppressionReason,
    Wording,
)
from subscribers.requests import Asked, Door
from subscribers.subscriptions import Permission, find_subscriber, leave
from tests.conftest import Clock, subscribe
from tests.feedback.conftest import Correspondence
from tests.orders import suppress
from tests.running import ON_SQLITE

NEWS, JOIN = "news@example.org", "news+join.advice@example.org"
ANN = "ann@example.org"


def text_of(mail: EmailMessage) -> str:
    """The plain text of a letter, its lines put together again."""
    body = mail.get_body(("plain",))
    assert body is not None
    return " ".join(str(body.get_content()).split())


def reply_address(mail: EmailMessage) -> str:
    """Where an answer to a letter goes."""
    return str(mail["Reply-To"].addresses[0].addr_spec)


def only(mails: list[EmailMessage]) -> EmailMessage:
    """The one letter that has come."""
    (mail,) = mails
    return mail


def confirm(post: Correspondence, address: str = ANN, text: str = "") -> EmailMessage:
    """Answer the confirmation that has just come; returns the letter that says it is done."""
    asked = only(post.new_mail(address))
    post.write(reply_address(asked), text, sender=address, subject=f"Re: {asked['Subject']}")
    return only(post.new_mail(address))


def test_join_and_confirm_by_reply(post: Correspondence) -> None:
    """A mail to +join makes a request; only the reply to its confirmation makes a reader."""
    post.write(JOIN)
    assert post.subscriptions() == {}
    asked = only(post.new_mail())
    assert asked["Return-Path"].strip("<>") == ""
    assert asked["Auto-Submitted"] == "auto-replied"
    assert asked["In-Reply-To"] == asked["References"]
    assert reply_address(asked).startswith("news+confirm.")
    post.write(reply_address(asked), "> quoted", subject=f"Re: {asked['Subject']}")
    assert post.subscriptions() == {"advice": "active"}
    welcome = only(post.new_mail())
    assert "Good advice" in text_of(welcome)
    assert "Tuesday, 6 January 2026" in text_of(welcome)


def test_the_evidence_says_all(post: Correspondence) -> None:
    """A year later: what was asked, when and where, the letter's words and hash, and how it was confirmed."""
    post.write(JOIN)
    with post.site.database.read() as session:
        sent = session.exec(select(Note)).one().message or b""
    confirm(post)
    with post.site.database.read() as session:
        granted = session.exec(select(Consent)).one()
        details = json.loads(granted.details or "")
        words = session.get_one(Wording, details["confirmation"]["wording"]).text
        assert (granted.source, granted.address, granted.category) == ("email", ANN, "advice")
        assert details["asked_at"] == "2026-01-05T00:00:00+00:00"
        assert "message 1" in details["asked_at_place"]
        assert details["confirmation"]["sha256"] == sha256(sent).hexdigest()
        assert details["confirmation"]["message_id"] in sent.decode()
        assert details["confirmed_by"] == "email"
        assert "message 2" in granted.evidence
        assert wording_hash(words) == details["confirmation"]["wording"]
        assert "{address}" in words
        assert ANN not in words
        assert verify(session).flaws == ()


def test_confirming_again_changes_nothing_and_is_not_answered(post: Correspondence) -> None:
    """A second reply, and one after leaving, neither subscribes anew nor is answered."""
    post.write(JOIN)
    asked = only(post.new_mail())
    post.write(reply_address(asked))
    post.new_mail()
    post.write(reply_address(asked), "Yes!")
    assert post.new_mail() == []
    subscribe(post.site, ANN)
    with post.site.database.write() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        leave(session, reader.id, ["advice"], Permission("cli"), post.site.letters, now=post.site.clock())
    post.write(reply_address(asked), "Yes!!")
    assert post.subscriptions() == {"advice": "left"}
    assert post.new_mail() == []


@ON_SQLITE
@pytest.mark.parametrize("words", ["No!", "I never asked for this", "Who are you? Stop.", "nein, danke"])
def test_a_reply_that_says_no_confirms_nothing(post: Correspondence, words: str) -> None:
    """Whoever refuses is left alone: nothing is subscribed, nothing is answered, no second yes counts."""
    post.write(JOIN)
    asked = only(post.new_mail())
    post.write(reply_address(asked), f"{words}\n\n> Somebody asked that", subject=f"Re: {asked['Subject']}")
    assert post.new_mail() == []
    post.write(reply_address(asked), "yes")
    assert post.subscriptions() == {}


def test_an_old_confirmation_has_expired(post: Correspondence, clock: Clock) -> None:
    """After its days a reply confirms nothing and is told so; what was asked for is purged."""
    post.write(JOIN)
    asked = only(post.new_mail())
    clock.advance(days=8)
    post.write(reply_address(asked))
    assert "so long ago" in text_of(only(post.new_mail()))
    post.site.forget()
    with post.site.database.read() as session:
        assert session.exec(select(Request)).all() == []
    post.write(reply_address(asked), "yes")
    assert "so long ago" in text_of(only(post.new_mail()))
    assert post.subscriptions() == {}


@ON_SQLITE
@pytest.mark.parametrize("token", ["a" * 36, "forged", ""])
def test_a_forged_token_does_nothing_and_is_not_answered(post: Correspondence, token: str) -> None:
    """To +confirm and +leave alike."""
    subscribe(post.site, ANN)
    post.write(f"news+confirm.{token}@example.org" if token else "news+confirm@example.org", "yes")
    if token:
        post.write(f"news+leave.{token}@example.org")
    assert post.new_mail() == []
    assert post.subscriptions() == {"advice": "active"}


def test_tokens_are_for_one_purpose(post: Correspondence) -> None:
    """A token that confirms does not leave, and the other way round."""
    post.write(JOIN)
    token = reply_address(only(post.new_mail())).partition(".")[2].partition("@")[0]
    post.write(f"news+leave.{token}@example.org")
    assert post.new_mail() == []
    assert post.subscriptions() == {}


def test_tokens_survive_mail_systems_that_change_case(post: Correspondence) -> None:
    """An address in capitals confirms as well."""
    post.write(JOIN)
    post.write(reply_address(only(post.new_mail())).upper())
    assert post.subscriptions() == {"advice": "active"}


@pytest.mark.parametrize(
    ("words", "state", "said"),
    [
        ("unsubscribe", {"advice": "left"}, "we send you no more letters."),
        ("unsubscribe advice", {"advice": "left"}, "no more letters of Good advice"),
        ("stop everything", {"advice": "left"}, "We send you no more letters".lower()),
        ("pause 3 weeks", {"advice": "paused"}, "nothing comes until Monday, 26 January 2026"),
    ],
)
def test_a_change_by_words_is_asked_back(
    post: Correspondence, words: str, state: dict[str, str], said: str
) -> None:
    """From can be forged, so nothing changes before the answer; then it does, and is told."""
    subscribe(post.site, ANN)
    post.write(NEWS, subject=words)
    assert post.subscriptions() == {"advice": "active"}
    assert said in text_of(confirm(post))
    assert post.subscriptions() == state


@ON_SQLITE
def test_frequency_and_resuming_by_words(post: Correspondence, clock: Clock) -> None:
    """`weekly`, `every letter`, `pause` and `resume`, each confirmed."""
    subscribe(post.site, ANN)
    for words, frequency in (("weekly", "weekly"), ("every letter please", "issue")):
        clock.advance(hours=1)
        post.write(NEWS, words)
        confirm(post)
        with post.site.database.read() as session:
            assert session.exec(select(Subscriber)).one().frequency == frequency
    clock.advance(hours=1)
    post.write(NEWS, "pause")
    confirm(post)
    clock.advance(hours=1)
    post.write(NEWS, "resume")
    confirm(post)
    assert post.subscriptions() == {"advice": "active"}


def test_what_changes_nothing_is_answered_at_once(post: Correspondence) -> None:
    """`list`, `help` and `my subscriptions` are answered to their writer, in the thread."""
    subscribe(post.site, ANN)
    post.write(NEWS, subject="list")
    listed = only(post.new_mail())
    item = "Good advice, next on Tuesday, 6 January 2026: write to news+join.advice@example.org"
    assert item in text_of(listed)
    assert listed["Subject"] == "What there is at Test letters"
    post.write("news+help@example.org")
    assert "subscribe advice" in text_of(only(post.new_mail()))
    post.write(NEWS, "my subscriptions")
    mine = only(post.new_mail())
    assert "You get these letters at ann@example.org: - Good advice" in text_of(mine)
    assert "https://news.example.org/preferences/" in text_of(mine)


def test_a_name_that_there_is_not_is_told_with_those_there_are(post: Correspondence) -> None:
    """By address and in words."""
    for to, words in (("news+join.bicycles@example.org", ""), (NEWS, "subscribe bicycles")):
        post.write(to, words)
        answer = only(post.new_mail())
        assert answer["Subject"] == "There are no letters of that name"
        assert "news+join.advice@example.org" in text_of(answer)


def test_a_letter_goes_to_the_editor_and_is_not_answered(post: Correspondence) -> None:
    """Whatever is no command is passed on as it is; the editor's answer goes to the reader."""
    post.write(
        NEWS, "Dear Ann,\n\nI would like to subscribe to your view of things.\n\nBo", subject="Thoughts"
    )
    assert post.new_mail() == []
    passed = only(post.new_mail("editor@example.org"))
    assert passed["Subject"] == "Thoughts"
    assert passed["From"].addresses[0].addr_spec == ANN
    assert passed["From"].addresses[0].display_name == "Ann Lee via Test letters"
    assert reply_address(passed) == ANN
    assert passed["Auto-Submitted"] == "auto-generated"
    assert "I would like to subscribe to your view of things." in text_of(passed)
    attached = next(iter(passed.iter_attachments()))
    assert b"I would like to subscribe" in attached.get_content()


def test_without_an_editor_elsewhere_letters_wait_here(
    post: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter passed on to the address it came to would go round in a circle."""
    monkeypatch.setenv("PAPERROUND_SITE__EDITOR", NEWS)
    post.site.close()
    post.site = open_app(post.site.settings.folder, post.site.clock)
    (handled,) = post.write(NEWS, "Dear Ann, what a lovely letter that was.")
    assert handled.result.state is InboundState.LETTER
    assert post.new_mail(NEWS) == []


@ON_SQLITE
@pytest.mark.parametrize(
    "fields",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Auto_Submitted": "auto-generated"},
        {"List_Id": "<some.list.example>"},
        {"List_Unsubscribe": "<mailto:x@example.com>"},
        {"Precedence": "bulk"},
        {"Precedence": "list"},
        {"return_path": ""},
        {"sender": "MAILER-DAEMON@example.com"},
    ],
)
def test_automatic_mail_is_met_with_silence(post: Correspondence, fields: dict[str, str]) -> None:
    """No answer, no request, no confirmation, no forwarding (RFC 3834 §2; STANDARDS check 39)."""
    post.write(JOIN)
    reply_to = reply_address(only(post.new_mail()))
    sender = fields.get("sender", ANN)
    for to in (JOIN, NEWS, reply_to, "news+help@example.org"):
        post.write(to, "subscribe advice", **{"sender": sender, "subject": "list"} | fields)
    assert post.new_mail() == []
    assert post.new_mail(sender) == []
    assert post.new_mail("editor@example.org") == []
    assert post.subscriptions() == {}
    with post.site.database.read() as session:
        assert len(session.exec(select(Request)).all()) == 1


def test_our_own_letters_that_come_back_are_met_with_silence(post: Correspondence) -> None:
    """A loop ends where it begins: an answer of ours that is delivered to us is automatic mail."""
    post.write(NEWS, "list")
    answer = only(post.new_mail())
    post.receive(answer.as_bytes(), NEWS, "")
    post.receive(answer.as_bytes() + b"\r\nmore", JOIN, None)
    post.run()
    assert post.new_mail() == []
    assert post.new_mail("editor@example.org") == []


@ON_SQLITE
def test_an_address_is_answered_so_many_times_a_day(post: Correspondence, clock: Clock) -> None:
    """Ten answers, then silence until the next day: two programs cannot keep each other busy."""
    for _ in range(15):
        post.write(NEWS, "help")
    assert len(post.new_mail()) == 10
    clock.advance(days=1, minutes=1)
    post.write(NEWS, "help")
    assert len(post.new_mail()) == 1


@ON_SQLITE
def test_an_address_is_asked_to_confirm_once_in_a_while(post: Correspondence, clock: Clock) -> None:
    """Whoever asks a hundred times fills nobody's mailbox: one letter a window, five a day."""
    for _ in range(20):
        post.write(JOIN, sender=ANN)
    assert len(post.new_mail()) == 1
    for _ in range(20):
        clock.advance(minutes=31)
        post.write(JOIN)
    assert len(post.new_mail()) == 4


def test_tags_are_no_way_around_it(post: Correspondence) -> None:
    """`bo+1@` and `BO+2@` fill one mailbox; an address whose `_` would match any letter is another's."""
    tagged = ("bo@crowd.example", "bo+1@crowd.example", "BO+2@crowd.example")
    for sender in (*tagged, "b_@crowd.example"):
        post.write(JOIN, sender=sender)
    assert [len(post.new_mail(one)) for one in tagged] == [1, 0, 0]
    assert len(post.new_mail("b_@crowd.example")) == 1


def test_a_domain_is_written_to_so_often_an_hour(
    post: Correspondence, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is more waits for the next hour, and is not lost; other domains do not wait."""
    monkeypatch.setenv("PAPERROUND_DOORS__DOMAIN_PER_HOUR", "2")
    post.site.close()
    post.site = open_app(post.site.settings.folder, clock)
    for name in ("a", "b", "c"):
        post.write(JOIN, sender=f"{name}@crowd.example")
    post.write(JOIN, sender="d@calm.example")
    assert [len(post.new_mail(f"{name}@crowd.example")) for name in "abc"] == [1, 1, 0]
    assert len(post.new_mail("d@calm.example")) == 1
    clock.advance(minutes=61)
    post.run()
    assert len(post.new_mail("c@crowd.example")) == 1


def test_a_suppressed_address_is_never_written_to(post: Correspondence) -> None:
    """No confirmation, no answer: not even help."""
    with post.site.database.write() as session:
        suppress(post.site, session, ANN, SuppressionReason.ASKED)
    post.write(JOIN)
    post.write(NEWS, "help")
    assert post.new_mail() == []
    with post.site.database.read() as session:
        assert session.exec(select(Request)).one().state == "withheld"


def test_who_gets_the_letters_already_is_told_so(post: Correspondence) -> None:
    """And nothing changes: there is nothing to confirm."""
    subscribe(post.site, ANN)
    post.write(JOIN)
    assert "They do so already" in text_of(only(post.new_mail()))


def test_the_same_mail_is_handled_once(post: Correspondence) -> None:
    """However often it comes, by whichever entrance, with whatever trace on top."""
    mail = b"From: ann@example.org\r\nTo: news@example.org\r\nMessage-ID: <1@x>\r\nSubject: help\r\n\r\n"
    inbox = post.site.inbox
    first = inbox.keep(mail, entrance="lmtp", recipient=NEWS, return_path=ANN)
    trace = b"Received: from somewhere; today\r\nDelivered-To: news@example.org\r\n"
    again = inbox.keep(trace + mail, entrance="imap", recipient=NEWS, return_path=None)
    post.run()
    third = inbox.keep(mail, entrance="pipe", recipient=NEWS.upper(), return_path=ANN)
    post.run()
    assert (first.is_new, again.is_new, third.is_new) == (True, False, False)
    assert first.id == again.id == third.id
    assert len(post.new_mail()) == 1


def test_what_breaks_the_handler_is_set_aside(post: Correspondence, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its reason, never lost and never looped over; it can be tried again, and others are handled."""
    real = handler.read_mail
    broken = True

    def read(content: bytes, return_path: str | None) -> object:
        if broken and b"poison" in content:
            raise ZeroDivisionError("poison")
        return real(content, return_path)

    monkeypatch.setattr(handler, "read_mail", read)
    poison = b"From: ann@example.org\r\nMessage-ID: <1@x>\r\nSubject: help\r\n\r\npoison\r\n"
    post.receive(poison, "news+help@example.org")
    post.write("news+help@example.org", sender="bo@example.org")
    assert len(post.new_mail("bo@example.org")) == 1
    assert post.run() == []
    with post.site.database.read() as session:
        aside = message(session, 1)
        assert (aside.state, aside.outcome) == (
            InboundState.ASIDE,
            "it could not be handled: poison (ZeroDivisionError)",
        )
    broken = False
    with post.site.database.write() as session:
        assert retry(session, 1)
        assert not retry(session, 2)
    post.run()
    assert len(post.new_mail()) == 1


def test_what_ends_the_process_is_begun_three_times(
    post: Correspondence, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail that kills whoever handles it does not do so for ever."""

    def die(content: bytes, return_path: str | None) -> object:
        raise KeyboardInterrupt  # as sudden as a kill, for what is below it

    monkeypatch.setattr(handler, "read_mail", die)
    post.receive(b"Subject: help\r\n\r\n", NEWS)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            post.site.handle_inbound()
        assert post.site.handle_inbound() == []  # it is left to whoever has begun it, for a while
        clock.advance(minutes=2)
    assert [one.result.state for one in post.site.handle_inbound()] == [InboundState.ASIDE]


def test_what_is_to_nobody_here_is_set_aside(post: Correspondence) -> None:
    """Mail of somebody else's in the same mailbox is neither answered nor passed on."""
    post.write("somebody@example.org", "help")
    assert post.new_mail() == []
    with post.site.database.read() as session:
        (found,) = messages(session, InboundState.ASIDE)
        assert found.outcome == "it is to none of our addresses"


def test_the_editor_is_told_of_mail_that_waits(post: Correspondence) -> None:
    """Once, with how to see it, however much comes after."""
    for _ in range(3):
        post.write("somebody@example.org", "help")
        post.site.plan_due()
        with post.site.open_relays() as relays:
            post.site.tell_editor(relays)
    told = only(post.new_mail("editor@example.org"))
    assert told["Subject"] == "[Test letters] 1 mail waits for you in the newsletter's mailbox"
    assert "paperround inbound show 1" in told.get_content()


def test_old_mail_is_forgotten_and_what_waits_is_not(post: Correspondence, clock: Clock) -> None:
    """After its days what was handled loses its words; what was set aside keeps them."""
    post.write(NEWS, "help")
    post.write("somebody@example.org", "help")
    clock.advance(days=31)
    post.site.forget()
    with post.site.database.read() as session:
        assert [one.content is None for one in messages(session)] == [True, False]
        assert session.exec(select(Note)).one().message is None


def test_a_note_waits_for_a_relay(post: Correspondence, clock: Clock) -> None:
    """A relay that is down loses no answer: it is tried again later."""
    post.receive(b"From: ann@example.org\r\nSubject: help\r\nMessage-ID: <1@x>\r\n\r\n", NEWS)
    post.site.handle_inbound()
    down = [Relay(RelaySection(host="127.0.0.1", port=9, tls=TLSMode.NONE))]
    (posted,) = post.site.post_notes(down)
    assert posted.state == NoteState.QUEUED
    assert post.site.post_notes(down) == []
    clock.advance(minutes=10)
    post.run()
    assert len(post.new_mail()) == 1


def test_pausing_has_an_end(post: Correspondence) -> None:
    """The day is on the subscription, as when it is paused from the command line."""
    subscribe(post.site, ANN)
    post.write(NEWS, "pause 2 weeks")
    confirm(post)
    with post.site.database.read() as session:
        held = session.exec(select(Subscription)).one()
        assert held.paused_until == date(2026, 1, 5) + timedelta(weeks=2)
        assert session.exec(select(InboundMessage).where(col(InboundMessage.state) != "done")).all() == []


def test_the_old_address_hears_of_a_new_one_before_it_is_confirmed(post: Correspondence) -> None:
    """Whoever moves somebody's letters away is noticed; nothing moves before the new address says yes."""
    subscribe(post.site, ANN)
    with post.site.database.write() as session:
        reader = find_subscriber(session, parse_address(ANN))
        assert reader
        asked = Asked(
            kind=RequestKind.ADDRESS,
            address=parse_address("ann@new.example"),
            door=Door.PAGE,
            place="the preferences page",
            wording="",
            language="en",
            subscriber_id=reader.id,
        )
        post.site.doors.ask(session, asked)
    post.run()
    assert "answer this letter and tell us" in text_of(only(post.new_mail()))
    assert post.subscriptions("ann@new.example") == {}
    confirm(post, "ann@new.example")
    assert post.subscriptions("ann@new.example") == {"advice": "active"}
    assert post.subscriptions() == {}


def test_an_order_not_to_write_outlasts_a_confirmation(post: Correspondence) -> None:
    """Given between the letter and its answer, it stands: nobody is subscribed and nobody is answered."""
    post.write(JOIN)
    asked = only(post.new_mail())
    with post.site.database.write() as session:
        reason = SuppressionReason.COMPLAINED
        suppress(post.site, session, ANN, reason)
    post.write(reply_address(asked), "yes")
    assert post.subscriptions() == {}
    assert post.new_mail() == []


def test_many_that_handle_at_once_handle_each_mail_once(post: Correspondence) -> None:
    """A pipe starts a process for each mail, beside `run`: nothing is answered twice or set aside for it."""
    for number in range(12):
        help_ = f"From: r{number}@example.org\r\nSubject: help\r\nMessage-ID: <{number}@x>\r\n\r\n"
        post.receive(help_.encode(), NEWS)
    with ThreadPoolExecutor(6) as pool:
        handled = [one for found in pool.map(lambda _: post.site.handle_inbound(), range(6)) for one in found]
    assert sorted(one.id for one in handled) == list(range(1, 13))
    assert {one.result.outcome for one in handled} == {"told what may be written; answered"}
    with post.site.database.read() as session:
        assert len(session.exec(select(Note)).all()) == 12


@ON_SQLITE
@pytest.mark.parametrize(
    "words",
    [
        "Thank you for contacting ACME support. Your ticket #1234 has been created; we answer within a day.",
        "I am on holiday until the fifteenth of January and will read your mail after my return.",
        "Pardon?",
        "não quero",
        "нет",
        "Dear customer,\nyes, we have got your mail and somebody of our team will look into it very soon.",
    ],
)
def test_a_reply_that_does_not_say_yes_confirms_nothing(post: Correspondence, words: str) -> None:
    """A program that answers all mail does not subscribe anybody; the editor reads what it is."""
    post.write(JOIN)
    post.write(reply_address(only(post.new_mail())), words)
    assert post.subscriptions() == {}
    assert post.new_mail() == []
    assert len(post.new_mail("editor@example.org")) == 1


@ON_SQLITE
@pytest.mark.parametrize(
    "words", ["", "Yes", "Thanks, Ann", "Hello,\n\nyes please!\n\nAnn Lee", "OK", "Ja, gerne", "oui"]
)
def test_a_reply_that_says_yes_or_nothing_confirms(post: Correspondence, words: str) -> None:
    """As people answer who mean it, in any language."""
    post.write(JOIN)
    post.write(reply_address(only(post.new_mail())), words)
    assert post.subscriptions() == {"advice": "active"}


@ON_SQLITE
def test_tags_make_no_new_mailbox_for_answers(post: Correspondence) -> None:
    """Thirty addresses of one mailbox get as many answers as one."""
    for number in range(30):
        post.write("news+help@example.org", sender=f"victim+{number}@bomb.example")
    came = [len(post.new_mail(f"victim+{number}@bomb.example")) for number in range(30)]
    assert sum(came) == 10


@ON_SQLITE
@pytest.mark.parametrize("sender", [NEWS, "news+help@example.org", "News+bounce@Example.org"])
def test_we_do_not_answer_ourselves(post: Correspondence, sender: str) -> None:
    """Whoever writes in our name gets no answer sent to us (RFC 3834 §2)."""
    post.write(NEWS, "help", sender=sender)
    assert post.new_mail(sender) == []


def test_what_was_asked_for_is_not_repeated(post: Correspondence) -> None:
    """Words that nobody has vouched for go into nobody's mailbox."""
    post.write("news+join.win-a-prize-call-0900-123456@example.org")
    answer = only(post.new_mail())
    assert "0900" not in f"{answer['Subject']} {text_of(answer)}"
    assert "news+join.advice@example.org" in text_of(answer)
