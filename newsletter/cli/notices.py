"""`paperround notices`: what the editor was told by email, and when."""

from typing import TYPE_CHECKING, Any

import typer

from newsletter.cli.common import open_site
from newsletter.cli.output import JsonFlag, print_json, print_rows

if TYPE_CHECKING:
    from newsletter.models import Notice


def notices(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Show what the editor was told by email, and when."""
    from newsletter.notices.book import all_notices

    site = open_site(context)
    with site.database.read() as session:
        rows = [_row(notice) for notice in all_notices(session)]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "noticed_at", "subject", "mail")
    print_rows(rows, columns, empty="Nothing yet that the editor had to be told")


def _row(notice: "Notice") -> dict[str, Any]:
    return {
        "id": notice.id,
        "kind": notice.kind,
        "category": notice.category,
        "issue": notice.issue_id,
        "subject": notice.subject,
        "noticed_at": notice.noticed_at,
        "mail": _mail(notice),
        "sent_at": notice.sent_at,
        "over_at": notice.over_at,
        "attempts": notice.attempts,
        "reply": notice.reply,
    }


def _mail(notice: "Notice") -> str:
    if notice.sent_at is not None:
        return "sent"
    if notice.over_at is not None:
        return "not needed"
    return "waiting" if not notice.attempts else "to be tried again"
