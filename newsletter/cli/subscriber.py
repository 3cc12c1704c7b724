"""`paperround subscriber`: the readers, in and out, with their consent on record."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from newsletter.cli import subscriber_consent, subscriber_person
from newsletter.cli.common import AddressArgument, OnlyOption, among, open_site, subscriber_of
from newsletter.cli.output import (
    JsonFlag,
    cell,
    count_of,
    note,
    print_json,
    print_rows,
)

if TYPE_CHECKING:
    from sqlmodel import Session

    from subscribers.models import Subscriber

app = typer.Typer(help="The readers and what they subscribe to.", no_args_is_help=True)

Confirmed = Annotated[
    bool,
    typer.Option(
        "--confirmed", help="You hold their consent: letters go to them. Without it they wait, unconfirmed."
    ),
]

ZoneOption = Annotated[
    str | None,
    typer.Option("--timezone", metavar="ZONE", help="Where they live, such as America/New_York."),
]
_ANSWERS = {
    "added": "added to {}",
    "already": "already in {}",
    "renewed": "now in {}",
    "left": "has left {} and stays out",
}
_FREQUENCIES = {
    "issue": "a letter of each issue",
    "daily": "a digest a day",
    "weekly": "a digest a week",
    "monthly": "a digest a month",
}
_MOST_A_WEEK = 100
_WAITING = {"pending": ", unconfirmed: no letters until you add them with --confirmed"}


@app.command()
def add(
    context: typer.Context,
    address: AddressArgument,
    category: Annotated[list[str], typer.Option("--category", metavar="SLUG", help="May be given again.")],
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help="Their name, for the To field.")
    ] = None,
    timezone: ZoneOption = None,
    confirmed: Confirmed = False,
    evidence: Annotated[
        str, typer.Option("--evidence", metavar="TEXT", help="How they agreed; kept on their record.")
    ] = "",
) -> None:
    """Subscribe one person. Doing so again is harmless; one who had left comes back."""
    for option, text, limit in (("--evidence", evidence, 1000), ("--name", name or "", 200)):
        if len(text) > limit:
            raise typer.BadParameter(f"is longer than {limit} characters", param_hint=option)
    zone = _zone(timezone) if timezone is not None else None

    from newsletter.schedule.categories import find_category
    from subscribers.address import parse_address
    from subscribers.subscriptions import Permission, Person, join, subscriptions_of

    parsed = parse_address(address)
    site = open_site(context)
    permission = Permission("cli", evidence=cell(evidence), confirmed=confirmed)
    person = Person(parsed, cell(name) or None)
    with site.database.write() as session:
        answers = {
            slug: join(
                session,
                person,
                find_category(session, slug).slug,
                permission,
                site.suppressions,
                renew=True,
                now=site.clock(),
            )
            for slug in category
        }
        subscriber_consent.refuse_suppressed(session, site, parsed, answers.values())
        subscriber = subscriber_of(session, address)
        subscriber.timezone = zone or subscriber.timezone
        states = {held.category: held.state for held in subscriptions_of(session, subscriber.id)}
    for slug, answer in answers.items():
        note(f"{subscriber.address}: {_ANSWERS[answer].format(slug)}{_WAITING.get(states[slug], '')}.")


@app.command()
def edit(
    context: typer.Context,
    address: AddressArgument,
    name: Annotated[
        str | None, typer.Option("--name", metavar="TEXT", help='Their name; "" for none.')
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option("--timezone", metavar="ZONE|unknown", help="Where they live, such as Europe/Berlin."),
    ] = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency",
            metavar="issue|daily|weekly|monthly|usual",
            help="A letter of each issue, or a digest of a day, a week, a month; or what the site does.",
        ),
    ] = None,
    weekly_cap: Annotated[
        str | None,
        typer.Option(
            "--weekly-cap",
            metavar="N|none|usual",
            help="At most so many letters a week; or what the site does.",
        ),
    ] = None,
) -> None:
    """Change what is known of a reader, or wished by them."""
    if name is timezone is frequency is weekly_cap is None:
        raise typer.BadParameter("name what to change: --name, --timezone, --frequency or --weekly-cap")
    wished, cap = _frequency(frequency), _cap(weekly_cap)
    if len(name or "") > 200:
        raise typer.BadParameter("is longer than 200 characters", param_hint="--name")
    zone = None if timezone in (None, "unknown") else _zone(timezone)

    site = open_site(context)
    with site.database.write() as session:
        subscriber = subscriber_of(session, address)
        if name is not None:
            subscriber.name = cell(name) or None
        if timezone is not None:
            subscriber.timezone = zone
        if frequency is not None:
            subscriber.frequency = wished
        if weekly_cap is not None:
            subscriber.weekly_cap = cap
    known = [word for word in (subscriber.name, subscriber.timezone) if word]
    known += _wishes(subscriber) or (["letters as the site sends them"] if frequency or weekly_cap else [])
    note(f"{subscriber.address}: {', '.join(known) or 'neither name nor zone is known'}.")


@app.command()
def pause(
    context: typer.Context,
    address: AddressArgument,
    weeks: Annotated[int, typer.Option("--weeks", metavar="N", min=1, max=104, help="For how long.")],
    category: OnlyOption = None,
) -> None:
    """Send a reader nothing for some weeks. Letters on their way are stopped; who pauses stays subscribed."""
    from subscribers.pauses import pause as pause_subscriptions
    from subscribers.subscriptions import subscriptions_of

    site = open_site(context)
    until = site.clock().date() + timedelta(weeks=weeks)
    with site.database.write() as session:
        subscriber = subscriber_of(session, address)
        held = [found.category for found in subscriptions_of(session, subscriber.id)]
        wanted = among(subscriber.address, category, held)
        paused = pause_subscriptions(session, subscriber.id, wanted, site.letters, until=until)
    if not paused:
        from newsletter.errors import NotFoundError

        raise NotFoundError(f"{subscriber.address} gets no letters that could be paused")
    note(f"{subscriber.address} gets nothing of {', '.join(paused)} until {until}.")


@app.command()
def resume(context: typer.Context, address: AddressArgument, category: OnlyOption = None) -> None:
    """End a reader's pause now."""
    from subscribers.pauses import resume as resume_subscriptions
    from subscribers.subscriptions import subscriptions_of

    site = open_site(context)
    with site.database.write() as session:
        subscriber = subscriber_of(session, address)
        held = [found.category for found in subscriptions_of(session, subscriber.id)]
        resumed = resume_subscriptions(session, subscriber.id, among(subscriber.address, category, held))
    note(
        f"{subscriber.address} gets letters of {', '.join(resumed)} again."
        if resumed
        else f"{subscriber.address} had not paused."
    )


