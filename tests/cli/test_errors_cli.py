"""Whatever goes wrong: one clear message with its place, the promised exit code, and nothing half-written."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from sqlmodel import SQLModel, select

import newsletter.database
from newsletter.app import App
from tests.conftest import GIVEN, Cli, Done, Paperround, subscribe, write_post
from tests.running import ON_SQLITE

DUE = "2026-01-06T08:00:00Z"
"""The first slot of the category `advice`."""
FRONT = "---\ntitle: A post\ncategories: [advice]\n---\n\n"
OTHER_SITE = {"PAPERROUND_RELAY__HOST": "relay.example.org"}


def dump(site: App) -> dict[str, list[Any]]:
    """All that the database holds, but for the processes that looked into it."""
    with site.database.read() as session:
        return {
            table.name: sorted(map(tuple, session.execute(select(*table.columns))), key=repr)
            for table in SQLModel.metadata.sorted_tables
            if table.name != "owner"
        }


def check_message(done: Done, code: int, said: str) -> None:
    """One message, on standard error alone, in the form of its kind."""
    assert (done.returncode, done.stdout) == (code, "")
    lines = done.stderr.splitlines()
    if code == 2:
        *before, message = lines
        assert {line.partition(" ")[0] for line in before if line} <= {"Usage:", "Try"}
        assert message.startswith("Error: ")
    else:
        message, *after = lines
        assert message.startswith("paperround: ")
        assert after in ([], ["paperround: nothing was queued"], ["paperround: nothing was changed"])
    assert re.search(said, message), message
    assert "Traceback" not in done.stderr


CASES: list[tuple[dict[str, str | bytes], str, int, str]] = [
    # the files there are, the command, the exit code, what is said
    ({}, "inbound show 7", 1, "no message 7 came in"),
    ({}, "inbound show 9223372036854775808", 2, "nothing can have the number 9223372036854775808"),
    ({}, "inbound retry 7", 1, "no message 7 came in"),
    ({}, "inbound list --state lost", 2, "'lost' is none of new, done, letter, "),
    ({}, "inbound replay ghost.mbox", 1, r"ghost\.mbox: No such file or directory"),
    ({}, "inbound replay .", 1, r"\.: is no Maildir: there is no cur and new in it"),
    ({"p.md": FRONT}, "inbound replay p.md", 1, r"p\.md: is no mbox: it does not begin with a line From"),
    (
        {"p.md": "---\ntitle: a: b\n---\nHi"},
        "queue add p.md",
        1,
        r"p\.md:2: the front matter cannot be read",
    ),
    ({"p.md": "---\ndate: tomorrow\n---\nHi"}, "queue add p.md", 1, r"p\.md:2: `date` is 'tomorrow'"),
    ({"p.md": "---\ntitle: x\nHi"}, "queue add p.md", 1, r"p\.md:1: the front matter .* is not closed"),
    ({"p.md": FRONT + "a\0b"}, "queue add p.md", 1, r"p\.md:6: is a binary file"),
    ({"p.md": b"\x89PNG\r\n\x1a\n\0\0"}, "queue add p.md", 1, r"p\.md:3: is a binary file"),
    ({"p.md": ""}, "queue add p.md", 1, r"p\.md:1: the post has no text"),
    ({"p.md": FRONT}, "queue add p.md", 1, r"p\.md:\d: the post has no text"),
    (
        {"p.md": FRONT + "x" * 10_000_000},
        "queue add p.md",
        1,
        r"p\.md: has 10,000,0\d\d bytes, more than",
    ),
    (
        {"p.md": FRONT.encode() + "שלום לכולם".encode("windows-1255")},
        "queue add p.md",
        1,
        r"p\.md:6: is not UTF-8 .* windows-1255; mend it with: iconv ",
    ),
    ({}, "queue add p.md", 1, r"p\.md: there is no such file"),
    ({}, "queue add .", 1, r"\.: is a directory"),
    ({}, "queue add /dev/null", 1, r"/dev/null: cannot be read: not a regular file"),
    ({"p.md": "Hi"}, "queue add p.md", 1, r"p\.md: fits no category here .* this site has: advice"),
    (
        {"p.md": "Hi"},
        "queue add p.md --category advise",
        1,
        r"no category 'advise' here; there are: advice",
    ),
    ({"p.md": "---\npublished: false\n---\nHi"}, "queue add p.md --category advice", 1, r"not published"),
    ({}, "queue add", 2, r"Missing argument 'FILE\.\.\.'"),
    ({}, "queue sync ghost", 1, r"ghost: there is no such folder"),
    ({"p.md": "Hi"}, "queue sync p.md", 1, r"p\.md: is a file: name the folder it lies in"),
    ({"p.md": "---\ntitle: x\nHi"}, "queue sync .", 1, r"p\.md:1: the front matter .* is not closed"),
    (
        {f"{n}.md": FRONT + "Hi" for n in range(21)},
        "queue sync .",
        1,
        r"21 posts would enter the queue at once; nothing was changed\. Say --since DAY",
    ),
    ({}, "queue sync", 2, r"Missing argument 'DIR'"),
    ({}, "queue sync . --since yesterday", 2, r"--since: 'yesterday' is not a day such as 20"),
    ({}, "queue sync . --since 2026-01-01 --all", 2, r"say --since or --all, not both"),
    ({}, "queue show ghost", 1, r"no post 'ghost' here; `paperround queue list` shows"),
    ({}, "queue hold ghost", 1, r"no post 'ghost' here"),
    ({}, "queue move ghost 1", 1, r"no post 'ghost' here"),
    ({}, "queue move ghost first", 2, r"'PLACE': "),
    ({}, "category add advice", 1, r"category 'advice' already: `paperround category edit advice`"),
    ({}, "category add Advice!", 1, r"'Advice!' cannot name a category: use "),
    (
        {},
        "category add new --cadence sometimes",
        2,
        r"--cadence: 'sometimes' has none of the known forms",
    ),
    ({}, "category add new --cadence", 2, r"--cadence"),
    ({}, "category edit advice --cadence weekly", 2, r"--cadence: "),
    ({}, "category add new --timezone Europe/Berln", 2, r"--timezone: .* did you mean Europe/Berlin"),
    ({}, "category add new --mode loud", 2, r"--mode: 'loud' is neither broadcast nor sequence"),
    ({}, "category add new --title=", 2, r"--title: must not be empty"),
    ({}, "queue add a.md --next --before b", 2, r"say --next or --before, not both"),
    ({}, "queue add a.md b.md --slot 2099-01-06T08:00", 2, r"--slot: goes with one file"),
    ({}, "queue add a.md --not-before soon", 2, r"--not-before: 'soon' is not a day such as 2026-12-24"),
    ({}, "queue edit ghost --expires 2026-02-30", 2, r"--expires: '2026-02-30' is not a day such as"),
    ({}, "queue edit ghost", 2, r"name what to change: --not-before, --expires or --slot"),
    ({}, "queue edit ghost --expires never", 1, r"no post 'ghost' here"),
    ({"p.md": FRONT + "Hi"}, "queue add p.md --slot soon", 1, r"'soon' is not a slot such as 2026-12-01"),
    (
        {"p.md": FRONT + "Hi"},
        "queue add p.md --slot 2026-01-06T08:00",
        1,
        r"advice has no slot 2026-01-06T08:00 to come; from there on it has 20",
    ),
    (
        {"p.md": FRONT + "Hi"},
        "queue add p.md --not-before 2099-01-02 --expires 2099-01-01",
        1,
        r"'p' cannot go: it is to wait until 2099-01-02, and expires on 2099-01-01",
    ),
    (
        {"p.md": "---\nexpires: 2026-01-01\nnot_before: 2026-01-02\n---\nHi"},
        "queue add p.md",
        1,
        r"p\.md:2: `expires` leaves no day: the post may go out from 2026-01-02 on",
    ),
    ({}, "queue approve", 2, r"name posts, or say --all"),
    ({}, "queue approve ghost --all", 2, r"name posts, or say --all"),
    ({}, "queue approve ghost --by=", 2, r"--by: is not a name of up to 120 characters"),
    ({}, "queue approve --all --by " + "x" * 121, 2, r"--by: is not a name of up to 120 characters"),
    ({}, "queue approve ghost", 1, r"no post 'ghost' here"),
    ({}, "queue approve --all", 1, r"nothing is proposed: `paperround queue list` shows what waits"),
    ({}, "queue history ghost", 1, r"no post 'ghost' here"),
    ({}, "queue history --category ghost", 1, r"no category 'ghost' here"),
    ({}, "queue history --limit 0", 2, r"--limit"),
    ({}, "category edit advice", 2, r"--title, .* --priority, --start, --welcome or --last-day"),
    ({}, "category edit advice --priority 10", 2, r"--priority"),
    ({}, "category add digest", 1, r"'digest' cannot name a category"),
    ({}, "category edit advice --posts 0", 2, r"--posts"),
    ({}, "category edit advice --welcome ghost.md", 1, r"ghost\.md: "),
    ({"d.md": "---\ndraft: true\n---\nHi"}, "category edit advice --welcome d.md", 1, r"not published"),
    (
        {},
        "category edit advice --start ghost",
        1,
        r"'ghost' does not wait in advice; `paperround queue list`",
    ),
    ({}, "subscriber add ann@example.org --category advice --timezone Paris", 2, r"--timezone: "),
    ({}, "subscriber edit ann@example.org", 2, r"change: --name, --timezone, --frequency or --weekly-cap"),
    ({}, "subscriber edit ann@example.org --frequency often", 2, r"'often' is none of issue, daily, .*usual"),
    ({}, "subscriber edit ann@example.org --weekly-cap 0", 2, r"'0' is no number from 1 to 100; or say none"),
    ({}, "subscriber edit ann@example.org --weekly-cap ٣", 2, r"--weekly-cap: '٣' is no number"),
    ({}, "subscriber edit ann@example.org --name Ann", 1, r"nobody here has the address ann@example.org"),
    ({}, "subscriber pause ann@example.org", 2, r"Missing option '--weeks'"),
    ({}, "subscriber pause ann@example.org --weeks 3", 1, r"nobody here has the address ann@example.org"),
    ({}, "subscriber pause ann@example.org --weeks 0", 2, r"--weeks"),
    ({}, "subscriber resume ann@example.org", 1, r"nobody here has the address ann@example.org"),
    ({}, "category edit ghost --title Boo", 1, r"no category 'ghost' here; there are: advice"),
    ({}, "category remove ghost", 1, r"no category 'ghost' here"),
    ({}, "category show ghost", 1, r"no category 'ghost' here"),
    ({}, "subscriber add ann --category advice", 1, r"'ann' is not an email address"),
    ({}, "subscriber add ann@example.org", 2, r"Missing option '--category'"),
    ({}, "subscriber add ann@example.org --category ghost", 1, r"no category 'ghost' here"),
    (
        {},
        "subscriber add ann@example.org --category advice --category ghost",
        1,
        r"no category 'ghost' here",
    ),
    (
        {},
        "subscriber add ann@example.org --category advice --evidence " + "x" * 1001,
        2,
        r"--evidence: is longer than 1000 characters",
    ),
    ({}, "subscriber show ann@example.org", 1, r"nobody here has the address ann@example\.org"),
    (
        {},
        "subscriber unsubscribe ann@example.org --reason asked",
        1,
        r"nobody here has the address ann@example\.org",
    ),
    ({}, "subscriber unsubscribe ann@example.org --reason \u00a0", 2, "is empty: say how you know"),
    (
        {},
        "subscriber unsubscribe ann@example.org --reason x --for-good --category advice",
        2,
        "is of everything: without --category",
    ),
    ({}, "subscriber subscribe ann@example.org --category ghost --reason x", 1, "no category 'ghost'"),
    (
        {},
        "subscriber subscribe ann@example.org --category advice --reason x --despite whim",
        2,
        "'whim' is none of bounced, complained, asked, erased",
    ),
    ({}, "subscriber erase ann@", 1, "'ann@' is not an email address"),
    ({}, "subscriber dossier ann@example.org --output no/such/folder", 1, "no/such/folder cannot be written"),
    ({}, "subscriber import r.csv --category advice", 1, r"r\.csv: cannot be read: No such file"),
    (
        {"r.csv": ""},
        "subscriber import r.csv --category advice",
        1,
        r"r\.csv: is empty",
    ),
    (
        {"r.csv": "name,phone\nAnn,555\n"},
        "subscriber import r.csv --category advice",
        1,
        r"r\.csv:1: has no column that seems to hold addresses, among name, phone; say which",
    ),
    (
        {"r.csv": b"email,name\nann@example.org,Ann\nbo@example.org,\xfc\n"},
        "subscriber import r.csv --category advice",
        1,
        r"r\.csv:3: is not UTF-8",
    ),
    (
        {"r.csv": "email\na@b.example"},
        "subscriber import r.csv --category ghost",
        1,
        r"no category 'ghost'",
    ),
    ({"r.csv": "email\na@b.example"}, "subscriber import r.csv", 1, r"say with --category SLUG what its"),
    (
        {"r.csv": "email,list\na@b.example,Old\n"},
        "subscriber import r.csv",
        1,
        r'no category is named for "Old" \(1\): say --list "Old=SLUG" for each list, or --list "Old="',
    ),
    (
        {"r.csv": "email,list\na@b.example,Old\n"},
        "subscriber import r.csv --category advice --list New=advice",
        1,
        r'r\.csv has no list "New", but "Old" \(1\)',
    ),
    (
        {"r.csv": "email\na@b.example"},
        "subscriber import r.csv --list Old=ghost",
        1,
        r"no category 'ghost'",
    ),
    ({}, "subscriber import r.csv --list Old", 2, r"--list: 'Old' has no equals sign"),
    ({}, "subscriber import r.csv --column email", 2, r"--column: 'email' has no equals sign"),
    ({}, "subscriber import r.csv --list A=b --list A=c", 2, r"--list: says two things about 'A'"),
    (
        {"r.csv": "email\na@b.example"},
        "subscriber import r.csv --category advice --bad-rows r.csv",
        2,
        r"--bad-rows: is the file that is read",
    ),
    (
        {"r.csv": "email\na@b.example"},
        "subscriber import r.csv --category advice --from pigeon",
        1,
        r"'pigeon' is no tool whose files are known here; there are paperround, mailchimp",
    ),
    ({}, "subscriber export --category ghost", 1, r"no category 'ghost'"),
    ({}, "subscriber export --output no/where.csv", 1, r"no/where\.csv: No such file"),
    ({}, "plan --at tomorrow", 2, r"--at: 'tomorrow' is not an instant such as 20"),
    ({}, "tick --at 2026-13-01", 2, r"--at: '2026-13-01' is not an instant such as 20"),
    ({}, "tick --at 2926-12-01", 2, r"--at: '2926-12-01' is not between 1970 and 2100"),
    ({}, "tick --at=", 2, r"--at: '' is not an instant"),
    ({}, "plan --weeks 0", 2, r"--weeks"),
    ({}, "plan --weeks many", 2, r"--weeks"),
    ({}, "plan --json --calendar", 2, r"say one of --json, --ics and --calendar"),
    ({}, "issue erratum 7", 1, r"no issue 7; `paperround issue list` shows"),
    ({}, f"issue erratum 7 --note {'x' * 501}", 2, r"--note.*: has to be at most 500 characters"),
    ({}, "issue show 7", 1, r"no issue 7; `paperround issue list` shows"),
    ({}, "issue show x", 2, r"ISSUE"),
    *(
        ({}, f"{command} {number}", 2, rf"{name}'?: nothing can have the number {number}")
        for number in (2**63, 10**30)
        for name, commands in (
            ("ISSUE", ["issue show", "issue watch", "issue pause", "issue resume", "issue cancel"]),
            ("ISSUE", ["issue retry-failed", "issue erratum"]),
            ("--issue", ["delivery list --issue"]),
            ("DELIVERY", ["delivery show", "delivery complained", "delivery resolve --as sent"]),
        )
        for command in commands
    ),
    ({}, f"queue move ghost {10**30}", 1, r"no post 'ghost' here"),
    ({}, "issue list --category ghost", 1, r"no category 'ghost' here"),
    ({}, f"issue show {2**63 - 1}", 1, r"no issue 9223372036854775807; `paperround issue list` shows"),
    ({}, "delivery show 7", 1, r"no delivery 7; `paperround delivery list` shows"),
    ({}, "delivery list --state lost", 2, r"--state: 'lost' is no state of a delivery: queued, claimed"),
    ({}, "render ghost.md", 1, r"ghost\.md: there is no such file"),
    ({"p.md": "Hi"}, "render p.md --format pdf", 2, r"--format: 'pdf' is none of html, text, mjml"),
    ({"p.md": "Hi"}, "render p.md --json", 2, r"--json: goes with --format outline only"),
    ({}, "quueue list", 2, r"No such command 'quueue'"),
    ({}, "queue list --jsn", 2, r"No such option:? '?--jsn"),
    ({}, "consent export nobody@example.org", 1, "nobody@example.org"),
    ({}, "consent export nobody", 1, "'nobody' is not an email address"),
    ({}, "consent verify --noted 12", 2, "is not a hash"),
]


def test_a_mistake_is_one_message_and_changes_nothing(
    advice: App, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake is told on standard error, with its place and what to do; the site stays as it was."""
    before = dump(advice)
    for number, (files, command, code, said) in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        monkeypatch.chdir(folder)
        for name, content in files.items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        done = cli("--site", advice.settings.folder, *command.split(" "))
        try:
            check_message(done, code, said)
            assert dump(advice) == before
        except AssertionError as error:
            error.add_note(f"after: paperround {command[:80]}")
            raise


