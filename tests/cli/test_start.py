"""Help and usage errors answer at once: nothing heavy is loaded for them."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.main import get_command

from newsletter.cli.main import app
from tests.conftest import Cli, Paperround
from tests.test_docs import all_commands

ROOT = Path(__file__).parents[2]
HEAVY = {"alembic", "apscheduler", "email_validator", "fastapi", "jinja2", "markdown", "mjml", "pydantic"}
HEAVY |= {"rich", "sqlalchemy", "sqlmodel", "uvicorn", "uvloop", "yaml"}
NOUNS = [f"paperround {group.name}" for group in app.registered_groups]
LOADED = """
import sys
from newsletter.cli.main import main
try:
    main()
finally:
    print(*{name.partition(".")[0] for name in sys.modules}, file=open(report, "w"))
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--help", 0),
        ("--version", 0),
        ("", 2),
        ("queue", 2),
        ("queue --help", 0),
        ("quueue list", 2),
        ("queue list --jsn", 2),
        ("queue add", 2),
        ("queue edit x", 2),
        ("queue approve", 2),
        ("queue add p.md --not-before soon", 2),
        ("queue sync . --since never", 2),
        ("issue show x", 2),
        ("plan --weeks 0", 2),
        ("plan --at never", 2),
        ("tick --at never", 2),
        ("render ghost.md --format pdf", 2),
        ("render ghost.md --json", 2),
        ("delivery list --state lost", 2),
        ("category add advice --cadence sometimes", 2),
        ("category edit advice --timezone Mars/Base", 2),
        ("category edit advice --mode loud", 2),
        ("category edit advice --title=", 2),
        ("category edit advice", 2),
        ("subscriber add a@b.example --category advice --evidence " + "x" * 1001, 2),
    ],
)
def test_help_and_usage_errors_load_nothing_heavy(tmp_path: Path, command: str, code: int) -> None:
    """Neither a database library nor a renderer nor a web framework is loaded to say what was mistyped."""
    report = tmp_path / "modules"
    start = f"import sys; report = {str(report)!r}; sys.argv = ['paperround', *{command.split()!r}]\n"
    done = subprocess.run(
        [sys.executable, "-c", start + LOADED], capture_output=True, cwd=tmp_path, check=False
    )
    assert done.returncode == code, done.stderr
    assert set(report.read_text(encoding="utf-8").split()) & HEAVY == set()


def test_the_benchmark_says_how_the_promise_stands() -> None:
    """`benchmarks/start.py --json` prints one object with a ratio for help and for each usage error."""
    command = [sys.executable, ROOT / "benchmarks" / "start.py", "--runs", "1", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    result = json.loads(done.stdout)
    assert result["promised"] == 15
    assert result["worst"] == max(result["ratios"].values())
    assert "help" in result["ratios"]
    assert done.returncode == int(result["worst"] > result["promised"])


@pytest.mark.parametrize("command", ["paperround", *NOUNS, *all_commands()])
def test_help_is_whole(cli: Cli, command: str) -> None:
    """Every command, argument and option is explained, in sentences that are not cut off."""
    done = cli(*command.split()[1:], "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "..." not in re.sub(r"(COMMAND|ARGS|FILE|PATH|DAY|SLUG)\W*\.\.\.", "", done.stdout)
    assert not re.search(r"<(str|int|float|bool|path)\b", done.stdout), "a type where a word should stand"
    assert max(map(len, done.stdout.splitlines())) <= 80
    found = get_command(app)
    for word in command.split()[1:]:
        found = found.commands[word]  # type: ignore[attr-defined]  # a group, as long as there are words
    assert found.help or command == "paperround"
    assert [parameter.name for parameter in found.params if not parameter.help] == []  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", ["paperround", *NOUNS])
def test_a_noun_alone_lists_its_commands(cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """Whoever types only half is shown the other half. (`inbound` takes no message from a terminal.)"""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    done = cli(*command.split()[1:])
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_the_module_is_the_command(paperround: Paperround) -> None:
    """`python -m newsletter` is `paperround`, and knows its version."""
    done = paperround("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"paperround \d+\.\d+\.\d+\n", done.stdout)
