"""Who gets which posts at a slot: set-based statements, so that the cost grows with the rows written.

`choose` puts the readers into a table, each with the group of those who have had the same; what the letter
of a group holds is decided outside (`newsletter.schedule.choice`); `give` writes receipts and deliveries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Integer, String, case, exists, func, insert, literal
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.database import Database
from newsletter.models import Category, Delivery, DigestPost, EditionPost, QueueEntry, Receipt
from newsletter.receipts import WAITING_KEY, displace
from newsletter.schedule.choice import PostIds
from newsletter.schedule.cohorts import cohorts_of
from newsletter.schedule.readers import Rows, is_active
from newsletter.schedule.scratch import scratch_table
from newsletter.states import DeliveryState, Mode
from subscribers.base import UTCDateTime
from subscribers.models import Key, Subscriber, Subscription

CHOSEN = scratch_table("chosen", Column("subscriber_id", Key, primary_key=True), Column("group_number", Key))
"""The readers of a slot, each with their group: so that all statements see the same ones."""

_LETTERS = scratch_table(
    "chosen_letter", Column("group_number", Key, primary_key=True), Column("edition_id", Key)
)
_LETTER_POSTS = scratch_table(
    "chosen_post",
    Column("group_number", Key, primary_key=True),
    Column("post_id", Key, primary_key=True),
    Column("place", Integer),
)
_ZONES = scratch_table(
    "chosen_zone", Column("zone", String(64), primary_key=True), Column("due_at", UTCDateTime)
)
COLLECTING = scratch_table(
    "collecting",
    Column("subscriber_id", Key, primary_key=True),
    Column("slot", String(16)),
    Column("timezone", String(64)),
    Column("ready_at", UTCDateTime),
    Column("due_at", UTCDateTime),
)
"""Those of the chosen whose posts wait for a digest, and when that goes (see `DigestPost`)."""

SCRATCH = (CHOSEN, _LETTERS, _LETTER_POSTS, _ZONES, COLLECTING)


@dataclass(frozen=True, slots=True)
class Group:
    """Readers who have had the same of what is on offer: in a sequence, those of one cohort."""

    number: int
    had: frozenset[int]
    readers: int


class MovedError(Exception):
    """A queue or a receipt changed between the choice and the writing: undo the transaction, choose again."""


def letter_key(issue_id: int) -> str:
    """What makes an issue's letter one, whoever gets it."""
    return f"issue:{issue_id}"


def choose(session: Session, category: Category, offer: PostIds) -> list[Group]:
    """Put the active readers into `CHOSEN`, and say what groups they are.

    Those of a sequence who are in no cohort are left for the next slot: see `cohorts.settle`.
    """
    went_out = _have_gone_out(session, offer) if category.mode == Mode.BROADCAST else []
    number = _number_of_had(went_out) if category.mode == Mode.BROADCAST else col(Subscription.cohort_id)
    rows = sql_select(col(Subscription.subscriber_id), number).where(is_active(category))
    if category.mode == Mode.SEQUENCE:
        rows = rows.where(col(Subscription.cohort_id).is_not(None))
    session.execute(insert(CHOSEN).from_select(["subscriber_id", "group_number"], rows))
    counts = sql_select(CHOSEN.c.group_number, func.count().label("readers")).group_by(CHOSEN.c.group_number)
    sizes = {row.group_number: row.readers for row in session.execute(counts)}
    if category.mode == Mode.SEQUENCE:
        had = cohorts_of(session, category)
    else:
        had = {number: _posts_of_number(number, went_out) for number in sizes}
    return [Group(number, had[number], readers) for number, readers in sorted(sizes.items())]


def _have_gone_out(session: Session, posts: PostIds) -> list[int]:
    """Those of these posts that anybody can have had."""
    found = select(EditionPost.post_id).where(col(EditionPost.post_id).in_(posts))
    return list(session.exec(found.distinct()))


def _number_of_had(posts: Sequence[int]) -> ColumnElement[int]:
    """A number whose bits say which of these posts a subscription's reader has had."""
    number: ColumnElement[int] = literal(0, Key)
    for place, post in enumerate(posts):
        had = exists().where(
            col(Receipt.subscriber_id) == col(Subscription.subscriber_id), col(Receipt.post_id) == post
        )
        number = number + case((had.correlate(Subscription), 1 << place), else_=0)
    return number


def _posts_of_number(number: int, posts: Sequence[int]) -> frozenset[int]:
    return frozenset(post for place, post in enumerate(posts) if number >> place & 1)


@dataclass(frozen=True, slots=True)
class GroupLetter:
    """What one group is given: the posts, and the edition that shows them."""

    posts: PostIds
    edition_id: int


def give(
    session: Session,
    database: Database,
    category: Category,
    letters: Mapping[Group, GroupLetter],
    *,
    issue_id: int,
    due: Callable[[str], datetime],
) -> None:
    """Write receipts and deliveries for the groups that get a letter.

    `due` says when a letter is due in a zone, "" being one that is not known.
    Whoever is in `COLLECTING` has no delivery: their posts wait for a digest. Raises MovedError if somebody
    has been given one of these posts meanwhile. Receipts come in the order of subscribers: two planners then
    wait for each other in one direction only.
    """
    if not letters:
        return
    editions = [
        {"group_number": group.number, "edition_id": letter.edition_id} for group, letter in letters.items()
    ]
    session.execute(insert(_LETTERS), editions)
    posts = [
        {"group_number": group.number, "post_id": post, "place": place}
        for group, letter in letters.items()
        for place, post in enumerate(letter.posts)
    ]
    session.execute(insert(_LETTER_POSTS), posts)
    wanted = sum(group.readers * len(letter.posts) for group, letter in letters.items())
    if _write_receipts(session, database, letter_key(issue_id)) != wanted:
        raise MovedError
    _write_deliveries(session, category, issue_id, due)
    _collect(session, category, issue_id)
    _displace_elsewhere(session, category)


