"""Short letters to one person, as their words: what each says, in their language.

Pure: what is to be said is passed in. `newsletter.feedback.writing` lays a draft out as a message.
Confirmations carry no marketing: nothing but what was asked for, how to say yes, and what happens if not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from newsletter.render.headers import clean
from newsletter.render.languages import Language
from subscribers.models import Frequency, RequestKind


class Block(NamedTuple):
    """A paragraph, an item of a list, or a link to press."""

    kind: Literal["text", "item", "button"]
    text: str
    html: Markup
    url: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What a short letter says."""

    subject: str
    title: Markup
    blocks: tuple[Block, ...]
    lang: str
    direction: str

    @property
    def preheader(self) -> str:
        """What an inbox shows beside the subject: the first words after the greeting."""
        return self.blocks[1].text

    @property
    def wording(self) -> str:
        """All that it says, for the record."""
        return "\n".join([self.subject, *(block.text for block in self.blocks)])


@dataclass(frozen=True, slots=True)
class Offered:
    """A category as letters name it: the address that joins it, and when it goes out next."""

    title: str
    join: str
    next_day: date | None = None


class _Writable(str):
    """An address that a letter asks to write to."""

    __slots__ = ()


class Drafter:
    """Writes drafts for one site in one language. `common` is what every text may fill in.

    What is filled in is text, a number, or a tuple of names; names come from people, and from outside.
    """

    def __init__(self, language: Language, **common: object) -> None:
        self._language = language
        self._common = common
        self._blocks: list[Block] = []

    def _say(self, key: str, **values: object) -> str:
        given = {name: self._plain(value) for name, value in {**self._common, **values}.items()}
        return self._language.say(f"letters.{key}", **given)

    def _show(self, key: str, **values: object) -> Markup:
        """The same as HTML."""
        given = {name: self._marked(value) for name, value in {**self._common, **values}.items()}
        return self._language.markup(f"letters.{key}", **given)

    def _plain(self, value: object) -> object:
        """What is filled in, on one line."""
        if isinstance(value, tuple):
            return self._language.joined([clean(one) for one in value])
        return clean(value) if isinstance(value, str) else value

    def _marked(self, value: object) -> object:
        """The same as HTML."""
        if isinstance(value, tuple):
            return self._language.joined_markup([clean(one) for one in value])
        return _to_write_to(value) if isinstance(value, _Writable) else self._plain(value)

    def _add(
        self, kind: Literal["text", "item", "button"], key: str, url: str = "", **values: object
    ) -> None:
        self._blocks.append(Block(kind, self._say(key, **values), self._show(key, **values), url))

    def _draft(self, key: str, **values: object) -> Draft:
        subject = self._say(f"{key}.subject", **values)
        said, self._blocks = self._blocks, []
        self._add("text", "hello")
        blocks, self._blocks = (*self._blocks, *said), []
        return Draft(
            subject,
            self._show(f"{key}.subject", **values),
            blocks,
            self._language.tag,
            self._language.direction,
        )

    def _often(self, frequency: Frequency | None) -> str:
        return self._say(f"often.{frequency or 'usual'}")

    def confirmation(
        self,
        kind: RequestKind,
        *,
        address: str,
        titles: Sequence[str],
        url: str,
        days: int,
        frequency: Frequency | None,
        weeks: int | None,
        is_answerable: bool,
    ) -> Draft:
        """Asks whether what was asked for is wanted: by a button, or by an answer if mail comes in here."""
        values: dict[str, Any] = {
            "address": address,
            "categories": tuple(titles),
            "weeks": self._language.weeks(weeks or 1),
        }
        often = self._often(frequency)
        self._add("text", f"{kind}.asked", **values, often=often)
        if kind == RequestKind.JOIN and frequency:
            self._add("text", "join.often", often=often)
        self._add("button", f"{kind}.button", url=url)
        if is_answerable:
            self._add("text", "confirm.or_answer")
        self._add("text", "confirm.nothing", days=days)
        return self._draft(kind, **values)

    def joined(self, titles: Sequence[str], preferences_url: str, next_day: date | None) -> Draft:
        """It is done: what comes, and when."""
        self._add("text", "joined.done", categories=tuple(titles))
        if next_day:
            self._add("text", "joined.next", day=self._language.date(next_day))
        self._add("button", "preferences.button", url=preferences_url)
        return self._draft("joined", categories=tuple(titles))

    def left(self, titles: Sequence[str], join: str) -> Draft:
        """It is done: nothing comes any more."""
        self._add("text", "left.done", categories=tuple(titles))
        self._add("text", "left.mistake", join=_Writable(join))
        return self._draft("left", categories=tuple(titles))

    def left_all(self) -> Draft:
        """It is done: nothing comes any more, of anything."""
        self._add("text", "left_all.done")
        return self._draft("left_all")

    def changed(
        self, kind: RequestKind, preferences_url: str, *, frequency: Frequency | None, until: date | None
    ) -> Draft:
        """It is done, whatever it was."""
        day = self._language.date(until) if until else ""
        self._add("text", f"changed.{kind}", often=self._often(frequency), day=day)
        self._add("button", "preferences.button", url=preferences_url)
        return self._draft("changed")

    def known(self, titles: Sequence[str], address: str, preferences_url: str) -> Draft:
        """Somebody asked for what is so already."""
        self._add("text", "known.told", categories=tuple(titles), address=address)
        self._add("button", "preferences.button", url=preferences_url)
        return self._draft("known")

    def stranger(self, address: str) -> Draft:
        """Somebody wants to change what we do not send them."""
        self._add("text", "stranger.told", address=address)
        return self._draft("stranger")

    def expired(self) -> Draft:
        """What was confirmed is no more, or was done before."""
        self._add("text", "expired.told")
        return self._draft("expired")

    def listed(self, offered: Sequence[Offered], *, is_unknown: bool = False) -> Draft:
        """What letters there are; `is_unknown` where something was asked for that is none of them.

        What was asked for is not repeated: words that nobody has vouched for go into nobody's mailbox.
        """
        self._add("text", "list.told" if offered else "list.none")
        for one in offered:
            values: dict[str, Any] = {"title": one.title, "join": _Writable(one.join)}
            if one.next_day:
                self._add("item", "list.item_next", **values, day=self._language.date(one.next_day))
            else:
                self._add("item", "list.item", **values)
        return self._draft("unknown" if is_unknown else "list")

    def mine(
        self,
        address: str,
        held: Sequence[tuple[str, date | None]],
        preferences_url: str,
        frequency: Frequency | None,
    ) -> Draft:
        """What a reader gets; each title with the day until which it is paused."""
        self._add("text", "mine.told", address=address)
        for title, until in held:
            if until:
                self._add("item", "mine.item_paused", title=title, day=self._language.date(until))
            else:
                self._add("item", "mine.item", title=title)
        if frequency:
            self._add("text", "mine.often", often=self._often(frequency))
        self._add("button", "preferences.button", url=preferences_url)
        return self._draft("mine")

    def help(self, category: str) -> Draft:
        """What may be written; `category` is an example."""
        self._add("text", "help.told")
        for key in ("list", "join", "leave", "mine", "often", "pause", "stop"):
            self._add("item", f"help.{key}", category=category)
        self._add("text", "help.person")
        return self._draft("help")

    def address_old(self) -> Draft:
        """To the old address: somebody wants the letters to go to another."""
        self._add("text", "address_old.asked")
        self._add("text", "address_old.not_you")
        return self._draft("address_old")

    def probe(self, address: str, preferences_url: str) -> Draft:
        """To a reader whose letters came back: does this one reach them?"""
        self._add("text", "probe.told", address=address)
        self._add("text", "probe.nothing")
        self._add("button", "preferences.button", url=preferences_url)
        return self._draft("probe")


def _to_write_to(address: str) -> Markup:
    """An address as a link that begins a mail to it."""
    url = f"mailto:{quote(address, safe='@+')}"
    return Markup('<a class="address" href="{}" dir="ltr">{}</a>').format(url, address)
