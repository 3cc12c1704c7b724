"""Rules on a post's raw HTML: what a letter leaves out or turns into something else."""

from collections.abc import Iterable

from newsletter.check.findings import Severity
from newsletter.check.post import Findings, Post
from newsletter.check.source import Tag
from newsletter.check.support import listed, load_support

_LINKED = ("iframe", "video", "audio", "embed")
_EMPTIED = ("form", "input", "select", "textarea", "button", "canvas", "svg", "object", "map")
_SILENT = ("script", "style")
_ALL = (*_LINKED, *_EMPTIED, *_SILENT)
_FEATURES = {
    "audio": "html-audio",
    "button": "html-button-submit",
    "form": "html-form",
    "input": "html-input-text",
    "map": "html-image-maps",
    "object": "html-object",
    "select": "html-select",
    "svg": "html-svg",
    "textarea": "html-textarea",
    "video": "html-video",
}


def check_tags(post: Post) -> Findings:
    """Each kind of tag or attribute that does not reach a reader, once, where it first stands."""
    for name in _ALL:
        tags = [tag for tag in post.text.tags if tag.name == name]
        if not tags:
            continue
        if name in _LINKED:
            severity, mend = Severity.NOTE, "say in the text what the link leads to"
            becomes = "the letter has a link in its place"
        elif name in _SILENT:
            severity, mend = Severity.NOTE, "make sure that the post can be read without it"
            becomes = "the letter leaves it out"
        else:
            severity, mend = Severity.WARNING, "show a picture of it, or link to it on the blog"
            becomes = "the letter keeps no more than words from it"
        why = f"{_reason(name)}: {becomes}{_count(tags)}"
        yield post.finding(tags[0].offset, f"html-{name}", severity, why, mend)
    if styled := [tag for tag in post.text.tags if "style" in tag.attributes and tag.name not in _ALL]:
        why = f"the letter has its own look, and drops `style` attributes{_count(styled)}"
        yield post.finding(
            styled[0].offset,
            "html-style-attribute",
            Severity.NOTE,
            why,
            "make sure that the post can be read without them",
        )


def _reason(name: str) -> str:
    lacking = load_support().lacking(_FEATURES.get(name, ""))
    return f"{listed(lacking)} cannot show <{name}>" if lacking else f"<{name}> has no place in mail"


def _count(tags: Iterable[Tag]) -> str:
    number = len(list(tags))
    return f" ({number} times in this post)" if number > 1 else ""
