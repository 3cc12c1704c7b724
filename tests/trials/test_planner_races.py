"""Eight processes plan one site at once: no issue, letter or post is made twice, and none is lost."""

import subprocess
import sys
from collections import Counter

import pytest
from sqlmodel import col, select

from newsletter.database import Database
from newsletter.models import Post, QueueEntry, Receipt
from newsletter.states import DIGEST, EntryState, Mode
from subscribers.models import Subscriber
from tests.planning import (
    TUESDAY,
    WEEK,
    LetterRow,
    Town,
    address,
    database,
    empty,
    shared_database,
    source,
    town,
)

__all__ = ["database", "shared_database", "town"]

PROCESSES = 8
SITES, WEEKS = 5, 40
"""Two hundred rounds: in each, all processes begin with the same slots at the same moment."""
READERS = 60
MODES = {"one": Mode.BROADCAST, "two": Mode.SEQUENCE, "three": Mode.BROADCAST}
WISHES: list[tuple[str | None, int | None]] = [(None, None), ("daily", None), (None, 1)]

PLAN = """
import sys
from pathlib import Path
from newsletter.database import Database
from tests.planning import TUESDAY, WEEK, Town
town = Town(Database(sys.argv[1]))
print("ready", flush=True)
for week in range(int(sys.argv[2])):
    sys.stdin.readline()
    for issue in town.plan(TUESDAY + week * WEEK):
        print(issue.category, issue.slot, issue.state, issue.readers)
    print("ready", flush=True)
"""


def build(town: Town) -> None:
    """Three categories that fall due together and share posts and readers, in different orders.

    Of three readers one wants a letter a day, and one a letter a week.
    """
    names = [f"reader{number}" for number in range(READERS)]
    for number, (slug, mode) in enumerate(MODES.items()):
        town.category(slug, mode=mode)
        town.subscribe(*(names if number % 2 else names[::-1]), category=slug)
    for number, name in enumerate(names):
        town.wish(name, *WISHES[number % 3])
    for number in range(2 * WEEKS):
        wanted = [slug for place, slug in enumerate(MODES) if (number + place) % 3 or number % 4 == 0]
        town.add(source(f"p{number}", *wanted))


def run_at_once(database: Database) -> list[str]:
    """What all processes say that they planned."""
    command = [sys.executable, "-c", PLAN, address(database), str(WEEKS)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(PROCESSES)
    ]
    said = []
    for week in range(WEEKS + 1):
        for process in processes:
            assert process.stdout is not None
            said += [
                line.strip() for line in iter(process.stdout.readline, "ready\n") if line or stop(process)
            ]
        for process in processes if week < WEEKS else ():
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=300)
        assert (process.returncode, error) == (0, "")
    return said


def stop(process: "subprocess.Popen[str]") -> bool:
    """Fail with what a process said that ended too soon."""
    _, error = process.communicate()
    raise AssertionError(error)


@pytest.mark.trial
@pytest.mark.timeout(900)
def test_eight_planners(town: Town, database: Database) -> None:
    """Whoever writes an issue, together they make what one alone would: each slot once, each post once."""
    slots = sorted(
        f"{slug} {TUESDAY + week * WEEK:%Y-%m-%dT%H:%M}" for week in range(WEEKS) for slug in MODES
    )
    for _ in range(SITES):
        empty(database)
        build(town)
        said = [line.split() for line in run_at_once(database)]
        of_slots = [line for line in said if line[0] != DIGEST]
        assert sorted(f"{slug} {slot}" for slug, slot, *_ in of_slots) == slots
        given = receipts(database)
        assert sum(int(readers) for *_, readers in of_slots) == len(given)
        letters = town.letters()
        assert {(row.reader, row.post) for row in letters} <= given
        assert len({(row.reader, row.post) for row in letters}) == len(letters)
        check_wishes(letters)
        # Everyone reads everything here, so a post that was broadcast has reached all, by one way or another.
        reached = Counter(post for _, post in given)
        assert {reached[post] for post in broadcast(database)} == {READERS}


def check_wishes(letters: list[LetterRow]) -> None:
    """Nobody has a letter more than they wish, and who wishes nothing has one of each issue."""
    each = {(row.reader, row.category, row.slot) for row in letters}
    days = Counter((reader, slot[:10]) for reader, _, slot in each)
    for (reader, _), number in days.items():
        frequency, cap = WISHES[int(reader.removeprefix("reader")) % 3]
        assert number == 1 if frequency or cap else number <= len(MODES)
    plain = [row for row in letters if int(row.reader.removeprefix("reader")) % 3 == 0]
    assert len({(row.reader, row.category, row.slot) for row in plain}) == len(plain)
    assert DIGEST not in {row.category for row in plain}


def receipts(database: Database) -> set[tuple[str, str]]:
    """Who has been given which post, by a letter or for a digest to come."""
    with database.read() as session:
        rows = session.exec(
            select(Subscriber.address, Post.slug)
            .join(Receipt, col(Receipt.subscriber_id) == col(Subscriber.id))
            .join(Post, col(Post.id) == col(Receipt.post_id))
        )
        return {(address.partition("@")[0], post) for address, post in rows}


def broadcast(database: Database) -> set[str]:
    """The posts that went out in a broadcast."""
    with database.read() as session:
        issued = select(Post.slug).join(QueueEntry, col(QueueEntry.post_id) == col(Post.id))
        return set(session.exec(issued.where(QueueEntry.state == EntryState.ISSUED)))
