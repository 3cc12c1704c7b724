"""Rules on a post's front matter: title, date, language."""

import re
from datetime import date, timedelta

from newsletter.check.findings import Severity
from newsletter.check.post import Findings, Post
from newsletter.content.language import language_of

MAX_SUBJECT_CHARS = 78
_DATED = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})-")
_FAR = timedelta(days=365)


def check_front(post: Post) -> Findings:
    """What the front matter leaves to a guess, or says twice and differently."""
    source, lines = post.source, post.lines
    if "title" not in lines and not any(heading.text for heading in post.text.headings):
        yield post.at_line(
            1,
            "title-missing",
            Severity.NOTE,
            f"the post has no title: its subject will be “{source.title}”, after its file",
            "write `title:` in the front matter",
        )
    if len(source.title) > MAX_SUBJECT_CHARS:
        yield post.at_line(
            lines.get("title", 1),
            "subject-long",
            Severity.NOTE,
            f"the subject has {len(source.title)} characters, and inboxes rarely show {MAX_SUBJECT_CHARS}",
            "say what matters first, or shorten it",
        )
    named = _date_of_name(source.path.parent.name if source.path.stem == "index" else source.path.name)
    if source.date and named and abs(source.date - named) > timedelta(days=1):  # a day: other zones
        yield post.at_line(
            lines.get("date", 1),
            "date-differs",
            Severity.NOTE,
            f"the date is {source.date} here and {named} in the file’s name",
            "make them the same: the one here counts",
        )
    if source.date and source.date - post.today > _FAR:
        yield post.at_line(
            lines.get("date", 1),
            "date-future",
            Severity.NOTE,
            f"the date {source.date} is more than a year away",
            "correct it, if it is a slip",
        )
    likeliest = language_of(f"{source.title}\n{source.markdown}", post.site_language)
    if source.lang is None and likeliest != post.site_language:
        yield post.at_line(
            1,
            "lang-missing",
            Severity.NOTE,
            f"this is not the site’s language, {post.site_language}: it will be sent as {likeliest}",
            f"write `lang: {likeliest}` in the front matter, or whatever it is",
        )


def _date_of_name(name: str) -> date | None:
    found = _DATED.match(name)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None
