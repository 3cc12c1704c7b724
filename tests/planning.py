"""A site without its letters: categories, posts, readers and a planner that renders nothing.

The database is one of each kind for a whole module, and is emptied after each test, which is much quicker
than a new one. A module that wants it imports `shared_database`, `database` and `town`.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func
from sqlmodel import Session, SQLModel, col, select

from newsletter.content.adding import Added, SourceFile, add_posts
from newsletter.content.dates import Dates, edit
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.content.queue import Ahead, change_state, move
from newsletter.database import Database
from newsletter.delivery.letters import LedgerLetters, cancel_letters
from newsletter.models import Category, Delivery, DigestPost, Edition, EditionPost, Issue, Post, Receipt
from newsletter.receipts import WAITING_KEY
from newsletter.render.edition import Occasion
from newsletter.schedule.categories import (
    add_category,
    all_categories,
    edit_category,
    find_category,
    set_start,
)
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.planner import MakeEdition, Planner
from newsletter.schedule.wishes import EVERY_ISSUE, Wish
from newsletter.states import EntryState, Mode
from subscribers.address import parse_address
from subscribers.models import Subscriber, Subscription, SubscriptionState
from subscribers.pauses import pause
from subscribers.subscriptions import Permission, Person, find_subscriber, join, leave, subscriptions_of
from tests.orders import SUPPRESSIONS
from tests.postgres import copied_postgres

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TUESDAY = datetime(2026, 1, 6, 8, tzinfo=UTC)
"""When the first slot of `weekly tue 08:00` falls due."""
WEEK = timedelta(weeks=1)
BASE_URL = "https://news.example.org"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A migrated database of each kind, for all tests of a module."""
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("shared") / "shared.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        made = Database(f"sqlite:///{path}")
        yield made
        made.close()
        return
    with copied_postgres(request.getfixturevalue("postgres_template")) as url:
        made = Database(url)
        yield made
        made.close()


@pytest.fixture
def database(shared_database: Database) -> Iterator[Database]:
    """The module's database, empty."""
    yield shared_database
    empty(shared_database)


def address(database: Database) -> str:
    """Its URL, for another process."""
    if database.is_sqlite:
        return f"sqlite:///{database.path}"
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def another(database: Database) -> Database:
    """The same database as another process sees it."""
    return Database(address(database))


def empty(database: Database) -> None:
    """Take every row out."""
    with database.write() as session:
        for table in reversed(SQLModel.metadata.sorted_tables):
            session.execute(table.delete())


def source(
    slug: str, *categories: str, words: str = "Some words.", path: str = "", extra: str = ""
) -> SourceFile:
    """A post's file as `queue add` reads it."""
    head = f"---\nslug: {slug}\ncategories: [{', '.join(categories)}]\n{extra}---\n"
    data = f"{head}\n{words}\n".encode()
    path = path or f"posts/{slug}.md"
    return SourceFile(parse_post(data, Path(path)), data, path)


def plain_edition(occasion: Occasion, posts: Sequence[Post], now: datetime) -> Edition:
    """An edition that shows which posts it is of, and costs nothing."""
    words = " ".join(post.slug for post in posts)
    return Edition(
        key=uuid4().hex,
        issue_id=occasion.issue_id,
        subject=words,
        html=words,
        text=words,
        headers="{}",
        rendered_at=now,
    )


@dataclass(frozen=True, order=True)
class LetterRow:
    """What the ledger owes whom, by names."""

    category: str
    slot: str
    reader: str
    post: str


