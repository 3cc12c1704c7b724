"""`paperround queue edit` and `approve`: on which terms a waiting post goes out."""

from typing import Annotated

import typer

from newsletter.cli.common import (
    ExpiresOption,
    NotBeforeOption,
    PostArgument,
    QueueOption,
    days_given,
    editor_of,
    open_site,
)
from newsletter.cli.output import cell, note


def edit(
    context: typer.Context,
    slug: PostArgument,
    category: QueueOption = None,
    not_before: NotBeforeOption = None,
    expires: ExpiresOption = None,
    slot: Annotated[
        str | None,
        typer.Option("--slot", metavar="SLOT|never", help="At this slot, such as 2026-12-01T08:00."),
    ] = None,
) -> None:
    """Say when a waiting post may go; `never` takes back what was said.

    --category may be left out, but where a slot is named for a post that waits in several.
    """
    if not_before is expires is slot is None:
        raise typer.BadParameter("name what to change: --not-before, --expires or --slot")
    dates = days_given(not_before, expires)

    from newsletter.content.dates import edit as edit_dates
    from newsletter.content.queue import only_place
    from newsletter.schedule.categories import find_category
    from newsletter.schedule.pins import check_slot

    site = open_site(context)
    with site.database.write() as session:
        place = find_category(session, category) if category else None
        if slot == "never":
            dates["pinned_to"] = None
        elif slot is not None:
            place = place or only_place(session, slug)
            dates["pinned_to"] = check_slot(session, place, slot, site.clock())
        edited = edit_dates(session, slug, place, dates, editor=editor_of(site))
    for name, terms in edited.items():
        note(f"{slug} goes {terms or 'at its turn'} in {name}.")


def approve(
    context: typer.Context,
    slugs: Annotated[
        list[str] | None, typer.Argument(metavar="SLUG...", help="Posts that `queue list` calls proposed.")
    ] = None,
    category: QueueOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Everything that is proposed.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="NAME", help="Who approves them (default: you, by your user name)."),
    ] = None,
) -> None:
    """Let proposed posts go. Who approved them, and when, stays on record."""
    if bool(slugs) == everything:
        raise typer.BadParameter("name posts, or say --all")
    if by is not None and not 0 < len(by := cell(by)) <= 120:
        raise typer.BadParameter("is not a name of up to 120 characters", param_hint="--by")

    from newsletter.content.approval import approve as approve_posts
    from newsletter.content.approval import proposed
    from newsletter.errors import QueueError
    from newsletter.schedule.categories import all_categories, find_category

    site = open_site(context)
    editor = editor_of(site, by)
    with site.database.write() as session:
        place = find_category(session, category) if category else None
        wanted = slugs or proposed(session, [place] if place else all_categories(session))
        if not wanted:
            where = f" in {place.slug}" if place else ""
            raise QueueError(f"nothing is proposed{where}: `paperround queue list` shows what waits")
        approved = approve_posts(session, wanted, place, editor=editor)
    for slug, names in approved.items():
        note(f"{slug} was approved in {', '.join(names)} by {editor.name}.")
