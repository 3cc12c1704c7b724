"""The words of the pages: every language has what the pages say, and they say nothing else."""

import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.languages import Languages
from newsletter.web.words import Words
from newsletter.web.zones import REGIONS, zones
from subscribers.models import Frequency, RequestKind

ROOT = Path(__file__).parent.parent.parent
ENGLISH, GERMAN = (ROOT / "templates" / "languages" / name for name in ("en.toml", "de.toml"))
CHOSEN = {
    *(f"region.{region}" for region in REGIONS),
    *(f"frequency.{frequency}" for frequency in Frequency),
    *(f"{form}.{kind}" for form in ("confirm", "confirmed") for kind in RequestKind),
    *(f"error.{name}" for name in ("email_missing", "email_wrong", "name", "categories", "choice")),
}
"""Keys that are put together from what is chosen."""

SAY = Words(Languages(None).all["en"], "he")


def keys(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """The words of a table by their keys."""
    for key, value in table.items():
        if isinstance(value, str):
            yield before + key, value
        else:
            yield from keys(value, f"{before}{key}.")


def pages(file: Path) -> dict[str, str]:
    return dict(keys(tomllib.loads(file.read_text(encoding="utf-8"))["pages"]))


def test_every_language_says_the_same() -> None:
    """German has each key of English, and fills in the same."""
    assert {key: places(text) for key, text in pages(GERMAN).items()} == {
        key: places(text) for key, text in pages(ENGLISH).items()
    }


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_no_word_is_there_for_nothing() -> None:
    """Each key is named in a template or a module of the pages, or is one to choose from."""
    files = chain((ROOT / "templates" / "web").glob("*.j2"), (ROOT / "newsletter" / "web").glob("*.py"))
    named = set(re.findall(r'"([a-z]+\.[a-z_]+)"', "\n".join(file.read_text("utf-8") for file in files)))
    assert set(pages(ENGLISH)) - named - CHOSEN == set()
    assert pages(ENGLISH).keys() >= CHOSEN


@given(st.text(st.characters(exclude_categories=["C"])))
def test_what_is_put_in_is_text_in_a_direction_of_its_own(text: str) -> None:
    """Nothing in it is HTML, and what is shown is what is recorded."""
    shown = SAY("asked.sent", address=text)
    assert shown.count("<") == 2
    assert shown.striptags() == " ".join(SAY.plain("asked.sent", address=text).split())
    assert SAY.names([text, text]).count('<bdi lang="he">') == 2


@pytest.mark.parametrize(("tag", "words"), [("en", "Sunday, 1 March 2026"), ("de", "Sonntag, 1. März 2026")])
def test_a_day_is_written_out(tag: str, words: str) -> None:
    """As the language has it, and for machines."""
    say = Words(Languages(None).all[tag], "en")
    assert say.time(date(2026, 3, 1)) == f'<time datetime="2026-03-01">{words}</time>'


def test_the_zones_are_those_that_people_choose_from() -> None:
    """One for each place: where old spellings and new ones are the same, only the new one."""
    names = [name for _, places in zones() for name, _ in places]
    assert len(names) == len(set(names)) > 400
    assert {"Europe/Berlin", "America/Argentina/Buenos_Aires"} <= set(names)
    assert "America/Buenos_Aires" not in names
    assert ("America/Argentina/Buenos_Aires", "Buenos Aires (Argentina)") in dict(zones())["America"]
