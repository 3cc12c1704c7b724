"""The page that a confirmation leads to: what was asked for, and the button that makes it so.

GET and HEAD change nothing, for link scanners follow links; POST confirms, and is harmless if repeated. A
token that we did not make gets the page of addresses that are none, whatever is wrong with it; one that we
made, of a request that has expired since, is told so kindly. What was asked by email is confirmed here, too.
"""

from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response
from markupsafe import Markup
from sqlmodel import Session

from newsletter.feedback.doors import titles_of
from newsletter.web.frame import Frame
from newsletter.web.subscribe import choices_of
from newsletter.web.words import Words
from subscribers.address import parse_address
from subscribers.models import Request, RequestKind, RequestState
from subscribers.requests import Answer, Door, categories_of, find_request
from subscribers.subscriptions import find_subscriber
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App

_EVIDENCE = "the button on the page"
_GONE = 410
"""The status of what was here once (RFC 9110 §15.5.11)."""


class _Confirming:
    """The handlers, around one site. They block, and so run in threads."""

    def __init__(self, site: "App", frame: Frame) -> None:
        self._site = site
        self._frame = frame

    def show(self, token: str, lang: str) -> Response:
        """What is to be confirmed, with the button; or what became of it."""
        number = self._read(token)
        with self._site.database.read() as session:
            request = find_request(session, number)
            titles = _titles(session, request) if request else {}
            preferences = self._preferences(session, request)
        if request is None or not self._is_open(request):
            return self._expired(self._frame.words(lang, request.language if request else None))
        say = self._frame.words(lang, request.language)
        has_nothing_left = request.kind == RequestKind.JOIN and not titles
        if request.state == RequestState.CONFIRMED or has_nothing_left:
            return self._confirmed(say, request, titles, preferences)
        return self._frame.page(
            "confirm",
            say=say,
            is_join=request.kind == RequestKind.JOIN,
            asked=_sentence(say, "confirm", request, titles),
            titles=list(titles.values()),
            frequency=request.frequency,
            wording=self._frame.consent(say),
        )

    def act(self, token: str, lang: str) -> Response:
        """Confirm it."""
        number = self._read(token)
        doors = self._site.doors
        with self._site.database.write() as session:
            request = find_request(session, number)
            say = self._frame.words(lang, request.language if request else None)
            if request is None or not self._is_open(request):
                return self._expired(say)
            shown = doors.keep_wording(session, self._frame.consent_text(say))
            done = doors.confirm(session, number, by=Door.PAGE, evidence=_EVIDENCE, shown=shown)
            titles = _titles(session, request)
            preferences = self._preferences(session, request)
        doors.remember(shown)
        if done is None or done.answer in (Answer.EXPIRED, Answer.REFUSED):
            return self._expired(say)
        is_taken = done.answer == Answer.TAKEN
        return self._confirmed(say, done.request, titles, preferences, is_taken=is_taken)

    def _preferences(self, session: Session, request: Request | None) -> str | None:
        """Where whoever has the address sees all that comes to it, None if nobody here has it."""
        reader = find_subscriber(session, parse_address(request.address)) if request else None
        return self._site.writer.preferences_url(reader.id) if reader else None

    def _read(self, token: str) -> int:
        number = self._site.signer.read(Purpose.CONFIRM, token)
        if number is None:
            raise HTTPException(404)
        return number

    def _is_open(self, request: Request) -> bool:
        if request.state == RequestState.CONFIRMED:
            return True
        return request.state != RequestState.REFUSED and request.expires_at > self._site.clock()

    def _expired(self, say: Words) -> Response:
        return self._frame.page("expired", status=_GONE, say=say)

    def _confirmed(
        self,
        say: Words,
        request: Request,
        titles: dict[str, str],
        preferences_url: str | None,
        *,
        is_taken: bool = False,
    ) -> Response:
        is_join = request.kind == RequestKind.JOIN and bool(titles)
        choices = choices_of(self._site) if is_join else []
        return self._frame.page(
            "confirmed",
            say=say,
            is_join=is_join,
            is_taken=is_taken,
            done=say("confirmed.taken", address=request.address)
            if is_taken
            else _sentence(say, "confirmed", request, titles),
            preferences_url=None if is_taken else preferences_url,
            coming=[(one.title, one.next) for one in choices if one.slug in titles and one.next],
        )


def _titles(session: Session, request: Request) -> dict[str, str]:
    """The categories a request names, those that there still are, with their titles."""
    named = categories_of(request)
    return {slug: title for slug, title in titles_of(session).items() if slug in named}


def _sentence(say: Words, form: str, request: Request, titles: dict[str, str]) -> Markup:
    """What was asked for (`confirm`) or is done (`confirmed`)."""
    if request.kind == RequestKind.JOIN and not titles:
        return say("confirmed.none")
    return say(
        f"{form}.{request.kind}",
        day=request.asked_at.date(),
        address=request.address,
        titles=say.names(titles.values()) if titles else say("confirm.all"),
        frequency=say(f"frequency.{request.frequency or 'usual'}"),
        weeks=say.weeks(request.weeks or 1),
    )


def confirm_routes(site: "App", frame: Frame) -> APIRouter:
    """The routes below /confirm."""
    confirming = _Confirming(site, frame)
    routes = APIRouter(prefix="/confirm")

    @routes.api_route("/{token}", methods=["GET", "HEAD"])
    def show(token: str, lang: str = "") -> Response:
        return confirming.show(token, lang)

    @routes.post("/{token}")
    def act(token: str, lang: str = "") -> Response:
        return confirming.act(token, lang)

    return routes
