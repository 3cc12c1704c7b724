"""Whole passes: pace, several relays, policy, and the right state for whatever a relay does."""

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlmodel import col

from newsletter.app import App, open_app
from newsletter.delivery import upkeep
from newsletter.delivery.dispatcher import Dispatcher, Tally
from newsletter.delivery.issues import resume, retry_failed
from newsletter.delivery.pace import Limits
from newsletter.errors import DatabaseError
from newsletter.log import open_log
from newsletter.models import Attempt, Delivery, Issue, Verdict
from newsletter.states import DeliveryState, Fault, IssueState
from subscribers.models import Subscriber
from tests.conftest import Clock
from tests.delivery.bigissue import queue_post
from tests.delivery.passes import (
    EOF,
    BufferingRelay,
    ControlledRelay,
    Transaction,
    asyncio,
    clock,
    jumping,
    one_pass,
    plan_for,
)
from tests.delivery.test_ledger import DUE, dying
from tests.running import ON_SQLITE

State = DeliveryState
"""For what has nothing to do with the kind of database."""


def readers(number: int, domain: str = "example.net") -> list[str]:
    return sorted(f"reader{place}@{domain}" for place in range(number))


def letters(site: App) -> dict[str, Delivery]:
    """Every letter by its reader's address."""
    with site.database.read() as session:
        found = select(col(Subscriber.address), Delivery).join(
            Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
        )
        return {row[0]: row[1] for row in session.execute(found)}


def states(site: App) -> Counter[str]:
    return Counter(letter.state for letter in letters(site).values())


def tries(site: App) -> list[Attempt]:
    with site.database.read() as session:
        return list(session.execute(select(Attempt).order_by(col(Attempt.id))).scalars())


def most_in_a_minute(transactions: Sequence[Transaction]) -> int:
    went = [one.at for one in transactions]
    return max(bisect_left(went, at + 60 - 0.01) - place for place, at in enumerate(went))


# Pace.


@ON_SQLITE
def test_no_minute_has_more_letters_than_the_site_allows(advice: App) -> None:
    """With every letter due at once and many connections: the limit is kept, and used."""
    plan_for(advice, readers(250))

    async def scenario() -> ControlledRelay:
        async with ControlledRelay() as server:
            await one_pass(advice, server.relay(10), limits=Limits(per_minute=100))
            return server

    server = jumping(scenario)
    assert server.recipients == readers(250)
    assert 95 <= most_in_a_minute(server.accepted) <= 100
    assert 120 < server.accepted[-1].at < 180


@ON_SQLITE
def test_a_slow_domain_is_spared_and_holds_up_nobody(advice: App) -> None:
    """Its letters go at its pace, over several passes if need be; put off is not tried. Others go at once."""
    slow, others = readers(80, "slow.example"), readers(40, "example.org")
    plan_for(advice, [*slow, *others])
    limits = Limits(domain_per_minute={"slow.example": 60})

    async def scenario() -> ControlledRelay:
        async with ControlledRelay() as server:
            relay = server.relay()
            await one_pass(advice, relay, limits=limits)
            left = [letter for letter in letters(advice).values() if letter.state != State.SENT]
            assert 0 < len(left) < 40
            assert {letter.state for letter in left} == {State.QUEUED}
            assert all(letter.attempts == 0 and letter.due_at > clock() for letter in left)
            while states(advice)[State.QUEUED]:
                await asyncio.sleep(1)
                await one_pass(advice, relay, limits=limits)
            return server

    server = jumping(scenario)
    assert server.recipients == sorted([*slow, *others])
    by_domain = {
        domain: [one for one in server.accepted if one.recipient.endswith(domain)]
        for domain in ("slow.example", "example.org")
    }
    assert by_domain["example.org"][-1].at < 2
    assert most_in_a_minute(by_domain["slow.example"]) <= 60
    assert by_domain["slow.example"][-1].at < 79 + 10


