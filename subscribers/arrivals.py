"""The one way a subscription begins: for one person, or for thousands in a few statements, with the evidence.

Whoever has a standing order about them stays out, and whoever has left stays out unless it was asked for that
one person (`renew`). A subscription that goes on is never ended, nor made less, by an arrival.

People come one after the other: what somebody's second row finds is what their first one left, in the same
call as in a later one. So it makes no difference where a file is cut into batches.

May surprise: locks are taken in one order, whoever arrives, leaves or is suppressed meanwhile. New people's
keys, in the order of the keys; then those who were known, by number; then their subscriptions, by number; the
end of the consents' chain last (see `newsletter.database`).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Date, Executable, String, delete, null, update
from sqlalchemy import select as sql_select
from sqlmodel import Session, col

from subscribers.address import Address
from subscribers.base import UTCDateTime
from subscribers.consent import Evidence, record_many
from subscribers.models import LIVE, ConsentAction, Subscriber, Subscription, SubscriptionState
from subscribers.ports import Bulk, bulk_of
from subscribers.suppression import Suppressions


class Joined(StrEnum):
    """What came of a request to join."""

    ADDED = "added"
    ALREADY = "already"
    RENEWED = "renewed"
    REFUSED_LEFT = "left"
    """They left before, and nobody asked for this one person to come back."""
    SUPPRESSED = "suppressed"
    """There is a standing order not to write to them."""
    DIFFERS = "differs"
    """They are said to have left, or to pause, and have letters here: that goes on."""


class Tie(NamedTuple):
    """What somebody is to be to one category, and the evidence of it."""

    category: str
    state: SubscriptionState
    """LEFT for those whom no later file is to bring back, SUPPRESSED for those who are to have an order."""
    source: str
    evidence: str = ""
    details: str | None = None
    """As `Consent.details`."""
    since: datetime | None = None
    """When one that is new came into that state; None for now."""
    until: date | None = None
    """Of a paused one: the day from which they have letters again."""


class Arrival(NamedTuple):
    """Somebody who arrives. What is said of them is learnt where it is not known."""

    address: Address
    ties: tuple[Tie, ...]
    name: str | None = None
    timezone: str | None = None
    frequency: str | None = None
    weekly_cap: int | None = None
    created_at: datetime | None = None
    """Since when somebody new is a reader; None for now."""
    has_order: bool = False
    """Whether there is to be an order about them; then letters are sent for none of their ties."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came of arrivals: for each, and each of its ties, in their order."""

    answers: list[tuple[Joined, ...]]
    new: frozenset[str]
    """The keys of those who had not been known."""


@dataclass(slots=True)
class _Reader:
    """Somebody who is here."""

    id: int
    known: tuple[Any, ...] = ()
    """Their name, zone, frequency and cap, of somebody who was known."""
    is_new: bool = False


@dataclass(slots=True)
class _Standing:
    """A subscription, as it is and as it comes to be."""

    id: int | None
    state: str
    since: datetime | None = None
    until: date | None = None
    is_changed: bool = False


_Standings = dict[tuple[int, str], _Standing]

_SUBSCRIBER = ("id", "address", "address_key", "name", "created_at", "timezone", "frequency", "weekly_cap")
_OVER = (SubscriptionState.LEFT, SubscriptionState.SUPPRESSED)
_ACTIONS = {
    SubscriptionState.ACTIVE: ConsentAction.GRANTED,
    SubscriptionState.PAUSED: ConsentAction.GRANTED,
    SubscriptionState.PENDING: ConsentAction.REQUESTED,
    SubscriptionState.SUPPRESSED: ConsentAction.GRANTED,
    SubscriptionState.LEFT: ConsentAction.WITHDRAWN,
}


