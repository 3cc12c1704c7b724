"""`paperround category`: the streams of a site."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import editor_of, open_site, parse_day
from newsletter.cli.output import (
    NO_CATEGORY,
    JsonFlag,
    cell,
    count_of,
    note,
    print_json,
    print_record,
    print_rows,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel import Session

    from newsletter.app import App
    from newsletter.models import Category

app = typer.Typer(help="The streams one may subscribe to.", no_args_is_help=True)

Slug = Annotated[
    str, typer.Argument(metavar="SLUG", help="The category's short name, such as career-advice.")
]
Title = Annotated[str | None, typer.Option("--title", metavar="TEXT", help="Its name as readers see it.")]
CadenceOption = Annotated[
    str | None,
    typer.Option("--cadence", metavar="RULE", help='When it goes out, such as "weekly tue 08:00".'),
]
Zone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")]
ModeOption = Annotated[
    str | None,
    typer.Option(
        "--mode",
        metavar="broadcast|sequence",
        help="Everyone gets the next post, or each reader the first they have not had.",
    ),
]


PostsOption = Annotated[
    int | None,
    typer.Option("--posts", metavar="N", min=1, max=20, help="At most so many posts in one letter: 1."),
]
LocalTime = Annotated[
    bool | None,
    typer.Option(
        "--local-time/--one-time", help="Whether it comes at the slot's time by each reader's own clock."
    ),
]
Priority = Annotated[
    int | None,
    typer.Option(
        "--priority",
        metavar="N",
        min=1,
        max=9,
        help="1 to 9: whose letters come first where readers want few: 5.",
    ),
]


def _check(cadence: str | None, timezone: str | None, mode: str | None) -> None:
    """Values that cannot be are a usage error, like an option that does not exist."""
    from newsletter.errors import CadenceError
    from newsletter.schedule.cadence import parse_cadence, parse_zone
    from newsletter.states import Mode

    if mode is not None and mode not in list(Mode):
        raise typer.BadParameter(f"{mode!r} is neither broadcast nor sequence", param_hint="--mode")
    for option, text, parse in (("--cadence", cadence, parse_cadence), ("--timezone", timezone, parse_zone)):
        try:
            parse(text) if text is not None else None
        except CadenceError as error:
            raise typer.BadParameter(str(error), param_hint=option) from None


@app.command()
def add(
    context: typer.Context,
    slug: Slug,
    title: Title = None,
    cadence: CadenceOption = None,
    timezone: Zone = None,
    mode: ModeOption = None,
    posts: PostsOption = None,
    local_time: LocalTime = None,
    priority: Priority = None,
) -> None:
    """Make a category. What is not given comes from [categories] in paperround.toml."""
    title = _title(title)
    _check(cadence, timezone, mode)

    from newsletter.schedule.categories import add_category, edit_category
    from newsletter.states import Mode

    site = open_site(context)
    defaults = site.settings.categories
    with site.database.write() as session:
        made = add_category(
            session,
            slug,
            title=title or slug.replace("-", " ").capitalize(),
            cadence=cadence or defaults.cadence,
            timezone=timezone or defaults.timezone,
            mode=Mode(mode) if mode else defaults.mode,
            now=site.clock(),
        )
        edit_category(
            session,
            made,
            posts_per_issue=posts or 1,
            local_time=bool(local_time),
            priority=priority or made.priority,
            now=site.clock(),
        )
        row = _row(session, made, site.clock())
    note(_told(row))
    note(f"Next: paperround queue add FILE...; paperround subscriber add ADDRESS --category {slug}")


@app.command("list")
def list_categories(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Show the categories."""
    from newsletter.schedule.categories import all_categories

    site = open_site(context)
    with site.database.read() as session:
        rows = [_row(session, category, site.clock()) for category in all_categories(session)]
    if as_json:
        print_json(rows)
    else:
        columns = ("slug", "title", "cadence", "timezone", "mode", "queued", "readers")
        print_rows(rows, columns, empty=NO_CATEGORY)


@app.command()
def show(context: typer.Context, slug: Slug, as_json: JsonFlag = False) -> None:
    """Show one category."""
    from newsletter.schedule.categories import find_category

    site = open_site(context)
    with site.database.read() as session:
        row = _row(session, find_category(session, slug), site.clock())
    print_json(row) if as_json else print_record(row)


