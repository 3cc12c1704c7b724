"""paperround.toml: found, read, overridden by the environment, and written.

Everything that is wrong is named at once, with file and line or with the variable, and without the value:
that may be a secret. Variables are `PAPERROUND_`, section, two underscores, key; names without `__` are
nobody's business here.
"""

import os
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import SecretStr, ValidationError

from newsletter.errors import SettingsError
from newsletter.files import open_regular
from newsletter.settings import Section, Settings, SiteSection

FILE_NAME = "paperround.toml"
_PREFIX = "PAPERROUND_"
_NOT_TOML = (ValueError, RecursionError)
"""What tomllib raises: `TOMLDecodeError` is a ValueError, and so is what Python says to very long numbers."""


def find_site(start: Path) -> Path:
    """The nearest folder from `start` upwards that holds a paperround.toml. Raises SettingsError."""
    for folder in (start.resolve(), *start.resolve().parents):
        if (folder / FILE_NAME).is_file():
            return folder
    raise SettingsError(
        f"no {FILE_NAME} in {start.resolve()} or above it; go to your site's folder, name it with "
        f"`paperround --site DIR …`, or make one with `paperround init DIR`"
    )


def _line_of(text: str, section: str, key: str | None, place: int = 0) -> int | None:
    """The line of a key in our two-level TOML, or of its section, or None.

    `place` says which of the tables of a section that is repeated, from 0.
    """
    name, member = (rf"\s*[\"']?{re.escape(word)}[\"']?\s*" for word in (section, key or ""))
    patterns = {"": rf"{name}(=|\.{member})", section: rf"{member}[=.]" if key else r"(?!)"}
    current, section_line, seen = "", None, 0
    for number, line in enumerate(text.split("\n"), start=1):
        if header := re.match(r"\s*\[+\s*([^\[\]]+?)\s*\]", line):
            current = header[1].strip("\"' ")
            if current == section:
                current = section if seen == place or not _is_repeated(section) else "another one"
                section_line = number if current == section else section_line
                seen += 1
        elif current in patterns and re.match(patterns[current], line):
            return number
    return section_line


def _from_environment() -> Iterator[tuple[str, str, str, str]]:
    """(variable, section, key, value) of every variable that is meant for a setting."""
    for variable, value in os.environ.items():
        section, separator, key = variable.upper().removeprefix(_PREFIX).partition("__")
        if separator and variable.upper().startswith(_PREFIX):
            yield variable, section.lower(), key.lower(), value


