"""What the nouns share: opening the site they are about, or an example of one; numbers and instants."""

import os
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from newsletter.cli.output import cell, note

if TYPE_CHECKING:
    from sqlmodel import Session

    from newsletter.app import App
    from newsletter.content.dates import Dates
    from newsletter.content.history import Editor
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
MessageArgument = Annotated[
    int,
    typer.Argument(metavar="MESSAGE", callback=_possible, help="Its number, as `inbound list` shows it."),
]
AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="One bare email address.")]
OnlyOption = Annotated[
    list[str] | None, typer.Option("--category", metavar="SLUG", help="Only this one; may be given again.")
]
PostArgument = Annotated[
    str, typer.Argument(metavar="SLUG", help="The post's slug, as `queue list` shows it.")
]
QueueOption = Annotated[str | None, typer.Option("--category", metavar="SLUG", help="Only in this category.")]
NotBeforeOption = Annotated[
    str | None, typer.Option("--not-before", metavar="DAY|never", help="At no slot before this day.")
]
ExpiresOption = Annotated[
    str | None, typer.Option("--expires", metavar="DAY|never", help="At no slot after this day.")
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


def note_error(error: Exception) -> None:
    """Say what went wrong beside other work, which goes on; of a surprise also where."""
    from subscribers.errors import PaperroundError

    if not isinstance(error, PaperroundError | OSError):
        traceback.print_exception(error)
    note(f"paperround: {error}")


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


def parse_day(text: str, option: str | None = None) -> date:
    """A day that was given on the command line."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-12-24", param_hint=option) from None


def days_given(not_before: str | None, expires: str | None) -> "Dates":
    """What `--not-before` and `--expires` say of a post, `never` being no such day."""
    days: Dates = {}
    if not_before is not None:
        days["not_before"] = None if not_before == "never" else parse_day(not_before, "--not-before")
    if expires is not None:
        days["not_after"] = None if expires == "never" else parse_day(expires, "--expires")
    return days


def editor_of(site: "App", name: str | None = None) -> "Editor":
    """Who gives this command, and when: `name`, else PAPERROUND_EDITOR, else the system's name for the user.

    Where the system has no name for them either they are called `unknown`.
    """
    from getpass import getuser

    from newsletter.content.history import Editor
    from newsletter.models import NAME_LIMIT

    name = name or _readable(os.environ.get("PAPERROUND_EDITOR", ""))
    if not name:
        try:
            name = _readable(getuser())
        except (KeyError, OSError):  # OSError since Python 3.13
            name = ""
    return Editor(name[:NAME_LIMIT] or "unknown", site.clock())


def _readable(name: str) -> str:
    """A name as it can be kept and shown, whatever bytes it came as."""
    return cell(name.encode("utf-8", "replace").decode())


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


def among(address: str, wanted: list[str] | None, held: list[str]) -> list[str]:
    """The categories that are meant: those named, or all. Raises NotFoundError for one not subscribed to."""
    from newsletter.errors import NotFoundError

    if strangers := [slug for slug in wanted or () if slug not in held]:
        raise NotFoundError(f"{address} does not subscribe to {', '.join(strangers)}")
    return wanted or held
