"""Conversations are found, and nobody is made to say what they did not."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.content.html import plain
from newsletter.content.post import parse_post, read_post
from newsletter.content.threads import document_of, outline, read_document
from newsletter.content.tree import Document, Form, Prose, Thread
from newsletter.errors import ContentError

SHARED = Path(__file__).resolve().parents[3] / "shared"
REAL_POSTS = sorted([*SHARED.glob("seed/*.md"), *SHARED.glob("corpus/*.md")])
WORDS = st.lists(st.from_regex(r"[a-z]{1,8}", fullmatch=True), min_size=1, max_size=8).map(" ".join)


def shape(markdown: str) -> list[str]:
    """A document in short: prose as its text, turns as `Speaker: text`."""
    parts = []
    for block in read_document(markdown).blocks:
        if isinstance(block, Thread):
            parts += [f"{turn.speaker}: {plain(turn.body)}" for turn in block.turns]
        else:
            parts += [plain(block.body)]
    return parts


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("**Ann**\n\na\n\nb\n\n**Bob**\n\nc", ["Ann: a\n\nb", "Bob: c"]),
        ("**Ann:** \n\na\n\n__Bob__:\n\nb", ["Ann: a", "Bob: b"]),
        ("intro\n\n**Ann**\n\na\n\n---\n\nb\n\n**Bob**\n\nc", ["intro", "Ann: a", "b", "Bob: c"]),
        ("**Ann**\n\na\n\n## H\n\nb\n\n**Bob**\n\nc", ["Ann: a", "H\n\nb", "Bob: c"]),
        ("**Ann**\n\na", ["Ann\n\na"]),
        ("**Ann**\n\na\n\n**Bob** says\n\nb", ["Ann\n\na\n\nBob says\n\nb"]),
        ("**Ann**\n\n**Bob**\n\nb\n\n**Ann**\n\na", ["Ann", "Bob: b", "Ann: a"]),
        ("**J. R. van Dyke**\n\na\n\n**Dr. Ann**\n\nb", ["J. R. van Dyke: a", "Dr. Ann: b"]),
        ("**דנה**\n\nא\n\n**יוסי**\n\nב", ["דנה: א", "יוסי: ב"]),
        ("<p><b>Ann</b></p>\n\na\n\n<p><strong>Bob</strong></p>\n\nb", ["Ann: a", "Bob: b"]),
        ("> **Ann**\n\na\n\n> **Bob**\n\nb", ["Ann\n\na\n\nBob\n\nb"]),
    ],
)
def test_speaker_lines_open_turns(markdown: str, expected: list[str]) -> None:
    """A turn ends at the next speaker, a heading, or a rule; one bold line in a post is no thread."""
    assert shape(markdown) == expected


@pytest.mark.parametrize(
    "line",
    [
        "Wait!",
        "In short: no",
        "How it works",
        "One Two Three Four Five Six",
        "1. Ann",
        "(Ann)",
        "Yes, Ann",
        "![a](/b)",
    ],
)
def test_bold_remarks_are_no_speakers(line: str) -> None:
    """What is no name opens no turn, however often it stands there."""
    assert not read_document(f"**{line}**\n\na\n\n**{line}**\n\nb").threads


@pytest.mark.parametrize(
    ("speaker", "paragraph"),
    [
        ("Ann Lee", "Now Ann's answer."),
        ("Ann Lee", "Then Lee’s friend wrote."),
        ("Ann Lee", "So wrote *Ann* Lee."),
        ("Bo Xi", "Bo Xi left."),
        ("Jean-Luc", "Jean was here."),
        ("Zoe\u0308", "And Zo\u00eb again."),
        ("Zo\u00eb", "And Zoe\u0308 again."),
        ("Ann Lee", "- Ann first\n- then I"),
        ("דנה", "ולדנה עוד שאלה."),
        ("王小明", "后来王小明走了。"),
    ],
)
def test_a_block_that_names_its_speaker_is_narration(speaker: str, paragraph: str) -> None:
    """It ends the turn, all after it is prose too, and the editor is told."""
    document = read_document(f"**{speaker}**\n\na\n\n{paragraph}\n\nmore\n\n**Eve**\n\nc")
    assert [plain(turn.body) for thread in document.threads for turn in thread.turns] == ["a", "c"]
    assert len(document.doubts) == 1
    assert "was read as narration, because it names its speaker" in document.doubts[0].message
    assert {type(block) for block in document.blocks} == {Thread, Prose}


@pytest.mark.parametrize(
    ("speaker", "paragraph"),
    [
        ("Ann Lee", "I will answer annually, in Leeds."),
        ("Ann Lee", "Other people exist."),
        ("Bo Xi", "Bo wrote nothing."),
        ("Will", "I will."),
        ("Ann Lee", "> Ann, will you come?"),
        ("Ann Lee", "> ## Ann"),
        ("Ann Lee", r"\> Ann, will you come?"),
        ("Ann Lee", "    Ann = 1"),
    ],
)
def test_other_words_stay_in_the_turn(speaker: str, paragraph: str) -> None:
    """Parts of words, short parts of names, lower case, code, and quotes of others are no narration."""
    document = read_document(f"**{speaker}**\n\na\n\n{paragraph}\n\n**Eve**\n\nc")
    assert not document.doubts
    assert len(plain(document.threads[0].turns[0].body).split("\n\n")) == 2


def test_marks_win_over_guesses() -> None:
    """`{: .said}` keeps a block in its turn, `{: .narration}` takes one out, and neither warns or shows."""
    document = read_document(
        "**Ann**\n\nI am Ann.\n{: .said}\n\nLater that day\n{: .narration}\n\n"
        "**Bob**\n\nb\n\n**Eve**\n{: .narration}\n\nc"
    )
    assert [(turn.speaker, plain(turn.body)) for thread in document.threads for turn in thread.turns] == [
        ("Ann", "I am Ann."),
        ("Bob", "b"),
    ]
    assert not document.doubts
    for thread in document.threads:
        assert all("class" not in node.attrib for turn in thread.turns for node in turn.body.iter())


def test_a_speaker_without_words_is_left_as_prose() -> None:
    """No turn is empty: the lonely line stays in the text, and the editor is told."""
    document = read_document("**Ann**\n\nAnn was silent.\n\n**Bob**\n\nb")
    assert [turn.speaker for thread in document.threads for turn in thread.turns] == ["Bob"]
    assert isinstance(document.blocks[0], Prose)
    assert plain(document.blocks[0].body) == "Ann\n\nAnn was silent."
    assert len(document.doubts) == 2


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        (r"\> why?", [("blockquote", "why?")]),
        (" > why?", [("blockquote", "why?")]),
        ("\\> why?\n\\> *when*?", [("blockquote", "why?\n\nwhen?")]),
        ("\\> why?\nbecause\nof *that*", [("blockquote", "why?"), ("p", "because of that")]),
        ("\\> why?<br>because", [("blockquote", "why?"), ("p", "because")]),
        ("5 \\> 4", [("p", "5 > 4")]),
    ],
)
def test_escaped_marks_quote_earlier_turns(paragraph: str, expected: list[tuple[str, str]]) -> None:
    r"""`\>` at the start of a turn's line is a quote, and only the lines that have it are."""
    turn = read_document(f"**Ann**\n\n{paragraph}\n\n**Bob**\n\nb").threads[0].turns[0]
    assert [(block.tag, plain(block)) for block in turn.body] == expected


