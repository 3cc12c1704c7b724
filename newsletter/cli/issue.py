"""`paperround issue`: what has gone out, and how it stands."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import open_site
from newsletter.cli.output import JsonFlag, print_json, print_record, print_rows, tally

if TYPE_CHECKING:
    from newsletter.delivery.reports import IssueReport

app = typer.Typer(help="What has gone out, and how it stands.", no_args_is_help=True)


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
    shown = [{**row, "state": _state(row), "deliveries": tally(row["deliveries"])} for row in rows]
    columns = ("id", "category", "slot", "state", "posts", "deliveries")
    print_rows(shown, columns, empty="No issue yet: `paperround plan` shows what comes")


@app.command()
def show(
    context: typer.Context,
    issue_id: Annotated[int, typer.Argument(metavar="ISSUE", help="Its number, as `issue list` shows it.")],
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
        print_record({**row, "deliveries": tally(row["deliveries"])})


def _state(row: dict[str, Any]) -> str:
    return f"{row['state']}: {row['reason']}" if row["reason"] else str(row["state"])


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
        "posts": list(report.posts),
        "deliveries": report.deliveries,
    }
