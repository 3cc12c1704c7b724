"""Editions: frozen once, known by all that they show."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest

from newsletter.app import App, open_app
from newsletter.content.post import parse_post
from newsletter.delivery.composer import Composer
from newsletter.delivery.ledger import ClaimedDelivery
from newsletter.errors import ContentError, TemplateError
from newsletter.models import Category, Delivery, Edition, Post
from newsletter.render import edition as module
from newsletter.render.edition import EditionMaker, Occasion, compiled
from newsletter.render.headers import Mailbox
from newsletter.render.letter import Neighbour
from newsletter.render.slots import Reader, sentinel_slots
from newsletter.settings_file import load_settings, write_settings
from tests.conftest import GIVEN, Clock, subscribe
from tests.planning import TUESDAY, Town

NOW = datetime(2026, 1, 6, 8, tzinfo=UTC)
READER = Reader(
    Mailbox("Ann", "ann@example.org"),
    "id@example.org",
    "https://news.example.org/u/x",
    "https://news.example.org/preferences/x",
)
OCCASION = Occasion("advice", "Advice", datetime(2026, 1, 6, 8), 1)  # noqa: DTZ001  # slots are wall-clock times
BODY = "**Ann**\n\nShall I go?\n\n**Bo**\n\nGo.\n"


def stored(slug: str = "a", words: str = BODY, head: str = "", path: str = "posts/a.md") -> Post:
    data = f"---\nslug: {slug}\n{head}---\n{words}".encode()
    source = parse_post(data, Path(path))
    return Post(
        slug=slug,
        path=path,
        title=source.title,
        source=data,
        content_hash=source.content_hash,
        read_at=NOW,
    )


@dataclass(frozen=True)
class Inputs:
    """All that an edition is made from."""

    given: dict[str, str] = field(default_factory=lambda: dict(GIVEN))
    occasion: Occasion = OCCASION
    posts: tuple[Post, ...] = (stored(),)
    templates: tuple[tuple[str, str], ...] = ()
    theme: str = 'base = "paper"'
    now: datetime = NOW

    def make(self, folder: Path) -> Edition:
        folder.mkdir(exist_ok=True)
        (folder / "paperround.toml").write_text(write_settings(self.given), encoding="utf-8")
        (folder / "theme.toml").write_text(self.theme, encoding="utf-8")
        for name, text in self.templates:
            path = folder / "templates" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        maker = EditionMaker(load_settings(folder), folder)
        return maker.make(self.occasion, self.posts, self.now)


def site(**changes: str) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, given=inputs.given | changes)


def on(**changes: Any) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, occasion=replace(inputs.occasion, **changes))


def but(**changes: Any) -> Callable[[Inputs], Inputs]:
    return lambda inputs: replace(inputs, **changes)


def test_the_same_inputs_make_the_same_edition(tmp_path: Path) -> None:
    """Another process, folder and moment come to the same key, subject, text and HTML."""
    one, two = Inputs().make(tmp_path / "one"), Inputs(now=NOW + timedelta(days=1)).make(tmp_path / "two")
    for name in ("key", "subject", "text", "html", "headers"):
        assert getattr(one, name) == getattr(two, name)
    assert (one.issue_id, one.rendered_at) == (1, NOW)


@pytest.mark.parametrize(
    "change",
    [
        but(posts=(stored(words="Other words.\n"),)),
        but(posts=(stored(head="title: Another\n"),)),
        but(posts=(stored(head="author: Ann\n"),)),
        but(posts=(stored(head="lang: he\n"),)),
        but(posts=(stored(head="date: 2026-01-02\n"),)),
        but(posts=(stored(head="canonical_url: https://example.org/a\n"),)),
        but(posts=(stored("b"),)),
        but(posts=(stored(), stored("b"))),
        but(posts=(stored("b"), stored())),
        on(category="letters"),
        on(sections=("Advice",)),
        on(title="Letters"),
        on(slot=datetime(2026, 1, 7, 8)),  # noqa: DTZ001
        on(issue_id=2),
        on(previous=Neighbour("Before", "https://news.example.org/issues/0/b")),
        on(next_date=date(2026, 1, 13)),
        site(name="Other letters"),
        site(base_url="https://other.example.org"),
        site(blog_url="https://blog.example.org"),
        site(postal_address="2 Main Street"),
        site(language="he"),
        site(reply_to="answers@example.org"),
        site(editor="editor@example.org"),
        site(inbound_address="inbound@example.org"),
        site(**{"from": "Bo Lee <bo@example.org>"}),
        but(theme='base = "press"'),
        but(theme='[light]\nlink = "#123456"'),
        but(templates=(("email/issue.txt.j2", "Only this."),)),
        but(templates=(("email/more.txt.j2", "A template that others may include."),)),
    ],
)
def test_whatever_it_shows_is_in_its_key(tmp_path: Path, change: Callable[[Inputs], Inputs]) -> None:
    """A change of post, occasion, site, header settings, theme or template makes another edition."""
    assert change(Inputs()).make(tmp_path / "two").key != Inputs().make(tmp_path / "one").key


def test_the_program_is_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newer program may render otherwise, so it makes another edition."""
    before = Inputs().make(tmp_path)
    monkeypatch.setattr(module, "__version__", "another")
    assert Inputs().make(tmp_path).key != before.key


