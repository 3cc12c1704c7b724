"""A site at which one slot is due, and what is timed on it: `site.py fill|settle|bare|slot|foresee FOLDER …`.

`fill FOLDER MODE READERS POSTS` makes it: a category with so many posts and readers. In a sequence, readers
are spread evenly over all places of the queue, each with the receipts of what they have had; in a broadcast
everybody has had ten posts that went out before. `settle` finds the cohorts of a sequence's readers, as
earlier slots would have. `slot` plans the slot for real, rendering included. `bare` is the yardstick: it
inserts the rows that the slot comes to into the same tables, from a table that has them ready. `foresee` is
`plan --weeks 8`. Each prints the seconds it took and the letters it wrote. The database is the site's, or the
one that `PAPERROUND_DATABASE__URL` names.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, text
from sqlmodel import Session

from newsletter.app import App, open_app
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.models import Edition, Issue
from newsletter.schedule.categories import add_category, all_categories, find_category
from newsletter.schedule.cohorts import settle
from newsletter.schedule.planner import PlanFailure
from newsletter.site import make_site
from newsletter.states import EntryState, IssueKind, IssueState, Mode
from subscribers.base import system_clock

_GIVEN = {
    "name": "Sample letters",
    "from": "Ann Lee <ann@example.org>",
    "base_url": "https://news.example.org",
    "postal_address": "1 Main Street, 12345 Sampletown",
}
_BEFORE = 10
"""Posts that everybody has had before a broadcast."""

_NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :readers)"
_READERS = (
    f"INSERT INTO subscriber (address, address_key, created_at) {_NUMBERS} "
    "SELECT 'reader' || i || '@example.net', 'reader' || i || '@example.net', :now FROM n",
    "INSERT INTO subscription (subscriber_id, category, state, since) "
    "SELECT id, 'advice', 'active', :now FROM subscriber ORDER BY id",
)
_PLACES = "(SELECT post_id, row_number() OVER (ORDER BY position) AS place FROM queue_entry)"
_RECEIPTS = (
    "INSERT INTO receipt (subscriber_id, post_id, letter_key) SELECT subscriber.id, post_id, 'issue:0' "
    f"FROM subscriber CROSS JOIN {_PLACES} AS places WHERE {{had}} ORDER BY subscriber.id, post_id"
)
_ROWS = (
    f"CREATE TABLE given AS SELECT subscriber.id AS subscriber_id, post_id FROM subscriber "
    f"JOIN {_PLACES} AS places ON {{gets}} ORDER BY subscriber.id"
)
_HAS_HAD = {Mode.SEQUENCE: "place <= subscriber.id % :posts", Mode.BROADCAST: f"place <= {_BEFORE}"}
_GETS = {Mode.SEQUENCE: "place = subscriber.id % :posts + 1", Mode.BROADCAST: f"place = {_BEFORE + 1}"}


def fill(app: App, mode: Mode, readers: int, posts: int) -> None:
    """Make everything that the slot finds."""
    now = system_clock()
    began, slot = now - timedelta(hours=2), now - timedelta(hours=1)
    cadence = f"weekly {slot:%a %H:%M}".lower()
    with app.database.write() as session:
        add_category(session, "advice", title="Advice", cadence=cadence, timezone="UTC", mode=mode, now=began)
        files = []
        for number in range(1, posts + 1):
            data = f"---\ntitle: Advice {number}\nslug: p{number}\n---\n\nSay no kindly.\n".encode()
            path = Path(f"posts/p{number}.md")
            files.append(SourceFile(parse_post(data, path), data, str(path)))
        only = all_categories(session)[0]
        add_posts(session, files, [only], only=only, site=app.settings.folder, editor=Editor("ed", began))
    with app.database.reshaping() as connection:
        if not app.database.is_sqlite:
            # Filled without a look at foreign keys, which takes most of the time.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in _READERS:
            connection.execute(text(statement), _given(statement, readers=readers, now=began))
        receipts = _RECEIPTS.format(had=_HAS_HAD[mode])
        connection.execute(text(receipts), _given(receipts, posts=posts))
        if mode is Mode.BROADCAST:
            issued = f"UPDATE queue_entry SET state = '{EntryState.ISSUED}' WHERE position <= {_BEFORE}"
            connection.execute(text(issued))
    with app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if app.database.is_sqlite else "VACUUM ANALYZE"))


def _given(statement: str, **values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


def bare(app: App, mode: Mode, posts: int) -> int:
    """Insert the slot's receipts and deliveries by one statement each; returns how many letters."""
    with app.database.reshaping() as connection:
        rows = _ROWS.format(gets=_GETS[mode])
        connection.execute(text(rows), _given(rows, posts=posts))
        issue, edition = _issue(connection)
    if not app.database.is_sqlite:
        with app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE given"))
    key = f"issue:{issue}"

    def insert() -> int:
        with app.database.write() as session:
            receipts = (
                f"INSERT INTO receipt (subscriber_id, post_id, letter_key) "
                f"SELECT subscriber_id, post_id, '{key}' FROM given ORDER BY subscriber_id"
            )
            session.execute(text(receipts))
            deliveries = (
                "INSERT INTO delivery (subscriber_id, issue_id, edition_id, category, letter_key, state, "
                f"due_at, attempts) SELECT subscriber_id, {issue}, {edition}, 'advice', '{key}', 'queued', "
                f"(SELECT due_at FROM issue WHERE id = {issue}), 0 FROM given ORDER BY subscriber_id"
            )
            session.execute(text(deliveries))
        return _letters(app)

    return timed(insert)