def give_to(
    session: Session,
    database: Database,
    category: Category,
    readers: Rows,
    letter: GroupLetter,
    *,
    issue_id: int,
    now: datetime,
) -> int:
    """Give one letter to all whom `readers` selects by their ids, due at once; returns how many they are.

    Raises MovedError.
    """
    chosen = readers.add_columns(literal(0))
    session.execute(insert(CHOSEN).from_select(["subscriber_id", "group_number"], chosen))
    count = session.execute(sql_select(func.count()).select_from(CHOSEN)).scalar_one()
    everybody = Group(0, frozenset(), count)
    give(session, database, category, {everybody: letter}, issue_id=issue_id, due=lambda _: now)
    return everybody.readers


def _write_receipts(session: Session, database: Database, key: str) -> int:
    waits = COLLECTING.c.subscriber_id.is_not(None)
    rows = (
        sql_select(CHOSEN.c.subscriber_id, _LETTER_POSTS.c.post_id, case((waits, WAITING_KEY), else_=key))
        .join_from(CHOSEN, _LETTER_POSTS, CHOSEN.c.group_number == _LETTER_POSTS.c.group_number)
        .join(COLLECTING, COLLECTING.c.subscriber_id == CHOSEN.c.subscriber_id, isouter=True)
        .order_by(CHOSEN.c.subscriber_id, _LETTER_POSTS.c.post_id)
    )
    written = session.execute(
        database.insert(Receipt)
        .from_select(["subscriber_id", "post_id", "letter_key"], rows)
        .on_conflict_do_nothing(),
        execution_options={
            "preserve_rowcount": True
        },  # the number of an INSERT's rows is kept on request only
    )
    return int(written.rowcount)  # type: ignore[attr-defined]  # a CursorResult, as for every INSERT


def _write_deliveries(
    session: Session, category: Category, issue_id: int, due: Callable[[str], datetime]
) -> None:
    due_at: ColumnElement[Any] = literal(due(""), UTCDateTime())
    if category.local_time:
        _find_zones(session, due)
        due_at = _ZONES.c.due_at
    owed = (
        sql_select(
            CHOSEN.c.subscriber_id,
            literal(issue_id).label("issue_id"),
            _LETTERS.c.edition_id,
            literal(category.slug).label("category"),
            literal(letter_key(issue_id)).label("letter_key"),
            literal(DeliveryState.QUEUED.value).label("state"),
            due_at.label("due_at"),
            literal(0).label("attempts"),
        )
        .join_from(CHOSEN, _LETTERS, CHOSEN.c.group_number == _LETTERS.c.group_number)
        .where(~exists().where(COLLECTING.c.subscriber_id == CHOSEN.c.subscriber_id))
        .order_by(CHOSEN.c.subscriber_id)
    )
    if category.local_time:
        owed = owed.join(Subscriber, col(Subscriber.id) == CHOSEN.c.subscriber_id).join(
            _ZONES, _ZONES.c.zone == zone_of_reader()
        )
    columns = [str(column.key) for column in owed.selected_columns]
    session.execute(insert(Delivery).from_select(columns, owed))


def _collect(session: Session, category: Category, issue_id: int) -> None:
    """Have the posts of those who wait for a digest wait for it."""
    posts = (
        sql_select(
            CHOSEN.c.subscriber_id,
            _LETTER_POSTS.c.post_id,
            literal(issue_id).label("issue_id"),
            literal(category.slug).label("category"),
            _LETTER_POSTS.c.place,
            COLLECTING.c.slot,
            COLLECTING.c.timezone,
            COLLECTING.c.ready_at,
            COLLECTING.c.due_at,
        )
        .join_from(CHOSEN, COLLECTING, COLLECTING.c.subscriber_id == CHOSEN.c.subscriber_id)
        .join(_LETTER_POSTS, _LETTER_POSTS.c.group_number == CHOSEN.c.group_number)
        .order_by(CHOSEN.c.subscriber_id, _LETTER_POSTS.c.place)
    )
    columns = [str(column.key) for column in posts.selected_columns]
    session.execute(insert(DigestPost).from_select(columns, posts))


def zone_of_reader() -> ColumnElement[str]:
    """Where a subscriber lives, "" where that is not known."""
    return func.coalesce(col(Subscriber.timezone), "")


def _find_zones(session: Session, due: Callable[[str], datetime]) -> None:
    """When letters are due in each zone that one of the chosen readers lives in."""
    zones = sql_select(zone_of_reader()).join(CHOSEN, CHOSEN.c.subscriber_id == col(Subscriber.id))
    dues = [{"zone": zone, "due_at": due(zone)} for (zone,) in session.execute(zones.distinct())]
    if dues:
        session.execute(insert(_ZONES), dues)


def _displace_elsewhere(session: Session, category: Category) -> None:
    """Have the cohorts of other sequences found anew for readers who have got a post of theirs here."""
    shared = (
        sql_select(_LETTER_POSTS.c.group_number)
        .join(QueueEntry, col(QueueEntry.post_id) == _LETTER_POSTS.c.post_id)
        .join(Category, col(Category.id) == col(QueueEntry.category_id))
        .where(col(Category.id) != category.id, col(Category.mode) == Mode.SEQUENCE)
    )
    if session.execute(shared.limit(1)).first() is not None:
        readers = sql_select(CHOSEN.c.subscriber_id).where(CHOSEN.c.group_number.in_(shared))
        displace(session.connection(), readers)