def test_what_it_does_not_show_is_not_in_its_key(tmp_path: Path) -> None:
    """Where a post lies, which categories it names, and templates for the web, make no other edition."""
    before = Inputs().make(tmp_path / "one")
    elsewhere = stored(head="categories: [x]\ntitle: A\n", path="elsewhere/b.md")
    assert elsewhere.content_hash == stored(head="title: A\n").content_hash
    same = Inputs(templates=(("web/page.html.j2", "x"), ("email/notes.txt", "x"))).make(tmp_path / "two")
    assert same.key == before.key
    titled = Inputs(posts=(stored(head="title: A\n"),)).make(tmp_path / "one")
    assert Inputs(posts=(elsewhere,)).make(tmp_path / "two").key == titled.key


@pytest.mark.parametrize(
    "posts", [(stored(),), (stored(head="title: 'Ünï “ ; =?x?='\n"), stored("b", "Short.\n", "lang: he\n"))]
)
def test_a_stored_edition_compiles(tmp_path: Path, posts: tuple[Post, ...]) -> None:
    """What was stored makes a message whose parts say what the edition says, with the reader's own links."""
    edition = Inputs(posts=posts).make(tmp_path)
    message = message_from_bytes(compiled(edition, tmp_path).splice(READER), policy=policy.default)
    assert message["Subject"] == edition.subject
    assert message["To"] == "Ann <ann@example.org>"
    assert message["List-Id"].endswith("<advice.news.example.org>")
    assert message["Date"].datetime == NOW
    slots = sentinel_slots(edition.key)
    for subtype, frozen in (("plain", edition.text), ("html", edition.html)):
        part = message.get_body((subtype,))
        assert part is not None
        expected = frozen.replace(slots.address, "ann@example.org")
        expected = expected.replace(slots.unsubscribe_url, READER.unsubscribe_url)
        expected = expected.replace(slots.preferences_url, READER.preferences_url)
        assert expected != frozen
        assert part.get_content().splitlines() == expected.splitlines()


@pytest.mark.parametrize("template", ["<mjml>{{ nobody.knows }}</mjml>", "<mjml>{% if %}</mjml>"])
def test_what_cannot_be_rendered(tmp_path: Path, template: str) -> None:
    """A template that fails raises what the planner reports, naming the template and its line."""
    with pytest.raises(TemplateError, match=r"issue\.mjml\.j2:1"):
        Inputs(templates=(("email/issue.mjml.j2", template),)).make(tmp_path)


def test_a_post_that_can_be_read_no_more(tmp_path: Path) -> None:
    """A stored source that this program cannot read is a ContentError that names the post's path."""
    post = stored()
    post.source = b"---\ntitle: [\n---\nx"
    with pytest.raises(ContentError, match=r"posts/a\.md:\d"):
        Inputs(posts=(post,)).make(tmp_path)


def test_a_retry_has_the_same_bytes(advice: App, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is changed after an issue was planned, its letter stays what it was, to the byte."""
    town = Town(advice.database, make_edition=advice.editions.make)
    town.queue("a")
    subscribe(advice, "ann@example.org")
    clock.now = TUESDAY
    advice.plan_due()
    before = letter(advice)
    changed = GIVEN | {"name": "Other", "from": "Bo <bo@example.org>", "base_url": "https://x.example.org"}
    folder = advice.settings.folder
    (folder / "paperround.toml").write_text(
        write_settings(changed | {"bounce_address": "other@example.org"}), encoding="utf-8"
    )
    (folder / "templates" / "email").mkdir(parents=True)
    (folder / "templates" / "email" / "issue.txt.j2").write_text("Other words.")
    monkeypatch.setattr(module, "__version__", "another")
    town.category("other")
    town.queue("a", category="other")
    with advice.database.write() as session:
        session.get_one(Category, 1).title = "Another title"
        session.get_one(Post, 1).source = b"Other words."
    later = open_app(folder, clock)
    clock.advance(days=1)
    later.plan_due()
    assert letter(later) == before
    later.database.close()


def letter(app: App) -> tuple[str, bytes]:
    """The first delivery's envelope sender and message, as they go to the relay."""
    with app.database.read() as session:
        delivery = session.get_one(Delivery, 1)
    claimed = ClaimedDelivery(1, delivery.edition_id, "ann@example.org", None, 0, delivery.issue_id)
    composed = Composer(app.database, app.signer, app.settings.media_folder)(claimed)
    return composed.return_path, composed.content
