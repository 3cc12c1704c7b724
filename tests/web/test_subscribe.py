"""The form that asks for letters: over real HTTP on both databases."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from html import unescape
from html.parser import HTMLParser
from typing import Any
from unittest.mock import Mock

import httpx
import pytest
from sqlalchemy import event
from sqlmodel import select

from newsletter.app import App
from newsletter.errors import DatabaseError
from newsletter.settings import DoorsSection
from newsletter.web.forms import BODY_OCTETS
from subscribers.address import parse_address
from subscribers.models import Request, SuppressionReason, Wording
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import Clock, subscribe
from tests.node_tools import axe_violations
from tests.orders import suppress
from tests.web.conftest import browser, everything_of, on_sqlite

ANN = "ann@example.org"


class Form(HTMLParser):
    """The fields of a page as a browser posts them if nobody touches the form."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what it posts."""
        given = {name: value or "" for name, value in attrs}
        if tag == "select":
            self._select = given["name"]
            self.fields[self._select] = [""]
        elif tag == "option" and "selected" in given and self._select:
            self.fields[self._select] = [given["value"]]
        elif tag == "input" and (given["type"] != "checkbox" or "checked" in given):
            self.fields.setdefault(given["name"], []).append(given.get("value", ""))

    def filled(self, **values: str | list[str]) -> dict[str, Any]:
        """The same with some fields filled in."""
        return self.fields | values


@pytest.fixture
def web(doors: App) -> Iterator[httpx.Client]:
    """A browser without cookies that follows no redirect."""
    with browser(doors) as client:
        yield client


def change_doors(site: App, **changes: object) -> None:
    """Other settings of [doors]."""
    section = DoorsSection.model_validate(site.settings.doors.model_dump() | changes)
    site.settings = site.settings.model_copy(update={"doors": section})


def requests(site: App) -> list[Request]:
    with site.database.read() as session:
        return list(session.exec(select(Request)))


def fill(web: httpx.Client, clock: Clock, **values: str | list[str]) -> httpx.Response:
    """Look at the form, take a moment, and send it."""
    form = Form(web.get("/subscribe").text)
    clock.advance(seconds=20)
    return web.post("/subscribe", data=form.filled(**{"email": ANN, "category": "advice"} | values))


def words_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", "", html)).split())


def test_what_is_asked_for_is_written_down(web: httpx.Client, doors: App, clock: Clock) -> None:
    """One request with all that was filled in, the door, the place and the words that were read."""
    wishes = {"name": " Ann  Lee ", "frequency": "weekly", "zone": "America/Argentina/Buenos_Aires"}
    answer = fill(web, clock, category=["tales", "advice"], **wishes)
    assert answer.status_code == 200
    assert "look into your mailbox" in answer.text
    assert ANN in answer.text
    [asked] = requests(doors)
    assert asked.model_dump(
        include={"kind", "address", "categories", "name", "timezone", "frequency", "door", "language"}
    ) == {
        "kind": "join",
        "address": ANN,
        "categories": "advice tales",
        "name": "Ann  Lee",
        "timezone": "America/Argentina/Buenos_Aires",
        "frequency": "weekly",
        "door": "page",
        "language": "en",
    }
    assert asked.place == "https://news.example.org/subscribe"
    with doors.database.read() as session:
        wording = session.get_one(Wording, asked.wording).text
    assert "Test letters" in wording
    assert "1 Main Street" in wording
    assert wording in words_of(web.get("/subscribe").text)


def test_an_address_and_a_category_are_enough(web: httpx.Client, doors: App, clock: Clock) -> None:
    """Name, frequency and zone may stay unknown."""
    fill(web, clock)
    [asked] = requests(doors)
    assert (asked.name, asked.timezone, asked.frequency, asked.categories) == (None, None, None, "advice")


