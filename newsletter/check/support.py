"""What mail clients can show: the data of caniemail.com, as `newsletter.check.refresh` keeps it.

A feature has the data's own name, such as `css-gap` or `html-video`; one that the data does not know counts
as supported, for nothing can be said of it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from newsletter.check.refresh import DATA

MAJOR = ("apple-mail", "gmail", "outlook", "yahoo")
"""The families whose lack of a feature is worth a finding: nearly every reader has one of them."""


@dataclass(frozen=True)
class Support:
    """For every feature, the letter of each client in the order of `clients`: (key, family, platform)."""

    date: str
    clients: tuple[tuple[str, str, str], ...]
    titles: dict[str, str]
    verdicts: dict[str, str]

    def lacking(self, feature: str) -> tuple[str, ...]:
        """The major clients that do not support a feature at all: a family, or the platforms of it."""
        verdicts = self.verdicts.get(feature, "")
        wanting: dict[str, list[str]] = {}
        for (key, family, platform), verdict in zip(self.clients, verdicts, strict=False):
            if verdict == "n" and key.partition(".")[0] in MAJOR:
                wanting.setdefault(family, []).append(platform)
        return tuple(self._named(family, platforms) for family, platforms in wanting.items())

    def _named(self, family: str, platforms: list[str]) -> str:
        whole = sum(name == family for _, name, _ in self.clients)
        return family if len(platforms) == whole else f"{family} ({', '.join(platforms)})"


@cache
def load_support() -> Support:
    """The data that came with Paperround."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    return Support(
        date=data["date"],
        clients=tuple((key, family, platform) for key, (family, platform) in data["clients"].items()),
        titles={slug: title for slug, (title, _) in data["features"].items()},
        verdicts={slug: verdicts for slug, (_, verdicts) in data["features"].items()},
    )


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
