"""The time zones that a reader may choose from, by region and city.

They are those of the time zone database's own list for people to choose from (zone.tab): one for each place,
without the old spellings of the same.
"""

from functools import cache
from importlib.resources import files

REGIONS = (
    *("Africa", "America", "Antarctica", "Arctic", "Asia", "Atlantic", "Australia", "Europe", "Indian"),
    "Pacific",
)
Zones = tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
"""Regions, and in each the zones with the name of their place."""


@cache
def zones() -> Zones:
    """All of them, in the order of the alphabet."""
    table = (files("tzdata") / "zoneinfo" / "zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line and not line.startswith("#"))
    names = sorted(row[2] for row in rows)
    return tuple(
        (
            region,
            tuple(sorted(((name, _place(name)) for name in names if _region(name) == region), key=_by_place)),
        )
        for region in REGIONS
    )


def _region(name: str) -> str:
    return name.partition("/")[0]


def _by_place(choice: tuple[str, str]) -> str:
    return choice[1]


def _place(name: str) -> str:
    """`America/Argentina/Buenos_Aires` as people look for it: `Buenos Aires (Argentina)`."""
    _, *within, city = name.replace("_", " ").split("/")
    return f"{city} ({within[0]})" if within else city
