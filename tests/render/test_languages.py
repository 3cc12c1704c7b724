"""Languages: what each says, what a site changes in it, and how a mistake in a file is named."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from newsletter.errors import TemplateError
from newsletter.render.builtin import builtin_templates
from newsletter.render.languages import ENGLISH, Languages
from subscribers.commands import Verb, parse_command

BUILT_IN = Languages(None)
TAGS = sorted(BUILT_IN.all)
OTHERS = [tag for tag in TAGS if tag != ENGLISH]


def words_of(tag: str) -> dict[str, Any]:
    """A built-in file as it is, with nothing of English below it."""
    path = builtin_templates() / "languages" / f"{tag}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def texts(words: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every text of a file but its commands, with its key."""
    for name, value in words.items():
        key = f"{above}{name}"
        if isinstance(value, str):
            yield key, value
        elif isinstance(value, Mapping) and key != "commands":
            yield from texts(value, f"{key}.")


def places(text: str) -> set[str]:
    """What a text fills in."""
    return set(re.findall(r"\{(\w+)\}", text))


def write(folder: Path, name: str, toml: str) -> Path:
    """Put a language into a site's folder."""
    path = folder / "languages" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(toml, encoding="utf-8")
    return path


# What came with the program.


def test_the_site_that_needs_no_file_has_these() -> None:
    """English is first: it is what others fall back to."""
    assert list(BUILT_IN.all) == ["en", "de", "es", "fr", "he"]
    assert {language.direction for language in BUILT_IN.all.values()} == {"ltr", "rtl"}
    assert BUILT_IN.all["he"].direction == "rtl"


@pytest.mark.parametrize("tag", OTHERS)
def test_no_translation_lags_behind_english(tag: str) -> None:
    """Each has every text that English has and no other, and fills in the same: nothing falls back."""
    english, own = words_of(ENGLISH), words_of(tag)
    for table in english.keys() - {"name", "direction", "commands"}:
        wanted = {key: places(text) for key, text in texts(english[table])}
        assert {key: places(text) for key, text in texts(own[table])} == wanted
    assert own["commands"].keys() >= english["commands"].keys()
    assert own["dates"].keys() == english["dates"].keys()


@pytest.mark.parametrize("tag", TAGS)
def test_every_text_is_said_whole(tag: str) -> None:
    """Filled in with what it names, no brace is left, nothing is empty, and no space stands at an edge."""
    language = BUILT_IN.all[tag]
    for key, text in texts(words_of(tag)):
        if key in ("name", "direction"):
            continue
        said = language.say(key, **dict.fromkeys(places(text), "X"))
        assert said.strip() == said != ""
        assert not {"{", "}", "\n"} & set(said)


@pytest.mark.parametrize("tag", OTHERS)
def test_no_text_was_left_in_english(tag: str) -> None:
    """What reads as in English is a place, or one word that both languages have."""
    english = dict(texts(words_of(ENGLISH)))
    same = {
        key: text for key, text in texts(words_of(tag)) if english.get(key) == text and key != "direction"
    }
    assert [text for text in same.values() if " " in re.sub(r"\{\w+\}|\(\w+\)", "", text).strip(" ,")] == []


@pytest.mark.parametrize(
    ("tag", "written", "first"),
    [
        ("en", "Wednesday, 4 March 2026", "Sunday, 1 March 2026"),
        ("de", "Mittwoch, 4. März 2026", "Sonntag, 1. März 2026"),
        ("fr", "mercredi 4 mars 2026", "dimanche 1er mars 2026"),
        ("es", "miércoles, 4 de marzo de 2026", "domingo, 1 de marzo de 2026"),
        ("he", "יום רביעי, 4 במרץ 2026", "יום ראשון, 1 במרץ 2026"),
    ],
)
def test_dates_are_written_as_a_native_would(tag: str, written: str, first: str) -> None:
    """With the language's own words and order, whatever the locale of the process."""
    assert BUILT_IN.all[tag].date(date(2026, 3, 4)) == written
    assert BUILT_IN.all[tag].date(date(2026, 3, 1)) == first


