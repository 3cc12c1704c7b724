"""Text of mail systems made even, and patterns for it: what reads their words begins here.

Promises: pure, never raises, and takes time in proportion to the first TEXT_LIMIT characters of a text.

May surprise: accents are left out of texts and of patterns alike, since many systems leave them out. Patterns
are strings, which `re` compiles and keeps when they are first needed: all of them take longer than the rest
of a command's start.
"""

import re
import unicodedata

TEXT_LIMIT = 4000
"""Characters of a text that are looked at."""

_PIECE = re.compile(r"""[\s<>()\[\],:"]+""")
_ADDRESS = re.compile(r"[!-~]*@[!-~]*")  # which scripts without spaces put in the midst of words
_PLACE = re.compile(r"(?<![\w-])[\w-]++(?:\.[\w-]++)++")
_STOP = re.compile(r"[.;!?。]+(?=\s|\Z)")
_NO_WORD = re.compile(r"[^\w.]+|\.(?=\w)")
_ACCENT = re.compile(r"[\u0300-\u036f]")


def sentences(text: str) -> str:
    """The words, single-spaced, in one case and without accents, a full stop behind each sentence.

    Without apostrophes, addresses, host names and codes: a server called `antispam.example` says nothing by
    its name.
    """
    folded = _unaccented(unicodedata.normalize("NFKC", text[:TEXT_LIMIT]).casefold())
    folded = folded.replace("’", "").replace("'", "")
    kept = " ".join(word for word in folded.split() if "://" not in word)
    kept = " ".join(_ADDRESS.sub(" ", piece) if "@" in piece else piece for piece in _PIECE.split(kept))
    kept = _STOP.sub(" . ", _PLACE.sub(" ", kept))
    return " ".join(_NO_WORD.sub(" ", kept).split())


def any_of(*phrases: str) -> str:
    """One pattern for phrases that stand in lines, or between strokes with spaces around them."""
    apart = (phrase.strip() for text in phrases for phrase in re.split(r"\n| \| ", text))
    return _unaccented("|".join(phrase for phrase in apart if phrase))


def near(who: str, what: str) -> str:
    """Who and what of them, in either order, in one sentence."""
    return f"(?:{who})[\\w ]{{0,60}}?(?:{what})|(?:{what})[\\w ]{{0,25}}?(?:{who})"


def _unaccented(text: str) -> str:
    """Letters as they are without the marks of Latin, Greek and Cyrillic; those of other scripts stay."""
    return unicodedata.normalize("NFKC", _ACCENT.sub("", unicodedata.normalize("NFKD", text)))
