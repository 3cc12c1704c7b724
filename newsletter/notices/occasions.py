"""What there is to tell the editor, and in which words. Pure.

From how queues, failed slots and issues stand follow the occasions there are; `changes` compares them with
what was noticed before. Each is told once: a queue that runs low is told again only after it was filled up in
between, an empty slot only after something went out (in a sequence: after something was added), a failed slot
once for each place that is wrong, a halted issue once for each time that it is halted, refusals for policy
until there was a day with hardly any.

May surprise: names and errors come from posts and relays; control characters and marks that turn the writing
direction are taken out of them, and what is long is cut.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import NamedTuple
from zoneinfo import ZoneInfo

from newsletter.render.headers import clean
from newsletter.render.templates import day_and_month, long_date
from newsletter.states import Mode, NoticeKind

_NAME_LIMIT = 80
"""Characters of a title in a subject or a sentence."""
_ERROR_LIMIT = 600

_TURNING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What changes the direction of the text around it (Unicode's UAX #9)."""
_PLACE = re.compile(r".*?:\d+: ")
"""FILE:LINE: as errors that have a place begin."""
_CHANGING = re.compile(r"0x[0-9a-fA-F]+|\d+")
"""What may differ from one try to the next in the words of the same error."""


@dataclass(frozen=True, slots=True)
class Dry:
    """Slots that stayed empty, up to now, and none in between that did not."""

    issue_id: int
    """The first of them."""
    slot: datetime


@dataclass(frozen=True, slots=True)
class Queue:
    """How a category stands. Slots are local wall-clock times."""

    slug: str
    title: str
    mode: str
    waiting: int
    """Posts that will go."""
    newest: int | None
    """The number of the post that was added last; None if there never was one."""
    last_filled: datetime | None
    """The slot at which the last post goes, None if there is none."""
    first_bare: datetime | None
    """The slot after that one, None if the category ends before."""
    dry: Dry | None
    has_readers: bool
    """Whether anybody may have missed something at the slots that stayed empty."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A slot that waits for a mend."""

    slug: str
    title: str
    slot: datetime
    zone: ZoneInfo
    error: str
    until: datetime
    """When it is skipped."""
    post: str = ""
    """The slug of the post that it is to send, where that is one for all."""