@app.command("list")
def list_subscribers(
    context: typer.Context,
    category: Annotated[
        str | None, typer.Option("--category", metavar="SLUG", help="Only its readers.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the readers."""
    from newsletter.schedule.categories import find_category
    from subscribers.subscriptions import all_subscribers

    site = open_site(context)
    with site.database.read() as session:
        if category:
            find_category(session, category)
        rows = [_listed(*found) for found in all_subscribers(session, category)]
    if as_json:
        print_json(rows)
    else:
        shown = [{**row, "subscriptions": _stated(row["subscriptions"])} for row in rows]
        empty = "No reader yet: paperround subscriber add ADDRESS --category SLUG"
        print_rows(shown, ("address", "name", "subscriptions"), empty=empty)


def _zone(name: str) -> str:
    from newsletter.errors import CadenceError
    from newsletter.schedule.cadence import parse_zone

    try:
        return parse_zone(name).key
    except CadenceError as error:
        raise typer.BadParameter(str(error), param_hint="--timezone") from None


def _frequency(word: str | None) -> str | None:
    from subscribers.models import Frequency

    if word in (None, "usual"):
        return None
    if word not in list(Frequency):
        raise typer.BadParameter(
            f"{word!r} is none of {', '.join(Frequency)} and usual", param_hint="--frequency"
        )
    return word


def _cap(word: str | None) -> int | None:
    """0 for no cap at all, None for the site's."""
    if word in (None, "usual"):
        return None
    if word == "none":
        return 0
    if not (word.isascii() and word.isdecimal() and 1 <= int(word[:9]) <= _MOST_A_WEEK):
        raise typer.BadParameter(
            f"{word!r} is no number from 1 to {_MOST_A_WEEK}; or say none, or usual",
            param_hint="--weekly-cap",
        )
    return int(word)


def _wishes(subscriber: "Subscriber") -> list[str]:
    """What a reader wishes otherwise than the site does."""
    wishes = [_FREQUENCIES[subscriber.frequency]] if subscriber.frequency else []
    if subscriber.weekly_cap is not None:
        wishes.append(
            f"at most {count_of(subscriber.weekly_cap, 'letter')} a week"
            if subscriber.weekly_cap
            else "any number of letters a week"
        )
    return wishes


def _stated(subscriptions: dict[str, str]) -> list[str]:
    return [slug if state == "active" else f"{slug} ({state})" for slug, state in subscriptions.items()]


def _listed(subscriber: "Subscriber", subscriptions: dict[str, str]) -> dict[str, Any]:
    return {
        "id": subscriber.id,
        "address": subscriber.address,
        "name": subscriber.name,
        "timezone": subscriber.timezone,
        "frequency": subscriber.frequency,
        "weekly_cap": subscriber.weekly_cap,
        "created_at": subscriber.created_at,
        "subscriptions": subscriptions,
    }


def row_of(session: "Session", subscriber: "Subscriber") -> dict[str, Any]:
    """A reader with their subscriptions, as the listings have it."""
    from subscribers.subscriptions import subscriptions_of

    subscriptions = subscriptions_of(session, subscriber.id)
    paused = {found.category: str(found.paused_until) for found in subscriptions if found.paused_until}
    row = _listed(subscriber, {found.category: found.state for found in subscriptions})
    return {**row, "paused_until": paused}


app.command()(subscriber_person.show)
app.command()(subscriber_person.dossier)
app.command()(subscriber_person.erase)
app.command()(subscriber_consent.subscribe)
app.command()(subscriber_consent.unsubscribe)
app.command()(subscriber_consent.orders)
