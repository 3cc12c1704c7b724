"""What a rule is given of one post, and what it gives back.

Rules are pure functions from a `Post` to findings; only those on local files look at the disk.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from newsletter.check.findings import Finding, Severity
from newsletter.check.source import PostText
from newsletter.content.post import PostSource
from newsletter.content.tree import Document

Findings = Iterator[Finding]


@dataclass(frozen=True, slots=True)
class Post:
    """One post in every form a rule may look at.

    `text` is its Markdown as written and `document` the same as the letter has it; `lines` says where the
    keys of the front matter stand. `site_language` is a BCP 47 tag; `today` is for dates.
    """

    source: PostSource
    text: PostText
    document: Document
    lines: Mapping[str, int]
    site_language: str
    today: date

    @property
    def path(self) -> Path:
        """The file, as it was named."""
        return self.source.path

    def finding(self, place: int, rule: str, severity: Severity, why: str, mend: str) -> Finding:
        """A finding at a place of the Markdown."""
        return self.at_line(self.text.line_at(place), rule, severity, why, mend)

    def at_line(self, line: int, rule: str, severity: Severity, why: str, mend: str) -> Finding:
        """A finding at a line of the file."""
        return Finding(self.path, line, rule, severity, why, mend)


def shortened(text: str, length: int = 60) -> str:
    """The beginning of a text, on one line."""
    text = " ".join(text[: 4 * length].split())
    return text if len(text) <= length else f"{text[: length - 1]}…"
