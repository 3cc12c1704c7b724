"""A file becomes a post, or an error its editor can act on."""

import os
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.post import (
    MAX_POST_BYTES,
    MAX_TITLE_CHARS,
    PostSource,
    parse_post,
    read_post,
    slugify,
)
from newsletter.errors import ContentError

PATH = Path("2024-05-01-some-bread.md")


def post(front: str = "", body: str = "Text.", path: Path = PATH) -> PostSource:
    return parse_post(f"---\n{front}\n---\n{body}".encode(), path)


def test_a_jekyll_post_is_read_whole() -> None:
    """Every field of front matter arrives, clean, and the body keeps its place in the file."""
    source = post(
        'layout: post\ntitle: "On  bread"\ndate: 2024-05-02 23:30:00 +0300\n'
        "categories:\n  - Home Baking\n  - blog\n"
        "tags: [Rye, rye]\nlang: en_GB\nauthor: Ann\nsummary: Short.\ncanonical_url: https://blog.example/bread",
        "\nText.",
    )
    assert (source.title, source.date, source.slug) == ("On bread", date(2024, 5, 2), "some-bread")
    assert source.categories == ("home-baking", "blog")
    assert source.tags == ("rye",)
    assert (source.lang, source.author, source.summary) == ("en-GB", "Ann", "Short.")
    assert source.url == "https://blog.example/bread"
    assert source.published
    assert source.markdown == "\nText."
    assert source.body_line == 14


@pytest.mark.parametrize(
    ("front", "categories"),
    [
        ("categories: home baking", ("home", "baking")),
        ("categories: Home Baking, Blog", ("home-baking", "blog")),
        ("category: Home Baking", ("home-baking",)),
        ("category: [a, b]", ("a", "b")),
        ("categories: [a]\ncategory: b", ("a", "b")),
        ("categories: [2020, no, '']", ("2020", "no")),
        ("categories:", ()),
        ("categories: [עצות, Café]", ("עצות", "café")),
        ("", ()),
    ],
)
def test_categories_follow_jekyll(front: str, categories: tuple[str, ...]) -> None:
    """A list, a string and a single name are each read as Jekyll reads them, and come out as slugs."""
    assert post(front).categories == categories


@pytest.mark.parametrize(
    ("front", "published"),
    [
        ("", True),
        ("published: false", False),
        ("published: No", False),
        ("draft: true", False),
        ("draft: false", True),
    ],
)
def test_drafts_are_not_published(front: str, published: bool) -> None:
    """Jekyll's `published` and Hugo's `draft` both hold a post back."""
    assert post(front).published is published


@pytest.mark.parametrize(
    ("front", "body", "path", "title"),
    [
        ("title: Given", "# Other", "a.md", "Given"),
        ("", "Words.\n\n## A *fine* [heading](x) ##\n", "a.md", "A fine heading"),
        ("", "```\n# code\n```\n\nUnder\n=====\n", "a.md", "Under"),
        ("title: ''", "Words.", "2024-05-01-how-to_bake.md", "How to bake"),
        ('title: "a\\nb\\x07\\tc"', "x", "a.md", "a b c"),
        ("title: 1984", "x", "a.md", "1984"),
    ],
)
def test_every_post_has_a_title_on_one_line(front: str, body: str, path: str, title: str) -> None:
    """The title is the front matter's, else the first heading's, else the file name's."""
    assert post(front, body, Path(path)).title == title


@pytest.mark.parametrize(
    ("front", "path", "day"),
    [
        ("date: 2024-05-02", "2024-01-01-a.md", date(2024, 5, 2)),
        ("date: 2024-5-2 1:02:03 Z", "a.md", date(2024, 5, 2)),
        ("date: '2024-05-02T23:59:59.5-11:00'", "a.md", date(2024, 5, 2)),
        ("", "2024-1-2-a.md", date(2024, 1, 2)),
        ("", "2024-13-45-a.md", None),
        ("", "a.md", None),
    ],
)
def test_dates_keep_the_day_that_was_written(front: str, path: str, day: date | None) -> None:
    """A time zone does not move a post to another day; the file name helps where nothing else is said."""
    assert post(front, path=Path(path)).date == day


