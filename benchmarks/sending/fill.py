"""A site with many readers, one issue planned and nothing sent: `fill.py make|restore|count FOLDER`.

`make FOLDER READERS SIZE` makes it as an operator would: a site, a category, a post, readers with names who
have joined by confirmed consent, and a slot that came an hour ago. It prints the octets of one message as the
relay will get it, and keeps that message in FOLDER. `restore` puts everything back to before the sending, and
`count` prints how many letters there are and how many are `sent`. The database is SQLite in the site's
folder, or the one that `PAPERROUND_DATABASE__URL` names, which is dropped and made anew. Where
`PAPERROUND_DKIM__SELECTOR` is set, letters are signed with a key that is made for it.

SIZE is the octets of the whole message, header included. From 18,000 on, the post is so long that the letter
comes to that. A letter in MJML has more than 16,000; for less, the bodies of the frozen edition, which is
where sending begins, are replaced by a few words and the link to leave. The header alone has about 800.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL, create_engine, func, make_url, text
from sqlmodel import col, select

from newsletter.app import App, open_app
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.errors import PaperroundError
from newsletter.models import Delivery, Edition
from newsletter.render.slots import sentinel_slots
from newsletter.schedule.categories import add_category, all_categories
from newsletter.schedule.planned import PlanFailure
from newsletter.site import make_site
from newsletter.states import DeliveryState, Mode
from subscribers.address import parse_address
from subscribers.base import system_clock
from subscribers.subscriptions import Permission, Person, join_many

DATABASE, SELECTOR = "PAPERROUND_DATABASE__URL", "PAPERROUND_DKIM__SELECTOR"
MESSAGE, MESSAGE_LINES = "message.eml", "message.txt"
"""One reader's message with CRLF, and with the bare line feeds that smtp-source -F wants."""

_GIVEN = {
    "name": "Sample letters",
    "from": "Ann Lee <ann@example.org>",
    "base_url": "https://news.example.org",
    "postal_address": "1 Main Street, 12345 Sampletown",
}
_FRONT_MATTER = "---\ntitle: How to say no kindly\ndate: 2026-01-02\ncategories: [advice]\n---\n\n"
_SENTENCE = "Say what you can do, by when, and what has to wait for it; then stop explaining. "
_PARAGRAPH = 5 * len(_SENTENCE)
_SMALLEST_LETTER = 18_000
_CLOSE_ENOUGH = 0.01
_AT_ONCE = 1000
_DOMAINS = 100


