"""One pass of the sender, over real SMTP, judged by what the relay got."""

import asyncio
import json
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import create_engine, event, select, text
from sqlmodel import col

from newsletter import database as database_module
from newsletter.app import App, SendReport, open_app
from newsletter.delivery import ownership, supply
from newsletter.delivery.ledger import ClaimedDelivery, Ledger, Recovered
from newsletter.delivery.letters import LedgerLetters
from newsletter.delivery.relays import Relay
from newsletter.delivery.reports import deliveries
from newsletter.delivery.transport import Letter
from newsletter.errors import DatabaseError, SettingsError
from newsletter.log import Log
from newsletter.models import Delivery, Edition, Issue, Owner
from newsletter.settings import RelaySection, TLSMode
from newsletter.states import DeliveryState, IssueState
from subscribers.subscriptions import Permission, leave
from tests.conftest import Clock
from tests.contract.transport import run
from tests.delivery.bigissue import queue_post
from tests.delivery.neighbour import Neighbour
from tests.delivery.scripted import EOF, RESET, ScriptedServer
from tests.delivery.test_ledger import DUE, attempts, dying, plan, receipts, row, states

State = DeliveryState


def relay_on(port: int, connections: int = 1) -> RelaySection:
    return RelaySection(host="127.0.0.1", port=port, tls=TLSMode.NONE, connections=connections)


def send(
    site: App,
    port: int,
    *,
    connections: int = 1,
    stop: Event | None = None,
    recovered: Callable[[Recovered], None] = lambda _: None,
) -> SendReport:
    return site.send_due([Relay(relay_on(port, connections))], stop or Event(), recovered=recovered)


def take_over(site: App, port: int) -> set[str]:
    """Send after a crash; whose letters were found to be in doubt."""
    told: list[Recovered] = []
    send(site, port, recovered=told.append)
    return {address for recovered in told for _, address in recovered.in_doubt}


@dataclass
class Postmaster(Neighbour):
    """A real relay whose word for each message is the test's."""

    answers: list[str] = field(default_factory=list)
    """What it says to the next messages; then yes."""
    seen: list[Letter] = field(default_factory=list)
    """Every message that came, whatever it said to it."""

    def __post_init__(self) -> None:
        super().__init__(enable_SMTPUTF8=True)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        assert isinstance(envelope.content, bytes)
        self.seen.append(Letter(envelope.mail_from or "", envelope.rcpt_tos[0], envelope.content))
        await self.meanwhile()
        answer = self.answers.pop(0) if self.answers else "250 2.0.0 Yes"
        if answer.startswith("2"):
            self.accepted.append(self.seen[-1])
        return answer

    async def meanwhile(self) -> None:
        """What happens while a message is on the wire."""


def scripted_pass(site: App, server: ScriptedServer, connections: int = 1) -> SendReport:
    """One pass against a scripted server, which runs in a loop of its own."""

    async def scenario() -> SendReport:
        async with server:
            return await asyncio.to_thread(send, site, server.port, connections=connections)

    return run(scenario)


def test_every_letter_goes_to_its_reader_once(advice: App) -> None:
    """All that is due is sent, one message a reader, with the relay's word on record."""
    ids = plan(advice, 7)
    with Postmaster() as relay:
        report = send(advice, relay.port, connections=3)
        assert send(advice, relay.port).tally.states == {}
    assert sorted(letter.recipient for letter in relay.accepted) == [
        f"reader{place}@example.net" for place in range(7)
    ]
    assert report.tally.states == {State.SENT: 7}
    assert set(states(advice).values()) == {State.SENT}
    assert row(advice, ids[0]).reply == "250 2.0.0 Yes"


