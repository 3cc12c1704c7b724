"""Making a site: a folder with paperround.toml, a secret key and a place for posts."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from newsletter.errors import SiteError
from newsletter.settings import FILE_NAME, load_settings, write_settings

POSTS_FOLDER = "posts"
_KEY_FILE = "secret.key"


def make_site(folder: Path, given: Mapping[str, object]) -> None:
    """Write a new site; `given` fills `[site]`, by the file's key names.

    All or nothing: raises SiteError or SettingsError and leaves the folder as it was. An existing site is
    never touched.
    """
    if (folder / FILE_NAME).exists() or (folder / _KEY_FILE).exists():
        raise SiteError(f"there is a site in {folder} already; nothing was changed")
    is_new_folder = not folder.exists()
    written: list[Path] = []
    try:
        (folder / POSTS_FOLDER).mkdir(parents=True, exist_ok=True)
        _write(folder / FILE_NAME, write_settings(given), 0o644, written)
        load_settings(folder)
        _write(folder / _KEY_FILE, secrets.token_urlsafe(48) + "\n", 0o600, written)
    except OSError as error:
        _undo(folder, written, is_new_folder=is_new_folder)
        raise SiteError(f"a site cannot be made in {folder}: {error.strerror}") from error
    except BaseException:
        _undo(folder, written, is_new_folder=is_new_folder)
        raise


def _write(path: Path, text: str, mode: int, written: list[Path]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    written.append(path)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _undo(folder: Path, written: list[Path], *, is_new_folder: bool) -> None:
    for path in written:
        path.unlink(missing_ok=True)
    if is_new_folder:
        for path in (folder / POSTS_FOLDER, folder):
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
