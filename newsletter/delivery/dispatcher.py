"""Sends what is due, over as many connections as do the relays good, one outcome a letter.

Each connection takes the next letter that is supplied, and asks the journal before the content goes. A pass
ends when nothing more is due, when it is told to stop (letters in flight are finished), or when no relay can
be had (everything untried stays queued, and nothing counts against any reader).

Everything here happens in one event loop; a line's methods are called from within it, between two letters.
What goes wrong there ends the pass: no exception is left to the loop. Letters that have leave still go, and
their answers are recorded, unless it is the books that cannot be kept: then nothing goes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING

from newsletter.database import Database
from newsletter.delivery.canary import CanaryVerdict
from newsletter.delivery.composer import Composer
from newsletter.delivery.journal import Answer, Journal
from newsletter.delivery.ledger import ClaimedDelivery, Ledger, Recorded
from newsletter.delivery.line import Line
from newsletter.delivery.outcome import Outcome, Stage
from newsletter.delivery.pace import Limits
from newsletter.delivery.relays import Relay
from newsletter.delivery.retry import next_attempt
from newsletter.delivery.supply import Reports, Supply
from newsletter.delivery.transport import Letter, Transport
from newsletter.delivery.upkeep import Findings
from newsletter.errors import RelayError
from newsletter.log import Event as LogEvent
from newsletter.log import Log
from newsletter.models import Delivery, Issue
from newsletter.states import DeliveryState, Fault, IssueState
from subscribers.base import Clock

if TYPE_CHECKING:
    from datetime import datetime

_UPKEEP_SECONDS = 5.0
"""How often a pass sees to what is not its letters."""
_TELL_SECONDS = 0.1
"""How often `progress` is told at most, and how often a pass looks whether it is to stop."""


@dataclass
class Tally:
    """What a pass did: letters by the state they came to."""

    states: Counter[DeliveryState] = field(default_factory=Counter)
    refusals: dict[DeliveryState, str] = field(default_factory=dict)
    """By state, the relay's first reply that led to it; for `sent` there is none."""
    expired: int = 0
    """Letters that were too late to be sent."""
    relay_error: RelayError | None = None
    """Why letters were left untried, if no relay could be used."""
    verdicts: list[CanaryVerdict] = field(default_factory=list)
    """First shares that were judged."""
    resting: dict[str, str] = field(default_factory=dict)
    """Domains that are left alone for a while, and the reply that led to it."""


