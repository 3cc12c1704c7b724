"""The language of a post that names none: the site's, unless the post is written in another script.

A letter in Hebrew that says it is English runs the wrong way and is read out wrongly (WCAG 3.1.1). The script
gives the direction for sure and the language as the likeliest guess; `lang:` in the front matter decides.
"""

import re
import unicodedata
from collections import Counter
from typing import Literal

from newsletter.content.html import words

Direction = Literal["ltr", "rtl"]

_SAMPLE = 4000
"""Characters that are looked at."""

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")
_ASCII_LETTERS = re.compile(r"[A-Za-z]")

_RTL_LANGUAGES = words("ar arc ckb dv fa he iw ji nqo pnb prs ps sd syr ug ur yi")
_RTL_SCRIPTS = words("adlm arab hebr nkoo rohg syrc thaa")

_LIKELIEST = {
    "HEBREW": ("he", {"yi"}),
    "ARABIC": ("ar", {"fa", "ur", "ps", "ckb", "ug", "sd"}),
    "CYRILLIC": ("ru", {"uk", "bg", "sr", "be", "mk", "kk", "ky", "mn", "tg"}),
    "GREEK": ("el", set[str]()),
    "HIRAGANA": ("ja", set[str]()),
    "KATAKANA": ("ja", set[str]()),
    "HANGUL": ("ko", set[str]()),
    "CJK": ("zh", {"ja"}),
    "DEVANAGARI": ("hi", {"mr", "ne", "sa"}),
    "THAI": ("th", set[str]()),
}
"""By the first word of a character's Unicode name: the likeliest language, and others in that script."""


def language_of(text: str, site_language: str) -> str:
    """A BCP 47 tag for a text: `site_language`, if it can be written in the text's script."""
    sample = text[:_SAMPLE]
    scripts = Counter(
        unicodedata.name(char, "").partition(" ")[0] for char in _NOT_ASCII.findall(sample) if char.isalpha()
    )
    scripts["LATIN"] += len(_ASCII_LETTERS.findall(sample))
    script = scripts.most_common(1)[0][0]
    if script not in _LIKELIEST:
        return site_language
    likeliest, others = _LIKELIEST[script]
    primary = site_language.lower().partition("-")[0]
    return site_language if primary == likeliest or primary in others else likeliest


def direction_of(lang: str) -> Direction:
    """The direction of a BCP 47 language tag: by its script where it names one, else by its language."""
    language, *subtags = re.split("[-_]", lang.lower())
    script = next((subtag for subtag in subtags if len(subtag) == 4 and subtag.isalpha()), None)
    right_to_left = language in _RTL_LANGUAGES if script is None else script in _RTL_SCRIPTS
    return "rtl" if right_to_left else "ltr"