def test_a_relay_that_is_down_leaves_everything_as_it_was(advice: App) -> None:
    """Nothing is counted against any reader; the report says which relay and why; the next pass sends."""
    ids = plan(advice, 5)
    report = send(advice, 1, connections=3)
    assert "127.0.0.1:1 cannot be used" in str(report.tally.relay_error)
    assert states(advice) == dict.fromkeys(ids, State.QUEUED)
    assert all(attempts(advice, delivery) == [] for delivery in ids)
    assert row(advice, ids[0]).owner_id is None
    with Postmaster() as relay:
        assert send(advice, relay.port).tally.states == {State.SENT: 5}
    assert len(relay.accepted) == 5


def test_a_relay_that_refuses_the_login_leaves_everything_as_it_was(advice: App) -> None:
    """AUTH refused is a matter of settings, told as one; no letter is touched."""
    ids = plan(advice, 3)
    server = ScriptedServer("AUTH PLAIN")
    server.replies["AUTH"] = b"535 5.7.8 Who are you?\r\n"

    async def scenario() -> SendReport:
        async with server:
            relay = relay_on(server.port).model_copy(update={"user": "paper"})
            return await asyncio.to_thread(advice.send_due, [Relay(relay)], Event())

    report = run(scenario)
    assert "refused the login of 'paper' (535 5.7.8 Who are you?)" in str(report.tally.relay_error)
    assert states(advice) == dict.fromkeys(ids, State.QUEUED)


def test_a_relay_that_dies_in_the_middle_keeps_the_rest_queued(advice: App) -> None:
    """What it took is sent, what it never got stays queued, and what it may have got is in doubt."""
    plan(advice, 6)
    server = ScriptedServer()

    async def scenario() -> SendReport:
        async with server:
            taken = server.accepted
            passing = asyncio.create_task(asyncio.to_thread(send, advice, server.port))
            while len(taken) < 2:
                await asyncio.sleep(0)
            server.replies[""] = EOF
            server.replies["."] = RESET
            return await passing

    report = run(scenario)
    counts = report.tally.states
    assert counts[State.SENT] + counts[State.IN_DOUBT] == len(server.accepted)
    assert counts[State.IN_DOUBT] <= 1
    assert list(states(advice).values()).count(State.QUEUED) == 6 - len(server.accepted)
    assert report.tally.relay_error is not None


@pytest.mark.parametrize("refusal", ["451 4.7.1 Greylisted", "452 4.2.2 Full"])
def test_a_deferred_letter_comes_back_the_same(advice: App, clock: Clock, refusal: str) -> None:
    """Not before its time, and then with the same envelope, Message-ID and bytes, even from a new process."""
    (delivery,) = plan(advice, 1)
    with Postmaster(answers=[refusal]) as relay:
        assert send(advice, relay.port).tally.states == {State.DEFERRED: 1}
        due = row(advice, delivery).due_at
        assert clock.now < due
        assert row(advice, delivery).reply == refusal
        assert send(advice, relay.port).tally.states == {}
        clock.now = due
        another = open_app(advice.settings.folder, clock)
        assert send(another, relay.port).tally.states == {State.SENT: 1}
        another.close()
    first, second = relay.seen
    assert first == second
    assert [attempt.outcome for attempt in attempts(advice, delivery)] == [State.DEFERRED, State.SENT]


def test_a_bounced_letter_ends_and_gives_its_receipt_back(advice: App, clock: Clock) -> None:
    """A lasting refusal is kept with its words and not tried again; the others are not concerned."""
    ids = plan(advice, 3)
    with Postmaster(answers=["250 2.0.0 Yes", "550 5.1.1 Nobody here"]) as relay:
        report = send(advice, relay.port)
        clock.advance(days=2)
        send(advice, relay.port)
    assert report.tally.states == {State.SENT: 2, State.BOUNCED: 1}
    bounced = next(delivery for delivery, state in states(advice).items() if state == State.BOUNCED)
    assert row(advice, bounced).reply == "550 5.1.1 Nobody here"
    assert receipts(advice) == set(ids) - {bounced}
    assert len(relay.seen) == 3


