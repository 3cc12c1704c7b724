"""Reading what a reader's browser posts: little of it, and not for long.

A form comes in either of two encodings, and both are read here: ours have few fields and no files, for which
the standard library does.
"""

import asyncio
import re
from email import message_from_bytes, policy
from urllib.parse import parse_qs

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODY_OCTETS = 65_536
"""More than a form of ours comes to."""
_BODY_SECONDS = 15.0
_NESTED = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
"""A part of parts. No form has one, and a thousand in one another keep the parser busy until it breaks."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")

Fields = dict[str, list[str]]
"""The values of each field, in order. Whatever a line of text cannot hold is a space."""


async def beginning(request: Request) -> bytes:
    """The first octets of a body: all of it, unless they are more than `BODY_OCTETS`.

    Raises HTTPException 408 where it stops coming: half a request is none (RFC 9112 §8).
    """
    body = b""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY_OCTETS:
                    break
    except (TimeoutError, ClientDisconnect):
        raise HTTPException(408, headers={"Connection": "close"}) from None
    return body


async def form_of(request: Request) -> Fields:
    """The fields of a form. Raises HTTPException 413 for one that is too long: its end may be a tick."""
    body = await beginning(request)
    if len(body) > BODY_OCTETS:
        raise HTTPException(413)
    return read_form(body, request.headers.get("content-type", ""))


def read_form(body: bytes, content_type: str) -> Fields:
    """Fields of a body in one of the two encodings of forms; what is no form has none. Never raises."""
    if content_type.lower().startswith("multipart/form-data"):
        return _multipart(body, content_type)
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {_line(name): [_line(value) for value in values] for name, values in fields.items()}


def _multipart(body: bytes, content_type: str) -> Fields:
    """RFC 7578: each part is a field, named in its Content-Disposition. A file is no field of ours."""
    if _NESTED.search(body):
        return {}
    head = b"Content-Type: " + content_type.encode("latin-1", "replace") + b"\r\n\r\n"
    fields: Fields = {}
    for part in message_from_bytes(head + body, policy=policy.compat32).walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and not part.is_multipart() and part.get_filename() is None:
            content = part.get_payload(decode=True)
            text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
            fields.setdefault(_line(name), []).append(_line(text))
    return fields


def _line(text: str) -> str:
    """One line without control characters, of which PostgreSQL cannot keep NUL, and no lone surrogates."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode("utf-8")).strip()


def first(fields: Fields, name: str) -> str:
    """The first value of a field, empty where there is none."""
    return fields.get(name, [""])[0]
