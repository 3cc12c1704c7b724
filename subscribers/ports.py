"""What this package needs from outside, as protocols; `newsletter.app` supplies them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection, Executable
from sqlmodel import Session, SQLModel

_BULK = "paperround_bulk"


class OpenLetters(Protocol):
    """The letters on their way to a reader."""

    def withdraw(self, session: Session, subscriber_id: int, category: str, reason: str) -> int:
        """Stop every letter of `category` that is not yet on the wire, for a reason; return how many.

        Called in the transaction that ends or pauses the subscription, so that row locks put leaving and
        sending in order.
        """
        ...

    def suppress(self, session: Session, subscriber_id: int, reason: str) -> int:
        """Stop every letter to a reader that is not yet on the wire, by a standing order; return how many.

        Called as `withdraw` is, in the transaction that gives the order.
        """
        ...


class ManyRows(Protocol):
    """A statement that is run for many rows at once."""

    def run(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Callable[[], int]:
        """Run it in the connection's transaction; how many rows it changed can be asked after."""
        ...


class Bulk(Protocol):
    """Statements about many rows at once, as the database does them quickest.

    Values are whole numbers, text, None, days as text, and instants as `instant` makes them.
    """

    @property
    def instant(self) -> Callable[[datetime | None], Any]:
        """An instant as the driver takes it."""
        ...

    def inserts(self, table: type[SQLModel], *names: str, unless_there: str | None = None) -> ManyRows:
        """An INSERT into these columns; a row whose `unless_there` another has already is passed over."""
        ...

    def updates(self, make: Callable[[Mapping[str, Any]], Executable], **types: Any) -> ManyRows:
        """An UPDATE: `make` is given the values of one row, by these names and types."""
        ...

    def numbers(self, connection: Connection, table: type[SQLModel], count: int) -> Sequence[int]:
        """So many ids for rows that are to be inserted, ascending; nobody else is given them."""
        ...

    def is_among(self, column: Any, values: Sequence[Any]) -> ColumnElement[bool]:
        """That a column is one of these texts or whole numbers, however many."""
        ...


def bulk_of(session: Session) -> Bulk:
    """The bulk statements of the database that a session is of; it has brought them along."""
    bulk: Bulk = session.info[_BULK]
    return bulk


def bring_along(bulk: Bulk) -> dict[str, Any]:
    """What a session's `info` is to have."""
    return {_BULK: bulk}
