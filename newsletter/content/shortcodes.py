"""Template tags of blog engines in a post: found, replaced by what they stand for, or reported.

Promises: `expand` takes Markdown and gives Markdown in which Liquid (Jekyll), Hugo's and WordPress's
shortcodes and kramdown's extensions are replaced by plain Markdown and HTML. It is pure, never fails, takes
linear time, evaluates nothing, and looks at its own output never again. A template tag that is not understood
stays as it stands, with a `Doubt`; other words in brackets are text.

May surprise: code is left alone, since posts about templates show tags there; only what their engines ask for
in such code, `{% raw %}` and `{% endraw %}` or Hugo's `{{</* x */>}}`, is taken out of it.
"""

import re
from bisect import bisect_right
from functools import cached_property
from urllib.parse import urlsplit

from newsletter.content import hugo, liquid, wordpress
from newsletter.content.tags import MAX_TAG_CHARS, Tag, Written
from newsletter.content.tree import Doubt

_NAMES = "|".join(sorted(wordpress.NAMES, key=len, reverse=True))
_TOKEN = re.compile(
    r"(?P<fence>^[ >]*(?:`{3,}(?=[^`\n]*$)|~{3,}))"
    r"|(?P<indent>^(?: {4}|\t))"
    r"|(?P<ticks>`+)"
    r"|(?P<escape>\\[`{\[\\])"
    r"|(?P<html><!--|<(?:pre|code|script|style)\b)"
    r"|(?P<liquid>\{%)"
    r"|(?P<hugo>\{\{[<%])"
    r"|(?P<output>\{\{)"
    r"|(?P<kramdown>\{:[:/])"
    rf"|(?P<wordpress>\[{{1,2}}(?=(?:{_NAMES})[\s\]=]))",
    re.MULTILINE | re.IGNORECASE,
)
_MARK = re.compile(r"[\n`\\<{\[]")
_NAME = re.compile(r"[-\s]*([\w-]+)[-]?\s*", re.ASCII)
_LEAD = re.compile(r"[ >]*")
_LIST_ITEM = re.compile(r" {0,3}(?:[-*+]|\d{1,9}[.)]|\[\^[^\]\n]{1,100}\]:|:)[ \t]")
_RAW_TAG = re.compile(r"(?m)^[ \t]*\{%-?\s*(?:end)?raw\s*-?%\}[ \t]*\n|\{%-?\s*(?:end)?raw\s*-?%\}")
_SHOWN_TAG = re.compile(r"(\{\{[<%])/\*([^*{}]{0,500})\*/([%>]\}\})")
_NOT_CARRIED_OUT = (
    "is a tag of the blog's own templates, and a letter cannot carry it out: readers would see it as it "
    "stands; write what it makes on the blog instead"
)


def expand(text: str, *, base_url: str | None = None) -> tuple[str, tuple[Doubt, ...]]:
    """Replace the tags in a post's body; `base_url` says where `{{ site.url }}` is.

    The doubts are about the tags, each told once, in reading order.
    """
    if not _TAG_BEGINS.search(text):
        return text, ()
    run = _Expansion(text, _origin(base_url))
    run.expand()
    return "".join(run.out), tuple(run.doubts.values())


_TAG_BEGINS = re.compile(rf"\{{[%{{:]|\[(?:{_NAMES})[\s\]=]", re.IGNORECASE)


def _origin(base_url: str | None) -> str:
    try:
        parts = urlsplit(base_url or "")
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


