"""Commands that readers write to the plain address, in a subject or a few lines, in any language given in.

Promises: pure, and no text raises or takes more than its length in time. Greetings, thanks, a "please",
case, accents and punctuation do not matter: `Hello, please subscribe me to Career Advice. Thanks, Ann` is
`subscribe career-advice`. What may be a letter to the editor is None: a mail that says more than a command
does, that asks something besides, that gives two different commands, or that names a category with words of
sentences.

A `Vocabulary` is the `[commands]` table of a language's file; words are compared as `fold` writes them:

- `join`, `leave`, `pause`, `resume`: phrases with categories named behind them, or where a `*` stands.
- `stop`, `list`, `mine`, `help`, and for how often `every_letter`, `daily`, `weekly`, `monthly`: whole
  commands.
- `common`: phrases of these that are said of much else; a category named by one counts only if it stands
  alone.
- `please`, dropped wherever it stands; `hello`, which opens a mail; `thanks`, which ends a sentence;
  `closing`, below which all is a signature. These are understood in every language at once: many an English
  command has a French greeting.
- `filler`, dropped around the names of categories; `around`, dropped around whole commands; `and`, between
  names; `all`, instead of names; `sentence`, which no name of a category holds.
- `day`, `week`, `month`, `year`, and `numbers`, whose n-th entry has the words for n.
- `refusal`, with which somebody says no to a confirmation, or doubts; `yes`, in which such words do not
  count.

May surprise: a reply's subject (`Re: Help`) counts where the reply says nothing else, for it is our letter's.
What may be read in several languages is read in the one that leaves the fewest words for names of categories,
then in the first of them given.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache

from subscribers.models import Frequency

Vocabulary = Mapping[str, tuple[str, ...]]
"""The words of a language, by the keys told above. One that lacks a key has no words for it."""

_CHARACTERS = 2000
"""A longer text is a letter."""
_SENTENCES = 40
"""A text of more is a letter, however short they are."""
_NAMES = 10
_WORDS_OF_A_YES = 10
"""In a longer line a yes may be about something else."""
_WORDS_OF_A_NAME = 6
_GREETED_WORDS = 3
_CLOSING_WORDS = 4
_PAUSE_WEEKS = 4
"""The length of a pause that names none."""
_LONGEST_PAUSE_WEEKS = 520
_WRAPPED = 60
"""A line of so many characters may have been broken by a mail program within its sentence."""


class Verb(StrEnum):
    """What a reader asks for."""

    JOIN = "join"
    LEAVE = "leave"
    LIST = "list"
    MINE = "mine"
    FREQUENCY = "frequency"
    PAUSE = "pause"
    RESUME = "resume"
    HELP = "help"
    STOP = "stop"  # no more letters at all


@dataclass(frozen=True, slots=True)
class Command:
    """A verb and what it is about. `categories` are as written, folded: slugs or titles."""

    verb: Verb
    categories: tuple[str, ...] = ()
    frequency: Frequency | None = None
    weeks: int | None = None
    language: str = "en"


_OTHER_WORDS = {
    Verb.JOIN: 12,
    Verb.LEAVE: 25,
    Verb.STOP: 25,
    Verb.PAUSE: 12,
    Verb.RESUME: 12,
}
"""Words that may stand around a command. Who leaves often says why, and expects to be gone."""
_MOST_OTHER_WORDS = max(_OTHER_WORDS.values())
_NAME_AND_SURNAME = 3
"""Words around any other command: `help` and `weekly` are words of letters too."""
_NAMED = {"join": Verb.JOIN, "leave": Verb.LEAVE, "pause": Verb.PAUSE, "resume": Verb.RESUME}
_WHOLE = {"stop": Verb.STOP, "list": Verb.LIST, "mine": Verb.MINE, "help": Verb.HELP}
_FREQUENCIES = {
    "every_letter": Frequency.ISSUE,
    "daily": Frequency.DAILY,
    "weekly": Frequency.WEEKLY,
    "monthly": Frequency.MONTHLY,
}
_WEEKS = {"day": 1 / 7, "week": 1.0, "month": 365.25 / 12 / 7, "year": 365.25 / 7}

_REPLY = re.compile(
    r"""\s*(?: (?:re|aw|antw|antwort|sv|vs|res|rép|réf|rif|r|odp|ynt|ha|vl|bls|תגובה|השב|رد
              |fwd?|wg|tr|rv|enc|doorst|i|pd|vb|הועבר)
              (?:\s?\[\d{1,3}\]|\(\d{1,3}\))?\s?[::] )""",
    re.IGNORECASE | re.VERBOSE,
)
_TAG = re.compile(r"\s*\[[^\[\]]{1,40}\]")
_APOSTROPHES = re.compile(r"['’‘`´ʼ׳״]")
_AN_ADDRESS = "\ue000"
"""Stands for an address in a text: a letter that nobody writes."""
_ADDRESS = re.compile(r"[^\s@<>()]{1,64}@[^\s@<>()]{1,255}")
_WORD = re.compile(rf"[^\W_]+(?:[-_][^\W_]+)*|[,&+*،、{_AN_ADDRESS}]|\?\Z")
_SENTENCE_END = re.compile(r"(?<=[.!?;…。！？؟])\s+|\n+")

Words = tuple[str, ...]
_COMMAS = frozenset(",،、")
_MARKS = _COMMAS | {"?", _AN_ADDRESS}


def fold(text: str) -> str:
    """The words of a text as they are compared: in lower case, without accents, apostrophes or punctuation.

    Hyphens within words stay, so a slug is its own fold.
    """
    return " ".join(word for word in _words(text) if word not in _MARKS)


def parse_command(subject: str, text: str, vocabularies: Mapping[str, Vocabulary]) -> Command | None:
    """The command that a mail gives, if it is one; None for a letter to the editor.

    Args:
        subject: decoded, in one line.
        text: what the person wrote, without quotes and signature.
        vocabularies: the words of each language by its tag, the reader's own first where it is known.
    """
    if len(text) > _CHARACTERS:
        return None
    title, is_reply = _without_prefixes(subject[:_CHARACTERS])
    courtesies = _Courtesies(tuple(vocabularies.values()))
    subject = "" if is_reply and text.strip() else title
    readings = [
        replace(found, language=language)
        for language, vocabulary in vocabularies.items()
        if (found := _Reader(vocabulary, courtesies).read(subject, text)) is not None
    ]
    # `Pause für drei Wochen` is English too, of a category with a strange name.
    return min(readings, key=lambda command: sum(map(len, command.categories)), default=None)


def is_refusal(subject: str, text: str, vocabularies: Mapping[str, Vocabulary]) -> bool:
    """Whether a reply to a confirmation says no, or doubts. If in doubt, it does: one may ask again."""
    command = parse_command(subject, text, vocabularies)
    if command is not None and command.verb in (Verb.LEAVE, Verb.STOP):
        return True
    words = tuple(word for word in _words(text[:_CHARACTERS]) if word not in _MARKS)
    yes = _by_length(phrase for vocabulary in vocabularies.values() for phrase in _phrases(vocabulary, "yes"))
    words = _without(words, yes)
    return any(
        _find(words, phrase) is not None
        for vocabulary in vocabularies.values()
        for phrase in _phrases(vocabulary, "refusal")
    )


def is_assent(text: str, vocabularies: Mapping[str, Vocabulary], *, called: str = "") -> bool:
    """Whether a reply to a confirmation says yes: in its first words, or by saying nothing but thanks.

    `called` is the writer's name, with which they may sign. What else is written is no yes: a program that
    answers all mail, as ticket systems do, has more to say.
    """
    courtesies = [
        _by_length(phrase for vocabulary in vocabularies.values() for phrase in _phrases(vocabulary, key))
        for key in ("please", "hello", "thanks", "closing")
    ]
    yes = _by_length(phrase for vocabulary in vocabularies.values() for phrase in _phrases(vocabulary, "yes"))
    names = frozenset(_words(called)) | _MARKS
    for line in text[:_CHARACTERS].splitlines():
        words = _words(line)
        said = words
        for phrases in courtesies:
            said = _without(said, phrases)
        if "?" in words:
            return False
        if names.issuperset(said):
            continue
        return len(words) <= _WORDS_OF_A_YES and any(_find(words, phrase) is not None for phrase in yes)
    return True


def match_categories(
    named: Sequence[str], titles: Mapping[str, str], vocabularies: Mapping[str, Vocabulary]
) -> tuple[list[str], list[str]]:
    """The slugs that a command's categories mean, and the names that mean none.

    A category is named by its slug or its title (`titles`: title by slug). A title with an "and" in it was
    read as two names, and is put together again.
    """
    known: dict[Words, str] = {}
    for slug, title in titles.items():
        forms = [_names(_words(title), vocabulary) for vocabulary in vocabularies.values()]
        for form in ((fold(slug),), (fold(slug.replace("-", " ")),), (fold(title),), *forms):
            if form:
                known.setdefault(form, slug)
    longest = max(map(len, known), default=0)
    slugs: dict[str, None] = {}
    unknown: list[str] = []
    place = 0
    while place < len(named):
        for length in range(min(longest, len(named) - place), 0, -1):
            slug = known.get(tuple(named[place : place + length]), "")
            if slug:
                slugs[slug] = None
                place += length
                break
        else:
            unknown.append(named[place])
            place += 1
    return list(slugs), unknown


def _without_prefixes(subject: str) -> tuple[str, bool]:
    """A subject without `Re:`, `Fwd:` and `[tags]`, and whether it had one of the former."""
    place, is_reply = 0, False
    while True:
        if found := _REPLY.match(subject, place):
            is_reply = True
        elif not (found := _TAG.match(subject, place)):
            return subject[place:], is_reply
        place = found.end()


def _words(text: str) -> Words:
    """The words of a text, folded, with commas and a question mark at the end as words of their own."""
    # One letter may be eighteen in the compatible form.
    plain = unicodedata.normalize("NFKD", _APOSTROPHES.sub("", _ADDRESS.sub(_AN_ADDRESS, text))).casefold()[
        : 2 * _CHARACTERS
    ]
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return tuple(_WORD.findall(kept.rstrip()))


@lru_cache(maxsize=4096)
def _phrase(text: str) -> Words:
    """A phrase of a vocabulary; the same few are asked for with every mail."""
    return _words(text)


def _phrases(vocabulary: Vocabulary, key: str) -> set[Words]:
    """The phrases of a key."""
    return {_phrase(text) for text in vocabulary.get(key, ())} - {()}


def _by_length(phrases: Iterable[Words]) -> list[Words]:
    """Phrases, those of most words first: `remove me` before `remove`, `end pause` before `end *`."""
    return sorted(set(phrases), key=lambda words: (words.count("*") - len(words), words))


def _find(words: Words, phrase: Words) -> int | None:
    """Where a phrase begins among words."""
    size = len(phrase)
    first = phrase[0]
    for place in range(len(words) - size + 1):
        if words[place] == first and words[place : place + size] == phrase:
            return place
    return None


def _without(words: Words, phrases: Sequence[Words]) -> Words:
    """Words without some phrases, wherever they stand."""
    for phrase in phrases:
        while (place := _find(words, phrase)) is not None:
            words = words[:place] + words[place + len(phrase) :]
    return words


def _stripped(words: Words, droppable: frozenset[str]) -> Words:
    """Words without those at both ends that say nothing."""
    start, end = 0, len(words)
    while start < end and words[start] in droppable:
        start += 1
    while end > start and words[end - 1] in droppable:
        end -= 1
    return words[start:end]


def _single(vocabulary: Vocabulary, key: str) -> frozenset[str]:
    """The words of a key whose entries are single words."""
    return frozenset(word for phrase in _phrases(vocabulary, key) for word in phrase)


def _names(words: Words, vocabulary: Vocabulary) -> Words | None:
    """The categories that words name; None if they are part of a sentence."""
    filler, between = _single(vocabulary, "filler") | _MARKS, _single(vocabulary, "and") | _COMMAS
    sentence = _single(vocabulary, "sentence")
    names: list[Words] = []
    start = 0
    for place in range(len(words) + 1):
        if place == len(words) or words[place] in between:
            if name := _stripped(words[start:place], filler):
                names.append(name)
            start = place + 1
    is_sentence = any(len(name) > _WORDS_OF_A_NAME or not sentence.isdisjoint(name) for name in names)
    return None if is_sentence or len(names) > _NAMES else tuple(" ".join(name) for name in names)


class _Courtesies:
    """What people write around a command, in all languages at once."""

    def __init__(self, vocabularies: Sequence[Vocabulary]) -> None:
        self._please, self._hello, self._thanks, self._closing = (
            _by_length(phrase for vocabulary in vocabularies for phrase in _phrases(vocabulary, key))
            for key in ("please", "hello", "thanks", "closing")
        )
        self._begins_please = frozenset(phrase[0] for phrase in self._please)

    def without_please(self, words: Words) -> Words:
        """Words without what makes them polite."""
        # Asked of every phrase of every language for each mail; few have a please in them.
        return words if self._begins_please.isdisjoint(words) else _without(words, self._please)

    def closes(self, words: Words) -> bool:
        """Whether a line says goodbye, so that a signature follows."""
        return len(words) <= _CLOSING_WORDS and any(
            words[: len(phrase)] == phrase for phrase in self._closing
        )

    def versions(self, words: Words) -> Iterator[Words]:
        """A sentence without them: as little as can be dropped first, then also whom it greets."""
        for phrase in (*self._thanks, *self._closing):
            if (place := _find(words, phrase)) is not None:
                words = words[:place]
        rest = self.without_please(words)
        greeting = next((phrase for phrase in self._hello if rest[: len(phrase)] == phrase), ())
        rest = rest[len(greeting) :]
        yield _stripped(rest, _COMMAS)
        # `Dear Ann,` and `Hello Ann` greet somebody by up to three words.
        comma = next((place for place, word in enumerate(rest) if word in _COMMAS), len(rest))
        if greeting and comma <= _GREETED_WORDS:
            yield _stripped(rest[comma:], _COMMAS)


class _Reader:
    """Reads mails with the words of one language."""

    def __init__(self, vocabulary: Vocabulary, courtesies: _Courtesies) -> None:
        self._vocabulary = vocabulary
        self._courtesies = courtesies
        self._whole = [
            *((phrase, Command(verb)) for key, verb in _WHOLE.items() for phrase in self._phrases(key)),
            *(
                (phrase, Command(Verb.FREQUENCY, frequency=frequency))
                for key, frequency in _FREQUENCIES.items()
                for phrase in self._phrases(key)
            ),
        ]
        named = {phrase: verb for key, verb in _NAMED.items() for phrase in self._phrases(key)}
        self._named = [(phrase, named[phrase]) for phrase in _by_length(named)]
        self._common = self._phrases("common")
        self._every = {" ".join(phrase) for phrase in _phrases(vocabulary, "all")}
        self._filler = _single(vocabulary, "filler") | _MARKS
        self._around = _single(vocabulary, "around") | self._filler
        self._sentence = _single(vocabulary, "sentence")

    def _phrases(self, key: str) -> set[Words]:
        """The phrases of a key as they stand in what is left of a sentence without its please."""
        return {self._courtesies.without_please(phrase) for phrase in _phrases(self._vocabulary, key)} - {()}

    def read(self, subject: str, text: str) -> Command | None:
        """The command of a mail, if that is all it is."""
        found, others = [], 0
        is_letter = has_sentence = False
        if command := self._command(_words(subject)):
            found.append(command)
        for number, sentence in enumerate(_sentences(text)):
            if number == _SENTENCES or others > _MOST_OTHER_WORDS:
                return None
            words = _words(sentence)
            if self._courtesies.closes(words):
                break
            if command := self._command(words):
                found.append(command)
            elif all(self._courtesies.versions(words)):
                others += len(words)
                is_letter |= "?" in words
                has_sentence |= not self._sentence.isdisjoint(words)
        merged = _merged([command for command, _ in found])
        if merged is None or is_letter:
            return None
        if merged.verb in _OTHER_WORDS and not any(is_common for _, is_common in found):
            return merged if others <= _OTHER_WORDS[merged.verb] else None
        return None if has_sentence or others > _NAME_AND_SURNAME else merged

    def _command(self, words: Words) -> tuple[Command, bool] | None:
        """The command that one sentence gives, and whether it may well be none if anything else is said."""
        for version in self._courtesies.versions(words):
            asked = version[:-1] if version[-1:] == ("?",) else version
            if asked and (found := self._whole_command(asked) or self._named_command(asked)) is not None:
                return found
        return None

    def _whole_command(self, words: Words) -> tuple[Command, bool] | None:
        """A command that names no category."""
        forms = (words, _stripped(words, self._filler), _stripped(words, self._around))
        return next(((command, False) for phrase, command in self._whole if phrase in forms), None)

    def _named_command(self, words: Words) -> tuple[Command, bool] | None:
        """A command behind which categories may be named; the longest phrase that fits counts."""
        for phrase, verb in self._named:
            rest = _rest(words, phrase)
            if rest is None:
                continue
            weeks = None
            if verb is Verb.PAUSE:
                weeks, rest = self._length(rest)
            names = _names(rest, self._vocabulary)
            # To subscribe somebody else is no command.
            is_for_another = verb is Verb.JOIN and _AN_ADDRESS in rest
            if names is None or is_for_another or (weeks is not None and not _is_pause(weeks, names)):
                return None
            if not self._every.isdisjoint(names):
                return (Command(Verb.STOP) if verb is Verb.LEAVE else Command(verb, weeks=weeks)), False
            is_common = phrase in self._common and bool(names)
            return Command(verb, tuple(dict.fromkeys(names)), weeks=weeks), is_common
        return None

    def _length(self, words: Words) -> tuple[int, Words]:
        """The weeks of a pause, and the words without them."""
        numbers = {
            word: number
            for number, entry in enumerate(self._vocabulary.get("numbers", ()), start=1)
            for word in _phrase(entry)
        }
        units = {word: unit for unit in _WEEKS for word in _single(self._vocabulary, unit)}
        for place, word in enumerate(words):
            if word in units:
                before = words[place - 1] if place else ""
                number = int(before) if before.isascii() and before.isdigit() and len(before) < 5 else 0
                number = number or numbers.get(before, 0)
                start = place - 1 if before.isdigit() or number else place
                count = (number if start < place else 1) * _WEEKS[units[word]]
                length = math.ceil(count) if units[word] == "day" else round(count)
                return length, words[:start] + words[place + 1 :]
        return _PAUSE_WEEKS, words


def _is_pause(weeks: int, names: Words) -> bool:
    """Whether a pause can be so long, and its names are none of days (`until 1 March`)."""
    return 0 < weeks <= _LONGEST_PAUSE_WEEKS and not any(
        word.isdigit() for name in names for word in name.split()
    )


def _rest(words: Words, phrase: Words) -> Words | None:
    """What words say besides a phrase, if they begin with it, or fit around its `*`."""
    star = phrase.index("*") if "*" in phrase else len(phrase)
    before, behind = phrase[:star], phrase[star + 1 :]
    if len(words) < len(before) + len(behind) or words[: len(before)] != before:
        return None
    end = len(words) - len(behind)
    return words[len(before) : end] if words[end:] == behind else None


def _sentences(text: str) -> Iterator[str]:
    """The sentences of a text, lines that a mail program broke joined."""
    lines: list[str] = []
    before = ""
    for line in text.split("\n"):
        if len(before) >= _WRAPPED and line.strip():
            lines[-1] += f" {line}"
        else:
            lines.append(line)
        before = line
    yield from _SENTENCE_END.split("\n".join(lines))


def _merged(commands: Sequence[Command]) -> Command | None:
    """One command of several that say the same; None if they do not."""
    # "Help" above a clear command is a sigh.
    clear = [command for command in commands if command.verb is not Verb.HELP] or list(commands)
    if not clear or len({(command.verb, command.frequency) for command in clear}) > 1:
        return None
    categories = dict.fromkeys(name for command in clear for name in command.categories)
    lengths = {command.weeks for command in clear if command.weeks != _PAUSE_WEEKS} or {clear[0].weeks}
    return replace(clear[0], categories=tuple(categories), weeks=lengths.pop()) if len(lengths) == 1 else None
