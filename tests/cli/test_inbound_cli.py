"""`paperround inbound`: the pipe with its exit codes, the listing, and what is taken in again."""

import io
import json
import os
import pty
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from newsletter.app import App
from newsletter.models import InboundMessage
from newsletter.states import InboundState
from tests.conftest import Cli, Done, Paperround
from tests.running import ON_SQLITE

PLAIN = "ann@example.org"
MESSAGE = (
    b"From: bo@example.net\nTo: ann@example.org\nMessage-ID: <1@example.net>\nSubject: Hello\n\nDear Ann\n"
)


class Stdin:
    """What is piped in."""

    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)

    def isatty(self) -> bool:
        return False


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mail server's."""
    for name in ("RECIPIENT", "SENDER"):
        monkeypatch.delenv(name, raising=False)


def pipe(
    cli: Cli, site: App, monkeypatch: pytest.MonkeyPatch, content: bytes = MESSAGE, *options: str
) -> Done:
    monkeypatch.setattr("sys.stdin", Stdin(content))
    return cli("--site", site.settings.folder, "inbound", *options)


def listed(cli: Cli, site: App, *options: str) -> list[dict[str, object]]:
    done = cli("--site", site.settings.folder, "inbound", "list", "--json", *options)
    assert (done.returncode, done.stderr) == (0, "")
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def test_a_message_from_a_pipe_is_kept_once_and_handled(
    site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its envelope is in the options, or in the environment as local(8) sets it, with a From line."""
    done = pipe(cli, site, monkeypatch, MESSAGE, "--recipient", PLAIN, "--return-path", "<>")
    assert (done.returncode, done.stderr) == (0, "")
    monkeypatch.setenv("RECIPIENT", "ann+help@example.org")
    monkeypatch.setenv("SENDER", "bo@example.net")
    for _ in range(2):
        done = pipe(cli, site, monkeypatch, b"From bo@example.net  Mon Jan  5 10:00:00 2026\n" + MESSAGE)
        assert (done.returncode, done.stderr) == (0, "")
    first, second = listed(cli, site)
    assert (first["recipient"], first["return_path"]) == (PLAIN, "")
    assert (second["recipient"], second["return_path"]) == ("ann+help@example.org", "bo@example.net")
    assert {row["entrance"] for row in (first, second)} == {"pipe"}
    assert "new" not in {row["state"] for row in (first, second)}
    raw = cli("--site", site.settings.folder, "inbound", "show", "2", "--raw")
    assert raw.stdout == MESSAGE.decode().replace("\n", "\r\n")


def test_what_cannot_be_kept_is_tried_again(site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 75 (EX_TEMPFAIL), whatever it is: the database, the settings, a bug of ours."""
    for error in (sqlite3.OperationalError("disk I/O error"), ZeroDivisionError("a bug")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr("newsletter.feedback.inbox.Inbox.keep", fail)
            done = pipe(cli, site, monkeypatch)
        assert (done.returncode, str(error) in done.stderr) == (75, True)
    with monkeypatch.context() as patch:
        patch.setenv("PAPERROUND_INBOUND__LISTEN", "nowhere")
        done = pipe(cli, site, monkeypatch)
        assert (done.returncode, "inbound.listen is neither HOST:PORT" in done.stderr) == (75, True)
    assert listed(cli, site) == []


@pytest.mark.parametrize("path", ["missing", "tmp"])
def test_a_site_that_is_not_there_loses_no_mail(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, path: str
) -> None:
    """A disk that is not mounted yet, say."""
    monkeypatch.setattr("sys.stdin", Stdin(MESSAGE))
    monkeypatch.chdir(tmp_path)
    assert cli("--site", tmp_path / path, "inbound").returncode == 75
    monkeypatch.setattr("sys.stdin", Stdin(MESSAGE))
    assert cli("inbound").returncode == 75


def test_what_was_kept_is_not_sent_again_because_handling_failed(
    site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mail server hears 0, and the next tick handles it."""

    def fail(_: object) -> None:
        raise ZeroDivisionError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("newsletter.app.App.handle_inbound", fail)
        done = pipe(cli, site, monkeypatch)
    assert (done.returncode, "a bug" in done.stderr) == (0, True)
    assert [row["state"] for row in listed(cli, site)] == ["new"]
    assert cli("--site", site.settings.folder, "tick").returncode == 0
    assert listed(cli, site, "--state", "new") == []


@ON_SQLITE
def test_what_is_no_message_goes_back(site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Too large (69, with the status that Postfix passes on), and none at all (65)."""
    monkeypatch.setenv("PAPERROUND_INBOUND__MAX_MESSAGE_BYTES", "10000")
    done = pipe(cli, site, monkeypatch, MESSAGE + b"x" * 10_000)
    assert done.returncode == 69
    assert done.stderr.startswith("5.3.4 The message is larger than 10,000 bytes")
    for nothing in (b"", b"\n\n", b"From bo@example.net  Mon Jan  5 10:00:00 2026\n\n"):
        assert pipe(cli, site, monkeypatch, nothing).returncode == 65
    assert listed(cli, site) == []


@ON_SQLITE
def test_a_terminal_is_told_what_this_is_for(site: App) -> None:
    """It does not wait for a message that nobody will type."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "newsletter", "--site", str(site.settings.folder), "inbound"]
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, timeout=60, check=False)
    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (2, "")
    assert "paperround inbound < message.eml" in done.stderr


@ON_SQLITE
def test_the_real_program_reads_its_pipe(site: App, paperround: Paperround) -> None:
    """Octets that are no text included."""
    message = MESSAGE + b"\xff\x00\x80\n"
    done = paperround("--site", site.settings.folder, "inbound", input=message, text=False)
    assert (done.returncode, done.stderr) == (0, b"")
    with site.database.read() as session:
        kept = session.get(InboundMessage, 1)
    assert kept is not None
    assert kept.content == message.replace(b"\n", b"\r\n")


def test_messages_are_listed_and_shown(site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """By state, with what was written; a number that nothing has, and a state that is none, are told."""
    folder = site.settings.folder
    assert cli("--site", folder, "inbound", "list").stderr == "No mail has come in\n"
    pipe(cli, site, monkeypatch, MESSAGE, "--recipient", PLAIN)
    (row,) = listed(cli, site)
    table = cli("--site", folder, "inbound", "list").stdout
    assert "bo@example.net" in table
    assert "Hello" in table
    assert listed(cli, site, "--state", str(row["state"])) == [row]
    assert listed(cli, site, "--state", "aside") == []
    shown = cli("--site", folder, "inbound", "show", "1").stdout
    assert "Dear Ann" in shown
    assert json.loads(cli("--site", folder, "inbound", "show", "1", "--json").stdout)["text"] == "Dear Ann"
    done = cli("--site", folder, "inbound", "show", "2")
    assert (done.returncode, "no message 2 came in" in done.stderr) == (1, True)
    done = cli("--site", folder, "inbound", "list", "--state", "lost")
    assert (done.returncode, "'lost' is none of new, done" in done.stderr) == (2, True)
    assert cli("--site", folder, "inbound", "show", str(10**30)).returncode == 2


def test_a_report_that_was_put_to_no_letter_is_handled_again(site: App, cli: Cli) -> None:
    """Once whatever kept it from being understood is mended."""
    failed = (
        b"From: MAILER-DAEMON@mx.example.net\r\nTo: ann@example.org\r\nSubject: Undelivered Mail\r\n"
        b"Message-ID: <1@mx>\r\nX-Failed-Recipients: bo@example.net\r\n\r\n550 5.1.1 User unknown\r\n"
    )
    site.inbox.keep(failed, entrance="lmtp", recipient=PLAIN, return_path="")
    site.handle_inbound()
    assert [row["state"] for row in listed(cli, site)] == ["report"]
    done = cli("--site", site.settings.folder, "inbound", "retry", "1")
    assert (done.returncode, done.stdout[:11]) == (0, "inbound 1: ")


def test_a_message_that_was_set_aside_is_handled_again(
    site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was not is left as it is, and so is one that is kept no more."""
    pipe(cli, site, monkeypatch)
    done = cli("--site", site.settings.folder, "inbound", "retry", "1")
    assert (done.returncode, "cannot be handled again: it was handled" in done.stderr) == (1, True)
    with site.database.write() as session:
        kept = session.get_one(InboundMessage, 1)
        kept.state, kept.outcome = InboundState.ASIDE, "a bug"
        session.add(kept)
    done = cli("--site", site.settings.folder, "inbound", "retry", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("inbound 1: ")
    assert [row["state"] for row in listed(cli, site)] != ["aside"]
    with site.database.write() as session:
        kept = session.get_one(InboundMessage, 1)
        kept.state, kept.content = InboundState.ASIDE, None
        session.add(kept)
    done = cli("--site", site.settings.folder, "inbound", "retry", "1")
    assert (done.returncode, "is kept no more" in done.stderr) == (1, True)
    done = cli("--site", site.settings.folder, "inbound", "show", "1", "--raw")
    assert (done.returncode, "is kept no more" in done.stderr) == (1, True)


def test_a_folder_is_taken_in_again(
    site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What came in before is known, by whatever way; what is not ours is let be, what is too large told."""
    monkeypatch.setenv("PAPERROUND_INBOUND__MAX_MESSAGE_BYTES", "10000")
    pipe(cli, site, monkeypatch, MESSAGE, "--recipient", PLAIN)
    begin = b"From bo Mon Jan  5 10:00:00 2026\n"
    second = MESSAGE.replace(b"<1@", b"<2@")
    foreign = second.replace(b"To: ann@", b"To: cleo@")
    box = tmp_path / "box"
    box.write_bytes(b"\n".join([begin + MESSAGE, begin + second, begin + foreign, begin + b"x" * 20_000]))
    done = cli("--site", site.settings.folder, "inbound", "replay", box)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"paperround: {box}:25: it is larger than 10,000 bytes (max_message_bytes)",
        "1 message taken in; 1 had come in before, 1 went to none of our addresses, 1 could not be read.",
    ]
    assert [(row["entrance"], row["message_id"]) for row in listed(cli, site)] == [
        ("pipe", "<1@example.net>"),
        ("mbox", "<2@example.net>"),
    ]
    for name in ("cur", "new"):
        (tmp_path / "mail" / name).mkdir(parents=True)
    (tmp_path / "mail" / "new" / "1").write_bytes(second)
    done = cli("--site", site.settings.folder, "inbound", "replay", tmp_path / "mail")
    said = "0 messages taken in; 1 had come in before, 0 went to none of our addresses.\n"
    assert (done.returncode, done.stderr) == (0, said)
    done = cli("--site", site.settings.folder, "inbound", "replay", tmp_path)
    assert (done.returncode, "is no Maildir" in done.stderr) == (1, True)
