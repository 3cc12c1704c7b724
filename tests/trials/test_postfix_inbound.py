"""A real Postfix hands mail over to us by every way that docs/inbound.md describes, set up as it says."""

import os
import random
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter.app import App
from newsletter.models import InboundMessage
from tests.neighbours import NOBODY, public_folder
from tests.postfix import Postfix, running_postfix
from tests.running import ON_SQLITE, Running

pytestmark = pytest.mark.trial

ROOT = Path(__file__).parent.parent.parent
PLAIN, JOIN = "advice@example.org", "advice+join.advice@example.org"
SENDER = "bo@example.net"
KILLS = 10

_MAIN = """
alias_maps = texthash:/etc/postfix/aliases
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
_MASTER = """
local unix - n n - - local
lmtp unix - - y - - lmtp
"""


def block(name: str) -> str:
    """Lines of docs/inbound.md."""
    text = (ROOT / "docs" / "inbound.md").read_text(encoding="utf-8")
    found = re.search(rf"^```postfix {re.escape(name)}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[1]


@contextmanager
def set_up(transport: str, *, here: str = "", command: str = "", aliases: str = "") -> Iterator[Postfix]:
    """Postfix as the document has it; `here` is where we listen, `command` our command line."""
    more = {"main": _MAIN + block("main.cf"), "master": _MASTER + block("master.cf")}
    with running_postfix(destination="example.org", **more) as postfix:
        config = Path(postfix.config)
        (config / "transport").write_text(block(transport) if transport else "")
        # As texthash has it, which needs no program to make a database of it.
        (config / "aliases").write_text(aliases and block(aliases).replace("advice:", "advice "))
        changes = {
            "/etc/postfix": str(config),
            "127.0.0.1:8024": here,
            "/usr/bin/paperround --site /srv/news": command,
            "user=news": "user=nobody",
        }
        for name in ("main.cf", "master.cf", "transport", "aliases"):
            text = (config / name).read_text()
            for old, new in changes.items():
                text = text.replace(old, new)
            (config / name).write_text(text)
        postfix.run("postfix", "-c", postfix.config, "reload")
        yield postfix


def mail(number: int, *, size: int = 0) -> bytes:
    """A message that can be told from others."""
    made = EmailMessage(policy=SMTP)
    made["From"], made["To"], made["Subject"] = f"Bo <{SENDER}>", PLAIN, f"Letter {number}"
    made["Message-ID"] = f"<{number}@example.net>"
    made.set_content(".\n..dots and ünicode\nFrom here on\n" + "x" * size + "\n", cte="8bit")
    return made.as_bytes()


def send(postfix: Postfix, number: int, *recipients: str, sender: str = SENDER, size: int = 0) -> None:
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
        client.sendmail(sender, recipients, mail(number, size=size), ["BODY=8BITMIME"])


def drained(postfix: Postfix) -> None:
    """Return once Postfix is done with everything."""
    postfix.run("postqueue", "-c", postfix.config, "-f")
    while postfix.queue:
        time.sleep(0.1)  # a process that is asked all the time gets nothing else done


def came_in(site: App) -> list[tuple[str, str | None, str, str]]:
    """Recipient, return path, entrance and Message-ID of all that was kept."""
    row = InboundMessage
    with site.database.read() as session:
        found = session.execute(
            select(row.recipient, row.return_path, row.entrance, row.message_id).order_by(row.id)  # type: ignore[call-overload]
        )
        return [tuple(one) for one in found]


@pytest.fixture(autouse=True)
def _address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where readers write to, and no port that another test may have."""
    monkeypatch.setenv("PAPERROUND_SITE__INBOUND_ADDRESS", PLAIN)
    monkeypatch.setenv("PAPERROUND_SITE__LISTEN", "127.0.0.1:0")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@ON_SQLITE
@pytest.mark.parametrize("way", ["transport", "transport-unix"])
def test_postfix_hands_over_by_lmtp(advice: App, way: str) -> None:
    """Over a port and over a socket in its queue directory, its service chrooted: what is ours is kept.

    With the envelope as it was, also the null path, and the octets; an address that is nobody's goes back
    with 5.1.1; and what came while we were down comes once we are up.
    """
    here = f"127.0.0.1:{free_port()}"
    with set_up(way, here=here) as postfix:
        if way == "transport-unix":
            folder = postfix.folder / "queue" / "paperround"
            folder.mkdir()
            here = f"unix:{folder}/lmtp.sock"
        send(postfix, 1, PLAIN)
        assert re.search(r"status=deferred", until(postfix, "status=deferred"))
        with Running(advice, "run", PAPERROUND_INBOUND__LISTEN=here) as ours:
            assert f"mail comes in at {here} (LMTP)" in ours.until("is running")
            drained(postfix)
            send(postfix, 2, JOIN, PLAIN)
            send(postfix, 3, "advice+bounce.token@example.org", sender="")
            send(postfix, 4, "advice+jion.advice@example.org")
            drained(postfix)
            ours.tell(signal.SIGTERM)
            assert ours.end() == 0
        log = postfix.log
    assert sorted(came_in(advice)) == [
        ("advice+bounce.token@example.org", "", "lmtp", "<3@example.net>"),
        (JOIN, SENDER, "lmtp", "<2@example.net>"),
        (PLAIN, SENDER, "lmtp", "<1@example.net>"),
        (PLAIN, SENDER, "lmtp", "<2@example.net>"),
    ]
    assert re.search(r"to=<advice\+jion\.advice@example\.org>.* dsn=5\.1\.1, status=bounced", log)
    with advice.database.read() as session:
        for kept in session.execute(select(InboundMessage)).scalars():
            assert kept.content is not None
            header, _, body = kept.content.partition(b"\r\n\r\n")
            assert b"Received: from" in header
            assert body == mail(0).partition(b"\r\n\r\n")[2]