def test_a_letter_that_is_deferred_until_it_is_stale_expires(
    advice: App, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A letter that nobody takes for as long as the site says ends, unsent."""
    monkeypatch.setenv("PAPERROUND_DELIVERY__EXPIRE_AFTER_HOURS", "12")
    site = open_app(advice.settings.folder, clock)
    (delivery,) = plan(site, 1)
    with Postmaster(answers=["451 4.7.1 Not now"] * 100) as relay:
        while not (report := send(site, relay.port)).tally.expired:
            clock.now = row(advice, delivery).due_at
    site.close()
    assert report.tally.expired == 1
    assert states(advice) == {delivery: State.EXPIRED}
    assert receipts(advice) == set()
    assert len(relay.seen) == len(attempts(advice, delivery)) > 5


def test_connections_work_side_by_side_and_are_kept(advice: App) -> None:
    """Three connections: three letters on the wire at once, and no fourth connection for a dozen letters."""
    plan(advice, 12)
    sessions: set[int] = set()

    class Three(Postmaster):
        async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
            sessions.add(session.peer[1])
            return await super().handle_DATA(server, session, envelope)

        async def meanwhile(self) -> None:
            await self.all_here.wait()  # answers nobody until three wait for an answer

    with Three() as relay:
        relay.all_here = asyncio.Barrier(3)  # type: ignore[attr-defined]
        report = send(advice, relay.port, connections=3)
    assert report.tally.states == {State.SENT: 12}
    assert len(sessions) == 3


def test_a_few_letters_open_few_connections(advice: App) -> None:
    """A connection is opened when there is a letter for it, not before."""
    plan(advice, 2)
    server = ScriptedServer()
    scripted_pass(advice, server, connections=10)
    assert server.connections <= 2
    assert len(server.accepted) == 2


def test_a_relay_that_takes_fewer_connections_than_are_set_gets_every_letter(advice: App) -> None:
    """A connection that is refused hands its letter to those that are open; the pass is no failure."""
    plan(advice, 6)

    class OneAtATime(ScriptedServer):
        def _reply(self, verb: str) -> bytes:
            if verb == "" and self.connections > 1:
                return b"421 4.7.0 Too many connections\r\n"
            return super()._reply(verb)

    server = OneAtATime()
    report = scripted_pass(advice, server, connections=4)
    assert report.tally.states == {State.SENT: 6}
    assert report.tally.relay_error is None
    assert server.connections == 4


def test_told_to_stop_it_finishes_the_letters_in_flight(advice: App) -> None:
    """What is on the wire is waited for and recorded; the rest is queued again at once, claimed by nobody."""
    plan(advice, 8)
    stop = Event()

    class Stopping(Postmaster):
        async def meanwhile(self) -> None:
            await self.both_here.wait()
            stop.set()

    with Stopping() as relay:
        relay.both_here = asyncio.Barrier(2)  # type: ignore[attr-defined]
        report = send(advice, relay.port, connections=2, stop=stop)
    assert report.tally.states == {State.SENT: 2}
    assert report.tally.relay_error is None
    assert sorted(states(advice).values()) == [State.QUEUED] * 6 + [State.SENT] * 2
    assert len(relay.accepted) == 2
    with advice.database.read() as session:
        assert None not in session.execute(select(col(Owner.ended_at))).scalars().all()
    with Postmaster() as relay:
        assert send(advice, relay.port).tally.states == {State.SENT: 6}


@pytest.mark.parametrize("loss", [EOF, RESET, b"421 4.4.2 Idle for too long\r\n"])
def test_a_kept_connection_that_was_closed_is_opened_anew_and_not_counted(advice: App, loss: bytes) -> None:
    """A relay that takes one letter a connection gets them all, each at its first try."""
    ids = plan(advice, 4)
    server = ScriptedServer()
    server.after["."] = loss
    report = scripted_pass(advice, server)
    assert report.tally.states == {State.SENT: 4}
    assert len(server.accepted) == 4
    assert server.connections >= 4
    assert all(row(advice, delivery).attempts == 1 for delivery in ids)


def test_a_relay_that_ends_every_connection_counts_as_down(advice: App) -> None:
    """Closed at MAIL each time, the pass ends with an error that says so; nothing counts against a reader."""
    ids = plan(advice, 2)
    server = ScriptedServer()
    server.replies["MAIL"] = EOF
    tally = scripted_pass(advice, server).tally
    assert not tally.states
    assert "ends every connection" in str(tally.relay_error)
    assert states(advice) == dict.fromkeys(ids, State.QUEUED)
    assert all(row(advice, delivery).attempts == 0 for delivery in ids)


def test_one_who_leaves_while_letters_go_gets_none(advice: App) -> None:
    """Claimed already, the letter of a reader who leaves before its turn is never written."""
    ids = plan(advice, 2)

    class Leaving(Postmaster):
        async def meanwhile(self) -> None:
            with advice.database.write() as session:
                found = session.get_one(Delivery, ids[1])
                reader = found.subscriber_id
                leave(session, reader, ["advice"], Permission("page"), LedgerLetters(), now=found.due_at)

    with Leaving() as relay:
        report = send(advice, relay.port)
    assert [letter.recipient for letter in relay.seen] == ["reader0@example.net"]
    assert report.tally.states == {State.SENT: 1, State.CANCELLED: 1}
    assert states(advice) == {ids[0]: State.SENT, ids[1]: State.CANCELLED}


@contextmanager
def locked(url: str) -> Iterator[Any]:
    """Gives a function that locks the database against writers, as another process would."""
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        yield lambda: connection.execute("BEGIN IMMEDIATE")
        connection.close()
        return
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as other:
        yield lambda: other.execute(text("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE"))
    engine.dispose()


def test_when_the_books_cannot_be_kept_nothing_goes(
    advice: App, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locked in the middle of a pass: one clear error, no letter without a record, and all goes on later."""
    plan(advice, 30)
    monkeypatch.setattr(database_module, "BUSY_SECONDS", 1)
    site = open_app(advice.settings.folder, advice.clock)
    with locked(database_url) as lock:

        class Locking(Postmaster):
            async def meanwhile(self) -> None:
                if len(self.seen) == 3:
                    lock()

        with Locking() as relay:
            with pytest.raises(DatabaseError, match="locked by another process"):
                send(site, relay.port, connections=2)
            # The letters that were on the wire, and none after them.
            assert len(relay.seen) <= 4
            lost = {letter.recipient for letter in relay.seen[1:]}
    with Postmaster() as relay_later:
        in_doubt = take_over(site, relay_later.port)
    site.close()
    got = [letter.recipient for letter in relay.accepted + relay_later.accepted]
    assert set(got) == {f"reader{place}@example.net" for place in range(30)}
    assert {recipient for recipient in got if got.count(recipient) > 1} <= in_doubt <= lost
    assert set(states(advice).values()) == {State.SENT}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_server_that_goes_away_ends_the_pass(advice: App, database_url: str) -> None:
    """Cut off from its books in the middle, the pass says so and sends no more; the next one takes over."""
    plan(advice, 10)
    engine = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"

    class Cutting(Postmaster):
        async def meanwhile(self) -> None:
            if len(self.seen) == 3:
                with engine.connect() as connection:
                    connection.execute(text(f"{cut} AND pid <> pg_backend_pid()"))

    with Cutting() as relay, pytest.raises(DatabaseError, match="the database"):
        send(advice, relay.port)
    assert len(relay.seen) == 3
    engine.dispose()
    with Postmaster() as later:
        in_doubt = take_over(advice, later.port)
    got = [letter.recipient for letter in relay.accepted + later.accepted]
    assert set(got) == {f"reader{place}@example.net" for place in range(10)}
    assert in_doubt == {"reader2@example.net"}
    assert set(states(advice).values()) == {State.SENT}


def test_a_password_that_cannot_be_had_opens_no_connection(advice: App) -> None:
    """It is asked for before any letter is on its way: nobody's letter comes into doubt by it."""
    plan(advice, 3)
    with Postmaster() as relay:
        settings = relay_on(relay.port, 3).model_copy(update={"user": "ann", "password_command": "false"})
        with pytest.raises(SettingsError, match="password_command of 127"):
            advice.send_due([Relay(settings)], Event())
        assert relay.seen == []
    assert set(states(advice).values()) == {State.QUEUED}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_full_disk_at_the_start_of_a_pass_shuts_nobody_out(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the books can be opened again, the same process opens them: no lock is left behind."""
    plan(advice, 2)
    database = advice.database
    real = ownership._FileLock.take

    def full(self: ownership._FileLock) -> bool:
        real(self)
        raise OSError(28, "No space left on device")

    with Postmaster() as relay:
        monkeypatch.setattr(ownership._FileLock, "take", full)
        with pytest.raises(OSError, match="No space left"):
            send(advice, relay.port)
        monkeypatch.setattr(ownership._FileLock, "take", real)
        send(advice, relay.port)
        assert len(relay.accepted) == 2
    assert database is advice.database
    assert set(states(advice).values()) == {State.SENT}


def test_nothing_due_touches_nothing(advice: App) -> None:
    """A pass without work does not even open its books, however often it comes."""
    assert send(advice, 1).tally.states == {}
    with advice.database.read() as session:
        assert session.execute(select(Owner)).all() == []


def test_what_a_living_process_has_in_hand_starts_no_pass(advice: App) -> None:
    """While it lives nobody opens books for its letters; once it is dead the next pass sends them."""
    plan(advice, 2)
    with Postmaster() as relay:
        with dying(advice) as other:
            assert len(other.claim(2, DUE)) == 2
            assert send(advice, relay.port) == SendReport()
            with advice.database.read() as session:
                assert session.execute(select(col(Owner.id))).scalars().all() == [other.owner_id]
        send(advice, relay.port)
        assert len(relay.accepted) == 2


def test_the_sandbox_is_a_relay_like_any_other(advice: App) -> None:
    """The default relay of a site takes an issue, a folder a reader."""
    plan(advice, 3)
    with advice.open_relays() as relays:
        report = advice.send_due(relays, Event())
    kept = sorted(path.parent.name for path in Path(advice.settings.sandbox_folder).glob("*/*.eml"))
    assert report.tally.states == {State.SENT: 3}
    assert kept == ["reader0@example.net", "reader1@example.net", "reader2@example.net"]


def test_an_issue_whose_letters_cannot_be_made_is_halted_and_the_others_go(advice: App, clock: Clock) -> None:
    """A picture that is gone stops its own issue, which says why, and nothing else; resumed, it goes out."""
    ids = plan(advice, 4)
    with advice.database.write() as session:
        edition = session.get_one(Edition, 1)
        headers = edition.headers
        edition.headers = headers.replace('"pictures": []', '"pictures": ["gone.png"]')
        assert edition.headers != headers
        session.get_one(Issue, 1).expires_at += timedelta(days=30)
    queue_post(advice, "two")
    clock.now += timedelta(days=7)
    with Postmaster() as relay:
        advice.plan_due()
        report = send(advice, relay.port)
    assert report.tally.states == {State.SENT: 4}
    (verdict,) = report.tally.verdicts
    assert "gone.png" in verdict.reason
    with advice.database.write() as session:
        issue = session.get_one(Issue, 1)
        assert (issue.state, "gone.png" in issue.reason) == (IssueState.PAUSED, True)
        issue.state = IssueState.PLANNED
        session.get_one(Edition, 1).headers = headers
    assert {states(advice)[delivery] for delivery in ids} == {State.QUEUED}
    with Postmaster() as relay:
        assert send(advice, relay.port).tally.states == {State.SENT: 4}


def test_a_pass_never_reads_the_whole_history(advice: App, clock: Clock) -> None:
    """No statement of a pass walks through all deliveries: it costs the same after years of issues."""
    if not advice.database.is_sqlite:
        pytest.skip("SQLite says how it will find rows, whatever there is to find")
    plan(advice, 3)
    said: dict[str, Any] = {}

    def listen(connection: Any, cursor: Any, statement: str, parameters: Any, *more: Any) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            said[statement] = parameters[0] if isinstance(parameters, list) else parameters

    event.listen(advice.database.engine, "before_cursor_execute", listen)
    with Postmaster(answers=["450 4.2.1 Not now", "550 5.1.1 Nobody"]) as relay:
        send(advice, relay.port)
        clock.now += timedelta(hours=1)
        send(advice, relay.port)
        clock.now += timedelta(days=30)
        send(advice, relay.port)
    event.remove(advice.database.engine, "before_cursor_execute", listen)
    assert len(said) > 10
    with advice.database.engine.connect() as connection:
        for statement, parameters in said.items():
            steps = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert not [step for step in steps if re.match(r"SCAN delivery\b(?! USING COVERING)", step[3])], (
                statement
            )


def fail_at_claim(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of four letters, and a database that is locked when one of them, counted from 0, is claimed."""
    monkeypatch.setattr(supply, "_PAGE", 4)
    claim, claims = Ledger.claim, count()

    def failing(self: Ledger, *arguments: Any) -> list[ClaimedDelivery]:
        if next(claims) == number:
            raise DatabaseError("the database is locked")
        return claim(self, *arguments)

    monkeypatch.setattr(Ledger, "claim", failing)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_letters_that_have_leave_go_though_no_more_can_be_claimed(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that fails ends the pass; what is marked as on its way does go, and its answer is recorded."""
    plan(advice, 12)
    fail_at_claim(2, monkeypatch)
    with Postmaster() as relay:
        with pytest.raises(DatabaseError, match="is locked"):
            send(advice, relay.port, connections=3)
        assert len(relay.accepted) >= 6
        found = Counter(states(advice).values())
        assert found == {State.SENT: len(relay.accepted), State.QUEUED: 12 - len(relay.accepted)}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_failed_pass_does_not_wait_for_a_relay_that_does_not_greet(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is still being opened is given up; it might have taken five minutes."""
    plan(advice, 12)
    fail_at_claim(1, monkeypatch)
    with Postmaster() as relay, socket.create_server(("127.0.0.1", 0)) as silent:
        relays = [Relay(relay_on(relay.port)), Relay(relay_on(silent.getsockname()[1]))]
        with pytest.raises(DatabaseError, match="is locked"):
            advice.send_due(relays, Event())
    assert State.SENDING not in states(advice).values()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_doubts_are_told_before_anything_else_can_go_wrong(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass that takes over and then fails has named them all: told, in the log, and on record for ever."""
    ids = plan(advice, 3)
    log = advice.settings.folder / "log.jsonl"
    monkeypatch.setattr(advice, "_log", Log(log, advice.clock, is_debug=False))
    with dying(advice) as dead:
        dead.claim(3, DUE)
        dead.settle(ids[:2], [])
    told: list[Recovered] = []

    def fail(self: Ledger, now: object, most: int) -> int:
        raise DatabaseError("the database is locked")

    monkeypatch.setattr(Ledger, "expire", fail)
    with Postmaster() as relay, pytest.raises(DatabaseError, match="is locked"):
        advice.send_due([Relay(relay_on(relay.port))], Event(), recovered=told.append)
    assert [delivery for delivery, _ in told[0].in_doubt] == ids[:2]
    logged = map(json.loads, log.read_text("utf-8").splitlines())
    assert [(one["event"], one["delivery"]) for one in logged] == [
        ("letter.in_doubt", ids[0]),
        ("letter.in_doubt", ids[1]),
    ]
    monkeypatch.undo()
    with Postmaster() as relay:
        send(advice, relay.port)
        assert len(relay.accepted) == 3
    with advice.database.read() as session:
        assert [one.delivery.id for one in deliveries(session, were_doubted=True)] == ids[:2]
