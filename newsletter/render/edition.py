"""An issue's frozen rendering of an ordered list of posts, as a row to be stored.

The key is a hash of everything the rendering depends on: posts, category, slot, templates, settings and
program version. The same inputs give the same key, so rendering again is harmless.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from jinja2 import Environment

from newsletter import __version__
from newsletter.content.language import language_of
from newsletter.content.post import PostSource, parse_post
from newsletter.content.threads import document_of
from newsletter.models import Category, Edition, Post
from newsletter.render.letter import Letter, LetterPost
from newsletter.render.message import CompiledMessage, Envelope, compile_message, sentinel_slots
from newsletter.render.renderer import render_letter
from newsletter.render.templates import templates_hash
from newsletter.settings import Settings


@dataclass(frozen=True)
class EditionMaker:
    """Renders editions for one site."""

    settings: Settings
    environment: Environment

    def make(
        self, category: Category, slot: datetime, issue_id: int, posts: Sequence[Post], now: datetime
    ) -> Edition:
        """The edition of an issue's posts. Raises ContentError or TemplateError."""
        envelope = self._envelope(category, issue_id)
        key = self._key(category, slot, posts, envelope)
        sources = [parse_post(post.source, Path(post.path)) for post in posts]
        letter = self.letter(category.title, slot, sources)
        rendering = render_letter(self.environment, letter, sentinel_slots(key))
        return Edition(
            key=key,
            issue_id=issue_id,
            subject=rendering.subject,
            html=rendering.html,
            text=rendering.text,
            headers=envelope.to_json(),
            rendered_at=now,
        )

    def letter(self, category_title: str, slot: datetime | None, sources: Sequence[PostSource]) -> Letter:
        """What a letter of these posts shows."""
        site = self.settings.site
        posts = tuple(letter_post(source, self.settings.blog_url, site.language) for source in sources)
        return Letter(
            site_name=site.name,
            postal_address=site.postal_address,
            category_title=category_title,
            issue_date=slot.date() if slot else None,
            posts=posts,
            lang=posts[0].lang,
            base_url=site.base_url,
        )

    def _envelope(self, category: Category, issue_id: int) -> Envelope:
        return envelope_for(self.settings, category.slug, category.title, f"issue{issue_id}")

    def _key(self, category: Category, slot: datetime, posts: Sequence[Post], envelope: Envelope) -> str:
        site = self.settings.site
        inputs = {
            # With their slugs: an issue may have an edition for each of two posts with the same text.
            "posts": [[post.slug, post.content_hash] for post in posts],
            "category": [category.slug, category.title],
            "slot": slot.isoformat(),
            "site": [site.name, site.postal_address, site.base_url, self.settings.blog_url, site.language],
            "envelope": envelope.to_json(),
            "templates": templates_hash(self.environment),
            "program": __version__,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def letter_post(source: PostSource, blog_url: str | None, language: str) -> LetterPost:
    """One post as its letter shows it; links are joined to the post's own address if it says one."""
    base = source.url or (f"{blog_url}/" if blog_url else None)
    return LetterPost(
        title=source.title,
        document=document_of(source, base_url=base),
        lang=source.lang or language_of(f"{source.title}\n{source.markdown}", language),
        author=source.author,
        date=source.date,
        url=source.url,
    )


def envelope_for(settings: Settings, slug: str, title: str, campaign: str) -> Envelope:
    """The header settings of a category's letters, as they are now."""
    domain = settings.sender.domain
    sender_id = "pr" + hashlib.sha256(domain.encode()).hexdigest()[:10]  # 5 to 15 characters, stable
    return Envelope(
        sender=settings.sender,
        reply_to=settings.reply_to,
        list_id=f"{slug}.{settings.list_domain}",
        list_title=f"{settings.site.name}: {title}",
        base_url=settings.site.base_url,
        bounce_address=settings.bounce_address,
        owner_address=settings.editor_address,
        help_address=settings.inbound_address,
        feedback_id=f"{campaign}:{slug}:newsletter:{sender_id}",
    )


def compiled(edition: Edition) -> CompiledMessage:
    """A stored edition, ready to be spliced."""
    envelope = Envelope.from_json(edition.headers)
    return compile_message(
        edition.key, edition.subject, edition.text, edition.html, envelope, edition.rendered_at
    )
