"""`paperround run` and `tick` as processes of their own: what they do when they are told to stop."""

import asyncio
import json
import re
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition
from urllib.request import urlopen

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.app import App
from tests.conftest import Cli, Done, subscribe, write_post
from tests.delivery.recorder import Recorder
from tests.mailserver import MailServer
from tests.running import ON_SQLITE, Running, add_due_category

READERS = [f"reader{number}@example.org" for number in range(12)]
DUE = "2026-01-06T08:00:00Z"


class HoldingServer(MailServer):
    """A relay that keeps every letter's sender waiting until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = asyncio.Event()
        self._changed = Condition()
        self._held = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        with self._changed:
            self._held += 1
            self._changed.notify_all()
        await self._gate.wait()
        return await super().handle_DATA(server, session, envelope)

    def wait_for(self, number: int) -> None:
        """Return when so many letters wait for their answer."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._held >= number, 60)

    def go_on(self) -> None:
        self._loop.call_soon_threadsafe(self._gate.set)


@pytest.fixture
def relay() -> Iterator[HoldingServer]:
    with HoldingServer() as server:
        yield server
        server.go_on()


@pytest.fixture
def letter(advice: App, cli: Cli) -> App:
    """A site with one post that goes to twelve readers on Tuesday."""
    path = write_post(advice.settings.folder / "posts", "p")
    assert cli("--site", advice.settings.folder, "queue", "add", path).returncode == 0
    subscribe(advice, *READERS)
    return advice


@pytest.fixture
def due_now(site: App, cli: Cli) -> App:
    """A site with one post and one reader, in a category whose slot was an hour ago, by the real clock."""
    add_due_category(site)
    path = write_post(site.settings.folder / "posts", "p")
    assert cli("--site", site.settings.folder, "queue", "add", path).returncode == 0
    subscribe(site, "ann@example.org")
    return site


def states(site: App, cli: Cli) -> Counter[str]:
    rows = json.loads(cli("--site", site.settings.folder, "delivery", "list", "--json").stdout)
    return Counter(row["state"] for row in rows)


@pytest.fixture
def tick_again(cli: Cli, relay: HoldingServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[App], Done]:
    """The tick after one that was a process of its own: here, which is quicker."""

    def tick(site: App) -> Done:
        for name, value in relay.environment.items():
            monkeypatch.setenv(name, value)
        return cli("--site", site.settings.folder, "tick", "--at", DUE)

    return tick


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_sends_what_falls_due_and_stops_when_told(
    due_now: App, cli: Cli, relay: HoldingServer, number: signal.Signals
) -> None:
    """`run` says where its pages are, plans and sends the due slot, and ends with 0, saying how it stands."""
    relay.go_on()
    with Running(due_now, "run", PAPERROUND_SITE__LISTEN="127.0.0.1:0", **relay.environment) as run:
        url = re.search(r"http://127\.0\.0\.1:\d+/", run.until("its pages are at"))
        assert url is not None
        with urlopen(url[0]) as page:
            assert page.status == 200
        assert "issue 1 for 1 reader: A title" in run.until("issue 1")
        run.until("1 sent")
        run.tell(number)
        run.until("Stopping: letters in flight are finished first.")
        if number is signal.SIGTERM:
            run.tell(number)  # as `timeout` and some supervisors do; only a second Ctrl-C means it
        assert run.end() == 0
    assert run.said[-1] == "Stopped. Nothing is waiting to be sent.\n"
    assert [letter.recipient for letter in relay.accepted] == ["ann@example.org"]
    assert states(due_now, cli) == {"sent": 1}


