"""Reading what a reader's browser posts: little of it, and not for long."""

import asyncio

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

BODY_OCTETS = 65_536
"""More than a form of ours comes to."""
_BODY_SECONDS = 15.0


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
