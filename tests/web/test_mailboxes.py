"""The sandbox's mailboxes in a browser: private, confined to their folder, and inert."""

import asyncio
import http.client
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app import App, open_app
from newsletter.web import mailboxes
from newsletter.web.mailboxes import html_of, letters_in, read_letter
from newsletter.web.pages import make_pages
from newsletter.web.server import PageServer
from tests.web.conftest import Issue, on_sqlite

ANN = "ann@example.org"


@pytest.fixture
def sent(issue: Issue) -> Issue:
    """The issue, sent: a letter in each of two mailboxes."""
    issue.send()
    return issue


def keep(issue: Issue, content: bytes, *, name: str = "0001", mailbox: str = "hostile") -> str:
    """Put a letter into a mailbox, as anybody on this machine could; returns its page's path."""
    folder = issue.site.settings.sandbox_folder / mailbox
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.eml").write_bytes(content)
    return f"/sandbox/{mailbox}/{name}"


def html_letter(html: str, subject: str = "A subject") -> bytes:
    """A letter with an HTML part."""
    message = EmailMessage()
    message["Subject"] = subject
    message.set_content("Plain words.")
    message.add_alternative(html, subtype="html")
    return message.as_bytes()


@on_sqlite
def test_a_letter_is_read(web: httpx.Client, sent: Issue) -> None:
    """From the list to the letter, its HTML in a frame of its own, its text and its header."""
    for start in ("/sandbox", "/sandbox/"):
        assert f'href="/sandbox/{ANN}/0001"' in web.get(start).text.replace("%40", "@")
    page = web.get(f"/sandbox/{ANN}/0001")
    assert page.status_code == 200
    assert f"/sandbox/{ANN}/0001/html" in page.text.replace("%40", "@")
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in page.text
    assert "Some words." in page.text
    frame = web.get(f"/sandbox/{ANN}/0001/html")
    path = sent.site.settings.sandbox_folder / ANN / "0001.eml"
    assert frame.text.replace('<base target="_blank">', "") == html_of(read_letter(path))
    assert '<base target="_blank">' in frame.text  # or a link would open in the frame, where it is refused


@on_sqlite
def test_an_empty_sandbox(web: httpx.Client) -> None:
    """Before any letter there is a page that says so."""
    assert "No letter has come yet" in web.get("/sandbox/").text


