"""Posts as their letters, in a browser, while they are being written: only for this machine.

A post is looked at anew when something that it is made of has changed on disk: its file, the site's
paperround.toml, theme.toml and templates, its local pictures. The page is told so over a connection that it
keeps open, once the change has held still for one look, so that a save in two steps (an editor's rename)
is one change. A post that cannot become a letter shows why, and recovers by itself.

A letter may be hostile: its HTML is shown in a sandboxed frame whose policy lets nothing run. The page may
reach into the frame, which it needs to keep its place in it; nothing in the frame can do anything at all.
Of the disk it serves nothing but the pictures that a post names, found as `newsletter.images` finds them.
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import islice
from pathlib import Path
from threading import Event, Lock
from typing import Any

from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as StarletteHTTPException

from newsletter.check.check import Checker
from newsletter.check.findings import Finding, Severity
from newsletter.check.letter import MAX_STYLE_BYTES
from newsletter.content.folder import posts_in
from newsletter.content.post import PostSource, parse_post, read_bytes, read_post
from newsletter.errors import ContentError, DatabaseError, PaperroundError
from newsletter.images import MAX_BYTES
from newsletter.images.errors import ImageError
from newsletter.images.sources import image_lines, locate
from newsletter.images.store import ImageStore
from newsletter.render.edition import EditionMaker, Occasion
from newsletter.render.message import content_id
from newsletter.render.proof import Proof, example_reader, make_proof, usual_occasion
from newsletter.render.renderer import MAX_HTML_BYTES
from newsletter.render.templates import render_template, template_environment
from newsletter.render.theme import DEFAULT_THEME
from newsletter.schedule.occasion import occasion_of
from newsletter.settings import Settings
from newsletter.web.here import only_here
from newsletter.web.lenses import Lens, pictures_of, seen_through, with_pictures
from subscribers.base import system_clock

LOOK_SECONDS = 0.3
"""How often the disk is looked at."""

_SITE_FILES = ("paperround.toml", "theme.toml", "templates")
_PICTURES_WATCHED = 200
_POSTS_KEPT = 16
_MEDIA_TYPES = {
    ".avif": "image/avif",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
_VIEWS = {
    "letter": "Letter",
    "dark": "Dark",
    "no-images": "Images off",
    "no-style": "No style",
    "text": "Plain text",
    "source": "Source",
    "headers": "Headers",
    "outline": "Outline",
    "check": "Check",
}
"""The views of a post; the first is shown without asking."""
_LENSES = {"letter": Lens.LIGHT, "dark": Lens.DARK, "no-images": Lens.NO_IMAGES, "no-style": Lens.NO_STYLE}
_PRIVATE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Shown:
    """What one look at a post found. Without a `proof`, `problem` says why; `note` is what else to know.

    `version` changes when anything that was looked at does; `pictures` says where on disk is what the letter
    has at an address; `named` is what the post calls its pictures, and the address that belongs to.
    """

    version: str
    proof: Proof | None = None
    problem: str = ""
    note: str = ""
    findings: tuple[Finding, ...] = ()
    pictures: Mapping[str, Path | None] = field(default_factory=dict)
    named: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listed:
    """A post in the list of a folder's; `problem` is why it cannot be read."""

    id: str
    name: str
    title: str
    date: date | None
    problem: str = ""


