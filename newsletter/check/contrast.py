"""The rule on colours: text of a site's theme against what is behind it, by daylight and in the dark.

A speaker's own colour is no matter for it: it lies behind initials, which are black or white as it needs, and
never under a name.
"""

from collections.abc import Iterator
from pathlib import Path

from newsletter.check.findings import Finding, Severity
from newsletter.render.contrast import pairs
from newsletter.render.theme import Theme


def check_theme(theme: Theme, path: Path) -> Iterator[Finding]:
    """Every pair of a theme's colours; `path` is the file that the findings name."""
    for scheme, palette in (("light", theme.light), ("dark", theme.dark)):
        for pair in pairs(palette):
            if pair.ratio < pair.needs:
                yield Finding(
                    path,
                    1,
                    "contrast",
                    Severity.ERROR,
                    f"in [{scheme}], {pair.name} ({pair.text} on {pair.behind}) has a contrast of "
                    f"{pair.ratio:.1f}:1, and {pair.needs}:1 is the least that most people can read",
                    "make one of them darker or lighter",
                )
