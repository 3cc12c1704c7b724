"""The doctor asks as a mail server would: whether mail to us is taken, and whether the mailbox opens."""

import socket
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.doctor.examine import examine
from newsletter.doctor.findings import Level
from newsletter.doctor.inbound import check_listener, check_mailbox
from newsletter.feedback.served import ServedEntrance
from newsletter.settings import ImapSection, InboundSection
from tests.doctor.dnsserver import DnsServer
from tests.feedback.memory import OURS, MemoryInbox
from tests.running import ON_SQLITE


@pytest.mark.parametrize("protocol", ["lmtp", "smtp"])
@pytest.mark.parametrize("kind", ["port", "file"])
def test_a_listener_that_takes_our_mail(tmp_path: Path, protocol: str, kind: str) -> None:
    """Plain and with a plus, by both protocols, over a port and a socket's file; nothing is left behind."""
    listen = "127.0.0.1:0" if kind == "port" else f"unix:{tmp_path}/sock"
    given = {"listen": listen, "protocol": protocol}
    inbox = MemoryInbox()
    section = InboundSection.model_validate(given)
    with ServedEntrance(section, inbox, OURS, hostname="example.org", report=print) as running:
        there = InboundSection.model_validate(given | {"listen": running.address})
        (finding,) = check_listener(there, "advice@example.org")
        assert (finding.level, "also with a plus" in finding.found) == (Level.OK, True)
        (finding,) = check_listener(there, "news@example.org")
        assert (finding.level, finding.mend) == (Level.ERROR, "see listen in [inbound]")
        assert "takes no mail to news@example.org and news+help@example.org" in finding.found
    (finding,) = check_listener(there, "advice@example.org")
    assert (finding.level, finding.mend) == (Level.ERROR, "paperround run")
    assert inbox.messages == []


def test_a_mailbox_that_cannot_be_reached() -> None:
    """Its server is named, and where to look."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    section = ImapSection(host="127.0.0.1", port=port, user="ann@example.org")
    (finding,) = check_mailbox(section, "", "ann@example.org")
    assert (finding.level, finding.mend) == (Level.ERROR, "see [imap]")
    assert finding.found.startswith(f"the mail server 127.0.0.1:{port} cannot be used: ")


@ON_SQLITE
def test_every_entrance_is_looked_at(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """None is no fault; a listener that is down is; a password that cannot be had is told with its place."""
    with DnsServer({}) as server:
        told = {one.subject: one for one in examine(site.settings, site.clock, names=server.names, own=[])}
        assert (told["inbound mail"].level, "by a pipe" in told["inbound mail"].found) == (Level.OK, True)
        inbound = InboundSection(listen="127.0.0.1:9")
        imap = ImapSection(host="imap.example.org", user="ann", password_command="false")
        settings = site.settings.model_copy(update={"inbound": inbound, "imap": imap})
        told = {one.subject: one for one in examine(settings, site.clock, names=server.names, own=[])}
    assert told["mail at 127.0.0.1:9"].level is Level.WARNING  # nothing leaves the sandbox
    assert told["mailbox ann at imap.example.org:993"].mend == "see password_command in [imap]"