@ON_SQLITE
def test_what_falls_due_while_others_wait_for_their_pace_goes_at_once(advice: App) -> None:
    """A pass that lasts for the sake of a slow domain looks for other letters meanwhile."""
    plan_for(advice, [*readers(8, "slow.example"), "late@example.org"])
    with advice.database.write() as session:
        late = letters(advice)["late@example.org"].id
        session.execute(update(Delivery).where(col(Delivery.id) == late).values(state=State.HELD))

    async def scenario() -> ControlledRelay:
        async with ControlledRelay() as server:
            limits = Limits(domain_per_minute={"slow.example": 6})
            passing = asyncio.create_task(one_pass(advice, server.relay(), limits=limits))
            await asyncio.sleep(30)
            with advice.database.write() as session:
                held = update(Delivery).where(col(Delivery.state) == State.HELD)
                session.execute(held.values(state=State.QUEUED))
            await passing
            return server

    server = jumping(scenario)
    (late_letter,) = (one for one in server.accepted if one.recipient == "late@example.org")
    assert 30 <= late_letter.at < 32
    assert len(server.accepted) == 9


# Relays.


@ON_SQLITE
def test_a_relay_that_wants_fewer_connections_gets_fewer_and_every_letter(advice: App) -> None:
    """421 4.7.0 beyond two connections: soon it is not said any more, and nothing counts as a failure."""
    plan_for(advice, readers(300))
    at_work: set[int] = set()

    def says(verb: str, transaction: Transaction) -> bytes | None:
        if verb == "MAIL" and server.open_now > 2 and transaction.connection not in at_work:
            return b"421 4.7.0 Too many connections"
        at_work.add(transaction.connection)
        return None

    server = ControlledRelay(says)

    async def scenario() -> tuple[Tally, int]:
        async with server:
            relay = server.relay(20)
            return await one_pass(advice, relay), relay.concurrency.wanted

    tally, wanted = jumping(scenario)
    assert tally.states == {State.SENT: 300}
    assert tally.relay_error is None
    assert server.recipients == readers(300)
    assert {letter.attempts for letter in letters(advice).values()} == {1}
    assert wanted <= 5
    assert len(server.transactions) - 300 < 15


@ON_SQLITE
def test_easing_off_ends_some_connections_and_not_all(advice: App) -> None:
    """Told once to ease off, those that stay go on: no connection is opened in their place."""
    plan_for(advice, readers(200))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return b"451 4.7.0 Slow down" if verb == "RCPT" and transaction.number == 60 else None

    server = ControlledRelay(says)

    async def scenario() -> Tally:
        async with server:
            return await one_pass(advice, server.relay(8))

    tally = jumping(scenario)
    assert tally.states == {State.SENT: 199, State.DEFERRED: 1}
    after = {one.connection for one in server.transactions if 80 < one.number < 90}
    assert len(after) >= 3
    assert after <= set(range(8))


@ON_SQLITE
@pytest.mark.parametrize("most", [1, 3])
def test_relays_that_close_after_a_few_letters_are_not_down(advice: App, most: int) -> None:
    """However many connections end at the same moment: each did its work."""
    plan_for(advice, readers(60))
    taken: Counter[int] = Counter()

    def says(verb: str, transaction: Transaction) -> bytes | None:
        if verb == "MAIL" and taken[transaction.connection] >= most:
            return EOF
        taken[transaction.connection] += verb == "."
        return None

    async def scenario() -> Tally:
        async with ControlledRelay(says) as server:
            return await one_pass(advice, server.relay(8))

    tally = jumping(scenario)
    assert tally.states == {State.SENT: 60}
    assert tally.relay_error is None