class _Expansion:
    """One pass over a text. Each method takes what begins with a token, and gives the place after it."""

    def __init__(self, text: str, origin: str) -> None:
        self.out: list[str] = []
        self.doubts: dict[str, Doubt] = {}
        self._text = text
        self._origin = origin
        self._ahead: dict[str, tuple[int, int]] = {}

    def expand(self) -> None:
        take = {
            "fence": self._fence,
            "indent": self._indent,
            "ticks": self._ticks,
            "escape": self._escape,
            "html": self._html,
            "liquid": self._liquid,
            "hugo": self._hugo,
            "output": self._output,
            "kramdown": self._kramdown,
            "wordpress": self._wordpress,
        }
        at = place = 0  # what is before `at` is written
        while place >= 0:
            if token := _TOKEN.match(self._text, place):
                self.out.append(self._text[at:place])
                at = place = take[str(token.lastgroup)](token)
            else:
                place = self._next_place(place)
        self.out.append(self._text[at:])

    def _next_place(self, place: int) -> int:
        """Where the next token may begin, if none does at `place`; -1 if none can."""
        is_line_end = self._text.startswith("\n", place)
        mark = _MARK.search(self._text, place if is_line_end else place + 1)
        if not mark:
            return -1
        return mark.end() if mark[0] == "\n" else mark.start()

    # Code.

    def _fence(self, token: re.Match[str]) -> int:
        """Fenced code: up to its closing fence, the end of the quote it is in, or of the text."""
        mark = token[0].lstrip(" >")
        quote = ">" in token[0]
        at = self._line_end(token.end())
        while at < len(self._text):
            end = self._line_end(at)
            line = self._text[at:end].strip(" \t\n")
            if quote and not line.startswith(">"):
                break
            at, line = end, line.lstrip(" >")
            if line.startswith(mark) and not line.strip(mark[0]):
                break
        return self._keep_code(token.start(), at)

    def _indent(self, token: re.Match[str]) -> int:
        end = self._line_end(token.start()) if token.start() in self._indented else token.end()
        return self._keep_code(token.start(), end)

    def _ticks(self, token: re.Match[str]) -> int:
        """A code span (CommonMark section 6.1), which ends before the next blank line."""
        ends = self._tick_runs[len(token[0])]
        number = bisect_right(ends, token.end())
        blank = self._next("blank", r"\n[ \t]*\n", token.end())[0]
        if number < len(ends) and (blank < 0 or ends[number] <= blank):
            return self._keep_code(token.start(), ends[number])
        return self._keep(token.start(), token.end())

    def _escape(self, token: re.Match[str]) -> int:
        return self._keep(token.start(), token.end())

    def _html(self, token: re.Match[str]) -> int:
        name = token[0].lower().lstrip("<")
        closing = "-->" if name == "!--" else f"</{name}"
        end = self._next(closing, re.escape(closing), token.end())[1]
        return self._keep_code(token.start(), end) if end >= 0 else self._keep(token.start(), token.end())

    # Tags.

    def _liquid(self, token: re.Match[str]) -> int:
        return self._template_tag(token, "%}", liquid.PAIRED, r"\{{%-?\s*end{}\s*-?%\}}")

    def _hugo(self, token: re.Match[str]) -> int:
        mark = ">}}" if token[0].endswith("<") else "%}}"
        inner, end = self._inside(token.end(), mark)
        is_shown = inner.startswith("/*") and inner.endswith("*/")
        if end >= 0 and is_shown:
            self.out.append(f"{token[0]}{inner[2:-2]}{mark}")
            return end
        return self._template_tag(token, mark, hugo.PAIRED, r"\{{\{{[<%]\s*/\s*{}\s*[>%]\}}\}}")

    def _template_tag(self, token: re.Match[str], mark: str, paired: frozenset[str], closer: str) -> int:
        inner, end = self._inside(token.end(), mark)
        named = _NAME.match(inner)
        if end < 0 or not named:
            return self._keep(token.start(), token.end())
        name, body, after = named[1].lower(), "", end
        if name in paired:
            start, after = self._next(closer.format(name), closer.format(name), end)
            if after < 0:
                return self._doubtful(token.start(), end)
            body = self._text[end:start]
        text = inner[named.end() :].rstrip(" \t\n-")
        tag = Tag(self._text[token.start() : end], name, text, body, self._lead(token.start()))
        written = liquid.tag(tag) if mark == "%}" else hugo.shortcode(tag)
        return self._write(tag, written, after) if written else self._doubtful(token.start(), end)

    def _output(self, token: re.Match[str]) -> int:
        inner, end = self._inside(token.end(), "}}")
        if end < 0:
            return self._keep(token.start(), token.end())
        written = liquid.output(inner, origin=self._origin)
        if not written:
            return self._doubtful(token.start(), end)
        self.out.append(written.text)
        return end

    def _kramdown(self, token: re.Match[str]) -> int:
        """`{::nomarkdown}…{:/}` and its like show what they enclose; `{::comment}` hides it."""
        inner, end = self._inside(token.end(), "}")
        if end < 0:
            return self._keep(token.start(), token.end())
        if token[0] == "{::" and inner.strip() == "comment":
            closing = r"\{:/(?:comment)?\}"
            end = max(end, self._next(closing, closing, end)[1])
        return end

    def _wordpress(self, token: re.Match[str]) -> int:
        if token[0] == "[[":
            return self._escaped_shortcode(token)
        inner, end = self._inside(token.end(), "]")
        named = _NAME.match(inner)
        if end < 0 or not named or "[" in inner or self._text[end : end + 1] in ("(", "[", ":"):
            return self._keep(token.start(), token.end())  # a link's words, or an address
        name, after, body = named[1].lower(), end, ""
        closing = rf"\[/{name}\]"
        start, closed = self._next(closing, closing, end) if name in wordpress.PAIRED else (-1, -1)
        # A closing tag belongs to the opening one before it, but code may show an opening.
        opens = self._next(f"[{name}", rf"\[{name}\b", end)[0] if name in wordpress.PROSE else -1
        if closed >= 0 and not 0 <= opens < start:
            body, after = self._text[end:start], closed
        tag = Tag(
            self._text[token.start() : end], name, inner[named.end() :], body, self._lead(token.start())
        )
        written = wordpress.shortcode(tag, is_closed=after > end)
        return self._write(tag, written, after) if written else self._keep(token.start(), token.end())

    def _escaped_shortcode(self, token: re.Match[str]) -> int:
        """`[[gallery]]` shows `[gallery]`, as WordPress has it."""
        inner, end = self._inside(token.end(), "]]")
        if end < 0 or self._text[end : end + 1] in ("(", "[", ":"):
            return self._keep(token.start(), token.start() + 1)
        self.out.append(f"[{inner}]")
        return end

    # What is written.

    def _write(self, tag: Tag, written: Written, after: int) -> int:
        stands_alone = written.text.startswith("<iframe") and tag.lead is not None and ">" not in tag.lead
        self.out.append(f"\n\n{written.text}\n\n" if stands_alone else written.text)
        if written.doubt:
            self._doubt(tag.source, written.doubt)
        return after

    def _keep(self, start: int, end: int) -> int:
        self.out.append(self._text[start:end])
        return end

    def _keep_code(self, start: int, end: int) -> int:
        code = self._text[start:end]
        code = _RAW_TAG.sub("", code) if "endraw" in code else code
        self.out.append(_SHOWN_TAG.sub(r"\1\2\3", code) if "*/" in code else code)
        return end

    def _doubtful(self, start: int, end: int) -> int:
        self._doubt(self._text[start:end], _NOT_CARRIED_OUT)
        return self._keep(start, end)

    def _doubt(self, source: str, message: str) -> None:
        shown = " ".join(source.split())
        shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
        self.doubts.setdefault(source, Doubt(f"“{shown}” {message}", source))

    # Looking ahead: never twice at the same place for the same thing.

    def _next(self, key: str, pattern: str, at: int) -> tuple[int, int]:
        """The place of the next match of a pattern from `at` on; (-1, -1) if there is none."""
        found = self._ahead.get(key)
        if found is None or -1 < found[0] < at:
            match = re.compile(pattern, re.IGNORECASE).search(self._text, at)
            found = self._ahead[key] = match.span() if match else (-1, -1)
        return found

    def _inside(self, at: int, mark: str) -> tuple[str, int]:
        """What stands between `at` and the next `mark`, and the place after it; -1 if that is none or far."""
        start, end = self._next(mark, re.escape(mark), at) if mark else (-1, -1)
        return (self._text[at:start], end) if 0 <= start - at <= MAX_TAG_CHARS else ("", -1)

    def _line_end(self, at: int) -> int:
        end = self._text.find("\n", at)
        return end + 1 if end >= 0 else len(self._text)

    def _lead(self, at: int) -> str | None:
        """What stands before a tag on its line, if only spaces and quote marks."""
        line = self._text.rfind("\n", max(0, at - 100), at) + 1
        lead = self._text[line:at] if at - line < 100 else "-"
        return lead if _LEAD.fullmatch(lead) else None

    @cached_property
    def _tick_runs(self) -> dict[int, list[int]]:
        """Where runs of backticks end, by their length."""
        runs: dict[int, list[int]] = {}
        for run in re.finditer("`+", self._text):
            runs.setdefault(len(run[0]), []).append(run.end())
        return runs

    @cached_property
    def _indented(self) -> frozenset[int]:
        """Where lines of indented code begin (CommonMark section 4.4). In a list, they may be its text."""
        starts: list[int] = []
        at, in_list, in_code, after_blank = 0, False, False, True
        for line in self._text.split("\n"):
            if not line.strip():
                after_blank = True
            else:
                if line.startswith(("    ", "\t")):
                    in_code = in_code or (after_blank and not in_list)
                    starts += [at] if in_code else []
                else:
                    continues = in_list and (not after_blank or line.startswith(" "))
                    in_list, in_code = bool(_LIST_ITEM.match(line)) or continues, False
                after_blank = False
            at += len(line) + 1
        return frozenset(starts)
