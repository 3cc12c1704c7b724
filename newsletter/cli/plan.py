"""`paperround plan`: what goes out when."""

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import AtOption, open_site, parse_instant, subscriber_of
from newsletter.cli.output import JsonFlag, count_of, print_json, print_rows

if TYPE_CHECKING:
    from newsletter.app import App


def plan(
    context: typer.Context,
    weeks: Annotated[
        int, typer.Option("--weeks", metavar="N", min=1, max=520, help="How far to look ahead.")
    ] = 4,
    reader: Annotated[
        str | None,
        typer.Option("--reader", metavar="ADDRESS", help="Only the letters of this reader."),
    ] = None,
    at: AtOption = None,
    as_json: JsonFlag = False,
    as_ics: Annotated[bool, typer.Option("--ics", help="A calendar (RFC 5545) on standard output.")] = False,
) -> None:
    """Show every slot to come, with its posts and readers. Nothing is written."""
    if as_json and as_ics:
        raise typer.BadParameter("say --json or --ics, not both")
    site = open_site(context, parse_instant(at) if at is not None else None)
    now = site.clock()
    number = _number_of(site, reader) if reader is not None else None
    coming = site.planner.upcoming(now, now + timedelta(weeks=weeks), reader=number)
    if as_ics:
        from newsletter.schedule.ics import calendar_of

        sys.stdout.buffer.write(calendar_of(coming, site.settings.site.name, site.settings.list_domain))
        return
    rows = [
        {
            "category": planned.category,
            "slot": planned.slot,
            "timezone": planned.timezone,
            "due_at": planned.due_at,
            "state": str(planned.state),
            "posts": [post.slug for post in planned.posts],
            "readers": planned.readers,
            "reason": planned.reason,
        }
        for planned in coming
    ]
    if as_json:
        print_json(rows)
    else:
        columns: tuple[str, ...] = ("slot", "timezone", "category", "posts", "readers", "reason")
        nothing = f"No slot falls due within {count_of(weeks, 'week')}; see `paperround category list`"
        if reader is not None:
            columns = ("slot", "timezone", "category", "posts")
            nothing = f"No letter comes to {reader} within {count_of(weeks, 'week')}."
        shown = [
            {**row, "reason": f"{row['state']}: {row['reason']}" if row["reason"] else ""} for row in rows
        ]
        print_rows(shown, columns, empty=nothing)


def _number_of(site: "App", address: str) -> int:
    with site.database.read() as session:
        return subscriber_of(session, address).id
