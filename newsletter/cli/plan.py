"""`paperround plan`: what goes out when."""

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import AtOption, open_site, parse_instant, subscriber_of
from newsletter.cli.output import JsonFlag, count_of, note, print_json, print_rows

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.schedule.planned import PlannedIssue

_LISTED = 4
"""Posts of a letter that a table names."""


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
    as_calendar: Annotated[
        bool, typer.Option("--calendar", help="A grid for each month, as wide as the terminal.")
    ] = False,
) -> None:
    """Show every slot to come, with its posts and readers. Nothing is written."""
    if as_json + as_ics + as_calendar > 1:
        raise typer.BadParameter("say one of --json, --ics and --calendar")
    site = open_site(context, parse_instant(at) if at is not None else None)
    now = site.clock()
    number = _number_of(site, reader) if reader is not None else None
    until = now + timedelta(weeks=weeks)
    coming = site.planner.upcoming(now, until, reader=number)
    if as_ics:
        from newsletter.schedule.ics import calendar_of

        sys.stdout.buffer.write(calendar_of(coming, site.settings.site.name, site.settings.list_domain))
        return
    if as_calendar and coming:
        _draw(coming, now.date(), until.date(), with_readers=reader is None)
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
            "in_digests": planned.in_digests,
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
        shown = [{**row, **_for_people(row)} for row in rows]
        print_rows(shown, columns, empty=nothing)


def _for_people(row: "dict[str, Any]") -> "dict[str, Any]":
    """What a row of the table says otherwise than that of a program."""
    from newsletter.states import DIGEST

    posts, merged = row["posts"], row["in_digests"]
    more = [f"and {len(posts) - _LISTED} more"] if len(posts) > _LISTED + 1 else []
    by_digest = f", {merged} by digest" if merged and row["category"] != DIGEST else ""
    return {
        "posts": posts[:_LISTED] + more if more else posts,
        "readers": f"{row['readers']}{by_digest}",
        "reason": f"{row['state']}: {row['reason']}" if row["reason"] else "",
    }


def _draw(coming: "Sequence[PlannedIssue]", first: date, last: date, *, with_readers: bool) -> None:
    """Print the plan as a calendar; in colour on a terminal that is not told otherwise (no-color.org)."""
    from newsletter.cli.calendar import calendar_of, entries_of

    entries = entries_of(coming, with_readers=with_readers)
    width = shutil.get_terminal_size().columns
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print("\n".join(calendar_of(entries, first, last, width=width, colour=colour)).rstrip())
    zones = {issue.category: issue.timezone for issue in coming}
    if len(set(zones.values())) > 1:
        note(f"Times are local: {', '.join(f'{slug} {zone}' for slug, zone in sorted(zones.items()))}.")


def _number_of(site: "App", address: str) -> int:
    with site.database.read() as session:
        return subscriber_of(session, address).id
