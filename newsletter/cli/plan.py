"""`paperround plan`: what goes out when."""

from datetime import timedelta
from typing import Annotated

import typer

from newsletter.cli.common import AtOption, open_site, parse_instant
from newsletter.cli.output import JsonFlag, count_of, print_json, print_rows


def plan(
    context: typer.Context,
    weeks: Annotated[
        int, typer.Option("--weeks", metavar="N", min=1, max=520, help="How far to look ahead.")
    ] = 4,
    at: AtOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every slot to come, with its posts and readers. Nothing is written."""
    site = open_site(context, parse_instant(at) if at is not None else None)
    now = site.clock()
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
        for planned in site.planner.upcoming(now, now + timedelta(weeks=weeks))
    ]
    if as_json:
        print_json(rows)
    else:
        columns = ("slot", "timezone", "category", "posts", "readers", "reason")
        nothing = f"No slot falls due within {count_of(weeks, 'week')}; see `paperround category list`"
        shown = [
            {**row, "reason": f"{row['state']}: {row['reason']}" if row["reason"] else ""} for row in rows
        ]
        print_rows(shown, columns, empty=nothing)
