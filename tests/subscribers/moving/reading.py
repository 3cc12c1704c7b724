"""What the tests of moving in have in common."""

from pathlib import Path

from subscribers.moving.importing import look_through
from subscribers.moving.look import Export, open_export
from subscribers.moving.people import BadRow, Newcomer


def write(path: Path, content: str | bytes) -> Path:
    """A file of this content, to the byte."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, **options: object) -> tuple[list[Newcomer], list[BadRow]]:
    """The people of a file, and its bad rows."""
    rows = list(open_export(path, **options).rows())  # type: ignore[arg-type]
    people = [row for row in rows if isinstance(row, Newcomer)]
    return people, [row for row in rows if isinstance(row, BadRow)]


def person(path: Path, **options: object) -> Newcomer:
    """The one person of a file without bad rows."""
    people, bad = read(path, **options)
    assert bad == []
    assert len(people) == 1
    return people[0]


def lists(export: Export) -> dict[str, int]:
    """The lists of an export, each with how many are on it."""
    return dict(look_through(export, lambda _: None, lambda _: None).lists)


def standing(person: Newcomer) -> dict[str, str]:
    """The state on each list."""
    return {held.list: str(held.state) for held in person.memberships}
