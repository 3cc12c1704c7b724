"""Web addresses in running text: where they begin and end (GFM section 6.9, "autolinks").

Promises: pure and linear. Punctuation that ends a sentence, and a parenthesis that the address did not open,
are no part of it. May surprise: unlike GFM's, these addresses also end at quotation marks of any language,
and need `http://` or `https://` before them.
"""

import re
from collections.abc import Iterator

MAX_ADDRESS_CHARS = 4_096
"""Characters of an address; a longer one is text."""

# Characters 2 and 3 enclose Python-Markdown's escapes: \\_ is \\x0295\\x03 by then, and part of one.
RUN = r"(?<![A-Za-z0-9])(?i:https?)://(?:\x02\d+\x03|[^\s<>\"“”„«»‘`\x02\x03。，、；：！？（）「」])+"
"""A regular expression: from where an address begins to the next character that none can hold."""

_RUN = re.compile(RUN)
_TRAILING = frozenset("?!.,:;*_~'’]}|")


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where the addresses in a text begin and end."""
    for run in _RUN.finditer(text):
        if length := address_length(run[0]):
            yield run.start(), run.start() + length


def address_length(run: str) -> int:
    """How many characters of what `RUN` matched are the address; 0 if it is none, or longer than any."""
    if len(run) > MAX_ADDRESS_CHARS:
        return 0
    end = len(run)
    unopened = run.count(")") - run.count("(")
    while run[end - 1] in _TRAILING or (run[end - 1] == ")" and unopened > 0):
        unopened -= run[end - 1] == ")"
        end -= 1
    has_host = any(character.isalnum() for character in run[run.index(":") + 3 : end])
    return end if has_host else 0
