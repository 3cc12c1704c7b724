"""Digests at work: whose posts wait at a slot, and the letters that are made of what has waited.

`set_apart` asks of the readers of a slot what `newsletter.schedule.wishes` decides on, and keeps those whose
posts wait out of the slot's own letters. `write_digests` makes one letter of each reader's posts once they
are ready: an issue of its own kind for each time at which digests go, an edition for each list of posts.

Both decide once for all readers of whom the same is true. May surprise: whoever makes digests holds the row
that stands for their category, so that there is one at a time; a reader who has left since has none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from typing import Any, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    String,
    Text,
    and_,
    case,
    cast,
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
    Edition,
    EditionPost,
    Issue,
    Post,
    Receipt,
)
from newsletter.receipts import WAITING_KEY
from newsletter.render.edition import Occasion
from newsletter.schedule.choice import PostIds
from newsletter.schedule.editions import MakeEdition, write_edition
from newsletter.schedule.picker import CHOSEN, COLLECTING, letter_key, zone_of_reader
from newsletter.schedule.readers import has_a_wish, standing_of, waits_for_digest
from newsletter.schedule.scratch import scratch_table, scratch_tables
from newsletter.schedule.timetable import SLOT_FORMAT, Slot, due_for
from newsletter.schedule.wishes import (
    EVERY_ISSUE,
    Coming,
    Departure,
    Kept,
    Reader,
    Waiting,
    Wish,
    departure,
    digest_of,
    in_order,
    parse_standing,
    week_of,
    wish_of,
)
from newsletter.states import DIGEST, UNSENT, DeliveryState, IssueKind, IssueState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Key, Subscriber

_MINUTE = timedelta(minutes=1)

_PROFILES = scratch_table(
    "profile",
    Column("subscriber_id", Key, primary_key=True),
    Column("zone", String(64)),
    Column("profile", Text),
)
"""What departures follow from, of each reader of a slot who has a wish."""

_DEPARTURES = scratch_table(
    "departure",
    Column("profile", Text, primary_key=True),
    Column("zone", String(64), primary_key=True),
    Column("slot", String(16)),
    Column("ready_at", UTCDateTime),
    Column("due_at", UTCDateTime),
)
_KEPT = scratch_table(
    "kept_post",
    Column("id", Key, primary_key=True),
    Column("subscriber_id", Key, index=True),
    Column("post_id", Key),
    Column("due_at", UTCDateTime),
    Column("told", Text),
)
"""The posts of readers for whom a digest is ready, as they were when that was looked at."""

_BASKETS = scratch_table(
    "basket",
    Column("subscriber_id", Key, primary_key=True),
    Column("due_at", UTCDateTime),
    Column("basket", Text),
)
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


class Offered(NamedTuple):
    """A slot whose posts are to be given, what else is to come, and what is usual on the site."""

    slot: Slot
    next_week: Slot
    later: Sequence[Coming]
    usual: Wish


def set_apart(session: Session, category: Category, offered: Offered, groups: Sequence[int]) -> int:
    """Put those of the chosen `groups` whose posts wait for a digest into `COLLECTING`; returns how many."""
    slot, usual = offered.slot, offered.usual
    is_followed = any(other.day == slot.local.date() for other in offered.later)
    if usual.cap is None and not is_followed:
        usual = EVERY_ISSUE  # nothing is to be merged: only who wishes otherwise is looked at
    with scratch_tables(session, _PROFILES, _DEPARTURES):
        rows = (
            sql_select(CHOSEN.c.subscriber_id, zone_of_reader(), _profile(slot))
            .join(Subscriber, col(Subscriber.id) == CHOSEN.c.subscriber_id)
            .where(CHOSEN.c.group_number.in_(groups), has_a_wish(usual))
        )
        session.execute(insert(_PROFILES).from_select(["subscriber_id", "zone", "profile"], rows))
        found = session.execute(sql_select(_PROFILES.c.profile, _PROFILES.c.zone).distinct())
        goes = [
            {"profile": profile, "zone": zone, "slot": when.slot, "ready_at": when.ready_at, "due_at": due}
            for profile, zone in found.all()
            if (when := _departure(profile, category, offered)) is not None
            for due in [_due(when, zone, category, offered)]
        ]
        if not goes:
            return 0
        session.execute(insert(_DEPARTURES), goes)
        collecting = sql_select(
            _PROFILES.c.subscriber_id, _DEPARTURES.c.slot, _DEPARTURES.c.ready_at, _DEPARTURES.c.due_at
        ).join(
            _DEPARTURES,
            and_(_DEPARTURES.c.profile == _PROFILES.c.profile, _DEPARTURES.c.zone == _PROFILES.c.zone),
        )
        columns = ["subscriber_id", "slot", "ready_at", "due_at"]
        session.execute(insert(COLLECTING).from_select(columns, collecting))
    return int(session.execute(sql_select(func.count()).select_from(COLLECTING)).scalar_one())


def _profile(slot: Slot) -> ColumnElement[str]:
    """What a departure follows from, as one text: `_reader` reads it."""
    waiting = (
        sql_select(
            func.min(col(DigestPost.slot))
            + case((func.min(col(DigestPost.ready_at)) <= literal(slot.due_at, UTCDateTime()), "!"), else_="")
        )
        .where(col(DigestPost.subscriber_id) == col(Subscriber.id), waits_for_digest())
        .correlate(Subscriber)
        .scalar_subquery()
    )
    return (
        told_wish()
        + "|"
        + standing_of(col(Subscriber.id))
        + "|"
        + cast(_letters_in_week(slot.local.date()), Text)
        + "|"
        + func.coalesce(waiting, "")
    )


def told_wish() -> ColumnElement[str]:
    """A subscriber's own wish, as `parse_wish` reads it."""
    cap = func.coalesce(cast(col(Subscriber.weekly_cap), Text), "")
    return func.coalesce(col(Subscriber.frequency), "") + ":" + cap