def test_one_of_two_relays_dies_and_the_other_takes_over(advice: App) -> None:
    """Shares follow the weights; all letters arrive, twice only what was in doubt; tries name the relay."""
    plan_for(advice, readers(200))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        if verb == "." and len(dying.accepted) == 60:
            dying.die()
        return None

    dying, steady = ControlledRelay(says), ControlledRelay()

    async def scenario() -> tuple[Tally, set[str], list[str]]:
        async with dying, steady:
            relays = dying.relay(4, weight=3), steady.relay(4, weight=1)
            tally = await one_pass(advice, *relays)
            doubtful = {address for address, one in letters(advice).items() if one.state == State.IN_DOUBT}
            assert states(advice)[State.SENT] + len(doubtful) == 200
            await asyncio.sleep(3600)
            await one_pass(advice, *relays)
            return tally, doubtful, [relay.name for relay in relays]

    tally, doubtful, names = jumping(scenario)
    assert tally.relay_error is None
    assert 1 <= len(doubtful) <= 4
    assert len(dying.accepted) == 60
    arrived = Counter(one.recipient for one in dying.transactions + steady.transactions if one.is_accepted)
    arrived.update(one.recipient for one in dying.transactions if one.is_swallowed)
    assert set(arrived) == set(readers(200))
    assert {address for address, times in arrived.items() if times > 1} <= doubtful
    assert states(advice) == {State.SENT: 200}
    sent_by = Counter(attempt.relay for attempt in tries(advice) if attempt.outcome == State.SENT)
    assert sent_by == {names[0]: 60, names[1]: 140}


@ON_SQLITE
def test_shares_of_two_relays_follow_their_weights(advice: App) -> None:
    """Three of four letters go by the one, however fast the other is."""
    plan_for(advice, readers(400))

    async def scenario() -> list[int]:
        async with ControlledRelay() as first, ControlledRelay() as second:
            await one_pass(advice, first.relay(1, weight=3), second.relay(20, weight=1))
            return [len(first.accepted), len(second.accepted)]

    first, second = jumping(scenario)
    assert first + second == 400
    assert abs(first - 300) < 15


@ON_SQLITE
def test_a_relay_that_comes_back_is_used_again_in_the_same_pass(advice: App) -> None:
    """Its first share of letters goes by the other meanwhile; later ones go their own way again."""
    plan_for(advice, readers(300))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        is_down = 20 <= clock().second < 40 and clock().minute == 0
        return EOF if verb == "MAIL" and is_down else None

    async def scenario() -> tuple[ControlledRelay, ControlledRelay, int]:
        async with ControlledRelay(says) as shaky, ControlledRelay() as steady:
            relays = shaky.relay(), steady.relay()
            tally = await one_pass(advice, *relays, limits=Limits(per_minute=200))
            return shaky, steady, tally.states[State.SENT]

    shaky, steady, sent = jumping(scenario)
    assert sent == 300
    assert sorted(shaky.recipients + steady.recipients) == readers(300)
    assert [one for one in shaky.accepted if 20 <= one.at < 40] == []
    assert len([one for one in shaky.accepted if one.at > 65]) > 15


# Policy.


@ON_SQLITE
def test_a_relay_that_takes_nothing_is_down_and_not_called_distrustful(advice: App) -> None:
    """503 for everybody, at one domain: a few letters bounce, no domain is blamed, and no word of policy."""
    plan_for(advice, readers(200))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return b"503 5.5.1 Bad sequence" if verb == "RCPT" else None

    async def scenario() -> Tally:
        async with ControlledRelay(says) as server:
            return await one_pass(advice, server.relay(20))

    tally = jumping(scenario)
    assert 10 <= states(advice)[State.BOUNCED] < 40
    assert tally.resting == {}
    assert "refuses letter after letter (503 5.5.1 Bad sequence); see the relay's" in str(tally.relay_error)


