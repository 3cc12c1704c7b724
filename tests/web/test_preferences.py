"""What a reader gets and a way out of any of it: over real HTTP, on both databases."""

import json
import re
import socket
from html import unescape
from html.parser import HTMLParser

import httpx
import pytest
from sqlalchemy import update
from sqlmodel import col, select

from newsletter.app import App
from newsletter.delivery.copies import preferences_url
from newsletter.models import Category, Delivery
from newsletter.schedule.categories import add_category
from newsletter.states import Mode
from newsletter.web import forms
from newsletter.web.forms import BODY_OCTETS
from newsletter.web.server import PageServer
from subscribers.address import parse_address
from subscribers.models import Consent, Subscriber, SuppressionReason, Wording
from subscribers.subscriptions import (
    Permission,
    all_subscribers,
    consents_of,
    find_subscriber,
    leave,
)
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import subscribe
from tests.node_tools import axe_violations
from tests.orders import suppress
from tests.web.conftest import TUESDAY, Issue, on_sqlite

ANN, BO = "ann@example.org", "bo@example.org"


class Form(HTMLParser):
    """The form of a page: what a browser posts if nobody touches it, and what each box is called."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, str]] = []
        self.labels: dict[str, str] = {}
        self._box: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        given = dict(attrs)
        if tag == "input" and (given["type"] == "hidden" or "checked" in given):
            self.fields.append((str(given["name"]), str(given["value"])))
        if tag == "input" and given["name"] == "keep":
            self._box = str(given["value"])
            self.labels[self._box] = ""

    def handle_endtag(self, tag: str) -> None:
        """End a label."""
        if tag == "label":
            self._box = None

    def handle_data(self, data: str) -> None:
        """What stands in a label is its box's name."""
        if self._box is not None:
            self.labels[self._box] = (self.labels[self._box] + data).strip()

    def without(self, *slugs: str) -> dict[str, list[str]]:
        """What is posted if these boxes are unticked."""
        posted: dict[str, list[str]] = {}
        for name, value in self.fields:
            if name != "keep" or value not in slugs:
                posted.setdefault(name, []).append(value)
        return posted


def add(site: App, slug: str, title: str) -> None:
    """One more category."""
    with site.database.write() as session:
        words = {"title": title, "cadence": "daily 07:00", "timezone": "UTC"}
        add_category(session, slug, **words, mode=Mode.BROADCAST, now=site.clock())


@pytest.fixture
def place(issue: Issue) -> str:
    """The path of Ann's preferences; she reads three categories, and there is one more."""
    for slug, title in (("letters", "Letters"), ("under-way", "Under <way>"), ("other", "Other")):
        add(issue.site, slug, title)
        if slug != "other":
            subscribe(issue.site, ANN, category=slug)
    return preferences_url("", issue.site.signer, issue.deliveries[ANN])


def states(issue: Issue) -> dict[str, dict[str, str]]:
    with issue.site.database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


def withdrawals(issue: Issue) -> list[tuple[str, str, str, object]]:
    with issue.site.database.read() as session:
        found = select(Consent).where(Consent.action == "withdrawn").order_by(col(Consent.id))
        return [(row.category, row.source, row.evidence, row.at) for row in session.exec(found)]


def test_the_letter_leads_there(web: httpx.Client, issue: Issue, place: str) -> None:
    """The link in the letter is to this page."""
    issue.send()
    letter = next((issue.site.settings.sandbox_folder / ANN).glob("*.eml")).read_text()
    assert f"https://news.example.org{place}" in letter.replace("=\n", "").replace("=3D", "=")
    assert web.get(place).status_code == 200


def test_it_shows_what_its_reader_gets(web: httpx.Client, place: str) -> None:
    """Every category of the reader, ticked and by its title, the others unticked, and nobody's address."""
    page = web.get(place)
    assert Form(page.text).labels == {
        "advice": "Good advice",
        "letters": "Letters",
        "under-way": "Under <way>",
    }
    assert [value for name, value in Form(page.text).fields if name == "keep"] == list(Form(page.text).labels)
    assert re.findall('<input type="checkbox" name="join" value="([^"]*)">', page.text) == ["other"]
    assert ANN not in page.text
    assert "<script" not in page.text


