"""`paperround queue`: the posts that wait in each category."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import queue_sync, queue_terms, queue_views
from newsletter.cli.common import (
    ExpiresOption,
    NotBeforeOption,
    PostArgument,
    QueueOption,
    days_given,
    editor_of,
    open_site,
)
from newsletter.cli.output import JsonFlag, note, print_json
from newsletter.cli.reading import read_all, tell_doubts, tell_outdated

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.content.adding import Added, SourceFile
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
    not_before: NotBeforeOption = None,
    expires: ExpiresOption = None,
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
    sources = read_all(site, files)
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


def _tell(site: "App", file: "SourceFile", report: "Added", *, as_json: bool) -> None:
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
        tell_outdated(site, file, report.slug)
    for name in report.unknown:
        note(f"{file.source.path}: this site has no category {name!r}; skipped.")
    tell_doubts(site, file)


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
    from newsletter.content.queue import change_state, places_of
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
        changed = change_state(
            session,
            slug,
            place,
            now_in=now_in,
            to=to,
            editor=editor_of(site),
            needs_approval=site.settings.queue.approval,
        )
        states = {found.slug: entry.state for entry, found in places_of(session, slug)}
    note(f"{slug} was {verb} in {', '.join(changed)}.")
    if proposed := [name for name in changed if states[name] == EntryState.PROPOSED]:
        note(f"It waits for `paperround queue approve {slug}` in {', '.join(proposed)}.")


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


app.command("sync")(queue_sync.sync)
app.command("edit")(queue_terms.edit)
app.command("approve")(queue_terms.approve)
app.command("list")(queue_views.list_queue)
app.command("show")(queue_views.show)
app.command("history")(queue_views.history)
