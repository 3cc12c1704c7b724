"""Bringing people in: what becomes of whom, the same however a file is cut and however often it is begun."""

import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlmodel import col, delete, select

from newsletter.database import Database
from subscribers.address import parse_address
from subscribers.arrivals import Arrival, Tie, take_in
from subscribers.consent import verify
from subscribers.models import (
    Consent,
    ConsentLink,
    ImportRun,
    Subscriber,
    Subscription,
    SubscriptionState,
    Suppression,
    SuppressionReason,
)
from subscribers.moving import coming
from subscribers.moving.coming import Wanted, place_lists
from subscribers.moving.importing import (
    Contents,
    Counts,
    Here,
    ImportStoppedError,
    Outcome,
    bring_in,
    finish,
    look_through,
    try_out,
)
from subscribers.moving.kept import everybody
from subscribers.moving.look import open_export
from subscribers.moving.paperround import write_people
from subscribers.pauses import pause
from subscribers.subscriptions import Permission, Person, find_subscriber, join, leave
from tests.conftest import MONDAY
from tests.orders import SUPPRESSIONS
from tests.properties import tried
from tests.subscribers.test_subscriptions import Letters

ADVICE = {"advice": "advice", "letters": "letters"}


def here(database: Database, letters: Letters | None = None) -> Here:
    """A database to bring people to, on a Monday."""
    return Here(database.write, database.read, SUPPRESSIONS, letters or Letters(), lambda: MONDAY)


def nothing(_: object) -> None:
    """Tell nobody."""


def wanted(path: Path, *, confirmed: bool = True, category: str | None = None) -> tuple[Wanted, Contents]:
    """What a file holds and what is to become of it."""
    export = open_export(path)
    contents = look_through(export, nothing, nothing)
    places = place_lists(contents.lists, {}, category, set(ADVICE))
    return Wanted(export, path.name, places, confirmed=confirmed), contents


def brought(database: Database, path: Path, **options: Any) -> Counts:
    """Bring in a file's people."""
    run, counts = bring_in(*wanted(path, **options), here(database), nothing)
    finish(run, here(database))
    return counts


def states(database: Database) -> dict[str, dict[str, str]]:
    """Every subscription's state."""
    found: dict[str, dict[str, str]] = {}
    with database.read() as session:
        rows = session.exec(
            select(Subscriber, Subscription).join(
                Subscription, col(Subscription.subscriber_id) == Subscriber.id
            )
        )
        for subscriber, held in rows:
            found.setdefault(subscriber.address_key, {})[held.category] = held.state
    return found


def everything(database: Database) -> list[object]:
    """All that there is of people, but for numbers and salts; and the chain is whole."""
    with database.read() as session:
        assert verify(session).flaws == ()
        keys = {one.id: one.address_key for one in session.exec(select(Subscriber))}
        people = [
            tuple(one.model_dump(exclude={"id"}).items())
            for one in session.exec(select(Subscriber).order_by(col(Subscriber.address_key)))
        ]
        held = sorted(
            (keys[one.subscriber_id], one.category, one.state, one.since, str(one.paused_until))
            for one in session.exec(select(Subscription))
        )
        consents = sorted(
            (keys[one.subscriber_id], one.category, one.action, one.evidence, str(one.details), one.at)
            for one in session.exec(select(Consent))
        )
        orders = sorted((one.address_hash, one.reason, one.at) for one in session.exec(select(Suppression)))
        return [people, held, consents, orders]


def empty(database: Database) -> None:
    """As it was made."""
    with database.write() as session:
        for table in (ConsentLink, Consent, Subscription, Subscriber, Suppression, ImportRun):
            session.execute(delete(table))


