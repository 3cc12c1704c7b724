"""`paperround db`: the database's tables, its copies, and whether it is sound."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import site_folder
from newsletter.cli.output import JsonFlag, cell, count_of, note, print_json

if TYPE_CHECKING:
    from newsletter.backup.quiet import Quieted
    from newsletter.database import Database
    from newsletter.settings import Settings

app = typer.Typer(help="The database: its tables, copies of it, its soundness.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the tables to this program's version. Safe to repeat."""
    from newsletter.migrations import HEAD
    from newsletter.privacy.orders import obey_orders
    from subscribers.base import system_clock
    from subscribers.suppression import Suppressions

    settings, database = _open(context)
    before = database.version()
    database.upgrade()
    change = ", as they were" if before == HEAD else f"; before: {before or 'none'}"
    note(f"The tables are at revision {HEAD}{change}.")
    if stopped := obey_orders(database, Suppressions(settings.secret_key()), system_clock()):
        note(f"{count_of(stopped, 'reader')} had letters against an order not to write; that has ended.")


@app.command()
def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The new file; nothing is written over.")],
) -> None:
    """Copy the database into a new file, while it is used."""
    from newsletter.backup.copies import back_up

    settings, database = _open(context)
    revision = back_up(database, file)
    note(f"{file} is a checked copy of the database, its tables at revision {revision}.")
    beside = ", ".join(str(path) for path in _not_in_database(settings))
    note(f"Keep these beside it, they are not in it: {beside}; and your posts.")


@app.command()
def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `db backup` wrote.")],
) -> None:
    """Put a backup back; what may have gone out since waits."""
    from newsletter.backup.copies import restore as put_back
    from newsletter.migrations import HEAD
    from subscribers.base import system_clock

    settings, database = _open(context)
    restored = put_back(database, file, folder=settings.folder, now=system_clock())
    upgraded = f", brought up from {restored.revision}" if restored.revision != HEAD else ""
    note(f"The database is what {file} holds{upgraded}.")
    if restored.kept is not None:
        note(f"What it was before is kept in {restored.kept}.")
    _tell_quieted(restored.quieted)


@app.command()
def check(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say whether the database and its ledger are sound."""
    from dataclasses import asdict

    from newsletter.backup.soundness import damage, require_current
    from newsletter.delivery.audit import audit, audit_orders
    from newsletter.errors import SettingsError
    from subscribers.suppression import Suppressions

    settings, database = _open(context)
    require_current(database)
    damaged, broken, unknown = damage(database), [], ""
    if not damaged:
        with database.read() as session:
            broken = audit(session)
            try:
                broken += audit_orders(session, Suppressions(settings.secret_key()))
            except SettingsError as error:
                unknown = str(error)
    if as_json:
        print_json({"damage": damaged, "broken": [asdict(violation) for violation in broken]})
    else:
        for words in damaged:
            print(cell(f"damaged: {words}"))
        for violation in broken:
            rows = ", ".join(map(str, violation.ids))
            more = f" and {violation.count - len(violation.ids)} more" * (
                violation.count > len(violation.ids)
            )
            print(f"broken: {violation.promise}; not so: {violation.table} {rows}{more}")
    if unknown:
        note(f"Whether standing orders are obeyed cannot be told: {unknown}")
    if damaged or broken:
        note("Restore a backup (`paperround db restore FILE`), or report it if this came by itself.")
    if damaged or broken or unknown:
        raise typer.Exit(1)
    note(f"{database.name} is sound, and the ledger keeps its promises.")


def _open(context: typer.Context) -> "tuple[Settings, Database]":
    """The site's settings and its database, whatever its tables are."""
    from newsletter.database import Database
    from newsletter.settings_file import load_settings

    settings = load_settings(site_folder(context))
    database = Database(settings.database_url)
    context.call_on_close(database.close)
    return settings, database


def _not_in_database(settings: "Settings") -> list[Path]:
    """The site's files that a backup of the database lacks, those that there are."""
    from newsletter.settings_file import FILE_NAME

    folder = settings.folder
    names = [FILE_NAME, settings.site.secret_key_file, "theme.toml", "templates", "media"]
    if settings.dkim.selector:
        names.append(settings.dkim.key_file)
    if settings.dkim.ed25519_selector:
        names.append(settings.dkim.ed25519_key_file)
    return [folder / name for name in names if (folder / name).exists()]


def _tell_quieted(quieted: "Quieted") -> None:
    """Say what waits for a person, and the commands that decide it."""
    if quieted.last_entry is not None:
        note(f"The last thing it remembers is of {quieted.last_entry:%Y-%m-%d %H:%M} UTC.")
    if quieted.issues:
        numbers = ", ".join(map(str, quieted.issues))
        note(
            f"Paused, because their letters may have gone out since: issue {numbers}. `paperround issue "
            f"resume ISSUE` sends what it calls unsent, `paperround issue cancel ISSUE` ends it."
        )
    for category, held in quieted.categories:
        note(
            f"{category} has had a slot since: {count_of(held, 'queued post')} held. `paperround queue drop "
            f"SLUG` for what has gone out, `paperround queue release SLUG` for what has not."
        )
