"""`paperround demo`: the whole way, from Markdown files to mailboxes, in a few seconds."""

import os
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event, Timer
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from newsletter.cli.output import count_of, note, print_rows

if TYPE_CHECKING:
    from datetime import datetime

    from newsletter.app import App

_SECONDS = 6.0
_TICK = 0.1


def demo(
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where to build the demo's site.")
    ] = Path("demo-site"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Then leave it running, with its mailboxes at /sandbox/.")
    ] = False,
) -> None:
    """Build a demo site and run two weeks of it in seconds."""
    from newsletter.app import fixed_clock, open_app
    from newsletter.cli.run import keep_going, stop_event
    from newsletter.demo.build import WEEKS, build, first_monday
    from subscribers.base import system_clock

    _keep_to_itself()
    start = first_monday(system_clock())
    end = start + timedelta(weeks=WEEKS)
    # Where the pages are served, links in letters must work in this machine's browser; elsewhere they show
    # the form they have on a real site.
    base_url = "http://127.0.0.1:8025" if serve else "https://letters.kitchen-table.example"
    site = build(folder, fixed_clock(start), base_url=base_url)
    _run_weeks(site, end)
    _show_mailboxes(site, folder)
    if serve:
        site = open_app(folder)
        with site.open_relays() as relays:
            note(f"\nRead the mailboxes in a browser: {base_url}/sandbox/")
            keep_going(site, relays, stop_event())


def _keep_to_itself() -> None:
    """Forget what the environment sets for a real site: its database, its relay, its folder of letters."""
    sections = tuple(f"PAPERROUND_{section}__" for section in ("DATABASE", "RELAY", "SANDBOX"))
    for variable in list(os.environ):
        if variable.upper().startswith(sections):
            del os.environ[variable]


def _run_weeks(site: "App", end: "datetime") -> None:
    """Let the real scheduler run the site on a fast clock until `end`."""
    from newsletter.app import accelerated_clock, fixed_clock
    from newsletter.cli.run import make_runner, stop_event, tell_planned, tell_sent

    start = site.clock()
    speed = (end - start).total_seconds() / _SECONDS
    note(f"Two weeks from {start:%A, %d %B %Y}, {speed:,.0f} times as fast as life:")
    stop = stop_event()
    with site.open_relays() as relays:
        site.clock = accelerated_clock(start, speed)
        timer = Timer(_SECONDS, stop.set)
        timer.start()
        make_runner(site, relays, stop, plan_every=_TICK, send_every=_TICK).run_until(stop)
        timer.cancel()
        if site.clock() < end:
            raise typer.Exit(1)
        # The last tick may have come just before the end: whatever is due by then still goes.
        site.clock = fixed_clock(end)
        tell_planned(site.plan_due())
        tell_sent(site, site.send_due(relays, Event()))


def _show_mailboxes(site: "App", folder: Path) -> None:
    """What really lies in readers' mailboxes, with each letter's HTML put beside it."""
    from newsletter.delivery.sandbox import mailbox_name
    from newsletter.schedule.categories import all_categories
    from newsletter.web.mailboxes import html_of, letters_in, read_letter

    with site.database.read() as session:
        zones = {one.slug: ZoneInfo(one.timezone) for one in all_categories(session)}
    rows = []
    for mailbox, letters in letters_in(site.settings.sandbox_folder):
        if mailbox == mailbox_name(site.settings.editor_address):
            first = folder / letters[0].relative_to(site.settings.folder)
            note(f"\nThe editor was told what to see to: {first}")
            continue
        for path in letters:
            message = read_letter(path)
            page = path.with_suffix(".html")
            page.write_text(html_of(message), encoding="utf-8")
            category = message["List-Id"].partition("<")[2].partition(".")[0]
            rows.append(
                {
                    "reader": mailbox,
                    "on": f"{parsedate_to_datetime(message['Date']).astimezone(zones[category]):%a %d %b}",
                    "category": category,
                    "letter": message["Subject"],
                    "HTML": folder / page.relative_to(site.settings.folder),
                }
            )
    print()
    columns = ("reader", "on", "category", "letter", "HTML")
    print_rows(rows, columns, empty="No letter was sent.", is_whole=True)  # the paths are there to be copied
    note(
        f"\n{count_of(len(rows), 'letter')}. The site is in {folder}; "
        f"`paperround --site {folder} queue list` looks into it."
    )
    if rows:
        note(f"Open one in a browser: {rows[0]['HTML']}")
