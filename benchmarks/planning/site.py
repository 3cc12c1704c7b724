"""A site at which one slot is due, and what is timed on it: `site.py fill|settle|bare|slot|foresee FOLDER …`.

`fill FOLDER MODE READERS POSTS` makes it: a category with so many posts and readers. In a sequence, readers
are spread evenly over all places of the queue, each with the receipts of what they have had; in a broadcast
everybody has had ten posts that went out before; with digests that is one of two categories whose slots are
due together, which everybody reads in one letter. `settle` finds the cohorts of a sequence's readers, as
earlier slots would have. `slot` plans the slot for real, rendering included. `bare` is the yardstick: it
inserts the rows that the slot comes to into the same tables, from a table that has them ready. `foresee` is
`plan --weeks 8`. Each prints the seconds it took and the letters it wrote. The database is the site's, or the
one that `PAPERROUND_DATABASE__URL` names.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, text
from sqlmodel import Session

from newsletter.app import App, open_app
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.models import Edition, Issue
from newsletter.schedule.categories import add_category, find_category
from newsletter.schedule.cohorts import settle
from newsletter.schedule.planned import PlanFailure
from newsletter.site import make_site
from newsletter.states import DIGEST, EntryState, IssueKind, IssueState, Mode
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
_SUBSCRIBE_TO_NEWS = (
    "INSERT INTO subscription (subscriber_id, category, state, since) "
    "SELECT id, 'news', 'active', :now FROM subscriber ORDER BY id"
)
_PLACES = (
    "(SELECT post_id, row_number() OVER (ORDER BY position) AS place FROM queue_entry WHERE category_id = "
    "(SELECT id FROM category WHERE slug = 'advice'))"
)
_NEWS = "INSERT INTO given SELECT subscriber_id, (SELECT id FROM post WHERE slug = 'news') FROM given"
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


def fill(app: App, mode: Mode, readers: int, posts: int, *, digests: bool) -> None:
    """Make everything that the slot finds."""
    now = system_clock()
    began, slot = now - timedelta(hours=2), now - timedelta(hours=1)
    cadence = f"weekly {slot:%a %H:%M}".lower()
    with app.database.write() as session:
        add_category(session, "advice", title="Advice", cadence=cadence, timezone="UTC", mode=mode, now=began)
        files = [_post(f"p{number}", f"Advice {number}") for number in range(1, posts + 1)]
        _queue(app, session, "advice", files, began)
        if digests:
            add_category(session, "news", title="News", cadence=cadence, timezone="UTC", mode=mode, now=began)
            _queue(app, session, "news", [_post("news", "News")], began)
    with app.database.reshaping() as connection:
        if not app.database.is_sqlite:
            # Filled without a look at foreign keys, which takes most of the time.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for statement in (*_READERS, *([_SUBSCRIBE_TO_NEWS] if digests else [])):
            connection.execute(text(statement), _given(statement, readers=readers, now=began))
        receipts = _RECEIPTS.format(had=_HAS_HAD[mode])
        connection.execute(text(receipts), _given(receipts, posts=posts))
        if mode is Mode.BROADCAST:
            issued = f"UPDATE queue_entry SET state = '{EntryState.ISSUED}' WHERE position <= {_BEFORE}"
            connection.execute(text(issued))
    with app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if app.database.is_sqlite else "VACUUM ANALYZE"))


def _post(slug: str, title: str) -> SourceFile:
    data = f"---\ntitle: {title}\nslug: {slug}\n---\n\nSay no kindly.\n".encode()
    path = Path(f"posts/{slug}.md")
    return SourceFile(parse_post(data, path), data, str(path))


def _queue(app: App, session: Session, slug: str, files: list[SourceFile], now: datetime) -> None:
    only = find_category(session, slug)
    add_posts(session, files, [only], only=only, site=app.settings.folder, editor=Editor("ed", now))


def _given(statement: str, **values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if f":{name}" in statement}


def bare(app: App, mode: Mode, posts: int, *, digests: bool) -> int:
    """Insert the slot's receipts and deliveries by one statement each; returns how many letters."""
    with app.database.reshaping() as connection:
        rows = _ROWS.format(gets=_GETS[mode])
        connection.execute(text(rows), _given(rows, posts=posts))
        if digests:
            connection.execute(text(_NEWS))
        issue, edition = _issue(connection)
    if not app.database.is_sqlite:
        with app.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE given"))
    key = f"issue:{issue}"

    def insert() -> int:
        with app.database.write() as session:
            receipts = (
                f"INSERT INTO receipt (subscriber_id, post_id, letter_key) "
                f"SELECT subscriber_id, post_id, '{key}' FROM given ORDER BY subscriber_id, post_id"
            )
            session.execute(text(receipts))
            deliveries = (
                "INSERT INTO delivery (subscriber_id, issue_id, edition_id, category, letter_key, state, "
                f"due_at, attempts) SELECT subscriber_id, {issue}, {edition}, 'advice', '{key}', 'queued', "
                f"(SELECT due_at FROM issue WHERE id = {issue}), 0 FROM given "
                "GROUP BY subscriber_id ORDER BY subscriber_id"
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
        letters = 0
        for planned in app.plan_due():
            if isinstance(planned, PlanFailure):
                raise SystemExit(str(planned.error))
            letters += planned.readers - (0 if planned.category == DIGEST else planned.in_digests)
        return letters

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
    parser.add_argument("mode", choices=("broadcast", "sequence", "digest"))
    parser.add_argument("readers", type=int)
    parser.add_argument("posts", type=int)
    given = parser.parse_args()
    digests = given.mode == "digest"
    mode = Mode.BROADCAST if digests else Mode(given.mode)
    if digests:
        os.environ["PAPERROUND_DELIVERY__DIGEST"] = "true"
    if given.what == "fill":
        make_site(given.folder, _GIVEN)
    app = open_app(given.folder)
    does: dict[str, Callable[[], object]] = {
        "fill": lambda: fill(app, mode, given.readers, given.posts, digests=digests),
        "settle": lambda: find_cohorts(app),
        "bare": lambda: bare(app, mode, given.posts, digests=digests),
        "slot": lambda: slot(app),
        "foresee": lambda: foresee(app),
    }
    does[given.what]()
    app.close()


if __name__ == "__main__":
    main()