def test_looking_changes_nothing(web: httpx.Client, issue: Issue, place: str) -> None:
    """A link scanner may look as often as it likes, with any method that is no POST."""
    before = issue.everything()
    for method in ("GET", "HEAD", "GET", "OPTIONS", "PUT", "DELETE", "PATCH"):
        web.request(method, place)
        web.request(method, f"{place}?shown=advice")
    assert issue.everything() == before


def test_the_form_as_it_stands_changes_nothing(web: httpx.Client, issue: Issue, place: str) -> None:
    """A scanner that presses buttons, and one that posts what it likes, ends no subscription."""
    before = issue.everything()
    form = Form(web.get(place).text)
    answer = web.post(place, data=form.without())
    assert "Nothing was changed" in answer.text
    for data in (
        {},
        {"keep": "other"},
        {"shown": ["other", "", "nothing"]},
        {"List-Unsubscribe": "One-Click"},
    ):
        assert web.post(place, data=data).status_code == 200
    for body in (b"", b"\xff\xfe=%ff&&&;;=", b"shown", b"shown=%00", b"&" * BODY_OCTETS):
        assert web.post(place, content=body).status_code == 200
    assert issue.everything() == before


def test_what_is_unticked_is_left(web: httpx.Client, issue: Issue, place: str) -> None:
    """The subscription ends, with its evidence; letters under way are stopped; the others stay."""
    answer = web.post(place, data=Form(web.get(place).text).without("advice", "under-way"))
    assert answer.status_code == 200
    assert Form(answer.text).labels == {"letters": "Letters"}
    assert re.search("<p>You will get no more letters of .*Good advice.*Under &lt;way&gt;", answer.text)
    assert states(issue) == {
        ANN: {"advice": "left", "letters": "active", "under-way": "left"},
        BO: {"advice": "active"},
    }
    evidence = f"delivery {issue.deliveries[ANN]}"
    assert sorted(withdrawals(issue)) == [
        ("advice", "preferences", evidence, TUESDAY),
        ("under-way", "preferences", evidence, TUESDAY),
    ]
    assert issue.send() == [BO]


def test_once_more_is_harmless(web: httpx.Client, issue: Issue, place: str) -> None:
    """The same form again changes nothing, and says so."""
    posted = Form(web.get(place).text).without("advice")
    web.post(place, data=posted)
    before = issue.everything()
    again = web.post(place, data=posted)
    assert "Nothing was changed" in again.text
    assert issue.everything() == before
    web.post(place, data=Form(web.get(place).text).without("letters", "under-way"))
    assert "You get no letters from us" in web.get(place).text


def test_an_old_form_does_not_end_what_is_newer(web: httpx.Client, issue: Issue, place: str) -> None:
    """What was subscribed to since the page was shown stays, for its box was not there to be ticked."""
    posted = Form(web.get(place).text).without("advice")
    subscribe(issue.site, ANN, category="other")
    web.post(place, data=posted)
    assert states(issue)[ANN] == {
        "advice": "left",
        "letters": "active",
        "other": "active",
        "under-way": "active",
    }


def test_a_body_that_is_too_long_is_refused(web: httpx.Client, issue: Issue, place: str) -> None:
    """A form whose end was passed over would have no ticks there: nothing is left by it."""
    before = issue.everything()
    body = b"shown=advice&shown=letters&x=" + b"x" * BODY_OCTETS + b"&keep=advice&keep=letters"
    assert web.post(place, content=body).status_code == 413
    assert web.post(place, content=body + b"x" * 20_000_000).status_code == 413
    assert issue.everything() == before