@dataclass(frozen=True, slots=True)
class Halt:
    """An issue whose letters go no further until a person says so."""

    issue_id: int
    slug: str
    title: str
    heading: str
    """Its letters' subject."""
    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Mail that came in and waits for a person: how much, the first of it, and why."""

    number: int
    first_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Distrust:
    """Letters that were refused for policy: they arrive with nobody, through no fault of their readers."""

    number: int
    """How many, of the last day."""
    domains: tuple[str, ...]
    """Whose readers they were for, those of most letters first."""
    delivery_id: int | None
    """The latest."""
    words: str
    """What was said of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """All that notices follow from."""

    queues: Sequence[Queue] = ()
    failures: Sequence[Failure] = ()
    halts: Sequence[Halt] = ()
    mail: Waiting | None = None
    distrust: Distrust | None = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something to tell the editor."""

    topic: str
    """What makes it one."""
    kind: NoticeKind
    category: str | None
    subject: str
    text: str
    """Paragraphs; a line that begins with spaces is to be left as it is."""
    issue_id: int | None = None
    recurs: bool = False
    """Whether it is told anew when it comes about again."""


class Told(NamedTuple):
    """What is on record of a topic."""

    number: int
    """How often it came about."""
    is_open: bool
    """Whether it was still so when it was last looked at."""


class Changes(NamedTuple):
    """What a look has found."""

    news: list[tuple[Occasion, int]]
    """Each with which time it is."""
    over: list[str]
    """Topics."""


def occasions(standing: Standing, low: int) -> list[Occasion]:
    """What there is to tell, the most urgent first. A queue is low with fewer than `low` posts."""
    order = list(NoticeKind)
    found = chain(
        map(_failed, standing.failures),
        map(_halted, standing.halts),
        *((*_empty(queue), *_low(queue, low)) for queue in standing.queues),
        _waiting(standing.mail),
        _distrusted(standing.distrust),
    )
    return sorted(found, key=lambda one: order.index(one.kind))


def changes(told: Mapping[str, Told], now: Iterable[Occasion]) -> Changes:
    """What is new, and what is over, by what was told before."""
    current = {one.topic: one for one in now}
    news = [
        (one, told[topic].number + 1 if topic in told else 1)
        for topic, one in current.items()
        if topic not in told or (one.recurs and not told[topic].is_open)
    ]
    return Changes(news, [topic for topic, one in told.items() if one.is_open and topic not in current])


def _low(queue: Queue, low: int) -> Iterator[Occasion]:
    """A broadcast whose posts will not last; one that has never had any has not begun."""
    bare, filled = queue.first_bare, queue.last_filled
    is_low = queue.mode == Mode.BROADCAST and queue.newest is not None and queue.waiting < low
    if not is_low or bare is None:
        return
    title = _named(queue.title)
    if filled is None:
        subject = f"{title} has run dry"
        left = f"{title} has no post left. Its next slot, on {_at(bare)}, stays empty unless you queue one:"
    else:
        subject = f"{title} runs dry after {day_and_month(filled.date())}"
        posts = "1 post" if queue.waiting == 1 else f"{queue.waiting} posts"
        goes = "it goes out" if queue.waiting == 1 else "the last goes out"
        left = (
            f"{title} has {posts} left; {goes} on {_at(filled)}. The slot after that, on {_at(bare)}, stays "
            f"empty unless you queue more:"
        )
    text = f"{left}\n\n{_command(f'queue add FILE... --category {queue.slug}')}"
    yield Occasion(f"low:{queue.slug}", NoticeKind.LOW, queue.slug, subject, text, recurs=True)


def _empty(queue: Queue) -> Iterator[Occasion]:
    """A slot at which nobody got anything, if there is anybody to miss it."""
    if queue.dry is None or not queue.has_readers:
        return
    title, slot = _named(queue.title), queue.dry.slot
    add = _command(f"queue add FILE... --category {queue.slug}")
    if queue.mode == Mode.BROADCAST:
        topic = f"empty:{queue.slug}:issue {queue.dry.issue_id}"
        subject = f"{title} had nothing to send on {day_and_month(slot.date())}"
        text = (
            f"{title} had no post for its slot on {_at(slot)}, so nothing went out. It is the same at every "
            f"slot until you queue one:\n\n{add}\n\nYou will not be told again before something has gone out."
        )
    else:
        topic = f"empty:{queue.slug}:post {queue.newest}"
        subject = f"{title}: its readers have had every post"
        text = (
            f"At the slot of {title} on {_at(slot)} no reader lacked a post: they have had them all. Whoever "
            f"joins still begins at the first. To go on for the others, queue more:\n\n{add}\n\nYou will not "
            f"be told again before something was added."
        )
    yield Occasion(topic, NoticeKind.EMPTY, queue.slug, subject, text, queue.dry.issue_id)


def _failed(failure: Failure) -> Occasion:
    title, slot = _named(failure.title), failure.slot
    until = failure.until.astimezone(failure.zone)
    error = _named(failure.error.partition("\n")[0], _ERROR_LIMIT)
    hold = _command(f"queue hold {failure.post or 'SLUG'}")
    text = (
        f"{title} could not go out at its slot on {_at(slot)}, because its letters could not be made:\n\n"
        f"    {error}\n\n"
        f"It goes out late, as soon as that is mended: a template by saving it, a post by saving and adding "
        f"it again. If it is still so on {_at(until)}, or when the next slot comes, this one is skipped, "
        f"and its post is the next slot's. To let another post go instead:\n\n{hold}"
    )
    topic = f"failed:{failure.slug}:{slot:%Y-%m-%dT%H:%M}:{_sort_of(failure.error)}"
    subject = f"{title} could not go out on {day_and_month(slot.date())}"
    return Occasion(topic, NoticeKind.FAILED, failure.slug, subject, text)


def _sort_of(error: str) -> str:
    """What an error is known by: its place, or its words without what may change from try to try."""
    place = _PLACE.match(error)
    known_by = place[0] if place else _CHANGING.sub("", error)
    return sha256(known_by.encode("utf-8", "replace")).hexdigest()[:12]


def _halted(halt: Halt) -> Occasion:
    number, title, heading = halt.issue_id, _named(halt.title), _named(halt.heading)
    text = (
        f"“{heading}”, issue {number} of {title}, goes no further: {_named(halt.reason, _ERROR_LIMIT)}.\n\n"
        f"To let the other letters go, or to end it:\n\n"
        f"{_command(f'issue resume {number}')}\n{_command(f'issue cancel {number}')}"
    )
    subject = f"Issue {number} of {title} is halted: {heading}"
    topic = f"halted:issue {number}"
    return Occasion(topic, NoticeKind.HALTED, halt.slug, subject, text, number, recurs=True)


def _waiting(mail: Waiting | None) -> Iterator[Occasion]:
    """Mail that nobody could handle, and letters that could not be passed on."""
    if mail is None:
        return
    what = "1 mail waits" if mail.number == 1 else f"{mail.number} mails wait"
    text = (
        f"{what} for you that came in to the newsletter's address. Of the first one this is said:\n\n"
        f"    {_named(mail.reason, _ERROR_LIMIT)}\n\n"
        f"To see them all, and this one:\n\n"
        f"{_command('inbound list')}\n{_command(f'inbound show {mail.first_id}')}\n\n"
        f"You will not be told again before none is left."
    )
    subject = f"{what} for you in the newsletter's mailbox"
    yield Occasion("inbound", NoticeKind.ASIDE, None, subject, text, recurs=True)


def _distrusted(distrust: Distrust | None) -> Iterator[Occasion]:
    """Refusals for policy, once there are a few: one alone is a filter's mistake."""
    if distrust is None:
        return
    first, *others = map(_named, distrust.domains)
    text = (
        f"{distrust.number} letters of the last day were refused for policy: the mail systems of "
        f"{', '.join([first, *others])} do not trust the sender. Of the latest one it was said:\n\n"
        f"    {_named(distrust.words or 'no reason given', _ERROR_LIMIT)}\n\n"
        f"It is not held against the readers; their letters just do not arrive. As a rule SPF, DKIM, DMARC, "
        f"the relay's reputation or a block list is the reason. To see what can be seen from here, and that "
        f"letter:\n\n"
        f"{_command('doctor')}\n"
    )
    if distrust.delivery_id is not None:
        text += f"{_command(f'delivery show {distrust.delivery_id}')}\n"
    text += "\nYou will not be told again before a day has passed without it."
    by_whom = f"{first} and others" if others else first
    subject = f"{distrust.number} letters were refused for policy, by {by_whom}"
    yield Occasion("distrusted", NoticeKind.DISTRUSTED, None, subject, text, recurs=True)


def _named(text: str, most: int = _NAME_LIMIT) -> str:
    """Somebody else's words within ours."""
    text = clean(_TURNING.sub("", text)) or "(no name)"
    return text if len(text) <= most else text[: most - 1] + "…"


def _at(slot: datetime) -> str:
    return f"{long_date(slot.date(), 'en')}, {slot:%H:%M}"


def _command(words: str) -> str:
    return f"    paperround {words}"
