"""MJML to HTML, by mrml (the compiler inside mjml-python).

Promises: the HTML refers to no font or other thing of its own on foreign hosts, and attributes hold what
they were given: mrml writes an attribute's unusual characters as Rust's debug format does, so that a
no-break space comes out as a literal `\\u{a0}`; here they become numeric references first.

Fails with `TemplateError` where mrml rejects the source. What may surprise: mrml checks only that the
source is well-formed. Unknown components and attributes pass in silence, and text that is only line
breaks disappears. Its parser is recursive: some 10,000 nested elements overflow the stack and end the
process, which is why `newsletter.render.html` bounds their depth.
"""

import re

from mjml import mjml2html

from newsletter.errors import TemplateError

_ODD = r"[^ -\[\]-~\t\r\n]"  # the backslash, and all but ASCII
_MANGLED = re.compile(_ODD)
# mrml copies the title to an aria-label. Tags with nothing odd in them, nearly all, are passed over.
_HELD_IN_ATTRIBUTES = re.compile(rf"<mj-title>[^<]*|<(?=[^<>]*{_ODD})[^<>]*>")
_POSITION = re.compile(r" at position ([0-9]+):[0-9]+")


def compile_mjml(source: str) -> str:
    """Compile a whole `<mjml>` document. Raises `TemplateError` with the line of the MJML at fault."""
    source = _HELD_IN_ATTRIBUTES.sub(_with_references, source)
    try:
        return str(mjml2html(source, fonts={}))
    except ValueError as error:
        raise TemplateError(_explain(source, str(error))) from error


def _with_references(match: re.Match[str]) -> str:
    return _MANGLED.sub(lambda character: f"&#{ord(character[0])};", match[0])


def _explain(source: str, complaint: str) -> str:
    message = f"the template does not make well-formed MJML: {_POSITION.sub('', complaint)}"
    if position := _POSITION.search(complaint):
        before = source.encode()[: int(position[1])].decode(errors="ignore")
        line = before.count("\n")
        message += f", in line {line + 1} of the MJML: {source.splitlines()[line].strip()[:120]}"
    return f"{message}; close every element and write & as &amp; and < as &lt;"
