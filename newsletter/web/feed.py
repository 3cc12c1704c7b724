"""The Atom feed of a category (RFC 4287): its newest issues, whole.

Promises: well-formed XML whatever the issues hold; ids are the issues' lasting addresses; the same issues
give the same bytes, so that a cache knows when nothing is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from newsletter.content.html import without_illegal

_ATOM = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One issue: `html` is its content, in the language `lang`."""

    title: str
    url: str
    at: datetime
    html: str
    lang: str


def atom_feed(
    *, title: str, author: str, url: str, archive_url: str, made_at: datetime, entries: Sequence[FeedEntry]
) -> bytes:
    """Write the feed at `url`; `made_at` is when the category began, for a feed without entries."""
    feed = Element("feed", {"xmlns": _ATOM})
    _add(feed, "id", url)
    _add(feed, "title", title)
    _add(feed, "updated", _written(max((entry.at for entry in entries), default=made_at)))
    SubElement(feed, "link", {"rel": "self", "type": "application/atom+xml", "href": url})
    SubElement(feed, "link", {"rel": "alternate", "type": "text/html", "href": archive_url})
    _add(SubElement(feed, "author"), "name", author)
    for entry in entries:
        item = SubElement(feed, "entry", {"xml:lang": entry.lang})
        _add(item, "id", entry.url)
        _add(item, "title", entry.title)
        _add(item, "published", _written(entry.at))
        _add(item, "updated", _written(entry.at))
        SubElement(item, "link", {"rel": "alternate", "type": "text/html", "href": entry.url})
        _add(item, "content", entry.html).set("type", "html")
    written: bytes = tostring(feed, encoding="utf-8", xml_declaration=True)
    return written


def _add(parent: Element, tag: str, text: str) -> Element:
    child = SubElement(parent, tag)
    child.text = without_illegal(text)
    return child


def _written(instant: datetime) -> str:
    """An instant as RFC 3339 has it."""
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
