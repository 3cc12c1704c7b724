"""`paperround queue`: the posts that wait in each category."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import queue_terms, queue_views
from newsletter.cli.common import PostArgument, QueueOption, days_given, editor_of, open_site
from newsletter.cli.output import JsonFlag, note, print_json

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.content.adding import Added, SourceFile
    from newsletter.content.post import PostSource
    from newsletter.models import Category

app = typer.Typer(help="The posts that wait to go out.", no_args_is_help=True)


@app.command()
def add(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Markdown posts, in their order.")],
    category: Annotated[
        str | None,
        typer.Option("--category", metavar="SLUG", help="Instead of the categories of the front matter."),
    ] = None,
    is_next: Annotated[bool, typer.Option("--next", help="Ahead of everything that waits.")] = False,
    before: Annotated[
        str | None, typer.Option("--before", metavar="SLUG", help="Ahead of this post, which waits.")
    ] = None,
    not_before: Annotated[
        str | None, typer.Option("--not-before", metavar="DAY|never", help="At no slot before this day.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="DAY|never", help="At no slot after this day.")
    ] = None,
    slot: Annotated[
        str | None,
        typer.Option("--slot", metavar="SLOT", help="At this slot, such as 2026-12-01T08:00: one file."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Queue posts at the end of their categories. All of them or none; adding again is harmless.

    When they may go can stand in their front matter, too.
    """
    if is_next and before is not None:
        raise typer.BadParameter("say --next or --before, not both")
    if slot is not None and len(files) > 1:
        raise typer.BadParameter("goes with one file: a slot is kept for one post", param_hint="--slot")
    dates = days_given(not_before, expires)

    from newsletter.content.adding import add_posts
    from newsletter.content.queue import Ahead
    from newsletter.schedule.categories import all_categories, find_category
    from newsletter.schedule.pins import check_slot

    site = open_site(context)
    sources = _read_all(site, files)
    with site.database.write() as session:
        only = find_category(session, category) if category else None
        categories = all_categories(session)
        if slot is not None:
            place = only or _only_category(sources[0], categories)
            dates["pinned_to"] = check_slot(session, place, slot, site.clock())
        added = add_posts(
            session,
            sources,
            categories,
            only=only,
            site=site.settings.folder,
            editor=editor_of(site),
            ahead_of=Ahead(before) if is_next or before is not None else None,
            dates=dates,
            needs_approval=site.settings.queue.approval,
        )
    for file, report in zip(sources, added, strict=True):
        _tell(site, file, report, as_json=as_json)
    if as_json:
        print_json([_added_row(report) for report in added])


def _only_category(file: "SourceFile", categories: Sequence["Category"]) -> "Category":
    """The one category of the site that a post's front matter names. Raises QueueError."""
    from newsletter.errors import QueueError

    named = [category for category in categories if category.slug in file.source.categories]
    if len(named) != 1:
        names = ", ".join(category.slug for category in named) or "none of this site"
        raise QueueError(
            f"{file.stored_path}: a slot is one category's, and its front matter names {names}: name "
            f"one with --category"
        )
    return named[0]


def _read_all(site: "App", files: list[Path]) -> list["SourceFile"]:
    """Read every file before anything is written; one error names them all."""
    from newsletter.content.adding import SourceFile
    from newsletter.content.post import parse_post, read_bytes
    from newsletter.content.threads import document_of
    from newsletter.errors import ContentError

    sources, problems = [], []
    for path in files:
        try:
            data = read_bytes(path)
            source = parse_post(data, path)
            stored_path = _stored_path(site.settings.folder, path)
            # Read to the end now: what cannot become a letter must not wait for its slot.
            sources.append(SourceFile(source, data, stored_path, tuple(map(str, document_of(source).doubts))))
            _take_pictures(site, source)
        except ContentError as error:
            problems.append(str(error))
    if problems:
        raise ContentError("\n".join([*problems, "nothing was queued"]))
    return sources


def _take_pictures(site: "App", source: "PostSource") -> None:
    """Take a post's pictures while they are at hand, unless they stay on the blog. Raises ImageError."""
    from newsletter.states import PicturePolicy

    if site.settings.images.policy is PicturePolicy.LINK:
        return
    from newsletter.errors import ContentError
    from newsletter.render.edition import EditionMaker, Occasion
    from newsletter.render.pictures import read_pictures

    maker = EditionMaker(site.settings, site.settings.folder, fetches=True)
    # By its full path: the stored one, which is read when the post goes out, begins at the site's folder.
    made = maker.letter(Occasion("", ""), [replace(source, path=source.path.resolve())])
    try:
        read_pictures(site.settings.media_folder, made.pictures)
    except ContentError as error:
        raise ContentError(str(error), path=source.path) from error


