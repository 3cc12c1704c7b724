"""Copyists: processes of their own that make copies, on whom no letter hangs."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from functools import partial

import psutil
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app import App
from newsletter.delivery import composer, copyists
from newsletter.delivery.copies import Master, Shelf, make_copy
from newsletter.delivery.copyist import Signers, framed
from newsletter.delivery.copyists import Copyists, Task, spare_cores
from newsletter.delivery.dkim import DkimKey, DkimSigner
from newsletter.delivery.dkim_keys import make_key
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.states import DeliveryState
from subscribers.tokens import TokenSigner
from tests.contract.transport import run
from tests.delivery.bigissue import (
    SLOT,
    end_of,
    make_readers,
    start_paperround,
    states,
    tick_until_done,
    twice,
)
from tests.delivery.recorder import Recorder
from tests.render.test_message import SLOTS, compiled

WORDS = f"Some words.\nTo {SLOTS.address}: {SLOTS.unsubscribe_url} {SLOTS.preferences_url}\n"
MASTER = Master(
    compiled(WORDS, f"<p>{WORDS}</p>"), "https://news.example.org", "example.org", "ann@example.org"
)
KEY = DkimKey("a", generate_private_key(65537, 1024))
SIGNED = Signers(TokenSigner(b"k" * 32), DkimSigner("example.org", [KEY]))
UNSIGNED = Signers(TokenSigner(b"k" * 32), None)
NAMES = ["Ann", None, "", "Zoë 漢字", 'a "b" <c>', "x" * 500, "=?utf-8?q?x?=", "\r\nBcc: eve@example.org"]

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Copyists have nothing to do with the kind of database."""
several_cores = pytest.mark.skipif(spare_cores() == 0, reason="a machine with one core engages no copyists")


def letters(number: int, edition: int = 1) -> list[ClaimedDelivery]:
    return [
        ClaimedDelivery(place, edition, f"reader{place}@example.net", NAMES[place % len(NAMES)], 0, 1)
        for place in range(1, number + 1)
    ]


class Desk:
    """Gathers what copyists hand in."""

    def __init__(self) -> None:
        self.handed_in: list[ClaimedDelivery] = []
        self._news = asyncio.Event()

    def take(self, letters: Sequence[ClaimedDelivery]) -> None:
        self.handed_in += letters
        self._news.set()

    async def have(self, number: int) -> list[ClaimedDelivery]:
        while len(self.handed_in) < number:
            self._news.clear()
            await self._news.wait()
        return self.handed_in


@asynccontextmanager
async def engaged(
    number: int, signers: Signers = SIGNED, patience: float = 60.0
) -> AsyncIterator[tuple[Copyists, Desk]]:
    desk = Desk()
    copyists = Copyists(number, signers, desk.take, patience=patience)
    try:
        yield copyists, desk
    finally:
        await copyists.close()


def processes(parent: int | None = None) -> list[psutil.Process]:
    """The copyists of a process."""
    children = psutil.Process(parent).children()
    return [child for child in children if any("copyist" in word for word in child.cmdline())]


