"""What a page says, in one language: the catalogue's [pages], made fit for HTML.

Promises: what is put into a sentence is set apart in a direction of its own, dates are written out as the
language has them, names that the site gave are marked as being in its language; `plain` gives the very same
sentence as text, for titles, attributes and the record of what somebody agreed to.
"""

from collections.abc import Iterable
from datetime import date

from markupsafe import Markup

from newsletter.render.languages import Language


class Words:
    """A page's words: called with a key and what to put in, they give a sentence in HTML."""

    def __init__(self, language: Language, site_language: str) -> None:
        self._language = language
        self._site_language = site_language
        self.tag = language.tag
        self.direction = language.direction

    def __call__(self, key: str, /, **values: object) -> Markup:
        """A sentence of the catalogue, in HTML. Raises TemplateError."""
        shown = {
            name: self.time(value) if isinstance(value, date) else value for name, value in values.items()
        }
        return self._language.markup(f"pages.{key}", **shown)

    def plain(self, key: str, /, **values: object) -> str:
        """The same as text."""
        texts = {
            name: self.day(value) if isinstance(value, date) else value for name, value in values.items()
        }
        return self._language.say(f"pages.{key}", **texts)

    def name(self, text: str) -> Markup:
        """A name that the site gave, which is in the site's language (WCAG 2.2, 3.1.2)."""
        return Markup('<bdi lang="{}">{}</bdi>').format(self._site_language, text)

    def names(self, titles: Iterable[str]) -> Markup:
        """Names as a sentence has them: `A, B and C`."""
        return self._language.joined_markup([self.name(title) for title in titles])

    def plain_names(self, titles: Iterable[str]) -> str:
        """The same as text."""
        return self._language.joined(list(titles))

    def time(self, day: date) -> Markup:
        """A date written out, and for machines."""
        return Markup('<time datetime="{}">{}</time>').format(day.isoformat(), self.day(day))

    def day(self, day: date) -> str:
        """The same as text."""
        return self._language.date(day)

    def weeks(self, count: int) -> str:
        """`1 week`, or `4 weeks`."""
        return self._language.weeks(count)
