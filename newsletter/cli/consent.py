"""`paperround consent`: the evidence that people agreed, and that nobody has changed it since."""

from typing import Annotated

import typer

from newsletter.cli.common import open_site, subscriber_of
from newsletter.cli.output import JsonFlag, count_of, note, print_json

app = typer.Typer(help="The evidence of consent.", no_args_is_help=True)


@app.command()
def verify(
    context: typer.Context,
    noted: Annotated[
        str | None,
        typer.Option("--noted", metavar="HASH", help="A hash that this command printed before."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Look for records that were changed or taken away."""
    from dataclasses import asdict

    from subscribers.consent import verify as verify_chain

    if noted is not None and not _is_hash(noted):
        raise typer.BadParameter("is not a hash: 64 digits and letters a to f", param_hint="--noted")
    site = open_site(context)
    with site.database.read() as session:
        found = verify_chain(session, noted.lower() if noted else None)
    if as_json:
        print_json({**asdict(found), "is_sound": not found.flaws})
    else:
        for flaw in found.flaws:
            print(f"link {flaw.number}: {flaw.problem}" if flaw.number else flaw.problem)
        erased = f", {found.erased} erased" if found.erased else ""
        state = "NOT as it was written" if found.flaws else "as it was written"
        print(f"{count_of(found.records, 'record')}{erased}: {state}")
        if found.erased_since:
            print(f"of those before the hash that was noted, {found.erased_since} were erased since")
        if not found.flaws and found.head:
            print(f"the last hash: {found.head}")
            note("Note it elsewhere: --noted HASH then shows that nothing up to here was written anew.")
    if found.flaws:
        raise typer.Exit(1)


@app.command()
def export(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="One bare email address.")],
) -> None:
    """Write the evidence of a person's consent, as JSON."""
    from newsletter.privacy.dossier import consent_record

    site = open_site(context)
    with site.database.read() as session:
        subscriber = subscriber_of(session, address)
        record = consent_record(session, subscriber)
    print_json({"address": subscriber.address, **record})


def _is_hash(text: str) -> bool:
    return len(text) == 64 and set(text.lower()) <= set("0123456789abcdef")
