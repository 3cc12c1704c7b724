"""Lists are read as CommonMark reads them, whatever they are indented by."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from types import FrameType
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from newsletter.content.html import plain
from newsletter.content.lists import MAX_CONTAINERS, aligned
from newsletter.content.markdown import to_tree
from newsletter.errors import ContentError
from tests.properties import tried


def html(markdown: str) -> str:
    """The inside of the tree, its lines joined."""
    text = ET.tostring(to_tree(markdown, base_url=None), encoding="unicode")
    text = re.sub(r"(?<=>)\s*\n\s*|\s*\n\s*(?=<)", "", text.removeprefix("<div>").removesuffix("</div>"))
    return re.sub(r"\s*\n\s*", " ", text)


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        # What an item holds begins below its text.
        ("1. a\n\n   b\n2. c", "<ol><li><p>a</p><p>b</p></li><li><p>c</p></li></ol>"),
        ("- a\n\n  b\n- c", "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>"),
        ("-   a\n\n    b\n-   c", "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>"),
        ("10. a\n\n    b\n11. c", '<ol start="10"><li><p>a</p><p>b</p></li><li><p>c</p></li></ol>'),
        ("1. a\n\n  b", "<ol><li>a</li></ol><p>b</p>"),
        ("-\ta\n\n\tb", "<ul><li><p>a</p><p>b</p></li></ul>"),
        # Lists in lists.
        ("- a\n  - b\n    - c\n- d",
         "<ul><li>a<ul><li>b<ul><li>c</li></ul></li></ul></li><li>d</li></ul>"),
        ("  - a\n    - b\n  - c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("- a\n - b\n  - c", "<ul><li>a</li><li>b</li><li>c</li></ul>"),
        ("- a\n  1. b\n  2. c\n- d", "<ul><li>a<ol><li>b</li><li>c</li></ol></li><li>d</li></ul>"),
        ("3. a\n  - b\n  - c\n4. d", '<ol start="3"><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ol>'),
        ("- a\n\n  - b\n- c", "<ul><li><p>a</p><ul><li>b</li></ul></li><li><p>c</p></li></ul>"),
        ("- a\n  - b\n\n  c\n\n  - d",
         "<ul><li><p>a</p><ul><li>b</li></ul><p>c</p><ul><li>d</li></ul></li></ul>"),
        ("- a\n\n  b\n  - c", "<ul><li><p>a</p><p>b</p><ul><li>c</li></ul></li></ul>"),
        ("- a\n      - b", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
        ("- - a\n  - b", "<ul><li><ul><li>a</li><li>b</li></ul></li></ul>"),
        ("- - a\n  1. b", "<ul><li><ul><li>a</li></ul><ol><li>b</li></ol></li></ul>"),
        ("- a\n1. b\n- c", "<ul><li>a</li></ul><ol><li>b</li></ol><ul><li>c</li></ul>"),
        ("- a\n-\n- b", "<ul><li><p>a</p></li><li><p>b</p></li></ul>"),
        ("- [ ] a\n  - [x] b", "<ul><li>☐ a<ul><li>☑ b</li></ul></li></ul>"),
        # Other blocks in items.
        ("- a\n  ```\n  b\n  ```\n- c",
         "<ul><li><p>a</p><pre><code>b</code></pre></li><li><p>c</p></li></ul>"),
        ("- ```\n  a\n  ```\n- b", "<ul><li><pre><code>a</code></pre></li><li><p>b</p></li></ul>"),
        ("- a\n  - b\n    ```\n    c\n    ```\n  - d",
         "<ul><li><p>a</p><ul><li><p>b</p><pre><code>c</code></pre></li><li><p>d</p></li></ul></li></ul>"),
        ("- a\n\n      b\n- c", "<ul><li><p>a</p><pre><code>b</code></pre></li><li><p>c</p></li></ul>"),
        ("- a\n  > b\n  > c\n- d",
         "<ul><li><p>a</p><blockquote><p>b c</p></blockquote></li><li><p>d</p></li></ul>"),
        ("- > b\n  > c\n  - d",
         "<ul><li><blockquote><p>b c</p></blockquote><ul><li>d</li></ul></li></ul>"),
        ("- a\n  # b\n  c", "<ul><li><p>a</p><h2>b</h2><p>c</p></li></ul>"),
        ("- a\n  <div>b</div>\n- c", "<ul><li><p>a</p>b</li><li><p>c</p></li></ul>"),
        ("- a\n\n  | b |\n  |---|\n  | c |",
         "<ul><li><p>a</p><table><thead><tr><th>b</th></tr></thead><tbody><tr><td>c</td></tr></tbody></table>"
         "</li></ul>"),
        ("- a\n  {: .said}\n- b", '<ul><li><p class="said">a</p></li><li><p>b</p></li></ul>'),
        # Lists in other blocks.
        ("> - a\n>   - b\n> - c\n>\n>   d",
         "<blockquote><ul><li>a<ul><li>b</li></ul></li><li><p>c</p><p>d</p></li></ul></blockquote>"),
        ("Term\n: Meaning\n\n    - a\n      - b\n\n    c",
         "<dl><dt>Term</dt><dd><p>Meaning</p><ul><li>a<ul><li>b</li></ul></li></ul><p>c</p></dd></dl>"),
        ("a[^1]\n\n[^1]: b\n\n    c\n\n    - d\n      - e\n\n    f",
         "<p>a<sup>1</sup></p><hr /><ol><li><p>b</p><p>c</p><ul><li>d<ul><li>e</li></ul></li></ul>"
         "<p>f\xa0</p></li></ol>"),
        # A paragraph goes on.
        ("- a\nb\n  - c\n d\n- e", "<ul><li>a b<ul><li>c d</li></ul></li><li>e</li></ul>"),
        ("a\n- b\n  - c", "<p>a - b - c</p>"),
        ("> a\n- b\n  - c", "<blockquote><p>a - b - c</p></blockquote>"),
        ("1. In\n   1984. b\n2. c", "<ol><li>In 1984. b</li><li>c</li></ol>"),
        ("- In\n1984. b", "<ul><li>In 1984. b</li></ul>"),
        # No items.
        ("- a\n---\n- b", "<ul><li>a</li></ul><hr /><ul><li>b</li></ul>"),
        ("* * *\n\n- - -\n- a", "<hr /><hr /><ul><li>a</li></ul>"),
        ("- * * *", "<ul><li><hr /></li></ul>"),
        ("-5 degrees\n\n1.5 km\n\n-", "<p>-5 degrees</p><p>1.5 km</p><p>-</p>"),
        ("```\n- a\n  - b\n```", "<pre><code>- a - b</code></pre>"),
        ("<pre>\n- a\n  - b\n</pre>", "<pre>- a - b</pre>"),
        ("    - a\n      - b", "<pre><code>- a - b</code></pre>"),
    ],
)  # fmt: skip
def test_lists_and_what_stands_in_them(markdown: str, expected: str) -> None:
    """Each line belongs to the item whose content it stands below."""
    assert html(markdown) == expected


@dataclass(frozen=True)
class Item:
    """An item of a generated list: its text, what stands below it, and the list in it."""

    text: str
    below: str  # "", "paragraph", "quote" or "code"
    blank: bool  # whether blank lines stand above and below what is in it
    tag: str
    items: tuple["Item", ...]

    def lines(self, marker: str, column: int, step: int) -> list[str]:
        """The item in Markdown, its marker at a column and each list in it so many columns further on."""
        inside = " " * (column + len(marker) + 1)
        written = [" " * column + f"{marker} {self.text}", *[""] * self.blank]
        if self.below == "paragraph":
            written += ["", f"{inside}{self.text}x", f"{inside}{self.text}y", ""]
        elif self.below == "quote":
            written += [f"{inside}> {self.text}x", f"{inside}> {self.text}y"]
        elif self.below == "code":
            written += [
                f"{inside}```",
                f"{inside}{self.text}x",
                "",
                f"{inside}- {self.text}y",
                f"{inside}```",
            ]
        return [*written, *listed(self.tag, self.items, column + step, step), *[""] * self.blank]

    @property
    def shape(self) -> tuple[object, ...]:
        """What the tree must hold."""
        below = {"": "", "paragraph": "p", "quote": "blockquote", "code": "pre"}[self.below]
        return self.text, below, self.tag if self.items else "", tuple(item.shape for item in self.items)


def listed(tag: str, items: tuple[Item, ...], column: int, step: int) -> list[str]:
    """A list in Markdown."""
    markers = (f"{number}." if tag == "ol" else "-" for number, _ in enumerate(items, 1))
    written = (item.lines(marker, column, step) for marker, item in zip(markers, items, strict=True))
    return list(chain.from_iterable(written))


def shape(item: ET.Element) -> tuple[object, ...]:
    """What an item of the tree holds."""
    words = (item.text or "").split() or (item[0].text or "").split()
    rest = [child for child in item if child.tag not in ("ul", "ol")]
    rest = rest if (item.text or "").strip() else rest[1:]
    inner = [child for child in item if child.tag in ("ul", "ol")]
    assert len(rest) <= 1
    assert len(inner) <= 1
    below, tag = (found[0].tag if found else "" for found in (rest, inner))
    return " ".join(words), below, tag, tuple(shape(child) for found in inner for child in found)


TAGS = st.sampled_from(["ul", "ol"])
WORDS = st.from_regex(r"[a-zא-ת]{1,6}", fullmatch=True)
BELOW = st.sampled_from(["", "", "", "paragraph", "quote", "code"])


def items_of(inner: st.SearchStrategy[tuple[Item, ...]]) -> st.SearchStrategy[tuple[Item, ...]]:
    """Lists whose items may hold such lists."""
    return st.lists(st.builds(Item, WORDS, BELOW, st.booleans(), TAGS, inner), min_size=1, max_size=3).map(
        tuple
    )


LISTS = items_of(st.recursive(st.just(()), items_of, max_leaves=8))


@tried(400, quickly=150)
@given(TAGS, LISTS, st.sampled_from([2, 3, 4]), st.sampled_from(["", "> "]))
def test_nested_lists_are_read_as_they_were_written(
    tag: str, items: tuple[Item, ...], step: int, quote: str
) -> None:
    """Lists of any depth and kind, indented by two, three or four columns, keep their shape and words."""
    lines = [quote + line for line in listed(tag, items, 0, step)]
    tree = to_tree("\n".join(lines), base_url=None)
    holder = tree[0] if quote else tree
    assert [child.tag for child in holder] == [tag]
    assert tuple(map(shape, holder[0])) == tuple(item.shape for item in items)
    written = re.findall(r"[a-zא-ת]+", "\n".join(lines))
    assert re.findall(r"[a-zא-ת]+", plain(tree)) == written


PIECES = [
    "- ",
    "1. ",
    "7. ",
    "* ",
    "-",
    "> ",
    ">",
    " ",
    "  ",
    "    ",
    "\n",
    "\n",
    "\n\n",
    "a",
    "b c",
    ": ",
    "[^1]: ",
]
PIECES += ["# ", "---", "* * *", "```", "<div>", "{: .said}", "\t", "|"]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=500, deadline=None)
@example("- > - > a\n  > b")
@example(": - a\n  - b")
def test_aligning_keeps_every_mark(markdown: str) -> None:
    """Whatever stands in lines, aligning them changes white space and the marks of quotes only."""
    lines = markdown.split("\n")
    kept = re.sub(r"[\s>]", "", markdown)
    assert re.sub(r"[\s>]", "", "".join(aligned(lines))) == kept
    to_tree(markdown, base_url=None)


@given(st.lists(st.text(alphabet="ab#.1 ", max_size=8).map(lambda text: "x" + text)))
def test_what_holds_no_list_is_left_alone(lines: list[str]) -> None:
    """Text without lists comes out as it went in."""
    assert aligned(lines) == lines


def steps(lines: list[str]) -> int:
    """How many calls aligning takes, and how many characters it gives."""
    count = 0

    def counted(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        out = aligned(lines)
    finally:
        sys.setprofile(before)
    return count + sum(map(len, out))


@pytest.mark.parametrize(
    "lines",
    [
        lambda size: ["- "] * size,
        lambda size: ["- a"] * size,
        lambda size: ["1. "] * size,
        lambda size: ["1. a", "   - b"] * (size // 2),
        lambda size: ["- " * size + "a"],
        lambda size: ["- > " * size + "a"],
        lambda size: [">" * size + "- a"],
        lambda size: ["- " * size],
        lambda size: ["- a", *["  > b", "", "c"] * (size // 3)],
        lambda size: ["  " * (number % 150) + "- a" for number in range(size)],
        lambda size: [": " * size + "- a"],
    ],
)
def test_time_is_linear(lines: Callable[[int], list[str]]) -> None:
    """Twice the lines, or a line twice as long, take twice the steps."""
    small, large = steps(lines(600)), steps(lines(1_200))
    assert large < 2.2 * small + 2_000


def test_deeper_and_deeper_lists_are_refused() -> None:
    """What nests without an end is an error of the post, or a list as deep as may be."""
    lines = ["  " * depth + "- a" for depth in range(1_400)]
    out = aligned(lines)
    assert max(map(len, out)) < 4 * max(map(len, lines))
    assert max(len(line) - len(line.lstrip()) for line in aligned(lines[:MAX_CONTAINERS])) == 4 * 99
    with pytest.raises(ContentError):
        to_tree("\n".join(lines), base_url=None)