@on_sqlite
def test_half_a_body_is_none(
    server: PageServer, issue: Issue, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form that never ends, or whose sender goes away, ends no subscription."""
    monkeypatch.setattr(forms, "_BODY_SECONDS", 0.05)
    before = issue.everything()
    host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
    head = f"POST {place} HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nshown=advice"
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    assert issue.everything() == before


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(
    web: httpx.Client, issue: Issue, place: str
) -> None:
    """Forged, foreign, for another purpose, of a letter that never was: one 404 page, and no change."""
    token, signer, number = place.rpartition("/")[2], issue.site.signer, issue.deliveries[ANN]
    wrong = [
        "a",
        "a" * 36,
        token[:-1],
        token + "a",
        signer.sign(Purpose.LEAVE, number),
        signer.sign(Purpose.BOUNCE, number),
        signer.sign(Purpose.PREFERENCES, 2**47),
        TokenSigner(b"another key").sign(Purpose.PREFERENCES, number),
        "%00" * 36,
        "%C3%A9" * 36,
        "a" * 10_000,
    ]
    before = issue.everything()
    answers = [web.get("/preferences/" + text) for text in wrong]
    answers += [web.post("/preferences/" + text, data={"shown": "advice"}) for text in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.content for answer in answers} == {web.get("/nothing/like/that").content}
    assert web.get(f"/u/{token}").status_code == 404
    assert issue.everything() == before


@on_sqlite
def test_it_is_private(web: httpx.Client, place: str) -> None:
    """The page is not cached, indexed, framed or told to other sites; nothing in it runs."""
    for answer in (web.get(place), web.head(place), web.post(place, data={"shown": "advice"})):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers


@on_sqlite
def test_what_was_left_by_another_door_is_not_shown(web: httpx.Client, issue: Issue, place: str) -> None:
    """The page shows what is so now; a removed category can still be left."""
    with issue.site.database.write() as session:
        ann = next(one for one, _ in all_subscribers(session) if one.address == ANN)
        leave(session, ann.id, ["letters"], Permission("cli"), issue.site.letters, now=TUESDAY)
        category = session.exec(select(Category).where(Category.slug == "advice")).one()
        category.ended_at = TUESDAY
        session.add(category)
    assert list(Form(web.get(place).text).labels) == ["advice", "under-way"]


@on_sqlite
def test_it_can_be_used_by_anybody(web: httpx.Client, place: str) -> None:
    """Axe finds nothing wrong with the page before and after, nor with one that is empty."""
    shown = web.get(place).text
    saved = web.post(place, data=Form(shown).without("letters")).text
    empty = web.post(place, data=Form(saved).without("advice", "under-way")).text
    assert axe_violations({"shown": shown, "saved": saved, "empty": empty}) == []


def changed(web: httpx.Client, place: str, **values: str | list[str]) -> httpx.Response:
    """The page's first form, posted with some fields filled in otherwise."""
    return web.post(place, data=Form(web.get(place).text).without() | values)


def reader(issue: Issue, address: str = ANN) -> Subscriber:
    with issue.site.database.read() as session:
        found = find_subscriber(session, parse_address(address))
        assert found
        return found


def test_others_can_be_joined(web: httpx.Client, issue: Issue, place: str) -> None:
    """A ticked one is theirs at once, for the token proves who asks; the record keeps the page's words."""
    page = web.get(place).text
    answer = changed(web, place, join="other")
    assert re.search("<p>You will get the letters of .*Other", answer.text)
    assert states(issue)[ANN]["other"] == "active"
    with issue.site.database.read() as session:
        record = consents_of(session, reader(issue).id)[-1]
        wording = session.get_one(Wording, json.loads(record.details or "")["wording"]).text
    assert (record.category, record.action, record.source) == ("other", "granted", "preferences")
    assert wording in " ".join(unescape(re.sub("<[^>]*>", "", page)).split())
    before = issue.everything()
    assert "Nothing was changed" in changed(web, place, join=["other", "advice", "no-such"]).text
    assert issue.everything() == before


@pytest.mark.parametrize("reason", [SuppressionReason.BOUNCED, SuppressionReason.COMPLAINED])
def test_who_is_not_written_to_any_more(
    web: httpx.Client, issue: Issue, place: str, reason: SuppressionReason
) -> None:
    """Whose letters came back may have all of them tried again; any other order stands, and is told of."""
    with issue.site.database.write() as session:
        suppress(issue.site, session, ANN, reason)
    answer = changed(web, place, join="other")
    if reason is SuppressionReason.BOUNCED:
        assert re.search("<p>You will get the letters of .*Other", answer.text)
        assert set(states(issue)[ANN].values()) == {"active"}
    else:
        assert "We were asked not to write to this address any more." in answer.text
        assert set(states(issue)[ANN].values()) == {"left"}


def test_wishes_are_kept(web: httpx.Client, issue: Issue, place: str) -> None:
    """How often, how many, name and zone: each as chosen, shown again, and taken back by an empty choice."""
    wishes = {"frequency": "weekly", "cap": "3", "name": "Ann Lee", "zone": "Asia/Tokyo"}
    answer = changed(web, place, **wishes)
    assert "Saved" in answer.text
    ann = reader(issue)
    assert (ann.frequency, ann.weekly_cap, ann.name, ann.timezone) == ("weekly", 3, "Ann Lee", "Asia/Tokyo")
    for value in wishes.values():
        assert re.search(f'value="{value}"( selected| dir="auto"|>)', web.get(place).text)
    changed(web, place, cap="0")
    assert reader(issue).weekly_cap == 0
    changed(web, place, frequency="", cap="", name="", zone="")
    ann = reader(issue)
    assert (ann.frequency, ann.weekly_cap, ann.name, ann.timezone) == (None, None, None, None)


def test_an_old_form_does_not_undo_what_is_newer(web: httpx.Client, issue: Issue, place: str) -> None:
    """A field that comes back as it was shown is no wish, whatever it stands at by now."""
    old = Form(web.get(place).text).without() | {"frequency": "", "cap": "", "zone": "", "name": ""}
    changed(web, place, frequency="monthly", cap="2", name="Ann", zone="Asia/Tokyo")
    before = issue.everything()
    assert "Nothing was changed" in web.post(place, data=old).text
    assert "Nothing was changed" in web.post(place, data={"frequency": "daily", "name": "X"}).text
    assert issue.everything() == before


def test_a_break_stops_letters_and_ends_when_asked(web: httpx.Client, issue: Issue, place: str) -> None:
    """For some weeks nothing comes, nor what was under way; the page says until when, and how to end it."""
    answer = changed(web, place, pause="4")
    assert "no letters until" in answer.text
    assert "Tuesday, 3 February 2026" in answer.text
    assert set(states(issue)[ANN].values()) == {"paused"}
    assert issue.send() == [BO]
    page = web.get(place)
    assert "paused until" in page.text
    assert "come again" in changed(web, place, pause="resume").text
    assert set(states(issue)[ANN].values()) == {"active"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"frequency": "hourly"}, "frequency"),
        ({"cap": "-1"}, "cap"),
        ({"cap": "101"}, "cap"),
        ({"cap": "²"}, "cap"),
        ({"pause": "1000"}, "pause"),
        ({"zone": "Moon"}, "zone"),
        ({"name": "n" * 201}, "name"),
    ],
)
def test_what_cannot_be_is_told_and_changes_nothing(
    web: httpx.Client, issue: Issue, place: str, values: dict[str, str], field: str
) -> None:
    """422, the mistake beside its field, and none of the other changes of that form either."""
    before = issue.everything()
    answer = changed(web, place, keep=[], join="other", **values)
    assert answer.status_code == 422
    assert f'id="{field}-wrong" role="alert"' in answer.text
    assert 'name="join" value="other" checked' in answer.text
    assert issue.everything() == before