def _issue(connection: Connection) -> tuple[int, int]:
    """An issue and an edition for the rows to belong to."""
    now = system_clock()
    with Session(connection) as session:
        category = find_category(session, "advice")
        issue = Issue(
            category_id=category.id,
            kind=IssueKind.SLOT,
            slot="2000-01-01T00:00",
            due_at=now,
            state=IssueState.PLANNED,
            planned_at=now,
            expires_at=now,
        )
        session.add(issue)
        session.flush()
        edition = Edition(
            key="bare", issue_id=issue.id, subject="", html="", text="", headers="{}", rendered_at=now
        )
        session.add(edition)
        session.flush()
        return issue.id, edition.id


def slot(app: App) -> int:
    """Plan what is due; returns how many letters."""

    def plan() -> int:
        [planned] = app.plan_due()
        if isinstance(planned, PlanFailure):
            raise SystemExit(str(planned.error))
        return planned.readers

    return timed(plan)


def foresee(app: App) -> int:
    """What eight weeks will come to; returns the letters of the first slot."""
    now = app.clock()
    return timed(lambda: app.planner.upcoming(now, now + timedelta(weeks=8))[0].readers)


def find_cohorts(app: App) -> int:
    """As the slots before would have found them; returns 0."""

    def find() -> int:
        with app.database.write() as session:
            settle(session, find_category(session, "advice"))
        return 0

    return timed(find)


def _letters(app: App) -> int:
    with app.database.read() as session:
        return int(session.execute(text("SELECT count(*) FROM delivery")).scalar_one())


def timed(work: Callable[[], int]) -> int:
    """Do it, and print how long it took and what it returned, which is returned too."""
    began = time.perf_counter()
    letters = work()
    print(json.dumps({"seconds": time.perf_counter() - began, "letters": letters}))
    return letters


def main() -> None:
    """Read the command line and do one thing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("fill", "settle", "bare", "slot", "foresee"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("mode", type=Mode)
    parser.add_argument("readers", type=int)
    parser.add_argument("posts", type=int)
    given = parser.parse_args()
    if given.what == "fill":
        make_site(given.folder, _GIVEN)
    app = open_app(given.folder)
    does: dict[str, Callable[[], object]] = {
        "fill": lambda: fill(app, given.mode, given.readers, given.posts),
        "settle": lambda: find_cohorts(app),
        "bare": lambda: bare(app, given.mode, given.posts),
        "slot": lambda: slot(app),
        "foresee": lambda: foresee(app),
    }
    does[given.what]()
    app.close()


if __name__ == "__main__":
    main()
