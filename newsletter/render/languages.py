"""Languages: the words of short letters and of the doors' pages, and the commands readers may write.

A language is a file `languages/TAG.toml` among the templates, of a site or built in; a site's adds to the
built-in one of the same tag, word by word. What a language lacks is said in English. Failures are
`TemplateError` with the file and what is wrong in it.

Words are text, with `{names}` for what is filled in. In HTML that is kept apart from the words around it
(`<bdi>`), so that a name in another direction does not mix with them (WCAG 2.2, 1.3.2).
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from newsletter.errors import TemplateError
from newsletter.render.builtin import builtin_templates

ENGLISH = "en"
_PLACE = re.compile(r"\{([a-z_]+)\}")
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")
_TABLES = ("pages", "letters", "commands")


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

    def joined(self, words: list[str]) -> str:
        """`a, b and c`."""
        if len(words) < 2:
            return "".join(words)
        return f"{', '.join(words[:-1])} {self.say('letters.and')} {words[-1]}"

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
        tags = sorted({path.stem for path in self._paths()}, key=lambda tag: (tag != ENGLISH, tag))
        english = self._read(ENGLISH)
        return {tag: Language(tag, _over(english, self._read(tag))) for tag in tags}

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

    def _paths(self) -> Iterator[Path]:
        for folder in self._folders:
            for path in sorted((folder / "languages").glob("*.toml")):
                if not _TAG.match(path.stem):
                    raise TemplateError("is not named by a language tag (BCP 47), such as fr.toml", path=path)
                yield path

    def _read(self, tag: str) -> dict[str, Any]:
        words: dict[str, Any] = {}
        for folder in self._folders:
            path = folder / "languages" / f"{tag}.toml"
            if path.is_file():
                words = _over(words, _read(path))
        return words


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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TemplateError(f"cannot be read: {error}", path=path) from error
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
    is_commands = where.partition(".")[0] == "commands"
    for key, value in table.items():
        if isinstance(value, dict) and not is_commands:
            _check(path, f"{where}.{key}", value)
        elif is_commands and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise TemplateError(f'{where}.{key} is not a list of words, such as ["help"]', path=path)
        elif not is_commands and not isinstance(value, str):
            raise TemplateError(f"{where}.{key} is not text in quotes", path=path)
