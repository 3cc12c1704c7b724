"""Warnings of images that nobody will find."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.post import MAX_POST_BYTES, parse_post
from newsletter.images.sources import missing_images


def missing(body: str, path: Path) -> list[tuple[int, str]]:
    return list(missing_images(parse_post(f"---\ntitle: A\n---\n{body}\n".encode(), path)))


@pytest.fixture
def post(tmp_path: Path) -> Path:
    """A post in a blog: `_posts/post.md`, with a picture beside it and one in the blog's /assets."""
    (tmp_path / "_posts").mkdir()
    (tmp_path / "assets" / "deep er").mkdir(parents=True)
    for name in ("_posts/beside.png", "assets/there.png", "assets/deep er/é.png"):
        (tmp_path / name).touch()
    return tmp_path / "_posts" / "post.md"


@pytest.mark.parametrize(
    "image",
    [
        "![](beside.png)",
        "![A desk](./beside.png)",
        "![A desk](<beside.png> 'Its title')",
        "![](/assets/there.png)",
        "![](../assets/there.png)",
        "![](/assets/deep%20er/%C3%A9.png?raw=true#top)",
        '<img src="/assets/there.png">',
        "<img width=3 src='beside.png' alt=''>",
        "![](https://example.org/a.png)",
        "![](//example.org/a.png)",
        "![](data:image/png;base64,AAAA)",
        '<img data-src="lazy.png">',
        "[a link](none.png)",
    ],
)
def test_images_that_are_there(post: Path, image: str) -> None:
    """A picture beside the post, below the blog's root, or on the web is no matter for a warning."""
    assert missing(image, post) == []


@pytest.mark.parametrize(
    ("image", "target"),
    [
        ("![](none.png)", "none.png"),
        ("![One](beside.png) and ![two](none.png)", "none.png"),
        ("![](/assets/none.png)", "/assets/none.png"),
        ("![](../beside.png)", "../beside.png"),
        ("<figure><img alt='x' src='none.png'></figure>", "none.png"),
        ('<img src="name with space.png">', "name with space.png"),
        ("![](.)", "."),
        ("![](%00)", "%00"),
        (f"![]({'x' * 300})", "x" * 300),
        (f"![](/assets/{'x' * 300})", f"/assets/{'x' * 300}"),
    ],
)
def test_images_that_are_not(post: Path, image: str, target: str) -> None:
    """A target that is no file is named with its line in the file, counted from the front matter's first."""
    assert missing(f"Words.\n\n{image}", post) == [(6, target)]


@pytest.mark.parametrize(
    "image",
    [
        "![](/pictures/none.png)",
        "![]({{ site.baseurl }}/none.png)",
        '<img src="{% link none.png %}">',
        "![](http://[x/none.png)",
        "```\n![](none.png)\n```",
        "~~~\n```\n![](none.png)\n~~~",
    ],
)
def test_what_cannot_be_known_is_not_said(post: Path, image: str) -> None:
    """Where the blog is elsewhere, the address is yet to be made, or it is code, there is no warning."""
    assert missing(image, post) == []


def test_every_line_is_looked_at(post: Path) -> None:
    """Code ends where its fence does, lines end as the front matter's do, and every image is named."""
    body = "```\n![](a.png)\n```\n![](b.png)\r\n\x0c![](c.png)![](d.png)"
    assert missing(body, post) == [(7, "b.png"), (8, "c.png"), (8, "d.png")]


@given(st.text(st.sampled_from("![]()<>img src='\"/.%a\n\t\\\0{}`~:"), min_size=1))
def test_no_text_is_too_odd(body: str) -> None:
    """Whatever a post says, a target found stands in it."""
    post = parse_post(f"x{body}".replace("\0", "%00").encode(), Path("none/post.md"))
    assert all(target in post.markdown for _, target in missing_images(post))


@pytest.mark.parametrize(
    "opening", ["![", "![]( ", "![a](", "<img ", "<img src=", '<img x src="', "](", "![\\]", "<img<"]
)
def test_the_largest_post_is_no_trouble(opening: str) -> None:
    """A line of openings costs no more than its length; what grew with its square would not end in time."""
    body = opening * ((MAX_POST_BYTES - 10) // len(opening))
    post = parse_post(f"x\n{body}".encode(), Path("none/post.md"))
    assert all(line == 2 for line, _ in missing_images(post))
