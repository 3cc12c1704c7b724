"""`paperround`: the nouns put together, and errors turned into one line and an exit code.

Exit codes: 0 done, 1 the thing asked for failed, 2 usage, 3 `check` found errors.
"""

import io
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup

from newsletter.cli import (
    category,
    category_days,
    check,
    consent,
    db,
    delivery,
    demo,
    dkim,
    doctor,
    inbound,
    init,
    issue,
    notices,
    plan,
    preview,
    queue,
    render,
    run,
    send_test,
    subscriber,
    subscriber_moving,
)
from newsletter.cli.output import cell, note


class _OutputClosedError(Exception):
    """Whoever read what a command prints has seen enough."""


@contextmanager
def _output_may_close() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise _OutputClosedError from None


class _Commands(TyperGroup):
    """The nouns; Typer, left to itself, calls a closed pipe a failure."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        """Read the command line, and print help."""
        with _output_may_close():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run what was asked for."""
        with _output_may_close():
            return super().invoke(ctx)


app = typer.Typer(
    cls=_Commands,
    name="paperround",
    help="Publish Markdown advice posts as weekly letters, every one accounted for.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from newsletter import __version__

        typer.echo(f"paperround {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    site: Annotated[
        Path | None,
        typer.Option("--site", metavar="DIR", help="The site's folder (default: found upward from here)."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    context.obj = site


app.command("init")(init.init)
app.command("demo")(demo.demo)
app.command("run")(run.run)
app.command("tick")(run.tick)
app.command("plan")(plan.plan)
app.command("notices")(notices.notices)
app.command("render")(render.render)
app.command("check")(check.check)
app.command("doctor")(doctor.doctor)
app.command("preview")(preview.preview)
app.command("send-test")(send_test.send_test)
for command in (category_days.skip, category_days.unskip, category_days.holidays):
    category.app.command()(command)
app.add_typer(category.app, name="category")
app.add_typer(queue.app, name="queue")
app.add_typer(issue.app, name="issue")
app.add_typer(delivery.app, name="delivery")
subscriber.app.command("import")(subscriber_moving.import_people)
subscriber.app.command("export")(subscriber_moving.export_people)
app.add_typer(subscriber.app, name="subscriber")
app.add_typer(consent.app, name="consent")
app.add_typer(inbound.app, name="inbound")
app.add_typer(dkim.app, name="dkim")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run the command line and leave with its exit code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, io.StringIO())
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Whatever the locale: a script that reads us must find the same bytes everywhere.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        try:
            app(prog_name="paperround")
        finally:
            sys.stdout.flush()
    except (BrokenPipeError, _OutputClosedError):
        _discard_output()
        _end_by_sigpipe()
    except Exception as error:
        _discard_output()
        sys.exit(_explain(error))


def _discard_output() -> None:
    """Let what Python flushes at exit go nowhere, so that it does not fail, and complain, a second time."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _end_by_sigpipe() -> NoReturn:
    """End as other programs do whose reader has gone. (Python ignores the signal, for its sockets' sake.)"""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.raise_signal(signal.SIGPIPE)
    sys.exit(128 + signal.SIGPIPE)  # where it is blocked: what a shell makes of the signal


def _explain(error: Exception) -> int:
    from subscribers.errors import PaperroundError

    if isinstance(error, PaperroundError):
        for line in str(error).splitlines():
            note(f"paperround: {line}")
    elif isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        given = cell(error.object).encode("utf-8", "replace").decode()
        note(f"paperround: {given!r} is not UTF-8, and no other text can be kept or shown")
        return 2
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        note(f"paperround: {place}{error.strerror or error}")
    else:
        traceback.print_exc()
        note("paperround: this is a bug in Paperround; please report the lines above")
    return 1
