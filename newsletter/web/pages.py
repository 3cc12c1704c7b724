"""What readers meet on the web: a front page, and the way out of a category.

GET and HEAD never change anything (RFC 9110 §9.2.1): link scanners follow them. POST to the same address
is the one-click of RFC 8058 and the page's own button alike: it needs no cookie, is answered with 200 and
no redirect, and may be repeated. A token we did not make gets the same answer whatever is wrong with it.
"""

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from newsletter.delivery.reports import reader_of
from newsletter.errors import PaperroundError
from newsletter.models import Category
from newsletter.render.templates import render_template
from newsletter.schedule.categories import all_categories
from subscribers.models import Subscription, SubscriptionState
from subscribers.subscriptions import Permission, leave
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App

_BODY_LIMIT = 10_000
_SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
}


class _Pages:
    """The handlers, around one site."""

    def __init__(self, site: "App") -> None:
        self._site = site

    def page(self, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page of templates/web, with headers that keep it private."""
        values |= {"site": self._site.settings.site, "lang": self._site.settings.site.language}
        html = render_template(self._site.editions.environment, f"web/{name}.html.j2", values)
        return HTMLResponse(html, status, _SAFE_HEADERS)

    def front(self) -> HTMLResponse:
        """The front page: what this newsletter has."""
        with self._site.database.read() as session:
            return self.page("front", categories=all_categories(session))

    def ask(self, token: str) -> HTMLResponse:
        """The page with the button that ends a subscription."""
        found = self._subscription(token)
        if found is None:
            return self.page("unknown", status=404)
        subscription, title = found
        has_left = subscription.state == SubscriptionState.LEFT
        return self.page("left" if has_left else "leave", category=title)

    def act(self, token: str, source: str) -> HTMLResponse:
        """End the subscription, if it has not ended yet."""
        site = self._site
        found = self._subscription(token)
        if found is None:
            return self.page("unknown", status=404)
        subscription, title = found
        with site.database.write() as session:
            leave(
                session,
                subscription.subscriber_id,
                [subscription.category],
                Permission(source),
                site.letters,
                now=site.clock(),
            )
        return self.page("left", category=title)

    def _subscription(self, token: str) -> tuple[Subscription, str] | None:
        """The subscription a letter was sent for, and its category's title."""
        from sqlmodel import select

        number = self._site.signer.read(Purpose.LEAVE, token)
        if number is None:
            return None
        with self._site.database.read() as session:
            if (reader := reader_of(session, number)) is None:
                return None
            subscriber_id, slug = reader
            subscription = session.exec(
                select(Subscription).where(
                    Subscription.subscriber_id == subscriber_id, Subscription.category == slug
                )
            ).one_or_none()
            title = session.exec(select(Category.title).where(Category.slug == slug)).first()
        return (subscription, title or slug) if subscription else None


async def _beginning(request: Request) -> bytes:
    """The first bytes of a body; what a form of ours or RFC 8058 sends is far shorter."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            break
    return body


def make_pages(site: "App") -> FastAPI:
    """The reader-facing web application of a site."""
    pages = _Pages(site)
    web = FastAPI(title="Paperround", docs_url=None, redoc_url=None, openapi_url=None)

    @web.api_route("/", methods=["GET", "HEAD"])
    def front() -> Response:
        return pages.front()

    @web.api_route("/u/{token}", methods=["GET", "HEAD"])
    def ask(token: str) -> Response:
        return pages.ask(token)

    @web.post("/u/{token}")
    async def act(token: str, request: Request) -> Response:
        source = "page" if b"via=page" in await _beginning(request) else "one-click"
        return await run_in_threadpool(pages.act, token, source)

    @web.exception_handler(404)
    def unknown(request: Request, error: Exception) -> Response:
        return pages.page("unknown", status=404)

    @web.exception_handler(PaperroundError)
    def broken(request: Request, error: PaperroundError) -> Response:
        # The reader can do nothing about it; the operator finds the reason on standard error.
        print(f"paperround: {request.method} {request.url.path.split('/')[1]}: {error}", flush=True)  # noqa: T201
        return pages.page("broken", status=503)

    if site.settings.relay.is_sandbox:
        from newsletter.web.mailboxes import mailbox_routes

        web.include_router(mailbox_routes(site.settings.sandbox_folder, pages.page))
    return web