def take_in(
    session: Session,
    arrivals: Sequence[Arrival],
    suppressions: Suppressions,
    *,
    renew: bool,
    now: datetime,
) -> Arrived:
    """Let people in, in the caller's transaction. Somebody who is named twice is known the second time."""
    session.flush()
    bulk = bulk_of(session)
    readers = _hold(session, bulk, arrivals, now)
    # Looked at only now: an order that is given at this very moment has been waited for.
    refused = suppressions.among(session, [arrival.address for arrival in arrivals])
    if refused:
        _give_back(session, bulk, [readers[key].id for key in refused if readers[key].is_new])
    known = {key: reader for key, reader in readers.items() if not reader.is_new}
    _learn(session, bulk, arrivals, known)
    standings = _standings(session, bulk, arrivals, known.values(), is_held=True)
    answers, evidence = _settle(arrivals, readers, refused, standings, renew=renew)
    _write(session, bulk, standings, now)
    record_many(session, evidence, now)
    _read_anew(session)
    new = frozenset(key for key, reader in readers.items() if reader.is_new and key not in refused)
    return Arrived(answers, new)


def foresee(session: Session, arrivals: Sequence[Arrival], suppressions: Suppressions) -> Arrived:
    """What would come of letting people in who do not ask for it themselves. Nothing is held or changed."""
    bulk = bulk_of(session)
    keys = {arrival.address.key for arrival in arrivals if arrival.ties}
    readers = _found(session, bulk, keys, is_held=False)
    standings = _standings(session, bulk, arrivals, readers.values(), is_held=False)
    new = keys - readers.keys()
    readers |= {key: _Reader(-number, is_new=True) for number, key in enumerate(new, start=1)}
    refused = suppressions.among(session, [arrival.address for arrival in arrivals])
    answers, _ = _settle(arrivals, readers, refused, standings, renew=False)
    return Arrived(answers, frozenset(new - refused))


def known_among(session: Session, keys: Collection[str]) -> set[str]:
    """Which of these people are here, in whatever way."""
    return set(_found(session, bulk_of(session), keys, is_held=False))


def _hold(session: Session, bulk: Bulk, arrivals: Sequence[Arrival], now: datetime) -> dict[str, _Reader]:
    """The rows of all who arrive, made where there are none, by address key."""
    connection = session.connection()
    people = _people(arrivals)
    if not people:
        return {}
    # Whoever is added by somebody else at this very moment is waited for. Where they are gone again then, as
    # who is erased is, or an address that was only taken for a moment, it begins anew, with nobody held: keys
    # come before rows.
    while True:
        with session.begin_nested() as attempt:
            numbers = bulk.numbers(connection, Subscriber, len(people))
            made = {key: _Reader(number, is_new=True) for key, number in zip(people, numbers, strict=True)}
            added = _add(connection, bulk, [(made[key].id, people[key]) for key in sorted(people)], now)
            readers = made if added == len(made) else _of_whom_not_all_were_new(session, bulk, made, added)
            if len(readers) == len(people):
                return readers
            attempt.rollback()


def _of_whom_not_all_were_new(
    session: Session, bulk: Bulk, made: Mapping[str, _Reader], added: int
) -> dict[str, _Reader]:
    """Those who are here, after rows were made of whoever was not: as a rule all but a few are new."""
    ours = sorted(reader.id for reader in made.values())
    if ours[-1] - ours[0] == len(ours) - 1:  # nobody else was given a number between them
        known = _found(session, bulk, made.keys(), is_held=True, outside=(ours[0], ours[-1]))
        if added + len(known) == len(made):
            return {**made, **known}
    found = _found(session, bulk, made.keys(), is_held=True)
    return {key: made[key] if made[key].id == one.id else one for key, one in found.items()}


def _add(connection: Connection, bulk: Bulk, people: Iterable[tuple[int, Arrival]], now: datetime) -> int:
    """Make rows of these numbers, of people who have none; returns of how many."""
    at_present = bulk.instant(now)
    rows = [
        (
            *(number, said.address.given, said.address.key, said.name),
            at_present if said.created_at is None else bulk.instant(said.created_at),
            *(said.timezone, said.frequency, said.weekly_cap),
        )
        for number, said in people
    ]
    return bulk.inserts(Subscriber, *_SUBSCRIBER, unless_there="address_key").run(connection, rows)()


