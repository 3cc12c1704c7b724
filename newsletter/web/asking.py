"""What somebody asks for on a page who has not proved who they are: written down, and held in bounds."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from newsletter.feedback.route import RouteVerb, address_for
from newsletter.settings_values import is_loopback
from newsletter.web.frame import Frame
from newsletter.web.guard import Cap, client_of, networks
from newsletter.web.words import Words
from subscribers.requests import Asked, Door

if TYPE_CHECKING:
    from newsletter.app import App

_HOUR = 3600.0
_UNNAMED = (
    "paperround: a web server on this machine passes visitors on, and trusted_proxies in [doors] does not "
    "name it: for ip_per_hour they all count as one"
)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request that is not on disk yet."""

    text: str
    asked: dict[str, Any]
    done: asyncio.Future[None]


class Asking:
    """The requests of one site's pages, whatever form they come by: one cap holds for all of them.

    Waiting and writing belong to the server's event loop alone.
    """

    def __init__(self, site: "App", frame: Frame) -> None:
        self._site = site
        self._frame = frame
        self._trusted = networks(site.settings.doors.trusted_proxies)
        self._cap = Cap(site.settings.doors.ip_per_hour, _HOUR)
        self._is_told = False
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    def wait(self, request: Request) -> int:
        """0 and this one is counted, or the seconds until its network address may ask again."""
        peer = request.client.host if request.client else ""
        forwarded = request.headers.getlist("x-forwarded-for")
        if forwarded and not self._trusted and is_loopback(peer) and not self._is_told:
            self._is_told = True
            print(_UNNAMED, file=sys.stderr, flush=True)  # noqa: T201  # as everything `run` has to say
        return self._cap.wait(client_of(peer, forwarded, self._trusted), time.monotonic())

    async def write(self, text: str, **asked: Any) -> None:
        """Write a request down, with the text that was shown: the same work, whoever has the address.

        Who comes while others are written is written next, with all who came meanwhile: one commit, and one
        wait for the disk, for all of them. It is on disk once this returns. Raises what writing raises.
        """
        mine = _Waiting(text, asked, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await mine.done

    async def _write_waiting(self) -> None:
        while self._waiting:
            together, self._waiting = self._waiting, []
            try:
                await run_in_threadpool(self._write_all, together)
            except Exception as error:  # each of those who wait is told
                for one in together:
                    if not one.done.done():  # whoever went away meanwhile is told nothing
                        one.done.set_exception(error)
            else:
                for one in together:
                    if not one.done.done():
                        one.done.set_result(None)

    def _write_all(self, together: "Sequence[_Waiting]") -> None:
        doors = self._site.doors
        with self._site.database.write() as session:
            kept = {text: doors.keep_wording(session, text) for text in {one.text for one in together}}
            for one in together:
                doors.ask(session, Asked(door=Door.PAGE, wording=kept[one.text], **one.asked))
        for version in kept.values():
            doors.remember(version)

    def busy(self, say: Words, seconds: int, categories: Sequence[str] = ()) -> HTMLResponse:
        """Too much from one network: when there is room again, and the door that is open meanwhile."""
        minutes = -(-seconds // 60)
        by_mail = self.by_mail(categories)
        page = self._frame.page("busy", status=429, say=say, minutes=minutes, by_mail=by_mail)
        page.headers["Retry-After"] = str(seconds)
        return page

    def by_mail(self, categories: Sequence[str]) -> str:
        """Where to write to subscribe to a category, or to be told which there are; empty without that."""
        if not self._site.settings.doors.by_email:
            return ""
        slug = categories[0] if len(categories) == 1 else ""
        return address_for(self._site.settings.inbound_address, RouteVerb.JOIN, slug)
