"""The web version of every issue at its lasting address, each category's archive and Atom feed, and pictures.

Promises: these pages are for anybody, and say nothing of any reader; GET changes nothing; an address that a
letter once named keeps its issue, whatever became of the post, its file or its queue. Pages are made from the
posts as they went out, in the theme that `run` began with.

May surprise: the pages of a category that was removed stay; in a sequence the archive has each post once; a
picture that was never taken for its letter is shown from the blog, whatever the site's policy is by now.
"""

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, HTTPException, Response
from fastapi.responses import FileResponse, HTMLResponse
from sqlmodel import Session, select

from newsletter.errors import ContentError
from newsletter.models import Category
from newsletter.render.edition import EditionMaker, Made, Occasion, archive_path, source_of
from newsletter.render.letter import Letter
from newsletter.render.renderer import render_bodies, render_web
from newsletter.schedule.archive import Entry, Shown, entries_of, find_shown
from newsletter.settings import ImagesSection
from newsletter.states import DIGEST, PicturePolicy
from newsletter.web.feed import FeedEntry, atom_feed
from newsletter.web.frame import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.app import App

_LETTERS_KEPT = 64
_LISTED = 1_000
_IN_FEED = 20
_FRESH = timedelta(minutes=5)
_FOREVER = timedelta(days=365)
_CONTENT = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: http: data:; base-uri 'none'"
_HEADERS = {
    "Cache-Control": f"public, max-age={int(_FRESH.total_seconds())}",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": f"{_CONTENT}; form-action 'self'; frame-ancestors 'none'",
}


class _Archive:
    """The handlers, around one site. They block, and so run in threads."""

    def __init__(self, site: "App", frame: Frame) -> None:
        self._site = site
        self._frame = frame
        self._base_url = site.settings.site.base_url
        self._database = site.database
        linked = site.settings.model_copy(update={"images": ImagesSection(policy=PicturePolicy.LINK)})
        self._linked = EditionMaker(linked, site.settings.folder)
        self._kept = lru_cache(_LETTERS_KEPT)(self._made)

    def issue(self, issue_id: int, slug: str) -> HTMLResponse:
        """The web version of an issue."""
        with self._database.read() as session:
            shown = find_shown(session, issue_id, slug)
            if shown is None:
                raise HTTPException(404)
            place = shown.entry.edition_id
            # A digest is somebody's letter: it stands in no archive, beside no others.
            older = [] if shown.sections else entries_of(session, shown.category, limit=1, before=place)
            newer = [] if shown.sections else entries_of(session, shown.category, limit=1, after=place)
        page = render_web(
            self._site.editions.environment,
            self._site.editions.theme,
            self._letter(shown),
            site=self._site.settings.site,
            feed_url="" if shown.sections else self._feed_url(shown.category),
            newer=newer[0].neighbour(self._base_url) if newer else None,
            older=older[0].neighbour(self._base_url) if older else None,
        )
        return HTMLResponse(page, headers=_HEADERS)

    def archive(self, slug: str, lang: str) -> HTMLResponse:
        """The list of a category's issues."""
        category, entries = self._category(slug, _LISTED)
        issues = [(entry.title, entry.slot.date(), f"{self._base_url}{entry.path}") for entry in entries]
        is_open = category.ended_at is None
        shown = self._frame.page(
            "archive",
            say=self._frame.words(lang),
            category_title=category.title,
            issues=issues,
            feed_url=self._feed_url(category),
            subscribe_url=f"{self._base_url}/subscribe?category={category.slug}" if is_open else "",
        )
        shown.headers.update(_HEADERS)
        del shown.headers["X-Robots-Tag"]
        return shown

    def feed(self, slug: str) -> Response:
        """The feed of a category."""
        category, entries = self._category(slug, _IN_FEED)
        feed = atom_feed(
            title=f"{self._site.settings.site.name}: {category.title}",
            author=self._site.settings.site.name,
            url=self._feed_url(category),
            archive_url=f"{self._base_url}{archive_path(category.slug)}",
            made_at=category.created_at,
            entries=[self._feed_entry(entry) for entry in entries],
        )
        return Response(feed, media_type="application/atom+xml", headers=_HEADERS)

    def picture(self, name: str) -> FileResponse:
        """A picture that was taken for a letter."""
        from newsletter.images.store import ImageStore  # loads Pillow

        path: Path | None = ImageStore(self._site.settings.media_folder).path(name)
        if path is None:
            raise HTTPException(404)
        lasting = f"public, max-age={int(_FOREVER.total_seconds())}, immutable"  # its name is its hash
        return FileResponse(path, headers={"Cache-Control": lasting, "X-Content-Type-Options": "nosniff"})

    def _letter(self, shown: Shown) -> Letter:
        entry, category = shown.entry, shown.category
        occasion = Occasion(
            category.slug,
            category.title,
            entry.slot,
            entry.issue_id,
            erratum=shown.erratum,
            sections=shown.sections,
        )
        return self._kept(occasion, shown.sources).web

    def _made(self, occasion: Occasion, files: tuple[tuple[str, str, bytes], ...]) -> Made:
        sources = [source_of(*file) for file in files]
        try:
            return self._site.editions.letter(occasion, sources)
        except ContentError:  # the letter went out under another policy, and its pictures are gone
            return self._linked.letter(occasion, sources)

    def _feed_entry(self, entry: Entry) -> FeedEntry:
        with self._database.read() as session:
            shown = find_shown(session, entry.issue_id, entry.slug)
        assert shown is not None  # noqa: S101  # nothing deletes an edition
        letter = self._letter(shown)
        html = render_bodies(self._site.editions.environment, self._site.editions.theme, letter)
        return FeedEntry(entry.title, f"{self._base_url}{entry.path}", entry.planned_at, html, letter.lang)

    def _category(self, slug: str, limit: int) -> tuple[Category, list[Entry]]:
        with self._database.read() as session:
            category = _find(session, slug)
            return category, entries_of(session, category, limit=limit)

    def _feed_url(self, category: Category) -> str:
        return f"{self._base_url}{archive_path(category.slug)}/feed.xml"


def _find(session: Session, slug: str) -> Category:
    """A category, also one that goes out no more."""
    category = session.exec(select(Category).where(Category.slug == _name(slug))).one_or_none()
    if category is None or category.slug == DIGEST:
        raise HTTPException(404)
    return category


def _name(slug: str) -> str:
    """A name that a database may be asked for: PostgreSQL has no NUL in texts."""
    if "\0" in slug:
        raise HTTPException(404)
    return slug


def archive_routes(site: "App", frame: Frame) -> APIRouter:
    """The routes."""
    archive = _Archive(site, frame)
    routes = APIRouter()
    reading = ["GET", "HEAD"]

    @routes.api_route("/issues/{issue_id}/{slug}", methods=reading)
    def issue(issue_id: str, slug: str) -> Response:
        if not issue_id.isascii() or not issue_id.isdecimal() or len(issue_id) > 15:
            raise HTTPException(404)
        return archive.issue(int(issue_id), _name(slug))

    @routes.api_route("/archive/{slug}", methods=reading)
    def issues(slug: str, lang: str = "") -> Response:
        return archive.archive(slug, lang)

    @routes.api_route("/archive/{slug}/feed.xml", methods=reading)
    def feed(slug: str) -> Response:
        return archive.feed(slug)

    @routes.api_route("/media/{name}", methods=reading)
    def picture(name: str) -> Response:
        return archive.picture(name)

    return routes
