"""The relay, the pages and the machine, as the doctor finds them; real servers, real files."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest
import trustme
from aiosmtpd.smtp import AuthResult
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app import App
from newsletter.doctor.examine import _ended, _Job, examine
from newsletter.doctor.findings import Finding, Level, ok
from newsletter.doctor.machine import (
    check_clock,
    check_database,
    check_disks,
    check_files,
    check_key,
    clock_kept,
    file_system,
    room,
)
from newsletter.doctor.relay import check_relay
from newsletter.doctor.website import check_website, skew
from newsletter.settings import RelaySection, Settings
from newsletter.web.server import PageServer
from subscribers.base import system_clock
from subscribers.tokens import Purpose, TokenSigner
from tests.conftest import MONDAY
from tests.doctor.dnsserver import DnsServer
from tests.mailserver import LoopbackServer, MailServer

KEY = b"k" * 40
SIGNER = TokenSigner(KEY)


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def relay_at(port: int, **values: object) -> RelaySection:
    return RelaySection.model_validate({"host": "127.0.0.1", "port": port, **values})


def test_a_relay_that_works_says_what_it_offers() -> None:
    """The connection is the sender's own, what makes sending slower is a warning, and nothing is sent."""
    with MailServer() as server:
        findings = list(check_relay(relay_at(server.port), "", "example.org"))
    assert server.accepted == []
    assert findings[0].level is Level.OK
    assert "SMTPUTF8" in findings[0].found
    assert (findings[1].level, "PIPELINING" in findings[1].found) == (Level.WARNING, True)


def test_a_relay_that_refuses_the_login_is_an_error() -> None:
    """The relay's own words are in the finding, and where to look in the mend."""

    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    with LoopbackServer(authenticator=refuse, auth_require_tls=False) as server:
        finding = only(check_relay(relay_at(server.port, user="ann", tls="none"), "wrong", "example.org"))
    assert finding.level is Level.ERROR
    assert "refused the login of 'ann'" in finding.found
    assert "[relay]" in finding.mend


def test_a_further_relay_is_mended_where_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not in [relay], which names another one: what is down, and a password that cannot be had."""
    further = [
        {"host": "127.0.0.1", "port": 9, "tls": "none"},
        {"host": "127.0.0.1", "port": 10, "user": "ann", "password_command": "false"},
    ]
    site = {"name": "N", "from": "a@example.org", "base_url": "https://example.org", "postal_address": "X"}
    settings = Settings.model_validate({"site": site, "further_relays": further}).in_folder(tmp_path)
    monkeypatch.setattr("newsletter.doctor.examine._outside", lambda *_: [])
    told = {finding.subject: finding for finding in examine(settings, system_clock)}
    assert told["relay 127.0.0.1:9"].mend == "see host, port, tls, user and password in [[further_relays]]"
    lacking = told["relay 127.0.0.1:10"]
    assert lacking.found.startswith("password_command of 127.0.0.1:10 in [[further_relays]] failed: ")
    assert lacking.mend == "see password_command in [[further_relays]]"


def test_a_relay_nobody_can_reach_or_trust_is_an_error() -> None:
    """A closed port, and a certificate of nobody's, are found as the sender would find them."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with LoopbackServer(implicit=context) as server:
        finding = only(check_relay(relay_at(server.port, tls="implicit"), "", "example.org"))
        assert (finding.level, "certificate" in finding.found.lower()) == (Level.ERROR, True)
    finding = only(check_relay(relay_at(server.port), "", "example.org"))
    assert finding.level is Level.ERROR


