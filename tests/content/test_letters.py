"""Letters in posts are conversations, and a quotation that is no letter stays one."""

import re

import pytest

from newsletter.content.html import plain
from newsletter.content.threads import read_document
from newsletter.content.tree import Form, Speaker, Thread


def shape(markdown: str, *, speakers: tuple[Speaker, ...] = (), author: str | None = None) -> list[str]:
    """A document in short: turns as `Name: text`, prose as its text."""
    parts = []
    for block in read_document(markdown, speakers=speakers, author=author).blocks:
        if isinstance(block, Thread):
            assert block.form is Form.LETTER
            parts += [f"{turn.speaker}: {' '.join(plain(turn.body).split())}" for turn in block.turns]
        else:
            parts.append(" ".join(plain(block.body).split()))
    return parts


LETTER = (
    "Mail came.\n\n> Hi Ben,\n>\n> Shall I stay?\n\nStay.\n\nYes.\n\n> And then?\n\nGo.\n\n"
    "## After\n\nThe end."
)


def test_answers_stand_between_the_parts_of_a_letter() -> None:
    """From its greeting to the next heading a letter and what is written into it are one thread."""
    assert shape(LETTER) == [
        "Mail came.",
        "Question: Hi Ben, Shall I stay?",
        "Answer: Stay. Yes.",
        "Question: And then?",
        "Answer: Go.",
        "After The end.",
    ]


def test_names_come_from_the_front_matter() -> None:
    """The author answers, and the one other speaker asks."""
    speakers = (Speaker("Dana"), Speaker("Ben", is_author=True))
    assert [part.partition(":")[0] for part in shape(LETTER, speakers=speakers)][1:5] == ["Dana", "Ben"] * 2
    assert shape(LETTER, author="Ben Okafor")[2] == "Ben Okafor: Stay. Yes."


@pytest.mark.parametrize(
    "greeting",
    ["Hi Ann", "Dear Ann", "“Hello!", "Привет, Аня", "שלום רב", "Bonjour Ann", "Liebe Ann", "こんにちは、"],
)
def test_a_greeting_makes_a_letter(greeting: str) -> None:
    """In several languages, with quotation marks or without."""
    assert shape(f"> {greeting}\n>\n> words\n\nanswer")[0].startswith("Question: ")


@pytest.mark.parametrize(
    ("above", "is_letter"),
    [
        ("Here is the email I got:", True),
        ("A reader asked this:", True),
        ("I got an email yesterday.", False),
        ("He put it well:", False),
    ],
)
def test_an_announcement_makes_a_letter(above: str, is_letter: bool) -> None:
    """A line that speaks of a letter and ends in a colon; others may come before any quotation."""
    parts = shape(f"{above}\n\n> words\n\nanswer")
    assert (parts[1:] == ["Question: words", "Answer: answer"]) is is_letter


@pytest.mark.parametrize(
    "quotation",
    [
        "> Waste no time.",
        "> Hi there is no cure.\n>\n> — Seneca",
        "> Dear me.\n>\n> <cite>Somebody</cite>",
        "> Highest is best.",
    ],
)
def test_other_quotations_are_prose(quotation: str) -> None:
    """A quotation with its source, or without a greeting, was not written to the author."""
    document = read_document(f"As they say.\n\n{quotation}\n\nQuite so.")
    assert not document.threads


def test_a_quotation_with_its_source_may_stand_in_an_answer() -> None:
    """The author quotes a book; the asker is not made to say it."""
    assert shape("> Dear Ben, well?\n\nThink of this.\n\n> Wait.\n>\n> — Seneca\n\nSo wait.") == [
        "Question: Dear Ben, well?",
        "Answer: Think of this. Wait. — Seneca So wait.",
    ]


@pytest.mark.parametrize(
    ("above", "whose"),
    [
        ("Einstein said:", "Einstein"),
        ("As Einstein wrote:", None),
        ("From the Python docs:", None),
        ("A reader, Tom, adds:", None),
        ("Hans Meier schrieb am 3. Mai 2024:", None),
    ],
)
def test_the_asker_says_nothing_that_another_wrote(above: str, whose: str | None) -> None:
    """A quotation that a line announces is of the one it names, or stays a quotation in the answer."""
    turns = shape(f"> Hi Paul, I am lost.\n\nGo home.\n\n{above}\n\n> Dice.\n\nSo.\n\n> But where?\n\nHere.")
    asked = [turn.partition(": ")[2] for turn in turns if turn.startswith("Question: ")]
    assert asked == ["Hi Paul, I am lost.", "But where?"]
    named = f"{whose}: Dice." if whose else f"Answer: Go home. {above} Dice. So."
    assert named in turns


def test_a_mail_pasted_below_is_no_answer() -> None:
    """What follows a forwarded mail's line was not written by the author."""
    parts = shape(
        "> Hi Ann, help!\n\nOk.\n\n---------- Forwarded message ---------\nFrom: Bob\n\nText of it."
    )
    assert parts[1] == "Answer: Ok."
    assert parts[2].endswith("Text of it.")


def test_a_rule_may_stand_between_question_and_answer() -> None:
    """It divides them on the blog, and so do their names in a letter."""
    post = "## The question\n\nI am sad.\n\n---\n\n## The answer\n\nBe happy."
    assert shape(post) == ["The question: I am sad.", "The answer: Be happy."]


def test_headings_that_say_question_and_answer() -> None:
    """What stands below them is theirs, up to the next heading of the same level, and they name the turns."""
    post = (
        "intro\n\n## The question\n\nShould I?\n\n## My answer\n\nYes.\n\n### Why\n\nSo.\n\n## Links\n\nend"
    )
    assert shape(post) == ["intro", "The question: Should I?", "My answer: Yes. Why So.", "Links end"]


@pytest.mark.parametrize(
    "post",
    [
        "## The question\n\nShould I?\n\n## Links\n\nend",
        "## The question\n\n## The answer\n\nYes.",
        "## The answer\n\nYes.\n\n## The question\n\nShould I?",
        "## The question\n\na\n\n# Part two\n\nb\n\n## The answer\n\nYes.",
    ],
)
def test_half_a_pair_of_headings_is_prose(post: str) -> None:
    """A question without its answer, or parted from it, is a section like others."""
    assert not read_document(post).threads


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("On Tue, Mar 5, 2024 at 10:42 AM Ann Lee <ann@example.org> wrote:", "Ann Lee"),
        ("On 5 March 2024, Ann Lee wrote:", "Ann Lee"),
        ("Am 05.03.2024 um 10:42 Uhr, Ann Lee schrieb:", "Ann Lee"),
        ("Le 5 mars 2024 à 10:42, Ann Lee a écrit :", "Ann Lee"),
        ("Ann asked:", "Ann"),
        ("Ann Lee wrote in May:", "Ann Lee"),
        ("Анна пишет:", "Анна"),
    ],
)
def test_a_quotation_is_whose_the_line_above_says(line: str, name: str) -> None:
    """The line stays, since it says more than the name."""
    parts = shape(f"{line}\n\n> I wonder.\n\nSo do I.")
    assert parts[:2] == [re.sub("[<>]", "", line), f"{name}: I wonder."]


@pytest.mark.parametrize(
    "line", ["He wrote:", "They asked:", "As it was written:", "on and on it wrote:", "wrote:"]
)
def test_a_pronoun_names_nobody(line: str) -> None:
    """Nothing is guessed from it."""
    assert not read_document(f"{line}\n\n> I wonder.").threads
