"""Which tool wrote a file, and its people."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

from subscribers.moving.people import BadRow, Newcomer


class Export(ABC):
    """A file of people: who is in it, and what it says of them."""

    tool: str
    """Who wrote it: `paperround`, `listmonk`, `mailchimp` …; `csv` where that is not known."""
    header: tuple[str, ...]
    """The names of the cells of a bad row, so that bad rows can be written to a file and read again."""
    lists: Mapping[str, int]
    """The names of the tool's lists, each with how many are on it in any state; reads the file once."""

    @abstractmethod
    def rows(self) -> Iterator[Newcomer | BadRow]:
        """Everybody, in the file's order, always the same. Raises CsvError where it cannot go on."""


def open_export(
    path: Path,
    *,
    tool: str | None = None,
    columns: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    encoding: str | None = None,
) -> Export:
    """Look at a file and say whose it is. Raises CsvError where that cannot be told, or it cannot be read.

    `columns` names the columns of `email`, `name`, `first_name`, `last_name`, `state`, `list`, `since`,
    `created_at` and `timezone`, in any CSV file.
    """
    raise NotImplementedError
