"""`paperround dkim`: a key, the record that belongs into the DNS, and what to write into the settings."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.delivery.dkim_keys import load_keys, load_signer
from newsletter.settings_file import load_settings
from newsletter.site import make_site
from tests.conftest import GIVEN, Cli, Done
from tests.delivery.test_dkim import letter as signed_letter
from tests.delivery.test_dkim import verified

Dkim = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A new site."""
    make_site(tmp_path / "site", GIVEN)
    return tmp_path / "site"


@pytest.fixture
def dkim(cli: Cli, folder: Path) -> Dkim:
    """`paperround dkim` in that site."""
    return lambda *arguments: cli("--site", folder, "dkim", *arguments)


def follow(done: Done, folder: Path) -> tuple[str, str]:
    """Do what `keygen` says: its lines into paperround.toml; returns the record's name and value."""
    told, _, lines = done.stdout.partition(
        "In paperround.toml, below [dkim], once the record can be seen:\n\n"
    )
    path = folder / "paperround.toml"
    text = path.read_text("utf-8")
    for line in lines.splitlines():
        text = re.sub(rf"^{line.split()[0]} = .*$", line, text, flags=re.MULTILINE)
    path.write_text(text, "utf-8")
    found = re.search(r"^name   (.*)\nvalue  (.*)$", told, re.MULTILINE)
    assert found is not None
    return found[1], found[2]


def test_who_does_as_told_signs(dkim: Dkim, folder: Path) -> None:
    """Records and lines are copied as they are printed, and both signatures of a letter are good."""
    records = dict(follow(dkim(*options), folder) for options in (["keygen"], ["keygen", "--ed25519"]))
    assert records.keys() == {
        "paperround._domainkey.example.org",
        "paperround-ed25519._domainkey.example.org",
    }
    signer = load_signer(load_settings(folder))
    assert signer is not None
    assert [key.bits for key in load_keys(load_settings(folder))] == [2048, 256]
    answers = {f"{name}.".encode(): value.encode() for name, value in records.items()}
    assert verified(signed_letter(signer), lambda name, timeout=5: answers.get(name)) == (True, True)


def test_show_says_what_keygen_said(dkim: Dkim, folder: Path) -> None:
    """The records again, for eyes as they were, and for programs as a list."""
    first, second = dkim("keygen", "--bits", 1024, "--selector", "a.b-1"), dkim("keygen", "--ed25519")
    records = [follow(done, folder) for done in (first, second)]
    shown = dkim("show")
    assert (shown.returncode, shown.stderr) == (0, "")
    for done in (first, second):
        assert done.stdout.partition("\nIn paperround.toml")[0].strip() in shown.stdout
    listed = json.loads(dkim("show", "--json").stdout)
    assert [(one["name"], one["value"]) for one in listed] == records
    assert [(one["kind"], one["bits"], one["type"]) for one in listed] == [
        ("rsa", 1024, "TXT"),
        ("ed25519", 256, "TXT"),
    ]
    assert all(one["zone_line"] in shown.stdout for one in listed)


def test_the_key_file_is_told_and_kept_from_others(dkim: Dkim, folder: Path) -> None:
    """Where it is stands on the error stream; what is to be copied is alone on the other, without the key."""
    done = dkim("keygen")
    assert done.stderr == f"The new key is in {folder / 'dkim.pem'}: keep it to yourself.\n"
    assert (folder / "dkim.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in done.stdout


def test_no_key_is_overwritten(dkim: Dkim, folder: Path) -> None:
    """A second `keygen` is refused with the file's name, and the key is still the first."""
    dkim("keygen", "--bits", 1024)
    before = (folder / "dkim.pem").read_bytes()
    done = dkim("keygen")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{folder / 'dkim.pem'}: there is a file of this name" in done.stderr
    assert (folder / "dkim.pem").read_bytes() == before


def test_a_key_beside_the_one_in_use(dkim: Dkim, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a change of keys another file is named for one command; its name is printed as TOML has it."""
    dkim("keygen", "--bits", 1024)
    monkeypatch.setenv("PAPERROUND_DKIM__KEY_FILE", 'next "é".pem')
    done = dkim("keygen", "--bits", 1024, "--selector", "next")
    assert done.returncode == 0
    monkeypatch.delenv("PAPERROUND_DKIM__KEY_FILE")
    follow(done, folder)
    assert load_settings(folder).dkim.key_file == 'next "é".pem'
    assert load_signer(load_settings(folder)) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ["--bits", 512],
        ["--bits", 8192],
        ["--bits", "many"],
        ["--ed25519", "--bits", 2048],
        ["--selector", "a_b"],
        ["--selector", "a b"],
        ["--selector", "a\nb"],
        ["--selector", "é"],
        ["--selector=-a"],
        ["--selector", "a.-b"],
        ["--selector", "a" * 64],
        ["--selector", "b." + "a" * 64],
        ["--selector", ""],
    ],
)
def test_what_cannot_be_is_a_usage_error(dkim: Dkim, folder: Path, arguments: list[object]) -> None:
    """A length or name that no key can have: exit code 2, and no file."""
    done = dkim("keygen", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert not list(folder.glob("*.pem"))


def test_a_name_that_the_dns_cannot_have_makes_no_key(
    dkim: Dkim, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label has 63 octets at most, a name 253 characters (RFC 1035 §2.3.4); nothing is signed in vain."""
    rest = len("._domainkey.example.org")
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * (253 - rest - 3 * 64)])
    assert len(longest) + rest == 253
    done = dkim("keygen", "--bits", 1024, "--selector", f"{longest}d")
    assert (done.returncode, done.stdout) == (1, "")
    assert "a name of 254 characters" in done.stderr
    assert not list(folder.glob("*.pem"))
    follow(dkim("keygen", "--bits", 1024, "--selector", longest), folder)
    assert dkim("show").returncode == 0
    monkeypatch.setenv("PAPERROUND_DKIM__SELECTOR", f"{longest}d")
    assert "a name of 254 characters" in dkim("show").stderr
    monkeypatch.setenv("PAPERROUND_DKIM__SELECTOR", "a" * 64)
    assert "PAPERROUND_DKIM__SELECTOR: dkim.selector is not a selector" in dkim("show").stderr


def test_a_domain_that_is_not_the_senders_makes_no_key(
    dkim: Dkim, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be found out at the first letter; it is said before there is a key."""
    monkeypatch.setenv("PAPERROUND_DKIM__DOMAIN", "example.com")
    for command in ("keygen", "show"):
        done = dkim(command)
        assert done.returncode == 1
        assert "example.com" in done.stderr
    assert not list(folder.glob("*.pem"))


def test_without_a_selector_nothing_is_shown(dkim: Dkim) -> None:
    """A site that does not sign is told how to begin; for programs it is an empty list."""
    done = dkim("show")
    assert (done.returncode, done.stdout) == (0, "")
    assert "paperround dkim keygen" in done.stderr
    assert json.loads(dkim("show", "--json").stdout) == []