def test_threads_are_titled_by_the_heading_above() -> None:
    """The nearest heading names a thread and stays in the prose; without one there is no title."""
    markdown = "**Ann**\n\na\n\n# One\n\n## Two *three*\n\nprose\n\n**Bob**\n\nb\n\n---\n\n**Ann**\n\nc"
    document = read_document(markdown)
    assert [thread.title for thread in document.threads] == [None, "Two three", "Two three"]
    assert outline(document) == {
        "threads": [
            {"title": title, "form": "talk", "turns": [{"speaker": speaker, "time": None, "text": text}]}
            for title, speaker, text in [
                (None, "Ann", "a"),
                ("Two three", "Bob", "b"),
                ("Two three", "Ann", "c"),
            ]
        ]
    }


def all_words(document: Document) -> list[str]:
    words: list[str] = []
    for block in document.blocks:
        bodies = (
            [(f"{turn.speaker} {turn.time or ''}", turn.body) for turn in block.turns]
            if isinstance(block, Thread)
            else [("", block.body)]
        )
        for speaker, body in bodies:
            words += speaker.split() + plain(body).split()
    return [word for word in words if word != ">"]


def without(words: list[str], labels: set[str]) -> list[str]:
    return [bare for word in words if (bare := word.strip(":")) and bare not in labels]


