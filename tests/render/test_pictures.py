"""Pictures for a reader: linked, hosted, embedded; from `queue add` to the letter and its page."""

import io
import json
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import httpx
import pytest
from PIL import Image

from newsletter.app import App, open_app
from newsletter.content.post import PostSource, parse_post
from newsletter.content.threads import document_of
from newsletter.errors import ContentError
from newsletter.images.errors import ImageError
from newsletter.render.message import content_id
from newsletter.render.pictures import Gallery, Hung, read_pictures
from newsletter.states import PicturePolicy
from newsletter.web.server import PageServer
from tests.conftest import Cli, Clock, subscribe
from tests.mailserver import MailServer
from tests.web.conftest import TUESDAY

MEDIA = "https://news.example.org/media"
BLOG = "https://ann.example/"
HOST, EMBED, LINK = PicturePolicy.HOST, PicturePolicy.EMBED, PicturePolicy.LINK
BOTH = pytest.mark.parametrize("policy", [HOST, EMBED])


def png(width: int = 20, height: int = 10, colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(file, "PNG")
    return file.getvalue()


class Blog:
    """A blog on disk: `blog.hang(policy, words)` places the pictures of a post with these words."""

    def __init__(self, folder: Path) -> None:
        self.media = folder / "media"
        self.root = folder / "blog"
        for name, data in {
            "_posts/cat.png": png(),
            "assets/dog.png": png(1000, 500, "blue"),
            "assets/pixel.png": png(1, 1),
            "assets/ben.png": png(40, 40, "green"),
        }.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_bytes(data)

    def source(self, words: str, front: str = "") -> PostSource:
        path = self.root / "_posts" / "post.md"
        return parse_post(f"---\ntitle: x\n{front}---\n{words}\n".encode(), path)

    def hang(self, policy: PicturePolicy, words: str, front: str = "") -> Hung:
        source = self.source(words, front)
        document = document_of(source, base_url=BLOG)
        return Gallery(policy, self.media, MEDIA, fetches=True).hang(document, source, source.path, BLOG)


@pytest.fixture
def blog(tmp_path: Path) -> Blog:
    return Blog(tmp_path)


@pytest.fixture
def nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for an address fails the test."""
    monkeypatch.setattr("socket.getaddrinfo", lambda *asked, **_: pytest.fail(f"asked for {asked}"))


def images(document: object) -> list[dict[str, str]]:
    """The attributes of the pictures of a document, in order."""
    return [dict(image.attrib) for body in document.bodies for image in body.iter("img")]  # type: ignore[attr-defined]


def test_linked_pictures_stay_where_they_are(blog: Blog, nothing_is_fetched: None) -> None:
    """Under `link` the size of what is on disk is set, and all else is left as it is and asked of nobody."""
    words = "![Cat](cat.png) ![Dog](/assets/dog.png) ![Far](https://far.example/a.png) ![No](no.png)"
    hung = blog.hang(LINK, words)
    assert images(hung.for_mail) == [
        {"src": f"{BLOG}cat.png", "alt": "Cat", "width": "20", "height": "10"},
        {"src": f"{BLOG}assets/dog.png", "alt": "Dog", "width": "536", "height": "268"},
        {"src": "https://far.example/a.png", "alt": "Far"},
        {"src": f"{BLOG}no.png", "alt": "No"},
    ]
    assert hung.for_web == hung.for_mail
    assert hung.embedded == ()
    assert not blog.media.exists()


@pytest.mark.parametrize(
    "target", ["http://[", "data:image/png;base64,AAAA", "{{ site.url }}/a.png", "../../../x.png"]
)
def test_under_link_nothing_fails(blog: Blog, nothing_is_fetched: None, target: str) -> None:
    """A picture that is at no address, or is none, hinders no letter that only links to it."""
    (blog.root / "_posts" / "cat.png").write_bytes(b"no picture")
    blog.hang(LINK, f"Words. ![A]({target}) ![Cat](cat.png)")


@BOTH
def test_taken_pictures(blog: Blog, policy: PicturePolicy, nothing_is_fetched: None) -> None:
    """They are served under the hash of what they hold; embedded ones are named by it within the message."""
    hung = blog.hang(policy, "![Cat](cat.png)\n\n![Dog](/assets/dog.png)\n\n![Cat](cat.png)")
    shown, on_web = images(hung.for_mail), images(hung.for_web)
    names = [image["src"].removeprefix(f"{MEDIA}/") for image in on_web]
    assert names[0] == names[2] != names[1]
    assert all((blog.media / name).is_file() for name in names)
    assert [(image["width"], image["height"]) for image in shown] == [
        ("20", "10"),
        ("536", "268"),
        ("20", "10"),
    ]
    if policy is HOST:
        assert shown == on_web
        assert hung.embedded == ()
    else:
        assert [image["src"] for image in shown] == [f"cid:{content_id(name)}" for name in names]
        assert hung.embedded == (names[0], names[1])
        assert set(read_pictures(blog.media, hung.embedded)) == {names[0], names[1]}


@BOTH
def test_what_was_taken_once_is_there_for_good(blog: Blog, policy: PicturePolicy) -> None:
    """The post is placed again alike when its pictures are gone from the blog."""
    words = "![Cat](cat.png)\n\n![Dog](/assets/dog.png)"
    before = blog.hang(policy, words)
    (blog.root / "_posts" / "cat.png").unlink()
    (blog.root / "assets" / "dog.png").unlink()
    after = blog.hang(policy, words)
    assert (images(after.for_mail), images(after.for_web)) == (
        images(before.for_mail),
        images(before.for_web),
    )
    assert after.embedded == before.embedded


@pytest.mark.parametrize("policy", PicturePolicy)
@pytest.mark.parametrize(
    "pixel",
    [
        "![](/assets/pixel.png)",
        '<img src="https://count.example/a.gif" width="1" height="1">',
        '<img src="https://count.example/a.gif" width="0" height="0">',
    ],
)
def test_pictures_that_count_readers_are_left_out(
    blog: Blog, policy: PicturePolicy, pixel: str, nothing_is_fetched: None
) -> None:
    """They are not asked for, not shown, and no part of the message."""
    hung = blog.hang(policy, f"Words.\n\n{pixel}\n\n![Cat](cat.png)")
    assert [image["alt"] for image in images(hung.for_mail)] == ["Cat"]
    assert [image["alt"] for image in images(hung.for_web)] == ["Cat"]
    assert len(hung.embedded) == (policy is EMBED)


@BOTH
def test_a_missing_picture_names_file_and_line(blog: Blog, policy: PicturePolicy) -> None:
    """What is to be taken and cannot be is an error at its line, whatever else stands in the post."""
    words = "One.\n\n`![Bad](http://[)`\n\n![No](http://127.0.0.1:9/no.png)"
    with pytest.raises(ImageError, match=r"post\.md:8: picture http://127\.0\.0\.1:9/no\.png") as caught:
        blog.hang(policy, words)
    assert (caught.value.path, caught.value.line) == (blog.root / "_posts" / "post.md", 8)


@BOTH
def test_speakers_have_hosted_faces(blog: Blog, policy: PicturePolicy) -> None:
    """An avatar is taken too, and is served; a part of the message it is only where the text shows it."""
    front = "speakers:\n  Ben: {avatar: /assets/ben.png, link: /about/ben}\n  Dana: {}\n"
    hung = blog.hang(policy, "**Ben:** One.\n\n**Dana:** Two.", front)
    ben, dana = hung.speakers
    assert ben.avatar is not None
    assert (blog.media / ben.avatar.removeprefix(f"{MEDIA}/")).is_file()
    assert (ben.link, dana.avatar) == (f"{BLOG}about/ben", None)
    assert hung.embedded == ()
    with pytest.raises(ImageError, match=r"gone\.png"):
        blog.hang(policy, "Words.", "speakers:\n  Ben: {avatar: 'http://127.0.0.1:9/gone.png'}\n")


def test_linked_faces_are_at_web_addresses(blog: Blog, nothing_is_fetched: None) -> None:
    """Under `link` an avatar is where the blog has it."""
    (ben,) = blog.hang(LINK, "Words.", "speakers:\n  Ben: {avatar: /assets/ben.png}\n").speakers
    assert ben.avatar == f"{BLOG}assets/ben.png"


def test_pictures_too_heavy_to_embed(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how heavy they are and what to do; the same picture twice weighs once."""
    monkeypatch.setattr("newsletter.render.pictures.MAX_EMBEDDED_BYTES", len(png()) + 40)
    once = blog.hang(EMBED, "![Cat](cat.png) ![Cat](cat.png)").embedded
    assert len(read_pictures(blog.media, once)) == 1
    both = blog.hang(EMBED, "![Cat](cat.png) ![Dog](/assets/dog.png)").embedded
    with pytest.raises(ContentError, match=r'pictures weigh [\d,]+ bytes.*policy = "host"'):
        read_pictures(blog.media, both)
    assert blog.hang(HOST, "![Cat](cat.png) ![Dog](/assets/dog.png)").embedded == ()


@BOTH
def test_a_letter_shows_what_was_taken_when_its_post_was_queued(blog: Blog, policy: PicturePolicy) -> None:
    """Whatever became of the file since, and wherever the site's folder has gone."""
    source = blog.source("![Cat](cat.png)")
    document = document_of(source, base_url=BLOG)

    def sources(media: Path, path: Path) -> list[str]:
        hung = Gallery(policy, media, MEDIA, fetches=False).hang(document, source, path, BLOG)
        return [image["src"] for image in images(hung.for_mail)]

    first = [image["src"] for image in images(blog.hang(policy, "![Cat](cat.png)").for_mail)]
    (blog.root / "_posts" / "cat.png").write_bytes(png(30, 30, "black"))
    assert sources(blog.media, source.path) == first
    (blog.root / "_posts" / "cat.png").write_bytes(b"junk")
    assert sources(blog.media, source.path) == first
    moved = blog.media.parent.with_name(f"{blog.media.parent.name}-moved")
    blog.media.parent.rename(moved)
    assert sources(moved / "media", moved / "blog" / "_posts" / "post.md") == first


def test_a_picture_that_is_gone_from_the_store_is_an_error(tmp_path: Path) -> None:
    """It says which file, and where to restore it."""
    with pytest.raises(ContentError, match=rf"{'a' * 32}\.png: .*restore .* from backup"):
        read_pictures(tmp_path, [f"{'a' * 32}.png"])


@pytest.fixture
def relay() -> Iterator[MailServer]:
    with MailServer() as server:
        yield server


@pytest.fixture
def town(advice: App, blog: Blog, relay: MailServer, monkeypatch: pytest.MonkeyPatch) -> App:
    """A site with a reader whose relay is the mail server, and whose logo is a file of its own."""
    subscribe(advice, "ann@example.org")
    for name, value in {**relay.environment, "PAPERROUND_SITE__LISTEN": "127.0.0.1:0"}.items():
        monkeypatch.setenv(name, value)
    (advice.settings.folder / "logo.png").write_bytes(png(300, 60))
    (advice.settings.folder / "theme.toml").write_text(
        '[logo]\nsrc = "logo.png"\nalt = "Test letters"\nwidth = 150\n', encoding="utf-8"
    )
    return advice


POST = """---
title: Two animals
categories: [advice]
speakers:
  Ben: {avatar: /assets/ben.png}
  Dana: {}
---
![Cat](cat.png)

![Dog](/assets/dog.png)

**Ben:** One.

**Dana:** Two.

**Ben:** Three.
"""


def part(message: EmailMessage, subtype: str) -> str:
    found = message.get_body((subtype,))
    assert found is not None
    return str(found.get_content())


@BOTH
def test_from_the_queue_to_the_reader(
    town: App,
    blog: Blog,
    relay: MailServer,
    cli: Cli,
    clock: Clock,
    policy: PicturePolicy,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Queued with its pictures, which then go from the blog, a post is sent whole and its pages show them."""
    monkeypatch.setenv("PAPERROUND_IMAGES__POLICY", policy)
    path = blog.root / "_posts" / "post.md"
    path.write_text(POST, encoding="utf-8")
    monkeypatch.chdir(path.parent)
    done = cli("--site", town.settings.folder, "queue", "add", "post.md")
    assert (done.returncode, done.stdout) == (0, "post: queued in advice\n"), done.stderr
    for file in blog.root.rglob("*.*"):
        file.unlink()
    clock.now = TUESDAY
    site = open_app(town.settings.folder, clock)
    request.addfinalizer(site.close)
    (planned,) = site.plan_due()
    assert planned.readers == 1, planned  # type: ignore[union-attr]
    with site.open_relays() as opened:
        site.send_due(opened, Event())
    (letter,) = relay.accepted
    message, html = letter.message, part(letter.message, "html")
    sources = re.findall('<img [^>]*src="([^"]*)"', html)
    assert len(sources) == len(re.findall("<img ", html)) == 5  # logo, cat, dog, Ben twice
    cids = {source.removeprefix("cid:") for source in sources if source.startswith("cid:")}
    assert message.get_content_type() == "multipart/alternative"
    plain, other = message.iter_parts()
    assert plain.get_content_type() == "text/plain"
    pictures: dict[str, bytes] = {}
    if policy is EMBED:
        assert other.get_content_type() == "multipart/related"
        assert other["Content-Type"].params["type"] == "text/html"
        root, *attached = other.iter_parts()
        assert root.get_content_type() == "text/html"
        for each in attached:
            assert each.get_content_maintype() == "image"
            assert each.get_content_disposition() == "inline"
            pictures[each["Content-ID"].strip("<>")] = each.get_content()
    else:
        assert other.get_content_type() == "text/html"
    assert set(pictures) == cids
    assert len(cids) == (2 if policy is EMBED else 0)
    with PageServer(site) as server, httpx.Client(base_url=server.url, trust_env=False) as web:
        page = web.get(f"/issues/{planned.issue_id}/post").text  # type: ignore[union-attr]
        on_web = re.findall('<img [^>]*src="([^"]*)"', page)
        assert len(on_web) == 5
        hosted = {source for source in [*sources, *on_web] if not source.startswith("cid:")}
        served = {source: web.get(source.removeprefix("https://news.example.org")) for source in hosted}
        for source, answer in served.items():
            assert source.startswith(f"{MEDIA}/")
            assert answer.status_code == 200
            Image.open(io.BytesIO(answer.content)).load()
        assert set(pictures.values()) <= {answer.content for answer in served.values()}


@BOTH
def test_a_post_without_its_picture_is_not_queued(
    town: App, blog: Blog, cli: Cli, policy: PicturePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that cannot be taken refuses its post, by file and line, and the others with it."""
    monkeypatch.setenv("PAPERROUND_IMAGES__POLICY", policy)
    good, bad = (blog.root / "_posts" / name for name in ("good.md", "bad.md"))
    good.write_text(POST, encoding="utf-8")
    bad.write_text(POST.replace("/assets/dog.png", "http://127.0.0.1:9/no.png"), encoding="utf-8")
    done = cli("--site", town.settings.folder, "queue", "add", good, bad)
    assert done.returncode == 1
    assert re.search(r"bad\.md:10: picture http://127.0.0.1:9/no.png ", done.stderr)
    assert "nothing was queued" in done.stderr
    assert "Traceback" not in done.stderr
    assert json.loads(cli("--site", town.settings.folder, "queue", "list", "--json").stdout) == []


def test_under_link_queueing_takes_nothing(town: App, blog: Blog, cli: Cli, nothing_is_fetched: None) -> None:
    """As before: what is missing near the post is a note."""
    path = blog.root / "_posts" / "post.md"
    path.write_text(POST.replace("cat.png", "https://far.example/a.png"), encoding="utf-8")
    assert cli("--site", town.settings.folder, "queue", "add", path).returncode == 0
    assert not town.settings.media_folder.exists()


@BOTH
def test_planning_asks_nothing_of_the_web(
    blog: Blog, policy: PicturePolicy, nothing_is_fetched: None
) -> None:
    """A picture that was not taken when its post was queued holds the slot, and says what to do."""
    path = blog.root / "_posts" / "post.md"
    source = parse_post(POST.replace("/assets/dog.png", "https://far.example/a.png").encode(), path)
    gallery = Gallery(policy, blog.media, MEDIA, fetches=False)
    with pytest.raises(
        ImageError, match=r"post\.md:10: .*far\.example/a\.png was not taken .*`paperround queue add`"
    ):
        gallery.hang(document_of(source, base_url=BLOG), source, path, BLOG)
