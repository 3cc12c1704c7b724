"""Who begins to speak is read from many forms, and believed only on evidence."""

import pytest

from newsletter.content.html import plain
from newsletter.content.speaking import is_name
from newsletter.content.threads import read_document
from newsletter.content.tree import Speaker


def turns(
    markdown: str, *, title: str = "", speakers: tuple[Speaker, ...] = (), author: str | None = None
) -> list[str]:
    """Every turn in short: `Name: text`, with the time before the colon."""
    document = read_document(markdown, title=title, speakers=speakers, author=author)
    return [
        f"{turn.speaker}{f' @{turn.time}' if turn.time else ''}: {' '.join(plain(turn.body).split())}"
        for thread in document.threads
        for turn in thread.turns
    ]


@pytest.mark.parametrize(
    ("after", "time"),
    [
        (" 10:42", "10:42"),
        (" 10:42 AM", "10:42 AM"),
        (" [10:42]", "10:42"),
        (", 3 May 2024, 10:42:", "3 May 2024, 10:42"),
        (" (Tue, 5 Mar at 9.30 p.m.)", "Tue, 5 Mar at 9.30 p.m."),
        (" · 2024-05-03 10:42", "2024-05-03 10:42"),
        (" — yesterday at 22h10", "yesterday at 22h10"),
    ],
)
def test_a_speaker_line_may_tell_the_time(after: str, time: str) -> None:
    """Chats put it after the name; it is kept as written, without its brackets."""
    assert turns(f"**Ann Lee**{after}\n\na\n\n**Bob**\n\nb") == [f"Ann Lee @{time}: a", "Bob: b"]


@pytest.mark.parametrize("after", [" said", " 10 times", " (my boss)", " in 2024 or so", " :-)", " 1984?"])
def test_other_words_after_a_name_make_no_speaker_line(after: str) -> None:
    """`**Ann** said` begins a sentence about Ann."""
    assert turns(f"**Ann Lee**{after}\n\na\n\n**Ann Lee**{after}\n\nb") == []


def test_words_may_follow_on_the_next_line() -> None:
    """A chat pasted without blank lines has the words right below the name."""
    pasted = "**Ann Lee** 10:42\nHello *there*\nyou\n\n**Bob**<br>\nHi\n\n**Ann Lee** 10:43\nBye"
    assert turns(pasted) == ["Ann Lee @10:42: Hello there you", "Bob: Hi", "Ann Lee @10:43: Bye"]


@pytest.mark.parametrize(
    "markdown",
    [
        "Dana: Why?\n\nBen: So.\n\nDana: And?\n\nBen: Yes.",
        "**Dana:** Why?\n\n**Ben:** So.\n\n**Dana:** And?\n\n**Ben:** Yes.",
        "**Dana**: Why?\n\n*Ben*: So.\n\n**Dana** : And?\n\n**Ben**： Yes.",
        "- Dana: Why?\n- Ben: So.\n- Dana: And?\n- Ben: Yes.",
        "1. **Dana:** Why?\n\n2. **Ben:** So.\n\n3. **Dana:** And?\n\n4. **Ben:** Yes.",
        "Dana: Why?\nBen: So.\nDana: And?\nBen: Yes.",
        "Dana: Why?<br>Ben: So.<br>\nDana: And?  \nBen: Yes.",
    ],
)
def test_labels_open_turns(markdown: str) -> None:
    """Interviews label paragraphs, list items or lines, bold or plain."""
    assert turns(markdown) == ["Dana: Why?", "Ben: So.", "Dana: And?", "Ben: Yes."]


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("Q: Why?\n\nA: So.", ["Q: Why?", "A: So."]),
        ("**Q1:** Why?\n\n**A1:** So.\n\n**Q2. And?**\n\nno", ["Q1: Why?", "A1: So."]),
        ("**Q: Why?**\n\nA: So.", ["Q: Why?", "A: So."]),
        ("Question: Why?\n\nAnswer: So.", ["Question: Why?", "Answer: So."]),
        ("Вопрос: Зачем?\n\nОтвет: Так.", ["Вопрос: Зачем?", "Ответ: Так."]),
        ("שאלה: למה?\n\nתשובה: ככה.", ["שאלה: למה?", "תשובה: ככה."]),
        ("A: one\n\nB: two\n\nA: three", []),
    ],
)
def test_questions_and_answers(markdown: str, expected: list[str]) -> None:
    """`Q:` followed by `A:` is believed the first time, in several languages."""
    assert turns(markdown) == expected


