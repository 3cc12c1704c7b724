"""`paperround db`: the database's tables."""

import typer

from newsletter.cli.common import site_folder
from newsletter.cli.output import note

app = typer.Typer(help="The database's tables.", no_args_is_help=True)


@app.command()
def upgrade(context: typer.Context) -> None:
    """Bring the tables to this program's version. Safe to repeat."""
    from newsletter.database import Database
    from newsletter.migrations import HEAD
    from newsletter.settings_file import load_settings

    database = Database(load_settings(site_folder(context)).database_url)
    before = database.version()
    database.upgrade()
    change = ", as they were" if before == HEAD else f"; before: {before or 'none'}"
    note(f"The tables are at revision {HEAD}{change}.")
