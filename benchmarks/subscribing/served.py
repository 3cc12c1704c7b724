"""The servers of `benchmarks/subscribe.py`: `served.py make|ours|bare|count FOLDER [N]`.

`make` makes a site with a category and so many requests to be confirmed, and prints their tokens and a form's
stamp as JSON. `ours` serves its pages, as `paperround run` does. `bare` serves the yardstick: FastAPI, one
endpoint that reads the form's address, inserts it into a table of a SQLite database and commits, with the
same settings of the database, in one thread and over one connection, which is the quickest way to. Both
print their port. `count` prints what the site's database holds, and whether its chain of consent is whole.
"""

import json
import sqlite3
import sys
import time
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from sqlalchemy import func
from sqlmodel import col, select

from newsletter.app import open_app
from newsletter.schedule.categories import add_category
from newsletter.site import make_site
from newsletter.states import Mode
from newsletter.web.server import PageServer, WebServer
from subscribers.address import parse_address
from subscribers.consent import verify
from subscribers.models import Request as Asked
from subscribers.models import RequestKind, Subscription, SubscriptionState
from subscribers.requests import Asked as Wanted
from subscribers.requests import Door
from subscribers.tokens import Purpose

_GIVEN = {
    "name": "Sample letters",
    "from": "Ann Lee <ann@example.org>",
    "base_url": "https://news.example.org",
    "postal_address": "1 Main Street, 12345 Sampletown",
}


def make(folder: Path, confirmations: int) -> None:
    """A site as an operator has it behind a proxy, with requests of as many people."""
    make_site(folder, _GIVEN)
    toml = folder / "paperround.toml"
    trusting = toml.read_text().replace("trusted_proxies = []", 'trusted_proxies = ["127.0.0.1"]')
    toml.write_text(trusting.replace('listen = "127.0.0.1:8025"', 'listen = "127.0.0.1:0"'))
    site = open_app(folder)
    now = site.clock()
    words = {"title": "Advice", "cadence": "weekly tue 08:00", "timezone": "UTC"}
    with site.database.write() as session:
        add_category(session, "advice", **words, mode=Mode.BROADCAST, now=now)
        wording = site.doors.keep_wording(session, "Please.")
        asked = [
            site.doors.ask(
                session,
                Wanted(
                    kind=RequestKind.JOIN,
                    address=parse_address(f"confirming{number}@example.net"),
                    door=Door.PAGE,
                    place="here",
                    wording=wording,
                    language="en",
                    categories=("advice",),
                ),
            )
            for number in range(confirmations)
        ]
        tokens = [site.signer.sign(Purpose.CONFIRM, one.id) for one in asked]
    shown = int((now - timedelta(minutes=1)).timestamp())
    print(json.dumps({"tokens": tokens, "stamp": site.signer.sign(Purpose.FORM, shown)}))


def bare(folder: Path) -> FastAPI:
    """The yardstick."""
    folder.mkdir()
    connection = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE request (id INTEGER PRIMARY KEY, address TEXT, at REAL)")
    web = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @web.post("/subscribe")
    async def subscribe(request: Request) -> PlainTextResponse:
        address = parse_qs((await request.body()).decode())["email"][0]
        connection.execute("INSERT INTO request (address, at) VALUES (?, ?)", (address, time.time()))
        return PlainTextResponse("ok")

    return web


def count(folder: Path) -> None:
    """What became of everything."""
    site = open_app(folder)
    with site.database.read() as session:
        requests = session.exec(select(func.count()).select_from(Asked)).one()
        active = col(Subscription.state) == SubscriptionState.ACTIVE
        confirmed = session.exec(select(func.count()).select_from(Subscription).where(active)).one()
        flaws = len(verify(session).flaws)
    print(json.dumps({"requests": requests, "confirmed": confirmed, "flaws": flaws}))


def main() -> None:
    """Do what the command line says; a server serves until its input ends."""
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "make":
        make(folder, int(sys.argv[3]))
    elif what == "count":
        count(folder)
    else:
        server = (
            PageServer(open_app(folder))
            if what == "ours"
            else WebServer(lambda: bare(folder), "127.0.0.1", 0, what="the yardstick", remedy="")
        )
        with server:
            print(server.url.rstrip("/").rpartition(":")[2], flush=True)
            sys.stdin.read()


if __name__ == "__main__":
    main()
