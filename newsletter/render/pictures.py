"""How the pictures of a post reach its reader: from the blog, from this site, or within the message.

Promises: under `host` and `embed` a letter shows exactly the pictures that were taken when its post was
queued, made fit for mail; a picture that only counts readers is left out; what is known of its size is set.
Fails with `ImageError`, with the post's file and line, for a picture that is to be taken and cannot be. Under
`link` nothing is fetched and nothing fails: the size of a picture found on disk is read, and that is all.

May surprise: a letter's web version shows hosted pictures under `embed` too, for a page cannot hold them, and
so does the letter those of the speakers, whose initials do as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from newsletter.content.post import PostSource
from newsletter.content.tree import Document, Speaker
from newsletter.errors import ContentError
from newsletter.images.errors import ImageError
from newsletter.images.placing import Placed, place_pictures
from newsletter.images.sources import image_lines, locate
from newsletter.render.message import content_id
from newsletter.states import PicturePolicy

if TYPE_CHECKING:
    from newsletter.images.picture import Picture

MAX_EMBEDDED_BYTES = 8_000_000
"""What a letter's pictures may weigh inside the message: base64 makes it a third more, and many servers stop
at 10 MB."""


@dataclass(frozen=True, slots=True)
class Hung:
    """A post with its pictures in place: for the letter, for the web, and the files that the letter holds."""

    for_mail: Document
    for_web: Document
    speakers: tuple[Speaker, ...]
    embedded: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Places pictures for one site; `folder` is where those that are taken are kept.

    Without `fetches` pictures are as they were when they were taken, and nothing is asked of the web.
    """

    policy: PicturePolicy
    folder: Path
    media_url: str
    fetches: bool

    def hang(self, document: Document, source: PostSource, path: Path, base_url: str | None) -> Hung:
        """Place the pictures of a post that was read from `path`; relative ones belong to `base_url`."""
        speakers = tuple(_absolute(speaker, base_url) for speaker in source.speakers)
        document = place_pictures(document, {})  # which leaves out those that only count readers
        if self.policy is PicturePolicy.LINK:
            linked = place_pictures(document, dict(_sizes(document, path, base_url)))
            return Hung(linked, linked, speakers, ())
        return self._taken(document, source, path, base_url, speakers)

    def host(self, target: str, beside: Path) -> str:
        """Take one picture, named in the file `beside`; gives the address it is served at."""
        return f"{self.media_url}/{self._picture(target, beside, None).file_name}"

    def _picture(self, target: str, path: Path, base_url: str | None) -> "Picture":
        from newsletter.images.store import ImageStore  # loads Pillow

        store = ImageStore(self.folder)
        return store.take(target, path, base_url) if self.fetches else store.find(target, path, base_url)

    def _taken(
        self,
        document: Document,
        source: PostSource,
        path: Path,
        base_url: str | None,
        speakers: tuple[Speaker, ...],
    ) -> Hung:
        shown = _targets(document)
        hosted: dict[str, Placed | None] = {}
        embedded: dict[str, Placed | None] = {}
        files: dict[str, None] = {}
        for target in dict.fromkeys([*shown, *(speaker.avatar for speaker in speakers if speaker.avatar)]):
            try:
                picture = self._picture(target, path, base_url)
            except ImageError as error:
                line, written = _written(source, target, base_url)
                raise ImageError(written, error.why, path=source.path, line=line) from error
            if picture.is_pixel:
                hosted[target] = embedded[target] = None
                continue
            name, width, height = picture.file_name, picture.width, picture.height
            hosted[target] = Placed(f"{self.media_url}/{name}", width, height)
            embedded[target] = Placed(f"cid:{content_id(name)}", width, height)
            if target in shown:
                files[name] = None
        for_web = place_pictures(document, hosted)
        speakers = tuple(_with_avatar(speaker, hosted) for speaker in speakers)
        if self.policy is PicturePolicy.HOST:
            return Hung(for_web, for_web, speakers, ())
        return Hung(place_pictures(document, embedded), for_web, speakers, tuple(files))


def shown_in(html: str, names: Sequence[str]) -> tuple[str, ...]:
    """Of the pictures that a letter was to hold, those that its HTML shows: a letter may have been cut."""
    return tuple(name for name in names if f"cid:{content_id(name)}" in html)


def read_pictures(folder: Path, names: Sequence[str]) -> dict[str, bytes]:
    """The pictures of these file names. Raises ContentError for one that is gone, and for too many."""
    try:
        pictures = {name: (folder / name).read_bytes() for name in names}
    except OSError as error:
        raise ContentError(
            f"a picture of a planned letter cannot be read ({error.strerror}): restore {folder} from backup",
            path=error.filename,
        ) from error
    if (weight := sum(map(len, pictures.values()))) > MAX_EMBEDDED_BYTES:
        raise ContentError(
            f"its pictures weigh {weight:,} bytes, more than the {MAX_EMBEDDED_BYTES:,} a message may hold: "
            'use fewer, or set policy = "host" in [images]'
        )
    return pictures


def _targets(document: Document) -> dict[str, None]:
    """The addresses of the pictures in the text, each once, in order."""
    shown = (image.get("src") for body in document.bodies for image in body.iter("img"))
    return dict.fromkeys(filter(None, shown))


def _sizes(document: Document, path: Path, base_url: str | None) -> Iterator[tuple[str, Placed | None]]:
    """The pictures that are found on disk, at their own addresses, with their sizes; None for a pixel."""
    for target in _targets(document):
        try:
            place = locate(target, path, base_url)
            if isinstance(place, Path):
                from newsletter.images.picture import picture_size  # loads Pillow

                width, height = picture_size(place)
                yield target, None if (width, height) == (1, 1) else Placed(target, width, height)
        except ImageError:
            continue


def _absolute(speaker: Speaker, base_url: str | None) -> Speaker:
    """A speaker whose link and avatar are web addresses, or are left out."""

    def joined(url: str | None) -> str | None:
        whole = urljoin(base_url or "", url) if url else ""
        return whole if whole.startswith(("https://", "http://", "mailto:")) else None

    return replace(speaker, link=joined(speaker.link), avatar=joined(speaker.avatar))


def _with_avatar(speaker: Speaker, hosted: dict[str, Placed | None]) -> Speaker:
    placed = hosted.get(speaker.avatar or "")
    return replace(speaker, avatar=placed.address if placed else None)


def _written(source: PostSource, target: str, base_url: str | None) -> tuple[int | None, str]:
    """The line of the file that names a picture, and how it is written there."""
    for line, written in image_lines(source):
        with suppress(ValueError):  # another one, at no address at all
            if target in (written, urljoin(base_url or "", written)):
                return line, written
    return None, target
