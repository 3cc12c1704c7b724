"""Rules on the rendered letter: its size, and, where a site has its own templates, what clients make of them.

Gmail shows the first 102 KB of a letter and hides the rest; it drops a `<style>` of more than 16 KB.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from newsletter.check.features import features_of
from newsletter.check.findings import Finding, Severity
from newsletter.check.post import Findings, Post
from newsletter.check.support import listed, load_support
from newsletter.render.renderer import MAX_HTML_BYTES

MAX_STYLE_BYTES = 16_384
_MUCH = 0.8
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.DOTALL)

GRACEFUL = {
    "css-at-media": "the letter is narrow enough without it",
    "css-at-media-prefers-color-scheme": "the light colours are inline and stay",
    "css-border-radius": "corners are square instead",
    "css-color-scheme": "the light colours are inline and stay",
    "css-display-none": "only the preview text is hidden by it, and by its size too",
    "css-height": "only images and empty rows have one",
    "css-max-height": "only the preview text has one",
    "css-max-width": "tables and images have a width as well",
    "css-opacity": "only the preview text has one",
    "css-outline": "images have no border without it",
    "css-overflow": "wide code and tables widen the letter instead",
    "css-white-space": "line breaks of code are written as breaks too",
    "css-word-break": "long words have places to break at",
    "css-word-spacing": "words stand as usual",
    "html-aria-hidden": "what it hides is read out, and harms nobody",
    "html-aria-label": "the name is in the text too",
    "html-bdi": "names stand in the order of their letters",
    "html-body": "everything that shows is set further in",
    "html-role": "layout tables are announced as tables",
    "html-style": "everything that must look right is inline",
    "html-wbr": "long words do not break there",
}
"""What the built-in templates use though major clients lack it, and what those clients show instead."""


def check_size(post: Post, html: str, *, is_cut: bool) -> Findings:
    """The letter's HTML against what Gmail shows of it."""
    size = len(html.encode("utf-8", "replace"))
    if size > MAX_HTML_BYTES or is_cut:
        yield post.at_line(
            1,
            "size",
            Severity.WARNING,
            f"the letter has more than {MAX_HTML_BYTES:,} bytes: it will be cut, and continued on the web",
            "divide the post, if readers should have it whole",
        )
    elif size > _MUCH * MAX_HTML_BYTES:
        yield post.at_line(
            1,
            "size",
            Severity.NOTE,
            f"the letter has {size:,} of the {MAX_HTML_BYTES:,} bytes that Gmail shows",
            "leave out what readers can do without",
        )


def check_templates(html: str, overrides: Path) -> Iterator[Finding]:
    """What a letter made with a site's own templates, in the folder `overrides`, uses that clients lack."""
    sources = {path: path.read_text("utf-8", "replace") for path in _own_templates(overrides)}
    if not sources:
        return
    style = sum(len(found[1].encode()) for found in _STYLE.finditer(html))
    if style > MAX_STYLE_BYTES:
        path, line = _place("<mj-style", sources)
        yield Finding(
            path,
            line,
            "style-size",
            Severity.ERROR,
            f"<style> has {style:,} bytes, and Gmail drops it whole above {MAX_STYLE_BYTES:,}",
            "remove rules, or write them inline",
        )
    support = load_support()
    for feature, word in features_of(html).items():
        lacking = () if feature in GRACEFUL else support.lacking(feature)
        if lacking:
            path, line = _place(word, sources)
            yield Finding(
                path,
                line,
                "client-support",
                Severity.WARNING,
                f"{support.titles[feature]} is not supported by {listed(lacking)} "
                f"(caniemail.com, {support.date})",
                "make sure that the letter can be read without it, or do without",
            )


def _own_templates(overrides: Path) -> list[Path]:
    return sorted(path for path in (overrides / "email").glob("*.j2") if path.is_file())


def _place(word: str, sources: dict[Path, str]) -> tuple[Path, int]:
    """The file and line of a word, else the beginning of the first file."""
    for path, text in sources.items():
        found = re.search(rf"(?<![\w-]){re.escape(word)}" if word[0].isalpha() else re.escape(word), text)
        if found:
            return path, text.count("\n", 0, found.start()) + 1
    return next(iter(sources)), 1