def until(postfix: Postfix, text: str) -> str:
    """Its log, once it has this text."""
    end = time.monotonic() + 60
    while text not in (log := postfix.log):
        assert time.monotonic() < end, log
        time.sleep(0.1)
    return log


@ON_SQLITE
def test_a_message_that_is_too_large_goes_back(advice: App) -> None:
    """Postfix reads our SIZE, and its sender is told 5.3.4."""
    here = f"127.0.0.1:{free_port()}"
    more = {"PAPERROUND_INBOUND__LISTEN": here, "PAPERROUND_INBOUND__MAX_MESSAGE_BYTES": "20000"}
    with set_up("transport", here=here) as postfix, Running(advice, "run", **more) as ours:
        ours.until("is running")
        send(postfix, 1, PLAIN, size=30_000)
        send(postfix, 2, PLAIN)
        drained(postfix)
        assert re.search(r"to=<advice@example\.org>.* dsn=5\.3\.4, status=bounced", postfix.log)
    assert [message_id for *_, message_id in came_in(advice)] == ["<2@example.net>"]


def test_killed_at_any_moment_every_message_is_kept_once(advice: App) -> None:
    """200 messages, and `run` killed over and over while it takes them: none is lost, none is twice there."""
    here = f"127.0.0.1:{free_port()}"
    dice = random.Random(6)
    numbers = range(200)
    kills = 0
    with set_up("transport", here=here) as postfix:
        for number in numbers:
            send(postfix, number, PLAIN)
        while postfix.queue:
            with Running(advice, "run", PAPERROUND_INBOUND__LISTEN=here) as ours:
                ours.until("is running")
                before = len(came_in(advice))
                postfix.run("postqueue", "-c", postfix.config, "-f")
                if kills == KILLS:
                    drained(postfix)
                    break
                while len(came_in(advice)) == before:
                    pass
                time.sleep(dice.uniform(0, 0.15))
                ours.tell(signal.SIGKILL)
                kills += 1
        log = postfix.log
    assert kills > KILLS // 2
    assert Counter(message_id for *_, message_id in came_in(advice)) == Counter(
        f"<{number}@example.net>" for number in numbers
    )
    assert len(re.findall(r"to=<advice@example\.org>.* status=sent", log)) == len(numbers)


def python_of_nobody(folder: Path) -> list[str]:
    """A command line that other users may run: this Python, or the system's with the packages linked."""
    for name in ("newsletter", "subscribers", "templates"):
        shutil.copytree(ROOT / name, folder / "code" / name)
    packages = Path(pytest.__file__).parent.parent
    if _runs(sys.executable, "newsletter", folder / "code", packages):
        return ["/usr/bin/env", f"PYTHONPATH={folder / 'code'}", sys.executable, "-m", "newsletter"]
    shutil.copytree(packages, folder / "packages", copy_function=_link)
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    path = f"{folder / 'code'}:{folder / 'packages'}"
    if not _runs(system, "newsletter", *path.split(":")):
        pytest.skip("this Python is closed to other users, and the system has none of its version")
    return ["/usr/bin/env", f"PYTHONPATH={path}", system, "-m", "newsletter"]


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _runs(python: str, module: str, *path: Path | str) -> bool:
    """Whether nobody can import our code with it."""
    command = ["setpriv", "--reuid", str(NOBODY[0]), "--regid", str(NOBODY[1]), "--clear-groups"]
    command += ["env", f"PYTHONPATH={':'.join(map(str, path))}", python, "-c", f"import {module}.app"]
    return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0


@ON_SQLITE
@pytest.mark.parametrize("way", ["pipe(8)", "aliases"])
def test_postfix_pipes_into_the_command(advice: App, way: str) -> None:
    """By a transport of master.cf, and by /etc/aliases: kept with the envelope; 75 has Postfix try again."""
    with public_folder("site") as folder:
        command = " ".join([*python_of_nobody(folder), "--site", str(folder / "site")])
        shutil.copytree(advice.settings.folder, folder / "site")
        assert advice.database.path is not None
        database = folder / "site" / "letters.db"
        advice.database.close()
        shutil.copy(advice.database.path, database)
        config = folder / "site" / "paperround.toml"
        text = config.read_text()
        text = text.replace("sqlite:///paperround.db", "sqlite:///letters.db")
        config.write_text(text.replace('inbound_address = ""', f'inbound_address = "{PLAIN}"'))
        for path in (folder / "site", *(folder / "site").rglob("*")):
            os.chown(path, *NOBODY)
        how = {"transport": "transport-pipe"} if way == "pipe(8)" else {"transport": "", "aliases": "aliases"}
        with set_up(command=command, **how) as postfix:
            database.rename(folder / "away")
            database.mkdir()  # a database that cannot be opened
            send(postfix, 1, JOIN)
            assert "cannot be opened" in until(postfix, "status=deferred")
            database.rmdir()
            (folder / "away").rename(database)
            send(postfix, 2, PLAIN, sender="")
            drained(postfix)
            log = postfix.log
        advice.database.path.write_bytes(b"")
        for suffix in ("", "-wal", "-shm"):
            if Path(f"{database}{suffix}").exists():
                shutil.copy(f"{database}{suffix}", f"{advice.database.path}{suffix}")
    assert len(re.findall(r"dsn=4\.3\.0, status=deferred", log)) >= 1
    assert len(re.findall(r"status=sent", log)) == 2
    assert sorted(came_in(advice)) == [
        (JOIN, SENDER, "pipe", "<1@example.net>"),
        (PLAIN, "", "pipe", "<2@example.net>"),
    ]
