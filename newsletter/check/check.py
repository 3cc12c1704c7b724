"""All rules, run on one post: what an editor should know before it goes out.

Promises: findings are in the order of the file; the same post gives the same findings; whatever the file
holds, there is an answer and no crash. What cannot be read at all is one finding, `unreadable`; a site's
template that fails is one, `template`, at its own file and line, and so is a file of a language, `language`.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from newsletter.check.contrast import check_theme
from newsletter.check.findings import Finding, Severity
from newsletter.check.front import check_front
from newsletter.check.letter import check_size, check_templates
from newsletter.check.links import check_links
from newsletter.check.pictures import check_pictures
from newsletter.check.post import Post
from newsletter.check.source import PostText
from newsletter.check.tags import check_tags
from newsletter.check.words import check_headings, check_permission, check_tokens, check_turns
from newsletter.content.frontmatter import split
from newsletter.content.post import parse_post, read_bytes
from newsletter.errors import ContentError, TemplateError
from newsletter.render.edition import EditionMaker
from newsletter.render.languages import Languages
from newsletter.render.letter import Letter
from newsletter.render.proof import usual_occasion
from newsletter.render.renderer import render_letter
from newsletter.render.slots import Slots
from newsletter.render.theme import FILE_NAME
from newsletter.settings import Settings

_RULES = (
    check_front,
    check_headings,
    check_links,
    check_pictures,
    check_tags,
    check_tokens,
    check_turns,
)


@dataclass(frozen=True)
class Checker:
    """The rules for the posts of one site, whose templates and theme are loaded once.

    `maker` renders them; `today` is the day it is there.
    """

    maker: EditionMaker
    today: date

    @classmethod
    def for_site(cls, settings: Settings, folder: Path | None, today: date) -> "Checker":
        """The checker of the site in `folder`, or of a post that has none."""
        return cls(EditionMaker(settings, folder, fetches=True), today)

    def check_site(self) -> list[Finding]:
        """What is to be said of the site's theme and languages, once for all posts. Raises ThemeError."""
        folder = self.maker.folder
        if folder is None:
            return []
        findings = list(check_theme(self.maker.theme, folder / FILE_NAME))
        try:
            _ = Languages(folder / "templates").all
        except TemplateError as error:
            findings.append(_broken(error, "language", folder))
        return findings

    def check_file(self, path: Path) -> list[Finding]:
        """What is to be said of the post at `path`."""
        try:
            return self.check_post(read_bytes(path), path)
        except ContentError as error:
            return [_unreadable(error, path)]

    def check_post(self, data: bytes, path: Path) -> list[Finding]:
        """What is to be said of a post's bytes; files that it names are looked for from `path`."""
        try:
            source = parse_post(data, path)
            letter = self.maker.letter(usual_occasion(source), [source]).letter
        except ContentError as error:
            return [_unreadable(error, path)]
        post = Post(
            source=source,
            text=PostText(source.markdown, source.body_line),
            document=letter.posts[0].document,
            lines=split(data.decode("utf-8"), path).lines,
            site_language=self.maker.settings.site.language,
            today=self.today,
        )
        findings = [finding for rule in _RULES for finding in rule(post)]
        if self.maker.settings.site.require_permission:
            findings += check_permission(post)
        findings += self._check_letter(post, letter)
        return sorted(findings, key=lambda finding: (finding.path != path, finding.line))

    def _check_letter(self, post: Post, letter: Letter) -> list[Finding]:
        example = f"{letter.base_url}/example"
        try:
            slots = Slots("reader@example.com", example, example)
            rendering = render_letter(self.maker.environment, self.maker.theme, letter, slots)
        except TemplateError as error:
            return [_broken(error, "template", post.path)]
        html = rendering.html
        findings = list(check_size(post, html, is_cut=rendering.is_cut))
        if self.maker.folder:
            findings += check_templates(html, self.maker.folder / "templates")
        return findings


def _broken(error: TemplateError, rule: str, otherwise: Path) -> Finding:
    why = str(error).removeprefix(f"{error.path}:{error.line}: ").removeprefix(f"{error.path}: ")
    path = Path(error.path or otherwise)
    return Finding(path, error.line or 1, rule, Severity.ERROR, why, f"mend the {rule}")


def _unreadable(error: ContentError, path: Path) -> Finding:
    why = str(error).removeprefix(f"{path}:{error.line}: ").removeprefix(f"{path}: ")
    return Finding(path, error.line or 1, "unreadable", Severity.ERROR, why, "it cannot be sent as it is")
