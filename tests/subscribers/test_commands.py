"""Commands that readers write, and letters that are none."""

import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscribers.commands import Command, Verb, fold, is_refusal, match_categories, parse_command
from subscribers.models import Frequency

LANGUAGES = Path(__file__).parents[2] / "templates" / "languages"
VOCABULARIES = {
    tag: {
        key: tuple(phrases)
        for key, phrases in tomllib.loads((LANGUAGES / f"{tag}.toml").read_text(encoding="utf-8"))[
            "commands"
        ].items()
    }
    for tag in ("en", "de", "fr", "es", "he")
}
TITLES = {
    "career-advice": "Career Advice",
    "letters": "Letters",
    "food": "Food & Drink",
    "cafe": "Café, très chic",
}

COMMANDS = {
    "subscribe career-advice": Command(Verb.JOIN, ("career-advice",)),
    "subscribe me to Career Advice and Letters please": Command(Verb.JOIN, ("career advice", "letters")),
    "I would like to subscribe to your newsletter Career Advice": Command(Verb.JOIN, ("career advice",)),
    "Subscribe: “Career Advice”": Command(Verb.JOIN, ("career advice",)),
    "join": Command(Verb.JOIN),
    "sign me up for letters!": Command(Verb.JOIN, ("letters",)),
    "unsubscribe": Command(Verb.LEAVE),
    "UNSUBSCRIBE ME": Command(Verb.LEAVE),
    "unsubscribe career-advice, letters & food": Command(Verb.LEAVE, ("career-advice", "letters", "food")),
    "unsubscribe dana@reader.example": Command(Verb.LEAVE),
    "Could you please remove me from this list?": Command(Verb.LEAVE),
    "take me off your mailing list": Command(Verb.LEAVE),
    "[EXTERNAL] Unsubscribe": Command(Verb.LEAVE),
    "AW: RE: unsubscribe": Command(Verb.LEAVE),
    "Re[2]: unsubscribe": Command(Verb.LEAVE),
    "STOP": Command(Verb.STOP),
    "stop everything": Command(Verb.STOP),
    "unsubscribe me from all your lists": Command(Verb.STOP),
    "list": Command(Verb.LIST),
    "What can I subscribe to?": Command(Verb.LIST),
    "my subscriptions": Command(Verb.MINE),
    "help": Command(Verb.HELP),
    "How do I unsubscribe?": Command(Verb.HELP),
    "weekly": Command(Verb.FREQUENCY, frequency=Frequency.WEEKLY),
    "send me letters monthly, please": Command(Verb.FREQUENCY, frequency=Frequency.MONTHLY),
    "daily": Command(Verb.FREQUENCY, frequency=Frequency.DAILY),
    "every letter": Command(Verb.FREQUENCY, frequency=Frequency.ISSUE),
    "pause": Command(Verb.PAUSE, weeks=4),
    "pause 4 weeks": Command(Verb.PAUSE, weeks=4),
    "pause 2 months": Command(Verb.PAUSE, weeks=9),
    "pause 10 days": Command(Verb.PAUSE, weeks=2),
    "pause career-advice for a week": Command(Verb.PAUSE, ("career-advice",), weeks=1),
    "resume letters": Command(Verb.RESUME, ("letters",)),
    "abonnieren": Command(Verb.JOIN, language="de"),
    "Bitte melden Sie mich für Karriererat an": Command(Verb.JOIN, ("karriererat",), language="de"),
    "Ich möchte Karriererat und Briefe abonnieren": Command(
        Verb.JOIN, ("karriererat", "briefe"), language="de"
    ),
    "Newsletter abbestellen": Command(Verb.LEAVE, language="de"),
    "Ich möchte mich vom Newsletter abmelden": Command(Verb.LEAVE, language="de"),
    "ALLES ABBESTELLEN": Command(Verb.STOP, language="de"),
    "Pause für drei Wochen": Command(Verb.PAUSE, weeks=3, language="de"),
    "wöchentlich": Command(Verb.FREQUENCY, frequency=Frequency.WEEKLY, language="de"),
    "woechentlich": None,
    "Désinscription": Command(Verb.LEAVE, language="fr"),
    "je voudrais me desabonner": Command(Verb.LEAVE, language="fr"),
    "Abonnez-moi à Conseils et Lettres, s'il vous plaît": Command(
        Verb.JOIN, ("conseils", "lettres"), language="fr"
    ),
    "Quiero suscribirme a Consejos, por favor": Command(Verb.JOIN, ("consejos",), language="es"),
    "darme de baja": Command(Verb.LEAVE, language="es"),
    "הסירו אותי מרשימת התפוצה": Command(Verb.LEAVE, language="he"),
    "הרשמה career-advice": Command(Verb.JOIN, ("career-advice",), language="he"),
    "פעם בשבוע": Command(Verb.FREQUENCY, frequency=Frequency.WEEKLY, language="he"),
    "Join us for dinner": None,
    "Leave it to Dana": None,
    "Weekly report": None,
    "Stop the press and all that is": None,
    "Help with my boss": None,
    "pause until 1 March": None,
    "pause 0 weeks": None,
    "pause 99999999999999999999 weeks": None,
    "do not unsubscribe me": None,
    "I will never unsubscribe": None,
    "subscribe bob@another.example": None,
    "Why I subscribe to your letters": None,
    "A question about subscriptions": None,
    "Wie kann ich den Newsletter abonnieren, wenn ich umziehe?": None,
    "thanks": None,
    "": None,
}

