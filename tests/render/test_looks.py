"""The built-in templates in each theme: who speaks is told in words, what is missing leaves no gap."""

import dataclasses
import datetime
import re
from html.parser import HTMLParser
from types import SimpleNamespace
from typing import Any

import pytest
from markupsafe import Markup

from newsletter.content.tree import Form
from newsletter.render.html import Direction
from newsletter.render.languages import Languages
from newsletter.render.letter import Neighbour
from newsletter.render.mjml import compile_mjml
from newsletter.render.templates import render_template, template_environment
from newsletter.render.theme import BUILT_IN, Logo, Theme, load_theme
from newsletter.render.views import BlockView, GroupView, PostView, TurnView
from newsletter.web.words import Words
from tests.render import reading
from tests.render.samples import SAMPLE, SLOTS, letter

ENVIRONMENT = template_environment(None)
SITE = SimpleNamespace(
    base_url="https://fold.example", name="Field & Fold", language="en", postal_address="12 Mill Lane"
)


@pytest.fixture(params=BUILT_IN)
def theme(request: pytest.FixtureRequest, tmp_path: Any) -> Theme:
    """Each theme that came with the program."""
    (tmp_path / "theme.toml").write_text(f'base = "{request.param}"')
    return load_theme(tmp_path)


def turns(*said: str, times: tuple[str | None, ...] = ()) -> tuple[TurnView, ...]:
    """Turns of a few words each."""
    padded = (*times, *(None for _ in said[len(times) :]))
    return tuple(TurnView(Markup(f"<p>{words}</p>"), time) for words, time in zip(said, padded, strict=True))


ROSA = GroupView("Rosa Lind", "RL", 0, turns("How?", "And when?", times=("10:42", "10:43")))
LETTER = dataclasses.replace(ROSA, is_letter=True)
MIA = GroupView("Mia", "M", 1, turns("Early."), role="editor", link="https://mia.example/", is_author=True)
ANA = GroupView("Ana", "A", 2, turns("Once."), accent="#ffd23f", avatar="https://pic.example/ana.png")


def talk(*groups: GroupView, form: Form = Form.TALK) -> PostView:
    """A post that is one exchange."""
    blocks = (BlockView(groups=groups, form=form),)
    return PostView("A title", "en", "ltr", None, None, None, 1, blocks, "Text of it.")


def values(theme: Theme, *posts: PostView, **changes: Any) -> dict[str, Any]:
    """What a letter's templates are given."""
    given = letter(SAMPLE)
    return {
        "letter": dataclasses.replace(given, **changes),
        "slots": SLOTS,
        "subject": "A title",
        "preheader": "Words",
        "direction": "ltr",
        "theme": theme,
        "posts": [*posts],
    }


def mail(theme: Theme, *posts: PostView, **changes: Any) -> str:
    """The letter's HTML."""
    return compile_mjml(render_template(ENVIRONMENT, "email/issue.mjml.j2", values(theme, *posts, **changes)))


def text(theme: Theme, *posts: PostView, **changes: Any) -> str:
    """The letter's plain text."""
    return render_template(ENVIRONMENT, "email/issue.txt.j2", values(theme, *posts, **changes))


def web(theme: Theme, *posts: PostView, **changes: Any) -> str:
    """The letter's web version, with nothing around it."""
    around = {"site": SITE, "newer": None, "older": None, "feed_url": None, "subscribe_url": None}
    around |= {name: changes.pop(name) for name in [*changes] if name in around}
    return render_template(ENVIRONMENT, "web/issue.html.j2", values(theme, *posts, **changes) | around)


def words(html: str) -> str:
    """What is read aloud of a letter."""
    return " ".join(reading.Letter(html).text.split())


