"""`paperround subscriber import` and `export`: readers from other tools and from files, and out again."""

import io
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from newsletter.cli.common import open_site
from newsletter.cli.output import JsonFlag, Progress, cell, count_of, note, print_json, print_rows
from newsletter.cli.subscriber import Confirmed

if TYPE_CHECKING:
    from subscribers.models import ImportRun
    from subscribers.moving.columns import Columns
    from subscribers.moving.coming import Wanted
    from subscribers.moving.importing import Contents, Counts, Here
    from subscribers.moving.look import Export
    from subscribers.moving.people import BadRow

_TOLD = {
    "active": "added",
    "pending": "added unconfirmed",
    "paused": "added paused",
    "already": "there already",
    "confirmed": "confirmed now",
    "left": "left there and stay out",
    "had_left": "had left and stay out",
    "suppressed": "are not to be written to and stay out",
    "differs": "have letters here though they left or pause there",
}
_SHOWN_BAD = 20
_SHOWN_LISTS = 30
_NO_NAME = "(no name)"
_STOPPED = 130


def import_people(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A CSV file, or what another tool exports: file, ZIP or folder."),
    ],
    tool: Annotated[
        str | None,
        typer.Option("--from", metavar="TOOL", help="Which tool wrote it, if it is not to be looked at."),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option("--category", metavar="SLUG", help="What all subscribe to whom no --list is about."),
    ] = None,
    lists: Annotated[
        list[str] | None,
        typer.Option(
            "--list",
            metavar="NAME=SLUG",
            help="The category of a list of the tool's; NAME= leaves it out. May be given again.",
        ),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--column", metavar="FIELD=NAME", help='Which column is which, as email="E-mail of member".'
        ),
    ] = None,
    ignored: Annotated[
        list[str] | None,
        typer.Option(
            "--ignore", metavar="NAME", help="A column that does not say who is to be written to, after all."
        ),
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option("--delimiter", metavar="CHARACTER", help="What stands between the cells.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", metavar="NAME", help="What the text is in, such as cp1252.")
    ] = None,
    confirmed: Confirmed = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Tell what is in it and what would come of it; write nothing.")
    ] = False,
    bad_rows: Annotated[
        Path | None,
        typer.Option("--bad-rows", metavar="FILE", help="Write the rows that cannot be read to this file."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Bring readers in from a file. Doing so again is harmless; whoever has left stays out.

    Stopped at any moment, the same command goes on where it was.
    """
    named = _named(lists)
    fields = [_pair(text, text.partition("="), "--column") for text in columns or ()]
    if bad_rows is not None and file.resolve() in (bad_rows.resolve(), *bad_rows.resolve().parents):
        raise typer.BadParameter(
            f"is {'in the folder' if file.is_dir() else 'the file'} that is read", param_hint="--bad-rows"
        )

    from newsletter.errors import NotFoundError
    from newsletter.schedule.categories import all_categories, find_category
    from subscribers.moving.coming import Wanted, place_lists
    from subscribers.moving.importing import Here, finish, look_through
    from subscribers.moving.look import open_export

    site = open_site(context)
    with site.database.read() as session:
        for slug in [category, *named.values()]:
            if slug:
                find_category(session, slug)
        slugs = {one.slug for one in all_categories(session)}
    with _interrupted("Stopped. Nothing was written."):
        export = open_export(
            file,
            tool=tool,
            columns=fields,
            ignored=ignored or (),
            delimiter=delimiter,
            encoding=encoding,
        )
        with Progress() as progress, _bad_rows(export, file, bad_rows) as tell_bad:
            contents = look_through(export, tell_bad, lambda count: progress(f"{count:,} read"))
    if strangers := named.keys() - contents.lists.keys():
        raise NotFoundError(
            f"{file} has no list {' and no list '.join(map(_quoted, sorted(strangers)))}, but "
            f"{', '.join(_counted(contents.lists)) or 'none'}"
        )
    places = place_lists(contents.lists, named, category, slugs)
    unplaced = {name: count for name, count in contents.lists.items() if name not in places}
    if unplaced and not is_dry:
        raise NotFoundError(f"{file}: {_where_to(unplaced)}")
    usual = dict.fromkeys(unplaced) | places
    wanted = Wanted(export, cell(file.name)[:200], usual, confirmed=confirmed)
    here = Here(site.database.write, site.database.read, site.suppressions, site.letters, site.clock)
    run, counts = _go(here, wanted, contents, is_dry=is_dry)
    if as_json:
        print_json(_summary(wanted, contents, counts, unplaced, is_dry=is_dry))
    else:
        if is_dry:
            _tell_contents(file, wanted, contents, unplaced)
        if unplaced:
            print(f"Before this can be imported: {_where_to(unplaced)}.")
        else:
            _tell(file, wanted, contents, counts, category, is_dry=is_dry)
    if run is not None:
        finish(run, here)
    if contents.bad:
        raise typer.Exit(1)


def export_people(
    context: typer.Context,
    category: Annotated[
        str | None, typer.Option("--category", metavar="SLUG", help="Only its readers.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to this file, not to the screen.")
    ] = None,
) -> None:
    """Write the readers as CSV, a row a subscription."""
    from newsletter.schedule.categories import find_category
    from subscribers.moving.kept import everybody
    from subscribers.moving.paperround import write_people

    site = open_site(context)
    with site.database.read() as session:
        if category:
            find_category(session, category)
        with _interrupted("Stopped."), _written_to(output) as out:
            write_people(out, everybody(session, site.suppressions, category))


@contextmanager
def _written_to(path: Path | None) -> Iterator[TextIO]:
    """The screen, or a file that is there only once it is whole."""
    from newsletter.files import put_in_place

    if path is None:
        yield sys.stdout
        return
    with put_in_place(path) as file:
        out = io.TextIOWrapper(file, "utf-8", newline="")
        yield out
        out.detach()


def _pair(text: str, parts: tuple[str, str, str], option: str) -> tuple[str, str]:
    """A `NAME=VALUE` that was cut at an equals sign."""
    name, equals, value = parts
    if not equals:
        raise typer.BadParameter(f"{text!r} has no equals sign", param_hint=option)
    return " ".join(name.split()), value


def _named(given: list[str] | None) -> dict[str, str]:
    """The categories of lists, whose names may have equals signs."""
    found: dict[str, str] = {}
    for text in given or ():
        name, slug = _pair(text, text.rpartition("="), "--list")
        if found.setdefault(name, slug) != slug:
            raise typer.BadParameter(f"says two things about {name!r}", param_hint="--list")
    return found


@contextmanager
def _interrupted(told: str) -> Iterator[None]:
    """Say what an interruption leaves."""
    try:
        yield
    except KeyboardInterrupt:
        note(told)
        raise typer.Exit(_STOPPED) from None


@contextmanager
def _bad_rows(export: "Export", file: Path, into: Path | None) -> "Iterator[Callable[[BadRow], None]]":
    """Tells of the first rows that cannot be read, and writes all of them to a file, as they stand there."""
    from subscribers.moving.rejects import rejects

    told = 0

    def tell(row: "BadRow") -> None:
        nonlocal told
        told += 1
        if told <= _SHOWN_BAD:
            note(f"{file}{f': {row.file}' if row.file else ''}:{row.line}: skipped: {row.problem}")

    with nullcontext(lambda _: None) if into is None else rejects(export, into) as write:

        def tell_and_write(row: "BadRow") -> None:
            tell(row)
            write(row)

        yield tell_and_write
    if told > _SHOWN_BAD:
        kept = f"all are in {into}" if into else "--bad-rows FILE writes them all, also with --dry-run"
        note(f"and {told - _SHOWN_BAD:,} more: {kept}")


def _go(
    here: "Here", wanted: "Wanted", contents: "Contents", *, is_dry: bool
) -> "tuple[ImportRun | None, Counts]":
    """Do it, or find out what would come of it."""
    from subscribers.moving.importing import bring_in, try_out

    with Progress() as progress:

        def show(done: int) -> None:
            progress(f"{done:,} of {contents.people:,}")

        if is_dry:
            with _interrupted("Stopped. Nothing was written."):
                return None, try_out(wanted, contents, here, show)
        with _interrupted("Stopped. Who was brought in stays; the same command goes on from there."):
            return bring_in(wanted, contents, here, show)


def _quoted(name: str) -> str:
    return f'"{cell(name)}"'


def _counted(lists: Mapping[str, int]) -> list[str]:
    shown = sorted(lists.items())[:_SHOWN_LISTS]
    more = [f"{len(lists) - len(shown):,} more"] * (len(lists) > len(shown))
    return [*(f"{_quoted(name) if name else _NO_NAME} ({count:,})" for name, count in shown), *more]


def _where_to(unplaced: Mapping[str, int]) -> str:
    """What to do about lists that no category is named for."""
    if set(unplaced) == {""}:
        return "say with --category SLUG what its people subscribe to"
    name = cell(next(name for name in sorted(unplaced) if name))
    return (
        f"no category is named for {', '.join(_counted(unplaced))}: say --list {_quoted(f'{name}=SLUG')} for "
        f"each list, or --list {_quoted(f'{name}=')} to leave it out, and --category SLUG for all others"
    )


def _tell_contents(file: Path, wanted: "Wanted", contents: "Contents", unplaced: Mapping[str, int]) -> None:
    """What a dry run has found in a file."""
    from subscribers.models import SubscriptionState

    export = wanted.export
    files = f" in {', '.join(map(cell, export.files))}" if export.files else ""
    print(f"{file}: {export.tool}, {count_of(contents.people, 'row')}{files}, and {contents.bad} bad")
    if export.skipped:
        print(f"Not read: {', '.join(map(cell, export.skipped))}")
    if export.columns is not None:
        used, unused = _columns(export.columns)
        print(f"Columns: {', '.join(f'{field} is {_quoted(name)}' for field, name in used) or 'no header'}")
        if unused:
            print(f"Not used: {', '.join(map(_quoted, unused))}")
    print()
    states = sorted(SubscriptionState, key=lambda state: state != SubscriptionState.ACTIVE)
    rows = [
        {
            "list": name or _NO_NAME,
            "category": "?" if name in unplaced else wanted.places[name] or "(left out)",
            **{state: contents.states[name, state] for state in states},
        }
        for name in sorted(contents.lists)
    ]
    shown = [state for state in states if any(row[state] for row in rows)]
    print_rows(rows, ("list", "category", *shown), empty="Nobody is on a list.")
    if contents.suppressed:
        reasons = (f"{count} {reason}" for reason, count in sorted(contents.suppressed.items()))
        print(f"Not to be written to, so that an order is kept: {', '.join(reasons)}")
    print()


def _tell(
    file: Path,
    wanted: "Wanted",
    contents: "Contents",
    counts: "Counts",
    category: str | None,
    *,
    is_dry: bool,
) -> None:
    """What came of it, a line a category, and what to do."""
    from subscribers.models import SubscriptionState

    say: Callable[[str], object] = print if is_dry else note
    if wanted.export.skipped and not is_dry:
        say(f"Not read: {', '.join(map(cell, wanted.export.skipped))}")
    if wanted.export.caveat:
        say(f"{wanted.export.caveat}.")
    came = {slug: _came(found) for slug, found in sorted(counts.outcomes.items())}
    bad = f"{count_of(contents.bad, 'row')} skipped" if contents.bad else ""
    if len(came) < 2:
        slug = next(iter(came), category) or cell(file.name)
        nothing = "all its lists are left out" if contents.lists else "the file names nobody"
        told = ", ".join(part for part in (came.get(slug, ""), bad) if part)
        say(f"{slug}: {told or nothing}.")
    else:
        for slug, told in came.items():
            say(f"{slug}: {told}.")
        if bad:
            say(f"{bad}.")
    if contents.unlisted:
        say(f"{count_of(contents.unlisted, 'row')} of nobody's reader: on no list there.")
    total = {name for found in counts.outcomes.values() for name, count in found.items() if count}
    if "pending" in total:
        waits = {state for _, state in contents.states} & {SubscriptionState.ACTIVE, SubscriptionState.PAUSED}
        say(
            "Who is unconfirmed gets no letters: the file itself calls them so."
            if wanted.confirmed or not waits
            else "Who is unconfirmed gets no letters. If you hold the consent of those whom the file calls "
            "active, import it again with --confirmed."
        )
    if "differs" in total:
        say("Whoever has letters here keeps them: `subscriber unsubscribe ADDRESS` ends that.")
    if is_dry:
        say(
            f"{count_of(counts.new, 'row')} of people who are new here; whoever has several rows comes in "
            f"once. Nothing was written."
        )


def _columns(columns: "Columns") -> tuple[list[tuple[str, str]], list[str]]:
    """What the columns of a table are taken for, by their names, and which are nothing."""
    taken = {*columns.places.items(), *columns.standings}
    used = [
        (field, columns.header[place]) for field, place in sorted(taken, key=lambda one: (one[1], one[0]))
    ]
    return (used if columns.header else []), [name for name, _ in columns.unused]


def _came(found: Mapping[Any, int]) -> str:
    return ", ".join(f"{found[name]} {told}" for name, told in _TOLD.items() if found.get(name))


def _summary(
    wanted: "Wanted",
    contents: "Contents",
    counts: "Counts",
    unplaced: Collection[str],
    *,
    is_dry: bool,
) -> dict[str, Any]:
    export = wanted.export
    states: dict[str, dict[str, int]] = {}
    for (on, state), count in sorted(contents.states.items()):
        states.setdefault(on, {})[state] = count
    return {
        "file": wanted.name,
        "tool": export.tool,
        "dry_run": is_dry,
        "rows": contents.people,
        "bad": contents.bad,
        "first_bad": [
            {"file": row.file, "line": row.line, "problem": row.problem} for row in contents.first_bad
        ],
        "caveat": export.caveat,
        "unused_columns": [] if export.columns is None else _columns(export.columns)[1],
        "unlisted": contents.unlisted,
        "orders": counts.orders,
        "new": counts.new,
        "lists": [
            {
                "list": name,
                "category": wanted.places[name],
                "is_placed": name not in unplaced,
                "states": found,
            }
            for name, found in states.items()
        ],
        "categories": {
            slug: {str(name): count for name, count in found.items() if count}
            for slug, found in sorted(counts.outcomes.items())
        },
    }
