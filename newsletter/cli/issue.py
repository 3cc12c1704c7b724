"""`paperround issue`: what has gone out and how it stands, and a hand on it."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import watch
from newsletter.cli.common import IssueArgument, open_site
from newsletter.cli.output import (
    JsonFlag,
    Progress,
    count_of,
    note,
    print_json,
    print_record,
    print_rows,
    tally,
)

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.delivery.reports import IssueReport
    from newsletter.log import Event
    from newsletter.schedule.errata import Correction

app = typer.Typer(help="What has gone out, how it stands, and a hand on it.", no_args_is_help=True)

ReasonOption = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for who reads `issue list` later.")
]


@app.command("list")
def list_issues(
    context: typer.Context,
    category: Annotated[
        str | None, typer.Option("--category", metavar="SLUG", help="Only of this one.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show every slot that was decided, oldest first."""
    from newsletter.delivery.reports import issues
    from newsletter.schedule.categories import find_category

    site = open_site(context)
    with site.database.read() as session:
        if category:
            find_category(session, category)
        rows = [_row(report) for report in issues(session, category)]
    if as_json:
        print_json(rows)
        return
    shown = [{**row, "state": _state(row), "posts": _posts(row), "deliveries": _letters(row)} for row in rows]
    columns = ("id", "category", "slot", "state", "posts", "deliveries")
    print_rows(shown, columns, empty="No issue yet: `paperround plan` shows what comes")


@app.command()
def show(
    context: typer.Context,
    issue_id: IssueArgument,
    as_json: JsonFlag = False,
) -> None:
    """Show one issue."""
    from newsletter.delivery.reports import issue

    site = open_site(context)
    with site.database.read() as session:
        row = _row(issue(session, issue_id))
    if as_json:
        print_json(row)
    else:
        print_record({**row, "state": _state(row), "deliveries": _letters(row)})


app.command("watch")(watch.watch)


@app.command()
def pause(context: typer.Context, issue_id: IssueArgument, reason: ReasonOption = "by hand") -> None:
    """Let no further letter of an issue go until `issue resume`."""
    from newsletter.delivery import issues
    from newsletter.log import Event

    reason = _checked(reason)
    site = open_site(context)
    with site.database.write() as session:
        issues.pause(session, issue_id, reason)
    _record(site, Event.ISSUE_PAUSED, issue_id)
    note(f"Issue {issue_id} is paused: {_standing(site, issue_id)}. `paperround issue resume {issue_id}`")


@app.command()
def resume(context: typer.Context, issue_id: IssueArgument) -> None:
    """Let a paused issue go on.

    One that its first share has halted goes to everybody.
    """
    from newsletter.delivery import issues
    from newsletter.log import Event

    site = open_site(context)
    with site.database.write() as session:
        issues.resume(session, issue_id, now=site.clock(), expiry=_expiry(site))
    _record(site, Event.ISSUE_RESUMED, issue_id)
    note(f"Issue {issue_id} goes on with the next `tick` or `run`: {_standing(site, issue_id)}.")


@app.command()
def cancel(context: typer.Context, issue_id: IssueArgument, reason: ReasonOption = "by hand") -> None:
    """End an issue for good: what has not gone does not go."""
    from newsletter.delivery import issues
    from newsletter.log import Event
    from newsletter.states import OPEN, DeliveryState

    reason = _checked(reason)
    site = open_site(context)
    with site.database.write() as session:
        issues.cancel(session, issue_id, reason)
        before = issues.letters_by_state(session, issue_id)
    ended, more = 0, 1
    with Progress() as progress:
        while more:  # from the first moment no letter goes; this writes it down for each, a few at a time
            with site.database.write() as session:
                ended += (more := issues.clear(session.connection()))
            progress(f"{ended} ended")
    with site.database.write() as session:
        finished = issues.finish(session.connection(), site.clock())
        after = issues.letters_by_state(session, issue_id)
    # By their states, not as they were ended here: a sender ends those that it has in hand, now or soon.
    over = (DeliveryState.CANCELLED, DeliveryState.IN_DOUBT, *OPEN)
    unsent = sum(after.get(state, 0) for state in over) - before.get(DeliveryState.CANCELLED, 0)
    _record(site, Event.ISSUE_CANCELLED, issue_id, letters=unsent)
    for number in finished:
        _record(site, Event.ISSUE_FINISHED, number)
    note(f"Issue {issue_id} is cancelled; {count_of(unsent, 'letter')} will not go: {tally(after)}.")


@app.command("retry-failed")
def retry_failed(
    context: typer.Context,
    issue_id: IssueArgument,
    also_readers_fault: Annotated[
        bool, typer.Option("--all", help="Also those that bounced because of the address or the mailbox.")
    ] = False,
) -> None:
    """Send again what expired or was refused.

    Letters refused because of the address or the mailbox only with --all.
    """
    from newsletter.delivery import issues
    from newsletter.log import Event

    site = open_site(context)
    with site.database.write() as session:
        retried = issues.retry_failed(
            site.database,
            session,
            issue_id,
            also_readers_fault=also_readers_fault,
            now=site.clock(),
            expiry=_expiry(site),
        )
    _record(site, Event.ISSUE_RETRIED, issue_id, letters=retried.queued, left_out=retried.left_out)
    what = f"{count_of(retried.queued, 'letter')} of issue {issue_id} to be sent again"
    if retried.left_out:
        what += f"; {retried.left_out} left out: the reader has left, or has the post by another letter"
    note(f"{what}.")