def parse_wish(told: str, usual: Wish) -> Wish:
    """What a reader wishes; `usual` is what they have who wish nothing."""
    frequency, _, cap = told.partition(":")
    return wish_of(frequency or None, int(cap) if cap else None, usual)


def _letters_in_week(day: date) -> ColumnElement[int]:
    """How many letters of slots a subscriber has in the week of a day."""
    monday, next_monday = week_of(day)
    found = _letters(func.count(), monday).where(col(Issue.slot) < next_monday.isoformat())
    return func.coalesce(found.scalar_subquery(), 0)


def days_of_letters(since: date) -> ColumnElement[str]:
    """The local days of a subscriber's letters of slots from a day on, with spaces between."""
    days = func.aggregate_strings(func.substr(col(Issue.slot), 1, 10), " ")
    return func.coalesce(_letters(days, since).scalar_subquery(), "")


def _letters(what: ColumnElement[Any], since: date) -> Select[Any]:
    """What is asked of a subscriber's letters of slots from a local day on."""
    return (
        sql_select(what)
        .join_from(Delivery, Issue, col(Issue.id) == col(Delivery.issue_id))
        .where(
            col(Delivery.subscriber_id) == col(Subscriber.id),
            col(Delivery.state).not_in(UNSENT),
            col(Issue.kind).in_([IssueKind.SLOT, IssueKind.DIGEST]),
            col(Issue.slot) >= since.isoformat(),
        )
        .correlate(Subscriber)
    )


def posts_kept() -> ColumnElement[str]:
    """The posts that wait for a subscriber's digest, as `parse_kept` reads them, with semicolons between."""
    found = (
        sql_select(func.aggregate_strings(_told(), ";"))
        .join_from(DigestPost, Issue, col(Issue.id) == col(DigestPost.issue_id))
        .where(col(DigestPost.subscriber_id) == col(Subscriber.id), waits_for_digest())
        .correlate(Subscriber)
        .scalar_subquery()
    )
    return func.coalesce(found, "")


def _told() -> ColumnElement[str]:
    """A post that waits and its slot's issue as one text."""
    columns = (
        col(DigestPost.slot), col(DigestPost.ready_at), col(DigestPost.category), col(Issue.slot),
        col(DigestPost.place), col(DigestPost.post_id),
    )  # fmt: skip
    words: list[ColumnElement[str]] = [cast(column, Text) for column in columns]
    return reduce(lambda text, word: text + "," + word, words)


def _departure(profile: str, category: Category, offered: Offered) -> Departure | None:
    told, standing, letters, first = profile.split("|")
    waiting = Waiting(date.fromisoformat(first[:10]), first.endswith("!")) if first else None
    reader = Reader(parse_wish(told, offered.usual), parse_standing(standing), int(letters), waiting)
    slot, next_week = offered.slot, offered.next_week
    coming = Coming(slot.due_at, category.slug, slot.key, category.priority)
    return departure(reader, coming, offered.later, Departure(next_week.key, next_week.due_at))


def _due(when: Departure, zone: str, category: Category, offered: Offered) -> datetime:
    """When a letter is due for a reader in a zone, as far as this slot's posts are concerned."""
    own = offered.next_week if when.slot == offered.next_week.key else offered.slot
    return max(when.ready_at, due_for(own, category, zone))


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


