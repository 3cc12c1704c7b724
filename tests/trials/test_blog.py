"""A whole blog, checked and rendered: 300 posts in which every trap stands, through the real command line."""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, Paperround
from tests.render import reading
from tests.trials.jekyll_blog import TRAPS, BlogPost, Kind, make_blog

pytestmark = pytest.mark.trial

POSTS = 300
_MARKER = re.compile(r"w\d{4}[abc]")


@dataclass(frozen=True)
class Blog:
    """A blog in a folder, and what is known of its posts."""

    folder: Path
    posts: list[BlogPost]

    def of(self, kind: Kind) -> list[BlogPost]:
        return [post for post in self.posts if post.kind is kind]


@pytest.fixture
def blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blog:
    """The trial's blog, in a folder that is no site."""
    monkeypatch.chdir(tmp_path)
    return Blog(tmp_path / "blog", make_blog(tmp_path / "blog", POSTS))


def test_the_blog_is_what_it_says(blog: Blog, tmp_path: Path) -> None:
    """300 posts with every trap, several to a post; every marker once; the same seed gives the same bytes."""
    assert len({post.path for post in blog.posts}) == POSTS
    assert {trap for post in blog.of(Kind.SOUND) for trap in post.traps} == set(TRAPS)
    assert all(len(post.traps) > 1 for post in blog.of(Kind.SOUND))
    for post in blog.of(Kind.SOUND):
        markers = _MARKER.findall(post.path.read_text("utf-8"))
        assert sorted(markers) == sorted({*post.words, *post.gone})
    again = make_blog(tmp_path / "again", POSTS)
    assert [post.path.read_bytes() for post in blog.posts] == [post.path.read_bytes() for post in again]


def test_check_names_every_broken_post_and_no_sound_one(blog: Blog, paperround: Paperround) -> None:
    """`check DIR --json` ends with 3: a broken post has a finding at its line, a sound one no error."""
    done = paperround("check", blog.folder, "--json")
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    found: dict[Path, list[dict[str, Any]]] = {}
    for finding in json.loads(done.stdout)["findings"]:
        assert finding["line"] >= 1
        assert finding["rule"]
        assert finding["why"]
        assert finding["mend"]
        found.setdefault(Path(finding["file"]).resolve(), []).append(finding)

    unnamed = {
        post.traps[0]: (post.line, found.get(post.path, []))
        for post in blog.of(Kind.BROKEN)
        if not any(post.line in (None, finding["line"]) for finding in found.get(post.path, []))
    }
    assert unnamed == {}
    accused = {
        post.path.name: [finding for finding in found.get(post.path, []) if finding["severity"] == "error"]
        for post in blog.of(Kind.SOUND)
    }
    assert {name: errors for name, errors in accused.items() if errors} == {}


def test_every_word_of_every_sound_post_arrives(blog: Blog, cli: Cli) -> None:
    """HTML and text hold each word once and in order, and nothing of what nobody is to see."""
    wrong = {}
    for post in blog.of(Kind.SOUND):
        for form in ("html", "text"):
            done = cli("render", post.path, "--format", form)
            assert (done.returncode, done.stderr) == (0, ""), post
            shown = reading.Letter(done.stdout).text if form == "html" else done.stdout
            if (words := tuple(_MARKER.findall(shown))) != post.words:
                wrong[post.path.name, form] = (post.traps, set(post.words) ^ set(words) or "order")
    assert wrong == {}


def test_broken_and_hostile_posts_crash_nothing(blog: Blog, cli: Cli) -> None:
    """Each is rendered, with nothing alive in it, or refused in one line that names the file."""
    for post in blog.of(Kind.BROKEN) + blog.of(Kind.HOSTILE):
        for form in ("html", "text", "eml"):
            done = cli("render", post.path, "--format", form)
            assert "Traceback" not in done.stderr, post.traps
            if done.returncode:
                assert done.returncode == 1
                assert str(post.path) in done.stderr
                assert len(done.stderr.splitlines()) == 1
            elif form == "html":
                read = reading.Letter(done.stdout)
                assert not read.tags & {"script", "form", "input", "iframe", "mj-text", "mj-raw"}, post.traps
                assert not re.search(r"(?i)(href|src)=[\"'](javascript|vbscript|data):", done.stdout)
                assert "evil.example" not in done.stdout
            elif form == "eml":
                header = done.stdout.partition("\r\n\r\n")[0]
                assert not re.search(r"(?mi)^bcc:", header)


def test_processes_of_their_own_do_the_same(blog: Blog, cli: Cli, paperround: Paperround) -> None:
    """A sample of every kind, in real processes: the same exit codes and bytes as within one."""
    for kind in Kind:
        for post in random.Random(5).sample(blog.of(kind), 4):
            alone = paperround("render", post.path, "--format", "text")
            within = cli("render", post.path, "--format", "text")
            assert (alone.returncode, alone.stdout, alone.stderr) == (
                within.returncode,
                within.stdout,
                within.stderr,
            )