@dataclass
class Town:
    """A database with people and posts in it."""

    database: Database
    now: datetime = MONDAY
    catch_up: timedelta = timedelta(hours=48)
    patience: timedelta = timedelta(hours=48)
    make_edition: MakeEdition = plain_edition
    canary_every: int | None = None
    usual: Wish = EVERY_ISSUE
    site: Path = field(default_factory=Path)
    needs_approval: bool = False

    @property
    def editor(self) -> Editor:
        """Who changes the queue."""
        return Editor("ed", self.now)

    @property
    def planner(self) -> Planner:
        return Planner(
            self.database,
            self.make_edition,
            base_url=BASE_URL,
            catch_up=self.catch_up,
            patience=self.patience,
            expiry=timedelta(hours=120),
            canary_every=self.canary_every,
            usual=self.usual,
        )

    def category(
        self,
        slug: str = "advice",
        *,
        cadence: str = "weekly tue 08:00",
        timezone: str = "UTC",
        mode: Mode = Mode.BROADCAST,
        posts: int = 1,
        local_time: bool = False,
        priority: int = 5,
    ) -> Category:
        with self.database.write() as session:
            made = add_category(
                session, slug, title=slug, cadence=cadence, timezone=timezone, mode=mode, now=self.now
            )
            edit_category(
                session, made, posts_per_issue=posts, local_time=local_time, priority=priority, now=self.now
            )
            return made

    def change_category(self, category: str, **changes: Any) -> None:
        with self.database.write() as session:
            edit_category(session, find_category(session, category), **changes, now=self.now)

    def start(self, category: str, slug: str) -> None:
        """Have a sequence begin with a post."""
        with self.database.write() as session:
            set_start(session, find_category(session, category), slug)

    def add(
        self,
        *files: SourceFile,
        only: str | None = None,
        ahead_of: Ahead | None = None,
        dates: Dates | None = None,
    ) -> list[Added]:
        with self.database.write() as session:
            return add_posts(
                session,
                files,
                all_categories(session),
                only=find_category(session, only) if only else None,
                site=self.site,
                editor=self.editor,
                ahead_of=ahead_of,
                dates=dates,
                needs_approval=self.needs_approval,
            )

    def queue(self, *slugs: str, category: str = "advice") -> None:
        """Queue posts of these names in one category."""
        self.add(*(source(slug, category) for slug in slugs), only=category)

    def subscribe(self, *names: str, category: str = "advice", confirmed: bool = True) -> None:
        permission = Permission("cli", confirmed=confirmed)
        with self.database.write() as session:
            for name in names:
                person = Person(parse_address(f"{name}@example.org"))
                join(session, person, category, permission, SUPPRESSIONS, renew=True, now=self.now)

    def leave(self, name: str, category: str = "advice") -> None:
        with self.database.write() as session:
            person = find_subscriber(session, parse_address(f"{name}@example.org"))
            assert person is not None
            leave(session, person.id, [category], Permission("cli"), LedgerLetters(), now=self.now)

    def pause(self, name: str, *, until: date) -> None:
        """Pause everything that somebody subscribes to."""
        with self.database.write() as session:
            person = find_subscriber(session, parse_address(f"{name}@example.org"))
            assert person is not None
            held = [found.category for found in subscriptions_of(session, person.id)]
            pause(session, person.id, held, LedgerLetters(), until=until)

    def live(self, name: str, zone: str) -> None:
        """Have somebody live in a zone."""
        with self.database.write() as session:
            person = find_subscriber(session, parse_address(f"{name}@example.org"))
            assert person is not None
            person.timezone = zone

    def wish(self, name: str, frequency: str | None = None, cap: int | None = None) -> None:
        """Have somebody wish a digest, or few letters."""
        with self.database.write() as session:
            person = find_subscriber(session, parse_address(f"{name}@example.org"))
            assert person is not None
            person.frequency, person.weekly_cap = frequency, cap

    def readers(self, session: Session, category: str) -> list[str]:
        """Whose subscription to a category has not ended."""
        found = select(Subscriber.address).join(
            Subscription, col(Subscription.subscriber_id) == Subscriber.id
        )
        ours = found.where(Subscription.category == category, Subscription.state != SubscriptionState.LEFT)
        return [address.partition("@")[0] for address in session.exec(ours)]

    def lose(self, name: str) -> None:
        """Have somebody's letters end unsent, as when a relay refuses them for good."""
        with self.database.write() as session:
            theirs = select(Subscriber.id).where(Subscriber.address == f"{name}@example.org")
            cancel_letters(session, col(Delivery.subscriber_id).in_(theirs), "550 No")

    def change(self, slug: str, to: EntryState) -> None:
        """Hold, release or drop a post wherever it waits."""
        waiting = (EntryState.QUEUED, EntryState.HELD)
        with self.database.write() as session:
            change_state(
                session,
                slug,
                None,
                now_in=waiting,
                to=to,
                editor=self.editor,
                needs_approval=self.needs_approval,
            )

    def edit(self, slug: str, dates: Dates, category: str | None = None) -> dict[str, str]:
        """Say when a post may go."""
        with self.database.write() as session:
            place = find_category(session, category) if category else None
            return edit(session, slug, place, dates, editor=self.editor)

    def move(self, slug: str, place: int, category: str = "advice") -> None:
        with self.database.write() as session:
            move(session, slug, find_category(session, category), place, editor=self.editor)

    def plan(self, at: datetime) -> list[PlannedIssue | PlanFailure]:
        return self.planner.plan_due(at)

    def issues(self) -> list[tuple[str, str, str]]:
        """(category, slot, state), in the order of their instants."""
        with self.database.read() as session:
            statement = (
                select(Category.slug, Issue.slot, Issue.state)
                .join(Issue, col(Issue.category_id) == col(Category.id))
                .order_by(col(Issue.due_at), col(Category.slug), col(Issue.slot))
            )
            return [tuple(row) for row in session.exec(statement)]

    def given_to(self, reader: str) -> list[str]:
        """The posts of a reader's letters, oldest first."""
        theirs = [row for row in self.letters() if row.reader == reader]
        return [row.post for row in sorted(theirs, key=lambda row: row.slot)]

    def letters(self) -> list[LetterRow]:
        """Every delivery, sorted; and the ledger agrees with itself."""
        with self.database.read() as session:
            check_books(session)
            statement = (
                select(Delivery.category, Issue.slot, Subscriber.address, Post.slug)
                .join(Issue, col(Issue.id) == col(Delivery.issue_id))
                .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
                .join(EditionPost, col(EditionPost.edition_id) == col(Delivery.edition_id))
                .join(Post, col(Post.id) == col(EditionPost.post_id))
            )
            return sorted(
                LetterRow(category, slot, address.partition("@")[0], post)
                for category, slot, address, post in session.exec(statement)
            )


