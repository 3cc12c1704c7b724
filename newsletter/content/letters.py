"""Letters in posts: a question somebody wrote, and the answer that the post's author gives.

Three forms are read. A quotation under a line that says whose it is (`On 3 May, Ann wrote:`, `Ann asked:`) is
hers. A quotation that begins like a letter, or is announced as one, is the question; what the author
writes between its parts and below it is the answer. A section under a heading such as “The question” with one
such as “The answer” after it is what the headings say.

Promises: no block is lost or repeated. What stands outside of quotations was written by the post's author, so
that calling it the answer puts no words into anyone's mouth; a quotation that names its source (`— Seneca`),
or looks like no letter, stays a quotation. Who wrote a letter is said only where the post says so; else it is
“Question”, and “Answer” where the post names no author.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from newsletter.content.html import plain
from newsletter.content.speaking import is_name
from newsletter.content.tree import Speaker, Turn

HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_NEAR_CHARS = 400
"""How much of a paragraph is looked at: its end says what it announces."""

_GREETING = re.compile(
    r"[\s\"“”„«'‘>*_]*(?:hi|hello|hey|dear|greetings|good (?:morning|afternoon|evening|day)|hallo|"
    r"lieber?|guten tag|bonjour|chère?|salut|hola|estimad[oa]|querid[oa]|buen[oa]s|ciao|car[oa]|"
    r"gentile|olá|prezad[oa]|hej|ahoj|cześć|привет|здравствуй(?:те)?|добрый день|уважаем(?:ый|ая)|"
    r"дорог(?:ой|ая)|שלום|היי|הי|مرحبا|السلام عليكم|"
    r"عزيز[يت]ي?|こんにちは|はじめまして|你好|您好|안녕하세요)(?!\w)",
    re.IGNORECASE,
)
_ANNOUNCED = re.compile(
    r"\b(?:e-?mails?|letters?|messages?|questions?|inquiry|correspondence|exchange|wrote|writes|asked|asks)\b"
    r"|письм|вопрос|написал|спросил|שאל|מכתב|מייל|אימייל|رسالة|سؤال",
    re.IGNORECASE,
)
_FORWARDED = re.compile(r"\s*-{3,}\s*(?:forwarded|original|begin|weitergeleitet|ursprünglich)", re.IGNORECASE)
_SOURCE = re.compile(r"\s*(?:[—–―]|--|~)\s*\S")
_ASKING = (
    r"questions?|e-?mails?|letters?|messages?|ask|frage|brief|pregunta|carta|вопрос|письмо|השאלה|שאלה|המכתב"
)
_ANSWERING = r"answers?|repl(?:y|ies)|responses?|advice|antwort|respuesta|réponse|ответ|התשובה|תשובה"
_OWNED = r"(?:(?:the|an?|my|our|your|their|his|her|original|reader|(?:\w+['’]s))\s+){0,3}"
_ASKING_HEADING = re.compile(rf"{_OWNED}(?:{_ASKING})[.:]?", re.IGNORECASE)
_ANSWERING_HEADING = re.compile(rf"{_OWNED}(?:{_ANSWERING})[.:]?", re.IGNORECASE)
_WROTE = re.compile(
    r"(?:on|am|le|el|il|den|op)\s.{3,120}?(?:,|\d{1,2}[:.h]\d{2}(?:\s*[ap]\.?m\.?)?,?)\s*"
    r"(?P<mailed>[^,\d<>@:]{2,60}?)\s*(?:[<\[]?[^<>\[\]\s]{1,100}@[^<>\[\]\s]{1,100}[>\]]?)?\s*"
    r"(?:wrote|schrieb|a écrit|escribió|ha scritto|skrev|schreef)\s*[:：]",
    re.IGNORECASE,
)
_SAID = re.compile(
    r"(?P<name>[^,;:.!?<>]{2,60}?)\s+(?:wrote|writes|asks|asked|replied|replies|answered|answers|responded|continued|"
    r"said|says|пишет|написала?|спросила?|ответила?|schreibt|schrieb|fragt)(?:\s[^:.!?]{1,40})?\s*[:：]",
)


@dataclass(frozen=True, slots=True)
class Parties:
    """Who writes to whom, as far as the post says: the names to put over the letter and its answer."""

    asker: str
    answerer: str


def parties(speakers: Sequence[Speaker], author: str | None) -> Parties:
    """The parties of a post's letters: its author, and the one other speaker it declares, if it is one."""
    mine = next((speaker.name for speaker in speakers if speaker.is_author), author)
    others = [speaker.name for speaker in speakers if speaker.name != mine]
    return Parties(others[0] if len(others) == 1 else "Question", mine or "Answer")


def read_letters(
    blocks: Sequence[Element], who: Parties, *, only_named: bool = False
) -> list[Element | Turn]:
    """Find the letters in a run of blocks; with `only_named` those alone that a line gives a name to."""
    if only_named:
        return list(_with_named(blocks))
    parts: list[Element | Turn] = []
    rest = list(blocks)
    while rest:
        if headed := _headed(rest):
            before, turns, rest = headed
            parts += [*_interleaved(before, who), *turns]
        else:
            parts += _interleaved(rest, who)
            break
    return parts