@pytest.mark.parametrize("tag", TAGS)
def test_every_day_has_a_name_of_its_own(tag: str) -> None:
    """Seven weekdays and twelve months, none twice."""
    language = BUILT_IN.all[tag]
    assert len({language.date(date(2026, month, 4)) for month in range(1, 13)}) == 12
    assert len(set(words_of(tag)["dates"]["weekdays"])) == 7
    assert len(set(words_of(tag)["dates"]["months"])) == 12


@pytest.mark.parametrize(
    ("tag", "one", "four"),
    [
        ("en", "1 week", "4 weeks"),
        ("de", "1 Woche", "4 Wochen"),
        ("fr", "1 semaine", "4 semaines"),
        ("es", "1 semana", "4 semanas"),
        ("he", "שבוע אחד", "4 שבועות"),
    ],
)
def test_one_week_is_not_weeks(tag: str, one: str, four: str) -> None:
    """A count agrees with its noun."""
    assert [BUILT_IN.all[tag].weeks(count) for count in (1, 4)] == [one, four]


def test_lists_are_joined_by_the_languages_word() -> None:
    """`a, b and c`; one stands alone, none is nothing."""
    say = BUILT_IN.all["de"].joined
    assert [say([]), say(["a"]), say(["a", "b"]), say(["a", "b", "c"])] == ["", "a", "a und b", "a, b und c"]


def test_lists_in_html_keep_their_words_apart(tmp_path: Path) -> None:
    """Each in a direction of its own, escaped, and so is the word between them."""
    write(tmp_path, "en.toml", '[letters]\nand = "&"\n')
    join = Languages(tmp_path).all[ENGLISH].joined_markup
    assert join([]) == ""
    assert join(["<a>"]) == "<bdi>&lt;a&gt;</bdi>"
    assert join(["a", Markup("<i>b</i>"), "c"]) == "<bdi>a</bdi>, <i>b</i> &amp; <bdi>c</bdi>"


# What a site changes.


def test_a_site_changes_one_word_and_keeps_the_rest(tmp_path: Path) -> None:
    """Its file of a built-in language is laid over that, word by word."""
    write(tmp_path, "de.toml", '[letters.join]\nbutton = "Her damit"\n[commands]\nhelp = ["was nun"]\n')
    german = Languages(tmp_path).all["de"]
    assert german.say("letters.join.button") == "Her damit"
    assert german.say("letters.hello") == "Guten Tag!"
    assert german.commands["help"] == ("was nun",)
    assert "abonnieren" in german.commands["join"]
    assert BUILT_IN.all["de"].say("letters.join.button") != "Her damit"


def test_a_site_adds_a_language_and_says_the_rest_in_english(tmp_path: Path) -> None:
    """Down to the single word; what it changes in English is what it falls back to."""
    write(tmp_path, "en.toml", '[letters.stop]\nbutton = "Enough"\n')
    write(tmp_path, "nl.toml", 'name = "Nederlands"\ndirection = "ltr"\n[letters]\nhello = "Dag,"\n')
    languages = Languages(tmp_path)
    assert list(languages.all) == ["en", "de", "es", "fr", "he", "nl"]
    dutch = languages.all["nl"]
    assert (dutch.tag, dutch.name, dutch.direction) == ("nl", "Nederlands", "ltr")
    assert dutch.say("letters.hello") == "Dag,"
    assert dutch.say("letters.and") == "and"
    assert dutch.say("letters.stop.button") == "Enough"
    assert dutch.date(date(2026, 3, 4)) == "Wednesday, 4 March 2026"
    assert dutch.commands == languages.all["en"].commands


def test_the_languages_of_the_documentation_are_as_it_says(tmp_path: Path) -> None:
    """What docs/languages.md has one write is read, and does what is promised there."""
    documented = (Path(__file__).parents[2] / "docs" / "languages.md").read_text(encoding="utf-8")
    english, dutch = re.findall(r"^```toml\n(.*?)^```", documented, re.MULTILINE | re.DOTALL)
    write(tmp_path, "en.toml", english)
    write(tmp_path, "nl.toml", dutch)
    languages = Languages(tmp_path).all
    assert languages["en"].say("letters.join.button") == "Yes, sign me up"
    assert languages["nl"].date(date(2026, 3, 4)) == "woensdag 4 maart 2026"
    words = {"nl": languages["nl"].commands}
    for said in ("aanmelden voor career-advice", "Meld mij aan voor career-advice graag"):
        command = parse_command(said, "", words)
        assert command is not None
        assert (command.verb, command.categories[0].split()[0]) == (Verb.JOIN, "career-advice")


