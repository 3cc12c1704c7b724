"""The way out of a category, over real HTTP on both databases: RFC 8058, and readers with a browser."""

import socket
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from newsletter.app import App
from newsletter.delivery.copies import unsubscribe_url
from newsletter.errors import SettingsError, SiteError
from newsletter.models import Category
from newsletter.schedule.categories import add_category
from newsletter.states import Mode
from newsletter.web import forms
from newsletter.web.server import PageServer
from subscribers.models import Consent, Subscription
from subscribers.subscriptions import all_subscribers
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import subscribe
from tests.web.conftest import TUESDAY, Issue, on_sqlite

ANN, BO = "ann@example.org", "bo@example.org"
ONE_CLICK = {"List-Unsubscribe": "One-Click"}
PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer", "x-robots-tag": "noindex, nofollow"}


class Form(HTMLParser):
    """The one form of a page: its attributes, its fields, its buttons."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: dict[str, str | None] = {}
        self.fields: dict[str, str | None] = {}
        self.buttons = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        given = dict(attrs)
        if tag == "form":
            self.attributes = given
        elif tag == "input":
            self.fields[str(given["name"])] = given["value"]
        elif tag == "button":
            self.buttons += 1


def states(issue: Issue) -> dict[str, dict[str, str]]:
    """Every reader's subscriptions."""
    with issue.site.database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


def withdrawals(issue: Issue) -> list[tuple[str, str, str, object]]:
    """The evidence of leaving: category, door, what is known, when."""
    with issue.site.database.read() as session:
        rows = session.exec(select(Consent).where(Consent.action == "withdrawn")).all()
        return [(row.category, row.source, row.evidence, row.at) for row in rows]