@contextmanager
def batches_of(size: int) -> Iterator[None]:
    """Bring in so many at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coming, "AT_ONCE", size)
        yield


def begin(database: Database, state: str, address: str = "ann@example.org") -> None:
    """Have somebody stand so in `advice`, a day before."""
    before = MONDAY - timedelta(days=1)
    permission = Permission("cli", confirmed=state != "pending")
    parsed = parse_address(address)
    with database.write() as session:
        join(session, Person(parsed), "advice", permission, SUPPRESSIONS, renew=True, now=before)
        reader = find_subscriber(session, parsed)
        assert reader is not None
        if state == "left":
            leave(session, reader.id, ["advice"], Permission("cli"), Letters(), now=before)
        elif state == "paused":
            pause(session, reader.id, ["advice"], Letters(), until=date(2026, 2, 1))
        elif state == "suppressed":
            SUPPRESSIONS.suppress(
                session, parsed, SuppressionReason.BOUNCED, Letters(), source="cli", now=before
            )


@pytest.mark.parametrize("there", ["active", "pending", "paused", "left"])
@pytest.mark.parametrize("before", ["", "active", "pending", "paused", "left", "suppressed"])
@pytest.mark.parametrize("confirmed", [True, False])
def test_what_becomes_of_whom(
    database: Database, tmp_path: Path, before: str, there: str, confirmed: bool
) -> None:
    """A file adds and confirms; it ends and renews nothing that has begun, and confirms nobody by itself.

    Who only waits here and has left there has left: a later file is not to bring them in.
    """
    if before:
        begin(database, before)
    path = tmp_path / "r.csv"
    path.write_text(f"email,category,state\nAnn@example.org,advice,{there}\n")
    outcome = next(iter(brought(database, path, confirmed=confirmed).outcomes["advice"]))
    waits = there in ("active", "paused") and not confirmed
    if not before:
        expected = ("pending" if waits else there,) * 2
    elif before in ("left", "suppressed"):
        already = there == "left"
        expected = (before, "already" if already else "had_left" if before == "left" else "suppressed")
    elif before == "pending" and there == "left":
        expected = ("left", "left")
    elif there == "left" or (there == "paused" and before == "active" and confirmed):
        expected = (before, "differs")
    elif before == "pending" and there in ("active", "paused") and confirmed:
        expected = (there, "confirmed")
    else:
        expected = (before, "already")
    assert (states(database)["ann@example.org"]["advice"], outcome) == expected


@pytest.mark.parametrize("reason", ["bounced", "complained", "asked"])
@pytest.mark.parametrize("before", ["", "active", "pending", "left"])
def test_who_is_not_to_be_written_to(database: Database, tmp_path: Path, before: str, reason: str) -> None:
    """An order is kept of whoever has one in the file, whatever their row says; letters here end by it."""
    if before:
        begin(database, before)
    path = tmp_path / "r.csv"
    path.write_text(
        f"email,category,state,suppressed\nann@example.org,advice,active,\n"
        f"ann@example.org,advice,active,{reason}\nbo@example.org,,,asked\n"
    )
    letters = Letters()
    _, counts = bring_in(*wanted(path), here(database, letters), nothing)
    assert counts.orders == 2
    assert counts.outcomes == {"advice": {Outcome.SUPPRESSED: 2}}
    state = states(database)["ann@example.org"]["advice"]
    if before == "pending" and reason == "bounced":
        assert state == "pending"  # there is nothing that could be sent
    else:
        assert state == ("suppressed" if reason == "bounced" and before != "left" else "left")
    assert len(letters.suppressed) == bool(before)
    with database.read() as session:
        order = SUPPRESSIONS.find(session, parse_address("ANN@example.org"))
        assert order is not None
        assert order.reason == reason
        assert SUPPRESSIONS.find(session, parse_address("bo@example.org")) is not None
        assert find_subscriber(session, parse_address("bo@example.org")) is None


def test_what_is_told_is_learnt_and_kept_as_evidence(database: Database, tmp_path: Path) -> None:
    """Names, zones, wishes and days come along; what is known is not replaced; the record has it all."""
    begin(database, "active", "bo@example.org")
    with database.write() as session:
        bo = find_subscriber(session, parse_address("bo@example.org"))
        assert bo is not None
        bo.name = "Bo"
    path = tmp_path / "out.csv"
    path.write_text(
        "email,name,category,state,since,paused_until,created_at,timezone,frequency,weekly_cap,consent_action\n"
        "Ann@example.org,Ann,advice,paused,2024-02-03T04:05:06+00:00,2026-03-01,2020-01-01,Europe/Berlin,"
        "weekly,0,granted\n"
        "bo@example.org,Robert,advice,active,2024-02-03,,2020-01-01,Asia/Tokyo,daily,2,granted\n"
    )
    counts = brought(database, path, confirmed=False)
    assert counts.new == 1
    with database.read() as session:
        ann, bo = (find_subscriber(session, parse_address(f"{name}@example.org")) for name in ("ann", "bo"))
        assert ann is not None
        assert bo is not None
        assert (ann.address, ann.name, ann.timezone, ann.frequency, ann.weekly_cap, ann.created_at) == (
            *("Ann@example.org", "Ann", "Europe/Berlin", "weekly", 0),
            datetime(2020, 1, 1, tzinfo=UTC),
        )
        assert (bo.name, bo.timezone, bo.frequency, bo.weekly_cap) == ("Bo", "Asia/Tokyo", "daily", 2)
        held = session.exec(select(Subscription).where(Subscription.subscriber_id == ann.id)).one()
        assert (held.state, held.since, held.paused_until) == (
            *("paused", datetime(2024, 2, 3, 4, 5, 6, tzinfo=UTC)),
            date(2026, 3, 1),
        )
        record = session.exec(select(Consent).where(Consent.subscriber_id == ann.id)).one()
        assert (record.action, record.source, record.at, record.evidence) == (
            *("granted", "import", MONDAY),
            "out.csv; action: granted",
        )
        assert json.loads(record.details or "")["imported"] == {
            "tool": "paperround",
            "file": "out.csv",
            "line": 2,
            "list": "advice",
            "state": "paused",
            "since": "2024-02-03T04:05:06+00:00",
            "created_at": "2020-01-01T00:00:00+00:00",
            "told": {"action": "granted"},
        }


def test_what_mailchimp_saw_confirmed_is_confirmed(database: Database, tmp_path: Path) -> None:
    """Double opt-in there counts without --confirmed; a time that is only of somebody's adding does not."""
    path = tmp_path / "subscribed_members.csv"
    path.write_text(
        "Email Address,OPTIN_TIME,CONFIRM_TIME,LEID,EUID,TAGS\n"
        'ann@example.org,2021-02-03 04:05:06,2021-02-03 05:06:07,1,a,"""vip"""\n'
        "bo@example.org,,2021-02-03 05:06:07,2,b,\n"
    )
    counts = brought(database, path, confirmed=False, category="advice")
    assert states(database) == {
        "ann@example.org": {"advice": "active"},
        "bo@example.org": {"advice": "pending"},
    }
    assert counts.outcomes == {"advice": {Outcome.ACTIVE: 1, Outcome.PENDING: 1}}