def _headed(blocks: list[Element]) -> tuple[list[Element], list[Turn], list[Element]] | None:
    """(blocks before, question and answer, blocks after) of the first pair of sections so headed."""
    asking = next(_under(blocks, _ASKING_HEADING, 0), None)
    if asking is None:
        return None
    answering = next(_under(blocks, _ANSWERING_HEADING, asking + 1), None)
    if answering is None:
        return None
    question = blocks[asking + 1 : answering]
    while question and question[-1].tag == "hr":
        question.pop()
    level = blocks[asking].tag
    if not question or any(part.tag in ("blockquote", "hr") or _ends(part, level) for part in question):
        return None
    level = blocks[answering].tag
    end = next(
        (
            at
            for at in range(answering + 1, len(blocks))
            if blocks[at].tag == "hr" or _ends(blocks[at], level)
        ),
        len(blocks),
    )
    answer = blocks[answering + 1 : end]
    if not answer:
        return None
    turns = [
        Turn(plain(blocks[asking]), div(question), is_letter=True),
        Turn(plain(blocks[answering]), div(answer)),
    ]
    return blocks[:asking], turns, blocks[end:]


def _under(blocks: Sequence[Element], heading: re.Pattern[str], start: int) -> Iterator[int]:
    for at in range(start, len(blocks)):
        if blocks[at].tag in HEADINGS and heading.fullmatch(plain(blocks[at])[:_NEAR_CHARS]):
            yield at


def _ends(block: Element, level: str) -> bool:
    """Whether a block is a heading that ends a section of a heading's level."""
    return block.tag in HEADINGS and block.tag <= level


def _interleaved(blocks: Sequence[Element], who: Parties) -> Iterator[Element | Turn]:
    """Quoted parts of a letter, and the author's answers between and below them."""
    first = next((at for at in range(len(blocks)) if _is_letter(blocks, at)), None)
    if first is None or not any(_is_words(block) for block in blocks[first + 1 :]):
        yield from _with_named(blocks)
        return
    asker = (_named(blocks[first - 1]) if first else None) or who.asker
    yield from blocks[:first]
    answer: list[Element] = []
    is_open = False
    for at, block in enumerate(blocks[first:], start=first):
        # A line that announces a quotation says whose that one is, and of no other; else it is the letter's.
        named = _named(blocks[at - 1]) if at else None
        is_foreign = at > first and named is None and _announces(blocks[at - 1])
        if block.tag == "blockquote" and not _has_source(block) and not (is_open and is_foreign):
            if answer:
                yield Turn(who.answerer, div(answer))
                answer = []
            yield Turn(named or asker, div(list(block)), is_letter=True)
            is_open = True
        elif block.tag in HEADINGS or block.tag == "hr" or _forwards(block) or not is_open:
            if answer:
                yield Turn(who.answerer, div(answer))
                answer = []
            is_open = False
            yield block
        else:
            answer.append(block)
    if answer:
        yield Turn(who.answerer, div(answer))


def _with_named(blocks: Sequence[Element]) -> Iterator[Element | Turn]:
    """Blocks, with quotations whose writer the paragraph above them names as that writer's."""
    above: Element | None = None
    for block in blocks:
        name = _named(above) if above is not None and block.tag == "blockquote" else None
        is_letter = name is not None and not _has_source(block)
        yield Turn(name or "", div(list(block)), is_letter=True) if is_letter else block
        above = block


def _is_letter(blocks: Sequence[Element], at: int) -> bool:
    """Whether a quotation is a letter: it greets somebody, or the paragraph above announces one."""
    block = blocks[at]
    if block.tag != "blockquote" or _has_source(block):
        return False
    if _GREETING.match(plain(block)[:_NEAR_CHARS]):
        return True
    if not at or not _announces(blocks[at - 1]):
        return False
    return _ANNOUNCED.search(plain(blocks[at - 1])[-_NEAR_CHARS:]) is not None


def _announces(block: Element) -> bool:
    """Whether a paragraph ends as one does that announces what follows it."""
    return block.tag == "p" and plain(block)[-_NEAR_CHARS:].rstrip().endswith((":", "："))


def _forwards(block: Element) -> bool:
    """Whether a paragraph begins another mail, pasted below."""
    return _FORWARDED.match(plain(block)[:_NEAR_CHARS]) is not None


def _named(block: Element) -> str | None:
    """The name of whom a paragraph says that they wrote what follows it."""
    if block.tag != "p":
        return None
    line = plain(block).rpartition("\n")[2]
    if len(line) > _NEAR_CHARS:
        return None
    found = _WROTE.fullmatch(line) or _SAID.fullmatch(line)
    name = found.group(1).strip(" \"“”'") if found else ""
    return name if name and is_name(name) else None


def _has_source(quotation: Element) -> bool:
    """Whether a quotation says where it is from, as quotations from books do."""
    if quotation.find(".//cite") is not None:
        return True
    last = quotation[-1] if len(quotation) else None
    return last is not None and len(quotation) > 1 and _SOURCE.match(plain(last)[:_NEAR_CHARS]) is not None


def _is_words(block: Element) -> bool:
    return block.tag in ("p", "ul", "ol", "dl", "pre", "table")


def div(blocks: Sequence[Element]) -> Element:
    """Blocks under one element, as bodies of prose and turns have them."""
    body = Element("div")
    body.extend(blocks)
    return body
