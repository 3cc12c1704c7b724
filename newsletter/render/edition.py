"""An issue's frozen rendering of an ordered list of posts, as a row to be stored; and its page on the web.

The key is a hash of everything the rendering depends on: posts, category, slot, templates, theme, settings,
pictures and program version. The same inputs give the same key, so rendering again is harmless.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from urllib.parse import quote
from xml.etree.ElementTree import Element

from jinja2 import Environment

from newsletter import __version__
from newsletter.content.language import language_of
from newsletter.content.post import PostSource, parse_post
from newsletter.content.threads import document_of
from newsletter.models import Edition, Post
from newsletter.render.letter import Erratum, Letter, LetterPost, Neighbour
from newsletter.render.message import CompiledMessage, Envelope, compile_message
from newsletter.render.pictures import Gallery, Hung, read_pictures, shown_in
from newsletter.render.renderer import render_letter
from newsletter.render.slots import sentinel_slots
from newsletter.render.templates import template_environment, templates_hash
from newsletter.render.theme import FILE_NAME, Theme, load_theme, theme_hash
from newsletter.settings import Settings
from newsletter.states import PicturePolicy


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a letter is made for: a slot of a category and the issue it came to, and what stands around it.

    `category` is its slug. `issue_id` is 0 for a letter that somebody looks at before there is an issue. A
    digest has `sections`: for each post the title of the category that it comes by.
    """

    category: str
    title: str
    slot: datetime | None = None
    issue_id: int = 0
    previous: Neighbour | None = None
    next_date: date | None = None
    erratum: Erratum | None = None
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Made:
    """A letter with all that becomes of it: itself, its page's, and the pictures within the message."""

    letter: Letter
    web: Letter
    pictures: tuple[str, ...]