class Dispatcher:
    """One pass over what is due.

    `composer` makes letters of deliveries; `upkeep` sees to all else; `progress` is told the tally; `log`
    gets outcomes once they are on disk. `monotonic` gives seconds for rates and waits.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        relays: Sequence[Relay],
        *,
        composer: Composer,
        upkeep: Callable[[], Findings],
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
        self._upkeep = upkeep
        self._transport = transport
        self._clock = clock
        self._now = monotonic
        self._stop = stop
        self._progress = progress
        self._log = log
        self._changed = asyncio.Event()
        self._domains = limits.domains
        self._supply = Supply(
            database,
            ledger,
            composer,
            weights=[relay.section.weight for relay in relays],
            is_up=self._is_up,
            limits=limits,
            clock=clock,
            monotonic=monotonic,
            reports=Reports(arrived=self._changed.set, halted=self._halted, failed=self.fail),
        )
        self._places = {id(relay): place for place, relay in enumerate(relays)}
        self._lines: list[Line] = []
        self._working = Counter[int]()
        """Open lines by their relay, without those that take leave."""
        self._tasks: dict[asyncio.Task[None], Line] = {}
        self._turn_at: datetime | None = None
        """The instant of what has come in since the last commit."""
        self._upkeep_at = monotonic()
        self._told_at = 0.0
        self._failure: BaseException | None = None
        self._tally = Tally()
        self._journal = Journal(self._settle, settled=self._settled, failed=self._books_failed)

    async def send_due(self) -> Tally:
        """Send until nothing is due; what is claimed and untried then, the ledger gives back on closing.

        Raises DatabaseError if the books cannot be kept or read.
        """
        try:
            while self._is_going_on():
                await self._change_within(min(_TELL_SECONDS, self._patience() or _TELL_SECONDS))
        finally:
            self._cut_off()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._supply.close()
        if self._failure is not None:
            raise self._failure
        if self._supply.has_letters and not self._stop.is_set():
            self._tally.relay_error = next((relay.error for relay in self._relays if relay.error), None)
        self._progress(self._tally)
        return self._tally

    def _is_going_on(self) -> bool:
        """Look after the lines and the letters; whether there is, or may yet be, anything to do."""
        self._changed.clear()
        try:
            if self._now() >= self._upkeep_at:
                self._see_to_the_rest()
            self._staff()
            is_idle = not self._lines and not self._supply.is_preparing and self._patience() is None
            if is_idle and not self._see_to_the_rest():
                return False
            self._rouse()
        except Exception as error:
            self.fail(error)
        if self.is_stopping:
            for line in list(self._lines):
                line.stop()
        self._give_up_connecting()
        return not self.is_stopping or bool(self._lines)

    @property
    def is_stopping(self) -> bool:
        """Whether no further letter is to be begun."""
        return self._failure is not None or self._stop.is_set()

    def fail(self, error: BaseException) -> None:
        """End the pass, once the letters that may go have been answered."""
        if self._failure is None:
            self._failure = error
        self._changed.set()

    def _books_failed(self, error: Exception) -> None:
        """End the pass here and now: nothing can be recorded, so nothing goes."""
        self.fail(error)
        self._cut_off()

    def _cut_off(self) -> None:
        """Leave no line behind but those that are taking leave."""
        for task, line in list(self._tasks.items()):
            if line.is_open:
                line.transport.abandon()
                line.end()
            elif not line.ended.is_set():
                task.cancel()

    async def _change_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._changed.wait()
        except TimeoutError:
            pass

    def _see_to_the_rest(self) -> bool:
        """Take over, end what is stale, judge first shares; whether this pass is not at its end thereby."""
        if self.is_stopping:
            return False
        with self._database.explained():
            found = self._upkeep()
        self._upkeep_at = self._now() + (0.0 if found.is_more_stale else _UPKEEP_SECONDS)
        self._tally.expired += found.expired
        self._tally.verdicts += found.verdicts
        if found.has_letters:
            self._supply.ask_again()
        return found.has_letters or found.is_more_stale

    # Lines: how many, and their life

    def _is_up(self, place: int) -> bool:
        return not self._relays[place].breaker.is_open(self._now())

    def _staff(self) -> None:
        """Open as many lines as the relays want and the letters in hand need."""
        if self.is_stopping:
            return
        now = self._now()
        for relay in self._relays:
            wanted = relay.wanted(now)
            if not wanted:
                continue
            ready = self._supply.ready(self._places[id(relay)])
            lines = [line for line in self._lines if line.relay is relay]
            if not any(line.is_open for line in lines):
                wanted = 1  # one finds out whether the relay is up, and takes the login
            for _ in range(len(lines), min(wanted, ready + len(lines))):
                self._open_line(relay)

    def _open_line(self, relay: Relay) -> None:
        line = Line(self, relay, self._transport(relay), is_pipelined=self._may_pipeline(relay))
        self._lines.append(line)
        task = asyncio.get_running_loop().create_task(self._keep(line))
        self._tasks[task] = line
        task.add_done_callback(self._is_over)

    def _is_over(self, task: "asyncio.Task[None]") -> None:
        """A line is no more. Not in the task itself: one that is cancelled before it begins never runs."""
        line = self._tasks.pop(task)
        line.end()
        self._lines.remove(line)
        self._changed.set()

    def _may_pipeline(self, relay: Relay) -> bool:
        return relay.habits.may_pipeline(asyncio.get_running_loop().time())

    def _give_up_connecting(self) -> None:
        """A relay's greeting may take minutes: nobody waits for a line that is not needed any more."""
        if self.is_stopping or not self._supply.has_letters:
            for task, line in self._tasks.items():
                if not line.is_open and not line.ended.is_set():
                    task.cancel()

    async def _keep(self, line: Line) -> None:
        """Open a line, see it through its letters, and take leave."""
        try:
            await line.transport.connect(line)
            if not self.is_stopping:
                line.is_open = True
                self._working[id(line.relay)] += 1
                self._changed.set()
                self.feed(line)
                await line.ended.wait()
            await line.transport.close()
        except RelayError as error:
            self._could_not_connect(line, error)
        except Exception as error:
            line.transport.abandon()
            self.fail(error)

    def ended(self, line: Line) -> None:
        """An open line takes no more letters: it is on its way out."""
        self._working[id(line.relay)] -= 1

    def _could_not_connect(self, line: Line, error: RelayError) -> None:
        """The relay is down; or, if others of its lines are open, it wants no more of them."""
        relay = line.relay
        others = sum(other.is_open for other in self._lines if other.relay is relay)
        if others:
            relay.concurrency.take_at_most(others)
        elif not relay.breaker.is_open(self._now()):
            relay.breaker.trip(self._now())
            self._is_down(relay, error)

    # Letters: how they come to lines

    def next_letter(self, line: Line) -> Letter | None:
        """Take the next letter for a line, None if there is none that may go by it now. Never raises."""
        try:
            return self._next_letter(line)
        except Exception as error:  # the letter before this one has leave, and goes
            self.fail(error)
            return None

    def _next_letter(self, line: Line) -> Letter | None:
        relay, now = line.relay, self._now()
        if self.is_stopping or relay.breaker.is_open(now):
            return None
        if self._working[id(relay)] > relay.wanted(now):
            return None
        taken = self._supply.take(self._places[id(relay)])
        if taken is None:
            return None
        line.proposed, letter = taken
        # Whose envelope may have been what the relay stumbled over is asked about one command at a time.
        is_alone = line.proposed.losses > 0 or relay.breaker.is_probing
        return letter._replace(is_alone=True) if is_alone else letter

    def _halted(self, issue_id: int, reason: str) -> None:
        self._tally.verdicts.append(CanaryVerdict(issue_id, has_passed=False, reason=reason))

    def feed(self, line: Line) -> None:
        """Give an idle line its next letter; without one it waits, or ends if there will be none."""
        letter = self.next_letter(line)
        if letter is not None:
            line.transport.propose(letter)
        elif not self._may_be_needed(line):
            line.end()

    def _may_be_needed(self, line: Line) -> bool:
        """Whether an idle line has letters to wait for: for their pace, not for a relay to come up."""
        now = self._now()
        if self.is_stopping or self._working[id(line.relay)] > line.relay.wanted(now):
            return False
        return self._supply.has_letters

    def _patience(self) -> float | None:
        """Seconds until letters in hand may go that wait for their pace; None if nothing waits for that."""
        is_busy = self._lines and not any(line.is_idle for line in self._lines)
        is_any_up = any(self._is_up(place) for place in range(len(self._relays)))
        return None if is_busy or self.is_stopping or not is_any_up else self._supply.seconds_to_wait()

    def _rouse(self) -> None:
        """Feed the lines that wait."""
        for line in [line for line in self._lines if line.is_idle]:
            self.feed(line)

    # Letters: what comes of them

    def ask_leave(self, delivery: ClaimedDelivery, answer: Answer) -> None:
        """Ask the books whether a letter may go."""
        self._journal.ask(delivery.id, answer)

    def came_of(self, line: Line, delivery: ClaimedDelivery, outcome: Outcome) -> None:
        """Record an outcome, and draw its conclusions for the relay and the domain."""
        try:
            now = self._turn_at = self._turn_at or self._clock()
            retry_at = None
            if outcome.state in (DeliveryState.DEFERRED, DeliveryState.IN_DOUBT):
                luck = random.random()  # noqa: S311  # jitter
                retry_at = next_attempt(delivery.attempts + 1, now, luck=luck)
            name = line.relay.name
            self._journal.record(Recorded(delivery.id, delivery.issue_id, outcome, now, retry_at, name))
            self._tally.states[outcome.state] += 1
            if outcome.state is DeliveryState.SENT:
                self._went_well(line, delivery)
            else:
                self._went_badly(line, delivery, outcome)
            if line.is_idle and line.transport.is_usable:
                self.feed(line)
        except Exception as error:
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
        relay = line.relay
        self._tally.refusals.setdefault(outcome.state, outcome.words)
        if outcome.eases_off:
            relay.concurrency.ease_off()
        if outcome.is_distrust:
            self._refused_us(relay, delivery, outcome)

    def _refused_us(self, relay: Relay, delivery: ClaimedDelivery, outcome: Outcome) -> None:
        """Leave a domain alone that refuses us, and a relay that refuses whatever it is given."""
        now = self._now()
        is_policy = outcome.fault is Fault.POLICY
        if is_policy and outcome.stage is not Stage.MAIL:
            if self._domains.resting_until(delivery.domain, now) is not None:
                return  # on its way already when the domain had its say
            if self._domains.refused_for_policy(delivery.domain, delivery.address, now):
                self._tally.resting[delivery.domain] = outcome.words
        if relay.breaker.refused_for_policy(now):
            why, where = ("for policy ", "SPF, DKIM and ") if is_policy else ("", "")
            error = RelayError(
                f"the relay {relay.name} refuses letter after letter {why}({outcome.words}); see {where}the "
                f"relay's rules (`paperround doctor`)"
            )
            self._is_down(relay, error)

    def not_allowed(self, line: Line, delivery: ClaimedDelivery) -> None:
        """A letter did not get leave: its reader left; or its issue was stopped, and all of it goes back."""
        try:
            with self._database.read() as session:
                has_ended = session.get_one(Delivery, delivery.id).state == DeliveryState.CANCELLED
                is_stopped = session.get_one(Issue, delivery.issue_id).state != IssueState.PLANNED
            if has_ended:
                self._tally.states[DeliveryState.CANCELLED] += 1
            if is_stopped:
                self._supply.give_up(delivery.issue_id)
        except Exception as error:
            self.fail(error)

    def take_back(self, delivery: ClaimedDelivery) -> None:
        """A letter does not go now after all; it is next."""
        self._journal.withdraw(delivery.id)
        self._supply.put_back(delivery)

    def lost(self, line: Line, untried: ClaimedDelivery | None, outcome: Outcome) -> None:
        """A relay ended a connection; a letter of which it had said nothing is taken back in hand."""
        relay, now = line.relay, self._now()
        if untried is not None:
            self.take_back(untried._replace(losses=untried.losses + 1))
        if line.was_pipelined and not self._may_pipeline(relay):
            return  # what it says of a group is not to be trusted: it is asked again, one command at a time
        others = sum(
            other.was_of_use and other.is_open
            for other in self._lines
            if other.relay is relay and other is not line
        )
        if others and not line.was_of_use:
            relay.concurrency.take_at_most(others)  # it is not down: it wants no more connections than these
            return
        if outcome.eases_off:
            relay.concurrency.ease_off()
        if not line.was_of_use and relay.breaker.lost(now):
            error = RelayError(f"the relay {relay.name} ends every connection: {outcome.words}")
            self._is_down(relay, error)

    def _is_down(self, relay: Relay, error: RelayError) -> None:
        relay.error = error
        self._note(LogEvent.RELAY_DOWN, relay=relay.name, error=str(error))

    def _note(self, event: LogEvent, **fields: object) -> None:
        if self._log is not None:
            self._log.write(event, **fields)

    # The books

    def _settle(self, sending: list[int], outcomes: list[Recorded]) -> set[int]:
        self._turn_at = None
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
        "issue": recorded.issue_id,
        "relay": recorded.relay,
        "stage": outcome.stage,
        "code": outcome.code,
        "enhanced_status": outcome.enhanced_status,
        "fault": outcome.fault,
        "retry_at": recorded.retry_at,
        "reply": outcome.reply,
    }
