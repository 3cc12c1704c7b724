"""`paperround queue sync`: the queue kept in step with a blog's folder."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import editor_of, open_site, parse_day
from newsletter.cli.output import JsonFlag, cell, count_of, print_json
from newsletter.cli.reading import read_source, stored_path, tell_doubts, tell_outdated

if TYPE_CHECKING:
    from newsletter.content.sync import Change


_UPDATED = "its text was updated"


def sync(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of posts, Jekyll's or Hugo's.")],
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="DAY", help="Queue nothing older, now and later, as 2026-01-31."),
    ] = None,
    takes_all: Annotated[
        bool, typer.Option("--all", help="Queue every post, however old and however many.")
    ] = False,
    really: Annotated[
        bool, typer.Option("--really", help="Take all posts for deleted if the folder has none.")
    ] = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Keep the queue in step with a folder. Silent when nothing has changed: for cron and git hooks."""
    if since is not None and takes_all:
        raise typer.BadParameter("say --since or --all, not both")
    day = None if since is None else parse_day(since, "--since")

    from tempfile import TemporaryDirectory

    from newsletter.content.synced import Orders, Syncer
    from newsletter.errors import ContentError

    site = open_site(context)
    with TemporaryDirectory() as trial:
        syncer = Syncer(
            site.database,
            site=site.settings.folder,
            folder=folder,
            stored=stored_path(site.settings.folder, folder),
            read=lambda path: read_source(site.settings, path, Path(trial) if is_dry else None),
            clock=site.clock,
            file_clock=time.time_ns,
            actor=editor_of(site).name,
            needs_approval=site.settings.queue.approval,
        )
        outcome = syncer.sync(Orders(since=day, takes_all=takes_all, may_be_empty=really, is_dry=is_dry))
    if outcome.problems and not is_dry:
        raise ContentError("\n".join([*outcome.problems, "nothing was changed"]))
    # With a problem nothing would change.
    told = [] if outcome.problems else [change for change in outcome.changes if change.is_worth_telling]
    if as_json:
        print_json([_row(change) for change in told] + [{"problem": said} for said in outcome.problems])
    else:
        for line in [*_lines(told), *(f"! {said}" for said in outcome.problems)]:
            print(cell(line))
    if outcome.problems:
        raise typer.Exit(1)
    for change in told:
        if change.is_updated and not is_dry:
            tell_outdated(site, outcome.sources[change.path], change.slug)
        if change.queued or change.is_updated:
            tell_doubts(site, outcome.sources[change.path])


def _lines(changes: Sequence["Change"]) -> Iterator[str]:
    """Like a diff: a line for each thing that becomes of a post, and one for all that are passed over."""
    from newsletter.content.sync import Standing

    for change in changes:
        if change.moved_from is not None:
            yield f"> {change.slug}: moved, {change.moved_from} → {change.path}"
        if (news := _news(change)) and not (change.queued and news == _UPDATED):
            yield f"~ {change.slug}: {news}"
        if change.is_updated and change.issued:
            yield f". {change.slug}: issued in {', '.join(change.issued)}; letters keep the text they had"
        if change.queued:
            terms = f"; {change.terms}" if change.terms else ""
            held = f", held in {', '.join(change.held)} as before" if change.held else ""
            yield f"+ {change.slug}: {change.state} in {', '.join(change.queued)}{held}{terms}"
        if change.dropped:
            yield f"- {change.slug}: dropped from {', '.join(change.dropped)}, {_why(change)}"
        elif change.is_news and change.standing not in (Standing.OLD, Standing.ELSEWHERE):
            yield f". {change.slug}: {_why(change)}"
    passed = [change.standing for change in changes if change.is_news]
    if old := passed.count(Standing.OLD):
        yield f". {count_of(old, 'post')} too old to be queued"  # none of them by name: there may be hundreds
    if others := passed.count(Standing.ELSEWHERE):
        yield f". {count_of(others, 'post')} of no category here"


def _news(change: "Change") -> str:
    """What is new of a post where it waits."""
    parts = [_UPDATED] if change.is_updated else []
    if change.withdrawn:
        parts.append(f"to be approved anew in {', '.join(change.withdrawn)}")
    if change.dated:
        parts.append(f"its dates were changed in {', '.join(change.dated)}")
    return "; ".join(parts)


def _why(change: "Change") -> str:
    from newsletter.content.sync import Standing

    reasons = {
        Standing.GONE: "its file is gone",
        Standing.DRAFT: "it is a draft",
        Standing.EXPIRED: "it has expired",
        Standing.FUTURE: f"it is dated {change.day}",
    }
    return reasons.get(change.standing, "which it names no more")


def _row(change: "Change") -> dict[str, Any]:
    return {
        "slug": change.slug,
        "path": change.path,
        "standing": change.standing,
        "date": change.day and change.day.isoformat(),
        "queued": change.queued,
        "state": change.state if change.queued else None,
        "when": change.terms,
        "held": change.held,
        "dropped": change.dropped,
        "issued": change.issued,
        "moved_from": change.moved_from,
        "updated": change.is_updated,
        "withdrawn": change.withdrawn,
        "dated": change.dated,
    }
