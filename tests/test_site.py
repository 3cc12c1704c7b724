"""Making a site: all of it or nothing."""

import os
import stat
from pathlib import Path

import pytest

from newsletter.errors import PaperroundError, SiteError
from newsletter.settings_file import load_settings
from newsletter.site import make_site
from tests.conftest import GIVEN, Cli


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder, with the bytes of files."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_a_new_site_is_complete(tmp_path: Path) -> None:
    """A site has its settings, a place for posts, and a key for its owner's eyes, whatever the umask."""
    before = os.umask(0)
    try:
        make_site(tmp_path / "deep" / "site", GIVEN)
        make_site(tmp_path / "other", GIVEN)
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "site"
    assert set(contents(folder)) == {"paperround.toml", "posts", "secret.key", "theme.toml"}
    assert stat.S_IMODE((folder / "secret.key").stat().st_mode) == 0o600
    keys = {load_settings(made).secret_key() for made in (folder, tmp_path / "other")}
    assert len(keys) == 2
    assert min(map(len, keys)) >= 43  # 256 bits of base64


def test_a_site_is_made_once(tmp_path: Path) -> None:
    """A second `init` refuses and changes nothing; so it does where only a key is left."""
    make_site(tmp_path, GIVEN)
    before = contents(tmp_path)
    with pytest.raises(SiteError, match="already; nothing was changed"):
        make_site(tmp_path, GIVEN | {"name": "Another"})
    assert contents(tmp_path) == before
    (tmp_path / "paperround.toml").unlink()
    with pytest.raises(SiteError, match="already; nothing was changed"):
        make_site(tmp_path, GIVEN)
    assert contents(tmp_path)["secret.key"] == before["secret.key"]


def test_a_site_may_be_made_in_a_blog(tmp_path: Path) -> None:
    """What lies in the folder already is left as it was."""
    (tmp_path / "posts").mkdir()
    (tmp_path / "posts" / "mine.md").write_text("words", encoding="utf-8")
    make_site(tmp_path, GIVEN)
    assert contents(tmp_path)["posts/mine.md"] == b"words"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("from", "Ann", "site.from 'Ann' is not an email address"),
        ("from", "", "site.from must not be empty"),
        ("base_url", "news.example.org", "site.base_url is not a web address"),
        ("base_url", "http://news.example.org", "site.base_url must begin with https://"),
        ("name", " ", "site.name must not be empty"),
        ("postal_address", "a\nb", "site.postal_address has a line break"),
    ],
)
def test_a_bad_value_leaves_nothing_behind(
    tmp_path: Path, cli: Cli, option: str, value: str, said: str
) -> None:
    """`init` with a value that cannot be says so in one line, and makes neither folder nor file."""
    given = GIVEN | {option: value}
    options = [part for key, text in given.items() for part in (f"--{key.replace('_', '-')}", text)]
    done = cli("init", tmp_path / "site", *options)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"paperround: {said}")
    assert done.stderr.count("\n") == 1
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("place", ["file", "file/site", "x" * 300])
def test_a_folder_that_cannot_be_is_refused(tmp_path: Path, place: str) -> None:
    """A folder that cannot be made or written is one message, and what is there stays."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(PaperroundError, match="a site cannot be made in"):
        make_site(tmp_path / place, GIVEN)
    assert contents(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("failing", ["paperround.toml", "secret.key"])
def test_a_disk_that_fills_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """If either file cannot be written, the other one and the new folders are taken away again."""
    opened = os.open

    def full(path: Path, *arguments: int) -> int:
        if Path(path).name == failing:
            raise OSError(28, "No space left on device")
        return opened(path, *arguments)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(SiteError, match="No space left on device"):
        make_site(tmp_path / "letters" / "site", GIVEN)
    assert contents(tmp_path) == {}


def test_init_says_what_comes_next(tmp_path: Path, cli: Cli) -> None:
    """A newcomer is told where the settings are, that nothing is sent yet, and the next command to type."""
    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    done = cli("init", tmp_path / "site", *options)
    assert (done.returncode, done.stdout) == (0, "")
    assert str(tmp_path / "site" / "paperround.toml") in done.stderr
    assert "sandbox" in done.stderr
    assert f"Next: paperround --site {tmp_path / 'site'} category add " in done.stderr
