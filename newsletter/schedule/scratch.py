"""Tables of one session's own, in which set-based statements hand on to each other."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Column, MetaData, Table
from sqlmodel import Session


def scratch_table(name: str, *columns: Column[Any]) -> Table:
    """A temporary table; in a MetaData of its own, so that no migration makes it."""
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"])


@contextmanager
def scratch_tables(session: Session, *tables: Table) -> Iterator[None]:
    """Tables for a while; an exception leaves them to the rollback."""
    for table in tables:
        table.create(session.connection(), checkfirst=False)
    yield
    for table in tables:
        table.drop(session.connection(), checkfirst=False)
