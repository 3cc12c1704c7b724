"""Builds the demo's site with the same calls that the command line makes."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter.app import App, open_app
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post, read_bytes
from newsletter.errors import SiteError
from newsletter.schedule.categories import add_category, all_categories
from newsletter.site import POSTS_FOLDER, make_site
from newsletter.states import Mode
from subscribers.address import parse_address
from subscribers.base import Clock
from subscribers.subscriptions import Permission, Person, join

WEEKS = 2
_MARKER = ".paperround-demo"

_CATEGORIES = (
    ("career-advice", "Career advice", "weekly tue 08:00", "Europe/Berlin", Mode.BROADCAST),
    ("good-questions", "Good questions", "weekly thu 18:30", "America/New_York", Mode.BROADCAST),
    ("letters", "Letters", "weekly sun 09:00", "Asia/Jerusalem", Mode.SEQUENCE),
)
_READERS = (
    ("amira@example.org", "Amira Haddad", ("career-advice", "good-questions", "letters")),
    ("bo@example.com", "Bo Lindqvist", ("career-advice",)),
    ("chandra@example.net", "Chandra Rao", ("good-questions", "letters")),
    ("daniela@example.org", "Daniela Ponce", ("career-advice", "good-questions")),
    ("etienne@example.com", "Étienne Morel", ("letters",)),
    ("foluke@example.net", "Foluke Adeyemi", ("career-advice", "letters")),
)


def first_monday(now: datetime) -> datetime:
    """The start of the demo's weeks: the last Monday at midnight, in UTC, with room for them until now."""
    start = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(weeks=WEEKS)
    return start - timedelta(days=start.weekday())


def build(folder: Path, clock: Clock, *, base_url: str) -> App:
    """Make the demo's site anew, in a folder that is empty or holds an earlier demo. Raises SiteError."""
    _clear(folder)
    given = {
        "name": "The Kitchen Table",
        "from": "The Kitchen Table <letters@kitchen-table.example>",
        "base_url": base_url,
        "blog_url": "https://kitchen-table.example",
        "postal_address": "The Kitchen Table, 12 Sample Lane, 10115 Berlin",
    }
    make_site(folder, given)
    (folder / _MARKER).touch()
    for sample in sorted((Path(__file__).parent / "posts").glob("*.md")):
        shutil.copy(sample, folder / POSTS_FOLDER / sample.name)
    app = open_app(folder, clock)
    _fill(app, folder)
    return app


def _clear(folder: Path) -> None:
    """Take away an earlier demo, and nothing else."""
    try:
        if not folder.exists() or not any(folder.iterdir()):
            return
        if not (folder / _MARKER).exists():
            raise SiteError(f"{folder} is not empty and no earlier demo; name another folder with --dir")
        shutil.rmtree(folder)
    except OSError as error:
        raise SiteError(
            f"{folder} cannot hold a demo ({error.strerror}); name another folder with --dir"
        ) from error


def _fill(app: App, folder: Path) -> None:
    now = app.clock()
    paths = sorted((folder / POSTS_FOLDER).glob("*.md"))
    with app.database.write() as session:
        for slug, title, cadence, timezone, mode in _CATEGORIES:
            add_category(session, slug, title=title, cadence=cadence, timezone=timezone, mode=mode, now=now)
        files = []
        for path in paths:
            data = read_bytes(path)
            files.append(SourceFile(parse_post(data, path), data, f"{POSTS_FOLDER}/{path.name}"))
        add_posts(session, files, all_categories(session), only=None, site=folder, editor=Editor("demo", now))
        for address, name, slugs in _READERS:
            for slug in slugs:
                permission = Permission("cli", evidence="A made-up reader of the demo.", confirmed=True)
                person = Person(parse_address(address), name)
                join(session, person, slug, permission, app.suppressions, renew=True, now=now)