def test_a_new_address_is_asked_first(web: httpx.Client, issue: Issue, place: str) -> None:
    """Nothing changes but one request, and the answer is the same for an address that is somebody else's."""
    before = issue.everything()
    answers = [web.post(place, data={"new_address": to}) for to in ("ann@new.example", BO)]
    shown = {a.text.replace(to, "X") for a, to in zip(answers, ("ann@new.example", BO), strict=True)}
    assert len(shown) == 1
    after = issue.everything()
    assert {name for name in after if after[name] != before[name]} == {"request", "wording"}
    assert {(row.kind, row.state) for row in after["request"]} == {("address", "new")}
    wrong = web.post(place, data={"new_address": "ann@"})
    assert wrong.status_code == 422
    assert 'id="new_address-wrong"' in wrong.text
    assert 'value="ann@"' in wrong.text


@on_sqlite
def test_new_addresses_are_capped_like_any_request(web: httpx.Client, issue: Issue, place: str) -> None:
    """Who has a token cannot have letters written to everybody."""
    limit = issue.site.settings.doors.ip_per_hour
    codes = [
        web.post(place, data={"new_address": f"a{number}@new.example"}).status_code
        for number in range(limit + 1)
    ]
    assert codes == [200] * limit + [429]


def test_a_reader_can_take_their_data_along(web: httpx.Client, issue: Issue, place: str) -> None:
    """A JSON file of what is kept of them, and of nobody else; not cached."""
    answer = web.get(f"{place}/data")
    assert answer.headers["content-disposition"] == 'attachment; filename="my-data.json"'
    assert answer.headers["cache-control"] == "no-store"
    data = answer.json()
    assert data["person"]["address"] == ANN
    assert {one["category"] for one in data["subscriptions"]} == {"advice", "letters", "under-way"}
    assert BO not in answer.text
    assert issue.site.signer.sign(Purpose.LEAVE, issue.deliveries[ANN]) not in answer.text


