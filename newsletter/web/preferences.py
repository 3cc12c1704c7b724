"""A reader's preferences: all that they get from this site and are known by, and a way to change any of it.

Promises: GET changes nothing; what is changed is what the reader has changed, and nothing else: the page's
own form says what it showed, and only a field that comes back otherwise than it was shown is a wish. So a
scanner that posts the form as it stands changes nothing, and neither does an old form to what is newer, nor
one whose end is missing. Nobody is erased by pressing a button unread: a box is to be ticked as well. A token
we did not make gets the same answer whatever is wrong with it.

May surprise: any letter's token shows the reader's other categories too, for it proves that its bearer reads
the reader's mail. A new address is written to first, and becomes theirs by its own confirmation.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Request, Response
from markupsafe import Markup
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool

from newsletter.delivery.copies import TEST_DELIVERY
from newsletter.delivery.reports import reader_of
from newsletter.errors import NotFoundError
from newsletter.models import Category
from newsletter.privacy.dossier import dossier
from newsletter.privacy.erasure import erase_for_good
from newsletter.web.asking import Asking
from newsletter.web.forms import Fields, first, form_of
from newsletter.web.frame import HEADERS, Frame
from newsletter.web.subscribe import address_error, choices_of, frequencies
from newsletter.web.wishes import (
    CAPS,
    NO_CAP,
    RESUME,
    WEEKS,
    Wishes,
    errors_in,
    fulfil,
    read_wishes,
    standing_of,
    typed,
)
from newsletter.web.words import Words
from newsletter.web.zones import zones
from subscribers.address import parse_address
from subscribers.arrivals import Joined
from subscribers.consent import is_erased
from subscribers.models import LIVE, RequestKind, Subscriber, Subscription, SuppressionReason
from subscribers.pauses import pause, resume
from subscribers.subscriptions import Permission, Person, join, leave
from subscribers.tokens import Purpose

if TYPE_CHECKING:
    from newsletter.app import App


_HELD = {"key_share": True}
"""Against change, but not against rows that name the reader: whoever writes them would wait in a circle."""
_WIRE_SECONDS = 20.0
"""How long somebody who erases themselves waits for a letter that is on the wire."""


@dataclass(frozen=True, slots=True)
class _Held:
    """A category that a reader gets, or will again once a pause is over."""

    slug: str
    title: str
    until: date | None


@dataclass(frozen=True, slots=True)
class _Reader:
    """Whom a token stands for, and how that is known."""

    id: int
    evidence: str


class _Preferences:
    """The handlers, around one site. What blocks runs in threads."""

    def __init__(self, site: "App", frame: Frame, asking: Asking) -> None:
        self._site = site
        self._frame = frame
        self._asking = asking

    def show(self, token: str, lang: str) -> Response:
        """The page."""
        if self._site.signer.read(Purpose.PREFERENCES, token) == TEST_DELIVERY:
            return self._frame.page("test", say=self._frame.words(lang))
        reader = self._find(token)
        return self._shown(token, reader, self._frame.words(lang))

    def save(self, token: str, fields: Fields, lang: str) -> Response:
        """Do what has changed on the form."""
        reader, say = self._find(token), self._frame.words(lang)
        choices = choices_of(self._site)
        with self._site.database.write() as session:
            held = [one.slug for one in _held_by(session, reader.id)]
            others = [one.slug for one in choices if one.slug not in held]
            wishes = read_wishes(fields, held, others)
            errors = errors_in(wishes)
            if not errors:
                told = self._do(session, reader, wishes, held, say)
        if errors:
            return self._shown(token, reader, say, errors=errors, wishes=wishes)
        return self._shown(token, reader, say, told=told or [say("preferences.unchanged")])

    async def move(self, token: str, text: str, request: Request, lang: str) -> Response:
        """Ask the new address; the answer is the same, whoever has it."""
        reader, say = await run_in_threadpool(self._find, token), self._frame.words(lang)
        if problem := address_error(text):
            errors = {"new_address": problem}
            return await run_in_threadpool(self._shown, token, reader, say, errors=errors, new_address=text)
        if seconds := self._asking.wait(request):
            return self._asking.busy(say, seconds)
        address = parse_address(text)
        await self._asking.write(
            say.plain("preferences.move_hint"),
            kind=RequestKind.ADDRESS,
            address=address,
            place=f"{self._frame.site.base_url}/preferences",
            language=say.tag,
            subscriber_id=reader.id,
        )
        told = [say("preferences.asked", address=address.given)]
        return await run_in_threadpool(self._shown, token, reader, say, told=told)

    def data(self, token: str) -> Response:
        """All that is kept of them, to be read by machines and, with some patience, by people."""
        reader = self._find(token)
        with self._site.database.read() as session:
            data = dossier(session, session.get_one(Subscriber, reader.id), self._site.suppressions)
        written = json.dumps(data, ensure_ascii=False, indent=2, default=_written)
        attached = {"Content-Disposition": 'attachment; filename="my-data.json"'}
        return Response(written, media_type="application/json", headers=HEADERS | attached)

    def ask_erasure(self, token: str, lang: str, *, is_unsure: bool = False) -> Response:
        """The page with the button that erases them."""
        subscriber_id = self._find_to_erase(token)
        return self._frame.page(
            "erase",
            status=422 if is_unsure else 200,
            say=self._frame.words(lang),
            is_unsure=is_unsure,
            preferences=self._path("/preferences/", Purpose.READER, subscriber_id),
        )

    def erase(self, token: str, fields: Fields, lang: str) -> Response:
        """Erase them, if they say that they mean it."""
        if first(fields, "sure") != "yes":
            return self.ask_erasure(token, lang, is_unsure=True)
        subscriber_id, site = self._find_to_erase(token), self._site
        try:
            erased = erase_for_good(
                site.database,
                subscriber_id,
                site.suppressions,
                source="page",
                clock=site.clock,
                seconds=_WIRE_SECONDS,
            )
        except NotFoundError as error:  # by another click, at this very moment
            raise HTTPException(404) from error
        return self._frame.page(
            "erased", say=self._frame.words(lang), is_on_the_wire=bool(erased.on_the_wire)
        )

    def _shown(
        self,
        token: str,
        reader: _Reader,
        say: Words,
        *,
        told: Sequence[Markup] = (),
        errors: dict[str, str] | None = None,
        wishes: Wishes | None = None,
        new_address: str = "",
    ) -> Response:
        with self._site.database.read() as session:
            row = session.get_one(Subscriber, reader.id)
            held = _held_by(session, reader.id)
        stands = standing_of(row)
        slugs = [one.slug for one in held]
        return self._frame.page(
            "preferences",
            status=422 if errors else 200,
            say=say,
            told=told,
            errors=errors or {},
            held=held,
            others=[one for one in choices_of(self._site) if one.slug not in slugs],
            stands=stands,
            typed=typed(stands, wishes),
            leaving=wishes.leave if wishes else (),
            joining=wishes.join if wishes else (),
            new_address=new_address,
            frequencies=frequencies(say),
            caps=_caps(say, stands.cap),
            pauses=_pauses(say, held),
            zones=zones(),
            wording=self._frame.consent(say, "preferences.join_wording"),
            paths={
                "data": f"{self._frame.site.base_url}/preferences/{token}/data",
                "erase": self._path("/erase/", Purpose.ERASE, reader.id),
            },
        )

    def _path(self, place: str, purpose: Purpose, number: int) -> str:
        return f"{self._frame.site.base_url}{place}{self._site.signer.sign(purpose, number)}"

    def _do(
        self, session: Session, reader: _Reader, wishes: Wishes, held: Sequence[str], say: Words
    ) -> list[Markup]:
        """Change what is wished otherwise; returns what there is to tell of it."""
        site, told = self._site, list[Markup]()
        now, letters = site.clock(), site.letters
        # Held first, as joining and erasing do: who is erased at this very moment is not joined again.
        row = session.get_one(Subscriber, reader.id, with_for_update=_HELD, populate_existing=True)
        if is_erased(row):
            raise HTTPException(404)
        titles = dict(session.exec(select(Category.slug, Category.title)).all())
        permission = self._permission(reader)
        left = leave(session, reader.id, wishes.leave, permission, letters, now=now)
        if left:
            told.append(say("preferences.left", titles=say.names(titles[slug] for slug in left)))
        if wishes.join:
            text = self._frame.consent_text(say, "preferences.join_wording")
            joining = self._permission(reader, self._site.doors.keep_wording(session, text))
            person = Person(parse_address(row.address))
            # Who asks for letters that came back may have them tried again; any other order stands.
            site.suppressions.lift(session, person.address, [SuppressionReason.BOUNCED], now=now)
            answers = {
                join(session, person, slug, joining, site.suppressions, renew=True, now=now)
                for slug in wishes.join
            }
            if Joined.SUPPRESSED in answers:
                told.append(say("preferences.suppressed"))
            else:
                told.append(say("preferences.joined", titles=say.names(titles[slug] for slug in wishes.join)))
        if fulfil(row, wishes):
            session.add(row)
            told.append(say("preferences.saved"))
        remaining = [slug for slug in held if slug not in left] + list(wishes.join)
        if wishes.pause == RESUME:
            if resume(session, reader.id, remaining):
                told.append(say("preferences.resumed"))
        elif wishes.pause:
            until = now.date() + timedelta(weeks=int(wishes.pause))
            if pause(session, reader.id, remaining, letters, until=until):
                told.append(say("preferences.paused", day=until))
        return told

    @staticmethod
    def _permission(reader: _Reader, wording: str | None = None) -> Permission:
        details = json.dumps({"wording": wording}) if wording else None
        return Permission("preferences", reader.evidence, confirmed=True, details=details)

    def _find(self, token: str) -> _Reader:
        """The reader of a letter's token, or of one that was made for themselves."""
        delivery_id = self._site.signer.read(Purpose.PREFERENCES, token)
        subscriber_id = self._site.signer.read(Purpose.READER, token)
        with self._site.database.read() as session:
            if delivery_id is not None and (found := reader_of(session, delivery_id)):
                reader = _Reader(found[0], f"delivery {delivery_id}")
            elif subscriber_id is not None:
                reader = _Reader(subscriber_id, f"reader {subscriber_id}")
            else:
                raise HTTPException(404)
            self._check_known(session, reader.id)
        return reader

    def _find_to_erase(self, token: str) -> int:
        subscriber_id = self._site.signer.read(Purpose.ERASE, token)
        if subscriber_id is None:
            raise HTTPException(404)
        with self._site.database.read() as session:
            self._check_known(session, subscriber_id)
        return subscriber_id

    @staticmethod
    def _check_known(session: Session, subscriber_id: int) -> None:
        """Nobody has a page once they are erased."""
        row = session.get(Subscriber, subscriber_id)
        if row is None or is_erased(row):
            raise HTTPException(404)


