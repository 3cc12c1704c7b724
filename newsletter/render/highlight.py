"""Code, divided into pieces that are coloured alike.

Promises: the pieces joined are the code, character for character; neighbours of one kind are one piece; a
language is never guessed. Lexers are Pygments', each loaded when code first names it, and those that other
packages would add are left alone, so that a letter looks the same on every machine.

It does not fail: code in a language that is not known, code longer than `LONGEST` and code on which a
lexer stumbles is one piece of no kind.
"""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Kind = Literal["keyword", "name", "string", "number", "comment", "mark"]
Piece = tuple[Kind | None, str]

LONGEST = 50_000
"""Characters of code that are still highlighted: colours cost bytes, and a letter of more is cut anyway."""

# By Pygments' names of token types (pygments.org/docs/tokens), the longest beginning that fits.
_KINDS: dict[str, Kind | None] = {
    "Comment": "comment",
    "Comment.Preproc": "mark",
    "Comment.PreprocFile": "string",
    "Generic.Deleted": "number",
    "Generic.Heading": "name",
    "Generic.Inserted": "string",
    "Generic.Prompt": "comment",
    "Generic.Subheading": "name",
    "Generic.Traceback": "number",
    "Keyword": "keyword",
    "Keyword.Constant": "number",
    "Literal": "number",
    "Literal.Date": "string",
    "Literal.String": "string",
    "Name.Attribute": "mark",
    "Name.Builtin": "name",
    "Name.Class": "name",
    "Name.Constant": "number",
    "Name.Decorator": "mark",
    "Name.Entity": "number",
    "Name.Exception": "name",
    "Name.Function": "name",
    "Name.Namespace": "name",
    "Name.Tag": "keyword",
    "Operator.Word": "keyword",
}


def highlight(code: str, language: str) -> list[Piece]:
    """Divide `code` in `language`, an alias that Pygments knows (`python`, `js`, `c++`, …), in any case."""
    lexer = _lexer(language.strip().lower()) if len(code) <= LONGEST else None
    if lexer is None:
        return [(None, code)]
    try:
        pieces = list(
            _merged((_kind(str(token)), text) for _, token, text in lexer.get_tokens_unprocessed(code))
        )
    except Exception:  # a lexer is a heap of patterns, and may stumble over anything
        return [(None, code)]
    return pieces if "".join(text for _, text in pieces) == code else [(None, code)]


def _merged(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same text in as few pieces as can be: white space has no colour, so it joins what is before it."""
    kind: Kind | None = None
    held: list[str] = []
    for new, text in pieces:
        if new != kind and not text.isspace():
            if held:
                yield kind, "".join(held)
            kind, held = new, []
        held.append(text)
    if held:
        yield kind, "".join(held)


@cache
def _kind(token: str) -> Kind | None:
    name = token.removeprefix("Token.")
    while name not in _KINDS and "." in name:
        name = name.rpartition(".")[0]
    return _KINDS.get(name)


@cache
def _aliases() -> dict[str, tuple[str, str]]:
    """(module, class) by alias; `pygments.lexers.get_lexer_by_name` would look for other packages' too."""
    from pygments.lexers import LEXERS

    return {alias: (module, name) for name, (module, _, aliases, *_) in LEXERS.items() for alias in aliases}


def _lexer(language: str) -> "Lexer | None":
    place = _aliases().get(language)
    return _loaded(*place) if place else None


@cache
def _loaded(module: str, name: str) -> "Lexer":
    lexer: Lexer = getattr(import_module(module), name)()
    return lexer
