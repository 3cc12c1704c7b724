"""What an editor is told as a site goes on, by the commands alone: once each, in time, beside the letters."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlmodel import select

from newsletter.app import App
from newsletter.delivery.composer import Composer
from newsletter.errors import ContentError
from newsletter.models import Post
from tests.conftest import Cli, subscribe, write_post
from tests.mailserver import MailServer
from tests.planning import TUESDAY, WEEK
from tests.running import ON_SQLITE, Running, add_due_category

HOUR = timedelta(hours=1)
READERS = ["ann@reader.example", "bo@reader.example"]
EDITOR = "editor@example.net"


class Relay(MailServer):
    """A relay that refuses readers while it is told to."""

    refuses = False

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.refuses and address != EDITOR:
            return "550 5.1.1 No such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    def to_the_editor(self) -> list[str]:
        """The subjects of what the editor got, without the site's name."""
        letters = [one.message for one in self.accepted if one.recipient == EDITOR]
        return [str(one["Subject"]).removeprefix("[Test letters] ") for one in letters]

    def words(self) -> str:
        """All that the first letter says, on one line."""
        return " ".join(str(self.accepted[0].message.get_content()).split())

    def to_readers(self) -> Counter[str]:
        return Counter(one.recipient for one in self.accepted if one.recipient != EDITOR)


