"""`paperround`: the nouns put together, and errors turned into one line and an exit code.

Exit codes: 0 done, 1 the thing asked for failed, 2 usage, 3 `check` found errors.
"""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli import category, db, delivery, demo, init, issue, plan, queue, render, run, subscriber

app = typer.Typer(
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
app.command("render")(render.render)
app.add_typer(category.app, name="category")
app.add_typer(queue.app, name="queue")
app.add_typer(issue.app, name="issue")
app.add_typer(delivery.app, name="delivery")
app.add_typer(subscriber.app, name="subscriber")
app.add_typer(db.app, name="db")


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        app(prog_name="paperround")
    except BrokenPipeError:
        # Whoever read our output has seen enough; what Python flushes at exit must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001  # the last place where an error can be explained
        sys.exit(_explain(error))


def _explain(error: Exception) -> int:
    from subscribers.base import PaperroundError

    if isinstance(error, PaperroundError):
        for line in str(error).splitlines():
            print(f"paperround: {line}", file=sys.stderr)
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        print(f"paperround: {place}{error.strerror or error}", file=sys.stderr)
    else:
        traceback.print_exc()
        print("paperround: this is a bug in Paperround; please report the lines above", file=sys.stderr)
    return 1
