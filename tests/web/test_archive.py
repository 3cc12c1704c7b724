"""Issues on the web, archives, feeds and pictures: over real HTTP, on both databases."""

import io
import re
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from xml.etree import ElementTree as ET

import httpx
import pytest
from PIL import Image
from sqlmodel import select

from newsletter.app import App, open_app
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.content.queue import change_state, move
from newsletter.images.store import ImageStore
from newsletter.models import Category, Edition, Post
from newsletter.schedule.categories import add_category, all_categories, remove_category
from newsletter.states import EntryState, Mode
from newsletter.web.server import PageServer
from tests.conftest import Clock, subscribe, write_post
from tests.web.conftest import Issue, on_sqlite

BASE_URL = "https://news.example.org"
ATOM = "{http://www.w3.org/2005/Atom}"
PUBLIC = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
HOSTILE = "<script>alert('1')</script> & ]]> \"é\""


def queue(site: App, *paths: Path, category: str = "advice") -> None:
    """Queue these posts."""
    folder = site.settings.folder
    files = []
    for path in paths:
        data = path.read_bytes()
        files.append(SourceFile(parse_post(data, path), data, str(path.relative_to(folder))))
    with site.database.write() as session:
        only = session.exec(select(Category).where(Category.slug == category)).one()
        editor = Editor("editor", site.clock())
        add_posts(session, files, all_categories(session), only=only, site=folder, editor=editor)


@pytest.fixture
def publish(issue: Issue, clock: Clock) -> Callable[..., str]:
    """Queue a post and plan its issue a week later; returns the path of its web version."""

    def publish(name: str, **words: str) -> str:
        queue(issue.site, write_post(issue.site.settings.folder / "posts", name, **words))
        clock.advance(weeks=1)
        return f"/issues/{issue.site.plan_due()[-1].issue_id}/{name}"  # type: ignore[union-attr]

    return publish


@pytest.fixture
def first(issue: Issue) -> str:
    """The path of the first issue's web version."""
    with issue.site.database.read() as session:
        return f"/issues/{session.exec(select(Edition.issue_id)).one()}/first"


def feed_of(web: httpx.Client, slug: str = "advice") -> ET.Element:
    answer = web.get(f"/archive/{slug}/feed.xml")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/atom+xml"
    return ET.fromstring(answer.content)


def titles_of(web: httpx.Client) -> list[str]:
    """What the archive lists, in its order."""
    return re.findall(r"<li><a [^>]*><bdi[^>]*>(.*?)</bdi>", web.get("/archive/advice").text)


