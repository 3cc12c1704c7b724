"""`paperround send-test`: a post as the letter a reader would get, sent to addresses of one's own.

It goes through the site's relay, one message an address. Nothing is written to the database; the links to
leave and to the preferences lead to a page that says that they came in a test letter.
"""

import asyncio
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import open_site
from newsletter.cli.output import JsonFlag, cell, note, print_json
from newsletter.cli.run import warn_of_sandbox

if TYPE_CHECKING:
    from newsletter.app import App
    from newsletter.content.post import PostSource
    from newsletter.delivery.outcome import Outcome
    from newsletter.delivery.transport import OneByOne
    from newsletter.render.proof import Proof
    from newsletter.render.slots import Reader

MAX_ADDRESSES = 20


def send_test(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Markdown post.")],
    to: Annotated[
        list[str],
        typer.Option("--to", metavar="ADDRESS", help="Whom to send it; may be given several times."),
    ],
    as_json: JsonFlag = False,
) -> None:
    """Send a post as its letter to addresses of your own."""
    addresses = _addresses(to)

    from newsletter.content.post import read_post
    from newsletter.delivery.smtp import SMTPTransport
    from newsletter.delivery.transport import OneByOne
    from newsletter.errors import RelayError
    from newsletter.states import DeliveryState

    site = open_site(context)
    source = read_post(file)
    readers = [_reader(site, address) for address in addresses]
    proofs = _proofs(site, source, readers)
    with site.open_relays() as relays:
        relay = relays[0].section
        warn_of_sandbox(site)
        password = relay.login_password() if relay.user else ""
        transport = OneByOne(SMTPTransport(relay, password=password, helo_name=site.settings.sender.domain))
        outcomes: list[Outcome] = []
        failure = None
        try:
            asyncio.run(_send(site, transport, readers, proofs, outcomes))
        except RelayError as error:  # told after what went before it
            failure = error
    sent = list(zip(readers, outcomes, strict=False))
    if as_json:
        print_json({"subject": proofs[0].subject, "letters": [_as_json(*one) for one in sent]})
    for reader, outcome in sent:
        told = f"{reader.mailbox.address}: {outcome.state.replace('_', ' ')}"
        if outcome.state is not DeliveryState.SENT:
            note(f"paperround: {told}: at {outcome.stage} the relay said: {outcome.words}")
        elif not as_json:
            print(cell(f"{told}: {proofs[0].subject}; Message-ID <{reader.message_id}>; {outcome.words}"))
    if failure:
        raise failure
    if any(outcome.state is not DeliveryState.SENT for outcome in outcomes):
        raise typer.Exit(1)


def _addresses(given: list[str]) -> list[str]:
    """What to write to, each once, as it was given first."""
    from subscribers.address import AddressError, parse_address

    parsed: dict[str, str] = {}
    try:
        for address in map(parse_address, given):
            parsed.setdefault(address.key, address.given)
    except AddressError as error:
        raise typer.BadParameter(str(error), param_hint="--to") from None
    if len(parsed) > MAX_ADDRESSES:
        raise typer.BadParameter(
            f"{len(parsed)} addresses are more than the {MAX_ADDRESSES} of a test", param_hint="--to"
        )
    return list(parsed.values())


def _reader(site: "App", address: str) -> "Reader":
    """Somebody with real links, for no delivery; the Message-ID is new each time, as long as any."""
    from newsletter.delivery.copies import TEST_DELIVERY, preferences_url, unsubscribe_url
    from newsletter.render.headers import Mailbox
    from newsletter.render.slots import Reader
    from subscribers.tokens import TOKEN_LENGTH

    base_url = site.settings.site.base_url
    return Reader(
        mailbox=Mailbox("", address),
        message_id=f"{secrets.token_hex(TOKEN_LENGTH)[:TOKEN_LENGTH]}@{site.settings.sender.domain}",
        unsubscribe_url=unsubscribe_url(base_url, site.signer, TEST_DELIVERY),
        preferences_url=preferences_url(base_url, site.signer, TEST_DELIVERY),
    )


def _proofs(site: "App", source: "PostSource", readers: "list[Reader]") -> "list[Proof]":
    from newsletter.delivery.dkim_keys import load_signer
    from newsletter.render.edition import EditionMaker
    from newsletter.render.proof import make_proof
    from newsletter.schedule.occasion import occasion_of

    now, signer = site.clock(), load_signer(site.settings)
    maker = EditionMaker(site.settings, site.settings.folder, fetches=True)
    occasion = occasion_of(site.settings, source, now)
    proofs = [make_proof(maker, source, occasion, reader, now) for reader in readers]
    return [replace(one, message=signer.signed(one.message)) for one in proofs] if signer else proofs


async def _send(
    site: "App",
    transport: "OneByOne",
    readers: "list[Reader]",
    proofs: "list[Proof]",
    outcomes: "list[Outcome]",
) -> None:
    """Try each letter once, on one connection for as long as it lasts; adds to `outcomes` what came of each.

    Raises RelayError.
    """
    from newsletter.delivery.copies import TEST_DELIVERY, return_path
    from newsletter.delivery.transport import Letter

    async def commit() -> bool:
        return True  # there are no books to write first

    envelope_sender = return_path(site.settings.bounce_address, site.signer, TEST_DELIVERY)
    try:
        for reader, proof in zip(readers, proofs, strict=True):
            if not transport.is_usable:
                await transport.connect()
            letter = Letter(envelope_sender, reader.mailbox.address, proof.message)
            outcome = await transport.send(letter, commit)
            assert outcome is not None  # noqa: S101  # commit() never refuses
            outcomes.append(outcome)
    finally:
        await transport.close()


def _as_json(reader: "Reader", outcome: "Outcome") -> dict[str, object]:
    return {
        "to": reader.mailbox.address,
        "message_id": reader.message_id,
        "state": outcome.state,
        "stage": outcome.stage,
        "reply": outcome.words,
    }