@pytest.mark.parametrize("many_domains", [True, False])
def test_a_relay_that_trusts_us_no_more_touches_few_readers(advice: App, many_domains: bool) -> None:
    """5.7.1 for everybody: a few letters bounce, for policy, and the others stay; a person retries them."""
    addresses = [f"reader@domain{place if many_domains else 0}.example" for place in range(200)]
    addresses = [f"{place}{address}" for place, address in enumerate(addresses)]
    plan_for(advice, addresses)
    is_trusted = False

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return b"550 5.7.1 We do not know you" if verb == "RCPT" and not is_trusted else None

    async def scenario() -> tuple[ControlledRelay, Tally]:
        nonlocal is_trusted
        async with ControlledRelay(says) as server:
            relay = server.relay(20)
            tally = await one_pass(advice, relay)
            assert states(advice).keys() == {State.QUEUED, State.BOUNCED}
            assert states(advice)[State.BOUNCED] == len(server.transactions) < 40
            with advice.database.write() as session:
                issue = session.execute(select(col(Issue.id))).scalar_one()
                asked = retry_failed(
                    advice.database, session, issue, also_readers_fault=False, now=clock(),
                    expiry=advice.planner._expiry,
                )  # fmt: skip
            assert asked.queued == len(server.transactions)
            is_trusted = True
            await asyncio.sleep(3600)
            await one_pass(advice, relay)
            return server, tally

    server, tally = jumping(scenario)
    if many_domains:
        assert "refuses letter after letter for policy (550 5.7.1 We do not know you)" in str(
            tally.relay_error
        )
    else:
        assert tally.resting == {"domain0.example": "550 5.7.1 We do not know you"}
        assert tally.relay_error is None
    assert server.recipients == sorted(addresses)
    bounced = [attempt for attempt in tries(advice) if attempt.outcome == State.BOUNCED]
    assert len(bounced) == len(server.transactions) - 200


@ON_SQLITE
def test_a_domain_that_refuses_for_policy_is_left_alone_and_the_others_are_not(advice: App) -> None:
    """After three refusals, and what was on its way then, its letters wait ten minutes, untried."""
    wary, others = readers(80, "wary.example"), readers(80, "example.org")
    plan_for(advice, [*wary, *others])

    def says(verb: str, transaction: Transaction) -> bytes | None:
        is_wary = transaction.recipient.endswith("@wary.example") and clock().hour == 8
        return b"550 5.7.26 Not authenticated" if verb == "RCPT" and is_wary else None

    async def scenario() -> tuple[ControlledRelay, Tally]:
        async with ControlledRelay(says) as server:
            relay = server.relay(4)
            tally = await one_pass(advice, relay)
            left = [letters(advice)[address] for address in wary]
            refused = [letter for letter in left if letter.state == State.BOUNCED]
            put_off = [letter for letter in left if letter.state == State.QUEUED]
            assert 3 <= len(refused) <= 3 + 4
            assert {letter.fault for letter in refused} == {Fault.POLICY}
            assert len(refused) + len(put_off) == 80
            assert {letter.attempts for letter in put_off} == {0}
            assert all(590 <= (one.due_at - clock()).total_seconds() <= 601 for one in put_off)
            await asyncio.sleep(3600)
            await one_pass(advice, relay)
            return server, tally

    server, tally = jumping(scenario)
    assert tally.states[State.SENT] == 80
    assert tally.resting == {"wary.example": "550 5.7.26 Not authenticated"}
    assert tally.relay_error is None
    bounced = {address for address, letter in letters(advice).items() if letter.state == State.BOUNCED}
    assert set(server.recipients) == {*wary, *others} - bounced


@ON_SQLITE
def test_a_lasting_refusal_is_never_repeated_unasked(advice: App) -> None:
    """Through days of passes, each reader who was refused for good is spoken of once."""
    plan_for(advice, readers(6))
    words = {
        "reader0@example.net": ("RCPT", b"550 5.1.1 Nobody"),
        "reader1@example.net": ("DATA", b"554 5.5.0 No"),
        "reader2@example.net": (".", b"552 5.2.2 Full"),
        "reader3@example.net": ("RCPT", b"553 5.7.1 No"),
    }

    def says(verb: str, transaction: Transaction) -> bytes | None:
        stage, reply = words.get(transaction.recipient, ("", b""))
        return reply if verb == stage else None

    async def scenario() -> ControlledRelay:
        async with ControlledRelay(says) as server:
            for _ in range(20):
                await one_pass(advice, server.relay())
                await asyncio.sleep(6 * 3600)
            return server

    server = jumping(scenario)
    assert Counter(one.recipient for one in server.transactions) == Counter(readers(6))
    assert states(advice) == {State.SENT: 2, State.BOUNCED: 4}