def test_a_site_without_a_folder_has_the_built_in_languages(tmp_path: Path) -> None:
    """Nobody need have a templates folder."""
    assert list(Languages(tmp_path / "none").all) == list(BUILT_IN.all)


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        (("de",), "de"),
        (("DE-at",), "de"),
        (("fr-Latn-CA-x-y",), "fr"),
        (("pt-BR",), "pt"),
        (("PT-pt",), "pt-PT"),
        (("pt-PT-x-z",), "pt-PT"),
        (("nn", "es-419", "de"), "es"),
        ((None, "", "he"), "he"),
        (("nn",), "en"),
        (("", "-", "*", "de_AT", "d"), "en"),
        ((), "en"),
    ],
)
def test_the_best_language_is_looked_up(tmp_path: Path, tags: tuple[str | None, ...], found: str) -> None:
    """RFC 4647 §3.4: the first wish that there is, whole or cut short from its end; else English."""
    for tag in ("pt", "pt-PT"):
        write(tmp_path, f"{tag}.toml", f'name = "{tag}"\ndirection = "ltr"\n')
    assert Languages(tmp_path).best(*tags).tag == found


@given(st.lists(st.none() | st.text(), max_size=4))
def test_whatever_is_wished_for_there_is_a_language(tags: list[str | None]) -> None:
    """A header of a browser, a column of a file: anything may stand there."""
    assert BUILT_IN.best(*tags).tag in TAGS


# How words are filled in.


def test_values_are_kept_apart_in_html() -> None:
    """Escaped, and each in a direction of its own (`<bdi>`); what is HTML already stays as it is."""
    english = BUILT_IN.all[ENGLISH]
    told = english.markup("letters.changed.pause", day="<b> & {site}")
    assert told.startswith("It is done: nothing comes until <bdi>&lt;b&gt; &amp; {site}</bdi>.")
    assert "<i>x</i>." in english.markup("letters.changed.pause", day=Markup("<i>x</i>"))
    assert " <b>." in english.say("letters.changed.pause", day="<b>")


def test_words_of_a_site_are_text_not_html(tmp_path: Path) -> None:
    """Whatever stands in a file is shown as it stands there."""
    write(tmp_path, "en.toml", '[letters]\nhello = "<b>Hello</b> & more"\n')
    english = Languages(tmp_path).all[ENGLISH]
    assert english.markup("letters.hello") == "&lt;b&gt;Hello&lt;/b&gt; &amp; more"
    assert english.say("letters.hello") == "<b>Hello</b> & more"


VALUES = st.text() | st.integers() | st.none() | st.text().map(Markup) | st.binary()


@given(st.sampled_from(sorted(texts(words_of(ENGLISH)))), st.sampled_from(TAGS), st.data())
def test_no_value_breaks_a_sentence(text: tuple[str, str], tag: str, data: st.DataObject) -> None:
    """It stands in it as it is, and in HTML it cannot get out of its place."""
    key, english = text
    values = {name: data.draw(VALUES) for name in places(english)}
    language = BUILT_IN.all[tag]
    if key in ("name", "direction"):
        return
    said, markup = language.say(key, **values), language.markup(key, **values)
    assert all(str(value) in said for value in values.values())
    plain = {name: value for name, value in values.items() if not isinstance(value, Markup)}
    assert markup.count("<bdi>") >= len(plain)
    if plain == values:
        assert re.sub("</?bdi>", "", markup).count("<") == 0


# What is wrong with a file.


def test_a_name_that_nothing_fills_in_is_said_with_those_that_there_are(tmp_path: Path) -> None:
    """A letter is not sent with a hole in it."""
    write(tmp_path, "fr.toml", '[letters.unknown]\ntold = "Pas de {categorie}."\n')
    french = Languages(tmp_path).all["fr"]
    said = (
        r"letters\.unknown\.told fills in \{categorie\}, and there is none; there are: \{category\}, \{site\}"
    )
    for fill in (french.say, french.markup):
        with pytest.raises(TemplateError, match=rf"languages/fr\.toml: {said}"):
            fill("letters.unknown.told", category="x", site="y")


