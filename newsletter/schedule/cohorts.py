"""Cohorts: readers of a sequence who have had the same posts, so that one choice serves them all.

To ask of each reader of a long sequence which posts they lack costs a walk along their receipts. A cohort's
readers have had exactly the posts that it names, of those in its category's queue; at a slot they all get the
same, and the cohort has had it then. Nothing is written a reader but the letter itself.

Whoever comes in otherwise has no cohort: new subscriptions, and readers whose receipts have changed outside
of the category's slots (`newsletter.receipts`). `settle` finds theirs, and puts cohorts together that have
become the same. Receipts are the truth, cohorts are what is remembered of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Set

from sqlalchemy import Column, ColumnElement, Text, delete, func, insert, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col, select

from newsletter.models import Category, Cohort, Displaced
from newsletter.schedule.choice import PostIds
from newsletter.schedule.readers import ids_in, is_active, posts_had, queue_of
from newsletter.schedule.scratch import scratch_table, scratch_tables
from newsletter.states import Mode
from subscribers.models import Key, Subscription

_SETTLING = scratch_table("settling", Column("subscription_id", Key, primary_key=True), Column("had", Text))
_PLACES = scratch_table("settling_place", Column("had", Text, primary_key=True), Column("cohort_id", Key))

_BATCH = 500
"""Readers that are displaced in one statement."""


def cohorts_of(session: Session, category: Category) -> dict[int, frozenset[int]]:
    """The posts that each cohort of a category has had, by its id."""
    found = session.exec(select(Cohort).where(col(Cohort.category_id) == category.id))
    return {cohort.id: ids_in(cohort.had) for cohort in found}


def settle(session: Session, category: Category) -> None:
    """Find the cohort of every active reader of a sequence who is in none; a broadcast has no cohorts."""
    _take_out_displaced(session)
    if category.mode == Mode.BROADCAST:
        return
    lost = is_active(category) & col(Subscription.cohort_id).is_(None)
    if session.exec(select(Subscription.id).where(lost).limit(1)).first() is not None:
        _place(session, category, lost)
    _put_together(session, category)


def _take_out_displaced(session: Session) -> None:
    """Take readers whose receipts have changed out of their cohorts, some at a time."""
    while rows := session.exec(select(Displaced).order_by(col(Displaced.id)).limit(_BATCH)).all():
        readers = {row.subscriber_id for row in rows}
        theirs = col(Subscription.subscriber_id).in_(readers) & col(Subscription.cohort_id).is_not(None)
        _lock(session, theirs)
        session.execute(update(Subscription).where(theirs).values(cohort_id=None))
        session.execute(delete(Displaced).where(col(Displaced.id).in_([row.id for row in rows])))


def _place(session: Session, category: Category, lost: ColumnElement[bool]) -> None:
    """Put readers into the cohorts that have had what they have, made where there is none."""
    _lock(session, lost)
    with scratch_tables(session, _SETTLING, _PLACES):
        had = posts_had(col(Subscription.subscriber_id), queue_of(category))
        found = sql_select(col(Subscription.id), had).where(lost)
        session.execute(insert(_SETTLING).from_select(["subscription_id", "had"], found))
        known = {posts: number for number, posts in cohorts_of(session, category).items()}
        places = []
        for (text,) in session.execute(sql_select(_SETTLING.c.had).distinct()):
            posts = ids_in(text)
            if posts not in known:
                known[posts] = _new_cohort(session, category, posts)
            places.append({"had": text, "cohort_id": known[posts]})
        if places:  # else another planner has just done it
            session.execute(insert(_PLACES), places)
            _move_in(session)


def _move_in(session: Session) -> None:
    """Take readers to the places that were found for them."""
    session.execute(
        update(Subscription)
        .where(
            col(Subscription.id) == _SETTLING.c.subscription_id,
            _SETTLING.c.had == _PLACES.c.had,
        )
        .values(cohort_id=_PLACES.c.cohort_id)
        .execution_options(synchronize_session=False)
    )


def _new_cohort(session: Session, category: Category, posts: Set[int]) -> int:
    cohort = Cohort(category_id=category.id, had=_written(posts))
    session.add(cohort)
    session.flush()
    return cohort.id


def _written(posts: Iterable[int]) -> str:
    return " ".join(map(str, sorted(posts)))


def _put_together(session: Session, category: Category) -> None:
    """Make one cohort of those that have had the same, the smaller ones joining the largest."""
    alike: dict[frozenset[int], list[int]] = defaultdict(list)
    for cohort, posts in cohorts_of(session, category).items():
        alike[posts].append(cohort)
    if all(len(cohorts) == 1 for cohorts in alike.values()):
        return
    theirs = col(Subscription.category) == category.slug
    counts = sql_select(col(Subscription.cohort_id), func.count()).where(theirs)
    sizes = {row[0]: row[1] for row in session.execute(counts.group_by(col(Subscription.cohort_id)))}
    for cohorts in alike.values():
        largest = max(cohorts, key=lambda cohort: sizes.get(cohort, 0))
        others = [cohort for cohort in cohorts if cohort != largest]
        if any(cohort in sizes for cohort in others):
            joining = theirs & col(Subscription.cohort_id).in_(others)
            _lock(session, joining)
            session.execute(update(Subscription).where(joining).values(cohort_id=largest))
        session.execute(delete(Cohort).where(col(Cohort.id).in_(others)))


def advance(session: Session, given: Mapping[int, PostIds]) -> None:
    """Note what the readers of cohorts have been given, by the cohorts' ids: all of them, and nobody else."""
    for cohort in session.exec(select(Cohort).where(col(Cohort.id).in_(list(given)))):
        cohort.had = _written(ids_in(cohort.had).union(given[cohort.id]))
    session.flush()


def disband(session: Session, category: Category) -> None:
    """Forget the cohorts of a category."""
    theirs = (col(Subscription.category) == category.slug) & col(Subscription.cohort_id).is_not(None)
    _lock(session, theirs)
    session.execute(update(Subscription).where(theirs).values(cohort_id=None))
    session.execute(delete(Cohort).where(col(Cohort.category_id) == category.id))


def _lock(session: Session, which: ColumnElement[bool]) -> None:
    """Hold subscriptions in the order of their ids, as everybody does who changes several."""
    session.flush()
    held = select(Subscription.id).where(which).order_by(col(Subscription.id)).with_for_update().subquery()
    session.execute(sql_select(func.count()).select_from(held))