async def until(something: Callable[[], object]) -> None:
    """Look every so often, in real time: another process is waited for."""
    while not something():
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("signers", [SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def test_a_copyist_makes_the_very_copies_that_the_sender_would(signers: Signers) -> None:
    """Whatever the reader's name: the same envelope and the same bytes, signature and all."""
    deliveries = letters(40)

    async def scenario() -> list[ClaimedDelivery]:
        async with engaged(2, signers) as (copyists, desk):
            for start in range(0, 40, 10):
                copyists.give(Task(1, MASTER, deliveries[start : start + 10]))
            return await desk.have(40)

    made = {letter.id: letter.copy for letter in run(scenario)}
    seal = signers.seal(MASTER)
    for letter in deliveries:
        copy = make_copy(
            MASTER, seal, signers.tokens, number=letter.id, address=letter.address, name=letter.name
        )
        there = made[letter.id]
        assert there is not None
        assert there.return_path == copy.return_path
        assert MASTER.message.joined(there.share) == MASTER.message.joined(copy.share)


def test_copyists_keep_a_few_editions_and_are_brought_the_others_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More editions than they keep, in turn and twice over: each letter is made from its own."""
    monkeypatch.setattr(copyists, "Shelf", partial(Shelf, 5 * MASTER.octets))
    number = 9
    masters = {
        edition: Master(
            compiled(f"Edition {edition}.", "<p>-</p>"), "https://e.example", "e.example", "a@e.example"
        )
        for edition in range(number)
    }
    tasks = [Task(edition, masters[edition], letters(1, edition)) for edition in [*range(number)] * 2]

    async def scenario() -> list[ClaimedDelivery]:
        async with engaged(1, UNSIGNED) as (hired, desk):
            for task in tasks:
                hired.give(task)
            return await desk.have(len(tasks))

    made = run(scenario)
    assert [letter.edition_id for letter in made] == [task.edition for task in tasks]
    for letter in made:
        assert letter.copy is not None
        message = message_from_bytes(
            masters[letter.edition_id].message.joined(letter.copy.share), policy=policy.default
        )
        text = message.get_body(("plain",))
        assert text is not None
        assert text.get_content().strip() == f"Edition {letter.edition_id}."


async def _killed() -> None:
    await until(processes)
    processes()[0].kill()


async def _stopped() -> None:
    await until(processes)
    processes()[0].suspend()


@pytest.mark.parametrize("trouble", [_killed, _stopped], ids=["killed", "stopped"])
def test_what_a_copyist_had_in_hand_comes_back_if_it_goes(
    trouble: Callable[[Copyists], Awaitable[None]],
) -> None:
    """Killed, or stopped for longer than anybody waits: every letter is handed in once, made or unmade."""
    deliveries = letters(3000)

    async def scenario() -> None:
        async with engaged(1, patience=0.5) as (copyists, desk):
            for start in range(0, 3000, 50):
                copyists.give(Task(1, MASTER, deliveries[start : start + 50]))
            await trouble()
            handed_in = await desk.have(3000)
            assert sorted(letter.id for letter in handed_in) == [letter.id for letter in deliveries]
            assert any(letter.copy is None for letter in handed_in)
            assert not copyists.are_there

    run(scenario)


def test_where_no_process_can_be_started_letters_come_back_unmade(monkeypatch: pytest.MonkeyPatch) -> None:
    """No interpreter, no memory: nobody is there, and nothing waits for them."""
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    async def scenario() -> None:
        async with engaged(2) as (copyists, desk):
            copyists.give(Task(1, MASTER, letters(5)))
            assert [letter.copy for letter in await desk.have(5)] == [None] * 5
            assert not copyists.are_there

    run(scenario)


def test_closing_leaves_no_process_behind_and_tells_nothing_more() -> None:
    """Also in the middle of their work."""

    async def scenario() -> None:
        async with engaged(2) as (copyists, desk):
            for _ in range(100):
                copyists.give(Task(1, MASTER, letters(50)))
            await until(lambda: desk.handed_in)
            await copyists.close()
            told = len(desk.handed_in)
            await asyncio.sleep(0)
            assert len(desk.handed_in) == told
            assert processes() == []

    run(scenario)


def test_a_copyist_is_light() -> None:
    """It knows neither the database nor the settings nor how posts are read: each takes little memory."""
    program = "import newsletter.delivery.copyist, newsletter.delivery.dkim, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert {"sqlalchemy", "pydantic", "markdown", "asyncio"}.isdisjoint(loaded.split())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 100)), max_size=60))
def test_a_shelf_holds_no_more_than_it_may(taken: list[tuple[int, int]]) -> None:
    """The last edition is there, and of the others, by their last use, as many as fit with it."""
    shelf, sizes, there = Shelf(100), dict(taken), list[int]()
    for edition, _ in taken:
        away = shelf.take(edition, sizes[edition])
        there = [one for one in [*(x for x in there if x != edition), edition] if one not in away]
        assert all((one in shelf) == (one in there) for one in range(10))
        assert edition in shelf
        assert len(there) == 1 or sum(sizes[one] for one in there) <= 100
        assert not away or sum(sizes[one] for one in [away[-1], *there]) > 100


def test_keys_are_not_shown() -> None:
    """What is given to copyists holds the site's secrets; printed, it does not show them."""
    assert "kkkk" not in repr(SIGNED)
    assert "PRIVATE" not in repr(SIGNED)


@on_sqlite
@several_cores
def test_a_large_signed_issue_reaches_everybody_once(advice: App) -> None:
    """With copyists at work, one of whom is killed meanwhile: each reader has one signed letter."""
    readers = make_readers(advice, 1500)
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment, **signing(advice))
        relay.wait_for(600)
        killed = processes(sender.pid)
        for process in killed:
            process.kill()
        ended = end_of(sender)
        assert (ended.code, ended.err) == (0, "")
        assert killed, "copyists are engaged from 500 letters on"
        assert {one.recipient for one in relay.received} == readers
        assert twice(relay.received) == set()
    assert states(advice) == {DeliveryState.SENT: 1500}


@on_sqlite
@several_cores
def test_copyists_end_with_the_sender_however_it_ends(advice: App) -> None:
    """kill -9 for the sender: its copyists go by themselves, and nobody is left out afterwards."""
    readers = make_readers(advice, 1500)
    environment = signing(advice)
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment, **environment)
        relay.wait_for(600)
        left = processes(sender.pid)
        sender.kill()
        sender.communicate()
        gone, alive = psutil.wait_procs(left, timeout=30)
        assert gone
        assert alive == []
        tick_until_done(advice, **relay.environment, **environment)
        assert {one.recipient for one in relay.received} == readers


