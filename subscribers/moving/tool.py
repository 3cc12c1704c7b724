"""What this package knows of a tool whose export is a CSV file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from subscribers.moving.columns import Columns
from subscribers.moving.people import Newcomer
from subscribers.moving.source import Source

ReadRow = Callable[[int, list[str]], Newcomer]
"""A row, given its line and its cells, as a person. Raises RowError for one who is not to be taken over."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool, by the name it has on our command line."""

    name: str
    is_it: Callable[[frozenset[str]], bool]
    """Whether it writes files with these columns, their names in lower case."""
    reader: Callable[[Columns, Source], ReadRow]
    """Raises CsvError where the file does not tell what must be known."""
    caveat: str = ""
    """What its file cannot say, and where that can be had."""
    is_misleading: bool = False
    """Whether it makes readers of those who left there, so that a person has to say that it is meant."""
    has_confirmed: Callable[[Mapping[str, str]], bool] = lambda _: False
    """Whether it has kept itself, by what is told of a person, that they confirmed."""
    claims: Callable[[str], bool] = lambda _: False
    """Whether a file is one of its own by this name, beside others: it is not to be passed over."""