def test_an_interrupted_tick_finishes_the_letters_in_flight(
    letter: App, cli: Cli, relay: HoldingServer, tick_again: Callable[[App], Done]
) -> None:
    """Ctrl-C while the relay is slow: what it was handed is awaited and recorded, the rest stays queued."""
    environment = relay.environment | {"PAPERROUND_RELAY__CONNECTIONS": "3"}
    with Running(letter, "tick", "--at", DUE, **environment) as tick:
        relay.wait_for(3)
        tick.tell(signal.SIGINT)
        tick.until("Stopping: letters in flight are finished first.")
        relay.go_on()
        assert tick.end() == 1
    sent = len(relay.accepted)
    assert 3 <= sent < len(READERS)
    assert states(letter, cli) == {"sent": sent, "queued": len(READERS) - sent}
    assert tick.said[-1].startswith(
        f"Stopped. Issue 1 of advice: {len(READERS) - sent} queued. The next `tick`"
    )
    assert tick_again(letter).returncode == 0
    assert sorted(letter.recipient for letter in relay.accepted) == sorted(READERS)


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (
            "pause",
            "Issue 1 was paused meanwhile (a wrong link); `paperround issue resume 1` lets the rest go.\n",
        ),
        ("cancel", "Issue 1 was cancelled meanwhile (a wrong link).\n"),
    ],
)
def test_a_tick_whose_issue_is_stopped_says_so(
    letter: App, cli: Cli, relay: HoldingServer, tick_again: Callable[[App], Done], act: str, told: str
) -> None:
    """Somebody else did it, and whoever reads what the tick says would wonder where the letters are."""
    environment = relay.environment | {"PAPERROUND_RELAY__CONNECTIONS": "2"}
    with Running(letter, "tick", "--at", DUE, **environment) as tick:
        relay.wait_for(2)
        done = cli("--site", letter.settings.folder, "issue", act, 1, "--reason", "a wrong link")
        assert done.returncode == 0
        relay.go_on()
        assert tick.end() == 0
    assert tick.said[-1] == told
    assert 2 <= states(letter, cli)["sent"] < len(READERS)
    assert tick_again(letter) == Done(0, "", ""), "it is told once"


@ON_SQLITE
def test_run_resumes_by_itself_when_the_relay_is_up_again(due_now: App, cli: Cli) -> None:
    """While nobody listens at the relay's port it says so and counts nothing; then it sends."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    environment = {"PAPERROUND_RELAY__HOST": "127.0.0.1", "PAPERROUND_RELAY__PORT": str(port)}
    with Running(due_now, "run", PAPERROUND_SITE__LISTEN="127.0.0.1:0", **environment) as run:
        for _ in range(2):
            run.until(f"the relay 127.0.0.1:{port} cannot be used")
        assert states(due_now, cli) == {"queued": 1}
        with Recorder(port=port) as relay:
            run.until("1 sent")
            assert [one.recipient for one in relay.received] == ["ann@example.org"]
        run.tell(signal.SIGTERM)
        assert run.end() == 0
    (sent,) = json.loads(cli("--site", due_now.settings.folder, "delivery", "list", "--json").stdout)
    assert (sent["state"], sent["attempts"]) == ("sent", 1)


@ON_SQLITE
def test_a_second_interrupt_leaves_at_once(
    letter: App, cli: Cli, relay: HoldingServer, tick_again: Callable[[App], Done]
) -> None:
    """A relay that never answers holds nobody: the second Ctrl-C ends it, and the next tick takes over."""
    with Running(letter, "tick", "--at", DUE, **relay.environment) as tick:
        relay.wait_for(1)
        tick.tell(signal.SIGINT)
        tick.until("Ctrl-C again leaves at once.")
        tick.tell(signal.SIGINT)
        assert tick.end() == 130
    assert tick.said[-1] == "Left at once. The next `tick` or `run` goes on.\n"
    relay.go_on()
    assert tick_again(letter).returncode == 0
    assert states(letter, cli) == {"sent": len(READERS)}
    assert {letter.recipient for letter in relay.accepted} == set(READERS)


@ON_SQLITE
def test_run_needs_its_port_and_its_key(site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is taken, or a key that is not there, is told before anything runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("PAPERROUND_SITE__LISTEN", listen)
        done = cli("--site", site.settings.folder, "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        f"paperround: the pages cannot be served at {listen}: Address already in use"
    )
    assert done.stderr.endswith("; see listen in [site]\n")
    (site.settings.folder / "secret.key").unlink()
    done = cli("--site", site.settings.folder, "run")
    assert (done.returncode, done.stdout) == (1, "")
    assert "secret.key: the secret key cannot be read" in done.stderr


@ON_SQLITE
def test_a_tick_with_nothing_to_do_is_quiet_for_cron(
    site: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cron mails what a command prints: with a relay, and nothing due, nothing is printed."""
    monkeypatch.setenv("PAPERROUND_RELAY__HOST", "127.0.0.1")
    done = cli("--site", site.settings.folder, "tick")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    monkeypatch.setattr("newsletter.cli.run.is_terminal", lambda: True)
    assert cli("--site", site.settings.folder, "tick").stderr == (
        "Nothing is due; `paperround plan` shows what comes.\n"
    )


