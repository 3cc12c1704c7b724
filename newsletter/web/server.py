"""Serves the pages from a thread of its own, beside planning and sending."""

import socket
from contextlib import AbstractContextManager
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

import uvicorn

from newsletter.errors import SiteError
from newsletter.web.pages import make_pages

if TYPE_CHECKING:
    from newsletter.app import App

GRACE_SECONDS = 5
"""How long requests under way may take to end: one that stalls cannot keep the process from ending."""


class PageServer(AbstractContextManager["PageServer"]):
    """The running web server. Entering it raises SiteError if its address cannot be had."""

    def __init__(self, site: "App") -> None:
        self._site = site
        host, _, port = site.settings.site.listen.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self.url = ""

    def __enter__(self) -> Self:
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        config = uvicorn.Config(
            make_pages(self._site),
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # who is asking is the peer (see mailboxes), whatever a header claims
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        try:
            # Bound here, so that a taken port is an error of the command and not of a thread.
            self._socket = socket.create_server((host, port), family=family)
        except OSError as error:
            raise SiteError(
                f"the pages cannot be served at {self._site.settings.site.listen}: {error.strerror}; "
                f"see listen in [site]"
            ) from error
        shown = f"[{host}]" if family is socket.AF_INET6 else host
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