def letter_of(site: App, reader: str) -> EmailMessage:
    """The newest letter that the sandbox has for a reader."""
    with site.open_relays() as relays:
        site.send_due(relays, Event())
    newest = max((site.settings.sandbox_folder / reader).glob("*.eml"))
    message = message_from_bytes(newest.read_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def test_the_letter_leads_to_its_page(web: httpx.Client, issue: Issue, first: str) -> None:
    """Archived-At and both bodies name the page, List-Archive the list, and both are there for anybody."""
    message = letter_of(issue.site, "ann@example.org")
    assert message["Archived-At"] == f"<{BASE_URL}{first}>"
    assert message["List-Archive"] == f"<{BASE_URL}/archive/advice>"
    for kind in ("html", "plain"):
        body = message.get_body((kind,))
        assert body is not None
        assert f"{BASE_URL}{first}" in body.get_content()
    page, listed = web.get(first), web.get("/archive/advice")
    assert (page.status_code, listed.status_code) == (200, 200)
    assert "Some words." in page.text
    assert f'<link rel="canonical" href="{BASE_URL}{first}">' in page.text
    assert f'href="{BASE_URL}/archive/advice/feed.xml"' in page.text
    assert f'<a href="{BASE_URL}{first}">' in listed.text


def test_pages_tell_of_no_reader(web: httpx.Client, issue: Issue, first: str) -> None:
    """No page has an address, a token or a place where one would stand."""
    issue.send()
    for path in (first, "/archive/advice", "/archive/advice/feed.xml"):
        text = web.get(path).text
        assert not re.search(r"slot[0-9a-f]{6}|/u/|/preferences/", text)
        assert "ann@" not in text
        assert all(way.removeprefix("/u/") not in text for way in issue.ways_out.values())


def test_looking_changes_nothing(web: httpx.Client, issue: Issue, first: str) -> None:
    """GET and HEAD write no row, and give the same bytes again."""
    before = issue.everything()
    for path in (first, "/archive/advice", "/archive/advice/feed.xml"):
        got, headed = web.get(path), web.head(path)
        assert web.get(path).content == got.content
        assert (headed.status_code, headed.content) == (200, b"")
        assert {**headed.headers, "date": ""} == {**got.headers, "date": ""}
    assert issue.everything() == before


@on_sqlite
def test_pages_may_be_kept_and_found(web: httpx.Client, first: str) -> None:
    """They may be cached for a while and indexed; pictures are shown and nothing runs."""
    for path in (first, "/archive/advice", "/archive/advice/feed.xml"):
        answer = web.get(path)
        assert PUBLIC.items() <= dict(answer.headers).items()
        assert "x-robots-tag" not in answer.headers
        assert "set-cookie" not in answer.headers
        policies = dict(
            part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
        )
        assert policies["default-src"] == "'none'"
        assert {"'self'", "https:"} <= set(policies["img-src"].split())
        assert "script-src" not in policies
    assert '<meta name="robots" content="index, follow">' in web.get(first).text


def test_others_are_not_there(web: httpx.Client, issue: Issue, first: str) -> None:
    """Whatever is wrong with an address, the answer is the one page for that, and no failure."""
    number = first.split("/")[2]
    wrong = [
        f"/issues/{number}/other",
        f"/issues/{number}/",
        f"/issues/{number}",
        f"/issues/{number}/FIRST",
        f"/issues/{number}/%00",
        f"/issues/{number}/%FF",
        f"/issues/{number}/{'a' * 5000}",
        f"/issues/{number}/..%2Ffirst",
        "/issues/0/first",
        "/issues/-1/first",
        f"/issues/{2**63}/first",
        f"/issues/{'9' * 5000}/first",
        "/issues/١/first",
        "/issues/²/first",
        f"/issues/{number}.0/first",
        f"/issues/+{number}/first",
        f"/issues/%20{number}/first",
        "/issues/a/first",
        "/archive/other",
        "/archive/%00",
        "/archive/%00/feed.xml",
        "/archive/other/feed.xml",
        "/archive/advice/",
        "/archive/advice/feed.rss",
        "/media/%00",
    ]
    unknown = web.get("/nothing")
    for path in wrong:
        answer = web.get(path)
        assert (path, answer.status_code, answer.content) == (path, 404, unknown.content)
    assert web.post(first).status_code == 405


def test_a_page_lasts(web: httpx.Client, issue: Issue, first: str) -> None:
    """It stays as it went out when the post changes, its file is gone, or its category is removed."""
    page = web.get(first).text
    path = issue.site.settings.folder / "posts" / "first.md"
    with issue.site.database.write() as session:
        post = session.exec(select(Post)).one()
        post.title, post.source, post.content_hash = (
            "Other",
            path.read_bytes().replace(b"words", b"lies"),
            "x",
        )
        post.path = "elsewhere/other.md"
        session.add(post)
    shutil.rmtree(path.parent)
    with PageServer(issue.site) as other:  # one that has kept nothing
        assert httpx.get(other.url.rstrip("/") + first, trust_env=False).text == page
    with issue.site.database.write() as session:
        editor = Editor("editor", issue.site.clock())
        remove_category(session, session.exec(select(Category)).one(), editor=editor)
    with PageServer(issue.site) as other:
        assert httpx.get(other.url.rstrip("/") + first, trust_env=False).text == page
    assert titles_of(web) == ["A title"]
    assert len(feed_of(web).findall(f"{ATOM}entry")) == 1


def test_a_dropped_post_keeps_its_page(web: httpx.Client, issue: Issue, publish: Callable[..., str]) -> None:
    """What waits in another queue and is dropped there has gone out all the same."""
    with issue.site.database.write() as session:
        words = {"title": "Letters", "cadence": "daily 07:00", "timezone": "UTC"}
        add_category(session, "letters", **words, mode=Mode.BROADCAST, now=issue.site.clock())
    path = publish("second")
    queue(issue.site, issue.site.settings.folder / "posts" / "second.md", category="letters")
    with issue.site.database.write() as session:
        editor = Editor("editor", issue.site.clock())
        change_state(
            session, "second", None, now_in=[EntryState.QUEUED], to=EntryState.DROPPED, editor=editor
        )
    assert web.get(path).status_code == 200
    assert "No letter has gone out yet" in web.get("/archive/letters").text


def test_a_letter_that_was_cut_is_whole_here(
    web: httpx.Client, issue: Issue, publish: Callable[..., str]
) -> None:
    """The page has every word of a post that is too long for mail, and the letter leads to it."""
    text = "\n\n".join(f"Paragraph {number} goes on for a while, as they do." for number in range(2000))
    path = publish("long", text=text)
    with issue.site.database.read() as session:
        html = session.exec(select(Edition.html).order_by(Edition.id.desc())).first()  # type: ignore[attr-defined]
    assert html is not None
    assert "Continue on the web" in html
    assert html.count(f'href="{BASE_URL}{path}"') == 2
    page = web.get(path).text
    assert "Continue on the web" not in page
    assert re.findall(r"Paragraph (\d+) goes", page.split("<h1")[1]) == [
        str(number) for number in range(2000)
    ]


def test_older_and_newer(web: httpx.Client, issue: Issue, clock: Clock, first: str) -> None:
    """Each page leads to its neighbours in the order they went out in, by their titles."""
    folder = issue.site.settings.folder / "posts"
    queue(issue.site, write_post(folder, "third", title="Third <b>"), write_post(folder, "second"))
    with issue.site.database.write() as session:
        editor = Editor("editor", issue.site.clock())
        move(session, "second", session.exec(select(Category)).one(), 1, editor=editor)
    second, third = [
        f"/issues/{issue.site.plan_due()[-1].issue_id}/{name}"  # type: ignore[union-attr]
        for name in ("second", "third")
        if clock.advance(weeks=1)
    ]

    def neighbours(path: str) -> list[tuple[str, str]]:
        link = rf'<bdi dir="ltr">(Newer|Older):</bdi> <a href="{BASE_URL}([^"]*)">'
        return re.findall(link, web.get(path).text)

    assert neighbours(first) == [("Newer", second)]
    assert neighbours(second) == [("Newer", third), ("Older", first)]
    assert neighbours(third) == [("Older", second)]
    assert "Third &lt;b&gt;" in web.get(second).text


def test_the_archive_is_newest_first(web: httpx.Client, publish: Callable[..., str], first: str) -> None:
    """Titles as text, dates of their slots, addresses of their pages."""
    second = publish("second", title="'" + HOSTILE.replace("'", "''") + "'")
    titles = titles_of(web)
    assert len(titles) == 2
    assert titles[0].startswith("&lt;script&gt;")
    assert titles[1] == "A title"
    page = web.get("/archive/advice").text
    links = re.findall(r'<li><a href="([^"]*)">', page)
    assert links == [BASE_URL + second, BASE_URL + first]
    assert re.findall('datetime="([^"]*)"', page) == ["2026-01-13", "2026-01-06"]


def test_a_sequence_has_each_post_once(site: App, clock: Clock) -> None:
    """Whatever number of issues a post went out in, the archive has it once, as it went out last."""
    with site.database.write() as session:
        words = {"title": "Course", "cadence": "daily 08:00", "timezone": "UTC"}
        add_category(session, "advice", **words, mode=Mode.SEQUENCE, now=clock())
    queue(site, *(write_post(site.settings.folder, name, title=name) for name in ("one", "two")))
    issued = []
    for reader in ("ann@example.org", "bo@example.org", "cy@example.org"):
        subscribe(site, reader)
        clock.advance(days=1)
        issued += site.plan_due()
    with PageServer(site) as server, httpx.Client(base_url=server.url, trust_env=False) as web:
        assert sorted(titles_of(web)) == ["one", "two"]
        entries = feed_of(web).findall(f"{ATOM}entry")
        assert sorted(str(entry.findtext(f"{ATOM}title")) for entry in entries) == ["one", "two"]
        ids = [issue.issue_id for issue in issued]  # type: ignore[union-attr]
        assert [web.get(f"/issues/{number}/one").status_code for number in ids] == [200, 200, 200]


def test_the_feed_is_atom(web: httpx.Client, publish: Callable[..., str], first: str) -> None:
    """RFC 4287: what a feed and its entries must have stands there once, and instants are RFC 3339's."""
    second = publish("second", title="'" + HOSTILE.replace("'", "''") + "'", text="Words & <b>bold</b> ones.")
    feed = feed_of(web)
    assert feed.tag == f"{ATOM}feed"
    url = f"{BASE_URL}/archive/advice/feed.xml"
    assert feed.findtext(f"{ATOM}id") == url
    assert feed.findtext(f"{ATOM}title") == "Test letters: Good advice"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Test letters"
    links = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert links == {"self": url, "alternate": f"{BASE_URL}/archive/advice"}
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}id") for entry in entries] == [BASE_URL + second, BASE_URL + first]
    for element in (feed, *entries):
        counts = [len(element.findall(ATOM + name)) for name in ("id", "title", "updated")]
        assert counts == [1, 1, 1]
        assert datetime.fromisoformat(str(element.findtext(f"{ATOM}updated"))).tzinfo is not None
    assert feed.findtext(f"{ATOM}updated") == entries[0].findtext(f"{ATOM}updated") == "2026-01-13T08:00:00Z"
    title = entries[0].find(f"{ATOM}title")
    assert title is not None
    assert title.get("type", "text") == "text"
    assert str(title.text).startswith("<script>alert(")
    content = entries[0].find(f"{ATOM}content")
    assert content is not None
    assert content.get("type") == "html"
    assert re.search("Words &amp; <strong[^>]*>bold</strong> ones.", str(content.text))
    assert "<script" not in str(content.text)
    assert "<html" not in str(content.text)