@ON_SQLITE
def test_a_log_that_cannot_be_written_is_told_once(
    letter: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planning and sending both record, and the letters go."""
    monkeypatch.setenv("PAPERROUND_LOG__TO", "gone/letters.jsonl")
    done = cli("--site", letter.settings.folder, "tick", "--at", DUE)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "12 sent")
    assert done.stderr.count("cannot be written") == 1


@ON_SQLITE
def test_a_tick_names_a_relay_whose_letters_another_took(letter: App, cli: Cli) -> None:
    """Nothing is late, so it is no failure; but somebody has to see to that relay."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    path = letter.settings.folder / "paperround.toml"
    further = f'\n[[further_relays]]\nhost = "127.0.0.1"\nport = {port}\ntls = "none"\n'
    path.write_text(path.read_text("utf-8") + further, "utf-8")
    done = cli("--site", letter.settings.folder, "tick", "--at", DUE)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "12 sent")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"paperround: the relay 127.0.0.1:{port} cannot be used: ")
    assert last.endswith(". Its letters go by the others")


@ON_SQLITE
def test_the_sandbox_is_loud_about_being_one(letter: App, cli: Cli) -> None:
    """A new site's relay sends to nobody, says so at every tick, and keeps the letters as files."""
    done = cli("--site", letter.settings.folder, "tick", "--at", DUE)
    assert done.stdout.splitlines() == ["advice 2026-01-06T08:00: issue 1 for 12 readers: A title", "12 sent"]
    assert done.stderr.startswith(
        f"SANDBOX: letters are kept in {letter.settings.sandbox_folder} and sent to nobody"
    )
    kept = sorted(Path(letter.settings.sandbox_folder).rglob("*.eml"))
    assert len(kept) == len(READERS)


def test_the_demo_keeps_to_its_own_folder(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a real site's database and relay in the environment, neither is touched by a demo."""
    monkeypatch.setattr("newsletter.cli.demo._SECONDS", 1.0)
    monkeypatch.setenv("PAPERROUND_DATABASE__URL", "postgresql://me@127.0.0.1:1/letters")
    monkeypatch.setenv("PAPERROUND_RELAY__HOST", "relay.example.org")
    done = cli("demo", "--dir", tmp_path / "demo")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "paperround.db").exists()


def test_missed_slots_are_told_in_one_line(letter: App, cli: Cli) -> None:
    """After years of downtime one line says what was skipped, and `issue list` has each slot."""
    folder = letter.settings.folder
    done = cli("--site", folder, "tick", "--at", "2028-01-04T08:00:00Z")
    said = [line for line in done.stdout.splitlines() if "skipped" in line]
    assert len(said) == 1
    assert re.fullmatch(
        r"advice 10[0-9] slots from 2026-01-06T08:00 to 2027-12-28T08:00: skipped: .*", said[0]
    )
