"""`paperround delivery`: the ledger, one letter to one reader at a time."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import DeliveryArgument, IssueOption, open_site
from newsletter.cli.output import (
    JsonFlag,
    note,
    plain,
    print_json,
    print_record,
    print_rows,
    print_verbatim,
)

if TYPE_CHECKING:
    from newsletter.delivery.reports import DeliveryReport
    from newsletter.models import Attempt, Verdict

app = typer.Typer(help="The ledger: every letter to every reader.", no_args_is_help=True)


@app.command("list")
def list_deliveries(
    context: typer.Context,
    state: Annotated[str | None, typer.Option("--state", metavar="STATE", help="Only in this state.")] = None,
    issue: IssueOption = None,
    doubted: Annotated[
        bool, typer.Option("--doubted", help="Only those that were ever in doubt, whatever became of them.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show deliveries, in the order they were planned."""
    from newsletter.states import DeliveryState

    if state is not None and state not in list(DeliveryState):
        known = ", ".join(DeliveryState)
        raise typer.BadParameter(f"{state!r} is no state of a delivery: {known}", param_hint="--state")

    from newsletter.delivery.reports import deliveries

    site = open_site(context)
    with site.database.read() as session:
        wanted = DeliveryState(state) if state else None
        rows = map(_row, deliveries(session, state=wanted, issue_id=issue, were_doubted=doubted))
        if as_json:
            _print_array(rows)
            return
        table = list(rows)
    empty = "No delivery of that kind." if state or issue or doubted else "No delivery yet: `paperround plan`"
    print_rows(table, ("id", "issue", "address", "state", "fault", "attempts", "reply"), empty=empty)


def _print_array(rows: Iterable[dict[str, Any]]) -> None:
    """What `print_json` prints of a list, a row at a time: the ledger may be larger than memory."""
    opening = "[\n  "
    for row in rows:
        shown = json.dumps(row, ensure_ascii=False, indent=2, default=plain).replace("\n", "\n  ")
        print(opening, shown, sep="", end="")
        opening = ",\n  "
    print("[]" if opening.startswith("[") else "\n]")


@app.command()
def show(
    context: typer.Context,
    delivery_id: DeliveryArgument,
    as_json: JsonFlag = False,
) -> None:
    """Show one delivery, its attempts, and what came back of it."""
    from newsletter.delivery.reports import delivery, verdicts_about

    site = open_site(context)
    with site.database.read() as session:
        report, attempts = delivery(session, delivery_id)
        found = verdicts_about(session, delivery_id)
    row, tries = _row(report), [_attempt_row(attempt) for attempt in attempts]
    verdicts = [_verdict_row(verdict, content) for verdict, content in found]
    if as_json:
        print_json({**row, "tries": tries, "verdicts": verdicts})
        return
    print_record(row)
    for attempt in tries:
        print()
        # SMTP ends a letter with a line of one dot; a person reads that as a full stop.
        print_record({**attempt, "stage": attempt["stage"].replace(".", "end of the letter")})
    for verdict in verdicts:
        raw = verdict.pop("report")
        print()
        print_record(verdict)
        if raw is not None:
            print()
            print_verbatim(raw)


@app.command()
def resolve(
    context: typer.Context,
    delivery_id: DeliveryArgument,
    decision: Annotated[
        str, typer.Option("--as", metavar="sent|again", help="It has arrived, or it is to be sent again.")
    ],
) -> None:
    """Decide a letter that is in doubt."""
    if decision not in ("sent", "again"):
        raise typer.BadParameter(f"{decision!r} is neither sent nor again", param_hint="--as")
    from datetime import timedelta

    from newsletter.delivery.letters import resolve as resolve_delivery
    from newsletter.delivery.reports import delivery
    from newsletter.errors import QueueError

    site = open_site(context)
    expiry = timedelta(hours=site.settings.delivery.expire_after_hours)
    with site.database.write() as session:
        report, _ = delivery(session, delivery_id)
        is_sent = decision == "sent"
        if not resolve_delivery(session, delivery_id, is_sent=is_sent, now=site.clock(), expiry=expiry):
            raise QueueError(
                f"delivery {delivery_id} is {report.delivery.state}, not in doubt; nothing changed"
            )
    what = "counts as sent" if is_sent else "goes out with the next `tick` or `run`"
    note(f"Delivery {delivery_id} to {report.address} {what}.")


@app.command()
def complained(
    context: typer.Context,
    delivery_id: DeliveryArgument,
) -> None:
    """Record that a reader complained of a letter.

    All their subscriptions end, and nobody writes to the address any more.
    """
    from newsletter.feedback.complained import record_complaint
    from newsletter.log import Event, open_log

    site = open_site(context)
    with site.database.write() as session:
        is_news, left = record_complaint(session, delivery_id, site.suppressions, now=site.clock())
    if not is_news:
        note(f"That delivery {delivery_id} was complained about is on record already.")
        return
    if log := open_log(site.settings, site.clock):
        log.write(Event.LETTER_COMPLAINED, delivery=delivery_id)
        log.close()
    what = f"Its reader has left {', '.join(left)}." if left else "Its reader had left already."
    note(f"The complaint about delivery {delivery_id} is on record. {what}")


def _row(report: "DeliveryReport") -> dict[str, Any]:
    delivery = report.delivery
    return {
        "id": delivery.id,
        "issue": delivery.issue_id,
        "category": delivery.category,
        "address": report.address,
        "subject": report.subject,
        "state": delivery.state,
        "fault": delivery.fault,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at,
        "sent_at": delivery.sent_at,
        "doubted_at": delivery.doubted_at,
        "complained_at": delivery.complained_at,
        "reply": delivery.reply,
    }


def _verdict_row(verdict: "Verdict", content: bytes | None) -> dict[str, Any]:
    return {
        "at": verdict.at,
        "verdict": verdict.kind,
        "class": verdict.bounce_class,
        "status": verdict.status,
        "effect": verdict.effect,
        "judged_at": verdict.judged_at,
        "said_by": verdict.remote,
        "diagnostic": verdict.diagnostic,
        "message": verdict.inbound_id,
        "report": None if content is None else content.decode("utf-8", "replace"),
    }


def _attempt_row(attempt: "Attempt") -> dict[str, Any]:
    return {
        "at": attempt.at,
        "relay": attempt.relay,
        "outcome": attempt.outcome,
        "stage": attempt.stage,
        "code": attempt.code,
        "enhanced_status": attempt.enhanced_status,
        "reply": attempt.reply,
    }