@pytest.mark.parametrize("key", ["letters.nothing", "letters", "letters.join", "letters.hello.more", ""])
def test_words_that_are_nowhere_are_named(key: str) -> None:
    """A key of a template that does not exist, or is a table."""
    with pytest.raises(TemplateError, match=rf"languages/de\.toml: there are no words for '{key}'"):
        BUILT_IN.all["de"].say(key)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("hello = Dag", "is not TOML: Invalid value .at line 1, column 9.; every text stands in quotes"),
        ('[letters]\na = "1"\na = "2"', "is not TOML: Cannot overwrite a value"),
        ('[letter]\nhello = "Dag"', r"letter is none of name, direction .ltr or rtl., \[dates\], \[pages\]"),
        ("name = 5", "name is none of"),
        ('direction = "up"', "direction is none of"),
        ('letters = "Dag"', "letters is none of"),
        ("[letters]\nhello = 5", "letters.hello is not text in quotes"),
        ('[letters]\nhello = ["Dag"]', "letters.hello is not text in quotes"),
        ("[pages.front]\nintro = 2026-03-04", "pages.front.intro is not text in quotes"),
        ('[letters]\nhello = "Dag { name }"', "letters.hello has a brace that is none of a name to fill in"),
        ('[letters]\nhello = "Dag {Site}"', "letters.hello has a brace"),
        ('[letters]\nhello = "Dag {"', "letters.hello has a brace"),
        ('[letters]\nhello = "Dag }"', "letters.hello has a brace"),
        ('[commands]\nhelp = "hulp"', r'commands.help is not a list of words, such as \["help"\]'),
        ("[commands]\nhelp = [5]", "commands.help is not a list of words"),
        ('[commands.help]\nme = ["x"]', "commands.help is not a list of words"),
        ('[dates]\nmonths = ["januari"]', "dates.months is not a list of 12 words"),
        ("[dates]\nweekdays = [1, 2, 3, 4, 5, 6, 7]", "dates.weekdays is not a list of 7 words"),
        ('[dates]\nweekdays = "ma, di"', "dates.weekdays is not a list of 7 words"),
        ('[dates.weekdays]\none = "ma"', "dates.weekdays is not a list of 7 words"),
        ('[dates]\nlong = ["x"]', "dates.long is not text in quotes"),
        ("", r"has no name and no direction; see docs/languages\.md"),
        ('name = "Nederlands"', r"has no direction; see docs/languages\.md"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, toml: str, said: str) -> None:
    """What is wrong, where, and what to write instead."""
    path = write(tmp_path, "nl.toml", toml)
    with pytest.raises(TemplateError, match=rf"^{re.escape(str(path))}: {said}"):
        _ = Languages(tmp_path).all


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """In another encoding, a folder, or a link to nowhere."""
    path = write(tmp_path, "nl.toml", "")
    path.write_bytes('name = "Één"'.encode("latin-1"))
    with pytest.raises(TemplateError, match=r"nl\.toml: this file is not UTF-8; save it as UTF-8"):
        _ = Languages(tmp_path).all
    path.unlink()
    path.mkdir()
    with pytest.raises(TemplateError, match=r"nl\.toml: cannot be read: Is a directory"):
        _ = Languages(tmp_path).all
    path.rmdir()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(TemplateError, match=r"nl\.toml: cannot be read: No such file or directory"):
        _ = Languages(tmp_path).all


@pytest.mark.parametrize("name", ["nederlands", "NL", "nl_BE", "n", "nl ", "nl-"])
def test_a_file_is_named_by_a_language_tag(tmp_path: Path, name: str) -> None:
    """Or nobody would ever be written to in it."""
    write(tmp_path, f"{name}.toml", 'name = "Nederlands"\ndirection = "ltr"\n')
    with pytest.raises(TemplateError, match=rf"{name}\.toml: is not named by a language tag \(BCP 47\)"):
        _ = Languages(tmp_path).all
