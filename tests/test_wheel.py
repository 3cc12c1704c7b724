"""The wheel works by itself: installed in an empty environment, away from the checkout, it sends an issue."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from newsletter.migrations import HEAD
from tests.conftest import GIVEN, write_post

ROOT = Path(__file__).parent.parent
_NO_NETWORK = re.compile(
    r"name resolution|Network is unreachable|Connection refused|NewConnectionError", re.IGNORECASE
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, freshly built."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_is_needed_and_nothing_else(wheel: Path) -> None:
    """Both packages, templates, themes, migrations, the demo's posts, client data and licences; no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "newsletter/templates/email/issue.mjml.j2",
        "newsletter/templates/web/leave.html.j2",
        "newsletter/templates/themes/paper.toml",
        "newsletter/templates/themes/press.toml",
        "newsletter/check/caniemail.json",
        "newsletter/check/CANIEMAIL-LICENSE.txt",
        "newsletter/migrations/script.py.mako",
        "newsletter/py.typed",
        "subscribers/py.typed",
    ):
        assert needed in names
    assert any(re.fullmatch(r"newsletter/demo/posts/.*\.md", name) for name in names)
    assert any(re.fullmatch(rf"newsletter/migrations/versions/{HEAD}_.*\.py", name) for name in names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"newsletter", "subscribers"}


@pytest.mark.trial
@pytest.mark.timeout(300)
def test_an_installed_wheel_sends_an_issue(wheel: Path, tmp_path: Path) -> None:
    """In an empty environment and an empty folder: init, a category, a post, a reader, and the letter."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bin_folder = tmp_path / "venv" / "bin"
    install = [bin_folder / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    constraints = ["--constraint", ROOT / "constraints.txt"]
    done = subprocess.run([*install, *constraints, wheel], check=False, capture_output=True, text=True)
    if done.returncode and _NO_NETWORK.search(done.stderr):
        pytest.skip("needs the package index")
    assert done.returncode == 0, done.stderr
    home = tmp_path / "elsewhere"
    home.mkdir()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PAPERROUND"))}

    def run(*arguments: object) -> str:
        command = [str(bin_folder / "paperround"), *map(str, arguments)]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, cwd=home, env=clean)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    run("init", "site", *options)
    run("--site", "site", "category", "add", "advice")
    run("--site", "site", "queue", "add", write_post(home / "posts", "a-post"))
    run("--site", "site", "subscriber", "add", "ann@example.org", "--category", "advice", "--confirmed")
    run("--site", "site", "tick", "--at", "2030-01-08T08:00:00Z")
    [letter] = [
        kept for kept in (home / "site" / "sandbox").rglob("*.eml") if b"List-Id:" in kept.read_bytes()
    ]
    assert b"Some words." in letter.read_bytes()
