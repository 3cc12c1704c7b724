"""What a letter shows: the values that templates are given.

These are plain values, so that rendering is a pure function of them and their hash can name an edition.
"""

import datetime
from dataclasses import dataclass

from newsletter.content.tree import Document, Speaker


@dataclass(frozen=True, slots=True)
class LetterPost:
    """One post of a letter.

    `lang` is a BCP 47 tag; `url` is where the post lives on the blog, if known; `speakers` is what its front
    matter says of them, links and avatars made absolute. `section` is the title of the category that it comes
    by, where a letter has posts of several.
    """

    title: str
    document: Document
    lang: str
    author: str | None = None
    date: datetime.date | None = None
    url: str | None = None
    speakers: tuple[Speaker, ...] = ()
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another issue of the category: its subject and the address of its web version."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Erratum:
    """That a letter is the corrected text of one that its readers had; `note` is what the editor says of it.

    `of` is the day of the letter that it corrects, None where its readers had that on different days.
    """

    of: datetime.date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything one edition shows, except what differs from reader to reader (see `Slots`).

    `web_url` is the lasting address of the issue's web version, `archive_url` of the list of the category's
    issues; `previous` is the issue before this one; `next_date` the day of the next one.
    """

    site_name: str
    postal_address: str
    category_title: str
    issue_date: datetime.date | None
    posts: tuple[LetterPost, ...]
    lang: str
    base_url: str
    web_url: str | None = None
    archive_url: str | None = None
    previous: Neighbour | None = None
    next_date: datetime.date | None = None
    erratum: Erratum | None = None

    @property
    def subscribed_to(self) -> tuple[str, ...]:
        """The titles of the categories by which it comes, in the order of their posts."""
        sections = dict.fromkeys(post.section for post in self.posts if post.section)
        return tuple(sections) or (self.category_title,)


@dataclass(frozen=True, slots=True)
class Rendering:
    """A letter's parts: subject on one line, MJML, HTML and plain text, with the reader's places filled.

    `is_cut` says that the HTML is only the beginning of the letter, which continues on the web.
    """

    subject: str
    mjml: str
    html: str
    text: str
    is_cut: bool = False
