"""Alembic's entry point: both packages' models in one metadata, migrations in the caller's transaction."""

from alembic import context
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import newsletter.models  # its tables, and those of subscribers, join one metadata
import subscribers.models

__all__ = ["newsletter", "subscribers"]

connection: Connection = context.config.attributes["connection"]

if connection.dialect.name == "postgresql":
    # Two processes may meet on a new site: the second waits and finds the work done.
    connection.execute(text("SELECT pg_advisory_xact_lock(7309453)"))
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
