"""`paperround queue list`, `show` and `history`: the queue as it stands, and how it came to that."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import PostArgument, QueueOption, open_site
from newsletter.cli.output import NO_CATEGORY, JsonFlag, note, plain, print_json, print_record, print_rows

if TYPE_CHECKING:
    from datetime import datetime

    from newsletter.models import Category, QueueEntry


def list_queue(
    context: typer.Context,
    category: QueueOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what has gone out or was dropped.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what waits, in its order."""
    from newsletter.content.queue import entries
    from newsletter.schedule.categories import all_categories, find_category
    from newsletter.states import WAITING, EntryState

    site = open_site(context)
    states = tuple(EntryState) if everything else WAITING
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
                    "path": post.path,
                    **_standing(entry, place, site.clock()),
                }
                for number, (entry, post) in enumerate(entries(session, place, states), start=1)
            ]
    if as_json:
        print_json(rows)
    else:
        empty = "Nothing waits: paperround queue add FILE..." if categories else NO_CATEGORY
        print_rows(rows, ("category", "place", "slug", "title", "state", "when"), empty=empty)


def show(context: typer.Context, slug: PostArgument, as_json: JsonFlag = False) -> None:
    """Show one post and where it stands in every category."""
    from sqlmodel import select

    from newsletter.content.queue import places_of
    from newsletter.models import Post

    site = open_site(context)
    with site.database.read() as session:
        places = places_of(session, slug)
        post = session.exec(select(Post).where(Post.slug == slug)).one()
    standing = {category.slug: _standing(entry, category, site.clock()) for entry, category in places}
    row: dict[str, Any] = {
        "slug": post.slug,
        "title": post.title,
        "path": post.path,
        "read_at": post.read_at,
        "content_hash": post.content_hash,
    }
    if as_json:
        row["categories"] = {name: its["state"] for name, its in standing.items()}
        row["places"] = [{"category": name, **its} for name, its in standing.items()]
        print_json(row)
    else:
        row["categories"] = [f"{name}: {_in_words(its)}" for name, its in standing.items()]
        print_record(row)


def _standing(entry: "QueueEntry", category: "Category", now: "datetime") -> dict[str, Any]:
    """How a post stands in a queue."""
    from newsletter.content.dates import local_time
    from newsletter.content.readiness import terms
    from newsletter.states import WAITING

    return {
        "state": entry.state,
        "when": terms(entry, local_time(category, now)) if entry.state in WAITING else "",
        "not_before": str(entry.not_before) if entry.not_before else None,
        "expires": str(entry.not_after) if entry.not_after else None,
        "slot": entry.pinned_to,
        "approved_by": entry.approved_by,
        "approved_at": entry.approved_at,
    }


def _in_words(standing: dict[str, Any]) -> str:
    more = [standing["when"]] if standing["when"] else []
    if standing["approved_at"]:
        more.append(f"approved by {standing['approved_by']} at {plain(standing['approved_at'])}")
    return f"{standing['state']} ({'; '.join(more)})" if more else str(standing["state"])


def history(
    context: typer.Context,
    slug: Annotated[
        str | None, typer.Argument(metavar="[SLUG]", help="Only of this post.", show_default=False)
    ] = None,
    category: QueueOption = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=1, max=1_000_000, help="How many, the newest.")
    ] = 100,
    as_json: JsonFlag = False,
) -> None:
    """Show who did what to the queue, and when, the newest last."""
    from newsletter.content.history import latest_events
    from newsletter.content.queue import places_of
    from newsletter.schedule.categories import find_category

    site = open_site(context)
    with site.database.read() as session:
        events = latest_events(session, limit=limit + 1, category=category, post=slug)
        if not events:  # a name that is mistyped is no empty history
            places_of(session, slug) if slug is not None else None
            find_category(session, category) if category is not None else None
    rows = [
        {
            "at": event.at,
            "actor": event.actor,
            "category": event.category,
            "slug": event.post,
            "action": event.action,
            "detail": event.detail,
        }
        for event in events[-limit:]
    ]
    if as_json:
        print_json(rows)
        return
    if len(events) > limit:
        note(f"Not all there is: the newest {limit}; --limit shows more.")
    print_rows(
        rows, ("at", "actor", "category", "slug", "action", "detail"), empty="Nothing was done there yet."
    )
