"""`paperround queue edit`, `approve` and `history`: an editor's desk."""

import json
import os
from typing import Any

import pytest

from newsletter.app import App
from tests.cli.test_queue_cli import Queue
from tests.conftest import Cli, write_post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; what is done is tested on both elsewhere."""


@pytest.fixture
def queue(advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Queue:
    """Two posts that wait in `advice`; an editor called Ann."""
    monkeypatch.setenv("PAPERROUND_EDITOR", "Ann Lee")
    made = Queue(advice, cli)
    for name in ("one", "two"):
        assert made("add", write_post(made.posts, name)).returncode == 0
    return made


def document(queue: Queue, *command: str) -> Any:
    done = queue(*command, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def when(queue: Queue) -> list[str]:
    return [row["when"] for row in document(queue, "list")]


def plan(cli: Cli, queue: Queue) -> list[tuple[str, list[str]]]:
    """The slots of `letters` to come, with their posts."""
    done = cli("--site", queue.folder, "plan", "--weeks", "3", "--json")
    rows = [row for row in json.loads(done.stdout) if row["category"] == "letters"]
    return [(row["slot"], row["posts"]) for row in rows]


@pytest.fixture
def letters(queue: Queue, cli: Cli) -> list[str]:
    """The slots of a category that was made just now: those of `advice` may have been missed."""
    assert cli("--site", queue.folder, "category", "add", "letters").returncode == 0
    return [slot for slot, _ in plan(cli, queue)]


def test_a_post_is_dated_and_its_list_says_so(queue: Queue) -> None:
    """When adding and later; `never` takes back; one that has expired is still there, and said to be."""
    three = write_post(queue.posts, "three")
    done = queue("add", three, "--not-before", "2199-01-01", "--expires", "2199-12-31")
    assert done.stdout == "three: queued in advice; from 2199-01-01, until 2199-12-31\n"
    assert queue("edit", "one", "--expires", "2001-01-01").stderr == "one goes until 2001-01-01 in advice.\n"
    assert when(queue) == ["expired", "", "from 2199-01-01, until 2199-12-31"]
    assert queue("list").stdout.splitlines()[1].endswith("queued  expired")
    assert queue("show", "one").stdout.splitlines()[-1].endswith("advice: queued (expired)")
    assert queue("edit", "one", "--expires", "never").stderr == "one goes at its turn in advice.\n"
    assert when(queue)[0] == ""
    row = document(queue, "show", "three")["places"][0]
    assert (row["category"], row["not_before"], row["expires"]) == ("advice", "2199-01-01", "2199-12-31")


def test_a_post_is_kept_for_a_slot(queue: Queue, cli: Cli, letters: list[str]) -> None:
    """The plan has it there; nobody else gets the slot, and `never` gives it back."""
    second = letters[1]
    posts = [queue.posts / "one.md", queue.posts / "two.md"]
    assert queue("add", *posts, "--category", "letters").returncode == 0
    done = queue("edit", "one", "--slot", second, "--category", "letters")
    assert done.stderr == f"one goes at {second} in letters.\n"
    three = ("add", write_post(queue.posts, "three"), "--category", "letters", "--slot", second)
    refused = queue(*three)
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"paperround: {second} of letters is kept for 'one'")
    assert [found for _, found in plan(cli, queue)] == [["two"], ["one"], []]
    assert queue("edit", "one", "--slot", "never").returncode == 0
    assert queue(*three).stdout == f"three: queued in letters; at {second}\n"
    assert [found for _, found in plan(cli, queue)] == [["one"], ["three"], ["two"]]


def test_a_slot_is_one_category_s(queue: Queue, letters: list[str]) -> None:
    """A post of two categories needs to say which, when it is added and when it waits in both."""
    slot = letters[0]
    path = write_post(queue.posts, "both")
    path.write_text(path.read_text(encoding="utf-8").replace("[advice]", "[advice, letters]"))
    assert "names advice, letters: name one with --category" in queue("add", path, "--slot", slot).stderr
    assert queue("add", path).returncode == 0
    assert "waits in advice, letters: name one" in queue("edit", "both", "--slot", slot).stderr
    assert queue("edit", "both", "--slot", slot, "--category", "letters").returncode == 0
    assert document(queue, "show", "both")["places"][1]["slot"] == slot
    done = queue("edit", "both", "--not-before", "2020-01-01")
    assert done.stderr.splitlines() == [
        "both goes from 2020-01-01 in advice.",
        f"both goes from 2020-01-01, at {slot} in letters.",
    ]


def test_two_editors(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """One loads the queue, another approves it; who and when is shown; a changed text is asked for again."""
    monkeypatch.setenv("PAPERROUND_QUEUE__APPROVAL", "true")
    names = ("three", "four", "five")
    done = queue("add", *(write_post(queue.posts, name) for name in names))
    assert done.stdout == "".join(f"{name}: proposed in advice\n" for name in names)
    assert queue.order() == [
        *(("one", "queued"), ("two", "queued")),
        *((name, "proposed") for name in names),
    ]
    refused = queue("release", "four")
    assert refused.returncode == 1
    assert "`paperround queue approve four`" in refused.stderr
    done = queue("approve", "four", "--by", "Bo Chan")
    assert done.stderr == "four was approved in advice by Bo Chan.\n"
    place = document(queue, "show", "four")["places"][0]
    assert (place["state"], place["approved_by"]) == ("queued", "Bo Chan")
    assert "advice: queued (approved by Bo Chan at 20" in queue("show", "four").stdout
    done = queue("approve", "--all", "--category", "advice")
    assert (
        done.stderr == "three was approved in advice by Ann Lee.\nfive was approved in advice by Ann Lee.\n"
    )
    assert {state for _, state in queue.order()} == {"queued"}
    done = queue("add", write_post(queue.posts, "four", text="Other words."))
    assert done.stdout == (
        "four: already proposed in advice; its text was updated; to be approved anew in advice\n"
    )
    assert dict(queue.order())["four"] == "proposed"


def test_nothing_to_approve(queue: Queue) -> None:
    """Where each stands is said, and nothing is approved."""
    done = queue("approve", "one", "two")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"paperround: '{name}' is queued in advice; only what is proposed can be changed so"
        for name in ("one", "two")
    ]
    assert "nothing is proposed: `paperround queue list`" in queue("approve", "--all").stderr
    assert "nothing is proposed in advice: " in queue("approve", "--all", "--category", "advice").stderr


def test_the_history_of_a_queue(queue: Queue) -> None:
    """Who did what to which post, the newest last; of one post, of one category, and as many as wanted."""
    assert queue("hold", "two").returncode == 0
    assert queue("edit", "two", "--not-before", "2199-01-01").returncode == 0
    rows = document(queue, "history")
    assert [(row["actor"], row["category"], row["slug"], row["action"], row["detail"]) for row in rows] == [
        ("Ann Lee", "advice", "one", "added", ""),
        ("Ann Lee", "advice", "two", "added", ""),
        ("Ann Lee", "advice", "two", "held", ""),
        ("Ann Lee", "advice", "two", "edited", "from 2199-01-01"),
    ]
    assert rows == sorted(rows, key=lambda row: row["at"])
    assert document(queue, "history", "one") == rows[:1]
    assert document(queue, "history", "--limit", "2", "--category", "advice") == rows[2:]
    done = queue("history", "--limit", "2")
    assert done.stdout.splitlines()[0].split() == ["at", "actor", "category", "slug", "action", "detail"]
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == "Not all there is: the newest 2; --limit shows more.\n"
    assert queue("history", "--limit", "4").stderr == ""


def test_who_it_was(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable, else the system's name for the user, else `unknown`; clean and cut to what is kept."""

    def actor() -> str:
        queue("hold", "one")
        queue("release", "one")
        row: dict[str, str] = document(queue, "history", "--limit", "1")[0]
        return row["actor"]

    monkeypatch.setenv("PAPERROUND_EDITOR", " דנה\tLevi \x1b" + "x" * 200)
    assert actor() == "דנה Levi " + "x" * 111
    os.environb[b"PAPERROUND_EDITOR"] = b"Zo\xeb"
    assert actor() == "Zo?"
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAPERROUND_EDITOR", "")
    monkeypatch.setenv("LOGNAME", "ann")
    assert actor() == "ann"
    monkeypatch.delenv("LOGNAME")

    def nobody(number: int) -> object:
        raise KeyError(number)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    assert actor() == "unknown"


def test_a_queue_without_a_history(site: App, cli: Cli) -> None:
    """A new site's is empty; a name that nobody has is no empty history."""
    folder = site.settings.folder
    done = cli("--site", folder, "queue", "history")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "Nothing was done there yet.\n")
    assert "no post 'x' here" in cli("--site", folder, "queue", "history", "x").stderr
    assert "no category 'x' here" in cli("--site", folder, "queue", "history", "--category", "x").stderr