@given(
    st.lists(
        st.one_of(
            WORDS,
            st.sampled_from(
                [
                    "**Ann Lee**",
                    "**Bob**",
                    "Ann asks",
                    "## H",
                    r"\> Bob",
                    "> q",
                    "---",
                    "**Bob** 10:42",
                    "> Hi Bob",
                ]
            ),
            st.sampled_from(
                ["Q: who", "A: you", "Ann: why?", "Bob: so", "**Ann:** no", "Eve wrote:", "# Letter"]
            ),
            st.sampled_from(["- Ann: a\n- Bob: b", "Ann: a?\nBob: b", "## The question", "## The answer"]),
            st.sampled_from(["said\n{: .said}", 'told\n{: .said by="Zed"}', "> x\n{: .narration}"]),
        ),
        max_size=25,
    )
)
@settings(deadline=None)
def test_no_word_is_lost_or_said_twice(paragraphs: list[str]) -> None:
    """Speakers, turns and prose together are the post's words, once each, in order."""
    document = read_document("\n\n".join(["start", *paragraphs]))
    written = re.sub(
        r"\{:[^}]*\}|\*\*|^#+ |^- |^\\?> |^---", "", "\n".join(["start", *paragraphs]), flags=re.MULTILINE
    )
    # Colons go with labels, and letters without a name are called question and answer; marks add names.
    ours = {"Question", "Answer", "Zed", "Eve"}
    assert without(all_words(document), ours) == without(written.split(), ours)
    assert all(
        turn.body.tag == "div" and len(turn.body) for thread in document.threads for turn in thread.turns
    )


@given(st.text())
@settings(deadline=None)
def test_reading_is_total(markdown: str) -> None:
    """Any text is a document whose bodies are well-formed."""
    try:
        document = read_document(markdown, base_url="https://b.example/")
    except ContentError:
        return
    for block in document.blocks:
        for body in [turn.body for turn in block.turns] if isinstance(block, Thread) else [block.body]:
            ET.fromstring(ET.tostring(body))


REAL_TURNS = {
    "2020-09-08": (12, 3, Form.TALK),
    "2020-01-09": (2, 2, Form.LETTER),
    "2020-02-23": (12, 2, Form.LETTER),
    "2021-04-11": (10, 2, Form.LETTER),
}
"""By the date of a real post that holds a conversation: its turns, its speakers, its form."""


@pytest.mark.parametrize("path", REAL_POSTS, ids=lambda path: path.stem[:10])
def test_real_posts_are_read(path: Path) -> None:
    """Each real conversation is found whole, in its form, and nobody in it is made to narrate."""
    document = document_of(read_post(path))
    turns = [turn for thread in document.threads for turn in thread.turns]
    count, speakers, form = REAL_TURNS.get(path.name[:10], (0, 0, None))
    assert (len(turns), len({turn.speaker for turn in turns})) == (count, speakers)
    assert {thread.form for thread in document.threads} == ({form} if form else set())
    if form is not Form.TALK:
        return
    [doubt] = document.doubts
    narrated = doubt.words.rstrip("…")
    assert any(narrated in plain(block.body) for block in document.blocks if isinstance(block, Prose))
    for turn in turns:
        said = plain(turn.body)
        assert narrated not in said
        assert not set(turn.speaker.split()) & set(re.findall(r"\w+", said))
    assert [block.tag for block in turns[-1].body] == ["blockquote", "p", "blockquote", "p"]


def test_a_body_that_cannot_be_read_is_named_with_its_line() -> None:
    """The file and the line of the paragraph that is too long, so that an editor finds it."""
    text = "---\ntitle: Long\n---\nShort.\n\n" + "A sentence that goes on. " * 1200
    source = parse_post(text.encode(), Path("long.md"))
    with pytest.raises(ContentError, match=r"^long\.md:6: the paragraph that begins"):
        document_of(source)