def test_looking_changes_nothing(web: httpx.Client, doors: App) -> None:
    """Check 31: neither looking nor a form in an address writes anything."""
    before = everything_of(doors)
    for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        web.request(method, "/subscribe?email=ann@example.org&category=advice")
        web.request(method, "/subscribe/embed")
    assert everything_of(doors) == before


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"email": ""}, "email", "Please give your email address"),
        ({"email": "ann@"}, "email", "not an email address"),
        ({"email": "a@b.c, d@e.f"}, "email", "not an email address"),
        ({"email": "x" * 400 + "@example.org"}, "email", "not an email address"),
        ({"category": []}, "categories", "tick at least one"),
        ({"category": "no-such"}, "categories", "tick at least one"),
        ({"name": "n" * 201}, "name", "too long"),
        ({"zone": "Europe/Nowhere"}, "zone", "choose one of these"),
        ({"zone": "../../etc/passwd"}, "zone", "choose one of these"),
        ({"frequency": "hourly"}, "frequency", "choose one of these"),
    ],
)
def test_a_mistake_is_told_beside_its_field(
    web: httpx.Client, doors: App, clock: Clock, values: dict[str, str], field: str, words: str
) -> None:
    """422, the mistake as an alert that its field points to, all else as it was typed; nothing written."""
    typed = {"name": "Ann <b>", "frequency": "weekly", "zone": "Asia/Tokyo", "category": "tales"}
    answer = fill(web, clock, **typed | values)
    assert answer.status_code == 422
    told = re.search(f'<p class="wrong" id="{field}-wrong" role="alert">(.*?)</p>', answer.text)
    assert told
    assert words in words_of(told[1])
    assert re.search(f'<[^>]* aria-describedby="[^"]*{field}-wrong"', answer.text)
    shown = Form(answer.text).fields
    expected = {"email": ANN, **typed} | values
    kept = {name: expected[name] for name in ("email", "name")}
    kept |= {name: expected[name] for name in ("frequency", "zone", "category") if name not in values}
    assert {name: shown[name][0] for name in kept} == kept
    assert requests(doors) == []


@contextmanager
def statements(site: App) -> Iterator[list[str]]:
    """The statements that a site's database is given meanwhile."""
    seen: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        seen.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(site.database.engine, "before_cursor_execute", note)


def test_the_answer_is_the_same_whoever_has_the_address(web: httpx.Client, doors: App, clock: Clock) -> None:
    """Check 34: new, known, suppressed, asked before: the same bytes, headers and statements."""
    subscribe(doors, "known@example.org")
    with doors.database.write() as session:
        blocked = parse_address("block@example.org")
        suppress(doors, session, blocked.given, SuppressionReason.COMPLAINED)
    fill(web, clock, email="first@example.org")  # the words are kept once, at the first time
    answers, work = [], []
    for email in ("fresh@example.org", "known@example.org", "block@example.org", "fresh@example.org"):
        with statements(doors) as seen:
            answer = fill(web, clock, email=email)
        answers.append((answer.status_code, answer.text.replace(email, "X"), {**answer.headers, "date": ""}))
        work.append(seen)
    assert all(answer == answers[0] for answer in answers)
    assert all(done == work[0] for done in work)
    assert sum("INSERT" in one for one in work[0]) == 1
    assert {one.state for one in requests(doors)} == {"new"}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda form, clock: form.pop("stamp"),
        lambda form, clock: form.update(stamp="a" * 36),
        lambda form, clock: form.update(stamp=TokenSigner(b"x" * 32).sign(Purpose.FORM, 1_767_571_200)),
        lambda form, clock: clock.advance(seconds=-19),
        lambda form, clock: clock.advance(days=1),
        lambda form, clock: form.update(remarks="buy"),
    ],
    ids=["from elsewhere", "made up", "forged", "at once", "a day late", "hidden field"],
)
def test_where_a_person_is_in_doubt_the_button_is_asked_for_once_more(
    web: httpx.Client, doors: App, clock: Clock, spoil: Callable[[dict[str, Any], Clock], object]
) -> None:
    """Nothing is written, all that was typed comes along, and the button then does it: no person is lost."""
    form = Form(web.get("/subscribe").text).filled(
        email=ANN, name="Ann", category=["advice", "tales"], frequency="monthly", zone="Asia/Tokyo"
    )
    clock.advance(seconds=20)
    spoil(form, clock)
    doubtful = web.post("/subscribe", data=form)
    assert doubtful.status_code == 200
    assert "once more" in doubtful.text
    assert "Tales &amp; &lt;more&gt;" in doubtful.text
    assert requests(doors) == []
    clock.advance(seconds=3)
    assert web.post("/subscribe", data=Form(doubtful.text).fields).status_code == 200
    [asked] = requests(doors)
    assert (asked.address, asked.name, asked.categories) == (ANN, "Ann", "advice tales")
    assert (asked.frequency, asked.timezone) == ("monthly", "Asia/Tokyo")


def test_one_may_think_again(web: httpx.Client, doors: App) -> None:
    """From there a button leads back to the form, as it was filled in."""
    doubtful = web.post("/subscribe", data={"email": ANN, "category": "tales", "name": "Ann"})
    form = web.post("/subscribe", data=Form(doubtful.text).filled(change="yes"))
    assert form.status_code == 200
    fields = Form(form.text).fields
    assert (fields["email"], fields["category"], fields["name"]) == ([ANN], ["tales"], ["Ann"])
    assert requests(doors) == []


