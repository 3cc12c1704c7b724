"""A reader with a browser that runs no script walks from the form to the end, on a phone and at a desk.

Chromium is Debian's, driven by Playwright. Axe, a script itself, looks at the pages afterwards.
"""

import re
import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from threading import Event

import pytest
from playwright.sync_api import Page, sync_playwright

from newsletter.app import App
from newsletter.content.adding import SourceFile, add_posts
from newsletter.content.history import Editor
from newsletter.content.post import parse_post, read_bytes
from newsletter.schedule.categories import add_category, all_categories
from newsletter.settings_file import load_settings
from newsletter.states import Mode
from newsletter.web.mailboxes import read_letter
from newsletter.web.server import PageServer
from subscribers.subscriptions import all_subscribers
from tests.conftest import Clock, write_post
from tests.node_tools import axe_violations
from tests.web.conftest import TUESDAY

pytestmark = pytest.mark.trial

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
READER = "reader@example.org"
_OVER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SIZES = {"phone": {"width": 375, "height": 700}, "desk": {"width": 1280, "height": 900}}


@pytest.fixture
def served(site: App, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    """A site with two categories, served where its links lead."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("PAPERROUND_SITE__LISTEN", f"127.0.0.1:{port}")
    monkeypatch.setenv("PAPERROUND_SITE__BASE_URL", f"http://127.0.0.1:{port}")
    served = App(load_settings(site.settings.folder), clock)
    with served.database.write() as session:
        for slug, title in (("advice", "Good advice"), ("tales", "Tales & <more>")):
            words = {"title": title, "cadence": "weekly tue 08:00", "timezone": "UTC"}
            add_category(session, slug, **words, mode=Mode.BROADCAST, now=clock())
    with PageServer(served):
        yield served
    served.close()


@contextmanager
def browsing(size: str) -> Iterator[Page]:
    """A window of a browser that runs no script."""
    if CHROMIUM is None:
        pytest.skip("needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(java_script_enabled=False, viewport=SIZES[size])  # type: ignore[arg-type]
        yield context.new_page()
        browser.close()


def newest_letter(site: App) -> EmailMessage:
    """What came last into the reader's mailbox."""
    return read_letter(max((site.settings.sandbox_folder / READER).glob("*.eml")))


def link_in(letter: EmailMessage, place: str) -> str:
    """The address in a letter's text that leads to a place of the site."""
    part = letter.get_body(("plain",))
    assert part
    found = re.search(rf"https?://\S+/{place}/[a-z2-7]+", part.get_content())
    assert found, part.get_content()
    return found[0]


def send(site: App) -> None:
    """Do what `run` does each second; apart, for Playwright holds this thread's event loop."""

    def work() -> None:
        site.handle_inbound()
        with site.open_relays() as relays:
            site.post_notes(relays)
            site.send_due(relays, Event())

    with ThreadPoolExecutor(1) as aside:
        aside.submit(work).result()


def write_issue(site: App, clock: Clock) -> None:
    """Queue a post, and let its slot come."""
    path: Path = write_post(site.settings.folder / "posts", "first")
    data = read_bytes(path)
    file = SourceFile(parse_post(data, path), data, "posts/first.md")
    with site.database.write() as session:
        editor = Editor("editor", clock())
        add_posts(session, [file], all_categories(session), only=None, site=path.parent, editor=editor)
    clock.now = TUESDAY
    site.plan_due()


def states(site: App) -> dict[str, dict[str, str]]:
    with site.database.read() as session:
        return {subscriber.address: held for subscriber, held in all_subscribers(session)}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_reader_walks_the_whole_way(served: App, clock: Clock, size: str) -> None:
    """Form, confirmation from the letter, an issue, preferences from it, the way out, the end.

    On every page nothing is scrolled sideways, and axe finds nothing.
    """
    pages: dict[str, str] = {}

    with browsing(size) as page:

        def look(name: str, words: str) -> None:
            assert words in page.inner_text("main"), page.inner_text("main")
            assert page.evaluate(_OVER) <= 0, name
            pages[name] = page.content()

        page.goto(served.settings.site.base_url)
        page.get_by_role("link", name="Subscribe").click()
        look("form", "Get our letters by email")
        clock.advance(seconds=30)
        page.get_by_label("Your email address").fill("reader@")
        page.get_by_label("Your name").fill("Rea Der")
        page.get_by_role("button", name="Subscribe").click()
        look("mistakes", "not an email address")
        assert page.get_by_label("Your name").input_value() == "Rea Der"
        clock.advance(seconds=30)
        page.get_by_label("Your email address").fill(READER)
        page.get_by_label("Good advice").check()
        page.get_by_text("How often, and where you live").click()
        page.get_by_label("Where do you live?").select_option(label="Tokyo")
        page.get_by_role("button", name="Subscribe").click()
        look("asked", "look into your mailbox")
        assert states(served) == {}

        send(served)
        page.goto(link_in(newest_letter(served), "confirm"))
        look("confirm", "Good advice")
        assert states(served) == {}
        page.get_by_role("button", name="Yes, send me these letters").click()
        look("confirmed", "You are subscribed to Good advice")
        assert states(served) == {READER: {"advice": "active"}}

        write_issue(served, clock)
        send(served)
        letter = newest_letter(served)
        page.goto(link_in(letter, "preferences"))
        look("preferences", "Good advice")
        page.get_by_label("Tales & <more>").check()
        page.get_by_label("How often may we write?").select_option(label="One email a week")
        page.get_by_role("button", name="Save").click()
        look("saved", "You will get the letters of Tales & <more>")
        assert states(served) == {READER: {"advice": "active", "tales": "active"}}

        out = str(letter["List-Unsubscribe"]).partition("<")[2].partition(">")[0]
        page.goto(out)
        look("leave", "Unsubscribe from Good advice?")
        page.get_by_role("button", name="Unsubscribe").click()
        look("left", "You have left Good advice")
        assert page.context.request.post(out, form={"List-Unsubscribe": "One-Click"}).status == 200
        assert states(served) == {READER: {"advice": "left", "tales": "active"}}

        page.goto(link_in(letter, "preferences"))
        page.get_by_role("link", name="Erase it all").click()
        look("erase", "Erase all that we keep of you?")
        page.get_by_label("Yes, I mean it").check()
        page.get_by_role("button", name="Erase me").click()
        look("erased", "It is done")
        assert READER not in states(served)
    assert axe_violations(pages) == []
