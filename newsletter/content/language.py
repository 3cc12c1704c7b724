"""The language of a post that names none: the site's, unless the post is written in another script.

A letter in Hebrew that says it is English runs the wrong way and is read out wrongly (WCAG 3.1.1). The script
gives the direction for sure and the language as the likeliest guess; `lang:` in the front matter decides.
"""

import unicodedata
from collections import Counter

_SAMPLE = 4000
"""Characters that are looked at."""

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
    scripts = Counter(
        unicodedata.name(char, "").partition(" ")[0] for char in text[:_SAMPLE] if char.isalpha()
    )
    if not scripts:
        return site_language
    script = scripts.most_common(1)[0][0]
    if script not in _LIKELIEST:
        return site_language
    likeliest, others = _LIKELIEST[script]
    primary = site_language.lower().partition("-")[0]
    return site_language if primary == likeliest or primary in others else likeliest
