"""Who speaks in a post, as its front matter says: `speakers:`, by name.

    speakers:
      Dana Levi: {role: asks, link: https://example.org/dana, colour: "#7a3b69", as: Q}
      Ben Okafor: {avatar: /images/ben.jpg, permission: 2026-05-01}

Promises: names are on one line and stand once; colours are `#rrggbb`; links and avatars are web addresses or
paths on the blog. A name alone, or with a text for its role, is enough; a list of names or mappings with
`name` says the same. Fails with `ValueError`, whose words complete the sentence "`speakers` …".

May surprise: `as` gives other words that announce the speaker in the text (`Q` for `Q: …`). Any `permission`
but a no counts: a date tells the next editor more than a yes.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from newsletter.content.frontmatter import Value
from newsletter.content.tree import Speaker

MAX_SPEAKERS = 100
_MAX_CHARS = 200
_KEYS = ("name", "role", "link", "colour", "color", "avatar", "as", "author", "permission")
_NOTHING = {"", "~", "null", "false", "no", "off"}
_COLOUR = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_ADDRESS = re.compile(r"(?:https?://[^\s/]\S*|(?!//)[^\s:]+)", re.IGNORECASE)
_LINK = re.compile(rf"mailto:[^\s@]+@[^\s@]+|{_ADDRESS.pattern}", re.IGNORECASE)


def read_speakers(value: Value | None, author: str | None) -> tuple[Speaker, ...]:
    """Read the value of `speakers`; who bears the name `author` is the post's author."""
    if value is None or value == "":
        return ()
    speakers = [_speaker(name, told, author) for name, told in _entries(value)]
    if len(speakers) > MAX_SPEAKERS:
        raise ValueError(f"names {len(speakers)}, more than the {MAX_SPEAKERS} allowed")
    names = [speaker.name for speaker in speakers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ValueError(f"names {twice!r} twice")
    return tuple(speakers)


def _entries(value: Value) -> Iterator[tuple[str, Value]]:
    """(name, what is told of them) of each speaker."""
    if isinstance(value, str):
        yield from ((name, "") for name in value.split(","))
    elif isinstance(value, dict):
        yield from value.items()
    else:
        for entry in value:
            if isinstance(entry, dict) and "name" not in entry and len(entry) == 1:
                yield from entry.items()  # `- Dana: asks`
            elif isinstance(entry, dict):
                yield str(entry.get("name") or ""), entry
            else:
                yield (entry if isinstance(entry, str) else ""), ""


def _speaker(name: str, told: Value, author: str | None) -> Speaker:
    name = " ".join(name.split())
    if not name or len(name) > _MAX_CHARS:
        raise ValueError("must give each speaker a name: write it as a mapping of names, or a list of them")
    facts: dict[str, Value] = told if isinstance(told, dict) else {"role": told}
    if unknown := next((key for key in facts if key not in _KEYS), None):
        raise ValueError(f"says {unknown!r} of {name}; what is read is {', '.join(_KEYS[1:])}")
    said = _Facts(name, facts)
    return Speaker(
        name=name,
        role=said.text("role"),
        link=said.matching("link", _LINK, "a web address, a mailto: or a path on the blog"),
        colour=_long(
            said.matching("colour", _COLOUR, "written as #rrggbb")
            or said.matching("color", _COLOUR, "written as #rrggbb")
        ),
        avatar=said.matching("avatar", _ADDRESS, "a web address or a path on the blog"),
        labels=said.labels(),
        is_author=said.flag("author") if "author" in facts else name == author,
        has_permission=said.flag("permission"),
    )


class _Facts:
    """What is told of one speaker, each by its kind."""

    def __init__(self, name: str, facts: dict[str, Value]) -> None:
        self._name = name
        self._facts = facts

    def text(self, key: str) -> str | None:
        value = self._facts.get(key, "")
        if not isinstance(value, str) or len(value) > _MAX_CHARS:
            raise ValueError(f"must have a short text as the {key} of {self._name}")
        text = " ".join(value.split())
        return None if text in ("", "~", "null") else text

    def matching(self, key: str, pattern: re.Pattern[str], wanted: str) -> str | None:
        text = self.text(key)
        if text is not None and not (pattern.fullmatch(text) and _is_address(text)):
            raise ValueError(f"has {text[:40]!r} as the {key} of {self._name}, which is not {wanted}")
        return text

    def labels(self) -> tuple[str, ...]:
        value = self._facts.get("as", "")
        labels = [value] if isinstance(value, str) else value
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"must have a word or a list of words as the `as` of {self._name}")
        return tuple(filter(None, (" ".join(str(label).split()) for label in labels)))

    def flag(self, key: str) -> bool:
        return (self.text(key) or "").lower() not in _NOTHING


def _is_address(text: str) -> bool:
    """Whether an address can be taken apart, which one with half a bracket (`http://[`) cannot."""
    try:
        urlsplit(text)
    except ValueError:
        return False
    return True


def _long(colour: str | None) -> str | None:
    """`#rgb` written as `#rrggbb`, in lower case."""
    if colour is None or len(colour) == 7:
        return colour and colour.lower()
    return "#" + "".join(digit * 2 for digit in colour[1:].lower())