@pytest.mark.parametrize(
    "markdown",
    [
        "Note: see below.\n\nWarning: hot.\n\nNote: again.\n\nWarning: hotter.",
        "Pros: cheap?\n\nCons: slow.\n\nPros: small.\n\nCons: old.",
        "Company: Acme\n\nPay: good\n\nCompany: Umbrella\n\nPay: better",
        "10:42 was late.\n\n11:15 was later.\n\n10:42 it was.\n\n11:15 again.",
        "https://a.example/ and\n\nhttps://b.example/ again\n\nhttps://a.example/\n\nhttps://b.example/",
        "Monday: rest?\n\nTuesday: work.\n\nMonday: rest.\n\nTuesday: work.",
        "- Dana: tall\n- Ben: short\n- somebody else",
        "**Education**\n\na\n\n**Fortran**\n\nb\n\n**Salsa Dancing**\n\nc",
    ],
)
def test_labels_and_headings_are_no_people(markdown: str) -> None:
    """What only looks like a speaker says nothing; the words stay prose."""
    assert turns(markdown) == []


def test_what_looks_like_speakers_and_is_not_believed_is_a_doubt() -> None:
    """The editor hears of it, and how to decide it."""
    [doubt] = read_document("Acme: one\n\nUmbrella: two\n\nAcme: three\n\nUmbrella: four").doubts
    assert "“Acme”, “Umbrella” look like speakers" in doubt.message
    assert "`speakers:`" in doubt.message
    assert doubt.words == "Acme"


def test_a_mention_elsewhere_is_evidence() -> None:
    """A name that the title or the prose tells of is a person's."""
    talk = "Dana: one\n\nBen: two\n\nDana: three\n\nBen: four"
    assert turns(talk) == []
    assert len(turns(talk, title="A talk with Dana Levi")) == 4
    assert len(turns(f"I met Ben last week.\n\n{talk}")) == 4


def test_the_front_matter_decides() -> None:
    """A declared name is believed once and in lower case, and its labels stand for it."""
    speakers = (Speaker("Dana Levi", labels=("D", "Q")), Speaker("the office"))
    assert turns("D: one\n\nthe office: two\n\n**Dana Levi**\n\nthree", speakers=speakers) == [
        "Dana Levi: one",
        "the office: two",
        "Dana Levi: three",
    ]
    assert turns("**Ben**\n\none", author="Ben") == ["Ben: one"]


def test_a_first_name_announces_whom_the_front_matter_names() -> None:
    """`Mia:` is Mia Fold, unless there are two of that name."""
    speakers = (Speaker("Mia Fold"), Speaker("Rosa Lind"))
    assert turns("Mia: one\n\n**Rosa**\n\ntwo", speakers=speakers) == ["Mia Fold: one", "Rosa Lind: two"]
    assert turns("Mia: one\n\nRosa: two", speakers=(*speakers, Speaker("Mia Berg"))) == ["Rosa Lind: two"]


def test_a_labelled_turn_goes_on_while_the_conversation_does() -> None:
    """A paragraph between two labels belongs to the first; one below the last is narration, and a doubt."""
    document = read_document("Q: Why?\n\nReally?\n\nA: So.\n\nThanks for reading.")
    [thread] = document.threads
    assert [plain(turn.body) for turn in thread.turns] == ["Why?\n\nReally?", "So."]
    below, between = document.doubts
    assert "nothing says that A goes on" in below.message
    assert below.words == "Thanks for reading."
    assert "were read as going on" in between.message
    assert between.words == "Really?"