def test_of_two_lists_in_one_category_the_refusal_counts(database: Database, tmp_path: Path) -> None:
    """Who left one of the lists that are one category here has left it, in whatever order they stand."""
    path = tmp_path / "r.csv"
    path.write_text(
        "email,category,state\nann@example.org,advice,active\nbo@example.org,letters,left\n"
        "ann@example.org,letters,left\nbo@example.org,advice,active\n"
    )
    with batches_of(1):
        brought(database, path, category="advice")
    assert states(database) == {"ann@example.org": {"advice": "left"}, "bo@example.org": {"advice": "left"}}


_ADDRESSES = [f"{name}@example.org" for name in ("ann", "ANN", "bo", "cy", "Cy", "dee", "ed")]
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(_ADDRESSES),
        st.sampled_from(sorted(ADVICE)),
        st.sampled_from(["active", "active", "pending", "paused", "left"]),
        st.sampled_from(["", "", "", "", "bounced", "asked", "complained"]),
        st.sampled_from(["", "A name", "Another"]),
        st.sampled_from(["", "2024-01-01", "2025-01-01"]),
    ),
    max_size=12,
)
_BEFORE = st.dictionaries(
    st.sampled_from(_ADDRESSES).map(str.lower),
    st.sampled_from(["active", "pending", "paused", "left", "suppressed"]),
    max_size=4,
)


