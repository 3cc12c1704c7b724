"""An issue to many readers, and the real `paperround tick` that sends it, to be killed and repeated."""

import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import col

from newsletter.app import App
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post
from newsletter.models import Attempt, Delivery, Issue
from newsletter.schedule.categories import all_categories
from newsletter.states import DeliveryState
from subscribers.address import parse_address
from subscribers.models import Subscriber
from subscribers.subscriptions import Permission, Person, join_many
from tests.conftest import write_post
from tests.delivery.recorder import ROOT, Received

SLOT = "2026-01-06T08:00:00Z"
"""The first slot of the category `advice`."""


def queue_post(site: App, slug: str = "one") -> None:
    """Put one post into the queue."""
    path = write_post(site.settings.folder / "posts", slug)
    data = path.read_bytes()
    with site.database.write() as session:
        add_posts(
            session,
            [SourceFile(parse_post(data, path), data, f"posts/{slug}.md")],
            all_categories(session),
            only=None,
            site=site.settings.folder,
            editor=Editor("editor", site.clock()),
        )


def make_readers(site: App, number: int) -> set[str]:
    """Queue a post for this many readers; returns their addresses."""
    addresses = [f"reader{place}@example.net" for place in range(number)]
    people = [Person(parse_address(address)) for address in addresses]
    permission = Permission("cli", confirmed=True)
    with site.database.write() as session:
        join_many(session, people, "advice", permission, site.suppressions, renew=True, now=site.clock())
    queue_post(site)
    return set(addresses)


def start_paperround(
    site: App, *arguments: str, module: str = "newsletter", **environment: str
) -> "subprocess.Popen[str]":
    """The real command line on this site, in a process of its own; or another module that leads to it."""
    command = [sys.executable, "-m", module, "--site", str(site.settings.folder), *arguments]
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@dataclass(frozen=True)
class Ended:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def in_doubt(self) -> list[str]:
        """The addresses it named as being in doubt after a crash."""
        return re.findall(r"in doubt after a crash: delivery \d+ to (\S+);", self.out)


def end_of(process: "subprocess.Popen[str]") -> Ended:
    """Wait for a command."""
    try:
        out, err = process.communicate(timeout=110)
    except subprocess.TimeoutExpired:
        process.kill()  # what hangs must not disturb the tests that follow
        process.communicate()
        raise
    return Ended(process.returncode, out, err)


def paperround(site: App, *arguments: str, **environment: str) -> Ended:
    """The real command line on this site, to its end."""
    return end_of(start_paperround(site, *arguments, **environment))


def tick(site: App, **environment: str) -> Ended:
    """One whole `paperround tick` at the slot."""
    return paperround(site, "tick", "--at", SLOT, **environment)


def tick_until_done(site: App, **environment: str) -> list[str]:
    """Tick until every letter is sent or in doubt; returns the addresses named as being in doubt."""
    named: list[str] = []
    for _ in range(20):
        ended = tick(site, **environment)
        assert (ended.code, ended.err) == (0, "")
        named += ended.in_doubt
        if set(states(site)) <= {DeliveryState.SENT, DeliveryState.IN_DOUBT}:
            return named
    raise AssertionError(f"still {states(site)} after 20 ticks")


def states(site: App) -> dict[str, int]:
    """How many deliveries are in each state, by the ledger."""
    with site.database.read() as session:
        counted = select(col(Delivery.state), func.count()).group_by(col(Delivery.state))
        return dict(session.execute(counted).all())


def issues(site: App) -> int:
    """How many issues there are."""
    with site.database.read() as session:
        return session.execute(select(func.count()).select_from(Issue)).scalar_one()


def doubtful_attempts(site: App) -> list[str]:
    """The addresses of all attempts on record that ended in doubt."""
    with site.database.read() as session:
        found = (
            select(col(Subscriber.address))
            .join(Delivery, col(Delivery.subscriber_id) == col(Subscriber.id))
            .join(Attempt, col(Attempt.delivery_id) == col(Delivery.id))
            .where(col(Attempt.outcome) == DeliveryState.IN_DOUBT)
        )
        return list(session.execute(found).scalars())


def twice(received: list[Received]) -> set[str]:
    """Who got more than one; the same message each time."""
    assert len({one.message_id for one in received}) == len({one.recipient for one in received})
    return {recipient for recipient, times in Counter(one.recipient for one in received).items() if times > 1}
