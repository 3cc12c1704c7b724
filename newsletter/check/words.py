"""Rules on the words: headings in order, nothing left over from a template, nobody misquoted."""

import re
from collections.abc import Iterator
from urllib.parse import unquote
from xml.etree.ElementTree import Element

from newsletter.check.findings import Severity
from newsletter.check.post import Findings, Post, shortened

_RENDERED = re.compile(
    r"\{\{[^{}\n]{0,500}\}\}"  # Liquid, Jinja, Handlebars, and Hugo's shortcodes
    r"|\{%[^%\n]{1,500}%\}"
    r"|\[(?:gallery|contact-form(?:-7)?|playlist)\b[^\[\]\n]{0,500}\]"
    r"|\[(?:caption|embed|audio|video|youtube|vimeo|wpvideo|soundcloud|slideshare|tweet|googlemaps|polldaddy)"
    r"(?:[ ]+\w+[ ]*=|=|[ ]+https?:)[^\[\]\n]{0,500}\]"
    r"|\[/(?:caption|embed|audio|video|code|sourcecode|gallery|playlist)\]"
    r"|%%[A-Za-z_][\w.-]{0,40}%%"
)
"""What the letter's reader may have resolved: a finding where it is still there in what it made."""
_WRITTEN = re.compile(r"\*\|[A-Z][A-Z0-9_:]{0,60}\|\*")
"""Mailchimp's merge tags, which Markdown would take for emphasis."""
_PLACEHOLDER = re.compile(r"\b(?:TODO|FIXME):|\bLorem ipsum dolor\b")


def check_headings(post: Post) -> Findings:
    """Headings that skip a level, are empty, or are several of the first (WCAG 2.2, 1.3.1 and 2.4.6)."""
    above = 0
    has_first = False
    for heading in post.text.headings:
        if not heading.text:
            yield post.finding(
                heading.offset,
                "heading-empty",
                Severity.WARNING,
                "this heading has no words: the letter leaves it out",
                "write it, or remove its mark",
            )
            continue
        if above and heading.level > above + 1:
            yield post.finding(
                heading.offset,
                "heading-skips",
                Severity.WARNING,
                f"“{shortened(heading.text)}” is of level {heading.level} below one of level {above}: "
                "who listens looks for what is between",
                f"make it a heading of level {above + 1}",
            )
        if heading.level == 1 and has_first:
            yield post.finding(
                heading.offset,
                "heading-first",
                Severity.WARNING,
                f"“{shortened(heading.text)}” is one more heading of the first level, which is the title’s",
                "make it a heading of the second level",
            )
        has_first = has_first or heading.level == 1
        above = heading.level


def check_tokens(post: Post) -> Findings:
    """What a site generator or another mailer would have replaced, outside code, and reminders to oneself."""
    shown = _unresolved(post)
    for pattern in (_RENDERED, _WRITTEN):
        for found in pattern.finditer(post.text.prose):
            if pattern is _WRITTEN or _bare(found[0]) in shown:
                yield post.finding(
                    found.start(),
                    "token",
                    Severity.ERROR,
                    f"{shortened(found[0])} is not filled in here: readers would see it as it stands",
                    "write out what it stands for; in code, put it between backticks",
                )
    for found in _PLACEHOLDER.finditer(post.text.prose):
        yield post.finding(
            found.start(),
            "placeholder",
            Severity.WARNING,
            f"“{found[0]}” looks like a note to yourself",
            "finish what it stands for, or remove it",
        )


def _unresolved(post: Post) -> set[str]:
    """The tokens that are still there in the letter, without their white space."""
    return {_bare(found[0]) for found in _RENDERED.finditer("\n".join(_shown(post)))}


def _shown(post: Post) -> Iterator[str]:
    """All that the letter shows and links to, but code."""

    def visit(node: Element) -> Iterator[str]:
        if node.tag not in ("code", "pre"):
            yield node.text or ""
            yield from (unquote(node.get(key, "")) for key in ("href", "src", "alt", "title"))
            for child in node:
                yield from visit(child)
                yield child.tail or ""

    for body in post.document.bodies:
        yield from visit(body)


def _bare(token: str) -> str:
    return "".join(token.split())


def check_turns(post: Post) -> Findings:
    """What was doubtful in reading the post, and speakers of the front matter who never speak."""
    place, told = 0, _unresolved(post)
    for doubt in post.document.doubts:
        if _bare(doubt.words) in told:
            continue  # a finding of its own
        line, place = post.text.line_of(doubt.words, place)
        yield post.at_line(
            line,
            "doubtful",
            Severity.WARNING,
            doubt.message,
            "`paperround render FILE` shows how it was read",
        )
    speaking = {turn.speaker for thread in post.document.threads for turn in thread.turns}
    for speaker in post.source.speakers:
        if speaker.name not in speaking:
            yield post.at_line(
                post.lines.get("speakers", 1),
                "speaker-silent",
                Severity.WARNING,
                f"{shortened(speaker.name)} is among the speakers and has no turn in the post",
                "write the name as it stands at their turns, or take it out",
            )


def check_permission(post: Post) -> Findings:
    """Everyone who speaks, but the author, has agreed to be quoted."""
    agreed = {speaker.name for speaker in post.source.speakers if speaker.has_permission or speaker.is_author}
    speaking = dict.fromkeys(turn.speaker for thread in post.document.threads for turn in thread.turns)
    for name in speaking:
        if name not in agreed and name != post.source.author:
            yield post.at_line(
                post.text.line_of(name)[0],
                "permission",
                Severity.ERROR,
                f"no permission of {shortened(name)} to be quoted is recorded",
                "ask them, and note the day under `speakers` as their `permission`",
            )
