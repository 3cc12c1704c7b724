"""The preview in a browser: what is sent, in every light; anew at each save; for this machine, and inert."""

import asyncio
import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from newsletter.content.folder import posts_in
from newsletter.content.post import read_post
from newsletter.errors import SiteError
from newsletter.render.edition import EditionMaker
from newsletter.render.proof import Proof, example_reader, make_proof, usual_occasion
from newsletter.settings import Settings
from newsletter.settings_file import load_settings
from newsletter.site import make_site
from newsletter.web import preview
from newsletter.web.lenses import Lens, seen_through, with_pictures
from newsletter.web.preview import Desk, make_preview
from newsletter.web.server import WebServer
from tests.conftest import GIVEN, MONDAY
from tests.node_tools import View, axe_violations
from tests.web.conftest import NO_TLS
from tests.web.test_pages_look import CHROMIUM, browse, needs_chromium

POST = """---
title: A question of time
categories: [advice]
---

Two people talked. It was long.

![A chart](/assets/chart.png)

**Ann**

How long is long enough?

**Bo**

Until it is *done*.

---

Ann said nothing more.

[here](https://example.org)
"""
VIEWS = ("letter", "dark", "no-images", "no-style", "text", "source", "headers", "outline", "check")
SAMPLES = sorted((Path(preview.__file__).parents[1] / "demo" / "posts").glob("*.md"))


@dataclass
class Blog:
    """A post with a picture on its blog, and the site that it is for."""

    post: Path
    site: Path

    @property
    def chart(self) -> Path:
        return self.post.parents[1] / "assets" / "chart.png"

    def desk(self, path: Path | None = None) -> Desk:
        return Desk(path or self.post, self.site, lambda: load_settings(self.site))


@pytest.fixture
def blog(tmp_path: Path) -> Blog:
    root = tmp_path / "blog"
    for folder in ("_posts", "assets"):
        (root / folder).mkdir(parents=True)
    (root / "_config.yml").touch()
    made = Blog(root / "_posts" / "2026-01-06-a-question.md", tmp_path / "site")
    made.post.write_text(POST, encoding="utf-8")
    Image.new("RGB", (40, 20), "red").save(made.chart)
    make_site(made.site, GIVEN)
    return made


class Served:
    """A running preview, and a browser that looks at it."""

    def __init__(self, desk: Desk) -> None:
        self._closing = Event()
        self._server = WebServer(
            lambda: make_preview(desk, self._closing), "127.0.0.1", 0, what="the preview", remedy="wait"
        )

    def __enter__(self) -> httpx.Client:
        self._server.__enter__()
        self._web = httpx.Client(
            base_url=self._server.url, trust_env=False, verify=NO_TLS, timeout=60, follow_redirects=True
        )
        return self._web

    def __exit__(self, *exception: Any) -> None:
        self._closing.set()
        self._web.close()
        self._server.__exit__(None, None, None)