TEXTS = {
    "Hello, please subscribe me to Career Advice. Thanks, Ann": Command(Verb.JOIN, ("career advice",)),
    "Hi,\nunsubscribe\n\nViele Grüße\nAnn Lee\nBig Company, and what its lawyers say. Is it clear?": Command(
        Verb.LEAVE
    ),
    "Bonjour,\n\nunsubscribe\n\nMerci": Command(Verb.LEAVE),
    "Dear Ann,\n\nplease could you subscribe me to your newsletter Career Advice and also to\nLetters? "
    "Thank you": Command(Verb.JOIN, ("career advice", "letters")),
    "subscribe letters\nsubscribe career-advice": Command(Verb.JOIN, ("letters", "career-advice")),
    "Please unsubscribe me. I get too many emails as it is.": Command(Verb.LEAVE),
    "Dear Ann,\nhelp\nDana Reed": Command(Verb.HELP),
    "Sehr geehrte Damen und Herren,\n\nbitte melden Sie mich ab.\n\nMit freundlichen Grüßen\nDana": Command(
        Verb.LEAVE, language="de"
    ),
    "Help! I lost my job.": None,
    "subscribe letters\nunsubscribe food": None,
    "Please unsubscribe me. And who wrote the one about shoes?": None,
    "Thank you for the letter! I loved it. I will never unsubscribe.": None,
    "Weekly meetings are a curse, you wrote. I agree.\nWeekly.": None,
    "I was thinking about how to unsubscribe from the idea that work matters. What do you think?": None,
    "Dear Ann,\n\nleave\n\nis what my boss said to me. " + "And so I did, with a heavy heart. " * 5: None,
    "unsubscribe\n" + "There is so much to tell of how it went. " * 60: None,
    "unsubscribe" + " please" * 400: None,
    "Join me for a walk.\nWe shall talk about the last letter then.": None,
}


@pytest.mark.parametrize("subject", COMMANDS)
def test_subjects_that_are_commands(subject: str) -> None:
    """A subject is a command as people write it; what merely holds the word is a letter to the editor."""
    assert parse_command(subject, "", VOCABULARIES) == COMMANDS[subject]


@pytest.mark.parametrize("text", TEXTS)
def test_texts_that_are_commands(text: str) -> None:
    """A command stands alone in a text, but for what people write around it; else it is a letter."""
    assert parse_command("Re: First steps", text, VOCABULARIES) == TEXTS[text]


def test_a_subject_and_a_text_are_read_together() -> None:
    """A text may add to its subject, but neither contradict it nor be a letter."""
    letters = Command(Verb.LEAVE, ("letters",))
    assert parse_command("unsubscribe", "unsubscribe letters", VOCABULARIES) == letters
    assert parse_command("Help", "unsubscribe letters", VOCABULARIES) == letters
    assert parse_command("unsubscribe", "Thanks, Ann", VOCABULARIES) == Command(Verb.LEAVE)
    assert parse_command("subscribe", "unsubscribe", VOCABULARIES) is None
    assert parse_command("Help", "My boss does not pay me.", VOCABULARIES) is None
    assert parse_command("Re: Help", "Lovely!", VOCABULARIES) is None
    assert parse_command("Re: Help", "", VOCABULARIES) == Command(Verb.HELP)


COURTESY = st.sampled_from(["", "Hello, ", "Dear Ann,\n\n", "Hi!\n", "Bonjour,\n", "Guten Tag,\n", "please "])
CLOSING = st.sampled_from(["", ".", "!", " please", "\n\nThanks, Ann", "\nMfG\nDana Reed", " merci"])
PLAIN = st.sampled_from(
    [(subject, found) for subject, found in COMMANDS.items() if found and not set(subject) & set("[:@")]
)


@given(COURTESY, PLAIN, CLOSING, st.sampled_from([str, str.upper, str.title]))
def test_courtesy_and_case_do_not_matter(
    before: str, command: tuple[str, Command], behind: str, case: type[str]
) -> None:
    """Each command is the same with greetings, thanks and a please in any language, and in any case."""
    written, found = command
    assert parse_command("", before + case(written.strip("?!")) + behind, VOCABULARIES) == found