@pytest.mark.parametrize(
    ("front", "path", "slug"),
    [
        ("slug: My Slug", "a.md", "my-slug"),
        ("", "2024-05-01-как-печь.md", "как-печь"),
        ("", "2024-13-45-a.md", "2024-13-45-a"),
        ("", "posts/rye-bread/index.md", "rye-bread"),
    ],
)
def test_slugs(front: str, path: str, slug: str) -> None:
    """The slug is the front matter's, else the file's name without its date (Hugo: the folder's)."""
    assert post(front, path=Path(path)).slug == slug


@pytest.mark.parametrize(
    ("front", "author"),
    [
        ("author: Ann Lee", "Ann Lee"),
        ("author: {name: Ann Lee, email: a@b.example}", "Ann Lee"),
        ("authors: [Ann, {name: Bob}]", "Ann, Bob"),
        ("", None),
    ],
)
def test_authors(front: str, author: str | None) -> None:
    """An author may be a name, a mapping with a name, or a list of either."""
    assert post(front).author == author


@pytest.mark.parametrize(
    ("front", "url"),
    [
        ("permalink: https://b.example/a", "https://b.example/a"),
        ("permalink: /:title/", None),
        ("canonical_url: https://b.example/a\npermalink: https://b.example/b", "https://b.example/a"),
    ],
)
def test_only_an_absolute_address_is_the_posts_own(front: str, url: str | None) -> None:
    """Patterns and paths are no address a reader could follow."""
    assert post(front).url == url


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("title", "[a]"),
        ("title", "x" * (MAX_TITLE_CHARS + 1)),
        ("date", "yesterday"),
        ("date", "2024-02-30"),
        ("date", "{a: b}"),
        ("categories", "{a: b}"),
        ("categories", "[[a]]"),
        ("tags", "[{a: b}]"),
        ("lang", "the Queen's"),
        ("author", "{email: a@b.example}"),
        ("author", "[[a]]"),
        ("published", "perhaps"),
        ("draft", "[true]"),
        ("canonical_url", "/here"),
        ("canonical_url", "javascript:alert(1)"),
        ("slug", "[a]"),
        ("summary", "[a]"),
    ],
)
def test_wrong_values_are_refused_at_their_line(key: str, value: str) -> None:
    """An error names the key and the line of the file it stands in."""
    with pytest.raises(ContentError, match=key) as refused:
        post(f"layout: post\n{key}: {value}")
    assert refused.value.line == 3


@pytest.mark.parametrize(
    ("data", "line", "problem"),
    [
        (b"", 1, "no text"),
        (b"---\ntitle: x\n---\n \n", 4, "no text"),
        (b"one\ntw\0o", 2, "binary"),
        ("text".encode("utf-16"), None, "UTF-16"),
        ("text".encode("utf-32"), None, "UTF-16 or UTF-32"),
        ("first\nשלום לכולם".encode("windows-1255"), 2, "windows-1255.*iconv -f WINDOWS-1255 -t UTF-8"),
        ("first\n\nПривет, мир".encode("windows-1251"), 3, "windows-1251.*iconv"),
        ("It’s a café".encode("windows-1252"), 1, "windows-1252.*iconv"),
        (b"x" * (MAX_POST_BYTES + 1), None, "2,000,001 bytes.*2,000,000"),
    ],
)
def test_what_is_no_post_is_refused_with_a_remedy(data: bytes, line: int | None, problem: str) -> None:
    """Empty, binary, foreign and huge files are told apart, and the error says how to mend them."""
    with pytest.raises(ContentError, match=problem) as refused:
        parse_post(data, Path("a b.md"))
    assert refused.value.line == line


