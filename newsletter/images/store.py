"""A site's pictures, kept for good: no letter may depend on a file that moved or a host that died.

Promises: a picture that was taken once can be found again, whatever became of its source, also after the
site's folder has moved; the same source is not worked on twice: a file is known by its bytes, an address by
itself. Pictures are files named by
a hash of what they hold, in one folder, fit to be served; what is known of their sources lies in `sources/`
below it. Every file is complete or absent, any number of processes may work on one folder, and nothing is
ever deleted.

Fails with `ImageError`. May surprise: a picture on the web that changes later stays what it was when it was
taken; a file that changes is taken anew by `take`, and is what it was to `find`.
"""

import hashlib
import json
import re
import stat
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from newsletter.files import put_in_place
from newsletter.images import MAX_BYTES
from newsletter.images.errors import ImageError
from newsletter.images.fetch import fetch
from newsletter.images.picture import Picture, make_picture
from newsletter.images.sources import locate

_FILE_NAME = re.compile(r"[0-9a-f]{32}\.(?:jpg|png|gif)")


class ImageStore:
    """The pictures in `folder`, which is made when there is one to keep.

    `fetch` gives the bytes at an http(s) address, or raises `ImageError`.
    """

    def __init__(self, folder: Path, *, fetch: Callable[[str], bytes] = fetch) -> None:
        self._folder = folder
        self._fetch = fetch

    def take(self, target: str, post_path: Path, base_url: str | None) -> Picture:
        """Give the picture that a post calls `target`; the arguments are those of `sources.locate`.

        Raises:
            ImageError: it is not to be had, or is none, and was never taken before.
        """
        place = locate(target, post_path, base_url)
        naming = self._naming(target, post_path)
        if isinstance(place, Path):
            return self._take_file(place, target, naming)
        if kept := self._kept(naming):
            return kept
        if place is None:
            raise ImageError(target, "is not to be found near the post: put it there, or mend its name")
        address = f"url {place}"
        return self._kept(address) or self._keep(make_picture(self._fetch(place), target), address)

    def find(self, target: str, post_path: Path, base_url: str | None) -> Picture:
        """Give the picture as it was when it was taken; asks nothing of the web. Arguments as for `take`.

        Raises:
            ImageError: it was never taken, and is in no file either.
        """
        if kept := self._kept(self._naming(target, post_path)):
            return kept
        place = locate(target, post_path, base_url)
        if isinstance(place, Path):
            return self.take(target, post_path, base_url)
        if place is not None and (kept := self._kept(f"url {place}")):
            return kept
        raise ImageError(target, "was not taken when its post was queued: `paperround queue add` it again")

    def path(self, file_name: str) -> Path | None:
        """Where the picture of a `Picture.file_name` lies; None for any other name, and if it is not here."""
        path = self._folder / file_name
        return path if _FILE_NAME.fullmatch(file_name) and path.is_file() else None

    def _naming(self, target: str, post_path: Path) -> str:
        """What a picture is known by: its name and its post's folder, from the site's on if it is in it."""
        site, posts = self._folder.resolve().parent, post_path.resolve().parent
        place = posts.relative_to(site) if posts.is_relative_to(site) else posts
        return f"name {place} {target}"

    def _take_file(self, path: Path, target: str, naming: str) -> Picture:
        data = _read(path, target)
        content = f"bytes {hashlib.sha256(data).hexdigest()}"
        picture = self._kept(content) or self._keep(make_picture(data, target), content)
        return picture if self._kept(naming) == picture else self._keep(picture, naming)

    def _record(self, source: str) -> Path:
        digest = hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
        return self._folder / "sources" / f"{digest[:32]}.json"

    def _kept(self, source: str) -> Picture | None:
        """The picture once made of a source; None where there is none, or it is no longer what it was."""
        try:
            known = json.loads(self._record(source).read_bytes())["picture"]
            data = (self._folder / f"{known['sha256'][:32]}.{known['extension']}").read_bytes()
            picture = Picture(data=data, **known)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return picture if hashlib.sha256(data).hexdigest() == picture.sha256 else None

    def _keep(self, picture: Picture, source: str) -> Picture:
        known = asdict(picture)
        del known["data"]
        record = {"picture": known, "source": source, "taken_at": datetime.now(UTC).isoformat()}
        try:
            _write(self._folder / picture.file_name, picture.data)
            _write(self._record(source), json.dumps(record, indent=1).encode())
        except OSError as error:
            raise ImageError(
                source.partition(" ")[2],
                f"cannot be kept in {self._folder} ({error.strerror}): see to the disk",
            ) from error
        return picture


def _read(path: Path, target: str) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError(target, "is no file: name the picture's own")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ImageError(target, f"cannot be read ({error.strerror}): see to {path}") from error
    if len(data) > MAX_BYTES:
        raise ImageError(target, f"is larger than {MAX_BYTES // 1_000_000} MB: make it smaller")
    return data


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with put_in_place(path) as file:
        file.write(data)