@ON_SQLITE
@pytest.mark.parametrize(("stage", "reply"), [("RCPT", b"450 4.2.1 Later"), (".", b"452 4.3.1 Later")])
def test_a_passing_refusal_is_tried_again_the_same_and_ever_later(
    advice: App, stage: str, reply: bytes
) -> None:
    """The same envelope and the same bytes, if they went, with delays that grow to some hours."""
    plan_for(advice, readers(1))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return reply if verb == stage and transaction.number < 8 else None

    async def scenario() -> ControlledRelay:
        async with ControlledRelay(says) as server:
            while (letter := letters(advice)["reader0@example.net"]).state != State.SENT:
                await asyncio.sleep((letter.due_at - clock()).total_seconds())
                await one_pass(advice, server.relay())
            return server

    server = jumping(scenario)
    assert len(server.transactions) == 9
    assert len({one.recipient for one in server.transactions}) == 1
    assert len({one.content for one in server.transactions if one.content}) == 1
    times = [one.at for one in server.transactions]
    delays = [later - earlier for earlier, later in pairwise(times)]
    assert all(earlier < later for earlier, later in pairwise(delays[:5]))
    assert delays[0] >= 300
    assert all(3 * 3600 <= delay <= 3 * 3600 * 1.2 + 1 for delay in delays[4:])


# The first share.


