"""The documentation is true: every command in it is run, and every command there is has its line."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest

from newsletter.cli.main import app
from tests.conftest import GIVEN, HOLIDAYS, Cli, write_post
from tests.mailserver import MailServer

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
MESSAGE = "From: bo@example.org\nTo: ann@example.org\nMessage-ID: <1@example.org>\n\nHello, Ann!\n"
LONG_RUNNING = {"paperround run", "paperround preview posts/2026-01-06-first-steps.md"}
"""Started and stopped by tests/cli, not here."""


def commands(document: Path) -> list[str]:
    """The lines of a document's console blocks that a reader would type."""
    blocks = re.findall(
        r"^```console\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")
    ]


def make_site(cli: Cli, folder: Path, *, category: bool) -> None:
    """The site that the documents in docs/ speak of."""
    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    assert cli("init", folder, *options).returncode == 0
    if category:
        assert cli("--site", folder, "category", "add", "career-advice").returncode == 0
    write_post(folder / "posts", "2026-01-06-first-steps", title="First steps")
    (folder / "readers.csv").write_text("email,name\nbo@example.org,Bo\n", encoding="utf-8")
    (folder / "holidays.ics").write_text(HOLIDAYS, encoding="utf-8")
    (folder / "message.eml").write_text(MESSAGE, encoding="utf-8")
    (folder / "letters.mbox").write_text(f"From bo Mon Jan  5 10:00:00 2026\n{MESSAGE}", encoding="utf-8")


def add_exports(folder: Path) -> None:
    """What docs/moving.md imports: a small export of each tool."""
    listed = {"subscription_status": "confirmed", "optin": "double", "name": "Weekly letter"}
    eve = {"uuid": "1", "email": "eve@example.org", "name": "Eve", "attribs": {}, "status": "enabled"}
    answer = {"data": {"results": [{**eve, "lists": [listed, {**listed, "name": "Old news"}]}]}}
    (folder / "subscribers.json").write_text(json.dumps(answer), encoding="utf-8")
    roster = {"email": "may@example.org", "list_id": "talk.example.org", "role": "member"}
    entries = {"entries": [{**roster, "display_name": "May", "delivery_status": "by_user"}]}
    (folder / "roster.json").write_text(json.dumps(entries), encoding="utf-8")
    (folder / "members.txt").write_text("Mo Ek <mo@example.org>\nmy@example.org\n", encoding="utf-8")
    with ZipFile(folder / "audience.zip", "w") as archive:
        header = "Email Address,First Name,Last Name,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,TAGS\n"
        fay = 'fay@example.org,Fay,Ek,2020-01-02 03:04:05,2020-01-02 04:05:06,1,a,"""vip"""\n'
        archive.writestr("subscribed_email_audience_export_1a2b.csv", header + fay)
        archive.writestr("cleaned_email_audience_export_1a2b.csv", header + "gus@example.org,,,,,2,b,\n")
    with ZipFile(folder / "substack.zip", "w") as archive:
        archive.writestr(
            "email_list.example.csv",
            "email,active_subscription,expiry,plan,email_disabled,created_at\n"
            "hal@example.org,true,,yearly,false,2024-01-02T03:04:05.000Z\n",
        )
        archive.writestr("posts.csv", "post_id,title\n1,First\n")
    (folder / "members.csv").write_text(
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,"
        "labels,tiers\n1,ida@example.org,Ida,,true,false,,2024-01-02T03:04:05.000Z,,friends,\n",
        encoding="utf-8",
    )
    (folder / "buttondown.csv").write_text(
        "email,notes,metadata,tags,type,creation_date\njo@example.org,,{},,regular,2024-01-02\n",
        encoding="utf-8",
    )
    (folder / "club.csv").write_text(
        "Vorname;Nachname;E-Mail privat;Status;Abmeldeweg\nJürgen;Ek;kim@example.org;aktiv;\n",
        encoding="cp1252",
    )


