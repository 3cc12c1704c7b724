"""What a person wrote in a mail, without what they quoted and what their program signed.

Promises: no text raises, and time grows with its length. What stands between and below quoted lines is kept,
so an answer under the quote is found.

May surprise: where a program quotes without marks (Outlook, Yahoo), all below its separator is taken for
quoted, since nothing says where the quote ends. A line that names no author and no day is never taken for
the head of a quote, unless marked lines follow it.
"""

import re
from collections.abc import Sequence

from newsletter.content.html import words

_LINES = 10_000
"""Lines that are looked at."""
_LONGEST_HEAD = 300
"""Characters of the line that heads a quote, once it is unfolded."""
_MARKS = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069]")
"""Marks of direction, which Hebrew and Arabic programs put around names and dates."""

_QUOTED = re.compile(r"\s{0,4}>")
_HEAD_OPENS = re.compile(
    r"""(?: On | At | Am | Le | El | Il | Il\ giorno | Op | Em | Den | Dne | Pe | W\ dniu | Вт | Ср | Чт | Пт
      | Сб | Вс | Пн | בתאריך | ב- | ב־ | بتاريخ | في )\b | [0-9«"<(]""",
    re.IGNORECASE | re.VERBOSE,
)
_HEAD_SAYS = re.compile(
    r"""\b(?: wrote | writes | schrieb | a\ écrit | écrit | escribió | ha\ scritto | schreef | escreveu
      | skrev | napisał | napisała | pisze | написал | написала | пишет | napsal
      | napsala | a\ scris | kirjoitti
      | yazdı )\b | כתב | כתבה | מאת | كتب""",
    re.IGNORECASE | re.VERBOSE,
)
_HEAD_NAMES = re.compile(r"\d|@")
_SEPARATOR = re.compile(r"\s*[-‐–—_=]{2,}\s*(\w[^-‐–—_=\n]{3,60}?)\s*[-‐–—_=]{2,}\s*\Z")
_SEPARATES = re.compile(
    r"""(?:original|forwarded)\ (?:message|mail) | begin\ forwarded | reply\ message
      | (?:ursprüngliche|weitergeleitete|original)[\ -]?(?:nachricht|mail)
      | message\ (?:d'origine|original|transféré) | mensaje\ (?:original|reenviado)
      | mensagem\ (?:original|encaminhada) | messaggio\ (?:originale|inoltrato) | oorspronkelijk\ bericht
      | doorgestuurd\ bericht | исходное | пересылаемое | wiadomość | הודעה""",
    re.IGNORECASE | re.VERBOSE,
)
_BEGIN_FORWARDED = re.compile(
    r"""\s*(?: begin\ forwarded\ message | anfang\ der\ weitergeleiteten\ nachricht
      | début\ du\ message\ (?:réexpédié|transféré) | inicio\ del\ mensaje\ reenviado )\s*:\s*\Z""",
    re.IGNORECASE | re.VERBOSE,
)
_RULE = re.compile(r"\s*[_\-‐–—=]{5,}\s*\Z")
_LABEL = re.compile(r"\s*\*{0,2}([^\W\d_][\w. -]{0,20}?)\s?\*{0,2}\s?:\*{0,2}\s*(.*)\Z")
_LABELS = {
    "from": words("from von de da van från fra od от מאת من lähettäjä kimden"),
    "date": words(
        "sent date gesendet datum envoyé enviado fecha data inviato verzonden skickat sendt wysłano "
        "отправлено дата נשלח תאריך تاريخ lähetetty"
    ),
    "to": words("to an à para a aan till til do кому אל إلى vastaanottaja kime"),
    "subject": words(
        "subject betreff objet asunto assunto oggetto onderwerp ämne emne temat тема נושא الموضوع aihe konu"
    ),
}
"""Labels of a message's header, as mail programs write them into a reply."""
_KINDS = {word: kind for kind, words in _LABELS.items() for word in words}
_SIGNATURE = re.compile(r"(?:--|-----BEGIN PGP SIGNATURE-----)\Z")
_SIGNED = "-----BEGIN PGP SIGNED MESSAGE-----"
_SENT_FROM = re.compile(
    r"""\s*[\[(]?(?: sent\ (?:from|with|via|using)\b | get\ outlook\ for\b | yahoo\ mail\s?:
      | gesendet\ (?:von|mit|über|aus)\b | von\ (?:mein\w+|android|outlook)\b.*\ gesendet
      | diese\ nachricht\ wurde\ (?:von|mit) | holen\ sie\ sich\ outlook
      | outlook\ für\ .*\b(?:beziehen|herunterladen)
      | envoyé\ (?:de|depuis|avec|à\ partir)\b | obtenez\ outlook | télécharge[zr]\ outlook
      | enviado\ (?:desde|con|do|a\ partir)\b | obtener\ outlook | obter\ (?:o\ )?outlook
      | inviato\ (?:da|con)\b | scarica\ outlook | verzonden\ (?:vanaf|met|vanuit)\b | verstuurd\ vanaf
      | skickat\ från | sendt\ fra | wysłane?\ z | отправлено\ (?:с|из)\b | נשלח\ מ | قم\ بالحصول )""",
    re.IGNORECASE | re.VERBOSE,
)


