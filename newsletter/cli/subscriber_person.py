"""`paperround subscriber show`, `dossier` and `erase`: what is held about one person, and to be rid of it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli.common import AddressArgument, open_site
from newsletter.cli.output import (
    JsonFlag,
    as_json_text,
    count_of,
    note,
    print_json,
    print_record,
    print_rows,
    tally,
)

if TYPE_CHECKING:
    from sqlmodel import Session

    from newsletter.app import App
    from newsletter.models import Verdict
    from subscribers.address import Address
    from subscribers.models import Subscriber

_WIRE_SECONDS = 660
"""A relay may take ten minutes for its answer to a letter (RFC 5321 §4.5.3.2.6)."""


def show(context: typer.Context, address: AddressArgument, as_json: JsonFlag = False) -> None:
    """Show one reader, with all evidence."""
    from newsletter.errors import NotFoundError
    from subscribers.address import parse_address
    from subscribers.subscriptions import find_subscriber

    parsed = parse_address(address)
    site = open_site(context)
    with site.database.read() as session:
        subscriber = find_subscriber(session, parsed)
        order = _order(session, site, parsed)
        if subscriber is None and order is None:
            raise NotFoundError(f"nobody here has the address {parsed.given}")
        if subscriber is None:
            held = _else_held(site, session, parsed)
            shown = {"address": parsed.given, "id": None, "order": order, "held": held}
        else:
            shown = _shown(session, subscriber, order)
    if as_json:
        print_json(shown)
    else:
        _print(shown)


def _else_held(site: "App", session: "Session", address: "Address") -> str:
    """What there is besides an order about somebody who is no reader."""
    from newsletter.privacy.dossier import dossier_of

    told = dossier_of(session, address, site.suppressions)
    if any(told[part] for part in ("requests", "messages_from_you", "answers_to_you")):
        return f"this order, and what `paperround subscriber dossier {address.given}` writes"
    return "nothing but this order"


def _order(session: "Session", site: "App", address: "Address") -> dict[str, Any] | None:
    order = site.suppressions.find(session, address)
    return {"reason": order.reason, "at": order.at} if order else None


def _shown(session: "Session", subscriber: "Subscriber", order: dict[str, Any] | None) -> dict[str, Any]:
    from newsletter.cli.subscriber import row_of
    from newsletter.delivery.reports import letters_of, verdicts_of
    from subscribers.subscriptions import consents_of

    consents = [
        consent.model_dump(include={"at", "category", "action", "source", "evidence"})
        for consent in consents_of(session, subscriber.id)
    ]
    return {
        **row_of(session, subscriber),
        "order": order,
        "letters": letters_of(session, subscriber.id),
        "consents": consents,
        "verdicts": [_verdict(one) for one in verdicts_of(session, subscriber.id)],
    }


def _verdict(verdict: "Verdict") -> dict[str, Any]:
    """What was found out about a letter, and where the evidence is."""
    if verdict.inbound_id is not None:
        evidence = f"message {verdict.inbound_id}"
    else:
        evidence = "the relay's reply" if verdict.kind == "bounce" else "a person's word"
    told = verdict.model_dump(
        include={"at", "kind", "bounce_class", "effect", "status", "diagnostic", "remote"}
    )
    return {**told, "delivery": verdict.delivery_id, "evidence": evidence}


def _print(shown: dict[str, Any]) -> None:
    order = shown["order"]
    told = f"write no more: {order['reason']}, {order['at']:%Y-%m-%d %H:%M} UTC" if order else None
    if shown["id"] is None:
        print_record({"address": shown["address"], "order": told, "held": shown["held"]})
        return
    until = shown["paused_until"]
    stated = [
        _stated(slug, f"{state} until {until[slug]}" if slug in until else state)
        for slug, state in shown["subscriptions"].items()
    ]
    record = {
        name: value
        for name, value in shown.items()
        if name not in ("order", "paused_until", "consents", "verdicts", "subscriptions", "letters")
    }
    record |= {"subscriptions": stated, "letters": tally(shown["letters"]) or "none yet"}
    print_record(record | ({"order": told} if told else {}))
    print()
    print_rows(
        shown["consents"], ("at", "category", "action", "source", "evidence"), empty="No consent on record."
    )
    if shown["verdicts"]:
        print()
        print_rows(shown["verdicts"], _VERDICT, empty="")
        note("The evidence, whole: paperround delivery show DELIVERY")


_VERDICT = ("at", "delivery", "kind", "bounce_class", "effect", "evidence", "diagnostic")


def _stated(slug: str, state: str) -> str:
    return slug if state == "active" else f"{slug} ({state})"


def dossier(
    context: typer.Context,
    address: AddressArgument,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it here, readable by you alone.")
    ] = None,
) -> None:
    """Write all that is held about one person, as JSON."""
    from newsletter.errors import SiteError
    from newsletter.files import put_in_place
    from newsletter.privacy.dossier import dossier_of
    from subscribers.address import parse_address

    parsed = parse_address(address)
    site = open_site(context)
    with site.database.read() as session:
        held = dossier_of(session, parsed, site.suppressions)
    if output is None:
        print_json(held)
        return
    try:
        with put_in_place(output, is_private=True) as file:
            file.write(f"{as_json_text(held)}\n".encode())
    except OSError as error:
        raise SiteError(f"{output} cannot be written: {error.strerror}") from error
    note(f"All that is held about {parsed.given} is in {output}.")


def erase(context: typer.Context, address: AddressArgument) -> None:
    """Erase all that is held about one person.

    Letters on their way are stopped, and a keyed hash stays, so that nobody writes to them again. There is no
    way back.
    """
    from newsletter.privacy.erasure import erase_for_good
    from subscribers.address import parse_address

    parsed = parse_address(address)
    site = open_site(context)
    _check_that_it_is_theirs_now(site, parsed)
    try:
        erased = erase_for_good(
            site.database,
            parsed,
            site.suppressions,
            source="cli",
            clock=site.clock,
            seconds=_WIRE_SECONDS,
        )
    except KeyboardInterrupt:
        note(f"Nothing more goes to {parsed.given}, but they are not erased: please do this again.")
        raise
    if erased.subscriber_id is None:
        note(f"{parsed.given} was no reader. Whatever else was held is erased, and nobody writes to them.")
    else:
        note(f"{parsed.given} is erased: nothing is held but a keyed hash, and nobody writes to them again.")
    if erased.on_the_wire:
        left = count_of(erased.on_the_wire, "letter")
        note(f"But {left} may still arrive: no relay has answered for it yet.")
        raise typer.Exit(1)


def _check_that_it_is_theirs_now(site: "App", address: "Address") -> None:
    """Raises NotFoundError for an address that a reader had before: it goes with their present one."""
    from newsletter.errors import NotFoundError
    from subscribers.subscriptions import find_subscriber, who_had

    with site.database.read() as session:
        if find_subscriber(session, address) is None and (readers := who_had(session, address)):
            commands = ", ".join(f"`paperround subscriber erase {reader.address}`" for reader in readers)
            raise NotFoundError(
                f"{address.given} is what a reader had before their present address; "
                f"{commands} erases them under both"
            )
