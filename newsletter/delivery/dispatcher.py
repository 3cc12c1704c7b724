"""Sends what is due, over as many connections as do the relays good, one outcome a letter.

Each connection takes the next letter in hand, and asks the journal before the content goes. A pass ends
when nothing more is due, when it is told to stop (letters in flight are finished), or when no relay can be
had (everything untried stays queued, and nothing counts against any reader). Memory is flat: a page or two
of claims, and the editions in use, are all that is held.

Everything here happens in one event loop; a line's methods are called from within it, between two letters.
What they raise ends the pass: no exception is left to the loop.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event

from newsletter.database import Database
from newsletter.delivery.canary import CanaryVerdict
from newsletter.delivery.hand import Hand
from newsletter.delivery.journal import Journal
from newsletter.delivery.ledger import ClaimedDelivery, Ledger, Recorded
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.pace import DomainPaces, Pace
from newsletter.delivery.relays import Relay
from newsletter.delivery.retry import next_attempt
from newsletter.delivery.transport import Letter, Transport
from newsletter.errors import RelayError
from newsletter.log import Event as LogEvent
from newsletter.log import Log
from newsletter.states import DeliveryState, Fault
from subscribers.base import Clock

_PAGE = 500
"""Letters claimed at once."""
_MOST_IN_HAND = 4 * _PAGE
"""With several relays, the letters of a slow one pile up to this."""
_TELL_SECONDS = 0.1
"""How often `progress` is told at most, and how often a pass looks whether it is to stop."""
_SHORTEST_WAIT = 0.001


@dataclass
class Tally:
    """What a pass did: letters by the state they came to."""

    states: Counter[DeliveryState] = field(default_factory=Counter)
    refusals: dict[DeliveryState, str] = field(default_factory=dict)
    """By state, the relay's first reply that led to it; for `sent` there is none."""
    relay_error: RelayError | None = None
    """Why letters were left untried, if no relay could be used."""
    verdicts: list[CanaryVerdict] = field(default_factory=list)
    """First shares that were judged."""
    resting: dict[str, str] = field(default_factory=dict)
    """Domains that are left alone for a while, and the reply that led to it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How fast letters may go (see `newsletter.delivery.pace`). 0 is no limit."""

    per_minute: int = 0
    domain_per_minute: dict[str, int] = field(default_factory=dict)


class Line:
    """One connection at work, and the two letters it may have under way."""

    def __init__(self, dispatcher: "Dispatcher", relay: Relay, transport: Transport) -> None:
        self.relay = relay
        self.transport = transport
        self.proposed: ClaimedDelivery | None = None
        self.released: ClaimedDelivery | None = None
        self.is_open = False
        self.ended = asyncio.Event()
        self._dispatcher = dispatcher

    @property
    def is_idle(self) -> bool:
        """Whether it could take a letter at once."""
        return self.is_open and self.proposed is None and self.released is None

    def asked(self) -> None:
        """The relay is ready for a letter's content."""
        assert self.proposed is not None  # noqa: S101  # a transport asks for what was proposed
        if self._dispatcher.is_stopping:
            self.transport.abandon()
            self.end()
        else:
            self._dispatcher.journal.ask(self.proposed.id, self.leave)

    def leave(self, is_given: bool) -> None:
        """The journal's answer: the content goes, with the next letter behind it, or the connection is cut."""
        if is_given:
            self.released, self.proposed = self.proposed, None
            following = self._dispatcher.next_letter(self)
            self.transport.release(following)
        else:
            self._dispatcher.stopped(self)
            self.proposed = None
            self.transport.abandon()
            self.end()

    def answered(self, letter: Letter, outcome: Outcome) -> None:
        """What came of a letter."""
        if outcome.stage is Stage.DOT:
            delivery, self.released = self.released, None
        else:
            delivery, self.proposed = self.proposed, None
        assert delivery is not None  # noqa: S101  # it was given to the transport
        self._dispatcher.came_of(self, delivery, outcome)

    def lost(self, untried: Letter | None, outcome: Outcome) -> None:
        """The relay ended the connection."""
        delivery, self.proposed = self.proposed, None
        self._dispatcher.lost(self, delivery, outcome)
        self.end()

    def end(self) -> None:
        """Take no more letters."""
        self.is_open = False
        self.ended.set()


