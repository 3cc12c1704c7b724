"""All checks of a site, side by side, within one limit of time.

Promises: nothing is changed, no letter is sent, and what cannot be looked at (no network, no answer, a check
that takes too long) is a finding like any other. Only reading a very large database may take longer than the
limit, and a `password_command`, which may be waiting for a person.

May surprise: while the sandbox is the relay nothing leaves this machine, so what the outside world would not
take (DNS, pages) is a warning then, and an error as soon as a relay is named.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Thread

from newsletter.database import Database
from newsletter.doctor.domain import (
    check_dkim,
    check_dmarc,
    check_mx,
    check_ptr,
    check_spf,
    mail_domains,
    public_addresses,
)
from newsletter.doctor.findings import Finding, Level, error, ok, warning
from newsletter.doctor.inbound import check_listener, check_mailbox
from newsletter.doctor.machine import check_clock, check_database, check_disks, check_key, check_zones
from newsletter.doctor.names import Address, Names, UnseenError
from newsletter.doctor.relay import check_relay
from newsletter.doctor.website import check_website
from newsletter.errors import SettingsError
from newsletter.settings import Settings
from subscribers.base import Clock
from subscribers.tokens import TokenSigner

LIMIT_SECONDS = 10.0

Check = Callable[[], Iterable[Finding]]


@dataclass
class _Job:
    """A check under way in a thread that nobody waits for longer than the limit."""

    subject: str
    check: Check
    findings: list[Finding] = field(default_factory=list)
    is_done: bool = False
    failure: Exception | None = None

    def start(self) -> Thread:
        thread = Thread(target=self._run, name=self.subject, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        try:
            self.findings = _looked(self.subject, self.check)
        except Exception as failure:  # told by whoever waits
            self.failure = failure
        self.is_done = True


def examine(
    settings: Settings, clock: Clock, *, names: Names | None = None, own: Sequence[Address] | None = None
) -> list[Finding]:
    """Every finding, the worst first. `names` is the DNS to ask and `own` this machine's public addresses."""
    inside = [*check_key(settings), *check_zones(), *check_clock(), *check_disks(_folders(settings))]
    relays, inbound = _relays(settings), _inbound(settings)
    outside = _outside(settings, clock, names, own)
    jobs = [_Job(subject, check) for subject, check in (*relays, *inbound, *outside)]
    end = time.monotonic() + LIMIT_SECONDS
    threads = [job.start() for job in jobs]
    database = Database(settings.database_url)
    try:
        inside += check_database(database, clock)
    finally:
        database.close()
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    found = [finding for job in jobs for finding in _ended(job)]
    if settings.relay.is_sandbox:
        inside.append(
            warning(
                "relay",
                f"the sandbox: letters stay in {settings.sandbox_folder} and reach nobody",
                "name a relay in [relay] of paperround.toml",
            )
        )
        found = [
            replace(finding, level=Level.WARNING) if finding.level is Level.ERROR else finding
            for finding in found
        ]
    return sorted([*inside, *found], key=lambda finding: list(Level).index(finding.level))


def _relays(settings: Settings) -> Iterable[tuple[str, Check]]:
    """Each relay's check. The password is asked for here, outside the limit of time."""
    for relay in settings.relays:
        if relay.is_sandbox:
            continue
        subject = f"relay {relay.name}"
        try:
            password = relay.login_password() if relay.user else ""
        except SettingsError as fault:
            yield subject, partial(_password_failed, subject, str(fault), relay.table)
            continue
        yield subject, partial(check_relay, relay, password, settings.sender.domain)


def _inbound(settings: Settings) -> Iterable[tuple[str, Check]]:
    """The checks of the ways that mail comes in."""
    inbound, imap, address = settings.inbound, settings.imap, settings.inbound_address
    if inbound.listen:
        yield f"mail at {inbound.listen}", partial(check_listener, inbound, address)
    if imap.host:
        subject = f"mailbox {imap.user} at {imap.name}"
        try:
            password = imap.login_password()
        except SettingsError as fault:
            yield subject, partial(_password_failed, subject, str(fault), imap.table)
        else:
            yield subject, partial(check_mailbox, imap, password, address)
    if not inbound.listen and not imap.host:
        yield "inbound mail", partial(_no_entrance, address)


def _no_entrance(address: str) -> list[Finding]:
    return [
        ok(
            "inbound mail",
            f"neither listen in [inbound] nor host in [imap] is set: what is sent to {address} comes in by a "
            f"pipe, or not at all",
        )
    ]


def _password_failed(subject: str, fault: str, table: str) -> list[Finding]:
    return [error(subject, fault, f"see password_command in {table}")]


def _outside(
    settings: Settings, clock: Clock, names: Names | None, own: Sequence[Address] | None
) -> Iterable[tuple[str, Check]]:
    """The checks that ask others."""
    site = settings.site
    try:
        signer: TokenSigner | None = TokenSigner(settings.secret_key())
    except SettingsError:
        signer = None  # a finding of its own
    if signer is not None:
        yield f"pages at {site.base_url}", partial(check_website, site.base_url, site.listen, signer, clock)
    try:
        asked = names or Names.of_this_machine()
    except UnseenError as unseen:
        yield "DNS", partial(_no_dns, str(unseen))
        return
    addresses = public_addresses() if own is None else own
    yield "SPF", partial(check_spf, asked, settings, addresses)
    yield "DKIM", partial(check_dkim, asked, settings)
    yield "DMARC", partial(check_dmarc, asked, settings)
    yield "reverse DNS", partial(check_ptr, asked, settings, addresses)
    for domain, uses in mail_domains(settings).items():
        yield f"MX of {domain}", partial(check_mx, asked, domain, uses)


def _no_dns(fault: str) -> list[Finding]:
    return [warning("DNS", fault, "see /etc/resolv.conf")]


def _looked(subject: str, check: Check) -> list[Finding]:
    found: list[Finding] = []
    try:
        found += check()
    except UnseenError as unseen:
        found.append(
            warning(subject, str(unseen), "see that this machine has a network and a DNS server; try again")
        )
    except SettingsError as fault:
        found.append(error(subject, str(fault), "see paperround.toml"))
    return found


def _ended(job: _Job) -> list[Finding]:
    if not job.is_done:
        return [warning(job.subject, f"it took longer than {LIMIT_SECONDS:.0f} seconds", "try again")]
    if job.failure is not None:
        raise job.failure
    return job.findings


def _folders(settings: Settings) -> list[Path]:
    folders = [settings.folder.resolve(), settings.media_folder.resolve()]
    path = Database(settings.database_url).path
    folders += [path.resolve().parent] if path else []
    return folders + ([settings.sandbox_folder.resolve()] if settings.relay.is_sandbox else [])