@pytest.fixture
def relay(monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    with Relay() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PAPERROUND_SITE__EDITOR", EDITOR)
        yield server


@pytest.fixture
def written(advice: App, cli: Cli) -> App:
    """Two posts that wait for two readers."""
    for name in ("one", "two"):
        path = write_post(advice.settings.folder / "posts", name, title=f"Post {name}")
        assert cli("--site", advice.settings.folder, "queue", "add", path).returncode == 0
    subscribe(advice, *READERS)
    return advice


def tick(cli: Cli, site: App, at: datetime) -> tuple[int, str, str]:
    done = cli("--site", site.settings.folder, "tick", "--at", at.isoformat())
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_a_broken_post_is_told_once_and_goes_late_when_it_is_mended(
    written: App, cli: Cli, relay: Relay
) -> None:
    """The slot waits, pass after pass; the editor gets one email; mended, the post goes out once."""
    path = written.settings.folder / "posts" / "one.md"
    sound = path.read_bytes()
    with written.database.write() as session:
        post = session.exec(select(Post).where(Post.slug == "one")).one()
        post.source = b"---\ntitle: [\n---\n\nBroken."
        session.add(post)
    for passes in range(3):
        code, said, complaints = tick(cli, written, TUESDAY + passes * HOUR)
        assert code == 1
        assert "2026-01-06T08:00 could not be planned and stays due" in complaints
        assert ("the editor was told: [Test letters] Good advice could not go out" in said) is (passes == 0)
    assert relay.to_the_editor() == ["Good advice could not go out on 6 January"]
    assert len(relay.accepted) == 1
    assert re.search(r"/one\.md:\d: the front matter cannot be read", relay.words())
    assert "paperround queue hold one" in relay.words()
    path.write_bytes(sound + b"\nMended.\n")
    assert cli("--site", written.settings.folder, "queue", "add", path).returncode == 0
    code, said, _ = tick(cli, written, TUESDAY + 20 * HOUR)
    assert (code, "2 sent" in said) == (0, True)
    assert relay.to_readers() == dict.fromkeys(READERS, 1)
    assert len(relay.to_the_editor()) == 1
    (told,) = json.loads(cli("--site", written.settings.folder, "notices", "--json").stdout)
    assert (told["kind"], told["mail"], told["over_at"]) == ("failed", "sent", "2026-01-07T04:00:00Z")


def test_a_slot_that_is_never_mended_is_skipped_and_the_next_one_goes(
    written: App, cli: Cli, relay: Relay
) -> None:
    """After `skip_failed_after_hours`; `issue list` names the error, and once it is mended all goes on."""
    broken = written.settings.folder / "templates" / "email" / "issue.mjml.j2"
    broken.parent.mkdir(parents=True)
    broken.write_text("<mjml>{% if %}</mjml>")
    tick(cli, written, TUESDAY)
    code, said, _ = tick(cli, written, TUESDAY + 49 * HOUR)
    assert code == 0
    assert re.search(r"2026-01-06T08:00: skipped: could not be made: \S*/issue.mjml.j2:1: ", said)
    broken.unlink()
    code, said, _ = tick(cli, written, TUESDAY + WEEK)
    assert "Post one" in said
    assert relay.to_the_editor() == ["Good advice could not go out on 6 January"]
    assert relay.to_readers() == dict.fromkeys(READERS, 1)


def test_a_halted_issue_is_told_once(
    written: App, cli: Cli, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first share bounces; the editor learns why and what to do, from that pass, and from no other."""
    monkeypatch.setenv("PAPERROUND_DELIVERY__CANARY_PERCENT", "50")
    relay.refuses = True
    code, said, complaints = tick(cli, written, TUESDAY)
    assert code == 1
    assert "Issue 1 is halted" in complaints
    assert "the editor was told: [Test letters] Issue 1 of Good advice is halted: Post one" in said
    for later in (1, 2):
        tick(cli, written, TUESDAY + later * HOUR)
    assert len(relay.accepted) == 1
    assert relay.to_the_editor() == ["Issue 1 of Good advice is halted: Post one"]
    assert "the first letter bounced: more than 5 %" in relay.words()
    relay.refuses = False
    assert cli("--site", written.settings.folder, "issue", "resume", 1).returncode == 0
    tick(cli, written, TUESDAY + 3 * HOUR)
    assert sum(relay.to_readers().values()) == 1
    assert len(relay.to_the_editor()) == 1


def test_an_issue_whose_letters_cannot_be_made_is_told(
    written: App, cli: Cli, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is halted by the pass that finds out, and that pass tells."""

    def gone(*_: object) -> None:
        raise ContentError("the picture x.png is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Composer, "__call__", gone)
        tick(cli, written, TUESDAY)
    tick(cli, written, TUESDAY + HOUR)
    assert relay.to_the_editor() == ["Issue 1 of Good advice is halted: Post one"]
    assert "the picture x.png is gone" in relay.words()


def test_one_email_has_all_that_came_about(
    written: App, cli: Cli, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slot that fails while the queue is low: the first gives the subject, and says that there is more."""
    monkeypatch.setenv("PAPERROUND_QUEUE__LOW", "3")
    broken = written.settings.folder / "templates" / "email" / "issue.mjml.j2"
    broken.parent.mkdir(parents=True)
    broken.write_text("<mjml>{% if %}</mjml>")
    tick(cli, written, TUESDAY)
    tick(cli, written, TUESDAY + HOUR)
    assert relay.to_the_editor() == ["Good advice could not go out on 6 January and 1 more"]
    assert "Good advice has 2 posts left" in relay.words()


def test_a_category_that_runs_dry_is_told_as_it_does(
    written: App, cli: Cli, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it will, then that it has been empty; not each week; anew once it was filled in between."""
    monkeypatch.setenv("PAPERROUND_QUEUE__LOW", "2")
    for week in range(6):
        tick(cli, written, TUESDAY + week * WEEK)
    assert relay.to_the_editor() == [
        "Good advice runs dry after 13 January",
        "Good advice had nothing to send on 20 January",
    ]
    for name in ("three", "four"):
        path = write_post(written.settings.folder / "posts", name)
        assert cli("--site", written.settings.folder, "queue", "add", path).returncode == 0
    for week in range(6, 10):
        tick(cli, written, TUESDAY + week * WEEK)
    assert relay.to_the_editor()[2:] == [
        "Good advice runs dry after 24 February",
        "Good advice had nothing to send on 3 March",
    ]
    assert relay.to_readers() == dict.fromkeys(READERS, 4)


def test_a_title_cannot_write_a_header(
    written: App, cli: Cli, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A category of a hostile name: one Subject on its own, and no field more than there should be."""
    title = "Evil\u2028Bcc: x@example.com \u202ereversed " + "long " * 30
    done = cli("--site", written.settings.folder, "category", "edit", "advice", "--title", title.strip())
    assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PAPERROUND_QUEUE__LOW", "3")
    tick(cli, written, TUESDAY - HOUR)
    (letter,) = relay.accepted
    assert letter.message["Bcc"] is None
    assert len(letter.message.get_all("Subject")) == 1
    assert "\u202e" not in letter.message["Subject"]
    assert "… runs dry after 13 January" in letter.message["Subject"]


def test_the_sandbox_keeps_it_in_the_editor_s_mailbox(
    written: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new site shows what its editor would be told: at the From address, unless another is set."""
    monkeypatch.setenv("PAPERROUND_QUEUE__LOW", "3")
    tick(cli, written, TUESDAY)
    kept = list((written.settings.sandbox_folder / "ann@example.org").iterdir())
    assert len(kept) == 1
    assert b"Auto-Submitted: auto-generated\r\n" in kept[0].read_bytes()


@ON_SQLITE
def test_run_tells_too(site: App, cli: Cli, relay: Relay) -> None:
    """A site that is kept going tells its editor while it goes on."""
    add_due_category(site)
    subscribe(site, *READERS)
    settings = relay.environment | {
        "PAPERROUND_SITE__LISTEN": "127.0.0.1:0",
        "PAPERROUND_SITE__EDITOR": EDITOR,
    }
    for _ in range(2):
        with Running(site, "run", **settings) as run:
            if not relay.accepted:
                run.until("the editor was told: [Test letters] Advice had nothing to send on ")
            else:
                run.until("is running")
            run.tell(15)
            assert run.end() == 0
    assert len(relay.to_the_editor()) == 1
