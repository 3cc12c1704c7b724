"""Failure, delay and success reports that a real Postfix writes about our letters, as it hands them to us.

`reporting_postfix()` takes letters for `REFUSED`, each of which goes wrong in a way of its own: in Postfix
itself, or at a server after it that says what its table says. What Postfix reports to our return paths at
example.org lies in its mailbox, or goes to `hand_over`, a transport of master.cf.
"""

import os
import re
import smtplib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.mailserver import LoopbackServer
from tests.neighbours import NOBODY
from tests.postfix import Postfix, running_postfix

REFUSED: Mapping[str, tuple[str, str]] = {
    # Postfix itself: what is written of it, and the class of STANDARDS §3's table that this is.
    "no-such-user@local.test": ("5.1.1", "dead"),
    "nobody@local.test": ("5.2.2", "full"),
    "dana@refused.test": ("4.4.1", "routing"),
    "dana@unknown.invalid": ("5.4.4", "routing"),
    "large@small.test": ("5.3.4", "content"),
    # The server after it.
    "unknown@next.test": ("5.1.1", "dead"),
    "plain@next.test": ("5.0.0", "dead"),
    "disabled@next.test": ("5.2.1", "disabled"),
    "over@next.test": ("5.2.2", "full"),
    "words@next.test": ("5.0.0", "full"),
    "listed@next.test": ("5.7.1", "policy"),
    "reputation@next.test": ("4.7.0", "policy"),
    "sender@next.test": ("5.1.8", "policy"),
    "body@next.test": ("5.6.0", "content"),
    "curt@next.test": ("5.0.0", "unclear"),
}
"""Status and class of the report about each address."""

LATER, WELL = "later@busy.test", "well@next.test"
"""Who is only put off, and who gets the letter."""

_TO_RECIPIENT = {
    "unknown": "550 5.1.1 <unknown@next.test>: Recipient address rejected: User unknown",
    "plain": "550 no such user here",
    "disabled": "550 5.2.1 The email account that you tried to reach is disabled",
    "over": "552 5.2.2 Mailbox full",
    "words": "552 Requested mail action aborted: exceeded storage allocation",
    "listed": "554 5.7.1 Service unavailable; Client host [192.0.2.10] blocked using zen.spamhaus.org",
    "reputation": "421 4.7.0 [TSS04] Messages from 192.0.2.10 temporarily deferred due to user complaints",
    "sender": "550 5.1.8 Sender address rejected: Domain not found",
    "later": "450 4.2.1 The mailbox is busy, try later",
}
_TO_CONTENT = {
    "body": "554 5.6.0 Message contains an invalid header",
    "curt": "554 Transaction failed",
}

_MAILBOX_BYTES = 200_000
_MAIN = """
alias_maps =
local_recipient_maps =
message_size_limit = {mailbox}
mailbox_size_limit = {mailbox}
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_connect_timeout = 5s
bounce_size_limit = 100000
delay_warning_time = 1s
minimal_backoff_time = 1s
queue_run_delay = 1s
maximal_queue_lifetime = {lifetime}
transport_maps = inline:{{
    {{example.org={hand_over}}}, {{next.test=smtp:[127.0.0.1]:{next}}}, {{busy.test=smtp:[127.0.0.1]:{next}}},
    {{small.test=smtp:[127.0.0.1]:{small}}}, {{refused.test=smtp:[127.0.0.1]:1}} }}
"""
_MASTER = """
local unix - n n - - local
lmtp unix - - n - - lmtp
"""


class Next(LoopbackServer):
    """The server that Postfix passes letters on to: it says to each what its address is for."""

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        reply = _TO_RECIPIENT.get(address.partition("@")[0], "250 2.1.5 Ok")
        if reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        return _TO_CONTENT.get(recipient.partition("@")[0], "250 2.0.0 Taken")


@dataclass(frozen=True)
class Reported:
    """What Postfix reports about one recipient."""

    recipient: str
    action: str
    status: str
    to: str  # the address that it came to
    content: bytes


@contextmanager
def reporting_postfix(*, lifetime: str = "0", hand_over: str = "virtual:") -> Iterator[Postfix]:
    """A Postfix that gives up after `lifetime`, by default after the first try."""
    with Next(hostname="next.test") as after, Next(hostname="small.test", data_size_limit=100) as small:
        main = _MAIN.format(
            lifetime=lifetime, hand_over=hand_over, next=after.port, small=small.port, mailbox=_MAILBOX_BYTES
        )
        with running_postfix(destination="local.test", main=main, master=_MASTER) as postfix:
            full = postfix.folder / "nobody"
            full.write_bytes(b"x" * _MAILBOX_BYTES)
            os.chown(full, *NOBODY)
            yield postfix


def send(postfix: Postfix, content: bytes, sender: str, recipient: str, *, notify: str = "FAILURE") -> None:
    """Hand a letter to Postfix, as our sender does: headers come back, with its own name for the envelope."""
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
        client.sendmail(sender, [recipient], content, ["RET=HDRS", "ENVID=4711"], [f"NOTIFY={notify}"])


def reported(postfix: Postfix, number: int) -> dict[str, Reported]:
    """What it reports, by recipient, once there are so many reports."""
    end = time.monotonic() + 90
    while len(postfix.mailbox) < number:
        assert time.monotonic() < end, postfix.log
        postfix.run("postqueue", "-c", postfix.config, "-f")
        time.sleep(0.2)  # a process that is asked all the time gets nothing else done
    found = [_read(content) for content in postfix.mailbox]
    return {one.recipient: one for one in found}


def _read(content: bytes) -> Reported:
    fields = [
        re.search(rb"^%s: (?:rfc822; ?)?(.+?)\r?$" % name, content, re.MULTILINE | re.IGNORECASE)
        for name in (b"Final-Recipient", b"Action", b"Status", b"Delivered-To")
    ]
    assert all(fields), content
    return Reported(*(field[1].decode() for field in fields if field), content)
