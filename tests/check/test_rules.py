"""Each rule: a post that trips it, at its exact line, and one that does not."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.check.check import Checker
from newsletter.settings import Settings
from tests.conftest import GIVEN

ROOT = Path(__file__).parents[2]
CHECKER = Checker.for_site(Settings.model_validate({"site": GIVEN}), None, date(2026, 1, 5))
TALK = "**Ann**\n\nHow long is it?\n\n**Bo**\n\nAs long as it takes.\n"
SPOKEN = "---\ntitle: T\nspeakers: [Ann, Bo]\n---\n"


def found(
    text: str, path: Path = Path("a-post.md"), checker: Checker = CHECKER
) -> list[tuple[int, str, str]]:
    """(line, severity, rule) of what is found in a post, the missing title of bare ones left out."""
    findings = checker.check_post(text.encode("utf-8", "surrogatepass"), path)
    return [(f.line, str(f.severity), f.rule) for f in findings if f.rule != "title-missing"]


TRIPS = [
    ("Words.\n\n![](/a.png)", 3, "error", "alt-missing"),
    ("Words.\n\n<figure>\n<img src='/a.png' alt=''></figure>", 4, "error", "alt-missing"),
    ("Words [![](/a.png)](https://example.org).", 1, "error", "alt-missing"),
    ("![IMG_2041.jpeg](/a.jpeg)", 1, "warning", "alt-file-name"),
    ("![Screenshot 2024-01-02](/a.png)", 1, "warning", "alt-file-name"),
    ("![A cat](http://example.org/a.png)", 1, "warning", "image-insecure"),
    ("![A cat](file:///a.png)", 1, "error", "image-scheme"),
    ("![A cat](https://example.org/a.svg?x=1)", 1, "warning", "image-format"),
    ("Words.\n![A cat](no-such-cat.png)", 2, "error", "image-missing"),
    ("Words.\n\n[a report](no-such.pdf)", 3, "error", "link-broken"),
    ("[a post](no-such-post.md)", 1, "error", "link-broken"),
    ("[us](www.example.org)", 1, "error", "link-broken"),
    ("[us](https:/example.org)", 1, "error", "link-broken"),
    ("[us](https://)", 1, "error", "link-broken"),
    ("[nothing]()", 1, "error", "link-broken"),
    ("[write](mailto:ann)", 1, "error", "link-broken"),
    ("[draft](http://localhost:4000/a)", 1, "warning", "link-local"),
    ("[run](javascript:alert)", 1, "error", "link-scheme"),
    ("Words\n<a href='data:text/html,x'>it</a>", 2, "error", "link-scheme"),
    ("Words.\n\n[the end](#end)", 3, "note", "link-fragment"),
    ("Words [](https://example.org).", 1, "error", "link-empty"),
    ("Words.\n\nSee [here](https://example.org).", 3, "note", "link-vague"),
    ("Words.\n\nSee <https://example.org>.", 3, "note", "link-bare"),
    ("## One\n\nWords.\n\n#### Two\n\nWords.", 5, "warning", "heading-skips"),
    ("# One\n\nWords.\n\nTwo\n===\n\nWords.", 5, "warning", "heading-first"),
    ("## One\n\nWords.\n\n<h3></h3>", 5, "warning", "heading-empty"),
    ("Words.\n\n<form><input name=a></form>", 3, "warning", "html-form"),
    ("Words.\n\n<script>x()</script>", 3, "note", "html-script"),
    ("Words.\n\n<video src='https://example.org/a.mp4'></video>", 3, "note", "html-video"),
    ("Words <span style='color:red'>red</span>.", 1, "note", "html-style-attribute"),
    ("Words.\n\nHello {{ reader.name }}.", 3, "error", "token"),
    ("Words.\n\n{% unknown_tag one %}", 3, "error", "token"),
    ("Hello *|FNAME|*.", 1, "error", "token"),
    ("Hello %%first_name%%.", 1, "error", "token"),
    ("TODO: finish this.", 1, "warning", "placeholder"),
    ("---\ntitle: T\ndate: 2025-01-09\n---\nWords.", 3, "note", "date-differs"),
    ("---\ntitle: T\ndate: 2206-01-09\n---\nWords.", 3, "note", "date-future"),
    ("---\ndate: 2024-01-09\ntitle: " + "long " * 20 + "\n---\nWords.", 3, "note", "subject-long"),
    ("---\ntitle: T\n---\n" + "Слово за слово. " * 9, 1, "note", "lang-missing"),
    ("---\ntitle: T\nlang: no language\n---\nWords.", 3, "error", "unreadable"),
    ("---\ntitle: T\n", 1, "error", "unreadable"),
    (f"---\ntitle: T\nspeakers: [Ann, Bo, Cleo]\n---\n{TALK}", 3, "warning", "speaker-silent"),
    (f"{SPOKEN}Hi.\n\n{TALK}\nThis is what Bo thinks of it.\n", 15, "warning", "doubtful"),
    ("Words, many of them.\n\n" * 9_000, 1, "warning", "size"),
]


@pytest.mark.parametrize(("text", "line", "severity", "rule"), TRIPS, ids=lambda value: str(value)[:30])
def test_what_is_wrong_is_found_at_its_line(text: str, line: int, severity: str, rule: str) -> None:
    """The rule is tripped, at that line of the file and with that severity."""
    path = Path("2024-01-09-a-post.md" if rule.startswith("date") else "a-post.md")
    assert (line, severity, rule) in found(text, path)


SOUND = [
    "![A cat on a mat](/a.png)",
    '![](/a.png){: role="presentation"}',
    "<img src='/a.png' alt='' role='presentation'>",
    "![Figure 3](/figure-3.png)",
    "Write `![](x.png)` and `[](y)` and `{{ z }}`.",
    "```\n![](x.png)\n# a\n### b\n{{ z }} [here](q.pdf)\n```",
    "Words:\n\n    ![](x.png) {{ z }}\n",
    "<!-- ![](x.png) TODO: more -->\n\nWords.",
    "Not a link: \\[here](x.pdf), nor \\!\\[](y.png).",
    "[the archive](/archive/) and [one post](/2024/01/a-post/) and [about us](about.html)",
    "[call](tel:+123) [write](mailto:ann@example.org?subject=Hi) [share](mailto:?subject=Look)",
    "[the survey][1]\n\n[1]: https://example.org/survey 'The survey'\n",
    "[a talk](https://example.org/a_(b)) and [notes [2]](https://example.org/c)",
    "[![A cat](/a.png)](https://example.org)",
    "# One\n\n## Two\n\n### Three\n\n## Four\n\nWords.",
    "### Three\n\n### Three\n\nWords.",
    "A talk [video] by <Some Company> in XXX, and 100%% sure, my TODO list.",
    "---\ntitle: T\nlang: ru\n---\n" + "Слово за слово. " * 9,
    "Words[^1].\n\n[^1]: A note, with [a link](https://example.org).\n",
    f"{SPOKEN}Hi.\n\n{TALK}",
    f"---\ntitle: T\nspeakers:\n  Ann: {{colour: '#1f5a8c'}}\n---\n{TALK}",
]


@pytest.mark.parametrize("text", SOUND, ids=lambda value: value[:30])
def test_what_is_sound_is_let_be(text: str) -> None:
    """Nothing is said of it: a wrong finding costs more trust than a missing one."""
    assert found(text) == []


@pytest.mark.parametrize("opening", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("front", ["", "---\ntitle: T\ntags:\n  - a\n---\n", "+++\ntitle = 'T'\n+++\n"])
def test_lines_are_those_of_the_file(front: str, end: str, opening: str) -> None:
    """Front matter, a byte order mark and any line ends are counted as an editor counts them."""
    text = f"{front}Words.\n\nMore words.\n\n![](/a.png)\n"
    line = text.split("\n").index("![](/a.png)") + 1
    assert found(opening + text.replace("\n", end)) == [(line, "error", "alt-missing")]


def test_files_of_the_blog_are_looked_for(tmp_path: Path) -> None:
    """Beside the post, and from the folder that has the first part of a site-absolute path."""
    post = tmp_path / "_posts" / "2024-01-09-a.md"
    (tmp_path / "files").mkdir()
    post.parent.mkdir()
    for name in ("files/a.pdf", "_posts/2024-01-02-b.md", "_posts/c.zip"):
        (tmp_path / name).write_bytes(b"")
    sound = "[a](/files/a.pdf) [b](../files/a.pdf?x#y) [c](c.zip)"
    assert found(sound, post) == []
    assert "link-broken" not in {rule for *_, rule in found("[d]({% post_url 2024-01-02-b %})", post)}
    assert found("[a](/files/b.pdf)", post) == [(1, "error", "link-broken")]
    assert found("[a](/elsewhere/b.pdf)", post) == []
    assert found("[a]({% post_url 2024-01-02-x %})", post)[0] == (1, "error", "link-broken")
    assert found("[a](2024-01-02-b.md)", post) == [(1, "warning", "link-to-source")]


def test_permission_is_asked_for_where_the_site_does() -> None:
    """Everyone who speaks, but the author, needs it; by default nobody is asked."""
    settings = Settings.model_validate({"site": {**GIVEN, "require_permission": True}})
    strict = Checker.for_site(settings, None, CHECKER.today)
    text = f"---\ntitle: T\nauthor: Ann\nspeakers:\n  Bo: {{}}\n---\n{TALK}"
    assert found(text) == []
    assert found(text, checker=strict) == [(11, "error", "permission")]
    assert found(text.replace("{}", "{permission: 2026-01-02}"), checker=strict) == []


@given(
    st.lists(
        st.sampled_from(
            [*"[]()!<>`\"'\\{}%|#*_=:-\n ", "![", "](", "<a href=", "<img ", "{{", "---\n", "word"]
        )
        | st.text(max_size=3),
        max_size=60,
    ).map("".join)
)
def test_whatever_the_text_there_is_an_answer(text: str) -> None:
    """No text is a crash, and every finding has a line of the file and both its sentences."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    for finding in CHECKER.check_post(text.encode("utf-8", "surrogatepass"), Path("a-post.md")):
        assert 1 <= finding.line <= lines
        assert finding.why
        assert finding.mend


@given(st.binary(max_size=200))
def test_whatever_the_bytes_there_is_an_answer(data: bytes) -> None:
    """Binary files too."""
    CHECKER.check_post(data, Path("a-post.md"))


def test_the_project_s_own_posts_have_no_errors() -> None:
    """The demo's posts are what this project holds up as good."""
    for path in sorted((ROOT / "newsletter" / "demo" / "posts").glob("*.md")):
        assert [str(f) for f in CHECKER.check_file(path) if f.severity == "error"] == []