def test_a_form_from_anywhere_works(web: httpx.Client, doors: App, clock: Clock) -> None:
    """The HTML that operators may copy posts here, in either encoding, and leads to the same request."""
    page = web.get("/subscribe/embed").text
    copied = unescape(re.search("<code>(.*?)</code>", page, re.DOTALL)[1])  # type: ignore[index]
    assert 'action="https://news.example.org/subscribe" method="post"' in copied
    assert "<script" not in copied
    form = Form(copied).filled(email=ANN, category=["advice"])
    first, second = web.post("/subscribe", data=form), web.post("/subscribe", files=as_parts(form))
    assert "once more" in first.text
    clock.advance(seconds=5)
    for doubtful in (first, second):
        assert web.post("/subscribe", files=as_parts(Form(doubtful.text).fields)).status_code == 200
    assert [(one.address, one.categories) for one in requests(doors)] == [(ANN, "advice")] * 2


def as_parts(form: dict[str, Any]) -> list[tuple[str, tuple[None, str]]]:
    """A form's fields for multipart/form-data."""
    return [
        (name, (None, value))
        for name, values in form.items()
        for value in (values if isinstance(values, list) else [values])
    ]


@on_sqlite
def test_a_network_is_held_to_its_cap(doors: App, clock: Clock) -> None:
    """Check 34: beyond the cap 429 with Retry-After, a kind page, and nothing written; others go on."""
    change_doors(doors, ip_per_hour=3, trusted_proxies=["127.0.0.1"])
    with browser(doors) as web:
        web.headers["X-Forwarded-For"] = "203.0.113.5"
        answers = [fill(web, clock, email=f"a{number}@example.org") for number in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 0 < int(answers[3].headers["retry-after"]) <= 3600
        assert "at once" in answers[3].text
        web.headers["X-Forwarded-For"] = "203.0.113.5, 203.0.113.6"
        assert fill(web, clock).status_code == 200
    assert len(requests(doors)) == 4


@on_sqlite
def test_a_claim_is_not_believed(doors: App, clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """Without proxies in the settings, a new X-Forwarded-For for each request is of no use; `run` says so."""
    change_doors(doors, ip_per_hour=2)
    with browser(doors) as web:
        codes = []
        for number in range(4):
            web.headers["X-Forwarded-For"] = f"203.0.113.{number}"
            codes.append(fill(web, clock).status_code)
    assert codes == [200, 200, 429, 429]
    assert capsys.readouterr().err.count("trusted_proxies") == 1


@on_sqlite
def test_the_door_for_mail_is_named_where_there_is_one(doors: App, clock: Clock) -> None:
    """The address to write to stands on the form, and where one is told to wait; else nothing does."""
    with browser(doors) as web:
        assert "+join" not in web.get("/subscribe").text
    change_doors(doors, by_email=True, ip_per_hour=1)
    with browser(doors) as web:
        assert "ann+join.advice@example.org" in web.get("/subscribe?category=advice").text
        for category in ("", "other", "../x", "%00", "a+b@c"):
            assert "ann+join@example.org" in web.get(f"/subscribe?category={category}").text
        assert [fill(web, clock).status_code for _ in range(2)] == [200, 429]
        assert "ann+join.advice@example.org" in fill(web, clock).text


def test_a_crowd_is_written_down_whole(doors: App, clock: Clock) -> None:
    """Simultaneous requests all succeed, each with its row."""
    change_doors(doors, ip_per_hour=1000)
    with browser(doors) as web:
        form = Form(web.get("/subscribe").text)
        clock.advance(seconds=20)
        with ThreadPoolExecutor(8) as crowd:
            posts = [form.filled(email=f"a{number}@example.org", category="advice") for number in range(40)]
            answers = list(crowd.map(lambda data: web.post("/subscribe", data=data), posts))
    assert {answer.status_code for answer in answers} == {200}
    assert len({one.address for one in requests(doors)}) == 40


@on_sqlite
def test_what_is_not_on_disk_is_not_promised(
    doors: App, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where writing fails everybody who waits for it is told, and the next one is written again."""
    with browser(doors) as web:
        fails = Mock(side_effect=DatabaseError("the disk is full"))
        with monkeypatch.context() as patch:
            patch.setattr(doors.doors, "ask", fails)
            form = Form(web.get("/subscribe").text).filled(email=ANN, category="advice")
            clock.advance(seconds=20)
            with ThreadPoolExecutor(4) as crowd:
                answers = list(crowd.map(lambda data: web.post("/subscribe", data=data), [form] * 8))
        assert {answer.status_code for answer in answers} == {503}
        assert requests(doors) == []
        assert web.post("/subscribe", data=form).status_code == 200
    assert len(requests(doors)) == 1


@on_sqlite
def test_nobody_is_kept_waiting_by_long_wishes(web: httpx.Client, clock: Clock) -> None:
    """Language, zone and category may be as long as a form may be, and are not looked at for long."""
    form = {"email": ANN, "zone": "a/" * 5_000, "lang": "a-" * 9_000, "category": "a-" * 9_000}
    assert web.post("/subscribe", data=form).status_code == 422
    assert web.get("/subscribe", params={"lang": "a-" * 9_000}).status_code == 200


@on_sqlite
@pytest.mark.parametrize("body", [b"", b"\xff\xfe=%ff&&;", b"email=%00&category=%00", b"&" * BODY_OCTETS])
def test_nonsense_is_answered_and_writes_nothing(web: httpx.Client, doors: App, body: bytes) -> None:
    """Any octets get the form back."""
    assert web.post("/subscribe", content=body).status_code == 422
    parts = {"Content-Type": "multipart/form-data; boundary=x"}
    assert web.post("/subscribe", content=body, headers=parts).status_code == 422
    assert web.post("/subscribe", content=body + b"x" * (BODY_OCTETS + 1)).status_code == 413
    assert requests(doors) == []


@on_sqlite
def test_a_site_with_one_category_asks_for_no_tick(advice: App, clock: Clock) -> None:
    """There the form names it."""
    with browser(advice) as web:
        assert Form(web.get("/subscribe").text).fields["category"] == ["advice"]
        assert 'type="checkbox"' not in web.get("/subscribe").text
        fill(web, clock)
    assert [one.categories for one in requests(advice)] == ["advice"]


@on_sqlite
def test_a_site_without_a_category_has_no_form(site: App) -> None:
    """It says so."""
    with browser(site) as web:
        page = web.get("/subscribe")
        assert page.status_code == 200
        assert "<form" not in page.text
        assert web.post("/subscribe", data={"email": ANN}).status_code == 422


@on_sqlite
def test_the_address_ticks_a_category(web: httpx.Client) -> None:
    """`?category=` does, one that is not there does not; nothing else is ticked beforehand."""
    assert Form(web.get("/subscribe?category=tales").text).fields["category"] == ["tales"]
    assert "category" not in Form(web.get("/subscribe?category=other").text).fields
    assert "category" not in Form(web.get("/subscribe").text).fields


@on_sqlite
def test_it_speaks_the_readers_language(doors: App, clock: Clock) -> None:
    """As the address asks, and to the end; a site's own language too, with English where it lacks words."""
    folder = doors.settings.folder / "templates" / "languages"
    folder.mkdir(parents=True, exist_ok=True)
    yiddish = 'name = "ייִדיש"\ndirection = "rtl"\n[pages.subscribe]\nheading = "אונדזערע בריוו"\n'
    (folder / "yi.toml").write_text(yiddish, encoding="utf-8")
    with browser(doors) as web:
        german = web.get("/subscribe?lang=de-AT").text
        assert '<html lang="de" dir="ltr">' in german
        assert "Ihre E-Mail-Adresse" in german
        assert "Dienstag, 6. Januar 2026" in german
        form = Form(german).filled(email=ANN, category="advice")
        clock.advance(seconds=20)
        assert "Postfach" in web.post("/subscribe", data=form).text
        page = web.get("/subscribe?lang=yi").text
        assert '<html lang="yi" dir="rtl">' in page
        assert "אונדזערע בריוו" in page
        assert "Your email address" in page
        assert '<html lang="en" dir="ltr">' in web.get("/subscribe?lang=xx").text
    assert [one.language for one in requests(doors)] == ["de"]


@on_sqlite
def test_it_is_safe_to_show(web: httpx.Client, clock: Clock) -> None:
    """Nothing runs, what is typed is text, no cookie is set; the form may be indexed, what follows not."""
    form = web.get("/subscribe")
    hostile = fill(web, clock, email='"><script>alert(1)</script>', name="<img src=x onerror=x>")
    for answer in (form, hostile, fill(web, clock), web.get("/subscribe/embed")):
        assert "<script" not in answer.text
        assert "<img" not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers
        assert answer.headers["cache-control"] == "no-store"
    assert "x-robots-tag" not in form.headers
    assert "x-robots-tag" in fill(web, clock).headers


@on_sqlite
def test_others_lead_there(web: httpx.Client) -> None:
    """The front page and each category's archive link to the form."""
    assert 'href="https://news.example.org/subscribe"' in web.get("/").text
    assert 'href="https://news.example.org/subscribe?category=tales"' in web.get("/archive/tales").text


@on_sqlite
def test_it_can_be_used_by_anybody(web: httpx.Client, clock: Clock) -> None:
    """Axe finds nothing wrong with any of the pages, in either direction of writing."""
    pages = {
        "form": web.get("/subscribe").text,
        "mistakes": fill(web, clock, email="x", name="n" * 201, category=[], zone="x").text,
        "again": web.post("/subscribe", data={"email": ANN, "category": "tales", "name": "Ann"}).text,
        "asked": fill(web, clock).text,
        "German": web.get("/subscribe?lang=de").text,
        "embed": web.get("/subscribe/embed").text,
    }
    assert axe_violations(pages) == []