_LEFT_THEN_BOUNCED = [
    ("ann@example.org", "advice", "left", "", "", ""),
    ("ann@example.org", "advice", "active", "bounced", "", ""),
]
"""Of whom the one alone changes nothing here, and the other does."""


def written(path: Path, rows: list[tuple[str, ...]]) -> Path:
    """These rows as a file."""
    lines = ["email,category,state,suppressed,name,since", *(",".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


class StoppedError(Exception):
    """As when a process is killed between two batches."""


@tried(300, quickly=15)
@given(_ROWS, _BEFORE, st.integers(1, 4), st.integers(0, 6), st.booleans())
@example(_LEFT_THEN_BOUNCED, {"ann@example.org": "active"}, 1, 0, False)
def test_it_makes_no_difference_how_a_file_is_cut(
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    before: dict[str, str],
    size: int,
    stop_after: int,
    confirmed: bool,
) -> None:
    """In one batch or in many, stopped and begun again, and done twice: the same rows and the same counts.

    Nobody is active then who was refused, in the file or here.
    """
    path = written(tmp_path_factory.getbasetemp() / "cut.csv", rows)

    def prepared() -> None:
        empty(database)
        for address, state in before.items():
            begin(database, state, address)

    prepared()
    at_once = brought(database, path, confirmed=confirmed)
    found = everything(database)
    again = brought(database, path, confirmed=confirmed)
    assert everything(database) == found
    assert again.new == 0

    prepared()
    left = [stop_after]

    def stop(_: int) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise StoppedError

    with batches_of(size):
        with suppress(StoppedError):
            bring_in(*wanted(path, confirmed=confirmed), here(database), stop)
        assert brought(database, path, confirmed=confirmed) == at_once
    assert everything(database) == found
    check_refusals(database, rows, before)


def check_refusals(database: Database, rows: list[tuple[str, ...]], before: dict[str, str]) -> None:
    """Whoever was refused is not active, but who was before."""
    refused = {(one[0].lower(), one[1]) for one in rows if one[2] == "left"}
    ordered = {one[0].lower() for one in rows if one[3]} | {k for k, v in before.items() if v == "suppressed"}
    for address, held in states(database).items():
        for category, state in held.items():
            if state in ("active", "paused"):
                was_live = category == "advice" and before.get(address) in ("active", "paused")
                # Who had asked here, and left there, is not confirmed by another row of theirs.
                assert (address, category) not in refused or was_live or before.get(address) == "pending"
                assert address not in ordered
            if before.get(address) == "left" and category == "advice":
                assert state == "left"


@tried(100, quickly=8)
@given(_ROWS, _BEFORE, st.booleans())
def test_a_dry_run_foretells_and_writes_nothing(
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, ...]],
    before: dict[str, str],
    confirmed: bool,
) -> None:
    """Of a file in which everybody is once, a dry run tells exactly what then comes of it."""
    once = list({row[0].lower(): row for row in rows}.values())
    path = written(tmp_path_factory.getbasetemp() / "dry.csv", once)
    empty(database)
    for address, state in before.items():
        begin(database, state, address)
    found = everything(database)
    foretold = try_out(*wanted(path, confirmed=confirmed), here(database), nothing)
    assert everything(database) == found
    with database.read() as session:
        assert session.exec(select(ImportRun)).all() == []
    assert brought(database, path, confirmed=confirmed) == foretold


def test_two_at_once_are_told_apart(database: Database, tmp_path: Path) -> None:
    """Of two processes that import one file at once, the second stops, and everybody is brought in once."""
    rows = [(f"r{number}@example.org", "advice", "active", "", "", "") for number in range(6)]
    path = written(tmp_path / "r.csv", rows)

    def meanwhile(done: int) -> None:
        if done == 2:
            brought(database, path)

    with batches_of(2), pytest.raises(ImportStoppedError, match=r"r\.csv is imported by another process"):
        bring_in(*wanted(path), here(database), meanwhile)
    assert len(states(database)) == 6
    with database.read() as session:
        assert len(session.exec(select(Consent)).all()) == 6