@app.command()
def erratum(
    context: typer.Context,
    issue_id: IssueArgument,
    post: Annotated[
        str | None, typer.Option("--post", metavar="SLUG", help="Where several posts of the issue changed.")
    ] = None,
    said: Annotated[
        str, typer.Option("--note", metavar="TEXT", help="What was wrong, for the box above the text.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say who would get it, and change nothing.")
    ] = False,
) -> None:
    """Send a changed post to those who got the earlier text.

    Put the changed file in its place with `queue add` first. Asked for again, it goes to those who got the
    earlier text since.
    """
    from newsletter.log import Event
    from newsletter.schedule.errata import correct, foresee

    said = _noted(said)
    site = open_site(context)
    if dry_run:
        with site.database.read() as session:
            _tell_correction(foresee(session, issue_id, slug=post), dry_run=True)
        return
    with site.database.write() as session:
        came_to = correct(
            site.database,
            session,
            site.editions.make,
            issue_id,
            slug=post,
            note=said,
            now=site.clock(),
            expiry=_expiry(site),
            canary_every=site.settings.delivery.canary_every,
        )
    if came_to.readers and came_to.issue_id is not None:
        _record(site, Event.ISSUE_PLANNED, came_to.issue_id, corrects=issue_id, readers=came_to.readers)
    _tell_correction(came_to, dry_run=False)


def _tell_correction(came_to: "Correction", *, dry_run: bool) -> None:
    readers, slug = count_of(came_to.readers, "reader"), came_to.slug
    issue = f"issue {came_to.issue_id}"
    if not came_to.readers:
        note(f"Everybody who got the earlier text of {slug} is sent the correction: {issue}.")
    elif dry_run:
        how = f" by {issue}, which others were sent" if came_to.issue_id else ""
        note(f"{readers} would get the correction of {slug}{how}. Nothing was changed.")
    else:
        get = "gets" if came_to.readers == 1 else "get"
        note(f"{readers} {get} the correction of {slug} with the next `tick` or `run`: {issue}.")
    if came_to.coming:
        note(
            f"{count_of(came_to.coming, 'letter')} with the earlier text still to go: ask again when they "
            f"have gone."
        )
    for number in came_to.going:
        note(
            f"Issue {number}, the correction before, is still going out: `paperround issue cancel {number}` "
            f"stops it."
        )


def _noted(text: str) -> str:
    """An editor's note as one paragraph. Raises BadParameter."""
    from newsletter.models import NOTE_LIMIT
    from newsletter.render.renderer import one_line

    text = one_line(text)
    if len(text) > NOTE_LIMIT:
        raise typer.BadParameter(f"has to be at most {NOTE_LIMIT} characters", param_hint="--note")
    return text


def _checked(reason: str) -> str:
    """A reason on one line, and no longer than is kept. Raises BadParameter."""
    from newsletter.models import REASON_LIMIT

    if not reason.isprintable() or len(reason) > REASON_LIMIT:
        raise typer.BadParameter(
            f"has to be one line of at most {REASON_LIMIT} characters", param_hint="--reason"
        )
    return reason


def _expiry(site: "App") -> timedelta:
    return timedelta(hours=site.settings.delivery.expire_after_hours)


def _standing(site: "App", issue_id: int) -> str:
    """How many of its letters are in each state."""
    from newsletter.delivery.issues import letters_by_state

    with site.database.read() as session:
        return tally(letters_by_state(session, issue_id))


def _record(site: "App", event: "Event", issue_id: int, **fields: Any) -> None:
    from newsletter.log import open_log

    if log := open_log(site.settings, site.clock):
        log.write(event, issue=issue_id, **fields)
        log.close()


def _state(row: dict[str, Any]) -> str:
    """For people; `planned` is what an issue stays whose letters have all come to an end."""
    state = "finished" if row["state"] == "planned" and row["finished_at"] else row["state"]
    return f"{state}: {row['reason']}" if row["reason"] else str(state)


def _letters(row: dict[str, Any]) -> str:
    """For people, where its letters stand, and whose letters its posts wait for."""
    waiting = [f"{row['for_digests']} for digests"] if row["for_digests"] else []
    return ", ".join([*filter(None, [tally(row["deliveries"])]), *waiting])


def _posts(row: dict[str, Any]) -> list[str]:
    """For people, who want to know what a letter out of turn is."""
    return [
        f"{slug} (corrects issue {row['corrects']})" if row["corrects"] else slug for slug in row["posts"]
    ]


def _row(report: "IssueReport") -> dict[str, Any]:
    issue = report.issue
    return {
        "id": issue.id,
        "category": report.category,
        "slot": issue.slot,
        "due_at": issue.due_at,
        "state": issue.state,
        "reason": issue.reason,
        "planned_at": issue.planned_at,
        "expires_at": issue.expires_at,
        "finished_at": issue.finished_at,
        "canary": report.canary,
        "kind": issue.kind,
        "corrects": issue.corrects,
        "note": issue.note,
        "posts": list(report.posts),
        "deliveries": report.deliveries,
        "for_digests": report.for_digests,
    }
