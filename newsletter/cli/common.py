"""What the nouns share: opening the site, reading instants, and printing tables or JSON."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from newsletter.app import App
    from subscribers.base import Clock

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="INSTANT", help="Set the clock for a trial, such as 2026-12-01T08:00:00Z."),
]


def site_folder(context: typer.Context) -> Path:
    """The folder of the site that was named or found."""
    from newsletter.settings import find_site

    named: Path | None = context.obj
    return named if named is not None else find_site(Path.cwd())


def open_site(context: typer.Context, clock: "Clock | None" = None) -> "App":
    """The site that was named or found, with its clock."""
    from newsletter.app import open_app
    from subscribers.base import system_clock

    site = open_app(site_folder(context), clock or system_clock)
    context.call_on_close(site.close)
    return site


def parse_instant(text: str) -> datetime:
    """An instant from `--at`: ISO 8601, in UTC where it names no zone."""
    try:
        instant = datetime.fromisoformat(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is not an instant such as 2026-12-01T08:00:00Z", param_hint="--at"
        ) from None


def plain(value: Any) -> Any:
    """A value as JSON has it; instants are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value


def print_json(document: Any) -> None:
    """One document on standard output."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=plain))


def print_rows(rows: Sequence[dict[str, Any]], columns: Iterable[str], *, empty: str) -> None:
    """A table of some columns: fitted to a terminal, whole in a pipe."""
    if not rows:
        note(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    wide = None if sys.stdout.isatty() else 10_000
    Console(width=wide, markup=False, highlight=False, emoji=False).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(plain(value)).replace("\n", " ")


def print_record(record: dict[str, Any]) -> None:
    """One thing's values, a line each."""
    width = max(map(len, record))
    for key, value in record.items():
        print(f"{key.replace('_', ' '):<{width}}  {_cell(value)}".rstrip())


def note(message: str) -> None:
    """A diagnostic, on standard error."""
    print(message, file=sys.stderr)
