"""A real Postfix of a test's own: configuration, queue, log and mailbox in a folder that goes with it."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.neighbours import NOBODY, public_folder

_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
multi_instance_enable = yes
syslog_name = postfix-trial
myhostname = relay.test
mydestination = {destination}
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
        return [path.read_bytes() for path in (self.folder / "mailbox" / "new").glob("*")]


@contextmanager
def running_postfix(
    *,
    restrictions: str = "permit_mynetworks, reject",
    destination: str = "",
    main: str = "",
    master: str = "",
) -> Iterator[Postfix]:
    """Postfix with more lines of main.cf and master.cf; `restrictions` say what it takes.

    No key may be there twice: it would say so before the process runs that keeps its log, and wait for that.
    """
    if shutil.which("postfix", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs postfix")
    if os.geteuid() != 0:
        pytest.skip("needs root: postfix starts as nobody else")
    with public_folder("postfix") as folder:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        for name in ("config", "queue", "data", "mailbox"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix")
        os.chown(folder / "mailbox", *NOBODY)
        uid, gid = NOBODY
        (folder / "config" / "main.cf").write_text(
            _MAIN.format(folder=folder, uid=uid, gid=gid, restrictions=restrictions, destination=destination)
            + main
        )
        (folder / "config" / "master.cf").write_text(_MASTER.format(port=port) + master)
        running = Postfix(folder, port)
        try:
            running.run("postfix", "-c", running.config, "start")
            yield running
        finally:
            subprocess.run(
                ["postfix", "-c", running.config, "stop"], capture_output=True, check=False, timeout=60
            )