class Desk:
    """The posts at `path`, a file or a folder of them, for the site in `site_folder`, if there is one.

    `load_settings` reads the site's settings anew. Any number of threads may look.
    """

    def __init__(self, path: Path, site_folder: Path | None, load_settings: Callable[[], Settings]) -> None:
        self.path = path
        self.is_folder = path.is_dir()
        self._site_folder = site_folder
        self._load_settings = load_settings
        self._posts: dict[str, Path] = {} if self.is_folder else {_id_of(path.name): path}
        self._kept: dict[Path, Shown] = {}
        self._lock = Lock()
        self._read = lru_cache(maxsize=10_000)(_read)

    def find(self, post_id: str) -> Path | None:
        """The post of an id, by comparing it with those of what lies there."""
        if self.is_folder and post_id not in self._posts:
            self.listing()
        return self._posts.get(post_id)

    def first(self) -> str:
        """The id of the only post, where there is one."""
        return next(iter(self._posts))

    def listing(self) -> list[Listed]:
        """The folder's posts, newest first; those without a date come last."""
        found = []
        for path in posts_in(self.path):
            name = path.relative_to(self.path).as_posix()
            self._posts[_id_of(name)] = path
            title, day, problem = self._read(path, _stamp(path))
            found.append(Listed(_id_of(name), name, title, day, problem))
        return sorted(found, key=lambda post: (post.date or date.min, post.name), reverse=True)

    def version(self, path: Path) -> str:
        """A name for everything that the post's letter is made of, as it is on disk now."""
        kept = self._kept.get(path)
        return _version(self._files(path), path, kept.named if kept else {})

    def look(self, path: Path) -> Shown:
        """The post as it is now; made anew only if something has changed."""
        with self._lock:
            kept = self._kept.get(path)
            if kept is None or kept.version != self.version(path):
                kept = self._look_anew(path)
                self._kept.pop(path, None)
                self._kept[path] = kept
                if len(self._kept) > _POSTS_KEPT:
                    del self._kept[next(iter(self._kept))]
            return kept

    def _look_anew(self, path: Path) -> Shown:
        files = self._files(path)  # before anything is read: what changes meanwhile is seen the next time
        named: dict[str, str] = {}
        try:
            settings = self._load_settings()
            data = read_bytes(path)
            source = parse_post(data, path)
            base_url = source.url or f"{settings.blog_url}/"
            named = {target: base_url for _, target in islice(image_lines(source), _PICTURES_WATCHED)}
            occasion, note = self._occasion(settings, source)
            maker = EditionMaker(settings, self._site_folder, fetches=True)
            proof = make_proof(maker, source, occasion, example_reader(settings), system_clock())
            today = date.today()  # noqa: DTZ011  the editor's own day
            checker = Checker(maker, today)
            findings = checker.check_post(data, path) + checker.check_site()
        except PaperroundError as error:
            return Shown(_version(files, path, named), problem=str(error), named=named)
        pictures = {
            address: _place_of(address, settings, path, base_url) for address in pictures_of(proof.html)
        }
        return Shown(_version(files, path, named), proof, "", note, tuple(findings), pictures, named)

    def _occasion(self, settings: Settings, source: PostSource) -> tuple[Occasion, str]:
        """What the post would go out as; a database that cannot be asked keeps nobody from looking."""
        if self._site_folder is None:
            return usual_occasion(source), ""
        try:
            return occasion_of(settings, source, system_clock()), ""
        except DatabaseError as error:
            return usual_occasion(source), f"The category is shown as the post names it: {error}"

    def _files(self, path: Path) -> list[Path]:
        files = [path]
        for place in [self._site_folder / name for name in _SITE_FILES] if self._site_folder else ():
            files += sorted(place.rglob("*")) if place.is_dir() else [place]
        return files


