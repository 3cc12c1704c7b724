"""A list that keeps itself clean, by the command line alone: who is unknown, who complains, who is erased."""

import json
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.app import App
from tests.conftest import Cli, Paperround, subscribe
from tests.delivery.bigissue import queue_post
from tests.mailserver import Accepted, LoopbackServer

ANN, BO, CLEO, DAN, EVE = (f"{name}@example.org" for name in ("ann", "bo", "cleo", "dan", "eve"))
FIRST, SECOND = "2026-01-06T08:00:00Z", "2026-01-13T08:00:00Z"
REFUSAL = "550 5.1.1 <bo@example.org>: Recipient address rejected: User unknown"

FAILURE = """\
From: Mail Delivery System <MAILER-DAEMON@mx.example.org>
To: {return_path}
Subject: Undelivered Mail Returned to Sender
Message-ID: <returned@mx.example.org>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_parts"

--=_parts
Content-Type: text/plain

Your message could not be delivered.

--=_parts
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; cleo.lee@elsewhere.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user here

--=_parts--
"""
"""What a mail system writes later of a letter that it took, and forwarded (RFC 3464)."""

COMPLAINT = """\
From: Feedback <feedback@provider.example>
To: feedback@example.org
Subject: A complaint
Message-ID: <complaint@provider.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_parts"

--=_parts
Content-Type: text/plain

This is an email abuse report.

--=_parts
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Loop/1.0
Version: 1

--=_parts
Content-Type: text/rfc822-headers

{header}
--=_parts--
"""
"""What a provider writes whose reader pressed the button for spam; it names nobody (RFC 5965, 6590)."""


class Strict(LoopbackServer):
    """A relay that does not know Bo."""

    def __init__(self) -> None:
        super().__init__(hostname="relay.test")
        self.accepted: dict[str, Accepted] = {}

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address == BO:
            return REFUSAL
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        (recipient,) = envelope.rcpt_tos
        self.accepted[recipient] = Accepted(envelope.mail_from or "", recipient, envelope.content)
        return "250 2.0.0 Ok"


def test_a_list_cleans_itself(
    advice: App, cli: Cli, paperround: Paperround, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal, a report, a complaint, an erasure: each shows with its evidence; the rest get what comes."""
    subscribe(advice, ANN, BO, CLEO, DAN, EVE)
    folder = advice.settings.folder

    def run(*arguments: str) -> str:
        done = cli("--site", folder, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def come_in(recipient: str, message: str) -> None:
        piped = ("inbound", "--recipient", recipient, "--return-path", "")
        done = paperround("--site", folder, *piped, input=message)
        assert done.returncode == 0, done.stderr

    def shown(address: str) -> Any:
        return json.loads(run("subscriber", "show", address, "--json"))

    with Strict() as relay:
        monkeypatch.setenv("PAPERROUND_RELAY__HOST", "127.0.0.1")
        monkeypatch.setenv("PAPERROUND_RELAY__PORT", str(relay.port))
        queue_post(advice, "one")
        run("tick", "--at", FIRST)
        assert sorted(relay.accepted) == [ANN, CLEO, DAN, EVE]
        letters, relay.accepted = relay.accepted, {}

        cleos = letters[CLEO].mail_from
        come_in(cleos, FAILURE.format(return_path=cleos))
        head = letters[DAN].content.decode().replace("\r\n", "\n").partition("\n\n")[0]
        complaint = COMPLAINT.format(header=head.replace(DAN, "redacted@redacted.invalid"))
        come_in(advice.settings.inbound_address, complaint)
        run("subscriber", "erase", EVE)

        bo, cleo, dan, eve = (shown(address) for address in (BO, CLEO, DAN, EVE))
        assert [one["order"]["reason"] for one in (bo, cleo, dan, eve)] == [
            "bounced",
            "bounced",
            "complained",
            "erased",
        ]
        assert [one["subscriptions"] for one in (bo, cleo, dan)] == [
            {"advice": "suppressed"},
            {"advice": "suppressed"},
            {"advice": "left"},
        ]
        verdicts = [one["verdicts"][0] for one in (bo, cleo, dan)]
        assert [(one["kind"], one["bounce_class"], one["effect"]) for one in verdicts] == [
            ("bounce", "dead", "suppressed"),
            ("bounce", "dead", "suppressed"),
            ("complaint", None, "suppressed"),
        ]
        raw = [run("delivery", "show", str(one["delivery"])) for one in verdicts]
        assert REFUSAL in raw[0]
        assert "Final-Recipient: rfc822; cleo.lee@elsewhere.example" in raw[1]
        assert "Feedback-Type: abuse" in raw[2]

        queue_post(advice, "two")
        run("tick", "--at", SECOND)
        assert sorted(relay.accepted) == [ANN]
        run("db", "check")
