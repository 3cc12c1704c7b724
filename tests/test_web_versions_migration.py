"""The migration that keeps posts as they went out, on sites that have sent issues before it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import inspect, text

from newsletter.database import Database
from newsletter.errors import DatabaseError
from newsletter.migrations import HEAD

AT = datetime(2026, 1, 1, tzinfo=UTC)


def words(number: int) -> bytes:
    """The file of a post, whose bytes are to be kept as they are."""
    return f"Wörds {number}\r\n\x01".encode()


CATEGORY = {"slug": "advice", "title": "Advice", "cadence": "x", "timezone": "UTC", "mode": "x"}
POST = {"title": "x", "content_hash": "x", "read_at": AT}
ISSUE = {"category_id": 1, "due_at": AT, "state": "planned", "reason": "", "planned_at": AT}
EDITION = {"subject": "x", "html": "x", "text": "x", "headers": "{}", "rendered_at": AT}
OLDER_SITE: list[tuple[str, dict[str, Any]]] = [
    ("category", {"id": 1, **CATEGORY, "created_at": AT, "slots_from": AT}),
    *(
        ("post", {"id": n, **POST, "slug": f"post{n}", "path": f"posts/{n}.md", "source": words(n)})
        for n in (1, 2, 3)
    ),
    *(("issue", {"id": n, **ISSUE, "slot": f"2026-01-0{n}T08:00"}) for n in (1, 2)),
    *(("edition", {"id": n, **EDITION, "key": f"k{n}", "issue_id": n}) for n in (1, 2)),
    ("edition_post", {"edition_id": 1, "place": 0, "post_id": 1}),
    ("edition_post", {"edition_id": 2, "place": 0, "post_id": 3}),
    ("edition_post", {"edition_id": 2, "place": 1, "post_id": 2}),
]
"""Rows of a site of revision 0001; post 2 went out second in an issue."""


def write(database: Database, table: str, values: dict[str, Any]) -> None:
    """A row, by the names of its columns alone, for today's models do not fit the tables of then."""
    names, places = ", ".join(values), ", ".join(f":{name}" for name in values)
    shown = values
    if database.is_sqlite:
        shown = {
            name: value.isoformat(" ") if isinstance(value, datetime) else value
            for name, value in values.items()
        }
    with database.write() as session:
        session.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), shown)  # our own names


def kept(database: Database) -> list[tuple[Any, ...]]:
    """What is kept of each post of an edition."""
    with database.read() as session:
        columns = "edition_id, place, post_id, path, source"
        rows = session.execute(text(f"SELECT {columns} FROM edition_post ORDER BY edition_id, place"))
        return [(*row[:-1], bytes(row[-1])) for row in rows]


def older_site(database: Database) -> None:
    database.downgrade("0001")
    for table, values in OLDER_SITE:
        write(database, table, values)


def test_issues_of_an_older_site_get_their_posts(database: Database) -> None:
    """Each post of each edition is kept as it is now, to the byte, in its place."""
    older_site(database)
    database.upgrade()
    assert database.version() == HEAD
    assert kept(database) == [
        (1, 0, 1, "posts/1.md", words(1)),
        (2, 0, 3, "posts/3.md", words(3)),
        (2, 1, 2, "posts/2.md", words(2)),
    ]


def test_from_then_on_they_stay(database: Database) -> None:
    """A post that changes later does not change what went out."""
    older_site(database)
    database.upgrade()
    before = kept(database)
    with database.write() as session:
        session.execute(text("UPDATE post SET path = 'other.md', source = :source"), {"source": b"other"})
    assert kept(database) == before


def test_there_is_no_default_afterwards(database: Database) -> None:
    """The columns must be given, as the models say: an edition cannot forget its posts."""
    with database.engine.connect() as connection:
        columns = {column["name"]: column for column in inspect(connection).get_columns("edition_post")}
    for name in ("path", "source"):
        assert (columns[name]["nullable"], columns[name]["default"]) == (False, None)


def test_back_and_forth(database: Database) -> None:
    """Taking it back loses the copies and no row; making it again fills them anew."""
    older_site(database)
    database.upgrade()
    filled = kept(database)
    database.downgrade("0001")
    with database.read() as session:
        rows = session.execute(text("SELECT * FROM edition_post ORDER BY edition_id, place")).all()
    assert [tuple(row) for row in rows] == [(1, 0, 1), (2, 0, 3), (2, 1, 2)]
    database.upgrade()
    assert kept(database) == filled


def test_the_program_asks_for_it(database: Database) -> None:
    """An older site is told which command to run, and is not touched."""
    database.downgrade("0001")
    with pytest.raises(DatabaseError, match="`paperround db upgrade`"):
        database.ensure_current()
    assert database.version() == "0001"