@pytest.mark.parametrize("label", ["**Dana:** Two.", "**Dana**: Two.", "Dana: Two."])
def test_nobody_says_what_another_may_have_said(label: str) -> None:
    """A label that is not believed ends the turn it stands in, and the editor hears of it."""
    document = read_document(f"**Ben:** One.\n\n{label}\n\n**Ben:** Three.", speakers=(Speaker("Ben"),))
    assert [plain(turn.body) for thread in document.threads for turn in thread.turns] == ["One.", "Three."]
    [doubt] = document.doubts
    assert "because of “Dana”" in doubt.message


@pytest.mark.parametrize(
    "line", ["**Update (2024):** it is outdated.", "PS: told by the blogger.", "Note: so."]
)
def test_an_insertion_into_an_interview_is_nobodys(line: str) -> None:
    """Another label in an answer is narration, and a doubt."""
    document = read_document(f"Q: First?\n\nA: Yes.\n\n{line}\n\nQ: Second?\n\nA: No.")
    assert [plain(turn.body) for thread in document.threads for turn in thread.turns] == [
        "First?",
        "Yes.",
        "Second?",
        "No.",
    ]
    assert document.doubts


@pytest.mark.parametrize("line", ["My books", "Warning", "About me"])
def test_a_bold_line_that_is_nobody_ends_a_turn(line: str) -> None:
    """It may be a heading of the post's author, and what stands below it theirs."""
    document = read_document(
        f"**Ines**\n\nHello?\n\n**Paul**\n\nHi.\n\n**{line}**\n\nI sell books.\n\n**Ines**\n\nBye."
    )
    assert [plain(turn.body) for thread in document.threads for turn in thread.turns] == [
        "Hello?",
        "Hi.",
        "Bye.",
    ]
    assert document.doubts


def test_a_talk_too_short_to_believe_is_a_doubt() -> None:
    """Three turns between two names may be anything; the editor is asked."""
    [doubt] = read_document("**Анна:** Почему?\n\n**Борис:** Потому.\n\n**Анна:** Итог.").doubts
    assert "look like speakers" in doubt.message


def test_marks_say_whose_words_these_are() -> None:
    """`.speaker` names anybody, `.said by=` takes a block or a quotation alone, and blogs show none of it."""
    markdown = (
        "ann from accounting\n{: .speaker}\n\nHello.\n\nSo far.\n{: .narration}\n\n"
        '> Quoted.\n{: .said by="Ben"}\n\nTold.\n\n- one\n- two\n{: .said by="Ben"}\n'
    )
    assert turns(markdown) == ["ann from accounting: Hello.", "Ben: Quoted.", "Ben: one two"]


def test_a_conversation_inside_a_direction_is_read() -> None:
    """A `<div dir="rtl">` around a whole post hides nothing, and every block keeps the direction."""
    document = read_document('<div dir="rtl">\n\n**דנה**\n\nשלום\n\n**יוסי**\n\nהיי\n\n</div>')
    [thread] = document.threads
    assert [turn.speaker for turn in thread.turns] == ["דנה", "יוסי"]
    assert all(block.get("dir") == "rtl" for turn in thread.turns for block in turn.body)


@pytest.mark.parametrize(
    "name", ["Ann", "Ann Lee", "J. R. van Dyke", "Dr. Ann", "Søren", "דנה לוי", "王小明", "Jean-Luc"]
)
def test_names(name: str) -> None:
    """A few capitalised words, in any script."""
    assert is_name(name)


@pytest.mark.parametrize(
    "remark",
    ["How it works", "Wait!", "the end", "Step One", "My Story", "In short, no", "", "1984", "A" * 80],
)
def test_remarks(remark: str) -> None:
    """Sentences, headings and numbers are nobody."""
    assert not remark or not is_name(remark)
