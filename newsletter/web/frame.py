"""What every page is made of: a template of templates/web, the site's theme, and the words of a language.

A page is in the language that its address asks for (`?lang=de`), else in the site's, else in English. Its
headers keep it private: whoever shows a page to everybody changes them.
"""

from typing import TYPE_CHECKING, Any

from fastapi.responses import HTMLResponse
from markupsafe import Markup

from newsletter.render.templates import render_template
from newsletter.web.words import Words

if TYPE_CHECKING:
    from newsletter.app import App

_LONGEST_TAG = 35
"""Characters of a language's tag that are looked at (RFC 5646 §4.4.1): anybody may ask for any."""

HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "img-src 'self' https: http: data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}


class Frame:
    """Makes the pages of one site. Making it raises what its templates, its theme and its words raise."""

    def __init__(self, site: "App") -> None:
        self.site = site.settings.site
        # Made here, once: what a site is missing is an error of the command, not of the first reader.
        self._templates, self._theme = site.editions.environment, site.editions.theme
        self._languages = site.languages
        self._words = {tag: Words(found, self.site.language) for tag, found in self._languages.all.items()}

    def words(self, *tags: str | None) -> Words:
        """The words of the first of these languages that there is, else of the site's."""
        asked = [tag[:_LONGEST_TAG] for tag in tags if tag]
        return self._words[self._languages.best(*asked, self.site.language).tag]

    def consent(self, say: Words, key: str = "consent.wording") -> Markup:
        """What somebody agrees to by pressing a button, as a page has it."""
        site = self.site
        return say(key, site=say.name(site.name), postal_address=say.name(site.postal_address))

    def consent_text(self, say: Words, key: str = "consent.wording") -> str:
        """The same word for word, to be recorded."""
        return say.plain(key, site=self.site.name, postal_address=self.site.postal_address)

    def fill(self, name: str, /, say: Words, **values: Any) -> str:
        """A template of templates/web, filled in. Raises TemplateError."""
        values |= {"site": self.site, "theme": self._theme, "say": say}
        return render_template(self._templates, f"web/{name}.html.j2", values)

    def page(
        self, name: str, /, *, status: int = 200, say: Words | None = None, **values: Any
    ) -> HTMLResponse:
        """A page, with headers that keep it private. Raises TemplateError."""
        return HTMLResponse(self.fill(name, say or self.words(), **values), status, HEADERS)
