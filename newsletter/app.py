"""The composition root: builds the parts of one site and wires them; nothing else does."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from threading import Event

from newsletter.database import Database
from newsletter.delivery.composer import Composer
from newsletter.delivery.dispatcher import Dispatcher, Tally
from newsletter.delivery.ledger import Ledger, Recovered
from newsletter.delivery.letters import LedgerLetters, has_work
from newsletter.delivery.sandbox import Sandbox
from newsletter.delivery.smtp import SMTPTransport
from newsletter.errors import SettingsError
from newsletter.render.edition import EditionMaker
from newsletter.schedule.planner import PlanFailure, PlannedIssue, Planner
from newsletter.settings import RelaySection, Settings
from newsletter.settings_file import load_settings
from subscribers.base import Clock, system_clock
from subscribers.tokens import TokenSigner


@dataclass
class SendReport:
    """What one pass of the sender did."""

    recovered: Recovered = field(default_factory=lambda: Recovered(0, ()))
    expired: int = 0
    tally: Tally = field(default_factory=Tally)


class App:
    """One site: its settings, its database, and what can be done with them."""

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.clock = clock
        self.letters = LedgerLetters()

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
        return Planner(
            self.database,
            self.editions.make,
            base_url=self.settings.site.base_url,
            catch_up=timedelta(hours=self.settings.delivery.catch_up_hours),
            expiry=timedelta(hours=self.settings.delivery.expire_after_hours),
        )

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "database" in self.__dict__:
            self.database.close()

    def plan_due(self) -> list[PlannedIssue | PlanFailure]:
        """Decide every slot that is due."""
        return self.planner.plan_due(self.clock())

    @contextmanager
    def open_relay(self) -> Iterator[RelaySection]:
        """How to reach the relay; runs the sandbox meanwhile, if that is the relay."""
        if not self.settings.relay.is_sandbox:
            yield self.settings.relay
            return
        with Sandbox(self.settings.sandbox_folder) as sandbox:
            yield sandbox.relay

    def send_due(
        self, relay: RelaySection, stop: Event, progress: Callable[[Tally], None] = lambda _: None
    ) -> SendReport:
        """Take over what dead processes left, and send everything due, until done or told to stop.

        `progress` is called with the tally so far after each letter.

        Raises DatabaseError, and SettingsError if the password cannot be had. A relay that cannot be used is
        in the report: everything stays queued.
        """
        import uvloop

        database, now = self.database, self.clock()
        resend_in_doubt = self.settings.delivery.in_doubt == "resend"
        with database.read() as session:
            if not has_work(session, now, resend_in_doubt=resend_in_doubt):
                return SendReport()
        # Asked for once, and before any letter is on its way: it may be a command that fails.
        password = relay.login_password() if relay.user else ""
        composer = Composer(database, self.signer, self.settings.media_folder)
        with database.explained(), database.writing_connection() as connection:
            ledger = Ledger(database, connection, resend_in_doubt=resend_in_doubt, now=now)
            try:
                report = SendReport(recovered=ledger.recover(now), expired=ledger.expire(now))
                dispatcher = Dispatcher(
                    database,
                    ledger,
                    compose=composer,
                    transport=lambda: SMTPTransport(
                        relay, password=password, helo_name=self.settings.sender.domain
                    ),
                    connections=relay.connections,
                    clock=self.clock,
                    stop=stop,
                    progress=progress,
                )
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    report.tally = runner.run(dispatcher.send_due())
            finally:
                ledger.close(self.clock())
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
