"""`paperround doctor`: what to mend before readers notice."""

import locale
import sys

import typer

from newsletter.cli.common import site_folder
from newsletter.cli.output import JsonFlag, cell, count_of, note, print_json

_MARKS = {"ok": "✔", "warning": "▲", "error": "✘"}


def doctor(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Say what to mend: DNS, relay, pages, database, machine."""
    from collections import Counter
    from dataclasses import asdict

    from newsletter.doctor.examine import examine
    from newsletter.doctor.findings import Level
    from newsletter.settings_file import load_settings
    from subscribers.base import system_clock

    findings = examine(load_settings(site_folder(context)), system_clock)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        # In a pipe, words: whatever reads them must not have to know our marks.
        is_plain = not sys.stdout.isatty() or locale.getencoding().lower() != "utf-8"
        marks = {level: f"{level}:" for level in _MARKS} if is_plain else _MARKS
        for finding in findings:
            print(cell(f"{marks[finding.level]} {finding.subject}: {finding.found}"))
            if finding.mend:
                print(f"    {cell(finding.mend)}")
    counts = Counter(finding.level for finding in findings)
    note(
        ", ".join(
            count_of(counts[level], level) if level != Level.OK else f"{counts[level]} ok" for level in Level
        )
    )
    if counts[Level.ERROR]:
        raise typer.Exit(1)
