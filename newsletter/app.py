"""The composition root: builds the parts of one site and wires them; nothing else does."""

import asyncio
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from newsletter.database import Database
from newsletter.delivery.composer import Composer
from newsletter.delivery.dispatcher import Dispatcher, Tally
from newsletter.delivery.issues import Stopped, going, stopped
from newsletter.delivery.ledger import Ledger, Recovered
from newsletter.delivery.letters import LedgerLetters, has_work
from newsletter.delivery.ownership import others
from newsletter.delivery.pace import Limits
from newsletter.delivery.postman import Posted, forget_sent, post_due
from newsletter.delivery.relays import Relay
from newsletter.delivery.sandbox import Sandbox
from newsletter.delivery.smtp import SMTPTransport
from newsletter.delivery.upkeep import Upkeep
from newsletter.errors import RelayError, SettingsError
from newsletter.feedback.doors import Doors
from newsletter.feedback.entrances import OurAddresses, Report
from newsletter.feedback.handler import Handled, Handler
from newsletter.feedback.inbox import Inbox, forget_old
from newsletter.feedback.verdicts import Judge, Judged
from newsletter.feedback.writing import Writer
from newsletter.log import Event as LogEvent
from newsletter.log import open_log
from newsletter.notices import book
from newsletter.notices.mail import compose, send, subject_of
from newsletter.render.edition import EditionMaker
from newsletter.render.languages import Languages
from newsletter.schedule.planned import PlanFailure, PlannedIssue
from newsletter.schedule.planner import Planner
from newsletter.schedule.wishes import Wish
from newsletter.settings import Settings
from newsletter.settings_file import load_settings
from newsletter.states import Effect, VerdictKind
from subscribers.base import Clock, system_clock
from subscribers.models import Frequency
from subscribers.suppression import Suppressions
from subscribers.tokens import TokenSigner

if TYPE_CHECKING:
    from newsletter.feedback.imap import Wiring


@dataclass
class SendReport:
    """What one pass of the sender did."""

    tally: Tally = field(default_factory=Tally)
    down: list[RelayError] = field(default_factory=list)
    """Why relays were found to be down, whether or not others took their letters."""
    stopped: list[Stopped] = field(default_factory=list)
    """Issues that somebody else has paused or cancelled meanwhile."""
    finished: list[int] = field(default_factory=list)
    """Issues whose last letter has come to its end."""

    def log_records(self) -> Iterator[dict[str, object]]:
        """What a pass leaves to be logged besides its letters."""
        for verdict in self.tally.verdicts:
            event = LogEvent.ISSUE_PASSED if verdict.has_passed else LogEvent.ISSUE_HALTED
            yield {"event": event, "issue": verdict.issue_id}
        for issue in self.finished:
            yield {"event": LogEvent.ISSUE_FINISHED, "issue": issue}
        counts = {str(state): count for state, count in self.tally.states.items()}
        yield {"event": LogEvent.PASS_ENDED, "expired": self.tally.expired or None, **counts}


@dataclass(frozen=True, slots=True)
class Mailed:
    """An email to the editor that was tried."""

    subject: str
    is_sent: bool
    reply: str


