"""The sandbox: a real SMTP server on loopback that keeps every letter as a file and sends nothing.

It is the relay of a new site, so that a trial cannot reach anyone. Letters lie in
`FOLDER/RECIPIENT/NUMBER.eml`, exactly as received after a `Return-Path:` line (RFC 5321 §4.4), written
under a temporary name first so that a reader never sees half a letter.
"""

import os
import re
import secrets
import socket
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.errors import RelayError
from newsletter.listening import ListeningThread, Loop
from newsletter.settings import RelaySection, TLSMode

_NAME_OCTETS = 200
"""File systems take 255."""


class _Keeper:
    """aiosmtpd's handler: puts each message into its recipients' folders."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        """Keep a message; a disk that is full is a passing failure (RFC 5321 §4.2.3, 452)."""
        content = envelope.content
        assert isinstance(content, bytes)  # noqa: S101  # decode_data is off
        return_path = (envelope.mail_from or "").strip("<>")  # aiosmtpd leaves the null path in its brackets
        try:
            for recipient in envelope.rcpt_tos:
                self._keep(recipient, f"Return-Path: <{return_path}>\r\n".encode() + content)
        except OSError as error:
            return f"452 4.3.1 The sandbox cannot keep this: {error.strerror}"
        return "250 2.0.0 Kept in the sandbox"

    def _keep(self, recipient: str, content: bytes) -> None:
        mailbox = self._folder / mailbox_name(recipient)
        mailbox.mkdir(parents=True, exist_ok=True)
        part = mailbox / f".{secrets.token_hex(8)}.part"
        part.write_bytes(content)
        number = len(list(mailbox.glob("*.eml"))) + 1
        while True:
            try:
                os.link(part, mailbox / f"{number:04d}.eml")
                break
            except FileExistsError:
                number += 1
        part.unlink()


def mailbox_name(recipient: str) -> str:
    """An address as the name of a folder, a different one for each: other characters are written as %XX."""
    name = re.sub(r"[^\w@.+='-]|^\.", lambda found: f"%{ord(found[0]):02X}", recipient)
    return name.encode()[:_NAME_OCTETS].decode(errors="ignore") or "%"


class Sandbox(AbstractContextManager["Sandbox"]):
    """The running server. `relay` is how to reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._socket = socket.create_server(("127.0.0.1", 0))
        except OSError as error:
            raise RelayError(f"the sandbox cannot start in {self.folder}: {error.strerror}") from error
        keeper = _Keeper(self.folder)
        self._listening = ListeningThread("sandbox", self._socket, lambda loop: _session(keeper, loop))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()

    @property
    def relay(self) -> RelaySection:
        """Relay settings that lead here."""
        port = self._socket.getsockname()[1]
        return RelaySection(host="127.0.0.1", port=port, tls=TLSMode.NONE)


def _session(keeper: _Keeper, loop: Loop) -> SMTP:
    return SMTP(
        keeper,
        hostname="sandbox",
        ident="Paperround sandbox",
        enable_SMTPUTF8=True,
        data_size_limit=0,
        loop=loop,
    )