@dataclass(frozen=True, slots=True)
class _Basket:
    """What waits for some readers, of whom one stands for all."""

    text: str
    kept: tuple[Kept, ...]
    readers: int


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
) -> list[Digest]:
    """Make letters of what is ready `now`; `later` are the slots that are still to be decided.

    A digest whose posts cannot be shown is reported with its error, and stays ready.
    """
    stand_in = _stand_in(session, database, now)
    take_out_waiting(session.connection(), (col(DigestPost.ready_at) <= now) & ~is_subscribed())
    with scratch_tables(session, _KEPT, _BASKETS, _MADE, _OWED):
        going = _look(session, later, usual, now)
        streams = {category.slug: category for category in session.exec(select(Category))}
        done = []
        for slot in sorted(going):
            maker = _Maker(session, database, make_edition, stand_in, streams, now)
            done += maker.write(slot, going[slot], expiry)
    return done


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


def _look(session: Session, later: Sequence[Coming], usual: Wish, now: datetime) -> dict[str, list[_Basket]]:
    """What goes, by its slot; what has to wait longer is told so."""
    _fill(session, now)
    counts = sql_select(_BASKETS.c.basket, func.count()).group_by(_BASKETS.c.basket)
    going: dict[str, list[_Basket]] = defaultdict(list)
    for text, readers in session.execute(counts).all():
        reader, kept = _parse(text, usual)
        slot, waits_for = digest_of(reader, kept, later, now)
        if waits_for is None:
            going[slot].append(_Basket(text, kept, readers))
        else:
            _put_off(session, text, waits_for, now)
    return going


def _fill(session: Session, now: datetime) -> None:
    ready = sql_select(col(DigestPost.subscriber_id)).where(
        col(DigestPost.ready_at) <= now, waits_for_digest()
    )
    theirs = and_(waits_for_digest(), col(DigestPost.subscriber_id).in_(ready))
    held = sql_select(col(DigestPost.id)).where(theirs).order_by(col(DigestPost.id)).with_for_update()
    session.execute(sql_select(func.count()).select_from(held.subquery()))
    # What is taken along before its time has no say in when the letter is due.
    due_at = case((col(DigestPost.ready_at) <= now, col(DigestPost.due_at)))
    rows = (
        sql_select(*map(col, (DigestPost.id, DigestPost.subscriber_id, DigestPost.post_id)), due_at, _told())
        .join(Issue, col(Issue.id) == col(DigestPost.issue_id))
        .where(theirs)
    )  # fmt: skip
    session.execute(insert(_KEPT).from_select(["id", "subscriber_id", "post_id", "due_at", "told"], rows))
    posts = (
        sql_select(
            _KEPT.c.subscriber_id,
            func.max(_KEPT.c.due_at).label("due_at"),
            func.aggregate_strings(_KEPT.c.told, ";").label("posts"),
        )
        .group_by(_KEPT.c.subscriber_id)
        .subquery()
    )
    basket = told_wish() + "|" + standing_of(col(Subscriber.id)) + "|" + posts.c.posts
    baskets = sql_select(posts.c.subscriber_id, posts.c.due_at, basket).join(
        Subscriber, col(Subscriber.id) == posts.c.subscriber_id
    )
    session.execute(insert(_BASKETS).from_select(["subscriber_id", "due_at", "basket"], baskets))


def _parse(text: str, usual: Wish) -> tuple[Reader, tuple[Kept, ...]]:
    told, standing, posts = text.split("|")
    reader = Reader(parse_wish(told, usual), parse_standing(standing))
    return reader, tuple(map(parse_kept, posts.split(";")))


def parse_kept(text: str) -> Kept:
    """A post that waits, as statements tell it."""
    slot, ready_at, category, given, place, post = text.split(",")
    instant = datetime.fromisoformat(ready_at)
    # SQLite has no zones, and PostgreSQL says its own.
    instant = instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    return Kept(slot, instant, category, given, int(place), int(post))