class Dispatcher:
    """One pass over what is due.

    `compose` makes a delivery's letter from its edition; `review` judges first shares; `progress` is told the
    tally; `log` gets outcomes once they are on disk. `monotonic` gives seconds for rates and waits.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        relays: Sequence[Relay],
        *,
        compose: Callable[[ClaimedDelivery], Letter],
        review: Callable[[], list[CanaryVerdict]],
        transport: Callable[[Relay], Transport],
        limits: Limits,
        clock: Clock,
        monotonic: Callable[[], float],
        stop: Event,
        progress: Callable[[Tally], None],
        log: Log | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._relays = relays
        self._compose = compose
        self._review = review
        self._transport = transport
        self._clock = clock
        self._now = monotonic
        self._stop = stop
        self._progress = progress
        self._log = log
        self._pace = Pace(limits.per_minute) if limits.per_minute else None
        self._domains = DomainPaces(limits.domain_per_minute)
        self._hand = Hand([relay.section.weight for relay in relays], self._domains)
        self._places = {id(relay): place for place, relay in enumerate(relays)}
        self._lines: list[Line] = []
        self._count = Counter[int]()
        """Lines by their relay."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_dry = False
        """Whether the ledger had nothing more to claim when it was last asked."""
        self._changed = asyncio.Event()
        self._told_at = 0.0
        self._failure: BaseException | None = None
        self._tally = Tally()
        self.journal = Journal(self._settle, settled=self._settled, failed=self.fail)

    async def send_due(self) -> Tally:
        """Send until nothing is due; what is claimed and untried then, the ledger gives back on closing.

        Raises DatabaseError if the books cannot be kept: then nothing goes.
        """
        try:
            while self._failure is None:
                self._changed.clear()
                self._staff()
                wait = self._patience()
                if not self._lines and wait is None and not self._judge_first_shares():
                    break
                self._rouse()
                await self._change_within(_TELL_SECONDS if wait is None else min(wait, _TELL_SECONDS))
                if self._stop.is_set() and not self._lines:
                    break
        except Exception as error:  # raised below, once the connections are closed
            self.fail(error)
        finally:
            for line in self._lines:
                if self._failure is not None:
                    line.transport.abandon()
                line.end()
            await asyncio.gather(*self._tasks)
        if self._failure is not None:
            raise self._failure
        if len(self._hand) and not self._stop.is_set():
            self._tally.relay_error = next((relay.error for relay in self._relays if relay.error), None)
        self._progress(self._tally)
        return self._tally

    @property
    def is_stopping(self) -> bool:
        """Whether no further letter is to be begun."""
        return self._stop.is_set()

    async def _change_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def fail(self, error: BaseException) -> None:
        """End the pass: nothing more is let go."""
        if self._failure is None:
            self._failure = error
        for line in list(self._lines):
            line.transport.abandon()
            line.end()
        self._changed.set()

    def _judge_first_shares(self) -> bool:
        """With every letter answered: whether a first share went so well that the others follow at once."""
        if self._stop.is_set():
            return False
        with self._database.explained():
            verdicts = self._review()
        self._tally.verdicts += verdicts
        if any(verdict.has_passed for verdict in verdicts):
            self._is_dry = False
            return True
        return False

    # Lines: how many, and their life

    def _is_up(self, place: int) -> bool:
        return not self._relays[place].breaker.is_open(self._now())

    def _staff(self) -> None:
        """Open as many lines as the relays want and the letters in hand need."""
        if self._stop.is_set():
            return
        now = self._now()
        for relay in self._relays:
            wanted = relay.wanted(now)
            if not wanted:
                continue
            place = self._places[id(relay)]
            if not self._hand.ready(place, self._is_up, now):
                self._replenish()
            lines = [line for line in self._lines if line.relay is relay]
            if not any(line.is_open for line in lines):
                wanted = 1  # one finds out whether the relay is up, and takes the login
            needed = self._hand.ready(place, self._is_up, now) + len(lines)
            for _ in range(len(lines), min(wanted, needed)):
                self._open_line(relay)

    def _open_line(self, relay: Relay) -> None:
        line = Line(self, relay, self._transport(relay))
        self._lines.append(line)
        self._count[id(relay)] += 1
        task = asyncio.get_running_loop().create_task(self._keep(line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _keep(self, line: Line) -> None:
        """Open a line, see it through its letters, and take leave."""
        try:
            await line.transport.connect(line)
            if self._failure is None:
                line.is_open = True
                self._changed.set()
                self.feed(line)
                await line.ended.wait()
            await line.transport.close()
        except RelayError as error:
            self._could_not_connect(line, error)
        except Exception as error:  # ends the pass
            line.transport.abandon()
            self.fail(error)
        finally:
            self._lines.remove(line)
            self._count[id(line.relay)] -= 1
            self._changed.set()

    def _could_not_connect(self, line: Line, error: RelayError) -> None:
        """The relay is down; or, if others of its lines are open, it wants no more of them."""
        relay = line.relay
        others = sum(other.is_open for other in self._lines if other.relay is relay)
        if others:
            relay.concurrency.take_at_most(others)
        elif not relay.breaker.is_open(self._now()):
            relay.breaker.trip(self._now())
            self._is_down(relay, error)

    # Letters: where they come from

    def _replenish(self) -> None:
        """Claim another page, if all in hand are under way."""
        if self._is_dry or self._hand.holds_enough(_MOST_IN_HAND) or self._stop.is_set():
            return
        with self._database.explained():
            letters = self._ledger.claim(_PAGE, self._clock())
        self._is_dry = len(letters) < _PAGE
        self._hand.put(letters)

    def _take(self, line: Line) -> ClaimedDelivery | None:
        """The next letter for a line, None if there is none that may go by it now."""
        relay, now = line.relay, self._now()
        if self._stop.is_set() or self._failure or relay.breaker.is_open(now):
            return None
        if self._count[id(relay)] > relay.wanted(now):
            return None
        if self._pace is not None and now < self._pace.ready_at():
            return None
        place = self._places[id(relay)]
        delivery = self._hand.take(place, self._is_up, now)
        if delivery is None:
            self._replenish()
            delivery = self._hand.take(place, self._is_up, now)
        if delivery is not None and self._pace is not None:
            self._pace.take(now)
        self._give_back_put_off()
        return delivery

    def _give_back_put_off(self) -> None:
        if letters := self._hand.put_off():
            now = self._clock()
            with self._database.explained():
                self._ledger.put_off(
                    [(letter.id, now + timedelta(seconds=max(seconds, 0.0))) for letter, seconds in letters]
                )

    def next_letter(self, line: Line) -> Letter | None:
        """Take the next letter for a line, and compose it."""
        line.proposed = self._take(line)
        return None if line.proposed is None else self._compose(line.proposed)

    def feed(self, line: Line) -> None:
        """Give an idle line its next letter; without one it waits, or ends if there will be none."""
        try:
            letter = self.next_letter(line)
            if letter is not None:
                line.transport.propose(letter)
            elif not self._may_be_needed(line):
                line.end()
        except Exception as error:  # ends the pass
            self.fail(error)

    def _may_be_needed(self, line: Line) -> bool:
        """Whether an idle line has letters to wait for: for their pace, not for a relay to come up."""
        now = self._now()
        if self._stop.is_set() or self._count[id(line.relay)] > line.relay.wanted(now):
            return False
        return len(self._hand) > 0

    def _patience(self) -> float | None:
        """Seconds until letters in hand may go that wait for their pace; None if nothing waits for that."""
        is_busy = self._lines and not any(line.is_idle for line in self._lines)
        if is_busy or self._stop.is_set() or not len(self._hand):
            return None
        if not any(self._is_up(place) for place in range(len(self._relays))):
            return None
        moments = [self._hand.next_ready_at(), self._pace.ready_at() if self._pace else None]
        waits = [moment - self._now() for moment in moments if moment is not None]
        return max(min(waits), _SHORTEST_WAIT) if waits else None

    def _rouse(self) -> None:
        """Feed the lines that wait."""
        for line in [line for line in self._lines if line.is_idle]:
            self.feed(line)

    # Letters: what comes of them

    def came_of(self, line: Line, delivery: ClaimedDelivery, outcome: Outcome) -> None:
        """Record an outcome, and draw its conclusions for the relay and the domain."""
        try:
            now = self._clock()
            retry_at = None
            if outcome.state in (DeliveryState.DEFERRED, DeliveryState.IN_DOUBT):
                luck = random.random()  # noqa: S311  # jitter
                retry_at = next_attempt(delivery.attempts + 1, now, luck=luck)
            self.journal.record(Recorded(delivery.id, outcome, now, retry_at, line.relay.name))
            self._tally.states[outcome.state] += 1
            if outcome.state is DeliveryState.SENT:
                self._went_well(line, delivery)
            else:
                self._went_badly(line, delivery, outcome)
            if line.is_idle and line.transport.is_usable:
                self.feed(line)
        except Exception as error:  # ends the pass
            self.fail(error)

    def _went_well(self, line: Line, delivery: ClaimedDelivery) -> None:
        relay = line.relay
        self._domains.taken_well(delivery.domain)
        if relay.breaker.went_well():
            relay.error = None
            self._note(LogEvent.RELAY_UP, relay=relay.name)
            self._changed.set()
        if relay.concurrency.went_well():
            self._changed.set()

    def _went_badly(self, line: Line, delivery: ClaimedDelivery, outcome: Outcome) -> None:
        relay, now = line.relay, self._now()
        self._tally.refusals.setdefault(outcome.state, outcome.words)
        if outcome.eases_off:
            relay.concurrency.ease_off()
        if outcome.fault is not Fault.POLICY:
            return
        if relay.breaker.refused_for_policy(now):
            error = RelayError(
                f"the relay {relay.name} refuses letter after letter for policy ({outcome.words}); see SPF, "
                f"DKIM and the relay's rules (`paperround doctor`). Every other letter stays queued"
            )
            self._is_down(relay, error)
        elif outcome.stage is not Stage.MAIL and self._domains.refused_for_policy(delivery.domain, now):
            self._tally.resting[delivery.domain] = outcome.words

    def stopped(self, line: Line) -> None:
        """A letter did not get leave: its reader left, or its issue was stopped."""
        self._tally.states[DeliveryState.CANCELLED] += 1

    def lost(self, line: Line, untried: ClaimedDelivery | None, outcome: Outcome) -> None:
        """A relay ended a connection; a letter of which it had said nothing is taken back in hand."""
        relay, now = line.relay, self._now()
        if untried is not None:
            self.journal.withdraw(untried.id)
            self._hand.put_back(untried)
        if outcome.eases_off:
            relay.concurrency.ease_off()
        if relay.breaker.lost(now):
            error = RelayError(
                f"the relay {relay.name} ends every connection: {outcome.words} Every letter stays queued"
            )
            self._is_down(relay, error)

    def _is_down(self, relay: Relay, error: RelayError) -> None:
        relay.error = error
        self._note(LogEvent.RELAY_DOWN, relay=relay.name, error=str(error))

    def _note(self, event: LogEvent, **fields: object) -> None:
        if self._log is not None:
            self._log.write(event, **fields)

    # The books

    def _settle(self, sending: list[int], outcomes: list[Recorded]) -> set[int]:
        with self._database.explained():
            allowed = self._ledger.settle(sending, outcomes)
        if self._log is not None and outcomes:
            self._log.write_all([_log_record(recorded) for recorded in outcomes])
        return allowed

    def _settled(self) -> None:
        now = self._now()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            self._progress(self._tally)


def _log_record(recorded: Recorded) -> dict[str, object]:
    outcome = recorded.outcome
    return {
        "event": LogEvent(f"letter.{outcome.state}"),
        "delivery": recorded.delivery_id,
        "relay": recorded.relay,
        "stage": outcome.stage,
        "code": outcome.code,
        "enhanced_status": outcome.enhanced_status,
        "fault": outcome.fault,
        "retry_at": recorded.retry_at,
        "reply": outcome.reply,
    }
