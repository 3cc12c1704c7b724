"""`paperround send-test`: the bytes a reader would get, to addresses of one's own, and no trace of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from dkim import DKIM
from sqlmodel import SQLModel

from newsletter.app import App
from subscribers.tokens import TOKEN_LENGTH, Purpose
from tests.conftest import Cli, Clock, subscribe, write_post
from tests.mailserver import Accepted, MailServer
from tests.running import ON_SQLITE

ANN, BO = "ann@example.org", "bo@example.net"
TALK = """Two people talked.

**Ann**

How long is long enough?

**Bo**

Until it is *done*: 7 × 7 = 49, naïve, שלום.
"""


@pytest.fixture(autouse=True)
def _same_time(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line has the clock of the site."""
    monkeypatch.setattr("subscribers.base.system_clock", clock)


def everything(site: App) -> dict[str, list[Any]]:
    """Every row of every table."""
    with site.database.read() as session:
        return {
            table.name: sorted(session.connection().execute(table.select()), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


def masked(letter: Accepted) -> bytes:
    """A message without what differs from letter to letter: its date, its tokens, its boundary."""
    boundary = re.search(rb'boundary="([^"]+)"', letter.content)
    assert boundary is not None
    # A token may be divided by a soft line break, though not in the header.
    text = letter.content.replace(boundary[1], b"BOUNDARY")
    text = re.sub(rb"^Date: .*$", b"Date:", text, flags=re.MULTILINE)
    text = re.sub(rb"^Message-ID: .*$", b"Message-ID:", text, flags=re.MULTILINE)
    token = rb"(?:[0-9a-z](?:=\r\n)?){%d}" % TOKEN_LENGTH
    return re.sub(rb"/(u|preferences)/(?:=\r\n)?" + token, rb"/\1/TOKEN", text)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """The site's relay."""
    with MailServer() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@ON_SQLITE
@pytest.mark.parametrize("mode", ["broadcast", "sequence"])
def test_the_bytes_are_those_a_reader_gets(
    advice: App, cli: Cli, clock: Clock, relay: MailServer, mode: str
) -> None:
    """But for Date, Message-ID, boundary and tokens, a test is the letter of the issue that follows it.

    So it is for the first of two posts, which tells the day of the next, and for the second, which names
    the first.
    """
    folder = advice.settings.folder
    assert cli("--site", folder, "category", "edit", "advice", "--mode", mode).returncode == 0
    subscribe(advice, ANN)
    posts = [
        write_post(folder / "posts", "2026-01-02-first", title="Größe und Maß", text=TALK),
        write_post(folder / "posts", "2026-01-03-second", title="Second", text=TALK * 40),
    ]
    assert cli("--site", folder, "queue", "add", *posts).returncode == 0
    for path, until in zip(posts, ({"hours": 32}, {"weeks": 1}), strict=True):
        tested = cli("--site", folder, "send-test", path, "--to", ANN)
        assert (tested.returncode, tested.stderr) == (0, "")
        clock.advance(**until)
        assert cli("--site", folder, "tick").returncode == 0
        test, real = relay.accepted[-2:]
        assert masked(test) == masked(real)
        assert test.content != real.content
        assert test.recipient == real.recipient
        assert re.sub(r"\.\w+@", ".TOKEN@", test.mail_from) == re.sub(r"\.\w+@", ".TOKEN@", real.mail_from)
        assert len(test.mail_from) == len(real.mail_from)
    assert len(relay.accepted) == 4


@ON_SQLITE
def test_it_leaves_no_trace_and_says_what_it_did(advice: App, cli: Cli, relay: MailServer) -> None:
    """Each address gets a message of its own, and no table has changed; the Message-IDs are told."""
    folder = advice.settings.folder
    path = write_post(folder / "posts", "2026-01-02-first")
    before = everything(advice)
    done = cli("--site", folder, "send-test", path, "--to", ANN, "--to", BO, "--to", ANN.upper())
    assert (done.returncode, done.stderr) == (0, "")
    assert everything(advice) == before
    assert [letter.recipient for letter in relay.accepted] == [ANN, BO]
    ids = [letter.message["Message-ID"] for letter in relay.accepted]
    assert len(set(ids)) == 2
    for line, letter, message_id in zip(done.stdout.splitlines(), relay.accepted, ids, strict=True):
        assert line == (f"{letter.recipient}: sent: A title; Message-ID {message_id}; 250 2.0.0 Accepted")


@ON_SQLITE
def test_a_test_can_be_told_apart_by_programs(advice: App, cli: Cli, relay: MailServer) -> None:
    """`--json`: the subject, and for each address its Message-ID and what the relay said."""
    path = write_post(advice.settings.folder / "posts", "2026-01-02-first")
    done = cli("--site", advice.settings.folder, "send-test", path, "--to", ANN, "--json")
    told = json.loads(done.stdout)
    assert told == {
        "subject": "A title",
        "letters": [
            {
                "to": ANN,
                "message_id": relay.accepted[0].message["Message-ID"].strip("<>"),
                "state": "sent",
                "stage": ".",
                "reply": "250 2.0.0 Accepted",
            }
        ],
    }


@ON_SQLITE
def test_its_links_have_the_length_of_real_ones_and_belong_to_nobody(
    advice: App, cli: Cli, relay: MailServer
) -> None:
    """One-click is there, and its token is one of this site's, for a delivery that does not exist."""
    path = write_post(advice.settings.folder / "posts", "2026-01-02-first")
    assert cli("--site", advice.settings.folder, "send-test", path, "--to", ANN).returncode == 0
    (letter,) = relay.accepted
    token = re.fullmatch(r"<https://news\.example\.org/u/(\w+)>", letter.message["List-Unsubscribe"])
    assert token is not None
    assert advice.signer.read(Purpose.LEAVE, token[1]) == 0
    assert letter.message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@ON_SQLITE
def test_it_is_signed_as_every_letter_is(
    advice: App, cli: Cli, relay: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a key in the settings a test shows whether the signature is taken for good."""
    folder = advice.settings.folder
    path = write_post(folder / "posts", "2026-01-02-first")
    assert cli("--site", folder, "dkim", "keygen", "--selector", "a").returncode == 0
    monkeypatch.setenv("PAPERROUND_DKIM__SELECTOR", "a")
    (record,) = json.loads(cli("--site", folder, "dkim", "show", "--json").stdout)
    assert cli("--site", folder, "send-test", path, "--to", ANN, "--to", BO).returncode == 0
    for letter in relay.accepted:
        assert DKIM(letter.content).verify(dnsfunc=lambda *_, **__: record["value"].encode())


@ON_SQLITE
def test_a_new_site_needs_no_database(site: App, cli: Cli, tmp_path: Path) -> None:
    """Before anything was set up a test goes to the sandbox, loudly, and makes no database."""
    path = write_post(tmp_path, "2026-01-02-first")
    url = f"sqlite:///{tmp_path}/never.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PAPERROUND_DATABASE__URL", url)
        done = cli("--site", site.settings.folder, "send-test", path, "--to", ANN)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("SANDBOX: letters are kept in")
    assert [kept.parent.name for kept in site.settings.sandbox_folder.rglob("*.eml")] == [ANN]
    assert not (tmp_path / "never.db").exists()


class Choosy(MailServer):
    """A relay that does not take Bo."""

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == BO:
            return "550 5.1.1 No such person"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Fine"


@ON_SQLITE
def test_a_refusal_is_quoted_and_stops_nobody_else(
    advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the relay says of one address is told, the others get theirs, and the exit code is 1."""
    path = write_post(advice.settings.folder / "posts", "2026-01-02-first")
    with Choosy() as relay:
        for name, value in relay.environment.items():
            monkeypatch.setenv(name, value)
        done = cli("--site", advice.settings.folder, "send-test", path, "--to", BO, "--to", ANN)
    assert done.returncode == 1
    assert done.stderr == f"paperround: {BO}: bounced: at RCPT the relay said: 550 5.1.1 No such person\n"
    assert done.stdout.startswith(f"{ANN}: sent: ")
    assert [letter.recipient for letter in relay.accepted] == [ANN]


@ON_SQLITE
def test_a_relay_that_is_not_there(advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, and the exit code is 1."""
    path = write_post(advice.settings.folder / "posts", "2026-01-02-first")
    with MailServer() as relay:
        environment = relay.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = cli("--site", advice.settings.folder, "send-test", path, "--to", ANN)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"the relay 127.0.0.1:{environment['PAPERROUND_RELAY__PORT']} cannot be used" in done.stderr


@ON_SQLITE
@pytest.mark.parametrize(
    ("to", "said"),
    [
        (["--to", "nobody"], "'nobody' is not an email address"),
        ([], "--to"),
        ([part for n in range(21) for part in ("--to", f"a{n}@example.org")], "21 addresses are more than"),
    ],
)
def test_what_is_not_understood(site: App, cli: Cli, to: list[str], said: str) -> None:
    """A bad address, none, or too many: usage, before anything is looked at."""
    done = cli("--site", site.settings.folder, "send-test", "no-such-file.md", *to)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@ON_SQLITE
def test_a_post_that_cannot_be_read(site: App, cli: Cli, tmp_path: Path) -> None:
    """Its file and line are told; so is a folder that is no site."""
    path = tmp_path / "broken.md"
    path.write_text("---\ntitle: x\ndate: soon\n---\nwords", encoding="utf-8")
    done = cli("--site", site.settings.folder, "send-test", path, "--to", ANN)
    assert done.returncode == 1
    assert done.stderr.startswith(f"paperround: {path}:3: `date` is 'soon'")
    done = cli("--site", tmp_path, "send-test", path, "--to", ANN)
    assert done.returncode == 1
    assert "paperround.toml" in done.stderr