def _put_off(session: Session, basket: str, until: Coming, now: datetime) -> None:
    """Have posts wait for a slot that has come up meanwhile."""
    if until.due_at <= now:
        return  # it is being decided
    theirs = sql_select(_KEPT.c.id).join(_BASKETS, _BASKETS.c.subscriber_id == _KEPT.c.subscriber_id)
    session.execute(
        update(DigestPost)
        .where(
            col(DigestPost.id).in_(theirs.where(_BASKETS.c.basket == basket)), col(DigestPost.ready_at) <= now
        )
        .values(slot=until.key, ready_at=until.due_at)
        .execution_options(synchronize_session=False)
    )


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
    ) -> None:
        self._session = session
        self._database = database
        self._make_edition = make_edition
        self._stand_in = stand_in
        self._streams = streams
        self._now = now

    def write(self, slot: str, baskets: Sequence[_Basket], expiry: timedelta) -> list[Digest]:
        """Write what goes at one time: its issue, editions and letters."""
        priorities = {slug: category.priority for slug, category in self._streams.items()}
        letters = {basket.text: in_order(basket.kept, priorities) for basket in baskets}
        zone, due_at = moment_of(slot, letters.values(), self._streams)
        issue_id = self._issue(slot, due_at)
        editions, posts = self._known(issue_id), self._posts(letters.values())
        made: list[dict[str, int | str]] = []
        failed = []
        for basket in baskets:
            letter = letters[basket.text]
            shown = tuple(one.post for one in letter)
            try:
                if shown not in editions:
                    editions[shown] = self._edition(issue_id, slot, letter, posts)
            except (ContentError, TemplateError) as error:
                told = tuple(posts[post] for post in shown)
                failed.append(Digest(slot, zone, due_at, told, basket.readers, error=error))
                continue
            made.append({"basket": basket.text, "issue_id": issue_id, "edition_id": editions[shown]})
        if made:
            self._session.execute(insert(_MADE), made)
        readers = self._owe(issue_id, expiry)
        gone = {basket.text for basket in baskets} & {str(row["basket"]) for row in made}
        together = in_order({one for text in gone for one in letters[text]}, priorities)
        told = tuple(posts[post] for post in dict.fromkeys(one.post for one in together))
        return [*([Digest(slot, zone, due_at, told, readers, issue_id)] if gone else []), *failed]

    def _issue(self, slot: str, due_at: datetime) -> int:
        """The issue for a time, made where there is none; one that somebody has cancelled is left alone."""
        local = datetime.fromisoformat(slot)
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
                return issue.id
            local += _MINUTE

    def _known(self, issue_id: int) -> dict[PostIds, int]:
        """The editions that an issue has already, by their posts."""
        rows = self._session.exec(
            select(EditionPost.edition_id, EditionPost.post_id)
            .join(Edition, col(Edition.id) == col(EditionPost.edition_id))
            .where(Edition.issue_id == issue_id)
            .order_by(col(EditionPost.edition_id), col(EditionPost.place))
        )
        found: dict[int, PostIds] = defaultdict(tuple)
        for edition, post in rows:
            found[edition] = (*found[edition], post)
        return {posts: edition for edition, posts in found.items()}

    def _posts(self, letters: Iterable[Sequence[Kept]]) -> dict[int, Post]:
        wanted = {one.post for letter in letters for one in letter}
        return {post.id: post for post in self._session.exec(select(Post).where(col(Post.id).in_(wanted)))}

    def _edition(self, issue_id: int, slot: str, letter: Sequence[Kept], posts: Mapping[int, Post]) -> int:
        occasion = Occasion(
            category=DIGEST,
            title=self._stand_in.title,
            slot=datetime.fromisoformat(slot),
            issue_id=issue_id,
            sections=tuple(self._streams[one.category].title for one in letter),
        )
        shown = [posts[one.post] for one in letter]
        return write_edition(self._session, self._make_edition, occasion, shown, self._now)

    def _owe(self, issue_id: int, expiry: timedelta) -> int:
        """Write the deliveries of an issue's letters that were made; returns how many."""
        session = self._session
        before = (
            sql_select(func.count())
            .where(
                col(Delivery.subscriber_id) == _BASKETS.c.subscriber_id, col(Delivery.issue_id) == issue_id
            )
            .correlate(_BASKETS)
            .scalar_subquery()
        )
        # One that ended because its reader left a category, and was made anew, has another key.
        key = literal(letter_key(issue_id)) + case((before > 0, ":" + cast(before, Text)), else_="")
        owed = (
            sql_select(_BASKETS.c.subscriber_id, _MADE.c.issue_id, _MADE.c.edition_id, key, _BASKETS.c.due_at)
            .join(_MADE, _MADE.c.basket == _BASKETS.c.basket)
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
                _KEPT.c.subscriber_id == _OWED.c.subscriber_id,
                col(Receipt.subscriber_id) == _KEPT.c.subscriber_id,
                col(Receipt.post_id) == _KEPT.c.post_id,
                col(Receipt.letter_key) == WAITING_KEY,
            )
            .values(letter_key=_OWED.c.letter_key)
            .execution_options(**unsynchronised)
        )
        self._session.execute(
            update(DigestPost)
            .where(
                of_issue,
                _KEPT.c.subscriber_id == _OWED.c.subscriber_id,
                col(DigestPost.id) == _KEPT.c.id,
            )
            .values(letter_key=_OWED.c.letter_key)
            .execution_options(**unsynchronised)
        )


def moment_of(
    slot: str, letters: Iterable[Sequence[Kept]], streams: Mapping[str, Category]
) -> tuple[str, datetime]:
    """The zone in which digests of a slot are told, and their instant: those of posts that go then."""
    then = [one for letter in letters for one in letter if one.slot == slot]
    return streams[min(one.category for one in then)].timezone, max(one.ready_at for one in then)
