"""`paperround queue` at work."""

import json
from pathlib import Path

import pytest

from newsletter.app import App
from tests.conftest import Cli, Done, write_post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; the listings and the errors are read on both."""


@pytest.fixture
def queue(advice: App, cli: Cli) -> "Queue":
    """Three posts that wait in `advice`."""
    made = Queue(advice, cli)
    for name in ("one", "two", "three"):
        assert made("add", write_post(made.posts, name)).returncode == 0
    return made


class Queue:
    """`queue("hold", "one")` runs `paperround queue hold one`; `queue.order()` is what waits."""

    def __init__(self, site: App, cli: Cli) -> None:
        self.folder = site.settings.folder
        self.posts = self.folder / "posts"
        self._cli = cli

    def __call__(self, *arguments: object) -> Done:
        return self._cli("--site", self.folder, "queue", *arguments)

    def order(self, *options: str) -> list[tuple[str, str]]:
        return [(row["slug"], row["state"]) for row in json.loads(self("list", "--json", *options).stdout)]


def test_adding_says_where_a_post_went(queue: Queue, cli: Cli) -> None:
    """A post enters each category of its front matter that there is; the others are named and skipped."""
    assert cli("--site", queue.folder, "category", "add", "letters").returncode == 0
    path = write_post(queue.posts, "four")
    path.write_text(path.read_text(encoding="utf-8").replace("[advice]", "[advice, letters, ghost]"))
    done = queue("add", path)
    assert done.stdout == "four: queued in advice, letters\n"
    assert done.stderr == f"{path}: this site has no category 'ghost'; skipped.\n"
    assert queue("add", path).stdout == "four: already queued in advice, letters\n"
    report = json.loads(queue("add", path, "--json").stdout)
    assert report == [
        {
            "slug": "four",
            "title": "A title",
            "queued": [],
            "state": None,
            "when": "",
            "already": {"advice": "queued", "letters": "queued"},
            "unknown": ["ghost"],
            "updated": False,
            "withdrawn": [],
            "dated": [],
        }
    ]


def test_adding_again_is_harmless_and_a_changed_file_updates(queue: Queue) -> None:
    """The same file changes nothing; a changed one changes the post where it stands."""
    order = queue.order()
    path = write_post(queue.posts, "two", title="A better title")
    done = queue("add", path)
    assert done.stdout == "two: already queued in advice; its text was updated\n"
    assert queue.order() == order
    assert json.loads(queue("show", "two", "--json").stdout)["title"] == "A better title"


@pytest.mark.parametrize(
    ("place", "expected"),
    [(1, ["three", "one", "two"]), (2, ["one", "three", "two"]), (3, ["one", "two", "three"])],
)
def test_a_post_is_moved_to_a_place(queue: Queue, place: int, expected: list[str]) -> None:
    """1 goes out next; the others close up around it, and the place is said."""
    done = queue("move", "three", place)
    assert (done.returncode, done.stderr) == (0, f"three is at place {place} of advice.\n")
    assert [slug for slug, _ in queue.order()] == expected


def test_a_place_that_there_is_not(queue: Queue) -> None:
    """The places there are, are named."""
    for place in (0, 4):
        done = queue("move", "three", place)
        assert (done.returncode, done.stderr) == (1, f"paperround: advice has places 1 to 3, not {place}\n")


def test_a_post_in_two_queues_is_moved_in_the_one_that_is_named(queue: Queue, cli: Cli) -> None:
    """Without --category the queues are named; with it the other one is left alone."""
    assert cli("--site", queue.folder, "category", "add", "letters").returncode == 0
    assert queue("add", queue.posts / "two.md", "--category", "letters").returncode == 0
    done = queue("move", "two", 1)
    assert done.stderr == "paperround: 'two' waits in advice, letters: name one of them with --category\n"
    assert queue("move", "two", 1, "--category", "advice").returncode == 0
    assert [slug for slug, _ in queue.order("--category", "advice")] == ["two", "one", "three"]


def test_hold_release_and_drop(queue: Queue) -> None:
    """A held post keeps its place, a dropped one loses it, and adding it again puts it at the end."""
    assert queue("hold", "one").stderr == "one was held in advice.\n"
    assert queue.order()[0] == ("one", "held")
    assert queue("release", "one").stderr == "one was released in advice.\n"
    assert queue.order()[0] == ("one", "queued")
    assert queue("drop", "one").stderr == "one was dropped in advice.\n"
    assert [slug for slug, _ in queue.order()] == ["two", "three"]
    assert queue("add", queue.posts / "one.md").stdout == "one: queued in advice\n"
    assert [slug for slug, _ in queue.order()] == ["two", "three", "one"]


@pytest.mark.parametrize(
    ("verb", "only"), [("release", "held"), ("hold", "queued"), ("drop", "queued or held or proposed")]
)
def test_what_cannot_be_changed_says_how_it_stands(queue: Queue, verb: str, only: str) -> None:
    """Holding what is held or releasing what is not: how the post stands is said, and nothing changes."""
    assert (
        queue("hold" if verb == "hold" else "drop" if verb == "drop" else "move", *_once(verb)).returncode
        == 0
    )
    before = queue.order("--all")
    done = queue(verb, "one")
    assert done.returncode == 1
    assert done.stderr.startswith("paperround: 'one' is ")
    assert f"only what is {only} can be changed so" in done.stderr
    assert queue.order("--all") == before


def _once(verb: str) -> tuple[str, ...]:
    return ("one", "1") if verb == "release" else ("one",)


def test_what_waits_nowhere_cannot_be_moved(queue: Queue) -> None:
    """A dropped post has no place; where it stands is to be seen with `queue show`."""
    assert queue("drop", "one").returncode == 0
    done = queue("move", "one", 1)
    assert (done.returncode, done.stdout) == (1, "")
    assert "'one' waits in no queue: `paperround queue show one`" in done.stderr


def test_a_post_is_shown_with_its_places(queue: Queue) -> None:
    """`queue show` tells title, file and state in each category."""
    done = queue("show", "two")
    values = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (values["slug"], values["path"], values["categories"]) == ("two", "posts/two.md", "advice: queued")


def test_a_file_outside_the_site_is_remembered_by_its_whole_path(queue: Queue, tmp_path: Path) -> None:
    """A blog lies elsewhere as a rule: its posts are kept with their absolute paths."""
    path = write_post(tmp_path / "blog", "abroad")
    assert queue("add", path).returncode == 0
    assert json.loads(queue("show", "abroad", "--json").stdout)["path"] == str(path)


def test_what_cannot_become_a_letter_is_not_queued(advice: App, cli: Cli) -> None:
    """A post whose text cannot be read is refused with its line, and the good one beside it with it."""
    folder = advice.settings.folder
    bad = write_post(folder / "posts", "bad", text="A sentence that goes on. " * 1200)
    good = write_post(folder / "posts", "good")
    done = cli("--site", folder, "queue", "add", bad, good)
    assert done.returncode == 1
    assert f"{bad}:7: the paragraph that begins" in done.stderr
    assert "nothing was queued" in done.stderr
    assert json.loads(cli("--site", folder, "queue", "list", "--json").stdout) == []


def test_an_image_of_the_blog_asks_for_the_blog(
    advice: App, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where blog_url is not set, an image that begins with / is said to be looked for at base_url."""
    folder = advice.settings.folder
    post = write_post(folder / "posts", "picture", text="![A cat](/assets/cat.png)")
    done = cli("--site", folder, "queue", "add", post)
    assert done.returncode == 0
    assert f"{post}:7: /assets/cat.png will be looked for at https://news.example.org" in done.stderr
    monkeypatch.setenv("PAPERROUND_SITE__BLOG_URL", "https://blog.example.org")
    assert "blog_url" not in cli("--site", folder, "queue", "add", post).stderr
