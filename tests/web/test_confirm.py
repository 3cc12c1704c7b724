"""The page that confirms: over real HTTP on both databases."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any

import httpx
import pytest
from sqlmodel import select

from newsletter.app import App
from newsletter.models import Category
from subscribers.address import parse_address
from subscribers.consent import verify
from subscribers.models import Frequency, Request, RequestKind, Wording
from subscribers.requests import Asked, Door
from subscribers.subscriptions import all_subscribers, consents_of, find_subscriber
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import Clock, subscribe
from tests.node_tools import axe_violations
from tests.web.conftest import browser, everything_of, on_sqlite

ANN = "ann@example.org"
PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


@pytest.fixture
def web(doors: App) -> Iterator[httpx.Client]:
    """A browser without cookies that follows no redirect."""
    with browser(doors) as client:
        yield client


def asked(site: App, kind: RequestKind = RequestKind.JOIN, address: str = ANN, **more: Any) -> str:
    """Somebody asks for something; returns the path that confirms it."""
    given = {"categories": ("advice", "tales"), "door": Door.PAGE, "place": "here", "language": "en"} | more
    with site.database.write() as session:
        wording = site.doors.keep_wording(session, "I ask for it.")
        wanted = Asked(kind=kind, address=parse_address(address), wording=wording, **given)
        number = site.doors.ask(session, wanted).id
    return f"/confirm/{site.signer.sign(Purpose.CONFIRM, number)}"


def states(site: App) -> dict[str, dict[str, str]]:
    with site.database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


def words_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", "", html)).split())


def test_looking_changes_nothing(web: httpx.Client, doors: App) -> None:
    """Check 31: a link scanner may GET and HEAD a confirmation as often as it likes."""
    path = asked(doors)
    before = everything_of(doors)
    for method in ("GET", "HEAD", "GET", "OPTIONS", "PUT", "DELETE", "PATCH"):
        web.request(method, path)
    assert everything_of(doors) == before


def test_the_page_says_exactly_what_it_confirms(web: httpx.Client, doors: App) -> None:
    """The address, each category, how often, the words that one agrees to, and one button without a field."""
    page = web.get(asked(doors, frequency=Frequency.WEEKLY)).text
    for words in (
        ANN,
        "Good advice",
        "Tales & <more>",
        "One email a week",
        "I ask Test letters (1 Main Street",
    ):
        assert words in words_of(page)
    assert re.findall("<form[^>]*>", page) == ['<form method="post">']
    assert (page.count("<button"), page.count("<input"), page.count("<script")) == (1, 0, 0)


def test_the_button_confirms_and_the_record_says_how(web: httpx.Client, doors: App) -> None:
    """The subscriptions are there with the wishes, and the evidence names the door and the words shown."""
    path = asked(doors, name="Ann Lee", timezone="Asia/Tokyo", frequency=Frequency.WEEKLY)
    shown = words_of(web.get(path).text)
    answer = web.post(path)
    assert answer.status_code == 200
    assert "You are subscribed to Good advice and Tales & <more>" in words_of(answer.text)
    assert "Tuesday, 6 January 2026" in answer.text
    assert states(doors) == {ANN: {"advice": "active", "tales": "active"}}
    with doors.database.read() as session:
        ann = find_subscriber(session, parse_address(ANN))
        assert ann
        assert (ann.name, ann.timezone, ann.frequency) == ("Ann Lee", "Asia/Tokyo", "weekly")
        for record in consents_of(session, ann.id):
            details = json.loads(record.details or "")
            assert (record.action, record.source, details["confirmed_by"]) == ("granted", "page", "page")
            assert session.get_one(Wording, details["wording"]).text == "I ask for it."
            assert session.get_one(Wording, details["confirmed_wording"]).text in shown
        assert verify(session).flaws == ()


def test_once_more_is_success(web: httpx.Client, doors: App) -> None:
    """Check 33: a repeated POST, and a look afterwards, are answered as the first was; nothing is written."""
    path = asked(doors)
    first = web.post(path)
    before = everything_of(doors)
    folded = path.upper().replace("/CONFIRM/", "/confirm/")
    for again in (web.post(path), web.post(path, data={"any": "thing"}), web.get(path), web.post(folded)):
        assert (again.status_code, again.text) == (200, first.text)
    assert everything_of(doors) == before


def test_all_at_once_is_once(web: httpx.Client, doors: App) -> None:
    """Simultaneous confirmations of two requests by one person all succeed, with one record a category."""
    paths = [asked(doors), asked(doors)] * 6
    with ThreadPoolExecutor(6) as crowd:
        answers = list(crowd.map(web.post, paths))
    assert {answer.status_code for answer in answers} == {200}
    assert states(doors) == {ANN: {"advice": "active", "tales": "active"}}
    with doors.database.read() as session:
        assert verify(session).records == 2
        assert verify(session).flaws == ()


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(web: httpx.Client, doors: App) -> None:
    """Check 33: forged, damaged, foreign, for another purpose: one 404 page and no change."""
    token, signer = asked(doors).removeprefix("/confirm/"), doors.signer
    number = signer.read(Purpose.CONFIRM, token)
    assert number is not None
    wrong = [
        "a",
        "a" * 36,
        token[:-1],
        token + "a",
        ("b" if token[0] == "a" else "a") + token[1:],
        *(signer.sign(purpose, number) for purpose in Purpose if purpose is not Purpose.CONFIRM),
        TokenSigner(b"another key").sign(Purpose.CONFIRM, number),
        "%00" * 36,
        "%C3%A9" * 36,
        "a" * 10_000,
    ]
    before = everything_of(doors)
    answers = [web.get("/confirm/" + text) for text in wrong] + [
        web.post("/confirm/" + text) for text in wrong
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.content for answer in answers} == {web.get("/nothing/like/that").content}
    assert len({frozenset({**answer.headers, "date": ""}.items()) for answer in answers}) == 1
    assert everything_of(doors) == before


def test_a_request_that_is_forgotten_is_told_kindly(web: httpx.Client, doors: App, clock: Clock) -> None:
    """Expired, purged, refused: one page that leads to the form, by GET and POST, and no change."""
    late, refused = asked(doors), asked(doors)
    gone = f"/confirm/{doors.signer.sign(Purpose.CONFIRM, 12345)}"
    with doors.database.write() as session:
        number = doors.signer.read(Purpose.CONFIRM, refused.removeprefix("/confirm/"))
        row = session.get_one(Request, number)
        row.state = "refused"
        session.add(row)
    assert web.get(late).status_code == 200
    clock.now += timedelta(days=doors.settings.doors.confirm_days)
    before = everything_of(doors)
    answers = [do(path) for path in (late, refused, gone) for do in (web.get, web.post)]
    assert {answer.status_code for answer in answers} == {410}
    assert {answer.text for answer in answers} == {answers[0].text}
    assert 'href="https://news.example.org/subscribe"' in answers[0].text
    assert everything_of(doors) == before


@on_sqlite
def test_token_pages_are_private(web: httpx.Client, doors: App) -> None:
    """Check 35: no-store, no-referrer, noindex, no frame, no script, no cookie."""
    path = asked(doors)
    for answer in (
        web.get(path),
        web.head(path),
        web.post(path),
        web.get(path),
        web.get("/confirm/nonsense"),
    ):
        assert PRIVATE.items() <= dict(answer.headers).items()
        assert answer.headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers


@on_sqlite
def test_a_category_that_has_ended_meanwhile_is_left_out(web: httpx.Client, doors: App) -> None:
    """What is still there is joined; where nothing is, the page says so."""
    both, one = asked(doors), asked(doors, address="bo@example.org", categories=("tales",))
    with doors.database.write() as session:
        tales = session.exec(select(Category).where(Category.slug == "tales")).one()
        tales.ended_at = doors.clock()
        session.add(tales)
    assert "Tales" not in web.get(both).text
    assert "Tales" not in web.post(both).text
    assert "no longer written" in web.post(one).text
    assert states(doors) == {ANN: {"advice": "active"}}


def test_what_was_asked_by_mail_is_confirmed_here_too(web: httpx.Client, doors: App) -> None:
    """Each kind of request has its own sentence before and after, and does what it says."""
    subscribe(doors, ANN)
    subscribe(doors, ANN, category="tales")
    kinds: list[tuple[RequestKind, dict[str, Any], str, str]] = [
        (RequestKind.FREQUENCY, {"frequency": Frequency.MONTHLY}, "One email a month", "One email a month"),
        (RequestKind.PAUSE, {"weeks": 4, "categories": ()}, "for 4 weeks", "You get no letters of all"),
        (RequestKind.PAUSE, {"weeks": 1, "categories": ()}, "for 1 week.", "for 1 week. Then"),
        (RequestKind.RESUME, {"categories": ("tales",)}, "again", "You get the letters of Tales"),
        (
            RequestKind.LEAVE,
            {"categories": ("tales",)},
            "no more letters of Tales",
            "no more letters of Tales",
        ),
        (RequestKind.STOP, {"categories": ()}, "no more letters from us", "no more letters from us"),
    ]
    for kind, more, before, after in kinds:
        path = asked(doors, kind, door=Door.EMAIL, **more)
        assert before in words_of(web.get(path).text)
        assert after in words_of(web.post(path).text)
    assert states(doors) == {ANN: {"advice": "left", "tales": "left"}}


def test_a_new_address_is_confirmed_here(web: httpx.Client, doors: App) -> None:
    """Then letters go there; an address that has subscriptions of its own is not taken from anybody."""
    subscribe(doors, ANN)
    subscribe(doors, "bo@example.org")
    with doors.database.read() as session:
        ann = find_subscriber(session, parse_address(ANN))
        assert ann
    taken, free = (
        asked(doors, RequestKind.ADDRESS, to, categories=(), subscriber_id=ann.id)
        for to in ("bo@example.org", "new@example.org")
    )
    assert "subscriptions of its own" in words_of(web.post(taken).text)
    assert "go to new@example.org from now on" in words_of(web.get(free).text)
    assert "we write to new@example.org" in words_of(web.post(free).text)
    assert states(doors) == {"new@example.org": {"advice": "active"}, "bo@example.org": {"advice": "active"}}


@on_sqlite
def test_it_speaks_the_language_it_was_asked_in(web: httpx.Client, doors: App) -> None:
    """That of the request, or another that its address names."""
    path = asked(doors, language="de")
    assert '<html lang="de"' in web.get(path).text
    assert "Montag, 5. Januar 2026" in web.get(path).text
    assert '<html lang="en"' in web.get(path + "?lang=en").text
    assert "Willkommen" in web.post(path).text


@on_sqlite
def test_it_can_be_used_by_anybody(web: httpx.Client, doors: App) -> None:
    """Axe finds nothing wrong with the pages."""
    path = asked(doors, frequency=Frequency.WEEKLY)
    pages = {"ask": web.get(path).text, "done": web.post(path).text}
    pages["late"] = web.get(f"/confirm/{doors.signer.sign(Purpose.CONFIRM, 1)}").text
    assert axe_violations(pages) == []
