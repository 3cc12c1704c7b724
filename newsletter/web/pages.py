"""What readers meet on the web: all routes, a front page, and the way out of a category.

GET and HEAD never change anything (RFC 9110 §9.2.1): link scanners follow them. POST to the same address
is the one-click of RFC 8058 and the page's own button alike: it needs no cookie, is answered with 200 and
no redirect, and may be repeated. A token we did not make gets the same answer whatever is wrong with it.

What fails is told to the operator on standard error; the reader sees a page that says so and no more. May
surprise: a POST counts by its address alone, so its body is read only to learn which button was pressed.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from newsletter.delivery.copies import TEST_DELIVERY
from newsletter.delivery.reports import reader_of
from newsletter.errors import PaperroundError, TemplateError
from newsletter.models import Category
from newsletter.render.edition import archive_path
from newsletter.web.archive import archive_routes
from newsletter.web.asking import Asking
from newsletter.web.confirm import confirm_routes
from newsletter.web.forms import beginning
from newsletter.web.frame import HEADERS, Frame
from newsletter.web.preferences import preference_routes
from newsletter.web.subscribe import choices_of, subscribe_routes
from newsletter.web.words import Words
from subscribers.models import Subscription, SubscriptionState
from subscribers.subscriptions import Permission, leave
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App


@dataclass(frozen=True, slots=True)
class _WayOut:
    """What a token leads to: the letter it came in, and the subscriptions it came by, with their titles."""

    delivery_id: int
    titled: tuple[tuple[Subscription, str], ...]

    @property
    def titles(self) -> list[str]:
        """All of them."""
        return [title for _, title in self.titled]

    @property
    def titles_held(self) -> list[str]:
        """Those of subscriptions that have not ended."""
        return [title for held, title in self.titled if held.state != SubscriptionState.LEFT]


class _Pages:
    """The handlers, around one site. They block, and so run in threads."""

    def __init__(self, site: "App", frame: Frame) -> None:
        self._site = site
        # Made here, once: what a site is missing is an error of the command, not of the first reader.
        self._database, self._signer = site.database, site.signer
        self._frame = frame

    def front(self, lang: str) -> HTMLResponse:
        """The front page: what this newsletter has."""
        shown = self._frame.page(
            "front",
            say=self._frame.words(lang),
            categories=[(one, archive_path(one.slug)) for one in choices_of(self._site)],
        )
        del shown.headers["X-Robots-Tag"]
        return shown

    def ask(self, token: str, lang: str) -> HTMLResponse:
        """The page with the button that ends a subscription."""
        found, say = self._find(token), self._frame.words(lang)
        if found is None:
            return self._nobodys(token, say)
        held = found.titles_held
        return self._page_of("leave", held, say) if held else self._page_of("left", found.titles, say)

    def act(self, token: str, source: str, lang: str) -> HTMLResponse:
        """End the subscriptions, those that have not ended yet."""
        found, say = self._find(token), self._frame.words(lang)
        if found is None:
            return self._nobodys(token, say)
        permission = Permission(source, evidence=f"delivery {found.delivery_id}")
        with self._database.write() as session:
            leave(
                session,
                found.titled[0][0].subscriber_id,
                [held.category for held, _ in found.titled],
                permission,
                self._site.letters,
                now=self._site.clock(),
            )
        return self._page_of("left", found.titles, say)

    def _page_of(self, name: str, titles: Sequence[str], say: Words) -> HTMLResponse:
        """A page about categories: `titles` are theirs, `category` is those in one text."""
        return self._frame.page(name, say=say, titles=titles, category=say.plain_names(titles))

    def unknown(self, status: int = 404) -> HTMLResponse:
        """The page for whatever is not here: one and the same, so that nothing is learnt from it."""
        return self._frame.page("unknown", status=status)

    def _nobodys(self, token: str, say: Words) -> HTMLResponse:
        """The page for a token that stands for no letter of an issue."""
        is_test = self._signer.read(Purpose.LEAVE, token) == TEST_DELIVERY
        return self._frame.page("test", say=say) if is_test else self.unknown()

    def broken(self, status: int) -> Response:
        """The page for what failed. It cannot fail itself, though a site's own templates may."""
        try:
            return self._frame.page("broken", status=status)
        except TemplateError:
            return PlainTextResponse("That did not work just now. Please try again later.", status, HEADERS)

    def _find(self, token: str) -> _WayOut | None:
        """The subscriptions a letter was sent for: of a digest, to the categories in it."""
        number = self._signer.read(Purpose.LEAVE, token)
        if number is None:
            return None
        with self._database.read() as session:
            if (reader := reader_of(session, number)) is None:
                return None
            subscriber_id, slugs = reader
            found = session.exec(
                select(Subscription, Category.title)
                .join(Category, col(Category.slug) == col(Subscription.category), isouter=True)
                .where(Subscription.subscriber_id == subscriber_id, col(Subscription.category).in_(slugs))
                .order_by(col(Category.title), col(Subscription.category))
            ).all()
        titled = tuple((held, title or held.category) for held, title in found)
        return _WayOut(number, titled) if titled else None


def make_pages(site: "App") -> FastAPI:
    """The reader-facing web application of a site. Raises what opening its database and its key raises."""
    frame = Frame(site)
    pages, asking = _Pages(site, frame), Asking(site, frame)
    # No redirect for a slash too many: RFC 8058 §3.1 forbids them.
    web = FastAPI(title="Paperround", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @web.api_route("/", methods=["GET", "HEAD"])
    def front(lang: str = "") -> Response:
        return pages.front(lang)

    @web.api_route("/u/{token}", methods=["GET", "HEAD"])
    def ask(token: str, lang: str = "") -> Response:
        return pages.ask(token, lang)

    @web.post("/u/{token}")
    async def act(token: str, request: Request, lang: str = "") -> Response:
        source = "page" if b"via=page" in await beginning(request) else "one-click"
        return await run_in_threadpool(pages.act, token, source, lang)

    @web.exception_handler(HTTPException)
    def unknown(request: Request, error: HTTPException) -> Response:
        is_broken_off = error.status_code in (408, 413)  # there is something here: it came late, or too large
        page = pages.broken(error.status_code) if is_broken_off else pages.unknown(error.status_code)
        page.headers.update(error.headers or {})
        return page

    @web.exception_handler(PaperroundError)
    def failed(request: Request, error: PaperroundError) -> Response:
        # Without the path: a token opens a door, and logs are kept.
        message = f"paperround: the pages could not answer a {request.method}: {error}"
        print(message, file=sys.stderr, flush=True)  # noqa: T201  # as everything `run` has to say
        return pages.broken(503)

    @web.exception_handler(Exception)
    def broke(request: Request, error: Exception) -> Response:
        # A fault of ours; Starlette raises it again, for the server to log.
        return pages.broken(500)

    web.include_router(archive_routes(site, frame))
    web.include_router(subscribe_routes(site, frame, asking))
    web.include_router(confirm_routes(site, frame))
    web.include_router(preference_routes(site, frame, asking))
    if site.settings.relay.is_sandbox:
        from newsletter.web.mailboxes import mailbox_routes

        web.include_router(mailbox_routes(site.settings.sandbox_folder, frame.page))
    return web