def _held_by(session: Session, subscriber_id: int) -> list[_Held]:
    """What a reader gets, by title; also of a category that goes out no more."""
    found = session.exec(
        select(Subscription, Category.title)
        .join(Category, col(Category.slug) == col(Subscription.category))
        .where(
            Subscription.subscriber_id == subscriber_id,
            col(Subscription.state).in_(LIVE),
        )
        .order_by(col(Category.title), col(Category.slug))
    )
    return [_Held(one.category, title, one.paused_until) for one, title in found]


def _caps(say: Words, current: str) -> list[tuple[str, str]]:
    numbers = sorted({*CAPS, *([current] if current not in ("", NO_CAP) else [])}, key=int)
    usual, no_cap = ("", say.plain("frequency.usual")), (NO_CAP, say.plain("preferences.cap_none"))
    return [usual, *((one, one) for one in numbers), no_cap]


def _pauses(say: Words, held: Sequence[_Held]) -> list[tuple[str, str]]:
    ends = [one.until for one in held if one.until]
    weeks = [(one, say.weeks(int(one))) for one in WEEKS]
    if not ends:
        return [("", say.plain("preferences.no_pause")), *weeks]
    now = ("", say.plain("preferences.until", day=max(ends)))
    return [now, (RESUME, say.plain("preferences.resume")), *weeks]


