"""From a Markdown file to a reader's mailbox, by the commands of the README, on both databases."""

import json
import re
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.conftest import GIVEN, Cli
from tests.mailserver import Accepted, MailServer

SEED = next((Path(__file__).parent.parent.parent / "shared" / "seed").glob("*.md"), None)
OWN = (
    Path(__file__).parent.parent
    / "newsletter"
    / "demo"
    / "posts"
    / "2026-01-14-promoted-out-of-the-work-i-love.md"
)
HEBREW = OWN.with_name("2026-06-03-a-letter-that-is-hard-to-begin.md")
READERS = ("ann@example.org", "Bo.Lind@Example.com", "иван@пример.рф")
AT = "2030-01-08T08:00:00Z"  # a Tuesday


class Page(HTMLParser):
    """What the checks look at in a letter's HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def part(message: EmailMessage, subtype: str) -> str:
    found = message.get_body((subtype,))
    assert found is not None
    return str(found.get_content())


@pytest.fixture(scope="module")
def relay() -> "MailServer":
    with MailServer() as server:
        yield server  # type: ignore[misc]  # a generator fixture


@pytest.fixture(params=["seed", "own", "hebrew"])
def post(request: pytest.FixtureRequest) -> Path:
    found = {"seed": SEED, "own": OWN, "hebrew": HEBREW}[request.param]
    if found is None:
        pytest.skip("the seed post is not beside this checkout")
    return found


@pytest.fixture
def letters(
    tmp_path: Path,
    database_url: str,
    post: Path,
    cli: Cli,
    relay: MailServer,
    monkeypatch: pytest.MonkeyPatch,
) -> list[Accepted]:
    """What a relay gets for three readers of one post, by the commands alone."""
    folder = tmp_path / "site"
    relay.accepted.clear()
    for name, value in (relay.environment | {"PAPERROUND_DATABASE__URL": database_url}).items():
        monkeypatch.setenv(name, value)

    def run(*arguments: object) -> str:
        done = cli("--site", folder, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    assert cli("init", folder, *options).returncode == 0
    run("category", "add", "career-advice", "--title", "Career advice", "--cadence", "weekly tue 08:00")
    run("queue", "add", post, "--category", "career-advice")
    for reader in READERS:
        run("subscriber", "add", reader, "--category", "career-advice", "--confirmed", "--name", "Żółta, A.")
    run("subscriber", "add", "waiting@example.org", "--category", "career-advice")
    planned = json.loads(run("plan", "--weeks", "1", "--at", "2030-01-07T00:00:00Z", "--json"))
    assert [(slot["category"], slot["slot"], slot["readers"]) for slot in planned[-1:]] == [
        ("career-advice", "2030-01-08T08:00", 3)
    ]
    run("tick", "--at", AT)
    run("tick", "--at", AT)
    rows = json.loads(run("delivery", "list", "--json"))
    assert [(row["state"], row["reply"]) for row in rows] == [("sent", "250 2.0.0 Accepted")] * 3
    issues = json.loads(run("issue", "list", "--json"))
    assert issues[-1]["deliveries"] == {"sent": 3}
    return list(relay.accepted)


def test_every_reader_gets_the_letter_once(letters: list[Accepted]) -> None:
    """At the due slot one letter comes out of a real SMTP socket for each confirmed reader, and no second."""
    assert sorted(letter.recipient for letter in letters) == sorted(
        ["ann@example.org", "Bo.Lind@example.com", "иван@xn--e1afmkfd.xn--p1ai"]
    )
    for letter in letters:
        ascii_only = letter.recipient.isascii()
        check_header(letter)
        if ascii_only:
            check_octets(letter)
        check_parts(letter)
    ids = {letter.message["Message-ID"] for letter in letters}
    assert len(ids) == len(letters)  # STANDARDS 2
    assert len({letter.message["List-Id"] for letter in letters}) == 1
    assert len({letter.mail_from for letter in letters}) == len(letters)  # a return path of one's own


def check_header(letter: Accepted) -> None:
    """STANDARDS 1, 2, 5 to 7, 10 and 11."""
    message = letter.message
    for name in ("From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Post", "List-Unsubscribe"):
        assert len(message.get_all(name, [])) == 1, name
    for name in ("List-Unsubscribe-Post", "List-Help", "List-Owner", "MIME-Version", "Content-Type"):
        assert len(message.get_all(name, [])) == 1, name
    assert len(message["From"].addresses) == 1
    assert re.fullmatch(r"<[!-~]+@example\.org>", message["Message-ID"])
    assert len(message["Message-ID"]) <= 500
    raw = letter.content.partition(b"\r\n\r\n")[0].decode("utf-8") + "\r\n"
    assert re.search(
        r"^List-Unsubscribe: <https://news\.example\.org/u/[a-z0-9]+>\r\n(?! )", raw, re.MULTILINE
    )
    assert re.search(r"^List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n(?! )", raw, re.MULTILINE)
    assert not re.search(r"^List-(?!Id)[^\r]*=\?", raw, re.MULTILINE)
    assert re.search(
        r'^List-Id: "Test letters: Career advice" <career-advice\.news\.example\.org>\r\n', raw, re.MULTILINE
    )
    assert re.search(r"^List-Post: NO\r\n", raw, re.MULTILINE)
    assert not re.search(r"^(Re|Fwd?):", message["Subject"], re.IGNORECASE)
    assert letter.mail_from.startswith("ann+bounce.")


def check_octets(letter: Accepted) -> None:
    """STANDARDS 3 and 4."""
    assert letter.content.isascii()
    assert max(map(len, letter.content.split(b"\r\n"))) <= 998
    assert b"\r" not in letter.content.replace(b"\r\n", b"")
    assert b"\n" not in letter.content.replace(b"\r\n", b"")


def check_parts(letter: Accepted) -> None:
    """STANDARDS 12, 13, 14, 16, 17 and 20."""
    message = letter.message
    assert message.get_content_type() == "multipart/alternative"
    assert [one.get_content_type() for one in message.iter_parts()] == ["text/plain", "text/html"]
    assert [one.get_content_charset() for one in message.iter_parts()] == ["utf-8", "utf-8"]
    text, html = part(message, "plain"), part(message, "html")
    page = Page(html)
    unsubscribe = message["List-Unsubscribe"].strip("<>")
    assert unsubscribe in text
    links = [link["href"] or "" for link in page.all("a") if not (link["href"] or "").startswith("#")]
    assert unsubscribe in links
    for link in links:
        assert link in text, link
    assert len(html.encode()) < 102_000
    rtl = "\u05d0" <= message["Subject"][0] <= "\u05ea"
    root = page.all("html")[0]
    assert (root["lang"], root["dir"]) == (("he", "rtl") if rtl else ("en", "ltr"))
    assert all("alt" in image for image in page.all("img"))
    assert all(
        table.get("role") in ("presentation", "none") for table in page.all("table") if not is_data(table)
    )
    for body in (text, page.words):
        assert GIVEN["postal_address"] in " ".join(body.split())
        assert letter.recipient in body
        assert not re.search(r"\{\{|\{%|slot[0-9a-f]{24}", body)


def is_data(table: dict[str, str | None]) -> bool:
    """Whether a table is the author's own, which is for reading and not for layout."""
    return "role" not in table and "cellpadding" not in table
