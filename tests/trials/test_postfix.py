"""A real Postfix as the relay: its log, its mailbox and our ledger tell the same story."""

import re
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest
import trustme
from sqlalchemy import select
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery
from newsletter.states import DeliveryState
from subscribers.models import Subscriber
from tests.conftest import subscribe
from tests.delivery.bigissue import SLOT, end_of, make_readers, start_paperround, states
from tests.postfix import Postfix, running_postfix

pytestmark = pytest.mark.trial

READERS = 2_000
BEYOND_ASCII = "jürgen@example.net"
"""Needs SMTPUTF8."""


@pytest.fixture
def postfix(request: pytest.FixtureRequest) -> Iterator[Postfix]:
    """A Postfix that keeps what it takes in its queue; the parameter is what it takes."""
    restrictions = getattr(request, "param", "permit_mynetworks, reject")
    with running_postfix(restrictions=restrictions, main="defer_transports = virtual\n") as running:
        yield running


def ledger(site: App) -> dict[str, str]:
    """Each reader's last reply."""
    with site.database.read() as session:
        found = select(col(Subscriber.address), col(Delivery.reply)).join(
            Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
        )
        return dict(session.execute(found).all())


def header(content: bytes, name: str) -> str:
    """A one-line header field of a message, as it stands there."""
    found = re.search(rb"^%s: (.+)$" % name.encode(), content, re.MULTILINE)
    assert found, name
    return found[1].decode()


def test_queue_log_mailbox_and_ledger_agree(advice: App, postfix: Postfix) -> None:
    """2,000 letters: each has a reply that names its queue id, under which Postfix has it for that reader.

    Then it delivers them, each once; and every one has a Message-ID and a return path of its own.
    """
    subscribe(advice, BEYOND_ASCII)
    readers = make_readers(advice, READERS - 1) | {BEYOND_ASCII}
    ended = end_of(start_paperround(advice, "tick", "--at", SLOT, **postfix.environment))
    assert (ended.code, ended.err) == (0, "")
    assert states(advice) == {DeliveryState.SENT: READERS}

    queued_as = {
        address: found[1]
        for address, reply in ledger(advice).items()
        if (found := re.fullmatch(r"250 2\.0\.0 Ok: queued as (\w+)", reply))
    }
    queue = postfix.queue
    assert set(queued_as) == readers
    assert {queue_id: [address] for address, queue_id in queued_as.items()} == {
        queue_id: recipients for queue_id, (_, recipients) in queue.items()
    }
    assert len({sender for sender, _ in queue.values()}) == READERS
    assert all(re.fullmatch(r"ann\+bounce\.\w+@example\.org", sender) for sender, _ in queue.values())

    plain, wide = queued_as["reader0@example.net"], queued_as[BEYOND_ASCII]
    assert postfix.envelope(plain) > {
        f"envelope_id={queue[plain][0]}",
        "dsn_orig_rcpt=rfc822;reader0@example.net",
        "ret_flags=2",  # RET=HDRS
        "notify_flags=4",  # NOTIFY=FAILURE
    }
    assert "encoding=8bit" in postfix.envelope(wide)

    postfix.deliver()
    log = postfix.log
    delivered = re.findall(r" (\w+): to=<([^>]+)>, relay=virtual,.* status=sent ", log)
    assert sorted(delivered) == sorted((queue_id, address) for address, queue_id in queued_as.items())
    message_ids = dict(re.findall(r" (\w+): message-id=(\S+)", log))
    assert sorted(header(content, "Delivered-To") for content in postfix.mailbox) == sorted(readers)
    assert {
        (header(content, "Delivered-To"), header(content, "Message-ID")) for content in postfix.mailbox
    } == {(address, message_ids[queue_id]) for address, queue_id in queued_as.items()}
    assert len(set(message_ids.values())) == READERS


def test_starttls_of_a_real_relay(advice: App, postfix: Postfix, tmp_path: Path) -> None:
    """Postfix that takes nothing unprotected gets all letters over TLS, its certificate checked."""
    readers = make_readers(advice, 200)
    authority, bundle = trustme.CA(), tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(bundle))
    chain = postfix.folder / "config" / "chain.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
    postfix.run("postconf", "-c", postfix.config, "-e", f"smtpd_tls_chain_files = {chain}")
    postfix.run("postconf", "-c", postfix.config, "-e", "smtpd_tls_security_level = encrypt")
    postfix.run("postconf", "-c", postfix.config, "-e", "smtpd_tls_loglevel = 1")
    postfix.run("postfix", "-c", postfix.config, "reload")
    environment = postfix.environment | {
        "PAPERROUND_RELAY__HOST": "localhost",
        "PAPERROUND_RELAY__TLS": "starttls",
        "SSL_CERT_FILE": str(bundle),
    }
    ended = end_of(start_paperround(advice, "tick", "--at", SLOT, **environment))
    assert (ended.code, ended.err) == (0, "")
    assert sorted(recipients for _, recipients in postfix.queue.values()) == sorted([one] for one in readers)
    assert "TLS connection established from" in postfix.log


@pytest.mark.parametrize(
    "postfix",
    [
        "check_recipient_access inline:{{reader3@example.net=550 5.1.1 Nobody}, "
        "{reader5@example.net=450 4.2.1 Later}}, permit_mynetworks, reject"
    ],
    indirect=True,
)
def test_refusals_of_a_real_relay_are_read_right(advice: App, postfix: Postfix) -> None:
    """One reader bounced, one put off, with Postfix's words, the rest served on the same connections."""
    readers = make_readers(advice, 20)
    ended = end_of(start_paperround(advice, "tick", "--at", SLOT, **postfix.environment))
    assert ended.code == 0
    postfix.deliver()
    assert states(advice) == {
        DeliveryState.SENT: 18,
        DeliveryState.BOUNCED: 1,
        DeliveryState.DEFERRED: 1,
    }
    replies = ledger(advice)
    assert replies["reader3@example.net"].startswith(
        "550 5.1.1 <reader3@example.net>: Recipient address rejected"
    )
    assert replies["reader5@example.net"].startswith(
        "450 4.2.1 <reader5@example.net>: Recipient address rejected"
    )
    got = {message_from_bytes(content)["To"] for content in postfix.mailbox}
    assert got == readers - {"reader3@example.net", "reader5@example.net"}
    connections = len(re.findall(r"disconnect from .* quit=1", postfix.log))
    assert connections <= advice.settings.relay.connections