@on_sqlite
def test_a_feed_has_the_newest_twenty(web: httpx.Client, publish: Callable[..., str]) -> None:
    """Of many issues the newest, the newest first, and the same bytes to whoever asks again."""
    paths = [publish(f"post{number}") for number in range(22)]
    ids = [entry.findtext(f"{ATOM}id") for entry in feed_of(web).findall(f"{ATOM}entry")]
    assert ids == [BASE_URL + path for path in reversed(paths[2:])]
    assert web.get("/archive/advice/feed.xml").content == web.get("/archive/advice/feed.xml").content
    assert len(titles_of(web)) == 23


def test_an_empty_category_has_a_feed(advice: App) -> None:
    """Whoever subscribes to a feed before the first issue gets a sound one, and then no error."""
    with PageServer(advice) as server, httpx.Client(base_url=server.url, trust_env=False) as web:
        feed = feed_of(web)
        assert feed.findall(f"{ATOM}entry") == []
        assert feed.findtext(f"{ATOM}updated") == "2026-01-05T00:00:00Z"
        assert "No letter has gone out yet" in web.get("/archive/advice").text


def test_a_post_from_right_to_left(web: httpx.Client, publish: Callable[..., str]) -> None:
    """The page is in the post's language and direction; our own words in it are marked as English."""
    path = publish("shalom", title="שלום לכולם", text="מילים בעברית, וגם הן נקראות מימין לשמאל.")
    page = web.get(path).text
    assert '<html lang="he" dir="rtl">' in page
    assert re.search('<article[^>]* lang="he" dir="rtl">', page)
    assert '<nav class="muted" aria-label="Other letters" lang="en">' in page
    assert feed_of(web).find(f"{ATOM}entry").get("{http://www.w3.org/XML/1998/namespace}lang") == "he"  # type: ignore[union-attr]


