"""What the nouns share: opening the site they are about, or an example of one; numbers and instants."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sqlmodel import Session

    from newsletter.app import App
    from newsletter.settings import Settings
    from subscribers.models import Subscriber

_YEARS = range(1970, 2101)
"""What a trial may set the clock to: a slip of a century would decide thousands of slots."""

_EXAMPLE = {
    "site": {
        "name": "Your newsletter",
        "from": "Your newsletter <news@example.com>",
        "base_url": "https://news.example.com",
        "postal_address": "Your postal address",
    }
}
"""What a post is shown with where there is no site."""


def _possible(number: int | None) -> int | None:
    """A number that a row can have: drivers of databases fail on others."""
    if number is not None and abs(number) >= 2**63:
        raise typer.BadParameter(f"nothing can have the number {number}")
    return number


IssueArgument = Annotated[
    int,
    typer.Argument(metavar="ISSUE", callback=_possible, help="Its number, as `issue list` shows it."),
]
IssueOption = Annotated[
    int | None, typer.Option("--issue", metavar="ISSUE", callback=_possible, help="Only of this issue.")
]
DeliveryArgument = Annotated[
    int, typer.Argument(metavar="DELIVERY", callback=_possible, help="Its number in `delivery list`.")
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="INSTANT", help="Set the clock for a trial, such as 2026-12-01T08:00:00Z."),
]


def site_folder(context: typer.Context) -> Path:
    """The folder of the site that was named or found."""
    from newsletter.settings_file import find_site

    named: Path | None = context.obj
    return named if named is not None else find_site(Path.cwd())


def open_site(context: typer.Context, at: datetime | None = None) -> "App":
    """The site that was named or found, its clock set to an instant for a trial."""
    from newsletter.app import fixed_clock, open_app
    from subscribers.base import system_clock

    site = open_app(site_folder(context), fixed_clock(at) if at else system_clock)
    context.call_on_close(site.close)
    return site


def site_or_example(site: Path | None) -> "tuple[Settings, Path | None]":
    """The settings and folder of the site that was named or found, else an example's and None."""
    from newsletter.errors import SettingsError
    from newsletter.settings import Settings
    from newsletter.settings_file import find_site, load_settings

    if site is None:
        try:
            site = find_site(Path.cwd())
        except SettingsError:
            return Settings.model_validate(_EXAMPLE), None
    return load_settings(site), site


def parse_instant(text: str) -> datetime:
    """An instant from `--at`: ISO 8601, in UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not an instant such as 2026-12-01T08:00:00Z", param_hint="--at"
        ) from None
    if instant.year not in _YEARS:
        raise typer.BadParameter(
            f"{text!r} is not between {_YEARS[0]} and {_YEARS[-1]}", param_hint="--at"
        ) from None
    return instant


def subscriber_of(session: "Session", address: str) -> "Subscriber":
    """The reader with an address. Raises NotFoundError, and AddressError for what is none."""
    from newsletter.errors import NotFoundError
    from subscribers.address import parse_address
    from subscribers.subscriptions import find_subscriber

    parsed = parse_address(address)
    subscriber = find_subscriber(session, parsed)
    if subscriber is None:
        raise NotFoundError(f"nobody here has the address {parsed.given}")
    return subscriber