def _people(arrivals: Iterable[Arrival]) -> dict[str, Arrival]:
    """Each person once, with what any of their rows says first."""
    people: dict[str, Arrival] = {}
    for arrival in arrivals:
        before = people.setdefault(arrival.address.key, arrival)
        if before is not arrival:
            people[arrival.address.key] = Arrival(
                before.address,
                (),
                before.name or arrival.name,
                before.timezone or arrival.timezone,
                before.frequency or arrival.frequency,
                before.weekly_cap if before.weekly_cap is not None else arrival.weekly_cap,
                before.created_at or arrival.created_at,
            )
    return people


def _found(
    session: Session,
    bulk: Bulk,
    keys: Collection[str],
    *,
    is_held: bool,
    outside: tuple[int, int] | None = None,
) -> dict[str, _Reader]:
    """Those of these people who are here; held, so that who arrives twice at once does so in turn.

    `outside` leaves out whose number is between these two.
    """
    found = (
        sql_select(
            *(col(Subscriber.id), col(Subscriber.address_key), col(Subscriber.name)),
            *(col(Subscriber.timezone), col(Subscriber.frequency), col(Subscriber.weekly_cap)),
        )
        .where(bulk.is_among(col(Subscriber.address_key), list(keys)))
        .order_by(col(Subscriber.id))
    )
    if outside is not None:
        found = found.where(~col(Subscriber.id).between(*outside))
    if is_held:
        found = found.with_for_update(key_share=True)
    return {key: _Reader(number, (*known,)) for number, key, *known in session.execute(found)}


def _give_back(session: Session, bulk: Bulk, ids: list[int]) -> None:
    """Let go of the rows of people who were not known and are not to be."""
    if ids:
        theirs = bulk.is_among(col(Subscriber.id), ids)
        session.execute(delete(Subscriber).where(theirs).execution_options(synchronize_session=False))


def _learn(session: Session, bulk: Bulk, arrivals: Sequence[Arrival], known: Mapping[str, _Reader]) -> None:
    """Write down what is said of people and was not known."""
    if not known:
        return
    rows = []
    for key, said in _people(arrivals).items():
        if key in known:
            name, timezone, frequency, cap = known[key].known
            learnt = (
                *(name or said.name, timezone or said.timezone, frequency or said.frequency),
                said.weekly_cap if cap is None else cap,
            )
            if learnt != known[key].known:
                rows.append((*learnt, known[key].id))
    if rows:
        rows.sort(key=lambda row: row[-1])
        _what_is_known(bulk).run(session.connection(), rows)


def _what_is_known(bulk: Bulk) -> Any:
    return bulk.updates(
        _set_known,
        name=String(),
        timezone=String(),
        frequency=String(),
        weekly_cap=BigInteger(),
        id=BigInteger(),
    )


def _set_known(given: Mapping[str, Any]) -> Executable:
    learnt = {name: given[name] for name in ("name", "timezone", "frequency", "weekly_cap")}
    return update(Subscriber).values(learnt).where(col(Subscriber.id) == given["id"])


def _standings(
    session: Session,
    bulk: Bulk,
    arrivals: Sequence[Arrival],
    known: Collection[_Reader],
    *,
    is_held: bool,
) -> _Standings:
    """The subscriptions that there are of people who were known, held against change."""
    if not known:
        return {}
    categories = {tie.category for arrival in arrivals for tie in arrival.ties}
    theirs = (
        sql_select(
            *(col(Subscription.id), col(Subscription.subscriber_id)),
            *(col(Subscription.category), col(Subscription.state)),
        )
        .where(
            bulk.is_among(col(Subscription.subscriber_id), [reader.id for reader in known]),
            col(Subscription.category).in_(categories),
        )
        .order_by(col(Subscription.id))
    )
    if is_held:
        theirs = theirs.with_for_update()
    return {
        (subscriber_id, category): _Standing(number, state)
        for number, subscriber_id, category, state in session.execute(theirs)
    }


