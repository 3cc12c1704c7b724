"""A real Dovecot of a test's own: one mailbox, over TLS that a test trusts."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import trustme
from imapclient import IMAPClient

from tests.neighbours import NOBODY, public_folder

USER, PASSWORD = "ann@example.org", "Tr0ub4dör-and-3"

_CONF = """\
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
ssl_cert = <{folder}/chain.pem
ssl_key = <{folder}/chain.pem
disable_plaintext_auth = no
auth_mechanisms = plain
auth_failure_delay = 0
mail_location = maildir:{folder}/mail
mail_fsync = never
first_valid_uid = 1
{more}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {implicit_port}
    ssl = yes
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""
WITHOUT_IDLE = "imap_capability = IMAP4rev1 SASL-IR LITERAL+ UIDPLUS"


@dataclass
class Dovecot:
    """A running server, that can be stopped and started again."""

    folder: Path
    port: int
    implicit_port: int
    bundle: Path

    def run(self, *command: str) -> None:
        # Not to a pipe: daemons would keep it open.
        with (self.folder / "said").open("wb") as said:
            ran = subprocess.run(
                [command[0], "-c", str(self.folder / "conf"), *command[1:]],
                stdout=said,
                stderr=said,
                timeout=60,
                check=False,
            )
        assert ran.returncode == 0, (command, (self.folder / "said").read_text("utf-8", "replace"), self.log)

    def start(self) -> None:
        self.run("dovecot")

    def stop(self) -> None:
        self.run("doveadm", "stop")

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    @contextmanager
    def inbox(self) -> Iterator[IMAPClient]:
        """The mailbox, as its owner's mail program sees it."""
        with IMAPClient("127.0.0.1", self.port, ssl=False, timeout=30) as client:
            client.plain_login(USER, PASSWORD)
            client.select_folder("INBOX")
            yield client

    def deliver(self, *messages: bytes, at: datetime | None = None) -> None:
        """Mail arrives, now or then."""
        with self.inbox() as client:
            for message in messages:
                client.append("INBOX", message, msg_time=at)

    def flags(self) -> list[set[bytes]]:
        """The marks of each message there, in their order."""
        with self.inbox() as client:
            found = client.get_flags(client.search())
        return [set(found[uid]) - {rb"\Recent"} for uid in sorted(found)]

    def number_anew(self) -> None:
        """Forget every UID, as a restored mailbox does (UIDVALIDITY changes)."""
        self.stop()
        for name in self.folder.joinpath("mail").glob("dovecot*"):
            name.unlink()
        # A new UIDVALIDITY is the present second, and must not be the old one's.
        (self.folder / "mail" / "dovecot-uidlist").write_text("3 V1 N1\n")
        shutil.chown(self.folder / "mail" / "dovecot-uidlist", *NOBODY)
        self.start()


@contextmanager
def running_dovecot(*, ssl: str = "yes", more: str = "") -> Iterator[Dovecot]:
    """Dovecot with configuration, mailbox and log of its own."""
    if shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("needs dovecot (Debian's dovecot-imapd)")
    if os.geteuid() != 0:
        pytest.skip("needs root: dovecot starts as nobody else")
    with public_folder("dovecot") as folder:
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = one.getsockname()[1], other.getsockname()[1]
        authority, bundle = trustme.CA(), folder / "authority.pem"
        authority.cert_pem.write_to_path(str(bundle))
        chain = authority.issue_cert("localhost")
        chain.private_key_and_cert_chain_pem.write_to_path(str(folder / "chain.pem"))
        (folder / "users").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n", encoding="utf-8")
        (folder / "mail").mkdir()
        os.chown(folder / "mail", *NOBODY)
        conf = _CONF.format(
            folder=folder,
            ssl=ssl,
            more=more,
            uid=NOBODY[0],
            gid=NOBODY[1],
            port=ports[0],
            implicit_port=ports[1],
        )
        (folder / "conf").write_text(conf)
        running = Dovecot(folder, *ports, bundle)
        try:
            running.start()
            yield running
        finally:
            subprocess.run(
                ["doveadm", "-c", str(folder / "conf"), "stop"], capture_output=True, check=False, timeout=60
            )
