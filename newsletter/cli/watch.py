"""`paperround issue watch`: how an issue is getting on, as it happens.

A table on a terminal, a line a change in a pipe, one JSON object a line with `--json`. It only reads, and it
asks the more seldom the longer an answer takes, so that a large issue is not slowed down by who looks on.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import IssueArgument, open_site
from newsletter.cli.output import cell, plain, tally

if TYPE_CHECKING:
    from rich.console import Group

    from newsletter.app import App
    from newsletter.delivery.watching import DomainRow, Pace, Snapshot
    from subscribers.base import Clock

_EVERY = 0.5
"""Seconds between two looks, at least."""
_EVERY_LINE = 3.0
"""The same where each look may be a line in somebody's file."""
_SHARE = 20
"""One part in so many of the time, at most, is spent on asking the database for one thing."""

_ORDER = ("sent", "deferred", "bounced", "in_doubt", "held", "suppressed", "expired", "cancelled")


@dataclass(frozen=True, slots=True)
class View:
    """What is shown."""

    snapshot: "Snapshot"
    pace: "Pace"
    domains: "list[DomainRow]"


class Watcher:
    """Looks at an issue again and again, in proportion to what looking costs."""

    def __init__(self, site: "App", issue_id: int) -> None:
        from newsletter.delivery.watching import Pace

        self._site = site
        self._issue_id = issue_id
        self._pace = Pace()
        self._domains: list[DomainRow] = []
        self._domains_due = 0.0
        self.cost = 0.0
        """Seconds the last look took, domains apart."""

    def look(self) -> View:
        """The issue now; its domains as of late."""
        from newsletter.delivery.watching import domains, look

        began = time.monotonic()
        with self._site.database.read() as session:
            snapshot = look(session, self._issue_id)
            looked = time.monotonic()
            self.cost = looked - began
            if looked >= self._domains_due or snapshot.is_over:
                self._domains = domains(session, self._issue_id)
                ended = time.monotonic()
                self._domains_due = ended + (ended - looked) * _SHARE
        self._pace = self._pace.after(looked, snapshot.total - snapshot.waiting)
        return View(snapshot, self._pace, self._domains)


def watch(
    context: typer.Context,
    issue_id: IssueArgument,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line on standard output, at each change.")
    ] = False,
) -> None:
    """Show an issue's progress as it goes out.

    Ends when it is finished, paused or cancelled: with 1 if its first share has halted it.
    """
    site = open_site(context)
    watcher = Watcher(site, issue_id)
    is_live = sys.stdout.isatty() and not as_json
    try:
        if is_live:
            last = _draw(views(watcher, _EVERY))
        else:
            last = tell(views(watcher, _EVERY if as_json else _EVERY_LINE), site.clock, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if last.is_halted:
        raise typer.Exit(1)


def views(watcher: Watcher, every: float) -> Iterator[View]:
    """An issue every so many seconds, until it is over."""
    while True:
        view = watcher.look()
        yield view
        if view.snapshot.is_over:
            return
        time.sleep(max(every, watcher.cost * _SHARE))


def tell(seen: Iterator[View], clock: "Clock", *, as_json: bool) -> "Snapshot":
    """Print a line for each change; returns how it ended."""
    told: Snapshot | None = None
    for view in seen:
        if view.snapshot != told:
            line = json.dumps(as_record(view, clock()), default=plain) if as_json else as_line(view)
            print(line, flush=True)
            told = view.snapshot
    assert told is not None  # noqa: S101  # whatever is looked at is seen once
    return told


def _draw(seen: Iterator[View]) -> "Snapshot":
    """A picture that is drawn over; the last one stays, and is returned as it was seen."""
    from rich.live import Live

    view = next(seen)
    with Live(as_picture(view), auto_refresh=False) as live:
        for view in seen:
            live.update(as_picture(view), refresh=True)
    return view.snapshot


def as_record(view: View, at: datetime) -> dict[str, Any]:
    """A view for programs."""
    snapshot, rate = view.snapshot, view.pace.rate
    eta = view.pace.seconds_for(snapshot.waiting)
    return {
        "at": at,
        "issue": snapshot.issue_id,
        "category": snapshot.category,
        "state": snapshot.state,
        "reason": snapshot.reason,
        "over": snapshot.is_over,
        "letters": dict(sorted(snapshot.letters.items())),
        "waiting": snapshot.waiting,
        "rate": round(rate, 1),
        "eta_seconds": None if eta is None else round(eta),
        "domains": [row._asdict() for row in view.domains],
    }


def as_line(view: View) -> str:
    """A view on one line."""
    snapshot = view.snapshot
    letters = f"; {tally(snapshot.letters)}" if snapshot.letters else ""
    return cell(f"issue {snapshot.issue_id}: {_standing(snapshot)}{letters}{_speed(view)}")


def _standing(snapshot: "Snapshot") -> str:
    if snapshot.state != "planned":
        return f"{snapshot.state}: {snapshot.reason}" if snapshot.reason else str(snapshot.state)
    return "finished" if snapshot.is_over else "going out"


def _speed(view: View) -> str:
    if view.snapshot.is_over or not view.pace.rate:
        return ""
    seconds = round(view.pace.seconds_for(view.snapshot.waiting) or 0)
    return f"; {view.pace.rate:,.0f} letters/s, {timedelta(seconds=seconds)} to go"


def as_picture(view: View) -> "Group":
    """A view for a terminal."""
    from rich.console import Group, RenderableType
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    snapshot = view.snapshot
    tried = snapshot.total - snapshot.waiting
    bar = Table.grid(padding=(0, 1))
    percent = f"{tried * 100 // snapshot.total} %" if snapshot.total else ""
    bar.add_row(ProgressBar(total=max(1, snapshot.total), completed=tried, width=40), percent)
    counts = Table(box=None, pad_edge=False, header_style="dim")
    shown = {"sent", "deferred", "bounced", "in_doubt"} | set(snapshot.letters)
    columns = [state for state in _ORDER if state in shown]
    for state in (*columns, "waiting"):
        counts.add_column(state.replace("_", " "), justify="right")
    numbers = [*(snapshot.letters.get(state, 0) for state in columns), snapshot.waiting]
    counts.add_row(*(f"{number:,}" for number in numbers))
    title = f"Issue {snapshot.issue_id} of {snapshot.category}: {_standing(snapshot)}{_speed(view)}"
    parts: list[RenderableType] = [Text(cell(title), style="bold"), bar, counts]
    if view.domains:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("domain")
        for name in ("sent", "deferred", "bounced"):
            table.add_column(name, justify="right")
        for row in view.domains:
            table.add_row(Text(cell(row.domain)), f"{row.sent:,}", f"{row.deferred:,}", f"{row.bounced:,}")
        parts += [Text(), table]
    return Group(*parts)