def exported(database: Database) -> str:
    """The whole export."""
    out = io.StringIO(newline="")
    with database.read() as session:
        write_people(out, everybody(session, SUPPRESSIONS))
    return out.getvalue()


_DEEDS = st.lists(
    st.tuples(
        st.sampled_from(["join", "ask", "leave", "pause", "bounced", "asked", "complained"]),
        st.sampled_from(["ann@example.org", "Bo@example.org", "=cy@example.org"]),
        st.sampled_from(sorted(ADVICE)),
    ),
    max_size=12,
)


@tried(200, quickly=15)
@given(_DEEDS)
def test_an_export_brings_everybody_to_another_site(
    database: Database, tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[str, str, str]]
) -> None:
    """What is exported, and imported into an empty site, is exported from there the same, to the letter."""
    empty(database)
    for number, deed in enumerate(deeds):
        do(database, *deed, at=MONDAY - timedelta(days=100 - number))
    path = tmp_path_factory.getbasetemp() / "moved.csv"
    first = exported(database)
    path.write_text(first, newline="")
    empty(database)
    brought(database, path, confirmed=False)
    assert in_order(exported(database)) == in_order(first)


def in_order(text: str) -> list[str]:
    """An export's rows. Those who left come first in an import, so its numbers are in another order."""
    return sorted(text.splitlines())


def do(database: Database, what: str, given_address: str, category: str, *, at: datetime) -> None:
    """Something that happens to a reader."""
    address = parse_address(given_address)
    with database.write() as session:
        if what in ("join", "ask"):
            permission = Permission("page", "a button", confirmed=what == "join")
            person = Person(address, 'A, "name"')
            join(session, person, category, permission, SUPPRESSIONS, renew=True, now=at)
            return
        reader = find_subscriber(session, address)
        if reader is None:
            return
        if what == "leave":
            leave(session, reader.id, [category], Permission("page"), Letters(), now=at)
        elif what == "pause":
            pause(session, reader.id, [category], Letters(), until=date(2027, 1, 1))
        else:
            reason = SuppressionReason(what)
            SUPPRESSIONS.suppress(session, address, reason, Letters(), source="cli", now=at)


def test_many_arrive_as_one_by_one(database: Database) -> None:
    """More people than a driver takes parameters come in at once, in their order, known ones among them."""
    begin(database, "active", "r7@example.org")
    tie = Tie("advice", SubscriptionState.ACTIVE, "import")
    arrivals = [Arrival(parse_address(f"r{number}@example.org"), (tie,)) for number in range(3000)]
    with database.write() as session:
        came = take_in(session, arrivals, SUPPRESSIONS, renew=False, now=MONDAY)
    assert Counter(answer for (answer,) in came.answers) == {"added": 2999, "already": 1}
    assert len(came.new) == 2999
    with database.read() as session:
        order = session.exec(select(Subscriber.address).order_by(col(Subscriber.id))).all()
        assert verify(session).flaws == ()
    assert order == [
        "r7@example.org",
        *(f"r{number}@example.org" for number in range(3000) if number != 7),
    ]


def test_a_fingerprint_is_of_the_file_and_of_what_is_wanted(tmp_path: Path) -> None:
    """Another text, place or permission is another import; another name of the file is not."""
    rows = [("ann@example.org", "advice", "active", "", "", "")]
    one, _ = wanted(written(tmp_path / "a.csv", rows))
    same, _ = wanted(written(tmp_path / "b.csv", rows))
    assert one.fingerprint() == same.fingerprint()
    other, _ = wanted(written(tmp_path / "c.csv", [("bo@example.org", *rows[0][1:])]))
    changed = [other, replace(one, confirmed=False), replace(one, places={"advice": "letters"})]
    assert len({each.fingerprint() for each in (one, *changed)}) == 4