def test_looking_changes_nothing(web: httpx.Client, issue: Issue) -> None:
    """Check 31: a link scanner may GET and HEAD a way out as often as it likes."""
    before = issue.everything()
    for method in ("GET", "HEAD", "GET", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
        web.request(method, issue.ways_out[ANN])
        web.request(method, issue.ways_out[ANN].upper().replace("/U/", "/u/"))
    assert web.get(issue.ways_out[ANN]).status_code == 200
    assert issue.everything() == before


@on_sqlite
def test_head_is_get_without_its_body(web: httpx.Client, issue: Issue) -> None:
    """HEAD answers as GET does, header for header (RFC 9110 §9.3.2)."""
    for path in ("/", issue.ways_out[ANN], "/u/nonsense", "/sandbox/"):
        got, headed = web.get(path), web.head(path)
        assert headed.content == b""
        assert headed.status_code == got.status_code
        assert {**headed.headers, "date": ""} == {**got.headers, "date": ""}


@pytest.mark.parametrize(
    "body",
    [
        {"data": ONE_CLICK},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b"", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
    ids=["urlencoded", "multipart", "empty"],
)
def test_one_click_unsubscribes(web: httpx.Client, issue: Issue, body: dict[str, object]) -> None:
    """Check 32: a POST with no cookie ends the subscription at once; 200, no redirect, no cookie."""
    answer = web.post(issue.ways_out[ANN], **body)  # type: ignore[arg-type]
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers
    assert states(issue) == {ANN: {"advice": "left"}, BO: {"advice": "active"}}
    assert withdrawals(issue) == [("advice", "one-click", f"delivery {issue.deliveries[ANN]}", TUESDAY)]


def test_the_button_on_the_page_unsubscribes(web: httpx.Client, issue: Issue) -> None:
    """The page is a plain form with one button, posted to its own address; its evidence names the page."""
    page = web.get(issue.ways_out[ANN])
    assert "Unsubscribe from" in page.text
    assert "<script" not in page.text
    form = Form(page.text)
    assert (form.attributes, form.buttons) == ({"method": "post"}, 1)
    answer = web.post(issue.ways_out[ANN], data=form.fields)
    assert answer.status_code == 200
    assert "You have left" in answer.text
    assert states(issue)[ANN] == {"advice": "left"}
    assert withdrawals(issue) == [("advice", "page", f"delivery {issue.deliveries[ANN]}", TUESDAY)]


def test_once_more_is_success(web: httpx.Client, issue: Issue) -> None:
    """Check 33: a repeated POST, by either door, is answered as the first was and recorded once."""
    first = web.post(issue.ways_out[ANN], data=ONE_CLICK)
    for body in (ONE_CLICK, {"via": "page"}, ONE_CLICK):
        again = web.post(issue.ways_out[ANN], data=body)
        assert (again.status_code, again.text) == (200, first.text)
    assert web.get(issue.ways_out[ANN]).text == first.text
    assert len(withdrawals(issue)) == 1


def test_all_at_once_is_once(web: httpx.Client, issue: Issue) -> None:
    """Simultaneous POSTs for one letter all succeed, and leave one record."""
    with ThreadPoolExecutor(8) as crowd:
        answers = list(crowd.map(lambda _: web.post(issue.ways_out[ANN], data=ONE_CLICK), range(16)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(withdrawals(issue)) == 1


def test_whatever_is_wrong_with_a_token_the_answer_is_the_same(web: httpx.Client, issue: Issue) -> None:
    """Check 33: forged, damaged, foreign, for another purpose, of a letter that never was: one 404 page."""
    token = issue.ways_out[ANN].removeprefix("/u/")
    signer, number = issue.site.signer, issue.deliveries[ANN]
    wrong = [
        "a",
        "a" * 36,
        token[:-1],
        token + "a",
        token[:-1] + ("b" if token[-1] == "a" else "a"),
        ("b" if token[0] == "a" else "c") + token[1:],
        signer.sign(Purpose.BOUNCE, number),
        signer.sign(Purpose.MESSAGE, number),
        signer.sign(Purpose.LEAVE, 2**47),
        TokenSigner(b"another key").sign(Purpose.LEAVE, number),
        "%00" * 36,
        "%C3%A9" * 36,
        "%FF" * 36,
        "1" * 36,
        "../" + token,
        "a" * 10_000,
    ]
    before = issue.everything()
    answers = [web.get("/u/" + text) for text in wrong]
    answers += [web.post("/u/" + text, data=ONE_CLICK) for text in wrong]
    assert {answer.status_code for answer in answers} == {404}
    assert {answer.content for answer in answers} == {web.get("/nothing/like/that").content}
    assert len({frozenset({**answer.headers, "date": ""}.items()) for answer in answers}) == 1
    assert issue.everything() == before


@on_sqlite
def test_token_pages_are_private(web: httpx.Client, issue: Issue) -> None:
    """Check 35: no page of a token is cached, indexed, framed or told to other sites; none runs anything."""
    answers = [
        web.get(issue.ways_out[ANN]),
        web.post(issue.ways_out[ANN], data=ONE_CLICK),
        web.get(issue.ways_out[ANN]),
        web.get("/u/nonsense"),
        web.put(issue.ways_out[ANN]),
    ]
    for answer in answers:
        assert PRIVATE.items() <= dict(answer.headers).items()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-frame-options"] == "DENY"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert ANN not in answer.text  # a forwarded letter does not tell whose it was


def test_leaving_stops_the_letter_already_queued(web: httpx.Client, issue: Issue) -> None:
    """An issue is planned, Ann leaves, and the sender runs: Bo has it and Ann has nothing."""

    def deliveries() -> dict[str, str]:
        states = {row.id: row.state for row in issue.everything()["delivery"]}
        return {address: states[number] for address, number in issue.deliveries.items()}

    assert web.post(issue.ways_out[ANN], data=ONE_CLICK).status_code == 200
    assert deliveries() == {ANN: "cancelled", BO: "queued"}
    assert issue.send() == [BO]
    assert deliveries() == {ANN: "cancelled", BO: "sent"}


def test_the_way_out_works_after_the_letter_went(web: httpx.Client, issue: Issue) -> None:
    """What has been sent stays on the books, and the subscription ends."""
    assert issue.send() == [ANN, BO]
    assert web.post(issue.ways_out[ANN], data=ONE_CLICK).status_code == 200
    assert states(issue)[ANN] == {"advice": "left"}
    assert {row.state for row in issue.everything()["delivery"]} == {"sent"}


def test_other_categories_are_not_touched(web: httpx.Client, issue: Issue) -> None:
    """The way out of a letter leads out of its category alone."""
    with issue.site.database.write() as session:
        words = {"title": "Letters", "cadence": "daily 07:00", "timezone": "UTC"}
        add_category(session, "letters", **words, mode=Mode.BROADCAST, now=issue.site.clock())
    subscribe(issue.site, ANN, category="letters")
    web.post(issue.ways_out[ANN], data=ONE_CLICK)
    assert states(issue)[ANN] == {"advice": "left", "letters": "active"}


@on_sqlite
def test_an_old_letter_still_leads_out(web: httpx.Client, issue: Issue) -> None:
    """Who left and came back can leave again with the same link, and that is recorded again."""
    web.post(issue.ways_out[ANN], data=ONE_CLICK)
    subscribe(issue.site, ANN)
    assert "Unsubscribe from" in web.get(issue.ways_out[ANN]).text
    assert web.post(issue.ways_out[ANN], data=ONE_CLICK).status_code == 200
    assert states(issue)[ANN] == {"advice": "left"}
    assert len(withdrawals(issue)) == 2


@on_sqlite
def test_names_are_text_and_no_markup(web: httpx.Client, issue: Issue) -> None:
    """A category's title is shown as it is written, whatever it is made of."""
    with issue.site.database.write() as session:
        category = session.exec(select(Category)).one()
        category.title = '<script>alert(1)</script> & "quotes" \''
        session.add(category)
    for answer in (web.get("/"), web.get(issue.ways_out[ANN]), web.post(issue.ways_out[ANN])):
        assert "<script" not in answer.text
        assert "&lt;script&gt;" in answer.text


@on_sqlite
def test_a_slash_too_many_is_no_redirect(web: httpx.Client, issue: Issue) -> None:
    """RFC 8058 §3.1 forbids redirects: an address that is not quite right is not there."""
    answer = web.post(issue.ways_out[ANN] + "/", data=ONE_CLICK)
    assert answer.status_code == 404


@on_sqlite
def test_a_huge_body_is_not_kept(web: httpx.Client, issue: Issue) -> None:
    """What follows the beginning of a body is passed over; the address alone says what is wanted."""
    answer = web.post(issue.ways_out[ANN], content=b"List-Unsubscribe=One-Click&" + b"x" * 20_000_000)
    assert answer.status_code == 200
    assert states(issue)[ANN] == {"advice": "left"}


def half_a_post(server: PageServer, path: str) -> socket.socket:
    """A connection on which a POST has been begun and its body has not been finished."""
    host, _, port = server.url.removeprefix("http://").rstrip("/").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nList-".encode())
    return connection


@on_sqlite
def test_a_body_that_never_ends_is_given_up(
    server: PageServer, issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a request is none (RFC 9112 §8): it is told so after a while, cut off, and changes nothing."""
    monkeypatch.setattr(forms, "_BODY_SECONDS", 0.05)
    with half_a_post(server, issue.ways_out[ANN]) as connection:
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in answer.lower()
    assert states(issue)[ANN] == {"advice": "active"}


@on_sqlite
def test_one_who_hangs_up_has_asked_for_nothing(issue: Issue, capfd: pytest.CaptureFixture[str]) -> None:
    """A connection cut in the middle of a body changes nothing and is nobody's fault."""
    with PageServer(issue.site) as server:
        half_a_post(server, issue.ways_out[ANN]).close()
        httpx.get(server.url, trust_env=False)
    assert states(issue)[ANN] == {"advice": "active"}
    assert capfd.readouterr().err == ""


@on_sqlite
def test_a_stalled_reader_does_not_keep_the_server_from_ending(
    issue: Issue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leaving the server ends its thread, though a request is under way."""
    monkeypatch.setattr("newsletter.web.server.GRACE_SECONDS", 0)
    with PageServer(issue.site) as server:
        connection = half_a_post(server, issue.ways_out[ANN])
        httpx.get(server.url, trust_env=False)
    assert not server._thread.is_alive()
    connection.close()


@on_sqlite
def test_unknown_paths(web: httpx.Client) -> None:
    """Whatever else is asked for is not here, and the page says so without an error of ours."""
    paths = (
        *("/nothing", "/u", "/u/", "/u/x/y", "/docs", "/openapi.json", "/redoc", "/favicon.ico"),
        *("/robots.txt", "/static/..%2f..%2fpaperround.toml", "/%00", "/%FF", "/u/%2e%2e%2f", "/é"),
    )
    for path in paths:
        answer = web.get(path)
        assert (path, answer.status_code) == (path, 404)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"


@on_sqlite
def test_other_methods_are_refused(web: httpx.Client, issue: Issue) -> None:
    """A method that a page has no use for gets 405, with those it has (RFC 9110 §15.5.6)."""
    answer = web.put(issue.ways_out[ANN])
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert web.post("/").status_code == 405


def test_a_locked_database(
    issue: Issue, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The reader reads that it did not work, and no more; the operator reads why, without the token."""
    monkeypatch.setattr("newsletter.database.BUSY_SECONDS", 1)
    issue.site.database.close()
    del issue.site.database  # so that it is opened again, with less patience
    with PageServer(issue.site) as server, issue.site.database.write() as holder:
        holder.exec(select(Subscription).with_for_update()).all()
        answer = httpx.post(server.url.rstrip("/") + issue.ways_out[ANN], trust_env=False, timeout=60)
    assert answer.status_code == 503
    assert "did not work" in answer.text
    assert not any(word in answer.text.lower() for word in ("database", "locked", "sql", "traceback"))
    assert states(issue)[ANN] == {"advice": "active"}
    told = capfd.readouterr()
    assert "locked by another process" in told.err
    assert issue.ways_out[ANN].removeprefix("/u/") not in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_fault_of_ours(
    issue: Issue, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """What nobody foresaw is a page without details, a traceback for us, and no half-done change."""

    def fail(*_: object) -> int:
        raise RuntimeError("a detail")

    monkeypatch.setattr(issue.site.letters, "withdraw", fail)
    with PageServer(issue.site) as server:
        answer = httpx.post(server.url.rstrip("/") + issue.ways_out[ANN], trust_env=False)
    assert answer.status_code == 500
    assert "did not work" in answer.text
    assert "a detail" not in answer.text
    assert "RuntimeError: a detail" in capfd.readouterr().err
    assert states(issue)[ANN] == {"advice": "active"}


@on_sqlite
@pytest.mark.parametrize("broken", ["{% broken", None], ids=["both", "one"])
def test_a_broken_template_of_the_site(
    web: httpx.Client, issue: Issue, broken: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    """A template that the editor broke is told with file and line; the reader's wish is granted still."""
    folder = issue.site.settings.folder / "templates" / "web"
    folder.mkdir(parents=True)
    (folder / "left.html.j2").write_text("fine\n{{ nothing.like.that }}", encoding="utf-8")
    if broken:
        (folder / "broken.html.j2").write_text(broken, encoding="utf-8")
    answer = web.post(issue.ways_out[ANN], data=ONE_CLICK)
    assert (answer.status_code, "<h1>" in answer.text) == (503, not broken)
    assert "did not work" in answer.text
    assert PRIVATE.items() <= dict(answer.headers).items()
    assert states(issue)[ANN] == {"advice": "left"}
    assert "left.html.j2:2" in capfd.readouterr().err


@on_sqlite
def test_a_sites_own_template_is_used(web: httpx.Client, issue: Issue) -> None:
    """An editor's page replaces ours."""
    folder: Path = issue.site.settings.folder / "templates" / "web"
    folder.mkdir(parents=True)
    (folder / "leave.html.j2").write_text("Adieu, {{ category }}?", encoding="utf-8")
    assert web.get(issue.ways_out[ANN]).text == "Adieu, Good advice?"


@on_sqlite
def test_the_front_page_names_the_categories(web: httpx.Client) -> None:
    """The front page says what there is, and when each category is due next."""
    page = web.get("/")
    assert page.status_code == 200
    assert "Good advice" in page.text
    assert "Tuesday, 6 January 2026" in page.text


@on_sqlite
def test_the_front_page_of_an_empty_site(site: App) -> None:
    """A site without a category has a front page too."""
    with PageServer(site) as server:
        assert httpx.get(server.url, trust_env=False).status_code == 200


@on_sqlite
def test_a_category_that_was_removed_can_still_be_left(web: httpx.Client, issue: Issue) -> None:
    """Links in old letters outlive their category."""
    with issue.site.database.write() as session:
        category = session.exec(select(Category)).one()
        category.ended_at = issue.site.clock()
        session.add(category)
    assert "Good advice" in web.get(issue.ways_out[ANN]).text
    assert web.post(issue.ways_out[ANN], data=ONE_CLICK).status_code == 200
    assert states(issue)[ANN] == {"advice": "left"}


@on_sqlite
def test_a_port_that_is_taken(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A listen address that another process has is an error that names the setting."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        section = site.settings.site.model_copy(update={"listen": taken})
        site.settings = site.settings.model_copy(update={"site": section})
        with pytest.raises(SiteError, match=f"{taken}.*listen in"), PageServer(site):
            pass


@on_sqlite
def test_a_site_without_its_key_serves_nothing(site: App) -> None:
    """A lost key is an error at the start, before any reader meets it."""
    (site.settings.folder / "secret.key").unlink()
    with pytest.raises(SettingsError, match="secret key"), PageServer(site):
        pass


@on_sqlite
def test_the_link_in_a_letter_is_the_page(web: httpx.Client, issue: Issue) -> None:
    """The address that letters carry is the site's base URL and a path that is served."""
    url = unsubscribe_url(issue.site.settings.site.base_url, issue.site.signer, issue.deliveries[BO])
    assert url.startswith("https://news.example.org/u/")
    assert web.get(httpx.URL(url).path).status_code == 200
