"""Whose posts wait for a digest, and until when: asked of the readers of a slot who have a wish.

What `newsletter.schedule.wishes` decides on is told by one statement, decided once for all readers of whom
the same is true, and kept in a table for `newsletter.schedule.picker`, which gives these readers their posts
and no letter.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from sqlalchemy import Column, ColumnElement, String, Text, and_, cast, func, insert, literal
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from newsletter.models import Category, DigestPost
from newsletter.schedule.picker import CHOSEN, COLLECTING, zone_of_reader
from newsletter.schedule.readers import has_a_wish, standing_of, waits_for_digest
from newsletter.schedule.scratch import scratch_table, scratch_tables
from newsletter.schedule.telling import days_of_letters, parse_instant, parse_wish, told_wish
from newsletter.schedule.timetable import Slot, Timetable, by_clock
from newsletter.schedule.wishes import (
    EVERY_ISSUE,
    Coming,
    Departure,
    Reader,
    Waiting,
    Wish,
    departure,
    is_in_period,
    parse_standing,
    week_of,
)
from subscribers.base import UTCDateTime
from subscribers.models import Key, Subscriber

_PROFILES = scratch_table(
    "profile",
    Column("subscriber_id", Key, primary_key=True),
    Column("zone", String(64)),
    Column("profile", Text),
)
"""What departures follow from, of each reader of a slot who has a wish."""

_WHEN = ("slot", "timezone", "ready_at", "due_at")

_DEPARTURES = scratch_table(
    "departure",
    Column("profile", Text, primary_key=True),
    Column("zone", String(64), primary_key=True),
    Column("slot", String(16)),
    Column("timezone", String(64)),
    Column("ready_at", UTCDateTime),
    Column("due_at", UTCDateTime),
)


class Offered(NamedTuple):
    """A slot whose posts are to be given, what else is to come, and what is usual on the site."""

    slot: Slot
    days: Sequence[Departure]
    later: Sequence[Coming]
    usual: Wish


def coming_of(category: Category, slot: Slot) -> Coming:
    """A slot of a category as readers' wishes look at it."""
    zone, local_time = category.timezone, category.local_time
    return Coming(slot.due_at, category.slug, slot.key, category.priority, zone, local_time)


def departures_of(category: Category, timetable: Timetable, slot: Slot) -> list[Departure]:
    """When posts of a slot may go that have no place in its week."""
    zone, local_time = category.timezone, category.local_time
    days = timetable.days_after_week(slot)
    return [Departure(moment.key, moment.due_at, zone, local_time) for moment in days]


def set_apart(session: Session, category: Category, offered: Offered, groups: Sequence[int]) -> int:
    """Put those of the chosen `groups` whose posts wait for a digest into `COLLECTING`; returns how many."""
    slot, usual = offered.slot, offered.usual
    day = slot.local.date()
    is_followed = any(is_in_period(usual.frequency, day, other.day) for other in offered.later)
    if usual.cap is None and not is_followed:
        usual = EVERY_ISSUE  # nothing is to be merged: only who wishes otherwise is looked at
    has_clocks = category.local_time or any(other.local_time for other in offered.later)
    zone = zone_of_reader() if has_clocks else literal("")
    with scratch_tables(session, _PROFILES, _DEPARTURES):
        rows = (
            sql_select(CHOSEN.c.subscriber_id, zone, _profile(slot, offered.usual))
            .join(Subscriber, col(Subscriber.id) == CHOSEN.c.subscriber_id)
            .where(CHOSEN.c.group_number.in_(groups), has_a_wish(usual))
        )
        session.execute(insert(_PROFILES).from_select(["subscriber_id", "zone", "profile"], rows))
        found = session.execute(sql_select(_PROFILES.c.profile, _PROFILES.c.zone).distinct())
        goes = [
            {
                "profile": profile,
                "zone": zone,
                "slot": when.slot,
                "timezone": when.timezone,
                "ready_at": when.ready_at,
                "due_at": _due(when, zone),
            }
            for profile, zone in found.all()
            if (when := _departure(profile, category, offered)) is not None
        ]
        if not goes:
            return 0
        session.execute(insert(_DEPARTURES), goes)
        collecting = sql_select(_PROFILES.c.subscriber_id, *(_DEPARTURES.c[name] for name in _WHEN)).join(
            _DEPARTURES,
            and_(_DEPARTURES.c.profile == _PROFILES.c.profile, _DEPARTURES.c.zone == _PROFILES.c.zone),
        )
        session.execute(insert(COLLECTING).from_select(["subscriber_id", *_WHEN], collecting))
    return int(session.execute(sql_select(func.count()).select_from(COLLECTING)).scalar_one())


def _profile(slot: Slot, usual: Wish) -> ColumnElement[str]:
    """What a departure follows from, as one text: `_departure` reads it."""
    monday, _ = week_of(slot.local.date())
    first = func.min(cast(col(DigestPost.ready_at), Text) + "," + col(DigestPost.slot))
    waiting = (
        sql_select(first)
        .where(col(DigestPost.subscriber_id) == col(Subscriber.id), waits_for_digest())
        .correlate(Subscriber)
        .scalar_subquery()
    )
    return (
        told_wish()
        + "|"
        + standing_of(col(Subscriber.id))
        + "|"
        + days_of_letters(monday, usual)
        + "|"
        + func.coalesce(waiting, "")
    )


def _departure(profile: str, category: Category, offered: Offered) -> Departure | None:
    told, standing, letters, first = profile.split("|")
    slot, waiting = offered.slot, None
    if first:
        ready_at, _, when = first.partition(",")
        waiting = Waiting(date.fromisoformat(when[:10]), parse_instant(ready_at) <= slot.due_at)
    days = tuple(sorted(map(date.fromisoformat, letters.split())))
    reader = Reader(parse_wish(told, offered.usual), parse_standing(standing), days, waiting)
    return departure(reader, coming_of(category, slot), offered.later, offered.days)


def _due(when: Departure, zone: str) -> datetime:
    """When a letter is due for a reader in a zone."""
    if not when.local_time:
        return when.ready_at
    return by_clock(datetime.fromisoformat(when.slot), zone, when.timezone)