def summary(issue: PlannedIssue | PlanFailure) -> tuple[str, str, str, tuple[str, ...], int]:
    assert isinstance(issue, PlannedIssue)
    slugs = tuple(post.slug for post in issue.posts)
    return issue.category, issue.slot, str(issue.state), slugs, issue.readers


def rows(database: Database) -> dict[str, int]:
    """How many rows each table has, but for cohorts, in which receipts are only remembered."""
    with database.read() as session:
        return {
            table.name: session.execute(select(func.count()).select_from(table)).scalar_one()
            for table in SQLModel.metadata.sorted_tables
            if table.name != "cohort"
        }


def check_books(session: Session) -> None:
    """Every receipt has its delivery or waits for one, every delivery that is not cancelled its receipts."""
    waiting = {
        (post.subscriber_id, WAITING_KEY, post.post_id)
        for post in session.exec(select(DigestPost).where(col(DigestPost.letter_key).is_(None)))
    }
    receipts = {
        (receipt.subscriber_id, receipt.letter_key, receipt.post_id)
        for receipt in session.exec(select(Receipt))
    }
    owed = session.exec(
        select(Delivery.subscriber_id, Delivery.letter_key, EditionPost.post_id)
        .join(EditionPost, col(EditionPost.edition_id) == col(Delivery.edition_id))
        .where(Delivery.state != "cancelled")
    )
    rows = [tuple(row) for row in owed]
    assert set(rows) | waiting == receipts
    assert len(rows) + len(waiting) == len(receipts)


@pytest.fixture
def town(database: Database) -> Town:
    """Nobody and nothing yet."""
    return Town(database)