@pytest.fixture
def web(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(preview, "LOOK_SECONDS", 0.01)
    with Served(blog.desk()) as client:
        yield client


def id_in(web: httpx.Client) -> str:
    return web.get("/").url.path.strip("/")


def proof_of(path: Path) -> Proof:
    settings = Settings.model_validate({"site": GIVEN})
    source = read_post(path)
    maker = EditionMaker(settings, None)
    return make_proof(maker, source, usual_occasion(source), example_reader(settings), MONDAY)


def in_letter(path: Path) -> dict[str, str]:
    """The parts of a proof's message, decoded as a mail program does, by subtype."""
    message = message_from_bytes(proof_of(path).message, policy=policy.default)
    assert isinstance(message, EmailMessage)
    parts = {part.get_content_subtype(): part.get_content() for part in message.iter_parts()}
    return {kind: str(content).replace("\r\n", "\n") for kind, content in parts.items()}


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_is_shown_is_what_is_sent(path: Path) -> None:
    """A proof's HTML and text are, to the character, those in the message that a reader gets."""
    proof, parts = proof_of(path), in_letter(path)
    assert proof.html == parts["html"]
    assert proof.text == parts["plain"]
    assert dict(proof.fields)["Subject"] == proof.subject
    assert proof.html_bytes == len(parts["html"].encode())
    assert 0 < proof.style_bytes < proof.html_bytes


def test_the_outline_has_every_word_once_and_in_order(tmp_path: Path) -> None:
    """Who says what, in what form; what was read as narration through doubt has the doubt beside it."""
    path = tmp_path / "a.md"
    path.write_text(POST, encoding="utf-8")
    sections = proof_of(path).sections
    told = [(section.form, one.speaker, one.words) for section in sections for one in section.passages]
    assert [words for _, _, words in told if words][:4] == [
        "Two people talked. It was long.",
        "How long is long enough?",
        "Until it is done.",
        "Ann said nothing more.",
    ]
    assert [(form, who) for form, who, words in told if words][:4] == [
        (None, None),
        ("talk", "Ann"),
        ("talk", "Bo"),
        (None, None),
    ]


def test_a_doubt_stands_at_its_words(tmp_path: Path) -> None:
    """A paragraph that names its own speaker is narration, and its passage says why."""
    path = tmp_path / "a.md"
    path.write_text("Hello.\n\n**Ann**\n\nYes.\n\n**Bo**\n\nNo.\n\nWhat Bo means is maybe.", encoding="utf-8")
    proof = proof_of(path)
    doubted = [one for section in proof.sections for one in section.passages if one.doubts]
    assert [one.words for one in doubted] == ["What Bo means is maybe."]
    assert len(doubted[0].doubts) == len(proof.document.doubts) == 1
    assert proof.doubts_elsewhere == ()


def test_where_a_long_letter_is_cut(tmp_path: Path) -> None:
    """The last words before the cut are told, and no later ones are there; a whole letter has none."""
    path = tmp_path / "a.md"
    path.write_text(
        "\n\n".join(f"{n} begins " + "word " * 60 + f"ends number{n:05}" for n in range(900)), "utf-8"
    )
    proof = proof_of(path)
    assert proof.is_cut
    found = re.fullmatch(r"word word word word word word ends number(\d{5})", proof.cut_after)
    assert found is not None
    assert f"number{found[1]}" in proof.html
    assert f"number{int(found[1]) + 1:05}" not in proof.html
    path.write_text("Short.", "utf-8")
    assert proof_of(path).cut_after == ""


def test_a_cut_inside_of_a_table(tmp_path: Path) -> None:
    """Even a long table is told by its last words; what comes after it, and is short, misleads nobody."""
    path = tmp_path / "a.md"
    rows = "\n".join(f"| cell {n} | row{n:05} |" for n in range(3000))
    path.write_text(f"Before.\n\n| a | b |\n|---|---|\n{rows}\n\ncell\n\nAfter.", "utf-8")
    proof = proof_of(path)
    found = re.search(r"row(\d{5})$", proof.cut_after)
    assert proof.is_cut
    assert found is not None
    assert f"row{found[1]}" in proof.html
    assert f"row{int(found[1]) + 1:05}" not in proof.html


SHOWN = {
    "letter": ("<iframe", "lens=light", 'width="700"', 'width="375"'),
    "dark": ("lens=dark", 'class="in-dark"'),
    "no-images": ("lens=no-images",),
    "no-style": ("lens=no-style",),
    "text": ("Until it is", "Unsubscribe:"),
    "source": ("&lt;mjml ", "&lt;!doctype html&gt;"),
    "headers": ("List-Unsubscribe-Post", "A question of time", "MIME-Version: 1.0"),
    "outline": ("<bdi>Ann</bdi>", "Talk", "Narration"),
    "check": ("link-vague", "2026-01-06-a-question.md:22", "To mend it:"),
}


@pytest.mark.parametrize("view", VIEWS)
def test_every_view(web: httpx.Client, view: str) -> None:
    """Each view has its own address, names itself, and shows the sizes and the number of findings."""
    page = web.get(f"/{id_in(web)}", params={"view": view})
    assert page.status_code == 200
    for words in (*SHOWN[view], f'href="?view={view}" aria-current="page"', "102,000 bytes", "16,384 bytes"):
        assert words in page.text
    assert "Check<span" in page.text


def test_nothing_else_is_there(web: httpx.Client) -> None:
    """Other views, posts, pictures and paths are not found, and say nothing of what there is."""
    post = id_in(web)
    paths = [f"/{post}?view=no", "/0000000000000000", f"/{post}/picture/1", f"/{post}/picture/-1", "/x/y/z"]
    paths += [f"/{post}/picture/..%2f..%2f_config.yml", f"/{post}/letter/", "/0000000000000000/changes"]
    for path in paths:
        assert web.get(path).status_code in (404, 422), path


LETTER = SAMPLES[0]


def test_each_lens_shows_what_it_is_for() -> None:
    """Dark and light hold whatever the machine prefers; without images or style nothing of them is left."""
    letter = proof_of(LETTER).html
    assert "prefers-color-scheme" in letter
    seen = {lens: seen_through(letter, lens) for lens in Lens}
    assert not any("(prefers-color-scheme" in one for one in seen.values())
    assert "@media all" in seen[Lens.DARK]
    assert "@media not all" in seen[Lens.LIGHT]
    assert "color-scheme:dark" in seen[Lens.DARK]
    assert "light dark" not in seen[Lens.DARK] + seen[Lens.LIGHT]
    assert "<style" not in seen[Lens.NO_STYLE]
    image = '<head></head><p><img alt="a > b" src="https://e.org/p.png" srcset="q.png 2x" width="9" /></p>'
    assert '<img alt="a > b" width="9" />' in seen_through(image, Lens.NO_IMAGES)
    assert all(one.count('<base target="_blank">') == 1 for one in seen.values())


@given(st.text(), st.sampled_from(Lens))
def test_words_are_not_a_lens_s_business(words: str, lens: Lens) -> None:
    """Whatever a letter says, in whatever lens, stays as it is, though it speak of colour schemes."""
    said = html.escape(f"{words} @media (prefers-color-scheme:dark) {{ color-scheme:light dark }} src=")
    assert f"<p>{said}</p>" in seen_through(f"<html><head></head><body><p>{said}</p></body></html>", lens)


def test_pictures_are_moved_by_their_whole_address() -> None:
    """Only `src` of an image is changed, and only one that is named."""
    letter = '<p>https://e.org/a.png</p><img src="https://e.org/a.png?x=1&amp;y=2" alt="https://e.org/a.png">'
    assert with_pictures(letter, {"https://e.org/a.png": "/1"}) == letter
    moved = with_pictures(letter, {"https://e.org/a.png?x=1&y=2": "/1"})
    assert moved == letter.replace("https://e.org/a.png?x=1&amp;y=2", "/1")


def test_local_pictures_come_from_disk(web: httpx.Client, blog: Blog) -> None:
    """The frame shows the file itself; the letter that is sent keeps the blog's address."""
    post = id_in(web)
    frame = web.get(f"/{post}/letter").text
    assert f'src="/{post}/picture/0"' in frame
    picture = web.get(f"/{post}/picture/0")
    assert picture.content == blog.chart.read_bytes()
    assert picture.headers["content-type"] == "image/png"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert "https://news.example.org/assets/chart.png" in web.get(f"/{post}?view=source").text


def test_no_other_file_is_served(web: httpx.Client, blog: Blog, tmp_path: Path) -> None:
    """Not one outside of the blog, by no way, and none that is no picture."""
    (tmp_path / "secret.png").write_bytes(b"secret")
    (blog.chart.parent / "link.png").symlink_to(tmp_path / "secret.png")
    (blog.chart.parent / "notes.txt").write_text("secret", encoding="utf-8")
    named = ["/assets/link.png", "../../secret.png", "/assets/notes.txt", "file:///etc/hostname"]
    named += [str(tmp_path / "secret.png"), "/assets/../../secret.png", "%2e%2e/%2e%2e/secret.png"]
    blog.post.write_text("\n\n".join(f"![x]({name})" for name in named), encoding="utf-8")
    post = id_in(web)
    assert "picture/" not in web.get(f"/{post}/letter").text
    for number in range(len(named) + 1):
        assert web.get(f"/{post}/picture/{number}").status_code == 404


@pytest.mark.parametrize("policy", ["host", "embed"])
def test_pictures_that_the_site_takes_are_shown(
    blog: Blog, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    """Where letters hold pictures made fit for mail, or link to them, the frame shows just those."""
    monkeypatch.setenv("PAPERROUND_IMAGES__POLICY", policy)
    with Served(blog.desk()) as web:
        post = id_in(web)
        assert f'src="/{post}/picture/0"' in web.get(f"/{post}/letter").text
        taken = web.get(f"/{post}/picture/0")
    assert taken.content in [path.read_bytes() for path in (blog.site / "media").glob("*.png")]


def test_only_for_this_machine(web: httpx.Client) -> None:
    """A rebound name, or a proxy that passes something on, finds nothing at any address."""
    post = id_in(web)
    for path in ("/", f"/{post}", f"/{post}/letter", f"/{post}/picture/0", f"/{post}/changes"):
        for headers in ({"Host": "evil.example.org"}, {"X-Forwarded-For": "192.0.2.1"}):
            answer = web.get(path, headers=headers)
            assert (path, answer.status_code, answer.text) == (path, 404, "There is nothing here.")


def test_a_hostile_post_is_inert(web: httpx.Client, blog: Blog) -> None:
    """Scripts run neither in the frame nor in the page around it, whatever the post holds."""
    hostile = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    blog.post.write_text(
        f"---\ntitle: '{hostile}'\nlang: en\nspeakers: [{{name: \"{hostile}\"}}]\n---\n{hostile}\n\n"
        f"**{hostile}**\n\n{hostile}\n\n{{{{ 7*7 }}}} ![{hostile}](/assets/chart.png)\n",
        encoding="utf-8",
    )
    post = id_in(web)
    for view in VIEWS:
        page = web.get(f"/{post}", params={"view": view})
        assert page.text.count("<script") == 1
        assert "onerror=alert(1)>" not in page.text.lower()
        nonce = re.search(r'<script nonce="([\w-]+)">', page.text)
        assert nonce is not None
        rules = page.headers["content-security-policy"]
        assert f"script-src 'nonce-{nonce[1]}'" in rules
        assert "default-src 'none'" in rules
        assert "allow-scripts" not in page.text
    assert web.get(f"/{post}").text != web.get(f"/{post}").text  # a nonce is used once
    for lens in Lens:
        frame = web.get(f"/{post}/letter", params={"lens": lens})
        assert "<script" not in frame.text
        assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", frame.text)
        rules = frame.headers["content-security-policy"]
        assert rules.startswith("sandbox ")
        assert "allow-scripts" not in rules
        assert "script-src" not in rules
        assert "default-src 'none'" in rules


def broken_front_matter(blog: Blog) -> tuple[Path, str]:
    return blog.post, POST.replace("title: A question", "date: soon\ntitle: A question")


def broken_template(blog: Blog) -> tuple[Path, str]:
    return blog.site / "templates" / "email" / "issue.txt.j2", "one\n{{ nothing.at_all }}\n"


def broken_theme(blog: Blog) -> tuple[Path, str]:
    return blog.site / "theme.toml", 'base = "no-such"\n'


def broken_settings(blog: Blog) -> tuple[Path, str]:
    return blog.site / "paperround.toml", "[site]\nname = 3\n"


@pytest.mark.parametrize("breaking", [broken_front_matter, broken_template, broken_theme, broken_settings])
def test_a_broken_save_says_so_and_recovers(web: httpx.Client, blog: Blog, breaking: Any) -> None:
    """Whatever of a letter is broken, the page says where and why, in every view, until it is mended."""
    path, text = breaking(blog)
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    post = id_in(web)
    for view in ("letter", "check", "text"):
        page = web.get(f"/{post}", params={"view": view}).text
        told = re.search(r'role="alert">([^<]+)<', page)
        assert told is not None
        assert re.match(rf"{re.escape(str(path))}:\d+: ", html.unescape(told[1]))
        assert "<iframe" not in page
    assert web.get(f"/{post}/letter").text == ""
    if before is None:
        path.unlink()
    else:
        path.write_bytes(before)
    assert "<iframe" in web.get(f"/{post}").text


def test_what_a_version_follows_from(blog: Blog) -> None:
    """It changes with each thing that the letter is made of, and with nothing else; as does what is shown."""
    desk = blog.desk()
    first = desk.look(blog.post)
    assert desk.version(blog.post) == first.version
    assert desk.look(blog.post) is first
    (blog.post.parent / "another.md").write_text("x", encoding="utf-8")
    (blog.site / "notes.txt").write_text("x", encoding="utf-8")
    assert desk.version(blog.post) == first.version
    template = blog.site / "templates" / "email" / "x.j2"
    template.parent.mkdir(parents=True, exist_ok=True)
    changed = [blog.post, blog.chart, blog.site / "paperround.toml", blog.site / "theme.toml", template]
    seen = {first.version}
    for path in changed:
        with path.open("a", encoding="utf-8") as file:
            file.write("\n")
        now = desk.version(blog.post)
        assert now not in seen, path
        seen.add(now)
        assert desk.look(blog.post).version == now
    blog.chart.unlink()
    assert desk.version(blog.post) not in seen
    missing = desk.look(blog.post)
    assert [finding.rule for finding in missing.findings if finding.rule.startswith("image")] == [
        "image-missing"
    ]
    Image.new("RGB", (40, 20), "blue").save(blog.chart)
    assert desk.version(blog.post) != missing.version


def told(versions: list[str], seen: str) -> list[str]:
    """What is told of versions that are found one after the other."""
    closing = Event()
    left = iter(versions)

    class Scripted(Desk):
        def version(self, path: Path) -> str:
            found = next(left, None)
            if found is None:
                closing.set()
            return found or versions[-1]

    async def listen() -> list[str]:
        desk = Scripted(Path("post.md"), None, lambda: Settings.model_validate({"site": GIVEN}))
        handlers = preview._Preview(desk, closing)
        return [event async for event in handlers.changes(desk.path, seen)]

    first, *events = asyncio.run(listen())
    assert first.startswith("retry: ")
    return [event.removeprefix("id: ").removesuffix("\ndata: changed\n\n") for event in events]


@pytest.mark.parametrize(
    ("versions", "seen", "expected"),
    [
        ("aaaa", "a", []),
        ("aabbb", "a", ["b"]),
        ("aaxa", "a", []),  # missing for a moment: an atomic save, half done
        ("aaxbb", "a", ["b"]),  # the same, and it came back changed
        ("abcdd", "a", ["d"]),  # still being written
        ("bb", "a", ["b"]),  # saved between the page and the connection
        ("bbaa", "a", ["b", "a"]),
        ("aa", "", ["a"]),
    ],
)
def test_a_change_is_told_once_it_holds_still(
    monkeypatch: pytest.MonkeyPatch, versions: str, seen: str, expected: list[str]
) -> None:
    """Each state that lasts is told once; what passes is not."""
    monkeypatch.setattr(preview, "LOOK_SECONDS", 0)
    assert told(list(versions), seen) == expected


def test_a_save_reaches_the_page(web: httpx.Client, blog: Blog) -> None:
    """The connection that the page keeps open tells of a save, by rename too; a late one is not missed."""
    post = id_in(web)
    since = re.search(r"since=(\w+)", web.get(f"/{post}").text)
    assert since is not None
    with web.stream("GET", f"/{post}/changes", params={"since": since[1]}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        new = blog.post.with_suffix(".new")
        new.write_text(POST.replace("long enough", "too long"), encoding="utf-8")
        new.replace(blog.post)
        seen = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
    assert "too long" in web.get(f"/{post}?view=text").text
    blog.post.write_text(POST, encoding="utf-8")
    with web.stream("GET", f"/{post}/changes", headers={"Last-Event-ID": seen}) as stream:
        assert next(line for line in stream.iter_lines() if line.startswith("id: ")) != f"id: {seen}"


def test_a_folder_s_posts_the_newest_first(blog: Blog) -> None:
    """Each leads to its preview; one that cannot be read says why; what is hidden stays so."""
    folder = blog.post.parent
    shutil.copy(SAMPLES[0], folder)
    (folder / "undated.markdown").write_text("Some words.", encoding="utf-8")
    (folder / "2027-01-01-broken.md").write_text("---\ntitle: [\n", encoding="utf-8")
    for hidden in (".drafts", "_site"):
        (folder / hidden).mkdir()
        (folder / hidden / "x.md").write_text("Hidden.", encoding="utf-8")
    with Served(blog.desk(folder)) as web:
        page = web.get("/").text
        names = re.findall(r"· <bdi>([^<]+)</bdi>", page)
        assert names == [SAMPLES[0].name, blog.post.name, "undated.markdown", "2027-01-01-broken.md"]
        assert "2027-01-01-broken.md:" in page
        links = re.findall(r'<li><a href="(/\w+)">', page)
        assert [web.get(link).status_code for link in links] == [200] * 4
        assert "A question of time" in web.get(links[1]).text
        assert 'href="/">All posts' in web.get(links[0]).text
        assert 'role="alert"' in web.get(links[3]).text
        blog.post.unlink()
        assert "there is no such file" in web.get(links[1]).text


def test_posts_in_a_folder_that_is_empty(tmp_path: Path) -> None:
    """No post, no error."""
    assert list(posts_in(tmp_path)) == []
    with Served(Desk(tmp_path, None, lambda: Settings.model_validate({"site": GIVEN}))) as web:
        assert "0 posts" in web.get("/").text


def test_a_database_that_cannot_be_asked_keeps_nobody_from_looking(
    blog: Blog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The category is shown as the post names it, and the page says so."""
    monkeypatch.setenv("PAPERROUND_DATABASE__URL", "postgresql://me@127.0.0.1:1/none?connect_timeout=1")
    with Served(blog.desk()) as web:
        page = web.get("/").text
    assert "The category is shown as the post names it" in page
    assert "<iframe" in page


def test_a_taken_port_is_told(blog: Blog) -> None:
    """With what to do about it."""
    closing = Event()
    with WebServer(
        lambda: make_preview(blog.desk(), closing), "127.0.0.1", 0, what="the preview", remedy="wait"
    ) as one:
        port = int(one.url.rpartition(":")[2].strip("/"))
        other = WebServer(
            lambda: make_preview(blog.desk(), closing), "127.0.0.1", port, what="the preview", remedy="wait"
        )
        with (
            pytest.raises(SiteError, match=rf"the preview cannot be served at 127.0.0.1:{port}: .*; wait"),
            other,
        ):
            pass


def test_axe_finds_nothing_wrong(web: httpx.Client, blog: Blog) -> None:
    """In each kind of view, light and dark, on a phone and on a desk; and where something is broken."""
    post = id_in(web)
    kinds = ("letter", "text", "headers", "outline", "check")
    pages = {view: web.get(f"/{post}", params={"view": view}).text for view in kinds}
    blog.post.write_text("---\n", encoding="utf-8")
    pages["broken"] = web.get(f"/{post}").text
    with Served(blog.desk(blog.post.parent)) as folder:
        pages["folder"] = folder.get("/").text
    views = [View("light", 375), View("dark", 1300)]
    # The frames hold no letter here: about:blank has neither a language nor a title.
    plain = {name: re.sub(r' src="/[^"]*"', "", page) for name, page in pages.items()}
    assert axe_violations(plain, views=views) == []


@needs_chromium
def test_browsers_have_no_complaint(web: httpx.Client, tmp_path: Path) -> None:
    """The pages and the frames load under their own policies, and the page gets its connection."""
    post = id_in(web)
    for view in ("letter", "no-images", "check"):
        shown, complaints = browse(tmp_path / view, f"{web.base_url}{post}?view={view}")
        assert "<h1" in shown
        assert complaints == []


class Browser:
    """A page in Chromium, by its DevTools protocol over a pipe: JSON messages that end with a NUL."""

    def __init__(self, profile: Path) -> None:
        ours, theirs = os.pipe(), os.pipe()
        flags = (
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "disable-dev-shm-usage",
            "no-first-run",
        )
        flags += (
            "no-proxy-server",
            f"user-data-dir={profile}",
            "remote-debugging-pipe",
            "window-size=1300,900",
        )
        command = ["bash", "-c", f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}', "bash", str(CHROMIUM)]
        self._process = subprocess.Popen(
            [*command, *(f"--{flag}" for flag in flags)],
            pass_fds=(ours[0], theirs[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(ours[0])
        os.close(theirs[1])
        self._orders, self._reports = os.fdopen(ours[1], "wb", 0), os.fdopen(theirs[0], "rb")
        self._count = 0
        self._session: dict[str, str] = {}
        target = self._order("Target.createTarget", url="about:blank")["targetId"]
        session = self._order("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *exception: object) -> None:
        self._orders.close()
        self._reports.close()
        self._process.kill()
        self._process.wait()

    def _order(self, method: str, **params: object) -> Any:
        self._count += 1
        order = {"id": self._count, "method": method, "params": params, **self._session}
        self._orders.write(json.dumps(order).encode() + b"\0")
        while True:
            message = b""
            while not message.endswith(b"\0"):
                octet = self._reports.read(1)
                assert octet, "the browser is gone"
                message += octet
            answer = json.loads(message[:-1])
            if answer.get("id") == self._count:
                assert "result" in answer, answer
                return answer["result"]

    def open(self, address: str) -> None:
        self._order("Page.navigate", url=address)

    def run(self, script: str) -> Any:
        """What a script comes to, in the page; a promise is waited for."""
        done = self._order("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def until(self, condition: str) -> None:
        """Return when a condition holds in the page."""
        self.run(
            "new Promise((done, fail) => { "
            f"const holds = () => {{ try {{ return {condition}; }} catch {{ }} }}; "
            "const end = Date.now() + 60_000; const look = () => { if (holds()) done(); "
            "else if (Date.now() > end) fail('it never held'); else setTimeout(look, 20); }; look(); })"
        )


@needs_chromium
def test_the_page_keeps_its_place(web: httpx.Client, blog: Blog, tmp_path: Path) -> None:
    """Saved again and again, broken and mended, the page and its frames stay where one was reading."""
    long = POST + "\n\n".join(f"Paragraph {number}." for number in range(200))
    blog.post.write_text(long, encoding="utf-8")
    frames = "[...document.querySelectorAll('iframe')].map((frame) => frame.contentWindow)"
    place = f"[scrollY, ...{frames}.map((frame) => frame.scrollY)].join()"
    said = f"{frames}.map((frame) => frame.document.body.innerText).join()"
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{web.base_url}{id_in(web)}?view=dark")
        browser.until(f"live.className === 'on' && {said}.split('Paragraph 199').length === 3")
        browser.run(f"scrollTo(0, 60); {frames}.forEach((frame) => frame.scrollTo(0, 700))")
        assert browser.run(place) == "60,700,700"
        blog.post.write_text(long.replace("long enough", "too long"), encoding="utf-8")
        browser.until(f"{said}.split('too long').length === 3 && {place} === '60,700,700'")
        blog.post.write_text(long.replace("title: A", "title: [A"), encoding="utf-8")
        browser.until("document.querySelector('[role=alert]').textContent.includes('a-question.md:')")
        blog.post.write_text(long, encoding="utf-8")
        browser.until(f"{said}.split('long enough').length === 3 && {place} === '60,700,700'")
        assert browser.run("document.querySelector('[aria-current]').textContent") == "Dark"
        assert browser.run("document.querySelector('iframe').src").endswith("lens=dark")
