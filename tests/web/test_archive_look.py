"""The pages for anybody in a real browser: axe has nothing to say, nothing is scrolled sideways."""

import html
import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from newsletter.app import open_app
from newsletter.web.server import PageServer
from tests.node_tools import EACH_ONCE, axe_violations
from tests.web.conftest import Issue, on_sqlite
from tests.web.test_archive import publish  # noqa: F401  # a fixture
from tests.web.test_pages_look import MEASURE, browse, needs_chromium

ADVICE = """
Somebody asked [a question](https://fold.example/) that many have.

## The question

**Rosa Lind**

How do I say no, politely?

**Tom**

Early, and once.

> Early

**Rosa Lind**

Thank you!

## What we took from it

| When | What |
|------|------|
| Now  | Say `no` and `thank-you-but-I-would-rather-not-take-this-on-at-the-moment` |

- One thing
- Another

```python
def answer(question: str) -> str: return "No, thank you, and here is somebody who might like to do it"
```
"""
HEBREW = """
**רוזה**

איך אומרים לא?

**תום**

מוקדם, ופעם אחת.

> מוקדם
"""


@pytest.fixture(params=["paper", "press"])
def pages(request: pytest.FixtureRequest, issue: Issue, publish: Callable[..., str]) -> dict[str, str]:  # noqa: F811
    """Path to page: issues with a conversation, from right to left, and with a title that is hard to set."""
    folder = issue.site.settings.folder
    (folder / "theme.toml").write_text(f'base = "{request.param}"\n', encoding="utf-8")
    paths = [
        publish("advice", title="Promoted out of the work I love", text=ADVICE),
        publish("shalom", title="מכתב שקשה להתחיל", text=HEBREW),
        publish("long", title="Donaudampfschifffahrtsgesellschaftskapitänsmützenberatungsstelle"),
    ]
    with (
        closing(open_app(folder, issue.site.clock)) as site,
        PageServer(site) as server,
        httpx.Client(base_url=server.url, trust_env=False, timeout=60) as web,
    ):
        found = {path: web.get(path).text for path in [*paths, "/archive/advice", "/"]}
    assert [page.count('aria-hidden="true"') for page in found.values()] == [3, 2, 0, 0, 0]  # avatars
    return found


@needs_chromium
@on_sqlite
def test_pages_have_no_violation(pages: dict[str, str]) -> None:
    """Axe finds nothing wrong with any of them, in light on a phone and in the dark on a desk."""
    assert axe_violations(pages, views=EACH_ONCE) == []


@pytest.mark.trial
@needs_chromium
@on_sqlite
def test_pages_have_no_violation_however_they_are_looked_at(pages: dict[str, str]) -> None:
    """Nor in light and dark at 375 and 700 pixels each."""
    assert axe_violations(pages) == []


@needs_chromium
@on_sqlite
def test_pages_fit_their_window(pages: dict[str, str], tmp_path: Path) -> None:
    """At 320, 375 and 1000 pixels nothing is scrolled sideways (WCAG 2.2, 1.4.10)."""
    frames = [
        f'<iframe id="{path} {width}" width="{width}" height="700" srcdoc="{html.escape(page)}"></iframe>'
        for path, page in pages.items()
        for width in (320, 375, 1000)
    ]
    (tmp_path / "measure.html").write_text(MEASURE % "\n".join(frames), encoding="utf-8")
    shown, _ = browse(tmp_path / "profile", (tmp_path / "measure.html").as_uri())
    measured = json.loads(html.unescape(shown.split("MEASURED")[1]))
    assert len(measured) == len(frames)
    assert [one["name"] for one in measured if one["text"] < 40 or one["over"] > 0] == []


@needs_chromium
@on_sqlite
def test_the_browser_has_no_complaint(issue: Issue, tmp_path: Path) -> None:
    """Served with their real headers, the policy permits all that the pages use."""
    with PageServer(issue.site) as server:
        for number, path in enumerate(("issues/1/first", "archive/advice")):
            shown, complaints = browse(tmp_path / str(number), server.url + path)
            assert "<h1" in shown
            assert complaints == []