@app.command()
def edit(
    context: typer.Context,
    slug: Slug,
    title: Title = None,
    cadence: CadenceOption = None,
    timezone: Zone = None,
    mode: ModeOption = None,
    posts: PostsOption = None,
    local_time: LocalTime = None,
    priority: Priority = None,
    start: Annotated[
        str | None,
        typer.Option("--start", metavar="SLUG|first", help="The post with which a sequence begins."),
    ] = None,
    welcome: Annotated[
        str | None,
        typer.Option("--welcome", metavar="FILE|none", help="A post for whoever joins, at once."),
    ] = None,
    last_day: Annotated[
        str | None,
        typer.Option("--last-day", metavar="DAY|never", help="No slot after this day, such as 2027-06-30."),
    ] = None,
) -> None:
    """Change a category. A new cadence or zone begins after the current period."""
    title = _title(title)
    _check(cadence, timezone, mode)
    changes = (title, cadence, timezone, mode, posts, local_time, priority, start, welcome, last_day)
    if all(change is None for change in changes):
        raise typer.BadParameter(
            "name what to change: --title, --cadence, --timezone, --mode, --posts, --local-time, --priority, "
            "--start, --welcome or --last-day"
        )
    ends_on = None if last_day is None or last_day == "never" else parse_day(last_day, "--last-day")

    from newsletter.cli.reading import read_all
    from newsletter.content.adding import Adder
    from newsletter.schedule.categories import edit_category, set_last_day, set_start
    from newsletter.schedule.welcome import set_welcome
    from newsletter.states import Mode

    site = open_site(context)
    greeting = read_all(site, [Path(welcome)])[0] if welcome not in (None, "none") else None
    with changing(site, slug) as (session, category):
        edit_category(
            session,
            category,
            title=title,
            cadence=cadence,
            timezone=timezone,
            mode=Mode(mode) if mode else None,
            posts_per_issue=posts,
            local_time=local_time,
            priority=priority,
            now=site.clock(),
        )
        if start is not None:
            set_start(session, category, None if start == "first" else start)
        if welcome is not None:
            if greeting is not None:
                approval = site.settings.queue.approval
                Adder(session, [], site.settings.folder, editor_of(site), needs_approval=approval).renew(
                    greeting
                )
            named = greeting.source.slug if greeting is not None else None
            set_welcome(session, category, named, now=site.clock())
        if last_day is not None:
            set_last_day(session, category, ends_on)


@app.command()
def remove(context: typer.Context, slug: Slug) -> None:
    """Take a category out of service. What it has sent stays on record."""
    from newsletter.schedule.categories import find_category, remove_category

    site = open_site(context)
    with site.database.write() as session:
        removed = remove_category(session, find_category(session, slug), editor=editor_of(site))
    stays = "; its issues and deliveries stay on record" if removed.has_history else ""
    cancelled = f" {count_of(removed.cancelled, 'letter')} cancelled." if removed.cancelled else ""
    note(f"{slug} was removed{stays}.{cancelled}")


@contextmanager
def changing(site: "App", slug: str) -> "Iterator[tuple[Session, Category]]":
    """A category that is changed in one transaction; what it is then is told at the end."""
    from newsletter.schedule.categories import find_category

    with site.database.write() as session:
        category = find_category(session, slug)
        yield session, category
        row = _row(session, category, site.clock())
    note(_told(row))


def _title(text: str | None) -> str | None:
    if text is None:
        return None
    if not (title := cell(text)):
        raise typer.BadParameter("must not be empty", param_hint="--title")
    if len(title) > 200:
        raise typer.BadParameter("is longer than 200 characters", param_hint="--title")
    return title


def _told(row: dict[str, Any]) -> str:
    clock = "by each reader's clock" if row["local_time"] else row["timezone"]
    posts = f", {row['posts_per_issue']} posts a letter" if row["posts_per_issue"] > 1 else ""
    start = f" from {row['start']} on" if row["start"] and row["mode"] == "sequence" else ""
    start += f", welcome by {row['welcome']}" if row["welcome"] else ""
    return (
        f"{row['slug']}: {row['cadence']} {clock}, {row['mode']}{start}{posts}; "
        f"next slot {row['next_slot'] or 'none'}."
    )


def _row(session: "Session", category: "Category", now: "datetime") -> dict[str, Any]:
    from newsletter.content.queue import entries
    from newsletter.models import Post
    from newsletter.schedule.cadence import parse_zone
    from newsletter.schedule.categories import active_readers
    from newsletter.schedule.timetable import timetable_of
    from newsletter.states import EntryState

    timetable = timetable_of(session, category)
    coming = timetable.first_from(now)
    today = now.astimezone(parse_zone(category.timezone)).date()
    start = session.get(Post, category.start_post_id) if category.start_post_id else None
    welcome = session.get(Post, category.welcome_post_id) if category.welcome_post_id else None
    return {
        "slug": category.slug,
        "title": category.title,
        "cadence": category.cadence,
        "timezone": category.timezone,
        "mode": category.mode,
        "posts_per_issue": category.posts_per_issue,
        "start": start.slug if start else None,
        "welcome": welcome.slug if welcome else None,
        "local_time": category.local_time,
        "priority": category.priority,
        "queued": len(entries(session, category, (EntryState.QUEUED,))),
        "readers": active_readers(session, category.slug),
        "next_slot": coming.key if coming else None,
        "last_day": str(category.last_day) if category.last_day else None,
        "skipped_days": [
            f"{day} {name}".rstrip() for day, name in sorted(timetable.skipped.items()) if day >= today
        ],
    }
