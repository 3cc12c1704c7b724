"""A real Postfix refuses, delays and delivers our letters, and what it reports is read right."""

from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery
from newsletter.states import DeliveryState
from subscribers.models import Subscriber
from subscribers.tokens import Purpose
from tests.conftest import subscribe
from tests.delivery.bigissue import queue_post, states, tick
from tests.feedback.blind import PLACEHOLDERS
from tests.feedback.postfix_reports import LATER, REFUSED, WELL, Reported, reported, reporting_postfix, send
from tests.running import ON_SQLITE

pytestmark = pytest.mark.trial

VERP = f"ann+bounce.{PLACEHOLDERS['VERP_TOKEN']}@example.org"
LETTER = (
    f"From: Ann <ann@example.org>\r\nTo: dana@reader.example\r\nMessage-ID: {PLACEHOLDERS['MESSAGE_ID']}\r\n"
    f"List-Unsubscribe: <{PLACEHOLDERS['LEAVE_URL']}>\r\nSubject: First steps\r\n\r\nFirst steps\r\n"
).encode()


def read(report: Reported) -> Any:
    from newsletter.feedback.reports import read_report

    return read_report(report.content, "")


@ON_SQLITE
def test_every_refusal_comes_back_and_says_why(advice: App) -> None:
    """Fifteen letters of one issue go wrong in as many ways: each report is put to its letter and class."""
    subscribe(advice, *REFUSED)
    queue_post(advice)
    with reporting_postfix() as postfix:
        ended = tick(advice, **postfix.environment)
        assert (ended.code, ended.err) == (0, "")
        assert states(advice) == {DeliveryState.SENT: len(REFUSED)}
        reports = reported(postfix, len(REFUSED))
    assert {address: (one.action, one.status) for address, one in reports.items()} == {
        address: ("failed", status) for address, (status, _) in REFUSED.items()
    }
    assert len({one.to for one in reports.values()}) == len(REFUSED)
    with advice.database.read() as session:
        letters: dict[str, int] = dict(
            session.execute(
                select(col(Subscriber.address), col(Delivery.id)).join(
                    Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
                )
            ).all()
        )
    for address, (status, bounce_class) in REFUSED.items():
        report, number = read(reports[address]), letters[address]
        assert (report.kind.lower(), report.bounce_class.value, report.recipient, report.status) == (
            "failed",
            bounce_class,
            address,
            status,
        )
        assert report.traces.bounce_tokens[0] == advice.signer.sign(Purpose.BOUNCE, number), address
        assert advice.signer.sign(Purpose.MESSAGE, number) in report.traces.message_ids[0], address
        assert advice.signer.sign(Purpose.LEAVE, number) in report.traces.leave_tokens, address


def test_what_is_only_delayed_is_reported_as_that() -> None:
    """`Action: delayed` is no failure."""
    with reporting_postfix(lifetime="1d") as postfix:
        send(postfix, LETTER, VERP, LATER, notify="FAILURE,DELAY")
        (found,) = reported(postfix, 1).values()
    assert (found.action, found.status, found.to) == ("delayed", "4.2.1", VERP)
    report = read(found)
    assert (report.kind.lower(), report.bounce_class) == ("delayed", None)
    assert report.traces.bounce_tokens[0] == PLACEHOLDERS["VERP_TOKEN"]


def test_what_arrived_is_reported_as_that() -> None:
    """NOTIFY=SUCCESS: a report, and no failure."""
    with reporting_postfix() as postfix:
        send(postfix, LETTER, VERP, WELL, notify="SUCCESS")
        (found,) = reported(postfix, 1).values()
    assert (found.action, found.status, found.to) == ("relayed", "2.0.0", VERP)
    report = read(found)
    assert (report.kind.lower(), report.bounce_class) == ("delivered", None)
    assert report.traces.bounce_tokens[0] == PLACEHOLDERS["VERP_TOKEN"]
