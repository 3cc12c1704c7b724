"""Running the migrations from inside the program: no alembic.ini, no command of Alembic's own."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration for our history, bound to a connection."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def is_known(revision: str) -> bool:
    """Whether a revision is part of our history; a newer program's is not."""
    return revision in {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def upgrade(connection: Connection, revision: str) -> None:
    """Bring the tables up to a revision; see `newsletter.database.Database.reshaping`."""
    command.upgrade(config(connection), revision)


def downgrade(connection: Connection, revision: str) -> None:
    """Take the tables back to a revision; see `newsletter.database.Database.reshaping`."""
    command.downgrade(config(connection), revision)
