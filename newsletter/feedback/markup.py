"""The text of a mail's HTML, as a reader sees it in lines; what was quoted is marked by `>` as in plain text.

Promises: no text raises, and time grows with its length. Styles, scripts, comments and what is hidden
(preheaders) are left out, and so are the signatures that mail programs put into an element of their own.

May surprise: this is no HTML parser of the standard library, which takes quadratic time over what is opened
and never closed, and whose `unescape` raises on long numbers. A tag or comment that is not closed ends the
text, as it does in browsers.
"""

import html
import re

from newsletter.content.html import words

_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*+)((?:=\s*+(?:\"[^\"]*+\"|'[^']*+')|[^>])*+)>")
_RAW = words("script style title textarea xmp")
"""Elements whose content is no HTML, and nothing to read."""
_VOID = words("area base br col embed hr img input link meta source track wbr")
_BREAKING = words(
    """
    address article aside body center dd div dl dt figcaption figure footer form h1 h2 h3 h4 h5 h6 header
    html li main nav ol p pre section table tbody tfoot thead tr ul
    """
)
_SPACED = words("p h1 h2 h3 h4 h5 h6 ul ol table pre")
"""Elements with an empty line before and behind them."""
_LEFT_OUT = re.compile(
    r"""display\s*:\s*none | mso-hide\s*:\s*all | \shidden(?=[\s=/]|\Z)
    | (?:class|id|data-smartmail)\s*=\s*["']?[^"'>]*
      (?:gmail_signature|moz-signature|protonmail_signature|ms-outlook-mobile-signature|\bsignature\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_LONG_NUMBER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9a-fA-F]{7,});?")
_ATTRIBUTES = 2000
"""Characters of a tag's attributes that are looked at."""


def text_of_html(markup: str) -> str:
    """The lines of an HTML mail."""
    page = _Page()
    lowered = markup.lower()
    # A letter whose lower case is longer would shift all places behind it.
    lowered = lowered if len(lowered) == len(markup) else markup
    place = 0
    while (opening := markup.find("<", place)) >= 0:
        page.add(markup[place:opening])
        if markup.startswith("<!--", opening):
            closing = markup.find("-->", opening + 4)
            place = closing + 3 if closing >= 0 else len(markup)
        elif markup.startswith(("<!", "<?"), opening):
            closing = markup.find(">", opening)
            place = closing + 1 if closing >= 0 else len(markup)
        elif not re.match(r"</?[a-zA-Z]", markup[opening : opening + 3]):
            page.add("<")
            place = opening + 1
        elif (tag := _TAG.match(markup, opening)) is None:
            place = len(markup)
        else:
            place = tag.end()
            name = tag[2].lower()[:20]
            if tag[1]:
                page.close(name)
            elif name in _RAW:
                closing = lowered.find(f"</{name}", place)
                place = closing if closing >= 0 else len(markup)
            else:
                page.open(name, tag[3][:_ATTRIBUTES])
    page.add(markup[place:])
    return page.text()


class _Page:
    """Lines being filled, as tags and text come by."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._quoted = 0  # blockquotes that stand open
        self._is_preformatted = False
        self._left_out = ""  # the element that is being left out
        self._left_out_depth = 0  # how many of its name stand open, itself included

    def add(self, text: str) -> None:
        """Text between two tags."""
        if not text or self._left_out:
            return
        text = html.unescape(_LONG_NUMBER.sub("\ufffd", text)).replace("\r\n", "\n")
        if not self._is_preformatted:
            self._line.append(text)
            return
        first, *others = text.split("\n")
        self._line.append(first)
        for other in others:
            self._break()
            self._line.append(other)

    def open(self, name: str, attributes: str) -> None:
        """A tag that opens an element."""
        if self._left_out:
            self._left_out_depth += name == self._left_out
            return
        if name not in _VOID and _LEFT_OUT.search(attributes):
            self._left_out, self._left_out_depth = name, 1
            return
        if name == "br":
            self._break()
        elif name == "hr":
            self._break_once()
            self._line.append("_" * 32)
            self._break()
        elif name in ("td", "th"):
            self._line.append(" ")
        else:
            self._edge(name)
            self._quoted += name == "blockquote"
            self._is_preformatted |= name == "pre"

    def close(self, name: str) -> None:
        """A tag that closes an element."""
        if self._left_out:
            self._left_out_depth -= name == self._left_out
            if not self._left_out_depth:
                self._left_out = ""
            return
        self._edge(name)
        if name == "blockquote":
            self._quoted = max(self._quoted - 1, 0)
        self._is_preformatted &= name != "pre"

    def text(self) -> str:
        """All lines."""
        self._break_once()
        return "\n".join(self._lines)

    def _edge(self, name: str) -> None:
        if name in _BREAKING or name == "blockquote":
            self._break_once()
            if name in _SPACED and self._lines and self._lines[-1].strip("> "):
                self._break()

    def _break_once(self) -> None:
        if self._line:
            self._break()

    def _break(self) -> None:
        text = "".join(self._line)
        text = text.rstrip() if self._is_preformatted else " ".join(text.split())
        self._lines.append("> " * min(self._quoted, 5) + text)
        self._line = []