def _settle(
    arrivals: Iterable[Arrival],
    readers: Mapping[str, _Reader],
    refused: Collection[str],
    standings: _Standings,
    *,
    renew: bool,
) -> tuple[list[tuple[Joined, ...]], list[Evidence]]:
    """What comes of each tie, one after the other: the answers, and what there is evidence of."""
    answers = []
    evidence: list[Evidence] = []
    for arrival in arrivals:
        key, given = arrival.address.key, arrival.address.given
        told = []
        for tie in arrival.ties:
            # Of who is here all the same it may be kept that they left: that sends no letter.
            is_harmless = arrival.has_order or tie.state in _OVER
            if key in refused and (readers[key].is_new or not is_harmless):
                told.append(Joined.SUPPRESSED)
                continue
            subscriber_id = readers[key].id
            place = (subscriber_id, tie.category)
            standing = standings.get(place)
            answer = _answer(standing.state if standing else None, tie.state, renew=renew)
            told.append(answer)
            if answer is not Joined.ADDED and answer is not Joined.RENEWED:
                continue
            number, since = (standing.id, None) if standing else (None, tie.since)
            standings[place] = _Standing(number, tie.state, since, tie.until, is_changed=True)
            evidence.append(
                (
                    *(subscriber_id, given, tie.category, _ACTIONS[tie.state]),
                    *(tie.source, tie.evidence, tie.details),
                )
            )
        answers.append(tuple(told))
    return answers, evidence


def _answer(now_in: str | None, wanted: SubscriptionState, *, renew: bool) -> Joined:
    if now_in is None:
        return Joined.ADDED
    if now_in == SubscriptionState.PENDING and wanted == SubscriptionState.LEFT:
        return Joined.ADDED  # nothing has begun here yet, and is not to begin later
    if wanted in _OVER:
        return Joined.ALREADY if now_in in _OVER else Joined.DIFFERS
    if (renew and now_in in (*_OVER, SubscriptionState.PAUSED)) or (
        now_in == SubscriptionState.PENDING and wanted in LIVE
    ):
        return Joined.RENEWED
    if now_in == SubscriptionState.LEFT:
        return Joined.REFUSED_LEFT
    pauses_there = wanted == SubscriptionState.PAUSED and now_in == SubscriptionState.ACTIVE
    return Joined.DIFFERS if pauses_there else Joined.ALREADY


def _write(session: Session, bulk: Bulk, standings: _Standings, now: datetime) -> None:
    """Write down the subscriptions that begin and those that change."""
    connection = session.connection()
    at_present = bulk.instant(now)
    begun, changed = [], []
    for (subscriber_id, category), one in standings.items():
        if one.is_changed:
            since = at_present if one.since is None else bulk.instant(one.since)
            until = one.until.isoformat() if one.until else None
            if one.id is None:
                begun.append((subscriber_id, category, one.state, since, until))
            else:
                changed.append((one.state, since, until, one.id))
    if begun:
        names = ("subscriber_id", "category", "state", "since", "paused_until")
        bulk.inserts(Subscription, *names).run(connection, begun)
    if changed:
        _what_stands(bulk).run(connection, sorted(changed, key=lambda row: row[-1]))


def _what_stands(bulk: Bulk) -> Any:
    return bulk.updates(_set_standing, state=String(), since=UTCDateTime(), until=Date(), id=BigInteger())


def _set_standing(given: Mapping[str, Any]) -> Executable:
    return (
        update(Subscription)
        .values(state=given["state"], since=given["since"], paused_until=given["until"], cohort_id=null())
        .where(col(Subscription.id) == given["id"])
    )


def _read_anew(session: Session) -> None:
    """Let what the caller has read of people and subscriptions be as it is now."""
    for one in list(session.identity_map.values()):
        if isinstance(one, Subscriber | Subscription):
            session.refresh(one)
