"""`paperround check`: a gate that says what to mend, and where."""

import json
from pathlib import Path

import pytest

from newsletter.site import make_site
from tests.conftest import GIVEN, Cli, Paperround

SOUND = "---\ntitle: Sound\n---\nWords.\n"
NOTED = "---\ntitle: Noted\n---\nSee [here](https://example.org).\n"
BAD = "---\ntitle: Bad\n---\n\n![](/a.png)\n"


@pytest.fixture
def blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of posts that is no site, with what is not to be looked at."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "b.md": BAD,
        "a.markdown": NOTED,
        "_drafts/c.md": SOUND,
        "d.md": "\0",
        "_site/no.md": BAD,
        ".hidden/no.md": BAD,
        "node_modules/x/no.md": BAD,
        "e.txt": BAD,
    }.items():
        path = tmp_path / "blog" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "blog"


def test_findings_are_lines_to_click_on(blog: Path, paperround: Paperround) -> None:
    """`path:line: severity rule: why; mend` on standard output, a tally on standard error, exit code 3."""
    done = paperround("check", "blog", cwd=blog.parent)
    assert done.returncode == 3
    assert [" ".join(line.split()[:3]) for line in done.stdout.splitlines()] == [
        "blog/a.markdown:4: note link-vague:",
        "blog/b.md:5: error alt-missing:",
        "blog/d.md:1: error unreadable:",
    ]
    assert done.stderr == "4 posts checked: 2 errors, 0 warnings, 1 note\n"


def test_json_is_one_document(blog: Path, cli: Cli) -> None:
    """How many files, and every finding with all its parts."""
    done = cli("check", "blog/b.md", "blog/_drafts", "blog/b.md", "--json")
    assert done.returncode == 3
    document = json.loads(done.stdout)
    assert document["files"] == 2
    (finding,) = document["findings"]
    assert set(finding) == {"file", "line", "rule", "severity", "why", "mend"}
    assert (finding["file"], finding["line"]) == ("blog/b.md", 5)
    assert (finding["rule"], finding["severity"]) == ("alt-missing", "error")


@pytest.mark.parametrize("name", ["a.markdown", "_drafts"])
def test_notes_do_not_fail(blog: Path, cli: Cli, name: str) -> None:
    """Only errors close the gate."""
    assert cli("check", blog / name).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["no-such.md"], 1), (["blog/.hidden/empty"], 1), ([], 2), (["--no-such", "blog"], 2)],
)
def test_what_cannot_be_checked_is_said(blog: Path, cli: Cli, arguments: list[str], code: int) -> None:
    """Nothing there is 1, not understood is 2; never silence that looks like success."""
    (blog / ".hidden" / "empty").mkdir()
    done = cli("check", *arguments)
    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr


def test_a_failing_template_is_told_once(blog: Path, cli: Cli, tmp_path: Path) -> None:
    """However many posts it spoils."""
    site = tmp_path / "site"
    make_site(site, GIVEN)
    (site / "templates" / "email").mkdir(parents=True, exist_ok=True)
    (site / "templates" / "email" / "issue.txt.j2").write_text("{{ nothing }}", encoding="utf-8")
    done = cli("--site", site, "check", "blog", "--json")
    rules = [finding["rule"] for finding in json.loads(done.stdout)["findings"]]
    assert rules.count("template") == 1
    assert done.returncode == 3
