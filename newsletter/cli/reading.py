"""Reading posts that are to be queued: to the end, with their pictures, and what their editor should know."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.cli.output import note

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.content.adding import SourceFile
    from newsletter.content.post import PostSource
    from newsletter.settings import Settings


def read_all(site: "App", files: list[Path]) -> list["SourceFile"]:
    """Read every file before anything is written; one error names them all."""
    from newsletter.errors import ContentError

    sources, problems = [], []
    for path in files:
        try:
            sources.append(read_source(site.settings, path))
        except ContentError as error:
            problems.append(str(error))
    if problems:
        raise ContentError("\n".join([*problems, "nothing was queued"]))
    return sources


def read_source(settings: "Settings", path: Path, trial: Path | None = None) -> "SourceFile":
    """A post with all that its letter needs; in a `trial` pictures are kept in that folder.

    Raises ContentError for what cannot become a letter: it must not wait for its slot.
    """
    from newsletter.content.adding import SourceFile
    from newsletter.content.post import parse_post, read_bytes
    from newsletter.content.threads import document_of

    data = read_bytes(path)
    source = parse_post(data, path)
    warnings = tuple(map(str, document_of(source).doubts))
    _take_pictures(settings, source, trial)
    return SourceFile(source, data, stored_path(settings.folder, path), warnings)


def _take_pictures(settings: "Settings", source: "PostSource", trial: Path | None) -> None:
    """Take a post's pictures while they are at hand, unless they stay on the blog. Raises ImageError."""
    from newsletter.states import PicturePolicy

    if settings.images.policy is PicturePolicy.LINK:
        return
    from newsletter.errors import ContentError
    from newsletter.render.edition import EditionMaker, Occasion
    from newsletter.render.pictures import read_pictures

    keeping = settings.model_copy().in_folder(trial) if trial else settings
    maker = EditionMaker(keeping, settings.folder, fetches=True)
    # By its full path: the stored one, which is read when the post goes out, begins at the site's folder.
    made = maker.letter(Occasion("", ""), [replace(source, path=source.path.resolve())])
    try:
        read_pictures(keeping.media_folder, made.pictures)
    except ContentError as error:
        raise ContentError(str(error), path=source.path) from error


def stored_path(folder: Path, path: Path) -> str:
    """How the site in a folder remembers a path: relative to it when inside."""
    absolute = path.resolve()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)


def tell_doubts(site: "App", file: "SourceFile") -> None:
    """Say what a post that is queued may lack."""
    from newsletter.images.sources import missing_images, site_images

    for line, target in missing_images(file.source):
        note(
            f"{file.source.path}:{line}: no image {target} is to be found near the post; "
            f"see that the blog has it."
        )
    if not site.settings.site.blog_url and not file.source.url and (found := site_images(file.source)):
        line, target = found[0]
        note(
            f"{file.source.path}:{line}: {target} will be looked for at {site.settings.blog_url}; "
            f"name your blog in [site] as blog_url if its images lie there."
        )
    for warning in file.warnings:
        note(f"{file.source.path}: {warning}")


def tell_outdated(site: "App", file: "SourceFile", slug: str) -> None:
    """Say who has an earlier text of a post that has changed, and how they get a correction."""
    from newsletter.schedule.errata import outdated

    with site.database.read() as session:
        found = outdated(session, slug)
    for issue_id, readers in found:
        have = "reader has" if readers == 1 else "readers have"
        command = f"paperround issue erratum {issue_id}"
        note(f"{file.source.path}: {readers} {have} the earlier text: `{command}` sends them a correction.")
