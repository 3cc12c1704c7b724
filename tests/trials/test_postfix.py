"""A real Postfix as the relay: its log, its mailbox and our ledger tell the same story."""

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
from sqlalchemy import select
from sqlmodel import col

from newsletter.app import App
from newsletter.models import Delivery
from newsletter.states import DeliveryState
from subscribers.models import Subscriber
from tests.delivery.bigissue import SLOT, end_of, make_readers, start_paperround, states

pytestmark = pytest.mark.trial

READERS = 200

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

    def wait_until_delivered(self) -> None:
        """Return once its queue is empty."""
        config = str(self.folder / "config")
        self.run("postqueue", "-c", config, "-f")
        while "Mail queue is empty" not in self.run("postqueue", "-c", config, "-p"):
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
        _MAIN.format(folder=folder, uid=nobody, gid=nogroup, restrictions=restrictions)
    )
    (folder / "config" / "master.cf").write_text(_MASTER.format(port=port))
    running = Postfix(folder, port)
    try:
        running.run("postfix", "-c", str(folder / "config"), "start")
        yield running
    finally:
        subprocess.run(
            ["postfix", "-c", str(folder / "config"), "stop"], capture_output=True, check=False, timeout=60
        )
        shutil.rmtree(folder, ignore_errors=True)


def ledger(site: App) -> dict[str, str]:
    """Each reader's last reply."""
    with site.database.read() as session:
        found = select(col(Subscriber.address), col(Delivery.reply)).join(
            Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
        )
        return dict(session.execute(found).all())


def test_log_mailbox_and_ledger_agree(advice: App, postfix: Postfix) -> None:
    """200 letters: each has a reply that names its queue id, which the log delivers to that reader, once."""
    readers = make_readers(advice, READERS)
    ended = end_of(start_paperround(advice, "tick", "--at", SLOT, **postfix.environment))
    assert (ended.code, ended.err) == (0, "")
    postfix.wait_until_delivered()

    replies = ledger(advice)
    queue_ids = {
        address: found[1]
        for address, reply in replies.items()
        if (found := re.fullmatch(r"250 2\.0\.0 Ok: queued as (\w+)", reply))
    }
    delivered = re.findall(r" (\w+): to=<([^>]+)>, relay=virtual,.* status=sent ", postfix.log)
    assert set(queue_ids) == readers
    assert sorted(delivered) == sorted((queue_id, address) for address, queue_id in queue_ids.items())

    messages = [message_from_bytes(content) for content in postfix.mailbox]
    assert sorted(message["To"] for message in messages) == sorted(readers)
    assert len({message["Message-ID"] for message in messages}) == READERS
    assert states(advice) == {DeliveryState.SENT: READERS}
    senders = re.findall(r"from=<ann\+bounce\.(\w+)@example\.org>", postfix.log)
    assert len(set(senders)) == READERS


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
    postfix.wait_until_delivered()
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
    assert connections <= 5