@on_sqlite
def test_long_lists_are_cut(web: httpx.Client, issue: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page shows the newest letters of the first mailboxes, and says how many more there are."""
    monkeypatch.setattr(mailboxes, "_LETTERS_SHOWN", 3)
    monkeypatch.setattr(mailboxes, "_MAILBOXES_SHOWN", 2)
    for box in ("a", "b", "c"):
        for number in range(1, 6):
            keep(issue, f"Subject: {box}{number}\r\n\r\n".encode(), name=f"{number:04}", mailbox=box)
    page = web.get("/sandbox/").text
    shown = [f"{box}{number}" for box in "abc" for number in range(1, 6) if f">{box}{number}<" in page]
    assert shown == ["a3", "a4", "a5", "b3", "b4", "b5"]
    assert page.index(">a5<") < page.index(">a3<")
    assert "2 older ones" in page
    assert "1 more mailboxes" in page


@on_sqlite
def test_only_where_the_sandbox_is_the_relay(sent: Issue, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site with a real relay has no mailboxes to show, though letters of a trial are still there."""
    monkeypatch.setenv("PAPERROUND_RELAY__HOST", "smtp.example.org")
    site = open_app(sent.site.settings.folder, sent.site.clock)
    with PageServer(site) as server, httpx.Client(base_url=server.url, trust_env=False) as web:
        for path in ("/sandbox/", f"/sandbox/{ANN}/0001", f"/sandbox/{ANN}/0001/html"):
            assert web.get(path).status_code == 404
    site.database.close()


def status(site: App, path: str, *, peer: str = "127.0.0.1", **headers: str) -> int:
    """What a peer of our choosing is answered."""

    async def ask() -> int:
        transport = httpx.ASGITransport(make_pages(site), client=(peer, 40000))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8025") as client:
            return (await client.get(path, headers=headers)).status_code

    return asyncio.run(ask())


@on_sqlite
def test_only_from_this_machine(sent: Issue) -> None:
    """Nobody else reads them: not another machine, not through a proxy, not under a rebound name."""
    for path in ("/sandbox", "/sandbox/", f"/sandbox/{ANN}/0001", f"/sandbox/{ANN}/0001/html"):
        assert status(sent.site, path) == 200
        assert status(sent.site, path, peer="::1") == 200
        assert status(sent.site, path, host="localhost:8025") == 200
        assert status(sent.site, path, host="[::1]:8025") == 200
        assert status(sent.site, path, peer="203.0.113.9") == 404
        assert status(sent.site, path, peer="192.168.1.7") == 404
        assert status(sent.site, path, peer="testclient") == 404
        assert status(sent.site, path, host="news.example.org") == 404
        assert status(sent.site, path, host="127.0.0.1.example.org") == 404
        assert status(sent.site, path, host="") == 404
        for header in ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via"):
            assert status(sent.site, path, **{header: "127.0.0.1"}) == 404
    assert status(sent.site, "/", peer="203.0.113.9", host="news.example.org") == 200


@on_sqlite
def test_a_header_does_not_make_one_local(server: PageServer) -> None:
    """The real server believes no X-Forwarded-For: the peer is the peer."""
    headers = {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"}
    assert httpx.get(f"{server.url}sandbox/", headers=headers, trust_env=False).status_code == 404


@on_sqlite
def test_nothing_outside_the_folder_is_read(server: PageServer, sent: Issue, tmp_path: Path) -> None:
    """No spelling of a path, and no symbolic link, leads out of the sandbox's folder."""
    folder = sent.site.settings.sandbox_folder
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "0001.eml").write_text("Subject: secret\n\nsecret", encoding="utf-8")
    (folder.parent / "0001.eml").write_text("Subject: secret\n\nsecret", encoding="utf-8")
    (folder / "linked").symlink_to(outside, target_is_directory=True)
    (folder / ANN / "0002.eml").symlink_to(outside / "0001.eml")
    (folder / ANN / "0003.eml").mkdir()
    (folder / ANN / ".hidden.part").write_text("secret", encoding="utf-8")
    paths = (
        *("/sandbox/../0001", "/sandbox/%2e%2e/0001", "/sandbox/..%2f/0001", "/sandbox/./0001"),
        *("/sandbox/..%2f..%2foutside/0001", f"/sandbox/{ANN}/..%2f..%2f0001", "/sandbox/%2e/0001"),
        *(f"/sandbox/{ANN}/../../0001", f"/sandbox{outside}/0001", "/sandbox//0001", "/sandbox/%2F/0001"),
        *("/sandbox/linked/0001", f"/sandbox/{ANN}/0002", f"/sandbox/{ANN}/0003", f"/sandbox/{ANN}/.hidden"),
        *(f"/sandbox/{ANN}/1", f"/sandbox/{ANN}/0001.eml", f"/sandbox/{ANN}/*", "/sandbox/*/0001"),
        *(f"/sandbox/{ANN}/0001%00", f"/sandbox/{ANN}%00/0001", "/sandbox/secret.key/1"),
        *("/sandbox/..\\..\\outside/0001", f"/sandbox/{ANN}/{'9' * 5000}", f"/sandbox/{ANN.upper()}/0001"),
    )
    connection = http.client.HTTPConnection(server.url.removeprefix("http://").rstrip("/"))
    for path in (*paths, *(f"{path}/html" for path in paths)):
        connection.request("GET", path)  # as it stands: no client tidies it up
        answer = connection.getresponse()
        body = answer.read()
        assert (path, answer.status) == (path, 404)
        assert b"secret" not in body
    connection.request("GET", "/sandbox/")
    listed = connection.getresponse().read().decode()
    assert "linked" not in listed
    assert "0002" not in listed
    connection.close()


@on_sqlite
def test_a_hostile_letter_is_inert(web: httpx.Client, issue: Issue) -> None:
    """A script in a letter runs nowhere: not in its frame, not in the pages around it."""
    hostile = "<script>alert(1)</script>"
    path = keep(issue, html_letter(f"<p onclick=alert(1)>x</p>{hostile}", subject=f"{hostile}\"'"))
    page = web.get(path)
    assert hostile not in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]
    assert hostile not in web.get("/sandbox/").text
    frame = web.get(f"{path}/html")
    policy = frame.headers["content-security-policy"]
    assert policy.startswith("sandbox ")
    assert "allow-scripts" not in policy
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert frame.headers["x-content-type-options"] == "nosniff"
    assert frame.headers["content-type"] == "text/html; charset=utf-8"


_NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (depth, depth) for depth in range(3000)
)
_MALFORMED = {
    "empty": b"",
    "no header": b"\r\n\r\nwords",
    "binary": bytes(range(256)) * 100,
    "raw eight-bit header": "Subject: Größe\r\nFrom: é <x@y>\r\n\r\nü".encode("latin-1"),
    "unknown charset": b"Subject: =?no-such?q?x?=\r\nContent-Type: text/html; charset=no-such\r\n\r\nx",
    "surrogates": b"Content-Type: text/html; charset=unicode_escape\r\n\r\n\\ud800",
    "surrogates in a header": b"Subject: =?unicode_escape?q?=5Cud800?=\r\n\r\nx",
    "charset that is none": b"Content-Type: text/html; charset=zlib\r\n\r\nx",
    "broken base64": b"Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
    "broken addresses": b"From: <<>>,,;:\r\nTo: @\r\nDate: yesterday\r\nSubject: =?utf-8?b?????=\r\n\r\nx",
    "nested": _NESTED,
    "a long header": b"Subject: " + b"x" * 2_000_000 + b"\r\n\r\nx",
    "alternative in name": b"Content-Type: multipart/alternative\r\n\r\nx",
    "html as attachment": b"Content-Type: text/html\r\nContent-Disposition: attachment; filename=\r\n\r\nx",
}


@on_sqlite
def test_malformed_letters_are_shown(web: httpx.Client, issue: Issue) -> None:
    """A letter that no mail program would understand still has its pages, and hides no other letter."""
    for number, content in enumerate(_MALFORMED.values()):
        path = keep(issue, content, name=f"{number:04}")
        assert (path, web.get(path).status_code) == (path, 200)
        assert (path, web.get(f"{path}/html").status_code) == (path, 200)
    assert web.get("/sandbox/").status_code == 200


_fields = st.sampled_from(["Subject", "From", "To", "Date", "Content-Type", "Content-Transfer-Encoding"])
_values = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [b"multipart/alternative; boundary=b", b"text/html; charset=utf-7", b"base64", b"\xff<@>"]
    ),
    st.text('=?utf-8bq<>@,;:"\\()[]\n\t x', max_size=40).map(str.encode),
)
_letters = st.builds(
    lambda fields, body: (
        b"\r\n".join(b"%s: %s" % (name.encode(), value) for name, value in fields) + b"\r\n\r\n" + body
    ),
    st.lists(st.tuples(_fields, _values), max_size=6),
    st.one_of(st.binary(max_size=60), st.just(b"--b\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--b--")),
)


@given(content=_letters)
def test_any_bytes_can_be_read(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever a letter is made of, what is shown of it is text that can be sent as UTF-8."""
    path = tmp_path_factory.getbasetemp() / "any.eml"
    path.write_bytes(content)
    shown = [html_of(read_letter(path)), *mailboxes._summary(path).values(), mailboxes._source(path)]
    "".join(shown).encode("utf-8")


def test_no_folder_no_letters(tmp_path: Path) -> None:
    """A sandbox that never ran has no mailboxes."""
    assert list(letters_in(tmp_path / "missing")) == []
