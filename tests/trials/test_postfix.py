"""A real Postfix as the relay: its log, its mailbox and our ledger tell the same story."""

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
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

pytestmark = pytest.mark.trial

READERS = 2_000
BEYOND_ASCII = "jürgen@example.net"
"""Needs SMTPUTF8."""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
multi_instance_enable = yes
syslog_name = postfix-trial
myhostname = relay.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
smtputf8_enable = yes
smtpd_peername_lookup = no
smtpd_recipient_restrictions = {restrictions}
virtual_mailbox_domains = example.net
virtual_mailbox_base = {folder}
virtual_mailbox_maps = static:mailbox/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_mailbox_limit = 0
mail_spool_directory = {folder}
defer_transports = {deferred}
"""

_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup  unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr    unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce  unix - - n - 0 bounce
defer   unix - - n - 0 bounce
trace   unix - - n - 0 bounce
anvil   unix - - n - 1 anvil
scache  unix - - n - 1 scache
proxymap unix - - n - - proxymap
showq   unix n - n - - showq
error   unix - - n - - error
retry   unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
smtp    unix - - n - - smtp
tlsmgr  unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class Postfix:
    """A Postfix of the test's own, that takes mail for example.net into one Maildir."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """What makes a site use it, at more than one letter a connection."""
        return {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(self.port)}

    def run(self, *command: str) -> str:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ran.returncode == 0, (command, ran.stderr, self.log)
        return ran.stdout

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    @property
    def config(self) -> str:
        return str(self.folder / "config")

    @property
    def queue(self) -> dict[str, tuple[str, list[str]]]:
        """Sender and recipients of every message in its queue, by queue id."""
        entries = map(json.loads, self.run("postqueue", "-c", self.config, "-j").splitlines())
        return {
            entry["queue_id"]: (entry["sender"], [found["address"] for found in entry["recipients"]])
            for entry in entries
        }

    def envelope(self, queue_id: str) -> set[str]:
        """What it keeps of a message's envelope."""
        kept = self.run("postcat", "-c", self.config, "-e", "-q", queue_id)
        return {line.partition(": ")[2].strip() for line in kept.splitlines()}

    def deliver(self) -> None:
        """Let everything go to the mailbox; return once the queue is empty."""
        self.run("postconf", "-c", self.config, "-e", "defer_transports =")
        self.run("postfix", "-c", self.config, "reload")
        self.run("postqueue", "-c", self.config, "-f")
        while self.queue:
            pass

    @property
    def mailbox(self) -> list[bytes]:
        return [path.read_bytes() for path in (self.folder / "mailbox" / "new").iterdir()]


@pytest.fixture
def postfix(request: pytest.FixtureRequest) -> Iterator[Postfix]:
    """The machine's Postfix with configuration, queue and log of its own; the parameter is what it takes."""
    if shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs postfix")
    if os.geteuid() != 0:
        pytest.skip("needs root: postfix starts as nobody else")
    # Its daemons run as other users, so a private temporary folder of pytest's would be closed to them.
    folder = Path(
        subprocess.check_output(["mktemp", "-d", "--tmpdir", "paperround-postfix-XXXX"], text=True).strip()
    )
    folder.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nobody, nogroup = 65534, 65534
    for name in ("config", "queue", "data", "mailbox"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    os.chown(folder / "mailbox", nobody, nogroup)
    restrictions = getattr(request, "param", "permit_mynetworks, reject")
    (folder / "config" / "main.cf").write_text(
        _MAIN.format(folder=folder, uid=nobody, gid=nogroup, restrictions=restrictions, deferred="virtual")
    )
    (folder / "config" / "master.cf").write_text(_MASTER.format(port=port))
    running = Postfix(folder, port)
    try:
        running.run("postfix", "-c", running.config, "start")
        yield running
    finally:
        subprocess.run(
            ["postfix", "-c", running.config, "stop"], capture_output=True, check=False, timeout=60
        )
        shutil.rmtree(folder, ignore_errors=True)


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
