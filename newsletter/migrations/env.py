"""Alembic's entry point: both packages' models in one metadata, migrations in one transaction."""

from alembic import context
from sqlalchemy import Engine, text
from sqlmodel import SQLModel

import newsletter.models  # its tables, and those of subscribers, join one metadata
import subscribers.models

__all__ = ["newsletter", "subscribers"]

engine: Engine = context.config.attributes["engine"]

with engine.connect().execution_options(paperround_writing=True) as connection:
    if connection.dialect.name == "postgresql":
        # Two processes may meet on a new site: the second waits and finds the work done.
        connection.execute(text("SELECT pg_advisory_xact_lock(7309453)"))
    is_sqlite = connection.dialect.name == "sqlite"
    if is_sqlite:
        # A table that is changed is made anew and the old one dropped, whatever refers to it (it still does).
        connection.connection.cursor().execute("PRAGMA foreign_keys = OFF")
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        render_as_batch=is_sqlite,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
    if is_sqlite:
        connection.connection.cursor().execute("PRAGMA foreign_keys = ON")
