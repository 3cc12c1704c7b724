"""Files that others named: read if they are regular, refused at once if somebody could wait for them."""

import os
from pathlib import Path

import pytest

from newsletter.files import open_regular, put_in_place
from newsletter.site import make_site
from tests.conftest import GIVEN, Paperround


def test_a_regular_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    """By its own name or by a link to it."""
    (tmp_path / "file").write_bytes(b"Hello")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"Hello"


def test_what_could_be_waited_for_is_refused_at_once(tmp_path: Path) -> None:
    """A pipe that nobody writes to, a device without end, a folder; and nothing is left open."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    before = sorted(Path("/proc/self/fd").iterdir())
    for name, said in (("pipe", "not a regular file"), ("zero", "not a regular file"), ("", "a directory")):
        with pytest.raises(OSError, match=said):
            open_regular(tmp_path / name)
    assert sorted(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    ("name", "command", "said"),
    [
        ("dkim.pem", "dkim show", "dkim.pem: the DKIM key cannot be read (not a regular file): `paperround"),
        ("theme.toml", "render post.md", "theme.toml: cannot be read: not a regular file"),
        ("paperround.toml", "issue list", "paperround.toml: cannot be read: not a regular file"),
        ("copy", "db restore copy", "copy cannot be read: not a regular file"),
        ("pipe.md", "render pipe.md", "pipe.md: cannot be read: not a regular file"),
    ],
)
def test_no_command_waits_for_a_pipe(
    paperround: Paperround, tmp_path: Path, name: str, command: str, said: str
) -> None:
    """Whatever a site or a person names: the command ends by itself, and says what is in the way."""
    site = tmp_path / "site"
    make_site(site, GIVEN)
    (site / "post.md").write_text("Hello.")
    (site / name).unlink(missing_ok=True)
    os.mkfifo(site / name, 0o600)
    signed = os.environ | {"PAPERROUND_DKIM__SELECTOR": "a"}
    done = paperround("--site", site, *command.split(), cwd=site, timeout=30, env=signed)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_readers_may_come_through_a_pipe(paperround: Paperround, tmp_path: Path) -> None:
    """`subscriber import` reads what another program writes: `/dev/stdin`, or a shell's `<(…)`."""
    site = tmp_path / "site"
    make_site(site, GIVEN)
    assert paperround("--site", site, "category", "add", "advice", "--title", "Advice").returncode == 0
    done = paperround(
        *("--site", site, "subscriber", "import", "/dev/stdin", "--category", "advice", "--confirmed"),
        input="email,name\nann@example.org,Ann\n",
    )
    assert (done.returncode, done.stderr) == (0, "advice: 1 added.\n")


def test_a_file_is_put_in_place_whole_or_not_at_all(tmp_path: Path) -> None:
    """Interrupted, it leaves what was there before, and no other file; its mode stays."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o640)

    def half() -> None:
        with put_in_place(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("file", b"before")]
    with put_in_place(path) as file:
        file.write(b"after")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o640)


def test_a_private_file_is_its_owners_alone(tmp_path: Path) -> None:
    """From its first byte on, also where another one that all could read was there before."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    path.chmod(0o644)
    with put_in_place(path, is_private=True) as file:
        (draft,) = set(tmp_path.iterdir()) - {path}
        assert draft.stat().st_mode & 0o777 == 0o600
        file.write(b"after")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"after", 0o600)
