"""Pages for this machine only.

A request is from this machine if its connection and its Host are loopback's and no proxy says that it
passes it on; a proxy that says nothing cannot be told apart. A foreign Host is a rebound name (DNS). To
everybody else there is nothing here.
"""

import re

from fastapi import HTTPException, Request

from newsletter.settings_values import is_loopback

_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")


def only_here(request: Request) -> None:
    """Refuse with 404 what does not come from this machine."""
    host = re.sub(r":\d*$", "", request.headers.get("host", ""))
    peer = request.client.host if request.client else ""
    if not (is_loopback(peer) and is_loopback(host)) or any(name in request.headers for name in _FORWARDED):
        raise HTTPException(404)