@given(st.text(max_size=300), st.text(max_size=300))
@example("?", "")
@example("\ue000", "subscribe \ue000")
@example("subscribe *", "* *")
@example("Re:" * 500, "\n" * 3000)
@example("ﷺ" * 2000, "İ" * 2000)
@example("pause ² weeks", "pause ٣ weeks")
def test_any_text_is_read(subject: str, text: str) -> None:
    """No subject and no text raise; whatever is named is folded, and pauses have a sane length."""
    found = parse_command(subject, text, VOCABULARIES)
    is_refusal(subject, text, VOCABULARIES)
    if found is not None:
        assert all(name == fold(name) != "" for name in found.categories)
        assert (found.weeks is not None) == (found.verb is Verb.PAUSE)
        assert found.weeks is None or 0 < found.weeks <= 520


WORDS = sorted(
    {phrase for vocabulary in VOCABULARIES.values() for key in vocabulary for phrase in vocabulary[key]}
)


@given(
    st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(["career-advice", ",", "\n", ".", "?", "7"])))
)
def test_any_words_of_the_languages_are_read(words: list[str]) -> None:
    """Nor does any heap of their words."""
    parse_command(" ".join(words), "", VOCABULARIES)
    is_refusal("", " ".join(words), VOCABULARIES)


@pytest.mark.parametrize(
    "piece", ["plz ", "a\n", "a. ", "subscribe ", "subscribe\n", "ﷺ", ", ", "@", "hello\n", "week "]
)
def test_the_longest_texts_are_read_at_once(piece: str) -> None:
    """The most that is read as a command takes less than a second or two of a slow machine."""
    text = piece * (2000 // len(piece))
    began = time.process_time()
    parse_command(text, text, VOCABULARIES)
    is_refusal(text, text, VOCABULARIES)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        *(
            (text, False)
            for text in ("", "yes", "Yes please!", "ok", "Confirm", "No problem, yes please", "Ja, bitte")
        ),
        *(
            (text, False)
            for text in ("Kein Problem, ja", "Oui, je confirme", "Sí", "כן", "Yes, I'm not a robot")
        ),
        *(
            (text, True)
            for text in ("no", "No!", "I never asked for this", "What is this?", "Who are you?", "stop")
        ),
        *(
            (text, True)
            for text in ("unsubscribe", "Nein danke", "Non", "Je n'ai rien demandé", "לא", "remove me")
        ),
        *(
            (text, True)
            for text in ("Yes, but I did not ask for this", "Das war ich nicht", "No quiero", "SPAM")
        ),
    ],
)
def test_refusals(text: str, refuses: bool) -> None:
    """Whoever says no to a confirmation, or doubts, is understood in each language; yes is no refusal."""
    assert is_refusal("Re: Please confirm", text, VOCABULARIES) is refuses


@pytest.mark.parametrize(
    ("named", "slugs", "unknown"),
    [
        ("career-advice", ["career-advice"], []),
        ("Career Advice and LETTERS", ["career-advice", "letters"], []),
        ("Food & Drink", ["food"], []),
        ("food and drink, letters", ["food", "letters"], []),
        ("the café, tres chic newsletter", ["cafe"], []),
        ("career advice, gardening", ["career-advice"], ["gardening"]),
        ("letters, letters", ["letters"], []),
    ],
)
def test_categories_are_found_by_slug_or_title(named: str, slugs: list[str], unknown: list[str]) -> None:
    """Titles with an "and", a comma or accents in them are found as people write them."""
    command = parse_command(f"subscribe to {named}", "", VOCABULARIES)
    assert command is not None
    assert match_categories(command.categories, TITLES, VOCABULARIES) == (slugs, unknown)


@pytest.mark.parametrize("tag", VOCABULARIES)
def test_vocabularies_are_whole(tag: str) -> None:
    """Each language has words for all that English has, and each phrase is read as what it says."""
    vocabulary = VOCABULARIES[tag]
    assert set(vocabulary) == set(VOCABULARIES["en"])
    assert all(vocabulary.values())
    for key in ("join", "leave", "stop", "list", "mine", "help", "pause", "resume"):
        for phrase in vocabulary[key]:
            found = parse_command(phrase.replace("*", "career-advice"), "", {tag: vocabulary})
            assert found is not None, phrase
            assert found.verb == key or {found.verb, Verb(key)} == {Verb.LEAVE, Verb.STOP}, phrase
    for key, frequency in (("every_letter", Frequency.ISSUE), ("daily", Frequency.DAILY)):
        for phrase in vocabulary[key]:
            assert parse_command(phrase, "", {tag: vocabulary}) == Command(
                Verb.FREQUENCY, frequency=frequency, language=tag
            )