class Balanced(HTMLParser):
    """Reads a page, whose elements must be closed in their order."""

    VOID = frozenset({"br", "hr", "img", "link", "meta"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if tag == "a" and name == "href"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("form", Form)
def test_who_speaks_is_told_in_words(theme: Theme, form: Form) -> None:
    """Name, then the word "author", role and time stand before what was said, in every form and theme."""
    html = mail(theme, talk(LETTER, MIA, ANA, form=form))
    assert "Rosa Lind · 10:42 How? 10:43 And when? Mia · author · editor Early. Ana Once." in words(html)
    assert html.count('<a class="name-1" href="https://mia.example/"') == 1


def test_the_author_is_marked_by_a_word(theme: Theme) -> None:
    """Without that word nobody is the author."""
    assert "author" not in words(mail(theme, talk(ROSA, ANA)))


def test_a_letter_is_set_as_one_and_answers_as_prose(theme: Theme) -> None:
    """The asker's words stand in a panel each time, answers in none, and no bubble narrows them."""
    html = mail(theme, talk(LETTER, MIA, LETTER, form=Form.LETTER))
    assert html.count('class="panel ink') == 2
    assert 'class="turn-' not in html
    assert 'aria-hidden="true"' not in html


def test_a_picture_of_a_speaker_has_initials_in_its_place(theme: Theme) -> None:
    """With images off an avatar shows initials, on a colour on which they can be read."""
    html = mail(theme, talk(ANA))
    picture = re.search(r'background-color:#ffd23f;color:(#\w+)[^>]*><img [^>]*alt="A" width="36"', html)
    assert picture
    assert reading.contrast(picture[1], "#ffd23f") >= 4.5


def test_inline_styles_alone_can_be_read(theme: Theme) -> None:
    """With no `<style>` at all, each text has a contrast of 4.5:1 with what is behind it."""
    for form in Form:
        colours = reading.Letter(mail(theme, talk(LETTER, MIA, ANA, form=form))).colours
        assert len(colours) >= 4
        assert [pair for pair in colours if reading.contrast(*pair) < 4.5] == []


def test_every_class_has_its_colour_in_the_dark(theme: Theme) -> None:
    """Each colour of the light scheme that is written inline has a class that the dark sheet knows."""
    html = mail(theme, talk(ROSA, MIA, form=Form.TALK), talk(LETTER, MIA, form=Form.LETTER))
    body = html[html.index("<body") :]
    for tag in re.findall(r"<(?:td|div|strong|span|p|h1|h2) [^>]*>", body):
        classes = re.search(r'class="([^"]*)"', tag)
        if "class=" in tag and ("color:#" in tag) and "display:none" not in tag:
            assert classes
            assert any(re.search(rf"\.{name}[ ,{{]", html) for name in classes[1].split()), tag


def test_the_dark_sheet_serves_outlook_too(theme: Theme) -> None:
    """What the dark scheme sets, it sets for Outlook.com as well, and all sheets stay below Gmail's 16 KB."""
    style = reading.Letter(mail(theme, talk(ROSA))).style
    dark = style[style.index("prefers-color-scheme:dark") : style.index("[data-ogs")]
    for selector in re.findall(r"^(\.[\w-]+)", dark, re.MULTILINE):
        if selector != ".logo":
            assert re.search(rf"\[data-ogs[bc]\] {re.escape(selector)}[ ,]", style), selector
    assert theme.dark.paper in dark
    assert len(style.encode()) < 16_000


def test_initials_and_turns_change_their_ground_with_their_ink(theme: Theme) -> None:
    """In the dark no speaker's ink is left on a light ground, or the other way round."""
    style = reading.Letter(mail(theme, talk(ROSA))).style
    dark = theme.dark
    for number, speaker in enumerate(dark.speakers):
        assert f"\n.accent-{number} {{ background-color:{speaker.accent} !important }}" in style
        assert f"\n.accent-{number} {{ color:{dark.paper} !important }}" in style
        turn = ("background-color", speaker.bubble)
        turn = turn if theme.shape.turns == "bubble" else ("border-color", speaker.accent)
        assert f"\n.turn-{number} {{ {turn[0]}:{turn[1]} !important }}" in style


def test_long_threads_stay_lean(theme: Theme) -> None:
    """A turn of three words costs less than 800 bytes when speakers alternate at every turn."""
    groups = [dataclasses.replace(group, turns=turns("A few words")) for group in (ROSA, ANA)] * 50
    few, many = (len(mail(theme, talk(*groups[:count])).encode()) for count in (10, 100))
    assert (many - few) / 90 < 800


LINKS = {
    "web_url": "https://fold.example/issues/12",
    "archive_url": "https://fold.example/archive/work",
    "previous": Neighbour("The week <after>", "https://fold.example/issues/11"),
    "next_date": datetime.date(2026, 3, 10),
}


def test_what_is_around_the_letter_is_there(theme: Theme) -> None:
    """Both parts lead to the web version, the issue before, the next date, preferences and the way out."""
    cut = dataclasses.replace(talk(ROSA), continue_url="https://blog.example/post/")
    html, plain = mail(theme, cut, **LINKS), text(theme, cut, **LINKS)
    links = reading.Letter(html).links
    for link in (
        *(LINKS["web_url"], LINKS["archive_url"], "https://fold.example/issues/11"),
        *(
            "https://blog.example/post/",
            SLOTS.preferences_url,
            SLOTS.unsubscribe_url,
            "https://fold.example/",
        ),
    ):
        assert link in links
        assert link in plain
    for part in (words(html), " ".join(plain.split())):
        for said in (
            "Last time: The week <after>",
            "Next letter: Tuesday, 10 March 2026",
            "Continue on the web",
        ):
            assert said in part
    assert [line for line in plain.splitlines() if len(line) > 78] == []


@pytest.mark.parametrize(
    ("name", "label"),
    [("archive_url", "All letters"), ("previous", "Last time"), ("next_date", "Next letter")],
)
def test_each_of_them_may_stand_alone(theme: Theme, name: str, label: str) -> None:
    """What is known is shown without what is not."""
    for part in (
        mail(theme, talk(ROSA), **{name: LINKS[name]}),
        text(theme, talk(ROSA), **{name: LINKS[name]}),
    ):
        assert [said for said in ("All letters", "Last time", "Next letter") if said in part] == [label]


def test_a_button_is_one_without_styles(theme: Theme) -> None:
    """The button's colour is an attribute of a cell, which Outlook obeys too."""
    html = mail(theme, dataclasses.replace(talk(ROSA), continue_url="https://blog.example/post/"))
    assert re.search(
        rf'<td [^>]*bgcolor="{theme.light.accent}"[^>]*><a href="https://blog.example/post/"', html
    )


def test_what_is_missing_leaves_no_gap(theme: Theme) -> None:
    """Without any of them there is no empty paragraph, no lone label and no stray separator."""
    html, plain = mail(theme, talk(ROSA), issue_date=None), text(theme, talk(ROSA), issue_date=None)
    for part in (words(html), plain):
        for label in ("Last time", "Next letter", "All letters", "on the web", "In this letter"):
            assert label not in part
    assert not re.search(r"<(p|td|div)(?! style=.border-top)( [^>]*)?>\s*</\1>", html[html.index("<h1") :])
    assert "· ·" not in words(html)
    assert "\n\n\n\n" not in plain


def test_several_posts_have_a_table_of_contents(theme: Theme) -> None:
    """A letter of several posts begins with their titles, in both parts and on the web."""
    posts = [dataclasses.replace(talk(ROSA), title=title, level=2) for title in ("First <b>", "Second")]
    assert "In this letter First <b> Second" in words(mail(theme, *posts))
    assert "In this letter:\n1. First <b>\n2. Second\n" in text(theme, *posts)
    assert [link for link in Balanced(web(theme, *posts)).links if "#" in link] == ["#post-1", "#post-2"]


WORK, NOTES, HEBREW = "Work, kindly", "Notes <from> the field", "עצות לעבודה"


def digest(*sections: str) -> tuple[list[PostView], dict[str, Any]]:
    """The posts of a digest as templates see them, and what is else in its letter."""
    above = (None, *sections)
    views = [
        dataclasses.replace(
            talk(ROSA),
            title=f"Post {number}",
            level=1 if len(sections) == 1 else 2,
            section=section if section != above[number - 1] else None,
        )
        for number, section in enumerate(sections, 1)
    ]
    posts = tuple(dataclasses.replace(SAMPLE, section=section) for section in sections)
    return views, {"posts": posts, "category_title": "Digest"}


def test_posts_of_a_digest_stand_under_their_category(theme: Theme) -> None:
    """Its title comes before the first of its posts, here and in the contents; posts are counted through."""
    views, given = digest(WORK, WORK, NOTES)
    said, plain = words(mail(theme, *views, **given)), text(theme, *views, **given)
    contents = f"In this letter {WORK} Post 1 Post 2 {NOTES} Post 3"
    for part in (said, words(web(theme, *views, **given))):
        assert "Digest" in part
        assert contents in part
        _, _, below = part.partition(contents)
        assert re.findall(rf"Post \d|{WORK} Post 1|{NOTES} Post 3", below) == [
            f"{WORK} Post 1",
            "Post 2",
            f"{NOTES} Post 3",
        ]
        assert (below.count(WORK), below.count(NOTES)) == (1 + (part == said), 1 + (part == said))
    assert (
        f"In this letter:\n\n{WORK}\n1. Post 1\n2. Post 2\n\n{NOTES}\n3. Post 3\n\n\n{WORK}\n\nPost 1\n="
        in plain
    )
    assert f"\n\n\n{NOTES}\n\nPost 3\n=" in plain
    assert "\n\n\n\n" not in plain
    page = web(theme, *views, **given)
    assert [link for link in Balanced(page).links if "#" in link] == ["#post-1", "#post-2", "#post-3"]
    for html in (page, mail(theme, *views, **given)):
        assert re.findall(r'<ol start="(\d)"', html) == ["3"]


@pytest.mark.parametrize(
    ("sections", "names"),
    [
        ((WORK,), WORK),
        ((WORK, WORK), WORK),
        ((WORK, NOTES), f"{WORK} and {NOTES}"),
        ((WORK, NOTES, HEBREW), f"{WORK}, {NOTES} and {HEBREW}"),
    ],
)
def test_a_digest_says_which_categories_its_reader_gets_it_by(
    theme: Theme, sections: tuple[str, ...], names: str
) -> None:
    """Nobody subscribed to digests: the letter ends with those they did subscribe to."""
    views, given = digest(*sections)
    html = mail(theme, *views, **given)
    for part in (words(html), " ".join(text(theme, *views, **given).split())):
        assert f"You get this because {SLOTS.address} subscribed to {names} at Field & Fold." in part
    assert all(f"<bdi>{title}</bdi>" in html for title in sections if "<" not in title)


def test_a_digest_of_one_post_looks_like_a_letter_of_its_category(theme: Theme) -> None:
    """It has no contents and no heading over the title: the category stands beside the date."""
    views, given = digest(WORK)
    parts = (
        words(mail(theme, *views, **given)),
        words(web(theme, *views, **given)),
        text(theme, *views, **given),
    )
    for part in parts:
        assert "Digest" not in part
        assert "In this letter" not in part
        assert part.partition("Post 1")[0].count(WORK) == 1
    assert f"{WORK} · Tuesday, 3 March 2026" in parts[0]


def test_a_digest_is_not_for_search_engines(theme: Theme) -> None:
    """What is in no archive is another copy of what is."""
    views, given = digest(WORK, NOTES)
    assert '<meta name="robots" content="noindex, follow">' in web(theme, *views, **given)


def test_a_logo_stands_for_the_name(theme: Theme) -> None:
    """A site's logo takes the place of its name, with words for who cannot see it."""
    branded = dataclasses.replace(theme, logo=Logo("https://fold.example/l.png", "Field <&> Fold", 120))
    for html in (mail(branded, talk(ROSA)), web(branded, talk(ROSA))):
        assert 'src="https://fold.example/l.png" alt="Field &lt;&amp;&gt; Fold" width="120"' in html


def test_the_web_version_is_the_letter(theme: Theme) -> None:
    """The page says what the letter says, is found by search engines, and knows the dark."""
    page = web(theme, talk(ROSA, MIA), **LINKS)
    assert '<html lang="en" dir="ltr">' in page
    assert "Rosa Lind</bdi></strong>" in page
    assert '<meta name="robots" content="index, follow">' in page
    assert f'<link rel="canonical" href="{LINKS["web_url"]}">' in page
    assert f".name-0,a.name-0 {{ color:{theme.dark.speakers[0].accent} !important }}" in page
    assert SLOTS.address not in page
    assert SLOTS.unsubscribe_url not in page


def test_the_web_version_leads_on(theme: Theme) -> None:
    """The page links the issues beside it, and the feed where there are any, and else nothing."""
    around = {
        "newer": Neighbour("Newer", "https://fold.example/13"),
        "older": Neighbour("Older", "https://fold.example/11"),
        "feed_url": "https://fold.example/feed",
    }
    page = web(theme, talk(ROSA), **around)
    links = Balanced(page).links
    assert {"https://fold.example/13", "https://fold.example/11", "https://fold.example/feed"} <= {*links}
    assert re.search(
        r'<link rel="alternate" type="application/atom\+xml"[^>]*href="https://fold.example/feed"', page
    )
    assert Balanced(web(theme, talk(ROSA))).links == ["https://fold.example/"]


def test_the_archive_lists_the_letters(theme: Theme) -> None:
    """The archive links every letter with its date, and its feed; other pages stay out of search engines."""
    words = {"theme": theme, "site": SITE, "say": Words(Languages(None).best("en"), "en")}
    urls = {"feed_url": "https://fold.example/feed", "subscribe_url": "https://fold.example/subscribe"}
    shared = words | urls | {"category_title": "Work"}
    issues = [("A <b>", datetime.date(2026, 3, 3), "https://fold.example/1")]
    page = render_template(ENVIRONMENT, "web/archive.html.j2", {**shared, "issues": issues})
    assert Balanced(page).links == [
        "https://fold.example/",
        "https://fold.example/subscribe",
        "https://fold.example/1",
        "https://fold.example/feed",
    ]
    assert "A &lt;b&gt;" in page
    assert '<time datetime="2026-03-03">Tuesday, 3 March 2026</time>' in page
    assert "index, follow" in page
    assert "application/atom+xml" in page
    empty = render_template(ENVIRONMENT, "web/archive.html.j2", {**shared, "issues": []})
    assert "No letter has gone out yet." in empty
    assert "noindex" in render_template(ENVIRONMENT, "web/unknown.html.j2", words)


@pytest.mark.parametrize(("direction", "start", "end"), [("ltr", "left", "right"), ("rtl", "right", "left")])
def test_a_conversation_begins_where_lines_begin(
    theme: Theme, direction: Direction, start: str, end: str
) -> None:
    """From right to left, avatars and rules stand on the right, and no part runs the other way."""
    post = dataclasses.replace(talk(ROSA, MIA), direction=direction)
    given = values(theme, post) | {"direction": direction}
    html = compile_mjml(render_template(ENVIRONMENT, "email/issue.mjml.j2", given))
    assert f"width:36px;padding-{end}:12px" in html
    assert (f"border-{start}:3px" in html) == (theme.shape.turns == "rule")
    assert f"border-{end}:3px" not in html
    assert f"direction:{'ltr' if direction == 'rtl' else 'rtl'}" not in html
