"""Who announces whom: the ways in which posts say that somebody begins to speak.

Two ways are read. A speaker line names its speaker in bold, with a time or nothing after it (`**Ann Lee**`,
`**Ann Lee:**`, `**Ann Lee** 10:42`); what follows is theirs. A label stands before the words themselves
(`Ann: …`, `**Ann:** …`, `Q: …`), paragraph by paragraph, in a list, or line by line.

Promises: `cast_of` believes a name only on evidence, since bold lines and labels are other things as well
(`**Work experience**`, `Pros: …`); what it does not believe, and the post's editor should decide, is a
`Doubt`. All of it is pure and linear.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import pairwise
from xml.etree.ElementTree import Element

from newsletter.content.html import append, plain, words
from newsletter.content.tree import Doubt, Speaker

MAX_NAME_WORDS = 5
_MAX_NAME_CHARS = 60
_MAX_TIME_CHARS = 60

_PARTICLES = {"al", "bar", "ben", "bin", "da", "de", "del", "della", "der", "di", "dos", "du", "el", "ibn"}
_PARTICLES |= {"la", "le", "ten", "ter", "van", "von", "y"}
_INITIAL = re.compile(r"\b(?:\w|Dr|Mr|Mrs|Ms|Prof|St|Jr|Sr)\.")
_SENTENCE_MARKS = re.compile(r"[.!?,;:…。！？，、；：]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f\u1e00-\u1eff]")
_WORD = re.compile(r"[^\W\d_]+")

_NO_NAMES = words(
    """
    a about advantages advice after also an and answers any anybody anyone application approach are as
    at author background bad basics be before benefits bonus books bottom but by can career careers
    caution caveats challenges changes chapter check checklist choose code comments common company
    conclusion conclusions cons contact contents context courses coverage credits date days details
    difference disadvantages disclaimer disclosure do does don't download each edit education effort
    email epilogue error evening every everybody everyone example examples exercise expected experience
    fact facts faq figure final find finding first focus for fourth friday from further general get
    getting goal goals good great guide have he here hint hints history how i idea ideas if image
    important in info input interests intro introduction is issue it job jobs keep know language
    languages last learn learning lesson lessons level license limits line link links list location make
    management method methods mistake mistakes monday money month more morning motivation my myth name
    networking never new news next no nobody note notes now objective of on one option options or other
    our outline output overview part people phone photo photos plan plans point points postscript
    practice preface preparation problem problems process projects prologue pros ps publications purpose
    qualifications quick quote reader readers reading reason reasons recap recommendation
    recommendations recommended references related remember requirements research resources
    responsibilities result results resume review reviews role roles rule rules salary sample saturday
    schedule second section see setup she should size skill skills so solution solutions some somebody
    someone source sources start status step steps stop strategy strengths subject sum summary sunday
    table takeaway takeaways tasks teaching team technical the their then theory these they thing things
    third this three thursday time timeline tip tips title titles tl;dr to today tools topic topics
    training tuesday two type types understand update updates us use using value values version video
    volunteering warning warnings we weaknesses wednesday week what when where which who why winner with
    work working write writing wrong year years you your
    """
)
"""Words of headings and labels, in lower case: what contains one of them is no name."""

_ASKING_LABELS = frozenset(
    {"q", "question", "frage", "f", "pregunta", "p", "вопрос", "в", "שאלה", "ש", "س", "問", "问"}
)
_ANSWERING_LABELS = frozenset(
    {"a", "answer", "antwort", "réponse", "r", "respuesta", "ответ", "о", "תשובה", "ת", "ج", "答"}
)
_TIME_PART = (
    r"\d{1,4}(?:[:./h-]\d{1,4}){0,2}(?:st|nd|rd|th)?|[AaPp]\.?[Mm]\.?|at|on|um|à|"
    r"[Tt]oday|[Yy]esterday|UTC|GMT|[ECMP][SD]T|CES?T|"
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\.?"
)
_TIME = re.compile(rf"[\s,·|–—-]*[\[(]?((?:(?:{_TIME_PART})(?:[\s,]+|(?=[\])]|:?\Z)))+)[\])]?:?")
_LABEL = re.compile(r"\s*([^\s:：][^:：\n]{0,59}?)\s*[:：](?!//)")


@dataclass(frozen=True, slots=True)
class Announcement:
    """Somebody begins to speak. `words` are what the same block has of their turn.

    `is_label` says that a label announced it: it speaks for its own paragraph first of all.
    """

    name: str
    time: str | None
    words: tuple[Element, ...]
    is_label: bool


@dataclass(frozen=True, slots=True)
class Cast:
    """Whom a post may announce, by the words that announce them, folded."""

    lines: Mapping[str, str]
    labels: Mapping[str, str]
    doubts: tuple[Doubt, ...] = ()

    def announced(self, block: Element) -> list[Announcement]:
        """Whom a block announces, in order; empty for a block that announces nobody."""
        if line := _line_of(block):
            name, time, words = line
            if is_known := self.lines.get(_fold(name)):
                return [Announcement(is_known, time, words, is_label=False)]
        units = list(_labelled(block))
        if not units or any(_fold(label) not in self.labels for label, _ in units):
            return []
        return [
            Announcement(self.labels[_fold(label)], None, tuple(words), is_label=True)
            for label, words in units
        ]


def unbelieved(block: Element, *, plain_too: bool) -> str | None:
    """The bold line or label that a block begins with, though nothing says that anybody speaks.

    Who is speaking there is not known (`**Update:** …`, `**My books**`). With `plain_too` a label that is not
    bold counts as well.
    """
    if block.tag != "p" or not (plain_too or not (block.text or "").strip()):
        return None
    cut, line = _cut_label(block), _line_of(block)
    words = cut[0] if cut else line[0] if line else ""
    is_title = bool(words) and len(words.split()) <= MAX_NAME_WORDS and words[-1] not in ".!?…。！？"
    return words if is_title and not words[0].islower() else None


def cast_of(
    blocks: Sequence[Element], *, title: str, speakers: Sequence[Speaker], author: str | None
) -> Cast:
    """Decide who speaks in a post, by what its front matter declares and by what the text shows."""
    declared = _declared(speakers, author)
    lines, doubts = _believed_lines(blocks, title, declared)
    labels, more = _believed_labels(blocks, title, declared, lines)
    return Cast(lines, labels, (*doubts, *more))


def _declared(speakers: Sequence[Speaker], author: str | None) -> dict[str, str]:
    """Whom the front matter names, by every word that may announce them, folded.

    A first name does, if it is one speaker's only.
    """
    names = [speaker.name for speaker in speakers]
    if author and author not in names:
        names.append(author)
    first = Counter(_fold(name).partition(" ")[0] for name in names)
    declared = {word: name for name in names if first[word := _fold(name).partition(" ")[0]] == 1}
    declared |= {_fold(word): who.name for who in speakers for word in who.labels}
    return declared | {_fold(name): name for name in names}


def is_name(text: str) -> bool:
    """Tell a name from a remark: few words, capitals where the script has them, no sentence marks."""
    words = text.split()
    if not 1 <= len(words) <= MAX_NAME_WORDS or len(text) > _MAX_NAME_CHARS or not text[0].isalpha():
        return False
    if _SENTENCE_MARKS.search(_INITIAL.sub("", text)) or (_LATIN.match(text) and text[0].islower()):
        return False
    if any(word.lower() in _NO_NAMES and word.lower() not in _PARTICLES for word in words):
        return False
    return not any(word[0].islower() and word not in _PARTICLES for word in words[1:])


def mentions(text: str, name: str) -> bool:
    """Whether a text names somebody: in full, or by a part of three letters or more.

    Latin names are matched as whole words. In scripts that attach prepositions or cases to a name, or write
    no spaces, a name inside a longer word counts too.
    """
    parts = [part for part in _WORD.findall(name) if len(part) >= 3]
    text = unicodedata.normalize("NFC", text)
    return any(_has(text, part) for part in (name, *parts))


def lines_of(paragraph: Element) -> list[Element]:
    """Divide a paragraph at its line breaks, `<br>` or plain, outside inline markup."""
    lines = [Element("p", paragraph.attrib)]

    def write(text: str | None) -> None:
        first, *others = (text or "").split("\n")
        append(lines[-1], first)
        for other in others:
            lines.append(Element("p", paragraph.attrib))
            lines[-1].text = other

    write(paragraph.text)
    for child in paragraph:
        if child.tag == "br":
            lines.append(Element("p", paragraph.attrib))
        else:
            bare = copy(child)
            bare.tail = None
            lines[-1].append(bare)
        write(child.tail)
    return [line for line in lines if len(line) or (line.text or "").strip()]


def _has(text: str, name: str) -> bool:
    whole_word = rf"(?<!\w){re.escape(name)}(?!\w)"
    return re.search(whole_word, text) is not None if _LATIN.match(name) else name in text


def _fold(name: str) -> str:
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _line_of(block: Element) -> tuple[str, str | None, tuple[Element, ...]] | None:
    """(name, time, the words on the lines below) of a paragraph whose first line is one bold name."""
    if block.tag != "p" or not len(block) or block[0].tag != "strong" or (block.text or "").strip():
        return None
    bold = block[0]
    if bold.find(".//img") is not None:
        return None
    name = unicodedata.normalize("NFC", plain(bold)).replace("\n", " ")
    after, newline, rest = (bold.tail or "").partition("\n")
    is_alone = bool(newline) or len(block) == 1 or block[1].tag == "br"
    if not is_alone or not name or len(name) > _MAX_NAME_CHARS:
        return None
    after = after.strip()
    if after in ("", ":", "："):
        time = None
        name = name if after else name.removesuffix(":").removesuffix("：").rstrip()
    elif len(after) <= _MAX_TIME_CHARS and (found := _TIME.fullmatch(after)) and any(map(str.isdigit, after)):
        time = found[1].strip(" ,")
        name = name.removesuffix(":")
    else:
        return None
    return name, time, _below(block, rest)


def _below(block: Element, rest: str) -> tuple[Element, ...]:
    """What a paragraph says after its first line, which was its first child."""
    words = Element("p", block.attrib)
    words.text = rest.lstrip()
    others = list(block)[1:]
    if not rest and others and others[0].tag == "br":
        words.text = (others[0].tail or "").lstrip()
        others = others[1:]
    words.extend(others)
    return (words,) if len(words) or words.text else ()


def _labelled(block: Element) -> Iterator[tuple[str, list[Element]]]:
    """(label, words) of each part of a block that has one: a paragraph, its lines, or a list's items.

    Nothing is given unless the first part has a label. Lines without one go on with the line above.
    """
    if block.tag in ("ul", "ol"):
        items = [_cut_label(item) for item in block]
        if items and all(items):
            yield from ((label, _as_blocks(words)) for label, words in filter(None, items))
    elif block.tag == "p" and (whole := _cut_label(block)):
        lines = [(line, _cut_label(line)) for line in lines_of(block)]
        if sum(cut is not None for _, cut in lines) < 2:
            yield whole[0], _as_blocks(whole[1])
            return
        label, words = "", Element("p")
        for line, cut in lines:
            if cut:
                if label:
                    yield label, _as_blocks(words)
                label, words = cut
            else:
                append(words, "\n" + (line.text or ""))
                words.extend(line)
        yield label, _as_blocks(words)


def _as_blocks(element: Element) -> list[Element]:
    """The words of a paragraph or list item as blocks."""
    if element.tag == "p":
        return [element] if len(element) or (element.text or "").strip() else []
    first = Element("p", element.attrib)
    first.text = element.text
    blocks = [first]
    for child in element:
        if child.tag in ("p", "ul", "ol", "blockquote", "pre", "table", "figure", "dl"):
            blocks.append(child)
        else:
            if blocks[-1] is not first:
                first = Element("p")
                blocks.append(first)
            first.append(child)
    return [block for block in blocks if len(block) or (block.text or "").strip()]


def _cut_label(element: Element) -> tuple[str, Element] | None:
    """(label, what follows it) of an element that begins with one, bold or plain."""
    if (element.text or "").strip():
        found = _LABEL.match(element.text or "")
        return (
            (found[1], _with(element, (element.text or "")[found.end() :], list(element))) if found else None
        )
    if not len(element):
        return None
    first, *others = element
    if first.tag == "p" and element.tag == "li":
        inner = _cut_label(first)
        return (inner[0], _with(element, "", [inner[1], *others])) if inner else None
    return _cut_bold_label(element, first, others) if first.tag in ("strong", "em") else None


def _cut_bold_label(element: Element, bold: Element, others: Sequence[Element]) -> tuple[str, Element] | None:
    """The same where the label is in `bold`, the first child: all of it, or its beginning."""
    text, tail = "".join(bold.itertext()).strip(), (bold.tail or "")
    has_colon = text.endswith((":", "："))
    if has_colon or tail.lstrip().startswith((":", "：")):
        label = text.rstrip(":： \u00a0")
        if not label or len(label) > _MAX_NAME_CHARS or "\n" in label:
            return None
        return label, _with(element, tail if has_colon else tail.lstrip()[1:], others)
    if found := _LABEL.match(
        bold.text or ""
    ):  # `**Q: What then?**`: the label and the words are bold together
        inside = copy(bold)
        inside.text = (bold.text or "")[found.end() :].lstrip()
        return found[1], _with(element, "", [inside, *others])
    return None


def _with(element: Element, text: str, children: Sequence[Element]) -> Element:
    """An element of the same kind with other content."""
    other = Element(element.tag, element.attrib)
    other.text = text.lstrip()
    other.extend(children)
    return other


def _believed_lines(
    blocks: Sequence[Element], title: str, declared: dict[str, str]
) -> tuple[dict[str, str], list[Doubt]]:
    """Speaker lines that are believed: whom they announce, by the folded name."""
    by_block = [_line_of(block) for block in blocks]
    every = [line for line in by_block if line]
    found = [line for line in every if is_name(line[0]) or _fold(line[0]) in declared]
    is_declared = any(_fold(name) in declared for name, _, _ in found)
    if len(found) < 2 and not is_declared:
        return dict(declared), []
    counts = Counter(_fold(name) for name, _, _ in found)
    proven = {
        _fold(name) for name, time, _ in found if _fold(name) in declared or time or counts[_fold(name)] > 1
    }
    if unproven := [name for name, _, _ in found if _fold(name) not in proven]:
        others = (block for block, line in zip(blocks, by_block, strict=True) if line is None)
        named = _words_of(title, others)
        proven |= {_fold(name) for name in unproven if named & set(_WORD.findall(name))}
    # A bold line that is surely no name makes every other a heading, unless something speaks for it.
    has_headings = any(not is_name(name) and name[0].isupper() for name, _, _ in every) and not is_declared
    if has_headings and not proven:
        found = []
    elif has_headings or not proven:  # headings too have words on the line below
        found = [line for line in found if not line[2]]
    believed = {_fold(name) for name, _, _ in found} | proven
    if not believed:
        return dict(declared), [_undecided([name for name, _, _ in every if is_name(name)])]
    lines = {_fold(name): name for name, _, _ in reversed(every) if _fold(name) in believed}
    return lines | declared, []


def _believed_labels(
    blocks: Sequence[Element], title: str, declared: Mapping[str, str], lines: Mapping[str, str]
) -> tuple[dict[str, str], list[Doubt]]:
    """Labels that are believed: whom they announce, by the folded label."""
    units = [(label, words) for block in blocks for label, words in _labelled(block)]
    order = [_fold(label) for label, _ in units]
    if not (set(order) - lines.keys()):
        return dict(lines), []
    conventional = _questions_and_answers(order)
    believed = dict(lines)
    believed |= {_fold(label): label for label, _ in reversed(units) if _fold(label) in conventional}
    if len(lines) > len(declared):  # speaker lines are how this post does it
        return believed, []
    names = {_fold(label): label for label, _ in reversed(units) if is_name(label)}
    counts = Counter(label for label in order if label in names)
    often = {label for label, count in counts.items() if count > 1} - believed.keys()
    changes = sum(one != other for one, other in pairwise(label for label in order if label in often))
    if len(often) < 2 or changes < 2:
        others = [label for label in order if label in names.keys() - believed.keys()]
        turns = sum(one != other for one, other in pairwise(others))
        is_talk = bool(often) and turns > 1 and len(others) > 2
        return believed, [_undecided([names[label] for label in others])] if is_talk else []
    asked = any(
        _fold(label) in often and plain(words[-1]).rstrip("\"”»' ").endswith(("?", "？", "؟"))
        for label, words in units
        if words
    )
    labelled = set(map(id, (block for block in blocks if any(True for _ in _labelled(block)))))
    elsewhere = _words_of(title, (block for block in blocks if id(block) not in labelled))
    if asked or any(elsewhere & set(_WORD.findall(names[label])) for label in often):
        return believed | {label: names[label] for label in often}, []
    return believed, [_undecided([names[label] for label in order if label in often])]


def _questions_and_answers(order: Sequence[str]) -> frozenset[str]:
    """The labels, if a question's is followed by an answer's; they may be numbered (`Q1`)."""
    bare = [re.sub(r"[\s.]*\d*\.?$", "", label) for label in order]
    pairs = any(one in _ASKING_LABELS and other in _ANSWERING_LABELS for one, other in pairwise(bare))
    both = _ASKING_LABELS | _ANSWERING_LABELS
    return frozenset(label for label, word in zip(order, bare, strict=True) if pairs and word in both)


def _words_of(title: str, blocks: Iterable[Element]) -> set[str]:
    """The words of a title and of blocks, of three letters or more."""
    words: set[str] = set()
    for text in (title, *map(plain, blocks)):
        words.update(word for word in _WORD.findall(unicodedata.normalize("NFC", text)) if len(word) >= 3)
    return words


def _undecided(names: Sequence[str]) -> Doubt:
    different = list(dict.fromkeys(names))
    shown = ", ".join(f"“{name}”" for name in different[:3]) + (" and others" if len(different) > 3 else "")
    return Doubt(
        f"{shown} look like speakers and were read as prose: if they speak, name them under `speakers:` in "
        f"the front matter; if not, write them as headings",
        names[0],
    )
