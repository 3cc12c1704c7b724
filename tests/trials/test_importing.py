"""An import that is killed, and one beside which readers join, leave, are suppressed and erased."""

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlmodel import col, select

from newsletter.app import App
from subscribers.address import parse_address
from subscribers.consent import is_erased, verify
from subscribers.models import ImportRun, Subscriber, Subscription, SuppressionReason
from subscribers.moving import coming
from subscribers.moving.importing import Here, bring_in, finish
from subscribers.subscriptions import Permission, Person, find_subscriber, join, leave
from tests.conftest import Clock, subscribe
from tests.orders import erase, suppress
from tests.subscribers.moving.test_importing import nothing, wanted

ROWS = 12_000
BATCHES = (
    "import subscribers.moving.coming as coming; coming.AT_ONCE = 300; "
    "from newsletter.cli.main import main; main()"
)


def written(path: Path) -> Path:
    """People in every state, some of them twice, some of them nobody."""
    chance = random.Random(7)
    rows = ["email,name,category,state,suppressed"]
    for number in range(ROWS):
        who = chance.randrange(number + 1) if number % 20 == 19 else number
        state = chance.choice(["active"] * 8 + ["pending", "paused", "left"])
        suppressed = "bounced" if number % 150 == 149 else ""
        address = f"r{who}@example.org" if number % 97 else f"r{who}"
        rows.append(f"{address},Reader {who},advice,{state},{suppressed}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def outcome(site: App) -> tuple[object, ...]:
    """What an import has come to, but for numbers and times."""
    with site.database.read() as session:
        assert verify(session).flaws == ()
        pairs = session.exec(
            select(Subscriber, Subscription).join(
                Subscription, col(Subscription.subscriber_id) == Subscriber.id
            )
        )
        found = sorted((one.address_key, one.name, held.category, held.state) for one, held in pairs)
        return found, len(session.exec(select(Subscriber)).all())


@pytest.mark.trial
def test_an_import_killed_at_any_moment_goes_on(advice: App, tmp_path: Path) -> None:
    """Killed again and again, it comes to the same readers, the same counts and the same bad rows."""
    file = written(tmp_path / "r.csv")
    chance = random.Random(11)

    def command(bad: Path) -> "subprocess.Popen[str]":
        options = ["--confirmed", "--bad-rows", str(bad)]
        words = ["--site", str(advice.settings.folder), "subscriber", "import", str(file), *options]
        pipe = subprocess.PIPE
        return subprocess.Popen([sys.executable, "-c", BATCHES, *words], stdout=pipe, stderr=pipe, text=True)

    killed = 0
    while True:
        process = command(tmp_path / "bad.csv")
        try:
            # However fast the machine is: too short a time at first, then more and more.
            _, told = process.communicate(timeout=chance.uniform(0.8, 1.6) * (1 + killed / 20))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            _, told = process.communicate()
            killed += 1
            if "advice: " in told:
                break  # it had come to its end, and only had not left
        assert killed < 100
    assert killed > 0
    in_pieces = outcome(advice)
    bad = (tmp_path / "bad.csv").read_text(encoding="utf-8")

    from sqlmodel import delete

    from subscribers.models import Consent, ConsentLink, Suppression

    with advice.database.write() as session:
        for table in (ConsentLink, Consent, Subscription, Subscriber, Suppression, ImportRun):
            session.execute(delete(table))
    process = command(tmp_path / "whole.csv")
    _, at_once = process.communicate(timeout=200)
    assert outcome(advice) == in_pieces
    assert at_once.replace("whole.csv", "bad.csv") == told
    assert (tmp_path / "whole.csv").read_text(encoding="utf-8") == bad


def _leave(site: App, name: str) -> bool:
    with site.database.write() as session:
        reader = find_subscriber(session, parse_address(name))
        if reader is None:
            return False
        permission = Permission("page")
        return bool(leave(session, reader.id, ["advice"], permission, site.letters, now=site.clock()))


def _suppress(site: App, name: str) -> bool:
    with site.database.write() as session:
        suppress(site, session, name, SuppressionReason.COMPLAINED)
    return True


def _join(site: App, name: str) -> bool:
    person = Person(parse_address(name))
    permission = Permission("page", confirmed=True)
    with site.database.write() as session:
        join(session, person, "advice", permission, site.suppressions, renew=False, now=site.clock())
    return False


def _erase(site: App, name: str) -> bool:
    return erase(site, name).subscriber_id is not None


DEEDS: dict[str, Callable[[App, str], bool]] = {
    "leave": _leave,
    "suppress": _suppress,
    "join": _join,
    "erase": _erase,
}


@pytest.mark.trial
@pytest.mark.timeout(600)
def test_nobody_who_leaves_meanwhile_is_brought_back(
    advice: App, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside imports others join, leave, are suppressed and erased: none of the latter three has letters.

    Two imports of the same people run side by side; nobody waits for each other in a circle.
    """
    monkeypatch.setattr(coming, "AT_ONCE", 100)
    people = [f"r{number}@example.org" for number in range(3000)]
    chance = random.Random(3)
    subscribe(
        advice, *people, category="letters"
    )  # so that all are held by their rows, and not by their keys
    files = []
    for number in range(2):
        chance.shuffle(people)
        file = tmp_path / f"{number}.csv"
        rows = "".join(f"{name},advice,active,\n" for name in people)
        file.write_text(f"email,category,state,suppressed\n{rows}", encoding="utf-8")
        files.append(file)
    out: set[str] = set()
    errors: list[BaseException] = []
    done = threading.Event()

    def imports(file: Path) -> None:
        here = Here(advice.database.write, advice.database.read, advice.suppressions, advice.letters, clock)
        try:
            for _ in range(2):
                run, _ = bring_in(*wanted(file), here, nothing)
                finish(run, here)
        except BaseException as error:
            errors.append(error)

    def disturbs(seed: int) -> None:
        chance = random.Random(seed)
        try:
            while not done.is_set():
                name, deed = chance.choice(people), chance.choice(sorted(DEEDS))
                if DEEDS[deed](advice, name):
                    out.add(name)
                time.sleep(0.002)  # lets the imports have their turn
        except BaseException as error:
            errors.append(error)

    importers = [threading.Thread(target=imports, args=(file,)) for file in files]
    others = [threading.Thread(target=disturbs, args=(seed,)) for seed in range(3)]
    for thread in (*importers, *others):
        thread.start()
    for thread in importers:
        thread.join()
    done.set()
    for thread in others:
        thread.join()
    assert errors == []
    assert len(out) > 20
    with advice.database.read() as session:
        assert verify(session).flaws == ()
        live = set(
            session.exec(
                select(Subscriber.address_key)
                .join(Subscription, col(Subscription.subscriber_id) == Subscriber.id)
                .where(Subscription.state == "active", Subscription.category == "advice")
            )
        )
        assert live.isdisjoint(out)
        assert live | out >= set(people)
        readers = session.exec(select(Subscriber)).all()
        keys = [one.address_key for one in readers if not is_erased(one)]
        assert len(keys) == len(set(keys))
