"""Eight processes plan one site at once: no issue, letter or post is made twice, and none is lost."""

import subprocess
import sys
from collections import Counter

import pytest
from sqlmodel import col, select

from newsletter.database import Database
from newsletter.models import Post, QueueEntry
from newsletter.states import EntryState, Mode
from tests.planning import TUESDAY, WEEK, Town, address, database, empty, shared_database, source, town

__all__ = ["database", "shared_database", "town"]

PROCESSES = 8
SITES, WEEKS = 5, 40
"""Two hundred rounds: in each, all processes begin with the same slots at the same moment."""
READERS = 60
MODES = {"one": Mode.BROADCAST, "two": Mode.SEQUENCE, "three": Mode.BROADCAST}

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
    """Three categories that fall due together and share posts and readers, in different orders."""
    names = [f"reader{number}" for number in range(READERS)]
    for number, (slug, mode) in enumerate(MODES.items()):
        town.category(slug, mode=mode)
        town.subscribe(*(names if number % 2 else names[::-1]), category=slug)
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
        assert sorted(f"{slug} {slot}" for slug, slot, *_ in said) == slots
        letters = town.letters()
        assert sum(int(readers) for *_, readers in said) == len(letters)
        assert len({(row.reader, row.post) for row in letters}) == len(letters)
        assert len({(row.reader, row.category, row.slot) for row in letters}) == len(letters)
        # Everyone reads everything here, so a post that was broadcast has reached all, by one way or another.
        reached = Counter(row.post for row in letters)
        assert {reached[post] for post in broadcast(database)} == {READERS}


def broadcast(database: Database) -> set[str]:
    """The posts that went out in a broadcast."""
    with database.read() as session:
        issued = select(Post.slug).join(QueueEntry, col(QueueEntry.post_id) == col(Post.id))
        return set(session.exec(issued.where(QueueEntry.state == EntryState.ISSUED)))
