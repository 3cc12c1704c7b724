"""`paperround category`: the streams of a site."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import JsonFlag, note, open_site, print_json, print_record, print_rows

if TYPE_CHECKING:
    from sqlmodel import Session

    from newsletter.models import Category

app = typer.Typer(help="The streams one may subscribe to.", no_args_is_help=True)

Slug = Annotated[
    str, typer.Argument(metavar="SLUG", help="The category's short name, such as career-advice.")
]
Title = Annotated[str | None, typer.Option("--title", help="Its name as readers see it.")]
CadenceOption = Annotated[
    str | None, typer.Option("--cadence", help='When it goes out, such as "weekly tue 08:00".')
]
Zone = Annotated[str | None, typer.Option("--timezone", metavar="ZONE", help="Such as Europe/Berlin.")]
ModeOption = Annotated[
    str | None, typer.Option("--mode", metavar="broadcast|sequence", help="How each slot's post is chosen.")
]


def _check(cadence: str | None, timezone: str | None, mode: str | None) -> None:
    """Values that cannot be are a usage error, like an option that does not exist."""
    from newsletter.errors import CadenceError
    from newsletter.schedule.cadence import parse_cadence, parse_zone
    from newsletter.states import Mode

    try:
        parse_cadence(cadence) if cadence is not None else None
    except CadenceError as error:
        raise typer.BadParameter(str(error), param_hint="--cadence") from None
    try:
        parse_zone(timezone) if timezone is not None else None
    except CadenceError as error:
        raise typer.BadParameter(str(error), param_hint="--timezone") from None
    if mode is not None and mode not in list(Mode):
        raise typer.BadParameter(f"{mode!r} is neither broadcast nor sequence", param_hint="--mode")


@app.command()
def add(
    context: typer.Context,
    slug: Slug,
    title: Title = None,
    cadence: CadenceOption = None,
    timezone: Zone = None,
    mode: ModeOption = None,
) -> None:
    """Make a category; what is not given comes from [categories] in paperround.toml."""
    from newsletter.schedule.categories import add_category
    from newsletter.states import Mode

    _check(cadence, timezone, mode)
    site = open_site(context)
    defaults = site.settings.categories
    with site.database.write() as session:
        made = add_category(
            session,
            slug,
            title=_title(title) or slug.replace("-", " ").capitalize(),
            cadence=cadence or defaults.cadence,
            timezone=timezone or defaults.timezone,
            mode=Mode(mode) if mode else defaults.mode,
            now=site.clock(),
        )
    note(f"{made.slug}: {made.cadence} {made.timezone}, {made.mode}.")


@app.command("list")
def list_categories(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Show the categories."""
    from newsletter.schedule.categories import all_categories

    site = open_site(context)
    with site.database.read() as session:
        rows = [_row(session, category) for category in all_categories(session)]
    if as_json:
        print_json(rows)
    else:
        columns = ("slug", "title", "cadence", "timezone", "mode", "queued", "readers")
        print_rows(rows, columns, empty="No category yet: paperround category add SLUG")


@app.command()
def show(context: typer.Context, slug: Slug, as_json: JsonFlag = False) -> None:
    """Show one category."""
    from newsletter.schedule.categories import find_category

    site = open_site(context)
    with site.database.read() as session:
        row = _row(session, find_category(session, slug))
    print_json(row) if as_json else print_record(row)


@app.command()
def edit(
    context: typer.Context,
    slug: Slug,
    title: Title = None,
    cadence: CadenceOption = None,
    timezone: Zone = None,
    mode: ModeOption = None,
) -> None:
    """Change a category. A new cadence or zone begins after the current period."""
    from newsletter.schedule.categories import edit_category, find_category
    from newsletter.states import Mode

    _check(cadence, timezone, mode)
    site = open_site(context)
    with site.database.write() as session:
        category = find_category(session, slug)
        edit_category(
            session,
            category,
            title=_title(title),
            cadence=cadence,
            timezone=timezone,
            mode=Mode(mode) if mode else None,
            now=site.clock(),
        )
        row = _row(session, category)
    note(
        f"{slug}: {row['cadence']} {row['timezone']}, {row['mode']}; slots from {row['slots_from']:%Y-%m-%d %H:%M} UTC."
    )


@app.command()
def remove(context: typer.Context, slug: Slug) -> None:
    """Take a category out of service. What it has sent stays on record."""
    from newsletter.schedule.categories import find_category, remove_category

    site = open_site(context)
    with site.database.write() as session:
        kept = remove_category(session, find_category(session, slug), now=site.clock())
    note(f"{slug} was removed{'; its issues and deliveries stay on record' if kept else ''}.")


def _title(text: str | None) -> str | None:
    from newsletter.render.headers import clean

    if text is None:
        return None
    if not clean(text):
        raise typer.BadParameter("must not be empty", param_hint="--title")
    if len(text) > 200:
        raise typer.BadParameter("is longer than 200 characters", param_hint="--title")
    return clean(text)


def _row(session: "Session", category: "Category") -> dict[str, Any]:
    from newsletter.content.queue import entries
    from newsletter.schedule.categories import active_readers
    from newsletter.states import EntryState

    return {
        "slug": category.slug,
        "title": category.title,
        "cadence": category.cadence,
        "timezone": category.timezone,
        "mode": category.mode,
        "queued": len(entries(session, category, (EntryState.QUEUED,))),
        "readers": active_readers(session, category.slug),
        "slots_from": category.slots_from,
    }
