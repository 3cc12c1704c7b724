"""`paperround queue sync` at work: what it prints, and what it leaves."""

import json
from pathlib import Path

import pytest

from newsletter.app import App
from tests.cli.test_errors_cli import dump
from tests.conftest import Cli, Done, write_post

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""What is told and how is the same on every database; tests/content/test_sync.py runs on both."""


@pytest.fixture
def blog(advice: App, cli: Cli, tmp_path: Path) -> "Blog":
    """A blog beside the site, with two posts."""
    made = Blog(advice, cli, tmp_path / "blog")
    made.write("one", title="One")
    made.write("two", title="Two")
    return made


class Blog:
    """`blog("--dry-run")` runs `paperround queue sync BLOG --dry-run`."""

    def __init__(self, site: App, cli: Cli, folder: Path) -> None:
        self.site, self.folder, self._cli = site, folder, cli

    def __call__(self, *options: str) -> Done:
        return self._cli("--site", self.site.settings.folder, "queue", "sync", self.folder, *options)

    def queue(self, *words: str) -> Done:
        return self._cli("--site", self.site.settings.folder, "queue", *words)

    def write(self, name: str, *, title: str = "A title", extra: str = "", text: str = "Some words.") -> Path:
        path = write_post(self.folder, name, title=title, text=text)
        path.write_text(
            path.read_text(encoding="utf-8").replace("---\n", f"---\n{extra}", 1), encoding="utf-8"
        )
        return path


def test_what_changed_is_told_once_and_a_dry_run_tells_it_before(blog: Blog) -> None:
    """One line for each thing, as in a diff; a dry run prints the same and changes nothing."""
    blog.write("idea", extra="draft: true\n")
    later = "---\ncategory: advice\ndate: 2999-01-01\n---\nHi"
    blog.write("later").write_text(later, encoding="utf-8")
    blog.write("wait", extra="publishDate: 2999-01-01\n")
    for name in ("red", "blue"):
        blog.write(name).write_text("---\ncategory: news\n---\nHi", encoding="utf-8")
    expected = (
        "+ one: queued in advice\n+ two: queued in advice\n+ wait: queued in advice; from 2999-01-01\n"
        ". idea: it is a draft\n"
        ". later: it is dated 2999-01-01\n. 2 posts of no category here\n"
    )
    before = dump(blog.site)
    dry = blog("--dry-run")
    assert (dry.returncode, sorted(dry.stdout.splitlines())) == (0, sorted(expected.splitlines()))
    assert dump(blog.site) == before
    assert blog() == dry
    assert blog() == Done(0, "", "")
    assert blog("--json").stdout == "[]\n"

    assert blog.queue("hold", "two").returncode == 0
    (blog.folder / "sub").mkdir()
    (blog.folder / "one.md").rename(blog.folder / "sub" / "one.md")
    blog.write("two", title="Two and a half")
    dry = blog("--dry-run")
    assert dry.stdout == "> one: moved, one.md → sub/one.md\n~ two: its text was updated\n"
    assert blog() == dry
    (blog.folder / "sub" / "one.md").unlink()
    blog.write("two", extra="draft: true\n")
    assert blog().stdout == (
        "- two: dropped from advice, it is a draft\n- one: dropped from advice, its file is gone\n"
    )
    blog.write("two")
    assert blog().stdout == "+ two: queued in advice, held in advice as before\n"
    assert blog().stdout == ""


def test_a_text_that_has_gone_out_is_said(blog: Blog, cli: Cli) -> None:
    """The post is renewed for later readers; the letters keep the text they had."""
    folder = blog.site.settings.folder
    assert blog().returncode == 0
    assert cli("--site", folder, "tick", "--at", "2030-01-01T08:00:00Z").returncode == 0
    blog.write("one", title="Another title")
    assert blog().stdout == (
        "~ one: its text was updated\n. one: issued in advice; letters keep the text they had\n"
    )


def test_approval_and_history(blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the site asks for approval all that comes from the folder waits for it; all is in the history."""
    monkeypatch.setenv("PAPERROUND_QUEUE__APPROVAL", "true")
    monkeypatch.setenv("PAPERROUND_EDITOR", "the blog's cron")
    dry = blog("--dry-run")
    assert dry.stdout == "+ one: proposed in advice\n+ two: proposed in advice\n"
    assert blog() == dry
    assert blog.queue("approve", "one", "two", "--by", "Ann").returncode == 0
    blog.write("one", title="Another title")
    blog.write("two", title="Two", extra="expires: 2999-01-01\n")
    dry = blog("--dry-run")
    assert dry.stdout == (
        "~ one: its text was updated; to be approved anew in advice\n"
        "~ two: its dates were changed in advice\n"
    )
    assert blog() == dry
    events = json.loads(blog.queue("history", "--json").stdout)
    assert [(event["actor"], event["action"], event["slug"]) for event in events] == [
        ("the blog's cron", "proposed", "one"),
        ("the blog's cron", "proposed", "two"),
        ("Ann", "approved", "one"),
        ("Ann", "approved", "two"),
        ("the blog's cron", "updated", "one"),
        ("the blog's cron", "proposed", "one"),
        ("the blog's cron", "edited", "two"),
    ]


