"""A reader's preferences: all that they get from this site, and a way out of any of it.

Promises: GET changes nothing; a category is left only when the page's own form, which says what it showed,
comes back without its tick. So a scanner that posts the form as it stands changes nothing, and neither does
an old form to what was subscribed to since, nor one whose end is missing. A token we did not make gets the
same answer whatever is wrong with it. May surprise: any letter's token shows the reader's other categories
too, for it proves that its bearer reads the reader's mail.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import HTMLResponse
from sqlmodel import col, select
from starlette.concurrency import run_in_threadpool

from newsletter.delivery.copies import TEST_DELIVERY
from newsletter.delivery.reports import reader_of
from newsletter.models import Category
from newsletter.web.forms import BODY_OCTETS, beginning
from subscribers.models import Subscription, SubscriptionState
from subscribers.subscriptions import Permission, leave
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whom a token stands for: the delivery it came in, the subscriber, and the categories they get."""

    delivery_id: int
    subscriber_id: int
    titles: dict[str, str]


class _Preferences:
    """The handlers, around one site."""

    def __init__(self, site: "App", page: Callable[..., HTMLResponse]) -> None:
        self._site = site
        self._page = page

    def show(self, token: str) -> Response:
        """The page."""
        if self._site.signer.read(Purpose.PREFERENCES, token) == TEST_DELIVERY:
            return self._page("test")
        return self._page("preferences", titles=self._find(token).titles, left=None)

    def save(self, token: str, body: bytes) -> Response:
        """Leave what the form came back without."""
        reader = self._find(token)
        fields = parse_qs(body.decode("utf-8", "replace"))
        unticked = set(fields.get("shown", [])) - set(fields.get("keep", []))
        unwanted = [slug for slug in reader.titles if slug in unticked]
        permission = Permission("preferences", evidence=f"delivery {reader.delivery_id}")
        with self._site.database.write() as session:
            left = leave(
                session,
                reader.subscriber_id,
                unwanted,
                permission,
                self._site.letters,
                now=self._site.clock(),
            )
        kept = {slug: title for slug, title in reader.titles.items() if slug not in unwanted}
        return self._page("preferences", titles=kept, left=[reader.titles[slug] for slug in left])

    def _find(self, token: str) -> _Reader:
        number = self._site.signer.read(Purpose.PREFERENCES, token)
        with self._site.database.read() as session:
            found = reader_of(session, number) if number is not None else None
            if number is None or found is None:
                raise HTTPException(404)
            subscriptions = session.exec(
                select(Subscription.category, Category.title)
                .join(Category, col(Category.slug) == col(Subscription.category))
                .where(
                    Subscription.subscriber_id == found[0],
                    col(Subscription.state).in_([SubscriptionState.ACTIVE, SubscriptionState.PAUSED]),
                )
                .order_by(col(Category.title), col(Category.slug))
            )
            return _Reader(number, found[0], dict(iter(subscriptions)))


def preference_routes(site: "App", page: Callable[..., HTMLResponse]) -> APIRouter:
    """The routes below /preferences; `page` renders a template of templates/web."""
    preferences = _Preferences(site, page)
    routes = APIRouter(prefix="/preferences")

    @routes.api_route("/{token}", methods=["GET", "HEAD"])
    def show(token: str) -> Response:
        return preferences.show(token)

    @routes.post("/{token}")
    async def save(token: str, request: Request) -> Response:
        body = await beginning(request)
        if len(body) > BODY_OCTETS:
            raise HTTPException(413)
        return await run_in_threadpool(preferences.save, token, body)

    return routes
