"""`paperround inbound`: a message from a pipe, and what became of those that came in.

As a pipe it answers in the exit codes that mail servers read (sysexits.h), whatever happens: 0 only once the
message is kept, 75 where it could not be, so that the mail server keeps it and tries again.
"""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import MessageArgument, note_error, open_site
from newsletter.cli.output import JsonFlag, cell, count_of, note, print_json, print_record, print_rows

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.feedback.handler import Handled
    from newsletter.models import InboundMessage

EX_DATAERR, EX_UNAVAILABLE, EX_TEMPFAIL = 65, 69, 75
_ENVELOPE = re.compile(rb"From [^\n]*\n")
"""What local(8) of Postfix and others put before the header, as in an mbox."""

app = typer.Typer(
    help="Mail that comes in, from a pipe too.",
    invoke_without_command=True,
)


@app.callback()
def pipe(
    context: typer.Context,
    recipient: Annotated[
        str | None,
        typer.Option(
            "--recipient",
            metavar="ADDRESS",
            help="Whom the envelope names (else RECIPIENT in the environment).",
        ),
    ] = None,
    return_path: Annotated[
        str | None,
        typer.Option(
            "--return-path",
            metavar="ADDRESS",
            help="The envelope's sender, empty for the null path (else SENDER in the environment).",
        ),
    ] = None,
) -> None:
    """Take a message from standard input, as a mail server's pipe gives it; or run a command on others."""
    if context.invoked_subcommand is not None:
        return
    if sys.stdin is None or sys.stdin.isatty():
        note(context.get_help())
        note("\nAlone it is for mail servers, which pipe a message into it: paperround inbound < message.eml")
        raise typer.Exit(2)
    try:
        kept = _keep(context, recipient, return_path)
    except typer.Exit:
        raise
    except Exception as error:
        note_error(error)
        raise typer.Exit(EX_TEMPFAIL) from None
    try:
        _handle(kept)
    except Exception as error:  # it is kept: `run` and `tick` handle it later
        note_error(error)


def _keep(context: typer.Context, recipient: str | None, return_path: str | None) -> "App":
    """Keep the message that is piped in; the site that has it. Raises typer.Exit for what is to go back."""
    from newsletter.feedback.entrances import Entrance, with_crlf

    site = open_site(context)
    largest = site.settings.inbound.max_message_bytes
    content = sys.stdin.buffer.read(largest + 1)
    if len(content) > largest:
        note(f"5.3.4 The message is larger than {largest:,} bytes (max_message_bytes in [inbound])")
        raise typer.Exit(EX_UNAVAILABLE)
    content = content[found.end() :] if (found := _ENVELOPE.match(content)) else content
    if not content.strip():
        note("5.6.0 There is no message on standard input")
        raise typer.Exit(EX_DATAERR)
    site.inbox.keep(
        with_crlf(content),
        entrance=Entrance.PIPE,
        recipient=recipient if recipient is not None else os.environ.get("RECIPIENT"),
        return_path=_bare(return_path if return_path is not None else os.environ.get("SENDER")),
    )
    return site


def _bare(return_path: str | None) -> str | None:
    """An envelope's sender as the entrances have it: the null path is also written as `<>`, or as a name."""
    if return_path in ("<>", "MAILER-DAEMON"):
        return ""
    return return_path


def _handle(site: "App") -> None:
    """Handle what was kept."""
    tell_handled(site.handle_inbound())


def tell_handled(handled: "list[Handled]") -> None:
    """Print what became of mail that came in, by its number: `inbound show` has the rest."""
    for one in handled:
        print(f"inbound {one.id}: {cell(one.result.verb or 'unknown')}: {cell(one.result.outcome)}")
    sys.stdout.flush()


@app.command("list")
def list_messages(
    context: typer.Context,
    state: Annotated[
        str | None, typer.Option("--state", metavar="STATE", help="Only those that stand so.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what came in, and what became of it."""
    from newsletter.feedback.inbox import messages
    from newsletter.states import InboundState

    if state is not None and state not in list(InboundState):
        raise typer.BadParameter(
            f"{state!r} is none of {', '.join(InboundState)}", param_hint="--state"
        ) from None
    site = open_site(context)
    with site.database.read() as session:
        rows = [_row(one) for one in messages(session, InboundState(state) if state else None)]
    if as_json:
        print_json(rows)
        return
    columns = ("id", "received_at", "state", "verb", "sender", "subject", "outcome")
    print_rows(rows, columns, empty="No mail has come in" if state is None else f"No mail is {state}")


@app.command()
def show(
    context: typer.Context,
    message: MessageArgument,
    raw: Annotated[bool, typer.Option("--raw", help="The message as it came, and nothing else.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one message: where it stands, and what it says."""
    from newsletter.delivery.reports import verdict_by
    from newsletter.feedback.inbox import message as find_message
    from newsletter.feedback.reading import read_mail

    site = open_site(context)
    with site.database.read() as session:
        found = find_message(session, message)
        content = found.content
        record = _row(found)
        if verdict := verdict_by(session, message):
            record |= {"delivery": verdict.delivery_id, "effect": verdict.effect}
    if raw:
        if content is None:
            note(f"paperround: what message {message} said is kept no more")
            raise typer.Exit(1)
        sys.stdout.buffer.write(content)
        return
    text = read_mail(content, None).text if content is not None else None
    if as_json:
        print_json({**record, "text": text})
        return
    print_record(record)
    if text:
        print()
        for line in text.splitlines():
            print(cell(line))


@app.command()
def retry(context: typer.Context, message: MessageArgument) -> None:
    """Handle once more what was set aside, or a report put to no letter."""
    from newsletter.feedback.inbox import message as find_message
    from newsletter.feedback.inbox import retry as try_again

    site = open_site(context)
    with site.database.write() as session:
        is_retried = try_again(session, message)
        found = find_message(session, message)
        why = "what it said is kept no more" if found.content is None else "it was handled"
    if not is_retried:
        note(f"paperround: message {message} cannot be handled again: {why}")
        raise typer.Exit(1)
    _handle(site)


@app.command()
def replay(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A Maildir, or an mbox.")],
) -> None:
    """Take in a Maildir or an mbox, once more or anew."""
    from newsletter.feedback.entrances import with_crlf
    from newsletter.feedback.folders import read_folder

    site = open_site(context)
    new = known = skipped = foreign = 0
    for found in read_folder(path, largest=site.settings.inbound.max_message_bytes):
        if found.content is None:
            note(f"paperround: {found.place}: {found.problem}")
            skipped += 1
            continue
        content = with_crlf(found.content)
        addressed = site.our_addresses.addressed(content)
        if addressed is None:
            foreign += 1
            continue
        kept = site.inbox.keep(
            content, entrance=found.entrance, recipient=addressed.recipient, return_path=None
        )
        new, known = new + kept.is_new, known + (not kept.is_new)
    note(
        f"{count_of(new, 'message')} taken in; {known} had come in before, {foreign} went to none of our "
        f"addresses{f', {skipped} could not be read' if skipped else ''}."
    )
    _handle(site)
    if skipped:
        raise typer.Exit(1)


def _row(message: "InboundMessage") -> dict[str, Any]:
    return {
        "id": message.id,
        "state": message.state,
        "verb": message.verb,
        "outcome": message.outcome,
        "sender": message.sender,
        "recipient": message.recipient,
        "return_path": message.return_path,
        "subject": message.subject,
        "message_id": message.message_id,
        "entrance": message.entrance,
        "octets": message.octets,
        "received_at": message.received_at,
        "handled_at": message.handled_at,
        "attempts": message.attempts,
    }
