"""`paperround check`: what to mend in posts before they go out; a gate for CI, with no site needed."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.common import site_or_example
from newsletter.cli.output import JsonFlag, Progress, cell, count_of, note, print_json


def check(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Posts, or folders of posts.")],
    as_json: JsonFlag = False,
) -> None:
    """Say what to mend in posts before they go out. Errors end with exit code 3."""
    from datetime import date

    from newsletter.check.check import Checker
    from newsletter.check.findings import Finding, Severity

    files = list(dict.fromkeys(file for path in paths for file in _posts(path)))
    settings, folder = site_or_example(context.obj)
    checker = Checker.for_site(settings, folder, date.today())  # noqa: DTZ011  the editor's own day
    # What is wrong with a template is found anew in each letter, and told once.
    found: dict[Finding, None] = dict.fromkeys(checker.check_site())
    with Progress() as progress:
        for number, file in enumerate(files, start=1):
            progress(f"checking {number} of {len(files)}")
            found.update(dict.fromkeys(checker.check_file(file)))
    if as_json:
        print_json({"files": len(files), "findings": [finding.as_json() for finding in found]})
    else:
        for finding in found:
            print(cell(str(finding)))
    counts = Counter(finding.severity for finding in found)
    told = ", ".join(count_of(counts[severity], severity) for severity in Severity)
    note(f"{count_of(len(files), 'post')} checked: {told}")
    if counts[Severity.ERROR]:
        raise typer.Exit(3)


def _posts(path: Path) -> list[Path]:
    """The file itself, or the posts of a folder, sorted."""
    from newsletter.content.folder import posts_in
    from newsletter.errors import ContentError

    if not path.is_dir():
        if not path.exists():
            raise ContentError("there is no such file", path=path)
        return [path]
    found = sorted(posts_in(path))
    if not found:
        raise ContentError("there are no posts (.md, .markdown) in this folder", path=path)
    return found
