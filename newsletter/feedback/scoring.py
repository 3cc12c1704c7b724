"""Whether a reader is still written to, by what came back of their last letters. Pure.

Everything is counted in the reader's own letters, so that it scales to their cadence by itself:

- dead: nobody is there; once is enough;
- disabled: twice, by letters of two days, for Gmail says the same of a mailbox that gets too much at once;
- soft (full, routing, unclear): `soft_strikes` letters, one a day at most, of which the first and the last
  lie `soft_days` apart. Then they are asked by a letter of its own, a probe: only if that comes back, too,
  they are written to no more. One that does not within `probe_days` wipes the slate.

Of the last two kinds only what lies behind the last two letters in a row that went well counts. Refusals for
policy and for content, delays and successes never count: they say nothing against the reader.

May surprise: the day of a strike is the day of its letter, not of the report, so it does not matter in which
order, or how much later, reports come in. What went to an address that the reader has left since says nothing
of the one they have. And a letter has gone well only once a report would be there: after two days, or as long
as this reader's reports have taken, for many servers try for five days before that.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from newsletter.settings import BouncesSection
from newsletter.states import BounceClass

SOFT = frozenset({BounceClass.FULL, BounceClass.ROUTING, BounceClass.UNCLEAR})
STRIKES = SOFT | {BounceClass.DEAD, BounceClass.DISABLED}
"""Classes that may count against a reader."""

_DISABLED_STRIKES = 2
_IN_A_ROW = 2
"""Letters that went well, until what lies before them is forgotten."""
_REPORT_DAYS = timedelta(days=2)
_LONGEST_REPORT_DAYS = timedelta(days=7)
"""Longer than servers try as a rule; what comes later has lain somewhere."""


class Finding(NamedTuple):
    """That something did not arrive, and why: a verdict by its number."""

    number: int
    at: datetime
    bounce_class: BounceClass


@dataclass(frozen=True, slots=True)
class PastLetter:
    """A letter that was tried."""

    at: datetime
    """When it was sent, or tried in vain, the last time."""
    is_taken: bool
    """That the relay has it, and nobody has said since that it is late or lost."""
    findings: tuple[Finding, ...] = ()
    """Of its last try."""

    @property
    def strikes(self) -> list[Finding]:
        """What may count of what was found."""
        return [one for one in self.findings if one.bounce_class in STRIKES]


@dataclass(frozen=True, slots=True)
class PastProbe:
    """A letter that asked whether letters arrive."""

    asked_at: datetime
    """When it was written, or, once it is, sent."""
    findings: tuple[Finding, ...] = ()
    is_sent: bool = True
    """One that never left has come through nowhere."""


@dataclass(frozen=True, slots=True)
class History:
    """What is known of one reader."""

    letters: Sequence[PastLetter] = ()
    """In any order; those from the first one on that has a strike will do."""
    probes: Sequence[PastProbe] = ()
    """To the address they have now."""
    suppressed_at: datetime | None = None
    """When verdicts have had them suppressed the last time."""
    address_since: datetime | None = None
    """Since when they have the address they have now; None if they never had another."""


class Step(StrEnum):
    """What is to be done."""

    NOTHING = "nothing"
    PROBE = "probe"
    SUPPRESS = "suppress"


class Standing(NamedTuple):
    """How a reader stands."""

    step: Step
    verdicts: tuple[int, ...] = ()
    """Those that count, by their numbers."""


def stand(history: History, rules: BouncesSection, now: datetime) -> Standing:
    """How a reader stands by all that was found out up to `now`."""
    wait = timedelta(days=rules.probe_days)
    since = _slate(history, now - wait)
    letters = sorted((one for one in history.letters if since is None or one.at > since), key=_instant)
    dead = [one for letter in letters for one in letter.strikes if one.bounce_class is BounceClass.DEAD]
    under_way = [probe for probe in history.probes if probe.asked_at > now - wait]
    probed = [one for probe in under_way for one in probe.findings if one.bounce_class in STRIKES]
    if dead or probed:
        return Standing(Step.SUPPRESS, _numbers(dead or probed))
    recent = list(_recent(letters, now))
    disabled = _by_day(recent, {BounceClass.DISABLED})
    if len(disabled) >= _DISABLED_STRIKES:
        return Standing(Step.SUPPRESS, _numbers(disabled.values()))
    soft = _by_day(recent, SOFT)
    is_enough = len(soft) >= rules.soft_strikes and (max(soft) - min(soft)).days >= rules.soft_days
    if is_enough and not under_way:
        return Standing(Step.PROBE, _numbers(soft.values()))
    return Standing(Step.NOTHING, _numbers([*disabled.values(), *soft.values()]))


def _instant(letter: PastLetter) -> datetime:
    return letter.at


def _slate(history: History, asked_before: datetime) -> datetime | None:
    """From when on letters count: what was acted upon, went elsewhere, or was outlived by a probe is over."""
    outlived = (one.asked_at for one in history.probes if one.is_sent and one.asked_at <= asked_before)
    return max(filter(None, [history.suppressed_at, history.address_since, *outlived]), default=None)


def _recent(letters: Sequence[PastLetter], now: datetime) -> Iterator[PastLetter]:
    """The letters with strikes since two in a row went well, the newest first."""
    took = [strike.at - letter.at for letter in letters for strike in letter.strikes]
    settled = now - min(max([_REPORT_DAYS, *took]), _LONGEST_REPORT_DAYS)
    went_well = 0
    for letter in reversed(letters):
        if letter.strikes:
            went_well = 0
            yield letter
        elif letter.is_taken and letter.at <= settled:
            went_well += 1
            if went_well == _IN_A_ROW:
                return


def _by_day(letters: Iterable[PastLetter], classes: Iterable[BounceClass]) -> dict[date, Finding]:
    """One strike of these classes for each day; letters come the newest first, and the first one counts."""
    return {
        letter.at.date(): strike
        for letter in letters
        for strike in reversed(letter.strikes)
        if strike.bounce_class in classes
    }


def _numbers(findings: Iterable[Finding]) -> tuple[int, ...]:
    return tuple(sorted(one.number for one in findings))