def test_who_has_the_earlier_text_is_said(blog: Blog, cli: Cli) -> None:
    """As `queue add` does: with the command that sends them a correction."""
    folder = blog.site.settings.folder
    add = ("subscriber", "add", "ann@example.org", "--category", "advice", "--confirmed")
    assert cli("--site", folder, *add).returncode == 0
    assert blog().returncode == 0
    assert cli("--site", folder, "tick", "--at", "2030-01-01T08:00:00Z").returncode == 0
    blog.write("one", title="Another title")
    assert "the earlier text: `paperround issue erratum" in blog().stderr


def test_rows_for_programs(blog: Blog) -> None:
    """A list with an object for each post, the same of a dry run."""
    dry = blog("--dry-run", "--json")
    assert json.loads(dry.stdout)[0] == {
        "slug": "one",
        "path": "one.md",
        "standing": "due",
        "date": "2026-01-02",
        "queued": ["advice"],
        "state": "queued",
        "when": "",
        "held": [],
        "dropped": [],
        "issued": [],
        "moved_from": None,
        "updated": False,
        "withdrawn": [],
        "dated": [],
    }
    assert blog("--json") == dry


def test_problems_are_named_and_nothing_is_changed(blog: Blog) -> None:
    """All of them, with file and line, on standard error; a dry run has them in its diff; both end with 1."""
    blog.write("bad", extra="publishDate: never\n")
    (blog.folder / "worse.md").write_bytes(b"\0")
    before = dump(blog.site)
    done = blog()
    assert (done.returncode, done.stdout) == (1, "")
    bad, worse, last = done.stderr.splitlines()
    assert bad.startswith(f"paperround: {blog.folder}/bad.md:")
    assert worse == f"paperround: {blog.folder}/worse.md:1: is a binary file, not a text"
    assert last == "paperround: nothing was changed"
    dry = blog("--dry-run")
    assert dry.returncode == 1
    assert dry.stdout.splitlines() == [f"! {line.removeprefix('paperround: ')}" for line in (bad, worse)]
    rows = json.loads(blog("--dry-run", "--json").stdout)
    assert [list(row) for row in rows] == [["problem"]] * 2
    assert dump(blog.site) == before


def test_pictures_are_taken_and_a_dry_run_keeps_none(
    blog: Blog, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As `queue add` does: what cannot be had is an error of its line, and a dry run knows it too."""
    from PIL import Image

    monkeypatch.setenv("PAPERROUND_IMAGES__POLICY", "host")
    path = blog.write("picture", text="![A cat](cat.png)")
    for options in ((), ("--dry-run",)):
        done = blog(*options)
        assert done.returncode == 1
        assert f"{path}:7: " in done.stdout + done.stderr
        assert "cat.png" in done.stdout + done.stderr
    Image.new("RGB", (40, 30), "red").save(blog.folder / "cat.png")
    assert blog("--dry-run").returncode == 0
    media = blog.site.settings.media_folder
    assert not media.exists()
    assert blog().returncode == 0
    assert list(media.glob("*.png")) or list(media.glob("*.jpg"))


def test_what_an_editor_should_know_is_told_with_the_change(blog: Blog) -> None:
    """An image that is missing is a warning where a post is queued or changed, and no word later."""
    path = blog.write("picture", text="![A cat](cat.png)")
    assert f"{path}:7: no image cat.png" in blog().stderr
    assert blog().stderr == ""


def test_a_site_keeps_its_own_folder(blog: Blog, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder within the site, however it is named, is one and the same, and lies where the site lies."""
    folder = blog.site.settings.folder
    write_post(folder / "posts", "three")
    monkeypatch.chdir(folder)
    assert cli("queue", "sync", "posts").stdout == "+ three: queued in advice\n"
    assert cli("queue", "sync", folder / "posts" / ".." / "posts").stdout == ""
    assert json.loads(cli("queue", "show", "three", "--json").stdout)["path"] == "posts/three.md"
    (folder / "link").symlink_to(folder / "posts")
    assert cli("queue", "sync", "link").stdout == ""


def test_a_renamed_posts_letter_has_a_web_version(blog: Blog, cli: Cli) -> None:
    """Its address is made of the slug the post was queued under, where the archive looks for it."""
    from sqlmodel import select

    from newsletter.models import Edition, Post
    from newsletter.schedule.archive import find_shown

    assert blog().returncode == 0
    (blog.folder / "one.md").rename(blog.folder / "uno.md")
    assert blog().returncode == 0
    assert cli("--site", blog.site.settings.folder, "tick", "--at", "2030-01-01T08:00:00Z").returncode == 0
    with blog.site.database.read() as session:
        edition = session.exec(select(Edition)).one()
        assert session.exec(select(Post.path).where(Post.slug == "one")).one().endswith("/uno.md")
        assert f"/issues/{edition.issue_id}/one" in edition.html
        assert find_shown(session, edition.issue_id, "one") is not None
