"""The features of HTML and CSS that a letter makes use of, by the names of caniemail.com's data.

Promises: every feature found is there, with the word that shows it; linear time; never fails. May surprise:
what stands in comments is passed over, for those of a letter are Outlook's own.
"""

import re
from collections.abc import Iterable
from html.parser import HTMLParser

_LISTS = {"ul", "ol", "dl"}
_HEADINGS = {"h1", "h2", "h3", "h4", "h5", "h6"}
_ATTRIBUTES = {"loading": "html-loading-attribute", "srcset": "html-srcset", "sizes": "html-srcset"}
_INSETS = {"left", "right", "top", "bottom"}
_GAPS = {"column-gap": "css-gap", "row-gap": "css-gap"}
_FUNCTIONS = {
    **{name: f"css-function-{name}" for name in ("clamp", "min", "max", "light-dark")},
    **{
        name: f"css-{name}"
        for name in ("linear-gradient", "radial-gradient", "conic-gradient", "rgb", "rgba")
    },
    "calc": "css-unit-calc",
    "var": "css-variables",
}
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DECLARATION = re.compile(r"(?<![\w-])(-{0,2}[a-z][a-z-]{1,40}+)[ \t\n]*+:([^;{}]*+)(?=[;}]|$)")
_AT_RULE = re.compile(r"@([a-z-]{1,40}+)([^;{}]*+)")
_PSEUDO = re.compile(r"(::?)([a-z-]{1,40}+)")
_FUNCTION = re.compile(r"(?<![\w-])([a-z-]{1,40}+)\(")
_UNIT = re.compile(r"(?<![\w#.])-?(?:\d++(?:\.\d++)?|\.\d++)(vw|vh|vmin|vmax|rem|ch|ex)\b")


def features_of(html: str) -> dict[str, str]:
    """Each feature of a letter, and a word of the letter that shows it."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, str] = {}
        self._in_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_style = tag == "style"
        for slug in _of_tag(tag, dict(attrs).get("type") or ""):
            self.found.setdefault(slug, f"<{tag}")
        for name, value in attrs:
            if name == "style":
                self._declarations(value or "")
            else:
                self.found.setdefault(_ATTRIBUTES.get(name, f"html-{name}"), f"{name}=")

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self._sheet(_COMMENT.sub("", data))

    def _sheet(self, css: str) -> None:
        for rule in _AT_RULE.finditer(css):
            name, condition = rule[1], rule[2]
            self.found.setdefault(f"css-at-{name}", f"@{name}")
            for feature in re.findall(r"\(\s*(?:-webkit-)?(?:min-|max-)?([a-z-]+)", condition):
                self.found.setdefault(f"css-at-{name}-{feature}", feature)
        for prelude in re.findall(r"(?:^|[{};])([^{};@]*)(?=\{)", css):
            for colons, name in _PSEUDO.findall(prelude):
                kind = "element" if colons == "::" else "class"
                self.found.setdefault(f"css-pseudo-{kind}-{name}", colons + name)
        for body in re.findall(r"\{([^{}]*)\}", css):
            self._declarations(body)

    def _declarations(self, css: str) -> None:
        for found in _DECLARATION.finditer(css.lower()):
            name, value = found[1], found[2].strip()
            for slug in _of_declaration(name, value):
                self.found.setdefault(slug, name)


def _of_tag(tag: str, kind: str) -> Iterable[str]:
    if tag in _LISTS:
        return ("html-lists",)
    if tag in _HEADINGS:
        return ("html-h1-h6",)
    if tag in ("input", "button") and kind:
        return (f"html-{tag}-{kind.lower()}",)
    return (f"html-{tag}",)


def _of_declaration(name: str, value: str) -> Iterable[str]:
    yield "css-left-right-top-bottom" if name in _INSETS else _GAPS.get(name, f"css-{name}")
    if name.startswith("--"):
        yield "css-variables"
    if name == "display":
        yield f"css-display-{value.partition(' ')[0].removeprefix('inline-')}"
    for function in _FUNCTION.findall(value):
        if function in _FUNCTIONS:
            yield _FUNCTIONS[function]
    for unit in _UNIT.findall(value):
        yield f"css-unit-{unit}"
