"""The pages in a real browser: they fit a phone and a desk, raise no complaint, and hold to WCAG 2.2."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from newsletter.delivery.copies import preferences_url
from newsletter.models import Category
from newsletter.web.server import PageServer
from tests.web.conftest import Issue, on_sqlite

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")

ANN, BO = "ann@example.org", "bo@example.org"
WIDTHS = (320, 375, 1000)

MEASURE = """
<!doctype html><meta charset="utf-8"><body>%s<script>
addEventListener("load", () => {
  const measured = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, root = page.documentElement;
    const targets = [...page.querySelectorAll("a, button, summary")].map(target => {
      const box = target.getBoundingClientRect();
      return [target.textContent.trim(), Math.round(box.width), Math.round(box.height)];
    });
    return {name: frame.id, over: root.scrollWidth - root.clientWidth, text: page.body.innerText.length,
            small: targets.filter(([, width, height]) => width < 24 || height < 24)};
  });
  document.body.textContent = "MEASURED" + JSON.stringify(measured) + "MEASURED";
});
</script>
"""


def browse(profile: Path, address: str) -> tuple[str, list[str]]:
    """Open an address in a headless browser; returns the page as it ended, and the console's complaints."""
    flags = (
        *("headless", "no-sandbox", "disable-gpu", "disable-quic", "disable-dev-shm-usage", "no-first-run"),
        *("disable-background-networking", "disable-component-update", "disable-sync", "no-proxy-server"),
        *("enable-logging=stderr", f"user-data-dir={profile}", "dump-dom"),
    )
    command = [str(CHROMIUM), *(f"--{flag}" for flag in flags)]
    done = subprocess.run([*command, address], capture_output=True, text=True, timeout=100, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


@pytest.fixture
def pages(web: httpx.Client, issue: Issue) -> dict[str, str]:
    """Path to page, of each kind of page there is, with names that are hard to set."""
    issue.send()
    with issue.site.database.write() as session:
        category = session.exec(select(Category)).one()
        category.title = "Donaudampfschifffahrtsgesellschaftskapitänsmützenberatung"
        session.add(category)
    web.post(issue.ways_out[BO])
    paths = [
        *("/", "/nothing", issue.ways_out[ANN], issue.ways_out[BO], "/sandbox/", f"/sandbox/{ANN}/0001"),
        *("/archive/advice", "/issues/1/first"),
        preferences_url("", issue.site.signer, issue.deliveries[ANN]),
    ]
    return {path: web.get(path).text for path in paths}


@needs_chromium
@on_sqlite
def test_pages_fit_their_window(pages: dict[str, str], tmp_path: Path) -> None:
    """At 320, 375 and 1000 pixels nothing is scrolled sideways (1.4.10), and every target has 24 (2.5.8)."""
    frames = [
        f'<iframe id="{path} {width}" width="{width}" height="700" srcdoc="{html.escape(page)}"></iframe>'
        for path, page in pages.items()
        for width in WIDTHS
    ]
    (tmp_path / "measure.html").write_text(MEASURE % "\n".join(frames), encoding="utf-8")
    shown, _ = browse(tmp_path / "profile", (tmp_path / "measure.html").as_uri())
    measured = json.loads(html.unescape(shown.split("MEASURED")[1]))
    assert len(measured) == len(pages) * len(WIDTHS)
    assert [one for one in measured if one["text"] < 40] == []
    assert [one for one in measured if one["over"] > 0] == []
    assert [one for one in measured if one["small"]] == []


@needs_chromium
@on_sqlite
def test_browsers_have_no_complaint(server: PageServer, pages: dict[str, str], tmp_path: Path) -> None:
    """Served with their real headers, pages load without an error: their policy permits all they use."""
    _look_at(server, [list(pages)[-1], "/issues/1/first"], tmp_path)


@pytest.mark.trial
@needs_chromium
@on_sqlite
def test_browsers_complain_of_no_page(server: PageServer, pages: dict[str, str], tmp_path: Path) -> None:
    """Nor do any others."""
    _look_at(server, pages, tmp_path)


def _look_at(server: PageServer, paths: Iterable[str], tmp_path: Path) -> None:
    for number, path in enumerate(paths):
        shown, complaints = browse(tmp_path / str(number), server.url.rstrip("/") + path)
        assert "<h1" in shown
        # That the address itself is not found is what that page is for.
        assert [line for line in complaints if "404 (Not Found)" not in line] == []


@on_sqlite
def test_pages_have_what_assistive_technology_needs(pages: dict[str, str]) -> None:
    """Each page names its language (3.1.1), has a title of its own (2.4.2), one h1 and one main."""
    for page in pages.values():
        assert re.search('<html lang="en"[ >]', page)
        assert [page.count(f"<{tag}") for tag in ("h1", "main", "title")] == [1, 1, 1]
        assert all('title="' in frame for frame in re.findall("<iframe[^>]*>", page))
        levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
        assert all(after <= before + 1 for before, after in pairwise(levels))
    titles = [re.findall("<title>(.*)</title>", page)[0] for page in pages.values()]
    assert len(set(titles)) == len(titles)
