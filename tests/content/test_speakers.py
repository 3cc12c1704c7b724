"""Who speaks, as front matter says."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.content.frontmatter import Value
from newsletter.content.post import PostSource, parse_post
from newsletter.content.speakers import MAX_SPEAKERS, read_speakers
from newsletter.content.tree import Speaker
from newsletter.errors import ContentError

DANA = Speaker("Dana Levi", role="asks")


def told(**facts: Value) -> Speaker:
    """Dana, of whom this is told."""
    (speaker,) = read_speakers({"Dana": facts}, None)
    return speaker


@pytest.mark.parametrize(
    "value",
    [
        {"Dana Levi": {"role": "asks"}},
        {"Dana Levi": "asks"},
        {" Dana \n Levi ": " asks "},
        [{"Dana Levi": "asks"}],
        [{"Dana Levi": {"role": "asks"}}],
        [{"name": "Dana Levi", "role": "asks"}],
    ],
)
def test_ways_to_say_the_same(value: Value) -> None:
    """A mapping by names and a list, with a role as text or in a mapping, say the same."""
    assert read_speakers(value, None) == (DANA,)


@pytest.mark.parametrize(
    "value", [{"Dana": "", "Ben": ""}, ["Dana", "Ben"], "Dana, Ben", {"Dana": "~", "Ben": {}}]
)
def test_names_alone_are_enough(value: Value) -> None:
    """Names are read in their order, and nothing else need be told."""
    assert read_speakers(value, None) == (Speaker("Dana"), Speaker("Ben"))


@pytest.mark.parametrize("value", [None, "", [], {}])
def test_nobody_is_nobody(value: Value | None) -> None:
    """A post need not name its speakers."""
    assert read_speakers(value, "Ann") == ()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"colour": "#7A3B69"}, Speaker("Dana", colour="#7a3b69")),
        ({"color": "#7A3"}, Speaker("Dana", colour="#77aa33")),
        ({"link": "https://example.org/dana"}, Speaker("Dana", link="https://example.org/dana")),
        ({"link": "mailto:dana@example.org"}, Speaker("Dana", link="mailto:dana@example.org")),
        ({"link": "/dana", "avatar": "../ben.jpg"}, Speaker("Dana", link="/dana", avatar="../ben.jpg")),
        ({"as": "Q"}, Speaker("Dana", labels=("Q",))),
        ({"as": ["Q", " The  reader "]}, Speaker("Dana", labels=("Q", "The reader"))),
        ({"author": "yes"}, Speaker("Dana", is_author=True)),
        ({"permission": "2026-05-01"}, Speaker("Dana", has_permission=True)),
        ({"permission": "No", "role": "null"}, Speaker("Dana")),
    ],
)
def test_what_is_told(facts: dict[str, Value], expected: Speaker) -> None:
    """Each key is read for what it means; a date of permission is a yes, and a no is a no."""
    assert told(**facts) == expected


def test_who_bears_the_author_s_name_is_the_author() -> None:
    """Unless the post says otherwise."""
    value: Value = {"Ann Lee": "", "Ben": ""}
    assert [speaker.is_author for speaker in read_speakers(value, "Ann Lee")] == [True, False]
    denied: Value = {"Ann Lee": {"author": "false"}, "Ben": {"author": "true"}}
    assert [speaker.is_author for speaker in read_speakers(denied, "Ann Lee")] == [False, True]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"": "asks"}, "a name"),
        ([[]], "a name"),
        ([{"role": "asks", "colour": "#fff"}], "a name"),
        ("Dana,,Ben", "a name"),
        ({"x" * 201: ""}, "a name"),
        ({"Dana": {"pronoun": "she"}}, "'pronoun' of Dana"),
        ({"Dana": "x" * 201}, "short text as the role of Dana"),
        ({"Dana": ["asks"]}, "short text as the role of Dana"),
        ({"Dana": {"role": {"a": "b"}}}, "short text as the role"),
        ({"Dana": {"colour": "purple"}}, "'purple' as the colour of Dana.*#rrggbb"),
        ({"Dana": {"colour": "#ffff"}}, "#rrggbb"),
        ({"Dana": {"colour": "#fff;background:url(x)"}}, "#rrggbb"),
        ({"Dana": {"link": "javascript:alert(1)"}}, "'javascript:alert.1.' as the link"),
        ({"Dana": {"link": "//evil.example/"}}, "as the link"),
        ({"Dana": {"link": "http://[::1"}}, "as the link"),
        ({"Dana": {"avatar": "data:image/png;base64,AAAA"}}, "as the avatar"),
        ({"Dana": {"avatar": "mailto:dana@example.org"}}, "as the avatar"),
        ({"Dana": {"avatar": "https://["}}, "as the avatar"),
        ({"Dana": {"as": {"Q": ""}}}, "word or a list of words"),
        ({"Dana": {"as": [["Q"]]}}, "word or a list of words"),
        ({"Dana Levi": "", "Dana  Levi": ""}, "'Dana Levi' twice"),
        ([f"Speaker {number}" for number in range(MAX_SPEAKERS + 1)], f"{MAX_SPEAKERS + 1}, more than the"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(value: Value, words: str) -> None:
    """Each mistake is told in words that complete "`speakers` …"."""
    with pytest.raises(ValueError, match=words):
        read_speakers(value, None)


def source(front: str) -> PostSource:
    """A post with this front matter."""
    return parse_post(f"---\ntitle: x\n{front}\n---\nWords.\n".encode(), Path("post.md"))


def test_front_matter_of_both_kinds() -> None:
    """The form of the manual is read as it is written, and so is TOML."""
    read = source(
        "speakers:\n  Dana Levi: {role: asks, colour: '#7a3b69', as: Q}\n  Ben: {permission: 2026-05-01}"
    )
    assert [speaker.name for speaker in read.speakers] == ["Dana Levi", "Ben"]
    assert read.speakers[1].has_permission
    toml = b'+++\ntitle = "x"\n[speakers]\nBen = {role = "answers", author = true}\n+++\nWords.\n'
    assert parse_post(toml, Path("post.md")).speakers == (Speaker("Ben", role="answers", is_author=True),)


def test_a_mistake_names_file_and_line() -> None:
    """The error says where `speakers` stands and completes the sentence."""
    with pytest.raises(ContentError, match=r"post.md:3: .*speakers.* has 'purple' as the colour of Dana"):
        source("speakers:\n  Dana: {colour: purple}")


def test_what_is_told_names_the_content() -> None:
    """A letter shows it, and so a change of it is a change of the post."""
    plain, other = source("speakers: Dana"), source("speakers: {Dana: asks}")
    assert plain.content_hash != other.content_hash


values = st.recursive(
    st.text(max_size=12) | st.sampled_from(["http://[", "#fff", "yes", "Dana"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Dana", "name", "role", "link", "colour", "avatar", "as", "author"]), inner
        )
    ),
    max_leaves=8,
)


@given(values)
def test_reading_is_total(value: Value) -> None:
    """Any value is speakers with sound names and colours, each once, or a ValueError."""
    try:
        speakers = read_speakers(value, "Dana")
    except ValueError:
        return
    names = [speaker.name for speaker in speakers]
    assert len(set(names)) == len(names)
    assert all(name and name == " ".join(name.split()) for name in names)
    assert all(speaker.colour is None or len(speaker.colour) == 7 for speaker in speakers)
