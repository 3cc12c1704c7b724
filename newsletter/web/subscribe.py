"""The form by which somebody asks for letters, on this site's page or from any other.

A POST writes one request down, which changes nothing (see `subscribers.requests`), and is answered in the
same words, after the same work, whoever has the address: nobody learns from it who reads what. It needs
neither script nor cookie. Where it is not plain that a person pressed the button (the form came from another
site, or within two seconds, or after a day, or with the field filled in that nobody sees), what was typed is
shown once more with its button: a person loses a moment, and nothing they typed.

May surprise: what lacks an address or a category is shown again with 422, and writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from newsletter.errors import CadenceError
from newsletter.feedback.doors import titles_of
from newsletter.schedule.cadence import parse_zone
from newsletter.schedule.categories import streams_of
from newsletter.web.asking import Asking
from newsletter.web.forms import Fields, first, form_of
from newsletter.web.frame import Frame
from newsletter.web.guard import is_of_a_person
from newsletter.web.words import Words
from newsletter.web.zones import zones
from subscribers.address import AddressError, parse_address
from subscribers.models import Frequency, RequestKind
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App

NAME_LENGTH = 200
_LONGEST_ZONE = 64
_FRESH = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """A category that one may subscribe to, and when its next letter comes."""

    slug: str
    title: str
    next: date | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """A form as it was filled in: kept as typed, so that it can be shown again."""

    email: str = ""
    name: str = ""
    categories: tuple[str, ...] = ()
    frequency: str = ""
    zone: str = ""


def read_given(fields: Fields, known: Sequence[str]) -> Given:
    """What a form says. Categories that there are no more, or never were, are passed over."""
    wanted = fields.get("category", [])
    return Given(
        email=first(fields, "email"),
        name=first(fields, "name"),
        categories=tuple(slug for slug in known if slug in wanted),
        frequency=first(fields, "frequency"),
        zone=first(fields, "zone"),
    )


def errors_in(given: Given) -> dict[str, str]:
    """What is wrong with a form: the field, and the key of the words for it."""
    errors = {}
    if problem := address_error(given.email):
        errors["email"] = problem
    if not given.categories:
        errors["categories"] = "categories"
    return errors | errors_in_wishes(given.name, given.frequency, given.zone)


def errors_in_wishes(name: str, frequency: str, zone: str) -> dict[str, str]:
    """The same for what forms have in common besides an address."""
    errors = {}
    if len(name) > NAME_LENGTH:
        errors["name"] = "name"
    if frequency and frequency not in list(Frequency):
        errors["frequency"] = "choice"
    if zone and not is_zone(zone):
        errors["zone"] = "choice"
    return errors


def address_error(text: str) -> str | None:
    """What is wrong with an address, as a key of the words for it."""
    try:
        parse_address(text)
    except AddressError:
        return "email_wrong" if text else "email_missing"
    return None


def is_zone(name: str) -> bool:
    """Whether there is a zone of this name."""
    if len(name) > _LONGEST_ZONE:
        return False
    try:
        parse_zone(name)
    except CadenceError:
        return False
    return True


class _Stamps:
    """Signs when a form was shown, so that how long it took can be told without a cookie."""

    def __init__(self, site: "App") -> None:
        self._signer = site.signer
        self._clock = site.clock

    def make(self) -> str:
        """For a form that is shown now."""
        return self._signer.sign(Purpose.FORM, int(self._clock().timestamp()))

    def age(self, stamp: str) -> float | None:
        """Seconds since a form was shown, None where that was none of ours."""
        shown = self._signer.read(Purpose.FORM, stamp)
        return None if shown is None else (self._clock() - datetime.fromtimestamp(shown, UTC)).total_seconds()


class _Subscribing:
    """The handlers, around one site. What blocks runs in threads."""

    def __init__(self, site: "App", frame: Frame, asking: Asking) -> None:
        self._site = site
        self._frame = frame
        self._asking = asking
        self._stamps = _Stamps(site)
        self._known: dict[str, str] = {}
        self._read_at = datetime.min.replace(tzinfo=UTC)

    def show(self, category: str, lang: str) -> Response:
        """The empty form; a category in its address is ticked."""
        given = Given(categories=(category,))
        shown = self._form(self._frame.words(lang), given)
        del shown.headers["X-Robots-Tag"]
        return shown

    def embed(self, lang: str) -> Response:
        """The form as plain HTML, to be copied."""
        say = self._frame.words(lang)
        snippet = self._frame.fill("embed-form", say, categories=choices_of(self._site))
        return self._frame.page("embed", say=say, snippet=snippet)

    async def ask(self, fields: Fields, request: Request) -> Response:
        """Write the request down, or show the form again."""
        say = self._frame.words(first(fields, "lang"))
        titles = await self._titles()
        given = read_given(fields, list(titles))
        errors = errors_in(given)
        if errors or "change" in fields:
            return await run_in_threadpool(self._form, say, given, errors)
        if first(fields, "remarks") or not is_of_a_person(self._stamps.age(first(fields, "stamp"))):
            return self._again(say, given, [titles[slug] for slug in given.categories])
        if seconds := self._asking.wait(request):
            return self._asking.busy(say, seconds, given.categories)
        await self._asking.write(
            self._frame.consent_text(say),
            kind=RequestKind.JOIN,
            address=parse_address(given.email),
            place=f"{self._frame.site.base_url}/subscribe",
            language=say.tag,
            categories=given.categories,
            name=given.name or None,
            timezone=given.zone or None,
            frequency=Frequency(given.frequency) if given.frequency else None,
        )
        return self._frame.page("asked", say=say, email=given.email)

    def _again(self, say: Words, given: Given, titles: Sequence[str]) -> Response:
        return self._frame.page(
            "again",
            say=say,
            given=given,
            titles=titles,
            stamp=self._stamps.make(),
            wording=self._frame.consent(say),
        )

    async def _titles(self) -> dict[str, str]:
        """The categories that one may ask for, as they were a second ago or later.

        Confirming looks again, so that one which has ended since is joined by nobody.
        """
        now = self._site.clock()
        if not timedelta() <= now - self._read_at < _FRESH:  # a clock may be set back
            self._read_at, self._known = now, await run_in_threadpool(self._read_titles)
        return self._known

    def _read_titles(self) -> dict[str, str]:
        with self._site.database.read() as session:
            return titles_of(session)

    def _form(self, say: Words, given: Given, errors: dict[str, str] | None = None) -> Response:
        choices = choices_of(self._site)
        slugs = [choice.slug for choice in choices]
        ticked = [slug for slug in slugs if slug in given.categories]
        return self._frame.page(
            "subscribe",
            status=422 if errors else 200,
            say=say,
            given=given,
            errors=errors or {},
            categories=choices,
            frequencies=frequencies(say),
            zones=zones(),
            stamp=self._stamps.make(),
            wording=self._frame.consent(say),
            by_mail=self._asking.by_mail(ticked or slugs),
        )


def choices_of(site: "App") -> list[Choice]:
    """The categories that one may subscribe to, by slug."""
    now = site.clock()
    with site.database.read() as session:
        streams = streams_of(session)
    return [Choice(stream.category.slug, stream.category.title, stream.next_day(now)) for stream in streams]


def frequencies(say: Words) -> list[tuple[str, str]]:
    """How often one may be written to, for a choice; first, as the site does."""
    return [("", say.plain("frequency.usual"))] + [
        (each.value, say.plain(f"frequency.{each}")) for each in Frequency
    ]


def subscribe_routes(site: "App", frame: Frame, asking: Asking) -> APIRouter:
    """The routes below /subscribe."""
    subscribing = _Subscribing(site, frame, asking)
    routes = APIRouter(prefix="/subscribe")
    reading = ["GET", "HEAD"]

    @routes.api_route("", methods=reading)
    def show(category: str = "", lang: str = "") -> Response:
        return subscribing.show(category, lang)

    @routes.api_route("/embed", methods=reading)
    def embed(lang: str = "") -> Response:
        return subscribing.embed(lang)

    @routes.post("")
    async def ask(request: Request) -> Response:
        return await subscribing.ask(await form_of(request), request)

    return routes