def _override(data: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Put the environment's values into the file's; returns which variable each came from."""
    variables = {}
    for variable, section, key, value in _from_environment():
        values = data.setdefault(section, {})
        if isinstance(values, dict):
            values[key] = _as_in_toml(value, _annotation(section, key))
            variables[section, key] = variables[section, ""] = variable
    return variables


def _as_in_toml(value: str, kind: object) -> Any:
    """A variable's value as the file would have it; a password of digits stays a text."""
    if kind is int and re.fullmatch(r"-?[0-9]{1,99}", value):
        return int(value)
    if kind is bool and value in ("true", "false"):
        return value == "true"
    if get_origin(kind) in (dict, list):
        with suppress(*_NOT_TOML):  # what is neither is refused with the file's other mistakes
            return tomllib.loads(f"value = {value}")["value"]
    return value


def _annotation(section: str, key: str) -> object:
    fields = _section_class(section).model_fields if section in Settings.model_fields else {}
    return fields[key].annotation if key in fields else None


def _problem(error: Mapping[str, Any], section: str, key: str) -> str:
    """One of pydantic's complaints in words, without the value: that may be a secret."""
    name = f"{section}.{key}" if key else f"[{section}]"
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return f"{name} is missing"
        case "extra_forbidden" if not key or section not in Settings.model_fields:
            return f"[{section}] is not a section of settings; known: {', '.join(_known_sections())}"
        case "extra_forbidden":
            return f"{name} is not a setting; known in [{section}]: {', '.join(_known_keys(section))}"
        case "tuple_type" | "model_type" | "model_attributes_type":
            kind = f"a list, each under [[{section}]]" if _is_repeated(section) else "a section of its own"
            return f"{name} must be {kind}, with its keys below it"
        case "list_type" | "dict_type" as kind:
            written = '{ "KEY" = VALUE, … }' if kind == "dict_type" else '["VALUE", …]'
            return f"{name} must be a {'table' if kind == 'dict_type' else 'list'}, written as {written}"
    return f"{name} {message}" if error["type"] == "value_error" else f"{name}: {_uncapitalised(message)}"


def _uncapitalised(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_repeated(section: str) -> bool:
    """Whether a section is an array of tables, written `[[section]]`."""
    return section in Settings.model_fields and get_origin(Settings.model_fields[section].annotation) is tuple


def _section_class(section: str) -> type[Section]:
    annotation = Settings.model_fields[section].annotation
    if _is_repeated(section):
        annotation = get_args(annotation)[0]
    assert isinstance(annotation, type) and issubclass(annotation, Section)  # noqa: S101, PT018  # by construction
    return annotation


def _known_sections() -> list[str]:
    return [f"[[{name}]]" if _is_repeated(name) else f"[{name}]" for name in Settings.model_fields]


def _known_keys(section: str) -> list[str]:
    return [field.alias or name for name, field in _section_class(section).model_fields.items()]


def _read_file(path: Path) -> str:
    """The file's text. Raises SettingsError."""
    try:
        with open_regular(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise SettingsError(
            f"there is no {FILE_NAME} here; make a site with `paperround init {path.parent}`",
            path=path.parent,
        ) from None
    except OSError as error:
        raise SettingsError(f"cannot be read: {error.strerror}", path=path) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError("is not UTF-8; save it as UTF-8", path=path, line=line) from None


def _parse(text: str, path: Path) -> dict[str, Any]:
    """The file's values. Raises SettingsError."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else max(1, len(text.splitlines()))
        message = str(error)[: place.start()] if place else str(error)
        raise SettingsError(f"is not TOML: {message}", path=path, line=line) from None
    except _NOT_TOML:
        raise SettingsError(
            "is not TOML that can be read: it is nested too deeply, or a number has thousands of digits",
            path=path,
        ) from None


def load_settings(folder: Path) -> Settings:
    """Read a site's settings. Raises SettingsError with file and line, or the variable, of what is wrong."""
    path = folder / FILE_NAME
    text = _read_file(path)
    data = _parse(text, path)
    variables = _override(data)
    try:
        settings = Settings.model_validate(data)
    except ValidationError as errors:
        problems = []
        for error in errors.errors(include_input=False, include_url=False):
            section, key, place = _place(error["loc"])
            problem, line = _problem(error, section, key), _line_of(text, section, key or None, place)
            variable = variables.get((section, key)) if key or line is None else None
            problems.append(
                f"environment variable {variable}: {problem}"
                if variable
                else str(SettingsError(problem, path=path, line=line))
            )
        raise SettingsError("\n".join(problems)) from None
    return settings.in_folder(folder.resolve())


def _place(location: Sequence[str | int]) -> tuple[str, str, int]:
    """Section, key and, in a section that is repeated, which table of it."""
    section, *rest = location or ("site",)  # what several sections together are is said of the first
    place = rest.pop(0) if rest and isinstance(rest[0], int) else 0
    return str(section), str(rest[0]) if rest else "", int(place)


def check_site(given: Mapping[str, object]) -> None:
    """Check values for `[site]`, by the file's key names, before a file is written. Raises SettingsError."""
    try:
        SiteSection.model_validate(given)
    except ValidationError as errors:
        problems = [
            _problem(error, "site", str((*error["loc"], "")[0]))
            for error in errors.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("\n".join(problems)) from None


def _toml_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "{}"  # the only default a table has
    if isinstance(value, list):
        return "[]"  # as above
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


_REPEATED = {
    "further_relays": "More relays, each a table of its own with the keys of [relay]: letters are shared out "
    "by weight, and go by the others while one is down."
}


def write_settings(given: Mapping[str, object]) -> str:
    """The text of a complete, commented paperround.toml; `given` fills `[site]`, by the file's key names."""
    lines = [
        "# A Paperround site. Every key is here, with its default where it has one.",
        f"# An environment variable overrides a key: {_PREFIX}RELAY__HOST is host in [relay].",
    ]
    for section in Settings.model_fields:
        cls = _section_class(section)
        if _is_repeated(section):
            lines += ["", "", *_comment(_REPEATED[section]), f"# [[{section}]]"]
            continue
        lines += ["", "", *_comment(cls.__doc__ or ""), f"[{section}]"]
        for name, field in cls.model_fields.items():
            key = field.alias or name
            value = given.get(key, field.default) if section == "site" else field.default
            lines += ["", *_comment(field.description or ""), f"{key} = {_toml_value(value)}"]
    return "\n".join(lines) + "\n"


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 96, break_on_hyphens=False)]