def _stored_path(folder: Path, path: Path) -> str:
    absolute = path.resolve()
    return str(absolute.relative_to(folder)) if absolute.is_relative_to(folder) else str(absolute)


def _tell(site: "App", file: "SourceFile", report: "Added", *, as_json: bool) -> None:
    from newsletter.images.sources import missing_images, site_images

    if not as_json:
        parts = []
        if report.queued:
            parts.append(f"{report.state} in {', '.join(report.queued)}")
            parts += [report.terms] if report.terms else []
        parts += [
            f"already {state} in {', '.join(slug for slug, its in report.already.items() if its == state)}"
            for state in dict.fromkeys(report.already.values())
        ]
        if report.is_updated:
            parts.append("its text was updated")
        if report.withdrawn:
            parts.append(f"to be approved anew in {', '.join(report.withdrawn)}")
        if report.dated:
            parts.append(f"its dates were changed in {', '.join(report.dated)}")
        print(f"{report.slug}: {'; '.join(parts)}")
    if report.is_updated and "issued" in report.already.values():
        note(f"{file.source.path}: letters of issues that are planned keep the text they had.")
    if report.is_updated:
        _tell_outdated(site, file, report.slug)
    for name in report.unknown:
        note(f"{file.source.path}: this site has no category {name!r}; skipped.")
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


def _tell_outdated(site: "App", file: "SourceFile", slug: str) -> None:
    """Say who has an earlier text of a post that has changed, and how they get a correction."""
    from newsletter.schedule.errata import outdated

    with site.database.read() as session:
        found = outdated(session, slug)
    for issue_id, readers in found:
        have = "reader has" if readers == 1 else "readers have"
        command = f"paperround issue erratum {issue_id}"
        note(f"{file.source.path}: {readers} {have} the earlier text: `{command}` sends them a correction.")


def _added_row(report: "Added") -> dict[str, Any]:
    return {
        "slug": report.slug,
        "title": report.title,
        "queued": report.queued,
        "state": report.state if report.queued else None,
        "when": report.terms,
        "already": report.already,
        "unknown": report.unknown,
        "updated": report.is_updated,
        "withdrawn": report.withdrawn,
        "dated": report.dated,
    }


@app.command()
def move(
    context: typer.Context,
    slug: PostArgument,
    place: Annotated[int, typer.Argument(metavar="PLACE", help="Where to put it: 1 goes out next.")],
    category: QueueOption = None,
) -> None:
    """Move a post within its queue. --category may be left out where it waits in one only."""
    from newsletter.content.queue import move as move_post
    from newsletter.content.queue import only_place
    from newsletter.schedule.categories import find_category

    site = open_site(context)
    with site.database.write() as session:
        target = find_category(session, category) if category else only_place(session, slug)
        move_post(session, slug, target, place, editor=editor_of(site))
    note(f"{slug} is at place {place} of {target.slug}.")


def _change(context: typer.Context, slug: str, category: str | None, verb: str) -> None:
    from newsletter.content.queue import change_state
    from newsletter.schedule.categories import find_category
    from newsletter.states import WAITING, EntryState

    queued, held, dropped = EntryState.QUEUED, EntryState.HELD, EntryState.DROPPED
    changes = {
        "held": ((queued,), held),
        "released": ((held,), queued),
        "dropped": (WAITING, dropped),
    }
    now_in, to = changes[verb]
    site = open_site(context)
    with site.database.write() as session:
        place = find_category(session, category) if category else None
        changed = change_state(session, slug, place, now_in=now_in, to=to, editor=editor_of(site))
    note(f"{slug} was {verb} in {', '.join(changed)}.")


@app.command()
def hold(context: typer.Context, slug: PostArgument, category: QueueOption = None) -> None:
    """Hold a post back; it keeps its place."""
    _change(context, slug, category, "held")


@app.command()
def release(context: typer.Context, slug: PostArgument, category: QueueOption = None) -> None:
    """Let a held post go on."""
    _change(context, slug, category, "released")


@app.command()
def drop(context: typer.Context, slug: PostArgument, category: QueueOption = None) -> None:
    """Take a post out of the queue. `queue add` puts it back at the end."""
    _change(context, slug, category, "dropped")


app.command("edit")(queue_terms.edit)
app.command("approve")(queue_terms.approve)
app.command("list")(queue_views.list_queue)
app.command("show")(queue_views.show)
app.command("history")(queue_views.history)