def halting_site(advice: App, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setenv("PAPERROUND_DELIVERY__CANARY_PERCENT", "10")
    monkeypatch.setenv("PAPERROUND_DELIVERY__CANARY_WAIT_MINUTES", "0")
    return open_app(advice.settings.folder, advice.clock)


def test_an_issue_whose_first_share_bounces_halts_until_a_person_resumes_it(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else is bothered; it says why; then the rest goes, and nobody has two."""
    site = halting_site(advice, monkeypatch)
    plan_for(site, readers(100))
    is_wrong = True

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return b"550 5.1.1 Nobody" if verb == "RCPT" and is_wrong else None

    async def scenario() -> tuple[ControlledRelay, Tally]:
        nonlocal is_wrong
        async with ControlledRelay(says) as server:
            tally = await one_pass(site, server.relay())
            assert len(server.transactions) == 10
            assert states(site) == {State.BOUNCED: 10, State.QUEUED: 90}
            assert (await one_pass(site, server.relay())).states == {}
            is_wrong = False
            with site.database.write() as session:
                issue = session.execute(select(Issue)).scalar_one()
                assert (issue.state, issue.canary_every) == (IssueState.PAUSED, 10)
                resume(session, issue.id, now=clock(), expiry=site.planner._expiry)
            await one_pass(site, server.relay())
            return server, tally

    server, tally = jumping(scenario)
    site.close()
    (verdict,) = tally.verdicts
    assert not verdict.has_passed
    assert verdict.reason.startswith("of the first 10 letters 10 bounced")
    assert len(server.recipients) == len(set(server.recipients)) == 90
    assert states(advice) == {State.SENT: 90, State.BOUNCED: 10}


def test_an_issue_of_three_letters_is_tried_on_one(advice: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of one in ten is not nobody: what is taken badly is seen by a single reader."""
    site = halting_site(advice, monkeypatch)
    plan_for(site, readers(3))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        return b"550 5.7.1 No" if verb == "RCPT" else None

    async def scenario() -> Tally:
        async with ControlledRelay(says) as server:
            return await one_pass(site, server.relay())

    tally = jumping(scenario)
    site.close()
    assert [verdict.has_passed for verdict in tally.verdicts] == [False]
    assert states(advice) == {State.BOUNCED: 1, State.QUEUED: 2}


def test_a_first_share_that_is_taken_well_is_followed_by_the_others(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a wait within the same pass: the share first, then everybody."""
    site = halting_site(advice, monkeypatch)
    plan_for(site, readers(100))

    async def scenario() -> tuple[ControlledRelay, Tally]:
        async with ControlledRelay() as server:
            return server, await one_pass(site, server.relay())

    server, tally = jumping(scenario)
    site.close()
    assert [verdict.has_passed for verdict in tally.verdicts] == [True]
    assert server.recipients == readers(100)
    first = {address for address, letter in letters(advice).items() if letter.id % 10 == 0}
    assert {one.recipient for one in server.transactions[:10]} == first


@ON_SQLITE
def test_a_first_share_does_not_wait_for_another_issue_to_end(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside an issue that takes a minute at this pace its verdict is there within seconds."""
    site = halting_site(advice, monkeypatch)
    plan_for(site, readers(40))
    queue_post(site, "two")
    site.clock.now = DUE + timedelta(weeks=1)  # type: ignore[attr-defined]  # the test's clock
    site.plan_due()
    with site.database.write() as session:
        session.execute(update(Issue).values(due_at=DUE))
        session.execute(update(Issue).where(col(Issue.id) == 2).values(canary_every=None))
        session.execute(update(Delivery).values(due_at=DUE))
    waited: list[int] = []

    def says(verb: str, transaction: Transaction) -> None:
        with site.database.read() as session:
            if verb == "." and session.get_one(Issue, 1).canary_every is not None:
                waited.append(transaction.number)

    async def scenario() -> list[str]:
        async with ControlledRelay(says) as server:
            await one_pass(site, server.relay(1), limits=Limits(per_minute=60))
            return server.recipients

    recipients = jumping(scenario)
    site.close()
    assert recipients == sorted([*readers(40), *readers(40)])
    assert len(waited) < 20


# The log.


@ON_SQLITE
def test_the_log_knows_letters_by_their_number(
    advice: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line for each outcome, with relay and reply code, and nobody's address in it."""
    monkeypatch.setenv("PAPERROUND_LOG__TO", str(tmp_path / "log.jsonl"))
    site = open_app(advice.settings.folder, advice.clock)
    plan_for(site, readers(5))

    def says(verb: str, transaction: Transaction) -> bytes | None:
        is_gone = transaction.recipient == "reader3@example.net"
        return b"550 5.1.1 reader3@example.net is unknown" if verb == "RCPT" and is_gone else None

    async def scenario() -> str:
        async with ControlledRelay(says) as server:
            await one_pass(site, server.relay(), log=open_log(site.settings, clock))
            return server.relay().name

    name = jumping(scenario)
    site.close()
    written = (tmp_path / "log.jsonl").read_text()
    records = [record for line in written.splitlines() if "delivery" in (record := json.loads(line))]
    told = {record["delivery"]: record["event"] for record in records}
    assert told == {letter.id: f"letter.{letter.state}" for letter in letters(advice).values()}
    assert len(records) == 5
    assert {record["relay"] for record in records} == {name}
    assert {record.get("code") for record in records} == {250, 550}
    assert "@" not in written


# Whatever a relay does.

FATES = st.one_of(
    st.just(("", b"")),
    st.tuples(
        st.sampled_from(["MAIL", "RCPT", "DATA", "."]),
        st.sampled_from([EOF, b"421 4.3.2 Closing", b"451 4.3.0 Not now", b"550 5.1.1 No", b"554 5.6.0 No"]),
    ),
)


def right_state(transactions: Sequence[Transaction]) -> State:
    """What a letter's transactions within one pass make of it: one of them at most decides."""
    decided = [state for one in transactions if (state := decision(one)) is not None]
    assert len(decided) <= 1, "it was tried again after the relay had decided"
    return decided[0] if decided else State.QUEUED


def decision(transaction: Transaction) -> State | None:
    """What the relay's words in a transaction mean (RFC 5321 §4.2.1, §3.8); None if they mean nothing."""
    verb, reply = list(transaction.replies.items())[-1]
    if verb == ".":
        if reply == EOF:
            return State.IN_DOUBT
        return {b"2": State.SENT, b"4": State.DEFERRED, b"5": State.BOUNCED}[reply[:1]]
    refused = [(at, word) for at, word in transaction.replies.items() if word[:1] not in b"23"]
    if not refused:
        return None
    verb, reply = refused[0]
    if verb == "MAIL":
        return None
    return State.BOUNCED if reply.startswith(b"5") else State.DEFERRED


@ON_SQLITE
def test_each_letter_ends_in_the_right_state(advice: App) -> None:
    """Whatever the relay says to which, with a few connections, with and without PIPELINING."""
    plan_for(advice, readers(12))
    numbers = {address: letter.id for address, letter in letters(advice).items()}

    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(
        fates=st.lists(FATES, min_size=1, max_size=12),
        number=st.integers(1, 12),
        connections=st.integers(1, 4),
        pipelining=st.booleans(),
    )
    def walk(fates: list[tuple[str, bytes]], number: int, connections: int, pipelining: bool) -> None:
        chosen = readers(12)[:number]
        with advice.database.write() as session:
            session.execute(delete(Verdict))
            session.execute(delete(Attempt))
            session.execute(update(Issue).values(finished_at=None))
            fresh = {"owner_id": None, "attempts": 0, "doubted_at": None, "sent_at": None, "fault": None}
            session.execute(update(Delivery).values(state=State.HELD, due_at=clock_start, **fresh))
            ours = col(Delivery.id).in_([numbers[address] for address in chosen])
            session.execute(update(Delivery).where(ours).values(state=State.QUEUED))

        def says(verb: str, transaction: Transaction) -> bytes | None:
            at, reply = fates[transaction.number] if transaction.number < len(fates) else ("", b"")
            return reply if verb == at else None

        async def scenario() -> tuple[ControlledRelay, Tally]:
            async with ControlledRelay(says, pipelining=pipelining) as server:
                return server, await one_pass(advice, server.relay(connections))

        server, tally = jumping(scenario)
        found = letters(advice)
        refused_us = [
            one for one in server.transactions if one.replies["MAIL"][:4] in (b"451 ", b"550 ", b"554 ")
        ]
        at_mail = {attempt.delivery_id for attempt in tries(advice) if attempt.stage == "MAIL"}
        assert len(at_mail) == len(refused_us)
        for address in chosen:
            if numbers[address] in at_mail:
                assert found[address].state == State.DEFERRED
                continue
            of_reader = [one for one in server.transactions if one.recipient == address and one.replies]
            assert found[address].state == right_state(of_reader), address
            assert found[address].attempts == (found[address].state != State.QUEUED)
        doubtful = [one.connection for one in server.transactions if one.is_swallowed]
        assert len(doubtful) == len(set(doubtful)) == tally.states[State.IN_DOUBT]
        assert len(server.recipients) == len(set(server.recipients)) == tally.states[State.SENT]
        if tally.relay_error is None:
            assert State.QUEUED not in {found[address].state for address in chosen}

    clock_start = Clock().now
    walk()


@ON_SQLITE
def test_a_letter_that_a_relay_hangs_up_on_holds_up_nobody(advice: App) -> None:
    """After that it is asked about one command at a time: it is put off as by a 451, and the others go."""
    plan_for(advice, readers(20))
    poison = letters_in_order(advice)[0]

    async def scenario() -> None:
        async with BufferingRelay(poison) as server:
            await one_pass(advice, server.relay)
            assert sorted(server.recipients) == sorted(set(readers(20)) - {poison})
            assert server.connections < 8

    jumping(scenario)
    assert letters(advice)[poison].state == State.DEFERRED
    (attempt,) = [one for one in tries(advice) if one.outcome == State.DEFERRED]
    assert (attempt.stage, attempt.code) == ("RCPT", None)


def letters_in_order(site: App) -> list[str]:
    """Readers' addresses in the order of their letters."""
    return [address for address, _ in sorted(letters(site).items(), key=lambda pair: pair[1].id)]


# What is seen to while letters go.


@ON_SQLITE
def test_a_process_that_dies_is_taken_over_from_while_letters_go(advice: App) -> None:
    """Nobody waits for the end of a long pass: what the dead one had goes with the others."""
    plan_for(advice, readers(60))

    async def scenario() -> ControlledRelay:
        with dying(advice) as dead:
            assert len(dead.claim(20, DUE)) == 20
            async with ControlledRelay() as server:
                sending = asyncio.create_task(one_pass(advice, server.relay(), limits=Limits(60)))
                while len(server.recipients) < 5:
                    await asyncio.sleep(1)
                dead._ownership.release()
                await asyncio.sleep(6)
                assert not sending.done()
                assert all(letter.owner_id != dead.owner_id for letter in letters(advice).values())
                await sending
                return server

    server = jumping(scenario)
    assert server.recipients == readers(60)
    assert states(advice) == {State.SENT: 60}


@ON_SQLITE
def test_letters_become_stale_while_others_go(advice: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue whose time runs out in the middle of a pass ends there, however long the pass goes on."""
    monkeypatch.setattr(upkeep, "_STALE", 150)
    plan_for(advice, readers(1000))
    with advice.database.write() as session:
        session.execute(update(Issue).values(expires_at=DUE + timedelta(seconds=100)))

    async def scenario() -> tuple[ControlledRelay, Tally]:
        async with ControlledRelay() as server:
            sending = asyncio.create_task(one_pass(advice, server.relay(), limits=Limits(60)))
            await asyncio.sleep(110)
            assert not sending.done()
            assert states(advice)[State.EXPIRED] >= 300
            return server, await sending

    server, tally = jumping(scenario)
    assert states(advice) == {State.SENT: len(server.recipients), State.EXPIRED: tally.expired}
    assert tally.expired == 1000 - len(server.recipients) >= 300


@ON_SQLITE
def test_two_senders_share_the_pace(advice: App) -> None:
    """While another process sends, this one goes at half the pace; afterwards at the whole of it."""
    plan_for(advice, readers(300))

    async def scenario() -> ControlledRelay:
        async with ControlledRelay() as server:
            with dying(advice) as other:
                sending = asyncio.create_task(one_pass(advice, server.relay(), limits=Limits(60)))
                while asyncio.get_running_loop().time() < 120:
                    await asyncio.sleep(1)
                assert 50 <= len(server.recipients) <= 60
                other._ownership.release()
            await sending
            return server

    server = jumping(scenario)
    assert len([one for one in server.accepted if 130 <= one.at < 190]) == 60


@ON_SQLITE
def test_a_pass_ends_whose_books_fail_as_it_opens_a_connection(
    advice: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is given up before its task has begun is not waited for."""
    plan_for(advice, readers(100))
    staff = Dispatcher._staff

    def staff_and_fail(self: Dispatcher) -> None:
        before = len(self._lines)
        staff(self)
        if len(self._lines) > before > 0:
            self._books_failed(DatabaseError("the disk is full"))

    monkeypatch.setattr(Dispatcher, "_staff", staff_and_fail)

    async def scenario() -> None:
        async with ControlledRelay() as server, asyncio.timeout(3600):
            await one_pass(advice, server.relay())

    with pytest.raises(DatabaseError, match="is full"):
        jumping(scenario)


@ON_SQLITE
@pytest.mark.parametrize("number", [2, 3, 6])
def test_a_pass_ends_whose_last_letters_wait_for_their_domain(advice: App, number: int) -> None:
    """A connection that is opened for a letter which an idle one then takes is given up, not waited for."""
    plan_for(advice, readers(number))

    async def scenario() -> ControlledRelay:
        async with ControlledRelay() as server, asyncio.timeout(3600):
            await one_pass(advice, server.relay(connections=20), limits=Limits(0, {"*": 60}))
            return server

    assert jumping(scenario).recipients == readers(number)
