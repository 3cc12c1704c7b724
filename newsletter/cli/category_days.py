"""`paperround category skip`, `unskip` and `holidays`: the days on which a category does not go out."""

from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.category import Slug, changing
from newsletter.cli.common import open_site, parse_day
from newsletter.cli.output import cell, count_of, note

Days = Annotated[
    list[str],
    typer.Argument(metavar="DAY...", help="Such as 2026-12-24, or 2026-12-24..2027-01-03 for a span."),
]


def skip(
    context: typer.Context,
    slug: Slug,
    days: Days,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What the days are called.")] = "",
) -> None:
    """Do not go out on these days; what waits goes at the next slot."""
    from newsletter.schedule.categories import skip_days

    if len(name := cell(name)) > 120:
        raise typer.BadParameter("is longer than 120 characters", param_hint="--name")
    wanted = _days(days)
    site = open_site(context)
    with changing(site, slug) as (session, category):
        skip_days(session, category, dict.fromkeys(wanted, name), now=site.clock())


def unskip(context: typer.Context, slug: Slug, days: Days) -> None:
    """Go out on these days after all."""
    from newsletter.schedule.categories import keep_days

    wanted = _days(days)
    with changing(open_site(context), slug) as (session, category):
        keep_days(session, category, wanted)


def holidays(
    context: typer.Context,
    slug: Slug,
    file: Annotated[Path, typer.Argument(metavar="FILE.ics", help="A calendar's file, with holidays only.")],
) -> None:
    """Skip the days of a calendar, for ten years ahead.

    A newer calendar replaces the one before, and leaves alone days that were skipped by hand.
    """
    from newsletter.schedule.cadence import parse_zone
    from newsletter.schedule.categories import find_category, skip_days
    from newsletter.schedule.holidays import read_holidays

    site = open_site(context)
    with site.database.read() as session:
        zone = parse_zone(find_category(session, slug).timezone)
    today = site.clock().astimezone(zone).date()
    found = read_holidays(file, zone, today, today + timedelta(days=3653))
    first = next(iter(found))
    note(f"{count_of(len(found), 'day')}, the first of them {first} {found[first]}".rstrip() + ".")
    with changing(site, slug) as (session, category):
        skip_days(session, category, found, calendar=file.name[:200], now=site.clock())


def _days(texts: list[str]) -> list[date]:
    """Days and spans of days."""
    found: list[date] = []
    for text in texts:
        first, span, last = text.partition("..")
        begins, ends = parse_day(first), parse_day(last) if span else parse_day(first)
        if not 0 <= (ends - begins).days <= 366:
            raise typer.BadParameter(f"{text!r} is not a span of up to a year")
        found += [begins + timedelta(days=number) for number in range((ends - begins).days + 1)]
    return list(dict.fromkeys(found))
