"""Languages: the words of short letters and of the doors' pages, dates, and the commands readers may write.

A language is a file `languages/TAG.toml` among the templates, of a site or built in; a site's adds to the
built-in one of the same tag, word by word. What a language lacks is said in English. Failures are
`TemplateError` with the file and what is wrong in it.

Words are text, with `{names}` for what is filled in. In HTML that is kept apart from the words around it
(`<bdi>`), so that a name in another direction does not mix with them (WCAG 2.2, 1.3.2).
"""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from newsletter.errors import TemplateError
from newsletter.render.builtin import builtin_templates

ENGLISH = "en"
_PLACE = re.compile(r"\{([a-z_]+)\}")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_TABLES = ("dates", "pages", "letters", "commands")
_LISTS = {"dates.weekdays": 7, "dates.months": 12}
"""How many words there are of what is a list outside of [commands]."""


class Language:
    """One language's words; `tag` is of BCP 47."""

    def __init__(self, tag: str, words: Mapping[str, Any]) -> None:
        self.tag = tag
        self._words = words

    @property
    def name(self) -> str:
        """What it calls itself."""
        return str(self._words["name"])

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`."""
        return str(self._words["direction"])

    @property
    def commands(self) -> Mapping[str, tuple[str, ...]]:
        """The words of commands, by what they mean."""
        return {name: tuple(words) for name, words in self._words["commands"].items()}

    def say(self, key: str, **values: object) -> str:
        """The words at a key such as `letters.help.subject`, filled in. Raises TemplateError."""
        return _PLACE.sub(lambda place: str(self._value(key, place[1], values)), self._find(key))

    def markup(self, key: str, **values: object) -> Markup:
        """The same as HTML: escaped, and each value that is not markup already kept apart."""

        def filled(place: re.Match[str]) -> str:
            value = self._value(key, place[1], values)
            return value if isinstance(value, Markup) else f"<bdi>{escape(str(value))}</bdi>"

        return Markup(_PLACE.sub(filled, str(escape(self._find(key)))))  # noqa: S704  # escaped just here

    def date(self, day: date) -> str:
        """A day written out, such as `Tuesday, 6 January 2026`. Raises TemplateError.

        Not `strftime`: that follows the locale of the process, and the same letter would differ by machine.
        """
        dates = self._words["dates"]
        return self.say(
            "dates.long",
            weekday=dates["weekdays"][day.weekday()],
            day=dates["first"] if day.day == 1 else day.day,
            month=dates["months"][day.month - 1],
            year=day.year,
        )

    def weeks(self, count: int) -> str:
        """`1 week`, or `4 weeks`. Raises TemplateError."""
        return self.say("dates.week" if count == 1 else "dates.weeks", weeks=count)

    def joined(self, words: list[str]) -> str:
        """`a, b and c`."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self.say('letters.and')} {words[-1]}"

    def joined_markup(self, words: list[str]) -> Markup:
        """The same as HTML: each word escaped, if it is not markup already, and kept apart."""
        apart = [word if isinstance(word, Markup) else Markup("<bdi>{}</bdi>").format(word) for word in words]
        if len(apart) < 2:
            return Markup("").join(apart)
        return Markup("{} {} {}").format(Markup(", ").join(apart[:-1]), self.say("letters.and"), apart[-1])

    def _find(self, key: str) -> str:
        found: Any = self._words
        for part in key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        if not isinstance(found, str):
            raise TemplateError(f"there are no words for {key!r}", path=f"languages/{self.tag}.toml")
        return found

    def _value(self, key: str, name: str, values: Mapping[str, object]) -> object:
        if name not in values:
            known = ", ".join(f"{{{one}}}" for one in sorted(values)) or "none"
            raise TemplateError(
                f"{key} fills in {{{name}}}, and there is none; there are: {known}",
                path=f"languages/{self.tag}.toml",
            )
        return values[name]


class Languages:
    """The languages of one site. Files are read once, when the first word is wanted."""

    def __init__(self, overrides: Path | None) -> None:
        """`overrides` is the site's templates folder."""
        self._folders = [builtin_templates(), *([overrides] if overrides else [])]

    @cached_property
    def all(self) -> Mapping[str, Language]:
        """Every language by its tag, English first. Raises TemplateError."""
        read: dict[str, dict[str, Any]] = {}
        for path in self._paths():
            read[path.stem] = _over(read.get(path.stem, {}), _read(path))
            if missing := [key for key in ("name", "direction") if key not in read[path.stem]]:
                raise TemplateError(f"has no {' and no '.join(missing)}; see docs/languages.md", path=path)
        tags = sorted(read, key=lambda tag: (tag != ENGLISH, tag))
        return {tag: Language(tag, _over(read[ENGLISH], read[tag])) for tag in tags}

    def best(self, *tags: str | None) -> Language:
        """The first of these that there is, whole or cut short (RFC 4647 §3.4); else English."""
        for tag in tags:
            parts = (tag or "").split("-")
            while parts:
                if found := self._folded.get("-".join(parts).lower()):
                    return found
                parts.pop()
        return self.all[ENGLISH]

    @cached_property
    def _folded(self) -> Mapping[str, Language]:
        return {tag.lower(): language for tag, language in self.all.items()}

    def _paths(self) -> list[Path]:
        """The files, the built-in ones first."""
        paths = [path for folder in self._folders for path in sorted((folder / "languages").glob("*.toml"))]
        for path in paths:
            if not _TAG.match(path.stem):
                raise TemplateError("is not named by a language tag (BCP 47), such as fr.toml", path=path)
        return paths


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """The words of `above`, and of `below` what that lacks."""
    both = dict(below)
    for key, value in above.items():
        is_table = isinstance(value, Mapping) and isinstance(both.get(key), Mapping)
        both[key] = _over(both[key], value) if is_table else value
    return both


def _read(path: Path) -> dict[str, Any]:
    try:
        words = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise TemplateError("this file is not UTF-8; save it as UTF-8", path=path) from error
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"is not TOML: {error}; every text stands in quotes", path=path) from error
    except OSError as error:
        raise TemplateError(f"cannot be read: {error.strerror}", path=path) from error
    for key, value in words.items():
        if key in _TABLES and isinstance(value, dict):
            _check(path, key, value)
        elif key == "direction" and value in ("ltr", "rtl"):
            continue
        elif key != "name" or not isinstance(value, str):
            raise TemplateError(
                f"{key} is none of name, direction (ltr or rtl), {', '.join(f'[{one}]' for one in _TABLES)}",
                path=path,
            )
    return words


def _check(path: Path, where: str, table: Mapping[str, Any]) -> None:
    for key, value in table.items():
        place = f"{where}.{key}"
        if isinstance(value, dict) and where not in ("commands", "dates"):
            _check(path, place, value)
        elif problem := _problem(place, value):
            raise TemplateError(f"{place} {problem}", path=path)


def _problem(place: str, value: object) -> str | None:
    """What is wrong with the words at a place."""
    is_list = isinstance(value, list) and all(isinstance(one, str) for one in value)
    if place.startswith("commands."):
        return None if is_list else 'is not a list of words, such as ["help"]'
    if place in _LISTS:
        is_whole = is_list and isinstance(value, list) and len(value) == _LISTS[place]
        return None if is_whole else f"is not a list of {_LISTS[place]} words"
    if not isinstance(value, str):
        return "is not text in quotes"
    if {"{", "}"} & set(_PLACE.sub("", value)):
        return "has a brace that is none of a name to fill in, such as {site}"
    return None