def _written(value: object) -> str:
    assert isinstance(value, date)  # noqa: S101  # instants are dates, too
    return value.isoformat()


def preference_routes(site: "App", frame: Frame, asking: Asking) -> APIRouter:
    """The routes below /preferences and /erase."""
    preferences = _Preferences(site, frame, asking)
    routes = APIRouter()
    reading = ["GET", "HEAD"]

    @routes.api_route("/preferences/{token}", methods=reading)
    def show(token: str, lang: str = "") -> Response:
        return preferences.show(token, lang)

    @routes.post("/preferences/{token}")
    async def save(token: str, request: Request, lang: str = "") -> Response:
        fields = await form_of(request)
        if "new_address" in fields:
            return await preferences.move(token, first(fields, "new_address"), request, lang)
        return await run_in_threadpool(preferences.save, token, fields, lang)

    @routes.api_route("/preferences/{token}/data", methods=reading)
    def data(token: str) -> Response:
        return preferences.data(token)

    @routes.api_route("/erase/{token}", methods=reading)
    def ask_erasure(token: str, lang: str = "") -> Response:
        return preferences.ask_erasure(token, lang)

    @routes.post("/erase/{token}")
    async def erase(token: str, request: Request, lang: str = "") -> Response:
        return await run_in_threadpool(preferences.erase, token, await form_of(request), lang)

    return routes