def test_the_remedy_can_be_pasted_into_a_shell() -> None:
    """File names with spaces and quotes are quoted in the iconv command."""
    with pytest.raises(ContentError, match=r"'it'\"'\"'s here\.md'"):
        parse_post(b"caf\xe9", Path("it's here.md"))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, a directory, a pipe and an impossible name are errors; a pipe is not waited for."""
    os.mkfifo(tmp_path / "pipe.md")
    for path, problem in [
        (tmp_path / "missing.md", "no such file"),
        (tmp_path, "directory"),
        (tmp_path / "pipe.md", "regular"),
        (Path("a\0b.md"), "cannot be read"),
        (tmp_path / ("x" * 300), "cannot be read"),
    ]:
        with pytest.raises(ContentError, match=problem):
            read_post(path)


def test_a_huge_file_is_not_read_into_memory(tmp_path: Path) -> None:
    """A terabyte is refused at once by its size: only a sparse file could be that large here."""
    path = tmp_path / "huge.md"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(ContentError, match="1,099,511,627,776 bytes"):
        read_post(path)


@pytest.mark.parametrize(
    "front",
    [
        "title: b",
        "author: b",
        "date: 2024-05-02",
        "lang: de",
        "summary: b",
        "canonical_url: https://b.example/",
    ],
)
def test_the_content_hash_names_what_a_letter_shows(front: str) -> None:
    """Everything shown changes the hash; where the file lies and what it is queued in does not."""
    plain = post("title: a")
    assert post(f"title: a\n{front}").content_hash != plain.content_hash
    assert post("title: a", "Text!").content_hash != plain.content_hash
    assert (
        post("title: a\ntags: b\ncategory: c", path=Path("x/2024-05-01-y.md")).content_hash
        == plain.content_hash
    )


@given(st.text())
def test_slugify_is_idempotent_and_safe(text: str) -> None:
    """A slug of a slug is the slug, and it holds neither white space nor a path's marks."""
    slug = slugify(text)
    assert slugify(slug) == slug
    assert not set(slug) & set(" \t\n/\\.?#%&")


def test_slugify_keeps_every_script() -> None:
    """Letters with combining marks stay whole, and composed and decomposed spellings agree."""
    assert slugify("हिन्दी में") == "हिन्दी-में"
    assert slugify("می\u200cخواهم") == "میخواهم"
    assert slugify("Cafe\u0301  Noir!") == slugify("Café noir") == "café-noir"


@given(
    st.one_of(
        st.binary(), st.text().map(str.encode), st.text().map(lambda text: f"---\n{text}\n---\nx".encode())
    )
)
@settings(deadline=None)
def test_parsing_is_total(data: bytes) -> None:
    """Any bytes are a post or a `ContentError`."""
    try:
        source = parse_post(data, PATH)
    except ContentError:
        return
    assert source.title
    assert "\n" not in source.title
    assert source.markdown.strip()


@pytest.mark.parametrize(
    ("front", "term"),
    [
        ("", (None, None)),
        ("not_before: 2026-03-01\nexpires: 2026-03-31", (date(2026, 3, 1), date(2026, 3, 31))),
        ("publishDate: 2026-03-01T08:00:00+02:00", (date(2026, 3, 1), None)),
        ("expiryDate: 2026-03-01", (None, date(2026, 2, 28))),
        ("publishdate: 2026-02-01\nexpirydate: 2026-03-01", (date(2026, 2, 1), date(2026, 2, 28))),
        ("not_before: 2026-03-02\npublishDate: 2026-03-01", (date(2026, 3, 2), None)),
        ("expires: 2026-03-31\nexpiryDate: 2026-03-01", (None, date(2026, 3, 31))),
        ("not_before: 2026-03-01\nexpires: 2026-03-01", (date(2026, 3, 1), date(2026, 3, 1))),
        ("expires:", (None, None)),
        ("expiryDate: 0001-01-01", (None, date(1, 1, 1))),
    ],
)
def test_a_post_says_when_it_may_go_out(front: str, term: tuple[date | None, date | None]) -> None:
    """`not_before` and `expires` are both days on which it may; on Hugo's `expiryDate` it is gone already."""
    source = post(front)
    assert (source.not_before, source.expires) == term
    assert source.content_hash == post().content_hash


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("expires: soon", ":2: `expires` is 'soon', which is no date"),
        ("title: x\nnot_before: 2026-13-01", ":3: `not_before` is '2026-13-01', which is no date"),
        ("expires: 2026-02-28\nnot_before: 2026-03-01", ":2: `expires` leaves no day: .* from 2026-03-01 on"),
        ("expiryDate: 2026-03-01\nnot_before: 2026-03-01", ":2: `expiryDate` leaves no day"),
    ],
)
def test_terms_that_cannot_be_are_refused_with_their_line(front: str, said: str) -> None:
    """What is no date, and an end before the beginning."""
    with pytest.raises(ContentError, match=said):
        post(front)
