"""`paperround queue`: the posts that wait in each category."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import open_site
from newsletter.cli.output import NO_CATEGORY, JsonFlag, note, print_json, print_record, print_rows

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.content.post import PostSource
    from newsletter.content.queue import Added, SourceFile

app = typer.Typer(help="The posts that wait to go out.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The post's slug, as `queue list` shows it.")]
CategoryOption = Annotated[
    str | None, typer.Option("--category", metavar="SLUG", help="Only in this category.")
]


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
    as_json: JsonFlag = False,
) -> None:
    """Queue posts at the end of their categories. All of them or none; adding again is harmless."""
    from newsletter.content.queue import Ahead, add_posts
    from newsletter.schedule.categories import all_categories, find_category

    if is_next and before is not None:
        raise typer.BadParameter("say --next or --before, not both")
    site = open_site(context)
    sources = _read_all(site, files)
    with site.database.write() as session:
        only = find_category(session, category) if category else None
        added = add_posts(
            session,
            sources,
            all_categories(session),
            only=only,
            site=site.settings.folder,
            now=site.clock(),
            ahead_of=Ahead(before) if is_next or before is not None else None,
        )
    for file, report in zip(sources, added, strict=True):
        _tell(site, file, report, as_json=as_json)
    if as_json:
        print_json([_added_row(report) for report in added])


def _read_all(site: "App", files: list[Path]) -> list["SourceFile"]:
    """Read every file before anything is written; one error names them all."""
    from newsletter.content.post import parse_post, read_bytes
    from newsletter.content.queue import SourceFile
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
        parts = [f"queued in {', '.join(report.queued)}"] if report.queued else []
        parts += [
            f"already {state} in {', '.join(slug for slug, its in report.already.items() if its == state)}"
            for state in dict.fromkeys(report.already.values())
        ]
        if report.is_updated:
            parts.append("its text was updated")
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
        "already": report.already,
        "unknown": report.unknown,
        "updated": report.is_updated,
    }


@app.command("list")
def list_queue(
    context: typer.Context,
    category: CategoryOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what has gone out or was dropped.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what waits, in its order."""
    from newsletter.content.queue import entries
    from newsletter.schedule.categories import all_categories, find_category
    from newsletter.states import EntryState

    site = open_site(context)
    states = tuple(EntryState) if everything else (EntryState.QUEUED, EntryState.HELD)
    rows = []
    with site.database.read() as session:
        categories = [find_category(session, category)] if category else all_categories(session)
        for place in categories:
            rows += [
                {
                    "category": place.slug,
                    "place": number,
                    "slug": post.slug,
                    "title": post.title,
                    "state": entry.state,
                    "path": post.path,
                }
                for number, (entry, post) in enumerate(entries(session, place, states), start=1)
            ]
    if as_json:
        print_json(rows)
    else:
        empty = "Nothing waits: paperround queue add FILE..." if categories else NO_CATEGORY
        print_rows(rows, ("category", "place", "slug", "title", "state"), empty=empty)


@app.command()
def show(context: typer.Context, slug: Slug, as_json: JsonFlag = False) -> None:
    """Show one post and where it stands in every category."""
    from sqlmodel import select

    from newsletter.content.queue import places_of
    from newsletter.models import Post

    site = open_site(context)
    with site.database.read() as session:
        places = places_of(session, slug)
        post = session.exec(select(Post).where(Post.slug == slug)).one()
    row: dict[str, Any] = {
        "slug": post.slug,
        "title": post.title,
        "path": post.path,
        "read_at": post.read_at,
        "content_hash": post.content_hash,
        "categories": {category.slug: str(entry.state) for entry, category in places},
    }
    if as_json:
        print_json(row)
    else:
        row["categories"] = [f"{name}: {state}" for name, state in row["categories"].items()]
        print_record(row)


@app.command()
def move(
    context: typer.Context,
    slug: Slug,
    place: Annotated[int, typer.Argument(metavar="PLACE", help="Where to put it: 1 goes out next.")],
    category: CategoryOption = None,
) -> None:
    """Move a post within its queue. --category may be left out where it waits in one only."""
    from newsletter.content.queue import move as move_post
    from newsletter.content.queue import places_of
    from newsletter.errors import QueueError
    from newsletter.schedule.categories import find_category
    from newsletter.states import EntryState

    site = open_site(context)
    with site.database.write() as session:
        waiting = [
            found
            for entry, found in places_of(session, slug)
            if entry.state in (EntryState.QUEUED, EntryState.HELD)
        ]
        if category is None and not waiting:
            raise QueueError(
                f"{slug!r} waits in no queue: `paperround queue show {slug}` says where it stands"
            )
        if category is None and len(waiting) > 1:
            names = ", ".join(found.slug for found in waiting)
            raise QueueError(f"{slug!r} waits in {names}: name one of them with --category")
        target = find_category(session, category) if category else waiting[0]
        move_post(session, slug, target, place)
    note(f"{slug} is at place {place} of {target.slug}.")


def _change(context: typer.Context, slug: str, category: str | None, verb: str) -> None:
    from newsletter.content.queue import change_state
    from newsletter.schedule.categories import find_category
    from newsletter.states import EntryState

    queued, held, dropped = EntryState.QUEUED, EntryState.HELD, EntryState.DROPPED
    changes = {
        "held": ((queued,), held),
        "released": ((held,), queued),
        "dropped": ((queued, held), dropped),
    }
    now_in, to = changes[verb]
    site = open_site(context)
    with site.database.write() as session:
        place = find_category(session, category) if category else None
        changed = change_state(session, slug, place, now_in=now_in, to=to)
    note(f"{slug} was {verb} in {', '.join(changed)}.")


@app.command()
def hold(context: typer.Context, slug: Slug, category: CategoryOption = None) -> None:
    """Hold a post back; it keeps its place."""
    _change(context, slug, category, "held")


@app.command()
def release(context: typer.Context, slug: Slug, category: CategoryOption = None) -> None:
    """Let a held post go on."""
    _change(context, slug, category, "released")


@app.command()
def drop(context: typer.Context, slug: Slug, category: CategoryOption = None) -> None:
    """Take a post out of the queue. `queue add` puts it back at the end."""
    _change(context, slug, category, "dropped")