@on_sqlite
def test_pages_are_in_the_theme_of_the_site(issue: Issue, first: str) -> None:
    """A site that looks like `press` has pages that do, too."""

    def look() -> str:
        with (
            closing(open_app(issue.site.settings.folder, issue.site.clock)) as site,
            PageServer(site) as server,
        ):
            return httpx.get(server.url.rstrip("/") + first, trust_env=False).text

    paper = look()
    (issue.site.settings.folder / "theme.toml").write_text('base = "press"\n', encoding="utf-8")
    press = look()
    assert paper != press
    assert re.findall("--accent: (#[0-9a-f]{6})", paper) != re.findall("--accent: (#[0-9a-f]{6})", press)


@on_sqlite
def test_pictures_of_the_store_are_served(web: httpx.Client, issue: Issue, tmp_path: Path) -> None:
    """For good, since their names are what is in them, and of their type; HEAD too."""
    folder = issue.site.settings.media_folder
    for kind, mode in (("jpg", "JPEG"), ("png", "PNG")):
        file = io.BytesIO()
        Image.effect_noise((300, 300), 90).convert("RGB" if kind == "jpg" else "1").save(file, mode)
        (tmp_path / f"a.{kind}").write_bytes(file.getvalue())
        picture = ImageStore(folder).take(f"a.{kind}", tmp_path / "post.md", None)
        answer = web.get(f"/media/{picture.file_name}")
        assert (answer.status_code, answer.content) == (200, picture.data)
        assert answer.headers["content-type"] == picture.media_type
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert web.head(f"/media/{picture.file_name}").headers["content-length"] == str(len(picture.data))