class App:
    """One site: its settings, its database, and what can be done with them."""

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.clock = clock
        self.letters = LedgerLetters()
        self._log = open_log(settings, clock)
        self._limits = Limits(settings.delivery.per_minute, settings.delivery.domain_per_minute)

    @cached_property
    def database(self) -> Database:
        """The site's database, its tables made if it is new. Raises DatabaseError."""
        database = Database(self.settings.database_url)
        database.ensure_current()
        return database

    @cached_property
    def signer(self) -> TokenSigner:
        """Signs and reads tokens with the site's secret key. Raises SettingsError."""
        return TokenSigner(self.settings.secret_key())

    @cached_property
    def editions(self) -> EditionMaker:
        """Renders editions with the site's own templates over the built-in ones."""
        return EditionMaker(self.settings, self.settings.folder)

    @cached_property
    def planner(self) -> Planner:
        """Plans slots."""
        delivery = self.settings.delivery
        frequency = Frequency.DAILY if delivery.digest else Frequency.ISSUE
        return Planner(
            self.database,
            self.editions.make,
            base_url=self.settings.site.base_url,
            catch_up=timedelta(hours=delivery.catch_up_hours),
            patience=timedelta(hours=delivery.skip_failed_after_hours),
            expiry=timedelta(hours=delivery.expire_after_hours),
            canary_every=delivery.canary_every,
            usual=Wish(frequency, delivery.weekly_cap or None),
        )

    @cached_property
    def suppressions(self) -> Suppressions:
        """Standing orders not to write, by the site's secret key. Raises SettingsError."""
        return Suppressions(self.settings.secret_key())

    @cached_property
    def languages(self) -> Languages:
        """What short letters and pages say, the site's own words over the built-in ones."""
        return Languages(self.settings.folder / "templates")

    @cached_property
    def writer(self) -> Writer:
        """Writes short letters."""
        return Writer(self.database, self.settings, self.editions, self.languages, self.signer)

    @cached_property
    def doors(self) -> Doors:
        """What people ask for, and the confirmations."""
        return Doors(self.database, self.settings.doors, self.writer, self.suppressions, self.clock)

    @cached_property
    def inbox(self) -> Inbox:
        """What entrances put mail into."""
        return Inbox(self.database, self.clock)

    @cached_property
    def our_addresses(self) -> OurAddresses:
        """Which mail is ours."""
        return OurAddresses(self.settings.inbound_address, self.settings.bounce_address)

    @contextmanager
    def open_entrances(self, report: Report) -> Iterator[list[str]]:
        """Let mail in meanwhile, by every way that is set; says by which.

        Raises EntranceError where a listener cannot be had, and SettingsError where a password cannot; what
        goes wrong later is reported, and mail stays where it is.
        """
        inbound, imap, open_ones = self.settings.inbound, self.settings.imap, []
        with ExitStack() as stack:
            if inbound.listen:
                from newsletter.feedback.served import ServedEntrance

                hostname = self.settings.inbound_address.rpartition("@")[2]
                served = stack.enter_context(
                    ServedEntrance(inbound, self.inbox, self.our_addresses, hostname=hostname, report=report)
                )
                open_ones.append(f"at {served.address} ({inbound.protocol.upper()})")
            if imap.host:
                from newsletter.feedback.imap import MailboxEntrance

                stack.enter_context(MailboxEntrance(imap, self._wiring(report)))
                open_ones.append(f"from {imap.folder} of {imap.user} at {imap.name}")
            yield open_ones

    def look_into_mailbox(self, report: Report) -> None:
        """Take in what has arrived in the mailbox since it was last looked into, if there is one.

        Raises EntranceError, DatabaseError and SettingsError.
        """
        if self.settings.imap.host:
            from newsletter.feedback.imap import WatchedFolder

            imap = self.settings.imap
            folder = WatchedFolder(imap, imap.login_password(), self._wiring(report))
            with folder.opened() as client:
                folder.look(client)

    def _wiring(self, report: Report) -> "Wiring":
        from newsletter.feedback.imap import Wiring

        largest = self.settings.inbound.max_message_bytes
        return Wiring(self.database, self.inbox, self.our_addresses, self.clock, largest, report)

    @cached_property
    def judge(self) -> Judge:
        """Judges what is found out about letters."""
        return Judge(
            self.database,
            self.settings.bounces,
            self.suppressions,
            self.writer,
            self.signer,
            self.clock,
        )

    @cached_property
    def handler(self) -> Handler:
        """Handles mail that came in."""
        return Handler(
            self.database,
            self.settings,
            self.doors,
            self.writer,
            self.suppressions,
            self.signer,
            self.judge,
            self.clock,
        )

    def handle_inbound(self) -> list[Handled]:
        """Handle the mail that came in, and write the confirmations that were asked for by any door.

        Raises DatabaseError, and TemplateError where the site's own templates are broken.
        """
        handled = self.handler.handle_new()
        self.doors.post()
        if self._log and handled:
            self._log.write_all(
                {"event": LogEvent.INBOUND_HANDLED, "inbound": one.id, "kind": one.result.verb}
                for one in handled
            )
        for heard in [one.result.heard for one in handled if one.result.heard]:
            self._note_judged(heard.judged)
            if address := heard.distrusted_at:
                domain = address.rpartition("@")[2].lower()
                self._limits.domains.refused_for_policy(domain, address, time.monotonic())
        return handled

    def judge_new(self) -> list[Judged]:
        """Judge what was found out about letters while they were sent; returns what is held against readers.

        Raises DatabaseError, and TemplateError where the site's own templates are broken.
        """
        counted: list[Judged] = []
        for judged in self.judge.judge_new():
            self._note_judged(judged)
            counted += [one for one in judged if one.effect != Effect.NONE]
        return counted

    def _note_judged(self, judged: Collection[Judged]) -> None:
        if self._log and judged:
            self._log.write_all(
                {
                    "event": LogEvent.LETTER_JUDGED,
                    "delivery": one.delivery_id,
                    "probe": one.probe_id,
                    "kind": one.kind,
                    "bounce_class": one.bounce_class,
                    "enhanced_status": one.status or None,
                    "effect": one.effect,
                }
                for one in judged
            )
            self._log.write_all(
                {"event": LogEvent.LETTER_COMPLAINED, "delivery": one.delivery_id}
                for one in judged
                if one.kind == VerdictKind.COMPLAINT
            )

    def post_notes(self, relays: Sequence[Relay]) -> list[Posted]:
        """Send the confirmations and answers that are due. Raises DatabaseError."""
        posted = post_due(self.database, self.settings, relays, self.clock)
        if self._log and posted:
            self._log.write_all(
                {"event": LogEvent.NOTE_POSTED, "note": one.note_id, "kind": one.kind, "state": one.state}
                for one in posted
            )
        return posted

    def forget(self) -> None:
        """Let go of what is kept for a while only: requests that expired, mail that was handled."""
        now, keep_days = self.clock(), self.settings.doors.keep_days
        with self.database.write() as session:
            self.doors.purge(session)
            forget_old(session, now, keep_days=keep_days)
            forget_sent(session, now, keep_days=keep_days)

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "database" in self.__dict__:
            self.database.close()

    def plan_due(self) -> list[PlannedIssue | PlanFailure]:
        """Decide every slot that is due."""
        book.close_over(self.database, self.clock(), self._thresholds)
        planned = self.planner.plan_due(self.clock())
        if self._log:
            self._log.write_all(
                {
                    "event": LogEvent.ISSUE_PLANNED,
                    "issue": issue.issue_id,
                    "category": issue.category,
                    "slot": issue.slot,
                    "state": issue.state,
                    "readers": issue.readers,
                }
                for issue in planned
                if isinstance(issue, PlannedIssue)
            )
        self._notice()
        return planned

    def _notice(self, halted: Collection[int] = ()) -> None:
        """Write down what there is to tell the editor; `halted` are issues that were halted just now."""
        news = book.look(self.database, self.clock(), self._thresholds, halted)
        if self._log:
            self._log.write_all(
                {
                    "event": LogEvent.NOTICE_MADE,
                    "notice": notice.id,
                    "kind": notice.kind,
                    "category": notice.category,
                    "issue": notice.issue_id,
                }
                for notice in news
            )

    @property
    def _thresholds(self) -> book.Thresholds:
        patience = timedelta(hours=self.settings.delivery.skip_failed_after_hours)
        return book.Thresholds(self.settings.queue.low, patience)

    def tell_editor(self, relays: Sequence[Relay]) -> Mailed | None:
        """Mail the editor what is to be told, all in one; None if there is nothing, or not yet again.

        A relay that does not take it is no error: it is tried again later, and `Mailed` says so. Raises
        DatabaseError.
        """
        now = self.clock()
        notices = book.take(self.database, now)
        if not notices:
            return None
        is_sent, reply = send(self.settings, relays, compose(self.settings, notices, now))
        ids = [notice.id for notice in notices]
        book.record(self.database, ids, reply, self.clock() if is_sent else None)
        if self._log:
            event = LogEvent.NOTICE_MAILED if is_sent else LogEvent.NOTICE_FAILED
            self._log.write_all({"event": event, "notice": one, "reply": reply} for one in ids)
        return Mailed(subject_of(self.settings.site.name, notices), is_sent, reply)

    def _note_recovered(self, recovered: Recovered) -> None:
        if self._log:
            doubtful = recovered.in_doubt
            self._log.write_all({"event": LogEvent.LETTER_IN_DOUBT, "delivery": one} for one, _ in doubtful)

    @contextmanager
    def open_relays(self) -> Iterator[list[Relay]]:
        """How to reach the relays, and what is learnt of them; runs the sandbox meanwhile, if that is one."""
        with ExitStack() as stack:
            sections = [
                stack.enter_context(Sandbox(self.settings.sandbox_folder)).relay
                if relay.is_sandbox
                else relay
                for relay in self.settings.relays
            ]
            yield [Relay(section) for section in sections]

    def send_due(
        self,
        relays: Sequence[Relay],
        stop: Event,
        *,
        progress: Callable[[Tally], None] = lambda _: None,
        recovered: Callable[[Recovered], None] = lambda _: None,
    ) -> SendReport:
        """Take over what dead processes left, and send everything due, until done or told to stop.

        `progress` is called with the tally so far, some times a second, and `recovered` with what dead
        processes left, once that is on disk and before anything is sent.

        Raises DatabaseError, and SettingsError if a password or a key cannot be had. A relay that cannot be
        used is in the report: everything stays queued.
        """
        import uvloop

        from newsletter.delivery.dkim_keys import load_signer

        database, delivery, now = self.database, self.settings.delivery, self.clock()
        resend_in_doubt = delivery.in_doubt == "resend"
        canary_wait = timedelta(minutes=delivery.canary_wait_minutes)
        with database.read() as session:
            is_to_begin = has_work(session, now, resend_in_doubt=resend_in_doubt, canary_wait=canary_wait)
            if not is_to_begin and not others(database, session.connection()).dead:
                return SendReport()
            issues = going(session)
        if all(relay.breaker.is_open(time.monotonic()) for relay in relays):
            return SendReport()
        # Asked for once, and before any letter is on its way: it may be a command that fails.
        passwords = {relay.name: relay.section.login_password() for relay in relays if relay.section.user}
        composer = Composer(
            database, self.signer, self.settings.media_folder, dkim=load_signer(self.settings)
        )
        errors = [relay.error for relay in relays]

        def tell_recovered(found: Recovered) -> None:
            self._note_recovered(found)
            recovered(found)

        with database.explained(), database.writing_connection() as connection:
            ledger = Ledger(database, connection, resend_in_doubt=resend_in_doubt, now=now)
            try:
                report = SendReport()
                dispatcher = Dispatcher(
                    database,
                    ledger,
                    relays,
                    composer=composer,
                    upkeep=Upkeep(
                        ledger,
                        self._limits,
                        self.clock,
                        canary_wait=canary_wait,
                        canary_limit_percent=delivery.canary_limit_percent,
                        tell_recovered=tell_recovered,
                    ),
                    transport=lambda relay: SMTPTransport(
                        relay.section,
                        password=passwords.get(relay.name, ""),
                        helo_name=self.settings.sender.domain,
                        habits=relay.habits,
                    ),
                    limits=self._limits,
                    clock=self.clock,
                    monotonic=time.monotonic,
                    stop=stop,
                    progress=progress,
                    log=self._log,
                )
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    report.tally = runner.run(dispatcher.send_due())
                report.down = [
                    relay.error
                    for relay, before in zip(relays, errors, strict=True)
                    if relay.error is not None and relay.error is not before
                ]
                report.finished = ledger.finish(self.clock())
            finally:
                ledger.close(self.clock())
        with database.read() as session:
            report.stopped = stopped(session, issues - {one.issue_id for one in report.tally.verdicts})
        if self._log:
            self._log.write_all(report.log_records())
        if halted := [one.issue_id for one in report.tally.verdicts if not one.has_passed]:
            self._notice(halted)
        return report


def open_app(folder: Path, clock: Clock = system_clock) -> App:
    """The site in a folder. Raises SettingsError."""
    return App(load_settings(folder), clock)


def fixed_clock(instant: datetime) -> Clock:
    """A clock that stands still, for trials with `--at`."""
    return lambda: instant


def accelerated_clock(start: datetime, factor: float) -> Clock:
    """A clock that shows `start` now and runs `factor` times as fast as the machine's."""
    began = time.monotonic()
    return lambda: start + timedelta(seconds=(time.monotonic() - began) * factor)


def check_trial(settings: Settings, *, really: bool) -> None:
    """Refuse a made-up clock for a relay that reaches real readers. Raises SettingsError."""
    if not settings.relay.is_trial and not really:
        raise SettingsError(
            f"--at would send real letters at a made-up time: the relay is {settings.relay.host}, neither "
            f"the sandbox nor this machine. Add --really if that is what you mean"
        )
