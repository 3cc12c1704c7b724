"""Our own export: what goes out comes in again, whatever it is."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session, select

from newsletter.database import Database
from subscribers.address import Address, AddressError, parse_address
from subscribers.consent import record
from subscribers.models import (
    Consent,
    ConsentAction,
    Frequency,
    Subscriber,
    Subscription,
    SubscriptionState,
    SuppressionReason,
)
from subscribers.moving.cells import meant, name_of, safe
from subscribers.moving.kept import everybody
from subscribers.moving.look import open_export
from subscribers.moving.paperround import CONSENT, HEADER, write_people
from subscribers.moving.people import Membership, Newcomer
from subscribers.subscriptions import Permission, Person, join
from tests.conftest import MONDAY
from tests.orders import SUPPRESSIONS
from tests.subscribers.moving.reading import person, read, write
from tests.subscribers.test_subscriptions import Letters


def written(*people: Newcomer) -> str:
    """Our export of these people."""
    out = io.StringIO()
    write_people(out, people)
    return out.getvalue()


def newcomer(address: str, name: str | None = None, **known: object) -> Newcomer:
    """Somebody, active in `advice` unless said otherwise."""
    known.setdefault("memberships", (Membership("advice", SubscriptionState.ACTIVE),))
    return Newcomer(0, parse_address(address), name, **known)  # type: ignore[arg-type]


def test_a_row_a_subscription() -> None:
    """Everything about the reader is in each of their rows; who has no subscription has a row as well."""
    at = datetime(2026, 1, 5, 8, tzinfo=UTC)
    text = written(
        newcomer(
            "ann@example.org",
            "Ann",
            memberships=(
                Membership("advice", SubscriptionState.ACTIVE, at),
                Membership("letters", SubscriptionState.PAUSED, None, date(2026, 3, 1)),
            ),
            created_at=at,
            timezone="Europe/Berlin",
            frequency="weekly",
            weekly_cap=0,
            suppress=SuppressionReason.COMPLAINED,
            evidence={"action": "granted", "source": "page"},
        ),
        newcomer("bo@example.org", memberships=()),
    )
    assert text.splitlines() == [
        ",".join(HEADER),
        "ann@example.org,Ann,advice,active,2026-01-05T08:00:00+00:00,,2026-01-05T08:00:00+00:00,"
        "Europe/Berlin,weekly,0,complained,granted,page,,",
        "ann@example.org,Ann,letters,paused,,2026-03-01,2026-01-05T08:00:00+00:00,"
        "Europe/Berlin,weekly,0,complained,granted,page,,",
        "bo@example.org,,,,,,,,,,,,,,",
    ]


_words = st.text(st.characters(codec="utf-8"), max_size=60)
_awkward = st.sampled_from(
    ["=1", "'=1", "''=1", "@SUM(A1)", "'quoted'", "-5", "+49 30", "a,b", 'a "x"', "'", "a\rb"]
)
_texts = st.one_of(_awkward, _words)
_names = st.one_of(st.none(), _texts.map(lambda text: None if "@" in text else name_of(safe(text))))
_times = st.one_of(
    st.none(),
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)


def _is_address(text: str) -> bool:
    try:
        parse_address(text)
    except AddressError:
        return False
    return True


_locals = st.one_of(st.from_regex(r"[ab'=+_-]{1,9}(\.[ab'=+_-]{1,9})?", fullmatch=True), _words)
_addresses = _locals.map("{}@Bücher.example".format).filter(_is_address).map(parse_address)
_people = st.builds(
    Newcomer,
    st.just(0),
    _addresses,
    _names,
    st.tuples(
        st.builds(
            Membership,
            st.from_regex(r"[a-z]{1,9}(-[a-z]{1,9})?", fullmatch=True),
            st.sampled_from(SubscriptionState),
            _times,
            st.one_of(st.none(), st.dates()),
        )
    ),
    _times,
    st.one_of(st.none(), st.sampled_from(sorted(available_timezones())[::40])),
    st.one_of(st.none(), st.sampled_from(Frequency)),
    st.one_of(st.none(), st.integers(0, 100)),
    st.one_of(st.none(), st.sampled_from(SuppressionReason)),
    st.dictionaries(st.sampled_from(CONSENT), _texts.filter(bool)),
)


@given(st.lists(_people, max_size=6))
def test_what_goes_out_comes_in_again(
    tmp_path_factory: pytest.TempPathFactory, people: list[Newcomer]
) -> None:
    """Addresses, names, states, dates, wishes, orders and consent: to the letter, in order."""
    path = write(tmp_path_factory.getbasetemp() / "round-trip.csv", written(*people))
    found, bad = read(path)
    assert bad == []
    assert written(*found) == written(*people)
    for one, other in zip(found, people, strict=True):
        assert one.evidence == other.evidence
        assert (one.address, one.name, one.memberships) == (other.address, other.name, other.memberships)
        assert (one.created_at, one.timezone, one.frequency) == (
            other.created_at,
            other.timezone,
            other.frequency,
        )
        assert (one.weekly_cap, one.suppress) == (other.weekly_cap, other.suppress)


@given(_texts)
def test_an_apostrophe_is_undone(text: str) -> None:
    """Whatever the text."""
    assert meant(safe(text)) == text


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_no_cell_is_a_formula(text: str) -> None:
    """No cell of an export begins with what a spreadsheet would run (OWASP, CSV injection)."""
    one = Newcomer(
        0,
        Address("=cmd@example.org", "=cmd@example.org"),
        text,
        (Membership(text, SubscriptionState.ACTIVE),),
        evidence=dict.fromkeys(CONSENT, text),
    )
    for row in csv.reader(io.StringIO(written(one), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_an_old_export_is_read(tmp_path: Path) -> None:
    """With email, name, category and state."""
    path = write(
        tmp_path / "old.csv",
        "email,name,category,state\nann@example.org,'=Ann,advice,active\nbo@example.org,,advice,left\n",
    )
    assert open_export(path).tool == "paperround"
    people, bad = read(path)
    assert bad == []
    assert [(one.name, one.memberships) for one in people] == [
        ("=Ann", (Membership("advice", SubscriptionState.ACTIVE),)),
        (None, (Membership("advice", SubscriptionState.LEFT),)),
    ]


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("state", "happy"),
        ("state", ""),
        ("since", "yesterday"),
        ("paused_until", "2026-02-30"),
        ("created_at", "1/2/2026"),
        ("timezone", "Mars/Base"),
        ("frequency", "hourly"),
        ("weekly_cap", "-1"),
        ("weekly_cap", "9" * 5000),
        ("weekly_cap", "²"),
        ("suppressed", "perhaps"),
    ],
)
def test_what_we_would_not_have_written_is_a_bad_row(tmp_path: Path, column: str, cell: str) -> None:
    """Somebody has changed the file by hand, and is told which cell is wrong."""
    row = {"email": "ann@example.org", "category": "advice", "state": "active"} | {column: cell}
    header = ",".join(HEADER)
    cells = ",".join(row.get(name, "") for name in HEADER)
    people, bad = read(write(tmp_path / "x.csv", f"{header}\n{cells}\n"))
    assert people == []
    assert [one.problem.partition(";")[0] for one in bad] == [f"{column} is {cell[:40]!r}, which is none"]


def test_a_strangers_file_is_not_taken_for_ours(tmp_path: Path) -> None:
    """One with a category and a state has other columns than ours, or is told how to say so."""
    header = "email,category,state,city\n"
    assert open_export(write(tmp_path / "x.csv", header + "ann@example.org,news,active,Ulm\n")).tool == "csv"
    _, bad = read(write(tmp_path / "y.csv", "email,category,state\nann@example.org,news,subscribed\n"))
    assert "if this is no export of ours, say --from csv" in bad[0].problem


def test_case_and_blanks_by_hand_are_no_matter(tmp_path: Path) -> None:
    """A file may have been through a spreadsheet."""
    content = "EMAIL;Name;Category;State\nann@example.org;Ann; advice ; Active \n"
    assert person(write(tmp_path / "x.csv", content)).memberships == (
        Membership("advice", SubscriptionState.ACTIVE),
    )


def test_everybody_is_told_of_with_all_that_is_known(database: Database, tmp_path: Path) -> None:
    """Each subscription with its state, wishes, last consent and standing order; and it is read back."""
    later = MONDAY + timedelta(days=1)
    with database.write() as session:
        ann = Person(parse_address("Ann@example.org"), "Ann Lee")
        asked = Permission("page", evidence="the form")
        confirmed = Permission("page", evidence="the button", confirmed=True)
        join(session, ann, "advice", asked, SUPPRESSIONS, renew=False, now=MONDAY)
        join(session, ann, "advice", confirmed, SUPPRESSIONS, renew=True, now=later)
        join(session, ann, "letters", asked, SUPPRESSIONS, renew=False, now=MONDAY)
        join(
            session,
            Person(parse_address("bo@example.org")),
            "advice",
            asked,
            SUPPRESSIONS,
            renew=False,
            now=MONDAY,
        )
        session.flush()
        subscriber = session.exec(select(Subscriber).where(Subscriber.address_key == "ann@example.org")).one()
        subscriber.timezone, subscriber.frequency, subscriber.weekly_cap = "Asia/Tokyo", "weekly", 3
        held = session.exec(select(Subscription).where(Subscription.category == "letters")).one()
        held.state, held.paused_until = SubscriptionState.PAUSED, date(2026, 3, 1)
        withdrawn = Consent(
            subscriber_id=subscriber.id,
            category="advice",
            action=ConsentAction.WITHDRAWN,
            source="cli",
            at=later,
        )
        record(session, withdrawn)
        bo, complained = parse_address("bo@example.org"), SuppressionReason.COMPLAINED
        SUPPRESSIONS.suppress(session, bo, complained, Letters(), source="cli", now=MONDAY)
    with database.read() as session:
        people = list(everybody(session, SUPPRESSIONS))
        only = list(everybody(session, SUPPRESSIONS, "letters"))
    granted = {"action": "granted", "source": "page", "at": later.isoformat(), "evidence": "the button"}
    assert [(one.memberships[0].list, one.evidence.get("action")) for one in people] == [
        ("advice", "granted"),
        ("letters", "requested"),
        ("advice", "requested"),
    ]
    assert people[0].evidence == granted
    assert (people[0].timezone, people[0].frequency, people[0].weekly_cap) == ("Asia/Tokyo", "weekly", 3)
    assert people[1].memberships == (
        Membership("letters", SubscriptionState.PAUSED, MONDAY, date(2026, 3, 1)),
    )
    assert [one.suppress for one in people] == [None, None, SuppressionReason.COMPLAINED]
    assert only == [people[1]]
    found, bad = read(write(tmp_path / "out.csv", written(*people)))
    assert bad == []
    assert written(*found) == written(*people)


def test_many_readers_are_told_of_a_page_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is left out or told of twice where pages meet."""
    from subscribers.moving import kept

    monkeypatch.setattr(kept, "_AT_ONCE", 3)
    with database.write() as session:
        _join_all(session, 8)
    with database.read() as session:
        told = [one.address.given for one in everybody(session, SUPPRESSIONS)]
    assert told == [f"r{number}@example.org" for number in range(8)]


def _join_all(session: Session, readers: int) -> None:
    for number in range(readers):
        one = Person(parse_address(f"r{number}@example.org"))
        join(session, one, "advice", Permission("cli"), SUPPRESSIONS, renew=False, now=MONDAY)
