"""`paperround subscriber subscribe`, `unsubscribe` and `orders`: what somebody asked for, and how we know."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.common import AddressArgument, OnlyOption, among, open_site
from newsletter.cli.output import JsonFlag, cell, note, print_json, print_rows

if TYPE_CHECKING:
    from sqlmodel import Session

    from newsletter.app import App
    from subscribers.address import Address
    from subscribers.arrivals import Joined
    from subscribers.models import SuppressionReason

_LONGEST_REASON = 1000

Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="How you know that they want it; kept on their record."),
]


def subscribe(
    context: typer.Context,
    address: AddressArgument,
    category: Annotated[list[str], typer.Option("--category", metavar="SLUG", help="May be given again.")],
    reason: Reason,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Their name, for the To field.")
    ] = None,
    despite: Annotated[
        str | None,
        typer.Option(
            "--despite",
            metavar="bounced|asked|complained|erased",
            help="Take back the order not to write to them, which was given for this reason.",
        ),
    ] = None,
) -> None:
    """Subscribe one person at their own request.

    Also one who had left; and, with `--despite`, one who was not to be written to any more.
    """
    from newsletter.schedule.categories import find_category
    from subscribers.address import parse_address
    from subscribers.arrivals import Joined
    from subscribers.subscriptions import Permission, Person, grant_again, join

    person = Person(parse_address(address), cell(name or "")[:200] or None)
    permission = Permission("cli", evidence=_stated(reason), confirmed=True)
    lifted = _suppression_reason(despite)
    site = open_site(context)
    with site.database.write() as session:
        slugs = [find_category(session, slug).slug for slug in category]
        if lifted is not None:
            site.suppressions.lift(session, person.address, [lifted], now=site.clock())
        answers = {
            slug: join(session, person, slug, permission, site.suppressions, renew=True, now=site.clock())
            for slug in slugs
        }
        refuse_suppressed(session, site, person.address, answers.values())
        again = [slug for slug, answer in answers.items() if answer is Joined.ALREADY]
        grant_again(session, person.address, again, permission, now=site.clock())
    note(f"{person.address.given} gets letters of {', '.join(slugs)}.")


def refuse_suppressed(
    session: "Session", site: "App", address: "Address", answers: Collection["Joined"]
) -> None:
    """Raise SuppressedError where somebody could not join for a standing order."""
    from newsletter.errors import SuppressedError
    from subscribers.arrivals import Joined

    order = site.suppressions.find(session, address) if Joined.SUPPRESSED in answers else None
    if order is not None:
        raise SuppressedError(
            f"{address.given} is not to be written to ({order.reason}, {order.at:%Y-%m-%d}); nothing changed."
            f" If they have asked for letters since: paperround subscriber subscribe {address.given} "
            f"--category SLUG --reason TEXT --despite {order.reason}"
        )


def unsubscribe(
    context: typer.Context,
    address: AddressArgument,
    reason: Reason,
    category: OnlyOption = None,
    for_good: Annotated[
        bool,
        typer.Option("--for-good", help="Of everything, and let nobody subscribe this address again."),
    ] = False,
) -> None:
    """End subscriptions, letters on their way included.

    Whoever has left stays out of imports. With `--for-good` also somebody who is no reader here is never
    written to.
    """
    from subscribers.address import parse_address
    from subscribers.models import SuppressionReason
    from subscribers.subscriptions import Permission, find_subscriber, leave, subscriptions_of

    if for_good and category:
        raise typer.BadParameter("is of everything: without --category", param_hint="--for-good")
    parsed, stated = parse_address(address), _stated(reason)
    site = open_site(context)
    with site.database.write() as session:
        subscriber = find_subscriber(session, parsed)
        if for_good:
            left = site.suppressions.suppress(
                session,
                parsed,
                SuppressionReason.ASKED,
                site.letters,
                source="cli",
                evidence=stated,
                now=site.clock(),
            )
        elif subscriber is None:
            from newsletter.errors import NotFoundError

            raise NotFoundError(f"nobody here has the address {parsed.given}")
        else:
            held = [found.category for found in subscriptions_of(session, subscriber.id)]
            wanted = among(subscriber.address, category, held)
            permission = Permission("cli", evidence=stated)
            left = leave(session, subscriber.id, wanted, permission, site.letters, now=site.clock())
    shown = subscriber.address if subscriber else parsed.given
    told = [f"left {', '.join(left)}" if left else "had left already"] if subscriber else []
    told += ["is not to be written to any more"] if for_good else []
    note(f"{shown} {' and '.join(told)}.")


def orders(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Count the standing orders not to write to somebody."""
    from sqlalchemy import func
    from sqlmodel import col, select

    from subscribers.models import Suppression

    site = open_site(context)
    counted = (
        select(
            col(Suppression.reason),
            func.count(),
            func.min(col(Suppression.at)),
            func.max(col(Suppression.at)),
        )
        .group_by(col(Suppression.reason))
        .order_by(col(Suppression.reason))
    )
    with site.database.read() as session:
        rows = [dict(zip(_ORDERS, row, strict=True)) for row in session.exec(counted)]
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, _ORDERS, empty="No standing order: everybody who subscribes is written to.")


_ORDERS = ("reason", "addresses", "first", "last")


def _stated(reason: str) -> str:
    """The reason as it is kept. It may not be empty: that is what it is asked for."""
    stated = cell(reason)
    if not stated:
        raise typer.BadParameter("is empty: say how you know", param_hint="--reason")
    if len(stated) > _LONGEST_REASON:
        raise typer.BadParameter(f"is longer than {_LONGEST_REASON} characters", param_hint="--reason")
    return stated


def _suppression_reason(word: str | None) -> "SuppressionReason | None":
    from subscribers.models import SuppressionReason

    if word is None:
        return None
    if word not in list(SuppressionReason):
        raise typer.BadParameter(
            f"{word!r} is none of {', '.join(SuppressionReason)}", param_hint="--despite"
        )
    return SuppressionReason(word)
