"""Digests: letters that are made of what has waited for them.

`write_digests` makes one letter of each reader's posts once they are ready: an issue of its own kind for each
time at which digests go, an edition for each list of posts. It decides once for all readers of whom the same
is true. May surprise: whoever makes digests holds the row that stands for their category, so that there is
one at a time; what a reader has left since is in none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    String,
    Text,
    case,
    cast,
    delete,
    exists,
    func,
    insert,
    literal,
    update,
)
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.delivery.digests import is_subscribed, take_out_waiting
from newsletter.delivery.letters import at_least
from newsletter.errors import ContentError, PaperroundError, TemplateError
from newsletter.models import (
    Category,
    Delivery,
    DigestPost,
    Issue,
    Post,
    Receipt,
)
from newsletter.receipts import WAITING_KEY
from newsletter.render.edition import Occasion
from newsletter.schedule.baskets import BASKETS, KEPT, Basket, ready_baskets
from newsletter.schedule.editions import MakeEdition, write_edition
from newsletter.schedule.picker import letter_key
from newsletter.schedule.readers import waits_for_digest
from newsletter.schedule.scratch import scratch_table, scratch_tables
from newsletter.schedule.timetable import SLOT_FORMAT
from newsletter.schedule.wishes import (
    Coming,
    Kept,
    Wish,
    in_order,
)
from newsletter.states import DIGEST, DeliveryState, IssueKind, IssueState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Key

_MINUTE = timedelta(minutes=1)
_NOON = 12

_MADE = scratch_table(
    "digest_made",
    Column("basket", Text, primary_key=True),
    Column("issue_id", Key),
    Column("edition_id", Key),
)
_OWED = scratch_table(
    "digest_owed",
    Column("subscriber_id", Key, primary_key=True),
    Column("issue_id", Key),
    Column("edition_id", Key),
    Column("letter_key", String(64)),
    Column("due_at", UTCDateTime),
)


@dataclass(frozen=True, slots=True)
class Digest:
    """Letters of several slots that were written, or could not be: for a time, with all posts in them."""

    slot: str
    timezone: str
    due_at: datetime
    posts: tuple[Post, ...]
    readers: int
    issue_id: int | None = None
    error: PaperroundError | None = None


def is_any_ready(session: Session, now: datetime) -> bool:
    """Whether a digest may be due."""
    ready = select(DigestPost.id).where(col(DigestPost.ready_at) <= now, waits_for_digest())
    return session.exec(ready.limit(1)).first() is not None


def write_digests(
    session: Session,
    database: Database,
    make_edition: MakeEdition,
    *,
    later: Sequence[Coming],
    usual: Wish,
    now: datetime,
    expiry: timedelta,
    patience: timedelta,
) -> list[Digest]:
    """Make letters of what is ready `now`; `later` are the slots that are still to be decided.

    A digest whose posts cannot be shown is reported with its error, and stays ready; after `patience` the
    posts that cannot be shown are given up, and the others go.
    """
    stand_in = _stand_in(session, database, now)
    take_out_waiting(session.connection(), (col(DigestPost.ready_at) <= now) & ~is_subscribed())
    with scratch_tables(session, KEPT, BASKETS, _MADE, _OWED):
        going = ready_baskets(session, later, usual, now)
        streams = {category.slug: category for category in session.exec(select(Category))}
        maker = _Maker(session, database, make_edition, stand_in, streams, now, patience)
        return [digest for slot in sorted(going) for digest in maker.write(slot, going[slot], expiry)]


def _stand_in(session: Session, database: Database, now: datetime) -> Category:
    """The row that stands for a category in digests, held until the transaction ends."""
    row = database.insert(Category).values(
        slug=DIGEST,
        title="Digest",
        cadence="",
        timezone="UTC",
        mode=Mode.BROADCAST,
        created_at=now,
        slots_from=now,
        ended_at=now,
        posts_per_issue=1,
        local_time=False,
        priority=5,
    )
    session.execute(row.on_conflict_do_nothing(index_elements=["slug"]))
    return session.exec(select(Category).where(Category.slug == DIGEST).with_for_update(key_share=True)).one()


class _Maker:
    """Writes the digests of one look."""

    def __init__(
        self,
        session: Session,
        database: Database,
        make_edition: MakeEdition,
        stand_in: Category,
        streams: Mapping[str, Category],
        now: datetime,
        patience: timedelta,
    ) -> None:
        self._session = session
        self._database = database
        self._make_edition = make_edition
        self._stand_in = stand_in
        self._streams = streams
        self._now = now
        self._patience = patience

    def write(self, slot: str, baskets: Sequence[Basket], expiry: timedelta) -> list[Digest]:
        """Write what goes at one time: its issue, editions and letters."""
        priorities = {slug: category.priority for slug, category in self._streams.items()}
        letters = {basket.text: in_order(basket.kept, priorities) for basket in baskets}
        zone, due_at = moment_of(slot, letters.values(), self._now)
        issue_id, slot = self._issue(slot, due_at)
        editions: dict[tuple[tuple[int, str], ...], int] = {}
        posts = self._posts(letters.values())
        made: list[dict[str, int | str]] = []
        failed = []
        for basket in baskets:
            letter = letters[basket.text]
            shown = tuple((one.post, one.category) for one in letter)
            try:
                if shown not in editions:
                    editions[shown] = self._edition(issue_id, slot, letter, posts)
            except (ContentError, TemplateError) as error:
                shown_to = tuple(posts[one.post] for one in letter)
                failed.append(Digest(slot, zone, due_at, shown_to, basket.readers, error=error))
                if due_at + self._patience <= self._now:
                    self._give_up(basket, issue_id, slot, letter, posts)
                continue
            made.append({"basket": basket.text, "issue_id": issue_id, "edition_id": editions[shown]})
        if made:
            self._session.execute(insert(_MADE), made)
        readers = self._owe(issue_id, expiry)
        if not made:
            self._forget_if_empty(issue_id)
        gone = {basket.text for basket in baskets} & {str(row["basket"]) for row in made}
        together = in_order({one for text in gone for one in letters[text]}, priorities)
        told = tuple(posts[post] for post in dict.fromkeys(one.post for one in together))
        return [*([Digest(slot, zone, due_at, told, readers, issue_id)] if gone else []), *failed]

    def _issue(self, slot: str, due_at: datetime) -> tuple[int, str]:
        """The issue for a time, and what it is known by; one that somebody has cancelled is left alone.

        Then it is a minute beside that, on the same day.
        """
        local = datetime.fromisoformat(slot)
        step = _MINUTE if local.hour < _NOON else -_MINUTE
        while True:
            key = local.strftime(SLOT_FORMAT)
            row = self._database.insert(Issue).values(
                category_id=self._stand_in.id,
                kind=IssueKind.DIGEST,
                slot=key,
                due_at=due_at,
                state=IssueState.PLANNED,
                reason="",
                note="",
                planned_at=self._now,
                expires_at=self._now,
            )
            keys = ["category_id", "kind", "slot"]
            self._session.execute(row.on_conflict_do_nothing(index_elements=keys))
            issue = self._session.exec(
                select(Issue)
                .where(
                    Issue.category_id == self._stand_in.id, Issue.kind == IssueKind.DIGEST, Issue.slot == key
                )
                .with_for_update()
                .execution_options(populate_existing=True)
            ).one()
            if issue.state != IssueState.CANCELLED:
                return issue.id, key
            local += step

    def _posts(self, letters: Iterable[Sequence[Kept]]) -> dict[int, Post]:
        wanted = {one.post for letter in letters for one in letter}
        return {post.id: post for post in self._session.exec(select(Post).where(col(Post.id).in_(wanted)))}

    def _edition(self, issue_id: int, slot: str, letter: Sequence[Kept], posts: Mapping[int, Post]) -> int:
        shown = [posts[one.post] for one in letter]
        occasion = self._occasion(issue_id, slot, letter)
        return write_edition(self._session, self._make_edition, occasion, shown, self._now)

    def _occasion(self, issue_id: int, slot: str, letter: Sequence[Kept]) -> Occasion:
        return Occasion(
            category=DIGEST,
            title=self._stand_in.title,
            slot=datetime.fromisoformat(slot),
            issue_id=issue_id,
            sections=tuple(self._streams[one.category].title for one in letter),
        )

    def _give_up(
        self, basket: Basket, issue_id: int, slot: str, letter: Sequence[Kept], posts: Mapping[int, Post]
    ) -> None:
        """Take out the posts that cannot be shown: the rest goes at the next look."""
        broken = []
        for one in letter:
            try:
                self._make_edition(self._occasion(issue_id, slot, [one]), [posts[one.post]], self._now)
            except (ContentError, TemplateError):
                broken.append(one.post)
        ids = (
            sql_select(KEPT.c.id)
            .join(BASKETS, BASKETS.c.subscriber_id == KEPT.c.subscriber_id)
            .where(BASKETS.c.basket == basket.text, KEPT.c.post_id.in_(broken))
        )
        take_out_waiting(self._session.connection(), col(DigestPost.id).in_(ids))

    def _forget_if_empty(self, issue_id: int) -> None:
        """An issue of which no letter could be made is none."""
        has_letters = exists().where(col(Delivery.issue_id) == issue_id)
        self._session.execute(delete(Issue).where(col(Issue.id) == issue_id, ~has_letters))

    def _owe(self, issue_id: int, expiry: timedelta) -> int:
        """Write the deliveries of an issue's letters that were made; returns how many."""
        session = self._session
        before = (
            sql_select(func.count())
            .where(col(Delivery.subscriber_id) == BASKETS.c.subscriber_id, col(Delivery.issue_id) == issue_id)
            .correlate(BASKETS)
            .scalar_subquery()
        )
        # One that ended because its reader left a category, and was made anew, has another key.
        key = literal(letter_key(issue_id)) + case((before > 0, ":" + cast(before, Text)), else_="")
        owed = (
            sql_select(BASKETS.c.subscriber_id, _MADE.c.issue_id, _MADE.c.edition_id, key, BASKETS.c.due_at)
            .join(_MADE, _MADE.c.basket == BASKETS.c.basket)
            .where(_MADE.c.issue_id == issue_id)
        )
        columns = ["subscriber_id", "issue_id", "edition_id", "letter_key", "due_at"]
        session.execute(insert(_OWED).from_select(columns, owed))
        of_issue = _OWED.c.issue_id == issue_id
        rows = sql_select(
            *(_OWED.c[name] for name in columns),
            literal(DIGEST),
            literal(DeliveryState.QUEUED.value),
            literal(0),
        )
        ordered = rows.where(of_issue).order_by(_OWED.c.subscriber_id)
        session.execute(insert(Delivery).from_select([*columns, "category", "state", "attempts"], ordered))
        self._take_in(of_issue)
        count, latest = session.execute(
            sql_select(func.count(), func.max(_OWED.c.due_at)).where(of_issue)
        ).one()
        if count:
            values = {"expires_at": at_least(max(latest, self._now) + expiry), "finished_at": None}
            session.execute(update(Issue).where(col(Issue.id) == issue_id).values(**values))
        return int(count)

    def _take_in(self, of_issue: ColumnElement[bool]) -> None:
        """Note which letter the posts are in now."""
        unsynchronised = {"synchronize_session": False}
        self._session.execute(
            update(Receipt)
            .where(
                of_issue,
                KEPT.c.subscriber_id == _OWED.c.subscriber_id,
                col(Receipt.subscriber_id) == KEPT.c.subscriber_id,
                col(Receipt.post_id) == KEPT.c.post_id,
                col(Receipt.letter_key) == WAITING_KEY,
            )
            .values(letter_key=_OWED.c.letter_key)
            .execution_options(**unsynchronised)
        )
        self._session.execute(
            update(DigestPost)
            .where(
                of_issue,
                KEPT.c.subscriber_id == _OWED.c.subscriber_id,
                col(DigestPost.id) == KEPT.c.id,
            )
            .values(letter_key=_OWED.c.letter_key)
            .execution_options(**unsynchronised)
        )


def moment_of(slot: str, letters: Iterable[Sequence[Kept]], now: datetime) -> tuple[str, datetime]:
    """The zone in which digests of a slot are told, and their instant: those of posts that go then."""
    posts = (one for letter in letters for one in letter if one.slot == slot and one.ready_at <= now)
    ready_at, zone = max((one.ready_at, one.timezone) for one in posts)
    return zone, ready_at
