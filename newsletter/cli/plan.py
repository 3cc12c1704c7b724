"""`paperround plan`: what goes out when."""

from datetime import timedelta
from typing import Annotated

import typer

from newsletter.cli.common import AtOption, JsonFlag, open_site, parse_instant, print_json, print_rows


def plan(
    context: typer.Context,
    weeks: Annotated[int, typer.Option("--weeks", min=1, max=520, help="How far to look ahead.")] = 4,
    at: AtOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every slot to come, its posts and its readers. Nothing is written."""
    from newsletter.app import fixed_clock

    site = open_site(context, fixed_clock(parse_instant(at)) if at else None)
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
        print_rows(rows, columns, empty="No slot falls due in this time.")
