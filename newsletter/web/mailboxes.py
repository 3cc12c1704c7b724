"""Reading the sandbox's mailboxes in a browser: only where the sandbox is the relay, only from this machine.

Letters are private: what asks for them must come from this machine (`newsletter.web.here`). A proxy that
says nothing of itself cannot be told apart, so keep /sandbox/ out of what it forwards. Letters may be
hostile: their HTML is shown in a sandboxed frame from an address of its own, where it can neither run
anything nor reach the pages around it, and what cannot be parsed reads as empty, with the source below it.
"""

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from itertools import islice
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse

from newsletter.web.here import only_here

_MAILBOXES_SHOWN = 100
_LETTERS_SHOWN = 20
_HEADER_OCTETS = 50_000
_FRAME_HEADERS = {
    "Content-Security-Policy": "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "img-src https: http:; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
}


def letters_in(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """(mailbox, its letters oldest first), mailboxes by name."""
    for mailbox in _mailboxes(folder):
        yield mailbox.name, _letters(mailbox)


def _mailboxes(folder: Path) -> list[Path]:
    """The sandbox makes no symbolic links; one that lies there leads out of it."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())


def _letters(mailbox: Path) -> list[Path]:
    return sorted(path for path in mailbox.glob("*.eml") if path.is_file() and not path.is_symlink())


def read_letter(path: Path) -> EmailMessage:
    """A kept letter, parsed; only its header where its parts are nested beyond reason."""
    data = path.read_bytes()
    try:
        message = message_from_bytes(data, policy=policy.default)
    except RecursionError:
        message = _header_of(data)
    assert isinstance(message, EmailMessage)  # noqa: S101  # the policy makes these
    return message


def html_of(message: EmailMessage) -> str:
    """A letter's HTML part, or nothing."""
    return _part(message, "html")


def _part(message: EmailMessage, subtype: str) -> str:
    try:
        part = message.get_body((subtype,))
        content = part.get_content() if part else ""
    except Exception:  # the parser names no limit to what it may raise on malformed parts
        content = ""
    return _encodable(str(content))


def _field(message: EmailMessage, name: str) -> str:
    try:
        return _encodable(str(message.get(name, "")))
    except Exception:  # nor on malformed fields
        return ""


def _encodable(text: str) -> str:
    """Without lone surrogates, which a charset of the letter's choosing may decode to."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _header_of(data: bytes) -> EmailMessage:
    return BytesHeaderParser(policy=policy.default).parsebytes(data[:_HEADER_OCTETS])


def _summary(path: Path) -> dict[str, str]:
    """What a list shows of a letter, from the beginning of its file."""
    with path.open("rb") as file:
        message = _header_of(file.read(_HEADER_OCTETS))
    return {"name": path.stem, "subject": _field(message, "Subject"), "date": _field(message, "Date")}


def mailbox_routes(folder: Path, page: Callable[..., HTMLResponse]) -> APIRouter:
    """The routes below /sandbox; `page` renders a template of templates/web."""
    routes = APIRouter(prefix="/sandbox")

    def find(request: Request, mailbox: str, name: str) -> Path:
        """A letter, by comparing names with what lies there: no path is made of what was asked for."""
        only_here(request)
        for place in _mailboxes(folder):
            if place.name == mailbox:
                for letter in _letters(place):
                    if letter.stem == name:
                        return letter
        raise HTTPException(404)

    @routes.api_route("", methods=["GET", "HEAD"])
    @routes.api_route("/", methods=["GET", "HEAD"])
    def mailboxes(request: Request) -> HTMLResponse:
        only_here(request)
        total = len(_mailboxes(folder))
        shown = [
            (mailbox, [_summary(path) for path in letters[: -_LETTERS_SHOWN - 1 : -1]], len(letters))
            for mailbox, letters in islice(letters_in(folder), _MAILBOXES_SHOWN)
        ]
        return page("mailboxes", mailboxes=shown, more=total - len(shown), folder=folder)

    @routes.api_route("/{mailbox}/{name}", methods=["GET", "HEAD"])
    def letter(request: Request, mailbox: str, name: str) -> HTMLResponse:
        path = find(request, mailbox, name)
        message = read_letter(path)
        shown = page(
            "letter",
            mailbox=mailbox,
            name=name,
            fields={name: _field(message, name) for name in ("Subject", "From", "To", "Date")},
            text=_part(message, "plain"),
            source=_source(path),
        )
        shown.headers["Content-Security-Policy"] += "; frame-src 'self'"
        return shown

    @routes.api_route("/{mailbox}/{name}/html", methods=["GET", "HEAD"])
    def frame(request: Request, mailbox: str, name: str) -> HTMLResponse:
        html = html_of(read_letter(find(request, mailbox, name)))
        # Links open beside the mailbox, as webmail has it: in the frame they could not be shown.
        return HTMLResponse(
            re.sub(r"<head\b[^>]*>", r'\g<0><base target="_blank">', html, count=1, flags=re.IGNORECASE),
            headers=_FRAME_HEADERS,
        )

    return routes


def _source(path: Path) -> str:
    """A letter's header as it came."""
    text = path.read_bytes()[:_HEADER_OCTETS].decode("utf-8", "replace")
    return re.sub(r"\r\n?", "\n", text).partition("\n\n")[0]
