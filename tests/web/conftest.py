"""What the tests of the pages share: a site that serves on a free port, and a letter that is planned."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from sqlmodel import SQLModel, col, select

from newsletter.app import App
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post, read_bytes
from newsletter.delivery.copies import unsubscribe_url
from newsletter.models import Delivery
from newsletter.schedule.categories import add_category, all_categories
from newsletter.states import Mode
from newsletter.web.server import PageServer
from subscribers.models import Subscriber
from tests.conftest import Clock, subscribe, write_post

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For a test to which the kind of database makes no difference."""

TUESDAY = datetime(2026, 1, 6, 8, tzinfo=UTC)

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For browsers of pages on this machine: reading the world's certificates costs more than most tests."""


@pytest.fixture(scope="session", autouse=True)
def _servers_end_at_once() -> Iterator[None]:
    """Have uvicorn look ten times as often whether it is to end: tests start it hundreds of times."""
    with pytest.MonkeyPatch.context() as patch:
        hurried = SimpleNamespace(**vars(asyncio) | {"sleep": lambda seconds: asyncio.sleep(seconds / 10)})
        patch.setattr("uvicorn.server.asyncio", hurried)
        yield


@pytest.fixture(autouse=True)
def _any_port(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve on whatever port is free."""
    monkeypatch.setenv("PAPERROUND_SITE__LISTEN", "127.0.0.1:0")


def everything_of(site: App) -> dict[str, list[Any]]:
    """Every row of every table."""
    with site.database.read() as session:
        return {
            table.name: sorted(session.connection().execute(table.select()), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }


@dataclass
class Issue:
    """A site with an issue planned and not yet sent, and the way out that each reader's letter has."""

    site: App
    ways_out: dict[str, str]
    """Reader to path."""
    deliveries: dict[str, int]

    def everything(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        return everything_of(self.site)

    def send(self) -> list[str]:
        """Send what is due; returns who has had anything so far."""
        with self.site.open_relays() as relays:
            self.site.send_due(relays, Event())
        return sorted(place.name for place in self.site.settings.sandbox_folder.iterdir())


@pytest.fixture
def doors(advice: App) -> App:
    """A site with two categories."""
    with advice.database.write() as session:
        words = {"title": "Tales & <more>", "cadence": "daily 07:00", "timezone": "UTC"}
        add_category(session, "tales", **words, mode=Mode.BROADCAST, now=advice.clock())
    return advice


@contextmanager
def browser(site: App) -> Iterator[httpx.Client]:
    """A browser without cookies, that follows no redirect, and the running pages of a site."""
    with (
        PageServer(site) as server,
        httpx.Client(base_url=server.url, trust_env=False, verify=NO_TLS, timeout=60) as client,
    ):
        yield client


@pytest.fixture
def issue(advice: App, clock: Clock) -> Issue:
    """An issue of `advice`, planned for Ann and Bo on Tuesday at eight."""
    subscribe(advice, "ann@example.org", "bo@example.org")
    path = write_post(advice.settings.folder / "posts", "first")
    data = read_bytes(path)
    file = SourceFile(parse_post(data, path), data, "posts/first.md")
    with advice.database.write() as session:
        editor = Editor("editor", clock())
        add_posts(session, [file], all_categories(session), only=None, site=path.parent, editor=editor)
    clock.now = TUESDAY
    advice.plan_due()
    with advice.database.read() as session:
        owed = select(Subscriber.address, Delivery.id).join(
            Delivery, col(Delivery.subscriber_id) == col(Subscriber.id)
        )
        deliveries = dict(session.exec(owed).all())
    ways_out = {address: unsubscribe_url("", advice.signer, number) for address, number in deliveries.items()}
    return Issue(advice, ways_out, deliveries)


@pytest.fixture
def server(issue: Issue) -> Iterator[PageServer]:
    """The running pages of that site."""
    with PageServer(issue.site) as running:
        yield running


@pytest.fixture
def web(server: PageServer) -> Iterator[httpx.Client]:
    """A browser without cookies, or a mailbox provider, that follows no redirect."""
    with httpx.Client(base_url=server.url, trust_env=False, verify=NO_TLS, timeout=60) as client:
        yield client
