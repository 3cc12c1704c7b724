"""Where letter templates come from, and how they are run.

A site's own folder is looked in first, then the templates that came with Paperround; so an editor
overrides one by a file of the same name, such as `email/issue.txt.j2`.

Promises: values are escaped in `.mjml.j2` and `.html.j2` and left as they are in `.txt.j2`; a name that
is not defined is an error, not an empty place; templates run in Jinja's sandbox; text that comes from
posts is a value and is never evaluated. Failures are `TemplateError` with the template's file and line.
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
    select_autoescape,
)
from jinja2.sandbox import ImmutableSandboxedEnvironment

from newsletter.errors import TemplateError
from newsletter.render.builtin import builtin_templates
from newsletter.render.contrast import ink_on
from newsletter.render.dark import dark_grounds, dark_inks
from newsletter.render.letter import Erratum, Letter, Neighbour
from newsletter.render.slots import Slots
from newsletter.render.text import MAX_WIDTH, underline, wrap
from newsletter.render.theme import Face, Logo, Palette, Shape, Speaker, Theme
from newsletter.render.views import BlockView, GroupView, PostView, TurnView

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


_VALUES = frozenset(
    {
        BlockView,
        Erratum,
        Face,
        GroupView,
        Letter,
        Logo,
        Neighbour,
        Palette,
        PostView,
        Shape,
        Slots,
        Speaker,
        Theme,
        TurnView,
    }
)
"""What templates are given of our own."""


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, with a short way to what our own values hold: nothing but values."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) in _VALUES and not attribute.startswith("_"):
            try:
                return getattr(obj, attribute)
            except AttributeError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


def template_environment(overrides: Path | None) -> Environment:
    """An environment that looks in `overrides` (a site's templates folder), then in the built-in one."""
    folders = [builtin_templates()] if overrides is None else [overrides, builtin_templates()]
    environment = _Sandbox(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        autoescape=select_autoescape(("mjml.j2", "html.j2"), default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "dark_grounds": dark_grounds,
        "dark_inks": dark_inks,
        "ink_on": ink_on,
        "long_date": long_date,
        "wrap": lambda text, width=MAX_WIDTH: "\n".join(wrap(text, width)),
        "underline": lambda text, mark: "\n".join(underline(text, mark)),
    }
    return environment


def render_template(environment: Environment, name: str, values: Mapping[str, Any]) -> str:
    """Fill the template `name`. Raises `TemplateError` if it is missing, or fails in any way."""
    try:
        return environment.get_template(name).render(values)
    except TemplateSyntaxError as error:
        raise TemplateError(error.message or "", path=error.filename, line=error.lineno) from error
    except TemplateNotFound as error:
        raise TemplateError(f"there is no template {error.name}", path=name) from error
    except Exception as error:  # a template may fail in any way that an expression may
        path, line = _place(error.__traceback__) or (name, None)
        raise TemplateError(f"{error} ({type(error).__name__})", path=path, line=line) from error


def templates_hash(environment: Environment) -> str:
    """SHA-256, in hexadecimal, of the email templates as this environment finds them."""
    digest = sha256()
    if environment.loader is None:
        return digest.hexdigest()
    for name in environment.list_templates(filter_func=_is_email_template):
        try:
            source, *_ = environment.loader.get_source(environment, name)
        except UnicodeDecodeError as error:
            raise TemplateError("this template is not UTF-8; save it as UTF-8", path=name) from error
        for part in (name, source):
            digest.update(sha256(part.encode()).digest())
    return digest.hexdigest()


def _is_email_template(name: str) -> bool:
    return name.startswith("email/") and name.endswith(".j2")


def long_date(day: date, lang: str) -> str:
    """`day` written out where we know the words, which is English; as ISO 8601 in other languages.

    Not `strftime`: that follows the locale of the process, and the same letter would differ by machine.
    """
    if lang.lower().partition("-")[0] != "en":
        return day.isoformat()
    return f"{_WEEKDAYS[day.weekday()]}, {day.day} {_MONTHS[day.month - 1]} {day.year}"


def day_and_month(day: date) -> str:
    """`day` as a heading to the editor has it: `3 December`."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _place(traceback: TracebackType | None) -> tuple[str, int] | None:
    """The innermost template file and line of a traceback; Jinja names both in its frames."""
    place = None
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if filename.endswith(".j2"):
            place = filename, traceback.tb_lineno
        traceback = traceback.tb_next
    return place
