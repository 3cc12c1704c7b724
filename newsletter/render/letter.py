"""What a letter shows: the values that templates are given.

These are plain values, so that rendering is a pure function of them and their hash can name an edition.
"""

import datetime
from dataclasses import dataclass

from newsletter.content.tree import Document


@dataclass(frozen=True, slots=True)
class LetterPost:
    """One post of a letter. `lang` is a BCP 47 tag; `url` is where the post lives on the blog, if known."""

    title: str
    document: Document
    lang: str
    author: str | None = None
    date: datetime.date | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything one edition shows, except what differs from reader to reader (see `Slots`)."""

    site_name: str
    postal_address: str
    category_title: str
    issue_date: datetime.date | None
    posts: tuple[LetterPost, ...]
    lang: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Slots:
    """What stands in the reader's places of a template.

    When an edition is compiled these are sentinels (ASCII letters and digits), later replaced reader by
    reader; `paperround render` fills in examples instead.
    """

    address: str
    unsubscribe_url: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """A letter's parts: subject on one line, MJML, HTML and plain text, with the slots' values in place."""

    subject: str
    mjml: str
    html: str
    text: str
