"""`paperround render`: a post as its letter, with no site needed."""

import json
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from newsletter.site import make_site
from tests.conftest import GIVEN, Cli, Paperround

SEED = next((Path(__file__).parents[3] / "shared" / "seed").glob("*.md"), None)
POST = """---
title: A question of time
categories: [advice]
---

Two people talked.

## The talk

**Ann**

How long is long enough?

**Bo**

> How long

Until it is *done*.
"""


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A post with a conversation, in a folder that is no site."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a-question.md"
    path.write_text(POST, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("form", "begins", "holds"),
    [
        ("html", "<!doctype html>", "<em>done</em>"),
        ("text", "", "Bo:"),
        ("mjml", "<mjml", "<mj-body"),
        ("eml", "", "List-Unsubscribe: <https://news.example.com/u/"),
        ("outline", "A question of time\n", "Thread 1: The talk\n  Ann: How long is long enough?\n  Bo: "),
    ],
)
def test_a_bare_file_is_rendered(post: Path, cli: Cli, form: str, begins: str, holds: str) -> None:
    """Each format goes to standard output and nothing to standard error; no site is needed or made."""
    done = cli("render", post.name, "--format", form)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.lower().startswith(begins.lower())
    assert holds in done.stdout
    assert [path.name for path in post.parent.iterdir()] == [post.name]


def test_html_is_what_is_shown_without_asking(post: Path, cli: Cli) -> None:
    """`render FILE` alone writes the HTML."""
    plain = cli("render", post)
    assert plain.stdout == cli("render", post, "--format", "html").stdout
    assert plain.stdout.startswith("<!doctype html>")


def test_the_message_is_one_that_could_be_sent(post: Path, paperround: Paperround) -> None:
    """The .eml is a whole message in CRLF lines, its parts text and HTML."""
    done = paperround("render", post, "--format", "eml", text=False)
    message = message_from_bytes(done.stdout, policy=policy.default)
    assert b"\n" not in done.stdout.replace(b"\r\n", b"")
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]  # type: ignore[attr-defined]  # an EmailMessage
    assert message["Subject"] == "A question of time"


def test_the_outline_has_a_shape_for_programs(post: Path, cli: Cli) -> None:
    """`--format outline --json`: threads with title, form and turns; turns with speaker, time and text."""
    done = cli("render", post, "--format", "outline", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    (thread,) = json.loads(done.stdout)["threads"]
    assert set(thread) == {"title", "form", "turns"}
    assert thread["form"] == "talk"
    assert thread["title"] == "The talk"
    assert [turn["speaker"] for turn in thread["turns"]] == ["Ann", "Bo"]
    assert thread["turns"][0] == {"speaker": "Ann", "time": None, "text": "How long is long enough?"}


def test_a_post_without_a_conversation_says_so(post: Path, cli: Cli) -> None:
    """No thread: said to people, an empty list to programs."""
    post.write_text("Just words.", encoding="utf-8")
    assert cli("render", post, "--format", "outline").stdout == "A question\n\nNo conversation.\n"
    assert json.loads(cli("render", post, "--format", "outline", "--json").stdout) == {"threads": []}


@pytest.mark.skipif(SEED is None, reason="the seed post is not beside this checkout")
def test_the_seed_has_its_turns_and_speakers(cli: Cli) -> None:
    """The post that the product was imagined from: twelve turns by three speakers, no narration in them."""
    threads = json.loads(cli("render", SEED, "--format", "outline", "--json").stdout)["threads"]
    turns = [turn for thread in threads for turn in thread["turns"]]
    assert len(turns) == 12
    assert len({turn["speaker"] for turn in turns}) == 3


def test_in_a_site_the_site_s_look_is_used(post: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a site, or with --site, name and address are that site's; elsewhere an example's."""
    site = post.parent / "site"
    make_site(site, GIVEN)
    assert GIVEN["postal_address"] not in cli("render", post, "--format", "text").stdout
    assert GIVEN["postal_address"] in cli("--site", site, "render", post, "--format", "text").stdout
    monkeypatch.chdir(site / "posts")
    assert GIVEN["postal_address"] in cli("render", post, "--format", "text").stdout


def test_a_broken_environment_does_not_matter_to_a_bare_file(
    post: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables are for sites: without one they are not looked at."""
    monkeypatch.setenv("PAPERROUND_RELAY__PORT", "many")
    assert cli("render", post).returncode == 0