@on_sqlite
def test_nothing_else_is_served_from_there(web: httpx.Client, issue: Issue, tmp_path: Path) -> None:
    """No way out of the folder, no record of a source, no draft, no other file, no list."""
    folder = issue.site.settings.media_folder
    file = io.BytesIO()
    Image.new("RGB", (9, 9)).save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    picture = ImageStore(folder).take("a.png", tmp_path / "post.md", None)
    (folder / "notes.txt").write_text("secret")
    (folder / f"{'a' * 32}.svg").write_text("<svg/>")
    (folder / f"{'a' * 32}.png").mkdir()
    record = next((folder / "sources").iterdir()).name
    names = [
        *("", "%2e", "%2e%2e%2f", "notes.txt", "sources", f"sources/{record}", f"sources%2F{record}", record),
        *("..%2Fpaperround.toml", "..%2fsecret.key", "%2Fetc%2Fpasswd", "%5C..%5Csecret.key"),
        *(f"{'a' * 32}.svg", f"{'a' * 32}.png", f"{'0' * 32}.png", picture.file_name.upper()),
        *(f"{picture.file_name}%00", f"{picture.file_name}%0A", f"x%2F..%2F{picture.file_name}"),
        f"{picture.file_name}/",
    ]  # fmt: skip
    assert {name: web.get(f"/media/{name}").status_code for name in names} == dict.fromkeys(names, 404)


@on_sqlite
def test_a_page_stands_when_pictures_were_never_taken(
    issue: Issue, publish: Callable[..., str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter that went out with links to its blog keeps its page when the site takes pictures by now."""
    path = publish("second", text="![A dog](http://127.0.0.1:9/gone/dog.png)")  # never asked: it is private
    monkeypatch.setenv("PAPERROUND_IMAGES__POLICY", "host")
    with (
        closing(open_app(issue.site.settings.folder, clock)) as site,
        PageServer(site) as server,
        httpx.Client(base_url=server.url, trust_env=False) as web,
    ):
        page = web.get(path).text
        assert 'alt="A dog"' in page
        assert 'src="http://127.0.0.1:9/gone/dog.png"' in page
        assert len(feed_of(web).findall(f"{ATOM}entry")) == 2