class EditionMaker:
    """Makes letters and editions for one site, in its theme, with its templates over the built-in ones.

    `folder` is the site's; without one nothing is its own, and pictures stay where they are. With `fetches`
    pictures may be taken from the web: not while an issue is planned, which holds locks.
    """

    def __init__(self, settings: Settings, folder: Path | None, *, fetches: bool = False) -> None:
        self.settings = settings
        self.folder = folder
        self._fetches = fetches

    @cached_property
    def environment(self) -> Environment:
        """The templates."""
        return template_environment(self.folder / "templates" if self.folder else None)

    @cached_property
    def theme(self) -> Theme:
        """The site's theme, its logo at a web address. Raises ThemeError or ImageError."""
        theme = load_theme(self.folder)
        if self.folder is None or theme.logo is None or theme.logo.src.startswith(("http://", "https://")):
            return theme
        address = self._gallery.host(theme.logo.src, self.folder / FILE_NAME)
        return replace(theme, logo=replace(theme.logo, src=address))

    @cached_property
    def _gallery(self) -> Gallery:
        policy = self.settings.images.policy if self.folder else PicturePolicy.LINK
        media_url = f"{self.settings.site.base_url}/media"
        return Gallery(policy, self.settings.media_folder, media_url, self._fetches)

    def make(self, occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
        """The edition of an issue's posts. Raises ContentError, TemplateError or ThemeError."""
        sources = [source_of(post.slug, post.path, post.source) for post in posts]
        made = self.letter(occasion, sources)
        envelope = self.envelope(occasion, made)
        key = self._key(made.letter, posts, envelope)
        rendering = render_letter(self.environment, self.theme, made.letter, sentinel_slots(key))
        envelope = replace(envelope, pictures=shown_in(rendering.html, made.pictures))
        read_pictures(self.settings.media_folder, envelope.pictures)  # what a message cannot hold is said now
        return Edition(
            key=key,
            issue_id=occasion.issue_id,
            subject=rendering.subject,
            html=rendering.html,
            text=rendering.text,
            headers=envelope.to_json(),
            rendered_at=now,
        )

    def letter(self, occasion: Occasion, sources: Sequence[PostSource]) -> Made:
        """What a letter of these posts shows. Raises ContentError for a post or picture that cannot."""
        hung = [self._hang(source) for source in sources]
        posts = [
            _letter_post(source, each, section, self.settings.site.language)
            for source, each, section in zip_longest(sources, hung, occasion.sections)
        ]
        site, base = self.settings.site, self.settings.site.base_url
        is_issued, is_digest = occasion.issue_id > 0, bool(occasion.sections)
        slugs = [source.slug for source in sources]
        place = digest_place(slugs, occasion.sections) if is_digest else slugs[0]
        letter = Letter(
            site_name=site.name,
            postal_address=site.postal_address,
            category_title=occasion.title,
            issue_date=occasion.slot.date() if occasion.slot else None,
            posts=tuple(posts),
            lang=posts[0].lang,
            base_url=base,
            web_url=f"{base}{issue_path(occasion.issue_id, place)}" if is_issued else None,
            archive_url=f"{base}{archive_path(occasion.category)}" if is_issued and not is_digest else None,
            previous=occasion.previous,
            next_date=occasion.next_date,
            erratum=occasion.erratum,
        )
        on_web = tuple(replace(post, document=each.for_web) for post, each in zip(posts, hung, strict=True))
        pictures = tuple(dict.fromkeys(name for each in hung for name in each.embedded))
        return Made(letter, replace(letter, posts=on_web), pictures)

    def envelope(self, occasion: Occasion, made: Made) -> Envelope:
        """The header settings of a letter, as they are now."""
        settings, slug = self.settings, occasion.category
        domain = settings.sender.domain
        sender_id = "pr" + hashlib.sha256(domain.encode()).hexdigest()[:10]  # 5 to 15 characters, stable
        return Envelope(
            sender=settings.sender,
            reply_to=settings.reply_to,
            list_id=f"{slug}.{settings.list_domain}",
            list_title=f"{settings.site.name}: {occasion.title}",
            base_url=settings.site.base_url,
            bounce_address=settings.bounce_address,
            owner_address=settings.editor_address,
            help_address=settings.inbound_address,
            feedback_id=f"issue{occasion.issue_id}:{slug}:newsletter:{sender_id}",
            archive_url=made.letter.archive_url,
            web_url=made.letter.web_url,
            pictures=made.pictures,
            leave_address=settings.inbound_address if settings.doors.by_email else "",
        )

    def _hang(self, source: PostSource) -> Hung:
        """A post read, its pictures in place; links are joined to the post's own address if it says one."""
        base = source.url or f"{self.settings.blog_url}/"
        path = (self.folder or Path()) / source.path
        return self._gallery.hang(document_of(source, base_url=base), source, path, base)

    def _key(self, letter: Letter, posts: Sequence[Post], envelope: Envelope) -> str:
        site = self.settings.site
        inputs = {
            # With their slugs: an issue may have an edition for each of two posts with the same text.
            "posts": [[post.slug, post.content_hash] for post in posts],
            "sections": [post.section for post in letter.posts],
            "letter": asdict(replace(letter, posts=())),
            "site": [self.settings.blog_url, site.language, self.settings.images.policy],
            "pictures": [list(image.attrib.items()) for image in _images(letter)],
            "envelope": envelope.to_json(),
            "templates": templates_hash(self.environment),
            "theme": theme_hash(self.theme),
            "program": __version__,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def _images(letter: Letter) -> Iterator[Element]:
    return (image for post in letter.posts for body in post.document.bodies for image in body.iter("img"))


def source_of(slug: str, path: str, data: bytes) -> PostSource:
    """A post as it is stored. An erratum's is not called what its file says."""
    return replace(parse_post(data, Path(path)), slug=slug)


def issue_path(issue_id: int, place: str) -> str:
    """Where the web version of a letter is, below the base URL: by its issue and its first post's slug.

    Of a digest by its `digest_place`.
    """
    return f"/issues/{issue_id}/{quote(place, safe='~')}"


def digest_place(slugs: Sequence[str], sections: Sequence[str]) -> str:
    """Where a digest is among those of its issue: others may begin with the same post.

    No slug has a tilde.
    """
    told = "\n".join([*slugs, *sections])
    return f"{slugs[0]}~{hashlib.sha256(told.encode()).hexdigest()[:8]}"


def archive_path(category: str) -> str:
    """Where the list of a category's issues is, below the base URL."""
    return f"/archive/{category}"


def _letter_post(source: PostSource, hung: Hung, section: str | None, language: str) -> LetterPost:
    return LetterPost(
        title=source.title,
        document=hung.for_mail,
        lang=source.lang or language_of(f"{source.title}\n{source.markdown}", language),
        author=source.author,
        date=source.date,
        url=source.url,
        speakers=hung.speakers,
        section=section,
    )


def compiled(edition: Edition, media_folder: Path) -> CompiledMessage:
    """A stored edition, ready to be spliced. Raises ContentError if one of its pictures is gone."""
    envelope = Envelope.from_json(edition.headers)
    return compile_message(
        edition.key,
        edition.subject,
        edition.text,
        edition.html,
        envelope,
        edition.rendered_at,
        read_pictures(media_folder, envelope.pictures),
    )
