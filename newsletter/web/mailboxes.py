"""Reading the sandbox's mailboxes in a browser: only where the sandbox is the relay, only from this machine.

A letter's HTML is shown in a sandboxed frame from an address of its own, so it can neither run anything
nor reach the pages around it.
"""

import re
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from newsletter.settings import is_loopback

_FRAME_HEADERS = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-"
    "activation; default-src 'none'; img-src https: http:; style-src 'unsafe-inline'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
}


def letters_in(folder: Path) -> list[tuple[str, list[Path]]]:
    """(mailbox, its letters oldest first), mailboxes by name."""
    if not folder.is_dir():
        return []
    return [
        (mailbox.name, sorted(mailbox.glob("*.eml")))
        for mailbox in sorted(folder.iterdir())
        if mailbox.is_dir()
    ]


def read_letter(path: Path) -> EmailMessage:
    """A kept letter, parsed."""
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)  # noqa: S101  # the policy makes these
    return message


def html_of(message: EmailMessage) -> str:
    """A letter's HTML part, or nothing."""
    return _part(message, "html")


def _part(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    return str(part.get_content()) if part else ""


def mailbox_routes(folder: Path, page: Callable[..., HTMLResponse]) -> APIRouter:
    """The routes below /sandbox; `page` renders a template of templates/web."""
    routes = APIRouter(prefix="/sandbox")

    def find(request: Request, mailbox: str, number: int) -> Path:
        _only_here(request)
        for name, letters in letters_in(folder):
            if name == mailbox and 1 <= number <= len(letters):
                return letters[number - 1]
        raise HTTPException(404)

    @routes.get("/")
    def mailboxes(request: Request) -> HTMLResponse:
        _only_here(request)
        shown = [
            (name, [(number, read_letter(path)) for number, path in enumerate(letters, start=1)][::-1])
            for name, letters in letters_in(folder)
        ]
        return page("mailboxes", mailboxes=shown)

    @routes.get("/{mailbox}/{number}")
    def letter(request: Request, mailbox: str, number: int) -> HTMLResponse:
        path = find(request, mailbox, number)
        message = read_letter(path)
        shown = page(
            "letter",
            mailbox=mailbox,
            number=number,
            message=message,
            text=_part(message, "plain"),
            source=re.sub(r"\r\n?", "\n", path.read_bytes().decode("utf-8", "replace")).partition("\n\n")[0],
        )
        shown.headers["Content-Security-Policy"] += "; frame-src 'self'"
        return shown

    @routes.get("/{mailbox}/{number}/html")
    def frame(request: Request, mailbox: str, number: int) -> HTMLResponse:
        message = read_letter(find(request, mailbox, number))
        return HTMLResponse(html_of(message), headers=_FRAME_HEADERS)

    return routes


def _only_here(request: Request) -> None:
    """Letters are private: nobody but this machine reads them."""
    if request.client is None or not is_loopback(request.client.host):
        raise HTTPException(404)
