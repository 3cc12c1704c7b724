"""Serves web pages from a thread of their own, beside what the main one does."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn
from fastapi import FastAPI

from newsletter.errors import SiteError
from newsletter.web.pages import make_pages

if TYPE_CHECKING:
    from newsletter.app import App

GRACE_SECONDS = 5
"""How long requests under way may take to end: one that stalls cannot keep the process from ending."""


class WebServer(AbstractContextManager["WebServer"]):
    """The running web server. Entering it raises SiteError, with `remedy`, if its address cannot be had.

    `make` gives what it serves, and `what` names that in errors. Port 0 is any that is free.
    """

    def __init__(self, make: Callable[[], FastAPI], host: str, port: int, *, what: str, remedy: str) -> None:
        self._make = make
        self._address = (host, port)
        self._what = what
        self._remedy = remedy
        self.url = ""

    def __enter__(self) -> Self:
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        shown = f"[{host}]" if family is socket.AF_INET6 else host
        config = uvicorn.Config(
            self._make(),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # who is asking is the peer (see here.py), whatever a header claims
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        try:
            # Bound here, so that a taken port is an error of the command and not of a thread.
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise SiteError(
                f"{self._what} cannot be served at {shown}:{port}: {error.strerror}; {self._remedy}"
            ) from error
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}/"
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="pages", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()


class PageServer(WebServer):
    """The running pages of a site."""

    def __init__(self, site: "App") -> None:
        host, _, port = site.settings.site.listen.rpartition(":")
        super().__init__(
            lambda: make_pages(site),
            host.strip("[]"),
            int(port),
            what="the pages",
            remedy="see listen in [site]",
        )
