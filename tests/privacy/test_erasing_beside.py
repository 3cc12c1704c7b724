"""An erasure beside others at work, on PostgreSQL, which lets them: nobody waits in a circle, nothing stays.

Each test holds one side where the other is in its way.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import select

from newsletter.app import App
from newsletter.delivery.ledger import Ledger, Recorded
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.feedback.handler import Handler
from newsletter.models import Attempt, Note
from newsletter.privacy import erasure
from newsletter.privacy.erasure import Erased
from newsletter.states import DeliveryState
from subscribers import requests
from subscribers.address import parse_address
from subscribers.models import Request, RequestKind, SuppressionReason
from subscribers.requests import Answer, Asked, Door
from subscribers.subscriptions import find_subscriber
from tests.conftest import Clock, subscribe
from tests.delivery.bigissue import SLOT, queue_post
from tests.feedback.conftest import Correspondence, post
from tests.orders import erase
from tests.privacy.test_privacy import ANN, NEWS, everything, reader

__all__ = ["post"]

BO = "bo@example.org"
_PATIENCE = 0.5
"""Seconds until who has not come is taken to wait for the other."""

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


class Beside:
    """Something that is done in a thread of its own."""

    def __init__(self, does: Callable[[], Any]) -> None:
        self._does = does
        self._found: Any = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        try:
            self._found = self._does()
        except BaseException as error:
            self._found = error

    @property
    def result(self) -> Any:
        """What came of it, once it has ended."""
        self._thread.join(60)
        assert not self._thread.is_alive()
        return self._found


def beside(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, does: Callable[[], Any], *, after: bool = False
) -> list[Beside]:
    """Begin something else when a function is called the first time, before or after it has done its work."""
    begun: list[Beside] = []
    function = getattr(place, name)

    def called(*given: Any, **named: Any) -> Any:
        if not after and not begun:
            begun.append(Beside(does))
        result = function(*given, **named)
        if after and not begun:
            begun.append(Beside(does))
        return result

    monkeypatch.setattr(place, name, called)
    return begun


def test_what_is_answered_at_this_moment_is_not_sent(
    post: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail of theirs is in hand: the answer and the request that come of it go with the rest."""
    for number, text in enumerate(("help", "subscribe advice")):
        mail = f"From: {ANN}\r\nSubject: {text}\r\nMessage-ID: <{number}@x>\r\n\r\n"
        post.receive(mail.encode(), NEWS, ANN)
    begun = beside(monkeypatch, Handler, "_result", lambda: erase(post.site, ANN), after=True)
    post.site.handle_inbound()
    assert begun[0].result == Erased(None, 0)
    post.run()
    assert post.new_mail(ANN) == []
    with post.site.database.read() as session:
        assert ANN not in everything(session)
        assert session.exec(select(Request)).all() == []
        assert {one.recipient for one in session.exec(select(Note))} <= {""}


def test_who_confirms_at_this_moment_is_not_waited_for_in_a_circle(
    post: Correspondence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One comes after the other."""
    subscribe(post.site, ANN)
    with post.site.database.write() as session:
        asked = Asked(
            kind=RequestKind.STOP,
            address=parse_address(ANN),
            door=Door.PAGE,
            place="a page",
            wording="",
            language="en",
            subscriber_id=reader(session).id,
        )
        number = post.site.doors.ask(session, asked).id
    post.site.doors.post()
    begun = beside(monkeypatch, requests, "_held", lambda: erase(post.site, ANN), after=True)
    with post.site.database.write() as session:
        confirmed = post.site.doors.confirm(session, number, by=Door.PAGE, evidence="the button")
    assert confirmed is not None
    assert confirmed.answer is Answer.DONE
    assert begun[0].result.on_the_wire == 0
    with post.site.database.read() as session:
        assert ANN not in everything(session)


@pytest.mark.parametrize(
    ("stage", "is_sending", "place"),
    [
        (Stage.RCPT, False, "_take_mail"),
        (Stage.RCPT, False, "blank_person"),
        (Stage.DOT, True, "_take_words"),
        (Stage.DOT, True, "blank_person"),
    ],
)
def test_what_a_relay_says_at_this_moment_is_not_written_down(
    advice: App,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    stage: Stage,
    is_sending: bool,
    place: str,
) -> None:
    """Of a letter on the wire, or one that is refused before: neither side gives way to the other."""
    subscribe(advice, BO)
    queue_post(advice)
    clock.now = datetime.fromisoformat(SLOT)
    advice.plan_due()
    with advice.database.writing_connection() as connection:
        ledger = Ledger(advice.database, connection, resend_in_doubt=False, now=clock.now)
        (letter,) = ledger.claim(10, clock.now)
        if is_sending:
            assert ledger.settle([letter.id], []) == {letter.id}
        outcome = Outcome(DeliveryState.BOUNCED, stage, 550, f"550 5.1.1 <{BO}>: no such user")
        recorded = [Recorded(letter.id, letter.issue_id, outcome, clock.now)]
        begun = beside(monkeypatch, erasure, place, lambda: ledger.settle([], recorded))
        erased = erase(advice, BO)
        assert erased.subscriber_id is not None
        assert begun[0].result == set()
        ledger.close(clock.now)
    with advice.database.read() as session:
        assert [one.reply for one in session.exec(select(Attempt))] == ["(erased)"]
        assert BO not in everything(session)


def test_who_joins_at_this_moment_is_erased_too(advice: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or does not come in at all."""
    begun = beside(monkeypatch, erasure, "belongings_of", lambda: subscribe(advice, BO), after=True)
    erased = erase(advice, BO)
    assert begun[0].result is None
    assert erased.subscriber_id is not None
    with advice.database.read() as session:
        assert find_subscriber(session, parse_address(BO)) is None
        assert BO not in everything(session)
        order = advice.suppressions.find(session, parse_address(BO))
        assert order is not None
        assert order.reason == SuppressionReason.ERASED
