"""Making a site: a folder with paperround.toml, a theme, a secret key and a place for posts."""

import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from newsletter.errors import SiteError
from newsletter.settings_file import FILE_NAME, check_site, write_settings

POSTS_FOLDER = "posts"
_KEY_FILE = "secret.key"
_THEME = """\
# How letters and pages look: a built-in theme, "paper" or "press", and what you change of it.
base = "paper"

# [light]
# accent = "#1f5a8c"
#
# [logo]
# src = "logo.png"   # in this folder, or an https address
# alt = "The words that the logo shows"
# width = 180
"""


def make_site(folder: Path, given: Mapping[str, object]) -> None:
    """Write a new site; `given` fills `[site]`, by the file's key names.

    All or nothing: raises SiteError or SettingsError and leaves the folder as it was. An existing site is
    never touched.
    """
    check_site(given)
    try:
        if (folder / FILE_NAME).exists() or (folder / _KEY_FILE).exists():
            raise SiteError(f"there is a site in {folder} already; nothing was changed")
        _fill(folder, write_settings(given))
    except OSError as error:
        raise SiteError(f"a site cannot be made in {folder}: {error.strerror}") from error


def _fill(folder: Path, settings: str) -> None:
    new_folders = [path for path in (folder / POSTS_FOLDER, folder, *folder.parents) if not path.exists()]
    written: list[Path] = []
    try:
        (folder / POSTS_FOLDER).mkdir(parents=True, exist_ok=True)
        _write(folder / FILE_NAME, settings, 0o644, written)
        _write(folder / "theme.toml", _THEME, 0o644, written)
        _write(folder / _KEY_FILE, secrets.token_urlsafe(48) + "\n", 0o600, written)
    except BaseException:
        _undo(written, new_folders)
        raise


def _write(path: Path, text: str, mode: int, written: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    written.append(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _undo(written: list[Path], new_folders: list[Path]) -> None:
    for path in written:
        path.unlink(missing_ok=True)
    for path in new_folders:
        with suppress(OSError):  # it was never made, or somebody else has put something there
            path.rmdir()
