"""`paperround doctor` as it is typed; the DNS it asks is a server of the test's own."""

import json
from pathlib import Path

import dns.resolver
import pytest

from tests.conftest import GIVEN, Cli
from tests.doctor.dnsserver import DnsServer


@pytest.fixture
def folder(cli: Cli, tmp_path: Path) -> Path:
    """A new site, its relay the sandbox."""
    options = [part for key, value in GIVEN.items() for part in (f"--{key.replace('_', '-')}", value)]
    assert cli("init", tmp_path / "site", *options).returncode == 0
    return tmp_path / "site"


@pytest.fixture(autouse=True)
def empty_dns(monkeypatch: pytest.MonkeyPatch) -> object:
    """A DNS in which there is nothing is the machine's own."""
    server = DnsServer({})
    monkeypatch.setattr(dns.resolver, "default_resolver", server.resolver)
    with server:
        yield


def test_findings_are_told_with_their_mend_and_errors_fail(cli: Cli, folder: Path) -> None:
    """A line a finding, the mend below it; 1 with an error, else 0, and the errors first."""
    done = cli("--site", folder, "doctor")
    assert done.returncode == 0
    assert '\n    example.org. IN TXT "v=spf1 mx ~all"\n' in done.stdout
    assert "0 errors" in done.stderr
    assert done.stdout.isascii()
    (folder / "secret.key").chmod(0o644)
    done = cli("--site", folder, "doctor")
    assert done.returncode == 1
    assert done.stdout.startswith("error: secret key secret.key: ")
    assert "1 error," in done.stderr


def test_findings_as_json(cli: Cli, folder: Path) -> None:
    """One document: each finding with its level, subject, words and mend."""
    findings = json.loads(cli("--site", folder, "doctor", "--json").stdout)
    assert {"level", "subject", "found", "mend"} == set(findings[0])
    assert {finding["level"] for finding in findings} == {"warning", "ok"}


def test_nothing_is_made(cli: Cli, folder: Path) -> None:
    """Looking at a new site leaves no database behind."""
    before = sorted(folder.rglob("*"))
    cli("--site", folder, "doctor")
    assert sorted(folder.rglob("*")) == before