def words(length: int) -> str:
    """So many characters of prose, in paragraphs."""
    endless = _SENTENCE * (length // len(_SENTENCE) + 1)
    return "\n\n".join(
        endless[start : min(start + _PARAGRAPH, length)] for start in range(0, length, _PARAGRAPH)
    )


def reader(number: int) -> Person:
    """One of the readers."""
    address = parse_address(f"reader{number}@d{number % _DOMAINS}.example.net")
    return Person(address, f"Reader Number {number}")


def paperround(site: Path, *arguments: str) -> None:
    """Run the command line. Leaves with its last words if it fails."""
    command = [sys.executable, "-m", "newsletter", "--site", str(site), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"paperround {' '.join(arguments)}: {(ran.stderr or ran.stdout).strip()}")


def fill(folder: Path, numbers: range, prose: int, *, as_letter: bool) -> None:
    """Make the site and plan its issue; `prose` is the length of the post, or of a short edition's bodies."""
    make_site(folder, _GIVEN)
    if SELECTOR in os.environ:
        paperround(folder, "dkim", "keygen")
    now = system_clock()
    slot, began = now - timedelta(hours=1), now - timedelta(hours=2)
    path = folder / "posts" / "post.md"
    path.write_text(_FRONT_MATTER + words(prose if as_letter else len(_SENTENCE)) + "\n", encoding="utf-8")
    data = path.read_bytes()
    app = open_app(folder)
    with app.database.write() as session:
        cadence = f"daily {slot:%H:%M}"
        add_category(
            session, "advice", title="Advice", cadence=cadence, timezone="UTC", mode=Mode.BROADCAST, now=began
        )
        source = SourceFile(parse_post(data, path), data, "posts/post.md")
        editor = Editor("benchmark", began)
        add_posts(session, [source], all_categories(session), only=None, site=folder, editor=editor)
    consent = Permission("import", "benchmark", confirmed=True)
    for start in range(numbers.start, numbers.stop, _AT_ONCE):
        people = [reader(number) for number in range(start, min(start + _AT_ONCE, numbers.stop))]
        with app.database.write() as session:
            join_many(session, people, "advice", consent, app.suppressions, renew=False, now=began)
    [planned] = app.plan_due()
    if isinstance(planned, PlanFailure) or planned.readers != len(numbers):
        raise SystemExit(f"the issue was not planned for {len(numbers)} readers: {planned}")
    if not as_letter:
        shorten(app, prose)
    app.close()


def shorten(app: App, prose: int) -> None:
    """Replace the edition's bodies by the least that a letter can be."""
    with app.database.write() as session:
        edition = session.exec(select(Edition)).one()
        leave = sentinel_slots(edition.key).unsubscribe_url
        said = words(prose)
        edition.text = f"{said}\n\nUnsubscribe: {leave}\n"
        edition.html = f'<p>{said}</p>\n<p><a href="{leave}">Unsubscribe</a></p>\n'
        session.add(edition)


def message_of(number: int, prose: int, *, as_letter: bool) -> bytes:
    """The message that one reader gets: a site of their own sends it to the sandbox."""
    with tempfile.TemporaryDirectory(prefix="paperround-sample-") as name:
        site = Path(name, "site")
        before = os.environ.pop(DATABASE, None)
        try:
            fill(site, range(number, number + 1), prose, as_letter=as_letter)
            paperround(site, "tick")
        finally:
            if before is not None:
                os.environ[DATABASE] = before
        [kept] = (site / "sandbox").rglob("*.eml")
        return kept.read_bytes().partition(b"\r\n")[2]  # after the sandbox's Return-Path


def fitting(number: int, size: int) -> tuple[int, bytes]:
    """How much prose makes a message of this size, and that message."""
    as_letter = size >= _SMALLEST_LETTER
    prose = (size - 16_500) // 2 if as_letter else 0
    while True:
        message = message_of(number, prose, as_letter=as_letter)
        off = size - len(message)
        # Prose stands in the text and in the HTML. Where nothing is left to cut, that is the least there is.
        better = max(0, prose + off // 2)
        if abs(off) <= size * _CLOSE_ENOUGH or abs(better - prose) < 10:
            return prose, message
        prose = better


def make(folder: Path, readers: int, size: int) -> dict[str, int]:
    """Make everything; what is made can be restored."""
    prose, message = fitting(readers // 2, size)
    if (b"\nDKIM-Signature:" in b"\n" + message) != (SELECTOR in os.environ):
        raise SystemExit("the message is not signed as the settings say: nothing was measured")
    (folder / MESSAGE).write_bytes(message)
    (folder / MESSAGE_LINES).write_bytes(message.replace(b"\r\n", b"\n"))
    if DATABASE in os.environ:
        _recreate(os.environ[DATABASE], template="template1")
    fill(folder / "site", range(readers), prose, as_letter=size >= _SMALLEST_LETTER)
    if DATABASE in os.environ:
        _recreate(_planned(os.environ[DATABASE]), template=_database(os.environ[DATABASE]))
    else:
        shutil.copy(folder / "site" / "paperround.db", folder / "planned.db")
    return {
        "message_bytes": len(message),
        "connections": open_app(folder / "site").settings.relay.connections,
    }


def restore(folder: Path) -> dict[str, int]:
    """The database as it was planned, on the disk: no write of ours is left for the sending to wait for."""
    if DATABASE in os.environ:
        _recreate(os.environ[DATABASE], template=_database(_planned(os.environ[DATABASE])))
        return {}
    database = folder / "site" / "paperround.db"
    for rest in ("-wal", "-shm"):
        database.with_name(database.name + rest).unlink(missing_ok=True)
    shutil.copy(folder / "planned.db", database)
    os.sync()
    return {}


def count(folder: Path) -> dict[str, int]:
    """What the ledger says."""
    app = open_app(folder / "site")
    with app.database.read() as session:
        counted = session.exec(select(col(Delivery.state), func.count()).group_by(col(Delivery.state)))
        states = {str(state): number for state, number in counted}
    app.close()
    return {"total": sum(states.values()), "sent": states.get(DeliveryState.SENT, 0)}


def _planned(url: str) -> str:
    parsed = make_url(url)
    return parsed.set(database=f"{parsed.database}_planned").render_as_string(hide_password=False)


def _database(url: str) -> str:
    return str(make_url(url).database)


def _recreate(url: str, *, template: str) -> None:
    parsed: URL = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(parsed.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {parsed.database} WITH (FORCE)"))
        connection.execute(text(f"CREATE DATABASE {parsed.database} TEMPLATE {template}"))
        connection.execute(text("CHECKPOINT"))
    engine.dispose()


def main() -> None:
    """Do what is asked, and print one object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=("make", "restore", "count"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("readers", type=int, nargs="?", default=0)
    parser.add_argument("size", type=int, nargs="?", default=0)
    given = parser.parse_args()
    try:
        if given.what == "make":
            answer = make(given.folder, given.readers, given.size)
        else:
            answer = {"restore": restore, "count": count}[given.what](given.folder)
    except PaperroundError as error:
        sys.exit(str(error))
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