@ON_SQLITE
def test_what_is_not_utf_8_is_refused(advice: App) -> None:
    """An argument that no database keeps and no terminal shows: one message, and no traceback."""
    command = [sys.executable, "-m", "newsletter", "--site", advice.settings.folder]
    for words in (["subscriber", "list", "--category"], ["subscriber", "add", "a@example.org", "--category"]):
        done = subprocess.run([*command, *words, b"a\xff"], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr == "paperround: 'a?' is not UTF-8, and no other text can be kept or shown\n"


def test_several_bad_posts_are_named_at_once_and_none_is_queued(advice: App, cli: Cli) -> None:
    """Of three files two are bad: both are named, and the good one is not queued without them."""
    folder = advice.settings.folder / "posts"
    good = write_post(folder, "good")
    (folder / "bad.md").write_bytes(b"\0")
    done = cli("--site", advice.settings.folder, "queue", "add", good, folder / "bad.md", folder / "ghost.md")
    assert (done.returncode, done.stdout) == (1, "")
    assert [line.rpartition("/")[2] for line in done.stderr.splitlines()] == [
        "bad.md:1: is a binary file, not a text",
        "ghost.md: there is no such file",
        "paperround: nothing was queued",
    ]
    assert dump(advice)["post"] == []


def test_a_missing_image_is_a_warning_with_its_line(advice: App, cli: Cli) -> None:
    """A post whose image is not there is queued all the same: the blog may have it."""
    folder = advice.settings.folder / "posts"
    path = write_post(folder, "p", text="Look:\n\n![a cat](cat.png)")
    done = cli("--site", advice.settings.folder, "queue", "add", path)
    assert (done.returncode, done.stdout) == (0, "p: queued in advice\n")
    assert (
        done.stderr == f"{path}:9: no image cat.png is to be found near the post; see that the blog has it.\n"
    )


def test_bad_rows_are_named_with_their_lines_and_the_good_ones_kept(advice: App, cli: Cli) -> None:
    """An import says which rows it skipped and why, keeps the rest, and ends with 1."""
    path = advice.settings.folder / "r.csv"
    path.write_text('email,name\nann@example.org,Ann\nann,Ann\n\nbo@example.org\n,"Cy\n', encoding="utf-8")
    done = cli("--site", advice.settings.folder, "subscriber", "import", path, "--category", "advice")
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert [line.rpartition("/")[2][:16] for line in lines[:2]] == ["r.csv:3: skipped", "r.csv:6: skipped"]
    assert lines[2] == "advice: 2 added unconfirmed, 2 rows skipped."
    assert "import it again with --confirmed" in lines[3]
    assert len(dump(advice)["subscription"]) == 2


def test_where_there_is_no_site_every_command_says_so(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a site the message says how to name or make one; a folder that is none is named."""
    monkeypatch.chdir(tmp_path)
    for command in ("queue list", "category list", "plan", "tick", "run", "issue list", "db upgrade"):
        check_message(cli(*command.split()), 1, r"no paperround\.toml in .*`paperround --site DIR …`")
    (tmp_path / "file").touch()
    for named, said in (("ghost", "there is no paperround.toml here"), ("file", "Not a directory")):
        check_message(cli("--site", named, "queue", "list"), 1, said)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_trial_does_not_reach_real_readers(advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """`tick --at` with a relay beyond this machine is refused, before anything is planned."""
    for name, value in OTHER_SITE.items():
        monkeypatch.setenv(name, value)
    before = dump(advice)
    done = cli("--site", advice.settings.folder, "tick", "--at", DUE)
    check_message(done, 1, "--at .* real letters .* relay.example.org.* Add --really")
    assert dump(advice) == before
    assert cli("--site", advice.settings.folder, "plan", "--at", DUE).returncode == 0


def issue_due(advice: App) -> None:
    """One post, one reader."""
    write_post(advice.settings.folder / "posts", "p")
    subscribe(advice, "ann@example.org")


@pytest.fixture
def refusing_relay() -> Iterator[int]:
    """The port of a server that takes nobody's password."""

    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False, message="535 5.7.8 Not you")

    loop = asyncio.new_event_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = loop.create_server(
        lambda: SMTP(object(), authenticator=refuse, auth_require_tls=False, loop=loop), sock=listener
    )
    server = asyncio.run_coroutine_threadsafe(made, loop).result()
    yield listener.getsockname()[1]

    async def end() -> None:
        server.close()
        sessions = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(end(), loop).result(timeout=10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(timeout=10)
    loop.close()


@pytest.mark.parametrize(
    ("login", "said"),
    [
        (
            {"PASSWORD": "Tr0ub4dor"},
            r"refused the login of 'me' \(535 5\.7\.8 Not you\).* in \[relay\]\. Every letter .* stays",
        ),
        ({"PASSWORD_COMMAND": "false"}, r"password_command of 127.* in \[relay\] failed: exit status 1"),
    ],
)
def test_a_relay_that_refuses_us_leaves_everything_queued(
    advice: App,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
    refusing_relay: int,
    login: dict[str, str],
    said: str,
) -> None:
    """A refused login, or no password to offer, is told once, and not the password; no letter has a try."""
    issue_due(advice)
    given = {"HOST": "127.0.0.1", "PORT": str(refusing_relay), "USER": "me"} | login
    for name, value in given.items():
        monkeypatch.setenv(f"PAPERROUND_RELAY__{name}", value)
    assert cli("--site", advice.settings.folder, "queue", "add", post_of(advice)).returncode == 0
    done = cli("--site", advice.settings.folder, "tick", "--at", DUE)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert re.search(said, done.stderr)
    assert "Tr0ub4dor" not in done.stderr + done.stdout
    check_all_queued(advice, cli)


def test_a_relay_that_is_down_leaves_everything_queued(
    advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens: told once, with host and port; the next tick, with a relay, sends."""
    issue_due(advice)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    assert cli("--site", advice.settings.folder, "queue", "add", post_of(advice)).returncode == 0
    with monkeypatch.context() as down:
        down.setenv("PAPERROUND_RELAY__HOST", "127.0.0.1")
        down.setenv("PAPERROUND_RELAY__PORT", port)
        done = cli("--site", advice.settings.folder, "tick", "--at", DUE)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert f"the relay 127.0.0.1:{port} cannot be used" in done.stderr
    check_all_queued(advice, cli)
    done = cli("--site", advice.settings.folder, "tick", "--at", DUE)
    assert (done.returncode, done.stdout) == (0, "1 sent\n")


def post_of(site: App) -> Path:
    return site.settings.folder / "posts" / "p.md"


def check_all_queued(site: App, cli: Cli) -> None:
    done = cli("--site", site.settings.folder, "delivery", "list", "--json")
    assert '"state": "queued"' in done.stdout
    assert '"attempts": 0' in done.stdout


def test_a_locked_database_is_told_and_unchanged(
    tmp_path: Path, sqlite_template: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the write lock: after a wait, one message; reading still works."""
    monkeypatch.setattr(newsletter.database, "BUSY_SECONDS", 0)
    path = tmp_path / "letters.db"
    path.write_bytes(sqlite_template.read_bytes())
    monkeypatch.setenv("PAPERROUND_DATABASE__URL", f"sqlite:///{path}")
    make(tmp_path / "site", cli)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        done = cli("--site", tmp_path / "site", "category", "add", "advice")
        check_message(done, 1, f"the database {re.escape(str(path))} is locked by another process")
        assert cli("--site", tmp_path / "site", "category", "list").returncode == 0
    finally:
        holder.close()
    assert cli("--site", tmp_path / "site", "category", "add", "advice").returncode == 0


def make(folder: Path, cli: Cli) -> None:
    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    assert cli("init", folder, *options).returncode == 0


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (
            lambda path: path.write_bytes(b"not a database, but long enough to be looked at" * 99),
            "not a sound",
        ),
        (lambda path: path.mkdir(), "cannot be opened"),
        (
            lambda path: (
                sqlite3.connect(path)
                .execute("UPDATE alembic_version SET version_num = '9'")
                .connection.commit()
            ),
            "tables of revision 9, this program needs .*`paperround db upgrade`",
        ),
    ],
)
def test_a_database_that_is_none_is_told(
    tmp_path: Path, cli: Cli, sqlite_template: Path, spoil: Callable[[Path], object], said: str
) -> None:
    """A broken file, a folder in its place, tables of another version: one message with its name."""
    make(tmp_path / "site", cli)
    path = tmp_path / "site" / "paperround.db"
    if "revision" in said:
        path.write_bytes(sqlite_template.read_bytes())
    spoil(path)
    check_message(cli("--site", tmp_path / "site", "queue", "list"), 1, f"{re.escape(str(path))}.*{said}")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_output_that_finds_a_full_disk_is_told(
    tmp_path: Path, sqlite_template: Path, paperround: Paperround, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard output on a full disk: one message and exit code 1, also where the text was short."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    make(tmp_path / "site", cli)
    (tmp_path / "site" / "paperround.db").write_bytes(sqlite_template.read_bytes())
    for command in (("queue", "list", "--json"), ("--help",)):
        with Path("/dev/full").open("wb") as full:
            options = {"capture_output": False, "stdout": full, "stderr": subprocess.PIPE}
            done = paperround("--site", tmp_path / "site", *command, **options)
        assert (done.returncode, done.stderr) == (1, "paperround: No space left on device\n")


@ON_SQLITE
@pytest.mark.parametrize("readers", [0, 3, 300], ids=["nothing", "less than a buffer", "more than a buffer"])
def test_a_reader_that_has_gone_ends_a_command_quietly(
    advice: App, paperround: Paperround, readers: int
) -> None:
    """By SIGPIPE, as it ends `cat` or `ls`, whether the pipe is found closed while printing or at the end."""
    subscribe(advice, *(f"reader{place}@example.org" for place in range(readers)))
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as gone:
        done = paperround(
            *("--site", advice.settings.folder, "subscriber", "list", "--json"),
            capture_output=False,
            stdout=gone,
            stderr=subprocess.PIPE,
        )
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


def test_a_reader_that_has_gone_needs_no_help(paperround: Paperround) -> None:
    """What is printed before there is any command ends in the same way."""
    ours, theirs = os.pipe()
    os.close(ours)
    with os.fdopen(theirs, "wb") as gone:
        done = paperround("--help", capture_output=False, stdout=gone, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


@ON_SQLITE
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_head_of_a_long_list_is_no_failure_of_its_own(advice: App) -> None:
    """In a pipeline the status is the one that a shell gives every program whose reader leaves early."""
    subscribe(advice, *(f"reader{place}@example.org" for place in range(1000)))
    command = f"{sys.executable} -m newsletter --site {advice.settings.folder} subscriber list --json"
    shell = f'{command} | head -1; echo "${{PIPESTATUS[*]}}"'
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[\n141 0\n", "")


def test_a_surprise_is_a_bug_and_says_so(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody foresaw shows its traceback, and asks to be reported."""

    def surprise(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("newsletter.settings_file.find_site", surprise)
    done = cli("queue", "list")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert done.stderr.endswith("paperround: this is a bug in Paperround; please report the lines above\n")


def test_what_a_terminal_would_obey_is_not_passed_on(cli: Cli, tmp_path: Path) -> None:
    """Escape sequences in a file's name, or a server's reply, do not reach the terminal."""
    done = cli("render", tmp_path / "\x1b]0;owned\x07.md")
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
