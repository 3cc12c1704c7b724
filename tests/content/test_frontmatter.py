"""Front matter as Jekyll and Hugo write it, and as nobody should."""

from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.content.frontmatter import MAX_DEPTH, MAX_FRONT_MATTER_CHARS, split
from newsletter.errors import ContentError

POST = Path("post.md")


@pytest.mark.parametrize(
    ("text", "values", "body_line"),
    [
        ("---\ntitle: Bread\n---\nbody", {"title": "Bread"}, 4),
        ("\ufeff---\r\ntitle: Bread\r\n---\r\nbody", {"title": "Bread"}, 4),
        ("---  \ntitle: Bread\n...\nbody", {"title": "Bread"}, 4),
        ("---\n---\nbody", {}, 3),
        ("---\n# only a remark\n---\nbody", {}, 4),
        ('+++\ntitle = "Bread"\ndraft = true\ndate = 2024-05-01\n+++\nbody',
         {"title": "Bread", "draft": "true", "date": "2024-05-01"}, 6),
        ('+++\ntags = ["a", "b"]\n[author]\nname = "Ann"\n+++\nbody',
         {"tags": ["a", "b"], "author": {"name": "Ann"}}, 6),
        ("body", {}, 1),
    ],
)  # fmt: skip
def test_reads_what_jekyll_and_hugo_write(text: str, values: object, body_line: int) -> None:
    """Both forms are read, also with a byte order mark and CRLF, and the body's line is that of the file."""
    front = split(text, POST)
    assert front.values == values
    assert front.body == "body"
    assert front.body_line == body_line


def test_scalars_come_back_as_they_were_written() -> None:
    """No value changes its meaning on the way: YAML 1.1's `no`, octal numbers and bad dates stay text."""
    front = split("---\nlang: no\ntitle: 1.10\nnumber: 010\ndate: 2024-13-45\nnone: ~\n---\nx", POST)
    assert front.values == {"lang": "no", "title": "1.10", "number": "010", "date": "2024-13-45", "none": "~"}


@pytest.mark.parametrize("fence", ["---", "+++"])
def test_keys_know_their_lines(fence: str) -> None:
    """A complaint about a key can name its line in the file, in both forms."""
    mark = ": " if fence == "---" else " = "
    front = split(f"{fence}\ntitle{mark}'a'\n\nlang{mark}'en'\n{fence}\nx", POST)
    assert front.lines == {"title": 2, "lang": 4}


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("---\ntitle: x\n", 1, "not closed"),
        ("+++\ntitle = 'x'\n", 1, "not closed"),
        ("---\n- a\n- b\n---\nx", 2, "key: value"),
        ("---\nok: 1\ntitle: 'open\n---\nx", 3, "cannot be read"),
        ("---\nok: 1\n  bad: : x\n---\nx", 3, "cannot be read"),
        ("---\nok: 1\na: &a [x]\nb: *a\n---\nx", 4, "aliases"),
        ("---\nok: 1\nd: " + "[" * 5_000 + "\n---\nx", 3, "nested"),
        ("---\nd: " + "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1) + "\n---\nx", 2, "nested"),
        ("---\n? [a, b]\n: x\n---\nx", 2, "cannot be read"),
        ("---\nt: " + "x" * MAX_FRONT_MATTER_CHARS + "\n---\nx", 1, "allowed"),
        ("+++\nok = 1\ntitle = x\n+++\nx", 3, "cannot be read"),
        ("+++\nd = " + "[" * 5_000 + "\n+++\nx", 2, "nested"),
        ("+++\nn = " + "9" * 5_000 + "\n+++\nx", 2, "too large"),
    ],
)
def test_says_what_is_wrong_and_where(text: str, line: int, problem: str) -> None:
    """Every unreadable front matter is refused with its line in the file, bombs and abysses included."""
    with pytest.raises(ContentError, match=problem) as refused:
        split(text, POST)
    assert refused.value.line == line
    assert str(refused.value).startswith(f"post.md:{line}: ")


def test_tags_construct_nothing() -> None:
    """A YAML tag that asks for a Python object gets a string."""
    assert split("---\na: !!python/object/apply:os.getcwd []\nb: !!int x\n---\nx", POST).values == {
        "a": [],
        "b": "x",
    }


@given(st.sampled_from(["---", "+++"]), st.text(), st.text())
@example("---", "\x85: a", "")
@example("---", "\x07", "")
def test_reading_is_total(fence: str, block: str, body: str) -> None:
    """Whatever stands between the marks, the answer is front matter or a located error."""
    text = f"{fence}\n{block}\n{fence}\n{body}"
    try:
        front = split(text, POST)
    except ContentError:
        return
    assert all(isinstance(key, str) for key in front.values)
    normal = text.replace("\r\n", "\n").replace("\r", "\n")
    assert normal.split("\n", front.body_line - 1)[-1] == front.body
