"""`paperround dkim`: the keys that sign letters, and what the DNS has to say about them."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import site_folder
from newsletter.cli.output import JsonFlag, note, print_json

if TYPE_CHECKING:
    from newsletter.delivery.dkim import DkimKey

app = typer.Typer(help="Signatures that prove your letters are yours.", no_args_is_help=True)

_USUAL_BITS = 2048
_USUAL_SELECTORS = {"rsa": "paperround", "ed25519": "paperround-ed25519"}


@app.command()
def keygen(
    context: typer.Context,
    selector: Annotated[
        str | None,
        typer.Option(
            "--selector",
            metavar="NAME",
            help="The key's name in the DNS (default: the one in paperround.toml, else one is proposed).",
        ),
    ] = None,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Make the key of a second, shorter signature.")
    ] = False,
    bits: Annotated[
        int | None,
        typer.Option("--bits", metavar="N", min=1024, max=4096, help="Length of an RSA key (default: 2048)."),
    ] = None,
) -> None:
    """Make a key, and say what to put into the DNS and paperround.toml."""
    if ed25519 and bits is not None:
        raise typer.BadParameter("goes with an RSA key only", param_hint="--bits")
    if selector is not None:
        selector = _checked(selector)

    from newsletter.delivery.dkim import DkimKey, record_name
    from newsletter.delivery.dkim_keys import make_key, signing_domain
    from newsletter.settings_file import FILE_NAME, load_settings

    settings = load_settings(site_folder(context))
    chosen, domain = settings.dkim, signing_domain(settings)
    kind, prefix = ("ed25519", "ed25519_") if ed25519 else ("rsa", "")
    file_name, named = (
        (chosen.ed25519_key_file, chosen.ed25519_selector) if ed25519 else (chosen.key_file, chosen.selector)
    )
    selector = selector or named or _USUAL_SELECTORS[kind]
    record_name(selector, domain)  # before there is a key that it cannot belong to
    path = settings.folder / file_name
    key = DkimKey(selector, make_key(path, None if ed25519 else bits or _USUAL_BITS))
    note(f"The new key is in {path}: keep it to yourself.")
    _print_record(key, domain)
    print(f"\nIn {FILE_NAME}, below [dkim], once the record can be seen:\n")
    print(f"{prefix}selector = {json.dumps(selector)}")
    print(f"{prefix}key_file = {json.dumps(file_name, ensure_ascii=False)}")  # as TOML writes it, too


@app.command()
def show(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Show the DNS records of the keys that letters are signed with."""
    from newsletter.delivery.dkim_keys import load_keys, signing_domain
    from newsletter.settings_file import load_settings

    settings = load_settings(site_folder(context))
    keys, domain = load_keys(settings), signing_domain(settings)
    if as_json:
        print_json([_as_json(key, domain) for key in keys])
        return
    if not keys:
        note("Letters are not signed: no selector is set in [dkim]. paperround dkim keygen makes a key.")
    for number, key in enumerate(keys):
        if number:
            print()
        _print_record(key, domain)


def _checked(selector: str) -> str:
    """The name as paperround.toml would have it; one that cannot stand there is a usage error."""
    from pydantic import ValidationError

    from newsletter.settings import DkimSection

    try:
        if name := DkimSection(selector=selector).selector:
            return name
        raise typer.BadParameter("must not be empty", param_hint="--selector")
    except ValidationError as error:
        words = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise typer.BadParameter(f"{selector!r} {words}", param_hint="--selector") from None


def _print_record(key: "DkimKey", domain: str) -> None:
    record = key.record(domain)
    print(f"In the DNS of {domain}, a TXT record:\n\nname   {record.name}\nvalue  {record.value}")
    print(f"\nThe same as a line of a zone file:\n\n{record.zone_line}")


def _as_json(key: "DkimKey", domain: str) -> dict[str, object]:
    record = key.record(domain)
    return {
        "selector": key.selector,
        "domain": domain,
        "kind": key.kind,
        "bits": key.bits,
        "name": record.name,
        "type": "TXT",
        "value": record.value,
        "zone_line": record.zone_line,
    }