@pytest.mark.parametrize(("days", "expected"), [(5, [Level.OK, Level.WARNING]), (60, [Level.OK])])
def test_a_certificate_that_ends_soon_is_told(
    days: int, expected: list[Level], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that automatic renewal should have replaced is a warning; others are not mentioned."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    authority.issue_cert("localhost", not_after=ends).configure_cert(context)
    with LoopbackServer(implicit=context, enable_SMTPUTF8=True) as server:
        findings = list(
            check_relay(relay_at(server.port, host="localhost", tls="implicit"), "", "example.org")
        )
    told = [finding for finding in findings if "PIPELINING" not in finding.found]
    assert [finding.level for finding in told] == expected


class Web:
    """A web server that answers every GET with one status, or a test letter's link with another."""

    def __init__(self, known: int, others: int, **headers: str) -> None:
        token = SIGNER.sign(Purpose.LEAVE, 0)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(known if self.path.endswith(token) else others)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.mark.parametrize(
    ("known", "others", "level", "told"),
    [
        (200, 404, Level.OK, "know this site's links"),
        (200, 200, Level.ERROR, "another site"),
        (404, 404, Level.ERROR, "another secret key"),
        (301, 301, Level.ERROR, "sends the reader on"),
        (502, 502, Level.ERROR, "nothing behind it"),
    ],
)
def test_the_pages_are_known_by_what_they_answer(known: int, others: int, level: Level, told: str) -> None:
    """A wrong site, a wrong key, a redirect and a proxy with nothing behind it are told apart."""
    with Web(known, others, Location="https://www.example.org/") as url:
        finding = only(check_website(url, "127.0.0.1:8025", SIGNER, system_clock))
    assert (finding.level, told in finding.found) == (level, True)


def test_our_own_pages_are_recognised(site: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `paperround run` serves passes; with another secret key it does not."""
    monkeypatch.setenv("PAPERROUND_SITE__LISTEN", "127.0.0.1:0")
    site.settings = site.settings.model_copy(
        update={"site": site.settings.site.model_copy(update={"listen": "127.0.0.1:0"})}
    )
    with PageServer(site) as server:
        url = server.url.rstrip("/")
        assert only(check_website(url, "", site.signer, site.clock)).level is Level.OK
        assert only(check_website(url, "", SIGNER, site.clock)).level is Level.ERROR
    assert "cannot be reached" in only(check_website(url, "", site.signer, site.clock)).found


@given(seconds=st.integers(-(10**7), 10**7))
def test_the_clock_is_compared_with_the_web_servers(seconds: int) -> None:
    """More than a minute apart is a warning, either way; less proves nothing and says nothing."""
    findings = list(skew(format_datetime(MONDAY + timedelta(seconds=seconds)), "here", MONDAY))
    assert [finding.level for finding in findings] == [Level.WARNING] * (abs(seconds) > 60)
    assert any("ahead" in finding.found for finding in findings) == (seconds < -60)


@pytest.mark.parametrize(
    ("state", "level", "told"),
    [
        (0, Level.OK, "is kept right"),
        (1, Level.OK, "is kept right"),  # a leap second is coming
        (5, Level.WARNING, "the kernel knows of nothing that keeps it right"),
        (None, Level.OK, "cannot be seen here"),
    ],
)
def test_a_clock_that_nothing_keeps_right_is_told(state: int | None, level: Level, told: str) -> None:
    """By the kernel's word; where it gives none, that is said, and no more."""
    finding = clock_kept(state)
    assert (finding.level, told in finding.found) == (level, True)


def test_the_kernel_is_asked_and_may_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real one has an answer for the doctor; none that it forbids, or does not have, is an exception."""
    assert only(check_clock()) in {clock_kept(state) for state in (None, 0, 5)}
    for library in (SimpleNamespace(adjtimex=lambda _: -1), SimpleNamespace()):
        monkeypatch.setattr("ctypes.CDLL", lambda _, library=library: library)
        assert only(check_clock()) == clock_kept(None)


@given(st.text())
def test_a_date_that_is_none_says_nothing(text: str) -> None:
    """Whatever a server calls its Date, comparing it does not fail."""
    assert all(finding.subject == "clock" for finding in skew(text, "here", MONDAY))


@pytest.mark.parametrize(
    ("free", "total", "expected"),
    [
        (50 << 30, 100 << 30, Level.OK),
        (9 << 30, 100 << 30, Level.WARNING),
        (900 << 20, 2 << 30, Level.WARNING),
        (99 << 20, 100 << 30, Level.ERROR),
    ],
)
def test_little_room_is_told_in_time(free: int, total: int, expected: Level) -> None:
    """Below 1 GiB or a tenth is a warning, below 100 MiB an error."""
    assert room(Path("/x"), free, total).level is expected


def test_each_disk_is_looked_at_once(tmp_path: Path) -> None:
    """Folders on one disk are one finding, also those that are not there yet."""
    assert len(list(check_disks([tmp_path, tmp_path / "not" / "yet"]))) == 1


def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path: Path) -> None:
    """The innermost mount counts; a network file system below SQLite is a warning."""
    folder = tmp_path / "a b"
    folder.mkdir()
    mounts = tmp_path / "mounts"
    shown = str(folder.resolve()).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / ext4 rw 0 0\nserver:/x {shown} nfs4 rw 0 0\nbroken\n")
    assert file_system(tmp_path / "x.db", mounts) == "ext4"
    assert only(check_files(folder / "x.db", mounts)).level is Level.WARNING
    assert list(check_files(tmp_path / "x.db", tmp_path / "none")) == []


def test_the_database_is_looked_at_and_not_made(site: App, tmp_path: Path) -> None:
    """A sound one is ok, tables of another revision name the command, one that is missing stays missing."""
    database = site.database
    assert {finding.level for finding in check_database(database, system_clock)} == {Level.OK}
    database.downgrade("0002")
    finding = only(check_database(database, system_clock))
    assert (finding.level, finding.mend) == (Level.ERROR, "paperround db upgrade")
    missing = type(database)(f"sqlite:///{tmp_path / 'missing.db'}")
    assert only(check_database(missing, system_clock)).level is Level.WARNING
    assert not (tmp_path / "missing.db").exists()
    (tmp_path / "wrong.db").write_text("Dear reader, this is no database." * 40)
    wrong = type(database)(f"sqlite:///{tmp_path / 'wrong.db'}")
    assert only(check_database(wrong, system_clock)).level is Level.ERROR


def test_a_key_that_others_can_read_is_an_error(site: App) -> None:
    """The mode of the secret key is part of it."""
    assert only(check_key(site.settings)).level is Level.OK
    (site.settings.folder / "secret.key").chmod(0o644)
    finding = only(check_key(site.settings))
    assert (finding.level, "chmod 600" in finding.found) == (Level.ERROR, True)


def test_a_check_that_hangs_is_a_finding(site: App) -> None:
    """Nobody waits for a check without end, and one that breaks is not hidden."""
    forever = Event()
    job = _Job("x", lambda: [ok("x", str(forever.wait()))])
    thread = job.start()
    assert _ended(job).pop().level is Level.WARNING
    forever.set()
    thread.join()
    assert _ended(job) == [ok("x", "True")]
    broken = _Job("y", lambda: [ok("y", str(1 // 0))])
    broken.start().join()
    with pytest.raises(ZeroDivisionError):
        _ended(broken)


def test_in_the_sandbox_nothing_outside_is_an_error(site: App) -> None:
    """While nothing leaves this machine what the world would refuse is a warning; errors come first."""
    (site.settings.folder / "secret.key").chmod(0o644)
    with DnsServer({}) as server:
        findings = examine(site.settings, site.clock, names=server.names, own=[])
    assert [finding.level for finding in findings] == sorted(
        (finding.level for finding in findings), key=list(Level).index
    )
    errors = [finding.subject for finding in findings if finding.level is Level.ERROR]
    assert errors == ["secret key secret.key"]
    assert any("sandbox" in finding.found for finding in findings)
    assert any(finding.subject.startswith("SPF") for finding in findings)


def test_without_any_network_everything_is_a_finding(site: App) -> None:
    """A DNS that never answers is told check by check, with what it was asked."""
    silent = {name: {"SILENCE": list[str]()} for name in ("example.org", "_dmarc.example.org")}
    with DnsServer(silent) as server:
        findings = examine(site.settings, site.clock, names=server.names, own=[])
    unseen = [finding.subject for finding in findings if "no DNS server answered" in finding.found]
    assert unseen == ["SPF", "DMARC", "MX of example.org"]
