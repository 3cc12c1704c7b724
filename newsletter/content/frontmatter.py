"""Front matter as Jekyll (YAML between `---` lines) and Hugo (also TOML between `+++` lines) write it.

Promises: `split` finds the front matter at the very start of a file, reads it, and says at which line of
the file each key stands and the body begins.

Fails with `ContentError`, which names the line in the file, when the block is not closed, is not a
mapping, is malformed, or is larger, deeper or more entangled than any front matter a person writes.

May surprise: every scalar comes back as the string that was written. YAML 1.1 would read `lang: no` as
False, `title: 1.10` as 1.1 and `2020-13-45` as a crash; what a value means is for its reader to say. No
tag constructs anything, and anchors and aliases (the stuff of alias bombs) are refused.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from newsletter.errors import ContentError

MAX_FRONT_MATTER_CHARS = 65_536
MAX_DEPTH = 20

Value = str | list["Value"] | dict[str, "Value"]

# libyaml where PyYAML was built with it: the same answers, some ten times sooner.
_Loader: type[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_TOML_LINE = re.compile(r"at line (\d+)")
_TOML_KEY = re.compile(r"""[ \t]*["']?([\w-]+)["']?[ \t]*=""")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What stood above the body. `lines` says where each top-level key stands, in lines of the file."""

    values: Mapping[str, Value]
    lines: Mapping[str, int]
    body: str
    body_line: int


def split(text: str, path: Path) -> FrontMatter:
    """Divide a post into front matter and body; a post without front matter is all body.

    Args:
        text: the whole file; a byte order mark and CRLF line ends are tolerated.
        path: named in errors.

    Raises:
        ContentError: the front matter cannot be read; the error has its line in the file.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    opener, _, rest = text.partition("\n")
    fence = opener.rstrip()
    if fence not in ("---", "+++"):
        return FrontMatter({}, {}, text, 1)
    # YAML 1.2 section 9.1.4 lets a document end with `...` too, and Jekyll allows it.
    ends = r"^(?:---|\.\.\.)[ \t]*$" if fence == "---" else r"^\+\+\+[ \t]*$"
    end = re.search(ends, rest, re.MULTILINE)
    if end is None:
        raise ContentError(f"the front matter opened by {fence} is not closed: add a line {fence} after it",
                           path=path, line=1)  # fmt: skip
    block = rest[: end.start()]
    if len(block) > MAX_FRONT_MATTER_CHARS:
        raise ContentError(f"the front matter has {len(block):,} characters, more than the "
                           f"{MAX_FRONT_MATTER_CHARS:,} allowed: is its end marked by {fence}?",
                           path=path, line=1)  # fmt: skip
    values, lines = (_yaml if fence == "---" else _toml)(block, path)
    return FrontMatter(values, lines, rest[end.end() + 1 :], block.count("\n") + 3)


def _yaml(block: str, path: Path) -> tuple[dict[str, Value], dict[str, int]]:
    """Read a YAML mapping. Line 1 of the block is line 2 of the file."""
    try:
        _refuse_tangles(block, path)
        loader = _Loader(block)
        node = loader.get_single_node()
        if node is None:
            return {}, {}
        if not isinstance(node, yaml.MappingNode):
            raise ContentError("the front matter is not a list of `key: value` lines", path=path, line=2)
        values: dict[str, Value] = loader.construct_document(node)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML"
        # What is never closed is noticed at the end, and belongs to where it was opened.
        mark = getattr(error, "context_mark" if "end of stream" in reason else "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        raise ContentError(f"the front matter cannot be read: {reason}", path=path, line=line) from error
    lines = {str(key.value): key.start_mark.line + 2 for key, _ in node.value}
    return {str(key): value for key, value in values.items()}, lines


def _refuse_tangles(block: str, path: Path) -> None:
    """Refuse aliases and deep nesting from the flat stream of events, before anything recurses."""
    depth = 0
    for event in yaml.parse(block, Loader=_Loader):
        line = event.start_mark.line + 2 if event.start_mark else 2
        if isinstance(event, yaml.AliasEvent):
            raise ContentError(f"YAML aliases (*{event.anchor}) are not read here: write the value out",
                               path=path, line=line)  # fmt: skip
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ContentError(f"the front matter is nested more than {MAX_DEPTH} deep", path=path, line=line)


def _toml(block: str, path: Path) -> tuple[dict[str, Value], dict[str, int]]:
    """Read TOML 1.0, its scalars turned back to strings. Line 1 of the block is line 2 of the file."""
    try:
        values = {key: _written(value) for key, value in tomllib.loads(block).items()}
    except tomllib.TOMLDecodeError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) + 1 if found else 2
        raise ContentError(f"the front matter cannot be read: {error}", path=path, line=line) from error
    except (RecursionError, ValueError) as error:
        raise ContentError("the front matter is nested too deeply or holds a number too large to read",
                           path=path, line=2) from error  # fmt: skip
    lines: dict[str, int] = {}
    for number, line_text in enumerate(block.split("\n"), start=2):
        if found := _TOML_KEY.match(line_text):
            lines.setdefault(found[1], number)
    return values, lines


def _written(value: Any) -> Value:
    """Turn a TOML value into the strings that YAML's base schema would give."""
    if isinstance(value, dict):
        return {key: _written(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_written(inner) for inner in value]
    return str(value).lower() if isinstance(value, bool) else str(value)