def _id_of(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _stamp(path: Path | None) -> tuple[int, ...]:
    """What changes with a file; empty where there is none."""
    try:
        known = path.stat() if path else None
    except (OSError, ValueError):
        known = None
    return (known.st_mtime_ns, known.st_size, known.st_ino) if known else ()


def _version(files: list[Path], path: Path, named: Mapping[str, str]) -> str:
    """Of these files and, as far as they are on this disk, the pictures that the post at `path` names."""
    places = (_located(target, path, base_url) for target, base_url in named.items())
    watched = [(place, _stamp(place)) for place in (*files, *places) if place]
    return hashlib.sha256(repr(watched).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _place_of(address: str, settings: Settings, path: Path, base_url: str) -> Path | None:
    """Where on this disk is what a letter shows at an address: among what the site took, or on the blog."""
    for prefix, suffix in ((f"{settings.site.base_url}/media/", ""), ("cid:", content_id(""))):
        if address.startswith(prefix) and address.endswith(suffix):
            name = address.removeprefix(prefix).removesuffix(suffix)
            return ImageStore(settings.media_folder).path(name)
    return _located(address, path, base_url)


def _located(address: str, path: Path, base_url: str) -> Path | None:
    """The file of a picture that a post names; None for one elsewhere, and for what is no picture."""
    try:
        place = locate(address, path, base_url)
    except ImageError:
        return None
    return place if isinstance(place, Path) and place.suffix.lower() in _MEDIA_TYPES else None


def _read(path: Path, stamp: tuple[int, ...]) -> tuple[str, date | None, str]:
    """Title, date and problem of a post, for lists; `stamp` is for the cache to know it by."""
    try:
        source = read_post(path)
    except ContentError as error:
        return path.name, None, str(error)
    return source.title, source.date, ""


class _Preview:
    """The handlers, around one desk. They block, and so run in threads."""

    def __init__(self, desk: Desk, closing: Event) -> None:
        self._desk = desk
        self._closing = closing
        # Not the site's templates, which may be what is broken.
        self._templates = template_environment(None)

    def _page(self, status: int = 200, **values: Any) -> HTMLResponse:
        nonce = secrets.token_urlsafe(16)
        values |= {"theme": DEFAULT_THEME, "nonce": nonce, "is_folder": self._desk.is_folder}
        headers = _PRIVATE | {
            "Content-Security-Policy": f"{_NOTHING}; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; frame-src 'self'; img-src data:; frame-ancestors 'none'",
        }
        return HTMLResponse(render_template(self._templates, "web/preview.html.j2", values), status, headers)

    def front(self) -> Response:
        """The folder's list, or the way to the only post."""
        if not self._desk.is_folder:
            return RedirectResponse(f"/{self._desk.first()}", headers=_PRIVATE)
        return self._page(posts=self._desk.listing(), file=self._desk.path, post_id=None)

    def post(self, post_id: str, view: str) -> HTMLResponse:
        """A post in one of its views."""
        path = self.find(post_id)
        if view not in _VIEWS:
            raise HTTPException(404)
        shown = self._desk.look(path)
        by_severity = [
            (severity, [finding for finding in shown.findings if finding.severity is severity])
            for severity in Severity
        ]
        return self._page(
            post_id=post_id,
            file=path,
            shown=shown,
            proof=shown.proof,
            view=view,
            views=_VIEWS,
            lens=_LENSES.get(view),
            findings=[(severity, found) for severity, found in by_severity if found],
            html_limit=MAX_HTML_BYTES,
            style_limit=MAX_STYLE_BYTES,
        )

    def letter(self, post_id: str, lens: Lens) -> HTMLResponse:
        """The letter's HTML, for a frame."""
        shown = self._desk.look(self.find(post_id))
        html = ""
        if shown.proof is not None:
            addresses = {
                address: f"/{post_id}/picture/{number}"
                for number, (address, place) in enumerate(shown.pictures.items())
                if place
            }
            html = seen_through(with_pictures(shown.proof.html, addresses), lens)
        images = "'none'" if lens is Lens.NO_IMAGES else "'self' https: http:"
        headers = _PRIVATE | {
            "Content-Security-Policy": "sandbox allow-same-origin allow-popups "
            f"allow-popups-to-escape-sandbox; {_NOTHING}; img-src {images}; style-src 'unsafe-inline'; "
            "frame-ancestors 'self'"
        }
        return HTMLResponse(html, headers=headers)

    def picture(self, post_id: str, number: int) -> Response:
        """The picture of that place among those the post names, if it is on this disk."""
        pictures = list(self._desk.look(self.find(post_id)).pictures.values())
        place = pictures[number] if 0 <= number < len(pictures) else None
        try:
            if place is None or not place.is_file() or place.stat().st_size > MAX_BYTES:
                raise HTTPException(404)
            data = place.read_bytes()
        except OSError:
            raise HTTPException(404) from None
        headers = _PRIVATE | {"Content-Security-Policy": f"sandbox; {_NOTHING}; style-src 'unsafe-inline'"}
        return Response(data, media_type=_MEDIA_TYPES[place.suffix.lower()], headers=headers)

    async def changes(self, path: Path, seen: str) -> AsyncIterator[str]:
        """Server-sent events (HTML Living Standard §9.2): one for each change, named by the new version."""
        yield "retry: 1000\n\n"
        held = seen
        while not self._closing.is_set():
            now = await run_in_threadpool(self._desk.version, path)
            if now == held != seen:
                seen = now
                yield f"id: {now}\ndata: changed\n\n"
            held = now
            await asyncio.sleep(LOOK_SECONDS)

    def find(self, post_id: str) -> Path:
        """The post of an id, or 404."""
        path = self._desk.find(post_id)
        if path is None:
            raise HTTPException(404)
        return path


def make_preview(desk: Desk, closing: Event) -> FastAPI:
    """The web application; the connections that it keeps open end once `closing` is set."""
    preview = _Preview(desk, closing)
    web = FastAPI(
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_here)],
    )

    @web.get("/")
    def front() -> Response:
        return preview.front()

    @web.get("/{post_id}")
    def post(post_id: str, view: str = next(iter(_VIEWS))) -> Response:
        return preview.post(post_id, view)

    @web.get("/{post_id}/letter")
    def letter(post_id: str, lens: Lens = Lens.LIGHT) -> Response:
        return preview.letter(post_id, lens)

    @web.get("/{post_id}/picture/{number}")
    def picture(post_id: str, number: int) -> Response:
        return preview.picture(post_id, number)

    @web.get("/{post_id}/changes")
    def changes(request: Request, post_id: str, since: str = "") -> Response:
        # A browser that connects again says itself what it saw last.
        seen = request.headers.get("last-event-id") or since
        events = preview.changes(preview.find(post_id), seen)
        return StreamingResponse(events, media_type="text/event-stream", headers=_PRIVATE)

    @web.exception_handler(StarletteHTTPException)
    def nothing(request: Request, error: StarletteHTTPException) -> Response:
        return PlainTextResponse("There is nothing here.", error.status_code, _PRIVATE)

    return web