def erase_path(web: httpx.Client, place: str) -> str:
    found = re.search(r'href="https://news.example.org(/erase/[a-z2-7]{36})"', web.get(place).text)
    assert found
    return found[1]


def test_a_reader_can_be_erased(web: httpx.Client, issue: Issue, place: str) -> None:
    """By a button with a box to be ticked: then nothing names them, no letter goes, and no page is theirs."""
    path, before = erase_path(web, place), issue.everything()
    assert "tick the box" not in web.get(path).text
    for data in ({}, {"sure": ""}, {"via": "page"}):
        refused = web.post(path, data=data)
        assert (refused.status_code, "tick the box" in refused.text) == (422, True)
    assert issue.everything() == before
    done = web.post(path, data={"sure": "yes"}).text
    assert ("It is done" in done, "may still arrive" in done) == (True, False)
    # The editor of this site, whom editions name, has the same address.
    assert [name for name, rows in issue.everything().items() if ANN in str(rows)] == ["edition"]
    assert issue.send() == [BO]
    for path_after in (place, path, f"{place}/data"):
        assert web.get(path_after).content == web.get("/nothing").content
    again = web.post(path, data={"sure": "yes"})
    assert (again.status_code, again.content) == (404, web.get("/nothing").content)


@pytest.mark.parametrize("lang", ["en", "de", "es", "fr", "he"])
@on_sqlite
def test_who_is_erased_is_told_what_may_still_arrive(
    web: httpx.Client, issue: Issue, place: str, lang: str
) -> None:
    """A letter that a process which has died had on the wire: nobody can say that it does not."""
    path = erase_path(web, place)
    with issue.site.database.write() as session:
        session.execute(update(Delivery).values(state="sending", owner_id=None))
    told = web.post(f"{path}?lang={lang}", data={"sure": "yes"}).text
    late = issue.site.languages.all[lang].say("pages.erased.late")
    assert late in unescape(told)


def test_a_token_of_the_reader_themselves_leads_there(web: httpx.Client, issue: Issue, place: str) -> None:
    """Short letters have one, for they belong to no issue. It is for nothing else; no other one erases."""
    signer, number = issue.site.signer, reader(issue).id
    own = f"/preferences/{signer.sign(Purpose.READER, number)}"
    assert list(Form(web.get(own).text).labels) == list(Form(web.get(place).text).labels)
    nothing = web.get("/nothing").content
    for purpose in set(Purpose) - {Purpose.ERASE}:
        assert web.get(f"/erase/{signer.sign(purpose, number)}").content == nothing
        assert web.post(f"/erase/{signer.sign(purpose, number)}", data={"sure": "yes"}).content == nothing
    for purpose in set(Purpose) - {Purpose.READER, Purpose.PREFERENCES}:
        assert web.get(f"/preferences/{signer.sign(purpose, number)}").content == nothing


@on_sqlite
def test_every_part_of_it_can_be_used_by_anybody(web: httpx.Client, issue: Issue, place: str) -> None:
    """Axe finds nothing wrong with mistakes, a break, erasing and its end, nor in German."""
    path = erase_path(web, place)
    pages = {
        "mistakes": changed(web, place, cap="x", pause="x", zone="x", frequency="x", name="n" * 201).text,
        "address": web.post(place, data={"new_address": "x"}).text,
        "break": changed(web, place, pause="2", join="other").text,
        "German": web.get(f"{place}?lang=de").text,
        "erase": web.get(path).text,
        "unsure": web.post(path).text,
        "erased": web.post(path, data={"sure": "yes"}).text,
    }
    assert 'lang="de"' in pages["German"]
    assert axe_violations(pages) == []