@on_sqlite
@several_cores
def test_ctrl_c_is_for_the_sender_alone(advice: App) -> None:
    """Copyists have a session of their own: letters in flight are finished, and no traceback is printed."""
    make_readers(advice, 3000)
    with Recorder() as relay:
        sender = start_paperround(advice, "tick", "--at", SLOT, **relay.environment, **signing(advice))
        relay.wait_for(600)
        assert all(os.getpgid(process.pid) != os.getpgid(sender.pid) for process in processes(sender.pid))
        sender.send_signal(signal.SIGINT)
        ended = end_of(sender)
        assert ended.code == 1
        assert "Traceback" not in ended.err
        assert states(advice)[DeliveryState.SENT] == len(relay.received) < 3000


@on_sqlite
def test_few_letters_engage_nobody(advice: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting a process costs more than to sign a few letters."""
    monkeypatch.setattr(composer, "spare_cores", lambda: 3)
    make = composer.Composer(advice.database, advice.signer, advice.settings.media_folder, SIGNED.dkim)
    few = letters(500)

    async def scenario() -> None:
        assert make.prepare(few, lambda _: None) == few
        assert processes() == []
        await make.close()

    run(scenario)


def signing(site: App) -> dict[str, str]:
    """Make a key; returns what makes a sender sign with it."""
    make_key(site.settings.folder / "dkim.pem", 1024)
    return {"PAPERROUND_DKIM__SELECTOR": "a", "PAPERROUND_DKIM__KEY_FILE": "dkim.pem"}


@pytest.mark.parametrize("said", [b"", b"\0", framed(UNSIGNED), framed(UNSIGNED) + b"\0\0\1\0x"])
def test_a_copyist_whose_sender_is_gone_ends_without_a_word(said: bytes) -> None:
    """Before the first frame, within one or behind one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(said)
        ours.shutdown(socket.SHUT_RDWR)
        program = "from newsletter.delivery.copyist import main; main()"
        done = subprocess.run([sys.executable, "-c", program], stdin=theirs, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