def unflowed(text: str, *, without_space: bool) -> str:
    """Lines of format=flowed joined to paragraphs (RFC 3676 §4); `without_space` is its DelSp parameter."""
    lines: list[str] = []
    paragraph: list[str] = []
    depth = 0

    def end() -> None:
        if paragraph:
            lines.append("> " * min(depth, 5) + "".join(paragraph))
            paragraph.clear()

    for line in text.split("\n"):
        content = line.lstrip(">")
        quoted = len(line) - len(content)
        # Lines that begin with a space, or with what would be misread, were given one more.
        content = content.removeprefix(" ")
        if quoted != depth or content == "-- ":
            end()
            depth = quoted
        is_soft = content.endswith(" ") and content != "-- "
        paragraph.append(content[:-1] if is_soft and without_space else content)
        if not is_soft:
            end()
    end()
    return "\n".join(lines)


def without_quotes(text: str) -> str:
    """What the person wrote, in lines, without empty ones at its ends or two of them in a row."""
    lines = [
        _MARKS.sub("", line).replace("\u00a0", " ").rstrip() for line in text.split("\n", _LINES)[:_LINES]
    ]
    kept: list[str | None] = []  # None where a quote stood
    place = 0
    while place < len(lines):
        line = lines[place]
        if _QUOTED.match(line):
            kept.append(None)
            place += 1
        elif _SIGNATURE.match(line):
            # A signature reaches to the quote below it, if there is one.
            place = _next_quoted(lines, place + 1)
        elif line == _SIGNED:
            # Its own header (RFC 9580 §7) ends with an empty line.
            place = next((n for n in range(place, min(place + 10, len(lines))) if not lines[n]), place + 1)
        elif length := _head_length(lines, place):
            kept.append(None)
            place = _behind(lines, place + length)
        else:
            kept.append(line)
            place += 1
    return _tidied(_without_last_words(kept))


def _next_quoted(lines: Sequence[str], place: int) -> int:
    """The next line that is quoted, or that heads a quote; else the end."""
    while place < len(lines) and not _QUOTED.match(lines[place]) and not _head_length(lines, place):
        place += 1
    return place


def _behind(lines: Sequence[str], place: int) -> int:
    """Where to go on behind the head of a quote: at its first line if lines are marked, else at the end."""
    following = next((n for n in range(place, min(place + 4, len(lines))) if lines[n]), None)
    return place if following is not None and _QUOTED.match(lines[following]) else len(lines)


def _head_length(lines: Sequence[str], place: int) -> int:
    """How many lines from here head a quote or a forwarded message; 0 if these do not."""
    line = lines[place]
    if not line or len(line) > _LONGEST_HEAD:
        return 0
    if _BEGIN_FORWARDED.match(line):
        return 1 + _labels_length(lines, place + 1, least=2)
    if (separator := _SEPARATOR.match(line)) and (
        _SEPARATES.search(separator[1]) or _labels_length(lines, place + 1, least=2)
    ):
        return 1 + _labels_length(lines, place + 1, least=2)
    if _RULE.match(line) and (labels := _labels_length(lines, place + 1, least=3)):
        return 1 + labels
    return _labels_length(lines, place, least=3) or _attribution_length(lines, place)


def _attribution_length(lines: Sequence[str], place: int) -> int:
    """How many lines `On 5 January, Ann Lee wrote:` takes, also folded over three; 0 if this is none."""
    line = lines[place].strip()
    if line.endswith(":") and _HEAD_NAMES.search(line):
        follows = next((n for n in lines[place + 1 : place + 3] if n), "")
        # In whatever language: somebody is named with an address or a day, and marked lines follow.
        if _QUOTED.match(follows) or _is_attribution(line):
            return 1
    if not _HEAD_OPENS.match(line):
        return 0
    for length in (2, 3):
        number = place + length - 1
        if number >= len(lines) or not lines[number] or _QUOTED.match(lines[number]):
            return 0
        # A line that is a whole attribution does not continue what the person wrote above it.
        if _is_attribution(lines[number].strip()):
            return 0
        line = f"{line} {lines[number].strip()}"
        if _is_attribution(line):
            return length
    return 0


def _is_attribution(line: str) -> bool:
    """Whether a line says who wrote on what day, in one of our languages."""
    return (
        line.endswith(":")
        and len(line) <= _LONGEST_HEAD
        and all(pattern.search(line) for pattern in (_HEAD_NAMES, _HEAD_SAYS))
        and _HEAD_OPENS.match(line) is not None
    )


def _labels_length(lines: Sequence[str], place: int, *, least: int) -> int:
    """How many lines a block `From: … Sent: … To: … Subject: …` takes, in any of our languages.

    So many different ones of these four are to stand there, one of them who it is from.
    """
    kinds: set[str] = set()
    number, last = place, place
    while number < len(lines) and number - last <= 2 and number - place < 15:
        label = _LABEL.match(lines[number]) if len(lines[number]) <= 2000 else None
        if label is not None:
            kind = _KINDS.get(label[1].casefold())
            if kind is None and not kinds:
                break
            kinds |= {kind} if kind and label[2] else set()
            last = number + 1
        elif not kinds and (lines[number] or number > place + 1):
            break
        number += 1
    return last - place if len(kinds) >= least and "from" in kinds else 0


def _without_last_words(lines: Sequence[str | None]) -> list[str]:
    """Without the `Sent from my phone` of programs: where nothing but a quote or the end follows."""
    kept: list[str] = []
    is_last = True  # nothing of the person's own stands between here and the next quote
    for line in reversed(lines):
        if line is None:
            is_last = True
        elif is_last and len(line) <= 160 and _SENT_FROM.match(line):
            continue
        else:
            is_last = is_last and not line
        kept.append(line or "")
    kept.reverse()
    return kept


def _tidied(lines: Sequence[str]) -> str:
    """One text, without needless empty lines."""
    tidy: list[str] = []
    for line in lines:
        if line or (tidy and tidy[-1]):
            tidy.append(line)
    return "\n".join(tidy).strip("\n")