def send_one(cli: Cli, folder: Path) -> None:
    """An issue, so that there is something to list and to show."""
    add = ("subscriber", "add", "cleo@example.org", "--category", "career-advice", "--confirmed")
    assert cli("--site", folder, *add).returncode == 0
    queue = ("queue", "add", folder / "posts" / "2026-01-06-first-steps.md", "--category", "career-advice")
    assert cli("--site", folder, *queue).returncode == 0
    assert cli("--site", folder, "tick", "--at", "2030-01-01T08:00:00Z").returncode == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documentation_works(
    document: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed one after the other, as a reader would, each command of a document ends with 0."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    write_post(tmp_path / "blog" / "_posts", "2026-01-06-first-steps", title="First steps")
    if document.parent.name == "docs":
        make_site(cli, tmp_path / "site", category=True)
        monkeypatch.chdir(tmp_path / "site")
        if document.name == "moving.md":
            add_exports(tmp_path / "site")
        if document.name in ("bounces.md", "delivery.md"):
            send_one(cli, tmp_path / "site")
    with MailServer() as relay:
        for command in commands(document):
            run_one(command, cli, monkeypatch, relay)
    assert len(relay.accepted) == (1 if document.name == "README.md" else 0)


def run_one(command: str, cli: Cli, monkeypatch: pytest.MonkeyPatch, relay: MailServer) -> None:
    program, *arguments = shlex.split(command)
    if program == "make":
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in arguments), command
    elif program == "cd":
        monkeypatch.chdir(arguments[0])
    elif program == "export":
        for name, _, value in (assignment.partition("=") for assignment in arguments):
            if "$" not in value:
                # The port in the text may be taken on this machine: the test's own server stands in for it.
                monkeypatch.setenv(name, str(relay.port) if name.endswith("RELAY__PORT") else value)
    elif program == "paperround":
        if command not in LONG_RUNNING:
            words, into, file = command.partition(" > ")
            words, given, source = words.partition(" < ")
            with Path(source if given else os.devnull).open(encoding="utf-8") as stdin:
                monkeypatch.setattr("sys.stdin", stdin)
                done = cli(*expanded(shlex.split(words)[1:]))
            assert done.returncode == 0, f"{command}: {done.stderr}"
            if into:
                Path(file).write_text(done.stdout, encoding="utf-8")
    else:
        subprocess.run(["bash", "-c", command], check=True, capture_output=True)


def expanded(arguments: list[str]) -> list[str]:
    """Arguments as a shell gives them: `~` and `*` replaced."""
    out: list[str] = []
    for argument in arguments:
        path = Path(argument).expanduser()
        found = (
            sorted(str(p) for p in Path(path.parent).glob(path.name))
            if "*" in argument and "/" in argument
            else []
        )
        out += found or [argument]
    return out


def all_commands() -> list[str]:
    """Every command there is, with its noun."""
    found = [f"paperround {command.name}" for command in app.registered_commands]
    for group in app.registered_groups:
        assert group.typer_instance is not None
        if group.typer_instance.info.invoke_without_command is True:
            found.append(f"paperround {group.name}")
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            found.append(f"paperround {group.name} {command.name or command.callback.__name__}")
    return found


@pytest.mark.parametrize("command", all_commands())
def test_every_command_is_documented(command: str) -> None:
    """docs/commands.md has a line for each command, and at least one document shows it in use."""
    assert f"`{command}" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_documented_commands_exist() -> None:
    """docs/commands.md names no command that is not there."""
    text = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `(paperround [a-z -]+[a-z])", text, re.MULTILINE))
    known = set(all_commands())
    assert {name for name in named if name not in known} == set()


def test_every_link_between_documents_leads_somewhere() -> None:
    """Relative links in the documentation name files that are there."""
    for document in [*DOCUMENTS, ROOT / "ARCHITECTURE.md", *(ROOT / "docs" / "decisions").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_demo_runs_twice_and_ends_by_itself(cli: Cli, tmp_path: Path) -> None:
    """`make demo` does what the README says, twice in a row: every reader's letters, and where they lie."""
    for _ in range(2):
        done = cli("demo", "--dir", tmp_path / "demo")
        assert done.returncode == 0, done.stderr
        letters = sorted((tmp_path / "demo" / "sandbox").rglob("*.eml"))
        assert len(letters) == 20
        for letter in letters:
            page = letter.with_suffix(".html")
            assert str(page) in done.stdout
            assert "<html" in page.read_text(encoding="utf-8")
        assert "in doubt" not in done.stdout
    shutil.rmtree(tmp_path / "demo")


def test_a_demo_does_not_touch_a_folder_of_somebody_else(cli: Cli, tmp_path: Path) -> None:
    """A folder that is not an earlier demo's is left alone."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    done = cli("demo", "--dir", tmp_path)
    assert done.returncode == 1
    assert "not empty" in done.stderr
    assert (tmp_path / "thesis.txt").read_text(encoding="utf-8") == "years of work"
