"""Tags of blog engines, as they stand in a post, and the Markdown and HTML that they are replaced by.

Promises: pure and total. Nothing that a tag says is ever evaluated; its values are escaped on their way into
HTML. `newsletter.content.shortcodes` finds the tags; `liquid`, `hugo` and `wordpress` say what each means.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

MAX_TAG_CHARS = 2_000
"""Characters of one tag, without its body; a longer one is text."""

_ARGUMENT = re.compile(
    r"""(?:([\w.:-]+)\s*=\s*)?(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|`([^`]*)`|([^\s"'`=][^\s"'`=,]*))"""
)
_LANGUAGE = re.compile(r"[a-z0-9+#._-]{1,30}")
_VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{3,30}")


@dataclass(frozen=True, slots=True)
class Arguments:
    """A tag's values: those with a name, by name in lower case, and the others in their order."""

    named: dict[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @property
    def first(self) -> str:
        """The first value without a name; empty if there is none."""
        return self.others[0] if self.others else ""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag as written (`source`), its name in lower case, what follows the name, and what it encloses.

    `lead` is what stands before it on its line where that is only spaces and quote marks, else None.
    """

    source: str
    name: str
    text: str
    body: str = ""
    lead: str | None = ""

    @property
    def arguments(self) -> Arguments:
        """The tag's values."""
        return read_arguments(self.text)


@dataclass(frozen=True, slots=True)
class Written:
    """What a tag is replaced by, and what its editor should know of that, if anything."""

    text: str
    doubt: str | None = None


def read_arguments(text: str) -> Arguments:
    """Read values as they are written in HTML, Liquid and Hugo; what is none is passed over."""
    named: dict[str, str] = {}
    others: list[str] = []
    for name, double, single, back, bare in _ARGUMENT.findall(text[:MAX_TAG_CHARS]):
        value = double.replace('\\"', '"') or single or back or bare
        if name:
            named[name.lower()] = value
        else:
            others.append(value)
    return Arguments(named, tuple(others))


def language_of(words: Iterable[str]) -> str:
    """The language that the first of some words names (`Python`, `.python`, `language-python`), or none."""
    for word in words:
        name = word.lower().lstrip(".").removeprefix("language-").removeprefix("lang-")
        if _LANGUAGE.fullmatch(name):
            return name
    return ""


def code(body: str, language: str, lead: str | None) -> str:
    """Fenced code (CommonMark section 4.5); inside a line, and on one line, a code span (section 6.1)."""
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    if lead is None and "\n" not in body:
        mark = "`" * (longest + 1)
        return f"{mark} {body} {mark}"
    mark, start = "`" * max(3, longest + 1), "\n\n" if lead is None else ""
    body = re.sub(r"^[ \t]*\n|\n[ >\t]*$", "", body)
    return f"{start}{mark}{language}\n{body}\n{lead or ''}{mark}\n{lead or ''}"


def embed(url: str, title: str = "") -> str:
    """An embedded page, which `newsletter.content.cards` makes a card of."""
    return f'<iframe src="{escape(url)}" title="{escape(_one_line(title))}"></iframe>'


def youtube(video: str, title: str = "") -> str | None:
    """A video on YouTube by its id or address; None for what is neither."""
    if video.startswith(("http://", "https://")):
        return embed(video, title)
    return embed(f"https://www.youtube.com/watch?v={video}", title) if _VIDEO_ID.fullmatch(video) else None


def vimeo(video: str, title: str = "") -> str | None:
    """A video on Vimeo by its number or address; None for what is neither."""
    if video.startswith(("http://", "https://")):
        return embed(video, title)
    return embed(f"https://vimeo.com/{video}", title) if video.isascii() and video.isdigit() else None


def figure(image: str, caption: str, lead: str | None) -> str:
    """A picture with its caption, both Markdown; inside quotes and lists, where none can stand, prose."""
    if lead is not None and (">" in lead or len(lead) > 3):
        return f"{image} {caption}"
    image, caption = image.strip(), caption.strip()
    below = f"<figcaption>\n\n{caption}\n\n</figcaption>\n\n" if caption else ""
    return f"\n\n<figure>\n\n{image}\n\n{below}</figure>\n\n"


def image(src: str, alt: str = "", title: str = "", link: str = "") -> str:
    """A picture as HTML, linked if `link` is given."""
    titled = f' title="{escape(_one_line(title))}"' if title else ""
    shown = f'<img src="{escape(_one_line(src))}" alt="{escape(_one_line(alt))}"{titled}>'
    return f'<a href="{escape(_one_line(link))}">{shown}</a>' if link else shown


def _one_line(text: str) -> str:
    return " ".join(text.split())
